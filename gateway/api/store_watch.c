/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_watch.c - recent events in a ring, and those who follow them
 *
 * The ring holds the ops themselves, bounded by bytes. A subscriber that starts from a version
 * still inside gets the past first. `seen` keeps a subscriber that joins in the middle of a
 * delivery from getting an event twice.
 */
#include "store_priv.h"

#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

/* ---- shared bytes ------------------------------------------------------------------ */

struct sw_bytes *sw_bytes_new(const char *at, size_t len)
{
	struct sw_bytes *b = malloc(sizeof(*b) + len + 1);
	if (!b)
		return NULL;
	b->refs = 1;
	b->len = len;
	if (at)
		memcpy(b->at, at, len);
	b->at[len] = '\0';
	return b;
}

struct sw_bytes *sw_bytes_ref(struct sw_bytes *b)
{
	b->refs++;
	return b;
}

void sw_bytes_unref(struct sw_bytes *b)
{
	if (b && --b->refs == 0)
		free(b);
}

/* ---- the ring ------------------------------------------------------------------------ */

static struct store_op *ring_at(const struct sw_store *s, size_t i)
{
	return s->ring[(s->ring_first + i) & (s->ring_cap - 1)];
}

static void ring_drop_first(struct sw_store *s)
{
	struct store_op *op = ring_at(s, 0);
	s->ring_first = (s->ring_first + 1) & (s->ring_cap - 1);
	s->ring_n--;
	s->ring_bytes -= op->bytes;
	s->ring_floor = op->rv;
	store_op_free(op);
}

static void ring_grow(struct sw_store *s)
{
	size_t cap = s->ring_cap ? s->ring_cap * 2 : 256;
	struct store_op **bigger = sw_calloc(cap, sizeof(*bigger));
	for (size_t i = 0; i < s->ring_n; i++)
		bigger[i] = ring_at(s, i);
	free(s->ring);
	s->ring = bigger;
	s->ring_cap = cap;
	s->ring_first = 0;
}

static void ring_add(struct sw_store *s, struct store_op *op)
{
	if (s->ring_n == s->ring_cap)
		ring_grow(s);
	s->ring[(s->ring_first + s->ring_n) & (s->ring_cap - 1)] = op;
	s->ring_n++;
	s->ring_bytes += op->bytes;
	while (s->ring_bytes > s->ring_limit && s->ring_n > 1)
		ring_drop_first(s);
}

/* Index of the first event after rv: events are in order of rv. */
static size_t ring_after(const struct sw_store *s, uint64_t rv)
{
	size_t low = 0, high = s->ring_n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (ring_at(s, mid)->rv <= rv)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ---- delivery -------------------------------------------------------------------------- */

static void deliver(struct sw_sub *sub, const struct store_op *op)
{
	static const enum sw_event_type types[] = {
		[STORE_INSERT] = SW_ADDED,
		[STORE_UPDATE] = SW_MODIFIED,
		[STORE_DELETE] = SW_DELETED,
	};
	if (sub->dead || op->rv <= sub->seen || (sub->res && sub->res != op->res))
		return;
	sub->seen = op->rv;
	struct sw_event ev = {
		.type = types[op->what], .key = op->key, .rv = op->rv, .object = op->object, .before = op->before};
	sub->on_event(sub->owner, &ev);
}

static void sweep(struct sw_store *s)
{
	if (s->delivering || !s->sweep_subs)
		return;
	s->sweep_subs = false;
	for (struct sw_sub **link = &s->subs; *link;) {
		struct sw_sub *sub = *link;
		if (!sub->dead) {
			link = &sub->next;
			continue;
		}
		*link = sub->next;
		free(sub);
	}
}

void store_publish(struct sw_store *s, struct store_op *op)
{
	s->published_rv = op->rv;
	if (op->what != STORE_UPDATE)
		store_count_add(s, &op->key, op->what == STORE_INSERT ? 1 : -1);
	ring_add(s, op); /* first: who subscribes inside a delivery finds this event in the ring */
	s->delivering++;
	for (struct sw_sub *sub = s->subs; sub; sub = sub->next)
		deliver(sub, op);
	s->delivering--;
	sweep(s);
}

struct sw_err sw_store_watch(struct sw_store *s, const char *resource, uint64_t from_rv, sw_event_fn *on_event,
			     void *owner, struct sw_sub **out)
{
	*out = NULL;
	if (from_rv < s->ring_floor)
		return sw_err(SW_E_GONE, "too old resource version: %llu (%llu)", (unsigned long long)from_rv,
			      (unsigned long long)s->ring_floor);
	if (from_rv > s->given_rv)
		return sw_err(SW_E_BUSY, "Too large resource version: %llu, current: %llu", (unsigned long long)from_rv,
			      (unsigned long long)s->published_rv);
	struct sw_sub *sub = sw_calloc(1, sizeof(*sub));
	sub->s = s;
	sub->res = resource ? store_res(s, resource) : NULL;
	sub->seen = from_rv;
	sub->on_event = on_event;
	sub->owner = owner;
	sub->next = s->subs;
	s->subs = sub;
	*out = sub;
	s->delivering++;
	for (size_t i = ring_after(s, from_rv); i < s->ring_n && !sub->dead; i++)
		deliver(sub, ring_at(s, i));
	s->delivering--;
	sweep(s);
	return SW_OK;
}

void sw_store_unwatch(struct sw_sub *sub)
{
	if (!sub)
		return;
	struct sw_store *s = sub->s;
	sub->dead = true;
	s->sweep_subs = true;
	sweep(s);
}

void store_watch_stop(struct sw_store *s)
{
	while (s->subs) {
		struct sw_sub *next = s->subs->next;
		free(s->subs);
		s->subs = next;
	}
	while (s->ring_n)
		ring_drop_first(s);
	free(s->ring);
}
