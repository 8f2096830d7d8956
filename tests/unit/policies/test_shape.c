/* SPDX-License-Identifier: Apache-2.0 */
/* test_shape.c - equal jobs share a decision, and no others do */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "table.h"

static const struct sw_policy_plan *decide(struct sw_shapes *s, struct sw_policy *p, struct question *q, uint64_t view,
					   struct sw_policy_plan *plan)
{
	struct sw_err e = sw_policy_place(p, &q->in, plan);
	cr_assert(!sw_failed(e), "%s", e.text);
	sw_shapes_put(s, p, &q->in, view, plan);
	return sw_shapes_get(s, p, &q->in, view);
}

/* Is the plan for q kept for a job that was changed by change? */
static bool shared(const char *reads, void (*change)(struct question *q))
{
	char src[300];
	struct question a, b;
	struct sw_policy_plan plan;
	struct sw_shapes *s = sw_shapes_new(0);
	question_fill(&a);
	question_fill(&b);
	change(&b);
	snprintf(src, sizeof src, "function place(w, c, ctx) local x = %s return { reason = w.queue } end", reads);
	struct sw_policy *p = policy_of(src);
	decide(s, p, &a, 7, &plan);
	bool hit = sw_shapes_get(s, p, &b.in, 7) != NULL;
	sw_policy_free(p);
	sw_shapes_free(s);
	return hit;
}

static struct sw_policy_label other_label = {"team", "speech"};

static void nothing(struct question *q)
{
	q->in.key = "ns/other";
	q->in.job_name = "other";
	q->in.waited_ms = 1;
}
static void queue(struct question *q)
{
	q->in.queue = "other";
}
static void ns(struct question *q)
{
	q->in.ns = "other";
}
static void priority(struct question *q)
{
	q->in.priority++;
}
static void attempt(struct question *q)
{
	q->in.attempt++;
}
static void gpus(struct question *q)
{
	q->demand.gpus++;
}
static void sets(struct question *q)
{
	q->demand.sets[1].memory_bytes++;
}
static void labels(struct question *q)
{
	q->in.labels = &other_label;
	q->in.n_labels = 1;
}
static void attempts(struct question *q)
{
	q->attempts[0].outcome = "lost";
}
static void budget(struct question *q)
{
	q->in.budget.spent++;
}
static void data(struct question *q)
{
	q->demand.data = "gs://b@us";
}
static void models(struct question *q)
{
	q->demand.models[0] = &q->h100;
	q->demand.n_models = 1;
}

Test(shape, a_plan_is_shared_until_something_that_was_read_differs)
{
	static const struct {
		const char *reads;
		void (*change)(struct question *q);
		bool shared;
	} rows[] = {
		{"w.gpus", nothing, true},
		{"w.gpus", gpus, false},
		{"w.queue", gpus, true},
		{"w.queue", queue, false},
		{"w.gpus", ns, true},
		{"w.namespace", ns, false},
		{"w.priority", priority, false},
		{"w.attempt", attempt, false},
		{"#w.pod_sets", sets, false},
		{"w.gpus", sets, true},
		{"w.labels.team", labels, false},
		{"w.gpus", labels, true},
		{"#w.attempts", attempts, false},
		{"w.budget.left", budget, false},
		{"w.data_region", data, false},
		{"w.data_gib", data, false},
		{"#w.models", models, false},
		{"w.name", nothing, false},
		{"w.waited", nothing, false},
		{"ctx.now", nothing, false},
		{"math.random()", nothing, false},
		{"sort_by(c, 'price')", nothing, true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_eq(shared(rows[i].reads, rows[i].change), rows[i].shared, "row %zu: %s", i, rows[i].reads);
}

Test(shape, another_view_or_policy_is_another_decision)
{
	struct question q;
	struct sw_policy_plan plan;
	struct sw_shapes *s = sw_shapes_new(0);
	question_fill(&q);
	struct sw_policy *p = policy_of("function place(w, c) return { reason = 'a' } end"),
			 *other = policy_of("function place(w, c) return { reason = 'b' } end");
	const struct sw_policy_plan *got = decide(s, p, &q, 1, &plan);
	cr_assert(got && strcmp(got->reason, "a") == 0);
	cr_assert_null(sw_shapes_get(s, p, &q.in, 2));
	cr_assert_null(sw_shapes_get(s, other, &q.in, 1));
	sw_shapes_clear(s);
	cr_assert_null(sw_shapes_get(s, p, &q.in, 1));
	sw_policy_free(p);
	sw_policy_free(other);
	sw_shapes_free(s);
}

Test(shape, branches_that_read_other_fields_live_side_by_side)
{
	struct question q;
	struct sw_policy_plan plan;
	struct sw_shapes *s = sw_shapes_new(0);
	question_fill(&q);
	struct sw_policy *p = policy_of("function place(w) if w.gpus > 0 then return { reason = w.queue } end return { "
					"reason = w.namespace } end");
	decide(s, p, &q, 1, &plan);
	q.demand.gpus = 0;
	cr_assert_null(sw_shapes_get(s, p, &q.in, 1));
	cr_assert_str_eq(decide(s, p, &q, 1, &plan)->reason, "ns");
	q.demand.gpus = 16;
	cr_assert_str_eq(sw_shapes_get(s, p, &q.in, 1)->reason, "main");
	sw_policy_free(p);
	sw_shapes_free(s);
}

Test(shape, what_is_kept_is_bounded)
{
	struct question q;
	struct sw_policy_plan plan;
	struct sw_shapes *s = sw_shapes_new(4);
	question_fill(&q);
	struct sw_policy *p = policy_of("function place(w) return { reason = tostring(w.priority) } end");
	for (int i = 0; i < 10; i++) {
		q.in.priority = i;
		decide(s, p, &q, 1, &plan);
	}
	for (int i = 0; i < 10; i++) {
		q.in.priority = i;
		const struct sw_policy_plan *got = sw_shapes_get(s, p, &q.in, 1);
		cr_assert_eq(got != NULL, i >= 6, "%d", i);
	}
	sw_policy_free(p);
	sw_shapes_free(s);
}
