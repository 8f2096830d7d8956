/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - scanning text: UTF-8 sequences, and runs of bytes that JSON strings hold as they are */
#ifndef SPILLWAY_CORE_UTF8_H
#define SPILLWAY_CORE_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Marks (in the top bit of each byte) the bytes of v that are below 0x20, a quote, a backslash or not ASCII. A byte
 * may be marked wrongly by a borrow, but only beside one that is marked rightly: no mark means no such byte. */
static inline uint64_t sw_special_bytes(uint64_t v)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');

	return (v | (v - ones * 0x20) | (quote - ones) | (slash - ones)) & tops;
}

/* How many bytes from s stand in a JSON string as they are: printable ASCII but quote and backslash. */
static inline size_t sw_plain_len(const char *s, size_t n)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t v;

		memcpy(&v, s + i, 8);
		if (sw_special_bytes(v))
			break;
	}
	while (i < n && (unsigned char)s[i] >= 0x20 && (unsigned char)s[i] < 0x80 && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

/* RFC 3629: no overlong forms, surrogates or values over U+10FFFF. 1..4, or 0 if the bytes at p are not UTF-8. n is at
 * least 1. */
static inline size_t sw_utf8_len(const char *bytes, size_t n)
{
	const unsigned char *p = (const unsigned char *)bytes;
	unsigned char low = 0x80, high = 0xBF;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	if (len > n)
		return 0;
	if (p[0] == 0xE0)
		low = 0xA0;
	else if (p[0] == 0xED)
		high = 0x9F;
	else if (p[0] == 0xF0)
		low = 0x90;
	else if (p[0] == 0xF4)
		high = 0x8F;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return len;
}

#endif
