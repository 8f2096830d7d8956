/* SPDX-License-Identifier: Apache-2.0 */
/* world_burst.c - the functions of burst.h over the world's clusters: what is wanted grows a moment later */
#include "world_priv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

struct sw_burst {
	struct sw_burst_options opt;
	struct {
		char key[24];
		int cluster, nodes;
	} want[W_JOBS];
};

struct sw_err sw_burst_new(const struct sw_burst_options *opt, struct sw_burst **out)
{
	*out = sw_calloc(1, sizeof **out);
	(*out)->opt = *opt;
	return SW_OK;
}

bool sw_burst_forget_cluster(struct sw_burst *b, struct sw_worker *w, char *why, size_t size)
{
	(void)b, (void)w, (void)why, (void)size;
	return true;
}

void sw_burst_free(struct sw_burst *b)
{
	free(b);
}

void sw_burst_want(struct sw_burst *b, const char *key, const char *cluster, const char *pool, int nodes)
{
	struct sw_worker *w = sw_workers_find(b->opt.workers, cluster);
	struct w_cluster *c = &the_world->cluster[w->at];
	int at = world_key_at(key);
	cr_assert_str_eq(pool, c->pool);
	cr_assert(c->growable && nodes > 0);
	snprintf(b->want[at].key, sizeof b->want[at].key, "%s", key);
	b->want[at].cluster = w->at;
	b->want[at].nodes = nodes;
	int target = c->nodes + nodes;
	if (target > c->target && target <= c->max) {
		c->target = target;
		c->grown_ms = the_world->now + 500 + world_random(the_world, 3000);
	}
}

void sw_burst_unwant(struct sw_burst *b, const char *key)
{
	b->want[world_key_at(key)].nodes = 0;
}

double sw_burst_committed(struct sw_burst *b)
{
	(void)b;
	return 0;
}

void sw_burst_nudge(struct sw_burst *b)
{
	(void)b;
}

struct sw_burst_view sw_burst_look(struct sw_burst *b, const char *cluster, const char *pool, int nodes)
{
	struct w_cluster *c = &the_world->cluster[sw_workers_find(b->opt.workers, cluster)->at];
	int64_t wall = sw_loop_wall(the_world->loop);
	(void)pool;
	return (struct sw_burst_view){.growing = c->target - c->nodes,
				      .stockout_until_ms = c->stockout_ms > the_world->now
								   ? wall + (int64_t)(c->stockout_ms - the_world->now)
								   : 0,
				      .refused = c->target + nodes > c->max ? "its maximum is reached" : NULL};
}
