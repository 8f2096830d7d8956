/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch.c - events in, keys into the queue, one reconcile at a time
 *
 * Nothing is decided here. A reconcile reads the scene, asks sw_step(), and carries out the one action; events only add
 * keys. Every workload that holds something is looked at again each resync_ms, so a lost event costs time, not
 * correctness.
 */
#include "dispatch_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "spillway/text.h"

/* A busy cluster changes all the time, and a look takes tens of microseconds: with many that wait they look less often,
 * so that looking stays under a tenth of the time. */
enum { KICK_MS = 20, KICK_SHARE = 2 /* that wait, per ms */, KICK_MORE_MS = 500, EPOCH_MS = 3600 * 1000 };

const struct sw_workload *row_of(const struct sw_dispatch *d, const char *key)
{
	return d->m->ops->get(d->m, key);
}

/* ---- works -------------------------------------------------------------------- */

struct work *work_find(struct sw_dispatch *d, const char *key)
{
	struct work *wk;
	HASH_FIND_STR(d->works, key, wk);
	return wk;
}

struct work *work_get(struct sw_dispatch *d, const char *key)
{
	struct work *wk = work_find(d, key);
	if (wk)
		return wk;
	wk = sw_calloc(1, sizeof *wk);
	wk->d = d;
	wk->key = sw_strdup(key);
	HASH_ADD_KEYPTR(hh, d->works, wk->key, strlen(wk->key), wk);
	sw_metric_set(d->m_works, HASH_COUNT(d->works));
	work_seeks(wk, true);
	return wk;
}

void work_drop_job(struct work *wk)
{
	free(wk->demand);
	wk->demand = NULL;
	json_object_put(wk->job);
	json_object_put(wk->workload);
	wk->job = wk->workload = NULL;
}

void work_free(struct work *wk)
{
	struct sw_dispatch *d = wk->d;
	spend_end(wk);
	line_leave(wk);
	work_seeks(wk, false);
	HASH_DEL(d->works, wk);
	sw_metric_set(d->m_works, HASH_COUNT(d->works));
	depth_set(wk, "");
	work_drop_job(wk);
	pods_free(wk);
	free(wk->reserved.pool);
	free(wk->grows.pool);
	free(wk->log_bytes);
	outs_free(wk);
	calls_free(wk);
	free(wk->job_why);
	free(wk->companions);
	free(wk->text);
	json_object_put(wk->pod_object);
	free(wk->pod_sent);
	free(wk->key);
	free(wk);
}

/* ---- how many wait for a pool ----------------------------------------------------- */

static void depth_add(struct sw_dispatch *d, const char *place, int by)
{
	struct depth *p;
	HASH_FIND_STR(d->depths, place, p);
	if (!p) {
		p = sw_calloc(1, sizeof *p + strlen(place) + 1);
		memcpy(p->place, place, strlen(place) + 1);
		HASH_ADD_STR(d->depths, place, p);
	}
	p->n += by;
	if (p->n <= 0) {
		HASH_DEL(d->depths, p);
		free(p);
	}
}

void depth_set(struct work *wk, const char *place)
{
	if (strcmp(wk->waits_for, place) == 0)
		return;
	if (*wk->waits_for)
		depth_add(wk->d, wk->waits_for, -1);
	sw_cut(wk->waits_for, sizeof wk->waits_for, place);
	if (*wk->waits_for)
		depth_add(wk->d, wk->waits_for, 1);
}

void depth_at(struct work *wk, const struct plan *plan)
{
	const struct plan_place *p = &plan->step[plan->at].place[0];
	char place[sizeof wk->waits_for];
	snprintf(place, sizeof place, "%.78s/%.78s", plan_text(plan, p->cluster), plan_text(plan, p->pool));
	depth_set(wk, place);
}

int depth_of(const struct sw_dispatch *d, const char *cluster, const char *pool)
{
	char place[sizeof((struct work *)0)->waits_for];
	struct depth *p;
	snprintf(place, sizeof place, "%s/%s", cluster, pool);
	HASH_FIND_STR(d->depths, place, p);
	return p ? p->n : 0;
}

/* ---- reconcile ----------------------------------------------------------------------- */

/* What is kept of it is dropped as soon as nothing needs it; which clusters refused it is remembered a while. */
static void settle(struct sw_dispatch *d, struct work *wk, const char *key)
{
	const struct sw_workload *row = row_of(d, key);
	if (!row || row->finished)
		history_forget(d, key);
	bool remember = wk && row && !row->finished && out_any(wk);
	if (wk)
		work_withdraw(wk);
	if (wk && !wk->pods_busy && !remember)
		work_free(wk);
	else if (wk) {
		spend_end(wk);
		line_leave(wk);
		work_seeks(wk, false);
		work_drop_job(wk);
	}
	sw_reconciler_done(d->queue, key, 0);
}

static void reconcile(void *owner, const char *key)
{
	struct sw_dispatch *d = owner;
	struct scene s;
	const char *why;
	struct work *wk = work_find(d, key);
	if (!d->synced || !d->workers) { /* everything comes back when that changes */
		sw_reconciler_done(d->queue, key, 0);
		return;
	}
	scene_read(d, wk, key, &s);
	enum step step = sw_step(&s.v, &why);
	if (step == STEP_FORGET) {
		settle(d, wk, key);
		return;
	}
	if (!wk) {
		wk = work_get(d, key);
		wk->begun_ms = sw_loop_now(d->opt.loop);
		scene_read(d, wk, key, &s);
		step = sw_step(&s.v, &why);
	}
	sw_metric_add(d->m_steps, 1, sw_step_name(step));
	sw_log(DEBUG, "dispatch", "step", "key=%s step=%s rule=\"%s\"", key, sw_step_name(step), why);
	carry_out(d, wk, &s, step, why);
}

void work_step_done(struct work *wk, struct sw_err err, uint64_t again_ms)
{
	struct sw_dispatch *d = wk->d;
	wk->busy = false;
	if (!sw_failed(err)) {
		sw_reconciler_done(d->queue, wk->key, again_ms);
		return;
	}
	sw_metric_add(d->m_errors, 1, sw_code_name(err.code));
	/* Somebody else wrote first: the row is read again at once. */
	if (sw_err_retry(err.code) == SW_RETRY_NOW)
		sw_reconciler_done(d->queue, wk->key, 1);
	else
		sw_reconciler_fail(d->queue, wk->key, err);
}

void work_step_next(struct work *wk)
{
	wk->busy = false;
	sw_reconciler_next(wk->d->queue, wk->key);
}

/* ---- events ------------------------------------------------------------------------------ */

static void on_manager_change(void *owner, const char *key)
{
	struct sw_dispatch *d = owner;
	sw_reconciler_add(d->queue, key);
}

/* Rows that only wait for quota hold nothing here; finished ones are looked at when a copy of theirs shows. */
static bool row_matters(const struct sw_workload *w)
{
	return w->reserved || w->cluster || w->evicted || w->deleting;
}

static void add_row(void *owner, const struct sw_workload *w)
{
	struct sw_dispatch *d = owner;
	if (row_matters(w) && !(w->finished && !w->deleting && !work_find(d, w->key)))
		sw_reconciler_add(d->queue, w->key);
}

static void add_all(struct sw_dispatch *d)
{
	d->m->ops->each(d->m, add_row, d);
	struct work *wk, *next;
	HASH_ITER(hh, d->works, wk, next)
	sw_reconciler_add(d->queue, wk->key);
}

/* The same, but not all at once: new jobs need their turn in between. */
static void spread_row(void *owner, const struct sw_workload *w)
{
	struct sw_dispatch *d = owner;
	uint64_t over = (uint64_t)d->opt.config->resync_ms / 2;
	if (row_matters(w) && !(w->finished && !w->deleting && !work_find(d, w->key)))
		sw_reconciler_add_in(d->queue, w->key, sw_hash(w->key, strlen(w->key)) % (over + 1));
}

static void spread_all(struct sw_dispatch *d)
{
	d->m->ops->each(d->m, spread_row, d);
	struct work *wk, *next;
	HASH_ITER(hh, d->works, wk, next)
	if (!row_of(d, wk->key))
		sw_reconciler_add(d->queue, wk->key);
}

void dispatch_look_at_all(struct sw_dispatch *d)
{
	if (!d->synced || !d->workers)
		return;
	add_all(d);
	dispatch_kick(d);
}

static void add_any_row(void *owner, const struct sw_workload *w)
{
	struct sw_dispatch *d = owner;
	sw_reconciler_add(d->queue, w->key);
}

static void on_manager_state(void *owner, bool synced, const char *why)
{
	struct sw_dispatch *d = owner;
	bool was = d->synced;
	d->synced = synced;
	if (synced == was)
		return;
	if (!synced)
		sw_log(WARN, "dispatch", "manager out of sight", "why=\"%s\"", why ? why : "");
	else if (!d->id.origin) {
		struct sw_err e = identity_open(d);
		if (sw_failed(e))
			sw_log(ERROR, "dispatch", "no identity", "error=\"%s\"", e.text);
	}
	if (d->workers)
		sw_workers_manager_synced(d->workers, synced);
	if (synced && d->workers)
		d->m->ops->each(d->m, add_any_row, d);
}

static int by_priority(const void *a, const void *b)
{
	const struct sw_workload *x = *(const struct sw_workload *const *)a, *y = *(const struct sw_workload *const *)b;
	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	return x->created_ms < y->created_ms ? -1 : x->created_ms > y->created_ms;
}

/* Those that look for a place look again, the most urgent first: the queue keeps that order among keys of one time. */
static void on_kick(void *owner)
{
	struct sw_dispatch *d = owner;
	struct work *wk;
	size_t n = lines_count(d), seekers;
	d->kicking = false;
	DL_COUNT2(d->seekers, wk, seekers, seek_next);
	const struct sw_workload **rows = sw_calloc(n + seekers + 1, sizeof *rows);
	n = lines_first(d, rows);
	DL_FOREACH2(d->seekers, wk, seek_next)
	{
		const struct sw_workload *row = row_of(d, wk->key);
		if (!row)
			sw_reconciler_add(d->queue, wk->key);
		else if (!row->cluster && !(wk->busy && wk->step == STEP_READ)) /* it looks after that anyway */
			rows[n++] = row;
	}
	qsort(rows, n, sizeof *rows, by_priority);
	for (size_t i = 0; i < n; i++)
		sw_reconciler_add(d->queue, rows[i]->key);
	d->kicked = n;
	free(rows);
}

void dispatch_kick(struct sw_dispatch *d)
{
	uint64_t more = d->kicked / KICK_SHARE;
	d->world++;
	if (d->kicking)
		return; /* setting it again would put it off for ever where something changes all the time */
	d->kicking = true;
	sw_timer_in(d->kick, KICK_MS + (more < KICK_MORE_MS ? more : KICK_MORE_MS));
}

static unsigned char *state_of(struct sw_dispatch *d, size_t at)
{
	size_t want = at + 1;
	if (want > d->n_states) {
		d->cluster_state = realloc(d->cluster_state, want);
		SW_REQUIRE(d->cluster_state);
		memset(d->cluster_state + d->n_states, 0, want - d->n_states);
		d->n_states = want;
	}
	return &d->cluster_state[at];
}

/* Did what it says about itself change (not only what it holds)? Then its running jobs look at it again too. */
static bool state_changed(struct sw_dispatch *d, struct sw_worker *w)
{
	struct sw_worker_state st = sw_worker_state(w);
	unsigned char now =
		(unsigned char)(1 | st.ready << 1 | st.reachable << 2 | st.lost << 3 | (unsigned)st.claim << 4);
	for (size_t i = 0; d->workers && i < sw_workers_count(d->workers); i++)
		if (sw_workers_at(d->workers, i) == w) {
			unsigned char *known = state_of(d, i), was = *known;
			*known = now;
			return was != now;
		}
	return true;
}

static void on_worker_change(void *owner, const char *key, struct sw_worker *w)
{
	struct sw_dispatch *d = owner;
	if (key) {
		sw_reconciler_add(d->queue, key);
		return;
	}
	if (state_changed(d, w)) {
		identity_look(d);
		if (sw_worker_state(w).ready && word_joined(d, sw_worker_name(w)))
			clusters_joined(d);
		if (d->synced && d->workers)
			add_all(d);
	}
	if (d->burst)
		sw_burst_nudge(d->burst);
	dispatch_kick(d);
}

static void on_pod(void *owner, const char *key, struct sw_worker *w, const char *name, json_t *pod)
{
	pods_on_pod(owner, key, w, name, pod);
}

static void on_burst_change(void *owner, const char *cluster, const char *pool)
{
	(void)cluster;
	(void)pool;
	dispatch_kick(owner);
}

static void on_burst_event(void *owner, const char *key, bool warning, const char *reason, const char *message)
{
	struct sw_dispatch *d = owner;
	if (key && row_of(d, key))
		d->m->ops->event(d->m, key, warning, reason, message);
}

static void on_resync(void *owner)
{
	struct sw_dispatch *d = owner;
	if (d->synced && d->workers)
		spread_all(d);
	sw_timer_in(d->resync, (uint64_t)d->opt.config->resync_ms);
}

/* ---- opening and closing ------------------------------------------------------------------- */

void identity_ready(struct sw_dispatch *d)
{
	struct sw_workers_options wo = {.loop = d->opt.loop,
					.http = d->opt.http,
					.metrics = d->opt.metrics,
					.config = d->opt.config,
					.clusters = d->opt.clusters,
					.catalog = d->opt.catalog,
					.manager = d->m,
					.origin = d->id.origin,
					.epoch = d->id.epoch,
					.on_change = on_worker_change,
					.on_pod = on_pod,
					.owner = d};
	struct sw_burst_options bo = {.loop = d->opt.loop,
				      .metrics = d->opt.metrics,
				      .config = d->opt.config,
				      .manager = d->m,
				      .on_change = on_burst_change,
				      .on_event = on_burst_event,
				      .may_grow = advise_grow,
				      .idle_needed = advise_release,
				      .owner = d};
	d->opened_ms = sw_loop_now(d->opt.loop);
	words_read(d);
	struct sw_err e = sw_workers_new(&wo, &d->workers);
	if (!sw_failed(e)) {
		bo.workers = d->workers;
		e = sw_burst_new(&bo, &d->burst);
	}
	if (sw_failed(e)) {
		sw_log(ERROR, "dispatch", "workers cannot be opened", "error=\"%s\"", e.text);
		sw_workers_free(d->workers);
		d->workers = NULL;
		return;
	}
	sw_workers_manager_synced(d->workers, d->synced);
	d->m->ops->each(d->m, add_any_row, d);
}

static void metrics_make(struct sw_dispatch *d)
{
	struct sw_metrics *m = d->opt.metrics;
	d->m_steps = sw_metric(m, SW_COUNTER, "spillway_dispatch_steps_total", "Steps taken for workloads.", "step");
	d->m_placed = sw_metric(m, SW_COUNTER, "spillway_placements_total", "Workloads whose winner was named.",
				"cluster,pool");
	d->m_start = sw_metric(m, SW_HISTOGRAM, "spillway_dispatch_start_seconds",
			       "From admission by quota to a started copy.", "cluster");
	d->m_policy = sw_metric(m, SW_COUNTER, "spillway_policy_calls_total", "Calls of the policy.", "result");
	d->m_errors = sw_metric(m, SW_COUNTER, "spillway_dispatch_errors_total",
				"Steps that failed and are tried again.", "code");
	d->m_works =
		sw_metric(m, SW_GAUGE, "spillway_dispatch_active", "Workloads that are being placed, run or end.", "");
}

struct sw_err sw_dispatch_new(const struct sw_dispatch_options *opt, struct sw_dispatch **out)
{
	*out = NULL;
	struct sw_dispatch *d = sw_calloc(1, sizeof *d);
	d->opt = *opt;
	d->m = opt->manager;
	d->shapes = sw_shapes_new(0);
	metrics_make(d);
	struct sw_err e = spend_open(d);
	if (!sw_failed(e))
		e = sw_reconciler_new(opt->loop, "dispatch", reconcile, d, &d->queue);
	if (!sw_failed(e))
		e = sw_reconciler_new(opt->loop, "pods", pods_reconcile, d, &d->pods_queue);
	if (!sw_failed(e))
		e = sw_timer_new(opt->loop, on_resync, d, &d->resync);
	if (!sw_failed(e))
		e = sw_timer_new(opt->loop, on_kick, d, &d->kick);
	if (!sw_failed(e)) {
		struct sw_manager_events ev = {
			.on_change = on_manager_change, .on_state = on_manager_state, .owner = d};
		e = d->m->ops->watch(d->m, &ev);
	}
	if (sw_failed(e)) {
		sw_dispatch_free(d);
		return e;
	}
	sw_timer_in(d->resync, (uint64_t)opt->config->resync_ms);
	*out = d;
	return SW_OK;
}

void sw_dispatch_free(struct sw_dispatch *d)
{
	if (!d)
		return;
	sw_burst_free(d->burst);
	sw_workers_free(d->workers);
	free(d->cluster_state);
	struct work *wk, *next;
	HASH_ITER(hh, d->works, wk, next)
	work_free(wk);
	history_free(d);
	spend_close(d);
	sw_shapes_free(d->shapes);
	asked_free(d);
	words_free(d);
	identity_close(d);
	sw_timer_free(d->resync);
	sw_timer_free(d->kick);
	sw_reconciler_free(d->queue);
	sw_reconciler_free(d->pods_queue);
	free(d);
}

struct sw_workers *sw_dispatch_workers(struct sw_dispatch *d)
{
	return d->workers;
}

bool queue_is(const struct sw_workload *row, const char *queue)
{
	size_t ns = strlen(row->ns);
	bool local = strncmp(queue, row->ns, ns) == 0 && queue[ns] == '/' && strcmp(queue + ns + 1, row->queue) == 0;
	return local || (row->cluster_queue && strcmp(queue, row->cluster_queue) == 0);
}

struct sw_policy *policy_for(const struct sw_dispatch *d, const struct sw_workload *row)
{
	for (size_t i = 0; i < d->opt.n_rules; i++)
		if (queue_is(row, d->opt.rules[i].queue))
			return d->opt.rules[i].policy;
	return d->opt.policy;
}

void sw_dispatch_catalog_changed(struct sw_dispatch *d)
{
	if (d->workers)
		sw_workers_catalog_changed(d->workers);
	sw_shapes_clear(d->shapes);
	dispatch_kick(d);
}

void sw_dispatch_set_policies(struct sw_dispatch *d, struct sw_policy *policy, const struct sw_policy_rule *rules,
			      size_t n_rules)
{
	d->opt.policy = policy;
	d->opt.rules = rules;
	d->opt.n_rules = n_rules;
	sw_shapes_clear(d->shapes);
	dispatch_kick(d);
}
