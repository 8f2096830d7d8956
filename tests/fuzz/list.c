/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c - the scanner of list replies against the JSON reader: same items, same metadata
 */
#include <string.h>

#include "../../gateway/kube/list_scan.h"
#include "fuzz.h"

/* Every item that the scanner finds is the next one of the tree. */
static void compare(struct list_scan *s, json_t *tree)
{
	json_t *items = sw_json_key(tree, "items");
	const char *at;
	size_t len, i = 0;
	enum scan_step step;

	while ((step = list_scan_next(s, &at, &len)) == SCAN_ITEM) {
		json_t *item;

		if (sw_failed(sw_json_parse(at, len, &item)))
			FUZZ_CHECK(tree == NULL);
		FUZZ_CHECK(!tree || json_object_equal(item, sw_json_idx(items, i)));
		json_object_put(item);
		i++;
	}
	if (step == SCAN_BAD) {
		FUZZ_CHECK(s->err.text[0]);
		return;
	}
	FUZZ_CHECK(!tree || i == sw_json_len(items));
	FUZZ_CHECK(!tree || json_object_equal(s->metadata, sw_json_key(tree, "metadata")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	struct list_scan s;
	char dups[64];
	json_t *tree;
	struct sw_err e = sw_json_parse_dups(p.at[0], p.len[0], &tree, dups, sizeof(dups));
	bool good = !sw_failed(e) && !dups[0] && json_object_is_type(tree, json_type_object);

	list_scan_init(&s, p.at[0], p.len[0]);
	compare(&s, good ? tree : NULL);
	list_scan_fini(&s);
	json_object_put(tree);
	fuzz_parts_free(&p);
	return 0;
}
