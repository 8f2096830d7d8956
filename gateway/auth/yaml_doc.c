/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_doc.c - libyaml's document tree, read with places
 *
 * libyaml keeps aliases as references to the same node, so they cost nothing here, but a tree can contain
 * itself: whatever walks down has to count.
 */
#include "yaml_doc.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

enum { YAML_DEPTH = 32, YAML_NODES = 10000 };

static struct sw_err parser_err(const char *name, const yaml_parser_t *p)
{
	if (p->error == YAML_MEMORY_ERROR)
		return sw_err(SW_E_NOMEM, "%s: out of memory", name);
	if (p->error == YAML_READER_ERROR)
		return sw_err(SW_E_INVALID, "%s: byte %zu: %s: expected UTF-8 text", name, p->problem_offset, p->problem);
	return sw_err(SW_E_INVALID, "%s:%zu:%zu: not YAML: %s%s%s", name, p->problem_mark.line + 1,
	              p->problem_mark.column + 1, p->problem ? p->problem : "unknown", p->context ? " " : "",
	              p->context ? p->context : "");
}

static struct sw_err only_document(struct yaml_doc *y, yaml_parser_t *p)
{
	yaml_document_t more;
	yaml_node_t *root;
	struct sw_err e = SW_OK;

	if (!yaml_document_get_root_node(&y->doc))
		return sw_err(SW_E_INVALID, "%s: found an empty file", y->name);
	if (!yaml_parser_load(p, &more))
		return parser_err(y->name, p);
	root = yaml_document_get_root_node(&more);
	if (root)
		e = sw_err(SW_E_INVALID, "%s:%zu:1: found a second document, expected one", y->name, root->start_mark.line + 1);
	yaml_document_delete(&more);
	return e;
}

struct sw_err yaml_doc_load(struct yaml_doc *y, const char *name, const char *text, size_t len)
{
	yaml_parser_t p;
	struct sw_err e;

	y->name = name;
	if (!yaml_parser_initialize(&p))
		return sw_err(SW_E_NOMEM, "%s: out of memory", name);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
	if (!yaml_parser_load(&p, &y->doc)) {
		e = parser_err(name, &p);
	} else {
		e = only_document(y, &p);
		if (sw_failed(e))
			yaml_document_delete(&y->doc);
	}
	yaml_parser_delete(&p);
	return e;
}

void yaml_doc_fini(struct yaml_doc *y)
{
	yaml_document_delete(&y->doc);
}

yaml_node_t *yaml_doc_root(struct yaml_doc *y)
{
	return yaml_document_get_root_node(&y->doc);
}

struct sw_err yaml_err(const struct yaml_doc *y, const yaml_node_t *at, const char *fmt, ...)
{
	char text[320];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return sw_err(SW_E_INVALID, "%s:%zu:%zu: %s", y->name, at->start_mark.line + 1, at->start_mark.column + 1, text);
}

bool yaml_is_map(const yaml_node_t *n)
{
	return n && n->type == YAML_MAPPING_NODE;
}

bool yaml_is_list(const yaml_node_t *n)
{
	return n && n->type == YAML_SEQUENCE_NODE;
}

const char *yaml_text(const yaml_node_t *n)
{
	return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

static bool is_one_of(const char *s, const char *const *words, int n)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(s, words[i]) == 0)
			return true;
	}
	return false;
}

static bool is_plain(const yaml_node_t *n)
{
	return n->type == YAML_SCALAR_NODE && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

bool yaml_is_null(const yaml_node_t *n)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };

	return !n || (is_plain(n) && is_one_of(yaml_text(n), nulls, 5));
}

yaml_node_t *yaml_get(struct yaml_doc *y, yaml_node_t *map, const char *key)
{
	yaml_node_t *found = NULL;

	if (!yaml_is_map(map))
		return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		const char *k = yaml_text(yaml_document_get_node(&y->doc, p->key));
		if (k && strcmp(k, key) == 0)
			found = yaml_document_get_node(&y->doc, p->value);
	}
	return yaml_is_null(found) ? NULL : found;
}

size_t yaml_len(const yaml_node_t *list)
{
	return yaml_is_list(list) ? (size_t)(list->data.sequence.items.top - list->data.sequence.items.start) : 0;
}

yaml_node_t *yaml_idx(struct yaml_doc *y, yaml_node_t *list, size_t i)
{
	return i < yaml_len(list) ? yaml_document_get_node(&y->doc, list->data.sequence.items.start[i]) : NULL;
}

static struct sw_err check_key(struct yaml_doc *y, yaml_node_t *key, const char *path, const char *const *known, int n)
{
	const char *k = yaml_text(key), *near;

	if (!k)
		return yaml_err(y, key, "%s: found a key that is not a word", path);
	if (is_one_of(k, known, n))
		return SW_OK;
	near = sw_nearest(k, known, n);
	return yaml_err(y, key, "%s: found unknown field \"%.60s\"%s%s%s", path, k, near ? ", did you mean \"" : "",
	                near ? near : "", near ? "\"?" : "");
}

struct sw_err yaml_only(struct yaml_doc *y, yaml_node_t *map, const char *path, const char *const *known, int n)
{
	yaml_node_pair_t *start = map->data.mapping.pairs.start, *top = map->data.mapping.pairs.top;

	for (yaml_node_pair_t *p = start; p < top; p++) {
		yaml_node_t *key = yaml_document_get_node(&y->doc, p->key);
		struct sw_err e = check_key(y, key, path, known, n);
		if (sw_failed(e))
			return e;
		for (yaml_node_pair_t *q = start; q < p; q++) {
			const char *other = yaml_text(yaml_document_get_node(&y->doc, q->key));
			if (other && strcmp(other, yaml_text(key)) == 0)
				return yaml_err(y, key, "%s: found \"%s\" twice, expected it once", path, other);
		}
	}
	return SW_OK;
}

struct sw_err yaml_str(struct yaml_doc *y, yaml_node_t *map, const char *path, const char *key, char **out)
{
	yaml_node_t *n = yaml_get(y, map, key);
	const char *s = yaml_text(n);

	*out = NULL;
	if (!n)
		return SW_OK;
	if (!s)
		return yaml_err(y, n, "%s.%s: found a %s, expected a string", path, key, yaml_is_map(n) ? "mapping" : "list");
	if (strlen(s) != n->data.scalar.length)
		return yaml_err(y, n, "%s.%s: found a NUL byte inside the string", path, key);
	if (*s)
		*out = sw_strdup(s);
	return SW_OK;
}

struct sw_err yaml_bool(struct yaml_doc *y, yaml_node_t *map, const char *path, const char *key, bool *out)
{
	yaml_node_t *n = yaml_get(y, map, key);
	const char *s = yaml_text(n);

	*out = false;
	if (!n)
		return SW_OK;
	if (!s || !is_plain(n) || (strcmp(s, "true") != 0 && strcmp(s, "false") != 0))
		return yaml_err(y, n, "%s.%s: found \"%.40s\", expected true or false", path, key, s ? s : "a structure");
	*out = strcmp(s, "true") == 0;
	return SW_OK;
}

/* ---- as JSON ---------------------------------------------------------------- */

struct to_json {
	struct yaml_doc *y;
	const char *path;
	int nodes; /* aliases may multiply a small text into a large tree */
};

static json_t *scalar_json(const yaml_node_t *n)
{
	const char *s = yaml_text(n);
	char *end;
	int64_t i;

	if (!is_plain(n))
		return json_object_new_string_len(s, (int)n->data.scalar.length);
	if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
		return json_object_new_boolean(s[0] == 't');
	i = strtoll(s, &end, 10);
	if (*s && *end == '\0' && (s[0] != '0' || s[1] == '\0'))
		return json_object_new_int64(i);
	return json_object_new_string_len(s, (int)n->data.scalar.length);
}

static struct sw_err node_json(struct to_json *t, yaml_node_t *n, int depth, json_t **out);

static struct sw_err map_json(struct to_json *t, yaml_node_t *n, int depth, json_t *into)
{
	struct sw_err e = SW_OK;

	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top && !sw_failed(e); p++) {
		yaml_node_t *key = yaml_document_get_node(&t->y->doc, p->key);
		json_t *value = NULL;
		if (!yaml_text(key))
			return yaml_err(t->y, key, "%s: found a key that is not a word", t->path);
		e = node_json(t, yaml_document_get_node(&t->y->doc, p->value), depth + 1, &value);
		if (!sw_failed(e))
			json_object_object_add(into, yaml_text(key), value);
	}
	return e;
}

static struct sw_err list_json(struct to_json *t, yaml_node_t *n, int depth, json_t *into)
{
	struct sw_err e = SW_OK;

	for (size_t i = 0; i < yaml_len(n) && !sw_failed(e); i++) {
		json_t *value = NULL;
		e = node_json(t, yaml_idx(t->y, n, i), depth + 1, &value);
		if (!sw_failed(e))
			json_object_array_add(into, value);
	}
	return e;
}

static struct sw_err node_json(struct to_json *t, yaml_node_t *n, int depth, json_t **out)
{
	struct sw_err e = SW_OK;

	*out = NULL;
	if (depth > YAML_DEPTH || ++t->nodes > YAML_NODES)
		return yaml_err(t->y, n, "%s: found too deep or too large a structure", t->path);
	if (yaml_is_null(n))
		return SW_OK;
	if (yaml_text(n)) {
		*out = scalar_json(n);
		return SW_OK;
	}
	*out = yaml_is_map(n) ? json_object_new_object() : json_object_new_array();
	e = yaml_is_map(n) ? map_json(t, n, depth, *out) : list_json(t, n, depth, *out);
	if (sw_failed(e)) {
		json_object_put(*out);
		*out = NULL;
	}
	return e;
}

struct sw_err yaml_json(struct yaml_doc *y, yaml_node_t *n, const char *path, json_t **out)
{
	struct to_json t = { .y = y, .path = path };

	return node_json(&t, n, 0, out);
}
