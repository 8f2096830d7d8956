/* SPDX-License-Identifier: Apache-2.0 */
/* input_read.c - reads what a policy is asked from JSON: of a recorded decision, or of a test. Strictly: a field that
 * does not exist is an error with the nearest name. */
#include "input_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"

struct sw_policy_question {
	struct sw_policy_input in; /* first: what is given out */
	struct sw_demand demand;
	struct sw_candidate *candidates;
	struct sw_policy_label *labels;
	struct sw_policy_attempt *attempts;
	json_t *from; /* lends its strings */
};

static struct sw_err wrong(const char *where, const char *name, json_t *found, const char *expected)
{
	return sw_err(SW_E_INVALID, "%s.%s: found %.60s, expected %s", where, name,
		      found ? json_object_to_json_string_ext(found, JSON_C_TO_STRING_PLAIN) : "nothing", expected);
}

static bool is_number(json_t *v)
{
	return json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double);
}

static struct sw_err read_text(const char *where, const char *name, json_t *v, const char **out)
{
	if (!json_object_is_type(v, json_type_string) ||
	    strlen(json_object_get_string(v)) != (size_t)json_object_get_string_len(v))
		return wrong(where, name, v, "text");
	*out = json_object_get_string(v);
	return SW_OK;
}

static bool is_whole(const struct row *r)
{
	return r->type != T_NUM && r->type != T_SEC && r->type != T_GIB;
}

static double scale_of(const struct row *r)
{
	return r->type == T_SEC ? 1000 : r->type == T_GIB ? 1 << 30 : 1;
}

static bool number_fits(const struct row *r, double n)
{
	if (r->type == T_NUM)
		return true;
	if (r->type == T_INT || r->type == T_I32)
		return n == floor(n) && n >= INT32_MIN && n <= INT32_MAX;
	if (r->type == T_UINT)
		return n == floor(n) && n >= 0 && n <= UINT32_MAX;
	return fabs(n * scale_of(r)) < 0x1p62 && (!is_whole(r) || n == floor(n));
}

static struct sw_err read_number(const char *where, const struct row *r, json_t *v, void *p)
{
	double n = json_object_get_double(v);
	if (!is_number(v) || !number_fits(r, n))
		return wrong(where, r->name, v, is_whole(r) ? "a whole number" : "a number");
	if (r->type == T_NUM)
		*(double *)p = n;
	else if (r->type == T_INT || r->type == T_I32)
		*(int32_t *)p = (int32_t)n;
	else if (r->type == T_UINT)
		*(unsigned *)p = (unsigned)n;
	else if (r->type == T_I64 && json_object_is_type(v, json_type_int))
		*(int64_t *)p = json_object_get_int64(v);
	else
		*(int64_t *)p = llround(n * scale_of(r));
	return SW_OK;
}

static struct sw_err read_row(const char *where, const struct row *r, json_t *v, void *at)
{
	void *p = (char *)at + r->offset;
	if (r->type == T_STR)
		return read_text(where, r->name, v, p);
	if (r->type != T_BOOL)
		return read_number(where, r, v, p);
	if (!json_object_is_type(v, json_type_boolean))
		return wrong(where, r->name, v, "true or false");
	*(bool *)p = json_object_get_boolean(v);
	return SW_OK;
}

/* A reader of one field that is no plain row; false: the name is not its. */
typedef bool special_fn(struct sw_policy_question *q, const char *where, const char *name, json_t *v, void *at,
			struct sw_err *e);

struct table {
	const struct row *rows;
	size_t n;
	special_fn *special;
};

static bool is_derived(const char *name)
{
	for (size_t i = 0; i < COUNT(derived); i++)
		if (strcmp(derived[i], name) == 0)
			return true;
	return false;
}

static struct sw_err unknown(const struct table *t, const char *where, const char *name)
{
	const char *names[64];
	int n = 0;
	for (size_t i = 0; i < t->n && n < 64; i++)
		names[n++] = t->rows[i].name;
	for (size_t i = 0; t->rows == workload_rows && i < COUNT(demand_rows); i++)
		names[n++] = demand_rows[i].name;
	const char *near = strlen(name) < 64 ? sw_nearest(name, names, n) : NULL;
	return sw_err(SW_E_INVALID, "%s has no field \"%.60s\"%s%s%s", where, name, near ? ", did you mean \"" : "",
		      near ? near : "", near ? "\"?" : "");
}

static struct sw_err read_field(struct sw_policy_question *q, const struct table *t, const char *where,
				const char *name, json_t *v, void *at)
{
	struct sw_err e = SW_OK;
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->rows[i].name, name) == 0)
			return read_row(where, &t->rows[i], v, at);
	if ((t->special && t->special(q, where, name, v, at, &e)) || is_derived(name))
		return e;
	return unknown(t, where, name);
}

static struct sw_err read_object(struct sw_policy_question *q, const struct table *t, const char *where, json_t *o,
				 void *at)
{
	if (!json_object_is_type(o, json_type_object))
		return sw_err(SW_E_INVALID, "%s: found %.60s, expected its fields by name", where,
			      o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN) : "nothing");
	json_object_object_foreach(o, name, v)
	{
		struct sw_err e = read_field(q, t, where, name, v, at);
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

static int word_of(const char *word, const char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

static struct sw_err read_models(struct sw_policy_question *q, const struct sw_catalog *cat, const char *where)
{
	json_t *list = sw_json_key(sw_json_key(q->from, "workload"), "models");
	if (list && !json_object_is_type(list, json_type_array))
		return wrong(where, "models", list, "a list of GPU models");
	for (size_t i = 0; i < sw_json_len(list); i++) {
		const char *name = json_object_get_string(sw_json_idx(list, i));
		const struct sw_gpu *gpu = name && cat ? sw_catalog_gpu(cat, name) : NULL;
		if (!gpu || i == SW_MODELS_MAX)
			return wrong(where, "models", sw_json_idx(list, i), "at most 16 GPU models of the catalog");
		q->demand.models[q->demand.n_models++] = gpu;
	}
	return SW_OK;
}

static bool podset_special(struct sw_policy_question *q, const char *where, const char *name, json_t *v, void *at,
			   struct sw_err *e)
{
	struct sw_podset *s = at;
	const char *text = NULL;
	(void)q;
	if (strcmp(name, "name") == 0) {
		*e = read_text(where, name, v, &text);
		sw_cut(s->name, sizeof s->name, text ? text : "");
		return true;
	}
	if (strcmp(name, "cpu") != 0)
		return false;
	if (!is_number(v) || !(fabs(json_object_get_double(v)) <= 0x1p50))
		*e = wrong(where, name, v, "a number of cores");
	else
		s->cpu_milli = llround(json_object_get_double(v) * 1000);
	return true;
}

static struct sw_err read_sets(struct sw_policy_question *q, json_t *w, const char *where)
{
	static const struct table table = {podset_rows, COUNT(podset_rows), podset_special};
	json_t *list = sw_json_key(w, "pod_sets");
	struct sw_demand *d = &q->demand;
	if (!list) { /* a test that names only how many: all alike */
		int64_t pods = sw_json_int(w, "pods", 1);
		d->n_sets = 1;
		d->sets[0].count = (int32_t)(pods > 0 && pods < INT32_MAX ? pods : 1);
		d->sets[0].gpus = d->gpus / d->sets[0].count;
		return SW_OK;
	}
	if (!json_object_is_type(list, json_type_array) || sw_json_len(list) > SW_PODSETS_MAX)
		return wrong(where, "pod_sets", list, "a list of at most 18 pod sets");
	for (size_t i = 0; i < sw_json_len(list); i++) {
		struct sw_err e = read_object(q, &table, "a pod set", sw_json_idx(list, i), &d->sets[d->n_sets++]);
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

static struct sw_err read_labels(struct sw_policy_question *q, json_t *o)
{
	if (!json_object_is_type(o, json_type_object))
		return wrong("workload", "labels", o, "texts by name");
	q->labels = sw_calloc((size_t)json_object_object_length(o) + 1, sizeof *q->labels);
	q->in.labels = q->labels;
	json_object_object_foreach(o, name, v)
	{
		q->labels[q->in.n_labels].name = name;
		struct sw_err e = read_text("workload.labels", name, v, &q->labels[q->in.n_labels++].value);
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

static struct sw_err read_attempts(struct sw_policy_question *q, json_t *list)
{
	static const struct table table = {attempt_rows, COUNT(attempt_rows), NULL};
	if (!json_object_is_type(list, json_type_array))
		return wrong("workload", "attempts", list, "a list of attempts");
	q->attempts = sw_calloc(sw_json_len(list) + 1, sizeof *q->attempts);
	q->in.attempts = q->attempts;
	for (size_t i = 0; i < sw_json_len(list); i++) {
		struct sw_policy_attempt *a = &q->attempts[q->in.n_attempts++];
		*a = (struct sw_policy_attempt){.cluster = "", .pool = "", .outcome = ""};
		struct sw_err e = read_object(q, &table, "an attempt", sw_json_idx(list, i), a);
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

static bool workload_special(struct sw_policy_question *q, const char *where, const char *name, json_t *v, void *at,
			     struct sw_err *e)
{
	static const struct table demand = {demand_rows, COUNT(demand_rows), NULL};
	static const struct table budget = {budget_rows, COUNT(budget_rows), NULL};
	const char *word = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
	int found;
	(void)at;
	for (size_t i = 0; i < COUNT(demand_rows); i++)
		if (strcmp(demand_rows[i].name, name) == 0) {
			*e = read_field(q, &demand, where, name, v, &q->demand);
			return true;
		}
	if (strcmp(name, "spot") == 0) {
		found = word_of(word, spots, COUNT(spots));
		q->demand.spot = found < 0 ? SW_SPOT_NEVER : (enum sw_spot)found;
		*e = found < 0 ? wrong(where, name, v, "allow, never or require") : SW_OK;
	} else if (strcmp(name, "precision") == 0) {
		found = word_of(word, precisions, COUNT(precisions));
		q->demand.has_precision = found >= 0;
		q->demand.precision = found < 0 ? SW_FP32 : (enum sw_precision)found;
		*e = found < 0 ? wrong(where, name, v, "a precision such as bf16") : SW_OK;
	} else if (strcmp(name, "labels") == 0) {
		*e = read_labels(q, v);
	} else if (strcmp(name, "attempts") == 0) {
		*e = read_attempts(q, v);
	} else if (strcmp(name, "budget") == 0) {
		*e = read_object(q, &budget, "workload.budget", v, &q->in.budget);
	} else {
		return strcmp(name, "models") == 0 || strcmp(name, "pod_sets") == 0; /* read on their own */
	}
	return true;
}

static bool candidate_special(struct sw_policy_question *q, const char *where, const char *name, json_t *v, void *at,
			      struct sw_err *e)
{
	static const char *const follow[] = {"index", "rank", "fits", "gpu", "gpus", "gpu_memory"}; /* from the rest */
	struct sw_candidate *c = at;
	bool stockout = strcmp(name, "stockout") == 0, budget = strcmp(name, "budget_left") == 0,
	     egress = strcmp(name, "egress") == 0;
	if (!stockout && !budget && !egress)
		return word_of(name, follow, COUNT(follow)) >= 0;
	double n = json_object_get_double(v);
	if (!is_number(v) || !(fabs(n) <= 0x1p50)) {
		*e = wrong(where, name, v, "a number");
	} else if (stockout) {
		c->stockout_until_ms = n > 0 ? q->in.now_ms + llround(n * 1000) : 0;
	} else if (budget) {
		c->budget_known = true;
		c->budget_left_hour = n;
	} else {
		c->egress_known = true;
		c->egress_cost = n;
	}
	return true;
}

static struct sw_err read_candidates(struct sw_policy_question *q, const struct sw_catalog *cat)
{
	static const struct table table = {candidate_rows, COUNT(candidate_rows), candidate_special};
	json_t *list = sw_json_key(q->from, "candidates");
	size_t n = sw_json_len(list);
	if (list && (!json_object_is_type(list, json_type_array) || n > SW_POLICY_CANDIDATES))
		return sw_err(SW_E_INVALID, "candidates: expected a list of at most %d", SW_POLICY_CANDIDATES);
	q->candidates = sw_calloc(n + 1, sizeof *q->candidates);
	q->in.candidates = q->candidates;
	for (size_t i = 0; i < n; i++) {
		char where[40];
		json_t *o = sw_json_idx(list, i), *fits = sw_json_key(o, "fits");
		struct sw_candidate *c = &q->candidates[q->in.n_candidates++];
		*c = (struct sw_candidate){.cluster = "",
					   .pool = "",
					   .provider = "",
					   .region = "",
					   .zone = "",
					   .model = "",
					   .expected_start_ms = -1,
					   .price_hour = NAN,
					   .quota_left = -1};
		snprintf(where, sizeof where, "candidate %zu", i + 1);
		if (fits && !json_object_get_boolean(fits)) /* unless nodes_needed says how many */
			c->nodes_needed = 1;
		struct sw_err e = read_object(q, &table, where, o, c);
		if (sw_failed(e))
			return e;
		c->gpu = *c->model && cat ? sw_catalog_gpu(cat, c->model) : NULL;
	}
	return SW_OK;
}

static struct sw_err read_ctx(struct sw_policy_question *q)
{
	static const struct row rows[] = {W("now", now_ms, T_SEC, 0), W("spend", committed_hour, T_NUM, 0),
					  W("spend_limit", max_hour, T_NUM, 0)};
	static const struct table table = {rows, COUNT(rows), NULL};
	json_t *ctx = sw_json_key(q->from, "ctx");
	return ctx ? read_object(q, &table, "ctx", ctx, &q->in) : SW_OK;
}

static struct sw_err read_workload(struct sw_policy_question *q, const struct sw_catalog *cat)
{
	static const struct table table = {workload_rows, COUNT(workload_rows), workload_special};
	json_t *w = sw_json_key(q->from, "workload");
	struct sw_err e = w ? read_object(q, &table, "workload", w, &q->in) : SW_OK;
	if (!sw_failed(e))
		e = read_models(q, cat, "workload");
	return sw_failed(e) ? e : read_sets(q, w, "workload");
}

struct sw_err sw_policy_input_read(json_t *o, const struct sw_catalog *cat, struct sw_policy_question **out)
{
	struct sw_policy_question *q = sw_calloc(1, sizeof *q);
	*out = NULL;
	q->from = json_object_get(o);
	q->demand.spot = SW_SPOT_NEVER;
	q->demand.max_price = INFINITY;
	q->in = (struct sw_policy_input){.key = "ns/job",
					 .job_name = "job",
					 .ns = "ns",
					 .queue = "queue",
					 .kind = "Job",
					 .attempt = 1,
					 .demand = &q->demand,
					 .budget.spent = NAN};
	struct sw_err e = read_ctx(q); /* first: stockouts are counted from now */
	if (!sw_failed(e))
		e = read_workload(q, cat);
	if (!sw_failed(e))
		e = read_candidates(q, cat);
	if (sw_failed(e)) {
		sw_policy_question_free(q);
		return e;
	}
	*out = q;
	return SW_OK;
}

struct sw_policy_input *sw_policy_question_input(struct sw_policy_question *q)
{
	return &q->in;
}

struct sw_candidate *sw_policy_question_candidates(struct sw_policy_question *q)
{
	return q->candidates;
}

void sw_policy_question_free(struct sw_policy_question *q)
{
	if (!q)
		return;
	free(q->candidates);
	free(q->labels);
	free(q->attempts);
	json_object_put(q->from);
	free(q);
}
