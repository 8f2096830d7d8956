/* SPDX-License-Identifier: Apache-2.0 */
/* test_dispatch.c - one workload's life, and what goes wrong in it, in a small world under a fake clock */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "world.h"

static bool job0_ended(struct world *w)
{
	return w->job[0].finished;
}
static bool job0_runs(struct world *w)
{
	return world_running(w, 0) == 1;
}
static bool job0_gone(struct world *w)
{
	return !w->job[0].exists;
}
static bool job0_released(struct world *w)
{
	return w->job[0].attempt > 1;
}
static bool no_copies(struct world *w)
{
	for (int c = 0; c < W_CLUSTERS; c++)
		for (int k = 0; k < W_COPIES; k++)
			if (w->cluster[c].copy[k].exists)
				return false;
	return true;
}

Test(dispatch, a_job_runs_on_prem_and_its_copy_is_swept)
{
	struct world *w = world_new(1);
	world_job(w, 0, 2, 2);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 5000), "%s", w->events);
	cr_assert_str_eq(w->job[0].cluster, "onprem");
	cr_assert(world_until(w, job0_ended, 20000), "%s", w->events);
	cr_assert_eq(w->job[0].outcome, SW_SUCCEEDED);
	cr_assert(world_until(w, no_copies, 5000));
	cr_assert_eq(w->started, 1);
	cr_assert(strstr(w->events, "Placed: placed on onprem/v100, attempt 1"), "%s", w->events);
	world_free(w);
}

Test(dispatch, a_failed_job_fails_once)
{
	struct world *w = world_new(2);
	w->job[0].fails = true;
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_ended, 20000), "%s", w->events);
	cr_assert_eq(w->job[0].outcome, SW_JOB_FAILED);
	world_free(w);
}

Test(dispatch, a_pool_grows_from_zero_when_on_prem_is_too_small)
{
	struct world *w = world_new(3);
	world_job(w, 0, 4, 3); /* 12 GPUs: on-prem has 8 */
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 30000), "%s", w->events);
	cr_assert_str_eq(w->job[0].cluster, "gke");
	cr_assert_eq(w->cluster[1].nodes, 3);
	cr_assert(world_until(w, job0_ended, 30000), "%s", w->events);
	world_free(w);
}

Test(dispatch, a_job_that_no_cluster_can_run_waits_with_a_clear_message)
{
	struct world *w = world_new(4);
	world_job(w, 0, 4, 1);
	w->job[0].extra = "{\"spillway.dev/gpu\":\"H100\"}";
	world_boot(w);
	world_run(w, 10000);
	cr_assert(w->job[0].exists && !w->job[0].finished && !*w->job[0].cluster);
	cr_assert(strstr(w->job[0].message,
			 "no cluster can run this job: onprem/v100: V100 is not among the GPUs asked for"),
		  "%s", w->job[0].message);
	cr_assert(strstr(w->events, "!NoClusterFits"), "%s", w->events);
	cr_assert_eq(w->n_events_warning, 1, "said once: %s", w->events);
	json_t *x = NULL;
	for (int i = 0; i < 20 && !(x && sw_json_bool(x, "complete")); i++) {
		json_object_put(x);
		x = sw_dispatch_explain(w->d, w->job[0].key);
		world_run(w, 50);
	}
	cr_assert_eq(sw_json_len(sw_json_key(x, "candidates")), 3, "%s", json_object_to_json_string(x));
	cr_assert_str_eq(sw_json_str(sw_json_idx(sw_json_key(x, "candidates"), 0), "verdict"), "never");
	json_object_put(x);
	world_free(w);
}

Test(dispatch, a_wish_that_cannot_be_read_is_told_or_rejected_with_its_path_and_the_nearest_name)
{
	for (int rejects = 0; rejects < 2; rejects++) {
		struct world *w = world_new(6);
		struct sw_manager_ops ops = *w->manager.base.ops;
		ops.rejects = rejects;
		w->manager.base.ops = &ops;
		world_job(w, 0, 1, 1);
		w->job[0].extra = "{\"spillway.dev/gpu\":\"H10O\"}";
		world_boot(w);
		world_run(w, 10000);
		cr_expect(!*w->job[0].cluster);
		cr_expect(rejects || strstr(w->job[0].message, "(metadata.annotations(spillway.dev/gpu): unknown GPU "
							       "\"H10O\", did you mean \"H100\"?"),
			  "%s", w->job[0].message);
		cr_expect(strstr(w->events, "!InvalidJob"), "%s", w->events);
		cr_expect_eq(w->n_events_warning, 1, "said once: %s", w->events);
		cr_expect_eq(w->job[0].active, !rejects, "its Workload is deactivated");
		world_free(w);
	}
}

static bool first_placed(struct world *w)
{
	return *w->job[0].cluster;
}

Test(dispatch, explain_says_what_its_pods_ask_for_where_they_run_and_what_reading_the_data_costs)
{
	struct world *w = world_new(5);
	json_t *x = NULL;
	world_job(w, 0, 1, 1);
	w->job[0].extra = "{\"spillway.dev/data\":\"s3://b@r:100Gi\"}";
	world_boot(w);
	cr_assert(world_until(w, first_placed, 60000));
	for (int i = 0; i < 20 && !(x && sw_json_bool(x, "complete")); i++) {
		json_object_put(x);
		x = sw_dispatch_explain(w->d, w->job[0].key);
		world_run(w, 50);
	}
	cr_expect_str_eq(sw_json_str(x, "translatedFor.cluster"), w->job[0].cluster);
	json_t *said = sw_json_key(x, "translated"), *first = sw_json_idx(said, 0);
	cr_assert_gt(sw_json_len(said), 0, "%s", json_object_to_json_string(x));
	cr_expect_str_eq(sw_json_str(first, "path"), "spec.template");
	cr_expect(strstr(sw_json_str(first, "text"), "runs on nodes with pool="), "%s",
		  json_object_to_json_string(said));
	json_t *candidate = sw_json_idx(sw_json_key(x, "candidates"), 0);
	cr_expect(sw_json_key(candidate, "egressCost") &&
			  json_object_get_double(sw_json_key(candidate, "egressCost")) == 0,
		  "the data is in the pool's own region: %s", json_object_to_json_string(candidate));
	json_object_put(x);
	world_free(w);
}

Test(dispatch, clusters_that_lack_what_a_jobs_pods_name_are_left_out_and_say_so)
{
	struct world *w = world_new(33);
	world_job(w, 0, 4, 1);
	w->job[0].needs_secret = true;
	w->cluster[0].lacks_secrets = w->cluster[1].lacks_secrets = w->cluster[2].lacks_secrets = true;
	world_boot(w);
	world_run(w, 10000);
	cr_assert(strstr(w->job[0].message, "Secret pull does not exist there"), "%s", w->job[0].message);
	cr_assert(!*w->job[0].cluster && no_copies(w));
	w->cluster[1].lacks_secrets = false;
	cr_assert(world_until(w, job0_ended, 120000), "%s", w->events);
	world_free(w);
}

Test(dispatch, an_evicted_job_is_stopped_swept_and_runs_again)
{
	struct world *w = world_new(5);
	world_job(w, 0, 4, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 5000));
	w->job[0].evicted = true;
	w->job[0].rv++;
	cr_assert(world_until(w, job0_released, 10000), "%s", w->events);
	cr_assert(no_copies(w), "released before its copy was gone");
	cr_assert(world_until(w, job0_ended, 30000), "%s", w->events);
	cr_assert_eq(w->job[0].attempt, 2);
	world_free(w);
}

Test(dispatch, a_suspended_job_stops_and_a_resumed_one_runs)
{
	struct world *w = world_new(6);
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 5000));
	w->job[0].user_suspended = true;
	cr_assert(world_until(w, no_copies, 10000), "%s", w->events);
	world_run(w, 3000);
	cr_assert(no_copies(w));
	w->job[0].user_suspended = false;
	cr_assert(world_until(w, job0_ended, 30000), "%s", w->events);
	world_free(w);
}

/* An administrator of the cluster deletes the copy of a running job: under our eyes, or while we are away. */
Test(dispatch, a_copy_that_somebody_deletes_ends_the_attempt_not_the_job)
{
	for (int away = 0; away < 2; away++) {
		struct world *w = world_new(31);
		world_job(w, 0, 1, 1);
		world_boot(w);
		cr_assert(world_until(w, job0_runs, 5000));
		if (away)
			world_crash(w);
		world_copy(w, 0, 0)->deleting = true;
		cr_assert(world_until(w, no_copies, 5000));
		if (away)
			world_boot(w);
		cr_assert(world_until(w, job0_ended, 30000), "%s", w->events);
		cr_expect_eq(w->job[0].attempt, 2);
		cr_expect_str_eq(w->job[0].cluster, "onprem", "the cluster is not to blame");
		cr_expect(strstr(w->events, away ? "!CopyMissing" : "!CopyDeleted"), "%s", w->events);
		world_free(w);
	}
}

Test(dispatch, a_deleted_job_leaves_nothing_behind)
{
	struct world *w = world_new(7);
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 5000));
	w->job[0].deleting = true;
	w->job[0].rv++;
	cr_assert(world_until(w, job0_gone, 10000), "%s", w->events);
	cr_assert(no_copies(w));
	cr_assert_eq(w->job[0].ended, 0);
	world_free(w);
}

Test(dispatch, a_job_made_again_under_its_name_waits_until_the_old_copy_is_gone)
{
	struct world *w = world_new(8);
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 5000));
	struct w_copy *old = world_copy(w, 0, 0);
	char uid[24];
	memcpy(uid, old->uid, sizeof uid);
	world_job(w, 0, 1,
		  1); /* the row is another one from one moment to the next: a new UID, the old copy still runs */
	cr_assert(world_until(w, job0_runs, 20000), "%s", w->events);
	cr_assert_str_neq(world_copy(w, 0, 0)->uid, uid);
	cr_assert(world_until(w, job0_ended, 20000), "%s", w->events);
	world_free(w);
}

Test(dispatch, a_lost_worker_holds_its_job_until_it_answers)
{
	struct world *w = world_new(9);
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 5000));
	w->cluster[0].reachable = false;
	world_run(w, 60000);
	cr_assert(!w->job[0].finished && w->job[0].attempt == 1);
	cr_assert_str_eq(w->job[0].cluster, "onprem");
	cr_assert(strstr(w->job[0].message, "held until it answers"), "%s", w->job[0].message);
	cr_assert(strstr(w->events, "!WorkerLost"), "%s", w->events);
	w->cluster[0].reachable = true;
	cr_assert(world_until(w, job0_ended, 5000), "%s", w->events);
	cr_assert_eq(w->job[0].attempt, 1);
	world_free(w);
}

Test(dispatch, a_lost_workers_job_is_started_elsewhere_where_that_is_wished)
{
	struct world *w = world_new(10);
	w->config.lost = SW_LOST_DUPLICATE;
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 5000));
	w->cluster[0].reachable = false;
	w->cluster[0].copy[0].next_ms = UINT64_MAX; /* its controller sleeps: the copy neither ends nor goes */
	cr_assert(world_until(w, job0_ended, 60000), "%s", w->events);
	cr_assert_eq(w->job[0].attempt, 2);
	cr_assert_str_neq(w->job[0].cluster, "onprem");
	w->cluster[0].copy[0].next_ms = 0;
	w->cluster[0].reachable = true;
	cr_assert(world_until(w, no_copies, 20000), "the copy that came back is swept: %s", w->events);
	cr_assert_eq(w->job[0].ended, 1);
	world_free(w);
}

static bool job0_began(struct world *w)
{
	const struct w_copy *p = world_copy(w, 0, 0);
	return p && p->began;
}
/* It would run for ever. */
static void run_on(struct world *w)
{
	cr_assert(world_until(w, job0_began, 5000), "%s", w->events);
	world_copy(w, 0, 0)->run_ms = UINT64_MAX;
}

static bool job0_elsewhere(struct world *w)
{
	return *w->job[0].cluster && strcmp(w->job[0].cluster, "onprem") != 0 && job0_runs(w);
}

Test(dispatch, with_a_lease_a_lost_workers_job_moves_once_its_copy_must_have_ended)
{
	struct world *w = world_new(10);
	w->config.lost = SW_LOST_LEASE;
	w->config.lost_after_ms = 1000;
	world_job(w, 0, 1, 1);
	world_boot(w);
	run_on(w);
	world_run(w, 9000);
	cr_assert(w->renewed >= 4 && w->expired == 0, "%d renewals", w->renewed);
	w->cluster[0].reachable = false;
	world_run(w, 5800);
	cr_assert_eq(w->job[0].attempt, 1, "4 s of lease and 2 s of margin are not over");
	cr_assert(world_until(w, job0_elsewhere, 20000), "%s", w->events);
	cr_assert_eq(w->job[0].attempt, 2);
	cr_assert_eq(w->expired, 1, "the cluster itself had ended it");
	w->cluster[0].reachable = true;
	cr_assert(world_until(w, job0_ended, 20000), "%s", w->events);
	cr_assert_eq(w->job[0].outcome, SW_SUCCEEDED, "a lease that ran out is no failure of the job");
	world_free(w);
}

Test(dispatch, a_gateway_away_for_longer_than_the_lease_finds_the_attempt_over)
{
	struct world *w = world_new(11);
	w->config.lost = SW_LOST_LEASE;
	world_job(w, 0, 1, 1);
	world_boot(w);
	run_on(w);
	world_crash(w);
	world_run(w, 6000);
	world_boot(w);
	cr_assert(world_until(w, job0_released, 20000), "%s", w->events);
	cr_assert(strstr(w->events, "!LeaseExpired"), "%s", w->events);
	cr_assert(world_until(w, job0_ended, 30000), "%s", w->events);
	cr_assert_eq(w->job[0].outcome, SW_SUCCEEDED);
	world_free(w);
}

Test(dispatch, a_restarted_gateway_renews_by_the_clusters_clock)
{
	struct world *w = world_new(12);
	w->config.lost = SW_LOST_LEASE;
	world_job(w, 0, 1, 1);
	world_boot(w);
	run_on(w);
	for (int i = 0; i < 4; i++) {
		world_run(w, 4000);
		world_crash(w);
		world_run(w, 1000);
		world_boot(w);
	}
	world_run(w, 4000);
	cr_assert(w->job[0].attempt == 1 && w->expired == 0, "%s", w->events);
	world_free(w);
}

Test(dispatch, where_no_lease_can_be_had_the_job_is_told_and_held)
{
	struct world *w = world_new(13);
	w->config.lost = SW_LOST_LEASE;
	w->cluster[0].kueue = true;
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 8000), "%s", w->events);
	cr_assert(strstr(w->events, "!NoLease: a Job cannot have a lease on cluster onprem"), "%s", w->events);
	w->cluster[0].reachable = false;
	world_run(w, 60000);
	cr_assert(w->job[0].attempt == 1 && strstr(w->job[0].message, "held until it answers"), "%s",
		  w->job[0].message);
	world_free(w);
}

static void reprioritize(struct world *w, struct w_job *j, const char *class, int priority)
{
	j->class = class;
	j->priority = priority;
	world_row_changed(w, j);
}

static bool cluster0_knows_high(struct world *w)
{
	const struct w_mirror *m = &w->cluster[0].mirror[0];
	return m->exists && strcmp(m->class, "high") == 0 && m->priority == 9;
}

Test(dispatch, a_changed_priority_is_told_where_the_job_runs)
{
	struct world *w = world_new(13);
	w->cluster[0].kueue = true;
	w->job[0].class = "low";
	w->job[0].priority = 1;
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 8000), "%s", w->events);
	cr_assert_str_eq(w->cluster[0].mirror[0].class, "low");
	cr_assert_eq(w->cluster[0].told, 0, "it was offered so");
	reprioritize(w, &w->job[0], "high", 9);
	cr_assert(world_until(w, cluster0_knows_high, 3000), "%s", w->events);
	world_crash(w);
	world_boot(w);
	world_run(w, 2000);
	cr_assert(w->cluster[0].told == 1 && w->job[0].attempt == 1, "told once, and nothing else came of it: %s",
		  w->events);
	world_free(w);
}

Test(dispatch, a_changed_priority_is_told_where_the_job_waits)
{
	struct world *w = world_new(14);
	w->cluster[0].kueue = true;
	w->cluster[1].reachable = w->cluster[2].reachable = false;
	w->job[0].class = "low";
	world_job(w, 0, 4, 2); /* all that the cluster has */
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 8000), "%s", w->events);
	w->job[1].class = "low";
	world_job(w, 1, 4, 2);
	world_run(w, 2000);
	cr_assert(w->cluster[0].mirror[1].exists && !w->cluster[0].mirror[1].admitted, "%s", w->events);
	reprioritize(w, &w->job[1], "high", 9);
	world_run(w, 2000);
	cr_assert_str_eq(w->cluster[0].mirror[1].class, "high");
	cr_assert_eq(w->cluster[0].told, 1);
	world_free(w);
}

Test(dispatch, a_cluster_that_refuses_a_priority_is_asked_once)
{
	struct world *w = world_new(15);
	w->cluster[0].kueue = w->cluster[0].deaf = true;
	w->job[0].class = "low";
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 8000), "%s", w->events);
	reprioritize(w, &w->job[0], "high", 9);
	world_run(w, 2000);
	cr_assert_eq(w->cluster[0].told, 1);
	cr_assert(strstr(w->events, "!PriorityRefused: cluster onprem keeps the priority"), "%s", w->events);
	reprioritize(w, &w->job[0], "higher", 10);
	world_run(w, 2000);
	cr_assert_eq(w->cluster[0].told, 2, "another one is another question");
	cr_assert(world_until(w, job0_ended, 20000), "%s", w->events);
	world_free(w);
}

Test(dispatch, a_copy_that_returns_finished_is_read_before_it_is_deleted)
{
	struct world *w = world_new(11);
	w->config.lost = SW_LOST_DUPLICATE;
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 5000));
	w->cluster[0].reachable = w->cluster[1].reachable = w->cluster[2].reachable = false;
	cr_assert(world_until(w, job0_released, 60000), "%s", w->events);
	world_run(w, 10000); /* it ends out of sight */
	w->cluster[0].reachable = true;
	cr_assert(world_until(w, job0_ended, 10000), "%s", w->events);
	cr_assert_eq(w->started, 1, "its result was taken, it was not run again");
	world_free(w);
}

Test(dispatch, a_gang_that_is_not_scheduled_in_time_moves_on)
{
	struct world *w = world_new(12);
	w->cluster[0].blind = true;
	world_job(w, 0, 1, 2);
	world_boot(w);
	cr_assert(world_until(w, job0_ended, 90000), "%s", w->events);
	cr_assert_str_neq(w->job[0].cluster, "onprem");
	cr_assert(strstr(w->events, "!PodsNotScheduled"), "%s", w->events);
	world_free(w);
}

Test(dispatch, a_strangers_object_with_the_name_puts_the_cluster_out)
{
	struct world *w = world_new(13);
	w->cluster[0].taken_name = true;
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_ended, 60000), "%s", w->events);
	cr_assert_str_neq(w->job[0].cluster, "onprem");
	cr_assert_leq(w->job[0].attempt, 2);
	world_free(w);
}

Test(dispatch, a_job_that_workers_refuse_does_not_loop)
{
	struct world *w = world_new(14);
	w->job[0].poison = true;
	world_job(w, 0, 1, 1);
	world_boot(w);
	world_run(w, 200000);
	cr_assert(!w->job[0].finished);
	cr_assert_leq(w->job[0].attempt, 5, "attempt %u", w->job[0].attempt);
	cr_assert(strstr(w->events, "StartRefused"), "%s", w->events);
	world_free(w);
}

Test(dispatch, a_cluster_that_refuses_a_job_is_named_and_another_runs_it)
{
	static const struct {
		bool kueue;
		enum sw_code code;
	} rows[] = {{false, SW_E_INVALID}, {true, SW_E_INVALID}, {false, SW_E_FORBIDDEN}, {true, SW_E_MISSING}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world *w = world_new(140 + i);
		w->cluster[0].kueue = rows[i].kueue;
		w->cluster[0].refuses_jobs = rows[i].code;
		world_job(w, 0, 1, 1);
		world_boot(w);
		cr_assert(world_until(w, job0_ended, 120000), "row %zu: %s", i, w->events);
		cr_expect_str_neq(w->job[0].cluster, "onprem");
		cr_expect_eq(w->job[0].attempt, 2);
		cr_expect_eq(w->refused, rows[i].code == SW_E_FORBIDDEN ? 3 : 1, "row %zu: %d", i, w->refused);
		cr_expect(strstr(w->events, "!StartRefused: the worker refuses the job (cluster onprem, attempt 1): "
					    "HTTP 403 Forbidden: no such jobs on onprem"),
			  "%s", w->events);
		world_free(w);
	}
}

Test(dispatch, a_job_that_every_cluster_refuses_says_so_and_is_tried_less_and_less)
{
	struct world *w = world_new(150);
	for (int i = 0; i < W_CLUSTERS; i++)
		w->cluster[i].refuses_jobs = SW_E_INVALID;
	world_job(w, 0, 1, 1);
	world_boot(w);
	world_run(w, 120000);
	const int once = w->refused;
	cr_assert_eq(once, W_CLUSTERS, "each was asked once: %d, %s", once, w->events);
	cr_expect(strstr(w->job[0].message,
			 "every cluster that could run this job refused it: onprem/v100: refused the "
			 "job: HTTP 403 Forbidden: no such jobs on onprem; not tried again before"),
		  "%s", w->job[0].message);
	cr_expect(strstr(w->events, "!RefusedEverywhere"), "%s", w->events);
	world_run(w, 400000);
	cr_expect_eq(w->refused, once);
	w->cluster[0].refuses_jobs = SW_E_OK;
	cr_assert(world_until(w, job0_ended, 300000), "%s", w->events);
	world_free(w);
}

Test(dispatch, a_refused_offer_holds_up_neither_the_others_nor_the_step)
{
	static const struct {
		enum sw_code code;
		int clusters;
	} rows[] = {{SW_E_FORBIDDEN, 1}, {SW_E_AUTH, 1}, {SW_E_FORBIDDEN, 3}, {SW_E_AUTH, 3}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world *w = world_new(160 + i);
		world_policy(w, "function place(w, c) return { { candidates = c, patience = 86400 } } end");
		for (int k = 0; k < W_CLUSTERS; k++) {
			w->cluster[k].kueue = true;
			w->cluster[k].refuses_offers = k < rows[i].clusters ? rows[i].code : SW_E_OK;
		}
		world_job(w, 0, 1, 1);
		world_boot(w);
		if (rows[i].clusters == W_CLUSTERS) {
			world_run(w, 8000);
			cr_expect(strstr(w->job[0].message, "refused it: onprem/v100: refused the job: HTTP 403"), "%s",
				  w->job[0].message);
			cr_expect_eq(w->refused, W_CLUSTERS);
			w->cluster[0].refuses_offers = SW_E_OK;
		}
		cr_assert(world_until(w, job0_ended, 120000), "row %zu: %s", i, w->events);
		cr_expect_eq(w->job[0].attempt, 1);
		cr_expect(strstr(w->events, "!OfferRefused: cluster onprem refused the offer: HTTP 403"), "%s",
			  w->events);
		world_free(w);
	}
}

Test(dispatch, a_failing_policy_says_where_and_the_job_waits)
{
	struct world *w = world_new(15);
	world_policy(w, "function place(w)\n  return w.nothing.there\nend");
	world_job(w, 0, 1, 1);
	world_boot(w);
	world_run(w, 5000);
	cr_assert(strstr(w->events, "!PolicyFailed: policy failed: test.lua:2:"), "%s", w->events);
	cr_assert(strstr(w->job[0].message, "test.lua:2:"), "%s", w->job[0].message);
	cr_assert(!*w->job[0].cluster);
	world_policy(w, NULL);
	world_crash(w);
	world_boot(w);
	cr_assert(world_until(w, job0_ended, 60000), "%s", w->events);
	world_free(w);
}

Test(dispatch, a_policy_that_fails_later_keeps_the_last_good_plan)
{
	struct world *w = world_new(16);
	w->cluster[1].stockout_ms = 40000;
	world_policy(w, "function place(w, c) if w.waited * 1000 > 1700000000000 / 1000 then end\n"
			"  for _, x in ipairs(c) do if x.cluster == 'gke' then return { { candidates = { x }, patience "
			"= 5 } } end end return {} end");
	world_job(w, 0, 1, 1);
	world_boot(w);
	world_run(w, 2000);
	cr_assert(strstr(w->job[0].message, "[plan1 "), "%s", w->job[0].message);
	world_crash(w);
	world_policy(w, "function place() error('broken') end");
	world_boot(w);
	world_run(w, 10000);
	cr_assert(strstr(w->job[0].message, "gke/v100-spot"), "%s", w->job[0].message);
	cr_assert(strstr(w->events, "broken"), "%s", w->events);
	cr_assert(world_until(w, job0_ended, 120000), "%s", w->events);
	cr_assert_str_eq(w->job[0].cluster, "gke");
	world_free(w);
}

Test(dispatch, the_step_and_its_deadline_survive_a_restart)
{
	struct world *w = world_new(17);
	w->cluster[1].stockout_ms = w->cluster[2].stockout_ms = 1000000000;
	world_policy(w, "function place(w, c) local s = {} for i, x in ipairs(c) do if x.cluster ~= 'onprem' then "
			"s[#s+1] = { candidates = { x }, patience = 1000 } end end\n"
			" return s end");
	world_job(w, 0, 1, 1);
	world_boot(w);
	world_run(w, 3000);
	char *before = strdup(strstr(w->job[0].message, "[plan1"));
	uint64_t rv = w->job[0].rv;
	world_crash(w);
	world_run(w, 2000);
	world_boot(w);
	world_run(w, 3000);
	cr_assert_str_eq(strstr(w->job[0].message, "[plan1"), before);
	cr_assert_eq(w->job[0].rv, rv, "nothing is written when nothing changed");
	free(before);
	world_free(w);
}

Test(dispatch, the_next_step_begins_when_patience_ends)
{
	struct world *w = world_new(18);
	w->cluster[1].blind = true;
	w->cluster[1].max = 3;
	world_policy(w, "function place(w, c) local s = {} for i, x in ipairs(c) do if x.cluster ~= 'onprem' then "
			"s[#s+1] = { candidates = { x }, patience = 2 } end end\n"
			" return s end");
	world_job(w, 0, 4, 1);
	world_boot(w);
	w->cluster[1].stockout_ms = 0;
	for (int i = 0; i < 400 && !strstr(w->events, "NextStep"); i++) {
		w->cluster[1].grown_ms = w->now + 100000; /* gke's nodes never come */
		world_run(w, 20);
	}
	cr_assert(strstr(w->events, "NextStep"), "%s", w->events);
	cr_assert(world_until(w, job0_ended, 60000), "%s", w->events);
	cr_assert_str_eq(w->job[0].cluster, "aks");
	world_free(w);
}

Test(dispatch, a_sold_out_step_is_not_waited_for)
{
	struct world *w = world_new(19);
	w->cluster[1].stockout_ms = 1000000000;
	world_policy(w, "function place(w, c) local s = {} for i, x in ipairs(c) do if x.cluster ~= 'onprem' then "
			"s[#s+1] = { candidates = { x }, patience = 3600 } end end\n"
			" return s end");
	world_job(w, 0, 4, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_ended, 60000), "%s", w->events);
	cr_assert_str_eq(w->job[0].cluster, "aks");
	world_free(w);
}

Test(dispatch, a_store_that_is_set_back_while_it_runs_places_nothing_until_it_is_accepted)
{
	struct world *w = world_new(21);
	world_boot(w);
	world_run(w, 3000);
	sw_dispatch_store_set_back(w->d);
	sw_dispatch_store_set_back(w->d);
	world_job(w, 0, 1, 1);
	world_row_changed(w, &w->job[0]);
	world_run(w, 20000);
	cr_assert(!*w->job[0].cluster && w->started == 0);
	cr_assert(strstr(w->job[0].message, "the store is older than a cluster"), "%s", w->job[0].message);
	struct sw_err e = sw_dispatch_accept_store(w->d);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert(world_until(w, job0_ended, 20000), "%s", w->events);
	world_free(w);
}

Test(dispatch, a_store_older_than_the_clusters_places_nothing_until_it_is_accepted)
{
	struct world *w = world_new(20);
	world_boot(w);
	world_run(w, 3000);
	json_t *old = sw_json_copy(w->notes);
	world_crash(w);
	world_boot(w); /* the epoch grows with each start */
	world_run(w, 3000);
	world_crash(w);
	json_object_put(w->notes);
	w->notes = old;
	world_job(w, 0, 1, 1);
	world_boot(w);
	world_run(w, 20000);
	cr_assert(!*w->job[0].cluster && w->started == 0);
	cr_assert(strstr(w->job[0].message, "the store is older than a cluster"), "%s", w->job[0].message);
	struct sw_err e = sw_dispatch_accept_store(w->d);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert(world_until(w, job0_ended, 20000), "%s", w->events);
	cr_assert_eq(sw_dispatch_accept_store(w->d).code, SW_E_INVALID);
	world_free(w);
}

Test(dispatch, a_copy_that_an_old_store_forgot_is_adopted)
{
	struct world *w = world_new(21);
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 5000));
	world_crash(w);
	w->job[0].cluster[0] = '\0'; /* as it stood before the winner was named */
	w->job[0].check = SW_CHECK_PENDING;
	world_boot(w);
	cr_assert(world_until(w, job0_ended, 20000), "%s", w->events);
	cr_assert_eq(w->started, 1, "it was found and followed, not started again");
	cr_assert(strstr(w->events, "!Adopted"), "%s", w->events);
	world_free(w);
}

Test(dispatch, nobody_who_waits_is_forgotten_and_urgent_jobs_go_first)
{
	struct world *w = world_new(22);
	w->cluster[1].reachable = w->cluster[2].reachable = false;
	for (int i = 0; i < W_JOBS; i++)
		world_job(w, i, 4, 2); /* each takes all of on-prem */
	world_boot(w);
	for (int i = 0; i < W_JOBS; i++) {
		for (int k = 0; k < 4000 && !w->job[i].finished; k++)
			world_run(w, 20);
		cr_assert(w->job[i].finished, "job %d: %s", i, w->events);
	}
	world_free(w);
}

Test(dispatch, clusters_and_pools_are_listed)
{
	struct world *w = world_new(23);
	world_boot(w);
	world_run(w, 2000);
	json_t *c = sw_dispatch_clusters(w->d), *p = sw_dispatch_pools(w->d);
	cr_assert_eq(sw_json_len(c), 3);
	cr_assert_str_eq(sw_json_str(sw_json_idx(c, 0), "state"), "Ready");
	cr_assert_eq(sw_json_len(p), 3);
	cr_assert_eq(sw_json_int(sw_json_idx(p, 0), "gpus", 0), 8);
	cr_assert_null(sw_dispatch_explain(w->d, "ns/unknown"));
	json_object_put(c);
	json_object_put(p);
	world_free(w);
}
