/* SPDX-License-Identifier: Apache-2.0 */
/* test_selector.c - label and field selectors */
#include "pure.h"
#include "spillway/selector.h"

Test(selector, labels_match)
{
	static const struct {
		const char *selector;
		const char *labels;
		bool match;
	} rows[] = {
		{"", "{}", true},
		{"   ", "{}", true},
		{"a=b", "{'a':'b'}", true},
		{"a=b", "{'a':'c'}", false},
		{"a==b", "{'a':'b'}", true},
		{"a = b", "{'a':'b'}", true},
		{"a!=b", "{'a':'c'}", true},
		{"a!=b", "{}", true},
		{"a!=b", "{'a':'b'}", false},
		{"a=", "{'a':''}", true},
		{"a=", "{}", false},
		{"a=,b", "{'a':'','b':'x'}", true},
		{"a in (b,c)", "{'a':'c'}", true},
		{"a in ( b , c )", "{'a':'b'}", true},
		{"a in (b)", "{}", false},
		{"a notin (b,c)", "{'a':'d'}", true},
		{"a notin (b,c)", "{}", true},
		{"a notin (b,c)", "{'a':'b'}", false},
		{"a in ()", "{'a':''}", true},
		{"a in (,b)", "{'a':''}", true},
		{"a in (b,)", "{'a':''}", true},
		{"a in (b,)", "{'a':'x'}", false},
		{"a", "{'a':'x'}", true},
		{"a", "{}", false},
		{"!a", "{}", true},
		{"!a", "{'a':'x'}", false},
		{"! a", "{}", true},
		{"a,!b,c=d", "{'a':'1','c':'d'}", true},
		{"a,!b,c=d", "{'a':'1','b':'','c':'d'}", false},
		{"in=x", "{'in':'x'}", true},
		{"notin in (in)", "{'notin':'in'}", true},
		{"in", "{'in':''}", true},
		{"a>5", "{'a':'6'}", true},
		{"a>5", "{'a':'x'}", false},
		{"a<5", "{'a':'4'}", true},
		{"a<5", "{}", false},
		{"batch.kubernetes.io/job-name=pi", "{'batch.kubernetes.io/job-name':'pi'}", true},
		{"jobset.sigs.k8s.io/jobset-name=X,jobset.sigs.k8s.io/replicatedjob-name in (dataset-initializer, "
		 "node)",
		 "{'jobset.sigs.k8s.io/jobset-name':'X','jobset.sigs.k8s.io/replicatedjob-name':'node'}", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sw_selector *s = NULL;
		json_t *o = json_object_new_object();

		sw_json_set(o, "metadata.labels", json_of(rows[i].labels));
		refused(rows[i].selector, sw_label_selector_parse(rows[i].selector, &s), 0, NULL);
		cr_expect_eq(sw_selector_match(s, o), rows[i].match, "\"%s\" and %s", rows[i].selector, rows[i].labels);
		sw_selector_free(s);
		json_object_put(o);
	}
	no_leaks();
}

Test(selector, broken_labels_are_400)
{
	static const char *const rows[] = {
		"a=b=c",
		"=",
		"!",
		",",
		"a,",
		",a",
		"a=b,",
		"a in",
		"a in b",
		"a in (b",
		"a in (b c)",
		"a in (b,(c))",
		"a b",
		"!a=b",
		"a in (a=b)",
		"a!b",
		"(a)",
		"a=b)",
		"/a=b",
		"a/=b",
		"-a=b",
		"a=-b",
		"a=b c",
		"a=b;c",
		"A_very_bad/key/twice=b",
		"a=é",
		"a in ('x')",
		"a===b",
		"a=!b",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sw_selector *s = NULL;

		refused(rows[i], sw_label_selector_parse(rows[i], &s), 400, "unable to parse");
		cr_expect_null(s, "%s", rows[i]);
	}
	no_leaks();
}

Test(selector, limits_hold)
{
	struct sw_selector *s = NULL;
	char *text = malloc(SW_SELECTOR_BYTES + 10);

	memset(text, 'a', SW_SELECTOR_BYTES + 5);
	text[SW_SELECTOR_BYTES + 5] = '\0';
	refused("long", sw_label_selector_parse(text, &s), 400, "longer than");
	refused("long", sw_field_selector_parse(sw_resource_by_id("pods"), text, &s), 400, "longer than");
	for (int i = 0; i < 3000; i++)
		memcpy(text + 2 * i, "a,", 2);
	strcpy(text + 6000, "a");
	refused("many", sw_label_selector_parse(text, &s), 400, "more than 1000 terms");
	free(text);
	no_leaks();
}

Test(selector, objects_match_as_text_does)
{
	static const struct {
		const char *object, *labels;
		bool match;
	} rows[] = {
		{"{}", "{'a':'b'}", true},
		{"{'matchLabels':{'a':'b'}}", "{'a':'b'}", true},
		{"{'matchLabels':{'a':'b'}}", "{'a':'c'}", false},
		{"{'matchExpressions':[{'key':'a','operator':'In','values':['b','c']}]}", "{'a':'c'}", true},
		{"{'matchExpressions':[{'key':'a','operator':'DoesNotExist'}]}", "{'a':'c'}", false},
		{"{'matchExpressions':[{'key':'a','operator':'Exists'},{'key':'b','operator':'NotIn','values':['x']}]}",
		 "{'a':''}", true},
	};
	struct sw_selector *s = NULL;
	json_t *o = json_object_new_object(), *e;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *selector = json_of(rows[i].object);

		sw_json_set(o, "metadata.labels", json_of(rows[i].labels));
		refused(rows[i].object, sw_label_selector_object(selector, &s), 0, NULL);
		cr_expect_eq(sw_selector_match(s, o), rows[i].match, "%s", rows[i].object);
		sw_selector_free(s);
		json_object_put(selector);
	}
	refused("none", sw_label_selector_object(NULL, &s), 0, NULL);
	cr_expect_not(sw_selector_match(s, o), "no selector matches nothing");
	sw_selector_free(s);
	e = json_of("{'matchExpressions':[{'key':'a','operator':'Like'}]}");
	refused("operator", sw_label_selector_object(e, &s), 400, "not a valid label selector operator");
	json_object_put(e);
	json_object_put(o);
	no_leaks();
}

#define EVENT                                                                                                          \
	"{'metadata':{'name':'e','namespace':'n'},'involvedObject':{'kind':'Job','name':'j','uid':'u'},'reason':'"     \
	"Placed','type':'Normal',"                                                                                     \
	"'source':{'component':'spillway'}}"

Test(selector, fields_match)
{
	static const struct {
		const char *id, *selector, *object;
		bool match;
	} rows[] = {
		{"jobs.batch", "", "{}", true},
		{"jobs.batch", "metadata.name=j1", "{'metadata':{'name':'j1'}}", true},
		{"jobs.batch", "metadata.name==j1,metadata.namespace=n", "{'metadata':{'name':'j1','namespace':'n'}}",
		 true},
		{"jobs.batch", "metadata.name!=j1", "{'metadata':{'name':'j1'}}", false},
		{"jobs.batch", "status.successful=0", "{'metadata':{'name':'j1'}}", true},
		{"jobs.batch", "status.successful=2", "{'status':{'succeeded':2}}", true},
		{"pods", "status.phase=Running,spec.nodeName!=",
		 "{'status':{'phase':'Running'},'spec':{'nodeName':'n'}}", true},
		{"pods", "spec.nodeName=", "{'spec':{}}", true},
		{"events", "involvedObject.uid=u,involvedObject.name=j,involvedObject.kind=Job", EVENT, true},
		{"events", "involvedObject.name=k", EVENT, false},
		{"events", "reason=Placed,type!=Warning,source=spillway", EVENT, true},
		{"events.events.k8s.io", "regarding.name=j,regarding.kind=Job", EVENT, true},
		{"secrets", "type=Opaque", "{'type':'Opaque'}", true},
		{"namespaces", "status.phase=Active", "{'status':{'phase':'Active'}}", true},
		{"pytorchjobs.kubeflow.org", "metadata.name=t", "{'metadata':{'name':'t'}}", true},
		{"configmaps", "metadata.name=a\\,b\\=c", "{'metadata':{'name':'a,b=c'}}", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sw_selector *s = NULL;
		json_t *o = json_of(rows[i].object);

		refused(rows[i].selector, sw_field_selector_parse(sw_resource_by_id(rows[i].id), rows[i].selector, &s),
			0, NULL);
		cr_expect_eq(sw_selector_match(s, o), rows[i].match, "%s: %s", rows[i].id, rows[i].selector);
		sw_selector_free(s);
		json_object_put(o);
	}
	no_leaks();
}

Test(selector, unsupported_fields_are_400)
{
	static const char *const rows[][3] = {
		{"jobs.batch", "spec.parallelism=1", "field label not supported: spec.parallelism"},
		{"configmaps", "data.k=v", "field label not supported: data.k"},
		{"pods", "status.phase", "can't understand"},
		{"pods", "status.phase=a=b", "unable to parse field selector"},
		{"pods", "metadata.name=a\\b", "unable to parse field selector"},
		{"pods", "metadata.name in (a)", "can't understand"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sw_selector *s = NULL;

		refused(rows[i][1], sw_field_selector_parse(sw_resource_by_id(rows[i][0]), rows[i][1], &s), 400,
			rows[i][2]);
		cr_expect_null(s);
	}
	no_leaks();
}

Test(selector, one_name_can_be_got_by_key)
{
	struct sw_selector *s = NULL;

	refused("one", sw_field_selector_parse(sw_resource_by_id("jobs.batch"), "metadata.name=j", &s), 0, NULL);
	cr_expect_str_eq(sw_selector_exact(s, "metadata.name"), "j");
	cr_expect(sw_selector_only(s, "metadata.name"));
	sw_selector_free(s);
	refused("not", sw_field_selector_parse(sw_resource_by_id("jobs.batch"), "metadata.name!=j", &s), 0, NULL);
	cr_expect_null(sw_selector_exact(s, "metadata.name"));
	sw_selector_free(s);
	cr_expect_null(sw_selector_exact(NULL, "metadata.name"));
	no_leaks();
}
