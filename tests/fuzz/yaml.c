/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml.c - the YAML reader: every value has a place, every document can be written as JSON
 */
#include <string.h>

#include "fuzz.h"
#include "spillway/yaml.h"

static void places(const struct sw_yaml *y, json_t *o)
{
	char buf[64];

	FUZZ_CHECK(!strncmp(sw_yaml_where(y, o, NULL, buf, sizeof(buf)), "f.yaml", 6));
	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, value)
		{
			FUZZ_CHECK(!strncmp(sw_yaml_where(y, o, key, buf, sizeof(buf)), "f.yaml", 6));
			places(y, value);
		}
	}
	for (size_t i = 0; i < sw_json_len(o); i++)
		places(y, sw_json_idx(o, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	struct sw_yaml *y;
	struct sw_err e = sw_yaml_parse("f.yaml", p.at[0], p.len[0], &y);

	if (sw_failed(e)) {
		FUZZ_REFUSED(e, y);
		FUZZ_CHECK(e.code != SW_E_INVALID || !strncmp(e.text, "f.yaml", 6));
	} else {
		for (size_t i = 0; i < sw_yaml_docs(y); i++) {
			places(y, sw_yaml_doc(y, i));
			fuzz_json_again(sw_yaml_doc(y, i), false);
		}
	}
	sw_yaml_free(y);
	fuzz_parts_free(&p);
	return 0;
}
