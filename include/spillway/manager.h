/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manager.h - where the user's jobs and their Workloads live: one vtable
 *
 * Dispatch never knows which manager it has. The embedded manager (gateway/manager/embedded)
 * implements this over the store; a real Kubernetes cluster with Kueue (mirror role) implements
 * the same with HTTP requests. The Workload (kueue.x-k8s.io/v1beta2) is the seam: the manager
 * side answers "may it run?" (quota), dispatch answers "where?".
 *
 * What is durable about one workload's dispatch is in its status, in Kueue's own fields:
 *   nominatedClusterNames          clusters of the present step
 *   clusterName                    the winner
 *   admissionChecks[spillway].state and .message   the plan, step and deadline (dispatch/plan.h)
 *   schedulingStats.evictions[].count              their sum + 1 is the attempt
 *
 * Async contract as in http.h: done once, never from inside, nothing after cancel; here calls
 * cannot be cancelled one by one, but none is made after close(). Every call is idempotent. An error found at once is
 * returned, and done is then not called. done may be NULL.
 */
#ifndef SPILLWAY_MANAGER_H
#define SPILLWAY_MANAGER_H

#include "spillway/err.h"
#include "spillway/json.h"
#include "spillway/kinds.h"

#define SW_CHECK_NAME "spillway" /* AdmissionCheck; controllerName spillway.dev/dispatch */

enum sw_check { SW_CHECK_PENDING, SW_CHECK_READY, SW_CHECK_RETRY, SW_CHECK_REJECTED };

/* One workload as decisions need it. Compact: strings share one allocation. */
struct sw_workload {
	const char *key; /* "ns/name" of the Workload */
	const char *ns, *uid;
	uint64_t rv; /* precondition of the next write */
	const struct sw_kind *kind;
	const char *job_name, *job_uid;
	uint64_t job_mark; /* moves whenever the job or its Workload asks for something else; 0: the manager cannot say
			    */
	const char *queue, *cluster_queue; /* cluster_queue "" until quota is reserved */
	const char *cluster;               /* winner, or NULL */
	const char *message;               /* of our check, "" if none */
	int64_t created_ms;
	int32_t priority;
	const char *priority_class; /* a WorkloadPriorityClass, which may change at any time; "" if none */
	unsigned attempt;           /* 1, 2, ... */
	bool nominated;             /* nominatedClusterNames is not empty: offers may exist */
	enum sw_check check;
	bool active;            /* spec.active, and its queue not stopped */
	bool reserved;          /* QuotaReserved */
	bool evicted;           /* Evicted: the copy must go, then released() */
	bool finished;          /* the copy may go; the row goes with RELEASED */
	bool deleting;          /* the job is being deleted, or is gone */
	bool suspended_by_user; /* the user set spec.suspend on a job of ours */
};

struct sw_manager_events {
	/* Something about key changed, or it is gone (get() returns NULL). */
	void (*on_change)(void *owner, const char *key);
	/* synced: every workload was reported. Not synced: what get() says may be old. */
	void (*on_state)(void *owner, bool synced, const char *why);
	void *owner;
};

typedef void sw_manager_fn(void *owner, struct sw_err err);
/* job and workload: whole objects, lent; nobody changes them, so a reference to them may be kept. */
/* object: whole, lent; NULL unless err is SW_OK. */
typedef void sw_manager_fetch_fn(void *owner, struct sw_err err, json_t *object);
typedef void sw_manager_read_fn(void *owner, struct sw_err err, json_t *job, json_t *workload);

enum sw_change_op {
	SW_CHANGE_NOMINATE, /* nominatedClusterNames = clusters; check Pending, message */
	SW_CHANGE_MESSAGE,  /* message only (waiting: why, until when) */
	SW_CHANGE_WIN,   /* clusterName = cluster, nominated cleared, check Ready, message: THE decision. One write. */
	SW_CHANGE_EVICT, /* Evicted, reason; the attempt is over. Winner kept until released */
	/* The copy is gone (or fenced). Evicted (or still reserved, then it is evicted by the way): quota returned,
	 * winner cleared, attempt + 1, back in the queue. Finished or deleting: the Workload is let go (finalizer
	 * removed). */
	SW_CHANGE_RELEASED,
	SW_CHANGE_REJECT, /* never: check Rejected, Workload inactive; only for what no change of the world can cure */
};
struct sw_change {
	enum sw_change_op op;
	const char *cluster;         /* WIN */
	const char *const *clusters; /* NOMINATE, NULL-terminated */
	const char *reason;          /* CamelCase: EVICT, REJECT */
	const char *message;
	int64_t requeue_after_ms; /* RELEASED: not admitted again before that */
};

struct sw_manager; /* each implementation's own */

struct sw_manager_ops {
	const char *name;
	/* Nobody read a job's wishes when it was created: one that cannot be understood is rejected by dispatch, with
	 * an event, instead of waiting for its user. */
	bool rejects;
	/* Starts reporting. Once. */
	struct sw_err (*watch)(struct sw_manager *m, const struct sw_manager_events *ev);
	/* The present row, lent until control returns to the loop; NULL: absent. */
	const struct sw_workload *(*get)(struct sw_manager *m, const char *key);
	/* Calls each with every row (lent). */
	void (*each)(struct sw_manager *m, void (*fn)(void *owner, const struct sw_workload *w), void *owner);
	struct sw_err (*read)(struct sw_manager *m, const char *key, sw_manager_read_fn *done, void *owner);
	/* A Secret ("secrets") or ConfigMap ("configmaps") of the user's; MISSING if there is none. */
	struct sw_err (*fetch)(struct sw_manager *m, const char *resource, const char *ns, const char *name,
			       sw_manager_fetch_fn *done, void *owner);
	/* Compare-and-set: CONFLICT if the Workload is not at rv any more (then on_change comes or came). Durable
	 * before done. */
	struct sw_err (*change)(struct sw_manager *m, const char *key, uint64_t rv, const struct sw_change *c,
				sw_manager_fn *done, void *owner);
	/* status of the user's job := status_home(copy's status). Only if the job still has job_uid (else MISSING) and
	 * the Workload has a winner (else CONFLICT: a late report of an attempt that is over). copy_status lent. */
	struct sw_err (*sync_status)(struct sw_manager *m, const char *key, const char *job_uid, json_t *copy_status,
				     sw_manager_fn *done, void *owner);
	/* The last status, Workload Finished (Succeeded | Failed, message): together or recoverable. If the copy's
	 * status does not say the end (the copy is lost), outcome and message say it. */
	struct sw_err (*finish)(struct sw_manager *m, const char *key, const char *job_uid, json_t *copy_status,
				enum sw_outcome outcome, const char *message, sw_manager_fn *done, void *owner);
	/* On the user's job. Fire and forget, aggregated. */
	void (*event)(struct sw_manager *m, const char *key, bool warning, const char *reason, const char *message);
	/* Optional. On the AdmissionCheck `spillway`, which stands for the gateway: what concerns no one job. */
	void (*event_check)(struct sw_manager *m, bool warning, const char *reason, const char *message);

	/* Durable small things: identity, intents, tombstones. value NULL deletes. */
	struct sw_err (*note_put)(struct sw_manager *m, const char *name, json_t *value, sw_manager_fn *done,
				  void *owner);
	void (*notes)(struct sw_manager *m, const char *prefix,
		      void (*fn)(void *owner, const char *name, json_t *value), void *owner);

	/* Optional (NULL where the manager shows no pods). The pod as seen on the worker; made read-only and owned by
	 * the user's job. A pod without a spec ({"metadata":{"name":...}}): gone from the worker (kept here if the job
	 * finished). */
	struct sw_err (*mirror_pod)(struct sw_manager *m, const char *key, const char *job_uid, const char *cluster,
				    json_t *pod, sw_manager_fn *done, void *owner);
	/* Optional. Bounded tail of one container's log, kept for `logs` after the copy is gone. */
	struct sw_err (*keep_log)(struct sw_manager *m, const char *key, const char *ns, const char *pod,
				  const char *container, const char *bytes, size_t n, bool cut, sw_manager_fn *done,
				  void *owner);
};

struct sw_manager {
	const struct sw_manager_ops *ops;
}; /* first member of each implementation */

const char *sw_check_name(enum sw_check c); /* "Pending", ... */

#endif
