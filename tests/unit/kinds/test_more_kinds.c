/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_more_kinds.c - JobSet, MPIJob v2beta1, TrainJob, RayJob, RayCluster
 *
 * Manifests follow the shape of the operators' own examples: mpi-operator v0.8.2 examples/v2beta1/pi/pi.yaml; kuberay
 * ray-operator v1.6.2 config/samples/ray-job.kueue-toy-sample.yaml and ray-cluster.tpu-v4-multihost.yaml.
 */
#include "kinds_test.h"

#define TEMPLATE(c)       "{'spec':{'containers':[{'name':'" c "','image':'i'}]}}"
#define HEAD              "'headGroupSpec':{'rayStartParams':{},'template':" TEMPLATE("ray-head") "}"
#define GROUP(name, more) "{'groupName':'" name "'," more "'template':" TEMPLATE("ray-worker") "}"
#define RJ(name, more)    "{'name':'" name "'," more "'template':{'spec':{'template':" TEMPLATE("c") "}}}"

static const struct {
	const char *kind, *spec;
	size_t n;
	const char *names[3];
	int counts[3];
	const char *paths[3];
} podset_rows[] = {
	{"JobSet",
	 "{'replicatedJobs':[" RJ("leader", "") ",{'name':'Workers','replicas':2,'template':{'spec':{'parallelism':4,"
						"'completions':4,'template':" TEMPLATE("c") "}}}]}",
	 2,
	 {"leader", "workers"},
	 {1, 8},
	 {"spec.replicatedJobs[0].template.spec.template", "spec.replicatedJobs[1].template.spec.template"}},
	{"JobSet",
	 "{'replicatedJobs':[{'name':'a','replicas':3,'template':{'spec':{'parallelism':4,'completions':2,'template':"
	 "{}}}},{'name':'none','replicas':0,'template':{'spec':{'template':{}}}}]}",
	 2,
	 {"a", "none"},
	 {6, 0},
	 {"spec.replicatedJobs[0].template.spec.template", "spec.replicatedJobs[1].template.spec.template"}},
	{"mpijobs.v2beta1.kubeflow.org",
	 "{'slotsPerWorker':1,'mpiReplicaSpecs':{'Worker':{'replicas':2,'template':" TEMPLATE(
		 "mpi-worker") "},'Launcher':{'replicas':1,'template':" TEMPLATE("mpi-launcher") "}}}",
	 2,
	 {"launcher", "worker"},
	 {1, 2},
	 {"spec.mpiReplicaSpecs.Launcher.template", "spec.mpiReplicaSpecs.Worker.template"}},
	{"TrainJob", "{'runtimeRef':{'name':'torch-distributed'},'trainer':{'numNodes':4}}", 0, {0}, {0}, {0}},
	{"RayCluster",
	 "{" HEAD ",'workerGroupSpecs':[" GROUP("tpu-group", "'replicas':3,'numOfHosts':2,") "]}",
	 2,
	 {"head", "tpu-group"},
	 {1, 6},
	 {"spec.headGroupSpec.template", "spec.workerGroupSpecs[0].template"}},
	{"RayCluster", "{" HEAD "}", 1, {"head"}, {1}, {"spec.headGroupSpec.template"}},
	{"RayJob",
	 "{'shutdownAfterJobFinishes':true,'rayClusterSpec':{" HEAD ",'workerGroupSpecs':[" GROUP("small", "") "]}}",
	 3,
	 {"head", "small", "submitter"},
	 {1, 1, 1},
	 {"spec.rayClusterSpec.headGroupSpec.template", "spec.rayClusterSpec.workerGroupSpecs[0].template",
	  "spec.submitterPodTemplate"}},
	{"RayJob",
	 "{'submissionMode':'HTTPMode','shutdownAfterJobFinishes':true,'rayClusterSpec':{" HEAD "}}",
	 1,
	 {"head"},
	 {1},
	 {"spec.rayClusterSpec.headGroupSpec.template"}},
};

Test(kinds_more, pod_sets_are_those_that_kueue_counts)
{
	for (size_t i = 0; i < sizeof(podset_rows) / sizeof(*podset_rows); i++) {
		const struct sw_kind *k = sw_kind_named(podset_rows[i].kind);
		json_t *o = json_object_new_object();
		struct sw_podset sets[SW_PODSETS_MAX];

		json_object_object_add(o, "spec", json_of(podset_rows[i].spec));
		struct sw_err e = k->check(k, o);

		cr_expect(!sw_failed(e), "row %zu: %s", i, e.text);
		cr_assert_eq(k->podsets(k, o, sets), podset_rows[i].n, "row %zu", i);
		for (size_t s = 0; s < podset_rows[i].n; s++) {
			cr_expect_str_eq(sets[s].name, podset_rows[i].names[s]);
			cr_expect_eq(sets[s].count, podset_rows[i].counts[s], "row %zu set %zu: %d", i, s,
				     sets[s].count);
			cr_expect_str_eq(sets[s].path, podset_rows[i].paths[s]);
		}
		json_object_put(o);
	}
}

static const struct {
	const char *kind, *spec, *text;
} bad_rows[] = {
	{"JobSet", "{}", "spec.replicatedJobs: found nothing"},
	{"JobSet", "{'replicatedJobs':{}}", "spec.replicatedJobs: found nothing"},
	{"JobSet", "{'replicatedJobs':[7]}", "spec.replicatedJobs[0].name"},
	{"JobSet", "{'replicatedJobs':[" RJ("a b", "") "]}", "spec.replicatedJobs[0].name: found \"a b\""},
	{"JobSet", "{'replicatedJobs':[" RJ("a", "") "," RJ("A", "") "]}",
	 "spec.replicatedJobs[1].name: \"A\" is there twice"},
	{"JobSet", "{'replicatedJobs':[" RJ("a", "'replicas':-1,") "]}", "spec.replicatedJobs[0]: replicas"},
	{"JobSet", "{'replicatedJobs':[" RJ("a", "'replicas':'2',") "]}", "spec.replicatedJobs[0]: replicas"},
	{"JobSet", "{'replicatedJobs':[" RJ("a", "'replicas':0,") "]}", "at least 1 pod"},
	{"JobSet", "{'replicatedJobs':[{'name':'a'}]}", "spec.replicatedJobs[0]: template.spec.template"},
	{"JobSet",
	 "{'replicatedJobs':[{'name':'a','replicas':2147483647,'template':{'spec':{'parallelism':2147483647,'template':"
	 "{}"
	 "}}}]}",
	 "pods in all"},
	{"JobSet", "{'replicatedJobs':[{'name':'a','template':{'spec':{'parallelism':0,'template':{}}}}]}",
	 "template.spec.parallelism"},
	{"JobSet", "{'replicatedJobs':[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]}",
	 "found 19, expected at most 18"},
	{"mpijobs.v2beta1.kubeflow.org", "{'mpiReplicaSpecs':{'Worker':{'template':{}}}}",
	 "spec.mpiReplicaSpecs.Launcher: found nothing"},
	{"mpijobs.v2beta1.kubeflow.org", "{'mpiReplicaSpecs':{'Launcher':{'replicas':2}}}", "there is one Launcher"},
	{"TrainJob", "{}", "spec.runtimeRef.name: found nothing"},
	{"TrainJob", "{'runtimeRef':{'name':'t'},'runtimePatches':[{'manager':'spillway.dev/dispatch'}]}",
	 "spec.runtimePatches"},
	{"RayCluster", "{}", "spec.headGroupSpec.template.spec.containers: found nothing"},
	{"RayCluster", "{" HEAD ",'enableInTreeAutoscaling':true}", "spec.enableInTreeAutoscaling"},
	{"RayCluster", "{" HEAD ",'workerGroupSpecs':[" GROUP("Head", "") "]}", "name of another set"},
	{"RayCluster", "{" HEAD ",'workerGroupSpecs':[" GROUP("a", "'numOfHosts':0,") "]}",
	 "spec.workerGroupSpecs[0]: numOfHosts"},
	{"RayCluster", "{" HEAD ",'workerGroupSpecs':[" GROUP("a", "'replicas':2147483647,'numOfHosts':3,") "]}",
	 "pods in all"},
	{"RayCluster", "{" HEAD ",'workerGroupSpecs':[{'groupName':'a'}]}", "spec.workerGroupSpecs[0]: template"},
	{"RayCluster", "{" HEAD ",'workerGroupSpecs':'x'}", "spec.workerGroupSpecs: found nothing"},
	{"RayJob", "{}", "spec.rayClusterSpec: found nothing"},
	{"RayJob", "{'clusterSelector':{'a':'b'}}", "spec.clusterSelector"},
	{"RayJob", "{'rayClusterSpec':{" HEAD "}}", "spec.shutdownAfterJobFinishes"},
	{"RayJob",
	 "{'shutdownAfterJobFinishes':true,'rayClusterSpec':{" HEAD
	 ",'workerGroupSpecs':[" GROUP("submitter", "") "]}}",
	 "name of another set"},
};

Test(kinds_more, what_cannot_be_counted_is_refused_with_its_path)
{
	for (size_t i = 0; i < sizeof(bad_rows) / sizeof(*bad_rows); i++) {
		const struct sw_kind *k = sw_kind_named(bad_rows[i].kind);
		json_t *o = json_object_new_object();
		struct sw_podset sets[SW_PODSETS_MAX];

		json_object_object_add(o, "spec", json_of(bad_rows[i].spec));
		struct sw_err e = k->check(k, o);

		cr_expect_eq(e.code, SW_E_INVALID, "%s", bad_rows[i].spec);
		cr_expect(strstr(e.text, bad_rows[i].text) != NULL, "%s: %s", bad_rows[i].spec, e.text);
		cr_expect(k->podsets(k, o, sets) <= SW_PODSETS_MAX);
		json_object_put(o);
	}
}

static const struct {
	const char *kind, *suspend, *status;
	enum sw_outcome outcome;
	const char *why;
	int active;
} state_rows[] = {
	{"JobSet", "false", "{}", SW_UNFINISHED, "", 1},
	{"JobSet", "true", "{}", SW_UNFINISHED, "", 1},
	{"JobSet", "true", "{'conditions':[{'type':'Suspended','status':'True'}]}", SW_UNFINISHED, "", 0},
	{"JobSet", "true",
	 "{'conditions':[{'type':'Suspended','status':'True'}],'replicatedJobsStatus':[{'active':2},{'active':-5},7]}",
	 SW_UNFINISHED, "", 2},
	{"JobSet", "false", "{'conditions':[{'type':'Completed','status':'True','reason':'AllJobsCompleted'}]}",
	 SW_SUCCEEDED, "AllJobsCompleted", 0},
	{"JobSet", "false", "{'conditions':[{'type':'Failed','status':'True','reason':'FailedJobs'}]}", SW_JOB_FAILED,
	 "FailedJobs", 0},
	{"JobSet", "false", "{'conditions':[{'type':'Completed','status':'False'}]}", SW_UNFINISHED, "", 1},
	{"mpijobs.v2beta1.kubeflow.org", "false", "{'replicaStatuses':{'Worker':{'active':2}}}", SW_UNFINISHED, "", 2},
	{"mpijobs.v2beta1.kubeflow.org", "false", "{'conditions':[{'type':'Succeeded','status':'True','reason':'r'}]}",
	 SW_SUCCEEDED, "r", 0},
	{"TrainJob", "true",
	 "{'conditions':[{'type':'Suspended','status':'True'}],'jobsStatus':[{'name':'node','active':1}]}",
	 SW_UNFINISHED, "", 1},
	{"TrainJob", "false", "{'conditions':[{'type':'Complete','status':'True','reason':'JobsCompleted'}]}",
	 SW_SUCCEEDED, "JobsCompleted", 0},
	{"TrainJob", "false", "{'conditions':[{'type':'Failed','status':'True','reason':'DeadlineExceeded'}]}",
	 SW_JOB_FAILED, "DeadlineExceeded", 0},
	{"RayJob", "false", "{}", SW_UNFINISHED, "", 1},
	{"RayJob", "true", "{'jobDeploymentStatus':'Suspending'}", SW_UNFINISHED, "", 1},
	{"RayJob", "true", "{'jobDeploymentStatus':'Suspended'}", SW_UNFINISHED, "", 0},
	{"RayJob", "false", "{'jobDeploymentStatus':'Suspended'}", SW_UNFINISHED, "", 1},
	{"RayJob", "false", "{'jobDeploymentStatus':'Running','rayClusterStatus':{'availableWorkerReplicas':3}}",
	 SW_UNFINISHED, "", 4},
	{"RayJob", "false", "{'jobDeploymentStatus':'Running','jobStatus':'SUCCEEDED'}", SW_UNFINISHED, "", 1},
	{"RayJob", "false", "{'jobDeploymentStatus':'Complete','jobStatus':'SUCCEEDED'}", SW_SUCCEEDED, "SUCCEEDED", 0},
	{"RayJob", "false", "{'jobDeploymentStatus':'Complete','jobStatus':'STOPPED'}", SW_JOB_FAILED, "STOPPED", 0},
	{"RayJob", "false", "{'jobDeploymentStatus':'Failed','jobStatus':'FAILED','reason':'AppFailed'}", SW_JOB_FAILED,
	 "AppFailed", 0},
	{"RayJob", "false", "{'jobDeploymentStatus':'Failed'}", SW_JOB_FAILED, "", 0},
	{"RayJob", "false", "{'jobDeploymentStatus':7}", SW_UNFINISHED, "", 1},
	{"RayCluster", "false", "{'state':'ready','availableWorkerReplicas':2}", SW_UNFINISHED, "", 3},
	{"RayCluster", "false", "{'state':'failed'}", SW_UNFINISHED, "", 1},
	{"RayCluster", "true", "{'state':'suspended'}", SW_UNFINISHED, "", 0},
	{"RayCluster", "true", "{'conditions':[{'type':'RayClusterSuspended','status':'True'}]}", SW_UNFINISHED, "", 0},
	{"RayCluster", "true", "{'conditions':[{'type':'RayClusterSuspending','status':'True'}]}", SW_UNFINISHED, "",
	 1},
	{"RayCluster", "true", "{'state':'suspended','availableWorkerReplicas':1}", SW_UNFINISHED, "", 2},
};

Test(kinds_more, outcome_and_active_follow_the_operators_status)
{
	for (size_t i = 0; i < sizeof(state_rows) / sizeof(*state_rows); i++) {
		const struct sw_kind *k = sw_kind_named(state_rows[i].kind);
		json_t *o = json_object_new_object();
		const char *why = NULL;

		sw_kind_suspend(k, o, strcmp(state_rows[i].suspend, "true") == 0);
		json_object_object_add(o, "status", json_of(state_rows[i].status));
		cr_expect_eq(k->outcome(k, o, &why), state_rows[i].outcome, "%s %s", k->kind, state_rows[i].status);
		cr_expect_str_eq(why, state_rows[i].why, "%s", state_rows[i].status);
		cr_expect_eq(k->active(k, o), state_rows[i].active, "%s %s: %lld", k->kind, state_rows[i].status,
			     (long long)k->active(k, o));
		json_object_put(o);
	}
}

static const struct {
	const char *kind, *local, *remote, *home;
} home_rows[] = {
	{"JobSet", "{'restarts':3}", "{'restarts':1,'replicatedJobsStatus':[]}",
	 "{'restarts':1,'replicatedJobsStatus':[]}"},
	{"JobSet", "{'conditions':[{'type':'Completed','status':'True'}]}", "{'restarts':1}",
	 "{'conditions':[{'type':'Completed','status':'True'}]}"},
	{"JobSet", "{'restarts':3}", "null", "{}"},
	{"TrainJob", "{'jobsStatus':[]}", "{}", "{'jobsStatus':[]}"},
	{"TrainJob", "{'jobsStatus':[]}", "null", "{'jobsStatus':[]}"},
	{"TrainJob", "null", "{'jobsStatus':[{'name':'node'}]}", "{'jobsStatus':[{'name':'node'}]}"},
	{"RayJob", "{'jobDeploymentStatus':'Complete'}", "{'jobDeploymentStatus':'Running'}",
	 "{'jobDeploymentStatus':'Complete'}"},
	{"RayJob", "{'jobDeploymentStatus':'Suspended'}", "{'jobDeploymentStatus':'Running'}",
	 "{'jobDeploymentStatus':'Running'}"},
	{"RayCluster", "{'state':'ready'}", "{'state':'suspended'}", "{'state':'suspended'}"},
	{"AppWrapper", "{'phase':'Succeeded'}", "{'phase':'Running'}", "{'phase':'Succeeded'}"},
	{"AppWrapper", "{'phase':'Suspended'}", "{'phase':'Running'}", "{'phase':'Running'}"},
	{"AppWrapper", "{}", "null", "{}"},
	{"mpijobs.v2beta1.kubeflow.org", "{'replicaStatuses':{'Worker':{'failed':3}}}",
	 "{'replicaStatuses':{'Worker':{'failed':1}}}", "{'replicaStatuses':{'Worker':{'failed':3}}}"},
};

Test(kinds_more, a_status_comes_home_whole_and_an_end_stays)
{
	for (size_t i = 0; i < sizeof(home_rows) / sizeof(*home_rows); i++) {
		const struct sw_kind *k = sw_kind_named(home_rows[i].kind);
		json_t *local = json_of(home_rows[i].local), *remote = json_of(home_rows[i].remote),
		       *expect = json_of(home_rows[i].home), *got = k->status_home(k, local, remote, NULL);

		cr_expect(json_object_equal(got, expect), "row %zu: %s", i, json_object_to_json_string(got));
		json_object_put(got);
		json_object_put(expect);
		json_object_put(remote);
		json_object_put(local);
	}
}

static const struct sw_copy_spec who = {.origin = "o", .workload_key = "ns/w", .owner_uid = "U", .attempt = 1};

static json_t *copy_of(const char *word, const char *job, const char *podsets)
{
	const struct sw_kind *k = sw_kind_named(word);
	json_t *o = json_of(job), *sets = podsets ? json_of(podsets) : NULL;
	struct sw_copy_spec spec = who;

	spec.podsets = sets;
	json_t *copy = sw_kind_copy(k, o, &spec);

	json_object_put(sets);
	json_object_put(o);
	return copy;
}

Test(kinds_more, a_train_job_carries_its_identity_in_a_runtime_patch_and_not_the_managers)
{
	json_t *copy =
		copy_of("TrainJob",
			"{'metadata':{'name':'t'},'spec':{'managedBy':'kueue.x-k8s.io/multikueue','runtimeRef':{'name':"
			"'torch'},'runtimePatches':[{'manager':'kueue.x-k8s.io/manager','trainingRuntimeSpec':{}},"
			"{'manager':'my.org/x'}]}}",
			"[{'name':'node','count':4,'template':{'metadata':{'labels':{'a':'b'},'name':'n'},'spec':{"
			"'nodeSelector':{'gpu':'h100'},'tolerations':[{'key':'k'}],'containers':[{'name':'node'}]}}}]");
	json_t *patches = sw_json_at(copy, "spec.runtimePatches");

	cr_assert_eq(sw_json_len(patches), 2);
	cr_expect_str_eq(sw_json_str(sw_json_idx(patches, 0), "manager"), "my.org/x");
	cr_expect_str_eq(sw_json_str(sw_json_idx(patches, 1), "manager"), "spillway.dev/dispatch");
	json_t *job =
		sw_json_idx(sw_json_at(sw_json_idx(patches, 1), "trainingRuntimeSpec.template.spec.replicatedJobs"), 0);
	json_t *template = sw_json_at(job, "template.spec.template");

	cr_expect_str_eq(sw_json_str(job, "name"), "node");
	cr_expect_str_eq(sw_json_label(template, SW_LABEL_ORIGIN), "o");
	cr_expect_str_eq(sw_json_label(template, "a"), "b");
	cr_expect_null(sw_json_at(template, "metadata.name"));
	cr_expect_str_eq(sw_json_str(template, "spec.nodeSelector.gpu"), "h100");
	cr_expect_eq(sw_json_len(sw_json_at(template, "spec.tolerations")), 1);
	cr_expect_null(sw_json_at(template, "spec.containers"), "a patch may not say what a container is");
	cr_expect_null(sw_json_at(copy, "spec.managedBy"));
	cr_expect(sw_kind_suspended(sw_kind_named("TrainJob"), copy));
	json_object_put(copy);
}

Test(kinds_more, a_ray_jobs_submitter_is_spelled_out_in_the_copy)
{
	json_t *copy = copy_of("RayJob",
			       "{'metadata':{'name':'r'},'spec':{'managedBy':'x','ttlSecondsAfterFinished':10,"
			       "'shutdownAfterJobFinishes':true,'rayClusterSpec':{" HEAD "}}}",
			       NULL);
	json_t *template = sw_json_at(copy, "spec.submitterPodTemplate");
	json_t *container = sw_json_idx(sw_json_at(template, "spec.containers"), 0);

	cr_expect_str_eq(sw_json_str(container, "name"), "ray-job-submitter");
	cr_expect_str_eq(sw_json_str(container, "image"), "i");
	cr_expect_str_eq(sw_json_str(container, "resources.requests.cpu"), "500m");
	cr_expect_str_eq(sw_json_label(template, SW_LABEL_ORIGIN), "o");
	cr_expect_str_eq(sw_json_label(template, SW_LABEL_JOB), "r", "its pods do not tell the job's name otherwise");
	cr_expect_null(sw_json_at(copy, "spec.managedBy"));
	cr_expect_eq(sw_json_int(copy, "spec.ttlSecondsAfterFinished", 0), 10, "that is about the cluster");
	json_object_put(copy);
}

Test(kinds_more, a_ray_job_made_from_the_workload_has_the_sidecar_once)
{
	json_t *copy = copy_of(
		"RayJob",
		"{'metadata':{'name':'r'},'spec':{'submissionMode':'SidecarMode','rayClusterSpec':{" HEAD "}}}",
		"[{'name':'head','template':{'spec':{'containers':[{'name':'ray-head'},{'name':'ray-job-submitter'}"
		"]}}}]");

	cr_assert(copy);
	cr_expect_eq(sw_json_len(sw_json_at(copy, "spec.rayClusterSpec.headGroupSpec.template.spec.containers")), 1);
	json_object_put(copy);
	copy = copy_of("RayJob", "{'metadata':{'name':'r'},'spec':{'rayClusterSpec':{" HEAD "}}}",
		       "[{'name':'head','template':{'spec':{'containers':[{'name':'h'}]}}},"
		       "{'name':'submitter','template':{'spec':{'containers':[{'name':'s','image':'mine'}]}}}]");
	cr_assert(copy);
	cr_expect_str_eq(
		sw_json_str(sw_json_idx(sw_json_at(copy, "spec.submitterPodTemplate.spec.containers"), 0), "image"),
		"mine");
	json_object_put(copy);
}

Test(kinds_more, templates_of_a_job_set_come_from_the_workload)
{
	json_t *copy = copy_of("JobSet",
			       "{'metadata':{'name':'s'},'spec':{'ttlSecondsAfterFinished':5,'replicatedJobs':[" RJ(
				       "Lead", "") "," RJ("work", "'replicas':2,") "]}}",
			       "[{'name':'lead','count':1,'template':{'spec':{'hostname':'l'}}},"
			       "{'name':'work','count':2,'template':{'spec':{'hostname':'w'}}}]");
	json_t *jobs = sw_json_at(copy, "spec.replicatedJobs");

	cr_expect_str_eq(sw_json_str(sw_json_idx(jobs, 0), "template.spec.template.spec.hostname"), "l");
	cr_expect_str_eq(sw_json_str(sw_json_idx(jobs, 1), "template.spec.template.spec.hostname"), "w");
	cr_expect_eq(sw_json_int(sw_json_idx(jobs, 1), "replicas", 0), 2);
	cr_expect_null(sw_json_at(copy, "spec.ttlSecondsAfterFinished"));
	cr_expect_str_eq(sw_json_label(sw_json_at(sw_json_idx(jobs, 1), "template.spec.template"), SW_LABEL_WORKLOAD),
			 "w");
	json_object_put(copy);
}

/* json-c ends the process when it is told to change something that is no object. */
static const char *const misshapen[] = {
	"{'metadata':[],'spec':[]}",
	"{'spec':{'replicatedJobs':[7,{'name':3,'template':'x'}],'runtimePatches':{},'rayClusterSpec':[],"
	"'submitterPodTemplate':[],'headGroupSpec':7,'workerGroupSpecs':[[],{'template':[]}]}}",
	"{'spec':{'replicatedJobs':'x','runtimePatches':[[],{'manager':[]}],'rayClusterSpec':{'workerGroupSpecs':[7]},"
	"'mpiReplicaSpecs':{'Launcher':[],'Worker':{'template':7}}}}",
	"{'metadata':{'name':[]},'spec':{'components':[7,{'template':7,'podSets':[7,{'path':'template.x'}]},{'podSets':"
	"7,"
	"'template':{'apiVersion':'batch/v1','kind':'Job','spec':[]}}]}}",
};

Test(kinds_more, a_misshapen_job_of_any_kind_is_read_without_harm)
{
	json_t *status = json_of("{'conditions':'x','replicatedJobsStatus':[[],7],'jobsStatus':{},'replicaStatuses':[],"
				 "'rayClusterStatus':[]}");
	const struct sw_kind *k;

	for (size_t i = 0; (k = sw_kind_at(i)); i++) {
		for (size_t m = 0; m < sizeof(misshapen) / sizeof(*misshapen); m++) {
			json_t *job = json_of(misshapen[m]), *copy = sw_kind_copy(k, job, &who);
			const char *why;

			cr_expect(sw_failed(k->check(k, job)), "%s: %s", k->kind, misshapen[m]);
			cr_expect_eq(k->outcome(k, job, &why), SW_UNFINISHED);
			cr_expect_gt(k->active(k, job), 0);
			cr_expect_str_eq(sw_json_label(copy, SW_LABEL_ORIGIN), "o");
			json_object_put(copy);
			json_object_put(job);
		}
		json_t *s = sw_json_copy(status);

		k->idle(k, s);
		json_object_put(s);
		s = k->status_home(k, status, status, status);
		json_object_put(s);
	}
	json_object_put(status);
}
