/* SPDX-License-Identifier: Apache-2.0 */
/* test_patch.c - merge, JSON and strategic merge patches */
#include "pure.h"
#include "spillway/patch.h"
#include "../../../gateway/api/patch_priv.h"

/* Rows of RFC 7396, appendix A. */
Test(patch, merge_follows_the_rfc)
{
	static const char *const rows[][3] = {
		{"{'a':'b'}", "{'a':'c'}", "{'a':'c'}"},
		{"{'a':'b'}", "{'b':'c'}", "{'a':'b','b':'c'}"},
		{"{'a':'b'}", "{'a':null}", "{}"},
		{"{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}"},
		{"{'a':['b']}", "{'a':'c'}", "{'a':'c'}"},
		{"{'a':'c'}", "{'a':['b']}", "{'a':['b']}"},
		{"{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}"},
		{"{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}"},
		{"['a','b']", "['c','d']", "['c','d']"},
		{"{'a':'b'}", "['c']", "['c']"},
		{"{'e':null}", "{'a':1}", "{'e':null,'a':1}"},
		{"[1,2]", "{'a':'b','c':null}", "{'a':'b'}"},
		{"{}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *o = json_of(rows[i][0]), *p = json_of(rows[i][1]);

		sw_merge_patch(&o, p);
		json_object_put(p);
		same_json(rows[i][1], o, json_of(rows[i][2]));
	}
	no_leaks();
}

/* what, document, operations, result or NULL, code and words of the refusal */
struct json_row {
	const char *what, *doc, *ops, *out;
	int code;
	const char *words;
};
static const struct json_row json_rows[] = {
	{"add a member", "{'foo':'bar'}", "[{'op':'add','path':'/baz','value':'qux'}]", "{'foo':'bar','baz':'qux'}", 0,
	 0},
	{"add inside an array", "{'foo':['bar','baz']}", "[{'op':'add','path':'/foo/1','value':'qux'}]",
	 "{'foo':['bar','qux','baz']}", 0, 0},
	{"add at the front", "{'a':[1,2]}", "[{'op':'add','path':'/a/0','value':0}]", "{'a':[0,1,2]}", 0, 0},
	{"add at the end", "{'a':[1]}", "[{'op':'add','path':'/a/-','value':[2]}]", "{'a':[1,[2]]}", 0, 0},
	{"add a null", "{}", "[{'op':'add','path':'/a','value':null}]", "{'a':null}", 0, 0},
	{"add replaces", "{'a':1}", "[{'op':'add','path':'/a','value':2}]", "{'a':2}", 0, 0},
	{"add the whole document", "{'a':1}", "[{'op':'add','path':'','value':{'b':2}}]", "{'b':2}", 0, 0},
	{"remove a member", "{'baz':'qux','foo':'bar'}", "[{'op':'remove','path':'/baz'}]", "{'foo':'bar'}", 0, 0},
	{"remove from an array", "{'foo':['bar','qux','baz']}", "[{'op':'remove','path':'/foo/1'}]",
	 "{'foo':['bar','baz']}", 0, 0},
	{"replace", "{'baz':'qux'}", "[{'op':'replace','path':'/baz','value':'boo'}]", "{'baz':'boo'}", 0, 0},
	{"replace in an array", "{'a':[1,2]}", "[{'op':'replace','path':'/a/1','value':3}]", "{'a':[1,3]}", 0, 0},
	{"move", "{'foo':{'bar':'baz','w':'f'},'q':{'c':'g'}}", "[{'op':'move','from':'/foo/w','path':'/q/t'}]",
	 "{'foo':{'bar':'baz'},'q':{'c':'g','t':'f'}}", 0, 0},
	{"move in an array", "{'a':[0,1,2,3]}", "[{'op':'move','from':'/a/1','path':'/a/3'}]", "{'a':[0,2,3,1]}", 0, 0},
	{"move to itself", "{'a':1}", "[{'op':'move','from':'/a','path':'/a'}]", "{'a':1}", 0, 0},
	{"copy", "{'a':{'b':1}}", "[{'op':'copy','from':'/a','path':'/c'}]", "{'a':{'b':1},'c':{'b':1}}", 0, 0},
	{"test holds", "{'a':{'x':1,'y':[2]}}", "[{'op':'test','path':'/a','value':{'y':[2],'x':1}}]",
	 "{'a':{'x':1,'y':[2]}}", 0, 0},
	{"escapes", "{'a/b':1,'m~n':2}", "[{'op':'replace','path':'/a~1b','value':3},{'op':'remove','path':'/m~0n'}]",
	 "{'a/b':3}", 0, 0},
	{"test fails", "{'a':1}", "[{'op':'test','path':'/a','value':2}]", NULL, 422, "the test failed"},
	{"test of what is absent", "{}", "[{'op':'test','path':'/a','value':null}]", NULL, 422, "the test failed"},
	{"nothing is done if one fails", "{'a':1}", "[{'op':'remove','path':'/a'},{'op':'remove','path':'/b'}]", NULL,
	 422, "operation 1"},
	{"a parent must be there", "{}", "[{'op':'add','path':'/a/b','value':1}]", NULL, 422, "not there"},
	{"past the end", "{'a':[1]}", "[{'op':'add','path':'/a/2','value':1}]", NULL, 422, "past the end"},
	{"remove past the end", "{'a':[1]}", "[{'op':'remove','path':'/a/1'}]", NULL, 422, "nothing to remove"},
	{"remove the dash", "{'a':[1]}", "[{'op':'remove','path':'/a/-'}]", NULL, 422, "nothing to remove"},
	{"leading zero", "{'a':[1,2]}", "[{'op':'remove','path':'/a/01'}]", NULL, 422, "nothing to remove"},
	{"a word as index", "{'a':[1]}", "[{'op':'replace','path':'/a/x','value':1}]", NULL, 422, "nothing to replace"},
	{"a huge index", "{'a':[1]}", "[{'op':'add','path':'/a/99999999999999999999','value':1}]", NULL, 422,
	 "past the end"},
	{"through a scalar", "{'a':1}", "[{'op':'add','path':'/a/b','value':1}]", NULL, 422, "not there"},
	{"move into itself", "{'a':{}}", "[{'op':'move','from':'/a','path':'/a/b'}]", NULL, 422, "into itself"},
	{"remove everything", "{'a':1}", "[{'op':'remove','path':''}]", NULL, 422, "whole document"},
	{"no slash", "{'a':1}", "[{'op':'remove','path':'a'}]", NULL, 400, "does not begin with /"},
	{"a wrong escape", "{'a':1}", "[{'op':'remove','path':'/a~2'}]", NULL, 400, "wrong escape"},
	{"an escape at the end", "{'a':1}", "[{'op':'remove','path':'/a~'}]", NULL, 400, "wrong escape"},
	{"no such operation", "{}", "[{'op':'merge','path':'/a'}]", NULL, 400, "expected add"},
	{"no value", "{}", "[{'op':'add','path':'/a'}]", NULL, 400, "value is missing"},
	{"no from", "{}", "[{'op':'move','path':'/a'}]", NULL, 400, "from is missing"},
	{"no path", "{}", "[{'op':'add','value':1}]", NULL, 400, "path is missing"},
	{"an operation that is no object", "{}", "[7]", NULL, 400, "path is missing"},
	{"no array", "{}", "{'op':'add'}", NULL, 400, "expected an array"},
};

Test(patch, json_follows_the_rfc)
{
	for (size_t i = 0; i < sizeof(json_rows) / sizeof(json_rows[0]); i++) {
		const struct json_row *r = &json_rows[i];
		json_t *o = json_of(r->doc), *ops = json_of(r->ops), *no = sw_json_patch(&o, ops);

		refused(r->what, no, r->code, r->words);
		same_json(r->what, o, json_of(r->out ? r->out : r->doc));
		json_object_put(ops);
	}
	no_leaks();
}

Test(patch, json_copies_cannot_explode)
{
	json_t *o = json_of("{'a':['0123456789012345678901234567890123456789']}"), *ops = json_object_new_array();

	for (int i = 0; i < 60; i++)
		json_object_array_add(ops, json_of("{'op':'copy','from':'/a','path':'/a/-'}"));
	refused("doubling", sw_json_patch(&o, ops), 413, "too large");
	json_object_put(ops);
	ops = json_object_new_array();
	for (int i = 0; i <= SW_PATCH_OPS; i++)
		json_object_array_add(ops, json_of("{'op':'test','path':'','value':1}"));
	refused("too many", sw_json_patch(&o, ops), 413, "maximum operations");
	json_object_put(ops);
	json_object_put(o);
	no_leaks();
}

/* ---- strategic merge: rows are (live, patch, result) of a PodSpec, of ObjectMeta, ... ---- */
struct smp_row {
	const char *what, *message, *live, *patch, *out;
	const char *words;
};
static const struct smp_row smp_rows[] = {
	{"scalars and maps merge", "core.v1.PodSpec", "{'nodeSelector':{'a':'b','x':'y'},'dnsPolicy':'Default'}",
	 "{'nodeSelector':{'a':null,'c':'d'},'dnsPolicy':null}", "{'nodeSelector':{'x':'y','c':'d'}}", 0},
	{"a list without a merge key is replaced", "core.v1.PodSpec", "{'tolerations':[{'key':'a'},{'key':'b'}]}",
	 "{'tolerations':[{'key':'c'}]}", "{'tolerations':[{'key':'c'}]}", 0},
	{"containers merge by name", "core.v1.PodSpec",
	 "{'containers':[{'name':'a','image':'1'},{'name':'b','image':'2'}]}",
	 "{'containers':[{'name':'b','image':'3'},{'name':'c','image':'4'}]}",
	 "{'containers':[{'name':'a','image':'1'},{'name':'b','image':'3'},{'name':'c','image':'4'}]}", 0},
	{"an item is deleted by its key", "core.v1.PodSpec", "{'containers':[{'name':'a'},{'name':'side'}]}",
	 "{'containers':[{'$patch':'delete','name':'side'}]}", "{'containers':[{'name':'a'}]}", 0},
	{"deleting what is absent is fine", "core.v1.PodSpec", "{'containers':[{'name':'a'}]}",
	 "{'containers':[{'$patch':'delete','name':'x'}]}", "{'containers':[{'name':'a'}]}", 0},
	{"a list is replaced on demand", "core.v1.PodSpec", "{'containers':[{'name':'a'},{'name':'b'}]}",
	 "{'containers':[{'$patch':'replace'},{'name':'c'}]}", "{'containers':[{'name':'c'}]}", 0},
	{"a map is replaced on demand", "core.v1.PodSpec", "{'nodeSelector':{'a':'b'}}",
	 "{'nodeSelector':{'$patch':'replace','c':'d'}}", "{'nodeSelector':{'c':'d'}}", 0},
	{"a map is emptied on demand", "core.v1.PodSpec", "{'nodeSelector':{'a':'b'}}",
	 "{'nodeSelector':{'$patch':'delete'}}", "{'nodeSelector':{}}", 0},
	{"the order asked for is kept", "core.v1.PodSpec", "{'containers':[{'name':'a'},{'name':'b'},{'name':'c'}]}",
	 "{'$setElementOrder/containers':[{'name':'c'},{'name':'a'},{'name':'b'}]}",
	 "{'containers':[{'name':'c'},{'name':'a'},{'name':'b'}]}", 0},
	{"items only the server knows keep their place", "core.v1.PodSpec",
	 "{'containers':[{'name':'s1'},{'name':'a'},{'name':'s2'}]}",
	 "{'$setElementOrder/containers':[{'name':'a'},{'name':'n'}],'containers':[{'name':'n'}]}",
	 "{'containers':[{'name':'s1'},{'name':'a'},{'name':'n'},{'name':'s2'}]}", 0},
	{"an order that names what is not there", "core.v1.PodSpec", "{'containers':[{'name':'a'}]}",
	 "{'$setElementOrder/containers':[{'name':'x'},{'name':'a'},{'name':'a'}]}", "{'containers':[{'name':'a'}]}",
	 0},
	{"environment twice the same survives", "core.v1.Container",
	 "{'env':[{'name':'A','value':'1'},{'name':'A','value':'2'}]}",
	 "{'$setElementOrder/env':[{'name':'A'},{'name':'B'}],'env':[{'name':'B','value':'3'}]}",
	 "{'env':[{'name':'A','value':'1'},{'name':'A','value':'2'},{'name':'B','value':'3'}]}", 0},
	{"other keys of a volume go with retainKeys", "core.v1.PodSpec", "{'volumes':[{'name':'d','emptyDir':{}}]}",
	 "{'volumes':[{'$retainKeys':['hostPath','name'],'emptyDir':null,'hostPath':{'path':'/x'},'name':'d'}]}",
	 "{'volumes':[{'name':'d','hostPath':{'path':'/x'}}]}", 0},
	{"a new volume brings no directives along", "core.v1.PodSpec", "{}",
	 "{'$setElementOrder/volumes':[{'name':'d'}],'volumes':[{'$retainKeys':['name'],'name':'d','emptyDir':null}]}",
	 "{'volumes':[{'name':'d'}]}", 0},
	{"finalizers are a set", "meta.v1.ObjectMeta", "{'finalizers':['a/x','b/y']}", "{'finalizers':['c/z','a/x']}",
	 "{'finalizers':['c/z','a/x','b/y']}", 0},
	{"a member of a set is deleted", "meta.v1.ObjectMeta", "{'finalizers':['a/x','b/y']}",
	 "{'$deleteFromPrimitiveList/finalizers':['a/x'],'$setElementOrder/finalizers':['b/y']}",
	 "{'finalizers':['b/y']}", 0},
	{"ports merge by number", "core.v1.Container", "{'ports':[{'containerPort':80,'name':'a'}]}",
	 "{'ports':[{'containerPort':80,'name':'b'},{'containerPort':81}]}",
	 "{'ports':[{'containerPort':80,'name':'b'},{'containerPort':81}]}", 0},
	{"an unknown directive", "core.v1.PodSpec", "{'nodeSelector':{}}", "{'nodeSelector':{'$patch':'burn'}}", 0,
	 "$patch is replace, delete or merge"},
	{"a directive that is no word", "core.v1.PodSpec", "{'nodeSelector':{}}", "{'nodeSelector':{'$patch':{}}}", 0,
	 "$patch is"},
	{"an item without its key", "core.v1.PodSpec", "{'containers':[{'name':'a'}]}",
	 "{'containers':[{'image':'x'}]}", 0, "has no merge key"},
	{"an item that is no object", "core.v1.PodSpec", "{'containers':[{'name':'a'}]}", "{'containers':['x']}", 0,
	 "no object"},
	{"an item that is null", "core.v1.PodSpec", "{'containers':[{'name':'a'}]}", "{'containers':[null]}", 0,
	 "no object"},
	{"a delete without its key", "core.v1.PodSpec", "{'containers':[{'name':'a'}]}",
	 "{'containers':[{'$patch':'delete'}]}", 0, "no merge key"},
	{"an order that is no list", "core.v1.PodSpec", "{'containers':[]}", "{'$setElementOrder/containers':{}}", 0,
	 "is a list"},
	{"retainKeys that is no list", "core.v1.Volume", "{'name':'d'}", "{'$retainKeys':'name'}", 0,
	 "is a list of keys"},
	{"retainKeys that leaves out the patch", "core.v1.Volume", "{'name':'d'}",
	 "{'$retainKeys':['name'],'hostPath':{}}", 0, "must be in $retainKeys"},
};

Test(patch, strategic_merge_follows_the_merge_keys)
{
	struct sw_schema *s = schema_or_die();

	for (size_t i = 0; i < sizeof(smp_rows) / sizeof(smp_rows[0]); i++) {
		const struct smp_row *r = &smp_rows[i];
		json_t *o = json_of(r->live), *p = json_of(r->patch);

		refused(r->what, smp_patch(schema_message(s, r->message), &o, p), 400, r->words);
		json_object_put(p);
		if (r->out)
			same_json(r->what, o, json_of(r->out));
		else
			json_object_put(o);
	}
	sw_schema_free(s);
	no_leaks();
}

/* What kubectl apply really sent for one edit of a Job (facts of the stock clients). */
Test(patch, the_patch_that_apply_sends_for_an_edited_job)
{
	struct sw_schema *s = schema_or_die();
	json_t *live = json_of("{'kind':'Job','apiVersion':'batch/"
			       "v1','metadata':{'name':'j','namespace':'n','uid':'u'},'spec':{'template':{'spec':{"
			       "'containers':[{'name':'c','image':'i','args':['y'],'env':[{'name':'A','value':'1'},{'"
			       "name':'B','value':'2'}],"
			       "'imagePullPolicy':'Always'},{'name':'side','image':'s'}],'nodeSelector':{'a':'b'},"
			       "'volumes':[{'name':'d','emptyDir':{}}]}}}}");
	json_t *p = json_of(
		"{'spec':{'template':{'spec':{'$setElementOrder/containers':[{'name':'c'}],'$setElementOrder/"
		"volumes':[{'name':'d'}],"
		"'containers':[{'$setElementOrder/env':[{'name':'A'}],'args':['z'],'env':[{'name':'A','value':'9'},"
		"{'$patch':'delete','name':'B'}],'name':'c'},{'$patch':'delete','name':'side'}],"
		"'nodeSelector':{'a':null,'c':'d'},'tolerations':[{'key':'k','operator':'Exists'}],"
		"'volumes':[{'$retainKeys':['hostPath','name'],'emptyDir':null,'hostPath':{'path':'/"
		"x'},'name':'d'}]}}}}");
	struct sw_patch_request req = {.r = sw_resource_by_id("jobs.batch"),
				       .type = SW_PATCH_STRATEGIC,
				       .patch = p,
				       .fields = SW_FIELDS_STRICT};
	json_t *out = NULL;

	refused("apply", sw_patch(s, &req, live, &out), 0, NULL);
	same_json("apply", out,
		  json_of("{'kind':'Job','apiVersion':'batch/v1','metadata':{'name':'j','namespace':'n','uid':'u'},"
			  "'spec':{'template':{'spec':{'containers':[{'name':'c','image':'i','args':['z'],'env':[{'"
			  "name':'A','value':'9'}],"
			  "'imagePullPolicy':'Always'}],'nodeSelector':{'c':'d'},'tolerations':[{'key':'k','operator':'"
			  "Exists'}],"
			  "'volumes':[{'name':'d','hostPath':{'path':'/x'}}]}}}}"));
	json_object_put(live);
	json_object_put(p);
	sw_schema_free(s);
	no_leaks();
}

Test(patch, crd_kinds_answer_415_to_a_strategic_merge_patch)
{
	struct sw_schema *s = schema_or_die();
	json_t *live = json_of("{'metadata':{'name':'t'}}"), *p = json_of("{}"), *out = NULL;
	struct sw_patch_request req = {
		.r = sw_resource_by_id("pytorchjobs.kubeflow.org"), .type = SW_PATCH_STRATEGIC, .patch = p};

	refused("crd", sw_patch(s, &req, live, &out), 415,
		"accepted media types include: application/json-patch+json, application/merge-patch+json");
	cr_expect_null(out);
	req.type = SW_PATCH_JSON;
	refused("an object is no list of operations", sw_patch(s, &req, live, &out), 400, "expected an array");
	req.type = SW_PATCH_MERGE;
	json_object_put(p);
	req.patch = json_of("{'metadata':null}");
	refused("metadata removed", sw_patch(s, &req, live, &out), 400, "metadata");
	json_object_put(req.patch);
	req.patch = json_of("{'spec':{'nope':1}}");
	req.fields = SW_FIELDS_STRICT;
	refused("unknown field by patch", sw_patch(s, &req, live, &out), 400, "unknown field \"spec.nope\"");
	json_object_put(req.patch);
	json_object_put(live);
	sw_schema_free(s);
	no_leaks();
}

Test(patch, content_types)
{
	cr_expect_eq(sw_patch_type_of("application/merge-patch+json; charset=utf-8"), SW_PATCH_MERGE);
	cr_expect_eq(sw_patch_type_of("application/json-patch+json"), SW_PATCH_JSON);
	cr_expect_eq(sw_patch_type_of("application/strategic-merge-patch+json"), SW_PATCH_STRATEGIC);
	cr_expect_eq(sw_patch_type_of("application/apply-patch+yaml"), SW_PATCH_APPLY);
	cr_expect_eq(sw_patch_type_of("application/json"), SW_PATCH_NONE);
	cr_expect_eq(sw_patch_type_of("application/merge-patch+jsonx"), SW_PATCH_NONE);
	cr_expect_eq(sw_patch_type_of(NULL), SW_PATCH_NONE);
}
