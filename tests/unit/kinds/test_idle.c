/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds_test.h"

static const struct {
	const char *kind, *status, *idle;
} rows[] = {
	{"Job", "{}", "{'active':0,'ready':0}"},
	{"Job", "{'active':3,'ready':2,'failed':4,'terminating':1,'startTime':'T'}",
	 "{'active':0,'ready':0,'failed':4,'terminating':0,'startTime':'T'}"},
	{"PyTorchJob", "{}", "{}"},
	{"PyTorchJob", "{'replicaStatuses':[],'conditions':[]}", "{'replicaStatuses':[],'conditions':[]}"},
	{"PyTorchJob", "{'replicaStatuses':{'Master':{'active':1,'failed':2},'Worker':{},'Odd':7}}",
	 "{'replicaStatuses':{'Master':{'active':0,'failed':2},'Worker':{'active':0},'Odd':7}}"},
	{"JobSet", "{'restarts':2,'replicatedJobsStatus':[{'name':'a','active':2,'ready':1,'failed':3},7]}",
	 "{'restarts':2,'replicatedJobsStatus':[{'name':'a','active':0,'ready':0,'failed':3},7]}"},
	{"mpijobs.v2beta1.kubeflow.org", "{'replicaStatuses':{'Worker':{'active':2}}}",
	 "{'replicaStatuses':{'Worker':{'active':0}}}"},
	{"TrainJob", "{'jobsStatus':[{'name':'node','active':1,'ready':1}]}",
	 "{'jobsStatus':[{'name':'node','active':0,'ready':0}]}"},
	{"RayJob", "{}", "{'jobDeploymentStatus':'Suspended'}"},
	{"RayJob",
	 "{'jobDeploymentStatus':'Running','rayClusterStatus':{'state':'ready','readyWorkerReplicas':2},'failed':1}",
	 "{'jobDeploymentStatus':'Suspended','rayClusterStatus':{'state':'suspended','readyWorkerReplicas':0},'failed':"
	 "1}"},
	{"RayCluster", "{'state':'ready','availableWorkerReplicas':4}",
	 "{'state':'suspended','availableWorkerReplicas':0}"},
	{"AppWrapper", "{}", "{'phase':'Suspended'}"},
	{"AppWrapper",
	 "{'phase':'Running','resettingCount':2,'conditions':[{'type':'PodsReady','status':'True'},7,{'type':"
	 "'QuotaReserved','status':'True'}]}",
	 "{'phase':'Suspended','resettingCount':2,'conditions':[{'type':'PodsReady','status':'True'},7,{'type':"
	 "'QuotaReserved','status':'False'}]}"},
};

Test(kinds_idle, nothing_is_active_and_nothing_else_changes)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct sw_kind *k = sw_kind_named(rows[i].kind);
		json_t *status = json_of(rows[i].status), *expect = json_of(rows[i].idle);

		k->idle(k, status);
		cr_expect(json_object_equal(status, expect), "%s: %s", rows[i].status,
			  json_object_to_json_string(status));
		json_object_put(expect);
		json_object_put(status);
	}
}
