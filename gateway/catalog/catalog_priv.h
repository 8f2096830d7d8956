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

struct sw_catalog {
	struct gpu_entry *gpus;
	size_t n_gpus;
	struct sw_machine *machines;
	size_t n_machines;
	char *gpu_text, *machine_text; /* the rows' strings live here */
};

/* By its model's name in the table alone. */
const struct sw_gpu *gpu_exact(const struct sw_catalog *c, const char *model);

#endif
