/* SPDX-License-Identifier: Apache-2.0 */
/* test_kube.c - requests to an API server: errors, order, window, pressure, credentials */
#include <unistd.h>
#include "../../support/json_of.h"
#include "kube_fixture.h"

enum { MAX_CALLS = 64 };

struct call {
	struct run *r;
	struct sw_kube_call *call;
	bool done;
	int told, order;
	struct sw_err err;
	long status;
	char body[128], reason[64], warning[64], name[64];
	bool has_object, free_kube;
};

struct run {
	struct fixture x;
	struct call calls[MAX_CALLS];
	int n, told;
	char stream[256];
};

static struct run *begin(const char *user, unsigned window)
{
	struct run *r = sw_calloc(1, sizeof *r);

	fixture_begin(&r->x, user, window);
	return r;
}

static void end(struct run *r)
{
	fixture_end(&r->x);
	free(r);
}

static void on_done(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct call *c = owner;

	c->told++;
	c->done = true;
	c->order = ++c->r->told;
	c->err = err;
	c->status = reply->status;
	snprintf(c->body, sizeof c->body, "%.*s", (int)reply->len, reply->body);
	snprintf(c->reason, sizeof c->reason, "%s", reply->reason);
	snprintf(c->warning, sizeof c->warning, "%s", reply->warning ? reply->warning : "");
	snprintf(c->name, sizeof c->name, "%s",
		 sw_json_str(reply->object, "metadata.name") ? sw_json_str(reply->object, "metadata.name") : "");
	c->has_object = reply->object;
	sw_kube_cancel(c->call); /* must be harmless here */
	c->call = NULL;
	if (c->free_kube) {
		sw_kube_free(c->r->x.kube);
		c->r->x.kube = NULL;
	}
}

static struct call *start(struct run *r, struct sw_kube_req q)
{
	struct call *c = &r->calls[r->n++];
	struct sw_err e;

	SW_REQUIRE(r->n <= MAX_CALLS);
	c->r = r;
	if (!q.method)
		q.method = "GET";
	e = sw_kube_start(r->x.kube, &q, on_done, c, &c->call);
	cr_assert_not(sw_failed(e), "%s", e.text);
	cr_assert_eq(c->told, 0, "done must not run inside start");
	return c;
}

static struct call *get(struct run *r, const char *path)
{
	struct call *c = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = path});

	cr_assert(sw_loop_until(r->x.loop, &c->done, 6000), "no answer to %s", path);
	return c;
}

TestSuite(kube, .timeout = 60);

/* ---- requests and answers ----------------------------------------------------------------- */

Test(kube, paths_and_queries_are_escaped)
{
	struct sw_buf b;

	sw_buf_init(&b, 4096);
	sw_kube_path(&b, "batch", "v1", "jobs", "ns", "a/b c", "status");
	sw_kube_query(&b, "fieldManager", "x&y");
	sw_kube_query(&b, "dryRun", "All");
	cr_assert_str_eq(b.at, "/apis/batch/v1/namespaces/ns/jobs/a%2Fb%20c/status?fieldManager=x%26y&dryRun=All");
	sw_buf_reset(&b);
	sw_kube_path(&b, "", "v1", "pods", NULL, NULL, NULL);
	cr_assert_str_eq(b.at, "/api/v1/pods");
	sw_buf_reset(&b);
	sw_kube_delete_options(&b, "Background", "u\"1");
	cr_assert_str_eq(b.at, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"Background\","
			       "\"preconditions\":{\"uid\":\"u\\\"1\"}}");
	sw_buf_fini(&b);
}

Test(kube, a_request_carries_who_what_and_how)
{
	struct run *r = begin("token: abc", 0);
	char h[256];

	fake_reply(r->x.f, "PATCH /apis/batch/v1/namespaces/n/jobs/j", 200, "Warning: 299 - \"deprecated\"\r\n",
		   "{\"metadata\":{\"name\":\"j\"}}");
	struct call *c = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS,
						       .method = "PATCH",
						       .path = "/apis/batch/v1/namespaces/n/jobs/j",
						       .content_type = SW_MERGE_PATCH,
						       .body = "{\"a\":1}",
						       .body_len = 7});
	cr_assert(sw_loop_until(r->x.loop, &c->done, 5000));
	cr_assert_not(sw_failed(c->err), "%s", c->err.text);
	cr_assert_str_eq(c->name, "j");
	cr_assert_str_eq(c->warning, "deprecated");
	cr_assert_str_eq(fake_header(r->x.f, 0, "Authorization", h), "Bearer abc");
	cr_assert_str_eq(fake_header(r->x.f, 0, "Content-Type", h), "application/merge-patch+json");
	cr_assert_str_eq(fake_header(r->x.f, 0, "Accept", h), "application/json");
	cr_assert(strncmp(fake_header(r->x.f, 0, "User-Agent", h), "spillway/", 9) == 0);
	cr_assert_str_eq(fake_seen(r->x.f, 0)->body, "{\"a\":1}");
	cr_assert_eq(sw_metric_get(sw_metric(r->x.metrics, SW_COUNTER, "spillway_kube_requests_total", "", ""), "east",
				   "status", "200"),
		     1);
	end(r);
}

#define STATUS(code, reason, message)                                                                                  \
	"{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":" #code ",\"reason\":\"" reason                          \
	"\",\"message\":\"" message "\"}"

Test(kube, statuses_become_errors_with_their_reason)
{
	struct {
		int status;
		const char *body;
		enum sw_code code;
		const char *reason, *says;
	} t[] = {
		{200, "{}", SW_E_OK, "", ""},
		{201, "plain text", SW_E_OK, "", ""},
		{404, STATUS(404, "NotFound", "jobs x not found"), SW_E_MISSING, "NotFound",
		 "cluster east: GET /x: HTTP 404 NotFound: jobs x not found"},
		{409, STATUS(409, "AlreadyExists", "there"), SW_E_EXISTS, "AlreadyExists", "there"},
		{409, STATUS(409, "Conflict", "modified"), SW_E_CONFLICT, "Conflict", "modified"},
		{410, STATUS(410, "Expired", "old"), SW_E_GONE, "Expired", "old"},
		{422, STATUS(422, "Invalid", "spec.x"), SW_E_INVALID, "Invalid", "spec.x"},
		{403, STATUS(403, "Forbidden", "no"), SW_E_FORBIDDEN, "Forbidden", "no"},
		{500, "", SW_E_BUSY, "", "HTTP 500"},
		{502, "<html>\n<body>bad gateway", SW_E_BUSY, "", "<html>"},
		{500, "{\"not\": json", SW_E_BUSY, "", "HTTP 500"},
		{500, "{\"message\":5,\"reason\":{}}", SW_E_BUSY, "", "HTTP 500"},
		{200, "{\"cut\": ", SW_E_INVALID, "", "reply"},
	};
	struct run *r = begin("", 0);

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		fake_reply(r->x.f, "GET /x", t[i].status, "", t[i].body);
		struct call *c = get(r, "/x?secret=1");
		cr_assert_eq(c->err.code, t[i].code, "%s: %s", t[i].body, c->err.text);
		cr_assert_eq(c->status, t[i].status);
		cr_assert_str_eq(c->reason, t[i].reason);
		cr_assert(strstr(c->err.text, t[i].says), "%s", c->err.text);
		cr_assert_not(strstr(c->err.text, "secret"));
		cr_assert_str_eq(c->body, t[i].body);
	}
	end(r);
}

Test(kube, a_raw_reply_is_not_parsed)
{
	struct run *r = begin("", 0);

	fake_reply(r->x.f, "GET /x", 200, "", "{\"metadata\":{}}");
	struct call *c = start(r, (struct sw_kube_req){.cls = SW_KUBE_LIST, .path = "/x", .raw = true});
	cr_assert(sw_loop_until(r->x.loop, &c->done, 5000));
	cr_assert_not(c->has_object);
	cr_assert_str_eq(c->body, "{\"metadata\":{}}");
	end(r);
}

Test(kube, a_broken_connection_is_an_unknown_outcome)
{
	struct run *r = begin("", 0);

	fake_raw(r->x.f, "POST /x", "HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\n{\"a\"")->then = FAKE_CLOSE;
	struct call *c =
		start(r, (struct sw_kube_req){
				 .cls = SW_KUBE_CREATE, .method = "POST", .path = "/x", .body = "{}", .body_len = 2});
	cr_assert(sw_loop_until(r->x.loop, &c->done, 5000));
	cr_assert_eq(c->err.code, SW_E_NET, "%s", c->err.text);
	cr_assert(strstr(c->err.text, "cluster east: POST "), "%s", c->err.text);
	cr_assert_eq(fake_count(r->x.f), 1, "never repeated by itself");
	end(r);
}

/* ---- order and window ------------------------------------------------------------------------ */

Test(kube, fence_goes_before_status_before_create_before_list)
{
	static const enum sw_kube_class order[] = {SW_KUBE_LIST,  SW_KUBE_CREATE, SW_KUBE_STATUS,
						   SW_KUBE_FENCE, SW_KUBE_LIST,   SW_KUBE_FENCE};
	static const char *const expect[] = {"GET /first", "GET /3", "GET /5", "GET /2", "GET /1", "GET /0", "GET /4"};
	struct run *r = begin("", 1);

	for (int i = 0; i < 7; i++)
		fake_reply(r->x.f, expect[i], 500, "", ""); /* failures: the window does not grow */
	start(r, (struct sw_kube_req){.cls = SW_KUBE_LIST, .path = "/first"});
	for (int i = 0; i < 6; i++) {
		char path[16];
		snprintf(path, sizeof path, "/%d", i);
		start(r, (struct sw_kube_req){.cls = order[i], .path = path});
	}
	cr_assert(sw_loop_until(r->x.loop, &r->calls[5].done, 5000));
	end(r);
}

/* Servers that answer nobody must not take the lease away. */
Test(kube, the_lease_waits_for_no_window)
{
	struct run *r = begin("", 1);

	fake_hang(r->x.f, "GET /stuck");
	fake_reply(r->x.f, "GET /lease", 200, "", "{}");
	start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/stuck"});
	start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/behind"});
	struct call *lease = start(r, (struct sw_kube_req){.cls = SW_KUBE_LEASE, .path = "/lease"});
	cr_assert(sw_loop_until(r->x.loop, &lease->done, 5000));
	cr_assert_not(sw_failed(lease->err), "%s", lease->err.text);
	cr_assert_eq(fake_count(r->x.f), 2, "what stands behind the window still does");
	end(r);
}

static double window(struct run *r)
{
	return sw_metric_get(sw_metric(r->x.metrics, SW_GAUGE, "spillway_kube_window", "", ""), "east");
}

static double in_flight(struct run *r)
{
	return sw_metric_get(sw_metric(r->x.metrics, SW_GAUGE, "spillway_kube_in_flight", "", ""), "east");
}

Test(kube, no_more_than_the_window_is_on_the_wire)
{
	struct run *r = begin("", 3);

	fake_hang(r->x.f, "GET /")->repeat = true;
	for (int i = 0; i < 10; i++)
		start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/x"});
	cr_assert(fake_wait(r->x.f, 3));
	turns(&r->x, 20);
	cr_assert_eq(fake_count(r->x.f), 3);
	cr_assert_eq(in_flight(r), 3);
	for (size_t i = 0; i < 10; i++) {
		cr_assert(fake_wait(r->x.f, i + 1));
		fake_bytes(r->x.f, i, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	}
	for (int i = 0; i < 10; i++)
		cr_assert(sw_loop_until(r->x.loop, &r->calls[i].done, 5000));
	cr_assert_eq(in_flight(r), 0);
	cr_assert(window(r) == 4 || window(r) == 5, "about one more per window of successes: %g", window(r));
	end(r);
}

Test(kube, new_connections_are_opened_a_few_at_a_time)
{
	struct run *r = begin("", 32);
	struct call *calls[12];

	fake_hang(r->x.f, "GET /")->repeat = true;
	for (int i = 0; i < 12; i++)
		calls[i] = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/x"});
	cr_assert(fake_wait(r->x.f, 4));
	turns(&r->x, 20);
	cr_assert_eq(fake_count(r->x.f), 4);
	fake_bytes(r->x.f, 0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	cr_assert(fake_wait(r->x.f, 6), "its place is free, and one more is allowed");
	turns(&r->x, 20);
	cr_assert_eq(fake_count(r->x.f), 6);
	for (size_t i = 1; i < 12; i++) {
		cr_assert(fake_wait(r->x.f, i + 1));
		fake_bytes(r->x.f, i, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	}
	for (int i = 0; i < 12; i++)
		cr_assert(sw_loop_until(r->x.loop, &calls[i]->done, 5000));
	end(r);
}

Test(kube, the_window_does_not_grow_while_it_does_not_limit)
{
	struct run *r = begin("", 3);

	fake_reply(r->x.f, "GET /", 200, "", "{}")->repeat = true;
	for (int i = 0; i < 20; i++)
		get(r, "/x");
	cr_assert_eq(window(r), 3);
	end(r);
}

Test(kube, one_refusal_halves_the_window_however_many_come_together)
{
	struct run *r = begin("", 8);

	for (int i = 0; i < 8; i++) {
		fake_reply(r->x.f, "GET /", 200, "", "{}"); /* the connections are warm */
		get(r, "/warm");
	}
	for (int i = 0; i < 8; i++)
		fake_reply(r->x.f, "GET /", 503, "", "")->delay_ms = 20;
	struct call *calls[8];
	for (int i = 0; i < 8; i++)
		calls[i] = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/x"});
	for (int i = 0; i < 8; i++)
		cr_assert(sw_loop_until(r->x.loop, &calls[i]->done, 5000));
	cr_assert_eq(window(r), 4);
	cr_assert_eq(calls[0]->err.code, SW_E_BUSY, "503 is not retried here");
	fake_reply(r->x.f, "GET /", 503, "", "");
	get(r, "/x");
	cr_assert_eq(window(r), 2);
	fake_reply(r->x.f, "GET /", 503, "", "")->repeat = true;
	for (int i = 0; i < 5; i++)
		get(r, "/x");
	cr_assert_eq(window(r), 1, "never below one");
	end(r);
}

Test(kube, retry_after_holds_everybody_and_the_refused_call_comes_again)
{
	struct run *r = begin("", 0);

	fake_reply(r->x.f, "GET /a", 429, "Retry-After: 5\r\n", STATUS(429, "TooManyRequests", "slow down"));
	fake_reply(r->x.f, "GET /b", 200, "", "{}"); /* /b is fence */
	fake_reply(r->x.f, "GET /a", 200, "", "{}");
	struct call *a = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/a"});
	cr_assert(fake_wait(r->x.f, 1));
	for (int i = 0; i < 500 && window(r) > 16; i++)
		turns(&r->x, 2);
	struct call *b = start(r, (struct sw_kube_req){.cls = SW_KUBE_FENCE, .path = "/b"});
	turns(&r->x, 20);
	cr_assert_eq(fake_count(r->x.f), 1, "nobody sends before the time");
	sw_loop_advance(r->x.loop, 4999);
	turns(&r->x, 10);
	cr_assert_eq(fake_count(r->x.f), 1);
	sw_loop_advance(r->x.loop, 1);
	cr_assert(sw_loop_until(r->x.loop, &a->done, 5000));
	cr_assert(sw_loop_until(r->x.loop, &b->done, 5000));
	cr_assert_not(sw_failed(a->err), "%s", a->err.text);
	end(r);
}

Test(kube, a_call_is_refused_three_times_and_then_told)
{
	struct run *r = begin("", 0);

	fake_reply(r->x.f, "GET /a", 429, "Retry-After: 1\r\n", "")->repeat = true;
	struct call *a = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/a"});
	for (size_t i = 1; i <= 4; i++) {
		cr_assert(fake_wait(r->x.f, i));
		turns(&r->x, 10);
		sw_loop_advance(r->x.loop, 1000);
	}
	cr_assert(sw_loop_until(r->x.loop, &a->done, 5000));
	cr_assert_eq(a->err.code, SW_E_BUSY);
	cr_assert_eq(fake_count(r->x.f), 4);
	end(r);
}

Test(kube, a_call_that_cannot_wait_so_long_is_told_at_once)
{
	struct run *r = begin("", 0);

	fake_reply(r->x.f, "GET /a", 429, "Retry-After: 100\r\n", "");
	struct call *a = get(r, "/a");
	cr_assert_eq(a->err.code, SW_E_BUSY, "%s", a->err.text);
	struct call *b = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/b"});
	sw_loop_advance(r->x.loop, 30000);
	cr_assert(b->done, "its time ran out in the queue");
	cr_assert_eq(b->err.code, SW_E_TIMEOUT);
	cr_assert(strstr(b->err.text, "nothing was sent"), "%s", b->err.text);
	end(r);
}

Test(kube, a_disruption_budget_is_an_answer_not_pressure)
{
	struct run *r = begin("", 8);

	fake_reply(r->x.f, "POST /api/v1/namespaces/n/pods/p/eviction", 429, "Retry-After: 10\r\n",
		   "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\",\"details\":{\"causes\":[{\"reason\":"
		   "\"DisruptionBudget\"}]}}");
	fake_reply(r->x.f, "GET /next", 200, "", "{}");
	struct call *c = start(r, (struct sw_kube_req){.cls = SW_KUBE_FENCE,
						       .method = "POST",
						       .path = "/api/v1/namespaces/n/pods/p/eviction",
						       .body = "{}",
						       .body_len = 2});
	cr_assert(sw_loop_until(r->x.loop, &c->done, 5000));
	cr_assert_eq(c->err.code, SW_E_BUSY);
	cr_assert_eq(window(r), 8);
	get(r, "/next");
	end(r);
}

/* ---- cancel and free ---------------------------------------------------------------------------- */

Test(kube, cancel_is_silent_on_the_wire_and_in_the_queue)
{
	struct run *r = begin("", 1);

	fake_hang(r->x.f, "GET /a");
	fake_reply(r->x.f, "GET /c", 200, "", "{}");
	struct call *a = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/a"});
	struct call *b = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/b"});
	struct call *c = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/c"});
	cr_assert(fake_wait(r->x.f, 1));
	sw_kube_cancel(b->call);
	sw_kube_cancel(a->call);
	cr_assert(sw_loop_until(r->x.loop, &c->done, 5000), "the place in the window is free again");
	turns(&r->x, 10);
	cr_assert_eq(a->told + b->told, 0);
	end(r);
}

Test(kube, free_inside_done_ends_everything)
{
	struct run *r = begin("", 2);
	struct call *first;

	fake_reply(r->x.f, "GET /", 200, "", "{}");
	fake_hang(r->x.f, "GET /")->repeat = true;
	first = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/a"});
	first->free_kube = true;
	for (int i = 0; i < 6; i++)
		start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/b"});
	cr_assert(sw_loop_until(r->x.loop, &first->done, 5000));
	turns(&r->x, 20);
	cr_assert_eq(r->told, 1);
	end(r);
}

Test(kube, bad_paths_are_refused)
{
	struct run *r = begin("", 0);
	struct sw_kube_call *call;
	struct sw_kube_req q = {.method = "GET", .path = "x"};

	cr_assert_eq(sw_kube_start(r->x.kube, &q, on_done, r, &call).code, SW_E_INVALID);
	cr_assert_null(call);
	end(r);
}

/* ---- credentials ------------------------------------------------------------------------------------ */

static char *token_file(const char *token)
{
	char *path = sw_asprintf("/tmp/sw-token-%d", (int)getpid());

	cr_assert_not(sw_failed(sw_file_write(path, token, strlen(token), 0600)));
	return path;
}

Test(kube, a_refused_token_is_replaced_once)
{
	char *path = token_file("old"), *user = sw_asprintf("tokenFile: %s", path), h[256];
	struct run *r = begin(user, 0);

	fake_reply(r->x.f, "GET /a", 401, "", STATUS(401, "Unauthorized", "Unauthorized"))->delay_ms = 20;
	fake_reply(r->x.f, "GET /a", 200, "", "{}");
	struct call *a = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/a"});
	cr_assert(fake_wait(r->x.f, 1));
	free(token_file("new"));
	cr_assert(sw_loop_until(r->x.loop, &a->done, 5000));
	cr_assert_not(sw_failed(a->err), "%s", a->err.text);
	cr_assert_str_eq(fake_header(r->x.f, 0, "Authorization", h), "Bearer old");
	cr_assert_str_eq(fake_header(r->x.f, 1, "Authorization", h), "Bearer new");
	end(r);
	unlink(path);
	free(path);
	free(user);
}

Test(kube, a_refused_token_that_cannot_change_is_told_at_once)
{
	struct run *r = begin("token: abc", 0);

	fake_reply(r->x.f, "GET /a", 401, "", STATUS(401, "Unauthorized", "Unauthorized"));
	struct call *a = get(r, "/a");
	cr_assert_eq(a->err.code, SW_E_AUTH, "%s", a->err.text);
	cr_assert_eq(fake_count(r->x.f), 1);
	end(r);
}

Test(kube, two_refusals_with_different_tokens_are_told)
{
	char *path = token_file("old"), *user = sw_asprintf("tokenFile: %s", path);
	struct run *r = begin(user, 0);

	fake_reply(r->x.f, "GET /a", 401, "", "")->delay_ms = 20;
	fake_reply(r->x.f, "GET /a", 401, "", "");
	struct call *a = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/a"});
	cr_assert(fake_wait(r->x.f, 1));
	free(token_file("new"));
	cr_assert(sw_loop_until(r->x.loop, &a->done, 5000));
	cr_assert_eq(a->err.code, SW_E_AUTH);
	cr_assert_eq(fake_count(r->x.f), 2);
	end(r);
	unlink(path);
	free(path);
	free(user);
}

Test(kube, without_credentials_nothing_is_sent_and_all_are_told)
{
	struct run *r = begin("tokenFile: /nonexistent/token", 0);
	struct call *a = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/a"});
	struct call *b = start(r, (struct sw_kube_req){.cls = SW_KUBE_LIST, .path = "/b"});

	cr_assert(sw_loop_until(r->x.loop, &a->done, 5000));
	cr_assert(sw_loop_until(r->x.loop, &b->done, 5000));
	cr_assert_eq(a->err.code, SW_E_IO);
	cr_assert(strstr(a->err.text, "cluster east: credentials: /nonexistent/token"), "%s", a->err.text);
	cr_assert_eq(fake_count(r->x.f), 0);
	end(r);
}

Test(kube, a_plugin_is_waited_for_and_its_token_used)
{
	struct run *r = begin(
		"exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never, args: ['-c', "
		"'echo "
		"\"{\\\"kind\\\":\\\"ExecCredential\\\",\\\"apiVersion\\\":\\\"client.authentication.k8s.io/v1\\\","
		"\\\"status\\\":{\\\"token\\\":\\\"px\\\"}}\"']}",
		0);
	char h[256];

	fake_reply(r->x.f, "GET /a", 200, "", "{}");
	fake_reply(r->x.f, "GET /b", 200, "", "{}");
	struct call *a = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/a"});
	struct call *b = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/b"});
	cr_assert(sw_loop_until(r->x.loop, &a->done, 10000));
	cr_assert(sw_loop_until(r->x.loop, &b->done, 5000));
	cr_assert_not(sw_failed(a->err), "%s", a->err.text);
	cr_assert_str_eq(fake_header(r->x.f, 1, "Authorization", h), "Bearer px");
	end(r);
}

Test(kube, rekey_uses_the_new_credentials_on_new_connections)
{
	struct run *r = begin("token: one", 1);
	char h[256];

	fake_reply(r->x.f, "GET /a", 500, "", "")->delay_ms = 20;
	fake_reply(r->x.f, "GET /b", 200, "", "{}");
	start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/a"});
	struct call *b = start(r, (struct sw_kube_req){.cls = SW_KUBE_STATUS, .path = "/b"});
	cr_assert(fake_wait(r->x.f, 1));
	sw_kube_rekey(r->x.kube, fixture_kubeconfig(&r->x, "token: two"));
	cr_assert(sw_loop_until(r->x.loop, &b->done, 5000));
	cr_assert_str_eq(fake_header(r->x.f, 0, "Authorization", h), "Bearer one");
	cr_assert_str_eq(fake_header(r->x.f, 1, "Authorization", h), "Bearer two");
	cr_assert_neq(fake_seen(r->x.f, 0)->conn, fake_seen(r->x.f, 1)->conn);
	end(r);
}

/* ---- streams ------------------------------------------------------------------------------------------- */

static void on_chunk(void *owner, const char *bytes, size_t n)
{
	struct call *c = owner;

	strncat(c->r->stream, bytes, n);
}

Test(kube, a_stream_is_outside_the_window_and_ends_cleanly)
{
	struct run *r = begin("token: t", 1);
	struct call *c = &r->calls[r->n++];

	c->r = r;
	fake_stream(r->x.f, "GET /log?follow=true", "line 1\n");
	fake_reply(r->x.f, "GET /a", 200, "", "{}");
	cr_assert_not(sw_failed(sw_kube_stream(r->x.kube, "/log?follow=true", on_chunk, on_done, c, &c->call)));
	cr_assert(fake_wait(r->x.f, 1));
	get(r, "/a");
	fake_chunk(r->x.f, 0, "line 2\n");
	fake_finish(r->x.f, 0);
	cr_assert(sw_loop_until(r->x.loop, &c->done, 5000));
	cr_assert_not(sw_failed(c->err), "%s", c->err.text);
	cr_assert_str_eq(r->stream, "line 1\nline 2\n");
	end(r);
}

Test(kube, a_refused_stream_says_why)
{
	struct run *r = begin("token: t", 0);
	struct call *c = &r->calls[r->n++];

	c->r = r;
	fake_reply(r->x.f, "GET /log", 400, "", STATUS(400, "BadRequest", "container is waiting to start"));
	cr_assert_not(sw_failed(sw_kube_stream(r->x.kube, "/log", on_chunk, on_done, c, &c->call)));
	cr_assert(sw_loop_until(r->x.loop, &c->done, 5000));
	cr_assert_eq(c->err.code, SW_E_INVALID);
	cr_assert(strstr(c->err.text, "waiting to start"), "%s", c->err.text);
	cr_assert_str_eq(r->stream, "");
	end(r);
}

Test(kube, a_resource_list_lists_plurals_by_their_whole_name)
{
	json_t *o = json_of("{'resources':[{'name':'jobs'},{'name':'jobs/status'},{},{'name':7}]}");

	cr_expect(sw_kube_lists(o, "jobs"));
	cr_expect_not(sw_kube_lists(o, "job"));
	cr_expect_not(sw_kube_lists(o, "cronjobs"));
	cr_expect_not(sw_kube_lists(NULL, "jobs"));
	json_object_put(o);
}
