/* SPDX-License-Identifier: Apache-2.0 */
/*
 * requests.c - what one pod asks for, as the scheduler will count it
 *
 * Source: k8s.io/component-helpers/resource/helpers.go PodRequests() and kubernetes.io/docs, "Sidecar containers",
 * section "Resource sharing within containers". Requests that are absent default to the limits, which the API server
 * does when the pod is made and Kueue does for its Workloads.
 */
#include <stdio.h>
#include <string.h>
#include "kinds_priv.h"
#include "spillway/text.h"

/* 2^53 of anything is more than the world has, and leaves room for a few sums in 63 bits of thousandths. */
#define AMOUNT_MAX (((int64_t)1 << 53) * 1000)

static struct sw_amount *amount_of(struct sw_amounts *a, const char *resource)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->at[i].resource, resource) == 0)
			return &a->at[i];
	if (a->n == SW_AMOUNTS_MAX)
		return NULL;
	a->at[a->n] = (struct sw_amount){.resource = resource};
	return &a->at[a->n++];
}

int64_t sw_amounts_get(const struct sw_amounts *a, const char *resource)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->at[i].resource, resource) == 0)
			return a->at[i].milli;
	return 0;
}

static struct sw_err no_room(void)
{
	return sw_err(SW_E_INVALID, "more than %d different resources", SW_AMOUNTS_MAX);
}

struct sw_err sw_amounts_add(struct sw_amounts *into, const struct sw_amounts *from, int64_t times)
{
	for (size_t i = 0; i < from->n; i++) {
		struct sw_amount *to = amount_of(into, from->at[i].resource);
		int64_t product;

		if (!to)
			return no_room();
		if (__builtin_mul_overflow(from->at[i].milli, times, &product) ||
		    __builtin_add_overflow(to->milli, product, &to->milli) || to->milli > AMOUNT_MAX)
			return sw_err(SW_E_INVALID, "the requests for %.60s add up to more than 2^53", to->resource);
	}
	return SW_OK;
}

static struct sw_err amounts_max(struct sw_amounts *into, const struct sw_amounts *from)
{
	for (size_t i = 0; i < from->n; i++) {
		struct sw_amount *to = amount_of(into, from->at[i].resource);

		if (!to)
			return no_room();
		if (from->at[i].milli > to->milli)
			to->milli = from->at[i].milli;
	}
	return SW_OK;
}

/* Devices and other extended resources are counted in whole ones: their names have a domain. */
static bool is_extended(const char *resource)
{
	return strchr(resource, '/') && strncmp(resource, "hugepages-", 10) != 0;
}

/* strict: as a user may ask. Otherwise as a pod may be found: with zeros. */
static struct sw_err quantity_read(const char *resource, json_t *v, bool strict, int64_t *milli)
{
	bool known = json_object_is_type(v, json_type_string) || json_object_is_type(v, json_type_int) ||
		     json_object_is_type(v, json_type_double);
	struct sw_err e = known ? sw_quantity_milli(json_object_get_string(v), milli)
				: sw_err(SW_E_INVALID, "expected a quantity (\"2\", \"500m\", \"40Gi\")");

	if (sw_failed(e))
		return e;
	if (*milli < 0 || *milli > AMOUNT_MAX)
		return sw_err(SW_E_INVALID, "found \"%.40s\", expected a quantity from 0 to 2^53",
			      json_object_get_string(v));
	if (strict && *milli == 0)
		return sw_err(SW_E_INVALID,
			      "found \"%.40s\", expected more than zero; leave the field out to ask for none",
			      json_object_get_string(v));
	if (strict && is_extended(resource) && *milli % 1000)
		return sw_err(SW_E_INVALID, "found \"%.40s\", expected a whole number of devices",
			      json_object_get_string(v));
	return SW_OK;
}

/* Takes what `list` has and `out` has not yet. A request of zero is a request: its limit does not stand in for it. */
static struct sw_err quantities_add_missing(json_t *list, const char *path, bool strict, struct sw_amounts *out)
{
	size_t had = out->n;

	if (!json_object_is_type(list, json_type_object))
		return SW_OK;
	json_object_object_foreach(list, resource, v)
	{
		int64_t milli = 0;
		struct sw_err e = quantity_read(resource, v, strict, &milli);
		struct sw_amount *a;

		if (sw_failed(e))
			return sw_err_wrap(e, "%s[%.80s]", path, resource);
		a = amount_of(out, resource);
		if (!a)
			return sw_err_wrap(no_room(), "%s", path);
		if ((size_t)(a - out->at) >= had)
			a->milli = milli;
	}
	return SW_OK;
}

/* requests, with limits where requests are silent. holder: a container, or the spec of a pod. */
static struct sw_err resources_read(json_t *holder, const char *path, bool strict, struct sw_amounts *out)
{
	char at[192];
	struct sw_err e;

	out->n = 0;
	snprintf(at, sizeof(at), "%s.resources.requests", path);
	e = quantities_add_missing(sw_json_at(holder, "resources.requests"), at, strict, out);
	if (sw_failed(e))
		return e;
	snprintf(at, sizeof(at), "%s.resources.limits", path);
	return quantities_add_missing(sw_json_at(holder, "resources.limits"), at, strict, out);
}

static struct sw_err containers_sum(json_t *spec, const char *path, bool strict, struct sw_amounts *out)
{
	json_t *list = sw_json_key(spec, "containers");
	struct sw_err e = SW_OK;

	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(list); i++) {
		struct sw_amounts one;
		char at[160];

		snprintf(at, sizeof(at), "%s.containers[%zu]", path, i);
		e = resources_read(sw_json_idx(list, i), at, strict, &one);
		if (!sw_failed(e))
			e = sw_err_wrap(sw_amounts_add(out, &one, 1), "%s", path);
	}
	return e;
}

/* Init containers run one after another, beside the sidecars that were started before them. */
static struct sw_err init_containers_add(json_t *spec, const char *path, bool strict, struct sw_amounts *out)
{
	json_t *list = sw_json_key(spec, "initContainers");
	struct sw_amounts sidecars = {.n = 0}, peak = {.n = 0};
	struct sw_err e = SW_OK;

	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(list); i++) {
		json_t *c = sw_json_idx(list, i);
		const char *restart = sw_json_str(c, "restartPolicy");
		struct sw_amounts one, now = sidecars;
		char at[160];

		snprintf(at, sizeof(at), "%s.initContainers[%zu]", path, i);
		e = resources_read(c, at, strict, &one);
		if (!sw_failed(e))
			e = sw_amounts_add(&now, &one, 1);
		if (!sw_failed(e) && restart && strcmp(restart, "Always") == 0)
			sidecars = now;
		if (!sw_failed(e))
			e = amounts_max(&peak, &now);
	}
	if (!sw_failed(e))
		e = sw_amounts_add(out, &sidecars, 1);
	return sw_failed(e) ? e : amounts_max(out, &peak);
}

/* spec.resources of the pod replaces the sums for the resources that it names. */
static struct sw_err pod_level(json_t *spec, const char *path, bool strict, struct sw_amounts *out)
{
	struct sw_amounts own;
	struct sw_err e = resources_read(spec, path, strict, &own);

	for (size_t i = 0; !sw_failed(e) && i < own.n; i++) {
		struct sw_amount *to = amount_of(out, own.at[i].resource);

		if (!to)
			return sw_err_wrap(no_room(), "%s.resources", path);
		to->milli = own.at[i].milli;
	}
	return e;
}

struct sw_err sw_pod_amounts(json_t *spec, const char *path, bool strict, struct sw_amounts *out)
{
	struct sw_amounts overhead = {.n = 0};
	char at[192];
	struct sw_err e;

	*out = (struct sw_amounts){.n = 0};
	e = containers_sum(spec, path, strict, out);
	if (!sw_failed(e))
		e = init_containers_add(spec, path, strict, out);
	if (!sw_failed(e) && sw_json_key(spec, "resources"))
		e = pod_level(spec, path, strict, out);
	if (!sw_failed(e) && sw_json_key(spec, "overhead")) {
		snprintf(at, sizeof(at), "%s.overhead", path);
		e = quantities_add_missing(sw_json_key(spec, "overhead"), at, strict, &overhead);
		if (!sw_failed(e))
			e = sw_err_wrap(sw_amounts_add(out, &overhead, 1), "%s", path);
	}
	return e;
}

struct sw_err sw_gpu_amount(const struct sw_amounts *a, const char *path, const char **resource, int64_t *gpus)
{
	*resource = NULL;
	*gpus = 0;
	for (size_t i = 0; i < a->n; i++) {
		if (!a->at[i].milli || !sw_is_gpu_resource(a->at[i].resource))
			continue;
		if (*resource)
			return sw_err(SW_E_INVALID, "%s: asks for %s and %s, expected one kind of GPU in a pod", path,
				      *resource, a->at[i].resource);
		*resource = a->at[i].resource;
		*gpus = (a->at[i].milli + 999) / 1000;
	}
	return SW_OK;
}

struct sw_err sw_pod_requests(json_t *spec, const char *path, struct sw_requests *out)
{
	struct sw_amounts a;
	struct sw_err e = sw_pod_amounts(spec, path, false, &a);
	const char *gpu;
	int64_t gpus;

	*out = (struct sw_requests){0};
	if (!sw_failed(e))
		e = sw_gpu_amount(&a, path, &gpu, &gpus);
	if (!sw_failed(e))
		*out = (struct sw_requests){.cpu_milli = sw_amounts_get(&a, "cpu"),
					    .memory_bytes = (sw_amounts_get(&a, "memory") + 999) / 1000,
					    .gpus = gpus,
					    .gpu_resource = gpu};
	return e;
}
