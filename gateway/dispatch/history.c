/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.c - attempts that ended before their job did, and what the policy wants after them
 *
 * Kept in memory for the policy's eyes alone: after a restart a job begins with an empty history, which costs it
 * knowledge, never correctness. Bounded: the jobs that were moved longest ago go first.
 */
#include "dispatch_priv.h"

#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

enum { JOBS_MAX = 4096 };

struct past {
	char *cluster, *pool, *reason;
	const char *outcome;
	int64_t began_ms, ended_ms;
	bool spot;
};
struct history {
	UT_hash_handle hh; /* by key, in the order they came */
	struct past past[SW_POLICY_ATTEMPTS];
	size_t n;
	struct plan *plan; /* of the attempt that ended last, until evicted() was asked about it; NULL: it was */
	char *key;
};

static void past_free(struct past *p)
{
	free(p->cluster);
	free(p->pool);
	free(p->reason);
}

static void wipe(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		past_free(&h->past[i]);
	free(h->plan);
	free(h->key);
	memset(h, 0, sizeof *h);
}

static void forget(struct sw_dispatch *d, struct history *h)
{
	HASH_DEL(d->histories, h);
	wipe(h);
	free(h);
}

static struct history *find(struct sw_dispatch *d, const char *key)
{
	struct history *h;
	HASH_FIND_STR(d->histories, key, h);
	return h;
}

void history_forget(struct sw_dispatch *d, const char *key)
{
	struct history *h = find(d, key);
	if (h)
		forget(d, h);
}

void history_free(struct sw_dispatch *d)
{
	struct history *h = d->histories, *next;
	HASH_CLEAR(hh, d->histories);
	for (; h; h = next) {
		next = h->hh.next;
		wipe(h);
		free(h);
	}
}

static struct history *get(struct sw_dispatch *d, const char *key)
{
	struct history *h = find(d, key);
	if (h)
		return h;
	if (HASH_COUNT(d->histories) >= JOBS_MAX) {
		h = d->histories; /* the oldest */
		HASH_DEL(d->histories, h);
		wipe(h);
	} else {
		h = sw_calloc(1, sizeof *h);
	}
	h->key = sw_strdup(key);
	HASH_ADD_KEYPTR(hh, d->histories, h->key, strlen(h->key), h);
	return h;
}

size_t history_attempts(struct sw_dispatch *d, const char *key, struct sw_policy_attempt out[SW_POLICY_ATTEMPTS])
{
	const struct history *h = find(d, key);
	for (size_t i = 0; h && i < h->n; i++) {
		const struct past *p = &h->past[i];
		out[i] = (struct sw_policy_attempt){.cluster = p->cluster,
						    .pool = p->pool,
						    .outcome = p->outcome,
						    .reason = p->reason,
						    .began_ms = p->began_ms,
						    .ended_ms = p->ended_ms,
						    .spot = p->spot};
	}
	return h ? h->n : 0;
}

/* ---- what comes next ------------------------------------------------------------------- */

static void exclude(struct work *wk, const struct sw_policy_after *after)
{
	struct sw_dispatch *d = wk->d;
	for (size_t k = 0; k < after->n_excluded; k++) {
		const struct sw_worker *w = sw_workers_find(d->workers, after->excluded[k]);
		if (w)
			out_mark(wk, w, (uint64_t)after->exclude_ms, "the policy excludes it after an eviction");
	}
}

/* Asks evicted(). otherwise: what is done where the policy does not say, or fails. */
enum sw_policy_then history_ask(struct sw_dispatch *d, struct work *wk, const struct sw_workload *row,
				const struct sw_policy_attempt *attempt, enum sw_policy_then otherwise)
{
	struct options none = {0};
	struct question q;
	struct sw_policy_after after;
	if (!wk->demand || !(sw_policy_has(policy_for(d, row)) & SW_POLICY_HAS_EVICTED))
		return otherwise;
	question_make(d, wk, row, &none, &q);
	struct sw_err e = sw_policy_evicted(policy_for(d, row), &q.in, attempt, &after);
	question_free(&q);
	if (sw_failed(e)) {
		sw_metric_add(d->m_policy, 1, "failed");
		work_say(wk, true, "PolicyFailed", e.text);
		return otherwise;
	}
	exclude(wk, &after);
	if (*after.reason)
		work_say(wk, false, "PolicySays", after.reason);
	return after.then;
}

static const char *outcome_word(const char *reason)
{
	static const char *const words[][2] = {
		{"EvictedOnWorker", "preempted"}, {"PodsNotScheduled", "unschedulable"},
		{"WorkerLost", "lost"},           {"StartRefused", "refused"},
		{"NameTaken", "refused"},         {"CopyDeleted", "deleted"},
		{"CopyMissing", "deleted"},
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i][0], reason) == 0)
			return words[i][1];
	return "moved";
}

void history_evicted(struct work *wk, const struct scene *s, const char *reason, const char *text)
{
	struct sw_dispatch *d = wk->d;
	struct history *h = get(d, wk->key);
	const struct sw_pool *pool = s->winner && s->pool ? sw_worker_pool(s->winner, s->pool) : NULL;
	int64_t wall = sw_loop_wall(d->opt.loop);
	struct past p = {.cluster = sw_strdup(s->row->cluster ? s->row->cluster : ""),
			 .pool = sw_strdup(s->pool ? s->pool : ""),
			 .reason = sw_strdup(text),
			 .outcome = outcome_word(reason),
			 .began_ms = wall - (int64_t)(sw_loop_now(d->opt.loop) - wk->begun_ms),
			 .ended_ms = wall,
			 .spot = pool && pool->spot};
	if (h->n == SW_POLICY_ATTEMPTS) {
		past_free(&h->past[0]);
		memmove(h->past, h->past + 1, sizeof h->past - sizeof *h->past);
		h->n--;
	}
	h->past[h->n++] = p;
	if (!(sw_policy_has(d->opt.policy) & SW_POLICY_HAS_EVICTED))
		return;
	if (!h->plan)
		h->plan = sw_calloc(1, sizeof *h->plan);
	*h->plan = s->plan;
}

/* The policy is asked now and not when the attempt ended: then the job was not at hand any more. */
bool history_plan(struct sw_dispatch *d, struct work *wk, const struct sw_workload *row, struct plan *out)
{
	struct history *h = find(d, wk->key);
	struct sw_policy_attempt attempts[SW_POLICY_ATTEMPTS];
	if (!h || !h->plan)
		return false;
	size_t n = history_attempts(d, wk->key, attempts);
	enum sw_policy_then then = history_ask(d, wk, row, &attempts[n - 1], SW_THEN_PLAN);
	*out = *h->plan;
	free(h->plan);
	h->plan = NULL;
	out->at = then == SW_THEN_RETRY ? 0 : out->at + 1;
	out->win_cluster = out->win_pool = 0;
	out->gang = 0;
	return then != SW_THEN_PLAN && out->at < out->n;
}
