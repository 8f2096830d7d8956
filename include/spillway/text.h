/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - small conversions: quantities, times, durations, names, randomness
 */
#ifndef SPILLWAY_TEXT_H
#define SPILLWAY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "spillway/err.h"

/* A Kubernetes quantity ("500m", "2", "40Gi", "1e3") in thousandths. Refuses
 * what the API server refuses, and what does not fit in 63 bits.
 * Source: k8s.io/apimachinery/pkg/api/resource quantity.go (grammar in its comment). */
__attribute__((warn_unused_result)) struct sw_err sw_quantity_milli(const char *s, int64_t *out);
/* The same in whole units, rounded up (memory in bytes, GPUs). */
__attribute__((warn_unused_result)) struct sw_err sw_quantity_ceil(const char *s, int64_t *out);
/* Canonical text of a milli value: "250m", "2". buf at least 32 bytes; returns buf. */
const char *sw_quantity_text(int64_t milli, char buf[32]);
/* Bytes as "40Gi", "512Mi", "1000". buf at least 32 bytes; returns buf. */
const char *sw_bytes_text(int64_t bytes, char buf[32]);

/* "2026-11-23T17:20:00Z". Accepts any RFC 3339 offset and fraction. */
__attribute__((warn_unused_result)) struct sw_err sw_time_parse(const char *s, int64_t *unix_ms);
const char *sw_time_text(int64_t unix_ms, char buf[32]);       /* whole seconds, Z */
const char *sw_time_micro_text(int64_t unix_ms, char buf[32]); /* MicroTime: .123000Z */
/* kubectl's ages: "5s", "17m", "3h4m", "2d5h". */
const char *sw_age_text(int64_t ms, char buf[32]);
/* "90s", "10m", "2h30m", "1.5h" -> ms */
__attribute__((warn_unused_result)) struct sw_err sw_duration_parse(const char *s, int64_t *ms);

/* RFC 1123 subdomain (253) and label (63), as names of objects and namespaces;
 * label keys and values. */
bool sw_is_subdomain(const char *s);
bool sw_is_dns_label(const char *s);
bool sw_is_label_key(const char *s);
bool sw_is_label_value(const char *s);
bool sw_is_utf8(const char *bytes, size_t n); /* RFC 3629; a zero byte is fine */

void sw_random(void *bytes, size_t n);         /* OpenSSL RAND_bytes; aborts if it fails */
const char *sw_uuid(char buf[37]);             /* version 4 */
const char *sw_random_suffix(char buf[6]);     /* 5 of "bcdfghjklmnpqrstvwxz2456789", as generateName */
uint64_t sw_hash(const void *bytes, size_t n); /* FNV-1a 64: shapes and names, never security */
void sw_sha256_hex(const void *bytes, size_t n, char out[65]);

/* gives. Standard base64. */
char *sw_base64(const void *bytes, size_t n);
__attribute__((warn_unused_result)) struct sw_err sw_base64_decode(const char *s, size_t n, unsigned char **out,
								   size_t *len);

/* gives, or aborts when out of memory: for small fixed things at set-up. */
char *sw_strdup(const char *s); /* NULL stays NULL */
void *sw_calloc(size_t n, size_t size);
__attribute__((format(printf, 1, 2))) char *sw_asprintf(const char *fmt, ...);

/* Copies text into a fixed field, cut to fit (never inside a UTF-8 character). size > 0. */
static inline void sw_cut(char *to, size_t size, const char *from)
{
	size_t n = 0;
	while (n + 1 < size && from[n])
		n++;
	while (from[n] && n && ((unsigned char)from[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++)
		to[i] = from[i];
	to[n] = '\0';
}

/* Whole file, at most max bytes. gives, NUL-terminated. */
__attribute__((warn_unused_result)) struct sw_err sw_file_read(const char *path, size_t max, char **out, size_t *len);
/* Writes a new file beside, fsyncs, renames over. mode as for open(2). */
__attribute__((warn_unused_result)) struct sw_err sw_file_write(const char *path, const void *bytes, size_t n,
								int mode);
__attribute__((warn_unused_result)) struct sw_err sw_mkdirs(const char *path, int mode);
/* Another number once the file was changed or replaced; never 0. */
uint64_t sw_file_stamp(const char *path);

#endif
