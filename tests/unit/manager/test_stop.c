/* SPDX-License-Identifier: Apache-2.0 */
#include "manager_test.h"

static struct sw_err set(struct world *w, const char *resource, const char *ns, const char *name, const char *path,
			 json_t *value_taken)
{
	json_t *o = get(w, resource, ns, name);

	cr_assert(o, "%s %s", resource, name);
	sw_json_set(o, path, value_taken);
	return update(w, resource, o);
}

static void must_set(struct world *w, const char *resource, const char *ns, const char *name, const char *path,
		     json_t *value_taken)
{
	struct sw_err e = set(w, resource, ns, name, path, value_taken);

	cr_assert(!sw_failed(e), "%s", e.text);
}

static void run(struct world *w, const char *job)
{
	job_add(w, job, 1);
	UNTIL(w, is_reserved(w, job));
	nominate(w, job);
	win(w, job, "east");
	UNTIL(w, !suspended(w, job));
}

static bool gone(struct world *w, const char *resource, const char *name)
{
	json_t *o = get(w, resource, "default", name);

	json_object_put(o);
	return !o;
}

Test(manager_stop, a_user_suspends_a_running_job_and_resumes_it)
{
	struct world w;

	world_open(&w);
	run(&w, "pi");
	must_set(&w, "jobs.batch", "default", "pi", "spec.suspend", json_object_new_boolean(true));
	UNTIL(&w, row(&w, "pi")->evicted);
	cr_expect(row(&w, "pi")->suspended_by_user);
	cr_expect_eq(gpus_used(&w), 1, "the copy may still run");
	released(&w, "pi");
	UNTIL(&w, is_waiting(&w, "pi"));
	settle(&w);
	cr_expect(is_waiting(&w, "pi") && suspended(&w, "pi"), "it stays away although there is quota");
	cr_expect_eq(gpus_used(&w), 0);
	world_restart(&w);
	settle(&w);
	cr_expect(is_waiting(&w, "pi") && row(&w, "pi")->suspended_by_user);
	must_set(&w, "jobs.batch", "default", "pi", "spec.suspend", json_object_new_boolean(false));
	UNTIL(&w, is_reserved(&w, "pi"));
	cr_expect(!row(&w, "pi")->suspended_by_user);
	cr_expect(suspended(&w, "pi"), "it starts when it is admitted, not when its user says so");
	world_close(&w);
}

Test(manager_stop, a_suspended_job_cannot_be_started_by_hand)
{
	struct world w;

	world_open(&w);
	job_add(&w, "big", 100);
	UNTIL(&w, row(&w, "big"));
	must_set(&w, "jobs.batch", "default", "big", "spec.suspend", json_object_new_boolean(false));
	settle(&w);
	cr_expect(suspended(&w, "big") && is_waiting(&w, "big"));
	world_close(&w);
}

Test(manager_stop, applying_a_manifest_that_says_suspend_again_does_not_stop_the_job)
{
	struct world w;
	json_t *o = job_json("pi", 1);

	world_open(&w);
	sw_json_set_annotation(o, "kubectl.kubernetes.io/last-applied-configuration", "{\"spec\":{\"suspend\":true}}");
	cr_assert(!sw_failed(job_try(&w, o)));
	UNTIL(&w, is_reserved(&w, "pi"));
	nominate(&w, "pi");
	win(&w, "pi", "east");
	UNTIL(&w, !suspended(&w, "pi"));
	must_set(&w, "jobs.batch", "default", "pi", "spec.suspend", json_object_new_boolean(true));
	settle(&w);
	cr_expect(!suspended(&w, "pi") && !row(&w, "pi")->evicted);
	world_close(&w);
}

Test(manager_stop, a_deleted_job_goes_at_once_and_its_workload_when_the_copy_is_swept)
{
	struct world w;
	char name[254];

	world_open(&w);
	run(&w, "pi");
	snprintf(name, sizeof(name), "%s", strchr(row(&w, "pi")->key, '/') + 1);
	cr_expect(!sw_failed(erase(&w, "jobs.batch", "default", "pi")));
	cr_expect(gone(&w, "jobs.batch", "pi"));
	UNTIL(&w, row(&w, "pi") && row(&w, "pi")->deleting);
	settle(&w);
	cr_expect(!gone(&w, WL, name), "dispatch has to sweep the copy first");
	cr_expect_eq(gpus_used(&w), 1);
	world_restart(&w);
	cr_expect(row(&w, "pi") && row(&w, "pi")->deleting);
	cr_expect_str_eq(row(&w, "pi")->cluster, "east");
	released(&w, "pi");
	UNTIL(&w, !row(&w, "pi"));
	cr_expect(gone(&w, WL, name));
	cr_expect_eq(gpus_used(&w), 0);
	world_close(&w);
}

Test(manager_stop, a_waiting_job_that_is_deleted_leaves_nothing)
{
	struct world w;
	char name[254];

	world_open(&w);
	job_add(&w, "big", 100);
	UNTIL(&w, row(&w, "big"));
	snprintf(name, sizeof(name), "%s", strchr(row(&w, "big")->key, '/') + 1);
	cr_expect(!sw_failed(erase(&w, "jobs.batch", "default", "big")));
	UNTIL(&w, !row(&w, "big"));
	cr_expect(gone(&w, WL, name));
	cr_expect_eq(sw_queue_count(sw_embedded_queue(w.m), "cq").pending, 0);
	job_add(&w, "offered", 1); /* reserved, but no cluster was named: nothing to sweep */
	UNTIL(&w, is_reserved(&w, "offered"));
	cr_expect(!sw_failed(erase(&w, "jobs.batch", "default", "offered")));
	UNTIL(&w, !row(&w, "offered"));
	cr_expect_eq(gpus_used(&w), 0);
	world_close(&w);
}

Test(manager_stop, a_job_of_the_same_name_is_another_job)
{
	struct world w;
	char first[600];
	struct sw_err e;
	struct answer a = {0};
	json_t *s = json_of("{'active':1}");

	world_open(&w);
	run(&w, "pi");
	const struct sw_workload *r = row(&w, "pi");
	char uid[40];

	snprintf(first, sizeof(first), "%s", r->key);
	snprintf(uid, sizeof(uid), "%s", r->job_uid);
	cr_expect(!sw_failed(erase(&w, "jobs.batch", "default", "pi")));
	job_add(&w, "pi", 1);
	UNTIL(&w, sw_queue_count(sw_embedded_queue(w.m), "cq").admitted == 2);
	cr_expect(w.m->ops->get(w.m, first)->deleting);
	e = wait_for(&w, w.m->ops->sync_status(w.m, first, uid, s, on_done, &a), &a);
	cr_expect_eq(e.code, SW_E_MISSING, "a report about the old job must not reach the new one: %s", e.text);
	json_object_put(s);
	world_close(&w);
}

Test(manager_stop, hold_and_drain_evicts_and_none_lets_them_back)
{
	struct world w;

	world_open(&w);
	run(&w, "runs");
	job_add(&w, "offered", 1);
	UNTIL(&w, is_reserved(&w, "offered"));
	must_set(&w, CQS, "", "cq", "spec.stopPolicy", json_object_new_string("HoldAndDrain"));
	UNTIL(&w, row(&w, "runs")->evicted && is_waiting(&w, "offered"));
	cr_expect(!row(&w, "runs")->active);
	json_t *o = workload(&w, "runs");

	cr_expect_str_eq(sw_json_str(sw_json_condition(o, "Evicted"), "reason"), "ClusterQueueStopped");
	json_object_put(o);
	released(&w, "runs");
	UNTIL(&w, is_waiting(&w, "runs"));
	settle(&w);
	cr_expect_eq(gpus_used(&w), 0);
	must_set(&w, CQS, "", "cq", "spec.stopPolicy", json_object_new_string("None"));
	UNTIL(&w, is_reserved(&w, "runs") && is_reserved(&w, "offered"));
	cr_expect_eq(row(&w, "runs")->attempt, 2);
	world_close(&w);
}

Test(manager_stop, hold_stops_new_ones_only)
{
	struct world w;

	world_open(&w);
	run(&w, "runs");
	must_set(&w, LQS, "default", "lq", "spec.stopPolicy", json_object_new_string("Hold"));
	job_add(&w, "late", 1);
	UNTIL(&w, row(&w, "late"));
	settle(&w);
	cr_expect(is_waiting(&w, "late") && is_reserved(&w, "runs") && row(&w, "runs")->active);
	must_set(&w, LQS, "default", "lq", "spec.stopPolicy", json_object_new_string("None"));
	UNTIL(&w, is_reserved(&w, "late"));
	world_close(&w);
}

Test(manager_stop, a_deactivated_workload_leaves_and_comes_back)
{
	struct world w;
	char name[254];

	world_open(&w);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	snprintf(name, sizeof(name), "%s", strchr(row(&w, "pi")->key, '/') + 1);
	must_set(&w, WL, "default", name, "spec.active", json_object_new_boolean(false));
	UNTIL(&w, is_waiting(&w, "pi"));
	cr_expect(!row(&w, "pi")->active);
	cr_expect_eq(gpus_used(&w), 0);
	must_set(&w, WL, "default", name, "spec.active", json_object_new_boolean(true));
	UNTIL(&w, is_reserved(&w, "pi"));
	world_close(&w);
}

Test(manager_stop, a_rejected_workload_gives_its_quota_back_and_says_why)
{
	struct world w;
	struct sw_change no = {.op = SW_CHANGE_REJECT, .reason = "NoCluster", .message = "no cluster has a TPU"};

	world_open(&w);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	must_change(&w, "pi", &no);
	UNTIL(&w, is_waiting(&w, "pi"));
	cr_expect(!row(&w, "pi")->active);
	cr_expect_eq(row(&w, "pi")->check, SW_CHECK_REJECTED);
	cr_expect_str_eq(row(&w, "pi")->message, "no cluster has a TPU");
	cr_expect_eq(gpus_used(&w), 0);
	world_close(&w);
}

Test(manager_stop, changes_are_compare_and_set)
{
	struct world w;
	struct answer a = {0};
	struct sw_change say = {.op = SW_CHANGE_MESSAGE, .message = "waiting"},
			 late = {.op = SW_CHANGE_WIN, .cluster = "west"};

	world_open(&w);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	const struct sw_workload *r = row(&w, "pi");
	char key[600];
	uint64_t rv = r->rv;

	snprintf(key, sizeof(key), "%s", r->key);
	must_change(&w, "pi", &say);
	cr_expect_eq(w.m->ops->change(w.m, key, rv, &say, on_done, &a).code, SW_E_CONFLICT);
	cr_expect_eq(w.m->ops->change(w.m, "default/none", rv, &say, on_done, &a).code, SW_E_MISSING);
	win(&w, "pi", "east");
	cr_expect_eq(change(&w, "pi", &late).code, SW_E_INVALID, "there is one winner");
	/* two in the same turn: the second does not see the first yet */
	r = row(&w, "pi");
	cr_expect(!sw_failed(w.m->ops->change(w.m, key, r->rv, &say, on_done, &a)));
	cr_expect_eq(w.m->ops->change(w.m, key, r->rv, &say, on_done, &a).code, SW_E_CONFLICT);
	UNTIL(&w, a.done);
	world_close(&w);
}

Test(manager_stop, a_waiting_job_may_change_its_queue_its_pods_and_its_class)
{
	struct world w;

	world_open(&w);
	job_add(&w, "big", 100);
	UNTIL(&w, row(&w, "big"));
	json_t *o = get(&w, "jobs.batch", "default", "big");

	sw_json_set_label(o, SW_LABEL_PRIORITY, "high");
	sw_json_set_label(o, SW_LABEL_QUEUE, "other");
	sw_json_set_int(o, "spec.parallelism", 3);
	cr_expect(!sw_failed(update(&w, "jobs.batch", o)));
	UNTIL(&w, strcmp(row(&w, "big")->queue, "other") == 0);
	cr_expect_eq(row(&w, "big")->priority, 100);
	cr_expect_str_eq(row(&w, "big")->priority_class, "high");
	o = workload(&w, "big");
	cr_expect_str_eq(sw_json_str(o, "spec.priorityClassRef.name"), "high");
	json_object_put(o);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	o = get(&w, "jobs.batch", "default", "pi");
	sw_json_set_int(o, "spec.parallelism", 2);
	sw_json_set_int(o, "spec.completions", 2);
	struct sw_err e = update(&w, "jobs.batch", o);

	if (!sw_failed(e)) /* reserved for one pod: it goes back and is reserved for two */
		UNTIL(&w, gpus_used(&w) == 2);
	world_close(&w);
}

Test(manager_stop, a_waiting_job_that_wishes_for_something_else_is_shown_to_dispatch)
{
	struct world w;

	world_open(&w);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	for (int i = 0; i < 2; i++) {
		uint64_t rv = row(&w, "pi")->rv;
		json_t *o = get(&w, "jobs.batch", "default", "pi");

		sw_json_set_annotation(o, SW_ANN_MAX_PRICE, i ? "50" : "20");
		cr_expect(!sw_failed(update(&w, "jobs.batch", o)));
		UNTIL(&w, row(&w, "pi")->rv != rv); /* the row moves, so the job is read again */
		cr_expect(is_reserved(&w, "pi"), "its quota is not given back for that");
	}
	world_close(&w);
}

Test(manager_stop, queue_status_follows)
{
	struct world w;
	json_t *o = NULL;

	world_open(&w);
	run(&w, "pi");
	job_add(&w, "big", 100);
	UNTIL(&w, row(&w, "big"));
	for (int i = 0; i < 100; i++) {
		json_object_put(o);
		o = get(&w, CQS, "", "cq");
		if (sw_json_int(o, "status.pendingWorkloads", 0) == 1 &&
		    sw_json_int(o, "status.admittedWorkloads", 0) == 1)
			break;
		settle(&w);
	}
	cr_expect_eq(sw_json_int(o, "status.pendingWorkloads", -1), 1);
	cr_expect_eq(sw_json_int(o, "status.reservingWorkloads", -1), 1);
	cr_expect_eq(sw_json_int(o, "status.admittedWorkloads", -1), 1);
	cr_expect(sw_json_condition_true(o, "Active"));
	json_t *f = sw_json_idx(sw_json_at(o, "status.flavorsReservation"), 0);

	cr_expect_str_eq(sw_json_str(f, "name"), "any");
	cr_expect_str_eq(sw_json_str(sw_json_idx(sw_json_key(f, "resources"), 1), "total"), "1");
	json_object_put(o);
	o = get(&w, LQS, "default", "lq");
	cr_expect_eq(sw_json_int(o, "status.pendingWorkloads", -1), 1);
	json_object_put(o);
	o = get(&w, "admissionchecks.kueue.x-k8s.io", "", "spillway");
	cr_expect(sw_json_condition_true(o, "Active"));
	json_object_put(o);
	world_close(&w);
}
