/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.h - what GPUs can do, what machines hold and cost, and what clouds call them
 *
 * Data: the tables in config/catalog (carried in the binary), each row with its source and date, and what a site adds.
 * Unknown stays unknown: prices are NAN, never 0, and NAN never wins. Immutable after loading, but for
 * sw_catalog_replace(). Pure.
 */
#ifndef SPILLWAY_CATALOG_H
#define SPILLWAY_CATALOG_H

#include <stddef.h>
#include <stdint.h>
#include "spillway/err.h"
#include "spillway/json.h"

/* What a GPU supports at useful speed (full rate in hardware, not emulated). */
#define SW_PRECISION_MAP(X)                                                                                            \
	X(FP64, "fp64") X(FP32, "fp32") X(TF32, "tf32") X(BF16, "bf16") X(FP16, "fp16") X(INT8, "int8") X(FP8, "fp8")
enum sw_precision {
#define X(id, name) SW_##id,
	SW_PRECISION_MAP(X)
#undef X
		SW_PRECISION__COUNT
};

/* A device as a pod gets it: a whole GPU, a TPU chip, or a slice of a GPU (MIG). */
struct sw_gpu {
	const char *model;          /* "H100", "A100-80GB", "TPU-v5e"; of a slice "A100-80GB-MIG-1g.10gb" */
	const char *family;         /* "A100": what a request for the plain name accepts; of a slice its own model */
	const char *vendor;         /* "nvidia" */
	const char *resource;       /* "nvidia.com/gpu"; of a slice "nvidia.com/mig-1g.10gb" */
	const char *slice;          /* "1g.10gb"; NULL: a whole device */
	const struct sw_gpu *whole; /* what a slice was cut from; NULL: a whole device */
	int64_t memory_bytes;
	double bandwidth_gbs;               /* memory, GB/s; NAN: unknown */
	double tflops[SW_PRECISION__COUNT]; /* dense peak; NAN: not supported. A slice has its share of the SMs' */
	const char *mig;                    /* profiles it can be cut into, separated by blanks; "": none */
	const char *source, *date;          /* of the row */
};

struct sw_machine {
	const char *provider, *type, *model; /* "gcp", "a3-highgpu-8g", "H100" ("" without GPU) */
	const char *region;
	int gpus;                        /* devices as nodes count them */
	double gpu_share;                /* 1; less: each is only a part of a GPU (vGPU) */
	int64_t cpu_milli, memory_bytes; /* 0: unknown */
	double price_hour, spot_hour;    /* USD, NAN: unknown */
	int64_t priced_at_ms;            /* Unix ms of the price's date */
	const char *source;
};

/* What an hour costs on machines that a site owns: per GPU, or per node. */
struct sw_site_price {
	const char *cluster, *pool; /* "*": any */
	double gpu_hour, node_hour; /* USD, NAN: not said; 0 is what somebody said */
	int64_t priced_at_ms;
	const char *source;
};

/* What it costs to take data away: USD per GiB, the dearest tier of the list price. */
struct sw_egress {
	const char *provider, *region;       /* where the data is: "gcp", "europe-* us-east1", "*" */
	const char *to_provider, *to_region; /* where it is read */
	double usd_gib;                      /* 0 is a price: free */
	int64_t priced_at_ms;
	const char *source;
};

/* The tables; the names of their columns are the first lines of config/catalog/NAME.csv. */
#define SW_TABLE_MAP(X) X(GPUS, "gpus") X(MACHINES, "machines") X(PRICES, "prices") X(EGRESS, "egress")
enum sw_table {
#define X(id, name) SW_TABLE_##id,
	SW_TABLE_MAP(X)
#undef X
		SW_TABLE__COUNT
};
const char *sw_table_name(enum sw_table t);

/*
 * What a site adds to the carried tables: rows in its configuration, and files. A row with the key of a carried row
 * takes its place (model; provider + type + region; cluster + pool; where from + where to); the same key twice in what
 * the site says is an error. A machine's empty cells are taken from the carried rows of its type; a GPU's are not.
 */
struct sw_catalog_row {
	enum sw_table table;
	json_t *cells;     /* column: text or number; columns left out are empty. Lent */
	const char *where; /* "spillway.yaml:12:5" */
};
struct sw_catalog_site {
	const struct sw_catalog_row *rows;
	size_t n_rows;
	/* CSV files with a header of known columns, in any order; which table it is, the header tells. */
	const char *const *files;
	size_t n_files;
};

struct sw_catalog;
/* From the carried files and a site's additions (NULL: none). Errors name file:line. */
__attribute__((warn_unused_result)) struct sw_err sw_catalog_load_site(const struct sw_catalog_site *site,
								       struct sw_catalog **out);
__attribute__((warn_unused_result)) struct sw_err
sw_catalog_load(struct sw_catalog **out); /* the carried files alone */
/* From text, as if it were the carried files; names are for messages (file:line). */
struct sw_catalog_text {
	const char *name, *bytes;
	size_t len;
};
__attribute__((warn_unused_result)) struct sw_err
sw_catalog_parse(const struct sw_catalog_text *gpus, const struct sw_catalog_text *machines, struct sw_catalog **out);
/* The same with a site's file on top. */
__attribute__((warn_unused_result)) struct sw_err sw_catalog_parse_site(const struct sw_catalog_text *gpus,
									const struct sw_catalog_text *machines,
									const struct sw_catalog_text *site,
									struct sw_catalog **out);
/* c, which others were lent, has the tables of fresh (taken) from now on. The old ones are kept with it, so that what
 * was looked up before stays valid: compare GPUs by model, not by address. */
void sw_catalog_replace(struct sw_catalog *c, struct sw_catalog *fresh);
void sw_catalog_free(struct sw_catalog *c);
const char *sw_catalog_hash(const struct sw_catalog *c); /* 16 hex digits of all its tables */

/* Case-insensitive, aliases too ("H100-80GB", "Tesla-T4", "NVIDIA-A100-SXM4-40GB"); a family's name gives its
 * first model. NULL if unknown. */
const struct sw_gpu *sw_catalog_gpu(const struct sw_catalog *c, const char *name);
/* Every model that a request for name accepts: all of a family ("A100": 40 and 80 GB), else the one model. Writes at
 * most max; returns how many there are (0: unknown name). */
size_t sw_catalog_family(const struct sw_catalog *c, const char *name, const struct sw_gpu **out, size_t max);
const struct sw_gpu *sw_catalog_gpu_at(const struct sw_catalog *c, size_t i); /* whole ones; NULL past the end */
/* profile as in a resource or product name: "1g.10gb", "1g.10gb.me", "1g.10gb+me". NULL: gpu has no such slice. */
const struct sw_gpu *sw_catalog_slice(const struct sw_catalog *c, const struct sw_gpu *gpu, const char *profile);
/* "1g.10gb" -> 1 and 10 GiB. False for anything else. */
bool sw_mig_parse(const char *profile, int *share, int64_t *memory_bytes);
const char *sw_catalog_nearest_gpu(const struct sw_catalog *c, const char *name); /* for "did you mean"; may be NULL */
/* Providers "gcp" ("gke") and "azure" ("aks"). Without a row for the region: what it holds, with unknown prices and
 * region "". */
const struct sw_machine *sw_catalog_machine(const struct sw_catalog *c, const char *provider, const char *type,
					    const char *region);
const struct sw_machine *sw_catalog_machine_at(const struct sw_catalog *c, size_t i); /* rows; NULL past the end */
const struct sw_egress *sw_catalog_egress_at(const struct sw_catalog *c, size_t i);
const struct sw_site_price *sw_catalog_price_at(const struct sw_catalog *c, size_t i);

/* What the site says of this pool: its own row, else the cluster's row for "*", else that for any cluster. NULL:
 * nothing. */
const struct sw_site_price *sw_catalog_site_price(const struct sw_catalog *c, const char *cluster, const char *pool);

/* "europe-west4", "europe-west4-b", "westeurope-1", "us-east-1": whose it is and its region. provider "" if nothing
 * tells: then region is the word itself (a site's own name). */
struct sw_region {
	const char *provider; /* "gcp", "azure", "aws", a site's own, or "" */
	char name[64];
};
void sw_catalog_region(const struct sw_catalog *c, const char *word, struct sw_region *out);
/* USD to read so many bytes of data once, from one region in another; 0 within a region. NAN: unknown, or the price is
 * older than not_before_ms (Unix). The row that names both places most exactly decides. */
double sw_catalog_egress(const struct sw_catalog *c, const struct sw_region *from, const struct sw_region *to,
			 int64_t bytes, int64_t not_before_ms);
/* What a node offers. Strings lent from the node, the catalog or static. */
struct sw_node_devices {
	const struct sw_gpu *gpu; /* NULL: no device, or none that is known to be a whole one or a slice */
	const char *resource;     /* that counts them; NULL: none */
	int64_t n;                /* allocatable */
	const char *topology;     /* of the TPU slice that the node is part of: "2x4"; or NULL */
	const char *why;          /* there are devices, but gpu is NULL: why; otherwise NULL */
};
/* By labels and status.allocatable: labels.c lists who sets which label. Where no label tells, the instance type does
 * (AKS says only kubernetes.azure.com/accelerator=nvidia). GPUs shared in time are not whole GPUs. A node cut into
 * several kinds of slices offers the kind of which it has most. */
void sw_catalog_node_devices(const struct sw_catalog *c, json_t *node, struct sw_node_devices *out);
const struct sw_gpu *sw_catalog_node_gpu(const struct sw_catalog *c, json_t *node); /* .gpu of the above */
/* ---- is it in order? ------------------------------------------------------------ */

struct sw_finding {
	bool problem;      /* false: worth knowing, nothing is wrong */
	const char *where; /* "prices.csv:3" */
	const char *text;
};
typedef void sw_finding_fn(void *owner, const struct sw_finding *f); /* lent */
/* What the loader cannot refuse: names that mean two models, rows of one machine type that disagree, prices that are or
 * will soon be older than max_age_ms. */
void sw_catalog_check(const struct sw_catalog *c, int64_t now_ms, int64_t max_age_ms, sw_finding_fn *found,
		      void *owner);

bool sw_gpu_can(const struct sw_gpu *g, enum sw_precision p);
__attribute__((warn_unused_result)) struct sw_err sw_precision_parse(const char *s, enum sw_precision *out);

#endif
