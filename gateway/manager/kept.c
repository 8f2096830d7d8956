/* SPDX-License-Identifier: Apache-2.0 */
/* kept.c - tails of logs in the store, and what is known of them in memory: names and sizes */
#include "kept.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "spillway/log.h"
#include "spillway/text.h"

enum { LOGS_MAX = 50000, LIMIT = 256 << 20 };

void kept_key(const char *name, char key[KEPT_NAME_MAX + 8])
{
	snprintf(key, KEPT_NAME_MAX + 8, "log/%s", name);
}

static void note_drop(struct kept *k, const char *key)
{
	struct sw_err e = sw_store_note_put(k->store, key, NULL, 0, NULL, NULL);

	if (sw_failed(e))
		sw_log(WARN, "manager", "a kept log could not be dropped", "note=%s error=\"%s\"", key, e.text);
}

static struct kept_log *find(const struct kept *k, const char *name)
{
	struct kept_log *l;

	HASH_FIND_STR(k->logs, name, l);
	return l;
}

/* ---- whose they are ---- */

static size_t owner_len(const char *name)
{
	const char *container = strrchr(name, '/'), *pod = container;

	while (pod && pod > name && pod[-1] != '/')
		pod--;
	return pod ? (size_t)(pod - name) : 0;
}

static struct kept_owner *owner_find(const struct kept *k, const char *name, size_t len)
{
	struct kept_owner *o;

	HASH_FIND(hh, k->owners, name, len, o);
	return o;
}

static void owner_join(struct kept *k, struct kept_log *l)
{
	size_t len = owner_len(l->name);
	struct kept_owner *o = owner_find(k, l->name, len);

	if (!o) {
		o = sw_calloc(1, sizeof(*o) + len + 1);
		memcpy(o->name, l->name, len);
		HASH_ADD_KEYPTR(hh, k->owners, o->name, len, o);
	}
	l->owner = o;
	DL_APPEND(o->logs, l);
}

static void owner_leave(struct kept *k, struct kept_log *l)
{
	struct kept_owner *o = l->owner;

	DL_DELETE(o->logs, l);
	if (o->logs)
		return;
	HASH_DEL(k->owners, o);
	free(o);
}

const struct kept_log *kept_of(const struct kept *k, const char *owner)
{
	const struct kept_owner *o = owner_find(k, owner, strlen(owner));

	return o ? o->logs : NULL;
}

/* ---- adding and dropping ---- */

static void forget(struct kept *k, struct kept_log *l)
{
	k->bytes -= l->bytes;
	owner_leave(k, l);
	HASH_DEL(k->logs, l);
	free(l);
}

static void drop(struct kept *k, struct kept_log *l, bool note_too)
{
	char meta[64], key[KEPT_NAME_MAX + 8];

	snprintf(meta, sizeof(meta), "logmeta/%016" PRIx64, l->seq);
	kept_key(l->name, key);
	note_drop(k, meta);
	if (note_too)
		note_drop(k, key);
	forget(k, l);
}

static struct kept_log *note_add(struct kept *k, const char *name, uint64_t seq, size_t bytes)
{
	struct kept_log *l = sw_calloc(1, sizeof(*l) + strlen(name) + 1);

	memcpy(l->name, name, strlen(name) + 1);
	l->seq = seq;
	l->bytes = bytes;
	HASH_ADD_STR(k->logs, name, l);
	owner_join(k, l);
	k->bytes += bytes;
	if (seq >= k->seq)
		k->seq = seq + 1;
	return l;
}

void kept_drop(struct kept *k, const char *name)
{
	struct kept_log *l = find(k, name);

	if (l)
		drop(k, l, true);
}

void kept_drop_all(struct kept *k, const char *owner)
{
	struct kept_owner *o = owner_find(k, owner, strlen(owner));

	for (struct kept_log *l = o ? o->logs : NULL, *next; l; l = next) { /* the owner goes with its last */
		next = l->next;
		drop(k, l, true);
	}
}

struct sw_err kept_add(struct kept *k, const char *name, const char *bytes, size_t n, bool cut, struct sw_buf *note)
{
	char meta[64], about[KEPT_NAME_MAX + 32];

	if (!k->store || strlen(name) >= KEPT_NAME_MAX)
		return sw_err(SW_E_INVALID, "log %.100s: there is no place for it", name);
	if (n > KEPT_TAIL_MAX) {
		bytes += n - KEPT_TAIL_MAX;
		n = KEPT_TAIL_MAX;
		cut = true;
	}
	if (find(k, name))
		drop(k, find(k, name), false);
	struct kept_log *l = note_add(k, name, k->seq, n + 1);

	snprintf(meta, sizeof(meta), "logmeta/%016" PRIx64, l->seq);
	snprintf(about, sizeof(about), "%zu %s", n + 1, name);
	while (k->logs && (k->bytes > k->limit || HASH_COUNT(k->logs) > LOGS_MAX))
		drop(k, k->logs, true);
	if (!find(k, name))
		return sw_err(SW_E_TOOBIG, "log %.100s: %zu bytes are over the limit of %zu for all kept logs", name, n,
			      k->limit);
	sw_buf_putc(note, cut ? '-' : '+');
	sw_buf_put(note, bytes, n);
	return sw_buf_ok(note) ? sw_store_note_put(k->store, meta, about, strlen(about), NULL, NULL)
			       : sw_err(SW_E_NOMEM, "keeping a log");
}

static void on_note(void *owner, const char *key, const char *bytes, size_t len)
{
	struct kept *k = owner;
	uint64_t seq = strtoull(key + strlen("logmeta/"), NULL, 16);
	char about[KEPT_NAME_MAX + 32];
	char *blank;

	snprintf(about, sizeof(about), "%.*s", (int)len, bytes);
	blank = strchr(about, ' ');
	if (!blank)
		return;
	if (find(k, blank + 1)) /* replaced, and killed before the older entry was dropped */
		forget(k, find(k, blank + 1));
	note_add(k, blank + 1, seq, strtoull(about, NULL, 10));
}

struct sw_err kept_open(struct kept *k, struct sw_store *store, size_t limit)
{
	*k = (struct kept){.store = store, .limit = limit ? limit : LIMIT};
	return store ? sw_store_notes(store, "logmeta/", on_note, k) : SW_OK;
}

void kept_close(struct kept *k)
{
	struct kept_log *l, *next;

	HASH_ITER(hh, k->logs, l, next)
	forget(k, l);
}

struct sw_err kept_get(struct kept *k, const char *name, struct sw_bytes **out)
{
	char key[KEPT_NAME_MAX + 8];

	*out = NULL;
	if (!k->store || strlen(name) >= KEPT_NAME_MAX)
		return sw_err(SW_E_MISSING, "log %.100s was not kept", name);
	kept_key(name, key);
	return sw_store_note_get(k->store, key, out);
}

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

struct kept_text kept_text(const struct sw_bytes *log, int64_t lines)
{
	struct kept_text t = {.lost = "", .at = "", .n = 0};

	if (!log->len)
		return t;
	size_t n = log->len - 1, from = tail_from(log->at + 1, n, lines);

	if (log->at[0] == '-' && from == 0)
		t.lost = "[the beginning of this log was not kept]\n";
	t.at = log->at + 1 + from;
	t.n = n - from;
	return t;
}
