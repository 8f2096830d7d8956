/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain.c - what the command line shows: one workload's plan and candidates, the clusters, the pools
 */
#include "dispatch_priv.h"

#include <math.h>
#include <stdio.h>
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

void add_policy(json_t *o, const struct sw_policy *p)
{
	sw_json_set_str(o, "policy", sw_policy_name(p));
	sw_json_set_str(o, "policyHash", sw_policy_hash(p));
}

/* ---- one workload ------------------------------------------------------------------ */

json_t *steps_json(const struct plan *p, bool placed)
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

/* The first step that names this pool, from 1; 0: none. */
static int step_of(const struct plan *p, const struct sw_candidate *c)
{
	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; k < p->step[i].n; k++)
			if (strcmp(plan_text(p, p->step[i].place[k].cluster), c->cluster) == 0 &&
			    strcmp(plan_text(p, p->step[i].place[k].pool), c->pool) == 0)
				return (int)i + 1;
	return 0;
}

json_t *option_json(const struct option *o, const struct plan *plan, bool here)
{
	const struct sw_candidate *c = &o->c;
	json_t *j = sw_candidate_json(c, here ? "chosen" : verdict_name(o->verdict),
				      here ? "the job is placed here" : o->why, step_of(plan, c));
	if (isfinite(c->price_hour))
		sw_json_set_int(j, "priceAgeSeconds", c->price_age_ms / 1000);
	if (c->egress_known)
		json_object_object_add(j, "egressCost", json_object_new_double(c->egress_cost));
	sw_json_set_int(j, "queueDepth", c->queue_depth);
	set_time(j, "stockoutUntil", c->stockout_until_ms);
	return j;
}

static void add_options(struct sw_dispatch *d, struct work *wk, const struct scene *s, json_t *x)
{
	json_t *list = json_object_new_array();
	struct options o;
	options_read(d, wk, s->row, &o);
	for (size_t i = 0; i < o.n; i++) {
		const struct sw_candidate *c = &o.at[i].c;
		bool here =
			s->row->cluster && strcmp(s->row->cluster, c->cluster) == 0 && strcmp(s->pool, c->pool) == 0;
		json_object_array_add(list, option_json(&o.at[i], &s->plan, here));
	}
	json_object_object_add(x, "candidates", list);
	if (!s->row->cluster && !s->row->finished)
		json_object_object_add(x, "needs", options_mend(&o, wk->demand));
	options_free(&o);
}

/* ---- a job that dispatch has not at hand is read for the purpose; the answer is kept for a few seconds */

void asked_free(struct sw_dispatch *d)
{
	struct asked *a = &d->asked;
	free(a->demand);
	json_object_put(a->job);
	free(a->key);
	*a = (struct asked){.busy = a->busy};
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
	bool mine =
		a->key && strcmp(a->key, key) == 0 && (a->busy || sw_loop_now(d->opt.loop) < a->read_ms + JOB_FRESH_MS);
	if (mine && a->demand) {
		*scratch = (struct work){.d = d, .key = a->key, .job = a->job, .demand = a->demand};
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

static const char *state_word(const struct scene *s)
{
	const struct view *v = &s->v;
	if (v->finished)
		return "Finished";
	if (v->deleting)
		return "Deleting";
	if (v->evicted)
		return "Evicted";
	if (v->has_winner)
		return v->lost ? "Lost" : v->current && !v->suspended ? "Running" : "Placed";
	return s->row->suspended_by_user ? "Suspended"
	       : !s->row->active         ? "Inactive"
	       : s->row->reserved        ? "Placing"
					 : "Queued";
}

/* "2 pods, 16 GPUs: H100 or H200, at least 80Gi each, bf16, at most $98.00 per hour" */
void demand_words(const struct sw_demand *d, char *out, size_t size)
{
	static const char *const precisions[] = {
#define X(id, name) name,
		SW_PRECISION_MAP(X)
#undef X
	};
	struct sw_buf b;
	char text[32];
	long long pods = 0;
	sw_buf_init(&b, 4096);
	for (size_t i = 0; i < d->n_sets; i++)
		pods += d->sets[i].count;
	sw_buf_printf(&b, "%lld pod%s, %lld GPU%s", pods, pods == 1 ? "" : "s", (long long)d->gpus,
		      d->gpus == 1 ? "" : "s");
	for (size_t i = 0; i < d->n_models; i++)
		sw_buf_printf(&b, "%s%s", i ? " or " : ": ", d->models[i]->model);
	if (d->gpu_memory_bytes)
		sw_buf_printf(&b, ", at least %s each", sw_bytes_text(d->gpu_memory_bytes, text));
	if (d->has_precision)
		sw_buf_printf(&b, ", %s", precisions[d->precision]);
	if (d->spot != SW_SPOT_NEVER)
		sw_buf_puts(&b, d->spot == SW_SPOT_ALLOW ? ", spot allowed" : ", spot only");
	if (isfinite(d->max_price))
		sw_buf_printf(&b, ", at most $%.2f per hour", d->max_price);
	sw_cut(out, size, sw_buf_ok(&b) ? b.at : "");
	sw_buf_fini(&b);
}

static void who(json_t *o, const struct scene *s, const char *key)
{
	const struct sw_workload *row = s->row;
	char job[400];
	snprintf(job, sizeof job, "%s %s/%s", row->kind->kind, row->ns, row->job_name);
	sw_json_set_str(o, "job", job);
	sw_json_set_str(o, "workload", key);
	sw_json_set_str(o, "kind", row->kind->kind);
	sw_json_set_str(o, "namespace", row->ns);
	sw_json_set_str(o, "name", row->job_name);
	sw_json_set_str(o, "queue", row->queue);
	sw_json_set_int(o, "attempt", row->attempt);
	sw_json_set_str(o, "state", state_word(s));
	sw_json_set_str(o, "cluster", row->cluster ? row->cluster : "");
	sw_json_set_str(o, "pool", row->cluster ? s->pool : "");
}

json_t *sw_dispatch_explain(struct sw_dispatch *d, const char *key)
{
	struct scene s;
	struct work scratch, *wk = work_find(d, key);
	const char *why;
	char text[PLAN_SENTENCE];
	if (!row_of(d, key) || !d->workers)
		return NULL;
	scene_read(d, wk, key, &s);
	enum step step = sw_step(&s.v, &why);
	if (!s.plan.n && !s.plan.win_cluster)
		plan_decode(&s.plan, s.row->message);
	json_t *o = json_object_new_object();
	who(o, &s, key);
	plan_sentence(s.row->message, text);
	sw_json_set_str(o, "plan", text);
	sw_json_set_str(o, "now", why);
	sw_json_set_str(o, "next", sw_step_name(step));
	add_policy(o, policy_for(d, s.row));
	if (s.plan.policy)
		sw_json_set_str(o, "decidedBy", plan_text(&s.plan, s.plan.policy));
	plan_reason(s.row->message, text);
	if (!*text && !s.row->cluster) /* no plan: the whole sentence is the reason */
		plan_sentence(s.row->message, text);
	sw_json_set_str(o, "reason", text);
	json_object_object_add(o, "steps", steps_json(&s.plan, s.row->cluster != NULL));
	struct work *from = asker(d, key, &scratch);
	if (from) {
		demand_words(from->demand, text, sizeof text);
		sw_json_set_str(o, "demand", text);
	}
	sw_json_set_bool(o, "complete", from != NULL);
	translated_add(d, from, &s, o);
	if (from)
		add_options(d, from, &s, o);
	else
		json_object_object_add(o, "candidates", json_object_new_array());
	return o;
}

/* ---- clusters and pools ---------------------------------------------------------------- */

static const char *claim_word(enum sw_claim c)
{
	static const char *const words[] = {[SW_CLAIM_UNKNOWN] = "unknown",
					    [SW_CLAIM_OURS] = "ours",
					    [SW_CLAIM_FOREIGN] = "foreign",
					    [SW_CLAIM_NEWER] = "newer"};
	return words[c];
}

static void count_copy(void *owner, struct sw_worker *w, const char *key, const struct sw_kind *kind, const char *ns,
		       const char *name, const char *owner_uid, const struct sw_copy *copy)
{
	int64_t *n = owner;
	(void)w, (void)key, (void)kind, (void)ns, (void)name, (void)owner_uid;
	*n += copy->outcome == SW_UNFINISHED;
}

static json_t *cluster_json(struct sw_dispatch *d, struct sw_worker *w)
{
	struct sw_worker_state st = sw_worker_state(w);
	const struct sw_cluster_cfg *cfg = sw_worker_cfg(w);
	const struct sw_node *nodes;
	size_t n = sw_worker_nodes(w, &nodes);
	int64_t free_gpus = 0, gpus = 0, copies = 0;
	sw_worker_each_copy(w, count_copy, &copies);
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
	sw_json_set_str(o, "state", st.ready ? "Ready" : st.lost ? "Lost" : "NotReady");
	sw_json_set_str(o, "operator", sw_cluster_state_name(sw_dispatch_cluster_state(d, cfg->name)));
	sw_json_set_int(o, "copies", copies);
	sw_json_set_bool(o, "ready", st.ready);
	sw_json_set_bool(o, "reachable", st.reachable);
	sw_json_set_bool(o, "lost", st.lost);
	sw_json_set_str(o, "claim", claim_word(st.claim));
	sw_json_set_str(o, "why", !st.ready && st.why ? st.why : st.gc_paused && st.gc_why ? st.gc_why : "");
	sw_json_set_bool(o, "gcPaused", st.gc_paused);
	sw_json_set_int(o, "nodes", (int64_t)n);
	sw_json_set_int(o, "gpus", gpus);
	sw_json_set_int(o, "gpusFree", free_gpus);
	return o;
}

json_t *sw_dispatch_clusters(struct sw_dispatch *d)
{
	json_t *list = json_object_new_array();
	for (size_t i = 0; d->workers && i < sw_workers_count(d->workers); i++)
		json_object_array_add(list, cluster_json(d, sw_workers_at(d->workers, i)));
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
	sw_json_set_str(o, "model", p->model ? p->model : "");
	sw_json_set_str(o, "machine", p->machine ? p->machine : "");
	sw_json_set_str(o, "region", p->region ? p->region : "");
	sw_json_set_str(o, "zone", p->zone ? p->zone : "");
	sw_json_set_int(o, "size", (int64_t)mine);
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
		sw_json_set_str(o, "why",
				look.stockout_until_ms > sw_loop_wall(d->opt.loop) ? "sold out"
				: look.refused                                     ? look.refused
										   : "");
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
