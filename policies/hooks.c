/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks.c - the functions of a policy besides place(): what may wait, what is bought, what is given back, what comes
 * next
 *
 * Each is optional. What they return is read as strictly as a plan; nothing at all is a mistake too, because a `return`
 * that was forgotten looks like that.
 */
#include "sandbox_priv.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "spillway/text.h"

enum { EXCLUDE_MS = 600 * 1000 };

/* Calls the function at the top's place: it and n views stand there; two results. who: "grow()". */
static void ask(lua_State *L, int n)
{
	box_refuel(L);
	lua_call(L, n, 2);
}

/* The second result is words for the user. */
static void words_read(lua_State *L, const char *who, char *out, size_t size)
{
	if (lua_type(L, -1) == LUA_TTABLE)
		luaL_error(L, "%s: reason is a table, expected a string", who);
	reason_read(L, lua_absindex(L, -1), who, out, size);
}

/* ---- admit --------------------------------------------------------------------------- */

void admit_run(lua_State *L, const struct sw_policy_input *in, struct sw_policy_admission *out)
{
	struct ctx ctx = {in->now_ms, in->committed_hour, in->max_hour};
	int top = lua_gettop(L);
	*out = (struct sw_policy_admission){.admit = true};
	policy_function(L, "admit");
	view_push(L, VIEW_WORKLOAD, in);
	view_push(L, VIEW_CTX, &ctx);
	ask(L, 2);
	if (lua_type(L, -2) != LUA_TBOOLEAN)
		luaL_error(L, "admit() returned %s, expected true, or false and a reason", view_typename(L, -2));
	out->admit = lua_toboolean(L, -2);
	words_read(L, "admit()", out->reason, sizeof out->reason);
	lua_settop(L, top);
}

struct admit {
	const struct sw_policy_input *in;
	struct sw_policy_admission *out;
};

static int admit_call(lua_State *L)
{
	const struct admit *a = lua_touserdata(L, ARG);
	admit_run(L, a->in, a->out);
	return 0;
}

struct sw_err sw_policy_admit(struct sw_policy *p, const struct sw_policy_input *in, struct sw_policy_admission *out)
{
	struct admit a = {in, out};
	*out = (struct sw_policy_admission){.admit = true};
	if (!(p->has & SW_POLICY_HAS_ADMIT))
		return SW_OK;
	struct sw_err e = policy_call(p, in, policy_seed(in), admit_call, &a);
	if (sw_failed(e))
		*out = (struct sw_policy_admission){.admit = false};
	return e;
}

/* ---- grow, release --------------------------------------------------------------------- */

/* A number from 0 to max, or NAN; booleans are left to the caller. */
static double number_read(lua_State *L, const char *who, double max, const char *expected)
{
	if (lua_type(L, -2) == LUA_TBOOLEAN)
		return NAN;
	double n = lua_type(L, -2) == LUA_TNUMBER ? (double)lua_tonumber(L, -2) : NAN;
	if (!(n >= 0 && n <= max))
		luaL_error(L, "%s returned %s, expected %s", who,
			   lua_type(L, -2) == LUA_TNUMBER ? lua_tostring(L, -2) : view_typename(L, -2), expected);
	return n;
}

struct grow {
	const struct sw_policy_pool *pool;
	const struct sw_policy_need *need;
	struct sw_policy_grow *out;
};

static int grow_call(lua_State *L)
{
	const struct grow *g = lua_touserdata(L, ARG);
	struct ctx ctx = {g->need->now_ms, g->need->committed_hour, g->need->max_hour};
	policy_function(L, "grow");
	view_push(L, VIEW_POOL, g->pool);
	view_push(L, VIEW_NEED, g->need);
	view_push(L, VIEW_CTX, &ctx);
	ask(L, 3);
	double n = number_read(L, "grow()", INT32_MAX, "nodes at most, true, or false and a reason");
	if (isnan(n))
		n = lua_toboolean(L, -2) ? g->need->nodes : 0;
	g->out->nodes = n < g->need->nodes ? (int)n : g->need->nodes;
	words_read(L, "grow()", g->out->reason, sizeof g->out->reason);
	return 0;
}

static uint64_t pool_seed(const struct sw_policy_pool *pool)
{
	const char *c = pool->cluster ? pool->cluster : "", *n = pool->pool ? pool->pool : "";
	return sw_hash(c, strlen(c)) ^ (sw_hash(n, strlen(n)) << 1);
}

/* A policy that fails buys nothing more, and gives back when the setting says: neither can cost what nobody decided. */
struct sw_err sw_policy_grow(struct sw_policy *p, const struct sw_policy_pool *pool, const struct sw_policy_need *need,
			     struct sw_policy_grow *out)
{
	struct grow g = {pool, need, out};
	*out = (struct sw_policy_grow){.nodes = need->nodes};
	if (!(p->has & SW_POLICY_HAS_GROW))
		return SW_OK;
	struct sw_err e = policy_call(p, NULL, pool_seed(pool), grow_call, &g);
	if (sw_failed(e))
		*out = (struct sw_policy_grow){.nodes = 0};
	return e;
}

struct release {
	const struct sw_policy_pool *pool;
	const struct sw_policy_node *node;
	struct sw_policy_release *out;
};

static int release_call(lua_State *L)
{
	const struct release *r = lua_touserdata(L, ARG);
	struct ctx ctx = {r->node->now_ms, NAN, NAN};
	policy_function(L, "release");
	view_push(L, VIEW_POOL, r->pool);
	view_push(L, VIEW_NODE, r->node);
	view_push(L, VIEW_CTX, &ctx);
	ask(L, 3);
	double s = number_read(L, "release()", SW_PATIENCE_MAX_S,
			       "seconds to be idle before, true (now) or false (keep it), and a reason");
	if (isnan(s))
		r->out->keep = !lua_toboolean(L, -2);
	r->out->after_ms = isnan(s) ? 0 : (int64_t)(s * 1000);
	words_read(L, "release()", r->out->reason, sizeof r->out->reason);
	return 0;
}

struct sw_err sw_policy_release(struct sw_policy *p, const struct sw_policy_pool *pool,
				const struct sw_policy_node *node, struct sw_policy_release *out)
{
	struct release r = {pool, node, out};
	*out = (struct sw_policy_release){.after_ms = node->after_ms};
	if (!(p->has & SW_POLICY_HAS_RELEASE))
		return SW_OK;
	struct sw_err e = policy_call(p, NULL, pool_seed(pool), release_call, &r);
	if (sw_failed(e))
		*out = (struct sw_policy_release){.after_ms = node->after_ms};
	return e;
}

/* ---- evicted ------------------------------------------------------------------------------- */

enum { ANSWER = 3, EXCLUDE = 5 };

struct evicted {
	const struct sw_policy_input *in;
	const struct sw_policy_attempt *attempt;
	struct sw_policy_after *out;
};

/* The word at the top. */
static enum sw_policy_then then_read(lua_State *L)
{
	static const char *const words[] = {
		[SW_THEN_PLAN] = "plan", [SW_THEN_RETRY] = "retry", [SW_THEN_NEXT] = "next"};
	char shown[40];
	const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : view_typename(L, -1);
	for (int i = 0; i < 3; i++)
		if (lua_type(L, -1) == LUA_TSTRING && strcmp(word, words[i]) == 0)
			return (enum sw_policy_then)i;
	sw_cut(shown, sizeof shown, word);
	luaL_error(L, "evicted() returned %s, expected \"plan\", \"retry\" or \"next\", or { go = one of them, ... }",
		   shown);
	return SW_THEN_PLAN;
}

static bool cluster_known(const struct evicted *e, const char *name)
{
	if (e->attempt->cluster && strcmp(e->attempt->cluster, name) == 0)
		return true;
	for (size_t i = 0; i < e->in->n_candidates; i++)
		if (strcmp(e->in->candidates[i].cluster, name) == 0)
			return true;
	return false;
}

/* The name at the top is left out for a while. Pops it. */
static void exclude_add(lua_State *L, const struct evicted *e)
{
	struct sw_policy_after *out = e->out;
	char shown[64];
	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "evicted(): exclude holds a %s, expected names of clusters", view_typename(L, -1));
	sw_cut(shown, sizeof shown, lua_tostring(L, -1));
	if (!cluster_known(e, lua_tostring(L, -1)))
		luaL_error(L, "evicted(): exclude: there is no cluster \"%s\"", shown);
	if (out->n_excluded == SW_POLICY_EXCLUDES)
		luaL_error(L, "evicted(): exclude: at most %d clusters", SW_POLICY_EXCLUDES);
	sw_cut(out->excluded[out->n_excluded], sizeof out->excluded[0], lua_tostring(L, -1));
	out->n_excluded++;
	lua_pop(L, 1);
}

static void exclude_read(lua_State *L, const struct evicted *e)
{
	int type = lua_getfield(L, ANSWER, "exclude");
	if (type == LUA_TTABLE) {
		lua_Integer n = (lua_Integer)lua_rawlen(L, EXCLUDE);
		for (lua_Integer i = 1; i <= n; i++) {
			lua_rawgeti(L, EXCLUDE, i);
			exclude_add(L, e);
		}
	} else if (type != LUA_TNIL) {
		lua_pushvalue(L, -1);
		exclude_add(L, e);
	}
	lua_pop(L, 1);
	type = lua_getfield(L, ANSWER, "seconds");
	double s = type == LUA_TNUMBER ? (double)lua_tonumber(L, -1) : NAN;
	if (type != LUA_TNIL && !(s >= 1 && s <= SW_PATIENCE_MAX_S))
		luaL_error(L, "evicted(): seconds is %s, expected a number from 1 to %d",
			   type == LUA_TNUMBER ? lua_tostring(L, -1) : lua_typename(L, type), SW_PATIENCE_MAX_S);
	e->out->exclude_ms = !e->out->n_excluded ? 0 : type == LUA_TNIL ? EXCLUDE_MS : (int64_t)(s * 1000);
	lua_pop(L, 1);
}

static int evicted_call(lua_State *L)
{
	static const char *const fields[] = {"go", "exclude", "seconds", "reason", NULL};
	const struct evicted *e = lua_touserdata(L, ARG);
	struct ctx ctx = {e->in->now_ms, e->in->committed_hour, e->in->max_hour};
	char found[40];
	policy_function(L, "evicted");
	view_push(L, VIEW_WORKLOAD, e->in);
	view_push(L, VIEW_ATTEMPT, e->attempt);
	view_push(L, VIEW_CTX, &ctx);
	ask(L, 3);
	if (lua_type(L, ANSWER) != LUA_TTABLE) {
		words_read(L, "evicted()", e->out->reason, sizeof e->out->reason);
		lua_settop(L, ANSWER);
		e->out->then = then_read(L);
		return 0;
	}
	lua_settop(L, ANSWER + 1);
	if (stranger(L, ANSWER, fields, found))
		return luaL_error(L, "evicted(): unknown field \"%s\"; there are go, exclude, seconds and reason",
				  found);
	lua_getfield(L, ANSWER, "go");
	e->out->then = then_read(L);
	lua_settop(L, ANSWER + 1);
	exclude_read(L, e);
	reason_read(L, ANSWER, "evicted()", e->out->reason, sizeof e->out->reason);
	return 0;
}

struct sw_err sw_policy_evicted(struct sw_policy *p, const struct sw_policy_input *in,
				const struct sw_policy_attempt *attempt, struct sw_policy_after *out)
{
	struct evicted ev = {in, attempt, out};
	memset(out, 0, sizeof *out);
	if (!(p->has & SW_POLICY_HAS_EVICTED))
		return SW_OK;
	struct sw_err e = policy_call(p, in, policy_seed(in), evicted_call, &ev);
	if (sw_failed(e))
		memset(out, 0, sizeof *out);
	return e;
}
