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
 * Errors are about transport only (NET, TIMEOUT, TOOBIG, NOMEM): any HTTP status
 * is an SW_OK reply here; kube.h maps statuses.
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
	const char *ca_pem;              /* NULL: the system's CAs */
	const char *cert_pem, *key_pem;  /* client certificate, or NULL */
	const char *server_name;         /* SNI and name to verify instead of the URL's host, or NULL */
	bool insecure;                   /* no verification; only because somebody said so */
};

struct sw_reply {
	long status;
	const char *body; /* NUL-terminated */
	size_t len;
	const char *content_type;  /* "" if none */
	const char *warning;       /* first Warning header's text, or NULL */
	int64_t retry_after_ms;    /* -1 if the header is absent */
};
typedef void sw_done_fn(void *owner, struct sw_err err, const struct sw_reply *reply);

/* For streams: bytes as they come, from the loop with curl off the stack. Cancelling inside is fine. */
typedef void sw_chunk_fn(void *owner, const char *bytes, size_t n);

struct sw_request {
	const char *method, *url;
	const char *body;               /* NULL: none. Copied. */
	size_t body_len;
	const char *const *headers;     /* "Name: value", NULL-terminated array, or NULL. Copied. */
	const struct sw_tls *tls;       /* NULL for http: URLs */
	const char *proxy_url;          /* NULL: none (environment is not read) */
	long connect_timeout_ms;        /* 0: 10 s */
	long timeout_ms;                /* whole call; 0: none (streams) */
	long silence_ms;                /* streams: TIMEOUT after this long without a byte; 0: never */
	size_t max_reply;               /* bytes of body kept; over it: TOOBIG */
	sw_chunk_fn *on_chunk;          /* a stream: 2xx bodies go here, others are collected */
	bool own_connection;            /* a watch: do not share, so that a slow reader starves nobody */
};

__attribute__((warn_unused_result)) struct sw_err sw_http_new(struct sw_loop *loop, struct sw_http **out);
void sw_http_free(struct sw_http *http); /* cancels every call; NULL is fine */

__attribute__((warn_unused_result))
struct sw_err sw_http_start(struct sw_http *http, const struct sw_request *req, sw_done_fn *done, void *owner,
                            struct sw_call **out);
void sw_http_cancel(struct sw_call *call); /* NULL is fine */
/* Drops idle connections, so that new credentials or addresses are used from now on. */
void sw_http_forget_connections(struct sw_http *http);

#endif
