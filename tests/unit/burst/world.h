/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h - a burst room in a world without network: one cluster, one pool, a provider and a manager that only remember
 *
 * The sw_worker_* functions that burst calls are defined in world.c and take the place of the workers room's when this
 * test program is linked. Answers come when the test turns the world, so a test can crash burst between a call and its
 * answer.
 */
#ifndef SPILLWAY_TESTS_BURST_WORLD_H
#define SPILLWAY_TESTS_BURST_WORLD_H

#include "../../../gateway/burst/burst_priv.h"

enum { NODES_MAX = 16 };
enum answer { YES, LOST_REPLY /* done, but nobody hears */, LOST_CALL /* not done, nobody hears */, REFUSED };

struct world {
	struct sw_loop *loop;
	struct sw_burst *burst;
	struct sw_manager manager;
	json_t *notes;
	bool notes_fail;
	struct sw_config config;
	/* the cloud */
	struct sw_pool pool; /* size and target are its truth */
	struct sw_pool_error error;
	bool has_error;
	enum answer grow_answer, release_answer;
	int grow_calls, grown, release_calls;
	char tokens[32][37];
	int n_tokens;
	/* the cluster */
	bool ready, listed; /* listed: the provider answered once */
	struct sw_node nodes[NODES_MAX];
	char names[NODES_MAX][16];
	size_t n;
	int demand;   /* nodes that all reservations need together */
	int unjoined; /* instances the cloud has started that became no nodes */
	int pod_on;   /* index of a node that a fresh list shows a pod on, or -1 */
	int cordons, uncordons, checks;
	/* what the provider last said */
	struct sw_pool said;
	struct sw_instance instances[2 * NODES_MAX];
	struct sw_provider_state state;
	int64_t said_ms;
	bool poll;
	/* what the site's policy says */
	int allowed;               /* nodes in all; -1: as many as are wanted */
	int64_t idle_ms;           /* of a node before it goes; -1: it is kept, -2: as the setting says */
	struct sw_burst_ask asked; /* the last question */
	/* what was heard */
	int changes;
	char events[2000];
};

struct world *world_new(void);
void world_free(struct world *w);
void world_start(struct world *w); /* opens burst */
void world_crash(struct world *w); /* burst is gone, with every answer it waited for */
/* Answers what was asked, then lets `ms` pass, second by second. */
void world_turn(struct world *w, unsigned ms);
void world_node(struct world *w, int64_t gpus);           /* one more node of the pool is there, empty */
bool world_said(const struct world *w, const char *text); /* in an event */
size_t world_notes(const struct world *w);

#endif
