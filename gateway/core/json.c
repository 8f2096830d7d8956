/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - reading and changing untyped objects by path, labels and conditions */
#include "spillway/json.h"

#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"

enum { SEGMENT_MAX = 256 };

/* Copies the next step of a dotted path. Returns what is left, or NULL at the end. */
static const char *segment(const char *dotted, char out[SEGMENT_MAX])
{
	size_t n = strcspn(dotted, ".");

	SW_REQUIRE(n < SEGMENT_MAX); /* paths come from our own code */
	memcpy(out, dotted, n);
	out[n] = 0;
	return dotted[n] ? dotted + n + 1 : NULL;
}

json_t *sw_json_key(json_t *o, const char *key)
{
	json_t *v = NULL;

	if (json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, key, &v);
	return v;
}

json_t *sw_json_at(json_t *o, const char *dotted)
{
	char key[SEGMENT_MAX];

	while (dotted && o) {
		dotted = segment(dotted, key);
		o = sw_json_key(o, key);
	}
	return o;
}

static const char *text_of(json_t *v)
{
	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

const char *sw_json_str(json_t *o, const char *dotted)
{
	return text_of(sw_json_at(o, dotted));
}

int64_t sw_json_int(json_t *o, const char *dotted, int64_t otherwise)
{
	json_t *v = sw_json_at(o, dotted);

	if (!json_object_is_type(v, json_type_int) || json_object_get_uint64(v) > INT64_MAX)
		return otherwise;
	return json_object_get_int64(v);
}

bool sw_json_bool(json_t *o, const char *dotted)
{
	json_t *v = sw_json_at(o, dotted);

	return json_object_is_type(v, json_type_boolean) && json_object_get_boolean(v);
}

size_t sw_json_len(json_t *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

json_t *sw_json_idx(json_t *array, size_t i)
{
	return i < sw_json_len(array) ? json_object_array_get_idx(array, i) : NULL;
}

const char *sw_json_label(json_t *o, const char *key)
{
	return text_of(sw_json_key(sw_json_at(o, "metadata.labels"), key));
}

const char *sw_json_annotation(json_t *o, const char *key)
{
	return text_of(sw_json_key(sw_json_at(o, "metadata.annotations"), key));
}

/* ---- changing -------------------------------------------------------------- */

static json_t *must(json_t *made)
{
	SW_REQUIRE(made != NULL);
	return made;
}

static void put_key(json_t *o, const char *key, json_t *value_taken)
{
	SW_REQUIRE(json_object_object_add(o, key, value_taken) == 0);
}

/* The object under key; whatever else stands there is replaced by an empty one. */
static json_t *child_object(json_t *o, const char *key)
{
	json_t *child = sw_json_key(o, key);

	if (!json_object_is_type(child, json_type_object)) {
		child = must(json_object_new_object());
		put_key(o, key, child);
	}
	return child;
}

void sw_json_set(json_t *o, const char *dotted, json_t *value_taken)
{
	char key[SEGMENT_MAX];

	SW_REQUIRE(json_object_is_type(o, json_type_object));
	while ((dotted = segment(dotted, key)))
		o = child_object(o, key);
	put_key(o, key, value_taken);
}

void sw_json_set_str(json_t *o, const char *dotted, const char *value)
{
	sw_json_set(o, dotted, value ? must(json_object_new_string(value)) : NULL);
}

void sw_json_set_int(json_t *o, const char *dotted, int64_t value)
{
	sw_json_set(o, dotted, must(json_object_new_int64(value)));
}

void sw_json_set_bool(json_t *o, const char *dotted, bool value)
{
	sw_json_set(o, dotted, must(json_object_new_boolean(value)));
}

static void set_meta(json_t *o, const char *map, const char *key, const char *value)
{
	SW_REQUIRE(json_object_is_type(o, json_type_object));
	put_key(child_object(child_object(o, "metadata"), map), key, must(json_object_new_string(value)));
}

void sw_json_set_label(json_t *o, const char *key, const char *value)
{
	set_meta(o, "labels", key, value);
}

void sw_json_set_annotation(json_t *o, const char *key, const char *value)
{
	set_meta(o, "annotations", key, value);
}

void sw_json_del(json_t *o, const char *dotted)
{
	char key[SEGMENT_MAX];

	while ((dotted = segment(dotted, key)))
		o = sw_json_key(o, key);
	sw_json_del_key(o, key);
}

void sw_json_del_key(json_t *o, const char *key)
{
	if (json_object_is_type(o, json_type_object))
		json_object_object_del(o, key);
}

/* ---- copies ---------------------------------------------------------------- */

/* json_object_deep_copy keeps the text of doubles as well. */
json_t *sw_json_copy(json_t *o)
{
	json_t *copy = NULL;

	SW_REQUIRE(!o || json_object_deep_copy(o, &copy, NULL) == 0);
	return copy;
}

json_t *sw_json_fmt(const char *fmt, ...)
{
	struct sw_buf b;
	struct sw_err e;
	json_t *o;
	va_list ap;

	sw_buf_init(&b, 1 << 24);
	va_start(ap, fmt);
	sw_buf_vprintf(&b, fmt, ap);
	va_end(ap);
	SW_REQUIRE(sw_buf_ok(&b));
	e = sw_json_parse(b.at, b.len, &o);
	sw_buf_fini(&b);
	SW_REQUIRE(!sw_failed(e));
	return o;
}

/* ---- conditions ------------------------------------------------------------ */

json_t *sw_json_condition(json_t *o, const char *type)
{
	json_t *all = sw_json_at(o, "status.conditions");

	for (size_t i = 0; i < sw_json_len(all); i++) {
		json_t *c = sw_json_idx(all, i);
		const char *found = sw_json_str(c, "type");

		if (found && !strcmp(found, type))
			return c;
	}
	return NULL;
}

bool sw_json_condition_true(json_t *o, const char *type)
{
	const char *status = sw_json_str(sw_json_condition(o, type), "status");

	return status && !strcmp(status, "True");
}

static json_t *condition_append(json_t *o, const char *type)
{
	json_t *all = sw_json_at(o, "status.conditions"), *c = must(json_object_new_object());

	if (!json_object_is_type(all, json_type_array)) {
		all = must(json_object_new_array());
		sw_json_set(o, "status.conditions", all);
	}
	sw_json_set_str(c, "type", type);
	SW_REQUIRE(json_object_array_add(all, c) == 0);
	return c;
}

/* Returns true if it was different. */
static bool set_if_new(json_t *c, const char *key, const char *value)
{
	const char *was = sw_json_str(c, key);

	if (was && !strcmp(was, value))
		return false;
	sw_json_set_str(c, key, value);
	return true;
}

bool sw_json_set_condition(json_t *o, const char *type, bool status, const char *reason, const char *message,
			   const char *now)
{
	json_t *c = sw_json_condition(o, type);
	bool moved, changed;

	if (!c)
		c = condition_append(o, type);
	moved = set_if_new(c, "status", status ? "True" : "False");
	if (moved)
		sw_json_set_str(c, "lastTransitionTime", now);
	changed = set_if_new(c, "reason", reason ? reason : "");
	return set_if_new(c, "message", message ? message : "") || changed || moved;
}
