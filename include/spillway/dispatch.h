/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch.h - the dispatcher: view -> plan (policy) -> step (pure) -> carry out
 *
 * sw_gateway_* puts the rooms together: manager, workers, burst, policy, dispatch. The daemon, the
 * demo, the tests and the benchmarks all start it through here.
 */
#ifndef SPILLWAY_DISPATCH_H
#define SPILLWAY_DISPATCH_H

#include "spillway/burst.h"
#include "spillway/catalog.h"
#include "spillway/config.h"
#include "spillway/decision.h"
#include "spillway/manager.h"
#include "spillway/metrics.h"
#include "spillway/policy.h"
#include "spillway/workers.h"

struct sw_dispatch;
struct sw_dispatch_options {
	struct sw_loop *loop;
	struct sw_http *http;
	struct sw_metrics *metrics;
	const struct sw_config *config;
	const struct sw_cluster_set
		*clusters; /* lent, outlives: those that are wanted now; NULL: the configuration's */
	const struct sw_catalog *catalog;
	struct sw_manager *manager;         /* lent, outlives */
	struct sw_policy *policy;           /* lent */
	const struct sw_policy_rule *rules; /* lent, first match wins; may be NULL */
	size_t n_rules;
	struct sw_policy *fallback;        /* lent, outlives: decides while the policy fails; NULL: jobs are held */
	struct sw_decision_log *decisions; /* lent, outlives; or NULL */
};
/* Calls manager->watch(). Workers and burst are opened when the manager is synced and the installation's identity is
 * durable; until then sw_dispatch_workers() is NULL. */
__attribute__((warn_unused_result)) struct sw_err sw_dispatch_new(const struct sw_dispatch_options *opt,
								  struct sw_dispatch **out);
/* The manager must make no call to us after it: close it before the loop turns again. */
void sw_dispatch_free(struct sw_dispatch *d);

/* The catalog that it was lent has other tables: jobs that wait look again. */
void sw_dispatch_catalog_changed(struct sw_dispatch *d);
/* Decides by these policies from now on (lent, outlive); jobs that wait look again, plans that stand go on. */
void sw_dispatch_set_policies(struct sw_dispatch *d, struct sw_policy *policy, const struct sw_policy_rule *rules,
			      size_t n_rules);

/* What the command line shows. Each gives a JSON object or array. */
/* Plan, step, every candidate with verdict and reason; NULL if unknown. "complete": false while the job is being read:
 * ask again a moment later. */
json_t *sw_dispatch_explain(struct sw_dispatch *d, const char *workload_key);
/* Where a job would go if it were submitted now, by the present view and policy: as explain, with "choice", "reason"
 * and "needs". Changes nothing. job: lent. */
__attribute__((warn_unused_result)) struct sw_err sw_dispatch_preview(struct sw_dispatch *d, json_t *job,
								      const char *ns, json_t **out);
json_t *sw_dispatch_clusters(struct sw_dispatch *d);
json_t *sw_dispatch_pools(struct sw_dispatch *d);
struct sw_workers *sw_dispatch_workers(struct sw_dispatch *d); /* NULL until the identity is durable */

/* The manager's store is an older one than a moment ago: as after a start with a restored copy, nothing is placed or
 * deleted until an operator accepts it. The clusters' claims say so too, to whoever starts next. Repeating it is fine.
 */
void sw_dispatch_store_set_back(struct sw_dispatch *d);
/* The store was restored from an older copy, an operator has read what was found, and says: go on with it. Copies that
 * it does not know are then garbage (under the brake on mass deletion). INVALID if no cluster has seen a newer store.
 */
__attribute__((warn_unused_result)) struct sw_err sw_dispatch_accept_store(struct sw_dispatch *d);

/*
 * What operators say about a cluster. DRAIN: no new jobs, those that are placed there go on. DECLARE_DEAD: its jobs are
 * moved without waiting for it; only for a cluster that does not answer, and only once somebody has seen to it that its
 * copies do not run. When it answers again they are read, then deleted, and it takes nothing until UNDECLARE. REMOVE:
 * refused while anything of ours is placed or lies there. Durable; repeating a word changes nothing.
 *
 * MISSING: no such cluster. CONFLICT: not as things stand, with the reason. Both are returned at once. result: lent, an
 * object {cluster, state, reachable, placed, copies, jobs: [workload keys, 20 at most], message}; NULL with an error.
 * CANCELED when the dispatcher is freed first.
 */
enum sw_cluster_word {
	SW_CLUSTER_DRAIN,
	SW_CLUSTER_UNDRAIN,
	SW_CLUSTER_DECLARE_DEAD,
	SW_CLUSTER_UNDECLARE,
	SW_CLUSTER_REMOVE
};
typedef void sw_cluster_word_fn(void *owner, struct sw_err err, json_t *result);
__attribute__((warn_unused_result)) struct sw_err sw_dispatch_cluster_word(struct sw_dispatch *d, const char *cluster,
									   enum sw_cluster_word word,
									   sw_cluster_word_fn *done, void *owner);
enum sw_cluster_state { SW_CLUSTER_OPEN, SW_CLUSTER_DRAINED, SW_CLUSTER_DEAD, SW_CLUSTER_REMOVED };
enum sw_cluster_state sw_dispatch_cluster_state(const struct sw_dispatch *d, const char *cluster);
const char *sw_cluster_state_name(enum sw_cluster_state s); /* "open", "drained", ... */

/*
 * Clusters that come and go while it runs. Both are level-triggered and take the set in the options as changed already:
 * before the workers are opened there is nothing else to do.
 *
 * join: it is opened, or takes new jobs again if it was leaving; jobs that wait look at it as soon as it is in reach.
 * leave: false, with why, as long as something of ours is or may be there, or it cannot be asked (unless an operator
 * declared it dead or removed it); until then it takes no new jobs if `drain`, and whoever calls calls again. true: it
 * is forgotten, and so is that it was removed; its cfg is not used any more.
 */
__attribute__((warn_unused_result)) struct sw_err sw_dispatch_cluster_join(struct sw_dispatch *d,
									   const struct sw_cluster_cfg *cfg);
bool sw_dispatch_cluster_leave(struct sw_dispatch *d, const char *cluster, bool drain, char why[300]);

/* The pods of a job that are on its cluster now: [{name, cluster, containers}]. gives. */
json_t *sw_dispatch_pods(struct sw_dispatch *d, const char *workload_key);
/* Live log of a mirrored pod: which cluster runs it (NULL: none). */
struct sw_worker *sw_dispatch_pod_worker(struct sw_dispatch *d, const char *ns, const char *pod);

#endif
