/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages_nominate.c - pages under /spillway/v1/ of a gateway that only nominates
 */
#include "gateway_priv.h"

static json_t *items(json_t *list_taken)
{
	json_t *o = json_object_new_object();
	json_object_object_add(o, "items", list_taken);
	return o;
}

static struct sw_err page_clusters(void *owner, json_t *query, json_t **out)
{
	struct sw_gateway *g = owner;
	(void)query;
	*out = items(sw_nominate_clusters(g->nominate));
	return SW_OK;
}

static struct sw_err page_queue(void *owner, json_t *query, json_t **out)
{
	struct sw_gateway *g = owner;
	(void)query;
	*out = items(sw_nominate_view(g->nominate));
	return SW_OK;
}

const struct sw_api_view gateway_nominate_views[] = {
	{.name = "clusters", .get = page_clusters},
	{.name = "nominations", .get = page_queue},
};
const size_t gateway_n_nominate_views = sizeof gateway_nominate_views / sizeof *gateway_nominate_views;
