/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write.c - the path of a write: decode, begin, default, validate; then an update of what was accepted
 *
 * Parts: the object, fieldValidation, the object that replaces it, a subresource ("status" or "").
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "spillway/schema.h"

/* gives what would be stored, or NULL */
static json_t *decoded(const struct fuzz_parts *p, int part, enum sw_fields mode, const struct sw_resource **r)
{
	char dups[256];
	json_t *o, *warnings = json_object_new_array();
	struct sw_err e = sw_json_parse_dups(p->at[part], p->len[part], &o, dups, sizeof(dups));
	const char *version = sw_json_str(o, "apiVersion"), *kind = sw_json_str(o, "kind");

	if (!*r && version && kind)
		*r = sw_resource_of(version, kind);
	if (sw_failed(e) || !*r || fuzz_refused(sw_object_decode(fuzz_schema(), *r, o, dups, mode, warnings))) {
		json_object_put(o);
		o = NULL;
	}
	json_object_put(warnings);
	return o;
}

/* What was accepted must be accepted again, unchanged. */
static void settled(const struct sw_resource *r, json_t *o)
{
	json_t *again = sw_json_copy(o);

	FUZZ_CHECK(!fuzz_refused(sw_object_decode(fuzz_schema(), r, again, NULL, SW_FIELDS_STRICT, NULL)));
	FUZZ_CHECK(json_object_equal(o, again));
	sw_object_default(fuzz_schema(), r, again);
	FUZZ_CHECK(json_object_equal(o, again));
	FUZZ_CHECK(sw_object_same(o, again));
	json_object_put(again);
	fuzz_json_again(o, true);
}

static bool create(const struct sw_resource *r, json_t *o)
{
	struct sw_begin begin = {.ns = r->namespaced ? "ns" : "",
				 .uid = "6b1f0a6e-0000-4000-8000-000000000001",
				 .suffix = "abcde",
				 .now_ms = 1700000000000};

	if (fuzz_refused(sw_object_begin(r, o, &begin)))
		return false;
	sw_object_default(fuzz_schema(), r, o);
	if (fuzz_refused(sw_object_validate(fuzz_schema(), r, NULL, o, NULL)))
		return false;
	settled(r, o);
	return true;
}

static void update(const struct sw_resource *r, const char *sub, json_t *fresh, json_t *old)
{
	json_t *before = sw_json_copy(old);

	if (!fuzz_refused(sw_object_carry(fuzz_schema(), r, sub, fresh, old))) {
		sw_object_default(fuzz_schema(), r, fresh);
		if (!fuzz_refused(sw_object_validate(fuzz_schema(), r, sub, fresh, old)))
			settled(r, fresh);
	}
	FUZZ_CHECK(json_object_equal(before, old));
	json_object_put(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	enum sw_fields mode = SW_FIELDS_WARN;
	const struct sw_resource *r = NULL;
	json_t *old = NULL, *fresh = NULL;

	if (!fuzz_refused(sw_fields_parse(p.at[1], &mode)))
		old = decoded(&p, 0, mode, &r);
	if (old && create(r, old)) {
		fresh = p.len[2] ? decoded(&p, 2, mode, &r) : NULL;
		if (fresh)
			update(r, !strcmp(p.at[3], "status") && (r->subs & SW_SUB_STATUS) ? "status" : NULL, fresh,
			       old);
	}
	json_object_put(old);
	json_object_put(fresh);
	fuzz_parts_free(&p);
	return 0;
}
