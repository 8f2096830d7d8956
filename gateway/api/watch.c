/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c - watches: from a version, from now, or the state first
 *
 *   resourceVersion=N        events after N; 410 as an ERROR event if N has left the ring
 *   resourceVersion=0, none  ADDED for everything there is, in order of version, then events
 *   sendInitialEvents=true   the same, with a bookmark that marks the end of the state
 *
 * The state comes from a list; the watcher subscribes at the list's version when its first page is
 * there, and keeps what happens meanwhile in `later`. A watcher that is API_BEHIND_MAX behind is cut off; it comes
 * back with its last version.
 */
#include "api_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

enum { BOOKMARK_MS = 60000, TIMEOUT_MIN_S = 1800, STREAM_FULL = 1 << 20 };

/* Used by the store's list on its threads. */
struct state_pick {
	struct selectors sel;
	struct shape shape;
	bool columns;
};

struct watcher {
	struct watcher *next, *prev;
	struct request *q;
	struct stream *stream;
	struct sw_sub *sub;
	struct sw_list *list;
	struct selectors sel;
	struct shape shape;
	const char *only_name; /* metadata.name=x and nothing else: told without parsing */
	bool columns;          /* a Table's columns are still to be sent */
	bool bookmarks, marks_end, catching_up;
	struct sw_buf later;
	uint64_t from, deadline_ms, bookmark_ms;
};

/* ---- lines ------------------------------------------------------------------------- */

static void line_begin(struct sw_buf *b, const char *type)
{
	sw_buf_printf(b, "{\"type\":\"%s\",\"object\":", type);
}
static void line_end(struct sw_buf *b)
{
	sw_buf_puts(b, "}\n");
}

static void bookmark_write(struct watcher *w, uint64_t rv, bool end)
{
	struct sw_buf *b = &w->stream->out;
	char version[96];
	bool whole = w->shape.form == SW_ACCEPT_OBJECT || w->shape.form == SW_ACCEPT_TABLE;
	line_begin(b, "BOOKMARK");
	sw_buf_printf(b,
		      "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%llu\","
		      "\"creationTimestamp\":null%s}}",
		      whole ? w->shape.r->kind : "PartialObjectMetadata",
		      whole ? sw_resource_api_version(w->shape.r, version) : w->shape.version, (unsigned long long)rv,
		      end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
	line_end(b);
	w->bookmark_ms = sw_loop_now(w->q->api->loop) + BOOKMARK_MS;
}

static void error_write(struct sw_buf *b, json_t *no_taken)
{
	line_begin(b, "ERROR");
	sw_buf_json(b, no_taken);
	line_end(b);
	json_object_put(no_taken);
}

/* ---- events --------------------------------------------------------------------------- */

/* Several watchers of one event share its parsed objects. */
static void event_parse(struct sw_api *a, const struct sw_event *ev)
{
	if (a->parsed_rv == ev->rv)
		return;
	json_object_put(a->parsed_now);
	json_object_put(a->parsed_before);
	a->parsed_now = a->parsed_before = NULL;
	a->parsed_rv = ev->rv;
	if (sw_failed(sw_json_parse(ev->object->at, ev->object->len, &a->parsed_now)))
		a->parsed_now = NULL;
	if (ev->before && sw_failed(sw_json_parse(ev->before->at, ev->before->len, &a->parsed_before)))
		a->parsed_before = NULL;
}

struct seen {
	json_t *now, *before;
};

static struct seen event_objects(struct watcher *w, const struct sw_event *ev)
{
	struct sw_api *a = w->q->api;
	event_parse(a, ev);
	if (!w->shape.r->stored_as)
		return (struct seen){json_object_get(a->parsed_now), json_object_get(a->parsed_before)};
	struct seen s = {a->parsed_now ? sw_json_copy(a->parsed_now) : NULL,
			 a->parsed_before ? sw_json_copy(a->parsed_before) : NULL};
	if (s.now)
		shape_convert(&w->shape, s.now);
	if (s.before)
		shape_convert(&w->shape, s.before);
	return s;
}

/* What the event is to one who sees only what matches. NULL: nothing. */
static const char *event_type(const struct watcher *w, const struct sw_event *ev, const struct seen *s)
{
	static const char *const words[] = {[SW_ADDED] = "ADDED", [SW_MODIFIED] = "MODIFIED", [SW_DELETED] = "DELETED"};
	if (w->only_name || !selectors_any(&w->sel))
		return words[ev->type];
	bool now = s->now && selectors_match(&w->sel, s->now),
	     before = s->before && selectors_match(&w->sel, s->before);
	if (ev->type == SW_ADDED)
		return now ? "ADDED" : NULL;
	if (ev->type == SW_DELETED)
		return now || before ? "DELETED" : NULL;
	if (now)
		return before ? "MODIFIED" : "ADDED";
	return before ? "DELETED" : NULL;
}

static void event_write(struct watcher *w, struct sw_buf *b, const struct sw_event *ev)
{
	bool parse = !shape_is_raw(&w->shape) || (selectors_any(&w->sel) && !w->only_name);
	struct seen s = parse ? event_objects(w, ev) : (struct seen){NULL, NULL};
	const char *type = event_type(w, ev, &s);
	if (type) {
		line_begin(b, type);
		if (shape_is_raw(&w->shape))
			sw_buf_put(b, ev->object->at, ev->object->len);
		else
			shape_object(b, &w->shape, s.now, w->columns);
		line_end(b);
		w->columns = false;
	}
	json_object_put(s.now);
	json_object_put(s.before);
}

static void on_event(void *owner, const struct sw_event *ev)
{
	struct watcher *w = owner;
	if ((w->sel.ns && strcmp(w->sel.ns, ev->key.ns) != 0) ||
	    (w->only_name && strcmp(w->only_name, ev->key.name) != 0))
		return;
	SW_REQUIRE(w->catching_up || w->stream);
	struct sw_buf *b = w->catching_up ? &w->later : &w->stream->out;
	if (w->shape.form == SW_ACCEPT_TABLE)
		w->shape.table.now_ms = sw_loop_wall(w->q->api->loop);
	event_write(w, b, ev);
	size_t behind = w->later.len + (w->stream ? stream_pending(w->stream) : 0);
	if (behind > API_BEHIND_MAX || !sw_buf_ok(b)) {
		sw_store_unwatch(w->sub);
		w->sub = NULL;
		if (w->stream)
			stream_break(w->stream);
	} else if (!w->catching_up) {
		stream_moved(w->stream);
	}
}

/* ---- start: from a version ----------------------------------------------------------------- */

static void stream_open(struct watcher *w)
{
	w->stream = reply_stream(w->q, "application/json");
}

/* From now on events go out as they come. */
static void caught_up(struct watcher *w)
{
	w->catching_up = false;
	sw_buf_put(&w->stream->out, w->later.at, w->later.len);
	sw_buf_fini(&w->later);
	sw_buf_init(&w->later, SIZE_MAX);
	stream_moved(w->stream);
}

static struct sw_err subscribe(struct watcher *w, uint64_t rv)
{
	return sw_store_watch(w->q->api->store, sw_resource_storage(w->q->route.r)->id, rv, on_event, w, &w->sub);
}

static json_t *status_future(struct sw_api *a, uint64_t rv)
{
	json_t *no = sw_status(SW_REASON_TIMEOUT, "Timeout: Too large resource version: %llu, current: %llu",
			       (unsigned long long)rv, (unsigned long long)sw_store_rv(a->store));
	sw_status_cause(no, "ResourceVersionTooLarge", "", "Too large resource version");
	sw_status_retry_after(no, 1);
	return no;
}

static void start_from(struct watcher *w, uint64_t rv)
{
	w->catching_up = true;
	struct sw_err e = subscribe(w, rv);
	if (e.code == SW_E_BUSY) {
		reply_status(w->q, status_future(w->q->api, rv));
		return;
	}
	stream_open(w);
	if (!sw_failed(e)) {
		caught_up(w);
		return;
	}
	error_write(&w->stream->out, sw_status(SW_REASON_EXPIRED, "%s", e.text));
	stream_end(w->stream);
}

/* ---- start: with the state ------------------------------------------------------------------- */

static bool state_pick(void *filter, const char *bytes, size_t len, struct sw_buf *out)
{
	struct state_pick *p = filter;
	json_t *o = NULL;
	bool parse = selectors_any(&p->sel) || !shape_is_raw(&p->shape);
	if (parse && sw_failed(sw_json_parse(bytes, len, &o)))
		return false;
	if (o)
		shape_convert(&p->shape, o);
	bool kept = !o || selectors_match(&p->sel, o);
	if (kept) {
		line_begin(out, "ADDED");
		if (shape_is_raw(&p->shape))
			sw_buf_put(out, bytes, len);
		else
			shape_object(out, &p->shape, o, p->columns);
		line_end(out);
		p->columns = false;
	}
	json_object_put(o);
	return kept;
}

static void state_release(void *filter)
{
	struct state_pick *p = filter;
	selectors_free(&p->sel);
	free(p);
}

static void on_drained(void *owner)
{
	struct watcher *w = owner;
	if (w->list)
		sw_store_list_next(w->list);
}

/* false: the request is answered otherwise. */
static bool state_begin(struct watcher *w, const struct sw_page *page)
{
	if (w->from > page->rv) {
		reply_status(w->q, status_future(w->q->api, w->from));
		return false;
	}
	struct sw_err e = subscribe(w, page->rv);
	if (sw_failed(e)) { /* only if events rush through the ring faster than a page is read */
		reply_status(w->q, sw_status_of(e, w->q->route.r, NULL));
		return false;
	}
	stream_open(w);
	w->stream->drained = on_drained;
	w->stream->owner = w;
	return true;
}

static void state_end(struct watcher *w, uint64_t rv)
{
	sw_store_list_free(w->list);
	w->list = NULL;
	w->stream->drained = NULL;
	if (w->marks_end)
		bookmark_write(w, rv, true);
	caught_up(w);
}

static void on_page(void *owner, struct sw_err e, const struct sw_page *page)
{
	struct watcher *w = owner;
	if (sw_failed(e)) {
		if (w->stream)
			stream_break(w->stream);
		else
			reply_status(w->q, sw_status_of(e, w->q->route.r, NULL));
		return;
	}
	if (!w->stream && !state_begin(w, page))
		return;
	for (size_t i = 0; i < page->n; i++)
		sw_buf_put(&w->stream->out, page->items[i].bytes, page->items[i].len);
	if (page->n)
		w->columns = false;
	if (page->last) {
		state_end(w, page->rv);
		return;
	}
	stream_moved(w->stream);
	if (stream_pending(w->stream) < STREAM_FULL)
		sw_store_list_next(w->list);
}

static void start_with_state(struct watcher *w)
{
	struct request *q = w->q;
	struct state_pick *p = sw_calloc(1, sizeof(*p));
	p->shape = w->shape;
	p->columns = true;
	w->catching_up = true;
	json_t *no = selectors_parse(q, &p->sel); /* its own copy: a thread uses it */
	struct sw_list_cfg cfg = {.resource = sw_resource_storage(q->route.r)->id,
				  .ns = q->route.r->namespaced ? w->sel.ns : "",
				  .by_rv = true,
				  .pick = state_pick,
				  .filter = p,
				  .release = state_release};
	struct sw_err e = no ? SW_OK : sw_store_list(q->api->store, &cfg, on_page, w, &w->list);
	if (!no && sw_failed(e))
		no = sw_status_of(e, q->route.r, NULL);
	if (!no)
		return;
	state_release(p);
	reply_status(q, no);
}

/* ---- parameters ----------------------------------------------------------------------------------- */

static json_t *number_parse(struct request *q, const char *key, uint64_t *out)
{
	const char *text = request_query(q, key);
	char *end = NULL;
	*out = 0;
	if (!text || !*text)
		return NULL;
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (*end || errno || strchr("-+ ", *text))
		return sw_status(SW_REASON_INVALID, "%s: Invalid value: \"%.100s\": must be a whole number", key, text);
	return NULL;
}

static json_t *initial_check(struct request *q)
{
	const char *match = request_query(q, "resourceVersionMatch");
	bool asked = request_query(q, "sendInitialEvents") != NULL;
	if (asked && (!match || strcmp(match, "NotOlderThan") != 0))
		return sw_status(SW_REASON_INVALID, "resourceVersionMatch: Forbidden: sendInitialEvents requires "
						    "setting resourceVersionMatch to NotOlderThan");
	if (!asked && match && *match)
		return sw_status(SW_REASON_INVALID, "resourceVersionMatch: Forbidden: resourceVersionMatch is "
						    "forbidden for watch unless sendInitialEvents is provided");
	return NULL;
}

static void watcher_free(void *op)
{
	struct watcher *w = op;
	struct sw_api *a = w->q->api;
	if (!a->closing) /* the store has taken them along */
		sw_store_unwatch(w->sub);
	sw_store_list_free(w->list);
	selectors_free(&w->sel);
	sw_buf_fini(&w->later);
	if (w->prev)
		w->prev->next = w->next;
	else
		a->watchers = w->next;
	if (w->next)
		w->next->prev = w->prev;
	sw_metric_add(a->m_watchers, -1);
	free(w);
}

static struct watcher *watcher_new(struct request *q)
{
	struct sw_api *a = q->api;
	struct watcher *w = sw_calloc(1, sizeof(*w));
	w->q = q;
	w->shape = q->shape;
	w->columns = true;
	sw_buf_init(&w->later, SIZE_MAX);
	w->next = a->watchers;
	if (w->next)
		w->next->prev = w;
	a->watchers = w;
	sw_metric_add(a->m_watchers, 1);
	q->op = w;
	q->op_free = watcher_free;
	return w;
}

static void deadline_set(struct watcher *w, uint64_t timeout_s)
{
	uint64_t now = sw_loop_now(w->q->api->loop);
	uint16_t spread;
	sw_random(&spread, sizeof(spread)); /* so that not everybody comes back at once */
	if (!timeout_s || timeout_s > 86400)
		timeout_s = TIMEOUT_MIN_S + spread % TIMEOUT_MIN_S;
	w->deadline_ms = now + timeout_s * 1000;
	w->bookmark_ms = now + BOOKMARK_MS;
}

void handle_watch(struct request *q)
{
	struct watcher *w = watcher_new(q);
	uint64_t timeout_s = 0;
	bool initial = query_true(request_query(q, "sendInitialEvents"));
	json_t *no = number_parse(q, "resourceVersion", &w->from);
	if (!no)
		no = number_parse(q, "timeoutSeconds", &timeout_s);
	if (!no)
		no = initial_check(q);
	if (!no)
		no = selectors_parse(q, &w->sel);
	if (no) {
		reply_status(q, no);
		return;
	}
	if (!w->sel.labels && sw_selector_only(w->sel.fields, "metadata.name"))
		w->only_name = sw_selector_exact(w->sel.fields, "metadata.name");
	w->bookmarks = query_true(request_query(q, "allowWatchBookmarks"));
	w->marks_end = initial && w->bookmarks;
	deadline_set(w, timeout_s);
	if (!initial && request_query(q, "sendInitialEvents") && !w->from)
		start_from(w, sw_store_rv(q->api->store));
	else if (initial || !w->from)
		start_with_state(w);
	else
		start_from(w, w->from);
}

/* ---- time ---------------------------------------------------------------------------------------------- */

static void watcher_end(struct watcher *w)
{
	if (!w->stream || w->stream->ended)
		return;
	if (w->bookmarks && !w->catching_up)
		bookmark_write(w, sw_store_rv(w->q->api->store), false);
	sw_store_unwatch(w->sub);
	w->sub = NULL;
	stream_end(w->stream);
}

void watchers_tick(struct sw_api *a)
{
	uint64_t now = sw_loop_now(a->loop), rv = sw_store_rv(a->store);
	for (struct watcher *w = a->watchers; w; w = w->next) {
		if (!w->stream || w->stream->ended || w->stream->broken || w->catching_up)
			continue;
		if (now >= w->deadline_ms) {
			watcher_end(w);
		} else if (w->bookmarks && now >= w->bookmark_ms) {
			bookmark_write(w, rv, false);
			stream_moved(w->stream);
		}
	}
}

void watchers_end(struct sw_api *a)
{
	for (struct watcher *w = a->watchers; w; w = w->next)
		watcher_end(w);
}
