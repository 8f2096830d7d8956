/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_appwrapper.c - AppWrapper: pods inside wrapped objects
 *
 * What is counted follows the cases of appwrapper v1.2.2, pkg/utils/utils.go, InferPodSets.
 */
#include "kinds_test.h"

#define POD            "{'spec':{'containers':[{'name':'c','image':'i'}]}}"
#define JOB(more)      "{'apiVersion':'batch/v1','kind':'Job','spec':{" more "'template':" POD "}}"
#define ONE(component) "{'metadata':{'name':'Aw'},'spec':{'components':[" component "]}}"

static const struct sw_kind *const kind = &sw_kind_appwrapper;

static const struct {
	const char *job;
	size_t n;
	const char *names[3];
	int counts[3];
	const char *paths[3];
} podset_rows[] = {
	{ONE("{'template':" JOB("'parallelism':4,'completions':3,") "}"),
	 1,
	 {"aw-0"},
	 {3},
	 {"spec.components[0].template.spec.template"}},
	{ONE("{'template':{'apiVersion':'v1','kind':'Service','spec':{}}},{'template':" JOB(
		 "") "},{'template':{'apiVersion':'v1','kind':'Pod','spec':{'containers':[]}}}"),
	 2,
	 {"aw-0", "aw-1"},
	 {1, 1},
	 {"spec.components[1].template.spec.template", "spec.components[2].template"}},
	{ONE("{'template':{'apiVersion':'kubeflow.org/v1','kind':'PyTorchJob','spec':{'pytorchReplicaSpecs':{'Worker':"
	     "{'replicas':3,'template':{'spec':{'containers':[{'name':'pytorch'}]}}},"
	     "'Master':{'replicas':1,'template':{'spec':{'containers':[{'name':'pytorch'}]}}}}}}}"),
	 2,
	 {"aw-0", "aw-1"},
	 {1, 3},
	 {"spec.components[0].template.spec.pytorchReplicaSpecs.Master.template",
	  "spec.components[0].template.spec.pytorchReplicaSpecs.Worker.template"}},
	{ONE("{'template':{'apiVersion':'jobset.x-k8s.io/v1alpha2','kind':'JobSet','spec':{'replicatedJobs':[{'name':'"
	     "a','replicas':2,'template':{'spec':{'parallelism':2,'completions':2,'template':" POD "}}}]}}}"),
	 1,
	 {"aw-0"},
	 {4},
	 {"spec.components[0].template.spec.replicatedJobs[0].template.spec.template"}},
	{ONE("{'template':{'apiVersion':'ray.io/v1','kind':'RayJob','spec':{'rayClusterSpec':{'headGroupSpec':{"
	     "'template':" POD "},'workerGroupSpecs':[{'groupName':'g','replicas':2,'template':" POD "}]}}}}"),
	 2,
	 {"aw-0", "aw-1"},
	 {1, 2},
	 {"spec.components[0].template.spec.rayClusterSpec.headGroupSpec.template",
	  "spec.components[0].template.spec.rayClusterSpec.workerGroupSpecs[0].template"}},
	{ONE("{'template':{'apiVersion':'apps/v1','kind':'Deployment','spec':{'replicas':5,'template':" POD "}}}"),
	 1,
	 {"aw-0"},
	 {5},
	 {"spec.components[0].template.spec.template"}},
	{ONE("{'podSets':[{'path':'template.spec.parts[1].pod','replicas':7},{'path':'template'}],"
	     "'template':{'apiVersion':'x/v1','kind':'X','spec':{'parts':[0,{'pod':" POD "}]}}}"),
	 2,
	 {"aw-0", "aw-1"},
	 {7, 1},
	 {"spec.components[0].template.spec.parts[1].pod", "spec.components[0].template"}},
};

Test(appwrapper, pods_are_found_in_what_is_wrapped)
{
	for (size_t i = 0; i < sizeof(podset_rows) / sizeof(*podset_rows); i++) {
		json_t *o = json_of(podset_rows[i].job);
		struct sw_podset sets[SW_PODSETS_MAX];
		struct sw_err e = kind->check(kind, o);

		cr_expect(!sw_failed(e), "row %zu: %s", i, e.text);
		cr_assert_eq(kind->podsets(kind, o, sets), podset_rows[i].n, "row %zu", i);
		for (size_t s = 0; s < podset_rows[i].n; s++) {
			cr_expect_str_eq(sets[s].name, podset_rows[i].names[s]);
			cr_expect_eq(sets[s].count, podset_rows[i].counts[s], "row %zu: %d", i, sets[s].count);
			cr_expect_str_eq(sets[s].path, podset_rows[i].paths[s]);
			cr_expect(json_object_is_type(sets[s].template, json_type_object));
		}
		json_object_put(o);
	}
}

#define DECLARED(path)                                                                                                 \
	ONE("{'podSets':[{'path':" path "}],'template':{'apiVersion':'x/v1','kind':'X','spec':{'a':[" POD "]}}}")

static const struct {
	const char *job, *text;
} bad_rows[] = {
	{"{'spec':{}}", "spec.components: found nothing"},
	{"{'spec':{'components':[]}}", "spec.components: found nothing"},
	{ONE("7"), "spec.components[0]: template: found nothing"},
	{ONE("{'template':[]}"), "spec.components[0]: template: found nothing"},
	{ONE("{'template':{'apiVersion':'v1','kind':'Service'}}"), "found no pods"},
	{ONE("{'template':" JOB("'parallelism':'x',") "}"), "spec.components[0]: template: spec.parallelism"},
	{DECLARED("7"), "podSets[0]: path"},
	{DECLARED("''"), "podSets[0]: path"},
	{DECLARED("'spec.a[0]'"), "from \"template\" on"},
	{DECLARED("'template.spec.a'"), "podSets[0]: path"},
	{DECLARED("'template.spec.a[1]'"), "podSets[0]: path"},
	{DECLARED("'template.spec.a[-1]'"), "podSets[0]: path"},
	{DECLARED("'template.spec.a[0'"), "podSets[0]: path"},
	{DECLARED("'template.spec.a[]'"), "podSets[0]: path"},
	{DECLARED("'template.spec.a[18446744073709551616]'"), "podSets[0]: path"},
	{DECLARED("'template..spec'"), "podSets[0]: path"},
	{DECLARED("'template.'"), "podSets[0]: path"},
	{DECLARED("'templates'"), "podSets[0]: path"},
	{ONE("{'podSets':[{'path':'template.spec.a','replicas':-1}],'template':{'spec':{'a':{}}}}"),
	 "podSets[0]: replicas"},
	{"{'metadata':{'name':'a1234567890123456789012345678901234567890123456789012345678901234567890'},'spec':{"
	 "'components':[{'template':" JOB("") "}]}}",
	 "metadata.name"},
};

Test(appwrapper, what_cannot_be_counted_is_refused_with_its_path)
{
	for (size_t i = 0; i < sizeof(bad_rows) / sizeof(*bad_rows); i++) {
		json_t *o = json_of(bad_rows[i].job);
		struct sw_podset sets[SW_PODSETS_MAX];
		struct sw_err e = kind->check(kind, o);

		cr_expect_eq(e.code, SW_E_INVALID, "%s", bad_rows[i].job);
		cr_expect(strstr(e.text, bad_rows[i].text) != NULL, "%s: %s", bad_rows[i].job, e.text);
		cr_expect_lt(kind->podsets(kind, o, sets), SW_PODSETS_MAX);
		json_object_put(o);
	}
}

Test(appwrapper, more_pod_sets_than_a_workload_holds_are_refused)
{
	json_t *o = json_of("{'metadata':{'name':'a'},'spec':{}}"), *list = json_object_new_array();
	struct sw_podset sets[SW_PODSETS_MAX];

	for (int i = 0; i < 30; i++)
		json_object_array_add(list, json_of("{'template':" JOB("") "}"));
	sw_json_set(o, "spec.components", list);
	cr_expect_eq(kind->check(kind, o).code, SW_E_INVALID);
	cr_expect_eq(kind->podsets(kind, o, sets), SW_PODSETS_MAX);
	json_object_put(o);
}

static const struct {
	const char *suspend, *status;
	enum sw_outcome outcome;
	const char *why;
	int active;
} state_rows[] = {
	{"false", "{}", SW_UNFINISHED, "", 1},
	{"true", "{}", SW_UNFINISHED, "", 1},
	{"true", "{'phase':'Suspended'}", SW_UNFINISHED, "", 0},
	{"false", "{'phase':'Suspended'}", SW_UNFINISHED, "", 1},
	{"true", "{'phase':'Suspending'}", SW_UNFINISHED, "", 1},
	{"true", "{'phase':'Suspended','conditions':[{'type':'QuotaReserved','status':'True'}]}", SW_UNFINISHED, "", 1},
	{"true", "{'phase':'Suspended','conditions':[{'type':'ResourcesDeployed','status':'True'}]}", SW_UNFINISHED, "",
	 1},
	{"false", "{'phase':'Running'}", SW_UNFINISHED, "", 1},
	{"false", "{'phase':'Succeeded','conditions':[{'type':'ResourcesDeployed','status':'True'}]}", SW_SUCCEEDED,
	 "Succeeded", 0},
	{"false", "{'phase':'Failed','conditions':[{'type':'ResourcesDeployed','status':'True'}]}", SW_UNFINISHED, "",
	 1},
	{"false", "{'phase':'Failed','conditions':[{'type':'ResourcesDeployed','status':'False'}]}", SW_JOB_FAILED,
	 "Failed", 0},
	{"false", "{'phase':7,'conditions':{}}", SW_UNFINISHED, "", 1},
};

Test(appwrapper, outcome_and_active_follow_its_phase)
{
	for (size_t i = 0; i < sizeof(state_rows) / sizeof(*state_rows); i++) {
		json_t *o = json_object_new_object();
		const char *why = NULL;

		sw_kind_suspend(kind, o, strcmp(state_rows[i].suspend, "true") == 0);
		json_object_object_add(o, "status", json_of(state_rows[i].status));
		cr_expect_eq(kind->outcome(kind, o, &why), state_rows[i].outcome, "row %zu", i);
		cr_expect_str_eq(why, state_rows[i].why, "row %zu", i);
		cr_expect_eq(kind->active(kind, o), state_rows[i].active, "row %zu", i);
		json_object_put(o);
	}
}

Test(appwrapper, a_copy_keeps_its_own_templates_and_takes_what_a_translation_changes)
{
	const struct sw_copy_spec who = {.origin = "o", .workload_key = "ns/w", .owner_uid = "U", .attempt = 2};
	json_t *o = json_of(
		"{'apiVersion':'workload.codeflare.dev/v1beta2','kind':'AppWrapper','metadata':{'name':'aw'},"
		"'spec':{'managedBy':'kueue.x-k8s.io/multikueue','components':[{'podSetInfos':[{'nodeSelector':{"
		"'of':'manager'}}],'template':{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'in'},"
		"'spec':{'backoffLimit':3,'template':{'spec':{'volumes':[{'name':'v'}],'initContainers':[{'name':"
		"'first'}],'containers':[{'name':'c','env':[{'name':'E'}],"
		"'resources':{'limits':{'nvidia.com/gpu':'1'}}}]}}}}}]}}");
	json_t *sets = json_of(
		       "[{'name':'aw-0','count':1,'template':{'metadata':{'labels':{'l':'m'}},'spec':{"
		       "'terminationGracePeriodSeconds':30,'nodeSelector':{'gpu':'x'},'tolerations':[{'key':'k'}],"
		       "'containers':[{'name':'c','terminationMessagePath':'/dev/x','resources':{'limits':{"
		       "'amd.com/gpu':'1'}}}]}}}]"),
	       *full = NULL;
	struct sw_err e = sw_kind_with_podsets(kind, o, sets, &full);

	cr_assert(!sw_failed(e), "%s", e.text);
	json_t *copy = sw_kind_copy(kind, full, &who), *one = sw_json_idx(sw_json_at(copy, "spec.components"), 0),
	       *pod = sw_json_at(one, "template.spec.template"),
	       *c = sw_json_idx(sw_json_at(pod, "spec.containers"), 0);

	cr_expect_null(sw_json_at(copy, "spec.managedBy"));
	cr_expect(sw_kind_suspended(kind, copy));
	cr_expect_null(sw_json_key(one, "podSetInfos"));
	cr_expect_eq(sw_json_int(one, "template.spec.backoffLimit", 0), 3);
	cr_expect_eq(sw_json_len(sw_json_at(pod, "spec.volumes")), 1);
	cr_expect_eq(sw_json_len(sw_json_key(c, "env")), 1);
	cr_expect_null(sw_json_key(c, "terminationMessagePath"), "defaults of Kueue's are its own");
	cr_expect_null(sw_json_at(pod, "spec.terminationGracePeriodSeconds"));
	cr_expect(json_object_equal(
		sw_json_at(c, "resources.limits"),
		sw_json_at(sw_json_idx(sw_json_at(sw_json_idx(sets, 0), "template.spec.containers"), 0),
			   "resources.limits")));
	cr_expect_str_eq(sw_json_str(pod, "spec.nodeSelector.gpu"), "x");
	cr_expect_eq(sw_json_len(sw_json_at(pod, "spec.tolerations")), 1);
	cr_expect_str_eq(sw_json_label(pod, "l"), "m");
	cr_expect_str_eq(sw_json_label(pod, SW_LABEL_WORKLOAD), "w");
	cr_expect_str_eq(sw_json_annotation(pod, SW_ANN_ATTEMPT), "2");
	json_object_put(copy);
	json_object_put(full);
	json_object_put(sets);
	json_object_put(o);
}
