/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - inputs as objects that can only be read
 *
 * A view is a small userdata that points at a struct of the host; reading a field of it reads the struct (fields.c). So
 * a table of a hundred candidates costs nothing until it is looked at, nothing a script does can change an input, and a
 * field that does not exist is an error that names the nearest one instead of a nil that quietly never wins.
 * Views live for one call: box_call() forgets them all.
 */
#include "sandbox_priv.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

enum { SLOTS = 128 /* per kind of view, at most half full */, TEXT_SHOWN = 1024, FIELDS_MAX = 64 };

struct view {
	enum view_id id;
	const void *at;
};
/* Lua keeps one copy of every short string, so a name is known by its address. */
struct slot {
	const char *name;
	const struct field *field;
};
struct names {
	struct slot slot[VIEW__COUNT][SLOTS];
};

static const char meta_key = 0, names_key = 0, memory_key = 0; /* of the registry */

/* ---- fields ------------------------------------------------------------------------- */

static size_t slot_of(const char *name)
{
	return ((uintptr_t)name >> 3 ^ (uintptr_t)name >> 10) % SLOTS;
}

static const struct field *field_find(const struct box *box, enum view_id id, const char *name)
{
	const struct slot *slots = box->names->slot[id];
	size_t i = slot_of(name);
	while (slots[i].name && slots[i].name != name)
		i = (i + 1) % SLOTS;
	return slots[i].field;
}

/* Longer than anybody can want to compare; a script pays for its own strings only. */
static void push_text(lua_State *L, const char *s)
{
	lua_pushlstring(L, s, strnlen(s, TEXT_SHOWN));
}

static void push_value(lua_State *L, struct value v)
{
	switch (v.kind) {
	case VALUE_STR:
		push_text(L, v.s);
		break;
	case VALUE_NUM:
		lua_pushnumber(L, v.n);
		break;
	case VALUE_INT:
		lua_pushinteger(L, (lua_Integer)v.i);
		break;
	case VALUE_BOOL:
		lua_pushboolean(L, v.b);
		break;
	default:
		lua_pushnil(L);
	}
}

static void push_field(lua_State *L, struct box *box, const struct view *v, const struct field *f)
{
	if (v->id == VIEW_WORKLOAD)
		box->read |= (uint64_t)1 << (f - view_fields[VIEW_WORKLOAD].at);
	box->personal |= f->personal;
	if (f->get)
		push_value(L, f->get(box, v->at));
	else
		f->build(L, v->at);
}

static int no_field(lua_State *L, enum view_id id)
{
	const struct fields *f = &view_fields[id];
	const char *names[FIELDS_MAX], *near = NULL, *found;
	size_t n = 0;
	if (lua_type(L, 2) != LUA_TSTRING)
		return luaL_error(L, "%s has named fields, no [%s]", f->what, luaL_typename(L, 2));
	found = lua_tostring(L, 2);
	for (; n < f->n && n < FIELDS_MAX; n++)
		names[n] = f->at[n].name;
	near = strlen(found) < 64 ? sw_nearest(found, names, (int)n) : NULL;
	char shown[48];
	snprintf(shown, sizeof shown, "%.40s", found);
	return luaL_error(L, "%s has no field \"%s\"%s%s%s", f->what, shown, near ? ", did you mean \"" : "",
			  near ? near : "", near ? "\"?" : "");
}

static int view_index(lua_State *L)
{
	const struct view *v = lua_touserdata(L, 1);
	struct box *box = box_of(L);
	const struct field *f = lua_type(L, 2) == LUA_TSTRING ? field_find(box, v->id, lua_tostring(L, 2)) : NULL;
	if (!f)
		return no_field(L, v->id);
	push_field(L, box, v, f);
	return 1;
}

static int view_write(lua_State *L)
{
	const struct view *v = lua_touserdata(L, 1);
	char key[48] = "?";
	if (lua_type(L, 2) == LUA_TSTRING)
		snprintf(key, sizeof key, "%.40s", lua_tostring(L, 2));
	return luaL_error(L, "%s can only be read: its field \"%s\" cannot be written", view_fields[v->id].what, key);
}

/* ---- views ----------------------------------------------------------------------------- */

static void names_open(lua_State *L, struct box *box)
{
	box->names = sw_calloc(1, sizeof *box->names);
	lua_newtable(L); /* keeps the strings, and so their addresses */
	for (int id = 0; id < VIEW__COUNT; id++)
		for (size_t k = 0; k < view_fields[id].n; k++) {
			const struct field *f = &view_fields[id].at[k];
			const char *name = lua_pushstring(L, f->name);
			size_t i = slot_of(name);
			while (box->names->slot[id][i].name)
				i = (i + 1) % SLOTS;
			box->names->slot[id][i] = (struct slot){name, f};
			lua_pushboolean(L, true);
			lua_rawset(L, -3);
		}
	lua_rawsetp(L, LUA_REGISTRYINDEX, &names_key);
}

void view_open(lua_State *L)
{
	for (int id = 0; id < VIEW__COUNT; id++)
		SW_REQUIRE(view_fields[id].n <= FIELDS_MAX);
	names_open(L, box_of(L));
	lua_createtable(L, 0, 3);
	lua_pushcfunction(L, view_index);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, view_write);
	lua_setfield(L, -2, "__newindex");
	lua_pushliteral(L, "table");
	lua_setfield(L, -2, "__name");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &meta_key);
}

void view_free(struct box *box)
{
	free(box->names);
}

void view_push(lua_State *L, enum view_id id, const void *at)
{
	struct view *v = lua_newuserdatauv(L, sizeof *v, 0);
	*v = (struct view){id, at};
	lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key);
	lua_setmetatable(L, -2);
}

/* Scripts cannot make userdata: one is a view of ours. */
const void *view_at(lua_State *L, int i, enum view_id id)
{
	const struct view *v = lua_type(L, i) == LUA_TUSERDATA ? lua_touserdata(L, i) : NULL;
	return v && v->id == id ? v->at : NULL;
}

const struct field *view_field(enum view_id id, const char *name)
{
	for (size_t i = 0; i < view_fields[id].n; i++)
		if (strcmp(view_fields[id].at[i].name, name) == 0)
			return &view_fields[id].at[i];
	return NULL;
}

/* ---- read-only tables: empty ones before the full ones --------------------------------------- */

static int frozen_write(lua_State *L)
{
	return luaL_error(L, "%s can only be read", lua_tostring(L, lua_upvalueindex(1)));
}

static int frozen_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)lua_rawlen(L, lua_upvalueindex(1)));
	return 1;
}

void view_freeze(lua_State *L, const char *what)
{
	lua_newtable(L);
	lua_createtable(L, 0, 4);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushstring(L, what);
	lua_pushcclosure(L, frozen_write, 1);
	lua_setfield(L, -2, "__newindex");
	lua_pushvalue(L, -3);
	lua_pushcclosure(L, frozen_len, 1);
	lua_setfield(L, -2, "__len");
	lua_setmetatable(L, -2);
	lua_replace(L, -2);
}

bool view_frozen(lua_State *L, int i)
{
	if (lua_type(L, i) == LUA_TUSERDATA)
		return true;
	if (lua_type(L, i) != LUA_TTABLE || !lua_getmetatable(L, i))
		return false;
	lua_pop(L, 1);
	return true; /* scripts can set no metatables */
}

const char *view_typename(lua_State *L, int i)
{
	return view_frozen(L, i) ? "table" : luaL_typename(L, i);
}

bool view_copy(lua_State *L, int i)
{
	i = lua_absindex(L, i);
	if (!view_frozen(L, i))
		return false;
	lua_newtable(L);
	if (lua_type(L, i) == LUA_TUSERDATA) {
		const struct view *v = lua_touserdata(L, i);
		const struct fields *f = &view_fields[v->id];
		for (size_t k = 0; k < f->n; k++) {
			push_field(L, box_of(L), v, &f->at[k]);
			lua_setfield(L, -2, f->at[k].name);
		}
		box_charge(L, (int64_t)f->n);
		return true;
	}
	luaL_getmetafield(L, i, "__index");
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, -6);
		box_charge(L, 1);
	}
	lua_pop(L, 1);
	return true;
}

/* ---- what one call remembers ------------------------------------------------------------------ */

int view_recall(lua_State *L, const void *p)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &memory_key) != LUA_TTABLE)
		return LUA_TNIL;
	lua_rawgetp(L, -1, p);
	lua_replace(L, -2);
	return lua_type(L, -1);
}

void view_remember(lua_State *L, const void *p)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &memory_key) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &memory_key);
	}
	lua_pushvalue(L, -2);
	lua_rawsetp(L, -2, p);
	lua_pop(L, 1);
}

/* Allocates nothing. */
void view_forget(lua_State *L)
{
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &memory_key);
}

/* ---- the list of candidates ------------------------------------------------------------------------ */

void view_push_candidates(lua_State *L)
{
	const struct sw_policy_input *in = box_of(L)->in;
	lua_createtable(L, (int)in->n_candidates, 0);
	for (size_t i = 0; i < in->n_candidates; i++) {
		view_push(L, VIEW_CANDIDATE, &in->candidates[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	view_freeze(L, "the list of candidates");
}
