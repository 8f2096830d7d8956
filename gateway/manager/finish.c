/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finish.c - the status of a copy comes home to the user's job
 *
 * The end is two writes, job and Workload, staged together so that they are one commit; if only the job's were there
 * (another manager, an older store), the job reconciler writes the second.
 */
#include <stdio.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/text.h"

struct home { /* one job and what comes home to it */
	struct row *row;
	const struct sw_kind *kind;
	json_t *job;
	uint64_t rv;
};

static struct sw_err home_open(struct emb *m, const char *key, const char *job_uid, struct home *h)
{
	char ns[260], name[254];

	memset(h, 0, sizeof(*h));
	h->row = row_find(m, key);
	if (!h->row || !row_is_of(h->row, job_uid))
		return sw_err(SW_E_MISSING, "workload %s of job uid %s is gone", key, job_uid);
	h->kind = row_kind(h->row);
	snprintf(ns, sizeof(ns), "%.*s", (int)strcspn(key, "/"), key);
	row_job_name(h->row, name);
	struct sw_err e = emb_get(m, h->kind->resource, ns, name, &h->job, &h->rv);
	const char *uid = sw_json_str(h->job, "metadata.uid");

	if (!sw_failed(e) && (!uid || strcmp(uid, job_uid) != 0))
		e = sw_err(SW_E_MISSING, "%s %s/%s is another one now", h->kind->kind, ns, name);
	return e;
}

/* The job's status when this attempt began, or NULL. gives. */
static json_t *base_of(struct emb *m, const struct row *r)
{
	json_t *w, *base = NULL;
	uint64_t rv;

	if (r->attempt < 2 || sw_failed(emb_get_key(m, WORKLOADS, r->text, &w, &rv)))
		return NULL;
	const char *text = sw_json_annotation(w, SW_ANN_STATUS_BASE);

	if (text && sw_failed(sw_json_parse(text, strlen(text), &base)))
		base = NULL;
	json_object_put(w);
	return base;
}

/* True if the job is another one now. */
static bool bring_home(struct emb *m, struct home *h, json_t *copy_status)
{
	json_t *base = base_of(m, h->row), *local = sw_json_key(h->job, "status");

	SW_REQUIRE(h->kind); /* home_open() found it */
	json_t *status = h->kind->status_home(h->kind, local, copy_status, base);
	bool same = json_object_equal(local, status);

	json_object_put(base);
	if (same)
		json_object_put(status);
	else
		json_object_object_add(h->job, "status", status);
	return !same;
}

/* It won and its copy runs: the first report may come before the reconciler has been here. */
static bool resume(struct emb *m, struct home *h)
{
	char now[32];

	if (!row_admitted(h->row) || job_stopped_by_user(h->job) || !sw_kind_suspended(h->kind, h->job))
		return false;
	sw_kind_suspend(h->kind, h->job, false);
	sw_json_set_int(h->job, "metadata.generation", sw_json_int(h->job, "metadata.generation", 1) + 1);
	emb_now(m, now);
	if (sw_json_condition_true(h->job, "Suspended"))
		sw_json_set_condition(h->job, "Suspended", false, "JobResumed", "Job resumed", now);
	return true;
}

static void home_put(struct home *h)
{
	json_object_put(h->job);
}

struct sw_err sync_status_op(struct sw_manager *base, const char *key, const char *job_uid, json_t *copy_status,
			     sw_manager_fn *done, void *owner)
{
	struct emb *m = emb_of(base);
	struct home h;
	char job_key[KEY_MAX];
	struct sw_err e = home_open(m, key, job_uid, &h);

	if (!sw_failed(e) && (!h.row->cluster || !(h.row->flags & ROW_RESERVED)))
		e = sw_err(SW_E_CONFLICT, "workload %s has no winner: the attempt is over", key);
	if (sw_failed(e)) {
		home_put(&h);
		return e;
	}
	bool resumed = resume(m, &h), changed = bring_home(m, &h, copy_status);

	row_job_key(h.row, job_key);
	struct put put = {.done = done, .owner = owner, .retry = job_key};

	if (resumed || changed)
		e = emb_put(m, h.kind->resource, h.job, h.rv, &put);
	else
		emb_later(m, done, owner, SW_OK);
	home_put(&h);
	return e;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* The copy did not live to say it. */
static void say_end(struct home *h, enum sw_outcome outcome, const char *message, const char *now)
{
	bool well = outcome == SW_SUCCEEDED, batch = strcmp(h->kind->group, "batch") == 0;
	const char *reason = well ? "Finished" : "CopyFailed", *why;

	if (h->kind->outcome(h->kind, h->job, &why) != SW_UNFINISHED)
		return;
	if (batch)
		sw_json_set_condition(h->job, well ? "SuccessCriteriaMet" : "FailureTarget", true, reason, message,
				      now);
	sw_json_set_condition(h->job,
			      batch  ? well ? "Complete" : "Failed"
			      : well ? "Succeeded"
				     : "Failed",
			      true, reason, message, now);
	if (!sw_json_str(h->job, "status.startTime"))
		sw_json_set_str(h->job, "status.startTime", now);
	if (well || !batch)
		sw_json_set_str(h->job, "status.completionTime", now);
	json_object_object_del(sw_json_key(h->job, "status"), "active");
	json_object_object_del(sw_json_key(h->job, "status"), "ready");
	json_object_object_del(sw_json_key(h->job, "status"), "terminating");
}

struct sw_err finish_workload(struct emb *m, const char *key, enum sw_outcome outcome, const char *message,
			      const struct put *put)
{
	json_t *w;
	uint64_t rv;
	char now[32];
	struct sw_err e = emb_get_key(m, WORKLOADS, key, &w, &rv);

	if (sw_failed(e))
		return e;
	if (sw_json_condition_true(w, "Finished")) {
		emb_later(m, put->done, put->owner, SW_OK);
		json_object_put(w);
		return SW_OK;
	}
	emb_now(m, now);
	workload_finish(w, outcome, message, now);
	e = emb_put(m, WORKLOADS, w, rv, put);
	if (!sw_failed(e))
		sw_metric_add(m->m_finished, 1, outcome == SW_SUCCEEDED ? "succeeded" : "failed");
	json_object_put(w);
	return e;
}

struct sw_err finish_op(struct sw_manager *base, const char *key, const char *job_uid, json_t *copy_status,
			enum sw_outcome outcome, const char *message, sw_manager_fn *done, void *owner)
{
	struct emb *m = emb_of(base);
	struct home h;
	char now[32], job_key[KEY_MAX];
	struct put first = {.retry = job_key}, last = {.done = done, .owner = owner, .key = key};
	struct sw_err e = home_open(m, key, job_uid, &h);

	if (sw_failed(e)) {
		home_put(&h);
		return e;
	}
	emb_now(m, now);
	row_job_key(h.row, job_key);
	bool changed = resume(m, &h);

	changed |= bring_home(m, &h, copy_status);
	say_end(&h, outcome, message, now);
	if (changed || outcome != SW_UNFINISHED)
		e = emb_put(m, h.kind->resource, h.job, h.rv, &first);
	if (!sw_failed(e))
		e = finish_workload(m, key, outcome, message, &last);
	if (!sw_failed(e))
		emb_event_object(m, h.kind->resource, h.job, outcome != SW_SUCCEEDED, "FinishedWorkload",
				 "Workload '%s' is declared finished", key);
	home_put(&h);
	return e;
}
