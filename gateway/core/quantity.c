/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantity.c - Kubernetes quantities
 *
 * A quantity is a sign, digits with an optional point, and a suffix: a decimal
 * one (n u m k M G T P E), a binary one (Ki Mi Gi Ti Pi Ei) or an exponent
 * (e3, E-2). Source: k8s.io/apimachinery/pkg/api/resource/quantity.go. The API server
 * caps what is too large; we refuse it, since a capped request would be another job.
 *
 * Decimal suffixes only move the point, so the value is whole digits, fraction
 * digits and a power of two, computed in 128 bits.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"

typedef unsigned __int128 u128;

enum { WHOLE_MAX = 20, FRACTION_MAX = 17, EXPONENT_MAX = 1000 };

struct quantity {
	bool negative;
	const char *digits, *fraction; /* the digits before and after the point */
	size_t n_digits, n_fraction;
	int exp10, shift;
};

static const struct {
	const char *suffix;
	int exp10, shift;
} suffixes[] = {
	{"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
	{"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
	{"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
};

static struct sw_err refuse(const char *s, const char *found)
{
	return sw_err(SW_E_INVALID,
		      "quantity \"%.60s\": found %s, expected a number with an optional suffix such as 500m, 2, 1.5, "
		      "40Gi or 1e3",
		      s, found);
}

static bool exponent_parse(const char *s, int *out)
{
	bool negative = *s == '-';
	int v = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s); s++)
		if (v < EXPONENT_MAX)
			v = v * 10 + (*s - '0');
	*out = negative ? -v : v;
	return *s == 0;
}

static bool suffix_parse(const char *s, struct quantity *q)
{
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (!strcmp(s, suffixes[i].suffix)) {
			q->exp10 = suffixes[i].exp10;
			q->shift = suffixes[i].shift;
			return true;
		}
	}
	return (*s == 'e' || *s == 'E') && exponent_parse(s + 1, &q->exp10);
}

static struct sw_err quantity_parse(const char *s, struct quantity *q)
{
	const char *p = s;

	*q = (struct quantity){0};
	if (!s || !*s)
		return refuse("", "nothing");
	q->negative = *p == '-';
	if (*p == '-' || *p == '+')
		p++;
	q->digits = p;
	q->n_digits = strspn(p, "0123456789");
	p += q->n_digits;
	if (*p == '.') {
		q->fraction = ++p;
		q->n_fraction = strspn(p, "0123456789");
		p += q->n_fraction;
	}
	if (q->n_digits + q->n_fraction == 0)
		return refuse(s, "no digits");
	if (!suffix_parse(p, q)) {
		char found[48];

		snprintf(found, sizeof(found), "the suffix \"%.20s\"", p);
		return refuse(s, found);
	}
	return SW_OK;
}

/* The i-th digit of the number as written, the point left out. */
static unsigned digit_at(const struct quantity *q, size_t i)
{
	return (unsigned)((i < q->n_digits ? q->digits[i] : q->fraction[i - q->n_digits]) - '0');
}

/* The digits as whole part and fraction x 10^17; `rest` is true if digits were lost. */
struct parts {
	u128 whole, fraction;
	bool rest, too_large;
};

static struct parts quantity_split(const struct quantity *q)
{
	size_t n = q->n_digits + q->n_fraction;
	long point = (long)q->n_digits + q->exp10; /* where the point falls among the digits */
	struct parts p = {0};
	size_t i = 0;

	while (i < n && digit_at(q, i) == 0)
		i++;
	if (i == n)
		return p;
	if (point - (long)i > WHOLE_MAX) {
		p.too_large = true;
		return p;
	}
	for (long at = (long)i; at < point; at++)
		p.whole = p.whole * 10 + (at < (long)n ? digit_at(q, (size_t)at) : 0);
	for (long at = point; at < point + FRACTION_MAX; at++)
		p.fraction = p.fraction * 10 + (at >= (long)i && at < (long)n ? digit_at(q, (size_t)at) : 0);
	for (size_t at = i; at < n; at++)
		p.rest |= (long)at >= point + FRACTION_MAX && digit_at(q, at);
	return p;
}

/* q x scale, rounded away from zero as the API server does. */
static struct sw_err quantity_scale(const char *s, unsigned scale, int64_t *out)
{
	static const u128 unit = (u128)100000000000000000; /* 10^17 */
	struct quantity q;
	struct sw_err e = quantity_parse(s, &q);
	struct parts p;
	u128 times, part, v;

	*out = 0;
	if (sw_failed(e))
		return e;
	p = quantity_split(&q);
	times = (u128)scale << q.shift;
	if (p.too_large || p.whole > (u128)INT64_MAX / times)
		return sw_err(SW_E_INVALID, "quantity \"%.60s\" is too large: expected at most %" PRId64, s,
			      (int64_t)(INT64_MAX / scale));
	part = p.fraction * times;
	v = p.whole * times + part / unit + (part % unit || p.rest);
	if (v > (u128)INT64_MAX)
		return sw_err(SW_E_INVALID, "quantity \"%.60s\" is too large: expected at most %" PRId64, s,
			      (int64_t)(INT64_MAX / scale));
	*out = q.negative ? -(int64_t)v : (int64_t)v;
	return SW_OK;
}

struct sw_err sw_quantity_milli(const char *s, int64_t *out)
{
	return quantity_scale(s, 1000, out);
}

struct sw_err sw_quantity_ceil(const char *s, int64_t *out)
{
	return quantity_scale(s, 1, out);
}

static uint64_t magnitude(int64_t v)
{
	return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static const char *scaled_text(int64_t v, uint64_t base, const char *const *names, int n, char buf[32])
{
	uint64_t m = magnitude(v);
	int i = 0;

	while (m && i + 1 < n && m % base == 0) {
		m /= base;
		i++;
	}
	snprintf(buf, 32, "%s%" PRIu64 "%s", v < 0 ? "-" : "", m, m ? names[i] : "");
	return buf;
}

const char *sw_quantity_text(int64_t milli, char buf[32])
{
	static const char *const names[] = {"m", "", "k", "M", "G", "T", "P"};

	return scaled_text(milli, 1000, names, 7, buf);
}

const char *sw_bytes_text(int64_t bytes, char buf[32])
{
	static const char *const names[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};

	return scaled_text(bytes, 1024, names, 7, buf);
}
