/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.c - batch/v1 Job, indexed ones too
 *
 * A gang is min(parallelism, completions) pods: what Kueue reserves for (pkg/controller/jobs/job/job_controller.go,
 * podsCount, v0.19.2), and what the job controller runs at once.
 *
 * The rules for a legal status are those of the API server for jobs that somebody else manages: kubernetes 1.36,
 * pkg/registry/batch/job/strategy.go (getStatusValidationOptions) and pkg/apis/batch/validation
 * (ValidateJobStatusUpdate).
 */
#include <string.h>
#include "kinds_priv.h"

static size_t podsets(const struct sw_kind *k, json_t *job, struct sw_podset out[SW_PODSETS_MAX])
{
	int32_t pods = kinds_count_lax(job, "spec.parallelism", 1),
		all = kinds_count_lax(job, "spec.completions", INT32_MAX);

	(void)k;
	kinds_podset(out, "main", pods < all ? pods : all, sw_json_at(job, "spec.template"), "spec.template");
	return 1;
}

static struct sw_err check(const struct sw_kind *k, json_t *job)
{
	int64_t n;
	struct sw_err e = kinds_count(job, "spec.parallelism", 1, 1,
				      &n); /* none: it would hold its place in the queue for ever */

	(void)k;
	if (!sw_failed(e))
		e = kinds_count(job, "spec.completions", 1, 1, &n);
	if (!sw_failed(e) && !sw_json_at(job, "spec.template"))
		e = sw_err(SW_E_INVALID, "spec.template: found nothing, expected a pod template");
	return e;
}

static enum sw_outcome outcome(const struct sw_kind *k, json_t *job, const char **why)
{
	static const char *const done[] = {"Complete", NULL}, *const failed[] = {"Failed", NULL};
	json_t *c = kinds_true_condition(job, done);
	enum sw_outcome o = c ? SW_SUCCEEDED : SW_UNFINISHED;

	(void)k;
	if (!c && (c = kinds_true_condition(job, failed)))
		o = SW_JOB_FAILED;
	*why = sw_json_str(c, "reason");
	*why = *why ? *why : "";
	return o;
}

static int64_t active(const struct sw_kind *k, json_t *job)
{
	/* `active` leaves out pods that are being deleted; they may still run. */
	return kinds_active(k, job, sw_json_int(job, "status.active", 0) + sw_json_int(job, "status.terminating", 0));
}

/* Kueue: IsActive is status.active != 0. `ready` may not be more than `active`. */
static void idle(const struct sw_kind *k, json_t *status)
{
	(void)k;
	sw_json_set_int(status, "active", 0);
	sw_json_set_int(status, "ready", 0);
	if (sw_json_key(status, "terminating"))
		sw_json_set_int(status, "terminating", 0);
}

static void prepare(const struct sw_kind *k, json_t *copy)
{
	static const char *const own[] = {"controller-uid", "batch.kubernetes.io/controller-uid", "job-name",
					  "batch.kubernetes.io/job-name", NULL};

	sw_json_del(copy, k->managed_by_path);
	if (sw_json_bool(copy, "spec.manualSelector"))
		return; /* the user's own selector and labels, which must match */
	sw_json_del(copy, "spec.selector");
	kinds_drop_labels(sw_json_at(copy, "spec.template"), own);
}

/* ---- status ----------------------------------------------------------------- */

static int64_t max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void set_count(json_t *status, const char *field, int64_t n)
{
	if (n > INT32_MAX)
		n = INT32_MAX;
	if (n > 0 || sw_json_key(status, field))
		sw_json_set_int(status, field, n);
}

/* Two steps lead to an end: the one that announces it may not be taken back, the one that ends must come with it. */
static const struct ending {
	const char *end, *announced, *reason;
} endings[] = {
	{"Complete", "SuccessCriteriaMet", "CompletionsReached"},
	{"Failed", "FailureTarget", "BackoffLimitExceeded"},
};

static void drop_condition(json_t *status, const char *type)
{
	json_t *list = sw_json_key(status, "conditions");

	for (size_t i = sw_json_len(list); i-- > 0;) {
		const char *t = sw_json_str(sw_json_idx(list, i), "type");

		if (t && strcmp(t, type) == 0)
			json_object_array_del_idx(list, i, 1);
	}
}

/* Conditions of another cluster's job, made legal here. Returns the terminal one, or NULL while it runs. */
static json_t *settle_conditions(json_t *status)
{
	json_t *end = NULL;

	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		const struct ending *d = &endings[i];
		json_t *c = end ? NULL : kinds_status_condition(status, d->end);

		if (!c) { /* announced only: the next attempt, elsewhere, may end otherwise */
			drop_condition(status, d->announced);
			if (end)
				drop_condition(status, d->end);
			continue;
		}
		end = c;
		if (kinds_status_condition(status, d->announced))
			continue;
		drop_condition(status, d->announced);
		json_t *also = sw_json_copy(c); /* workers before Kubernetes 1.31 do not announce */
		sw_json_set_str(also, "type", d->announced);
		if (!sw_json_str(also, "reason"))
			sw_json_set_str(also, "reason", d->reason);
		json_object_array_add(sw_json_key(status, "conditions"), also);
	}
	return end;
}

static void settle_times(json_t *status, json_t *local, json_t *end)
{
	const char *start = sw_json_str(local, "startTime"); /* may not change while the job is not suspended */
	const char *ended = sw_json_str(end, "lastTransitionTime");
	bool complete = end && strcmp(sw_json_str(end, "type"), "Complete") == 0;

	if (start)
		sw_json_set_str(status, "startTime", start);
	else if (end && !sw_json_str(status, "startTime") && ended)
		sw_json_set_str(status, "startTime", ended);
	if (!complete)
		sw_json_del(status, "completionTime");
	else if (!sw_json_str(status, "completionTime") && ended)
		sw_json_set_str(status, "completionTime", ended);
}

static json_t *status_home(const struct sw_kind *k, json_t *local, json_t *remote, json_t *base)
{
	(void)k;
	if (kinds_status_condition(local, "Complete") || kinds_status_condition(local, "Failed"))
		return sw_json_copy(local); /* the end is the end */
	json_t *status = remote ? sw_json_copy(remote) : json_object_new_object();
	json_t *end = settle_conditions(status);
	int64_t running = end ? 0 : sw_json_int(status, "active", 0), ready = sw_json_int(status, "ready", 0);

	settle_times(status, local, end);
	set_count(status, "failed",
		  max64(sw_json_int(local, "failed", 0),
			sw_json_int(base, "failed", 0) + sw_json_int(remote, "failed", 0)));
	set_count(status, "succeeded", max64(sw_json_int(local, "succeeded", 0), sw_json_int(remote, "succeeded", 0)));
	set_count(status, "active", running);
	set_count(status, "ready", ready < running ? ready : running);
	if (end)
		set_count(status, "terminating", 0);
	sw_json_del(status,
		    "uncountedTerminatedPods"); /* the other controller's bookkeeping, about pods that are not here */
	return status;
}

const struct sw_kind sw_kind_job = {
	.group = "batch",
	.version = "v1",
	.kind = "Job",
	.plural = "jobs",
	.resource = "jobs.batch",
	.job_name_label = "batch.kubernetes.io/job-name",
	.suspend_path = "spec.suspend",
	.managed_by_path = "spec.managedBy",
	.ttl_path = "spec.ttlSecondsAfterFinished",
	.podsets = podsets,
	.check = check,
	.outcome = outcome,
	.active = active,
	.idle = idle,
	.prepare = prepare,
	.status_home = status_home,
};
