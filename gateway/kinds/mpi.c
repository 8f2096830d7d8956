/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpi.c - kubeflow.org/v1 MPIJob
 */
#include "kubeflow.h"

static const struct kubeflow_names names = {
	.specs = "mpiReplicaSpecs",
	.container = NULL,
	.single = "Launcher",
	.types = {"Launcher", "Worker", NULL},
};

KUBEFLOW_KIND(mpi, "v1", "MPIJob", "mpijobs", "mpijobs.kubeflow.org");
