/* SPDX-License-Identifier: Apache-2.0 */
/* test_home.c - status, the end, events, notes and the lease */
#include "mirror_test.h"

#define IS(e) cr_assert(!sw_failed(e), "%s", (e).text)

static int64_t status_int(struct world *w, const char *job, const char *path)
{
	json_t *o = get(w, JOBS, job);
	int64_t n = sw_json_int(o, path, -1);

	json_object_put(o);
	return n;
}

static const char busy[] = "{'active':1,'ready':1,'startTime':'2026-11-23T10:00:00Z'}";
static const char well[] = "{'succeeded':1,'startTime':'2026-11-23T10:00:00Z','completionTime':'2026-11-23T10:01:00Z',"
			   "'conditions':[{'type':'Complete','status':'True','reason':'CompletionsReached',"
			   "'lastTransitionTime':'2026-11-23T10:01:00Z'}]}";

Test(home, nothing_runs_here_before_kueue_has_started_the_job)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	log_clear();
	IS(sync_status(&w, "pi", busy));
	settle(&w, 800);
	cr_expect_str_eq(fault_log, "");
	kueue_suspend(&w, "pi", false);
	UNTIL(&w, status_int(&w, "pi", "status.active") == 1);
	cr_expect_eq(logged("PATCH"), 1, "%s", fault_log);
	world_close(&w);
}

Test(home, statuses_that_change_quickly_share_a_write)
{
	struct world w;
	char text[100];

	world_open(&w);
	placed(&w, "pi", "east");
	kueue_suspend(&w, "pi", false);
	log_clear();
	for (int i = 1; i <= 5; i++) {
		snprintf(text, sizeof(text), "{'active':%d,'startTime':'2026-11-23T10:00:00Z'}", i);
		IS(sync_status(&w, "pi", text));
	}
	UNTIL(&w, status_int(&w, "pi", "status.active") == 5);
	cr_expect_eq(logged("PATCH"), 1, "%s", fault_log);
	world_close(&w);
}

Test(home, the_end_does_not_wait_and_is_written_once)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	kueue_suspend(&w, "pi", false);
	IS(sync_status(&w, "pi", busy));
	log_clear();
	IS(finish(&w, "pi", well, SW_SUCCEEDED));
	json_t *o = get(&w, JOBS, "pi");

	cr_expect(sw_json_condition_true(o, "Complete"));
	cr_expect(sw_json_condition_true(o, "SuccessCriteriaMet"), "else the API server refuses Complete");
	json_object_put(o);
	cr_expect(row(&w, "pi")->finished, "the copy may go, whenever Kueue writes Finished");
	IS(finish(&w, "pi", well, SW_SUCCEEDED));
	settle(&w, 700);
	cr_expect_eq(logged("PATCH"), 1, "%s", fault_log);
	world_close(&w);
}

Test(home, the_end_comes_home_though_the_job_is_suspended_here)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	IS(finish(&w, "pi", well, SW_SUCCEEDED));
	json_t *o = get(&w, JOBS, "pi");

	cr_expect(sw_json_condition_true(o, "Complete"));
	json_object_put(o);
	world_close(&w);
}

Test(home, an_end_that_the_copy_did_not_live_to_say_is_said_for_it)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	kueue_suspend(&w, "pi", false);
	IS(finish(&w, "pi", busy, SW_JOB_FAILED));
	json_t *o = get(&w, JOBS, "pi");

	cr_expect(sw_json_condition_true(o, "Failed"));
	cr_expect_eq(sw_json_int(o, "status.active", 0), 0);
	json_object_put(o);
	world_close(&w);
}

Test(home, a_late_status_of_an_attempt_that_is_over_is_not_written)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	kueue_suspend(&w, "pi", false);
	IS(sync_status(&w, "pi", busy));
	kueue_evict(&w, "pi", "Preempted");
	struct sw_err e = sync_status(&w, "pi", busy);

	cr_expect_eq(e.code, SW_E_CONFLICT, "%s", e.text);
	log_clear();
	settle(&w, 900);
	cr_expect_str_eq(fault_log, "");
	world_close(&w);
}

Test(home, a_job_made_again_under_the_same_name_is_not_written_to)
{
	struct world w;
	struct answer a = {0};

	world_open(&w);
	placed(&w, "pi", "east");
	json_t *s = json_of(well);
	const struct sw_workload *r = row(&w, "pi");
	struct sw_err e =
		w.m->ops->finish(w.m, r->key, "00000000-0000-0000-0000-000000000000", s, SW_SUCCEEDED, "", on_done, &a);

	e = wait_for(&w, e, &a);
	cr_expect_eq(e.code, SW_E_MISSING, "%s", e.text);
	json_object_put(s);
	world_close(&w);
}

/* ---- events ------------------------------------------------------------------------------------------ */

Test(home, ordinary_news_of_a_job_become_one_event)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	log_clear();
	w.m->ops->event(w.m, row(&w, "pi")->key, false, "Placed", "placed on east");
	w.m->ops->event(w.m, row(&w, "pi")->key, false, "Started", "started on east");
	UNTIL(&w, logged("POST /api/v1/namespaces/default/events") == 1);
	settle(&w, 100);
	cr_expect_eq(logged("/events"), 1, "%s", fault_log);
	world_close(&w);
}

Test(home, a_warning_goes_at_once)
{
	struct world w;

	world_open(&w);
	placed(&w, "pi", "east");
	log_clear();
	w.m->ops->event(w.m, row(&w, "pi")->key, true, "WorkerLost", "east is away");
	settle(&w, 200);
	cr_expect_eq(logged("POST /api/v1/namespaces/default/events"), 1, "%s", fault_log);
	world_close(&w);
}

#define EVENTS "/api/v1/namespaces/default/events/"

Test(home, what_concerns_no_one_job_is_told_on_the_admission_check)
{
	struct world w;
	char name[100];

	world_open(&w);
	log_clear();
	w.m->ops->event_check(w.m, true, "PolicyRefused", "burst.lua:3: no");
	UNTIL(&w, logged("POST /api/v1/namespaces/default/events") == 1);
	settle(&w, 50);
	w.m->ops->event_check(w.m, true, "PolicyRefused", "burst.lua:3: no");
	UNTIL(&w, logged("PATCH " EVENTS) == 1); /* the same again: its count rises, and we learn its name */
	settle(&w, 50);
	cr_assert_eq(sscanf(strstr(fault_log, "PATCH " EVENTS), "PATCH " EVENTS "%99s", name), 1);
	json_t *event = get(&w, "events", name);

	cr_assert(event, "%s", name);
	cr_expect_eq(sw_json_int(event, "count", 0), 2);
	cr_expect_str_eq(sw_json_str(event, "involvedObject.kind"), "AdmissionCheck");
	cr_expect_str_eq(sw_json_str(event, "involvedObject.name"), "spillway");
	cr_expect_eq(strlen(sw_json_str(event, "involvedObject.uid")), 36);
	cr_expect_null(sw_json_str(event, "involvedObject.namespace"), "an AdmissionCheck has none");
	cr_expect_str_eq(sw_json_str(event, "message"), "burst.lua:3: no");
	json_object_put(event);
	world_close(&w);
}

/* ---- notes ------------------------------------------------------------------------------------------------ */

static struct sw_err note(struct world *w, const char *name, const char *value)
{
	struct answer a = {0};
	json_t *v = value ? json_of(value) : NULL;
	struct sw_err e = wait_for(w, w->m->ops->note_put(w->m, name, v, on_done, &a), &a);

	json_object_put(v);
	return e;
}

static void note_text(void *owner, const char *name, json_t *value)
{
	char *text = owner;
	size_t n = strlen(text);

	snprintf(text + n, 400 - n, "%s=%s;", name, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
}

static const char *notes(struct world *w, char text[400])
{
	text[0] = '\0';
	w->m->ops->notes(w->m, "", note_text, text);
	return text;
}

Test(home, notes_outlive_the_process)
{
	struct world w;
	char text[400];

	world_open(&w);
	IS(note(&w, "identity", "{'origin':'x'}"));
	IS(note(&w, "tombstone/w1/jobs.batch/a b", "{'at':1}"));
	IS(note(&w, "identity", "{'origin':'y'}"));
	IS(note(&w, "tombstone/w1/jobs.batch/a b", NULL));
	manager_close(&w);
	w.identity = "two";
	manager_open(&w);
	UNTIL(&w, w.synced);
	cr_expect_str_eq(notes(&w, text), "identity={\"origin\":\"y\"};");
	world_close(&w);
}

Test(home, a_note_whose_reply_was_lost_is_found_to_be_there)
{
	struct world w;
	char text[400];

	world_open(&w);
	IS(note(&w, "a", "{'n':1}"));
	fault_lose = "PATCH /api/v1/namespaces/default/configmaps";
	IS(note(&w, "a", "{'n':2}"));
	cr_expect_str_eq(notes(&w, text), "a={\"n\":2};");
	cr_expect_not(w.lost);
	world_close(&w);
}

Test(home, notes_that_somebody_else_has_written_end_our_leading)
{
	struct world w;

	world_open(&w);
	IS(note(&w, "a", "{'n':1}"));
	json_t *o = get(&w, "configmaps", "spillway");
	struct answer a = {0};

	sw_json_set_annotation(o, "spillway.dev/writer", "another");
	IS(sw_api_object_update(w.api, "configmaps", o, NULL, NULL, NULL));
	json_object_put(o);
	settle(&w, 50);
	o = json_of("{'n':3}");
	struct sw_err e = wait_for(&w, w.m->ops->note_put(w.m, "a", o, on_done, &a), &a);

	json_object_put(o);
	cr_expect_eq(e.code, SW_E_CONFLICT, "%s", e.text);
	UNTIL(&w, w.lost && !w.synced);
	world_close(&w);
}

static void in_dir(struct world *w, const char *command)
{
	char text[256];

	snprintf(text, sizeof(text), "cd %s && %s", w->dir, command);
	cr_assert_eq(system(text), 0);
}

/* ---- the lease ------------------------------------------------------------------------------------------------ */

Test(home, who_stands_by_writes_nothing_and_takes_over_when_the_leader_is_silent)
{
	struct world w;

	world_open(&w);
	kueue_job(&w, "pi");
	kueue_reserve(&w, "pi");
	struct sw_manager *first = w.m;

	w.identity = "two";
	w.lease_ms = 60000;
	manager_open(&w);
	settle(&w, 300);
	cr_expect_not(w.synced);
	cr_expect_not(sw_mirror_leads(w.m));
	const char *why;

	cr_expect(sw_mirror_ready(w.m, &why), "%s", why);
	UNTIL(&w, row(&w, "pi"));
	log_clear();
	struct sw_err e = win(&w, "pi", "east");

	cr_expect(sw_failed(e), "it does not lead");
	cr_expect_str_eq(fault_log, "");
	sw_mirror_free(first); /* gives the lease back */
	manager_close(&w);
	manager_open(&w);
	UNTIL(&w, w.synced);
	IS(win(&w, "pi", "east"));
	world_close(&w);
}

Test(home, a_leader_that_slept_through_its_lease_writes_nothing_more)
{
	struct world w;

	world_open(&w);
	kueue_job(&w, "pi");
	kueue_reserve(&w, "pi");
	log_clear();
	clock_ahead_ms += 61000; /* the machine slept */
	struct sw_err e = win(&w, "pi", "east");

	cr_expect_eq(e.code, SW_E_CONFLICT, "%s", e.text);
	cr_expect_str_eq(fault_log, "");
	UNTIL(&w, w.lost);
	cr_expect_not(w.synced);
	cr_expect_not(sw_mirror_leads(w.m));
	cr_expect_str_not_empty(sw_mirror_leader(w.m), "who holds the Lease, ourselves for now");
	world_close(&w);
}

/* Its watches open as if nothing had happened: the lease tells, before anything is believed. */
Test(home, a_server_that_comes_back_as_an_older_copy_is_not_in_sight_before_that_is_told)
{
	struct world w;

	world_open(&w);
	server_close(&w);
	in_dir(&w, "mkdir old && cp *.* old");
	server_open(&w);
	UNTIL(&w, w.syncs == 2);
	cr_expect_eq(w.set_back, 0, "it is what it was");
	kueue_job(&w, "newer");
	kueue_reserve(&w, "newer");
	server_close(&w);
	in_dir(&w, "rm -f *.* && cp old/* .");
	server_open(&w);
	UNTIL(&w, w.set_back);
	cr_expect_eq(w.syncs, 2);
	cr_expect(!w.synced);
	cr_expect(row(&w, "newer"), "nobody has listed yet what the older copy holds");
	UNTIL(&w, w.synced);
	cr_expect_null(row(&w, "newer"));
	cr_expect_eq(w.set_back, 1);
	world_close(&w);
}
