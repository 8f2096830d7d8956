/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.c - what a decision costs: ranking, a fresh plan, an equal job, a million of them
 *
 * One core, in this process, no files; timed by the processor time that it took, since nothing here waits. The table is
 * 20 clusters with 5 pools each; no two jobs in a row ask for the same, so that nothing is warm but what a gateway at
 * work would have warm too.
 */
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "spillway/blob.h"
#include "spillway/decision.h"
#include "spillway/policy.h"
#include "spillway/text.h"

enum { CLUSTERS = 20, POOLS = 5, CANDIDATES = CLUSTERS * POOLS, MILLION = 1000000 };

static const char rank_src[] =
	"function rank(w, c, ctx)\n"
	"  if not affordable(w, c) then return nil, 'too dear' end\n"
	"  local start = c.fits and 0 or c.expected_start or hours(1)\n"
	"  return -c.price * (c.spot and 1.2 or 1) - start / 60 - c.queue_depth * 3 - c.rank * 10\n"
	"end\n";
static const char compare_src[] = "function place(w, candidates, ctx)\n"
				  "  local list = filter(candidates, function(c) return affordable(w, c) end)\n"
				  "  table.sort(list, function(a, b)\n"
				  "    if a.rank ~= b.rank then return a.rank < b.rank end\n"
				  "    if a.price ~= b.price then return a.price < b.price end\n"
				  "    return a.cluster < b.cluster\n"
				  "  end)\n"
				  "  return { { candidates = first(list, 16), patience = 600 } }\n"
				  "end\n";
static const char keys_src[] =
	"function place(w, candidates, ctx)\n"
	"  local list = filter(candidates, function(c) return affordable(w, c) end)\n"
	"  return { { candidates = first(sort_by(list, 'rank', 'price'), 16), patience = 600 } }\n"
	"end\n";
static const char least_src[] = "function place(w, candidates, ctx)\n"
				"  return { { candidates = { 1 }, patience = 600 } }\n"
				"end\n";

static double cpu_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct table {
	struct sw_catalog *catalog;
	struct sw_candidate c[CANDIDATES];
	char cluster[CLUSTERS][24], pool[POOLS][24];
	struct sw_demand demand;
};

static void table_make(struct table *t)
{
	static const char *const models[POOLS] = {"", "T4", "A100-80GB", "H100", "H100"};
	bench_must(sw_catalog_load(&t->catalog), "catalog");
	for (int i = 0; i < CLUSTERS; i++)
		snprintf(t->cluster[i], sizeof t->cluster[i], "cluster-%d", i);
	for (int i = 0; i < POOLS; i++)
		snprintf(t->pool[i], sizeof t->pool[i], "pool-%d", i);
	for (int i = 0; i < CANDIDATES; i++) {
		int cluster = i / POOLS, pool = i % POOLS;
		bool cloud = cluster >= 2;
		t->c[i] = (struct sw_candidate){.cluster = t->cluster[cluster],
						.pool = t->pool[pool],
						.provider = cloud ? "gke" : "static",
						.region = cloud ? "europe-west4" : "",
						.zone = "",
						.model = models[pool],
						.gpu = *models[pool] ? sw_catalog_gpu(t->catalog, models[pool]) : NULL,
						.free = i % 9,
						.total = 64,
						.nodes_needed = i % 7 ? 2 : 0,
						.queue_depth = i % 5,
						.expected_start_ms = i % 7 ? 240000 : 0,
						.price_hour = cloud ? 8 + i * 37 % 101 : NAN,
						.price_age_ms = 60000,
						.spot = pool == 4,
						.growable = cloud,
						.quota_left = i % 3 ? 16 : -1};
	}
	t->demand = (struct sw_demand){
		.n_sets = 1,
		.gpus = 8,
		.n_models = 2,
		.models = {sw_catalog_gpu(t->catalog, "H100"), sw_catalog_gpu(t->catalog, "A100-80GB")},
		.spot = SW_SPOT_ALLOW,
		.max_price = 90};
	t->demand.sets[0] = (struct sw_podset){.name = "main", .count = 1, .cpu_milli = 8000, .gpus = 8};
}

static struct sw_policy_input input(const struct table *t, size_t n)
{
	return (struct sw_policy_input){.key = "team-a/train-1",
					.job_name = "train-1",
					.ns = "team-a",
					.queue = "main",
					.kind = "Job",
					.attempt = 1,
					.demand = &t->demand,
					.candidates = t->c,
					.n_candidates = n,
					.now_ms = 1764000000000};
}

static struct sw_policy *policy(const char *name, const char *src, size_t len)
{
	struct sw_policy *p;
	bench_must(sw_policy_new(name, src, len, (struct sw_policy_limits){0}, &p), name);
	return p;
}

/* Decisions per second, each written as a line of the log of decisions if there is a buffer for it. */
static double places_noted(struct table *t, struct sw_policy *p, int n, struct sw_buf *line)
{
	struct sw_policy_input in = input(t, CANDIDATES);
	struct sw_policy_plan plan;
	double began = cpu_now();
	for (int i = 0; i < n; i++) {
		struct sw_decision made = {
			.policy = sw_policy_name(p), .hash = sw_policy_hash(p), .in = &in, .plan = &plan};
		t->demand.max_price = 60 + i % 40;
		bench_must(sw_policy_place(p, &in, &plan), "place");
		sw_buf_reset(line);
		sw_decision_write(line, &made);
	}
	return n / (cpu_now() - began);
}

/* Decisions per second. */
static double places(struct table *t, struct sw_policy *p, size_t candidates, int n)
{
	struct sw_policy_input in = input(t, candidates);
	struct sw_policy_plan plan;
	double began = cpu_now();
	for (int i = 0; i < n; i++) {
		t->demand.max_price = 60 + i % 40;
		bench_must(sw_policy_place(p, &in, &plan), "place");
		if (plan.n == 0)
			bench_die("%s found no place", sw_policy_name(p));
	}
	return n / (cpu_now() - began);
}

static void rank(struct table *t)
{
	enum { ROUNDS = 600 };
	struct sw_policy *p = policy("rank.lua", rank_src, sizeof rank_src - 1);
	struct sw_policy_input in = input(t, CANDIDATES);
	struct sw_policy_score *scores = sw_calloc(CANDIDATES, sizeof *scores);
	double began = cpu_now(), rate;
	for (int i = 0; i < ROUNDS; i++)
		bench_must(sw_policy_rank(p, &in, scores), "rank");
	rate = ROUNDS * (double)CANDIDATES / (cpu_now() - began);
	bench_row("rank(), evaluations", ">= 100,000/s", rate >= 100000, "%.0f/s", rate);
	free(scores);
	sw_policy_free(p);
}

static void place(struct table *t)
{
	const struct sw_blob *b = sw_blob_find("policies/burst.lua");
	struct sw_policy *burst = policy("burst.lua", b->start, sw_blob_len(b)),
			 *compare = policy("compare.lua", compare_src, sizeof compare_src - 1),
			 *keys = policy("keys.lua", keys_src, sizeof keys_src - 1),
			 *least = policy("least.lua", least_src, sizeof least_src - 1);
	double rate = places(t, burst, CANDIDATES, 3000), floor = places(t, least, CANDIDATES, 3000);
	bench_row("place() of burst.lua, 100 candidates, fresh", ">= 5,000/s", rate >= 5000, "%.0f/s", rate);
	bench_note("%.1f us each; %.1f us of it for a policy that looks at nothing", 1e6 / rate, 1e6 / floor);
	struct sw_buf line;
	sw_buf_init(&line, 1 << 20);
	double noted = places_noted(t, burst, 2000, &line);
	bench_row("the same with its line for the log of decisions", ">= 5,000/s", noted >= 5000, "%.0f/s", noted);
	bench_note("%zu KB a line, %.1f us of %.1f", line.len / 1024, 1e6 / noted - 1e6 / rate, 1e6 / noted);
	sw_buf_fini(&line);
	double by_function = places(t, compare, CANDIDATES, 2000), by_keys = places(t, keys, CANDIDATES, 2000);
	bench_note("the same sort by table.sort and a comparison: %.0f/s; by sort_by and keys: %.0f/s (%.1f x)",
		   by_function, by_keys, by_keys / by_function);
	sw_policy_free(burst);
	sw_policy_free(compare);
	sw_policy_free(keys);
	sw_policy_free(least);
}

static void shapes(struct table *t)
{
	const struct sw_blob *b = sw_blob_find("policies/burst.lua");
	struct sw_policy *p = policy("burst.lua", b->start, sw_blob_len(b));
	struct sw_policy_input in = input(t, CANDIDATES);
	struct sw_shapes *s = sw_shapes_new(0);
	struct sw_policy_plan plan;
	int decided = 0, n = MILLION;
	char name[32];
	double began = cpu_now();
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "team-a/train-%d", i);
		in.key = in.job_name = name;
		in.waited_ms = i;
		t->demand.max_price = 60 + i % 40; /* forty shapes */
		if (sw_shapes_get(s, p, &in, 1))
			continue;
		bench_must(sw_policy_place(p, &in, &plan), "place");
		sw_shapes_put(s, p, &in, 1, &plan);
		decided++;
	}
	double rate = n / (cpu_now() - began);
	bench_row("jobs of equal shape (40 shapes)", ">= 500,000/s", rate >= 500000, "%.0f/s", rate);
	bench_note("%d jobs, %d decisions", n, decided);
	sw_shapes_free(s);
	sw_policy_free(p);
}

/* Fresh decisions with a few candidates each: what is left behind would add up. */
static void million(struct table *t)
{
	struct sw_policy *p = policy("keys.lua", keys_src, sizeof keys_src - 1);
	places(t, p, 15, 1000);
	size_t before = mallinfo2().uordblks;
	double rate = places(t, p, 15, MILLION);
	long grown = (long)mallinfo2().uordblks - (long)before;
	bench_row("heap after a million decisions", "no more", grown <= 1024, "%+ld bytes", grown);
	bench_note("15 candidates each, %.0f/s", rate);
	sw_policy_free(p);
}

int main(void)
{
	struct table *t = sw_calloc(1, sizeof *t);
	table_make(t);
	rank(t);
	place(t);
	shapes(t);
	million(t);
	sw_catalog_free(t->catalog);
	free(t);
	return 0;
}
