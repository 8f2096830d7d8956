/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobctl_priv.h - between the halves of the Job controller (jobctl.c, jobpods.c)
 */
#ifndef SIM_JOBCTL_PRIV_H
#define SIM_JOBCTL_PRIV_H

#include "plan.h"

#define FAILURE_TARGET "FailureTarget"
#define SUCCESS_MET    "SuccessCriteriaMet"

struct job_pod {
	json_t *o;
	const char *uid;
	enum sim_phase phase;
	bool deleting, pinned, ready, active;
	bool failed;                    /* as isPodFailed says */
	bool valid;                     /* not indexed, or an index in range */
	bool was_succeeded, was_failed; /* in the committed uncountedTerminatedPods */
	bool released;                  /* this plan unpins it, uncounted */
	int32_t index;                  /* -1: none */
	struct sim_verdict verdict;
};

struct job_ctx {
	json_t *job, *status /* being made */, *failure_policy;
	struct job_pod *pods;
	size_t n;
	const struct sim_clock *clock;
	struct sim_job_memory *mem;
	struct sim_plan *plan;
	bool indexed, per_index, suspended, deleting, replace_failed;
	int32_t parallelism, completions /* -1: unset */;
	int64_t backoff_limit, per_index_limit;
	int32_t active, ready, terminating, succeeded;
	int64_t failed;
	unsigned char *was_done, *done, *lost; /* a byte per index; NULL if not indexed */
	int32_t n_lost;
	const char *finish, *reason; /* interim condition, or NULL */
	bool decided;                /* in an earlier round: what is being deleted since fails no index */
	char message[300];
};

int64_t job_index_failures(json_t *pod);
/* The failed pod of an index that waits for its replacement, or NULL. */
const struct job_pod *job_delayed_pod(const struct job_ctx *c, int32_t index);
void job_drop_active(struct job_ctx *c);
void job_manage(struct job_ctx *c);

#endif
