/* SPDX-License-Identifier: Apache-2.0 */
/*
 * requests.c - what a pod asks of a node, as the scheduler adds it up
 *
 * The rules (sidecars are init containers with restartPolicy Always; overhead; a limit stands in for a
 * missing request) follow k8s.io/component-helpers/resource/helpers.go, PodRequests. Used both for
 * pod templates of users, where a bad quantity is an error with its path, and for pods on workers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "spillway/kinds.h"
#include "spillway/text.h"

/* Sums of many containers must not overflow either: 2^53 is more than any node has, of anything. */
#define AMOUNT_MAX ((int64_t)1 << 53)

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);
	return n > m && strcmp(s + n - m, tail) == 0;
}

static struct sw_err amount_read(json_t *value, bool milli, const char *path, const char *list, const char *key, int64_t *out)
{
	const char *text = json_object_get_string(value); /* numbers are legal quantities too */
	struct sw_err e = text ? SW_OK : sw_err(SW_E_INVALID, "found null, expected a quantity such as 2 or 500m");
	if (!sw_failed(e))
		e = milli ? sw_quantity_milli(text, out) : sw_quantity_ceil(text, out);
	if (!sw_failed(e) && (*out < 0 || *out > AMOUNT_MAX))
		e = sw_err(SW_E_INVALID, "found %s, expected a quantity from 0 to %" PRId64, text, milli ? AMOUNT_MAX / 1000 : AMOUNT_MAX);
	return sw_err_wrap(e, "%s.%s[%s]", path, list, key);
}

static struct sw_err resource_add(struct sw_requests *r, const char *key, json_t *value, const char *path, const char *list)
{
	int64_t n = 0;
	struct sw_err e = SW_OK;

	if (strcmp(key, "cpu") == 0) {
		e = amount_read(value, true, path, list, key, &n);
		r->cpu_milli += n;
	} else if (strcmp(key, "memory") == 0) {
		e = amount_read(value, false, path, list, key, &n);
		r->memory_bytes += n;
	} else if (ends_with(key, "/gpu")) {
		e = amount_read(value, false, path, list, key, &n);
		if (!sw_failed(e) && n > 0 && r->gpu_resource && strcmp(r->gpu_resource, key) != 0)
			return sw_err(SW_E_INVALID, "%s.%s: found both %s and %s, expected one kind of GPU per pod", path, list,
			              r->gpu_resource, key);
		if (n > 0)
			r->gpu_resource = key;
		r->gpus += n;
	}
	return e;
}

/* resources: {requests, limits} of a container or of the whole pod. */
static struct sw_err resources_add(struct sw_requests *r, json_t *resources, const char *path)
{
	json_t *requests = sw_json_key(resources, "requests"), *limits = sw_json_key(resources, "limits");

	if (requests && json_object_is_type(requests, json_type_object)) {
		json_object_object_foreach(requests, key, value) {
			struct sw_err e = resource_add(r, key, value, path, "requests");
			if (sw_failed(e))
				return e;
		}
	}
	if (limits && json_object_is_type(limits, json_type_object)) {
		json_object_object_foreach(limits, name, amount) {
			struct sw_err e = sw_json_key(requests, name) ? SW_OK : resource_add(r, name, amount, path, "limits");
			if (sw_failed(e))
				return e;
		}
	}
	return SW_OK;
}

static struct sw_err container_read(json_t *spec, const char *list, size_t i, const char *path, struct sw_requests *out)
{
	char where[256];
	*out = (struct sw_requests){ 0 };
	snprintf(where, sizeof where, "%s.%s[%zu].resources", path, list, i);
	return resources_add(out, sw_json_key(sw_json_idx(sw_json_key(spec, list), i), "resources"), where);
}

static struct sw_err sum(struct sw_requests *to, const struct sw_requests *add, const char *path)
{
	if (to->gpu_resource && add->gpu_resource && strcmp(to->gpu_resource, add->gpu_resource) != 0)
		return sw_err(SW_E_INVALID, "%s: found both %s and %s, expected one kind of GPU per pod", path, to->gpu_resource,
		              add->gpu_resource);
	to->cpu_milli += add->cpu_milli;
	to->memory_bytes += add->memory_bytes;
	to->gpus += add->gpus;
	if (to->cpu_milli > AMOUNT_MAX || to->memory_bytes > AMOUNT_MAX || to->gpus > AMOUNT_MAX)
		return sw_err(SW_E_INVALID, "%s: the requests of all containers add up to more than any node can hold", path);
	if (!to->gpu_resource)
		to->gpu_resource = add->gpu_resource;
	return SW_OK;
}

static void raise_to(struct sw_requests *to, const struct sw_requests *least)
{
	to->cpu_milli = to->cpu_milli > least->cpu_milli ? to->cpu_milli : least->cpu_milli;
	to->memory_bytes = to->memory_bytes > least->memory_bytes ? to->memory_bytes : least->memory_bytes;
	to->gpus = to->gpus > least->gpus ? to->gpus : least->gpus;
	if (!to->gpu_resource)
		to->gpu_resource = least->gpu_resource;
}

/* sidecars: what keeps running beside the containers. peak: the most that an init container needs with those before it. */
static struct sw_err init_read(json_t *spec, const char *path, struct sw_requests *sidecars, struct sw_requests *peak)
{
	json_t *list = sw_json_key(spec, "initContainers");

	for (size_t i = 0; i < sw_json_len(list); i++) {
		struct sw_requests one, with;
		struct sw_err e = container_read(spec, "initContainers", i, path, &one);
		const char *restart = sw_json_str(sw_json_idx(list, i), "restartPolicy");
		if (!sw_failed(e) && restart && strcmp(restart, "Always") == 0) {
			e = sum(sidecars, &one, path);
			with = *sidecars;
		} else if (!sw_failed(e)) {
			with = *sidecars;
			e = sum(&with, &one, path);
		}
		if (sw_failed(e))
			return e;
		raise_to(peak, &with);
	}
	return SW_OK;
}

struct sw_err sw_pod_requests(json_t *spec, const char *path, struct sw_requests *out)
{
	struct sw_requests total = { 0 }, peak = { 0 }, whole = { 0 }, overhead = { 0 };
	json_t *list = sw_json_key(spec, "containers"), *extra = sw_json_key(spec, "overhead");
	char where[256];

	*out = total;
	struct sw_err e = init_read(spec, path, &total, &peak);
	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(list); i++) {
		struct sw_requests one;
		e = container_read(spec, "containers", i, path, &one);
		if (!sw_failed(e))
			e = sum(&total, &one, path);
	}
	if (sw_failed(e))
		return e;
	raise_to(&total, &peak);
	if (total.gpu_resource && peak.gpu_resource && strcmp(total.gpu_resource, peak.gpu_resource) != 0)
		return sw_err(SW_E_INVALID, "%s: found both %s and %s, expected one kind of GPU per pod", path, total.gpu_resource,
		              peak.gpu_resource);
	snprintf(where, sizeof where, "%s.resources", path);
	e = resources_add(&whole, sw_json_key(spec, "resources"), where);
	if (whole.cpu_milli > 0)
		total.cpu_milli = whole.cpu_milli;
	if (whole.memory_bytes > 0)
		total.memory_bytes = whole.memory_bytes;
	if (!sw_failed(e) && extra && json_object_is_type(extra, json_type_object)) {
		json_object_object_foreach(extra, key, value) {
			if (!sw_failed(e))
				e = resource_add(&overhead, key, value, path, "overhead");
		}
	}
	if (!sw_failed(e))
		e = sum(&total, &overhead, path);
	if (!sw_failed(e))
		*out = total;
	return e;
}
