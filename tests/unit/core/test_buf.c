/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/buf.h"

Test(buf, what_is_appended_stands_there_and_ends_in_nul)
{
	struct sw_buf b;

	sw_buf_init(&b, 100);
	sw_buf_puts(&b, "ab");
	sw_buf_putc(&b, 'c');
	sw_buf_put(&b, "d\0e", 3);
	sw_buf_printf(&b, "%d-%s", 7, "x");
	cr_assert(sw_buf_ok(&b));
	cr_assert_eq(b.len, 9);
	cr_assert_eq(memcmp(b.at, "abcd\0e7-x", 10), 0);
	sw_buf_drop(&b, 4);
	cr_assert_eq(memcmp(b.at, "\0e7-x", 6), 0);
	sw_buf_drop(&b, 1000);
	cr_assert_eq(b.len, 0);
	sw_buf_fini(&b);
}

Test(buf, exactly_the_limit_fits_and_one_byte_more_fails_for_good)
{
	struct sw_buf b;

	sw_buf_init(&b, 5);
	sw_buf_puts(&b, "12345");
	cr_assert(sw_buf_ok(&b));
	sw_buf_putc(&b, '6');
	cr_assert(!sw_buf_ok(&b));
	sw_buf_put(&b, "", 0);
	cr_assert(!sw_buf_ok(&b), "the failure must stick");
	cr_assert_str_eq(b.at, "12345");
	cr_assert_null(sw_buf_take(&b, NULL));
	sw_buf_puts(&b, "again");
	cr_assert_str_eq(b.at, "again", "a taken buffer is a new one");
	sw_buf_reset(&b);
	sw_buf_printf(&b, "%s", "123456");
	cr_assert(!sw_buf_ok(&b));
	cr_assert_eq(b.len, 0, "a printf that does not fit leaves nothing");
	sw_buf_fini(&b);
}

Test(buf, a_printf_longer_than_the_room_at_hand_is_written_whole)
{
	struct sw_buf b;
	char big[500];

	memset(big, 'z', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	sw_buf_init(&b, 1000);
	sw_buf_printf(&b, "<%s>", big);
	cr_assert_eq(b.len, sizeof(big) + 1);
	cr_assert_eq(b.at[b.len - 1], '>');
	sw_buf_fini(&b);
}

Test(buf, sizes_that_would_overflow_are_refused)
{
	struct sw_buf b;

	sw_buf_init(&b, 1 << 20);
	sw_buf_puts(&b, "x");
	cr_assert_null(sw_buf_room(&b, SIZE_MAX));
	cr_assert(!sw_buf_ok(&b));
	sw_buf_fini(&b);
	sw_buf_init(&b, SIZE_MAX);
	sw_buf_puts(&b, "x");
	cr_assert_null(sw_buf_room(&b, SIZE_MAX - 1), "no machine has that");
	sw_buf_fini(&b);
}

Test(buf, room_is_written_to_and_counted)
{
	struct sw_buf b;
	char *at;

	sw_buf_init(&b, 10);
	at = sw_buf_room(&b, 10);
	cr_assert_not_null(at);
	memcpy(at, "hello", 5);
	sw_buf_grew(&b, 5);
	cr_assert_str_eq(b.at, "hello");
	sw_buf_fini(&b);
}

Test(buf, an_empty_buffer_gives_an_empty_string)
{
	struct sw_buf b;
	size_t len = 9;
	char *s;

	sw_buf_init(&b, 0);
	s = sw_buf_take(&b, &len);
	cr_assert_str_eq(s, "");
	cr_assert_eq(len, 0);
	free(s);
}

#define BAD "\xEF\xBF\xBD"

static const struct {
	const char *in, *out;
} strings[] = {
	{"", "\"\""},
	{"plain / text", "\"plain / text\""},
	{"a\"b\\c", "\"a\\\"b\\\\c\""},
	{"\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\""},
	{"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
	{"\xFF", "\"" BAD "\""},
	{"a\xC3", "\"a" BAD "\""},
	{"\xC0\x80", "\"" BAD BAD "\""},                 /* overlong NUL */
	{"\xED\xA0\x80", "\"" BAD BAD BAD "\""},         /* surrogate */
	{"\xF4\x90\x80\x80", "\"" BAD BAD BAD BAD "\""}, /* over U+10FFFF */
	{"\xE2\x82z", "\"" BAD BAD "z\""},
	{NULL, "null"},
};

Test(buf, json_strings_are_escaped_and_always_valid_utf8)
{
	struct sw_buf b;

	sw_buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		sw_buf_reset(&b);
		sw_buf_json_str(&b, strings[i].in);
		cr_assert_str_eq(b.at, strings[i].out, "row %zu: %s", i, b.at);
	}
	sw_buf_reset(&b);
	sw_buf_json_strn(&b, "a\0b", 3);
	cr_assert_str_eq(b.at, "\"a\\u0000b\"");
	sw_buf_fini(&b);
}

Test(buf, url_components_keep_only_unreserved_bytes)
{
	struct sw_buf b;

	sw_buf_init(&b, 1000);
	sw_buf_url(&b, "aZ9-._~ /?&=%+\xC3\xA9");
	cr_assert_str_eq(b.at, "aZ9-._~%20%2F%3F%26%3D%25%2B%C3%A9");
	sw_buf_fini(&b);
}

Test(buf, a_byte_is_escaped_wherever_it_stands_among_plain_ones)
{
	struct sw_buf b;

	sw_buf_init(&b, 1000);
	for (int c = 0; c < 256; c++) {
		bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

		for (size_t at = 0; at < 24; at++) {
			char s[24];

			memset(s, 'a', sizeof(s));
			s[at] = (char)c;
			sw_buf_reset(&b);
			sw_buf_json_strn(&b, s, sizeof(s));
			cr_assert(plain ? b.len == 26 : b.len > 26, "byte 0x%02x at %zu", c, at);
			cr_assert(b.at[at + 1] == (plain ? c : c >= 0x80 ? '\xEF' : '\\'), "byte 0x%02x at %zu", c, at);
		}
	}
	sw_buf_fini(&b);
}
