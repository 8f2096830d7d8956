/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notes.c - durable small things (identity, tombstones, intents) in one ConfigMap
 *
 * data["n" + hex(name)] = {"name":...,"value":...}. A leader reads it once, when it begins to lead, and keeps it in
 * memory; each change is a merge patch that carries the resourceVersion. So a leader that is not one any more is
 * refused (409): what it then finds was written by somebody else, and it stops. Puts go one after the other; those that
 * wait together share a request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "mirror_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { RETRY_MS = 500, NOTES_MAX = 900 << 10 };
#define WRITER "spillway.dev/writer" /* annotation: the identity of who wrote last */

struct note_put {
	struct note_put *prev, *next;
	char *name;
	json_t *value; /* NULL: deleted */
	bool sent;
	sw_manager_fn *done;
	void *owner;
};

/* ---- in memory --------------------------------------------------------------------------------- */

static void note_drop(struct mir *m, struct note *n)
{
	HASH_DEL(m->notes, n);
	json_object_put(n->value);
	free(n);
}

static void note_set(struct mir *m, const char *name, json_t *value)
{
	struct note *n;

	HASH_FIND_STR(m->notes, name, n);
	if (n)
		note_drop(m, n);
	if (!value)
		return;
	n = sw_calloc(1, sizeof(*n) + strlen(name) + 1);
	memcpy(n->name, name, strlen(name) + 1);
	n->value = sw_json_copy(value);
	HASH_ADD_STR(m->notes, name, n);
}

static void notes_clear(struct mir *m)
{
	struct note *n, *next;

	HASH_ITER(hh, m->notes, n, next)
	note_drop(m, n);
}

static void data_key(const char *name, struct sw_buf *b)
{
	sw_buf_putc(b, 'n');
	for (const char *c = name; *c; c++)
		sw_buf_printf(b, "%02x", (unsigned char)*c);
}

static void load(struct mir *m, json_t *object)
{
	json_t *data = sw_json_key(object, "data");
	const char *rv = sw_json_str(object, "metadata.resourceVersion");

	notes_clear(m);
	free(m->notes_rv);
	m->notes_rv = sw_strdup(rv);
	if (!json_object_is_type(data, json_type_object))
		return;
	json_object_object_foreach(data, key, v)
	{
		json_t *o = NULL;
		const char *text = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";

		if (*key == 'n' && !sw_failed(sw_json_parse(text, strlen(text), &o)) && sw_json_str(o, "name"))
			note_set(m, sw_json_str(o, "name"), sw_json_key(o, "value"));
		else
			sw_log(WARN, "manager", "a note cannot be read and is left alone", "key=%.80s", key);
		json_object_put(o);
	}
}

/* ---- requests -------------------------------------------------------------------------------------- */

static void notes_path(struct mir *m, struct sw_buf *path, bool named)
{
	sw_buf_init(path, 2048);
	sw_kube_path(path, "", "v1", "configmaps", m->opt.ns, named ? m->opt.lease : NULL, NULL);
}

static struct sw_err request(struct mir *m, const char *method, bool named, struct sw_buf *body, sw_kube_fn *done)
{
	struct sw_buf path;
	struct sw_kube_req req = {.cls = SW_KUBE_FENCE, .method = method};
	struct sw_err e;

	notes_path(m, &path, named);
	req.path = path.at;
	if (body) {
		req.content_type = strcmp(method, "PATCH") == 0 ? SW_MERGE_PATCH : NULL;
		req.body = body->at;
		req.body_len = body->len;
	}
	if (body && !sw_buf_ok(body))
		e = sw_err(SW_E_TOOBIG, "the notes in configmap %s/%s would be over %d bytes", m->opt.ns, m->opt.lease,
			   NOTES_MAX);
	else
		e = sw_kube_start(m->kube, &req, done, m, &m->notes_call);
	sw_buf_fini(&path);
	return e;
}

static void again(struct mir *m, struct sw_err e)
{
	sw_log(WARN, "manager", "notes", "error=\"%s\"", e.text);
	sw_timer_in(m->notes_timer, RETRY_MS);
}

/* ---- reading, when we begin to lead ------------------------------------------------------------------ */

static void on_made(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct mir *m = owner;

	m->notes_call = NULL;
	if (sw_failed(err)) {
		again(m, err);
		return;
	}
	load(m, reply->object);
	m->notes_known = true;
	mir_state(m);
}

static void make(struct mir *m)
{
	struct sw_buf body;

	sw_buf_init(&body, 4096);
	sw_buf_puts(&body, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":");
	sw_buf_json_str(&body, m->opt.lease);
	sw_buf_puts(&body, ",\"annotations\":{\"" WRITER "\":");
	sw_buf_json_str(&body, m->opt.identity);
	sw_buf_puts(&body, "}}}");
	struct sw_err e = mir_may_write(m) ? request(m, "POST", false, &body, on_made) : SW_OK;

	sw_buf_fini(&body);
	if (sw_failed(e))
		again(m, e);
}

static void on_read(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct mir *m = owner;

	m->notes_call = NULL;
	if (err.code == SW_E_MISSING) {
		make(m);
	} else if (sw_failed(err)) {
		again(m, err);
	} else {
		load(m, reply->object);
		m->notes_known = true;
		mir_state(m);
		sw_timer_in(m->notes_timer, 0);
	}
}

void notes_read(struct mir *m)
{
	if (m->notes_call || !mir_may_write(m))
		return;
	struct sw_err e = request(m, "GET", true, NULL, on_read);

	if (sw_failed(e))
		again(m, e);
}

/* ---- writing ------------------------------------------------------------------------------------------ */

static void put_free(struct mir *m, struct note_put *p)
{
	DL_DELETE(m->puts, p);
	json_object_put(p->value);
	free(p->name);
	free(p);
}

static void finish_puts(struct mir *m, struct sw_err e)
{
	struct note_put *p, *next, *mine = NULL;

	DL_FOREACH_SAFE(m->puts, p, next)
	{
		if (!p->sent)
			continue;
		DL_DELETE(m->puts, p);
		DL_APPEND(mine, p);
		if (!sw_failed(e))
			note_set(m, p->name, p->value);
	}
	DL_FOREACH_SAFE(mine, p, next)
	{
		sw_manager_fn *done = p->done;
		void *owner = p->owner;

		DL_DELETE(mine, p);
		json_object_put(p->value);
		free(p->name);
		free(p);
		if (done && !m->closing)
			done(owner, e);
	}
}

static bool holds(struct mir *m, const struct note_put *p, json_t *object)
{
	struct sw_buf key;
	json_t *o = NULL;

	(void)m;
	sw_buf_init(&key, 4096);
	data_key(p->name, &key);
	const char *text = json_object_get_string(sw_json_key(sw_json_key(object, "data"), key.at));
	bool there = text && !sw_failed(sw_json_parse(text, strlen(text), &o));
	bool same = p->value ? there && json_object_equal(sw_json_key(o, "value"), p->value) : !text;

	json_object_put(o);
	sw_buf_fini(&key);
	return same;
}

/* After a conflict or a lost reply: did our own write arrive, or is somebody else at it? */
static void on_reread(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct mir *m = owner;
	struct note_put *p;
	bool all = true;

	m->notes_call = NULL;
	if (sw_failed(err)) {
		again(m, err);
		return;
	}
	const char *writer = sw_json_annotation(reply->object, WRITER),
		   *rv = sw_json_str(reply->object, "metadata.resourceVersion");
	bool changed = !rv || !m->notes_rv || strcmp(rv, m->notes_rv) != 0;

	if (changed && writer && strcmp(writer, m->opt.identity) != 0) {
		lease_lose(m, "another gateway has written the notes");
		finish_puts(m, sw_err(SW_E_CONFLICT, "another gateway has written the notes"));
		return;
	}
	free(m->notes_rv);
	m->notes_rv = sw_strdup(rv);
	DL_FOREACH(m->puts, p)
	all &= !p->sent || holds(m, p, reply->object);
	if (all)
		finish_puts(m, SW_OK);
	DL_FOREACH(m->puts, p)
	p->sent = false;
	sw_timer_in(m->notes_timer, 0);
}

static void reread(struct mir *m)
{
	struct sw_err e = request(m, "GET", true, NULL, on_reread);

	if (sw_failed(e))
		again(m, e);
}

static void on_written(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct mir *m = owner;

	m->notes_call = NULL;
	if (!sw_failed(err)) {
		free(m->notes_rv);
		m->notes_rv = sw_strdup(sw_json_str(reply->object, "metadata.resourceVersion"));
		finish_puts(m, SW_OK);
		sw_timer_in(m->notes_timer, 0);
	} else if (sw_err_retry(err.code) == SW_RETRY_TERMINAL || err.code == SW_E_FORBIDDEN) {
		finish_puts(m, err);
		sw_timer_in(m->notes_timer, 0);
	} else {
		reread(m);
	}
}

static void write_body(struct mir *m, struct sw_buf *b)
{
	struct note_put *p;
	json_t *data = json_object_new_object();

	DL_FOREACH(m->puts, p)
	{
		struct sw_buf key;
		json_t *o = json_object_new_object();

		p->sent = true;
		sw_buf_init(&key, 4096);
		data_key(p->name, &key);
		sw_json_set_str(o, "name", p->name);
		json_object_object_add(o, "value", json_object_get(p->value));
		json_object_object_add(
			data, key.at,
			p->value ? json_object_new_string(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN))
				 : NULL);
		json_object_put(o);
		sw_buf_fini(&key);
	}
	sw_buf_puts(b, "{\"metadata\":{\"resourceVersion\":");
	sw_buf_json_str(b, m->notes_rv);
	sw_buf_puts(b, ",\"annotations\":{\"" WRITER "\":");
	sw_buf_json_str(b, m->opt.identity);
	sw_buf_puts(b, "}},\"data\":");
	sw_buf_json(b, data);
	sw_buf_putc(b, '}');
	json_object_put(data);
}

static bool any_sent(const struct mir *m)
{
	struct note_put *p;

	DL_FOREACH(m->puts, p)
	if (p->sent)
		return true;
	return false;
}

static void on_timer(void *owner)
{
	struct mir *m = owner;
	struct sw_buf body;

	if (m->notes_call || !m->lease.held)
		return;
	if (!m->notes_known) {
		notes_read(m);
		return;
	}
	if (!m->puts || !mir_may_write(m))
		return;
	if (any_sent(m)) { /* its outcome is not known yet */
		reread(m);
		return;
	}
	sw_buf_init(&body, NOTES_MAX);
	write_body(m, &body);
	struct sw_err e = request(m, "PATCH", true, &body, on_written);

	sw_buf_fini(&body);
	if (sw_failed(e))
		finish_puts(m, e);
}

struct sw_err mir_note_put(struct sw_manager *base, const char *name, json_t *value, sw_manager_fn *done, void *owner)
{
	struct mir *m = mir_of(base);
	struct note_put *p;

	if (strlen(name) > 120) /* two digits a byte; a key of a ConfigMap has 253 */
		return sw_err(SW_E_INVALID, "note \"%s\": the name is too long", name);
	if (!m->notes_known || !m->lease.held)
		return sw_err(SW_E_BUSY, "note %s: this gateway does not lead", name);
	p = sw_calloc(1, sizeof(*p));
	p->name = sw_strdup(name);
	p->value = value ? sw_json_copy(value) : NULL;
	p->done = done;
	p->owner = owner;
	DL_APPEND(m->puts, p);
	sw_timer_in(m->notes_timer, 0);
	return SW_OK;
}

void mir_notes(struct sw_manager *base, const char *prefix, void (*fn)(void *owner, const char *name, json_t *value),
	       void *owner)
{
	struct mir *m = mir_of(base);
	struct note *n, *next;
	struct note_put *p;

	HASH_ITER(hh, m->notes, n, next)
	{
		bool newer = false;

		DL_FOREACH(m->puts, p)
		newer |= strcmp(p->name, n->name) == 0;
		if (!newer && strncmp(n->name, prefix, strlen(prefix)) == 0)
			fn(owner, n->name, n->value);
	}
	DL_FOREACH(m->puts, p)
	if (p->value && strncmp(p->name, prefix, strlen(prefix)) == 0)
		fn(owner, p->name, p->value);
}

struct sw_err notes_open(struct mir *m)
{
	return sw_timer_new(m->loop, on_timer, m, &m->notes_timer);
}

void notes_close(struct mir *m)
{
	sw_kube_cancel(m->notes_call);
	while (m->puts)
		put_free(m, m->puts);
	notes_clear(m);
	free(m->notes_rv);
	sw_timer_free(m->notes_timer);
}
