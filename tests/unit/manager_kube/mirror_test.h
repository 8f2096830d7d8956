/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirror_test.h - the mirror role against spillway's own API server, with the test in Kueue's place
 *
 * The server keeps the rules that matter (resourceVersion, JSON patches, status subresources, validation); the test
 * writes what Kueue would write. sw_fault_point() is the test's: it counts the manager's requests and loses replies.
 */
#ifndef SPILLWAY_MIRROR_TEST_H
#define SPILLWAY_MIRROR_TEST_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../support/json_of.h"
#include "spillway/api.h"
#include "spillway/kubeconfig.h"
#include "spillway/log.h"
#include "spillway/mirror.h"
#include "spillway/text.h"

#define WL     "workloads.kueue.x-k8s.io"
#define CHECKS "admissionchecks.kueue.x-k8s.io"
#define JOBS   "jobs.batch"

struct world {
	char dir[64], *kubeconfig;
	struct sw_loop *loop;
	struct sw_api *api;
	struct sw_http *http;
	struct sw_manager *m;
	struct sw_metrics *metrics;
	bool synced, lost;
	unsigned changes, syncs, set_back; /* syncs: how often it came in sight */
	const char *identity, *ns;
	uint64_t lease_ms;
	int port;
};

struct answer {
	bool done;
	struct sw_err e;
	json_t *job, *workload; /* read: copies */
};

/* Writes of the manager since log_clear(), "METHOD path\n" each; Leases left out. */
extern char fault_log[8000];
/* The next request whose "METHOD path" holds this loses its reply, after the server has done it. */
extern const char *fault_lose;
/* Called once, when the next PATCH of a Workload is sent. */
extern void (*fault_meanwhile)(void);
extern uint64_t clock_ahead_ms; /* of the clock that leases go by */
void log_clear(void);
unsigned logged(const char *text); /* how many lines hold it */

/* Turns of the loop until cond holds; fails after ten seconds. */
#define UNTIL(w, cond)                                                                                                 \
	do {                                                                                                           \
		int turns_ = 0;                                                                                        \
		while (!(cond) && turns_++ < 2000)                                                                     \
			(void)sw_loop_until((w)->loop, &(bool){false}, 5);                                             \
		cr_assert(cond, "waited for %s", #cond);                                                               \
	} while (0)

void world_open(struct world *w); /* server, check "spillway", a manager that leads and is synced */
void world_close(struct world *w);
void manager_open(struct world *w);
void manager_close(struct world *w);
void server_close(struct world *w); /* and the manager has seen it */
void server_open(struct world *w);  /* again, where it was */
void settle(struct world *w, unsigned ms);

/* ---- the server's truth ---- */
void create(struct world *w, const char *resource, const char *single_quoted);
json_t *get(struct world *w, const char *resource, const char *name); /* gives; namespace default */
void put_status(struct world *w, const char *resource, json_t *o_taken);
void erase(struct world *w, const char *resource, const char *name);

/* ---- Kueue ---- */
void kueue_job(struct world *w, const char *name);     /* a Job with managedBy, its Workload, no quota */
void kueue_reserve(struct world *w, const char *name); /* quota, our check Pending */
void kueue_evict(struct world *w, const char *name, const char *reason);
void kueue_unreserve(struct world *w, const char *name);
void kueue_suspend(struct world *w, const char *name, bool on);
void kueue_stop(struct world *w, const char *name); /* the first of its writes, which waits for ours */

/* ---- dispatch ---- */
const struct sw_workload *row(struct world *w, const char *job); /* NULL: none */
void on_done(void *owner, struct sw_err e);
struct sw_err change(struct world *w, const char *job, struct sw_change c);
struct sw_err nominate(struct world *w, const char *job, const char *cluster);
struct sw_err win(struct world *w, const char *job, const char *cluster);
void placed(struct world *w, const char *job, const char *cluster); /* kueue_job(), kueue_reserve(), and it won there */
struct sw_err wait_for(struct world *w, struct sw_err e, struct answer *a);
struct sw_err read_job(struct world *w, const char *job, struct answer *a);
struct sw_err sync_status(struct world *w, const char *job, const char *status);
struct sw_err finish(struct world *w, const char *job, const char *status, enum sw_outcome outcome);

#endif
