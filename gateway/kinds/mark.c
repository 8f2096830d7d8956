/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark.c - managedBy and suspend for jobs of labelled queues, as a JSON patch; topology taken out of their Workloads
 *
 * The wire format: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/kinds.h"
#include "spillway/mark.h"
#include "spillway/text.h"
#include "spillway/topology.h"

/* A kind's own controller, which its CRD may have filled in, counts as unset. */
static bool is_unset(const char *managed_by)
{
	static const char *const own[] = {"",
					  "kubernetes.io/job-controller",
					  "jobset.sigs.k8s.io/jobset-controller",
					  "trainer.kubeflow.org/trainjob-controller",
					  "ray.io/kuberay-operator",
					  "workload.codeflare.dev/appwrapper-controller",
					  "kubeflow.org/training-operator",
					  "kubeflow.org/mpi-operator"};

	for (size_t i = 0; managed_by && i < sizeof own / sizeof *own; i++)
		if (strcmp(managed_by, own[i]) == 0)
			return true;
	return !managed_by;
}

static void add_op(json_t *patch, const char *dotted, json_t *value_taken)
{
	char path[128];
	json_t *op = json_object_new_object();

	snprintf(path, sizeof path, "/%s", dotted);
	for (char *dot = path; (dot = strchr(dot, '.'));)
		*dot = '/';
	sw_json_set_str(op, "op", "add"); /* replaces what is there */
	sw_json_set_str(op, "path", path);
	json_object_object_add(op, "value", value_taken);
	json_object_array_add(patch, op);
}

json_t *sw_mark_patch(json_t *job)
{
	char parent[96];
	const struct sw_kind *k = sw_kind_of(job);

	if (!k || !k->managed_by_path || !is_unset(sw_kind_managed_by(k, job)))
		return NULL;
	json_t *patch = json_object_new_array();
	const char *dot = strrchr(k->managed_by_path, '.');
	snprintf(parent, sizeof parent, "%.*s", (int)(dot - k->managed_by_path), k->managed_by_path);
	if (!sw_json_at(job, parent)) /* a patch adds to what is there, and spec.runPolicy may not be */
		add_op(patch, parent, json_object_new_object());
	add_op(patch, k->managed_by_path, json_object_new_string(SW_MANAGED_BY));
	add_op(patch, k->suspend_path, json_object_new_boolean(true));
	return patch;
}

static json_t *answer(const char *uid, bool allowed)
{
	json_t *o =
		sw_json_fmt("{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"response\":{}}");

	sw_json_set_str(o, "response.uid", uid);
	sw_json_set_bool(o, "response.allowed", allowed);
	return o;
}

static void add_patch(json_t *o, json_t *patch_taken)
{
	size_t len;
	char *text = sw_json_text(patch_taken, &len), *coded = sw_base64(text, len);

	sw_json_set_str(o, "response.patchType", "JSONPatch");
	sw_json_set_str(o, "response.patch", coded);
	json_object_put(patch_taken);
	free(text);
	free(coded);
}

static bool is_workload(json_t *object)
{
	const char *kind = sw_json_str(object, "kind"), *api = sw_json_str(object, "apiVersion");

	return kind && api && strcmp(kind, "Workload") == 0 && strncmp(api, "kueue.x-k8s.io/", 15) == 0;
}

/* NULL: nothing of it is to be changed, whatever the queue. An offer of another manager to this cluster is not ours. */
static const char *queue_of(json_t *object)
{
	if (!is_workload(object))
		return sw_json_label(object, SW_LABEL_QUEUE);
	return sw_json_label(object, SW_LABEL_ORIGIN) ? NULL : sw_json_str(object, "spec.queueName");
}

struct sw_err sw_mark_review(json_t *review, sw_mark_fn *is_ours, void *owner, json_t **out)
{
	json_t *job = sw_json_at(review, "request.object");
	const char *uid = sw_json_str(review, "request.uid"), *ns = sw_json_str(review, "request.namespace"),
		   *api = sw_json_str(review, "apiVersion"), *queue = queue_of(job);

	*out = NULL;
	if (!api || strcmp(api, "admission.k8s.io/v1") != 0 || !uid || !ns ||
	    !json_object_is_type(job, json_type_object))
		return sw_err(SW_E_INVALID,
			      "expected an AdmissionReview of admission.k8s.io/v1 with uid, namespace and object");
	enum sw_marking mark = queue && *queue ? is_ours(owner, ns, queue) : SW_MARK_NO;
	*out = answer(uid, mark != SW_MARK_UNKNOWN);
	if (mark == SW_MARK_UNKNOWN) {
		sw_json_set_int(*out, "response.status.code", 503);
		sw_json_set_str(*out, "response.status.message",
				"spillway does not see its queues yet: try again in a moment");
	}
	json_t *patch = mark != SW_MARK_YES ? NULL : is_workload(job) ? sw_topology_hide(job) : sw_mark_patch(job);
	if (patch)
		add_patch(*out, patch);
	return SW_OK;
}
