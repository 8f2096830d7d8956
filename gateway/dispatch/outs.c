/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outs.c - clusters that a job is not sent to for a while: they refused it, or it failed to start there
 *
 * In memory alone: after a restart each is asked once more. A cluster that refuses the same job again is left alone for
 * twice as long as before, so a job that nobody will ever take costs less and less.
 */
#include "dispatch_priv.h"

#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

enum { DOUBLINGS = 5 };

static struct out *find(const struct work *wk, const struct sw_worker *w)
{
	for (size_t i = 0; i < wk->n_outs; i++)
		if (wk->outs[i].w == w)
			return &wk->outs[i];
	return NULL;
}

static struct out *get(struct work *wk, const struct sw_worker *w)
{
	struct out *o = find(wk, w);
	if (o)
		return o;
	wk->outs = realloc(wk->outs, (wk->n_outs + 1) * sizeof *wk->outs);
	SW_REQUIRE(wk->outs);
	o = &wk->outs[wk->n_outs++];
	*o = (struct out){.w = w};
	return o;
}

const struct out *out_now(const struct work *wk, const struct sw_worker *w)
{
	const struct out *o = find(wk, w);
	return o && sw_loop_now(wk->d->opt.loop) < o->until_ms ? o : NULL;
}

bool out_any(const struct work *wk)
{
	for (size_t i = 0; i < wk->n_outs; i++)
		if (out_now(wk, wk->outs[i].w))
			return true;
	return false;
}

static struct out *mark(struct work *wk, const struct sw_worker *w, uint64_t ms, const char *why)
{
	struct sw_loop *loop = wk->d->opt.loop;
	uint64_t until = sw_loop_now(loop) + ms;
	struct out *o = get(wk, w);
	if (until > o->until_ms) {
		o->until_ms = until;
		o->until_wall_ms = sw_loop_wall(loop) + (int64_t)ms;
	}
	sw_cut(o->why, sizeof o->why, why);
	return o;
}

void out_mark(struct work *wk, const struct sw_worker *w, uint64_t ms, const char *why)
{
	mark(wk, w, ms, why)->refused = false;
}

/* What the cluster said, without what the request was. */
static const char *answer_of(const char *text)
{
	const char *http = strstr(text, ": HTTP ");
	return http ? http + 2 : text;
}

void out_refused(struct work *wk, const struct sw_worker *w, uint64_t ms, struct sw_err err)
{
	struct out *o = get(wk, w);
	unsigned times = o->times < DOUBLINGS ? o->times++ : o->times;
	mark(wk, w, ms << times, answer_of(err.text))->refused = true;
}

void out_deaf(struct work *wk, const struct sw_worker *w, uint64_t priority)
{
	get(wk, w)->deaf_to = priority;
}

bool out_is_deaf(const struct work *wk, const struct sw_worker *w, uint64_t priority)
{
	const struct out *o = find(wk, w);
	return o && o->deaf_to == priority;
}

void out_forget(struct work *wk, const struct sw_worker *w)
{
	struct out *o = find(wk, w);
	if (o)
		*o = wk->outs[--wk->n_outs];
}

void outs_free(struct work *wk)
{
	free(wk->outs);
	wk->outs = NULL;
	wk->n_outs = 0;
}
