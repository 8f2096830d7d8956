/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h - a Lua policy in its sandbox: place(w, candidates, ctx) -> plan
 *
 * Limits hold whatever the script does: instructions (sticky: pcall cannot eat the verdict),
 * memory (never exceeded, even for a moment), result size. No io, os, debug, load, require,
 * coroutine, setmetatable or pattern functions. Deterministic: no clock but ctx.now, key-sorted
 * pairs, no randomness but math.random seeded from the decision. Nothing is kept between calls.
 * A failing policy costs its own decision: the error is POLICY with file:line in the text.
 * Threads: loop thread only.
 */
#ifndef SPILLWAY_POLICY_H
#define SPILLWAY_POLICY_H

#include "spillway/kinds.h"

struct sw_policy;
struct sw_policy_limits {
	int64_t instructions;
	size_t memory_bytes;
}; /* 0: 2,000,000 and 8 MiB */

/* Compiles text, runs its top level and checks that it defines place(). name is what messages show. The top level runs
 * again, with fresh globals, for every decision. gives. */
__attribute__((warn_unused_result)) struct sw_err sw_policy_new(const char *name, const char *src, size_t len,
								struct sw_policy_limits limits, struct sw_policy **out);
void sw_policy_free(struct sw_policy *p);
const char *sw_policy_name(const struct sw_policy *p);
const char *sw_policy_hash(const struct sw_policy *p); /* 16 hex digits of the source */

struct sw_candidate {
	const char *cluster, *pool, *provider, *region, *zone;
	const char *model;         /* "" without GPU */
	int64_t free, total;       /* GPUs now (nodes' cpu cores where model is "") */
	int nodes_needed;          /* 0: the gang fits now; n: after n more nodes */
	int queue_depth;           /* workloads that wait for this pool */
	int64_t expected_start_ms; /* from now; -1 unknown */
	double price_hour;         /* for the whole job while it runs; NAN unknown */
	int64_t price_age_ms;
	bool spot, growable;
	int64_t stockout_until_ms; /* Unix; 0: none */
	int quota_left;            /* nodes; -1 unknown */
};
struct sw_policy_input {
	const char *key, *job_name, *ns, *queue, *kind;
	int32_t priority;
	int64_t waited_ms;
	unsigned attempt;
	const struct sw_demand *demand;
	const struct sw_candidate *candidates;
	size_t n_candidates;
	int64_t now_ms; /* Unix */
};
enum { SW_PLAN_STEPS = 16, SW_STEP_CANDIDATES = 32, SW_POLICY_CANDIDATES = 1024, SW_PATIENCE_MAX_S = 30 * 24 * 3600 };
struct sw_plan_step {
	size_t n;
	uint16_t candidate[SW_STEP_CANDIDATES]; /* indices into candidates, best first */
	int64_t patience_ms;
};
struct sw_policy_plan {
	size_t n;
	struct sw_plan_step step[SW_PLAN_STEPS];
	char reason[160]; /* what the user reads, may be "" */
};

/*
 * What the script sees: policies/README.md. It returns a list of steps { candidates = {...}, patience = seconds },
 * best first, with an optional field reason; candidates are the tables it was given, or their indices.
 * An empty plan (n = 0) is legal: "not now". Everything else that is not a plan is POLICY and says where.
 */
__attribute__((warn_unused_result)) struct sw_err sw_policy_place(struct sw_policy *p, const struct sw_policy_input *in,
								  struct sw_policy_plan *out);

/* Runs every function test_* of a test file in the policy's own sandbox, each from a fresh start, in order of names.
 * The error is for files that do not compile or hold no test; failures go to report (err OK: passed). */
typedef void sw_policy_report_fn(void *owner, const char *test, struct sw_err err);
struct sw_policy_source {
	const char *name, *src;
	size_t len;
};
__attribute__((warn_unused_result)) struct sw_err sw_policy_test(const struct sw_policy_source *policy,
								 const struct sw_policy_source *tests,
								 struct sw_policy_limits limits,
								 sw_policy_report_fn *report, void *owner);

/* Calls it with made-up inputs, empty and extreme ones among them (check.c): each must give a plan, and the same plan
 * twice. The error is for a policy that does not compile; what goes wrong in a call goes to report. */
__attribute__((warn_unused_result)) struct sw_err sw_policy_check(const struct sw_policy_source *policy,
								  struct sw_policy_limits limits,
								  sw_policy_report_fn *report, void *owner);

/* ---- where policies come from (source.c) ---------------------------------------------- */

struct sw_policy_text {
	char *name, *src; /* as messages show it */
	size_t len;
	char *test_name, *test_src; /* the tests beside it; test_src NULL: it has none */
	size_t test_len;
};
/* word: a path (one that holds a '/' or ends in .lua; a .test.lua stands for the policy beside it), or the name of a
 * shipped policy ("burst"). gives: sw_policy_text_free(). */
__attribute__((warn_unused_result)) struct sw_err sw_policy_text_read(const char *word, struct sw_policy_text *out);
void sw_policy_text_free(struct sw_policy_text *t);
bool sw_policy_is_test_file(const char *path);
const char *sw_policy_shipped(size_t i, char buf[64]); /* "burst", ...; NULL past the end */

#endif
