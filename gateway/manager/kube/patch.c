/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch.c - the bodies of our writes, pure
 *
 * JSON patches: they name the one entry of a list that is ours by its index, so that nothing else has to be known or
 * sent. The first operation carries the resourceVersion, which makes the API server refuse (409) a patch that was
 * decided on another state; with that, the index is right. Sources: RFC 6902; Kueue 0.19 apis/kueue/v1beta2.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mirror_priv.h"

#define BASE_MARK " [base "
enum { MESSAGE_MAX = 32000 /* of a check, 32768 in the CRD */, BASE_MAX = 4096 };

/* ---- the check's message: a sentence for people, dispatch's tail, and ours ------------------------ */

void message_join(struct sw_buf *b, const char *sentence, const char *base)
{
	size_t n = strlen(sentence), room = MESSAGE_MAX - BASE_MAX;

	sw_buf_put(b, sentence, n < room ? n : room);
	if (base)
		sw_buf_printf(b, "%s%s]", BASE_MARK, base);
}

char *message_split(char *message)
{
	char *at = NULL, *base;
	json_t *o = NULL;
	size_t n = message ? strlen(message) : 0;

	for (char *p = message; p && (p = strstr(p, BASE_MARK)); p++)
		at = p;
	if (!at || message[n - 1] != ']' || message + n - at > BASE_MAX)
		return NULL;
	base = at + strlen(BASE_MARK);
	if (sw_failed(sw_json_parse(base, (size_t)(message + n - 1 - base), &o)))
		return NULL;
	base = json_object_is_type(o, json_type_object) ? sw_json_text(o, NULL) : NULL;
	json_object_put(o);
	if (base)
		*at = '\0';
	return base;
}

/* ---- patches ----------------------------------------------------------------------------------------- */

static void patch_begin(struct sw_buf *b, uint64_t rv)
{
	sw_buf_printf(b, "[{\"op\":\"replace\",\"path\":\"/metadata/resourceVersion\",\"value\":\"%" PRIu64 "\"}", rv);
}

static void patch_end(struct sw_buf *b)
{
	sw_buf_putc(b, ']');
}

static void set_field(struct sw_buf *b, const struct wl *w, const char *field, const char *value)
{
	sw_buf_printf(b, ",{\"op\":\"add\",\"path\":\"/status/admissionChecks/%u/%s\",\"value\":", w->check_at, field);
	sw_buf_json_str(b, value);
	sw_buf_putc(b, '}');
}

static void set_message(struct sw_buf *b, const struct wl *w, const char *sentence, const char *base)
{
	struct sw_buf text;

	sw_buf_init(&text, 2 * MESSAGE_MAX);
	message_join(&text, sentence, base);
	set_field(b, w, "message", text.at ? text.at : "");
	sw_buf_fini(&text);
}

static void set_check(struct sw_buf *b, const struct wl *w, enum sw_check to, const struct patch_words *p)
{
	if (w->check != to) {
		set_field(b, w, "state", sw_check_name(to));
		set_field(b, w, "lastTransitionTime", p->now);
	}
	if (p->message)
		set_message(b, w, p->message, w->base);
}

static void drop_path(struct sw_buf *b, const char *path, bool is_there)
{
	if (is_there)
		sw_buf_printf(b, ",{\"op\":\"remove\",\"path\":\"%s\"}", path);
}

void patch_nominate(struct sw_buf *b, const struct wl *w, const char *const *clusters, const struct patch_words *p)
{
	patch_begin(b, w->rv);
	sw_buf_puts(b, ",{\"op\":\"add\",\"path\":\"/status/nominatedClusterNames\",\"value\":[");
	for (size_t i = 0; clusters && clusters[i]; i++) {
		sw_buf_puts(b, i ? "," : "");
		sw_buf_json_str(b, clusters[i]);
	}
	sw_buf_puts(b, "]}");
	set_check(b, w, SW_CHECK_PENDING, p);
	patch_end(b);
}

void patch_message(struct sw_buf *b, const struct wl *w, const struct patch_words *p)
{
	patch_begin(b, w->rv);
	set_check(b, w, (enum sw_check)w->check, p);
	patch_end(b);
}

void patch_win(struct sw_buf *b, const struct wl *w, const char *cluster, const struct patch_words *p)
{
	patch_begin(b, w->rv);
	drop_path(b, "/status/nominatedClusterNames", w->nominated != NULL);
	sw_buf_puts(b, ",{\"op\":\"add\",\"path\":\"/status/clusterName\",\"value\":");
	sw_buf_json_str(b, cluster);
	sw_buf_putc(b, '}');
	set_check(b, w, SW_CHECK_READY, p);
	patch_end(b);
}

void patch_state(struct sw_buf *b, const struct wl *w, enum sw_check to, const struct patch_words *p)
{
	patch_begin(b, w->rv);
	set_check(b, w, to, p);
	patch_end(b);
}

void patch_release(struct sw_buf *b, const struct wl *w, json_t *base, int64_t requeue_s, const struct patch_words *p)
{
	char path[96];
	const char *kept = base ? json_object_to_json_string_ext(base, JSON_C_TO_STRING_PLAIN) : NULL;

	patch_begin(b, w->rv);
	drop_path(b, "/status/clusterName", w->cluster != NULL);
	drop_path(b, "/status/nominatedClusterNames", w->nominated != NULL);
	if (w->flags & WL_CHECKED) {
		struct patch_words states = {.now = p->now};

		set_check(b, w, SW_CHECK_PENDING, &states);
		set_message(b, w, p->message ? p->message : "", kept && strlen(kept) < BASE_MAX ? kept : NULL);
		snprintf(path, sizeof(path), "/status/admissionChecks/%u/requeueAfterSeconds", w->check_at);
		if (requeue_s > 0)
			sw_buf_printf(b, ",{\"op\":\"add\",\"path\":\"%s\",\"value\":%" PRId64 "}", path, requeue_s);
		else
			drop_path(b, path, w->flags & WL_REQUEUE_SET);
	}
	patch_end(b);
}

void patch_job_status(struct sw_buf *b, uint64_t rv, json_t *status)
{
	patch_begin(b, rv);
	sw_buf_puts(b, ",{\"op\":\"add\",\"path\":\"/status\",\"value\":");
	sw_buf_json(b, status);
	sw_buf_putc(b, '}');
	patch_end(b);
}

/* ---- statuses ---------------------------------------------------------------------------------------------- */

static bool is_batch(const struct sw_kind *k)
{
	return strcmp(k->group, "batch") == 0;
}

/* One condition of a bare status. */
static void set_condition(json_t *status, const char *type, bool on, const char *reason, const char *message,
			  const char *now)
{
	json_t *object = json_object_new_object();

	json_object_object_add(object, "status", json_object_get(status));
	sw_json_set_condition(object, type, on, reason, message, now);
	json_object_put(object);
}

static bool condition_true(json_t *status, const char *type)
{
	json_t *object = json_object_new_object();

	json_object_object_add(object, "status", json_object_get(status));
	bool on = sw_json_condition_true(object, type);

	json_object_put(object);
	return on;
}

/*
 * For a batch Job the API server (1.36) lets Kueue put its selectors into a suspended job's template only if the status
 * says Suspended, nothing is active and, before 1.36, it never started; pkg/registry/batch/job/strategy.go.
 */
void status_idle(const struct sw_kind *k, json_t *status, const char *now)
{
	static const char *const running[] = {"active", "ready"};
	json_t *was = sw_json_copy(status);

	k->idle(k, status);
	if (condition_true(status, "Running"))
		set_condition(status, "Running", false, "JobSuspended", "Job suspended", now);
	if (is_batch(k)) {
		sw_json_del(status, "startTime");
		for (size_t i = 0; i < 2; i++) /* absent is 0 */
			if (!sw_json_key(was, running[i]))
				sw_json_del(status, running[i]);
		if (!condition_true(status, "Suspended"))
			set_condition(status, "Suspended", true, "JobSuspended", "Job suspended", now);
	}
	json_object_put(was);
}

/* Whole numbers above 0 and the objects around them; which of them are counters is the kind's business. */
static json_t *numbers_of(json_t *v, int depth)
{
	static const char *const states[] = {"active", "ready", "terminating", "suspended"};
	json_t *out = NULL;

	if (json_object_is_type(v, json_type_int))
		return json_object_get_int64(v) > 0 ? json_object_get(v) : NULL;
	if (!json_object_is_type(v, json_type_object) || depth == 0)
		return NULL;
	json_object_object_foreach(v, key, child)
	{
		bool state = false;

		for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
			state |= strcmp(key, states[i]) == 0;
		json_t *kept = state ? NULL : numbers_of(child, depth - 1);

		if (!kept)
			continue;
		out = out ? out : json_object_new_object();
		json_object_object_add(out, key, kept);
	}
	return out;
}

json_t *status_base(json_t *status)
{
	return numbers_of(status, 4);
}

void status_end(const struct sw_kind *k, json_t *status, enum sw_outcome outcome, const char *message, const char *now)
{
	bool well = outcome == SW_SUCCEEDED, batch = is_batch(k);
	const char *reason = well ? "Finished" : "CopyFailed", *why;
	json_t *object = json_object_new_object();

	json_object_object_add(object, "status", json_object_get(status));
	bool ended = outcome == SW_UNFINISHED || k->outcome(k, object, &why) != SW_UNFINISHED;

	json_object_put(object);
	if (ended)
		return;
	k->idle(k, status);
	if (batch)
		set_condition(status, well ? "SuccessCriteriaMet" : "FailureTarget", true, reason, message, now);
	set_condition(status,
		      batch  ? well ? "Complete" : "Failed"
		      : well ? "Succeeded"
			     : "Failed",
		      true, reason, message, now);
	if (!sw_json_str(status, "startTime"))
		sw_json_set_str(status, "startTime", now);
	if (well || !batch)
		sw_json_set_str(status, "completionTime", now);
}
