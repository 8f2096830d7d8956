/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data.c - where a job's data is: "s3://bucket/path@region:500Gi"
 *
 * All three parts are needed: without a region nobody knows what is near, without a size nobody knows what moving it
 * costs. Whose region it is, the catalog knows; a scheme that only one cloud has says it too.
 */
#include <stdio.h>
#include <string.h>
#include "kinds_priv.h"
#include "spillway/text.h"

/* provider: whose storage it is, or "" where many speak it (S3 is an interface more than a place). */
static const struct scheme {
	const char *name, *provider;
} schemes[] = {
	{"s3", ""},        {"gs", "gcp"},      {"az", "azure"}, {"abfs", "azure"}, {"abfss", "azure"},
	{"wasb", "azure"}, {"wasbs", "azure"}, {"https", ""},   {"http", ""},      {"swift", ""},
	{"nfs", ""},       {"cephfs", ""},     {"hdfs", ""},    {"root", ""},      {"davs", ""},
};
enum { N_SCHEMES = sizeof schemes / sizeof *schemes };

static struct sw_err scheme_read(const char *text, size_t n, struct sw_data *out)
{
	const char *names[N_SCHEMES];
	char found[16];

	snprintf(found, sizeof found, "%.*s", (int)(n < sizeof found ? n : sizeof found - 1), text);
	for (size_t i = 0; i < N_SCHEMES; i++) {
		names[i] = schemes[i].name;
		if (strlen(names[i]) != n || memcmp(names[i], text, n) != 0)
			continue;
		out->scheme = schemes[i].name;
		out->provider = schemes[i].provider;
		return SW_OK;
	}
	const char *near = sw_nearest(found, names, N_SCHEMES);

	return sw_err(SW_E_INVALID, "unknown scheme \"%s\"%s%s%s, expected one such as s3, gs, az, https, nfs or root",
		      found, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static struct sw_err part_take(const char *from, size_t n, const char *what, char *out, size_t size)
{
	if (n == 0)
		return sw_err(SW_E_INVALID, "the %s is empty", what);
	if (n >= size)
		return sw_err(SW_E_INVALID, "the %s is longer than %zu bytes", what, size - 1);
	memcpy(out, from, n);
	out[n] = '\0';
	return SW_OK;
}

/* "region:size"; size is behind its colon. */
static struct sw_err place_read(const char *region, const char *size, struct sw_data *out)
{
	struct sw_err e = part_take(region, (size_t)(size - region - 1), "region", out->region, sizeof out->region);

	if (!sw_failed(e) && !sw_is_label_value(out->region))
		e = sw_err(SW_E_INVALID, "the region \"%s\" is none: letters, digits and '-'", out->region);
	if (!sw_failed(e))
		e = sw_err_wrap(sw_quantity_ceil(size, &out->bytes), "size");
	if (!sw_failed(e) && out->bytes <= 0)
		e = sw_err(SW_E_INVALID, "the size is %.40s, expected more than zero", size);
	return e;
}

static struct sw_err parts_read(const char *text, struct sw_data *out)
{
	const char *colon = strstr(text, "://"), *bucket = colon ? colon + 3 : NULL;
	const char *at = bucket ? strrchr(bucket, '@') : NULL, *size = at ? strchr(at, ':') : NULL;

	if (!colon)
		return sw_err(SW_E_INVALID, "there is no \"://\"");
	struct sw_err e = scheme_read(text, (size_t)(colon - text), out);

	if (!sw_failed(e) && !at)
		e = sw_err(SW_E_INVALID, "there is no \"@region\" behind the bucket");
	if (!sw_failed(e) && !size)
		e = sw_err(SW_E_INVALID, "there is no \":size\" behind the region");
	if (!sw_failed(e))
		e = part_take(bucket, (size_t)(at - bucket), "bucket", out->bucket, sizeof out->bucket);
	return sw_failed(e) ? e : place_read(at + 1, size + 1, out);
}

struct sw_err sw_data_read(const char *text, struct sw_data *out)
{
	*out = (struct sw_data){.scheme = "", .provider = ""};
	struct sw_err e = parts_read(text, out);

	if (!sw_failed(e))
		return e;
	*out = (struct sw_data){.scheme = "", .provider = ""};
	return sw_err(SW_E_INVALID,
		      "found \"%.60s\", expected where the data is, such as \"s3://bucket@region:500Gi\": %s", text,
		      e.text);
}
