/* SPDX-License-Identifier: Apache-2.0 */
/*
 * priority.c - a job's priority was changed: offers follow it, waiting or running
 *
 * Quota on the manager, and so the order of jobs there, is the manager's own affair. A cluster that decides by itself
 * ranks what it was offered, and may preempt it, by the priority of the offer. Only classes of Kueue's own are
 * followed: those of pods are part of what was offered and never change.
 *
 * A cluster that refuses is not asked again for the same priority: nothing of the job's life depends on it.
 */
#include "dispatch_priv.h"

#include <stdio.h>
#include <string.h>
#include "spillway/text.h"

static uint64_t mark_of(const struct sw_workload *row)
{
	return sw_hash(row->priority_class, strlen(row->priority_class)) * 31 + (uint32_t)row->priority;
}

static bool is_behind(const struct scene *s, const struct sw_offered *o)
{
	const struct sw_workload *row = s->row;
	bool ours = o->seen == SW_COPY_OURS && o->attempt == row->attempt && !o->deleting && !o->over;
	return ours && (o->priority != row->priority || strcmp(o->priority_class, row->priority_class) != 0);
}

void priority_see(struct sw_dispatch *d, const struct work *wk, struct scene *s)
{
	const struct sw_workload *row = s->row;
	if (!wk || !s->v.may_run || !row->priority_class || !*row->priority_class)
		return;
	for (size_t i = 0; i < sw_workers_count(d->workers); i++) {
		struct sw_worker *w = sw_workers_at(d->workers, i);
		if (!sw_worker_takes_offers(w) || !sw_worker_state(w).ready || out_is_deaf(wk, w, mark_of(row)))
			continue;
		struct sw_offered o = sw_worker_offered(w, wk->key, row->job_uid);
		if (!is_behind(s, &o))
			continue;
		s->v.behind = (int)i;
		s->behind = w;
		s->behind_offered = o;
		return;
	}
}

static void on_told(void *owner, struct sw_err err)
{
	struct work *wk = owner;
	char text[500];
	/* Refused, not lost: an offer that is gone by now is no refusal either. */
	if (err.code == SW_E_INVALID || err.code == SW_E_FORBIDDEN || err.code == SW_E_UNSUPPORTED) {
		out_deaf(wk, wk->w, wk->telling);
		snprintf(text, sizeof text, "cluster %s keeps the priority that it was offered with: %s",
			 sw_worker_name(wk->w), err.text);
		work_say(wk, true, "PriorityRefused", text);
		err = SW_OK;
	}
	work_step_done(wk, err, 1);
}

struct sw_err priority_tell(struct work *wk, const struct scene *s)
{
	const struct sw_workload *row = s->row;
	wk->w = s->behind;
	wk->telling = mark_of(row);
	return sw_worker_prioritize(s->behind, wk->key, s->behind_offered.uid, row->priority_class, row->priority,
				    on_told, wk);
}
