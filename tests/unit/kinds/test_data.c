/* SPDX-License-Identifier: Apache-2.0 */
/* test_data.c - where a job's data is: what is read, and what is not */
#include "kinds_test.h"

Test(kinds_data, every_part_is_taken)
{
	static const struct {
		const char *text, *scheme, *provider, *bucket, *region;
		int64_t bytes;
	} rows[] = {
		{"s3://bucket@eu-central-1:500Gi", "s3", "", "bucket", "eu-central-1", (int64_t)500 << 30},
		{"gs://b/some/path@europe-west4-b:1Ti", "gs", "gcp", "b/some/path", "europe-west4-b", (int64_t)1 << 40},
		{"abfss://fs@account.dfs.core.windows.net/p@westeurope:10G", "abfss", "azure",
		 "fs@account.dfs.core.windows.net/p", "westeurope", 10000000000},
		{"root://eos.site.org:1094//data@site:1", "root", "", "eos.site.org:1094//data", "site", 1},
		{"https://h/x@y:z@cern:5M", "https", "", "h/x@y:z", "cern", 5000000},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_data d;
		struct sw_err e = sw_data_read(rows[i].text, &d);

		cr_assert(!sw_failed(e), "%s: %s", rows[i].text, e.text);
		cr_expect_str_eq(d.scheme, rows[i].scheme);
		cr_expect_str_eq(d.provider, rows[i].provider);
		cr_expect_str_eq(d.bucket, rows[i].bucket);
		cr_expect_str_eq(d.region, rows[i].region);
		cr_expect_eq(d.bytes, rows[i].bytes, "%s: %lld", rows[i].text, (long long)d.bytes);
	}
}

#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

Test(kinds_data, a_missing_or_broken_part_is_named)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"", "there is no \"://\""},
		{"bucket", "there is no \"://\""},
		{"s3:/b@r:1Gi", "there is no \"://\""},
		{"://b@r:1Gi", "unknown scheme \"\""},
		{"s4://b@r:1Gi", "unknown scheme \"s4\", did you mean \"s3\"?"},
		{"S3://b@r:1Gi", "unknown scheme \"S3\""},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaa://b@r:1Gi", "unknown scheme \"aaaaaaaaaaaaaaa\""},
		{"s3://b:1Gi", "there is no \"@region\""},
		{"s3://b@r", "there is no \":size\""},
		{"s3://@r:1Gi", "the bucket is empty"},
		{"s3://b@:1Gi", "the region is empty"},
		{"s3://b@r e:1Gi", "the region \"r e\" is none"},
		{"s3://b@" LONG ":1Gi", "the region is longer than 63 bytes"},
		{"s3://" LONG LONG LONG LONG "@r:1Gi", "the bucket is longer than 255 bytes"},
		{"s3://b@r:", "size: "},
		{"s3://b@r:much", "size: "},
		{"s3://b@r:0", "expected more than zero"},
		{"s3://b@r:-1Gi", "expected more than zero"},
		{"s3://b@r:99999999999Ei", "size: "},
		{"s3://b@r:1Gi:2", "size: "},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_data d;
		struct sw_err e = sw_data_read(rows[i].text, &d);

		cr_expect_eq(e.code, SW_E_INVALID, "%s", rows[i].text);
		cr_expect(strstr(e.text, rows[i].says), "%s: %s", rows[i].text, e.text);
		cr_expect(!*d.scheme && !*d.region && !*d.bucket && d.bytes == 0, "%s: nothing is left", rows[i].text);
	}
}
