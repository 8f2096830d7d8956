/* SPDX-License-Identifier: Apache-2.0 */
/*
 * toolbox.c - what policies would otherwise write again and again: sort_by, filter, cheapest, hours, ...
 *
 * Plain functions among the globals of every policy, documented in README.md. They never change their arguments,
 * accept candidates as well as plain tables (tests are made of those), and break ties by the names of cluster and
 * pool, so that the order in which candidates happen to come decides nothing. What is unknown sorts last.
 */
#include "sandbox_priv.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "spillway/text.h"

enum { LIST_MAX = 2048, KEYS_MAX = 8 };

/* ---- lists and keys ------------------------------------------------------------------- */

static int list_len(lua_State *L, const char *who)
{
	if (lua_type(L, 1) != LUA_TTABLE)
		return luaL_error(L, "%s: the first argument is a %s, expected a list", who, view_typename(L, 1));
	lua_Integer n = luaL_len(L, 1);
	if (n > LIST_MAX)
		return luaL_error(L, "%s: a list of %d, at most %d are allowed", who, (int)n, LIST_MAX);
	box_charge(L, n);
	return (int)n;
}

/* A key is the name of a field or a function(item). */
static void key_check(lua_State *L, int key, const char *who)
{
	int type = lua_type(L, key);
	if (type != LUA_TFUNCTION && type != LUA_TSTRING)
		luaL_error(L, "%s: found a %s, expected the name of a field or a function(item)", who,
			   view_typename(L, key));
}

static void item_check(lua_State *L, int item, int i, const char *who)
{
	int type = lua_type(L, item);
	if (type != LUA_TTABLE && type != LUA_TUSERDATA)
		luaL_error(L, "%s: item %d is a %s, which has no fields", who, i, view_typename(L, item));
}

/* Pushes what the key gives for the item at the top, which stays. skip: characters of a field's name to pass over. */
static void key_of(lua_State *L, int key, int i, int skip, const char *who)
{
	if (lua_type(L, key) == LUA_TFUNCTION) {
		lua_pushvalue(L, key);
		lua_pushvalue(L, -2);
		lua_call(L, 1, 1);
		return;
	}
	item_check(L, -1, i, who);
	lua_getfield(L, -1, lua_tostring(L, key) + skip);
}

static bool number_of(lua_State *L, int item, const char *field, double *out)
{
	lua_getfield(L, item, field);
	bool known = lua_type(L, -1) == LUA_TNUMBER;
	*out = known ? (double)lua_tonumber(L, -1) : NAN;
	lua_pop(L, 1);
	return known && !isnan(*out);
}

static bool flag_of(lua_State *L, int item, const char *field)
{
	lua_getfield(L, item, field);
	bool b = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return b;
}

/* ---- sort_by --------------------------------------------------------------------------------- */

struct key {
	enum { KEY_NUMBER, KEY_STRING, KEY_FLAG, KEY_UNKNOWN } type;
	union {
		double n;
		const char *s; /* kept by the table of anchors */
		bool b;
	};
};
struct sort {
	struct key *keys; /* per item n_keys, then its two names */
	int n_keys, per;
	bool down[KEYS_MAX];
	const struct field *field[KEYS_MAX]; /* of a candidate, read without asking Lua; NULL: it is asked */
};
enum { LIST = 1 };

static struct key key_read(lua_State *L, int anchors, lua_Integer *n_anchors, int i)
{
	struct key k = {.type = KEY_UNKNOWN};
	switch (lua_type(L, -1)) {
	case LUA_TNUMBER:
		k.n = (double)lua_tonumber(L, -1);
		k.type = isnan(k.n) ? KEY_UNKNOWN : KEY_NUMBER;
		break;
	case LUA_TSTRING:
		k.type = KEY_STRING;
		k.s = lua_tostring(L, -1);
		lua_pushvalue(L, -1);
		lua_rawseti(L, anchors, ++*n_anchors);
		break;
	case LUA_TBOOLEAN:
		k.type = KEY_FLAG;
		k.b = lua_toboolean(L, -1);
		break;
	case LUA_TNIL:
		break;
	default:
		luaL_error(L, "sort_by: the key of item %d is a %s, expected a number, string or boolean", i,
			   view_typename(L, -1));
	}
	lua_pop(L, 1);
	return k;
}

/* The same of a candidate's field: strings are the host's, and outlive the call. */
static struct key key_of_value(struct value v)
{
	switch (v.kind) {
	case VALUE_STR:
		return (struct key){.type = KEY_STRING, .s = v.s};
	case VALUE_NUM:
		return (struct key){.type = KEY_NUMBER, .n = v.n};
	case VALUE_INT:
		return (struct key){.type = KEY_NUMBER, .n = (double)v.i};
	case VALUE_BOOL:
		return (struct key){.type = KEY_FLAG, .b = v.b};
	default:
		return (struct key){.type = KEY_UNKNOWN};
	}
}

/* Names for ties: of the item at the top, which stays. */
static struct key name_read(lua_State *L, const char *field, int anchors, lua_Integer *n_anchors)
{
	const struct sw_candidate *c = view_at(L, -1, VIEW_CANDIDATE);
	if (c)
		return (struct key){.type = KEY_STRING, .s = strcmp(field, "pool") == 0 ? c->pool : c->cluster};
	if (lua_type(L, -1) != LUA_TTABLE)
		return (struct key){.type = KEY_UNKNOWN};
	lua_getfield(L, -1, field);
	if (lua_type(L, -1) == LUA_TSTRING)
		return key_read(L, anchors, n_anchors, 0);
	lua_pop(L, 1);
	return (struct key){.type = KEY_UNKNOWN};
}

static int key_compare(lua_State *L, const struct key *a, const struct key *b)
{
	if (a->type != b->type && a->type != KEY_UNKNOWN && b->type != KEY_UNKNOWN)
		return luaL_error(L, "sort_by: a key gives values of two kinds, which have no order");
	if (a->type == KEY_UNKNOWN || b->type == KEY_UNKNOWN)
		return 0;
	if (a->type == KEY_NUMBER)
		return (a->n > b->n) - (a->n < b->n);
	if (a->type == KEY_STRING)
		return a->s && b->s ? strcmp(a->s, b->s) : 0;
	return b->b - a->b; /* true first */
}

static bool before(lua_State *L, const struct sort *s, int x, int y)
{
	const struct key *a = s->keys + (size_t)x * (size_t)s->per, *b = s->keys + (size_t)y * (size_t)s->per;
	for (int k = 0; k < s->per; k++) {
		bool no_a = a[k].type == KEY_UNKNOWN, no_b = b[k].type == KEY_UNKNOWN;
		if (no_a != no_b)
			return no_b;
		int c = key_compare(L, &a[k], &b[k]);
		if (c)
			return k < s->n_keys && s->down[k] ? c > 0 : c < 0;
	}
	return x < y;
}

static uint16_t *order(lua_State *L, const struct sort *s, uint16_t *a, uint16_t *b, int n)
{
	for (int i = 0; i < n; i++)
		a[i] = (uint16_t)i;
	for (int width = 1; width < n; width *= 2) {
		box_charge(L, n / 4 + 1);
		for (int lo = 0; lo < n; lo += 2 * width) {
			int mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
			for (int at = lo, x = lo, y = mid; at < hi; at++) {
				bool right = x == mid || (y < hi && before(L, s, a[y], a[x]));
				b[at] = right ? a[y++] : a[x++];
			}
		}
		uint16_t *swap = a;
		a = b;
		b = swap;
	}
	return a;
}

static void key_prepare(lua_State *L, struct sort *s, int k)
{
	if (lua_type(L, k + 2) != LUA_TSTRING)
		return;
	const char *name = lua_tostring(L, k + 2);
	s->down[k] = *name == '-';
	const struct field *f = view_field(VIEW_CANDIDATE, name + s->down[k]);
	s->field[k] = f && f->get ? f : NULL;
}

static int tool_sort_by(lua_State *L)
{
	int n = list_len(L, "sort_by"), n_keys = lua_gettop(L) - 1;
	struct sort s = {.n_keys = n_keys, .per = n_keys + 2};
	lua_Integer n_anchors = 0;
	luaL_argcheck(L, n_keys >= 1 && n_keys <= KEYS_MAX, 2, "expected one to eight keys");
	for (int k = 0; k < n_keys; k++) {
		key_check(L, k + 2, "sort_by");
		key_prepare(L, &s, k);
	}
	lua_createtable(L, n, 0);
	lua_newtable(L);
	int items = n_keys + 2, anchors = n_keys + 3;
	s.keys = lua_newuserdatauv(L, (size_t)n * (size_t)s.per * sizeof *s.keys + 1, 0);
	uint16_t *room = lua_newuserdatauv(L, 2 * (size_t)n * sizeof *room + 1, 0);
	for (int i = 0; i < n; i++) {
		struct key *k = s.keys + (size_t)i * (size_t)s.per;
		lua_geti(L, LIST, i + 1);
		const void *candidate = view_at(L, -1, VIEW_CANDIDATE);
		for (int j = 0; j < n_keys; j++) {
			if (candidate && s.field[j]) {
				k[j] = key_of_value(s.field[j]->get(box_of(L), candidate));
				continue;
			}
			key_of(L, j + 2, i + 1, s.down[j], "sort_by");
			k[j] = key_read(L, anchors, &n_anchors, i + 1);
		}
		k[n_keys] = name_read(L, "cluster", anchors, &n_anchors);
		k[n_keys + 1] = name_read(L, "pool", anchors, &n_anchors);
		lua_rawseti(L, items, i + 1);
	}
	const uint16_t *sorted = order(L, &s, room, room + n, n);
	lua_createtable(L, n, 0);
	for (int i = 0; i < n; i++) {
		lua_rawgeti(L, items, sorted[i] + 1);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

/* ---- the rest over lists -------------------------------------------------------------------------- */

static int tool_filter(lua_State *L)
{
	int n = list_len(L, "filter"), kept = 0;
	key_check(L, 2, "filter");
	lua_newtable(L);
	int out = lua_gettop(L);
	for (int i = 1; i <= n; i++) {
		lua_geti(L, LIST, i);
		key_of(L, 2, i, 0, "filter");
		bool keep = lua_toboolean(L, -1);
		lua_pop(L, 1);
		if (keep)
			lua_rawseti(L, out, ++kept);
		else
			lua_pop(L, 1);
	}
	return 1;
}

static int tool_map(lua_State *L)
{
	int n = list_len(L, "map"), kept = 0;
	key_check(L, 2, "map");
	lua_createtable(L, n, 0);
	int out = lua_gettop(L);
	for (int i = 1; i <= n; i++) {
		lua_geti(L, LIST, i);
		key_of(L, 2, i, 0, "map");
		if (lua_isnil(L, -1)) /* left out: lists have no holes */
			lua_pop(L, 1);
		else
			lua_rawseti(L, out, ++kept);
		lua_settop(L, out);
	}
	return 1;
}

static int tool_any(lua_State *L)
{
	int n = list_len(L, "any");
	bool found = false;
	key_check(L, 2, "any");
	for (int i = 1; i <= n && !found; i++) {
		lua_geti(L, LIST, i);
		key_of(L, 2, i, 0, "any");
		found = lua_toboolean(L, -1);
		lua_pop(L, 2);
	}
	lua_pushboolean(L, found);
	return 1;
}

/* What is not known makes the sum unknown. */
static int tool_sum(lua_State *L)
{
	int n = list_len(L, "sum");
	double sum = 0;
	key_check(L, 2, "sum");
	for (int i = 1; i <= n; i++) {
		lua_geti(L, LIST, i);
		key_of(L, 2, i, 0, "sum");
		if (lua_isnil(L, -1))
			return 1;
		if (lua_type(L, -1) != LUA_TNUMBER)
			return luaL_error(L, "sum: item %d gives a %s, expected a number", i, view_typename(L, -1));
		sum += (double)lua_tonumber(L, -1);
		lua_pop(L, 2);
	}
	lua_pushnumber(L, sum);
	return 1;
}

static int tool_first(lua_State *L)
{
	int n = list_len(L, "first");
	lua_Integer want = luaL_checkinteger(L, 2);
	n = want < n ? (want > 0 ? (int)want : 0) : n;
	lua_createtable(L, n, 0);
	for (int i = 1; i <= n; i++) {
		lua_geti(L, LIST, i);
		lua_rawseti(L, -2, i);
	}
	return 1;
}

static int tool_contains(lua_State *L)
{
	size_t n, m;
	if (lua_type(L, 1) == LUA_TSTRING) { /* plain text: no patterns, which could take for ever */
		const char *hay = lua_tolstring(L, 1, &n), *needle = luaL_checklstring(L, 2, &m);
		box_charge(L, (int64_t)(n / 16 + 1));
		lua_pushboolean(L, memmem(hay, n, needle, m) != NULL);
		return 1;
	}
	int len = list_len(L, "contains");
	bool found = false;
	luaL_checkany(L, 2);
	for (int i = 1; i <= len && !found; i++) {
		lua_geti(L, LIST, i);
		found = lua_rawequal(L, -1, 2);
		lua_pop(L, 1);
	}
	lua_pushboolean(L, found);
	return 1;
}

/* One group for each value of the key, in order of the values; unknown is the last. */
static int tool_group(lua_State *L)
{
	lua_Integer groups = 0, in_group = 0;
	list_len(L, "group");
	key_check(L, 2, "group");
	lua_settop(L, 2);
	lua_pushcfunction(L, tool_sort_by);
	lua_insert(L, 1);
	lua_pushvalue(L, 2 + 1);
	lua_insert(L, 1); /* key, sort_by, list, key */
	lua_call(L, 2, 1);
	lua_insert(L, 1); /* sorted, key */
	lua_newtable(L);
	int n = (int)lua_rawlen(L, 1), out = 3, group = 4, last = 5;
	lua_pushnil(L);
	lua_pushnil(L);
	for (int i = 1; i <= n; i++) {
		lua_rawgeti(L, 1, i);
		key_of(L, 2, i, 0, "group");
		if (i == 1 || !lua_rawequal(L, -1, last)) {
			lua_createtable(L, 1, 1);
			lua_pushvalue(L, -2);
			lua_setfield(L, -2, "key");
			lua_pushvalue(L, -1);
			lua_replace(L, group);
			lua_rawseti(L, out, ++groups);
			in_group = 0;
		}
		lua_replace(L, last);
		lua_rawseti(L, group, ++in_group);
	}
	lua_settop(L, out);
	return 1;
}

/* The item with the smallest known value of the field; nil if there is none. */
static int smallest(lua_State *L, const char *who, bool (*value)(lua_State *L, int item, double *out))
{
	int n = list_len(L, who);
	struct key best[2] = {{.type = KEY_UNKNOWN}};
	double least = INFINITY, v;
	lua_Integer n_anchors = 0;
	lua_settop(L, 1);
	lua_pushnil(L);
	lua_newtable(L);
	for (int i = 1; i <= n; i++) {
		lua_geti(L, LIST, i);
		item_check(L, -1, i, who);
		if (!value(L, lua_gettop(L), &v) || v > least) {
			lua_pop(L, 1);
			continue;
		}
		struct key names[2] = {name_read(L, "cluster", 3, &n_anchors), name_read(L, "pool", 3, &n_anchors)};
		int c = v < least || lua_isnil(L, 2) ? -1 : key_compare(L, &names[0], &best[0]);
		c = c ? c : key_compare(L, &names[1], &best[1]);
		if (c < 0) {
			least = v;
			memcpy(best, names, sizeof best);
			lua_pushvalue(L, -1);
			lua_replace(L, 2);
		}
		lua_pop(L, 1);
	}
	lua_pushvalue(L, 2);
	return 1;
}

static bool price_value(lua_State *L, int item, double *out)
{
	return number_of(L, item, "price", out);
}

static bool start_value(lua_State *L, int item, double *out)
{
	*out = 0;
	return flag_of(L, item, "fits") || number_of(L, item, "expected_start", out);
}

static int tool_cheapest(lua_State *L)
{
	return smallest(L, "cheapest", price_value);
}

static int tool_soonest(lua_State *L)
{
	return smallest(L, "soonest", start_value);
}

/* ---- units and words ----------------------------------------------------------------------------------- */

static int span(lua_State *L, const char *who, double unit)
{
	int64_t ms;
	if (lua_type(L, 1) == LUA_TSTRING) {
		struct sw_err e = sw_duration_parse(lua_tostring(L, 1), &ms);
		if (sw_failed(e))
			return luaL_error(L, "%s: %s", who, e.text);
		lua_pushnumber(L, (double)ms / 1000);
	} else {
		lua_pushnumber(L, luaL_checknumber(L, 1) * unit);
	}
	return 1;
}

static int tool_hours(lua_State *L)
{
	return span(L, "hours", 3600);
}

static int tool_minutes(lua_State *L)
{
	return span(L, "minutes", 60);
}

/* Bytes, or a quantity as Kubernetes writes it, in GiB. */
static int tool_gib(lua_State *L)
{
	int64_t bytes;
	if (lua_type(L, 1) == LUA_TSTRING) {
		struct sw_err e = sw_quantity_ceil(lua_tostring(L, 1), &bytes);
		if (sw_failed(e))
			return luaL_error(L, "gib: %s", e.text);
		lua_pushnumber(L, (double)bytes / (double)(1 << 30));
	} else {
		lua_pushnumber(L, luaL_checknumber(L, 1) / (double)(1 << 30));
	}
	return 1;
}

static int tool_dollars(lua_State *L)
{
	char buf[64];
	double usd = lua_isnoneornil(L, 1) ? NAN : (double)luaL_checknumber(L, 1);
	if (!(fabs(usd) < 1e12))
		lua_pushliteral(L, "an unknown price");
	else {
		snprintf(buf, sizeof buf, "%s$%.2f", usd < 0 ? "-" : "", fabs(usd));
		lua_pushstring(L, buf);
	}
	return 1;
}

static int tool_place_name(lua_State *L)
{
	item_check(L, 1, 1, "place_name");
	lua_getfield(L, 1, "cluster");
	lua_pushliteral(L, "/");
	lua_getfield(L, 1, "pool");
	if (lua_type(L, -1) != LUA_TSTRING || lua_type(L, -3) != LUA_TSTRING)
		return luaL_error(L, "place_name: no candidate: it has no cluster and pool");
	lua_concat(L, 3);
	return 1;
}

/* ---- one candidate --------------------------------------------------------------------------------------- */

/* TFLOPS of one of its GPUs, or NAN. */
static double tflops(lua_State *L, int c, const char *precision)
{
	enum sw_precision p;
	double n = NAN;
	struct sw_err e = sw_precision_parse(precision, &p);
	if (sw_failed(e))
		luaL_error(L, "%s", e.text);
	lua_getfield(L, c, "gpu");
	if (!lua_isnil(L, -1)) {
		item_check(L, -1, 1, "gpu");
		lua_getfield(L, -1, "tflops");
		if (!lua_isnil(L, -1))
			number_of(L, lua_gettop(L), precision, &n);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return n;
}

static int push_known(lua_State *L, double n)
{
	isfinite(n) ? lua_pushnumber(L, n) : lua_pushnil(L);
	return 1;
}

static int tool_tflops(lua_State *L)
{
	item_check(L, 1, 1, "tflops");
	return push_known(L, tflops(L, 1, luaL_checkstring(L, 2)));
}

static int tool_price_per_tflop(lua_State *L)
{
	double price, gpus;
	item_check(L, 1, 1, "price_per_tflop");
	number_of(L, 1, "price", &price);
	if (!number_of(L, 1, "gpus", &gpus))
		gpus = 1;
	return push_known(L, price / (tflops(L, 1, luaL_checkstring(L, 2)) * gpus));
}

/* Its price is known, and within what the job may cost. */
static int tool_affordable(lua_State *L)
{
	double price, max;
	item_check(L, 1, 1, "affordable");
	item_check(L, 2, 2, "affordable");
	bool ok = number_of(L, 2, "price", &price);
	if (ok && number_of(L, 1, "max_price", &max))
		ok = price <= max;
	lua_pushboolean(L, ok);
	return 1;
}

static int tool_spot_allowed(lua_State *L)
{
	item_check(L, 1, 1, "spot_allowed");
	item_check(L, 2, 2, "spot_allowed");
	lua_getfield(L, 1, "spot");
	const char *wish = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
	bool spot = flag_of(L, 2, "spot");
	lua_pushboolean(L, strcmp(wish, "never") == 0 ? !spot : strcmp(wish, "require") == 0 ? spot : true);
	return 1;
}

/* Does the cloud's quota leave room for the nodes that would have to be bought? What is not known does not say no. */
static int tool_can_grow(lua_State *L)
{
	double quota, nodes = 0;
	item_check(L, 1, 1, "can_grow");
	bool ok = true;
	if (!flag_of(L, 1, "fits")) {
		number_of(L, 1, "nodes_needed", &nodes);
		if (number_of(L, 1, "quota_left", &quota))
			ok = quota >= nodes;
	}
	lua_pushboolean(L, ok);
	return 1;
}

void toolbox_open(lua_State *L)
{
	static const luaL_Reg tools[] = {
		{"affordable", tool_affordable},
		{"any", tool_any},
		{"can_grow", tool_can_grow},
		{"cheapest", tool_cheapest},
		{"contains", tool_contains},
		{"dollars", tool_dollars},
		{"filter", tool_filter},
		{"first", tool_first},
		{"gib", tool_gib},
		{"group", tool_group},
		{"hours", tool_hours},
		{"map", tool_map},
		{"minutes", tool_minutes},
		{"place_name", tool_place_name},
		{"price_per_tflop", tool_price_per_tflop},
		{"soonest", tool_soonest},
		{"sort_by", tool_sort_by},
		{"spot_allowed", tool_spot_allowed},
		{"sum", tool_sum},
		{"tflops", tool_tflops},
		{NULL, NULL},
	};
	luaL_setfuncs(L, tools, 0);
}
