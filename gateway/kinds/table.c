/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - the list of job kinds, and what every row can answer
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "spillway/kinds.h"
#include "spillway/text.h"

static const struct sw_kind *const kinds[] = {
#define X(id) &sw_kind_##id,
	SW_KIND_MAP(X)
#undef X
};
enum { N_KINDS = sizeof(kinds) / sizeof(*kinds) };

/* See sw_kinds_lend(). */
static struct {
	const struct sw_kind *const *rows;
	size_t n;
} declared;

const struct sw_kind *sw_kind_built_in(size_t i)
{
	return i < N_KINDS ? kinds[i] : NULL;
}

const struct sw_kind *sw_kind_at(size_t i)
{
	return i < N_KINDS ? kinds[i] : i - N_KINDS < declared.n ? declared.rows[i - N_KINDS] : NULL;
}

void sw_kinds_lend(const struct sw_kind *const *rows, size_t n)
{
	SW_REQUIRE(n <= SW_KINDS_DECLARED_MAX && (!n || !declared.n || declared.rows == rows));
	declared.rows = n ? rows : NULL;
	declared.n = n;
}

/* "batch/v1" is the group and version of k? */
static bool same_api(const struct sw_kind *k, const char *api_version)
{
	size_t n = strlen(k->group);

	return strncmp(api_version, k->group, n) == 0 && api_version[n] == '/' &&
	       strcmp(api_version + n + 1, k->version) == 0;
}

const struct sw_kind *sw_kind_of(json_t *object)
{
	const char *api = sw_json_str(object, "apiVersion"), *kind = sw_json_str(object, "kind");

	const struct sw_kind *k;

	for (size_t i = 0; api && kind && (k = sw_kind_at(i)); i++)
		if (strcmp(k->kind, kind) == 0 && same_api(k, api))
			return k;
	return NULL;
}

const struct sw_kind *sw_kind_find(const char *resource)
{
	const struct sw_kind *k;

	for (size_t i = 0; (k = sw_kind_at(i)); i++)
		if (strcmp(k->resource, resource) == 0)
			return k;
	return NULL;
}

const struct sw_kind *sw_kind_named(const char *word)
{
	const struct sw_kind *k;

	for (size_t i = 0; (k = sw_kind_at(i)); i++) {
		if (strcasecmp(k->kind, word) == 0 || strcasecmp(k->plural, word) == 0 ||
		    strcasecmp(k->resource, word) == 0)
			return k;
	}
	return NULL;
}

bool sw_kind_suspended(const struct sw_kind *k, json_t *job)
{
	return sw_json_bool(job, k->suspend_path);
}

void sw_kind_suspend(const struct sw_kind *k, json_t *job, bool on)
{
	sw_json_set_bool(job, k->suspend_path, on);
}

const char *sw_kind_managed_by(const struct sw_kind *k, json_t *job)
{
	return sw_json_str(job, k->managed_by_path);
}

int64_t sw_kind_ttl_s(const struct sw_kind *k, json_t *job)
{
	return k->ttl_path ? sw_json_int(job, k->ttl_path, -1) : -1;
}

const char *sw_workload_label(const char *workload_name, char buf[64])
{
	char hex[65];

	if (sw_is_label_value(workload_name) && *workload_name) {
		snprintf(buf, 64, "%s", workload_name);
		return buf;
	}
	sw_sha256_hex(workload_name, strlen(workload_name), hex);
	snprintf(buf, 64, "sha256-%.48s", hex);
	return buf;
}

const char *sw_workload_priority_class(json_t *workload)
{
	json_t *ref = sw_json_at(workload, "spec.priorityClassRef");
	const char *kind = sw_json_str(ref, "kind"), *name = sw_json_str(ref, "name");

	return kind && strcmp(kind, "WorkloadPriorityClass") == 0 && name && *name ? name : NULL;
}
