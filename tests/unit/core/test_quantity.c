/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "spillway/text.h"

#define NO INT64_MIN /* refused */

static const struct {
	const char *in;
	int64_t milli, ceil;
} rows[] = {
	{"0", 0, 0},
	{"2", 2000, 2},
	{"+3", 3000, 3},
	{"-1", -1000, -1},
	{"500m", 500, 1},
	{"-500m", -500, -1},
	{"1.5", 1500, 2},
	{".5", 500, 1},
	{"5.", 5000, 5},
	{"007", 7000, 7},
	{"1n", 1, 1},
	{"1u", 1, 1},
	{"0n", 0, 0},
	{"1000000n", 1, 1},
	{"1000001n", 2, 1},
	{"1k", 1000000, 1000},
	{"1Ki", 1024000, 1024},
	{"40Gi", 42949672960000, 42949672960},
	{"1.5Gi", 1610612736000, 1610612736},
	{"0.1Gi", 107374182400, 107374183},
	{"10Pi", NO, 11258999068426240},
	{"1Ei", NO, 1152921504606846976},
	{"7Ei", NO, 8070450532247928832},
	{"8Ei", NO, NO},
	{"0.001Ei", 1152921504606846976, 1152921504606847},
	{"1E", NO, 1000000000000000000},
	{"1e3", 1000000, 1000},
	{"1E3", 1000000, 1000},
	{"1e+3", 1000000, 1000},
	{"12e-1", 1200, 2},
	{"1e-30", 1, 1},
	{"0e99999999999", 0, 0},
	{"1e-99999999999", 1, 1},
	{"1e99999999999", NO, NO},
	{"100000000000000000000e-20", 1000, 1},
	{"0.00000000000000000000000000001", 1, 1},
	{"1.00000000000000000000000000001", 1001, 2},
	{"9223372036854775807", NO, 9223372036854775807},
	{"9223372036854775807m", 9223372036854775807, 9223372036854776},
	{"9223372036854775808", NO, NO},
	{"9223372036854775808m", NO, 9223372036854776},
	{"9223372036854775806.5", NO, 9223372036854775807},
	{"9223372036854775807.5", NO, NO},
	{"-9223372036854775807", NO, -9223372036854775807},
	{"99999999999999999999999999999999999999999999", NO, NO},
	{"", NO, NO},
	{" 1", NO, NO},
	{"1 ", NO, NO},
	{"m", NO, NO},
	{".", NO, NO},
	{"-", NO, NO},
	{"+-1", NO, NO},
	{"--1", NO, NO},
	{"1.2.3", NO, NO},
	{"1,5", NO, NO},
	{"1K", NO, NO},
	{"1ki", NO, NO},
	{"1gi", NO, NO},
	{"1GB", NO, NO},
	{"1mm", NO, NO},
	{"1e", NO, NO},
	{"1e+", NO, NO},
	{"1ee3", NO, NO},
	{"1e3m", NO, NO},
	{"1e1.5", NO, NO},
	{"Ki", NO, NO},
	{"0x10", NO, NO},
	{"NaN", NO, NO},
	{"inf", NO, NO},
	{"\xD9\xA1", NO, NO},
};

Test(quantity, is_read_exactly_or_refused)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t milli = 7, units = 7;
		struct sw_err m = sw_quantity_milli(rows[i].in, &milli), c = sw_quantity_ceil(rows[i].in, &units);

		cr_assert_eq(sw_failed(m), rows[i].milli == NO, "\"%s\" in milli: %" PRId64 " %s", rows[i].in, milli,
			     m.text);
		cr_assert_eq(sw_failed(c), rows[i].ceil == NO, "\"%s\" in units: %" PRId64 " %s", rows[i].in, units,
			     c.text);
		cr_assert_eq(milli, rows[i].milli == NO ? 0 : rows[i].milli, "\"%s\" gave %" PRId64 " milli",
			     rows[i].in, milli);
		cr_assert_eq(units, rows[i].ceil == NO ? 0 : rows[i].ceil, "\"%s\" gave %" PRId64, rows[i].in, units);
	}
}

Test(quantity, the_refusal_names_what_was_found)
{
	int64_t v;

	cr_assert(strstr(sw_quantity_ceil("5GB", &v).text, "the suffix \"GB\""));
	cr_assert(strstr(sw_quantity_ceil("8Ei", &v).text, "too large"));
	cr_assert(strstr(sw_quantity_ceil("", &v).text, "nothing"));
	cr_assert(sw_failed(sw_quantity_ceil(NULL, &v)));
}

static const struct {
	int64_t value;
	const char *milli, *bytes;
} texts[] = {
	{0, "0", "0"},
	{1, "1m", "1"},
	{250, "250m", "250"},
	{1000, "1", "1000"},
	{1500, "1500m", "1500"},
	{1024, "1024m", "1Ki"},
	{2000000, "2k", "2000000"},
	{-3000, "-3", "-3000"},
	{42949672960, "42949672960m", "40Gi"},
	{INT64_MIN, "-9223372036854775808m", "-8Ei"},
	{INT64_MAX, "9223372036854775807m", "9223372036854775807"},
};

Test(quantity, is_written_in_its_canonical_form)
{
	char buf[32];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_assert_str_eq(sw_quantity_text(texts[i].value, buf), texts[i].milli);
		cr_assert_str_eq(sw_bytes_text(texts[i].value, buf), texts[i].bytes);
	}
}
