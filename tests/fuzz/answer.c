/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.c - whatever a policy returns: the readers of plans, scores and the other answers
 *
 * Bytes become one Lua value after the other: numbers, texts, inputs, lists, tables with the fields that answers
 * have. The first byte says which function returns it. What is accepted must be within every bound; what is refused
 * must say where, in one line of UTF-8.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "spillway/buf.h"
#include "spillway/policy.h"
#include "spillway/text.h"

enum { DEPTH = 5, TEXT_MAX = 16 << 10, CANDIDATES = 3 };

static const char *const functions[] = {"place", "rank", "admit", "grow", "release", "evicted"};

struct gen {
	const uint8_t *at, *end;
	struct sw_buf lua;
};

static unsigned take(struct gen *g)
{
	return g->at < g->end ? *g->at++ : 0;
}

static void text(struct gen *g)
{
	static const char *const words[] = {"any", "never", "only",       "plan", "retry",  "next",
					    "gke", "moon",  "\\255\\254", "\\0",  "\\27[m", ""};
	sw_buf_printf(&g->lua, "'%s'", words[take(g) % (sizeof words / sizeof *words)]);
}

static void number(struct gen *g)
{
	static const char *const odd[] = {"0/0",    "1/0",  "-1/0", "2^63",   "-2^63", "1e308",
					  "5e-324", "-0.0", "0.5",  "2^53+1", "1e15",  "math.pi"};
	unsigned n = take(g);
	if (n < sizeof odd / sizeof *odd)
		sw_buf_puts(&g->lua, odd[n]);
	else
		sw_buf_printf(&g->lua, "%d", (int)n - 20);
}

static void value(struct gen *g, int depth);

static void list(struct gen *g, int depth)
{
	unsigned n = take(g);
	n = n > 250 ? 40 : n % 5; /* seldom more than is allowed */
	sw_buf_putc(&g->lua, '{');
	for (unsigned i = 0; i < n; i++) {
		value(g, depth - 1);
		sw_buf_putc(&g->lua, ',');
	}
}

static void table(struct gen *g, int depth)
{
	static const char *const fields[] = {"candidates", "patience", "spot",    "max_price", "reason", "go",
					     "exclude",    "seconds",  "strange", "[2]",       "[0]",    "[1.5]"};
	unsigned n = take(g) % 6;
	list(g, depth);
	for (unsigned i = 0; i < n; i++) {
		sw_buf_printf(&g->lua, "%s=", fields[take(g) % (sizeof fields / sizeof *fields)]);
		value(g, depth - 1);
		sw_buf_putc(&g->lua, ',');
	}
	sw_buf_putc(&g->lua, '}');
}

static void value(struct gen *g, int depth)
{
	static const char *const plain[] = {"nil",  "true",     "false",         "w", "c", "x", "c[1]", "c[2]",
					    "c[3]", "w.labels", "function() end"};
	unsigned kind = take(g) % 20;
	if (g->lua.len > TEXT_MAX || (depth <= 0 && kind > 15))
		kind = 1;
	if (kind < sizeof plain / sizeof *plain)
		sw_buf_puts(&g->lua, plain[kind]);
	else if (kind < 14)
		number(g);
	else if (kind == 14)
		text(g);
	else if (kind == 15)
		sw_buf_puts(&g->lua, "{candidates={c[1],2},patience=60}");
	else
		table(g, depth);
}

static void refused(struct sw_err e)
{
	FUZZ_CHECK(e.code == SW_E_POLICY && strncmp(e.text, "f.lua", 5) == 0);
	FUZZ_CHECK(sw_is_utf8(e.text, strlen(e.text)));
	for (const char *c = e.text; *c; c++)
		FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 127);
}

static void reason(const char *s, size_t size)
{
	FUZZ_CHECK(memchr(s, 0, size) != NULL && sw_is_utf8(s, strlen(s)));
	for (; *s; s++)
		FUZZ_CHECK((unsigned char)*s >= ' ' && *s != 127);
}

static void plan_sound(const struct sw_policy_plan *plan)
{
	FUZZ_CHECK(plan->n <= SW_PLAN_STEPS);
	reason(plan->reason, sizeof plan->reason);
	for (size_t i = 0; i < plan->n; i++) {
		const struct sw_plan_step *s = &plan->step[i];
		FUZZ_CHECK(s->n >= 1 && s->n <= SW_STEP_CANDIDATES && s->max_price >= 0);
		FUZZ_CHECK(s->patience_ms >= 1000 && s->patience_ms <= SW_PATIENCE_MAX_S * 1000LL);
		reason(s->reason, sizeof s->reason);
		for (size_t k = 0; k < s->n; k++) {
			FUZZ_CHECK(s->candidate[k] < CANDIDATES);
			for (size_t j = 0; j < k; j++)
				FUZZ_CHECK(s->candidate[k] != s->candidate[j]);
		}
	}
}

static void others(struct sw_policy *p, const struct sw_policy_input *in)
{
	static const struct sw_policy_pool pool = {.cluster = "gke", .pool = "p", .price_hour = 3};
	static const struct sw_policy_need need = {.nodes = 3};
	static const struct sw_policy_node node = {.name = "n", .after_ms = 1000};
	static const struct sw_policy_attempt attempt = {.cluster = "gke", .pool = "p", .outcome = "preempted"};
	struct sw_policy_grow g;
	struct sw_policy_release r;
	struct sw_policy_after a;
	struct sw_err e = sw_policy_grow(p, &pool, &need, &g);
	sw_failed(e) ? refused(e) : reason(g.reason, sizeof g.reason);
	FUZZ_CHECK(g.nodes >= 0 && g.nodes <= 3);
	e = sw_policy_release(p, &pool, &node, &r);
	sw_failed(e) ? refused(e) : reason(r.reason, sizeof r.reason);
	FUZZ_CHECK(r.after_ms >= 0 && r.after_ms <= SW_PATIENCE_MAX_S * 1000LL);
	e = sw_policy_evicted(p, in, &attempt, &a);
	sw_failed(e) ? refused(e) : reason(a.reason, sizeof a.reason);
	FUZZ_CHECK(a.n_excluded <= SW_POLICY_EXCLUDES && a.exclude_ms >= 0);
	for (size_t i = 0; i < a.n_excluded; i++)
		FUZZ_CHECK(strcmp(a.excluded[i], "gke") == 0 || strcmp(a.excluded[i], "onprem") == 0);
}

static void ask(struct sw_policy *p)
{
	static const struct sw_candidate c[CANDIDATES] = {
		{.cluster = "onprem", .pool = "a", .price_hour = NAN, .expected_start_ms = -1, .quota_left = -1},
		{.cluster = "gke", .pool = "p", .price_hour = 3, .spot = true, .growable = true},
		{.cluster = "gke", .pool = "q", .price_hour = 9, .growable = true},
	};
	static const struct sw_demand demand = {.gpus = 1, .max_price = INFINITY};
	struct sw_policy_input in = {.key = "ns/w",
				     .job_name = "w",
				     .ns = "ns",
				     .queue = "q",
				     .kind = "Job",
				     .attempt = 1,
				     .demand = &demand,
				     .candidates = c,
				     .n_candidates = CANDIDATES};
	struct sw_policy_plan plan;
	struct sw_err e = sw_policy_place(p, &in, &plan);
	if (sw_failed(e)) {
		refused(e);
		FUZZ_CHECK(plan.n == 0);
	}
	plan_sound(&plan);
	others(p, &in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sw_policy_limits limits = {.instructions = 100000, .memory_bytes = 512 << 10};
	struct gen g = {.at = data, .end = data + size};
	struct sw_policy *p;
	const char *name = functions[take(&g) % (sizeof functions / sizeof *functions)];

	sw_buf_init(&g.lua, 4 * TEXT_MAX);
	sw_buf_printf(&g.lua, "%sfunction %s(w, c, x) return ",
		      strcmp(name, "place") == 0 || strcmp(name, "rank") == 0 ? "" : "function place() return {} end ",
		      name);
	value(&g, DEPTH);
	sw_buf_putc(&g.lua, ',');
	value(&g, 1);
	sw_buf_puts(&g.lua, " end");
	FUZZ_CHECK(sw_buf_ok(&g.lua));
	struct sw_err e = sw_policy_new("f.lua", g.lua.at, g.lua.len, limits, &p);
	if (sw_failed(e))
		FUZZ_REFUSED(e, p); /* deeper than a parser goes */
	else
		ask(p);
	sw_policy_free(p);
	sw_buf_fini(&g.lua);
	return 0;
}
