/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.c - binary heaps of things that know their place, so that any of them can leave in O(log n)
 */
#include <stdlib.h>
#include <string.h>
#include "queue_priv.h"
#include "spillway/err.h"

static void set(struct heap *h, const struct heap_kind *k, uint32_t i, void *thing)
{
	h->at[i] = thing;
	*k->pos(thing) = i;
}

static uint32_t up(struct heap *h, const struct heap_kind *k, uint32_t i)
{
	void *thing = h->at[i];

	while (i && k->less(thing, h->at[(i - 1) / 2])) {
		set(h, k, i, h->at[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	set(h, k, i, thing);
	return i;
}

static void down(struct heap *h, const struct heap_kind *k, uint32_t i)
{
	void *thing = h->at[i];

	for (uint32_t c; (c = 2 * i + 1) < h->n; i = c) {
		if (c + 1 < h->n && k->less(h->at[c + 1], h->at[c]))
			c++;
		if (!k->less(h->at[c], thing))
			break;
		set(h, k, i, h->at[c]);
	}
	set(h, k, i, thing);
}

void heap_moved(struct heap *h, const struct heap_kind *k, uint32_t pos)
{
	down(h, k, up(h, k, pos));
}

void heap_put(struct heap *h, const struct heap_kind *k, void *thing)
{
	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap + h->cap / 2 : 4;
		h->at = realloc(h->at, h->cap * sizeof(*h->at));
		SW_REQUIRE(h->at);
	}
	h->at[h->n] = thing;
	up(h, k, h->n++);
}

void heap_drop(struct heap *h, const struct heap_kind *k, uint32_t pos)
{
	void *last = h->at[--h->n];

	if (pos < h->n) {
		set(h, k, pos, last);
		heap_moved(h, k, pos);
	}
	if (h->n == 0) {
		free(h->at);
		*h = (struct heap){0};
	}
}

/* ---- the three orders --------------------------------------------------------- */

static bool rank_less(const void *x, const void *y)
{
	const struct item *a = x, *b = y;

	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (a->created_ms != b->created_ms)
		return a->created_ms < b->created_ms;
	return strcmp(a->key, b->key) < 0;
}

static bool time_less(const void *x, const void *y)
{
	const struct item *a = x, *b = y;

	return a->not_before_ms < b->not_before_ms;
}

static bool pile_less(const void *x, const void *y)
{
	const struct pile *a = x, *b = y;

	return rank_less(a->items.at[0], b->items.at[0]);
}

static uint32_t *item_pos(void *a)
{
	return &((struct item *)a)->pos;
}

static uint32_t *pile_pos(void *a)
{
	return &((struct pile *)a)->pos;
}

const struct heap_kind heap_by_rank = {rank_less, item_pos}, heap_by_time = {time_less, item_pos};
const struct heap_kind heap_of_piles = {pile_less, pile_pos};
