/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paddle.c - kubeflow.org/v1 PaddleJob
 */
#include "kubeflow.h"

static const struct kubeflow_names names = {
	.specs = "paddleReplicaSpecs",
	.container = "paddle",
	.single = NULL,
	.types = {"Master", "Worker", NULL},
};

KUBEFLOW_KIND(paddle, "v1", "PaddleJob", "paddlejobs", "paddlejobs.kubeflow.org");
