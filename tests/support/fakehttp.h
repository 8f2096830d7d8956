/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fakehttp.h - a scripted HTTP/1.1 server on the loop under test
 *
 * Answers are scripted in order; what was asked is recorded. Bytes are sent exactly as given, so every
 * fault is possible: cut, split anywhere, reset, silent, wrong.
 *
 *   struct fake_http *f = fake_http_new(loop, NULL);
 *   fake_reply(f, "GET /a", 200, "", "{}");
 *   fake_raw(f, "GET /b", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")->then = FAKE_CLOSE;
 *   ... run ...
 *   cr_assert_str_eq(fake_seen(f, 0)->line, "GET /a HTTP/1.1");
 *   cr_assert_eq(fake_surprises(f), 0);
 *   fake_http_free(f);
 *
 * A request that the script does not expect (or after its end) gets a 500 and is counted as a surprise.
 */
#ifndef TESTS_FAKEHTTP_H
#define TESTS_FAKEHTTP_H

#include "spillway/loop.h"

struct fake_http;

struct fake_tls {
	const char *cert, *key; /* PEM */
	const char *client_ca;  /* NULL: no client certificates asked for */
};

enum fake_then {
	FAKE_KEEP,  /* the connection stays for the next request, or for fake_chunk() */
	FAKE_CLOSE, /* a clean end of the connection */
	FAKE_RESET, /* RST */
};

struct fake_step {
	char *expect; /* "METHOD /path", compared with the beginning of the request line */
	char *send;
	size_t len;
	size_t split; /* > 0: in pieces of so many bytes, a few milliseconds apart */
	unsigned delay_ms;
	enum fake_then then;
	bool repeat; /* stays in the script: for every further request */
};

struct fake_seen {
	char *line; /* "GET /path HTTP/1.1" */
	char *head; /* header lines, with \r\n */
	char *body;
	unsigned conn; /* number of the connection, from 1 */
	bool is_open;  /* its connection is */
};

struct fake_http *fake_http_new(struct sw_loop *loop, const struct fake_tls *tls); /* aborts on failure */
void fake_http_free(struct fake_http *f);
int fake_port(const struct fake_http *f);
const char *fake_url(const struct fake_http *f); /* "https://127.0.0.1:PORT", lent */

/* Steps are lent for changes until the request comes. Texts are copied. headers: "Name: value\r\n"... */
struct fake_step *fake_raw(struct fake_http *f, const char *expect, const char *bytes);
struct fake_step *fake_reply(struct fake_http *f, const char *expect, int status, const char *headers,
			     const char *body);
struct fake_step *fake_hang(struct fake_http *f, const char *expect);
/* A chunked 200 that stays open; first may be "". */
struct fake_step *fake_stream(struct fake_http *f, const char *expect, const char *first);

size_t fake_count(const struct fake_http *f); /* requests seen */
const struct fake_seen *fake_seen(const struct fake_http *f, size_t i);
const char *fake_header(const struct fake_http *f, size_t i, const char *name, char buf[256]); /* "" if absent */
unsigned fake_accepted(const struct fake_http *f); /* connections, in total */
unsigned fake_surprises(const struct fake_http *f);
const char *fake_surprise(const struct fake_http *f); /* the first one's request line */
bool fake_wait(struct fake_http *f, size_t requests); /* runs the loop until so many were seen; false after 5 s */

/* On the connection of request i. */
void fake_chunk(struct fake_http *f, size_t i, const char *bytes); /* as one chunk */
void fake_bytes(struct fake_http *f, size_t i, const char *bytes); /* as they are */
void fake_finish(struct fake_http *f, size_t i);                   /* the last chunk */
void fake_hangup(struct fake_http *f, size_t i);                   /* closes */

#endif
