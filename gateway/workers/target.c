/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.c - a pool, as the translation of pod templates needs it: its device, its labels, its taints
 */
#include <stdlib.h>
#include <string.h>

#include "workers_priv.h"

/* Whose labels its nodes carry: what the provider is called, else what the nodes say (a GKE cluster that is only
 * registered, not bought from). */
static const char *cloud_of(const struct sw_worker *w)
{
	static const struct {
		const char *provider, *label;
	} clouds[] = {{"gke", "cloud.google.com/gke-nodepool"}, {"aks", "kubernetes.azure.com/agentpool"}};

	for (size_t i = 0; i < sizeof clouds / sizeof *clouds; i++)
		if (strcmp(w->cfg->provider, clouds[i].provider) == 0)
			return clouds[i].provider;
	for (size_t n = 0; n < w->cap.n; n++)
		for (size_t i = 0; i < sizeof clouds / sizeof *clouds; i++)
			if (w->cap.rows[n]->labels && sw_json_key(w->cap.rows[n]->labels, clouds[i].label))
				return clouds[i].provider;
	return NULL;
}

/* Without a label of its own: would pods for this pool run on nodes with another device? Those that count another
 * resource do not take them. */
static struct sw_err check_strays(struct sw_worker *w, const struct sw_pool *pool, const char *resource)
{
	const struct sw_node *nodes;
	size_t n = sw_worker_nodes(w, &nodes);

	for (size_t i = 0; *pool->model && i < n; i++) {
		const struct sw_node *other = &nodes[i];

		if (!*other->model || strcmp(other->model, pool->model) == 0)
			continue;
		if (resource && other->gpu_resource && strcmp(resource, other->gpu_resource) != 0)
			continue;
		return sw_err(SW_E_INVALID,
			      "cluster %s: no node label tells pool %s from the nodes with %s, so a job could start on "
			      "the wrong GPU; label its nodes spillway.dev/gpu=%s",
			      w->cfg->name, pool->name, other->model, pool->model);
	}
	return SW_OK;
}

struct sw_err sw_worker_target(struct sw_worker *w, const char *pool_name, struct sw_target *out)
{
	const struct sw_pool *pool = sw_worker_pool(w, pool_name);

	*out = (struct sw_target){0};
	if (!pool)
		return sw_err(SW_E_MISSING, "cluster %s has no pool \"%s\"", w->cfg->name, pool_name);
	const struct sw_gpu *gpu = *pool->model ? sw_catalog_gpu(w->ws->opt.catalog, pool->model) : NULL;
	const char *resource = pool->gpu_resource ? pool->gpu_resource : gpu ? gpu->resource : NULL;

	if (!pool->label_key) {
		struct sw_err e = check_strays(w, pool, resource);

		if (sw_failed(e))
			return e;
	}
	*out = (struct sw_target){.gpu = gpu,
				  .gpu_resource = pool->gpu_resource,
				  .burst_taint = pool->taint,
				  .provider = cloud_of(w),
				  .spot = pool->spot ? SW_SPOT_REQUIRE : SW_SPOT_NEVER};
	if (pool->label_key) {
		out->labels = json_object_new_object();
		json_object_object_add(out->labels, pool->label_key, json_object_new_string(pool->label_value));
		if (!pool->spot)
			out->provider = NULL; /* its label keeps pods off other pools' spot nodes */
	}
	if (pool->topology) {
		out->labels = out->labels ? out->labels : json_object_new_object();
		json_object_object_add(out->labels, LABEL_TPU_TOPOLOGY, json_object_new_string(pool->topology));
	}
	return SW_OK;
}

void sw_target_fini(struct sw_target *to)
{
	json_object_put(to->labels);
	*to = (struct sw_target){0};
}
