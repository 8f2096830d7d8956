/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.c - the libuv loop, its clock and the account of its turns
 *
 * libuv runs I/O callbacks inside its poll phase, so a turn's work cannot be
 * timed between two phases. A turn is what passes from one prepare phase to the
 * next, less the time that libuv says it idled in poll (uv_metrics_idle_time).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "loop_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

/* A slice that begins just before a turn is late still ends it below the limit. */
static const uint64_t SLICE_NS = SW_SLICE_MS * 1000000ull, LATE_NS = (SW_TURN_LIMIT_MS - SW_SLICE_MS) * 1000000ull;

/* ---- turns ---------------------------------------------------------------- */

/* Closes the account of what ran since the last mark. */
static void segment_end(struct sw_loop *loop, uint64_t now)
{
	uint64_t ns = now - loop->segment_began;

	if (loop->doing && ns > loop->longest_ns) {
		loop->longest_ns = ns;
		loop->longest = loop->doing;
	}
	loop->segment_began = now;
}

void sw_loop_doing(struct sw_loop *loop, const char *what)
{
	segment_end(loop, uv_hrtime());
	loop->doing = what;
}

static void turn_slow(struct sw_loop *loop, uint64_t us)
{
	loop->stats.slow++;
	sw_log(DEBUG, "loop", "slow turn", "us=%" PRIu64 " doing=\"%s\"", us,
	       loop->longest ? loop->longest : "unnamed");
}

/* The first prepare of a run only starts the account: what was before was not a turn. */
static void on_prepare(uv_prepare_t *p)
{
	struct sw_loop *loop = p->data;
	uint64_t now = uv_hrtime(), idle = uv_metrics_idle_time(&loop->uv), us;

	segment_end(loop, now);
	if (loop->turn_began) {
		uint64_t passed = now - loop->turn_began, idled = idle - loop->turn_idle;

		us = passed > idled ? (passed - idled) / 1000 : 0;
		loop->stats.turns++;
		if (us > loop->stats.worst_us) {
			loop->stats.worst_us = us;
			loop->stats.worst_doing = loop->longest ? loop->longest : "unnamed";
		}
		if (us > SW_TURN_LIMIT_MS * 1000)
			turn_slow(loop, us);
	}
	loop->turn_began = now;
	loop->turn_idle = idle;
	loop->doing = loop->longest = NULL;
	loop->longest_ns = 0;
}

bool sw_loop_late(struct sw_loop *loop)
{
	uint64_t passed, idled;

	if (loop->fake || !loop->turn_began)
		return false;
	passed = uv_hrtime() - loop->turn_began;
	if (passed < LATE_NS)
		return false;
	idled = uv_metrics_idle_time(&loop->uv) - loop->turn_idle;
	return passed - idled >= LATE_NS && passed > idled;
}

bool sw_loop_slice_over(struct sw_loop *loop, uint64_t began_ns)
{
	uint64_t ns = uv_hrtime() - began_ns;

	return ns > SLICE_NS || (ns > SLICE_NS / 4 && sw_loop_late(loop));
}

struct sw_turn_stats sw_loop_turns(const struct sw_loop *loop)
{
	return loop->stats;
}

void sw_loop_turns_reset(struct sw_loop *loop)
{
	loop->stats = (struct sw_turn_stats){.worst_doing = ""};
}

/* ---- life ----------------------------------------------------------------- */

struct sw_err sw_loop_new(struct sw_loop **out)
{
	struct sw_loop *loop = calloc(1, sizeof(*loop));
	int rc;

	*out = NULL;
	if (!loop)
		return sw_err(SW_E_NOMEM, "event loop: out of memory");
	rc = uv_loop_init(&loop->uv);
	if (rc) {
		free(loop);
		return sw_err(SW_E_IO, "event loop: cannot start: %s", uv_strerror(rc));
	}
	loop->uv.data = loop;
	sw_loop_turns_reset(loop);
	uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME);
	uv_timer_init(&loop->uv, &loop->limit);
	uv_prepare_init(&loop->uv, &loop->prepare);
	loop->limit.data = loop->prepare.data = loop;
	uv_prepare_start(&loop->prepare, on_prepare);
	uv_unref((uv_handle_t *)&loop->prepare);
	sw_timers_init(loop);
	*out = loop;
	return SW_OK;
}

static void find_open(uv_handle_t *h, void *arg)
{
	const char **open = arg;

	if (!uv_is_closing(h))
		*open = uv_handle_type_name(uv_handle_get_type(h));
}

static void close_rest(struct sw_loop *loop)
{
	const char *open = NULL;

	uv_walk(&loop->uv, find_open, &open);
	if (open)
		fprintf(stderr, "spillway: a uv %s handle is still open at the end of the loop\n", open);
	SW_REQUIRE(open == NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void sw_loop_free(struct sw_loop *loop)
{
	if (!loop)
		return;
	/* What is already under way (a close callback that frees something of ours) gets its turns first. */
	for (int i = 0; i < 8; i++)
		uv_run(&loop->uv, UV_RUN_NOWAIT);
	uv_prepare_stop(&loop->prepare);
	uv_close((uv_handle_t *)&loop->prepare, NULL);
	uv_close((uv_handle_t *)&loop->limit, NULL);
	sw_timers_fini(loop);
	close_rest(loop);
	SW_REQUIRE(uv_loop_close(&loop->uv) == 0);
	free(loop);
}

uv_loop_t *sw_loop_uv(struct sw_loop *loop)
{
	return &loop->uv;
}

void sw_loop_run(struct sw_loop *loop)
{
	loop->turn_began = 0;
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void sw_loop_stop(struct sw_loop *loop)
{
	uv_stop(&loop->uv);
}

static void on_limit(uv_timer_t *t)
{
	struct sw_loop *loop = t->data;

	loop->limit_passed = true;
	uv_stop(t->loop); /* it may pass before this turn polls: with no other timer that would wait for ever */
}

bool sw_loop_until(struct sw_loop *loop, const bool *flag, uint64_t limit_ms)
{
	loop->turn_began = 0;
	loop->limit_passed = false;
	uv_update_time(&loop->uv);
	uv_timer_start(&loop->limit, on_limit, limit_ms, 0);
	while (!*flag && !loop->limit_passed)
		uv_run(&loop->uv, UV_RUN_ONCE);
	uv_timer_stop(&loop->limit);
	return *flag;
}

/* ---- clock ---------------------------------------------------------------- */

uint64_t sw_loop_now(const struct sw_loop *loop)
{
	return loop->fake ? loop->fake_now : uv_now(&loop->uv);
}

int64_t sw_loop_wall(const struct sw_loop *loop)
{
	struct timespec ts;

	if (loop->fake)
		return loop->fake_wall;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void sw_loop_fake(struct sw_loop *loop, uint64_t now_ms, int64_t wall_ms)
{
	loop->fake = true;
	loop->fake_now = now_ms;
	loop->fake_wall = wall_ms;
	sw_timers_arm(loop);
}

/* ---- waking from other threads -------------------------------------------- */

struct sw_async {
	uv_async_t uv;
	sw_timer_fn *fn;
	void *owner;
};

static void on_async(uv_async_t *h)
{
	struct sw_async *a = h->data;

	if (!uv_is_closing((uv_handle_t *)h))
		a->fn(a->owner);
}

static void on_async_closed(uv_handle_t *h)
{
	free(h->data);
}

struct sw_err sw_async_new(struct sw_loop *loop, sw_timer_fn *fn, void *owner, struct sw_async **out)
{
	struct sw_async *a = sw_calloc(1, sizeof(*a));
	int rc = uv_async_init(&loop->uv, &a->uv, on_async);

	*out = NULL;
	if (rc) {
		free(a);
		return sw_err(SW_E_IO, "wake-up handle: %s", uv_strerror(rc));
	}
	a->uv.data = a;
	a->fn = fn;
	a->owner = owner;
	*out = a;
	return SW_OK;
}

void sw_async_free(struct sw_async *a)
{
	if (a)
		uv_close((uv_handle_t *)&a->uv, on_async_closed);
}

void sw_async_send(struct sw_async *a)
{
	uv_async_send(&a->uv);
}
