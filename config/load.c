/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - reads spillway.yaml into an immutable struct sw_config
 *
 * Scalars go through the table in settings.c. What is not a row of it is one of the two lists
 * (clusters, bootstrap) or an error that names the nearest known setting.
 */
#include <stdlib.h>
#include <string.h>

#include "settings.h"
#include "spillway/provider.h"
#include "spillway/text.h"
#include "spillway/yaml.h"

enum { CONFIG_MAX = 1 << 20, BOOTSTRAP_MAX = 4 << 20, SETTINGS_MAX = 64 };

/* The public struct first: a struct sw_config * is a struct config *. */
struct config {
	struct sw_config pub;
	struct sw_yaml *yaml;
	struct sw_cluster_cfg *clusters;
	char *origins[SETTINGS_MAX]; /* "file:line:column" of each row, NULL: default */
	char *path;
};

/* ---- scalars ----------------------------------------------------------------------- */

static struct sw_err set_default(struct config *c, const struct setting *row)
{
	json_t *v = row->type == SETTING_WHOLE || row->type == SETTING_MONEY
			    ? json_object_new_double(strtod(row->def, NULL))
			    : json_object_new_string(row->def);
	if (row->type == SETTING_WHOLE) {
		json_object_put(v);
		v = json_object_new_int64(strtoll(row->def, NULL, 10));
	}
	struct sw_err e = sw_setting_set(&c->pub, row, v, "default");
	json_object_put(v);
	return e;
}

static const struct setting *find_row(const char *path)
{
	for (size_t i = 0; i < sw_n_settings; i++)
		if (strcmp(sw_settings[i].path, path) == 0)
			return &sw_settings[i];
	return NULL;
}

static bool is_group(const char *path)
{
	size_t n = strlen(path);
	for (size_t i = 0; i < sw_n_settings; i++)
		if (strncmp(sw_settings[i].path, path, n) == 0 && sw_settings[i].path[n] == '.')
			return true;
	return false;
}

static struct sw_err unknown_setting(const char *where, const char *path)
{
	const char *names[2 * SETTINGS_MAX + 2];
	char groups[SETTINGS_MAX][32]; /* a misspelt group is near to a group */
	int n = 0;
	for (size_t i = 0; i < sw_n_settings; i++) {
		const char *dot = strchr(sw_settings[i].path, '.');
		names[n++] = sw_settings[i].path;
		if (!dot)
			continue;
		snprintf(groups[i], sizeof groups[i], "%.*s", (int)(dot - sw_settings[i].path), sw_settings[i].path);
		names[n++] = groups[i];
	}
	names[n++] = "clusters";
	names[n++] = "bootstrap";
	const char *near = sw_nearest(path, names, n);
	return sw_err(SW_E_INVALID, "%s: there is no setting \"%s\"%s%s%s; `spillway config print` lists them", where,
		      path, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static struct sw_err read_group(struct config *c, json_t *map, const char *prefix);

static struct sw_err read_entry(struct config *c, json_t *map, const char *prefix, const char *key, json_t *value)
{
	char path[128], where[512];
	snprintf(path, sizeof path, "%s%s%.60s", prefix, *prefix ? "." : "", key);
	sw_yaml_where(c->yaml, map, key, where, sizeof where);
	if (!*prefix && (strcmp(key, "clusters") == 0 || strcmp(key, "bootstrap") == 0))
		return SW_OK; /* read on their own */
	const struct setting *row = find_row(path);
	if (row) {
		free(c->origins[row - sw_settings]);
		c->origins[row - sw_settings] = sw_strdup(where);
		return sw_setting_set(&c->pub, row, value, where);
	}
	if (!is_group(path))
		return unknown_setting(where, path);
	if (!json_object_is_type(value, json_type_object))
		return sw_err(SW_E_INVALID, "%s: %s: expected a map of settings", where, path);
	return read_group(c, value, path);
}

static struct sw_err read_group(struct config *c, json_t *map, const char *prefix)
{
	json_object_object_foreach(map, key, value)
	{
		struct sw_err e = read_entry(c, map, prefix, key, value);
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

/* ---- clusters ------------------------------------------------------------------------ */

static const char *beside(const struct config *c, const char *file)
{
	const char *slash = strrchr(c->path, '/');
	if (file[0] == '/' || !slash)
		return sw_strdup(file);
	return sw_asprintf("%.*s/%s", (int)(slash - c->path), c->path, file);
}

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

static struct sw_err cluster_text(struct config *c, json_t *map, const char *key, json_t *value, const char **out)
{
	char where[512];
	if (!json_object_is_type(value, json_type_string))
		return sw_err(SW_E_INVALID, "%s: %s: found %.60s, expected text",
			      sw_yaml_where(c->yaml, map, key, where, sizeof where), key,
			      json_object_to_json_string(value));
	free((char *)(uintptr_t)*out);
	*out = sw_strdup(json_object_get_string(value));
	return SW_OK;
}

static struct sw_err cluster_entry(struct config *c, struct sw_cluster_cfg *cl, json_t *map, const char *key,
				   json_t *value)
{
	char where[512];
	const char **texts[] = {&cl->name, &cl->provider, &cl->worker, &cl->kubeconfig, &cl->context, &cl->region};
	sw_yaml_where(c->yaml, map, key, where, sizeof where);
	for (int i = KEY_NAME; i <= KEY_REGION; i++)
		if (strcmp(key, cluster_keys[i]) == 0)
			return cluster_text(c, map, key, value, texts[i]);
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

static struct sw_err check_cluster(const struct config *c, const struct sw_cluster_cfg *cl)
{
	int n;
	const char *const *providers = sw_provider_names(&n);
	if (!cl->name || !sw_is_dns_label(cl->name))
		return sw_err(SW_E_INVALID,
			      "%s: name: found \"%s\", expected lower-case letters, digits and '-' (at most 63)",
			      cl->where, cl->name ? cl->name : "");
	for (const struct sw_cluster_cfg *other = c->clusters; other < cl; other++)
		if (strcmp(other->name, cl->name) == 0)
			return sw_err(SW_E_INVALID, "%s: a second cluster named \"%s\" (the first is at %s)", cl->where,
				      cl->name, other->where);
	if (!sw_provider_find(cl->provider)) {
		char known[128] = "";
		for (int i = 0; i < n; i++)
			snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s",
				 !i          ? ""
				 : i + 1 < n ? ", "
					     : " or ",
				 providers[i]);
		const char *near = sw_nearest(cl->provider, providers, n);
		return sw_err(SW_E_INVALID, "%s: cluster %s: there is no provider \"%s\", expected %s%s%s%s", cl->where,
			      cl->name, cl->provider, known, near ? "; did you mean \"" : "", near ? near : "",
			      near ? "\"?" : "");
	}
	if (strcmp(cl->worker, "plain") != 0 && strcmp(cl->worker, "kueue") != 0)
		return sw_err(SW_E_INVALID, "%s: cluster %s: worker: found \"%s\", expected plain or kueue", cl->where,
			      cl->name, cl->worker);
	if (!cl->kubeconfig)
		return sw_err(SW_E_INVALID,
			      "%s: cluster %s: kubeconfig is missing, expected the path of a kubeconfig file",
			      cl->where, cl->name);
	return SW_OK;
}

static struct sw_err read_cluster(struct config *c, struct sw_cluster_cfg *cl, json_t *map)
{
	char where[512];
	cl->where = sw_strdup(sw_yaml_where(c->yaml, map, NULL, where, sizeof where));
	cl->provider = sw_strdup("static");
	cl->worker = sw_strdup("plain");
	cl->region = sw_strdup("");
	if (!json_object_is_type(map, json_type_object))
		return sw_err(SW_E_INVALID, "%s: clusters: expected a list of maps, each with name and kubeconfig",
			      where);
	json_object_object_foreach(map, key, value)
	{
		struct sw_err e = cluster_entry(c, cl, map, key, value);
		if (sw_failed(e))
			return e;
	}
	struct sw_err e = check_cluster(c, cl);
	if (sw_failed(e))
		return e;
	const char *path = beside(c, cl->kubeconfig);
	free((char *)(uintptr_t)cl->kubeconfig);
	cl->kubeconfig = path;
	return SW_OK;
}

static struct sw_err read_clusters(struct config *c, json_t *root)
{
	char where[512];
	json_t *list = sw_json_key(root, "clusters");
	if (!list)
		return SW_OK;
	if (!json_object_is_type(list, json_type_array))
		return sw_err(SW_E_INVALID, "%s: clusters: expected a list",
			      sw_yaml_where(c->yaml, root, "clusters", where, sizeof where));
	c->clusters = sw_calloc(sw_json_len(list) + 1, sizeof *c->clusters);
	c->pub.clusters = c->clusters;
	for (size_t i = 0; i < sw_json_len(list); i++) {
		c->pub.n_clusters = i + 1; /* counted first, so that a half-read one is freed */
		struct sw_err e = read_cluster(c, &c->clusters[i], sw_json_idx(list, i));
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

/* ---- bootstrap manifests ---------------------------------------------------------------- */

static struct sw_err read_manifest(struct config *c, const char *file)
{
	char *text;
	size_t len;
	struct sw_yaml *y;
	char *path = (char *)(uintptr_t)beside(c, file);
	struct sw_err e = sw_file_read(path, BOOTSTRAP_MAX, &text, &len);
	if (!sw_failed(e)) {
		e = sw_yaml_parse(path, text, len, &y);
		free(text);
		for (size_t i = 0; !sw_failed(e) && i < sw_yaml_docs(y); i++)
			json_object_array_add(c->pub.bootstrap, json_object_get(sw_yaml_doc(y, i)));
		if (!sw_failed(e))
			sw_yaml_free(y);
	}
	free(path);
	return e;
}

static struct sw_err read_bootstrap(struct config *c, json_t *root)
{
	char where[512];
	json_t *list = sw_json_key(root, "bootstrap");
	if (!list)
		return SW_OK;
	sw_yaml_where(c->yaml, root, "bootstrap", where, sizeof where);
	if (!json_object_is_type(list, json_type_array))
		return sw_err(SW_E_INVALID, "%s: bootstrap: expected a list of manifest files", where);
	c->pub.bootstrap = json_object_new_array();
	for (size_t i = 0; i < sw_json_len(list); i++) {
		const char *file = json_object_get_string(sw_json_idx(list, i));
		struct sw_err e = file ? read_manifest(c, file) : sw_err(SW_E_INVALID, "expected a file name");
		if (sw_failed(e))
			return sw_err_wrap(e, "%s: bootstrap", where);
	}
	return SW_OK;
}

/* ---- the file ------------------------------------------------------------------------------ */

static struct sw_err read_all(struct config *c)
{
	json_t *root = sw_yaml_doc(c->yaml, 0);
	for (size_t i = 0; i < sw_n_settings; i++) {
		struct sw_err e = set_default(c, &sw_settings[i]);
		if (sw_failed(e))
			return e;
	}
	if (!root)
		return SW_OK;
	if (sw_yaml_docs(c->yaml) > 1)
		return sw_err(SW_E_INVALID, "%s: found %zu YAML documents, expected one", c->path,
			      sw_yaml_docs(c->yaml));
	if (!json_object_is_type(root, json_type_object))
		return sw_err(SW_E_INVALID, "%s:1:1: expected a map of settings", c->path);
	struct sw_err e = read_group(c, root, "");
	if (!sw_failed(e))
		e = read_clusters(c, root);
	if (!sw_failed(e))
		e = read_bootstrap(c, root);
	return e;
}

struct sw_err sw_config_parse(const char *name, const char *text, size_t len, struct sw_config **out)
{
	*out = NULL;
	SW_REQUIRE(sw_n_settings <= SETTINGS_MAX);
	struct config *c = sw_calloc(1, sizeof *c);
	c->path = sw_strdup(name);
	c->pub.path = c->path;
	struct sw_err e = sw_yaml_parse(name, text, len, &c->yaml);
	if (!sw_failed(e))
		e = read_all(c);
	if (sw_failed(e)) {
		sw_config_free(&c->pub);
		return e;
	}
	*out = &c->pub;
	return SW_OK;
}

struct sw_err sw_config_load(const char *path, struct sw_config **out)
{
	char *text;
	size_t len;
	*out = NULL;
	struct sw_err e = sw_file_read(path, CONFIG_MAX, &text, &len);
	if (sw_failed(e))
		return e;
	e = sw_config_parse(path, text, len, out);
	free(text);
	return e;
}

static void cluster_fini(struct sw_cluster_cfg *cl)
{
	const char *owned[] = {cl->name, cl->provider, cl->worker, cl->kubeconfig, cl->context, cl->region, cl->where};
	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
		free((char *)(uintptr_t)owned[i]);
}

void sw_config_free(struct sw_config *pub)
{
	struct config *c = (struct config *)pub;
	if (!c)
		return;
	for (size_t i = 0; i < sw_n_settings; i++) {
		free(c->origins[i]);
		if (sw_settings[i].type == SETTING_TEXT)
			free(*(char **)((char *)pub + sw_settings[i].offset));
	}
	for (size_t i = 0; i < pub->n_clusters; i++)
		cluster_fini(&c->clusters[i]);
	free(c->clusters);
	json_object_put(pub->bootstrap);
	sw_yaml_free(c->yaml);
	free(c->path);
	free(c);
}

/* ---- showing ---------------------------------------------------------------------------------- */

static void print_json(const struct config *c, FILE *to)
{
	char buf[4200];
	json_t *o = json_object_new_object(), *list = json_object_new_array();
	for (size_t i = 0; i < sw_n_settings; i++) {
		json_t *row = json_object_new_object();
		json_object_object_add(row, "setting", json_object_new_string(sw_settings[i].path));
		json_object_object_add(
			row, "value",
			json_object_new_string(sw_setting_text(&c->pub, &sw_settings[i], buf, sizeof buf)));
		json_object_object_add(row, "origin",
				       json_object_new_string(c->origins[i] ? c->origins[i] : "default"));
		json_object_array_add(list, row);
	}
	json_object_object_add(o, "settings", list);
	list = json_object_new_array();
	for (size_t i = 0; i < c->pub.n_clusters; i++) {
		const struct sw_cluster_cfg *cl = &c->pub.clusters[i];
		json_t *row = json_object_new_object();
		json_object_object_add(row, "name", json_object_new_string(cl->name));
		json_object_object_add(row, "provider", json_object_new_string(cl->provider));
		json_object_object_add(row, "kubeconfig", json_object_new_string(cl->kubeconfig));
		json_object_object_add(row, "burst", json_object_new_boolean(cl->burst));
		json_object_object_add(row, "origin", json_object_new_string(cl->where));
		json_object_array_add(list, row);
	}
	json_object_object_add(o, "clusters", list);
	fprintf(to, "%s\n",
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

void sw_config_print(const struct sw_config *pub, FILE *to, bool json)
{
	const struct config *c = (const struct config *)pub;
	char buf[4200];
	if (json) {
		print_json(c, to);
		return;
	}
	fprintf(to, "%-30s %-28s %s\n", "SETTING", "VALUE", "ORIGIN");
	for (size_t i = 0; i < sw_n_settings; i++) {
		const char *v = sw_setting_text(pub, &sw_settings[i], buf, sizeof buf);
		fprintf(to, "%-30s %-28s %s\n", sw_settings[i].path, *v ? v : "\"\"",
			c->origins[i] ? c->origins[i] : "default");
	}
	for (size_t i = 0; i < pub->n_clusters; i++)
		fprintf(to, "%-30s %-28s %s\n", "cluster", pub->clusters[i].name, pub->clusters[i].where);
}

/* Groups the dotted paths under their first word, as YAML wants them. */
void sw_config_example(FILE *to)
{
	const char *group = "";
	size_t group_len = 0;
	fprintf(to, "# spillway.yaml: every setting with its default. Made by `spillway config print --example`.\n");
	for (size_t i = 0; i < sw_n_settings; i++) {
		const struct setting *row = &sw_settings[i];
		const char *dot = strchr(row->path, '.');
		size_t n = dot ? (size_t)(dot - row->path) : 0;
		if (dot && (n != group_len || strncmp(group, row->path, n) != 0))
			fprintf(to, "\n%.*s:\n", (int)n, row->path);
		group = row->path;
		group_len = n;
		fprintf(to, "%s# %s\n%s%s: %s\n", dot ? "  " : "\n", row->help, dot ? "  " : "",
			dot ? dot + 1 : row->path, *row->def ? row->def : "\"\"");
	}
	fprintf(to, "\n# Worker clusters. provider: static (nodes as they are) or sim; burst: its pools may grow, "
		    "which costs money.\n"
		    "clusters: []\n#  - name: onprem\n#    kubeconfig: onprem.kubeconfig\n#    region: cern\n"
		    "\n# Manifests created at start where absent (queues, flavors, namespaces). Paths beside this "
		    "file.\nbootstrap: []\n");
}
