/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.h - the embedded manager's quota: who may run next, as a pure decision
 *
 * One level: ClusterQueues with resource groups of flavors and a nominal quota per flavor and
 * resource; no borrowing, no preemption. Priority first, then creation time. StrictFIFO: the
 * head blocks its queue; BestEffortFIFO: those behind it that fit may pass. stopPolicy
 * Hold (no more admissions) and HoldAndDrain (and those admitted are evicted).
 * Semantics and names: Kueue v1beta2 ClusterQueue, LocalQueue, ResourceFlavor.
 *
 * No I/O, no clock: time is a parameter. Items are compact (tens of bytes + key): 50,000 wait in a few MiB.
 */
#ifndef SPILLWAY_QUEUE_H
#define SPILLWAY_QUEUE_H

#include "spillway/err.h"
#include "spillway/json.h"

struct sw_queue;
__attribute__((warn_unused_result)) struct sw_err sw_queue_new(struct sw_queue **out);
void sw_queue_free(struct sw_queue *q);

/*
 * Definitions as JSON objects, lent; NULL object: deleted. INVALID with a JSON path when it cannot be honoured
 * (cohortName, borrowingLimit, preemption, fair sharing, node labels of flavors, namespace selectors by other labels
 * than kubernetes.io/metadata.name: refused by name, never ignored); the definition before then stays. q NULL: only
 * checks.
 */
__attribute__((warn_unused_result)) struct sw_err sw_queue_cluster_queue(struct sw_queue *q, const char *name,
									 json_t *object);
__attribute__((warn_unused_result)) struct sw_err sw_queue_local_queue(struct sw_queue *q, const char *ns,
								       const char *name, json_t *object);
__attribute__((warn_unused_result)) struct sw_err sw_queue_flavor(struct sw_queue *q, const char *name, json_t *object);

struct sw_queue_amount {
	const char *resource;
	int64_t milli;
};
struct sw_queue_item {
	const char *key;         /* "ns/name" of the Workload */
	const char *local_queue; /* in the same namespace */
	int32_t priority;
	int64_t created_ms, not_before_ms;
	const struct sw_queue_amount *amounts;
	size_t n_amounts; /* sums over all pods; names are interned */
};
/* Waiting. Replaces an earlier item of this key. */
void sw_queue_put(struct sw_queue *q, const struct sw_queue_item *item);
/* Holds quota already (after a restart): flavors as sw_queue_pick.flavor, one per amount. */
void sw_queue_put_admitted(struct sw_queue *q, const struct sw_queue_item *item, const char *cluster_queue,
			   const char *const *flavors);
void sw_queue_remove(struct sw_queue *q, const char *key); /* waiting or admitted: quota returns */

enum sw_queue_place { SW_QUEUE_ABSENT, SW_QUEUE_WAITS, SW_QUEUE_HOLDS };
enum sw_queue_place sw_queue_place(const struct sw_queue *q, const char *key);

struct sw_queue_pick {
	const char *key, *cluster_queue;
	const char *flavor[16]; /* per amount of the item */
};
/* The next workload that may run now, already counted as admitted; false: none. Call until false. Lent until the next
 * call. */
bool sw_queue_next(struct sw_queue *q, int64_t now_ms, struct sw_queue_pick *out);
int64_t sw_queue_next_due_ms(const struct sw_queue *q); /* earliest not_before_ms worth another look; INT64_MAX: none */
/* Admitted, but its queue says HoldAndDrain: evict. false: none. */
bool sw_queue_drain(struct sw_queue *q, const char **key);
/* Why a waiting item does not run, for people ("ClusterQueue team: 12 of 8 nvidia.com/gpu in flavor any"). Lent. */
const char *sw_queue_why(struct sw_queue *q, const char *key, int64_t now_ms);
int64_t sw_queue_position(struct sw_queue *q, const char *key); /* 1 = next in its ClusterQueue; 0: not waiting */
/* May it admit? false: reason is Kueue's for the condition Active ("Stopped", "FlavorNotFound", "NotFound"), why is for
 * people. */
bool sw_queue_active(const struct sw_queue *q, const char *cluster_queue, const char **reason, char why[160]);
bool sw_queue_local_active(const struct sw_queue *q, const char *ns, const char *local_queue, const char **reason,
			   char why[160]);
const char *sw_queue_of(const struct sw_queue *q, const char *ns,
			const char *local_queue); /* its ClusterQueue's name, or NULL */
/* stopPolicy of the LocalQueue or its ClusterQueue, whichever is stricter. */
enum sw_queue_stop { SW_QUEUE_RUNS, SW_QUEUE_HOLD, SW_QUEUE_DRAIN };
enum sw_queue_stop sw_queue_stopped(const struct sw_queue *q, const char *ns, const char *local_queue);
struct sw_queue_usage {
	const char *flavor, *resource;
	int64_t nominal_milli, used_milli;
};
/* Every flavor and resource of a ClusterQueue in its order; local "ns/name" or NULL: used by that LocalQueue only.
 * Writes at most max; returns how many there are. */
size_t sw_queue_usage(const struct sw_queue *q, const char *cluster_queue, const char *local,
		      struct sw_queue_usage *out, size_t max);
struct sw_queue_counts {
	uint64_t pending, admitted;
};
struct sw_queue_counts sw_queue_count(const struct sw_queue *q, const char *cluster_queue);
struct sw_queue_counts sw_queue_count_local(const struct sw_queue *q, const char *ns, const char *local_queue);
int64_t sw_queue_used(const struct sw_queue *q, const char *cluster_queue, const char *flavor, const char *resource);

#endif
