/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - the plan of one workload as it stands in the message of our check
 *
 * The message is the only durable place for it: a sentence for people, then a tail for us,
 *
 *   cheapest pool: gke/h100; step 1 of 2 [plan1 s=1 t=1764000000000 p=900000:gke/h100;3600000:onprem/v100]
 *
 *   s  the present step, from 1          t  its deadline, Unix ms
 *   p  steps: patience_ms:cluster/pool,cluster/pool;...
 *   l  seconds of the lease that its copy has, if any
 *   w  the winner, cluster/pool          g  pods that must be scheduled together; gone once they were
 *   h  hash of the policy that decided     c  what it costs, in millionths of USD per hour
 *
 * Names are percent-encoded. Whoever may write workloads/status may write anything here, so the reader is bounded and
 * tolerant: what it cannot read is no plan, and then the policy is asked again. Nothing here decides where a copy may
 * run: that is clusterName alone.
 */
#ifndef SPILLWAY_DISPATCH_PLAN_H
#define SPILLWAY_DISPATCH_PLAN_H

#include "spillway/policy.h"

enum { PLAN_TEXT = 6144, PLAN_MESSAGE = 8192, PLAN_SENTENCE = 1024 };

struct plan_place {
	uint16_t cluster, pool;
}; /* offsets into text */
struct plan_step {
	uint16_t n;
	struct plan_place place[SW_STEP_CANDIDATES];
	int64_t patience_ms;
};
struct plan {
	size_t n;         /* steps; 0: no plan */
	size_t at;        /* the present step, from 0 */
	int64_t until_ms; /* its deadline, Unix */
	struct plan_step step[SW_PLAN_STEPS];
	uint16_t win_cluster, win_pool; /* offsets; 0: none */
	int64_t cost_micro;             /* of the place that won; 0: nothing is bought for it */
	uint16_t policy;                /* hash of the policy that decided; 0: not known */
	int64_t lease_s;                /* 0: its copy has none */
	int64_t gang;                   /* 0: all of its pods were scheduled once */
	uint16_t used;
	char text[PLAN_TEXT]; /* names; text[0] is "" */
};

void plan_init(struct plan *p);
static inline const char *plan_text(const struct plan *p, uint16_t at)
{
	return p->text + at;
}
/* Adds a place to a step (steps are added by n++ first). False: no room; then the step is dropped by the caller. */
bool plan_add(struct plan *p, struct plan_step *s, const char *cluster, const char *pool);
void plan_set_policy(struct plan *p, const char *hash);
bool plan_set_winner(struct plan *p, const char *cluster, const char *pool);

/* Reads the tail of a message. False, and an empty plan, if there is none or it cannot be read. */
bool plan_decode(struct plan *p, const char *message);
/* sentence + tail. Steps that do not fit are left out: they are decided again when they are reached. */
void plan_encode(const struct plan *p, const char *sentence, char out[PLAN_MESSAGE]);
/* The sentence of a message: everything before the tail. */
void plan_sentence(const char *message, char out[PLAN_SENTENCE]);
/* Why the policy chose so: what is left of its reason in "REASON; step 1 of ...", "placed on ...: REASON", "runs on
 * ...: REASON"; "" if nothing. */
void plan_reason(const char *message, char out[PLAN_SENTENCE]);

#endif
