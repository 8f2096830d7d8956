/* SPDX-License-Identifier: Apache-2.0 */
/* test_toolbox.c - the library of policies and every field that they see, as docs/policy-api.md says */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "table.h"

static struct sw_err run(const char *body)
{
	char src[1200];
	struct question q;
	struct sw_policy_plan plan;
	question_fill(&q);
	snprintf(src, sizeof src,
		 "local function names(l) return table.concat(map(l, place_name), ' ') end\n"
		 "function place(w, c, ctx) %s return {} end",
		 body);
	struct sw_policy *p = policy_of(src);
	struct sw_err e = sw_policy_place(p, &q.in, &plan);
	sw_policy_free(p);
	return e;
}

Test(toolbox, every_field_is_there_with_its_unit)
{
	static const char *const rows[] = {
		"w.cluster_queue == 'cq'",
		"w.labels.team == 'vision' and w.labels['a.b/c'] == 'd' and w.labels.other == nil",
		"#w.pod_sets == 2 and w.pod_sets[2].name == 'worker' and w.pod_sets[2].count == 2",
		"w.pod_sets[1].cpu == 1.5 and w.pod_sets[2].memory == 64 and w.pod_sets[2].gpus == 8",
		"w.pods == 3 and w.gpus == 16",
		"w.data == 'gs://b@europe-west4:500Gi' and w.data_bucket == 'b' and w.data_region == 'europe-west4' "
		"and "
		"w.data_gib == 500",
		"#w.attempts == 1 and w.attempts[1].cluster == 'gke' and w.attempts[1].outcome == 'preempted'",
		"w.attempts[1].ran == 90 and w.attempts[1].spot and w.attempts[1].began == 1000",
		"w.budget.limit == 1000 and w.budget.left == 750 and w.budget.window == 86400 and w.budget.elapsed == "
		"3600",
		"ctx.now == 2000 and ctx.spend == 12 and ctx.spend_limit == 200",
		"c[1].machine == nil and c[2].machine == 'a3' and c[1].flavor == 'iron'",
		"c[2].nodes == 1 and c[2].nodes_max == 8 and c[2].in_flight == 1 and c[1].nodes_max == nil",
		"c[2].price_on_demand == 90 and c[2].price_spot == 30 and c[3].price_spot == nil",
		"c[2].budget_left == 25 and c[1].budget_left == nil",
		"c[2].egress == 0 and c[1].egress == nil",
		"c[1].gpu.model == 'H100' and c[1].gpu.memory == 80 and c[1].gpu_memory == 80 and c[4].gpu == nil",
		"c[1].gpu.tflops.bf16 == 1000 and c[1].gpu.tflops.fp64 == nil",
		"c[1].gpu == c[2].gpu",
		"type(w) == 'table' and type(c[1]) == 'table' and type(c) == 'table' and type(w.labels) == 'table'",
		"tostring(c[1]) == 'table'",
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char body[400];
		snprintf(body, sizeof body, "assert(%s)", rows[i]);
		struct sw_err e = run(body);
		cr_expect(!sw_failed(e), "%s: %s", rows[i], e.text);
	}
}

Test(toolbox, what_each_function_gives)
{
	static const char *const rows[] = {
		"names(sort_by(c, 'price')) == 'gke/spot aks/firm gke/firm onprem/iron'",
		"names(sort_by(c, '-price')) == 'aks/firm gke/firm gke/spot onprem/iron'",
		"names(sort_by(c, 'spot', '-price')) == 'gke/spot aks/firm gke/firm onprem/iron'",
		"names(sort_by(c, 'cluster')) == 'aks/firm gke/firm gke/spot onprem/iron'",
		"names(sort_by(c, function(x) return -x.index end)) == 'aks/firm gke/firm gke/spot onprem/iron'",
		"names(sort_by(c, function() return nil end)) == 'aks/firm gke/firm gke/spot onprem/iron'",
		"names(sort_by(c, function() return 0 / 0 end, 'pool')) == 'aks/firm gke/firm onprem/iron gke/spot'",
		"#sort_by({}, 'price') == 0",
		"sort_by({ { p = 2 }, { p = 1 } }, 'p')[1].p == 1",
		"sort_by({ 3, 1, 2 }, function(x) return x end)[1] == 1",
		"names(c) == 'onprem/iron gke/spot gke/firm aks/firm'",
		"names(filter(c, 'spot')) == 'gke/spot'",
		"names(filter(c, function(x) return x.price == 90 end)) == 'gke/firm aks/firm'",
		"#map(c, 'price') == 3 and map(c, 'price')[1] == 30",
		"any(c, 'spot') and not any(c, 'fits') and not any({}, 'x')",
		"#first(c, 2) == 2 and #first(c, 9) == 4 and #first(c, -1) == 0",
		"sum(c, 'total') == 8 and sum(c, 'price') == nil and sum({}, 'x') == 0",
		"contains({ 1, 'a' }, 'a') and not contains({}, 1) and contains('gke/spot', 'e/s') and not "
		"contains('a', 'a.')",
		"place_name(cheapest(c)) == 'gke/spot' and cheapest({ c[1] }) == nil and cheapest({}) == nil",
		"place_name(cheapest({ c[3], c[4] })) == 'aks/firm' and place_name(cheapest({ c[4], c[3] })) == "
		"'aks/firm'",
		"place_name(soonest(c)) == 'aks/firm'",
		"#group(c, 'cluster') == 3 and group(c, 'cluster')[2].key == 'gke' and #group(c, 'cluster')[2] == 2",
		"group(c, 'price')[3].key == nil and #group(c, 'price')[3] == 1",
		"#group({}, 'x') == 0",
		"hours(2) == 7200 and hours('1h30m') == 5400 and minutes(10) == 600",
		"gib('500Gi') == 500 and gib(2 ^ 30) == 1",
		"dollars(12.5) == '$12.50' and dollars(nil) == 'an unknown price' and dollars(-1) == '-$1.00'",
		"tflops(c[1], 'bf16') == 1000 and tflops(c[1], 'fp64') == nil and tflops(c[4], 'bf16') == nil",
		"price_per_tflop(c[2], 'bf16') == 30 / 16000 and price_per_tflop(c[1], 'bf16') == nil",
		"price_per_tflop({ price = 10, gpu = { tflops = { bf16 = 5 } } }, 'bf16') == 2",
		"affordable(w, c[2]) and not affordable(w, c[1]) and not affordable({ max_price = 80 }, c[3])",
		"spot_allowed({ spot = 'require' }, c[2]) and not spot_allowed({ spot = 'never' }, c[2])",
		"can_grow(c[2]) and can_grow(c[3]) and not can_grow(c[4]) and can_grow({ fits = true })",
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char body[400];
		snprintf(body, sizeof body, "assert(%s)", rows[i]);
		struct sw_err e = run(body);
		cr_expect(!sw_failed(e), "%s: %s", rows[i], e.text);
	}
}

Test(toolbox, wrong_arguments_are_named_with_the_line)
{
	static const struct {
		const char *body, *says;
	} rows[] = {
		{"sort_by(c)", "t.lua:2: bad argument #2 to 'sort_by' (expected one to eight keys)"},
		{"sort_by(5, 'x')", "t.lua:2: sort_by: the first argument is a number, expected a list"},
		{"sort_by(w, 'x')", "sort_by: the first argument is a table, expected a list"},
		{"sort_by({ 1 }, 'x')", "sort_by: item 1 is a number, which has no fields"},
		{"sort_by(c, {})", "sort_by: found a table, expected the name of a field or a function(item)"},
		{"sort_by(c, function() return {} end)", "the key of item 1 is a table"},
		{"filter(c)", "filter: found a no value, expected the name"},
		{"sum(c, 'cluster')", "sum: item 1 gives a string, expected a number"},
		{"place_name({})", "place_name: no candidate"},
		{"tflops(c[1], 'bf61')", "bf61"},
		{"hours('soon')", "hours: "},
		{"gib('much')", "gib: "},
		{"cheapest({ 1 })", "cheapest: item 1 is a number"},
		{"local l = {} for i = 1, 2049 do l[i] = i end filter(l, function() end)",
		 "a list of 2049, at most 2048"},
		{"group(c, function() error('deep') end)", "t.lua:2: deep; in a function (t.lua:2), place (t.lua:2)"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_err e = run(rows[i].body);
		cr_expect_eq(e.code, SW_E_POLICY, "%s", rows[i].body);
		cr_expect(strncmp(e.text, "t.lua:2: ", 9) == 0 && strstr(e.text, rows[i].says), "%s: \"%s\"",
			  rows[i].body, e.text);
	}
}

Test(toolbox, pairs_shows_what_is_known_in_order)
{
	struct sw_err e =
		run("local seen = {} for k, v in pairs(w.labels) do seen[#seen + 1] = k .. '=' .. v end "
		    "assert(table.concat(seen, ' ') == 'a.b/c=d team=vision') "
		    "local n, last = 0, '' for k, v in pairs(c[2]) do assert(k > last) last = k n = n + 1 end "
		    "assert(n > 25, n) "
		    "n = 0 for i, x in pairs(c) do n = n + i end assert(n == 10) "
		    "n = 0 for i, x in ipairs(c) do n = n + x.index end assert(n == 10) "
		    "assert(#c == 4 and select('#', table.unpack(c)) == 4) "
		    "local copy = {} for k, v in pairs(w.labels) do copy[k] = v end copy.team = 1");
	cr_assert(!sw_failed(e), "%s", e.text);
}
