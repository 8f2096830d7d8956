/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.c - the job that the benchmarks submit: about 2 KB, as a user's manifest is after kubectl has read it */
#include "jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"

enum { JOB_BYTES = 2048 };

size_t job_text(char *out, size_t size, const struct job_spec *spec)
{
	static const char fill[] =
		"--learning-rate=0.0003 --batch-size=64 --epochs=90 --warmup-steps=500 --checkpoint=s3://bucket/run ";
	int n = snprintf(
		out, size,
		"{\"apiVersion\":\"batch/"
		"v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\",\"labels\":{"
		"\"app.kubernetes.io/name\":\"train\",\"app.kubernetes.io/part-of\":\"bench\",\"kueue.x-k8s.io/"
		"queue-name\":\"%s\"},"
		"\"annotations\":{\"example.org/owner\":\"somebody@example.org\",\"example.org/ticket\":\"RES-1234\"}},"
		"\"spec\":{\"parallelism\":1,\"completions\":1,\"backoffLimit\":3,\"suspend\":true,\"template\":{"
		"\"metadata\":{\"labels\":{"
		"\"app.kubernetes.io/name\":\"train\"},\"annotations\":{\"sim.spillway.dev/"
		"run\":\"%s\"}},\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"main\","
		"\"image\":\"registry.example.org/team/"
		"train:2.4.1\",\"command\":[\"python\",\"-m\",\"train\"],\"env\":["
		"{\"name\":\"OMP_NUM_THREADS\",\"value\":\"8\"},{\"name\":\"POD_NAME\",\"valueFrom\":{\"fieldRef\":{"
		"\"fieldPath\":"
		"\"metadata.name\"}}}],\"resources\":{\"requests\":{\"cpu\":\"%s\",\"memory\":\"1Gi\"},\"limits\":{"
		"\"memory\":\"2Gi\"}},"
		"\"volumeMounts\":[{\"name\":\"scratch\",\"mountPath\":\"/scratch\"}],\"args\":[\"",
		spec->name, spec->ns, spec->queue, spec->run ? spec->run : "30s", spec->cpu ? spec->cpu : "1");
	static const char tail[] = "\"]}],\"volumes\":[{\"name\":\"scratch\",\"emptyDir\":{}}]}}}}";
	size_t at = (size_t)n, stop = JOB_BYTES - (sizeof(tail) - 1);

	if (n < 0 || JOB_BYTES + 1 > size || at > stop)
		bench_die("the job's text does not fit");
	for (size_t i = 0; at < stop; i = (i + 1) % (sizeof(fill) - 1))
		out[at++] = fill[i];
	memcpy(out + at, tail, sizeof(tail));
	return at + sizeof(tail) - 1;
}

/* ---- creating many ------------------------------------------------------------------------------- */

struct creator {
	const struct create_plan *plan;
	char path[160];
	long begun, ended;
	double *took, deadline;
};

static void on_created(struct conn *c, void *owner);

static void create_next(struct conn *c, struct creator *cr)
{
	struct job_spec job = cr->plan->job;
	char name[64], body[4096];
	size_t len;

	if (cr->begun == cr->plan->count || bench_now() > cr->deadline)
		return;
	snprintf(name, sizeof(name), "%s-%06ld", cr->plan->prefix, cr->begun++);
	job.name = name;
	len = job_text(body, sizeof(body), &job);
	conn_request(c, "POST", cr->path, body, len, NULL, on_created);
}

static void on_created(struct conn *c, void *owner)
{
	struct creator *cr = owner;

	if (c->status != 201)
		bench_die("creating a job in %s: HTTP status %d", cr->plan->job.ns, c->status);
	cr->took[cr->ended++] = bench_now() - c->began;
	create_next(c, cr);
}

struct created jobs_create(struct client *cl, const struct create_plan *plan)
{
	struct creator cr = {.plan = plan, .took = sw_calloc((size_t)plan->count, sizeof(double))};
	struct conn *conn[CREATE_CONNS_MAX];
	struct created out = {0};
	double began;

	SW_REQUIRE(plan->conns <= CREATE_CONNS_MAX);
	snprintf(cr.path, sizeof(cr.path), "/apis/batch/v1/namespaces/%s/jobs", plan->job.ns);
	for (int i = 0; i < plan->conns; i++)
		conn[i] = client_connect(cl, &cr);
	began = bench_now();
	cr.deadline = began + plan->seconds;
	for (int i = 0; i < plan->conns; i++)
		create_next(conn[i], &cr);
	while (cr.ended < cr.begun) {
		if (plan->turn)
			plan->turn(plan->owner);
		else
			client_turn(cl, 100);
	}
	out = (struct created){.count = cr.ended, .seconds = bench_now() - began};
	out.p50_ms = 1e3 * bench_percentile(cr.took, (size_t)cr.ended, 50);
	out.p99_ms = 1e3 * bench_percentile(cr.took, (size_t)cr.ended, 99);
	free(cr.took);
	client_drop(cl, plan->conns);
	return out;
}
