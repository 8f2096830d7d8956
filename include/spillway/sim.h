/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.h - simulated worker clusters: a Kubernetes API with controllers, nodes and growable node pools behind it
 *
 * One struct sw_sim is one cluster: an API server (api.h, as a worker) with an ephemeral store of its own, and in
 * the same process what a cluster has besides: job controller, training operator, scheduler, kubelets, node
 * pools. Everybody else sees it over HTTPS only, like any Kubernetes. providers/sim/README.md says what is imitated and
 * what is not.
 *
 * Time: what the cluster takes time for (run times, deadlines, back-off, growth of pools) passes `scale` times as fast
 * as the clock; timestamps are wall-clock time.
 *
 * On a pod template:
 *   sim.spillway.dev/run: 90s              how long a container runs (simulated time; default 10s)
 *   sim.spillway.dev/exit-code: "3"        how it ends (default 0)
 *   sim.spillway.dev/fail-indexes: "2,5-7" completion (or replica) indexes that end with that code (1 if it is not
 * given); others end well sim.spillway.dev/log: TEXT             what it prints, line by line over its run
 *
 * Ownership  sw_sim_new() gives. Loop thread only.
 */
#ifndef SPILLWAY_SIM_H
#define SPILLWAY_SIM_H

#include "spillway/api.h"
#include "spillway/catalog.h"
#include "spillway/metrics.h"

/* ---- what to simulate: clusters.yaml --------------------------------------------- */

/* Nodes of one kind: fixed (min = max), or a pool. */
struct sw_sim_group {
	char *name, *machine, *model /* "": no GPU */, *zone;
	int gpus, initial, min, max, quota /* nodes the cloud grants in all; -1: no limit */;
	int64_t cpu_milli, memory_bytes; /* of the machine; nodes offer a little less */
	int64_t grow_ms;                 /* simulated */
	double price_hour;               /* NAN: unknown */
	int64_t priced_at_ms;
	bool growable, spot, stockout;
	bool exclusive; /* tainted spillway.dev/burst=NAME */
	json_t *labels; /* more labels, or NULL */
};
struct sw_sim_spec {
	char *name, *cloud /* "onprem", "gke", "aks" */, *region;
	double scale;
	struct sw_sim_group *groups;
	size_t n_groups;
};
struct sw_sim_specs {
	struct sw_sim_spec *at;
	size_t n;
};
/* Machine types of known clouds take what they hold and cost from the catalog unless the file says it. Errors
 * name file:line:column. gives. */
__attribute__((warn_unused_result)) struct sw_err sw_sim_specs_parse(const char *name, const char *text, size_t len,
								     const struct sw_catalog *catalog,
								     struct sw_sim_specs **out);
void sw_sim_specs_free(struct sw_sim_specs *s); /* NULL is fine */

/* ---- a cluster ------------------------------------------------------------------------ */

struct sw_sim;
struct sw_sim_options {
	const char *dir; /* parent of its data directory; NULL: /tmp. The data directory is removed at the end */
	struct sw_metrics *metrics; /* or NULL */
	bool relay;                 /* serve through a relay, so that sw_sim_fault() works */
};
/* spec is lent for the call. When it returns, the API answers; pools and fixed nodes follow within a moment. */
__attribute__((warn_unused_result)) struct sw_err sw_sim_new(struct sw_loop *loop, const struct sw_sim_spec *spec,
							     const struct sw_sim_options *opt, struct sw_sim **out);
void sw_sim_free(struct sw_sim *s); /* NULL is fine */
const char *sw_sim_name(const struct sw_sim *s);
const char *sw_sim_url(const struct sw_sim *s);
struct sw_api *sw_sim_api(struct sw_sim *s); /* lent */
/* Credentials of an administrator, mode 0600. */
__attribute__((warn_unused_result)) struct sw_err sw_sim_kubeconfig_write(struct sw_sim *s, const char *path);

/* Faults. HANG: connections are kept and nothing passes. CUT: open connections break, new ones are closed at once. */
enum sw_sim_fault { SW_SIM_OK, SW_SIM_HANG, SW_SIM_CUT };
void sw_sim_fault(struct sw_sim *s, enum sw_sim_fault f); /* needs options.relay */
void sw_sim_stockout(struct sw_sim *s, const char *pool, bool on);
/* The machine is gone at once, as a preempted spot instance; its pool buys no other. */
void sw_sim_node_lose(struct sw_sim *s, const char *node);

#endif
