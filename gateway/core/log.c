/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - one line, one write(2)
 *
 * The caller's format holds key=value fields. Before formatting, a mark is set
 * in front of every key, so that a value that looks like ` level=error` cannot
 * become a field of its own: only marks end a field, and a value that brings
 * its own marks makes the count wrong, which turns the whole into one "fields".
 */
#include "spillway/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "spillway/buf.h"
#include "spillway/text.h"
#include "utf8.h"

enum { LINE_MAX_BYTES = 4096, FMT_MAX = 640, NUMBER_MAX = 32, END_MAX = 24, MARK_TEXT = 0x1e, MARK_NUMBER = 0x1f };

static struct {
	enum sw_log_level least;
	bool json, colour;
	int fd;
} sink = {.least = SW_LOG_INFO, .fd = STDERR_FILENO};

static const struct {
	const char *name, *shown, *colour;
} levels[] = {
	[SW_LOG_DEBUG] = {"debug", "DEBUG", "\033[2m"},
	[SW_LOG_INFO] = {"info", "INFO ", "\033[32m"},
	[SW_LOG_WARN] = {"warn", "WARN ", "\033[33m"},
	[SW_LOG_ERROR] = {"error", "ERROR", "\033[31m"},
	[SW_LOG_OFF] = {"off", "OFF  ", ""},
};

void sw_log_setup(enum sw_log_level least, bool json, int fd)
{
	const char *no = getenv("NO_COLOR"); /* https://no-color.org */

	sink.least = least;
	sink.json = json;
	sink.fd = fd;
	sink.colour = !json && isatty(fd) == 1 && !(no && *no);
}

struct sw_err sw_log_level_parse(const char *s, enum sw_log_level *out)
{
	for (int i = SW_LOG_DEBUG; i <= SW_LOG_OFF; i++) {
		if (!strcmp(s, levels[i].name)) {
			*out = (enum sw_log_level)i;
			return SW_OK;
		}
	}
	return sw_err(SW_E_INVALID, "log level: found \"%.40s\", expected debug, info, warn, error or off", s);
}

bool sw_log_on(enum sw_log_level level)
{
	return level >= sink.least && level < SW_LOG_OFF;
}

/* ---- a line of bounded size ---------------------------------------------- */

struct line {
	char at[LINE_MAX_BYTES];
	size_t len, max; /* max leaves room for the end of the line */
	bool cut;
};

static void put(struct line *l, const char *bytes, size_t n)
{
	if (l->cut)
		return;
	if (n > l->max - l->len) {
		l->cut = true;
		return;
	}
	memcpy(l->at + l->len, bytes, n);
	l->len += n;
}

static void puts_line(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

static void put_char(struct line *l, const char *p, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char c = (unsigned char)*p;

	if (!len)
		puts_line(l, "\xEF\xBF\xBD");
	else if (c == '"' || c == '\\')
		put(l, (char[]){'\\', (char)c}, 2);
	else if (c == '\n')
		puts_line(l, "\\n");
	else if (c == '\t')
		puts_line(l, "\\t");
	else if (c < 0x20 || c == 0x7f)
		put(l, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
	else
		put(l, p, len);
}

/* Escaped as in JSON; whole characters only, so that a cut leaves valid text. */
static void put_escaped(struct line *l, const char *s, size_t n)
{
	for (size_t i = 0; i < n && !l->cut;) {
		size_t len = sw_utf8_len(s + i, n - i);

		put_char(l, s + i, len);
		i += len ? len : 1;
	}
}

/* The reserve of END_MAX bytes holds this, a quote and the end of the line. */
static void put_dots(struct line *l)
{
	if (l->cut) {
		memcpy(l->at + l->len, "...", 3);
		l->len += 3;
	}
}

static void put_quoted(struct line *l, const char *s, size_t n)
{
	put(l, "\"", 1);
	if (l->cut)
		return;
	put_escaped(l, s, n);
	put_dots(l);
	l->at[l->len++] = '"';
}

/* ---- fields -------------------------------------------------------------- */

static bool is_key_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

/* Length of "key=" at s, or 0. */
static size_t key_len(const char *s)
{
	size_t n = 0;

	if (!isalpha((unsigned char)*s))
		return 0;
	while (is_key_char(s[n]))
		n++;
	return s[n] == '=' ? n + 1 : 0;
}

/* True if the format after "key=" is one whole number conversion. */
static bool is_number_format(const char *s)
{
	if (*s++ != '%')
		return false;
	while (*s && strchr("0123456789.lhzjt", *s))
		s++;
	return *s && strchr("diufg", *s) && (s[1] == ' ' || s[1] == 0);
}

/* Copies fmt to out with a mark before every key. Returns the number of marks, or -1 if it is too long. */
static int mark_fields(const char *fmt, char *out, size_t size)
{
	size_t n = 0;
	bool quoted = false;
	int marks = 0;

	for (const char *p = fmt; *p; p++) {
		size_t key = (p == fmt || p[-1] == ' ') && !quoted ? key_len(p) : 0;

		if (n + key + 3 > size)
			return -1;
		if (key) {
			out[n++] = is_number_format(p + key) ? MARK_NUMBER : MARK_TEXT;
			memcpy(out + n, p, key);
			n += key;
			p += key - 1;
			marks++;
			continue;
		}
		quoted ^= *p == '"';
		out[n++] = *p;
	}
	out[n] = 0;
	return marks;
}

static bool is_mark(char c)
{
	return c == MARK_TEXT || c == MARK_NUMBER;
}

static int count_marks(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += is_mark(*s);
	return n;
}

static bool has_space_or_quote(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == '"' || s[i] == '=' || s[i] == 0x7f)
			return true;
	return n == 0;
}

static void put_value(struct line *l, const char *v, size_t n, bool number)
{
	bool bare;

	if (n >= 2 && v[0] == '"' && v[n - 1] == '"') { /* quotes of the format: ours are better escaped */
		v++;
		n -= 2;
		number = false;
	}
	number = number && n && n <= NUMBER_MAX &&
		 (isdigit((unsigned char)v[0]) || (v[0] == '-' && n > 1 && isdigit((unsigned char)v[1])));
	bare = sink.json ? number : !has_space_or_quote(v, n);
	if (!bare) {
		put_quoted(l, v, n);
		return;
	}
	put_escaped(l, v, n);
	put_dots(l);
}

static void put_field(struct line *l, const char *key, size_t nkey, const char *v, size_t n, bool number)
{
	if (l->cut || l->max - l->len < nkey + NUMBER_MAX + 8) { /* half a field would break the line's form */
		l->cut = true;
		return;
	}
	if (sink.json) {
		put(l, ",\"", 2);
		put(l, key, nkey);
		put(l, "\":", 2);
	} else {
		put(l, " ", 1);
		put(l, key, nkey);
		put(l, "=", 1);
	}
	put_value(l, v, n, number);
}

/* `text` is free text, then fields that each begin with a mark. */
static void put_fields(struct line *l, const char *text)
{
	size_t n = strcspn(text, "\x1e\x1f");
	size_t free_len = n;

	while (free_len && text[free_len - 1] == ' ')
		free_len--;
	if (free_len)
		put_field(l, "text", 4, text, free_len, false);
	for (text += n; *text && !l->cut; text += n) {
		bool number = *text == MARK_NUMBER;
		const char *eq = strchr(++text, '=');
		size_t len;

		n = strcspn(text, "\x1e\x1f");
		if (!eq || eq >= text + n) /* the text was cut inside a key */
			break;
		len = n - (size_t)(eq + 1 - text);
		if (len && text[n] && eq[len] == ' ')
			len--; /* the space before the next key */
		put_field(l, text, (size_t)(eq - text), eq + 1, len, number);
	}
}

/* ---- the line ------------------------------------------------------------ */

static void put_time(struct line *l)
{
	struct timespec ts;
	char buf[32], ms[8];

	clock_gettime(CLOCK_REALTIME, &ts);
	sw_time_text((int64_t)ts.tv_sec * 1000, buf);
	snprintf(ms, sizeof(ms), ".%03dZ", (int)(ts.tv_nsec / 1000000));
	put(l, buf, strlen(buf) - 1);
	puts_line(l, ms);
}

static void put_head(struct line *l, enum sw_log_level level, const char *room, const char *msg)
{
	if (sink.json) {
		puts_line(l, "{\"time\":\"");
		put_time(l);
		puts_line(l, "\",\"level\":\"");
		puts_line(l, levels[level].name);
		puts_line(l, "\",\"room\":");
		put_quoted(l, room, strlen(room));
		puts_line(l, ",\"msg\":");
		put_quoted(l, msg, strlen(msg));
		return;
	}
	put_time(l);
	puts_line(l, " ");
	puts_line(l, sink.colour ? levels[level].colour : "");
	puts_line(l, levels[level].shown);
	puts_line(l, sink.colour ? "\033[0m " : " ");
	puts_line(l, room);
	puts_line(l, ": ");
	put_escaped(l, msg, strlen(msg));
}

/* Says so if anything was left out. */
static void put_end(struct line *l)
{
	const char *end = l->cut ? " ...\n" : "\n";

	if (sink.json)
		end = l->cut ? ",\"cut\":true}\n" : "}\n";
	memcpy(l->at + l->len, end, strlen(end));
	l->len += strlen(end);
}

static void write_line(const struct line *l)
{
	ssize_t n;

	do
		n = write(sink.fd, l->at, l->len);
	while (n < 0 && errno == EINTR);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the marked copy of a checked format */
static int format_fields(char *out, size_t size, const char *fmt, va_list ap)
{
	char marked[FMT_MAX];
	int marks = mark_fields(fmt, marked, sizeof(marked));

	vsnprintf(out, size, marks < 0 ? fmt : marked, ap);
	return marks;
}
#pragma GCC diagnostic pop

void sw_log_line(enum sw_log_level level, const char *room, const char *msg, const char *fmt, ...)
{
	struct line l = {.max = LINE_MAX_BYTES - END_MAX};
	char text[LINE_MAX_BYTES];
	va_list ap;
	int marks;

	if (!sw_log_on(level))
		return;
	va_start(ap, fmt);
	marks = format_fields(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_head(&l, level, room, msg);
	if (marks >= 0 && count_marks(text) <= marks)
		put_fields(&l, text);
	else if (*text)
		put_field(&l, "fields", 6, text, strlen(text), false);
	put_end(&l);
	write_line(&l);
}

const char *sw_log_secret(const char *secret, char buf[16])
{
	char hex[65];

	if (!secret || !*secret) {
		sw_cut(buf, 16, "none");
		return buf;
	}
	sw_sha256_hex(secret, strlen(secret), hex);
	snprintf(buf, 16, "sha256:%.8s", hex);
	return buf;
}
