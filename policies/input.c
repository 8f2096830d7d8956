/* SPDX-License-Identifier: Apache-2.0 */
/* input.c - writes what a policy is asked as JSON */
#include "input_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/buf.h"
#include "spillway/text.h"

/* ---- writing ------------------------------------------------------------------------ */

static void put_int(struct sw_buf *b, int64_t v)
{
	char digits[24], *at = digits + sizeof digits;
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	do
		*--at = (char)('0' + u % 10);
	while (u /= 10);
	if (v < 0)
		*--at = '-';
	sw_buf_put(b, at, (size_t)(digits + sizeof digits - at));
}

static void put_num(struct sw_buf *b, double v)
{
	char text[32];
	if (v == floor(v) && fabs(v) < 1e15) {
		put_int(b, (int64_t)v);
		return;
	}
	/* prices have two or three digits behind the point; what has more keeps all of them */
	snprintf(text, sizeof text, "%.6g", v);
	if (strtod(text, NULL) != v)
		snprintf(text, sizeof text, "%.17g", v);
	sw_buf_puts(b, text);
}

static void put_key(struct sw_buf *b, const char *name)
{
	char last = b->len ? b->at[b->len - 1] : '{';
	sw_buf_puts(b, last == '{' || last == '[' ? "\"" : ",\"");
	sw_buf_puts(b, name);
	sw_buf_puts(b, "\":");
}

static void put_seconds(struct sw_buf *b, int64_t ms)
{
	char rest[8];
	put_int(b, ms / 1000);
	if (ms % 1000) {
		snprintf(rest, sizeof rest, ".%03d", (int)(llabs(ms) % 1000));
		sw_buf_puts(b, rest);
	}
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

static void put_row(struct sw_buf *b, const struct row *r, const void *at)
{
	const char *p = (const char *)at + r->offset;
	if (r->type == T_STR) {
		put_text(b, r->name, *(const char *const *)(const void *)p);
		return;
	}
	double v = number_at(r, at);
	if (v == r->none || !isfinite(v))
		return;
	put_key(b, r->name);
	if (r->type == T_BOOL)
		sw_buf_puts(b, "true");
	else if (r->type == T_SEC)
		put_seconds(b, *(const int64_t *)(const void *)p);
	else if (r->type == T_GIB)
		put_num(b, v / (1 << 30));
	else if (r->type == T_I64)
		put_int(b, *(const int64_t *)(const void *)p);
	else
		put_num(b, v);
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
