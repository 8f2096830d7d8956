/* SPDX-License-Identifier: Apache-2.0 */
/*
 * companions.c - Secrets and ConfigMaps go to the winner before the job's pods start there
 *
 * Due while a copy is there whose job names some: after it was created (they are owned by it) and, on a plain worker,
 * before it is unsuspended. What was sent is remembered in memory only: after a restart they are sent again, which
 * changes nothing. A refusal is said on the job and ends the trying: its pods then say what they miss.
 */
#include "dispatch_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

bool companions_due(const struct work *wk, const struct scene *s)
{
	return s->v.current && !s->v.ended && !s->v.going && s->copy.companions &&
	       wk->companions_attempt != s->row->attempt && wk->d->m->ops->fetch;
}

/* Why this job's wishes cannot be met by any cluster; NULL if they can. */
const char *companions_refused(const struct sw_dispatch *d, const struct work *wk, const struct sw_workload *row,
			       char *why, size_t size)
{
	struct sw_companions c;
	struct sw_err e = sw_companions_read(wk->job, &c);

	if (sw_failed(e)) {
		sw_cut(why, size, e.text);
		return why;
	}
	for (size_t i = 0; i < c.n; i++) {
		const char *word = sw_companion_word(c.at[i].kind);
		if (sw_config_may_send(d->opt.config, row->ns, word, c.at[i].name))
			continue;
		snprintf(why, size, "%s/%s of namespace %s may not leave the manager (setting companions)", word,
			 c.at[i].name, row->ns);
		return why;
	}
	return NULL;
}

/* What will be sent is not missing there. */
void companions_leave_out(json_t *job, struct sw_needs *needs)
{
	struct sw_companions c;
	size_t kept = 0;

	if (sw_failed(sw_companions_read(job, &c)))
		return;
	for (size_t i = 0; i < needs->n; i++) {
		bool sent = false;
		for (size_t k = 0; k < c.n && !sent; k++)
			sent = c.at[k].kind == needs->at[i].kind && strcmp(c.at[k].name, needs->at[i].name) == 0;
		if (!sent)
			needs->at[kept++] = needs->at[i];
	}
	needs->n = kept;
}

/* ---- one after another ------------------------------------------------------------------- */

static bool is_final(enum sw_code c)
{
	return c == SW_E_FORBIDDEN || c == SW_E_INVALID || c == SW_E_TOOBIG || c == SW_E_MISSING ||
	       c == SW_E_UNSUPPORTED;
}

static const struct sw_companion *under_way(const struct work *wk)
{
	return &wk->companions->at[wk->companions_sent];
}

static void one_done(struct work *wk, struct sw_err err)
{
	char text[600];

	if (sw_failed(err) && !is_final(err.code)) {
		work_step_done(wk, err, 0);
		return;
	}
	if (sw_failed(err)) {
		snprintf(text, sizeof text, "%s/%s was not sent along: %s", sw_companion_word(under_way(wk)->kind),
			 under_way(wk)->name, err.text);
		work_say(wk, true, "CompanionRefused", text);
	}
	wk->companions_sent++;
	work_step_done(wk, SW_OK, 1);
}

static void on_sent(void *owner, struct sw_err err)
{
	one_done(owner, err);
}

static void on_fetched(void *owner, struct sw_err err, json_t *object)
{
	struct work *wk = owner;
	const struct sw_workload *row = row_of(wk->d, wk->key);

	if (!sw_failed(err) && row)
		err = sw_worker_companion(wk->w, row->kind, row->ns, row->job_name, under_way(wk), object, on_sent, wk);
	else if (!row)
		err = sw_err(SW_E_BUSY, "the workload is gone");
	if (sw_failed(err))
		one_done(wk, err);
}

static void companions_begin(struct work *wk, const struct scene *s)
{
	char why[300];
	if (!wk->companions)
		wk->companions = sw_calloc(1, sizeof *wk->companions);
	struct sw_err e = sw_companions_read(wk->job, wk->companions);
	if (sw_failed(e) || companions_refused(wk->d, wk, s->row, why, sizeof why))
		wk->companions->n = 0; /* the configuration changed since it was placed */
}

struct sw_err companions_send(struct work *wk, const struct scene *s)
{
	const struct sw_manager_ops *ops = wk->d->m->ops;

	wk->w = s->winner;
	if (wk->companions_sent == 0)
		companions_begin(wk, s);
	if (wk->companions_sent >= wk->companions->n) {
		wk->companions_attempt = s->row->attempt;
		wk->companions_sent = 0;
		free(wk->companions);
		wk->companions = NULL;
		work_step_done(wk, SW_OK, 1);
		return SW_OK;
	}
	const struct sw_companion *c = under_way(wk);
	return ops->fetch(wk->d->m, sw_need_type(c->kind)->plural, s->row->ns, c->name, on_fetched, wk);
}
