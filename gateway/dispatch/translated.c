/* SPDX-License-Identifier: Apache-2.0 */
/*
 * translated.c - what a job's pods ask for where they run, for `explain`
 *
 * The same function that makes the copy is run on a copy that goes nowhere, so that what is shown is what is done.
 */
#include "dispatch_priv.h"

#include <string.h>
#include "spillway/translate.h"

/* Where it is; or else where the plan would try first now. NULL: nowhere. */
static const char *place_of(const struct sw_dispatch *d, const struct scene *s, struct sw_worker **w)
{
	const struct plan *p = &s->plan;
	*w = s->row->cluster ? sw_workers_find(d->workers, s->row->cluster) : NULL;
	if (*w)
		return s->pool;
	if (p->at >= p->n || !p->step[p->at].n)
		return NULL;
	*w = sw_workers_find(d->workers, plan_text(p, p->step[p->at].place[0].cluster));
	return *w ? plan_text(p, p->step[p->at].place[0].pool) : NULL;
}

void translated_add(struct sw_dispatch *d, const struct work *wk, const struct scene *s, json_t *o)
{
	struct sw_worker *w;
	struct sw_target to;
	const char *pool = place_of(d, s, &w);
	json_t *list = json_object_new_array();
	json_object_object_add(o, "translated", list);
	if (!pool || !*pool || !wk || !wk->job)
		return;
	struct sw_err e = sw_worker_target(w, pool, &to);
	if (!sw_failed(e)) {
		json_t *copy = sw_json_copy(wk->job);
		e = sw_translate_job(s->row->kind, copy, &to, list);
		json_object_put(copy);
	}
	sw_target_fini(&to);
	json_t *where = json_object_new_object();
	sw_json_set_str(where, "cluster", sw_worker_name(w));
	sw_json_set_str(where, "pool", pool);
	if (sw_failed(e))
		sw_json_set_str(where, "error", e.text);
	json_object_object_add(o, "translatedFor", where);
}
