/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs.c - logs of pods that are not here: live ones are passed on, tails of finished ones are kept
 *
 * A kept tail is a note "log/NS/POD/CONTAINER": one byte ('+' whole, '-' its beginning was cut), then the text. A small
 * note "logmeta/SEQ" names it and its size, so that the total can be bounded over restarts: the oldest goes first.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { LOG_TAIL_MAX = 1 << 20, LOGS_MAX = 50000, NAME_MAX_BYTES = 800 };

/* ---- what is kept ------------------------------------------------------------------------------ */

static void note_drop(struct emb *m, const char *key)
{
	struct sw_err e = sw_store_note_put(m->store, key, NULL, 0, NULL, NULL);

	if (sw_failed(e))
		sw_log(WARN, "manager", "a kept log could not be dropped", "note=%s error=\"%s\"", key, e.text);
}

static void kept_drop(struct emb *m, struct kept_log *k, bool note_too)
{
	char meta[64], key[NAME_MAX_BYTES + 8];

	snprintf(meta, sizeof(meta), "logmeta/%016" PRIx64, k->seq);
	snprintf(key, sizeof(key), "log/%s", k->name);
	note_drop(m, meta);
	if (note_too)
		note_drop(m, key);
	m->log_bytes -= k->bytes;
	HASH_DEL(m->logs, k);
	free(k);
}

static struct kept_log *kept_add(struct emb *m, const char *name, uint64_t seq, size_t bytes)
{
	struct kept_log *k = sw_calloc(1, sizeof(*k) + strlen(name) + 1);

	memcpy(k->name, name, strlen(name) + 1);
	k->seq = seq;
	k->bytes = bytes;
	HASH_ADD_STR(m->logs, name, k); /* uthash keeps the order in which they came */
	m->log_bytes += bytes;
	if (seq >= m->log_seq)
		m->log_seq = seq + 1;
	return k;
}

static struct kept_log *kept_find(struct emb *m, const char *name)
{
	struct kept_log *k;

	HASH_FIND_STR(m->logs, name, k);
	return k;
}

static void make_room(struct emb *m)
{
	while (m->logs && (m->log_bytes > m->log_limit || HASH_COUNT(m->logs) > LOGS_MAX))
		kept_drop(m, m->logs, true);
}

struct sw_err keep_log_op(struct sw_manager *base, const char *ns, const char *pod, const char *container,
			  const char *bytes, size_t n, bool cut, sw_manager_fn *done, void *owner)
{
	struct emb *m = emb_of(base);
	char name[NAME_MAX_BYTES], key[NAME_MAX_BYTES + 8], meta[64], about[NAME_MAX_BYTES + 32];
	struct sw_buf b;

	if (n > LOG_TAIL_MAX) {
		bytes += n - LOG_TAIL_MAX;
		n = LOG_TAIL_MAX;
		cut = true;
	}
	if (snprintf(name, sizeof(name), "%s/%s/%s", ns, pod, container) >= (int)sizeof(name))
		return sw_err(SW_E_INVALID, "log of pod %.100s: its name is too long", pod);
	if (kept_find(m, name))
		kept_drop(m, kept_find(m, name), false);
	struct kept_log *k = kept_add(m, name, m->log_seq, n + 1);

	snprintf(key, sizeof(key), "log/%s", name);
	snprintf(meta, sizeof(meta), "logmeta/%016" PRIx64, k->seq);
	snprintf(about, sizeof(about), "%zu %s", n + 1, name);
	make_room(m);
	if (!kept_find(m, name))
		return sw_err(SW_E_TOOBIG, "log of pod %.100s: %zu bytes are over the limit of %zu for all kept logs",
			      pod, n, m->log_limit);
	sw_buf_init(&b, n + 2);
	sw_buf_putc(&b, cut ? '-' : '+');
	sw_buf_put(&b, bytes, n);
	struct sw_err e = sw_buf_ok(&b) ? sw_store_note_put(m->store, meta, about, strlen(about), NULL, NULL)
					: sw_err(SW_E_NOMEM, "keeping a log");

	if (!sw_failed(e))
		e = emb_note(m, key, b.at, b.len, done, owner);
	sw_buf_fini(&b);
	return e;
}

static void forget_containers(struct emb *m, json_t *pod, const char *path)
{
	const char *ns = sw_json_str(pod, "metadata.namespace"), *name = sw_json_str(pod, "metadata.name");
	json_t *list = sw_json_at(pod, path);

	for (size_t i = 0; i < sw_json_len(list); i++) {
		const char *container = sw_json_str(sw_json_idx(list, i), "name");
		char key[NAME_MAX_BYTES];

		snprintf(key, sizeof(key), "%s/%s/%s", ns ? ns : "", name ? name : "", container ? container : "");
		if (kept_find(m, key))
			kept_drop(m, kept_find(m, key), true);
	}
}

void logs_forget_pod(struct emb *m, json_t *pod)
{
	forget_containers(m, pod, "spec.containers");
	forget_containers(m, pod, "spec.initContainers");
}

static void on_note(void *owner, const char *key, const char *bytes, size_t len)
{
	struct emb *m = owner;
	uint64_t seq = strtoull(key + strlen("logmeta/"), NULL, 16);
	char about[NAME_MAX_BYTES + 32];
	char *blank;

	snprintf(about, sizeof(about), "%.*s", (int)len, bytes);
	blank = strchr(about, ' ');
	if (!blank)
		return;
	struct kept_log *old = kept_find(m, blank + 1);

	if (old) { /* replaced, and killed before the older entry was dropped */
		m->log_bytes -= old->bytes;
		HASH_DEL(m->logs, old);
		free(old);
	}
	kept_add(m, blank + 1, seq, strtoull(about, NULL, 10));
}

struct sw_err logs_load(struct emb *m)
{
	return sw_store_notes(m->store, "logmeta/", on_note, m);
}

void logs_free(struct emb *m)
{
	struct kept_log *k, *next;

	HASH_ITER(hh, m->logs, k, next)
	{
		HASH_DEL(m->logs, k);
		free(k);
	}
}

/* ---- pods/log -------------------------------------------------------------------------------------- */

/* Where the last `lines` lines begin. */
static size_t tail_from(const char *text, size_t n, int64_t lines)
{
	size_t at = n;

	if (lines < 0)
		return 0;
	if (at && text[at - 1] == '\n')
		at--; /* the end of the last line begins no other */
	if (lines == 0)
		return n;
	while (at) {
		if (text[at - 1] == '\n' && --lines == 0)
			return at;
		at--;
	}
	return 0;
}

static struct sw_err kept_serve(const struct sw_log_request *req, const struct sw_bytes *kept, struct sw_log_reply *r)
{
	static const char was_cut[] = "[the beginning of this log was not kept]\n";
	const char *text = kept->at + 1;
	size_t n = kept->len - 1, from;

	if (req->since_s >= 0 || req->timestamps)
		return sw_err(
			SW_E_INVALID,
			"the log of finished pod %s was kept without times: since and timestamps cannot be honoured",
			req->pod);
	from = tail_from(text, n, req->tail_lines);
	text += from;
	n -= from;
	if (req->limit_bytes >= 0 && (size_t)req->limit_bytes < n)
		n = (size_t)req->limit_bytes;
	if (kept->at[0] == '-' && from == 0 && req->limit_bytes < 0)
		sw_log_reply_bytes(r, was_cut, sizeof(was_cut) - 1);
	sw_log_reply_bytes(r, text, n);
	return SW_OK;
}

static struct sw_err kept_answer(struct emb *m, const struct sw_log_request *req, struct sw_log_reply *r)
{
	const char *container = req->container ? req->container : "";
	char key[NAME_MAX_BYTES + 8];
	struct sw_bytes *kept = NULL;

	if (req->previous)
		return sw_err(SW_E_INVALID, "previous terminated container \"%s\" in pod \"%s\" not found", container,
			      req->pod);
	if (snprintf(key, sizeof(key), "log/%s/%s/%s", req->ns, req->pod, container) >= (int)sizeof(key))
		return sw_err(SW_E_INVALID, "log of pod %.100s: its name is too long", req->pod);
	struct sw_err e = sw_store_note_get(m->store, key, &kept);

	if (e.code == SW_E_MISSING)
		return sw_err(SW_E_MISSING,
			      "no log of container \"%s\" in pod \"%s\" was kept, and it runs on no cluster now",
			      container, req->pod);
	if (!sw_failed(e) && kept->len)
		e = kept_serve(req, kept, r);
	sw_bytes_unref(kept);
	return e;
}

/* What is kept is answered at once, so a reply that is stopped is the live source's. */
void logs_start(void *owner, const struct sw_log_request *req, struct sw_log_reply *r)
{
	struct emb *m = owner;

	if (m->live.has && m->live.has(m->live.owner, req->ns, req->pod))
		m->live.source.start(m->live.owner, req, r);
	else
		sw_log_reply_end(r, kept_answer(m, req, r));
}

void logs_stop(void *owner, struct sw_log_reply *r)
{
	struct emb *m = owner;

	if (m->live.source.stop)
		m->live.source.stop(m->live.owner, r);
}
