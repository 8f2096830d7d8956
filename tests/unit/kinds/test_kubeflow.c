/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds_test.h"

#define C(name)    "{'template':{'spec':{'containers':[{'name':'" name "'}]}}}"
#define N(n, name) "{'replicas':" #n ",'template':{'spec':{'containers':[{'name':'" name "'}]}}}"

Test(kinds_kubeflow, pod_sets_follow_the_replica_types_in_kueues_order)
{
	static const struct {
		const char *id, *specs;
		size_t n;
		const char *names[3];
		int counts[3];
	} rows[] = {
		{"PyTorchJob",
		 "{'pytorchReplicaSpecs':{'Worker':" N(3, "pytorch") ",'Master':" C("pytorch") "}}",
		 2,
		 {"master", "worker"},
		 {1, 3}},
		{"PyTorchJob", "{'pytorchReplicaSpecs':{'Worker':" N(3, "pytorch") "}}", 1, {"worker"}, {3}},
		{"TFJob",
		 "{'tfReplicaSpecs':{'PS':" N(2, "tensorflow") ",'Chief':" C("tensorflow") ",'Worker':" N(
			 4, "tensorflow") "}}",
		 3,
		 {"chief", "ps", "worker"},
		 {1, 2, 4}},
		{"PaddleJob", "{'paddleReplicaSpecs':{'Worker':" N(2, "paddle") "}}", 1, {"worker"}, {2}},
		{"XGBoostJob",
		 "{'xgbReplicaSpecs':{'Master':" N(1, "xgboost") ",'Worker':" N(2, "xgboost") "}}",
		 2,
		 {"master", "worker"},
		 {1, 2}},
		{"JAXJob", "{'jaxReplicaSpecs':{'Worker':" N(8, "jax") "}}", 1, {"worker"}, {8}},
		{"MPIJob",
		 "{'mpiReplicaSpecs':{'Launcher':" C("any") ",'Worker':" N(0, "other") "}}",
		 2,
		 {"launcher", "worker"},
		 {1, 0}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct sw_kind *k = sw_kind_named(rows[i].id);
		json_t *o = json_object_new_object();
		struct sw_podset sets[SW_PODSETS_MAX];

		json_object_object_add(o, "spec", json_of(rows[i].specs));
		struct sw_err e = k->check(k, o);

		cr_expect(!sw_failed(e), "%s", e.text);
		cr_assert_eq(k->podsets(k, o, sets), rows[i].n, "%s", rows[i].specs);
		for (size_t s = 0; s < rows[i].n; s++) {
			cr_expect_str_eq(sets[s].name, rows[i].names[s]);
			cr_expect_eq(sets[s].count, rows[i].counts[s]);
			cr_expect(sw_json_at(o, sets[s].path) == sets[s].template, "%s", sets[s].path);
		}
		json_object_put(o);
	}
}

Test(kinds_kubeflow, what_the_operator_would_refuse_is_refused_here)
{
	static const struct {
		const char *id, *spec, *text;
	} rows[] = {
		{"PyTorchJob", "{}", "spec.pytorchReplicaSpecs: found nothing"},
		{"PyTorchJob", "{'pytorchReplicaSpecs':{}}", "no replicas"},
		{"PyTorchJob", "{'pytorchReplicaSpecs':[]}", "found nothing"},
		{"PyTorchJob", "{'pytorchReplicaSpecs':{'Wroker':" C("pytorch") "}}", "did you mean Worker"},
		{"PyTorchJob", "{'pytorchReplicaSpecs':{'Worker':" C("torch") "}}", "container named \"pytorch\""},
		{"PyTorchJob", "{'pytorchReplicaSpecs':{'Worker':null}}", "container named"},
		{"PyTorchJob", "{'pytorchReplicaSpecs':{'Worker':" N(-1, "pytorch") "}}",
		 "spec.pytorchReplicaSpecs.Worker: replicas"},
		{"PyTorchJob", "{'pytorchReplicaSpecs':{'Master':" N(2, "pytorch") "}}", "there is one Master"},
		{"PyTorchJob", "{'pytorchReplicaSpecs':{'Worker':" N(4294967296, "pytorch") "}}",
		 "expected a whole number"},
		{"MPIJob", "{'mpiReplicaSpecs':{'Launcher':" N(0, "x") "}}", "replicas"},
		{"JAXJob", "{'jaxReplicaSpecs':{'Worker':" N(0, "jax") "}}", "at least 1 pod"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = json_object_new_object();

		json_object_object_add(o, "spec", json_of(rows[i].spec));
		const struct sw_kind *k = sw_kind_named(rows[i].id);
		struct sw_err e = k->check(k, o);

		cr_expect_eq(e.code, SW_E_INVALID, "%s", rows[i].spec);
		cr_expect(strstr(e.text, rows[i].text) != NULL, "%s: %s", rows[i].spec, e.text);
		json_object_put(o);
	}
}

Test(kinds_kubeflow, outcome_active_and_status)
{
	json_t *job = json_of("{'apiVersion':'kubeflow.org/v1','kind':'TFJob','spec':{'runPolicy':{'suspend':true}},"
			      "'status':{'conditions':[{'type':'Suspended','status':'True'}],'replicaStatuses':{'"
			      "Worker':{'active':2},'PS':{'active':1}}}}");
	json_t *done =
		json_of("{'status':{'conditions':[{'type':'Succeeded','status':'True','reason':'TFJobSucceeded'}]}}");
	json_t *local = json_of("{'replicaStatuses':{'Worker':{'failed':3}}}"),
	       *base = json_of("{'replicaStatuses':{'Worker':{'failed':2}}}");
	json_t *remote = json_of("{'replicaStatuses':{'Worker':{'failed':2,'active':1}},'conditions':[]}");
	json_t *expect = json_of("{'replicaStatuses':{'Worker':{'failed':4,'active':1}},'conditions':[]}");
	const char *why;

	cr_expect_eq(sw_kind_tf.active(&sw_kind_tf, job), 3);
	sw_json_del(job, "status.replicaStatuses");
	cr_expect_eq(sw_kind_tf.active(&sw_kind_tf, job), 0);
	sw_kind_suspend(&sw_kind_tf, job, false);
	cr_expect_eq(sw_kind_tf.active(&sw_kind_tf, job), 1);
	cr_expect_eq(sw_kind_tf.outcome(&sw_kind_tf, done, &why), SW_SUCCEEDED);
	cr_expect_str_eq(why, "TFJobSucceeded");
	json_t *home = sw_kind_tf.status_home(&sw_kind_tf, local, remote, base);

	cr_expect(json_object_equal(home, expect), "%s", json_object_to_json_string(home));
	json_object_put(home);
	home = sw_kind_tf.status_home(&sw_kind_tf, sw_json_key(done, "status"), remote, NULL);
	cr_expect(json_object_equal(home, sw_json_key(done, "status")), "a finished status never changes");
	json_object_put(home);
	json_object_put(expect);
	json_object_put(remote);
	json_object_put(base);
	json_object_put(local);
	json_object_put(done);
	json_object_put(job);
}
