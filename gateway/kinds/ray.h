/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ray.h - what RayJob and RayCluster share: a cluster of one head and groups of workers
 *
 * Pod sets as Kueue v0.19.2 counts them, pkg/controller/jobs/raycluster/common.go. Types: kuberay ray-operator v1.6.2,
 * apis/ray/v1. A cluster that scales itself is refused, as Kueue does without workload slices.
 */
#ifndef SPILLWAY_RAY_H
#define SPILLWAY_RAY_H

#include "kinds_priv.h"

/* cluster: a RayClusterSpec at `path` ("spec"). */
size_t ray_podsets(json_t *cluster, const char *path, struct sw_podset out[SW_PODSETS_MAX]);
/* most: pod sets that it may have. reserved: a name that no group may take beside "head", or NULL. */
struct sw_err ray_check(const struct sw_kind *k, json_t *cluster, const char *path, size_t most, const char *reserved);
/* cluster_status: a RayClusterStatus. */
void ray_idle(json_t *cluster_status);

#endif
