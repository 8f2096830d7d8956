/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch.c - from submitting a job to its creation on a worker: latency with nothing else to do, then a burst
 *
 * Three processes: simulated clusters, the gateway, and this one, which submits over HTTPS and watches the jobs of
 * every cluster and of the gateway, as users and operators would. Only the gateway's CPU time is counted.
 */
#include <stdlib.h>

#include "follow.h"
#include "site.h"

enum { CLUSTERS = 3, NODES = 10, ALONE = 150, BURST = 1000, BURST_CONNS = 16, JOBS = ALONE + BURST, LIMIT_S = 60 };

static void alone(struct follow *f)
{
	double limit = bench_now() + LIMIT_S;

	for (long i = 0; i < ALONE; i++) {
		follow_submit(f);
		while (f->job[i].started == 0 || f->job[i].answered == 0) {
			follow_turn(f, 0);
			if (bench_now() > limit)
				bench_die("job %ld of %d was not started in time", i, ALONE);
		}
	}
	double p50 = FOLLOW_MS(f, 0, ALONE, created, 50), p99 = FOLLOW_MS(f, 0, ALONE, created, 99);
	bench_row("submit to job created on the worker, p50", "aim 20 ms", p50 <= 20, "%.1f ms", p50);
	bench_row("submit to job created on the worker, p99", "<= 250 ms", p99 <= 250, "%.1f ms", p99);
	bench_note("answer to the user p50 %.1f ms; unsuspended on the worker p50 %.1f, p99 %.1f ms",
		   FOLLOW_MS(f, 0, ALONE, answered, 50), FOLLOW_MS(f, 0, ALONE, started, 50),
		   FOLLOW_MS(f, 0, ALONE, started, 99));
	while (f->ended < ALONE && bench_now() < limit)
		follow_turn(f, 1);
}

static void burst_run(struct follow *f, double *created_s, double *ended_s)
{
	double began = bench_now(), limit = began + LIMIT_S;

	*created_s = *ended_s = 0;
	while (f->ended < JOBS && bench_now() < limit) {
		while (f->submitted < JOBS && follow_submit(f))
			;
		follow_turn(f, 0);
		if (f->created == JOBS && *created_s == 0)
			*created_s = bench_now() - began;
	}
	*ended_s = bench_now() - began;
	if (f->ended < JOBS)
		bench_note("only %ld of %d jobs were created, %ld ended within %d s", f->created - ALONE, BURST,
			   f->ended - ALONE, LIMIT_S);
}

static void burst(struct follow *f, struct bench_child *gateway, struct bench_child *sims)
{
	double requests = site_metric(f->gateway, "spillway_kube_requests_total"), created, ended;
	double cpu = bench_child_cpu(gateway), sim_cpu = bench_child_cpu(sims);

	bench_child_turns(gateway);
	burst_run(f, &created, &ended);
	cpu = bench_child_cpu(gateway) - cpu;
	sim_cpu = bench_child_cpu(sims) - sim_cpu;
	requests = site_metric(f->gateway, "spillway_kube_requests_total") - requests;
	bench_row("burst of 1,000 jobs: created on workers", "", -1, "%.0f jobs/s", created > 0 ? BURST / created : 0);
	bench_row("burst of 1,000 jobs: finished, results home", "", -1, "%.0f jobs/s",
		  (double)(f->ended - ALONE) / ended);
	bench_row("jobs per CPU second of the gateway", "", -1, "%.0f", (double)(f->ended - ALONE) / cpu);
	bench_row("requests to workers per job", "", -1, "%.2f", requests / BURST);
	bench_note("submit to created p50 %.0f ms, p99 %.0f ms; the simulated clusters took %.1f s of CPU beside the "
		   "gateway's %.1f s",
		   FOLLOW_MS(f, ALONE, JOBS, created, 50), FOLLOW_MS(f, ALONE, JOBS, created, 99), sim_cpu, cpu);
	bench_turns_note(gateway, "the gateway");
}

int main(void)
{
	char *dir = bench_dir();
	struct bench_child sims, gateway;
	struct follow f;

	site_files(dir, CLUSTERS, NODES, "3000");
	bench_child_start(&sims, site_sims, dir);
	bench_child_start(&gateway, site_gateway, dir);
	follow_open(&f, dir, CLUSTERS, BURST_CONNS, JOBS);
	alone(&f);
	burst(&f, &gateway, &sims);
	follow_close(&f);
	bench_child_stop(&gateway);
	bench_child_stop(&sims);
	bench_dir_remove(dir);
	free(dir);
	return 0;
}
