/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ray.c - see ray.h
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "ray.h"

static int32_t group_count(json_t *g)
{
	int64_t hosts = kinds_count_lax(g, "numOfHosts", 1), n = kinds_count_lax(g, "replicas", 1);

	n *= hosts > 1 ? hosts : 1;
	return n > INT32_MAX ? INT32_MAX : (int32_t)n;
}

size_t ray_podsets(json_t *cluster, const char *path, struct sw_podset out[SW_PODSETS_MAX])
{
	json_t *groups = sw_json_key(cluster, "workerGroupSpecs");
	char at[144];
	size_t n = 0;

	snprintf(at, sizeof(at), "%s.headGroupSpec.template", path);
	kinds_podset(&out[n++], "head", 1, sw_json_at(cluster, "headGroupSpec.template"), at);
	for (size_t i = 0; i < sw_json_len(groups) && n < SW_PODSETS_MAX; i++) {
		json_t *g = sw_json_idx(groups, i);
		const char *name = sw_json_str(g, "groupName");

		snprintf(at, sizeof(at), "%s.workerGroupSpecs[%zu].template", path, i);
		kinds_podset(&out[n++], name ? name : "", group_count(g), sw_json_key(g, "template"), at);
	}
	return n;
}

static struct sw_err check_group(json_t *g, const char *reserved)
{
	const char *name = sw_json_str(g, "groupName");
	int64_t n, hosts;
	struct sw_err e = kinds_count(g, "replicas", 0, 1, &n);

	if (!sw_failed(e))
		e = kinds_count(g, "numOfHosts", 1, 1, &hosts);
	if (!sw_failed(e) && n * hosts > INT32_MAX)
		e = sw_err(SW_E_INVALID, "replicas: found %lld pods in all, expected at most %d", (long long)n * hosts,
			   INT32_MAX);
	if (!sw_failed(e) && (strcasecmp(name, "head") == 0 || (reserved && strcasecmp(name, reserved) == 0)))
		e = sw_err(SW_E_INVALID, "groupName: \"%s\" is the name of another set of pods", name);
	if (!sw_failed(e) && !json_object_is_type(sw_json_key(g, "template"), json_type_object))
		e = sw_err(SW_E_INVALID, "template: found nothing, expected a pod template");
	return e;
}

struct sw_err ray_check(const struct sw_kind *k, json_t *cluster, const char *path, size_t most, const char *reserved)
{
	json_t *groups = sw_json_key(cluster, "workerGroupSpecs");
	char at[96];
	struct sw_err e = SW_OK;

	snprintf(at, sizeof(at), "%s.workerGroupSpecs", path);
	if (!sw_json_len(sw_json_at(cluster, "headGroupSpec.template.spec.containers")))
		return sw_err(SW_E_INVALID,
			      "%s.headGroupSpec.template.spec.containers: found nothing, expected the "
			      "head's container",
			      path);
	if (sw_json_bool(cluster, "enableInTreeAutoscaling"))
		return sw_err(SW_E_INVALID,
			      "%s.enableInTreeAutoscaling: found true, expected false: a quota is for a fixed size",
			      path);
	if (groups)
		e = kinds_check_list(k, groups, at, "groupName", most - 1);
	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(groups); i++)
		e = sw_err_wrap(check_group(sw_json_idx(groups, i), reserved), "%s[%zu]", at, i);
	return e;
}

void ray_idle(json_t *cluster_status)
{
	static const char *const counts[] = {"readyWorkerReplicas", "availableWorkerReplicas"};

	sw_json_set_str(cluster_status, "state", "suspended");
	for (size_t i = 0; i < 2; i++)
		if (sw_json_key(cluster_status, counts[i]))
			sw_json_set_int(cluster_status, counts[i], 0);
}
