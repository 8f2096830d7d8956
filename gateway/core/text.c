/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - names, randomness, hashes, base64 and the aborting helpers */
#include "spillway/text.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "utf8.h"

/* ---- names ---------------------------------------------------------------- */

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
static bool is_alnum_ascii(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* [a-z0-9]([-a-z0-9]*[a-z0-9])? over exactly n bytes */
static bool is_dns_part(const char *s, size_t n)
{
	if (n == 0 || !is_lower_alnum(s[0]) || !is_lower_alnum(s[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_lower_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

/* As Kubernetes: parts of a subdomain have no length limit of their own. */
static bool is_subdomain_n(const char *s, size_t n)
{
	size_t from = 0;

	if (n == 0 || n > 253)
		return false;
	for (size_t i = 0; i <= n; i++) {
		if (i < n && s[i] != '.')
			continue;
		if (!is_dns_part(s + from, i - from))
			return false;
		from = i + 1;
	}
	return true;
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9], at most 63 */
static bool is_qualified(const char *s, size_t n)
{
	if (n == 0 || n > 63 || !is_alnum_ascii(s[0]) || !is_alnum_ascii(s[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alnum_ascii(s[i]) && s[i] != '-' && s[i] != '_' && s[i] != '.')
			return false;
	return true;
}

bool sw_is_subdomain(const char *s)
{
	return s && is_subdomain_n(s, strlen(s));
}

bool sw_is_dns_label(const char *s)
{
	return s && strlen(s) <= 63 && is_dns_part(s, strlen(s));
}

bool sw_is_label_key(const char *s)
{
	const char *slash = s ? strchr(s, '/') : NULL;

	if (!s)
		return false;
	if (!slash)
		return is_qualified(s, strlen(s));
	return is_subdomain_n(s, (size_t)(slash - s)) && is_qualified(slash + 1, strlen(slash + 1));
}

bool sw_is_label_value(const char *s)
{
	return s && (*s == 0 || is_qualified(s, strlen(s)));
}

bool sw_is_utf8(const char *bytes, size_t n)
{
	for (size_t i = 0, step; i < n; i += step) {
		step = sw_utf8_len(bytes + i, n - i);
		if (!step)
			return false;
	}
	return true;
}

/* ---- randomness and hashes ------------------------------------------------ */

void sw_random(void *bytes, size_t n)
{
	unsigned char *p = bytes;

	while (n) {
		int step = n > 1 << 20 ? 1 << 20 : (int)n;

		SW_REQUIRE(RAND_bytes(p, step) == 1);
		p += step;
		n -= (size_t)step;
	}
}

static void hex_text(const unsigned char *bytes, size_t n, char *out)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = hex[bytes[i] >> 4];
		*out++ = hex[bytes[i] & 15];
	}
	*out = 0;
}

const char *sw_uuid(char buf[37])
{
	static const int cuts[] = {0, 8, 12, 16, 20, 32};
	unsigned char b[16];
	char hex[33], *p = buf;

	sw_random(b, sizeof(b));
	b[6] = (b[6] & 0x0F) | 0x40;
	b[8] = (b[8] & 0x3F) | 0x80;
	hex_text(b, sizeof(b), hex);
	for (int i = 0; i < 5; i++) {
		int n = cuts[i + 1] - cuts[i];

		if (i)
			*p++ = '-';
		memcpy(p, hex + cuts[i], (size_t)n);
		p += n;
	}
	*p = 0;
	return buf;
}

const char *sw_random_suffix(char buf[6])
{
	static const char set[] = "bcdfghjklmnpqrstvwxz2456789"; /* 27: no vowels, no look-alikes */
	unsigned char b;

	for (int i = 0; i < 5;) {
		sw_random(&b, 1);
		if (b < 243) /* 9 x 27: each letter equally likely */
			buf[i++] = set[b % 27];
	}
	buf[5] = 0;
	return buf;
}

uint64_t sw_hash(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

void sw_sha256_hex(const void *bytes, size_t n, char out[65])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SW_REQUIRE(EVP_Digest(bytes, n, digest, NULL, EVP_sha256(), NULL) == 1);
	hex_text(digest, sizeof(digest), out);
}

/* ---- base64 ---------------------------------------------------------------- */

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *sw_base64(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	char *out, *at;

	SW_REQUIRE(n < SIZE_MAX / 2);
	out = at = sw_calloc(1, (n + 2) / 3 * 4 + 1);
	for (; n >= 3; n -= 3, p += 3) {
		*at++ = b64[p[0] >> 2];
		*at++ = b64[(p[0] & 3) << 4 | p[1] >> 4];
		*at++ = b64[(p[1] & 15) << 2 | p[2] >> 6];
		*at++ = b64[p[2] & 63];
	}
	if (n) {
		unsigned second = n == 2 ? p[1] : 0;

		*at++ = b64[p[0] >> 2];
		*at++ = b64[(p[0] & 3) << 4 | second >> 4];
		*at++ = n == 2 ? b64[(second & 15) << 2] : '=';
		*at++ = '=';
	}
	return out;
}

static int b64_value(char c)
{
	const char *at = c ? strchr(b64, c) : NULL;

	return at ? (int)(at - b64) : -1;
}

struct sw_err sw_base64_decode(const char *s, size_t n, unsigned char **out, size_t *len)
{
	unsigned char *bytes = malloc(n / 4 * 3 + 4);
	unsigned group = 0, in_group = 0, pads = 0;
	size_t at = 0;

	*out = NULL;
	*len = 0;
	if (!bytes)
		return sw_err(SW_E_NOMEM, "base64: out of memory for %zu bytes", n);
	for (size_t i = 0; i < n; i++) {
		int v = b64_value(s[i]);

		if (s[i] == '\n' || s[i] == '\r') /* as Go's decoder: PEM-like line breaks */
			continue;
		if (s[i] == '=' && in_group >= 2)
			pads++;
		if (v < 0 ? s[i] != '=' || in_group < 2 : pads > 0) {
			free(bytes);
			return sw_err(SW_E_INVALID, "base64: byte %zu: found 0x%02x where it may not stand", i + 1,
				      (unsigned char)s[i]);
		}
		group = group << 6 | (v < 0 ? 0 : (unsigned)v);
		if (++in_group < 4)
			continue;
		bytes[at++] = (unsigned char)(group >> 16);
		bytes[at++] = (unsigned char)(group >> 8);
		bytes[at++] = (unsigned char)group;
		at -= pads;
		group = in_group = 0;
	}
	if (in_group) {
		free(bytes);
		return sw_err(SW_E_INVALID, "base64: found %u characters in the last group, expected 4 (padded with =)",
			      in_group);
	}
	bytes[at] = 0;
	*out = bytes;
	*len = at;
	return SW_OK;
}

/* ---- helpers that abort when out of memory -------------------------------- */

char *sw_strdup(const char *s)
{
	char *copy = s ? strdup(s) : NULL;

	SW_REQUIRE(!s || copy);
	return copy;
}

void *sw_calloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	SW_REQUIRE(p != NULL);
	return p;
}

char *sw_asprintf(const char *fmt, ...)
{
	char *out = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&out, fmt, ap);
	va_end(ap);
	SW_REQUIRE(n >= 0 && out != NULL);
	return out;
}
