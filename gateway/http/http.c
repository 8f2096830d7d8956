/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.c - libcurl's multi interface on the libuv loop
 *
 * curl asks for sockets and a timer to be watched (cb_socket, cb_timer); when one fires, curl is told
 * (curl_multi_socket_action) and afterwards, with curl off the stack, http_drain() hands out what
 * came: chunks of streams, then completed calls. It is the only place that calls owners, besides the
 * silence timer. Owners may start, cancel and free anything there: a call that is being delivered is
 * marked busy and freed by its own frame, and sw_http_free() waits for the outermost frame.
 */
#include "http_priv.h"
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

#define container_of(p, type, m) ((type *)((char *)(p)-offsetof(type, m)))

struct sock {
	uv_poll_t poll;
	struct http_pool *pool;
	curl_socket_t fd;
};

/* ---- pools ------------------------------------------------------------------ */

static void pool_release(struct http_pool *p)
{
	if (--p->open_handles == 0 && p->closing)
		free(p);
}

static void on_timer_closed(uv_handle_t *h)
{
	pool_release(container_of((uv_timer_t *)h, struct http_pool, timer));
}

static void on_sock_closed(uv_handle_t *h)
{
	struct sock *s = container_of((uv_poll_t *)h, struct sock, poll);

	pool_release(s->pool);
	free(s);
}

/* Has no calls. Frees itself in the last close callback. */
static void pool_close(struct http_pool *p)
{
	p->closing = true;
	curl_multi_cleanup(p->multi); /* calls cb_socket(REMOVE) for connections that are still watched */
	p->multi = NULL;
	p->http = NULL;
	uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}

/* Pools that were replaced and have no calls left. */
static void pools_reap(struct sw_http *http)
{
	struct http_pool **link = &http->pools;

	while (*link) {
		struct http_pool *p = *link;
		if (p->calls > 0 || p == http->shared || p == http->own) {
			link = &p->next;
			continue;
		}
		*link = p->next;
		pool_close(p);
	}
}

/* ---- calls ------------------------------------------------------------------ */

static void ready_remove(struct sw_call *c)
{
	struct sw_http *http = c->http;
	struct sw_call **link = &http->ready;

	if (!c->is_ready)
		return;
	while (*link != c)
		link = &(*link)->ready_next;
	*link = c->ready_next;
	if (http->ready_end == &c->ready_next)
		http->ready_end = link;
	c->is_ready = false;
}

/* The first of those that are ready; there is one. */
static struct sw_call *ready_take(struct sw_http *http)
{
	struct sw_call *c = http->ready;

	http->ready = c->ready_next;
	if (!http->ready)
		http->ready_end = &http->ready;
	c->is_ready = false;
	return c;
}

/* Called from curl's callbacks: only notes that the owner has to hear something. */
void http_call_news(struct sw_call *c)
{
	c->last_byte = sw_loop_now(c->http->loop);
	if (c->is_ready)
		return;
	c->is_ready = true;
	c->ready_next = NULL;
	*c->http->ready_end = c;
	c->http->ready_end = &c->ready_next;
}

static void call_free(struct sw_call *c)
{
	ready_remove(c);
	if (c->next)
		c->next->link = c->link;
	*c->link = c->next;
	if (c->easy) {
		curl_multi_remove_handle(c->pool->multi, c->easy);
		curl_easy_cleanup(c->easy);
	}
	c->pool->calls--;
	curl_slist_free_all(c->headers);
	curl_slist_free_all(c->connect_to);
	sw_timer_free(c->silence);
	sw_buf_fini(&c->body);
	sw_buf_fini(&c->pending);
	free(c->what);
	free(c);
}

static void http_enter(struct sw_http *http)
{
	http->entered++;
}

static void http_destroy(struct sw_http *http)
{
	sw_timer_free(http->again);
	for (struct sw_call *c = http->calls, *next; c; c = next) {
		next = c->next;
		call_free(c);
	}
	while (http->pools) {
		struct http_pool *p = http->pools;
		http->pools = p->next;
		pool_close(p);
	}
	free(http);
}

/* False: the http is gone. */
static bool http_leave(struct sw_http *http)
{
	if (--http->entered > 0)
		return true;
	if (http->freed) {
		http_destroy(http);
		return false;
	}
	pools_reap(http);
	return true;
}

/* Returns false if the call was cancelled by its owner meanwhile; it is freed then. */
static bool call_deliver(struct sw_call *c)
{
	bool tell_headers = c->headers_in && c->on_headers;

	if (!c->on_chunk || c->busy)
		return true;
	c->busy = true;
	if (tell_headers) {
		sw_headers_fn *on_headers = c->on_headers;
		long status = 0;
		c->on_headers = NULL; /* once */
		curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
		on_headers(c->owner, status);
	}
	if (!c->cancelled && c->pending.len > 0) {
		size_t len;
		char *bytes = sw_buf_take(&c->pending, &len);
		c->on_chunk(c->owner, bytes, len);
		free(bytes);
	}
	c->busy = false;
	if (c->cancelled) {
		call_free(c);
		return false;
	}
	if (c->held && !c->paused) {
		c->held = false;
		curl_easy_pause(c->easy, CURLPAUSE_CONT);
	}
	return true;
}

static void call_finish(struct sw_call *c, struct sw_err err)
{
	struct sw_reply reply = {.body = "", .content_type = "", .retry_after_ms = -1};
	char warning[256] = "";

	ready_remove(c);
	if (!call_deliver(c))
		return;
	if (!sw_failed(err))
		http_reply_fill(c, &reply, warning, sizeof warning);
	sw_done_fn *done = c->done;
	c->done = NULL; /* a cancel from inside done is then a no-op */
	c->busy = true;
	if (done)
		done(c->owner, err, &reply);
	call_free(c);
}

/* ---- handing out ------------------------------------------------------------ */

/* True: enough for this turn, the rest comes in the next one. */
static bool slice_ends(struct sw_http *http, uint64_t began)
{
	if (http->freed || !sw_loop_slice_over(http->loop, began))
		return false;
	sw_timer_in(http->again, 0);
	return true;
}

static void drain_streams(struct sw_http *http, uint64_t began)
{
	while (http->ready && !http->freed) {
		(void)call_deliver(ready_take(http));
		if (slice_ends(http, began))
			return;
	}
}

static void drain_completed(struct sw_http *http, struct http_pool *p, uint64_t began)
{
	CURLMsg *msg;
	int left;

	while (!http->freed && (msg = curl_multi_info_read(p->multi, &left))) {
		struct sw_call *c = NULL;
		CURLcode rc = msg->data.result; /* msg dies with the next curl call */
		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		call_finish(c, http_explain(c, rc));
		if (slice_ends(http, began))
			return;
	}
}

/* The only place that completes calls: curl is never on the stack here. */
static void http_drain(struct sw_http *http, struct http_pool *p)
{
	uint64_t began = uv_hrtime();

	http_enter(http);
	drain_streams(http, began);
	drain_completed(http, p, began);
	(void)http_leave(http);
}

static void on_again(void *arg)
{
	struct sw_http *http = arg;
	uint64_t began = uv_hrtime();

	sw_loop_doing(http->loop, "http replies");
	http_enter(http);
	drain_streams(http, began);
	for (struct http_pool *p = http->pools; p && !http->freed; p = p->next)
		drain_completed(http, p, began);
	(void)http_leave(http);
}

static void on_timer(uv_timer_t *t)
{
	struct http_pool *p = container_of(t, struct http_pool, timer);
	int running;

	sw_loop_doing(p->http->loop, "http timer");
	curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	http_drain(p->http, p);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct sock *s = container_of(h, struct sock, poll);
	struct http_pool *p = s->pool; /* s may be gone after curl was told */
	int running, flags = CURL_CSELECT_ERR;

	if (status >= 0)
		flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
	sw_loop_doing(p->http->loop, "http socket");
	curl_multi_socket_action(p->multi, s->fd, flags, &running);
	http_drain(p->http, p);
}

/* A stream without a byte for too long. Own traffic of curl (TCP keepalive) does not count. */
static void on_silence(void *arg)
{
	struct sw_call *c = arg;
	struct sw_http *http = c->http;
	uint64_t now = sw_loop_now(http->loop), due = c->last_byte + (uint64_t)c->silence_ms;

	if (c->busy)
		return;
	if (c->paused || c->held)
		due = now + (uint64_t)c->silence_ms;
	if (due > now) {
		sw_timer_at(c->silence, due);
		return;
	}
	http_enter(http);
	call_finish(c, sw_err(SW_E_TIMEOUT,
			      "%s: silent for %ld ms: nothing more came from the server; the stream was dropped",
			      c->what, c->silence_ms));
	(void)http_leave(http);
}

/* ---- what curl asks of the loop --------------------------------------------- */

static int cb_timer(CURLM *m, long ms, void *arg)
{
	struct http_pool *p = arg;

	(void)m;
	if (p->closing || ms < 0)
		return uv_timer_stop(&p->timer);
	return uv_timer_start(&p->timer, on_timer, (uint64_t)ms, 0); /* 0 still means: not from here */
}

static void sock_remove(struct http_pool *p, struct sock *s)
{
	if (!s)
		return;
	if (!p->closing)
		curl_multi_assign(p->multi, s->fd, NULL);
	uv_close((uv_handle_t *)&s->poll, on_sock_closed);
}

static struct sock *sock_new(struct http_pool *p, curl_socket_t fd)
{
	struct sock *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->pool = p;
	s->fd = fd;
	if (uv_poll_init_socket(p->timer.loop, &s->poll, fd) < 0) {
		free(s);
		return NULL;
	}
	p->open_handles++;
	curl_multi_assign(p->multi, fd, s);
	return s;
}

static int cb_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sockp)
{
	struct http_pool *p = arg;
	struct sock *s = sockp;
	int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		sock_remove(p, s);
		return 0;
	}
	if (!s)
		s = sock_new(p, fd);
	return s && uv_poll_start(&s->poll, events, on_poll) == 0 ? 0 : -1;
}

/* ---- the public face -------------------------------------------------------- */

static struct sw_err pool_new(struct sw_http *http, struct http_pool **place)
{
	struct http_pool *p = calloc(1, sizeof *p);

	if (!p || !(p->multi = curl_multi_init())) {
		free(p);
		return sw_err(SW_E_NOMEM, "http client: out of memory");
	}
	uv_timer_init(sw_loop_uv(http->loop), &p->timer);
	p->open_handles = 1;
	p->http = http;
	p->next = http->pools;
	http->pools = p;
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, cb_socket);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, cb_timer);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
	if (place == &http->shared)
		curl_multi_setopt(p->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HTTP_HOST_CONNECTIONS);
	curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_POOL_CONNECTIONS);
	*place = p;
	return SW_OK;
}

struct sw_err sw_http_new(struct sw_loop *loop, struct sw_http **out)
{
	struct sw_http *http = calloc(1, sizeof *http);
	struct sw_err e;

	*out = NULL;
	if (!http || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(http);
		return sw_err(SW_E_NOMEM, "http client: out of memory");
	}
	http->loop = loop;
	http->ready_end = &http->ready;
	e = sw_timer_new(loop, on_again, http, &http->again);
	if (!sw_failed(e))
		e = pool_new(http, &http->shared);
	if (!sw_failed(e))
		e = pool_new(http, &http->own);
	if (sw_failed(e))
		http_destroy(http);
	else
		*out = http;
	return e;
}

void sw_http_free(struct sw_http *http)
{
	if (!http || http->freed)
		return;
	http->freed = true;
	for (struct sw_call *c = http->calls; c; c = c->next)
		c->cancelled = true; /* owners hear nothing more, even if this is one of their callbacks */
	if (http->entered == 0)
		http_destroy(http);
}

void sw_http_forget_connections(struct sw_http *http)
{
	struct sw_err e = pool_new(http, &http->shared);

	if (!sw_failed(e) && http->entered == 0)
		pools_reap(http);
}

static struct sw_call *call_new(struct sw_http *http, const struct sw_request *req, sw_done_fn *done, void *owner)
{
	struct sw_call *c = sw_calloc(1, sizeof *c);

	c->http = http;
	c->pool = req->own_connection ? http->own : http->shared;
	c->pool->calls++;
	c->done = done;
	c->owner = owner;
	c->on_chunk = req->on_chunk;
	c->on_headers = req->on_chunk ? req->on_headers : NULL;
	c->silence_ms = req->silence_ms;
	c->timeout_ms = req->timeout_ms;
	c->last_byte = sw_loop_now(http->loop);
	c->what = sw_asprintf("%s %.*s", req->method, (int)strcspn(req->url, "?#"), req->url);
	sw_buf_init(&c->body, req->max_reply ? req->max_reply : HTTP_REPLY_DEFAULT);
	sw_buf_init(&c->pending, HTTP_PENDING_MAX);
	c->next = http->calls;
	c->link = &http->calls;
	if (c->next)
		c->next->link = &c->next;
	http->calls = c;
	return c;
}

struct sw_err sw_http_start(struct sw_http *http, const struct sw_request *req, sw_done_fn *done, void *owner,
			    struct sw_call **out)
{
	struct sw_call *c;
	struct sw_err e;

	*out = NULL;
	if (http->freed)
		return sw_err(SW_E_CANCELED, "%s %s: the http client is being closed", req->method, req->url);
	c = call_new(http, req, done, owner);
	e = http_setup(c, req);
	if (!sw_failed(e) && req->on_chunk && req->silence_ms > 0) {
		e = sw_timer_new(http->loop, on_silence, c, &c->silence);
		if (!sw_failed(e))
			sw_timer_in(c->silence, (uint64_t)req->silence_ms);
	}
	if (!sw_failed(e)) {
		CURLMcode rc = curl_multi_add_handle(c->pool->multi, c->easy);
		if (rc != CURLM_OK)
			e = sw_err(SW_E_NET, "%s: %s", c->what, curl_multi_strerror(rc));
	}
	if (sw_failed(e))
		call_free(c);
	else
		*out = c;
	return e;
}

void sw_http_cancel(struct sw_call *call)
{
	if (!call || !call->done)
		return; /* already completing */
	call->cancelled = true;
	call->done = NULL;
	if (!call->busy && !call->http->freed)
		call_free(call);
}

void sw_http_pause(struct sw_call *call, bool pause)
{
	if (!call || !call->done || call->paused == pause)
		return;
	call->paused = pause;
	call->held = false;
	call->last_byte = sw_loop_now(call->http->loop);
	curl_easy_pause(call->easy, pause ? CURLPAUSE_RECV : CURLPAUSE_CONT);
	if (!pause && call->pending.len > 0)
		http_call_news(call);
}
