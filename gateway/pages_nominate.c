/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages_nominate.c - pages under /spillway/v1/ of a gateway that only nominates
 */
#include <string.h>

#include "gateway_priv.h"
#include "spillway/kinds.h"

static struct sw_err page_clusters(void *owner, json_t *query, json_t **out)
{
	struct sw_gateway *g = owner;
	(void)query;
	*out = page_items(sw_nominate_clusters(g->nominate));
	return SW_OK;
}

static struct sw_err page_queue(void *owner, json_t *query, json_t **out)
{
	struct sw_gateway *g = owner;
	json_t *all = sw_nominate_view(g->nominate), *seen = json_object_new_array();
	for (size_t i = 0; i < sw_json_len(all); i++) {
		json_t *row = sw_json_idx(all, i);
		if (page_may_see(query, sw_json_str(row, "namespace")))
			json_object_array_add(seen, json_object_get(row));
	}
	json_object_put(all);
	*out = page_items(seen);
	return SW_OK;
}

static struct sw_err page_explain(void *owner, json_t *query, json_t **out)
{
	struct sw_gateway *g = owner;
	const char *resource = sw_json_str(query, "resource"), *ns = sw_json_str(query, "namespace"),
		   *name = sw_json_str(query, "name");
	const struct sw_kind *kind = resource ? sw_kind_find(resource) : NULL;
	if (!ns || !name || (!kind && (!resource || strcmp(resource, "pods") != 0)))
		return sw_err(SW_E_INVALID,
			      "explain needs resource (a job kind's, such as jobs.batch, or pods), namespace and name");
	if (!page_may_see(query, ns))
		return sw_err(SW_E_FORBIDDEN, "you may not see namespace %s", ns);
	return sw_nominate_explain(g->nominate, kind ? kind->kind : "Pod", ns, name, out);
}

const struct sw_api_view gateway_nominate_views[] = {
	{.name = "clusters", .get = page_clusters},
	{.name = "nominations", .get = page_queue},
	{.name = "queue", .get = page_queue},
	{.name = "explain", .get = page_explain},
};
const size_t gateway_n_nominate_views = sizeof gateway_nominate_views / sizeof *gateway_nominate_views;
