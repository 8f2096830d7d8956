/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_priv.h - one Lua state under hard limits, for place.c and testing.c
 *
 * A box holds compiled chunks. Every call starts from nothing: a fresh table of globals, the chunks'
 * top levels run in it, then the host's C function runs with it; so a script cannot keep anything
 * between calls, and a call depends on its input alone.
 *
 * Limits (all deterministic but the last, which is only a net under the others):
 *   instructions  counted by a hook; once empty it fires on every instruction, so pcall cannot go on.
 *                 Allocated bytes and loops inside C functions are paid from the same budget.
 *   memory        checked before realloc as if old and new block existed at once: never exceeded.
 *   one value     strings of BOX_STRING_MAX, blocks of BOX_BLOCK_MAX, so that no single instruction takes long.
 *   CPU           BOX_CPU_MAX_MS of this thread, should a script still find something slow.
 */
#ifndef SPILLWAY_POLICIES_SANDBOX_PRIV_H
#define SPILLWAY_POLICIES_SANDBOX_PRIV_H

#include <lua.h>
#include "spillway/policy.h"

enum {
	BOX_CHUNKS = 2,
	BOX_STRING_MAX = 8 << 10,
	BOX_BLOCK_MAX = 512 << 10,
	BOX_SOURCE_MAX = 256 << 10,
	BOX_CPU_MAX_MS = 2000,
	BOX_BYTES_PER_FUEL = 64, /* a fresh byte costs 1/64 instruction */
	BOX_DENIAL_FUEL = 50000, /* a refused allocation makes Lua collect everything: that is dear */
};

struct box {
	lua_State *L;
	struct sw_policy_limits lim;
	size_t bytes;
	int64_t fuel;
	uint64_t random; /* state of math.random */
	uint64_t cpu_end_ns;
	unsigned ticks;
	bool running; /* a script runs: limits on single values hold */
	bool over;    /* the script met a memory limit; the host is not out of memory */
	int over_line;
	char over_src[LUA_IDSIZE];
	const char *over_what;
	int chunk[BOX_CHUNKS]; /* registry references */
	size_t n_chunks;
};

/* limits: zeros become the defaults. gives. */
__attribute__((warn_unused_result)) struct sw_err box_new(struct sw_policy_limits limits, struct box **out);
void box_free(struct box *box);
/* Compiles one more chunk (text only). */
__attribute__((warn_unused_result)) struct sw_err box_load(struct box *box, const char *name, const char *src,
							   size_t len);

/* Runs protected: globals are made, chunks run, then fn with the globals at index 1 and arg as light userdata at
 * index 2. What fn returns is dropped. Errors of the script are POLICY. */
__attribute__((warn_unused_result)) struct sw_err box_call(struct box *box, uint64_t seed, lua_CFunction fn, void *arg);

struct box *box_of(lua_State *L);
void box_refuel(lua_State *L);               /* a full budget again */
void box_charge(lua_State *L, int64_t fuel); /* work done in C; raises when the budget is empty */

void box_globals(lua_State *L);      /* pushes a fresh table of what scripts may use (library.c) */
void box_library_open(lua_State *L); /* once per state */

#endif
