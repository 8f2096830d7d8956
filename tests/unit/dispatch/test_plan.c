/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan.c - the plan in the check's message: what is written is read, what is hostile is no plan */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../../gateway/dispatch/plan.h"

static void build(struct plan *p)
{
	plan_init(p);
	p->n = 2;
	p->at = 1;
	p->until_ms = 1764000000000;
	p->step[0].n = p->step[1].n = 0;
	p->step[0].patience_ms = 120000;
	p->step[1].patience_ms = 900000;
	cr_assert(plan_add(p, &p->step[0], "onprem", "v100"));
	cr_assert(plan_add(p, &p->step[1], "gke", "h100 spot/[x]=%"));
	cr_assert(plan_add(p, &p->step[1], "onprem", "t4"));
}

Test(plan, what_is_written_is_read)
{
	struct plan p, q;
	char message[PLAN_MESSAGE], sentence[PLAN_SENTENCE];
	build(&p);
	cr_assert(plan_set_winner(&p, "gke", "h100 spot/[x]=%"));
	plan_set_policy(&p, "00ff00ff00ff00ff");
	p.gang = 3;
	p.lease_s = 600;
	plan_encode(&p, "words [of] a\nperson", message);
	cr_assert(strstr(message, "words (of) a person [plan1 "), "%s", message);
	cr_assert(plan_decode(&q, message), "%s", message);
	cr_assert_eq(q.n, 2);
	cr_assert_eq(q.at, 1);
	cr_assert_eq(q.until_ms, p.until_ms);
	cr_assert_eq(q.gang, 3);
	cr_assert_eq(q.lease_s, 600);
	cr_assert_str_eq(plan_text(&q, q.policy), "00ff00ff00ff00ff");
	cr_assert_eq(q.step[1].n, 2);
	cr_assert_eq(q.step[1].patience_ms, 900000);
	cr_assert_str_eq(plan_text(&q, q.step[1].place[0].cluster), "gke");
	cr_assert_str_eq(plan_text(&q, q.step[1].place[0].pool), "h100 spot/[x]=%");
	cr_assert_str_eq(plan_text(&q, q.win_pool), "h100 spot/[x]=%");
	plan_sentence(message, sentence);
	cr_assert_str_eq(sentence, "words (of) a person");
}

Test(plan, a_message_without_a_plan_is_only_words)
{
	struct plan p;
	char message[PLAN_MESSAGE];
	plan_init(&p);
	plan_encode(&p, "waits", message);
	cr_assert_str_eq(message, "waits");
	cr_assert(!plan_decode(&p, message));
	plan_encode(NULL, "", message);
	cr_assert_str_eq(message, "");
}

Test(plan, a_huge_plan_is_cut_at_a_step)
{
	struct plan p, q;
	char message[PLAN_MESSAGE], pool[64];
	plan_init(&p);
	p.until_ms = 1;
	for (int s = 0; s < SW_PLAN_STEPS; s++) {
		struct plan_step *st = &p.step[p.n];
		st->n = 0;
		st->patience_ms = 1000;
		for (int i = 0; i < SW_STEP_CANDIDATES; i++) {
			snprintf(pool, sizeof pool, "pool-with-a-long-name-%d-%d", s % 4, i);
			if (!plan_add(&p, st, "cluster", pool))
				break;
		}
		p.n++;
	}
	plan_encode(&p, "much", message);
	cr_assert_lt(strlen(message), PLAN_MESSAGE);
	cr_assert(plan_decode(&q, message), "%s", message);
	cr_assert(q.n >= 2 && q.n < SW_PLAN_STEPS, "%zu", q.n);
	for (size_t s = 0; s < q.n; s++)
		cr_assert_eq(q.step[s].n, SW_STEP_CANDIDATES);
}

Test(plan, hostile_tails_are_no_plan)
{
	static const char *const rows[] = {
		"",
		" ",
		"[plan1 ",
		" [plan1 ",
		" [plan1 ]",
		" [plan1 s]",
		" [plan1 s=]",
		" [plan1 s=1",
		" [plan1 s=1] more",
		" [plan1 s=1 ]",
		" [plan1 s=0 t=1 p=1000:a/b]",
		" [plan1 s=2 t=1 p=1000:a/b]",
		" [plan1 s=-1 t=1 p=1000:a/b]",
		" [plan1 s=99999999999999999999 p=1:a/b]",
		" [plan1 s=1 t=99999999999999999999 p=1000:a/b]",
		" [plan1 p=1000:]",
		" [plan1 p=1000:a]",
		" [plan1 p=1000:a/]",
		" [plan1 p=1000:/b]",
		" [plan1 p=:a/b]",
		" [plan1 p=a/b]",
		" [plan1 p=1000:a/b;]",
		" [plan1 p=1000:a/b,]",
		" [plan1 p=1000:a/b p=1000:a/b]",
		" [plan1 x=1 p=1000:a/b]",
		" [plan1 p=1000:a%/b]",
		" [plan1 p=1000:a%4/b]",
		" [plan1 p=1000:a%zz/b]",
		" [plan1 p=1000:a%00/b]",
		" [plan1 p=99999999999999:a/b]",
		" [plan1 p=1000:a b/c]",
		" [plan1 w=a g=1]",
		" [plan1 w=a/b g=]",
		" [plan1 g=1e9]",
		" [plan2 s=1 t=1 p=1000:a/b]",
	};
	struct plan p;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		cr_assert(!plan_decode(&p, rows[i]), "\"%s\"", rows[i]);
		cr_assert(p.n == 0 && p.win_cluster == 0 && p.gang == 0, "\"%s\" left something", rows[i]);
	}
}

Test(plan, only_the_last_tail_counts)
{
	struct plan p;
	cr_assert(plan_decode(&p, "told [plan1 s=1 t=5 p=1000:evil/x] by [plan1 s=1 t=6 p=1000:good/y]"));
	cr_assert_str_eq(plan_text(&p, p.step[0].place[0].cluster), "good");
}

Test(plan, too_much_of_anything_is_no_plan)
{
	struct plan p;
	char *m = malloc(1 << 20);
	size_t n = (size_t)sprintf(m, " [plan1 s=1 t=1 p=1000:");
	for (int i = 0; i < 40; i++)
		n += (size_t)sprintf(m + n, "%sc/p%d", i ? "," : "", i);
	strcpy(m + n, "]");
	cr_assert(!plan_decode(&p, m), "40 candidates in a step");
	n = (size_t)sprintf(m, " [plan1 s=1 t=1 p=1000:c/p");
	for (int i = 0; i < 20; i++)
		n += (size_t)sprintf(m + n, ";1000:c/p");
	strcpy(m + n, "]");
	cr_assert(!plan_decode(&p, m), "21 steps");
	n = (size_t)sprintf(m, " [plan1 s=1 t=1 p=1000:c/");
	memset(m + n, 'x', 200);
	strcpy(m + n + 200, "]");
	cr_assert(!plan_decode(&p, m), "a name of 200 bytes");
	n = (size_t)sprintf(m, "x [plan1 s=1 t=1 p=1000:c/p");
	memset(m, 'y', 100000);
	strcpy(m + 100000, " [plan1 s=1 t=1 p=1000:c/p]");
	cr_assert(!plan_decode(&p, m), "a message longer than we ever write");
	free(m);
}

/* Every byte of a good message changed to every interesting byte: never a crash, never a broken invariant. */
Test(plan, mutations_stay_within_bounds)
{
	static const char bytes[] = " []=;:,/%0129azAZ\x01\xff";
	struct plan p, q;
	char message[PLAN_MESSAGE], copy[PLAN_MESSAGE];
	build(&p);
	plan_set_winner(&p, "gke", "t4");
	plan_encode(&p, "m", message);
	size_t len = strlen(message);
	for (size_t i = 0; i < len; i++)
		for (size_t b = 0; b < sizeof bytes; b++) {
			memcpy(copy, message, len + 1);
			copy[i] = bytes[b];
			if (!plan_decode(&q, copy))
				continue;
			cr_assert(q.n == 0 || q.at < q.n);
			for (size_t s = 0; s < q.n; s++)
				cr_assert(q.step[s].n > 0 && q.step[s].n <= SW_STEP_CANDIDATES);
		}
}
