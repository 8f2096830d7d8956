/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.h - a binary min-heap by due time or any other number: timers, the key queue, jobs in line
 *
 * Intrusive: the node sits inside the caller's struct and knows its place, so
 * removing or moving one is O(log n). Equal times leave in the order they came.
 * Out of memory aborts: a lost timer or key would be lost work.
 */
#ifndef SPILLWAY_HEAP_H
#define SPILLWAY_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define SW_HEAP_OUT UINT32_MAX

struct sw_heap_node {
	uint64_t due, seq;
	uint32_t pos; /* SW_HEAP_OUT when not in a heap */
};

struct sw_heap {
	struct sw_heap_node **at;
	uint32_t len, cap;
	uint64_t seq; /* given to the next node put in */
};

void sw_heap_fini(struct sw_heap *h);                                         /* nodes are the caller's */
void sw_heap_put(struct sw_heap *h, struct sw_heap_node *node, uint64_t due); /* moves it if it is in already */
void sw_heap_remove(struct sw_heap *h, struct sw_heap_node *node);            /* no-op when out */
static inline struct sw_heap_node *sw_heap_top(const struct sw_heap *h)
{
	return h->len ? h->at[0] : NULL;
}

#endif
