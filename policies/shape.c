/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape.c - jobs that are equal in everything the policy looked at are decided once
 *
 * A decision is a function of what the policy read: the same source, fed the same values, asks the same questions and
 * gives the same plan. So each plan is kept with the set of workload fields that were read for it, and another job
 * finds it if those fields are equal. Most policies read one or two sets; a few are remembered, newest first, and
 * each costs one look. A decision that read what is one job's own (its name, how long it waited, the time, a random
 * number) is not kept: nobody else could use it.
 */
#include "sandbox_priv.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "spillway/text.h"

/* A plan is 4 KiB, and most are of no more use as soon as a job was placed: a cluster then has less room. */
enum { PLANS = 64, MASKS = 8 };

struct shape {
	uint64_t policy, view, mask, workload;
};
struct kept {
	UT_hash_handle hh; /* by shape, in order of arrival: the oldest goes first */
	struct shape shape;
	struct sw_policy_plan plan;
};
struct sw_shapes {
	struct kept *plans;
	size_t max;
	uint64_t mask[MASKS]; /* sets of fields that decisions read */
	size_t n_masks;
};

struct sw_shapes *sw_shapes_new(size_t max)
{
	struct sw_shapes *s = sw_calloc(1, sizeof *s);
	s->max = max ? max : PLANS;
	return s;
}

void sw_shapes_clear(struct sw_shapes *s)
{
	struct kept *k = s->plans, *next;
	HASH_CLEAR(hh, s->plans);
	for (; k; k = next) {
		next = k->hh.next;
		free(k);
	}
	s->n_masks = 0;
}

void sw_shapes_free(struct sw_shapes *s)
{
	if (!s)
		return;
	sw_shapes_clear(s);
	free(s);
}

static struct shape shape_of(const struct sw_policy *p, const struct sw_policy_input *in, uint64_t view, uint64_t mask)
{
	struct shape shape = {p->hash_bits, view, mask, workload_hash(in, mask)};
	return shape;
}

const struct sw_policy_plan *sw_shapes_get(struct sw_shapes *s, const struct sw_policy *p,
					   const struct sw_policy_input *in, uint64_t view)
{
	for (size_t i = 0; i < s->n_masks; i++) {
		struct shape shape = shape_of(p, in, view, s->mask[i]);
		struct kept *k;
		HASH_FIND(hh, s->plans, &shape, sizeof shape, k);
		if (k)
			return &k->plan;
	}
	return NULL;
}

static void mask_note(struct sw_shapes *s, uint64_t mask)
{
	size_t at = 0;
	while (at < s->n_masks && s->mask[at] != mask)
		at++;
	if (at == MASKS)
		at--;
	else if (at == s->n_masks)
		s->n_masks++;
	memmove(s->mask + 1, s->mask, at * sizeof *s->mask);
	s->mask[0] = mask;
}

void sw_shapes_put(struct sw_shapes *s, const struct sw_policy *p, const struct sw_policy_input *in, uint64_t view,
		   const struct sw_policy_plan *plan)
{
	struct kept *k, *old;
	if (p->use.personal || p->use.late)
		return;
	struct shape shape = shape_of(p, in, view, p->box->read);
	mask_note(s, shape.mask);
	HASH_FIND(hh, s->plans, &shape, sizeof shape, old);
	if (old) {
		old->plan = *plan;
		return;
	}
	if (HASH_COUNT(s->plans) >= s->max) {
		k = s->plans;
		HASH_DEL(s->plans, k);
	} else {
		k = sw_calloc(1, sizeof *k);
	}
	k->shape = shape;
	k->plan = *plan;
	HASH_ADD(hh, s->plans, shape, sizeof k->shape, k);
}
