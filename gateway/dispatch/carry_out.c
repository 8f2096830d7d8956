/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carry_out.c - does the one thing that the rule names, and reports back to the queue exactly once
 *
 * Each action is idempotent: after a crash, a lost reply or a conflict the scene is read again and the rules
 * decide anew. What an asynchronous action needs at its end stands in the work; the scene is gone by then.
 */
#include "dispatch_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

enum { SOON_MS = 50, WAIT_MS = 1000, TELL_EVERY_MS = 5000 };

/* ---- helpers ------------------------------------------------------------------- */

struct sw_offer offer_of(const struct work *wk, const struct sw_workload *row, const char *pool)
{
	return (struct sw_offer){.key = wk->key,
				 .kind = row->kind,
				 .ns = row->ns,
				 .name = row->job_name,
				 .owner_uid = row->job_uid,
				 .attempt = row->attempt,
				 .pool = pool,
				 .demand = wk->demand,
				 .workload = wk->workload};
}

static void spot_clear(struct spot *s)
{
	free(s->pool);
	*s = (struct spot){0};
}

static void spot_set(struct spot *s, struct sw_worker *w, const char *pool)
{
	char *copy = sw_strdup(pool);
	free(s->pool);
	*s = (struct spot){w, copy};
}

void work_withdraw(struct work *wk)
{
	if (wk->reserved.w)
		sw_worker_unreserve(wk->reserved.w, wk->key);
	spot_clear(&wk->reserved);
	if (wk->grows.w)
		sw_burst_unwant(wk->d->burst, wk->key);
	spot_clear(&wk->grows);
	wk->grows_nodes = 0;
	depth_set(wk, "");
}

/* One reservation at a time: an earlier one elsewhere goes. */
static struct sw_err reserve(struct work *wk, const struct sw_workload *row, struct sw_worker *w, const char *pool,
			     int *missing)
{
	struct sw_offer offer = offer_of(wk, row, pool);
	if (wk->reserved.w && wk->reserved.w != w)
		sw_worker_unreserve(wk->reserved.w, wk->key);
	spot_clear(&wk->reserved);
	struct sw_err e = sw_worker_reserve(w, &offer, missing);
	if (!sw_failed(e))
		spot_set(&wk->reserved, w, pool);
	return e;
}

void work_say(struct work *wk, bool warning, const char *reason, const char *text)
{
	uint64_t hash = sw_hash(reason, strlen(reason)) * 31 + sw_hash(text, strlen(text));
	if (hash == wk->said)
		return;
	wk->said = hash;
	wk->d->m->ops->event(wk->d->m, wk->key, warning, reason, text);
}

static void on_changed(void *owner, struct sw_err err)
{
	work_step_done(owner, err, 0);
}

void work_message(struct work *wk, const struct scene *s, const char *sentence)
{
	struct sw_dispatch *d = wk->d;
	char now[PLAN_SENTENCE], next[PLAN_SENTENCE], message[PLAN_MESSAGE];
	uint64_t ms = sw_loop_now(d->opt.loop);
	plan_encode(&s->plan, sentence, message);
	plan_sentence(message, next);
	plan_sentence(s->row->message, now);
	if (strcmp(now, next) == 0 || (wk->told_ms && ms < wk->told_ms + TELL_EVERY_MS)) {
		work_step_done(wk, SW_OK, s->again_ms ? s->again_ms : strcmp(now, next) ? TELL_EVERY_MS : 0);
		return;
	}
	wk->told_ms = ms ? ms : 1;
	struct sw_change c = {.op = SW_CHANGE_MESSAGE, .message = message};
	wk->busy = true;
	struct sw_err e = d->m->ops->change(d->m, wk->key, s->row->rv, &c, on_changed, wk);
	if (sw_failed(e))
		work_step_done(wk, e, 0);
}

/* ---- waiting ---------------------------------------------------------------------- */

/* "rule (cluster: why)" */
static void hold_words(const struct work *wk, const struct scene *s, const char *why, char *text, size_t size)
{
	struct sw_worker *w = s->v.extra >= 0 ? s->extra : s->winner;
	const char *where = w ? sw_worker_name(w) : s->row->cluster ? s->row->cluster : "";
	const char *detail = s->row->cluster ? "not in the configuration" : "";
	if (s->v.job_bad)
		detail = wk->job_why ? wk->job_why : "";
	else if (w)
		detail = sw_worker_state(w).why ? sw_worker_state(w).why : "";
	if (*where && *detail)
		snprintf(text, size, "%s (%s: %.400s)", why, where, detail);
	else if (*where || *detail)
		snprintf(text, size, "%s (%s%.400s)", why, where, detail);
	else
		snprintf(text, size, "%s", why);
}

/* Kueue deactivates the Workload of a rejected check: it waits no longer for a cluster, but for its user. */
static void reject(struct work *wk, const struct scene *s)
{
	struct sw_dispatch *d = wk->d;
	char text[PLAN_SENTENCE];
	struct sw_change c = {.op = SW_CHANGE_REJECT, .reason = "InvalidJob", .message = text};
	sw_cut(text, sizeof text, wk->job_why ? wk->job_why : "");
	work_say(wk, true, "InvalidJob", text);
	wk->busy = true;
	struct sw_err e = d->m->ops->change(d->m, wk->key, s->row->rv, &c, on_changed, wk);
	if (sw_failed(e))
		work_step_done(wk, e, 0);
}

static void hold(struct work *wk, const struct scene *s, const char *why)
{
	if (s->v.job_bad && !s->row->cluster && wk->d->m->ops->rejects) {
		reject(wk, s);
		return;
	}
	const char *reason = s->v.lost           ? "WorkerLost"
			     : s->v.store_is_old ? "StoreRestored"
			     : s->v.job_bad      ? "InvalidJob"
						 : "Waiting";
	char text[PLAN_SENTENCE];
	hold_words(wk, s, why, text, sizeof text);
	work_say(wk, true, reason, text);
	work_message(wk, s, text);
}

static void rest(struct work *wk, const struct scene *s)
{
	const struct view *v = &s->v;
	uint64_t now = sw_loop_now(wk->d->opt.loop);
	uint64_t again = s->again_ms;
	if (v->has_winner) {
		bool unplaced = v->current && !v->suspended && !v->placed_noted && !v->placed;
		if (unplaced && !wk->unplaced_since_ms) {
			wk->unplaced_since_ms = now ? now : 1;
			again = (uint64_t)wk->d->opt.config->hold_placed_ms;
		}
		work_drop_job(wk); /* it runs: nothing needs the manifest */
		line_leave(wk);
		work_seeks(wk, false);
	} else if (v->plan_known && s->plan.step[s->plan.at].n) {
		depth_at(wk, &s->plan);
		line_join(wk, s);
	}
	work_step_done(wk, SW_OK, again);
}

/* ---- copies ------------------------------------------------------------------------- */

static void on_worker_done(void *owner, struct sw_err err)
{
	struct work *wk = owner;
	if (!sw_failed(err) && wk->step == STEP_STOP)
		wk->doubt = false;
	if (!sw_failed(err) && wk->step == STEP_TOMBSTONE)
		wk->tombstoned = true;
	/* The copy's own change wakes us; the delay is for a change that is not reported. */
	work_step_done(wk, err, wk->step == STEP_WITHDRAW ? 1 : WAIT_MS);
}

static struct sw_err copy_act(struct work *wk, const struct scene *s, enum step step)
{
	const struct sw_workload *row = s->row;
	if (step == STEP_TOMBSTONE)
		return sw_worker_tombstone(s->winner, row->kind, row->ns, row->job_name, row->job_uid, on_worker_done,
					   wk);
	if (step == STEP_STOP)
		return sw_worker_stop(s->extra, row->kind, row->ns, row->job_name, s->extra_copy.uid, on_worker_done,
				      wk);
	return sw_worker_sweep(s->extra, row->kind, row->ns, row->job_name, s->extra_copy.uid, on_worker_done, wk);
}

/* ---- start ------------------------------------------------------------------------------ */

static bool is_refusal(enum sw_code c)
{
	return c == SW_E_INVALID || c == SW_E_FORBIDDEN || c == SW_E_TOOBIG || c == SW_E_UNSUPPORTED ||
	       c == SW_E_MISSING || c == SW_E_EXISTS;
}

/* A server that has just started says 403 until it has read who may do what, so that word must be repeated. */
static void start_refused(struct work *wk, struct sw_err err)
{
	wk->start_failures += err.code == SW_E_FORBIDDEN ? 1 : START_TRIES;
	if (wk->start_failures >= START_TRIES)
		out_refused(wk, wk->w, OUT_MS, err);
	sw_metric_add(wk->d->m_errors, 1, sw_code_name(err.code));
	sw_log(WARN, "dispatch", "job refused", "key=%s cluster=%s try=%u error=\"%s\"", wk->key, sw_worker_name(wk->w),
	       wk->start_failures, err.text);
}

static void on_started(void *owner, struct sw_err err)
{
	struct work *wk = owner;
	struct sw_dispatch *d = wk->d;
	bool unsuspended = wk->text != NULL;
	wk->doubt = sw_failed(err) && !is_refusal(err.code);
	if (sw_failed(err))
		wk->lease_began_ms = 0; /* if it starts all the same, the cluster's clock says when */
	if (!sw_failed(err)) {
		wk->start_failures = 0;
		if (unsuspended) {
			if (wk->lease_began_ms)
				wk->lease_began_ms = sw_loop_now(d->opt.loop); /* no earlier than it began there */
			work_say(wk, false, "Started", wk->text);
			sw_metric_observe(d->m_start, (double)(sw_loop_now(d->opt.loop) - wk->begun_ms) / 1000,
					  sw_worker_name(wk->w));
		}
	} else if (is_refusal(err.code)) {
		start_refused(wk, err);
		err = SW_OK;
	}
	free(wk->text);
	wk->text = NULL;
	work_step_done(wk, err, wk->start_failures >= START_TRIES ? 1 : WAIT_MS);
}

static struct sw_err start(struct work *wk, const struct scene *s)
{
	struct sw_offer offer = offer_of(wk, s->row, s->pool);
	int missing;
	offer.lease_s = s->plan.lease_s;
	wk->w = s->winner;
	if (!s->v.current) { /* after a restart nobody else knows that this room is taken */
		struct sw_err e = reserve(wk, s->row, s->winner, s->pool, &missing);
		if (sw_failed(e))
			return e;
	}
	if (s->v.current || s->v.by_offer)
		wk->text = sw_asprintf("started on %s/%s, attempt %u", sw_worker_name(s->winner), s->pool,
				       s->row->attempt);
	if (s->v.current)
		lease_started(wk, s);
	struct sw_err e = sw_worker_start(s->winner, &offer, wk->job, on_started, wk);
	if (is_refusal(e.code)) { /* it cannot even be said to that cluster */
		on_started(wk, e);
		return SW_OK;
	}
	return e;
}

/* ---- the manager --------------------------------------------------------------------------- */

static void attempt_reset(struct work *wk)
{
	work_withdraw(wk);
	work_drop_job(wk);
	pods_free(wk);
	wk->status_sent = wk->doubt = wk->tombstoned = false;
	wk->unplaced_since_ms = 0;
	wk->start_failures = 0;
	wk->history_noted = false;
	wk->finish_by_ms = wk->plan_at_ms = 0;
	wk->lease_began_ms = wk->lease_next_ms = 0;
	wk->plan_vain = false;
}

static void on_released(void *owner, struct sw_err err)
{
	struct work *wk = owner;
	if (!sw_failed(err))
		attempt_reset(wk);
	work_step_done(wk, err, 0);
}

/* Nothing is wrong with the cluster then. */
static bool is_lost_track(const struct view *v)
{
	return v->seen == SW_COPY_ABSENT && !v->named_now;
}

/* An offer that was preempted may be admitted again; one that the cluster has given up, or whose pods did not become
 * ready there, would be again. */
static bool is_to_blame(const struct scene *s)
{
	const struct view *v = &s->v;
	if (v->taken_back)
		return s->offered.over || s->offered.unready;
	if (v->lease_over)
		return false;
	return !v->begun && !is_lost_track(v);
}

static const char *evict_reason(const struct scene *s)
{
	const struct view *v = &s->v;
	const struct {
		bool applies;
		const char *reason;
	} rows[] = {
		{v->dead, "WorkerDead"},
		{v->seen == SW_COPY_FOREIGN, "NameTaken"},
		{v->lease_over, "LeaseExpired"},
		{v->begun, "CopyDeleted"},
		{is_lost_track(v), "CopyMissing"},
		{v->taken_back, "EvictedOnWorker"},
		{v->start_refused, "StartRefused"},
		{v->running_long_unplaced, "PodsNotScheduled"},
		{v->job_bad, "InvalidJob"},
	};
	if (!v->may_run)
		return s->row->suspended_by_user ? "Suspended" : !s->row->active ? "Deactivated" : "QuotaLost";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].applies)
			return rows[i].reason;
	return "WorkerLost";
}

/* The cluster's own words. */
static const char *what_it_said(const struct work *wk, const struct scene *s)
{
	const struct out *out = s->v.start_refused && s->winner ? out_now(wk, s->winner) : NULL;
	return s->v.taken_back ? s->offered.why : out ? out->why : "";
}

/* The next attempt tries another place first. */
static void blame(struct work *wk, const struct scene *s, const char *why)
{
	const struct out *out = out_now(wk, s->winner);
	if (!out || !out->refused)
		out_mark(wk, s->winner, OUT_MS, why);
}

static struct sw_err evict(struct work *wk, const struct scene *s, const char *why)
{
	char text[PLAN_SENTENCE], message[PLAN_MESSAGE];
	const char *reason = evict_reason(s);
	const char *said = s->v.may_run ? what_it_said(wk, s) : "";
	snprintf(text, sizeof text, "%s (cluster %s, attempt %u)%s%.400s", why, s->row->cluster, s->row->attempt,
		 *said ? ": " : "", said);
	plan_encode(&s->plan, text, message);
	if (s->v.may_run && s->winner && is_to_blame(s))
		blame(wk, s, why);
	work_say(wk, s->v.may_run, reason, text);
	if (s->v.may_run && !wk->history_noted) {
		wk->history_noted = true; /* the write below may have to be repeated */
		history_evicted(wk, s, reason, text);
	}
	struct sw_change c = {.op = SW_CHANGE_EVICT, .reason = reason, .message = message};
	return wk->d->m->ops->change(wk->d->m, wk->key, s->row->rv, &c, on_changed, wk);
}

static struct sw_err release(struct work *wk, const struct scene *s, const char *why)
{
	struct sw_change c = {.op = SW_CHANGE_RELEASED, .message = why};
	return wk->d->m->ops->change(wk->d->m, wk->key, s->row->rv, &c, on_released, wk);
}

static struct sw_err placed(struct work *wk, struct scene *s)
{
	char text[PLAN_SENTENCE], reason[PLAN_SENTENCE], message[PLAN_MESSAGE];
	char who[48] = "its pod is";
	if (s->plan.gang != 1)
		snprintf(who, sizeof who, "all %lld pods are", (long long)s->plan.gang);
	snprintf(text, sizeof text, "%s scheduled on %s/%s", who, sw_worker_name(s->winner), s->pool);
	work_say(wk, false, "Running", text);
	s->plan.gang = 0;
	plan_reason(s->row->message, reason);
	snprintf(text, sizeof text, "runs on %s/%s%s%.800s", sw_worker_name(s->winner), s->pool, *reason ? ": " : "",
		 reason);
	plan_encode(&s->plan, text, message);
	struct sw_change c = {.op = SW_CHANGE_MESSAGE, .message = message};
	return wk->d->m->ops->change(wk->d->m, wk->key, s->row->rv, &c, on_changed, wk);
}

static struct sw_err adopt(struct work *wk, struct scene *s)
{
	struct sw_copy copy = sw_worker_copy(s->adopt, s->row->kind, s->row->ns, s->row->job_name, s->row->job_uid);
	char text[PLAN_SENTENCE], message[PLAN_MESSAGE];
	snprintf(text, sizeof text, "a copy of attempt %u is on %s already: adopted", copy.attempt,
		 sw_worker_name(s->adopt));
	plan_init(&s->plan);
	plan_set_winner(&s->plan, sw_worker_name(s->adopt), copy.pool && *copy.pool ? copy.pool : "unknown");
	plan_encode(&s->plan, text, message);
	work_withdraw(wk);
	work_say(wk, true, "Adopted", text);
	struct sw_change c = {.op = SW_CHANGE_WIN, .cluster = sw_worker_name(s->adopt), .message = message};
	return wk->d->m->ops->change(wk->d->m, wk->key, s->row->rv, &c, on_changed, wk);
}

static void on_synced(void *owner, struct sw_err err)
{
	struct work *wk = owner;
	wk->status_sent = !sw_failed(err);
	work_step_done(wk, err, 0);
}

static struct sw_err sync_status(struct work *wk, const struct scene *s)
{
	const struct sw_workload *row = s->row;
	json_t *status = sw_worker_copy_status(s->winner, row->kind, row->ns, row->job_name);
	wk->status_hash = s->copy.status_hash;
	if (!status) { /* created, but its controller has not spoken yet */
		wk->status_sent = true;
		work_step_done(wk, SW_OK, 0);
		return SW_OK;
	}
	struct sw_err e = wk->d->m->ops->sync_status(wk->d->m, wk->key, row->job_uid, status, on_synced, wk);
	json_object_put(status);
	return e;
}

static void on_read(void *owner, struct sw_err err, json_t *job, json_t *workload)
{
	struct work *wk = owner;
	struct sw_dispatch *d = wk->d;
	const struct sw_workload *row = row_of(d, wk->key);
	if (!sw_failed(err) && job && row) {
		work_drop_job(wk);
		wk->job = json_object_get(job);
		wk->workload = json_object_get(workload);
		wk->demand = sw_calloc(1, sizeof *wk->demand);
		wk->job_rv = row->rv;
		wk->job_mark = row->job_mark;
		wk->job_read_ms = sw_loop_now(d->opt.loop);
		if (wk->plan_vain)
			wk->plan_at_ms = wk->job_read_ms; /* it may ask for something else now */
		struct sw_err e = sw_demand_read(row->kind, wk->job, d->opt.catalog, wk->demand);
		free(wk->job_why);
		wk->job_why = sw_failed(e) ? sw_strdup(e.text) : NULL;
		if (sw_failed(e)) {
			free(wk->demand);
			wk->demand = NULL;
		}
	}
	/* What it is read for comes before other jobs are read: a crowd would stand in memory otherwise. */
	if (!sw_failed(err))
		work_step_next(wk);
	else /* gone meanwhile: the row says so, or will */
		work_step_done(wk, err.code == SW_E_MISSING ? SW_OK : err, err.code == SW_E_MISSING ? WAIT_MS : 1);
}

/* ---- offers ------------------------------------------------------------------------------------ */

void calls_free(struct work *wk)
{
	free(wk->calls);
	free(wk->call_err);
	wk->calls = NULL;
	wk->call_err = NULL;
}

static void offers_end(struct work *wk)
{
	struct sw_err e = wk->call_err ? *wk->call_err : SW_OK;
	calls_free(wk);
	if (!sw_failed(e) && wk->text)
		work_say(wk, false, "Offered", wk->text);
	free(wk->text);
	wk->text = NULL;
	work_step_done(wk, e, WAIT_MS);
}

static void offer_answered(struct offer_call *call, struct sw_err err)
{
	struct work *wk = call->wk;
	if (is_refusal(err.code) || err.code == SW_E_AUTH) {
		char text[500];
		out_refused(wk, call->w, OUT_OFFER_MS, err);
		snprintf(text, sizeof text, "cluster %s refused the offer: %s", sw_worker_name(call->w),
			 out_now(wk, call->w)->why);
		work_say(wk, true, "OfferRefused", text);
	} else if (sw_failed(err) && !wk->call_err) {
		wk->call_err = sw_calloc(1, sizeof err);
		*wk->call_err = err;
	}
	if (--wk->n_calls == 0)
		offers_end(wk);
}

static void on_offered(void *owner, struct sw_err err)
{
	offer_answered(owner, err);
}

/* All at once: none of them runs anything. */
static void offer(struct work *wk, const struct scene *s)
{
	const struct plan_step *st = &s->plan.step[s->plan.at];
	struct sw_buf words;
	int n = 0;
	sw_buf_init(&words, 16 << 10);
	calls_free(wk);
	wk->calls = sw_calloc(st->n + 1, sizeof *wk->calls);
	wk->busy = true;
	wk->n_calls = 1; /* ours, until all are sent */
	for (int i = 0; i < st->n; i++) {
		if (!(s->offers >> i & 1))
			continue;
		const char *cluster = plan_text(&s->plan, st->place[i].cluster),
			   *pool = plan_text(&s->plan, st->place[i].pool);
		struct offer_call *call = &wk->calls[n];
		struct sw_offer o = offer_of(wk, s->row, pool);
		*call = (struct offer_call){wk, sw_workers_find(wk->d->workers, cluster)};
		sw_buf_printf(&words, "%s%s/%s", n++ ? ", " : "offered to ", cluster, pool);
		wk->n_calls++;
		struct sw_err e = sw_worker_offer(call->w, &o, on_offered, call);
		if (sw_failed(e))
			offer_answered(call, e);
	}
	free(wk->text);
	wk->text = sw_buf_ok(&words) && words.len ? sw_strdup(words.at) : NULL;
	sw_buf_fini(&words);
	if (--wk->n_calls == 0)
		offers_end(wk);
}

static struct sw_err withdraw(struct work *wk, const struct scene *s)
{
	return sw_worker_withdraw(s->extra_offer, wk->key, s->extra_offered.uid, on_worker_done, wk);
}

/* ---- growing --------------------------------------------------------------------------------- */

static void grow(struct work *wk, const struct scene *s)
{
	struct sw_dispatch *d = wk->d;
	const struct plan_place *p = &s->plan.step[s->plan.at].place[s->v.grow_candidate];
	const char *cluster = plan_text(&s->plan, p->cluster), *pool = plan_text(&s->plan, p->pool);
	struct sw_worker *w = sw_workers_find(d->workers, cluster);
	char place[sizeof wk->waits_for];
	int missing = 0;
	/* What there is of the pool is kept for us; nodes that come are ours too. */
	struct sw_err e = w ? reserve(wk, s->row, w, pool, &missing) : SW_OK;
	if (w && !sw_failed(e) && missing > 0) {
		spot_set(&wk->grows, w, pool);
		wk->grows_nodes = s->grow_nodes;
		sw_burst_want(d->burst, wk->key, cluster, pool, missing);
		snprintf(place, sizeof place, "%.78s/%.78s", cluster, pool);
		depth_set(wk, place);
	}
	work_step_done(wk, e, missing > 0 ? s->again_ms : 1);
}

/* ------------------------------------------------------------------------------------------------ */

static struct sw_err begin(struct sw_dispatch *d, struct work *wk, struct scene *s, enum step step, const char *why)
{
	switch (step) {
	case STEP_STOP:
	case STEP_SWEEP:
	case STEP_TOMBSTONE:
		return copy_act(wk, s, step);
	case STEP_WITHDRAW:
		return withdraw(wk, s);
	case STEP_PRIORITIZE:
		return priority_tell(wk, s);
	case STEP_EVICT:
		return evict(wk, s, why);
	case STEP_RELEASE:
		return release(wk, s, why);
	case STEP_READ:
		return d->m->ops->read(d->m, wk->key, on_read, wk);
	case STEP_START:
		return start(wk, s);
	case STEP_COMPANION:
		return companions_send(wk, s);
	case STEP_RENEW:
		return lease_renew(wk, s);
	case STEP_SYNC:
		return sync_status(wk, s);
	case STEP_PLACED:
		return placed(wk, s);
	default:
		return adopt(wk, s); /* STEP_ADOPT */
	}
}

static void win(struct sw_dispatch *d, struct work *wk, struct scene *s)
{
	const struct plan_place *p = &s->plan.step[s->plan.at].place[s->v.ready_candidate];
	decide_win(d, wk, s, sw_workers_find(d->workers, plan_text(&s->plan, p->cluster)), plan_text(&s->plan, p->pool),
		   "");
}

void carry_out(struct sw_dispatch *d, struct work *wk, struct scene *s, enum step step, const char *why)
{
	const struct view *v = &s->v;
	wk->step = step;
	wk->why = why;
	if (step != STEP_REST && step != STEP_READ) {
		line_leave(wk);
		work_seeks(wk, true);
	}
	if (v->current && !v->begun && (!v->suspended || step == STEP_START))
		work_begins(wk, s);
	switch (step) {
	case STEP_FORGET:
	case STEP_WAIT:
		work_step_done(wk, SW_OK, step == STEP_WAIT && !s->again_ms ? WAIT_MS : s->again_ms);
		return;
	case STEP_REST:
		rest(wk, s);
		return;
	case STEP_HOLD:
		hold(wk, s, why);
		return;
	case STEP_PLAN:
		decide_plan(d, wk, s);
		return;
	case STEP_NEXT:
		decide_next(d, wk, s);
		return;
	case STEP_WIN:
		win(d, wk, s);
		return;
	case STEP_OFFER:
		offer(wk, s);
		return;
	case STEP_GROW:
		grow(wk, s);
		return;
	case STEP_FINISH:
		finish_go(d, wk, s, s->winner, &s->copy);
		return;
	case STEP_FINISH_OLD:
		finish_go(d, wk, s, s->extra, &s->extra_copy);
		return;
	default:
		break;
	}
	wk->busy = true;
	struct sw_err e = begin(d, wk, s, step, why);
	if (sw_failed(e))
		work_step_done(wk, e, 0);
}
