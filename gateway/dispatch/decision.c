/* SPDX-License-Identifier: Apache-2.0 */
/* decision.c - one decision as a line of JSON, and back */
#include "spillway/decision.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

static const char *const step_spots[] = {
	[SW_PLAN_SPOT_ANY] = "any", [SW_PLAN_SPOT_NEVER] = "never", [SW_PLAN_SPOT_ONLY] = "only"};

/* ---- writing ------------------------------------------------------------------- */

static void put_text(struct sw_buf *b, const char *key, const char *text)
{
	sw_buf_printf(b, "\"%s\":", key);
	sw_buf_json_str(b, text);
}

static void put_step(struct sw_buf *b, const struct sw_plan_step *st)
{
	sw_buf_puts(b, "{\"candidates\":[");
	for (size_t i = 0; i < st->n; i++)
		sw_buf_printf(b, "%s%d", i ? "," : "", st->candidate[i] + 1);
	sw_buf_printf(b, "],\"patience\":%.17g", (double)st->patience_ms / 1000);
	if (st->spot != SW_PLAN_SPOT_ANY)
		sw_buf_printf(b, ",\"spot\":\"%s\"", step_spots[st->spot]);
	if (st->max_price > 0 && isfinite(st->max_price))
		sw_buf_printf(b, ",\"max_price\":%.17g", st->max_price);
	if (*st->reason) {
		sw_buf_putc(b, ',');
		put_text(b, "reason", st->reason);
	}
	sw_buf_putc(b, '}');
}

void sw_decision_write(struct sw_buf *b, const struct sw_decision *d)
{
	char when[32];
	sw_buf_putc(b, '{');
	put_text(b, "time", sw_time_text(d->in->now_ms, when));
	sw_buf_puts(b, ",\"policy\":{");
	put_text(b, "name", d->policy);
	sw_buf_putc(b, ',');
	put_text(b, "hash", d->hash);
	sw_buf_puts(b, "},");
	sw_policy_input_write(b, d->in);
	sw_buf_putc(b, ',');
	if (d->plan) {
		sw_buf_puts(b, "\"plan\":{\"steps\":[");
		for (size_t i = 0; i < d->plan->n; i++) {
			sw_buf_puts(b, i ? "," : "");
			put_step(b, &d->plan->step[i]);
		}
		sw_buf_puts(b, "],");
		put_text(b, "reason", d->plan->reason);
		sw_buf_putc(b, '}');
	} else {
		put_text(b, "error", d->error ? d->error : "");
	}
	sw_buf_printf(b, ",\"instructions\":%lld%s}\n", (long long)d->instructions, d->late ? ",\"late\":true" : "");
}

/* ---- reading --------------------------------------------------------------------- */

static struct sw_err read_step(json_t *o, size_t n_candidates, size_t nth, struct sw_plan_step *st)
{
	json_t *list = sw_json_key(o, "candidates");
	const char *spot = sw_json_str(o, "spot"), *reason = sw_json_str(o, "reason");
	double patience = json_object_get_double(sw_json_key(o, "patience"));
	st->max_price = INFINITY;
	if (sw_json_len(list) == 0 || sw_json_len(list) > SW_STEP_CANDIDATES)
		return sw_err(SW_E_INVALID, "plan: step %zu: expected 1 to %d candidates", nth, SW_STEP_CANDIDATES);
	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *v = sw_json_idx(list, i);
		int64_t c = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;
		if (c < 1 || (uint64_t)c > n_candidates)
			return sw_err(SW_E_INVALID, "plan: step %zu: found candidate %lld, expected 1 to %zu", nth,
				      (long long)c, n_candidates);
		st->candidate[st->n++] = (uint16_t)(c - 1);
	}
	if (!(patience >= 0 && patience <= SW_PATIENCE_MAX_S))
		return sw_err(SW_E_INVALID, "plan: step %zu: patience is out of range", nth);
	st->patience_ms = llround(patience * 1000);
	for (int i = 0; spot && i < (int)(sizeof step_spots / sizeof *step_spots); i++)
		if (strcmp(step_spots[i], spot) == 0)
			st->spot = (enum sw_plan_spot)i;
	if (sw_json_key(o, "max_price"))
		st->max_price = json_object_get_double(sw_json_key(o, "max_price"));
	sw_cut(st->reason, sizeof st->reason, reason ? reason : "");
	return SW_OK;
}

static struct sw_err read_plan(json_t *o, size_t n_candidates, struct sw_policy_plan *plan)
{
	json_t *steps = sw_json_key(o, "steps");
	const char *reason = sw_json_str(o, "reason");
	if (sw_json_len(steps) > SW_PLAN_STEPS)
		return sw_err(SW_E_INVALID, "plan: %zu steps, at most %d are possible", sw_json_len(steps),
			      SW_PLAN_STEPS);
	for (size_t i = 0; i < sw_json_len(steps); i++) {
		struct sw_err e = read_step(sw_json_idx(steps, i), n_candidates, i + 1, &plan->step[plan->n++]);
		if (sw_failed(e))
			return e;
	}
	sw_cut(plan->reason, sizeof plan->reason, reason ? reason : "");
	return SW_OK;
}

static void cut_field(char *to, size_t size, json_t *o, const char *path)
{
	const char *s = sw_json_str(o, path);
	sw_cut(to, size, s ? s : "");
}

struct sw_err sw_decision_parse(const char *line, size_t len, const struct sw_catalog *cat,
				struct sw_decision_read *out)
{
	memset(out, 0, sizeof *out);
	struct sw_err e = sw_json_parse(line, len, &out->from);
	if (sw_failed(e))
		return e;
	/* sw_policy_input_read() knows the members of a question; the rest of the line is ours. */
	json_t *plan = sw_json_key(out->from, "plan"), *workload = sw_json_key(out->from, "workload");
	if (!workload || (!plan && !sw_json_str(out->from, "error")))
		e = sw_err(SW_E_INVALID, "this is no decision: it needs workload, and plan or error");
	if (!sw_failed(e))
		e = sw_policy_input_read(out->from, cat, &out->question);
	cut_field(out->policy, sizeof out->policy, out->from, "policy.name");
	cut_field(out->hash, sizeof out->hash, out->from, "policy.hash");
	cut_field(out->time, sizeof out->time, out->from, "time");
	cut_field(out->error, sizeof out->error, out->from, "error");
	out->failed = !plan;
	out->late = sw_json_bool(out->from, "late");
	if (!sw_failed(e) && plan)
		e = read_plan(plan, sw_policy_question_input(out->question)->n_candidates, &out->plan);
	if (sw_failed(e))
		sw_decision_read_fini(out);
	return e;
}

void sw_decision_read_fini(struct sw_decision_read *d)
{
	sw_policy_question_free(d->question);
	json_object_put(d->from);
	memset(d, 0, sizeof *d);
}

/* ---- comparing ----------------------------------------------------------------------- */

static bool step_equal(const struct sw_plan_step *a, const struct sw_plan_step *b)
{
	bool limits = a->max_price == b->max_price || (!(a->max_price < INFINITY) && !(b->max_price < INFINITY));
	return a->n == b->n && memcmp(a->candidate, b->candidate, a->n * sizeof *a->candidate) == 0 &&
	       a->patience_ms == b->patience_ms && a->spot == b->spot && limits && strcmp(a->reason, b->reason) == 0;
}

bool sw_plan_equal(const struct sw_policy_plan *a, const struct sw_policy_plan *b)
{
	if (a->n != b->n || strcmp(a->reason, b->reason) != 0)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!step_equal(&a->step[i], &b->step[i]))
			return false;
	return true;
}

int sw_plan_choice(const struct sw_policy_plan *plan, const struct sw_policy_input *in)
{
	const struct sw_plan_step *st = &plan->step[0];
	if (!plan->n)
		return -1;
	for (size_t i = 0; i < st->n; i++)
		if (in->candidates[st->candidate[i]].nodes_needed == 0)
			return st->candidate[i];
	return st->candidate[0];
}
