/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubeflow.h - the six training kinds of kubeflow.org/v1, and MPIJob v2beta1, differ in names only
 *
 * Each has a map of replica types to {replicas, template}, a spec.runPolicy, and a status of conditions and
 * replicaStatuses. A kind's own file states the names and takes everything else from here. Source: training-operator
 * v1.9.3, pkg/apis/kubeflow.org/v1/{common,pytorch,tensorflow,...}_types.go, pkg/webhooks.
 */
#ifndef SPILLWAY_KUBEFLOW_H
#define SPILLWAY_KUBEFLOW_H

#include "kinds_priv.h"

struct kubeflow_names {
	const char *specs;     /* "pytorchReplicaSpecs" */
	const char *container; /* the operator refuses a template without a container of this name; NULL: any */
	const char *single;    /* a replica type of exactly one pod, or NULL */
	bool required;         /* that one must be there */
	const char *types[6];  /* in the order of Kueue's pod sets, NULL-terminated */
};

/* The row's own is its struct kubeflow_names. */
size_t kubeflow_podsets(const struct sw_kind *k, json_t *job, struct sw_podset out[SW_PODSETS_MAX]);
struct sw_err kubeflow_check(const struct sw_kind *k, json_t *job);
enum sw_outcome kubeflow_outcome(const struct sw_kind *k, json_t *job, const char **why);
int64_t kubeflow_active(const struct sw_kind *k, json_t *job);
void kubeflow_idle(const struct sw_kind *k, json_t *status);
json_t *kubeflow_status_home(const struct sw_kind *k, json_t *local, json_t *remote, json_t *base);

/* One row. The file defines `static const struct kubeflow_names names` before it. */
#define KUBEFLOW_KIND(id, version_, Kind, plural_, resource_)                                                          \
	const struct sw_kind sw_kind_##id = {                                                                          \
		.group = "kubeflow.org",                                                                               \
		.version = version_,                                                                                   \
		.kind = Kind,                                                                                          \
		.plural = plural_,                                                                                     \
		.resource = resource_,                                                                                 \
		.job_name_label = "training.kubeflow.org/job-name",                                                    \
		.suspend_path = "spec.runPolicy.suspend",                                                              \
		.managed_by_path = "spec.runPolicy.managedBy",                                                         \
		.ttl_path = "spec.runPolicy.ttlSecondsAfterFinished",                                                  \
		.own = &names,                                                                                         \
		.podsets = kubeflow_podsets,                                                                           \
		.check = kubeflow_check,                                                                               \
		.outcome = kubeflow_outcome,                                                                           \
		.active = kubeflow_active,                                                                             \
		.idle = kubeflow_idle,                                                                                 \
		.prepare = kinds_prepare,                                                                              \
		.status_home = kubeflow_status_home,                                                                   \
	}

#endif
