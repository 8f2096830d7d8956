/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h - HTTP calls on the loop: libcurl multi, one struct sw_call per request
 *
 * The contract every asynchronous call in spillway keeps:
 *   1. done runs exactly once, or never if you cancel first;
 *   2. done never runs inside the function that starts the call;
 *   3. after sw_http_cancel() returns, your pointers are never used again;
 *   4. the reply is lent: it is gone when done returns.
 * The call frees itself after done. Set your pointer to it to NULL in done.
 *
 * Errors are about transport only (NET, TIMEOUT, TOOBIG, NOMEM; INVALID from start for a bad URL): any
 * HTTP status is an SW_OK reply here; kube.h maps statuses. Redirects are not followed.
 *
 * TLS is verified always (1.2 or newer), unless sw_tls.insecure. HTTP/2 is used where the server offers it.
 * Idle connections are kept and reused; a peer that stops acknowledging is given up after 30 s.
 */
#ifndef SPILLWAY_HTTP_H
#define SPILLWAY_HTTP_H

#include <stddef.h>
#include "spillway/err.h"
#include "spillway/loop.h"

struct sw_http; /* opaque: one per loop, owns the curl multi handle and its connection cache */
struct sw_call; /* opaque */

/* How to reach and trust one server. All strings lent until sw_http_start() returns.
 * PEM texts, not paths: files are read, and re-read, by whoever owns them. */
struct sw_tls {
	const char *ca_pem;             /* NULL: the system's CAs */
	const char *cert_pem, *key_pem; /* client certificate, or NULL */
	const char *server_name;        /* SNI and name to verify instead of the URL's host, or NULL */
	bool insecure;                  /* no verification; only because somebody said so */
};

struct sw_reply {
	long status;
	const char *body; /* NUL-terminated */
	size_t len;
	const char *content_type; /* "" if none */
	const char *warning;      /* first Warning header's text, or NULL */
	int64_t retry_after_ms;   /* -1 if the header is absent */
	int64_t date_ms;          /* the server's clock, to the second; 0 if it did not say */
};
typedef void sw_done_fn(void *owner, struct sw_err err, const struct sw_reply *reply);

/* For streams: bytes as they come, from the loop with curl off the stack. Cancelling inside is fine. */
typedef void sw_chunk_fn(void *owner, const char *bytes, size_t n);
/* For streams: the headers of the final answer are in, before the first chunk (which may come much later). */
typedef void sw_headers_fn(void *owner, long status);

struct sw_request {
	const char *method, *url;
	const char *body; /* NULL: none. Copied. */
	size_t body_len;
	const char *const *headers; /* "Name: value", NULL-terminated array, or NULL. Copied. */
	const struct sw_tls *tls;   /* NULL: the system's CAs for https: URLs */
	const char *proxy_url;      /* NULL: none (environment is not read) */
	long connect_timeout_ms;    /* 0: 10 s */
	long timeout_ms;            /* whole call; 0: none (streams) */
	long silence_ms;            /* streams: TIMEOUT after this long without a byte, by the loop's clock; 0: never */
	size_t max_reply;           /* bytes of body kept; over it: TOOBIG; 0: 1 MiB */
	sw_chunk_fn *on_chunk;      /* a stream: 2xx bodies go here, others are collected */
	sw_headers_fn *on_headers;  /* streams only; may be NULL */
	bool own_connection;        /* a watch: do not share, so that a slow reader starves nobody (and HTTP/1.1) */
};

__attribute__((warn_unused_result)) struct sw_err sw_http_new(struct sw_loop *loop, struct sw_http **out);
void sw_http_free(struct sw_http *http); /* cancels every call; NULL is fine */

__attribute__((warn_unused_result)) struct sw_err sw_http_start(struct sw_http *http, const struct sw_request *req,
								sw_done_fn *done, void *owner, struct sw_call **out);
void sw_http_cancel(struct sw_call *call); /* NULL is fine */
/* A stream with its own connection whose reader is behind: no more chunks until resumed. Silence is not
 * counted meanwhile. A chunk already buffered may still come. */
void sw_http_pause(struct sw_call *call, bool pause);
/* Requests started from now on use new connections, so that new credentials or addresses are used;
 * calls under way end on the old ones. */
void sw_http_forget_connections(struct sw_http *http);

#endif
