/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burst_priv.h - what the files of this room share
 *
 *   burst.c     the door: wants, the tick over all pools, notes read at start
 *   limit.c     may it be bought? pure
 *   stockout.c  the memory of pools that had nothing to give; pure
 *   grow.c      one pool: intent -> grow -> seen
 *   idle.c      one node: cordon -> settle -> check -> release
 */
#ifndef SPILLWAY_BURST_PRIV_H
#define SPILLWAY_BURST_PRIV_H

#include <uthash.h>

#include "spillway/burst.h"

/* ---- limit.c ------------------------------------------------------------------- */

struct limit {
	const char *cluster, *pool;
	bool burst;                 /* the cluster's setting */
	bool growable;              /* the pool's, and the provider can */
	int asked, max, quota_left; /* nodes asked for so far; the pool's maximum; -1: unknown */
	double price_hour;          /* NAN: unknown */
	int64_t price_age_ms, price_max_age_ms;
	double committed, max_hour; /* NAN committed: nobody can tell, and unknown says why */
	const char *unknown;
	int64_t stockout_left_ms; /* 0: none */
};
/* Why n more nodes are not bought, in words, into why; false: they may be. Pure. */
bool limit_refuses(const struct limit *l, int n, char *why, size_t size);

/* ---- stockout.c -------------------------------------------------------------------- */

struct stockout {
	int64_t until_ms, last_at_ms;
	unsigned times;
}; /* Unix; until 0: none */
/* An error of the provider, made at at_ms. Returns false if it was known. Doubles up to 8 x base. */
bool stockout_note(struct stockout *s, int64_t at_ms, int64_t base_ms);
void stockout_clear(struct stockout *s); /* nodes came */
int64_t stockout_left(const struct stockout *s, int64_t wall_ms);

/* ---- pools ------------------------------------------------------------------------------ */

/*
 *   IDLE --want, limits allow--> NOTING --durable--> CALLING --accepted--> SHOWN? --list shows it--> IDLE
 *                                   ^                   | unknown outcome: again, same token
 *                             start: note found         | refused: note deleted -> IDLE
 */
enum intent_state { INTENT_NONE, INTENT_NOTING, INTENT_NOTED, INTENT_CALLING, INTENT_ACCEPTED };

struct run {               /* one pool of one cluster */
	UT_hash_handle hh; /* by id */
	struct sw_burst *b;
	struct sw_worker *w;
	char *pool;
	enum intent_state state;
	char token[37];
	int delta, target; /* of the intent */
	int64_t at_ms;     /* Unix: when it was made */
	uint64_t state_ms; /* loop time of the last change of state */
	uint64_t retry_ms;
	unsigned failures;
	char *asker; /* workload that asked first */
	struct stockout stockout;
	uint64_t barred_ms; /* loop time until which a refusal by the provider is remembered */
	char barred[200];
	int asked;          /* as of the last look */
	int in_flight;      /* as of the last look: asked for, not usable yet */
	uint64_t flight_ms; /* since when in_flight has not fallen */
	int stuck;          /* nodes given up: asked for long ago, never seen */
	bool giving_up;     /* a release of such instances is under way */
	bool was_out;       /* of stock, at the last look */
	uint64_t hold_ms;   /* loop time before which no node of it is taken out of use again */
	char refused[300];  /* last words about a want that was not met; said once */
	char id[];          /* "cluster/pool" */
};

struct want {
	UT_hash_handle hh; /* by key, in the order they came */
	char *cluster, *pool;
	int nodes;
	char key[];
};

/* ---- idle nodes ---------------------------------------------------------------------------- */

enum idle_state {
	IDLE_CORDONING,
	IDLE_SETTLING,
	IDLE_CHECKING,
	IDLE_EMPTY,
	IDLE_RELEASING,
	IDLE_RELEASED,
	IDLE_UNCORDONING,
	IDLE_BACK
};

struct idle {
	UT_hash_handle hh; /* by id */
	struct sw_burst *b;
	struct sw_worker *w;
	char *pool, *node, *instance;
	enum idle_state state;
	uint64_t state_ms, retry_ms;
	bool busy; /* a call is under way */
	char id[]; /* "cluster/node" */
};

struct sw_burst {
	struct sw_burst_options opt;
	struct sw_timer *timer;
	uint64_t looked_ms, due_ms; /* loop time of the last tick and of the next one */
	struct run *runs;
	struct want *wants;
	struct idle *idles;
	char why[300]; /* what look() lends */
};

/* ---- burst.c ---------------------------------------------------------------------------------- */
uint64_t burst_now(const struct sw_burst *b);
void burst_event(struct sw_burst *b, const char *key, bool warning, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
struct run *run_get(struct sw_burst *b, struct sw_worker *w, const char *pool); /* makes it */
bool burst_has_wants(const struct sw_burst *b, const char *cluster, const char *pool);
double burst_committed(struct sw_burst *b, char why[200]); /* USD per hour; NAN: cannot be told, and why */
void burst_changed(struct sw_burst *b, const struct run *r);

/* ---- grow.c, idle.c: each looks at one cluster or pool and takes the next step. true: something is under way ---- */
bool grow_step(struct run *r);
void grow_restore(struct sw_burst *b, const char *note, json_t *value);
struct limit grow_limit(struct run *r, const struct sw_pool *p, char why[200]);
int grow_asked(const struct run *r, const struct sw_pool *p);
bool idle_step(struct sw_burst *b, struct sw_worker *w);
/* Nodes of the pool that are cordoned and may still come back into use, or are being released for good. */
void idle_count(const struct sw_burst *b, const struct sw_worker *w, const char *pool, int *returning, int *leaving);
bool idle_under_way(const struct sw_burst *b, const struct sw_worker *w); /* a call about a node of it */
void idle_forget_all(struct sw_burst *b, const struct sw_worker *w);
void idle_free(struct sw_burst *b);

#endif
