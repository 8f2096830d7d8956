/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssa_set.c - union, difference and intersection of field sets
 */
#include <string.h>
#include "ssa_priv.h"
#include "spillway/buf.h"

static bool is_member(json_t *node)
{
	return json_object_object_length(node) == 0 || sw_json_key(node, ".") != NULL ||
	       json_object_object_get_ex(node, ".", NULL);
}

static bool is_set(json_t *node)
{
	return json_object_is_type(node, json_type_object);
}

bool set_empty(json_t *set)
{
	return !is_set(set) || json_object_object_length(set) == 0;
}

bool set_valid(json_t *set)
{
	if (!is_set(set))
		return false;
	json_object_object_foreach(set, key, node)
	{
		(void)key;
		if (!set_valid(node))
			return false;
	}
	return true;
}

static void mark_member(json_t *node)
{
	if (json_object_object_length(node) && !sw_json_key(node, "."))
		json_object_object_add(node, ".", json_object_new_object());
}

void set_union(json_t *into, json_t *more)
{
	if (!is_set(more))
		return;
	json_object_object_foreach(more, key, theirs)
	{
		json_t *ours = sw_json_key(into, key);

		if (strcmp(key, ".") == 0 || !is_set(theirs))
			continue;
		if (!ours) {
			json_object_object_add(into, key, sw_json_copy(theirs));
		} else {
			bool member = is_member(ours) || is_member(theirs);

			set_union(ours, theirs);
			if (member)
				mark_member(ours);
		}
	}
}

/* Returns true if nothing is left of the node. */
static bool node_minus(json_t *node, json_t *less)
{
	bool member = is_member(node) && !is_member(less);

	if (is_member(less) && sw_json_key(node, "."))
		json_object_object_del(node, ".");
	set_minus(node, less);
	if (member && json_object_object_length(node) == 1 && sw_json_key(node, "."))
		json_object_object_del(node, "."); /* alone, a member is written {} */
	return json_object_object_length(node) == 0 && !member;
}

void set_minus(json_t *from, json_t *less)
{
	if (!is_set(less) || !is_set(from))
		return;
	json_object_object_foreach(from, key, ours)
	{
		json_t *theirs = sw_json_key(less, key);

		if (strcmp(key, ".") != 0 && is_set(theirs) && is_set(ours) && node_minus(ours, theirs))
			json_object_object_del(from, key);
	}
}

json_t *set_common(json_t *a, json_t *b)
{
	json_t *out = json_object_new_object();

	if (!is_set(a) || !is_set(b))
		return out;
	json_object_object_foreach(a, key, x)
	{
		json_t *y = sw_json_key(b, key), *both;
		bool member;

		if (strcmp(key, ".") == 0 || !is_set(x) || !is_set(y))
			continue;
		both = set_common(x, y);
		member = is_member(x) && is_member(y);
		if (member)
			mark_member(both);
		if (member || json_object_object_length(both))
			json_object_object_add(out, key, both);
		else
			json_object_put(both);
	}
	return out;
}

size_t set_count(json_t *set)
{
	size_t n = 0;

	if (!is_set(set))
		return 0;
	json_object_object_foreach(set, key, node) if (strcmp(key, ".") != 0 && is_set(node)) n +=
		is_member(node) + set_count(node);
	return n;
}

/* f:spec -> .spec; k:{"name":"c"} -> [name="c"]; v:"x" -> [="x"] */
static void put_element(struct sw_buf *b, const char *key)
{
	json_t *keys = NULL;
	bool any = false;

	if (strncmp(key, "f:", 2) == 0) {
		sw_buf_printf(b, ".%s", key + 2);
		return;
	}
	if (strncmp(key, "k:", 2) != 0 || sw_failed(sw_json_parse(key + 2, strlen(key + 2), &keys)) || !is_set(keys)) {
		sw_buf_printf(b, "[=%s]", key + 2);
		json_object_put(keys);
		return;
	}
	sw_buf_putc(b, '[');
	json_object_object_foreach(keys, name, v)
	{
		sw_buf_printf(b, "%s%s=%s", any ? "," : "", name,
			      json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
		any = true;
	}
	sw_buf_putc(b, ']');
	json_object_put(keys);
}

static void walk_paths(json_t *set, struct sw_buf *b, set_path_fn *fn, void *owner)
{
	size_t len = b->len;

	json_object_object_foreach(set, key, node)
	{
		if (strcmp(key, ".") == 0 || strlen(key) < 2 || !is_set(node))
			continue;
		put_element(b, key);
		if (is_member(node) && sw_buf_ok(b))
			fn(owner, b->at);
		walk_paths(node, b, fn, owner);
		if (!sw_buf_ok(b))
			return;
		b->len = len;
		b->at[len] = '\0';
	}
}

void set_paths(json_t *set, set_path_fn *fn, void *owner)
{
	struct sw_buf b;

	sw_buf_init(&b, 64 << 10);
	if (is_set(set))
		walk_paths(set, &b, fn, owner);
	sw_buf_fini(&b);
}
