/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider.h - what a place that offers capacity must supply: one const struct of functions
 *
 * A provider knows pools of nodes: lists them with their prices, quota and errors, grows one by some
 * nodes, and releases named instances. It knows nothing of jobs. To add one: a folder under
 * providers/ and a line in SW_PROVIDER_MAP.
 *
 * grow() carries a token: repeating a call with the same token never grows twice, because
 * after a crash the caller repeats what it intended. release() names instances and is
 * idempotent by nature. Async contract as in http.h.
 */
#ifndef SPILLWAY_PROVIDER_H
#define SPILLWAY_PROVIDER_H

#include "spillway/catalog.h"
#include "spillway/config.h"
#include "spillway/kube.h"

struct sw_pool {               /* strings lent with the state they came in */
	const char *name;      /* unique in the cluster */
	const char *model;     /* catalog model, "" = no GPU, "unknown" */
	const char *model_why; /* static: why the model is unknown; or NULL */
	const char *machine, *region, *zone;
	const char *gpu_resource; /* what its nodes count; NULL: the model's own name for it */
	const char *topology;     /* of the TPU slice its nodes form: "2x4"; NULL: none, or unknown */
	int gpus;                 /* per node; allocatable of a fresh node: */
	int64_t cpu_milli, memory_bytes;
	int size, target; /* nodes that exist; nodes asked for */
	int min, max;
	int quota_left; /* more nodes the cloud would grant; -1 unknown */
	bool growable, spot;
	double price_hour; /* per node, of what the pool buys (spot price if spot); NAN unknown; 0 for owned hardware
			      only if somebody said so */
	int64_t priced_at_ms;
	int64_t grow_eta_ms; /* usual time from asking to Ready */
	const char *taint;   /* value of SW_TAINT_BURST on its nodes, NULL: none */
	/* Node label that selects the pool. Key NULL or "": it selects no nodes (yet); if it cannot grow either, it
	 * only says what an hour costs in the pool of that name that the gateway makes up itself ("*": in any such
	 * pool). */
	const char *label_key, *label_value;
};
struct sw_instance {
	const char *id, *node, *pool;
};
enum sw_pool_fault { SW_FAULT_STOCKOUT, SW_FAULT_QUOTA, SW_FAULT_OTHER };
struct sw_pool_error {
	const char *pool;
	enum sw_pool_fault fault;
	int64_t at_ms;
	const char *message;
};

struct sw_provider_state {
	const struct sw_pool *pools;
	size_t n_pools;
	const struct sw_instance *instances;
	size_t n_instances;
	const struct sw_pool_error *errors;
	size_t n_errors; /* since the last grow of each pool */
};

struct sw_provider; /* one opened instance: first member `const struct sw_provider_ops *ops` */
typedef void sw_provider_list_fn(void *owner, struct sw_err err, const struct sw_provider_state *state); /* lent */
typedef void sw_provider_fn(void *owner, struct sw_err err);

struct sw_provider_env {
	struct sw_loop *loop;
	struct sw_http *http;
	struct sw_kube *kube;
	const struct sw_catalog *catalog;
};

struct sw_provider_ops {
	const char *name;
	/* cfg lent and outlives the instance. The kube client of the cluster is lent in env. gives. */
	struct sw_err (*open)(const struct sw_provider_env *env, const struct sw_cluster_cfg *cfg,
			      struct sw_provider **out);
	void (*close)(struct sw_provider *p); /* no callback comes after it */
	struct sw_err (*list)(struct sw_provider *p, sw_provider_list_fn *done, void *owner);
	/* optional: NULL where nothing can grow */
	struct sw_err (*grow)(struct sw_provider *p, const char *pool, int delta, const char *token,
			      sw_provider_fn *done, void *owner);
	struct sw_err (*release)(struct sw_provider *p, const char *pool, const char *const *ids, size_t n,
				 sw_provider_fn *done, void *owner);
};
struct sw_provider {
	const struct sw_provider_ops *ops;
};

#define SW_PROVIDER_MAP(X) X(static) X(sim)
#define X(id)              extern const struct sw_provider_ops sw_provider_##id;
SW_PROVIDER_MAP(X)
#undef X
const struct sw_provider_ops *sw_provider_find(const char *name); /* NULL if there is none */
const char *const *sw_provider_names(int *n);                     /* for "did you mean" */

#endif
