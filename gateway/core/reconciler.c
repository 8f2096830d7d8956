/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reconciler.c - runs a key queue on the loop, in slices
 *
 * One timer per reconciler stands at the earliest due key. When it fires, keys
 * are handed out until none is due or the slice is spent; the rest waits for the
 * next turn, so that sockets are polled in between.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "keyq_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum {
	CAP_MS = 60 * 1000,           /* what may mend itself */
	CAP_TERMINAL_MS = 300 * 1000, /* what needs somebody to change something */
};

struct sw_reconciler {
	struct sw_loop *loop;
	const char *name; /* a literal, as the loop's report outlives us */
	sw_reconcile_fn *fn;
	void *owner;
	struct sw_keyq *q;
	struct sw_timer *timer;
	uint64_t armed; /* what the timer stands at */
	bool in_slice, dead;
};

static void release(struct sw_reconciler *r)
{
	sw_timer_free(r->timer);
	sw_keyq_free(r->q);
	free(r);
}

static void rearm(struct sw_reconciler *r)
{
	uint64_t due = sw_keyq_next_due(r->q);

	if (r->in_slice || due == r->armed)
		return;
	r->armed = due;
	if (due == UINT64_MAX)
		sw_timer_stop(r->timer);
	else
		sw_timer_at(r->timer, due);
}

static void on_due(void *owner)
{
	struct sw_reconciler *r = owner;
	uint64_t began = uv_hrtime();
	const char *key;

	r->armed = UINT64_MAX;
	r->in_slice = true;
	sw_loop_doing(r->loop, r->name);
	while (!r->dead && (key = sw_keyq_take(r->q, sw_loop_now(r->loop)))) {
		r->fn(r->owner, key);
		if (sw_loop_slice_over(r->loop, began))
			break;
	}
	r->in_slice = false;
	if (r->dead)
		release(r);
	else
		rearm(r);
}

struct sw_err sw_reconciler_new(struct sw_loop *loop, const char *name, sw_reconcile_fn *fn, void *owner,
				struct sw_reconciler **out)
{
	struct sw_reconciler *r = sw_calloc(1, sizeof(*r));
	struct sw_err e;

	*out = NULL;
	*r = (struct sw_reconciler){.loop = loop, .name = name, .fn = fn, .owner = owner, .armed = UINT64_MAX};
	e = sw_keyq_new(&r->q);
	if (!sw_failed(e))
		e = sw_timer_new(loop, on_due, r, &r->timer);
	if (sw_failed(e))
		release(r);
	else
		*out = r;
	return e;
}

void sw_reconciler_free(struct sw_reconciler *r)
{
	if (!r)
		return;
	if (r->in_slice)
		r->dead = true; /* on_due is on the stack below us and releases */
	else
		release(r);
}

void sw_reconciler_add(struct sw_reconciler *r, const char *key)
{
	sw_reconciler_add_in(r, key, 0);
}

void sw_reconciler_add_in(struct sw_reconciler *r, const char *key, uint64_t ms)
{
	sw_keyq_add(r->q, key, sw_loop_now(r->loop) + ms);
	rearm(r);
}

void sw_reconciler_done(struct sw_reconciler *r, const char *key, uint64_t again_in_ms)
{
	sw_keyq_done(r->q, key, again_in_ms ? sw_loop_now(r->loop) + again_in_ms : 0);
	rearm(r);
}

void sw_reconciler_next(struct sw_reconciler *r, const char *key)
{
	sw_keyq_done(r->q, key, 1); /* nothing else has been due for so long */
	rearm(r);
}

void sw_reconciler_fail(struct sw_reconciler *r, const char *key, struct sw_err why)
{
	bool terminal = sw_err_retry(why.code) == SW_RETRY_TERMINAL;
	bool first = sw_keyq_failures(r->q, key) == 0;
	uint64_t delay = sw_keyq_fail(r->q, key, sw_loop_now(r->loop), terminal ? CAP_TERMINAL_MS : CAP_MS);

	if (first)
		sw_log(WARN, r->name, "reconcile failed", "key=%s code=%s again_in_ms=%" PRIu64 " error=\"%s\"", key,
		       sw_code_name(why.code), delay, why.text);
	else
		sw_log(DEBUG, r->name, "reconcile failed again", "key=%s code=%s again_in_ms=%" PRIu64 " error=\"%s\"",
		       key, sw_code_name(why.code), delay, why.text);
	rearm(r);
}

size_t sw_reconciler_len(const struct sw_reconciler *r)
{
	return sw_keyq_len(r->q);
}
