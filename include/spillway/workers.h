/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers.h - worker clusters: what they hold, and how a copy is offered, started, stopped and swept
 *
 * A worker is a small state machine per (workload, cluster): offer -> ready? -> start -> sweep. Its two
 * kinds share one vtable. plain: offer = a reservation in our own view of the cluster's
 * capacity, for the whole gang; ready = the gang packs on free allocatable; start = POST the job
 * suspended, then unsuspend. One plain candidate at a time (dispatch sees to that), because a
 * plain copy that is started runs pods. kueue: offer = a mirror of the Workload, on all such candidates of a step at
 * once, because a mirror runs nothing; ready = the cluster's own Kueue has admitted it; start = POST the job that names
 * the mirror as its Workload, and that Kueue unsuspends it.
 *
 * Everything is level-triggered: start() and sweep() take one next step and are called again
 * until copy() shows the wish fulfilled. They never act on a cluster whose claim is not ours.
 *
 * "Unreachable" is never "absent": copy() returns SW_COPY_UNKNOWN whenever the caches are not synced. A copy
 * whose job is gone while pods of it still run is not absent either: it is OURS and deleting until they went.
 */
#ifndef SPILLWAY_WORKERS_H
#define SPILLWAY_WORKERS_H

#include "spillway/companions.h"
#include "spillway/config.h"
#include "spillway/kinds.h"
#include "spillway/kube.h"
#include "spillway/manager.h"
#include "spillway/needs.h"
#include "spillway/provider.h"
#include "spillway/translate.h"

struct sw_workers; /* the registry: every cluster of the configuration */
struct sw_worker;  /* one cluster */

struct sw_workers_options {
	struct sw_loop *loop;
	struct sw_http *http;
	struct sw_metrics *metrics;
	const struct sw_config *config;        /* lent, outlives */
	const struct sw_cluster_set *clusters; /* those to begin with; NULL: the configuration's */
	const struct sw_catalog *catalog;
	struct sw_manager *manager; /* notes: claims and tombstones */
	const char *origin;         /* installation id */
	bool observe;   /* capacity is looked at, and nothing is written anywhere: no claim, no copies; never
			   ready. manager may be NULL then */
	uint64_t epoch; /* of the store: raised by dispatch/identity at each restore it notices */
	/* Something about this workload's copy, or about the cluster (key NULL), changed. */
	void (*on_change)(void *owner, const char *key, struct sw_worker *w);
	/* A pod of ours changed (object) or is gone (object NULL). */
	void (*on_pod)(void *owner, const char *key, struct sw_worker *w, const char *pod_name, json_t *pod);
	void *owner;
};
__attribute__((warn_unused_result)) struct sw_err sw_workers_new(const struct sw_workers_options *opt,
								 struct sw_workers **out);
void sw_workers_free(struct sw_workers *ws);
/* One more, while the others go on. cfg: lent until it is dropped. */
__attribute__((warn_unused_result)) struct sw_err sw_workers_add(struct sw_workers *ws,
								 const struct sw_cluster_cfg *cfg);
/* Requests about its copies are under way: whoever waits for an answer would never get it. */
bool sw_worker_is_busy(const struct sw_worker *w);
/* Forgets it; nothing changes on the cluster. Not from its own callbacks, and not while it is busy. Those behind it
 * move up by one. */
void sw_workers_drop(struct sw_workers *ws, struct sw_worker *w);
size_t sw_workers_count(const struct sw_workers *ws);
struct sw_worker *sw_workers_at(struct sw_workers *ws, size_t i);
struct sw_worker *sw_workers_find(struct sw_workers *ws, const char *name);

const char *sw_worker_name(const struct sw_worker *w);
const struct sw_cluster_cfg *sw_worker_cfg(const struct sw_worker *w);
struct sw_kube *sw_worker_kube(struct sw_worker *w);
struct sw_provider *sw_worker_provider(struct sw_worker *w);

/* ---- reachability and identity ------------------------------------------------ */

enum sw_claim {
	SW_CLAIM_UNKNOWN,
	SW_CLAIM_OURS,
	SW_CLAIM_FOREIGN /* another installation's */,
	SW_CLAIM_NEWER /* our store is older than the worker's epoch: adoption mode, delete nothing */
};
struct sw_worker_state {
	bool ready; /* caches synced and claim ours: copies may be created */
	bool reachable;
	enum sw_claim claim;
	uint64_t lost_since_ms; /* loop time of the first loss; 0 while reachable */
	bool lost; /* unreachable for longer than config lost_after_ms; on_change (key NULL) came when it turned true */
	const char *why;      /* if not ready, in words; lent */
	uint64_t claim_epoch; /* what the worker's claim says; 0 if not read yet */
	bool gc_paused;       /* the brake on mass deletion has tripped */
	const char *gc_why;   /* then the alarm in words; "" otherwise; lent */
};
struct sw_worker_state sw_worker_state(const struct sw_worker *w);
/* Does the worker's API serve this kind (is its CRD installed)? false also while that is not known. */
bool sw_worker_serves(const struct sw_worker *w, const struct sw_kind *kind);

/*
 * Does what the job's pods name exist in this namespace of the cluster? The first question about an object is UNKNOWN
 * and sends a GET; on_change (key NULL) comes with the answer, and when something missing appears. why: in words,
 * unless MET.
 */
enum sw_needs_seen { SW_NEEDS_MET, SW_NEEDS_UNKNOWN, SW_NEEDS_MISSING };
enum sw_needs_seen sw_worker_needs(struct sw_worker *w, const char *ns, const struct sw_needs *needs, char *why,
				   size_t size);

/* Other tables in the catalog: pools are priced anew. What a node is, is read again when it next changes. */
void sw_workers_catalog_changed(struct sw_workers *ws);
/* The store's epoch was raised: claims are written anew with it. Never lower than before. */
void sw_workers_set_epoch(struct sw_workers *ws, uint64_t epoch);
/* Our store has become an older one while we ran: every claim turns NEWER, and is written anew with an epoch above
 * ours. Only an epoch above that ends it. */
void sw_workers_set_back(struct sw_workers *ws);
/* Garbage collection runs only while the manager is synced: pass on what its on_state says. */
void sw_workers_manager_synced(struct sw_workers *ws, bool synced);
/* An operator read the alarm: the next collection on this cluster may delete all it found, once. */
void sw_worker_gc_confirm(struct sw_worker *w);

/* ---- capacity -------------------------------------------------------------------- */

/* One node as packing needs it. free = allocatable - requests of all pods on it - our reservations. */
struct sw_node {
	const char *name, *pool, *model;         /* model "": no GPU */
	const char *gpu_resource;                /* "nvidia.com/gpu"; NULL: no GPU */
	const char *taint;                       /* value of SW_TAINT_BURST, or NULL */
	int64_t cpu_free, memory_free, gpu_free; /* milli, bytes, whole */
	int64_t cpu_total, memory_total, gpu_total;
	int64_t pods_free, pods_total; /* how many pods, by the kubelet's own limit */
	bool cordoned; /* unschedulable because we said so (annotation); another's cordon only makes it unusable */
	bool usable;   /* Ready, not cordoned, no other NoSchedule taint */
	bool empty;    /* no pod but daemons', no reservation */
	uint64_t empty_since_ms; /* loop time; 0 if not empty */
};
size_t sw_worker_nodes(struct sw_worker *w, const struct sw_node **out); /* lent until the loop turns */

/* Pools: the provider's, and one made up for each model of nodes that belong to none. Lent likewise. */
size_t sw_worker_pools(struct sw_worker *w, const struct sw_pool **out);
const struct sw_pool *sw_worker_pool(struct sw_worker *w, const char *name); /* NULL if there is none */
/* What sw_translate() needs to know of a pool: its device, labels, taints. Put it away with sw_target_fini(); what it
 * lends lives until the loop turns. INVALID: no label keeps pods on the right nodes. */
__attribute__((warn_unused_result)) struct sw_err sw_worker_target(struct sw_worker *w, const char *pool,
								   struct sw_target *out);
void sw_target_fini(struct sw_target *to);
uint64_t sw_worker_generation(const struct sw_worker *w); /* grows with each change of nodes, pools or reservations */

/*
 * Packs a gang on nodes: best fit decreasing. Pure.
 * assigned: per pod in set order, the index of its node or -1 (room for all pods), or NULL.
 * Returns 0 if every pod of every set fits. Otherwise the number of fresh nodes of `fresh` that are needed besides;
 * then what fits is taken from nodes all the same. -1: fresh is NULL, or a pod fits not even on a fresh node.
 */
int sw_pack(struct sw_node *nodes /* changed: free amounts taken */, size_t n, const struct sw_podset *sets,
	    size_t n_sets, const struct sw_node *fresh, int *assigned);

/*
 * What the provider said last (pools with their errors and instances): kept through failures of its API. NULL until it
 * answered once. It is asked every 10 s; burst asks oftener while something grows. Lent until the loop turns.
 */
const struct sw_provider_state *
sw_worker_provider_state(const struct sw_worker *w, int64_t *asked_at_ms /* loop time of that answer; may be NULL */);
void sw_worker_provider_every(struct sw_worker *w, uint64_t ms);
void sw_worker_provider_poll(struct sw_worker *w); /* now */

/* ---- copies ------------------------------------------------------------------------ */

enum sw_seen {
	SW_COPY_UNKNOWN, /* caches not synced: says nothing */
	SW_COPY_ABSENT,
	SW_COPY_OURS,    /* our origin, this owner UID, some attempt */
	SW_COPY_STALE,   /* our origin, another owner UID (job re-created under the same name) */
	SW_COPY_FOREIGN, /* not ours: never touched */
};
struct sw_copy {
	enum sw_seen seen;
	unsigned attempt;
	bool suspended, deleting;
	bool companions; /* its user wants objects sent along: sw_worker_companion() */
	enum sw_outcome outcome;
	int64_t active;          /* pods that run or may run */
	int64_t scheduled, pods; /* pods of ours seen with a node; seen in all */
	uint64_t status_hash;    /* of the raw status: changes when it changes */
	int64_t created_ms;
	int64_t lease_s;        /* it has a lease: what each renewal gives it; 0: none */
	int64_t started_ms;     /* by the cluster's clock; 0: not yet */
	bool lease_capped;      /* its user's own deadline comes first: nothing is left to renew */
	bool lease_expired;     /* it failed because nobody renewed, not by its own fault */
	const char *pool, *uid; /* lent */
};
/* What is known of the copy of this workload's job. owner_uid: of the manager's job. */
struct sw_copy sw_worker_copy(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
			      const char *owner_uid);
/* Calls each with every copy of our origin (GC, adoption): key of the manager's Workload, from its annotation. */
typedef void sw_copy_fn(void *owner, struct sw_worker *w, const char *key, const struct sw_kind *kind, const char *ns,
			const char *name, const char *owner_uid, const struct sw_copy *copy);
void sw_worker_each_copy(struct sw_worker *w, sw_copy_fn *each, void *owner);
/* status of the copy, parsed from what the cache keeps. gives; NULL if unknown. */
json_t *sw_worker_copy_status(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name);

struct sw_offer {        /* lent for the call */
	const char *key; /* of the Workload */
	const struct sw_kind *kind;
	const char *ns, *name, *owner_uid;
	unsigned attempt;
	const char *pool;
	const struct sw_demand *demand;
	int64_t lease_s;  /* the copy ends by itself this long after its start, unless renewed; 0: no lease */
	json_t *workload; /* the manager's Workload: for sw_worker_offer(); may be NULL elsewhere */
};
/* Reserves room for the whole gang on this pool, replacing an earlier reservation of the key on this cluster.
 * Idempotent. *missing: 0 = reserved on present nodes; n > 0: n more nodes of the pool are needed (what there is is
 * reserved, the rest follows as nodes come); -1: can never fit there. Reservations live in memory; pods that
 * appear replace them; a restart makes them again. */
__attribute__((warn_unused_result)) struct sw_err sw_worker_reserve(struct sw_worker *w, const struct sw_offer *offer,
								    int *missing);
void sw_worker_unreserve(struct sw_worker *w, const char *key);
/* What reserve would answer, changing nothing; an own reservation of the key counts as free. For views. */
int sw_worker_fits(struct sw_worker *w, const char *key, const char *pool, const struct sw_demand *demand);
/* Fresh nodes that the reservations of this pool need together: gangs may share a node, so it can be less than the sum
 * of what each reserve said. -1: one of them fits on no node of it. */
int sw_worker_pool_missing(struct sw_worker *w, const char *pool);

typedef void sw_worker_fn(void *owner, struct sw_err err);

/*
 * Offers: objects of ours on clusters that decide by themselves when a job may start there. An offer runs nothing, so
 * there may be one on every candidate of a step. It belongs to one attempt; the job is started only where an offer of
 * this attempt is ready, and takes the offer with it. Such a cluster also unsuspends, suspends and restarts the copy
 * itself: start() only creates it, stop() deletes it.
 */
bool sw_worker_takes_offers(const struct sw_worker *w);
struct sw_offered {
	enum sw_seen seen; /* as for copies */
	unsigned attempt;
	bool ready;   /* admitted by the cluster */
	bool evicted; /* the cluster took it back; as long as no job has it, it queues again by itself */
	bool unready; /* it took it back because pods did not become ready in time */
	bool over;    /* it can never be ready (again): deactivated, or finished without its job */
	bool taken;   /* a job has it: it goes with the job */
	bool deleting;
	const char *pool, *uid;     /* lent until the loop turns, like why */
	const char *priority_class; /* what we last told the cluster, lent; "" if none */
	int32_t priority;
	const char *why; /* why it is not ready, in the cluster's words, or "" */
};
/* Of a cluster that takes none: UNKNOWN. */
struct sw_offered sw_worker_offered(struct sw_worker *w, const char *key, const char *owner_uid);
/* Makes it. EXISTS: a foreign object has the name; MISSING: its namespace is not there. */
__attribute__((warn_unused_result)) struct sw_err sw_worker_offer(struct sw_worker *w, const struct sw_offer *offer,
								  sw_worker_fn *done, void *owner);
/* Removes the offer with this uid. MISSING counts as done. */
__attribute__((warn_unused_result)) struct sw_err sw_worker_withdraw(struct sw_worker *w, const char *key,
								     const char *uid, sw_worker_fn *done, void *owner);

/* Gives the offer with this uid another priority, before its job starts or while it runs: the cluster's own queue ranks
 * it by that. The class is a WorkloadPriorityClass. */
__attribute__((warn_unused_result)) struct sw_err sw_worker_prioritize(struct sw_worker *w, const char *key,
								       const char *uid, const char *class,
								       int32_t priority, sw_worker_fn *done,
								       void *owner);

/* The queue that an offer would wait in, as the cluster's own objects say. */
struct sw_queue_look {
	bool known;          /* false: the cluster keeps no queue, or it is not seen yet */
	bool there;          /* LocalQueue and ClusterQueue exist */
	bool open;           /* and take work */
	bool room;           /* quota for the whole gang is free, and nobody waits */
	int64_t free, total; /* quota of the GPUs asked for; of CPU cores without any */
	int pending;
	char why[160]; /* if not open: what is missing */
};
struct sw_queue_look sw_worker_queue(struct sw_worker *w, const char *ns, const char *queue,
				     const struct sw_demand *demand);

/* One next step toward a running copy: POST suspended (adopts one of ours that is already there), or unsuspend. job:
 * the user's job, lent. EXISTS: a foreign object has the name: this cluster is out. done may come with an unknown
 * outcome. */
__attribute__((warn_unused_result)) struct sw_err sw_worker_start(struct sw_worker *w, const struct sw_offer *offer,
								  json_t *job, sw_worker_fn *done, void *owner);
/* Sends a companion of the copy that is there: object is the manager's, lent; only its contents go. Idempotent. An
 * object of the name that is not ours is left alone, which counts as done. */
__attribute__((warn_unused_result)) struct sw_err sw_worker_companion(struct sw_worker *w, const struct sw_kind *kind,
								      const char *ns, const char *name,
								      const struct sw_companion *c, json_t *object,
								      sw_worker_fn *done, void *owner);
/* Can copies of this kind have a lease on this cluster? Where the cluster's own queue may restart a copy, its deadline
 * would begin anew; and most kinds have none that is sure to be kept. */
bool sw_worker_can_lease(const struct sw_worker *w, const struct sw_kind *kind);
/* Sets the deadline of the copy with this uid: seconds after its start, or its user's own if that comes first. */
__attribute__((warn_unused_result)) struct sw_err sw_worker_renew(struct sw_worker *w, const struct sw_kind *kind,
								  const char *ns, const char *name, const char *uid,
								  int64_t seconds, sw_worker_fn *done, void *owner);
/* Suspends the copy with this uid: its pods go, it stays to be counted. */
__attribute__((warn_unused_result)) struct sw_err sw_worker_stop(struct sw_worker *w, const struct sw_kind *kind,
								 const char *ns, const char *name, const char *uid,
								 sw_worker_fn *done, void *owner);
/* Deletes the copy with this uid (precondition), in the background. MISSING counts as done. */
__attribute__((warn_unused_result)) struct sw_err sw_worker_sweep(struct sw_worker *w, const struct sw_kind *kind,
								  const char *ns, const char *name, const char *uid,
								  sw_worker_fn *done, void *owner);

/*
 * A job was deleted while this cluster could not be asked: remembers (a manager's note, so it survives us) that every
 * copy of this owner must go there. Carried out when the cluster is back, and kept until nothing of it can appear any
 * more. Call it before the manager forgets the workload; done says when it is durable.
 */
__attribute__((warn_unused_result)) struct sw_err sw_worker_tombstone(struct sw_worker *w, const struct sw_kind *kind,
								      const char *ns, const char *name,
								      const char *owner_uid, sw_worker_fn *done,
								      void *owner);

/* Cordons or uncordons a node; checks with a fresh list that no pod but daemons' is on it (CONFLICT if one is). For
 * burst. */
__attribute__((warn_unused_result)) struct sw_err sw_worker_cordon(struct sw_worker *w, const char *node, bool on,
								   sw_worker_fn *done, void *owner);
__attribute__((warn_unused_result)) struct sw_err sw_worker_node_empty(struct sw_worker *w, const char *node,
								       sw_worker_fn *done, void *owner);

/* Bounded tail of a pod's log (max bytes); and a live stream for the manager's pods/log. */
typedef void sw_log_tail_fn(void *owner, struct sw_err err, const char *bytes, size_t n, bool cut);
__attribute__((warn_unused_result)) struct sw_err sw_worker_log_tail(struct sw_worker *w, const char *ns,
								     const char *pod, const char *container, size_t max,
								     sw_log_tail_fn *done, void *owner);

#endif
