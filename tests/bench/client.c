/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - HTTP/1.1 over TLS on epoll, as little of it as a load generator needs
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "spillway/text.h"

enum { CONNS_MAX = 512, HEAD_MAX = 16 << 10, OUT_MAX = 8 << 20, READ_SIZE = 64 << 10 };

struct client {
	int epoll, port;
	char *token;
	SSL_CTX *tls;
	struct conn *conns[CONNS_MAX];
	int n;
	char bytes[READ_SIZE];
};

struct client *client_new(int port, const char *token)
{
	struct client *cl = sw_calloc(1, sizeof(*cl));

	cl->port = port;
	cl->token = sw_strdup(token);
	cl->epoll = epoll_create1(EPOLL_CLOEXEC);
	cl->tls = SSL_CTX_new(TLS_client_method());
	if (!cl->tls || cl->epoll < 0)
		bench_die("client: cannot start");
	SSL_CTX_set_mode(cl->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return cl;
}

int client_fd(const struct client *cl)
{
	return cl->epoll;
}

static void conn_free(struct conn *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	sw_buf_fini(&c->out);
	sw_buf_fini(&c->head);
	free(c);
}

void client_drop(struct client *cl, int n)
{
	while (n-- > 0)
		conn_free(cl->conns[--cl->n]);
}

void client_free(struct client *cl)
{
	client_drop(cl, cl->n);
	SSL_CTX_free(cl->tls);
	close(cl->epoll);
	free(cl->token);
	free(cl);
}

static void watch_for(struct conn *c, bool writing)
{
	struct epoll_event ev = {.events = EPOLLIN | (writing ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};

	epoll_ctl(c->client->epoll, EPOLL_CTL_MOD, c->fd, &ev);
	c->sending = writing;
}

struct conn *client_connect(struct client *cl, void *owner)
{
	struct conn *c = sw_calloc(1, sizeof(*c));
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)cl->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	c->client = cl;
	c->owner = owner;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c->ssl = SSL_new(cl->tls);
	sw_buf_init(&c->out, OUT_MAX);
	sw_buf_init(&c->head, HEAD_MAX);
	if (cl->n == CONNS_MAX || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		bench_die("client: cannot connect to port %d: %s", cl->port, strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	SSL_set_fd(c->ssl, c->fd);
	if (SSL_connect(c->ssl) != 1)
		bench_die("client: the TLS handshake failed");
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	epoll_ctl(cl->epoll, EPOLL_CTL_ADD, c->fd, &ev);
	cl->conns[cl->n++] = c;
	return c;
}

/* ---- sending ------------------------------------------------------------------------------- */

static void conn_send(struct conn *c)
{
	while (c->sent < c->out.len) {
		int n = SSL_write(c->ssl, c->out.at + c->sent, (int)(c->out.len - c->sent));

		if (n > 0) {
			c->sent += (size_t)n;
			continue;
		}
		if (SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_WRITE && !c->sending)
			watch_for(c, true);
		return;
	}
	if (c->sending)
		watch_for(c, false);
}

void conn_request(struct conn *c, const char *method, const char *path, const char *body, size_t len,
		  conn_body_fn *on_body, conn_done_fn *done)
{
	const char *type = !strcmp(method, "PATCH") ? "application/merge-patch+json" : "application/json";

	SW_REQUIRE(!c->busy);
	c->busy = true;
	c->in = IN_HEAD;
	c->status = 0;
	c->got = 0;
	c->body = on_body;
	c->done = done;
	c->began = bench_now();
	c->sent = 0;
	sw_buf_reset(&c->head);
	sw_buf_reset(&c->out);
	sw_buf_printf(&c->out,
		      "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nAccept: application/json\r\n",
		      method, path, c->client->token);
	if (body)
		sw_buf_printf(&c->out, "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", type, len);
	else
		sw_buf_puts(&c->out, "\r\n");
	if (body)
		sw_buf_put(&c->out, body, len);
	conn_send(c);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void reply_end(struct conn *c)
{
	c->busy = false;
	if (c->done)
		c->done(c, c->owner);
}

static void head_end(struct conn *c)
{
	const char *length = strcasestr(c->head.at, "\r\nContent-Length:");

	c->status = (int)strtol(c->head.at + strcspn(c->head.at, " "), NULL, 10);
	c->chunked = strcasestr(c->head.at, "\r\nTransfer-Encoding: chunked") != NULL;
	c->left = length ? strtoull(length + strlen("\r\nContent-Length:"), NULL, 10) : 0;
	c->in = c->chunked ? IN_CHUNK_SIZE : IN_LENGTH;
	sw_buf_reset(&c->head);
	if (!c->chunked && c->left == 0)
		reply_end(c);
}

/* Collects up to and with `end`; returns how much of the bytes it used. */
static size_t collect(struct conn *c, const char *at, size_t n, const char *end, bool *whole)
{
	for (size_t i = 0; i < n; i++) {
		const char *nl = memchr(at + i, '\n', n - i);
		size_t more = nl ? (size_t)(nl - (at + i)) + 1 : n - i, want = strlen(end);

		sw_buf_put(&c->head, at + i, more);
		if (!sw_buf_ok(&c->head))
			bench_die("client: a header over %d bytes", HEAD_MAX);
		i += more - 1;
		*whole = c->head.len >= want && !memcmp(c->head.at + c->head.len - want, end, want);
		if (*whole)
			return i + 1;
	}
	return n;
}

static size_t take_body(struct conn *c, const char *at, size_t n)
{
	if (n > c->left)
		n = (size_t)c->left;
	c->left -= n;
	c->got += n;
	if (c->body)
		c->body(c, c->owner, at, n);
	return n;
}

static void chunk_begin(struct conn *c)
{
	c->left = strtoull(c->head.at, NULL, 16);
	c->in = IN_CHUNK;
	if (c->left == 0)
		c->in = IN_LAST;
	sw_buf_reset(&c->head);
}

static void take(struct conn *c, const char *at, size_t n)
{
	while (n > 0 && c->busy) {
		bool whole = false;
		size_t used = 0;

		switch (c->in) {
		case IN_HEAD:
			used = collect(c, at, n, "\r\n\r\n", &whole);
			if (whole)
				head_end(c);
			break;
		case IN_LENGTH:
			used = take_body(c, at, n);
			if (c->left == 0)
				reply_end(c);
			break;
		case IN_CHUNK_SIZE:
			used = collect(c, at, n, "\r\n", &whole);
			if (whole)
				chunk_begin(c);
			break;
		case IN_CHUNK:
			used = take_body(c, at, n);
			if (c->left == 0)
				c->in = IN_CHUNK_END;
			break;
		case IN_CHUNK_END:
			used = collect(c, at, n, "\r\n", &whole);
			if (whole) {
				c->in = IN_CHUNK_SIZE;
				sw_buf_reset(&c->head);
			}
			break;
		case IN_LAST:
			used = collect(c, at, n, "\r\n", &whole);
			if (whole)
				reply_end(c);
		}
		at += used;
		n -= used;
	}
}

static void conn_receive(struct conn *c)
{
	for (int i = 0; i < 16; i++) { /* others want their turn too */
		int n = SSL_read(c->ssl, c->client->bytes, READ_SIZE);

		if (n > 0) {
			take(c, c->client->bytes, (size_t)n);
			continue;
		}
		if (SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ)
			return;
		if (c->busy) {
			c->status = 0;
			reply_end(c);
		}
		epoll_ctl(c->client->epoll, EPOLL_CTL_DEL, c->fd, NULL);
		return;
	}
}

void client_turn(struct client *cl, int timeout_ms)
{
	struct epoll_event ev[64];
	int n = epoll_wait(cl->epoll, ev, 64, timeout_ms);

	for (int i = 0; i < n; i++) {
		struct conn *c = ev[i].data.ptr;

		if (ev[i].events & EPOLLOUT)
			conn_send(c);
		if (ev[i].events & ~(uint32_t)EPOLLOUT)
			conn_receive(c);
	}
}

static void keep(struct conn *c, void *owner, const char *bytes, size_t n)
{
	(void)c;
	sw_buf_put(owner, bytes, n);
}

int client_once(struct client *cl, const char *method, const char *path, const char *body, struct sw_buf *reply)
{
	struct conn *c = client_connect(cl, reply);
	double end = bench_now() + 60;
	int status;

	conn_request(c, method, path, body, body ? strlen(body) : 0, reply ? keep : NULL, NULL);
	while (c->busy && bench_now() < end)
		client_turn(cl, 100);
	status = c->busy ? 0 : c->status;
	client_drop(cl, 1);
	return status;
}
