/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.c - the process that is measured, and what can be asked of it
 *
 * Over a socket pair: the child says one line when it is ready; then 't' asks for the loop's turns and 'q' ends it.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "spillway/log.h"

struct control {
	uv_poll_t poll;
	uv_prepare_t prepare;
	struct sw_loop *loop;
	int fd;
	double cpu, worst_cpu; /* ms of this thread: at the turn's begin, in the turn with the most */
	unsigned long slow_cpu;
};

/* ---- in the child -------------------------------------------------------------------------- */

static void say(int fd, const char *line)
{
	size_t n = strlen(line);

	if (write(fd, line, n) != (ssize_t)n)
		_exit(1);
}

/* A turn's processor time, beside the loop's own wall-clock account: on a busy machine the two differ. */
static void on_prepare(uv_prepare_t *h)
{
	struct control *c = h->data;
	struct timespec ts;
	double now, took;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	now = (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
	took = c->cpu > 0 ? now - c->cpu : 0;
	c->cpu = now;
	c->slow_cpu += took > SW_TURN_LIMIT_MS;
	if (took > c->worst_cpu)
		c->worst_cpu = took;
}

static void on_control(uv_poll_t *h, int status, int events)
{
	struct control *c = h->data;
	struct sw_turn_stats t = sw_loop_turns(c->loop);
	char what = 'q', line[256];

	(void)events;
	if (status < 0 || read(c->fd, &what, 1) != 1 || what == 'q') {
		uv_poll_stop(h);
		sw_loop_stop(c->loop);
		return;
	}
	snprintf(line, sizeof(line), "%llu %llu %llu %lu %f %s\n", (unsigned long long)t.turns,
		 (unsigned long long)t.slow, (unsigned long long)t.worst_us, c->slow_cpu, c->worst_cpu,
		 t.worst_doing ? t.worst_doing : "");
	say(c->fd, line);
	sw_loop_turns_reset(c->loop);
	c->slow_cpu = 0;
	c->worst_cpu = 0;
}

void bench_child_serve(struct sw_loop *loop, int fd, const char *hello_fmt, ...)
{
	struct control c = {.loop = loop, .fd = fd};
	char hello[512];
	va_list ap;

	va_start(ap, hello_fmt);
	vsnprintf(hello, sizeof(hello), hello_fmt, ap);
	va_end(ap);
	uv_poll_init(sw_loop_uv(loop), &c.poll, fd);
	c.poll.data = &c;
	uv_poll_start(&c.poll, UV_READABLE, on_control);
	uv_prepare_init(sw_loop_uv(loop), &c.prepare);
	c.prepare.data = &c;
	uv_prepare_start(&c.prepare, on_prepare);
	say(fd, hello);
	sw_loop_run(loop);
	uv_close((uv_handle_t *)&c.poll, NULL);
	uv_close((uv_handle_t *)&c.prepare, NULL);
	for (int i = 0; i < 2; i++)
		uv_run(sw_loop_uv(loop), UV_RUN_NOWAIT);
}

/* ---- in the parent --------------------------------------------------------------------------- */

static void read_line(int fd, char *line, size_t size)
{
	size_t n = 0;

	while (n + 1 < size) {
		ssize_t got = read(fd, line + n, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			bench_die("the measured process ended");
		if (line[n] == '\n')
			break;
		n++;
	}
	line[n] = 0;
}

void bench_child_start(struct bench_child *c, bench_child_fn *fn, const void *arg)
{
	int pair[2];
	struct sw_loop *loop;

	fflush(stdout);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		bench_die("socketpair: %s", strerror(errno));
	c->pid = fork();
	if (c->pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (c->pid == 0) {
		close(pair[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		sw_log_setup(SW_LOG_ERROR, false, STDERR_FILENO);
		bench_must(sw_loop_new(&loop), "loop");
		fn(loop, pair[1], arg);
		sw_loop_free(loop);
		exit(0);
	}
	close(pair[1]);
	c->fd = pair[0];
	read_line(c->fd, c->hello, sizeof(c->hello));
}

struct bench_turns bench_child_turns(struct bench_child *c)
{
	struct bench_turns t = {0};
	char line[256];
	double us = 0;
	int at = 0;

	say(c->fd, "t");
	read_line(c->fd, line, sizeof(line));
	sscanf(line, "%lu %lu %lf %lu %lf %n", &t.turns, &t.slow, &us, &t.slow_cpu, &t.worst_cpu_ms, &at);
	t.worst_ms = us / 1000;
	snprintf(t.worst_doing, sizeof(t.worst_doing), "%s", line + at);
	return t;
}

void bench_turns_note(struct bench_child *c, const char *who)
{
	struct bench_turns t = bench_child_turns(c);

	bench_note("%lu of %lu turns of %s over 5 ms, worst %.1f ms (%s); by its processor time %lu, worst %.1f ms",
		   t.slow, t.turns, who, t.worst_ms, t.worst_doing, t.slow_cpu, t.worst_cpu_ms);
}

static void proc_read(pid_t pid, const char *file, char *text, size_t size)
{
	char path[64];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	f = fopen(path, "r");
	if (!f)
		bench_die("%s: %s", path, strerror(errno));
	n = fread(text, 1, size - 1, f);
	text[n] = 0;
	fclose(f);
}

double bench_child_cpu(const struct bench_child *c)
{
	char text[1024], *at;
	unsigned long user, sys;

	proc_read(c->pid, "stat", text, sizeof(text));
	at = strrchr(text, ')');
	if (!at || sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
		bench_die("cannot read /proc/PID/stat");
	return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static long status_bytes(const struct bench_child *c, const char *field)
{
	char text[4096], *at;

	proc_read(c->pid, "status", text, sizeof(text));
	at = strstr(text, field);
	return at ? strtol(at + strlen(field), NULL, 10) * 1024 : 0;
}

long bench_child_rss(const struct bench_child *c)
{
	return status_bytes(c, "RssAnon:");
}

long bench_child_rss_all(const struct bench_child *c)
{
	return status_bytes(c, "VmRSS:");
}

void bench_child_stop(struct bench_child *c)
{
	int status = 0;

	say(c->fd, "q");
	if (waitpid(c->pid, &status, 0) != c->pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		bench_die("the measured process did not end cleanly (status %d)", status);
	close(c->fd);
}
