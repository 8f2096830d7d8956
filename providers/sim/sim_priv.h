/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_priv.h - what the files of a simulated cluster share (sim.h is the contract)
 *
 *   cluster.c     start and stop; the API server, the watch on its store
 *   cache.c       every object the controllers need, parsed, with their memories
 *   carry.c       rounds: writes of one reconcile, and what happens when the last has ended
 *   control.c     reconcilers: read the cache, ask a pure function, carry out its plan
 *   scheduler.c   binds pods
 *   logs.c        pods/log;  relay.c: a TCP relay for faults
 *
 * A key is not handed out again before all writes of its round are committed, and the store's event comes right before
 * a write's done: so the next round always sees what the last one wrote, and no expectations are needed.
 */
#ifndef SIM_PRIV_H
#define SIM_PRIV_H

#include <uthash.h>
#include "objects.h"
#include "spillway/keyq.h"
#include "spillway/sim.h"

enum sim_kind { SIM_JOB, SIM_TRAINING, SIM_POD, SIM_NODE, SIM_POOL };

struct sim_object {
	UT_hash_handle hh; /* by key: "RESOURCE|NS/NAME" */
	char *key;
	const char *resource; /* static */
	enum sim_kind kind;
	json_t *o;
	char uid[64];
	uint64_t born; /* order of creation */
	/* pods */
	struct sim_object *next, *prev; /* of the same owner */
	struct sim_owner *owner;
	struct sim_load asks;
	enum sim_phase phase;
	bool deleting;
	bool settled;     /* ended and counted: its job needs it no more */
	const char *node; /* lent from o; NULL: waits for one */
	/* what its controller remembers */
	union {
		struct sim_job_memory job;
		struct sim_training_memory training;
		struct sim_kubelet_memory kubelet;
		struct sim_pool_memory pool;
	};
};

/* The pods of one owner uid; stays while it has any. */
struct sim_owner {
	UT_hash_handle hh;
	char uid[64];
	struct sim_object *pods;
	size_t n;
};

struct sim_relay;
struct sim_log;

struct sw_sim {
	struct sw_loop *loop;
	struct sw_api *api;
	struct sw_sub *sub;
	char *name, *dir, *url;
	char token[65];
	const struct sim_cloud *cloud;
	double scale;
	bool closing;
	struct sim_object *objects;
	struct sim_owner *owners;
	uint64_t births;
	struct sw_reconciler *jobs, *pods, *pools, *scheduler;
	struct sim_relay *relay;
	struct sim_log *logs;
};

static inline struct sim_clock sim_now(const struct sw_sim *s)
{
	return (struct sim_clock){.wall_ms = sw_loop_wall(s->loop), .scale = s->scale};
}

/* ---- cache.c ------------------------------------------------------------------- */

/* ns "" if cluster-scoped. NULL if absent. */
struct sim_object *sim_find(struct sw_sim *s, const char *resource, const char *ns, const char *name);
struct sim_object *sim_find_key(struct sw_sim *s, const char *key);
struct sim_owner *sim_owner_find(struct sw_sim *s, const char *uid);
/* The object with this uid of any kind of job, or NULL. */
bool sim_job_exists(struct sw_sim *s, json_t *pod);
void sim_cache_put(struct sw_sim *s, const struct sw_event *ev);
void sim_cache_drop(struct sw_sim *s);
const char *sim_key(const struct sim_object *x); /* "NS/NAME" */

/* ---- carry.c --------------------------------------------------------------------- */

struct sim_round;
/* The round owns its key. Every write may be given before sim_round_end(), which must be called once: when all have
 * ended, the key is done (again in `again_ms`; 0: settled), or fails and backs off. */
struct sim_round *sim_round_begin(struct sw_sim *s, struct sw_reconciler *r, const char *key);
void sim_round_create(struct sim_round *rd, const char *resource, json_t *o);
void sim_round_update(struct sim_round *rd, const char *resource, json_t *o, const char *sub);
void sim_round_delete(struct sim_round *rd, const char *resource, json_t *o); /* of this uid */
/* status of a copy of o := status; o lent */
void sim_round_status(struct sim_round *rd, const char *resource, json_t *o, json_t *status);
void sim_round_unpin(struct sim_round *rd, const char *resource, json_t *o, const char *finalizer);
/* Told when every write was committed, and only then. events: {warning, reason, message}, lent */
void sim_round_events(struct sim_round *rd, const char *resource, json_t *about, json_t *events);
void sim_round_end(struct sim_round *rd, int64_t again_ms);

/* ---- control.c, scheduler.c -------------------------------------------------------- */

struct sw_err sim_control_start(struct sw_sim *s);
void sim_control_stop(struct sw_sim *s);
/* x changed (gone: it is about to be forgotten): wake who has to look. */
void sim_control_changed(struct sw_sim *s, struct sim_object *x, bool gone);
void sim_schedule(void *owner, const char *key);
void sim_instance_lost(struct sw_sim *s, const char *node);

/* ---- logs.c, relay.c --------------------------------------------------------------- */

extern const struct sw_log_source sim_log_source;
void sim_logs_stop(struct sw_sim *s);

__attribute__((warn_unused_result)) struct sw_err sim_relay_new(struct sw_loop *loop, int to_port,
								struct sim_relay **out);
void sim_relay_free(struct sim_relay *r);
int sim_relay_port(const struct sim_relay *r);
void sim_relay_fault(struct sim_relay *r, enum sw_sim_fault f);

#endif
