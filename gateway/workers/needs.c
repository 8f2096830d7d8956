/* SPDX-License-Identifier: Apache-2.0 */
/*
 * needs.c - does what a job's pods name exist on this cluster?
 *
 * Answers come from a small cache that is filled by GETs of single objects: watching every Secret of a cluster would
 * ask for far more rights than knowing whether one is there. An answer that has grown old is still given while it is
 * asked again, so that only the first job that names an object waits for a round trip. What is missing is looked for
 * again by itself, ever more slowly, and the cluster counts as changed when it appears.
 *
 * Where we have no right to look (403), or the server has no such resource, nothing is known to be missing: the job may
 * go there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

enum {
	PRESENT_MS = 60 * 1000,
	ABSENT_MS = 5 * 1000,
	ABSENT_MAX_MS = 60 * 1000,
	FORGET_MS = 60 * 60 * 1000,
	ROWS_MAX = 8192
};

enum need_seen { NEED_UNKNOWN, NEED_PRESENT, NEED_ABSENT };

struct need_row {
	UT_hash_handle hh; /* by id */
	struct sw_worker *w;
	enum sw_need_kind kind;
	enum need_seen seen;
	bool asking;
	unsigned tries;               /* that found nothing, one after another */
	uint64_t again_ms, wanted_ms; /* loop time: asked again after; last asked for by anybody */
	char *ns, *name;
	char id[];
};

static void row_free(struct sw_worker *w, struct need_row *r)
{
	HASH_DEL(w->needs, r);
	free(r->ns);
	free(r->name);
	free(r);
}

/* ---- asking ------------------------------------------------------------------------- */

static void row_learn(struct need_row *r, struct sw_err err)
{
	enum need_seen was = r->seen;
	uint64_t wait = PRESENT_MS;

	r->asking = false;
	if (!sw_failed(err)) {
		r->seen = NEED_PRESENT;
		r->tries = 0;
	} else {
		if (err.code == SW_E_MISSING)
			r->seen = NEED_ABSENT;
		wait = (uint64_t)ABSENT_MS << (r->tries < 4 ? r->tries : 4);
		r->tries++;
	}
	r->again_ms = worker_now(r->w) + (wait < ABSENT_MAX_MS ? wait : ABSENT_MAX_MS);
	if (r->seen != was)
		worker_changed(r->w);
}

static struct need_row *row_find(struct sw_worker *w, const char *id)
{
	struct need_row *r;
	HASH_FIND_STR(w->needs, id, r);
	return r;
}

/* The row may have gone meanwhile: it is found by its name. */
static void on_reply(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct need_row *r = row_find(a->w, a->name);

	/* A 404 of the object names it; a 404 of the path does not. */
	if (err.code == SW_E_FORBIDDEN || (err.code == SW_E_MISSING && !sw_json_str(reply->object, "details.name")))
		err = SW_OK;
	if (r)
		row_learn(r, err);
	act_end(a, SW_OK);
}

static void row_ask(struct need_row *r)
{
	const struct sw_need_type *t = sw_need_type(r->kind);
	struct sw_buf path;

	if (r->asking || !r->w->kube || r->w->claim.state != SW_CLAIM_OURS)
		return;
	sw_buf_init(&path, 2048);
	sw_kube_path(&path, t->group, t->version, t->plural, t->namespaced ? r->ns : NULL, r->name, NULL);
	struct act *a = act_new(r->w, NULL, NULL);
	a->name = sw_strdup(r->id);
	a->on_reply = on_reply;
	r->asking = true;
	struct sw_err e = act_begun(a, act_send(a, SW_KUBE_LIST, "GET", &path, NULL, NULL));
	if (sw_failed(e))
		row_learn(r, e);
	sw_buf_fini(&path);
}

/* What is missing may come, what nobody wants may go. */
static void on_timer(void *owner)
{
	struct sw_worker *w = owner;
	struct need_row *r, *tmp;
	uint64_t now = worker_now(w);

	HASH_ITER(hh, w->needs, r, tmp)
	{
		if (now - r->wanted_ms > FORGET_MS && !r->asking)
			row_free(w, r);
		else if (r->seen != NEED_PRESENT && now >= r->again_ms)
			row_ask(r);
	}
	sw_timer_in(w->needs_timer, ABSENT_MS);
}

static struct need_row *row_get(struct sw_worker *w, const char *ns, const struct sw_need *need)
{
	const struct sw_need_type *t = sw_need_type(need->kind);
	char id[640];

	int n = snprintf(id, sizeof id, "%s/%s/%s", t->plural, t->namespaced ? ns : "", need->name);
	if (n < 0 || (size_t)n >= sizeof id)
		return NULL; /* no object has such a name: the API server will say so */
	struct need_row *r = row_find(w, id);
	if (!r && HASH_COUNT(w->needs) < ROWS_MAX) {
		r = sw_calloc(1, sizeof *r + (size_t)n + 1);
		memcpy(r->id, id, (size_t)n + 1);
		r->w = w;
		r->kind = need->kind;
		r->ns = sw_strdup(ns);
		r->name = sw_strdup(need->name);
		HASH_ADD_STR(w->needs, id, r);
	}
	return r;
}

/* ---- the answer ------------------------------------------------------------------------ */

enum sw_needs_seen sw_worker_needs(struct sw_worker *w, const char *ns, const struct sw_needs *needs, char *why,
				   size_t size)
{
	enum sw_needs_seen seen = SW_NEEDS_MET;

	for (size_t i = 0; i < needs->n; i++) {
		struct need_row *r = row_get(w, ns, &needs->at[i]);
		const struct sw_need_type *t = sw_need_type(needs->at[i].kind);

		if (!r)
			continue;
		r->wanted_ms = worker_now(w);
		if (r->seen == NEED_UNKNOWN || r->wanted_ms >= r->again_ms)
			row_ask(r);
		if (r->seen == NEED_ABSENT) {
			snprintf(why, size, "%s %s%s%s does not exist there", t->word, t->namespaced ? ns : "",
				 t->namespaced ? "/" : "", r->name);
			return SW_NEEDS_MISSING;
		}
		if (r->seen == NEED_UNKNOWN && seen == SW_NEEDS_MET) {
			seen = SW_NEEDS_UNKNOWN;
			snprintf(why, size, "whether %s %s exists there is being looked up", t->word, r->name);
		}
	}
	return seen;
}

struct sw_err needs_open(struct sw_worker *w)
{
	struct sw_err e = sw_timer_new(w->ws->opt.loop, on_timer, w, &w->needs_timer);
	if (!sw_failed(e))
		sw_timer_in(w->needs_timer, ABSENT_MS);
	return e;
}

void needs_close(struct sw_worker *w)
{
	struct need_row *r, *tmp;

	HASH_ITER(hh, w->needs, r, tmp)
	row_free(w, r);
	sw_timer_free(w->needs_timer);
	w->needs_timer = NULL;
}
