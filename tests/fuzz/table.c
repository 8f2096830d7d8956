/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - any object as a table row or as metadata alone, as an Accept header asks
 *
 * Parts: the Accept header, includeObject, the object.
 */
#include <string.h>

#include "fuzz.h"
#include "spillway/table.h"

static void is_json(struct sw_buf *b)
{
	json_t *o;

	FUZZ_CHECK(sw_buf_ok(b));
	FUZZ_CHECK(!sw_failed(sw_json_parse(b->at, b->len, &o)));
	json_object_put(o);
	sw_buf_reset(b);
}

static void tables(struct sw_buf *b, struct sw_table t, json_t *o)
{
	size_t n;
	const struct sw_resource *all = sw_resources(&n);

	for (size_t i = 0; i < n; i++) {
		t.r = &all[i];
		t.rows = 0;
		sw_table_one(b, &t, o, true);
		is_json(b);
		sw_table_begin(b, &t, "7", "c");
		sw_table_row(b, &t, o);
		sw_table_row(b, &t, o);
		sw_table_end(b, &t);
		is_json(b);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	json_t *o = fuzz_object(&p, 2);
	struct sw_table t = {.now_ms = 1700000000000, .api_version = "meta.k8s.io/v1"};
	struct sw_buf b;

	sw_buf_init(&b, 16 << 20);
	sw_accept_parse(p.at[0], &t.api_version);
	if (o && sw_include_parse(p.at[1], &t.include)) {
		if (!t.api_version)
			t.api_version = "meta.k8s.io/v1";
		tables(&b, t, o);
		sw_partial_metadata(&b, t.api_version, o);
		is_json(&b);
	}
	sw_buf_fini(&b);
	json_object_put(o);
	fuzz_parts_free(&p);
	return 0;
}
