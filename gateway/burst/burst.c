/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burst.c - the door, and the tick that looks at every pool
 *
 * The tick is level-triggered: it reads wants, pools and nodes anew, and takes the next step of each pool and each idle
 * node. It comes each second while something is under way, else every ten, and whenever it is kicked.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "burst_priv.h"
#include "spillway/text.h"

enum { BUSY_MS = 1000, QUIET_MS = 10 * 1000, NODES_MAX = 1000 * 1000 /* of one wish: sums stay far from overflow */ };

uint64_t burst_now(const struct sw_burst *b)
{
	return sw_loop_now(b->opt.loop);
}

void burst_event(struct sw_burst *b, const char *key, bool warning, const char *reason, const char *fmt, ...)
{
	char text[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (warning)
		sw_log(WARN, "burst", "pool", "reason=%s workload=%s message=\"%s\"", reason, key ? key : "", text);
	else
		sw_log(INFO, "burst", "pool", "reason=%s workload=%s message=\"%s\"", reason, key ? key : "", text);
	if (b->opt.on_event)
		b->opt.on_event(b->opt.owner, key, warning, reason, text);
}

void burst_changed(struct sw_burst *b, const struct run *r)
{
	if (b->opt.on_change)
		b->opt.on_change(b->opt.owner, sw_worker_name(r->w), r->pool);
}

/* ---- runs and wants ------------------------------------------------------------------ */

static struct run *run_find(const struct sw_burst *b, const char *cluster, const char *pool)
{
	struct run *r;
	char *id = sw_asprintf("%s/%s", cluster, pool);
	HASH_FIND_STR(b->runs, id, r);
	free(id);
	return r;
}

struct run *run_get(struct sw_burst *b, struct sw_worker *w, const char *pool)
{
	struct run *r = run_find(b, sw_worker_name(w), pool);

	if (r)
		return r;
	char *id = sw_asprintf("%s/%s", sw_worker_name(w), pool);
	size_t n = strlen(id);
	r = sw_calloc(1, sizeof *r + n + 1);
	memcpy(r->id, id, n);
	free(id);
	r->b = b;
	r->w = w;
	r->pool = sw_strdup(pool);
	HASH_ADD_KEYPTR(hh, b->runs, r->id, n, r);
	return r;
}

static void want_free(struct sw_burst *b, struct want *w)
{
	HASH_DEL(b->wants, w);
	free(w->cluster);
	free(w->pool);
	free(w);
}

void sw_burst_unwant(struct sw_burst *b, const char *key)
{
	struct want *w;
	HASH_FIND_STR(b->wants, key, w);
	if (w)
		want_free(b, w);
}

void sw_burst_want(struct sw_burst *b, const char *key, const char *cluster, const char *pool, int nodes)
{
	size_t n = strlen(key);
	struct want *w;

	nodes = nodes < NODES_MAX ? nodes : NODES_MAX;
	HASH_FIND_STR(b->wants, key, w);
	if (w && nodes > 0 && strcmp(w->cluster, cluster) == 0 && strcmp(w->pool, pool) == 0) {
		if (w->nodes != nodes)
			sw_burst_kick(b);
		w->nodes = nodes;
		return; /* keeps its place in the line */
	}
	sw_burst_unwant(b, key);
	if (nodes <= 0)
		return;
	w = sw_calloc(1, sizeof *w + n + 1);
	memcpy(w->key, key, n);
	w->cluster = sw_strdup(cluster);
	w->pool = sw_strdup(pool);
	w->nodes = nodes;
	HASH_ADD_KEYPTR(hh, b->wants, w->key, n, w);
	struct run *r = run_find(b, cluster, pool);
	if (r)
		r->refused[0] = '\0'; /* a new asker hears the reason too */
	sw_burst_kick(b);
}

bool burst_has_wants(const struct sw_burst *b, const char *cluster, const char *pool)
{
	struct want *w, *tmp;
	HASH_ITER(hh, b->wants, w, tmp)
	if (strcmp(w->cluster, cluster) == 0 && strcmp(w->pool, pool) == 0)
		return true;
	return false;
}

/* ---- money ------------------------------------------------------------------------------- */

static double pools_cost(struct sw_burst *b, struct sw_worker *w, char why[200])
{
	const struct sw_pool *pools;
	size_t n = sw_worker_pools(w, &pools);
	double sum = 0;

	for (size_t i = 0; i < n && !isnan(sum); i++) {
		const struct sw_pool *p = &pools[i];
		int asked = grow_asked(run_find(b, sw_worker_name(w), p->name), p),
		    nodes = p->size > asked ? p->size : asked;
		if (!p->growable || nodes <= 0)
			continue;
		if (isnan(p->price_hour))
			snprintf(why, 200, "the %d node%s of pool %.60s of %.60s have no known price", nodes,
				 nodes == 1 ? "" : "s", p->name, sw_worker_name(w));
		sum += nodes * p->price_hour;
	}
	return sum;
}

double burst_committed(struct sw_burst *b, char why[200])
{
	double sum = 0;

	why[0] = '\0';
	for (size_t i = 0; i < sw_workers_count(b->opt.workers) && !isnan(sum); i++) {
		struct sw_worker *w = sw_workers_at(b->opt.workers, i);
		if (!sw_worker_cfg(w)->burst)
			continue;
		if (!sw_worker_provider_state(w, NULL)) {
			snprintf(why, 200,
				 "what cluster %.80s has bought is not known: its provider has not answered yet",
				 sw_worker_name(w));
			sum = NAN;
		} else {
			sum += pools_cost(b, w, why);
		}
	}
	return sum;
}

/* ---- the tick ------------------------------------------------------------------------------ */

/* Returns whether to look again soon: something is under way, or nodes are there that may turn idle. */
static bool worker_step(struct sw_burst *b, struct sw_worker *w)
{
	const struct sw_pool *pools;
	struct run *r, *tmp;
	bool busy = false, nodes = false;

	if (!sw_worker_cfg(w)->burst || !sw_worker_state(w).ready)
		return false;
	size_t n = sw_worker_pools(w, &pools);
	for (size_t i = 0; i < n; i++) {
		if (!pools[i].growable)
			continue;
		nodes |= pools[i].size > pools[i].min;
		run_get(b, w, pools[i].name);
	}
	HASH_ITER(hh, b->runs, r, tmp)
	if (r->w == w)
		busy |= grow_step(r);
	busy |= idle_step(b, w);
	sw_worker_provider_every(w, busy ? BUSY_MS : QUIET_MS);
	return busy || nodes;
}

/* Never later than it is due already. */
static void look_in(struct sw_burst *b, uint64_t ms)
{
	uint64_t due = burst_now(b) + ms;

	if (due >= b->due_ms)
		return;
	b->due_ms = due;
	sw_timer_in(b->timer, ms);
}

static void on_timer(void *owner)
{
	struct sw_burst *b = owner;
	char why[200];
	bool busy = false;

	b->looked_ms = burst_now(b);
	b->due_ms = UINT64_MAX;
	for (size_t i = 0; i < sw_workers_count(b->opt.workers); i++)
		busy |= worker_step(b, sw_workers_at(b->opt.workers, i));
	look_in(b, busy ? BUSY_MS : QUIET_MS);
	double committed = burst_committed(b, why);
	if (!isnan(committed))
		sw_metric_set(sw_metric(b->opt.metrics, SW_GAUGE, "spillway_burst_committed_dollars_per_hour",
					"What the burst nodes that exist or are asked for cost in an hour.", ""),
			      committed);
}

void sw_burst_kick(struct sw_burst *b)
{
	look_in(b, 0);
}

void sw_burst_nudge(struct sw_burst *b)
{
	uint64_t since = burst_now(b) - b->looked_ms;

	look_in(b, since < BUSY_MS ? BUSY_MS - since : 0);
}

static void on_note(void *owner, const char *name, json_t *value)
{
	grow_restore(owner, name, value);
}

struct sw_err sw_burst_new(const struct sw_burst_options *opt, struct sw_burst **out)
{
	struct sw_burst *b = sw_calloc(1, sizeof *b);
	struct sw_err e;

	*out = NULL;
	b->opt = *opt;
	b->due_ms = UINT64_MAX;
	e = sw_timer_new(opt->loop, on_timer, b, &b->timer);
	if (sw_failed(e)) {
		free(b);
		return e;
	}
	opt->manager->ops->notes(opt->manager, "intent/", on_note, b);
	sw_burst_kick(b);
	*out = b;
	return SW_OK;
}

static void run_free(struct sw_burst *b, struct run *r)
{
	HASH_DEL(b->runs, r);
	free(r->pool);
	free(r->asker);
	free(r);
}

static bool has_bought(struct sw_worker *w)
{
	const struct sw_pool *pools;
	size_t n = sw_worker_cfg(w)->burst ? sw_worker_pools(w, &pools) : 0;

	for (size_t i = 0; i < n; i++)
		if (pools[i].growable && pools[i].size > pools[i].min)
			return true;
	return false;
}

bool sw_burst_forget_cluster(struct sw_burst *b, struct sw_worker *w, char *why, size_t size)
{
	struct run *r, *next;
	bool held = has_bought(w) || idle_under_way(b, w);

	HASH_ITER(hh, b->runs, r, next)
	held |= r->w == w && r->state != INTENT_NONE;
	if (held) {
		snprintf(why, size, "nodes that were bought there are not given back yet");
		return false;
	}
	idle_forget_all(b, w);
	HASH_ITER(hh, b->runs, r, next)
	if (r->w == w)
		run_free(b, r);
	return true;
}

void sw_burst_free(struct sw_burst *b)
{
	struct run *r, *next;
	struct want *w, *tmp;

	if (!b)
		return;
	HASH_ITER(hh, b->wants, w, tmp)
	want_free(b, w);
	idle_free(b);
	HASH_ITER(hh, b->runs, r, next)
	run_free(b, r);
	sw_timer_free(b->timer);
	free(b);
}

double sw_burst_committed(struct sw_burst *b)
{
	char why[200];
	return burst_committed(b, why);
}

struct sw_burst_view sw_burst_look(struct sw_burst *b, const char *cluster, const char *pool, int nodes)
{
	struct sw_worker *w = sw_workers_find(b->opt.workers, cluster);
	const struct sw_pool *p = w ? sw_worker_pool(w, pool) : NULL;
	struct run probe = {.b = b, .w = w}, *r = run_find(b, cluster, pool);
	struct sw_burst_view view = {.refused = NULL};
	char unknown[200];

	if (!p) {
		snprintf(b->why, sizeof b->why, "cluster %.80s has no pool %.80s", cluster, pool);
		view.refused = b->why;
		return view;
	}
	struct limit limit = grow_limit(r ? r : &probe, p, unknown);
	view.committed_hour = limit.committed;
	if (r) {
		view.growing = r->in_flight - r->stuck;
		view.stockout_until_ms = limit.stockout_left_ms > 0 ? r->stockout.until_ms : 0;
	}
	if (limit_refuses(&limit, nodes < NODES_MAX ? nodes : NODES_MAX, b->why, sizeof b->why))
		view.refused = b->why;
	else if (nodes > 0 && r && burst_now(b) < r->barred_ms)
		view.refused = r->barred;
	return view;
}
