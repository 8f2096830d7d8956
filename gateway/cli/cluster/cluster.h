/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster.h - what the files of `spillway cluster` share
 */
#ifndef SPILLWAY_CLI_CLUSTER_H
#define SPILLWAY_CLI_CLUSTER_H

#include "../cli.h"

struct cluster_args {
	const char *name;                 /* of the cluster */
	const char *from, *context;       /* add: a kubeconfig file, and which context of it */
	const char *multikueue, *manager; /* add: MultiKueueCluster of this name, on the cluster of this kubeconfig */
	const char *worker, *region, *provider;
	const char *config, *dir; /* where entries are written */
	bool unchecked;
	struct cli_common common;
};

/*
 * One context of a kubeconfig, with what it names in files put inside, under `name`: what can be carried elsewhere.
 * path: relative names are beside it. tokenFile becomes absolute; exec stays as it is. gives.
 */
__attribute__((warn_unused_result)) struct sw_err cluster_flatten(const char *path, const char *text, size_t len,
								  const char *context, const char *name, json_t **out);

/* What answers there: "Kubernetes v1.36.1 with Kueue". kubeconfig: as cluster_flatten() gives it. */
struct cluster_found {
	char version[64];
	bool kueue;
};
__attribute__((warn_unused_result)) struct sw_err cluster_probe(const char *name, json_t *kubeconfig,
								struct cluster_found *out);

/* The kubeconfig in the Secret of a MultiKueueCluster. gives. */
__attribute__((warn_unused_result)) struct sw_err cluster_from_multikueue(const struct cluster_args *a, json_t **out);

/* The folder of --dir, or of the configuration's clusters_dir. gives; NULL: neither was named. */
__attribute__((warn_unused_result)) struct sw_err cluster_folder(const struct cluster_args *a, char **out);

int cluster_import(const struct cli_command *self, const struct cluster_args *a);
int cluster_drain(const struct cli_command *self, const struct cluster_args *a);
int cluster_undrain(const struct cli_command *self, const struct cluster_args *a);
int cluster_remove(const struct cli_command *self, const struct cluster_args *a);
int cluster_declare_dead(const struct cli_command *self, const struct cluster_args *a);
int cluster_readmit(const struct cli_command *self, const struct cluster_args *a);
int cluster_add(const struct cli_command *self, const struct cluster_args *a);

#endif
