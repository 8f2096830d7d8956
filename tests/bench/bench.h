/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h - what the benchmarks share: a process to measure, a light client to load it, and rows to print
 *
 * The process measured is a child (bench_child_start): its CPU time and memory are its own, and its loop tells how
 * long its turns were. The client (struct client) is an epoll loop over OpenSSL that does as little as it can, since it
 * runs on the same processors as what it measures. One thread each.
 *
 * A failure of the benchmark itself ends it with a message (bench_die).
 */
#ifndef SPILLWAY_TESTS_BENCH_H
#define SPILLWAY_TESTS_BENCH_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "spillway/buf.h"
#include "spillway/err.h"
#include "spillway/loop.h"

__attribute__((format(printf, 1, 2))) _Noreturn void bench_die(const char *fmt, ...);
void bench_must(struct sw_err e, const char *what); /* dies of it */

double bench_now(void);                                            /* seconds, monotonic */
int bench_by_value(const void *a, const void *b);                  /* for qsort of doubles */
double bench_percentile(double *values, size_t n, double percent); /* sorts; 0 if there are none */

/* One line of the table. goal: "" if there is none; met: -1 unknown, 0, 1. */
__attribute__((format(printf, 4, 5))) void bench_row(const char *figure, const char *goal, int met,
						     const char *value_fmt, ...);
/* A line below the last row, with what stands beside it ("12.4 x the disk's own rate"). */
__attribute__((format(printf, 1, 2))) void bench_note(const char *fmt, ...);

/* Writes DIR/NAME. */
__attribute__((format(printf, 3, 4))) void bench_write(const char *dir, const char *name, const char *fmt, ...);
/* The port and token in DIR/NAME, a kubeconfig of ours. */
struct bench_access {
	int port;
	char token[80];
};
struct bench_access bench_access(const char *dir, const char *name);

/* A fresh directory on the disk that is measured ($BENCH_DIR, else the build's), removed by bench_dir_remove(). */
char *bench_dir(void);
void bench_dir_remove(const char *dir);

/* ---- the process that is measured -------------------------------------------------------- */

struct bench_child {
	pid_t pid;
	int fd;          /* parent's end */
	char hello[512]; /* what the child said when it was ready */
};
struct bench_turns {
	unsigned long turns, slow, slow_cpu; /* slow: over SW_TURN_LIMIT_MS by the wall clock, by processor time */
	double worst_ms, worst_cpu_ms;
	char worst_doing[64];
};

/* In the child: sets up on a new loop, calls bench_child_ready() and runs the loop until bench_child_ready's
 * loop is stopped by the parent; then cleans up and returns. */
typedef void bench_child_fn(struct sw_loop *loop, int fd, const void *arg);
void bench_child_start(struct bench_child *c, bench_child_fn *fn, const void *arg);
__attribute__((format(printf, 3, 4))) void bench_child_serve(struct sw_loop *loop, int fd, const char *hello_fmt, ...);
struct bench_turns bench_child_turns(struct bench_child *c);   /* since the last call */
void bench_turns_note(struct bench_child *c, const char *who); /* the same, printed */
double bench_child_cpu(const struct bench_child *c);           /* seconds, all threads */
long bench_child_rss(const struct bench_child *c);             /* bytes of anonymous memory in RAM */
long bench_child_rss_all(const struct bench_child *c);         /* files that are mapped included */
void bench_child_stop(struct bench_child *c);

/* ---- the client ---------------------------------------------------------------------------- */

struct client;
struct conn;

/* A reply came to its end (or the connection did: then status is 0). The next request may be given from inside. */
typedef void conn_done_fn(struct conn *c, void *owner);
/* Bytes of a body as they come; without it bodies are thrown away. */
typedef void conn_body_fn(struct conn *c, void *owner, const char *bytes, size_t n);

struct conn {
	struct client *client;
	int fd, status;
	SSL *ssl;
	bool busy, sending;
	struct sw_buf out, head;
	size_t sent;
	enum { IN_HEAD, IN_LENGTH, IN_CHUNK_SIZE, IN_CHUNK, IN_CHUNK_END, IN_LAST } in;
	bool chunked;
	uint64_t left; /* of the body or chunk */
	uint64_t got;  /* body bytes of this reply */
	double began;  /* when the request was given */
	conn_done_fn *done;
	conn_body_fn *body;
	void *owner;
};

/* "127.0.0.1", a port, a bearer token. The server's certificate is not checked: the handshake costs the same. */
struct client *client_new(int port, const char *token);
void client_free(struct client *cl);
struct conn *client_connect(struct client *cl, void *owner); /* connected and shaken hands when it returns */
void client_drop(struct client *cl, int n);                  /* closes the n connections opened last */
void conn_request(struct conn *c, const char *method, const char *path, const char *body, size_t len,
		  conn_body_fn *on_body, conn_done_fn *done);
void client_turn(struct client *cl, int timeout_ms);
int client_fd(const struct client *cl); /* readable when a turn has something to do */
/* One request on a connection of its own, waited for. The body, NUL-terminated, is kept in `body` if that is not NULL.
 * Status. */
int client_once(struct client *cl, const char *method, const char *path, const char *body, struct sw_buf *reply);

#endif
