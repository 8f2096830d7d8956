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
	const struct sw_gpu *slice = slice_named(c, folded);
	if (slice && max)
		*out = slice;
	return slice != NULL;
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
	char folded[NAME_MAX_BYTES] = "", upper[NAME_MAX_BYTES];
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
