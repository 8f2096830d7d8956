/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slices.c - parts of a GPU as devices of their own (NVIDIA MIG)
 *
 * A GPU's row lists the profiles it can be cut into. Each becomes a device with the memory of its name and its share
 * of the compute units: "3g" of "7g" has three sevenths of the SMs (docs.nvidia.com, MIG user guide, "Supported MIG
 * profiles", column "Fraction of SMs"; A30 and RTX PRO are cut into quarters, their largest profile is "4g").
 */
#include "catalog_priv.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "spillway/text.h"

enum { SHARE_MAX = 16, GIB_MAX = 4096 };

static const char *digits(const char *at, long max, long *out)
{
	long v = 0;
	const char *start = at;

	for (; isdigit((unsigned char)*at) && v <= max; at++)
		v = v * 10 + (*at - '0');
	*out = v;
	return at > start && v >= 1 && v <= max && *start != '0' ? at : NULL;
}

/* Where the profile's first two numbers end, or NULL. */
static const char *profile_end(const char *profile, long *share, long *gib)
{
	const char *at = digits(profile, SHARE_MAX, share);

	at = at && strncmp(at, "g.", 2) == 0 ? digits(at + 2, GIB_MAX, gib) : NULL;
	return at && strncmp(at, "gb", 2) == 0 ? at + 2 : NULL;
}

bool sw_mig_parse(const char *profile, int *share, int64_t *memory_bytes)
{
	long g, gib;
	const char *end = profile_end(profile, &g, &gib);

	/* "+me", "+gfx", in resource names ".me": the same slice with more engines */
	if (!end || (*end && strcmp(end, ".me") != 0 && strcmp(end, "+me") != 0 && strcmp(end, "+gfx") != 0 &&
		     strcmp(end, ".gfx") != 0))
		return false;
	*share = (int)g;
	*memory_bytes = gib << 30;
	return true;
}

/* ---- making them --------------------------------------------------------------- */

static bool profile_next(const char **at, char *out, size_t size)
{
	size_t n;

	*at += strspn(*at, " ");
	n = strcspn(*at, " ");
	if (n == 0 || n >= size)
		return false;
	snprintf(out, size, "%.*s", (int)n, *at);
	*at += n;
	return true;
}

static int share_most(const struct sw_gpu *gpu)
{
	char profile[24];
	int64_t memory;
	int share, most = 0;

	for (const char *at = gpu->mig; profile_next(&at, profile, sizeof profile);)
		if (sw_mig_parse(profile, &share, &memory) && share > most)
			most = share;
	return most;
}

static void slice_fill(struct slice_entry *s, const struct sw_gpu *gpu, int share, int most, int64_t memory)
{
	double part = (double)share / most;

	snprintf(s->model, sizeof s->model, "%s-MIG-%s", gpu->model, s->profile);
	snprintf(s->resource, sizeof s->resource, "nvidia.com/mig-%s", s->profile);
	s->gpu = *gpu;
	s->gpu.model = s->model;
	s->gpu.family = gpu->model;
	s->gpu.resource = s->resource;
	s->gpu.slice = s->profile;
	s->gpu.whole = gpu;
	s->gpu.memory_bytes = memory;
	s->gpu.mig = "";
	s->gpu.bandwidth_gbs = gpu->bandwidth_gbs * (double)memory / (double)gpu->memory_bytes;
	for (size_t i = 0; i < SW_PRECISION__COUNT; i++)
		s->gpu.tflops[i] = gpu->tflops[i] * part;
}

static struct sw_err slices_of(struct sw_catalog *c, const struct sw_gpu *gpu, size_t room)
{
	const char *at = gpu->mig;
	int share, most = share_most(gpu);
	int64_t memory;

	while (at[strspn(at, " ")]) {
		struct slice_entry *s = &c->slices[c->n_slices];

		SW_REQUIRE(c->n_slices < room);
		if (!profile_next(&at, s->profile, sizeof s->profile) || !sw_mig_parse(s->profile, &share, &memory) ||
		    strlen(gpu->model) > 90)
			return sw_err(SW_E_INVALID,
				      "model %.90s: mig: found \"%.40s\", expected profiles such as "
				      "\"1g.10gb 3g.40gb\"",
				      gpu->model, gpu->mig);
		slice_fill(s, gpu, share, most, memory);
		c->n_slices++;
	}
	return SW_OK;
}

struct sw_err slices_make(struct sw_catalog *c)
{
	struct sw_err e = SW_OK;
	size_t room = 0;

	for (size_t i = 0; i < c->n_gpus; i++)
		room += strlen(c->gpus[i].gpu.mig) / 2 + 1;
	c->slices = sw_calloc(room + 1, sizeof *c->slices); /* never moved: the slices point into it */
	for (size_t i = 0; !sw_failed(e) && i < c->n_gpus; i++)
		e = slices_of(c, &c->gpus[i].gpu, room);
	return e;
}

/* ---- finding them ------------------------------------------------------------------ */

const struct sw_gpu *sw_catalog_slice(const struct sw_catalog *c, const struct sw_gpu *gpu, const char *profile)
{
	long g, gib;
	int share;
	int64_t memory;

	if (!gpu || !profile || !sw_mig_parse(profile, &share, &memory))
		return NULL;
	size_t n = (size_t)(profile_end(profile, &g, &gib) - profile);

	for (size_t i = 0; i < c->n_slices; i++)
		if (c->slices[i].gpu.whole == gpu && strncmp(c->slices[i].profile, profile, n) == 0 &&
		    !c->slices[i].profile[n])
			return &c->slices[i].gpu;
	return NULL;
}

const struct sw_gpu *slice_named(const struct sw_catalog *c, const char *name)
{
	char gpu[96];
	const char *mark = NULL;

	for (const char *at = name; *at; at++)
		if (strncasecmp(at, "-MIG-", 5) == 0)
			mark = at;
	if (!mark || mark == name || (size_t)(mark - name) >= sizeof gpu)
		return NULL;
	snprintf(gpu, sizeof gpu, "%.*s", (int)(mark - name), name);
	return sw_catalog_slice(c, sw_catalog_gpu(c, gpu), mark + 5);
}
