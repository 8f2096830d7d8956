/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark.h - jobs of spillway's queues are marked when they are created: managedBy and suspend; their Workloads lose what
 * asks for a place in a topology (topology.h)
 *
 * What the shipped MutatingAdmissionPolicy does (config/kubernetes/mirror/admission-policy.yaml says why), for API
 * servers that have none: they send an AdmissionReview, and the answer is a JSON patch. Pure.
 */
#ifndef SPILLWAY_MARK_H
#define SPILLWAY_MARK_H

#include "spillway/err.h"
#include "spillway/json.h"

#define SW_MANAGED_BY     "kueue.x-k8s.io/multikueue"
#define SW_LABEL_DISPATCH "spillway.dev/dispatch" /* "true" on a LocalQueue whose jobs are marked */

enum sw_marking { SW_MARK_NO, SW_MARK_YES, SW_MARK_UNKNOWN /* the queues are not in sight */ };
/* Is this LocalQueue labelled? */
typedef enum sw_marking sw_mark_fn(void *owner, const char *ns, const char *queue);

/*
 * review: an AdmissionReview (admission.k8s.io/v1) of a CREATE, lent. gives the answer: always allowed, with a patch
 * for jobs and Workloads of a labelled queue; refused with 503 where the queues are not known. INVALID if it is no such
 * review.
 */
__attribute__((warn_unused_result)) struct sw_err sw_mark_review(json_t *review, sw_mark_fn *is_ours, void *owner,
								 json_t **out);
/* The JSON patch (RFC 6902) for one job of a labelled queue; NULL: it needs none. gives. */
json_t *sw_mark_patch(json_t *job);

#endif
