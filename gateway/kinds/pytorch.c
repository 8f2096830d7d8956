/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pytorch.c - kubeflow.org/v1 PyTorchJob
 */
#include "kubeflow.h"

static const struct kubeflow_names names = {
	.specs = "pytorchReplicaSpecs",
	.container = "pytorch",
	.single = "Master",
	.types = {"Master", "Worker", NULL},
};

KUBEFLOW_KIND(pytorch, "v1", "PyTorchJob", "pytorchjobs", "pytorchjobs.kubeflow.org");
