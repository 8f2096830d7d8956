/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"

enum { LABEL = 1, SUBDOMAIN = 2, KEY = 4, VALUE = 8 };

static const struct {
	const char *s;
	int is;
} names[] = {
	{"a", LABEL | SUBDOMAIN | KEY | VALUE},
	{"job-1", LABEL | SUBDOMAIN | KEY | VALUE},
	{"a.b", SUBDOMAIN | KEY | VALUE},
	{"A_b.C", KEY | VALUE},
	{"kueue.x-k8s.io/queue-name", KEY},
	{"", VALUE},
	{"-a", 0},
	{"a-", 0},
	{"a..b", KEY | VALUE},
	{".a", 0},
	{"a.", 0},
	{"a/", 0},
	{"/a", 0},
	{"a/b/c", 0},
	{"A.b/c", 0},
	{"a b", 0},
	{"a\n", 0},
	{"../etc", 0},
	{"a\xC3\xA9", 0},
};

static int kinds_of(const char *s)
{
	return (sw_is_dns_label(s) ? LABEL : 0) | (sw_is_subdomain(s) ? SUBDOMAIN : 0) |
	       (sw_is_label_key(s) ? KEY : 0) | (sw_is_label_value(s) ? VALUE : 0);
}

Test(text, names_follow_the_rules_of_kubernetes)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_assert_eq(kinds_of(names[i].s), names[i].is, "\"%s\" is %d", names[i].s, kinds_of(names[i].s));
	cr_assert_eq(kinds_of(NULL), 0);
}

Test(text, names_have_a_longest_form)
{
	char s[400];

	memset(s, 'a', sizeof(s));
	s[63] = 0;
	cr_assert_eq(kinds_of(s), LABEL | SUBDOMAIN | KEY | VALUE);
	s[63] = 'a';
	s[64] = 0;
	cr_assert_eq(kinds_of(s), SUBDOMAIN);
	s[64] = 'a';
	s[253] = 0;
	cr_assert_eq(kinds_of(s), SUBDOMAIN);
	memcpy(s + 253, "/k", 3);
	cr_assert_eq(kinds_of(s), KEY);
	s[253] = 'a';
	s[254] = 0;
	cr_assert_eq(kinds_of(s), 0);
	memcpy(s + 254, "/k", 3);
	cr_assert_eq(kinds_of(s), 0);
}

Test(text, uuids_and_suffixes_have_their_form_and_differ)
{
	char a[37], b[37], s[6], t[6];
	int same = 0;

	sw_uuid(a);
	sw_uuid(b);
	cr_assert_str_neq(a, b);
	cr_assert_eq(strlen(a), 36);
	cr_assert_eq(strspn(a, "0123456789abcdef-"), 36);
	cr_assert(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-');
	cr_assert_eq(a[14], '4');
	cr_assert(strchr("89ab", a[19]));
	for (int i = 0; i < 1000; i++) {
		sw_random_suffix(s);
		sw_random_suffix(t);
		cr_assert_eq(strspn(s, "bcdfghjklmnpqrstvwxz2456789"), 5);
		same += !strcmp(s, t);
	}
	cr_assert_leq(same, 2);
}

Test(text, hashes_are_the_known_ones)
{
	char hex[65];

	/* test vectors: FIPS 180-2 appendix B, and the FNV reference page */
	sw_sha256_hex("abc", 3, hex);
	cr_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	cr_assert_eq(sw_hash("", 0), 0xcbf29ce484222325u);
	cr_assert_eq(sw_hash("a", 1), 0xaf63dc4c8601ec8cu);
}

static const struct {
	const char *text, *coded;
} codes[] = {
	/* RFC 4648 section 10 */
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
};

Test(text, base64_goes_both_ways)
{
	unsigned char *bytes, all[256];
	size_t len;
	char *s;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		s = sw_base64(codes[i].text, strlen(codes[i].text));
		cr_assert_str_eq(s, codes[i].coded);
		cr_assert(!sw_failed(sw_base64_decode(s, strlen(s), &bytes, &len)));
		cr_assert_str_eq((char *)bytes, codes[i].text);
		free(bytes);
		free(s);
	}
	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	s = sw_base64(all, 256);
	cr_assert(!sw_failed(sw_base64_decode(s, strlen(s), &bytes, &len)));
	cr_assert(len == 256 && !memcmp(bytes, all, 256));
	free(bytes);
	free(s);
}

Test(text, broken_base64_is_refused)
{
	static const char *const bad[] = {"Z",    "Zg",       "Zg=",   "Zg===", "=",        "====", "Z===",
					  "Zg=v", "Zg==Zg==", "Zm9v!", "Zm 9v", "Zm9v_-==", "Zm8=x"};
	unsigned char *bytes;
	size_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert(sw_failed(sw_base64_decode(bad[i], strlen(bad[i]), &bytes, &len)), "%s was taken", bad[i]);
		cr_assert(!bytes && !len);
	}
	cr_assert(sw_failed(sw_base64_decode("Zm\0v", 4, &bytes, &len)));
	cr_assert(!sw_failed(sw_base64_decode("Zm9v\r\nYg==\n", 11, &bytes, &len)), "line breaks are stepped over");
	cr_assert_str_eq((char *)bytes, "foob");
	free(bytes);
}

Test(text, strdup_of_nothing_is_nothing)
{
	char *s = sw_asprintf("%s-%d", "a", 5);

	cr_assert_null(sw_strdup(NULL));
	cr_assert_str_eq(s, "a-5");
	free(s);
}
