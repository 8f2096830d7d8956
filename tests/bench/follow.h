/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow.h - submits jobs to a gateway and sees what becomes of them, by watching every worker and the gateway as
 * users and operators would
 *
 * Jobs are named j-NUMBER; follow_submit() counts them up from 0.
 */
#ifndef SPILLWAY_TESTS_BENCH_FOLLOW_H
#define SPILLWAY_TESTS_BENCH_FOLLOW_H

#include "jobs.h"

/* When it was first seen, by bench_now(); 0: not yet. Created and started: on a worker. */
struct follow_job {
	double submitted, answered, created, started, ended;
};

struct watch;
struct submitter;
struct follow {
	struct follow_job *job;
	long n, submitted, created, started, ended; /* n: room */
	struct job_spec spec;                       /* of the jobs to submit; its queue is "bench" */
	struct client *gateway, *gateway_watch, **workers;
	struct watch *watches;
	struct submitter *submitters;
	int n_workers, n_submitters, epoll;
};

/* The gateway is that of DIR/data, the workers are DIR/w0.kubeconfig and so on. */
void follow_open(struct follow *f, const char *dir, int workers, int submitters, long jobs);
void follow_close(struct follow *f);
void follow_turn(struct follow *f, int timeout_ms);
/* Submits the next job. False: every connection is busy. */
bool follow_submit(struct follow *f);
/* As many a second, until `total` were submitted in all and were answered and created; dies at the limit. */
void follow_pace(struct follow *f, double a_second, long total, double limit_s);
/* The percentile of jobs from..to of one of the times, in ms since the job was submitted. */
double follow_percentile(const struct follow *f, long from, long to, size_t which, double percent);
#define FOLLOW_MS(f, from, to, member, percent)                                                                        \
	follow_percentile(f, from, to, offsetof(struct follow_job, member), percent)

#endif
