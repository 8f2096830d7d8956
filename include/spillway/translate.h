/* SPDX-License-Identifier: Apache-2.0 */
/*
 * translate.h - a pod template, rewritten for the cluster and pool where its pods are to run
 *
 * Users ask portably ("nvidia.com/gpu: 1", spillway.dev/gpu: "H100"); clusters and clouds have names of their own for
 * the same thing: MIG slices, selectors, taints. sw_translate() works on one PodTemplateSpec, so that a job's copy
 * and the pod sets of a mirrored Workload come out alike. Whether the device will do at all is sw_demand_refuses()'s
 * to say, before.
 *
 * Pure: changes the template it is given (a private copy), nothing else. Everything in struct sw_target is lent.
 */
#ifndef SPILLWAY_TRANSLATE_H
#define SPILLWAY_TRANSLATE_H

#include "spillway/catalog.h"
#include "spillway/kinds.h"

struct sw_target {
	const struct sw_gpu *gpu; /* the device that pods get; NULL: resource names stay as they are */
	/* What its nodes count: "nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "google.com/tpu". NULL: gpu->resource. (A
	 * node whose GPUs are all cut alike counts slices as nvidia.com/gpu.) */
	const char *gpu_resource;
	/* Which nodes: an object of label: "value" (becomes a nodeSelector) or label: ["a", "b"] (becomes a required
	 * node affinity: one of them). Wins over the job's own values of the same labels. NULL: any. */
	json_t *labels;
	const char *burst_taint; /* value of SW_TAINT_BURST to tolerate, or NULL */
	const char *provider;    /* "gke", "aks": which cloud's spot nodes. Others: only tolerations, of all clouds */
	/* REQUIRE: spot nodes only (selector and toleration). ALLOW: the toleration. NEVER: kept off the spot nodes of
	 * clouds that do not taint them. */
	enum sw_spot spot;
};

/*
 * path: where the template is ("spec.template", "spec.podSets[0].template"), for messages. said: an array to which one
 * object is appended for each change, {path, change, text}: change is one of "resource", "selector", "affinity",
 * "toleration"; text is a sentence for the user. NULL: nobody asks.
 * Does nothing the second time. INVALID: a request that the target cannot serve (it names the field); the template may
 * be half changed then.
 */
__attribute__((warn_unused_result)) struct sw_err sw_translate(json_t *template, const char *path,
							       const struct sw_target *to, json_t *said);

/* Every template of a job. said as above. */
__attribute__((warn_unused_result)) struct sw_err sw_translate_job(const struct sw_kind *k, json_t *job,
								   const struct sw_target *to, json_t *said);

/* Does a translated pod that gets this device tolerate a taint with this key? For views of nodes. resource may be NULL.
 */
bool sw_target_tolerates(const char *gpu_resource, const struct sw_gpu *gpu, const char *taint_key);
bool sw_is_spot_taint(const char *taint_key);
bool sw_is_spot_node(json_t *node); /* by its cloud's label */

#endif
