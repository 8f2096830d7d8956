/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml.c - libyaml events to json-c trees, remembering where each value came from
 */
#include "spillway/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <yaml.h>

#include "spillway/text.h"

/* A value is found by its address; a map entry's key by the map's address and the key. */
struct mark {
	UT_hash_handle hh;
	int line, column;
	size_t id_len;
	char id[]; /* the object's address, then the key with its NUL */
};

struct anchor {
	UT_hash_handle hh;
	json_t *value;
	char name[];
};

struct sw_yaml {
	char *name;
	json_t *docs; /* array */
	struct mark *marks;
};

struct loader {
	struct sw_yaml *y;
	yaml_parser_t parser;
	yaml_event_t ev;
	bool has_event;
	struct anchor *anchors;
	size_t nodes;
	struct sw_err err;
};

static bool fail_at(struct loader *l, yaml_mark_t at, const char *found, const char *expected)
{
	if (!sw_failed(l->err))
		l->err = sw_err(SW_E_INVALID, "%s:%zu:%zu: found %s, expected %s", l->y->name, at.line + 1,
				at.column + 1, found, expected);
	return false;
}

static bool next_event(struct loader *l)
{
	if (l->has_event)
		yaml_event_delete(&l->ev);
	l->has_event = yaml_parser_parse(&l->parser, &l->ev);
	if (l->has_event)
		return true;
	const yaml_parser_t *p = &l->parser;
	l->err = sw_err(SW_E_INVALID, "%s:%zu:%zu: %s%s%s", l->y->name, p->problem_mark.line + 1,
			p->problem_mark.column + 1, p->problem ? p->problem : "not YAML", p->context ? ", " : "",
			p->context ? p->context : "");
	return false;
}

/* ---- marks --------------------------------------------------------------------- */

static size_t mark_id(char *id, const void *parent, const char *key)
{
	size_t n = key ? strlen(key) + 1 : 0;
	memcpy(id, &parent, sizeof parent);
	if (n)
		memcpy(id + sizeof parent, key, n);
	return sizeof parent + n;
}

static void mark_put(struct sw_yaml *y, const void *parent, const char *key, yaml_mark_t at)
{
	struct mark *m = sw_calloc(1, sizeof *m + sizeof parent + (key ? strlen(key) + 1 : 0)), *old;
	m->id_len = mark_id(m->id, parent, key);
	m->line = (int)at.line + 1;
	m->column = (int)at.column + 1;
	HASH_FIND(hh, y->marks, m->id, m->id_len, old);
	if (old)
		free(m);
	else
		HASH_ADD_KEYPTR(hh, y->marks, m->id, m->id_len, m);
}

const char *sw_yaml_where(const struct sw_yaml *y, json_t *parent, const char *key, char *buf, size_t size)
{
	struct mark *m = NULL;
	char id[sizeof(void *) + 512];
	if (!key || strlen(key) < 511) {
		size_t n = mark_id(id, parent, key);
		HASH_FIND(hh, y->marks, id, n, m);
	}
	if (m)
		snprintf(buf, size, "%s:%d:%d", y->name, m->line, m->column);
	else
		snprintf(buf, size, "%s", y->name);
	return buf;
}

/* ---- scalars --------------------------------------------------------------------- */

static bool one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(s, *words) == 0)
			return true;
	return false;
}

static bool looks_like_int(const char *s, int64_t *out)
{
	const char *d = s + (*s == '-' || *s == '+'), *digits = "0123456789";
	int base = 10;
	if (d[0] == '0' && d[1]) {
		bool hex = d[1] == 'x' || d[1] == 'X';
		base = hex ? 16 : 8;
		digits = hex ? "0123456789abcdefABCDEF" : "01234567";
		d += hex || d[1] == 'o' ? 2 : 1;
	}
	if (!*d || strspn(d, digits) != strlen(d))
		return false;
	errno = 0;
	long long v = strtoll(d, NULL, base);
	if (errno)
		return false;
	*out = *s == '-' ? -v : v;
	return true;
}

static bool looks_like_float(const char *s, double *out)
{
	const char *d = s + (*s == '-' || *s == '+');
	if (strspn(d, "0123456789.eE+-") != strlen(d) || !strpbrk(d, "0123456789") || *d == 'e' || *d == 'E')
		return false;
	if (d[0] == '0' && d[1] >= '0' && d[1] <= '9') /* "08" is a name, not a number */
		return false;
	char *end;
	*out = strtod(s, &end);
	return *end == '\0' && end != s && isfinite(*out); /* JSON has no word for what does not fit: it stays text */
}

static json_t *scalar_value(const yaml_event_t *ev)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", NULL};
	static const char *const no[] = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", NULL};
	const char *s = (const char *)ev->data.scalar.value, *tag = (const char *)ev->data.scalar.tag;
	int len = (int)ev->data.scalar.length;
	int64_t i;
	double d;
	if (ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || (tag && strcmp(tag, YAML_STR_TAG) == 0))
		return json_object_new_string_len(s, len);
	if (one_of(s, nulls))
		return NULL;
	if (one_of(s, yes) || one_of(s, no))
		return json_object_new_boolean(one_of(s, yes));
	if (looks_like_int(s, &i))
		return json_object_new_int64(i);
	if (looks_like_float(s, &d))
		return json_object_new_double_s(d, s);
	return json_object_new_string_len(s, len);
}

/* ---- nodes ------------------------------------------------------------------------- */

static bool load_node(struct loader *l, int depth, json_t **out);

static size_t count_nodes(json_t *v)
{
	size_t n = 1;
	if (json_object_is_type(v, json_type_object)) {
		json_object_object_foreach(v, key, child)
		{
			(void)key;
			n += count_nodes(child);
		}
	}
	for (size_t i = 0; i < sw_json_len(v); i++)
		n += count_nodes(sw_json_idx(v, i));
	return n;
}

static bool too_many(struct loader *l)
{
	return l->nodes > SW_YAML_NODES && !fail_at(l, l->ev.start_mark, "too many values", "at most 200000 in a file");
}

static bool load_alias(struct loader *l, json_t **out)
{
	struct anchor *a;
	const char *name = (const char *)l->ev.data.alias.anchor;
	HASH_FIND_STR(l->anchors, name, a);
	if (!a)
		return fail_at(l, l->ev.start_mark, "an alias without its anchor", "&name before *name");
	l->nodes += count_nodes(a->value); /* each use costs what it makes: no billion laughs */
	if (too_many(l))
		return false;
	*out = sw_json_copy(a->value);
	return true;
}

static void anchor_free(struct loader *l, struct anchor *a)
{
	HASH_DEL(l->anchors, a);
	json_object_put(a->value);
	free(a);
}

static void anchor_put(struct loader *l, const char *name, json_t *value)
{
	struct anchor *a = sw_calloc(1, sizeof *a + strlen(name) + 1), *old;
	memcpy(a->name, name, strlen(name) + 1);
	a->value = json_object_get(value);
	HASH_FIND_STR(l->anchors, name, old);
	if (old)
		anchor_free(l, old);
	HASH_ADD_STR(l->anchors, name, a);
}

static bool load_key(struct loader *l, json_t *map, char **key)
{
	const char *s = (const char *)l->ev.data.scalar.value;
	if (l->ev.type != YAML_SCALAR_EVENT)
		return fail_at(l, l->ev.start_mark, "a list or map as a key", "a plain key");
	if (strcmp(s, "<<") == 0 && l->ev.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return fail_at(l, l->ev.start_mark, "a merge key (<<)", "the values written out");
	if (strlen(s) != l->ev.data.scalar.length)
		return fail_at(l, l->ev.start_mark, "a key with a NUL byte", "text");
	if (json_object_object_get_ex(map, s, NULL)) {
		char what[96];
		snprintf(what, sizeof what, "key \"%.60s\" twice", s);
		return fail_at(l, l->ev.start_mark, what, "each key once");
	}
	*key = sw_strdup(s);
	mark_put(l->y, map, s, l->ev.start_mark);
	return true;
}

static bool load_map(struct loader *l, int depth, json_t *map)
{
	while (next_event(l)) {
		char *key = NULL;
		json_t *value = NULL;
		if (l->ev.type == YAML_MAPPING_END_EVENT)
			return true;
		if (!load_key(l, map, &key))
			return false;
		bool ok = next_event(l) && load_node(l, depth + 1, &value);
		if (ok)
			json_object_object_add(map, key, value);
		free(key);
		if (!ok)
			return false;
	}
	return false;
}

static bool load_list(struct loader *l, int depth, json_t *list)
{
	while (next_event(l)) {
		json_t *value = NULL;
		if (l->ev.type == YAML_SEQUENCE_END_EVENT)
			return true;
		if (!load_node(l, depth + 1, &value))
			return false;
		json_object_array_add(list, value);
	}
	return false;
}

/* The value of the present event without its anchor and mark. */
static bool load_value(struct loader *l, int depth, json_t **out, char **anchor)
{
	switch (l->ev.type) {
	case YAML_SCALAR_EVENT:
		*anchor = sw_strdup((char *)l->ev.data.scalar.anchor);
		*out = scalar_value(&l->ev);
		return true;
	case YAML_MAPPING_START_EVENT:
		*anchor = sw_strdup((char *)l->ev.data.mapping_start.anchor);
		*out = json_object_new_object();
		return load_map(l, depth, *out);
	case YAML_SEQUENCE_START_EVENT:
		*anchor = sw_strdup((char *)l->ev.data.sequence_start.anchor);
		*out = json_object_new_array();
		return load_list(l, depth, *out);
	default:
		return fail_at(l, l->ev.start_mark, "an unexpected end", "a value");
	}
}

/* The node that the present event starts. *out NULL is YAML's null. */
static bool load_node(struct loader *l, int depth, json_t **out)
{
	yaml_mark_t at = l->ev.start_mark;
	char *anchor = NULL;
	*out = NULL;
	l->nodes++;
	if (too_many(l))
		return false;
	if (depth > SW_YAML_DEPTH)
		return fail_at(l, at, "nesting deeper than 64 levels", "a flatter document");
	if (l->ev.type == YAML_ALIAS_EVENT)
		return load_alias(l, out);
	bool ok = load_value(l, depth, out, &anchor);
	if (ok && anchor)
		anchor_put(l, anchor, *out);
	if (ok && *out)
		mark_put(l->y, *out, NULL, at);
	free(anchor);
	if (!ok) {
		json_object_put(*out);
		*out = NULL;
	}
	return ok;
}

static bool load_documents(struct loader *l)
{
	while (next_event(l) && l->ev.type != YAML_STREAM_END_EVENT) {
		json_t *doc;
		if (l->ev.type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (!next_event(l) || !load_node(l, 0, &doc))
			return false;
		if (doc)
			json_object_array_add(l->y->docs, doc);
	}
	return !sw_failed(l->err);
}

struct sw_err sw_yaml_parse(const char *name, const char *text, size_t len, struct sw_yaml **out)
{
	*out = NULL;
	struct loader l = {.y = sw_calloc(1, sizeof *l.y)};
	if (!yaml_parser_initialize(&l.parser)) {
		free(l.y);
		return sw_err(SW_E_NOMEM, "%s: no memory for a YAML parser", name);
	}
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING); /* else two bytes at the start make it UTF-16 */
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, len);
	l.y->name = sw_strdup(name);
	l.y->docs = json_object_new_array();
	bool ok = load_documents(&l);
	if (l.has_event)
		yaml_event_delete(&l.ev);
	yaml_parser_delete(&l.parser);
	struct anchor *a, *tmp;
	HASH_ITER(hh, l.anchors, a, tmp)
	anchor_free(&l, a);
	if (!ok) {
		sw_yaml_free(l.y);
		return l.err;
	}
	*out = l.y;
	return SW_OK;
}

void sw_yaml_free(struct sw_yaml *y)
{
	struct mark *m, *tmp;
	if (!y)
		return;
	HASH_ITER(hh, y->marks, m, tmp)
	{
		HASH_DEL(y->marks, m);
		free(m);
	}
	json_object_put(y->docs);
	free(y->name);
	free(y);
}

size_t sw_yaml_docs(const struct sw_yaml *y)
{
	return sw_json_len(y->docs);
}
json_t *sw_yaml_doc(const struct sw_yaml *y, size_t i)
{
	return sw_json_idx(y->docs, i);
}
