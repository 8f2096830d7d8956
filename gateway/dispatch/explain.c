/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain.c - what the command line shows: one workload's plan and candidates, the clusters, the pools
 */
#include "dispatch_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

static void set_price(json_t *o, const char *key, double v)
{
	json_object_object_add(o, key, isfinite(v) ? json_object_new_double(v) : NULL);
}

static void set_time(json_t *o, const char *key, int64_t ms)
{
	char text[32];
	if (ms > 0)
		sw_json_set_str(o, key, sw_time_text(ms, text));
}

/* ---- one workload ------------------------------------------------------------------ */

static json_t *steps_json(const struct plan *p, bool placed)
{
	json_t *steps = json_object_new_array();
	for (size_t i = 0; i < p->n; i++) {
		json_t *step = json_object_new_object(), *places = json_object_new_array();
		for (size_t k = 0; k < p->step[i].n; k++) {
			json_t *place = json_object_new_object();
			sw_json_set_str(place, "cluster", plan_text(p, p->step[i].place[k].cluster));
			sw_json_set_str(place, "pool", plan_text(p, p->step[i].place[k].pool));
			json_object_array_add(places, place);
		}
		sw_json_set_int(step, "step", (int64_t)i + 1);
		sw_json_set_int(step, "patienceSeconds", p->step[i].patience_ms / 1000);
		json_object_object_add(step, "candidates", places);
		sw_json_set_str(step, "state", i < p->at ? "passed" : i > p->at ? "later" : placed ? "placed" : "now");
		if (i == p->at && !placed)
			set_time(step, "until", p->until_ms);
		json_object_array_add(steps, step);
	}
	return steps;
}

static json_t *option_json(const struct option *o, const struct scene *s)
{
	const struct sw_candidate *c = &o->c;
	json_t *j = json_object_new_object();
	bool here = s->row->cluster && strcmp(s->row->cluster, c->cluster) == 0 && strcmp(s->pool, c->pool) == 0;
	sw_json_set_str(j, "cluster", c->cluster);
	sw_json_set_str(j, "pool", c->pool);
	sw_json_set_str(j, "region", c->region);
	sw_json_set_str(j, "gpu", c->model);
	sw_json_set_str(j, "verdict", here ? "chosen" : verdict_name(o->verdict));
	sw_json_set_str(j, "why", here ? "the job is placed here" : o->why);
	set_price(j, "priceHour", c->price_hour);
	if (isfinite(c->price_hour))
		sw_json_set_int(j, "priceAgeSeconds", c->price_age_ms / 1000);
	sw_json_set_int(j, "free", c->free);
	sw_json_set_int(j, "total", c->total);
	sw_json_set_int(j, "nodesNeeded", c->nodes_needed);
	sw_json_set_int(j, "queueDepth", c->queue_depth);
	sw_json_set_bool(j, "spot", c->spot);
	sw_json_set_bool(j, "growable", c->growable);
	if (c->expected_start_ms >= 0)
		sw_json_set_int(j, "expectedStartSeconds", c->expected_start_ms / 1000);
	set_time(j, "stockoutUntil", c->stockout_until_ms);
	return j;
}

static json_t *options_json(struct sw_dispatch *d, struct work *wk, const struct scene *s)
{
	json_t *list = json_object_new_array();
	struct options o;
	options_read(d, wk, s->row, &o);
	for (size_t i = 0; i < o.n; i++)
		json_object_array_add(list, option_json(&o.at[i], s));
	options_free(&o);
	return list;
}

/* ---- a job that dispatch has not at hand is read for the purpose; the answer is kept for a few seconds */

void asked_free(struct sw_dispatch *d)
{
	struct asked *a = &d->asked;
	free(a->demand);
	json_object_put(a->job);
	free(a->key);
	*a = (struct asked){ .busy = a->busy };
}

static void on_asked(void *owner, struct sw_err err, json_t *job, json_t *workload)
{
	struct sw_dispatch *d = owner;
	struct asked *a = &d->asked;
	const struct sw_workload *row = a->key ? row_of(d, a->key) : NULL;
	(void)workload;
	a->busy = false;
	a->read_ms = sw_loop_now(d->opt.loop);
	if (sw_failed(err) || !job || !row)
		return;
	a->job = sw_json_copy(job);
	a->demand = sw_calloc(1, sizeof *a->demand);
	if (sw_failed(sw_demand_read(row->kind, a->job, d->opt.catalog, a->demand))) {
		free(a->demand);
		a->demand = NULL;
	}
}

/* NULL: not known yet. */
static struct work *asker(struct sw_dispatch *d, const char *key, struct work *scratch)
{
	struct asked *a = &d->asked;
	struct work *wk = work_find(d, key);
	if (wk && wk->demand)
		return wk;
	bool mine = a->key && strcmp(a->key, key) == 0 && (a->busy || sw_loop_now(d->opt.loop) < a->read_ms + JOB_FRESH_MS);
	if (mine && a->demand) {
		*scratch = (struct work){ .d = d, .key = a->key, .job = a->job, .demand = a->demand };
		return scratch;
	}
	if (mine || a->busy)
		return NULL;
	asked_free(d);
	a->key = sw_strdup(key);
	a->busy = true;
	if (sw_failed(d->m->ops->read(d->m, key, on_asked, d)))
		a->busy = false;
	return NULL;
}

json_t *sw_dispatch_explain(struct sw_dispatch *d, const char *key)
{
	struct scene s;
	struct work scratch, *wk = work_find(d, key);
	const char *why;
	char sentence[PLAN_SENTENCE];
	if (!row_of(d, key) || !d->workers)
		return NULL;
	scene_read(d, wk, key, &s);
	enum step step = sw_step(&s.v, &why);
	const struct sw_workload *row = s.row;
	json_t *o = json_object_new_object();
	plan_sentence(row->message, sentence);
	if (!s.plan.n && !s.plan.win_cluster)
		plan_decode(&s.plan, row->message);
	sw_json_set_str(o, "workload", key);
	sw_json_set_str(o, "kind", row->kind->kind);
	sw_json_set_str(o, "namespace", row->ns);
	sw_json_set_str(o, "name", row->job_name);
	sw_json_set_str(o, "queue", row->queue);
	sw_json_set_int(o, "attempt", row->attempt);
	sw_json_set_str(o, "cluster", row->cluster ? row->cluster : "");
	sw_json_set_str(o, "pool", row->cluster ? s.pool : "");
	sw_json_set_bool(o, "quotaReserved", row->reserved);
	sw_json_set_bool(o, "finished", row->finished);
	sw_json_set_str(o, "message", sentence);
	sw_json_set_str(o, "rule", why);
	sw_json_set_str(o, "next", sw_step_name(step));
	sw_json_set_str(o, "policy", sw_policy_name(d->opt.policy));
	json_object_object_add(o, "plan", steps_json(&s.plan, row->cluster != NULL));
	struct work *from = asker(d, key, &scratch);
	sw_json_set_bool(o, "complete", from != NULL);
	json_object_object_add(o, "candidates", from ? options_json(d, from, &s) : json_object_new_array());
	return o;
}

/* ---- clusters and pools ---------------------------------------------------------------- */

static const char *claim_word(enum sw_claim c)
{
	static const char *const words[] = { [SW_CLAIM_UNKNOWN] = "unknown", [SW_CLAIM_OURS] = "ours", [SW_CLAIM_FOREIGN] = "foreign", [SW_CLAIM_NEWER] = "newer" };
	return words[c];
}

static json_t *cluster_json(struct sw_worker *w)
{
	struct sw_worker_state st = sw_worker_state(w);
	const struct sw_cluster_cfg *cfg = sw_worker_cfg(w);
	const struct sw_node *nodes;
	size_t n = sw_worker_nodes(w, &nodes);
	int64_t free_gpus = 0, gpus = 0;
	for (size_t i = 0; i < n; i++) {
		gpus += nodes[i].gpu_total;
		free_gpus += nodes[i].usable ? nodes[i].gpu_free : 0;
	}
	json_t *o = json_object_new_object();
	sw_json_set_str(o, "name", cfg->name);
	sw_json_set_str(o, "provider", cfg->provider);
	sw_json_set_str(o, "worker", cfg->worker);
	sw_json_set_str(o, "region", cfg->region ? cfg->region : "");
	sw_json_set_bool(o, "burst", cfg->burst);
	sw_json_set_bool(o, "ready", st.ready);
	sw_json_set_bool(o, "reachable", st.reachable);
	sw_json_set_bool(o, "lost", st.lost);
	sw_json_set_str(o, "claim", claim_word(st.claim));
	sw_json_set_str(o, "why", st.why ? st.why : "");
	sw_json_set_bool(o, "gcPaused", st.gc_paused);
	sw_json_set_str(o, "gcWhy", st.gc_why ? st.gc_why : "");
	sw_json_set_int(o, "nodes", (int64_t)n);
	sw_json_set_int(o, "gpus", gpus);
	sw_json_set_int(o, "gpusFree", free_gpus);
	return o;
}

json_t *sw_dispatch_clusters(struct sw_dispatch *d)
{
	json_t *list = json_object_new_array();
	for (size_t i = 0; d->workers && i < sw_workers_count(d->workers); i++)
		json_object_array_add(list, cluster_json(sw_workers_at(d->workers, i)));
	return list;
}

static json_t *pool_json(struct sw_dispatch *d, struct sw_worker *w, const struct sw_pool *p)
{
	const struct sw_node *nodes;
	size_t n = sw_worker_nodes(w, &nodes), mine = 0;
	int64_t free_gpus = 0, gpus = 0;
	json_t *o = json_object_new_object();
	for (size_t i = 0; i < n; i++)
		if (strcmp(nodes[i].pool, p->name) == 0) {
			mine++;
			gpus += nodes[i].gpu_total;
			free_gpus += nodes[i].usable ? nodes[i].gpu_free : 0;
		}
	sw_json_set_str(o, "cluster", sw_worker_name(w));
	sw_json_set_str(o, "pool", p->name);
	sw_json_set_str(o, "gpu", p->model ? p->model : "");
	sw_json_set_str(o, "machine", p->machine ? p->machine : "");
	sw_json_set_str(o, "region", p->region ? p->region : "");
	sw_json_set_str(o, "zone", p->zone ? p->zone : "");
	sw_json_set_int(o, "nodes", (int64_t)mine);
	sw_json_set_int(o, "target", p->target);
	sw_json_set_int(o, "min", p->min);
	sw_json_set_int(o, "max", p->max);
	sw_json_set_int(o, "gpus", gpus);
	sw_json_set_int(o, "gpusFree", free_gpus);
	sw_json_set_bool(o, "growable", p->growable);
	sw_json_set_bool(o, "spot", p->spot);
	set_price(o, "priceHour", p->price_hour);
	set_time(o, "pricedAt", p->priced_at_ms);
	sw_json_set_int(o, "waiting", depth_of(d, sw_worker_name(w), p->name));
	if (p->growable) {
		struct sw_burst_view look = sw_burst_look(d->burst, sw_worker_name(w), p->name, 1);
		sw_json_set_int(o, "growing", look.growing);
		sw_json_set_str(o, "refused", look.refused ? look.refused : "");
		set_time(o, "stockoutUntil", look.stockout_until_ms);
	}
	return o;
}

json_t *sw_dispatch_pools(struct sw_dispatch *d)
{
	json_t *list = json_object_new_array();
	for (size_t i = 0; d->workers && i < sw_workers_count(d->workers); i++) {
		const struct sw_pool *pools;
		size_t n = sw_worker_pools(sw_workers_at(d->workers, i), &pools);
		for (size_t k = 0; k < n; k++)
			json_object_array_add(list, pool_json(d, sw_workers_at(d->workers, i), &pools[k]));
	}
	return list;
}
