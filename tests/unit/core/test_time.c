/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <inttypes.h>

#include "spillway/text.h"

#define NO INT64_MIN

static const struct {
	const char *in;
	int64_t ms;
} times[] = {
	{"1970-01-01T00:00:00Z", 0},
	{"1969-12-31T23:59:59.999Z", -1},
	{"2026-11-23T17:20:00Z", 1795454400000},
	{"2026-11-23T17:20:00.123456789Z", 1795454400123},
	{"2026-11-23T17:20:00.5+02:00", 1795447200500},
	{"2026-11-23t17:20:00z", 1795454400000},
	{"2026-11-23T17:20:00-23:59", 1795540740000},
	{"2000-02-29T00:00:00Z", 951782400000},
	{"0000-01-01T00:00:00Z", -62167219200000},
	{"9999-12-31T23:59:59Z", 253402300799000},
	{"9999-12-31T23:59:59-00:01", NO}, /* the year 10000 in UTC: nobody could read what we write */
	{"0000-01-01T00:00:00+00:01", NO},
	{"1900-02-29T00:00:00Z", NO},
	{"2026-02-30T00:00:00Z", NO},
	{"2026-13-01T00:00:00Z", NO},
	{"2026-00-01T00:00:00Z", NO},
	{"2026-01-00T00:00:00Z", NO},
	{"2026-01-01T24:00:00Z", NO},
	{"2026-01-01T00:60:00Z", NO},
	{"2026-01-01T00:00:60Z", NO},
	{"2026-01-01T00:00:00", NO},
	{"2026-01-01 00:00:00Z", NO},
	{"2026-01-01T00:00:00.Z", NO},
	{"2026-01-01T00:00:00Z ", NO},
	{"2026-01-01T00:00:00+24:00", NO},
	{"2026-01-01T00:00:00+0100", NO},
	{"2026-1-1T00:00:00Z", NO},
	{"+026-01-01T00:00:00Z", NO},
	{"2026-01-01T00:00", NO},
	{"2026-01-01", NO},
	{"", NO},
	{"now", NO},
};

Test(time, rfc_3339_is_read_and_everything_else_refused)
{
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		int64_t ms = 7;
		struct sw_err e = sw_time_parse(times[i].in, &ms);

		cr_assert_eq(sw_failed(e), times[i].ms == NO, "\"%s\": %" PRId64 " %s", times[i].in, ms, e.text);
		cr_assert(sw_failed(e) || ms == times[i].ms, "\"%s\" gave %" PRId64, times[i].in, ms);
	}
	cr_assert(sw_failed(sw_time_parse(NULL, &(int64_t){0})));
}

Test(time, every_day_of_four_centuries_comes_back)
{
	char buf[32];

	for (int64_t day = -146097; day < 146097; day++) {
		int64_t ms;

		cr_assert(!sw_failed(sw_time_parse(sw_time_text(day * 86400000 + 3599000, buf), &ms)), "%s", buf);
		cr_assert_eq(ms, day * 86400000 + 3599000, "%s", buf);
	}
}

Test(time, texts_are_whole_seconds_or_microseconds)
{
	char buf[32];

	cr_assert_str_eq(sw_time_text(1795454400999, buf), "2026-11-23T17:20:00Z");
	cr_assert_str_eq(sw_time_micro_text(1795454400123, buf), "2026-11-23T17:20:00.123000Z");
	cr_assert_str_eq(sw_time_micro_text(-1, buf), "1969-12-31T23:59:59.999000Z");
	cr_assert_str_eq(sw_time_text(-1, buf), "1969-12-31T23:59:59Z");
	sw_time_micro_text(INT64_MAX, buf);
	sw_time_micro_text(INT64_MIN, buf);
}

enum { S = 1000, M = 60 * S, H = 60 * M };
#define D ((int64_t)24 * H)

static const struct {
	int64_t ms;
	const char *out;
} ages[] = {
	{0, "0s"},
	{-500, "0s"},
	{-1999, "0s"},
	{-2000, "<invalid>"},
	{5 * S, "5s"},
	{119 * S, "119s"},
	{120 * S, "2m"},
	{125 * S, "2m5s"},
	{10 * M + S, "10m"},
	{17 * M, "17m"},
	{179 * M, "179m"},
	{3 * H, "3h"},
	{184 * M, "3h4m"},
	{8 * H + M, "8h"},
	{47 * H, "47h"},
	{2 * D, "2d"},
	{2 * D + 5 * H, "2d5h"},
	{8 * D + H, "8d"},
	{729 * D, "729d"},
	{730 * D, "2y"},
	{800 * D, "2y70d"},
	{3000 * D, "8y"},
};

Test(time, ages_are_kubectls)
{
	char buf[32];

	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
		cr_assert_str_eq(sw_age_text(ages[i].ms, buf), ages[i].out);
	sw_age_text(INT64_MAX, buf);
	cr_assert_str_eq(sw_age_text(INT64_MIN, buf), "<invalid>");
}

static const struct {
	const char *in;
	int64_t ms;
} durations[] = {
	{"0", 0},
	{"0s", 0},
	{"90s", 90 * S},
	{"10m", 10 * M},
	{"2h30m", 150 * M},
	{"1.5h", 90 * M},
	{".5s", 500},
	{"5.s", 5000},
	{"250ms", 250},
	{"1d", 24 * H},
	{"1m1ms", 60001},
	{"0.0001s", 0},
	{"9223372036854775807ms", INT64_MAX},
	{"9223372036854775807s", NO},
	{"9223372036854775808ms", NO},
	{"9223372036854775807ms1ms", NO},
	{"99999999999999999999999h", NO},
	{"", NO},
	{"10", NO},
	{"s", NO},
	{"-5s", NO},
	{"+5s", NO},
	{"5 s", NO},
	{"5S", NO},
	{"5x", NO},
	{"1h5", NO},
	{".s", NO},
	{"1..5s", NO},
	{"1e3s", NO},
	{"soon", NO},
};

Test(time, durations_need_a_unit_and_may_not_overflow)
{
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		int64_t ms = 7;
		struct sw_err e = sw_duration_parse(durations[i].in, &ms);

		cr_assert_eq(sw_failed(e), durations[i].ms == NO, "\"%s\": %" PRId64 " %s", durations[i].in, ms,
			     e.text);
		cr_assert(sw_failed(e) || ms == durations[i].ms, "\"%s\" gave %" PRId64, durations[i].in, ms);
	}
}
