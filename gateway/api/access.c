/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.c - who may do what; pure
 *
 *   admin      everything
 *   reader     reads everything but secrets
 *   submitter  reads what belongs to the cluster; in its namespaces reads all and writes
 *              jobs of every kind, secrets and configmaps
 *   everyone   asks about itself (the self-reviews)
 */
#include "api_priv.h"

#include <string.h>

static bool is_reading(const char *verb)
{
	return strcmp(verb, "get") == 0 || strcmp(verb, "list") == 0 || strcmp(verb, "watch") == 0;
}

/* list: "a,b" or "*". ns "" (all namespaces) is only in "*". */
static bool has_namespace(const char *list, const char *ns)
{
	size_t n = strlen(ns);
	if (strcmp(list, "*") == 0)
		return true;
	for (const char *at = list; n && *at;) {
		size_t len = strcspn(at, ",");
		if (len == n && memcmp(at, ns, n) == 0)
			return true;
		at += len;
		at += *at == ',';
	}
	return false;
}

static bool is_submittable(const struct sw_resource *r)
{
	static const char *const ids[] = {"jobs.batch", "secrets", "configmaps"};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (strcmp(r->id, ids[i]) == 0)
			return true;
	return strcmp(r->group, "kubeflow.org") == 0;
}

static bool submitter_allowed(const struct user *u, const struct access *what)
{
	const struct sw_resource *r = what->r;
	bool reading = is_reading(what->verb);
	if (!r->namespaced)
		return reading;
	if (!has_namespace(u->namespaces, what->ns))
		return false;
	return reading || (is_submittable(r) && !*what->sub);
}

bool access_allowed(const struct user *u, const struct access *what)
{
	if (what->r->flags & SW_RES_REVIEW)
		return strcmp(what->verb, "create") == 0;
	switch (u->role) {
	case SW_ROLE_ADMIN:
		return true;
	case SW_ROLE_READER:
		return is_reading(what->verb) && strcmp(what->r->id, "secrets") != 0;
	case SW_ROLE_SUBMITTER:
		return submitter_allowed(u, what);
	}
	return false;
}
