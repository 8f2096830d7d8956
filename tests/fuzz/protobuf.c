/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protobuf.c - request bodies in protobuf: what is decoded is an object of a known kind that can be printed and decoded
 * on
 */
#include <stdlib.h>

#include "fuzz.h"
#include "spillway/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *o = NULL, *no = sw_protobuf_decode(fuzz_schema(), data, size, &o);
	const char *version, *kind;
	const struct sw_resource *r;

	if (no) {
		FUZZ_CHECK(o == NULL && sw_status_code(no) >= 400 && sw_status_code(no) < 500 &&
			   *sw_status_message(no));
		json_object_put(no);
		return 0;
	}
	version = sw_json_str(o, "apiVersion");
	kind = sw_json_str(o, "kind");
	FUZZ_CHECK(version && kind);
	fuzz_json_again(o, true);
	r = sw_resource_of(version, kind);
	if (r)
		json_object_put(sw_object_decode(fuzz_schema(), r, o, NULL, SW_FIELDS_STRICT, NULL));
	json_object_put(o);
	return 0;
}
