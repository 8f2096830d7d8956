/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedded.h - the embedded manager: spillway's own API server with a queue behind it
 *
 * Owns a struct sw_api (SW_SERVE_MANAGER) and does what Kueue's controllers do on a real cluster: jobs are held
 * suspended, each gets a Workload, quota is reserved, stop policies, deactivation and deletion are followed. Dispatch
 * sees it through manager.h only. One process, one loop.
 *
 *   sw_embedded_new(loop, &opt, &m);   // serves at once; rows are read in slices, then on_state(synced)
 *   m->ops->watch(m, &events);
 *   sw_embedded_free(m);               // ends the server; no callback comes after
 *
 * What users meet: queue-name is required (a LocalQueue "default" serves jobs that name none); suspend is spillway's
 * (a user who sets it on a running job stops the job: its Workload is evicted; setting it back queues it again); a
 * running job's spec cannot be changed; Workloads, AdmissionChecks of others and mirrored pods cannot be written.
 */
#ifndef SPILLWAY_EMBEDDED_H
#define SPILLWAY_EMBEDDED_H

#include "spillway/api.h"
#include "spillway/catalog.h"
#include "spillway/manager.h"
#include "spillway/queue.h"

#define SW_FINALIZER_COPIES   "spillway.dev/copies"         /* on a Workload: its copies on workers are not yet swept */
#define SW_ANN_OWNER          "spillway.dev/owner"          /* on a Workload: "jobs.batch/NAME" */
#define SW_ANN_JOB_GENERATION "spillway.dev/job-generation" /* on a Workload: of the job that it was made from */
#define SW_ANN_WISHES         "spillway.dev/wishes"         /* on a Workload: sw_demand_mark() of its job */
#define SW_ANN_STATUS_BASE    "spillway.dev/status-base" /* on a Workload: the job's status when this attempt began */

#define SW_ANN_CLUSTER "spillway.dev/cluster" /* on a mirrored pod: where it runs */

struct sw_embedded_options {
	struct sw_api_options api; /* serve, admit, logs and owner are set here; ready (with owner) is asked too */
	const struct sw_catalog *catalog; /* lent, outlives */
	json_t *bootstrap;                /* array of objects to create where absent, lent; NULL: none */
	size_t log_bytes;                 /* of kept log tails in all; 0: 256 MiB */
};
/* gives. */
__attribute__((warn_unused_result)) struct sw_err
sw_embedded_new(struct sw_loop *loop, const struct sw_embedded_options *opt, struct sw_manager **out);
void sw_embedded_free(struct sw_manager *m); /* NULL is fine */

struct sw_api *sw_embedded_api(struct sw_manager *m);     /* lent */
struct sw_queue *sw_embedded_queue(struct sw_manager *m); /* lent; for showing, not for changing */

/* Where the log of a running mirrored pod comes from. has: does it run somewhere now? Otherwise the kept tail is
 * served. */
struct sw_live_logs {
	bool (*has)(void *owner, const char *ns, const char *pod);
	struct sw_log_source source;
	void *owner;
};
void sw_embedded_live_logs(struct sw_manager *m, const struct sw_live_logs *live);

#endif
