/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h - the one libuv loop, its clock and its timers
 *
 * Everything in spillway runs on one loop. Time comes from here and nowhere
 * else, so that a test can own it: sw_loop_now() is monotonic milliseconds for
 * deadlines and backoff, sw_loop_wall() is Unix milliseconds for what is shown
 * or stored. With sw_loop_fake() both stand still until the test moves them.
 *
 * Turns are timed: a turn over SW_TURN_LIMIT_MS is counted in the metric
 * spillway_loop_slow_turns_total and logged at debug with what ran
 * (sw_loop_doing), because a slow turn delays everybody.
 *
 * Ownership  sw_loop_new() gives, sw_loop_free() takes. Free every handle first:
 *            sw_loop_free() runs the loop until close callbacks are done and
 *            aborts (SW_REQUIRE) if a handle is left open: that is a leak.
 * Threads    loop thread only, except sw_async_send().
 */
#ifndef SPILLWAY_LOOP_H
#define SPILLWAY_LOOP_H

#include <stdint.h>
#include <uv.h>
#include "spillway/err.h"

enum { SW_TURN_LIMIT_MS = 5, SW_SLICE_MS = 2 };

struct sw_loop;

__attribute__((warn_unused_result)) struct sw_err sw_loop_new(struct sw_loop **out);
void sw_loop_free(struct sw_loop *loop); /* NULL is fine */
uv_loop_t *sw_loop_uv(struct sw_loop *loop);

/* Runs until sw_loop_stop() or until no active handle is left. */
void sw_loop_run(struct sw_loop *loop);
void sw_loop_stop(struct sw_loop *loop);
/* Tests: runs turns until *flag is true or real `limit_ms` passed; returns *flag. */
bool sw_loop_until(struct sw_loop *loop, const bool *flag, uint64_t limit_ms);

uint64_t sw_loop_now(const struct sw_loop *loop); /* monotonic ms, cached once a turn */
int64_t sw_loop_wall(const struct sw_loop *loop); /* Unix ms */

/* From now on the clock only moves by sw_loop_advance(), which also fires the
 * sw_timers that fall due, in order. libuv's own timers keep real time. */
void sw_loop_fake(struct sw_loop *loop, uint64_t now_ms, int64_t wall_ms);
void sw_loop_advance(struct sw_loop *loop, uint64_t ms);

/* Names what the loop does now, for the slow-turn report. A string literal. */
void sw_loop_doing(struct sw_loop *loop, const char *what);

/*
 * Long work is done in slices. One that began at began_ns (uv_hrtime()) is over after SW_SLICE_MS, and after a quarter
 * of that when the turn as a whole has run for too long already, because others had their slices in it: the rest waits
 * for a later turn. Ask after each piece, so that every slice does at least one. Timers that are due wait as well then.
 */
bool sw_loop_slice_over(struct sw_loop *loop, uint64_t began_ns);

struct sw_turn_stats {
	uint64_t turns, slow, worst_us;
	const char *worst_doing;
};
struct sw_turn_stats sw_loop_turns(const struct sw_loop *loop);
void sw_loop_turns_reset(struct sw_loop *loop);

/* ---- timers: one shot, re-armed by setting them again ------------------- */

typedef void sw_timer_fn(void *owner);
struct sw_timer; /* opaque; lives in the loop's timer heap */

/* gives. fn runs on the loop at or after the time set, never inside sw_timer_set(). */
__attribute__((warn_unused_result)) struct sw_err sw_timer_new(struct sw_loop *loop, sw_timer_fn *fn, void *owner,
							       struct sw_timer **out);
void sw_timer_free(struct sw_timer *t);                /* NULL is fine; safe inside fn */
void sw_timer_at(struct sw_timer *t, uint64_t due_ms); /* replaces an earlier setting */
void sw_timer_in(struct sw_timer *t, uint64_t ms);
void sw_timer_stop(struct sw_timer *t);

/* ---- waking the loop from another thread -------------------------------- */

struct sw_async;
__attribute__((warn_unused_result)) struct sw_err sw_async_new(struct sw_loop *loop, sw_timer_fn *fn, void *owner,
							       struct sw_async **out);
void sw_async_free(struct sw_async *a); /* loop thread; no send may come later */
void sw_async_send(struct sw_async *a); /* any thread; several sends may become one call */

#endif
