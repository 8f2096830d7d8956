/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/json.h"

static struct sw_err parse(const char *text, json_t **o)
{
	/* A copy of the exact size, so that a sanitizer sees a read past the end. */
	size_t n = strlen(text);
	char *copy = malloc(n ? n : 1);
	struct sw_err e;

	memcpy(copy, text, n);
	e = sw_json_parse(copy, n, o);
	free(copy);
	return e;
}

static const struct {
	const char *in, *out;
} good[] = {
	{"null", "null"},
	{" \t\r\n true ", "true"},
	{"{}", "{}"},
	{"[ ]", "[]"},
	{"[1,-2,0,-0]", "[1,-2,0,0]"},
	{"9223372036854775807", "9223372036854775807"},
	{"-9223372036854775808", "-9223372036854775808"},
	{"18446744073709551615", "18446744073709551615"},
	{"[1.50,1e3,1E-7,-0.0,0.1]", "[1.50,1e3,1E-7,-0.0,0.1]"},
	{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
	{"\"\\u00e9\\u20AC\\ud83d\\ude00\"", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
	{"\"\\ud83d\"", "\"\xEF\xBF\xBD\""},
	{"\"\\ud83dx\\ude00\"", "\"\xEF\xBF\xBDx\xEF\xBF\xBD\""},
	{"\"\\ud83d\\u0041\"", "\"\xEF\xBF\xBD"
			       "A\""},
	{"{\"a\":{\"b\":[{\"c\":null}]},\"d.e/f\":\"x\"}", "{\"a\":{\"b\":[{\"c\":null}]},\"d.e/f\":\"x\"}"},
	{"{\"\":1,\"\\n\":2}", "{\"\":1,\"\\n\":2}"},
	{"{\"k\\u00e9y\":\"v\\u0041l\"}", "{\"k\xC3\xA9y\":\"vAl\"}"},
};

Test(json_parse, valid_text_comes_back_as_it_was)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		json_t *o;
		struct sw_err e = parse(good[i].in, &o);
		char *text;

		cr_assert(!sw_failed(e), "%s: %s", good[i].in, e.text);
		text = sw_json_text(o, NULL);
		cr_assert_str_eq(text, good[i].out, "%s gave %s", good[i].in, text);
		free(text);
		json_object_put(o);
	}
}

static const struct {
	const char *in, *says;
} bad[] = {
	{"", "line 1, column 1 (byte 1): found the end of the text, expected a JSON value"},
	{"  ", "column 3"},
	{"{\"a\":1} x", "line 1, column 9 (byte 9): found 'x', expected nothing after"},
	{"1 2", "nothing after"},
	{"{\n \"a\": 1,\n \"b\" 2\n}", "line 3, column 6"},
	{"{\"\xC3\xA9\":x}", "column 6 (byte 7)"},
	{"{a:1}", "a key in double quotes"},
	{"{'a':1}", "a key in double quotes"},
	{"{\"a\":1,}", "a key in double quotes"},
	{"{\"a\":1 \"b\":2}", "',' or '}'"},
	{"{\"a\"}", "':'"},
	{"{\"a\":}", "a JSON value"},
	{"[1,]", "a JSON value"},
	{"[1 2]", "',' or ']'"},
	{"[", "the end of the text"},
	{"{\"a\":[1,{", "the end of the text"},
	{"{\"a", "a closing quote"},
	{"\"a\\", "an escape"},
	{"\"\\x\"", "after a backslash"},
	{"\"\\u12\"", "four hexadecimal"},
	{"\"\\u12g4\"", "four hexadecimal"},
	{"\"a\\u0000b\"", "without a NUL"},
	{"{\"a\\u0000b\":1}", "without a NUL"},
	{"\"a\nb\"", "control characters"},
	{"\"\x01\"", "byte 0x01"},
	{"\"\xFF\"", "valid UTF-8"},
	{"\"\xC0\xAF\"", "valid UTF-8"},
	{"\"\xED\xA0\x80\"", "valid UTF-8"},
	{"\"\xE2\x82", "valid UTF-8"},
	{"\xEF\xBB\xBF{}", "a byte order mark"},
	{"NaN", "a JSON value"},
	{"nan", "a JSON value"},
	{"nul", "a JSON value"},
	{"Infinity", "a JSON value"},
	{"-Infinity", "a digit"},
	{"-", "a digit"},
	{"+1", "a JSON value"},
	{"01", "a leading zero"},
	{"-01", "a leading zero"},
	{".5", "a JSON value"},
	{"1.", "after the decimal point"},
	{"1.e3", "after the decimal point"},
	{"1e", "in the exponent"},
	{"1e+", "in the exponent"},
	{"0x10", "nothing after"},
	{"1_000", "nothing after"},
	{"18446744073709551616", "64 bits"},
	{"-9223372036854775809", "64 bits"},
	{"99999999999999999999999999999999", "64 bits"},
	{"1e400", "64 bits"},
	{"-1e999999999999", "64 bits"},
	{"/* c */ 1", "a JSON value"},
	{"True", "a JSON value"},
	{"'a'", "a JSON value"},
	{"{\"a\":1}}", "nothing after"},
};

Test(json_parse, anything_else_is_refused_with_its_place)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *o = (json_t *)&o;
		struct sw_err e = parse(bad[i].in, &o);

		cr_assert_eq(e.code, SW_E_INVALID, "%s was taken", bad[i].in);
		cr_assert(strstr(e.text, bad[i].says), "%s: says %s", bad[i].in, e.text);
		cr_assert_null(o);
	}
}

Test(json_parse, a_nul_byte_in_the_text_is_refused_wherever_it_stands)
{
	json_t *o;

	cr_assert(sw_failed(sw_json_parse("\0", 1, &o)));
	cr_assert(sw_failed(sw_json_parse("1\0", 2, &o)));
	cr_assert(sw_failed(sw_json_parse("\"a\0b\"", 5, &o)));
	cr_assert(sw_failed(sw_json_parse("{\0}", 3, &o)));
	cr_assert(sw_failed(sw_json_parse("\"\\\0\"", 4, &o)));
}

static char *nested(int depth, const char *open, const char *close)
{
	struct sw_buf b;

	sw_buf_init(&b, 1 << 24);
	for (int i = 0; i < depth; i++)
		sw_buf_puts(&b, open);
	sw_buf_puts(&b, "1");
	for (int i = 0; i < depth; i++)
		sw_buf_puts(&b, close);
	return sw_buf_take(&b, NULL);
}

Test(json_parse, nesting_is_taken_up_to_the_limit_and_refused_beyond)
{
	static const int depths[] = {64, 65, 100000};

	for (int i = 0; i < 3; i++) {
		char *arrays = nested(depths[i], "[", "]"), *objects = nested(depths[i], "{\"a\":", "}");
		json_t *o;

		cr_assert_eq(sw_failed(parse(arrays, &o)), i > 0);
		json_object_put(o);
		cr_assert_eq(sw_failed(parse(objects, &o)), i > 0);
		json_object_put(o);
		free(arrays);
		free(objects);
	}
}

static const struct {
	const char *in, *dups, *out;
} dups[] = {
	{"{\"a\":1,\"b\":2}", "", "{\"a\":1,\"b\":2}"},
	{"{\"a\":1,\"a\":2}", "a", "{\"a\":2}"},
	{"{\"spec\":{\"template\":{\"spec\":1,\"spec\":2}}}", "spec.template.spec", NULL},
	{"{\"c\":[{},{\"image\":1,\"image\":2}]}", "c[1].image", NULL},
	{"[[{\"x\":1,\"x\":1}]]", "[0][0].x", NULL},
	{"{\"a\":1,\"\\u0061\":2}", "\\u0061", "{\"a\":2}"},
	{"{\"a\":null,\"a\":null,\"a\":3}", "a, a", "{\"a\":3}"},
	{"{\"a\":{\"b\":1},\"b\":{\"b\":1}}", "", NULL},
	{"{\"a\":{\"b\":1,\"b\":2},\"a\":{\"c\":1}}", "a.b, a", "{\"a\":{\"c\":1}}"},
};

Test(json_parse, duplicate_keys_are_reported_with_their_path)
{
	for (size_t i = 0; i < sizeof(dups) / sizeof(dups[0]); i++) {
		char found[200], *text;
		json_t *o;

		cr_assert(!sw_failed(sw_json_parse_dups(dups[i].in, strlen(dups[i].in), &o, found, sizeof(found))));
		cr_assert_str_eq(found, dups[i].dups, "%s gave %s", dups[i].in, found);
		text = sw_json_text(o, NULL);
		cr_assert(!dups[i].out || !strcmp(text, dups[i].out), "%s", text);
		free(text);
		json_object_put(o);
	}
}

Test(json_parse, at_most_eight_duplicates_are_named_and_a_small_buffer_is_not_overrun)
{
	struct sw_buf b;
	char found[10], all[400];
	int commas = 0;
	json_t *o;

	sw_buf_init(&b, 10000);
	sw_buf_puts(&b, "{\"key\":1");
	for (int i = 0; i < 100; i++)
		sw_buf_puts(&b, ",\"key\":1");
	sw_buf_puts(&b, "}");
	cr_assert(!sw_failed(sw_json_parse_dups(b.at, b.len, &o, found, sizeof(found))));
	json_object_put(o);
	cr_assert_str_eq(found, "key, key,");
	cr_assert(!sw_failed(sw_json_parse_dups(b.at, b.len, &o, all, sizeof(all))));
	json_object_put(o);
	for (const char *p = all; *p; p++)
		commas += *p == ',';
	cr_assert_eq(commas, 7);
	cr_assert(sw_failed(sw_json_parse_dups("{\"a\":1,\"a\":", 11, &o, all, sizeof(all))));
	cr_assert_str_eq(all, "", "a refused text names no duplicates");
	sw_buf_fini(&b);
}

Test(json_parse, long_keys_strings_and_numbers_are_read_whole_or_refused)
{
	char *s = malloc(70000);
	json_t *o;

	s[0] = '{';
	s[1] = '"';
	memset(s + 2, 'k', 60000);
	strcpy(s + 60002, "\":\"\\u0041v\"}");
	cr_assert(!sw_failed(parse(s, &o)));
	s[60002] = 0;
	cr_assert_str_eq(sw_json_str(o, "missing") ? "" : json_object_get_string(sw_json_key(o, s + 2)), "Av");
	json_object_put(o);
	memset(s, '1', 69999);
	s[69999] = 0;
	cr_assert(strstr(parse(s, &o).text, "500 characters"));
	free(s);
}

static const struct {
	const char *in, *out;
} lean[] = {
	{"{'metadata':{'name':'a','managedFields':[{'fieldsV1':{'f:a':{},'k:{\\'x\\':1}':{'.':{}}},'n':-1.5e3}],'uid':'"
	 "u'}}",
	 "{'metadata':{'name':'a','uid':'u'}}"},
	{"{'object':{'metadata':{'managedFields':null,'name':'a'}},'type':'ADDED'}",
	 "{'object':{'metadata':{'name':'a'}},'type':'ADDED'}"},
	{"{'metadata':{ 'managedFields' : [ ] }}", "{'metadata':{}}"},
	{"{'managedFields':[1],'spec':{'managedFields':{}}}", "{'managedFields':[1],'spec':{'managedFields':{}}}"},
	{"{'metadata':[{'managedFields':true}]}", "{'metadata':[{'managedFields':true}]}"},
};

static char *quoted(const char *single)
{
	char *s = strdup(single);

	for (char *at = s; *at; at++)
		if (*at == '\'')
			*at = '"';
	return s;
}

Test(json_parse, managed_fields_are_left_out_where_an_object_has_them_and_nowhere_else)
{
	for (size_t i = 0; i < sizeof(lean) / sizeof(lean[0]); i++) {
		char *in = quoted(lean[i].in), *out = quoted(lean[i].out), *text;
		json_t *o;
		struct sw_err e = sw_json_parse_lean(in, strlen(in), &o);

		cr_assert(!sw_failed(e), "%s: %s", in, e.text);
		text = sw_json_text(o, NULL);
		cr_assert_str_eq(text, out, "%s gave %s", in, text);
		json_object_put(o);
		cr_assert(!sw_failed(sw_json_parse(in, strlen(in), &o)));
		free(text);
		text = sw_json_text(o, NULL);
		cr_assert(strstr(text, "managedFields"), "%s", text);
		free(text);
		free(in);
		free(out);
		json_object_put(o);
	}
}

/* What is left out obeys the same grammar, but for numbers that are too large. */
Test(json_parse, what_is_left_out_is_checked_all_the_same)
{
	struct sw_buf b;
	json_t *o;

	sw_buf_init(&b, 1 << 20);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		sw_buf_reset(&b);
		sw_buf_printf(&b, "{\"metadata\":{\"managedFields\":%s}}", good[i].in);
		cr_assert(!sw_failed(sw_json_parse_lean(b.at, b.len, &o)), "%s", b.at);
		json_object_put(o);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sw_buf_reset(&b);
		sw_buf_printf(&b, "{\"metadata\":{\"managedFields\":%s", bad[i].in);
		cr_assert(sw_failed(sw_json_parse_lean(b.at, b.len, &o)), "%s was taken", b.at);
		sw_buf_puts(&b, "}}");
		bool too_large = strstr(bad[i].says, "64 bits") != NULL;
		if (!too_large)
			cr_assert(sw_failed(sw_json_parse_lean(b.at, b.len, &o)), "%s was taken", b.at);
	}
	sw_buf_reset(&b);
	sw_buf_puts(&b, "{\"metadata\":{\"managedFields\":");
	for (int i = 0; i < SW_JSON_DEPTH; i++)
		sw_buf_putc(&b, '[');
	cr_assert(strstr(sw_json_parse_lean(b.at, b.len, &o).text, "64 levels"));
	sw_buf_fini(&b);
}

/* Every prefix of a text, and the text with every byte replaced, is either read or refused, and nothing leaks or is
 * read past the end (which a sanitizer sees). */
Test(json_parse, damaged_text_never_does_more_than_fail)
{
	static const char text[] = "{\"a\":[1,-2.5e3,true,null,\"\\ud83d\\ude00\xC3\xA9\"],\"b\":{\"c\":\"\\n\"}}";
	static const char swaps[] = {0,   '"', '\\', '{', '}', '[', ']',        ',',
				     ':', '0', '-',  'e', 'u', ' ', (char)0x80, (char)0xF0};
	char copy[sizeof(text)];
	json_t *o;

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		memcpy(copy, text, n);
		copy[n] = 0;
		cr_assert(sw_failed(parse(copy, &o)), "%zu bytes were taken", n);
	}
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		for (size_t k = 0; k < sizeof(swaps); k++) {
			memcpy(copy, text, sizeof(text));
			copy[i] = swaps[k];
			if (!sw_failed(sw_json_parse(copy, sizeof(text) - 1, &o)))
				json_object_put(o);
		}
	}
}
