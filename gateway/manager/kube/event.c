/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.c - events on the user's job: few, and never in anybody's way
 *
 * Ordinary news of one job within a few seconds becomes one Event ("planned; placed; started"): a request each would
 * double what a job costs the API server. Warnings go at once. The same news again raises the count of the Event that
 * was made. They are sent last (class LIST) and not at all if this process does not lead; one that fails is dropped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mirror_priv.h"
#include "spillway/text.h"

enum { GATHER_MS = 3000, KEEP_MS = 10 * 60 * 1000, TOLD_MAX = 2000, MESSAGE_MAX = 1000, REASON_MAX = 64 };

/* News of one job: being gathered (due_ms), or sent and remembered. */
struct told {
	UT_hash_handle hh;
	struct mir *m;
	struct sw_kube_call *call;
	uint64_t due_ms, sent_ms; /* due 0: nothing to send */
	int64_t first_ms;
	unsigned count; /* that were sent of the same text */
	uint64_t text_hash;
	bool warning, posted;
	char reason[REASON_MAX], message[MESSAGE_MAX];
	char name[300]; /* of the Event */
	const struct sw_kind *kind;
	char *ns, *job, *uid;
	char key[]; /* Workload, and "!" for warnings */
};

static void told_free(struct told *t)
{
	HASH_DEL(t->m->told, t);
	sw_kube_cancel(t->call);
	free(t->ns);
	free(t->job);
	free(t->uid);
	free(t);
}

/* ---- sending ------------------------------------------------------------------------------- */

static void on_sent(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct told *t = owner;

	(void)reply;
	t->call = NULL;
	if (sw_failed(err)) { /* the next one is a fresh Event */
		t->posted = false;
		t->text_hash = 0;
	}
}

static void event_body(struct told *t, struct sw_buf *b, const char *now)
{
	char first[32];

	sw_time_text(t->first_ms, first);
	sw_buf_puts(b, "{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"metadata\":{\"name\":");
	sw_buf_json_str(b, t->name);
	sw_buf_puts(b, ",\"namespace\":");
	sw_buf_json_str(b, t->ns);
	sw_buf_printf(b,
		      "},\"involvedObject\":{\"apiVersion\":\"%s/%s\",\"kind\":\"%s\",\"namespace\":", t->kind->group,
		      t->kind->version, t->kind->kind);
	sw_buf_json_str(b, t->ns);
	sw_buf_puts(b, ",\"name\":");
	sw_buf_json_str(b, t->job);
	sw_buf_puts(b, ",\"uid\":");
	sw_buf_json_str(b, t->uid);
	sw_buf_puts(b, "},\"reason\":");
	sw_buf_json_str(b, t->reason);
	sw_buf_puts(b, ",\"message\":");
	sw_buf_json_str(b, t->message);
	sw_buf_printf(b,
		      ",\"type\":\"%s\",\"source\":{\"component\":\"spillway\"},\"reportingComponent\":\"" CONTROLLER
		      "\",\"reportingInstance\":\"spillway\",\"firstTimestamp\":\"%s\",\"lastTimestamp\":\"%s\","
		      "\"count\":%u}",
		      t->warning ? "Warning" : "Normal", first, now, t->count);
}

static void told_send(struct told *t)
{
	struct mir *m = t->m;
	struct sw_buf path, body;
	char now[32];
	uint64_t hash = sw_hash(t->message, strlen(t->message)) * 31 + sw_hash(t->reason, strlen(t->reason));
	bool again = t->posted && hash == t->text_hash && sw_loop_now(m->loop) - t->sent_ms < KEEP_MS;

	t->due_ms = 0;
	t->sent_ms = sw_loop_now(m->loop);
	if (!mir_may_write(m) || t->call)
		return;
	mir_now(m, now);
	t->count = again ? t->count + 1 : 1;
	if (!again) {
		uint64_t random;

		sw_random(&random, sizeof(random));
		t->first_ms = sw_loop_wall(m->loop);
		snprintf(t->name, sizeof(t->name), "%.230s.%016" PRIx64, t->job, random);
	}
	t->posted = true;
	t->text_hash = hash;
	sw_buf_init(&path, 4096);
	sw_buf_init(&body, 16 << 10);
	sw_kube_path(&path, "", "v1", "events", t->ns, again ? t->name : NULL, NULL);
	if (again)
		sw_buf_printf(&body, "{\"count\":%u,\"lastTimestamp\":\"%s\"}", t->count, now);
	else
		event_body(t, &body, now);
	struct sw_kube_req req = {.cls = SW_KUBE_LIST,
				  .method = again ? "PATCH" : "POST",
				  .path = path.at,
				  .content_type = again ? SW_MERGE_PATCH : NULL,
				  .body = body.at,
				  .body_len = body.len};
	struct sw_err e = sw_buf_ok(&path) && sw_buf_ok(&body) ? sw_kube_start(m->kube, &req, on_sent, t, &t->call)
							       : sw_err(SW_E_TOOBIG, "event");

	if (sw_failed(e))
		t->posted = false;
	sw_buf_fini(&path);
	sw_buf_fini(&body);
}

static void on_timer(void *owner)
{
	struct mir *m = owner;
	uint64_t now = sw_loop_now(m->loop), next = now + KEEP_MS;
	struct told *t, *tmp;

	HASH_ITER(hh, m->told, t, tmp)
	{
		if (t->due_ms && t->due_ms <= now)
			told_send(t);
		else if (!t->due_ms && !t->call && now - t->sent_ms >= KEEP_MS) {
			told_free(t);
			continue;
		}
		if (t->due_ms && t->due_ms < next)
			next = t->due_ms;
	}
	if (m->told)
		sw_timer_at(m->told_timer, next);
}

/* ---- gathering ------------------------------------------------------------------------------------ */

static struct told *told_get(struct mir *m, const struct wl *w, bool warning)
{
	char key[KEY_MAX + 2], ns[260], name[254], uid[37];
	struct told *t;

	snprintf(key, sizeof(key), "%s%s", w->text, warning ? "!" : "");
	HASH_FIND_STR(m->told, key, t);
	wl_ns(w, ns);
	wl_job_name(w, name);
	uid_text(w->job_uid, uid);
	if (t && strcmp(t->uid, uid) != 0) { /* made again under the same name */
		told_free(t);
		t = NULL;
	}
	if (t || HASH_COUNT(m->told) >= TOLD_MAX)
		return t;
	t = sw_calloc(1, sizeof(*t) + strlen(key) + 1);
	memcpy(t->key, key, strlen(key) + 1);
	t->m = m;
	t->kind = wl_kind(w);
	t->ns = sw_strdup(ns);
	t->job = sw_strdup(name);
	t->uid = sw_strdup(uid);
	HASH_ADD_STR(m->told, key, t);
	return t;
}

void mir_event(struct sw_manager *base, const char *key, bool warning, const char *reason, const char *message)
{
	struct mir *m = mir_of(base);
	struct wl *w = wl_find(m, key);
	uint64_t now = sw_loop_now(m->loop);
	struct told *t = w && wl_kind(w) ? told_get(m, w, warning) : NULL;

	if (!t)
		return;
	size_t n = t->due_ms && !warning ? strlen(t->message) : 0;

	t->warning = warning;
	sw_cut(t->reason, sizeof(t->reason), reason);
	if (n && n + 4 < sizeof(t->message)) {
		memcpy(t->message + n, "; ", 3);
		n += 2;
	}
	if (n + 1 < sizeof(t->message))
		sw_cut(t->message + n, sizeof(t->message) - n, message);
	if (!t->due_ms)
		t->due_ms = now + (warning ? 1 : GATHER_MS);
	sw_timer_at(m->told_timer, warning ? now + 1 : t->due_ms);
	on_timer(m); /* the earliest is what the timer is set to */
}

struct sw_err events_open(struct mir *m)
{
	return sw_timer_new(m->loop, on_timer, m, &m->told_timer);
}

void events_close(struct mir *m)
{
	struct told *t, *next;

	HASH_ITER(hh, m->told, t, next)
	told_free(t);
	sw_timer_free(m->told_timer);
}
