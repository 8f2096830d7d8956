/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch.c - from submitting a job to its creation on a worker: latency with nothing else to do, then a burst
 *
 * Three processes: simulated clusters, the gateway, and this one, which submits over HTTPS and watches the jobs of
 * every cluster and of the gateway, as users and operators would. Only the gateway's CPU time is counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"
#include "site.h"
#include "spillway/text.h"

enum { CLUSTERS = 3, ALONE = 150, BURST = 1000, BURST_CONNS = 16, JOBS = ALONE + BURST, LIMIT_S = 60 };

struct job {
	double submitted, answered, created, started, ended;
};

struct bench {
	struct job job[JOBS];
	long created, started, ended;
	struct client *workers[CLUSTERS], *gateway;
};

struct watch {
	struct bench *b;
	struct conn *conn;
	struct sw_buf line;
	bool is_gateway;
};

/* ---- what is seen ------------------------------------------------------------------------- */

static void first_time(double *at, long *count)
{
	if (*at > 0)
		return;
	*at = bench_now();
	(*count)++;
}

static void job_seen(struct watch *w, const char *line, size_t len)
{
	static const char mark[] = "\"name\":\"j-";
	const char *name = memmem(line, len, mark, sizeof(mark) - 1);
	long i = name ? strtol(name + sizeof(mark) - 1, NULL, 10) : -1;

	if (i < 0 || i >= JOBS)
		return;
	if (w->is_gateway) {
		if (memmem(line, len, "\"completionTime\":\"", 18))
			first_time(&w->b->job[i].ended, &w->b->ended);
		return;
	}
	first_time(&w->b->job[i].created, &w->b->created);
	if (memmem(line, len, "\"suspend\":false", 15))
		first_time(&w->b->job[i].started, &w->b->started);
}

static void on_lines(struct conn *c, void *owner, const char *bytes, size_t n)
{
	struct watch *w = owner;
	const char *nl;

	(void)c;
	while ((nl = memchr(bytes, '\n', n))) {
		size_t len = (size_t)(nl - bytes) + 1;

		sw_buf_put(&w->line, bytes, len);
		job_seen(w, w->line.at, w->line.len);
		sw_buf_reset(&w->line);
		bytes += len;
		n -= len;
	}
	sw_buf_put(&w->line, bytes, n);
}

static void on_watch_end(struct conn *c, void *owner)
{
	(void)owner;
	bench_die("a watch of jobs ended (HTTP status %d)", c->status);
}

static void watch_start(struct watch *w, struct client *cl)
{
	sw_buf_init(&w->line, 4 << 20);
	w->conn = client_connect(cl, w);
	conn_request(w->conn, "GET", "/apis/batch/v1/jobs?watch=true&allowWatchBookmarks=true", NULL, 0, on_lines,
		     on_watch_end);
	while (w->conn->status == 0)
		client_turn(cl, 100);
}

static void turn(struct bench *b, int timeout_ms)
{
	for (int i = 0; i < CLUSTERS; i++)
		client_turn(b->workers[i], 0);
	client_turn(b->gateway, timeout_ms);
}

/* ---- submitting ---------------------------------------------------------------------------- */

struct submitter {
	struct bench *b;
	struct conn *conn;
	long job;
};

static void on_submitted(struct conn *c, void *owner)
{
	struct submitter *s = owner;

	if (c->status != 201)
		bench_die("submitting a job: HTTP status %d", c->status);
	s->b->job[s->job].answered = bench_now();
}

static void submit(struct submitter *s, long job)
{
	char name[32], body[4096];

	s->job = job;
	snprintf(name, sizeof(name), "j-%06ld", job);
	s->b->job[job].submitted = bench_now();
	conn_request(s->conn, "POST", "/apis/batch/v1/namespaces/default/jobs", body,
		     job_text(body, sizeof(body), "default", name, "bench"), NULL, on_submitted);
}

/* ---- figures --------------------------------------------------------------------------------- */

/* One of the times of a job, in ms after it was submitted. */
static double percentile(const struct bench *b, long from, long to, size_t which, double percent)
{
	double *ms = sw_calloc((size_t)(to - from), sizeof(double)), p;

	for (long i = from; i < to; i++)
		ms[i - from] = 1e3 * (*(const double *)((const char *)&b->job[i] + which) - b->job[i].submitted);
	p = bench_percentile(ms, (size_t)(to - from), percent);
	free(ms);
	return p;
}

static void alone(struct bench *b, struct submitter *s)
{
	double limit = bench_now() + LIMIT_S;

	for (long i = 0; i < ALONE; i++) {
		submit(s, i);
		while (b->job[i].started == 0 || s->conn->busy) {
			turn(b, 0);
			if (bench_now() > limit)
				bench_die("job %ld of %d was not started in time", i, ALONE);
		}
	}
	double p50 = percentile(b, 0, ALONE, offsetof(struct job, created), 50),
	       p99 = percentile(b, 0, ALONE, offsetof(struct job, created), 99);
	bench_row("submit to job created on the worker, p50", "aim 20 ms", p50 <= 20, "%.1f ms", p50);
	bench_row("submit to job created on the worker, p99", "<= 250 ms", p99 <= 250, "%.1f ms", p99);
	bench_note("answer to the user p50 %.1f ms; unsuspended on the worker p50 %.1f, p99 %.1f ms",
		   percentile(b, 0, ALONE, offsetof(struct job, answered), 50),
		   percentile(b, 0, ALONE, offsetof(struct job, started), 50),
		   percentile(b, 0, ALONE, offsetof(struct job, started), 99));
	while (b->ended < ALONE && bench_now() < limit)
		turn(b, 1);
}

static void burst_run(struct bench *b, struct submitter *subs, double *created_s, double *ended_s)
{
	double began = bench_now(), limit = began + LIMIT_S;
	long next = ALONE;

	*created_s = *ended_s = 0;
	while (b->ended < JOBS && bench_now() < limit) {
		for (int i = 0; i < BURST_CONNS && next < JOBS; i++)
			if (!subs[i].conn->busy)
				submit(&subs[i], next++);
		turn(b, 0);
		if (b->created == JOBS && *created_s == 0)
			*created_s = bench_now() - began;
	}
	*ended_s = bench_now() - began;
	if (b->ended < JOBS)
		bench_note("only %ld of %d jobs were created, %ld ended within %d s", b->created - ALONE, BURST,
			   b->ended - ALONE, LIMIT_S);
}

static void burst(struct bench *b, struct submitter *subs, struct bench_child *gateway, struct bench_child *sims)
{
	double requests = site_metric(b->gateway, "spillway_kube_requests_total"), created, ended;
	double cpu = bench_child_cpu(gateway), sim_cpu = bench_child_cpu(sims);

	bench_child_turns(gateway);
	burst_run(b, subs, &created, &ended);
	cpu = bench_child_cpu(gateway) - cpu;
	sim_cpu = bench_child_cpu(sims) - sim_cpu;
	requests = site_metric(b->gateway, "spillway_kube_requests_total") - requests;
	bench_row("burst of 1,000 jobs: created on workers", "", -1, "%.0f jobs/s", created > 0 ? BURST / created : 0);
	bench_row("burst of 1,000 jobs: finished, results home", "", -1, "%.0f jobs/s",
		  (double)(b->ended - ALONE) / ended);
	bench_row("jobs per CPU second of the gateway", "", -1, "%.0f", (double)(b->ended - ALONE) / cpu);
	bench_row("requests to workers per job", "", -1, "%.2f", requests / BURST);
	bench_note("submit to created p50 %.0f ms, p99 %.0f ms; the simulated clusters took %.1f s of CPU beside the "
		   "gateway's %.1f s",
		   percentile(b, ALONE, JOBS, offsetof(struct job, created), 50),
		   percentile(b, ALONE, JOBS, offsetof(struct job, created), 99), sim_cpu, cpu);
	bench_turns_note(gateway, "the gateway");
}

/* ---- all ---------------------------------------------------------------------------------------- */

static void write_files(const char *dir)
{
	struct sw_buf clusters, config;

	sw_buf_init(&clusters, 64 << 10);
	sw_buf_init(&config, 64 << 10);
	sw_buf_puts(&clusters, "timeScale: 60\nclusters:\n");
	sw_buf_printf(&config,
		      "data_dir: %s/data\nlisten: 127.0.0.1:0\nlog.level: warn\nbootstrap: [queue.yaml]\nclusters:\n",
		      dir);
	for (int i = 0; i < CLUSTERS; i++) {
		sw_buf_printf(&clusters,
			      "- name: w%d\n  cloud: onprem\n  region: here\n  nodes:\n"
			      "  - {name: cpu, count: 10, machine: server, cpu: 128, memory: 1Ti, priceHour: 0.50}\n",
			      i);
		sw_buf_printf(&config, "- {name: w%d, provider: sim, kubeconfig: w%d.kubeconfig, region: here}\n", i,
			      i);
	}
	bench_write(dir, "clusters.yaml", "%s", clusters.at);
	bench_write(dir, "spillway.yaml", "%s", config.at);
	site_queue(dir, "3000");
	sw_buf_fini(&clusters);
	sw_buf_fini(&config);
}

static void connect_all(struct bench *b, const char *dir, struct watch watches[CLUSTERS + 1])
{
	struct bench_access a = bench_access(dir, "data/admin.kubeconfig");

	b->gateway = client_new(a.port, a.token);
	for (int i = 0; i < CLUSTERS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "w%d.kubeconfig", i);
		a = bench_access(dir, name);
		b->workers[i] = client_new(a.port, a.token);
		watches[i] = (struct watch){.b = b};
		watch_start(&watches[i], b->workers[i]);
	}
	watches[CLUSTERS] = (struct watch){.b = b, .is_gateway = true};
	watch_start(&watches[CLUSTERS], b->gateway);
}

int main(void)
{
	char *dir = bench_dir();
	struct bench *b = sw_calloc(1, sizeof(*b));
	struct watch watches[CLUSTERS + 1];
	struct submitter subs[BURST_CONNS];
	struct bench_child sims, gateway;

	write_files(dir);
	bench_child_start(&sims, site_sims, dir);
	bench_child_start(&gateway, site_gateway, dir);
	connect_all(b, dir, watches);
	for (int i = 0; i < BURST_CONNS; i++)
		subs[i] = (struct submitter){.b = b, .conn = client_connect(b->gateway, &subs[i])};
	alone(b, &subs[0]);
	burst(b, subs, &gateway, &sims);
	for (int i = 0; i <= CLUSTERS; i++)
		sw_buf_fini(&watches[i].line);
	for (int i = 0; i < CLUSTERS; i++)
		client_free(b->workers[i]);
	client_free(b->gateway);
	bench_child_stop(&gateway);
	bench_child_stop(&sims);
	bench_dir_remove(dir);
	free(b);
	free(dir);
	return 0;
}
