/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds_test.h"

#define T(image) "{'spec':{'containers':[{'name':'c','image':'" image "'}]}}"

Test(kinds_fill, templates_come_from_the_workload_by_the_name_of_the_set)
{
	json_t *job =
		json_of("{'apiVersion':'kubeflow.org/v1','kind':'PyTorchJob','spec':{'pytorchReplicaSpecs':{"
			"'Worker':{'replicas':3,'template':{'spec':{'nodeSelector':{'flavor':'manager'}},'old':1}},"
			"'Master':{'restartPolicy':'Never','template':" T("old") "}}}}");
	json_t *sets = json_of(
		"[{'name':'master','count':1,'template':" T("m") "},"
								 "{'name':'worker','count':3,'template':" T("w") "}]");
	json_t *expect = json_of("{'apiVersion':'kubeflow.org/v1','kind':'PyTorchJob','spec':{'pytorchReplicaSpecs':{"
				 "'Worker':{'replicas':3,'template':" T(
					 "w") "},"
					      "'Master':{'restartPolicy':'Never','template':" T("m") "}}}}");
	json_t *before = sw_json_copy(sets);
	struct sw_err e = sw_kind_fill(&sw_kind_pytorch, job, sets);

	cr_expect(!sw_failed(e), "%s", e.text);
	cr_expect(json_object_equal(job, expect), "%s", json_object_to_json_string(job));
	sw_json_set_str(job, "spec.pytorchReplicaSpecs.Master.template.spec.hostname", "x");
	cr_expect(json_object_equal(sets, before), "the Workload is not shared with the copy");
	json_object_put(before);
	json_object_put(expect);
	json_object_put(sets);
	json_object_put(job);
}

Test(kinds_fill, sets_that_do_not_fit_are_refused_by_name)
{
	static const char job[] =
		"{'spec':{'pytorchReplicaSpecs':{'Master':{'template':{}},'Worker':{'template':{}}}}}";
	static const char odd[] = "{'spec':{'pytorchReplicaSpecs':{'Master':{'template':[]},'Worker':{}}}}";
	static const struct {
		const char *job, *sets, *text;
	} rows[] = {
		{job, "[]", "spec.podSets: found nothing"},
		{job, "{}", "spec.podSets: found nothing"},
		{job, "null", "spec.podSets: found nothing"},
		{job, "[{'name':'master','template':{}}]", "found no set \"worker\""},
		{job, "[{'name':'master','template':{}},{'name':'launcher','template':{}}]",
		 "spec.podSets[1] \"launcher\""},
		{job, "[{'name':'master','template':{}},{'name':'master','template':{}}]",
		 "spec.podSets[1] \"master\""},
		{job, "[{'name':'','template':{}}]", "spec.podSets[0] \"\""},
		{job, "[{'template':{}}]", "spec.podSets[0] \"\""},
		{job, "[{'name':5,'template':{}}]", "spec.podSets[0] \"\""},
		{job, "['master']", "spec.podSets[0] \"\""},
		{job, "[{'name':'master'}]", "spec.podSets[0].template"},
		{job, "[{'name':'master','template':[]}]", "spec.podSets[0].template"},
		{odd, "[{'name':'master','template':{}}]", "spec.pytorchReplicaSpecs.Master.template: expected"},
		{odd, "[{'name':'worker','template':{}}]", "spec.pytorchReplicaSpecs.Worker.template: expected"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = json_of(rows[i].job), *sets = json_of(rows[i].sets);
		struct sw_err e = sw_kind_fill(&sw_kind_pytorch, o, sets);

		cr_expect_eq(e.code, SW_E_INVALID, "%s", rows[i].sets);
		cr_expect(strstr(e.text, rows[i].text) != NULL, "%s: %s", rows[i].sets, e.text);
		json_object_put(sets);
		json_object_put(o);
	}
}

Test(kinds_fill, a_copy_made_from_the_workload_has_its_identity_and_no_labels_of_the_managers_controller)
{
	json_t *job = json_of("{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'pi','namespace':'ns'},'spec':{"
			      "'template':{'spec':{'nodeSelector':{'flavor':'manager'}}}}}");
	json_t *sets =
		json_of("[{'name':'main','count':1,'template':{'metadata':{'labels':{'controller-uid':'U','a':'b'}},"
			"'spec':{'containers':[{'name':'c'}]}}}]");
	json_t *other = json_of("[{'name':'worker','template':{}}]");
	struct sw_copy_spec spec = {
		.origin = "o", .workload_key = "ns/w", .owner_uid = "U", .attempt = 2, .podsets = sets};
	json_t *copy = sw_kind_copy(&sw_kind_job, job, &spec), *template = sw_json_at(copy, "spec.template");

	cr_expect_null(sw_json_at(template, "spec.nodeSelector"));
	cr_expect_str_eq(sw_json_label(template, "a"), "b");
	cr_expect_null(sw_json_label(template, "controller-uid"));
	cr_expect_str_eq(sw_json_annotation(template, SW_ANN_ATTEMPT), "2");
	spec.podsets = other;
	cr_expect_null(sw_kind_copy(&sw_kind_job, job, &spec), "sets of another job give no copy");
	json_object_put(other);
	json_object_put(copy);
	json_object_put(sets);
	json_object_put(job);
}
