/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rounds.c - see rounds.h
 *
 * No state but the field itself: which round it is follows from what is nominated, so that a restart, a second gateway
 * and a plan that changed meanwhile are all the same case.
 */
#include <string.h>
#include "rounds.h"

static bool among(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool planned(const struct round_plan *plan, size_t steps, const char *name)
{
	for (size_t i = 0; i < steps; i++)
		if (among(plan->step[i].names, plan->step[i].n, name))
			return true;
	return false;
}

void round_plan_make(const struct sw_policy_input *in, const struct sw_policy_plan *plan, struct round_plan *out)
{
	*out = (struct round_plan){0};
	for (size_t i = 0; i < plan->n; i++) {
		struct round_step *s = &out->step[out->n];

		*s = (struct round_step){.patience_ms = plan->step[i].patience_ms};
		for (size_t c = 0; c < plan->step[i].n && s->n < NOMINATED_MAX; c++) {
			const char *name = in->candidates[plan->step[i].candidate[c]].cluster;

			if (!planned(out, out->n + 1, name))
				s->names[s->n++] = name;
		}
		if (s->n)
			out->n++;
		else if (out->n)
			out->step[out->n - 1].patience_ms += s->patience_ms;
	}
}

/* The first step that names a cluster which is not nominated; plan->n if there is none. */
static size_t first_new(const struct round_plan *plan, const char *const *nominated, size_t n)
{
	for (size_t i = 0; i < plan->n; i++)
		for (size_t c = 0; c < plan->step[i].n; c++)
			if (!among(nominated, n, plan->step[i].names[c]))
				return i;
	return plan->n;
}

void round_next(const struct round_plan *plan, const char *const *nominated, size_t n, int64_t began_ms, int64_t now_ms,
		struct round_next *out)
{
	size_t at = first_new(plan, nominated, n);
	int64_t since = began_ms > 0 && began_ms < now_ms ? began_ms : now_ms;

	*out = (struct round_next){.step = at, .wait_ms = ROUND_LOOK_MS};
	if (at == plan->n || n >= NOMINATED_MAX) {
		out->all = plan->n > 0;
		return;
	}
	int64_t left = n ? since + plan->step[at ? at - 1 : 0].patience_ms - now_ms : 0;

	if (left > 0) {
		out->wait_ms = left;
		return;
	}
	for (size_t c = 0; c < plan->step[at].n && n + out->n < NOMINATED_MAX; c++)
		if (!among(nominated, n, plan->step[at].names[c]))
			out->add[out->n++] = plan->step[at].names[c];
	out->wait_ms = plan->step[at].patience_ms > 0 ? plan->step[at].patience_ms : 1;
}
