/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.c - one request: from the queue to the wire and back to its owner
 *
 * A call is in one of three places: in its kube's queue (is_queued), on the wire (http is set), or about
 * to be told of a failure by its timer (failed is set). Its owner is called last of all, with the call out of
 * the kube's lists: the owner may free the kube.
 */
#include "kube_priv.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "spillway/fault.h"
#include "spillway/text.h"

const char *kube_class_name(int queue)
{
	static const char *const names[KUBE_QUEUES] = {"fence", "status", "create", "list", "lease", "stream"};

	return names[queue];
}

static void call_unlink(struct sw_kube_call *c)
{
	struct sw_kube *k = c->kube;

	if (c->is_queued)
		DL_DELETE2(k->queues[c->queue], c, queue_prev, queue_next);
	c->is_queued = false;
	DL_DELETE(k->calls, c);
}

/* Out of the kube's lists already. */
static void call_release(struct sw_kube_call *c)
{
	sw_timer_free(c->timer);
	free(c->method);
	free(c->path);
	free(c->content_type);
	free(c->body);
	free(c);
}

void call_free(struct sw_kube_call *c)
{
	sw_http_cancel(c->http);
	call_unlink(c);
	call_release(c);
}

/* ---- the end ---------------------------------------------------------------------- */

static void call_finish(struct sw_kube_call *c, struct sw_err e, const struct sw_kube_reply *reply)
{
	sw_kube_fn *done = c->done;

	call_unlink(c);
	c->done = NULL; /* a cancel from inside done is then a no-op */
	done(c->owner, e, reply);
	call_release(c);
}

static void on_call_timer(void *arg)
{
	struct sw_kube_call *c = arg;
	const struct sw_kube_reply none = {.body = "", .reason = ""};
	struct sw_err e = c->failed;

	if (!sw_failed(e))
		e = sw_err(SW_E_TIMEOUT, "cluster %s: %s %.*s: %ld ms passed before its turn came: nothing was sent",
			   c->kube->name, c->method, (int)strcspn(c->path, "?"), c->path, c->timeout_ms);
	call_finish(c, e, &none);
}

static struct sw_err timer_ready(struct sw_kube_call *c)
{
	return c->timer ? SW_OK : sw_timer_new(c->kube->loop, on_call_timer, c, &c->timer);
}

void call_fail_later(struct sw_kube_call *c, struct sw_err e)
{
	if (c->is_queued)
		DL_DELETE2(c->kube->queues[c->queue], c, queue_prev, queue_next);
	c->is_queued = false;
	c->failed = e;
	sw_timer_in(c->timer, 0);
}

/* ---- answers ------------------------------------------------------------------------ */

static void call_count(const struct sw_kube_call *c, struct sw_err transport, long status)
{
	struct sw_kube *k = c->kube;
	const char *class = kube_class_name(c->queue);
	char code[24];

	snprintf(code, sizeof code, "%ld", status);
	sw_metric_add(k->m_requests, 1, k->name, class, sw_failed(transport) ? sw_code_name(transport.code) : code);
	if (c->queue != KUBE_STREAMS)
		sw_metric_observe(k->m_seconds, (double)(sw_loop_now(k->loop) - c->sent_ms) / 1000, k->name, class);
}

/* True: other credentials than those refused are there, or on their way. */
static bool can_reauthenticate(struct sw_kube_call *c)
{
	struct sw_cred_now now;

	if (c->reauthenticated)
		return false;
	c->reauthenticated = true;
	if (sw_cred_ready(c->kube->cred, &now) && now.version != c->version)
		return true; /* somebody was refused before us */
	sw_cred_rejected(c->kube->cred);
	return !sw_cred_ready(c->kube->cred, &now) || now.version != c->version;
}

static bool can_wait(struct sw_kube_call *c)
{
	return c->busy_retries++ < KUBE_BUSY_RETRIES && (!c->deadline_ms || c->kube->paused_until_ms < c->deadline_ms);
}

static bool wants_again(struct sw_kube_call *c, const struct kube_answer *a)
{
	if (a->reply.status == 401)
		return can_reauthenticate(c);
	return a->reply.status == 429 && !a->is_budget && can_wait(c);
}

/* Tests may kill the process here, or have it believe that nothing came back. */
static struct sw_err pass_fault_point(const struct sw_kube_call *c, const char *where)
{
	char what[512];

	snprintf(what, sizeof what, "%s %.*s", c->method, (int)strcspn(c->path, "?"), c->path);
	return sw_fault_point(where, what) ? sw_err(SW_E_NET, "%s: the connection was lost (%s)", what, where) : SW_OK;
}

static void on_done(void *owner, struct sw_err err, const struct sw_reply *reply)
{
	struct sw_kube_call *c = owner;
	struct sw_kube *k = c->kube;
	struct kube_answer a;

	c->http = NULL;
	if (!sw_failed(err))
		err = pass_fault_point(c, "kube.reply");
	answer_read(&a, c, err, reply);
	call_count(c, err, a.reply.status);
	if (a.reply.status > 0)
		kube_heard(k);
	kube_learn(k, c, a.reply.status, reply->retry_after_ms, a.is_budget);
	if (wants_again(c, &a)) {
		kube_enqueue(c, true);
		kube_pump(k);
	} else {
		kube_pump(k);
		call_finish(c, a.err, &a.reply);
	}
	answer_fini(&a);
}

static void on_chunk(void *owner, const char *bytes, size_t n)
{
	struct sw_kube_call *c = owner;

	kube_heard(c->kube);
	c->on_chunk(c->owner, bytes, n);
}

static void on_headers(void *owner, long status)
{
	struct sw_kube_call *c = owner;

	kube_heard(c->kube);
	if (c->on_headers && status >= 200 && status < 300)
		c->on_headers(c->owner, status);
}

/* ---- the start ------------------------------------------------------------------------ */

void call_send(struct sw_kube_call *c, const struct sw_cred_now *now)
{
	struct sw_kube *k = c->kube;
	uint64_t at = sw_loop_now(k->loop);
	char *url = sw_asprintf("%s%s", sw_kubeconfig_server(k->kc), c->path);
	char *agent = sw_asprintf("User-Agent: %s", k->user_agent);
	char *auth = now->authorization ? sw_asprintf("Authorization: %s", now->authorization) : NULL;
	char *type = c->body ? sw_asprintf("Content-Type: %s", c->content_type ? c->content_type : "application/json")
			     : NULL;
	const char *headers[5] = {agent, c->on_chunk ? "Accept: application/json, */*" : "Accept: application/json"};
	int n = 2;
	struct sw_request req = {.method = c->method,
				 .url = url,
				 .body = c->body,
				 .body_len = c->body_len,
				 .headers = headers,
				 .tls = &now->tls,
				 .proxy_url = now->proxy_url,
				 .silence_ms = c->silence_ms,
				 .max_reply = c->max_reply};
	struct sw_err e;

	if (auth)
		headers[n++] = auth;
	if (type)
		headers[n++] = type;
	if (c->on_chunk) {
		req.on_chunk = on_chunk;
		req.on_headers = on_headers;
		req.own_connection = true;
	}
	if (c->deadline_ms)
		req.timeout_ms = (long)(c->deadline_ms > at ? c->deadline_ms - at : 1);
	sw_timer_stop(c->timer);
	c->sent_ms = at;
	c->version = now->version;
	c->seq = k->seq++;
	e = pass_fault_point(c, "kube.send");
	if (!sw_failed(e))
		e = sw_http_start(k->http, &req, on_done, c, &c->http);
	if (sw_failed(e))
		call_fail_later(c, sw_err_wrap(e, "cluster %s", k->name));
	else if (c->paused)
		sw_http_pause(c->http, true);
	if (auth)
		explicit_bzero(auth, strlen(auth));
	free(auth);
	free(type);
	free(agent);
	free(url);
}

static struct sw_err call_start(struct sw_kube *k, struct sw_kube_call *c, struct sw_kube_call **out)
{
	struct sw_err e;

	c->kube = k;
	DL_APPEND(k->calls, c);
	e = timer_ready(c);
	if (sw_failed(e)) {
		call_free(c);
		return e;
	}
	if (c->timeout_ms) {
		c->deadline_ms = sw_loop_now(k->loop) + (uint64_t)c->timeout_ms;
		sw_timer_at(c->timer, c->deadline_ms);
	}
	kube_enqueue(c, false);
	kube_pump(k);
	*out = c;
	return SW_OK;
}

struct sw_err sw_kube_start(struct sw_kube *k, const struct sw_kube_req *req, sw_kube_fn *done, void *owner,
			    struct sw_kube_call **out)
{
	struct sw_kube_call *c;

	*out = NULL;
	if (req->path[0] != '/')
		return sw_err(SW_E_INVALID, "cluster %s: %s \"%.120s\": expected a path that starts with /", k->name,
			      req->method, req->path);
	c = sw_calloc(1, sizeof *c);
	c->done = done;
	c->owner = owner;
	c->queue = (int)req->cls;
	c->method = sw_strdup(req->method);
	c->path = sw_strdup(req->path);
	c->content_type = sw_strdup(req->content_type);
	c->raw = req->raw;
	c->timeout_ms = req->timeout_ms ? req->timeout_ms : KUBE_TIMEOUT_MS;
	c->max_reply = req->max_reply ? req->max_reply : KUBE_REPLY_MAX;
	if (req->body) {
		c->body = malloc(req->body_len + 1);
		if (!c->body) {
			call_release(c);
			return sw_err(SW_E_NOMEM, "cluster %s: %s %s: a body of %zu bytes", k->name, req->method,
				      req->path, req->body_len);
		}
		memcpy(c->body, req->body, req->body_len);
		c->body[req->body_len] = '\0';
		c->body_len = req->body_len;
	}
	return call_start(k, c, out);
}

struct sw_err kube_stream_start(struct sw_kube *k, const struct kube_stream *s, sw_kube_fn *done, void *owner,
				struct sw_kube_call **out)
{
	struct sw_kube_call *c = sw_calloc(1, sizeof *c);

	*out = NULL;
	c->done = done;
	c->owner = owner;
	c->queue = KUBE_STREAMS;
	c->method = sw_strdup("GET");
	c->path = sw_strdup(s->path);
	c->on_chunk = s->on_chunk;
	c->on_headers = s->on_headers;
	c->silence_ms = s->silence_ms;
	c->raw = true;
	return call_start(k, c, out);
}

struct sw_err sw_kube_stream(struct sw_kube *k, const char *path, sw_chunk_fn *chunk, sw_kube_fn *done, void *owner,
			     struct sw_kube_call **out)
{
	const struct kube_stream s = {.path = path, .on_chunk = chunk};

	return kube_stream_start(k, &s, done, owner, out);
}

void kube_call_pause(struct sw_kube_call *c, bool pause)
{
	c->paused = pause;
	sw_http_pause(c->http, pause);
}

void sw_kube_cancel(struct sw_kube_call *c)
{
	struct sw_kube *k;

	if (!c || !c->done)
		return;
	k = c->kube;
	if (c->http)
		kube_learn(k, c, 0, -1, false);
	call_free(c);
	kube_pump(k);
}
