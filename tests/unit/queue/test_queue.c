/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_test.h"

Test(queue, priority_first_then_age_then_name)
{
	struct sw_queue *q = queue_with(CQ(3, 0, ""));
	char got[512];

	put(q, "ns/c", 0, 20, 1, 0);
	put(q, "ns/b", 0, 10, 1, 0);
	put(q, "ns/a", 0, 20, 1, 0);
	put(q, "ns/high", 5, 99, 1, 0);
	cr_expect_eq(sw_queue_position(q, "ns/high"), 1);
	cr_expect_eq(sw_queue_position(q, "ns/b"), 2);
	cr_expect_eq(sw_queue_position(q, "ns/a"), 3);
	cr_expect_eq(sw_queue_position(q, "ns/none"), 0);
	cr_expect_str_eq(drain(q, got), "ns/high ns/b ns/a");
	cr_expect_eq(sw_queue_position(q, "ns/c"), 1);
	cr_expect_eq(sw_queue_position(q, "ns/a"), 0);
	cr_expect_eq(sw_queue_used(q, "cq", "any", "cpu"), 3000);
	cr_expect_eq(sw_queue_count(q, "cq").admitted, 3);
	cr_expect_eq(sw_queue_count(q, "cq").pending, 1);
	sw_queue_remove(q, "ns/b");
	cr_expect_str_eq(drain(q, got), "ns/c");
	cr_expect_eq(sw_queue_count_local(q, "ns", "lq").admitted, 3);
	cr_expect_eq(sw_queue_count_local(q, "ns", "lq").pending, 0);
	sw_queue_free(q);
}

Test(queue, best_effort_lets_small_ones_pass_and_strict_does_not)
{
	struct sw_queue *q = queue_with(CQ(8, 4, ",'queueingStrategy':'BestEffortFIFO'"));
	char got[512];

	put(q, "ns/big", 0, 1, 1, 8);
	put(q, "ns/small", 0, 2, 1, 1);
	cr_expect_str_eq(drain(q, got), "ns/small");
	cr_expect(strstr(sw_queue_why(q, "ns/big", 0),
			 "asks for 8 nvidia.com/gpu, flavor any has 4 in all: it can never run here"),
		  "%s", sw_queue_why(q, "ns/big", 0));
	sw_queue_remove(q, "ns/small");
	cr_expect(!sw_failed(define(q, "cq", CQ(8, 4, ",'queueingStrategy':'StrictFIFO'"))));
	put(q, "ns/small", 0, 2, 1, 1);
	cr_expect_str_eq(drain(q, got), "");
	cr_expect(strstr(sw_queue_why(q, "ns/small", 0), "StrictFIFO: waits behind ns/big"), "%s",
		  sw_queue_why(q, "ns/small", 0));
	put(q, "ns/urgent", 9, 3, 1, 1); /* in front of what blocks */
	cr_expect_str_eq(drain(q, got), "ns/urgent");
	sw_queue_remove(q, "ns/big");
	cr_expect_str_eq(drain(q, got), "ns/small");
	sw_queue_free(q);
}

Test(queue, returned_quota_wakes_what_did_not_fit)
{
	struct sw_queue *q = queue_with(CQ(8, 2, ""));
	char got[512];

	put(q, "ns/a", 0, 1, 1, 2);
	put(q, "ns/b", 0, 2, 1, 2);
	put(q, "ns/c", 0, 3, 1, 1);
	cr_expect_str_eq(drain(q, got), "ns/a");
	cr_expect(strstr(sw_queue_why(q, "ns/b", 0), "2 of 2 are in use in flavor any"), "%s",
		  sw_queue_why(q, "ns/b", 0));
	cr_expect_str_eq(drain(q, got), "");
	sw_queue_remove(q, "ns/a");
	cr_expect_str_eq(drain(q, got), "ns/b");
	cr_expect(!sw_failed(define(q, "cq", CQ(8, 3, "")))); /* more quota */
	cr_expect_str_eq(drain(q, got), "ns/c");
	sw_queue_free(q);
}

Test(queue, flavors_are_tried_in_order_and_groups_choose_alone)
{
	struct sw_queue *q = queue_with(
		"{'spec':{'namespaceSelector':{},'resourceGroups':[{'coveredResources':['cpu'],'flavors':["
		"{'name':'any','resources':[{'name':'cpu','nominalQuota':1}]},{'name':'two','resources':[{'name':'cpu',"
		"'nominalQuota':9}]}]},"
		"{'coveredResources':['nvidia.com/gpu'],'flavors':[{'name':'g','resources':[{'name':'nvidia.com/"
		"gpu','nominalQuota':9}]}]}]}}");
	json_t *o = json_object_new_object();
	struct sw_queue_pick pick;
	char why[160];
	const char *reason;

	put(q, "ns/a", 0, 1, 1, 1);
	cr_expect(!sw_queue_next(q, 0, &pick), "flavors two and g do not exist yet");
	cr_expect(!sw_queue_active(q, "cq", &reason, why) && strcmp(reason, "FlavorNotFound") == 0, "%s", why);
	cr_expect(!sw_failed(sw_queue_flavor(q, "two", o)) && !sw_failed(sw_queue_flavor(q, "g", o)));
	cr_assert(sw_queue_next(q, 0, &pick));
	cr_expect_str_eq(pick.flavor[0], "any");
	cr_expect_str_eq(pick.flavor[1], "g");
	put(q, "ns/b", 0, 1, 1, 1);
	cr_assert(sw_queue_next(q, 0, &pick));
	cr_expect_str_eq(pick.flavor[0], "two");
	cr_expect_eq(sw_queue_used(q, "cq", "two", "cpu"), 1000);
	json_object_put(o);
	sw_queue_free(q);
}

Test(queue, what_is_not_covered_never_runs_except_pods)
{
	struct sw_queue *q = queue_with(CQ(8, 8, ""));
	struct sw_queue_amount strange[] = {{"example.com/fpga", 1000}}, pods[] = {{"pods", 1000}};
	struct sw_queue_item a = {.key = "ns/a", .local_queue = "lq", .amounts = strange, .n_amounts = 1};
	struct sw_queue_item b = {.key = "ns/b", .local_queue = "lq", .amounts = pods, .n_amounts = 1};
	struct sw_queue_item c = {.key = "ns/c", .local_queue = "lq"};
	char got[512];

	sw_queue_put(q, &a);
	sw_queue_put(q, &b);
	sw_queue_put(q, &c);
	cr_expect_str_eq(drain(q, got), "ns/b ns/c");
	cr_expect(strstr(sw_queue_why(q, "ns/a", 0), "covers no example.com/fpga"));
	sw_queue_free(q);
}

Test(queue, an_item_waits_for_its_time)
{
	struct sw_queue *q = queue_with(CQ(8, 8, ""));
	struct sw_queue_amount a[2];
	struct sw_queue_item it = item("ns/a", 0, 1, a, 1, 0);
	struct sw_queue_pick pick;

	cr_expect_eq(sw_queue_next_due_ms(q), INT64_MAX);
	it.not_before_ms = 5000;
	sw_queue_put(q, &it);
	cr_expect_eq(sw_queue_next_due_ms(q), 5000);
	cr_expect(!sw_queue_next(q, 4999, &pick));
	cr_expect(strstr(sw_queue_why(q, "ns/a", 0), "not before 1970"));
	cr_expect(sw_queue_next(q, 5000, &pick));
	cr_expect_eq(sw_queue_next_due_ms(q), INT64_MAX);
	it.not_before_ms = 9000;
	sw_queue_put(q, &it); /* replaced: its quota is back */
	cr_expect_eq(sw_queue_used(q, "cq", "any", "cpu"), 0);
	sw_queue_remove(q, "ns/a");
	cr_expect_eq(sw_queue_next_due_ms(q), INT64_MAX);
	sw_queue_free(q);
}

Test(queue, what_was_admitted_before_a_restart_holds_its_quota)
{
	struct sw_queue *q;
	struct sw_queue_amount a[2];
	struct sw_queue_item it = item("ns/a", 0, 1, a, 2, 1);
	const char *flavors[] = {"any", "any"};
	char got[512];

	cr_assert(!sw_failed(sw_queue_new(&q)));
	sw_queue_put_admitted(q, &it, "cq", flavors); /* before anything is defined */
	json_t *o = json_object_new_object();

	cr_assert(!sw_failed(sw_queue_flavor(q, "any", o)) && !sw_failed(define(q, "cq", CQ(3, 8, ""))));
	cr_assert(!sw_failed(define_local(q, "lq", "{'spec':{'clusterQueue':'cq'}}")));
	cr_expect_eq(sw_queue_used(q, "cq", "any", "cpu"), 2000);
	put(q, "ns/b", 0, 1, 2, 0);
	cr_expect_str_eq(drain(q, got), "");
	cr_expect(!sw_failed(define(q, "cq", NULL)));
	cr_expect_eq(sw_queue_used(q, "cq", "any", "cpu"), 0);
	sw_queue_remove(q, "ns/a");
	cr_expect(!sw_failed(define(q, "cq", CQ(3, 8, ""))));
	cr_expect_str_eq(drain(q, got), "ns/b");
	json_object_put(o);
	sw_queue_free(q);
}

Test(queue, stop_policies_hold_and_drain)
{
	struct sw_queue *q = queue_with(CQ(8, 8, ""));
	const char *key, *reason;
	char got[512], why[160];

	put(q, "ns/a", 0, 1, 1, 0);
	cr_expect_str_eq(drain(q, got), "ns/a");
	put(q, "ns/b", 0, 1, 1, 0);
	cr_expect(!sw_failed(define(q, "cq", CQ(8, 8, ",'stopPolicy':'Hold'"))));
	cr_expect_str_eq(drain(q, got), "");
	cr_expect(!sw_queue_drain(q, &key));
	cr_expect_eq(sw_queue_stopped(q, "ns", "lq"), SW_QUEUE_HOLD);
	cr_expect(!sw_queue_active(q, "cq", &reason, why) && !strcmp(reason, "Stopped"));
	cr_expect(strstr(sw_queue_why(q, "ns/b", 0), "is stopped"));
	cr_expect(!sw_failed(define(q, "cq", CQ(8, 8, ""))));
	cr_expect(!sw_failed(define_local(q, "lq", "{'spec':{'clusterQueue':'cq','stopPolicy':'HoldAndDrain'}}")));
	cr_expect_str_eq(drain(q, got), "");
	cr_expect(sw_queue_drain(q, &key) && !strcmp(key, "ns/a"));
	cr_expect(!sw_queue_drain(q, &key));
	cr_expect(!sw_queue_local_active(q, "ns", "lq", &reason, why) && !strcmp(reason, "Stopped"));
	cr_expect(!sw_failed(define_local(q, "lq", "{'spec':{'clusterQueue':'cq','stopPolicy':'None'}}")));
	cr_expect_str_eq(drain(q, got), "ns/b");
	cr_expect(sw_queue_local_active(q, "ns", "lq", &reason, why));
	sw_queue_free(q);
}

Test(queue, orphans_say_what_is_missing_and_move_when_it_comes)
{
	struct sw_queue *q;
	struct sw_queue_amount a[2];
	struct sw_queue_item it = item("ns/a", 0, 1, a, 1, 0);
	json_t *o = json_object_new_object();
	char got[512];

	cr_assert(!sw_failed(sw_queue_new(&q)));
	sw_queue_put(q, &it);
	cr_expect(strstr(sw_queue_why(q, "ns/a", 0), "LocalQueue ns/lq does not exist"));
	cr_assert(!sw_failed(define_local(q, "lq", "{'spec':{'clusterQueue':'cq'}}")));
	cr_expect(strstr(sw_queue_why(q, "ns/a", 0), "ClusterQueue cq of LocalQueue ns/lq does not exist"));
	cr_assert(!sw_failed(define(q, "cq", "{'spec':{'resourceGroups':[]}}")));
	cr_expect(strstr(sw_queue_why(q, "ns/a", 0), "has no namespaceSelector"));
	cr_assert(!sw_failed(define(
		q, "cq", "{'spec':{'namespaceSelector':{'matchLabels':{'kubernetes.io/metadata.name':'other'}}}}")));
	cr_expect(strstr(sw_queue_why(q, "ns/a", 0), "does not serve namespace ns"));
	cr_assert(!sw_failed(define(q, "cq", CQ(1, 1, ""))));
	cr_expect_str_eq(drain(q, got), "");
	cr_expect(strstr(sw_queue_why(q, "ns/a", 0), "ResourceFlavor any does not exist"));
	cr_assert(!sw_failed(sw_queue_flavor(q, "any", o)));
	cr_expect_str_eq(drain(q, got), "ns/a");
	json_object_put(o);
	sw_queue_free(q);
}

Test(queue, usage_is_told_per_cluster_queue_and_per_local_queue)
{
	struct sw_queue *q = queue_with(CQ(8, 8, ""));
	struct sw_queue_amount a[2];
	struct sw_queue_item other = item("ns/o", 0, 1, a, 3, 1);
	struct sw_queue_usage u[4];
	char got[512];

	cr_assert(!sw_failed(define_local(q, "l2", "{'spec':{'clusterQueue':'cq'}}")));
	other.local_queue = "l2";
	sw_queue_put(q, &other);
	put(q, "ns/a", 0, 2, 2, 0);
	drain(q, got);
	cr_expect_eq(sw_queue_usage(q, "cq", NULL, u, 4), 2);
	cr_expect_eq(u[0].used_milli, 5000);
	cr_expect_eq(u[0].nominal_milli, 8000);
	cr_expect_eq(sw_queue_usage(q, "cq", "ns/l2", u, 4), 2);
	cr_expect_eq(u[0].used_milli, 3000);
	cr_expect_eq(u[1].used_milli, 1000);
	cr_expect_str_eq(u[1].resource, "nvidia.com/gpu");
	cr_expect_str_eq(sw_queue_of(q, "ns", "l2"), "cq");
	cr_expect_null(sw_queue_of(q, "ns", "l3"));
	sw_queue_free(q);
}

/* ---- properties, against a slow model ------------------------------------------------- */

enum { N = 60, STEPS = 4000 };
struct model {
	bool in, admitted;
	int priority;
	int64_t created, cpu;
};

static uint32_t roll(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % n;
}

static bool before(const struct model *m, int a, int b)
{
	if (m[a].priority != m[b].priority)
		return m[a].priority > m[b].priority;
	return m[a].created != m[b].created ? m[a].created < m[b].created : a < b;
}

/* The item that must come next, or -1: the best of those that fit, or under StrictFIFO the best if it fits. */
static int model_next(const struct model *m, int64_t cap, bool strict)
{
	int64_t used = 0;
	int best = -1;

	for (int i = 0; i < N; i++)
		used += m[i].in && m[i].admitted ? m[i].cpu : 0;
	for (int i = 0; i < N; i++) {
		if (!m[i].in || m[i].admitted || (!strict && used + m[i].cpu > cap))
			continue;
		if (best < 0 || before(m, i, best))
			best = i;
	}
	return best >= 0 && used + m[best].cpu <= cap ? best : -1;
}

static void property(bool strict, uint64_t seed)
{
	struct sw_queue *q = queue_with(strict ? CQ(20, 0, ",'queueingStrategy':'StrictFIFO'") : CQ(20, 0, ""));
	struct model m[N] = {0};

	for (int step = 0; step < STEPS; step++) {
		int i = (int)roll(&seed, N);
		char key[32];
		struct sw_queue_pick pick;

		snprintf(key, sizeof(key), "ns/w%02d", i);
		if (m[i].in && roll(&seed, 2)) {
			sw_queue_remove(q, key);
			m[i].in = false;
		} else if (!m[i].in) {
			m[i] = (struct model){.in = true,
					      .priority = (int)roll(&seed, 3),
					      .created = roll(&seed, 5),
					      .cpu = 1 + roll(&seed, 9)};
			put(q, key, m[i].priority, m[i].created, m[i].cpu, 0);
		}
		if (roll(&seed, 3))
			continue; /* not every change is followed by a look */
		for (int expect; (expect = model_next(m, 20, strict)) >= 0;) {
			cr_assert(sw_queue_next(q, 0, &pick), "step %d: nothing, expected w%02d", step, expect);
			cr_assert_eq(atoi(pick.key + 4), expect, "step %d: %s, expected w%02d", step, pick.key, expect);
			m[expect].admitted = true;
		}
		cr_assert(!sw_queue_next(q, 0, &pick), "step %d: %s does not fit or must wait", step, pick.key);
	}
	sw_queue_free(q);
}

Test(queue, best_effort_always_gives_the_best_that_fits)
{
	for (uint64_t seed = 1; seed <= 5; seed++)
		property(false, seed);
}

Test(queue, strict_always_gives_the_best_or_nothing)
{
	for (uint64_t seed = 1; seed <= 5; seed++)
		property(true, seed);
}

Test(queue, fifty_thousand_wait_and_leave_in_order)
{
	struct sw_queue *q = queue_with(CQ(4, 0, ""));
	struct sw_queue_pick pick;
	int64_t last = -1;
	char key[40];
	int n = 0;

	for (int i = 0; i < 50000; i++) {
		snprintf(key, sizeof(key), "ns/job-some-name-%05d-a1b2c", i);
		put(q, key, 0, (i * 7919) % 50000, 1, 0);
	}
	cr_expect_eq(sw_queue_position(q, key), (49999 * 7919L) % 50000 + 1);
	for (; n < 50000; n++) {
		cr_assert(sw_queue_next(q, 0, &pick));
		cr_assert_eq((atoi(pick.key + 17) * 7919L) % 50000, last + 1);
		last++;
		snprintf(key, sizeof(key), "%s", pick.key);
		sw_queue_remove(q, key);
	}
	cr_expect(!sw_queue_next(q, 0, &pick));
	sw_queue_free(q);
}
