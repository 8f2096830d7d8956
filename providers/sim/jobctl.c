/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobctl.c - the batch/v1 Job controller as a pure function: what to count, whether the job has ended
 *
 * Imitates syncJob of k8s.io/kubernetes v1.36.1 pkg/controller/job/job_controller.go with the gates as 1.36
 * ships them (JobManagedBy, JobPodReplacementPolicy, JobSuccessPolicy, JobBackoffLimitPerIndex,
 * MutableSchedulingDirectivesForSuspendedJobs on). Differences: its writes within one sync are separate rounds
 * here, in the same order (status with uncounted pods, then their finalizers, then the counters), because each round
 * starts from what is committed; and clocks are scaled.
 *
 * Which pods to make and to remove is in jobpods.c.
 */
#include "jobctl_priv.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

/* ---- reading ------------------------------------------------------------------------ */

static bool is_listed(json_t *uids, const char *uid)
{
	for (size_t i = 0; i < sw_json_len(uids); i++) {
		const char *one = json_object_get_string(sw_json_idx(uids, i));

		if (one && uid && strcmp(one, uid) == 0)
			return true;
	}
	return false;
}

static int32_t read_index(json_t *pod)
{
	const char *text = sw_json_annotation(pod, SIM_INDEX);
	char *end;
	long value;

	if (!text || *text < '0' || *text > '9')
		return -1;
	value = strtol(text, &end, 10);
	return *end == '\0' && value <= INT32_MAX ? (int32_t)value : -1;
}

static void read_pod(struct job_ctx *c, json_t *o, struct job_pod *p)
{
	*p = (struct job_pod){.o = o, .uid = sw_json_str(o, "metadata.uid"), .phase = sim_pod_phase(o), .index = -1};
	p->deleting = sim_pod_deleting(o);
	p->pinned = sim_has_finalizer(o, SIM_TRACKING);
	p->ready = sw_json_condition_true(o, "Ready");
	p->active = sim_pod_active(o);
	p->was_succeeded = is_listed(sw_json_at(c->job, "status.uncountedTerminatedPods.succeeded"), p->uid);
	p->was_failed = is_listed(sw_json_at(c->job, "status.uncountedTerminatedPods.failed"), p->uid);
	if (c->indexed)
		p->index = read_index(o);
	p->valid = !c->indexed || (p->index >= 0 && p->index < c->completions);
	/* isPodFailed: a pod being deleted counts as failed, unless only ended ones are replaced */
	p->failed = p->phase == SIM_FAILED || (!c->replace_failed && p->deleting && p->phase != SIM_SUCCEEDED);
	p->verdict.counts = true;
	if (p->failed && c->failure_policy)
		p->verdict = sim_failure_policy(c->failure_policy, o);
}

static void read_spec(struct job_ctx *c)
{
	json_t *spec = sw_json_at(c->job, "spec");
	const char *mode = sw_json_str(spec, "completionMode"), *replace = sw_json_str(spec, "podReplacementPolicy");

	c->indexed = mode && strcmp(mode, "Indexed") == 0;
	c->suspended = sw_json_bool(spec, "suspend");
	c->deleting = sim_pod_deleting(c->job);
	c->parallelism = (int32_t)sw_json_int(spec, "parallelism", 1);
	if (c->parallelism < 0)
		c->parallelism = 0;
	c->completions = (int32_t)sw_json_int(spec, "completions", -1);
	if (c->completions < -1 || (c->indexed && c->completions < 0))
		c->completions = 0;
	c->per_index = c->indexed && sw_json_at(spec, "backoffLimitPerIndex");
	c->backoff_limit = sw_json_int(spec, "backoffLimit", c->per_index ? INT32_MAX : 6);
	c->per_index_limit = sw_json_int(spec, "backoffLimitPerIndex", 0);
	c->failure_policy = sw_json_at(spec, "podFailurePolicy");
	c->replace_failed = c->failure_policy || (replace && strcmp(replace, "Failed") == 0);
}

static void ctx_open(struct job_ctx *c, json_t *const *pods)
{
	json_t *status = sw_json_at(c->job, "status");

	read_spec(c);
	c->status = status ? sw_json_copy(status) : json_object_new_object();
	c->pods = sw_calloc(c->n + 1, sizeof(c->pods[0]));
	for (size_t i = 0; i < c->n; i++)
		read_pod(c, pods[i], &c->pods[i]);
	if (!c->indexed)
		return;
	c->was_done = sw_calloc((size_t)c->completions + 1, 1);
	c->done = sw_calloc((size_t)c->completions + 1, 1);
	c->lost = sw_calloc((size_t)c->completions + 1, 1);
}

static void ctx_close(struct job_ctx *c)
{
	free(c->pods);
	free(c->was_done);
	free(c->done);
	free(c->lost);
}

/* ---- how it ends ----------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static void finish(struct job_ctx *c, const char *type, const char *reason,
							 const char *fmt, ...)
{
	va_list ap;

	c->finish = type;
	c->reason = reason;
	va_start(ap, fmt);
	vsnprintf(c->message, sizeof(c->message), fmt, ap);
	va_end(ap);
}

/* Decided in an earlier round: an ending is never reconsidered. */
static bool resume_finish(struct job_ctx *c, const char *type)
{
	json_t *cond = sw_json_condition(c->job, type);
	const char *message, *reason = sw_json_str(cond, "reason");

	if (!sw_json_condition_true(c->job, type))
		return false;
	c->decided = true;
	message = sw_json_str(cond, "message");
	finish(c, type, reason ? reason : "", "%s", message ? message : "");
	return true;
}

static void fail_by_policy(struct job_ctx *c)
{
	for (size_t i = 0; i < c->n && !c->finish; i++)
		if (c->pods[i].failed && c->pods[i].verdict.fails_job)
			finish(c, FAILURE_TARGET, "PodFailurePolicy", "%s", c->pods[i].verdict.message);
}

/* pastBackoffLimitOnFailure: restarts in place count for restartPolicy OnFailure */
static bool past_restarts(const struct job_ctx *c)
{
	const char *policy = sw_json_str(c->job, "spec.template.spec.restartPolicy");
	int64_t sum = 0;

	if (!policy || strcmp(policy, "OnFailure") != 0)
		return false;
	for (size_t i = 0; i < c->n; i++)
		if (c->pods[i].phase < SIM_SUCCEEDED)
			sum += sim_pod_restarts(c->pods[i].o);
	return c->backoff_limit == 0 ? sum > 0 : sum >= c->backoff_limit;
}

static void fail_by_limits(struct job_ctx *c)
{
	int64_t deadline_s = sw_json_int(c->job, "spec.activeDeadlineSeconds", 0);
	int64_t left;

	if (c->failed > c->backoff_limit || past_restarts(c)) {
		finish(c, FAILURE_TARGET, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
		return;
	}
	if (deadline_s <= 0 || c->suspended || c->mem->started_ms == 0)
		return;
	left = c->mem->started_ms + sim_clock_real(c->clock, deadline_s * 1000) - c->clock->wall_ms;
	if (left <= 0)
		finish(c, FAILURE_TARGET, "DeadlineExceeded", "Job was active longer than specified deadline");
	else
		sim_plan_again(c->plan, left);
}

static bool index_failed(const struct job_ctx *c, const struct job_pod *p)
{
	if (!p->failed || !p->valid || !p->pinned)
		return false;
	return p->verdict.fails_index || (p->verdict.counts && job_index_failures(p->o) >= c->per_index_limit);
}

static void fail_by_indexes(struct job_ctx *c)
{
	int64_t max = sw_json_int(c->job, "spec.maxFailedIndexes", -1);

	if (!c->per_index || c->finish)
		return;
	if (max >= 0 && c->n_lost > max)
		finish(c, FAILURE_TARGET, "MaxFailedIndexesExceeded",
		       "Job has exceeded the specified maximal number of failed indexes");
	else if (c->n_lost > 0 && c->n_lost + c->succeeded >= c->completions)
		finish(c, FAILURE_TARGET, "FailedIndexes", "Job has failed indexes");
}

static void read_indexes(struct job_ctx *c)
{
	c->succeeded = sim_indexes_read(sw_json_str(c->job, "status.completedIndexes"), c->was_done, c->completions);
	memcpy(c->done, c->was_done, (size_t)c->completions);
	c->n_lost = sim_indexes_read(sw_json_str(c->job, "status.failedIndexes"), c->lost, c->completions);
	for (size_t i = 0; i < c->n; i++) {
		const struct job_pod *p = &c->pods[i];

		if (!p->pinned || !p->valid)
			continue;
		if (p->phase == SIM_SUCCEEDED && !c->done[p->index]) {
			c->done[p->index] = 1;
			c->succeeded++;
		}
		if (c->per_index && !c->decided && index_failed(c, p) && !c->lost[p->index]) {
			c->lost[p->index] = 1;
			c->n_lost++;
		}
	}
	fail_by_indexes(c);
}

static void succeed_by_policy(struct job_ctx *c)
{
	json_t *policy = sw_json_at(c->job, "spec.successPolicy");
	int rule = policy && c->indexed && !c->finish ? sim_success_policy(policy, c->done, c->completions) : -1;

	if (rule >= 0)
		finish(c, SUCCESS_MET, "SuccessPolicy", "Matched rules at index %d", rule);
}

/* Counted pods, with those that end in this round; and the back-off record as newBackoffRecord keeps it. */
static void count(struct job_ctx *c)
{
	json_t *uncounted = sw_json_at(c->job, "status.uncountedTerminatedPods");
	int32_t fresh_ok = 0, fresh_bad = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct job_pod *p = &c->pods[i];

		c->active += p->active;
		c->ready += p->active && p->ready;
		c->terminating += p->deleting && p->phase < SIM_SUCCEEDED;
		if (!p->pinned || !p->valid)
			continue;
		fresh_ok += p->phase == SIM_SUCCEEDED && !p->was_succeeded;
		fresh_bad += p->failed && !p->was_failed && p->verdict.counts;
	}
	c->succeeded = (int32_t)(sw_json_int(c->job, "status.succeeded", 0) +
				 (int64_t)sw_json_len(sw_json_at(uncounted, "succeeded"))) +
		       fresh_ok;
	c->failed = sw_json_int(c->job, "status.failed", 0) + (int64_t)sw_json_len(sw_json_at(uncounted, "failed")) +
		    fresh_bad;
	if (fresh_ok > 0)
		c->mem->failures = 0;
	else if (fresh_bad > 0) {
		c->mem->failures += fresh_bad;
		c->mem->last_failure_ms = c->clock->wall_ms;
	}
}

/* ---- what the status says ------------------------------------------------------------------ */

static void set_time(struct job_ctx *c, const char *field)
{
	char text[32];

	sw_json_set_str(c->status, field, sw_time_text(c->clock->wall_ms, text));
}

static bool is_text(json_t *o, const char *field, const char *text)
{
	const char *is = sw_json_str(o, field);

	return is && strcmp(is, text) == 0;
}

/* ensureJobConditionStatus: nothing becomes False that was never there */
static bool ensure_condition(struct job_ctx *c, const char *type, bool on, const char *reason, const char *message)
{
	json_t *list = sw_json_at(c->status, "conditions"), *cond = NULL;
	const char *word = on ? "True" : "False";
	char now[32];

	for (size_t i = 0; !cond && i < sw_json_len(list); i++)
		if (is_text(sw_json_idx(list, i), "type", type))
			cond = sw_json_idx(list, i);
	if (cond ? is_text(cond, "status", word) && is_text(cond, "reason", reason) && is_text(cond, "message", message)
		 : !on)
		return false;
	if (!list) {
		list = json_object_new_array();
		sw_json_set(c->status, "conditions", list);
	}
	if (!cond) {
		cond = json_object_new_object();
		sw_json_set_str(cond, "type", type);
		json_object_array_add(list, cond);
	}
	sw_time_text(c->clock->wall_ms, now);
	sw_json_set_str(cond, "status", word);
	sw_json_set_str(cond, "lastProbeTime", now);
	sw_json_set_str(cond, "lastTransitionTime", now);
	sw_json_set_str(cond, "reason", reason);
	sw_json_set_str(cond, "message", message);
	return true;
}

static void set_suspended(struct job_ctx *c)
{
	if (c->suspended) {
		if (ensure_condition(c, "Suspended", true, "JobSuspended", "Job suspended")) {
			sim_plan_event(c->plan, false, "Suspended", "Job suspended");
			sw_json_del(c->status, "startTime");
			c->mem->started_ms = 0;
		}
	} else if (ensure_condition(c, "Suspended", false, "JobResumed", "Job resumed")) {
		sim_plan_event(c->plan, false, "Resumed", "Job resumed");
		set_time(c, "startTime");
		c->mem->started_ms = c->clock->wall_ms;
	}
}

static void add_uid(json_t *status, const char *path, const char *uid)
{
	json_t *list = sw_json_at(status, path);

	if (!list) {
		list = json_object_new_array();
		sw_json_set(status, path, list);
	}
	json_object_array_add(list, json_object_new_string(uid));
}

static bool is_pinned(const struct job_ctx *c, const char *uid)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->pods[i].pinned && c->pods[i].uid && uid && strcmp(c->pods[i].uid, uid) == 0)
			return true;
	return false;
}

/* cleanUncountedPodsWithoutFinalizers: those whose pod has lost its finalizer or is gone move into the counter. */
static void move_counted(struct job_ctx *c, const char *counter)
{
	json_t *old = sw_json_key(sw_json_at(c->job, "status.uncountedTerminatedPods"), counter);
	json_t *now = sw_json_at(c->status, "uncountedTerminatedPods"), *kept = json_object_new_array();
	size_t n = sw_json_len(old);

	for (size_t i = 0; i < n; i++) {
		json_t *uid = sw_json_idx(old, i);

		if (is_pinned(c, json_object_get_string(uid)))
			json_object_array_add(kept, json_object_get(uid));
	}
	if (sw_json_len(kept) < n)
		sw_json_set_int(c->status, counter,
				sw_json_int(c->status, counter, 0) + (int64_t)(n - sw_json_len(kept)));
	json_object_object_del(now, counter);
	if (sw_json_len(kept) > 0)
		json_object_object_add(now, counter, kept);
	else
		json_object_put(kept);
}

/* canRemoveFinalizer */
static bool may_unpin(const struct job_ctx *c, const struct job_pod *p)
{
	if (c->deleting || c->finish || p->phase == SIM_SUCCEEDED)
		return true;
	return p->failed && !(c->per_index && p->valid && job_delayed_pod(c, p->index) == p);
}

/* Is this success in the committed status? If not, it is noted now. */
static bool note_success(struct job_ctx *c, const struct job_pod *p)
{
	if (c->indexed)
		return !p->valid || c->was_done[p->index]; /* set_indexes() notes it */
	if (!p->was_succeeded)
		add_uid(c->status, "uncountedTerminatedPods.succeeded", p->uid);
	return p->was_succeeded;
}

static bool note_failure(struct job_ctx *c, const struct job_pod *p)
{
	bool failing = p->failed || (c->finish && strcmp(c->finish, FAILURE_TARGET) == 0);

	if (!failing || p->was_failed || !p->valid || !p->verdict.counts)
		return true;
	add_uid(c->status, "uncountedTerminatedPods.failed", p->uid);
	return false;
}

/* One pod of trackJobStatusAndRemoveFinalizers: to be noted in the status now, or already noted and free to go. */
static void track_pod(struct job_ctx *c, const struct job_pod *p)
{
	bool noted;

	if (!p->pinned || p->released || !may_unpin(c, p))
		return;
	noted = p->phase == SIM_SUCCEEDED && !p->was_failed ? note_success(c, p) : note_failure(c, p);
	if (noted)
		json_object_array_add(c->plan->unpin, json_object_get(p->o));
}

static void track(struct job_ctx *c)
{
	if (!sw_json_at(c->status, "uncountedTerminatedPods"))
		sw_json_set(c->status, "uncountedTerminatedPods", json_object_new_object());
	move_counted(c, "succeeded");
	move_counted(c, "failed");
	for (size_t i = 0; i < c->n; i++)
		track_pod(c, &c->pods[i]);
}

static void set_indexes(struct job_ctx *c)
{
	struct sw_buf b;

	if (!c->indexed)
		return;
	sw_buf_init(&b, 32u << 20);
	sim_indexes_text(&b, c->done, c->completions);
	if (b.len > 0)
		sw_json_set_str(c->status, "completedIndexes", b.at);
	if (c->succeeded > 0)
		sw_json_set_int(c->status, "succeeded", c->succeeded);
	sw_buf_reset(&b);
	if (c->per_index) {
		sim_indexes_text(&b, c->lost, c->completions);
		sw_json_set_str(c->status, "failedIndexes", b.len ? b.at : "");
	}
	sw_buf_fini(&b);
}

static bool has_uncounted(const struct job_ctx *c)
{
	json_t *u = sw_json_at(c->status, "uncountedTerminatedPods");

	return sw_json_len(sw_json_at(u, "succeeded")) + sw_json_len(sw_json_at(u, "failed")) > 0;
}

/* The interim condition at once; the final one when every pod is counted and gone (enactJobFinished). */
static void conclude(struct job_ctx *c)
{
	bool ok;

	if (!c->finish)
		return;
	ok = strcmp(c->finish, SUCCESS_MET) == 0;
	ensure_condition(c, c->finish, true, c->reason, c->message);
	if (has_uncounted(c) || c->terminating > 0 || sw_json_len(c->plan->unpin) > 0)
		return;
	ensure_condition(c, ok ? "Complete" : "Failed", true, c->reason, c->message);
	if (ok)
		set_time(c, "completionTime");
	c->mem->finished_ms = c->clock->wall_ms;
	sim_plan_event(c->plan, !ok, ok ? "Completed" : c->reason, "%s", ok ? "Job completed" : c->message);
}

static void set_counts(struct job_ctx *c)
{
	if (c->active > 0)
		sw_json_set_int(c->status, "active", c->active);
	else
		sw_json_del(c->status, "active");
	sw_json_set_int(c->status, "ready", c->ready);
	sw_json_set_int(c->status, "terminating", c->terminating);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void plan_finished(struct job_ctx *c)
{
	int64_t ttl_s = sw_json_int(c->job, "spec.ttlSecondsAfterFinished", -1), left;

	for (size_t i = 0; i < c->n; i++)
		if (c->pods[i].pinned)
			json_object_array_add(c->plan->unpin, json_object_get(c->pods[i].o));
	if (ttl_s < 0 || c->deleting)
		return;
	if (c->mem->finished_ms == 0)
		c->mem->finished_ms = c->clock->wall_ms;
	left = c->mem->finished_ms + sim_clock_real(c->clock, ttl_s * 1000) - c->clock->wall_ms;
	c->plan->expire = left <= 0;
	if (left > 0)
		sim_plan_again(c->plan, left);
}

static void start(struct job_ctx *c)
{
	const char *since = sw_json_str(c->job, "status.startTime");
	struct sw_err e;

	if (!since && !c->suspended) {
		set_time(c, "startTime");
		c->mem->started_ms = c->clock->wall_ms;
	} else if (since && c->mem->started_ms == 0) {
		e = sw_time_parse(since, &c->mem->started_ms);
		if (sw_failed(e))
			c->mem->started_ms = c->clock->wall_ms;
	}
}

static void plan_running(struct job_ctx *c)
{
	count(c);
	start(c);
	if (!resume_finish(c, SUCCESS_MET) && !resume_finish(c, FAILURE_TARGET))
		fail_by_policy(c);
	if (!c->finish)
		fail_by_limits(c);
	if (c->indexed)
		read_indexes(c);
	succeed_by_policy(c);
	if (c->finish)
		job_drop_active(c);
	else {
		if (!c->deleting)
			job_manage(c);
		if (c->active == 0 && (c->completions < 0 ? c->succeeded > 0 : c->succeeded >= c->completions))
			finish(c, SUCCESS_MET, "CompletionsReached", "Reached expected number of succeeded pods");
		else if (!c->deleting)
			set_suspended(c);
	}
	set_counts(c);
	track(c);
	set_indexes(c);
	conclude(c);
}

void sim_job_plan(json_t *job, json_t *const *pods, size_t n, const struct sim_clock *clock, struct sim_job_memory *mem,
		  struct sim_plan *out)
{
	struct job_ctx c = {.job = job, .n = n, .clock = clock, .mem = mem, .plan = out};
	const char *manager = sw_json_str(job, "spec.managedBy");

	if (manager && strcmp(manager, "kubernetes.io/job-controller") != 0)
		return;
	if (sw_json_int(job, "spec.completions", 0) > SIM_COMPLETIONS_MAX) {
		sim_plan_event(out, true, "TooLargeForSimulator", "spec.completions: at most %d are simulated",
			       SIM_COMPLETIONS_MAX);
		return;
	}
	ctx_open(&c, pods);
	if (sw_json_condition_true(job, "Complete") || sw_json_condition_true(job, "Failed"))
		plan_finished(&c);
	else
		plan_running(&c);
	if (json_object_equal(c.status, sw_json_at(job, "status")))
		json_object_put(c.status);
	else
		out->status = c.status;
	ctx_close(&c);
}
