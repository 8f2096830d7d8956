/* SPDX-License-Identifier: Apache-2.0 */
/* test_idle.c - idle nodes are given back, and never one that somebody could use */
#include <criterion/criterion.h>
#include <string.h>

#include "world.h"

static struct world *with_nodes(int n)
{
	struct world *w = world_new();
	for (int i = 0; i < n; i++)
		world_node(w, 8);
	world_start(w);
	world_turn(w, 0);
	return w;
}

Test(idle, a_node_is_cordoned_checked_and_released_by_name)
{
	struct world *w = with_nodes(1);
	world_turn(w, 50000);
	cr_expect_eq(w->cordons, 0, "not before its time");
	world_turn(w, 30000);
	cr_expect_eq(w->cordons, 1);
	cr_expect_eq(w->checks, 1);
	cr_expect_eq(w->release_calls, 1);
	cr_expect_eq(w->n, 0);
	cr_expect(world_said(w, "ScaleDown"));
	world_free(w);
}

Test(idle, a_pod_that_comes_between_cordon_and_check_keeps_the_node)
{
	struct world *w = with_nodes(1);
	w->pod_on = 0;
	world_turn(w, 80000);
	cr_expect_eq(w->checks, 1);
	cr_expect_eq(w->release_calls, 0);
	cr_expect_eq(w->uncordons, 1);
	cr_expect(w->nodes[0].usable);
	world_free(w);
}

Test(idle, the_minimum_stays)
{
	struct world *w = with_nodes(3);
	w->pool.min = 2;
	world_turn(w, 200000);
	cr_expect_eq(w->n, 2);
	cr_expect_eq(w->release_calls, 1);
	world_free(w);
}

Test(idle, a_busy_or_reserved_node_and_a_wanted_pool_are_left_alone)
{
	struct world *w = with_nodes(2);
	w->nodes[0].empty = false;
	w->nodes[0].empty_since_ms = 0;
	sw_burst_want(w->burst, "ns/a", "gke", "h100", 1);
	world_turn(w, 200000);
	cr_expect_eq(w->cordons, 0);
	sw_burst_unwant(w->burst, "ns/a");
	world_turn(w, 30000);
	cr_expect_eq(w->n, 1, "the other one goes");
	cr_expect(!w->nodes[0].empty);
	world_free(w);
}

Test(idle, a_node_on_its_way_out_comes_back_when_it_is_wanted_and_nothing_is_bought)
{
	struct world *w = with_nodes(1);
	world_turn(w, 59000);
	while (w->cordons == 0)
		world_turn(w, 1000);
	cr_assert_eq(w->release_calls, 0);
	w->demand = 1; /* a cordoned node is not counted by reservations */
	sw_burst_want(w->burst, "ns/a", "gke", "h100", 1);
	world_turn(w, 3000);
	cr_expect_eq(w->uncordons, 1);
	cr_expect_eq(w->grow_calls, 0);
	cr_expect_eq(w->release_calls, 0);
	world_free(w);
}

Test(idle, a_lost_reply_to_release_is_asked_again_by_name)
{
	static const enum answer lost[] = {LOST_REPLY, LOST_CALL};
	for (size_t i = 0; i < 2; i++) {
		struct world *w = with_nodes(1);
		w->release_answer = lost[i];
		world_turn(w, 80000);
		cr_expect_gt(w->release_calls, 1);
		w->release_answer = YES;
		world_turn(w, 10000);
		cr_expect_eq(w->n, 0);
		cr_expect_eq(w->pool.target, 0, "row %zu", i);
		world_free(w);
	}
}

Test(idle, after_a_crash_our_cordon_is_taken_up_again)
{
	for (int wanted = 0; wanted < 2; wanted++) {
		struct world *w = with_nodes(1);
		while (w->cordons == 0)
			world_turn(w, 1000);
		world_crash(w);
		world_start(w);
		if (wanted)
			sw_burst_want(w->burst, "ns/a", "gke", "h100", 1);
		world_turn(w, 10000);
		cr_expect_eq(w->uncordons, wanted);
		cr_expect_eq(w->n, (size_t)wanted);
		world_free(w);
	}
}

Test(idle, an_administrators_cordon_is_not_ours_to_lift)
{
	struct world *w = with_nodes(1);
	w->nodes[0].usable = false; /* unschedulable, without our annotation */
	w->nodes[0].empty = false;
	world_turn(w, 200000);
	cr_expect_eq(w->uncordons, 0);
	world_free(w);
}

Test(idle, a_node_whose_instance_nobody_knows_cannot_be_released)
{
	struct world *w = with_nodes(1);
	w->pool.growable = false;
	world_turn(w, 200000);
	cr_expect_eq(w->cordons, 0);
	world_free(w);
}

Test(idle, nothing_is_released_while_the_cluster_is_out_of_reach)
{
	struct world *w = with_nodes(1);
	w->ready = false;
	world_turn(w, 200000);
	cr_expect_eq(w->cordons, 0);
	world_free(w);
}

Test(idle, the_sites_policy_says_when_a_node_goes)
{
	struct world *w = with_nodes(1);
	w->idle_ms = 5000;
	world_turn(w, 20000);
	cr_expect_eq(w->release_calls, 1, "sooner than the setting");
	world_free(w);
	w = with_nodes(1);
	w->idle_ms = -1;
	world_turn(w, 300000);
	cr_expect_eq(w->release_calls, 0, "not at all");
	cr_expect_eq(w->cordons, 0);
	w->idle_ms = 400000;
	world_turn(w, 50000);
	cr_expect_eq(w->release_calls, 0);
	world_turn(w, 100000);
	cr_expect_eq(w->release_calls, 1, "later");
	world_free(w);
}

Test(idle, a_cluster_is_forgotten_only_when_what_was_bought_there_is_given_back)
{
	struct world *w = with_nodes(1);
	struct sw_worker *gke = sw_workers_at(w->burst->opt.workers, 0);
	char why[100] = "";
	world_turn(w, 1000);
	cr_expect_not(sw_burst_forget_cluster(w->burst, gke, why, sizeof why));
	cr_expect(strstr(why, "not given back"), "%s", why);
	world_turn(w, 80000);
	cr_assert_eq(w->n, 0);
	world_turn(w, 20000);
	cr_expect(sw_burst_forget_cluster(w->burst, gke, why, sizeof why), "%s", why);
	cr_expect_null(w->burst->runs);
	cr_expect_null(w->burst->idles);
	world_free(w);
}
