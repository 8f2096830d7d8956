/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack.c - does a gang fit, and how many fresh nodes would make it fit?
 *
 * Best fit decreasing: the sets with the largest pods first, each pod on the node that it leaves
 * fullest. The pods of a set are alike, so a node chosen once stays the best until it is full: nodes are
 * filled, not pods placed one by one. Fresh nodes are alike too, and are kept as groups of equal
 * ones: a gang of ten thousand pods costs a few steps.
 *
 * A heuristic: it may miss a packing that exists. It never overcommits, and the scheduler of the
 * worker is no cleverer.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"
#include "spillway/text.h"

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t pack_times(const struct sw_node *node, const struct sw_podset *set)
{
	int64_t n = INT32_MAX;

	if (!node->usable || node->pods_free <= 0)
		return 0;
	if (set->gpus > 0 && set->gpu_resource && node->gpu_resource &&
	    !sw_resource_portable(set->gpu_resource, NULL, node->gpu_resource))
		return 0;
	n = least(n, node->pods_free);
	if (set->gpus > 0)
		n = least(n, node->gpu_free / set->gpus);
	if (set->cpu_milli > 0)
		n = least(n, node->cpu_free / set->cpu_milli);
	if (set->memory_bytes > 0)
		n = least(n, node->memory_free / set->memory_bytes);
	return n < 0 ? 0 : n; /* a node may be overcommitted already: free is negative then */
}

void pack_take(struct sw_node *node, const struct sw_podset *set, int64_t n)
{
	node->gpu_free -= set->gpus * n;
	node->cpu_free -= set->cpu_milli * n;
	node->memory_free -= set->memory_bytes * n;
	node->pods_free -= n;
}

/* Which of two nodes that both take the pod is fuller? GPUs decide; a pod without GPU spares the nodes that have one.
 */
static bool is_fuller(const struct sw_node *a, const struct sw_node *b, const struct sw_podset *set)
{
	if (set->gpus == 0 && (a->gpu_total > 0) != (b->gpu_total > 0))
		return a->gpu_total == 0;
	if (set->gpus > 0 && a->gpu_free != b->gpu_free)
		return a->gpu_free < b->gpu_free;
	if (a->cpu_free != b->cpu_free)
		return a->cpu_free < b->cpu_free;
	return a->memory_free < b->memory_free;
}

static int by_size(const struct sw_podset *a, const struct sw_podset *b)
{
	if (a->gpus != b->gpus)
		return a->gpus > b->gpus ? -1 : 1;
	if (a->cpu_milli != b->cpu_milli)
		return a->cpu_milli > b->cpu_milli ? -1 : 1;
	if (a->memory_bytes != b->memory_bytes)
		return a->memory_bytes > b->memory_bytes ? -1 : 1;
	return 0;
}

static int order_cmp(const void *a, const void *b, void *sets)
{
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	int d = by_size((struct sw_podset *)sets + i, (struct sw_podset *)sets + j);
	return d ? d : (i > j) - (i < j);
}

static void order_fill(size_t *order, size_t n, const struct sw_podset *sets)
{
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof *order, order_cmp, (void *)sets);
}

/* Fills nodes with pods of one set; returns how many are left over. to: where each pod's node index goes, or NULL. */
static int64_t set_pack(struct sw_node *nodes, size_t n, const struct sw_podset *set, int *to)
{
	int64_t left = set->count;

	while (left > 0) {
		size_t best = n;
		for (size_t i = 0; i < n; i++)
			if (pack_times(&nodes[i], set) > 0 && (best == n || is_fuller(&nodes[i], &nodes[best], set)))
				best = i;
		if (best == n)
			break;
		int64_t k = least(left, pack_times(&nodes[best], set));
		pack_take(&nodes[best], set, k);
		for (int64_t i = 0; to && i < k; i++)
			to[set->count - left + i] = (int)best;
		left -= k;
	}
	for (int64_t i = set->count - left; to && i < set->count; i++)
		to[i] = -1;
	return left;
}

/* ---- fresh nodes ----------------------------------------------------------- */

struct group {
	int64_t nodes;
	struct sw_node each;
}; /* this many nodes, all alike */
struct groups {
	struct group *at;
	size_t n;
};

/* Takes k pods from each of `nodes` nodes of group i, which splits off what stays as it was. */
static void group_use(struct groups *g, size_t i, int64_t nodes, const struct sw_podset *set, int64_t k)
{
	if (nodes == 0)
		return;
	if (nodes < g->at[i].nodes) {
		g->at[g->n] = g->at[i];
		g->at[g->n++].nodes -= nodes;
		g->at[i].nodes = nodes;
	}
	pack_take(&g->at[i].each, set, k);
}

/* Puts what it can of `left` pods on group i. */
static int64_t group_fill(struct groups *g, size_t i, const struct sw_podset *set, int64_t left)
{
	int64_t k = pack_times(&g->at[i].each, set);
	int64_t whole = k > 0 ? least(left / k, g->at[i].nodes) : 0, rest;

	if (k == 0)
		return left;
	rest = left - whole * k;
	if (whole < g->at[i].nodes && rest > 0) { /* the last one is not filled: it gets a group of its own */
		struct group one = g->at[i];
		one.nodes = 1;
		pack_take(&one.each, set, rest);
		g->at[i].nodes--;
		g->at[g->n++] = one;
		rest = 0;
	}
	group_use(g, i, whole, set, k);
	return rest;
}

static size_t group_best(const struct groups *g, const struct sw_podset *set)
{
	size_t best = g->n;
	for (size_t i = 0; i < g->n; i++)
		if (g->at[i].nodes > 0 && pack_times(&g->at[i].each, set) > 0 &&
		    (best == g->n || is_fuller(&g->at[i].each, &g->at[best].each, set)))
			best = i;
	return best;
}

/* One set on the open groups, then on new nodes. Returns the new nodes, or -1. */
static int64_t set_fresh(struct groups *g, const struct sw_podset *set, int64_t left, const struct sw_node *fresh)
{
	int64_t k = pack_times(fresh, set), opened = 0;

	while (left > 0) {
		size_t best = group_best(g, set);
		if (best == g->n) {
			if (k == 0)
				return -1;
			opened = (left + k - 1) / k;
			g->at[g->n++] = (struct group){.nodes = opened, .each = *fresh};
			best = g->n - 1;
		}
		left = group_fill(g, best, set, left);
	}
	return opened;
}

static int fresh_count(const struct sw_podset *sets, const int64_t *left, const size_t *order, size_t n_sets,
		       const struct sw_node *fresh)
{
	/* Each set opens at most one group, and splits at most two off: the last one it filled, and that one's
	 * remainder. */
	struct groups g = {.at = sw_calloc(3 * n_sets + 1, sizeof *g.at)};
	int64_t total = 0;

	for (size_t i = 0; i < n_sets && total >= 0; i++) {
		int64_t n = set_fresh(&g, &sets[order[i]], left[order[i]], fresh);
		total = n < 0 ? -1 : total + n;
	}
	free(g.at);
	return total > INT_MAX ? INT_MAX : (int)total;
}

int pack_fresh(const struct sw_podset *sets, size_t n_sets, const struct sw_node *fresh)
{
	size_t *order = sw_calloc(n_sets + 1, sizeof *order);
	int64_t *left = sw_calloc(n_sets + 1, sizeof *left);

	order_fill(order, n_sets, sets);
	for (size_t i = 0; i < n_sets; i++)
		left[i] = sets[i].count;
	int n = fresh_count(sets, left, order, n_sets, fresh);
	free(order);
	free(left);
	return n;
}

int sw_pack(struct sw_node *nodes, size_t n, const struct sw_podset *sets, size_t n_sets, const struct sw_node *fresh,
	    int *assigned)
{
	size_t order[SW_PODSETS_MAX], first[SW_PODSETS_MAX], pods = 0;
	int64_t left[SW_PODSETS_MAX], total = 0;

	SW_REQUIRE(n_sets <= SW_PODSETS_MAX);
	order_fill(order, n_sets, sets);
	for (size_t i = 0; i < n_sets; i++) {
		first[i] = pods;
		pods += (size_t)(sets[i].count > 0 ? sets[i].count : 0);
	}
	for (size_t i = 0; i < n_sets; i++) {
		size_t s = order[i];
		left[s] = set_pack(nodes, n, &sets[s], assigned ? assigned + first[s] : NULL);
		total += left[s] > 0 ? left[s] : 0;
	}
	if (total <= 0)
		return 0;
	return fresh ? fresh_count(sets, left, order, n_sets, fresh) : -1;
}
