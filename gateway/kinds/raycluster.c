/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raycluster.c - ray.io/v1 RayCluster
 *
 * It never ends by itself (Kueue's Finished says so too): it runs until its user deletes it.
 */
#include <string.h>
#include "ray.h"

static size_t podsets(const struct sw_kind *k, json_t *job, struct sw_podset out[SW_PODSETS_MAX])
{
	(void)k;
	return ray_podsets(sw_json_key(job, "spec"), "spec", out);
}

static struct sw_err check(const struct sw_kind *k, json_t *job)
{
	return ray_check(k, sw_json_key(job, "spec"), "spec", SW_PODSETS_MAX, NULL);
}

static enum sw_outcome outcome(const struct sw_kind *k, json_t *job, const char **why)
{
	(void)k;
	(void)job;
	*why = "";
	return SW_UNFINISHED;
}

/* Kueue: IsActive is state == "ready". Ours is stricter: pods that start or end count too. */
static int64_t active(const struct sw_kind *k, json_t *job)
{
	static const char *const suspended[] = {"RayClusterSuspended", NULL};
	const char *state = sw_json_str(job, "status.state");
	int64_t n = sw_json_int(job, "status.availableWorkerReplicas", 0);

	if (n <= 0 && sw_kind_suspended(k, job) &&
	    ((state && strcmp(state, "suspended") == 0) || kinds_true_condition(job, suspended)))
		return 0;
	return (n > 0 ? n : 0) + 1; /* the head */
}

static void idle(const struct sw_kind *k, json_t *status)
{
	(void)k;
	ray_idle(status);
}

static json_t *status_home(const struct sw_kind *k, json_t *local, json_t *remote, json_t *base)
{
	(void)k;
	(void)local;
	(void)base;
	return remote ? sw_json_copy(remote) : json_object_new_object();
}

const struct sw_kind sw_kind_raycluster = {
	.group = "ray.io",
	.version = "v1",
	.kind = "RayCluster",
	.plural = "rayclusters",
	.resource = "rayclusters.ray.io",
	.job_name_label = "ray.io/cluster",
	.suspend_path = "spec.suspend",
	.managed_by_path = "spec.managedBy",
	.podsets = podsets,
	.check = check,
	.outcome = outcome,
	.active = active,
	.idle = idle,
	.prepare = kinds_prepare,
	.status_home = status_home,
};
