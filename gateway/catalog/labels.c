/* SPDX-License-Identifier: Apache-2.0 */
/*
 * labels.c - which devices a node offers, by what its cloud and its drivers wrote on it
 *
 * One row per label that names a device, best first: what a person wrote, what the driver found, what the cloud
 * says, and last the machine's type. Sources: github.com/NVIDIA/k8s-device-plugin docs/gpu-feature-discovery
 * (nvidia.com/gpu.product, -SHARED, MIG strategies single and mixed); cloud.google.com/kubernetes-engine/docs, "About
 * GPUs", "GPU sharing strategies", "Multi-instance GPUs" and "Plan TPUs"; github.com/ROCm/k8s-device-plugin
 * cmd/k8s-node-labeller; learn.microsoft.com/azure/aks, "Use GPUs" (no label tells the model: the instance type does).
 */
#include "catalog_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "spillway/text.h"

#define MIG "nvidia.com/mig-"

static const char *const model_labels[] = {
	"spillway.dev/gpu",                     /* an administrator's word */
	"nvidia.com/gpu.product",               /* GPU feature discovery */
	"cloud.google.com/gke-accelerator",     /* GKE, GPUs */
	"cloud.google.com/gke-tpu-accelerator", /* GKE, TPUs */
	"amd.com/gpu.product-name",             /* AMD's node labeller */
	"beta.amd.com/gpu.product-name",        /* the same before its labels were final */
	"accelerator",                          /* AKS until 2023, many sites */
};
static const char *const type_labels[] = {"node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"};

static int64_t amount(json_t *allocatable, const char *key)
{
	json_t *v = sw_json_key(allocatable, key);
	int64_t n = 0;

	if (!v || sw_failed(sw_quantity_ceil(json_object_get_string(v), &n)) || n < 0)
		return 0;
	return n;
}

/* Each pod gets a turn, not a device: the count says nothing about memory or speed. */
static bool is_shared(json_t *node)
{
	const char *product = sw_json_label(node, "nvidia.com/gpu.product");
	const char *strategy = sw_json_label(node, "nvidia.com/gpu.sharing-strategy");
	size_t n = product ? strlen(product) : 0;

	return (n > 7 && strcmp(product + n - 7, "-SHARED") == 0) || (strategy && strcmp(strategy, "none") != 0) ||
	       sw_json_label(node, "cloud.google.com/gke-gpu-sharing-strategy");
}

/* *part: the type is known, and holds only a part of a GPU. */
static const struct sw_gpu *by_machine(const struct sw_catalog *c, json_t *node, bool *part)
{
	for (size_t l = 0; l < sizeof type_labels / sizeof *type_labels; l++) {
		const char *type = sw_json_label(node, type_labels[l]);

		for (size_t i = 0; type && i < c->n_machines; i++)
			if (strcasecmp(c->machines[i].machine.type, type) == 0) {
				*part = c->machines[i].machine.gpu_share < 1;
				return *part ? NULL : gpu_exact(c, c->machines[i].machine.model);
			}
	}
	return NULL;
}

static const struct sw_gpu *by_labels(const struct sw_catalog *c, json_t *node, bool *part)
{
	for (size_t i = 0; i < sizeof model_labels / sizeof *model_labels; i++) {
		const char *value = sw_json_label(node, model_labels[i]);
		const struct sw_gpu *g = value ? sw_catalog_gpu(c, value) : NULL;

		if (g)
			return g;
		/* A slice that the catalog does not know is not the GPU that a less exact label names. */
		if (value && strstr(value, "-MIG-"))
			return NULL;
	}
	return by_machine(c, node, part);
}

/* The kind of slice of which there are most; ties: the name that comes first. */
static const char *most_slices(json_t *allocatable)
{
	const char *best = NULL;

	if (!json_object_is_type(allocatable, json_type_object))
		return NULL;
	json_object_object_foreach(allocatable, key, v)
	{
		int64_t n = strncmp(key, MIG, strlen(MIG)) == 0 ? amount(allocatable, key) : 0;
		int64_t most = best ? amount(allocatable, best) : 0;

		(void)v;
		if (n > 0 && (n > most || (n == most && strcmp(key, best) < 0)))
			best = key;
	}
	return best;
}

/* Any resource that looks like GPUs, for nodes of which nothing else is known. */
static const char *some_resource(json_t *allocatable)
{
	if (!json_object_is_type(allocatable, json_type_object))
		return NULL;
	json_object_object_foreach(allocatable, key, v)
	{
		size_t n = strlen(key);
		bool gpu = (n > 4 && strcmp(key + n - 4, "/gpu") == 0) || strncmp(key, MIG, strlen(MIG)) == 0 ||
			   strcmp(key, "google.com/tpu") == 0;

		(void)v;
		if (gpu && amount(allocatable, key) > 0)
			return key;
	}
	return NULL;
}

static void unknown(json_t *allocatable, const char *why, struct sw_node_devices *out)
{
	out->gpu = NULL;
	out->resource = some_resource(allocatable);
	out->n = out->resource ? amount(allocatable, out->resource) : 0;
	out->why = out->resource ? why : NULL;
}

/* The whole GPU is known; what is it offered as? */
static void cut(const struct sw_catalog *c, json_t *node, json_t *allocatable, struct sw_node_devices *out)
{
	const char *partition = sw_json_label(node, "cloud.google.com/gke-gpu-partition-size");
	const char *slices = amount(allocatable, out->gpu->resource) ? NULL : most_slices(allocatable);
	const char *profile = partition ? partition : slices ? slices + strlen(MIG) : NULL;

	if (out->gpu->slice || !profile)
		return;
	out->gpu = sw_catalog_slice(c, out->gpu, profile);
	if (!out->gpu)
		unknown(allocatable, "its GPUs are cut into slices that the catalog does not know", out);
	else if (slices)
		out->resource = slices;
}

void sw_catalog_node_devices(const struct sw_catalog *c, json_t *node, struct sw_node_devices *out)
{
	json_t *allocatable = sw_json_at(node, "status.allocatable");
	bool part = false;

	*out = (struct sw_node_devices){.gpu = by_labels(c, node, &part)};
	if (is_shared(node)) {
		unknown(allocatable, "its GPUs are shared in time", out);
		return;
	}
	if (!out->gpu) {
		unknown(allocatable,
			part ? "its machines have only a part of a GPU (vGPU)"
			     : "no label of its nodes names a GPU of the catalog",
			out);
		return;
	}
	out->resource = out->gpu->resource;
	cut(c, node, allocatable, out);
	if (!out->gpu)
		return;
	/* All cut alike (MIG strategy single, GKE partitions): slices are counted as GPUs. */
	if (out->gpu->slice && !amount(allocatable, out->resource) && amount(allocatable, out->gpu->whole->resource))
		out->resource = out->gpu->whole->resource;
	out->n = amount(allocatable, out->resource);
	out->topology = sw_json_label(node, "cloud.google.com/gke-tpu-topology");
}

const struct sw_gpu *sw_catalog_node_gpu(const struct sw_catalog *c, json_t *node)
{
	struct sw_node_devices d;

	sw_catalog_node_devices(c, node, &d);
	return d.gpu;
}
