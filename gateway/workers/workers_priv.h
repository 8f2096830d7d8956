/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers_priv.h - what the files of this room share: one worker cluster, its cached rows, its doors
 *
 *   registry.c   opens every cluster; the public door; what changed is told once a turn
 *   link.c       kubeconfig -> client -> what the API serves -> claim -> watches; and again after each loss
 *   lost.c       since when a cluster is out of reach, and when that is too long
 *   claim.c      the ConfigMap that says whose cluster this is
 *   nodes.c pods.c copies.c   rows kept of what the watches report
 *   capacity.c   rows -> struct sw_node and struct sw_pool; reserve.c: what we promised
 *   pools.c      asking the provider
 *   plain.c      offer, start, stop, sweep on a cluster without Kueue
 *   kueue.c      the same on one with Kueue; mirrors.c: rows of the mirrors there; queues.c: of its queues
 *   gc.c         copies nobody wants; tombstones
 *   lease.c      the deadline on a copy that is renewed while its cluster answers
 *   act.c        one request with its answer, cancelled with the worker
 */
#ifndef SPILLWAY_WORKERS_PRIV_H
#define SPILLWAY_WORKERS_PRIV_H

#include <uthash.h>

#include "spillway/workers.h"

#define CLAIM_NS           "spillway-system"
#define CLAIM_NAME         "spillway-claim"
#define LABEL_TPU_TOPOLOGY "cloud.google.com/gke-tpu-topology"
#define ANN_CORDON         "spillway.dev/cordoned-by" /* on nodes: the origin that made them unschedulable */

/* ---- rows -------------------------------------------------------------------- */

/* A node. A row also stands for a node that only pods have named so far (seen false). */
struct node_row {
	UT_hash_handle hh;                                   /* by name */
	json_t *labels;                                      /* a reference, or NULL */
	const struct sw_gpu *gpu;                            /* NULL: none, or not in the catalog */
	char *gpu_resource;                                  /* NULL: no GPU */
	const char *gpu_why;                                 /* static: why gpu is NULL though there are devices */
	char *topology;                                      /* of a TPU slice, or NULL */
	char *taint;                                         /* value of SW_TAINT_BURST, or NULL */
	int64_t cpu, memory, gpus, pods;                     /* allocatable */
	int64_t cpu_used, memory_used, gpus_used, pods_used; /* by live pods */
	int64_t cpu_daemon, memory_daemon, pods_daemon;      /* the part of it that every node of its like will carry */
	unsigned refs;                                       /* pod rows that point here */
	unsigned busy;                                       /* live pods that are no daemons' */
	uint64_t empty_since_ms;                             /* loop time; 0: busy or reserved */
	bool seen, usable, cordoned, reserved;
	bool spot; /* tainted as a spot node by its cloud */
	int pool;  /* index into cap.pools, as of pools_version */
	size_t at; /* index into cap.nodes; valid while seen and not shape_stale */
	unsigned pools_version;
	char name[];
};

/* A pod, anybody's. */
struct pod_row {
	UT_hash_handle hh;     /* by "ns/name" */
	struct node_row *node; /* NULL: not scheduled */
	int64_t cpu, memory;
	int32_t gpus;
	bool daemon, live;     /* live: neither Succeeded nor Failed */
	struct pod_ours *ours; /* NULL: not our copy's */
	char key[];
};

struct pod_ours {
	struct pod_ours *prev, *next; /* of its work */
	struct pod_row *row;
	struct work *work;
	unsigned attempt;
	bool deleting;
	char *owner_uid, *uid;
};

/* Everything of one workload on this cluster. */
struct work {
	UT_hash_handle hh; /* by key */
	struct pod_ours *pods;
	struct copy_row *copy;
	unsigned left; /* collections that found its pods running without a job */
	bool stray;    /* pods, but no copy: its job went while we did not look */
	char key[];
};

/* A copy of ours: a job with our origin label. */
struct copy_row {
	UT_hash_handle hh; /* by id */
	const struct sw_kind *kind;
	struct work *work;
	char *ns, *name, *owner_uid, *uid, *pool, *rv;
	char *status; /* compact JSON, or NULL */
	size_t status_len;
	uint64_t status_hash;
	unsigned attempt;
	bool suspended, deleting;
	bool companions; /* its user wants objects sent along */
	bool gone;       /* the job is deleted; the row waits for its pods to go */
	bool early;      /* known from a reply only: the watch has not shown it yet */
	uint64_t orphan_ms,
		swept_ms; /* loop time: since when nobody wants it; when its deletion was asked for. 0: not */
	enum sw_outcome outcome;
	int64_t active, created_ms, started_ms;
	int64_t lease_s, lease_own_s; /* of its annotations; 0: none */
	bool lease_capped, lease_expired;
	char id[]; /* "jobs.batch/ns/name" */
};

/* An object that is not ours has the name: seen at a POST, believed for a while. */
struct foreign {
	UT_hash_handle hh;
	uint64_t until_ms;
	char id[];
};

/* ---- reservations -------------------------------------------------------------- */

struct slot {
	struct node_row *node;
	uint16_t set;
	int32_t count;
};

struct reservation {
	UT_hash_handle hh; /* by key, in the order they were made */
	char *pool, *owner_uid;
	unsigned attempt;
	struct sw_podset sets[SW_PODSETS_MAX]; /* template NULL; gpu_resource own */
	int32_t unplaced[SW_PODSETS_MAX];      /* pods without a node yet, by the last account */
	size_t n_sets;
	struct slot *slots;
	size_t n_slots;
	bool placed; /* every pod was scheduled once: the pods speak for themselves now */
	char key[];
};

/* Jobs are much alike, and most clusters do not change between two of them. */
struct fit {
	uint64_t generation, shape; /* of the demand and the pool */
	int missing;
};
enum { FITS_KEPT = 16 };

/* ---- capacity, computed from the rows when asked and something changed ---------- */

struct capacity {
	struct sw_node *nodes;
	struct node_row **rows;
	size_t n;
	struct sw_pool *pools;
	size_t n_pools;
	size_t n_listed; /* the first ones are the provider's, the others made up here */
	char **made;
	size_t n_made;           /* names of pools made up here */
	bool stale, shape_stale; /* shape: which nodes and pools there are */
	unsigned pools_version;  /* grows with the provider's answers; from 1 */
};

/* ---- connection ------------------------------------------------------------------ */

enum served { SERVED_UNKNOWN, SERVED_YES, SERVED_NO };

struct source { /* what a watch is of */
	const char *group, *version, *plural;
	bool ours;  /* only what carries our origin */
	bool kueue; /* only on clusters with Kueue */
	void (*on_object)(struct sw_worker *w, enum sw_obj_event ev, const char *key, json_t *object);
};
struct feed { /* one watch */
	struct sw_worker *w;
	const struct sw_kind *kind; /* NULL for what is no job */
	struct source of;
	bool unused; /* no watch of it is needed on this cluster */
	struct sw_reflector *reflector;
	enum served served;
	bool probe_due;
	bool synced;
	uint64_t since_ms;
	char why[160];
};
enum {
	FEED_NODES,
	FEED_PODS,
	FEED_MIRRORS,
	FEED_LOCAL_QUEUES,
	FEED_CLUSTER_QUEUES,
	FEED_KINDS,
	FEEDS_MAX = FEED_KINDS + 64
};

struct link {
	struct sw_timer *timer;
	struct sw_kube_call *call; /* the probe or claim request under way */
	struct feed *probing;
	unsigned failures;
	bool synced; /* as of the last look */
	bool claim_due;
	uint64_t looked_ms; /* when the slow checks were last due */
	struct sw_err last; /* what went wrong last, or OK */
	uint64_t lost_since_ms;
	struct sw_timer *lost_timer;
	struct sw_timer *file_timer; /* looks at the kubeconfig file */
	uint64_t file_stamp;         /* hash of its stat; 0: never read */
};

struct claim {
	enum sw_claim state;
	uint64_t epoch; /* as written on the worker */
	unsigned steps;
	char why[300];
};

struct gc {
	struct sw_timer *timer;
	bool paused, confirmed;
	bool adopting; /* the cluster has seen a newer store: nothing goes without a person's word */
	char why[300];
};

struct provider_poll {
	struct sw_timer *timer;
	uint64_t every_ms;
	uint64_t answered_ms;
	bool asking, again, answered;   /* answered: once at least, well or badly */
	bool node_due;                  /* asking soon because a node came or went */
	bool known;                     /* state holds something */
	struct sw_provider_state state; /* own copies, all strings in arena */
	char *arena;
	struct sw_err last;
};

/* ---- clusters with Kueue ------------------------------------------------------------ */

/* A mirror of a Workload. */
struct mirror_row {
	UT_hash_handle hh; /* by key */
	char *owner_uid, *uid, *pool, *why;
	char *podsets; /* compact JSON of spec.podSets, kept while it is admitted and no job has it; else NULL */
	char *class;   /* of its priority, "": none, or none that may change; and the number: as we last said it */
	int32_t priority;
	unsigned attempt;
	uint64_t version;
	bool admitted, evicted, unready, over, taken, deleting;
	bool early; /* known from a reply only */
	uint64_t orphan_ms, swept_ms;
	char key[]; /* "ns/name", of the manager's Workload too */
};

struct quota { /* of one resource, over all flavors */
	char *resource;
	int64_t nominal_milli, used_milli;
};
struct queue_row { /* a LocalQueue ("ns/name") or a ClusterQueue ("name") */
	UT_hash_handle hh;
	char *cluster_queue; /* of a LocalQueue */
	struct quota *quotas;
	size_t n_quotas;
	int pending;
	bool active, stopped;
	char *why; /* if not active */
	char key[];
};

struct worker_ops;

struct sw_worker {
	struct sw_workers *ws;
	const struct sw_cluster_cfg *cfg;
	const struct worker_ops *ops;
	struct sw_kube *kube;         /* NULL until the kubeconfig was good once */
	struct sw_provider *provider; /* NULL likewise */
	struct sw_err broken;         /* what no waiting can cure: bad provider options, unknown worker kind */
	struct link link;
	struct claim claim;
	struct gc gc;
	struct provider_poll poll;
	struct feed feeds[FEEDS_MAX];
	size_t n_feeds;
	struct node_row *nodes;
	struct pod_row *pods;
	struct work *works;
	struct copy_row *copies;
	size_t strays; /* works with pods but no copy */
	struct foreign *foreign;
	struct need_row *needs; /* what pods name: is it there? */
	struct sw_timer *needs_timer;
	struct mirror_row *mirrors;
	struct queue_row *local_queues, *cluster_queues;
	struct reservation *reservations;
	struct capacity cap;
	uint64_t generation;
	struct fit fits[FITS_KEPT];
	struct act *acts;
	struct tail *tails;          /* logs being read */
	struct sw_timer *tell_timer; /* one on_change(NULL) a turn */
	char why[420];
};

struct sw_workers {
	struct sw_workers_options opt;
	char *origin, *selector; /* "spillway.dev/origin=ID" */
	struct sw_worker **at;
	size_t n;
	bool manager_synced;
	bool set_back; /* the store is older than it was when we started */
};

/* ---- how a copy is offered, started and ended on one kind of worker --------------- */

struct worker_ops {
	const char *name;
	/* Is this pool's room ours to give? Then gangs are packed on its nodes, and promised room there. */
	bool (*packs)(const struct sw_worker *w, const struct sw_pool *pool);
	/* Offers, where the cluster takes them: one request, done later, exactly once. NULL: it takes none. */
	struct sw_err (*offer)(struct sw_worker *w, const struct sw_offer *o, sw_worker_fn *done, void *owner);
	struct sw_err (*withdraw)(struct sw_worker *w, const struct mirror_row *row, sw_worker_fn *done, void *owner);
	struct sw_err (*prioritize)(struct sw_worker *w, const struct mirror_row *row, const char *class,
				    int32_t priority, sw_worker_fn *done, void *owner);
	/* One next step; done later, exactly once. */
	struct sw_err (*start)(struct sw_worker *w, const struct sw_offer *o, json_t *job, sw_worker_fn *done,
			       void *owner);
	struct sw_err (*stop)(struct sw_worker *w, const struct copy_row *row, sw_worker_fn *done, void *owner);
	struct sw_err (*sweep)(struct sw_worker *w, const struct copy_row *row, sw_worker_fn *done, void *owner);
};
#define WORKER_KIND_MAP(X) X(plain) X(kueue)
#define X(id)              extern const struct worker_ops worker_##id;
WORKER_KIND_MAP(X)
#undef X

/* ---- registry.c -------------------------------------------------------------------- */
void worker_changed(struct sw_worker *w); /* the cluster: told once a turn */
void worker_work_changed(struct sw_worker *w, const char *key);
void worker_capacity_changed(struct sw_worker *w); /* pods or reservations */
void worker_shape_changed(struct sw_worker *w);    /* nodes or pools */
uint64_t worker_now(const struct sw_worker *w);

/* ---- link.c, lost.c ------------------------------------------------------------------- */
struct sw_err link_open(struct sw_worker *w);
void link_close(struct sw_worker *w);
void link_kick(struct sw_worker *w, uint64_t in_ms);
bool feed_is_up(const struct feed *f);
bool link_synced(const struct sw_worker *w);   /* the watches run that show what the cluster holds and runs */
bool queues_synced(const struct sw_worker *w); /* and those that a cluster with Kueue needs besides; true without it */
bool mirrors_in_sight(const struct sw_worker *w);
bool feed_synced(const struct sw_worker *w, const struct sw_kind *kind);
struct sw_err lost_open(struct sw_worker *w);
void lost_update(struct sw_worker *w);
bool lost_is(const struct sw_worker *w);

/* ---- claim.c ---------------------------------------------------------------------------- */
void claim_outdate(struct sw_worker *w);
void claim_step(struct sw_worker *w);                    /* sends the next request; link.c hears claim_done() */
void link_claimed(struct sw_worker *w, struct sw_err e); /* the claim is settled (claim.state) or could not be read */
/* Pure: what a claim object means for us. raise: our newer epoch must be written. */
enum sw_claim claim_judge(json_t *object, const char *origin, uint64_t epoch, uint64_t *theirs, bool *raise,
			  char why[300]);

/* ---- rows ---------------------------------------------------------------------------------- */
void nodes_on_object(struct sw_worker *w, enum sw_obj_event ev, const char *name, json_t *node);
struct node_row *node_row_get(struct sw_worker *w, const char *name); /* makes it; counts a reference */
void node_row_put(struct sw_worker *w, struct node_row *row);
void nodes_free(struct sw_worker *w);
void pods_on_object(struct sw_worker *w, enum sw_obj_event ev, const char *key, json_t *pod);
void pod_rows_free(struct sw_worker *w);
bool pod_is_daemon(json_t *pod); /* a DaemonSet's or the kubelet's own */
bool pod_is_live(json_t *pod);
struct work *pod_work_get(struct sw_worker *w, const char *key); /* makes it */
struct work *pod_work_find(struct sw_worker *w, const char *key);
void work_settle(struct sw_worker *w, struct work *work); /* after its pods or copy changed: may free it */
void copies_on_object(struct sw_worker *w, const struct sw_kind *kind, enum sw_obj_event ev, const char *key,
		      json_t *job);
/* A reply showed the object before the watch did. */
void copies_early(struct sw_worker *w, const struct sw_kind *kind, json_t *job);
void copies_synced(struct sw_worker *w, const struct sw_kind *kind); /* rows that the watch did not confirm go */
void copies_in_sight(struct sw_worker *w,
		     const struct sw_kind *kind); /* tells of all that can be seen now; NULL: every kind */
void copies_unserved(struct sw_worker *w,
		     const struct sw_kind *kind); /* the kind is gone from the API, its objects with it */
void copies_pods_changed(struct sw_worker *w, const char *work_key); /* a row that waited for its pods may go */
struct copy_row *copy_find(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name);
void copy_fill(const struct copy_row *row, struct sw_copy *out);
void foreign_mark(struct sw_worker *w, const char *resource, const char *ns, const char *name);
bool foreign_is(struct sw_worker *w, const char *resource, const char *ns, const char *name);
void copies_free(struct sw_worker *w);

/* ---- mirrors.c, queues.c ------------------------------------------------------------------------ */
#define MIRRORS "workloads.kueue.x-k8s.io"
void mirrors_on_object(struct sw_worker *w, enum sw_obj_event ev, const char *key, json_t *workload);
void mirrors_early(struct sw_worker *w, json_t *workload); /* a reply showed it before the watch did */
void mirrors_synced(struct sw_worker *w);
void mirrors_tell(struct sw_worker *w); /* of all, now that they can be seen */
void mirrors_unserved(struct sw_worker *w);
void mirrors_free(struct sw_worker *w);
struct mirror_row *mirror_find(struct sw_worker *w, const char *key);
void local_queues_on_object(struct sw_worker *w, enum sw_obj_event ev, const char *key, json_t *queue);
void cluster_queues_on_object(struct sw_worker *w, enum sw_obj_event ev, const char *key, json_t *queue);
void worker_queues_free(struct sw_worker *w);

/* ---- capacity.c, reserve.c, pools.c ---------------------------------------------------------- */
void capacity_update(struct sw_worker *w);
void capacity_free(struct sw_worker *w);
const struct sw_pool *capacity_pool(struct sw_worker *w, const char *name, int *index);
/* What a new node of this pool has for us: what one has now, if there is one; false if nobody knows. */
bool capacity_fresh(struct sw_worker *w, int pool, struct sw_node *out);
void reserve_apply(struct sw_worker *w); /* takes what is promised from cap.nodes */
void reserve_pods_changed(struct sw_worker *w, const char *key);
void reserve_node_gone(struct sw_worker *w, struct node_row *row);
void reserve_free(struct sw_worker *w);
/* Fresh nodes that all reservations of the pool together still need; -1: a pod of one fits on no node of it. */
int reserve_missing(struct sw_worker *w, int pool);
struct sw_err pools_open(struct sw_worker *w);
void pools_close(struct sw_worker *w);
void pools_nodes_changed(struct sw_worker *w); /* a node came or went: the provider is asked soon */

/* ---- gc.c ---------------------------------------------------------------------------------------- */
struct sw_err gc_open(struct sw_worker *w);
void gc_close(struct sw_worker *w);
void gc_kick(struct sw_worker *w);
void gc_adopt(struct sw_worker *w); /* our store was found to be older than what the cluster has seen */
/* Pure: may `orphans` of `copies` be deleted without asking a person? */
bool gc_within_brake(size_t orphans, size_t copies);

/* ---- needs.c -------------------------------------------------------------------------------------- */
struct sw_err needs_open(struct sw_worker *w);
void needs_close(struct sw_worker *w);
/* ---- lease.c ------------------------------------------------------------------------------------------- */
void lease_put(json_t *copy, int64_t lease_s);                               /* on a new copy */
void lease_read(struct copy_row *row, json_t *copy, const char *failed_why); /* fills the row's part */

/* ---- post.c -------------------------------------------------------------------------------------------- */
struct act;
/* Creates the copy, or adopts what has its name. */
struct sw_err job_post(struct sw_worker *w, const struct sw_offer *o, json_t *copy_taken, sw_worker_fn *done,
		       void *owner);
struct sw_err job_delete(struct sw_worker *w, const struct copy_row *row, sw_worker_fn *done, void *owner);
struct sw_err job_send(struct act *a, enum sw_kube_class cls, const char *method, const char *type,
		       struct sw_buf *body); /* to the job's path; POST: to its collection */
struct sw_err nothing_to_do(struct sw_worker *w, sw_worker_fn *done, void *owner);
void act_on_deleted(struct act *a, struct sw_err err, const struct sw_kube_reply *reply);

/* ---- act.c: a request whose answer ends in a sw_worker_fn ------------------------------------------ */
struct act {
	struct act *prev, *next;
	struct sw_worker *w;
	struct sw_kube_call *call;
	struct sw_timer *later;
	sw_worker_fn *done;
	void *owner;
	void (*on_reply)(struct act *a, struct sw_err err, const struct sw_kube_reply *reply);
	const struct sw_kind *kind;
	char *ns, *name, *uid, *origin_uid; /* what it is about; origin_uid: the owner's, for adoption */
	unsigned attempt;
	enum sw_need_kind need; /* of a companion: ... */
	json_t *object;         /* ... what is sent */
	struct sw_err err;
};
/* One about this job or object; ns/name are kept. */
struct act *act_about(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
		      sw_worker_fn *done, void *owner);
struct act *act_new(struct sw_worker *w, sw_worker_fn *done, void *owner);
void act_free(struct act *a); /* silently */
/* Sends the next request; a->on_reply gets the answer. */
struct sw_err act_send(struct act *a, enum sw_kube_class cls, const char *method, struct sw_buf *path, const char *type,
		       struct sw_buf *body);
void act_end(struct act *a, struct sw_err err);            /* frees it, then calls done */
struct sw_err act_later(struct act *a, struct sw_err err); /* ends it in a coming turn */
/* What becomes of an act whose first (begun: nobody waits yet) or later (went_on) request could not even be sent. */
struct sw_err act_begun(struct act *a, struct sw_err e);
void act_went_on(struct act *a, struct sw_err e);
void acts_free(struct sw_worker *w);
void tails_free(struct sw_worker *w); /* logs.c */

#endif
