/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finish.c - a copy has ended: its pods, bounded tails of its logs and its last status come home
 *
 * In that order, one thing per reconcile, and the status last: once the job is finished on the manager the copy is
 * swept, and its logs with it. Logs are worth waiting for, but not for ever: after FINISH_MS the job ends without.
 */
#include "dispatch_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

enum { FINISH_MS = 30000, SOON_MS = 20, TRIES = 3 };

/* ---- logs ------------------------------------------------------------------------ */

static void log_next(struct work *wk)
{
	if (wk->log_pod) {
		wk->log_pod->n_kept++;
		wk->log_pod->tries = 0;
	}
	wk->log_pod = NULL;
	free(wk->log_bytes);
	wk->log_bytes = NULL;
	work_step_done(wk, SW_OK, 1);
}

static void on_kept(void *owner, struct sw_err err)
{
	struct work *wk = owner;
	if (sw_failed(err))
		sw_log(WARN, "dispatch", "log not kept", "key=%s pod=%s error=\"%s\"", wk->key,
		       wk->log_pod ? wk->log_pod->name : "", err.text);
	log_next(wk);
}

static void on_tail(void *owner, struct sw_err err, const char *bytes, size_t n, bool cut)
{
	struct work *wk = owner;
	struct sw_dispatch *d = wk->d;
	struct pod *p = wk->log_pod;
	const struct sw_workload *row = row_of(d, wk->key);
	if (sw_failed(err) && sw_err_retry(err.code) != SW_RETRY_TERMINAL && p && ++p->tries < TRIES) {
		wk->log_pod = NULL;
		work_step_done(wk, SW_OK, 200);
		return;
	}
	if (sw_failed(err) || !p || !row || n == 0) { /* a container that never started has none */
		log_next(wk);
		return;
	}
	wk->log_bytes = malloc(n); /* lent to us only until we return */
	if (!wk->log_bytes) {
		log_next(wk);
		return;
	}
	memcpy(wk->log_bytes, bytes, n);
	struct sw_err e = d->m->ops->keep_log(d->m, wk->key, row->ns, p->name, p->containers[p->n_kept], wk->log_bytes,
					      n, cut, on_kept, wk);
	if (sw_failed(e))
		on_kept(wk, e);
}

static struct pod *pod_with_log(struct work *wk, struct sw_worker *w)
{
	struct pod *p, *next;
	HASH_ITER(hh, wk->pods, p, next)
	if (p->w == w && !p->gone && p->n_kept < p->n_containers)
		return p;
	return NULL;
}

static bool logs_go(struct sw_dispatch *d, struct work *wk, struct scene *s, struct sw_worker *w)
{
	bool wanted = d->m->ops->keep_log && d->opt.config->log_tail_bytes > 0;
	struct pod *p = wanted ? pod_with_log(wk, w) : NULL;
	if (!p)
		return false;
	wk->log_pod = p;
	wk->busy = true;
	struct sw_err e = sw_worker_log_tail(w, s->row->ns, p->name, p->containers[p->n_kept],
					     (size_t)d->opt.config->log_tail_bytes, on_tail, wk);
	if (sw_failed(e))
		on_tail(wk, e, NULL, 0, false);
	return true;
}

/* ---- the end ----------------------------------------------------------------------- */

static void on_finished(void *owner, struct sw_err err)
{
	struct work *wk = owner;
	if (!sw_failed(err) && wk->text)
		sw_log(INFO, "dispatch", "finished", "key=%s how=\"%s\"", wk->key, wk->text);
	free(wk->text);
	wk->text = NULL;
	work_step_done(wk, err, 0);
}

static void outcome_words(const struct sw_workload *row, json_t *status, enum sw_outcome outcome, struct sw_worker *w,
			  char *text, size_t size)
{
	json_t *job = json_object_new_object();
	const char *why = "";
	json_object_object_add(job, "status", json_object_get(status));
	row->kind->outcome(row->kind, job, &why);
	snprintf(text, size, "%s on %s%s%.300s", outcome == SW_SUCCEEDED ? "succeeded" : "failed", sw_worker_name(w),
		 why && *why ? ": " : "", why ? why : "");
	json_object_put(job);
}

void finish_go(struct sw_dispatch *d, struct work *wk, struct scene *s, struct sw_worker *w, const struct sw_copy *copy)
{
	const struct sw_workload *row = s->row;
	uint64_t now = sw_loop_now(d->opt.loop);
	char text[PLAN_SENTENCE];
	if (!wk->finish_by_ms)
		wk->finish_by_ms = now + FINISH_MS;
	bool patient = now < wk->finish_by_ms;
	if (patient && d->m->ops->mirror_pod && (wk->pods_busy || pods_dirty(wk))) {
		sw_reconciler_add(d->pods_queue, wk->key);
		work_step_done(wk, SW_OK, SOON_MS);
		return;
	}
	if (patient && logs_go(d, wk, s, w))
		return;
	json_t *status = sw_worker_copy_status(w, row->kind, row->ns, row->job_name);
	if (!status) {
		work_step_done(wk, SW_OK, SOON_MS);
		return;
	}
	outcome_words(row, status, copy->outcome, w, text, sizeof text);
	free(wk->text);
	wk->text = sw_strdup(text);
	wk->busy = true;
	work_withdraw(wk);
	struct sw_err e = d->m->ops->finish(d->m, wk->key, row->job_uid, status, copy->outcome, text, on_finished, wk);
	json_object_put(status);
	if (sw_failed(e))
		on_finished(wk, e);
}
