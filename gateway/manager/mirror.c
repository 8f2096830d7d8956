/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirror.c - pods of running copies, shown here as if they ran here
 *
 * A mirrored pod belongs to the user's job (so it goes with it) and carries the labels that kubectl asks for: `kubectl
 * logs job/x` follows the job's selector, which names the job's uid on this side.
 */
#include <stdio.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/text.h"

static void set_owner(json_t *pod, const struct sw_kind *k, json_t *job)
{
	json_t *list = json_object_new_array(), *o = json_object_new_object();

	sw_json_set_str(o, "apiVersion", sw_json_str(job, "apiVersion"));
	sw_json_set_str(o, "kind", k->kind);
	sw_json_set_str(o, "name", sw_json_str(job, "metadata.name"));
	sw_json_set_str(o, "uid", sw_json_str(job, "metadata.uid"));
	sw_json_set_bool(o, "controller", true);
	json_object_array_add(list, o);
	sw_json_set(pod, "metadata.ownerReferences", list);
}

/* gives the pod as it is kept here. */
static json_t *pod_localise(json_t *pod, const struct sw_kind *k, json_t *job, const char *cluster)
{
	static const char *const drop[] = {"resourceVersion", "managedFields",     "finalizers",
					   "generateName",    "deletionTimestamp", "deletionGracePeriodSeconds",
					   "selfLink"};
	static const char *const uid_labels[] = {"controller-uid", "batch.kubernetes.io/controller-uid"};
	json_t *copy = sw_json_copy(pod), *meta = sw_json_key(copy, "metadata");

	for (size_t i = 0; i < sizeof(drop) / sizeof(*drop); i++)
		json_object_object_del(meta, drop[i]);
	for (size_t i = 0; i < 2; i++)
		if (sw_json_label(copy, uid_labels[i]))
			sw_json_set_label(copy, uid_labels[i], sw_json_str(job, "metadata.uid"));
	sw_json_set_str(copy, "apiVersion", "v1");
	sw_json_set_str(copy, "kind", "Pod");
	sw_json_set_str(copy, "metadata.namespace", sw_json_str(job, "metadata.namespace"));
	sw_json_set_annotation(copy, SW_ANN_CLUSTER, cluster);
	set_owner(copy, k, job);
	return copy;
}

/* Nothing but the resourceVersion is new? Takes it off `have`. */
static bool pod_same(json_t *have, json_t *fresh)
{
	sw_json_del(have, "metadata.resourceVersion");
	return json_object_equal(have, fresh);
}

static struct sw_err pod_store(struct emb *m, json_t *fresh, const struct put *put)
{
	const char *uid = sw_json_str(fresh, "metadata.uid");
	json_t *have = NULL;
	char own[37];
	uint64_t rv = SW_RV_ABSENT;
	struct sw_err e = emb_get(m, "pods", sw_json_str(fresh, "metadata.namespace"),
				  sw_json_str(fresh, "metadata.name"), &have, &rv);

	if (e.code == SW_E_MISSING) {
		rv = SW_RV_ABSENT;
		e = SW_OK;
	}
	if (!uid)
		sw_json_set_str(fresh, "metadata.uid", sw_uuid(own));
	if (!sw_failed(e) && have && pod_same(have, fresh))
		emb_later(m, put->done, put->owner, SW_OK);
	else if (!sw_failed(e))
		e = emb_put(m, "pods", fresh, rv, put);
	json_object_put(have);
	return e;
}

static struct sw_err pod_gone(struct emb *m, const struct sw_kind *k, json_t *job, const char *ns, const char *name,
			      const struct put *put)
{
	json_t *have = NULL;
	const char *why;
	uint64_t rv;
	struct sw_err e = SW_OK;

	if (k->outcome(k, job, &why) == SW_UNFINISHED)
		e = emb_get(m, "pods", ns, name, &have, &rv);
	if (!sw_failed(e) && have)
		e = emb_erase(m, "pods", have, rv, put);
	else if (!sw_failed(e) || e.code == SW_E_MISSING) { /* kept with its finished job, or gone already */
		emb_later(m, put->done, put->owner, SW_OK);
		e = SW_OK;
	}
	json_object_put(have);
	return e;
}

struct sw_err mirror_pod_op(struct sw_manager *base, const char *key, const char *job_uid, const char *cluster,
			    json_t *pod, sw_manager_fn *done, void *owner)
{
	struct emb *m = emb_of(base);
	struct row *r = row_find(m, key);
	const char *pod_name = sw_json_str(pod, "metadata.name"), *uid;
	struct put put = {.done = done, .owner = owner};
	char ns[260], name[254];
	json_t *job = NULL;
	uint64_t rv;

	if (!r || !row_is_of(r, job_uid))
		return sw_err(SW_E_MISSING, "workload %s of job uid %s is gone", key, job_uid);
	if (!pod_name || !sw_is_subdomain(pod_name))
		return sw_err(SW_E_INVALID, "pod of workload %s: metadata.name: expected a name", key);
	snprintf(ns, sizeof(ns), "%.*s", (int)strcspn(key, "/"), key);
	row_job_name(r, name);
	struct sw_err e = emb_get(m, row_kind(r)->resource, ns, name, &job, &rv);

	uid = sw_json_str(job, "metadata.uid");
	if (!sw_failed(e) && (!uid || strcmp(uid, job_uid) != 0))
		e = sw_err(SW_E_MISSING, "job %s/%s is another one now", ns, name);
	if (!sw_failed(e) && !sw_json_key(pod, "spec")) {
		e = pod_gone(m, row_kind(r), job, ns, pod_name, &put);
	} else if (!sw_failed(e)) {
		json_t *fresh = pod_localise(pod, row_kind(r), job, cluster);

		e = pod_store(m, fresh, &put);
		json_object_put(fresh);
	}
	json_object_put(job);
	return e;
}
