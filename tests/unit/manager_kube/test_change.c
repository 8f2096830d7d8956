/* SPDX-License-Identifier: Apache-2.0 */
/* test_change.c - rows, and what dispatch decides, as requests to the API server */
#include "mirror_test.h"

#define IS(e) cr_assert(!sw_failed(e), "%s", (e).text)

static json_t *workload(struct world *w, const char *job)
{
	char name[80];

	snprintf(name, sizeof(name), "job-%s-12345", job);
	json_t *o = get(w, WL, name);

	cr_assert(o);
	return o;
}

static const char *check_field(json_t *o, const char *field)
{
	return sw_json_str(sw_json_idx(sw_json_at(o, "status.admissionChecks"), 0), field);
}

Test(change, our_check_is_made_active)
{
	struct world w;

	world_open(&w);
	json_t *o = get(&w, CHECKS, "spillway");

	cr_expect(sw_json_condition_true(o, "Active"));
	json_object_put(o);
	world_close(&w);
}

Test(change, a_workload_is_ours_when_its_checks_say_so)
{
	struct world w;

	world_open(&w);
	kueue_job(&w, "pi");
	settle(&w, 50);
	cr_expect_null(row(&w, "pi"), "no check of ours yet");
	kueue_reserve(&w, "pi");
	const struct sw_workload *r = row(&w, "pi");

	cr_expect_str_eq(r->queue, "lq");
	cr_expect_str_eq(r->cluster_queue, "cq");
	cr_expect_eq(r->priority, 7);
	cr_expect_str_eq(r->priority_class, "low");
	cr_expect_eq(r->attempt, 1);
	cr_expect(r->active && r->reserved && !r->evicted && !r->finished && !r->deleting && !r->nominated);
	cr_expect_null(r->cluster);
	cr_expect_eq(r->kind, sw_kind_find("jobs.batch"));
	world_close(&w);
}

Test(change, another_check_that_is_not_ready_holds_the_workload_back)
{
	struct world w;

	world_open(&w);
	kueue_job(&w, "pi");
	kueue_reserve(&w, "pi");
	json_t *o = workload(&w, "pi");

	json_object_array_add(sw_json_at(o, "status.admissionChecks"),
			      json_of("{'name':'other','state':'Pending','message':'','lastTransitionTime':"
				      "'2026-11-23T10:00:00Z'}"));
	put_status(&w, WL, o);
	UNTIL(&w, !row(&w, "pi")->reserved);
	world_close(&w);
}

Test(change, reading_a_job_to_place_it_is_one_request_and_holds_it)
{
	struct world w;
	struct answer a;

	world_open(&w);
	kueue_job(&w, "pi");
	kueue_reserve(&w, "pi");
	log_clear();
	struct sw_err e = read_job(&w, "pi", &a);

	IS(e);
	cr_expect_str_eq(fault_log, "PATCH /apis/batch/v1/namespaces/default/jobs/pi/status\n");
	cr_expect_str_eq(sw_json_str(a.job, "metadata.name"), "pi");
	cr_expect(sw_json_condition_true(a.job, "Suspended"));
	cr_expect_eq(sw_json_len(sw_json_at(a.workload, "spec.podSets")), 1);
	json_object_put(a.job);
	json_object_put(a.workload);
	log_clear();
	e = read_job(&w, "pi", &a);
	IS(e);
	cr_expect_str_eq(fault_log, "GET /apis/batch/v1/namespaces/default/jobs/pi\n", "it is held already");
	json_object_put(a.job);
	json_object_put(a.workload);
	world_close(&w);
}

Test(change, three_requests_lead_to_a_winner)
{
	struct world w;
	struct answer a;

	world_open(&w);
	kueue_job(&w, "pi");
	kueue_reserve(&w, "pi");
	log_clear();
	IS(read_job(&w, "pi", &a));
	IS(nominate(&w, "pi", "east"));
	cr_expect(row(&w, "pi")->nominated);
	cr_expect_str_eq(row(&w, "pi")->message, "try it", "known without waiting for the watch");
	IS(win(&w, "pi", "east"));
	cr_expect_eq(logged("\n"), 3, "%s", fault_log);
	json_t *o = workload(&w, "pi");

	cr_expect_str_eq(sw_json_str(o, "status.clusterName"), "east");
	cr_expect_null(sw_json_at(o, "status.nominatedClusterNames"));
	cr_expect_str_eq(check_field(o, "state"), "Ready");
	cr_expect_str_eq(check_field(o, "message"), "placed");
	cr_expect_str_eq(row(&w, "pi")->cluster, "east");
	json_object_put(o);
	json_object_put(a.job);
	json_object_put(a.workload);
	world_close(&w);
}

Test(change, a_winner_that_was_not_nominated_is_nominated_first)
{
	struct world w;

	world_open(&w);
	kueue_job(&w, "pi");
	kueue_reserve(&w, "pi");
	log_clear();
	IS(win(&w, "pi", "west"));
	cr_expect_eq(logged("/jobs/pi/status"), 1, "%s", fault_log);
	cr_expect_eq(logged("PATCH /apis/kueue"), 2, "%s", fault_log);
	cr_expect_str_eq(row(&w, "pi")->cluster, "west");
	struct sw_err e = win(&w, "pi", "east");

	cr_expect_eq(e.code, SW_E_INVALID, "there is one winner: %s", e.text);
	cr_expect_str_eq(row(&w, "pi")->cluster, "west");
	world_close(&w);
}

static struct {
	struct world *w;
	struct answer answer;
} somebody;

static void on_somebody(void *owner, struct sw_err e, json_t *o)
{
	(void)o;
	on_done(owner, e);
}

static void somebody_writes(void)
{
	json_t *o = workload(somebody.w, "pi");

	sw_json_set_int(o, "status.requeueState.count", 1);
	IS(sw_api_object_update(somebody.w->api, WL, o, "status", on_somebody, &somebody.answer));
	json_object_put(o);
}

/* Each kind of write: what it looks at after the refusal must not be the call that has ended with it. */
Test(change, a_decision_on_an_old_state_is_refused_and_the_new_state_is_known)
{
	static const char *const clusters[] = {"east", NULL};
	static const struct sw_change changes[] = {
		{.op = SW_CHANGE_NOMINATE, .clusters = clusters, .message = ""},
		{.op = SW_CHANGE_MESSAGE, .message = "waits"},
		{.op = SW_CHANGE_EVICT, .reason = "Tried", .message = ""},
	};

	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		struct world w;
		struct answer a = {0};

		world_open(&w);
		kueue_job(&w, "pi");
		kueue_reserve(&w, "pi");
		const struct sw_workload *r = row(&w, "pi");
		somebody.w = &w;
		somebody.answer = (struct answer){0};
		fault_meanwhile = somebody_writes; /* before our request arrives */
		struct sw_err e = w.m->ops->change(w.m, r->key, r->rv, &changes[i], on_done, &a);

		IS(e);
		UNTIL(&w, a.done);
		cr_assert(somebody.answer.done);
		IS(somebody.answer.e);
		cr_expect_eq(a.e.code, SW_E_CONFLICT, "%zu: %s", i, a.e.text);
		cr_expect(!row(&w, "pi")->nominated);
		IS(nominate(&w, "pi", "east"));
		world_close(&w);
	}
}

Test(change, a_lost_reply_is_an_error_whose_effect_is_seen_later)
{
	struct world w;

	world_open(&w);
	kueue_job(&w, "pi");
	kueue_reserve(&w, "pi");
	IS(nominate(&w, "pi", "east"));
	fault_lose = "PATCH /apis/kueue";
	struct sw_err e = win(&w, "pi", "east");

	cr_expect_eq(e.code, SW_E_NET, "%s", e.text);
	UNTIL(&w, row(&w, "pi")->cluster);
	cr_expect_str_eq(row(&w, "pi")->cluster, "east");
	world_close(&w);
}

Test(change, an_eviction_is_asked_for_by_retry)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	IS(change(&w, "pi", (struct sw_change){.op = SW_CHANGE_EVICT, .reason = "WorkerLost", .message = "gone"}));
	json_t *o = workload(&w, "pi");

	cr_expect_str_eq(check_field(o, "state"), "Retry");
	json_object_put(o);
	cr_expect(row(&w, "pi")->evicted, "over at once, whatever Kueue still has to do");
	cr_expect_eq(row(&w, "pi")->attempt, 1);
	kueue_evict(&w, "pi", "AdmissionCheck");
	cr_expect(row(&w, "pi")->evicted);
	cr_expect_eq(row(&w, "pi")->attempt, 1, "the release is owed");
	world_close(&w);
}

/* Kueue has started the job here, and its copy's status has come home. */
static void runs_here(struct world *w)
{
	bool home = false;

	kueue_suspend(w, "pi", false);
	IS(sync_status(w, "pi", "{'active':1,'ready':1,'startTime':'2026-11-23T10:00:00Z'}"));
	for (int i = 0; i < 100 && !home; i++) {
		json_t *o = get(w, JOBS, "pi");

		home = sw_json_int(o, "status.active", 0) == 1;
		json_object_put(o);
		settle(w, 20);
	}
	cr_assert(home);
}

Test(change, a_job_that_kueue_stops_though_it_was_not_evicted_is_stopped_where_it_runs)
{
	struct world w;

	world_open(&w);
	kueue_job(&w, "pi");
	kueue_reserve(&w, "pi");
	kueue_stop(&w, "pi");
	IS(win(&w, "pi", "east"));
	settle(&w, 50);
	cr_expect_eq(row(&w, "pi")->check, SW_CHECK_READY, "nothing ran: Kueue waits for nobody");
	runs_here(&w);
	settle(&w, 50);
	cr_expect_eq(row(&w, "pi")->check, SW_CHECK_READY);
	kueue_stop(&w, "pi");
	UNTIL(&w, row(&w, "pi")->check == SW_CHECK_RETRY);
	cr_expect(row(&w, "pi")->evicted);
	cr_expect_str_eq(row(&w, "pi")->cluster, "east", "until its copy is gone");
	cr_expect(strstr(row(&w, "pi")->message, "changed while it ran"), "%s", row(&w, "pi")->message);
	world_close(&w);
}

Test(change, an_evicted_job_that_kueue_stops_is_evicted_once)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	runs_here(&w);
	kueue_evict(&w, "pi", "Preempted");
	kueue_stop(&w, "pi");
	settle(&w, 100);
	cr_expect(row(&w, "pi")->evicted);
	cr_expect_neq(row(&w, "pi")->check, SW_CHECK_RETRY);
	world_close(&w);
}

Test(change, a_release_clears_the_winner_before_the_quota_can_come_back)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	kueue_suspend(&w, "pi", false);
	IS(finish(&w, "pi", "{'active':1,'failed':2,'startTime':'2026-11-23T10:00:00Z'}", SW_UNFINISHED));
	kueue_evict(&w, "pi", "Preempted");
	kueue_suspend(&w, "pi", true);
	log_clear();
	IS(change(&w, "pi", (struct sw_change){.op = SW_CHANGE_RELEASED, .message = "swept"}));
	cr_expect(strstr(fault_log, "/workloads/") < strstr(fault_log, "/jobs/"), "%s", fault_log);
	cr_expect_eq(logged("PATCH"), 2, "%s", fault_log);
	json_t *o = workload(&w, "pi"), *job = get(&w, JOBS, "pi");

	cr_expect_null(sw_json_at(o, "status.clusterName"));
	cr_expect_str_eq(check_field(o, "message"), "swept [base {\"failed\":2}]");
	cr_expect_eq(sw_json_int(job, "status.active", 0), 0);
	cr_expect_eq(sw_json_int(job, "status.failed", 0), 2);
	cr_expect_null(sw_json_at(job, "status.startTime"));
	cr_expect(sw_json_condition_true(job, "Suspended"));
	json_object_put(o);
	json_object_put(job);
	kueue_unreserve(&w, "pi");
	cr_expect(!row(&w, "pi")->evicted && !row(&w, "pi")->reserved);
	cr_expect_eq(row(&w, "pi")->attempt, 2);
	kueue_reserve(&w, "pi");
	IS(win(&w, "pi", "west"));
	o = workload(&w, "pi");
	cr_expect_str_eq(check_field(o, "message"), "placed [base {\"failed\":2}]", "kept through other messages");
	cr_expect_str_eq(row(&w, "pi")->message, "placed");
	json_object_put(o);
	world_close(&w);
}

Test(change, a_job_whose_workload_is_deleted_says_that_nothing_runs_once_its_copy_is_gone)
{
	struct world w;
	struct answer a = {0};

	world_open(&w);
	placed(&w, "pi", "east");
	runs_here(&w);
	erase(&w, WL, "job-pi-12345");
	UNTIL(&w, row(&w, "pi") && row(&w, "pi")->deleting);
	const struct sw_workload *r = row(&w, "pi");
	struct sw_change c = {.op = SW_CHANGE_RELEASED, .message = ""};

	IS(w.m->ops->change(w.m, r->key, r->rv, &c, on_done, &a));
	settle(&w, 200);
	cr_expect(!a.done, "Kueue stops the job first");
	json_t *o = get(&w, JOBS, "pi");

	cr_expect_eq(sw_json_int(o, "status.active", 0), 1);
	json_object_put(o);
	kueue_suspend(&w, "pi", true);
	UNTIL(&w, a.done);
	IS(a.e);
	o = get(&w, JOBS, "pi");
	cr_expect_eq(sw_json_int(o, "status.active", 0), 0, "Kueue may make another Workload");
	cr_expect(sw_json_condition_true(o, "Suspended"));
	json_object_put(o);
	cr_expect_null(row(&w, "pi"));
	world_close(&w);
}

Test(change, a_release_waits_until_kueue_has_stopped_the_job)
{
	struct world w;
	struct answer a = {0};

	world_open(&w);
	placed(&w, "pi", "east");
	kueue_suspend(&w, "pi", false);
	IS(finish(&w, "pi", "{'active':1,'startTime':'2026-11-23T10:00:00Z'}", SW_UNFINISHED));
	kueue_evict(&w, "pi", "Preempted");
	const struct sw_workload *r = row(&w, "pi");
	struct sw_change c = {.op = SW_CHANGE_RELEASED, .message = ""};

	IS(w.m->ops->change(w.m, r->key, r->rv, &c, on_done, &a));
	settle(&w, 200);
	cr_expect(!a.done);
	kueue_suspend(&w, "pi", true);
	UNTIL(&w, a.done);
	IS(a.e);
	world_close(&w);
}

Test(change, a_cluster_name_beside_a_pending_check_is_of_an_attempt_that_is_over)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	kueue_evict(&w, "pi", "Preempted");
	kueue_unreserve(&w, "pi"); /* nothing was active: Kueue did not wait for us */
	cr_expect(row(&w, "pi")->evicted);
	kueue_reserve(&w, "pi");
	cr_expect(row(&w, "pi")->evicted, "reserved anew, but the old copy is not swept");
	cr_expect_eq(row(&w, "pi")->attempt, 1);
	IS(change(&w, "pi", (struct sw_change){.op = SW_CHANGE_RELEASED, .message = ""}));
	cr_expect(!row(&w, "pi")->evicted);
	cr_expect_eq(row(&w, "pi")->attempt, 2);
	IS(nominate(&w, "pi", "west"));
	world_close(&w);
}

Test(change, a_deleted_job_keeps_its_row_until_it_is_released)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	erase(&w, WL, "job-pi-12345");
	erase(&w, JOBS, "pi");
	UNTIL(&w, row(&w, "pi")->deleting);
	settle(&w, 50);
	cr_assert(row(&w, "pi"));
	cr_expect_str_eq(row(&w, "pi")->cluster, "east");
	log_clear();
	IS(change(&w, "pi", (struct sw_change){.op = SW_CHANGE_RELEASED}));
	cr_expect_null(row(&w, "pi"));
	cr_expect_str_eq(fault_log, "", "nothing is left to write to");
	world_close(&w);
}

Test(change, a_deleted_job_that_was_nowhere_has_no_row)
{
	struct world w;

	world_open(&w);
	kueue_job(&w, "pi");
	kueue_reserve(&w, "pi");
	erase(&w, WL, "job-pi-12345");
	UNTIL(&w, !row(&w, "pi"));
	world_close(&w);
}

/* A job and a Workload of it, which has quota and waits for our check. */
static void waiting_job(struct world *w, const char *job_spec, const char *annotations)
{
	char text[1200];

	snprintf(text, sizeof(text),
		 "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'e','namespace':'default','labels':{"
		 "'kueue.x-k8s.io/queue-name':'lq'}},'spec':{%s'suspend':true,'template':{'spec':{'restartPolicy':"
		 "'Never','containers':[{'name':'c','image':'i'}]}}}}",
		 job_spec);
	create(w, JOBS, text);
	json_t *o = get(w, JOBS, "e");

	snprintf(
		text, sizeof(text),
		"{'apiVersion':'kueue.x-k8s.io/v1beta2','kind':'Workload','metadata':{'name':'job-e-12345','namespace':"
		"'default','annotations':{%s},'ownerReferences':[{'apiVersion':'batch/v1','kind':'Job','name':'e',"
		"'uid':'%s'}]},'spec':{'queueName':'lq','podSets':[{'name':'main','count':1,'template':{'spec':{"
		"'containers':[{'name':'c','image':'i'}]}}}]}}",
		annotations, sw_json_str(o, "metadata.uid"));
	json_object_put(o);
	create(w, WL, text);
	o = workload(w, "e");
	sw_json_set_condition(o, "QuotaReserved", true, "QuotaReserved", "", "2026-11-23T10:00:00Z");
	sw_json_set(o, "status.admissionChecks",
		    json_of("[{'name':'spillway','state':'Pending','message':'','lastTransitionTime':"
			    "'2026-11-23T10:00:00Z'}]"));
	put_status(w, WL, o);
}

Test(change, a_job_that_could_never_run_through_us_is_rejected)
{
#define MANAGED "'managedBy':'kueue.x-k8s.io/multikueue',"
	static const struct {
		const char *job_spec, *annotations, *says; /* NULL: placeable */
	} rows[] = {
		{"", "", "spec.managedBy"},
		{"'managedBy':'example.org/other',", "", "spec.managedBy"},
		{MANAGED, "'kueue.x-k8s.io/elastic-job':'true'", "is elastic"},
		{MANAGED, "'kueue.x-k8s.io/elastic-job':'false'", NULL},
		{MANAGED, "", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world w;

		world_open(&w);
		waiting_job(&w, rows[i].job_spec, rows[i].annotations);
		if (rows[i].says) {
			UNTIL(&w, row(&w, "e") && row(&w, "e")->check == SW_CHECK_REJECTED);
			cr_expect(!row(&w, "e")->reserved, "row %zu: it is never shown as placeable", i);
			cr_expect(strstr(row(&w, "e")->message, rows[i].says), "row %zu: %s", i, row(&w, "e")->message);
		} else {
			UNTIL(&w, row(&w, "e") && row(&w, "e")->reserved);
			cr_expect_eq(row(&w, "e")->check, SW_CHECK_PENDING, "row %zu", i);
		}
		world_close(&w);
	}
}

/* ---- hostile objects ------------------------------------------------------------------------------ */

static const char *const hostile[] = {
	"{'admissionChecks':[]}",
	"{'admissionChecks':[{'name':'spillway','state':'Pending','message':'[base ','lastTransitionTime':"
	"'2026-11-23T10:00:00Z'}]}",
	"{'admissionChecks':[{'name':'spillway','state':'Ready','message':'x [base [1,2]]','lastTransitionTime':"
	"'2026-11-23T10:00:00Z'}],'clusterName':'nobody','nominatedClusterNames':[]}",
	"{'admissionChecks':[{'name':'spillway','state':'Retry','message':' [base {}]','lastTransitionTime':"
	"'2026-11-23T10:00:00Z'}],'schedulingStats':{'evictions':[{'reason':'a','underlyingCause':'','count':"
	"2147483647},"
	"{'reason':'b','underlyingCause':'','count':2147483647}]}}",
};

Test(change, hostile_statuses_crash_nobody)
{
	struct world w;

	world_open(&w);
	kueue_job(&w, "pi");
	kueue_reserve(&w, "pi");
	for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
		json_t *o = workload(&w, "pi");
		unsigned before = w.changes;

		json_object_object_add(o, "status", json_of(hostile[i]));
		put_status(&w, WL, o);
		UNTIL(&w, w.changes > before);
		const struct sw_workload *r = row(&w, "pi");

		cr_expect(!r || !r->reserved, "row %zu", i);
		cr_expect(!r || r->attempt >= 1, "row %zu", i);
	}
	world_close(&w);
}

Test(change, what_is_only_news_while_a_job_runs_is_written_later)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	log_clear();
	IS(change(&w, "pi", (struct sw_change){.op = SW_CHANGE_MESSAGE, .message = "all pods are scheduled"}));
	cr_expect_str_eq(row(&w, "pi")->message, "all pods are scheduled");
	cr_expect_str_eq(fault_log, "");
	json_t *o = workload(&w, "pi"); /* Kueue writes something */

	sw_json_set_condition(o, "Admitted", true, "Admitted", "", "2026-11-23T10:00:00Z");
	unsigned before = w.changes;

	put_status(&w, WL, o);
	UNTIL(&w, w.changes > before);
	cr_expect_str_eq(row(&w, "pi")->message, "all pods are scheduled", "not forgotten");
	kueue_evict(&w, "pi", "Preempted");
	cr_expect(strstr(row(&w, "pi")->message, "Previously"), "the attempt is over: %s", row(&w, "pi")->message);
	world_close(&w);
}
