/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_json.c - JSON patch (RFC 6902) with JSON pointers (RFC 6901)
 *
 * All or nothing: operations are carried out on a copy. Work is bounded by SW_PATCH_OPS operations, by the bytes
 * that copies add, and by a budget for moving the tails of long arrays.
 */
#include <stdlib.h>
#include <string.h>
#include "patch_priv.h"
#include "spillway/text.h"

enum { MOVES_MAX = 20000000, TOKENS_MAX = SW_JSON_DEPTH + 2, TOKEN_BYTES = 1024 };

struct run {
	json_t *doc;
	size_t index; /* of the operation */
	size_t moved; /* array slots moved so far */
	size_t added; /* bytes added by copies so far */
};

/* The place a pointer names: a member of an object or an index of an array. */
struct place {
	json_t *parent; /* NULL: the whole document */
	char key[TOKEN_BYTES];
	size_t at; /* index, if parent is an array; its length for "-" */
	bool exists;
};

static json_t *bad(const struct run *r, enum sw_reason reason, const char *what, const char *path)
{
	return sw_status(reason, "operation %zu of the JSON patch: %s: \"%.200s\"", r->index, what, path ? path : "");
}

/* ---- pointers ---------------------------------------------------------------------------------- */

/* One token, unescaped. Returns what follows, or NULL if it is malformed or too long. */
static const char *token(const char *p, char out[TOKEN_BYTES])
{
	size_t n = 0;

	for (; *p && *p != '/'; p++) {
		char c = *p;

		if (c == '~') {
			p++;
			if (*p != '0' && *p != '1')
				return NULL;
			c = *p == '0' ? '~' : '/';
		}
		if (n + 1 >= TOKEN_BYTES)
			return NULL;
		out[n++] = c;
	}
	out[n] = '\0';
	return p;
}

static bool array_index(const char *s, size_t *out)
{
	char *end;

	if (*s < '0' || *s > '9' || (*s == '0' && s[1]) || strlen(s) > 9)
		return false;
	*out = strtoul(s, &end, 10);
	return *end == '\0';
}

static void place_fill(struct place *pl)
{
	json_t *v = NULL;
	size_t n;

	if (json_object_is_type(pl->parent, json_type_object)) {
		pl->exists = json_object_object_get_ex(pl->parent, pl->key, &v);
		return;
	}
	n = json_object_array_length(pl->parent);
	if (strcmp(pl->key, "-") == 0)
		pl->at = n;
	else if (!array_index(pl->key, &pl->at))
		pl->at = n + 1;
	pl->exists = pl->at < n;
}

static json_t *place_get(const struct run *r, const struct place *pl)
{
	json_t *v = NULL;

	if (!pl->parent)
		return r->doc;
	if (json_object_is_type(pl->parent, json_type_array))
		return json_object_array_get_idx(pl->parent, pl->at);
	json_object_object_get_ex(pl->parent, pl->key, &v);
	return v;
}

static json_t *find(const struct run *r, const char *path, struct place *pl)
{
	const char *p = path;

	*pl = (struct place){.exists = true};
	while (*p) {
		json_t *in;

		if (*p++ != '/')
			return bad(r, SW_REASON_BAD_REQUEST, "the path does not begin with /", path);
		in = place_get(r, pl);
		if (!pl->exists ||
		    (!json_object_is_type(in, json_type_object) && !json_object_is_type(in, json_type_array)))
			return bad(r, SW_REASON_INVALID, "the path leads through something that is not there", path);
		pl->parent = in;
		p = token(p, pl->key);
		if (!p)
			return bad(r, SW_REASON_BAD_REQUEST, "the path has a wrong escape or a name too long", path);
		place_fill(pl);
	}
	return NULL;
}

/* ---- changes ----------------------------------------------------------------------------------- */

static json_t *array_insert(struct run *r, const struct place *pl, json_t *value_taken, const char *path)
{
	size_t n = json_object_array_length(pl->parent);

	if (pl->at > n) {
		json_object_put(value_taken);
		return bad(r, SW_REASON_INVALID, "the index is past the end of the array", path);
	}
	r->moved += n - pl->at;
	json_object_array_add(pl->parent, NULL);
	for (size_t i = n; i > pl->at; i--) {
		json_t *v = json_object_get(json_object_array_get_idx(pl->parent, i - 1));

		json_object_array_put_idx(pl->parent, i, v);
	}
	json_object_array_put_idx(pl->parent, pl->at, value_taken);
	return NULL;
}

static json_t *put_at(struct run *r, const struct place *pl, json_t *value_taken, const char *path)
{
	if (!pl->parent) {
		json_object_put(r->doc);
		r->doc = value_taken;
		return NULL;
	}
	if (json_object_is_type(pl->parent, json_type_array))
		return array_insert(r, pl, value_taken, path);
	json_object_object_add(pl->parent, pl->key, value_taken);
	return NULL;
}

static json_t *remove_at(struct run *r, const struct place *pl, const char *path)
{
	if (!pl->exists || !pl->parent)
		return bad(r, SW_REASON_INVALID,
			   pl->parent ? "there is nothing to remove at" : "the whole document cannot be removed", path);
	if (json_object_is_type(pl->parent, json_type_array)) {
		r->moved += json_object_array_length(pl->parent) - pl->at;
		json_object_array_del_idx(pl->parent, pl->at, 1);
	} else {
		json_object_object_del(pl->parent, pl->key);
	}
	return NULL;
}

static json_t *op_add(struct run *r, const char *path, json_t *value)
{
	struct place pl;
	json_t *no = find(r, path, &pl);

	return no ? no : put_at(r, &pl, value ? sw_json_copy(value) : NULL, path);
}

static json_t *op_remove(struct run *r, const char *path)
{
	struct place pl;
	json_t *no = find(r, path, &pl);

	return no ? no : remove_at(r, &pl, path);
}

static json_t *op_replace(struct run *r, const char *path, json_t *value)
{
	struct place pl;
	json_t *no = find(r, path, &pl), *copy;

	if (no)
		return no;
	if (!pl.exists)
		return bad(r, SW_REASON_INVALID, "there is nothing to replace at", path);
	copy = value ? sw_json_copy(value) : NULL;
	if (pl.parent && json_object_is_type(pl.parent, json_type_array)) {
		json_object_array_put_idx(pl.parent, pl.at, copy);
		return NULL;
	}
	return put_at(r, &pl, copy, path);
}

static json_t *op_test(struct run *r, const char *path, json_t *value)
{
	struct place pl;
	json_t *no = find(r, path, &pl);

	if (no)
		return no;
	if (!pl.exists || !json_object_equal(place_get(r, &pl), value))
		return bad(r, SW_REASON_INVALID, "the test failed at", path);
	return NULL;
}

static json_t *op_copy(struct run *r, const char *path, const char *from)
{
	struct place pl;
	json_t *no = find(r, from, &pl), *copy;
	size_t n = 0;

	if (no)
		return no;
	if (!pl.exists)
		return bad(r, SW_REASON_INVALID, "there is nothing to copy at", from);
	copy = place_get(r, &pl);
	if (copy)
		json_object_to_json_string_length(copy, JSON_C_TO_STRING_PLAIN, &n);
	r->added += n;
	if (r->added > SW_PATCH_BYTES)
		return bad(r, SW_REASON_TOO_LARGE, "the copies make the document too large", from);
	copy = copy ? sw_json_copy(copy) : NULL;
	no = find(r, path, &pl);
	if (no)
		json_object_put(copy);
	return no ? no : put_at(r, &pl, copy, path);
}

static json_t *op_move(struct run *r, const char *path, const char *from)
{
	size_t n = strlen(from);
	struct place pl;
	json_t *no = find(r, from, &pl), *v;

	if (no)
		return no;
	if (!pl.exists)
		return bad(r, SW_REASON_INVALID, "there is nothing to move at", from);
	if (strcmp(path, from) == 0)
		return NULL;
	if (strncmp(path, from, n) == 0 && path[n] == '/')
		return bad(r, SW_REASON_INVALID, "a value cannot be moved into itself", path);
	v = json_object_get(place_get(r, &pl));
	no = remove_at(r, &pl, from);
	if (!no)
		no = find(r, path, &pl);
	if (no) {
		json_object_put(v);
		return no;
	}
	return put_at(r, &pl, v, path);
}

/* ---- the list of operations -------------------------------------------------------------------- */

static json_t *run_op(struct run *r, json_t *op)
{
	const char *name = sw_json_str(op, "op"), *path = sw_json_str(op, "path"), *from = sw_json_str(op, "from");
	json_t *value = NULL;
	bool has_value;

	if (!name || !path)
		return bad(r, SW_REASON_BAD_REQUEST, "op or path is missing or no string", name);
	has_value = json_object_object_get_ex(op, "value", &value);
	if (strcmp(name, "remove") == 0)
		return op_remove(r, path);
	if (strcmp(name, "copy") == 0 || strcmp(name, "move") == 0) {
		if (!from)
			return bad(r, SW_REASON_BAD_REQUEST, "from is missing or no string", path);
		return *name == 'c' ? op_copy(r, path, from) : op_move(r, path, from);
	}
	if (strcmp(name, "add") != 0 && strcmp(name, "replace") != 0 && strcmp(name, "test") != 0)
		return bad(r, SW_REASON_BAD_REQUEST, "expected add, remove, replace, move, copy or test", name);
	if (!has_value)
		return bad(r, SW_REASON_BAD_REQUEST, "value is missing", path);
	return *name == 'a'   ? op_add(r, path, value)
	       : *name == 'r' ? op_replace(r, path, value)
			      : op_test(r, path, value);
}

json_t *sw_json_patch(json_t **target, json_t *ops)
{
	struct run r = {0};
	json_t *no = NULL;
	size_t n = sw_json_len(ops);

	if (!json_object_is_type(ops, json_type_array))
		return sw_status(SW_REASON_BAD_REQUEST, "error decoding patch: expected an array of operations");
	if (n > SW_PATCH_OPS)
		return sw_status(SW_REASON_TOO_LARGE, "The allowed maximum operations in a JSON patch is %d, got %zu",
				 SW_PATCH_OPS, n);
	r.doc = sw_json_copy(*target);
	for (; r.index < n && !no; r.index++) {
		no = run_op(&r, json_object_array_get_idx(ops, r.index));
		if (!no && r.moved > MOVES_MAX)
			no = bad(&r, SW_REASON_TOO_LARGE, "too much is moved in long arrays", "");
	}
	if (no) {
		json_object_put(r.doc);
		return no;
	}
	json_object_put(*target);
	*target = r.doc;
	return NULL;
}
