/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirror_priv.h - what the mirror role's files share
 *
 *   mirror.c   start and stop, the vtable            feeds.c   what is watched, and when all of it is in sight
 *   row.c      one compact row per Workload of ours  job.c     one smaller row per job
 *   check.c    our AdmissionChecks                   op.c      a call of dispatch, from first request to its answer
 *   change.c   dispatch's decisions                  home.c    status and results come home
 *   patch.c    the bodies of our writes, pure        read.c    job and Workload, whole
 *   event.c    events on the user's job              notes.c   one ConfigMap of small things
 *   lease.c    who leads                             self.c    what we refuse on our own
 *   fetch.c    one Secret or ConfigMap that a job takes along   logs.c   tails of logs that are kept here
 *
 * Truth is on the API server. Rows follow the watches and, sooner, the replies to our own writes: whichever has the
 * newer resourceVersion. Each write is one PATCH whose body carries the resourceVersion it was decided on.
 */
#ifndef SPILLWAY_MIRROR_PRIV_H
#define SPILLWAY_MIRROR_PRIV_H

#include <uthash.h>
#include "../kept.h"
#include "../manager_priv.h"
#include "spillway/keymap.h"
#include "spillway/keyq.h"
#include "spillway/kube.h"
#include "spillway/mirror.h"

#define CONTROLLER     "spillway.dev/dispatch"
#define WORKLOAD_API   "kueue.x-k8s.io", "v1beta2", "workloads"
#define LABEL_PREBUILT "kueue.x-k8s.io/prebuilt-workload-name"
#define CHECK_API      "kueue.x-k8s.io", "v1beta2", "admissionchecks"

enum { KEY_MAX = 600, FEEDS_MAX = 64, KIND_UNKNOWN = 255 };

/* ---- rows ------------------------------------------------------------------------------ */

enum wl_flag {
	WL_ACTIVE = 1,        /* spec.active */
	WL_RESERVED = 2,      /* condition QuotaReserved */
	WL_OTHERS_READY = 4,  /* every check that is not ours */
	WL_EVICTED = 8,       /* condition Evicted */
	WL_FINISHED = 16,     /* condition Finished */
	WL_DELETING = 32,     /* deletionTimestamp, or gone */
	WL_GONE = 64,         /* the object is gone; the row waits for dispatch to sweep the copies */
	WL_CHECKED = 128,     /* our check is in its list */
	WL_JOB_GONE = 256,    /* its job is being deleted, or gone */
	WL_REQUEUE_SET = 512, /* our check has requeueAfterSeconds */
	WL_UNSAID = 2048,     /* message is newer than what the API server has, and is written later */
	WL_SWEPT = 1024,      /* it is being deleted, and dispatch has swept its copies */
	WL_ELASTIC = 4096,    /* a slice of a job that wants to change its size while it runs */
};

struct job;

struct wl {
	uint64_t rv, mark;                                       /* mark: of bytes */
	struct job *job;                                         /* whose wl this row is, or NULL */
	const char *queue, *cluster_queue, *cluster, *nominated; /* interned; nominated "a,b"; NULL if none */
	char *message, *base;                                    /* NULL: none. base: counters of earlier attempts */
	char *bytes;                                             /* the object as text, while somebody may read it */
	uint32_t len, finished_s;                                /* finished_s: Unix time of the end */
	const char *priority_class;                              /* interned; NULL: none that may change */
	int32_t priority;
	int64_t created_ms;
	unsigned char uid[16], job_uid[16];
	uint16_t evictions, flags;
	uint16_t job_at, job_len; /* the job's name inside text */
	uint8_t kind, check, check_at;
	char text[]; /* key, and the job's name if it is no part of it */
};

enum job_flag {
	JOB_SUSPENDED = 1,
	JOB_MANAGED = 2,
	JOB_DELETING = 4,
	JOB_DONE = 8,
	JOB_STOPPING = 16 /* Kueue is about to stop it */
};

struct job {
	uint64_t rv, mark; /* mark: moves with what the job asks for; 0: its kind does not say */
	struct wl *wl;     /* its Workload's row, or NULL */
	char *status;      /* compact text; NULL: none */
	unsigned char uid[16];
	uint8_t kind, flags;
	char key[]; /* "RESOURCE NS/NAME" */
};

struct mir;

/* row.c */
const char *wl_key(const void *row);
struct wl *wl_find(struct mir *m, const char *key);
/* A state of the object, from a watch or a reply. NULL: gone. Older than what is known: nothing happens. */
void wl_apply(struct mir *m, const char *key, json_t *object);
void wl_drop(struct mir *m, struct wl *w); /* dispatch is told */
void wl_forget_bytes(struct mir *m, struct wl *w);
void wl_free(struct mir *m, struct wl *w);
const struct sw_kind *wl_kind(const struct wl *w); /* NULL: none that we know */
void wl_ns(const struct wl *w, char buf[260]);
void wl_job_name(const struct wl *w, char buf[254]);
struct job *wl_job(struct mir *m, const struct wl *w); /* NULL: unknown, or another one of that name */
bool wl_over(const struct wl *w);                      /* the attempt that won is over, the release is owed */
bool wl_may_place(struct mir *m, const struct wl *w);  /* quota, other checks, a job that is ours to dispatch */
bool wl_nominates(const struct wl *w, const char *cluster);
const struct sw_workload *mir_get(struct sw_manager *m, const char *key);
void mir_each(struct sw_manager *m, void (*fn)(void *owner, const struct sw_workload *w), void *owner);
void wl_changed(struct mir *m, const struct wl *w);
void wl_changed_key(struct mir *m, const char *key);
uint64_t rv_of(json_t *object); /* 0: unreadable */

/* job.c */
const char *job_key(const void *row);
struct job *job_find(struct mir *m, const struct sw_kind *k, const char *ns, const char *name);
void job_apply(struct mir *m, const struct sw_kind *k, const char *key, json_t *object); /* as wl_apply() */
void job_free(struct job *j);
void job_couple(struct job *j, struct wl *w);
json_t *job_status(const struct job *j); /* gives; an empty object if there is none */
/* The same as long as the object asks for the same: status and what else is in metadata may change under it. 0: its
 * kind counts no generations. */
uint64_t mark_read(json_t *object);
/* True if Kueue would read it as not running and could start it: then it needs no idle write. */
bool job_is_idle(const struct job *j);

/* ---- bodies, pure ------------------------------------------------------------------------- */

/* patch.c: JSON patches with the resourceVersion as precondition; each is complete when it returns. */
struct patch_words {
	const char *message; /* NULL: as it is */
	const char *now;     /* RFC 3339 */
};
void patch_nominate(struct sw_buf *b, const struct wl *w, const char *const *clusters, const struct patch_words *p);
void patch_message(struct sw_buf *b, const struct wl *w, const struct patch_words *p);
void patch_win(struct sw_buf *b, const struct wl *w, const char *cluster, const struct patch_words *p);
void patch_state(struct sw_buf *b, const struct wl *w, enum sw_check to, const struct patch_words *p);
/* base: kept for the next attempt, or NULL. requeue_s: 0: at once. */
void patch_release(struct sw_buf *b, const struct wl *w, json_t *base, int64_t requeue_s, const struct patch_words *p);
void patch_job_status(struct sw_buf *b, uint64_t rv, json_t *status);
/* message = sentence + base; base may be NULL. */
void message_join(struct sw_buf *b, const char *sentence, const char *base);
/* Cuts the base off a message in place. gives its JSON text, or NULL. */
char *message_split(char *message);
/* The status of a job that must not run here any more: legal, and Kueue reads it as not active. */
void status_idle(const struct sw_kind *k, json_t *status, const char *now);
/* What the next attempt must not count back from. gives; NULL: nothing. */
json_t *status_base(json_t *status);
/* The end, if the status does not say it: its copy did not live to. status is changed. */
void status_end(const struct sw_kind *k, json_t *status, enum sw_outcome outcome, const char *message, const char *now);

/* ---- calls of dispatch ------------------------------------------------------------------------ */

enum { OP_REQUESTS_MAX = 12, OP_WAIT_MS = 10 * 1000 };

/*
 * One call under way. run() looks at the rows as they are now and does one thing: op_send() a request, op_wait() for a
 * change of its rows, or op_end(). It is run again after each answer and each awaited change.
 */
struct op {
	struct op *prev, *next, **list;
	struct mir *m;
	char *key; /* of the Workload */
	void (*run)(struct op *o);
	/* An answer that run() wants to see first; false: it has ended the op. NULL: errors end the op. */
	bool (*on_error)(struct op *o, struct sw_err e, long status);
	bool about_job; /* of the request under way: its object is the job, else the Workload */
	bool rereads;   /* the request under way reads again after a conflict */
	bool mine;      /* the row's resourceVersion is of our own write */
	bool over;      /* it has had its answer */
	unsigned requests, depth;
	uint64_t wait_until_ms;
	struct sw_kube_call *call;
	sw_manager_fn *done;
	sw_manager_read_fn *read_done;
	void *owner;
	/* arguments */
	enum sw_change_op what;
	uint64_t rv;
	char *cluster, *message, *job_uid;
	char **clusters;
	int64_t requeue_s;
	char *status; /* of the copy, as text: hundreds may wait, and a tree is ten times as large */
	enum sw_outcome outcome;
	uint16_t evictions;     /* sync: of the attempt that status is about */
	bool plain_end;         /* finish: the copy's own status was refused */
	json_t *job, *workload; /* read */
};
struct op *op_new(struct mir *m, const char *key, void (*run)(struct op *), sw_manager_fn *done, void *owner);
void op_start(struct op *o);                      /* first run, from the loop */
void op_end(struct op *o, struct sw_err e);       /* inside run() only; which is never inside the call */
void op_wait(struct op *o, const char *for_what); /* BUSY if it takes too long */
/* PATCH of the Workload's status, or of the job's: body is taken. */
void op_patch_workload(struct op *o, struct sw_buf *body, enum sw_kube_class cls);
void op_patch_job(struct op *o, const struct wl *w, struct sw_buf *body, enum sw_kube_class cls);
void op_get_workload(struct op *o);
void op_get_job(struct op *o, const struct wl *w);
void ops_wake(struct mir *m, const char *key); /* rows of this Workload changed */
void ops_tick(struct mir *m);
void ops_free(struct mir *m);

/* change.c, read.c, home.c */
void message_run(struct op *o);
struct sw_err mir_change(struct sw_manager *m, const char *key, uint64_t rv, const struct sw_change *c,
			 sw_manager_fn *done, void *owner);
struct sw_err mir_read(struct sw_manager *m, const char *key, sw_manager_read_fn *done, void *owner);
struct sw_err mir_sync_status(struct sw_manager *m, const char *key, const char *job_uid, json_t *copy_status,
			      sw_manager_fn *done, void *owner);
struct sw_err mir_finish(struct sw_manager *m, const char *key, const char *job_uid, json_t *copy_status,
			 enum sw_outcome outcome, const char *message, sw_manager_fn *done, void *owner);
struct sw_err mir_fetch(struct sw_manager *m, const char *resource, const char *ns, const char *name,
			sw_manager_fetch_fn *done, void *owner);
void fetches_free(struct mir *m);
struct sw_err mir_keep_log(struct sw_manager *m, const char *key, const char *ns, const char *pod,
			   const char *container, const char *bytes, size_t n, bool cut, sw_manager_fn *done,
			   void *owner);
void logs_drop_job(struct mir *m, const struct job *j);
void logs_sweep(struct mir *m); /* all jobs are in sight */
void logs_close(struct mir *m);
void homes_tick(void *owner);
void homes_free(struct mir *m);
/* Makes the job one that Kueue can start, if it is not. True: a request is under way. */
bool hold_job(struct op *o, const struct wl *w, struct job *j);

/* ---- the rest -------------------------------------------------------------------------------------- */

struct feed {
	struct mir *m;
	const struct sw_kind *kind; /* NULL: checks, workloads */
	struct sw_reflector *reflector;
	bool synced, served, probed, due; /* due: to be asked for in discovery again */
	char why[200];
};
enum { FEED_CHECKS, FEED_WORKLOADS, FEED_KINDS };

struct check_name {
	UT_hash_handle hh;
	bool ours; /* controllerName is ours; false: another's, kept to know MultiKueue's */
	bool multikueue, active;
	int64_t generation;
	char rv[24], uid[37];
	char *others; /* its other conditions, as the members of a list */
	char name[];
};

struct note {
	UT_hash_handle hh;
	json_t *value;
	char name[];
};
struct note_put;
struct told;    /* event.c */
struct fetch;   /* fetch.c */
struct keeping; /* logs.c */

struct lease {
	struct sw_timer *timer;
	struct sw_kube_call *call;
	bool held, lost;
	bool checked;      /* renewed since all collections came in sight: the server was not set back meanwhile */
	char *holder;      /* as last read; "" nobody */
	char *rv;          /* of the Lease; NULL: there is none */
	uint64_t seen_ms;  /* our clock: when holder or renewTime last changed */
	uint64_t asked_ms; /* when the request under way was sent */
	uint64_t until_ms; /* we lead until then, by our clock */
	char renewed[40];  /* renewTime as last read */
	int64_t transitions;
	int64_t duration_ms; /* as the holder wrote it */
};

struct mir {
	struct sw_manager base; /* first */
	struct sw_loop *loop;
	struct sw_mirror_options opt; /* strings are our own */
	struct sw_kube *kube;
	char *kubeconfig;
	uint64_t kubeconfig_stamp;
	struct sw_manager_events ev;
	bool watched, told_synced, closing;
	char why[256];

	struct sw_keymap rows, jobs;
	struct name *names;
	struct arena *arena;
	uint64_t arena_turn;
	size_t bytes_kept;

	struct feed feeds[FEEDS_MAX];
	size_t n_feeds;
	struct sw_timer *feed_timer, *op_timer, *later_timer, *file_timer;
	struct sw_kube_call *probe;
	size_t probing;
	uint64_t looked_ms;
	struct check_name *checks;
	struct sw_reconciler *check_queue, *self_queue;
	struct wait_call *calls; /* check.c, self.c */

	struct home *homes; /* home.c: statuses that wait */
	struct sw_timer *home_timer;
	uint64_t home_due_ms;
	struct op *ops_ready, *ops_waiting, *ops_busy;
	struct fetch *fetches;
	struct kept kept;
	struct keeping *keepings;

	struct lease lease;
	struct note *notes;
	char *notes_rv;
	bool notes_known;
	struct note_put *puts;
	struct sw_kube_call *notes_call;
	struct sw_timer *notes_timer;

	struct told *told;
	struct sw_timer *told_timer;
	uint64_t told_due_ms; /* what it is set to */

	struct sw_metric *m_conflicts, *m_leads, *m_rows;
};
static inline struct mir *mir_of(struct sw_manager *m)
{
	return (struct mir *)m;
}
void mir_now(struct mir *m, char buf[32]);
/* Leading, by the clock that also runs while we are stopped. Asked right before each write. */
bool mir_may_write(struct mir *m);
void mir_state(struct mir *m); /* tells dispatch if it changed */

/* feeds.c */
struct sw_err feeds_open(struct mir *m);
void feeds_close(struct mir *m);
bool feeds_synced(const struct mir *m, const char **why);
void feeds_list_workloads(struct mir *m); /* all over again: what counts as ours has changed */

/* check.c */
void check_on_object(struct mir *m, enum sw_obj_event ev, const char *key, json_t *object);
bool check_is_ours(const struct mir *m, const char *name);
bool check_is_multikueue(const struct mir *m, const char *name);
struct sw_err checks_open(struct mir *m);
void checks_look(struct mir *m); /* this process leads now */
void checks_close(struct mir *m);

/* self.c */
struct sw_err self_open(struct mir *m);
void self_look(struct mir *m, const struct wl *w);
void self_say_later(struct mir *m, struct wl *w, const char *message);
void self_close(struct mir *m);

/* event.c */
void mir_event(struct sw_manager *m, const char *key, bool warning, const char *reason, const char *message);
void mir_event_check(struct sw_manager *m, bool warning, const char *reason, const char *message);
struct sw_err events_open(struct mir *m);
void events_close(struct mir *m);

/* notes.c */
struct sw_err mir_note_put(struct sw_manager *m, const char *name, json_t *value, sw_manager_fn *done, void *owner);
void mir_notes(struct sw_manager *m, const char *prefix, void (*fn)(void *owner, const char *name, json_t *value),
	       void *owner);
struct sw_err notes_open(struct mir *m);
void notes_read(struct mir *m); /* this process leads now: what is there? */
void notes_close(struct mir *m);

/* lease.c */
struct sw_err lease_open(struct mir *m);
void lease_close(struct mir *m);
void lease_check(struct mir *m);                 /* mir_state() follows when it is done */
void lease_lose(struct mir *m, const char *why); /* somebody else wrote what only a leader writes */

#endif
