/* SPDX-License-Identifier: Apache-2.0 */
/* test_sandbox.c - scripts that try to hang, bloat, escape or remember; each must cost only its own call */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include "../../../policies/sandbox_priv.h"

static const struct sw_policy_limits tight = {.instructions = 200000, .memory_bytes = 1 << 20};

/* Each stands inside place(); says is part of the message that a person gets. */
static const struct {
	const char *title, *src, *says;
} hostile[] = {
	{"endless loop", "while true do end", "hostile.lua:1: the policy used up its instructions"},
	{"loop in pcall", "while true do pcall(function() while true do end end) end", "used up its instructions"},
	{"goto", "::a:: goto a", "used up its instructions"},
	{"pcall of pcall", "local function f() pcall(f) f() end while true do pcall(f) end", "hostile.lua:1:"},
	{"table bomb", "local t = {} while true do t[#t+1] = {} end", "hostile.lua:1: needs "},
	{"table bomb in pcall", "while true do pcall(function() local t = {} while true do t[#t+1] = {} end end) end",
	 "hostile.lua:1:"},
	{"string doubling", "local s = 'x' while true do s = s .. s end", "a string longer than 8 KiB"},
	{"concat bomb", "local t = {} for i = 1, 1000 do t[i] = '0123456789' end local s = table.concat(t) return #s",
	 "a string longer than 8 KiB"},
	{"big block", "local t = {} for i = 1, 1e6 do t[i] = i end", "hostile.lua:1: needs "},
	{"string churn", "while true do local s = ('x'):upper() .. tostring(math.random(1e9)) end",
	 "used up its instructions"},
	{"insert at the front",
	 "local t = {} for i = 1, 9000 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end",
	 "used up its instructions"},
	{"sort without end",
	 "local t = {} for i = 1, 1000 do t[i] = i end table.sort(t, function() while true do end end)",
	 "used up its instructions"},
	{"sort by C alone", "local t = {} for i = 1, 9000 do t[i] = -i end while true do table.sort(t) end",
	 "used up its instructions"},
	{"pairs over a big table", "local t = {} for i = 1, 5000 do t['k' .. i] = i end while true do pairs(t) end",
	 "used up its instructions"},
	{"inconsistent comparator",
	 "local t = {} for i = 1, 500 do t[i] = i end table.sort(t, function() return true end) while true do end",
	 "used up"},
	{"deep recursion", "local function f() return 1 + f() end f()", "hostile.lua:1:"},
	{"recursion through sort", "local function f() table.sort({1, 2}, f) end f()", "C stack overflow"},
	{"recursion through pcall", "local function f() return pcall(f) end f() while true do end", "hostile.lua:1:"},
	{"unpack a million", "table.unpack({}, 1, 1e6)", "table.unpack: more than 1024 values"},
	{"unpack around zero", "table.unpack({}, math.tointeger(-2^63), math.tointeger(2^53))",
	 "table.unpack: more than 1024 values"},
	{"pattern bomb", "return ('a'):find('a-')", "attempt to call a nil value"},
	{"rep", "return ('a'):rep(1e9)", "attempt to call a nil value"},
	{"format", "return ('%p'):format({})", "attempt to call a nil value"},
	{"finalizer", "setmetatable({}, {__gc = function() while true do end end})", "global 'setmetatable'"},
	{"string's metatable", "getmetatable('').__index = nil", "global 'getmetatable'"},
	{"methods of strings", "('').len = 1", "attempt to index a string value"},
	{"close loop", "local x <close> = {}", "got a non-closable value"},
	{"io", "io.open('/etc/passwd')", "global 'io'"},
	{"os", "os.exit()", "global 'os'"},
	{"debug", "debug.sethook()", "global 'debug'"},
	{"load", "load('return 1')", "global 'load'"},
	{"loadstring by env", "_ENV.load('x')", "global 'load'"},
	{"globals table", "_G.x = 1", "global '_G'"},
	{"require", "require('os')", "global 'require'"},
	{"package", "package.loaded.os.exit()", "global 'package'"},
	{"coroutine", "coroutine.wrap(function() end)()", "global 'coroutine'"},
	{"collectgarbage", "collectgarbage('stop')", "global 'collectgarbage'"},
	{"dump", "string.dump(place)", "field 'dump'"},
	{"next", "next({})", "global 'next'"},
	{"rawset", "rawset({}, 1, 1)", "global 'rawset'"},
	{"error with a table", "error({})", "an error that is not a string"},
	{"error with nil", "error(nil)", "an error that is not a string"},
	{"error without place", "error('x', 0)", "hostile.lua:1: x"},
	{"nil arithmetic", "return 1 + nil", "hostile.lua:1: attempt to perform arithmetic"},
	{"division by zero", "return 1 // 0", "hostile.lua:1: attempt to divide by zero"},
	{"keys without order", "for k in pairs({[{}] = 1}) do end", "hostile.lua:1: pairs: a key is a table"},
	{"sort of a mixture", "table.sort({1, 'a'})", "hostile.lua:1: table.sort: cannot compare"},
	{"random of nothing", "math.random(2, 1)", "interval is empty"},
	{"place replaced", "place = nil", "hostile.lua:1: the global \"place\" cannot be written from inside a call"},
	{"a global made", "count = 1", "the global \"count\" cannot be written"},
	{"a global made by _ENV", "_ENV[{}] = 1", "the global \"table\" cannot be written"},
	{"a library changed", "math.huge = 1", "hostile.lua:1: math can only be read"},
	{"a string method made", "string.find = 1", "string can only be read"},
	{"the workload written", "w.key = 1", "hostile.lua:1: the workload can only be read: its field \"key\""},
	{"an unknown field", "return w.quue", "the workload has no field \"quue\", did you mean \"queue\"?"},
	{"a field by number", "return w[1]", "the workload has named fields"},
	{"a list of the workload written", "w.models[1] = 'x'", "w.models can only be read"},
	{"a list of the workload sorted", "table.sort(w.models)", "this list can only be read"},
	{"a list of the workload cut", "table.insert(w.models, 'x')", "w.models can only be read"},
	{"_ENV gone", "local _ENV = nil x = 1", "local '_ENV'"},
};

ParameterizedTestParameters(sandbox, a_hostile_script_costs_only_its_own_call)
{
	static size_t row[sizeof hostile / sizeof *hostile];
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		row[i] = i;
	return cr_make_param_array(size_t, row, sizeof row / sizeof *row);
}

static struct sw_err place(struct sw_policy *p, struct sw_policy_plan *plan)
{
	static const struct sw_demand demand = {.max_price = 1};
	struct sw_policy_input in = {.key = "ns/w",
				     .job_name = "w",
				     .ns = "ns",
				     .queue = "q",
				     .kind = "Job",
				     .attempt = 1,
				     .demand = &demand};
	return sw_policy_place(p, &in, plan);
}

ParameterizedTest(size_t *row, sandbox, a_hostile_script_costs_only_its_own_call, .timeout = 20)
{
	char src[1024];
	struct sw_policy *p;
	struct sw_policy_plan plan;
	snprintf(src, sizeof src, "function place(w) if w.key == 'ns/w' then do %s end end return {} end",
		 hostile[*row].src);
	struct sw_err e = sw_policy_new("hostile.lua", src, strlen(src), tight, &p);
	cr_assert(!sw_failed(e), "%s: %s", hostile[*row].title, e.text);
	for (int again = 0; again < 2; again++) {
		e = place(p, &plan);
		cr_assert_eq(e.code, SW_E_POLICY, "%s: got %s (%s)", hostile[*row].title, sw_code_name(e.code), e.text);
		cr_assert(strstr(e.text, hostile[*row].says), "%s: \"%s\" does not say \"%s\"", hostile[*row].title,
			  e.text, hostile[*row].says);
		cr_assert_eq(plan.n, 0);
	}
	sw_policy_free(p);
}

Test(sandbox, source_that_does_not_stand_up_is_refused)
{
	static const struct {
		const char *src;
		size_t len;
		const char *says;
	} rows[] = {
		{"\x1bLua", 4, "attempt to load a binary chunk"},
		{"x = = 1", 7, "p.lua:1: unexpected symbol near '='"},
		{"x = 1", 5, "p.lua: no function place(w, candidates, ctx) is defined"},
		{"place = 1", 9, "p.lua: place is a number, expected a function"},
		{"function place() end grow = {}", 30, "grow is a table, expected a function"},
		{"function admit() return true end", 32, "no function place"},
		{"string.find = 1 function place() end", 36, "p.lua:1: string can only be read"},
		{"", 0, "no function place"},
		{"while true do end", 17, "p.lua:1: the policy used up its instructions"},
		{"\n\nerror('at the top')", 21, "p.lua:3: at the top"},
		{"x\0y", 3, "p.lua:1:"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_policy *p = (struct sw_policy *)&p;
		struct sw_err e = sw_policy_new("p.lua", rows[i].src, rows[i].len, tight, &p);
		cr_assert_eq(e.code, SW_E_POLICY, "row %zu: %s", i, e.text);
		cr_assert(strstr(e.text, rows[i].says), "row %zu: \"%s\"", i, e.text);
		cr_assert_null(p);
	}
}

Test(sandbox, deeply_nested_and_huge_sources_are_refused)
{
	enum { N = 300 << 10 };
	char *src = malloc(N);
	struct sw_policy *p;
	memset(src, '(', N);
	cr_assert_eq(sw_policy_new("p.lua", src, N, tight, &p).code, SW_E_POLICY);
	cr_assert_eq(sw_policy_new("p.lua", src, 200 << 10, tight, &p).code, SW_E_POLICY);
	memset(src, '{', N);
	cr_assert_eq(sw_policy_new("p.lua", src, 1000, tight, &p).code, SW_E_POLICY);
	free(src);
}

Test(sandbox, nothing_is_remembered_between_calls)
{
	static const char src[] = "local kept, list = 0, {}\n"
				  "count = (count or 0) + 1\n"
				  "function place(w)\n"
				  "  kept = kept + 1 list[#list + 1] = w\n"
				  "  if kept > 1 or count > 1 or #list > 1 then error('remembered') end\n"
				  "  return {}\n"
				  "end\n";
	struct sw_policy *p;
	struct sw_policy_plan plan;
	cr_assert(!sw_failed(sw_policy_new("p.lua", src, sizeof src - 1, tight, &p)));
	for (int i = 0; i < 3; i++) {
		struct sw_err e = place(p, &plan);
		cr_assert(!sw_failed(e), "%s", e.text);
	}
	sw_policy_free(p);
}

Test(sandbox, memory_returns_after_each_call)
{
	static const char src[] = "function place() local t = {} for i = 1, 2000 do t[i] = {i} end return {} end";
	struct sw_policy *p;
	struct sw_policy_plan plan;
	cr_assert(!sw_failed(sw_policy_new("p.lua", src, sizeof src - 1, tight, &p)));
	cr_assert(!sw_failed(place(p, &plan)));
	size_t before = mallinfo2().uordblks;
	for (int i = 0; i < 50; i++)
		cr_assert(!sw_failed(place(p, &plan)), "call %d", i);
	cr_assert_leq(mallinfo2().uordblks, before + 4096);
	sw_policy_free(p);
}

/* What a script computes must not depend on where tables lie or how Lua seeds its hashes. */
static const char same_src[] = "function place(w)\n"
			       "  local t, out = {}, {}\n"
			       "  for i = 1, 300 do t['key' .. math.random(1000000)] = i end\n"
			       "  t[3] = 1 t[true] = 1 t[1.5] = 1 t[-2] = 1\n"
			       "  for k, v in pairs(t) do out[#out+1] = tostring(k) .. '=' .. tostring(v) end\n"
			       "  table.sort(out, function(a, b) return #a < #b end)\n"
			       "  local sum = 0\n"
			       "  for i, s in ipairs(out) do sum = (sum * 31 + s:byte(-1) + i * #s) % 1000000007 end\n"
			       "  return { reason = tostring(sum) .. ' ' .. tostring(out) .. ' ' .. out[1] }\n"
			       "end\n";

Test(sandbox, the_same_input_gives_the_same_plan)
{
	char first[160] = "";
	for (int state = 0; state < 5; state++) {
		struct sw_policy *p;
		struct sw_policy_plan plan;
		cr_assert(!sw_failed(
			sw_policy_new("p.lua", same_src, sizeof same_src - 1, (struct sw_policy_limits){0}, &p)));
		for (int i = 0; i < 2; i++) {
			struct sw_err e = place(p, &plan);
			cr_assert(!sw_failed(e), "%s", e.text);
			if (!*first)
				memcpy(first, plan.reason, sizeof first);
			cr_assert_str_eq(plan.reason, first);
		}
		sw_policy_free(p);
	}
	cr_assert(strstr(first, " table "), "%s", first);
}

Test(sandbox, pairs_walks_numbers_then_strings_then_booleans)
{
	static const char src[] = "function place()\n"
				  "  local t = { b = 1, a = 1, [10] = 1, [2] = 1, [-1] = 1, [2.5] = 1, [true] = 1, "
				  "[false] = 1, ['10'] = 1 }\n"
				  "  local s = ''\n"
				  "  for k in pairs(t) do s = s .. tostring(k) .. ' ' t.b = nil end\n"
				  "  return { reason = s }\n"
				  "end";
	struct sw_policy *p;
	struct sw_policy_plan plan;
	cr_assert(!sw_failed(sw_policy_new("p.lua", src, sizeof src - 1, tight, &p)));
	cr_assert(!sw_failed(place(p, &plan)));
	cr_assert_str_eq(plan.reason, "-1 2 2.5 10 10 a false true ", "a key removed on the way is not visited");
	sw_policy_free(p);
}

Test(sandbox, sort_is_stable_and_right_at_every_length)
{
	static const char src[] =
		"function place()\n"
		"  for n = 0, 70 do\n"
		"    local t = {}\n"
		"    for i = 1, n do t[i] = { k = math.random(1, 5), i = i } end\n"
		"    table.sort(t, function(a, b) return a.k < b.k end)\n"
		"    assert(#t == n)\n"
		"    for i = 2, n do assert(t[i-1].k < t[i].k or (t[i-1].k == t[i].k and t[i-1].i < t[i].i), n) end\n"
		"  end\n"
		"  local w = { 'pear', 'apple', 'fig' } table.sort(w)\n"
		"  return { reason = table.concat(w, ' ') }\n"
		"end";
	struct sw_policy *p;
	struct sw_policy_plan plan;
	cr_assert(!sw_failed(sw_policy_new("p.lua", src, sizeof src - 1, (struct sw_policy_limits){0}, &p)));
	struct sw_err e = place(p, &plan);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_str_eq(plan.reason, "apple fig pear");
	sw_policy_free(p);
}

static int watch_bytes(lua_State *L)
{
	size_t *worst = lua_touserdata(L, 2);
	struct box *box = box_of(L);
	lua_getfield(L, 1, "grow");
	if (lua_pcall(L, 0, 0, 0) == LUA_OK)
		return 0;
	*worst = box->bytes;
	return 0;
}

Test(sandbox, memory_never_passes_the_limit)
{
	/* Strings and tables of many sizes: with realloc's old and new block both counted, the sum stays under the cap.
	 */
	static const char src[] = "function grow() local t = {} for i = 1, 1e7 do t[i % 997] = ('x'):upper() .. "
				  "tostring(i) .. tostring(i * 7) t[#t+1] = { i, i } end end";
	struct box *box;
	size_t bytes = 0;
	cr_assert(!sw_failed(box_new((struct sw_policy_limits){100000000, 300 << 10}, &box)));
	cr_assert(!sw_failed(box_load(box, "p.lua", src, sizeof src - 1)));
	struct sw_err e = box_call(box, 0, watch_bytes, &bytes);
	(void)e;
	cr_assert(bytes > 0 && bytes <= 300 << 10, "%zu", bytes);
	cr_assert_leq(box->bytes, (size_t)300 << 10);
	box_free(box);
}

Test(sandbox, a_limit_too_small_for_lua_itself_is_an_error)
{
	struct sw_policy *p;
	for (size_t bytes = 1; bytes < 40000; bytes += 1777) {
		struct sw_err e = sw_policy_new("p.lua", "function place() return {} end", 30,
						(struct sw_policy_limits){1000, bytes}, &p);
		cr_assert(e.code == SW_E_POLICY || (!sw_failed(e) && bytes > 10000), "%zu: %s", bytes, e.text);
		sw_policy_free(p);
	}
}
