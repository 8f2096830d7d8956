/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_jobctl.c - the simulated Job controller: tables of a spec, what happens to its pods, and the status that must
 * come out
 */
#include "sim_test.h"
#include <criterion/parameterized.h>

struct row {
	const char *name, *spec, *script;
	const char *end;   /* see world_end() */
	const char *has;   /* parts of the status, separated by | */
	const char *lacks; /* likewise, or NULL */
	size_t pods;       /* objects left */
};

static const struct row rows[] = {
	{"one pod succeeds", "{}", "run ok", "Complete",
	 "\"succeeded\":1|\"completionTime\"|\"uncountedTerminatedPods\":{}|\"terminating\":0|\"ready\":0|"
	 "CompletionsReached",
	 "\"active\"|\"failed\"", 1},
	{"a running pod is active and ready", "{}", "run", "", "\"active\":1|\"ready\":1|\"startTime\"",
	 "\"conditions\"", 1},
	{"three completions, two at a time", "{'completions':3,'parallelism':2}", "run ok ok run ok", "Complete",
	 "\"succeeded\":3", NULL, 3},
	{"no more pods than completions are left", "{'completions':3,'parallelism':2}", "run ok ok", "",
	 "\"succeeded\":2|\"active\":1", NULL, 3},
	{"without completions one success and the end of the rest completes", "{'parallelism':3}", "run ok fail ok",
	 "Complete", "\"succeeded\":2|\"failed\":1", NULL, 3},
	{"back-off limit zero fails at the first failure", "{'completions':1,'backoffLimit':0}", "run fail",
	 "Failed/BackoffLimitExceeded", "\"failed\":1|FailureTarget", "\"completionTime\"|\"succeeded\"", 1},
	{"a failed pod is replaced after ten seconds", "{'completions':1,'backoffLimit':2}", "run fail +9s", "",
	 "\"failed\":1", "\"active\"", 1},
	{"and then the replacement may succeed", "{'completions':1,'backoffLimit':2}", "run fail +11s run ok",
	 "Complete", "\"failed\":1|\"succeeded\":1", NULL, 2},
	{"back-off doubles", "{'completions':1,'backoffLimit':6}", "run fail +11s run fail +11s", "", "\"failed\":2",
	 "\"active\"", 2},
	{"active pods of a failed job go and count as failed", "{'completions':3,'parallelism':3,'backoffLimit':0}",
	 "run fail", "Failed/BackoffLimitExceeded", "\"failed\":3|\"terminating\":0", "\"active\"", 1},
	{"a deleted pod counts as failed and is replaced", "{'completions':1}", "run kill +11s", "",
	 "\"failed\":1|\"active\":1", NULL, 1},
	{"unless only ended pods are replaced: then it waits", "{'completions':1,'podReplacementPolicy':'Failed'}",
	 "run kill", "", "\"terminating\":1", "\"active\"|\"failed\"", 1},
	{"a suspended job makes no pods", "{'suspend':true}", "", "", "Suspended|JobSuspended",
	 "\"startTime\"|\"active\"", 0},
	{"resuming starts it", "{'suspend':true}", "resume", "", "JobResumed|\"active\":1|\"startTime\"", NULL, 1},
	{"suspending takes its pods away, uncounted", "{'completions':2,'parallelism':2}", "run suspend", "",
	 "\"status\":\"True\"|\"terminating\":0", "\"startTime\"|\"active\"|\"failed\"", 0},
	{"and resuming makes new ones", "{'completions':2,'parallelism':2}", "run suspend resume run ok ok", "Complete",
	 "\"succeeded\":2", "\"failed\"", 2},
	{"a suspended job does not time out", "{'suspend':true,'activeDeadlineSeconds':5}", "+60s", "", "Suspended",
	 NULL, 0},
	{"too long active", "{'activeDeadlineSeconds':5}", "run +4s +2s", "Failed/DeadlineExceeded", "\"failed\":1",
	 "\"completionTime\"", 0},
	{"somebody else's job is left alone", "{'managedBy':'example.com/other'}", "", "", "", "\"startTime\"", 0},
	{"lowering parallelism takes pods away", "{'completions':4,'parallelism':1}", "run", "", "\"active\":1", NULL,
	 1},

	{"indexed: each index once", "{'completionMode':'Indexed','completions':3,'parallelism':3}", "run ok:0 ok:2",
	 "", "\"completedIndexes\":\"0,2\"|\"succeeded\":2|\"active\":1", "failedIndexes", 3},
	{"indexed: a range", "{'completionMode':'Indexed','completions':5,'parallelism':5}", "run ok:0 ok:1 ok:2 ok:4",
	 "", "\"completedIndexes\":\"0-2,4\"", NULL, 5},
	{"indexed: all", "{'completionMode':'Indexed','completions':2,'parallelism':1}", "run ok:0 run ok:1",
	 "Complete", "\"completedIndexes\":\"0,1\"|\"succeeded\":2", NULL, 2},
	{"indexed: the index that failed comes again", "{'completionMode':'Indexed','completions':2,'parallelism':2}",
	 "run fail:1 +11s", "", "\"failed\":1|\"active\":2", NULL, 3},
	{"per index: a failure is forgiven",
	 "{'completionMode':'Indexed','completions':2,'parallelism':2,'backoffLimitPerIndex':1}",
	 "run fail:1 +11s run ok:1 ok:0", "Complete",
	 "\"failed\":1|\"completedIndexes\":\"0,1\"|\"failedIndexes\":\"\"", NULL, 3},
	{"per index: an index that failed for good leaves the others running",
	 "{'completionMode':'Indexed','completions':3,'parallelism':3,'backoffLimitPerIndex':0}", "run fail:1", "",
	 "\"failedIndexes\":\"1\"|\"active\":2|\"failed\":1", "FailureTarget", 3},
	{"per index: and fails the job at the end",
	 "{'completionMode':'Indexed','completions':3,'parallelism':3,'backoffLimitPerIndex':0}",
	 "run fail:1 ok:0 ok:2", "Failed/FailedIndexes",
	 "\"failedIndexes\":\"1\"|\"completedIndexes\":\"0,2\"|\"succeeded\":2|\"failed\":1", "\"completionTime\"", 3},
	{"per index: too many failed indexes end it at once",
	 "{'completionMode':'Indexed','completions':6,'parallelism':6,'backoffLimitPerIndex':0,'maxFailedIndexes':1}",
	 "run fail:1 fail:3", "Failed/MaxFailedIndexesExceeded", "\"failedIndexes\":\"1,3\"|\"failed\":6", "\"active\"",
	 2},
	{"per index: as many as allowed do not",
	 "{'completionMode':'Indexed','completions':4,'parallelism':4,'backoffLimitPerIndex':0,'maxFailedIndexes':2}",
	 "run fail:1 fail:3", "", "\"failedIndexes\":\"1,3\"|\"active\":2", "FailureTarget", 4},
	{"per index: the second failure of one index",
	 "{'completionMode':'Indexed','completions':1,'parallelism':1,'backoffLimitPerIndex':1}",
	 "run fail:0 +11s run fail:0", "Failed/FailedIndexes", "\"failedIndexes\":\"0\"|\"failed\":2", NULL, 2},
	{"suspended in the middle it keeps what was done",
	 "{'completionMode':'Indexed','completions':3,'parallelism':3}", "run ok:1 suspend resume run ok:0 ok:2",
	 "Complete", "\"completedIndexes\":\"0-2\"|\"succeeded\":3", "\"failed\"", 3},

	{"success policy: the leader is enough",
	 "{'completionMode':'Indexed','completions':3,'parallelism':3,'successPolicy':{'rules':[{'succeededIndexes':'0'"
	 ",'succeededCount':1}]}}",
	 "run ok:0", "Complete", "SuccessPolicy|\"completedIndexes\":\"0\"|Matched rules at index 0",
	 "\"active\"|\"failed\"", 1},
	{"success policy: two of three",
	 "{'completionMode':'Indexed','completions':3,'parallelism':3,'successPolicy':{'rules':[{'succeededCount':2}]}"
	 "}",
	 "run ok:0 ok:2", "Complete", "\"succeeded\":2", NULL, 2},
	{"failure policy: an exit code ends the job",
	 "{'completions':1,'backoffLimit':6,'podFailurePolicy':{'rules':[{'action':'FailJob','onExitCodes':{'operator':"
	 "'In','values':[42]}}]}}",
	 "run fail=42", "Failed/PodFailurePolicy", "failed with exit code 42 matching FailJob rule at index 0", NULL,
	 1},
	{"failure policy: another does not",
	 "{'completions':1,'backoffLimit':6,'podFailurePolicy':{'rules':[{'action':'FailJob','onExitCodes':{'operator':"
	 "'In','values':[42]}}]}}",
	 "run fail=1", "", "\"failed\":1", NULL, 1},
	{"failure policy: an ignored failure is not counted",
	 "{'completions':1,'backoffLimit':0,'podFailurePolicy':{'rules':[{'action':'Ignore','onExitCodes':{'operator':'"
	 "NotIn','values':[42]}}]}}",
	 "run fail=7", "", "\"active\":1", "\"failed\"|FailureTarget", 2},
	{"failure policy: one index at once",
	 "{'completionMode':'Indexed','completions':2,'parallelism':2,'backoffLimitPerIndex':3,'podFailurePolicy':{'"
	 "rules':[{'action':'FailIndex','onExitCodes':{'operator':'In','values':[3]}}]}}",
	 "run fail:0=3", "", "\"failedIndexes\":\"0\"|\"active\":1", NULL, 2},
	{"a completion index out of range is no number of ours",
	 "{'completionMode':'Indexed','completions':2000000,'parallelism':1}", "", "", "", "\"startTime\"", 0},
};

ParameterizedTestParameters(jobctl, a_job_and_its_pods_give_the_real_status)
{
	static size_t index[sizeof(rows) / sizeof(rows[0])];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		index[i] = i;
	return cr_make_param_array(size_t, index, sizeof(rows) / sizeof(rows[0]));
}

static void each_part(const struct row *r, const char *parts, const char *text, bool wanted)
{
	char *copy = sw_strdup(parts ? parts : ""), *save = NULL;

	for (char *p = strtok_r(copy, "|", &save); p; p = strtok_r(NULL, "|", &save))
		cr_expect_eq(strstr(text, p) != NULL, wanted, "%s: %s %s: %s", r->name, p,
			     wanted ? "is missing in" : "is in", text);
	free(copy);
}

ParameterizedTest(const size_t *i, jobctl, a_job_and_its_pods_give_the_real_status)
{
	const struct row *r = &rows[*i];
	struct world w;
	char end[96], *text;

	world_open(&w, r->spec);
	world_play(&w, r->script);
	text = sw_json_at(w.job, "status") ? sw_json_text(sw_json_at(w.job, "status"), NULL) : sw_strdup("");
	cr_expect_str_eq(world_end(&w, end), r->end, "%s: ended \"%s\", expected \"%s\": %s", r->name, end, r->end,
			 text);
	each_part(r, r->has, text, true);
	each_part(r, r->lacks, text, false);
	cr_expect_eq(w.n, r->pods, "%s: %zu pods are left, expected %zu", r->name, w.n, r->pods);
	free(text);
	world_close(&w);
}

Test(jobctl, an_indexed_pod_carries_its_index_everywhere)
{
	struct world w;
	json_t *pod, *env;

	world_open(&w, "{'completionMode':'Indexed','completions':3,'parallelism':3,'backoffLimitPerIndex':1}");
	world_settle(&w);
	pod = world_pod(&w, "2");
	cr_assert(pod);
	cr_expect_str_eq(sw_json_label(pod, SIM_INDEX), "2");
	cr_expect_str_eq(sw_json_str(pod, "spec.hostname"), "j-2");
	cr_expect_eq(strncmp(sw_json_str(pod, "metadata.name"), "j-2-", 4), 0);
	cr_expect_str_eq(sw_json_annotation(pod, "batch.kubernetes.io/job-index-failure-count"), "0");
	env = sw_json_idx(sw_json_at(sw_json_idx(sw_json_at(pod, "spec.containers"), 0), "env"), 0);
	cr_expect_str_eq(sw_json_str(env, "name"), "JOB_COMPLETION_INDEX");
	cr_expect_str_eq(sw_json_str(sw_json_idx(sw_json_at(pod, "metadata.ownerReferences"), 0), "uid"), "job-uid");
	cr_expect(sim_has_finalizer(pod, SIM_TRACKING));
	cr_expect_null(sw_json_at(w.job, "spec.template.metadata.finalizers"), "the job itself must not change");
	world_close(&w);
}

Test(jobctl, the_replacement_of_an_index_remembers_its_failures)
{
	struct world w;

	world_open(&w, "{'completionMode':'Indexed','completions':1,'parallelism':1,'backoffLimitPerIndex':3}");
	world_play(&w, "run fail:0 +11s run fail:0 +21s");
	cr_expect_str_eq(sw_json_annotation(world_pod(&w, "0"), "batch.kubernetes.io/job-index-failure-count"), "2");
	world_close(&w);
}

Test(jobctl, time_to_live_is_counted_from_the_end_and_scaled)
{
	struct world w;

	world_open(&w, "{'ttlSecondsAfterFinished':60}");
	w.clock.scale = 10;
	cr_expect_eq(world_play(&w, "run ok"), 6000);
	cr_expect_not(w.expired);
	world_play(&w, "+6s");
	cr_expect(w.expired);
	world_close(&w);
}

Test(jobctl, deadlines_and_back_off_are_scaled)
{
	struct world w;

	world_open(&w, "{'activeDeadlineSeconds':100,'completions':1}");
	w.clock.scale = 100;
	cr_expect_eq(world_play(&w, "run"), 1000);
	cr_expect_eq(world_play(&w, "fail"), 100);
	world_close(&w);
}

Test(jobctl, each_ending_is_told_once)
{
	struct world w;

	world_open(&w, "{'completions':1}");
	world_play(&w, "run ok +1s +1s");
	cr_expect_str_eq(w.events, "SuccessfulCreate Completed ");
	world_close(&w);
}

Test(jobctl, hostile_objects_do_no_harm)
{
	static const char *const specs[] = {
		"{}",
		"{'parallelism':-5}",
		"{'completions':-1}",
		"{'completionMode':'Indexed'}",
		"{'completionMode':7,'completions':'x'}",
		"{'successPolicy':[],'podFailurePolicy':{'rules':[1,null,{}]}}",
		"{'template':7}",
		"{'completionMode':'Indexed','completions':3,'parallelism':2147483647}",
	};
	static const char *const pods[] = {
		"{}",
		"{'metadata':7}",
		"{'metadata':{'uid':'u','finalizers':'x'},'status':{'phase':3}}",
		"{'metadata':{'uid':'u','finalizers':['" SIM_TRACKING "',null,3],'annotations':{'" SIM_INDEX
		"':'99999999999'}},'status':{'phase':'Failed','containerStatuses':{}}}",
		"{'metadata':{'uid':'v','finalizers':['" SIM_TRACKING "'],'annotations':{'" SIM_INDEX
		"':'-1'}},'status':{'phase':'Succeeded'}}",
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		for (size_t k = 0; k < sizeof(pods) / sizeof(pods[0]); k++) {
			struct world w;
			struct sim_plan p;
			json_t *pod = json_of(pods[k]);

			world_open(&w, specs[i]);
			sim_plan_init(&p);
			sim_job_plan(w.job, &pod, 1, &w.clock, &w.mem, &p);
			cr_expect_leq(sw_json_len(p.create), 500);
			sim_plan_fini(&p);
			json_object_put(pod);
			world_close(&w);
		}
}

/* ---- indexes ------------------------------------------------------------------------- */

static const struct {
	const char *in, *out;
	int32_t n;
} index_rows[] = {
	{"", "", 0},
	{"0", "0", 1},
	{"1,2", "1,2", 2},
	{"1-3", "1-3", 3},
	{"1,3-5,7", "1,3-5,7", 5},
	{"3,1,2", "1-3", 3},
	{"8-20", "8,9", 2},
	{"99", "", 0},
	{"a,1,-,2-,4-x", "1", 1},
	{"5-2", "", 0},
	{"1,1,1-1", "1", 1},
	{"99999999999999999999", "", 0},
	{",,,4,,", "4", 1},
	{"-3", "", 0},
};

Test(jobctl, index_lists_are_read_and_written_as_the_real_ones)
{
	for (size_t i = 0; i < sizeof(index_rows) / sizeof(index_rows[0]); i++) {
		unsigned char set[11] = {0};
		struct sw_buf b;

		cr_expect_eq(sim_indexes_read(index_rows[i].in, set, 10), index_rows[i].n, "%s", index_rows[i].in);
		sw_buf_init(&b, 256);
		sim_indexes_text(&b, set, 10);
		cr_expect_str_eq(b.at ? b.at : "", index_rows[i].out, "%s", index_rows[i].in);
		sw_buf_fini(&b);
	}
}
