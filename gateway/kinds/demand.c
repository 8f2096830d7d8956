/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demand.c - what a job asks for: pod sets, and the portable wishes in spillway.dev annotations
 *
 * Strict, because a wish that is misspelt and passed over is found only on the bill. A wish may be an annotation or a
 * label (annotations win; a list of GPUs is no label value). To add a wish: a row in wishes[] and its reader.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kinds_priv.h"
#include "spillway/companions.h"
#include "spillway/text.h"

#define PREFIX "spillway.dev/"

typedef struct sw_err wish_fn(const char *text, const struct sw_catalog *cat, struct sw_demand *out);

static struct sw_err model_add(const struct sw_gpu *gpu, struct sw_demand *out)
{
	for (size_t i = 0; i < out->n_models; i++)
		if (out->models[i] == gpu)
			return SW_OK;
	if (out->n_models == SW_MODELS_MAX)
		return sw_err(SW_E_INVALID, "found more than %d GPU models", SW_MODELS_MAX);
	out->models[out->n_models++] = gpu;
	return SW_OK;
}

/* A family's name stands for all of its models. */
static struct sw_err models_add(const char *name, const struct sw_catalog *cat, struct sw_demand *out)
{
	const struct sw_gpu *family[SW_MODELS_MAX];
	size_t n = sw_catalog_family(cat, name, family, SW_MODELS_MAX);
	struct sw_err e = SW_OK;

	if (!n) {
		const char *near = sw_catalog_nearest_gpu(cat, name);

		return sw_err(SW_E_INVALID, "unknown GPU \"%.40s\"%s%s%s", name, near ? ", did you mean \"" : "",
			      near ? near : "", near ? "\"?" : "; expected models such as \"H100\", \"A100\", \"T4\"");
	}
	for (size_t i = 0; !sw_failed(e) && i < n && i < SW_MODELS_MAX; i++)
		e = model_add(family[i], out);
	return e;
}

static struct sw_err wish_gpu(const char *text, const struct sw_catalog *cat, struct sw_demand *out)
{
	struct sw_err e = SW_OK;

	while (!sw_failed(e)) {
		char name[64];
		size_t skip = strspn(text, " \t"), len = strcspn(text + skip, ","), keep = len;

		while (keep && (text[skip + keep - 1] == ' ' || text[skip + keep - 1] == '\t'))
			keep--;
		if (!keep)
			return sw_err(SW_E_INVALID, "found an empty name, expected GPU models separated by commas");
		snprintf(name, sizeof(name), "%.*s", (int)(keep > 63 ? 63 : keep), text + skip);
		e = models_add(name, cat, out);
		text += skip + len;
		if (*text++ != ',')
			break;
	}
	return e;
}

static struct sw_err wish_memory(const char *text, const struct sw_catalog *cat, struct sw_demand *out)
{
	struct sw_err e = sw_quantity_ceil(text, &out->gpu_memory_bytes);

	(void)cat;
	if (!sw_failed(e) && out->gpu_memory_bytes <= 0)
		e = sw_err(SW_E_INVALID, "found \"%.40s\", expected more than zero, such as \"40Gi\"", text);
	return e;
}

static struct sw_err wish_precision(const char *text, const struct sw_catalog *cat, struct sw_demand *out)
{
	(void)cat;
	out->has_precision = true;
	return sw_precision_parse(text, &out->precision);
}

static struct sw_err wish_spot(const char *text, const struct sw_catalog *cat, struct sw_demand *out)
{
	static const char *const words[] = {
		[SW_SPOT_ALLOW] = "allow", [SW_SPOT_NEVER] = "never", [SW_SPOT_REQUIRE] = "require"};

	(void)cat;
	for (int i = 0; i < 3; i++)
		if (strcmp(words[i], text) == 0) {
			out->spot = (enum sw_spot)i;
			return SW_OK;
		}
	const char *near = sw_nearest(text, words, 3);

	return sw_err(SW_E_INVALID, "found \"%.40s\"%s%s%s, expected allow, never or require", text,
		      near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static struct sw_err wish_price(const char *text, const struct sw_catalog *cat, struct sw_demand *out)
{
	char *end;
	bool plain = *text && !text[strspn(text, "0123456789.")];

	(void)cat;
	out->max_price = plain ? strtod(text, &end) : NAN;
	if (!plain || *end || !(out->max_price > 0) || !isfinite(out->max_price))
		return sw_err(SW_E_INVALID, "found \"%.40s\", expected a price in USD per hour, such as \"12.50\"",
			      text);
	return SW_OK;
}

static struct sw_err wish_deadline(const char *text, const struct sw_catalog *cat, struct sw_demand *out)
{
	struct sw_err e = sw_duration_parse(text, &out->deadline_ms);

	(void)cat;
	if (!sw_failed(e) && out->deadline_ms <= 0)
		e = sw_err(SW_E_INVALID, "found \"%.40s\", expected more than zero, such as \"2h\"", text);
	return e;
}

static struct sw_err wish_data(const char *text, const struct sw_catalog *cat, struct sw_demand *out)
{
	(void)cat;
	out->data = text;
	return sw_data_read(text, &out->place);
}

static struct sw_err wish_companions(const char *text, const struct sw_catalog *cat, struct sw_demand *out)
{
	struct sw_companions c;

	(void)cat, (void)out; /* dispatch reads them when it sends them */
	return sw_companions_parse(text, &c);
}

static const struct wish {
	const char *key;
	wish_fn *read;
	bool about_gpu;
} wishes[] = {
	{SW_ANN_GPU, wish_gpu, true},
	{SW_ANN_GPU_MEMORY, wish_memory, true},
	{SW_ANN_PRECISION, wish_precision, true},
	{SW_ANN_SPOT, wish_spot, false},
	{SW_ANN_MAX_PRICE, wish_price, false},
	{SW_ANN_DEADLINE, wish_deadline, false},
	{SW_ANN_DATA, wish_data, false},
	{SW_ANN_COMPANIONS, wish_companions, false},
};
enum { N_WISHES = sizeof(wishes) / sizeof(*wishes) };

/* What spillway itself writes on copies: a job exported from a worker may still carry it, it is overwritten. */
static const char *const ours[] = {SW_LABEL_ORIGIN, SW_LABEL_WORKLOAD, SW_ANN_WORKLOAD, SW_ANN_OWNER_UID,
				   SW_ANN_ATTEMPT,  SW_ANN_POOL,       SW_ANN_STOPPED};

static bool known_key(const char *key)
{
	for (size_t i = 0; i < N_WISHES; i++)
		if (strcmp(wishes[i].key, key) == 0)
			return true;
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (strcmp(ours[i], key) == 0)
			return true;
	return false;
}

static struct sw_err check_keys(json_t *map, const char *path)
{
	const char *names[N_WISHES];

	if (!json_object_is_type(map, json_type_object))
		return SW_OK;
	for (size_t i = 0; i < N_WISHES; i++)
		names[i] = wishes[i].key;
	json_object_object_foreach(map, key, v)
	{
		(void)v;
		if (strncmp(key, PREFIX, strlen(PREFIX)) != 0 || known_key(key))
			continue;
		const char *near = sw_nearest(key, names, N_WISHES);

		return sw_err(SW_E_INVALID, "%s[%.80s]: spillway knows no such wish%s%s%s", path, key,
			      near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
	return SW_OK;
}

static struct sw_err wishes_read(json_t *job, const struct sw_catalog *cat, struct sw_demand *out)
{
	struct sw_err e = check_keys(sw_json_at(job, "metadata.annotations"), "metadata.annotations");

	if (!sw_failed(e))
		e = check_keys(sw_json_at(job, "metadata.labels"), "metadata.labels");
	for (size_t i = 0; !sw_failed(e) && i < N_WISHES; i++) {
		const struct wish *w = &wishes[i];
		const char *where = "annotations", *text = sw_json_annotation(job, w->key);

		if (!text) {
			where = "labels";
			text = sw_json_label(job, w->key);
		}
		if (!text)
			continue;
		e = w->read(text, cat, out);
		if (!sw_failed(e) && w->about_gpu && out->gpus == 0)
			e = sw_err(SW_E_INVALID, "no container asks for a GPU; add a limit such as nvidia.com/gpu: 1");
		e = sw_err_wrap(e, "metadata.%s[%s]", where, w->key);
	}
	return e;
}

uint32_t sw_demand_mark(json_t *job)
{
	uint64_t mark = 0;

	for (size_t i = 0; i < N_WISHES; i++) {
		const char *text = sw_json_annotation(job, wishes[i].key);

		text = text ? text : sw_json_label(job, wishes[i].key);
		if (text)
			mark = mark * 31 + sw_hash(text, strlen(text)) + i;
	}
	return (uint32_t)(mark ^ mark >> 32);
}

static struct sw_err podset_read(struct sw_podset *set, bool strict, struct sw_demand *out)
{
	struct sw_amounts pod, one = {.at = {{"pods", 1000}}, .n = 1};
	char path[96];

	snprintf(path, sizeof(path), "%s.spec", set->path);
	struct sw_err e = sw_pod_amounts(sw_json_key(set->template, "spec"), path, strict, &pod);

	if (sw_failed(e))
		return e;
	set->cpu_milli = sw_amounts_get(&pod, "cpu");
	set->memory_bytes = (sw_amounts_get(&pod, "memory") + 999) / 1000;
	e = sw_gpu_amount(&pod, path, &set->gpu_resource, &set->gpus);
	if (!sw_failed(e))
		e = sw_err_wrap(sw_amounts_add(&out->total, &pod, set->count), "%s", set->path);
	if (!sw_failed(e))
		e = sw_err_wrap(sw_amounts_add(&out->total, &one, set->count), "%s", set->path);
	if (!sw_failed(e))
		out->gpus += set->gpus * set->count; /* fits: the thousandths did */
	return e;
}

/* Wishes that no GPU of the job's own list can meet would wait for ever. */
static struct sw_err check_models(const struct sw_demand *d)
{
	char why[160];

	for (size_t i = 0; i < d->n_models; i++)
		if (!sw_demand_refuses(d, d->models[i], why, sizeof(why)))
			return SW_OK;
	if (!d->n_models)
		return SW_OK;
	return sw_err(SW_E_INVALID, "metadata.annotations[%s]: no model of the list will do: %s", SW_ANN_GPU, why);
}

static void demand_init(struct sw_demand *out)
{
	memset(out, 0, sizeof(*out));
	out->spot = SW_SPOT_NEVER;
	out->max_price = INFINITY;
}

/* out->sets are there; the rest follows from them and from the wishes of `holder`. */
static struct sw_err sets_and_wishes(json_t *holder, bool strict, const struct sw_catalog *cat, struct sw_demand *out)
{
	struct sw_err e = SW_OK;

	for (size_t i = 0; !sw_failed(e) && i < out->n_sets; i++)
		e = podset_read(&out->sets[i], strict, out);
	if (!sw_failed(e))
		e = wishes_read(holder, cat, out);
	if (!sw_failed(e))
		e = check_models(out);
	return e;
}

struct sw_err sw_demand_read(const struct sw_kind *k, json_t *job, const struct sw_catalog *cat, struct sw_demand *out)
{
	struct sw_err e = k->check(k, job);

	demand_init(out);
	if (sw_failed(e))
		return e;
	out->n_sets = k->podsets(k, job, out->sets);
	return sets_and_wishes(job, true, cat, out);
}

static struct sw_err workload_set(json_t *set, size_t i, struct sw_demand *out)
{
	const char *name = sw_json_str(set, "name");
	char path[64];
	int64_t count;
	struct sw_err e = kinds_count(set, "count", 0, 1, &count);

	if (!sw_failed(e) && !name)
		e = sw_err(SW_E_INVALID, "name: found nothing, expected the name of the set");
	snprintf(path, sizeof(path), "spec.podSets[%zu].template", i);
	if (!sw_failed(e))
		kinds_podset(&out->sets[out->n_sets++], name, (int32_t)count, sw_json_key(set, "template"), path);
	return sw_err_wrap(e, "spec.podSets[%zu]", i);
}

struct sw_err sw_demand_of_podsets(json_t *podsets, json_t *holder, const struct sw_catalog *cat, struct sw_demand *out)
{
	size_t n = sw_json_len(podsets);
	struct sw_err e = SW_OK;

	demand_init(out);
	if (!n || n > SW_PODSETS_MAX)
		return sw_err(SW_E_INVALID, "spec.podSets: found %zu, expected 1 to %d", n, SW_PODSETS_MAX);
	for (size_t i = 0; !sw_failed(e) && i < n; i++)
		e = workload_set(sw_json_idx(podsets, i), i, out);
	return sw_failed(e) ? e : sets_and_wishes(holder, false, cat, out);
}
