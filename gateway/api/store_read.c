/* SPDX-License-Identifier: Apache-2.0 */
/* store_read.c - single reads on the loop: by key, by owner, notes, counts */
#include "store_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/buf.h"
#include "spillway/text.h"

/* ---- by key --------------------------------------------------------------------- */

struct store_op *store_in_flight(struct sw_store *s, const struct sw_obj_key *key)
{
	char id[1024];
	if (!s->newest)
		return NULL;
	size_t nr = strlen(key->resource) + 1, nn = strlen(key->ns) + 1, nm = strlen(key->name) + 1;
	if (nr + nn + nm > sizeof(id))
		return NULL; /* no such name passes validation; notes are shorter by contract */
	memcpy(id, key->resource, nr);
	memcpy(id + nr, key->ns, nn);
	memcpy(id + nr + nn, key->name, nm);
	struct store_op *op;
	HASH_FIND(hh, s->newest, id, nr + nn + nm, op);
	return op;
}

struct sw_err store_find_committed(struct sw_store *s, const struct sw_obj_key *key, bool want_body,
				   struct store_found *out)
{
	struct sw_err e = SW_OK;
	*out = (struct store_found){.exists = false};
	sqlite3_bind_text(s->get, 1, key->resource, -1, SQLITE_STATIC);
	sqlite3_bind_text(s->get, 2, key->ns, -1, SQLITE_STATIC);
	sqlite3_bind_text(s->get, 3, key->name, -1, SQLITE_STATIC);
	int rc = sqlite3_step(s->get);
	if (rc == SQLITE_ROW) {
		out->exists = true;
		out->rv = (uint64_t)sqlite3_column_int64(s->get, 0);
		if (want_body) {
			const char *at = sqlite3_column_blob(s->get, 1);
			out->body = sw_bytes_new(at, (size_t)sqlite3_column_bytes(s->get, 1));
			if (!out->body)
				e = sw_err(SW_E_NOMEM, "store: out of memory");
		}
	} else if (rc != SQLITE_DONE) {
		e = store_sql_err(s->reader, rc, "reading an object");
	}
	sqlite3_reset(s->get);
	return e;
}

struct sw_err store_find(struct sw_store *s, const struct sw_obj_key *key, bool want_body, struct store_found *out)
{
	struct store_op *op = store_in_flight(s, key);
	if (!op)
		return store_find_committed(s, key, want_body, out);
	*out = (struct store_found){.exists = op->what != STORE_DELETE, .in_flight = true, .rv = op->rv};
	if (out->exists && want_body)
		out->body = sw_bytes_ref(op->object);
	return SW_OK;
}

static struct sw_err found_give(const struct store_found *f, const struct sw_obj_key *key, struct sw_bytes **out,
				uint64_t *rv)
{
	*out = f->body;
	if (rv)
		*rv = f->rv;
	return f->exists ? SW_OK : sw_err(SW_E_MISSING, "%s \"%s\" not found", key->resource, key->name);
}

struct sw_err sw_store_get(struct sw_store *s, const struct sw_obj_key *key, struct sw_bytes **out, uint64_t *rv)
{
	struct store_found f;
	struct sw_err e = store_find_committed(s, key, true, &f);
	if (!sw_failed(e))
		return found_give(&f, key, out, rv);
	*out = NULL;
	return e;
}

struct sw_err sw_store_latest(struct sw_store *s, const struct sw_obj_key *key, struct sw_bytes **out, uint64_t *rv)
{
	struct store_found f;
	struct sw_err e = store_find(s, key, true, &f);
	if (!sw_failed(e))
		return found_give(&f, key, out, rv);
	*out = NULL;
	return e;
}

/* ---- by owner --------------------------------------------------------------------- */

struct sw_err sw_store_owned_by(struct sw_store *s, const char *uid, sw_owned_fn *each, void *owner)
{
	/* Keys are collected first: `each` may call back into the store. */
	struct sw_buf keys;
	size_t n = 0;
	int rc;
	sw_buf_init(&keys, SIZE_MAX);
	sqlite3_bind_text(s->owned, 1, uid, -1, SQLITE_STATIC);
	while ((rc = sqlite3_step(s->owned)) == SQLITE_ROW) {
		for (int i = 0; i < 3; i++)
			sw_buf_put(&keys, sqlite3_column_text(s->owned, i),
				   (size_t)sqlite3_column_bytes(s->owned, i) + 1);
		n++;
	}
	sqlite3_reset(s->owned);
	struct sw_err e = rc != SQLITE_DONE  ? store_sql_err(s->reader, rc, "reading owned objects")
			  : sw_buf_ok(&keys) ? SW_OK
					     : sw_err(SW_E_NOMEM, "store: out of memory");
	const char *at = keys.at;
	for (; n > 0 && !sw_failed(e); n--) {
		struct sw_obj_key k = {.resource = at};
		k.ns = k.resource + strlen(k.resource) + 1;
		k.name = k.ns + strlen(k.ns) + 1;
		at = k.name + strlen(k.name) + 1;
		each(owner, &k);
	}
	sw_buf_fini(&keys);
	return e;
}

/* ---- counts ----------------------------------------------------------------------- */

static struct store_count *count_at(struct sw_store *s, const char *resource, const char *ns, bool make)
{
	char key[640];
	int n = ns ? snprintf(key, sizeof(key), "%s\n%s", resource, ns) : snprintf(key, sizeof(key), "%s", resource);
	if (n < 0 || (size_t)n >= sizeof(key))
		return NULL;
	struct store_count *c;
	HASH_FIND_STR(s->counts, key, c);
	if (c || !make)
		return c;
	c = sw_calloc(1, sizeof(*c) + (size_t)n + 1);
	memcpy(c->key, key, (size_t)n + 1);
	HASH_ADD_STR(s->counts, key, c);
	return c;
}

void store_count_add(struct sw_store *s, const struct sw_obj_key *key, int64_t by)
{
	struct store_count *all = count_at(s, key->resource, NULL, true);
	struct store_count *one = *key->ns ? count_at(s, key->resource, key->ns, true) : NULL;
	if (all) {
		all->n += (uint64_t)by;
		sw_metric_set(s->m_objects, (double)all->n, key->resource);
	}
	if (!one)
		return;
	one->n += (uint64_t)by;
	if (!one->n) { /* namespaces come and go */
		HASH_DEL(s->counts, one);
		free(one);
	}
}

uint64_t sw_store_count(struct sw_store *s, const char *resource, const char *ns)
{
	struct store_count *c = count_at(s, resource, ns, false);
	return c ? c->n : 0;
}

static struct sw_err counts_load(struct sw_store *s)
{
	sqlite3_stmt *st = NULL;
	struct sw_err e =
		store_prepare(s->reader, "SELECT resource, ns, count(*) FROM objects GROUP BY resource, ns", &st);
	int rc = SQLITE_DONE;
	while (!sw_failed(e) && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct sw_obj_key k = {(const char *)sqlite3_column_text(st, 0),
				       (const char *)sqlite3_column_text(st, 1), ""};
		store_count_add(s, &k, sqlite3_column_int64(st, 2));
	}
	if (!sw_failed(e) && rc != SQLITE_DONE)
		e = store_sql_err(s->reader, rc, "counting objects");
	sqlite3_finalize(st);
	return e;
}

/* ---- notes ------------------------------------------------------------------------ */

struct sw_err sw_store_note_get(struct sw_store *s, const char *key, struct sw_bytes **out)
{
	struct sw_obj_key id = {.resource = "", .ns = "", .name = key};
	struct store_op *op = store_in_flight(s, &id);
	struct sw_err e = SW_OK;
	*out = NULL;
	if (op) {
		if (op->what == STORE_NOTE)
			*out = sw_bytes_ref(op->object);
		return *out ? SW_OK : sw_err(SW_E_MISSING, "note %s is not there", key);
	}
	sqlite3_bind_text(s->note_get, 1, key, -1, SQLITE_STATIC);
	int rc = sqlite3_step(s->note_get);
	if (rc == SQLITE_ROW) {
		*out = sw_bytes_new(sqlite3_column_blob(s->note_get, 0), (size_t)sqlite3_column_bytes(s->note_get, 0));
		if (!*out)
			e = sw_err(SW_E_NOMEM, "store: out of memory");
	} else {
		e = rc == SQLITE_DONE ? sw_err(SW_E_MISSING, "note %s is not there", key)
				      : store_sql_err(s->reader, rc, "reading a note");
	}
	sqlite3_reset(s->note_get);
	return e;
}

/* A statement of its own: `each` may read notes too. */
struct sw_err sw_store_notes(struct sw_store *s, const char *prefix, sw_note_fn *each, void *owner)
{
	sqlite3_stmt *st = NULL;
	struct sw_err e = store_prepare(
		s->reader,
		"SELECT key, body FROM notes WHERE substr(key, 1, length(?1)) = ?1 AND key >= ?1 ORDER BY key", &st);
	int rc = SQLITE_DONE;
	if (!sw_failed(e))
		sqlite3_bind_text(st, 1, prefix, -1, SQLITE_STATIC);
	while (!sw_failed(e) && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		const char *bytes = sqlite3_column_blob(st, 1);
		each(owner, (const char *)sqlite3_column_text(st, 0), bytes ? bytes : "",
		     (size_t)sqlite3_column_bytes(st, 1));
	}
	if (!sw_failed(e) && rc != SQLITE_DONE)
		e = store_sql_err(s->reader, rc, "reading notes");
	sqlite3_finalize(st);
	return e;
}

/* ---- start and stop ----------------------------------------------------------------- */

static struct sw_err counter_load(struct sw_store *s)
{
	struct sw_bytes *text = NULL;
	struct sw_err e = sw_store_note_get(s, STORE_RV_NOTE, &text);
	if (sw_failed(e))
		return sw_err_wrap(e, "%s: no resource version counter", s->path);
	SW_REQUIRE(text);
	s->given_rv = s->published_rv = s->ring_floor = strtoull(text->at, NULL, 10);
	sw_bytes_unref(text);
	return SW_OK;
}

struct sw_err store_read_start(struct sw_store *s)
{
	const struct {
		sqlite3_stmt **st;
		const char *sql;
	} rows[] = {
		{&s->get, "SELECT rv, body FROM objects WHERE resource = ?1 AND ns = ?2 AND name = ?3"},
		{&s->owned, "SELECT resource, ns, name FROM owners JOIN objects ON objects.id = owners.object WHERE "
			    "owners.uid = ?1"},
		{&s->note_get, "SELECT body FROM notes WHERE key = ?1"},
	};
	struct sw_err e = SW_OK;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !sw_failed(e); i++)
		e = store_prepare(s->reader, rows[i].sql, rows[i].st);
	if (!sw_failed(e))
		e = counter_load(s);
	return sw_failed(e) ? e : counts_load(s);
}

void store_read_stop(struct sw_store *s)
{
	sqlite3_finalize(s->get);
	sqlite3_finalize(s->owned);
	sqlite3_finalize(s->note_get);
	sqlite3_close(s->reader);
	s->reader = NULL;
}

uint64_t sw_store_rv(const struct sw_store *s)
{
	return s->published_rv;
}
