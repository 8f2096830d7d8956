/* SPDX-License-Identifier: Apache-2.0 */
/* time.c - RFC 3339, kubectl's ages, and durations */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "spillway/text.h"

enum { DAY_MS = 86400000 };
static const int64_t YEAR_0 = -62167219200000, YEAR_10000 = 253402300800000; /* RFC 3339 has four digits */

/* Days since 1970-01-01 of a proleptic Gregorian date; years are counted from March, in cycles of 400. */
static int64_t days_of(int64_t y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int64_t *y, int *m, int *d)
{
	int64_t era, doe, yoe, doy, mp;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = yoe + era * 400 + (*m <= 2);
}

static int days_in(int y, int m)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return days[m - 1] + (m == 2 && leap);
}

/* Exactly n digits at *p, in low..high. */
static bool digits(const char **p, int n, int low, int high, int *out)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*p)++) {
		if (!isdigit((unsigned char)**p))
			return false;
		v = v * 10 + (**p - '0');
	}
	*out = v;
	return v >= low && v <= high;
}

static bool one_of(const char **p, const char *set)
{
	if (!**p || !strchr(set, **p))
		return false;
	(*p)++;
	return true;
}

static bool fraction(const char **p, int *ms)
{
	int weight = 100;

	*ms = 0;
	if (**p != '.')
		return true;
	(*p)++;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++, weight /= 10)
		*ms += (**p - '0') * weight;
	return true;
}

static bool offset(const char **p, int *minutes)
{
	int sign = **p == '-' ? -1 : 1, h, m;

	*minutes = 0;
	if (one_of(p, "Zz"))
		return true;
	if (!one_of(p, "+-") || !digits(p, 2, 0, 23, &h) || !one_of(p, ":") || !digits(p, 2, 0, 59, &m))
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

static bool date(const char **p, int64_t *days)
{
	int y, m, d;

	if (!digits(p, 4, 0, 9999, &y) || !one_of(p, "-") || !digits(p, 2, 1, 12, &m) || !one_of(p, "-") ||
	    !digits(p, 2, 1, 31, &d) || d > days_in(y, m))
		return false;
	*days = days_of(y, m, d);
	return true;
}

static bool clock_time(const char **p, int64_t *ms)
{
	int h, m, s, frac;

	if (!digits(p, 2, 0, 23, &h) || !one_of(p, ":") || !digits(p, 2, 0, 59, &m) || !one_of(p, ":") ||
	    !digits(p, 2, 0, 59, &s) || !fraction(p, &frac))
		return false;
	*ms = ((int64_t)h * 3600 + m * 60 + s) * 1000 + frac;
	return true;
}

struct sw_err sw_time_parse(const char *s, int64_t *unix_ms)
{
	const char *p = s ? s : "";
	int64_t days, ms;
	int minutes;

	*unix_ms = 0;
	if (!date(&p, &days) || !one_of(&p, "Tt") || !clock_time(&p, &ms) || !offset(&p, &minutes) || *p)
		return sw_err(SW_E_INVALID, "time \"%.60s\": expected RFC 3339 such as 2026-11-23T17:20:00Z",
			      s ? s : "");
	ms += days * DAY_MS - (int64_t)minutes * 60000;
	if (ms < YEAR_0 || ms >= YEAR_10000)
		return sw_err(SW_E_INVALID, "time \"%.60s\": its offset takes it out of the years 0000 to 9999 in UTC",
			      s);
	*unix_ms = ms;
	return SW_OK;
}

static int time_text(int64_t unix_ms, char buf[32])
{
	int64_t days = unix_ms / DAY_MS, rest = unix_ms % DAY_MS, y;
	int s, m, d;

	if (rest < 0) {
		days--;
		rest += DAY_MS;
	}
	s = (int)(rest / 1000);
	date_of(days, &y, &m, &d);
	return snprintf(buf, 32, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d", y, m, d, s / 3600, s / 60 % 60, s % 60);
}

const char *sw_time_text(int64_t unix_ms, char buf[32])
{
	int n = time_text(unix_ms, buf);

	snprintf(buf + n, 32 - (size_t)n, "Z");
	return buf;
}

const char *sw_time_micro_text(int64_t unix_ms, char buf[32])
{
	int n = time_text(unix_ms, buf);
	int64_t ms = unix_ms % 1000;

	snprintf(buf + n, 32 - (size_t)n, ".%03d000Z", (int)(ms < 0 ? ms + 1000 : ms));
	return buf;
}

/* "%d<big>" with "%d<small>" behind it unless that is 0 */
static const char *two_units(char buf[32], int64_t big, const char *big_name, int64_t small, const char *small_name)
{
	int n = snprintf(buf, 32, "%" PRId64 "%s", big, big_name);

	if (small)
		snprintf(buf + n, 32 - (size_t)n, "%" PRId64 "%s", small, small_name);
	return buf;
}

/* Steps as in k8s.io/apimachinery/pkg/util/duration HumanDuration. */
const char *sw_age_text(int64_t ms, char buf[32])
{
	int64_t s = ms / 1000, m = s / 60, h = m / 60, d = h / 24;

	if (s < -1) {
		sw_cut(buf, 32, "<invalid>");
		return buf;
	}
	if (s < 0)
		s = 0;
	if (s < 120)
		return two_units(buf, s, "s", 0, "");
	if (m < 10)
		return two_units(buf, m, "m", s % 60, "s");
	if (m < 180)
		return two_units(buf, m, "m", 0, "");
	if (h < 8)
		return two_units(buf, h, "h", m % 60, "m");
	if (h < 48)
		return two_units(buf, h, "h", 0, "");
	if (h < 192)
		return two_units(buf, d, "d", h % 24, "h");
	if (d < 365 * 2)
		return two_units(buf, d, "d", 0, "");
	return two_units(buf, d / 365, "y", d < 365 * 8 ? d % 365 : 0, "d");
}

/* ---- durations ----------------------------------------------------------- */

static const struct {
	const char *name;
	int64_t ms;
} units[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", DAY_MS},
};

static int64_t unit_parse(const char **p)
{
	size_t n = strspn(*p, "abcdefghijklmnopqrstuvwxyz");

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].name) == n && !strncmp(*p, units[i].name, n)) {
			*p += n;
			return units[i].ms;
		}
	}
	return 0;
}

/* One "1.5h" at *p, in ms. */
static bool duration_part(const char **p, int64_t *out)
{
	int64_t whole = 0, frac = 0, weight = 1, unit, total;
	bool any = isdigit((unsigned char)**p);

	for (; isdigit((unsigned char)**p); (*p)++)
		if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, **p - '0', &whole))
			return false;
	if (**p == '.') {
		for ((*p)++; isdigit((unsigned char)**p); (*p)++, any = true) {
			if (weight < 1000000000) {
				weight *= 10;
				frac = frac * 10 + (**p - '0');
			}
		}
	}
	unit = any ? unit_parse(p) : 0;
	if (!unit || __builtin_mul_overflow(whole, unit, &total))
		return false;
	return !__builtin_add_overflow(total, frac * unit / weight, out);
}

struct sw_err sw_duration_parse(const char *s, int64_t *ms)
{
	const char *p = s ? s : "";
	int64_t total = 0, part;
	bool good = *p != 0;

	*ms = 0;
	if (!strcmp(p, "0"))
		return SW_OK;
	while (good && *p)
		good = duration_part(&p, &part) && !__builtin_add_overflow(total, part, &total);
	if (!good)
		return sw_err(SW_E_INVALID,
			      "duration \"%.60s\": expected numbers with a unit (ms, s, m, h, d), such as 90s or 2h30m",
			      s ? s : "");
	*ms = total;
	return SW_OK;
}
