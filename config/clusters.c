/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clusters.c - worker clusters: the section `clusters:` of spillway.yaml, and a file each in clusters_dir
 *
 * clusters_dir/NAME.yaml holds what an entry of the list would; name and kubeconfig may be left out and are then NAME
 * and NAME.kubeconfig beside it. So a cluster is added by two files (a mounted Secret's keys, for one).
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "load_priv.h"
#include "spillway/provider.h"
#include "spillway/text.h"

enum cluster_key {
	KEY_NAME,
	KEY_PROVIDER,
	KEY_WORKER,
	KEY_KUBECONFIG,
	KEY_CONTEXT,
	KEY_REGION,
	KEY_BURST,
	KEY_OPTIONS,
	KEY__COUNT
};
static const char *const cluster_keys[] = {"name",   "provider", "worker",  "kubeconfig", "context",
					   "region", "burst",    "options", NULL};

/* The file that an entry stands in. */
struct source {
	const struct sw_yaml *yaml;
	const char *path;
	const char *stem; /* "onprem" of clusters_dir/onprem.yaml; NULL in spillway.yaml */
};

static struct sw_err cluster_text(const struct source *f, json_t *map, const char *key, json_t *value, const char **out)
{
	char where[512];
	if (!json_object_is_type(value, json_type_string))
		return sw_err(SW_E_INVALID, "%s: %s: found %.60s, expected text",
			      sw_yaml_where(f->yaml, map, key, where, sizeof where), key,
			      json_object_to_json_string(value));
	free((char *)(uintptr_t)*out);
	*out = sw_strdup(json_object_get_string(value));
	return SW_OK;
}

static struct sw_err cluster_entry(const struct source *f, struct sw_cluster_cfg *cl, json_t *map, const char *key,
				   json_t *value)
{
	char where[512];
	const char **texts[] = {&cl->name, &cl->provider, &cl->worker, &cl->kubeconfig, &cl->context, &cl->region};
	sw_yaml_where(f->yaml, map, key, where, sizeof where);
	for (int i = KEY_NAME; i <= KEY_REGION; i++)
		if (strcmp(key, cluster_keys[i]) == 0)
			return cluster_text(f, map, key, value, texts[i]);
	if (strcmp(key, "burst") == 0 && json_object_is_type(value, json_type_boolean)) {
		cl->burst = json_object_get_boolean(value);
		return SW_OK;
	}
	if (strcmp(key, "options") == 0 && json_object_is_type(value, json_type_object)) {
		cl->options = value;
		return SW_OK;
	}
	if (strcmp(key, "burst") == 0 || strcmp(key, "options") == 0)
		return sw_err(SW_E_INVALID, "%s: %s: found %.60s, expected %s", where, key,
			      json_object_to_json_string(value), *key == 'b' ? "true or false" : "a map");
	const char *near = sw_nearest(key, cluster_keys, KEY__COUNT);
	return sw_err(SW_E_INVALID, "%s: a cluster has no setting \"%.60s\"%s%s%s", where, key,
		      near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static struct sw_err check_provider(const struct sw_cluster_cfg *cl)
{
	int n;
	const char *const *providers = sw_provider_names(&n), *near = sw_nearest(cl->provider, providers, n);
	char known[128] = "";
	if (sw_provider_find(cl->provider))
		return SW_OK;
	for (int i = 0; i < n; i++)
		snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s",
			 !i          ? ""
			 : i + 1 < n ? ", "
				     : " or ",
			 providers[i]);
	return sw_err(SW_E_INVALID, "%s: cluster %s: there is no provider \"%s\", expected %s%s%s%s", cl->where,
		      cl->name, cl->provider, known, near ? "; did you mean \"" : "", near ? near : "",
		      near ? "\"?" : "");
}

static struct sw_err check_cluster(const struct config *c, const struct sw_cluster_cfg *cl)
{
	if (!cl->name || !sw_is_dns_label(cl->name))
		return sw_err(SW_E_INVALID,
			      "%s: name: found \"%s\", expected lower-case letters, digits and '-' (at most 63)",
			      cl->where, cl->name ? cl->name : "");
	for (const struct sw_cluster_cfg *other = c->clusters; other < cl; other++)
		if (strcmp(other->name, cl->name) == 0)
			return sw_err(SW_E_INVALID, "%s: a second cluster named \"%s\" (the first is at %s)", cl->where,
				      cl->name, other->where);
	struct sw_err e = check_provider(cl);
	if (sw_failed(e))
		return e;
	if (strcmp(cl->worker, "plain") != 0 && strcmp(cl->worker, "kueue") != 0)
		return sw_err(SW_E_INVALID, "%s: cluster %s: worker: found \"%s\", expected plain or kueue", cl->where,
			      cl->name, cl->worker);
	if (!cl->kubeconfig)
		return sw_err(SW_E_INVALID,
			      "%s: cluster %s: kubeconfig is missing, expected the path of a kubeconfig file",
			      cl->where, cl->name);
	return SW_OK;
}

/* Relative to the file that names it. gives. */
static const char *beside_file(const char *path, const char *file)
{
	const char *slash = strrchr(path, '/');
	if (file[0] == '/' || !slash)
		return sw_strdup(file);
	return sw_asprintf("%.*s/%s", (int)(slash - path), path, file);
}

static struct sw_err read_cluster(struct config *c, const struct source *f, struct sw_cluster_cfg *cl, json_t *map)
{
	char where[512];
	cl->where = sw_strdup(map ? sw_yaml_where(f->yaml, map, NULL, where, sizeof where) : f->path);
	cl->provider = sw_strdup("static");
	cl->worker = sw_strdup("plain");
	cl->region = sw_strdup("");
	if (f->stem) {
		cl->name = sw_strdup(f->stem);
		cl->kubeconfig = sw_asprintf("%s.kubeconfig", f->stem);
	}
	if (map && !json_object_is_type(map, json_type_object))
		return sw_err(SW_E_INVALID, "%s: clusters: expected a list of maps, each with name and kubeconfig",
			      cl->where);
	if (map) {
		json_object_object_foreach(map, key, value)
		{
			struct sw_err e = cluster_entry(f, cl, map, key, value);
			if (sw_failed(e))
				return e;
		}
	}
	struct sw_err e = check_cluster(c, cl);
	if (sw_failed(e))
		return e;
	const char *path = beside_file(f->path, cl->kubeconfig);
	free((char *)(uintptr_t)cl->kubeconfig);
	cl->kubeconfig = path;
	return SW_OK;
}

static struct sw_cluster_cfg *grow(struct config *c, size_t more)
{
	size_t n = c->pub.n_clusters;
	struct sw_cluster_cfg *grown = sw_calloc(n + more + 1, sizeof *grown);
	if (n)
		memcpy(grown, c->clusters, n * sizeof *grown);
	free(c->clusters);
	c->pub.clusters = c->clusters = grown;
	return grown + n;
}

struct sw_err read_clusters(struct config *c, json_t *list)
{
	char where[512];
	const struct source f = {c->yaml, c->path, NULL};
	if (!json_object_is_type(list, json_type_array))
		return sw_err(SW_E_INVALID, "%s: clusters: expected a list",
			      sw_yaml_where(c->yaml, sw_yaml_doc(c->yaml, 0), "clusters", where, sizeof where));
	grow(c, sw_json_len(list));
	for (size_t i = 0; i < sw_json_len(list); i++) {
		c->pub.n_clusters = i + 1; /* counted first, so that a half-read one is freed */
		struct sw_err e = read_cluster(c, &f, &c->clusters[i], sw_json_idx(list, i));
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

/* ---- clusters_dir ------------------------------------------------------------------------- */

enum { CLUSTER_FILE_MAX = 1 << 20 };

static int is_entry(const struct dirent *d)
{
	size_t n = strlen(d->d_name);
	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".yaml") == 0;
}

static struct sw_err read_cluster_file(struct config *c, const char *path, const char *stem)
{
	char *text;
	size_t len;
	struct sw_yaml *y;
	struct sw_err e = sw_file_read(path, CLUSTER_FILE_MAX, &text, &len);
	if (sw_failed(e))
		return e;
	e = sw_yaml_parse(path, text, len, &y);
	free(text);
	if (sw_failed(e))
		return e;
	struct sw_yaml **kept = realloc(c->files, (c->n_files + 1) * sizeof *kept);
	SW_REQUIRE(kept);
	c->files = kept;
	c->files[c->n_files++] = y; /* entries lend from it */
	if (sw_yaml_docs(y) > 1)
		return sw_err(SW_E_INVALID, "%s: found %zu YAML documents, expected one cluster", path,
			      sw_yaml_docs(y));
	struct sw_cluster_cfg *cl = grow(c, 1);
	c->pub.n_clusters++;
	return read_cluster(c, &(struct source){y, path, stem}, cl, sw_yaml_doc(y, 0));
}

struct sw_err read_clusters_dir(struct config *c)
{
	struct dirent **names;
	struct sw_err e = SW_OK;
	if (!*c->pub.clusters_dir)
		return SW_OK;
	const char *dir = beside(c, c->pub.clusters_dir);
	int n = scandir(dir, &names, is_entry, alphasort);
	if (n < 0 && errno != ENOENT) /* none yet is fine: an optional Secret that nobody made */
		e = sw_err(SW_E_IO, "clusters_dir: %s: %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		char *path = sw_asprintf("%s/%s", dir, names[i]->d_name);
		char *stem = sw_asprintf("%.*s", (int)strlen(names[i]->d_name) - 5, names[i]->d_name);
		if (!sw_failed(e))
			e = read_cluster_file(c, path, stem);
		free(path);
		free(stem);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	free((char *)(uintptr_t)dir);
	return e;
}

static void cluster_fini(struct sw_cluster_cfg *cl)
{
	const char *owned[] = {cl->name, cl->provider, cl->worker, cl->kubeconfig, cl->context, cl->region, cl->where};
	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
		free((char *)(uintptr_t)owned[i]);
}

void free_clusters(struct config *c)
{
	for (size_t i = 0; i < c->pub.n_clusters; i++)
		cluster_fini(&c->clusters[i]);
	free(c->clusters);
	for (size_t i = 0; i < c->n_files; i++)
		sw_yaml_free(c->files[i]);
	free(c->files);
}
