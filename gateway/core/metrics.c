/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c - the registry and its Prometheus text
 *
 * A series is found by its label values, each followed by a NUL, in a hash per
 * metric. Values are made valid UTF-8 and cut to VALUE_MAX when the key is built.
 */
#include "spillway/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "spillway/text.h"
#include "utf8.h"

enum { SERIES_MAX = 10000, VALUE_MAX = 128, KEY_MAX = SW_METRIC_LABELS * (VALUE_MAX + 1) };

/* Seconds: from a loop turn to a node pool that grows. */
static const double bounds[] = {.0005, .001, .0025, .005, .01, .025, .05, .1,  .25, .5,
				1,     2.5,  5,     10,   30,  60,   300, 900, 3600};
enum { BOUNDS = sizeof(bounds) / sizeof(bounds[0]) };

struct series {
	UT_hash_handle hh;
	double value; /* a histogram's sum */
	uint64_t count, *buckets;
	size_t key_len;
	char key[];
};

struct sw_metric {
	UT_hash_handle hh;
	enum sw_metric_type type;
	char *name, *help, *labels[SW_METRIC_LABELS];
	int n_labels;
	struct series *series;
};

struct sw_metrics {
	struct sw_metric *all; /* in the order they were made */
};

struct sw_err sw_metrics_new(struct sw_metrics **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? SW_OK : sw_err(SW_E_NOMEM, "metrics: out of memory");
}

static void metric_free(struct sw_metric *m)
{
	struct series *s, *next;

	HASH_ITER(hh, m->series, s, next)
	{
		HASH_DEL(m->series, s);
		free(s->buckets);
		free(s);
	}
	for (int i = 0; i < m->n_labels; i++)
		free(m->labels[i]);
	free(m->name);
	free(m->help);
	free(m);
}

void sw_metrics_free(struct sw_metrics *reg)
{
	struct sw_metric *m, *next;

	if (!reg)
		return;
	HASH_ITER(hh, reg->all, m, next)
	{
		HASH_DEL(reg->all, m);
		metric_free(m);
	}
	free(reg);
}

/* ---- series ---------------------------------------------------------------- */

static struct series *series_new(struct sw_metric *m, const char *key, size_t len)
{
	struct series *s = sw_calloc(1, sizeof(*s) + len + 1);

	memcpy(s->key, key, len);
	s->key_len = len;
	if (m->type == SW_HISTOGRAM)
		s->buckets = sw_calloc(BOUNDS, sizeof(*s->buckets));
	HASH_ADD_KEYPTR(hh, m->series, s->key, len, s);
	return s;
}

static size_t value_put(char *out, const char *value)
{
	size_t n = 0;

	while (value && *value) {
		size_t len = sw_utf8_len(value, strnlen(value, 4));
		const char *from = len ? value : "\xEF\xBF\xBD";
		size_t wide = len ? len : 3;

		if (n + wide > VALUE_MAX)
			break;
		memcpy(out + n, from, wide);
		n += wide;
		value += len ? len : 1;
	}
	out[n] = 0;
	return n + 1;
}

static struct series *series_find(struct sw_metric *m, va_list ap, bool make)
{
	struct series *s = NULL;
	char key[KEY_MAX];
	size_t len = 0;

	for (int i = 0; i < m->n_labels; i++)
		len += value_put(key + len, va_arg(ap, const char *));
	HASH_FIND(hh, m->series, key, len, s);
	if (s || !make)
		return s;
	if (HASH_COUNT(m->series) >= SERIES_MAX) {
		len = 0;
		for (int i = 0; i < m->n_labels; i++)
			len += value_put(key + len, "other");
		HASH_FIND(hh, m->series, key, len, s);
	}
	return s ? s : series_new(m, key, len);
}

/* ---- metrics --------------------------------------------------------------- */

static void labels_split(struct sw_metric *m, const char *names)
{
	while (*names) {
		size_t n = strcspn(names, ",");

		SW_REQUIRE(n > 0 && m->n_labels < SW_METRIC_LABELS);
		m->labels[m->n_labels++] = sw_asprintf("%.*s", (int)n, names);
		names += n + (names[n] == ',');
	}
}

struct sw_metric *sw_metric(struct sw_metrics *reg, enum sw_metric_type type, const char *name, const char *help,
			    const char *label_names)
{
	struct sw_metric *m;

	if (!reg)
		return NULL;
	HASH_FIND_STR(reg->all, name, m);
	if (m) {
		SW_REQUIRE(m->type == type);
		return m;
	}
	m = sw_calloc(1, sizeof(*m));
	m->type = type;
	m->name = sw_strdup(name);
	m->help = sw_strdup(help);
	labels_split(m, label_names);
	HASH_ADD_KEYPTR(hh, reg->all, m->name, strlen(m->name), m);
	if (m->n_labels == 0) /* shown as 0 from the start, so that a rate has a first point */
		series_new(m, "", 0);
	return m;
}

void sw_metric_add(struct sw_metric *m, double by, ...)
{
	va_list ap;

	if (!m)
		return;
	SW_REQUIRE(m->type != SW_HISTOGRAM && (m->type == SW_GAUGE || by >= 0));
	va_start(ap, by);
	series_find(m, ap, true)->value += by;
	va_end(ap);
}

void sw_metric_set(struct sw_metric *m, double value, ...)
{
	va_list ap;

	if (!m)
		return;
	SW_REQUIRE(m->type == SW_GAUGE);
	va_start(ap, value);
	series_find(m, ap, true)->value = value;
	va_end(ap);
}

void sw_metric_observe(struct sw_metric *m, double value, ...)
{
	struct series *s;
	va_list ap;

	if (!m)
		return;
	SW_REQUIRE(m->type == SW_HISTOGRAM);
	va_start(ap, value);
	s = series_find(m, ap, true);
	va_end(ap);
	s->count++;
	s->value += value;
	for (int i = 0; i < BOUNDS; i++) {
		if (value <= bounds[i]) {
			s->buckets[i]++;
			break;
		}
	}
}

void sw_metric_forget(struct sw_metric *m, ...)
{
	struct series *s;
	va_list ap;

	if (!m)
		return;
	va_start(ap, m);
	s = series_find(m, ap, false);
	va_end(ap);
	if (!s)
		return;
	HASH_DEL(m->series, s);
	free(s->buckets);
	free(s);
}

double sw_metric_get(struct sw_metric *m, ...)
{
	struct series *s;
	va_list ap;

	if (!m)
		return 0;
	va_start(ap, m);
	s = series_find(m, ap, false);
	va_end(ap);
	if (!s)
		return 0;
	return m->type == SW_HISTOGRAM ? (double)s->count : s->value;
}

/* ---- text ------------------------------------------------------------------ */

static void put_escaped(struct sw_buf *b, const char *s, bool quotes)
{
	for (; *s; s++) {
		if (*s == '\n')
			sw_buf_puts(b, "\\n");
		else if (*s == '\\' || (quotes && *s == '"'))
			sw_buf_put(b, (char[]){'\\', *s}, 2);
		else
			sw_buf_putc(b, *s);
	}
}

static void put_number(struct sw_buf *b, double v)
{
	if (isnan(v))
		sw_buf_puts(b, "NaN");
	else if (isinf(v))
		sw_buf_puts(b, v > 0 ? "+Inf" : "-Inf");
	else if (fabs(v) < 1e15 && v == floor(v))
		sw_buf_printf(b, "%" PRId64, (int64_t)v);
	else
		sw_buf_printf(b, "%.15g", v);
}

/* name{label="value",...} with one more label if le is given */
static void put_name(struct sw_buf *b, const struct sw_metric *m, const struct series *s, const char *suffix,
		     const char *le)
{
	const char *value = s->key;
	char before = '{';

	sw_buf_puts(b, m->name);
	sw_buf_puts(b, suffix);
	for (int i = 0; i < m->n_labels; i++) {
		sw_buf_printf(b, "%c%s=\"", before, m->labels[i]);
		put_escaped(b, value, true);
		sw_buf_putc(b, '"');
		value += strlen(value) + 1;
		before = ',';
	}
	if (le) {
		sw_buf_printf(b, "%cle=\"%s\"", before, le);
		before = ',';
	}
	sw_buf_puts(b, before == '{' ? " " : "} ");
}

static void put_histogram(struct sw_buf *b, const struct sw_metric *m, const struct series *s)
{
	uint64_t below = 0;
	char le[32];

	for (int i = 0; i < BOUNDS; i++) {
		below += s->buckets[i];
		snprintf(le, sizeof(le), "%g", bounds[i]);
		put_name(b, m, s, "_bucket", le);
		sw_buf_printf(b, "%" PRIu64 "\n", below);
	}
	put_name(b, m, s, "_bucket", "+Inf");
	sw_buf_printf(b, "%" PRIu64 "\n", s->count);
	put_name(b, m, s, "_sum", NULL);
	put_number(b, s->value);
	sw_buf_putc(b, '\n');
	put_name(b, m, s, "_count", NULL);
	sw_buf_printf(b, "%" PRIu64 "\n", s->count);
}

static void put_metric(struct sw_buf *b, const struct sw_metric *m)
{
	static const char *const types[] = {
		[SW_COUNTER] = "counter", [SW_GAUGE] = "gauge", [SW_HISTOGRAM] = "histogram"};

	sw_buf_printf(b, "# HELP %s ", m->name);
	put_escaped(b, m->help, false);
	sw_buf_printf(b, "\n# TYPE %s %s\n", m->name, types[m->type]);
	for (const struct series *s = m->series; s; s = s->hh.next) {
		if (m->type == SW_HISTOGRAM) {
			put_histogram(b, m, s);
			continue;
		}
		put_name(b, m, s, "", NULL);
		put_number(b, s->value);
		sw_buf_putc(b, '\n');
	}
}

void sw_metrics_text(struct sw_metrics *reg, struct sw_buf *out)
{
	if (!reg)
		return;
	for (const struct sw_metric *m = reg->all; m; m = m->hh.next)
		put_metric(out, m);
}
