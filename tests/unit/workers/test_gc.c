/* SPDX-License-Identifier: Apache-2.0 */
/* test_gc.c - what nobody wants goes; a lost store deletes nothing */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"

static void put_copy(struct cluster *c, int i)
{
	char path[128], name[32], key[64], uid[32];
	json_t *job;

	snprintf(name, sizeof name, "j%d", i);
	snprintf(key, sizeof key, "ns/job-j%d", i);
	snprintf(uid, sizeof uid, "owner-%d", i);
	snprintf(path, sizeof path, "/apis/batch/v1/namespaces/ns/jobs/j%d", i);
	job = cluster_job("ns", name, 1, 0);
	json_object_object_del(sw_json_key(job, "metadata"), "uid");
	sw_json_set_label(job, SW_LABEL_ORIGIN, "us");
	sw_json_set_annotation(job, SW_ANN_WORKLOAD, key);
	sw_json_set_annotation(job, SW_ANN_OWNER_UID, uid);
	sw_json_set_annotation(job, SW_ANN_ATTEMPT, "1");
	cluster_put(c, path, job);
}

static struct cluster *with_copies(int n, int known)
{
	struct cluster *c = cluster_new();
	char key[64];
	for (int i = 0; i < n; i++) {
		put_copy(c, i);
		snprintf(key, sizeof key, "ns/job-j%d", i);
		if (i < known)
			json_object_object_add(c->workloads, key, json_object_new_boolean(true));
	}
	cluster_open(c);
	return c;
}

static const struct {
	size_t orphans, copies;
	bool may;
} brake[] = {
	{0, 0, true},      {1, 10, true},  {1, 9, false}, {20, 200, true},
	{21, 1000, false}, {5, 49, false}, {5, 50, true}, {1, 1, false},
};

Test(gc, the_brake)
{
	for (size_t i = 0; i < sizeof brake / sizeof *brake; i++)
		cr_expect_eq(gc_within_brake(brake[i].orphans, brake[i].copies), brake[i].may, "row %zu", i);
}

Test(gc, copies_that_were_there_before_us_are_told_when_they_can_be_seen)
{
	struct cluster *c = with_copies(1, 1);
	cr_expect_gt(c->work_changes, 0);
	cr_expect(!c->told_unseen, "whoever looks when told must see it: a finished workload is not looked at again");
	cluster_free(c);
}

Test(gc, one_orphan_among_many_goes_after_a_while_and_only_with_a_synced_manager)
{
	struct cluster *c = with_copies(12, 11);
	cluster_turn(c, 60000);
	cr_expect_eq(cluster_count(c, "/jobs/"), 12, "the manager has not reported yet");
	sw_workers_manager_synced(c->ws, true);
	cluster_turn(c, 5000);
	cr_expect_eq(cluster_count(c, "/jobs/"), 12, "not at first sight");
	cluster_turn(c, 30000);
	cr_expect_eq(cluster_count(c, "/jobs/"), 11);
	cr_expect(cluster_logged(c, "DELETE /apis/batch/v1/namespaces/ns/jobs/j11"));
	cluster_free(c);
}

Test(gc, a_store_that_knows_nothing_deletes_nothing)
{
	struct cluster *c = with_copies(30, 0);
	sw_workers_manager_synced(c->ws, true);
	cluster_turn(c, 120000);
	struct sw_worker_state s = sw_worker_state(c->w);
	cr_expect_eq(cluster_count(c, "/jobs/"), 30);
	cr_expect(s.gc_paused && strstr(s.gc_why, "30 of 30"), "%s", s.gc_why);
	cr_expect(s.ready, "work goes on");
	sw_worker_gc_confirm(c->w);
	cluster_turn(c, 1000);
	cr_expect_eq(cluster_count(c, "/jobs/"), 0, "a person said so");
	cluster_turn(c, 60000);
	cr_expect(!sw_worker_state(c->w).gc_paused);
	cluster_free(c);
}

Test(gc, nothing_is_deleted_on_a_cluster_that_is_not_ours_or_has_seen_a_newer_store)
{
	static const char *const claims[] = {"{\"data\":{\"origin\":\"them\",\"epoch\":\"7\"}}",
					     "{\"data\":{\"origin\":\"us\",\"epoch\":\"8\"}}"};
	for (size_t i = 0; i < 2; i++) {
		struct cluster *c = cluster_new();
		for (int k = 0; k < 20; k++)
			put_copy(c, k);
		json_object_object_add(c->workloads, "ns/x", json_object_new_boolean(true));
		cluster_put(c, "/api/v1/namespaces/spillway-system/configmaps/spillway-claim",
			    json_tokener_parse(claims[i]));
		cluster_open(c);
		sw_workers_manager_synced(c->ws, true);
		sw_worker_gc_confirm(c->w);
		cluster_turn(c, 120000);
		cr_expect_eq(cluster_count(c, "/jobs/"), 20, "row %zu", i);
		cluster_free(c);
	}
}

Test(gc, after_a_restore_not_even_one_orphan_goes_without_a_person)
{
	struct cluster *c = with_copies(30, 29);
	cluster_close(c);
	cluster_put(c, "/api/v1/namespaces/spillway-system/configmaps/spillway-claim",
		    json_tokener_parse("{\"data\":{\"origin\":\"us\",\"epoch\":\"8\"}}"));
	cluster_open(c);
	cr_assert_eq(sw_worker_state(c->w).claim, SW_CLAIM_NEWER);
	cluster_close(c); /* and a restart forgets nothing of it */
	cluster_open(c);
	sw_workers_set_epoch(c->ws, 9);
	sw_workers_manager_synced(c->ws, true);
	cluster_turn(c, 120000);
	struct sw_worker_state s = sw_worker_state(c->w);
	cr_expect(s.ready, "%s", s.why);
	cr_expect_eq(cluster_count(c, "/jobs/"), 30);
	cr_expect(s.gc_paused && strstr(s.gc_why, "newer store"), "%s", s.gc_why);
	sw_worker_gc_confirm(c->w);
	cluster_turn(c, 1000);
	cr_expect_eq(cluster_count(c, "/jobs/"), 29);
	cr_expect_eq(json_object_object_length(c->notes), 0);
	cluster_free(c);
}

Test(gc, a_tombstone_is_carried_out_when_the_cluster_is_back)
{
	struct cluster *c = with_copies(2, 2);
	sw_workers_manager_synced(c->ws, true);
	cluster_down(c, true);
	json_object_object_del(c->workloads, "ns/job-j1");
	cr_assert(!sw_failed(sw_worker_tombstone(c->w, sw_kind_named("job"), "ns", "j1", "owner-1", cluster_done, c)));
	cr_expect_eq(c->done, 1);
	cluster_turn(c, 60000);
	cr_expect_eq(cluster_count(c, "/jobs/"), 2);
	cluster_close(c); /* it survives us */
	cluster_down(c, false);
	cluster_open(c);
	sw_workers_manager_synced(c->ws, true);
	cluster_turn(c, 60000);
	cr_expect_eq(cluster_count(c, "/jobs/"), 1, "asked for: no brake");
	cr_expect(!sw_worker_state(c->w).gc_paused);
	cr_expect_eq(json_object_object_length(c->notes), 1, "kept: a POST may still land");
	put_copy(c, 1);
	cluster_turn(c, 60000);
	cr_expect_eq(cluster_count(c, "/jobs/"), 1, "and it did");
	cluster_turn(c, 16 * 60000);
	cr_expect_eq(json_object_object_length(c->notes), 0);
	cluster_free(c);
}

Test(gc, a_tombstone_spares_the_job_that_was_made_again_under_the_name)
{
	struct cluster *c = with_copies(2, 2);
	sw_workers_manager_synced(c->ws, true);
	cr_assert(!sw_failed(
		sw_worker_tombstone(c->w, sw_kind_named("job"), "ns", "j1", "an-earlier-owner", cluster_done, c)));
	cluster_turn(c, 60000);
	cr_expect_eq(cluster_count(c, "/jobs/"), 2);
	cluster_free(c);
}

Test(gc, hostile_notes_are_survived)
{
	static const char *const bad[] = {"{}", "[]", "7", "{\"kind\":\"nothing\",\"ns\":7}",
					  "{\"kind\":\"jobs.batch\",\"ns\":\"ns\",\"name\":\"j0\"}"};
	struct cluster *c = with_copies(1, 1);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char name[64];
		snprintf(name, sizeof name, "tombstone/east/%zu", i);
		json_object_object_add(c->notes, name, json_tokener_parse(bad[i]));
	}
	sw_workers_manager_synced(c->ws, true);
	cluster_turn(c, 60000);
	cr_expect_eq(cluster_count(c, "/jobs/"), 1);
	cluster_free(c);
}

Test(gc, pods_left_without_a_job_are_deleted_by_uid_in_the_end)
{
	struct cluster *c = with_copies(0, 0);
	cluster_node(c, "n0", "", 0, 8);
	cluster_pod(c, "left", "n0", 1, 0, "ns/gone", "owner-9", 1);
	cluster_pod(c, "theirs", "n0", 1, 0, NULL, NULL, 0);
	sw_workers_manager_synced(c->ws, true);
	cluster_turn(c, 40000);
	cr_expect_eq(cluster_count(c, "/pods/left"), 1, "the cluster's own collector gets its time");
	cluster_turn(c, 200000);
	cr_expect_eq(cluster_count(c, "/pods/left"), 0);
	cr_expect_eq(cluster_count(c, "/pods/theirs"), 1);
	cluster_free(c);
}
