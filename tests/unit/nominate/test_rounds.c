/* SPDX-License-Identifier: Apache-2.0 */
#include "nominate_test.h"
#include "../../../gateway/nominate/rounds.h"

static const struct sw_candidate clusters[] = {{.cluster = "a", .pool = "p"},
					       {.cluster = "a", .pool = "q"},
					       {.cluster = "b", .pool = "p"},
					       {.cluster = "c", .pool = "p"},
					       {.cluster = "d", .pool = "p"}};

/* "a1,b|c:600" is a plan by index into clusters: steps of indices with their patience in seconds. */
static void plan_of(const char *text, struct round_plan *out)
{
	struct sw_policy_input in = {.candidates = clusters, .n_candidates = 5};
	struct sw_policy_plan *plan = sw_calloc(1, sizeof(*plan));

	for (char *copy = sw_strdup(text), *at = copy, *step; (step = strsep(&at, "|"));) {
		struct sw_plan_step *s = &plan->step[plan->n++];

		for (; *step && *step != ':'; step++)
			s->candidate[s->n++] = (uint16_t)(*step - '0');
		s->patience_ms = 1000 * atoll(step + 1);
		if (!at)
			free(copy);
	}
	round_plan_make(&in, plan, out);
	free(plan);
}

Test(nominate_rounds, each_cluster_is_in_the_first_step_that_names_it)
{
	struct round_plan plan;

	plan_of("012:10|01:20|23:30|4:40", &plan);
	cr_assert_eq(plan.n, 3);
	cr_expect_eq(plan.step[0].n, 2);
	cr_expect_eq(plan.step[0].patience_ms, 30000, "another pool of a cluster that has it is more patience");
	cr_expect_eq(plan.step[1].n, 1);
	cr_expect_str_eq(plan.step[1].names[0], "c");
	cr_expect_str_eq(plan.step[2].names[0], "d");
}

static const struct {
	const char *plan, *nominated;
	int64_t began_s, now_s;
	const char *add;
	int64_t wait_ms;
	bool all;
} rows[] = {
	{"0:600|2:900|3:60", "", 0, 1000, "a", 600000, false},
	{"02:600|3:60", "", 0, 1000, "ab", 600000, false},
	{"0:600|2:900|3:60", "a", 1000, 1000, "", 600000, false},
	{"0:600|2:900|3:60", "a", 1000, 1599, "", 1000, false},
	{"0:600|2:900|3:60", "a", 1000, 1600, "b", 900000, false},
	{"0:600|2:900|3:60", "ab", 1600, 1700, "", 800000, false},
	{"0:600|2:900|3:60", "ab", 1600, 2500, "c", 60000, false},
	{"0:600|2:900|3:60", "abc", 2500, 9999, "", 60000, true},
	/* the time is unknown: the round begins now, it is not over */
	{"0:600|2:900", "a", 0, 1000, "", 600000, false},
	/* the API server's clock is ahead: the same */
	{"0:600|2:900", "a", 5000, 1000, "", 600000, false},
	/* a plan that changed meanwhile: what is there stays, what is new waits for its turn */
	{"3:600|0:900", "a", 1000, 1100, "", 500000, false},
	{"3:600|0:900", "a", 1000, 1600, "c", 600000, false},
	/* names that no plan knows (another's, or clusters that went) are not in the way */
	{"0:600|2:900", "xy", 1000, 1600, "a", 600000, false},
	{"", "", 0, 1000, "", 60000, false},
	{"0:0|2:0", "", 0, 1000, "a", 1, false},
	{"0:0|2:0", "a", 1000, 1000, "b", 1, false},
};

Test(nominate_rounds, what_is_nominated_and_when_says_what_is_next)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct round_plan plan = {0};
		struct round_next next;
		const char *nominated[4], *names[] = {"a", "b", "c", "d", "x", "y"};
		char added[8] = "";
		size_t n = 0;

		if (*rows[i].plan)
			plan_of(rows[i].plan, &plan);
		for (const char *p = rows[i].nominated; *p; p++)
			nominated[n++] = names[*p >= 'x' ? *p - 'x' + 4 : *p - 'a'];
		round_next(&plan, nominated, n, rows[i].began_s * 1000, rows[i].now_s * 1000, &next);
		for (size_t k = 0; k < next.n; k++)
			added[k] = *next.add[k];
		cr_expect_str_eq(added, rows[i].add, "row %zu", i);
		cr_expect_eq(next.wait_ms, rows[i].wait_ms, "row %zu: %lld", i, (long long)next.wait_ms);
		cr_expect_eq(next.all, rows[i].all, "row %zu", i);
	}
}

Test(nominate_rounds, never_more_names_than_kueue_allows)
{
	static char text[30][16];
	const char *nominated[NOMINATED_MAX];
	struct round_plan plan = {.n = 1, .step = {{.n = 2, .names = {"new1", "new2"}, .patience_ms = 1}}};
	struct round_next next;

	for (int i = 0; i < NOMINATED_MAX; i++) {
		snprintf(text[i], sizeof(text[i]), "n%d", i);
		nominated[i] = text[i];
	}
	round_next(&plan, nominated, NOMINATED_MAX - 1, 1, 100000, &next);
	cr_expect_eq(next.n, 1);
	round_next(&plan, nominated, NOMINATED_MAX, 1, 100000, &next);
	cr_expect_eq(next.n, 0);
	cr_expect(next.all);
}
