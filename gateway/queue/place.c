/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - where an item waits, and what it holds once it is admitted
 */
#include <stdlib.h>
#include <string.h>
#include "queue_priv.h"
#include "spillway/text.h"

/* ---- shapes: equal amounts are kept once --------------------------------------- */

struct shape *shape_get(struct sw_queue *q, const struct sw_queue_amount *amounts, size_t n)
{
	struct sw_queue_amount own[AMOUNTS_MAX];
	struct shape *s = NULL;

	SW_REQUIRE(n <= AMOUNTS_MAX);
	memset(own, 0, sizeof(own));
	for (size_t i = 0; i < n; i++)
		own[i] = (struct sw_queue_amount){.resource = queue_intern(q, amounts[i].resource),
						  .milli = amounts[i].milli};
	HASH_FIND(hh, q->shapes, own, n * sizeof(*own), s);
	if (!s) {
		s = sw_calloc(1, sizeof(*s) + n * sizeof(*own));
		s->n = n;
		memcpy(s->at, own, n * sizeof(*own));
		HASH_ADD_KEYPTR(hh, q->shapes, s->at, n * sizeof(*own), s);
	}
	s->refs++;
	return s;
}

void shape_put(struct sw_queue *q, struct shape *s)
{
	if (--s->refs)
		return;
	HASH_DELETE(hh, q->shapes, s);
	free(s);
}

/* ---- piles --------------------------------------------------------------------- */

static struct pile *pile_of(struct sw_queue *q, struct cqueue *cq, struct shape *s)
{
	struct pile *p;

	(void)q;
	HASH_FIND_PTR(cq->piles, &s, p);
	if (!p) {
		p = sw_calloc(1, sizeof(*p));
		p->cq = cq;
		p->shape = s;
		s->refs++;
		HASH_ADD_PTR(cq->piles, shape, p);
	}
	return p;
}

static void pile_add(struct pile *p, struct item *it)
{
	bool was_empty = p->items.n == 0;

	heap_put(&p->items, &heap_by_rank, it);
	if (p->parked)
		return;
	if (was_empty)
		heap_put(&p->cq->ready, &heap_of_piles, p);
	else if (it->pos == 0)
		heap_moved(&p->cq->ready, &heap_of_piles, p->pos);
}

static void pile_remove(struct sw_queue *q, struct pile *p, struct item *it)
{
	bool in_ready = !p->parked;
	uint32_t pos = it->pos;

	if (in_ready && p->items.n == 1)
		heap_drop(&p->cq->ready, &heap_of_piles, p->pos);
	heap_drop(&p->items, &heap_by_rank, pos);
	if (p->cq->blocked == it)
		p->cq->blocked = NULL;
	if (p->items.n == 0) {
		HASH_DEL(p->cq->piles, p);
		shape_put(q, p->shape);
		free(p);
	} else if (in_ready && pos == 0) {
		heap_moved(&p->cq->ready, &heap_of_piles, p->pos);
	}
}

void queue_flush(struct cqueue *cq)
{
	cq->blocked = NULL;
	for (struct pile *p = cq->piles; p; p = p->hh.next) {
		if (!p->parked)
			continue;
		p->parked = false;
		heap_put(&cq->ready, &heap_of_piles, p);
	}
}

/* ---- items ---------------------------------------------------------------------- */

void item_place(struct sw_queue *q, struct item *it)
{
	struct cqueue *cq = queue_lq_cq(q, it->lq);

	if (it->not_before_ms > 0) {
		it->where = DELAYED;
		heap_put(&q->delayed, &heap_by_time, it);
	} else if (cq && it->lq->stop == SW_QUEUE_RUNS && queue_ns_allowed(cq->def, it->lq->key, it->lq->ns_len)) {
		it->where = WAITING;
		it->pile = pile_of(q, cq, it->shape);
		pile_add(it->pile, it);
	}
}

void item_unplace(struct sw_queue *q, struct item *it)
{
	if (it->where == DELAYED)
		heap_drop(&q->delayed, &heap_by_time, it->pos);
	else if (it->where == WAITING)
		pile_remove(q, it->pile, it);
	it->where = ORPHAN;
	it->pile = NULL;
}

void queue_replace(struct sw_queue *q, const struct lqueue *lq, const char *cq_name)
{
	struct item *it;

	for (size_t at = 0; (it = sw_keymap_next(&q->items, &at));) {
		bool meant = lq ? it->lq == lq : it->lq->cq_name == cq_name;

		if (!meant || (it->where != WAITING && it->where != ORPHAN))
			continue;
		item_unplace(q, it);
		item_place(q, it);
	}
}

void item_admit(struct sw_queue *q, struct item *it, struct cqueue *cq, const char *const *flavors)
{
	size_t n = it->shape->n;
	struct hold *h = sw_calloc(1, sizeof(*h) + n * sizeof(*h->flavor));

	h->cq = cq;
	for (size_t i = 0; i < n; i++)
		h->flavor[i] = flavors[i] && *flavors[i] ? queue_intern(q, flavors[i]) : NULL;
	if (cq->n_admitted == cq->cap_admitted) {
		cq->cap_admitted = cq->cap_admitted ? cq->cap_admitted * 2 : 8;
		cq->admitted = realloc(cq->admitted, cq->cap_admitted * sizeof(*cq->admitted));
		SW_REQUIRE(cq->admitted);
	}
	it->where = ADMITTED;
	it->hold = h;
	it->pos = (uint32_t)cq->n_admitted;
	cq->admitted[cq->n_admitted++] = it;
	it->lq->n_admitted++;
	it->lq->pending--;
	definition_count(cq, it, +1);
}

void item_release(struct sw_queue *q, struct item *it)
{
	struct cqueue *cq = it->hold->cq;
	struct item *last = cq->admitted[--cq->n_admitted];

	(void)q;
	definition_count(cq, it, -1);
	cq->admitted[it->pos] = last;
	last->pos = it->pos;
	free(it->hold);
	it->hold = NULL;
	it->where = ORPHAN;
	it->lq->n_admitted--;
	it->lq->pending++;
	queue_flush(cq);
}
