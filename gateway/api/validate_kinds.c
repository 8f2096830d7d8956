/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate_kinds.c - rules of the other kinds, one function each, found by the resource's id
 *
 * Sources: k8s.io/kubernetes v1.36.1 pkg/apis/core/validation; Kueue 0.19.2 pkg/webhooks and the rules in its
 * CRDs; training operator 1.9.3 pkg/webhooks.
 */
#include <string.h>
#include "check_priv.h"
#include "spillway/text.h"

enum { DATA_MAX_BYTES = 1 << 20 };

/* ---- pods -------------------------------------------------------------------------------------- */

/* What a pod's update may change; nodeName once, by a scheduler. */
static json_t *pod_frozen_part(json_t *spec, bool scheduled)
{
	static const char *const free_fields[] = {"activeDeadlineSeconds", "tolerations",
						  "terminationGracePeriodSeconds", "schedulingGates"};
	json_t *copy = sw_json_copy(spec);

	for (size_t i = 0; i < sizeof(free_fields) / sizeof(free_fields[0]); i++)
		json_object_object_del(copy, free_fields[i]);
	if (!scheduled)
		json_object_object_del(copy, "nodeName");
	for (int init = 0; init < 2; init++) {
		json_t *list = sw_json_key(copy, init ? "initContainers" : "containers");

		for (size_t i = 0; i < sw_json_len(list); i++) {
			json_object_object_del(sw_json_idx(list, i), "image");
			json_object_object_del(sw_json_idx(list, i), "imagePullPolicy");
		}
	}
	return copy;
}

static void check_pod(struct check *c, json_t *o, json_t *old)
{
	const struct step *at = AT_FIELD(NULL, "spec");
	json_t *spec = sw_json_key(o, "spec"), *old_spec = old ? sw_json_key(old, "spec") : NULL, *a, *b;

	if (!spec || !sw_json_key(spec, "containers")) {
		check_required(c, AT_FIELD(at, "containers"), "");
		return;
	}
	check_pod_spec(c, at, spec);
	if (!old_spec || json_object_equal(spec, old_spec))
		return;
	a = pod_frozen_part(spec, sw_json_str(old_spec, "nodeName") != NULL);
	b = pod_frozen_part(old_spec, sw_json_str(old_spec, "nodeName") != NULL);
	if (!json_object_equal(a, b))
		check_forbidden(
			c, at,
			"pod updates may not change fields other than "
			"`spec.containers[*].image`,`spec.initContainers[*].image`,"
			"`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
			"`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)");
	json_object_put(a);
	json_object_put(b);
}

/* ---- config maps and secrets ------------------------------------------------------------------- */

static bool is_data_key(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > 253 || strcmp(s, ".") == 0 || strncmp(s, "..", 2) == 0)
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

static size_t check_data_keys(struct check *c, json_t *o, const char *field)
{
	const struct step *at = AT_FIELD(NULL, field);
	json_t *data = sw_json_key(o, field);
	size_t bytes = 0;

	if (!data)
		return 0;
	json_object_object_foreach(data, key, value)
	{
		bytes += (size_t)json_object_get_string_len(value);
		if (!is_data_key(key)) {
			json_t *k = json_object_new_string(key);

			check_invalid(
				c, AT_KEY(at, key), k,
				"a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
				"'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
				"'[-._a-zA-Z0-9]+')");
			json_object_put(k);
		}
	}
	return bytes;
}

static void check_data(struct check *c, json_t *o, json_t *old, const char *second)
{
	size_t bytes = check_data_keys(c, o, "data") + check_data_keys(c, o, second);
	bool frozen = old && sw_json_bool(old, "immutable");

	if (bytes > DATA_MAX_BYTES)
		sw_cause_too_long(&c->causes, "", NULL, "may not be more than %d bytes", DATA_MAX_BYTES);
	if (!frozen)
		return;
	if (!sw_json_bool(o, "immutable"))
		check_forbidden(c, AT_FIELD(NULL, "immutable"), "field is immutable when `immutable` is set");
	if (!json_object_equal(sw_json_key(o, "data"), sw_json_key(old, "data")) ||
	    !json_object_equal(sw_json_key(o, second), sw_json_key(old, second)))
		check_forbidden(c, AT_FIELD(NULL, "data"), "field is immutable when `immutable` is set");
}

static void check_configmap(struct check *c, json_t *o, json_t *old)
{
	check_data(c, o, old, "binaryData");
}

static void check_secret(struct check *c, json_t *o, json_t *old)
{
	check_data(c, o, old, "stringData");
	if (old)
		check_immutable(c, NULL, o, old, "type");
}

/* ---- events ------------------------------------------------------------------------------------ */

static void check_event(struct check *c, json_t *o, json_t *old)
{
	const char *field = strcmp(c->r->id, "events") == 0 ? "involvedObject" : "regarding";
	const char *ns = sw_json_str(o, "metadata.namespace");
	json_t *of = sw_json_key(sw_json_key(o, field), "namespace");

	(void)old;
	if (of && !text_is(of, "") && ns && !text_is(of, ns))
		check_invalid(c, AT_FIELD(AT_FIELD(NULL, field), "namespace"), of, "does not match event.namespace");
	else if ((!of || text_is(of, "")) && ns && strcmp(ns, "default") != 0 && strcmp(ns, "kube-system") != 0)
		check_invalid(c, AT_FIELD(AT_FIELD(NULL, field), "namespace"), of, "does not match event.namespace");
}

/* ---- nodes and pools --------------------------------------------------------------------------- */

static void check_node(struct check *c, json_t *o, json_t *old)
{
	const struct step *status = AT_FIELD(NULL, "status");

	(void)old;
	for (int i = 0; i < 2; i++) {
		const char *key = i ? "allocatable" : "capacity";
		json_t *list = sw_json_at(o, i ? "status.allocatable" : "status.capacity");
		int64_t milli;

		if (!list)
			continue;
		json_object_object_foreach(list, name,
					   v) if (!sw_failed(sw_quantity_milli(json_object_get_string(v), &milli)) &&
						  milli < 0)
			check_invalid(c, AT_KEY(AT_FIELD(status, key), name), v, "must be greater than or equal to 0");
	}
}

static void check_pool(struct check *c, json_t *o, json_t *old)
{
	const struct step *spec = AT_FIELD(NULL, "spec");
	int64_t least = sw_json_int(o, "spec.minNodes", 0), most = sw_json_int(o, "spec.maxNodes", 0);
	json_t *desired = sw_json_at(o, "spec.desired");

	(void)old;
	if (least > most)
		check_invalid(c, AT_FIELD(spec, "minNodes"), sw_json_at(o, "spec.minNodes"),
			      "must be less than or equal to maxNodes");
	if (desired && (json_object_get_int64(desired) > most || json_object_get_int64(desired) < least))
		check_invalid(c, AT_FIELD(spec, "desired"), desired,
			      "must be between minNodes (%lld) and maxNodes (%lld)", (long long)least, (long long)most);
}

static void check_lease(struct check *c, json_t *o, json_t *old)
{
	const struct step *spec = AT_FIELD(NULL, "spec");
	json_t *v = sw_json_at(o, "spec.leaseDurationSeconds");

	(void)old;
	if (v && json_object_get_int64(v) <= 0)
		check_invalid(c, AT_FIELD(spec, "leaseDurationSeconds"), v, "must be greater than 0");
	check_not_negative(c, spec, sw_json_key(o, "spec"), "leaseTransitions");
}

/* ---- training jobs ----------------------------------------------------------------------------- */

struct training {
	const char *id, *specs, *container;
	const char *types[6];
};
static const struct training trainings[] = {
	{"pytorchjobs.kubeflow.org", "pytorchReplicaSpecs", "pytorch", {"Master", "Worker"}},
	{"tfjobs.kubeflow.org", "tfReplicaSpecs", "tensorflow", {"PS", "Worker", "Chief", "Master", "Evaluator"}},
	{"paddlejobs.kubeflow.org", "paddleReplicaSpecs", "paddle", {"Master", "Worker"}},
	{"xgboostjobs.kubeflow.org", "xgbReplicaSpecs", "xgboost", {"Master", "Worker"}},
	{"jaxjobs.kubeflow.org", "jaxReplicaSpecs", "jax", {"Worker"}},
	{"mpijobs.kubeflow.org", "mpiReplicaSpecs", NULL, {"Launcher", "Worker"}},
};

static bool has_container(json_t *containers, const char *name)
{
	for (size_t i = 0; i < sw_json_len(containers); i++)
		if (text_is(sw_json_key(sw_json_idx(containers, i), "name"), name))
			return true;
	return false;
}

static void check_replica_type(struct check *c, const struct step *at, const struct training *t, const char *type)
{
	size_t n = 0;
	json_t *v;

	for (; t->types[n]; n++)
		if (strcmp(t->types[n], type) == 0)
			return;
	v = json_object_new_string(type);
	check_not_supported(c, at, v, t->types, n);
	json_object_put(v);
}

static void check_replica(struct check *c, const struct step *at, const struct training *t, const char *type,
			  json_t *replica)
{
	json_t *count = sw_json_key(replica, "replicas"), *containers = sw_json_at(replica, "template.spec.containers");
	const struct step *template = AT_FIELD(at, "template");

	check_replica_type(c, at, t, type);
	if (strcmp(type, "Master") == 0 && count && json_object_get_int64(count) != 1)
		check_forbidden(c, AT_FIELD(at, "replicas"), "must be 1");
	else if (count && json_object_get_int64(count) < 1)
		check_forbidden(c, AT_FIELD(at, "replicas"), "must be at least 1");
	check_pod_template(c, template, sw_json_key(replica, "template"));
	if (t->container && sw_json_len(containers) && !has_container(containers, t->container))
		check_required(c, AT_FIELD(AT_FIELD(template, "spec"), "containers"),
			       "must have at least one container with the name that the training operator looks for "
			       "(pytorch, tensorflow, "
			       "paddle, xgboost, jax)");
}

static void check_training(struct check *c, json_t *o, json_t *old)
{
	const struct step *spec = AT_FIELD(NULL, "spec");
	json_t *policy = sw_json_at(o, "spec.runPolicy"), *name = sw_json_at(o, "metadata.name");

	for (size_t i = 0; i < sizeof(trainings) / sizeof(trainings[0]); i++) {
		const struct training *t = &trainings[i];
		json_t *specs = sw_json_key(sw_json_key(o, "spec"), t->specs);

		if (strcmp(t->id, c->r->id) != 0 || !specs)
			continue;
		if (json_object_object_length(specs) == 0)
			check_required(c, AT_FIELD(spec, t->specs), "must be specified");
		json_object_object_foreach(specs, type, replica)
			check_replica(c, AT_KEY(AT_FIELD(spec, t->specs), type), t, type, replica);
	}
	check_not_negative(c, AT_FIELD(spec, "runPolicy"), policy, "backoffLimit");
	check_not_negative(c, AT_FIELD(spec, "runPolicy"), policy, "activeDeadlineSeconds");
	check_not_negative(c, AT_FIELD(spec, "runPolicy"), policy, "ttlSecondsAfterFinished");
	if (!old && name && (!sw_is_dns_label(json_object_get_string(name)) || *json_object_get_string(name) <= '9'))
		check_invalid(c, AT_FIELD(AT_FIELD(NULL, "metadata"), "name"), name,
			      "should match: a DNS-1035 label must consist of lower "
			      "case alphanumeric characters or '-', start with an alphabetic character, and end with "
			      "an alphanumeric character");
	if (old && !json_object_equal(sw_json_key(policy, "managedBy"), sw_json_at(old, "spec.runPolicy.managedBy")))
		check_invalid(c, AT_FIELD(AT_FIELD(spec, "runPolicy"), "managedBy"), sw_json_key(policy, "managedBy"),
			      "field is immutable");
}

/* ---- Kueue ------------------------------------------------------------------------------------- */

static void check_quota(struct check *c, const struct step *at, json_t *resource)
{
	json_t *v = sw_json_key(resource, "nominalQuota");
	int64_t milli;

	if (v && !sw_failed(sw_quantity_milli(json_object_get_string(v), &milli)) && milli < 0)
		check_invalid(c, AT_FIELD(at, "nominalQuota"), v, "must be greater than or equal to 0");
}

static void check_group(struct check *c, const struct step *at, json_t *group)
{
	json_t *covered = sw_json_key(group, "coveredResources"), *flavors = sw_json_key(group, "flavors");

	for (size_t i = 0; i < sw_json_len(flavors); i++) {
		json_t *resources = sw_json_key(sw_json_idx(flavors, i), "resources");
		const struct step *flavor = AT_INDEX(AT_FIELD(at, "flavors"), i);

		if (sw_json_len(resources) != sw_json_len(covered))
			check_invalid(c, at, NULL,
				      "flavors must have the same number of resources as the coveredResources");
		for (size_t j = 0; j < sw_json_len(resources); j++) {
			json_t *r = sw_json_idx(resources, j);
			const struct step *here = AT_INDEX(AT_FIELD(flavor, "resources"), j);

			if (j < sw_json_len(covered) &&
			    !json_object_equal(sw_json_key(r, "name"), sw_json_idx(covered, j)))
				check_invalid(c, AT_FIELD(here, "name"), sw_json_key(r, "name"),
					      "must match the name in coveredResources");
			check_quota(c, here, r);
		}
	}
}

static void check_cluster_queue(struct check *c, json_t *o, json_t *old)
{
	const struct step *groups_at = AT_FIELD(AT_FIELD(NULL, "spec"), "resourceGroups");
	json_t *groups = sw_json_at(o, "spec.resourceGroups");

	(void)old;
	for (size_t i = 0; i < sw_json_len(groups); i++)
		check_group(c, AT_INDEX(groups_at, i), sw_json_idx(groups, i));
}

static void check_local_queue(struct check *c, json_t *o, json_t *old)
{
	if (old && !json_object_equal(sw_json_at(o, "spec.clusterQueue"), sw_json_at(old, "spec.clusterQueue")))
		check_invalid(c, AT_FIELD(AT_FIELD(NULL, "spec"), "clusterQueue"), sw_json_at(o, "spec.clusterQueue"),
			      "field is immutable");
}

/* ---- the table --------------------------------------------------------------------------------- */

typedef void kind_fn(struct check *c, json_t *o, json_t *old);
static const struct {
	const char *id;
	kind_fn *fn;
} kinds[] = {
	{"jobs.batch", check_job},
	{"pods", check_pod},
	{"configmaps", check_configmap},
	{"secrets", check_secret},
	{"events", check_event},
	{"events.events.k8s.io", check_event},
	{"nodepools.sim.spillway.dev", check_pool},
	{"leases.coordination.k8s.io", check_lease},
	{"nodes", check_node},
	{"pytorchjobs.kubeflow.org", check_training},
	{"tfjobs.kubeflow.org", check_training},
	{"paddlejobs.kubeflow.org", check_training},
	{"xgboostjobs.kubeflow.org", check_training},
	{"jaxjobs.kubeflow.org", check_training},
	{"mpijobs.kubeflow.org", check_training},
	{"clusterqueues.kueue.x-k8s.io", check_cluster_queue},
	{"localqueues.kueue.x-k8s.io", check_local_queue},
};

void check_kind(struct check *c, const char *sub, json_t *o, json_t *old)
{
	if (sub) {
		if (strcmp(c->r->id, "jobs.batch") == 0)
			check_job_status(c, o, old);
		else if (strcmp(c->r->id, "nodes") == 0)
			check_node(c, o, old);
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].id, c->r->id) == 0)
			kinds[i].fn(c, o, old);
}
