/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubeflow.c - see kubeflow.h
 */
#include <stdio.h>
#include <string.h>
#include "kubeflow.h"

static json_t *replica(const struct kubeflow_names *names, json_t *job, const char *type)
{
	return sw_json_key(sw_json_key(sw_json_key(job, "spec"), names->specs), type);
}

size_t kubeflow_podsets(const struct sw_kind *k, json_t *job, struct sw_podset out[SW_PODSETS_MAX])
{
	const struct kubeflow_names *names = k->own;
	size_t n = 0;

	for (const char *const *type = names->types; *type; type++) {
		json_t *r = replica(names, job, *type);
		char path[144];

		if (!r)
			continue;
		snprintf(path, sizeof(path), "spec.%s.%s.template", names->specs, *type);
		kinds_podset(&out[n++], *type, kinds_count_lax(r, "replicas", 1), sw_json_key(r, "template"), path);
	}
	return n;
}

static size_t n_types(const struct kubeflow_names *names)
{
	size_t n = 0;

	while (names->types[n])
		n++;
	return n;
}

static bool has_container(json_t *replica_spec, const char *name)
{
	json_t *list = sw_json_at(replica_spec, "template.spec.containers");

	for (size_t i = 0; i < sw_json_len(list); i++) {
		const char *found = sw_json_str(sw_json_idx(list, i), "name");

		if (found && strcmp(found, name) == 0)
			return true;
	}
	return false;
}

static struct sw_err check_replica(const struct kubeflow_names *names, const char *type, json_t *r)
{
	int64_t n, least = names->single && strcmp(type, names->single) == 0 ? 1 : 0;
	struct sw_err e = kinds_count(r, "replicas", least, 1, &n);

	if (!sw_failed(e) && least && n > 1)
		e = sw_err(SW_E_INVALID, "replicas: found %lld, expected 1: there is one %s", (long long)n, type);
	if (!sw_failed(e) && !names->container && !json_object_is_type(sw_json_key(r, "template"), json_type_object))
		e = sw_err(SW_E_INVALID, "template: found nothing, expected a pod template");
	if (!sw_failed(e) && names->container && !has_container(r, names->container))
		e = sw_err(SW_E_INVALID, "template.spec.containers: expected a container named \"%s\"",
			   names->container);
	return sw_err_wrap(e, "spec.%s.%s", names->specs, type);
}

struct sw_err kubeflow_check(const struct sw_kind *k, json_t *job)
{
	const struct kubeflow_names *names = k->own;
	json_t *specs = sw_json_key(sw_json_key(job, "spec"), names->specs);
	struct sw_err e;
	int64_t pods = 0;

	if (!json_object_is_type(specs, json_type_object))
		return sw_err(SW_E_INVALID, "spec.%s: found nothing, expected at least %s", names->specs,
			      names->types[0]);
	json_object_object_foreach(specs, type, r)
	{
		size_t i = 0, n = n_types(names);

		while (i < n && strcmp(names->types[i], type) != 0)
			i++;
		if (i == n) {
			const char *near = sw_nearest(type, names->types, (int)n);

			return sw_err(SW_E_INVALID, "spec.%s.%.60s: no such replica type%s%s; expected %s%s",
				      names->specs, type, near ? ", did you mean " : "", near ? near : "",
				      names->types[0], n > 1 ? ", ..." : "");
		}
		e = check_replica(names, type, r);
		if (sw_failed(e))
			return e;
		pods += kinds_count_lax(r, "replicas", 1);
	}
	if (names->required && !sw_json_key(specs, names->single))
		return sw_err(SW_E_INVALID, "spec.%s.%s: found nothing, expected exactly one", names->specs,
			      names->single);
	return pods > 0 ? SW_OK
			: sw_err(SW_E_INVALID, "spec.%s: found no replicas, expected at least 1 pod in all",
				 names->specs);
}

enum sw_outcome kubeflow_outcome(const struct sw_kind *k, json_t *job, const char **why)
{
	(void)k;
	return kinds_outcome(job, "Succeeded", "Failed", why);
}

int64_t kubeflow_active(const struct sw_kind *k, json_t *job)
{
	json_t *types = sw_json_at(job, "status.replicaStatuses");
	int64_t n = 0;

	if (json_object_is_type(types, json_type_object)) {
		json_object_object_foreach(types, type, s)
		{
			(void)type;
			n += sw_json_int(s, "active", 0);
		}
	}
	return kinds_active(k, job, n);
}

/* Kueue: IsActive is any replicaStatuses[].active != 0. */
void kubeflow_idle(const struct sw_kind *k, json_t *status)
{
	json_t *types = sw_json_key(status, "replicaStatuses");

	(void)k;
	if (!json_object_is_type(types, json_type_object))
		return;
	json_object_object_foreach(types, type, s)
	{
		(void)type;
		if (json_object_is_type(s, json_type_object))
			sw_json_set_int(s, "active", 0);
	}
}

/* The attempts before this one failed too: what they counted stays counted. */
static void add_base(json_t *status, json_t *local, json_t *base)
{
	json_t *types = sw_json_key(status, "replicaStatuses");

	if (!json_object_is_type(types, json_type_object))
		return;
	json_object_object_foreach(types, type, s)
	{
		json_t *was = sw_json_key(sw_json_key(base, "replicaStatuses"), type);
		json_t *now = sw_json_key(sw_json_key(local, "replicaStatuses"), type);
		int64_t failed = sw_json_int(was, "failed", 0) + sw_json_int(s, "failed", 0),
			seen = sw_json_int(now, "failed", 0);

		if (json_object_is_type(s, json_type_object) && (failed || seen))
			sw_json_set_int(s, "failed", failed > seen ? failed : seen);
	}
}

json_t *kubeflow_status_home(const struct sw_kind *k, json_t *local, json_t *remote, json_t *base)
{
	json_t *status = kinds_status_whole(local, remote, "Succeeded", "Failed");

	(void)k;
	if (!kinds_status_condition(local, "Succeeded") && !kinds_status_condition(local, "Failed"))
		add_base(status, local, base);
	return status;
}
