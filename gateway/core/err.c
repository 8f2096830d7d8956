/* SPDX-License-Identifier: Apache-2.0 */
/* err.c - errors by value, the HTTP mapping, and "did you mean" */
#include "spillway/err.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	enum sw_retry retry;
} codes[] = {
#define X(id, retry_, name_) [SW_E_##id] = {.name = name_, .retry = SW_RETRY_##retry_},
	SW_ERR_MAP(X)
#undef X
};
_Static_assert(sizeof(codes) / sizeof(codes[0]) == SW_E__COUNT, "every code has a row");

/* A text that did not fit ends in "...", never in half a UTF-8 character. */
static void text_cut(char *text, size_t size, int wanted)
{
	size_t at = size - 4;

	if (wanted >= 0 && (size_t)wanted < size)
		return;
	while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80)
		at--;
	memcpy(text + at, "...", 4);
}

struct sw_err sw_err(enum sw_code code, const char *fmt, ...)
{
	struct sw_err e = {.code = code};
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	text_cut(e.text, sizeof(e.text), n);
	return e;
}

struct sw_err sw_err_wrap(struct sw_err e, const char *fmt, ...)
{
	struct sw_err out = {.code = e.code};
	va_list ap;
	size_t len;
	int n;

	if (!sw_failed(e))
		return e;
	va_start(ap, fmt);
	n = vsnprintf(out.text, sizeof(out.text), fmt, ap);
	va_end(ap);
	text_cut(out.text, sizeof(out.text), n);
	len = strlen(out.text);
	n = snprintf(out.text + len, sizeof(out.text) - len, ": %s", e.text);
	if (n >= 0 && (size_t)n >= sizeof(out.text) - len)
		text_cut(out.text, sizeof(out.text), sizeof(out.text));
	return out;
}

static const struct {
	long status;
	enum sw_code code;
} http_codes[] = {
	{400, SW_E_INVALID},     {401, SW_E_AUTH},        {403, SW_E_FORBIDDEN},   {404, SW_E_MISSING},
	{405, SW_E_UNSUPPORTED}, {406, SW_E_UNSUPPORTED}, {408, SW_E_TIMEOUT},     {409, SW_E_CONFLICT},
	{410, SW_E_GONE},        {413, SW_E_TOOBIG},      {415, SW_E_UNSUPPORTED}, {422, SW_E_INVALID},
	{429, SW_E_BUSY},        {504, SW_E_TIMEOUT},
};

static enum sw_code http_code(long status, const char *reason)
{
	if (status == 409 && reason && !strcmp(reason, "AlreadyExists"))
		return SW_E_EXISTS;
	for (size_t i = 0; i < sizeof(http_codes) / sizeof(http_codes[0]); i++)
		if (http_codes[i].status == status)
			return http_codes[i].code;
	if (status >= 500 && status <= 599)
		return SW_E_BUSY;
	if (status >= 400 && status <= 499)
		return SW_E_INVALID;
	if (status >= 100 && status <= 399)
		return SW_E_UNSUPPORTED;
	return SW_E_NET;
}

struct sw_err sw_err_http(long status, const char *reason, const char *message)
{
	if (status >= 200 && status <= 299)
		return SW_OK;
	return sw_err(http_code(status, reason), "HTTP %ld%s%s%s%s", status, reason && *reason ? " " : "",
		      reason ? reason : "", message && *message ? ": " : "", message ? message : "");
}

enum sw_retry sw_err_retry(enum sw_code code)
{
	return (unsigned)code < SW_E__COUNT ? codes[code].retry : SW_RETRY_NONE;
}

const char *sw_code_name(enum sw_code code)
{
	return (unsigned)code < SW_E__COUNT ? codes[code].name : "?";
}

void sw_require_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "spillway: bug at %s:%d: %s does not hold. Please report it with this line.\n", file, line,
		cond);
	abort();
}

/* ---- nearest name ------------------------------------------------------- */

enum { NEAR_MAX = 64 };

static int min2(int a, int b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b, case ignored. */
static int edits(const char *a, int na, const char *b, int nb)
{
	int rows[3][NEAR_MAX + 1];
	int *before = rows[0], *last = rows[1], *row = rows[2], *spare;

	for (int j = 0; j <= nb; j++) {
		last[j] = j;
		before[j] = 0;
	}
	for (int i = 1; i <= na; i++) {
		int ca = tolower((unsigned char)a[i - 1]);

		row[0] = i;
		for (int j = 1; j <= nb; j++) {
			int cb = tolower((unsigned char)b[j - 1]);

			row[j] = min2(min2(last[j], row[j - 1]) + 1, last[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
			    cb == tolower((unsigned char)a[i - 2]))
				row[j] = min2(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[nb];
}

const char *sw_nearest(const char *found, const char *const *names, int n)
{
	size_t len = found ? strlen(found) : 0;
	const char *best = NULL;
	int best_edits;

	if (len == 0 || len > NEAR_MAX)
		return NULL;
	/* One edit in three characters: "hw" suggests nothing, "replcias" suggests "replicas". */
	best_edits = (int)(len < 3 ? 1 : (len + 2) / 3) + 1;
	for (int i = 0; i < n; i++) {
		size_t other = names[i] ? strlen(names[i]) : 0;
		int d;

		if (other == 0 || other > NEAR_MAX)
			continue;
		d = edits(found, (int)len, names[i], (int)other);
		if (d < best_edits && d < (int)len && d < (int)other) {
			best = names[i];
			best_edits = d;
		}
	}
	return best;
}
