/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cases.c - tests that are written down as data: a question, and the plan that is expected
 *
 *   return {
 *     { name = "our own hardware comes first", workload = { gpus = 8 },
 *       candidates = { { pool = "iron" }, { pool = "cloud", growable = true, nodes_needed = 1, price = 10 } },
 *       expect = "iron > cloud" },
 *   }
 *
 * The question goes the way of a real one (input_read.c), so the policy sees what it would see, and a field that does
 * not exist is an error here as well. Of the plan only what is written down is compared, field by field.
 */
#include "sandbox_priv.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/buf.h"
#include "spillway/text.h"

enum { DEPTH_MAX = 12, DIFF_MAX = 4096 };

/* ---- Lua values as JSON -------------------------------------------------------------- */

static void *value_json(lua_State *L, int depth);

static json_t *table_json(lua_State *L, int depth)
{
	size_t n = lua_rawlen(L, -1);
	json_t *o = n ? json_object_new_array() : json_object_new_object();
	luaL_checkstack(L, 4, "a test that is nested too deep");
	for (size_t i = 1; i <= n; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i);
		json_object_array_add(o, value_json(L, depth + 1));
		lua_pop(L, 1);
	}
	if (!n)
		for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
			if (lua_type(L, -2) == LUA_TSTRING)
				json_object_object_add(o, lua_tostring(L, -2), value_json(L, depth + 1));
	return o;
}

static void *value_json(lua_State *L, int depth)
{
	size_t len;
	const char *s;
	switch (lua_type(L, -1)) {
	case LUA_TTABLE: /* what lies deeper than any test is left out; comparing will say so */
		return depth < DEPTH_MAX ? table_json(L, depth) : NULL;
	case LUA_TSTRING:
		s = lua_tolstring(L, -1, &len);
		return json_object_new_string_len(s, (int)len);
	case LUA_TBOOLEAN:
		return json_object_new_boolean(lua_toboolean(L, -1));
	case LUA_TNUMBER:
		return lua_isinteger(L, -1) ? json_object_new_int64(lua_tointeger(L, -1))
					    : json_object_new_double(lua_tonumber(L, -1));
	default:
		return NULL;
	}
}

json_t *cases_json(lua_State *L)
{
	return table_json(L, 0);
}

/* ---- what was found, what was expected ---------------------------------------------------- */

struct compare {
	const struct sw_policy_input *in;
	const struct sw_policy_plan *got;
	struct sw_buf diff; /* a line for each field that differs */
};

static void differ(struct compare *c, size_t step, const char *field, const char *found, const char *expected)
{
	char where[32] = "";
	if (step)
		snprintf(where, sizeof where, "step %zu: ", step);
	sw_buf_printf(&c->diff, "%s%s%s: found \"%s\", expected \"%s\"", c->diff.len ? "\n" : "", where, field, found,
		      expected);
}

/* A candidate's name as the test wrote it: with its cluster, or the pool alone. */
static bool is_named(const struct sw_candidate *c, const char *name, size_t n)
{
	size_t cluster = strlen(c->cluster);
	bool pool = strlen(c->pool) == n && memcmp(c->pool, name, n) == 0;
	return pool || (n == cluster + 1 + strlen(c->pool) && memcmp(name, c->cluster, cluster) == 0 &&
			name[cluster] == '/' && memcmp(name + cluster + 1, c->pool, n - cluster - 1) == 0);
}

static bool same_names(const struct compare *c, const struct sw_plan_step *st, const char *names)
{
	size_t i = 0;
	for (const char *at = names + strspn(names, " "); *at; i++) {
		size_t n = strcspn(at, " ");
		if (i >= st->n || !is_named(&c->in->candidates[st->candidate[i]], at, n))
			return false;
		at += n + strspn(at + n, " ");
	}
	return i == st->n;
}

static void put_names(struct sw_buf *b, const struct compare *c, const struct sw_plan_step *st)
{
	for (size_t i = 0; i < st->n; i++)
		sw_buf_printf(b, "%s%s", i ? " " : "", c->in->candidates[st->candidate[i]].pool);
}

/* "iron > a b > c": the whole plan in one line. */
static void compare_line(struct compare *c, const char *expected)
{
	bool same = true;
	size_t step = 0;
	char *copy = sw_strdup(expected);
	for (char *at = copy + strspn(copy, " "), *end; *at; at = end, step++) {
		end = strchr(at, '>');
		end = end ? end : at + strlen(at);
		if (*end)
			*end++ = '\0';
		same = same && step < c->got->n && same_names(c, &c->got->step[step], at);
	}
	if (!same || step != c->got->n) {
		struct sw_buf found;
		sw_buf_init(&found, DIFF_MAX);
		for (size_t i = 0; i < c->got->n; i++) {
			sw_buf_puts(&found, i ? " > " : "");
			put_names(&found, c, &c->got->step[i]);
		}
		differ(c, 0, "plan", found.at ? found.at : "", expected);
		sw_buf_fini(&found);
	}
	free(copy);
}

/* A list of names, or one text of them. */
static void compare_names(struct compare *c, size_t step, json_t *expected)
{
	struct sw_buf want, found;
	const struct sw_plan_step *st = &c->got->step[step];
	sw_buf_init(&want, DIFF_MAX);
	sw_buf_init(&found, DIFF_MAX);
	sw_buf_puts(&want, json_object_is_type(expected, json_type_string) ? json_object_get_string(expected) : "");
	for (size_t i = 0; i < sw_json_len(expected); i++)
		sw_buf_printf(&want, "%s%s", i ? " " : "", json_object_get_string(sw_json_idx(expected, i)));
	put_names(&found, c, st);
	if (sw_buf_ok(&want) && !same_names(c, st, want.at ? want.at : ""))
		differ(c, step + 1, "candidates", found.at ? found.at : "", want.at ? want.at : "");
	sw_buf_fini(&want);
	sw_buf_fini(&found);
}

static void compare_number(struct compare *c, size_t step, const char *field, double found, json_t *expected)
{
	char a[40], b[40];
	double want = json_object_get_double(expected);
	if (fabs(found - want) < 0.0005)
		return;
	snprintf(a, sizeof a, "%.12g", found);
	snprintf(b, sizeof b, "%.12g", want);
	differ(c, step, field, a, b);
}

static void compare_text(struct compare *c, size_t step, const char *field, const char *found, json_t *expected)
{
	const char *want = json_object_get_string(expected);
	if (strcmp(found, want ? want : "") != 0)
		differ(c, step, field, found, want ? want : "");
}

static void compare_step(struct compare *c, size_t step, json_t *expected)
{
	static const char *const spots[] = {
		[SW_PLAN_SPOT_ANY] = "any", [SW_PLAN_SPOT_NEVER] = "never", [SW_PLAN_SPOT_ONLY] = "only"};
	const struct sw_plan_step *st = &c->got->step[step];
	if (!json_object_is_type(expected, json_type_object)) {
		compare_names(c, step, expected);
		return;
	}
	json_object_object_foreach(expected, field, v)
	{
		if (strcmp(field, "candidates") == 0)
			compare_names(c, step, v);
		else if (strcmp(field, "patience") == 0)
			compare_number(c, step + 1, field, (double)st->patience_ms / 1000, v);
		else if (strcmp(field, "max_price") == 0)
			compare_number(c, step + 1, field, st->max_price, v);
		else if (strcmp(field, "spot") == 0)
			compare_text(c, step + 1, field, spots[st->spot], v);
		else if (strcmp(field, "reason") == 0)
			compare_text(c, step + 1, field, st->reason, v);
		else
			differ(c, step + 1, field, "no such field", "candidates, patience, spot, max_price or reason");
	}
}

static void compare_steps(struct compare *c, json_t *steps)
{
	char found[24], want[24];
	for (size_t i = 0; i < c->got->n && i < sw_json_len(steps); i++)
		compare_step(c, i, sw_json_idx(steps, i));
	if (c->got->n == sw_json_len(steps))
		return;
	snprintf(found, sizeof found, "%zu", c->got->n);
	snprintf(want, sizeof want, "%zu", sw_json_len(steps));
	differ(c, 0, "number of steps", found, want);
}

/* ---- one case --------------------------------------------------------------------------------- */

/* The same name twice, or a field that is none, is a mistake in the test. */
static struct sw_err check_case(json_t *o)
{
	static const char *const known[] = {"name",   "workload",      "candidates",    "ctx",
					    "expect", "expect_reason", "expect_failure"};
	enum { N = sizeof known / sizeof *known };
	if (!json_object_is_type(o, json_type_object))
		return sw_err(SW_E_INVALID, "a case is a table with name, workload, candidates and expect");
	json_object_object_foreach(o, name, v)
	{
		size_t i = 0;
		(void)v;
		while (i < N && strcmp(known[i], name) != 0)
			i++;
		const char *near = i == N && strlen(name) < 64 ? sw_nearest(name, known, N) : NULL;
		if (i == N)
			return sw_err(SW_E_INVALID, "a case has no field \"%.60s\"%s%s%s", name,
				      near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
	if (!sw_json_key(o, "expect") && !sw_json_key(o, "expect_failure") && !sw_json_key(o, "expect_reason"))
		return sw_err(SW_E_INVALID, "a case says what it expects: expect, expect_reason or expect_failure");
	return SW_OK;
}

static void compare_all(struct compare *c, json_t *o)
{
	json_t *expect = sw_json_key(o, "expect"), *reason = sw_json_key(o, "expect_reason");
	if (json_object_is_type(expect, json_type_string))
		compare_line(c, json_object_get_string(expect));
	else if (expect)
		compare_steps(c, expect);
	if (reason)
		compare_text(c, 0, "reason", c->got->reason, reason);
}

static struct sw_err ask(struct sw_policy *p, struct sw_policy_question *q, json_t *o)
{
	const char *failure = sw_json_str(o, "expect_failure");
	struct sw_policy_plan *got = sw_calloc(1, sizeof *got);
	struct compare c = {.in = sw_policy_question_input(q), .got = got};
	struct sw_err e = sw_policy_place(p, c.in, got);
	sw_buf_init(&c.diff, DIFF_MAX);
	if (failure && !sw_failed(e))
		e = sw_err(SW_E_POLICY, "it gave a plan, expected the failure \"%.200s\"", failure);
	else if (failure && strstr(e.text, failure))
		e = SW_OK;
	else if (!sw_failed(e))
		compare_all(&c, o);
	if (!sw_failed(e) && c.diff.len)
		e = sw_err(SW_E_POLICY, "%s", c.diff.at);
	else if (!sw_buf_ok(&c.diff))
		e = sw_err(SW_E_POLICY, "the plan differs in very many fields");
	sw_buf_fini(&c.diff);
	free(got);
	return e;
}

static struct sw_err run_case(struct sw_policy *p, const struct sw_catalog *cat, json_t *o)
{
	struct sw_policy_question *q;
	struct sw_err e = check_case(o);
	json_t *list = sw_json_key(o, "candidates");
	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(list); i++) {
		json_t *c = sw_json_idx(list, i);
		if (json_object_is_type(c, json_type_object) && !sw_json_key(c, "cluster"))
			sw_json_set_str(c, "cluster", "c"); /* most tests do not care */
	}
	if (!sw_failed(e) && list && !json_object_is_type(list, json_type_array))
		json_object_object_del(o, "candidates"); /* {} in Lua is a list as well */
	if (!sw_failed(e))
		e = sw_policy_input_read(o, cat, &q);
	if (sw_failed(e))
		return e;
	e = ask(p, q, o);
	sw_policy_question_free(q);
	return e;
}

void cases_run(struct sw_policy *p, json_t *cases, sw_policy_report_fn *report, void *owner)
{
	struct sw_catalog *cat = NULL;
	struct sw_err e = sw_catalog_load(&cat);
	for (size_t i = 0; i < sw_json_len(cases); i++) {
		json_t *o = sw_json_idx(cases, i);
		const char *name = sw_json_str(o, "name");
		char nth[32];
		snprintf(nth, sizeof nth, "case %zu", i + 1);
		report(owner, name ? name : nth, sw_failed(e) ? e : run_case(p, cat, o));
	}
	sw_catalog_free(cat);
}
