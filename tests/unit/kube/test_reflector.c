/* SPDX-License-Identifier: Apache-2.0 */
/* test_reflector.c - list and watch through every kind of trouble */
#include "reflector_run.h"

TestSuite(reflector, .timeout = 60);

/* ---- the plain way --------------------------------------------------------------------------------- */

Test(reflector, lists_then_watches_then_is_synced)
{
	struct run *r = begin();

	list(r, LIST("10", OBJ("a", "3") "," OBJ("b", "4")));
	fake_stream(r->x.f, ON_WATCH("10"), "");
	TELLS(r, "+n/a@3 +n/b@4 S ");
	cr_assert(sw_reflector_synced(r->r));
	cr_assert_eq(sw_reflector_len(r->r), 2);
	cr_assert_str_eq(r->kind, "batch/v1/Job", "items get what the list leaves out");
	fake_chunk(r->x.f, 1,
		   EVENT("MODIFIED", OBJ("a", "11")) EVENT("ADDED", OBJ("c", "12")) EVENT("DELETED", OBJ("b", "13")));
	TELLS(r, "+n/a@3 +n/b@4 S +n/a@11 +n/c@12 -n/b@13 ");
	cr_assert_eq(sw_reflector_len(r->r), 2);
	end(r);
}

Test(reflector, an_empty_collection_is_synced_too)
{
	struct run *r = begin();

	list(r, "{\"kind\":\"JobList\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":null}");
	fake_stream(r->x.f, ON_WATCH("1"), "");
	TELLS(r, "S ");
	end(r);
}

Test(reflector, selectors_and_page_size_are_asked_for)
{
	struct run *r = begin_with((struct sw_reflector_cfg){
		.path = "/api/v1/pods", .label_selector = "a in (b,c)", .field_selector = "x=y", .page = 7});

	fake_reply(r->x.f, "GET /api/v1/pods?labelSelector=a%20in%20%28b%2Cc%29&fieldSelector=x%3Dy&limit=7 ", 200, "",
		   LIST("5", ""));
	fake_stream(r->x.f, "GET /api/v1/pods?labelSelector=a%20in%20%28b%2Cc%29&fieldSelector=x%3Dy&watch=true", "");
	TELLS(r, "S ");
	end(r);
}

Test(reflector, cluster_scoped_objects_have_bare_keys)
{
	struct run *r = begin();

	list(r, LIST("5", "{\"metadata\":{\"name\":\"node-1\",\"uid\":\"u\",\"resourceVersion\":\"2\"}}"));
	fake_stream(r->x.f, ON_WATCH("5"), "");
	TELLS(r, "+node-1@2 S ");
	end(r);
}

Test(reflector, events_may_be_split_anywhere)
{
	struct run *r = begin();

	list(r, LIST("10", ""))->split = 7;
	fake_stream(r->x.f, ON_WATCH("10"), EVENT("ADDED", OBJ("a", "11")) "\n" EVENT("ADDED", OBJ("b", "12")))->split =
		5;
	TELLS(r, "S +n/a@11 +n/b@12 ");
	fake_chunk(r->x.f, 1, "{\"type\":\"MODI");
	fake_chunk(r->x.f, 1,
		   "FIED\",\"object\":"
		   "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",");
	turns(&r->x, 20);
	TELLS(r, "S +n/a@11 +n/b@12 ");
	fake_chunk(r->x.f, 1, "\"uid\":\"u-a\",\"resourceVersion\":\"13\"}}}\n{\"type\":");
	TELLS(r, "S +n/a@11 +n/b@12 +n/a@13 ");
	end(r);
}

/* ---- pages --------------------------------------------------------------------------------------------- */

Test(reflector, pages_are_followed_to_the_end)
{
	struct run *r = begin();

	list(r, PAGE("10", "next/1", OBJ("a", "1")));
	fake_reply(r->x.f, "GET /apis/batch/v1/jobs?limit=500&continue=next%2F1 ", 200, "",
		   PAGE("10", "2", OBJ("b", "2")));
	fake_reply(r->x.f, "GET /apis/batch/v1/jobs?limit=500&continue=2 ", 200, "", LIST("10", OBJ("c", "3")));
	fake_stream(r->x.f, ON_WATCH("10"), "");
	TELLS(r, "+n/a@1 +n/b@2 +n/c@3 S ");
	end(r);
}

Test(reflector, an_expired_continue_token_starts_again_without_doubling)
{
	struct run *r = begin();

	list(r, PAGE("10", "t", OBJ("a", "1") "," OBJ("b", "2")));
	fake_reply(r->x.f, "GET /apis/batch/v1/jobs?limit=500&continue=t ", 410, "",
		   "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}");
	list(r, LIST("20", OBJ("b", "15") "," OBJ("c", "16")));
	fake_stream(r->x.f, ON_WATCH("20"), "");
	cr_assert(asked(r, 4));
	TELLS(r, "+n/a@1 +n/b@2 +n/b@15 +n/c@16 -n/a S ");
	end(r);
}

Test(reflector, a_page_that_is_too_big_is_asked_for_in_halves)
{
	struct run *r = begin();
	fake_raw(r->x.f, ON_LIST, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n{");
	fake_reply(r->x.f, "GET /apis/batch/v1/jobs?limit=250 ", 200, "", LIST("5", OBJ("a", "1")));
	fake_stream(r->x.f, ON_WATCH("5"), "");
	TELLS(r, "+n/a@1 S ");
	end(r);
}

/* ---- resuming ----------------------------------------------------------------------------------------------- */

Test(reflector, a_clean_end_is_resumed_at_once_from_the_last_bookmark)
{
	struct run *r = begin();

	list(r, LIST("10", OBJ("a", "3")));
	fake_stream(r->x.f, ON_WATCH("10"), EVENT("ADDED", OBJ("b", "11")) MARK("50"));
	fake_stream(r->x.f, ON_WATCH("50"), EVENT("ADDED", OBJ("c", "51")));
	TELLS(r, "+n/a@3 S +n/b@11 ");
	fake_finish(r->x.f, 1);
	TELLS(r, "+n/a@3 S +n/b@11 +n/c@51 ");
	cr_assert_eq(r->states, 1, "not a loss");
	end(r);
}

Test(reflector, a_watch_that_ends_at_once_is_not_asked_for_in_a_tight_loop)
{
	struct run *r = begin();

	list(r, LIST("10", ""));
	fake_raw(r->x.f, ON_WATCH("10"), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")->repeat = true;
	TELLS(r, "S ");
	turns(&r->x, 100);
	cr_assert_eq(fake_count(r->x.f), 2);
	cr_assert(asked(r, 4), "and it goes on trying");
	cr_assert_eq(r->states, 1, "an answering server is not lost");
	end(r);
}

Test(reflector, a_cut_stream_is_a_loss_and_resumed_after_a_pause)
{
	struct run *r = begin();

	list(r, LIST("10", ""));
	fake_stream(r->x.f, ON_WATCH("10"), EVENT("ADDED", OBJ("a", "11")) "{\"type\":\"ADDED\",\"obj")->then =
		FAKE_CLOSE;
	TELLS(r, "S +n/a@11 L ");
	cr_assert_not(sw_reflector_synced(r->r));
	turns(&r->x, 20);
	cr_assert_eq(fake_count(r->x.f), 2, "backoff first");
	fake_stream(r->x.f, ON_WATCH("11"), EVENT("ADDED", OBJ("b", "12")));
	sw_loop_advance(r->x.loop, 200);
	TELLS(r, "S +n/a@11 L S +n/b@12 ");
	end(r);
}

struct fault {
	const char *name, *bytes, *says;
};

static const struct fault faults[] = {
	{"not JSON", "{\"type\":\"ADDED\",\"object\":{]}\n", "not JSON"},
	{"HTML", "<html>\n", "not JSON"},
	{"no type", "{\"object\":{}}\n", "no event"},
	{"no object", "{\"type\":\"ADDED\"}\n", "no event"},
	{"object is a list", "{\"type\":\"ADDED\",\"object\":[]}\n", "no event"},
	{"an array", "[1]\n", "no event"},
	{"unknown type", EVENT("EXPLODED", OBJ("z", "99")), "unknown event type"},
	{"no name", EVENT("ADDED", "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"99\"}}"),
	 "without metadata.name"},
	{"no resourceVersion", EVENT("ADDED", "{\"metadata\":{\"name\":\"z\",\"uid\":\"u\"}}"),
	 "without metadata.name"},
	{"bookmark of nothing", EVENT("BOOKMARK", "{}"), "bookmark without resourceVersion"},
	{"error 500", EVENT("ERROR", "{\"code\":500,\"message\":\"etcd is gone\"}"), "etcd is gone"},
	{"error of nothing", EVENT("ERROR", "{}"), "HTTP 500"},
	{"error with a strange code", EVENT("ERROR", "{\"code\":-7}"), "HTTP 500"},
};

/* After each of them the watch resumes from the last good event, and nothing is told twice. */
Test(reflector, a_malformed_event_ends_the_watch_and_is_survived)
{
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		const struct fault *t = &faults[i];
		struct run *r;
		char *bytes;

		r = begin();
		bytes = sw_asprintf("%s%s%s", EVENT("ADDED", OBJ("a", "11")), t->bytes,
				    EVENT("ADDED", OBJ("never", "98")));
		list(r, LIST("10", ""));
		fake_stream(r->x.f, ON_WATCH("10"), bytes);
		TELLS(r, "S +n/a@11 L ");
		cr_assert(strstr(r->why, t->says), "%s: %s", t->name, r->why);
		fake_stream(r->x.f, ON_WATCH("11"), EVENT("ADDED", OBJ("b", "12")));
		cr_assert(asked(r, 3), "%s", t->name);
		TELLS(r, "S +n/a@11 L S +n/b@12 ");
		free(bytes);
		end(r);
	}
}

Test(reflector, a_stream_that_ends_cleanly_inside_an_event_is_a_loss)
{
	struct run *r = begin();

	list(r, LIST("10", ""));
	fake_stream(r->x.f, ON_WATCH("10"), EVENT("ADDED", OBJ("a", "11")) "{\"type\"");
	TELLS(r, "S +n/a@11 ");
	fake_finish(r->x.f, 1);
	TELLS(r, "S +n/a@11 L ");
	cr_assert(strstr(r->why, "inside an event"), "%s", r->why);
	end(r);
}

Test(reflector, a_silent_watch_is_resumed_and_a_second_silence_is_a_loss)
{
	struct run *r = begin();

	list(r, LIST("10", ""));
	fake_stream(r->x.f, ON_WATCH("10"), MARK("20"));
	TELLS(r, "S ");
	turns(&r->x, 20);
	sw_loop_advance(r->x.loop, 90001);
	fake_stream(r->x.f, ON_WATCH("20"), "");
	cr_assert(asked(r, 3));
	turns(&r->x, 20);
	TELLS(r, "S ");
	sw_loop_advance(r->x.loop, 90001);
	TELLS(r, "S L ");
	cr_assert(strstr(r->why, "silent for 90000 ms"), "%s", r->why);
	fake_stream(r->x.f, ON_WATCH("20"), "");
	cr_assert(asked(r, 4));
	TELLS(r, "S L S ");
	end(r);
}

Test(reflector, a_server_that_goes_silent_and_does_not_answer_again_is_a_loss)
{
	struct run *r = begin();

	list(r, LIST("10", ""));
	fake_stream(r->x.f, ON_WATCH("10"), MARK("20"));
	TELLS(r, "S ");
	turns(&r->x, 20);
	fake_hang(r->x.f, ON_WATCH("20"));
	sw_loop_advance(r->x.loop, 90001);
	cr_assert(fake_wait(r->x.f, 3));
	TELLS(r, "S ");
	sw_loop_advance(r->x.loop, 90001);
	TELLS(r, "S L ");
	end(r);
}

Test(reflector, a_server_that_accepts_and_never_answers_is_noticed)
{
	struct run *r = begin_with((struct sw_reflector_cfg){.silence_ms = 5000});

	list(r, LIST("10", ""));
	fake_hang(r->x.f, ON_WATCH("10"));
	cr_assert(fake_wait(r->x.f, 2));
	cr_assert_not(sw_reflector_synced(r->r), "a watch that did not answer does not run");
	sw_loop_advance(r->x.loop, 5001);
	TELLS(r, "L ");
	end(r);
}

/* ---- 410 ----------------------------------------------------------------------------------------------------- */

Test(reflector, an_expired_watch_lists_again_without_losing_or_doubling)
{
	struct run *r = begin();

	list(r, LIST("10",
		     OBJ("kept", "1") "," OBJ("changed", "2") "," OBJ("deleted", "3") "," META("reborn", "u1", "4")));
	fake_stream(r->x.f, ON_WATCH("10"), EXPIRED);
	list(r,
	     LIST("90", OBJ("kept", "1") "," OBJ("changed", "80") "," META("reborn", "u2", "81") "," OBJ("new", "82")));
	fake_stream(r->x.f, ON_WATCH("90"), "");
	TELLS(r, "+n/kept@1 +n/changed@2 +n/deleted@3 +n/reborn@4 S +n/changed@80 -n/reborn +n/reborn@81 +n/new@82 "
		 "-n/deleted ");
	cr_assert_eq(sw_reflector_len(r->r), 4);
	cr_assert(sw_reflector_synced(r->r), "410 is not a loss");
	end(r);
}

Test(reflector, http_410_lists_again_too)
{
	struct run *r = begin();

	list(r, LIST("10", OBJ("a", "1")));
	fake_reply(r->x.f, ON_WATCH("10"), 410, "", "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Gone\"}");
	list(r, LIST("20", OBJ("a", "1")));
	fake_stream(r->x.f, ON_WATCH("20"), "");
	TELLS(r, "+n/a@1 S ");
	end(r);
}

Test(reflector, a_list_that_expires_at_once_is_not_repeated_in_a_tight_loop)
{
	struct run *r = begin();

	for (int i = 0; i < 5; i++) {
		list(r, LIST("10", ""));
		fake_stream(r->x.f, ON_WATCH("10"), EXPIRED);
	}
	cr_assert(fake_wait(r->x.f, 4), "the first relist is at once");
	turns(&r->x, 50);
	cr_assert_eq(fake_count(r->x.f), 4, "the second waits");
	cr_assert(asked(r, 10), "and it goes on trying");
	turns(&r->x, 10);
	end(r);
}

/* ---- loss -------------------------------------------------------------------------------------------------------- */

Test(reflector, nothing_is_gone_while_the_server_is_away)
{
	struct run *r = begin();
	uint64_t since;

	list(r, LIST("10", OBJ("a", "1") "," OBJ("b", "2")));
	fake_stream(r->x.f, ON_WATCH("10"), MARK("10"))->then = FAKE_CLOSE;
	TELLS(r, "+n/a@1 +n/b@2 S L ");
	since = r->since;
	cr_assert_eq(since, sw_loop_now(r->x.loop));
	fake_raw(r->x.f, "GET /", "")->then = FAKE_CLOSE;
	fake_reply(r->x.f, "GET /", 403, "", "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}");
	struct fake_step *last = fake_raw(r->x.f, "GET /", "");
	last->then = FAKE_CLOSE;
	last->repeat = true; /* a request on a connection that was kept is sent again by itself */
	cr_assert(asked(r, 5));
	for (int i = 0; i < 1000 && r->states < 5; i++)
		turns(&r->x, 2);
	cr_assert_eq(r->since, since, "since the first loss, through failed retries");
	cr_assert_eq(r->puts, 2);
	cr_assert_eq(sw_reflector_len(r->r), 2);
	cr_assert_null(strchr(told(r), '-'), "%s", told(r));
	end(r);
}

Test(reflector, a_list_that_fails_says_so_once_per_reason_and_backs_off)
{
	struct run *r = begin();
	uint64_t at[6];

	for (size_t i = 0; i < 6; i++) {
		fake_reply(r->x.f, ON_LIST, 500, "", "{\"kind\":\"Status\",\"message\":\"boom\"}");
		for (int j = 0; j < 100000 && fake_count(r->x.f) <= i; j++) {
			turns(&r->x, 1);
			if (j > 5)
				sw_loop_advance(r->x.loop, 10);
		}
		at[i] = sw_loop_now(r->x.loop);
	}
	cr_assert_eq(r->states, 1, "one loss, one reason: %s", told(r));
	cr_assert(strstr(r->why, "HTTP 500: boom"), "%s", r->why);
	cr_assert_leq(r->since, 1000000, "lost since it was made");
	cr_assert_geq(at[5] - at[4], 1600, "0.2 s doubled four times, half of it jitter");
	cr_assert_leq(at[5] - at[4], 3600);
	end(r);
}

struct bad_list {
	const char *body, *says;
};

Test(reflector, replies_that_are_no_lists_are_survived)
{
	static const struct bad_list rows[] = {
		{"", "list reply"},
		{"[]", "list reply"},
		{"{}", "without metadata.resourceVersion"},
		{"{\"kind\":\"Job\",\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"\"}}",
		 "without metadata.resourceVersion"},
		{"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"metadata\":{}}]}", "without metadata.name"},
		{"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"a\":\"\xff\"}]}", "UTF-8"},
		{"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"metadata\"", "list reply"},
		{"<html>captive portal</html>", "list reply"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct run *r = begin();
		list(r, rows[i].body);
		TELLS(r, "L ");
		cr_assert(strstr(r->why, rows[i].says), "%s: %s", rows[i].body, r->why);
		list(r, LIST("5", OBJ("a", "1")));
		fake_stream(r->x.f, ON_WATCH("5"), "");
		cr_assert(asked(r, 3));
		TELLS(r, "L +n/a@1 S ");
		end(r);
	}
}

Test(reflector, a_refused_resource_version_leads_to_a_list)
{
	struct run *r = begin();

	list(r, LIST("10", OBJ("a", "1")));
	fake_reply(r->x.f, ON_WATCH("10"), 400, "",
		   "{\"kind\":\"Status\",\"reason\":\"BadRequest\",\"message\":\"resourceVersion: Invalid value\"}");
	list(r, LIST("5", OBJ("b", "2")));
	fake_stream(r->x.f, ON_WATCH("5"), "");
	cr_assert(asked(r, 4));
	TELLS(r, "+n/a@1 L +n/b@2 -n/a S ");
	end(r);
}

/* ---- a server that was restored from an older copy ------------------------------------------------------------ */

#define ON_ASK "GET /apis/batch/v1/jobs?limit=1 "

/* It is away for a while, then takes any watch and is silent. What it lost must be told. */
static void away_then(struct run *r, const char *rv)
{
	list(r, LIST("10", OBJ("a", "1") "," OBJ("b", "9")));
	fake_stream(r->x.f, ON_WATCH("10"), "")->then = FAKE_CLOSE;
	fake_raw(r->x.f, ON_WATCH("10"), "")->then = FAKE_CLOSE;
	char *body =
		sw_asprintf("{\"kind\":\"JobList\",\"apiVersion\":\"batch/v1\",\"metadata\":{%s},\"items\":[]}", rv);
	fake_reply(r->x.f, ON_ASK, 200, "", body);
	free(body);
}

Test(reflector, a_server_set_back_in_time_is_listed_anew)
{
	struct run *r = begin();

	away_then(r, "\"resourceVersion\":\"9\"");
	list(r, LIST("9", OBJ("a", "1")));
	fake_stream(r->x.f, ON_WATCH("9"), EVENT("ADDED", OBJ("c", "10")));
	cr_assert(asked(r, 6));
	TELLS(r, "+n/a@1 +n/b@9 S L L B L -n/b S +n/c@10 ");
	end(r);
}

#define CANARY    "/apis/coordination.k8s.io/v1/namespaces/n/leases/l"
#define ON_CANARY "GET " CANARY " "

/* The restored server's revision has passed what was watched: a 410, and only the canary tells that b was not deleted.
 */
static struct run *passed(int status, const char *canary)
{
	struct run *r = begin();

	cr_assert(sw_kube_canary(r->x.kube, CANARY, "8"));
	cr_assert(sw_kube_canary(r->x.kube, CANARY, "9"));
	list(r, LIST("10", OBJ("a", "1") "," OBJ("b", "9")));
	fake_stream(r->x.f, ON_WATCH("10"), EXPIRED);
	fake_reply(r->x.f, ON_CANARY, status, "", canary);
	list(r, LIST("20", OBJ("a", "1")));
	fake_stream(r->x.f, ON_WATCH("20"), "");
	cr_assert(asked(r, 5));
	return r;
}

#define LEASE(rv) "{\"kind\":\"Lease\",\"metadata\":{\"name\":\"l\",\"resourceVersion\":\"" rv "\"}}"

Test(reflector, a_canary_older_than_it_was_tells_a_server_set_back_whose_revision_went_on)
{
	struct run *r = passed(200, LEASE("7"));

	TELLS(r, "+n/a@1 +n/b@9 S B L -n/b S ");
	end(r);
}

Test(reflector, a_canary_that_is_gone_tells_it_too)
{
	struct run *r = passed(404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");

	TELLS(r, "+n/a@1 +n/b@9 S B L -n/b S ");
	end(r);
}

Test(reflector, a_canary_as_it_was_tells_nothing)
{
	struct run *r = passed(200, LEASE("9"));

	TELLS(r, "+n/a@1 +n/b@9 S -n/b ");
	end(r);
}

Test(reflector, whoever_sees_an_older_canary_lets_everything_be_listed_anew)
{
	struct run *r = begin();

	list(r, LIST("10", OBJ("a", "1")));
	fake_stream(r->x.f, ON_WATCH("10"), ""); /* stays open: it sees nothing wrong */
	cr_assert(asked(r, 2));
	TELLS(r, "+n/a@1 S ");
	cr_assert(sw_kube_canary(r->x.kube, CANARY, "10"));
	list(r, LIST("20", ""));
	fake_stream(r->x.f, ON_WATCH("20"), "");
	cr_assert_not(sw_kube_canary(r->x.kube, CANARY, "9"));
	cr_assert(sw_kube_canary(r->x.kube, CANARY, "9"), "told once");
	cr_assert(asked(r, 4));
	TELLS(r, "+n/a@1 S B L -n/a S ");
	end(r);
}

Test(reflector, what_else_is_watched_on_a_server_set_back_is_listed_anew_too)
{
	static const char any[] = "GET /apis/batch/v1/", crons[] = "GET /apis/batch/v1/cronjobs?";
	struct run *r = begin(), *other = sw_calloc(1, sizeof *other);
	struct sw_reflector_cfg cfg = {
		.path = "/apis/batch/v1/cronjobs", .on_object = on_object, .on_state = on_state, .owner = other};

	list(r, LIST("10", OBJ("a", "1")));
	fake_stream(r->x.f, ON_WATCH("10"), ""); /* stays open: it sees nothing wrong */
	cr_assert(asked(r, 2));
	TELLS(r, "+n/a@1 S ");
	sw_buf_init(&other->log, 1 << 20);
	cr_assert_not(sw_failed(sw_reflector_new(r->x.kube, &cfg, &other->r)));
	fake_reply(r->x.f, crons, 200, "", LIST("10", OBJ("x", "2")));
	fake_stream(r->x.f, crons, "")->then = FAKE_CLOSE;
	fake_raw(r->x.f, crons, "")->then = FAKE_CLOSE;
	fake_reply(r->x.f, "GET /apis/batch/v1/cronjobs?limit=1 ", 200, "", LIST("9", ""));
	for (int i = 0; i < 2; i++)
		fake_reply(r->x.f, any, 200, "", LIST("9", ""));
	for (int i = 0; i < 2; i++)
		fake_stream(r->x.f, any, "");
	cr_assert(asked(r, 10));
	TELLS(r, "+n/a@1 S B L -n/a S ");
	sw_reflector_free(other->r);
	sw_buf_fini(&other->log);
	free(other);
	end(r);
}

Test(reflector, a_server_that_is_not_older_is_watched_from_where_it_was)
{
	static const char *const rows[] = {"\"resourceVersion\":\"10\"",
					   "\"resourceVersion\":\"11\"",
					   "\"resourceVersion\":\"100\"",
					   "\"resourceVersion\":\"x9\"",
					   "\"resourceVersion\":\"\"",
					   "\"resourceVersion\":9",
					   "\"other\":1"};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct run *r = begin();
		away_then(r, rows[i]);
		fake_stream(r->x.f, ON_WATCH("10"), EVENT("DELETED", OBJ("b", "12")));
		cr_assert(asked(r, 5), "%s", rows[i]);
		TELLS(r, "+n/a@1 +n/b@9 S L L S -n/b@12 ");
		end(r);
	}
}

Test(reflector, a_server_that_does_not_answer_the_question_is_asked_again)
{
	struct run *r = begin();

	list(r, LIST("10", OBJ("a", "1")));
	fake_stream(r->x.f, ON_WATCH("10"), "")->then = FAKE_CLOSE;
	fake_raw(r->x.f, ON_WATCH("10"), "")->then = FAKE_CLOSE;
	fake_reply(r->x.f, ON_ASK, 503, "", "{}");
	fake_reply(r->x.f, ON_ASK, 200, "", LIST("10", ""));
	fake_stream(r->x.f, ON_WATCH("10"), "");
	cr_assert(asked(r, 6));
	for (int i = 0; i < 1000 && !r->is_synced; i++)
		turns(&r->x, 2);
	cr_assert(sw_reflector_synced(r->r));
	cr_assert_eq(sw_reflector_len(r->r), 1);
	end(r);
}

Test(reflector, a_busy_server_is_asked_again_when_it_said)
{
	struct run *r = begin();

	fake_reply(r->x.f, ON_LIST, 429, "Retry-After: 3\r\n", "{}");
	list(r, LIST("5", ""));
	fake_stream(r->x.f, ON_WATCH("5"), "");
	cr_assert(fake_wait(r->x.f, 1));
	turns(&r->x, 20);
	sw_loop_advance(r->x.loop, 2900);
	turns(&r->x, 20);
	cr_assert_eq(fake_count(r->x.f), 1);
	sw_loop_advance(r->x.loop, 100);
	TELLS(r, "S ");
	end(r);
}

/* ---- size and slices ------------------------------------------------------------------------------------------------
 */

static char *big_list(int n, int pad)
{
	struct sw_buf b;
	char *fill = sw_calloc(1, (size_t)pad + 1);

	memset(fill, 'x', (size_t)pad);
	sw_buf_init(&b, 64 << 20);
	sw_buf_puts(&b, "{\"kind\":\"JobList\",\"apiVersion\":\"batch/"
			"v1\",\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[");
	for (int i = 0; i < n; i++)
		sw_buf_printf(&b,
			      "%s{\"metadata\":{\"name\":\"j%d\",\"namespace\":\"n\",\"uid\":\"u%d\","
			      "\"resourceVersion\":\"%d\"},\"pad\":\"%s\"}",
			      i ? "," : "", i, i, i + 1, fill);
	sw_buf_puts(&b, "]}");
	free(fill);
	return sw_buf_take(&b, NULL);
}

Test(reflector, a_large_list_is_delivered_in_slices)
{
	struct run *r = begin();
	char *body = big_list(5000, 500);

	list(r, body);
	fake_stream(r->x.f, ON_WATCH("9"), "");
	cr_assert(fake_wait(r->x.f, 1));
	sw_loop_turns_reset(r->x.loop);
	cr_assert(sw_loop_until(r->x.loop, &r->is_synced, 20000));
	cr_assert_eq(r->puts, 5000);
	cr_assert_eq(sw_reflector_len(r->r), 5000);
	cr_assert_gt(sw_loop_turns(r->x.loop).turns, 5, "more than one turn");
	free(body);
	end(r);
}

Test(reflector, a_flood_of_events_is_read_to_the_end)
{
	struct run *r = begin();
	struct sw_buf b;

	sw_buf_init(&b, 64 << 20);
	list(r, LIST("9", ""));
	fake_stream(r->x.f, ON_WATCH("9"), "");
	TELLS(r, "S ");
	for (int i = 0; i < 8000; i++) {
		sw_buf_printf(&b,
			      "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"j\",\"namespace\":\"n\","
			      "\"uid\":\"u\",\"resourceVersion\":\"%d\"},"
			      "\"pad\":\"%01500d\"}}\n",
			      i + 10, i);
	}
	fake_chunk(r->x.f, 1, b.at);
	for (int i = 0; i < 10000 && r->puts < 8000; i++)
		turns(&r->x, 2);
	cr_assert_eq(r->puts, 8000);
	cr_assert_eq(sw_reflector_len(r->r), 1);
	cr_assert_eq(r->states, 1, "%s", r->why);
	sw_buf_fini(&b);
	end(r);
}

/* ---- owners that free
 * ------------------------------------------------------------------------------------------------- */

Test(reflector, freeing_it_inside_a_callback_is_silent)
{
	for (int at = 1; at <= 3; at++) {
		struct run *r = begin();
		r->free_on_put = at;
		list(r, LIST("10", OBJ("a", "1") "," OBJ("b", "2")));
		if (at == 3)
			fake_stream(r->x.f, ON_WATCH("10"),
				    EVENT("ADDED", OBJ("c", "11")) EVENT("ADDED", OBJ("d", "12")));
		for (int i = 0; i < 1000 && r->r; i++)
			turns(&r->x, 2);
		cr_assert_null(r->r);
		turns(&r->x, 20);
		cr_assert_eq(r->puts, at);
		end(r);
	}
}

Test(reflector, freeing_the_kube_inside_a_callback_stops_it)
{
	for (int at = 1; at <= 3; at++) {
		struct run *r = begin();
		r->free_kube_on_put = at;
		list(r, LIST("10", OBJ("a", "1") "," OBJ("b", "2")));
		if (at == 3)
			fake_stream(r->x.f, ON_WATCH("10"),
				    EVENT("ADDED", OBJ("c", "11")) EVENT("ADDED", OBJ("d", "12")));
		for (int i = 0; i < 1000 && r->x.kube; i++)
			turns(&r->x, 2);
		turns(&r->x, 20);
		cr_assert_eq(r->puts, at);
		cr_assert_not(sw_reflector_synced(r->r));
		end(r);
	}
}

Test(reflector, rekey_resumes_the_watch_with_new_credentials_and_keeps_what_is_known)
{
	struct run *r = begin();
	char h[256];

	list(r, LIST("10", OBJ("a", "1")));
	fake_stream(r->x.f, ON_WATCH("10"), EVENT("ADDED", OBJ("b", "11")));
	fake_stream(r->x.f, ON_WATCH("11"), "");
	TELLS(r, "+n/a@1 S +n/b@11 ");
	sw_kube_rekey(r->x.kube, fixture_kubeconfig(&r->x, "token: new"));
	cr_assert(fake_wait(r->x.f, 3));
	cr_assert_str_eq(fake_header(r->x.f, 2, "Authorization", h), "Bearer new");
	turns(&r->x, 20);
	TELLS(r, "+n/a@1 S +n/b@11 ");
	end(r);
}

Test(reflector, rekey_in_the_middle_of_a_list_starts_it_again)
{
	struct run *r = begin();

	r->rekey_on_put = 1;
	list(r, LIST("10", OBJ("a", "1") "," OBJ("b", "2")));
	list(r, LIST("20", OBJ("a", "1") "," OBJ("b", "2")));
	fake_stream(r->x.f, ON_WATCH("20"), "");
	TELLS(r, "+n/a@1 +n/b@2 S ");
	end(r);
}

Test(reflector, timeouts_are_spread_over_five_to_ten_minutes)
{
	struct run *r = begin();
	const char *p;

	list(r, LIST("10", ""));
	fake_stream(r->x.f, ON_WATCH("10"), "");
	TELLS(r, "S ");
	p = strstr(line(r, 1), "timeoutSeconds=");
	cr_assert(p);
	cr_assert(atoi(p + 15) >= 300 && atoi(p + 15) < 600, "%s", p);
	end(r);
}

/* A worker has many collections; each alone would come back up to 30 s after its API server did. */
Test(reflector, one_that_is_in_sight_again_hurries_the_others_of_its_server)
{
	struct run *r = begin();
	struct sw_reflector_cfg cfg = {
		.path = "/api/v1/pods", .on_object = on_object, .on_state = on_state, .owner = r};
	struct sw_reflector *pods = NULL;
	size_t before;

	list(r, LIST("10", ""));
	fake_stream(r->x.f, ON_WATCH("10"), "");
	TELLS(r, "S ");
	for (int i = 0; i < 5; i++)
		fake_reply(r->x.f, "GET /api/v1/pods", 403, "", "{}");
	cr_assert_not(sw_failed(sw_reflector_new(r->x.kube, &cfg, &pods)));
	cr_assert(asked(r, 7), "pods fail until their pause is long");
	fake_hangup(r->x.f, 1);
	TELLS(r, "S L L ");
	fake_stream(r->x.f, ON_WATCH("10"), "");
	before = fake_count(r->x.f);
	sw_loop_advance(r->x.loop, 200);
	TELLS(r, "S L L S ");
	cr_assert_eq(fake_count(r->x.f), before + 1, "only the watch");
	fake_reply(r->x.f, "GET /api/v1/pods", 200, "", LIST("11", ""));
	fake_stream(r->x.f, "GET /api/v1/pods?watch=true", "");
	sw_loop_advance(r->x.loop, 200);
	TELLS(r, "S L L S S ");
	sw_reflector_free(pods);
	end(r);
}
