/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssa_walk.c - walking values beside the schema, for server-side apply
 *
 * What a list or map is decides everything: a keyed list and a set merge item by item, any other list and a map
 * marked atomic are one value. Where the schema knows nothing, maps merge and lists are one value.
 */
#include <stdlib.h>
#include <string.h>
#include "patch_priv.h"
#include "spillway/text.h"
#include "ssa_priv.h"

static enum shape shape_at(struct place_type t)
{
	return t.f && t.depth < SHAPES ? t.f->shape[t.depth] : SHAPE_ONE;
}

static const struct message *message_at(struct place_type t)
{
	return t.f ? t.f->message : t.m;
}

static bool is_atomic(struct place_type t)
{
	const struct message *m = message_at(t);

	if (t.f && t.f->atomic)
		return true;
	return shape_at(t) == SHAPE_ONE && m && m->atomic;
}

enum value_kind place_kind(struct place_type t, json_t *v)
{
	if (json_object_is_type(v, json_type_object))
		return is_atomic(t) ? KIND_LEAF : KIND_MAP;
	if (!json_object_is_type(v, json_type_array) || shape_at(t) != SHAPE_LIST || is_atomic(t))
		return KIND_LEAF;
	if (t.f->list_keys.n)
		return KIND_KEYED;
	return t.f->is_set ? KIND_SET : KIND_LEAF;
}

struct place_type place_child(struct place_type t, const char *key)
{
	const struct message *m = message_at(t);

	if (shape_at(t) == SHAPE_MAP)
		return (struct place_type){ .f = t.f, .depth = t.depth + 1 };
	return (struct place_type){ .f = m && shape_at(t) == SHAPE_ONE ? message_field(m, key) : NULL };
}

struct place_type place_item(struct place_type t)
{
	return (struct place_type){ .f = t.f, .depth = t.depth + 1 };
}

/* A key that the item does not give has the default of its field: ports are known by containerPort and protocol TCP. */
static json_t *item_key(const struct field *f, json_t *item, const char *key)
{
	json_t *v = sw_json_key(item, key);
	const struct field *k = v || !f->message ? NULL : message_field(f->message, key);

	return v ? v : k ? k->fallback : NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *place_item_name(struct place_type t, json_t *item)
{
	const char *names[8];
	size_t n = t.f->list_keys.n;
	struct sw_buf b;
	bool any = false;
	char *out;

	if (!n)
		return sw_asprintf("v:%s", json_key_text(item));
	SW_REQUIRE(n <= sizeof(names) / sizeof(names[0])); /* the schema is ours */
	memcpy(names, t.f->list_keys.at, n * sizeof(names[0]));
	qsort(names, n, sizeof(names[0]), by_text);
	sw_buf_init(&b, 1 << 20);
	sw_buf_puts(&b, "k:{");
	for (size_t i = 0; i < n; i++) {
		json_t *v = item_key(t.f, item, names[i]);

		if (!v)
			continue;
		sw_buf_printf(&b, "%s\"%s\":%s", any ? "," : "", names[i], json_key_text(v));
		any = true;
	}
	sw_buf_putc(&b, '}');
	out = sw_buf_take(&b, NULL);
	return out ? out : sw_strdup("k:{}");
}

static char *field_name(const char *key)
{
	return sw_asprintf("f:%s", key);
}

/* The child of a set under this name, made if it is not there. Takes the name. */
static json_t *set_child(json_t *set, char *name_taken)
{
	json_t *child = sw_json_key(set, name_taken);

	if (!child) {
		child = json_object_new_object();
		json_object_object_add(set, name_taken, child);
	}
	free(name_taken);
	return child;
}

static void mark(json_t *node)
{
	if (!sw_json_key(node, "."))
		json_object_object_add(node, ".", json_object_new_object());
}

/* ---- which fields a value sets ----------------------------------------------------------------- */

static void child_fields(struct place_type t, json_t *v, json_t *node)
{
	enum value_kind kind = place_kind(t, v);
	bool any = kind == KIND_MAP ? json_object_object_length(v) > 0
				    : kind != KIND_LEAF && json_object_array_length(v) > 0;

	if (any)
		fields_of(t, v, node);
	else
		mark(node); /* a leaf, or empty */
	if (json_object_object_length(node) == 1 && sw_json_key(node, "."))
		json_object_object_del(node, "."); /* alone, the element is written {} */
}

void fields_of(struct place_type t, json_t *v, json_t *set)
{
	switch (place_kind(t, v)) {
	case KIND_MAP: {
		json_object_object_foreach(v, key, child)
			child_fields(place_child(t, key), child, set_child(set, field_name(key)));
		break;
	}
	case KIND_KEYED:
		for (size_t i = 0; i < json_object_array_length(v); i++) {
			json_t *item = json_object_array_get_idx(v, i),
			       *node = set_child(set, place_item_name(t, item));

			fields_of(place_item(t), item, node);
			if (json_object_object_length(node))
				mark(node);
		}
		break;
	case KIND_SET:
		for (size_t i = 0; i < json_object_array_length(v); i++)
			set_child(set, place_item_name(t, json_object_array_get_idx(v, i)));
		break;
	default: break;
	}
}

/* ---- differences ------------------------------------------------------------------------------- */

/* item name -> the item, lent inside (gives the index) */
static json_t *item_index(struct place_type t, json_t *list)
{
	json_t *index = json_object_new_object();

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *item = json_object_array_get_idx(list, i);
		char *name = place_item_name(t, item);

		if (!sw_json_key(index, name))
			json_object_object_add(index, name, json_object_get(item));
		free(name);
	}
	return index;
}

static void drop_if_empty(json_t *set, const char *name)
{
	json_t *node = sw_json_key(set, name);

	if (node && json_object_object_length(node) == 0)
		json_object_object_del(set, name);
}

/* Both have it: look inside; an empty node would mean "member", so it goes if nothing was found. */
static void diff_inside(struct place_type t, const char *name, json_t *a, json_t *b, json_t *changed, json_t *removed)
{
	json_t *c = set_child(changed, sw_strdup(name)), *r = set_child(removed, sw_strdup(name));

	fields_diff(t, a, b, c, r);
	drop_if_empty(changed, name);
	drop_if_empty(removed, name);
}

static void diff_child(struct place_type t, const char *name, json_t *a, json_t *b, json_t *changed, json_t *removed)
{
	enum value_kind kind = place_kind(t, b);

	if (a && b && json_object_equal(a, b))
		return;
	if (a && b && kind != KIND_LEAF && place_kind(t, a) == kind) {
		diff_inside(t, name, a, b, changed, removed);
	} else if (b) {
		json_t *node = set_child(changed, sw_strdup(name));

		child_fields(t, b, node);
		if (kind != KIND_LEAF && json_object_object_length(node))
			mark(node);
	} else {
		json_t *node = set_child(removed, sw_strdup(name));

		child_fields(t, a, node);
		if (json_object_object_length(node))
			mark(node);
	}
}

static void diff_maps(struct place_type t, json_t *old, json_t *fresh, json_t *changed, json_t *removed)
{
	json_object_object_foreach(fresh, key, v) {
		char *name = field_name(key);

		diff_child(place_child(t, key), name, sw_json_key(old, key), v, changed, removed);
		free(name);
	}
	json_object_object_foreach(old, old_key, w) {
		char *name;

		if (sw_json_key(fresh, old_key))
			continue;
		name = field_name(old_key);
		diff_child(place_child(t, old_key), name, w, NULL, changed, removed);
		free(name);
	}
}

static void diff_lists(struct place_type t, json_t *old, json_t *fresh, json_t *changed, json_t *removed)
{
	json_t *a = item_index(t, old), *b = item_index(t, fresh);

	json_object_object_foreach(b, name, item)
		diff_child(place_item(t), name, sw_json_key(a, name), item, changed, removed);
	json_object_object_foreach(a, old_name, old_item)
		if (!sw_json_key(b, old_name))
			diff_child(place_item(t), old_name, old_item, NULL, changed, removed);
	json_object_put(a);
	json_object_put(b);
}

void fields_diff(struct place_type t, json_t *old, json_t *fresh, json_t *changed, json_t *removed)
{
	if (place_kind(t, fresh) == KIND_MAP)
		diff_maps(t, old, fresh, changed, removed);
	else
		diff_lists(t, old, fresh, changed, removed);
}

/* ---- merging ----------------------------------------------------------------------------------- */

static json_t *merge_maps(struct place_type t, json_t *live, json_t *applied)
{
	json_object_object_foreach(applied, key, v) {
		json_t *was = sw_json_key(live, key);

		if (v)
			json_object_object_add(live, key,
					       value_merge(place_child(t, key), was ? json_object_get(was) : NULL, v));
	}
	return live;
}

/* name -> position in the list (gives) */
static json_t *position_index(struct place_type t, json_t *list)
{
	json_t *index = json_object_new_object();

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		char *name = place_item_name(t, json_object_array_get_idx(list, i));

		if (!sw_json_key(index, name))
			json_object_object_add(index, name, json_object_new_int64((int64_t)i));
		free(name);
	}
	return index;
}

static json_t *merge_lists(struct place_type t, json_t *live, json_t *applied, bool keyed)
{
	json_t *index = position_index(t, live);

	for (size_t i = 0; i < json_object_array_length(applied); i++) {
		json_t *item = json_object_array_get_idx(applied, i), *at, *was;
		char *name = place_item_name(t, item);

		at = sw_json_key(index, name);
		if (!at) {
			json_object_object_add(index, name,
					       json_object_new_int64((int64_t)json_object_array_length(live)));
			json_object_array_add(live, item ? sw_json_copy(item) : NULL);
		} else if (keyed) {
			was = json_object_get(json_object_array_get_idx(live, (size_t)json_object_get_int64(at)));
			json_object_array_put_idx(live, (size_t)json_object_get_int64(at),
						  value_merge(place_item(t), was, item));
		}
		free(name);
	}
	json_object_put(index);
	return live;
}

json_t *value_merge(struct place_type t, json_t *live_taken, json_t *applied)
{
	enum value_kind kind = place_kind(t, applied);

	if (kind == KIND_LEAF || !live_taken || place_kind(t, live_taken) != kind) {
		json_object_put(live_taken);
		return sw_json_copy(applied);
	}
	if (kind == KIND_MAP)
		return merge_maps(t, live_taken, applied);
	return merge_lists(t, live_taken, applied, kind == KIND_KEYED);
}

/* ---- pruning ----------------------------------------------------------------------------------- */

static bool is_member(json_t *node)
{
	return node && (json_object_object_length(node) == 0 || sw_json_key(node, "."));
}

static bool is_hollow(json_t *v)
{
	if (json_object_is_type(v, json_type_object))
		return json_object_object_length(v) == 0;
	return json_object_is_type(v, json_type_array) && json_object_array_length(v) == 0;
}

/* Should this child go altogether? Its inside is pruned on the way. */
static bool prune_child(struct place_type t, json_t *v, json_t *gone, json_t *kept)
{
	bool was_hollow = is_hollow(v);

	if (is_member(gone) && !kept)
		return true;
	if (place_kind(t, v) == KIND_LEAF)
		return false;
	value_prune(t, v, gone, kept);
	return !was_hollow && is_hollow(v) && !is_member(kept);
}

static void prune_list(struct place_type t, json_t *list, json_t *gone, json_t *kept)
{
	for (size_t i = json_object_array_length(list); i-- > 0;) {
		json_t *item = json_object_array_get_idx(list, i), *g;
		char *name = place_item_name(t, item);

		g = sw_json_key(gone, name);
		if (g && prune_child(place_item(t), item, g, sw_json_key(kept, name)))
			json_object_array_del_idx(list, i, 1);
		free(name);
	}
}

void value_prune(struct place_type t, json_t *v, json_t *gone, json_t *kept)
{
	enum value_kind kind = place_kind(t, v);

	if (kind == KIND_KEYED || kind == KIND_SET)
		prune_list(t, v, gone, kept);
	if (kind != KIND_MAP)
		return;
	json_object_object_foreach(v, key, child) {
		char *name = field_name(key);
		json_t *g = sw_json_key(gone, name);

		if (g && prune_child(place_child(t, key), child, g, sw_json_key(kept, name)))
			json_object_object_del(v, key);
		free(name);
	}
}
