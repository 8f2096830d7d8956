/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - calls place(w, candidates, ctx) and reads the plan it returns
 *
 * The tables are made here, in C, and what comes back is checked as strictly as any outside input: a wrong
 * plan is an error that says which step and which candidate, never a guess.
 */
#include "sandbox_priv.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

struct sw_policy {
	struct box *box;
	char *name;
	char hash[17];
	unsigned has;
};

/* ---- input tables --------------------------------------------------------------- */

static void set_str(lua_State *L, const char *key, const char *value)
{
	lua_pushstring(L, value ? value : "");
	lua_setfield(L, -2, key);
}

static void set_num(lua_State *L, const char *key, double value)
{
	if (isnan(value))
		return; /* unknown is nil, so that arithmetic with it fails instead of winning */
	if (value == floor(value) && fabs(value) < 1e15)
		lua_pushinteger(L, (lua_Integer)value);
	else
		lua_pushnumber(L, value);
	lua_setfield(L, -2, key);
}

static void set_bool(lua_State *L, const char *key, bool value)
{
	lua_pushboolean(L, value);
	lua_setfield(L, -2, key);
}

/* Models that one plain name stands for ("A100") are equally welcome: they share a rank. They follow each other in the
 * catalog's order; in any other order the user has written them one by one, and order is preference. */
static void model_ranks(const struct sw_demand *d, int rank[SW_MODELS_MAX])
{
	for (size_t i = 0; i < d->n_models; i++) {
		bool same = i && strcmp(d->models[i]->family, d->models[i - 1]->family) == 0 &&
			    d->models[i] > d->models[i - 1];
		rank[i] = i == 0 ? 1 : rank[i - 1] + !same;
	}
}

static int candidate_rank(const struct sw_demand *d, const char *model)
{
	int rank[SW_MODELS_MAX] = {0};
	model_ranks(d, rank);
	for (size_t i = 0; i < d->n_models; i++)
		if (model && strcmp(d->models[i]->model, model) == 0)
			return rank[i];
	return d->n_models ? rank[d->n_models - 1] + 1 : 1;
}

static void push_models(lua_State *L, const struct sw_demand *d)
{
	lua_createtable(L, (int)d->n_models, 0);
	for (size_t i = 0; i < d->n_models; i++) {
		lua_pushstring(L, d->models[i]->model);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "models");
}

static void push_workload(lua_State *L, const struct sw_policy_input *in)
{
	static const char *const spot[] = {
		[SW_SPOT_ALLOW] = "allow", [SW_SPOT_NEVER] = "never", [SW_SPOT_REQUIRE] = "require"};
	static const char *const precision[] = {
#define X(id, name) name,
		SW_PRECISION_MAP(X)
#undef X
	};
	const struct sw_demand *d = in->demand;
	int64_t pods = 0;
	for (size_t i = 0; i < d->n_sets; i++)
		pods += d->sets[i].count;
	lua_createtable(L, 0, 20);
	set_str(L, "key", in->key);
	set_str(L, "name", in->job_name);
	set_str(L, "namespace", in->ns);
	set_str(L, "queue", in->queue);
	set_str(L, "kind", in->kind);
	set_num(L, "priority", in->priority);
	set_num(L, "waited", (double)in->waited_ms / 1000);
	set_num(L, "attempt", in->attempt);
	set_num(L, "pods", (double)pods);
	set_num(L, "gpus", (double)d->gpus);
	push_models(L, d);
	set_num(L, "gpu_memory", d->gpu_memory_bytes ? (double)d->gpu_memory_bytes / (double)(1 << 30) : NAN);
	if (d->has_precision)
		set_str(L, "precision", precision[d->precision]);
	set_str(L, "spot", spot[d->spot]);
	set_num(L, "max_price", isfinite(d->max_price) ? d->max_price : NAN);
	set_num(L, "deadline", d->deadline_ms ? (double)d->deadline_ms / 1000 : NAN);
	if (d->data)
		set_str(L, "data", d->data);
}

static void push_candidate(lua_State *L, const struct sw_policy_input *in, size_t i)
{
	const struct sw_candidate *c = &in->candidates[i];
	int64_t stockout_ms = c->stockout_until_ms > in->now_ms ? c->stockout_until_ms - in->now_ms : 0;
	lua_createtable(L, 0, 24);
	set_num(L, "index", (double)i + 1);
	set_str(L, "cluster", c->cluster);
	set_str(L, "pool", c->pool);
	set_str(L, "provider", c->provider);
	set_str(L, "region", c->region);
	set_str(L, "zone", c->zone);
	set_str(L, "model", c->model);
	set_num(L, "rank", candidate_rank(in->demand, c->model));
	set_num(L, "free", (double)c->free);
	set_num(L, "total", (double)c->total);
	set_num(L, "nodes_needed", c->nodes_needed);
	set_bool(L, "fits", c->nodes_needed == 0);
	set_num(L, "queue_depth", c->queue_depth);
	set_num(L, "expected_start", c->expected_start_ms >= 0 ? (double)c->expected_start_ms / 1000 : NAN);
	set_num(L, "price", c->price_hour);
	set_num(L, "price_age", isnan(c->price_hour) ? NAN : (double)c->price_age_ms / 1000);
	set_bool(L, "spot", c->spot);
	set_bool(L, "growable", c->growable);
	set_num(L, "stockout", (double)stockout_ms / 1000);
	set_num(L, "quota_left", c->quota_left >= 0 ? c->quota_left : NAN);
}

/* ---- the plan ---------------------------------------------------------------------- */

enum { GLOBALS = 1, ARG, WORKLOAD, CANDIDATES, INDEX_OF, CTX, PLAN, STEP, LIST };

struct place {
	const struct sw_policy_input *in;
	struct sw_policy_plan *out;
};

/* The one field that does not belong there (the smallest, so that the message is always the same), or NULL. Pops
 * nothing. */
static const char *stranger(lua_State *L, int table, const char *a, const char *b, char found[40])
{
	*found = '\0';
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			continue;
		const char *key = lua_tostring(L, -2);
		if (strcmp(key, a) == 0 || strcmp(key, b) == 0)
			continue;
		if (!*found || strncmp(key, found, 39) < 0)
			sw_cut(found, 40, key);
	}
	return *found ? found : NULL;
}

static uint16_t candidate_read(lua_State *L, const struct place *p, int step, int at)
{
	size_t n = p->in->n_candidates;
	int type = lua_type(L, -1);
	if (type == LUA_TTABLE) {
		lua_pushvalue(L, -1);
		if (lua_rawget(L, INDEX_OF) != LUA_TNUMBER)
			luaL_error(L,
				   "place(): step %d, candidate %d: a table that is not one of the candidates given; "
				   "return those, or their index",
				   step, at);
		lua_Integer i = lua_tointeger(L, -1);
		lua_pop(L, 1);
		return (uint16_t)(i - 1);
	}
	if (type != LUA_TNUMBER)
		luaL_error(L, "place(): step %d, candidate %d: found a %s, expected a candidate or its index", step, at,
			   lua_typename(L, type));
	int exact;
	lua_Integer i = lua_tointegerx(L, -1, &exact);
	if (!exact || i < 1 || (lua_Unsigned)i > n)
		luaL_error(L, "place(): step %d, candidate %d: found %f, expected an index from 1 to %d", step, at,
			   (lua_Number)lua_tonumber(L, -1), (int)n);
	return (uint16_t)(i - 1);
}

static void candidates_read(lua_State *L, const struct place *p, struct sw_plan_step *out, int step)
{
	if (lua_getfield(L, STEP, "candidates") != LUA_TTABLE)
		luaL_error(L, "place(): step %d: candidates is a %s, expected a list of candidates", step,
			   luaL_typename(L, -1));
	size_t n = lua_rawlen(L, LIST);
	if (n == 0)
		luaL_error(L, "place(): step %d: candidates is empty; leave out a step that has nowhere to go", step);
	if (n > SW_STEP_CANDIDATES)
		luaL_error(L, "place(): step %d: %d candidates, at most %d are allowed", step, (int)n,
			   SW_STEP_CANDIDATES);
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, LIST, (lua_Integer)i + 1);
		out->candidate[i] = candidate_read(L, p, step, (int)i + 1);
		lua_pop(L, 1);
		for (size_t k = 0; k < i; k++)
			if (out->candidate[k] == out->candidate[i])
				luaL_error(L, "place(): step %d: candidate %d (%s/%s) stands there twice", step,
					   out->candidate[i] + 1, p->in->candidates[out->candidate[i]].cluster,
					   p->in->candidates[out->candidate[i]].pool);
	}
	out->n = n;
	lua_pop(L, 1);
}

static void step_read(lua_State *L, const struct place *p, struct sw_plan_step *out, int step)
{
	char found[40];
	if (lua_rawgeti(L, PLAN, step) != LUA_TTABLE)
		luaL_error(L, "place(): step %d is a %s, expected { candidates = {...}, patience = seconds }", step,
			   luaL_typename(L, -1));
	if (stranger(L, STEP, "candidates", "patience", found))
		luaL_error(L, "place(): step %d: unknown field \"%s\"; a step has candidates and patience", step,
			   found);
	candidates_read(L, p, out, step);
	int type = lua_getfield(L, STEP, "patience");
	lua_Number s = type == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
	if (type != LUA_TNUMBER)
		luaL_error(L, "place(): step %d: patience is a %s, expected seconds", step, luaL_typename(L, -1));
	if (!(s >= 1 && s <= SW_PATIENCE_MAX_S))
		luaL_error(L, "place(): step %d: patience is %f, expected seconds from 1 to %d", step, s,
			   SW_PATIENCE_MAX_S);
	out->patience_ms = (int64_t)(s * 1000);
	out->max_price = INFINITY;
	lua_pop(L, 2);
}

static void plan_read(lua_State *L, const struct place *p)
{
	char found[40];
	if (lua_type(L, PLAN) != LUA_TTABLE)
		luaL_error(L, "place() returned %s, expected a list of steps ({} means: not now)",
			   luaL_typename(L, PLAN));
	size_t n = lua_rawlen(L, PLAN);
	if (n > SW_PLAN_STEPS)
		luaL_error(L, "place() returned %d steps, at most %d are allowed", (int)n, SW_PLAN_STEPS);
	if (stranger(L, PLAN, "reason", "reason", found))
		luaL_error(L,
			   "place() returned a plan with an unknown field \"%s\"; it is a list of steps and may have a "
			   "reason",
			   found);
	for (size_t i = 0; i < n; i++)
		step_read(L, p, &p->out->step[i], (int)i + 1);
	p->out->n = n;
	int type = lua_getfield(L, PLAN, "reason");
	if (type == LUA_TSTRING)
		sw_cut(p->out->reason, sizeof p->out->reason, lua_tostring(L, -1));
	else if (type != LUA_TNIL)
		luaL_error(L, "place() returned a reason that is a %s, expected a string", lua_typename(L, type));
	lua_settop(L, PLAN);
}

static int place_run(lua_State *L)
{
	const struct place *p = lua_touserdata(L, ARG);
	push_workload(L, p->in);
	lua_createtable(L, (int)p->in->n_candidates, 0);
	lua_createtable(L, 0, (int)p->in->n_candidates);
	for (size_t i = 0; i < p->in->n_candidates; i++) {
		push_candidate(L, p->in, i);
		lua_pushvalue(L, -1);
		lua_rawseti(L, CANDIDATES, (lua_Integer)i + 1);
		lua_pushinteger(L, (lua_Integer)i + 1);
		lua_rawset(L, INDEX_OF);
	}
	lua_createtable(L, 0, 1);
	set_num(L, "now", (double)p->in->now_ms / 1000);
	box_refuel(L); /* the script does not pay for its input */
	if (lua_getfield(L, GLOBALS, "place") != LUA_TFUNCTION)
		return luaL_error(L, "place is a %s after the policy's top level ran, expected a function",
				  luaL_typename(L, -1));
	lua_pushvalue(L, WORKLOAD);
	lua_pushvalue(L, CANDIDATES);
	lua_pushvalue(L, CTX);
	lua_call(L, 3, 1);
	plan_read(L, p);
	return 0;
}

/* ---- policy.h ------------------------------------------------------------------------- */

static int place_exists(lua_State *L)
{
	if (lua_getfield(L, GLOBALS, "place") != LUA_TFUNCTION)
		return luaL_error(L, "%s", "no function place(w, candidates, ctx) is defined");
	return 0;
}

/* Lua cuts long chunk names in its messages: chunks are named by the file alone, and the rest of the path is put back
 * here. */
static const char *chunk_name(const char *name)
{
	const char *slash = strrchr(name, '/');
	return slash && slash[1] ? slash + 1 : name;
}

static struct sw_err in_file(const char *name, struct sw_err e)
{
	const char *chunk = chunk_name(name);
	size_t n = strlen(chunk);
	if (!sw_failed(e) || strstr(e.text, name))
		return e;
	if (strncmp(e.text, chunk, n) == 0 && e.text[n] == ':')
		return sw_err(e.code, "%s%s", name, e.text + n);
	return sw_err_wrap(e, "%s", name);
}

struct sw_err sw_policy_new(const char *name, const char *src, size_t len, struct sw_policy_limits limits,
			    struct sw_policy **out)
{
	*out = NULL;
	struct sw_policy *p = sw_calloc(1, sizeof *p);
	p->name = sw_strdup(name);
	snprintf(p->hash, sizeof p->hash, "%016llx", (unsigned long long)sw_hash(src, len));
	struct sw_err e = box_new(limits, &p->box);
	if (!sw_failed(e))
		e = box_load(p->box, chunk_name(name), src, len);
	if (!sw_failed(e))
		e = box_call(p->box, 0, place_exists, NULL);
	e = in_file(name, e);
	if (sw_failed(e)) {
		sw_policy_free(p);
		return e;
	}
	p->has = SW_POLICY_HAS_PLACE;
	*out = p;
	return SW_OK;
}

void sw_policy_free(struct sw_policy *p)
{
	if (!p)
		return;
	box_free(p->box);
	free(p->name);
	free(p);
}

const char *sw_policy_name(const struct sw_policy *p)
{
	return p->name;
}
const char *sw_policy_hash(const struct sw_policy *p)
{
	return p->hash;
}
unsigned sw_policy_has(const struct sw_policy *p)
{
	return p->has;
}

struct sw_err sw_policy_place(struct sw_policy *p, const struct sw_policy_input *in, struct sw_policy_plan *out)
{
	memset(out, 0, sizeof *out);
	if (in->n_candidates > SW_POLICY_CANDIDATES)
		return sw_err(SW_E_TOOBIG, "%zu candidates for %s, a policy is given at most %d", in->n_candidates,
			      in->key, SW_POLICY_CANDIDATES);
	/* The same decision draws the same numbers, today and in a replay. */
	uint64_t seed = sw_hash(in->key, strlen(in->key)) ^ ((uint64_t)in->attempt << 32);
	struct place place = {in, out};
	struct sw_err e = box_call(p->box, seed, place_run, &place);
	if (!sw_failed(e))
		return e;
	memset(out, 0, sizeof *out);
	return in_file(p->name, e);
}
