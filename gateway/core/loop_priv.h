/* SPDX-License-Identifier: Apache-2.0 */
/* loop_priv.h - the loop's inside, shared by loop.c (turns, clock) and timer.c (the timer heap) */
#ifndef SPILLWAY_CORE_LOOP_PRIV_H
#define SPILLWAY_CORE_LOOP_PRIV_H

#include "spillway/heap.h"
#include "spillway/loop.h"

struct sw_loop {
	uv_loop_t uv;
	uv_prepare_t prepare;
	uv_timer_t limit; /* of sw_loop_until */
	bool limit_passed;

	/* timers: one uv_timer stands at the earliest; what is due already runs from the idle phase, because a
	 * uv_timer of 0 ms set inside a timer callback fires again without polling (libuv 1.44) */
	uv_timer_t timer;
	uv_idle_t idle;
	struct sw_heap heap;
	size_t timers_alive;
	uint64_t fired_turn; /* timers fired in this turn already: it has two places for them */

	bool fake;
	uint64_t fake_now;
	int64_t fake_wall;

	uint64_t turn_began, turn_idle, segment_began, longest_ns;
	const char *doing, *longest;
	struct sw_turn_stats stats;
};

bool sw_loop_late(struct sw_loop *loop); /* has this turn run for too long already? */

void sw_timers_init(struct sw_loop *loop);
void sw_timers_fini(struct sw_loop *loop); /* aborts if an sw_timer was not freed */
void sw_timers_arm(struct sw_loop *loop);

#endif
