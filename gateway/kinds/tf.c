/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tf.c - kubeflow.org/v1 TFJob
 */
#include "kubeflow.h"

static const struct kubeflow_names names = {
	.specs = "tfReplicaSpecs",
	.container = "tensorflow",
	.single = NULL,
	.types = {"Chief", "Master", "PS", "Worker", "Evaluator", NULL},
};

KUBEFLOW_KIND(tf, "v1", "TFJob", "tfjobs", "tfjobs.kubeflow.org");
