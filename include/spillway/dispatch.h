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
#include "spillway/manager.h"
#include "spillway/metrics.h"
#include "spillway/policy.h"
#include "spillway/workers.h"

struct sw_dispatch;
struct sw_dispatch_options {
	struct sw_loop *loop; struct sw_http *http; struct sw_metrics *metrics;
	const struct sw_config *config;
	const struct sw_catalog *catalog;
	struct sw_manager *manager;       /* lent, outlives */
	struct sw_policy *policy;         /* lent */
};
__attribute__((warn_unused_result)) struct sw_err sw_dispatch_new(const struct sw_dispatch_options *opt, struct sw_dispatch **out);
void sw_dispatch_free(struct sw_dispatch *d);

/* What the command line shows. Each gives a JSON object or array. */
json_t *sw_dispatch_explain(struct sw_dispatch *d, const char *workload_key); /* plan, step, every candidate with verdict and reason; NULL if unknown */
json_t *sw_dispatch_clusters(struct sw_dispatch *d);
json_t *sw_dispatch_pools(struct sw_dispatch *d);
struct sw_workers *sw_dispatch_workers(struct sw_dispatch *d);

/* Live log of a mirrored pod: which cluster runs it (NULL: none). */
struct sw_worker *sw_dispatch_pod_worker(struct sw_dispatch *d, const char *ns, const char *pod);

#endif
