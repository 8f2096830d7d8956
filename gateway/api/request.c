/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c - one request: headers, body, waiting, reply, stream
 *
 * The daemon calls on_access() with the headers, then with pieces of the body, then with nothing:
 * that call starts the handler. If the handler has replied by then, the reply is queued; else
 * the connection is suspended, and on_access() comes once more after the reply has resumed it.
 */
#include "api_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "spillway/log.h"
#include "spillway/text.h"

enum { STREAM_LOW = 256 << 10, STREAM_KEEP = 64 << 10, WARNINGS_MAX = 16, WARNING_BYTES = 512 };

const char *request_query(const struct request *q, const char *key)
{
	return MHD_lookup_connection_value(q->conn, MHD_GET_ARGUMENT_KIND, key);
}

const char *request_header(const struct request *q, const char *name)
{
	return MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND, name);
}

/* ---- life ------------------------------------------------------------------------ */

static struct request *request_new(struct sw_api *a, struct MHD_Connection *conn, const char *path, const char *method)
{
	struct request *q = sw_calloc(1, sizeof(*q));
	q->api = a;
	q->conn = conn;
	q->path = sw_strdup(path);
	q->method = sw_strdup(method);
	q->began_ns = uv_hrtime();
	sw_buf_init(&q->body, API_BODY_MAX + 1);
	q->next = a->requests;
	if (q->next)
		q->next->prev = q;
	a->requests = q;
	a->n_requests++;
	return q;
}

void request_free(struct request *q)
{
	struct sw_api *a = q->api;
	if (q->op && q->op_free)
		q->op_free(q->op);
	if (q->write) {
		write_fini(q->write);
		free(q->write);
	}
	if (q->stream) {
		sw_buf_fini(&q->stream->out);
		free(q->stream);
	}
	if (q->response)
		MHD_destroy_response(q->response);
	a->body_bytes -= q->body.len;
	sw_buf_fini(&q->body);
	json_object_put(q->refusal);
	json_object_put(q->warnings);
	json_object_put(q->parsed);
	user_unref(q->user);
	free(q->path);
	free(q->method);
	if (q->prev)
		q->prev->next = q->next;
	else
		a->requests = q->next;
	if (q->next)
		q->next->prev = q->prev;
	a->n_requests--;
	free(q);
}

static void request_count(const struct request *q)
{
	char code[8];
	const char *verb = q->route.kind == ROUTE_OBJECTS ? route_verb_word(q->verb) : q->method;
	const char *resource = q->route.r ? q->route.r->id : "";
	snprintf(code, sizeof(code), "%d", q->code); /* 0: the client broke off */
	sw_metric_add(q->api->m_requests, 1, verb, resource, code);
	double s = (double)(uv_hrtime() - q->began_ns) / 1e9;
	if (!q->stream)
		sw_metric_observe(q->api->m_seconds, s, verb);
	sw_log(DEBUG, "api", "request", "method=%s path=%s user=%s code=%d ms=%.1f", q->method, q->path,
	       q->user ? q->user->name : "-", q->code, s * 1e3);
}

void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls, enum MHD_RequestTerminationCode why)
{
	struct request *q = *con_cls;
	(void)cls, (void)conn, (void)why;
	if (!q)
		return;
	*con_cls = NULL;
	request_count(q);
	request_free(q);
}

/* ---- replies --------------------------------------------------------------------------- */

/* Header text: printable ASCII, quotes and backslashes escaped, as RFC 7234 warn-text wants it. */
static void warning_add(struct MHD_Response *r, const char *text)
{
	struct sw_buf b;
	sw_buf_init(&b, WARNING_BYTES * 2 + 16);
	sw_buf_puts(&b, "299 - \"");
	for (size_t i = 0; text[i] && i < WARNING_BYTES; i++) {
		if (text[i] == '"' || text[i] == '\\')
			sw_buf_putc(&b, '\\');
		sw_buf_putc(&b, text[i] >= ' ' && text[i] < 127 ? text[i] : ' ');
	}
	sw_buf_putc(&b, '"');
	if (sw_buf_ok(&b))
		MHD_add_response_header(r, "Warning", b.at);
	sw_buf_fini(&b);
}

/* The reply is there: wake the connection if it sleeps. Takes the response. */
static void reply(struct request *q, int code, const char *type, struct MHD_Response *r)
{
	SW_REQUIRE(!q->response);
	if (!r) {
		sw_log(ERROR, "api", "no memory for a reply", "path=%s", q->path);
		code = 500;
		r = MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
	}
	SW_REQUIRE(r != NULL);
	MHD_add_response_header(r, "Content-Type", type);
	MHD_add_response_header(r, "Cache-Control", "no-cache, private");
	for (size_t i = 0; i < sw_json_len(q->warnings) && i < WARNINGS_MAX; i++)
		warning_add(r, json_object_get_string(sw_json_idx(q->warnings, i)));
	q->response = r;
	q->code = code;
	if (!q->suspended)
		return;
	q->suspended = false;
	MHD_resume_connection(q->conn);
	api_kick(q->api);
}

static void bytes_release(void *cls)
{
	sw_bytes_unref(cls);
}

void reply_bytes(struct request *q, int code, struct sw_bytes *body)
{
	reply(q, code, "application/json",
	      MHD_create_response_from_buffer_with_free_callback_cls(body->len, body->at, bytes_release, body));
}

void reply_text(struct request *q, int code, const char *type, const char *text, size_t len)
{
	reply(q, code, type, MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY));
}

void reply_buf(struct request *q, int code, const char *type, struct sw_buf *b)
{
	size_t len = 0;
	char *text = sw_buf_take(b, &len);
	if (!text) {
		reply_status(q, sw_status(SW_REASON_INTERNAL, "the answer is too large for this server's memory"));
		return;
	}
	reply(q, code, type, MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE));
}

void reply_json(struct request *q, int code, json_t *o)
{
	struct sw_buf b;
	sw_buf_init(&b, SIZE_MAX);
	sw_buf_json(&b, o);
	json_object_put(o);
	reply_buf(q, code, "application/json", &b);
}

void reply_status(struct request *q, json_t *no)
{
	int code = sw_status_code(no);
	int64_t retry = sw_json_int(no, "details.retryAfterSeconds", -1);
	reply_json(q, code, no);
	if (retry >= 0 && q->response) {
		char text[24];
		snprintf(text, sizeof(text), "%lld", (long long)retry);
		MHD_add_response_header(q->response, "Retry-After", text);
	}
}

/* ---- streams ------------------------------------------------------------------------------ */

static ssize_t stream_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct stream *s = cls;
	size_t n = stream_pending(s);
	(void)pos;
	if (s->broken)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n == 0 && (s->ended || s->req->api->closing))
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		s->parked = true;
		MHD_suspend_connection(s->req->conn);
		return 0;
	}
	if (n > max)
		n = max;
	memcpy(buf, s->out.at + s->at, n);
	s->at += n;
	s->moved_ms = sw_loop_now(s->req->api->loop);
	if (s->at == s->out.len) {
		s->at = 0;
		sw_buf_reset(&s->out);
		if (s->out.cap > STREAM_KEEP) { /* a burst is over: give its memory back */
			size_t limit = s->out.max;
			sw_buf_fini(&s->out);
			sw_buf_init(&s->out, limit);
		}
	}
	if (s->drained && !s->ended && stream_pending(s) < STREAM_LOW)
		s->drained(s->owner);
	return (ssize_t)n;
}

struct stream *reply_stream(struct request *q, const char *type)
{
	struct stream *s = sw_calloc(1, sizeof(*s));
	s->req = q;
	s->moved_ms = sw_loop_now(q->api->loop);
	sw_buf_init(&s->out, SIZE_MAX);
	q->stream = s;
	reply(q, 200, type, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32 << 10, stream_read, s, NULL));
	return s;
}

static void stream_wake(struct stream *s)
{
	if (!s->parked)
		return;
	s->parked = false;
	MHD_resume_connection(s->req->conn);
	api_kick(s->req->api);
}

void stream_moved(struct stream *s)
{
	if (!sw_buf_ok(&s->out))
		s->broken = true;
	/* What was sent is in front: keep it from growing without end while the client is slow. */
	if (s->at > API_BEHIND_MAX / 4 && s->at > s->out.len / 2) {
		sw_buf_drop(&s->out, s->at);
		s->at = 0;
	}
	stream_wake(s);
}

void stream_end(struct stream *s)
{
	s->ended = true;
	stream_wake(s);
}

void stream_break(struct stream *s)
{
	s->broken = true;
	stream_wake(s);
}

/* ---- headers: who, what, may they --------------------------------------------------------------- */

static json_t *status_unauthorized(void)
{
	return sw_status(SW_REASON_UNAUTHORIZED, "Unauthorized");
}

static json_t *status_method(void)
{
	return sw_status(SW_REASON_NO_METHOD, "the server does not allow this method on the requested resource");
}

static json_t *status_pods(void)
{
	return sw_status(SW_REASON_NO_METHOD,
			 "pods are read-only here: they belong to jobs and run on worker clusters; "
			 "create or delete the job");
}

static struct user *authenticate(struct request *q)
{
	const char *h = request_header(q, "Authorization");
	if (!h || strncasecmp(h, "Bearer ", 7) != 0)
		return NULL;
	h += 7;
	h += strspn(h, " ");
	return user_by_token(q->api, h);
}

/* kubectl --as. Answering with the rights of whoever asks would be a wrong answer, so it is refused. */
static json_t *impersonation_check(struct request *q)
{
	static const char *const headers[] = {"Impersonate-User", "Impersonate-Group", "Impersonate-Uid"};
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		const char *as = request_header(q, headers[i]);
		if (as)
			return sw_status(
				SW_REASON_FORBIDDEN,
				"users \"%.100s\" is forbidden: User \"%s\" cannot impersonate: spillway does not "
				"offer it (--as); use that user's own token",
				as, q->user->name);
	}
	return NULL;
}

static bool is_proxied(const char *sub)
{
	return strcmp(sub, "exec") == 0 || strcmp(sub, "attach") == 0 || strcmp(sub, "portforward") == 0;
}

static json_t *sub_check(struct request *q)
{
	const struct route *rt = &q->route;
	if (!*rt->sub)
		return NULL;
	if (strcmp(rt->r->id, "pods") == 0 && is_proxied(rt->sub))
		return sw_json_fmt("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
				   "\"reason\":\"NotImplemented\","
				   "\"message\":\"spillway does not offer %s: use kubectl against the worker cluster "
				   "that runs the pod\","
				   "\"code\":501}",
				   rt->sub);
	unsigned bit = sw_resource_sub(rt->r, rt->sub);
	if (!bit || (bit != SW_SUB_STATUS && bit != SW_SUB_LOG))
		return sw_status_no_resource();
	if (bit == SW_SUB_LOG)
		return q->verb == VERB_GET ? NULL : status_method();
	return q->verb == VERB_GET || q->verb == VERB_UPDATE || q->verb == VERB_PATCH ? NULL : status_method();
}

static json_t *objects_admit(struct request *q)
{
	const struct route *rt = &q->route;
	q->verb = route_verb(rt, q->method, query_true(request_query(q, "watch")));
	if (q->verb == VERB_NONE && is_proxied(rt->sub))
		q->verb = VERB_GET; /* kubectl exec tries GET, then POST, and shows the last answer */
	if (q->verb == VERB_NONE)
		return status_method();
	struct access what = {route_verb_word(q->verb), rt->r, rt->ns, rt->sub};
	if (!access_allowed(q->user, &what))
		return sw_status_forbidden(rt->r, rt->name, q->user->name, what.verb, *rt->sub ? rt->sub : NULL,
					   rt->ns);
	json_t *no = sub_check(q);
	if (no)
		return no;
	if (!(sw_resource_verbs(rt->r, q->api->opt.serve) & route_verb_bit(q->verb)))
		return strcmp(rt->r->id, "pods") == 0 ? status_pods() : status_method();
	return NULL;
}

static json_t *request_admit(struct request *q)
{
	enum route_kind kind;
	route_parse(q->api->opt.serve, q->path, &q->route);
	kind = q->route.kind;
	if (kind == ROUTE_HEALTH || kind == ROUTE_VERSION || (kind == ROUTE_PAGE && page_is_hook(q)))
		return NULL;
	struct user *u = authenticate(q);
	if (!u)
		return status_unauthorized();
	q->user = user_ref(u);
	json_t *no = impersonation_check(q);
	if (no)
		return no;
	if (kind == ROUTE_OBJECTS)
		return objects_admit(q);
	if (kind == ROUTE_UNKNOWN)
		return sw_status_no_resource();
	bool pages = kind == ROUTE_PAGE && (strcmp(q->method, "POST") == 0 || strcmp(q->method, "DELETE") == 0);
	return pages || strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0 ? NULL : status_method();
}

/* ---- the body ------------------------------------------------------------------------------------- */

static json_t *status_too_large(void)
{
	return sw_status(SW_REASON_TOO_LARGE, "the request body is larger than the limit of %d bytes", API_BODY_MAX);
}

static void refuse(struct request *q, json_t *no)
{
	if (q->refusal)
		json_object_put(no);
	else
		q->refusal = no;
}

static enum MHD_Result body_add(struct request *q, const char *bytes, size_t n)
{
	struct sw_api *a = q->api;
	if (!q->refusal && q->body.len + n > API_BODY_MAX)
		refuse(q, status_too_large());
	if (!q->refusal && a->body_bytes + n > API_BODIES_MAX) {
		refuse(q, sw_status(SW_REASON_TOO_MANY, "too many large requests at the same time, try again"));
		sw_status_retry_after(q->refusal, 1);
	}
	if (q->refusal) {
		q->discarded += n;
		return q->discarded > API_DISCARD_MAX ? MHD_NO : MHD_YES;
	}
	sw_buf_put(&q->body, bytes, n);
	a->body_bytes += n;
	return MHD_YES;
}

/* ---- the steps of a request --------------------------------------------------------------------------- */

static void run_later(struct task *t)
{
	struct request *q = (struct request *)(void *)((char *)t - offsetof(struct request, task));
	handle_request(q);
}

static bool is_write(const struct request *q)
{
	return q->route.kind == ROUTE_OBJECTS && q->verb >= VERB_CREATE;
}

static void request_start(struct request *q)
{
	q->started = true;
	if (q->refusal) {
		json_t *no = q->refusal;
		q->refusal = NULL;
		reply_status(q, no);
	} else if (q->api->closing) { /* nothing may wait now: libmicrohttpd aborts if it is stopped meanwhile */
		reply_status(q, sw_status(SW_REASON_UNAVAILABLE, "the server is shutting down"));
	} else if (is_write(q)) {
		q->task.run = run_later;
		api_later(q->api, &q->task);
	} else {
		handle_request(q);
	}
}

static enum MHD_Result request_step(struct request *q)
{
	if (!q->started)
		request_start(q);
	if (!q->response) {
		q->suspended = true;
		MHD_suspend_connection(q->conn);
		return MHD_YES;
	}
	enum MHD_Result ok = MHD_queue_response(q->conn, (unsigned)q->code, q->response);
	MHD_destroy_response(q->response);
	q->response = NULL;
	return ok;
}

/* A body far over the limit is not even read: the answer comes at once and the connection is closed. */
static bool is_hopeless(const struct request *q)
{
	const char *len = request_header(q, "Content-Length");
	return len && strtoull(len, NULL, 10) > API_DISCARD_MAX;
}

enum MHD_Result on_access(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
			  const char *version, const char *upload, size_t *upload_size, void **con_cls)
{
	struct request *q = *con_cls;
	(void)version;
	if (!q) {
		q = request_new(cls, conn, url, method);
		*con_cls = q;
		q->refusal = request_admit(q);
		if (!is_hopeless(q))
			return MHD_YES;
		refuse(q, status_too_large());
		return request_step(q);
	}
	if (*upload_size) {
		size_t n = *upload_size;
		*upload_size = 0;
		return body_add(q, upload, n);
	}
	return request_step(q);
}
