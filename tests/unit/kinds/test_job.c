/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds_test.h"

Test(kinds_job, a_gang_is_the_smaller_of_parallelism_and_completions)
{
	static const struct {
		const char *spec;
		int count;
		bool ok;
	} rows[] = {
		{"{'template':{}}", 1, true},
		{"{'template':{},'parallelism':4}", 4, true},
		{"{'template':{},'parallelism':4,'completions':2}", 2, true},
		{"{'template':{},'parallelism':2,'completions':10,'completionMode':'Indexed'}", 2, true},
		{"{'template':{},'completions':3}", 1, true},
		{"{'template':{},'parallelism':0}", 0, false},
		{"{'template':{},'completions':0}", 0, false},
		{"{'template':{},'parallelism':-1}", 0, false},
		{"{'template':{},'parallelism':2147483648}", INT32_MAX, false},
		{"{'template':{},'parallelism':'two'}", 1, false},
		{"{'template':{},'parallelism':1.5}", 1, false},
		{"{}", 1, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = json_object_new_object();
		struct sw_podset sets[SW_PODSETS_MAX];

		json_object_object_add(o, "spec", json_of(rows[i].spec));
		cr_expect_eq(sw_kind_job.podsets(&sw_kind_job, o, sets), 1);
		if (rows[i].ok)
			cr_expect_eq(sets[0].count, rows[i].count, "%s", rows[i].spec);
		cr_expect_str_eq(sets[0].name, "main");
		cr_expect_str_eq(sets[0].path, "spec.template");
		cr_expect_eq(!sw_failed(sw_kind_job.check(&sw_kind_job, o)), rows[i].ok, "%s", rows[i].spec);
		json_object_put(o);
	}
}

Test(kinds_job, outcome_and_active_are_read_from_the_status)
{
	static const struct {
		const char *job;
		enum sw_outcome outcome;
		const char *why;
		int64_t active;
	} rows[] = {
		{"{'spec':{},'status':{'conditions':[{'type':'Complete','status':'True'}]}}", SW_SUCCEEDED, "", 0},
		{"{'spec':{},'status':{'conditions':[{'type':'Failed','status':'True','reason':'DeadlineExceeded'}]}}",
		 SW_JOB_FAILED, "DeadlineExceeded", 0},
		{"{'spec':{},'status':{'conditions':[{'type':'Failed','status':'False'}],'active':2}}", SW_UNFINISHED,
		 "", 2},
		{"{'spec':{},'status':{'conditions':[{'type':'Failed','status':'True'}],'terminating':1}}",
		 SW_JOB_FAILED, "", 1},
		{"{'spec':{},'status':{}}", SW_UNFINISHED, "", 1},   /* unsuspended: may start any moment */
		{"{'spec':{'suspend':true}}", SW_UNFINISHED, "", 1}, /* nobody has confirmed it yet */
		{"{'spec':{'suspend':true},'status':{'conditions':[{'type':'Suspended','status':'True'}]}}",
		 SW_UNFINISHED, "", 0},
		{"{'spec':{'suspend':true},'status':{'active':1,'conditions':[{'type':'Suspended','status':'True'}]}}",
		 SW_UNFINISHED, "", 1},
		{"{'spec':{'suspend':false},'status':{'conditions':[{'type':'Suspended','status':'True'}]}}",
		 SW_UNFINISHED, "", 1},
		{"{'status':{'conditions':'none'}}", SW_UNFINISHED, "", 1},
		{"{'status':[]}", SW_UNFINISHED, "", 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = json_of(rows[i].job);
		const char *why;

		cr_expect_eq(sw_kind_job.outcome(&sw_kind_job, o, &why), rows[i].outcome, "%s", rows[i].job);
		cr_expect_str_eq(why, rows[i].why, "%s", rows[i].job);
		cr_expect_eq(sw_kind_job.active(&sw_kind_job, o), rows[i].active, "%s", rows[i].job);
		json_object_put(o);
	}
}

struct home {
	const char *what, *local, *remote, *base, *expect;
};
static const struct home homes[] = {
	{"first attempt is copied", "{}", "{'active':1,'ready':1,'startTime':'T1','uncountedTerminatedPods':{}}", NULL,
	 "{'active':1,'ready':1,'startTime':'T1'}"},
	{"start time stands once it is set", "{'startTime':'T0'}", "{'active':1,'startTime':'T1'}", NULL,
	 "{'active':1,'startTime':'T0'}"},
	{"failures of earlier attempts stay counted", "{'failed':2}", "{'failed':1}", "{'failed':2}", "{'failed':3}"},
	{"a late report never lowers a counter", "{'failed':3,'succeeded':5}", "{'failed':0,'succeeded':1}",
	 "{'failed':2}", "{'failed':3,'succeeded':5}"},
	{"no more ready than active", "{}", "{'active':1,'ready':4}", NULL, "{'active':1,'ready':1}"},
	{"the end is not yet announced home", "{}",
	 "{'conditions':[{'type':'SuccessCriteriaMet','status':'True'}],'active':1}", NULL,
	 "{'conditions':[],'active':1}"},
	{"an older worker's end is announced", "{}",
	 "{'startTime':'T1','completionTime':'T2','conditions':[{'type':'Complete','status':'True','reason':'R','"
	 "lastTransitionTime':'T2'}]}",
	 NULL,
	 "{'startTime':'T1','completionTime':'T2','conditions':[{'type':'Complete','status':'True','reason':'R','"
	 "lastTransitionTime':'T2'},"
	 "{'type':'SuccessCriteriaMet','status':'True','reason':'R','lastTransitionTime':'T2'}]}"},
	{"failed needs its target, no completion time, no active pods", "{}",
	 "{'active':1,'terminating':1,'completionTime':'T2','conditions':[{'type':'Failed','status':'True','"
	 "lastTransitionTime':'T2'}]}",
	 NULL,
	 "{'active':0,'terminating':0,'conditions':[{'type':'Failed','status':'True','lastTransitionTime':'T2'},"
	 "{'type':'FailureTarget','status':'True','lastTransitionTime':'T2','reason':'BackoffLimitExceeded'}],'"
	 "startTime':'T2'}"},
	{"complete and failed at once ends as complete", "{}",
	 "{'startTime':'T1','completionTime':'T2','conditions':[{'type':'SuccessCriteriaMet','status':'True'},{'type':'"
	 "Complete','status':'True'},"
	 "{'type':'FailureTarget','status':'True'},{'type':'Failed','status':'True'}]}",
	 NULL,
	 "{'startTime':'T1','completionTime':'T2','conditions':[{'type':'SuccessCriteriaMet','status':'True'},{'type':'"
	 "Complete','status':'True'}]}"},
	{"a finished status never changes", "{'succeeded':1,'conditions':[{'type':'Complete','status':'True'}]}",
	 "{'failed':9,'active':1}", NULL, "{'succeeded':1,'conditions':[{'type':'Complete','status':'True'}]}"},
	{"no remote status", "{'failed':1}", NULL, NULL, "{'failed':1}"},
};

Test(kinds_job, status_comes_home_legal_and_never_backwards)
{
	for (size_t i = 0; i < sizeof(homes) / sizeof(*homes); i++) {
		json_t *local = json_of(homes[i].local), *remote = homes[i].remote ? json_of(homes[i].remote) : NULL;
		json_t *base = homes[i].base ? json_of(homes[i].base) : NULL, *expect = json_of(homes[i].expect);
		json_t *got = sw_kind_job.status_home(&sw_kind_job, local, remote, base);

		cr_expect(json_object_equal(got, expect), "%s: %s", homes[i].what, json_object_to_json_string(got));
		json_t *again = sw_kind_job.status_home(&sw_kind_job, got, remote, base);

		cr_expect(json_object_equal(got, again), "%s, again: %s", homes[i].what,
			  json_object_to_json_string(again));
		json_object_put(again);
		json_object_put(got);
		json_object_put(local);
		json_object_put(remote);
		json_object_put(base);
		json_object_put(expect);
	}
}
