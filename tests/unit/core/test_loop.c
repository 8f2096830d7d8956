/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "spillway/loop.h"

static struct sw_loop *loop;
static char trace[64];
static struct sw_timer *timers[4];

static void setup(void)
{
	cr_assert(!sw_failed(sw_loop_new(&loop)));
}

TestSuite(loop, .init = setup, .timeout = 20);

static struct sw_timer *timer(sw_timer_fn *fn, const void *owner)
{
	struct sw_timer *t;

	cr_assert(!sw_failed(sw_timer_new(loop, fn, (void *)owner, &t)));
	return t;
}

static void on_letter(void *owner)
{
	strcat(trace, owner);
}
static void on_flag(void *owner)
{
	*(bool *)owner = true;
}

Test(loop, timers_fire_in_order_of_time_then_of_setting)
{
	bool done = false;

	timers[0] = timer(on_letter, "a");
	timers[1] = timer(on_letter, "b");
	timers[2] = timer(on_letter, "c");
	timers[3] = timer(on_flag, &done);
	sw_timer_in(timers[3], 30);
	sw_timer_in(timers[2], 10);
	sw_timer_in(timers[0], 0);
	sw_timer_in(timers[1], 10);
	cr_assert_str_eq(trace, "", "never inside sw_timer_set");
	cr_assert(sw_loop_until(loop, &done, 5000));
	cr_assert_str_eq(trace, "acb");
	for (int i = 0; i < 4; i++)
		sw_timer_free(timers[i]);
	sw_loop_free(loop);
}

Test(loop, setting_again_replaces_and_stopping_forgets)
{
	sw_loop_fake(loop, 1000, 5000);
	timers[0] = timer(on_letter, "a");
	timers[1] = timer(on_letter, "b");
	sw_timer_in(timers[0], 10);
	sw_timer_in(timers[0], 100);
	sw_timer_in(timers[1], 20);
	sw_timer_stop(timers[1]);
	sw_timer_stop(timers[1]);
	sw_loop_advance(loop, 50);
	cr_assert_str_eq(trace, "");
	sw_loop_advance(loop, 50);
	cr_assert_str_eq(trace, "a");
	sw_loop_advance(loop, 1000);
	cr_assert_str_eq(trace, "a", "one shot");
	cr_assert_eq(sw_loop_now(loop), 2100);
	cr_assert_eq(sw_loop_wall(loop), 6100);
	sw_timer_free(timers[0]);
	sw_timer_free(timers[1]);
	sw_loop_free(loop);
}

static uint64_t seen_at[3];
static int seen;
static void on_step(void *owner)
{
	seen_at[seen++] = sw_loop_now(loop);
	if (seen < 3)
		sw_timer_in(*(struct sw_timer **)owner, 100);
}

Test(loop, advancing_a_fake_clock_stops_at_every_timer_on_the_way)
{
	sw_loop_fake(loop, 0, 0);
	timers[0] = timer(on_step, &timers[0]);
	sw_timer_in(timers[0], 100);
	sw_loop_advance(loop, 1000);
	cr_assert_eq(seen, 3);
	cr_assert(seen_at[0] == 100 && seen_at[1] == 200 && seen_at[2] == 300);
	sw_timer_free(timers[0]);
	sw_loop_free(loop);
}

static void on_again(void *owner)
{
	seen++;
	sw_timer_in(*(struct sw_timer **)owner, 0);
}

Test(loop, a_timer_that_sets_itself_to_now_starves_nobody)
{
	bool done = false;

	timers[0] = timer(on_again, &timers[0]);
	timers[1] = timer(on_flag, &done);
	sw_timer_in(timers[0], 0);
	sw_timer_in(timers[1], 5);
	cr_assert(sw_loop_until(loop, &done, 5000));
	cr_assert_gt(seen, 1);
	sw_loop_fake(loop, 0, 0);
	done = false;
	sw_timer_at(timers[1], 10);
	sw_loop_advance(loop, 20);
	cr_assert(done);
	cr_assert_eq(sw_loop_now(loop), 20);
	sw_timer_free(timers[0]);
	sw_timer_free(timers[1]);
	sw_loop_free(loop);
}

Test(loop, a_timer_due_now_fires_on_a_turn_of_a_loop_whose_clock_stands_still)
{
	bool done = false;

	sw_loop_fake(loop, 100, 0);
	timers[0] = timer(on_flag, &done);
	sw_timer_at(timers[0], 7);
	cr_assert(sw_loop_until(loop, &done, 5000));
	cr_assert_eq(sw_loop_now(loop), 100);
	sw_timer_free(timers[0]);
	sw_loop_free(loop);
}

static void on_free(void *owner)
{
	strcat(trace, "f");
	sw_timer_free(*(struct sw_timer **)owner);
	sw_timer_free(timers[1]);
	timers[1] = NULL;
}

Test(loop, a_timer_may_free_itself_and_others_that_are_due)
{
	sw_loop_fake(loop, 0, 0);
	timers[0] = timer(on_free, &timers[0]);
	timers[1] = timer(on_letter, "x");
	sw_timer_in(timers[0], 1);
	sw_timer_in(timers[1], 1);
	sw_loop_advance(loop, 1);
	cr_assert_str_eq(trace, "f");
	sw_timer_free(NULL);
	sw_loop_free(loop);
}

Test(loop, run_ends_when_nothing_is_left_or_when_stopped)
{
	bool fired = false;

	timers[0] = timer(on_flag, &fired);
	sw_timer_in(timers[0], 1);
	sw_loop_run(loop);
	cr_assert(fired, "an armed timer keeps the loop alive");
	sw_timer_in(timers[0], 3600000);
	timers[1] = timer((sw_timer_fn *)(void (*)(void))sw_loop_stop, loop);
	sw_timer_in(timers[1], 1);
	sw_loop_run(loop);
	sw_timer_free(timers[0]);
	sw_timer_free(timers[1]);
	sw_loop_free(loop);
}

Test(loop, waiting_for_what_never_comes_ends_at_the_limit)
{
	bool never = false;

	cr_assert(!sw_loop_until(loop, &never, 5));
	sw_loop_free(loop);
}

/* The limit may be over before the turn waits for anything, on a machine that is busy with others. */
Test(loop, a_limit_that_is_over_at_once_is_not_slept_through, .timeout = 20)
{
	struct sw_async *silent;
	bool never = false;

	cr_assert(!sw_failed(sw_async_new(loop, on_flag, &never, &silent)));
	cr_assert(!sw_loop_until(loop, &never, 0));
	sw_async_free(silent);
	sw_loop_free(loop);
}

static void *sender(void *arg)
{
	for (int i = 0; i < 1000; i++)
		sw_async_send(arg);
	return NULL;
}

Test(loop, another_thread_wakes_the_loop)
{
	struct sw_async *a;
	bool woken = false;
	pthread_t t;

	cr_assert(!sw_failed(sw_async_new(loop, on_flag, &woken, &a)));
	pthread_create(&t, NULL, sender, a);
	cr_assert(sw_loop_until(loop, &woken, 5000));
	pthread_join(t, NULL);
	woken = false;
	sw_async_send(a);
	sw_async_free(a);
	sw_async_free(NULL);
	sw_loop_free(loop);
	cr_assert(!woken, "nothing is called after free");
}

static void on_busy(void *owner)
{
	uint64_t until = uv_hrtime() + 40000000;

	sw_loop_doing(loop, "spinning");
	while (uv_hrtime() < until)
		;
	sw_loop_doing(loop, "resting");
	*(bool *)owner = true;
}

Test(loop, a_slow_turn_is_counted_with_what_took_the_time)
{
	struct sw_turn_stats s;
	bool done = false, never = false;

	timers[0] = timer(on_busy, &done);
	sw_timer_in(timers[0], 1);
	cr_assert(sw_loop_until(loop, &done, 5000));
	cr_assert(!sw_loop_until(loop, &never, 1));
	timers[1] = timer((sw_timer_fn *)(void (*)(void))sw_loop_stop, loop);
	sw_timer_in(timers[0], 1);
	sw_timer_in(timers[1], 20);
	sw_loop_run(loop);
	s = sw_loop_turns(loop);
	cr_assert_geq(s.slow, 1);
	cr_assert_geq(s.worst_us, 40000);
	cr_assert_str_eq(s.worst_doing, "spinning");
	sw_loop_turns_reset(loop);
	cr_assert_eq(sw_loop_turns(loop).slow, 0);
	sw_timer_free(timers[0]);
	sw_timer_free(timers[1]);
	sw_loop_free(loop);
}

/* Work in an I/O callback is inside libuv's poll phase; waiting there is not work. */
Test(loop, work_in_io_callbacks_counts_and_waiting_does_not)
{
	struct sw_async *a;
	bool done = false;

	cr_assert(!sw_failed(sw_async_new(loop, on_busy, &done, &a)));
	timers[0] = timer((sw_timer_fn *)(void (*)(void))sw_loop_stop, loop);
	sw_timer_in(timers[0], 400);
	sw_loop_run(loop);
	cr_assert_lt(sw_loop_turns(loop).worst_us, 350000, "400 ms of waiting are not a turn of 400 ms");
	sw_loop_turns_reset(loop);
	sw_async_send(a);
	sw_timer_in(timers[0], 20);
	sw_loop_run(loop);
	cr_assert(done);
	cr_assert_geq(sw_loop_turns(loop).worst_us, 40000);
	cr_assert_str_eq(sw_loop_turns(loop).worst_doing, "spinning");
	sw_async_free(a);
	sw_timer_free(timers[0]);
	sw_loop_free(loop);
}

static uint64_t turn_of[3];

static void on_long(void *owner)
{
	uint64_t began = uv_hrtime();

	turn_of[*(int *)owner] = sw_loop_turns(loop).turns;
	cr_assert(sw_loop_slice_over(loop, began - 3000000), "a slice has 2 ms");
	while (uv_hrtime() - began < 6000000)
		;
	cr_assert(sw_loop_slice_over(loop, uv_hrtime() - 1000000), "less in a turn that is long already");
}

/* Armed from inside a turn: timers due before the loop's first turn has begun have nothing to be late from. */
static void on_begin(void *owner)
{
	(void)owner;
	for (int i = 0; i < 4; i++)
		sw_timer_in(timers[i], 1);
}

Test(loop, what_is_due_in_a_long_turn_waits_for_the_next)
{
	struct sw_timer *begin = timer(on_begin, NULL);

	bool done = false;
	int numbers[3] = {0, 1, 2};

	for (int i = 0; i < 3; i++)
		timers[i] = timer(on_long, &numbers[i]);
	timers[3] = timer(on_flag, &done);
	sw_timer_in(begin, 0);
	cr_assert(sw_loop_until(loop, &done, 5000));
	cr_assert(turn_of[0] < turn_of[1] && turn_of[1] < turn_of[2], "each had a turn of its own");
	for (int i = 0; i < 4; i++)
		sw_timer_free(timers[i]);
	sw_timer_free(begin);
	sw_loop_free(loop);
}

Test(loop, a_timer_left_behind_is_a_bug, .signal = SIGABRT)
{
	timers[0] = timer(on_letter, "a");
	sw_loop_free(loop);
}

Test(loop, a_handle_left_open_is_a_bug, .signal = SIGABRT)
{
	struct sw_async *a;

	cr_assert(!sw_failed(sw_async_new(loop, on_flag, NULL, &a)));
	sw_loop_free(loop);
}

Test(loop, nothing_is_freed_for_nothing)
{
	sw_loop_free(NULL);
	sw_loop_free(loop);
}
