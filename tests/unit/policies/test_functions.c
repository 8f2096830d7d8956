/* SPDX-License-Identifier: Apache-2.0 */
/* test_functions.c - rank, admit, grow, release and evicted: what they answer, and what is no answer */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "table.h"

static const struct sw_policy_pool pool = {.cluster = "gke",
					   .pool = "spot",
					   .provider = "gke",
					   .nodes = 1,
					   .nodes_max = 8,
					   .quota_left = -1,
					   .price_hour = 15,
					   .spot = true};
static const struct sw_policy_need need = {
	.nodes = 4, .workloads = 2, .committed_hour = 10, .max_hour = 50, .now_ms = 5000};
static const struct sw_policy_node node = {.name = "n1", .idle_ms = 60000, .after_ms = 300000, .now_ms = 5000};

static struct sw_err ask(const char *src, struct sw_policy_plan *plan)
{
	struct question q;
	question_fill(&q);
	struct sw_policy *p = policy_of(src);
	struct sw_err e = sw_policy_place(p, &q.in, plan);
	sw_policy_free(p);
	return e;
}

Test(rank, a_plan_is_made_of_scores)
{
	struct sw_policy_plan plan;
	struct sw_err e = ask("patience = minutes(10)\n"
			      "function rank(w, c, ctx)\n"
			      "  if not c.price then return nil, 'no price' end\n"
			      "  return -c.price, 'cheap: ' .. dollars(c.price)\n"
			      "end",
			      &plan);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_eq(plan.n, 2, "one step for each score");
	cr_assert(plan.step[0].n == 1 && plan.step[0].candidate[0] == 1 && plan.step[0].patience_ms == 600000);
	cr_assert(plan.step[1].n == 2 && plan.step[1].candidate[0] == 3 && plan.step[1].candidate[1] == 2,
		  "equal scores share a step in order of names");
	cr_assert_str_eq(plan.reason, "cheap: $30.00");
	cr_assert_str_eq(plan.step[1].reason, "cheap: $90.00");
}

Test(rank, nobody_scores_and_the_user_reads_why)
{
	struct sw_policy_plan plan;
	struct sw_err e =
		ask("function rank(w, c) return false, c.cluster == 'onprem' and 'x' or 'too dear' end", &plan);
	cr_assert(!sw_failed(e) && plan.n == 0, "%s", e.text);
	cr_assert_str_eq(plan.reason, "aks/firm: too dear");
}

Test(rank, scores_are_given_one_by_one_too)
{
	struct question q;
	struct sw_policy_score s[4];
	question_fill(&q);
	struct sw_policy *p = policy_of("function rank(w, c) if c.spot then return nil, 'spot' end return c.index end");
	cr_assert_eq(sw_policy_has(p), SW_POLICY_HAS_RANK);
	struct sw_err e = sw_policy_rank(p, &q.in, s);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert(s[0].here && s[0].score == 1 && !s[1].here && strcmp(s[1].why, "spot") == 0 && s[3].score == 4);
	sw_policy_free(p);
	p = policy_of("function place() return {} end");
	cr_assert_eq(sw_policy_rank(p, &q.in, s).code, SW_E_INVALID);
	sw_policy_free(p);
}

Test(rank, many_scores_fit_into_sixteen_steps)
{
	struct question q;
	struct sw_policy_plan plan;
	struct sw_candidate many[60];
	question_fill(&q);
	for (int i = 0; i < 60; i++)
		many[i] = q.c[2];
	q.in.candidates = many;
	q.in.n_candidates = 60;
	struct sw_policy *p = policy_of("function rank(w, c) return c.index end");
	struct sw_err e = sw_policy_place(p, &q.in, &plan);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_eq(plan.n, SW_PLAN_STEPS);
	cr_assert(plan.step[0].candidate[0] == 59 && plan.step[0].patience_ms == 900000);
	cr_assert_eq(plan.step[15].n, SW_STEP_CANDIDATES);
	sw_policy_free(p);
}

Test(rank, a_patience_that_is_none_is_refused)
{
	struct sw_policy_plan plan;
	struct sw_err e = ask("patience = 0\nfunction rank(w, c) return 1 end", &plan);
	cr_assert(e.code == SW_E_POLICY && strstr(e.text, "the global patience is 0, expected seconds from 1"), "%s",
		  e.text);
}

Test(admit, a_job_may_be_told_to_wait)
{
	struct question q;
	struct sw_policy_plan plan;
	struct sw_policy_admission a;
	question_fill(&q);
	struct sw_policy *p =
		policy_of("function admit(w, ctx)\n"
			  "  if w.budget.left < 800 then return false, 'the budget of ' .. w.queue .. ' is spent' end\n"
			  "  return true\n"
			  "end\n"
			  "function place(w, c) return { { candidates = { 1 }, patience = 60 } } end");
	struct sw_err e = sw_policy_place(p, &q.in, &plan);
	cr_assert(!sw_failed(e) && plan.n == 0 && plan.held, "%s", e.text);
	cr_assert_str_eq(plan.reason, "the budget of main is spent");
	e = sw_policy_admit(p, &q.in, &a);
	cr_assert(!sw_failed(e) && !a.admit && strcmp(a.reason, plan.reason) == 0);
	q.in.budget.spent = 0;
	e = sw_policy_place(p, &q.in, &plan);
	cr_assert(!sw_failed(e) && plan.n == 1 && !plan.held);
	e = sw_policy_admit(p, &q.in, &a);
	cr_assert(!sw_failed(e) && a.admit);
	sw_policy_free(p);
}

Test(plan, limits_of_price_and_kind_hold_for_steps_and_plans)
{
	struct sw_policy_plan plan;
	struct sw_err e = ask("function place(w, c) return { max_price = 50,\n"
			      "  { candidates = { 1, 2, 3 }, patience = 60, reason = 'a' },\n"
			      "  { candidates = { 3, 4 }, patience = 60 },\n"
			      "  { candidates = { 3, 4 }, patience = 60, max_price = 90, spot = 'never' } } end",
			      &plan);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_eq(plan.n, 2, "a step that nobody may pay is left out");
	cr_assert(plan.step[0].n == 1 && plan.step[0].candidate[0] == 1, "neither dear nor unknown prices");
	cr_assert_str_eq(plan.step[0].reason, "a");
	cr_assert(plan.step[1].n == 2 && plan.step[1].max_price == 90 && plan.step[1].spot == SW_PLAN_SPOT_NEVER);
}

Test(grow, how_many_nodes_may_be_bought)
{
	static const struct {
		const char *returns;
		int nodes;
		const char *reason, *error;
	} rows[] = {
		{"true", 4, "", NULL},
		{"2", 2, "", NULL},
		{"2.9, 'enough'", 2, "enough", NULL},
		{"99", 4, "", NULL},
		{"false, 'at night only'", 0, "at night only", NULL},
		{"demand.spend + pool.price * demand.nodes > demand.spend_limit and 1 or true", 1, "", NULL},
		{"nil", 0, "", "grow() returned nil, expected nodes at most, true, or false and a reason"},
		{"-1", 0, "", "grow() returned -1"},
		{"0 / 0", 0, "", "grow() returned "},
		{"math.huge", 0, "", "grow() returned inf"},
		{"'2'", 0, "", "grow() returned string"},
		{"1, {}", 0, "", "grow(): reason is a table"},
		{"pool.nods", 0, "", "the pool has no field \"nods\", did you mean \"nodes\"?"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char src[400];
		struct sw_policy_grow out;
		snprintf(src, sizeof src,
			 "function place() return {} end function grow(pool, demand, ctx) return %s end",
			 rows[i].returns);
		struct sw_policy *p = policy_of(src);
		struct sw_err e = sw_policy_grow(p, &pool, &need, &out);
		cr_expect_eq(sw_failed(e), rows[i].error != NULL, "%s: %s", rows[i].returns, e.text);
		cr_expect(!rows[i].error || strstr(e.text, rows[i].error), "%s: %s", rows[i].returns, e.text);
		cr_expect(out.nodes == rows[i].nodes && strcmp(out.reason, rows[i].reason) == 0, "%s: %d \"%s\"",
			  rows[i].returns, out.nodes, out.reason);
		sw_policy_free(p);
	}
}

Test(release, when_a_node_is_given_back)
{
	static const struct {
		const char *returns;
		bool keep;
		int64_t after_ms;
		const char *error;
	} rows[] = {
		{"600", false, 600000, NULL},
		{"true", false, 0, NULL},
		{"false, 'kept warm'", true, 0, NULL},
		{"pool.spot and node.release_after / 2", false, 150000, NULL},
		{"node.idle", false, 60000, NULL},
		{"nil", false, 300000, "release() returned nil"},
		{"-5", false, 300000, "release() returned -5"},
		{"1e9", false, 300000, "release() returned 1"},
		{"{}", false, 300000, "release() returned table"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char src[400];
		struct sw_policy_release out;
		snprintf(src, sizeof src,
			 "function place() return {} end function release(pool, node, ctx) return %s end",
			 rows[i].returns);
		struct sw_policy *p = policy_of(src);
		struct sw_err e = sw_policy_release(p, &pool, &node, &out);
		cr_expect_eq(sw_failed(e), rows[i].error != NULL, "%s: %s", rows[i].returns, e.text);
		cr_expect(!rows[i].error || strstr(e.text, rows[i].error), "%s: %s", rows[i].returns, e.text);
		cr_expect(out.keep == rows[i].keep && (out.keep || out.after_ms == rows[i].after_ms), "%s: %d %lld",
			  rows[i].returns, out.keep, (long long)out.after_ms);
		sw_policy_free(p);
	}
}

Test(evicted, what_comes_after_an_attempt)
{
	static const struct {
		const char *returns;
		enum sw_policy_then then;
		const char *excluded;
		int64_t ms;
		const char *error;
	} rows[] = {
		{"'plan'", SW_THEN_PLAN, "", 0, NULL},
		{"'retry', 'once more'", SW_THEN_RETRY, "", 0, NULL},
		{"attempt.outcome == 'preempted' and 'next'", SW_THEN_NEXT, "", 0, NULL},
		{"{ go = 'next', exclude = attempt.cluster, seconds = 60 }", SW_THEN_NEXT, "gke", 60000, NULL},
		{"{ go = 'plan', exclude = { 'onprem' }, reason = 'r' }", SW_THEN_PLAN, "onprem", 600000, NULL},
		{"{ go = 'plan', exclude = {} }", SW_THEN_PLAN, "", 0, NULL},
		{"nil", SW_THEN_PLAN, "", 0, "evicted() returned nil, expected \"plan\", \"retry\" or \"next\""},
		{"'rety'", SW_THEN_PLAN, "", 0, "evicted() returned rety, expected"},
		{"{}", SW_THEN_PLAN, "", 0, "evicted() returned nil"},
		{"{ go = 'plan', exclude = 'moon' }", SW_THEN_PLAN, "", 0, "there is no cluster \"moon\""},
		{"{ go = 'plan', exclude = { 1 } }", SW_THEN_PLAN, "", 0, "exclude holds a number"},
		{"{ go = 'plan', exclude = 'gke', seconds = -1 }", SW_THEN_PLAN, "", 0, "seconds is -1"},
		{"{ go = 'plan', exclude = 'gke', seconds = 0/0 }", SW_THEN_PLAN, "", 0, "seconds is "},
		{"{ go = 'plan', exclud = 'gke' }", SW_THEN_PLAN, "", 0, "unknown field \"exclud\""},
		{"{ go = 'plan', exclude = map({1,2,3,4,5,6,7,8,9}, function() return 'gke' end) }", SW_THEN_PLAN, "",
		 0, "at most 8 clusters"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char src[400];
		struct question q;
		struct sw_policy_after out;
		question_fill(&q);
		snprintf(src, sizeof src,
			 "function place() return {} end function evicted(w, attempt, ctx) return %s end",
			 rows[i].returns);
		struct sw_policy *p = policy_of(src);
		struct sw_err e = sw_policy_evicted(p, &q.in, &q.attempts[0], &out);
		cr_expect_eq(sw_failed(e), rows[i].error != NULL, "%s: %s", rows[i].returns, e.text);
		cr_expect(!rows[i].error || strstr(e.text, rows[i].error), "%s: %s", rows[i].returns, e.text);
		cr_expect(out.then == rows[i].then && out.exclude_ms == rows[i].ms &&
				  strcmp(out.excluded[0], rows[i].excluded) == 0,
			  "%s", rows[i].returns);
		sw_policy_free(p);
	}
}

Test(functions, what_is_not_defined_has_its_default)
{
	struct question q;
	struct sw_policy_grow g;
	struct sw_policy_release r;
	struct sw_policy_after a;
	struct sw_policy_admission ad;
	question_fill(&q);
	struct sw_policy *p = policy_of("function place() return {} end");
	cr_assert_eq(sw_policy_has(p), SW_POLICY_HAS_PLACE);
	cr_assert(!sw_failed(sw_policy_grow(p, &pool, &need, &g)) && g.nodes == 4);
	cr_assert(!sw_failed(sw_policy_release(p, &pool, &node, &r)) && !r.keep && r.after_ms == 300000);
	cr_assert(!sw_failed(sw_policy_evicted(p, &q.in, &q.attempts[0], &a)) && a.then == SW_THEN_PLAN);
	cr_assert(!sw_failed(sw_policy_admit(p, &q.in, &ad)) && ad.admit);
	sw_policy_free(p);
}

Test(functions, what_a_call_took_is_known)
{
	struct question q;
	struct sw_policy_plan plan;
	question_fill(&q);
	struct sw_policy *p = policy_of("function place(w, c) for i = 1, 10000 do end return {} end");
	cr_assert(!sw_failed(sw_policy_place(p, &q.in, &plan)));
	struct sw_policy_use first = sw_policy_used(p);
	cr_assert(first.instructions >= 9000 && first.instructions < 20000, "%lld", (long long)first.instructions);
	cr_assert(first.memory_bytes > 10000 && !first.late && !first.personal);
	for (int i = 0; i < 3; i++) {
		cr_assert(!sw_failed(sw_policy_place(p, &q.in, &plan)));
		cr_assert_eq(sw_policy_used(p).instructions, first.instructions, "the same call takes the same");
	}
	sw_policy_free(p);
	p = policy_of("function place(w, c, ctx) return { reason = tostring(ctx.now) } end");
	cr_assert(!sw_failed(sw_policy_place(p, &q.in, &plan)) && sw_policy_used(p).personal);
	sw_policy_free(p);
}

Test(functions, an_error_carries_the_stack)
{
	struct sw_policy_plan plan;
	struct sw_err e = ask("local function third(c) return c.price + 1 end\n"
			      "local function second(c) return third(c) + 1 end\n"
			      "function place(w, c)\n"
			      "  return second(c[1]) + 1\n"
			      "end",
			      &plan);
	cr_assert_str_eq(e.text, "t.lua:1: attempt to perform arithmetic on a nil value (field 'price'); in third "
				 "(t.lua:1), second (t.lua:2), place (t.lua:4)");
}
