/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_attacks.c - every policy of tests/policies/attacks gets what its first lines say, within its budget
 *
 *   -- fails: call | new            when it is asked about the job "attack", or when it is read
 *   -- error: FILE:LINE: ... TEXT   how the message begins, and what it says
 *
 * And the next decision of the same policy, about another job, is right.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/policy.h"
#include "spillway/text.h"

static const char dir[] = "tests/policies/attacks";
static const struct sw_policy_limits limits = {.instructions = 200000, .memory_bytes = 1 << 20};
/* A limit is noticed at the next look at the counter, or after the one call of C that is on its way. */
enum { SLACK = 60000, ATTACKS_MIN = 100 };

static const struct sw_candidate candidates[] = {
	{.cluster = "onprem",
	 .pool = "v100",
	 .provider = "static",
	 .region = "",
	 .zone = "",
	 .model = "V100",
	 .free = 4,
	 .total = 8,
	 .price_hour = NAN,
	 .quota_left = -1},
	{.cluster = "gke",
	 .pool = "h100",
	 .provider = "sim",
	 .region = "r",
	 .zone = "z",
	 .model = "H100",
	 .nodes_needed = 1,
	 .expected_start_ms = 60000,
	 .price_hour = 9.5,
	 .spot = true,
	 .growable = true,
	 .quota_left = 2},
};

struct attack {
	char name[256], *src;
	size_t len;
	bool at_new;
	char begins[160], says[200];
};

static int is_lua(const struct dirent *e)
{
	size_t n = strlen(e->d_name);
	return n > 4 && strcmp(e->d_name + n - 4, ".lua") == 0;
}

/* What the line "-- KEY: VALUE" says. */
static void header(const struct attack *a, const char *key, char *out, size_t size)
{
	char mark[40];
	snprintf(mark, sizeof mark, "\n-- %s: ", key);
	const char *at = strstr(a->src, mark);
	cr_assert(at, "%s: no line \"-- %s: \"", a->name, key);
	at += strlen(mark);
	snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void attack_read(const char *name, struct attack *a)
{
	char path[300], when[16], error[300];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	snprintf(a->name, sizeof a->name, "%s", name);
	struct sw_err e = sw_file_read(path, 1 << 20, &a->src, &a->len);
	cr_assert(!sw_failed(e), "%s", e.text);
	header(a, "fails", when, sizeof when);
	header(a, "error", error, sizeof error);
	a->at_new = strcmp(when, "new") == 0;
	char *dots = strstr(error, " ... ");
	cr_assert(dots && (a->at_new || strcmp(when, "call") == 0), "%s: its first lines", name);
	*dots = '\0';
	sw_cut(a->begins, sizeof a->begins, strcmp(error, "-") == 0 ? "" : error);
	sw_cut(a->says, sizeof a->says, dots + 5);
}

static void right_error(const struct attack *a, struct sw_err e)
{
	cr_expect_eq(e.code, SW_E_POLICY, "%s: code %d: %s", a->name, e.code, e.text);
	cr_expect_eq(strncmp(e.text, a->begins, strlen(a->begins)), 0, "%s: \"%s\" does not begin with \"%s\"", a->name,
		     e.text, a->begins);
	cr_expect(strstr(e.text, a->says), "%s: \"%s\" does not say \"%s\"", a->name, e.text, a->says);
	for (const char *c = e.text; *c; c++)
		cr_expect((unsigned char)*c >= ' ' && *c != 127, "%s: a control character in \"%s\"", a->name, e.text);
}

static struct sw_err decide(struct sw_policy *p, const char *job, struct sw_policy_plan *plan)
{
	static const struct sw_demand demand = {.gpus = 1, .max_price = INFINITY};
	static const struct sw_policy_label labels[] = {{"team", "vision"}};
	struct sw_policy_input in = {.key = "ns/w",
				     .job_name = job,
				     .ns = "ns",
				     .queue = "q",
				     .kind = "Job",
				     .attempt = 1,
				     .demand = &demand,
				     .candidates = candidates,
				     .n_candidates = 2,
				     .labels = labels,
				     .n_labels = 1,
				     .now_ms = 1700000000000};
	return sw_policy_place(p, &in, plan);
}

static void attack_run(const struct attack *a)
{
	struct sw_policy *p;
	struct sw_policy_plan plan;
	struct sw_err e = sw_policy_new(a->name, a->src, a->len, limits, &p);
	if (a->at_new) {
		right_error(a, e);
		cr_expect_null(p, "%s: a policy is given with the error", a->name);
		return;
	}
	cr_assert(!sw_failed(e), "%s", e.text);
	for (int again = 0; again < 2; again++) {
		e = decide(p, "attack", &plan);
		right_error(a, e);
		cr_expect_eq(plan.n, 0, "%s: a plan is given with the error", a->name);
		struct sw_policy_use use = sw_policy_used(p);
		cr_expect(use.instructions <= limits.instructions + SLACK, "%s: %lld instructions", a->name,
			  (long long)use.instructions);
		cr_expect(use.memory_bytes <= limits.memory_bytes, "%s: %zu bytes", a->name, use.memory_bytes);
		cr_expect(!use.late, "%s: only the clock ended it", a->name);
		e = decide(p, "fine", &plan);
		cr_expect(!sw_failed(e), "%s: the next decision: %s", a->name, e.text);
		cr_expect(plan.n >= 1 && plan.step[0].n == 1 && plan.step[0].candidate[0] == 0 &&
				  strcmp(plan.reason, "fine") == 0,
			  "%s: the next decision is another", a->name);
	}
	sw_policy_free(p);
}

Test(attacks, each_costs_its_own_call_and_says_where_it_failed, .timeout = 300)
{
	struct dirent **list;
	int n = scandir(dir, &list, is_lua, alphasort);
	cr_assert_geq(n, ATTACKS_MIN, "%d in %s (run from the top of the tree)", n, dir);
	for (int i = 0; i < n; i++) {
		struct attack a = {.src = NULL};
		attack_read(list[i]->d_name, &a);
		attack_run(&a);
		free(a.src);
		free(list[i]);
	}
	free(list);
}
