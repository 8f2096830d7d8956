/* SPDX-License-Identifier: Apache-2.0 */
/* test_object.c - creates and updates: metadata, defaults, what may not change */
#include "pure.h"

static const struct sw_begin begin = {
	.ns = "team-a", .uid = "11111111-2222-3333-4444-555555555555", .suffix = "x7k2p", .now_ms = 1795451103000};

/* The road of a create: decode, begin, default, validate. gives the object in *out. */
static json_t *create(const struct sw_schema *s, const char *id, const char *text, json_t **out)
{
	const struct sw_resource *r = sw_resource_by_id(id);
	json_t *o = json_of(text), *no = sw_object_decode(s, r, o, NULL, SW_FIELDS_STRICT, NULL);

	if (!no)
		no = sw_object_begin(r, o, &begin);
	if (!no) {
		sw_object_default(s, r, o);
		no = sw_object_validate(s, r, NULL, o, NULL);
	}
	*out = o;
	return no;
}

/* Patches `old` by merging `patch` into it and takes the road of an update. */
static json_t *update(const struct sw_schema *s, const char *id, const char *sub, json_t *old, const char *patch,
		      json_t **out)
{
	const struct sw_resource *r = sw_resource_by_id(id);
	json_t *o = sw_json_copy(old), *p = json_of(patch), *no;

	json_object_object_foreach(p, path, v) if (v) sw_json_set(o, path, json_object_get(v));
	else sw_json_del(o, path);
	json_object_put(p);
	no = sw_object_carry(s, r, sub, o, old);
	if (!no)
		no = sw_object_validate(s, r, sub, o, old);
	*out = o;
	return no;
}

#define POD "{'containers':[{'name':'c','image':'busybox'}],'restartPolicy':'Never'}"

Test(object, a_small_job_gets_the_defaults_of_the_real_server)
{
	struct sw_schema *s = schema_or_die();
	json_t *o, *again;

	refused("create",
		create(s, "jobs.batch", "{'metadata':{'generateName':'pi-'},'spec':{'template':{'spec':" POD "}}}", &o),
		0, NULL);
	again = sw_json_copy(o);
	sw_object_default(s, sw_resource_by_id("jobs.batch"), again);
	cr_expect(json_object_equal(o, again), "defaulting twice changes nothing");
	json_object_put(again);
	same_json(
		"job", o,
		json_of("{'kind':'Job','apiVersion':'batch/"
			"v1','metadata':{'generateName':'pi-','name':'pi-x7k2p','namespace':'team-a',"
			"'uid':'11111111-2222-3333-4444-555555555555','creationTimestamp':'2026-11-23T16:25:03Z','"
			"generation':1,"
			"'labels':{'job-name':'pi-x7k2p','batch.kubernetes.io/job-name':'pi-x7k2p',"
			"'controller-uid':'11111111-2222-3333-4444-555555555555','batch.kubernetes.io/"
			"controller-uid':'11111111-2222-3333-4444-555555555555'}},"
			"'spec':{'completions':1,'parallelism':1,'backoffLimit':6,'completionMode':'NonIndexed','"
			"suspend':false,'manualSelector':false,"
			"'podReplacementPolicy':'TerminatingOrFailed',"
			"'selector':{'matchLabels':{'batch.kubernetes.io/"
			"controller-uid':'11111111-2222-3333-4444-555555555555'}},"
			"'template':{'metadata':{'labels':{'job-name':'pi-x7k2p','batch.kubernetes.io/"
			"job-name':'pi-x7k2p',"
			"'controller-uid':'11111111-2222-3333-4444-555555555555','batch.kubernetes.io/"
			"controller-uid':'11111111-2222-3333-4444-555555555555'}},"
			"'spec':{'containers':[{'name':'c','image':'busybox','imagePullPolicy':'Always','resources':{},"
			"'terminationMessagePath':'/dev/"
			"termination-log','terminationMessagePolicy':'File'}],'restartPolicy':'Never',"
			"'dnsPolicy':'ClusterFirst','schedulerName':'default-scheduler','securityContext':{},'"
			"terminationGracePeriodSeconds':30}}},"
			"'status':{}}"));
	sw_schema_free(s);
	no_leaks();
}

Test(object, other_defaults)
{
	static const struct {
		const char *what, *id, *in, *path, *value;
	} rows[] = {
		{"completions stay unset beside parallelism", "jobs.batch",
		 "{'metadata':{'name':'j'},'spec':{'parallelism':3,'template':{'spec':" POD "}}}", "spec.completions",
		 NULL},
		{"backoffLimit is out of the way per index", "jobs.batch",
		 "{'metadata':{'name':'j'},'spec':{'completionMode':'Indexed','completions':3,'backoffLimitPerIndex':1,"
		 "'template':{'spec':" POD "}}}",
		 "spec.backoffLimit", "2147483647"},
		{"a tag other than latest", "jobs.batch",
		 "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'containers':[{'name':'c','image':'reg:5000/a/"
		 "b:v1'}],'restartPolicy':'Never'}}}}",
		 "spec.template.spec.containers", "IfNotPresent"},
		{"a registry with a port is no tag", "jobs.batch",
		 "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'containers':[{'name':'c','image':'reg:5000/a/"
		 "b'}],'restartPolicy':'Never'}}}}",
		 "spec.template.spec.containers", "\"Always\""},
		{"a digest is no tag", "jobs.batch",
		 "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'containers':[{'name':'c','image':'a@sha256:00'}"
		 "],'restartPolicy':'Never'}}}}",
		 "spec.template.spec.containers", "IfNotPresent"},
		{"ports are TCP", "jobs.batch",
		 "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'containers':[{'name':'c','image':'a','ports':[{"
		 "'containerPort':80}]}],'restartPolicy':'Never'}}}}",
		 "spec.template.spec.containers", "TCP"},
		{"a volume of nothing is an emptyDir", "jobs.batch",
		 "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'volumes':[{'name':'v'}],'containers':[{'name':'"
		 "c','image':'a'}],'restartPolicy':'Never'}}}}",
		 "spec.template.spec.volumes", "emptyDir"},
		{"a secret is opaque", "secrets", "{'metadata':{'name':'s'}}", "type", "Opaque"},
		{"stringData becomes data", "secrets", "{'metadata':{'name':'s'},'stringData':{'k':'hi'}}", "data",
		 "aGk="},
		{"stringData goes", "secrets", "{'metadata':{'name':'s'},'stringData':{'k':'hi'}}", "stringData", NULL},
		{"a namespace is active", "namespaces", "{'metadata':{'name':'team-b'}}", "status.phase", "Active"},
		{"a namespace is labelled", "namespaces", "{'metadata':{'name':'team-b'}}", "metadata.labels",
		 "team-b"},
		{"a pod is pending", "pods", "{'metadata':{'name':'p'},'spec':" POD "}", "status.phase", "Pending"},
		{"limits become requests in pods", "pods",
		 "{'metadata':{'name':'p'},'spec':{'containers':[{'name':'c','image':'i','resources':{'limits':{'cpu':'"
		 "1'}}}]}}",
		 "spec.containers", "requests"},
		{"CRD defaults", "clusterqueues.kueue.x-k8s.io", "{'metadata':{'name':'q'},'spec':{}}",
		 "spec.queueingStrategy", "BestEffortFIFO"},
		{"CRD defaults go deep", "clusterqueues.kueue.x-k8s.io", "{'metadata':{'name':'q'},'spec':{}}",
		 "spec.preemption.withinClusterQueue", "Never"},
		{"a CRD's pod template is left alone", "pytorchjobs.kubeflow.org",
		 "{'metadata':{'name':'t'},'spec':{'pytorchReplicaSpecs':{'Master':{'template':{'spec':{'containers':[{"
		 "'name':'pytorch','image':'i'}]}}}}}}",
		 "spec.pytorchReplicaSpecs.Master.template.spec.dnsPolicy", NULL},
		{"workloads have one pod set of main", "workloads.kueue.x-k8s.io",
		 "{'metadata':{'name':'w'},'spec':{'podSets':[{'template':{'spec':{'containers':[{'name':'c','image':'"
		 "i'}]}}}]}}",
		 "spec.podSets", "main"},
	};
	struct sw_schema *s = schema_or_die();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *o, *v;

		refused(rows[i].what, create(s, rows[i].id, rows[i].in, &o), 0, NULL);
		v = sw_json_at(o, rows[i].path);
		if (!rows[i].value)
			cr_expect_null(v, "%s: %s", rows[i].what, v ? json_object_to_json_string(v) : "");
		else
			cr_expect(v && strstr(json_object_to_json_string_ext(v, 0), rows[i].value), "%s: %s",
				  rows[i].what, json_object_to_json_string(o));
		json_object_put(o);
	}
	sw_schema_free(s);
	no_leaks();
}

#define J(spec)       "{'metadata':{'name':'j'},'spec':{" spec "'template':{'spec':" POD "}}}"
#define JP(pod)       "{'metadata':{'name':'j'},'spec':{'template':{'spec':{" pod "'restartPolicy':'Never'}}}}"
#define JC(container) JP("'containers':[{'name':'c','image':'i'," container "}],")

struct row {
	const char *what, *id, *object, *words;
};
static const struct row rows[] = {
	{"a good job", "jobs.batch", J(""), NULL},
	{"a good indexed job", "jobs.batch",
	 J("'completionMode':'Indexed','completions':5,'parallelism':2,'backoffLimitPerIndex':1,'maxFailedIndexes':2,"),
	 NULL},
	{"restart always", "jobs.batch",
	 "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'containers':[{'name':'c','image':'i'}]}}}}",
	 "Job.batch \"j\" is invalid: spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", "
	 "\"Never\""},
	{"a restart policy that is none", "jobs.batch",
	 "{'metadata':{'name':'j'},'spec':{'template':{'spec':{'restartPolicy':'Maybe','containers':[{'name':'c','"
	 "image':'i'}]}}}}",
	 "spec.template.spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"OnFailure\", \"Never\""},
	{"no template", "jobs.batch", "{'metadata':{'name':'j'},'spec':{}}",
	 "spec.template.spec.containers: Required value"},
	{"no containers", "jobs.batch", JP("'containers':[],"), "spec.template.spec.containers: Required value"},
	{"negative parallelism", "jobs.batch", J("'parallelism':-1,"),
	 "spec.parallelism: Invalid value: -1: must be greater than or equal to 0"},
	{"indexed without completions", "jobs.batch", J("'completionMode':'Indexed','parallelism':2,"),
	 "spec.completions: Required value: when completion mode is Indexed"},
	{"per index without indexed", "jobs.batch", J("'backoffLimitPerIndex':1,"),
	 "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"},
	{"failed indexes without per index", "jobs.batch",
	 J("'completionMode':'Indexed','completions':2,'maxFailedIndexes':1,"),
	 "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"},
	{"more failed indexes than indexes", "jobs.batch",
	 J("'completionMode':'Indexed','completions':2,'backoffLimitPerIndex':0,'maxFailedIndexes':3,"),
	 "spec.maxFailedIndexes: Invalid value: 3: must be less than or equal to completions"},
	{"a completion mode that is none", "jobs.batch", J("'completionMode':'Random',"),
	 "spec.completionMode: Unsupported value: \"Random\""},
	{"a name no index fits behind", "jobs.batch",
	 "{'metadata':{'name':'a23456789012345678901234567890123456789012345678901234567890123'},'spec':{'"
	 "completionMode':'Indexed','completions':10,'template':{'spec':" POD "}}}",
	 "invalid DNS label"},
	{"manual selectors are refused, not ignored", "jobs.batch",
	 J("'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},"), "spec.manualSelector: Forbidden"},
	{"managedBy needs a domain", "jobs.batch", J("'managedBy':'me',"), "spec.managedBy: Invalid value: \"me\""},
	{"a wrong controller label", "jobs.batch",
	 "{'metadata':{'name':'j'},'spec':{'template':{'metadata':{'labels':{'controller-uid':'x'}},'spec':" POD "}}}",
	 "spec.template.metadata.labels[controller-uid]: Invalid value: \"x\""},
	{"no image", "jobs.batch", JP("'containers':[{'name':'c'}],"),
	 "spec.template.spec.containers[0].image: Required value"},
	{"no container name", "jobs.batch", JP("'containers':[{'image':'i'}],"),
	 "spec.template.spec.containers[0].name: Required value"},
	{"a container name in capitals", "jobs.batch", JP("'containers':[{'name':'C','image':'i'}],"),
	 "spec.template.spec.containers[0].name: Invalid value: \"C\""},
	{"two containers of one name", "jobs.batch",
	 JP("'containers':[{'name':'c','image':'i'},{'name':'c','image':'i'}],"),
	 "spec.template.spec.containers[1].name: Duplicate value: \"c\""},
	{"a mount without its volume", "jobs.batch", JC("'volumeMounts':[{'name':'v','mountPath':'/v'}]"),
	 "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"v\""},
	{"a port out of range", "jobs.batch", JC("'ports':[{'containerPort':70000}]"),
	 "must be between 1 and 65535, inclusive"},
	{"a pull policy that is none", "jobs.batch", JC("'imagePullPolicy':'Sometimes'"),
	 "imagePullPolicy: Unsupported value: \"Sometimes\""},
	{"negative cpu", "jobs.batch", JC("'resources':{'requests':{'cpu':'-1'}}"),
	 "spec.template.spec.containers[0].resources.requests[cpu]: Invalid value: \"-1\": must be greater than or "
	 "equal to 0"},
	{"half a GPU", "jobs.batch", JC("'resources':{'limits':{'nvidia.com/gpu':'500m'}}"),
	 "resources.limits[nvidia.com/gpu]: Invalid value: \"500m\": must be an integer"},
	{"a GPU asked for without a limit", "jobs.batch", JC("'resources':{'requests':{'nvidia.com/gpu':'1'}}"),
	 "resources.limits: Required value: Limit must be set for non overcommitable resources"},
	{"fewer GPUs than the limit", "jobs.batch",
	 JC("'resources':{'requests':{'nvidia.com/gpu':'1'},'limits':{'nvidia.com/gpu':'2'}}"),
	 "must be equal to nvidia.com/gpu limit of 2"},
	{"more memory than the limit", "jobs.batch",
	 JC("'resources':{'requests':{'memory':'2Gi'},'limits':{'memory':'1Gi'}}"),
	 "must be less than or equal to memory limit of 1Gi"},
	{"a resource that is none", "jobs.batch", JC("'resources':{'limits':{'gpu':'1'}}"),
	 "must be a standard resource for containers"},
	{"an environment variable with =", "jobs.batch", JC("'env':[{'name':'A=B'}]"), "other than '='"},
	{"a toleration that tolerates nothing", "jobs.batch",
	 JP("'containers':[{'name':'c','image':'i'}],'tolerations':[{'operator':'Equal'}],"),
	 "operator must be Exists when `key` is empty"},
	{"two sources in a volume", "jobs.batch",
	 JP("'containers':[{'name':'c','image':'i'}],'volumes':[{'name':'v','emptyDir':{},'hostPath':{'path':'/x'}}],"),
	 "more than 1 volume type"},
	{"a label that is none", "jobs.batch",
	 "{'metadata':{'name':'j','labels':{'a':'b c'}},'spec':{'template':{'spec':" POD "}}}",
	 "metadata.labels: Invalid value: \"b c\": a valid label must be"},
	{"a name that is none", "configmaps", "{'metadata':{'name':'A_b'}}",
	 "metadata.name: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain"},
	{"no name", "configmaps", "{'metadata':{}}", "metadata.name: Required value: name or generateName is required"},
	{"a namespace with a dot", "namespaces", "{'metadata':{'name':'a.b'}}", "a lowercase RFC 1123 label"},
	{"a config key that is none", "configmaps", "{'metadata':{'name':'c'},'data':{'a/b':'x'}}",
	 "data[a/b]: Invalid value: \"a/b\": a valid config key"},
	{"an event of another namespace", "events",
	 "{'metadata':{'name':'e'},'involvedObject':{'namespace':'other','kind':'Job','name':'j'}}",
	 "involvedObject.namespace: Invalid value: \"other\": does not match event.namespace"},
	{"a training job", "pytorchjobs.kubeflow.org",
	 "{'metadata':{'name':'t'},'spec':{'pytorchReplicaSpecs':{'Master':{'replicas':1,'template':{'spec':{'"
	 "containers':[{'name':'pytorch','image':'i'}]}}}}}}",
	 NULL},
	{"a training job of two masters", "pytorchjobs.kubeflow.org",
	 "{'metadata':{'name':'t'},'spec':{'pytorchReplicaSpecs':{'Master':{'replicas':2,'template':{'spec':{'"
	 "containers':[{'name':'pytorch','image':'i'}]}}}}}}",
	 "spec.pytorchReplicaSpecs.Master.replicas: Forbidden: must be 1"},
	{"a training job with an unknown role", "pytorchjobs.kubeflow.org",
	 "{'metadata':{'name':'t'},'spec':{'pytorchReplicaSpecs':{'Boss':{'template':{'spec':{'containers':[{'name':'"
	 "pytorch','image':'i'}]}}}}}}",
	 "spec.pytorchReplicaSpecs.Boss: Unsupported value: \"Boss\": supported values: \"Master\", \"Worker\""},
	{"a training job without its container", "pytorchjobs.kubeflow.org",
	 "{'metadata':{'name':'t'},'spec':{'pytorchReplicaSpecs':{'Worker':{'template':{'spec':{'containers':[{'name':'"
	 "main','image':'i'}]}}}}}}",
	 "must have at least one container with the name"},
	{"half a GPU for training", "pytorchjobs.kubeflow.org",
	 "{'metadata':{'name':'t'},'spec':{'pytorchReplicaSpecs':{'Worker':{'template':{'spec':{'containers':[{'name':'"
	 "pytorch','image':'i',"
	 "'resources':{'limits':{'nvidia.com/gpu':'0.5'}}}]}}}}}}",
	 "must be an integer"},
	{"no replicas at all", "tfjobs.kubeflow.org", "{'metadata':{'name':'t'},'spec':{}}",
	 "spec.tfReplicaSpecs: Required value"},
	{"a queue", "clusterqueues.kueue.x-k8s.io",
	 "{'metadata':{'name':'q'},'spec':{'resourceGroups':[{'coveredResources':['cpu'],'flavors':[{'name':'f','"
	 "resources':[{'name':'cpu','nominalQuota':9}]}]}]}}",
	 NULL},
	{"a queue with a flavor short of a resource", "clusterqueues.kueue.x-k8s.io",
	 "{'metadata':{'name':'q'},'spec':{'resourceGroups':[{'coveredResources':['cpu','memory'],'flavors':[{'name':'"
	 "f','resources':[{'name':'cpu','nominalQuota':9}]}]}]}}",
	 "flavors must have the same number of resources as the coveredResources"},
	{"negative quota", "clusterqueues.kueue.x-k8s.io",
	 "{'metadata':{'name':'q'},'spec':{'resourceGroups':[{'coveredResources':['cpu'],'flavors':[{'name':'f','"
	 "resources':[{'name':'cpu','nominalQuota':'-1'}]}]}]}}",
	 "spec.resourceGroups[0].flavors[0].resources[0].nominalQuota: Invalid value: \"-1\""},
	{"the same flavor twice", "clusterqueues.kueue.x-k8s.io",
	 "{'metadata':{'name':'q'},'spec':{'resourceGroups':[{'coveredResources':['cpu'],'flavors':[{'name':'f','"
	 "resources':[{'name':'cpu','nominalQuota':9}]},"
	 "{'name':'f','resources':[{'name':'cpu','nominalQuota':9}]}]}]}}",
	 "spec.resourceGroups[0].flavors[1]: Duplicate value: \"f\""},
	{"borrowing is refused, not ignored", "clusterqueues.kueue.x-k8s.io",
	 "{'metadata':{'name':'q'},'spec':{'resourceGroups':[{'coveredResources':['cpu'],'flavors':[{'name':'f','"
	 "resources':[{'name':'cpu','nominalQuota':9,'borrowingLimit':1}]}]}]}}",
	 "spec.resourceGroups[0].flavors[0].resources[0].borrowingLimit: Forbidden"},
	{"preemption is refused, not ignored", "clusterqueues.kueue.x-k8s.io",
	 "{'metadata':{'name':'q'},'spec':{'preemption':{'withinClusterQueue':'LowerPriority'}}}",
	 "spec.preemption.withinClusterQueue: Forbidden"},
	{"an order that is none", "clusterqueues.kueue.x-k8s.io",
	 "{'metadata':{'name':'q'},'spec':{'queueingStrategy':'LIFO'}}",
	 "spec.queueingStrategy: Unsupported value: \"LIFO\": supported values: \"StrictFIFO\", \"BestEffortFIFO\""},
	{"a workload without pod sets is fine", "workloads.kueue.x-k8s.io",
	 "{'metadata':{'name':'w'},'spec':{'podSets':[]}}", "should have at least 1 items"},
	{"a pool", "nodepools.sim.spillway.dev",
	 "{'metadata':{'name':'p'},'spec':{'model':'H100','maxNodes':4,'desired':2,'memory':'1Ti','labels':{'a':'b'}}}",
	 NULL},
	{"a pool that wants more than it may", "nodepools.sim.spillway.dev",
	 "{'metadata':{'name':'p'},'spec':{'maxNodes':4,'desired':5}}",
	 "spec.desired: Invalid value: 5: must be between minNodes (0) and maxNodes (4)"},
	{"another namespace than the path's", "configmaps", "{'metadata':{'name':'c','namespace':'other'}}",
	 "does not match the namespace sent"},
};

Test(object, refuses_with_path_and_reason)
{
	struct sw_schema *s = schema_or_die();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *o, *no = create(s, rows[i].id, rows[i].object, &o);

		refused(rows[i].what, no, strcmp(rows[i].what, "another namespace than the path's") == 0 ? 400 : 422,
			rows[i].words);
		json_object_put(o);
	}
	sw_schema_free(s);
	no_leaks();
}

Test(object, a_422_has_details_that_kubectl_prints)
{
	struct sw_schema *s = schema_or_die();
	json_t *o, *no = create(s, "jobs.batch", J("'parallelism':-1,'completions':-2,"), &o), *causes;

	cr_assert_not_null(no);
	cr_expect_str_eq(sw_json_str(no, "details.kind"), "Job");
	cr_expect_str_eq(sw_json_str(no, "details.group"), "batch");
	cr_expect_str_eq(sw_json_str(no, "details.name"), "j");
	causes = sw_json_at(no, "details.causes");
	cr_expect_eq(sw_json_len(causes), 2);
	cr_expect_str_eq(sw_json_str(sw_json_idx(causes, 0), "reason"), "FieldValueInvalid");
	cr_expect_str_eq(sw_json_str(sw_json_idx(causes, 0), "field"), "spec.parallelism");
	cr_expect_str_eq(sw_json_str(sw_json_idx(causes, 0), "message"),
			 "Invalid value: -1: must be greater than or equal to 0");
	cr_expect_str_eq(sw_status_message(no),
			 "Job.batch \"j\" is invalid: [spec.parallelism: Invalid value: -1: must be greater than or "
			 "equal to 0, spec.completions: Invalid value: -2: must be greater than or equal to 0]");
	json_object_put(no);
	json_object_put(o);
	sw_schema_free(s);
	no_leaks();
}

struct change {
	const char *what, *sub, *patch, *words;
};
static const struct change changes[] = {
	{"suspending", NULL, "{'spec.suspend':true}", NULL},
	{"more parallelism", NULL, "{'spec.parallelism':3}", NULL},
	{"another image", NULL, "{'spec.template.spec.containers':[{'name':'c','image':'other'}]}",
	 "spec.template: Invalid value: "},
	{"another selector", NULL, "{'spec.selector':{'matchLabels':{'job-name':'j'}}}",
	 "spec.selector: Invalid value: "},
	{"completions", NULL, "{'spec.completions':2}", "spec.completions: Invalid value: 2: field is immutable"},
	{"the mode", NULL, "{'spec.completionMode':'Indexed'}",
	 "spec.completionMode: Invalid value: \"Indexed\": field is immutable"},
	{"who manages it", NULL, "{'spec.managedBy':'a.io/b'}",
	 "spec.managedBy: Invalid value: \"a.io/b\": field is immutable"},
	{"a label", NULL, "{'metadata.labels':{'a':'b'}}", NULL},
	{"a status", "status", "{'status':{'active':1,'conditions':[{'type':'Suspended','status':'True'}]}}", NULL},
	{"negative counts", "status", "{'status':{'failed':-1}}", "status.failed: Invalid value: -1"},
	{"complete and failed", "status",
	 "{'status':{'conditions':[{'type':'Complete','status':'True'},{'type':'Failed','status':'True'}]}}",
	 "cannot set Complete=True and Failed=true"},
};

Test(object, what_may_change_in_a_job)
{
	struct sw_schema *s = schema_or_die();
	json_t *old, *o;

	refused("create", create(s, "jobs.batch", J(""), &old), 0, NULL);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		refused(changes[i].what, update(s, "jobs.batch", changes[i].sub, old, changes[i].patch, &o), 422,
			changes[i].words);
		json_object_put(o);
	}
	sw_json_set_bool(old, "spec.suspend", true);
	refused("where a suspended job goes",
		update(s, "jobs.batch", NULL, old,
		       "{'spec.template.spec.nodeSelector':{'gpu':'h100'},'spec.template.spec.tolerations':[{'operator'"
		       ":'Exists'}],"
		       "'spec.template.metadata.annotations':{'a':'b'}}",
		       &o),
		0, NULL);
	json_object_put(o);
	refused("what a suspended job runs",
		update(s, "jobs.batch", NULL, old, "{'spec.template.spec.hostNetwork':true}", &o), 422,
		"spec.template: Invalid value");
	json_object_put(o);
	json_object_put(old);
	sw_schema_free(s);
	no_leaks();
}

Test(object, an_update_keeps_identity_and_counts_generations)
{
	struct sw_schema *s = schema_or_die();
	json_t *old, *o;

	refused("create", create(s, "jobs.batch", J(""), &old), 0, NULL);
	sw_json_set_str(old, "metadata.resourceVersion", "7");
	sw_json_set(old, "status", json_of("{'active':1}"));
	refused("same",
		update(s, "jobs.batch", NULL, old,
		       "{'metadata.creationTimestamp':'2000-01-01T00:00:00Z','status':{'active':99},'metadata."
		       "generation':44}",
		       &o),
		0, NULL);
	cr_expect(sw_object_same(o, old), "%s", json_object_to_json_string(o));
	json_object_put(o);
	refused("spec", update(s, "jobs.batch", NULL, old, "{'spec.suspend':true,'status':{'active':99}}", &o), 0,
		NULL);
	cr_expect_eq(sw_json_int(o, "metadata.generation", 0), 2);
	cr_expect_eq(sw_json_int(o, "status.active", 0), 1);
	cr_expect_not(sw_object_same(o, old));
	json_object_put(o);
	refused("status",
		update(s, "jobs.batch", "status", old,
		       "{'spec.suspend':true,'status':{'active':5},'metadata.labels':null}", &o),
		0, NULL);
	cr_expect_eq(sw_json_int(o, "metadata.generation", 0), 1);
	cr_expect_eq(sw_json_int(o, "status.active", 0), 5);
	cr_expect_not(sw_json_bool(o, "spec.suspend"));
	cr_expect_not_null(sw_json_at(o, "metadata.labels"));
	json_object_put(o);
	refused("label", update(s, "jobs.batch", NULL, old, "{'metadata.labels':{'x':'y'}}", &o), 0, NULL);
	cr_expect_eq(sw_json_int(o, "metadata.generation", 0), 1, "labels are no new generation");
	json_object_put(o);
	refused("another name", update(s, "jobs.batch", NULL, old, "{'metadata.name':'k'}", &o), 400,
		"does not match the name on the URL");
	json_object_put(o);
	refused("another uid", update(s, "jobs.batch", NULL, old, "{'metadata.uid':'k'}", &o), 409,
		"Precondition failed: UID");
	json_object_put(o);
	json_object_put(old);
	sw_schema_free(s);
	no_leaks();
}

Test(object, a_half_filled_pod_status_satisfies_typed_clients)
{
	struct sw_schema *s = schema_or_die();
	json_t *old, *o, *c;

	refused("create", create(s, "pods", "{'metadata':{'name':'p'},'spec':" POD "}", &old), 0, NULL);
	refused("status",
		update(s, "pods", "status", old,
		       "{'status':{'phase':'Running','containerStatuses':[{'name':'c','state':{'running':{}}}]}}", &o),
		0, NULL);
	c = sw_json_idx(sw_json_at(o, "status.containerStatuses"), 0);
	cr_expect_str_eq(sw_json_str(c, "image"), "");
	cr_expect_str_eq(sw_json_str(c, "imageID"), "");
	cr_expect(json_object_is_type(sw_json_key(c, "ready"), json_type_boolean));
	cr_expect(json_object_is_type(sw_json_key(c, "restartCount"), json_type_int));
	json_object_put(o);
	json_object_put(old);
	sw_schema_free(s);
	no_leaks();
}

Test(object, hostile_sizes_end_in_time)
{
	struct sw_schema *s = schema_or_die();
	const struct sw_resource *r = sw_resource_by_id("jobs.batch");
	json_t *o = json_of(J("")), *list = json_object_new_array(), *labels = json_object_new_object(), *no;

	for (int i = 0; i < 60000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "v%d", i);
		json_object_array_add(list, json_of("{}"));
		json_object_object_add(sw_json_idx(list, (size_t)i), "name", json_object_new_string(name));
		if (i < 10000)
			json_object_object_add(labels, name, json_object_new_string("not a label"));
	}
	sw_json_set(o, "spec.template.spec.volumes", list);
	sw_json_set(o, "metadata.labels", labels);
	no = sw_object_decode(s, r, o, NULL, SW_FIELDS_STRICT, NULL);
	cr_assert_null(no);
	cr_assert_null(sw_object_begin(r, o, &begin));
	sw_object_default(s, r, o);
	no = sw_object_validate(s, r, NULL, o, NULL);
	cr_assert_not_null(no);
	cr_expect_not_null(strstr(sw_status_message(no), "and 99"), "%.200s",
			   sw_status_message(no) + strlen(sw_status_message(no)) - 100);
	cr_expect_eq(sw_json_len(sw_json_at(no, "details.causes")), SW_CAUSES_MAX);
	json_object_put(no);
	json_object_put(o);
	sw_schema_free(s);
	no_leaks();
}

Test(object, delete_options)
{
	static const struct {
		const char *what, *body, *words;
		int code;
		enum sw_propagation p;
		long long grace;
		bool dry;
	} bodies[] = {
		{"background", "{'kind':'DeleteOptions','propagationPolicy':'Background'}", NULL, 0,
		 SW_PROPAGATE_BACKGROUND, -1, false},
		{"now", "{'gracePeriodSeconds':1}", NULL, 0, SW_PROPAGATE_UNSET, 1, false},
		{"dry", "{'dryRun':['All']}", NULL, 0, SW_PROPAGATE_UNSET, -1, true},
		{"orphan, the old way", "{'orphanDependents':true}", NULL, 0, SW_PROPAGATE_ORPHAN, -1, false},
		{"no such policy", "{'propagationPolicy':'Later'}", "Unsupported value: \"Later\"", 422, 0, 0, 0},
		{"no such run", "{'dryRun':['Some']}", "Unsupported value: \"Some\"", 422, 0, 0, 0},
		{"negative grace", "{'gracePeriodSeconds':-5}", "whole number", 400, 0, 0, 0},
		{"dryRun of a wrong type", "{'dryRun':'All'}", "list of strings", 400, 0, 0, 0},
		{"dryRun of null", "{'dryRun':[null]}", "Unsupported value", 422, 0, 0, 0},
		{"policy of a wrong type", "{'propagationPolicy':7}", "a string", 400, 0, 0, 0},
		{"preconditions of a wrong type", "{'preconditions':[]}", "an object", 400, 0, 0, 0},
		{"no object", "[]", "an object", 400, 0, 0, 0},
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct sw_delete_options opt = {.grace_s = -1};
		json_t *b = json_of(bodies[i].body);

		refused(bodies[i].what, sw_delete_options(NULL, b, &opt), bodies[i].code, bodies[i].words);
		json_object_put(b);
		if (bodies[i].words)
			continue;
		cr_expect_eq(opt.propagation, bodies[i].p, "%s", bodies[i].what);
		cr_expect_eq(opt.grace_s, bodies[i].grace, "%s", bodies[i].what);
		cr_expect_eq(opt.dry_run, bodies[i].dry, "%s", bodies[i].what);
	}
	{
		struct sw_delete_options opt = {.grace_s = -1};
		json_t *b = json_of("{'preconditions':{'uid':'u1','resourceVersion':'9'}}");

		refused("preconditions", sw_delete_options(NULL, b, &opt), 0, NULL);
		cr_expect_str_eq(opt.uid, "u1");
		cr_expect_str_eq(opt.rv, "9");
		json_object_put(b);
		refused("query", sw_delete_options_query("propagationPolicy", "Foreground", &opt), 0, NULL);
		cr_expect_eq(opt.propagation, SW_PROPAGATE_FOREGROUND);
		refused("query", sw_delete_options_query("gracePeriodSeconds", "0", &opt), 0, NULL);
		cr_expect_eq(opt.grace_s, 0);
		refused("query", sw_delete_options_query("gracePeriodSeconds", "soon", &opt), 400, "whole number");
		refused("query", sw_delete_options_query("timeout", "32s", &opt), 0, NULL);
	}
	no_leaks();
}
