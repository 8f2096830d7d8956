/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpi_v2beta1.c - kubeflow.org/v2beta1 MPIJob, of the mpi-operator
 *
 * The operator's own kind and the one that Kueue knows as MPIJob; the v1 of the same name is the training operator's. A
 * cluster has one of the two CRDs. Source: mpi-operator v0.8.2, pkg/apis/kubeflow/v2beta1/types.go and
 * validation/validation.go; Kueue v0.19.2, pkg/controller/jobs/mpijob.
 */
#include "kubeflow.h"

static const struct kubeflow_names names = {
	.specs = "mpiReplicaSpecs",
	.container = NULL,
	.single = "Launcher",
	.required = true,
	.types = {"Launcher", "Worker", NULL},
};

KUBEFLOW_KIND(mpi_v2beta1, "v2beta1", "MPIJob", "mpijobs", "mpijobs.v2beta1.kubeflow.org");
