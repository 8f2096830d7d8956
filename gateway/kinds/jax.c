/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jax.c - kubeflow.org/v1 JAXJob
 */
#include "kubeflow.h"

static const struct kubeflow_names names = {
	.specs = "jaxReplicaSpecs",
	.container = "jax",
	.single = NULL,
	.types = {"Worker", NULL},
};

KUBEFLOW_KIND(jax, "v1", "JAXJob", "jaxjobs", "jaxjobs.kubeflow.org");
