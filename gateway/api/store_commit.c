/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_commit.c - group commit: one thread, one durable transaction for all that waits
 *
 * While a transaction syncs, the next writes gather: the slower the disk, the larger the
 * groups. If a transaction fails, the thread stops taking work until the loop has refused every
 * write in flight, because later ones were checked against states that never came to be.
 */
#include "store_priv.h"

#include <signal.h>
#include <string.h>
#include "spillway/fault.h"
#include "spillway/log.h"

/* ---- on the thread ------------------------------------------------------------ */

static int step_reset(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);
	int rc2 = sqlite3_reset(st);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? rc2 : rc;
}

static void bind_key(sqlite3_stmt *st, int at, const struct sw_obj_key *k)
{
	sqlite3_bind_text(st, at, k->resource, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, at + 1, k->ns, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, at + 2, k->name, -1, SQLITE_STATIC);
}

/* Runs a statement that ends in RETURNING id. A row must be there: the loop has checked the state. */
static int step_id(sqlite3_stmt *st, sqlite3_int64 *id)
{
	int rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*id = sqlite3_column_int64(st, 0);
		rc = sqlite3_step(st);
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_INTERNAL;
	}
	int rc2 = sqlite3_reset(st);
	return rc == SQLITE_DONE ? rc2 : rc;
}

static int own_all(struct committer *c, const struct store_op *op, sqlite3_int64 id)
{
	int rc = SQLITE_OK;
	for (size_t i = 0; op->owner_uids && op->owner_uids[i] && rc == SQLITE_OK; i++) {
		sqlite3_bind_text(c->own, 1, op->owner_uids[i], -1, SQLITE_STATIC);
		sqlite3_bind_int64(c->own, 2, id);
		rc = step_reset(c->own);
	}
	return rc;
}

static int disown(struct committer *c, sqlite3_int64 id)
{
	sqlite3_bind_int64(c->disown, 1, id);
	return step_reset(c->disown);
}

static int run_insert(struct committer *c, const struct store_op *op)
{
	bind_key(c->insert, 1, &op->key);
	sqlite3_bind_text(c->insert, 4, op->uid, -1, SQLITE_STATIC);
	sqlite3_bind_int64(c->insert, 5, (sqlite3_int64)op->rv);
	sqlite3_bind_blob64(c->insert, 6, op->object->at, op->object->len, SQLITE_STATIC);
	int rc = step_reset(c->insert);
	return rc == SQLITE_OK ? own_all(c, op, sqlite3_last_insert_rowid(c->db)) : rc;
}

static int run_update(struct committer *c, const struct store_op *op)
{
	sqlite3_int64 id = 0;
	sqlite3_bind_text(c->update, 1, op->uid, -1, SQLITE_STATIC);
	sqlite3_bind_int64(c->update, 2, (sqlite3_int64)op->rv);
	sqlite3_bind_blob64(c->update, 3, op->object->at, op->object->len, SQLITE_STATIC);
	bind_key(c->update, 4, &op->key);
	int rc = step_id(c->update, &id);
	if (rc == SQLITE_OK)
		rc = disown(c, id);
	return rc == SQLITE_OK ? own_all(c, op, id) : rc;
}

static int run_delete(struct committer *c, const struct store_op *op)
{
	sqlite3_int64 id = 0;
	bind_key(c->remove, 1, &op->key);
	int rc = step_id(c->remove, &id);
	return rc == SQLITE_OK ? disown(c, id) : rc;
}

static int run_note(struct committer *c, const char *key, const char *bytes, size_t len)
{
	sqlite3_bind_text(c->note, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_blob64(c->note, 2, bytes, len, SQLITE_STATIC);
	return step_reset(c->note);
}

static int run_op(struct committer *c, const struct store_op *op)
{
	switch (op->what) {
	case STORE_INSERT:
		return run_insert(c, op);
	case STORE_UPDATE:
		return run_update(c, op);
	case STORE_DELETE:
		return run_delete(c, op);
	case STORE_NOTE:
		return run_note(c, op->key.name, op->object->at, op->object->len);
	case STORE_NOTE_DROP:
		sqlite3_bind_text(c->note_drop, 1, op->key.name, -1, SQLITE_STATIC);
		return step_reset(c->note_drop);
	}
	return SQLITE_INTERNAL;
}

static int run_rv(struct committer *c, uint64_t rv)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)rv);
	return run_note(c, STORE_RV_NOTE, digits, (size_t)n);
}

static void pass_fault_point(const char *where, const struct store_op *first)
{
	char what[256];
	snprintf(what, sizeof(what), "%s %s/%s", first->key.resource ? first->key.resource : "note",
		 first->key.ns ? first->key.ns : "", first->key.name ? first->key.name : "");
	(void)sw_fault_point(where, what); /* a commit has no reply that could be lost */
}

static struct sw_err run_batch(struct committer *c, const struct op_list *batch)
{
	uint64_t rv = 0;
	SW_REQUIRE(batch->first);
	int rc = sqlite3_exec(c->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (const struct store_op *op = batch->first; op && rc == SQLITE_OK; op = op->next) {
		rc = run_op(c, op);
		if (op->rv > rv)
			rv = op->rv;
	}
	if (rc == SQLITE_OK && rv)
		rc = run_rv(c, rv);
	if (rc == SQLITE_OK) {
		pass_fault_point("store.commit.before", batch->first);
		rc = sqlite3_exec(c->db, "COMMIT", NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK) {
		pass_fault_point("store.commit.after", batch->first);
		return SW_OK;
	}
	struct sw_err e = store_sql_err(c->db, rc, "committing");
	if (!sqlite3_get_autocommit(c->db))
		sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	return e;
}

static void batch_done(struct committer *c, struct op_list *batch, struct sw_err e, uint64_t us)
{
	c->batches++;
	c->batch_us += us;
	if (sw_failed(e)) {
		c->failure = e;
		op_list_move(&c->failed, batch);
	} else {
		c->batch_ops += batch->n;
		op_list_move(&c->finished, batch);
	}
}

static void *commit_main(void *arg)
{
	struct committer *c = arg;
	struct op_list batch;
	op_list_init(&batch);
	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (!c->stop && (!c->queued.first || sw_failed(c->failure)))
			pthread_cond_wait(&c->work, &c->lock);
		if (!c->queued.first || sw_failed(c->failure))
			break; /* told to stop, and nothing is left that could be done */
		op_list_move(&batch, &c->queued);
		pthread_mutex_unlock(&c->lock);
		uint64_t start = uv_hrtime();
		struct sw_err e = run_batch(c, &batch);
		uint64_t us = (uv_hrtime() - start) / 1000;
		pthread_mutex_lock(&c->lock);
		batch_done(c, &batch, e, us);
		sw_async_send(c->wake);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* ---- on the loop ---------------------------------------------------------------- */

static void op_land(struct sw_store *s, struct store_op *op, struct sw_err e)
{
	struct store_op *newest;
	HASH_FIND(hh, s->newest, op->id, op->id_len, newest);
	if (newest == op)
		HASH_DELETE(hh, s->newest, op);
	s->flight_bytes -= op->bytes;
	sw_commit_fn *done = op->done;
	void *owner = op->owner;
	uint64_t rv = op->rv;
	if (sw_failed(e) || !op->res)
		store_op_free(op);
	else
		store_publish(s, op);
	if (done)
		done(owner, e, rv);
}

static void count_batches(struct sw_store *s)
{
	struct committer *c = &s->commit;
	pthread_mutex_lock(&c->lock);
	op_list_move(&s->publishing, &c->finished);
	uint64_t batches = c->batches, ops = c->batch_ops, us = c->batch_us;
	c->batches = c->batch_ops = c->batch_us = 0;
	pthread_mutex_unlock(&c->lock);
	if (!batches)
		return;
	sw_metric_add(s->m_commits, (double)batches);
	sw_metric_add(s->m_writes, (double)ops);
	sw_metric_add(s->m_commit_s, (double)us / 1e6);
}

/* Refuses everything in flight. New writes made by the callbacks start from the committed state. */
static void fail_flight(struct sw_store *s)
{
	struct committer *c = &s->commit;
	struct op_list doomed;
	op_list_init(&doomed);
	pthread_mutex_lock(&c->lock);
	struct sw_err e = c->failure;
	op_list_move(&doomed, &c->failed);
	op_list_move(&doomed, &c->queued);
	op_list_move(&doomed, &s->staged);
	c->failure = SW_OK;
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
	HASH_CLEAR(hh, s->newest);
	if (e.code != SW_E_CANCELED) {
		sw_metric_add(s->m_failures, 1);
		sw_log(ERROR, "store", "commit failed, writes in flight are refused", "writes=%zu error=\"%s\"",
		       doomed.n, e.text);
	}
	for (struct store_op *op; (op = op_list_take(&doomed));)
		op_land(s, op, e);
}

static bool has_failed(struct committer *c)
{
	pthread_mutex_lock(&c->lock);
	bool failed = sw_failed(c->failure);
	pthread_mutex_unlock(&c->lock);
	return failed;
}

/* Publishes what is finished, for a bounded time: one group may hold thousands of writes. */
static void on_wake(void *owner)
{
	struct sw_store *s = owner;
	sw_loop_doing(s->loop, "store: publishing commits");
	bool failed = has_failed(&s->commit); /* read first: then everything before the failure is in `finished` */
	count_batches(s);
	uint64_t began = uv_hrtime();
	for (struct store_op *op; (op = op_list_take(&s->publishing));) {
		op_land(s, op, SW_OK);
		if (s->publishing.first && sw_loop_slice_over(s->loop, began)) {
			sw_async_send(s->commit.wake);
			return;
		}
	}
	if (failed)
		fail_flight(s);
}

static struct sw_err prepare_all(struct committer *c)
{
	const struct {
		sqlite3_stmt **st;
		const char *sql;
	} rows[] = {
		{&c->insert, "INSERT INTO objects(resource, ns, name, uid, rv, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"},
		{&c->update, "UPDATE objects SET uid = ?1, rv = ?2, body = ?3 WHERE resource = ?4 AND ns = ?5 AND name "
			     "= ?6 RETURNING id"},
		{&c->remove, "DELETE FROM objects WHERE resource = ?1 AND ns = ?2 AND name = ?3 RETURNING id"},
		{&c->own, "INSERT OR IGNORE INTO owners(uid, object) VALUES(?1, ?2)"},
		{&c->disown, "DELETE FROM owners WHERE object = ?1"},
		{&c->note,
		 "INSERT INTO notes(key, body) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET body = excluded.body"},
		{&c->note_drop, "DELETE FROM notes WHERE key = ?1"},
	};
	struct sw_err e = SW_OK;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !sw_failed(e); i++)
		e = store_prepare(c->db, rows[i].sql, rows[i].st);
	return e;
}

struct sw_err store_commit_start(struct sw_store *s)
{
	struct committer *c = &s->commit;
	op_list_init(&c->queued);
	op_list_init(&c->finished);
	op_list_init(&c->failed);
	struct sw_err e = prepare_all(c);
	if (sw_failed(e))
		return e;
	e = sw_async_new(s->loop, on_wake, s, &c->wake);
	if (sw_failed(e))
		return e;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	/* Signals belong to the loop's thread. */
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&c->thread, NULL, commit_main, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	c->running = rc == 0;
	return rc == 0 ? SW_OK : sw_err(SW_E_NOMEM, "store: starting the commit thread: %s", strerror(rc));
}

void store_commit_stop(struct sw_store *s)
{
	struct committer *c = &s->commit;
	if (c->running) {
		store_turn_end(&s->turn_end);
		pthread_mutex_lock(&c->lock);
		c->stop = true;
		pthread_cond_signal(&c->work);
		pthread_mutex_unlock(&c->lock);
		pthread_join(c->thread, NULL);
		c->running = false;
		while (s->publishing.first || c->finished.first || sw_failed(c->failure))
			on_wake(s);
		/* Written by the last callbacks: nobody will commit these. */
		c->failure = sw_err(SW_E_CANCELED, "store: closed");
		fail_flight(s);
	}
	if (c->wake)
		sw_async_free(c->wake);
	c->wake = NULL;
	sqlite3_stmt *all[] = {c->insert, c->update, c->remove, c->own, c->disown, c->note, c->note_drop};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		sqlite3_finalize(all[i]);
}
