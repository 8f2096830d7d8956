/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scale.c - one gateway over 100 workers: latency at a steady rate, then 50,000 jobs that wait and run
 *
 * Workers are API servers of ours with simulated controllers and nodes, all in one process; it, the gateway and this
 * program share the machine, so the rate is one that leaves the processors some air. Jobs come at fixed moments,
 * whether or not earlier ones are done, and their latency counts from the moment when they were due.
 */
#include <stdio.h>
#include <stdlib.h>

#include "follow.h"
#include "site.h"

enum {
	WORKERS = 100,
	NODES = 20,
	RATE = 40, /* jobs a second */
	WARM = 100,
	STEADY = 800,
	AMONG = 200, /* small jobs submitted while the crowd waits and runs */
	JOBS = WARM + STEADY + AMONG,
	AMONG_RATE = 10,
	CROWD_CPU = 100, /* of a node's 128: one runs on each node */
	CROWD_MOST = 50000,
	CONNS = 32,
	LIMIT_S = 100
};

static double mib(long bytes)
{
	return (double)bytes / (1 << 20);
}

static void memory_row(const char *figure, const struct bench_child *g)
{
	long all = bench_child_rss_all(g);

	bench_row(figure, "< 1 GiB", all < (long)1 << 30, "%.0f MiB", mib(all));
}

/* Says so if it does not come to that. */
static void wait_metric(struct follow *f, const char *name, double least, double limit_s)
{
	double began = bench_now(), now;

	while ((now = site_metric(f->gateway, name)) < least) {
		if (bench_now() > began + limit_s) {
			bench_note("%s is %.0f after %.0f s, not %.0f", name, now, limit_s, least);
			return;
		}
		for (double until = bench_now() + 0.1; bench_now() < until;)
			follow_turn(f, 10);
	}
}

static void steady(struct follow *f, struct bench_child *gateway, struct bench_child *sims)
{
	double requests, cpu, sim_cpu, began;
	long from = WARM, to = WARM + STEADY;

	follow_pace(f, RATE, WARM, LIMIT_S);
	requests = site_metric(f->gateway, "spillway_kube_requests_total");
	cpu = bench_child_cpu(gateway);
	sim_cpu = bench_child_cpu(sims);
	bench_child_turns(gateway);
	began = bench_now();
	follow_pace(f, RATE, to, LIMIT_S);
	cpu = bench_child_cpu(gateway) - cpu;
	sim_cpu = bench_child_cpu(sims) - sim_cpu;
	requests = site_metric(f->gateway, "spillway_kube_requests_total") - requests;
	double p50 = FOLLOW_MS(f, from, to, created, 50), p99 = FOLLOW_MS(f, from, to, created, 99);
	bench_row("100 workers: submit to job created, p50", "", -1, "%.1f ms", p50);
	bench_row("100 workers: submit to job created, p99", "<= 250 ms", p99 <= 250, "%.1f ms", p99);
	bench_note("%d jobs, %d a second; unsuspended p50 %.1f, p99 %.1f ms; %.2f requests to workers per job", STEADY,
		   RATE, FOLLOW_MS(f, from, to, started, 50), FOLLOW_MS(f, from, to, started, 99), requests / STEADY);
	bench_row("100 workers: CPU of the gateway per job", "", -1, "%.2f ms", 1e3 * cpu / STEADY);
	bench_note("of %.1f s, the gateway had %.1f s of processor time, the workers %.1f s", bench_now() - began, cpu,
		   sim_cpu);
	bench_turns_note(gateway, "the gateway");
	memory_row("100 workers: memory of the gateway", gateway);
}

/* ---- 50,000 ------------------------------------------------------------------------------------- */

/* BENCH_CROWD makes it smaller, for a quick look; 0: none. */
static long crowd_size(void)
{
	const char *wish = getenv("BENCH_CROWD");

	return wish ? strtol(wish, NULL, 10) : CROWD_MOST;
}

static void turn_all(void *f)
{
	follow_turn(f, 100);
}

/* Quota for all of them, and room for one on each node: the others wait for room. */
static void crowd(struct follow *f, struct bench_child *gateway, long size)
{
	struct create_plan plan = {.job = {.ns = "default", .queue = "bench", .run = "1000000s", .cpu = "100"},
				   .prefix = "crowd",
				   .conns = 64,
				   .count = size,
				   .seconds = LIMIT_S,
				   .turn = turn_all,
				   .owner = f};
	long before = bench_child_rss_all(gateway), run = size < WORKERS * NODES ? size : WORKERS * NODES;
	double began = bench_now();
	struct created done = jobs_create(f->gateway, &plan);

	if (done.count < size)
		bench_note("only %ld of %ld jobs were created in %d s", done.count, size, LIMIT_S);
	bench_note("%ld jobs queued at %.0f/s", done.count, (double)done.count / done.seconds);
	wait_metric(f, "spillway_placements_total", (double)(WARM + STEADY + run), LIMIT_S);
	bench_note("%.0f s after the first was queued, %ld have their place", bench_now() - began, run);
	wait_metric(f, "spillway_policy_calls_total", (double)(WARM + STEADY + done.count), LIMIT_S);
	bench_note("%.0f s after it, the other %ld have a plan, and wait for room", bench_now() - began,
		   done.count - run);
	memory_row("100 workers, 50,000 jobs run or wait for room", gateway);
	bench_note("%.0f bytes a job", (double)(bench_child_rss_all(gateway) - before) / (double)done.count);
}

static void among(struct follow *f, struct bench_child *gateway)
{
	long from = f->submitted, to = from + AMONG;
	double cpu = bench_child_cpu(gateway), began = bench_now();

	for (double until = bench_now() + 5; bench_now() < until;)
		follow_turn(f, 10);
	cpu = bench_child_cpu(gateway) - cpu;
	bench_row("while they wait: CPU of the gateway", "", -1, "%.0f %%", 100 * cpu / (bench_now() - began));
	bench_child_turns(gateway);
	follow_pace(f, AMONG_RATE, to, LIMIT_S);
	double p99 = FOLLOW_MS(f, from, to, created, 99);
	bench_row("among them: submit to job created, p99", "<= 250 ms", p99 <= 250, "%.1f ms", p99);
	bench_note("p50 %.1f ms; %d jobs, %d a second, that fit beside those that run",
		   FOLLOW_MS(f, from, to, created, 50), AMONG, AMONG_RATE);
	bench_turns_note(gateway, "the gateway");
}

int main(void)
{
	char *dir = bench_dir();
	struct bench_child sims, gateway;
	struct follow f;
	double began;

	site_files(dir, WORKERS, NODES, "100000000");
	bench_child_start(&sims, site_sims, dir);
	began = bench_now();
	bench_child_start(&gateway, site_gateway, dir);
	follow_open(&f, dir, WORKERS, CONNS, JOBS);
	wait_metric(&f, "spillway_cluster_ready", WORKERS, LIMIT_S);
	bench_note("100 workers of %d nodes are ready %.1f s after the gateway began", NODES, bench_now() - began);
	steady(&f, &gateway, &sims);
	if (crowd_size() > 0) {
		crowd(&f, &gateway, crowd_size());
		among(&f, &gateway);
	}
	follow_close(&f);
	bench_child_stop(&gateway);
	bench_child_stop(&sims);
	bench_dir_remove(dir);
	free(dir);
	return 0;
}
