/* SPDX-License-Identifier: Apache-2.0 */
/* pack.h - packing beyond sw_pack(): how many fresh nodes a heap of pods needs together */
#ifndef SPILLWAY_WORKERS_PACK_H
#define SPILLWAY_WORKERS_PACK_H

#include "spillway/workers.h"

/* How many more pods of this set the node takes. */
int64_t pack_times(const struct sw_node *node, const struct sw_podset *set);
/* Takes n pods of the set from what is free. */
void pack_take(struct sw_node *node, const struct sw_podset *set, int64_t n);
/*
 * Fresh nodes for all sets together (any number of sets, of any workloads): the least that best fit decreasing finds.
 * -1: a pod fits on no fresh node. Order of sets does not matter. Pure.
 */
int pack_fresh(const struct sw_podset *sets, size_t n_sets, const struct sw_node *fresh);

#endif
