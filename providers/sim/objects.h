/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects.h - the objects of a simulated cluster: NodePools, Nodes, pods as kubelets report them. Pure.
 *
 * NodePool (sim.spillway.dev/v1, cluster-scoped) is what providers/sim talks to in place of a cloud's API:
 *
 *   spec    machineType model gpus gpuResource cpu memory (of a fresh node: allocatable) region zone minNodes maxNodes
 *           desired quota (-1: none) spot growable exclusive stockout growSeconds priceHour pricedAt labels release[]
 *   status  nodes ready growMillis (real) labelKey instances[{id,node,state}] errors[{code,message,time}]
 * observedGeneration
 *
 * desired is what is asked for; instances named in release go and are not replaced: who names them lowers
 * desired by as many in the same write.
 */
#ifndef SIM_OBJECTS_H
#define SIM_OBJECTS_H

#include "plan.h"
#include "spillway/sim.h"

#define SIM_POOLS         "nodepools.sim.spillway.dev"
#define SIM_API           "sim.spillway.dev/v1"
#define SIM_TOKENS        "sim.spillway.dev/tokens" /* annotation of a NodePool: the last growths, comma separated */
#define SIM_RUN           "sim.spillway.dev/run"
#define SIM_EXIT_CODE     "sim.spillway.dev/exit-code"
#define SIM_FAIL          "sim.spillway.dev/fail-indexes"
#define SIM_LOG           "sim.spillway.dev/log"
#define SIM_PODS_PER_NODE 110

struct sim_cloud {
	const char *name;
	const char *pool_label; /* the one that selects a pool */
	const char *stockout_code, *quota_code;
};
const struct sim_cloud *sim_cloud_find(const char *name); /* onprem if unknown */

json_t *sim_pool_object(const struct sw_sim_spec *spec, const struct sw_sim_group *g); /* gives */
/* Name of the n-th node of a pool, unique with `seed`. gives. */
char *sim_node_name(const struct sim_cloud *cloud, const char *cluster, const char *pool, unsigned seed, int n);
json_t *sim_node_object(const struct sim_cloud *cloud, json_t *pool, const char *name); /* gives */
json_t *sim_node_status(json_t *pool, const char *name, int64_t wall_ms);               /* gives */
/* What the cloud says when it has no machine, or grants none. gives. */
json_t *sim_pool_error(const struct sim_cloud *cloud, json_t *pool, bool quota, int64_t wall_ms);

/* ---- pools as a pure function ------------------------------------------------------ */

enum sim_instance_state { SIM_CREATING, SIM_READY, SIM_DELETING };
/* made: its Node is to exist. An instance that is not listed any more has none. */
struct sim_instance {
	char id[96];
	enum sim_instance_state state;
	int64_t due_ms;
	bool made;
};
struct sim_pool_memory {
	struct sim_instance *at; /* owned; sim_pool_memory_fini() */
	size_t n;
	int made; /* instances ever asked for: the next ordinal */
	unsigned seed;
	int64_t stockout_ms;                /* when the failing growth gives up; 0: none is failing */
	int64_t failed_generation, fall_to; /* the growth that failed, and the size it falls back to; 0: none */
	json_t *error;                      /* of the last growth, or NULL */
};
struct sim_pool_plan {
	json_t *status;  /* new status, or NULL */
	int64_t desired; /* spec.desired has to fall back to this, once the status is written; -1: no */
	int64_t again_ms;
};
void sim_pool_plan(const struct sim_cloud *cloud, const char *cluster, json_t *pool, const struct sim_clock *clock,
		   struct sim_pool_memory *mem, struct sim_pool_plan *out);
void sim_pool_plan_fini(struct sim_pool_plan *p);
void sim_pool_memory_fini(struct sim_pool_memory *m);

/* ---- scheduling as a pure function -------------------------------------------------- */

enum { SIM_RESOURCES = 6 };
struct sim_amount {
	char name[48];
	int64_t milli;
};
struct sim_load {
	struct sim_amount at[SIM_RESOURCES];
	size_t n;
	bool too_many;
}; /* "pods" included */
void sim_load_of_pod(json_t *pod, struct sim_load *out);
void sim_load_of_node(json_t *node, struct sim_load *out); /* allocatable */
void sim_load_take(struct sim_load *from, const struct sim_load *amount, int sign);
int64_t sim_load_get(const struct sim_load *l, const char *name);
/* NULL if the pod may run there; otherwise the scheduler's words, in buf. `free`: allocatable less what runs there. */
const char *sim_misfit(json_t *pod, const struct sim_load *asks, json_t *node, const struct sim_load *free,
		       char buf[160]);

/* ---- kubelet as a pure function --------------------------------------------------------- */

struct sim_kubelet_memory {
	int64_t start_ms, end_ms, stop_ms;
	int64_t began_ms /* wall: this run of the containers */;
	int64_t run_ms /* real */;
};
struct sim_kubelet_plan {
	json_t *status, *events; /* status NULL: unchanged */
	bool unpin;              /* SIM_KUBELET goes: containers have ended */
	int64_t again_ms;
};
/* node NULL: it is gone, and its pods with it. */
void sim_kubelet_plan(json_t *pod, json_t *node, const struct sim_clock *clock, struct sim_kubelet_memory *mem,
		      struct sim_kubelet_plan *out);
void sim_kubelet_plan_fini(struct sim_kubelet_plan *p);
int64_t sim_pod_run_ms(json_t *pod); /* simulated */
int sim_pod_exit_code(json_t *pod);  /* it will end with */
/* Lines that the pod prints in all, array of strings. node may be NULL. gives. */
json_t *sim_pod_lines(json_t *pod, json_t *node);

#endif
