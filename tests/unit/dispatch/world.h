/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h - a small world for dispatch: a manager, clusters and pools that forget nothing when dispatch crashes
 *
 * The world is the truth: jobs with their rows, copies on clusters, requests on their way. It implements the manager's
 * vtable and, by link time, every function of workers.h and burst.h that dispatch calls. Requests take effect and are
 * answered at times drawn from a seed; a reply may be lost; a crash drops every callback but not what is on its way.
 * Clusters are seen through a cache that may lag, and not at all while they are cut off.
 *
 * Checked all the time: no two copies of one job have pods (except where duplicates are allowed), no attempt is started
 * twice, no copy is asked for except on the cluster that the row names in the attempt that it names, no job ends twice.
 */
#ifndef TESTS_DISPATCH_WORLD_H
#define TESTS_DISPATCH_WORLD_H

#include "spillway/dispatch.h"

enum { W_JOBS = 6, W_CLUSTERS = 3, W_COPIES = 24, W_GPUS_PER_NODE = 4 };

struct w_copy {
	bool exists;
	int job; /* whose name it has; -1: a stranger's */
	char owner_uid[24], uid[24], pool[32];
	unsigned attempt;
	uint64_t rv;
	bool suspended, deleting, foreign;
	enum sw_outcome outcome;
	int active, scheduled, pods;
	uint64_t next_ms;            /* when its controller acts next */
	uint64_t run_ms;             /* how long its pods work */
	bool began;                  /* its pods were scheduled */
	int64_t lease_s, deadline_s; /* 0: none */
	uint64_t started_ms;         /* when its controller began it */
	bool expired;                /* it was ended by its deadline */
};

struct w_mirror { /* an offer on a cluster with a queue of its own */
	bool exists, admitted, evicted, deleting, over;
	char owner_uid[24], uid[24], pool[32];
	char taken[24]; /* uid of the copy that has it */
	unsigned attempt;
	char class[16];
	int priority;
	uint64_t next_ms;
};

struct w_cluster {
	char name[16], pool[16];
	bool kueue; /* its own queue starts and stops copies */
	bool deaf;  /* and refuses new priorities */
	int told;   /* how often it was given one */
	struct w_mirror mirror[W_JOBS], seen_mirror[W_JOBS];
	bool growable, reachable, blind /* its scheduler places nothing */;
	bool taken_name;                           /* a stranger's object has the name of job 0 */
	bool lacks_secrets;                        /* that pods name */
	enum sw_code refuses_jobs, refuses_offers; /* how it answers their creation; SW_E_OK: not so */
	int nodes, target, max;
	uint64_t grown_ms, stockout_ms;
	uint64_t lost_ms, claim_epoch;
	struct w_copy copy[W_COPIES], seen[W_COPIES]; /* truth; what the cache shows */
	bool synced;
	bool unknown; /* to dispatch: it is not configured (now) */
	uint64_t generation;
	int64_t reserved[W_JOBS]; /* GPUs promised, per job */
};

struct w_job {
	bool exists;
	char key[24], ns[8], name[16], uid[24], wl_uid[24], cluster[16];
	char *message;
	uint64_t rv;
	unsigned attempt, made;
	enum sw_check check;
	bool active, reserved, evicted, finished, deleting, user_suspended, recreate;
	int gpus, pods, ended; /* ended: how often it was finished */
	bool needs_secret;     /* to pull its image */
	bool fails, poison;    /* its pods fail; workers refuse it */
	const char *extra;     /* annotation JSON */
	const char *class;     /* of its priority; NULL: none */
	int priority;
	uint64_t reserve_ms;
	enum sw_outcome outcome;
	char ran_owner[24], ran_uid[24]; /* the copy that was last started, and for which attempt */
	unsigned ran_attempt;
	struct sw_workload row; /* what get() lends */
};

struct world {
	uint64_t seed, now;
	struct sw_loop *loop;
	struct sw_catalog *catalog;
	struct sw_policy *policy, *fallback; /* fallback NULL: jobs are held */
	struct sw_config config;
	struct sw_cluster_cfg cfg[W_CLUSTERS];
	struct w_cluster cluster[W_CLUSTERS];
	struct w_job job[W_JOBS];
	struct sw_dispatch *d; /* NULL while it is dead */
	unsigned life;         /* grows with each crash: callbacks of an earlier life are dropped */
	struct w_req *reqs;
	struct {
		struct sw_manager base;
		struct sw_manager_events ev;
	} manager;
	json_t *notes;
	unsigned lose_percent, delay_max; /* faults */
	uint64_t uids;
	char events[4096]; /* the latest, for messages of failing tests */
	int n_events_warning, started, crashes, refused, moved, offered, preempted, renewed, expired;
};

struct world *world_new(uint64_t seed);
void world_free(struct world *w);
void world_policy(struct world *w, const char *src);
void world_fallback(struct world *w); /* the shipped policy decides while the other fails */
struct w_job *world_job(struct world *w, int i, int gpus, int pods);
void world_row_changed(struct world *w, struct w_job *j); /* dispatch is told */
void world_boot(struct world *w);                         /* dispatch starts */
void world_crash(struct world *w);                        /* and dies */
void world_run(struct world *w, uint64_t ms);             /* in small steps, with checks */
bool world_until(struct world *w, bool (*ok)(struct world *w), uint64_t ms);
uint64_t world_random(struct world *w, uint64_t n);               /* 0..n-1 */
struct w_copy *world_copy(struct world *w, int cluster, int job); /* truth; NULL */
void world_preempt(struct world *w, int cluster, int job);        /* its queue takes the quota back */
int world_running(struct world *w, int job);                      /* copies of the present job that have pods */
void world_check(struct world *w);

#endif
