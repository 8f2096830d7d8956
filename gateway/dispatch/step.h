/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step.h - given what we see of one workload, what is the one next thing to do?
 *
 * Pure: no I/O, no clock, no allocation. view.c fills the view, sw_step() names the rule and its action, carry_out.c
 * does it. The same function runs in the daemon, in the unit tests and under the fault injection of the test suite.
 */
#ifndef SPILLWAY_DISPATCH_STEP_H
#define SPILLWAY_DISPATCH_STEP_H

#include <stdbool.h>
#include <stdint.h>
#include "spillway/workers.h"

/* action, may it create pods or end the workload? (for the reader; nothing depends on it) */
#define STEP_MAP(X)                                                                                                    \
	X(FORGET, "forget")         /* drop what we keep in memory                        */                           \
	X(REST, "rest")             /* nothing to do; a change will wake us               */                           \
	X(WAIT, "wait")             /* nothing to do for a moment                         */                           \
	X(HOLD, "hold")             /* nothing we may do; the reason goes to the user     */                           \
	X(FINISH, "finish")         /* logs, pods, last status come home; the job ends    */                           \
	X(FINISH_OLD, "finish-old") /* the same with the copy of an earlier attempt       */                           \
	X(STOP, "stop")             /* suspend a copy that must go                        */                           \
	X(SWEEP, "sweep")           /* delete a copy that runs nothing                    */                           \
	X(TOMBSTONE, "tombstone")   /* remember to delete it when its cluster is back     */                           \
	X(EVICT, "evict")           /* the attempt is over                                */                           \
	X(RELEASE, "release")       /* nothing of it is left: quota back, attempt + 1     */                           \
	X(READ, "read")             /* fetch the user's job                               */                           \
	X(START, "start")           /* one step toward a running copy on the named winner */                           \
	X(COMPANION, "companion")   /* one Secret or ConfigMap that goes with the copy    */                           \
	X(RENEW, "renew")           /* its lease goes on                                  */                           \
	X(SYNC, "sync")             /* status home                                        */                           \
	X(PLACED, "placed")         /* note that every pod was scheduled                  */                           \
	X(ADOPT, "adopt")           /* name the cluster where a copy already is           */                           \
	X(WIN, "win")               /* name the winner: the one durable decision          */                           \
	X(PLAN, "plan")             /* ask the policy                                     */                           \
	X(NEXT, "next")             /* the next step of the plan                          */                           \
	X(OFFER, "offer")           /* an offer to each candidate whose cluster decides   */                           \
	X(WITHDRAW, "withdraw")     /* remove an offer nobody wants                       */                           \
	X(PRIORITIZE, "prioritize") /* an offer is given the job's new priority           */                           \
	X(GROW, "grow")             /* ask for nodes for one candidate of the step        */

enum step {
#define X(id, name) STEP_##id,
	STEP_MAP(X)
#undef X
		STEP__COUNT
};

/* Everything a decision needs. Indices are positions of clusters or of candidates in the step; -1: none. */
struct view {
	/* the manager's row */
	bool known; /* there is one */
	bool finished, deleting, evicted;
	bool may_run;    /* active, quota reserved, not suspended, none of the above */
	bool has_winner; /* it names a cluster */

	/* the cluster it names */
	bool configured;   /* we know that cluster */
	enum sw_seen seen; /* what is there; UNKNOWN says nothing */
	bool current;      /* there is our copy, of this attempt */
	bool ended;        /* and it has finished, well or not */
	bool suspended, going;
	bool begun;                 /* a copy of this attempt was started, and it is not there any more */
	bool named_now;             /* it was named since our own start: then we know what was started */
	bool running_long_unplaced; /* its pods were not all scheduled in time */
	bool companions_due;        /* objects that go with the copy were not sent yet */
	bool start_refused;         /* the cluster refused the job again and again */
	bool placed, placed_noted;
	bool status_new; /* its status changed since we sent it home */
	bool ready;      /* copies may be created there */
	bool lost;       /* out of reach for longer than the grace, declared dead, or not configured */
	bool dead;       /* an operator declared it dead */

	bool lease_over; /* it ended because its lease was not renewed */
	bool renew_due;

	/* where the cluster it names decides by itself when the job starts: by an offer that it has admitted */
	bool by_offer;
	bool taken_back;   /* it has not admitted the offer any more, or given it up */
	bool offer_left;   /* the offer is still there, so a job on its way could take it */
	bool taken_unseen; /* a job has the offer, but we see none: it is about to show, or to go */

	/* one copy that must not be (any cluster) */
	int extra; /* its cluster; -1: none is visible */
	bool extra_ours_to_touch, extra_suspended, extra_going, extra_ended, extra_active,
		extra_well; /* well: it succeeded */

	int extra_offer; /* a cluster with an offer that nobody wants, and that would not go by itself; -1: none */
	int behind;      /* a cluster that knows the offer by an older priority; -1: none */

	/* settings and the world */
	bool duplicate; /* a lost worker's job is started elsewhere: by its queue's wish, or since nothing of it can run
			 */
	bool store_is_old; /* some cluster has seen a newer store than ours */
	bool tombstoned;

	/* placing */
	int adopt; /* no winner is named, but this cluster has a copy of this attempt */
	bool job_known, job_bad;
	bool plan_known, plan_again; /* again: asking the policy makes sense now */
	bool step_over, step_last, step_hopeless;
	bool step_refused; /* hopeless for this job alone: each of its clusters has refused it */
	int ready_candidate, grow_candidate;
	bool to_offer;   /* some candidate's cluster decides by itself, and has no offer yet */
	bool grow_asked; /* what grow_candidate needs is asked for already */
};

/* The rule that applies and what it does. why: the rule's name, static. */
enum step sw_step(const struct view *v, const char **why);
const char *sw_step_name(enum step s);
/* For tests and documents: the rules in order; NULL past the end. */
const char *sw_step_rule(size_t i, enum step *step);

#endif
