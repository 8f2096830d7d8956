/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topology.h - where in a cluster the pods of a job want to stand (Kueue's topology-aware scheduling)
 *
 * That is the worker's business: Kueue on the manager would look for a place among the manager's own nodes. So what
 * asks for one is taken out of the manager's Workload as it is created (config/kubernetes/mirror/admission-policy.yaml,
 * or sw_topology_hide() for servers without such policies) and put back into what a worker is offered. Users write it
 * as annotations of their pod templates, which stay where they are: nothing else has to be kept. Pure.
 *
 * Source: kueue v0.19.2, pkg/controller/jobframework/tas.go (annotations to topologyRequest) and
 * pkg/workload/workload.go, IsExplicitlyRequestingTAS.
 */
#ifndef SPILLWAY_TOPOLOGY_H
#define SPILLWAY_TOPOLOGY_H

#include "spillway/json.h"

/* The JSON patch (RFC 6902) that takes the requests for a place out of a Workload; NULL: it has none. gives. */
json_t *sw_topology_hide(json_t *workload);
/* Puts into each of these pod sets (a Workload's spec.podSets) what the annotations of its template ask for. What it
 * asks for already stays. Lenient: an annotation that Kueue would refuse is left out. */
void sw_topology_show(json_t *podsets);

#endif
