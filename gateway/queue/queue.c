/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c - items come and go, the next one is chosen
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "queue_priv.h"
#include "spillway/text.h"

/* ---- names, queues ---------------------------------------------------------------- */

const char *queue_interned(const struct sw_queue *q, const char *text)
{
	struct name *n;

	HASH_FIND_STR(q->names, text, n);
	return n ? n->text : NULL;
}

const char *queue_intern(struct sw_queue *q, const char *text)
{
	const char *have = queue_interned(q, text);
	struct name *n;
	size_t len = strlen(text);

	if (have)
		return have;
	n = sw_calloc(1, sizeof(*n) + len + 1);
	memcpy(n->text, text, len);
	HASH_ADD_KEYPTR(hh, q->names, n->text, len, n);
	return n->text;
}

struct cqueue *queue_cq_find(const struct sw_queue *q, const char *name)
{
	struct cqueue *cq;

	HASH_FIND_STR(q->cqs, name, cq);
	return cq;
}

struct cqueue *queue_cq(struct sw_queue *q, const char *name)
{
	struct cqueue *cq = queue_cq_find(q, name);

	if (!cq) {
		cq = sw_calloc(1, sizeof(*cq));
		cq->name = queue_intern(q, name);
		HASH_ADD_KEYPTR(hh, q->cqs, cq->name, strlen(cq->name), cq);
	}
	return cq;
}

struct lqueue *queue_lq_find(const struct sw_queue *q, const char *ns, const char *name)
{
	char key[600];
	struct lqueue *lq;

	snprintf(key, sizeof(key), "%s/%s", ns, name);
	HASH_FIND_STR(q->lqs, key, lq);
	return lq;
}

struct lqueue *queue_lq(struct sw_queue *q, const char *ns, const char *name)
{
	struct lqueue *lq = queue_lq_find(q, ns, name);
	size_t size = strlen(ns) + strlen(name) + 2;

	if (!lq) {
		lq = sw_calloc(1, sizeof(*lq) + size);
		snprintf(lq->key, size, "%s/%s", ns, name);
		lq->ns_len = strlen(ns);
		HASH_ADD_STR(q->lqs, key, lq);
	}
	return lq;
}

struct cqueue *queue_lq_cq(const struct sw_queue *q, const struct lqueue *lq)
{
	struct cqueue *cq = lq->cq_name ? queue_cq_find(q, lq->cq_name) : NULL;

	return cq && cq->def ? cq : NULL;
}

/* ---- life ------------------------------------------------------------------------- */

static const char *item_key(const void *thing)
{
	return ((const struct item *)thing)->key;
}

struct sw_err sw_queue_new(struct sw_queue **out)
{
	struct sw_queue *q = sw_calloc(1, sizeof(*q));

	sw_keymap_init(&q->items, item_key);
	q->pods = queue_intern(q, "pods");
	*out = q;
	return SW_OK;
}

static void item_free(struct sw_queue *q, struct item *it)
{
	item_unplace(q, it);
	it->lq->pending--;
	shape_put(q, it->shape);
	free(it);
}

void sw_queue_remove(struct sw_queue *q, const char *key)
{
	struct item *it = sw_keymap_remove(&q->items, key);

	if (!it)
		return;
	if (it->where == ADMITTED)
		item_release(q, it);
	item_free(q, it);
}

static void queues_free(struct sw_queue *q)
{
	struct cqueue *cq, *next_cq;
	struct lqueue *lq, *next_lq;
	struct flavor *f, *next_f;
	struct name *n, *next_n;

	HASH_ITER(hh, q->cqs, cq, next_cq)
	{
		HASH_DEL(q->cqs, cq);
		definition_free(cq->def);
		free(cq->admitted);
		free(cq);
	}
	HASH_ITER(hh, q->lqs, lq, next_lq)
	{
		HASH_DEL(q->lqs, lq);
		free(lq);
	}
	HASH_ITER(hh, q->flavors, f, next_f)
	{
		HASH_DEL(q->flavors, f);
		free(f);
	}
	HASH_ITER(hh, q->names, n, next_n)
	{
		HASH_DEL(q->names, n);
		free(n);
	}
}

void sw_queue_free(struct sw_queue *q)
{
	struct item *it;

	if (!q)
		return;
	for (size_t at = 0; (it = sw_keymap_next(&q->items, &at));) {
		if (it->where == ADMITTED)
			item_release(q, it);
		item_free(q, it);
	}
	sw_keymap_fini(&q->items);
	queues_free(q);
	free(q);
}

/* ---- items ------------------------------------------------------------------------ */

static struct item *item_new(struct sw_queue *q, const struct sw_queue_item *from)
{
	size_t len = strlen(from->key);
	struct item *it = sw_calloc(1, sizeof(*it) + len + 1);
	const char *slash = strchr(from->key, '/');
	char ns[260];

	snprintf(ns, sizeof(ns), "%.*s", slash ? (int)(slash - from->key) : 0, from->key);
	memcpy(it->key, from->key, len);
	it->lq = queue_lq(q, ns, from->local_queue);
	it->lq->pending++;
	it->shape = shape_get(q, from->amounts, from->n_amounts);
	it->priority = from->priority;
	it->created_ms = from->created_ms;
	it->not_before_ms = from->not_before_ms;
	sw_queue_remove(q, it->key);
	sw_keymap_put(&q->items, it);
	return it;
}

void sw_queue_put(struct sw_queue *q, const struct sw_queue_item *item)
{
	item_place(q, item_new(q, item));
}

void sw_queue_put_admitted(struct sw_queue *q, const struct sw_queue_item *item, const char *cluster_queue,
			   const char *const *flavors)
{
	item_admit(q, item_new(q, item), queue_cq(q, cluster_queue), flavors);
}

int64_t sw_queue_next_due_ms(const struct sw_queue *q)
{
	return q->delayed.n ? ((struct item *)q->delayed.at[0])->not_before_ms : INT64_MAX;
}

static void wake_due(struct sw_queue *q, int64_t now_ms)
{
	while (sw_queue_next_due_ms(q) <= now_ms) {
		struct item *it = q->delayed.at[0];

		item_unplace(q, it);
		it->not_before_ms = 0;
		item_place(q, it);
	}
}

/* The best item of cq that fits, admitted. Piles that do not fit are parked on the way, so each is looked at once per
 * flush. */
static struct item *cq_next(struct sw_queue *q, struct cqueue *cq, const char *flavor[AMOUNTS_MAX])
{
	const char *reason;

	if (!cq->ready.n || !queue_runs(q, cq, &reason, NULL, 0))
		return NULL;
	while (cq->ready.n) {
		struct pile *p = cq->ready.at[0];
		struct item *it = p->items.at[0];

		if (cq->blocked == it)
			return NULL;
		if (queue_fit(q, cq, p->shape, flavor, NULL, 0)) {
			item_unplace(q, it);
			item_admit(q, it, cq, flavor);
			return it;
		}
		if (cq->def->strict) {
			cq->blocked = it;
			return NULL;
		}
		heap_drop(&cq->ready, &heap_of_piles, p->pos);
		p->parked = true;
	}
	return NULL;
}

bool sw_queue_next(struct sw_queue *q, int64_t now_ms, struct sw_queue_pick *out)
{
	struct cqueue *start = q->turn ? q->turn : q->cqs, *cq = start;

	wake_due(q, now_ms);
	memset(out, 0, sizeof(*out));
	while (cq) {
		struct item *it = cq_next(q, cq, out->flavor);
		struct cqueue *after = cq->hh.next ? cq->hh.next : q->cqs;

		if (it) {
			q->turn = after;
			out->key = it->key;
			out->cluster_queue = cq->name;
			memcpy(out->flavor, it->hold->flavor, it->shape->n * sizeof(*out->flavor));
			return true;
		}
		cq = after == start ? NULL : after;
	}
	return false;
}

static bool must_drain(const struct cqueue *cq, const struct item *it)
{
	return it->lq->stop == SW_QUEUE_DRAIN || (cq->def && cq->def->stop == SW_QUEUE_DRAIN);
}

bool sw_queue_drain(struct sw_queue *q, const char **key)
{
	for (struct cqueue *cq = q->cqs; cq; cq = cq->hh.next)
		for (size_t i = 0; i < cq->n_admitted; i++) {
			struct item *it = cq->admitted[i];

			if (it->drained || !must_drain(cq, it))
				continue;
			it->drained = true;
			*key = it->key;
			return true;
		}
	return false;
}
