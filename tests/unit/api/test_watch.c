/* SPDX-License-Identifier: Apache-2.0 */
/* Watches and followed logs over HTTPS. */
#include "api_fix.h"

#define JSON_TYPE "Content-Type: application/json"
#define MERGE     "Content-Type: application/merge-patch+json"
#define TABLE     "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

static void change(struct api_fix *f, const char *method, const char *path, const char *type, const char *body,
		   long status)
{
	json_object_put(api_expect(f, status, method, path, type, body));
}

/* "ADDED a, MODIFIED a" of what came so far; bookmarks as "BOOKMARK". */
static void story(const struct follower *w, char *out, size_t size)
{
	out[0] = '\0';
	for (const char *at = w->text.at; at && *at;) {
		const char *end = strchr(at, '\n');
		json_t *o = NULL;
		if (!end)
			return;
		cr_assert(!sw_failed(sw_json_parse(at, (size_t)(end - at), &o)), "not JSON: %.*s", (int)(end - at), at);
		const char *name = sw_json_str(o, "object.metadata.name");
		size_t n = strlen(out);
		snprintf(out + n, size - n, "%s%s%s%s", n ? ", " : "", sw_json_str(o, "type"), name ? " " : "",
			 name ? name : "");
		json_object_put(o);
		at = end + 1;
	}
}

static void expect_story(struct follower *w, const char *last, const char *expected)
{
	char found[2048];
	bool came = follow_until(w, last);
	story(w, found, sizeof(found));
	cr_expect(came, "\"%s\" did not come; so far: %s", last, found);
	cr_expect_str_eq(found, expected);
}

Test(watch, from_nothing_the_state_comes_first_oldest_change_first)
{
	struct api_fix f;
	struct follower w, zero;
	api_fix_init(&f, SW_SERVE_MANAGER);
	change(&f, "POST", JOBS, JSON_TYPE, JOB("b", ""), 201);
	change(&f, "POST", JOBS, JSON_TYPE, JOB("a", ""), 201);
	change(&f, "PATCH", JOBS "/b", MERGE, "{\"metadata\":{\"labels\":{\"x\":\"1\"}}}", 200);
	follow(&f, &w, JOBS "?watch=True", NULL);
	follow(&f, &zero, JOBS "?watch=true&resourceVersion=0", NULL);
	expect_story(&w, "\"name\":\"b\"", "ADDED a, ADDED b");
	change(&f, "DELETE", JOBS "/a", NULL, NULL, 200);
	expect_story(&w, "DELETED", "ADDED a, ADDED b, DELETED a");
	expect_story(&zero, "DELETED", "ADDED a, ADDED b, DELETED a");
	follow_end(&w);
	follow_end(&zero);
	api_fix_fini(&f);
}

Test(watch, initial_events_end_with_the_annotated_bookmark)
{
	struct api_fix f;
	struct follower w, empty;
	api_fix_init(&f, SW_SERVE_MANAGER);
	change(&f, "POST", JOBS, JSON_TYPE, JOB("a", ""), 201);
	follow(&f, &w,
	       JOBS "?allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&watch=true",
	       NULL);
	follow(&f, &empty,
	       "/api/v1/"
	       "secrets?allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&watch=true",
	       NULL);
	expect_story(&w, "k8s.io/initial-events-end\":\"true\"", "ADDED a, BOOKMARK");
	expect_story(&empty, "k8s.io/initial-events-end\":\"true\"", "BOOKMARK");
	change(&f, "PATCH", JOBS "/a", MERGE, "{\"metadata\":{\"labels\":{\"x\":\"1\"}}}", 200);
	expect_story(&w, "MODIFIED", "ADDED a, BOOKMARK, MODIFIED a");
	follow_end(&w);
	follow_end(&empty);
	api_fix_fini(&f);
}

Test(watch, a_selector_turns_leaving_and_entering_into_deleted_and_added)
{
	struct api_fix f;
	struct follower label, name, other;
	api_fix_init(&f, SW_SERVE_MANAGER);
	follow(&f, &label, JOBS "?watch=true&resourceVersion=2&labelSelector=x%3D1", NULL);
	follow(&f, &name, JOBS "?watch=true&resourceVersion=2&fieldSelector=metadata.name%3Db", NULL);
	follow(&f, &other, "/apis/batch/v1/namespaces/kube-system/jobs?watch=true&resourceVersion=2", NULL);
	change(&f, "POST", JOBS, JSON_TYPE, JOB("a", ""), 201);
	change(&f, "PATCH", JOBS "/a", MERGE, "{\"metadata\":{\"labels\":{\"x\":\"1\"}}}", 200);
	change(&f, "PATCH", JOBS "/a", MERGE, "{\"metadata\":{\"labels\":{\"y\":\"1\"}}}", 200);
	change(&f, "PATCH", JOBS "/a", MERGE, "{\"metadata\":{\"labels\":{\"x\":null}}}", 200);
	change(&f, "DELETE", JOBS "/a", NULL, NULL, 200);
	change(&f, "POST", JOBS, JSON_TYPE, JOB("b", ",\"labels\":{\"x\":\"1\"}"), 201);
	change(&f, "POST", "/apis/batch/v1/namespaces/kube-system/jobs", JSON_TYPE, JOB("c", ""), 201);
	expect_story(&label, "\"name\":\"b\"", "ADDED a, MODIFIED a, DELETED a, ADDED b");
	expect_story(&name, "\"name\":\"b\"", "ADDED b");
	expect_story(&other, "\"name\":\"c\"", "ADDED c");
	follow_end(&label);
	follow_end(&name);
	follow_end(&other);
	api_fix_fini(&f);
}

Test(watch, a_version_too_old_is_an_error_event_and_the_end)
{
	struct api_fix f;
	struct follower w;
	api_fix_init(&f, SW_SERVE_MANAGER);
	change(&f, "POST", JOBS, JSON_TYPE, JOB("a", ""), 201);
	api_fix_restart(&f); /* the ring starts empty */
	follow(&f, &w, JOBS "?watch=true&resourceVersion=1", NULL);
	cr_expect(follow_until(&w, "\"code\":410"), "%s", w.text.at);
	cr_expect(strstr(w.text.at, "\"type\":\"ERROR\"") && strstr(w.text.at, "too old resource version: 1 ("), "%s",
		  w.text.at);
	cr_assert(sw_loop_until(f.loop, &w.ended, 5000));
	cr_expect_eq(w.end.status, 200);
	follow_end(&w);
	api_fix_fini(&f);
}

Test(watch, a_timeout_ends_the_stream_cleanly_with_a_last_bookmark)
{
	struct api_fix f;
	struct follower w;
	api_fix_init(&f, SW_SERVE_MANAGER);
	follow(&f, &w, JOBS "?watch=true&resourceVersion=2&timeoutSeconds=1&allowWatchBookmarks=true", NULL);
	cr_assert(sw_loop_until(f.loop, &w.ended, 10000));
	cr_expect(!sw_failed(w.end.err), "%s", w.end.err.text);
	cr_expect(strstr(w.text.at, "BOOKMARK") && strstr(w.text.at, "\"resourceVersion\":\"2\""), "%s", w.text.at);
	follow_end(&w);
	api_fix_fini(&f);
}

Test(watch, a_quiet_watch_gets_a_bookmark_each_minute)
{
	struct api_fix f;
	struct follower w, silent;
	api_fix_init(&f, SW_SERVE_MANAGER);
	sw_loop_fake(f.loop, sw_loop_now(f.loop), sw_loop_wall(f.loop));
	follow(&f, &w, JOBS "?watch=true&resourceVersion=2&allowWatchBookmarks=true", NULL);
	follow(&f, &silent, JOBS "?watch=true&resourceVersion=2", NULL);
	json_object_put(api_expect(&f, 200, "GET", JOBS, NULL, NULL));
	change(&f, "POST", "/api/v1/namespaces/default/configmaps", JSON_TYPE, "{\"metadata\":{\"name\":\"c\"}}", 201);
	sw_loop_advance(f.loop, 62000);
	expect_story(&w, "BOOKMARK", "BOOKMARK");
	cr_expect(strstr(w.text.at, "\"resourceVersion\":\"3\""), "the version of other kinds' changes too: %s",
		  w.text.at);
	cr_expect_eq(silent.text.len, 0);
	follow_end(&w);
	follow_end(&silent);
	api_fix_fini(&f);
}

Test(watch, a_table_watch_sends_rows_and_columns_once)
{
	struct api_fix f;
	struct follower w;
	api_fix_init(&f, SW_SERVE_MANAGER);
	follow(&f, &w, JOBS "?watch=true&resourceVersion=2", TABLE);
	change(&f, "POST", JOBS, JSON_TYPE, JOB("a", ""), 201);
	change(&f, "POST", JOBS, JSON_TYPE, JOB("b", ""), 201);
	cr_assert(follow_until(&w, "\"name\":\"b\""), "%s", w.text.at);
	char *second = strchr(w.text.at, '\n') + 1;
	json_t *one = NULL, *two = NULL;
	cr_assert(!sw_failed(sw_json_parse(w.text.at, (size_t)(second - w.text.at - 1), &one)));
	cr_assert(!sw_failed(sw_json_parse(second, strcspn(second, "\n"), &two)));
	cr_expect_str_eq(sw_json_str(one, "object.kind"), "Table");
	cr_expect_eq(sw_json_len(sw_json_at(one, "object.rows")), 1);
	cr_expect_gt(sw_json_len(sw_json_at(one, "object.columnDefinitions")), 3);
	cr_expect_eq(sw_json_len(sw_json_at(two, "object.columnDefinitions")), 0);
	json_object_put(one);
	json_object_put(two);
	follow_end(&w);
	api_fix_fini(&f);
}

Test(watch, closing_the_server_ends_watches_cleanly)
{
	struct api_fix f;
	struct follower w;
	api_fix_init(&f, SW_SERVE_MANAGER);
	follow(&f, &w, JOBS "?watch=true", NULL);
	change(&f, "POST", JOBS, JSON_TYPE, JOB("a", ""), 201);
	expect_story(&w, "\"name\":\"a\"", "ADDED a");
	struct sw_api_options opt = f.opt;
	sw_api_free(f.api);
	f.api = NULL;
	cr_expect(sw_loop_until(f.loop, &w.ended, 5000));
	cr_expect(!sw_failed(w.end.err), "%s", w.end.err.text);
	f.opt = opt;
	follow_end(&w);
	api_fix_fini(&f);
}

Test(watch, events_reach_a_hundred_watchers, .timeout = 60)
{
	struct api_fix f;
	static struct follower w[100];
	char body[600];
	api_fix_init(&f, SW_SERVE_MANAGER);
	for (int i = 0; i < 100; i++)
		follow(&f, &w[i], JOBS "?watch=true&resourceVersion=2", NULL);
	for (int i = 0; i < 20; i++) {
		snprintf(body, sizeof(body), JOB("j%02d", ""), i);
		change(&f, "POST", JOBS, JSON_TYPE, body, 201);
	}
	for (int i = 0; i < 100; i++) {
		cr_expect(follow_until(&w[i], "\"name\":\"j19\""));
		follow_end(&w[i]);
	}
	api_fix_fini(&f);
}

/* ---- logs -------------------------------------------------------------------------------- */

struct source {
	struct sw_log_reply *r;
	struct sw_log_request last;
	int stopped;
	struct sw_err refuse;
};

static void log_start(void *owner, const struct sw_log_request *req, struct sw_log_reply *r)
{
	struct source *s = owner;
	s->last = *req;
	if (sw_failed(s->refuse)) {
		sw_log_reply_end(r, s->refuse);
		return;
	}
	sw_log_reply_bytes(r, "one\n", 4);
	if (req->follow)
		s->r = r;
	else
		sw_log_reply_end(r, SW_OK);
}

static void log_stop(void *owner, struct sw_log_reply *r)
{
	struct source *s = owner;
	cr_expect_eq(s->r, r);
	s->r = NULL;
	s->stopped++;
}

static const struct sw_log_source LOGS = {log_start, log_stop};
#define LOG "/api/v1/namespaces/default/pods/p/log"
#define POD                                                                                                            \
	"{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"},{\"name\":\"d\","   \
	"\"image\":\"i\"}]}}"

Test(log, is_streamed_and_its_errors_are_a_status, .timeout = 60)
{
	struct source s = {.r = NULL};
	struct sw_api_options opt = {.serve = SW_SERVE_WORKER, .logs = &LOGS, .owner = &s};
	struct api_fix f;
	struct follower w;
	struct answer a;
	api_fix_init_opt(&f, &opt);
	change(&f, "POST", "/api/v1/namespaces/default/pods", JSON_TYPE, POD, 201);
	change(&f, "GET", LOG, NULL, NULL, 400);
	change(&f, "GET", LOG "?container=e", NULL, NULL, 400);
	change(&f, "GET", LOG "?container=c&tailLines=-2", NULL, NULL, 422);
	api_call(&f, &a, f.admin, "GET", LOG "?container=d&tailLines=2&sinceSeconds=300&timestamps=True",
		 "Accept: application/json", NULL);
	cr_expect_str_eq(a.body, "one\n");
	cr_expect(strncmp(a.type, "text/plain", 10) == 0, "%s", a.type);
	cr_expect_eq(s.last.tail_lines, 2);
	cr_expect_eq(s.last.since_s, 300);
	cr_expect_eq(s.last.limit_bytes, -1);
	cr_expect(s.last.timestamps && !s.last.follow);
	answer_fini(&a);
	follow(&f, &w, LOG "?container=c&follow=true", NULL);
	cr_assert(follow_until(&w, "one\n"));
	sw_log_reply_bytes(s.r, "two\n", 4);
	cr_assert(follow_until(&w, "two\n"));
	sw_log_reply_end(s.r, SW_OK);
	cr_assert(sw_loop_until(f.loop, &w.ended, 5000));
	cr_expect_eq(s.stopped, 0, "ended by the source");
	follow_end(&w);
	s.refuse = sw_err(SW_E_NET, "the worker is away");
	json_t *no = api_expect(&f, 503, "GET", LOG "?container=c", NULL, NULL);
	cr_expect(strstr(sw_json_str(no, "message"), "the worker is away") != NULL);
	json_object_put(no);
	api_fix_fini(&f);
}

Test(log, a_reader_that_goes_away_stops_the_source, .timeout = 60)
{
	struct source s = {.r = NULL};
	struct sw_api_options opt = {.serve = SW_SERVE_WORKER, .logs = &LOGS, .owner = &s};
	struct api_fix f;
	struct follower w;
	bool never = false;
	api_fix_init_opt(&f, &opt);
	change(&f, "POST", "/api/v1/namespaces/default/pods", JSON_TYPE, POD, 201);
	follow(&f, &w, LOG "?container=c&follow=true", NULL);
	cr_assert(follow_until(&w, "one\n"));
	follow_end(&w);
	for (int i = 0; i < 100 && !s.stopped; i++)
		sw_loop_until(f.loop, &never, 100); /* it is looked for every few seconds */
	cr_expect_eq(s.stopped, 1);
	api_fix_fini(&f);
}
