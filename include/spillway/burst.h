/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burst.h - node pools: grow for the demand of a step, remember stockouts, release what is idle
 *
 * Demand is registered per workload and pool; the sum decides how much to grow. What will be grown is
 * written as an intent (manager note) with its token before the provider is called; after a crash
 * the intent is repeated with the same token. Growth stops at the pool's max, the cloud's quota, and the
 * hard limit on dollars per hour (config max_price_hour): a pool whose price is unknown or stale is never grown.
 *
 * Idle: a burst node that was empty for idle_release_ms, whose pool is above min, and that no reservation or
 * pending demand could use, is cordoned, checked empty with a fresh read, and released by instance id.
 *
 * Ownership  free it before the workers, and both before the manager closes, with no turn of the loop between.
 */
#ifndef SPILLWAY_BURST_H
#define SPILLWAY_BURST_H

#include "spillway/workers.h"

struct sw_burst;
enum { SW_BURST_WHY = 160 };
struct sw_burst_ask { /* lent for the call */
	const char *cluster;
	const struct sw_pool *pool;
	int nodes, workloads, in_flight; /* wanted now; by how many; asked for and not usable yet */
	double committed_hour;           /* USD per hour of all burst nodes; NAN: not known */
};
struct sw_burst_options {
	struct sw_loop *loop;
	struct sw_metrics *metrics;
	const struct sw_config *config;
	struct sw_manager *manager;
	struct sw_workers *workers;
	/* Growth failed or finished, memory of a stockout ended: workloads that want this pool should look again. */
	void (*on_change)(void *owner, const char *cluster, const char *pool);
	/* For events: what was done and why, in words. key: of the workload that asked first, or NULL. */
	void (*on_event)(void *owner, const char *key, bool warning, const char *reason, const char *message);
	/* Optional advice, within all limits. How many of ask.nodes may be asked for, and why not all. */
	int (*may_grow)(void *owner, const struct sw_burst_ask *ask, char why[SW_BURST_WHY]);
	/* How long must this empty node be idle before it is released, in ms; -1: it is kept. after_ms: the setting. */
	int64_t (*idle_needed)(void *owner, const struct sw_burst_ask *ask, const char *node, int64_t idle_ms,
			       int64_t after_ms);
	void *owner;
};
__attribute__((warn_unused_result)) struct sw_err sw_burst_new(const struct sw_burst_options *opt,
							       struct sw_burst **out);
/* This cluster is about to be forgotten: so is what is known of its pools here. false, with why: nodes that were
 * bought there are under way or not given back yet, and nobody else would do that. */
bool sw_burst_forget_cluster(struct sw_burst *b, struct sw_worker *w, char *why, size_t size);
void sw_burst_free(struct sw_burst *b);

/*
 * This workload waits for `nodes` more nodes of the pool: what sw_worker_reserve() said is missing, nodes on their way
 * included. Idempotent; replaces its earlier demand anywhere; 0 ends it. Reserve first: not more is bought than all
 * reservations of the pool need packed together (sw_worker_pool_missing()).
 */
void sw_burst_want(struct sw_burst *b, const char *key, const char *cluster, const char *pool, int nodes);
void sw_burst_unwant(struct sw_burst *b, const char *key);

struct sw_burst_view {
	int growing;               /* nodes asked for that cannot be used yet */
	int64_t stockout_until_ms; /* Unix; 0: none */
	const char *
		refused; /* why it would not grow now (limit, price unknown, max), or NULL; lent until the loop turns */
	double committed_hour; /* USD per hour of all burst nodes that exist or are asked for; NAN: not known */
};
/* Would n more nodes be bought? Changes nothing. */
struct sw_burst_view sw_burst_look(struct sw_burst *b, const char *cluster, const char *pool, int nodes);
double sw_burst_committed(struct sw_burst *b); /* as in the view; all pools together */
/* Looks at every pool now. */
void sw_burst_kick(struct sw_burst *b);
/* A cluster, its nodes or its pools changed: looks at every pool soon, however often that is said. */
void sw_burst_nudge(struct sw_burst *b);

#endif
