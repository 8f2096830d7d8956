/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.h - the job that the benchmarks submit, and many of them at once */
#ifndef SPILLWAY_TESTS_BENCH_JOBS_H
#define SPILLWAY_TESTS_BENCH_JOBS_H

#include "bench.h"

enum { CREATE_CONNS_MAX = 128 };

struct job_spec {
	const char *ns, *name, *queue;
	const char *run; /* on a simulated cluster; NULL: 30s */
	const char *cpu; /* NULL: 1 */
};
/* About 2 KB of JSON; returns its length. out: at least 2,049 bytes. */
size_t job_text(char *out, size_t size, const struct job_spec *spec);

struct create_plan {
	struct job_spec job; /* but for its name */
	const char *prefix;
	int conns;  /* at most CREATE_CONNS_MAX */
	long count; /* stops at whichever comes first */
	double seconds;
	void (*turn)(void *owner); /* instead of the client's own turn; or NULL */
	void *owner;
};
struct created {
	long count;
	double seconds, p50_ms, p99_ms;
};

/* Every connection has one request under way; all are answered when it returns. The client must have no other
 * connections that were opened later. */
struct created jobs_create(struct client *cl, const struct create_plan *plan);

#endif
