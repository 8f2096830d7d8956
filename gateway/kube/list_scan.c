/* SPDX-License-Identifier: Apache-2.0 */
/* list_scan.c - a scanner over the top level of a list: strings and nesting only */
#include "list_scan.h"
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

void list_scan_init(struct list_scan *s, const char *bytes, size_t len)
{
	*s = (struct list_scan){.start = bytes, .at = bytes, .end = bytes + len, .err = SW_OK};
}

void list_scan_fini(struct list_scan *s)
{
	json_object_put(s->metadata);
	free(s->kind);
	free(s->api_version);
	*s = (struct list_scan){.err = SW_OK};
}

static enum scan_step bad(struct list_scan *s, const char *expected)
{
	s->err = sw_err(SW_E_NET, "list reply: byte %zu: %s, expected %s", (size_t)(s->at - s->start),
			s->at >= s->end ? "it ends" : "found something else", expected);
	return SCAN_BAD;
}

static void skip_space(struct list_scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
		s->at++;
}

static bool take(struct list_scan *s, char c)
{
	skip_space(s);
	if (s->at >= s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* at is on the opening quote. A quote ends the string unless an odd number of backslashes stands before it. */
static bool skip_string(struct list_scan *s)
{
	const char *from = ++s->at;

	for (;;) {
		const char *quote = memchr(s->at, '"', (size_t)(s->end - s->at)), *p = quote;
		if (!quote)
			return false;
		s->at = quote + 1;
		while (p > from && p[-1] == '\\')
			p--;
		if ((quote - p) % 2 == 0)
			return true;
	}
}

/* at is on { or [ */
static bool skip_nested(struct list_scan *s)
{
	size_t depth = 0;

	while (s->at < s->end) {
		char c = *s->at;
		if (c == '"') {
			if (!skip_string(s))
				return false;
			continue;
		}
		s->at++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			return true;
	}
	return false;
}

static bool skip_value(struct list_scan *s)
{
	skip_space(s);
	if (s->at >= s->end)
		return false;
	if (*s->at == '"')
		return skip_string(s);
	if (*s->at == '{' || *s->at == '[')
		return skip_nested(s);
	while (s->at < s->end && !strchr(",]} \t\r\n", *s->at))
		s->at++;
	return true;
}

static bool key_is(const char *key, size_t len, const char *name)
{
	return len == strlen(name) + 2 && memcmp(key + 1, name, len - 2) == 0;
}

static void keep_text(json_t *value, char **out)
{
	if (!json_object_is_type(value, json_type_string))
		return;
	free(*out);
	*out = sw_strdup(json_object_get_string(value));
}

/* The value of one top-level key other than items. */
static bool read_value(struct list_scan *s, const char *key, size_t key_len)
{
	const char *from;
	json_t *value = NULL;
	struct sw_err e;

	skip_space(s);
	from = s->at;
	if (!skip_value(s))
		return false;
	if (!key_is(key, key_len, "metadata") && !key_is(key, key_len, "kind") && !key_is(key, key_len, "apiVersion"))
		return true;
	e = sw_json_parse(from, (size_t)(s->at - from), &value);
	if (sw_failed(e))
		return false;
	if (key_is(key, key_len, "metadata")) {
		json_object_put(s->metadata);
		s->metadata = value;
		return true;
	}
	keep_text(value, key_is(key, key_len, "kind") ? &s->kind : &s->api_version);
	json_object_put(value);
	return true;
}

static enum scan_step next_item(struct list_scan *s, const char **item, size_t *len)
{
	skip_space(s);
	if (s->at >= s->end || *s->at != '{')
		return bad(s, "an object in items");
	*item = s->at;
	if (!skip_nested(s))
		return bad(s, "the end of an item");
	*len = (size_t)(s->at - *item);
	return SCAN_ITEM;
}

/* at is behind the key "items". null is how Go writes an empty list. */
static enum scan_step open_items(struct list_scan *s)
{
	skip_space(s);
	if (s->end - s->at >= 4 && memcmp(s->at, "null", 4) == 0) {
		s->at += 4;
		return SCAN_END;
	}
	if (!take(s, '['))
		return bad(s, "[ after items");
	if (take(s, ']'))
		return SCAN_END;
	s->in_items = true;
	return SCAN_ITEM;
}

/* Keys until items is met (SCAN_ITEM) or the object ends. */
static enum scan_step next_key(struct list_scan *s)
{
	while (!take(s, '}')) {
		const char *key;
		size_t len;
		enum scan_step step;

		take(s, ',');
		skip_space(s);
		key = s->at;
		if (s->at >= s->end || *s->at != '"' || !skip_string(s))
			return bad(s, "a key");
		len = (size_t)(s->at - key);
		if (!take(s, ':'))
			return bad(s, "a colon");
		if (!key_is(key, len, "items")) {
			if (!read_value(s, key, len))
				return bad(s, "a value");
			continue;
		}
		step = open_items(s);
		if (step != SCAN_END)
			return step;
	}
	skip_space(s);
	return s->at == s->end ? SCAN_END : bad(s, "nothing more");
}

enum scan_step list_scan_next(struct list_scan *s, const char **item, size_t *len)
{
	enum scan_step step;

	if (s->at == s->start && !take(s, '{'))
		return bad(s, "an object");
	if (s->in_items) {
		if (take(s, ','))
			return next_item(s, item, len);
		if (!take(s, ']'))
			return bad(s, ", or ] in items");
		s->in_items = false;
	}
	step = next_key(s);
	return step == SCAN_ITEM ? next_item(s, item, len) : step;
}
