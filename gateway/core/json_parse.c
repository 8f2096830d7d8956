/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_parse.c - JSON text (RFC 8259, nothing more) into json-c objects
 *
 * json-c's own tokener accepts NaN, clamps large integers, cuts keys at \u0000
 * and drops duplicate keys without a word. This reader refuses or reports all of
 * these, says line and column, and is faster, since it sees the whole text.
 *
 * Recursion is bounded by SW_JSON_DEPTH. Lone surrogates become U+FFFD, as in
 * the API server (Go's encoding/json). \u0000 is refused: C code behind us would
 * see half of the string.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/json.h"
#include "utf8.h"

enum { DUPS_MAX = 8, NUMBER_MAX = 512 };

/* Where a value stands, linked from the innermost up; lives on the C stack. */
struct step {
	const struct step *up;
	const char *key; /* as written, without quotes; NULL in an array */
	size_t len;      /* of key, or the index */
};

struct parser {
	const char *begin, *at, *end;
	struct sw_buf scratch; /* the unescaped string being read */
	struct sw_buf *dups;   /* NULL: nobody asked */
	int dup_count, depth;
	bool lean; /* metadata.managedFields is checked and left out */
	struct sw_err err;
};

static json_t *value_read(struct parser *p, const struct step *up, bool *ok);

/* ---- errors --------------------------------------------------------------- */

/* Column in characters, from 1. */
static struct sw_err where(const struct parser *p, const char *at, const char *found, const char *expected)
{
	size_t line = 1, column = 1;

	for (const char *s = p->begin; s < at; s++) {
		if (*s == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)*s & 0xC0) != 0x80) {
			column++;
		}
	}
	return sw_err(SW_E_INVALID, "JSON line %zu, column %zu (byte %zu): found %s, expected %s", line, column,
		      (size_t)(at - p->begin) + 1, found, expected);
}

static bool fail_at(struct parser *p, const char *at, const char *found, const char *expected)
{
	if (!sw_failed(p->err))
		p->err = where(p, at, found, expected);
	return false;
}

static bool fail(struct parser *p, const char *expected)
{
	unsigned char c = p->at < p->end ? (unsigned char)*p->at : 0;
	char found[32];

	if (p->at >= p->end)
		return fail_at(p, p->end, "the end of the text", expected);
	if (c == 0xEF && p->at == p->begin)
		snprintf(found, sizeof(found), "a byte order mark");
	else if (c > ' ' && c < 0x7f)
		snprintf(found, sizeof(found), "'%c'", c);
	else
		snprintf(found, sizeof(found), "byte 0x%02x", c);
	return fail_at(p, p->at, found, expected);
}

static bool no_memory(struct parser *p)
{
	if (!sw_failed(p->err))
		p->err = sw_err(SW_E_NOMEM, "JSON: out of memory at byte %zu", (size_t)(p->at - p->begin) + 1);
	return false;
}

/* ---- duplicate keys -------------------------------------------------------- */

static void path_put(struct sw_buf *b, const struct step *s)
{
	if (!s)
		return;
	path_put(b, s->up);
	if (!s->key) {
		sw_buf_printf(b, "[%zu]", s->len);
		return;
	}
	if (s->up)
		sw_buf_putc(b, '.');
	sw_buf_put(b, s->key, s->len);
}

static void dup_note(struct parser *p, const struct step *s)
{
	if (!p->dups || p->dup_count++ >= DUPS_MAX)
		return;
	if (p->dups->len)
		sw_buf_puts(p->dups, ", ");
	path_put(p->dups, s);
}

/* ---- strings ---------------------------------------------------------------- */

static int hex4(const char *s, const char *end)
{
	int v = 0;

	if (end - s < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = s[i];

		if (!isxdigit((unsigned char)c))
			return -1;
		v = v * 16 + (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
	}
	return v;
}

static void put_rune(struct sw_buf *b, unsigned r)
{
	char t[4];
	size_t n = 0;

	if (r < 0x80) {
		t[n++] = (char)r;
	} else if (r < 0x800) {
		t[n++] = (char)(0xC0 | r >> 6);
	} else if (r < 0x10000) {
		t[n++] = (char)(0xE0 | r >> 12);
		t[n++] = (char)(0x80 | (r >> 6 & 63));
	} else {
		t[n++] = (char)(0xF0 | r >> 18);
		t[n++] = (char)(0x80 | (r >> 12 & 63));
		t[n++] = (char)(0x80 | (r >> 6 & 63));
	}
	if (r >= 0x80)
		t[n++] = (char)(0x80 | (r & 63));
	sw_buf_put(b, t, n);
}

/* p->at is behind "\u" */
static bool unicode_read(struct parser *p)
{
	int r = hex4(p->at, p->end), low;

	if (r < 0)
		return fail(p, "four hexadecimal digits after \\u");
	if (r == 0)
		return fail_at(p, p->at - 2, "\\u0000", "a string without a NUL character");
	p->at += 4;
	if (r >= 0xD800 && r <= 0xDBFF && p->end - p->at >= 6 && p->at[0] == '\\' && p->at[1] == 'u') {
		low = hex4(p->at + 2, p->end);
		if (low >= 0xDC00 && low <= 0xDFFF) {
			p->at += 6;
			r = 0x10000 + ((r - 0xD800) << 10) + (low - 0xDC00);
		}
	}
	put_rune(&p->scratch, r >= 0xD800 && r <= 0xDFFF ? 0xFFFD : (unsigned)r);
	return true;
}

/* p->at is on the backslash */
static bool escape_read(struct parser *p)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	char c;

	if (++p->at >= p->end)
		return fail(p, "an escape sequence");
	c = *p->at;
	if (c == 'u') {
		p->at++;
		return unicode_read(p);
	}
	at = c ? strchr(from, c) : NULL;
	if (!at)
		return fail(p, "one of \" \\ / b f n r t u after a backslash");
	p->at++;
	sw_buf_putc(&p->scratch, to[at - from]);
	return true;
}

/* Up to the quote, the next backslash or something that may not stand in a string. */
static bool plain_read(struct parser *p)
{
	while ((p->at += sw_plain_len(p->at, (size_t)(p->end - p->at))) < p->end) {
		unsigned char c = (unsigned char)*p->at;
		size_t n;

		if (c == '"' || c == '\\')
			return true;
		if (c < 0x20)
			return fail(p, "control characters in strings written as \\n, \\t or \\u00XX");
		n = sw_utf8_len(p->at, (size_t)(p->end - p->at));
		if (!n)
			return fail(p, "valid UTF-8");
		p->at += n;
	}
	return fail(p, "a closing quote");
}

/* p->at is behind the opening quote. The string is lent: in the text itself, or in scratch. */
static bool string_read(struct parser *p, const char **s, size_t *len)
{
	const char *from = p->at;

	if (!plain_read(p))
		return false;
	if (*p->at == '"') {
		*s = from;
		*len = (size_t)(p->at++ - from);
		return true;
	}
	sw_buf_reset(&p->scratch);
	for (;;) {
		sw_buf_put(&p->scratch, from, (size_t)(p->at - from));
		if (*p->at == '"')
			break;
		if (!escape_read(p))
			return false;
		from = p->at;
		if (!plain_read(p))
			return false;
	}
	p->at++;
	*s = p->scratch.at;
	*len = p->scratch.len;
	return sw_buf_ok(&p->scratch) || no_memory(p);
}

/* ---- numbers ---------------------------------------------------------------- */

static size_t skip_digits(struct parser *p)
{
	const char *from = p->at;

	while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
		p->at++;
	return (size_t)(p->at - from);
}

/* Walks over one number by the grammar; *whole is true if it has neither point nor exponent. */
static bool number_scan(struct parser *p, bool *whole)
{
	const char *first;

	*whole = true;
	if (*p->at == '-')
		p->at++;
	first = p->at;
	if (!skip_digits(p))
		return fail(p, "a digit");
	if (*first == '0' && p->at - first > 1)
		return fail_at(p, first, "a leading zero", "a number without one");
	if (p->at < p->end && *p->at == '.') {
		*whole = false;
		p->at++;
		if (!skip_digits(p))
			return fail(p, "a digit after the decimal point");
	}
	if (p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
		*whole = false;
		p->at++;
		if (p->at < p->end && (*p->at == '+' || *p->at == '-'))
			p->at++;
		if (!skip_digits(p))
			return fail(p, "a digit in the exponent");
	}
	return true;
}

static json_t *whole_new(const char *text)
{
	json_t *o = NULL;

	errno = 0;
	if (*text == '-') {
		long long v = strtoll(text, NULL, 10);

		o = errno ? NULL : json_object_new_int64(v);
	} else {
		unsigned long long v = strtoull(text, NULL, 10);

		if (!errno)
			o = v <= INT64_MAX ? json_object_new_int64((int64_t)v) : json_object_new_uint64(v);
	}
	return o;
}

static json_t *number_read(struct parser *p)
{
	const char *from = p->at;
	char text[NUMBER_MAX];
	json_t *o = NULL;
	bool whole;
	double d;
	size_t n;

	if (!number_scan(p, &whole))
		return NULL;
	n = (size_t)(p->at - from);
	if (n >= sizeof(text)) {
		fail_at(p, from, "a number of over 500 characters", "a shorter one");
		return NULL;
	}
	memcpy(text, from, n);
	text[n] = 0;
	errno = 0;
	if (whole) {
		o = whole_new(text);
	} else {
		d = strtod(text, NULL);
		if (isfinite(d))
			o = json_object_new_double_s(d, text); /* keeps the text as it was written */
	}
	if (o)
		return o;
	if (errno == ENOMEM)
		no_memory(p);
	else
		fail_at(p, from, "a number that does not fit in 64 bits", "a smaller one");
	return NULL;
}

/* ---- values ----------------------------------------------------------------- */

static void skip_space(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
		p->at++;
}

static bool take(struct parser *p, char c)
{
	if (p->at >= p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

static bool word_take(struct parser *p, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
		return false;
	p->at += n;
	return true;
}

static json_t *boolean_read(struct parser *p)
{
	if (word_take(p, "true"))
		return json_object_new_boolean(true);
	if (word_take(p, "false"))
		return json_object_new_boolean(false);
	fail(p, "a JSON value");
	return NULL;
}

static json_t *string_value(struct parser *p)
{
	const char *s;
	size_t len;
	json_t *o;

	p->at++;
	if (!string_read(p, &s, &len))
		return NULL;
	if (len > INT32_MAX / 2) {
		fail_at(p, p->at, "a string over 1 GiB", "a shorter one");
		return NULL;
	}
	o = json_object_new_string_len(s, (int)len);
	if (!o)
		no_memory(p);
	return o;
}

/* The key as a C string: unescaped into scratch, NUL-terminated. */
static const char *key_read(struct parser *p, struct step *step)
{
	const char *s;
	size_t len;

	skip_space(p);
	if (!take(p, '"')) {
		fail(p, "a key in double quotes");
		return NULL;
	}
	step->key = p->at;
	if (!string_read(p, &s, &len))
		return NULL;
	step->len = (size_t)(p->at - 1 - step->key);
	if (s != p->scratch.at) {
		sw_buf_reset(&p->scratch);
		sw_buf_put(&p->scratch, s, len);
		if (!sw_buf_ok(&p->scratch)) {
			no_memory(p);
			return NULL;
		}
	}
	return p->scratch.at;
}

/* ---- what is left out ---------------------------------------------------------- */

static bool value_skip(struct parser *p);

static bool key_skip(struct parser *p)
{
	const char *s;
	size_t len;

	skip_space(p);
	if (!take(p, '"'))
		return fail(p, "a key in double quotes");
	if (!string_read(p, &s, &len))
		return false;
	skip_space(p);
	return take(p, ':') || fail(p, "':' after the key");
}

static bool container_skip(struct parser *p)
{
	bool is_object = *p->at == '{';
	char end = is_object ? '}' : ']';

	if (p->depth >= SW_JSON_DEPTH)
		return fail_at(p, p->at, "nesting deeper than 64 levels", "a flatter document");
	p->depth++;
	p->at++;
	skip_space(p);
	if (!take(p, end)) {
		do {
			if ((is_object && !key_skip(p)) || !value_skip(p))
				return false;
			skip_space(p);
		} while (take(p, ','));
		if (!take(p, end))
			return fail(p, is_object ? "',' or '}' after a member" : "',' or ']' after an element");
	}
	p->depth--;
	return true;
}

/* By the same grammar as value_read(), without making anything. */
static bool value_skip(struct parser *p)
{
	const char *s;
	size_t len;
	bool whole;
	char c;

	skip_space(p);
	c = p->at < p->end ? *p->at : 0;
	if (c == '{' || c == '[')
		return container_skip(p);
	if (c == '"') {
		p->at++;
		return string_read(p, &s, &len);
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		return number_scan(p, &whole);
	return word_take(p, "null") || word_take(p, "true") || word_take(p, "false") || fail(p, "a JSON value");
}

static bool step_is(const struct step *s, const char *key)
{
	return s && s->key && s->len == strlen(key) && memcmp(s->key, key, s->len) == 0;
}

static bool is_left_out(const struct parser *p, const struct step *s)
{
	return p->lean && step_is(s, "managedFields") && step_is(s->up, "metadata");
}

/* ---- containers ------------------------------------------------------------------ */

/* Long keys are rare; short ones are kept on the stack while the value is read over the scratch buffer. */
static bool member_read(struct parser *p, json_t *o, const struct step *up)
{
	struct step step = {.up = up};
	char small[128], *key = small;
	const char *lent = key_read(p, &step);
	int before = json_object_object_length(o);
	json_t *v = NULL;
	bool ok = lent != NULL;

	if (!ok)
		return false;
	if (p->scratch.len >= sizeof(small))
		key = malloc(p->scratch.len + 1);
	if (!key)
		return no_memory(p);
	memcpy(key, lent, p->scratch.len + 1);
	skip_space(p);
	ok = take(p, ':') || fail(p, "':' after the key");
	if (ok && is_left_out(p, &step)) {
		ok = value_skip(p);
	} else if (ok) {
		v = value_read(p, &step, &ok);
		if (ok && json_object_object_add(o, key, v)) {
			json_object_put(v);
			ok = no_memory(p);
		}
		if (ok && json_object_object_length(o) == before)
			dup_note(p, &step);
	}
	if (key != small)
		free(key);
	return ok;
}

static bool object_fill(struct parser *p, json_t *o, const struct step *up)
{
	p->at++;
	skip_space(p);
	if (take(p, '}'))
		return true;
	for (;;) {
		if (!member_read(p, o, up))
			return false;
		skip_space(p);
		if (take(p, '}'))
			return true;
		if (!take(p, ','))
			return fail(p, "',' or '}' after a member");
	}
}

static bool array_fill(struct parser *p, json_t *o, const struct step *up)
{
	struct step step = {.up = up};

	p->at++;
	skip_space(p);
	if (take(p, ']'))
		return true;
	for (;; step.len++) {
		bool ok;
		json_t *v = value_read(p, &step, &ok);

		if (!ok)
			return false;
		if (json_object_array_add(o, v)) {
			json_object_put(v);
			return no_memory(p);
		}
		skip_space(p);
		if (take(p, ']'))
			return true;
		if (!take(p, ','))
			return fail(p, "',' or ']' after an element");
	}
}

static json_t *container_read(struct parser *p, const struct step *up)
{
	bool is_object = *p->at == '{', ok;
	json_t *o;

	if (p->depth >= SW_JSON_DEPTH) {
		fail_at(p, p->at, "nesting deeper than 64 levels", "a flatter document");
		return NULL;
	}
	o = is_object ? json_object_new_object() : json_object_new_array_ext(4);
	if (!o) {
		no_memory(p);
		return NULL;
	}
	p->depth++;
	ok = is_object ? object_fill(p, o, up) : array_fill(p, o, up);
	p->depth--;
	if (ok)
		return o;
	json_object_put(o);
	return NULL;
}

/* JSON null is a NULL object in json-c, so success is told apart in *ok. */
static json_t *value_read(struct parser *p, const struct step *up, bool *ok)
{
	json_t *o = NULL;
	char c;

	skip_space(p);
	c = p->at < p->end ? *p->at : 0;
	if (c == '{' || c == '[')
		o = container_read(p, up);
	else if (c == '"')
		o = string_value(p);
	else if (c == '-' || (c >= '0' && c <= '9'))
		o = number_read(p);
	else if (word_take(p, "null"))
		return *ok = true, NULL;
	else
		o = boolean_read(p);
	if (!o && !sw_failed(p->err))
		no_memory(p);
	*ok = o != NULL;
	return o;
}

static struct sw_err parse(const char *bytes, size_t len, json_t **out, struct sw_buf *dups, bool lean)
{
	struct parser p = {.begin = bytes, .at = bytes, .end = bytes + len, .dups = dups, .lean = lean};
	bool ok;
	json_t *o;

	*out = NULL;
	sw_buf_init(&p.scratch, len + 1);
	o = value_read(&p, NULL, &ok);
	skip_space(&p);
	if (ok && p.at < p.end)
		ok = fail(&p, "nothing after the JSON value");
	sw_buf_fini(&p.scratch);
	if (ok)
		*out = o;
	else
		json_object_put(o);
	return p.err;
}

struct sw_err sw_json_parse(const char *bytes, size_t len, json_t **out)
{
	return parse(bytes, len, out, NULL, false);
}

struct sw_err sw_json_parse_lean(const char *bytes, size_t len, json_t **out)
{
	return parse(bytes, len, out, NULL, true);
}

struct sw_err sw_json_parse_dups(const char *bytes, size_t len, json_t **out, char *dups, size_t dups_size)
{
	struct sw_buf b;
	struct sw_err e;

	SW_REQUIRE(dups_size > 0);
	sw_buf_init(&b, 64 * 1024);
	e = parse(bytes, len, out, &b, false);
	snprintf(dups, dups_size, "%s", b.at && !sw_failed(e) ? b.at : "");
	sw_buf_fini(&b);
	return e;
}
