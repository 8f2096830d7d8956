/* SPDX-License-Identifier: Apache-2.0 */
/* test_grow.c - pools grow once for what waits, through crashes, lost replies, stockouts and limits */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "world.h"

static void want(struct world *w, const char *key, int nodes)
{
	w->demand = nodes > w->demand ? nodes : w->demand;
	sw_burst_want(w->burst, key, "gke", "h100", nodes);
}

static struct world *begun(void)
{
	struct world *w = world_new();
	world_start(w);
	world_turn(w, 0);
	return w;
}

Test(grow, a_pool_grows_by_what_waits_and_only_once)
{
	struct world *w = begun();
	want(w, "ns/a", 2);
	world_turn(w, 5000);
	cr_expect_eq(w->grow_calls, 1);
	cr_expect_eq(w->pool.target, 2);
	cr_expect_eq(sw_burst_look(w->burst, "gke", "h100", 0).growing, 2);
	cr_expect_eq(sw_burst_look(w->burst, "gke", "h100", 0).committed_hour, 20);
	cr_expect_eq(world_notes(w), 0, "the list shows it: the intent is done");
	cr_expect(world_said(w, "ns/a ScaleUp"));
	world_node(w, 8);
	world_node(w, 0);
	world_turn(w, 3000);
	cr_expect_eq(sw_burst_look(w->burst, "gke", "h100", 0).growing, 1,
		     "a node without its GPUs is still on its way");
	cr_expect_eq(w->grow_calls, 1);
	w->nodes[1].gpu_total = 8;
	w->demand = 0;
	sw_burst_unwant(w->burst, "ns/a");
	world_turn(w, 2000);
	cr_expect_eq(sw_burst_look(w->burst, "gke", "h100", 0).growing, 0);
	cr_expect(world_said(w, "NodesReady"));
	cr_expect_gt(w->changes, 0);
	world_free(w);
}

Test(grow, wants_add_up_but_not_past_what_they_need_together)
{
	struct world *w = begun();
	sw_burst_want(w->burst, "ns/a", "gke", "h100", 1);
	sw_burst_want(w->burst, "ns/b", "gke", "h100", 1);
	sw_burst_want(w->burst, "ns/c", "gke", "h100", 1);
	w->demand = 2;
	world_turn(w, 3000);
	cr_expect_eq(w->pool.target, 2);
	w->demand = 3;
	world_turn(w, 15000);
	cr_expect_eq(w->pool.target, 3, "the third does not fit beside them after all");
	world_free(w);
}

Test(grow, a_want_past_the_maximum_is_told_why_and_does_not_stop_a_smaller_one)
{
	struct world *w = begun();
	want(w, "ns/big", 5);
	sw_burst_want(w->burst, "ns/small", "gke", "h100", 1);
	world_turn(w, 3000);
	cr_expect_eq(w->pool.target, 1);
	cr_expect(world_said(w, "ns/big NotGrown"));
	cr_expect(world_said(w, "maximum of 4"));
	world_free(w);
}

Test(grow, the_same_reason_is_said_once)
{
	struct world *w = begun();
	want(w, "ns/big", 5);
	world_turn(w, 60000);
	cr_expect_null(strstr(strstr(w->events, "NotGrown") + 1, "NotGrown"));
	world_free(w);
}

Test(grow, money_is_a_hard_limit_and_unknown_prices_buy_nothing)
{
	struct world *w = begun();
	w->config.max_price_hour = 15;
	want(w, "ns/a", 2);
	world_turn(w, 3000);
	cr_expect_eq(w->grow_calls, 0);
	cr_expect(world_said(w, "limit of 15.00"));
	w->config.max_price_hour = 1000;
	w->pool.price_hour = NAN;
	world_turn(w, 12000);
	cr_expect_eq(w->grow_calls, 0);
	cr_expect(world_said(w, "no known price"));
	w->pool.price_hour = 10;
	w->pool.priced_at_ms -= 2 * 86400000LL;
	world_turn(w, 12000);
	cr_expect_eq(w->grow_calls, 0);
	cr_expect(world_said(w, "too old"));
	w->pool.priced_at_ms += 2 * 86400000LL;
	world_turn(w, 12000);
	cr_expect_eq(w->pool.target, 2);
	world_free(w);
}

Test(grow, nothing_is_bought_that_could_not_be_written_down)
{
	struct world *w = begun();
	w->notes_fail = true;
	want(w, "ns/a", 1);
	world_turn(w, 30000);
	cr_expect_eq(w->grow_calls, 0);
	w->notes_fail = false;
	world_turn(w, 30000);
	cr_expect_eq(w->grown, 1);
	world_free(w);
}

Test(grow, a_lost_reply_is_asked_again_with_the_same_token)
{
	static const enum answer lost[] = {LOST_REPLY, LOST_CALL};
	for (size_t i = 0; i < 2; i++) {
		struct world *w = begun();
		w->grow_answer = lost[i];
		want(w, "ns/a", 2);
		world_turn(w, 4000);
		cr_expect_gt(w->grow_calls, 1);
		w->grow_answer = YES;
		world_turn(w, 60000);
		cr_expect_eq(w->grown, 2, "row %zu: never twice", i);
		cr_expect_eq(w->n_tokens, 1);
		cr_expect_eq(world_notes(w), 0);
		world_free(w);
	}
}

Test(grow, a_crash_at_any_moment_buys_once)
{
	/* the answers burst hears before it dies: none (the note is written), the note's, the provider's */
	for (int heard = 0; heard < 6; heard++) {
		struct world *w = begun();
		want(w, "ns/a", 2);
		for (int i = 0; i < heard; i++) {
			sw_loop_advance(w->loop, 0);
			if (i + 1 < heard)
				world_turn(w, 0);
		}
		world_crash(w);
		world_start(w);
		world_turn(w, 3000); /* nobody wants anything now: only what was intended is done */
		cr_expect(w->grown == 0 || w->grown == 2, "heard %d", heard);
		w->demand = 2;
		sw_burst_want(w->burst, "ns/a", "gke", "h100", 2);
		world_turn(w, 60000);
		cr_expect_eq(w->grown, 2, "heard %d: grown by %d", heard, w->grown);
		cr_expect_eq(world_notes(w), 0, "heard %d", heard);
		world_free(w);
	}
}

Test(grow, an_intent_of_an_unknown_cluster_or_without_sense_is_left_alone)
{
	static const char *const bad[] = {
		"{\"token\":\"x\",\"delta\":1,\"target\":1}",
		"{\"delta\":1,\"target\":1}",
		"[]",
		"{}",
		"{\"token\":\"123456789012345678901234567890123456\",\"delta\":-1,\"target\":1}",
		"{\"token\":\"123456789012345678901234567890123456\",\"delta\":99999999999,\"target\":99999999999}"};
	struct world *w = world_new();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char name[64];
		snprintf(name, sizeof name, "intent/%s/h100-%zu", i % 2 ? "gke" : "nowhere", i);
		json_object_object_add(w->notes, name, json_tokener_parse(bad[i]));
	}
	json_object_object_add(w->notes, "intent/noslash", json_tokener_parse("{}"));
	world_start(w);
	world_turn(w, 5000);
	cr_expect_eq(w->grow_calls, 0);
	world_free(w);
}

Test(grow, a_stockout_is_remembered_told_and_forgotten)
{
	struct world *w = begun();
	want(w, "ns/a", 2);
	world_turn(w, 2000);
	cr_assert_eq(w->pool.target, 2);
	w->error = (struct sw_pool_error){.pool = "h100",
					  .fault = SW_FAULT_STOCKOUT,
					  .at_ms = sw_loop_wall(w->loop),
					  .message = "ZONE_RESOURCE_POOL_EXHAUSTED"};
	w->has_error = true;
	w->pool.target = 0;
	int before = w->changes;
	world_turn(w, 2000);
	struct sw_burst_view v = sw_burst_look(w->burst, "gke", "h100", 1);
	cr_expect_gt(v.stockout_until_ms, sw_loop_wall(w->loop));
	cr_expect(v.refused && strstr(v.refused, "out of stock"));
	cr_expect(world_said(w, "ns/a Stockout"));
	cr_expect_gt(w->changes, before);
	cr_expect(!world_said(w, "NodesReady"), "fewer asked for is not success");
	cr_expect_eq(w->grow_calls, 1);
	before = w->changes;
	world_turn(w, 320000);
	cr_expect_gt(w->changes, before, "when it ends, who waits looks again");
	cr_expect_eq(w->grow_calls, 2);
	world_free(w);
}

Test(grow, a_refusal_is_told_and_not_repeated_at_once)
{
	struct world *w = begun();
	w->grow_answer = REFUSED;
	want(w, "ns/a", 1);
	world_turn(w, 10000);
	cr_expect_eq(w->grow_calls, 1);
	cr_expect(world_said(w, "GrowRefused"));
	cr_expect(strstr(sw_burst_look(w->burst, "gke", "h100", 1).refused, "no such machine type"));
	cr_expect_eq(world_notes(w), 0);
	world_free(w);
}

Test(grow, nodes_that_never_come_are_given_up_and_bought_again)
{
	struct world *w = begun();
	want(w, "ns/a", 1);
	world_turn(w, 200000);
	cr_expect_eq(w->grow_calls, 1);
	world_turn(w, 200000);
	cr_expect(world_said(w, "NodesMissing"));
	cr_expect_eq(w->pool.target, 2);
	world_free(w);
}

Test(grow, instances_that_become_no_nodes_are_given_back)
{
	struct world *w = begun();
	want(w, "ns/a", 2);
	world_turn(w, 2000);
	world_node(w, 8);
	w->unjoined = 1;
	world_turn(w, 250000);
	cr_expect_eq(w->unjoined, 1, "they get their time");
	world_turn(w, 100000);
	cr_expect_eq(w->unjoined, 0);
	cr_expect_eq(w->n, 1, "the node that came stays");
	cr_expect_eq(w->pool.target, 2, "and one is bought in its place");
	world_free(w);
}

Test(grow, nothing_is_asked_of_a_cluster_that_is_not_ready_or_whose_provider_never_answered)
{
	struct world *w = begun();
	w->ready = false;
	want(w, "ns/a", 1);
	world_turn(w, 30000);
	cr_expect_eq(w->grow_calls, 0);
	world_free(w);
	w = world_new();
	w->listed = false;
	world_start(w);
	sw_burst_want(w->burst, "ns/a", "gke", "h100", 1);
	sw_loop_advance(w->loop, 1000);
	cr_expect_eq(w->grow_calls, 0);
	cr_expect_not_null(sw_burst_look(w->burst, "gke", "h100", 1).refused);
	cr_expect_not_null(sw_burst_look(w->burst, "mars", "h100", 1).refused);
	world_free(w);
}

Test(grow, a_cluster_that_comes_back_is_looked_at_soon_but_not_for_each_word)
{
	struct world *w = begun();
	w->ready = false;
	want(w, "ns/a", 1);
	world_turn(w, 2000);
	w->ready = true;
	sw_burst_nudge(w->burst);
	sw_loop_advance(w->loop, 1);
	cr_expect_eq(w->burst->looked_ms, sw_loop_now(w->loop) - 1, "after a restart nothing waits for the slow tick");
	uint64_t at = w->burst->looked_ms;
	for (int i = 0; i < 500; i++) {
		sw_burst_nudge(w->burst);
		sw_loop_advance(w->loop, 1);
	}
	cr_expect_eq(w->burst->looked_ms, at, "every pod that comes and goes is such a word");
	world_turn(w, 2000);
	cr_expect_eq(w->grown, 1);
	world_free(w);
}

Test(grow, the_sites_policy_may_allow_fewer_and_the_asker_hears_why)
{
	struct world *w = begun();
	w->allowed = 1;
	want(w, "ns/a", 3);
	world_turn(w, 5000);
	cr_expect_eq(w->pool.target, 1);
	cr_expect(world_said(w, "ns/a NotGrown: the policy says 1"));
	cr_expect(w->asked.workloads == 1 && strcmp(w->asked.cluster, "gke") == 0);
	w->allowed = -1;
	world_turn(w, 30000);
	cr_expect_eq(w->pool.target, 3, "it is asked again");
	world_free(w);
}

Test(grow, a_policy_that_allows_none_buys_nothing)
{
	struct world *w = begun();
	w->allowed = 0;
	want(w, "ns/a", 2);
	world_turn(w, 60000);
	cr_expect_eq(w->grow_calls, 0);
	cr_expect_eq(world_notes(w), 0);
	world_free(w);
}
