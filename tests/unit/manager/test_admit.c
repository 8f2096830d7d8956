/* SPDX-License-Identifier: Apache-2.0 */
#include "manager_test.h"

#define POD                                                                                                            \
	"'template':{'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'busybox','resources':{'"       \
	"limits':{'cpu':'1'}}}]}}"
#define JOB(meta, spec)                                                                                                \
	"{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'j','namespace':'default'" meta                      \
	"},'spec':{" POD spec "}}"
#define Q ",'labels':{'kueue.x-k8s.io/queue-name':'lq'}"

Test(manager_admit, what_could_not_be_honoured_is_refused_with_its_path)
{
	static const struct {
		const char *resource, *object, *says;
	} rows[] = {
		{"jobs.batch", JOB("", ""),
		 "metadata.labels[kueue.x-k8s.io/queue-name]: expected the name of a LocalQueue in namespace default "
		 "(there are: lq)"},
		{"jobs.batch",
		 JOB(",'labels':{'kueue.x-k8s.io/queue-name':'lq','kueue.x-k8s.io/priority-class':'hihg'}", ""),
		 "did you mean \"high\""},
		{"jobs.batch", JOB(Q, ",'managedBy':'example.com/other'"), "spec.managedBy"},
		{"jobs.batch", JOB(Q ",'annotations':{'spillway.dev/gpu':'H100'}", ""), "no container asks for a GPU"},
		{"jobs.batch", JOB(Q ",'annotations':{'spillway.dev/sopt':'allow'}", ""),
		 "did you mean \"spillway.dev/spot\""},
		{"jobs.batch", JOB(Q, ",'parallelism':0"), "spec.parallelism"},
		{"jobs.batch",
		 "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'j','namespace':'default'" Q
		 "},'spec':{'template':{'spec':{'restartPolicy':'Never',"
		 "'containers':[{'name':'c','image':'b','resources':{'limits':{'nvidia.com/gpu':'0'}}}]}}}}",
		 "limits[nvidia.com/gpu]"},
		{WL,
		 "{'apiVersion':'kueue.x-k8s.io/"
		 "v1beta2','kind':'Workload','metadata':{'name':'w','namespace':'default'},'spec':{'podSets':[{'name':'"
		 "main','count':1,'template':"
		 "{'spec':{'containers':[{'name':'c','image':'b'}]}}}]}}",
		 NULL}, /* inside callers may */
		{CQS,
		 "{'apiVersion':'kueue.x-k8s.io/"
		 "v1beta2','kind':'ClusterQueue','metadata':{'name':'x'},'spec':{'cohortName':'all'}}",
		 "spec.cohortName"},
		{"resourceflavors.kueue.x-k8s.io",
		 "{'apiVersion':'kueue.x-k8s.io/"
		 "v1beta2','kind':'ResourceFlavor','metadata':{'name':'x'},'spec':{'nodeLabels':{'a':'b'}}}",
		 "spec.nodeLabels"},
		{"admissionchecks.kueue.x-k8s.io",
		 "{'apiVersion':'kueue.x-k8s.io/"
		 "v1beta2','kind':'AdmissionCheck','metadata':{'name':'x'},'spec':{'controllerName':'a.b/c'}}",
		 "spec.controllerName"},
		{"pytorchjobs.kubeflow.org",
		 "{'apiVersion':'kubeflow.org/v1','kind':'PyTorchJob','metadata':{'name':'p','namespace':'default'" Q
		 "},'spec':{'pytorchReplicaSpecs':{'Worker':"
		 "{'template':{'spec':{'containers':[{'name':'wrong','image':'b'}]}}}}}}",
		 "pytorch"},
	};
	struct world w;

	world_open(&w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sw_err e = create(&w, rows[i].resource, rows[i].object);

		cr_expect_eq(sw_failed(e), rows[i].says != NULL, "%s: %s", rows[i].object, e.text);
		if (rows[i].says)
			cr_expect(strstr(e.text, rows[i].says) != NULL, "%s: %s", rows[i].object, e.text);
	}
	cr_expect_eq(sw_queue_count(sw_embedded_queue(w.m), "cq").admitted, 0);
	world_close(&w);
}

static bool runs(struct world *w, const char *resource, const char *name)
{
	json_t *o = get(w, resource, "default", name);
	bool on = o && !sw_json_bool(o, "spec.runPolicy.suspend");

	json_object_put(o);
	return on;
}

Test(manager_admit, every_kind_gets_a_workload)
{
	static const struct {
		const char *kind, *resource, *specs, *type, *container;
		size_t n;
	} rows[] = {
		{"PyTorchJob", "pytorchjobs.kubeflow.org", "pytorchReplicaSpecs", "Master", "pytorch", 1},
		{"TFJob", "tfjobs.kubeflow.org", "tfReplicaSpecs", "Chief", "tensorflow", 1},
		{"PaddleJob", "paddlejobs.kubeflow.org", "paddleReplicaSpecs", "Worker", "paddle", 1},
		{"XGBoostJob", "xgboostjobs.kubeflow.org", "xgbReplicaSpecs", "Master", "xgboost", 1},
		{"JAXJob", "jaxjobs.kubeflow.org", "jaxReplicaSpecs", "Worker", "jax", 1},
		{"MPIJob", "mpijobs.kubeflow.org", "mpiReplicaSpecs", "Launcher", "mpi", 1},
	};
	struct world w;

	world_open(&w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char name[16];
		struct answer a = {0};

		snprintf(name, sizeof(name), "t%zu", i);
		json_t *o = sw_json_fmt(
			"{\"apiVersion\":\"kubeflow.org/"
			"v1\",\"kind\":\"%s\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\",\"labels\":{"
			"\"kueue.x-k8s.io/queue-name\":\"lq\"}},"
			"\"spec\":{\"%s\":{\"%s\":{\"replicas\":1,\"template\":{\"spec\":{\"containers\":[{\"name\":\"%"
			"s\",\"image\":\"b\",\"resources\":{\"limits\":{\"cpu\":\"1\"}}}]}}}}}}",
			rows[i].kind, name, rows[i].specs, rows[i].type, rows[i].container);
		struct sw_err e = wait_for(&w, sw_api_object_create(w.api, rows[i].resource, o, on_object, &a), &a);

		cr_assert(!sw_failed(e), "%s: %s", rows[i].kind, e.text);
		json_object_put(o);
		UNTIL(&w, is_reserved(&w, name));
		nominate(&w, name);
		win(&w, name, "east");
		UNTIL(&w, runs(&w, rows[i].resource, name));
		o = get(&w, rows[i].resource, "default", name);
		cr_expect(!sw_json_condition_true(o, "Suspended"), "%s", json_object_to_json_string(o));
		json_object_put(o);
		e = finish(&w, name,
			   "{'conditions':[{'type':'Succeeded','status':'True','lastTransitionTime':'2026-01-01T00:01:"
			   "00Z'}]}",
			   SW_SUCCEEDED);
		cr_expect(!sw_failed(e), "%s", e.text);
		released(&w, name);
		UNTIL(&w, !row(&w, name));
	}
	world_close(&w);
}

Test(manager_admit, a_default_local_queue_serves_jobs_that_name_none)
{
	struct world w;

	world_open(&w);
	cr_assert(!sw_failed(create(&w, LQS,
				    "{'apiVersion':'kueue.x-k8s.io/"
				    "v1beta2','kind':'LocalQueue','metadata':{'name':'default','namespace':'default'},'"
				    "spec':{'clusterQueue':'cq'}}")));
	UNTIL(&w, sw_queue_of(sw_embedded_queue(w.m), "default", "default"));
	cr_assert(!sw_failed(create(&w, "jobs.batch", JOB("", ""))));
	UNTIL(&w, is_reserved(&w, "j"));
	cr_expect_str_eq(row(&w, "j")->queue, "default");
	world_close(&w);
}

Test(manager_admit, an_unknown_queue_is_taken_and_the_job_waits_for_it)
{
	struct world w;

	world_open(&w);
	cr_assert(!sw_failed(create(&w, "jobs.batch", JOB(",'labels':{'kueue.x-k8s.io/queue-name':'later'}", ""))));
	UNTIL(&w, is_waiting(&w, "j"));
	cr_assert(!sw_failed(create(&w, LQS,
				    "{'apiVersion':'kueue.x-k8s.io/"
				    "v1beta2','kind':'LocalQueue','metadata':{'name':'later','namespace':'default'},'"
				    "spec':{'clusterQueue':'cq'}}")));
	UNTIL(&w, is_reserved(&w, "j"));
	world_close(&w);
}

Test(manager_admit, a_running_job_does_not_change)
{
	struct world w;
	json_t *o;
	struct sw_err e;

	world_open(&w);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	nominate(&w, "pi");
	win(&w, "pi", "east");
	UNTIL(&w, !suspended(&w, "pi"));
	o = get(&w, "jobs.batch", "default", "pi");
	sw_json_set_int(o, "spec.parallelism", 2);
	e = update(&w, "jobs.batch", o);
	cr_expect(sw_failed(e) && strstr(e.text, "spec.parallelism: field is immutable while the job runs"), "%s",
		  e.text);
	o = get(&w, "jobs.batch", "default", "pi");
	sw_json_set_label(o, SW_LABEL_QUEUE, "other");
	e = update(&w, "jobs.batch", o);
	cr_expect(sw_failed(e) && strstr(e.text, "queue-name]: field is immutable"), "%s", e.text);
	o = get(&w, "jobs.batch", "default", "pi");
	sw_json_set_label(o, "team", "a");
	sw_json_set_int(o, "spec.ttlSecondsAfterFinished", 60);
	e = update(&w, "jobs.batch", o);
	cr_expect(!sw_failed(e), "%s", e.text);
	world_close(&w);
}
