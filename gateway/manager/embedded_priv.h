/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedded_priv.h - what the embedded manager's files share
 *
 *   embedded.c  start and stop, the vtable          sync.c     first lists, then watches
 *   row.c       one compact row per live Workload   put.c      reading and writing objects
 *   workload.c  Workload objects, pure              job.c      a job gets its Workload, is started and stopped
 *   quota.c     reserve, release, evict             change.c   dispatch's decisions
 *   finish.c    status and results come home        queues.c   queue definitions and their status
 *   admit.c     what users may write                mirror.c   pods;  logs.c: kept tails;  boot.c: first objects
 *
 * Truth is in the store. Rows follow committed events; the queue follows rows. Writes are made straight to the store
 * with a precondition (metadata and status at once, which the API's verbs cannot do), so every transition is one
 * commit.
 */
#ifndef SPILLWAY_EMBEDDED_PRIV_H
#define SPILLWAY_EMBEDDED_PRIV_H

#include <uthash.h>
#include "kept.h"
#include "manager_priv.h"
#include "spillway/embedded.h"
#include "spillway/keymap.h"
#include "spillway/keyq.h"

struct emb;

#define WORKLOADS        "workloads.kueue.x-k8s.io"
#define CLUSTER_QUEUES   "clusterqueues.kueue.x-k8s.io"
#define LOCAL_QUEUES     "localqueues.kueue.x-k8s.io"
#define FLAVORS          "resourceflavors.kueue.x-k8s.io"
#define PRIORITY_CLASSES "workloadpriorityclasses.kueue.x-k8s.io"
#define CHECKS           "admissionchecks.kueue.x-k8s.io"
#define DEFAULT_QUEUE    "default"
#define CONTROLLER       "spillway.dev/dispatch"

enum { KEY_MAX = 600 };

/* Why this manager itself evicts. */
#define EVICT_INACTIVE   "Deactivated"
#define EVICT_SUSPENDED  "JobSuspended"
#define EVICT_CQ_STOPPED "ClusterQueueStopped"
#define EVICT_LQ_STOPPED "LocalQueueStopped"
#define EVICT_CHANGED    "JobChanged"

/* ---- rows ------------------------------------------------------------------------------ */

enum row_flag {
	ROW_ACTIVE = 1,
	ROW_RESERVED = 2,
	ROW_EVICTED = 4,
	ROW_FINISHED = 8,
	ROW_DELETING = 16,
	ROW_NOMINATED = 32,
	ROW_FINALIZER = 64,
	ROW_OWN_EVICT = 1024, /* evicted by this manager, not by dispatch */
	ROW_JOB_GONE = 128,
	ROW_USER_STOP = 256,
	ROW_JOB_SEEN = 512, /* from the job, not from the Workload */
	ROW_OF_JOB = ROW_JOB_GONE | ROW_USER_STOP | ROW_JOB_SEEN
};

struct row {
	uint64_t rv;
	const char *queue, *cluster_queue, *cluster; /* interned; the last two NULL if none */
	char *message;                               /* NULL: none */
	int64_t created_ms;
	const char *priority_class; /* interned; NULL: none */
	int32_t priority;
	uint32_t job_generation, wishes; /* of the job that the Workload was made from */
	unsigned char uid[16], job_uid[16];
	uint16_t attempt, flags;
	uint16_t job_at, job_len; /* the job's name inside text */
	uint8_t kind, check;
	char text[]; /* key, and the job's name if it is no part of it */
};
const char *row_key(const void *row);
/* gives a row of a Workload object, or NULL if it is none of ours. */
struct row *row_new(struct emb *m, const char *key, uint64_t rv, json_t *workload);
void row_free(struct row *r);
const struct sw_kind *row_kind(const struct row *r);
/* Can a job of this kind be here at all? The embedded manager serves some kinds only. */
bool kind_served(const struct sw_kind *k);
void row_job_name(const struct row *r, char buf[254]);
void row_job_key(const struct row *r, char buf[KEY_MAX]); /* of the job reconciler */
bool row_is_of(const struct row *r, const char *job_uid);
bool row_stopped(struct emb *m, const struct row *r); /* its queue says HoldAndDrain */
bool row_admitted(const struct row *r);               /* has a winner and is not evicted */
struct row *row_find(struct emb *m, const char *key);
const struct sw_workload *row_get_op(struct sw_manager *m, const char *key);
void row_each_op(struct sw_manager *m, void (*fn)(void *owner, const struct sw_workload *w), void *owner);
void row_set_flag(struct emb *m, struct row *r, unsigned flag, bool on); /* of ROW_OF_JOB */
/* Workload object -> row, queue, counts, dispatch. workload NULL: gone. */
void row_apply(struct emb *m, const char *key, uint64_t rv, json_t *workload);
void row_requeue(struct emb *m, struct row *r); /* the queue's view of it from the store */

/* ---- writes -------------------------------------------------------------------------------- */

struct ticket; /* a write under way */
struct put {   /* who hears of it */
	sw_manager_fn *done;
	void *owner;
	const char *key;   /* of a Workload, or NULL: its row is read again if the commit fails */
	const char *retry; /* key of the job reconciler that comes again if the commit fails, or NULL */
};
struct sw_err emb_get(struct emb *m, const char *resource, const char *ns, const char *name, json_t **out,
		      uint64_t *rv); /* newest */
struct sw_err emb_get_key(struct emb *m, const char *resource, const char *key, json_t **out, uint64_t *rv);
struct sw_err emb_put(struct emb *m, const char *resource, json_t *o, uint64_t expect_rv, const struct put *put);
struct sw_err emb_erase(struct emb *m, const char *resource, json_t *o, uint64_t expect_rv, const struct put *put);
/* A note; bytes NULL: deleted. */
struct sw_err emb_note(struct emb *m, const char *key, const char *bytes, size_t n, sw_manager_fn *done, void *owner);
/* Fresh metadata for an object that spillway itself makes. */
void emb_begin(struct emb *m, json_t *o);
bool emb_in_flight(struct emb *m, const char *key, uint64_t rv); /* a newer write of this Workload is under way */
void emb_now(struct emb *m, char buf[32]);
void emb_later(struct emb *m, sw_manager_fn *done, void *owner, struct sw_err e); /* calls done from the loop */

struct sw_err put_start(struct emb *m);
void put_stop(struct emb *m);

/* ---- Workload objects (pure) ------------------------------------------------------------------ */

void workload_mark_wishes(json_t *w, json_t *job);
json_t *workload_build(const struct sw_kind *k, json_t *job, const char *name); /* gives; without uid and times */
json_t *workload_podsets(const struct sw_kind *k, json_t *job);                 /* gives spec.podSets */
struct sw_err workload_amounts(json_t *workload, struct sw_amounts *out);
int64_t workload_not_before(json_t *workload);
void workload_set_priority(json_t *workload, const char *class, int32_t value); /* class NULL: none */
void workload_reserve(json_t *w, const struct sw_queue_pick *pick, const struct sw_amounts *amounts, const char *now);
void workload_pending(json_t *w, const char *why, const char *now);
void workload_check(json_t *w, enum sw_check state, const char *message, const char *now);
void workload_evict(json_t *w, const char *reason, const char *message, const char *now);
void workload_release(json_t *w, int64_t requeue_at_ms, const char *now);
void workload_finish(json_t *w, enum sw_outcome outcome, const char *message, const char *now);
void workload_flavors(json_t *w, const struct sw_amounts *amounts, const char *flavors[SW_AMOUNTS_MAX]);
bool finalizer_has(json_t *o, const char *name);
void finalizer_add(json_t *o, const char *name);
bool finalizer_drop(json_t *o, const char *name); /* true: none is left */

/* ---- queue definitions ---------------------------------------------------------------------------- */

struct queue_def { /* a ClusterQueue "name" or a LocalQueue "ns/name" that exists */
	UT_hash_handle hh;
	bool exists, dirty;
	uint64_t mark;     /* of the definition: uid and generation */
	uint64_t admitted; /* with a winner */
	char key[];
};
struct priority {
	UT_hash_handle hh;
	int32_t value;
	char name[];
};

/* ---- all of it ------------------------------------------------------------------------------------------ */

struct source; /* sync.c: one resource that is followed */

struct emb {
	struct sw_manager base; /* first */
	struct sw_loop *loop;
	struct sw_api *api;
	struct sw_store *store;
	const struct sw_catalog *catalog;
	struct sw_queue *queue;
	struct sw_manager_events ev;
	bool watched, synced, closing;

	struct sw_keymap rows;
	struct name *names;
	struct arena *arena; /* rows shown this turn */
	uint64_t arena_turn;

	struct sw_reconciler *jobs, *workloads;
	struct sw_timer *pump_timer, *status_timer, *sync_timer, *boot_timer;
	json_t *bootstrap; /* or NULL */
	bool pump_wanted, status_armed;
	struct sw_async *later_wake;
	struct later *later, **later_end;
	struct ticket *tickets;
	struct flight *flights;

	struct queue_def *cqs, *lqs;
	struct priority *priorities;
	struct source *sources;
	size_t source_now;

	/* The Workload that the job reconciler is about to create, if the pump picks it meanwhile. */
	json_t *fresh;
	const char *fresh_key;
	bool fresh_reserved;

	struct kept kept; /* logs of pods that are gone */
	struct sw_live_logs live;
	struct reading *readings;

	bool (*user_ready)(void *owner, char why[128]);
	void *user_owner;
	struct sw_admit *admit;
	struct sw_log_source log_source;
	struct sw_metric *m_pending, *m_admitted, *m_evicted, *m_finished;
};

static inline struct emb *emb_of(struct sw_manager *m)
{
	return (struct emb *)m;
}
const char *emb_intern(struct emb *m, const char *text); /* NULL stays NULL */
void emb_notify(struct emb *m, const char *key);
/* An event on the user's job, or on its Workload. */
void emb_event_job(struct emb *m, const struct row *r, bool warning, const char *reason, const char *message);
void emb_event_object(struct emb *m, const char *resource, json_t *object, bool warning, const char *reason,
		      const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* sync.c */
struct sw_err sync_start(struct emb *m);
void sync_stop(struct emb *m);
void sync_on_timer(void *owner);

/* job.c */
void job_reconcile(void *owner, const char *key);
void job_seen(struct emb *m, const struct sw_kind *k, json_t *job, bool deleted);
bool job_priority(struct emb *m, json_t *job, const char **class, int32_t *value); /* false: the class does not exist */
void job_reset_status(const struct sw_kind *k, json_t *job, const char *now);
bool job_stopped_by_user(json_t *job);

/* quota.c */
void workload_reconcile(void *owner, const char *key);
void quota_pump(struct emb *m);
void quota_pump_soon(struct emb *m);
void quota_on_timer(void *owner);
struct sw_err quota_evict(struct emb *m, struct row *r, const char *reason, const char *message, sw_manager_fn *done,
			  void *owner);
struct sw_err quota_release(struct emb *m, struct row *r, const struct sw_change *c, sw_manager_fn *done, void *owner);
struct sw_err quota_let_go(struct emb *m, struct row *r, sw_manager_fn *done, void *owner);
void quota_put(struct emb *m, const char *key, json_t *workload, bool holds);
json_t *quota_job_of(struct emb *m, const struct row *r,
		     uint64_t *rv); /* gives the newest state of its job, or NULL if it is gone */

/* queues.c */
void queues_apply(struct emb *m, const char *resource, const char *ns, const char *name, json_t *object);
void queues_touch(struct emb *m, const char *ns, const char *local, const char *cluster);
void queues_count(struct emb *m, const struct row *r, int by);
void queues_on_timer(void *owner);
void queues_free(struct emb *m);
struct queue_def *queue_def_find(struct queue_def *table, const char *key);

/* change.c, finish.c, mirror.c, logs.c, admit.c, boot.c */
struct sw_err change_op(struct sw_manager *m, const char *key, uint64_t rv, const struct sw_change *c,
			sw_manager_fn *done, void *owner);
struct sw_err finish_op(struct sw_manager *m, const char *key, const char *job_uid, json_t *copy_status,
			enum sw_outcome outcome, const char *message, sw_manager_fn *done, void *owner);
struct sw_err sync_status_op(struct sw_manager *m, const char *key, const char *job_uid, json_t *copy_status,
			     sw_manager_fn *done, void *owner);
struct sw_err finish_workload(struct emb *m, const char *key, enum sw_outcome outcome, const char *message,
			      const struct put *put);
struct sw_err mirror_pod_op(struct sw_manager *m, const char *key, const char *job_uid, const char *cluster,
			    json_t *pod, sw_manager_fn *done, void *owner);
struct sw_err keep_log_op(struct sw_manager *m, const char *workload, const char *ns, const char *pod,
			  const char *container, const char *bytes, size_t n, bool cut, sw_manager_fn *done,
			  void *owner);
void logs_forget_pod(struct emb *m, json_t *pod);
void logs_start(void *owner, const struct sw_log_request *req, struct sw_log_reply *r);
void logs_stop(void *owner, struct sw_log_reply *r);
void admit_hooks(struct emb *m, struct sw_api_options *opt);
struct sw_err boot_objects(struct emb *m, json_t *extra);
void boot_free(struct emb *m);

#endif
