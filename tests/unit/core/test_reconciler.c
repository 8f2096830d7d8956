/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/keyq.h"
#include "spillway/log.h"
#include "spillway/text.h"

static struct sw_loop *loop;
static struct sw_reconciler *r;
static char trace[256], held[32];
static int runs, polls;
static bool finished;

static void setup(void)
{
	sw_log_setup(SW_LOG_OFF, false, 2);
	cr_assert(!sw_failed(sw_loop_new(&loop)));
}

static void start(sw_reconcile_fn *fn)
{
	cr_assert(!sw_failed(sw_reconciler_new(loop, "test", fn, NULL, &r)));
}

static void finish(void)
{
	sw_reconciler_free(r);
	sw_loop_free(loop);
}

TestSuite(reconciler, .init = setup, .timeout = 20);

static void settle(void *owner, const char *key)
{
	(void)owner;
	strcat(trace, key);
	sw_reconciler_done(r, key, 0);
}

Test(reconciler, keys_run_when_due_and_never_inside_add)
{
	sw_loop_fake(loop, 0, 0);
	start(settle);
	sw_reconciler_add(r, "a");
	sw_reconciler_add_in(r, "c", 20);
	sw_reconciler_add_in(r, "b", 10);
	sw_reconciler_add(r, "a");
	cr_assert_str_eq(trace, "");
	cr_assert_eq(sw_reconciler_len(r), 3);
	sw_loop_advance(loop, 0);
	cr_assert_str_eq(trace, "a");
	sw_loop_advance(loop, 15);
	cr_assert_str_eq(trace, "ab");
	sw_loop_advance(loop, 100);
	cr_assert_str_eq(trace, "abc");
	cr_assert_eq(sw_reconciler_len(r), 0);
	finish();
}

static void twice(void *owner, const char *key)
{
	(void)owner;
	strcat(trace, key);
	if (runs++ == 0)
		sw_reconciler_next(r, key);
	else
		sw_reconciler_done(r, key, 0);
}

Test(reconciler, a_key_that_goes_on_comes_before_those_that_waited_longer)
{
	sw_loop_fake(loop, 1000, 0);
	start(twice);
	sw_reconciler_add(r, "a");
	sw_reconciler_add(r, "b");
	sw_reconciler_add(r, "c");
	sw_loop_advance(loop, 50);
	cr_assert_str_eq(trace, "aabc");
	cr_assert_eq(sw_reconciler_len(r), 0);
	finish();
}

static void again_at_once(void *owner, const char *key)
{
	(void)owner;
	sw_reconciler_next(r, key);
}

static void note_tick(void *owner)
{
	(void)owner;
	polls++;
	sw_loop_stop(loop);
}

Test(reconciler, a_queue_that_is_never_empty_lets_other_timers_fire)
{
	struct sw_timer *t;
	start(again_at_once);
	cr_assert(!sw_failed(sw_timer_new(loop, note_tick, NULL, &t)));
	sw_reconciler_add(r, "a");
	sw_timer_in(t, 5);
	sw_loop_run(loop);
	cr_assert_eq(polls, 1);
	sw_timer_free(t);
	finish();
}

static void hold(void *owner, const char *key)
{
	(void)owner;
	strcat(trace, key);
	snprintf(held, sizeof(held), "%s", key);
}

Test(reconciler, a_key_held_by_a_call_in_flight_waits_for_done)
{
	sw_loop_fake(loop, 0, 0);
	start(hold);
	sw_reconciler_add(r, "a");
	sw_loop_advance(loop, 1);
	sw_reconciler_add(r, "a");
	sw_loop_advance(loop, 1000);
	cr_assert_str_eq(trace, "a");
	sw_reconciler_done(r, held, 0);
	sw_loop_advance(loop, 0);
	cr_assert_str_eq(trace, "aa", "it was added meanwhile");
	sw_reconciler_done(r, held, 500);
	sw_loop_advance(loop, 499);
	cr_assert_str_eq(trace, "aa");
	sw_loop_advance(loop, 1);
	cr_assert_str_eq(trace, "aaa");
	finish();
}

static void refuse(void *owner, const char *key)
{
	(void)owner;
	runs++;
	sw_reconciler_fail(r, key, sw_err(SW_E_NET, "no route"));
}

Test(reconciler, failures_come_back_less_and_less_often)
{
	sw_loop_fake(loop, 0, 0);
	start(refuse);
	sw_reconciler_add(r, "a");
	sw_loop_advance(loop, 0);
	cr_assert_eq(runs, 1);
	sw_loop_advance(loop, 1000);
	cr_assert(runs >= 7 && runs <= 10, "%d runs in the first second", runs);
	runs = 0;
	sw_loop_advance(loop, 3600 * 1000);
	cr_assert(runs >= 60 && runs <= 120, "%d runs in the next hour: the cap is a minute", runs);
	finish();
}

static void slow(void *owner, const char *key)
{
	uint64_t until = uv_hrtime() + 1000000;

	(void)owner;
	while (uv_hrtime() < until)
		;
	runs++;
	finished = runs == 20;
	sw_reconciler_done(r, key, 0);
}

static void on_check(uv_check_t *h)
{
	(void)h;
	polls++;
}

Test(reconciler, a_long_queue_lets_the_loop_poll_between_slices)
{
	uv_check_t check;
	char key[16];

	uv_check_init(sw_loop_uv(loop), &check);
	uv_check_start(&check, on_check);
	start(slow);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		sw_reconciler_add(r, key);
	}
	cr_assert(sw_loop_until(loop, &finished, 10000));
	cr_assert_geq(polls, 6, "20 ms of work in slices of 2 ms, but polled %d times", polls);
	uv_close((uv_handle_t *)&check, NULL);
	finish();
}

/* a runs, adds itself and b; the second a adds c */
static void add_more(void *owner, const char *key)
{
	(void)owner;
	strcat(trace, key);
	if (!strcmp(trace, "a")) {
		sw_reconciler_add(r, "b");
		sw_reconciler_add(r, "a");
	} else if (*key == 'a') {
		sw_reconciler_add(r, "c");
	}
	finished = *key == 'c';
	sw_reconciler_done(r, key, 0); /* the key is gone from here on */
}

Test(reconciler, keys_added_while_one_runs_are_not_lost)
{
	start(add_more);
	sw_reconciler_add(r, "a");
	cr_assert(sw_loop_until(loop, &finished, 5000));
	cr_assert(!strcmp(trace, "abac") || !strcmp(trace, "aabc") || !strcmp(trace, "aacb"), "%s", trace);
	finish();
}

static void end_it(void *owner, const char *key)
{
	(void)owner;
	(void)key;
	runs++;
	sw_reconciler_free(r);
	r = NULL;
}

Test(reconciler, may_be_freed_from_within)
{
	sw_loop_fake(loop, 0, 0);
	start(end_it);
	sw_reconciler_add(r, "a");
	sw_reconciler_add(r, "b");
	sw_loop_advance(loop, 5);
	cr_assert_eq(runs, 1);
	sw_reconciler_free(NULL);
	sw_loop_free(loop);
}
