/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_list.c - lists: a snapshot per list, read in pages on libuv's pool
 *
 * A list holds one read connection with an open read transaction until it is freed, so all its
 * pages and its version are of one moment. There are STORE_READERS connections; more lists
 * wait for one. Between pages nothing runs: the reader of the list sets the pace.
 */
#include "store_priv.h"

#include <stdlib.h>
#include <string.h>
#include "spillway/buf.h"
#include "spillway/text.h"

enum { LIST_PAGE_BYTES = 256 << 10 };

struct sw_list {
	struct sw_store *s;
	struct sw_list *next; /* in sw_store.waiting */
	struct read_conn *conn;
	sqlite3_stmt *st; /* one of conn's, while the list lives */
	char *resource, *ns, *after_ns, *after_name;
	size_t limit, max_bytes, sent;
	bool (*pick)(void *, const char *, size_t, struct sw_buf *);
	void *filter;
	void (*release)(void *);
	sw_page_fn *on_page;
	void *owner;
	uv_work_t work;
	bool began, running, freed, ended, by_rv;
	int64_t *ids; /* by_rv: the rows in their order */
	size_t n_ids, ids_cap, next_id;
	/* the page being made */
	uint64_t rv;
	struct sw_buf text; /* of all items; offsets until the page is whole */
	struct sw_buf picked;
	struct sw_list_item *items;
	size_t n, cap;
	struct sw_err err;
};

/* ---- connections ------------------------------------------------------------------- */

static void conn_free(struct read_conn *c)
{
	sqlite3_finalize(c->all);
	sqlite3_finalize(c->one_ns);
	sqlite3_finalize(c->rv);
	sqlite3_finalize(c->ids);
	sqlite3_finalize(c->by_id);
	sqlite3_close(c->db);
	free(c);
}

static struct sw_err conn_new(struct sw_store *s, struct read_conn **out)
{
	struct read_conn *c = sw_calloc(1, sizeof(*c));
	struct sw_err e = store_db_open(s, 1024, &c->db);
	if (!sw_failed(e))
		e = store_prepare(c->db,
				  "SELECT ns, name, rv, body FROM objects WHERE resource = ?1 AND (ns, name) > (?2, "
				  "?3) ORDER BY ns, name",
				  &c->all);
	if (!sw_failed(e))
		e = store_prepare(c->db,
				  "SELECT ns, name, rv, body FROM objects WHERE resource = ?1 AND ns = ?4 AND name > "
				  "?3 ORDER BY name",
				  &c->one_ns);
	if (!sw_failed(e))
		e = store_prepare(c->db,
				  "SELECT id FROM objects WHERE resource = ?1 AND (?2 IS NULL OR ns = ?2) ORDER BY rv",
				  &c->ids);
	if (!sw_failed(e))
		e = store_prepare(c->db, "SELECT ns, name, rv, body FROM objects WHERE id = ?1", &c->by_id);
	if (!sw_failed(e))
		e = store_prepare(c->db, "SELECT body FROM notes WHERE key = '" STORE_RV_NOTE "'", &c->rv);
	if (sw_failed(e)) {
		conn_free(c);
		c = NULL;
	}
	*out = c;
	return e;
}

static void list_start(struct sw_list *l);

static void conn_release(struct sw_store *s, struct read_conn *c)
{
	if (s->closing) {
		conn_free(c);
		return;
	}
	struct sw_list *l = s->waiting;
	if (!l) {
		c->next = s->idle;
		s->idle = c;
		return;
	}
	s->waiting = l->next;
	l->conn = c;
	list_start(l);
}

/* ---- on the pool ---------------------------------------------------------------------- */

/* Only the rows' numbers are sorted and kept: 8 bytes an object. */
static struct sw_err ids_read(struct sw_list *l)
{
	sqlite3_stmt *st = l->conn->ids;
	int rc;
	sqlite3_bind_text(st, 1, l->resource, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, l->ns, -1, SQLITE_STATIC);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (l->n_ids == l->ids_cap) {
			size_t cap = l->ids_cap ? l->ids_cap * 2 : 256;
			int64_t *more = realloc(l->ids, cap * sizeof(*more));
			if (!more)
				break;
			l->ids = more;
			l->ids_cap = cap;
		}
		l->ids[l->n_ids++] = sqlite3_column_int64(st, 0);
	}
	sqlite3_reset(st);
	l->st = l->conn->by_id;
	if (rc == SQLITE_ROW)
		return sw_err(SW_E_NOMEM, "store: out of memory");
	return rc == SQLITE_DONE ? SW_OK : store_sql_err(l->conn->db, rc, "ordering a list");
}

static struct sw_err snapshot_begin(struct sw_list *l)
{
	struct read_conn *c = l->conn;
	int rc = sqlite3_exec(c->db, "BEGIN", NULL, NULL, NULL);
	if (rc == SQLITE_OK && (rc = sqlite3_step(c->rv)) == SQLITE_ROW) {
		char digits[24] = "";
		size_t n = (size_t)sqlite3_column_bytes(c->rv, 0);
		memcpy(digits, sqlite3_column_blob(c->rv, 0), n < sizeof(digits) ? n : sizeof(digits) - 1);
		l->rv = strtoull(digits, NULL, 10);
		rc = SQLITE_OK;
	}
	sqlite3_reset(c->rv);
	if (rc != SQLITE_OK)
		return store_sql_err(c->db, rc, "beginning a list");
	if (l->by_rv)
		return ids_read(l);
	l->st = l->ns ? c->one_ns : c->all;
	sqlite3_bind_text(l->st, 1, l->resource, -1, SQLITE_STATIC);
	if (l->ns)
		sqlite3_bind_text(l->st, 4, l->ns, -1, SQLITE_STATIC);
	else
		sqlite3_bind_text(l->st, 2, l->after_ns ? l->after_ns : "", -1, SQLITE_STATIC);
	sqlite3_bind_text(l->st, 3, l->after_name ? l->after_name : "", -1, SQLITE_STATIC);
	return SW_OK;
}

static int row_step(struct sw_list *l)
{
	if (!l->by_rv)
		return sqlite3_step(l->st);
	if (l->next_id == l->n_ids)
		return SQLITE_DONE;
	sqlite3_reset(l->st);
	sqlite3_bind_int64(l->st, 1, l->ids[l->next_id++]);
	int rc = sqlite3_step(l->st);
	return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc; /* it was there in this very snapshot */
}

static size_t text_add(struct sw_list *l, const void *at, size_t n)
{
	size_t offset = l->text.len;
	sw_buf_put(&l->text, at, n);
	sw_buf_putc(&l->text, '\0');
	return offset;
}

static bool item_room(struct sw_list *l)
{
	if (l->n < l->cap)
		return true;
	size_t cap = l->cap ? l->cap * 2 : 128;
	void *more = realloc(l->items, cap * sizeof(*l->items));
	if (!more)
		return false;
	l->items = more;
	l->cap = cap;
	return true;
}

/* false: out of memory. Items hold offsets for now, as pointers would move with the buffer. */
static bool item_add(struct sw_list *l)
{
	const char *bytes = sqlite3_column_blob(l->st, 3);
	size_t len = (size_t)sqlite3_column_bytes(l->st, 3);
	sw_buf_reset(&l->picked);
	if (l->pick && !l->pick(l->filter, bytes, len, &l->picked))
		return true;
	if (!sw_buf_ok(&l->picked) || !item_room(l))
		return false;
	if (l->picked.len) {
		bytes = l->picked.at;
		len = l->picked.len;
	}
	struct sw_list_item *it = &l->items[l->n];
	it->ns = (const char *)text_add(l, sqlite3_column_text(l->st, 0), (size_t)sqlite3_column_bytes(l->st, 0));
	it->name = (const char *)text_add(l, sqlite3_column_text(l->st, 1), (size_t)sqlite3_column_bytes(l->st, 1));
	it->rv = (uint64_t)sqlite3_column_int64(l->st, 2);
	it->bytes = (const char *)text_add(l, bytes, len);
	it->len = len;
	l->n++;
	l->sent++;
	return sw_buf_ok(&l->text);
}

static void page_fill(struct sw_list *l)
{
	while (l->text.len < l->max_bytes || l->n == 0) {
		int rc = l->limit && l->sent >= l->limit ? SQLITE_DONE : row_step(l);
		if (rc == SQLITE_DONE) {
			l->ended = true;
			return;
		}
		if (rc != SQLITE_ROW) {
			l->err = store_sql_err(l->conn->db, rc, "reading a list");
			return;
		}
		if (!item_add(l)) {
			l->err = sw_err(SW_E_NOMEM, "store: out of memory");
			return;
		}
	}
}

static void list_work(uv_work_t *w)
{
	struct sw_list *l = w->data;
	if (!l->began) {
		l->began = true;
		l->err = snapshot_begin(l);
	}
	if (!sw_failed(l->err))
		page_fill(l);
	for (size_t i = 0; i < l->n; i++) {
		struct sw_list_item *it = &l->items[i];
		it->ns = l->text.at + (size_t)it->ns;
		it->name = l->text.at + (size_t)it->name;
		it->bytes = l->text.at + (size_t)it->bytes;
	}
}

/* ---- on the loop -------------------------------------------------------------------------- */

static void list_destroy(struct sw_list *l)
{
	struct sw_store *s = l->s;
	if (l->conn) {
		if (l->st)
			sqlite3_reset(l->st);
		if (l->began)
			sqlite3_exec(l->conn->db, "COMMIT", NULL, NULL, NULL);
		conn_release(s, l->conn);
	}
	if (l->release)
		l->release(l->filter);
	sw_buf_fini(&l->text);
	sw_buf_fini(&l->picked);
	free(l->items);
	free(l->ids);
	free(l->resource);
	free(l->ns);
	free(l->after_ns);
	free(l->after_name);
	free(l);
	store_shell_unref(s);
}

static void on_list_done(uv_work_t *w, int status)
{
	struct sw_list *l = w->data;
	(void)status; /* never cancelled */
	l->running = false;
	if (l->freed) {
		list_destroy(l);
		return;
	}
	sw_loop_doing(l->s->loop, "store: delivering a list page");
	struct sw_page page = {.items = l->items, .n = l->n, .last = l->ended, .rv = l->rv};
	struct sw_err e = l->err;
	l->on_page(l->owner, e, sw_failed(e) ? NULL : &page); /* may free l */
}

static void list_start(struct sw_list *l)
{
	l->running = true;
	l->n = 0;
	sw_buf_reset(&l->text);
	uv_queue_work(sw_loop_uv(l->s->loop), &l->work, list_work, on_list_done);
}

struct sw_err sw_store_list(struct sw_store *s, const struct sw_list_cfg *cfg, sw_page_fn *on_page, void *owner,
			    struct sw_list **out)
{
	struct read_conn *conn = s->idle;
	*out = NULL;
	if (conn) {
		s->idle = conn->next;
	} else if (s->n_readers < STORE_READERS) {
		struct sw_err e = conn_new(s, &conn);
		if (sw_failed(e))
			return e;
		s->n_readers++;
	}
	struct sw_list *l = sw_calloc(1, sizeof(*l));
	l->s = s;
	l->conn = conn;
	l->resource = sw_strdup(cfg->resource);
	l->ns = sw_strdup(cfg->ns);
	l->after_ns = sw_strdup(cfg->after_ns);
	l->after_name = sw_strdup(cfg->after_name);
	l->limit = cfg->limit;
	l->max_bytes = cfg->max_bytes ? cfg->max_bytes : LIST_PAGE_BYTES;
	l->by_rv = cfg->by_rv;
	l->pick = cfg->pick;
	l->filter = cfg->filter;
	l->release = cfg->release;
	l->on_page = on_page;
	l->owner = owner;
	l->work.data = l;
	sw_buf_init(&l->text, SIZE_MAX);
	sw_buf_init(&l->picked, SIZE_MAX);
	s->shell_refs++;
	*out = l;
	if (conn) {
		list_start(l);
		return SW_OK;
	}
	struct sw_list **tail = &s->waiting;
	while (*tail)
		tail = &(*tail)->next;
	*tail = l;
	return SW_OK;
}

void sw_store_list_next(struct sw_list *l)
{
	if (!l->running && !l->ended && !sw_failed(l->err))
		list_start(l);
}

static void unqueue(struct sw_store *s, struct sw_list *l)
{
	for (struct sw_list **link = &s->waiting; *link; link = &(*link)->next) {
		if (*link != l)
			continue;
		*link = l->next;
		return;
	}
}

void sw_store_list_free(struct sw_list *l)
{
	if (!l)
		return;
	l->freed = true;
	if (l->running)
		return; /* goes when the pool is done with it */
	if (!l->conn)
		unqueue(l->s, l);
	list_destroy(l);
}

void store_list_stop(struct sw_store *s)
{
	while (s->idle) {
		struct read_conn *next = s->idle->next;
		conn_free(s->idle);
		s->idle = next;
	}
}
