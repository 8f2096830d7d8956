/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo.h - the demo in three parts: the site (simulated clusters and a gateway), the story (what became of each job),
 * and how it is shown
 */
#ifndef SPILLWAY_CLI_DEMO_H
#define SPILLWAY_CLI_DEMO_H

#include "cli.h"
#include "spillway/catalog.h"
#include "spillway/gateway.h"
#include "spillway/sim.h"

enum { DEMO_JOBS = 16, DEMO_POOLS = 16, DEMO_CLUSTERS = 8 };

/* ---- the site: demo_site.c ------------------------------------------------------------ */

struct demo_site {
	struct sw_loop *loop;
	char *dir;
	bool dir_is_ours; /* made for this run: removed at the end */
	struct sw_catalog *catalog;
	struct sw_sim_specs *specs;
	struct sw_sim *sims[DEMO_CLUSTERS];
	struct sw_config *config;
	struct sw_gateway *gateway;
	struct sw_kube *kube; /* the user's client: the demo submits as a user does */
};
__attribute__((warn_unused_result)) struct sw_err demo_site_open(struct demo_site *s, struct sw_loop *loop,
								 const char *dir);
void demo_site_close(struct demo_site *s);
double demo_site_scale(const struct demo_site *s); /* simulated seconds per second */

/* ---- the story: demo_story.c ------------------------------------------------------------ */

enum demo_state { DEMO_WAITING, DEMO_GROWING, DEMO_RUNNING, DEMO_SUCCEEDED, DEMO_FAILED, DEMO_NEVER, DEMO__STATES };
struct demo_job {
	char *name, *resource, *ns;
	char *asks, *cluster, *pool, *why; /* NULL until known */
	enum demo_state state;
	int64_t submitted_ms, placed_ms, ended_ms; /* loop wall time; 0: not yet */
	double price_hour;                         /* NAN: unknown */
	json_t *candidates;                        /* as last explained, or NULL */
	bool submitted;
	struct demo_story *story;
};
struct demo_pool {
	char *cluster, *pool;
	int size, most, max;
	bool growable;
};
struct demo_story {
	struct demo_site *site;
	struct demo_job jobs[DEMO_JOBS];
	size_t n_jobs;
	struct demo_pool pools[DEMO_POOLS];
	size_t n_pools;
	struct sw_err err; /* of a submission */
	uint64_t changes;  /* counts what is worth showing again */
};
/* Submits every sample; look() reads the state of all. */
__attribute__((warn_unused_result)) struct sw_err demo_story_begin(struct demo_story *t, struct demo_site *site);
void demo_story_look(struct demo_story *t);
bool demo_story_jobs_ended(const struct demo_story *t);
bool demo_story_ended(const struct demo_story *t); /* and every pool that grew is small again */
void demo_story_end(struct demo_story *t);
const char *demo_state_name(enum demo_state s);

/* ---- showing: demo_show.c ------------------------------------------------------------------ */

struct demo_screen {
	FILE *to;
	bool live;
	int lines;
	enum demo_state told[DEMO_JOBS];
	int told_size[DEMO_POOLS];
	int64_t began_ms;
};
void demo_show(struct demo_screen *s, const struct demo_story *t); /* redrawn on a terminal, new lines otherwise */
void demo_summary(struct demo_screen *s, const struct demo_story *t);

#endif
