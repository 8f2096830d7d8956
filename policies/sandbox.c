/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.c - the limits: allocator, instruction hook, protected calls, errors for people
 */
#include "sandbox_priv.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "spillway/text.h"

enum { HOOK_EVERY = 100, LOOK_AT_CLOCK_EVERY = 16, TRACE_FRAMES = 4, MESSAGE_SHOWN = 200 };

static uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct box *box_of(lua_State *L)
{
	return *(struct box **)lua_getextraspace(L);
}

/* ---- memory ------------------------------------------------------------------ */

/* Notes where the script was: after the error has unwound, nobody can tell. Reads call frames only. */
static void over_note(struct box *box, const char *what)
{
	lua_Debug ar;
	box->over = true;
	box->over_what = what;
	box->over_line = 0;
	box->fuel -= BOX_DENIAL_FUEL;
	for (int level = 0; box->run && lua_getstack(box->run, level, &ar); level++) {
		lua_getinfo(box->run, "Sl", &ar);
		if (ar.currentline > 0) {
			box->over_line = ar.currentline;
			memcpy(box->over_src, ar.short_src, sizeof box->over_src);
			return;
		}
	}
}

/* Why not, or NULL. */
static const char *alloc_refuses(const struct box *box, size_t kind, size_t nsize)
{
	if (nsize > box->lim.memory_bytes - box->bytes) /* as if realloc kept both for a moment, which it may */
		return "more memory than a policy may use";
	if (box->running && kind == LUA_TSTRING && nsize > BOX_STRING_MAX)
		return "a string longer than 8 KiB";
	if (box->running && nsize > BOX_BLOCK_MAX)
		return "a table or call stack larger than 512 KiB";
	return NULL;
}

static void *box_alloc(void *ud, void *p, size_t osize, size_t nsize)
{
	struct box *box = ud;
	size_t kind = p ? 0 : osize; /* for new blocks Lua passes what kind of object it is */
	size_t old = p ? osize : 0;
	if (nsize == 0) {
		free(p);
		box->bytes -= old;
		return NULL;
	}
	const char *why = nsize > old ? alloc_refuses(box, kind, nsize) : NULL;
	if (why) {
		over_note(box, why);
		return NULL; /* Lua collects once and tries again, then raises */
	}
	void *q = realloc(p, nsize);
	if (!q)
		return nsize <= old ? p : NULL; /* Lua relies on shrinking never failing */
	if (kind == LUA_TSTRING && nsize >= BOX_LONG_STRING)
		box->fuel -= (int64_t)(nsize / BOX_BYTES_PER_FUEL);
	box->bytes = box->bytes - old + nsize;
	if (box->bytes > box->peak)
		box->peak = box->bytes;
	return q;
}

/* ---- instructions --------------------------------------------------------------- */

static void box_hook(lua_State *L, lua_Debug *ar)
{
	struct box *box = box_of(L);
	box->fuel -= HOOK_EVERY;
	if (box->fuel > 0 && box->ticks++ % LOOK_AT_CLOCK_EVERY == 0 && cpu_ns() > box->cpu_end_ns) {
		box->late = true;
		box->fuel = 0;
	}
	if (box->fuel > 0)
		return;
	lua_sethook(L, box_hook, LUA_MASKCOUNT, 1); /* from now on every instruction fails */
	lua_getinfo(L, "Sl", ar);
	lua_pushfstring(L, "%s:%d: %s", ar->short_src, ar->currentline,
			box->late ? "the policy took too long" : "the policy used up its instructions");
	lua_error(L);
}

void box_charge(lua_State *L, int64_t fuel)
{
	struct box *box = box_of(L);
	box->fuel -= fuel;
	if (box->fuel > 0 || !box->running)
		return;
	lua_sethook(L, box_hook, LUA_MASKCOUNT, 1);
	luaL_error(L, "the policy used up its instructions");
}

void box_refuel(lua_State *L)
{
	struct box *box = box_of(L);
	uint64_t cpu_ms = BOX_CPU_MS + (uint64_t)box->lim.instructions / BOX_INSTRUCTIONS_PER_MS;
	box->fuel = box->lim.instructions;
	box->cpu_end_ns = cpu_ns() + cpu_ms * 1000000u;
	box->ticks = 1; /* the clock was just looked at */
	lua_sethook(L, box_hook, LUA_MASKCOUNT, HOOK_EVERY);
}

/* ---- errors ------------------------------------------------------------------------ */

/* Lua knows a function by how it was called, and the host calls without a name. */
static const char *frame_name(lua_State *L, int level, const lua_Debug *ar)
{
	const struct box *box = box_of(L);
	lua_Debug below;
	if (strcmp(ar->what, "main") == 0)
		return "the top level";
	if (ar->name)
		return ar->name;
	if (!box->entry || ar->linedefined != box->entry_line)
		return "a function";
	while (lua_getstack(L, ++level, &below)) { /* only the first of all is what the host called */
		lua_getinfo(L, "l", &below);
		if (below.currentline > 0)
			return "a function";
	}
	return box->entry;
}

/* Runs where the error was raised: afterwards the frames are gone. Allocates nothing, calls no script, and looks only
 * at where functions stand, never at values: an error object cannot do harm here. */
static int on_error(lua_State *L)
{
	struct box *box = box_of(L);
	lua_Debug ar;
	size_t used = 0;
	int frames = 0;
	box->trace[0] = '\0';
	for (int level = 1; frames < TRACE_FRAMES && lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "nSl", &ar);
		if (ar.currentline <= 0)
			continue;
		if (frames++ == 0) {
			box->place_line = ar.currentline;
			memcpy(box->place_src, ar.short_src, sizeof box->place_src);
		}
		char frame[BOX_TRACE];
		snprintf(frame, sizeof frame, "%s%.40s (%.60s:%d)", frames == 1 ? "in " : ", ",
			 frame_name(L, level, &ar), ar.short_src, ar.currentline);
		if (used + strlen(frame) >= sizeof box->trace)
			break;
		memcpy(box->trace + used, frame, strlen(frame) + 1);
		used += strlen(frame);
	}
	if (frames < 2) /* the message says where already */
		box->trace[0] = '\0';
	return 1;
}

/* Does a message begin with "file:line:"? */
static bool has_place(const char *s)
{
	size_t name = strcspn(s, ":\n"), digits;
	if (name == 0 || s[name] != ':')
		return false;
	digits = strspn(s + name + 1, "0123456789");
	return digits > 0 && s[name + 1 + digits] == ':';
}

void text_clean(char *s)
{
	bool utf8 = sw_is_utf8(s, strlen(s));
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			*s = ' ';
		else if (!utf8 && (unsigned char)*s > 127)
			*s = '?';
}

/* A zero byte is no end to somebody who forges messages. */
static void message_cut(lua_State *L, char out[MESSAGE_SHOWN])
{
	size_t n;
	const char *s = lua_tolstring(L, -1, &n);
	char copy[MESSAGE_SHOWN + 8] = "";
	n = n < sizeof copy - 1 ? n : sizeof copy - 1;
	memcpy(copy, s, n);
	for (size_t i = 0; i < n; i++)
		copy[i] = copy[i] ? copy[i] : ' ';
	sw_cut(out, MESSAGE_SHOWN, copy);
}

/* Only a string is shown: a table could carry anything. The script's own limit is the script's fault. */
static struct sw_err box_error(struct box *box, lua_State *L, int rc)
{
	char limit[32];
	if (rc == LUA_ERRMEM && !box->over)
		return sw_err(SW_E_NOMEM, "out of memory while a policy ran");
	if (rc == LUA_ERRMEM)
		return sw_err(SW_E_POLICY, "%s:%d: needs %s (limit %s in all)",
			      box->over_line ? box->over_src : "policy", box->over_line, box->over_what,
			      sw_bytes_text((int64_t)box->lim.memory_bytes, limit));
	char place[LUA_IDSIZE + 16] = "", text[MESSAGE_SHOWN];
	if (lua_type(L, -1) == LUA_TSTRING)
		message_cut(L, text);
	else
		snprintf(text, sizeof text, "the policy raised an error that is not a string but a %s",
			 view_typename(L, -1));
	if (box->place_line && !has_place(text))
		snprintf(place, sizeof place, "%s:%d: ", box->place_src, box->place_line);
	struct sw_err e = sw_err(SW_E_POLICY, "%s%s%s%s", place, text, *box->trace ? "; " : "", box->trace);
	text_clean(e.text);
	return e;
}

/* ---- calls ------------------------------------------------------------------------ */

struct job {
	lua_CFunction fn;
	void *arg;
	bool limited;
	struct sw_err err;
};

/* On a stack of its own: none of its size or content depends on calls before. */
static int run_protected(lua_State *L)
{
	struct job *job = lua_touserdata(L, 1);
	struct box *box = box_of(L);
	lua_State *run = lua_newthread(L);
	lua_pushcfunction(run, on_error);
	lua_pushcfunction(run, job->fn);
	lua_pushlightuserdata(run, job->arg);
	box->run = run;
	box->running = job->limited;
	if (job->limited)
		box_refuel(run);
	int rc = lua_pcall(run, 1, 0, 1);
	lua_sethook(run, NULL, 0, 0);
	box->running = false;
	job->err = rc == LUA_OK ? SW_OK : box_error(box, run, rc);
	box->run = NULL;
	return 0;
}

static struct sw_err box_run(struct box *box, lua_CFunction fn, void *arg, bool limited)
{
	struct job job = {.fn = fn, .arg = arg, .limited = limited, .err = SW_OK};
	box->over = box->late = box->sealed = false;
	box->place_line = 0;
	box->entry = NULL;
	box->trace[0] = '\0';
	lua_pushcfunction(box->L, run_protected); /* these two pushes cannot raise */
	lua_pushlightuserdata(box->L, &job);
	int rc = lua_pcall(box->L, 1, 0, 0);
	if (rc != LUA_OK)
		job.err = box_error(box, box->L, rc);
	lua_settop(box->L, 0);
	return job.err;
}

static int open_protected(lua_State *L)
{
	view_open(L);
	box_library_open(L);
	return 0;
}

struct sw_err box_new(struct sw_policy_limits limits, struct box **out)
{
	*out = NULL;
	struct box *box = calloc(1, sizeof *box);
	if (!box)
		return sw_err(SW_E_NOMEM, "no memory for a policy");
	box->lim.instructions = limits.instructions > 0 ? limits.instructions : 2000000;
	box->lim.memory_bytes = limits.memory_bytes ? limits.memory_bytes : 8u << 20;
	box->L = lua_newstate(box_alloc, box);
	if (!box->L) {
		struct sw_err none = sw_err(box->over ? SW_E_POLICY : SW_E_NOMEM, "no memory for a Lua state");
		free(box);
		return none;
	}
	*(struct box **)lua_getextraspace(box->L) = box;
	struct sw_err e = box_run(box, open_protected, NULL, false);
	if (sw_failed(e)) {
		box_free(box);
		return e;
	}
	*out = box;
	return SW_OK;
}

void box_free(struct box *box)
{
	if (!box)
		return;
	if (box->L)
		lua_close(box->L);
	view_free(box);
	free(box);
}

struct source {
	const char *name, *src;
	size_t len;
};

static int load_protected(lua_State *L)
{
	const struct source *s = lua_touserdata(L, 1);
	struct box *box = box_of(L);
	lua_pushfstring(L, "@%s", s->name);
	if (luaL_loadbufferx(L, s->src, s->len, lua_tostring(L, -1), "t") != LUA_OK)
		return lua_error(L);
	box->chunk[box->n_chunks] = luaL_ref(L, LUA_REGISTRYINDEX);
	box->n_chunks++;
	return 0;
}

struct sw_err box_load(struct box *box, const char *name, const char *src, size_t len)
{
	SW_REQUIRE(box->n_chunks < BOX_CHUNKS);
	if (len > BOX_SOURCE_MAX)
		return sw_err(SW_E_POLICY, "%s: %zu bytes, but a policy may have at most %d", name, len,
			      BOX_SOURCE_MAX);
	return box_run(box, load_protected, &(struct source){name, src, len}, false);
}

struct call {
	lua_CFunction fn;
	void *arg;
};

static void chunks_forget(lua_State *L, const struct box *box)
{
	for (size_t i = 0; i < box->n_chunks; i++) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, box->chunk[i]);
		lua_pushnil(L);
		lua_setupvalue(L, -2, 1);
		lua_pop(L, 1);
	}
}

static const char returned_key = 0; /* of the registry */

int box_push_returned(lua_State *L)
{
	return lua_rawgetp(L, LUA_REGISTRYINDEX, &returned_key);
}

static int call_protected(lua_State *L)
{
	const struct call *call = lua_touserdata(L, 1);
	struct box *box = box_of(L);
	lua_settop(L, 0);
	box_globals(L);
	for (size_t i = 0; i < box->n_chunks; i++) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, box->chunk[i]);
		lua_pushvalue(L, 2);
		lua_setupvalue(L, -2, 1); /* its _ENV */
		lua_call(L, 0, 1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &returned_key); /* of the last chunk, in the end */
	}
	box->sealed = true;
	lua_settop(L, GLOBALS);
	lua_pushlightuserdata(L, call->arg);
	call->fn(L);
	return 0;
}

static int forget_protected(lua_State *L)
{
	chunks_forget(L, box_of(L));
	view_forget(L);
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &returned_key);
	return 0;
}

struct sw_err box_call(struct box *box, uint64_t seed, lua_CFunction fn, void *arg)
{
	box->random = seed;
	box->read = 0;
	box->personal = false;
	box->peak = box->bytes;
	struct sw_err e = box_run(box, call_protected, &(struct call){fn, arg}, true);
	box->spent = box->lim.instructions - (box->fuel > 0 ? box->fuel : 0);
	/* Every call starts from the same heap. Forgetting allocates nothing, so it cannot fail. */
	lua_pushcfunction(box->L, forget_protected);
	SW_REQUIRE(lua_pcall(box->L, 0, 0, 0) == LUA_OK);
	lua_gc(box->L, LUA_GCCOLLECT);
	return e;
}
