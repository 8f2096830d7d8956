/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - the JSON reader against json-c's own, and against what it writes itself
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Does json-c read it as well (it cuts keys at NUL and clamps numbers, so only where it is strict)? NULL if not. gives.
 */
static json_t *other_reader(const char *text, size_t len, bool *ok)
{
	struct json_tokener *tok = json_tokener_new_ex(SW_JSON_DEPTH);
	json_t *o;

	SW_REQUIRE(tok != NULL);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tok, text, (int)len + 1); /* with the NUL: a number may end there */
	*ok = json_tokener_get_error(tok) == json_tokener_success;
	json_tokener_free(tok);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	json_t *ours, *plain, *theirs;
	char dups[256];
	bool ok;
	struct sw_err e = sw_json_parse_dups(p.at[0], p.len[0], &ours, dups, sizeof(dups)),
		      same = sw_json_parse(p.at[0], p.len[0], &plain);

	FUZZ_CHECK(e.code == same.code && strlen(dups) < sizeof(dups));
	if (sw_failed(e)) {
		FUZZ_REFUSED(e, ours);
		FUZZ_REFUSED(same, plain);
	} else {
		FUZZ_CHECK(json_object_equal(ours, plain));
		fuzz_json_again(ours, true);
		theirs = other_reader(p.at[0], p.len[0], &ok);
		FUZZ_CHECK(!ok || json_object_equal(ours, theirs));
		json_object_put(theirs);
	}
	json_object_put(ours);
	json_object_put(plain);
	fuzz_parts_free(&p);
	return 0;
}
