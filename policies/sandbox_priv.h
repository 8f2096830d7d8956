/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_priv.h - one Lua state under hard limits, and what the files of this room share
 *
 *   sandbox.c  limits, calls, errors for people     place.c    place(): tables in, plan out
 *   library.c  Lua's own functions, the safe ones   rank.c     rank(), and the plan made of scores
 *   toolbox.c  sort_by, filter, cheapest, ...       hooks.c    admit, grow, release, evicted
 *   view.c     inputs as read-only objects          testing.c  *.test.lua
 *   fields.c   their fields, name by name           shape.c    equal jobs are decided once
 *
 * A box holds compiled chunks. Every call starts from nothing: a stack of its own, a fresh table of globals; the
 * chunks' top levels run, globals are frozen, then the host's C function runs. So a script cannot keep anything
 * between calls, and a call depends on its input alone.
 *
 * Limits (all deterministic but the last, which is only a net under the others):
 *   instructions  counted by a hook; once empty it fires on every instruction, so pcall cannot go on.
 *                 Long strings and loops inside C functions are paid from the same budget.
 *   memory        checked before realloc as if old and new block existed at once: never exceeded.
 *   one value     strings of BOX_STRING_MAX, blocks of BOX_BLOCK_MAX, so that no single instruction takes long.
 *   CPU           of this thread, far above what the instructions can take, should a script still find something
 *                 slow; a call that ends so is marked, because a replay on another machine may differ.
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
	BOX_CPU_MS = 1000, /* and besides: */
	BOX_INSTRUCTIONS_PER_MS = 1000,
	BOX_BYTES_PER_FUEL = 64, /* a byte of a long string costs 1/64 instruction */
	BOX_LONG_STRING = 256,   /* shorter ones cost nothing: Lua may know them already, or not */
	BOX_DENIAL_FUEL = 50000, /* a refused allocation makes Lua collect everything: that is dear */
	BOX_TRACE = 200
};

struct names; /* view.c: what a field's name stands for */

struct box {
	lua_State *L;   /* holds what lasts */
	lua_State *run; /* the stack of the present call; NULL: none */
	struct sw_policy_limits lim;
	size_t bytes, peak;
	int64_t fuel, spent; /* left; taken by the last call */
	uint64_t random;     /* state of math.random */
	uint64_t cpu_end_ns;
	unsigned ticks;
	bool running; /* a script runs: limits on single values hold */
	bool sealed;  /* globals cannot be written any more */
	bool late;    /* the clock ended it */
	bool over;    /* the script met a memory limit; the host is not out of memory */
	int over_line;
	char over_src[LUA_IDSIZE];
	const char *over_what;
	int chunk[BOX_CHUNKS]; /* registry references */
	size_t n_chunks;
	const char *entry; /* the function that the host called, and where it begins; NULL: none yet */
	int entry_line;
	int place_line; /* where the failing call stood, of its innermost Lua frame */
	char place_src[LUA_IDSIZE];
	char trace[BOX_TRACE]; /* "in by_price (p.lua:12), place (p.lua:30)"; "" if one frame says it all */

	const struct sw_policy_input *in; /* of the present call, for views; NULL: none */
	uint64_t read;                    /* fields of the workload that were read */
	bool personal;                    /* what only this job could answer was asked */
	struct names *names;
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

int box_push_returned(lua_State *L); /* what the last chunk returned, and its type */
/* One line of UTF-8: what a script says goes to terminals, logs and JSON. */
void text_clean(char *s);
struct box *box_of(lua_State *L);
void box_refuel(lua_State *L);               /* a full budget again */
void box_charge(lua_State *L, int64_t fuel); /* work done in C; raises when the budget is empty */

/* ---- library.c, toolbox.c ------------------------------------------------------------------ */
void box_library_open(lua_State *L); /* once per state */
void box_globals(lua_State *L);      /* pushes a fresh table of globals, and above it what scripts see of it */
void toolbox_open(lua_State *L);     /* into the table at the top */
/* Index of a list in order: 1..n of the table at index `list`. Stable merge sort of n values, see library.c. */
typedef bool less_fn(lua_State *L, int cmp);
int box_merge_sort(lua_State *L, int a, int b, lua_Integer n, less_fn *less, int cmp);

/* ---- view.c ------------------------------------------------------------------------------------ */
#define VIEW_MAP(X)                                                                                                    \
	X(WORKLOAD, "the workload")                                                                                    \
	X(CANDIDATE, "a candidate")                                                                                    \
	X(CTX, "ctx")                                                                                                  \
	X(PODSET, "a pod set")                                                                                         \
	X(GPU, "a GPU")                                                                                                \
	X(ATTEMPT, "an attempt")                                                                                       \
	X(POOL, "the pool")                                                                                            \
	X(NEED, "the demand")                                                                                          \
	X(NODE, "the node")
enum view_id {
#define X(id, name) VIEW_##id,
	VIEW_MAP(X)
#undef X
		VIEW__COUNT
};
void view_open(lua_State *L); /* once per state */
void view_free(struct box *box);
void view_push(lua_State *L, enum view_id id, const void *at);
/* What the value at i looks at; NULL: it is no view of that kind. */
const void *view_at(lua_State *L, int i, enum view_id id);
struct field;
const struct field *view_field(enum view_id id, const char *name); /* NULL: there is none */
/* A copy of a view, or of a read-only table, as a plain table on top of the stack; false and nothing pushed for others.
 */
bool view_copy(lua_State *L, int i);
bool view_frozen(lua_State *L, int i);          /* a view or a read-only table */
const char *view_typename(lua_State *L, int i); /* what a script takes it for: a view is a table */
/* Replaces the table at the top by one that can only be read. what: for messages. */
void view_freeze(lua_State *L, const char *what);
void view_push_candidates(lua_State *L); /* of box->in: a read-only list */
void view_forget(lua_State *L);          /* what one call remembers; allocates nothing */
/* Pushes what was remembered for this call under p, or nil; remembers the value at the top. */
int view_recall(lua_State *L, const void *p);
void view_remember(lua_State *L, const void *p);

/* ---- fields.c ---------------------------------------------------------------------------------------- */
struct ctx { /* what the view of ctx looks at */
	int64_t now_ms;
	double spend, spend_limit; /* USD per hour; 0 or NAN: unknown */
};
struct value {
	enum { VALUE_NIL, VALUE_STR, VALUE_NUM, VALUE_INT, VALUE_BOOL } kind;
	union {
		const char *s;
		double n;
		int64_t i;
		bool b;
	};
};
struct field {
	const char *name;
	struct value (*get)(const struct box *box, const void *at); /* NULL: build */
	void (*build)(lua_State *L, const void *at);                /* pushes a table, a view or nil */
	uint64_t (*hash)(const void *at, uint64_t h);               /* of what build shows */
	bool personal;
};
extern const struct fields {
	const char *what;
	const struct field *at;
	size_t n;
} view_fields[VIEW__COUNT];
/* Of the fields of the mask, as the script would see them. */
uint64_t workload_hash(const struct sw_policy_input *in, uint64_t mask);

/* ---- place.c --------------------------------------------------------------------------------------------- */
enum { GLOBALS = 1, ARG = 2 };
struct sw_policy {
	struct box *box;
	char *name;
	char hash[17];
	uint64_t hash_bits;
	unsigned has;
	struct sw_policy_use use;
};
/* box_call() for one decision of this policy, with errors that name the file as it was given. */
__attribute__((warn_unused_result)) struct sw_err policy_call(struct sw_policy *p, const struct sw_policy_input *in,
							      uint64_t seed, lua_CFunction fn, void *arg);
uint64_t policy_seed(const struct sw_policy_input *in);
/* Pushes the policy's function, or raises. */
void policy_function(lua_State *L, const char *name);
/* The field `reason` of the table at `table`, or the string there itself, cut to fit. Raises if it is something else.
 * who: for messages. */
void reason_read(lua_State *L, int table, const char *who, char *out, size_t size);
/* The one field that does not belong there (the smallest, so that the message is always the same), or NULL. allowed:
 * NULL-terminated. */
const char *stranger(lua_State *L, int table, const char *const *allowed, char found[40]);

/* ---- rank.c ------------------------------------------------------------------------------------------------ */
void rank_all(lua_State *L, const struct sw_policy_input *in, struct sw_policy_score *out);
void rank_plan(lua_State *L, const struct sw_policy_input *in, struct sw_policy_plan *out);

/* ---- cases.c: tests that are written down as data ---------------------------------------------------------------- */
/* The table at the top as JSON. gives; raises for what is no plain data. */
json_t *cases_json(lua_State *L);
/* Asks the policy each of them. cases: the list that the test file returned. */
void cases_run(struct sw_policy *p, json_t *cases, sw_policy_report_fn *report, void *owner);

/* ---- hooks.c ------------------------------------------------------------------------------------------------ */
void admit_run(lua_State *L, const struct sw_policy_input *in, struct sw_policy_admission *out);

#endif
