/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - how long the UTF-8 sequence at p is (RFC 3629: no overlong forms, surrogates or values over U+10FFFF) */
#ifndef SPILLWAY_CORE_UTF8_H
#define SPILLWAY_CORE_UTF8_H

#include <stddef.h>

/* 1..4, or 0 if the bytes at p are not UTF-8. n is at least 1. */
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
