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

static struct sw_err check_cluster(const struct sw_cluster_cfg *cl)
{
	if (!cl->name || !sw_is_dns_label(cl->name))
		return sw_err(SW_E_INVALID,
			      "%s: name: found \"%s\", expected lower-case letters, digits and '-' (at most 63)",
			      cl->where, cl->name ? cl->name : "");
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

static struct sw_err check_twice(const struct config *c, const struct sw_cluster_cfg *cl)
{
	for (const struct sw_cluster_cfg *other = c->clusters; other < cl; other++)
		if (strcmp(other->name, cl->name) == 0)
			return sw_err(SW_E_INVALID, "%s: a second cluster named \"%s\" (the first is at %s)", cl->where,
				      cl->name, other->where);
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

static struct sw_err read_cluster(const struct source *f, struct sw_cluster_cfg *cl, json_t *map)
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
	struct sw_err e = check_cluster(cl);
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
		struct sw_err e = read_cluster(&f, &c->clusters[i], sw_json_idx(list, i));
		if (!sw_failed(e))
			e = check_twice(c, &c->clusters[i]);
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

/* The YAML of a file with one cluster. gives. */
static struct sw_err load_file(const char *path, struct sw_yaml **out)
{
	char *text;
	size_t len;
	struct sw_err e = sw_file_read(path, CLUSTER_FILE_MAX, &text, &len);
	*out = NULL;
	if (sw_failed(e))
		return e;
	e = sw_yaml_parse(path, text, len, out);
	free(text);
	if (!sw_failed(e) && sw_yaml_docs(*out) > 1)
		e = sw_err(SW_E_INVALID, "%s: found %zu YAML documents, expected one cluster", path,
			   sw_yaml_docs(*out));
	return e;
}

static char *stem_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	return sw_asprintf("%.*s", (int)(strlen(name) - strlen(".yaml")), name);
}

static struct sw_err read_cluster_file(struct config *c, const char *path)
{
	struct sw_yaml *y;
	struct sw_err e = load_file(path, &y);
	if (y) {
		struct sw_yaml **kept = realloc(c->files, (c->n_files + 1) * sizeof *kept);
		SW_REQUIRE(kept);
		c->files = kept;
		c->files[c->n_files++] = y; /* entries lend from it */
	}
	if (sw_failed(e))
		return e;
	char *stem = stem_of(path);
	struct sw_cluster_cfg *cl = grow(c, 1);
	c->pub.n_clusters++;
	e = read_cluster(&(struct source){y, path, stem}, cl, sw_yaml_doc(y, 0));
	free(stem);
	return sw_failed(e) ? e : check_twice(c, cl);
}

char *sw_clusters_dir_path(const struct sw_config *pub)
{
	return *pub->clusters_dir ? (char *)(uintptr_t)beside((const struct config *)pub, pub->clusters_dir) : NULL;
}

struct sw_err sw_clusters_dir(const struct sw_config *pub, char ***out)
{
	char *dir = sw_clusters_dir_path(pub);
	struct dirent **names;
	struct sw_err e = SW_OK;
	*out = sw_calloc(1, sizeof **out);
	if (!dir)
		return SW_OK;
	int n = scandir(dir, &names, is_entry, alphasort);
	if (n < 0 && errno != ENOENT) /* none yet is fine: an optional Secret that nobody made */
		e = sw_err(SW_E_IO, "clusters_dir: %s: %s", dir, strerror(errno));
	if (n > 0) {
		free(*out);
		*out = sw_calloc((size_t)n + 1, sizeof **out);
	}
	for (int i = 0; i < n; i++) {
		(*out)[i] = sw_asprintf("%s/%s", dir, names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	free(dir);
	return e;
}

struct sw_err read_clusters_dir(struct config *c)
{
	char **files;
	struct sw_err e = sw_clusters_dir(&c->pub, &files);
	for (size_t i = 0; files[i]; i++) {
		if (!sw_failed(e))
			e = read_cluster_file(c, files[i]);
		free(files[i]);
	}
	free(files);
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

/* ---- one by itself ------------------------------------------------------------------------- */

struct lone {
	struct sw_cluster_cfg cl; /* first: what callers hold */
	struct sw_yaml *yaml;
	struct sw_cluster_text text;
};

struct sw_err sw_cluster_read(const char *path, struct sw_cluster_cfg **out)
{
	struct lone *l = sw_calloc(1, sizeof *l);
	struct sw_err e = load_file(path, &l->yaml);
	*out = NULL;
	if (!sw_failed(e)) {
		char *stem = stem_of(path);
		e = read_cluster(&(struct source){l->yaml, path, stem}, &l->cl, sw_yaml_doc(l->yaml, 0));
		free(stem);
	}
	if (sw_failed(e))
		sw_cluster_free(&l->cl);
	else
		*out = &l->cl;
	return e;
}

struct sw_cluster_cfg *sw_cluster_of_text(const char *name, const char *where, const char *text, size_t len)
{
	struct lone *l = sw_calloc(1, sizeof *l);
	l->cl = (struct sw_cluster_cfg){.name = sw_strdup(name),
					.provider = sw_strdup("static"),
					.worker = sw_strdup("kueue"),
					.kubeconfig = sw_strdup(where),
					.region = sw_strdup(""),
					.where = sw_strdup(where),
					.text = &l->text};
	sw_cluster_retext(&l->cl, text, len);
	return &l->cl;
}

void sw_cluster_retext(struct sw_cluster_cfg *cl, const char *text, size_t len)
{
	struct sw_cluster_text *t = &((struct lone *)cl)->text;
	free(t->at);
	t->at = sw_calloc(1, len + 1);
	memcpy(t->at, text, len);
	t->len = len;
	t->version++;
}

void sw_cluster_free(struct sw_cluster_cfg *cl)
{
	struct lone *l = (struct lone *)cl;
	if (!l)
		return;
	cluster_fini(&l->cl);
	sw_yaml_free(l->yaml);
	free(l->text.at);
	free(l);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool sw_cluster_same(const struct sw_cluster_cfg *a, const struct sw_cluster_cfg *b)
{
	return same_text(a->name, b->name) && same_text(a->provider, b->provider) && same_text(a->worker, b->worker) &&
	       same_text(a->kubeconfig, b->kubeconfig) && same_text(a->context, b->context) &&
	       same_text(a->region, b->region) && a->burst == b->burst && json_object_equal(a->options, b->options);
}
