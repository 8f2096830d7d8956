/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer.c - the loop's timers: a heap of our own over one uv_timer
 *
 * One heap instead of one uv_timer each gives a clock that tests can own, and
 * makes freeing a timer immediate (a uv handle lives until its close callback).
 */
#include <stdlib.h>

#include "loop_priv.h"

/* Rounds of timers that set themselves to "now" again, per instant of a fake clock. */
enum { FAKE_ROUNDS = 64 };

struct sw_timer {
	struct sw_heap_node node; /* first */
	struct sw_loop *loop;
	sw_timer_fn *fn;
	void *owner;
};

/* Fires what is due and was set before this round began; what the callbacks set waits for the next. */
static bool fire_round(struct sw_loop *loop)
{
	uint64_t now = sw_loop_now(loop), mark = loop->heap.seq;
	struct sw_heap_node *top;
	bool fired = false;

	if (loop->fired_turn == loop->stats.turns + 1 && sw_loop_late(loop))
		return false;
	while ((top = sw_heap_top(&loop->heap)) && top->due <= now && top->seq < mark) {
		struct sw_timer *t = (struct sw_timer *)top;

		sw_heap_remove(&loop->heap, top);
		fired = true;
		loop->fired_turn = loop->stats.turns + 1;
		t->fn(t->owner); /* may free t */
		if (sw_loop_late(loop))
			break; /* they stay due: sw_timers_arm() sees to it */
	}
	return fired;
}

static void on_idle(uv_idle_t *h)
{
	fire_round(h->data);
	sw_timers_arm(h->data);
}

static void on_timer(uv_timer_t *h)
{
	fire_round(h->data);
	sw_timers_arm(h->data);
}

void sw_timers_arm(struct sw_loop *loop)
{
	const struct sw_heap_node *top = sw_heap_top(&loop->heap);
	uint64_t now = sw_loop_now(loop);

	if (top && top->due <= now) {
		uv_idle_start(&loop->idle, on_idle);
		uv_timer_stop(&loop->timer);
		return;
	}
	uv_idle_stop(&loop->idle);
	if (top && !loop->fake)
		uv_timer_start(&loop->timer, on_timer, top->due - now, 0);
	else
		uv_timer_stop(&loop->timer);
}

void sw_timers_init(struct sw_loop *loop)
{
	uv_timer_init(&loop->uv, &loop->timer);
	uv_idle_init(&loop->uv, &loop->idle);
	loop->timer.data = loop->idle.data = loop;
}

void sw_timers_fini(struct sw_loop *loop)
{
	SW_REQUIRE(loop->timers_alive == 0);
	uv_close((uv_handle_t *)&loop->timer, NULL);
	uv_close((uv_handle_t *)&loop->idle, NULL);
	sw_heap_fini(&loop->heap);
}

void sw_loop_advance(struct sw_loop *loop, uint64_t ms)
{
	uint64_t target;

	SW_REQUIRE(loop->fake);
	target = loop->fake_now + ms;
	for (;;) {
		const struct sw_heap_node *top;
		uint64_t next;

		for (int i = 0; i < FAKE_ROUNDS && fire_round(loop); i++)
			;
		top = sw_heap_top(&loop->heap);
		if (loop->fake_now == target)
			break;
		/* A timer that is still due after its rounds waits while the clock moves on. */
		next = top && top->due < target ? top->due : target;
		if (next <= loop->fake_now)
			next = loop->fake_now + 1;
		loop->fake_wall += (int64_t)(next - loop->fake_now);
		loop->fake_now = next;
	}
	sw_timers_arm(loop);
}

struct sw_err sw_timer_new(struct sw_loop *loop, sw_timer_fn *fn, void *owner, struct sw_timer **out)
{
	struct sw_timer *t = calloc(1, sizeof(*t));

	*out = t;
	if (!t)
		return sw_err(SW_E_NOMEM, "timer: out of memory");
	*t = (struct sw_timer){.node.pos = SW_HEAP_OUT, .loop = loop, .fn = fn, .owner = owner};
	loop->timers_alive++;
	return SW_OK;
}

void sw_timer_free(struct sw_timer *t)
{
	if (!t)
		return;
	sw_timer_stop(t);
	t->loop->timers_alive--;
	free(t);
}

void sw_timer_at(struct sw_timer *t, uint64_t due_ms)
{
	struct sw_loop *loop = t->loop;
	const struct sw_heap_node *top = sw_heap_top(&loop->heap);
	uint64_t now = sw_loop_now(loop);

	/* A time in the past is now: else a timer that keeps setting itself to 0 would stand before all others. */
	sw_heap_put(&loop->heap, &t->node, due_ms > now ? due_ms : now);
	if (top != sw_heap_top(&loop->heap) || top == &t->node)
		sw_timers_arm(loop);
}

void sw_timer_in(struct sw_timer *t, uint64_t ms)
{
	uint64_t now = sw_loop_now(t->loop);

	sw_timer_at(t, ms > UINT64_MAX - now ? UINT64_MAX : now + ms);
}

void sw_timer_stop(struct sw_timer *t)
{
	bool was_top = sw_heap_top(&t->loop->heap) == &t->node;

	sw_heap_remove(&t->loop->heap, &t->node);
	if (was_top)
		sw_timers_arm(t->loop);
}
