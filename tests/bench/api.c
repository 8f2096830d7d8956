/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api.c - the embedded API server: durable creates, lists and watches, over TLS
 *
 * The server runs in a process of its own with its store on the disk that is measured. What SQLite does alone on
 * that disk, one transaction an insert with the store's own settings, is measured in the same run: creates that are
 * committed in groups must be many times that.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"
#include "spillway/api.h"
#include "spillway/text.h"

enum {
	LISTED = 12500,
	LISTS = 7,
	WATCHERS = 100,
	EVENTS_A_SECOND = 500,
	WATCH_SECONDS = 8,
	EVENTS = EVENTS_A_SECOND * WATCH_SECONDS,
	WRITERS = 16
};

/* ---- the server ------------------------------------------------------------------------------ */

static void serve(struct sw_loop *loop, int fd, const void *dir)
{
	struct sw_api_options opt = {.serve = SW_SERVE_MANAGER, .name = "bench", .dir = dir, .listen = "127.0.0.1:0"};
	struct sw_api *api;
	char token[65];

	bench_must(sw_metrics_new(&opt.metrics), "metrics");
	bench_must(sw_api_new(loop, &opt, &api), "api");
	bench_must(sw_api_user_add(api, "bench", SW_ROLE_ADMIN, "*", token), "user");
	bench_child_serve(loop, fd, "%d %s\n", sw_api_port(api), token);
	sw_api_free(api);
	sw_metrics_free(opt.metrics);
}

/* ---- the disk --------------------------------------------------------------------------------- */

static void sql(sqlite3 *db, const char *text)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		bench_die("SQLite: %s: %s", text, sqlite3_errmsg(db));
}

/* Transactions a second of one insert of 2 KB each, with the store's settings (gateway/api/store_open.c). */
static double disk_rate(const char *dir, double seconds)
{
	char *path = sw_asprintf("%s/disk.db", dir), body[4096];
	struct job_spec spec = {.ns = "bench", .name = "disk-000000", .queue = "main"};
	size_t len = job_text(body, sizeof(body), &spec);
	double began, took;
	sqlite3_stmt *st;
	sqlite3 *db;
	long n = 0;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		bench_die("SQLite: cannot open %s", path);
	sql(db,
	    "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=2000;"
	    "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, body BLOB);");
	sqlite3_prepare_v2(db, "INSERT INTO t(body) VALUES(?)", -1, &st, NULL);
	began = bench_now();
	while ((took = bench_now() - began) < seconds) {
		sqlite3_bind_blob(st, 1, body, (int)len, SQLITE_STATIC);
		if (sqlite3_step(st) != SQLITE_DONE)
			bench_die("SQLite: %s", sqlite3_errmsg(db));
		sqlite3_reset(st);
		n++;
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	free(path);
	return (double)n / took;
}

/* ---- creates ------------------------------------------------------------------------------------ */

static void creates(struct client *cl, struct bench_child *server, int conns, const char *ns, double disk)
{
	struct create_plan plan = {.job = {.ns = ns, .queue = "main"},
				   .prefix = "job",
				   .conns = conns,
				   .seconds = conns == 64 ? 20 : 3,
				   .count = conns == 64 ? LISTED : 100000};
	double cpu = bench_child_cpu(server);
	struct created done;
	char figure[80];

	bench_child_turns(server);
	done = jobs_create(cl, &plan);
	cpu = bench_child_cpu(server) - cpu;
	snprintf(figure, sizeof(figure), "durable creates, %d connection%s", conns, conns > 1 ? "s" : "");
	double rate = (double)done.count / done.seconds;
	bench_row(figure, conns == 64 ? ">= 5000/s" : "", conns == 64 ? rate >= 5000 : -1, "%.0f/s", rate);
	bench_note("%.1f x SQLite's own rate; p50 %.2f ms, p99 %.2f ms; server CPU %.0f us each", rate / disk,
		   done.p50_ms, done.p99_ms, cpu / (double)done.count * 1e6);
	bench_turns_note(server, "the server");
}

/* ---- lists ---------------------------------------------------------------------------------------- */

static void lists(struct client *cl, struct bench_child *server)
{
	struct conn *c = client_connect(cl, NULL);
	double ms[LISTS], cpu = bench_child_cpu(server);

	bench_child_turns(server);
	for (int i = 0; i < LISTS; i++) {
		conn_request(c, "GET", "/apis/batch/v1/namespaces/c64/jobs", NULL, 0, NULL, NULL);
		while (c->busy)
			client_turn(cl, 1000);
		if (c->status != 200)
			bench_die("list: HTTP status %d", c->status);
		ms[i] = 1e3 * (bench_now() - c->began);
	}
	cpu = bench_child_cpu(server) - cpu;
	double median = bench_percentile(ms, LISTS, 50);
	bench_row("listing 12,500 jobs, median of 7", "<= 100 ms", median <= 100, "%.0f ms", median);
	bench_note("best %.0f ms; %.1f MB each; server CPU %.0f ms each", ms[0], (double)c->got / 1e6,
		   cpu / LISTS * 1e3);
	bench_turns_note(server, "the server");
	client_drop(cl, 1);
}

/* ---- watches --------------------------------------------------------------------------------------- */

struct feed {
	double acked[EVENTS];       /* when each create was answered; 0: not yet */
	long begun, answered, seen; /* seen: by all watchers together */
	double *behind;             /* of every event at every watcher, in ms after the answer to its writer */
};

struct watcher {
	struct feed *feed;
	struct conn *conn;
	struct sw_buf line; /* what came of the next event */
	long seen;
};

struct writer {
	struct feed *feed;
	struct conn *conn;
	long job;
};

static void event_seen(struct watcher *w, const char *line, size_t len)
{
	static const char mark[] = "\"name\":\"w-"; /* the job's own name; no other field has it */
	const char *name = memmem(line, len, mark, sizeof(mark) - 1);
	struct feed *f = w->feed;
	long i;

	if (!name)
		return; /* a bookmark */
	i = strtol(name + sizeof(mark) - 1, NULL, 10);
	if (i < 0 || i >= EVENTS)
		bench_die("watch: an event of an unknown job");
	w->seen++;
	/* An event may well come before its writer's answer: it is not behind then. */
	f->behind[f->seen++] = f->acked[i] > 0 ? 1e3 * (bench_now() - f->acked[i]) : 0;
}

static void on_events(struct conn *c, void *owner, const char *bytes, size_t n)
{
	struct watcher *w = owner;
	const char *nl;

	(void)c;
	while ((nl = memchr(bytes, '\n', n))) {
		size_t len = (size_t)(nl - bytes) + 1;

		if (w->line.len) {
			sw_buf_put(&w->line, bytes, len);
			event_seen(w, w->line.at, w->line.len);
			sw_buf_reset(&w->line);
		} else {
			event_seen(w, bytes, len);
		}
		bytes += len;
		n -= len;
	}
	sw_buf_put(&w->line, bytes, n);
}

static void on_watch_end(struct conn *c, void *owner)
{
	(void)owner;
	bench_die("a watch ended (HTTP status %d)", c->status);
}

static void on_answer(struct conn *c, void *owner)
{
	struct writer *wr = owner;

	if (c->status != 201)
		bench_die("create under watches: HTTP status %d", c->status);
	wr->feed->acked[wr->job] = bench_now();
	wr->feed->answered++;
}

/* As many creates as are due by now. */
static void write_due(struct feed *f, struct writer *writers, double began)
{
	char name[32], body[4096];
	struct job_spec spec = {.ns = "watch", .name = name, .queue = "main"};

	for (int i = 0; i < WRITERS; i++) {
		struct writer *wr = &writers[i];

		if (wr->conn->busy || f->begun == EVENTS || (double)f->begun > (bench_now() - began) * EVENTS_A_SECOND)
			continue;
		wr->job = f->begun++;
		snprintf(name, sizeof(name), "w-%06ld", wr->job);
		conn_request(wr->conn, "POST", "/apis/batch/v1/namespaces/watch/jobs", body,
			     job_text(body, sizeof(body), &spec), NULL, on_answer);
	}
}

static void watches_report(struct feed *f, const struct watcher *watchers, double drained)
{
	int late = 0;

	for (int i = 0; i < WATCHERS; i++)
		late += watchers[i].seen < EVENTS;
	bench_row("watchers behind after 100 x 500 events/s", "0", late == 0, "%d of %d", late, WATCHERS);
	double worst = bench_percentile(f->behind, (size_t)f->seen, 100),
	       p99 = bench_percentile(f->behind, (size_t)f->seen, 99),
	       p50 = bench_percentile(f->behind, (size_t)f->seen, 50);
	bench_row("watch event after its write was answered, worst", "", -1, "%.1f ms", worst);
	bench_note("p50 %.1f ms, p99 %.1f ms; all events delivered %.0f ms after the last answer", p50, p99,
		   drained * 1e3);
}

static void feed_run(struct client *cl, struct feed *f, struct watcher *watchers, struct writer *writers)
{
	double began = bench_now(), answered, limit;

	while (f->answered < EVENTS) {
		write_due(f, writers, began);
		client_turn(cl, 1);
	}
	answered = bench_now();
	bench_note("%.0f events/s written, %.0f events/s delivered", EVENTS / (answered - began),
		   (double)f->seen / (answered - began));
	for (limit = answered + 5; f->seen < (long)EVENTS * WATCHERS && bench_now() < limit;)
		client_turn(cl, 1);
	watches_report(f, watchers, bench_now() - answered);
}

static void watches(struct client *cl, struct bench_child *server)
{
	struct feed *f = sw_calloc(1, sizeof(*f));
	struct watcher *watchers = sw_calloc(WATCHERS, sizeof(*watchers));
	struct writer writers[WRITERS];
	double cpu;

	f->behind = sw_calloc((size_t)EVENTS * WATCHERS, sizeof(double));
	for (int i = 0; i < WATCHERS; i++) {
		watchers[i] = (struct watcher){.feed = f, .conn = client_connect(cl, &watchers[i])};
		sw_buf_init(&watchers[i].line, 1 << 20);
		conn_request(watchers[i].conn, "GET",
			     "/apis/batch/v1/namespaces/watch/jobs?watch=true&allowWatchBookmarks=true", NULL, 0,
			     on_events, on_watch_end);
	}
	for (int i = 0; i < WATCHERS; i++)
		while (watchers[i].conn->status == 0)
			client_turn(cl, 100);
	for (int i = 0; i < WRITERS; i++)
		writers[i] = (struct writer){.feed = f, .conn = client_connect(cl, &writers[i])};
	cpu = bench_child_cpu(server);
	bench_child_turns(server);
	feed_run(cl, f, watchers, writers);
	bench_note("server CPU %.2f s in %d s", bench_child_cpu(server) - cpu, WATCH_SECONDS);
	bench_turns_note(server, "the server");
	client_drop(cl, WATCHERS + WRITERS);
	for (int i = 0; i < WATCHERS; i++)
		sw_buf_fini(&watchers[i].line);
	free(watchers);
	free(f->behind);
	free(f);
}

/* ---- all ----------------------------------------------------------------------------------------------- */

static void namespace_make(struct client *cl, const char *name)
{
	char body[160];
	int status;

	snprintf(body, sizeof(body), "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}",
		 name);
	status = client_once(cl, "POST", "/api/v1/namespaces", body, NULL);
	if (status != 201 && status != 409)
		bench_die("namespace %s: HTTP status %d", name, status);
}

int main(void)
{
	static const char *const names[] = {"c1", "c16", "c64", "watch"};
	char *dir = bench_dir(), *data = sw_asprintf("%s/data", dir), token[80];
	struct bench_child server;
	struct client *cl;
	double disk;
	int port;

	bench_child_start(&server, serve, data);
	if (sscanf(server.hello, "%d %79s", &port, token) != 2)
		bench_die("the server said \"%s\"", server.hello);
	cl = client_new(port, token);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		namespace_make(cl, names[i]);
	disk = disk_rate(dir, 2);
	creates(cl, &server, 1, "c1", disk);
	creates(cl, &server, 16, "c16", disk);
	creates(cl, &server, 64, "c64", disk);
	bench_row("SQLite alone, one transaction an insert", "", -1, "%.0f/s, then %.0f/s", disk, disk_rate(dir, 2));
	lists(cl, &server);
	watches(cl, &server);
	bench_row("memory of the API server after that", "", -1, "%.1f MB", (double)bench_child_rss(&server) / 1e6);
	client_free(cl);
	bench_child_stop(&server);
	bench_dir_remove(dir);
	free(data);
	free(dir);
	return 0;
}
