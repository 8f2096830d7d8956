/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line.c - jobs that wait for the same room stand in line, and only the first of each line looks for it
 *
 * Room comes and goes with every pod anywhere. If fifty thousand jobs looked again each time, nobody else would get
 * a turn. Those that ask the same of the same places get the same answer, so the first one (by priority, then by age)
 * asks for all; when it leaves the line, the next looks at once. Only it keeps its manifest in memory.
 *
 * In line stand jobs that wait for busy nodes and have nothing of their own: no reservation, no growing pool, no offer,
 * no cluster that refused them, no stranger's object with their name. Whatever a job does but look and wait takes it
 * out of its line. Its own deadlines and changes wake it as ever.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "dispatch_priv.h"
#include "spillway/text.h"

struct line {
	UT_hash_handle hh; /* by shape */
	uint64_t shape;
	struct sw_heap heap;
};

/* ---- who looks for a place at all ------------------------------------------------------ */

void work_seeks(struct work *wk, bool on)
{
	struct sw_dispatch *d = wk->d;
	if (wk->seeks == on)
		return;
	wk->seeks = on;
	if (on)
		DL_APPEND2(d->seekers, wk, seek_prev, seek_next);
	else
		DL_DELETE2(d->seekers, wk, seek_prev, seek_next);
}

/* ---- lines --------------------------------------------------------------------------------- */

static struct work *first_of(const struct line *l)
{
	char *node = (char *)sw_heap_top(&l->heap);
	return node ? (struct work *)(void *)(node - offsetof(struct work, stands)) : NULL;
}

static struct line *line_get(struct sw_dispatch *d, uint64_t shape)
{
	struct line *l;
	HASH_FIND(hh, d->lines, &shape, sizeof shape, l);
	if (l)
		return l;
	l = sw_calloc(1, sizeof *l);
	l->shape = shape;
	HASH_ADD(hh, d->lines, shape, sizeof l->shape, l);
	return l;
}

static void line_drop(struct sw_dispatch *d, struct line *l)
{
	HASH_DEL(d->lines, l);
	sw_heap_fini(&l->heap);
	free(l);
}

void line_leave(struct work *wk)
{
	struct line *l = wk->line;
	if (!l)
		return;
	bool was_first = first_of(l) == wk;
	wk->line = NULL;
	sw_heap_remove(&l->heap, &wk->stands);
	struct work *next = first_of(l);
	if (!next)
		line_drop(wk->d, l);
	else if (was_first)
		sw_reconciler_add(wk->d->queue, next->key);
}

/* The most urgent first, then the oldest. */
static uint64_t order_of(const struct sw_workload *row)
{
	return (uint64_t)((int64_t)INT32_MAX - row->priority) << 32 | (uint32_t)(row->created_ms / 1000);
}

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
	return h * 31 + sw_hash(bytes, n);
}

/* What it asks, and where. */
static uint64_t shape_of(const struct work *wk, const struct scene *s)
{
	const struct plan_step *st = &s->plan.step[s->plan.at];
	uint64_t h = wk->demand->n_sets, where = 0;
	for (size_t i = 0; i < wk->demand->n_sets; i++) {
		const struct sw_podset *set = &wk->demand->sets[i];
		const int64_t numbers[] = {set->count, set->cpu_milli, set->memory_bytes, set->gpus};
		h = mix(h, numbers, sizeof numbers);
		if (set->gpu_resource)
			h = mix(h, set->gpu_resource, strlen(set->gpu_resource));
	}
	for (size_t i = 0; i < st->n; i++) {
		const char *cluster = plan_text(&s->plan, st->place[i].cluster),
			   *pool = plan_text(&s->plan, st->place[i].pool);
		where += mix(sw_hash(cluster, strlen(cluster)), pool, strlen(pool)); /* in whatever order */
	}
	return h * 31 + where;
}

/* Has the place no answer of its own for this job? */
static bool is_common(const struct sw_dispatch *d, const struct scene *s, const struct plan_place *p)
{
	const struct sw_workload *row = s->row;
	struct sw_worker *w = sw_workers_find(d->workers, plan_text(&s->plan, p->cluster));
	return !w || (!sw_worker_takes_offers(w) &&
		      sw_worker_copy(w, row->kind, row->ns, row->job_name, row->job_uid).seen != SW_COPY_FOREIGN);
}

static bool may_stand(const struct work *wk, const struct scene *s)
{
	const struct plan_step *st = &s->plan.step[s->plan.at];
	if (!s->v.plan_known || !st->n || !wk->demand || s->v.grow_candidate >= 0)
		return false;
	if (wk->reserved.w || wk->grows.w || out_any(wk))
		return false;
	for (size_t i = 0; i < st->n; i++)
		if (!is_common(wk->d, s, &st->place[i]))
			return false;
	return true;
}

void line_join(struct work *wk, const struct scene *s)
{
	if (!may_stand(wk, s)) {
		line_leave(wk);
		work_seeks(wk, true);
		return;
	}
	uint64_t shape = shape_of(wk, s);
	if (wk->line && wk->line->shape != shape)
		line_leave(wk);
	if (!wk->line) {
		wk->stands.pos = SW_HEAP_OUT;
		wk->line = line_get(wk->d, shape);
	}
	sw_heap_put(&wk->line->heap, &wk->stands, order_of(s->row));
	work_seeks(wk, false);
	if (first_of(wk->line) != wk)
		work_drop_job(wk);
}

size_t lines_first(struct sw_dispatch *d, const struct sw_workload **rows)
{
	struct line *l, *next;
	size_t n = 0;
	HASH_ITER(hh, d->lines, l, next)
	{
		const struct sw_workload *row = row_of(d, first_of(l)->key);
		if (row)
			rows[n++] = row;
		else
			sw_reconciler_add(d->queue, first_of(l)->key);
	}
	return n;
}

size_t lines_count(const struct sw_dispatch *d)
{
	return HASH_COUNT(d->lines);
}
