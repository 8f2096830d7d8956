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
	if (!t.f || !json_object_is_type(v, json_type_array) || shape_at(t) != SHAPE_LIST || is_atomic(t))
		return KIND_LEAF;
	if (t.f->list_keys.n)
		return KIND_KEYED;
	return t.f->is_set ? KIND_SET : KIND_LEAF;
}

struct place_type place_child(struct place_type t, const char *key)
{
	const struct message *m = message_at(t);

	if (shape_at(t) == SHAPE_MAP)
		return (struct place_type){.f = t.f, .depth = t.depth + 1};
	return (struct place_type){.f = m && shape_at(t) == SHAPE_ONE ? message_field(m, key) : NULL};
}

struct place_type place_item(struct place_type t)
{
	return (struct place_type){.f = t.f, .depth = t.depth + 1};
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

static void walk_fields(struct place_type t, json_t *v, json_t *set, bool every);

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

/* ---- which fields a value sets --------------------------------------------------------------- */

static bool is_hollow(json_t *v)
{
	if (json_object_is_type(v, json_type_object))
		return json_object_object_length(v) == 0;
	return json_object_is_type(v, json_type_array) && json_object_array_length(v) == 0;
}

/*
 * The fields of one child go into its node; false if there is nothing to own. `self` makes the child a member beside
 * what is in it: items of lists, entries of maps, and with `every` (what an ordinary write adds) all of them.
 */
static bool child_fields(struct place_type t, json_t *v, json_t *node, bool self, bool every)
{
	enum value_kind kind = place_kind(t, v);

	if (kind == KIND_LEAF)
		return true;
	walk_fields(t, v, node, every);
	if (json_object_object_length(node) == 0)
		return self || (kind == KIND_MAP && is_hollow(v));
	if (self)
		mark(node);
	return true;
}

static void add_child(struct place_type t, json_t *v, json_t *set, char *name_taken, bool self, bool every)
{
	json_t *node = json_object_new_object();

	if (child_fields(t, v, node, self || every, every) && !sw_json_key(set, name_taken))
		json_object_object_add(set, name_taken, node);
	else
		json_object_put(node);
	free(name_taken);
}

static void walk_fields(struct place_type t, json_t *v, json_t *set, bool every)
{
	switch (place_kind(t, v)) {
	case KIND_MAP: {
		json_object_object_foreach(v, key, child)
		{
			struct place_type c = place_child(t, key);

			add_child(c, child, set, field_name(key), shape_at(t) == SHAPE_MAP || !c.f, every);
		}
		break;
	}
	case KIND_KEYED:
	case KIND_SET:
		for (size_t i = 0; i < json_object_array_length(v); i++) {
			json_t *item = json_object_array_get_idx(v, i);

			add_child(place_item(t), item, set, place_item_name(t, item), true, every);
		}
		break;
	default:
		break;
	}
}

void fields_of(struct place_type t, json_t *v, json_t *set)
{
	walk_fields(t, v, set, false);
}

static bool duplicate_in_list(struct place_type t, json_t *list, struct sw_buf *path)
{
	json_t *seen = json_object_new_object();
	bool found = false;

	for (size_t i = 0; i < json_object_array_length(list) && !found; i++) {
		json_t *item = json_object_array_get_idx(list, i);
		char *name = place_item_name(t, item);

		found = json_object_object_get_ex(seen, name, NULL);
		if (found)
			sw_buf_printf(path, ": duplicate entries for key %s", name + 2);
		json_object_object_add(seen, name, NULL);
		free(name);
		if (!found) {
			size_t len = path->len;

			sw_buf_printf(path, "[%zu]", i);
			found = fields_duplicate(place_item(t), item, path);
			if (!found && sw_buf_ok(path))
				path->len = len;
		}
	}
	json_object_put(seen);
	return found;
}

bool fields_duplicate(struct place_type t, json_t *v, struct sw_buf *path)
{
	enum value_kind kind = place_kind(t, v);

	if (kind == KIND_KEYED || kind == KIND_SET)
		return duplicate_in_list(t, v, path);
	if (kind != KIND_MAP)
		return false;
	json_object_object_foreach(v, key, child)
	{
		size_t len = path->len;

		sw_buf_printf(path, ".%s", key);
		if (fields_duplicate(place_child(t, key), child, path))
			return true;
		if (sw_buf_ok(path))
			path->len = len;
	}
	return false;
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
	if (a && b && kind != KIND_LEAF && place_kind(t, a) == kind)
		diff_inside(t, name, a, b, changed, removed);
	else if (b)
		add_child(t, b, changed, sw_strdup(name), true, true);
	else
		add_child(t, a, removed, sw_strdup(name), true, true);
}

static void diff_maps(struct place_type t, json_t *old, json_t *fresh, json_t *changed, json_t *removed)
{
	json_object_object_foreach(fresh, key, v)
	{
		char *name = field_name(key);

		diff_child(place_child(t, key), name, sw_json_key(old, key), v, changed, removed);
		free(name);
	}
	json_object_object_foreach(old, old_key, w)
	{
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
	json_object_object_foreach(a, old_name, old_item) if (!sw_json_key(b, old_name))
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
	json_object_object_foreach(applied, key, v)
	{
		json_t *was = sw_json_key(live, key);

		if (v)
			json_object_object_add(live, key,
					       value_merge(place_child(t, key), was ? json_object_get(was) : NULL, v));
	}
	return live;
}

/* A list with the names of its items and an index of the first item of each name. */
struct named_list {
	json_t *list, *index;
	char **names;
	size_t n, at;
};

static void named_list_init(struct named_list *l, struct place_type t, json_t *list)
{
	*l = (struct named_list){.list = list, .index = json_object_new_object(), .n = json_object_array_length(list)};
	l->names = sw_calloc(l->n + 1, sizeof(*l->names));
	for (size_t i = 0; i < l->n; i++) {
		l->names[i] = place_item_name(t, json_object_array_get_idx(list, i));
		if (!sw_json_key(l->index, l->names[i]))
			json_object_object_add(l->index, l->names[i], json_object_new_int64((int64_t)i));
	}
}

static void named_list_fini(struct named_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
	json_object_put(l->index);
}

static json_t *named_item(const struct named_list *l, const char *name)
{
	json_t *at = sw_json_key(l->index, name);

	return at ? json_object_array_get_idx(l->list, (size_t)json_object_get_int64(at)) : NULL;
}

static bool is_named(const struct named_list *l, const char *name)
{
	return sw_json_key(l->index, name) != NULL;
}

/* The next item of the applied list that the live one has too, from `from` on; n if there is none. */
static size_t next_shared(const struct named_list *live, const struct named_list *applied, size_t from)
{
	while (from < applied->n && !is_named(live, applied->names[from]))
		from++;
	return from;
}

static void take_applied(struct place_type t, struct named_list *live, struct named_list *applied, json_t *out)
{
	const char *name = applied->names[applied->at];
	json_t *item = json_object_array_get_idx(applied->list, applied->at++), *was = named_item(live, name);

	if (is_named(applied, name) && named_item(applied, name) != item)
		return; /* said twice: the first counts */
	json_object_array_add(out, value_merge(place_item(t), was ? json_object_get(was) : NULL, item));
}

/*
 * Applied items come in their order; items that only the live list has stay before the shared item that they stood
 * before. Source: structured-merge-diff v6 typed/merge.go, visitListItems.
 */
static json_t *merge_lists(struct place_type t, json_t *live_taken, json_t *list)
{
	struct named_list live, applied;
	json_t *out = json_object_new_array();
	size_t shared;

	named_list_init(&live, t, live_taken);
	named_list_init(&applied, t, list);
	shared = next_shared(&live, &applied, 0);
	while (live.at < live.n || applied.at < applied.n) {
		const char *name = live.at < live.n ? live.names[live.at] : NULL;
		bool both = name && applied.at < applied.n, same = both && strcmp(name, applied.names[applied.at]) == 0;

		if (name && !is_named(&applied, name)) {
			json_object_array_add(out, json_object_get(json_object_array_get_idx(live.list, live.at++)));
		} else if (name && !same &&
			   (!both || shared >= applied.n || strcmp(name, applied.names[shared]) != 0)) {
			live.at++; /* shared, but it comes elsewhere */
		} else {
			live.at += same;
			take_applied(t, &live, &applied, out);
			if (applied.at > shared)
				shared = next_shared(&live, &applied, applied.at);
		}
	}
	named_list_fini(&live);
	named_list_fini(&applied);
	json_object_put(live_taken);
	return out;
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
	return merge_lists(t, live_taken, applied);
}

/* ---- pruning ----------------------------------------------------------------------------------- */

static bool is_member(json_t *node)
{
	return node && (json_object_object_length(node) == 0 || sw_json_key(node, "."));
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
	json_object_object_foreach(v, key, child)
	{
		char *name = field_name(key);
		json_t *g = sw_json_key(gone, name);

		if (g && prune_child(place_child(t, key), child, g, sw_json_key(kept, name)))
			json_object_object_del(v, key);
		free(name);
	}
}
