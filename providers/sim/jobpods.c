/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobpods.c - the other half of the Job controller: which pods to make, and which to remove
 *
 * Imitates manageJob, activePodsForRemoval (job_controller.go), firstPendingIndexes,
 * getPodsWithDelayedDeletionPerIndex (indexed_job_utils.go) and getRemainingTimePerIndex (backoff_utils.go) of
 * k8s.io/kubernetes v1.36.1 pkg/controller/job.
 */
#include "jobctl_priv.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

#define FAILURES "batch.kubernetes.io/job-index-failure-count"
#define IGNORED  "batch.kubernetes.io/job-index-ignored-failure-count"

enum {
	BACKOFF_MS = 10 * 1000,
	BACKOFF_MAX_MS = 600 * 1000, /* DefaultJobPodFailureBackOff, MaxJobPodFailureBackOff */
	PER_SYNC = 500,              /* MaxPodCreateDeletePerSync */
	PREFIX_MAX = 58,             /* names.MaxGeneratedNameLength */
};

static int64_t count_annotation(json_t *pod, const char *key)
{
	const char *text = sw_json_annotation(pod, key);
	long value = text ? strtol(text, NULL, 10) : 0;

	return value < 0 || value > INT32_MAX ? 0 : value;
}

int64_t job_index_failures(json_t *pod)
{
	return count_annotation(pod, FAILURES);
}

static int64_t all_failures(json_t *pod)
{
	return job_index_failures(pod) + count_annotation(pod, IGNORED);
}

static bool index_is_active(const struct job_ctx *c, int32_t index)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->pods[i].active && c->pods[i].index == index)
			return true;
	return false;
}

const struct job_pod *job_delayed_pod(const struct job_ctx *c, int32_t index)
{
	const struct job_pod *last = NULL;

	if (c->done[index] || c->lost[index] || index_is_active(c, index))
		return NULL;
	for (size_t i = 0; i < c->n; i++) {
		const struct job_pod *p = &c->pods[i];

		if (p->pinned && p->failed && p->index == index &&
		    (!last || all_failures(last->o) <= all_failures(p->o)))
			last = p;
	}
	return last;
}

/* ---- removing ------------------------------------------------------------------------- */

static void drop(struct job_ctx *c, struct job_pod *p)
{
	json_object_array_add(c->plan->drop, json_object_get(p->o));
	c->active--;
	c->ready -= p->ready;
	c->terminating++;
}

/* The job has ended: its pods go, and each is counted first. */
void job_drop_active(struct job_ctx *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->pods[i].active)
			drop(c, &c->pods[i]);
}

/* deleteJobPods: these are not wanted any more, and count as nothing. */
static void release(struct job_ctx *c, struct job_pod *p)
{
	if (p->pinned)
		json_object_array_add(c->plan->unpin, json_object_get(p->o));
	p->released = true;
	drop(c, p);
}

static int is_bound(const struct job_pod *p)
{
	const char *node = sw_json_str(p->o, "spec.nodeName");

	return node && *node;
}

/* ActivePods.Less: what is furthest from running goes first, then the youngest. */
static int by_worth(const void *a, const void *b)
{
	const struct job_pod *x = *(struct job_pod *const *)a, *y = *(struct job_pod *const *)b;
	const char *tx, *ty;

	if (is_bound(x) != is_bound(y))
		return is_bound(x) - is_bound(y);
	if (x->phase != y->phase)
		return (int)x->phase - (int)y->phase;
	if (x->ready != y->ready)
		return x->ready - y->ready;
	tx = sw_json_str(x->o, "metadata.creationTimestamp");
	ty = sw_json_str(y->o, "metadata.creationTimestamp");
	return strcmp(ty ? ty : "", tx ? tx : "");
}

/* Pods without a valid index, and all but the worthiest of each index. Returns how many go. */
static int32_t release_duplicates(struct job_ctx *c, struct job_pod **list, size_t n)
{
	unsigned char *seen = sw_calloc((size_t)c->completions + 1, 1);
	int32_t gone = 0;

	for (size_t i = n; i-- > 0;) {
		struct job_pod *p = list[i];

		if (p->valid && !seen[p->index]) {
			seen[p->index] = 1;
			continue;
		}
		release(c, p);
		gone++;
	}
	free(seen);
	return gone;
}

/* Returns how many pods were taken away. */
static int32_t remove_surplus(struct job_ctx *c, int32_t at_least)
{
	struct job_pod **list = sw_calloc(c->n + 1, sizeof(*list));
	int32_t gone = 0;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->pods[i].active)
			list[n++] = &c->pods[i];
	qsort(list, n, sizeof(*list), by_worth);
	if (c->indexed)
		gone = release_duplicates(c, list, n);
	for (size_t i = 0; i < n && gone < at_least && gone < PER_SYNC; i++)
		if (!list[i]->released) {
			release(c, list[i]);
			gone++;
		}
	free(list);
	return gone;
}

/* ---- making -------------------------------------------------------------------------------- */

static int64_t backoff_ms(const struct job_ctx *c, int64_t failures)
{
	int64_t ms = BACKOFF_MS;

	if (failures <= 0)
		return 0;
	for (int64_t i = 1; i < failures && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	return sim_clock_real(c->clock, ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

static int64_t global_wait(const struct job_ctx *c)
{
	int64_t left = c->mem->last_failure_ms + backoff_ms(c, c->mem->failures) - c->clock->wall_ms;

	return c->mem->failures > 0 && left > 0 ? left : 0;
}

/* The end of a failed pod: its container's, which says whole seconds only. */
static int64_t ended_ms(json_t *pod)
{
	const char *text =
		sw_json_str(sw_json_idx(sw_json_at(pod, "status.containerStatuses"), 0), "state.terminated.finishedAt");
	int64_t ms = 0;

	if (!text)
		text = sw_json_str(pod, "metadata.creationTimestamp");
	return text && !sw_failed(sw_time_parse(text, &ms)) ? ms : 0;
}

static int64_t index_wait(const struct job_ctx *c, int32_t index)
{
	const struct job_pod *last = c->per_index ? job_delayed_pod(c, index) : NULL;
	int64_t left;

	if (!last)
		return 0;
	left = ended_ms(last->o) + backoff_ms(c, all_failures(last->o) + 1) - c->clock->wall_ms;
	return left > 0 ? left : 0;
}

static void add_index_env(json_t *containers)
{
	for (size_t i = 0; i < sw_json_len(containers); i++) {
		json_t *c = sw_json_idx(containers, i), *env = sw_json_at(c, "env");
		bool has = false;

		for (size_t k = 0; k < sw_json_len(env); k++) {
			const char *name = sw_json_str(sw_json_idx(env, k), "name");

			has = has || (name && strcmp(name, "JOB_COMPLETION_INDEX") == 0);
		}
		if (has)
			continue;
		if (!env) {
			env = json_object_new_array();
			sw_json_set(c, "env", env);
		}
		json_object_array_add(env,
				      sw_json_fmt("{\"name\":\"JOB_COMPLETION_INDEX\",\"valueFrom\":{\"fieldRef\":{"
						  "\"apiVersion\":\"v1\",\"fieldPath\":\"metadata.labels['" SIM_INDEX
						  "']\"}}}"));
	}
}

static void add_failure_counts(const struct job_ctx *c, json_t *pod, int32_t index)
{
	const struct job_pod *last = job_delayed_pod(c, index);
	int64_t counted = last ? job_index_failures(last->o) : 0,
		ignored = last ? count_annotation(last->o, IGNORED) : 0;
	char text[24];

	if (last && last->verdict.counts)
		counted++;
	else if (last)
		ignored++;
	snprintf(text, sizeof(text), "%lld", (long long)counted);
	sw_json_set_annotation(pod, FAILURES, text);
	snprintf(text, sizeof(text), "%lld", (long long)ignored);
	if (ignored > 0)
		sw_json_set_annotation(pod, IGNORED, text);
}

static void decorate_index(const struct job_ctx *c, json_t *pod, int32_t index)
{
	char text[24], *host = sw_asprintf("%s-%d", sw_json_str(c->job, "metadata.name"), (int)index);

	snprintf(text, sizeof(text), "%d", (int)index);
	sw_json_set_annotation(pod, SIM_INDEX, text);
	sw_json_set_label(pod, SIM_INDEX, text);
	sw_json_set_str(pod, "spec.hostname", host);
	add_index_env(sw_json_at(pod, "spec.initContainers"));
	add_index_env(sw_json_at(pod, "spec.containers"));
	if (c->per_index)
		add_failure_counts(c, pod, index);
	free(host);
}

/* podGenerateNameWithIndex: the job's name is cut, never the index */
static json_t *make_pod(struct job_ctx *c, int32_t index)
{
	const char *job = sw_json_str(c->job, "metadata.name");
	char tail[24] = "-", *prefix;
	json_t *pod, *finalizers;

	if (index >= 0)
		snprintf(tail, sizeof(tail), "-%d-", (int)index);
	prefix = sw_asprintf("%.*s%s", (int)(PREFIX_MAX - strlen(tail)), job ? job : "", tail);
	pod = sim_pod_from_template(c->job, sw_json_at(c->job, "spec.template"), prefix, NULL);
	free(prefix);
	finalizers = sw_json_at(pod, "metadata.finalizers");
	if (!finalizers) {
		finalizers = json_object_new_array();
		sw_json_set(pod, "metadata.finalizers", finalizers);
	}
	if (!sim_has_finalizer(pod, SIM_TRACKING))
		json_object_array_add(finalizers, json_object_new_string(SIM_TRACKING));
	if (index >= 0)
		decorate_index(c, pod, index);
	return pod;
}

static void create(struct job_ctx *c, int32_t index)
{
	json_t *pod = make_pod(c, index);

	sim_plan_event(c->plan, false, "SuccessfulCreate", "Created pod: %s", sw_json_str(pod, "metadata.name"));
	json_object_array_add(c->plan->create, pod);
	c->active++;
}

/* One byte per index that needs no pod now. */
static unsigned char *taken_indexes(const struct job_ctx *c)
{
	unsigned char *taken = sw_calloc((size_t)c->completions + 1, 1);

	for (int32_t i = 0; i < c->completions; i++)
		taken[i] = c->done[i] || c->lost[i];
	for (size_t i = 0; i < c->n; i++) {
		const struct job_pod *p = &c->pods[i];

		if (p->valid && (p->active || (c->replace_failed && p->deleting && p->phase < SIM_SUCCEEDED)))
			taken[p->index] = 1;
	}
	return taken;
}

/* The first `want` pending indexes; of these, the ones whose back-off is over. */
static void create_indexed(struct job_ctx *c, int32_t want)
{
	unsigned char *taken = taken_indexes(c);
	int64_t wait, least = 0;
	int32_t made = 0;

	for (int32_t i = 0; i < c->completions && want > 0; i++) {
		if (taken[i])
			continue;
		want--;
		wait = index_wait(c, i);
		if (wait == 0) {
			create(c, i);
			made++;
		} else if (least == 0 || wait < least)
			least = wait;
	}
	if (least > 0)
		sim_plan_again(c->plan, least);
	if (least > 0 && made == 0)
		c->active = 0; /* as the real one reports while it waits: `return 0` in manageJob */
	free(taken);
}

void job_manage(struct job_ctx *c)
{
	int32_t want = c->parallelism, missing;
	int64_t wait;

	if (c->suspended) {
		remove_surplus(c, c->active);
		return;
	}
	if (c->completions < 0)
		want = c->succeeded > 0 ? c->active : c->parallelism;
	else if (c->completions - c->succeeded < want)
		want = c->completions > c->succeeded ? c->completions - c->succeeded : 0;
	if (remove_surplus(c, c->active - want) > 0)
		return;
	missing = want - c->active - (c->replace_failed ? c->terminating : 0);
	if (missing <= 0)
		return;
	if (missing > PER_SYNC)
		missing = PER_SYNC;
	wait = c->per_index ? 0 : global_wait(c);
	if (wait > 0) {
		sim_plan_again(c->plan, wait);
		c->active = 0; /* as above */
		return;
	}
	if (c->indexed)
		create_indexed(c, missing);
	else
		for (int32_t i = 0; i < missing; i++)
			create(c, -1);
}
