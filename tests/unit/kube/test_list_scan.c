/* SPDX-License-Identifier: Apache-2.0 */
/* test_list_scan.c - items of a list are found whatever stands in and around them */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "../../../gateway/kube/list_scan.h"
#include "spillway/text.h"

struct row {
	const char *text;
	int items; /* -1: bad */
	const char *first, *rv;
};

static const struct row rows[] = {
	{"{\"kind\":\"JobList\",\"apiVersion\":\"batch/v1\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[]}", 0,
	 NULL, "7"},
	{"{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":null}", 0, NULL, "7"},
	{"{\"items\":[{\"a\":1}],\"metadata\":{\"resourceVersion\":\"8\"}}", 1, "{\"a\":1}", "8"},
	{" { \"items\" : [ {\"a\":1} ,\n {\"b\":2} ] , \"metadata\" : { \"resourceVersion\" : \"9\" } } \n", 2,
	 "{\"a\":1}", "9"},
	{"{\"items\":[{\"a\":\"]}\"},{\"b\":\"\\\"}]\"},{\"c\":\"\\\\\"},{\"d\":\"\\\\\\\"}\"}]}", 4, "{\"a\":\"]}\"}",
	 NULL},
	{"{\"items\":[{\"a\":[[],{\"b\":[{}]}]}]}", 1, "{\"a\":[[],{\"b\":[{}]}]}", NULL},
	{"{\"more\":[1,2,{\"items\":[{}]}],\"n\":-1.5e3,\"t\":true,\"items\":[{\"x\":0}]}", 1, "{\"x\":0}", NULL},
	{"{}", 0, NULL, NULL},
	{"", -1, NULL, NULL},
	{"[]", -1, NULL, NULL},
	{"null", -1, NULL, NULL},
	{"{", -1, NULL, NULL},
	{"{\"items\":[{\"a\":1}", -1, NULL, NULL},
	{"{\"items\":[{\"a\":1", -1, NULL, NULL},
	{"{\"items\":[{\"a\":\"1", -1, NULL, NULL},
	{"{\"items\":[{\"a\":1},]}", -1, NULL, NULL},
	{"{\"items\":[1]}", -1, NULL, NULL},
	{"{\"items\":[{} {}]}", -1, NULL, NULL},
	{"{\"items\":{}}", -1, NULL, NULL},
	{"{\"items\"", -1, NULL, NULL},
	{"{\"items\" []}", -1, NULL, NULL},
	{"{\"metadata\":{\"a\":}}", -1, NULL, NULL},
	{"{\"items\":[]} x", -1, NULL, NULL},
	{"{\"items\":[{}]}{", -1, NULL, NULL},
	{"<html>502 Bad Gateway</html>", -1, NULL, NULL},
};

static int scan(const struct row *t, struct list_scan *s, char **first)
{
	const char *item;
	size_t len;
	int n = 0;

	*first = NULL;
	list_scan_init(s, t->text, strlen(t->text));
	for (;;) {
		enum scan_step step = list_scan_next(s, &item, &len);
		if (step != SCAN_ITEM)
			return step == SCAN_END ? n : -1;
		if (n++ == 0)
			*first = sw_asprintf("%.*s", (int)len, item);
		cr_assert_lt(n, 100);
	}
}

Test(list_scan, items_and_metadata_are_found)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct list_scan s;
		char *first;
		int n = scan(&rows[i], &s, &first);
		const char *rv = sw_json_str(s.metadata, "resourceVersion");

		cr_assert_eq(n, rows[i].items, "%s: %d: %s", rows[i].text, n, s.err.text);
		if (n < 0) {
			cr_assert(sw_failed(s.err));
		} else {
			cr_assert(!rows[i].first == !first && (!first || strcmp(first, rows[i].first) == 0), "%s: %s",
				  rows[i].text, first);
			cr_assert(!rows[i].rv == !rv && (!rv || strcmp(rv, rows[i].rv) == 0), "%s", rows[i].text);
		}
		free(first);
		list_scan_fini(&s);
	}
}

/* Every prefix of a good list is bad, and none reads beyond its end (ASan sees to that: the copy is exact). */
Test(list_scan, a_list_cut_anywhere_is_bad)
{
	static const char text[] =
		"{\"kind\":\"L\",\"items\":[{\"a\":\"\\\\\\\"x\"},{\"b\":[1,{}]}],\"metadata\":{\"c\":null}}";

	for (size_t n = 0; n < sizeof text - 1; n++) {
		char *copy = malloc(n ? n : 1);
		struct list_scan s;
		const char *item;
		size_t len;
		enum scan_step step;

		memcpy(copy, text, n);
		list_scan_init(&s, copy, n);
		while ((step = list_scan_next(&s, &item, &len)) == SCAN_ITEM)
			cr_assert_leq(item + len, copy + n);
		cr_assert_eq(step, SCAN_BAD, "%.*s", (int)n, text);
		list_scan_fini(&s);
		free(copy);
	}
}
