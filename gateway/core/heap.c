/* SPDX-License-Identifier: Apache-2.0 */
/* heap.c - the intrusive binary heap of heap.h */
#include "spillway/heap.h"

#include <stdbool.h>
#include <stdlib.h>

#include "spillway/err.h"

static bool before(const struct sw_heap_node *a, const struct sw_heap_node *b)
{
	return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

static void place(struct sw_heap *h, uint32_t pos, struct sw_heap_node *node)
{
	h->at[pos] = node;
	node->pos = pos;
}

static void sift_up(struct sw_heap *h, uint32_t pos, struct sw_heap_node *node)
{
	while (pos > 0 && before(node, h->at[(pos - 1) / 2])) {
		place(h, pos, h->at[(pos - 1) / 2]);
		pos = (pos - 1) / 2;
	}
	place(h, pos, node);
}

static void sift_down(struct sw_heap *h, uint32_t pos, struct sw_heap_node *node)
{
	for (;;) {
		uint32_t child = 2 * pos + 1;

		if (child >= h->len)
			break;
		if (child + 1 < h->len && before(h->at[child + 1], h->at[child]))
			child++;
		if (!before(h->at[child], node))
			break;
		place(h, pos, h->at[child]);
		pos = child;
	}
	place(h, pos, node);
}

void sw_heap_fini(struct sw_heap *h)
{
	free(h->at);
	*h = (struct sw_heap){0};
}

static void grow(struct sw_heap *h)
{
	uint32_t cap = h->cap ? h->cap * 2 : 16;

	if (h->len < h->cap)
		return;
	SW_REQUIRE(h->cap < UINT32_MAX / 4);
	h->at = realloc(h->at, cap * sizeof(*h->at));
	SW_REQUIRE(h->at != NULL);
	h->cap = cap;
}

void sw_heap_put(struct sw_heap *h, struct sw_heap_node *node, uint64_t due)
{
	sw_heap_remove(h, node);
	grow(h);
	node->due = due;
	node->seq = h->seq++;
	sift_up(h, h->len++, node);
}

void sw_heap_remove(struct sw_heap *h, struct sw_heap_node *node)
{
	uint32_t pos = node->pos;
	struct sw_heap_node *last;

	if (pos == SW_HEAP_OUT)
		return;
	node->pos = SW_HEAP_OUT;
	last = h->at[--h->len];
	if (last == node)
		return;
	if (pos > 0 && before(last, h->at[(pos - 1) / 2]))
		sift_up(h, pos, last);
	else
		sift_down(h, pos, last);
}
