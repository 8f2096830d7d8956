/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fakehttp.c - libuv streams, OpenSSL over memory BIOs, and a script
 *
 * One answer at a time per connection; requests on a connection are taken when the answer before is out.
 */
#include "fakehttp.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "spillway/buf.h"
#include "spillway/text.h"

enum { FAKE_MAX = 64 << 20, FAKE_STEPS = 1024, FAKE_SPLIT_MS = 2 };

struct fake_http {
	struct sw_loop *loop;
	uv_tcp_t listener;
	SSL_CTX *ctx;
	char *url;
	int port;
	struct fake_step *steps[FAKE_STEPS];
	size_t n_steps, at;
	struct fake_seen **seen;
	struct conn **where; /* connection of request i, or NULL */
	size_t n_seen;
	struct conn *conns;
	unsigned accepted, surprises;
	char *surprise;
};

struct conn {
	uv_tcp_t tcp;
	uv_timer_t pace;     /* delays and splits */
	struct fake_http *f; /* NULL: the server is gone */
	struct conn *next;
	unsigned number;
	int open_handles;
	SSL *ssl;
	BIO *in, *out;
	struct sw_buf got, sending;
	size_t split;
	bool is_answering, wants_close, is_closing;
	enum fake_then then;
};

/* ---- connections ------------------------------------------------------------------ */

static void conn_forget(struct conn *c)
{
	struct conn **link;

	if (!c->f)
		return;
	for (link = &c->f->conns; *link != c; link = &(*link)->next)
		;
	*link = c->next;
	for (size_t i = 0; i < c->f->n_seen; i++) {
		if (c->f->where[i] == c) {
			c->f->where[i] = NULL;
			c->f->seen[i]->is_open = false;
		}
	}
	c->f = NULL;
}

static void on_conn_closed(uv_handle_t *h)
{
	struct conn *c = h->data;

	if (--c->open_handles > 0)
		return;
	SSL_free(c->ssl);
	sw_buf_fini(&c->got);
	sw_buf_fini(&c->sending);
	free(c);
}

static void conn_close(struct conn *c, bool reset)
{
	if (c->is_closing)
		return;
	c->is_closing = true;
	conn_forget(c);
	uv_close((uv_handle_t *)&c->pace, on_conn_closed);
	if (!reset || uv_tcp_close_reset(&c->tcp, on_conn_closed) != 0)
		uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
}

struct outgoing {
	uv_write_t req;
	struct conn *c;
	bool last, reset;
	char bytes[];
};

static void on_written(uv_write_t *w, int status)
{
	struct outgoing *o = w->data;

	if ((o->last || status < 0) && !o->c->is_closing)
		conn_close(o->c, o->reset);
	free(o);
}

static void wire(struct conn *c, const char *bytes, size_t n, bool last, bool reset)
{
	struct outgoing *o = sw_calloc(1, sizeof *o + n);
	uv_buf_t b = uv_buf_init(o->bytes, (unsigned)n);

	memcpy(o->bytes, bytes, n);
	o->req.data = o;
	o->c = c;
	o->last = last;
	o->reset = reset;
	if (uv_write(&o->req, (uv_stream_t *)&c->tcp, &b, 1, on_written) != 0)
		free(o);
}

/* Whatever TLS has to say goes out. */
static void tls_flush(struct conn *c, bool last, bool reset)
{
	char *at;
	long n = BIO_get_mem_data(c->out, &at);

	if (n > 0 || last)
		wire(c, at, (size_t)n, last, reset);
	(void)BIO_reset(c->out);
}

static void conn_write(struct conn *c, const char *bytes, size_t n, bool last, bool reset)
{
	if (!c->ssl) {
		wire(c, bytes, n, last, reset);
		return;
	}
	if (n > 0)
		SSL_write(c->ssl, bytes, (int)n);
	if (last && !reset)
		SSL_shutdown(c->ssl);
	tls_flush(c, last, reset);
}

/* ---- answers ------------------------------------------------------------------------- */

static void conn_requests(struct conn *c);

static void on_pace(uv_timer_t *t)
{
	struct conn *c = t->data;
	size_t n = c->split && c->split < c->sending.len ? c->split : c->sending.len;
	bool end = n == c->sending.len;

	conn_write(c, c->sending.at ? c->sending.at : "", n, end && c->then != FAKE_KEEP, c->then == FAKE_RESET);
	sw_buf_drop(&c->sending, n);
	if (!end) {
		uv_timer_start(&c->pace, on_pace, FAKE_SPLIT_MS, 0);
		return;
	}
	c->is_answering = false;
	if (c->then == FAKE_KEEP)
		conn_requests(c);
}

static void answer(struct conn *c, const struct fake_step *s)
{
	c->is_answering = true;
	c->split = s->split;
	c->then = s->then;
	sw_buf_put(&c->sending, s->send ? s->send : "", s->len);
	if (s->delay_ms || s->split)
		uv_timer_start(&c->pace, on_pace, s->delay_ms, 0);
	else
		on_pace(&c->pace);
}

static void surprise(struct conn *c, const char *line)
{
	static const char text[] = "HTTP/1.1 500 Surprise\r\nContent-Length: 0\r\n\r\n";
	const struct fake_step s = {.send = (char *)(uintptr_t)text, .len = sizeof text - 1};

	if (c->f->surprises++ == 0)
		c->f->surprise = sw_strdup(line);
	answer(c, &s);
}

static void dispatch(struct conn *c, const char *line)
{
	struct fake_http *f = c->f;
	struct fake_step *s = f->at < f->n_steps ? f->steps[f->at] : NULL;

	if (!s || (s->expect && strncmp(line, s->expect, strlen(s->expect)) != 0)) {
		surprise(c, line);
		return;
	}
	if (!s->repeat)
		f->at++;
	answer(c, s);
}

/* ---- requests ------------------------------------------------------------------------- */

static size_t content_length(const char *head)
{
	const char *p = strcasestr(head, "\r\ncontent-length:");

	return p ? (size_t)strtoul(p + 17, NULL, 10) : 0;
}

static void remember(struct conn *c, const char *head, size_t head_len, const char *body, size_t body_len)
{
	struct fake_http *f = c->f;
	struct fake_seen *s = sw_calloc(1, sizeof *s);
	size_t line = strcspn(head, "\r");

	s->line = sw_asprintf("%.*s", (int)line, head);
	s->head = sw_asprintf("%.*s", (int)(head_len - line), head + line);
	s->body = sw_asprintf("%.*s", (int)body_len, body);
	s->conn = c->number;
	s->is_open = true;
	f->seen = realloc(f->seen, (f->n_seen + 1) * sizeof(struct fake_seen *));
	f->where = realloc(f->where, (f->n_seen + 1) * sizeof(struct conn *));
	f->where[f->n_seen] = c;
	f->seen[f->n_seen++] = s;
}

static void conn_requests(struct conn *c)
{
	while (c->f && !c->is_answering && c->got.len > 0) {
		char *end = strstr(c->got.at, "\r\n\r\n");
		size_t head, body;
		if (!end)
			return;
		head = (size_t)(end - c->got.at) + 2;
		c->got.at[head] = '\0';
		body = content_length(c->got.at);
		c->got.at[head] = '\r';
		if (c->got.len < head + 2 + body)
			return;
		remember(c, c->got.at, head, c->got.at + head + 2, body);
		sw_buf_drop(&c->got, head + 2 + body);
		dispatch(c, c->f->seen[c->f->n_seen - 1]->line);
	}
}

static void tls_read(struct conn *c, const char *bytes, size_t n)
{
	char plain[16384];
	int got;

	BIO_write(c->in, bytes, (int)n);
	if (!SSL_is_init_finished(c->ssl)) {
		int rc = SSL_do_handshake(c->ssl);
		bool failed = rc <= 0 && SSL_get_error(c->ssl, rc) != SSL_ERROR_WANT_READ;
		ERR_clear_error();
		tls_flush(c, failed, false);
		if (failed)
			return;
	}
	while ((got = SSL_read(c->ssl, plain, sizeof plain)) > 0)
		sw_buf_put(&c->got, plain, (size_t)got);
	if (SSL_get_error(c->ssl, got) == SSL_ERROR_SSL) {
		tls_flush(c, true, false);
		ERR_clear_error();
		return;
	}
	ERR_clear_error();
	tls_flush(c, false, false);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *b)
{
	(void)h;
	*b = uv_buf_init(malloc(hint), (unsigned)hint);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct conn *c = s->data;

	if (n < 0)
		conn_close(c, false);
	else if (n > 0 && c->ssl)
		tls_read(c, b->base, (size_t)n);
	else if (n > 0)
		sw_buf_put(&c->got, b->base, (size_t)n);
	free(b->base);
	if (n > 0 && !c->is_closing)
		conn_requests(c);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct fake_http *f = listener->data;
	struct conn *c = sw_calloc(1, sizeof *c);

	SW_REQUIRE(status == 0);
	uv_tcp_init(listener->loop, &c->tcp);
	uv_timer_init(listener->loop, &c->pace);
	c->tcp.data = c->pace.data = c;
	c->open_handles = 2;
	c->f = f;
	c->number = ++f->accepted;
	c->next = f->conns;
	f->conns = c;
	sw_buf_init(&c->got, FAKE_MAX);
	sw_buf_init(&c->sending, FAKE_MAX);
	if (f->ctx) {
		c->ssl = SSL_new(f->ctx);
		c->in = BIO_new(BIO_s_mem());
		c->out = BIO_new(BIO_s_mem());
		SSL_set_bio(c->ssl, c->in, c->out);
		SSL_set_accept_state(c->ssl);
	}
	SW_REQUIRE(uv_accept(listener, (uv_stream_t *)&c->tcp) == 0);
	uv_tcp_nodelay(&c->tcp, 1);
	uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

/* ---- life ------------------------------------------------------------------------------- */

static X509 *pem_cert(const char *pem)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

	BIO_free(b);
	SW_REQUIRE(x);
	return x;
}

static SSL_CTX *tls_context(const struct fake_tls *tls)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	X509 *x = pem_cert(tls->cert);
	BIO *b = BIO_new_mem_buf(tls->key, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);

	SW_REQUIRE(SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
	X509_free(x);
	EVP_PKEY_free(key);
	BIO_free(b);
	if (tls->client_ca) {
		x = pem_cert(tls->client_ca);
		X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x);
		X509_free(x);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"fake", 4);
	}
	return ctx;
}

struct fake_http *fake_http_new(struct sw_loop *loop, const struct fake_tls *tls)
{
	struct fake_http *f = sw_calloc(1, sizeof *f);
	struct sockaddr_in a;
	int len = sizeof a;

	f->loop = loop;
	if (tls)
		f->ctx = tls_context(tls);
	uv_tcp_init(sw_loop_uv(loop), &f->listener);
	f->listener.data = f;
	uv_ip4_addr("127.0.0.1", 0, &a);
	SW_REQUIRE(uv_tcp_bind(&f->listener, (struct sockaddr *)&a, 0) == 0);
	SW_REQUIRE(uv_listen((uv_stream_t *)&f->listener, 128, on_connection) == 0);
	uv_tcp_getsockname(&f->listener, (struct sockaddr *)&a, &len);
	f->port = ntohs(a.sin_port);
	f->url = sw_asprintf("%s://127.0.0.1:%d", tls ? "https" : "http", f->port);
	return f;
}

static void on_listener_closed(uv_handle_t *h)
{
	free(h->data);
}

void fake_http_free(struct fake_http *f)
{
	while (f->conns)
		conn_close(f->conns, false);
	for (size_t i = 0; i < f->n_steps; i++) {
		free(f->steps[i]->expect);
		free(f->steps[i]->send);
		free(f->steps[i]);
	}
	for (size_t i = 0; i < f->n_seen; i++) {
		free(f->seen[i]->line);
		free(f->seen[i]->head);
		free(f->seen[i]->body);
		free(f->seen[i]);
	}
	free(f->seen);
	free(f->where);
	free(f->url);
	free(f->surprise);
	SSL_CTX_free(f->ctx);
	uv_close((uv_handle_t *)&f->listener, on_listener_closed);
}

int fake_port(const struct fake_http *f)
{
	return f->port;
}
const char *fake_url(const struct fake_http *f)
{
	return f->url;
}
size_t fake_count(const struct fake_http *f)
{
	return f->n_seen;
}
unsigned fake_accepted(const struct fake_http *f)
{
	return f->accepted;
}
unsigned fake_surprises(const struct fake_http *f)
{
	return f->surprises;
}
const char *fake_surprise(const struct fake_http *f)
{
	return f->surprise ? f->surprise : "";
}

const struct fake_seen *fake_seen(const struct fake_http *f, size_t i)
{
	SW_REQUIRE(i < f->n_seen);
	return f->seen[i];
}

const char *fake_header(const struct fake_http *f, size_t i, const char *name, char buf[256])
{
	char *needle = sw_asprintf("\r\n%s:", name);
	const char *p = strcasestr(fake_seen(f, i)->head, needle);
	size_t n;

	buf[0] = '\0';
	if (p) {
		p += strlen(needle);
		p += strspn(p, " ");
		n = strcspn(p, "\r");
		snprintf(buf, 256, "%.*s", (int)n, p);
	}
	free(needle);
	return buf;
}

/* ---- script ------------------------------------------------------------------------------- */

static struct fake_step *step_add(struct fake_http *f, const char *expect, char *send_taken)
{
	struct fake_step *s = sw_calloc(1, sizeof *s);

	SW_REQUIRE(f->n_steps < FAKE_STEPS);
	s->expect = sw_strdup(expect);
	s->send = send_taken;
	s->len = send_taken ? strlen(send_taken) : 0;
	f->steps[f->n_steps++] = s;
	return s;
}

struct fake_step *fake_raw(struct fake_http *f, const char *expect, const char *bytes)
{
	return step_add(f, expect, sw_strdup(bytes));
}

struct fake_step *fake_hang(struct fake_http *f, const char *expect)
{
	return step_add(f, expect, NULL);
}

struct fake_step *fake_reply(struct fake_http *f, const char *expect, int status, const char *headers, const char *body)
{
	return step_add(
		f, expect,
		sw_asprintf("HTTP/1.1 %d Status\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s",
			    status, strlen(body), headers, body));
}

static char *chunked(const char *bytes)
{
	return *bytes ? sw_asprintf("%zx\r\n%s\r\n", strlen(bytes), bytes) : sw_strdup("");
}

struct fake_step *fake_stream(struct fake_http *f, const char *expect, const char *first)
{
	char *chunk = chunked(first);
	struct fake_step *s = step_add(f, expect,
				       sw_asprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
						   "Transfer-Encoding: chunked\r\n\r\n%s",
						   chunk));

	free(chunk);
	return s;
}

void fake_bytes(struct fake_http *f, size_t i, const char *bytes)
{
	SW_REQUIRE(i < f->n_seen && f->where[i]);
	conn_write(f->where[i], bytes, strlen(bytes), false, false);
}

void fake_chunk(struct fake_http *f, size_t i, const char *bytes)
{
	char *chunk = chunked(bytes);

	fake_bytes(f, i, chunk);
	free(chunk);
}

void fake_finish(struct fake_http *f, size_t i)
{
	fake_bytes(f, i, "0\r\n\r\n");
}

void fake_hangup(struct fake_http *f, size_t i)
{
	SW_REQUIRE(i < f->n_seen && f->where[i]);
	conn_write(f->where[i], "", 0, true, false);
}

struct waiting {
	uv_timer_t poll;
	struct fake_http *f;
	size_t requests;
	bool done;
};

static void on_waiting(uv_timer_t *t)
{
	struct waiting *w = t->data;

	w->done = w->f->n_seen >= w->requests;
}

static void on_waiting_closed(uv_handle_t *h)
{
	free(h->data);
}

bool fake_wait(struct fake_http *f, size_t requests)
{
	struct waiting *w = sw_calloc(1, sizeof *w);
	bool done;

	w->f = f;
	w->requests = requests;
	w->done = f->n_seen >= requests;
	w->poll.data = w;
	uv_timer_init(sw_loop_uv(f->loop), &w->poll);
	uv_timer_start(&w->poll, on_waiting, 1, 1);
	done = sw_loop_until(f->loop, &w->done, 5000);
	uv_close((uv_handle_t *)&w->poll, on_waiting_closed);
	return done;
}
