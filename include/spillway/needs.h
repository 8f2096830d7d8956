/* SPDX-License-Identifier: Apache-2.0 */
/*
 * needs.h - what must exist beside a job in its namespace for its pods to start
 *
 * A pod whose Secret, claim or service account is missing is created, scheduled, billed, and never starts. What its
 * template names is therefore read before anything is sent, so that a cluster without it can be left out with the
 * reason. Pure. Names are lent from the object.
 *
 * Only what the kubelet or an admission plugin insists on counts: optional references and the service account "default"
 * (which every namespace gets) do not. Source: k8s.io/api/core/v1 types.go, the `optional` fields of references.
 */
#ifndef SPILLWAY_NEEDS_H
#define SPILLWAY_NEEDS_H

#include "spillway/kinds.h"

/* id, group, version, plural, what people call it, has a namespace */
#define SW_NEED_MAP(X)                                                                                                 \
	X(SERVICE_ACCOUNT, "", "v1", "serviceaccounts", "ServiceAccount", true)                                        \
	X(SECRET, "", "v1", "secrets", "Secret", true)                                                                 \
	X(CONFIG_MAP, "", "v1", "configmaps", "ConfigMap", true)                                                       \
	X(CLAIM, "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true)                                    \
	X(DEVICES, "resource.k8s.io", "v1", "resourceclaims", "ResourceClaim", true)                                   \
	X(DEVICES_TEMPLATE, "resource.k8s.io", "v1", "resourceclaimtemplates", "ResourceClaimTemplate", true)          \
	X(PRIORITY_CLASS, "scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", false)
enum sw_need_kind {
#define X(id, group, version, plural, word, namespaced) SW_NEED_##id,
	SW_NEED_MAP(X)
#undef X
		SW_NEED__COUNT
};
struct sw_need_type {
	const char *group, *version, *plural, *word;
	bool namespaced;
};
const struct sw_need_type *sw_need_type(enum sw_need_kind k);

enum { SW_NEEDS_MAX = 64 };
struct sw_need {
	enum sw_need_kind kind;
	const char *name;
};
struct sw_needs {
	struct sw_need at[SW_NEEDS_MAX];
	size_t n;
	bool cut; /* there are more; these are the first */
};
/* What the templates of these pod sets name, each once. */
void sw_needs_read(const struct sw_podset *sets, size_t n_sets, struct sw_needs *out);

#endif
