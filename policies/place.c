/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - calls place(w, candidates, ctx) and reads the plan it returns
 *
 * What comes back is checked as strictly as any outside input: a wrong
 * plan is an error that says which step and which candidate, never a guess.
 */
#include "sandbox_priv.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

/* ---- the plan ---------------------------------------------------------------------- */

enum { PLAN = 3, STEP, LIST };

struct place {
	const struct sw_policy_input *in;
	struct sw_policy_plan *out;
	enum sw_plan_spot spot; /* of the plan: for steps that say nothing */
	double max_price;
};

const char *stranger(lua_State *L, int table, const char *const *allowed, char found[40])
{
	*found = '\0';
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			continue;
		const char *key = lua_tostring(L, -2);
		size_t i = 0;
		while (allowed[i] && strcmp(key, allowed[i]) != 0)
			i++;
		if (!allowed[i] && (!*found || strncmp(key, found, 39) < 0))
			sw_cut(found, 40, key);
	}
	return *found ? found : NULL;
}

/* A list has the whole keys 1..n and no other: what stands elsewhere would be passed over without a word. */
static size_t list_read(lua_State *L, int table, const char *what)
{
	size_t n = lua_rawlen(L, table);
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		if (lua_type(L, -2) == LUA_TSTRING)
			continue;
		lua_Integer i = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
		if (i < 1 || (lua_Unsigned)i > n)
			luaL_error(L, "place(): %s is a list with holes, or with keys that are not 1, 2, 3, ...", what);
	}
	return n;
}

static uint16_t candidate_read(lua_State *L, const struct place *p, int step, int at)
{
	size_t n = p->in->n_candidates;
	int type = lua_type(L, -1);
	const struct sw_candidate *c = view_at(L, -1, VIEW_CANDIDATE);
	if (c)
		return (uint16_t)(c - p->in->candidates);
	if (type == LUA_TTABLE || type == LUA_TUSERDATA)
		luaL_error(L,
			   "place(): step %d, candidate %d: a table that is not one of the candidates given; "
			   "return those, or their index",
			   step, at);
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
			   view_typename(L, -1));
	if (view_copy(L, LIST)) /* the list of all candidates, as it was given */
		lua_replace(L, LIST);
	size_t n = list_read(L, LIST, "candidates");
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

/* The field at the top as money, or `otherwise` if it is not there. Pops it. */
static double price_read(lua_State *L, const char *where, double otherwise)
{
	int type = lua_type(L, -1);
	lua_Number usd = type == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
	if (type != LUA_TNIL && !(type == LUA_TNUMBER && usd >= 0 && usd < INFINITY))
		luaL_error(L, "place(): %s: max_price is %s, expected USD per hour", where,
			   type == LUA_TNUMBER ? lua_tostring(L, -1) : lua_typename(L, type));
	lua_pop(L, 1);
	return type == LUA_TNIL ? otherwise : usd;
}

static enum sw_plan_spot spot_read(lua_State *L, const char *where, enum sw_plan_spot otherwise)
{
	static const char *const words[] = {
		[SW_PLAN_SPOT_ANY] = "any", [SW_PLAN_SPOT_NEVER] = "never", [SW_PLAN_SPOT_ONLY] = "only"};
	const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
	enum sw_plan_spot spot = otherwise;
	bool known = lua_isnil(L, -1);
	for (int i = 0; word && i < 3; i++)
		if (strcmp(word, words[i]) == 0) {
			spot = (enum sw_plan_spot)i;
			known = true;
		}
	if (!known) {
		char shown[40];
		sw_cut(shown, sizeof shown, word ? word : view_typename(L, -1));
		luaL_error(L, "place(): %s: spot is %s, expected \"any\", \"never\" or \"only\"", where, shown);
	}
	lua_pop(L, 1);
	return spot;
}

void reason_read(lua_State *L, int table, const char *who, char *out, size_t size)
{
	int type = lua_type(L, table) == LUA_TTABLE ? lua_getfield(L, table, "reason")
						    : (lua_pushvalue(L, table), lua_type(L, table));
	if (type == LUA_TSTRING)
		sw_cut(out, size, lua_tostring(L, -1));
	else if (type != LUA_TNIL)
		luaL_error(L, "%s: reason is a %s, expected a string", who, lua_typename(L, type));
	text_clean(out);
	lua_pop(L, 1);
}

/* Candidates that are too dear, or whose price nobody knows, are left out; the wrong kind is a mistake. */
static void step_limit(lua_State *L, const struct place *p, struct sw_plan_step *out, int step)
{
	size_t kept = 0;
	for (size_t i = 0; i < out->n; i++) {
		const struct sw_candidate *c = &p->in->candidates[out->candidate[i]];
		if (out->spot != SW_PLAN_SPOT_ANY && c->spot != (out->spot == SW_PLAN_SPOT_ONLY))
			luaL_error(L, "place(): step %d: %s/%s %s spot, and spot is \"%s\"", step, c->cluster, c->pool,
				   c->spot ? "is" : "is not", out->spot == SW_PLAN_SPOT_ONLY ? "only" : "never");
		if (isinf(out->max_price) || c->price_hour <= out->max_price)
			out->candidate[kept++] = out->candidate[i];
	}
	out->n = kept;
}

static void step_read(lua_State *L, const struct place *p, struct sw_plan_step *out, int step)
{
	static const char *const fields[] = {"candidates", "patience", "spot", "max_price", "reason", NULL};
	char found[40], where[24];
	snprintf(where, sizeof where, "step %d", step);
	if (lua_rawgeti(L, PLAN, step) != LUA_TTABLE)
		luaL_error(L, "place(): step %d is a %s, expected { candidates = {...}, patience = seconds }", step,
			   view_typename(L, -1));
	if (stranger(L, STEP, fields, found))
		luaL_error(L,
			   "place(): step %d: unknown field \"%s\"; a step has candidates and patience, and may have "
			   "spot, max_price and reason",
			   step, found);
	candidates_read(L, p, out, step);
	int type = lua_getfield(L, STEP, "patience");
	lua_Number s = type == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
	if (type != LUA_TNUMBER)
		luaL_error(L, "place(): step %d: patience is a %s, expected seconds", step, view_typename(L, -1));
	if (!(s >= 1 && s <= SW_PATIENCE_MAX_S))
		luaL_error(L, "place(): step %d: patience is %f, expected seconds from 1 to %d", step, s,
			   SW_PATIENCE_MAX_S);
	out->patience_ms = (int64_t)(s * 1000);
	lua_pop(L, 1);
	lua_getfield(L, STEP, "spot");
	out->spot = spot_read(L, where, p->spot);
	lua_getfield(L, STEP, "max_price");
	out->max_price = price_read(L, where, p->max_price);
	reason_read(L, STEP, "place(): a step", out->reason, sizeof out->reason);
	lua_pop(L, 1);
	step_limit(L, p, out, step);
}

static void plan_read(lua_State *L, struct place *p)
{
	static const char *const fields[] = {"reason", "spot", "max_price", NULL};
	char found[40];
	if (view_frozen(L, PLAN))
		luaL_error(L, "place() returned one of its inputs, expected a list of steps ({} means: not now)");
	if (lua_type(L, PLAN) != LUA_TTABLE)
		luaL_error(L, "place() returned %s, expected a list of steps ({} means: not now)",
			   view_typename(L, PLAN));
	size_t n = list_read(L, PLAN, "the plan");
	if (n > SW_PLAN_STEPS)
		luaL_error(L, "place() returned %d steps, at most %d are allowed", (int)n, SW_PLAN_STEPS);
	if (stranger(L, PLAN, fields, found))
		luaL_error(L,
			   "place() returned a plan with an unknown field \"%s\"; it is a list of steps and may have "
			   "spot, max_price and a reason",
			   found);
	lua_getfield(L, PLAN, "spot");
	p->spot = spot_read(L, "the plan", SW_PLAN_SPOT_ANY);
	lua_getfield(L, PLAN, "max_price");
	p->max_price = price_read(L, "the plan", INFINITY);
	for (size_t i = 0; i < n; i++) {
		struct sw_plan_step *st = &p->out->step[p->out->n];
		step_read(L, p, st, (int)i + 1);
		p->out->n += st->n > 0;
	}
	reason_read(L, PLAN, "place()", p->out->reason, sizeof p->out->reason);
	lua_settop(L, PLAN);
}

void policy_function(lua_State *L, const char *name)
{
	lua_pushstring(L, name);
	if (lua_rawget(L, GLOBALS) != LUA_TFUNCTION)
		luaL_error(L, "%s is a %s after the policy's top level ran, expected a function", name,
			   view_typename(L, -1));
	/* Where it begins: for errors about what it returned, when no line of it runs any more. */
	struct box *box = box_of(L);
	lua_Debug ar;
	lua_pushvalue(L, -1);
	lua_getinfo(L, ">S", &ar);
	box->entry = name;
	box->entry_line = ar.linedefined;
	box->place_line = ar.linedefined > 0 ? ar.linedefined : 0;
	memcpy(box->place_src, ar.short_src, sizeof box->place_src);
}

static bool defines(lua_State *L, const char *name)
{
	lua_pushstring(L, name);
	bool it_does = lua_rawget(L, GLOBALS) == LUA_TFUNCTION;
	lua_pop(L, 1);
	return it_does;
}

static int place_run(lua_State *L)
{
	struct place *p = lua_touserdata(L, ARG);
	if (defines(L, "admit")) {
		struct sw_policy_admission a;
		admit_run(L, p->in, &a);
		if (!a.admit) {
			p->out->held = true;
			sw_cut(p->out->reason, sizeof p->out->reason, a.reason);
			return 0;
		}
	}
	if (!defines(L, "place")) {
		rank_plan(L, p->in, p->out);
		return 0;
	}
	policy_function(L, "place");
	view_push(L, VIEW_WORKLOAD, p->in);
	view_push_candidates(L);
	struct ctx ctx = {p->in->now_ms, p->in->committed_hour, p->in->max_hour};
	view_push(L, VIEW_CTX, &ctx);
	box_refuel(L); /* the script does not pay for its input */
	lua_call(L, 3, 1);
	plan_read(L, p);
	return 0;
}

/* ---- policy.h ------------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned bit;
} functions[] = {
	{"place", SW_POLICY_HAS_PLACE}, {"rank", SW_POLICY_HAS_RANK},       {"admit", SW_POLICY_HAS_ADMIT},
	{"grow", SW_POLICY_HAS_GROW},   {"release", SW_POLICY_HAS_RELEASE}, {"evicted", SW_POLICY_HAS_EVICTED},
};

/* What the top level defined. One of these names that is no function is a mistake. */
static int functions_find(lua_State *L)
{
	unsigned *has = lua_touserdata(L, ARG);
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		lua_pushstring(L, functions[i].name);
		int type = lua_rawget(L, GLOBALS);
		if (type == LUA_TFUNCTION)
			*has |= functions[i].bit;
		else if (type != LUA_TNIL)
			return luaL_error(L, "%s is a %s, expected a function", functions[i].name,
					  lua_typename(L, type));
		lua_pop(L, 1);
	}
	if (!(*has & (SW_POLICY_HAS_PLACE | SW_POLICY_HAS_RANK)))
		return luaL_error(L, "%s",
				  "no function place(w, candidates, ctx) is defined, and no rank(w, candidate, ctx)");
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
	p->hash_bits = sw_hash(src, len);
	snprintf(p->hash, sizeof p->hash, "%016llx", (unsigned long long)p->hash_bits);
	struct sw_err e = box_new(limits, &p->box);
	if (!sw_failed(e))
		e = box_load(p->box, chunk_name(name), src, len);
	if (!sw_failed(e))
		e = box_call(p->box, 0, functions_find, &p->has);
	e = in_file(name, e);
	if (sw_failed(e)) {
		sw_policy_free(p);
		return e;
	}
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

struct sw_policy_use sw_policy_used(const struct sw_policy *p)
{
	return p->use;
}

/* The same decision draws the same numbers, today and in a replay. */
uint64_t policy_seed(const struct sw_policy_input *in)
{
	return sw_hash(in->key, strlen(in->key)) ^ ((uint64_t)in->attempt << 32);
}

struct sw_err policy_call(struct sw_policy *p, const struct sw_policy_input *in, uint64_t seed, lua_CFunction fn,
			  void *arg)
{
	if (in && in->n_candidates > SW_POLICY_CANDIDATES)
		return sw_err(SW_E_TOOBIG, "%zu candidates for %s, a policy is given at most %d", in->n_candidates,
			      in->key, SW_POLICY_CANDIDATES);
	p->box->in = in;
	struct sw_err e = box_call(p->box, seed, fn, arg);
	p->box->in = NULL;
	p->use = (struct sw_policy_use){.instructions = p->box->spent,
					.memory_bytes = p->box->peak,
					.late = p->box->late,
					.personal = p->box->personal};
	return in_file(p->name, e);
}

struct sw_err sw_policy_place(struct sw_policy *p, const struct sw_policy_input *in, struct sw_policy_plan *out)
{
	struct place place = {.in = in, .out = out, .max_price = INFINITY};
	memset(out, 0, sizeof *out);
	struct sw_err e = policy_call(p, in, policy_seed(in), place_run, &place);
	if (sw_failed(e))
		memset(out, 0, sizeof *out);
	return e;
}
