/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.h - what GPUs can do, what machines hold and cost, and what clouds call them
 *
 * Data: config/catalog/gpus.csv and machines.csv (carried in the binary), each row with its
 * source and date. Unknown stays unknown: prices are NAN, never 0, and NAN never wins.
 * Immutable after loading. Pure.
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
	int gpus;
	int64_t cpu_milli, memory_bytes;
	double price_hour, spot_hour; /* USD, NAN: unknown */
	int64_t priced_at_ms;         /* Unix ms of the price's date */
};

struct sw_catalog;
__attribute__((warn_unused_result)) struct sw_err sw_catalog_load(struct sw_catalog **out); /* from the carried files */
/* The same from text; names are for messages (file:line). */
struct sw_catalog_text {
	const char *name, *bytes;
	size_t len;
};
__attribute__((warn_unused_result)) struct sw_err
sw_catalog_parse(const struct sw_catalog_text *gpus, const struct sw_catalog_text *machines, struct sw_catalog **out);
void sw_catalog_free(struct sw_catalog *c);

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
bool sw_gpu_can(const struct sw_gpu *g, enum sw_precision p);
__attribute__((warn_unused_result)) struct sw_err sw_precision_parse(const char *s, enum sw_precision *out);

#endif
