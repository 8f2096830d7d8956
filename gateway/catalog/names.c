/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c - what people, clouds and drivers call a GPU
 *
 * One GPU has many names: "A100-80GB" here, "nvidia-a100-80gb" as a GKE accelerator,
 * "NVIDIA-A100-SXM4-80GB" from GPU feature discovery. All are brought to one form first: lower
 * case, '-' for blanks and '_', no "nvidia-" and "tesla-" in front.
 */
#include "catalog_priv.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 96 };

/* False if it is too long to be a name. */
static bool name_fold(const char *name, char out[NAME_MAX_BYTES])
{
	static const char *const prefixes[] = {"nvidia-", "tesla-"};
	size_t n = strlen(name);
	if (n == 0 || n >= NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i <= n; i++)
		out[i] = name[i] == ' ' || name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		size_t len = strlen(prefixes[i]);
		if (strncmp(out, prefixes[i], len) == 0)
			memmove(out, out + len, strlen(out + len) + 1);
	}
	return *out;
}

static bool words_have(const char *words, const char *word)
{
	size_t len = strlen(word);
	for (const char *at = words; (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
			return true;
	return false;
}

const struct sw_gpu *gpu_exact(const struct sw_catalog *c, const char *model)
{
	for (size_t i = 0; i < c->n_gpus; i++)
		if (strcasecmp(c->gpus[i].gpu.model, model) == 0)
			return &c->gpus[i].gpu;
	return NULL;
}

size_t sw_catalog_family(const struct sw_catalog *c, const char *name, const struct sw_gpu **out, size_t max)
{
	char folded[NAME_MAX_BYTES];
	size_t n = 0;
	if (!name || !name_fold(name, folded))
		return 0;
	for (size_t i = 0; i < c->n_gpus; i++)
		if (strcasecmp(c->gpus[i].gpu.family, folded) == 0) {
			if (n < max)
				out[n] = &c->gpus[i].gpu;
			n++;
		}
	if (n)
		return n;
	for (size_t i = 0; i < c->n_gpus; i++)
		if (strcasecmp(c->gpus[i].gpu.model, folded) == 0 || words_have(c->gpus[i].aliases, folded)) {
			if (max)
				*out = &c->gpus[i].gpu;
			return 1;
		}
	return 0;
}

const struct sw_gpu *sw_catalog_gpu(const struct sw_catalog *c, const char *name)
{
	const struct sw_gpu *g = NULL;
	return sw_catalog_family(c, name, &g, 1) ? g : NULL;
}

const struct sw_gpu *sw_catalog_gpu_at(const struct sw_catalog *c, size_t i)
{
	return i < c->n_gpus ? &c->gpus[i].gpu : NULL;
}

const char *sw_catalog_nearest_gpu(const struct sw_catalog *c, const char *name)
{
	enum { TRIED = 512 };
	const char *names[TRIED];
	char folded[NAME_MAX_BYTES], upper[NAME_MAX_BYTES];
	int n = 0;
	if (!name || !name_fold(name, folded))
		return NULL;
	for (size_t i = 0; i <= strlen(folded); i++)
		upper[i] = (char)toupper((unsigned char)folded[i]);
	for (size_t i = 0; i < c->n_gpus && n + 2 <= TRIED; i++) {
		const struct sw_gpu *g = &c->gpus[i].gpu;
		names[n++] = g->model;
		if (strcmp(g->family, g->model) != 0)
			names[n++] = g->family;
	}
	return sw_nearest(upper, names, n);
}

/* ---- nodes ---------------------------------------------------------------------- */

/* GPU feature discovery marks what is not a whole GPU: "...-SHARED", "...-MIG-1g.5gb". */
static bool is_slice(const char *product)
{
	size_t n = strlen(product);
	return strstr(product, "-MIG-") || (n > 7 && strcmp(product + n - 7, "-SHARED") == 0);
}

const struct sw_gpu *sw_catalog_node_gpu(const struct sw_catalog *c, json_t *node)
{
	static const char *const labels[] = {"spillway.dev/gpu", "nvidia.com/gpu.product",
					     "cloud.google.com/gke-accelerator", "amd.com/gpu.product-name",
					     "accelerator"};
	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
		const char *value = sw_json_label(node, labels[i]);
		if (value && is_slice(value))
			return NULL;
		const struct sw_gpu *g = value ? sw_catalog_gpu(c, value) : NULL;
		if (g)
			return g;
	}
	const char *type = sw_json_label(node, "node.kubernetes.io/instance-type");
	for (size_t i = 0; type && i < c->n_machines; i++)
		if (strcasecmp(c->machines[i].type, type) == 0)
			return gpu_exact(c, c->machines[i].model);
	return NULL;
}
