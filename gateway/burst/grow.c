/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grow.c - one pool: from what workloads want to nodes that are asked for, once
 *
 * What will be asked for is written down first (a manager's note, intent/CLUSTER/POOL), with a token. Until the
 * provider's list shows it, nothing else is asked of this pool, and after a crash or a lost reply the same call is
 * repeated with the same token, which never grows twice.
 *
 * How much: the wants of workloads in the order they came, as far as limits allow; not more than their gangs need
 * packed together; less what is on its way already, and less nodes that were about to be released and come back
 * instead.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "burst_priv.h"
#include "spillway/text.h"

enum {
	SHOWN_MS = 60 * 1000,
	RETRY_MS = 1000,
	RETRY_MAX_MS = 60 * 1000,
	BARRED_MS = 60 * 1000,
	STUCK_MS = 5 * 60 * 1000
};

static void run_goto(struct run *r, enum intent_state to)
{
	r->state = to;
	r->state_ms = burst_now(r->b);
}

static char *note_name(const struct run *r)
{
	return sw_asprintf("intent/%s", r->id);
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

/* Nodes asked for, by the provider's word or by an intent that it may not show yet. */
int grow_asked(const struct run *r, const struct sw_pool *p)
{
	return r && r->state != INTENT_NONE ? larger(p->target, r->target) : p->target;
}

struct limit grow_limit(struct run *r, const struct sw_pool *p, char why[200])
{
	struct sw_burst *b = r->b;
	struct sw_provider *provider = sw_worker_provider(r->w);
	int64_t wall = sw_loop_wall(b->opt.loop);

	return (struct limit){.cluster = sw_worker_name(r->w),
			      .pool = p->name,
			      .burst = sw_worker_cfg(r->w)->burst,
			      .growable = p->growable && provider && provider->ops->grow,
			      .asked = larger(grow_asked(r, p), p->size),
			      .max = p->max,
			      .quota_left = p->quota_left,
			      .price_hour = p->price_hour,
			      .price_age_ms = wall - p->priced_at_ms,
			      .price_max_age_ms = b->opt.config->price_max_age_ms,
			      .committed = burst_committed(b, why),
			      .unknown = why,
			      .max_hour = b->opt.config->max_price_hour,
			      .stockout_left_ms = stockout_left(&r->stockout, wall)};
}

/* ---- what the provider reports ------------------------------------------------------ */

static const char *fault_word(enum sw_pool_fault f)
{
	return f == SW_FAULT_STOCKOUT ? "Stockout" : f == SW_FAULT_QUOTA ? "QuotaExceeded" : "GrowFailed";
}

static bool errors_read(struct run *r, const struct sw_provider_state *s)
{
	bool news = false;

	for (size_t i = 0; i < s->n_errors; i++) {
		const struct sw_pool_error *e = &s->errors[i];
		if (!e->pool || strcmp(e->pool, r->pool) != 0 ||
		    !stockout_note(&r->stockout, e->at_ms, r->b->opt.config->stockout_ms))
			continue;
		char left[32];
		int64_t ms = stockout_left(&r->stockout, sw_loop_wall(r->b->opt.loop));
		if (ms == 0)
			continue; /* an old story, read after a restart */
		news = true;
		burst_event(r->b, r->asker, true, fault_word(e->fault),
			    "pool %s of %s did not grow: %s; it is left alone for %s", r->pool, sw_worker_name(r->w),
			    e->message ? e->message : "no reason given", sw_age_text(ms, left));
		sw_metric_add(sw_metric(r->b->opt.metrics, SW_COUNTER, "spillway_burst_faults_total",
					"Growths that failed, by kind of fault.", "cluster,pool,fault"),
			      1, sw_worker_name(r->w), r->pool, fault_word(e->fault));
	}
	return news;
}

/* Nodes of the pool that can be used now, or could be but for our own cordon. A node whose GPUs are not there yet is on
 * its way. */
static int nodes_present(const struct run *r, const struct sw_pool *p)
{
	const struct sw_node *nodes;
	size_t n = sw_worker_nodes(r->w, &nodes);
	int present = 0;

	for (size_t i = 0; i < n; i++)
		present += strcmp(nodes[i].pool, r->pool) == 0 && (nodes[i].usable || nodes[i].cordoned) &&
			   nodes[i].gpu_total >= p->gpus;
	return present;
}

/* ---- nodes that never come ---------------------------------------------------------- */

static void on_given_up(void *owner, struct sw_err err)
{
	struct run *r = owner;

	r->giving_up = false;
	if (sw_failed(err))
		sw_log(WARN, "burst", "could not release instances that never became nodes", "pool=%s error=\"%s\"",
		       r->id, err.text);
	sw_worker_provider_poll(r->w);
}

static bool is_node(struct run *r, const char *name)
{
	const struct sw_node *nodes;
	size_t n = sw_worker_nodes(r->w, &nodes);

	for (size_t i = 0; name && i < n; i++)
		if (strcmp(nodes[i].name, name) == 0)
			return true;
	return false;
}

/* Instances that cost money and are no nodes go back; otherwise they might still come when nobody wants them. */
static void give_up(struct run *r, const struct sw_provider_state *s)
{
	struct sw_provider *provider = sw_worker_provider(r->w);
	const char **ids;
	size_t n = 0;

	if (r->giving_up || !provider || !provider->ops->release)
		return;
	ids = sw_calloc(s->n_instances + 1, sizeof *ids);
	for (size_t i = 0; i < s->n_instances; i++) {
		const struct sw_instance *x = &s->instances[i];
		if (x->id && x->pool && strcmp(x->pool, r->pool) == 0 && !is_node(r, x->node))
			ids[n++] = x->id;
	}
	if (n > 0) {
		r->giving_up = true;
		struct sw_err e = provider->ops->release(provider, r->pool, ids, n, on_given_up, r);
		if (sw_failed(e))
			on_given_up(r, e);
	}
	free(ids);
}

/* Counts what is on its way, and gives up on nodes that were asked for long ago and never came. */
static void flight_update(struct run *r, const struct sw_pool *p, const struct sw_provider_state *s)
{
	uint64_t now = burst_now(r->b),
		 patience = (uint64_t)larger(
			 STUCK_MS, p->grow_eta_ms > 0 && p->grow_eta_ms < INT32_MAX / 3 ? (int)p->grow_eta_ms * 3 : 0);
	int asked = grow_asked(r, p), flight = asked - nodes_present(r, p);

	flight = flight > 0 ? flight : 0;
	if (flight < r->in_flight || flight == 0 || r->state != INTENT_NONE)
		r->flight_ms = now;
	if (flight == 0 && r->in_flight > 0 &&
	    asked >= r->asked) { /* they came; it is not that fewer are asked for now */
		stockout_clear(&r->stockout);
		burst_event(r->b, r->asker, false, "NodesReady", "pool %s of %s has all %d nodes that were asked for",
			    r->pool, sw_worker_name(r->w), asked);
		burst_changed(r->b, r);
	}
	r->stuck = r->stuck < flight ? r->stuck : flight;
	if (flight > r->stuck && now - r->flight_ms > patience) {
		r->stuck = flight;
		burst_event(r->b, r->asker, true, "NodesMissing",
			    "%d node%s of pool %s of %s did not become usable in %llu minutes; those that are "
			    "no nodes yet are given back",
			    flight, flight == 1 ? "" : "s", r->pool, sw_worker_name(r->w),
			    (unsigned long long)(patience / 60000));
		burst_changed(r->b, r);
		give_up(r, s);
	}
	r->in_flight = flight;
	r->asked = asked;
}

/* ---- how much ---------------------------------------------------------------------------- */

static void refuse(struct run *r, const struct want *want, const char *why)
{
	if (strcmp(r->refused, why) == 0)
		return; /* said already */
	snprintf(r->refused, sizeof r->refused, "%s", why);
	burst_event(r->b, want->key, true, "NotGrown", "%s", why);
}

/* Fewer, if the site's policy says so. */
static int advised(struct run *r, const struct sw_pool *p, int nodes, int workloads, const struct want *first,
		   double committed)
{
	const struct sw_burst_options *opt = &r->b->opt;
	struct sw_burst_ask ask = {.cluster = sw_worker_name(r->w),
				   .pool = p,
				   .nodes = nodes,
				   .workloads = workloads,
				   .in_flight = r->in_flight,
				   .committed_hour = committed};
	char why[SW_BURST_WHY];
	if (nodes <= 0 || !opt->may_grow)
		return nodes;
	int allowed = opt->may_grow(opt->owner, &ask, why);
	if (allowed < nodes && first)
		refuse(r, first, why);
	return allowed < nodes ? allowed : nodes;
}

/* Nodes to ask for now, and for whom first. */
static int delta_of(struct run *r, const struct sw_pool *p, const struct want **first)
{
	const char *cluster = sw_worker_name(r->w);
	char unknown[200], why[300];
	struct limit limit = grow_limit(r, p, unknown);
	int have, returning, leaving, total = 0, workloads = 0, together = sw_worker_pool_missing(r->w, r->pool);
	struct want *w, *tmp;

	idle_count(r->b, r->w, r->pool, &returning, &leaving);
	if (leaving > 0 || together == 0)
		return 0; /* what leaves still counts at the provider: wait until it is gone */
	if (limit.stockout_left_ms > 0)
		return 0; /* told when it was noted */
	have = r->in_flight - r->stuck + returning;
	HASH_ITER(hh, r->b->wants, w, tmp)
	{
		if (strcmp(w->cluster, cluster) != 0 || strcmp(w->pool, r->pool) != 0)
			continue;
		if (limit_refuses(&limit, total + w->nodes - have, why, sizeof why)) {
			refuse(r, w, why);
			continue;
		}
		total += w->nodes;
		workloads++;
		*first = *first ? *first : w;
	}
	if (together > 0 && total > together)
		total = together;
	return advised(r, p, total - have, workloads, *first, limit.committed);
}

/* ---- intent -> call -> shown --------------------------------------------------------------- */

static void forget(struct run *r)
{
	struct sw_manager *m = r->b->opt.manager;
	char *name = note_name(r);
	struct sw_err e = m->ops->note_put(m, name, NULL, NULL, NULL);

	if (sw_failed(e)) /* repeated after a restart, with its token: harmless */
		sw_log(WARN, "burst", "could not forget an intent", "note=%s error=\"%s\"", name, e.text);
	free(name);
	r->failures = 0;
	run_goto(r, INTENT_NONE);
}

static void on_noted(void *owner, struct sw_err err)
{
	struct run *r = owner;

	if (sw_failed(err)) { /* nothing was asked for: nothing is bought that is not written down */
		sw_log(WARN, "burst", "could not write an intent", "pool=%s error=\"%s\"", r->id, err.text);
		r->retry_ms = burst_now(r->b) + RETRY_MS * 5;
		run_goto(r, INTENT_NONE);
		return;
	}
	r->retry_ms = 0;
	run_goto(r, INTENT_NOTED);
	sw_burst_kick(r->b);
}

static void intend(struct run *r, const struct sw_pool *p, int delta, const char *asker)
{
	struct sw_manager *m = r->b->opt.manager;
	json_t *value = json_object_new_object();
	char *name = note_name(r);

	sw_uuid(r->token);
	r->delta = delta;
	r->target = grow_asked(r, p) + delta;
	r->at_ms = sw_loop_wall(r->b->opt.loop);
	free(r->asker);
	r->asker = sw_strdup(asker);
	sw_json_set_str(value, "token", r->token);
	sw_json_set_int(value, "delta", delta);
	sw_json_set_int(value, "target", r->target);
	sw_json_set_int(value, "at", r->at_ms);
	if (asker)
		sw_json_set_str(value, "key", asker);
	run_goto(r, INTENT_NOTING);
	struct sw_err e = m->ops->note_put(m, name, value, on_noted, r);
	if (sw_failed(e))
		on_noted(r, e);
	json_object_put(value);
	free(name);
}

void grow_restore(struct sw_burst *b, const char *note, json_t *value)
{
	const char *id = note + strlen("intent/"), *slash = strchr(id, '/'), *token = sw_json_str(value, "token");
	int64_t delta = sw_json_int(value, "delta", 0), target = sw_json_int(value, "target", 0);
	char cluster[256];

	if (slash)
		snprintf(cluster, sizeof cluster, "%.*s", (int)(slash - id), id);
	struct sw_worker *w = slash ? sw_workers_find(b->opt.workers, cluster) : NULL;
	if (!w || !token || strlen(token) != 36 || delta <= 0 || delta > INT32_MAX || target < delta ||
	    target > INT32_MAX) {
		sw_log(WARN, "burst", "an intent makes no sense now and is not repeated", "note=%s", note);
		return;
	}
	struct run *r = run_get(b, w, slash + 1);
	memcpy(r->token, token, sizeof r->token);
	r->delta = (int)delta;
	r->target = (int)target;
	r->at_ms = sw_json_int(value, "at", 0);
	r->asker = sw_strdup(sw_json_str(value, "key"));
	run_goto(r, INTENT_NOTED);
	sw_log(INFO, "burst", "repeating an intent", "pool=%s delta=%d token=%s", r->id, r->delta, r->token);
}

static bool is_refusal(enum sw_code code)
{
	return sw_err_retry(code) == SW_RETRY_TERMINAL;
}

static void on_grown(void *owner, struct sw_err err)
{
	struct run *r = owner;
	uint64_t now = burst_now(r->b), wait;

	if (!sw_failed(err)) {
		run_goto(r, INTENT_ACCEPTED);
		r->flight_ms = now;
		r->barred_ms = 0;
		sw_worker_provider_poll(r->w);
		return;
	}
	if (is_refusal(err.code)) {
		snprintf(r->barred, sizeof r->barred, "pool %s of %s was refused: %.120s", r->pool,
			 sw_worker_name(r->w), err.text);
		r->barred_ms = now + BARRED_MS;
		burst_event(r->b, r->asker, true, "GrowRefused", "%s", r->barred);
		forget(r);
		burst_changed(r->b, r);
		return;
	}
	wait = (uint64_t)RETRY_MS << (r->failures < 6 ? r->failures : 6);
	r->retry_ms = now + (wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS);
	if (r->failures++ == 2) {
		snprintf(r->barred, sizeof r->barred, "pool %s of %s: the provider does not answer: %.120s", r->pool,
			 sw_worker_name(r->w), err.text);
		burst_event(r->b, r->asker, true, "GrowDelayed", "%s", r->barred);
	}
	if (r->failures > 2) {
		r->barred_ms = r->retry_ms + BARRED_MS;
		burst_changed(r->b, r);
	}
	run_goto(r, INTENT_NOTED);
}

static void call(struct run *r, const struct sw_pool *p)
{
	struct sw_provider *provider = sw_worker_provider(r->w);

	if (!provider || !provider->ops->grow) {
		forget(r);
		return;
	}
	if (r->failures == 0)
		burst_event(r->b, r->asker, false, "ScaleUp", "pool %s of %s grows by %d to %d node%s, %.2f USD/h more",
			    r->pool, sw_worker_name(r->w), r->delta, r->target, r->target == 1 ? "" : "s",
			    isnan(p->price_hour) ? 0 : p->price_hour * r->delta);
	run_goto(r, INTENT_CALLING);
	struct sw_err e = provider->ops->grow(provider, r->pool, r->delta, r->token, on_grown, r);
	if (sw_failed(e))
		on_grown(r, e);
	else if (r->failures == 0)
		sw_metric_add(sw_metric(r->b->opt.metrics, SW_COUNTER, "spillway_burst_nodes_asked_total",
					"Nodes asked of providers.", "cluster,pool"),
			      r->delta, sw_worker_name(r->w), r->pool);
}

/* Does a list made after the call show what was asked for, or why not? */
static void shown(struct run *r, const struct sw_pool *p, int64_t listed_ms)
{
	bool later = listed_ms >= 0 && (uint64_t)listed_ms > r->state_ms;
	uint64_t waited = burst_now(r->b) - r->state_ms;

	if ((later && (p->target >= r->target || r->stockout.last_at_ms >= r->at_ms)) || waited > SHOWN_MS)
		forget(r);
	else
		sw_worker_provider_poll(r->w);
}

bool grow_step(struct run *r)
{
	int64_t listed_ms;
	const struct sw_provider_state *s = sw_worker_provider_state(r->w, &listed_ms);
	const struct sw_pool *p = sw_worker_pool(r->w, r->pool);
	uint64_t now = burst_now(r->b);
	const struct want *first = NULL;

	if (!s || !p)
		return r->state != INTENT_NONE;
	bool news = errors_read(r, s), out = stockout_left(&r->stockout, sw_loop_wall(r->b->opt.loop)) > 0;
	flight_update(r, p, s);
	if (news || out != r->was_out)
		burst_changed(r->b, r);
	r->was_out = out;
	if (r->state == INTENT_NOTED && now >= r->retry_ms)
		call(r, p);
	else if (r->state == INTENT_ACCEPTED)
		shown(r, p, listed_ms);
	else if (r->state == INTENT_NONE && now >= r->retry_ms && now >= r->barred_ms) {
		int delta = delta_of(r, p, &first);
		if (delta > 0)
			intend(r, p, delta, first ? first->key : NULL);
	}
	return r->state != INTENT_NONE || r->in_flight > r->stuck;
}
