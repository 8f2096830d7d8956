/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clusters.c - the section `clusters:` of spillway.yaml
 */
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

struct sw_err read_clusters(struct config *c, json_t *list)
{
	char where[512];
	if (!json_object_is_type(list, json_type_array))
		return sw_err(SW_E_INVALID, "%s: clusters: expected a list",
			      sw_yaml_where(c->yaml, sw_yaml_doc(c->yaml, 0), "clusters", where, sizeof where));
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
}
