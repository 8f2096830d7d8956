/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_test.h"

#define GROUP(inner)  "{'spec':{'resourceGroups':[{" inner "}]}}"
#define FLAVOR(quota) GROUP("'coveredResources':['cpu'],'flavors':[{'name':'a','resources':[{'name':'cpu'" quota "}]}]")

Test(queue_define, what_is_not_honoured_is_refused_by_name)
{
	static const struct {
		const char *object, *says;
	} rows[] = {
		{"{'spec':{'cohortName':'all'}}", "spec.cohortName: found \"all\", which this queue does not honour"},
		{"{'spec':{'cohortNames':'all'}}", "spec.cohortNames: no such field, did you mean cohortName"},
		{"{'spec':{'fairSharing':{'weight':'2'}}}", "spec.fairSharing"},
		{"{'spec':{'admissionScope':{'admissionMode':'UsageBasedAdmissionFairSharing'}}}",
		 "spec.admissionScope"},
		{"{'spec':{'preemption':{'withinClusterQueue':'LowerPriority'}}}",
		 "spec.preemption.withinClusterQueue"},
		{"{'spec':{'preemption':{'reclaimWithinCohort':'Any'}}}", "spec.preemption.reclaimWithinCohort"},
		{"{'spec':{'preemption':{'borrowWithinCohort':{'policy':'LowerPriority'}}}}",
		 "spec.preemption.borrowWithinCohort.policy"},
		{"{'spec':{'flavorFungibility':{'whenCanPreempt':'MayStopSearch'}}}",
		 "spec.flavorFungibility.whenCanPreempt"},
		{"{'spec':{'queueingStrategy':'Lottery'}}", "spec.queueingStrategy: found \"Lottery\""},
		{"{'spec':{'stopPolicy':'Maybe'}}", "spec.stopPolicy: found \"Maybe\""},
		{"{'spec':{'namespaceSelector':{'matchLabels':{'team':'a'}}}}", "spec.namespaceSelector"},
		{"{'spec':{'namespaceSelector':{'matchExpressions':[{'key':'kubernetes.io/"
		 "metadata.name','operator':'Exists'}]}}}",
		 "spec.namespaceSelector"},
		{"{'spec':{'admissionChecksStrategy':{'admissionChecks':[{'name':'other'}]}}}",
		 "admissionChecks[0].name: found \"other\""},
		{"{'spec':{'admissionChecksStrategy':{'admissionChecks':[{'name':'spillway','onFlavors':['a']}]}}}",
		 "admissionChecks[0].onFlavors"},
		{FLAVOR(",'nominalQuota':1,'borrowingLimit':2"), "resources[0].borrowingLimit"},
		{FLAVOR(",'nominalQuota':1,'lendingLimit':0"), "resources[0].lendingLimit"},
		{FLAVOR(""), "nominalQuota: expected a quantity"},
		{FLAVOR(",'nominalQuota':-1"), "spec.resourceGroups[0].flavors[0].resources[0].nominalQuota"},
		{FLAVOR(",'nominalQuota':'much'"), "nominalQuota"},
		{FLAVOR(",'nominalQuota':'99999999999999999999'"), "nominalQuota"},
		{GROUP(""), "expected 1 to 64"},
		{GROUP("'coveredResources':['cpu'],'flavors':[]"), "expected 1 to 64"},
		{GROUP("'coveredResources':[7],'flavors':[{}]"), "coveredResources[0]"},
		{GROUP("'coveredResources':['cpu','cpu'],'flavors':[{}]"), "coveredResources[1]: found \"cpu\" twice"},
		{GROUP("'coveredResources':['cpu'],'flavors':[{}]"), "flavors[0].name"},
		{GROUP("'coveredResources':['cpu'],'flavors':[{'name':'a','resources':[]}]"),
		 "found 0, expected all 1"},
		{GROUP("'coveredResources':['cpu'],'flavors':[{'name':'a','resources':[{'name':'memory','nominalQuota':"
		       "1}]}]"),
		 "expected \"cpu\""},
		{GROUP("'coveredResources':['cpu'],'flavors':[{'name':'a','resources':[{'name':'cpu','nominalQuota':1}]"
		       "},{'name':'a','resources':[]}]"),
		 "twice"},
		{"{'spec':{'resourceGroups':[{'coveredResources':['cpu'],'flavors':[{'name':'a','resources':[{'name':'"
		 "cpu','nominalQuota':1}]}]},"
		 "{'coveredResources':['memory'],'flavors':[{'name':'a','resources':[{'name':'memory','nominalQuota':1}"
		 "]}]}]}}",
		 "belongs to group 0 already"},
		{"{'spec':{'resourceGroups':[{'coveredResources':['cpu'],'flavors':[{'name':'a','resources':[{'name':'"
		 "cpu','nominalQuota':1}]}]},"
		 "{'coveredResources':['cpu'],'flavors':[{'name':'b','resources':[{'name':'cpu','nominalQuota':1}]}]}]}"
		 "}",
		 "found \"cpu\" twice"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sw_queue *q = queue_with(CQ(5, 5, ""));
		struct sw_err e = define(q, "cq", rows[i].object), alone = define(NULL, "cq", rows[i].object);
		struct sw_queue_usage u[4];

		cr_expect_eq(e.code, SW_E_INVALID, "%s", rows[i].object);
		cr_expect(strstr(e.text, rows[i].says) != NULL, "%s: %s", rows[i].object, e.text);
		cr_expect_str_eq(alone.text, e.text, "a check without a queue says the same");
		cr_expect_eq(sw_queue_usage(q, "cq", NULL, u, 4), 2, "the definition before stays");
		sw_queue_free(q);
	}
}

Test(queue_define, objects_with_kueues_own_defaults_are_taken)
{
	static const char *const rows[] = {
		CQ(1, 1,
		   ",'preemption':{'reclaimWithinCohort':'Never','withinClusterQueue':'Never','borrowWithinCohort':{'"
		   "policy':'Never'}},"
		   "'flavorFungibility':{'whenCanBorrow':'MayStopSearch','whenCanPreempt':'TryNextFlavor'},'stopPolicy'"
		   ":'None',"
		   "'queueingStrategy':'BestEffortFIFO','admissionChecksStrategy':{'admissionChecks':[{'name':'"
		   "spillway'}]}"),
		("{'spec':{'namespaceSelector':{'matchExpressions':[{'key':'kubernetes.io/metadata.name',"
		 "'operator':'NotIn','values':['x','y']}]}}}"),
		"{'spec':{}}",
		"{}",
		"{'spec':{'namespaceSelector':{'matchLabels':{}}}}",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sw_err e = define(NULL, "cq", rows[i]);

		cr_expect(!sw_failed(e), "%s: %s", rows[i], e.text);
	}
}

Test(queue_define, namespaces_are_listed_or_left_out)
{
	static const struct {
		const char *selector;
		bool serves;
	} rows[] = {
		{"{}", true},
		{"{'matchLabels':{'kubernetes.io/metadata.name':'ns'}}", true},
		{"{'matchLabels':{'kubernetes.io/metadata.name':'n'}}", false},
		{"{'matchExpressions':[{'key':'kubernetes.io/metadata.name','operator':'In','values':['a','ns']}]}",
		 true},
		{"{'matchExpressions':[{'key':'kubernetes.io/metadata.name','operator':'In','values':[]}]}", false},
		{"{'matchExpressions':[{'key':'kubernetes.io/metadata.name','operator':'NotIn','values':['ns']}]}",
		 false},
		{"{'matchExpressions':[{'key':'kubernetes.io/metadata.name','operator':'NotIn','values':['a']}]}",
		 true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sw_queue *q = queue_with(CQ(1, 1, ""));
		char object[400], got[512];

		snprintf(object, sizeof(object), "{'spec':{'namespaceSelector':%s}}", rows[i].selector);
		put(q, "ns/a", 0, 1, 1, 0);
		struct sw_err e = define(q, "cq", object);

		cr_expect(!sw_failed(e), "%s", e.text);
		cr_expect_eq(sw_queue_position(q, "ns/a") == 1, rows[i].serves, "%s", rows[i].selector);
		cr_expect_str_eq(drain(q, got), "", "nothing is covered");
		sw_queue_free(q);
	}
}

Test(queue_define, local_queues_and_flavors_are_checked_too)
{
	json_t *labels = json_of("{'spec':{'nodeLabels':{'a':'b'}}}"), *plain = json_of("{'spec':{'nodeLabels':{}}}");
	struct sw_err e = sw_queue_flavor(NULL, "f", labels);

	cr_expect(e.code == SW_E_INVALID && strstr(e.text, "spec.nodeLabels"), "%s", e.text);
	cr_expect(!sw_failed(sw_queue_flavor(NULL, "f", plain)));
	e = define_local(NULL, "lq", "{'spec':{}}");
	cr_expect(e.code == SW_E_INVALID && strstr(e.text, "spec.clusterQueue"), "%s", e.text);
	e = define_local(NULL, "lq", "{'spec':{'clusterQueue':'c','stopPolicy':'x'}}");
	cr_expect(e.code == SW_E_INVALID && strstr(e.text, "spec.stopPolicy"), "%s", e.text);
	e = define_local(NULL, "lq", "{'spec':{'clusterQueue':'c','fairSharing':{'weight':1}}}");
	cr_expect(e.code == SW_E_INVALID && strstr(e.text, "spec.fairSharing"), "%s", e.text);
	json_object_put(plain);
	json_object_put(labels);
}
