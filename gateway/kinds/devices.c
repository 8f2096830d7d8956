/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.c - may this GPU, slice or TPU serve what a job asks for?
 *
 * A request is a resource name and a number. It is portable in these ways only, each because a program that was
 * written for the one runs on the other:
 *
 *   asks for                    gets                          when
 *   nvidia.com/gpu: 1           a MIG slice                   the job says how much memory it needs, and the slice has
 * it nvidia.com/mig-1g.10gb: n   a whole GPU, another slice    with at least that memory (and share, of a slice)
 *   nvidia.com/gpu: n           amd.com/gpu: n, and back      the job lists that model by name
 *
 * One program sees at most one slice: docs.nvidia.com, MIG user guide, "CUDA device enumeration" ("CUDA only supports
 * enumeration of a single MIG instance"); so two GPUs are never two slices. TPUs take programs of their own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kinds_priv.h"
#include "spillway/text.h"

#define MIG "nvidia.com/mig-"
#define TPU "google.com/tpu"

static bool ends_in_gpu(const char *resource)
{
	size_t n = strlen(resource);

	return n > 4 && strcmp(resource + n - 4, "/gpu") == 0;
}

bool sw_is_mig_resource(const char *resource)
{
	return strncmp(resource, MIG, strlen(MIG)) == 0;
}

bool sw_is_gpu_resource(const char *resource)
{
	return ends_in_gpu(resource) || sw_is_mig_resource(resource) || strcmp(resource, TPU) == 0 ||
	       strncmp(resource, "gpu.intel.com/", 14) == 0;
}

static bool is_nvidia(const char *resource)
{
	return strncmp(resource, "nvidia.com/", 11) == 0;
}

bool sw_resource_portable(const char *from, const struct sw_gpu *gpu, const char *resource)
{
	if (strcmp(from, resource) == 0 || (is_nvidia(from) && is_nvidia(resource)))
		return true;
	return (!gpu || !gpu->slice) && ends_in_gpu(from) && ends_in_gpu(resource);
}

/* ---- one pod set ---------------------------------------------------------------- */

struct ask {
	const struct sw_demand *d;
	const struct sw_podset *set;
	const struct sw_gpu *gpu;
	char *buf;
	size_t size;
};

/* "nvidia.com/mig-1g.10gb" on a GPU or on another slice. */
static const char *slice_refused(const struct ask *a)
{
	const char *profile = a->set->gpu_resource + strlen(MIG);
	char have[32], want[32];
	int64_t memory, other_memory;
	int share, other = 0;

	if (!sw_mig_parse(profile, &share, &memory)) {
		if (strcmp(a->gpu->resource, a->set->gpu_resource) == 0)
			return NULL;
		snprintf(a->buf, a->size, "%.60s is no MIG profile, expected one such as nvidia.com/mig-1g.10gb",
			 a->set->gpu_resource);
		return a->buf;
	}
	if (memory > a->gpu->memory_bytes)
		snprintf(a->buf, a->size, "%s has %s of memory, a slice %s has %s", a->gpu->model,
			 sw_bytes_text(a->gpu->memory_bytes, have), profile, sw_bytes_text(memory, want));
	else if (a->gpu->slice && sw_mig_parse(a->gpu->slice, &other, &other_memory) && other < share)
		snprintf(a->buf, a->size, "%s is a smaller share of a GPU than the %s asked for", a->gpu->model,
			 profile);
	else
		return NULL;
	return a->buf;
}

/* A plain GPU on a slice. */
static const char *whole_refused(const struct ask *a)
{
	if (a->set->gpus > 1)
		snprintf(a->buf, a->size, "%s is a slice; a program can use one slice, the pods ask for %lld GPUs",
			 a->gpu->model, (long long)a->set->gpus);
	else if (a->d->gpu_memory_bytes == 0)
		snprintf(a->buf, a->size,
			 "%s is a slice of a GPU; a job that can use one says how much memory it "
			 "needs (" SW_ANN_GPU_MEMORY ")",
			 a->gpu->model);
	else
		return NULL;
	return a->buf;
}

static const char *set_refused(const struct ask *a)
{
	const char *ask = a->set->gpu_resource, *has = a->gpu->resource;

	if (!ask || a->set->gpus == 0)
		return NULL;
	if (sw_is_mig_resource(ask) && is_nvidia(has))
		return slice_refused(a);
	if (strcmp(ask, has) == 0)
		return NULL;
	if (is_nvidia(ask) && is_nvidia(has) && a->gpu->slice)
		return whole_refused(a);
	if (a->d->n_models && sw_resource_portable(ask, a->gpu, has))
		return NULL; /* another maker's, and the job lists it by name */
	snprintf(a->buf, a->size, "%s is counted as %s, the job asks for %s", a->gpu->model, has, ask);
	return a->buf;
}

/* ---- the whole job ----------------------------------------------------------------- */

/* By name: the catalog's tables may have been replaced between the job and the node. */
static bool same_gpu(const struct sw_gpu *a, const struct sw_gpu *b)
{
	return a == b || (b && strcmp(a->model, b->model) == 0);
}

static bool listed(const struct sw_demand *d, const struct sw_gpu *gpu)
{
	for (size_t i = 0; i < d->n_models; i++)
		if (same_gpu(d->models[i], gpu) || same_gpu(d->models[i], gpu->whole))
			return true;
	return d->n_models == 0;
}

const char *sw_demand_refuses(const struct sw_demand *d, const struct sw_gpu *gpu, char *buf, size_t size)
{
	static const char *const precisions[] = {
#define X(id, name) [SW_##id] = name,
		SW_PRECISION_MAP(X)
#undef X
	};
	char have[32], want[32];
	const char *why = NULL;

	if (d->gpus == 0)
		return NULL;
	if (!listed(d, gpu)) {
		snprintf(buf, size, "%s is not among the GPUs asked for", gpu->model);
		return buf;
	}
	for (size_t i = 0; !why && i < d->n_sets; i++)
		why = set_refused(&(struct ask){d, &d->sets[i], gpu, buf, size});
	if (why)
		return why;
	if (d->gpu_memory_bytes > gpu->memory_bytes)
		snprintf(buf, size, "%s has %s of memory, the job needs %s", gpu->model,
			 sw_bytes_text(gpu->memory_bytes, have), sw_bytes_text(d->gpu_memory_bytes, want));
	else if (d->has_precision && !sw_gpu_can(gpu, d->precision))
		snprintf(buf, size, "%s has no %s", gpu->model, precisions[d->precision]);
	else
		return NULL;
	return buf;
}

/* ---- TPU slices ------------------------------------------------------------------------ */

int sw_topology_chips(const char *topology)
{
	enum { MOST = 1 << 20 };
	long chips = 1;
	char *end = NULL;

	for (const char *at = topology; at; at = *end ? end + 1 : NULL) {
		long n = *at >= '1' && *at <= '9' ? strtol(at, &end, 10) : 0;

		if (n <= 0 || n > MOST || chips * n > MOST || (*end && *end != 'x'))
			return 0;
		chips *= n;
	}
	return topology ? (int)chips : 0;
}

/* Source: cloud.google.com/kubernetes-engine/docs, "TPUs in GKE": a multi-host slice is one unit, and each of its pods
 * asks for all chips of its node. */
const char *sw_demand_refuses_topology(const struct sw_demand *d, const char *topology, int chips_per_node, char *buf,
				       size_t size)
{
	int chips = sw_topology_chips(topology);

	if (chips == 0 || chips_per_node <= 0 || chips <= chips_per_node || d->gpus == 0)
		return NULL;
	for (size_t i = 0; i < d->n_sets; i++)
		if (d->sets[i].gpus && d->sets[i].gpus != chips_per_node) {
			snprintf(buf, size,
				 "a slice %s of %d nodes is taken by pods with %d chips each, the job's have %lld",
				 topology, chips / chips_per_node, chips_per_node, (long long)d->sets[i].gpus);
			return buf;
		}
	if (d->gpus % chips == 0)
		return NULL;
	snprintf(buf, size, "a slice %s is taken whole: the job asks for %lld chips, not for a multiple of %d",
		 topology, (long long)d->gpus, chips);
	return buf;
}
