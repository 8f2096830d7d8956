/* SPDX-License-Identifier: Apache-2.0 */
/* test_ssa.c - server-side apply: merging, ownership, conflicts, what is dropped */
#include "pure.h"
#include "spillway/patch.h"
#include "../../../gateway/api/ssa_priv.h"

static const int64_t NOW = 1795451103000;

struct world {
	struct sw_schema *s;
	const struct sw_resource *r;
	json_t *live;
};

/* Applies and keeps the result as the live object; gives the refusal. */
static json_t *apply(struct world *w, const char *manager, const char *sub, bool force, const char *doc)
{
	struct sw_patch_request req = {.r = w->r,
				       .sub = sub,
				       .type = SW_PATCH_APPLY,
				       .patch = json_of(doc),
				       .fields = SW_FIELDS_STRICT,
				       .manager = manager,
				       .force = force,
				       .now_ms = NOW};
	json_t *out = NULL, *no = sw_patch(w->s, &req, w->live, &out);

	cr_expect((no == NULL) == (out != NULL));
	if (out) {
		json_object_put(w->live);
		w->live = out;
	}
	json_object_put(req.patch);
	return no;
}

/* An ordinary write by this manager. */
static void write_as(struct world *w, const char *manager, const char *path, json_t *value_taken)
{
	json_t *fresh = sw_json_copy(w->live);

	if (value_taken)
		sw_json_set(fresh, path, value_taken);
	else
		sw_json_del(fresh, path);
	sw_managed_update(w->s, w->r, NULL, manager, fresh, w->live, NOW);
	json_object_put(w->live);
	w->live = fresh;
}

static void world_init(struct world *w, const char *id, const char *live)
{
	w->s = schema_or_die();
	w->r = sw_resource_by_id(id);
	w->live = live ? json_of(live) : NULL;
}

static void world_fini(struct world *w)
{
	json_object_put(w->live);
	sw_schema_free(w->s);
	no_leaks();
}

static void live_is(const struct world *w, const char *what, const char *path, const char *expected)
{
	same_json(what, json_object_get(path ? sw_json_at(w->live, path) : w->live),
		  expected ? json_of(expected) : NULL);
}

static json_t *fields_of_manager(const struct world *w, const char *manager)
{
	json_t *list = sw_json_at(w->live, "metadata.managedFields");

	for (size_t i = 0; i < sw_json_len(list); i++)
		if (strcmp(sw_json_str(sw_json_idx(list, i), "manager"), manager) == 0)
			return json_object_get(sw_json_key(sw_json_idx(list, i), "fieldsV1"));
	return NULL;
}

#define JOB(spec)       "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'j'},'spec':{" spec "}}"
#define POD(containers) "'template':{'spec':{'containers':[" containers "]}}"

Test(ssa, an_object_that_is_absent_is_made)
{
	struct world w;

	world_init(&w, "configmaps", NULL);
	refused("create",
		apply(&w, "me", NULL, false,
		      "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'c','labels':{'a':'b'}},'data':{'k':'v'"
		      "}}"),
		0, NULL);
	live_is(&w, "object", NULL,
		"{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'c','labels':{'a':'b'},'managedFields':["
		"{'apiVersion':'v1','manager':'me','operation':'Apply','fieldsType':'FieldsV1','time':'2026-11-23T16:"
		"25:03Z',"
		"'fieldsV1':{'f:metadata':{'f:labels':{'f:a':{}}},'f:data':{'f:k':{}}}}]},'data':{'k':'v'}}");
	world_fini(&w);
}

Test(ssa, the_same_apply_twice_changes_nothing)
{
	struct world w;
	json_t *before;

	world_init(&w, "jobs.batch", NULL);
	refused("first",
		apply(&w, "me", NULL, false,
		      JOB("'suspend':true," POD("{'name':'c','image':'i','ports':[{'containerPort':80}]}"))),
		0, NULL);
	before = sw_json_copy(w.live);
	refused("second",
		apply(&w, "me", NULL, false,
		      JOB("'suspend':true," POD("{'name':'c','image':'i','ports':[{'containerPort':80}]}"))),
		0, NULL);
	same_json("object", json_object_get(w.live), before);
	world_fini(&w);
}

Test(ssa, keyed_lists_merge_item_by_item)
{
	struct world w;

	world_init(&w, "jobs.batch",
		   JOB(POD("{'name':'side','image':'s'},{'name':'c','image':'old','imagePullPolicy':'Always'}")));
	refused("apply", apply(&w, "me", NULL, true, JOB(POD("{'name':'c','image':'new'},{'name':'x','image':'x'}"))),
		0, NULL);
	live_is(&w, "containers", "spec.template.spec.containers",
		"[{'name':'side','image':'s'},{'name':'c','image':'new','imagePullPolicy':'Always'},{'name':'x','image'"
		":'x'}]");
	same_json("fields", fields_of_manager(&w, "me"),
		  json_of("{'f:spec':{'f:template':{'f:spec':{'f:containers':{"
			  "'k:{\\\"name\\\":\\\"c\\\"}':{'.':{},'f:name':{},'f:image':{}},'k:{\\\"name\\\":\\\"x\\\"}':"
			  "{'.':{},'f:name':{},'f:image':{}}}}}}}"));
	world_fini(&w);
}

Test(ssa, ports_are_known_by_number_and_protocol_even_unsaid)
{
	struct world w;

	world_init(&w, "jobs.batch",
		   JOB(POD("{'name':'c','image':'i','ports':[{'containerPort':80,'protocol':'TCP'},{'containerPort':80,"
			   "'protocol':'UDP'}]}")));
	refused("apply",
		apply(&w, "me", NULL, false, JOB(POD("{'name':'c','ports':[{'containerPort':80,'name':'web'}]}"))), 0,
		NULL);
	live_is(&w, "containers", "spec.template.spec.containers",
		"[{'name':'c','image':'i','ports':[{'containerPort':80,'protocol':'TCP','name':'web'},"
		"{'containerPort':80,'protocol':'UDP'}]}]");
	world_fini(&w);
}

Test(ssa, what_is_no_longer_applied_goes)
{
	struct world w;

	world_init(&w, "jobs.batch", NULL);
	refused("first",
		apply(&w, "me", NULL, false,
		      "{'apiVersion':'batch/"
		      "v1','kind':'Job','metadata':{'name':'j','labels':{'a':'b','c':'d'},'annotations':{'x':'y'}},'"
		      "spec':{'suspend':true,"
		      "'parallelism':2,'template':{'spec':{'nodeSelector':{'n':'s'},'containers':[{'name':'c','image':'"
		      "i','env':[{'name':'A','value':'1'}]},"
		      "{'name':'side','image':'s'}]}}}}"),
		0, NULL);
	write_as(&w, "other", "spec.completions", json_object_new_int(3)); /* unowned by us: stays */
	refused("second",
		apply(&w, "me", NULL, false,
		      "{'apiVersion':'batch/"
		      "v1','kind':'Job','metadata':{'name':'j','labels':{'a':'b'}},'spec':{'parallelism':2,"
		      "'template':{'spec':{'containers':[{'name':'c','image':'i'}]}}}}"),
		0, NULL);
	live_is(&w, "spec", "spec",
		"{'parallelism':2,'completions':3,'template':{'spec':{'containers':[{'name':'c','image':'i'}]}}}");
	live_is(&w, "labels", "metadata.labels", "{'a':'b'}");
	live_is(&w, "annotations", "metadata.annotations", NULL);
	world_fini(&w);
}

Test(ssa, what_another_manager_owns_too_stays)
{
	struct world w;

	world_init(&w, "configmaps", NULL);
	refused("a", apply(&w, "a", NULL, false, "{'metadata':{'name':'c'},'data':{'k':'v','x':'y'}}"), 0, NULL);
	refused("b", apply(&w, "b", NULL, false, "{'metadata':{'name':'c'},'data':{'k':'v'}}"), 0, NULL);
	refused("a lets go", apply(&w, "a", NULL, false, "{'metadata':{'name':'c'}}"), 0, NULL);
	live_is(&w, "data", "data", "{'k':'v'}");
	same_json("a owns nothing", fields_of_manager(&w, "a"), NULL);
	refused("b lets go", apply(&w, "b", NULL, false, "{'metadata':{'name':'c'}}"), 0, NULL);
	live_is(&w, "data", "data", NULL);
	world_fini(&w);
}

Test(ssa, another_value_for_anothers_field_is_a_conflict_unless_forced)
{
	struct world w;
	json_t *no, *causes;

	world_init(&w, "jobs.batch", NULL);
	refused("kueue", apply(&w, "kueue", NULL, false, JOB("'suspend':true," POD("{'name':'c','image':'i'}"))), 0,
		NULL);
	refused("the same value is none", apply(&w, "me", NULL, false, JOB("'suspend':true")), 0, NULL);
	no = apply(&w, "me", NULL, false, JOB("'suspend':false"));
	cr_assert_not_null(no);
	cr_expect_str_eq(sw_status_message(no),
			 "Apply failed with 1 conflict: conflict with \"kueue\" using batch/v1: .spec.suspend");
	cr_expect_str_eq(sw_json_str(no, "reason"), "Conflict");
	causes = sw_json_at(no, "details.causes");
	cr_expect_str_eq(sw_json_str(sw_json_idx(causes, 0), "reason"), "FieldManagerConflict");
	cr_expect_str_eq(sw_json_str(sw_json_idx(causes, 0), "field"), ".spec.suspend");
	json_object_put(no);
	live_is(&w, "untouched", "spec.suspend", "true");
	refused("forced", apply(&w, "me", NULL, true, JOB("'suspend':false")), 0, NULL);
	live_is(&w, "changed", "spec.suspend", "false");
	refused("now the other way round",
		apply(&w, "kueue", NULL, false, JOB("'suspend':true," POD("{'name':'c','image':'i'}"))), 409,
		"conflict with \"me\" using batch/v1: .spec.suspend");
	refused("two at once", apply(&w, "me", NULL, false, JOB("'suspend':true," POD("{'name':'c','image':'new'}"))),
		409, ".spec.template.spec.containers[name=\"c\"].image");
	world_fini(&w);
}

Test(ssa, the_first_apply_meets_what_was_there_before)
{
	struct world w;

	world_init(&w, "jobs.batch", JOB("'suspend':true"));
	refused("same value", apply(&w, "me", NULL, false, JOB("'suspend':true")), 0, NULL);
	refused("another value", apply(&w, "me", NULL, false, JOB("'suspend':false")), 409,
		"conflict with \"before-first-apply\" using batch/v1");
	world_fini(&w);
	world_init(&w, "jobs.batch",
		   "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'j','annotations':"
		   "{'kubectl.kubernetes.io/last-applied-configuration':'{}'}},'spec':{'suspend':true}}");
	refused("after kubectl apply", apply(&w, "kubectl", NULL, false, JOB("'suspend':false")), 409,
		"conflict with \"kubectl-client-side-apply\" using");
	world_fini(&w);
}

Test(ssa, ordinary_writes_take_and_lose_fields)
{
	struct world w;

	world_init(&w, "configmaps", NULL);
	refused("a", apply(&w, "a", NULL, false, "{'metadata':{'name':'c'},'data':{'k':'v','x':'y'}}"), 0, NULL);
	write_as(&w, "editor", "data.k", json_object_new_string("changed"));
	same_json("a", fields_of_manager(&w, "a"), json_of("{'f:data':{'f:x':{}}}"));
	same_json("editor", fields_of_manager(&w, "editor"), json_of("{'f:data':{'f:k':{}}}"));
	refused("conflict", apply(&w, "a", NULL, false, "{'metadata':{'name':'c'},'data':{'k':'v','x':'y'}}"), 409,
		"conflict with \"editor\" using v1");
	write_as(&w, "editor", "data.k", NULL);
	same_json("editor owns nothing", fields_of_manager(&w, "editor"), NULL);
	refused("no conflict now", apply(&w, "a", NULL, false, "{'metadata':{'name':'c'},'data':{'k':'v','x':'y'}}"), 0,
		NULL);
	world_fini(&w);
}

Test(ssa, objects_that_nobody_applied_are_not_tracked)
{
	struct world w;

	world_init(&w, "configmaps", "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'c'},'data':{'a':'b'}}");
	write_as(&w, "kubectl-edit", "data.a", json_object_new_string("c"));
	live_is(&w, "none", "metadata.managedFields", NULL);
	write_as(&w, "liar", "metadata.managedFields", json_of("[{'manager':7}]"));
	live_is(&w, "nonsense is not taken", "metadata.managedFields", NULL);
	world_fini(&w);
}

Test(ssa, managed_fields_can_be_rewritten_and_reset)
{
	struct world w;

	world_init(&w, "configmaps", NULL);
	refused("a", apply(&w, "a", NULL, false, "{'metadata':{'name':'c'},'data':{'k':'v'}}"), 0, NULL);
	write_as(&w, "kubectl", "metadata.managedFields",
		 json_of("[{'apiVersion':'v1','manager':'b','operation':'Apply','fieldsType':'FieldsV1','fieldsV1':{'f:"
			 "data':{'f:k':{}}}}]"));
	same_json("b", fields_of_manager(&w, "b"), json_of("{'f:data':{'f:k':{}}}"));
	same_json("a", fields_of_manager(&w, "a"), NULL);
	write_as(&w, "kubectl", "metadata.managedFields", json_of("[{'manager':'broken'}]"));
	same_json("b stays", fields_of_manager(&w, "b"), json_of("{'f:data':{'f:k':{}}}"));
	write_as(&w, "kubectl", "metadata.managedFields", json_of("[{}]"));
	live_is(&w, "reset", "metadata.managedFields", NULL);
	world_fini(&w);
}

Test(ssa, status_is_applied_through_its_subresource_alone)
{
	struct world w;

	world_init(&w, "workloads.kueue.x-k8s.io",
		   "{'kind':'Workload','apiVersion':'kueue.x-k8s.io/"
		   "v1beta2','metadata':{'name':'w'},'spec':{'queueName':'q'}}");
	refused("kueue",
		apply(&w, "kueue-admission", "status", true,
		      "{'kind':'Workload','apiVersion':'kueue.x-k8s.io/"
		      "v1beta2','metadata':{'name':'w'},'spec':{'queueName':'other'},"
		      "'status':{'clusterName':'east','conditions':[{'type':'Admitted','status':'True','reason':'"
		      "Admitted','message':'','lastTransitionTime':'2026-11-23T16:25:03Z'}]}}"),
		0, NULL);
	live_is(&w, "spec", "spec.queueName", "'q'");
	live_is(&w, "status", "status.clusterName", "'east'");
	refused("dropped",
		apply(&w, "kueue-admission", "status", true,
		      "{'kind':'Workload','apiVersion':'kueue.x-k8s.io/"
		      "v1beta2','metadata':{'name':'w'},'status':{'nominatedClusterNames':['a']}}"),
		0, NULL);
	live_is(&w, "status", "status", "{'nominatedClusterNames':['a']}");
	refused("the main door leaves status alone",
		apply(&w, "me", NULL, true,
		      "{'kind':'Workload','apiVersion':'kueue.x-k8s.io/"
		      "v1beta2','metadata':{'name':'w'},'spec':{'queueName':'z'},'status':{'clusterName':'x'}}"),
		0, NULL);
	live_is(&w, "status", "status", "{'nominatedClusterNames':['a']}");
	live_is(&w, "spec", "spec.queueName", "'z'");
	world_fini(&w);
}

Test(ssa, what_apply_refuses)
{
	struct world w;

	world_init(&w, "configmaps", NULL);
	refused("no manager", apply(&w, NULL, NULL, false, "{'metadata':{'name':'c'}}"), 400,
		"fieldManager: Required value");
	refused("managedFields in the document",
		apply(&w, "m", NULL, false, "{'metadata':{'name':'c','managedFields':[{'manager':'x'}]}}"), 400,
		"metadata.managedFields must be nil");
	refused("unknown field", apply(&w, "m", NULL, false, "{'metadata':{'name':'c'},'foo':1}"), 400,
		"unknown field \"foo\"");
	refused("wrong type", apply(&w, "m", NULL, false, "{'metadata':{'name':'c'},'data':[]}"), 400,
		"cannot unmarshal array");
	refused("a key twice",
		apply(&w, "m", NULL, false,
		      "{'metadata':{'name':'c','ownerReferences':[{'uid':'u','name':'a'},{'uid':'u','name':'b'}]}}"),
		400, "duplicate entries for key {\"uid\":\"u\"}");
	refused("no object", apply(&w, "m", NULL, false, "[]"), 400, "expected an object");
	world_fini(&w);
}

Test(ssa, hostile_managed_fields_do_no_harm)
{
	static const char *const lists[] = {
		"[{'manager':'m','operation':'Apply','apiVersion':'v1','fieldsV1':{'f:data':7}}]",
		"[{'manager':'m','operation':'Apply','apiVersion':'v1','fieldsV1':{'f:data':{'.':{},'.':{}}}}]",
		"[{'manager':'m','operation':'Apply','apiVersion':'v1','fieldsV1':{'k:{not json':{},'':{},'x':{}}}]",
		("[{'manager':'other','operation':'Update','apiVersion':'v1',"
		 "'fieldsV1':{'f:data':{'f:k':{'f:deeper':{}}}}}]"),
		"[null]",
		"[[]]",
		"{}",
		"'x'",
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct world w;

		world_init(&w, "configmaps",
			   "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'c'},'data':{'k':'v'}}");
		sw_json_set(w.live, "metadata.managedFields", json_of(lists[i]));
		json_object_put(apply(&w, "m", NULL, true, "{'metadata':{'name':'c'},'data':{'k':'w'}}"));
		live_is(&w, lists[i], "data.k", "'w'");
		write_as(&w, "n", "data.k", json_object_new_string("x"));
		world_fini(&w);
	}
}

Test(ssa, sets)
{
	static const struct {
		const char *a, *b, *both, *minus, *join;
	} rows[] = {
		{"{'f:a':{}}", "{'f:b':{}}", "{}", "{'f:a':{}}", "{'f:a':{},'f:b':{}}"},
		{"{'f:a':{},'f:b':{}}", "{'f:b':{}}", "{'f:b':{}}", "{'f:a':{}}", "{'f:a':{},'f:b':{}}"},
		{"{'f:a':{'.':{},'f:x':{}}}", "{'f:a':{'f:x':{}}}", "{'f:a':{'f:x':{}}}", "{'f:a':{}}",
		 "{'f:a':{'.':{},'f:x':{}}}"},
		{"{'f:a':{'f:x':{}}}", "{'f:a':{}}", "{}", "{'f:a':{'f:x':{}}}", "{'f:a':{'.':{},'f:x':{}}}"},
		{"{'f:a':{'f:x':{},'f:y':{}}}", "{'f:a':{'f:x':{},'f:y':{}}}", "{'f:a':{'f:x':{},'f:y':{}}}", "{}",
		 "{'f:a':{'f:x':{},'f:y':{}}}"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *a = json_of(rows[i].a), *b = json_of(rows[i].b), *join = sw_json_copy(a);

		same_json("both", set_common(a, b), json_of(rows[i].both));
		set_union(join, b);
		same_json("union", join, json_of(rows[i].join));
		set_minus(a, b);
		same_json("minus", a, json_of(rows[i].minus));
		json_object_put(b);
	}
	no_leaks();
}
