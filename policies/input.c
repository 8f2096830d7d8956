/* SPDX-License-Identifier: Apache-2.0 */
/* input.c - writes what a policy is asked as JSON */
#include "input_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/buf.h"
#include "spillway/text.h"

/* ---- writing ------------------------------------------------------------------------ */

/*
 * A decision has two thousand members: each is written in one piece, into room made once, and printf is asked for the
 * rare number only that is no decimal with six digits behind the point.
 */
enum { NUMBER_ROOM = 40 };

static char *text_int(char *to, int64_t v)
{
	char digits[24], *at = digits + sizeof digits;
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	do
		*--at = (char)('0' + u % 10);
	while (u /= 10);
	if (v < 0)
		*--at = '-';
	size_t n = (size_t)(digits + sizeof digits - at);
	memcpy(to, at, n);
	return to + n;
}

/* units of 10^-digits, as a decimal */
static char *text_decimal(char *to, int64_t units, int digits)
{
	int64_t one = 1;
	for (int i = 0; i < digits; i++)
		one *= 10;
	if (units < 0)
		*to++ = '-';
	uint64_t u = units < 0 ? -(uint64_t)units : (uint64_t)units, rest = u % (uint64_t)one;
	to = text_int(to, (int64_t)(u / (uint64_t)one));
	if (!rest)
		return to;
	*to = '.';
	for (int i = digits; i > 0; i--, rest /= 10)
		to[i] = (char)('0' + rest % 10);
	to += digits + 1;
	while (to[-1] == '0')
		to--;
	return to;
}

static char *text_num(char *to, double v)
{
	static const struct {
		double one;
		int digits;
	} scales[] = {{1e3, 3}, {1e6, 6}};
	if (fabs(v) < 1e15 && v == (double)(int64_t)v)
		return text_int(to, (int64_t)v);
	/* A quotient of two whole numbers that doubles hold is rounded as a reader rounds the decimal: if it is v, the
	 * decimal reads as v. */
	for (size_t i = 0; i < COUNT(scales) && fabs(v) < 1e9; i++) {
		int64_t units = llround(v * scales[i].one);
		if ((double)units / scales[i].one == v)
			return text_decimal(to, units, scales[i].digits);
	}
	return to + snprintf(to, NUMBER_ROOM, "%.17g", v);
}

static void put_num(struct sw_buf *b, double v)
{
	char *to = sw_buf_room(b, NUMBER_ROOM);
	if (to)
		sw_buf_grew(b, (size_t)(text_num(to, v) - to));
}

static void put_seconds(struct sw_buf *b, int64_t ms)
{
	char *to = sw_buf_room(b, NUMBER_ROOM);
	if (to)
		sw_buf_grew(b, (size_t)(text_decimal(to, ms, 3) - to));
}

static char *text_key(const struct sw_buf *b, char *to, const char *name, size_t len)
{
	char last = b->len ? b->at[b->len - 1] : '{';
	if (last != '{' && last != '[')
		*to++ = ',';
	*to++ = '"';
	memcpy(to, name, len);
	to += len;
	*to++ = '"';
	*to++ = ':';
	return to;
}

static void put_key_n(struct sw_buf *b, const char *name, size_t len)
{
	char *to = sw_buf_room(b, len + 4);
	if (to)
		sw_buf_grew(b, (size_t)(text_key(b, to, name, len) - to));
}

static void put_key(struct sw_buf *b, const char *name)
{
	put_key_n(b, name, strlen(name));
}

static double number_at(const struct row *r, const void *at)
{
	const char *p = (const char *)at + r->offset;
	switch (r->type) {
	case T_INT:
	case T_I32:
		return *(const int32_t *)(const void *)p;
	case T_UINT:
		return *(const unsigned *)(const void *)p;
	case T_NUM:
		return *(const double *)(const void *)p;
	case T_BOOL:
		return *(const bool *)(const void *)p;
	default:
		return (double)*(const int64_t *)(const void *)p;
	}
}

static void put_text(struct sw_buf *b, const char *name, const char *s)
{
	if (!s || !*s)
		return;
	put_key(b, name);
	sw_buf_json_str(b, s);
}

static char *text_value(char *to, const struct row *r, const void *field, double v)
{
	switch (r->type) {
	case T_BOOL:
		memcpy(to, "true", 4); // NOLINT(bugprone-not-null-terminated-result): a part of a line
		return to + 4;
	case T_SEC:
		return text_decimal(to, *(const int64_t *)field, 3);
	case T_I64:
		return text_int(to, *(const int64_t *)field);
	case T_GIB:
		return text_num(to, v / (1 << 30));
	default:
		return text_num(to, v);
	}
}

static void put_row(struct sw_buf *b, const struct row *r, const void *at)
{
	const void *field = (const char *)at + r->offset;
	if (r->type == T_STR) {
		const char *s = *(const char *const *)field;
		if (!s || !*s)
			return;
		put_key_n(b, r->name, r->len);
		sw_buf_json_str(b, s);
		return;
	}
	double v = number_at(r, at);
	if (v == r->none || !isfinite(v))
		return;
	char *to = sw_buf_room(b, r->len + 4 + NUMBER_ROOM);
	if (to)
		sw_buf_grew(b, (size_t)(text_value(text_key(b, to, r->name, r->len), r, field, v) - to));
}

static void put_rows(struct sw_buf *b, const struct row *rows, size_t n, const void *at)
{
	for (size_t i = 0; i < n; i++)
		put_row(b, &rows[i], at);
}

static void put_demand(struct sw_buf *b, const struct sw_demand *d)
{
	put_rows(b, demand_rows, COUNT(demand_rows), d);
	put_text(b, "spot", spots[d->spot]);
	if (d->has_precision)
		put_text(b, "precision", precisions[d->precision]);
	if (d->n_models)
		put_key(b, "models");
	for (size_t i = 0; i < d->n_models; i++) {
		sw_buf_puts(b, i ? "," : "[");
		sw_buf_json_str(b, d->models[i]->model);
	}
	sw_buf_puts(b, d->n_models ? "]" : "");
	put_key(b, "pod_sets");
	for (size_t i = 0; i < d->n_sets; i++) {
		sw_buf_puts(b, i ? ",{" : "[{");
		put_text(b, "name", d->sets[i].name);
		put_rows(b, podset_rows, COUNT(podset_rows), &d->sets[i]);
		if (d->sets[i].cpu_milli) {
			put_key(b, "cpu");
			put_seconds(b, d->sets[i].cpu_milli); /* thousandths as well */
		}
		sw_buf_puts(b, "}");
	}
	sw_buf_puts(b, d->n_sets ? "]" : "[]");
}

static void put_lists(struct sw_buf *b, const struct sw_policy_input *in)
{
	if (in->n_labels)
		put_key(b, "labels");
	for (size_t i = 0; i < in->n_labels; i++) {
		sw_buf_puts(b, i ? "," : "{");
		sw_buf_json_str(b, in->labels[i].name);
		sw_buf_puts(b, ":");
		sw_buf_json_str(b, in->labels[i].value);
	}
	sw_buf_puts(b, in->n_labels ? "}" : "");
	if (in->n_attempts)
		put_key(b, "attempts");
	for (size_t i = 0; i < in->n_attempts; i++) {
		sw_buf_puts(b, i ? ",{" : "[{");
		put_rows(b, attempt_rows, COUNT(attempt_rows), &in->attempts[i]);
		sw_buf_puts(b, "}");
	}
	sw_buf_puts(b, in->n_attempts ? "]" : "");
	if (!(in->budget.limit > 0))
		return;
	put_key(b, "budget");
	sw_buf_puts(b, "{");
	put_rows(b, budget_rows, COUNT(budget_rows), &in->budget);
	sw_buf_puts(b, "}");
}

static void put_candidate(struct sw_buf *b, const struct sw_policy_input *in, const struct sw_candidate *c)
{
	sw_buf_puts(b, "{");
	put_rows(b, candidate_rows, COUNT(candidate_rows), c);
	if (c->stockout_until_ms > in->now_ms) {
		put_key(b, "stockout");
		put_seconds(b, c->stockout_until_ms - in->now_ms);
	}
	if (c->budget_known && isfinite(c->budget_left_hour)) {
		put_key(b, "budget_left");
		put_num(b, c->budget_left_hour);
	}
	if (c->egress_known && isfinite(c->egress_cost)) {
		put_key(b, "egress");
		put_num(b, c->egress_cost);
	}
	sw_buf_puts(b, "}");
}

void sw_policy_input_write(struct sw_buf *b, const struct sw_policy_input *in)
{
	sw_buf_puts(b, "\"workload\":{");
	put_rows(b, workload_rows, COUNT(workload_rows), in);
	put_demand(b, in->demand);
	put_lists(b, in);
	sw_buf_puts(b, "},\"ctx\":{\"now\":");
	put_seconds(b, in->now_ms);
	if (in->committed_hour > 0) {
		put_key(b, "spend");
		put_num(b, in->committed_hour);
	}
	if (in->max_hour > 0) {
		put_key(b, "spend_limit");
		put_num(b, in->max_hour);
	}
	sw_buf_puts(b, "},\"candidates\":[");
	for (size_t i = 0; i < in->n_candidates; i++) {
		sw_buf_puts(b, i ? "," : "");
		put_candidate(b, in, &in->candidates[i]);
	}
	sw_buf_puts(b, "]");
}
