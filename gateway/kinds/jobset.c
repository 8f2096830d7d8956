/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobset.c - jobset.x-k8s.io/v1alpha2 JobSet
 *
 * A list of jobs that run together, each with a number of replicas. Source: jobset v0.12.0,
 * api/jobset/v1alpha2/jobset_types.go; pod sets as Kueue v0.19.2 counts them, pkg/controller/jobs/jobset.
 */
#include <stdio.h>
#include <string.h>
#include "kinds_priv.h"

static json_t *replicated(json_t *job)
{
	return sw_json_at(job, "spec.replicatedJobs");
}

/* A replica is a Job, and as many of its pods run at once as job.c says. */
static int32_t pods_of(json_t *r)
{
	int32_t pods = kinds_count_lax(r, "template.spec.parallelism", 1),
		all = kinds_count_lax(r, "template.spec.completions", INT32_MAX);
	int64_t n = (int64_t)(pods < all ? pods : all) * kinds_count_lax(r, "replicas", 1);

	return n > INT32_MAX ? INT32_MAX : (int32_t)n;
}

static size_t podsets(const struct sw_kind *k, json_t *job, struct sw_podset out[SW_PODSETS_MAX])
{
	json_t *list = replicated(job);
	size_t n = 0;

	(void)k;
	for (size_t i = 0; i < sw_json_len(list) && n < SW_PODSETS_MAX; i++) {
		json_t *r = sw_json_idx(list, i);
		const char *name = sw_json_str(r, "name");
		char path[64];

		snprintf(path, sizeof(path), "spec.replicatedJobs[%zu].template.spec.template", i);
		kinds_podset(&out[n++], name ? name : "", pods_of(r), sw_json_at(r, "template.spec.template"), path);
	}
	return n;
}

static struct sw_err check_replicated(json_t *r, int64_t *pods)
{
	int64_t replicas, parallelism, completions;
	struct sw_err e = kinds_count(r, "replicas", 0, 1, &replicas);

	if (!sw_failed(e))
		e = kinds_count(r, "template.spec.parallelism", 1, 1, &parallelism);
	if (!sw_failed(e))
		e = kinds_count(r, "template.spec.completions", 1, INT32_MAX, &completions);
	if (sw_failed(e))
		return e;
	*pods = replicas * (parallelism < completions ? parallelism : completions);
	if (*pods > INT32_MAX)
		return sw_err(SW_E_INVALID, "replicas: found %lld pods in all, expected at most %d", (long long)*pods,
			      INT32_MAX);
	if (!json_object_is_type(sw_json_at(r, "template.spec.template"), json_type_object))
		return sw_err(SW_E_INVALID, "template.spec.template: found nothing, expected a pod template");
	return SW_OK;
}

static struct sw_err check(const struct sw_kind *k, json_t *job)
{
	json_t *list = replicated(job);
	size_t n = sw_json_len(list);
	int64_t all = 0;

	struct sw_err e = kinds_check_list(k, list, "spec.replicatedJobs", "name", SW_PODSETS_MAX);

	for (size_t i = 0; !sw_failed(e) && i < n; i++) {
		int64_t pods = 0;

		e = sw_err_wrap(check_replicated(sw_json_idx(list, i), &pods), "spec.replicatedJobs[%zu]", i);
		all += pods;
	}
	if (!sw_failed(e) && !all)
		e = sw_err(SW_E_INVALID, "spec.replicatedJobs: found no replicas, expected at least 1 pod in all");
	return e;
}

static enum sw_outcome outcome(const struct sw_kind *k, json_t *job, const char **why)
{
	(void)k;
	return kinds_outcome(job, "Completed", "Failed", why);
}

/* Kueue: IsActive is any replicatedJobsStatus[].active > 0. It counts jobs with pods, not pods. */
static int64_t active(const struct sw_kind *k, json_t *job)
{
	return kinds_active(k, job, kinds_list_sum(sw_json_at(job, "status.replicatedJobsStatus"), "active"));
}

static void idle(const struct sw_kind *k, json_t *status)
{
	(void)k;
	kinds_list_idle(sw_json_key(status, "replicatedJobsStatus"));
}

static json_t *status_home(const struct sw_kind *k, json_t *local, json_t *remote, json_t *base)
{
	(void)k;
	(void)base; /* no rule of the API compares a status with the one before it */
	return kinds_status_whole(local, remote, "Completed", "Failed");
}

const struct sw_kind sw_kind_jobset = {
	.group = "jobset.x-k8s.io",
	.version = "v1alpha2",
	.kind = "JobSet",
	.plural = "jobsets",
	.resource = "jobsets.jobset.x-k8s.io",
	.job_name_label = "jobset.sigs.k8s.io/jobset-name",
	.suspend_path = "spec.suspend",
	.managed_by_path = "spec.managedBy",
	.ttl_path = "spec.ttlSecondsAfterFinished",
	.podsets = podsets,
	.check = check,
	.outcome = outcome,
	.active = active,
	.idle = idle,
	.prepare = kinds_prepare,
	.status_home = status_home,
};
