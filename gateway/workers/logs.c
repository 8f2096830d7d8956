/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs.c - the bounded tail of a container's log
 *
 * The API can cut a log at its end (limitBytes) but not give its last bytes; so the last lines are asked for. Nearly
 * always they fit, and are a reply like any other: inside the window, on a connection that is there. If not they are
 * streamed, on a connection of their own, and only the last `max` bytes kept. A log that does not end in time is given
 * up: it is not a tail until it ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

enum { LINE_BYTES = 16 /* tailLines = max / this */, LIMIT_MS = 60 * 1000 };

struct tail {
	struct tail *prev, *next;
	struct sw_worker *w;
	struct sw_kube_call *call;
	struct sw_timer *timer;
	sw_log_tail_fn *done;
	void *owner;
	struct sw_buf buf, path;
	size_t max, lines, lines_asked;
	bool cut;
};

static void tail_free(struct tail *t)
{
	if (t->prev)
		t->prev->next = t->next;
	else
		t->w->tails = t->next;
	if (t->next)
		t->next->prev = t->prev;
	if (t->call)
		sw_kube_cancel(t->call);
	sw_timer_free(t->timer);
	sw_buf_fini(&t->buf);
	sw_buf_fini(&t->path);
	free(t);
}

static void tail_end(struct tail *t, struct sw_err err)
{
	size_t extra = t->buf.len > t->max ? t->buf.len - t->max : 0;
	bool cut = t->cut || extra > 0 || t->lines >= t->lines_asked;
	sw_log_tail_fn *done = t->done;
	void *owner = t->owner;
	const char *at = t->buf.at ? t->buf.at + extra : "";
	size_t n = t->buf.len - extra;
	struct sw_buf keep = t->buf;

	sw_buf_init(&t->buf, 0); /* the bytes outlive the call for as long as done runs */
	tail_free(t);
	done(owner, err, at, n, cut);
	sw_buf_fini(&keep);
}

static void on_chunk(void *owner, const char *bytes, size_t n)
{
	struct tail *t = owner;

	for (const char *p = bytes, *end = bytes + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
		t->lines++;
	if (n > t->max) { /* only the end of it can matter */
		bytes += n - t->max;
		n = t->max;
		t->cut = true;
	}
	if (t->buf.len + n > 2 * t->max) { /* moved once per max bytes, not once per chunk */
		sw_buf_drop(&t->buf, t->buf.len + n - t->max);
		t->cut = true;
	}
	sw_buf_put(&t->buf, bytes, n);
}

static void on_done(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct tail *t = owner;
	(void)reply;
	t->call = NULL;
	tail_end(t, err);
}

static void on_whole(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct tail *t = owner;

	t->call = NULL;
	if (err.code == SW_E_TOOBIG)
		err = sw_kube_stream(t->w->kube, t->path.at, on_chunk, on_done, t, &t->call);
	else if (!sw_failed(err))
		on_chunk(t, reply->body, reply->len);
	if (!t->call)
		tail_end(t, err);
}

static void on_late(void *owner)
{
	struct tail *t = owner;
	tail_end(t,
		 sw_err(SW_E_TIMEOUT, "cluster %s: the log did not end within %d s", t->w->cfg->name, LIMIT_MS / 1000));
}

void tails_free(struct sw_worker *w)
{
	for (struct tail *t = w->tails, *next; t; t = next) {
		next = t->next;
		tail_free(t);
	}
}

struct sw_err sw_worker_log_tail(struct sw_worker *w, const char *ns, const char *pod, const char *container,
				 size_t max, sw_log_tail_fn *done, void *owner)
{
	char lines[32];

	if (!w->kube)
		return sw_err(SW_E_NET, "cluster %s was never reached", w->cfg->name);
	struct tail *t = sw_calloc(1, sizeof *t);
	*t = (struct tail){.w = w,
			   .done = done,
			   .owner = owner,
			   .max = max ? max : 1,
			   .lines_asked = max / LINE_BYTES + 1,
			   .next = w->tails};
	if (w->tails)
		w->tails->prev = t;
	w->tails = t;
	sw_buf_init(&t->buf, 2 * t->max + 1);
	sw_buf_init(&t->path, 2048);
	sw_kube_path(&t->path, "", "v1", "pods", ns, pod, "log");
	if (container)
		sw_kube_query(&t->path, "container", container);
	snprintf(lines, sizeof lines, "%zu", t->lines_asked);
	sw_kube_query(&t->path, "tailLines", lines);
	struct sw_err e = sw_timer_new(w->ws->opt.loop, on_late, t, &t->timer);
	struct sw_kube_req req = {
		.cls = SW_KUBE_LIST, .method = "GET", .path = t->path.at, .max_reply = t->max, .raw = true};
	if (!sw_failed(e))
		e = sw_kube_start(w->kube, &req, on_whole, t, &t->call);
	if (sw_failed(e))
		tail_free(t);
	else
		sw_timer_in(t->timer, LIMIT_MS);
	return e;
}
