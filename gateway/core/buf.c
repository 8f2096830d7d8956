/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - growing byte buffers with a limit, and the JSON string writer */
#include "spillway/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

void sw_buf_init(struct sw_buf *b, size_t max_bytes)
{
	/* No object is larger than half the address space: sizes below cannot overflow. */
	*b = (struct sw_buf){.max = max_bytes < SIZE_MAX / 4 ? max_bytes : SIZE_MAX / 4};
}

void sw_buf_fini(struct sw_buf *b)
{
	free(b->at);
	*b = (struct sw_buf){.max = b->max};
}

void sw_buf_reset(struct sw_buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->at)
		b->at[0] = 0;
}

/* Makes room for n more bytes and the NUL. */
static bool reserve(struct sw_buf *b, size_t n)
{
	size_t need, cap;
	char *at;

	if (b->failed)
		return false;
	if (n > b->max || b->len > b->max - n) {
		b->failed = true;
		return false;
	}
	need = b->len + n + 1;
	if (need <= b->cap)
		return true;
	cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap *= 2;
	if (cap > b->max + 1)
		cap = b->max + 1;
	at = realloc(b->at, cap);
	if (!at) {
		b->failed = true;
		return false;
	}
	b->at = at;
	b->cap = cap;
	return true;
}

char *sw_buf_room(struct sw_buf *b, size_t n)
{
	return reserve(b, n) ? b->at + b->len : NULL;
}

void sw_buf_grew(struct sw_buf *b, size_t n)
{
	if (b->failed || !b->at)
		return;
	b->len += n;
	b->at[b->len] = 0;
}

void sw_buf_put(struct sw_buf *b, const void *bytes, size_t n)
{
	if (!reserve(b, n))
		return;
	if (n)
		memcpy(b->at + b->len, bytes, n);
	b->len += n;
	b->at[b->len] = 0;
}

void sw_buf_puts(struct sw_buf *b, const char *s)
{
	sw_buf_put(b, s, strlen(s));
}

void sw_buf_putc(struct sw_buf *b, char c)
{
	if (b->len + 1 >= b->cap && !reserve(b, 1)) /* cap is 0 or holds the NUL */
		return;
	if (b->failed)
		return;
	b->at[b->len++] = c;
	b->at[b->len] = 0;
}

void sw_buf_printf(struct sw_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sw_buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void sw_buf_vprintf(struct sw_buf *b, const char *fmt, va_list ap)
{
	va_list again;
	size_t free_bytes;
	int n;

	if (!reserve(b, 0))
		return;
	free_bytes = b->cap - b->len;
	va_copy(again, ap);
	n = vsnprintf(b->at + b->len, free_bytes, fmt, again);
	va_end(again);
	if (n >= 0 && (size_t)n >= free_bytes) {
		b->at[b->len] = 0;
		if (!reserve(b, (size_t)n))
			return;
		n = vsnprintf(b->at + b->len, b->cap - b->len, fmt, ap);
	}
	if (n < 0 || (size_t)n > b->max - b->len) {
		b->at[b->len] = 0;
		b->failed = true;
		return;
	}
	b->len += (size_t)n;
}

void sw_buf_drop(struct sw_buf *b, size_t n)
{
	if (n == 0 || !b->at)
		return;
	if (n > b->len)
		n = b->len;
	memmove(b->at, b->at + n, b->len - n + 1);
	b->len -= n;
}

char *sw_buf_take(struct sw_buf *b, size_t *len)
{
	char *at = NULL;

	if (len)
		*len = 0;
	if (reserve(b, 0)) {
		b->at[b->len] = 0;
		at = b->at;
		if (len)
			*len = b->len;
	} else {
		free(b->at);
	}
	*b = (struct sw_buf){.max = b->max};
	return at;
}

/* ---- JSON strings and URLs ---------------------------------------------- */

void sw_buf_json_str(struct sw_buf *b, const char *s)
{
	if (s)
		sw_buf_json_strn(b, s, strlen(s));
	else
		sw_buf_put(b, "null", 4);
}

static void put_escaped(struct sw_buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at = c ? strchr(from, c) : NULL;
	char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

	if (at) {
		text[1] = to[at - from];
		sw_buf_put(b, text, 2);
	} else {
		sw_buf_put(b, text, 6);
	}
}

/* The rest of a string from its first byte that does not stand as it is. */
static void put_special(struct sw_buf *b, const char *s, size_t n)
{
	size_t i = 0, from = 0;

	while (i < n) {
		size_t step;

		i += sw_plain_len(s + i, n - i);
		if (i == n)
			break;
		step = sw_utf8_len(s + i, n - i);
		if (step > 1) {
			i += step;
			continue;
		}
		sw_buf_put(b, s + from, i - from);
		if (step)
			put_escaped(b, (unsigned char)s[i]);
		else
			sw_buf_put(b, "\xEF\xBF\xBD", 3);
		from = ++i;
	}
	sw_buf_put(b, s + from, n - from);
}

void sw_buf_json_strn(struct sw_buf *b, const char *s, size_t n)
{
	size_t plain = sw_plain_len(s, n);
	char *at;

	if (plain < n) {
		sw_buf_putc(b, '"');
		put_special(b, s, n);
		sw_buf_putc(b, '"');
		return;
	}
	at = sw_buf_room(b, n + 2); /* most strings: one piece, one look at the limit */
	if (!at)
		return;
	at[0] = '"';
	memcpy(at + 1, s, n);
	at[n + 1] = '"';
	sw_buf_grew(b, n + 2);
}

void sw_buf_url(struct sw_buf *b, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			     (c && strchr("-._~", c));

		if (stays)
			sw_buf_put(b, s, 1);
		else
			sw_buf_put(b, (char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
	}
}
