/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_vectors.c - strategic merge and server-side apply against results of the Go libraries that a real server uses
 *
 * data/patch_vectors.jsonl was printed by tests/tools/patch_vectors (k8s.io/apimachinery v0.36.1 strategicpatch,
 * structured-merge-diff v6.4.2). Lists of a strategic merge are compared as sets: where an item that only the server
 * knows ends up depends on leftovers in Go's slices there.
 */
#include "pure.h"
#include "../../../gateway/api/patch_priv.h"
#include "../../../gateway/api/ssa_priv.h"

static int by_text(const void *a, const void *b)
{
	return strcmp(json_object_to_json_string_ext(*(json_t *const *)a, 0),
		      json_object_to_json_string_ext(*(json_t *const *)b, 0));
}

static int by_key(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* gives a copy with sorted keys and sorted lists */
static json_t *sorted(json_t *v)
{
	json_t *out;
	const char *keys[64];
	size_t n = 0;

	if (json_object_is_type(v, json_type_array)) {
		out = json_object_new_array();
		for (size_t i = 0; i < sw_json_len(v); i++)
			json_object_array_add(out, sorted(sw_json_idx(v, i)));
		json_object_array_sort(out, by_text);
		return out;
	}
	if (!json_object_is_type(v, json_type_object))
		return sw_json_copy(v);
	out = json_object_new_object();
	json_object_object_foreach(v, key, child) if (child && n < 64) keys[n++] = key;
	qsort(keys, n, sizeof(keys[0]), by_key);
	for (size_t i = 0; i < n; i++)
		json_object_object_add(out, keys[i], sorted(sw_json_key(v, keys[i])));
	return out;
}

static void same_as_strategicpatch(const struct message *m, json_t *row)
{
	json_t *o = sw_json_copy(sw_json_key(row, "cur"));

	refused("patch", smp_patch(m, &o, sw_json_key(row, "patch")), 0, NULL);
	same_json("strategic merge", sorted(o), sorted(sw_json_key(row, "smp")));
	json_object_put(o);
}

static void same_as_structured_merge_diff(const struct message *m, json_t *row)
{
	struct place_type root = {.m = m};
	json_t *cur = sw_json_key(row, "cur"), *mod = sw_json_key(row, "mod"), *set = json_object_new_object();
	json_t *changed = json_object_new_object(), *removed = json_object_new_object();

	fields_of(root, mod, set);
	same_json("fields", set, json_object_get(sw_json_key(row, "set")));
	same_json("merged", value_merge(root, sw_json_copy(cur), mod), json_object_get(sw_json_key(row, "merged")));
	fields_diff(root, cur, sw_json_key(row, "merged"), changed, removed);
	same_json("changed", changed, json_object_get(sw_json_key(row, "changed")));
	json_object_put(removed);
}

Test(vectors, patches_give_what_the_go_libraries_give)
{
	struct sw_schema *s = schema_or_die();
	const struct message *m = schema_message(s, "batch.v1.Job");
	char *text = NULL, *line;
	size_t len, n = 0;
	struct sw_err e = sw_file_read("tests/unit/api_pure/data/patch_vectors.jsonl", 4 << 20, &text, &len);

	cr_assert(!sw_failed(e), "%s", e.text);
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n++) {
		json_t *row = NULL;

		e = sw_json_parse(line, strlen(line), &row);
		cr_assert(!sw_failed(e), "%s", e.text);
		same_as_strategicpatch(m, row);
		same_as_structured_merge_diff(m, row);
		json_object_put(row);
	}
	cr_expect_eq(n, 30);
	free(text);
	sw_schema_free(s);
	no_leaks();
}
