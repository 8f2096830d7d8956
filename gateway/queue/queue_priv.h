/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_priv.h - how the queue keeps 50,000 waiting items and never scans them
 *
 * Items of one ClusterQueue that ask for the same amounts (a shape) either all fit or none does, so they wait in one
 * pile, a heap by priority and age. A ClusterQueue has a heap of its piles by their best item. A pile whose best item
 * does not fit is parked (BestEffortFIFO) until quota returns or a definition changes: then every pile gets one more
 * look, not every item. StrictFIFO parks nothing: its best item blocks the ClusterQueue until then.
 *
 *   item -> lqueue -> cqueue -> pile (of a shape) -> heap of items
 *
 * Kueue gets the same from its inadmissible set and equivalence hashing (pkg/cache/queue/cluster_queue.go).
 */
#ifndef SPILLWAY_QUEUE_PRIV_H
#define SPILLWAY_QUEUE_PRIV_H

#include <uthash.h>
#include "spillway/keymap.h"
#include "spillway/queue.h"

enum { AMOUNTS_MAX = 16 };

struct name {
	UT_hash_handle hh;
	char text[];
}; /* interned: compared by address */

struct shape {
	UT_hash_handle hh;
	size_t refs, n;
	struct sw_queue_amount at[]; /* resources interned */
};

enum where { ORPHAN, DELAYED, WAITING, ADMITTED };

struct item {
	struct lqueue *lq;
	struct shape *shape;
	union {
		struct pile *pile;
		struct hold *hold;
	}; /* WAITING; ADMITTED */
	int64_t created_ms, not_before_ms;
	int32_t priority;
	uint32_t pos; /* in the pile's heap, the delayed heap, or the list of admitted */
	uint8_t where;
	bool drained;
	char key[];
};

struct hold {
	struct cqueue *cq;
	const char *flavor[];
}; /* what an admitted item uses: one flavor per amount, interned or NULL */

struct heap {
	void **at;
	uint32_t n, cap;
};
typedef bool heap_less_fn(const void *a, const void *b);
typedef uint32_t *heap_pos_fn(void *a);
struct heap_kind {
	heap_less_fn *less;
	heap_pos_fn *pos;
};
void heap_put(struct heap *h, const struct heap_kind *k, void *thing);
void heap_drop(struct heap *h, const struct heap_kind *k, uint32_t pos);
void heap_moved(struct heap *h, const struct heap_kind *k, uint32_t pos); /* its order changed */
extern const struct heap_kind heap_by_rank, heap_by_time, heap_of_piles;

struct pile {
	UT_hash_handle hh; /* in cqueue.piles, by shape */
	struct cqueue *cq;
	struct shape *shape; /* a reference */
	struct heap items;
	uint32_t pos; /* in cqueue.ready */
	bool parked;
};

struct quota {
	int64_t nominal, used;
};
struct fgroup {
	size_t n_resources, n_flavors;
	const char **resources; /* interned */
	const char **flavors;
	struct quota *quota; /* [flavor * n_resources + resource] */
};

enum ns_mode { NS_NONE, NS_ALL, NS_LISTED, NS_NOT_LISTED };

struct definition { /* of a ClusterQueue */
	struct fgroup *groups;
	size_t n_groups;
	bool strict;
	enum sw_queue_stop stop;
	enum ns_mode ns_mode;
	const char **ns;
	size_t n_ns;
};

struct cqueue {
	UT_hash_handle hh;
	const char *name;       /* interned */
	struct definition *def; /* NULL: not defined */
	struct pile *piles;
	struct heap ready;    /* piles that are not parked and not empty */
	struct item *blocked; /* StrictFIFO: the head that did not fit */
	struct item **admitted;
	size_t n_admitted, cap_admitted;
};

struct lqueue {
	UT_hash_handle hh;
	const char *cq_name; /* interned; NULL: not defined */
	enum sw_queue_stop stop;
	uint64_t pending, n_admitted;
	size_t ns_len;
	char key[]; /* "ns/name" */
};

struct flavor {
	UT_hash_handle hh;
	const char *name;
};

struct sw_queue {
	struct sw_keymap items;
	struct heap delayed;
	struct name *names;
	struct shape *shapes;
	struct cqueue *cqs;
	struct lqueue *lqs;
	struct flavor *flavors;
	const char *pods;    /* interned "pods" */
	struct cqueue *turn; /* whose turn it is next: ClusterQueues are asked in a circle */
	char why[320];
	char drained_key[600];
};

const char *queue_intern(struct sw_queue *q, const char *text);
const char *queue_interned(const struct sw_queue *q, const char *text); /* NULL if nobody has used it */
struct cqueue *queue_cq(struct sw_queue *q, const char *name);          /* finds or makes */
struct cqueue *queue_cq_find(const struct sw_queue *q, const char *name);
struct lqueue *queue_lq(struct sw_queue *q, const char *ns, const char *name);
struct lqueue *queue_lq_find(const struct sw_queue *q, const char *ns, const char *name);
struct cqueue *queue_lq_cq(const struct sw_queue *q, const struct lqueue *lq); /* NULL: none, or not defined */

/* place.c: where items wait */
struct shape *shape_get(struct sw_queue *q, const struct sw_queue_amount *amounts, size_t n); /* gives a reference */
void shape_put(struct sw_queue *q, struct shape *s);
void item_place(struct sw_queue *q, struct item *it);   /* ORPHAN -> where it belongs */
void item_unplace(struct sw_queue *q, struct item *it); /* waiting anywhere -> ORPHAN */
void item_admit(struct sw_queue *q, struct item *it, struct cqueue *cq, const char *const *flavors);
void item_release(struct sw_queue *q, struct item *it); /* ADMITTED -> ORPHAN; quota returns */
void queue_flush(struct cqueue *cq);                    /* quota or definition changed: everything gets one more look */
/* A definition changed: waiting items of this LocalQueue, or of all of this ClusterQueue, go where they belong now. */
void queue_replace(struct sw_queue *q, const struct lqueue *lq, const char *cq_name);

/* define.c */
void definition_free(struct definition *d);
struct quota *definition_quota(const struct definition *d, const char *flavor,
			       const char *resource);                      /* interned; or NULL */
void definition_count(struct cqueue *cq, const struct item *it, int sign); /* its use of quota */

/* fit.c */
bool queue_runs(const struct sw_queue *q, const struct cqueue *cq, const char **reason, char *why, size_t size);
bool queue_ns_allowed(const struct definition *d, const char *ns, size_t len);
/* Chooses a flavor per amount; false: why it does not fit, in why (may be NULL). never: it would not fit an empty
 * queue. */
bool queue_fit(const struct sw_queue *q, const struct cqueue *cq, const struct shape *s,
	       const char *flavor[AMOUNTS_MAX], char *why, size_t size);

#endif
