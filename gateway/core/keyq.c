/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyq.c - the work queue of keys
 *
 * A key has one item, in the hash as long as anything is known about it. An item
 * is waiting (in the heap) or being worked on (out of it); an add that comes
 * meanwhile is kept in `dirty_due`.
 */
#include "spillway/keyq.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "spillway/heap.h"
#include "keyq_priv.h"
#include "spillway/text.h"

enum { BACKOFF_BASE_MS = 5, FAILURES_MAX = 40 };

struct item {
	struct sw_heap_node node; /* first: the heap hands back this address */
	UT_hash_handle hh;
	uint64_t dirty_due; /* UINT64_MAX: not added while being worked on */
	uint32_t failures;
	bool working;
	char key[];
};

struct sw_keyq {
	struct item *items;
	struct sw_heap heap;
};

struct sw_err sw_keyq_new(struct sw_keyq **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? SW_OK : sw_err(SW_E_NOMEM, "work queue: out of memory");
}

void sw_keyq_free(struct sw_keyq *q)
{
	struct item *it, *next;

	if (!q)
		return;
	HASH_ITER(hh, q->items, it, next)
	{
		HASH_DEL(q->items, it);
		free(it);
	}
	sw_heap_fini(&q->heap);
	free(q);
}

static struct item *find(const struct sw_keyq *q, const char *key)
{
	struct item *it;

	HASH_FIND_STR(q->items, key, it);
	return it;
}

static struct item *item_new(struct sw_keyq *q, const char *key)
{
	size_t len = strlen(key);
	struct item *it = malloc(sizeof(*it) + len + 1);

	SW_REQUIRE(it != NULL);
	memset(it, 0, sizeof(*it));
	memcpy(it->key, key, len + 1);
	it->node.pos = SW_HEAP_OUT;
	it->dirty_due = UINT64_MAX;
	HASH_ADD_KEYPTR(hh, q->items, it->key, len, it);
	return it;
}

static void item_drop(struct sw_keyq *q, struct item *it)
{
	sw_heap_remove(&q->heap, &it->node);
	HASH_DEL(q->items, it);
	free(it);
}

void sw_keyq_add(struct sw_keyq *q, const char *key, uint64_t due_ms)
{
	struct item *it = find(q, key);

	if (!it)
		it = item_new(q, key);
	if (it->working) {
		if (due_ms < it->dirty_due)
			it->dirty_due = due_ms;
		return;
	}
	if (it->node.pos == SW_HEAP_OUT || due_ms < it->node.due)
		sw_heap_put(&q->heap, &it->node, due_ms);
}

void sw_keyq_forget(struct sw_keyq *q, const char *key)
{
	struct item *it = find(q, key);

	if (it && !it->working)
		item_drop(q, it);
}

const char *sw_keyq_take(struct sw_keyq *q, uint64_t now_ms)
{
	struct item *it = (struct item *)sw_heap_top(&q->heap);

	if (!it || it->node.due > now_ms)
		return NULL;
	sw_heap_remove(&q->heap, &it->node);
	it->working = true;
	it->dirty_due = UINT64_MAX;
	return it->key;
}

static struct item *working(struct sw_keyq *q, const char *key)
{
	struct item *it = find(q, key);

	SW_REQUIRE(it && it->working);
	it->working = false;
	return it;
}

void sw_keyq_done(struct sw_keyq *q, const char *key, uint64_t again_ms)
{
	struct item *it = working(q, key);
	uint64_t due = again_ms ? again_ms : UINT64_MAX;

	it->failures = 0;
	if (it->dirty_due < due)
		due = it->dirty_due;
	if (due == UINT64_MAX)
		item_drop(q, it);
	else
		sw_heap_put(&q->heap, &it->node, due);
}

/* Up to a quarter less, so that keys that failed together do not come back together. Drawn from the
 * key and its count, not from a generator: the queue stays a function of what it was given. */
static uint64_t backoff_ms(const struct item *it, uint64_t cap_ms)
{
	uint64_t ms = (uint64_t)BACKOFF_BASE_MS << it->failures;
	uint64_t dice = sw_hash(it->key, strlen(it->key)) ^ (it->failures * 0x9E3779B97F4A7C15u);

	if (ms > cap_ms)
		ms = cap_ms;
	ms -= (dice >> 17) % (ms / 4 + 1);
	return ms ? ms : 1;
}

uint64_t sw_keyq_fail(struct sw_keyq *q, const char *key, uint64_t now_ms, uint64_t cap_ms)
{
	struct item *it = working(q, key);
	uint64_t delay = backoff_ms(it, cap_ms);
	uint64_t due = now_ms + delay;

	if (it->failures < FAILURES_MAX)
		it->failures++;
	sw_heap_put(&q->heap, &it->node, it->dirty_due < due ? it->dirty_due : due);
	return delay;
}

uint32_t sw_keyq_failures(const struct sw_keyq *q, const char *key)
{
	const struct item *it = find(q, key);

	return it ? it->failures : 0;
}

uint64_t sw_keyq_next_due(const struct sw_keyq *q)
{
	const struct sw_heap_node *top = sw_heap_top(&q->heap);

	return top ? top->due : UINT64_MAX;
}

size_t sw_keyq_len(const struct sw_keyq *q)
{
	return HASH_COUNT(q->items);
}
