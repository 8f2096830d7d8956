/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "spillway/heap.h"

enum { N = 2000 };

Test(heap, whatever_is_done_to_it_leaves_in_order)
{
	struct sw_heap_node *nodes = calloc(N, sizeof(*nodes));
	struct sw_heap h = {0};
	uint64_t due = 0, seq = 0;
	unsigned rnd = 12345;
	size_t left = 0;

	for (int i = 0; i < N; i++)
		nodes[i].pos = SW_HEAP_OUT;
	for (int i = 0; i < 10 * N; i++) {
		struct sw_heap_node *n = &nodes[(rnd = rnd * 1103515245 + 12345) >> 8 & 0xFFFF % N];

		if (rnd & 0x40000000)
			sw_heap_put(&h, n, rnd >> 4 & 63);
		else
			sw_heap_remove(&h, n);
	}
	for (int i = 0; i < N; i++)
		left += nodes[i].pos != SW_HEAP_OUT;
	cr_assert_eq(left, h.len);
	cr_assert_gt(left, 100);
	for (struct sw_heap_node *top; (top = sw_heap_top(&h)); left--) {
		cr_assert(top->due > due || (top->due == due && top->seq >= seq));
		due = top->due;
		seq = top->seq;
		sw_heap_remove(&h, top);
		cr_assert_eq(top->pos, SW_HEAP_OUT);
	}
	cr_assert_eq(left, 0);
	sw_heap_fini(&h);
	free(nodes);
}
