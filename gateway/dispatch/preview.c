/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview.c - where would this job go if it were submitted now? Changes nothing, and the job need not exist
 *
 * The same options, question and policy as for a job that is placed; only what comes after the answer is missing.
 */
#include "dispatch_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

/* Where it would go: of the first step what fits now, else what stands first. */
static const struct option *choice(const struct options *o, const struct question *q, const struct sw_policy_plan *got)
{
	const struct sw_plan_step *st = &got->step[0];
	for (size_t i = 0; i < st->n; i++)
		if (o->at[q->from[st->candidate[i]]].verdict == VERDICT_FITS)
			return &o->at[q->from[st->candidate[i]]];
	return &o->at[q->from[st->candidate[0]]];
}

static void add_choice(json_t *x, const struct option *o)
{
	json_t *j = json_object_new_object();
	sw_json_set_str(j, "cluster", o->c.cluster);
	sw_json_set_str(j, "pool", o->c.pool);
	sw_json_set_bool(j, "now", o->verdict == VERDICT_FITS);
	if (isfinite(o->c.price_hour))
		json_object_object_add(j, "priceHour", json_object_new_double(o->c.price_hour));
	if (o->c.expected_start_ms >= 0)
		sw_json_set_int(j, "expectedStartSeconds", o->c.expected_start_ms / 1000);
	json_object_object_add(x, "choice", j);
}

static void add_answer(struct sw_policy *policy, const struct options *o, const struct question *q, struct plan *plan,
		       json_t *x)
{
	struct sw_policy_plan *got = sw_calloc(1, sizeof *got);
	struct sw_err e = sw_policy_place(policy, &q->in, got);
	if (sw_failed(e))
		sw_json_set(x, "error", json_object_new_string(e.text));
	else {
		plan_take(plan, got, q->c);
		if (*got->reason)
			sw_json_set_str(x, "reason", got->reason);
		if (got->n)
			add_choice(x, choice(o, q, got));
	}
	free(got);
}

static json_t *preview(struct sw_dispatch *d, struct work *wk, const struct sw_workload *row)
{
	char text[PLAN_SENTENCE];
	struct options o;
	struct question q;
	struct sw_policy *policy = policy_for(d, row);
	struct plan *plan = sw_calloc(1, sizeof *plan);
	json_t *x = json_object_new_object(), *list = json_object_new_array();
	plan_init(plan);
	options_read(d, wk, row, &o);
	question_make(d, wk, row, &o, &q);
	demand_words(wk->demand, text, sizeof text);
	sw_json_set(x, "job", json_object_new_string(row->key));
	sw_json_set_str(x, "kind", row->kind->kind);
	sw_json_set_str(x, "queue", row->queue);
	sw_json_set_str(x, "demand", text);
	add_policy(x, policy);
	if (q.in.n_candidates)
		add_answer(policy, &o, &q, plan, x);
	json_object_object_add(x, "steps", steps_json(plan, false));
	for (size_t i = 0; i < o.n; i++)
		json_object_array_add(list, option_json(&o.at[i], plan, false));
	json_object_object_add(x, "candidates", list);
	json_object_object_add(x, "needs", options_mend(&o, wk->demand));
	question_free(&q);
	options_free(&o);
	free(plan);
	return x;
}

struct sw_err sw_dispatch_preview(struct sw_dispatch *d, json_t *job, const char *ns, json_t **out)
{
	const struct sw_kind *kind = sw_kind_of(job);
	const char *name = sw_json_str(job, "metadata.name"), *queue = sw_json_label(job, SW_LABEL_QUEUE);
	*out = NULL;
	if (!kind)
		return sw_err(SW_E_INVALID, "%s is no kind of job that is placed on clusters",
			      sw_json_str(job, "kind") ? sw_json_str(job, "kind") : "an object without kind");
	if (!d->workers)
		return sw_err(SW_E_BUSY, "the gateway has just started and does not know its clusters yet");
	struct sw_err e = kind->check(kind, job);
	struct sw_demand *demand = sw_calloc(1, sizeof *demand);
	if (!sw_failed(e))
		e = sw_demand_read(kind, job, d->opt.catalog, demand);
	if (!sw_failed(e)) {
		char *key = sw_asprintf("%s/%s", ns, name ? name : "");
		struct work wk = {.d = d, .key = key, .job = job, .demand = demand};
		struct sw_workload row = {.key = key,
					  .ns = ns,
					  .uid = "",
					  .kind = kind,
					  .job_name = name ? name : "",
					  .job_uid = "",
					  .queue = queue ? queue : "",
					  .cluster_queue = "",
					  .message = "",
					  .created_ms = sw_loop_wall(d->opt.loop),
					  .attempt = 1,
					  .active = true,
					  .reserved = true};
		*out = preview(d, &wk, &row);
		free(key);
	}
	free(demand);
	return e;
}
