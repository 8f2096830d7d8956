/* SPDX-License-Identifier: Apache-2.0 */
#include "manager_test.h"

static void count_added(void *owner, const struct sw_event *ev)
{
	unsigned *writes = owner;

	(void)ev;
	++*writes;
}

Test(manager_life, a_job_gets_a_workload_with_quota_in_one_commit)
{
	struct world w;
	struct sw_sub *sub;
	unsigned writes = 0;

	world_open(&w);
	cr_assert(!sw_failed(
		sw_store_watch(sw_api_store(w.api), WL, sw_store_rv(sw_api_store(w.api)), count_added, &writes, &sub)));
	job_add(&w, "pi", 1);
	UNTIL(&w, row(&w, "pi"));
	const struct sw_workload *r = row(&w, "pi");

	cr_expect(r->reserved && r->active && !r->evicted && !r->finished && !r->deleting && !r->cluster);
	cr_expect_eq(r->attempt, 1);
	cr_expect_eq(r->kind, &sw_kind_job);
	cr_expect_str_eq(r->ns, "default");
	cr_expect_str_eq(r->queue, "lq");
	cr_expect_str_eq(r->cluster_queue, "cq");
	cr_expect(strncmp(r->key, "default/job-pi-", 15) == 0 && strlen(r->key) == 20, "%s", r->key);
	settle(&w);
	cr_expect_eq(writes, 1);
	cr_expect_eq(gpus_used(&w), 1);
	cr_expect(suspended(&w, "pi"));
	json_t *o = workload(&w, "pi"), *job = get(&w, "jobs.batch", "default", "pi");

	cr_expect(sw_json_condition_true(o, "QuotaReserved"));
	cr_expect_str_eq(sw_json_str(sw_json_condition(o, "QuotaReserved"), "message"),
			 "Quota reserved in ClusterQueue cq");
	cr_expect_str_eq(sw_json_str(sw_json_idx(sw_json_at(o, "status.admissionChecks"), 0), "state"), "Pending");
	cr_expect_str_eq(sw_json_str(o, "status.admission.clusterQueue"), "cq");
	json_t *a = sw_json_idx(sw_json_at(o, "status.admission.podSetAssignments"), 0);

	cr_expect_str_eq(sw_json_str(a, "name"), "main");
	cr_expect_str_eq(json_object_get_string(sw_json_key(sw_json_key(a, "flavors"), "nvidia.com/gpu")), "any");
	cr_expect_str_eq(json_object_get_string(sw_json_key(sw_json_key(a, "resourceUsage"), "nvidia.com/gpu")), "1");
	cr_expect_str_eq(sw_json_str(sw_json_idx(sw_json_at(o, "metadata.ownerReferences"), 0), "uid"),
			 sw_json_str(job, "metadata.uid"));
	cr_expect(sw_json_condition_true(job, "Suspended"));
	json_object_put(job);
	json_object_put(o);
	sw_store_unwatch(sub);
	world_close(&w);
}

/* One life, restarted behind step `at` (-1: never). */
static void life(int at)
{
	struct world w;
	int step = 0;
#define STEP()                                                                                                         \
	do {                                                                                                           \
		if (step++ == at)                                                                                      \
			world_restart(&w);                                                                             \
	} while (0)

	world_open(&w);
	job_add(&w, "pi", 1);
	STEP();
	UNTIL(&w, is_reserved(&w, "pi"));
	STEP();
	nominate(&w, "pi");
	STEP();
	UNTIL(&w, row(&w, "pi")->nominated);
	cr_expect_str_eq(row(&w, "pi")->message, "step 1");
	win(&w, "pi", "east");
	STEP();
	UNTIL(&w, row(&w, "pi")->cluster);
	cr_expect_str_eq(row(&w, "pi")->cluster, "east");
	cr_expect_eq(row(&w, "pi")->check, SW_CHECK_READY);
	cr_expect(!row(&w, "pi")->nominated);
	UNTIL(&w, !suspended(&w, "pi"));
	STEP();
	struct sw_err e = sync_status(&w, "pi", "{'active':1,'ready':1,'startTime':'2026-01-01T00:00:00Z'}");

	cr_expect(!sw_failed(e), "%s", e.text);
	STEP();
	e = finish(&w, "pi", complete_status, SW_SUCCEEDED);
	cr_expect(!sw_failed(e), "%s", e.text);
	STEP();
	UNTIL(&w, row(&w, "pi") && row(&w, "pi")->finished);
	cr_expect_eq(gpus_used(&w), 0);
	json_t *o = workload(&w, "pi"), *job = get(&w, "jobs.batch", "default", "pi");
	char name[254];

	cr_expect(sw_json_condition_true(o, "Finished") && sw_json_condition_true(o, "Admitted"));
	cr_expect(sw_json_condition_true(job, "Complete"));
	cr_expect_eq(sw_json_int(job, "status.succeeded", 0), 1);
	snprintf(name, sizeof(name), "%s", sw_json_str(o, "metadata.name"));
	json_object_put(o);
	json_object_put(job);
	released(&w, "pi");
	UNTIL(&w, !row(&w, "pi"));
	STEP();
	settle(&w);
	cr_expect_null(row(&w, "pi"), "a finished and swept workload has no row");
	o = get(&w, WL, "default", name);
	cr_expect(o && sw_json_condition_true(o, "Finished") && !sw_json_at(o, "metadata.finalizers"));
	json_object_put(o);
	world_close(&w);
#undef STEP
}

Test(manager_life, from_create_to_finish)
{
	life(-1);
}

Test(manager_life, a_restart_behind_any_step_changes_nothing, .timeout = 120)
{
	for (int at = 0; at < 8; at++)
		life(at);
}

Test(manager_life, what_does_not_fit_waits_and_runs_when_quota_returns)
{
	struct world w;

	world_open(&w);
	job_add(&w, "a", 3);
	job_add(&w, "b", 2);
	job_add(&w, "c", 1);
	UNTIL(&w, is_reserved(&w, "a") && row(&w, "b") && is_reserved(&w, "c"));
	cr_expect(is_waiting(&w, "b"));
	json_t *o = workload(&w, "b");
	json_t *pending = sw_json_condition(o, "QuotaReserved");

	cr_expect_str_eq(sw_json_str(pending, "reason"), "Pending");
	cr_expect(strstr(sw_json_str(pending, "message"), "asks for 2 nvidia.com/gpu, 3 of 4 are in use") ||
			  strstr(sw_json_str(pending, "message"), "asks for 2 nvidia.com/gpu, 4 of 4 are in use"),
		  "%s", sw_json_str(pending, "message"));
	json_object_put(o);
	nominate(&w, "a");
	win(&w, "a", "east");
	cr_expect(!sw_failed(finish(&w, "a", complete_status, SW_SUCCEEDED)));
	UNTIL(&w, is_reserved(&w, "b"));
	cr_expect_eq(gpus_used(&w), 3);
	world_close(&w);
}

Test(manager_life, an_evicted_job_tries_again_and_its_counters_never_fall)
{
	struct world w;
	struct sw_change evict = {.op = SW_CHANGE_EVICT, .reason = "WorkerLost", .message = "east is gone"};
	struct sw_change back = {.op = SW_CHANGE_RELEASED, .requeue_after_ms = 1200};

	world_open(&w);
	job_add(&w, "pi", 4);
	UNTIL(&w, is_reserved(&w, "pi"));
	nominate(&w, "pi");
	win(&w, "pi", "east");
	UNTIL(&w, !suspended(&w, "pi"));
	cr_expect(!sw_failed(sync_status(&w, "pi", "{'active':1,'failed':2,'startTime':'2026-01-01T00:00:00Z'}")));
	must_change(&w, "pi", &evict);
	UNTIL(&w, row(&w, "pi")->evicted);
	cr_expect_str_eq(row(&w, "pi")->cluster, "east", "the winner is kept until the copy is gone");
	cr_expect_eq(row(&w, "pi")->attempt, 1);
	cr_expect_eq(gpus_used(&w), 4, "so is its quota");
	UNTIL(&w, suspended(&w, "pi"));
	world_restart(&w);
	cr_expect(row(&w, "pi")->evicted);
	must_change(&w, "pi", &back);
	UNTIL(&w, is_waiting(&w, "pi"));
	cr_expect_eq(row(&w, "pi")->attempt, 2);
	cr_expect_null(row(&w, "pi")->cluster);
	cr_expect_eq(gpus_used(&w), 0);
	json_t *job = get(&w, "jobs.batch", "default", "pi");

	cr_expect_eq(sw_json_int(job, "status.failed", 0), 2);
	cr_expect_null(sw_json_at(job, "status.active"));
	cr_expect_null(sw_json_at(job, "status.startTime"));
	cr_expect(sw_json_condition_true(job, "Suspended"));
	json_object_put(job);
	UNTIL(&w, is_reserved(&w, "pi")); /* after its time */
	nominate(&w, "pi");
	win(&w, "pi", "west");
	UNTIL(&w, !suspended(&w, "pi"));
	cr_expect(!sw_failed(sync_status(&w, "pi", "{'active':1,'failed':1,'startTime':'2026-01-01T01:00:00Z'}")));
	job = get(&w, "jobs.batch", "default", "pi");
	cr_expect_eq(sw_json_int(job, "status.failed", 0), 3);
	cr_expect_str_eq(sw_json_str(job, "status.startTime"), "2026-01-01T01:00:00Z");
	json_object_put(job);
	json_t *o = workload(&w, "pi");

	cr_expect_eq(sw_json_int(sw_json_idx(sw_json_at(o, "status.schedulingStats.evictions"), 0), "count", 0), 1);
	cr_expect(!sw_json_condition_true(o, "Evicted") && sw_json_condition_true(o, "Admitted"));
	json_object_put(o);
	world_close(&w);
}

Test(manager_life, a_copy_that_is_lost_ends_with_the_words_of_dispatch)
{
	struct world w;

	world_open(&w);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	nominate(&w, "pi");
	win(&w, "pi", "east");
	cr_expect(!sw_failed(finish(&w, "pi", "{'active':1}", SW_JOB_FAILED)));
	json_t *job = get(&w, "jobs.batch", "default", "pi");

	cr_expect(sw_json_condition_true(job, "Failed") && sw_json_condition_true(job, "FailureTarget"));
	cr_expect_str_eq(sw_json_str(sw_json_condition(job, "Failed"), "message"), "the end");
	cr_expect_null(sw_json_at(job, "status.active"));
	json_object_put(job);
	world_close(&w);
}

Test(manager_life, a_job_that_ended_without_its_workload_is_made_whole)
{
	struct world w;
	struct answer a = {0};

	world_open(&w);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	nominate(&w, "pi");
	win(&w, "pi", "east");
	UNTIL(&w, !suspended(&w, "pi"));
	json_t *job = get(&w, "jobs.batch", "default", "pi");

	sw_json_set(job, "status", json_of(complete_status));
	cr_expect(!sw_failed(wait_for(&w, sw_api_object_update(w.api, "jobs.batch", job, "status", on_object, &a), &a)),
		  "%s", a.e.text);
	json_object_put(job);
	UNTIL(&w, row(&w, "pi")->finished);
	cr_expect_eq(gpus_used(&w), 0);
	world_close(&w);
}

Test(manager_life, ttl_is_honoured_here)
{
	struct world w;
	json_t *o = job_json("pi", 1);

	world_open(&w);
	sw_json_set_int(o, "spec.ttlSecondsAfterFinished", 1);
	cr_assert(!sw_failed(job_try(&w, o)));
	UNTIL(&w, is_reserved(&w, "pi"));
	nominate(&w, "pi");
	win(&w, "pi", "east");
	cr_expect(!sw_failed(finish(&w, "pi", complete_status, SW_SUCCEEDED)));
	released(&w, "pi");
	for (int i = 0; i < 400 && (o = get(&w, "jobs.batch", "default", "pi")); i++) {
		json_object_put(o);
		settle(&w);
	}
	cr_expect_null(get(&w, "jobs.batch", "default", "pi"));
	world_close(&w);
}
