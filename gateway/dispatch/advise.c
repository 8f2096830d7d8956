/* SPDX-License-Identifier: Apache-2.0 */
/*
 * advise.c - what the policy says of nodes: how many are bought, when one is given back
 *
 * Burst asks through these two, and keeps its own limits whatever they answer. A policy that fails buys nothing (or,
 * with policy.on_error: default-policy, what is wanted) and gives back when the setting says.
 */
#include "dispatch_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "spillway/text.h"

static struct sw_policy_pool pool_of(const struct sw_dispatch *d, const struct sw_burst_ask *ask)
{
	const struct sw_pool *p = ask->pool;
	struct sw_worker *w = sw_workers_find(d->workers, ask->cluster);
	int64_t age = sw_loop_wall(d->opt.loop) - p->priced_at_ms;
	bool stale = p->priced_at_ms <= 0 || age > d->opt.config->price_max_age_ms;
	return (struct sw_policy_pool){.cluster = ask->cluster,
				       .pool = p->name,
				       .provider = w ? sw_worker_cfg(w)->provider : "",
				       .region = p->region,
				       .zone = p->zone,
				       .model = p->model,
				       .machine = p->machine,
				       .gpu = p->model && *p->model ? sw_catalog_gpu(d->opt.catalog, p->model) : NULL,
				       .gpus_per_node = p->gpus,
				       .nodes = p->size,
				       .nodes_min = p->min,
				       .nodes_max = p->max,
				       .in_flight = ask->in_flight,
				       .quota_left = p->quota_left,
				       .price_hour = stale ? NAN : p->price_hour,
				       .price_age_ms = age > 0 ? age : 0,
				       .spot = p->spot,
				       .stockout_until_ms = 0};
}

/* Said once for as long as it is the same. */
static void failed(struct sw_dispatch *d, const char *what, struct sw_err e)
{
	uint64_t h = sw_hash(e.text, strlen(e.text));
	sw_metric_add(d->m_policy, 1, "failed");
	if (h == d->advice_said)
		return;
	d->advice_said = h;
	sw_log(WARN, "dispatch", "the policy failed", "function=%s error=\"%s\"", what, e.text);
}

int advise_grow(void *owner, const struct sw_burst_ask *ask, char why[SW_BURST_WHY])
{
	struct sw_dispatch *d = owner;
	struct sw_policy_grow out;
	struct sw_policy_pool pool = pool_of(d, ask);
	struct sw_policy_need need = {.nodes = ask->nodes,
				      .workloads = ask->workloads,
				      .committed_hour = ask->committed_hour,
				      .max_hour = d->opt.config->max_price_hour,
				      .now_ms = sw_loop_wall(d->opt.loop)};
	why[0] = '\0';
	if (!(sw_policy_has(d->opt.policy) & SW_POLICY_HAS_GROW))
		return ask->nodes;
	struct sw_err e = sw_policy_grow(d->opt.policy, &pool, &need, &out);
	if (sw_failed(e)) {
		failed(d, "grow", e);
		snprintf(why, SW_BURST_WHY, "policy failed: %.140s", e.text);
		return d->opt.fallback ? ask->nodes : 0;
	}
	snprintf(why, SW_BURST_WHY, "the policy allows %d of %d node%s%s%.100s", out.nodes, ask->nodes,
		 ask->nodes == 1 ? "" : "s", *out.reason ? ": " : "", out.reason);
	return out.nodes;
}

int64_t advise_release(void *owner, const struct sw_burst_ask *ask, const char *node, int64_t idle_ms, int64_t after_ms)
{
	struct sw_dispatch *d = owner;
	struct sw_policy_release out;
	struct sw_policy_pool pool = pool_of(d, ask);
	struct sw_policy_node n = {
		.name = node, .idle_ms = idle_ms, .after_ms = after_ms, .now_ms = sw_loop_wall(d->opt.loop)};
	if (!(sw_policy_has(d->opt.policy) & SW_POLICY_HAS_RELEASE))
		return after_ms;
	struct sw_err e = sw_policy_release(d->opt.policy, &pool, &n, &out);
	if (sw_failed(e))
		failed(d, "release", e);
	return out.keep ? -1 : out.after_ms;
}
