/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_priv.h - what the readers of spillway.yaml share
 *
 * Scalars are rows of settings.c. Everything else is a section: a list or map that a reader of its own understands. A
 * new section is one line in SECTION_MAP, a reader in a file of its own, and a field in struct sw_config.
 */
#ifndef SPILLWAY_CONFIG_LOAD_PRIV_H
#define SPILLWAY_CONFIG_LOAD_PRIV_H

#include "settings.h"
#include "spillway/yaml.h"

enum { SETTINGS_MAX = 96 };

/* The public struct first: a struct sw_config * is a struct config *. */
struct config {
	struct sw_config pub;
	struct sw_yaml *yaml;
	struct sw_cluster_cfg *clusters;
	struct sw_yaml **files; /* of clusters_dir */
	size_t n_files;
	char *origins[SETTINGS_MAX]; /* "file:line:column" of each row, NULL: default */
	char *path;
};

/* name in the file. read_NAME(c, value) is called with the section's value if the file has it, free_NAME(c) always. */
#define SECTION_MAP(X) X(clusters) X(policies) X(budgets) X(bootstrap) X(catalog) X(kinds) X(companions) X(queues)
#define X(name)                                                                                                        \
	__attribute__((warn_unused_result)) struct sw_err read_##name(struct config *c, json_t *value);                \
	void free_##name(struct config *c);
SECTION_MAP(X)
#undef X

/* The clusters that have a file of their own, when the settings are read. */
__attribute__((warn_unused_result)) struct sw_err read_clusters_dir(struct config *c);

/* A path as written in the file: relative ones start at the file's folder. gives. */
const char *beside(const struct config *c, const char *file);

#endif
