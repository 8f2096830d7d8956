/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds_test.h"

#define NAMES  "'api_version':'example.org/v1','kind':'Flow','plural':'flows'"
#define RUN    "'suspend':'spec.suspend','managed_by':'spec.managedBy'"
#define SETS   "'pod_sets':[{'name':'main','template':'spec.template','count':'spec.pods'}]"
#define STATUS "'status':{'succeeded':'Complete','failed':'Failed','active':'status.active'}"
#define FLOW   "{" NAMES "," RUN "," SETS "," STATUS "}"
#define GROUPS                                                                                                         \
	"{" NAMES ",'suspend':'spec.run.suspend','managed_by':'spec.run.managedBy','ttl':'spec.run.ttl',"              \
	"'job_name_label':'example.org/flow','pod_sets':[{'name':'Driver','template':'spec.driver.template'},"         \
	"{'name_from':'spec.groups[*].name','template':'spec.groups[*].template','count':'spec.groups[*].size'},"      \
	"{'template':'spec.roles[*].pod.template','count':'spec.roles[*].replicas'}],"                                 \
	"'status':{'succeeded':{'path':'status.phase','values':['Done','Skipped']},"                                   \
	"'failed':{'path':'status.phase','values':['Error']},'suspended':{'path':'status.phase','values':['Paused']}," \
	"'active':['status.driverActive','status.groups[*].active','status.counts[*]'],"                               \
	"'counters':['status.restarts','status.failed']}}"

static struct sw_kind *kind_of(const char *declaration)
{
	json_t *map = json_of(declaration);
	struct sw_kind_fault at;
	struct sw_kind *k;
	struct sw_err e = sw_kind_declare(map, NULL, 0, &k, &at);

	cr_assert(!sw_failed(e), "%s: %s", declaration, e.text);
	json_object_put(map);
	return k;
}

Test(kinds_declare, a_declared_kind_answers_as_a_built_in_one)
{
	struct sw_kind *k = kind_of(FLOW);
	const struct sw_kind *rows[] = {k};
	json_t *job =
		json_of("{'apiVersion':'example.org/v1','kind':'Flow','metadata':{'name':'f','namespace':'ns'},'spec':{"
			"'managedBy':'x','pods':3,'template':{'spec':{'containers':[{'name':'c'}]}}}}");
	struct sw_copy_spec spec = {.origin = "o", .workload_key = "ns/w", .owner_uid = "U", .attempt = 1};

	cr_expect_null(sw_kind_of(job));
	sw_kinds_lend(rows, 1);
	cr_expect_eq(sw_kind_of(job), k);
	cr_expect_eq(sw_kind_find("flows.example.org"), k);
	cr_expect_eq(sw_kind_named("flow"), k);
	cr_expect_eq(sw_kind_named("FLOWS"), k);
	cr_expect_eq(sw_kind_named("job"), &sw_kind_job, "built-in kinds come first");
	size_t n = 0;

	while (sw_kind_at(n))
		n++;
	cr_expect_eq(sw_kind_at(n - 1), k);
	cr_expect(!sw_failed(k->check(k, job)));
	cr_expect_str_eq(sw_kind_managed_by(k, job), "x");
	cr_expect_eq(sw_kind_ttl_s(k, job), -1);
	json_t *copy = sw_kind_copy(k, job, &spec);

	cr_expect(sw_kind_suspended(k, copy));
	cr_expect_null(sw_kind_managed_by(k, copy));
	cr_expect_str_eq(sw_json_label(sw_json_at(copy, "spec.template"), SW_LABEL_JOB), "f");
	json_object_put(copy);
	sw_kinds_lend(NULL, 0);
	cr_expect_null(sw_kind_of(job));
	json_object_put(job);
	sw_kind_free(k);
}

Test(kinds_declare, pod_sets_come_from_lists_and_maps)
{
	struct sw_kind *k = kind_of(GROUPS);
	json_t *job = json_of("{'spec':{'driver':{'template':{}},'groups':[{'name':'a','template':{},'size':2},"
			      "{'name':'B','template':{}}],'roles':{'Worker':{'replicas':5,'pod':{'template':{}}}}}}");
	static const struct {
		const char *name, *path;
		int count;
	} rows[] = {{"driver", "spec.driver.template", 1},
		    {"a", "spec.groups[0].template", 2},
		    {"b", "spec.groups[1].template", 1},
		    {"worker", "spec.roles.Worker.pod.template", 5}};
	struct sw_podset sets[SW_PODSETS_MAX];
	struct sw_err e = k->check(k, job);

	cr_expect(!sw_failed(e), "%s", e.text);
	cr_assert_eq(k->podsets(k, job, sets), 4);
	for (size_t i = 0; i < 4; i++) {
		cr_expect_str_eq(sets[i].name, rows[i].name);
		cr_expect_str_eq(sets[i].path, rows[i].path);
		cr_expect_eq(sets[i].count, rows[i].count);
		cr_expect(json_object_is_type(sets[i].template, json_type_object));
	}
	cr_expect_str_eq(k->job_name_label, "example.org/flow");
	json_object_put(job);
	sw_kind_free(k);
}

static const struct {
	const char *spec, *text;
} bad_jobs[] = {
	{"{}", "spec.driver.template: found nothing"},
	{"{'driver':{'template':7}}", "spec.driver.template: found nothing"},
	{"{'driver':{'template':{}},'groups':[{'template':{}}]}", "spec.groups[0].template: found \"\" as the name"},
	{"{'driver':{'template':{}},'groups':[{'name':'a','template':{},'size':-1}]}", "size"},
	{"{'driver':{'template':{}},'groups':[{'name':'a','template':{},'size':'2'}]}", "size"},
	{"{'driver':{'template':{}},'groups':[7]}", "spec.groups[0].template"},
	{"{'driver':{'template':{}},'groups':[{'name':'driver','template':{}}]}", "as those of spec.driver.template"},
	{"{'driver':{'template':{}},'roles':{'a b':{'pod':{'template':{}}}}}",
	 "spec.roles.a b.pod.template: found \"a b\""},
	{"{'driver':{'template':{}},'roles':{'x':null}}", "spec.roles.x.pod.template: found nothing"},
	{"{'driver':{'template':{}},'groups':[{'name':'a1','template':{}},{'name':'a2','template':{}},{'name':'a3','"
	 "template':{}},"
	 "{'name':'a4','template':{}},{'name':'a5','template':{}},{'name':'a6','template':{}},{'name':'a7','template':{"
	 "}},"
	 "{'name':'a8','template':{}},{'name':'a9','template':{}},{'name':'a10','template':{}},{'name':'a11','template'"
	 ":{}},"
	 "{'name':'a12','template':{}},{'name':'a13','template':{}},{'name':'a14','template':{}},{'name':'a15','"
	 "template':{}},"
	 "{'name':'a16','template':{}},{'name':'a17','template':{}},{'name':'a18','template':{}}]}",
	 "more than 18"},
};

Test(kinds_declare, a_job_that_does_not_have_what_was_declared_is_refused)
{
	struct sw_kind *k = kind_of(GROUPS);

	for (size_t i = 0; i < sizeof(bad_jobs) / sizeof(*bad_jobs); i++) {
		json_t *job = json_object_new_object();

		json_object_object_add(job, "spec", json_of(bad_jobs[i].spec));
		struct sw_err e = k->check(k, job);

		cr_expect_eq(e.code, SW_E_INVALID, "%s", bad_jobs[i].spec);
		cr_expect(strstr(e.text, bad_jobs[i].text) != NULL, "%s: %s", bad_jobs[i].spec, e.text);
		json_object_put(job);
	}
	sw_kind_free(k);
}

static const struct {
	const char *status, *why, *idle;
	bool suspended;
	enum sw_outcome outcome;
	int active;
} states[] = {
	{"{}", "", "{'phase':'Paused'}", false, SW_UNFINISHED, 1},
	{"{'phase':'Running','driverActive':1,'groups':[{'active':2},{'active':-3},7],'counts':{'a':4,'b':'x'}}", "",
	 "{'phase':'Paused','driverActive':0,'groups':[{'active':0},{'active':0},7],'counts':{'a':0,'b':'x'}}", false,
	 SW_UNFINISHED, 7},
	{"{'phase':'Paused'}", "", "{'phase':'Paused'}", true, SW_UNFINISHED, 0},
	{"{'phase':'Paused'}", "", "{'phase':'Paused'}", false, SW_UNFINISHED, 1},
	{"{'phase':'Paused','counts':[1,2]}", "", "{'phase':'Paused','counts':[0,0]}", true, SW_UNFINISHED, 3},
	{"{'phase':'Skipped','restarts':3}", "Skipped", "{'phase':'Paused','restarts':3}", false, SW_SUCCEEDED, 0},
	{"{'phase':'Error'}", "Error", "{'phase':'Paused'}", false, SW_JOB_FAILED, 0},
	{"{'phase':7,'groups':{},'counts':'x'}", "", "{'phase':'Paused','groups':{},'counts':'x'}", false,
	 SW_UNFINISHED, 1},
};

Test(kinds_declare, a_status_is_read_and_silenced_by_the_declared_paths)
{
	struct sw_kind *k = kind_of(GROUPS);

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		json_t *job = json_object_new_object(), *idle = json_of(states[i].idle),
		       *status = json_of(states[i].status);
		const char *why;

		json_object_object_add(job, "status", status);
		sw_kind_suspend(k, job, states[i].suspended);
		cr_expect_eq(k->outcome(k, job, &why), states[i].outcome, "%s", states[i].status);
		cr_expect_str_eq(why, states[i].why);
		cr_expect_eq(k->active(k, job), states[i].active, "%s: %lld", states[i].status,
			     (long long)k->active(k, job));
		k->idle(k, status);
		cr_expect(json_object_equal(status, idle), "%s", json_object_to_json_string(status));
		json_object_put(idle);
		json_object_put(job);
	}
	sw_kind_free(k);
}

Test(kinds_declare, conditions_work_where_there_is_no_phase)
{
	struct sw_kind *k = kind_of(FLOW);
	json_t *done = json_of("{'status':{'conditions':[{'type':'Complete','status':'True','reason':'Fine'}]}}");
	json_t *paused =
		json_of("{'spec':{'suspend':true},'status':{'conditions':[{'type':'Suspended','status':'True'}]}}");
	const char *why;

	cr_expect_eq(k->outcome(k, done, &why), SW_SUCCEEDED);
	cr_expect_str_eq(why, "Fine");
	cr_expect_eq(k->active(k, paused), 0, "Suspended is the condition if none is declared");
	json_object_put(paused);
	json_object_put(done);
	sw_kind_free(k);
}

Test(kinds_declare, counters_do_not_fall_over_attempts_and_an_end_stays)
{
	static const struct {
		const char *local, *remote, *base, *home;
	} rows[] = {
		{"{'restarts':3}", "{'restarts':1,'phase':'Running'}", "{'restarts':2}",
		 "{'restarts':3,'phase':'Running'}"},
		{"{'restarts':3}", "{'restarts':2}", "{'restarts':3}", "{'restarts':5}"},
		{"{'restarts':3}", "{}", "null", "{'restarts':3}"},
		{"null", "{'phase':'Running'}", "null", "{'phase':'Running'}"},
		{"{'phase':'Done'}", "{'phase':'Running'}", "null", "{'phase':'Done'}"},
		{"null", "null", "null", "{}"},
		{"[1]", "{'failed':2}", "'x'", "{'failed':2}"},
	};
	struct sw_kind *k = kind_of(GROUPS);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *local = json_of(rows[i].local), *remote = json_of(rows[i].remote),
		       *base = json_of(rows[i].base), *expect = json_of(rows[i].home),
		       *got = k->status_home(k, local, remote, base);

		cr_expect(json_object_equal(got, expect), "row %zu: %s", i, json_object_to_json_string(got));
		json_object_put(got);
		json_object_put(expect);
		json_object_put(base);
		json_object_put(remote);
		json_object_put(local);
	}
	sw_kind_free(k);
}

#define BAD_SET(set)       "{" NAMES "," RUN ",'pod_sets':[" set "]," STATUS "}"
#define BAD_STATUS(status) "{" NAMES "," RUN "," SETS ",'status':" status "}"
#define BAD_NAMES(names)   "{" names "," RUN "," SETS "," STATUS "}"
#define LONG               "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"

static const struct {
	const char *declaration, *key, *text;
} bad[] = {
	{"[]", NULL, "expected a map"},
	{"{}", "api_version", "api_version: found nothing"},
	{"{'apiVersion':'example.org/v1'}", "apiVersion", "did you mean \"api_version\"?"},
	{BAD_NAMES("'api_version':'v1','kind':'Flow','plural':'flows'"), "api_version", "expected GROUP/VERSION"},
	{BAD_NAMES("'api_version':'batch/v1','kind':'Flow','plural':'flows'"), "api_version", "a dot in the group"},
	{BAD_NAMES("'api_version':'example.org/v1/x','kind':'Flow','plural':'flows'"), "api_version", "expected GROUP"},
	{BAD_NAMES("'api_version':'../v1','kind':'Flow','plural':'flows'"), "api_version", "expected GROUP"},
	{BAD_NAMES("'api_version':'kueue.x-k8s.io/v1beta2','kind':'Flow','plural':'flows'"), "api_version",
	 "are no jobs"},
	{BAD_NAMES("'api_version':7,'kind':'Flow','plural':'flows'"), "api_version", "found 7"},
	{BAD_NAMES("'api_version':'example.org/v1','kind':'flow','plural':'flows'"), "kind", "found \"flow\""},
	{BAD_NAMES("'api_version':'example.org/v1','kind':'Fl ow','plural':'flows'"), "kind", "found \"Fl ow\""},
	{BAD_NAMES("'api_version':'example.org/v1','kind':'Flow','plural':'Flows'"), "plural", "found \"Flows\""},
	{BAD_NAMES("'api_version':'example.org/v1','kind':'Flow','plural':'a/b'"), "plural", "found \"a/b\""},
	{BAD_NAMES("'api_version':'example.org/v1','kind':'Flow'"), "plural", "found nothing"},
	{BAD_NAMES(NAMES ",'job_name_label':'-'"), "job_name_label", "found \"-\""},
	{BAD_NAMES("'api_version':'ray.io/v1','kind':'RayJob','plural':'flows'"), "kind",
	 "ray.io/v1 RayJob (rayjobs) is known"},
	{BAD_NAMES("'api_version':'ray.io/v1','kind':'Flow','plural':'rayjobs'"), "kind", "is known already"},
	{"{" NAMES ",'managed_by':'spec.m'," SETS "," STATUS "}", "suspend", "found nothing"},
	{"{" NAMES ",'suspend':'suspend','managed_by':'spec.m'," SETS "," STATUS "}", "suspend",
	 "begins with \"spec.\""},
	{"{" NAMES ",'suspend':'spec.','managed_by':'spec.m'," SETS "," STATUS "}", "suspend", "keys with dots"},
	{"{" NAMES ",'suspend':'spec..a','managed_by':'spec.m'," SETS "," STATUS "}", "suspend", "keys with dots"},
	{"{" NAMES ",'suspend':'spec.a[*].b','managed_by':'spec.m'," SETS "," STATUS "}", "suspend", "without [*]"},
	{"{" NAMES ",'suspend':'spec.a','managed_by':['spec.m']," SETS "," STATUS "}", "managed_by", "expected a path"},
	{"{" NAMES ",'suspend':'spec." LONG "','managed_by':'spec.m'," SETS "," STATUS "}", "suspend", "at most 100"},
	{"{" NAMES "," RUN "," STATUS "}", "pod_sets", "found nothing"},
	{"{" NAMES "," RUN ",'pod_sets':[]," STATUS "}", "pod_sets", "expected a list of 1 to 18"},
	{"{" NAMES "," RUN ",'pod_sets':{}," STATUS "}", "pod_sets", "expected a list"},
	{BAD_SET("7"), "pod_sets", "expected maps"},
	{BAD_SET("{'name':'a'}"), "template", "found nothing"},
	{BAD_SET("{'template':'spec.t'}"), "template", "its pods need a name"},
	{BAD_SET("{'name':'a','templat':'spec.t'}"), "templat", "did you mean \"template\"?"},
	{BAD_SET("{'name':'a','template':'status.t'}"), "template", "begins with \"spec.\""},
	{BAD_SET("{'name':'a','template':'spec.t[*].x[*]'}"), "template", "one of them with [*]"},
	{BAD_SET("{'name':'a','template':'spec.t[*]x'}"), "template", "one of them with [*]"},
	{BAD_SET("{'name':'a','template':'spec.t[0]'}"), "template", "one of them with [*]"},
	{BAD_SET("{'name':'a','template':'spec.t[*].x'}"), "name", "expected name_from"},
	{BAD_SET("{'name':'a b','template':'spec.t'}"), "name", "found \"a b\""},
	{BAD_SET("{'name':'a','name_from':'spec.n','template':'spec.t'}"), "name_from", "one of the two"},
	{BAD_SET("{'name_from':'spec.u[*].n','template':'spec.t[*].x'}"), "name_from", "same list or map"},
	{BAD_SET("{'name':'a','template':'spec.t','count':'spec.u[*].n'}"), "count", "same list or map"},
	{BAD_SET("{'name':'a','template':'spec.t','count':3}"), "count", "found 3"},
	{"{" NAMES "," RUN "," SETS "}", "status", "found nothing"},
	{BAD_STATUS("{}"), "succeeded", "found nothing"},
	{BAD_STATUS("{'succeeded':'Complete'}"), "failed", "found nothing"},
	{BAD_STATUS("{'succeeded':'Complete','failed':'Failed'}"), "active", "found nothing"},
	{BAD_STATUS("{'succeded':'Complete'}"), "succeded", "did you mean \"succeeded\"?"},
	{BAD_STATUS("{'succeeded':'Com plete','failed':'Failed','active':'status.a'}"), "succeeded",
	 "type of a condition"},
	{BAD_STATUS("{'succeeded':{'path':'spec.a','values':['x']},'failed':'F','active':'status.a'}"), "path",
	 "begins with \"status.\""},
	{BAD_STATUS("{'succeeded':{'path':'status.a'},'failed':'F','active':'status.a'}"), "values", "list of 1 to 8"},
	{BAD_STATUS("{'succeeded':{'path':'status.a','values':['']},'failed':'F','active':'status.a'}"), "values",
	 "words"},
	{BAD_STATUS("{'succeeded':{'path':'status.a','value':'x'},'failed':'F','active':'status.a'}"), "value",
	 "did you mean \"values\"?"},
	{BAD_STATUS("{'succeeded':'C','failed':'F','active':'spec.a'}"), "active", "begins with \"status.\""},
	{BAD_STATUS("{'succeeded':'C','failed':'F','active':['status.a',7]}"), "active", "found 7"},
	{BAD_STATUS("{'succeeded':'C','failed':'F','active':['status.a','status.a','status.a','status.a','status.a','"
		    "status.a',"
		    "'status.a','status.a','status.a']}"),
	 "active", "at most 8"},
	{BAD_STATUS("{'succeeded':'C','failed':'F','active':'status.a','counters':'status.a[*]'}"), "counters",
	 "without [*]"},
};

Test(kinds_declare, a_wrong_declaration_is_refused_at_its_place)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		json_t *map = json_of(bad[i].declaration);
		struct sw_kind_fault at;
		struct sw_kind *k = (struct sw_kind *)1;
		struct sw_err e = sw_kind_declare(map, NULL, 0, &k, &at);

		cr_expect_eq(e.code, SW_E_INVALID, "%s", bad[i].declaration);
		cr_expect_null(k);
		cr_expect(strstr(e.text, bad[i].text) != NULL, "%s: %s", bad[i].declaration, e.text);
		cr_expect(at.parent != NULL);
		cr_expect_eq(at.key == NULL, bad[i].key == NULL, "%s", bad[i].declaration);
		if (at.key && bad[i].key)
			cr_expect_str_eq(at.key, bad[i].key, "%s", bad[i].declaration);
		json_object_put(map);
	}
}

Test(kinds_declare, a_kind_is_declared_once_and_a_second_version_has_a_name_of_its_own)
{
	struct sw_kind *first = kind_of(FLOW), *k;
	const struct sw_kind *earlier[] = {first};
	struct sw_kind_fault at;
	json_t *again = json_of(FLOW), *next = json_of(FLOW);

	cr_expect_eq(sw_kind_declare(again, earlier, 1, &k, &at).code, SW_E_INVALID);
	sw_json_set_str(next, "api_version", "example.org/v2");
	struct sw_err e = sw_kind_declare(next, earlier, 1, &k, &at);

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_expect_str_eq(first->resource, "flows.example.org");
	cr_expect_str_eq(k->resource, "flows.v2.example.org");
	sw_kind_free(k);
	sw_kind_free(first);
	json_object_put(next);
	json_object_put(again);
}
