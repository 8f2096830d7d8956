/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - reads spillway.yaml into an immutable struct sw_config
 *
 * Scalars go through the table in settings.c. What is not a row of it is a section (load_priv.h) or an error that names
 * the nearest known setting. clusters.c reads the clusters.
 */
#include <stdlib.h>
#include <string.h>

#include "load_priv.h"
#include "spillway/text.h"

enum { CONFIG_MAX = 1 << 20, BOOTSTRAP_MAX = 4 << 20 };

static const struct section {
	const char *name;
	struct sw_err (*read)(struct config *c, json_t *value);
	void (*free)(struct config *c);
} sections[] = {
#define X(name) {#name, read_##name, free_##name},
	SECTION_MAP(X)
#undef X
};
enum { N_SECTIONS = sizeof sections / sizeof sections[0] };

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
	const char *names[2 * SETTINGS_MAX + N_SECTIONS];
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
	for (size_t i = 0; i < N_SECTIONS; i++)
		names[n++] = sections[i].name;
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
	for (size_t i = 0; !*prefix && i < N_SECTIONS; i++)
		if (strcmp(key, sections[i].name) == 0)
			return sections[i].read(c, value);
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

const char *beside(const struct config *c, const char *file)
{
	const char *slash = strrchr(c->path, '/');
	if (file[0] == '/' || !slash)
		return sw_strdup(file);
	return sw_asprintf("%.*s/%s", (int)(slash - c->path), c->path, file);
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

struct sw_err read_bootstrap(struct config *c, json_t *list)
{
	char where[512];
	sw_yaml_where(c->yaml, sw_yaml_doc(c->yaml, 0), "bootstrap", where, sizeof where);
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

void free_bootstrap(struct config *c)
{
	json_object_put(c->pub.bootstrap);
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
	if (!sw_failed(e) && *c->pub.manager_kubeconfig) {
		const char *as_written = c->pub.manager_kubeconfig;
		c->pub.manager_kubeconfig = beside(c, as_written);
		free((char *)(uintptr_t)as_written);
	}
	return sw_failed(e) ? e : read_clusters_dir(c);
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
	for (size_t i = 0; i < N_SECTIONS; i++)
		sections[i].free(c);
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
	fprintf(to,
		"\n# Worker clusters. provider: static (nodes as they are) or sim; burst: its pools may grow, "
		"which costs money.\n"
		"clusters: []\n#  - name: onprem\n#    kubeconfig: onprem.kubeconfig\n#    region: cern\n"
		"\n# Secrets and ConfigMaps that jobs of a namespace may have sent along (annotation "
		"spillway.dev/companions).\n"
		"companions: []\n#  - {namespace: team-a, allow: [secret/registry, \"configmap/params-*\"]}\n"
		"\n# Manifests created at start where absent (queues, flavors, namespaces). Paths beside this "
		"file.\nbootstrap: []\n"
		"\n# Queues whose jobs another policy decides: a ClusterQueue or NAMESPACE/LOCALQUEUE, and a .lua file "
		"or a "
		"shipped policy.\npolicies: []\n#  - {queue: interactive, file: soonest}\n"
		"\n# What queues may spend on bought nodes, for policies that read it (fair-spend): USD in a window.\n"
		"budgets: []\n#  - {queue: team, limit: 5000, window: 30d}\n"
		"\n# Kinds of jobs beside the built-in ones, for managers that run Kueue. gateway/kinds/README.md "
		"explains "
		"each field.\nkinds: []\n"
		"#  - {api_version: example.org/v1, kind: TrainingRun, plural: trainingruns, suspend: spec.suspend,\n"
		"#     managed_by: spec.managedBy, pod_sets: [{name: main, template: spec.template, count: "
		"spec.pods}],\n"
		"#     status: {succeeded: Complete, failed: Failed, active: status.active}}\n"
		"\n# Rows that are added to the carried catalog or take a carried row's place; `spillway catalog "
		"check` "
		"reads them. CSV\n# files beside this file, or rows here, with the columns of config/catalog/*.csv.\n"
		"catalog:\n  files: []\n"
		"  gpus: []\n  machines: []  # - {provider: gcp, type: a3-highgpu-8g, region: europe-west4, "
		"price_hour: "
		"70.00, date: 2026-10-01}\n"
		"  prices: []    # - {cluster: onprem, pool: h100, gpu_hour: 1.20, date: 2026-10-01}\n"
		"  egress: []    # - {provider: \"*\", region: cern, to_provider: \"*\", to_region: \"*\", usd_gib: 0, "
		"date: 2026-10-01}\n");
}
