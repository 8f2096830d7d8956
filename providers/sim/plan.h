/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - the simulated controllers as pure functions: objects in, a plan out
 *
 * A controller reads one job and its pods as they are committed, and says what to write. It keeps
 * nothing but a small memory that its caller stores when the plan was carried out. No I/O, no clock: the
 * same functions run in the simulator and in table-driven tests.
 *
 * Durations of a simulated cluster (run times, deadlines, back-off, time to live) pass `scale` times as fast as the
 * wall clock; timestamps are wall-clock time.
 *
 * Ownership  a plan owns its JSON; sim_plan_fini() lets go. Objects passed in are lent and never changed.
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include "spillway/json.h"

#define SIM_TRACKING "batch.kubernetes.io/job-tracking" /* finalizer of a pod that its job has not counted yet */
#define SIM_KUBELET  "sim.spillway.dev/kubelet"         /* finalizer of a pod whose containers may still run */
#define SIM_INDEX    "batch.kubernetes.io/job-completion-index"

struct sim_clock {
	int64_t wall_ms;
	double scale;
};
/* Real milliseconds that `ms` of simulated time take: at least 1 unless ms is 0. */
int64_t sim_clock_real(const struct sim_clock *c, int64_t ms);

struct sim_plan {
	json_t *status;   /* the object's new status, or NULL: it stays */
	json_t *create;   /* array of pods */
	json_t *drop;     /* array of pods (as passed in) to delete */
	json_t *unpin;    /* array of pods that lose SIM_TRACKING, before they are dropped */
	json_t *events;   /* array of {warning, reason, message} on the job */
	int64_t again_ms; /* look again after so much real time; 0: when something changes */
	bool expire;      /* the job's time to live is over: delete it */
};
void sim_plan_init(struct sim_plan *p);
void sim_plan_fini(struct sim_plan *p);
bool sim_plan_empty(const struct sim_plan *p);       /* nothing to write */
void sim_plan_again(struct sim_plan *p, int64_t ms); /* keeps the earliest */
__attribute__((format(printf, 4, 5))) void sim_plan_event(struct sim_plan *p, bool warning, const char *reason,
							  const char *fmt, ...);

/* A whole number, all of text; otherwise if it is none, or not within 32 bits. text may be NULL. */
int64_t sim_number(const char *text, int64_t otherwise);

/* ---- pods ------------------------------------------------------------------- */

enum sim_phase { SIM_PENDING, SIM_RUNNING, SIM_SUCCEEDED, SIM_FAILED };
enum sim_phase sim_pod_phase(json_t *pod);
bool sim_pod_deleting(json_t *o); /* any object */
bool sim_has_finalizer(json_t *o, const char *name);
bool sim_pod_active(json_t *pod);      /* not ended, not being deleted */
bool sim_pod_terminating(json_t *pod); /* being deleted, not ended */
int32_t sim_pod_restarts(json_t *pod);
/* gives a new pod from a template, owned by `owner` and named "PREFIXxxxxx" (name NULL) or `name`. */
json_t *sim_pod_from_template(json_t *owner, json_t *template, const char *prefix, const char *name);

/* ---- batch/v1 Job --------------------------------------------------------------- */

/* What the real controller keeps outside the status: exact times, and the back-off record. Zeroed for a new job. */
struct sim_job_memory {
	int64_t started_ms, finished_ms; /* wall; 0: not yet */
	int32_t failures;                /* since the last success */
	int64_t last_failure_ms;
};
enum { SIM_COMPLETIONS_MAX = 1000000 };
void sim_job_plan(json_t *job, json_t *const *pods, size_t n, const struct sim_clock *clock, struct sim_job_memory *mem,
		  struct sim_plan *out);

/* podFailurePolicy: does the failure of this pod count, and does it end the job or its index? */
struct sim_verdict {
	bool counts, fails_index, fails_job;
	char message[300];
};
struct sim_verdict sim_failure_policy(json_t *policy, json_t *pod);
/* successPolicy: the first rule met, or -1. done: one byte per index. */
int sim_success_policy(json_t *policy, const unsigned char *done, int32_t completions);

/* "1,3-5" <-> one byte per index; what is not understood or out of range is left out. Returns how many are set. */
int32_t sim_indexes_read(const char *text, unsigned char *set, int32_t n);
void sim_indexes_text(struct sw_buf *b, const unsigned char *set, int32_t n);

/* ---- kubeflow.org/v1, six kinds ----------------------------------------------------- */

struct sim_training_memory {
	int64_t started_ms, finished_ms;
	int32_t restarts;
};
void sim_training_plan(json_t *job, json_t *const *pods, size_t n, const struct sim_clock *clock,
		       struct sim_training_memory *mem, struct sim_plan *out);

#endif
