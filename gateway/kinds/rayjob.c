/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rayjob.c - ray.io/v1 RayJob
 *
 * A Ray cluster and the job that is submitted to it: by a pod of its own (K8sJobMode, the default), by a container that
 * the operator adds to the head (SidecarMode), by the operator (HTTPMode) or by the user. Kueue v0.19.2,
 * pkg/controller/jobs/rayjob, counts the first two and refuses to share a cluster between jobs.
 */
#include <stdio.h>
#include <string.h>
#include "ray.h"

#define SUBMITTER "ray-job-submitter" /* rayutils.SubmitterContainerName */

static bool mode_is(json_t *job, const char *mode, bool if_unset)
{
	const char *m = sw_json_str(job, "spec.submissionMode");

	return m && *m ? strcmp(m, mode) == 0 : if_unset;
}

static bool has_submitter(json_t *job)
{
	return mode_is(job, "K8sJobMode", true);
}

static size_t podsets(const struct sw_kind *k, json_t *job, struct sw_podset out[SW_PODSETS_MAX])
{
	size_t n = ray_podsets(sw_json_at(job, "spec.rayClusterSpec"), "spec.rayClusterSpec", out);

	(void)k;
	if (has_submitter(job) && n < SW_PODSETS_MAX)
		kinds_podset(&out[n++], "submitter", 1, sw_json_at(job, "spec.submitterPodTemplate"),
			     "spec.submitterPodTemplate");
	return n;
}

static struct sw_err check(const struct sw_kind *k, json_t *job)
{
	json_t *cluster = sw_json_at(job, "spec.rayClusterSpec");
	bool pod = has_submitter(job);

	if (sw_json_at(job, "spec.clusterSelector"))
		return sw_err(SW_E_INVALID, "spec.clusterSelector: a job on a cluster that is there already has no "
					    "quota and no place of its own; give a rayClusterSpec instead");
	if (!json_object_is_type(cluster, json_type_object))
		return sw_err(SW_E_INVALID, "spec.rayClusterSpec: found nothing, expected the cluster to run on");
	if (!sw_json_bool(job, "spec.shutdownAfterJobFinishes"))
		return sw_err(SW_E_INVALID, "spec.shutdownAfterJobFinishes: expected true: the cluster would hold its "
					    "quota after the job");
	return ray_check(k, cluster, "spec.rayClusterSpec", pod ? SW_PODSETS_MAX - 1 : SW_PODSETS_MAX,
			 pod ? "submitter" : NULL);
}

static enum sw_outcome outcome(const struct sw_kind *k, json_t *job, const char **why)
{
	const char *deployment = sw_json_str(job, "status.jobDeploymentStatus"),
		   *said = sw_json_str(job, "status.jobStatus"), *reason = sw_json_str(job, "status.reason");

	(void)k;
	*why = "";
	if (!deployment || (strcmp(deployment, "Complete") != 0 && strcmp(deployment, "Failed") != 0))
		return SW_UNFINISHED;
	*why = reason && *reason ? reason : said ? said : "";
	return said && strcmp(said, "SUCCEEDED") == 0 ? SW_SUCCEEDED : SW_JOB_FAILED;
}

/* Kueue: IsActive is jobDeploymentStatus other than Suspended and "" (New). New may start at any moment. */
static int64_t active(const struct sw_kind *k, json_t *job)
{
	const char *why, *deployment = sw_json_str(job, "status.jobDeploymentStatus");
	int64_t n = sw_json_int(job, "status.rayClusterStatus.availableWorkerReplicas", 0);

	if (outcome(k, job, &why) != SW_UNFINISHED)
		return 0;
	if (sw_kind_suspended(k, job) && deployment && strcmp(deployment, "Suspended") == 0)
		return 0;
	return (n > 0 ? n : 0) + 1; /* the head */
}

static void idle(const struct sw_kind *k, json_t *status)
{
	json_t *cluster = sw_json_key(status, "rayClusterStatus");

	(void)k;
	sw_json_set_str(status, "jobDeploymentStatus", "Suspended");
	if (json_object_is_type(cluster, json_type_object))
		ray_idle(cluster);
}

static void make_room(const struct sw_kind *k, json_t *copy, json_t *sets)
{
	(void)k;
	(void)sets;
	if (has_submitter(copy) && !sw_json_at(copy, "spec.submitterPodTemplate"))
		sw_json_set(copy, "spec.submitterPodTemplate", json_object_new_object());
}

/* The operator adds its container to the head by itself, and Kueue on the worker counts it by itself. */
static void trim(const struct sw_kind *k, json_t *copy, const char *set, json_t *template)
{
	json_t *containers = sw_json_at(template, "spec.containers");
	size_t n = sw_json_len(containers);
	const char *name = n ? sw_json_str(sw_json_idx(containers, n - 1), "name") : NULL;

	(void)k;
	if (mode_is(copy, "SidecarMode", false) && strcmp(set, "head") == 0 && name && strcmp(name, SUBMITTER) == 0)
		json_object_array_del_idx(containers, n - 1, 1);
}

/* The pod that the operator would make by itself, spelled out so that it can carry whose it is and where it goes.
 * Source: Kueue, getSubmitterTemplate; kuberay, controllers/ray/common/job.go, GetDefaultSubmitterTemplate. */
static json_t *default_submitter(json_t *job)
{
	json_t *head = sw_json_idx(sw_json_at(job, "spec.rayClusterSpec.headGroupSpec.template.spec.containers"), 0);
	const char *image = sw_json_str(head, "image");
	json_t *template = sw_json_fmt("{\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"" SUBMITTER
				       "\",\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},"
				       "\"requests\":{\"cpu\":\"500m\",\"memory\":\"200Mi\"}}}]}}");

	if (image)
		sw_json_set_str(sw_json_idx(sw_json_at(template, "spec.containers"), 0), "image", image);
	return template;
}

static void prepare(const struct sw_kind *k, json_t *copy)
{
	kinds_prepare(k, copy);
	if (has_submitter(copy) && !sw_json_at(copy, "spec.submitterPodTemplate"))
		sw_json_set(copy, "spec.submitterPodTemplate", default_submitter(copy));
}

static json_t *status_home(const struct sw_kind *k, json_t *local, json_t *remote, json_t *base)
{
	json_t *holder = json_object_new_object();
	const char *why;

	(void)base;
	json_object_object_add(holder, "status", json_object_get(local));
	bool ended = outcome(k, holder, &why) != SW_UNFINISHED;

	json_object_put(holder);
	if (ended)
		return sw_json_copy(local);
	return remote ? sw_json_copy(remote) : json_object_new_object();
}

const struct sw_kind sw_kind_rayjob = {
	.group = "ray.io",
	.version = "v1",
	.kind = "RayJob",
	.plural = "rayjobs",
	.resource = "rayjobs.ray.io",
	.job_name_label = SW_LABEL_JOB, /* its pods carry a made-up name of its cluster */
	.suspend_path = "spec.suspend",
	.managed_by_path = "spec.managedBy",
	/* ttlSecondsAfterFinished is about its cluster, not about the job: it travels. */
	.podsets = podsets,
	.check = check,
	.outcome = outcome,
	.active = active,
	.idle = idle,
	.prepare = prepare,
	.make_room = make_room,
	.trim = trim,
	.status_home = status_home,
};
