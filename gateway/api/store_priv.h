/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_priv.h - what the store's files share (store.h is the contract)
 *
 *   store_open.c    directory, lock, schema, pragmas, close
 *   store_write.c   preconditions against the newest state, resource versions, staging
 *   store_commit.c  the commit thread, and what the loop does with its results
 *   store_read.c    single reads on the loop
 *   store_list.c    snapshots in pages, read on libuv's pool
 *   store_watch.c   the ring of recent events and its subscribers
 *
 * A write is one struct store_op from sw_store_put() to the end: staged (this turn), queued
 * (handed to the thread), finished, published, and then an entry of the ring. Until it is
 * published it is also in the `newest` map, if no later write of the same key took its place.
 *
 * Threads: everything belongs to the loop thread, except struct committer's guarded fields and
 * a read connection while its list works. An op between queued and finished is only read.
 */
#ifndef GATEWAY_API_STORE_PRIV_H
#define GATEWAY_API_STORE_PRIV_H

#include <pthread.h>
#include <sqlite3.h>
#include <uthash.h>
#include "spillway/store.h"

enum {
	STORE_SCHEMA = 1,
	STORE_RING_BYTES = 8 << 20,
	STORE_FLIGHT_BYTES = 64 << 20, /* writes not yet committed; above: BUSY */
	STORE_READERS = 12,            /* lists at the same time; more wait */
};
#define STORE_RV_NOTE "store/rv"

enum store_what { STORE_INSERT, STORE_UPDATE, STORE_DELETE, STORE_NOTE, STORE_NOTE_DROP };

/* A resource name that was seen, its subscribers' key and its counts. */
struct store_res {
	UT_hash_handle hh;
	char name[];
};
struct store_count {
	UT_hash_handle hh;
	uint64_t n;
	char key[]; /* "resource" or "resource\nns" */
};

struct store_op {
	struct store_op *next;
	UT_hash_handle hh; /* in sw_store.newest, by id */
	enum store_what what;
	struct sw_obj_key key;
	struct store_res *res; /* NULL for notes */
	uint64_t rv;
	const char *uid;
	const char *const *owner_uids; /* NULL-terminated, or NULL */
	struct sw_bytes *object, *before;
	sw_commit_fn *done;
	void *owner;
	size_t bytes; /* what it costs in memory */
	size_t id_len;
	char id[]; /* resource NUL ns NUL name, then uid and owners */
};
struct op_list {
	struct store_op *first, **last;
	size_t n;
};
void op_list_init(struct op_list *l);
void op_list_add(struct op_list *l, struct store_op *op);
void op_list_move(struct op_list *to, struct op_list *from); /* appends; from is empty afterwards */
struct store_op *op_list_take(struct op_list *l);
void store_op_free(struct store_op *op);

struct committer {
	pthread_t thread;
	bool running;
	struct sw_async *wake;
	sqlite3 *db;
	sqlite3_stmt *insert, *update, *remove, *own, *disown, *note, *note_drop;
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t work;
	bool stop;
	struct op_list queued, finished, failed;
	struct sw_err failure;                 /* failed until the loop has seen it: nothing is taken meanwhile */
	uint64_t batches, batch_ops, batch_us; /* since the loop looked */
};

struct read_conn {
	struct read_conn *next;
	sqlite3 *db;
	sqlite3_stmt *all, *one_ns, *rv, *ids, *by_id;
};

struct sw_sub {
	struct sw_sub *next;
	struct sw_store *s;
	struct store_res *res; /* NULL: every resource */
	uint64_t seen;         /* rv of the last event delivered, or the start */
	sw_event_fn *on_event;
	void *owner;
	bool dead;
};

struct sw_store {
	struct sw_loop *loop;
	char *dir, *path;
	int lock_fd;
	bool ephemeral, closing;
	unsigned shell_refs; /* handles and running lists: the struct goes with the last */

	sqlite3 *reader;
	sqlite3_stmt *get, *owned, *note_get;
	struct read_conn *idle;
	unsigned n_readers;
	struct sw_list *waiting; /* lists without a connection */

	uint64_t given_rv, published_rv;
	struct store_op *newest; /* hash of what is in flight */
	struct op_list staged, publishing;
	size_t flight_bytes;
	uv_prepare_t turn_end;
	struct committer commit;

	struct store_op **ring; /* circular, ring_cap a power of two */
	size_t ring_cap, ring_first, ring_n, ring_bytes, ring_limit;
	uint64_t ring_floor; /* events up to this version are gone */
	struct sw_sub *subs;
	unsigned delivering;
	bool sweep_subs;

	struct store_res *resources;
	struct store_count *counts;
	struct sw_metric *m_writes, *m_commits, *m_commit_s, *m_failures, *m_objects;
};

/* store_open.c */
struct sw_err store_sql_err(sqlite3 *db, int rc, const char *what);
struct sw_err store_db_open(struct sw_store *s, int cache_kib, sqlite3 **out);
struct sw_err store_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out);
struct store_res *store_res(struct sw_store *s, const char *name); /* finds or makes */
void store_shell_unref(struct sw_store *s);

/* store_write.c */
void store_turn_end(uv_prepare_t *h); /* hands the turn's writes to the thread */

/* store_commit.c */
struct sw_err store_commit_start(struct sw_store *s);
void store_commit_stop(struct sw_store *s); /* commits what is queued, publishes it */

/* store_read.c */
struct store_found {
	bool exists, in_flight;
	uint64_t rv;
	struct sw_bytes *body; /* with a reference, or NULL */
};
struct sw_err store_find(struct sw_store *s, const struct sw_obj_key *key, bool want_body, struct store_found *out);
struct sw_err store_find_committed(struct sw_store *s, const struct sw_obj_key *key, bool want_body,
				   struct store_found *out);
struct store_op *store_in_flight(struct sw_store *s, const struct sw_obj_key *key);
struct sw_err store_read_start(struct sw_store *s); /* prepared statements, counts, the counter */
void store_read_stop(struct sw_store *s);
void store_count_add(struct sw_store *s, const struct sw_obj_key *key, int64_t by);

/* store_list.c */
void store_list_stop(struct sw_store *s);

/* store_watch.c */
void store_publish(struct sw_store *s, struct store_op *op_taken);
void store_watch_stop(struct sw_store *s);

#endif
