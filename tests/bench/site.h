/* SPDX-License-Identifier: Apache-2.0 */
/* site.h - a gateway to measure, and simulated clusters in another process */
#ifndef SPILLWAY_TESTS_BENCH_SITE_H
#define SPILLWAY_TESTS_BENCH_SITE_H

#include "bench.h"

/* Simulated clusters as in DIR/clusters.yaml; their kubeconfigs go to DIR/NAME.kubeconfig. */
void site_sims(struct sw_loop *loop, int fd, const void *dir);
/* A gateway as in DIR/spillway.yaml. */
void site_gateway(struct sw_loop *loop, int fd, const void *dir);
/* What both need: workers w0 and so on with so many nodes of 128 CPUs, whose clock runs 60 times as fast; site_queue().
 */
void site_files(const char *dir, int workers, int nodes, const char *cpus);
/* DIR/queue.yaml: LocalQueue default/bench with so many CPUs. */
void site_queue(const char *dir, const char *cpus);
/* The sum of a metric's series at the gateway. */
double site_metric(struct client *cl, const char *name);

#endif
