/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "spillway/yaml.h"

#include <stdio.h>

static struct sw_yaml *good(const char *text)
{
	struct sw_yaml *y;
	struct sw_err e = sw_yaml_parse("f.yaml", text, strlen(text), &y);
	cr_assert(!sw_failed(e), "%s", e.text);
	return y;
}

static const struct {
	const char *yaml, *json;
} typed[] = {
	{"a: 1\nb: two\nc: true\nd: ~\ne: 1.5\nf: \"1\"\n",
	 "{\"a\":1,\"b\":\"two\",\"c\":true,\"d\":null,\"e\":1.5,\"f\":\"1\"}"},
	{"[yes, no, on, off, y]\n", "[true,false,true,false,\"y\"]"},
	{"[0x10, 010, 0o17, -3, +4, 1e3, .5, 08]\n", "[16,8,15,-3,4,1e3,.5,\"08\"]"},
	{"[1e308, 1e309, -1e999]\n", "[1e308,\"1e309\",\"-1e999\"]"},
	{"a: 2026-11-23T10:00:00Z\nb: 1.2.3\nc: 40Gi\nd: 500m\n",
	 "{\"a\":\"2026-11-23T10:00:00Z\",\"b\":\"1.2.3\",\"c\":\"40Gi\",\"d\":\"500m\"}"},
	{"a: &x {k: [1]}\nb: *x\n", "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]}}"},
	{"a: |\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\"}"},
	{"a: !!str 12\n", "{\"a\":\"12\"}"},
	{"{}", "{}"},
	{"a: 99999999999999999999\n", "{\"a\":99999999999999999999}"},
};

Test(yaml, scalars_have_the_types_kubectl_gives_them)
{
	for (size_t i = 0; i < sizeof typed / sizeof *typed; i++) {
		struct sw_yaml *y = good(typed[i].yaml);
		const char *got = json_object_to_json_string_ext(sw_yaml_doc(y, 0), JSON_C_TO_STRING_PLAIN);
		cr_expect_str_eq(got, typed[i].json, "row %zu: %s", i, got);
		sw_yaml_free(y);
	}
}

Test(yaml, every_document_of_a_stream_is_read)
{
	struct sw_yaml *y = good("---\na: 1\n---\n---\nb: 2\n");
	cr_assert_eq(sw_yaml_docs(y), 2);
	cr_assert_eq(sw_json_int(sw_yaml_doc(y, 1), "b", 0), 2);
	sw_yaml_free(y);
}

Test(yaml, values_know_where_they_stand)
{
	char buf[64];
	struct sw_yaml *y = good("a: 1\nb:\n  - c: x\n    d: y\n");
	json_t *root = sw_yaml_doc(y, 0), *item = sw_json_idx(sw_json_key(root, "b"), 0);
	cr_assert_str_eq(sw_yaml_where(y, root, "b", buf, sizeof buf), "f.yaml:2:1");
	cr_assert_str_eq(sw_yaml_where(y, item, "d", buf, sizeof buf), "f.yaml:4:5");
	cr_assert_str_eq(sw_yaml_where(y, item, NULL, buf, sizeof buf), "f.yaml:3:5");
	cr_assert_str_eq(sw_yaml_where(y, item, "none", buf, sizeof buf), "f.yaml");
	sw_yaml_free(y);
}

static const struct {
	const char *yaml, *says;
} bad[] = {
	{"a: 1\na: 2\n", "f.yaml:2:1: found key \"a\" twice"},
	{"a: [1\n", "f.yaml:"},
	{"a: *nobody\n", "f.yaml:1:4: found an alias without its anchor"},
	{"<<: {a: 1}\n", "merge key"},
	{"? [a]\n: 1\n", "as a key"},
	{"a: b: c\n", "f.yaml:1:"},
	{"\ta: 1\n", "f.yaml:1:1"},
	{"a: \"\\x\"\n", "f.yaml:1:"},
	{"\xff\xfe\x00", "f.yaml:"},
};

Test(yaml, what_is_wrong_is_named_with_line_and_column)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct sw_yaml *y;
		struct sw_err e = sw_yaml_parse("f.yaml", bad[i].yaml, strlen(bad[i].yaml), &y);
		cr_expect_eq(e.code, SW_E_INVALID, "row %zu was accepted", i);
		cr_expect(strstr(e.text, bad[i].says), "row %zu: %s", i, e.text);
		cr_expect_null(y);
	}
}

Test(yaml, aliases_cannot_be_multiplied_into_a_bomb)
{
	char text[2048];
	size_t n = (size_t)snprintf(text, sizeof text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 9; i++)
		n += (size_t)snprintf(text + n, sizeof text - n,
				      "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
				      i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	struct sw_yaml *y;
	struct sw_err e = sw_yaml_parse("f.yaml", text, n, &y);
	cr_assert_eq(e.code, SW_E_INVALID);
	cr_assert(strstr(e.text, "too many values"), "%s", e.text);
}

Test(yaml, nesting_has_a_limit)
{
	char text[400];
	memset(text, '[', 200);
	memset(text + 200, ']', 200);
	struct sw_yaml *y;
	struct sw_err e = sw_yaml_parse("f.yaml", text, sizeof text, &y);
	cr_assert_eq(e.code, SW_E_INVALID);
	cr_assert(strstr(e.text, "nesting"), "%s", e.text);
}
