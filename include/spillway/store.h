/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - the embedded API server's state: objects in SQLite, group commit, watch events
 *
 * One counter of resource versions for everything, never going back across a restart.
 * Objects are JSON bytes, complete as served (resourceVersion inside). Nothing is kept in
 * memory per object: SQLite is the index; memory holds what is in flight and a bounded ring
 * of recent events.
 *
 * Writes. sw_store_put/delete check their precondition at once against the newest state
 * (committed or in flight), get their resourceVersion, and are handed to the commit thread,
 * which makes one durable transaction of all that wait (WAL, synchronous=FULL: one fsync for
 * the batch). done runs on the loop after that. Until then nobody reads the write, except
 * sw_store_latest(). If a commit fails (disk full) every write in flight fails with IO, the
 * in-flight state is dropped, reads go on, and the next write tries again.
 *
 * Order: done callbacks and watch events come in resourceVersion order; an event is published
 * right before its writer's done.
 *
 * Ownership  bytes given to the store are taken; bytes from it are shared (sw_blob_ref).
 * Threads    loop thread; the store has one commit thread, and lists run on libuv's pool.
 * One process per directory: a lock file says who holds it.
 */
#ifndef SPILLWAY_STORE_H
#define SPILLWAY_STORE_H

#include <stdint.h>
#include "spillway/buf.h"
#include "spillway/err.h"
#include "spillway/loop.h"
#include "spillway/metrics.h"

struct sw_store;

/* Immutable, reference-counted bytes. Loop thread only. */
struct sw_bytes {
	unsigned refs;
	size_t len;
	char at[];
};
struct sw_bytes *sw_bytes_new(const char *at, size_t len); /* gives, refs = 1, NUL-terminated */
struct sw_bytes *sw_bytes_ref(struct sw_bytes *b);
void sw_bytes_unref(struct sw_bytes *b); /* NULL is fine */

struct sw_store_options {
	const char *dir;    /* made with mode 0700 if missing */
	bool ephemeral;     /* simulators: no fsync, state need not survive */
	size_t event_bytes; /* ring of recent events kept for watchers; 0: 8 MiB */
	struct sw_metrics *metrics;
};
__attribute__((warn_unused_result)) struct sw_err
sw_store_open(struct sw_loop *loop, const struct sw_store_options *opt, struct sw_store **out);
void sw_store_close(struct sw_store *s);        /* waits for the running commit; NULL is fine */
uint64_t sw_store_rv(const struct sw_store *s); /* of the newest *committed* write */

/* What names an object. kind: index of a resource row (resource.h), stable on disk by its name. */
struct sw_obj_key {
	const char *resource; /* "jobs.batch", "pods" */
	const char *ns;       /* "" if cluster-scoped */
	const char *name;
};

/* ---- reading --------------------------------------------------------------- */

/* Committed state. gives a reference; MISSING if absent. */
__attribute__((warn_unused_result)) struct sw_err sw_store_get(struct sw_store *s, const struct sw_obj_key *key,
							       struct sw_bytes **out, uint64_t *rv);
/* Newest state, in flight or committed: what a read-modify-write must start from. */
__attribute__((warn_unused_result)) struct sw_err sw_store_latest(struct sw_store *s, const struct sw_obj_key *key,
								  struct sw_bytes **out, uint64_t *rv);

/*
 * A list is a snapshot read in pages off the loop: each page has whole objects, at least one, up
 * to about max_bytes, in key order (ns, name). on_page runs on the loop; ask for more with
 * sw_store_list_next(), end early with sw_store_list_free() (always needed). rv is the
 * snapshot's, the same on every page.
 */
struct sw_list;
struct sw_list_item {
	const char *ns, *name;
	uint64_t rv;
	const char *bytes;
	size_t len;
};
struct sw_page {
	const struct sw_list_item *items;
	size_t n;
	bool last;
	uint64_t rv;
}; /* lent */
typedef void sw_page_fn(void *owner, struct sw_err err, const struct sw_page *page);
struct sw_list_cfg {
	const char *resource, *ns;         /* ns NULL: all namespaces */
	const char *after_ns, *after_name; /* continue behind this key, or NULL */
	size_t limit;                      /* objects in all; 0: no limit */
	size_t max_bytes;                  /* a page; 0: 256 KiB */
	bool by_rv;                        /* oldest change first, instead of key order; without after_* */
	/* Runs on a pool thread, one object at a time: touch nothing but filter. false leaves the object out. What it
	 * writes to out, if anything, takes the place of the object's bytes in the page. NULL: all, as they are. */
	bool (*pick)(void *filter, const char *bytes, size_t len, struct sw_buf *out);
	void *filter;
	void (*release)(void *filter); /* once no thread uses it any more (after sw_store_list_free()); or NULL */
};
__attribute__((warn_unused_result)) struct sw_err sw_store_list(struct sw_store *s, const struct sw_list_cfg *cfg,
								sw_page_fn *on_page, void *owner, struct sw_list **out);
void sw_store_list_next(struct sw_list *l);
void sw_store_list_free(struct sw_list *l); /* safe inside on_page; NULL is fine */

/* Objects whose ownerReferences name this uid (kept in an index): calls each with lent keys. Committed state. */
typedef void sw_owned_fn(void *owner, const struct sw_obj_key *key);
struct sw_err sw_store_owned_by(struct sw_store *s, const char *uid, sw_owned_fn *each, void *owner);
uint64_t sw_store_count(struct sw_store *s, const char *resource, const char *ns /* NULL: all */);

/* ---- writing --------------------------------------------------------------- */

typedef void sw_commit_fn(void *owner, struct sw_err err, uint64_t rv);
enum { SW_RV_ANY = 0 };         /* no precondition */
#define SW_RV_ABSENT UINT64_MAX /* must not exist */

struct sw_put {
	struct sw_obj_key key;
	uint64_t expect_rv;            /* SW_RV_ANY, SW_RV_ABSENT, or the newest resourceVersion */
	const char *uid;               /* of the object */
	const char *const *owner_uids; /* NULL-terminated, or NULL */
	/* The JSON up to and after the place where the resourceVersion's digits go. Copied. */
	const char *head;
	size_t head_len;
	const char *tail;
	size_t tail_len;
};
/* CONFLICT or EXISTS at once if the precondition fails (done is then not called). *rv: the new version. done may be
 * NULL. */
__attribute__((warn_unused_result)) struct sw_err sw_store_put(struct sw_store *s, const struct sw_put *put,
							       sw_commit_fn *done, void *owner, uint64_t *rv);
/* last state with its new resourceVersion is what DELETED events carry (head/tail as above). */
__attribute__((warn_unused_result)) struct sw_err sw_store_delete(struct sw_store *s, const struct sw_put *last_state,
								  sw_commit_fn *done, void *owner, uint64_t *rv);

/* ---- notes: small durable key/values that are not API objects (identity, intents, tombstones, log tails) ---- */
__attribute__((warn_unused_result)) struct sw_err sw_store_note_put(struct sw_store *s, const char *key,
								    const void *bytes /* NULL: delete */, size_t len,
								    sw_commit_fn *done, void *owner);
__attribute__((warn_unused_result)) struct sw_err sw_store_note_get(struct sw_store *s, const char *key,
								    struct sw_bytes **out);
typedef void sw_note_fn(void *owner, const char *key, const char *bytes, size_t len);
struct sw_err sw_store_notes(struct sw_store *s, const char *prefix, sw_note_fn *each, void *owner);

/* ---- watching --------------------------------------------------------------- */

enum sw_event_type { SW_ADDED, SW_MODIFIED, SW_DELETED };
struct sw_event {
	enum sw_event_type type;
	struct sw_obj_key key;
	uint64_t rv;
	struct sw_bytes *object; /* lent; take a reference to keep it */
	struct sw_bytes *before; /* the state it replaced, or NULL: to tell who left a selector */
};
typedef void sw_event_fn(void *owner, const struct sw_event *ev);
struct sw_sub;
/* Events of a resource (NULL: all) after from_rv. GONE if from_rv is older than the ring (relist), or
 * newer than the store (BUSY). Past events are delivered from inside, in order, before it returns. */
__attribute__((warn_unused_result)) struct sw_err sw_store_watch(struct sw_store *s, const char *resource,
								 uint64_t from_rv, sw_event_fn *on_event, void *owner,
								 struct sw_sub **out);
void sw_store_unwatch(struct sw_sub *sub); /* safe inside on_event; NULL is fine */

#endif
