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
	}
	sw_kind_suspend(k, copy, true);
	return copy;
}

/* ---- templates from a Workload ----------------------------------------------------------------- */

static json_t *podset_named(json_t *podsets, const char *name)
{
	for (size_t i = 0; i < sw_json_len(podsets); i++) {
		const char *s = sw_json_str(sw_json_idx(podsets, i), "name");

		if (s && strcmp(s, name) == 0)
			return sw_json_idx(podsets, i);
	}
	return NULL;
}

/* Everything that `from` holds, and nothing else: the object stays where it is. */
static void become(json_t *object, json_t *from)
{
	json_t *gone = json_object_new_array();

	json_object_object_foreach(object, key, value)
	{
		(void)value;
		json_object_array_add(gone, json_object_new_string(key));
	}
	for (size_t i = 0; i < sw_json_len(gone); i++)
		json_object_object_del(object, json_object_get_string(sw_json_idx(gone, i)));
	json_object_put(gone);
	json_object_object_foreach(from, name, field) json_object_object_add(object, name, sw_json_copy(field));
}

struct sw_err sw_kind_with_podsets(const struct sw_kind *k, json_t *job, json_t *podsets, json_t **out)
{
	json_t *copy = sw_json_copy(job);
	struct sw_podset sets[SW_PODSETS_MAX];
	size_t n = k->podsets(k, copy, sets);

	*out = NULL;
	for (size_t i = 0; i < n; i++) {
		json_t *from = sw_json_at(podset_named(podsets, sets[i].name), "template");

		if (!json_object_is_type(sets[i].template, json_type_object) ||
		    !json_object_is_type(from, json_type_object)) {
			json_object_put(copy);
			return sw_err(SW_E_INVALID, "%s: the Workload has no pod set \"%s\" for it", sets[i].path,
				      sets[i].name);
		}
		become(sets[i].template, from);
	}
	*out = copy;
	return SW_OK;
}
