/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_smp.c - strategic merge patch, as kubectl apply sends it for built-in kinds
 *
 * Maps merge. Lists with a merge key in the schema merge item by item, others are replaced. Directives:
 *
 *   $patch: replace | delete | merge    in a map; in an item of a keyed list: delete removes the item with that
 *                                       key, replace makes the patch's other items the whole list
 *   $retainKeys: [...]                  keys of the live map that are not listed go
 *   $setElementOrder/LIST: [...]        the order of the merged list; items that only the server knows keep their
 *                                       places between
 *   $deleteFromPrimitiveList/LIST       scalars to remove
 *
 * Source of the rules: k8s.io/apimachinery v0.36.1 pkg/util/strategicpatch/patch.go.
 */
#include <stdio.h>
#include <string.h>
#include "patch_priv.h"
#include "spillway/text.h"

static const char ORDER[] = "$setElementOrder/", DELETE[] = "$deleteFromPrimitiveList/";

struct smp {
	json_t *no;
};

static json_t *merge_map(struct smp *x, const struct message *m, json_t *live_taken, json_t *patch);

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static bool is_directive(const char *key)
{
	return *key == '$' && (strcmp(key, "$patch") == 0 || strcmp(key, "$retainKeys") == 0 || begins(key, ORDER) ||
			       begins(key, DELETE));
}

static void bad(struct smp *x, const char *what, json_t *found)
{
	if (!x->no)
		x->no = sw_status(SW_REASON_BAD_REQUEST, "the strategic merge patch is invalid: %s, found %.300s", what,
				  json_key_text(found));
}

/* What a patch adds is taken without its nulls and directives. */
static json_t *clean_copy(json_t *v)
{
	json_t *o;

	if (json_object_is_type(v, json_type_array)) {
		o = json_object_new_array();
		for (size_t i = 0; i < json_object_array_length(v); i++) {
			json_t *item = json_object_array_get_idx(v, i);

			if (!sw_json_key(item, "$patch"))
				json_object_array_add(o, item ? clean_copy(item) : NULL);
		}
		return o;
	}
	if (!json_object_is_type(v, json_type_object))
		return sw_json_copy(v);
	o = json_object_new_object();
	json_object_object_foreach(v, key, item) if (item && !is_directive(key) && !sw_json_key(item, "$patch"))
		json_object_object_add(o, key, clean_copy(item));
	return o;
}

/* ---- lists ------------------------------------------------------------------------------------- */

/* What an item is known by: its merge key, or itself for scalars. NULL if it has none. */
static json_t *item_key(const char *merge_key, json_t *item)
{
	return *merge_key ? sw_json_key(item, merge_key) : item;
}

/* key text -> position; the first item with a key wins. gives. */
static json_t *list_index(const char *merge_key, json_t *list)
{
	json_t *index = json_object_new_object();

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *key = item_key(merge_key, sw_json_idx(list, i));

		if (key && !sw_json_key(index, json_key_text(key)))
			json_object_object_add(index, json_key_text(key), json_object_new_int64((int64_t)i));
	}
	return index;
}

static int64_t position(json_t *index, json_t *key)
{
	json_t *at = key ? sw_json_key(index, json_key_text(key)) : NULL;

	return at ? json_object_get_int64(at) : -1;
}

/* Special items: $patch delete and replace. Returns the live items that remain (gives). */
static json_t *drop_items(struct smp *x, const char *merge_key, json_t *live, json_t *patch)
{
	json_t *kept = json_object_new_array(), *gone = json_object_new_object();
	bool replace = false;

	for (size_t i = 0; i < sw_json_len(patch) && *merge_key; i++) {
		json_t *item = sw_json_idx(patch, i), *key = sw_json_key(item, merge_key);
		const char *word = sw_json_str(item, "$patch");

		if (!sw_json_key(item, "$patch"))
			continue;
		if (word && strcmp(word, "replace") == 0)
			replace = true;
		else if (!word || strcmp(word, "delete") != 0)
			bad(x, "$patch in a list is delete or replace", item);
		else if (!key)
			bad(x, "an item to delete has no merge key", item);
		else
			json_object_object_add(gone, json_key_text(key), json_object_new_boolean(true));
	}
	for (size_t i = 0; i < sw_json_len(live) && !replace; i++) {
		json_t *item = sw_json_idx(live, i), *key = item_key(merge_key, item);

		if (!key || !sw_json_key(gone, json_key_text(key)))
			json_object_array_add(kept, json_object_get(item));
	}
	json_object_put(gone);
	return kept;
}

static void merge_item(struct smp *x, const struct field *f, json_t *merged, json_t *index, json_t *item)
{
	json_t *key = item_key(f->merge_key, item);
	int64_t at = position(index, key);

	if (!key) {
		bad(x, "an item of a merged list has no merge key", item);
	} else if (at < 0) {
		json_object_object_add(index, json_key_text(key),
				       json_object_new_int64((int64_t)json_object_array_length(merged)));
		json_object_array_add(merged, clean_copy(item));
	} else if (*f->merge_key) {
		json_t *was = json_object_get(json_object_array_get_idx(merged, (size_t)at));

		json_object_array_put_idx(merged, (size_t)at, merge_map(x, f->message, was, item));
	}
}

/* live and patch are lent; gives the merged list, live items first. */
static json_t *merge_items(struct smp *x, const struct field *f, json_t *live, json_t *patch)
{
	json_t *merged = drop_items(x, f->merge_key, live, patch), *index = list_index(f->merge_key, merged);

	for (size_t i = 0; i < sw_json_len(patch) && !x->no; i++) {
		json_t *item = sw_json_idx(patch, i);

		if (!item || (*f->merge_key && !json_object_is_type(item, json_type_object)))
			bad(x, "an item of a merged list is no object", item);
		else if (!sw_json_key(item, "$patch"))
			merge_item(x, f, merged, index, item);
	}
	json_object_put(index);
	return merged;
}

/* key text -> array of the items with that key: live lists may repeat one (env). gives. */
static json_t *group_items(const char *merge_key, json_t *list)
{
	json_t *groups = json_object_new_object();

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *item = sw_json_idx(list, i), *key = item_key(merge_key, item), *group;

		if (!key)
			continue;
		group = sw_json_key(groups, json_key_text(key));
		if (!group) {
			group = json_object_new_array();
			json_object_object_add(groups, json_key_text(key), group);
		}
		json_object_array_add(group, json_object_get(item));
	}
	return groups;
}

struct order {
	json_t *list, *index, *groups;
	size_t at;
};

/* The next group in the order asked for, or NULL; its key in *key. */
static json_t *order_peek(struct order *o, const char *merge_key, json_t **key)
{
	for (; o->at < sw_json_len(o->list); o->at++) {
		*key = item_key(merge_key, sw_json_idx(o->list, o->at));
		if (*key && position(o->index, *key) == (int64_t)o->at && sw_json_key(o->groups, json_key_text(*key)))
			return sw_json_key(o->groups, json_key_text(*key));
	}
	return NULL;
}

/* Items named in `list` come in that order; the others keep their places of the live list between them. gives. */
static json_t *reorder(const char *merge_key, json_t *merged, json_t *list, json_t *live)
{
	struct order o = {.list = list, .index = list_index(merge_key, list), .groups = group_items(merge_key, merged)};
	json_t *live_index = list_index(merge_key, live), *out = json_object_new_array(), *key = NULL, *group;
	size_t n = sw_json_len(merged), i = 0;

	do {
		json_t *mine;

		while (i < n && position(o.index, item_key(merge_key, sw_json_idx(merged, i))) >= 0)
			i++;
		mine = i < n ? sw_json_idx(merged, i) : NULL;
		group = order_peek(&o, merge_key, &key);
		if (mine && group) {
			int64_t a = position(live_index, item_key(merge_key, mine)), b = position(live_index, key);

			if (!(a >= 0 && b >= 0 && a < b))
				mine = NULL;
		}
		if (mine) {
			json_object_array_add(out, json_object_get(mine));
			i++;
		} else if (group) {
			for (size_t g = 0; g < sw_json_len(group); g++)
				json_object_array_add(out, json_object_get(sw_json_idx(group, g)));
			o.at++;
		}
	} while (i < n || group);
	json_object_put(o.index);
	json_object_put(o.groups);
	json_object_put(live_index);
	return out;
}

static bool is_merged_list(const struct field *f)
{
	return f && f->merge_key && f->shape[0] == SHAPE_LIST;
}

/* A list of the patch (may be NULL: only the order was sent) onto the live one; gives. */
static json_t *merge_list(struct smp *x, const struct field *f, json_t *live, json_t *patch, json_t *order)
{
	json_t *merged, *ordered;

	if (!is_merged_list(f))
		return patch ? clean_copy(patch) : json_object_get(live);
	merged = patch ? merge_items(x, f, live, patch) : json_object_get(live);
	if (x->no || (!order && !patch))
		return merged;
	ordered = reorder(f->merge_key, merged, order ? order : patch, live);
	json_object_put(merged);
	return ordered;
}

static void set_or_delete(json_t *o, const char *key, json_t *value_taken)
{
	if (value_taken)
		json_object_object_add(o, key, value_taken);
	else
		json_object_object_del(o, key);
}

static void delete_scalars(json_t *o, const char *key, json_t *gone)
{
	json_t *live = sw_json_key(o, key), *kept, *index;

	if (!json_object_is_type(live, json_type_array))
		return;
	kept = json_object_new_array();
	index = list_index("", gone);
	for (size_t i = 0; i < json_object_array_length(live); i++)
		if (position(index, sw_json_idx(live, i)) < 0)
			json_object_array_add(kept, json_object_get(sw_json_idx(live, i)));
	json_object_put(index);
	json_object_object_add(o, key, kept);
}

/* ---- maps -------------------------------------------------------------------------------------- */

static void retain_keys(struct smp *x, json_t *live, json_t *patch)
{
	json_t *keys = sw_json_key(patch, "$retainKeys"), *index;

	if (!keys)
		return;
	if (!json_object_is_type(keys, json_type_array)) {
		bad(x, "$retainKeys is a list of keys", keys);
		return;
	}
	index = json_object_new_object();
	for (size_t i = 0; i < json_object_array_length(keys); i++)
		if (json_object_is_type(sw_json_idx(keys, i), json_type_string))
			json_object_object_add(index, json_object_get_string(sw_json_idx(keys, i)),
					       json_object_new_boolean(true));
	json_object_object_foreach(patch, key, v) if (v && !is_directive(key) && !sw_json_key(index, key))
		bad(x, "every key of the patch must be in $retainKeys", keys);
	json_object_object_foreach(live, live_key, w)
	{
		(void)w;
		if (!sw_json_key(index, live_key))
			json_object_object_del(live, live_key);
	}
	json_object_put(index);
}

static void merge_value(struct smp *x, const struct field *f, json_t *live, const char *key, json_t *v, json_t *order)
{
	json_t *was = sw_json_key(live, key);

	if (!v && !order) {
		json_object_object_del(live, key);
	} else if (json_object_is_type(v, json_type_object) && json_object_is_type(was, json_type_object)) {
		const struct message *m = f && f->shape[0] == SHAPE_ONE ? f->message : NULL;

		json_object_object_add(live, key, merge_map(x, m, json_object_get(was), v));
	} else if ((!v || json_object_is_type(v, json_type_array)) && json_object_is_type(was, json_type_array)) {
		set_or_delete(live, key, merge_list(x, f, was, v, order));
	} else if (v && !sw_json_key(v, "$patch")) {
		json_object_object_add(live, key, clean_copy(v));
	} else if (v) {
		json_object_object_del(live, key);
	}
}

static json_t *patch_directive(struct smp *x, json_t *live_taken, json_t *patch)
{
	const char *word = sw_json_str(patch, "$patch");

	if (word && strcmp(word, "merge") == 0)
		return live_taken;
	if (!word || (strcmp(word, "replace") != 0 && strcmp(word, "delete") != 0)) {
		bad(x, "$patch is replace, delete or merge", patch);
		return live_taken;
	}
	json_object_put(live_taken);
	return *word == 'r' ? clean_copy(patch) : json_object_new_object();
}

static void merge_key(struct smp *x, const struct message *m, json_t *live, json_t *patch, const char *key, json_t *v)
{
	char order_key[300];
	json_t *order = NULL;

	if (begins(key, DELETE)) {
		delete_scalars(live, key + sizeof(DELETE) - 1, v);
	} else if (begins(key, ORDER)) {
		const char *name = key + sizeof(ORDER) - 1;

		if (!json_object_is_type(v, json_type_array))
			bad(x, "$setElementOrder is a list", v);
		else if (!json_object_object_get_ex(patch, name, NULL)) /* otherwise done with the list itself */
			merge_value(x, m ? message_field(m, name) : NULL, live, name, NULL, v);
	} else if (!is_directive(key)) {
		snprintf(order_key, sizeof(order_key), "%s%.250s", ORDER, key);
		if (json_object_is_type(v, json_type_array))
			order = sw_json_key(patch, order_key);
		merge_value(x, m ? message_field(m, key) : NULL, live, key, v, order);
	}
}

/* live is taken; gives the result. */
static json_t *merge_map(struct smp *x, const struct message *m, json_t *live_taken, json_t *patch)
{
	json_t *live;

	if (sw_json_key(patch, "$patch")) {
		live_taken = patch_directive(x, live_taken, patch);
		if (x->no || strcmp(sw_json_str(patch, "$patch"), "merge") != 0)
			return live_taken;
	}
	live = live_taken;
	retain_keys(x, live, patch);
	json_object_object_foreach(patch, key, v) if (!x->no) merge_key(x, m, live, patch, key, v);
	return live;
}

json_t *smp_patch(const struct message *m, json_t **target, json_t *patch)
{
	struct smp x = {0};

	*target = merge_map(&x, m, *target, patch);
	return x.no;
}
