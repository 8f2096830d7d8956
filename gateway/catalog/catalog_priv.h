/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog_priv.h - what catalog.c and names.c share
 */
#ifndef SPILLWAY_CATALOG_PRIV_H
#define SPILLWAY_CATALOG_PRIV_H

#include "spillway/catalog.h"

struct gpu_entry {
	struct sw_gpu gpu;
	const char *aliases; /* separated by spaces */
};

struct slice_entry {
	struct sw_gpu gpu;
	char model[128], resource[64], profile[24];
};

struct sw_catalog {
	struct gpu_entry *gpus;
	size_t n_gpus;
	struct slice_entry *slices; /* of all GPUs, in their order */
	size_t n_slices;
	struct sw_machine *machines;
	size_t n_machines;
	char *gpu_text, *machine_text; /* the rows' strings live here */
};

/* By its model's name in the table alone. */
const struct sw_gpu *gpu_exact(const struct sw_catalog *c, const char *model);
/* Makes the slices of every GPU, once the table is whole. */
__attribute__((warn_unused_result)) struct sw_err slices_make(struct sw_catalog *c);
/* "A100-80GB-MIG-1g.10gb", however the GPU is called in front of it. NULL if it is none. */
const struct sw_gpu *slice_named(const struct sw_catalog *c, const char *name);

#endif
