/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.c - the deadline on a copy that is renewed while its cluster answers
 *
 * batch/v1 Jobs have activeDeadlineSeconds: counted from the start, changeable while the job runs (it is not among what
 * ValidateJobSpecUpdate freezes, k8s.io/kubernetes pkg/apis/batch/validation), and enforced by the cluster's own job
 * controller, whether anybody can reach the cluster or not. So a copy whose renewals stop ends by itself. The deadline
 * that its user set is kept in an annotation and never exceeded.
 */
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

#define DEADLINE "spec.activeDeadlineSeconds"

static int64_t seconds_of(json_t *job, const char *annotation)
{
	const char *s = sw_json_annotation(job, annotation);
	long long n = s ? strtoll(s, NULL, 10) : 0;
	return n > 0 && n <= INT32_MAX ? n : 0;
}

static void seconds_put(json_t *job, const char *annotation, int64_t seconds)
{
	char text[24];
	snprintf(text, sizeof text, "%lld", (long long)seconds);
	sw_json_set_annotation(job, annotation, text);
}

void lease_put(json_t *copy, int64_t lease_s)
{
	int64_t own = sw_json_int(copy, DEADLINE, 0);

	if (lease_s <= 0)
		return;
	seconds_put(copy, SW_ANN_LEASE, lease_s);
	if (own > 0)
		seconds_put(copy, SW_ANN_LEASE_OWN, own);
	sw_json_set_int(copy, DEADLINE, own > 0 && own < lease_s ? own : lease_s);
}

void lease_read(struct copy_row *row, json_t *copy, const char *failed_why)
{
	const char *started = sw_json_str(copy, "status.startTime");
	int64_t deadline = sw_json_int(copy, DEADLINE, 0);

	row->lease_s = seconds_of(copy, SW_ANN_LEASE);
	row->lease_own_s = seconds_of(copy, SW_ANN_LEASE_OWN);
	if (!started || sw_failed(sw_time_parse(started, &row->started_ms)))
		row->started_ms = 0;
	row->lease_capped = row->lease_s && row->lease_own_s && deadline >= row->lease_own_s;
	row->lease_expired = row->lease_s && !row->lease_capped && row->outcome == SW_JOB_FAILED &&
			     strcmp(failed_why, "DeadlineExceeded") == 0;
}

bool sw_worker_can_lease(const struct sw_worker *w, const struct sw_kind *kind)
{
	return !w->ops->offer && strcmp(kind->resource, "jobs.batch") == 0;
}

static void on_renewed(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	if (!sw_failed(err) && reply->object)
		copies_early(a->w, a->kind, reply->object);
	act_end(a, err);
}

struct sw_err sw_worker_renew(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
			      const char *uid, int64_t seconds, sw_worker_fn *done, void *owner)
{
	struct sw_worker_state s = sw_worker_state(w);
	struct copy_row *row = copy_find(w, kind, ns, name);
	struct sw_buf body;

	if (!s.ready)
		return sw_err(SW_E_BUSY, "cluster %s is not ready: %s", w->cfg->name, s.why);
	if (!row || row->gone || strcmp(row->uid, uid) != 0)
		return sw_err(SW_E_BUSY, "cluster %s: the copy is not there any more", w->cfg->name);
	if (row->lease_own_s && seconds > row->lease_own_s)
		seconds = row->lease_own_s;
	json_t *patch = json_object_new_object();
	sw_json_set_str(patch, "metadata.uid", uid);
	sw_json_set_int(patch, DEADLINE, seconds);
	sw_buf_init(&body, 1024);
	sw_buf_json(&body, patch);
	json_object_put(patch);
	struct act *a = act_about(w, kind, ns, name, done, owner);
	a->on_reply = on_renewed;
	struct sw_err e = act_begun(a, job_send(a, SW_KUBE_FENCE, "PATCH", SW_MERGE_PATCH, &body));
	sw_buf_fini(&body);
	return e;
}
