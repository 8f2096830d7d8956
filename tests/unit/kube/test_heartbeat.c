/* SPDX-License-Identifier: Apache-2.0 */
/* test_heartbeat.c - a server that says nothing is asked whether it is there */
#include "reflector_run.h"

TestSuite(heartbeat, .timeout = 60);

static struct run *quiet(void)
{
	struct run *r = begin_full((struct sw_reflector_cfg){.path = NULL}, 10000);

	list(r, LIST("10", ""));
	fake_stream(r->x.f, ON_WATCH("10"), MARK("20"));
	TELLS(r, "S ");
	turns(&r->x, 20);
	return r;
}

Test(heartbeat, a_silent_server_that_answers_a_heartbeat_is_there)
{
	struct run *r = quiet();

	for (size_t i = 3; i < 6; i++) {
		fake_reply(r->x.f, "GET /version", i == 4 ? 403 : 200, "", "{}");
		sw_loop_advance(r->x.loop, 10001);
		cr_assert(fake_wait(r->x.f, i));
		turns(&r->x, 20);
	}
	TELLS(r, "S ");
	end(r);
}

Test(heartbeat, a_server_that_is_heard_of_is_not_asked)
{
	struct run *r = quiet();

	for (int i = 0; i < 4; i++) {
		sw_loop_advance(r->x.loop, 9000);
		fake_chunk(r->x.f, 1, MARK("21"));
		turns(&r->x, 20);
	}
	cr_assert_eq(fake_count(r->x.f), 2);
	end(r);
}

Test(heartbeat, a_line_on_which_nothing_arrives_is_a_loss_and_watched_anew)
{
	struct run *r = quiet();

	fake_hang(r->x.f, "GET /version");
	sw_loop_advance(r->x.loop, 10001);
	cr_assert(fake_wait(r->x.f, 3));
	sw_loop_advance(r->x.loop, 14000);
	turns(&r->x, 20);
	TELLS(r, "S ");
	sw_loop_advance(r->x.loop, 1001);
	TELLS(r, "S L ");
	cr_assert(strstr(r->why, "a heartbeat has no answer"), "%s", r->why);
	fake_stream(r->x.f, ON_WATCH("20"), "");
	cr_assert(asked(r, 4));
	TELLS(r, "S L S ");
	end(r);
}
