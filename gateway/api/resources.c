/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources.c - the resource table: everything the embedded manager and the simulated workers serve
 *
 * Names, short names, subresources and scopes are those of the real servers (k8s.io/kubernetes v1.36.1, the CRDs
 * of Kueue 0.19.2 and of the training operator 1.9.3), except that training jobs are also in the category "all" so
 * that `kubectl get all` shows them. To serve one more kind: a row here, its shape in schema/, its columns in
 * table_columns.c if it has any.
 */
#include "spillway/resource.h"
#include <stdio.h>
#include <string.h>
#include "table_priv.h"

enum {
	V_READ = SW_VERB_GET | SW_VERB_LIST | SW_VERB_WATCH,
	V_ALL = V_READ | SW_VERB_CREATE | SW_VERB_UPDATE | SW_VERB_PATCH | SW_VERB_DELETE | SW_VERB_DELCOLL,
	V_POST = SW_VERB_CREATE
};
enum { BUILTIN = SW_RES_BUILTIN, GEN = SW_RES_GENERATION, CRD = SW_RES_GENERATION };

#define ROW(id_, g, v, k, pl, sg, sn, cat, msg, ns, fl, vm, vw, su, cols)                                              \
	{                                                                                                              \
		.id = id_, .group = g, .version = v, .kind = k, .plural = pl, .singular = sg, .short_names = sn,       \
		.categories = cat, .message = msg, .namespaced = ns, .flags = fl, .verbs_manager = vm,                 \
		.verbs_worker = vw, .subs = su, .columns = &sw_columns_##cols                                          \
	}
#define TRAINING(kind, plural, singular)                                                                               \
	ROW(plural ".kubeflow.org", "kubeflow.org", "v1", kind, plural, singular, "", "all", "kubeflow.v1." kind,      \
	    true, CRD, V_ALL, V_ALL, SW_SUB_STATUS, training)
#define KUEUE(kind, plural, singular, short_, ns, su, cols)                                                            \
	ROW(plural ".kueue.x-k8s.io", "kueue.x-k8s.io", "v1beta2", kind, plural, singular, short_, "",                 \
	    "kueue.v1beta2." kind, ns, CRD, V_ALL, 0, su, cols)

static const struct sw_resource rows[] = {
	ROW("namespaces", "", "v1", "Namespace", "namespaces", "namespace", "ns", "", "core.v1.Namespace", false,
	    BUILTIN, V_ALL & ~SW_VERB_DELCOLL, V_ALL & ~SW_VERB_DELCOLL, SW_SUB_STATUS, namespace),
	ROW("pods", "", "v1", "Pod", "pods", "pod", "po", "all", "core.v1.Pod", true,
	    BUILTIN | GEN | SW_RES_READ_ONLY_MANAGER, V_READ, V_ALL, SW_SUB_STATUS | SW_SUB_LOG, pod),
	ROW("events", "", "v1", "Event", "events", "event", "ev", "", "core.v1.Event", true, BUILTIN, V_ALL, V_ALL, 0,
	    event),
	ROW("secrets", "", "v1", "Secret", "secrets", "secret", "", "", "core.v1.Secret", true, BUILTIN, V_ALL, V_ALL,
	    0, secret),
	ROW("configmaps", "", "v1", "ConfigMap", "configmaps", "configmap", "cm", "", "core.v1.ConfigMap", true,
	    BUILTIN, V_ALL, V_ALL, 0, configmap),
	ROW("nodes", "", "v1", "Node", "nodes", "node", "no", "", "core.v1.Node", false, BUILTIN, 0, V_ALL,
	    SW_SUB_STATUS, node),
	ROW("serviceaccounts", "", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", "sa", "",
	    "core.v1.ServiceAccount", true, BUILTIN, V_ALL, V_ALL, 0, generic),
	ROW("jobs.batch", "batch", "v1", "Job", "jobs", "job", "", "all", "batch.v1.Job", true, BUILTIN | GEN, V_ALL,
	    V_ALL, SW_SUB_STATUS, job),
	{.id = "events.events.k8s.io",
	 .group = "events.k8s.io",
	 .version = "v1",
	 .kind = "Event",
	 .plural = "events",
	 .singular = "event",
	 .short_names = "ev",
	 .categories = "",
	 .message = "events.v1.Event",
	 .namespaced = true,
	 .flags = BUILTIN,
	 .verbs_manager = V_ALL,
	 .verbs_worker = V_ALL,
	 .columns = &sw_columns_event,
	 .stored_as = "events"},
	ROW("leases.coordination.k8s.io", "coordination.k8s.io", "v1", "Lease", "leases", "lease", "", "",
	    "coordination.v1.Lease", true, BUILTIN, V_ALL, V_ALL, 0, lease),
	KUEUE("LocalQueue", "localqueues", "localqueue", "queue,queues,lq", true, SW_SUB_STATUS, local_queue),
	KUEUE("ClusterQueue", "clusterqueues", "clusterqueue", "cq", false, SW_SUB_STATUS, cluster_queue),
	KUEUE("ResourceFlavor", "resourceflavors", "resourceflavor", "flavor,flavors,rf", false, 0, generic),
	KUEUE("WorkloadPriorityClass", "workloadpriorityclasses", "workloadpriorityclass", "wpc", false, 0,
	      priority_class),
	KUEUE("Workload", "workloads", "workload", "kwl,kueueworkload,kueueworkloads", true, SW_SUB_STATUS, workload),
	KUEUE("AdmissionCheck", "admissionchecks", "admissioncheck", "ac", false, SW_SUB_STATUS, generic),
	TRAINING("PyTorchJob", "pytorchjobs", "pytorchjob"),
	TRAINING("TFJob", "tfjobs", "tfjob"),
	TRAINING("PaddleJob", "paddlejobs", "paddlejob"),
	TRAINING("XGBoostJob", "xgboostjobs", "xgboostjob"),
	TRAINING("JAXJob", "jaxjobs", "jaxjob"),
	TRAINING("MPIJob", "mpijobs", "mpijob"),
	ROW("nodepools.sim.spillway.dev", "sim.spillway.dev", "v1", "NodePool", "nodepools", "nodepool", "np", "",
	    "sim.v1.NodePool", false, CRD, 0, V_ALL, SW_SUB_STATUS, node_pool),
	ROW("selfsubjectaccessreviews.authorization.k8s.io", "authorization.k8s.io", "v1", "SelfSubjectAccessReview",
	    "selfsubjectaccessreviews", "selfsubjectaccessreview", "", "", "authorization.v1.SelfSubjectAccessReview",
	    false, BUILTIN | SW_RES_REVIEW, V_POST, V_POST, 0, generic),
	ROW("selfsubjectrulesreviews.authorization.k8s.io", "authorization.k8s.io", "v1", "SelfSubjectRulesReview",
	    "selfsubjectrulesreviews", "selfsubjectrulesreview", "", "", "authorization.v1.SelfSubjectRulesReview",
	    false, BUILTIN | SW_RES_REVIEW, V_POST, V_POST, 0, generic),
	ROW("selfsubjectreviews.authentication.k8s.io", "authentication.k8s.io", "v1", "SelfSubjectReview",
	    "selfsubjectreviews", "selfsubjectreview", "", "", "authentication.v1.SelfSubjectReview", false,
	    BUILTIN | SW_RES_REVIEW, V_POST, V_POST, 0, generic),
};
enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

const struct sw_resource *sw_resources(size_t *n)
{
	*n = N_ROWS;
	return rows;
}

const char *sw_verb_word(enum sw_verb v)
{
	switch (v) {
#define X(id, bit, word)                                                                                               \
	case SW_VERB_##id:                                                                                             \
		return word;
		SW_VERB_MAP(X)
#undef X
	}
	return "";
}

unsigned sw_resource_verbs(const struct sw_resource *r, enum sw_serve serve)
{
	return serve == SW_SERVE_MANAGER ? r->verbs_manager : serve == SW_SERVE_WORKER ? r->verbs_worker : 0;
}

static bool is_in_group(const struct sw_resource *r, enum sw_serve serve, const char *group, const char *version)
{
	return sw_resource_verbs(r, serve) != 0 && strcmp(r->group, group) == 0 &&
	       (!version || strcmp(r->version, version) == 0);
}

const struct sw_resource *sw_resource_find(enum sw_serve serve, const char *group, const char *version,
					   const char *plural)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (strcmp(rows[i].plural, plural) == 0 && is_in_group(&rows[i], serve, group, version))
			return &rows[i];
	return NULL;
}

const struct sw_resource *sw_resource_by_kind(enum sw_serve serve, const char *group, const char *version,
					      const char *kind)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (strcmp(rows[i].kind, kind) == 0 && is_in_group(&rows[i], serve, group, version))
			return &rows[i];
	return NULL;
}

static bool has_api_version(const struct sw_resource *r, const char *api_version)
{
	size_t n = strlen(r->group);

	if (n == 0)
		return strcmp(api_version, r->version) == 0;
	return strncmp(api_version, r->group, n) == 0 && api_version[n] == '/' &&
	       strcmp(api_version + n + 1, r->version) == 0;
}

const struct sw_resource *sw_resource_of(const char *api_version, const char *kind)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (strcmp(rows[i].kind, kind) == 0 && has_api_version(&rows[i], api_version))
			return &rows[i];
	return NULL;
}

const struct sw_resource *sw_resource_by_id(const char *id)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (strcmp(rows[i].id, id) == 0)
			return &rows[i];
	return NULL;
}

unsigned sw_resource_sub(const struct sw_resource *r, const char *name)
{
	static const struct {
		const char *name;
		unsigned bit;
	} subs[] = {
		{"status", SW_SUB_STATUS},
		{"log", SW_SUB_LOG},
		{"scale", SW_SUB_SCALE},
	};

	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++)
		if (strcmp(subs[i].name, name) == 0)
			return r->subs & subs[i].bit;
	return 0;
}

const char *sw_resource_api_version(const struct sw_resource *r, char buf[96])
{
	snprintf(buf, 96, "%s%s%s", r->group, *r->group ? "/" : "", r->version);
	return buf;
}

bool sw_resource_has_group(enum sw_serve serve, const char *group, const char *version)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (is_in_group(&rows[i], serve, group, version))
			return true;
	return false;
}

const struct sw_resource *sw_resource_storage(const struct sw_resource *r)
{
	return r->stored_as ? sw_resource_by_id(r->stored_as) : r;
}

/* ---- events: two shapes of one thing ----------------------------------------------------------- */

/* core/v1 name, events.k8s.io/v1 name. Source: k8s.io/kubernetes pkg/apis/events/v1/conversion.go */
static const char *const event_fields[][2] = {
	{"involvedObject", "regarding"},
	{"message", "note"},
	{"source", "deprecatedSource"},
	{"firstTimestamp", "deprecatedFirstTimestamp"},
	{"lastTimestamp", "deprecatedLastTimestamp"},
	{"count", "deprecatedCount"},
	{"reportingComponent", "reportingController"},
};

static void rename_key(json_t *o, const char *from, const char *to)
{
	json_t *v = NULL;

	if (!json_object_object_get_ex(o, from, &v))
		return;
	json_object_object_add(o, to, json_object_get(v));
	json_object_object_del(o, from);
}

static void event_convert(json_t *o, bool to_core)
{
	for (size_t i = 0; i < sizeof(event_fields) / sizeof(event_fields[0]); i++)
		rename_key(o, event_fields[i][to_core], event_fields[i][!to_core]);
	json_object_object_add(o, "apiVersion", json_object_new_string(to_core ? "v1" : "events.k8s.io/v1"));
}

void sw_resource_to_storage(const struct sw_resource *r, json_t *o)
{
	if (r->stored_as)
		event_convert(o, true);
}

void sw_resource_from_storage(const struct sw_resource *r, json_t *o)
{
	if (r->stored_as)
		event_convert(o, false);
}
