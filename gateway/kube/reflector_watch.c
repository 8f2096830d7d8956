/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector_watch.c - the stream of events: one JSON object a line
 *
 * Bytes are buffered as they come and looked at in slices; a reader that is behind pauses the stream, which
 * has a connection of its own. What came before the end of a stream is delivered before the end is judged.
 * Event types: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "reflector_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

static void step_soon(struct sw_reflector *r)
{
	r->has_step = true;
	sw_timer_in(r->step, 0);
}

static void lines_reset(struct sw_reflector *r)
{
	sw_buf_reset(&r->lines);
	r->taken = r->searched = 0;
}

/* Something is wrong with the stream itself: what was good stays, the rest is dropped. */
__attribute__((format(printf, 2, 3))) static bool stream_bad(struct sw_reflector *r, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	sw_kube_cancel(r->call);
	r->call = NULL;
	lines_reset(r);
	r->has_ended = true;
	r->end = sw_err(SW_E_NET, "cluster %s: watch %s: %s; resuming from the last good event", r->name, r->cfg.path,
			text);
	return false;
}

void reflector_cut(struct sw_reflector *r, struct sw_err why)
{
	if (r->state != REFLECTOR_WATCHING || !r->call)
		return;
	sw_kube_cancel(r->call);
	r->call = NULL;
	r->has_ended = true;
	r->end = why;
	step_soon(r);
}

/* ---- events -------------------------------------------------------------------------------------- */

static bool error_event(struct sw_reflector *r, json_t *status)
{
	int64_t code = sw_json_int(status, "code", 500);
	const char *reason = sw_json_str(status, "reason"), *message = sw_json_str(status, "message");

	(void)stream_bad(r, "the server ended it");
	if (code == 410 || (reason && (strcmp(reason, "Expired") == 0 || strcmp(reason, "Gone") == 0))) {
		r->is_gone = true;
		r->end = SW_OK;
		return false;
	}
	r->end = sw_err_http(code >= 300 && code <= 599 ? (long)code : 500, reason, message);
	r->end = sw_err_wrap(r->end, "cluster %s: watch %s", r->name, r->cfg.path);
	return false;
}

static bool object_event(struct sw_reflector *r, const char *type, json_t *object)
{
	const char *rv = sw_json_str(sw_json_key(object, "metadata"), "resourceVersion");
	char key[640];

	if (!ref_row_key(object, key, sizeof key))
		return stream_bad(r, "%s of an object without metadata.name, uid or resourceVersion", type);
	reflector_set_rv(r, rv);
	r->events++;
	r->failures = 0;
	r->was_silent = false;
	return strcmp(type, "DELETED") == 0 ? row_gone(r, key, object) : row_put(r, key, object);
}

static bool event_take(struct sw_reflector *r, const char *type, json_t *object)
{
	const char *rv = sw_json_str(sw_json_key(object, "metadata"), "resourceVersion");

	if (strcmp(type, "ERROR") == 0)
		return error_event(r, object);
	if (strcmp(type, "BOOKMARK") == 0) {
		if (!rv || !*rv)
			return stream_bad(r, "a bookmark without resourceVersion");
		reflector_set_rv(r, rv);
		r->failures = 0;
		r->was_silent = false;
		return true;
	}
	if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0 || strcmp(type, "DELETED") == 0)
		return object_event(r, type, object);
	return stream_bad(r, "unknown event type \"%.40s\"", type);
}

static bool line_take(struct sw_reflector *r, const char *line, size_t len)
{
	json_t *event = NULL;
	const char *type;
	struct sw_err e;
	bool go_on;

	while (len > 0 && strchr(" \t\r", line[len - 1]))
		len--;
	if (len == 0)
		return true;
	e = kube_parse(r->kube, line, len, &event);
	if (sw_failed(e))
		return stream_bad(r, "an event of %zu bytes that is not JSON: %.80s", len, e.text);
	type = sw_json_str(event, "type");
	if (type && json_object_is_type(sw_json_key(event, "object"), json_type_object))
		go_on = event_take(r, type, sw_json_key(event, "object"));
	else
		go_on = stream_bad(r, "a line that is no event");
	json_object_put(event);
	return go_on;
}

/* ---- the end of a stream ---------------------------------------------------------------------------- */

/* The resourceVersion is of no more use: expired, or refused. A store restored from a copy refuses what it has not
 * reached yet, some servers with a 5xx. A server that does not answer is not asked for a list. */
static bool must_relist(const struct sw_reflector *r)
{
	if (r->is_gone || sw_err_retry(r->end.code) == SW_RETRY_TERMINAL)
		return true;
	return r->end.code == SW_E_BUSY && r->failures >= REFLECTOR_RELIST_AFTER;
}

/* API servers promise no time between bookmarks: "about every minute" was seen to be over 90 s. So one silence is asked
 * about with a new watch, and only a second one, or a server that does not answer that, is a loss. */
static bool forgive_silence(struct sw_reflector *r)
{
	bool once = r->end.code == SW_E_TIMEOUT && r->is_open && !r->was_silent;

	if (once) {
		r->was_silent = true;
		r->end = SW_OK;
	}
	return once;
}

static void watch_end(struct sw_reflector *r)
{
	bool forgiven = forgive_silence(r);
	bool steady = r->events > 0 || (r->is_open && sw_loop_now(r->loop) - r->opened_ms >= REFLECTOR_STEADY_MS);

	r->has_ended = false;
	sw_buf_fini(&r->lines);
	lines_reset(r);
	if (steady)
		r->failures = 0;
	if (must_relist(r))
		r->is_listed = false;
	if (r->is_gone || (sw_failed(r->end) && !r->is_open))
		r->must_ask = true;
	if (forgiven) {
		reflector_watch(r);
	} else if (sw_failed(r->end)) {
		reflector_backoff(r, r->end);
	} else if (r->failures > 0 || (!steady && !r->is_gone)) {
		reflector_pause(r);
	} else if (r->is_gone) {
		r->failures++; /* if the list's own resourceVersion is gone at once, the next list has to wait */
		reflector_ask(r);
	} else {
		reflector_watch(r);
	}
}

/* ---- slices ------------------------------------------------------------------------------------------ */

/* False: no whole line is there. */
static bool next_line(struct sw_reflector *r, size_t from, size_t *len)
{
	size_t search = r->searched > from ? r->searched : from;
	const char *newline = r->lines.len > search ? memchr(r->lines.at + search, '\n', r->lines.len - search) : NULL;

	r->searched = newline ? 0 : r->lines.len;
	if (newline)
		*len = (size_t)(newline - r->lines.at) - from;
	return newline != NULL;
}

static void flow_control(struct sw_reflector *r)
{
	size_t left = r->lines.len - r->taken;
	bool behind = left > (r->is_paused ? REFLECTOR_LINES_FULL / 4 : REFLECTOR_LINES_FULL);

	/* one event may be larger than the limit: then the stream has to run on until it is whole */
	behind = behind && memchr(r->lines.at + r->taken, '\n', left);
	if (!r->call || behind == r->is_paused)
		return;
	r->is_paused = behind;
	kube_call_pause(r->call, behind);
}

/* more: whole lines are left, for the next slice. */
static void lines_take(struct sw_reflector *r, size_t at, bool more)
{
	r->taken = at;
	if (more && at < REFLECTOR_TAKEN_MAX)
		return;
	sw_buf_drop(&r->lines, at);
	r->searched = r->searched > at ? r->searched - at : 0;
	r->taken = 0;
}

void reflector_watch_step(struct sw_reflector *r)
{
	uint64_t began = uv_hrtime();
	size_t at = r->taken, len;
	bool more = false;

	r->has_step = false;
	while (!more && next_line(r, at, &len)) {
		bool go_on = line_take(r, r->lines.at + at, len);
		if (!reflector_alive(r) || r->state != REFLECTOR_WATCHING)
			return;
		if (!go_on) {
			at = 0; /* the rest was dropped */
			break;
		}
		at += len + 1;
		more = sw_loop_slice_over(r->loop, began);
	}
	lines_take(r, at, more);
	if (more) {
		flow_control(r);
		step_soon(r);
	} else if (r->has_ended) {
		if (r->lines.len > 0 && !sw_failed(r->end) && !r->is_gone)
			(void)stream_bad(r, "it ended inside an event");
		watch_end(r);
	} else {
		flow_control(r);
		if (r->lines.len == 0 && r->lines.cap > REFLECTOR_LINES_KEPT)
			sw_buf_fini(&r->lines);
	}
}

/* ---- asking -------------------------------------------------------------------------------------------- */

static void on_watch_chunk(void *owner, const char *bytes, size_t n)
{
	struct sw_reflector *r = owner;

	reflector_enter(r);
	sw_buf_put(&r->lines, bytes, n);
	if (!sw_buf_ok(&r->lines)) {
		(void)stream_bad(r, "an event over %d bytes", REFLECTOR_LINE_MAX);
		step_soon(r);
	} else if (!r->has_step) {
		reflector_watch_step(r);
	}
	reflector_leave(r);
}

static void on_watch_open(void *owner, long status)
{
	struct sw_reflector *r = owner;

	(void)status;
	reflector_enter(r);
	r->is_open = true;
	r->opened_ms = sw_loop_now(r->loop);
	reflector_synced_now(r);
	reflector_leave(r);
}

static void on_watch_done(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct sw_reflector *r = owner;

	r->call = NULL;
	r->has_ended = true;
	r->is_gone = reply->status == 410;
	r->end = r->is_gone ? SW_OK : err;
	step_soon(r); /* whole lines that are left come first */
}

/* Servers end a watch by themselves after a while. Chosen by us and spread, so that watches do not end together;
 * client-go asks for 5 to 10 minutes. */
static void watch_timeout(char buf[16])
{
	uint16_t random;

	sw_random(&random, sizeof random);
	snprintf(buf, 16, "%u", 300u + random % 300u);
}

void reflector_watch(struct sw_reflector *r)
{
	struct kube_stream s = {
		.on_chunk = on_watch_chunk, .on_headers = on_watch_open, .silence_ms = r->cfg.silence_ms};
	struct sw_buf path;
	char timeout[16];
	struct sw_err e;

	reflector_query(r, &path);
	watch_timeout(timeout);
	sw_kube_query(&path, "watch", "true");
	sw_kube_query(&path, "allowWatchBookmarks", "true");
	sw_kube_query(&path, "resourceVersion", r->rv);
	sw_kube_query(&path, "timeoutSeconds", timeout);
	s.path = path.at;
	lines_reset(r);
	r->is_paused = r->has_ended = r->is_gone = r->is_open = r->has_step = false;
	r->end = SW_OK;
	r->events = 0;
	reflector_goto(r, REFLECTOR_WATCHING);
	e = kube_stream_start(r->kube, &s, on_watch_done, r, &r->call);
	sw_buf_fini(&path);
	if (sw_failed(e))
		reflector_backoff(r, e);
}
