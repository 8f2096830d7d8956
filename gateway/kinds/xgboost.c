/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xgboost.c - kubeflow.org/v1 XGBoostJob
 */
#include "kubeflow.h"

static const struct kubeflow_names names = {
	.specs = "xgbReplicaSpecs",
	.container = "xgboost",
	.single = "Master",
	.types = {"Master", "Worker", NULL},
};

KUBEFLOW_KIND(xgboost, "v1", "XGBoostJob", "xgboostjobs", "xgboostjobs.kubeflow.org");
