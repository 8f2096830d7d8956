/* SPDX-License-Identifier: Apache-2.0 */
/* follow.c - jobs from their submission to their end, seen from outside */
#include "follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "spillway/text.h"

enum { LINE_MAX_BYTES = 4 << 20 };

struct watch {
	struct follow *f;
	struct client *client;
	struct conn *conn;
	struct sw_buf line;
	bool is_gateway;
};

struct submitter {
	struct follow *f;
	struct conn *conn;
	long job;
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
	struct follow *f = w->f;

	if (i < 0 || i >= f->n)
		return;
	if (w->is_gateway) {
		if (memmem(line, len, "\"completionTime\":\"", 18))
			first_time(&f->job[i].ended, &f->ended);
		return;
	}
	first_time(&f->job[i].created, &f->created);
	if (memmem(line, len, "\"suspend\":false", 15))
		first_time(&f->job[i].started, &f->started);
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

static void watch_go(struct watch *w);

/* A server may end a watch whose reader is slow. The next one begins with all that is there. */
static void on_watch_end(struct conn *c, void *owner)
{
	struct watch *w = owner;

	bench_note("a watch of jobs on %s ended (HTTP status %d) and was begun again",
		   w->is_gateway ? "the gateway" : "a worker", c->status);
	watch_go(w);
}

static void watch_go(struct watch *w)
{
	sw_buf_reset(&w->line);
	w->conn = client_connect(w->client, w);
	conn_request(w->conn, "GET", "/apis/batch/v1/jobs?watch=true&allowWatchBookmarks=true", NULL, 0, on_lines,
		     on_watch_end);
}

static void watch_start(struct follow *f, struct watch *w, struct client *cl)
{
	w->f = f;
	w->client = cl;
	w->is_gateway = cl == f->gateway_watch;
	sw_buf_init(&w->line, LINE_MAX_BYTES);
	watch_go(w);
	while (w->conn->status == 0)
		client_turn(cl, 100);
}

/* ---- opening, turning ------------------------------------------------------------------------ */

static struct client *client_open(struct follow *f, const char *dir, const char *config)
{
	struct bench_access a = bench_access(dir, config);
	struct client *cl = client_new(a.port, a.token);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = cl};

	epoll_ctl(f->epoll, EPOLL_CTL_ADD, client_fd(cl), &ev);
	return cl;
}

void follow_open(struct follow *f, const char *dir, int workers, int submitters, long jobs)
{
	*f = (struct follow){.n = jobs, .n_workers = workers, .n_submitters = submitters};
	f->spec = (struct job_spec){.ns = "default", .queue = "bench"};
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	f->job = sw_calloc((size_t)jobs, sizeof(*f->job));
	f->workers = sw_calloc((size_t)workers, sizeof(struct client *));
	f->watches = sw_calloc((size_t)workers + 1, sizeof(*f->watches));
	f->submitters = sw_calloc((size_t)submitters, sizeof(*f->submitters));
	f->gateway = client_open(f, dir, "data/admin.kubeconfig");
	f->gateway_watch = client_open(f, dir, "data/admin.kubeconfig");
	for (int i = 0; i < workers; i++) {
		char name[32];

		snprintf(name, sizeof(name), "w%d.kubeconfig", i);
		f->workers[i] = client_open(f, dir, name);
		watch_start(f, &f->watches[i], f->workers[i]);
	}
	watch_start(f, &f->watches[workers], f->gateway_watch);
	for (int i = 0; i < submitters; i++)
		f->submitters[i] = (struct submitter){.f = f, .conn = client_connect(f->gateway, &f->submitters[i])};
}

void follow_close(struct follow *f)
{
	for (int i = 0; i <= f->n_workers; i++)
		sw_buf_fini(&f->watches[i].line);
	for (int i = 0; i < f->n_workers; i++)
		client_free(f->workers[i]);
	client_free(f->gateway);
	client_free(f->gateway_watch);
	close(f->epoll);
	free(f->job);
	free(f->workers);
	free(f->watches);
	free(f->submitters);
}

void follow_turn(struct follow *f, int timeout_ms)
{
	struct epoll_event ev[64];
	int n = epoll_wait(f->epoll, ev, 64, timeout_ms);

	for (int i = 0; i < n; i++)
		client_turn(ev[i].data.ptr, 0);
}

/* ---- submitting ---------------------------------------------------------------------------- */

static void on_submitted(struct conn *c, void *owner)
{
	struct submitter *s = owner;

	if (c->status != 201)
		bench_die("submitting a job: HTTP status %d", c->status);
	s->f->job[s->job].answered = bench_now();
}

static bool submit_due(struct follow *f, double due)
{
	struct submitter *s = f->submitters;
	char name[32], body[4096];

	while (s < f->submitters + f->n_submitters && s->conn->busy)
		s++;
	if (s == f->submitters + f->n_submitters)
		return false;
	SW_REQUIRE(f->submitted < f->n);
	s->job = f->submitted++;
	snprintf(name, sizeof(name), "j-%06ld", s->job);
	f->spec.name = name;
	f->job[s->job].submitted = due;
	conn_request(s->conn, "POST", "/apis/batch/v1/namespaces/default/jobs", body,
		     job_text(body, sizeof(body), &f->spec), NULL, on_submitted);
	return true;
}

bool follow_submit(struct follow *f)
{
	return submit_due(f, bench_now());
}

void follow_pace(struct follow *f, double a_second, long total, double limit_s)
{
	double began = bench_now(), due;
	long first = f->submitted;

	while (f->created < total) {
		due = began + (double)(f->submitted - first) / a_second;
		if (f->submitted < total && bench_now() >= due)
			submit_due(f, due);
		follow_turn(f, f->submitted == total || due > bench_now() ? 1 : 0);
		if (bench_now() > began + limit_s)
			bench_die("only %ld of %ld jobs were created on workers in %.0f s", f->created, total, limit_s);
	}
}

double follow_percentile(const struct follow *f, long from, long to, size_t which, double percent)
{
	double *ms = sw_calloc((size_t)(to - from), sizeof(double)), p;

	for (long i = from; i < to; i++)
		ms[i - from] = 1e3 * (*(const double *)((const char *)&f->job[i] + which) - f->job[i].submitted);
	p = bench_percentile(ms, (size_t)(to - from), percent);
	free(ms);
	return p;
}
