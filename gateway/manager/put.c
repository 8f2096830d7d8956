/* SPDX-License-Identifier: Apache-2.0 */
/*
 * put.c - objects are read and written straight at the store, with a precondition
 *
 * A ticket lives as long as its write is under way. If the commit fails (disk full), what was assumed meanwhile is
 * put right from the store: the row is read again, the job is looked at again.
 */
#include <stdlib.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/text.h"

enum { OBJECT_MAX = 16 << 20 };

struct flight {
	UT_hash_handle hh;
	uint64_t rv;
	unsigned n;
	char key[];
}; /* a Workload with writes under way */

struct ticket {
	struct ticket *next, **link;
	struct emb *m;
	sw_manager_fn *done;
	void *owner;
	char *key, *retry;
};

struct later {
	struct later *next;
	sw_manager_fn *done;
	void *owner;
	struct sw_err e;
};

void emb_now(struct emb *m, char buf[32])
{
	sw_time_text(sw_loop_wall(m->loop), buf);
}

/* ---- reading ------------------------------------------------------------------------------- */

struct sw_err emb_get(struct emb *m, const char *resource, const char *ns, const char *name, json_t **out, uint64_t *rv)
{
	struct sw_obj_key key = {resource, ns, name};
	struct sw_bytes *bytes = NULL;
	struct sw_err e = sw_store_latest(m->store, &key, &bytes, rv);

	*out = NULL;
	if (sw_failed(e))
		return e;
	e = sw_json_parse(bytes->at, bytes->len, out);
	sw_bytes_unref(bytes);
	return sw_err_wrap(e, "stored %s %s/%s", resource, ns, name);
}

struct sw_err emb_get_key(struct emb *m, const char *resource, const char *key, json_t **out, uint64_t *rv)
{
	const char *slash = strchr(key, '/');
	char ns[260];

	*out = NULL;
	if (!slash || slash - key >= (ptrdiff_t)sizeof(ns))
		return sw_err(SW_E_MISSING, "%s \"%s\" not found", resource, key);
	memcpy(ns, key, (size_t)(slash - key));
	ns[slash - key] = '\0';
	return emb_get(m, resource, ns, slash + 1, out, rv);
}

/* ---- tickets --------------------------------------------------------------------------------- */

static struct flight *flight_find(struct emb *m, const char *key)
{
	struct flight *f;

	HASH_FIND_STR(m->flights, key, f);
	return f;
}

bool emb_in_flight(struct emb *m, const char *key, uint64_t rv)
{
	struct flight *f = flight_find(m, key);

	return f && f->rv > rv;
}

static void flight_begin(struct emb *m, const char *key, uint64_t rv)
{
	struct flight *f = flight_find(m, key);

	if (!f) {
		f = sw_calloc(1, sizeof(*f) + strlen(key) + 1);
		memcpy(f->key, key, strlen(key) + 1);
		HASH_ADD_STR(m->flights, key, f);
	}
	f->rv = rv;
	f->n++;
}

static void flight_end(struct emb *m, const char *key)
{
	struct flight *f = flight_find(m, key);

	if (!f || --f->n)
		return;
	HASH_DEL(m->flights, f);
	free(f);
}

static struct ticket *ticket_new(struct emb *m, const struct put *put)
{
	struct ticket *t = sw_calloc(1, sizeof(*t));

	t->m = m;
	t->done = put->done;
	t->owner = put->owner;
	t->key = sw_strdup(put->key);
	t->retry = sw_strdup(put->retry);
	t->next = m->tickets;
	t->link = &m->tickets;
	if (t->next)
		t->next->link = &t->next;
	m->tickets = t;
	return t;
}

static void ticket_free(struct ticket *t)
{
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	free(t->key);
	free(t->retry);
	free(t);
}

/* The commit failed: the world is as the store has it. */
static void put_right(struct emb *m, const struct ticket *t)
{
	json_t *w = NULL;
	uint64_t rv = 0;

	if (t->retry)
		sw_reconciler_add_in(m->jobs, t->retry, 1000);
	if (!t->key)
		return;
	struct sw_err e = emb_get_key(m, WORKLOADS, t->key, &w, &rv);

	if (!sw_failed(e) || e.code == SW_E_MISSING)
		row_apply(m, t->key, rv, w);
	json_object_put(w);
	sw_reconciler_add_in(m->workloads, t->key, 1000);
}

static void on_commit(void *owner, struct sw_err e, uint64_t rv)
{
	struct ticket *t = owner;
	struct emb *m = t->m;

	(void)rv;
	if (t->key)
		flight_end(m, t->key);
	if (!m->closing && sw_failed(e))
		put_right(m, t);
	if (!m->closing && t->done)
		t->done(t->owner, e);
	ticket_free(t);
}

/* ---- writing ------------------------------------------------------------------------------------ */

static void members(struct sw_buf *b, json_t *o, const char *skip_a, const char *skip_b, const char *skip_c)
{
	if (!json_object_is_type(o, json_type_object))
		return;
	json_object_object_foreach(o, key, v)
	{
		if (strcmp(key, skip_a) == 0 || strcmp(key, skip_b) == 0 || strcmp(key, skip_c) == 0)
			continue;
		sw_buf_putc(b, ',');
		sw_buf_json_str(b, key);
		sw_buf_putc(b, ':');
		sw_buf_json(b, v);
	}
}

/* The text in the order in which the API server stores it. Returns the length up to where resourceVersion's digits go.
 */
static size_t object_text(struct sw_buf *b, json_t *o)
{
	size_t at;

	sw_buf_puts(b, "{\"kind\":");
	sw_buf_json_str(b, sw_json_str(o, "kind"));
	sw_buf_puts(b, ",\"apiVersion\":");
	sw_buf_json_str(b, sw_json_str(o, "apiVersion"));
	sw_buf_puts(b, ",\"metadata\":{\"resourceVersion\":\"");
	at = b->len;
	sw_buf_putc(b, '"');
	members(b, sw_json_key(o, "metadata"), "resourceVersion", "", "");
	sw_buf_putc(b, '}');
	members(b, o, "kind", "apiVersion", "metadata");
	sw_buf_putc(b, '}');
	return at;
}

enum { OWNERS_MAX = 16 };

static void owners_of(json_t *o, const char *out[OWNERS_MAX + 1])
{
	json_t *list = sw_json_at(o, "metadata.ownerReferences");
	size_t n = 0;

	for (size_t i = 0; i < sw_json_len(list) && n < OWNERS_MAX; i++) {
		const char *uid = sw_json_str(sw_json_idx(list, i), "uid");

		if (uid)
			out[n++] = uid;
	}
	out[n] = NULL;
}

static struct sw_err write_one(struct emb *m, const char *resource, json_t *o, uint64_t expect_rv,
			       const struct put *put, bool erase)
{
	static const struct put nobody = {0};
	const char *ns = sw_json_str(o, "metadata.namespace"), *owners[OWNERS_MAX + 1];
	struct ticket *t = ticket_new(m, put ? put : &nobody);
	struct sw_buf b;
	uint64_t rv = 0;

	sw_buf_init(&b, OBJECT_MAX);
	owners_of(o, owners);
	size_t at = object_text(&b, o);
	struct sw_put p = {.key = {resource, ns ? ns : "", sw_json_str(o, "metadata.name")},
			   .expect_rv = expect_rv,
			   .uid = sw_json_str(o, "metadata.uid"),
			   .owner_uids = owners,
			   .head = b.at,
			   .head_len = at};
	struct sw_err e =
		sw_buf_ok(&b) ? SW_OK : sw_err(SW_E_TOOBIG, "%s %s: over %d bytes", resource, p.key.name, OBJECT_MAX);

	if (!sw_failed(e)) {
		p.tail = b.at + at;
		p.tail_len = b.len - at;
		e = erase ? sw_store_delete(m->store, &p, on_commit, t, &rv)
			  : sw_store_put(m->store, &p, on_commit, t, &rv);
	}
	if (sw_failed(e))
		ticket_free(t);
	else if (t->key)
		flight_begin(m, t->key, rv);
	sw_buf_fini(&b);
	return e;
}

struct sw_err emb_put(struct emb *m, const char *resource, json_t *o, uint64_t expect_rv, const struct put *put)
{
	return write_one(m, resource, o, expect_rv, put, false);
}

struct sw_err emb_erase(struct emb *m, const char *resource, json_t *o, uint64_t expect_rv, const struct put *put)
{
	return write_one(m, resource, o, expect_rv, put, true);
}

struct sw_err emb_note(struct emb *m, const char *key, const char *bytes, size_t n, sw_manager_fn *done, void *owner)
{
	struct put put = {.done = done, .owner = owner};
	struct ticket *t = ticket_new(m, &put);
	struct sw_err e = sw_store_note_put(m->store, key, bytes, n, on_commit, t);

	if (sw_failed(e))
		ticket_free(t);
	return e;
}

void emb_begin(struct emb *m, json_t *o)
{
	char uid[37], now[32];

	emb_now(m, now);
	sw_json_set_str(o, "metadata.uid", sw_uuid(uid));
	sw_json_set_str(o, "metadata.creationTimestamp", now);
	sw_json_set_int(o, "metadata.generation", 1);
}

/* ---- answers from the loop --------------------------------------------------------------------------- */

static void on_later(void *owner)
{
	struct emb *m = owner;
	uint64_t began = uv_hrtime();

	sw_loop_doing(m->loop, "manager: answers");
	while (m->later && !m->closing) {
		struct later *l = m->later;

		m->later = l->next;
		if (!m->later)
			m->later_end = &m->later;
		l->done(l->owner, l->e);
		free(l);
		if (m->later && sw_loop_slice_over(m->loop, began)) {
			sw_async_send(m->later_wake);
			return;
		}
	}
}

void emb_later(struct emb *m, sw_manager_fn *done, void *owner, struct sw_err e)
{
	if (!done)
		return;
	struct later *l = sw_calloc(1, sizeof(*l));

	*l = (struct later){.done = done, .owner = owner, .e = e};
	*m->later_end = l;
	m->later_end = &l->next;
	sw_async_send(m->later_wake);
}

struct sw_err put_start(struct emb *m)
{
	m->later_end = &m->later;
	return sw_async_new(m->loop, on_later, m, &m->later_wake);
}

void put_stop(struct emb *m)
{
	struct flight *f, *next;

	for (struct ticket *t = m->tickets, *after; t; t = after) {
		after = t->next;
		ticket_free(t);
	}
	while (m->later) {
		struct later *l = m->later;

		m->later = l->next;
		free(l);
	}
	HASH_ITER(hh, m->flights, f, next)
	{
		HASH_DEL(m->flights, f);
		free(f);
	}
	sw_async_free(m->later_wake);
}
