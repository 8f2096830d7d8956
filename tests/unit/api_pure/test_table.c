/* SPDX-License-Identifier: Apache-2.0 */
/* test_table.c - cells and columns as kubectl users know them */
#include "pure.h"
#include "spillway/table.h"

static const int64_t NOW = 1795451103000; /* 2026-11-23T16:25:03Z */

static json_t *table_of(const char *id, const char *object, enum sw_include include)
{
	struct sw_table t = {
		.r = sw_resource_by_id(id), .include = include, .now_ms = NOW, .api_version = "meta.k8s.io/v1"};
	json_t *o = json_of(object), *out = NULL;
	struct sw_buf b;
	struct sw_err e;

	sw_buf_init(&b, 1 << 20);
	sw_table_begin(&b, &t, "42", "more");
	sw_table_row(&b, &t, o);
	sw_table_end(&b, &t);
	e = sw_json_parse(b.at, b.len, &out);
	cr_assert(!sw_failed(e), "%s: %s in %s", id, e.text, b.at);
	sw_buf_fini(&b);
	json_object_put(o);
	return out;
}

#define MADE         "'creationTimestamp':'2026-11-23T16:20:03Z'"
#define CONDITION(t) "'conditions':[{'type':'" t "','status':'True'}]"

struct row {
	const char *what, *id, *object, *cells;
};
static const struct row rows[] = {
	{"a running job", "jobs.batch",
	 "{'metadata':{'name':'pi'," MADE
	 "},'spec':{'completions':4,'parallelism':2,'selector':{'matchLabels':{'u':'1'}},'template':{'spec':{"
	 "'containers':[{'name':'a','image':'x'},{'name':'b','image':'y'}]}}},'status':{'succeeded':1,'startTime':'"
	 "2026-11-23T16:24:03Z'}}",
	 "['pi','Running','1/4','60s','5m','a,b','x,y','u=1']"},
	{"a complete job", "jobs.batch",
	 "{'metadata':{'name':'pi'," MADE
	 "},'spec':{'completions':1},'status':{'succeeded':1,'startTime':'2026-11-23T16:20:13Z','completionTime':'2026-"
	 "11-23T16:20:23Z'," CONDITION("Complete") "}}",
	 "['pi','Complete','1/1','10s','5m','','','<none>']"},
	{"a failed job", "jobs.batch",
	 "{'metadata':{'name':'pi'," MADE "},'spec':{'parallelism':3},'status':{" CONDITION("Failed") "}}",
	 "['pi','Failed','0/1 of 3','','5m','','','<none>']"},
	{"a job being deleted", "jobs.batch",
	 "{'metadata':{'name':'pi'," MADE
	 ",'deletionTimestamp':'2026-11-23T16:25:00Z'},'status':{" CONDITION("Suspended") "}}",
	 "['pi','Terminating','0/1','','5m','','','<none>']"},
	{"a suspended job", "jobs.batch",
	 "{'metadata':{'name':'pi'," MADE "},'spec':{'suspend':true},'status':{" CONDITION("Suspended") "}}",
	 "['pi','Suspended','0/1','','5m','','','<none>']"},
	{"a suspended job without the condition", "jobs.batch",
	 "{'metadata':{'name':'pi'," MADE "},'spec':{'suspend':true}}",
	 "['pi','Running','0/1','','5m','','','<none>']"},
	{"a job whose condition is False", "jobs.batch",
	 "{'metadata':{'name':'pi'," MADE
	 "},'status':{'conditions':[{'type':'Suspended','status':'False'},{'type':'FailureTarget','status':'True'}]}}",
	 "['pi','FailureTarget','0/1','','5m','','','<none>']"},
	{"a selector of expressions", "jobs.batch",
	 "{'metadata':{'name':'pi'," MADE "},'spec':{'selector':{'matchExpressions':[{'key':'a','operator':'In','"
	 "values':['b','c']},{'key':'d','operator':'DoesNotExist'}]}}}",
	 "['pi','Running','0/1','','5m','','','a in (b,c),!d']"},
	{"a running pod", "pods",
	 "{'metadata':{'name':'p'," MADE "},'spec':{'nodeName':'n1','containers':[{'name':'c'}]},'status':{'phase':'"
	 "Running','podIPs':[{'ip':'10.0.0.1'}],"
	 "'containerStatuses':[{'name':'c','ready':true,'restartCount':2,'state':{'running':{}},'lastState':{'"
	 "terminated':{'finishedAt':'2026-11-23T16:24:03Z'}}}]}}",
	 "['p','1/1','Running','2 (60s ago)','5m','10.0.0.1','n1','<none>','<none>']"},
	{"a pod that crashes", "pods",
	 "{'metadata':{'name':'p'," MADE
	 "},'spec':{'containers':[{'name':'c'}]},'status':{'phase':'Running','containerStatuses':[{'name':'c',"
	 "'restartCount':1,'state':{'waiting':{'reason':'CrashLoopBackOff'}}}]}}",
	 "['p','0/1','CrashLoopBackOff','1','5m','<none>','<none>','<none>','<none>']"},
	{"a pod that is done", "pods",
	 "{'metadata':{'name':'p'," MADE
	 "},'spec':{'containers':[{'name':'c'}]},'status':{'phase':'Succeeded','containerStatuses':[{'name':'c',"
	 "'state':{'terminated':{'exitCode':0,'reason':'Completed'}}}]}}",
	 "['p','0/1','Completed','0','5m','<none>','<none>','<none>','<none>']"},
	{"a pod that failed", "pods",
	 "{'metadata':{'name':'p'," MADE
	 "},'spec':{'containers':[{'name':'c'}]},'status':{'phase':'Failed','containerStatuses':[{'name':'c',"
	 "'state':{'terminated':{'exitCode':3}}}]}}",
	 "['p','0/1','ExitCode:3','0','5m','<none>','<none>','<none>','<none>']"},
	{"a pod that initializes", "pods",
	 "{'metadata':{'name':'p'," MADE "},'spec':{'initContainers':[{'name':'i'},{'name':'j'}],'containers':[{'name':"
	 "'c'}]},'status':{'phase':'Pending',"
	 "'initContainerStatuses':[{'name':'i','state':{'terminated':{'exitCode':0}}},{'name':'j','state':{'running':{}"
	 "}}]}}",
	 "['p','0/1','Init:1/2','0','5m','<none>','<none>','<none>','<none>']"},
	{"a pod being deleted", "pods",
	 "{'metadata':{'name':'p'," MADE
	 ",'deletionTimestamp':'x'},'spec':{'containers':[{'name':'c'}]},'status':{'phase':'Running'}}",
	 "['p','0/1','Terminating','0','5m','<none>','<none>','<none>','<none>']"},
	{"a pod with gates", "pods",
	 "{'metadata':{'name':'p'," MADE "},'spec':{'containers':[{'name':'c'}],'readinessGates':[{'conditionType':'x'}"
	 ",{'conditionType':'y'}]},'status':{'phase':'Running'," CONDITION("x") "}}",
	 "['p','0/1','Running','0','5m','<none>','<none>','<none>','1/2']"},
	{"an event", "events",
	 "{'metadata':{'name':'e1'},'involvedObject':{'kind':'Job','name':'pi'},'reason':'Placed','type':'Normal','"
	 "message':' on east \\n','count':3,"
	 "'source':{'component':'spillway'},'firstTimestamp':'2026-11-23T16:20:03Z','lastTimestamp':'2026-11-23T16:24:"
	 "03Z'}",
	 "['60s','Normal','Placed','job/pi','','spillway','on east','5m',3,'e1']"},
	{"a new-style event", "events.events.k8s.io",
	 "{'metadata':{'name':'e1'},'regarding':{'kind':'Job','name':'pi'},'reason':'Placed','type':'Normal','note':'x'"
	 ",'eventTime':'2026-11-23T16:24:03.000000Z',"
	 "'reportingController':'kueue','reportingInstance':'k-0'}",
	 "['60s','Normal','Placed','job/pi','','kueue, k-0','x','60s',1,'e1']"},
	{"an event without times", "events", "{'metadata':{'name':'e1'},'involvedObject':{}}",
	 "['<unknown>','','','','','','','<unknown>',1,'e1']"},
	{"a namespace", "namespaces", "{'metadata':{'name':'n'," MADE "},'status':{'phase':'Active'}}",
	 "['n','Active','5m']"},
	{"a config map", "configmaps", "{'metadata':{'name':'c'," MADE "},'data':{'a':'b'},'binaryData':{'c':'ZA=='}}",
	 "['c',2,'5m']"},
	{"a secret", "secrets", "{'metadata':{'name':'s'," MADE "},'type':'Opaque','data':{'a':'Yg=='}}",
	 "['s','Opaque',1,'5m']"},
	{"a node", "nodes",
	 "{'metadata':{'name':'n'," MADE
	 ",'labels':{'node-role.kubernetes.io/worker':''}},'spec':{'unschedulable':true},'status':{" CONDITION(
		 "Ready") ",'addresses':[{'type':'InternalIP','address':'10.0.0.9'}],'nodeInfo':{'kubeletVersion':'v1."
			  "36.1','architecture':'amd64'}}}",
	 "['n','Ready,SchedulingDisabled','worker','5m','v1.36.1','10.0.0.9','<none>','<unknown>','<unknown> "
	 "(amd64)','<unknown>']"},
	{"a training job", "pytorchjobs.kubeflow.org",
	 "{'metadata':{'name':'t'," MADE
	 "},'status':{'conditions':[{'type':'Created','status':'True'},{'type':'Running','status':'True'}]}}",
	 "['t','Running','5m']"},
	{"a workload", "workloads.kueue.x-k8s.io",
	 "{'metadata':{'name':'w'," MADE
	 "},'spec':{'queueName':'q'},'status':{'admission':{'clusterQueue':'cq'}," CONDITION("Admitted") "}}",
	 "['w','q','cq','True','','5m']"},
	{"a cluster queue", "clusterqueues.kueue.x-k8s.io",
	 "{'metadata':{'name':'q'},'spec':{'queueingStrategy':'StrictFIFO'},'status':{'pendingWorkloads':7}}",
	 "['q','','StrictFIFO',7,null]"},
	{"a local queue", "localqueues.kueue.x-k8s.io",
	 "{'metadata':{'name':'q'},'spec':{'clusterQueue':'cq'},'status':{'pendingWorkloads':0,'admittedWorkloads':2}}",
	 "['q','cq',0,2]"},
	{"a flavor", "resourceflavors.kueue.x-k8s.io", "{'metadata':{'name':'f'," MADE "}}", "['f','5m']"},
	{"a pool", "nodepools.sim.spillway.dev",
	 "{'metadata':{'name':'p'," MADE "},'spec':{'model':'H100','desired':2,'maxNodes':4},'status':{'ready':1}}",
	 "['p','H100','<none>',2,1,4,'5m']"},
	{"an object of nothing", "jobs.batch", "{}", "['','Running','0/1','','<unknown>','','','<none>']"},
	{"a job of wrong types", "jobs.batch", "{'metadata':7,'spec':[],'status':{'conditions':{}}}",
	 "['','Running','0/1','','<unknown>','','','<none>']"},
	{"a pod of nothing", "pods", "{}", "['','0/0','','0','<unknown>','<none>','<none>','<none>','<none>']"},
};

Test(table, cells_are_those_of_the_real_printers)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *t = table_of(rows[i].id, rows[i].object, SW_INCLUDE_NONE);

		same_json(rows[i].what, json_object_get(sw_json_key(sw_json_idx(sw_json_key(t, "rows"), 0), "cells")),
			  json_of(rows[i].cells));
		cr_expect_eq(sw_json_len(sw_json_key(t, "columnDefinitions")),
			     sw_json_len(sw_json_key(sw_json_idx(sw_json_key(t, "rows"), 0), "cells")), "%s",
			     rows[i].what);
		json_object_put(t);
	}
	no_leaks();
}

Test(table, includes_what_was_asked_for)
{
	json_t *t = table_of("configmaps", "{'kind':'ConfigMap','metadata':{'name':'c'},'data':{'a':'b'}}",
			     SW_INCLUDE_METADATA),
	       *row;

	cr_expect_str_eq(sw_json_str(t, "metadata.resourceVersion"), "42");
	cr_expect_str_eq(sw_json_str(t, "metadata.continue"), "more");
	row = sw_json_idx(sw_json_key(t, "rows"), 0);
	same_json("metadata", json_object_get(sw_json_key(row, "object")),
		  json_of("{'kind':'PartialObjectMetadata','apiVersion':'meta.k8s.io/v1','metadata':{'name':'c'}}"));
	json_object_put(t);
	t = table_of("configmaps", "{'kind':'ConfigMap','metadata':{'name':'c'},'data':{'a':'b'}}", SW_INCLUDE_OBJECT);
	row = sw_json_idx(sw_json_key(t, "rows"), 0);
	same_json("object", json_object_get(sw_json_key(row, "object")),
		  json_of("{'kind':'ConfigMap','metadata':{'name':'c'},'data':{'a':'b'}}"));
	json_object_put(t);
	t = table_of("configmaps", "{'metadata':{'name':'c'}}", SW_INCLUDE_NONE);
	cr_expect_null(sw_json_key(sw_json_idx(sw_json_key(t, "rows"), 0), "object"));
	json_object_put(t);
	no_leaks();
}

Test(table, a_watch_event_is_a_table_of_one_row)
{
	struct sw_table t = {.r = sw_resource_by_id("configmaps"), .now_ms = NOW, .api_version = "meta.k8s.io/v1beta1"};
	json_t *o = json_of("{'metadata':{'name':'c','resourceVersion':'9'}}"), *out = NULL;
	struct sw_buf b;

	sw_buf_init(&b, 1 << 20);
	sw_table_one(&b, &t, o, false);
	cr_assert(!sw_failed(sw_json_parse(b.at, b.len, &out)));
	cr_expect_str_eq(sw_json_str(out, "apiVersion"), "meta.k8s.io/v1beta1");
	cr_expect_str_eq(sw_json_str(out, "metadata.resourceVersion"), "9");
	cr_expect_eq(sw_json_len(sw_json_key(out, "rows")), 1);
	cr_expect_null(sw_json_key(out, "columnDefinitions"));
	json_object_put(out);
	json_object_put(o);
	sw_buf_fini(&b);
	no_leaks();
}

Test(table, accept_headers)
{
	static const struct {
		const char *accept;
		enum sw_accept as;
		const char *version;
	} accepts[] = {
		{"application/json;as=Table;v=v1;g=meta.k8s.io,application/"
		 "json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
		 SW_ACCEPT_TABLE, "meta.k8s.io/v1"},
		{"application/json;as=Table;v=v1beta1;g=meta.k8s.io", SW_ACCEPT_TABLE, "meta.k8s.io/v1beta1"},
		{"application/json", SW_ACCEPT_OBJECT, "meta.k8s.io/v1"},
		{"application/json, application/json;as=Table;v=v1;g=meta.k8s.io", SW_ACCEPT_OBJECT, "meta.k8s.io/v1"},
		{"application/vnd.kubernetes.protobuf,application/json", SW_ACCEPT_OBJECT, "meta.k8s.io/v1"},
		{"application/vnd.kubernetes.protobuf, */*", SW_ACCEPT_OBJECT, "meta.k8s.io/v1"},
		{"application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/"
		 "json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
		 SW_ACCEPT_PARTIAL_LIST, "meta.k8s.io/v1"},
		{"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", SW_ACCEPT_PARTIAL, "meta.k8s.io/v1"},
		{"application/json;as=Hologram;v=v1;g=meta.k8s.io,application/json", SW_ACCEPT_OBJECT,
		 "meta.k8s.io/v1"},
		{"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", SW_ACCEPT_OBJECT, "meta.k8s.io/v1"},
		{"application/vnd.kubernetes.protobuf", SW_ACCEPT_NONE, NULL},
		{"text/html", SW_ACCEPT_NONE, NULL},
		{NULL, SW_ACCEPT_OBJECT, "meta.k8s.io/v1"},
		{"", SW_ACCEPT_OBJECT, "meta.k8s.io/v1"},
		{",;,;;=,", SW_ACCEPT_NONE, NULL},
	};

	for (size_t i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
		const char *version = NULL;

		cr_expect_eq(sw_accept_parse(accepts[i].accept, &version), accepts[i].as, "%s", accepts[i].accept);
		if (accepts[i].version)
			cr_expect_str_eq(version, accepts[i].version, "%s", accepts[i].accept);
	}
}

Test(table, include_words)
{
	enum sw_include in;

	cr_expect(sw_include_parse(NULL, &in) && in == SW_INCLUDE_METADATA);
	cr_expect(sw_include_parse("Object", &in) && in == SW_INCLUDE_OBJECT);
	cr_expect(sw_include_parse("None", &in) && in == SW_INCLUDE_NONE);
	cr_expect_not(sw_include_parse("none", &in));
}
