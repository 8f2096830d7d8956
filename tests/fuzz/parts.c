/* SPDX-License-Identifier: Apache-2.0 */
/* parts.c - helpers of the fuzz targets: the input, and what is checked of any answer */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static const char mark[] = "\n~~\n";

static char *copy(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	SW_REQUIRE(s != NULL);
	if (size)
		memcpy(s, data, size);
	s[size] = 0;
	return s;
}

struct fuzz_parts fuzz_split(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = {{NULL}, {0}};

	for (int i = 0; i < FUZZ_PARTS; i++) {
		const uint8_t *cut = i + 1 < FUZZ_PARTS && size ? memmem(data, size, mark, sizeof(mark) - 1) : NULL;
		size_t n = cut ? (size_t)(cut - data) : size, skip = cut ? n + sizeof(mark) - 1 : n;

		p.at[i] = copy(data, n);
		p.len[i] = n;
		data += skip;
		size -= skip;
	}
	return p;
}

void fuzz_parts_free(struct fuzz_parts *p)
{
	for (int i = 0; i < FUZZ_PARTS; i++)
		free(p->at[i]);
}

json_t *fuzz_object(const struct fuzz_parts *p, int i)
{
	json_t *o;

	if (sw_failed(sw_json_parse(p->at[i], p->len[i], &o)))
		return NULL;
	if (json_object_is_type(o, json_type_object))
		return o;
	json_object_put(o);
	return NULL;
}

void fuzz_json_again(json_t *o, bool exact)
{
	size_t len, len2;
	char *text = sw_json_text(o, &len), *text2;
	json_t *again;

	FUZZ_CHECK(strlen(text) == len);
	FUZZ_CHECK(!sw_failed(sw_json_parse(text, len, &again)));
	FUZZ_CHECK(!exact || json_object_equal(o, again));
	text2 = sw_json_text(again, &len2);
	FUZZ_CHECK(!exact || (len == len2 && !memcmp(text, text2, len)));
	json_object_put(again);
	free(text);
	free(text2);
}

const struct sw_schema *fuzz_schema(void)
{
	static struct sw_schema *s; /* never changes */

	if (!s)
		FUZZ_CHECK(!sw_failed(sw_schema_new(&s)));
	return s;
}

bool fuzz_refused(json_t *status)
{
	if (!status)
		return false;
	FUZZ_CHECK(sw_status_code(status) >= 400 && sw_status_code(status) < 500 && *sw_status_message(status));
	json_object_put(status);
	return true;
}
