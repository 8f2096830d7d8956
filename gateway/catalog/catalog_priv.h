/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog_priv.h - what the files of this room share
 */
#ifndef SPILLWAY_CATALOG_PRIV_H
#define SPILLWAY_CATALOG_PRIV_H

#include "csv_priv.h"
#include "spillway/catalog.h"

struct gpu_entry {
	struct sw_gpu gpu;
	const char *aliases; /* separated by spaces */
	const char *where;
	int layer; /* LAYER_... */
};
struct machine_entry {
	struct sw_machine machine;
	const char *where;
	int layer;
};
struct price_entry {
	struct sw_site_price price;
	const char *where;
	int layer;
};
struct egress_entry {
	struct sw_egress egress;
	const char *where;
	int layer;
};

/* What the site says takes the place of what is carried. */
enum { LAYER_CARRIED, LAYER_SITE };

struct slice_entry {
	struct sw_gpu gpu;
	char model[128], resource[64], profile[24];
};

struct sw_catalog {
	struct gpu_entry *gpus;
	size_t n_gpus;
	struct slice_entry *slices; /* of all GPUs, in their order */
	size_t n_slices;
	struct machine_entry *machines;
	size_t n_machines, n_machine_rows; /* behind the rows: what each type holds, without a price */
	struct price_entry *prices;
	size_t n_prices;
	struct egress_entry *egress;
	size_t n_egress;
	char **owned; /* the rows' strings live here */
	size_t n_owned;
	uint64_t hash[2];
	char hash_text[17];
	struct sw_catalog *before; /* the tables that these replaced: somebody may still point into them */
};

/* Puts text away with the catalog. */
char *own(struct sw_catalog *c, char *taken);

/* One row of a table, its cells in the table's order. */
struct table {
	const char *const *columns;
	size_t n, n_key; /* the first n_key columns must be in the header of a site's file */
	struct sw_err (*add)(struct sw_catalog *c, const struct row *row, int layer);
};
extern const struct table catalog_tables[SW_TABLE__COUNT];
/* Every type once more, for regions without a row. */
void machines_add_specs(struct sw_catalog *c);

/* By its model's name in the table alone. */
const struct sw_gpu *gpu_exact(const struct sw_catalog *c, const char *model);
/* Makes the slices of every GPU, once the table is whole. */
__attribute__((warn_unused_result)) struct sw_err slices_make(struct sw_catalog *c);
/* "A100-80GB-MIG-1g.10gb", however the GPU is called in front of it. NULL if it is none. */
const struct sw_gpu *slice_named(const struct sw_catalog *c, const char *name);

#endif
