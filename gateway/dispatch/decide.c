/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide.c - asks the policy for a plan, moves along it, and names the winner
 *
 * The plan is durable before anything is done for it, except where its first step can start at once: then the winner is
 * written with it in one request.
 */
#include "dispatch_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

enum { POLICY_AGAIN_MS = 30000 };

/* ---- words ------------------------------------------------------------------- */

static void put_places(struct sw_buf *b, const struct plan *p, const struct plan_step *st)
{
	for (size_t i = 0; i < st->n; i++)
		sw_buf_printf(b, "%s%s/%s", i ? ", " : "", plan_text(p, st->place[i].cluster),
			      plan_text(p, st->place[i].pool));
}

/* "reason; step 1 of 3 until 17:20:00Z: a/b, c/d; then e/f; then g/h" */
static void plan_words(const struct plan *p, const char *reason, char out[PLAN_SENTENCE])
{
	struct sw_buf b;
	char when[32];
	sw_buf_init(&b, 16 << 10);
	if (*reason)
		sw_buf_printf(&b, "%s; ", reason);
	sw_buf_printf(&b, "step %zu of %zu until %s: ", p->at + 1, p->n, sw_time_text(p->until_ms, when));
	put_places(&b, p, &p->step[p->at]);
	for (size_t i = p->at + 1; i < p->n; i++) {
		sw_buf_puts(&b, "; then ");
		put_places(&b, p, &p->step[i]);
	}
	sw_cut(out, PLAN_SENTENCE, sw_buf_ok(&b) ? b.at : reason);
	sw_buf_fini(&b);
}

/* ---- writes -------------------------------------------------------------------- */

static void on_nominated(void *owner, struct sw_err err)
{
	struct work *wk = owner;
	if (!sw_failed(err) && wk->text)
		work_say(wk, false, wk->step == STEP_NEXT ? "NextStep" : "Planned", wk->text);
	free(wk->text);
	wk->text = NULL;
	if (sw_failed(err))
		work_step_done(wk, err, 1);
	else
		work_step_next(wk); /* it finds its line before others are read */
}

/* Writes the plan as it stands: its present step's clusters are nominated. */
static void nominate(struct sw_dispatch *d, struct work *wk, struct scene *s, const char *reason)
{
	const struct plan_step *st = &s->plan.step[s->plan.at];
	const char *clusters[NOMINATED_MAX + 1];
	char words[PLAN_SENTENCE], message[PLAN_MESSAGE];
	size_t n = 0;
	for (size_t i = 0; i < st->n && n < NOMINATED_MAX; i++) {
		size_t k = 0;
		while (k < n && strcmp(clusters[k], plan_text(&s->plan, st->place[i].cluster)) != 0)
			k++;
		if (k == n)
			clusters[n++] = plan_text(&s->plan, st->place[i].cluster);
	}
	clusters[n] = NULL;
	plan_words(&s->plan, reason, words);
	plan_encode(&s->plan, words, message);
	work_withdraw(wk);
	depth_at(wk, &s->plan); /* before the write: others of a burst decide meanwhile */
	free(wk->text);
	wk->text = sw_strdup(words);
	wk->busy = true;
	struct sw_change c = {.op = SW_CHANGE_NOMINATE, .clusters = clusters, .message = message};
	struct sw_err e = d->m->ops->change(d->m, wk->key, s->row->rv, &c, on_nominated, wk);
	if (sw_failed(e))
		on_nominated(wk, e);
}

/* A step that was left because its pool was sold out: the policy may want something else than the next one. */
static enum sw_policy_then after_stockout(struct sw_dispatch *d, struct work *wk, const struct scene *s)
{
	struct sw_policy_attempt a = {.outcome = "stockout", .reason = s->stuck, .ended_ms = sw_loop_wall(d->opt.loop)};
	if (!s->stuck || !wk->grows.w)
		return SW_THEN_NEXT;
	a.cluster = sw_worker_name(wk->grows.w);
	a.pool = wk->grows.pool;
	return history_ask(d, wk, s->row, &a, SW_THEN_NEXT);
}

void decide_next(struct sw_dispatch *d, struct work *wk, struct scene *s)
{
	enum sw_policy_then then = after_stockout(d, wk, s);
	if (then == SW_THEN_PLAN) {
		decide_plan(d, wk, s);
		return;
	}
	s->plan.at++;
	s->plan.until_ms = sw_loop_wall(d->opt.loop) + s->plan.step[s->plan.at].patience_ms;
	nominate(d, wk, s, s->stuck ? s->stuck : "");
}

static void on_won(void *owner, struct sw_err err)
{
	struct work *wk = owner;
	if (!sw_failed(err)) {
		const struct sw_workload *row = row_of(wk->d, wk->key);
		work_say(wk, false, "Placed", wk->text);
		if (row)
			spend_begin(wk, row, wk->cost_next);
		sw_metric_add(wk->d->m_placed, 1, sw_worker_name(wk->reserved.w), wk->reserved.pool);
		if (wk->grows.w)
			sw_burst_unwant(wk->d->burst, wk->key);
		free(wk->grows.pool);
		wk->grows = (struct spot){0};
		wk->grows_nodes = 0;
		depth_set(wk, "");
	}
	free(wk->text);
	wk->text = NULL;
	work_step_done(wk, err, 1);
}

static int64_t gang_of(const struct sw_demand *d)
{
	int64_t pods = 0;
	for (size_t i = 0; i < d->n_sets; i++)
		pods += d->sets[i].count;
	return pods;
}

/* The whole gang is promised room first; then the one write that decides. */
void decide_win(struct sw_dispatch *d, struct work *wk, struct scene *s, struct sw_worker *w, const char *pool,
		const char *reason)
{
	char words[PLAN_SENTENCE], message[PLAN_MESSAGE];
	struct sw_offer offer = offer_of(wk, s->row, pool);
	int missing = 0;
	if (wk->reserved.w && wk->reserved.w != w)
		sw_worker_unreserve(wk->reserved.w, wk->key);
	struct sw_err e = sw_worker_reserve(w, &offer, &missing);
	if (sw_failed(e) || missing != 0) { /* somebody was quicker */
		sw_worker_unreserve(w, wk->key);
		free(wk->reserved.pool);
		wk->reserved = (struct spot){0};
		work_step_done(wk, e, 1);
		return;
	}
	char *kept = sw_strdup(pool);
	free(wk->reserved.pool);
	wk->reserved = (struct spot){w, kept};
	char kept_reason[PLAN_SENTENCE];
	plan_reason(s->row->message, kept_reason);
	if (!*reason)
		reason = kept_reason;
	snprintf(words, sizeof words, "placed on %s/%s, attempt %u%s%.800s", sw_worker_name(w), pool, s->row->attempt,
		 *reason ? ": " : "", reason);
	s->plan.gang = gang_of(wk->demand);
	s->plan.lease_s = lease_for(d, wk, s, w);
	s->plan.cost_micro = llround(spend_price(wk, w, pool) * 1e6);
	wk->cost_next = (double)s->plan.cost_micro / 1e6;
	plan_set_winner(&s->plan, sw_worker_name(w), pool);
	plan_encode(&s->plan, words, message);
	free(wk->text);
	wk->text = sw_strdup(words);
	wk->busy = true;
	wk->named_attempt = s->row->attempt;
	struct sw_change c = {.op = SW_CHANGE_WIN, .cluster = sw_worker_name(w), .message = message};
	e = d->m->ops->change(d->m, wk->key, s->row->rv, &c, on_won, wk);
	if (sw_failed(e))
		on_won(wk, e);
}

/* ---- the policy ------------------------------------------------------------------- */

static void vain(struct sw_dispatch *d, struct work *wk, const struct scene *s, const char *text)
{
	work_withdraw(wk);
	wk->plan_vain = true;
	wk->plan_world = d->world;
	wk->plan_at_ms = sw_loop_now(d->opt.loop) + (uint64_t)d->opt.config->resync_ms;
	work_message(wk, s, text);
}

static void nowhere(struct sw_dispatch *d, struct work *wk, struct scene *s, const struct options *o)
{
	char words[PLAN_SENTENCE - 80], text[PLAN_SENTENCE];
	bool never = !o->any_possible && !o->any_unknown,
	     refused = o->any_possible && !o->any_unknown && o->all_refused;
	options_words(o, words, sizeof words);
	snprintf(text, sizeof text, "%s: %s",
		 never     ? "no cluster can run this job"
		 : refused ? "every cluster that could run this job refused it"
			   : "no cluster can take this job now",
		 o->n ? words : "no cluster has a pool");
	if (never || o->any_lacks || refused)
		work_say(wk, true, never ? "NoClusterFits" : refused ? "RefusedEverywhere" : "MissingOnWorker", text);
	plan_init(&s->plan);
	vain(d, wk, s, text);
}

void plan_take(struct plan *plan, const struct sw_policy_plan *got, const struct sw_candidate *c)
{
	plan_init(plan);
	for (size_t i = 0; i < got->n; i++) {
		struct plan_step *st = &plan->step[plan->n];
		st->n = 0;
		st->patience_ms = got->step[i].patience_ms;
		for (size_t k = 0; k < got->step[i].n; k++)
			if (!plan_add(plan, st, c[got->step[i].candidate[k]].cluster,
				      c[got->step[i].candidate[k]].pool))
				break;
		if (!st->n)
			break; /* no room for more names: later steps are decided when they are reached */
		plan->n++;
	}
}

static void follow(struct sw_dispatch *d, struct work *wk, struct scene *s, const struct options *o,
		   const struct question *q, const struct sw_policy *policy, const struct sw_policy_plan *got)
{
	char text[PLAN_SENTENCE];
	sw_metric_add(d->m_policy, 1, got->n ? "plan" : "not now");
	plan_take(&s->plan, got, q->c);
	plan_set_policy(&s->plan, sw_policy_hash(policy));
	if (s->plan.n == 0) {
		snprintf(text, sizeof text, "not now: %s",
			 *got->reason ? got->reason : "the policy sees no good place");
		vain(d, wk, s, text);
		return;
	}
	wk->plan_vain = false;
	wk->plan_at_ms = 0;
	s->plan.until_ms = sw_loop_wall(d->opt.loop) + s->plan.step[0].patience_ms;
	for (size_t k = 0; k < got->step[0].n; k++) {
		const struct option *op = &o->at[q->from[got->step[0].candidate[k]]];
		if (op->verdict == VERDICT_FITS) {
			decide_win(d, wk, s, op->w, op->c.pool, got->reason);
			return;
		}
	}
	nominate(d, wk, s, got->reason);
}

static void record(struct sw_dispatch *d, const struct sw_policy *policy, const struct question *q,
		   const struct sw_policy_plan *got, struct sw_err e)
{
	struct sw_policy_use use = sw_policy_used(policy);
	struct sw_decision made = {.policy = sw_policy_name(policy),
				   .hash = sw_policy_hash(policy),
				   .in = &q->in,
				   .plan = sw_failed(e) ? NULL : got,
				   .error = e.text,
				   .instructions = use.instructions,
				   .late = use.late};
	sw_decision_log_add(d->opt.decisions, &made);
}

/* The default policy decides in its stead, where the site wants that. */
static bool fallback(struct sw_dispatch *d, struct work *wk, struct scene *s, const struct options *o,
		     const struct question *q, struct sw_err failed)
{
	char text[PLAN_SENTENCE];
	if (!d->opt.fallback)
		return false;
	struct sw_policy_plan *got = sw_calloc(1, sizeof *got);
	struct sw_err e = sw_policy_place(d->opt.fallback, &q->in, got);
	record(d, d->opt.fallback, q, got, e);
	if (!sw_failed(e)) {
		sw_metric_add(d->m_policy, 1, "failed");
		snprintf(text, sizeof text, "policy failed, %s decides meanwhile: %s", sw_policy_name(d->opt.fallback),
			 failed.text);
		work_say(wk, true, "PolicyFailed", text);
		follow(d, wk, s, o, q, d->opt.fallback, got);
	}
	free(got);
	return !sw_failed(e);
}

static void policy_failed(struct sw_dispatch *d, struct work *wk, struct scene *s, const struct options *o,
			  const struct question *q, struct sw_err e)
{
	char text[PLAN_SENTENCE];
	if (fallback(d, wk, s, o, q, e))
		return;
	sw_metric_add(d->m_policy, 1, "failed");
	wk->plan_at_ms = sw_loop_now(d->opt.loop) + POLICY_AGAIN_MS;
	wk->plan_vain = false;
	snprintf(text, sizeof text, "policy failed: %s", e.text);
	work_say(wk, true, "PolicyFailed", text);
	if (s->plan.n == 0) {
		work_message(wk, s, text);
		return;
	}
	/* The last good plan is walked through once more: what was decided is held. */
	s->plan.at = 0;
	s->plan.until_ms = sw_loop_wall(d->opt.loop) + s->plan.step[0].patience_ms;
	nominate(d, wk, s, text);
}

/* Everything that a plan could depend on besides the workload; what changes with the clock counts by the second. */
static uint64_t view_of(const struct question *q)
{
	uint64_t h = (uint64_t)(q->in.now_ms / 1000);
	for (size_t i = 0; i < q->in.n_candidates; i++) {
		struct sw_candidate c = q->c[i];
		const char *const texts[] = {c.cluster, c.pool,  c.provider, c.region,
					     c.zone,    c.model, c.flavor,   c.machine};
		for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
			h = h * 31 + (texts[k] ? sw_hash(texts[k], strlen(texts[k])) : 0);
		const double numbers[] = {(double)c.free,
					  (double)c.total,
					  c.nodes_needed,
					  c.queue_depth,
					  (double)c.expected_start_ms,
					  c.price_hour,
					  c.spot + 2 * c.growable + 4 * c.budget_known + 8 * c.egress_known,
					  (double)c.stockout_until_ms,
					  c.quota_left,
					  c.gpus_per_node,
					  c.nodes,
					  c.nodes_max,
					  c.in_flight,
					  c.on_demand_hour,
					  c.spot_hour,
					  c.budget_left_hour,
					  c.egress_cost};
		h = h * 31 + sw_hash(numbers, sizeof numbers);
	}
	const double money[] = {q->in.committed_hour, q->in.max_hour};
	return h * 31 + sw_hash(money, sizeof money);
}

/* Equal jobs that look at the same candidates get the same plan, from one call. */
static struct sw_err ask(struct sw_dispatch *d, struct sw_policy *policy, const struct question *q,
			 struct sw_policy_plan *got)
{
	uint64_t view = view_of(q);
	const struct sw_policy_plan *known = sw_shapes_get(d->shapes, policy, &q->in, view);
	if (known) {
		*got = *known;
		return SW_OK;
	}
	struct sw_err e = sw_policy_place(policy, &q->in, got);
	if (!sw_failed(e))
		sw_shapes_put(d->shapes, policy, &q->in, view, got);
	return e;
}

/* After an eviction the policy may have said that the plan goes on. */
static bool go_on(struct sw_dispatch *d, struct work *wk, struct scene *s)
{
	struct plan *plan = sw_calloc(1, sizeof *plan);
	bool goes_on = history_plan(d, wk, s->row, plan);
	if (goes_on)
		s->plan = *plan;
	free(plan);
	if (!goes_on)
		return false;
	wk->plan_vain = false;
	wk->plan_at_ms = 0;
	s->plan.until_ms = sw_loop_wall(d->opt.loop) + s->plan.step[s->plan.at].patience_ms;
	nominate(d, wk, s, "goes on with its plan, as the policy wants it after an eviction");
	return true;
}

void decide_plan(struct sw_dispatch *d, struct work *wk, struct scene *s)
{
	struct options o;
	struct question q;
	wk->plan_stale = false;
	if (go_on(d, wk, s))
		return;
	options_read(d, wk, s->row, &o);
	question_make(d, wk, s->row, &o, &q);
	if (q.in.n_candidates == 0)
		nowhere(d, wk, s, &o);
	else {
		struct sw_policy_plan *got = sw_calloc(1, sizeof *got);
		struct sw_policy *policy = policy_for(d, s->row);
		struct sw_err e = ask(d, policy, &q, got);
		record(d, policy, &q, got, e);
		if (sw_failed(e))
			policy_failed(d, wk, s, &o, &q, e);
		else
			follow(d, wk, s, &o, &q, policy, got);
		free(got);
	}
	question_free(&q);
	options_free(&o);
}
