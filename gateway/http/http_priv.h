/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_priv.h - what the files of this room share
 *
 * A pool is one curl multi handle with its connection cache and its timer. One is for shared connections, one for
 * streams that want their own. sw_http_forget_connections() puts a new one in the place of the shared one, and the
 * old one goes when its last call has ended.
 */
#ifndef SPILLWAY_HTTP_PRIV_H
#define SPILLWAY_HTTP_PRIV_H

#include <curl/curl.h>
#include "spillway/buf.h"
#include "spillway/http.h"

enum {
	HTTP_POOL_CONNECTIONS = 1024, /* idle connections kept, over all servers */
	HTTP_HOST_CONNECTIONS = 8,    /* to one server, for requests: those that speak HTTP/1.1 need several */
	HTTP_PENDING_MAX = 1 << 20,   /* bytes of a stream held between two turns */
	HTTP_REPLY_DEFAULT = 1 << 20,
	HTTP_CONNECT_MS = 10 * 1000,
	HTTP_KEEPALIVE_S = 20,
	HTTP_UNACKED_MS = 30 * 1000, /* TCP_USER_TIMEOUT: a peer that acknowledges nothing is gone */
};

struct http_pool {
	struct sw_http *http; /* NULL once the http is gone: only close callbacks are due */
	struct http_pool *next;
	CURLM *multi;
	uv_timer_t timer;
	unsigned calls;
	int open_handles; /* libuv handles whose close callback is still due */
	bool closing;
};

struct sw_http {
	struct sw_loop *loop;
	struct http_pool *pools;            /* all of them */
	struct http_pool *shared;           /* the one that new calls use */
	struct http_pool *own;              /* for own_connection: a connection that speaks HTTP/1.1 makes curl stop
					     * multiplexing to that host, over the whole multi handle */
	struct sw_call *calls;              /* every call that has not been freed */
	struct sw_call *ready, **ready_end; /* streams with news for their owners */
	struct sw_timer *again;             /* the turn was long: the rest is handed out in the next */
	int entered;                        /* callbacks of owners may be on the stack */
	bool freed;
};

struct sw_call {
	struct sw_http *http;
	struct http_pool *pool;
	struct sw_call *next, **link;
	struct sw_call *ready_next;
	bool is_ready;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	sw_done_fn *done; /* NULL once completing or cancelled */
	sw_chunk_fn *on_chunk;
	sw_headers_fn *on_headers;
	void *owner;
	struct sw_buf body;    /* collected */
	struct sw_buf pending; /* of a stream, not delivered yet */
	struct sw_timer *silence;
	uint64_t last_byte;
	long silence_ms, timeout_ms;
	char *what; /* "GET https://host/path", for messages */
	bool busy;  /* an owner's callback runs on this call: free it afterwards */
	bool cancelled, too_big, headers_in, paused, held;
	char errbuf[CURL_ERROR_SIZE];
};

/* setup.c: everything about the easy handle */
__attribute__((warn_unused_result)) struct sw_err http_setup(struct sw_call *c, const struct sw_request *req);
/* explain.c: a transport failure in words */
__attribute__((warn_unused_result)) struct sw_err http_explain(struct sw_call *c, CURLcode rc);
void http_reply_fill(struct sw_call *c, struct sw_reply *r, char *warning, size_t warning_size);

/* http.c: curl's callbacks that end up in a call */
void http_call_news(struct sw_call *c);

#endif
