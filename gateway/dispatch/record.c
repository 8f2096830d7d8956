/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - the log of decisions: lines gathered on the loop, written by a thread of its own
 *
 * Two buffers: one fills while the other is written. A batch is appended whole or not at all, so that a full disk
 * leaves no half of a line for the next one to continue.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spillway/decision.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { GATHER_MS = 200, PENDING_MAX = 8 << 20, FILE_MODE = 0600 };

struct sw_decision_log {
	struct sw_decision_log_options opt;
	char *path;
	struct sw_timer *timer;
	struct sw_buf lines, batch; /* gathered; being written */
	size_t n_lines, n_batch;
	bool busy, failing, full, running;
	int error; /* errno of the batch, 0: written */
	struct sw_metric *m_lines;
	struct sw_async *written;
	uv_thread_t thread;
	uv_mutex_t lock; /* over these two; the batch is the thread's while todo */
	uv_cond_t wake;
	bool todo, stop;
};

/* ---- in the thread ------------------------------------------------------- */

static void rotate(const struct sw_decision_log *l)
{
	char from[4200], to[4200];
	for (int i = l->opt.files - 1; i >= 1; i--) {
		if (i == 1)
			snprintf(from, sizeof from, "%s", l->path);
		else
			snprintf(from, sizeof from, "%s.%d", l->path, i - 1);
		snprintf(to, sizeof to, "%s.%d", l->path, i);
		rename(from, to); /* one that is not there yet, or cannot be moved, does not keep the others */
	}
	if (l->opt.files == 1)
		unlink(l->path);
}

static int write_all(int fd, const char *at, size_t n)
{
	while (n) {
		ssize_t w = write(fd, at, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return w < 0 ? errno : EIO;
		at += w;
		n -= (size_t)w;
	}
	return 0;
}

/* Appends, after a line that a crash may have cut. */
static int append(int fd, off_t size, const struct sw_buf *b)
{
	char last = '\n';
	if (size && pread(fd, &last, 1, size - 1) != 1)
		last = '\n';
	int err = last == '\n' ? 0 : write_all(fd, "\n", 1);
	if (!err)
		err = write_all(fd, b->at, b->len);
	if (err && ftruncate(fd, size) != 0)
		return err; /* then the reader skips half a line */
	return err;
}

static void write_batch(struct sw_decision_log *l)
{
	struct stat st;
	if (stat(l->path, &st) == 0 && st.st_size > 0 && (size_t)st.st_size + l->batch.len > l->opt.max_bytes)
		rotate(l);
	int fd = open(l->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, FILE_MODE);
	l->error = fd < 0 ? errno : 0;
	if (fd >= 0 && fstat(fd, &st) != 0)
		l->error = errno;
	if (fd >= 0 && !l->error)
		l->error = append(fd, st.st_size, &l->batch);
	if (fd >= 0)
		close(fd);
}

static void thread_main(void *arg)
{
	struct sw_decision_log *l = arg;
	uv_mutex_lock(&l->lock);
	for (;;) {
		while (!l->todo && !l->stop)
			uv_cond_wait(&l->wake, &l->lock);
		if (!l->todo)
			break;
		uv_mutex_unlock(&l->lock);
		write_batch(l);
		uv_mutex_lock(&l->lock);
		l->todo = false;
		sw_async_send(l->written);
	}
	uv_mutex_unlock(&l->lock);
}

/* ---- on the loop -------------------------------------------------------------------- */

static void count(struct sw_decision_log *l, size_t n, const char *result)
{
	if (n)
		sw_metric_add(l->m_lines, (double)n, result);
}

static void note_result(struct sw_decision_log *l)
{
	count(l, l->n_batch, l->error ? "lost" : "written");
	if (l->error && !l->failing)
		sw_log(WARN, "decisions", "decisions are not recorded until this is over", "file=%s error=\"%s\"",
		       l->path, strerror(l->error));
	else if (!l->error && l->failing)
		sw_log(INFO, "decisions", "decisions are recorded again", "file=%s", l->path);
	l->failing = l->error != 0;
	l->busy = false;
	l->n_batch = 0;
	sw_buf_reset(&l->batch);
}

static void on_written(void *owner)
{
	struct sw_decision_log *l = owner;
	uv_mutex_lock(&l->lock);
	bool done = l->busy && !l->todo;
	uv_mutex_unlock(&l->lock);
	if (!done)
		return;
	note_result(l);
	if (l->n_lines)
		sw_timer_in(l->timer, GATHER_MS);
}

static void take_batch(struct sw_decision_log *l)
{
	struct sw_buf empty = l->batch;
	l->batch = l->lines;
	l->n_batch = l->n_lines;
	l->lines = empty;
	l->n_lines = 0;
	l->full = false;
	sw_buf_reset(&l->lines);
}

static void on_timer(void *owner)
{
	struct sw_decision_log *l = owner;
	if (l->busy || !l->n_lines)
		return;
	take_batch(l);
	l->busy = true;
	uv_mutex_lock(&l->lock);
	l->todo = true;
	uv_cond_signal(&l->wake);
	uv_mutex_unlock(&l->lock);
}

void sw_decision_log_add(struct sw_decision_log *l, const struct sw_decision *d)
{
	if (!l)
		return;
	size_t before = l->lines.len;
	if (before < PENDING_MAX)
		sw_decision_write(&l->lines, d);
	if (before >= PENDING_MAX || !sw_buf_ok(&l->lines)) { /* the disk is slower than we decide */
		if (!sw_buf_ok(&l->lines)) {
			count(l, l->n_lines, "lost");
			sw_buf_fini(&l->lines);
			sw_buf_init(&l->lines, 2 * (size_t)PENDING_MAX);
			l->n_lines = 0;
		}
		count(l, 1, "lost");
		if (!l->full)
			sw_log(WARN, "decisions", "decisions come faster than they can be recorded; some are left out",
			       "file=%s", l->path);
		l->full = true;
		return;
	}
	if (l->n_lines++ == 0 && !l->busy)
		sw_timer_in(l->timer, GATHER_MS);
}

struct sw_err sw_decision_log_new(const struct sw_decision_log_options *opt, struct sw_decision_log **out)
{
	struct sw_decision_log *l = sw_calloc(1, sizeof *l);
	*out = NULL;
	l->opt = *opt;
	l->path = sw_strdup(opt->path);
	l->opt.path = l->path;
	sw_buf_init(&l->lines, 2 * (size_t)PENDING_MAX);
	sw_buf_init(&l->batch, 2 * (size_t)PENDING_MAX);
	l->m_lines = sw_metric(opt->metrics, SW_COUNTER, "spillway_decisions_recorded_total",
			       "Decisions of policies, by whether they stand in the log.", "result");
	struct sw_err e = sw_timer_new(opt->loop, on_timer, l, &l->timer);
	if (!sw_failed(e))
		e = sw_async_new(opt->loop, on_written, l, &l->written);
	if (!sw_failed(e)) {
		SW_REQUIRE(uv_mutex_init(&l->lock) == 0 && uv_cond_init(&l->wake) == 0);
		l->running = uv_thread_create(&l->thread, thread_main, l) == 0;
		if (!l->running)
			e = sw_err(SW_E_NOMEM, "no thread for the log of decisions");
	}
	if (sw_failed(e)) {
		sw_decision_log_free(l);
		return e;
	}
	*out = l;
	return SW_OK;
}

void sw_decision_log_free(struct sw_decision_log *l)
{
	if (!l)
		return;
	if (l->running) { /* what it has is written first */
		uv_mutex_lock(&l->lock);
		l->stop = true;
		uv_cond_signal(&l->wake);
		uv_mutex_unlock(&l->lock);
		uv_thread_join(&l->thread);
		uv_mutex_destroy(&l->lock);
		uv_cond_destroy(&l->wake);
	}
	if (l->busy)
		note_result(l);
	if (l->n_lines) {
		take_batch(l);
		write_batch(l);
		note_result(l);
	}
	sw_async_free(l->written);
	sw_timer_free(l->timer);
	sw_buf_fini(&l->lines);
	sw_buf_fini(&l->batch);
	free(l->path);
	free(l);
}
