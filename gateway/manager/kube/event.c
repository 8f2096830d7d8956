/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.c - events on the user's job, and on our AdmissionChecks: few, and never in anybody's way
 *
 * Ordinary news of one job within a few seconds becomes one Event ("planned; placed; started"): a request each would
 * double what a job costs the API server. Warnings go at once. The same news again raises the count of the Event that
 * was made. They are sent last (class LIST) and not at all if this process does not lead; one that fails is dropped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mirror_priv.h"
#include "spillway/event.h"
#include "spillway/text.h"

enum {
	GATHER_MS = 3000,
	INTENT_MS = 20 * 1000,
	GRID_MS = 250,
	KEEP_MS = 10 * 60 * 1000,
	TOLD_MAX = 2000,
	MESSAGE_MAX = 1000,
	REASON_MAX = 64
};

/* What is being gathered to be sent as one Event. */
struct news {
	struct sw_event_about about;
	char reason[REASON_MAX], message[MESSAGE_MAX];
};

/* What one object was told: a little is remembered of each Event, so that its repetition only raises a count. */
struct told {
	UT_hash_handle hh;
	struct mir *m;
	struct sw_kube_call *call;
	uint64_t due_ms, sent_ms; /* due 0: nothing to send */
	int64_t first_ms;
	unsigned count; /* that were sent of the same text */
	uint64_t text_hash;
	bool warning, posted;
	char uid[37];      /* of the object */
	char *ns, *name;   /* of the Event sent last; NULL: none yet */
	struct news *news; /* due; NULL: nothing to send */
	char key[];        /* Workload or check, and "!" for warnings */
};

static void told_free(struct told *t)
{
	HASH_DEL(t->m->told, t);
	sw_kube_cancel(t->call);
	free(t->ns);
	free(t->name);
	free(t->news);
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

static void event_write(const struct told *t, struct sw_buf *b)
{
	sw_event_write(b, &(struct sw_kube_event){.about = &t->news->about,
						  .name = t->name,
						  .reason = t->news->reason,
						  .message = t->news->message,
						  .reporter = CONTROLLER,
						  .warning = t->warning,
						  .count = t->count,
						  .first_ms = t->first_ms,
						  .last_ms = sw_loop_wall(t->m->loop)});
}

static void name_anew(struct told *t)
{
	char name[SW_EVENT_NAME];

	sw_event_name(&t->news->about, name);
	free(t->ns);
	free(t->name);
	t->ns = sw_strdup(sw_event_ns(&t->news->about));
	t->name = sw_strdup(name);
	t->first_ms = sw_loop_wall(t->m->loop);
}

static void news_post(struct told *t)
{
	struct mir *m = t->m;
	const struct news *n = t->news;
	struct sw_buf path, body;
	char now[32];
	uint64_t hash = sw_hash(n->message, strlen(n->message)) * 31 + sw_hash(n->reason, strlen(n->reason));
	bool again = t->posted && hash == t->text_hash && sw_loop_now(m->loop) - t->sent_ms < KEEP_MS;

	mir_now(m, now);
	t->count = again ? t->count + 1 : 1;
	if (!again)
		name_anew(t);
	t->posted = true;
	t->text_hash = hash;
	sw_buf_init(&path, 4096);
	sw_buf_init(&body, 16 << 10);
	sw_kube_path(&path, "", "v1", "events", t->ns, again ? t->name : NULL, NULL);
	if (again)
		sw_buf_printf(&body, "{\"count\":%u,\"lastTimestamp\":\"%s\"}", t->count, now);
	else
		event_write(t, &body);
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

static void told_send(struct told *t)
{
	if (mir_may_write(t->m) && !t->call)
		news_post(t);
	t->due_ms = 0;
	t->sent_ms = sw_loop_now(t->m->loop);
	free(t->news);
	t->news = NULL;
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
	m->told_due_ms = m->told ? next : 0;
	if (m->told)
		sw_timer_at(m->told_timer, next);
}

/* On a grid: one walk over all serves many. */
static void told_due(struct told *t, uint64_t ms)
{
	struct mir *m = t->m;
	uint64_t due = t->warning ? ms : ms + GRID_MS - ms % GRID_MS;

	if (t->due_ms && t->due_ms <= due)
		return;
	t->due_ms = due;
	if (m->told_due_ms && m->told_due_ms <= due)
		return;
	m->told_due_ms = due;
	sw_timer_at(m->told_timer, due);
}

/* What is only intended is told together with what becomes of it, or alone if that takes long. */
static uint64_t gather_ms(bool warning, const char *reason)
{
	if (warning)
		return 1;
	return strcmp(reason, "Planned") == 0 || strcmp(reason, "Offered") == 0 ? INTENT_MS : GATHER_MS;
}

/* ---- gathering ------------------------------------------------------------------------------------ */

static struct told *told_get(struct mir *m, const char *what, const struct sw_event_about *about, bool warning)
{
	char key[KEY_MAX + 2];
	struct told *t;

	snprintf(key, sizeof(key), "%s%s", what, warning ? "!" : "");
	HASH_FIND_STR(m->told, key, t);
	if (t && strcmp(t->uid, about->uid) != 0) { /* made again under the same name */
		told_free(t);
		t = NULL;
	}
	if (t || HASH_COUNT(m->told) >= TOLD_MAX)
		return t;
	t = sw_calloc(1, sizeof(*t) + strlen(key) + 1);
	memcpy(t->key, key, strlen(key) + 1);
	t->m = m;
	memcpy(t->uid, about->uid, sizeof(t->uid));
	HASH_ADD_STR(m->told, key, t);
	return t;
}

static void tell(struct mir *m, const char *what, const struct sw_event_about *about, bool warning, const char *reason,
		 const char *message)
{
	struct told *t = told_get(m, what, about, warning);
	struct news *news;
	size_t n;

	if (!t)
		return;
	if (!t->news) {
		t->news = sw_calloc(1, sizeof(*t->news));
		t->news->about = *about;
	}
	news = t->news;
	n = warning ? 0 : strlen(news->message);
	t->warning = warning;
	sw_cut(news->reason, sizeof(news->reason), reason);
	if (n && n + 4 < sizeof(news->message)) {
		memcpy(news->message + n, "; ", 3);
		n += 2;
	}
	if (n + 1 < sizeof(news->message))
		sw_cut(news->message + n, sizeof(news->message) - n, message);
	told_due(t, sw_loop_now(m->loop) + gather_ms(warning, reason));
}

void mir_event(struct sw_manager *base, const char *key, bool warning, const char *reason, const char *message)
{
	struct mir *m = mir_of(base);
	struct wl *w = wl_find(m, key);
	struct sw_event_about a = {0};

	if (!w || !wl_kind(w))
		return;
	snprintf(a.api, sizeof(a.api), "%s/%s", wl_kind(w)->group, wl_kind(w)->version);
	snprintf(a.kind, sizeof(a.kind), "%s", wl_kind(w)->kind);
	wl_ns(w, a.ns);
	wl_job_name(w, a.name);
	uid_text(w->job_uid, a.uid);
	tell(m, w->text, &a, warning, reason, message);
}

void mir_event_check(struct sw_manager *base, bool warning, const char *reason, const char *message)
{
	struct mir *m = mir_of(base);
	struct sw_event_about a = {.api = "kueue.x-k8s.io/v1beta2", .kind = "AdmissionCheck"};
	const struct check_name *c, *next;

	HASH_ITER(hh, m->checks, c, next)
	{
		if (!c->ours)
			continue;
		snprintf(a.name, sizeof(a.name), "%.253s", c->name);
		memcpy(a.uid, c->uid, sizeof(a.uid));
		tell(m, c->name, &a, warning, reason, message); /* a Workload's key has a slash */
	}
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
