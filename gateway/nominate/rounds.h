/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rounds.h - a plan of steps, and what to nominate next. Pure.
 */
#ifndef SPILLWAY_NOMINATE_ROUNDS_H
#define SPILLWAY_NOMINATE_ROUNDS_H

#include "spillway/policy.h"

enum { NOMINATED_MAX = 20 /* Workload.status.nominatedClusterNames, Kueue v1beta2 */, ROUND_LOOK_MS = 60 * 1000 };

struct round_step {
	const char *names[NOMINATED_MAX];
	size_t n;
	int64_t patience_ms;
};
struct round_plan {
	struct round_step step[SW_PLAN_STEPS];
	size_t n;
};
/* Clusters of a plan's steps, each in the first step that names it. A step without a new cluster (another pool of one:
 * its own Kueue chooses) adds its patience to the step before. in: whose candidates the plan speaks of; names are lent
 * from them. */
void round_plan_make(const struct sw_policy_input *in, const struct sw_policy_plan *plan, struct round_plan *out);

struct round_next {
	const char *add[NOMINATED_MAX]; /* lent from the plan */
	size_t n;                       /* 0: nothing now */
	size_t step;                    /* of the plan that add comes from, or that is being waited for */
	int64_t wait_ms;                /* look again after that */
	bool all;                       /* every cluster of the plan is nominated */
};
/*
 * nominated: as it stands. began_ms: when the last of it was written; 0: unknown, counts as just now. The first step
 * with a cluster that is not nominated yet is next: at once if nothing is nominated, else when the step before it has
 * had its patience.
 */
void round_next(const struct round_plan *plan, const char *const *nominated, size_t n, int64_t began_ms, int64_t now_ms,
		struct round_next *out);

#endif
