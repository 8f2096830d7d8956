/* SPDX-License-Identifier: Apache-2.0 */
/* test_http.c - the HTTP client against a scripted server: contract, faults, limits, reuse */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>
#include "../../support/fakehttp.h"
#include "spillway/http.h"
#include "spillway/text.h"

struct run {
	struct sw_loop *loop;
	struct fake_http *f;
	struct sw_http *http;
	struct sw_call *call;
	int done_count, headers_count;
	bool done;
	struct sw_err err;
	long status, headers_status;
	int64_t retry_after;
	char body[256], warning[64], type[64];
	char stream[4096];
	size_t stream_len;
	bool cancel_in_chunk, free_in_done;
};

static struct run *begin(void)
{
	struct run *r = sw_calloc(1, sizeof *r);

	cr_assert_not(sw_failed(sw_loop_new(&r->loop)));
	cr_assert_not(sw_failed(sw_http_new(r->loop, &r->http)));
	r->f = fake_http_new(r->loop, NULL);
	return r;
}

/* In the body of each test: Criterion ignores what fails later. sw_loop_free() aborts if a handle leaks. */
static void end(struct run *r)
{
	cr_assert_eq(fake_surprises(r->f), 0, "%s", fake_surprise(r->f));
	sw_http_free(r->http);
	fake_http_free(r->f);
	sw_loop_free(r->loop);
	free(r);
}

static void on_done(void *owner, struct sw_err e, const struct sw_reply *reply)
{
	struct run *r = owner;

	r->done_count++;
	r->done = true;
	r->err = e;
	r->status = reply->status;
	r->retry_after = reply->retry_after_ms;
	snprintf(r->body, sizeof r->body, "%.*s", (int)reply->len, reply->body);
	snprintf(r->warning, sizeof r->warning, "%s", reply->warning ? reply->warning : "");
	snprintf(r->type, sizeof r->type, "%s", reply->content_type);
	cr_assert_eq(reply->body[reply->len], '\0');
	sw_http_cancel(r->call); /* must be harmless here */
	r->call = NULL;
	if (r->free_in_done) {
		sw_http_free(r->http);
		r->http = NULL;
	}
}

static void on_chunk(void *owner, const char *bytes, size_t n)
{
	struct run *r = owner;

	cr_assert_lt(r->stream_len + n, sizeof r->stream);
	memcpy(r->stream + r->stream_len, bytes, n);
	r->stream_len += n;
	r->stream[r->stream_len] = '\0';
	if (r->cancel_in_chunk) {
		sw_http_cancel(r->call);
		r->call = NULL;
	}
}

static void on_headers(void *owner, long status)
{
	struct run *r = owner;

	r->headers_count++;
	r->headers_status = status;
}

static void start(struct run *r, struct sw_request *q, const char *path)
{
	char *url = sw_asprintf("%s%s", fake_url(r->f), path);
	int before = r->done_count;

	q->url = url;
	if (!q->method)
		q->method = "GET";
	r->done = false;
	struct sw_err e = sw_http_start(r->http, q, on_done, r, &r->call);
	cr_assert_not(sw_failed(e), "%s", e.text);
	cr_assert_eq(r->done_count, before, "done must not run inside start");
	free(url);
}

static void get(struct run *r, const char *path)
{
	struct sw_request q = {.timeout_ms = 5000};

	start(r, &q, path);
	cr_assert(sw_loop_until(r->loop, &r->done, 6000), "no answer to %s", path);
}

static void turns(struct run *r, int n)
{
	bool never = false;

	sw_loop_until(r->loop, &never, (uint64_t)n);
}

TestSuite(http, .timeout = 30);

Test(http, done_runs_once_with_status_headers_and_body)
{
	struct run *r = begin();

	fake_reply(r->f, "GET /a", 200, "Retry-After: 7\r\nWarning: 299 - \"use \\\"b\\\" instead\"\r\n", "{\"x\":1}");
	get(r, "/a");
	turns(r, 20);
	cr_assert_eq(r->done_count, 1);
	cr_assert_not(sw_failed(r->err), "%s", r->err.text);
	cr_assert_eq(r->status, 200);
	cr_assert_str_eq(r->body, "{\"x\":1}");
	cr_assert_eq(r->retry_after, 7000);
	cr_assert_str_eq(r->warning, "use \"b\" instead");
	cr_assert_str_eq(r->type, "application/json");
	end(r);
}

Test(http, absent_headers_are_told_apart_from_zero)
{
	struct run *r = begin();

	fake_reply(r->f, "GET /a", 200, "", "");
	fake_reply(r->f, "GET /b", 429, "Retry-After: 0\r\n", "");
	fake_reply(r->f, "GET /c", 503, "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", "");
	fake_reply(r->f, "GET /d", 503, "Retry-After: soon\r\n", "");
	get(r, "/a");
	cr_assert_eq(r->retry_after, -1);
	cr_assert_str_eq(r->warning, "");
	get(r, "/b");
	cr_assert_eq(r->retry_after, 0);
	get(r, "/c");
	cr_assert_eq(r->retry_after, 0, "a date in the past means now");
	get(r, "/d");
	cr_assert_eq(r->retry_after, -1);
	end(r);
}

Test(http, any_status_is_an_answer_and_redirects_are_not_followed)
{
	static const int statuses[] = {201, 204, 302, 400, 404, 410, 500, 503};
	struct run *r = begin();

	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		fake_reply(r->f, "GET /s", statuses[i], "Location: http://127.0.0.1:1/elsewhere\r\n", "");
		get(r, "/s");
		cr_assert_not(sw_failed(r->err), "%s", r->err.text);
		cr_assert_eq(r->status, statuses[i]);
	}
	end(r);
}

Test(http, method_headers_and_body_travel_as_given)
{
	static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
	static const char *const headers[] = {"Content-Type: application/merge-patch+json", "X-One: 1", NULL};
	struct run *r = begin();
	char value[256];

	for (size_t i = 0; i < 4; i++) {
		struct sw_request q = {.method = methods[i],
				       .body = "{\"a\":\"b\"}",
				       .body_len = 9,
				       .headers = headers,
				       .timeout_ms = 5000};
		char *expect = sw_asprintf("%s /m?x=%%20y", methods[i]);
		fake_reply(r->f, expect, 200, "", "ok");
		start(r, &q, "/m?x=%20y");
		cr_assert(sw_loop_until(r->loop, &r->done, 5000));
		cr_assert_not(sw_failed(r->err), "%s", r->err.text);
		cr_assert_str_eq(fake_seen(r->f, i)->body, "{\"a\":\"b\"}");
		cr_assert_str_eq(fake_header(r->f, i, "Content-Type", value), "application/merge-patch+json");
		cr_assert_str_eq(fake_header(r->f, i, "X-One", value), "1");
		cr_assert_str_eq(fake_header(r->f, i, "Expect", value), "");
		free(expect);
	}
	end(r);
}

Test(http, a_large_body_is_sent_whole_without_waiting_for_100)
{
	struct run *r = begin();
	size_t n = 3 << 20;
	char *big = sw_calloc(1, n + 1);
	struct sw_request q = {.method = "POST", .body = big, .body_len = n, .timeout_ms = 10000};

	memset(big, 'x', n);
	fake_reply(r->f, "POST /big", 200, "", "");
	start(r, &q, "/big");
	cr_assert(sw_loop_until(r->loop, &r->done, 10000));
	cr_assert_eq(r->status, 200, "%s", r->err.text);
	cr_assert_eq(strlen(fake_seen(r->f, 0)->body), n);
	free(big);
	end(r);
}

Test(http, connections_are_reused)
{
	struct run *r = begin();

	fake_reply(r->f, "GET /", 200, "", "ok")->repeat = true;
	for (int i = 0; i < 20; i++)
		get(r, "/again");
	cr_assert_eq(fake_count(r->f), 20);
	cr_assert_eq(fake_accepted(r->f), 1);
	sw_http_forget_connections(r->http);
	get(r, "/new");
	cr_assert_eq(fake_accepted(r->f), 2, "forgotten connections are not used again");
	end(r);
}

static void count_done(void *owner, struct sw_err err, const struct sw_reply *reply)
{
	cr_assert_not(sw_failed(err), "%s", err.text);
	cr_assert_eq(reply->status, 200);
	++*(int *)owner;
}

Test(http, a_crowd_of_requests_takes_few_connections_and_all_are_answered)
{
	struct run *r = begin();
	char *url = sw_asprintf("%s/slow", fake_url(r->f));
	struct sw_request q = {.method = "GET", .url = url, .timeout_ms = 10000};
	struct sw_call *calls[30];
	struct fake_step *slow = fake_reply(r->f, "GET /slow", 200, "", "ok");
	int done = 0;

	slow->repeat = true;
	slow->delay_ms = 20;
	for (int i = 0; i < 30; i++)
		cr_assert_not(sw_failed(sw_http_start(r->http, &q, count_done, &done, &calls[i])));
	for (int i = 0; i < 500 && done < 30; i++)
		turns(r, 20);
	cr_assert_eq(done, 30);
	cr_assert_leq(fake_accepted(r->f), 8);
	free(url);
	end(r);
}

Test(http, a_call_under_way_survives_forgetting_connections)
{
	struct run *r = begin();
	struct sw_request q = {.timeout_ms = 5000};

	fake_reply(r->f, "GET /slow", 200, "", "late")->delay_ms = 30;
	start(r, &q, "/slow");
	cr_assert(fake_wait(r->f, 1));
	sw_http_forget_connections(r->http);
	cr_assert(sw_loop_until(r->loop, &r->done, 5000));
	cr_assert_str_eq(r->body, "late");
	end(r);
}

Test(http, a_connection_closed_while_idle_is_replaced_silently)
{
	struct run *r = begin();

	fake_reply(r->f, "GET /a", 200, "", "1")->then = FAKE_CLOSE;
	fake_reply(r->f, "GET /b", 200, "", "2");
	get(r, "/a");
	turns(r, 20);
	get(r, "/b");
	cr_assert_str_eq(r->body, "2", "%s", r->err.text);
	end(r);
}

struct fault {
	const char *name, *bytes;
	enum fake_then then;
	size_t split;
	enum sw_code code;
	const char *says, *body;
};

static const struct fault faults[] = {
	{"split everywhere", "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"a\":\"b\\\"\"}", FAKE_KEEP, 1, SW_E_OK,
	 "", "{\"a\":\"b\\\"\"}"},
	{"chunks split in a value",
	 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n5\r\n\":12}\r\n0\r\n\r\n", FAKE_KEEP, 3,
	 SW_E_OK, "", "{\"a\":12}"},
	{"truncated by length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":", FAKE_CLOSE, 0, SW_E_NET,
	 "cut short", ""},
	{"truncated chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{\"a\":", FAKE_CLOSE, 0,
	 SW_E_NET, "", ""},
	{"reset in the body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":", FAKE_RESET, 0, SW_E_NET, "", ""},
	{"closed without an answer", "", FAKE_CLOSE, 0, SW_E_NET, "without an answer", ""},
	{"closed in the headers", "HTTP/1.1 200 OK\r\nConte", FAKE_CLOSE, 0, SW_E_NET, "", ""},
	{"not HTTP", "220 mail.example.org ESMTP\r\n", FAKE_CLOSE, 0, SW_E_NET, "", ""},
	{"bad chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello", FAKE_CLOSE, 0, SW_E_NET,
	 "", ""},
	{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", FAKE_CLOSE, 0, SW_E_NET, "", ""},
	{"over the limit, announced", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", FAKE_KEEP, 0, SW_E_TOOBIG,
	 "over the limit of 200 bytes", ""},
};

ParameterizedTestParameters(http, faults_are_told_once_and_in_words)
{
	static int index[sizeof faults / sizeof *faults];

	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, sizeof faults / sizeof *faults);
}

ParameterizedTest(int *index, http, faults_are_told_once_and_in_words)
{
	const struct fault *t = &faults[*index];
	struct run *r = begin();
	struct sw_request q = {.timeout_ms = 5000, .max_reply = 200};
	struct fake_step *s = fake_raw(r->f, "GET /", t->bytes);

	s->then = t->then;
	s->split = t->split;
	start(r, &q, "/x");
	cr_assert(sw_loop_until(r->loop, &r->done, 6000), "%s: no end", t->name);
	turns(r, 10);
	cr_assert_eq(r->done_count, 1, "%s", t->name);
	cr_assert_eq(r->err.code, t->code, "%s: %s %s", t->name, sw_code_name(r->err.code), r->err.text);
	cr_assert(strstr(r->err.text, t->says), "%s: %s", t->name, r->err.text);
	cr_assert_str_eq(r->body, t->body, "%s", t->name);
	if (t->code != SW_E_OK)
		cr_assert(strstr(r->err.text, "GET http://127.0.0.1:"), "%s: %s", t->name, r->err.text);
	end(r);
}

Test(http, a_chunked_body_over_the_limit_is_refused_on_the_way)
{
	struct run *r = begin();
	struct sw_request q = {.timeout_ms = 5000, .max_reply = 10};

	fake_stream(r->f, "GET /", "0123456789a");
	start(r, &q, "/x");
	cr_assert(sw_loop_until(r->loop, &r->done, 5000));
	cr_assert_eq(r->err.code, SW_E_TOOBIG, "%s", r->err.text);
	end(r);
}

Test(http, a_server_that_hangs_is_a_timeout)
{
	struct run *r = begin();
	struct sw_request q = {.timeout_ms = 50};

	fake_hang(r->f, "GET /");
	start(r, &q, "/x");
	cr_assert(sw_loop_until(r->loop, &r->done, 5000));
	cr_assert_eq(r->err.code, SW_E_TIMEOUT, "%s", r->err.text);
	end(r);
}

Test(http, nobody_listening_is_said_with_the_address)
{
	struct run *r = begin();
	struct sw_request q = {.method = "GET", .url = "http://127.0.0.1:1/x?token=secret", .timeout_ms = 5000};

	cr_assert_not(sw_failed(sw_http_start(r->http, &q, on_done, r, &r->call)));
	cr_assert(sw_loop_until(r->loop, &r->done, 5000));
	cr_assert_eq(r->err.code, SW_E_NET);
	cr_assert(strstr(r->err.text, "127.0.0.1"), "%s", r->err.text);
	cr_assert_not(strstr(r->err.text, "secret"), "queries stay out of messages: %s", r->err.text);
	end(r);
}

Test(http, bad_requests_are_refused_at_the_start)
{
	static const char *const urls[] = {"", "ftp://127.0.0.1/x", "file:///etc/passwd", "127.0.0.1:80"};
	static const char *const headers[] = {"X-Evil: 1\r\nX-More: 2", NULL};
	struct run *r = begin();
	struct sw_request q = {.method = "GET"};

	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		q.url = urls[i];
		cr_assert_eq(sw_http_start(r->http, &q, on_done, r, &r->call).code, SW_E_INVALID, "%s", urls[i]);
		cr_assert_null(r->call);
	}
	q.url = fake_url(r->f);
	q.headers = headers;
	cr_assert_eq(sw_http_start(r->http, &q, on_done, r, &r->call).code, SW_E_INVALID);
	end(r);
}

Test(http, cancel_is_silent_and_final)
{
	struct run *r = begin();
	struct sw_request q = {.timeout_ms = 5000};

	fake_hang(r->f, "GET /");
	start(r, &q, "/x");
	cr_assert(fake_wait(r->f, 1));
	sw_http_cancel(r->call);
	turns(r, 20);
	cr_assert_eq(r->done_count, 0);
	end(r);
}

Test(http, free_with_calls_in_flight_is_silent)
{
	struct run *r = begin();
	struct sw_request q = {.timeout_ms = 5000};

	fake_hang(r->f, "GET /")->repeat = true;
	for (int i = 0; i < 5; i++)
		start(r, &q, "/x");
	cr_assert(fake_wait(r->f, 1));
	sw_http_free(r->http);
	r->http = NULL;
	turns(r, 20);
	cr_assert_eq(r->done_count, 0);
	end(r);
}

Test(http, free_inside_done_ends_everything)
{
	struct run *r = begin();
	struct sw_request q = {.timeout_ms = 5000};

	r->free_in_done = true;
	fake_reply(r->f, "GET /", 200, "", "ok")->repeat = true;
	for (int i = 0; i < 5; i++)
		start(r, &q, "/x");
	cr_assert(sw_loop_until(r->loop, &r->done, 5000));
	turns(r, 20);
	cr_assert_eq(r->done_count, 1);
	end(r);
}

/* ---- streams ------------------------------------------------------------------- */

static void stream(struct run *r, const char *path, long silence_ms)
{
	struct sw_request q = {
		.on_chunk = on_chunk, .on_headers = on_headers, .own_connection = true, .silence_ms = silence_ms};

	start(r, &q, path);
}

static bool has_text(struct run *r, const char *text)
{
	for (int i = 0; i < 500 && strcmp(r->stream, text) != 0; i++)
		turns(r, 5);
	return strcmp(r->stream, text) == 0;
}

Test(http, a_stream_tells_headers_then_bytes_then_its_end)
{
	struct run *r = begin();

	fake_stream(r->f, "GET /w", "");
	stream(r, "/w", 0);
	for (int i = 0; i < 500 && !r->headers_count; i++)
		turns(r, 5);
	cr_assert_eq(r->headers_count, 1, "headers come before the first byte");
	cr_assert_eq(r->headers_status, 200);
	fake_chunk(r->f, 0, "one");
	cr_assert(has_text(r, "one"));
	fake_chunk(r->f, 0, "two");
	cr_assert(has_text(r, "onetwo"));
	cr_assert_not(r->done);
	fake_finish(r->f, 0);
	cr_assert(sw_loop_until(r->loop, &r->done, 5000));
	cr_assert_not(sw_failed(r->err), "%s", r->err.text);
	cr_assert_eq(r->headers_count, 1);
	cr_assert_str_eq(r->body, "");
	end(r);
}

Test(http, a_stream_that_is_refused_is_collected)
{
	struct run *r = begin();

	fake_reply(r->f, "GET /w", 410, "", "{\"code\":410}");
	stream(r, "/w", 0);
	cr_assert(sw_loop_until(r->loop, &r->done, 5000));
	cr_assert_eq(r->status, 410);
	cr_assert_str_eq(r->body, "{\"code\":410}");
	cr_assert_eq(r->stream_len, 0);
	end(r);
}

Test(http, a_stream_cut_off_delivers_what_came_and_an_error)
{
	struct run *r = begin();

	fake_stream(r->f, "GET /w", "half")->then = FAKE_CLOSE;
	stream(r, "/w", 0);
	cr_assert(sw_loop_until(r->loop, &r->done, 5000));
	cr_assert_eq(r->err.code, SW_E_NET, "%s", r->err.text);
	cr_assert_str_eq(r->stream, "half");
	end(r);
}

Test(http, a_stream_has_a_connection_of_its_own)
{
	struct run *r = begin();
	struct sw_call *watch;

	fake_reply(r->f, "GET /a", 200, "", "");
	fake_stream(r->f, "GET /w", "x");
	fake_reply(r->f, "GET /b", 200, "", "b");
	get(r, "/a");
	stream(r, "/w", 0);
	watch = r->call;
	cr_assert(has_text(r, "x"));
	get(r, "/b");
	cr_assert_str_eq(r->body, "b");
	cr_assert_neq(fake_seen(r->f, 1)->conn, fake_seen(r->f, 0)->conn);
	cr_assert_eq(fake_seen(r->f, 2)->conn, fake_seen(r->f, 0)->conn);
	sw_http_cancel(watch);
	end(r);
}

Test(http, silence_by_the_loops_clock_ends_a_stream)
{
	struct run *r = begin();

	sw_loop_fake(r->loop, 1000, 1700000000000);
	fake_stream(r->f, "GET /w", "x");
	stream(r, "/w", 90000);
	cr_assert(has_text(r, "x"));
	sw_loop_advance(r->loop, 89000);
	turns(r, 10);
	fake_chunk(r->f, 0, "y");
	cr_assert(has_text(r, "xy"));
	sw_loop_advance(r->loop, 89000);
	turns(r, 10);
	cr_assert_eq(r->done_count, 0, "a byte starts the silence anew");
	sw_loop_advance(r->loop, 1001);
	cr_assert(sw_loop_until(r->loop, &r->done, 1000));
	cr_assert_eq(r->err.code, SW_E_TIMEOUT);
	cr_assert(strstr(r->err.text, "silent for 90000 ms"), "%s", r->err.text);
	end(r);
}

Test(http, a_stream_can_be_cancelled_inside_its_chunk)
{
	struct run *r = begin();

	r->cancel_in_chunk = true;
	fake_stream(r->f, "GET /w", "x");
	stream(r, "/w", 0);
	cr_assert(has_text(r, "x"));
	turns(r, 20);
	cr_assert_eq(r->done_count, 0);
	end(r);
}

Test(http, a_paused_stream_waits_and_goes_on)
{
	struct run *r = begin();

	fake_stream(r->f, "GET /w", "a");
	stream(r, "/w", 0);
	cr_assert(has_text(r, "a"));
	sw_http_pause(r->call, true);
	fake_chunk(r->f, 0, "b");
	fake_chunk(r->f, 0, "c");
	turns(r, 50);
	cr_assert_str_eq(r->stream, "a", "nothing comes while paused");
	sw_http_pause(r->call, false);
	cr_assert(has_text(r, "abc"));
	fake_finish(r->f, 0);
	cr_assert(sw_loop_until(r->loop, &r->done, 5000));
	cr_assert_not(sw_failed(r->err), "%s", r->err.text);
	end(r);
}

/* ---- proxies --------------------------------------------------------------------- */

Test(http, the_environments_proxy_is_not_used)
{
	struct run *r = begin();

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	fake_reply(r->f, "GET /direct", 200, "", "ok");
	get(r, "/direct");
	cr_assert_str_eq(r->body, "ok", "%s", r->err.text);
	end(r);
}

Test(http, a_proxy_that_was_given_is_used)
{
	struct run *r = begin();
	struct sw_request q = {.method = "GET",
			       .url = "http://spillway.invalid:81/p",
			       .proxy_url = fake_url(r->f),
			       .timeout_ms = 5000};

	setenv("no_proxy", "*", 1);
	fake_reply(r->f, "GET http://spillway.invalid:81/p", 200, "", "via");
	cr_assert_not(sw_failed(sw_http_start(r->http, &q, on_done, r, &r->call)));
	cr_assert(sw_loop_until(r->loop, &r->done, 5000));
	cr_assert_str_eq(r->body, "via", "%s", r->err.text);
	end(r);
}
