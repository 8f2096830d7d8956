/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testing.c - runs *.test.lua beside a policy, in the policy's own sandbox
 *
 * The policy's chunk and the test's chunk share one table of globals, as if the test stood at the end of the
 * policy. Each function test_* starts from nothing. Besides, or instead, the file may return a list of cases (cases.c).
 */
#include "sandbox_priv.h"

#include <lauxlib.h>
#include <string.h>
#include "spillway/text.h"

struct one {
	size_t nth;
	char name[80];
	bool found;
};

/* Finds the nth global test_* in order of names: the smallest name above the one before. */
static bool test_find(lua_State *L, struct one *t)
{
	char last[sizeof t->name] = "", next[sizeof t->name];
	for (size_t i = 0; i <= t->nth; i++) {
		*next = '\0';
		for (lua_pushnil(L); lua_next(L, GLOBALS); lua_pop(L, 1)) {
			const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
			bool is_test =
				strncmp(key, "test_", 5) == 0 && strlen(key) < sizeof next && lua_isfunction(L, -1);
			if (is_test && strcmp(key, last) > 0 && (!*next || strcmp(key, next) < 0))
				sw_cut(next, sizeof next, key);
		}
		if (!*next)
			return false;
		sw_cut(last, sizeof last, next);
	}
	sw_cut(t->name, sizeof t->name, last);
	return true;
}

static int test_run(lua_State *L)
{
	struct one *t = lua_touserdata(L, ARG);
	t->found = test_find(L, t);
	if (!t->found)
		return 0;
	box_refuel(L);
	lua_getfield(L, GLOBALS, t->name);
	lua_call(L, 0, 0);
	return 0;
}

/* ---- cases --------------------------------------------------------------------------- */

struct returned {
	json_t *cases;
};

static int cases_fetch(lua_State *L)
{
	struct returned *r = lua_touserdata(L, ARG);
	if (box_push_returned(L) == LUA_TTABLE)
		r->cases = cases_json(L);
	return 0;
}

/* How many there were. */
static size_t run_cases(struct box *box, const struct sw_policy_source *policy, struct sw_policy_limits limits,
			sw_policy_report_fn *report, void *owner, struct sw_err *e)
{
	struct returned r = {NULL};
	struct sw_policy *p = NULL;
	size_t n = 0;
	*e = box_call(box, 0, cases_fetch, &r);
	if (!sw_failed(*e) && sw_json_len(r.cases)) {
		*e = sw_policy_new(policy->name, policy->src, policy->len, limits, &p);
		n = sw_json_len(r.cases);
	}
	if (p)
		cases_run(p, r.cases, report, owner);
	sw_policy_free(p);
	json_object_put(r.cases);
	return n;
}

struct sw_err sw_policy_test(const struct sw_policy_source *policy, const struct sw_policy_source *tests,
			     struct sw_policy_limits limits, sw_policy_report_fn *report, void *owner)
{
	struct box *box;
	struct one t = {.found = true};
	struct sw_err e = box_new(limits, &box);
	if (sw_failed(e))
		return e;
	e = box_load(box, policy->name, policy->src, policy->len);
	if (!sw_failed(e))
		e = box_load(box, tests->name, tests->src, tests->len);
	for (; !sw_failed(e); t.nth++) {
		t.found = false;
		struct sw_err result = box_call(box, t.nth, test_run, &t);
		if (!t.found && sw_failed(result))
			e = result; /* a top level failed: so would every test */
		if (!t.found)
			break;
		report(owner, t.name, result);
	}
	size_t n = sw_failed(e) ? 0 : run_cases(box, policy, limits, report, owner, &e);
	if (!sw_failed(e) && t.nth + n == 0)
		e = sw_err(SW_E_INVALID, "%s: it defines no function test_* and returns no cases: nothing was tested",
			   tests->name);
	box_free(box);
	return e;
}
