/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.c - events that spillway writes, and the end of all events
 *
 * Names end in the time, as on a real server: a list by name tells the story of an object in order, within a second
 * too. The same thing said again within EVENT_AGAIN_MS raises the count of the event that said it first. Events go
 * EVENT_TTL_MS after they were last written, as on a real server (kube-apiserver --event-ttl), or earlier if there are
 * more than EVENTS_MAX.
 */
#include "api_priv.h"

#include <stdlib.h>
#include <string.h>
#include "spillway/log.h"
#include "spillway/text.h"

enum {
	EVENT_TTL_MS = 3600000,
	EVENTS_MAX = 50000,
	EVENT_AGAIN_MS = 600000,
	SAID_MAX = 4096,
	EXPIRE_BATCH = 500,
	EXPIRE_TICKS = 300,
	MESSAGE_MAX = 1024
};

struct said {
	UT_hash_handle hh;
	uint64_t id; /* hash of who and what */
	uint64_t last_ms;
	char ns[64], name[254];
};

struct expire_pick {
	int64_t before_ms;
};

struct events {
	struct sw_api *api;
	struct said *said;
	struct sw_list *expiring;
	uint64_t last_stamp;
	uint64_t ticks;
};

/* ---- writing ------------------------------------------------------------------------- */

static uint64_t said_id(const char *uid, bool warning, const char *reason, const char *message)
{
	struct sw_buf b;
	sw_buf_init(&b, 8192);
	sw_buf_printf(&b, "%s\n%d\n%s\n%s", uid, warning, reason, message);
	uint64_t id = sw_hash(b.at ? b.at : "", b.len);
	sw_buf_fini(&b);
	return id;
}

static bool say_again(struct events *ev, struct said *s)
{
	struct sw_api *a = ev->api;
	struct sw_obj_key key = {"events", s->ns, s->name};
	struct sw_bytes *bytes = NULL;
	json_t *o = NULL;
	char now[32];
	if (sw_failed(sw_store_latest(a->store, &key, &bytes, NULL)))
		return false;
	struct sw_err e = sw_json_parse(bytes->at, bytes->len, &o);
	sw_bytes_unref(bytes);
	if (!sw_failed(e)) {
		sw_json_set_int(o, "count", sw_json_int(o, "count", 1) + 1);
		sw_json_set_str(o, "lastTimestamp", sw_time_text(sw_loop_wall(a->loop), now));
		e = sw_api_object_update(a, "events", o, NULL, NULL, NULL);
	}
	json_object_put(o);
	return !sw_failed(e);
}

static json_t *event_new(struct sw_api *a, const struct sw_resource *r, json_t *regarding, const char *name,
			 const char *ns)
{
	static const char *const copied[] = {"namespace", "name", "uid", "resourceVersion"};
	char version[96], now[32];
	json_t *o = json_object_new_object(), *ref = json_object_new_object();
	sw_json_set_str(o, "apiVersion", "v1");
	sw_json_set_str(o, "kind", "Event");
	sw_json_set_str(o, "metadata.name", name);
	sw_json_set_str(o, "metadata.namespace", ns);
	sw_json_set_str(ref, "apiVersion", sw_resource_api_version(r, version));
	sw_json_set_str(ref, "kind", r->kind);
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
		const char *v = sw_json_str(sw_json_key(regarding, "metadata"), copied[i]);
		if (v)
			sw_json_set_str(ref, copied[i], v);
	}
	sw_json_set(o, "involvedObject", ref);
	sw_time_text(sw_loop_wall(a->loop), now);
	sw_json_set_str(o, "firstTimestamp", now);
	sw_json_set_str(o, "lastTimestamp", now);
	sw_json_set_int(o, "count", 1);
	sw_json_set_str(o, "source.component", "spillway");
	sw_json_set_str(o, "reportingComponent", "spillway");
	return o;
}

static void said_add(struct events *ev, uint64_t id, const char *ns, const char *name)
{
	struct said *s;
	if (HASH_COUNT(ev->said) >= SAID_MAX) {
		s = ev->said; /* the oldest */
		HASH_DEL(ev->said, s);
		free(s);
	}
	s = sw_calloc(1, sizeof(*s));
	s->id = id;
	s->last_ms = sw_loop_now(ev->api->loop);
	snprintf(s->ns, sizeof(s->ns), "%s", ns);
	snprintf(s->name, sizeof(s->name), "%s", name);
	HASH_ADD(hh, ev->said, id, sizeof(s->id), s);
}

static void say(struct events *ev, const struct sw_resource *r, json_t *regarding, bool warning, const char *reason,
		const char *message, uint64_t id)
{
	const char *object = sw_json_str(regarding, "metadata.name"),
		   *ns = sw_json_str(regarding, "metadata.namespace");
	char name[254];
	uint64_t stamp = (uint64_t)sw_loop_wall(ev->api->loop) * 1000000;
	ev->last_stamp = stamp > ev->last_stamp ? stamp : ev->last_stamp + 1;
	snprintf(name, sizeof(name), "%.230s.%016llx", object ? object : "unknown", (unsigned long long)ev->last_stamp);
	if (!ns || !*ns)
		ns = "default";
	json_t *o = event_new(ev->api, r, regarding, name, ns);
	sw_json_set_str(o, "type", warning ? "Warning" : "Normal");
	sw_json_set_str(o, "reason", reason);
	sw_json_set_str(o, "message", message);
	struct sw_err e = sw_api_object_create(ev->api, "events", o, NULL, NULL);
	if (sw_failed(e))
		sw_log(WARN, "api", "an event could not be written", "reason=%s object=%s error=\"%s\"", reason,
		       object ? object : "", e.text);
	else
		said_add(ev, id, ns, name);
	json_object_put(o);
}

void sw_api_event(struct sw_api *a, const char *resource, json_t *regarding, bool warning, const char *reason,
		  const char *message)
{
	struct events *ev = a->events;
	const struct sw_resource *r = sw_resource_by_id(resource);
	const char *uid = sw_json_str(regarding, "metadata.uid");
	char cut[MESSAGE_MAX + 1];
	SW_REQUIRE(r != NULL);
	snprintf(cut, sizeof(cut), "%s", message);
	uint64_t id = said_id(uid ? uid : "", warning, reason, cut), now = sw_loop_now(a->loop);
	struct said *s;
	HASH_FIND(hh, ev->said, &id, sizeof(id), s);
	if (s && now - s->last_ms < EVENT_AGAIN_MS && say_again(ev, s)) {
		s->last_ms = now;
		return;
	}
	if (s) {
		HASH_DEL(ev->said, s);
		free(s);
	}
	say(ev, r, regarding, warning, reason, cut, id);
}

/* ---- the end of events ------------------------------------------------------------------------ */

static bool is_expired(void *filter, const char *bytes, size_t len, struct sw_buf *out)
{
	static const char *const times[] = {"lastTimestamp", "series.lastObservedTime", "eventTime",
					    "metadata.creationTimestamp"};
	struct expire_pick *p = filter;
	json_t *o = NULL;
	int64_t last = 0, t;
	if (!sw_failed(sw_json_parse(bytes, len, &o))) {
		for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
			const char *text = sw_json_str(o, times[i]);
			if (text && !sw_failed(sw_time_parse(text, &t)) && t > last)
				last = t;
		}
	}
	json_object_put(o);
	sw_buf_putc(out, '-'); /* only the key is needed */
	return last < p->before_ms;
}

static void on_expired(void *owner, struct sw_err err, const struct sw_page *page)
{
	struct events *ev = owner;
	for (size_t i = 0; !sw_failed(err) && i < page->n; i++) {
		struct sw_obj_key key = {"events", page->items[i].ns, page->items[i].name};
		err = sw_api_object_delete(ev->api, &key, NULL, NULL, NULL);
		if (err.code == SW_E_MISSING)
			err = SW_OK;
	}
	if (sw_failed(err))
		sw_log(WARN, "api", "old events could not be deleted", "error=\"%s\"", err.text);
	if (!sw_failed(err) && page->n == EXPIRE_BATCH)
		ev->ticks = EXPIRE_TICKS; /* more are waiting */
	sw_store_list_free(ev->expiring);
	ev->expiring = NULL;
}

static void pick_free(void *filter)
{
	free(filter);
}

void events_tick(struct sw_api *a)
{
	struct events *ev = a->events;
	uint64_t n = sw_store_count(a->store, "events", NULL);
	ev->ticks += 60;
	if (ev->expiring || !n || (ev->ticks < EXPIRE_TICKS && n <= EVENTS_MAX))
		return;
	ev->ticks = 0;
	struct expire_pick *p = sw_calloc(1, sizeof(*p));
	p->before_ms = n > EVENTS_MAX ? INT64_MAX : sw_loop_wall(a->loop) - EVENT_TTL_MS;
	struct sw_list_cfg cfg = {.resource = "events",
				  .by_rv = true,
				  .limit = EXPIRE_BATCH,
				  .max_bytes = SIZE_MAX,
				  .pick = is_expired,
				  .filter = p,
				  .release = pick_free};
	struct sw_err e = sw_store_list(a->store, &cfg, on_expired, ev, &ev->expiring);
	if (!sw_failed(e))
		return;
	free(p);
	sw_log(WARN, "api", "old events could not be read", "error=\"%s\"", e.text);
}

struct sw_err events_start(struct sw_api *a)
{
	a->events = sw_calloc(1, sizeof(*a->events));
	a->events->api = a;
	return SW_OK;
}

void events_stop(struct sw_api *a)
{
	struct said *s, *next;
	if (!a->events)
		return;
	sw_store_list_free(a->events->expiring);
	HASH_ITER(hh, a->events->said, s, next)
	{
		HASH_DEL(a->events->said, s);
		free(s);
	}
	free(a->events);
	a->events = NULL;
}
