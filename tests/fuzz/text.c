/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - quantities, times, durations and names: what is accepted is written and read again without a change
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "spillway/buf.h"
#include "spillway/text.h"

static void quantity(const char *s)
{
	int64_t milli, whole, again;
	char buf[32];
	struct sw_err e = sw_quantity_milli(s, &milli), up = sw_quantity_ceil(s, &whole);

	if (!sw_failed(e)) {
		FUZZ_CHECK(!sw_failed(sw_quantity_milli(sw_quantity_text(milli, buf), &again)) && again == milli);
		FUZZ_CHECK(!sw_failed(up) && whole - milli / 1000 >= -1 && whole - milli / 1000 <= 1);
	}
	if (!sw_failed(up) && whole >= 0)
		FUZZ_CHECK(!sw_failed(sw_quantity_ceil(sw_bytes_text(whole, buf), &again)) && again == whole);
	FUZZ_CHECK(!sw_failed(e) || e.text[0]);
}

static void times(const char *s)
{
	int64_t ms, again;
	char buf[32];

	if (!sw_failed(sw_time_parse(s, &ms))) {
		FUZZ_CHECK(!sw_failed(sw_time_parse(sw_time_micro_text(ms, buf), &again)) && again == ms);
		FUZZ_CHECK(!sw_failed(sw_time_parse(sw_time_text(ms, buf), &again)) && ms - again >= 0 &&
			   ms - again < 1000);
	}
	if (!sw_failed(sw_duration_parse(s, &ms)))
		FUZZ_CHECK(*sw_age_text(ms, buf));
}

static void names(const char *s)
{
	size_t n = strlen(s);

	FUZZ_CHECK(!sw_is_dns_label(s) || (n <= 63 && sw_is_subdomain(s)));
	FUZZ_CHECK(!sw_is_subdomain(s) || n <= 253);
	FUZZ_CHECK(!sw_is_label_value(s) || n <= 63);
	FUZZ_CHECK(!sw_is_label_key(s) || n <= 253 + 1 + 63);
}

/* Escaped as a JSON string and as a part of a URL. */
static void escaped(const char *s, size_t len)
{
	struct sw_buf b;
	json_t *o;

	sw_buf_init(&b, 1 << 20);
	sw_buf_json_strn(&b, s, len);
	FUZZ_CHECK(sw_buf_ok(&b));
	if (!memchr(s, 0, len)) { /* \u0000 is refused when it is read */
		FUZZ_CHECK(!sw_failed(sw_json_parse(b.at, b.len, &o)));
		json_object_put(o);
	}
	sw_buf_reset(&b);
	sw_buf_url(&b, s);
	FUZZ_CHECK(sw_buf_ok(&b) &&
		   strspn(b.at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%") == b.len);
	sw_buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);

	for (int i = 0; i < FUZZ_PARTS; i++) {
		quantity(p.at[i]);
		times(p.at[i]);
		names(p.at[i]);
		escaped(p.at[i], p.len[i]);
	}
	fuzz_parts_free(&p);
	return 0;
}
