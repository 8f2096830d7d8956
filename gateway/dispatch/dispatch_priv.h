/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch_priv.h - what the files of this room share
 *
 *   dispatch.c    events in, keys into the queue, one reconcile at a time; opens and closes everything
 *   view.c        reads the world into a struct view            step.c       the rules (pure)
 *   carry_out.c   does the one thing that the rule names        plan.c       the plan in the check's message (pure)
 *   decide.c      asks the policy, words for the user           candidates.c where it could run, and why not
 *   finish.c      logs and the last status come home            pods.c       live mirror of pods
 *   facts.c       more of what the policy may ask of a pool     history.c    attempts that ended, and what comes next
 *   advise.c      what the policy says of nodes, for burst
 *   identity.c    origin and epoch, restored stores             explain.c    what the command line shows
 *   lease.c       deadlines on copies, renewed while their cluster answers
 *   operator.c    drained, declared dead, removed: what operators say about a cluster
 *   line.c        jobs that wait for the same room: only the first of them looks
 *   outs.c        clusters that refused a job, and until when
 *   clusters.c    clusters that come and go while it runs
 *   question.c    what the policy is asked                      mend.c       what would have to change
 *   preview.c     the answer for a job that is not there (yet)
 *   spend.c       budgets of queues, and what was spent of them
 *   decision.c    a decision as a line of JSON, and back        record.c     the log of them
 *
 * A work is what we keep in memory for one workload that is being placed, runs or ends; those that wait for quota
 * have none. All of it can be lost at any moment: the durable part is in the manager's row.
 */
#ifndef SPILLWAY_DISPATCH_PRIV_H
#define SPILLWAY_DISPATCH_PRIV_H

#include <uthash.h>

#include "plan.h"
#include "spillway/dispatch.h"
#include "spillway/heap.h"
#include "spillway/keyq.h"
#include "step.h"

enum { JOB_FRESH_MS = 5000, START_TRIES = 3, SETTLE_MS = 5000 };
/* A cluster that refused a job is not asked for so long; an offer costs it less than a job does. */
enum { OUT_MS = 10 * 60 * 1000, OUT_OFFER_MS = 10 * 1000 };
enum { NOMINATED_MAX = 20 /* clusters; Kueue v1beta2, status.nominatedClusterNames */ };

/* Where a gang's room is promised or asked for. */
struct spot {
	struct sw_worker *w;
	char *pool;
};

struct out {
	const struct sw_worker *w;
	uint64_t until_ms;     /* loop time */
	int64_t until_wall_ms; /* the same for people */
	unsigned times;        /* how often it refused */
	bool refused;          /* it did, the last time */
	uint64_t deaf_to;      /* the priority that it would not give the offer; 0: none */
	char why[320];
};

struct offer_call {
	struct work *wk;
	struct sw_worker *w;
};

struct pod {               /* of the present copy, as last reported */
	UT_hash_handle hh; /* by name */
	struct sw_worker *w;
	json_t *object;                /* to be mirrored; NULL: mirrored already */
	bool gone;                     /* gone from the worker, and that is to be mirrored */
	unsigned n_containers, n_kept; /* logs: how many are dealt with */
	unsigned tries;
	char **containers;
	char name[];
};

struct work {
	UT_hash_handle hh; /* by key */
	struct sw_dispatch *d;
	char *key;
	bool busy;          /* an asynchronous step is under way; sw_reconciler_done or _fail is owed */
	char *pod_sent;     /* the pod whose mirror is under way */
	json_t *pod_object; /* as sent; NULL: that it is gone */
	bool pods_busy;     /* the same for the pod mirror */

	json_t *job, *workload;                 /* as read together, never changed; NULL: not read */
	struct sw_demand *demand;               /* lends from job */
	char *job_why;                          /* why the job could not be understood; NULL: it was */
	uint64_t job_rv, job_mark, job_read_ms; /* what the row said when it was read, and when that was */

	struct spot reserved; /* the one reservation; w NULL: none */
	struct spot grows;    /* demand given to burst; w NULL: none */
	int grows_nodes;

	struct offer_call *calls; /* offers on their way */
	int n_calls;              /* of them without an answer */
	struct sw_err *call_err;  /* the first that failed otherwise than by a refusal; NULL: none */

	struct work *seek_prev, *seek_next; /* of those that look for a place and stand in no line */
	bool seeks;
	struct line *line; /* of those that wait for the same room; NULL: none */
	struct sw_heap_node stands;

	uint64_t plan_at_ms; /* loop time: the policy is not asked before */
	uint64_t plan_world; /* what the world was when it last said "not now" */
	bool plan_vain;      /* it said so, or nobody can run it */
	bool plan_stale;     /* made without a cluster that joined since */
	char waits_for[160]; /* "cluster/pool" it counts toward queue depth of; "" none */

	uint64_t status_hash; /* last sent home */
	bool status_sent;
	uint64_t unplaced_since_ms;             /* loop time: runs, but not all pods are scheduled; 0: not so */
	unsigned named_attempt;                 /* we named the winner of this attempt, not an earlier life of ours */
	unsigned begun_attempt;                 /* a copy of this attempt was started: ... */
	uint64_t begun_uid;                     /* ... the one whose UID has this hash */
	uint64_t lease_began_ms, lease_next_ms; /* loop time: its start, if we saw it; when to renew next, 0: at once */
	bool doubt;                             /* a start may have taken effect though we heard of an error */
	bool tombstoned;
	bool history_noted; /* of this attempt */
	unsigned start_failures;
	uint64_t telling; /* the priority that wk->w is being told */
	struct out *outs; /* clusters that it is not sent to for a while */
	size_t n_outs;
	uint64_t said, told_ms; /* hash of the last event, said once; loop time of the last message */
	uint64_t begun_ms;      /* loop time when we first saw it admitted: for the metric */

	struct sw_companions *companions; /* of the job, while they are sent; else NULL: ... */
	size_t companions_sent;           /* ... how many were */
	unsigned companions_attempt;      /* the attempt whose companions were all sent */

	struct pod *pods;
	struct pod *log_pod; /* whose log is under way */
	char *log_bytes;
	uint64_t finish_by_ms; /* loop time: logs are not waited for beyond it; 0: not finishing */

	struct account *account;     /* its queue's; NULL: none, or not placed */
	double cost_hour, cost_next; /* USD; where it is; where it is about to be */
	int64_t charged_ms;          /* Unix: until when */
	bool cost_known;

	/* of the step under way */
	const struct sw_kind *kind;
	enum step step;
	const char *why;
	struct sw_worker *w;
	char *text; /* event text when it succeeded */
};

struct account; /* spend.c */
struct spend;

struct depth {
	UT_hash_handle hh;
	int n;
	char place[];
};

struct identity {
	char *origin;
	uint64_t epoch, raising; /* as the store says; what is being written */
	uint64_t told;           /* what was last said about a restored store */
	bool stored;             /* durable: workers may be claimed with it */
	struct sw_timer *raise;
};

struct asked {
	char *key;
	json_t *job;
	struct sw_demand *demand;
	bool busy;
	uint64_t read_ms;
}; /* for explain */

struct history; /* history.c */

struct sw_dispatch {
	struct sw_dispatch_options opt;
	struct sw_manager *m;
	struct sw_workers *workers; /* NULL until the identity is durable */
	struct sw_burst *burst;
	struct sw_reconciler *queue, *pods_queue;
	struct sw_timer *resync, *kick;
	size_t kicked; /* that waited at the last kick */
	struct work *works;
	struct work *seekers;
	struct line *lines;
	struct depth *depths;
	struct history *histories;
	struct sw_shapes *shapes; /* equal jobs are decided once */
	uint64_t advice_said;     /* hash of the last failure of grow() or release() */
	struct identity id;
	struct spend *spend;
	struct asked asked;
	struct word *words; /* of operators */
	struct word_call *word_calls;
	bool kicking;                 /* kick is set */
	bool synced;                  /* the manager reported everything */
	unsigned char *cluster_state; /* of each, as last looked at: ready, lost, claim */
	size_t n_states;
	uint64_t opened_ms; /* loop time: workers were opened */
	uint64_t world;     /* grows with every change of any cluster */
	struct sw_metric *m_steps, *m_placed, *m_start, *m_policy, *m_errors, *m_works;
};

/* ---- dispatch.c -------------------------------------------------------------- */
struct work *work_get(struct sw_dispatch *d, const char *key); /* makes it */
struct work *work_find(struct sw_dispatch *d, const char *key);
void work_free(struct work *wk);
void work_drop_job(struct work *wk);
void dispatch_look_at_all(struct sw_dispatch *d);        /* every workload that holds something, and those that wait */
void dispatch_kick(struct sw_dispatch *d);               /* the world changed: those that wait look again */
void depth_set(struct work *wk, const char *place);      /* "" leaves the count */
void depth_at(struct work *wk, const struct plan *plan); /* at the first place of its present step, which has one */
int depth_of(const struct sw_dispatch *d, const char *cluster, const char *pool);
bool queue_is(const struct sw_workload *row, const char *queue); /* a ClusterQueue, or NAMESPACE/LOCALQUEUE */
struct sw_policy *policy_for(const struct sw_dispatch *d, const struct sw_workload *row); /* by its queue */
const struct sw_workload *row_of(const struct sw_dispatch *d, const char *key);

/* ---- view.c ---------------------------------------------------------------------- */
struct scene { /* a view with what its indices mean */
	struct view v;
	struct plan plan;
	const struct sw_workload *row; /* lent until the loop turns */
	struct sw_worker *winner, *extra, *adopt;
	struct sw_worker *extra_offer, *behind;
	struct sw_offered offered, extra_offered, behind_offered; /* of winner, extra_offer, behind; lent */
	uint32_t offers;                                          /* places of the step to offer it to, as bits */
	struct sw_copy copy, extra_copy;                          /* of winner and extra; lent likewise */
	uint64_t again_ms;                                        /* loop ms from now to look again; 0: no hurry */
	int grow_nodes;
	const char *pool;  /* of the winner */
	const char *stuck; /* why the step has no candidate now, or NULL */
};
void scene_read(struct sw_dispatch *d, struct work *wk, const char *key, struct scene *s);
void work_begins(struct work *wk, const struct scene *s); /* the winner's copy runs, or is about to */

/* ---- carry_out.c -------------------------------------------------------------------- */
/* Does it, and sees to it that the queue hears done or fail exactly once. */
void carry_out(struct sw_dispatch *d, struct work *wk, struct scene *s, enum step step, const char *why);
void calls_free(struct work *wk);    /* offers on their way; their answers are not waited for */
void work_withdraw(struct work *wk); /* reservation and growth */
void work_step_done(struct work *wk, struct sw_err err, uint64_t again_ms);
void work_step_next(struct work *wk); /* well, and it goes on before any other */
void work_say(struct work *wk, bool warning, const char *reason, const char *text); /* an event, once */
/* message only, if the sentence differs from what stands there; otherwise done at once */
void work_message(struct work *wk, const struct scene *s, const char *sentence);
struct sw_offer offer_of(const struct work *wk, const struct sw_workload *row, const char *pool);

/* ---- decide.c -------------------------------------------------------------------------- */
void decide_plan(struct sw_dispatch *d, struct work *wk, struct scene *s); /* STEP_PLAN */
void decide_next(struct sw_dispatch *d, struct work *wk, struct scene *s); /* STEP_NEXT */
/* The plan that a policy returned over candidates c, by name. */
void plan_take(struct plan *plan, const struct sw_policy_plan *got, const struct sw_candidate *c);
void decide_win(struct sw_dispatch *d, struct work *wk, struct scene *s, struct sw_worker *w, const char *pool,
		const char *sentence);

/* ---- candidates.c ------------------------------------------------------------------------ */
enum verdict { VERDICT_FITS, VERDICT_LATER, VERDICT_OUT /* not now, and no plan can change that */, VERDICT_NEVER };
/* Why not now: what somebody would have to change. */
enum obstacle {
	OB_NONE,
	OB_BUSY,      /* free room */
	OB_NODES,     /* nodes that would be bought */
	OB_STOCK,     /* nodes that the cloud has not got */
	OB_MAX_PRICE, /* the job's limit */
	OB_SPOT,      /* the job wants no spot */
	OB_FIRM,      /* the job wants spot only */
	OB_MODEL,     /* the job does not accept this GPU */
	OB_LIMIT,     /* of the gateway, the pool or the cloud: an operator's */
	OB_PRICE,     /* unknown price */
	OB_CLUSTER,   /* the cluster is away or refuses */
	OB_SIZE,      /* too large for it, or not that kind of node at all */
};
struct option {
	struct sw_candidate c;
	struct sw_worker *w;
	const char *unit; /* of free and total */
	enum verdict verdict;
	enum obstacle obstacle;
	bool lacks;   /* something that the job's pods name */
	bool refused; /* the cluster refused the job */
	char why[480];
};
struct options {
	struct option *at;
	size_t n;
	bool any_possible;
	bool any_unknown;
	bool any_lacks;
	bool all_refused; /* by every cluster where it could run */
};
/* Every pool of every cluster for this demand. gives: options_free(). */
void options_read(struct sw_dispatch *d, struct work *wk, const struct sw_workload *row, struct options *out);
void options_free(struct options *o);
/* "a: why; b: why", bounded. */
void options_words(const struct options *o, char *buf, size_t size);
const char *verdict_name(enum verdict v);
/* What would have to change for the job to start, the least effort first: an array of clauses. gives. (mend.c) */
json_t *options_mend(const struct options *o, const struct sw_demand *demand);

/* ---- question.c ---------------------------------------------------------------------------- */
/* What the policy is asked: the options that it may choose from, and the job as it sees it. */
struct question {
	struct sw_policy_input in;
	struct sw_candidate *c;
	uint16_t *from; /* candidate -> index in options */
	struct sw_policy_label labels[SW_POLICY_LABELS];
	struct sw_policy_attempt attempts[SW_POLICY_ATTEMPTS];
};
/* Lends from wk, row and o. */
void question_make(struct sw_dispatch *d, const struct work *wk, const struct sw_workload *row, const struct options *o,
		   struct question *q);
void question_free(struct question *q);

/* ---- facts.c ------------------------------------------------------------------------------ */
void option_facts(struct sw_dispatch *d, struct option *o, const struct sw_pool *p);

/* ---- line.c --------------------------------------------------------------------------------- */
void work_seeks(struct work *wk, bool on);
void line_join(struct work *wk, const struct scene *s); /* it waits in its step: into the line of its like, if it may */
void line_leave(struct work *wk);                       /* whoever is next looks at once */
/* The first of each line. rows: room for lines_count(). Returns how many. */
size_t lines_first(struct sw_dispatch *d, const struct sw_workload **rows);
size_t lines_count(const struct sw_dispatch *d);

/* ---- outs.c --------------------------------------------------------------------------------- */
void out_mark(struct work *wk, const struct sw_worker *w, uint64_t ms, const char *why);      /* for so long at least */
void out_refused(struct work *wk, const struct sw_worker *w, uint64_t ms, struct sw_err err); /* longer each time */
const struct out *out_now(const struct work *wk, const struct sw_worker *w); /* NULL: it may go there */
bool out_any(const struct work *wk);
void out_deaf(struct work *wk, const struct sw_worker *w, uint64_t priority);
bool out_is_deaf(const struct work *wk, const struct sw_worker *w, uint64_t priority);
void out_forget(struct work *wk, const struct sw_worker *w); /* the cluster itself is being forgotten */
void outs_free(struct work *wk);

/* ---- history.c ------------------------------------------------------------------------------ */
void history_evicted(struct work *wk, const struct scene *s, const char *reason, const char *text);
size_t history_attempts(struct sw_dispatch *d, const char *key, struct sw_policy_attempt out[SW_POLICY_ATTEMPTS]);
/* The plan to go on with after an eviction, if the policy wants that; asked once. */
bool history_plan(struct sw_dispatch *d, struct work *wk, const struct sw_workload *row, struct plan *out);
enum sw_policy_then history_ask(struct sw_dispatch *d, struct work *wk, const struct sw_workload *row,
				const struct sw_policy_attempt *attempt, enum sw_policy_then otherwise);
void history_forget(struct sw_dispatch *d, const char *key);
void history_free(struct sw_dispatch *d);

/* ---- advise.c -------------------------------------------------------------------------------- */
int advise_grow(void *owner, const struct sw_burst_ask *ask, char why[SW_BURST_WHY]);
int64_t advise_release(void *owner, const struct sw_burst_ask *ask, const char *node, int64_t idle_ms,
		       int64_t after_ms);

/* ---- companions.c -------------------------------------------------------------------------- */
bool companions_due(const struct work *wk, const struct scene *s);
struct sw_err companions_send(struct work *wk, const struct scene *s); /* one of them; wk->job is read */
const char *companions_refused(const struct sw_dispatch *d, const struct work *wk, const struct sw_workload *row,
			       char *why, size_t size);
void companions_leave_out(json_t *job, struct sw_needs *needs);

/* ---- finish.c ------------------------------------------------------------------------------ */
void finish_go(struct sw_dispatch *d, struct work *wk, struct scene *s, struct sw_worker *w,
	       const struct sw_copy *copy);

/* ---- pods.c --------------------------------------------------------------------------------- */
void pods_on_pod(struct sw_dispatch *d, const char *key, struct sw_worker *w, const char *name, json_t *pod);
void pods_reconcile(void *owner, const char *key);
void pods_free(struct work *wk);
void pods_forget(struct work *wk, const struct sw_worker *w); /* those on this cluster; none is being sent */
bool pods_dirty(const struct work *wk);

/* ---- spend.c ---------------------------------------------------------------------------------- */
struct sw_err spend_open(struct sw_dispatch *d);
void spend_close(struct sw_dispatch *d);
double spend_price(const struct work *wk, struct sw_worker *w, const char *pool); /* USD per hour */
void spend_begin(struct work *wk, const struct sw_workload *row, double cost_hour);
void spend_end(struct work *wk); /* it left the cluster, or goes from memory */
struct sw_policy_budget spend_budget(struct sw_dispatch *d, const struct sw_workload *row);
double nodes_taken(const struct sw_pool *p, const struct sw_demand *d); /* candidates.c */

/* ---- explain.c -------------------------------------------------------------------------------- */
void asked_free(struct sw_dispatch *d);
json_t *steps_json(const struct plan *p, bool placed);
/* here: the job is placed on it. plan: may be empty. */
json_t *option_json(const struct option *o, const struct plan *plan, bool here);
void demand_words(const struct sw_demand *d, char *out, size_t size);
void add_policy(json_t *o, const struct sw_policy *p); /* its name and hash */
/* translated.c: what its pods ask for where they run, as "translated" and "translatedFor"; wk NULL: not known yet */
void translated_add(struct sw_dispatch *d, const struct work *wk, const struct scene *s, json_t *o);

/* ---- lease.c ------------------------------------------------------------------------------------ */
enum sw_lost lost_mode(const struct sw_dispatch *d, const struct sw_workload *row);
/* The lease that a copy there is to have; 0: none. Says so if one was wished and cannot be. */
int64_t lease_for(struct sw_dispatch *d, struct work *wk, const struct scene *s, const struct sw_worker *w);
void lease_see(struct sw_dispatch *d, const struct work *wk, struct scene *s); /* fills the view */
void lease_started(struct work *wk, const struct scene *s);
struct sw_err lease_renew(struct work *wk, const struct scene *s);

/* ---- priority.c ------------------------------------------------------------------------------------ */
void priority_see(struct sw_dispatch *d, const struct work *wk, struct scene *s); /* fills the view */
struct sw_err priority_tell(struct work *wk, const struct scene *s);
/* ---- clusters.c ---------------------------------------------------------------------------------- */
void clusters_joined(struct sw_dispatch *d);

/* ---- operator.c --------------------------------------------------------------------------------- */
void words_read(struct sw_dispatch *d); /* before workers are opened */
void words_free(struct sw_dispatch *d);
void word_leaving(struct sw_dispatch *d, const char *cluster, bool leaving); /* drained meanwhile; in memory only */
void word_joining(struct sw_dispatch *d, const char *cluster);
bool word_joined(struct sw_dispatch *d, const char *cluster); /* once: it was joining, and is ready now */
void word_over(struct sw_dispatch *d, const char *cluster);   /* it has left: that it was removed is forgotten */
struct sw_err word_may_remove(struct sw_dispatch *d, struct sw_worker *w, enum sw_cluster_state now);

/* ---- identity.c -------------------------------------------------------------------------------- */
struct sw_err identity_open(struct sw_dispatch *d); /* reads or makes it; identity_ready() follows */
void identity_close(struct sw_dispatch *d);
void identity_ready(struct sw_dispatch *d); /* in dispatch.c: opens workers and burst */
bool identity_store_is_old(const struct sw_dispatch *d);
void identity_look(struct sw_dispatch *d); /* a cluster changed */

#endif
