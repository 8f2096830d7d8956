/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.h - growing byte buffers with a limit, and a small JSON writer on them
 *
 *   struct sw_buf b;
 *   sw_buf_init(&b, 1 << 20);
 *   sw_buf_puts(&b, "{\"name\":");
 *   sw_buf_json_str(&b, name);
 *   sw_buf_puts(&b, "}");
 *   if (!sw_buf_ok(&b)) ...            // over the limit or out of memory: sticky
 *   char *text = sw_buf_take(&b, &len);
 *
 * After the first failure every append is a no-op and sw_buf_ok() is false, so
 * a builder checks once at the end. The bytes are always NUL-terminated.
 * init allocates nothing. Reuse with sw_buf_reset(), which keeps the memory.
 */
#ifndef SPILLWAY_BUF_H
#define SPILLWAY_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sw_buf {
	char *at;
	size_t len, cap, max;
	bool failed;
};

void sw_buf_init(struct sw_buf *b, size_t max_bytes);
void sw_buf_fini(struct sw_buf *b);
void sw_buf_reset(struct sw_buf *b);
static inline bool sw_buf_ok(const struct sw_buf *b)
{
	return !b->failed;
}

void sw_buf_put(struct sw_buf *b, const void *bytes, size_t n);
void sw_buf_puts(struct sw_buf *b, const char *s);
void sw_buf_putc(struct sw_buf *b, char c);
__attribute__((format(printf, 2, 3))) void sw_buf_printf(struct sw_buf *b, const char *fmt, ...);
__attribute__((format(printf, 2, 0))) void sw_buf_vprintf(struct sw_buf *b, const char *fmt, va_list ap);
/* Room for n more bytes to write at the returned place, then sw_buf_grew(). NULL on failure. */
char *sw_buf_room(struct sw_buf *b, size_t n);
void sw_buf_grew(struct sw_buf *b, size_t n);
void sw_buf_drop(struct sw_buf *b, size_t n); /* the first n bytes go */
/* gives the bytes (free() them); the buffer is empty again. NULL if failed. */
char *sw_buf_take(struct sw_buf *b, size_t *len);

/* A quoted, escaped JSON string; NULL writes null. Invalid UTF-8 becomes U+FFFD. */
void sw_buf_json_str(struct sw_buf *b, const char *s);
void sw_buf_json_strn(struct sw_buf *b, const char *s, size_t n);
/* One component of a URL, percent-encoded (RFC 3986 unreserved bytes stay). */
void sw_buf_url(struct sw_buf *b, const char *s);

#endif
