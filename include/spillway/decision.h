/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decision.h - decisions of policies as they are recorded: one JSON line each, with all that the policy was told
 *
 *   {"time":"...","policy":{"name":...,"hash":...},"workload":{...},"ctx":{...},"candidates":[...],
 *    "plan":{"steps":[{"candidates":[2,1],"patience":600}],"reason":"..."},"instructions":812}
 *
 * or "error" in place of "plan". Candidates of a step count from 1. Nothing in it is secret: names, labels, amounts,
 * prices. The same policy with the same catalog gives the same plan again: `spillway policy replay`.
 */
#ifndef SPILLWAY_DECISION_H
#define SPILLWAY_DECISION_H

#include "spillway/buf.h"
#include "spillway/loop.h"
#include "spillway/metrics.h"
#include "spillway/policy.h"

struct sw_decision { /* lent */
	const char *policy, *hash;
	const struct sw_policy_input *in;
	const struct sw_policy_plan *plan; /* NULL: it failed */
	const char *error;                 /* then why */
	int64_t instructions;
	bool late; /* the clock ended it: a replay may differ */
};
/* One line, with its newline. */
void sw_decision_write(struct sw_buf *b, const struct sw_decision *d);

struct sw_decision_read { /* owned: sw_decision_read_fini() */
	char policy[256], hash[32], time[32], error[400];
	struct sw_policy_question *question;
	bool failed; /* error says why; else plan */
	struct sw_policy_plan plan;
	bool late;
	json_t *from;
};
/* INVALID says what is wrong with the line; then there is nothing to release. cat: as sw_policy_input_read(). */
__attribute__((warn_unused_result)) struct sw_err
sw_decision_parse(const char *line, size_t len, const struct sw_catalog *cat, struct sw_decision_read *out);
void sw_decision_read_fini(struct sw_decision_read *d);
/* Do they decide the same, word for word? */
bool sw_plan_equal(const struct sw_policy_plan *a, const struct sw_policy_plan *b);
/* Where it sends the job: of its first step what fits now, else what stands first. Index of a candidate; -1: nowhere.
 */
int sw_plan_choice(const struct sw_policy_plan *plan, const struct sw_policy_input *in);

/* ---- the log: JSON lines in files that rotate ------------------------------------------------- */

/*
 * Lines are gathered on the loop and written by a thread of libuv's pool. A disk that is full or slow costs lines
 * (counted, said once until it is over), never a decision.
 */
struct sw_decision_log;
struct sw_decision_log_options {
	struct sw_loop *loop;
	struct sw_metrics *metrics;
	const char *path; /* PATH, PATH.1 (older), ... */
	size_t max_bytes; /* of one file */
	int files;        /* in all */
};
__attribute__((warn_unused_result)) struct sw_err sw_decision_log_new(const struct sw_decision_log_options *opt,
								      struct sw_decision_log **out);
void sw_decision_log_add(struct sw_decision_log *l, const struct sw_decision *d); /* NULL log: does nothing */
/* Writes what is left, waiting for it. NULL is fine. */
void sw_decision_log_free(struct sw_decision_log *l);

#endif
