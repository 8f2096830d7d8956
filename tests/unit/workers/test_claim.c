/* SPDX-License-Identifier: Apache-2.0 */
/* test_claim.c - whose cluster it is: every content of the claim, and every way to write it */
#include <criterion/criterion.h>
#include <string.h>

#include "cluster.h"

#define CLAIM "/api/v1/namespaces/spillway-system/configmaps/spillway-claim"

static const struct {
	const char *object;
	enum sw_claim want;
	bool raise;
	const char *says;
} rows[] = {
	{"{\"data\":{\"origin\":\"us\",\"epoch\":\"7\"}}", SW_CLAIM_OURS, false, ""},
	{"{\"data\":{\"origin\":\"us\",\"epoch\":\"6\"}}", SW_CLAIM_OURS, true, ""},
	{"{\"data\":{\"origin\":\"us\",\"epoch\":\"8\"}}", SW_CLAIM_NEWER, false,
	 "older than what the cluster has seen"},
	{"{\"data\":{\"origin\":\"them\",\"epoch\":\"7\"}}", SW_CLAIM_FOREIGN, false, "claimed by installation them"},
	{"{\"data\":{\"origin\":\"\",\"epoch\":\"7\"}}", SW_CLAIM_FOREIGN, false, "expected an installation id"},
	{"{\"data\":{\"origin\":\"us\"}}", SW_CLAIM_FOREIGN, false, "expected"},
	{"{\"data\":{\"origin\":\"us\",\"epoch\":\"-1\"}}", SW_CLAIM_FOREIGN, false, "expected"},
	{"{\"data\":{\"origin\":\"us\",\"epoch\":\"7x\"}}", SW_CLAIM_FOREIGN, false, "expected"},
	{"{\"data\":{\"origin\":\"us\",\"epoch\":\"99999999999999999999999\"}}", SW_CLAIM_FOREIGN, false, "expected"},
	{"{\"data\":{\"origin\":\"us\",\"epoch\":\"\"}}", SW_CLAIM_FOREIGN, false, "expected"},
	{"{\"data\":null}", SW_CLAIM_FOREIGN, false, "expected"},
	{"{\"data\":{\"origin\":5,\"epoch\":7}}", SW_CLAIM_FOREIGN, false, "expected"},
	{"{}", SW_CLAIM_FOREIGN, false, "expected"},
};

Test(claim, every_content_is_judged)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *o = json_tokener_parse(rows[i].object);
		uint64_t theirs;
		bool raise;
		char why[300];
		cr_expect_eq(claim_judge(o, "us", 7, &theirs, &raise, why), rows[i].want, "row %zu", i);
		cr_expect_eq(raise, rows[i].raise, "row %zu", i);
		cr_expect(strstr(why, rows[i].says), "row %zu: %s", i, why);
		json_object_put(o);
	}
}

static void put_claim(struct cluster *c, const char *origin, const char *epoch)
{
	cluster_put(c, CLAIM, sw_json_fmt("{\"data\":{\"origin\":\"%s\",\"epoch\":\"%s\"}}", origin, epoch));
}

Test(claim, a_cluster_without_one_is_claimed_with_its_namespace)
{
	struct cluster *c = cluster_new();
	cluster_open(c);
	struct sw_worker_state s = sw_worker_state(c->w);
	cr_expect(s.ready && s.claim == SW_CLAIM_OURS && s.claim_epoch == 7, "%s", s.why);
	cr_expect_str_eq(sw_json_str(cluster_get(c, CLAIM), "data.origin"), "us");
	cluster_free(c);
}

Test(claim, another_installations_cluster_is_not_touched)
{
	struct cluster *c = cluster_new();
	put_claim(c, "them", "1");
	cluster_open(c);
	struct sw_worker_state s = sw_worker_state(c->w);
	cr_expect(!s.ready && s.reachable && s.claim == SW_CLAIM_FOREIGN);
	cr_expect(strstr(s.why, "them"), "%s", s.why);
	cr_expect_str_eq(c->log, "", "nothing was written");
	put_claim(c, "us", "7"); /* the operator hands it over */
	cluster_turn(c, 61000);
	cr_expect(sw_worker_state(c->w).ready);
	cluster_free(c);
}

Test(claim, an_older_epoch_is_raised_and_a_newer_one_waits_for_adoption)
{
	struct cluster *c = cluster_new();
	put_claim(c, "us", "3");
	cluster_open(c);
	cr_expect(sw_worker_state(c->w).ready);
	cr_expect_str_eq(sw_json_str(cluster_get(c, CLAIM), "data.epoch"), "7");
	put_claim(c, "us", "9");
	cluster_turn(c, 61000);
	struct sw_worker_state s = sw_worker_state(c->w);
	cr_expect(!s.ready && s.claim == SW_CLAIM_NEWER && s.claim_epoch == 9, "%s", s.why);
	sw_workers_set_epoch(c->ws, 10);
	cluster_turn(c, 1000);
	cr_expect(sw_worker_state(c->w).ready);
	cr_expect_str_eq(sw_json_str(cluster_get(c, CLAIM), "data.epoch"), "10");
	sw_workers_set_epoch(c->ws, 2);
	cluster_turn(c, 1000);
	cr_expect_str_eq(sw_json_str(cluster_get(c, CLAIM), "data.epoch"), "10", "never lowered");
	cluster_free(c);
}

Test(claim, a_store_that_is_set_back_while_we_run_outdates_it_at_once_and_for_who_starts_next)
{
	struct cluster *c = cluster_new();
	cluster_open(c);
	sw_workers_set_back(c->ws);
	struct sw_worker_state s = sw_worker_state(c->w);
	cr_expect(!s.ready && s.claim == SW_CLAIM_NEWER && strstr(s.why, "set back in time"), "%s", s.why);
	cluster_turn(c, 1000);
	s = sw_worker_state(c->w);
	cr_expect(!s.ready && s.claim == SW_CLAIM_NEWER && s.claim_epoch == 8, "%s", s.why);
	cr_expect_str_eq(sw_json_str(cluster_get(c, CLAIM), "data.epoch"), "8");
	sw_workers_set_epoch(c->ws, 8);
	cluster_turn(c, 1000);
	cr_expect_eq(sw_worker_state(c->w).claim, SW_CLAIM_NEWER, "one that was being stored meanwhile ends nothing");
	cluster_close(c);
	cluster_open(c);
	cr_expect_eq(sw_worker_state(c->w).claim, SW_CLAIM_NEWER, "a restart forgets nothing of it");
	sw_workers_set_epoch(c->ws, 10);
	cluster_turn(c, 1000);
	cr_expect(sw_worker_state(c->w).ready);
	cluster_free(c);
}

static const struct {
	enum fault fault;
	const char *at;
} faults[] = {
	{LOSE_REPLY, "GET " CLAIM},
	{LOSE_REPLY, "POST /api/v1/namespaces/spillway-system/configmaps"},
	{LOSE_CALL, "POST /api/v1/namespaces/spillway-system/configmaps"},
	{LOSE_REPLY, "POST /api/v1/namespaces"},
	{LOSE_CALL, "POST /api/v1/namespaces"},
	{ANSWER_500, "POST /api/v1/namespaces"},
	{ANSWER_403, "GET " CLAIM},
};

Test(claim, any_answer_may_get_lost)
{
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct cluster *c = cluster_new();
		c->fault = faults[i].fault;
		snprintf(c->fault_at, sizeof c->fault_at, "%s", faults[i].at);
		cluster_open(c);
		cluster_turn(c, 5000);
		cr_expect_eq(c->fault, 0, "row %zu: the fault happened", i);
		cr_expect(sw_worker_state(c->w).ready, "row %zu: %s", i, sw_worker_state(c->w).why);
		cluster_free(c);
	}
}

Test(claim, it_is_read_again_after_each_loss)
{
	struct cluster *c = cluster_new();
	cluster_open(c);
	cluster_down(c, true);
	put_claim(c, "them", "1");
	cluster_turn(c, 1000);
	cr_expect(!sw_worker_state(c->w).reachable);
	cluster_down(c, false);
	cluster_turn(c, 1000);
	cr_expect_eq(sw_worker_state(c->w).claim, SW_CLAIM_FOREIGN);
	cluster_free(c);
}
