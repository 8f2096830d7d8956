/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rank.c - calls rank(w, candidate, ctx) for every candidate, and makes the standard plan of the scores
 *
 * The plan: higher scores first, one step for each score (equal scores share it, in order of names), each with the
 * patience that the policy's global `patience` says; the last step takes what is left.
 */
#include "sandbox_priv.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

enum { PATIENCE_S = 900 };

/* The two results at the top of the stack: a score and perhaps words, or nothing and perhaps why. */
static void score_read(lua_State *L, const struct sw_candidate *c, struct sw_policy_score *out)
{
	int type = lua_type(L, -2);
	*out = (struct sw_policy_score){.here = type == LUA_TNUMBER};
	if (type == LUA_TNUMBER) {
		out->score = (double)lua_tonumber(L, -2);
		if (!isfinite(out->score))
			luaL_error(L, "rank() returned %f for %s/%s, expected a number", out->score, c->cluster,
				   c->pool);
	} else if (type != LUA_TNIL && !(type == LUA_TBOOLEAN && !lua_toboolean(L, -2))) {
		luaL_error(L, "rank() returned a %s for %s/%s, expected a score, or nil or false and a reason",
			   view_typename(L, -2), c->cluster, c->pool);
	}
	if (lua_type(L, -1) == LUA_TTABLE)
		luaL_error(L, "rank(): reason is a table, expected a string");
	reason_read(L, lua_absindex(L, -1), "rank()", out->why, sizeof out->why);
}

void rank_all(lua_State *L, const struct sw_policy_input *in, struct sw_policy_score *out)
{
	struct ctx ctx = {in->now_ms, in->committed_hour, in->max_hour};
	policy_function(L, "rank");
	int rank = lua_gettop(L);
	view_push(L, VIEW_WORKLOAD, in);
	view_push(L, VIEW_CTX, &ctx);
	box_refuel(L);
	for (size_t i = 0; i < in->n_candidates; i++) {
		lua_pushvalue(L, rank);
		lua_pushvalue(L, rank + 1);
		view_push(L, VIEW_CANDIDATE, &in->candidates[i]);
		lua_pushvalue(L, rank + 2);
		lua_call(L, 3, 2);
		score_read(L, &in->candidates[i], &out[i]);
		lua_settop(L, rank + 2);
	}
	lua_settop(L, rank - 1);
}

struct rank {
	const struct sw_policy_input *in;
	struct sw_policy_score *out;
};

static int rank_run(lua_State *L)
{
	const struct rank *r = lua_touserdata(L, ARG);
	rank_all(L, r->in, r->out);
	return 0;
}

struct sw_err sw_policy_rank(struct sw_policy *p, const struct sw_policy_input *in, struct sw_policy_score *out)
{
	struct rank r = {in, out};
	if (!(p->has & SW_POLICY_HAS_RANK))
		return sw_err(SW_E_INVALID, "%s defines no rank(w, candidate, ctx)", p->name);
	struct sw_err e = policy_call(p, in, policy_seed(in), rank_run, &r);
	if (sw_failed(e))
		memset(out, 0, in->n_candidates * sizeof *out);
	return e;
}

/* ---- the standard plan ----------------------------------------------------------------- */

struct ranked {
	double score;
	const struct sw_candidate *c;
	const char *why;
};

static int names_compare(const struct sw_candidate *a, const struct sw_candidate *b)
{
	int c = strcmp(a->cluster, b->cluster);
	c = c ? c : strcmp(a->pool, b->pool);
	return c ? c : (a > b) - (a < b);
}

static int better(const void *x, const void *y)
{
	const struct ranked *a = x, *b = y;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return names_compare(a->c, b->c);
}

static int64_t patience_read(lua_State *L)
{
	lua_pushliteral(L, "patience");
	int type = lua_rawget(L, GLOBALS);
	lua_Number s = type == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
	if (type != LUA_TNIL && !(s >= 1 && s <= SW_PATIENCE_MAX_S))
		luaL_error(L, "the global patience is %s, expected seconds from 1 to %d",
			   type == LUA_TNUMBER ? lua_tostring(L, -1) : lua_typename(L, type), SW_PATIENCE_MAX_S);
	lua_pop(L, 1);
	return type == LUA_TNIL ? PATIENCE_S * 1000 : (int64_t)(s * 1000);
}

static void steps_make(const struct ranked *list, size_t n, const struct sw_policy_input *in, int64_t patience_ms,
		       struct sw_policy_plan *out)
{
	struct sw_plan_step *st = NULL;
	for (size_t i = 0; i < n; i++) {
		bool next = !st || (list[i].score != list[i - 1].score && out->n < SW_PLAN_STEPS);
		if (next) {
			st = &out->step[out->n++];
			*st = (struct sw_plan_step){.patience_ms = patience_ms, .max_price = INFINITY};
			sw_cut(st->reason, sizeof st->reason, list[i].why);
		}
		if (st->n < SW_STEP_CANDIDATES)
			st->candidate[st->n++] = (uint16_t)(list[i].c - in->candidates);
	}
}

/* Nobody scored: the reason of the first by name that gave one. */
static void nowhere_words(const struct sw_policy_input *in, const struct sw_policy_score *scores,
			  struct sw_policy_plan *out)
{
	const struct sw_candidate *first = NULL;
	for (size_t i = 0; i < in->n_candidates; i++) {
		const struct sw_candidate *c = &in->candidates[i];
		if (!*scores[i].why || (first && names_compare(first, c) < 0))
			continue;
		char words[600];
		first = c;
		snprintf(words, sizeof words, "%s/%s: %s", c->cluster, c->pool, scores[i].why);
		sw_cut(out->reason, sizeof out->reason, words);
	}
}

void rank_plan(lua_State *L, const struct sw_policy_input *in, struct sw_policy_plan *out)
{
	/* On Lua's heap: an error on the way leaves nothing behind. Not counted as blocks of the script: at most 1024.
	 */
	struct sw_policy_score *scores = lua_newuserdatauv(L, in->n_candidates * sizeof *scores + 1, 0);
	struct ranked *list = lua_newuserdatauv(L, in->n_candidates * sizeof *list + 1, 0);
	size_t n = 0;
	int64_t patience_ms = patience_read(L);
	rank_all(L, in, scores);
	for (size_t i = 0; i < in->n_candidates; i++)
		if (scores[i].here)
			list[n++] = (struct ranked){scores[i].score, &in->candidates[i], scores[i].why};
	qsort(list, n, sizeof *list, better);
	steps_make(list, n, in, patience_ms, out);
	if (n)
		sw_cut(out->reason, sizeof out->reason, list[0].why);
	else
		nowhere_words(in, scores, out);
}
