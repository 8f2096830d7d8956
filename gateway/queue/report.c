/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - what the queue can say about itself: why something waits, in which place, how much is used
 */
#include <stdio.h>
#include <string.h>
#include "queue_priv.h"
#include "spillway/text.h"

static const struct item *find(const struct sw_queue *q, const char *key)
{
	return sw_keymap_find(&q->items, key);
}

enum sw_queue_place sw_queue_place(const struct sw_queue *q, const char *key)
{
	const struct item *it = find(q, key);

	return !it ? SW_QUEUE_ABSENT : it->where == ADMITTED ? SW_QUEUE_HOLDS : SW_QUEUE_WAITS;
}

static void why_orphan(struct sw_queue *q, const struct item *it)
{
	const struct lqueue *lq = it->lq;
	struct cqueue *cq = queue_lq_cq(q, lq);

	if (!lq->cq_name)
		snprintf(q->why, sizeof(q->why), "LocalQueue %.200s does not exist", lq->key);
	else if (!cq)
		snprintf(q->why, sizeof(q->why), "ClusterQueue %.100s of LocalQueue %.150s does not exist", lq->cq_name,
			 lq->key);
	else if (lq->stop != SW_QUEUE_RUNS)
		snprintf(q->why, sizeof(q->why), "LocalQueue %.200s is stopped", lq->key);
	else if (cq->def->ns_mode == NS_NONE)
		snprintf(q->why, sizeof(q->why),
			 "ClusterQueue %.100s has no namespaceSelector and so serves no namespace; {} serves all",
			 cq->name);
	else
		snprintf(q->why, sizeof(q->why), "ClusterQueue %.100s does not serve namespace %.*s", cq->name,
			 (int)lq->ns_len, lq->key);
}

static void why_waiting(struct sw_queue *q, const struct item *it)
{
	struct cqueue *cq = it->pile->cq;
	const char *flavor[AMOUNTS_MAX], *reason;
	char when[32];

	(void)when;
	if (!queue_runs(q, cq, &reason, q->why, sizeof(q->why)))
		return;
	if (!queue_fit(q, cq, it->shape, flavor, q->why, sizeof(q->why)))
		return;
	if (cq->blocked && cq->blocked != it)
		snprintf(q->why, sizeof(q->why), "ClusterQueue %.60s is StrictFIFO: waits behind %.200s", cq->name,
			 cq->blocked->key);
	else
		snprintf(q->why, sizeof(q->why), "ClusterQueue %.60s: its turn is next", cq->name);
}

const char *sw_queue_why(struct sw_queue *q, const char *key, int64_t now_ms)
{
	const struct item *it = find(q, key);
	char when[32];

	q->why[0] = '\0';
	if (!it)
		return q->why;
	if (it->where == ORPHAN)
		why_orphan(q, it);
	else if (it->where == WAITING)
		why_waiting(q, it);
	else if (it->where == DELAYED && it->not_before_ms > now_ms)
		snprintf(q->why, sizeof(q->why), "not before %s", sw_time_text(it->not_before_ms, when));
	return q->why;
}

int64_t sw_queue_position(struct sw_queue *q, const char *key)
{
	const struct item *it = find(q, key);
	int64_t before = 0;

	if (!it || it->where != WAITING)
		return 0;
	for (struct pile *p = it->pile->cq->piles; p; p = p->hh.next)
		for (uint32_t i = 0; i < p->items.n; i++)
			before += heap_by_rank.less(p->items.at[i], it);
	return before + 1;
}

struct sw_queue_counts sw_queue_count(const struct sw_queue *q, const char *cluster_queue)
{
	struct cqueue *cq = queue_cq_find(q, cluster_queue);
	struct sw_queue_counts n = {.admitted = cq ? cq->n_admitted : 0};

	for (struct lqueue *lq = q->lqs; cq && lq; lq = lq->hh.next)
		if (lq->cq_name == cq->name)
			n.pending += lq->pending;
	return n;
}

struct sw_queue_counts sw_queue_count_local(const struct sw_queue *q, const char *ns, const char *local_queue)
{
	struct lqueue *lq = queue_lq_find(q, ns, local_queue);

	return lq ? (struct sw_queue_counts){.pending = lq->pending, .admitted = lq->n_admitted}
		  : (struct sw_queue_counts){0};
}

int64_t sw_queue_used(const struct sw_queue *q, const char *cluster_queue, const char *flavor, const char *resource)
{
	struct cqueue *cq = queue_cq_find(q, cluster_queue);
	const char *f = queue_interned(q, flavor), *r = queue_interned(q, resource);
	struct quota *have = cq && f && r ? definition_quota(cq->def, f, r) : NULL;

	return have ? have->used : 0;
}

const char *sw_queue_of(const struct sw_queue *q, const char *ns, const char *local_queue)
{
	struct lqueue *lq = queue_lq_find(q, ns, local_queue);

	return lq ? lq->cq_name : NULL;
}

enum sw_queue_stop sw_queue_stopped(const struct sw_queue *q, const char *ns, const char *local_queue)
{
	struct lqueue *lq = queue_lq_find(q, ns, local_queue);
	struct cqueue *cq = lq ? queue_lq_cq(q, lq) : NULL;
	enum sw_queue_stop here = lq ? lq->stop : SW_QUEUE_RUNS;

	return cq && cq->def->stop > here ? cq->def->stop : here;
}

bool sw_queue_active(const struct sw_queue *q, const char *cluster_queue, const char **reason, char why[160])
{
	return queue_runs(q, queue_cq_find(q, cluster_queue), reason, why, 160);
}

bool sw_queue_local_active(const struct sw_queue *q, const char *ns, const char *local_queue, const char **reason,
			   char why[160])
{
	struct lqueue *lq = queue_lq_find(q, ns, local_queue);
	struct cqueue *cq = lq ? queue_lq_cq(q, lq) : NULL;

	*reason = "NotFound";
	snprintf(why, 160, "LocalQueue %.60s/%.60s does not exist", ns, local_queue);
	if (!lq || !lq->cq_name)
		return false;
	if (lq->stop != SW_QUEUE_RUNS) {
		*reason = "Stopped";
		snprintf(why, 160, "LocalQueue is stopped");
		return false;
	}
	*reason = "ClusterQueueDoesNotExist";
	snprintf(why, 160, "Can't submit new workloads to clusterQueue");
	if (!cq)
		return false;
	if (!queue_runs(q, cq, reason, why, 160)) {
		*reason = "ClusterQueueIsInactive";
		return false;
	}
	snprintf(why, 160, "Can submit new workloads to localQueue");
	return true;
}

/* What items of one LocalQueue use of a flavor and resource. */
static int64_t used_by(const struct cqueue *cq, const char *local, const char *flavor, const char *resource)
{
	int64_t sum = 0;

	for (size_t i = 0; i < cq->n_admitted; i++) {
		const struct item *it = cq->admitted[i];

		if (strcmp(it->lq->key, local) != 0)
			continue;
		for (size_t a = 0; a < it->shape->n; a++)
			if (it->shape->at[a].resource == resource && it->hold->flavor[a] == flavor)
				sum += it->shape->at[a].milli;
	}
	return sum;
}

size_t sw_queue_usage(const struct sw_queue *q, const char *cluster_queue, const char *local,
		      struct sw_queue_usage *out, size_t max)
{
	struct cqueue *cq = queue_cq_find(q, cluster_queue);
	const struct definition *d = cq ? cq->def : NULL;
	size_t n = 0;

	for (size_t i = 0; d && i < d->n_groups; i++) {
		const struct fgroup *g = &d->groups[i];

		for (size_t j = 0; j < g->n_flavors * g->n_resources; j++, n++) {
			const char *flavor = g->flavors[j / g->n_resources],
				   *resource = g->resources[j % g->n_resources];

			if (n < max)
				out[n] = (struct sw_queue_usage){flavor, resource, g->quota[j].nominal,
								 local ? used_by(cq, local, flavor, resource)
								       : g->quota[j].used};
		}
	}
	return n;
}
