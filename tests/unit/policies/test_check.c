/* SPDX-License-Identifier: Apache-2.0 */
/* test_check.c - calls with made-up inputs, and where policies come from */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/policy.h"
#include "spillway/text.h"

struct tally {
	int passed, failed;
	char text[600];
};

static void report(void *owner, const char *what, struct sw_err err)
{
	struct tally *t = owner;
	sw_failed(err) ? t->failed++ : t->passed++;
	if (sw_failed(err) && !*t->text)
		snprintf(t->text, sizeof t->text, "%s: %s", what, err.text);
}

static struct sw_err check(const char *src, struct tally *t)
{
	*t = (struct tally){0};
	return sw_policy_check(&(struct sw_policy_source){"p.lua", src, strlen(src)}, (struct sw_policy_limits){0},
			       report, t);
}

/* A mistake, and what is said of it. */
static const struct {
	const char *src, *says;
} careless[] = {
	{"function place(w, c)\n return { { candidates = { c[1] }, patience = 10 } } end", "no candidates"},
	{"function place(w, c)\n for _, x in ipairs(c) do if x.price > 3 then return {} end end return {} end",
	 "everything is unknown: p.lua:2: attempt to compare number with nil"},
	{"function place(w, c)\n local t = {} for i, x in ipairs(c) do t[i] = { candidates = { x }, patience = 1 } end "
	 "return t end",
	 "at most 16 are allowed"},
	{"function place(w, c)\n for i = 1, #c do for k = 1, #c * 20 do local x = i * k end end return {} end",
	 "used up its instructions"},
	{"function place(w, c)\n if #c > 0 then return { { candidates = { c[1] }, patience = w.deadline or 60 } } end\n"
	 "return {} end",
	 "patience is 0.001"},
};

Test(check, careless_policies_are_told_with_the_input_that_shows_it)
{
	for (size_t i = 0; i < sizeof careless / sizeof *careless; i++) {
		struct tally t;
		struct sw_err e = check(careless[i].src, &t);
		cr_assert(!sw_failed(e), "row %zu: %s", i, e.text);
		cr_assert_gt(t.failed, 0, "row %zu passed", i);
		cr_assert_not_null(strstr(t.text, careless[i].says), "row %zu: %s", i, t.text);
	}
}

Test(check, every_shipped_policy_passes)
{
	char name[64];
	size_t n = 0;
	for (; sw_policy_shipped(n, name); n++) {
		struct sw_policy_text text;
		struct tally t = {0};
		struct sw_err e = sw_policy_text_read(name, &text);
		cr_assert(!sw_failed(e), "%s", e.text);
		cr_assert_not_null(text.test_src, "%s has no tests", name);
		e = sw_policy_check(&(struct sw_policy_source){text.name, text.src, text.len},
				    (struct sw_policy_limits){0}, report, &t);
		cr_assert(!sw_failed(e), "%s", e.text);
		cr_assert_eq(t.failed, 0, "%s: %s", name, t.text);
		cr_assert_gt(t.passed, 20);
		sw_policy_text_free(&text);
	}
	cr_assert_gt(n, 0);
}

Test(check, a_policy_that_does_not_compile_is_not_called)
{
	struct tally t;
	cr_assert_eq(check("function place(", &t).code, SW_E_POLICY);
	cr_assert_eq(t.passed + t.failed, 0);
}

Test(source, a_word_is_a_file_or_a_shipped_policy)
{
	static const struct {
		const char *word, *says;
	} rows[] = {
		{"brst", "did you mean \"burst\"?"}, {"", "no policy is called"},           {"../burst", "cannot open"},
		{"nowhere.lua", "cannot open"},      {"burst.test", "no policy is called"}, {"/", "cannot"},
	};
	struct sw_policy_text t;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_err e = sw_policy_text_read(rows[i].word, &t);
		cr_assert(sw_failed(e), "row %zu", i);
		cr_assert_not_null(strstr(e.text, rows[i].says), "row %zu: %s", i, e.text);
		sw_policy_text_free(&t);
	}
	struct sw_err e = sw_policy_text_read("policies/burst.test.lua", &t);
	cr_assert(!sw_failed(e), "%s (run from the top of the tree)", e.text);
	cr_assert_str_eq(t.name, "policies/burst.lua");
	cr_assert_str_eq(t.test_name, "policies/burst.test.lua");
	cr_assert_not_null(t.test_src);
	sw_policy_text_free(&t);
}
