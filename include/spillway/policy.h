/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h - a Lua policy in its sandbox: place(w, candidates, ctx) -> plan, and the other functions it may define
 *
 * Limits hold whatever the script does: instructions (sticky: pcall cannot eat the verdict),
 * memory (never exceeded, even for a moment), result size. No io, os, debug, load, require,
 * coroutine, setmetatable or pattern functions. Deterministic: no clock but ctx.now, key-sorted
 * pairs, no randomness but math.random seeded from the decision. Nothing is kept between calls: the
 * top level runs again for each, then globals are frozen; inputs are read-only.
 * A failing policy costs its own decision: the error is POLICY with file:line and a few frames of the stack in the
 * text. What scripts see is in docs/policy-api.md, with types and units.
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

/* Whose jobs another policy than the default one decides. */
struct sw_policy_rule {
	const char *queue; /* a ClusterQueue, or NAMESPACE/LOCALQUEUE */
	struct sw_policy *policy;
};

/* What a policy may define. It needs place or rank. */
enum {
	SW_POLICY_HAS_PLACE = 1,
	SW_POLICY_HAS_RANK = 2,
	SW_POLICY_HAS_ADMIT = 4,
	SW_POLICY_HAS_GROW = 8,
	SW_POLICY_HAS_RELEASE = 16,
	SW_POLICY_HAS_EVICTED = 32
};

/* Compiles text, runs its top level and checks that it defines place() or rank(). name is what messages show. gives. */
__attribute__((warn_unused_result)) struct sw_err sw_policy_new(const char *name, const char *src, size_t len,
								struct sw_policy_limits limits, struct sw_policy **out);
void sw_policy_free(struct sw_policy *p);
const char *sw_policy_name(const struct sw_policy *p);
const char *sw_policy_hash(const struct sw_policy *p); /* 16 hex digits of the source */
unsigned sw_policy_has(const struct sw_policy *p);     /* SW_POLICY_HAS_... */

/* ---- what a policy is given ----------------------------------------------------------------- */

/* Fields left out of an initialiser are unknown or none, and reach the script as nil, "" or 0: never as a price. */
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

	const char *flavor;               /* its name in queues; NULL: the pool's */
	const char *machine;              /* "a3-highgpu-8g"; NULL unknown */
	const struct sw_gpu *gpu;         /* catalog row of model, or NULL; lent */
	int gpus_per_node;                /* 0 without GPU, or unknown */
	int nodes, nodes_max;             /* of the pool: that exist, that may; nodes_max 0: unknown */
	int in_flight;                    /* nodes asked for that cannot be used yet */
	double on_demand_hour, spot_hour; /* for the whole job, both ways to buy; 0 or NAN: unknown */
	bool budget_known, egress_known;  /* do these say something: */
	double budget_left_hour,
		egress_cost; /* USD per hour that may still be bought there; USD, once, to bring the data */
};

struct sw_policy_label {
	const char *name, *value;
};
struct sw_policy_attempt {
	const char *cluster, *pool;
	const char *outcome; /* "preempted", "stockout", "lost", "unschedulable", "refused", "moved"; "" unknown */
	const char *reason;  /* in words, or NULL */
	int64_t began_ms, ended_ms; /* Unix; 0 unknown */
	bool spot;
};
struct sw_policy_budget {    /* of the workload's queue, over its window; limit 0 or NAN: none is set */
	double limit, spent; /* USD; spent NAN: unknown */
	int64_t window_ms, elapsed_ms;
};

enum { SW_PLAN_STEPS = 16, SW_STEP_CANDIDATES = 32, SW_POLICY_CANDIDATES = 1024, SW_PATIENCE_MAX_S = 30 * 24 * 3600 };
enum { SW_POLICY_LABELS = 64, SW_POLICY_ATTEMPTS = 16, SW_POLICY_REASON = 160, SW_POLICY_EXCLUDES = 8 };

struct sw_policy_input {
	const char *key, *job_name, *ns, *queue, *kind;
	int32_t priority;
	int64_t waited_ms;
	unsigned attempt;
	const struct sw_demand *demand;
	const struct sw_candidate *candidates;
	size_t n_candidates;
	int64_t now_ms; /* Unix */

	const char *cluster_queue;            /* NULL unknown */
	const struct sw_policy_label *labels; /* the job's own; at most SW_POLICY_LABELS are shown */
	size_t n_labels;
	const struct sw_policy_attempt *attempts; /* that ended, oldest first; the last SW_POLICY_ATTEMPTS are shown */
	size_t n_attempts;
	struct sw_policy_budget budget;
	double committed_hour, max_hour; /* USD per hour of all bought nodes, and the limit; 0 or NAN: unknown */
};

/* ---- place, or rank alone ---------------------------------------------------------------------- */

enum sw_plan_spot { SW_PLAN_SPOT_ANY, SW_PLAN_SPOT_NEVER, SW_PLAN_SPOT_ONLY };
struct sw_plan_step {
	size_t n;
	uint16_t candidate[SW_STEP_CANDIDATES]; /* indices into candidates, best first */
	int64_t patience_ms;
	enum sw_plan_spot spot; /* candidates that break it were refused already */
	double max_price;       /* USD per hour for the job: dearer candidates were left out; INFINITY: no limit */
	char reason[SW_POLICY_REASON]; /* why this step, may be "" */
};
struct sw_policy_plan {
	size_t n;
	struct sw_plan_step step[SW_PLAN_STEPS];
	char reason[SW_POLICY_REASON]; /* what the user reads, may be "" */
	bool held;                     /* n is 0 because admit() said no */
};

/*
 * Asks admit() where it is defined, then place(). An empty plan (n = 0) is legal: "not now". Everything that is not a
 * plan is POLICY and says where. A policy that defines rank() and no place() gets the standard plan made of its scores
 * (docs/policy-api.md).
 */
__attribute__((warn_unused_result)) struct sw_err sw_policy_place(struct sw_policy *p, const struct sw_policy_input *in,
								  struct sw_policy_plan *out);

struct sw_policy_score {
	bool here; /* false: not there, and why says why (or "") */
	double score;
	char why[96];
};
/* One score for each candidate. INVALID if the policy defines no rank(). */
__attribute__((warn_unused_result)) struct sw_err sw_policy_rank(struct sw_policy *p, const struct sw_policy_input *in,
								 struct sw_policy_score *out);

/* ---- the other functions. Each does nothing but fill out with the default where the policy does not define it. ----
 */

/* May it be placed at all now? Default: yes. sw_policy_place() asks it too. candidates may be empty. */
struct sw_policy_admission {
	bool admit;
	char reason[SW_POLICY_REASON];
};
__attribute__((warn_unused_result)) struct sw_err sw_policy_admit(struct sw_policy *p, const struct sw_policy_input *in,
								  struct sw_policy_admission *out);

struct sw_policy_pool { /* strings may be NULL: unknown */
	const char *cluster, *pool, *provider, *region, *zone, *model, *machine;
	const struct sw_gpu *gpu;
	int gpus_per_node, nodes, nodes_min, nodes_max, in_flight, quota_left /* -1 unknown */;
	double price_hour; /* per node; NAN unknown */
	int64_t price_age_ms;
	bool spot;
	int64_t stockout_until_ms;
};
struct sw_policy_need {
	int nodes;                       /* asked for now, on top of what is on its way */
	int workloads;                   /* that wait for them */
	double committed_hour, max_hour; /* as in the input */
	int64_t now_ms;
};
/* How many of need.nodes may be asked for. Default: all. */
struct sw_policy_grow {
	int nodes;
	char reason[SW_POLICY_REASON];
};
__attribute__((warn_unused_result)) struct sw_err sw_policy_grow(struct sw_policy *p, const struct sw_policy_pool *pool,
								 const struct sw_policy_need *need,
								 struct sw_policy_grow *out);

struct sw_policy_node {
	const char *name;
	int64_t idle_ms;  /* for how long it has been empty */
	int64_t after_ms; /* what the setting says: released when idle for longer */
	int64_t now_ms;
};
/* When is an empty node given back? Default: after node.after_ms. */
struct sw_policy_release {
	bool keep;        /* not at all, for now */
	int64_t after_ms; /* once it was idle for so long */
	char reason[SW_POLICY_REASON];
};
__attribute__((warn_unused_result)) struct sw_err sw_policy_release(struct sw_policy *p,
								    const struct sw_policy_pool *pool,
								    const struct sw_policy_node *node,
								    struct sw_policy_release *out);

/* What comes after an attempt that ended before its job did. Default: the policy is asked for a new plan. */
enum sw_policy_then {
	SW_THEN_PLAN,  /* a new plan */
	SW_THEN_RETRY, /* the same plan, from its first step */
	SW_THEN_NEXT   /* the same plan, the step after the one that won */
};
struct sw_policy_after {
	enum sw_policy_then then;
	size_t n_excluded;
	char excluded[SW_POLICY_EXCLUDES][254]; /* clusters that are left out for so long: */
	int64_t exclude_ms;
	char reason[SW_POLICY_REASON];
};
/* in.candidates may be empty; clusters that may be excluded are theirs and the attempt's. */
__attribute__((warn_unused_result)) struct sw_err sw_policy_evicted(struct sw_policy *p,
								    const struct sw_policy_input *in,
								    const struct sw_policy_attempt *attempt,
								    struct sw_policy_after *out);

/* ---- what the last call took -------------------------------------------------------------------- */

struct sw_policy_use {
	int64_t instructions;
	size_t memory_bytes; /* the most that the state held */
	bool late;           /* the clock ended it, not the instructions: a replay may differ */
	bool personal;       /* it asked who the job is, what time it is, or drew a number: true of this job alone */
};
struct sw_policy_use sw_policy_used(const struct sw_policy *p);

/* ---- equal jobs are decided once (shape.c) -------------------------------------------------------- */

/*
 * Remembers plans by (policy, view, what the policy read of the workload). view: a number that is the same only
 * while every candidate would be the same for an equal workload. Two inputs are equal if all that the policy read
 * when it decided is equal; a decision that is `personal` is equal to none. Bounded; oldest go first. Pure.
 */
struct sw_shapes;
struct sw_shapes *sw_shapes_new(size_t max); /* plans; 0: 64. gives */
void sw_shapes_free(struct sw_shapes *s);
void sw_shapes_clear(struct sw_shapes *s);
/* Lent until the next put or clear; NULL: not decided yet. */
const struct sw_policy_plan *sw_shapes_get(struct sw_shapes *s, const struct sw_policy *p,
					   const struct sw_policy_input *in, uint64_t view);
/* Right after sw_policy_place() of the same input succeeded. */
void sw_shapes_put(struct sw_shapes *s, const struct sw_policy *p, const struct sw_policy_input *in, uint64_t view,
		   const struct sw_policy_plan *plan);

/* ---- tests -------------------------------------------------------------------------------------------- */

/* Runs every function test_* of a test file in the policy's own sandbox, each from a fresh start, in order of names;
 * then the cases that the file returns (policies/cases.c).
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

/* ---- what people are shown of a candidate (candidate.c) -------------------------------------- */

/* Step of the plan, from 1; 0: none. What only some callers know of it is theirs to add. gives. */
json_t *sw_candidate_json(const struct sw_candidate *c, const char *verdict, const char *reason, int step);

/* ---- what a policy is asked, as JSON (input.c) -------------------------------------------- */

/* Members "workload", "ctx" and "candidates", with the names and units that scripts see; what is unknown is left out.
 * Without braces around them. */
struct sw_buf;
void sw_policy_input_write(struct sw_buf *b, const struct sw_policy_input *in);
/* And back, from an object with these members; what is absent is unknown, none, or as in an ordinary job. cat: for
 * models, lent for as long as the question lives; NULL: none is known. INVALID names the field. gives. */
struct sw_policy_question;
__attribute__((warn_unused_result)) struct sw_err sw_policy_input_read(json_t *o, const struct sw_catalog *cat,
								       struct sw_policy_question **out);
void sw_policy_question_free(struct sw_policy_question *q);
/* Lent. Both may be changed before the question is asked. */
struct sw_policy_input *sw_policy_question_input(struct sw_policy_question *q);
struct sw_candidate *sw_policy_question_candidates(struct sw_policy_question *q);

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
