/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.c - the copy of a job that goes to a worker
 *
 * It is made from the whole untyped object, so that fields nobody here knows travel too. What belongs to the manager's
 * object is taken out, what says whose copy it is is put in: on the job, to find it; on its pods, to tell attempts
 * apart.
 */
#include <stdio.h>
#include <string.h>
#include "kinds_priv.h"
#include "spillway/text.h"

static void drop_foreign(const struct sw_kind *k, json_t *copy)
{
	static const char *const meta[] = {"uid",
					   "resourceVersion",
					   "creationTimestamp",
					   "generation",
					   "managedFields",
					   "ownerReferences",
					   "finalizers",
					   "generateName",
					   "selfLink",
					   "deletionTimestamp",
					   "deletionGracePeriodSeconds"};
	json_t *m = sw_json_key(copy, "metadata"), *notes = sw_json_at(copy, "metadata.annotations");

	for (size_t i = 0; i < sizeof(meta) / sizeof(*meta); i++)
		sw_json_del_key(m, meta[i]);
	sw_json_del_key(
		notes,
		"kubectl.kubernetes.io/last-applied-configuration"); /* the whole object, for the manager's kubectl */
	sw_json_del_key(notes, SW_ANN_STOPPED);
	sw_json_del_key(copy, "status");
	if (k->ttl_path)
		sw_json_del(copy,
			    k->ttl_path); /* honoured where the user looks; the copy goes when its result is home */
}

/* owner has metadata: the job or a pod template. */
static void add_identity(json_t *owner, const struct sw_copy_spec *spec)
{
	const char *slash = strchr(spec->workload_key, '/');
	char attempt[16], label[64];

	snprintf(attempt, sizeof(attempt), "%u", spec->attempt);
	sw_json_set_label(owner, SW_LABEL_ORIGIN, spec->origin);
	sw_json_set_label(owner, SW_LABEL_WORKLOAD, sw_workload_label(slash ? slash + 1 : spec->workload_key, label));
	sw_json_set_annotation(owner, SW_ANN_WORKLOAD, spec->workload_key);
	sw_json_set_annotation(owner, SW_ANN_OWNER_UID, spec->owner_uid);
	sw_json_set_annotation(owner, SW_ANN_ATTEMPT, attempt);
	if (spec->pool)
		sw_json_set_annotation(owner, SW_ANN_POOL, spec->pool);
}

/* For kinds whose pods would not tell the name of their job. */
static void add_job_name(const struct sw_kind *k, json_t *job, json_t *template)
{
	const char *name = sw_json_str(job, "metadata.name");

	if (name && sw_is_label_value(name) && strcmp(k->job_name_label, SW_LABEL_JOB) == 0)
		sw_json_set_label(template, SW_LABEL_JOB, name);
}

json_t *sw_kind_copy(const struct sw_kind *k, json_t *job, const struct sw_copy_spec *spec)
{
	json_t *copy = sw_json_copy(job);
	struct sw_podset sets[SW_PODSETS_MAX];

	drop_foreign(k, copy);
	if (spec->podsets && sw_failed(sw_kind_fill(k, copy, spec->podsets))) {
		json_object_put(copy);
		return NULL;
	}
	k->prepare(k, copy);
	add_identity(copy, spec);
	for (size_t i = 0, n = k->podsets(k, copy, sets); i < n; i++) {
		if (!json_object_is_type(sets[i].template, json_type_object))
			continue;
		add_identity(sets[i].template, spec);
		add_job_name(k, job, sets[i].template);
	}
	sw_kind_suspend(k, copy, true);
	return copy;
}
