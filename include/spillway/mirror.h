/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirror.h - the mirror role: the manager is a real Kubernetes cluster with stock Kueue
 *
 * Kueue keeps quota; spillway is the controller of its own AdmissionCheck (controllerName spillway.dev/dispatch) and
 * does by policy what MultiKueue does. Everything durable is in Kueue's own fields (manager.h) and in two objects of
 * ours: a ConfigMap for notes and a Lease that says which of several gateways leads. Dispatch sees it through
 * manager.h only.
 *
 *   sw_mirror_new(loop, &opt, &m);    // connects; nothing is written before this process leads
 *   m->ops->watch(m, &events);
 *   sw_mirror_free(m);                // no callback comes after
 *
 * A gateway that leads and finds that its lease ran out (it was paused, or cut off) says on_state(not synced), writes
 * nothing any more and calls on_lost: the process should end and start again, as everything it remembers may be old.
 * Every write carries the resourceVersion it was decided on, so what such a gateway still had on its way is refused.
 *
 * Deletion: no finalizer of ours is put on anybody's objects. When a job is deleted, its row stays (deleting) until
 * dispatch has swept the copies; if this process dies meanwhile, the workers' collection of copies whose job is gone
 * finds them by their origin label, and a cluster that is out of reach has its tombstone.
 */
#ifndef SPILLWAY_MIRROR_H
#define SPILLWAY_MIRROR_H

#include "spillway/http.h"
#include "spillway/manager.h"
#include "spillway/metrics.h"
#include "spillway/store.h"

#define SW_MIRROR_MANAGED_BY "kueue.x-k8s.io/multikueue"

struct sw_mirror_options { /* strings are copied */
	struct sw_http *http;
	struct sw_metrics *metrics; /* or NULL */
	const char *kubeconfig;     /* path; "": the service account of the pod we run in */
	const char *context;        /* "": current */
	const char *data_dir;   /* for the kubeconfig made from the service account; may be NULL with a kubeconfig */
	const char *check;      /* name of the one AdmissionCheck to serve; "": every one that names our controller */
	struct sw_store *store; /* where logs of jobs that ended are kept; lent, NULL: nowhere */
	const char *ns;         /* of our own objects; "": spillway-system */
	const char *lease;      /* name of Lease and ConfigMap; "": spillway */
	const char *identity;   /* of this process, for the Lease; NULL: host name and a random id */
	int64_t window;         /* requests in flight; 0: 32 */
	uint64_t heartbeat_ms;  /* as in kube.h */
	uint64_t lease_ms;      /* how long a leader that is not heard of still leads; 0: 15 s */
	uint64_t (*clock_ms)(void); /* a clock that also runs while the machine sleeps; NULL: CLOCK_BOOTTIME. Tests */
	/* The lease that this process held is lost. Once, from the loop. */
	void (*on_lost)(void *owner, const char *why);
	/* The manager's API server holds an older state than it did. Comes before what that state lacks is reported as
	 * gone. */
	void (*on_set_back)(void *owner);
	void *owner;
};
/* gives. Fails only for what waiting does not cure (the kubeconfig is missing or wrong). */
__attribute__((warn_unused_result)) struct sw_err
sw_mirror_new(struct sw_loop *loop, const struct sw_mirror_options *opt, struct sw_manager **out);
void sw_mirror_free(struct sw_manager *m); /* NULL is fine */

bool sw_mirror_leads(const struct sw_manager *m);
/* Who leads, as the Lease says: a host's name, '_', a random id. "" nobody, or not read yet. Lent. */
const char *sw_mirror_leader(const struct sw_manager *m);
struct sw_kube *sw_mirror_kube(struct sw_manager *m); /* the client of the manager's API server; lent */
/* Ready: in sight of everything, leading or standing by. why: what is missing, lent until the loop turns. */
bool sw_mirror_ready(const struct sw_manager *m, const char **why);
/* "ns/name" of the Workload of this job, lent until the loop turns; NULL if there is none. */
const char *sw_mirror_workload_of(struct sw_manager *m, const struct sw_kind *kind, const char *ns, const char *name);

/* The logs that were kept of this job's pods, container by container. MISSING: there is no such job. */
__attribute__((warn_unused_result)) struct sw_err
sw_mirror_kept(struct sw_manager *m, const struct sw_kind *kind, const char *ns, const char *name,
	       void (*fn)(void *owner, const char *pod, const char *container), void *owner);
/* Appends the last lines (-1: all) of one. MISSING: it was not kept. */
__attribute__((warn_unused_result)) struct sw_err sw_mirror_kept_log(struct sw_manager *m, const struct sw_kind *kind,
								     const char *ns, const char *name, const char *pod,
								     const char *container, int64_t lines,
								     struct sw_buf *out);

#endif
