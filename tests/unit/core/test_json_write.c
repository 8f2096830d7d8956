/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/json.h"

static void expect(json_t *o, const char *text)
{
	struct sw_buf b;

	sw_buf_init(&b, 10000);
	sw_buf_json(&b, o);
	cr_assert(sw_buf_ok(&b));
	cr_assert_str_eq(b.at, text);
	sw_buf_fini(&b);
	json_object_put(o);
}

Test(json_write, numbers_keep_all_their_digits)
{
	expect(json_object_new_int64(INT64_MIN), "-9223372036854775808");
	expect(json_object_new_int64(INT64_MAX), "9223372036854775807");
	expect(json_object_new_uint64(UINT64_MAX), "18446744073709551615");
	expect(json_object_new_uint64(0), "0");
	expect(json_object_new_double(0.1), "0.10000000000000001");
	expect(json_object_new_double_s(0.1, "0.1"), "0.1");
}

Test(json_write, what_is_no_json_number_is_written_as_one)
{
	expect(json_object_new_double_s(.5, ".5"), "0.5");
	expect(json_object_new_double_s(1000, "1_000.0"), "1000");
	expect(json_object_new_double_s(5, "5."), "5");
	expect(json_object_new_double_s(7, "1e"), "7");
	expect(json_object_new_double(NAN), "null");
	expect(json_object_new_double(INFINITY), "null");
}

Test(json_write, nothing_is_written_over_the_limit)
{
	json_t *o = sw_json_fmt("{\"a\":\"%s\"}", "0123456789");
	struct sw_buf b;

	sw_buf_init(&b, 17);
	sw_buf_json(&b, o);
	cr_assert(!sw_buf_ok(&b));
	sw_buf_fini(&b);
	sw_buf_init(&b, 18);
	sw_buf_json(&b, o);
	cr_assert(sw_buf_ok(&b));
	sw_buf_fini(&b);
	json_object_put(o);
}

Test(json_write, the_text_is_what_json_c_writes)
{
	static const char text[] = "{\"a\":[1,2,{\"b\":[]}],\"c\":{},\"d\":\"x\\n\",\"e\":true,\"f\":null,\"g\":1.25}";
	size_t len;
	json_t *o;
	char *ours;

	cr_assert(!sw_failed(sw_json_parse(text, sizeof(text) - 1, &o)));
	ours = sw_json_text(o, &len);
	cr_assert_str_eq(ours,
			 json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	cr_assert_eq(len, strlen(text));
	free(ours);
	json_object_put(o);
}
