/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spend.c - what each queue with a budget has spent on bought nodes in its present window
 *
 * A job on a pool that grows costs its share of the nodes, at the price of the moment it was placed, from then until it
 * leaves the cluster. The price stands in the plan's tail, so a restart loses none; the sums are a note of the manager,
 * written every half minute. Nothing is refused here: a policy reads w.budget (fair-spend does), and the hard limit of
 * all bought nodes is burst's.
 *
 * Windows follow each other from the epoch on: a window of a day begins at midnight UTC.
 */
#include "dispatch_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

enum { TICK_MS = 10000, STORE_MS = 30000, HOUR_MS = 3600 * 1000 };
#define NOTE "spend/"

struct account {
	const struct sw_budget_cfg *cfg;
	double spent;   /* in the window that began at */
	int64_t window; /* its number since the epoch */
	int64_t at_ms;  /* Unix: counted until */
	double stored;  /* as last written */
	bool read;
};
struct spend {
	struct account *at;
	size_t n;
	struct sw_timer *tick;
	int64_t stored_ms;
	struct sw_metric *m_spent, *m_limit;
};

static struct account *account_of(struct sw_dispatch *d, const struct sw_workload *row)
{
	for (size_t i = 0; i < d->spend->n; i++)
		if (queue_is(row, d->spend->at[i].cfg->queue))
			return &d->spend->at[i];
	return NULL;
}

/* A window that is over takes what was spent in it along. */
static void roll(struct account *a, int64_t wall)
{
	int64_t window = wall / a->cfg->window_ms;
	if (window != a->window)
		a->spent = 0;
	a->window = window;
}

/* ---- one job ------------------------------------------------------------------------ */

/* USD per hour; 0 on hardware that nobody buys. */
double spend_price(const struct work *wk, struct sw_worker *w, const char *pool)
{
	const struct sw_pool *p = sw_worker_pool(w, pool);
	return p && p->growable && p->price_hour > 0 ? p->price_hour * nodes_taken(p, wk->demand) : 0;
}

static void charge(struct work *wk, int64_t wall)
{
	struct account *a = wk->account;
	int64_t ms = wall - wk->charged_ms;
	if (!a || wk->cost_hour <= 0 || ms <= 0)
		return;
	roll(a, wall);
	/* what was spent before this window began belongs to the last one */
	int64_t in_window = wall % a->cfg->window_ms;
	a->spent += wk->cost_hour * (double)(ms < in_window ? ms : in_window) / HOUR_MS;
	wk->charged_ms = wall;
}

void spend_end(struct work *wk)
{
	charge(wk, sw_loop_wall(wk->d->opt.loop));
	wk->account = NULL;
	wk->cost_hour = 0;
	wk->cost_known = false;
}

void spend_begin(struct work *wk, const struct sw_workload *row, double cost_hour)
{
	spend_end(wk);
	wk->account = account_of(wk->d, row);
	wk->cost_hour = cost_hour;
	wk->charged_ms = sw_loop_wall(wk->d->opt.loop);
	wk->cost_known = true;
}

/* A job that was placed before we started: its price stands in its plan. */
static void pick_up(struct work *wk, const struct sw_workload *row)
{
	struct plan *plan = sw_calloc(1, sizeof *plan);
	if (plan_decode(plan, row->message)) {
		spend_begin(wk, row, (double)plan->cost_micro / 1e6);
		struct account *a = wk->account;
		if (a && a->at_ms && a->at_ms < wk->charged_ms)
			wk->charged_ms = a->at_ms; /* it ran on while we were away */
	}
	wk->cost_known = true;
	free(plan);
}

/* ---- all of them ----------------------------------------------------------------------- */

static void read_note(void *owner, const char *name, json_t *value)
{
	struct account *a = owner;
	if (strcmp(name + strlen(NOTE), a->cfg->queue) != 0)
		return;
	if (sw_json_int(value, "windowMs", 0) != a->cfg->window_ms)
		return; /* another window: it begins anew */
	a->window = sw_json_int(value, "window", 0);
	a->at_ms = sw_json_int(value, "at", 0);
	double spent = json_object_get_double(sw_json_key(value, "spent"));
	a->stored = a->spent = isfinite(spent) && spent > 0 ? spent : 0;
}

static void read_notes(struct sw_dispatch *d)
{
	for (size_t i = 0; i < d->spend->n; i++) {
		struct account *a = &d->spend->at[i];
		if (a->read)
			continue;
		a->read = true;
		d->m->ops->notes(d->m, NOTE, read_note, a);
		roll(a, sw_loop_wall(d->opt.loop));
	}
}

static void store(struct sw_dispatch *d, struct account *a, int64_t wall)
{
	char name[400];
	snprintf(name, sizeof name, NOTE "%.300s", a->cfg->queue);
	json_t *value = json_object_new_object();
	sw_json_set_int(value, "window", a->window);
	sw_json_set_int(value, "windowMs", a->cfg->window_ms);
	sw_json_set_int(value, "at", wall);
	json_object_object_add(value, "spent", json_object_new_double(a->spent));
	struct sw_err e = d->m->ops->note_put(d->m, name, value, NULL, NULL);
	json_object_put(value);
	if (!sw_failed(e))
		a->stored = a->spent;
}

static void on_tick(void *owner)
{
	struct sw_dispatch *d = owner;
	int64_t wall = sw_loop_wall(d->opt.loop);
	bool write = wall - d->spend->stored_ms >= STORE_MS;
	sw_timer_in(d->spend->tick, TICK_MS);
	if (!d->synced || !d->workers)
		return;
	read_notes(d);
	for (struct work *wk = d->works; wk; wk = wk->hh.next) {
		const struct sw_workload *row = row_of(d, wk->key);
		bool placed = row && row->cluster && !row->finished;
		if (placed && !wk->cost_known)
			pick_up(wk, row);
		if (placed)
			charge(wk, wall);
		else if (wk->account)
			spend_end(wk);
	}
	for (size_t i = 0; i < d->spend->n; i++) {
		struct account *a = &d->spend->at[i];
		roll(a, wall);
		a->at_ms = wall;
		sw_metric_set(d->spend->m_spent, a->spent, a->cfg->queue);
		if (a->spent != a->stored && (write || a->stored == 0))
			store(d, a, wall);
	}
	if (write)
		d->spend->stored_ms = wall;
}

struct sw_policy_budget spend_budget(struct sw_dispatch *d, const struct sw_workload *row)
{
	struct account *a = account_of(d, row);
	int64_t wall = sw_loop_wall(d->opt.loop);
	if (!a)
		return (struct sw_policy_budget){.spent = NAN};
	read_notes(d);
	roll(a, wall);
	return (struct sw_policy_budget){.limit = a->cfg->limit,
					 .spent = a->spent,
					 .window_ms = a->cfg->window_ms,
					 .elapsed_ms = wall % a->cfg->window_ms};
}

struct sw_err spend_open(struct sw_dispatch *d)
{
	const struct sw_config *c = d->opt.config;
	d->spend = sw_calloc(1, sizeof *d->spend);
	d->spend->n = c->n_budgets;
	d->spend->at = sw_calloc(c->n_budgets + 1, sizeof *d->spend->at);
	d->spend->stored_ms = sw_loop_wall(d->opt.loop);
	d->spend->m_spent = sw_metric(d->opt.metrics, SW_GAUGE, "spillway_queue_spent_usd",
				      "Spent on bought nodes in the present window of the queue's budget.", "queue");
	d->spend->m_limit =
		sw_metric(d->opt.metrics, SW_GAUGE, "spillway_queue_budget_usd", "The queue's budget.", "queue");
	for (size_t i = 0; i < c->n_budgets; i++) {
		d->spend->at[i].cfg = &c->budgets[i];
		sw_metric_set(d->spend->m_limit, c->budgets[i].limit, c->budgets[i].queue);
	}
	if (!c->n_budgets)
		return SW_OK; /* nothing to count */
	struct sw_err e = sw_timer_new(d->opt.loop, on_tick, d, &d->spend->tick);
	if (!sw_failed(e))
		sw_timer_in(d->spend->tick, TICK_MS);
	return e;
}

void spend_close(struct sw_dispatch *d)
{
	if (!d->spend)
		return;
	sw_timer_free(d->spend->tick);
	free(d->spend->at);
	free(d->spend);
	d->spend = NULL;
}
