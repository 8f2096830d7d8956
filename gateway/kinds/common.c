/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common.c - small readers that several kinds share
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "kinds_priv.h"

struct sw_err kinds_count(json_t *job, const char *path, int64_t least, int64_t otherwise, int64_t *out)
{
	json_t *v = sw_json_at(job, path);

	*out = otherwise;
	if (!v)
		return SW_OK;
	*out = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : INT64_MIN;
	if (*out >= least && *out <= INT32_MAX)
		return SW_OK;
	return sw_err(SW_E_INVALID, "%s: found %.40s, expected a whole number from %lld to %d", path,
		      json_object_get_string(v), (long long)least, INT32_MAX);
}

int32_t kinds_count_lax(json_t *job, const char *path, int32_t otherwise)
{
	int64_t n = sw_json_int(job, path, otherwise);

	return n < 0 ? 0 : n > INT32_MAX ? INT32_MAX : (int32_t)n;
}

void kinds_podset(struct sw_podset *set, const char *name, int32_t count, json_t *template, const char *path)
{
	*set = (struct sw_podset){.count = count, .template = template};
	for (size_t i = 0; name[i] && i < sizeof(set->name) - 1; i++)
		set->name[i] = (char)tolower((unsigned char)name[i]);
	snprintf(set->path, sizeof(set->path), "%s", path);
}

json_t *kinds_status_condition(json_t *status, const char *type)
{
	json_t *list = sw_json_key(status, "conditions");

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *c = sw_json_idx(list, i);
		const char *t = sw_json_str(c, "type"), *on = sw_json_str(c, "status");

		if (t && on && strcmp(t, type) == 0)
			return strcmp(on, "True") == 0 ? c : NULL;
	}
	return NULL;
}

json_t *kinds_true_condition(json_t *object, const char *const *types)
{
	json_t *status = sw_json_key(object, "status"), *c = NULL;

	for (; !c && *types; types++)
		c = kinds_status_condition(status, *types);
	return c;
}

int64_t kinds_active(const struct sw_kind *k, json_t *job, int64_t counted)
{
	const char *why;

	if (counted > 0)
		return counted;
	if (k->outcome(k, job, &why) != SW_UNFINISHED)
		return 0;
	/* No pods counted, but its controller may not have looked since the job was unsuspended or suspended. */
	return sw_kind_suspended(k, job) && kinds_status_condition(sw_json_key(job, "status"), "Suspended") ? 0 : 1;
}

/* Kueue's names of pod sets are DNS labels. */
bool kinds_is_set_name(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && (name[i] != '-' || i == 0 || i == n - 1))
			return false;
	return n > 0 && n < 64;
}

struct sw_err kinds_check_list(const struct sw_kind *k, json_t *list, const char *path, const char *name_key,
			       size_t most)
{
	size_t n = sw_json_len(list);

	if (!n)
		return sw_err(SW_E_INVALID, "%s: found nothing, expected a list", path);
	if (n > most)
		return sw_err(SW_E_INVALID, "%s: found %zu, expected at most %zu: a %s has no more than %d pod sets",
			      path, n, most, k->kind, SW_PODSETS_MAX);
	for (size_t i = 0; i < n; i++) {
		const char *name = sw_json_str(sw_json_idx(list, i), name_key);

		if (!name || !kinds_is_set_name(name))
			return sw_err(SW_E_INVALID, "%s[%zu].%s: found \"%.70s\", expected letters, digits and '-'",
				      path, i, name_key, name ? name : "");
		for (size_t j = 0; j < i; j++)
			if (strcasecmp(name, sw_json_str(sw_json_idx(list, j), name_key)) == 0)
				return sw_err(SW_E_INVALID, "%s[%zu].%s: \"%s\" is there twice", path, i, name_key,
					      name);
	}
	return SW_OK;
}

enum sw_outcome kinds_outcome(json_t *job, const char *succeeded, const char *failed, const char **why)
{
	json_t *status = sw_json_key(job, "status"), *c = kinds_status_condition(status, failed);
	enum sw_outcome o = c ? SW_JOB_FAILED : SW_UNFINISHED;

	if (!c && (c = kinds_status_condition(status, succeeded)))
		o = SW_SUCCEEDED;
	*why = sw_json_str(c, "reason");
	*why = *why ? *why : "";
	return o;
}

int64_t kinds_list_sum(json_t *list, const char *field)
{
	int64_t n = 0;

	for (size_t i = 0; i < sw_json_len(list); i++) {
		int64_t one = sw_json_int(sw_json_idx(list, i), field, 0);

		n += one > INT32_MAX ? INT32_MAX : one > 0 ? one : 0;
	}
	return n;
}

void kinds_list_idle(json_t *list)
{
	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *one = sw_json_idx(list, i);

		if (!json_object_is_type(one, json_type_object))
			continue;
		sw_json_set_int(one, "active", 0);
		sw_json_set_int(one, "ready", 0);
	}
}

json_t *kinds_status_whole(json_t *local, json_t *remote, const char *succeeded, const char *failed)
{
	if (kinds_status_condition(local, succeeded) || kinds_status_condition(local, failed))
		return sw_json_copy(local);
	return remote ? sw_json_copy(remote) : json_object_new_object();
}

void kinds_prepare(const struct sw_kind *k, json_t *copy)
{
	sw_json_del(copy, k->managed_by_path);
}

void kinds_drop_labels(json_t *template, const char *const *labels)
{
	json_t *have = sw_json_at(template, "metadata.labels");

	for (; *labels; labels++)
		sw_json_del_key(have, *labels);
}
