/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library.c - what a policy may call
 *
 * Lua's own functions where they are harmless, and our own where Lua's are not deterministic
 * (pairs, table.sort, tostring, math.random) or could work long inside one call. Every function here is
 * C without state of its own. The tables that hold them are made once and can only be read; what a policy
 * defines stands in a table of its own before them, made anew for each call and closed once its top level ran.
 */
#include "sandbox_priv.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

enum { UNPACK_MAX = 1024 };

/* ---- merge sort over Lua values: stable, and the same on every machine ----------- */

/* less: of the two values at the top of the stack, is the first smaller? Pops neither. */

static bool less_by_call(lua_State *L, int cmp)
{
	lua_pushvalue(L, cmp);
	lua_pushvalue(L, -3);
	lua_pushvalue(L, -3);
	lua_call(L, 2, 1);
	bool less = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return less;
}

static bool less_by_value(lua_State *L, int cmp)
{
	(void)cmp;
	int a = lua_type(L, -2), b = lua_type(L, -1);
	if (a != b || (a != LUA_TNUMBER && a != LUA_TSTRING))
		luaL_error(L, "table.sort: cannot compare %s with %s; give a function(a, b) as second argument",
			   lua_typename(L, a), lua_typename(L, b));
	return lua_compare(L, -2, -1, LUA_OPLT);
}

static int key_rank(lua_State *L, int i)
{
	switch (lua_type(L, i)) {
	case LUA_TNUMBER:
		return 0;
	case LUA_TSTRING:
		return 1;
	default:
		return 2;
	}
}

static bool less_by_key(lua_State *L, int cmp)
{
	(void)cmp;
	int a = key_rank(L, -2), b = key_rank(L, -1);
	if (a != b)
		return a < b;
	if (a == 0)
		return lua_compare(L, -2, -1, LUA_OPLT);
	if (a == 2)
		return !lua_toboolean(L, -2) && lua_toboolean(L, -1);
	size_t n, m;
	const char *s = lua_tolstring(L, -2, &n), *t = lua_tolstring(L, -1, &m);
	int c = memcmp(s, t, n < m ? n : m);
	return c < 0 || (c == 0 && n < m);
}

/* from[lo..mid) and from[mid..hi) -> to[lo..hi); positions count from 1. */
static void merge(lua_State *L, int from, int to, lua_Integer lo, lua_Integer mid, lua_Integer hi, less_fn *less,
		  int cmp)
{
	lua_Integer a = lo, b = mid;
	for (lua_Integer at = lo; at < hi; at++) {
		bool take_b = a == mid;
		if (!take_b && b < hi) {
			lua_rawgeti(L, from, b);
			lua_rawgeti(L, from, a);
			take_b = less(L, cmp);
			lua_pop(L, 2);
		}
		lua_rawgeti(L, from, take_b ? b++ : a++);
		lua_rawseti(L, to, at);
	}
}

/* Sorts the n values of the table at index a, with a spare table at index b. Returns the index that holds the result.
 */
int box_merge_sort(lua_State *L, int a, int b, lua_Integer n, less_fn *less, int cmp)
{
	for (lua_Integer width = 1; width < n; width *= 2) {
		for (lua_Integer lo = 1; lo <= n; lo += 2 * width) {
			lua_Integer mid = lo + width, hi = lo + 2 * width;
			merge(L, a, b, lo, mid > n + 1 ? n + 1 : mid, hi > n + 1 ? n + 1 : hi, less, cmp);
		}
		box_charge(L, n);
		int swap = a;
		a = b;
		b = swap;
	}
	return a;
}

static int lib_sort(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	if (view_frozen(L, 1))
		return luaL_error(L,
				  "table.sort: this list can only be read; sort_by(list, ...) returns a sorted copy");
	if (!lua_isnoneornil(L, 2))
		luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
	box_charge(L, n);
	lua_createtable(L, (int)n, 0);
	lua_createtable(L, (int)n, 0);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, 1, i);
		lua_rawseti(L, 3, i);
	}
	int sorted = box_merge_sort(L, 3, 4, n, lua_isnil(L, 2) ? less_by_value : less_by_call, 2);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, sorted, i);
		lua_rawseti(L, 1, i);
	}
	return 0;
}

/* ---- pairs in the order of keys: numbers, strings, booleans ------------------------- */

static int pairs_next(lua_State *L)
{
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));
	luaL_checktype(L, 1, LUA_TTABLE);
	for (;;) {
		box_charge(L, 1);
		at++;
		if (lua_rawgeti(L, lua_upvalueindex(1), at) == LUA_TNIL)
			return 1;
		lua_pushvalue(L, -1);
		if (lua_rawget(L, 1) != LUA_TNIL)
			break;
		lua_pop(L, 2); /* removed meanwhile */
	}
	lua_pushinteger(L, at);
	lua_replace(L, lua_upvalueindex(2));
	return 2;
}

static int lib_pairs(lua_State *L)
{
	lua_Integer n = 0;
	if (view_copy(L, 1))
		lua_replace(L, 1);
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	lua_newtable(L);
	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		int type = lua_type(L, -2);
		if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TBOOLEAN)
			return luaL_error(L, "pairs: a key is a %s; only numbers, strings and booleans have an order",
					  lua_typename(L, type));
		lua_pushvalue(L, -2);
		lua_rawseti(L, 2, ++n);
	}
	box_charge(L, n);
	lua_pushvalue(L, box_merge_sort(L, 2, 3, n, less_by_key, 0));
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, pairs_next, 2);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

/* ---- the rest of our own -------------------------------------------------------------- */

/* Lua's prints addresses of tables, which differ from run to run. */
static int lib_tostring(lua_State *L)
{
	luaL_checkany(L, 1);
	switch (lua_type(L, 1)) {
	case LUA_TNIL:
	case LUA_TBOOLEAN:
	case LUA_TNUMBER:
	case LUA_TSTRING:
		luaL_tolstring(L, 1, NULL);
		break;
	default:
		lua_pushstring(L, view_typename(L, 1));
	}
	return 1;
}

/* splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014) */
static uint64_t random_next(struct box *box)
{
	uint64_t z = box->random += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static int lib_random(lua_State *L)
{
	uint64_t r = random_next(box_of(L));
	box_of(L)->personal = true;
	lua_Integer lo = 1, hi;
	int n = lua_gettop(L);
	if (n == 0) {
		lua_pushnumber(L, (double)(r >> 11) * 0x1p-53);
		return 1;
	}
	luaL_argcheck(L, n <= 2, 3, "at most two numbers");
	hi = luaL_checkinteger(L, n);
	if (n == 2)
		lo = luaL_checkinteger(L, 1);
	luaL_argcheck(L, lo <= hi, n, "interval is empty");
	uint64_t span = (uint64_t)hi - (uint64_t)lo + 1;
	uint64_t drawn = (uint64_t)lo + (span ? r % span : r); /* may pass 2^63: the sum is taken modulo 2^64 */
	lua_pushinteger(L, (lua_Integer)drawn);
	return 1;
}

/* ---- Lua's own, paid by the size of the table they walk --------------------------------- */

static int lib_paid(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TTABLE || lua_type(L, 1) == LUA_TSTRING)
		box_charge(L, (int64_t)lua_rawlen(L, 1) / 4 + 1);
	/* Called directly, so that an error names the policy's line. */
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int lib_unpack(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_Integer i = luaL_optinteger(L, 2, 1), j = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
	if (i > j)
		return 0;
	if ((lua_Unsigned)j - (lua_Unsigned)i >= UNPACK_MAX)
		return luaL_error(L, "table.unpack: more than %d values", UNPACK_MAX);
	int n = (int)(j - i) + 1;
	box_charge(L, n);
	luaL_checkstack(L, n, "too many values to unpack");
	for (int k = 0; k < n; k++)
		lua_geti(L, 1, i + k);
	return n;
}

/* Inputs are objects of ours, but for a script they are tables that can only be read. */
static int lib_type(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_pushstring(L, view_typename(L, 1));
	return 1;
}

enum source { OURS, LUAS, PAID };
static const struct {
	const char *lib, *name;
	enum source source;
	lua_CFunction fn;
} allowed[] = {
	{"_G", "assert", LUAS, NULL},
	{"_G", "error", LUAS, NULL},
	{"_G", "ipairs", LUAS, NULL},
	{"_G", "pcall", LUAS, NULL},
	{"_G", "select", LUAS, NULL},
	{"_G", "tonumber", PAID, NULL},
	{"_G", "type", OURS, lib_type},
	{"_G", "pairs", OURS, lib_pairs},
	{"_G", "tostring", OURS, lib_tostring},
	{"string", "byte", PAID, NULL},
	{"string", "char", LUAS, NULL},
	{"string", "len", LUAS, NULL},
	{"string", "lower", PAID, NULL},
	{"string", "sub", PAID, NULL},
	{"string", "upper", PAID, NULL},
	{"table", "concat", PAID, NULL},
	{"table", "insert", PAID, NULL},
	{"table", "remove", PAID, NULL},
	{"table", "sort", OURS, lib_sort},
	{"table", "unpack", OURS, lib_unpack},
	{"math", "abs", LUAS, NULL},
	{"math", "ceil", LUAS, NULL},
	{"math", "floor", LUAS, NULL},
	{"math", "fmod", LUAS, NULL},
	{"math", "huge", LUAS, NULL},
	{"math", "max", LUAS, NULL},
	{"math", "min", LUAS, NULL},
	{"math", "pi", LUAS, NULL},
	{"math", "random", OURS, lib_random},
	{"math", "sqrt", LUAS, NULL},
	{"math", "tointeger", LUAS, NULL},
	{"math", "type", LUAS, NULL},
};
static const struct {
	const char *lib;
	lua_CFunction open;
} libraries[] = {
	{"_G", luaopen_base},
	{"string", luaopen_string},
	{"table", luaopen_table},
	{"math", luaopen_math},
};
enum { N_LIBRARIES = sizeof libraries / sizeof *libraries };
/* Pushes the value of row i, with its library's full table on top of the stack. */
static void push_value(lua_State *L, size_t i)
{
	if (allowed[i].source == OURS) {
		lua_pushcfunction(L, allowed[i].fn);
		return;
	}
	lua_getfield(L, -1, allowed[i].name);
	if (allowed[i].source == PAID)
		lua_pushcclosure(L, lib_paid, 1);
}

/* Pushes a table of one library's allowed values. */
static void push_library(lua_State *L, const char *lib, lua_CFunction open)
{
	lua_newtable(L);
	luaL_requiref(L, lib, open, 0);
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		if (strcmp(allowed[i].lib, lib) == 0) {
			push_value(L, i);
			lua_setfield(L, -3, allowed[i].name);
		}
	lua_pop(L, 1);
}

static const char meta_key = 0; /* the registry's metatable of every table of globals */

void box_library_open(lua_State *L)
{
	push_library(L, libraries[0].lib, libraries[0].open);
	toolbox_open(L);
	for (size_t i = 1; i < N_LIBRARIES; i++) {
		push_library(L, libraries[i].lib, libraries[i].open);
		/* ("x"):find must not exist either: methods of strings come from our table. */
		if (strcmp(libraries[i].lib, "string") == 0) {
			lua_pushliteral(L, "");
			lua_getmetatable(L, -1);
			lua_pushvalue(L, -3);
			lua_setfield(L, -2, "__index");
			lua_pop(L, 2);
		}
		view_freeze(L, libraries[i].lib);
		lua_setfield(L, -2, libraries[i].lib);
	}
	lua_createtable(L, 0, 1);
	lua_insert(L, -2);
	lua_setfield(L, -2, "__index");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &meta_key);
	/* Nothing else stays reachable: neither Lua's own globals nor its table of loaded libraries. */
	lua_pushnil(L);
	lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_newtable(L);
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

/* Every write of a global comes here, because what scripts see as their globals is always empty. */
static int global_write(lua_State *L)
{
	if (box_of(L)->sealed)
		return luaL_error(
			L,
			"the global \"%s\" cannot be written from inside a call, where nothing is kept; make it "
			"a local",
			lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : view_typename(L, 2));
	lua_settop(L, 3);
	lua_rawset(L, lua_upvalueindex(1));
	return 0;
}

void box_globals(lua_State *L)
{
	lua_createtable(L, 0, 16);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key);
	lua_setmetatable(L, -2);
	lua_newtable(L);
	lua_createtable(L, 0, 2);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushvalue(L, -3);
	lua_pushcclosure(L, global_write, 1);
	lua_setfield(L, -2, "__newindex");
	lua_setmetatable(L, -2);
}
