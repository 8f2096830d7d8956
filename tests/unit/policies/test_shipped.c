/* SPDX-License-Identifier: Apache-2.0 */
/* test_shipped.c - runs policies/burst.test.lua in the sandbox, and tests the runner itself */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/blob.h"
#include "spillway/policy.h"
#include "spillway/text.h"

struct tally {
	int passed, failed;
	char last[80], text[400];
};

static void report(void *owner, const char *test, struct sw_err err)
{
	struct tally *t = owner;
	sw_failed(err) ? t->failed++ : t->passed++;
	sw_cut(t->last, sizeof t->last, test);
	if (sw_failed(err))
		snprintf(t->text, sizeof t->text, "%s: %s", test, err.text);
}

Test(shipped, burst_passes_its_own_tests)
{
	const struct sw_blob *b = sw_blob_find("policies/burst.lua");
	cr_assert_not_null(b);
	struct tally t = {0};
	char *src;
	size_t len;
	struct sw_err e = sw_file_read("policies/burst.test.lua", 1 << 20, &src, &len);
	cr_assert(!sw_failed(e), "%s (run from the top of the tree)", e.text);
	e = sw_policy_test(&(struct sw_policy_source){b->name, b->start, sw_blob_len(b)},
			   &(struct sw_policy_source){"policies/burst.test.lua", src, len},
			   (struct sw_policy_limits){0}, report, &t);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_eq(t.failed, 0, "%s", t.text);
	cr_assert_geq(t.passed, 15);
	free(src);
}

static struct sw_err run(const char *policy, const char *tests, struct tally *t)
{
	*t = (struct tally){0};
	return sw_policy_test(&(struct sw_policy_source){"p.lua", policy, strlen(policy)},
			      &(struct sw_policy_source){"p.test.lua", tests, strlen(tests)},
			      (struct sw_policy_limits){0}, report, t);
}

Test(shipped, the_runner_reports_each_test_and_where_it_failed)
{
	struct tally t;
	struct sw_err e = run("local x = 1 function place() x = x + 1 return x end",
			      "function test_b() assert(place() == 2) end function test_a() assert(place() == "
			      "2) end\nfunction test_c() error('no') end test_not = 1",
			      &t);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_eq(t.passed, 2, "tests do not see each other: %s", t.text);
	cr_assert_eq(t.failed, 1);
	cr_assert_str_eq(t.text, "test_c: p.test.lua:2: no");
	cr_assert_str_eq(t.last, "test_c");
}

Test(shipped, the_runner_refuses_files_that_test_nothing)
{
	struct tally t;
	cr_assert_eq(run("function place() return {} end", "x = 1", &t).code, SW_E_INVALID);
	cr_assert_eq(run("function place() return {} end", "error('x')", &t).code, SW_E_POLICY);
	cr_assert_eq(run("syntax error here", "function test_a() end", &t).code, SW_E_POLICY);
	cr_assert_eq(t.passed + t.failed, 0);
}
