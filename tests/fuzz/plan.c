/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - the plan in a check's message, which anybody with rights on workloads/status may write
 */
#include <stdlib.h>
#include <string.h>

#include "../../gateway/dispatch/plan.h"
#include "fuzz.h"

static void inside(const struct plan *p)
{
	FUZZ_CHECK(p->n <= SW_PLAN_STEPS && (p->n == 0 || p->at < p->n) && p->used <= PLAN_TEXT && p->used > 0);
	FUZZ_CHECK(p->win_cluster < p->used && p->win_pool < p->used && p->gang >= 0);
	for (size_t i = 0; i < p->n; i++) {
		FUZZ_CHECK(p->step[i].n <= SW_STEP_CANDIDATES && p->step[i].patience_ms >= 0);
		for (size_t k = 0; k < p->step[i].n; k++)
			FUZZ_CHECK(*plan_text(p, p->step[i].place[k].cluster) &&
				   *plan_text(p, p->step[i].place[k].pool));
	}
}

static bool same_place(const struct plan *a, struct plan_place x, const struct plan *b, struct plan_place y)
{
	return !strcmp(plan_text(a, x.cluster), plan_text(b, y.cluster)) &&
	       !strcmp(plan_text(a, x.pool), plan_text(b, y.pool));
}

/* b was written from a: steps at the end may be missing, nothing else. */
static void same(const struct plan *a, const struct plan *b)
{
	FUZZ_CHECK(b->n <= a->n && a->gang == b->gang);
	FUZZ_CHECK(b->n == 0 || (a->at == b->at && a->until_ms == b->until_ms));
	FUZZ_CHECK(!strcmp(plan_text(a, a->win_cluster), plan_text(b, b->win_cluster)));
	FUZZ_CHECK(!strcmp(plan_text(a, a->win_pool), plan_text(b, b->win_pool)));
	for (size_t i = 0; i < b->n; i++) {
		FUZZ_CHECK(a->step[i].n == b->step[i].n && a->step[i].patience_ms == b->step[i].patience_ms);
		for (size_t k = 0; k < b->step[i].n; k++)
			FUZZ_CHECK(same_place(a, a->step[i].place[k], b, b->step[i].place[k]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	static struct plan plan, again; /* large */
	static char message[PLAN_MESSAGE], sentence[PLAN_SENTENCE];

	plan_sentence(p.at[0], sentence);
	if (plan_decode(&plan, p.at[0])) {
		inside(&plan);
		plan_encode(&plan, sentence, message);
		if (plan_decode(&again, message)) {
			inside(&again);
			same(&plan, &again);
		} else {
			FUZZ_CHECK(plan.n == 0 || plan.at > 0); /* no step fitted, or the present one did not */
		}
	} else {
		FUZZ_CHECK(plan.n == 0);
	}
	fuzz_parts_free(&p);
	return 0;
}
