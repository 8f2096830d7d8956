/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trainjob.c - trainer.kubeflow.org/v1alpha1 TrainJob
 *
 * A TrainJob names a runtime; its pods are that runtime's, with what the job says of its trainer laid over it. Kueue
 * builds the whole JobSet to count them (v0.19.2, pkg/controller/jobs/trainjob, getChildJobSet), so the Workload's pod
 * sets are the only place where the manager's gateway can read what a TrainJob asks for. MultiKueue copies the TrainJob
 * alone, without Kueue's own patch: a runtime of the same name must be on the worker.
 *
 * What a copy needs on its pods (whose they are, selectors, tolerations) goes into a runtime patch of ours, the field
 * made for that: trainer v2.2.1, pkg/apis/trainer/v1alpha1/trainjob_types.go, RuntimePatch. Containers stay the
 * runtime's: no patch may say what they ask for.
 */
#include <stdio.h>
#include <string.h>
#include "kinds_priv.h"

#define OUR_PATCH   "spillway.dev/dispatch"
#define KUEUE_PATCH "kueue.x-k8s.io/manager"
#define JOBS_PATH   "trainingRuntimeSpec.template.spec.replicatedJobs"

/* Index of manager's patch, or the number of patches. */
static size_t patch_find(json_t *patches, const char *manager)
{
	size_t i = 0;

	for (; i < sw_json_len(patches); i++) {
		const char *m = sw_json_str(sw_json_idx(patches, i), "manager");

		if (m && strcmp(m, manager) == 0)
			break;
	}
	return i;
}

/* A user's TrainJob has none; a copy has those that make_room() made. */
static size_t podsets(const struct sw_kind *k, json_t *job, struct sw_podset out[SW_PODSETS_MAX])
{
	json_t *patches = sw_json_at(job, "spec.runtimePatches");
	size_t n = 0, p = patch_find(patches, OUR_PATCH);
	json_t *jobs = sw_json_at(sw_json_idx(patches, p), JOBS_PATH);

	(void)k;
	for (size_t i = 0; i < sw_json_len(jobs) && n < SW_PODSETS_MAX; i++) {
		json_t *r = sw_json_idx(jobs, i);
		const char *name = sw_json_str(r, "name");
		char path[144];

		snprintf(path, sizeof(path), "spec.runtimePatches[%zu]." JOBS_PATH "[%zu].template.spec.template", p,
			 i);
		kinds_podset(&out[n++], name ? name : "", 0, sw_json_at(r, "template.spec.template"), path);
	}
	return n;
}

static void make_room(const struct sw_kind *k, json_t *copy, json_t *sets)
{
	json_t *patches = sw_json_at(copy, "spec.runtimePatches"), *ours = json_object_new_object(),
	       *jobs = json_object_new_array();

	(void)k;
	for (size_t i = 0; i < sw_json_len(sets); i++) {
		const char *name = sw_json_str(sw_json_idx(sets, i), "name");
		json_t *one = json_object_new_object();

		sw_json_set_str(one, "name", name ? name : "");
		sw_json_set(one, "template.spec.template", json_object_new_object());
		json_object_array_add(jobs, one);
	}
	sw_json_set_str(ours, "manager", OUR_PATCH);
	sw_json_set(ours, JOBS_PATH, jobs);
	if (!json_object_is_type(patches, json_type_array)) {
		patches = json_object_new_array();
		sw_json_set(copy, "spec.runtimePatches", patches);
	}
	size_t at = patch_find(patches, OUR_PATCH);

	json_object_array_put_idx(patches, at, ours);
}

/* A patch may say where pods go, not what they are. */
static void trim(const struct sw_kind *k, json_t *copy, const char *set, json_t *template)
{
	static const char *const keep[] = {"nodeSelector", "tolerations", "affinity"};
	json_t *spec = sw_json_key(template, "spec"), *meta = sw_json_key(template, "metadata"),
	       *kept = json_object_new_object(), *labels = json_object_new_object();

	(void)k;
	(void)copy;
	(void)set;
	for (size_t i = 0; i < sizeof(keep) / sizeof(*keep); i++)
		if (sw_json_key(spec, keep[i]))
			json_object_object_add(kept, keep[i], json_object_get(sw_json_key(spec, keep[i])));
	if (sw_json_key(meta, "labels"))
		json_object_object_add(labels, "labels", json_object_get(sw_json_key(meta, "labels")));
	if (sw_json_key(meta, "annotations"))
		json_object_object_add(labels, "annotations", json_object_get(sw_json_key(meta, "annotations")));
	sw_json_set(template, "spec", kept);
	sw_json_set(template, "metadata", labels);
}

static struct sw_err check(const struct sw_kind *k, json_t *job)
{
	const char *name = sw_json_str(job, "spec.runtimeRef.name");

	(void)k;
	if (!name || !*name)
		return sw_err(SW_E_INVALID, "spec.runtimeRef.name: found nothing, expected the name of a training "
					    "runtime");
	if (patch_find(sw_json_at(job, "spec.runtimePatches"), OUR_PATCH) <
	    sw_json_len(sw_json_at(job, "spec.runtimePatches")))
		return sw_err(SW_E_INVALID, "spec.runtimePatches: the manager \"" OUR_PATCH "\" is kept for copies on "
					    "worker clusters");
	return SW_OK;
}

static enum sw_outcome outcome(const struct sw_kind *k, json_t *job, const char **why)
{
	(void)k;
	return kinds_outcome(job, "Complete", "Failed", why);
}

/* Kueue: IsActive is any jobsStatus[].active > 0. */
static int64_t active(const struct sw_kind *k, json_t *job)
{
	return kinds_active(k, job, kinds_list_sum(sw_json_at(job, "status.jobsStatus"), "active"));
}

static void idle(const struct sw_kind *k, json_t *status)
{
	(void)k;
	kinds_list_idle(sw_json_key(status, "jobsStatus"));
}

static void prepare(const struct sw_kind *k, json_t *copy)
{
	json_t *patches = sw_json_at(copy, "spec.runtimePatches");

	kinds_prepare(k, copy);
	for (size_t i = sw_json_len(patches); i-- > 0;) {
		const char *m = sw_json_str(sw_json_idx(patches, i), "manager");

		if (m && strcmp(m, KUEUE_PATCH) == 0) /* the worker's own Kueue adds its own */
			json_object_array_del_idx(patches, i, 1);
	}
}

/* An empty status is refused (MinProperties=1): without one from the worker, ours stays. */
static json_t *status_home(const struct sw_kind *k, json_t *local, json_t *remote, json_t *base)
{
	bool empty = !json_object_is_type(remote, json_type_object) || !json_object_object_length(remote);

	(void)k;
	(void)base;
	return kinds_status_whole(local, empty ? local : remote, "Complete", "Failed");
}

const struct sw_kind sw_kind_trainjob = {
	.group = "trainer.kubeflow.org",
	.version = "v1alpha1",
	.kind = "TrainJob",
	.plural = "trainjobs",
	.resource = "trainjobs.trainer.kubeflow.org",
	.job_name_label = "jobset.sigs.k8s.io/jobset-name", /* its JobSet has its name */
	.suspend_path = "spec.suspend",
	.managed_by_path = "spec.managedBy",
	.sets_from_workload = true,
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
