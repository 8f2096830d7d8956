/* SPDX-License-Identifier: Apache-2.0 */
/* test_place.c - what a policy is given, and what may come back */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "spillway/policy.h"

static const struct sw_gpu a100s[2] = {{.model = "A100-40GB", .family = "A100"},
				       {.model = "A100-80GB", .family = "A100"}};
static const struct sw_gpu h100 = {.model = "H100", .family = "H100"};

static const struct sw_candidate three[3] = {
	{.cluster = "onprem",
	 .pool = "v100",
	 .provider = "static",
	 .region = "here",
	 .zone = "",
	 .model = "H100",
	 .free = 2,
	 .total = 8,
	 .nodes_needed = 0,
	 .expected_start_ms = 1500,
	 .price_hour = NAN,
	 .quota_left = -1},
	{.cluster = "gke",
	 .pool = "a100",
	 .provider = "sim",
	 .region = "r",
	 .zone = "z",
	 .model = "A100-80GB",
	 .nodes_needed = 2,
	 .expected_start_ms = -1,
	 .price_hour = 12.25,
	 .price_age_ms = 60000,
	 .spot = true,
	 .growable = true,
	 .stockout_until_ms = 1000000 + 30000,
	 .quota_left = 4},
	{.cluster = "aks",
	 .pool = "a100",
	 .provider = "sim",
	 .region = "r",
	 .zone = "z",
	 .model = "A100-40GB",
	 .nodes_needed = 1,
	 .expected_start_ms = -1,
	 .price_hour = 10,
	 .growable = true,
	 .stockout_until_ms = 5,
	 .quota_left = 0},
};

static struct sw_err run(const char *src, struct sw_policy_plan *plan)
{
	struct sw_demand d = {.n_sets = 2,
			      .gpus = 3,
			      .n_models = 3,
			      .models = {&h100, &a100s[0], &a100s[1]},
			      .gpu_memory_bytes = (int64_t)40 << 30,
			      .has_precision = true,
			      .precision = SW_BF16,
			      .spot = SW_SPOT_REQUIRE,
			      .max_price = 12.5,
			      .deadline_ms = 7200000,
			      .data = "s3://b"};
	d.sets[0].count = 1;
	d.sets[1].count = 2;
	struct sw_policy_input in = {.key = "team/w-1",
				     .job_name = "w",
				     .ns = "team",
				     .queue = "main",
				     .kind = "PyTorchJob",
				     .priority = -5,
				     .waited_ms = 2500,
				     .attempt = 2,
				     .demand = &d,
				     .candidates = three,
				     .n_candidates = 3,
				     .now_ms = 1000000};
	struct sw_policy *p;
	struct sw_err e = sw_policy_new("t.lua", src, strlen(src), (struct sw_policy_limits){0}, &p);
	cr_assert(!sw_failed(e), "%s", e.text);
	e = sw_policy_place(p, &in, plan);
	sw_policy_free(p);
	return e;
}

Test(place, the_workload_and_candidates_arrive_as_documented)
{
	static const char *const rows[] = {
		"w.key == 'team/w-1'",
		"w.name == 'w'",
		"w.namespace == 'team'",
		"w.queue == 'main'",
		"w.kind == 'PyTorchJob'",
		"w.priority == -5",
		"w.waited == 2.5",
		"w.attempt == 2",
		"w.pods == 3",
		"w.gpus == 3",
		"#w.models == 3 and w.models[2] == 'A100-40GB'",
		"w.gpu_memory == 40",
		"w.precision == 'bf16'",
		"w.spot == 'require'",
		"w.max_price == 12.5",
		"w.deadline == 7200",
		"w.data == 's3://b'",
		"ctx.now == 1000",
		"#c == 3",
		("c[1].cluster == 'onprem' and c[1].pool == 'v100' and c[1].provider == 'static' and c[1].region == "
		 "'here' and c[1].zone == ''"),
		"c[1].price == nil and c[1].price_age == nil",
		"c[1].fits and not c[2].fits",
		"c[1].expected_start == 1.5 and c[2].expected_start == nil",
		"c[2].price == 12.25 and c[2].price_age == 60",
		"c[2].spot and not c[1].spot",
		"c[2].growable and not c[1].growable",
		"c[2].stockout == 30 and c[3].stockout == 0",
		"c[1].quota_left == nil and c[2].quota_left == 4 and c[3].quota_left == 0",
		"c[1].rank == 1 and c[2].rank == 2 and c[3].rank == 2",
		"c[2].nodes_needed == 2",
		"c[1].free == 2 and c[1].total == 8",
		"c[3].index == 3",
		"math.type(c[1].free) == 'integer'",
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char src[400];
		struct sw_policy_plan plan;
		snprintf(src, sizeof src, "function place(w, c, ctx) assert(%s) return {} end", rows[i]);
		struct sw_err e = run(src, &plan);
		cr_assert(!sw_failed(e), "%s: %s", rows[i], e.text);
	}
}

Test(place, a_plan_comes_back_by_table_and_by_index)
{
	struct sw_policy_plan plan;
	struct sw_err e = run("function place(w, c) return { { candidates = { c[2], 1 }, patience = 1.5 }, { "
			      "candidates = { 3.0 }, patience = 60 }, reason = 'so' } end",
			      &plan);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_eq(plan.n, 2);
	cr_assert(plan.step[0].n == 2 && plan.step[0].candidate[0] == 1 && plan.step[0].candidate[1] == 0);
	cr_assert_eq(plan.step[0].patience_ms, 1500);
	cr_assert(plan.step[1].n == 1 && plan.step[1].candidate[0] == 2);
	cr_assert_str_eq(plan.reason, "so");
	e = run("function place() return {} end", &plan);
	cr_assert(!sw_failed(e) && plan.n == 0);
}

Test(place, what_is_not_a_plan_is_refused_with_its_place)
{
	static const struct {
		const char *returns, *says;
	} rows[] = {
		{"nil", "place() returned nil, expected a list of steps"},
		{"1", "place() returned number"},
		{"'x'", "place() returned string"},
		{"print", "place() returned nil"},
		{"{ 1 }", "step 1 is a number"},
		{"{ {} }", "step 1: candidates is a nil"},
		{"{ { candidates = 1, patience = 1 } }", "step 1: candidates is a number"},
		{"{ { candidates = {}, patience = 1 } }", "step 1: candidates is empty"},
		{"{ { candidates = { 1 } } }", "step 1: patience is a nil"},
		{"{ { candidates = { 1 }, patience = '60' } }", "step 1: patience is a string"},
		{"{ { candidates = { 1 }, patience = -1 } }", "step 1: patience is -1"},
		{"{ { candidates = { 1 }, patience = 0 } }", "step 1: patience is 0"},
		{"{ { candidates = { 1 }, patience = 0/0 } }", "step 1: patience is "},
		{"{ { candidates = { 1 }, patience = math.huge } }", "step 1: patience is inf"},
		{"{ { candidates = { 1 }, patience = 1e300 } }", "step 1: patience is 1e+300"},
		{"{ { candidates = { 1 }, patience = 1 }, { candidates = { 1 }, patience = 1, patence = 2 } }",
		 "step 2: unknown field \"patence\""},
		{"{ { candidates = { 1, 0 }, patience = 1 } }",
		 "step 1, candidate 2: found 0.0, expected an index from 1 to 3"},
		{"{ { candidates = { 4 }, patience = 1 } }", "candidate 1: found 4.0"},
		{"{ { candidates = { -1 }, patience = 1 } }", "candidate 1: found -1.0"},
		{"{ { candidates = { 1.5 }, patience = 1 } }", "candidate 1: found 1.5"},
		{"{ { candidates = { 1e300 }, patience = 1 } }", "candidate 1: found 1e+300"},
		{"{ { candidates = { 0/0 }, patience = 1 } }", "candidate 1: found "},
		{"{ { candidates = { 'gke' }, patience = 1 } }", "candidate 1: found a string"},
		{"{ { candidates = { true }, patience = 1 } }", "candidate 1: found a boolean"},
		{"{ { candidates = { { index = 1 } }, patience = 1 } }",
		 "candidate 1: a table that is not one of the candidates"},
		{"{ { candidates = { w }, patience = 1 } }", "candidate 1: a table that is not one of the candidates"},
		{"{ { candidates = { 2, c[2] }, patience = 1 } }", "step 1: candidate 2 (gke/a100) stands there twice"},
		{"{ step = 1 }", "unknown field \"step\""},
		{"{ zz = 1, aa = 1, reason = '' }", "unknown field \"aa\""},
		{"{ reason = 7 }", "t.lua:2: place(): reason is a number"},
		{"{ { candidates = { [2] = 1 }, patience = 1 } }", "candidates is a list with holes"},
		{"{ { candidates = { 1, [7] = 2 }, patience = 1 } }", "candidates is a list with holes"},
		{"{ { candidates = { 1, [0.5] = 2 }, patience = 1 } }", "candidates is a list with holes"},
		{"{ [3] = { candidates = { 1 }, patience = 1 } }", "the plan is a list with holes"},
		{"{ { candidates = w.models, patience = 1 } }", "candidate 1: found a string"},
		{"c", "place() returned one of its inputs"},
		{"w", "place() returned one of its inputs"},
		{"{ { candidates = { 2 }, patience = 1, spot = 'never' } }",
		 "step 1: gke/a100 is spot, and spot is \"never\""},
		{"{ { candidates = { 1 }, patience = 1, spot = 'only' } }",
		 "onprem/v100 is not spot, and spot is \"only\""},
		{"{ { candidates = { 1 }, patience = 1, spot = true } }", "step 1: spot is boolean, expected \"any\""},
		{"{ spot = 'always' }", "the plan: spot is always, expected"},
		{"{ max_price = 0/0 }", "the plan: max_price is "},
		{"{ max_price = -1 }", "the plan: max_price is -1, expected USD"},
		{"{ { candidates = { 1 }, patience = 1, max_price = math.huge } }", "step 1: max_price is inf"},
		{"{ { candidates = { 1 }, patience = 1, max_price = '7' } }", "step 1: max_price is string"},
		{"{ { candidates = { 1 }, patience = 1, reason = {} } }", "reason is a table"},
		{"many(17, 1)", "returned 17 steps, at most 16"},
		{"many(1, 33)", "step 1: 33 candidates, at most 32"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char src[600];
		struct sw_policy_plan plan;
		snprintf(src, sizeof src,
			 "function many(n, m) local p = {} for i = 1, n do p[i] = { candidates = {}, patience = 1 } "
			 "for k = 1, m do p[i].candidates[k] = 1 end end return p end\n"
			 "function place(w, c) return %s end",
			 rows[i].returns);
		struct sw_err e = run(src, &plan);
		cr_assert_eq(e.code, SW_E_POLICY, "%s: %s", rows[i].returns, e.text);
		cr_assert(strstr(e.text, rows[i].says), "%s: \"%s\" does not say \"%s\"", rows[i].returns, e.text,
			  rows[i].says);
		cr_assert(strncmp(e.text, "t.lua:", 6) == 0 && e.text[6] >= '1' && e.text[6] <= '9', "%s", e.text);
		cr_assert_eq(plan.n, 0);
	}
}

Test(place, a_long_reason_is_cut_between_characters)
{
	struct sw_policy_plan plan;
	struct sw_err e = run("function place() local s = '' for i = 1, 100 do s = s .. '\xc3\xa9' end return { reason "
			      "= 'x' .. s } end",
			      &plan);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_eq(strlen(plan.reason), 159);
	e = run("function place() local s = '' for i = 1, 100 do s = s .. '\xc3\xa9' end return { reason = s } end",
		&plan);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_eq(strlen(plan.reason), 158);
}

Test(place, too_many_candidates_are_refused_before_the_script_runs)
{
	static struct sw_candidate many[SW_POLICY_CANDIDATES + 1];
	struct sw_demand d = {0};
	struct sw_policy_input in = {
		.key = "k", .demand = &d, .candidates = many, .n_candidates = SW_POLICY_CANDIDATES + 1};
	struct sw_policy_plan plan;
	struct sw_policy *p;
	static const char src[] = "function place(w, c) return { reason = tostring(#c) } end";
	cr_assert(!sw_failed(sw_policy_new("t.lua", src, strlen(src), (struct sw_policy_limits){0}, &p)));
	cr_assert_eq(sw_policy_place(p, &in, &plan).code, SW_E_TOOBIG);
	in.n_candidates--;
	struct sw_err e = sw_policy_place(p, &in, &plan);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_str_eq(plan.reason, "1024");
	sw_policy_free(p);
}
