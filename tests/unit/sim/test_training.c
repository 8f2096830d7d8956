/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_training.c - the simulated training operator: tables of a job, what happens to its pods, and the status
 */
#include "sim_test.h"

struct row {
	const char *name, *kind, *spec, *script;
	const char *conditions;  /* types that are True, in order, blank-separated */
	const char *has, *lacks; /* parts of the status, separated by |; or NULL */
	size_t pods;
};

#define T "'template':{'spec':{'containers':[{'name':'c','image':'i'}]}}"
#define PY(rest)                                                                                                       \
	"{'pytorchReplicaSpecs':{'Master':{'replicas':1,'restartPolicy':'Never'," T                                    \
	"},'Worker':{'replicas':2,'restartPolicy':'Never'," T "}}" rest "}"

static const struct row rows[] = {
	{"pods of a new job are made", "PyTorchJob", PY(""), "", "Created", "\"startTime\"", "Running", 3},
	{"it runs when its master runs", "PyTorchJob", PY(""), "run", "Created Running",
	 "\"Master\":{\"active\":1|\"Worker\":{\"active\":2|selector", NULL, 3},
	{"it has succeeded when its master has", "PyTorchJob", PY(""), "run ok:j-master-0", "Created Succeeded",
	 "\"completionTime\"|PyTorchJobSucceeded|\"Master\":{\"succeeded\":1", NULL, 3},
	{"without a master, when all workers have", "PyTorchJob",
	 "{'pytorchReplicaSpecs':{'Worker':{'replicas':2," T "}}}", "run ok ok", "Created Succeeded", "\"succeeded\":2",
	 NULL, 2},
	{"a replica that never restarts fails the job", "PyTorchJob", PY(""), "run fail:j-worker-1", "Created Failed",
	 "PyTorchJobFailed|\"failed\":1", NULL, 3},
	{"one that restarts does not", "PyTorchJob",
	 "{'pytorchReplicaSpecs':{'Worker':{'replicas':1,'restartPolicy':'OnFailure'," T "}}}", "run fail",
	 "Created Restarting", NULL, "Failed", 1},
	{"an exit code of 128 or more is retried", "TFJob",
	 "{'tfReplicaSpecs':{'Worker':{'replicas':1,'restartPolicy':'ExitCode'," T "}}}", "run fail=137",
	 "Created Restarting", NULL, NULL, 1},
	{"and another is final", "TFJob",
	 "{'tfReplicaSpecs':{'Worker':{'replicas':1,'restartPolicy':'ExitCode'," T "}}}", "run fail=1",
	 "Created Failed", NULL, NULL, 1},
	{"suspended it makes nothing", "PyTorchJob", PY(",'runPolicy':{'suspend':true}"), "", "Created Suspended",
	 "PyTorchJobSuspended", "\"startTime\"", 0},
	{"resumed it does", "PyTorchJob", PY(",'runPolicy':{'suspend':true}"), "resume run", "Created Running",
	 "PyTorchJobResumed|\"startTime\"", NULL, 3},
	{"suspending takes running pods away", "PyTorchJob", PY(""), "run suspend", "Created Suspended", NULL,
	 "\"active\"", 0},
	{"back-off limit", "PyTorchJob",
	 "{'runPolicy':{'backoffLimit':1},'pytorchReplicaSpecs':{'Worker':{'replicas':1,'restartPolicy':'OnFailure'," T
	 "}}}",
	 "run fail", "Created Restarting Failed", "backoff limit", NULL, 0},
	{"deadline", "PyTorchJob", PY(",'runPolicy':{'activeDeadlineSeconds':5}"), "run +6s", "Created Failed",
	 "longer than specified deadline", NULL, 0},
	{"clean pod policy None leaves workers", "PyTorchJob", PY(",'runPolicy':{'cleanPodPolicy':'None'}"),
	 "run ok:j-master-0", "Created Succeeded", NULL, NULL, 3},
	{"Running takes those that still run", "PyTorchJob", PY(",'runPolicy':{'cleanPodPolicy':'Running'}"),
	 "run ok:j-master-0", "Created Succeeded", "\"Worker\":{|\"succeeded\":2", "\"active\"", 1},
	{"All takes all", "PyTorchJob", PY(",'runPolicy':{'cleanPodPolicy':'All'}"), "run ok:j-master-0",
	 "Created Succeeded", NULL, NULL, 0},
	{"a tf job ends with its first worker", "TFJob",
	 "{'tfReplicaSpecs':{'Worker':{'replicas':2," T "},'PS':{'replicas':1," T "}}}", "run ok:j-worker-0",
	 "Created Succeeded", NULL, NULL, 3},
	{"unless all workers are asked for", "TFJob",
	 "{'successPolicy':'AllWorkers','tfReplicaSpecs':{'Worker':{'replicas':2," T "}}}", "run ok:j-worker-0",
	 "Created Running", NULL, NULL, 2},
	{"a chief decides", "TFJob", "{'tfReplicaSpecs':{'Chief':{'replicas':1," T "},'Worker':{'replicas':1," T "}}}",
	 "run ok:j-chief-0", "Created Succeeded", NULL, NULL, 2},
	{"xgboost", "XGBoostJob", "{'xgbReplicaSpecs':{'Master':{'replicas':1," T "},'Worker':{'replicas':1," T "}}}",
	 "run ok:j-master-0", "Created Succeeded", NULL, "selector", 2},
	{"paddle", "PaddleJob", "{'paddleReplicaSpecs':{'Worker':{'replicas':1," T "}}}", "run ok", "Created Succeeded",
	 NULL, NULL, 1},
	{"jax", "JAXJob", "{'jaxReplicaSpecs':{'Worker':{'replicas':2," T "}}}", "run ok", "Created Running", NULL,
	 NULL, 2},
	{"mpi runs when launcher and workers run", "MPIJob",
	 "{'mpiReplicaSpecs':{'Launcher':{'replicas':1," T "},'Worker':{'replicas':2," T "}}}", "run",
	 "Created Running", NULL, NULL, 3},
	{"mpi ends with its launcher", "MPIJob",
	 "{'mpiReplicaSpecs':{'Launcher':{'replicas':1," T "},'Worker':{'replicas':2," T "}}}", "run ok:j-launcher",
	 "Created Succeeded", NULL, NULL, 3},
	{"mpi fails with its launcher", "MPIJob",
	 "{'mpiReplicaSpecs':{'Launcher':{'replicas':1," T "},'Worker':{'replicas':2," T "}}}", "run fail:j-launcher",
	 "Created Failed", NULL, NULL, 3},
	{"somebody else's job is left alone", "PyTorchJob",
	 PY(",'runPolicy':{'managedBy':'kueue.x-k8s.io/multikueue'}"), "", "", NULL, "startTime", 0},
	{"a time to live", "PyTorchJob", PY(",'runPolicy':{'ttlSecondsAfterFinished':0}"), "run ok:j-master-0",
	 "Created Succeeded", NULL, NULL, 3},
	{"hostile: no replica specs", "PyTorchJob", "{'pytorchReplicaSpecs':7,'runPolicy':[]}", "", "Created", NULL,
	 NULL, 0},
	{"hostile: replicas of the wrong type", "JAXJob", "{'jaxReplicaSpecs':{'Worker':{'replicas':-3," T "}}}", "",
	 "Created Succeeded", NULL, NULL, 0},
};

static void true_types(json_t *job, char *out, size_t size)
{
	json_t *list = sw_json_at(job, "status.conditions");

	*out = '\0';
	for (size_t i = 0; i < sw_json_len(list); i++)
		if (strcmp(sw_json_str(sw_json_idx(list, i), "status"), "True") == 0)
			snprintf(out + strlen(out), size - strlen(out), "%s%s", *out ? " " : "",
				 sw_json_str(sw_json_idx(list, i), "type"));
}

static void each_part(const struct row *r, const char *parts, const char *text, bool wanted)
{
	char *copy = sw_strdup(parts ? parts : ""), *save = NULL;

	for (char *p = strtok_r(copy, "|", &save); p; p = strtok_r(NULL, "|", &save))
		cr_expect_eq(strstr(text, p) != NULL, wanted, "%s: %s %s: %s", r->name, p,
			     wanted ? "is missing in" : "is in", text);
	free(copy);
}

Test(training, a_job_and_its_pods_give_the_real_status)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct world w;
		char types[256], *text;

		world_open(&w, r->spec);
		w.training = true;
		sw_json_set_str(w.job, "kind", r->kind);
		sw_json_set_str(w.job, "apiVersion", "kubeflow.org/v1");
		world_play(&w, r->script);
		text = sw_json_at(w.job, "status") ? sw_json_text(sw_json_at(w.job, "status"), NULL) : sw_strdup("");
		true_types(w.job, types, sizeof(types));
		cr_expect_str_eq(types, r->conditions, "%s: \"%s\", expected \"%s\": %s", r->name, types, r->conditions,
				 text);
		each_part(r, r->has, text, true);
		each_part(r, r->lacks, text, false);
		cr_expect_eq(w.n, r->pods, "%s: %zu pods are left, expected %zu", r->name, w.n, r->pods);
		free(text);
		world_close(&w);
	}
}

Test(training, pods_carry_the_labels_that_clients_select_by)
{
	struct world w;
	json_t *pod;

	world_open(&w, PY(""));
	w.training = true;
	sw_json_set_str(w.job, "kind", "PyTorchJob");
	world_settle(&w);
	pod = world_pod(&w, "j-master-0");
	cr_expect_str_eq(sw_json_label(pod, "training.kubeflow.org/job-role"), "master");
	cr_expect_str_eq(sw_json_label(pod, "training.kubeflow.org/job-name"), "j");
	pod = world_pod(&w, "j-worker-1");
	cr_expect_str_eq(sw_json_label(pod, "training.kubeflow.org/replica-type"), "worker");
	cr_expect_str_eq(sw_json_label(pod, "training.kubeflow.org/replica-index"), "1");
	cr_expect_null(sw_json_label(pod, "training.kubeflow.org/job-role"));
	cr_expect_str_eq(sw_json_str(pod, "spec.restartPolicy"), "Never");
	world_close(&w);
}
