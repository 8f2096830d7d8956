/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nominate.h - the nominate role: Kueue's MultiKueue mirrors, spillway says where to
 *
 * On a manager whose Kueue has multiKueue.dispatcherName spillway.dev/dispatcher, a workload with quota waits until
 * somebody names clusters for it. The policy is asked, and its steps become rounds: the clusters of one step are
 * nominated, and after that step's patience those of the next are added. Nothing is ever taken back by us: a worker's
 * copy may be admitted at any moment, and Kueue insists that the winner is one of those nominated then.
 *
 * The only field that is written is .status.nominatedClusterNames of Workloads. Nothing else is kept anywhere: a
 * restart reads from that field which round it is in, and from the object's managed fields when the round began. Two
 * gateways at once do no harm, as each write carries the resourceVersion it was decided on.
 *
 * Works for everything that MultiKueue mirrors, pods and groups of pods too: only the Workload's pod sets are read.
 * Kueue on the manager clears the nomination when it names the winner, but only if it owns the field or a policy does
 * it: enum sw_nominate_way.
 */
#ifndef SPILLWAY_NOMINATE_H
#define SPILLWAY_NOMINATE_H

#include "spillway/config.h"
#include "spillway/http.h"
#include "spillway/policy.h"
#include "spillway/workers.h"

#define SW_NOMINATE_DISPATCHER "spillway.dev/dispatcher" /* multiKueue.dispatcherName */
#define SW_NOMINATE_CONTROLLER "kueue.x-k8s.io/multikueue"

/*
 * How the field can be written so that Kueue can clear it:
 *   APPLY  server-side apply as Kueue's own field manager, with every status field which that one owns: always works
 *   PATCH  a merge patch: works where the policy clear-nominated-cluster-names is installed (Kueue,
 *          config/components/map), and where Kueue itself patches (its gate WorkloadRequestUseMergePatch)
 */
enum sw_nominate_way { SW_NOMINATE_APPLY, SW_NOMINATE_PATCH };

struct sw_nominate_options { /* lent, outlives */
	struct sw_loop *loop;
	const struct sw_config *config;        /* manager_kubeconfig says where the manager is; "": the pod we run in */
	const struct sw_cluster_set *clusters; /* those to look at, now; NULL: the configuration's */
	const struct sw_catalog *catalog;
	struct sw_policy *policy, *fallback; /* fallback is asked when policy fails; NULL: workloads wait then */
	const struct sw_policy_rule *rules;  /* first match wins; may be NULL */
	size_t n_rules;
	struct sw_metrics *metrics; /* or NULL */
	struct sw_http *http;
	/* A policy decided, or failed (plan NULL): for records. All lent. NULL: nobody wants to know. */
	void (*on_decided)(void *owner, const struct sw_policy *policy, const struct sw_policy_input *in,
			   const struct sw_policy_plan *plan, const char *error);
	void *owner;
};
struct sw_nominate;

__attribute__((warn_unused_result)) struct sw_err sw_nominate_new(const struct sw_nominate_options *opt,
								  struct sw_nominate **out);
void sw_nominate_free(struct sw_nominate *n); /* NULL is fine */
/* The catalog that it was lent has other tables. */
void sw_nominate_catalog_changed(struct sw_nominate *n);
/* Decides by these policies from now on (lent, outlive); the old ones may go. */
void sw_nominate_set_policies(struct sw_nominate *n, struct sw_policy *policy, const struct sw_policy_rule *rules,
			      size_t n_rules);
/* A cluster to look at came, or went (its cfg is not used any more). The set in the options is changed already. */
__attribute__((warn_unused_result)) struct sw_err sw_nominate_cluster_join(struct sw_nominate *n,
									   const struct sw_cluster_cfg *cfg);
void sw_nominate_cluster_leave(struct sw_nominate *n, const char *cluster);
struct sw_kube *sw_nominate_kube(struct sw_nominate *n); /* the client of the manager's API server; lent */
/* In sight of everything it needs? why: what is missing, lent until the loop turns. */
bool sw_nominate_ready(const struct sw_nominate *n, const char **why);
/* gives: one object per workload that waits for a place: what was nominated, until when, why not more. */
json_t *sw_nominate_view(const struct sw_nominate *n);
/* gives: the plan, every cluster of the check with what is known of it, and what it waits for; MISSING says why there
 * is nothing to tell. kind: "Job", "Pod", ... */
__attribute__((warn_unused_result)) struct sw_err sw_nominate_explain(struct sw_nominate *n, const char *kind,
								      const char *ns, const char *name, json_t **out);
/* gives: the clusters of the MultiKueue checks, and what is known of each. */
json_t *sw_nominate_clusters(const struct sw_nominate *n);

#endif
