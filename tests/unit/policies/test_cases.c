/* SPDX-License-Identifier: Apache-2.0 */
/* test_cases.c - tests that are written down as data: what differs is told field by field, mistakes in them are told
 * too */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "spillway/policy.h"
#include "spillway/text.h"

struct tally {
	int passed, failed;
	char first[80], text[500];
};

static void report(void *owner, const char *what, struct sw_err err)
{
	struct tally *t = owner;
	sw_failed(err) ? t->failed++ : t->passed++;
	if (sw_failed(err) && !*t->text)
		snprintf(t->text, sizeof t->text, "%s", err.text);
	if (!*t->first)
		sw_cut(t->first, sizeof t->first, what);
}

/* Two steps: what fits, then the rest by price; fails where a label says so. */
static const char policy[] =
	"function place(w, candidates, ctx)\n"
	"  if w.labels.fail then error('as it was told') end\n"
	"  local now, rest = filter(candidates, 'fits'), sort_by(filter(candidates, function(c) return not c.fits "
	"end), "
	"'price')\n"
	"  local plan = {}\n"
	"  if #now > 0 then plan[1] = { candidates = first(now, 32), patience = 60, spot = 'any' } end\n"
	"  if #rest > 0 then plan[#plan + 1] = { candidates = first(rest, 32), patience = w.gpus + 1, max_price = 99 } "
	"end\n"
	"  plan.reason = w.queue .. ' at ' .. ctx.now\n"
	"  return plan\n"
	"end\n";

static struct tally run(const char *tests)
{
	struct tally t = {0};
	struct sw_err e = sw_policy_test(&(struct sw_policy_source){"p.lua", policy, strlen(policy)},
					 &(struct sw_policy_source){"p.test.lua", tests, strlen(tests)},
					 (struct sw_policy_limits){0}, report, &t);
	if (sw_failed(e) && !*t.text)
		snprintf(t.text, sizeof t.text, "%s", e.text);
	return t;
}

#define TWO "candidates = { { pool = 'a' }, { pool = 'b', cluster = 'gke', nodes_needed = 1, price = 5 } }, "

static const char *const good[] = {
	"return { { name = 'x', " TWO "expect = 'a > b' } }",
	"return { { " TWO "expect = 'c/a > gke/b' } }",
	"return { { " TWO "expect = { 'a', 'b' } } }",
	"return { { " TWO "expect = { { candidates = { 'a' }, patience = 60, spot = 'any' }, { max_price = 99 } } } }",
	"return { { workload = { gpus = 8 }, " TWO "expect = { {}, { patience = 9 } } } }",
	"return { { workload = { queue = 'q' }, ctx = { now = 1764000000 }, expect = '', expect_reason = 'q at "
	"1764000000' "
	"} }",
	"return { { workload = { labels = { fail = 'yes' } }, expect_failure = 'as it was told' } }",
	"return { { candidates = {}, expect = {} } }",
	"return { { candidates = { { pool = 'a', fits = false, price = 5 } }, expect = { { patience = 1 } } } }",
	"return { { workload = { spot = 'allow', models = { 'H100' }, precision = 'fp8', gpu_memory = 80, deadline = "
	"60, "
	"attempts = { { cluster = 'c', pool = 'p', outcome = 'preempted' } }, budget = { limit = 5, spent = 1 }, "
	"pod_sets = { "
	"{ name = 'main', count = 2, gpus = 4, cpu = 1.5 } } }, expect = '' } }",
};

Test(cases, what_is_expected_and_found_passes)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct tally t = run(good[i]);
		cr_assert(t.passed == 1 && t.failed == 0, "row %zu: %s", i, t.text);
	}
}

static const struct {
	const char *tests, *says;
} bad[] = {
	{"return { { " TWO "expect = 'b > a' } }", "plan: found \"a > b\", expected \"b > a\""},
	{"return { { " TWO "expect = 'a' } }", "plan: found \"a > b\", expected \"a\""},
	{"return { { " TWO "expect = '' } }", "found \"a > b\", expected \"\""},
	{"return { { " TWO "expect = 'aks/a > b' } }", "expected \"aks/a > b\""},
	{"return { { " TWO "expect = { 'b', 'a' } } }",
	 "step 1: candidates: found \"a\", expected \"b\"\nstep 2: candidates: found \"b\", expected \"a\""},
	{"return { { " TWO "expect = { { patience = 61 }, { spot = 'never' } } } }",
	 "step 1: patience: found \"60\", expected \"61\"\nstep 2: spot: found \"any\", expected \"never\""},
	{"return { { " TWO "expect = { 'a' } } }", "number of steps: found \"2\", expected \"1\""},
	{"return { { " TWO "expect = { { paitence = 1 }, 'b' } } }", "paitence"},
	{"return { { " TWO "expect_reason = 'no' } }", "reason: found"},
	{"return { { " TWO "expect_failure = 'x' } }", "it gave a plan"},
	{"return { { workload = { labels = { fail = 'y' } }, expect_failure = 'other' } }", "as it was told"},
	{"return { { " TWO "} }", "says what it expects"},
	{"return { { name = 'x', expcet = '' } }", "did you mean \"expect\"?"},
	{"return { 7 }", "a case is a table"},
	{"return { { workload = { gpu = 8 }, expect = '' } }", "did you mean \"gpus\"?"},
	{"return { { candidates = { { prize = 8 } }, expect = '' } }", "did you mean \"price\"?"},
	{"return { { workload = { models = { 'H1' } }, expect = '' } }", "GPU models of the catalog"},
	{"return { { workload = { gpus = 0/0 }, expect = '' } }", "workload.gpus"},
	{"return { { candidates = { { egress = 0/0 } }, expect = '' } }", "egress"},
	{"return { { candidates = { { stockout = 1e300 } }, expect = '' } }", "stockout"},
	{"return { { workload = { gpus = 2 ^ 70 }, expect = '' } }", "workload.gpus"},
	{"return { { ctx = 5, expect = '' } }", "ctx"},
	{"return {}", "nothing was tested"},
	{"return 5", "nothing was tested"},
	{"local t = {} t.t = t return { { workload = t, expect = '' } }", "has no field \"t\""},
	{"return { { expect = { { candidates = { { {} } } } } } }", "number of steps"},
};

Test(cases, what_differs_or_is_wrong_is_told_by_name)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct tally t = run(bad[i].tests);
		cr_assert(t.passed == 0, "row %zu passed", i);
		cr_assert_not_null(strstr(t.text, bad[i].says), "row %zu: %s", i, t.text);
	}
}

Test(cases, functions_and_cases_may_stand_in_one_file)
{
	struct tally t =
		run("function test_one() assert(#place({ labels = {}, gpus = 1, queue = 'q' }, {}, { now = 0 }) == 0) "
		    "end return { { name = 'two', expect = '' }, { expect = '' } }");
	cr_assert_eq(t.passed, 3, "%s", t.text);
	cr_assert_str_eq(t.first, "test_one");
}
