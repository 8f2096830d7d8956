/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write.h - the body of the one write. Pure.
 */
#ifndef SPILLWAY_NOMINATE_WRITE_H
#define SPILLWAY_NOMINATE_WRITE_H

#include "spillway/nominate.h"

#define KUEUE_MANAGER "kueue-admission" /* Kueue, pkg/constants: AdmissionName */

/*
 * APPLY: {apiVersion, kind, metadata {name, namespace, uid, resourceVersion}, status}: status is what the entry of
 * KUEUE_MANAGER in the Workload's managedFields owns, with the values that the Workload has, and the names.
 * INVALID: the entry is of another version than the object, or cannot be followed. gives.
 */
__attribute__((warn_unused_result)) struct sw_err nominate_apply(json_t *workload, const char *const *names, size_t n,
								 json_t **out);
/* PATCH: uid, resourceVersion and the names. gives. */
json_t *nominate_patch(json_t *workload, const char *const *names, size_t n);
/* Did Kueue write this status by apply? If it has quota and no such entry, Kueue patches. */
bool nominate_is_applied(json_t *workload);
/* When the nomination was last written, by the API server's clock (or later: Kueue's entry moves with each of its
 * writes); 0 if nobody says. */
int64_t nominate_written_ms(json_t *workload);

#endif
