/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds_test.h"

Test(kinds_table, a_kind_is_found_by_what_users_type)
{
	static const struct {
		const char *word, *resource;
	} rows[] = {
		{"job", "jobs.batch"},
		{"jobs", "jobs.batch"},
		{"Job", "jobs.batch"},
		{"jobs.batch", "jobs.batch"},
		{"PyTorchJob", "pytorchjobs.kubeflow.org"},
		{"pytorchjobs", "pytorchjobs.kubeflow.org"},
		{"tfjob", "tfjobs.kubeflow.org"},
		{"mpijobs.kubeflow.org", "mpijobs.kubeflow.org"},
		{"mpijobs.v2beta1.kubeflow.org", "mpijobs.v2beta1.kubeflow.org"},
		{"jobset", "jobsets.jobset.x-k8s.io"},
		{"trainjobs", "trainjobs.trainer.kubeflow.org"},
		{"RayJob", "rayjobs.ray.io"},
		{"raycluster", "rayclusters.ray.io"},
		{"AppWrapper", "appwrappers.workload.codeflare.dev"},
		{"JAXJOB", "jaxjobs.kubeflow.org"},
		{"paddlejob", "paddlejobs.kubeflow.org"},
		{"xgboostjob", "xgboostjobs.kubeflow.org"},
		{"", NULL},
		{"pod", NULL},
		{"jobs.", NULL},
		{"job ", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct sw_kind *k = sw_kind_named(rows[i].word);

		cr_expect_eq(k == NULL, rows[i].resource == NULL, "%s", rows[i].word);
		if (k && rows[i].resource)
			cr_expect_str_eq(k->resource, rows[i].resource, "%s", rows[i].word);
	}
}

Test(kinds_table, a_kind_is_found_by_api_version_and_kind_only_when_both_fit)
{
	static const struct {
		const char *object, *resource;
	} rows[] = {
		{"{'apiVersion':'batch/v1','kind':'Job'}", "jobs.batch"},
		{"{'apiVersion':'kubeflow.org/v1','kind':'XGBoostJob'}", "xgboostjobs.kubeflow.org"},
		{"{'apiVersion':'kubeflow.org/v2beta1','kind':'MPIJob'}", "mpijobs.v2beta1.kubeflow.org"},
		{"{'apiVersion':'kubeflow.org/v1','kind':'MPIJob'}", "mpijobs.kubeflow.org"},
		{"{'apiVersion':'kubeflow.org/v1alpha2','kind':'MPIJob'}", NULL},
		{"{'apiVersion':'jobset.x-k8s.io/v1alpha2','kind':'JobSet'}", "jobsets.jobset.x-k8s.io"},
		{"{'apiVersion':'trainer.kubeflow.org/v1alpha1','kind':'TrainJob'}", "trainjobs.trainer.kubeflow.org"},
		{"{'apiVersion':'ray.io/v1','kind':'RayJob'}", "rayjobs.ray.io"},
		{"{'apiVersion':'ray.io/v1','kind':'RayCluster'}", "rayclusters.ray.io"},
		{"{'apiVersion':'ray.io/v1alpha1','kind':'RayJob'}", NULL},
		{"{'apiVersion':'batch/v1beta1','kind':'Job'}", NULL},
		{"{'apiVersion':'batch','kind':'Job'}", NULL},
		{"{'apiVersion':'batch/v1'}", NULL},
		{"{'kind':'Job'}", NULL},
		{"{'apiVersion':1,'kind':[]}", NULL},
		{"{}", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = json_of(rows[i].object);
		const struct sw_kind *k = sw_kind_of(o);

		cr_expect_eq(k == NULL, rows[i].resource == NULL, "%s", rows[i].object);
		if (k && rows[i].resource)
			cr_expect_str_eq(k->resource, rows[i].resource);
		json_object_put(o);
	}
}

Test(kinds_table, every_row_is_complete_and_finds_itself)
{
	size_t n = 0;

	for (const struct sw_kind *k; (k = sw_kind_at(n)); n++) {
		cr_expect(k->podsets && k->check && k->outcome && k->active && k->idle && k->prepare && k->status_home,
			  "%s", k->kind);
		cr_expect_eq(sw_kind_find(k->resource), k);
		cr_expect_eq(sw_kind_named(k->resource), k);
		cr_expect(k->suspend_path && k->managed_by_path);
	}
	cr_expect_eq(n, 13);
}

Test(kinds_table, suspend_managed_by_and_ttl_are_siblings)
{
	json_t *o = json_of("{'spec':{'runPolicy':{'managedBy':'x','ttlSecondsAfterFinished':7}}}");
	json_t *job = json_of("{'spec':{}}");

	cr_expect_str_eq(sw_kind_managed_by(&sw_kind_tf, o), "x");
	cr_expect_eq(sw_kind_ttl_s(&sw_kind_tf, o), 7);
	cr_expect_eq(sw_kind_ttl_s(&sw_kind_job, job), -1);
	cr_expect_null(sw_kind_managed_by(&sw_kind_job, job));
	cr_expect(!sw_kind_suspended(&sw_kind_tf, o));
	sw_kind_suspend(&sw_kind_tf, o, true);
	cr_expect(sw_kind_suspended(&sw_kind_tf, o));
	cr_expect(sw_json_bool(o, "spec.runPolicy.suspend"));
	json_object_put(o);
	json_object_put(job);
}

Test(kinds_table, a_workload_name_that_is_no_label_becomes_a_hash_that_is)
{
	char a[64], b[64], long_name[254];

	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[253] = '\0';
	cr_expect_str_eq(sw_workload_label("job-pi-12345", a), "job-pi-12345");
	sw_workload_label(long_name, a);
	cr_expect(sw_is_label_value(a) && strlen(a) <= 63);
	long_name[252] = 'b';
	cr_expect_str_neq(sw_workload_label(long_name, b), a);
}
