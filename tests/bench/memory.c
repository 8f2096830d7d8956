/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - a gateway with 50,000 jobs that wait for quota
 *
 * The queue has no CPU to give, so every job and its Workload stay. Counted is anonymous memory in RAM: what the
 * kernel caches of the store's file is not the gateway's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "jobs.h"
#include "site.h"
#include "spillway/text.h"

enum { QUEUED = 50000, CONNS = 64, LISTS = 3, LIMIT_S = 100 };

static double file_size(const char *dir, const char *name)
{
	char *path = sw_asprintf("%s/data/%s", dir, name);
	struct stat st = {0};

	stat(path, &st);
	free(path);
	return (double)st.st_size;
}

static void turns_row(const char *figure, struct bench_child *g)
{
	struct bench_turns t = bench_child_turns(g);

	bench_row(figure, "<= 5 ms", t.worst_cpu_ms <= 5, "%.1f ms", t.worst_cpu_ms);
	bench_note("of processor time; %lu of %lu turns over it. By the clock, with what others had of the processors: "
		   "%lu, worst %.1f ms (%s)",
		   t.slow_cpu, t.turns, t.slow, t.worst_ms, t.worst_doing);
}

static void wait_quiet(struct client *cl, struct bench_child *g, double limit)
{
	/* The manager makes the last Workloads behind the last creates. */
	while (bench_now() < limit && site_metric(cl, "spillway_pending_workloads") < QUEUED)
		client_turn(cl, 50);
	for (double busy = bench_child_cpu(g), now; bench_now() < limit; busy = now) {
		client_turn(cl, 300);
		now = bench_child_cpu(g);
		if (now - busy < 0.03)
			break;
	}
}

static void fill(struct client *cl, struct bench_child *g, const char *dir)
{
	struct create_plan plan = {.job = {.ns = "default", .queue = "bench"},
				   .prefix = "q",
				   .conns = CONNS,
				   .count = QUEUED,
				   .seconds = LIMIT_S};
	long empty = bench_child_rss(g), full;
	double limit = bench_now() + LIMIT_S;
	struct created done;

	bench_child_turns(g);
	done = jobs_create(cl, &plan);
	wait_quiet(cl, g, limit);
	full = bench_child_rss(g);
	if (done.count < QUEUED)
		bench_note("only %ld jobs were created in %d s", done.count, LIMIT_S);
	bench_row("jobs queued by users, with their Workloads", "", -1, "%.0f/s", (double)done.count / done.seconds);
	bench_row("memory of the gateway, nothing queued", "", -1, "%.1f MB", (double)empty / 1e6);
	bench_row("memory of the gateway, 50,000 jobs queued", "", -1, "%.1f MB", (double)full / 1e6);
	double each = (double)(full - empty) / (double)done.count,
	       disk = (file_size(dir, "store.db")) / (double)done.count;
	bench_row("memory per queued job", "< 1024 bytes", each < 1024, "%.0f bytes", each);
	bench_row("disk per queued job (the job and its Workload)", "", -1, "%.0f bytes", disk);
	bench_note("memory per job is %.2f of what is on disk for it; the write-ahead log has %.1f MB", each / disk,
		   file_size(dir, "store.db-wal") / 1e6);
	turns_row("longest turn while they were queued", g);
}

static void list(struct client *cl, struct bench_child *g)
{
	struct conn *c = client_connect(cl, NULL);
	double ms[LISTS];

	for (int i = 0; i < LISTS; i++) {
		conn_request(c, "GET", "/apis/batch/v1/jobs", NULL, 0, NULL, NULL);
		while (c->busy)
			client_turn(cl, 1000);
		if (c->status != 200)
			bench_die("list: HTTP status %d", c->status);
		ms[i] = 1e3 * (bench_now() - c->began);
	}
	bench_row("listing all 50,000, median of 3", "", -1, "%.0f ms", bench_percentile(ms, LISTS, 50));
	turns_row("longest turn while they were listed", g);
	client_drop(cl, 1);
}

/* Quota for some of them: they are admitted, and wait for a place, since there is no cluster. */
static void admit(struct client *cl, struct bench_child *g)
{
	static const char patch[] =
		"{\"spec\":{\"resourceGroups\":[{\"coveredResources\":[\"cpu\",\"memory\"],\"flavors\":[{\"name\":"
		"\"any\",\"resources\":["
		"{\"name\":\"cpu\",\"nominalQuota\":\"2000\"},{\"name\":\"memory\",\"nominalQuota\":\"100Ti\"}]}]}]}}";
	double began = bench_now(), limit = began + 20;
	int status = client_once(cl, "PATCH", "/apis/kueue.x-k8s.io/v1beta2/clusterqueues/bench", patch, NULL);

	if (status != 200)
		bench_die("raising the quota: HTTP status %d", status);
	while (bench_now() < limit && site_metric(cl, "spillway_pending_workloads") > QUEUED - 2000)
		client_turn(cl, 50);
	bench_row("admitting 2,000 of them when quota comes", "", -1, "%.0f ms", 1e3 * (bench_now() - began));
	turns_row("longest turn while they were admitted", g);
}

int main(void)
{
	char *dir = bench_dir();
	struct bench_child gateway;
	struct bench_access a;
	struct client *cl;

	bench_write(dir, "spillway.yaml",
		    "data_dir: %s/data\nlisten: 127.0.0.1:0\nlog.level: warn\nbootstrap: [queue.yaml]\n", dir);
	site_queue(dir, "0");
	bench_child_start(&gateway, site_gateway, dir);
	a = bench_access(dir, "data/admin.kubeconfig");
	cl = client_new(a.port, a.token);
	client_once(cl, "GET", "/apis/batch/v1/jobs", NULL, NULL); /* what every first request allocates */
	fill(cl, &gateway, dir);
	list(cl, &gateway);
	admit(cl, &gateway);
	client_free(cl);
	bench_child_stop(&gateway);
	bench_dir_remove(dir);
	free(dir);
	return 0;
}
