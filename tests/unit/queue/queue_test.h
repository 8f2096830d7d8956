/* SPDX-License-Identifier: Apache-2.0 */
/* queue_test.h - a queue with one ClusterQueue "cq" (flavor "any", cpu and GPUs) behind LocalQueue ns/lq */
#ifndef SPILLWAY_QUEUE_TEST_H
#define SPILLWAY_QUEUE_TEST_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "../../support/json_of.h"
#include "spillway/queue.h"
#include "spillway/text.h"

static inline struct sw_err define(struct sw_queue *q, const char *cq, const char *object)
{
	json_t *o = object ? json_of(object) : NULL;
	struct sw_err e = sw_queue_cluster_queue(q, cq, o);

	json_object_put(o);
	return e;
}

static inline struct sw_err define_local(struct sw_queue *q, const char *lq, const char *object)
{
	json_t *o = object ? json_of(object) : NULL;
	struct sw_err e = sw_queue_local_queue(q, "ns", lq, o);

	json_object_put(o);
	return e;
}

#define CQ(cpu, gpu, more)                                                                                             \
	"{'spec':{'namespaceSelector':{},'resourceGroups':[{'coveredResources':['cpu','nvidia.com/"                    \
	"gpu'],'flavors':[{'name':'any',"                                                                              \
	"'resources':[{'name':'cpu','nominalQuota':'" #cpu "'},{'name':'nvidia.com/gpu','nominalQuota':" #gpu          \
	"}]}]}]" more "}}"

static inline struct sw_queue *queue_with(const char *cq_object)
{
	struct sw_queue *q;
	json_t *flavor = json_object_new_object();

	cr_assert(!sw_failed(sw_queue_new(&q)));
	cr_assert(!sw_failed(sw_queue_flavor(q, "any", flavor)));
	struct sw_err e = define(q, "cq", cq_object);

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert(!sw_failed(define_local(q, "lq", "{'spec':{'clusterQueue':'cq'}}")));
	json_object_put(flavor);
	return q;
}

static inline struct sw_queue_item item(const char *key, int priority, int64_t created,
					struct sw_queue_amount amounts[2], int64_t cpu, int64_t gpu)
{
	amounts[0] = (struct sw_queue_amount){"cpu", cpu * 1000};
	amounts[1] = (struct sw_queue_amount){"nvidia.com/gpu", gpu * 1000};
	return (struct sw_queue_item){.key = key,
				      .local_queue = "lq",
				      .priority = priority,
				      .created_ms = created,
				      .amounts = amounts,
				      .n_amounts = gpu ? 2 : 1};
}

static inline void put(struct sw_queue *q, const char *key, int priority, int64_t created, int64_t cpu, int64_t gpu)
{
	struct sw_queue_amount a[2];
	struct sw_queue_item it = item(key, priority, created, a, cpu, gpu);

	sw_queue_put(q, &it);
}

/* The keys that may run now, separated by blanks, in buf. */
static inline const char *drain(struct sw_queue *q, char buf[512])
{
	struct sw_queue_pick pick;

	buf[0] = '\0';
	while (sw_queue_next(q, 0, &pick))
		snprintf(buf + strlen(buf), 512 - strlen(buf), "%s%s", *buf ? " " : "", pick.key);
	return buf;
}

#endif
