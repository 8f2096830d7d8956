/* SPDX-License-Identifier: Apache-2.0 */
/* world_priv.h - what the two halves of the test world share */
#ifndef TESTS_DISPATCH_WORLD_PRIV_H
#define TESTS_DISPATCH_WORLD_PRIV_H

#include "world.h"

typedef void world_done_fn(void *owner, struct sw_err err);

struct w_req {
	struct w_req *next;
	void (*apply)(struct world *w, struct w_req *r);
	world_done_fn *done;
	sw_manager_read_fn *read;
	sw_log_tail_fn *tail;
	void *owner;
	unsigned life;
	uint64_t apply_ms, reply_ms, rv;
	bool applied, answered, lost;
	struct sw_err err;
	char key[64], name[64], uid[24], pool[32];
	int op, cluster;
	unsigned attempt;
	int64_t lease_s;
	char *text;
	json_t *json;
};

extern struct world *the_world;

struct w_req *world_request(struct world *w, void (*apply)(struct world *w, struct w_req *r), world_done_fn *done,
			    void *owner);
json_t *world_job_json(const struct w_job *j);
void world_clusters_run(struct world *w);

/* world_workers.c, for world_offers.c */
struct sw_worker {
	int at;
};
int world_key_at(const char *key);
void world_tell(struct world *w, int cluster, const char *key);
bool world_cut_off(struct world *w, struct w_req *r);
struct w_req *world_cluster_request(struct sw_worker *w, void (*apply)(struct world *, struct w_req *),
				    const char *name, const char *uid, sw_worker_fn *done, void *owner);
/* world_offers.c */
void world_queue_run(struct world *w, int cluster);   /* its Kueue acts */
void world_mirrors_see(struct world *w, int cluster); /* a fresh list */
void world_mirrors_watch(struct world *w, int cluster);
void world_mirrors_gc(struct world *w, int cluster);
bool world_is_offered(struct world *w, int cluster, int job, unsigned attempt); /* seen admitted, and free */

#endif
