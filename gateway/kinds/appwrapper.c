/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appwrapper.c - workload.codeflare.dev/v1beta2 AppWrapper: a list of whole objects that are made and end together
 *
 * Where the pods are in a wrapped object is said beside it, by paths, or follows from its kind. Source: appwrapper
 * v1.2.2, api/v1beta2/appwrapper_types.go and pkg/utils/utils.go; pod sets as Kueue v0.19.2 counts them,
 * pkg/controller/jobs/appwrapper.
 *
 * A Workload's templates hold only what Kueue needs to know of a container: no environment, no volumes. So a copy keeps
 * its own templates, and takes from the Workload's what a translation can have changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ray.h"

struct sets { /* being collected */
	const char *name;
	struct sw_podset *out;
	size_t n;
};

static json_t *components(json_t *job)
{
	return sw_json_at(job, "spec.components");
}

/* ---- the pods in one wrapped object ------------------------------------------------------ */

/* One step of a path, ".key" or "[7]"; NULL: it leads nowhere. */
static json_t *step(json_t *o, const char **path)
{
	const char *p = *path;
	char key[64];
	size_t n;

	if (*p == '[') {
		char *end;
		unsigned long i = strtoul(p + 1, &end, 10);

		*path = end + 1;
		return end > p + 1 && *end == ']' ? sw_json_idx(o, i) : NULL;
	}
	n = *p == '.' ? strcspn(p + 1, ".[") : 0;
	if (!n || n >= sizeof(key) || !json_object_is_type(o, json_type_object))
		return NULL;
	snprintf(key, sizeof(key), "%.*s", (int)n, p + 1);
	*path = p + 1 + n;
	return sw_json_key(o, key);
}

/* "template.spec.groups[1].pod": template is the wrapped object itself. */
static json_t *declared_template(json_t *wrapped, const char *path)
{
	if (!path || strncmp(path, "template", 8) != 0)
		return NULL;
	path += 8;
	while (wrapped && *path)
		wrapped = step(wrapped, &path);
	return json_object_is_type(wrapped, json_type_object) ? wrapped : NULL;
}

static size_t simple_podsets(json_t *wrapped, struct sw_podset out[SW_PODSETS_MAX])
{
	static const struct {
		const char *api, *kind, *template, *count;
	} rows[] = {
		{"v1", "Pod", "", NULL},
		{"apps/v1", "Deployment", "spec.template", "spec.replicas"},
		{"apps/v1", "StatefulSet", "spec.template", "spec.replicas"},
	};
	const char *api = sw_json_str(wrapped, "apiVersion"), *kind = sw_json_str(wrapped, "kind");

	for (size_t i = 0; api && kind && i < sizeof(rows) / sizeof(*rows); i++) {
		if (strcmp(api, rows[i].api) != 0 || strcmp(kind, rows[i].kind) != 0)
			continue;
		kinds_podset(&out[0], "", rows[i].count ? kinds_count_lax(wrapped, rows[i].count, 1) : 1,
			     *rows[i].template ? sw_json_at(wrapped, rows[i].template) : wrapped, rows[i].template);
		return 1;
	}
	return 0;
}

/* The kinds that it looks into by itself, and that we know. */
static const struct sw_kind *inner_kind(json_t *wrapped)
{
	const struct sw_kind *const known[] = {&sw_kind_job, &sw_kind_jobset, &sw_kind_pytorch, &sw_kind_raycluster,
					       &sw_kind_rayjob};
	const struct sw_kind *k = sw_kind_of(wrapped);

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (k == known[i])
			return k;
	return NULL;
}

/* Paths are those inside the wrapped object. A wrapped RayJob's submitter is not counted. */
static size_t inferred(json_t *wrapped, struct sw_podset out[SW_PODSETS_MAX])
{
	const struct sw_kind *k = inner_kind(wrapped);

	if (k == &sw_kind_rayjob)
		return ray_podsets(sw_json_at(wrapped, "spec.rayClusterSpec"), "spec.rayClusterSpec", out);
	return k ? k->podsets(k, wrapped, out) : simple_podsets(wrapped, out);
}

/* ---- pod sets ------------------------------------------------------------------------------ */

/* Named by the wrapper and the number of the set in all of it. */
static void sets_add(struct sets *s, size_t component, const char *path, int32_t count, json_t *template)
{
	char name[64], where[144];

	if (s->n == SW_PODSETS_MAX)
		return;
	snprintf(name, sizeof(name), "%.59s-%zu", s->name, s->n);
	snprintf(where, sizeof(where), "spec.components[%zu].template%s%.100s", component, *path ? "." : "", path);
	kinds_podset(&s->out[s->n++], name, count, template, where);
}

static void component_sets(struct sets *s, json_t *component, size_t at)
{
	struct sw_podset inner[SW_PODSETS_MAX];
	json_t *wrapped = sw_json_key(component, "template"), *list = sw_json_key(component, "podSets");
	size_t n = sw_json_len(list) ? 0 : inferred(wrapped, inner);

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *set = sw_json_idx(list, i), *template = declared_template(wrapped, sw_json_str(set, "path"));

		if (template)
			sets_add(s, at,
				 sw_json_str(set, "path") + strlen("template") +
					 (sw_json_str(set, "path")[strlen("template")] == '.'),
				 kinds_count_lax(set, "replicas", 1), template);
	}
	for (size_t i = 0; i < n; i++)
		sets_add(s, at, inner[i].path, inner[i].count, inner[i].template);
}

static size_t podsets(const struct sw_kind *k, json_t *job, struct sw_podset out[SW_PODSETS_MAX])
{
	const char *name = sw_json_str(job, "metadata.name");
	struct sets s = {.name = name ? name : "", .out = out};
	json_t *list = components(job);

	(void)k;
	for (size_t i = 0; i < sw_json_len(list); i++)
		component_sets(&s, sw_json_idx(list, i), i);
	return s.n;
}

static struct sw_err check_declared(json_t *wrapped, json_t *list)
{
	struct sw_err e = SW_OK;

	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(list); i++) {
		json_t *set = sw_json_idx(list, i);
		const char *path = sw_json_str(set, "path");
		int64_t n;

		e = kinds_count(set, "replicas", 0, 1, &n);
		if (!sw_failed(e) && !declared_template(wrapped, path))
			e = sw_err(SW_E_INVALID,
				   "path: found \"%.100s\", expected the way to a pod template, from \"template\" on",
				   path ? path : "");
		e = sw_err_wrap(e, "podSets[%zu]", i);
	}
	return e;
}

static struct sw_err check_component(json_t *component)
{
	json_t *wrapped = sw_json_key(component, "template"), *list = sw_json_key(component, "podSets");
	const struct sw_kind *inner = inner_kind(wrapped);
	struct sw_err e = SW_OK;

	if (!json_object_is_type(wrapped, json_type_object))
		return sw_err(SW_E_INVALID, "template: found nothing, expected an object");
	if (sw_json_len(list))
		return check_declared(wrapped, list);
	if (inner == &sw_kind_rayjob)
		e = ray_check(inner, sw_json_at(wrapped, "spec.rayClusterSpec"), "spec.rayClusterSpec", SW_PODSETS_MAX,
			      NULL);
	else if (inner)
		e = inner->check(inner, wrapped);
	return sw_err_wrap(e, "template");
}

static struct sw_err check(const struct sw_kind *k, json_t *job)
{
	struct sw_podset sets[SW_PODSETS_MAX];
	json_t *list = components(job);
	const char *name = sw_json_str(job, "metadata.name");
	struct sw_err e = SW_OK;

	if (!sw_json_len(list))
		return sw_err(SW_E_INVALID, "spec.components: found nothing, expected a list");
	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(list); i++)
		e = sw_err_wrap(check_component(sw_json_idx(list, i)), "spec.components[%zu]", i);
	if (sw_failed(e))
		return e;
	size_t n = podsets(k, job, sets);

	if (!n)
		return sw_err(SW_E_INVALID, "spec.components: found no pods in any of them");
	if (n == SW_PODSETS_MAX) /* there may be more, which nobody has counted */
		return sw_err(SW_E_INVALID, "spec.components: expected fewer than %d pod sets in all", SW_PODSETS_MAX);
	if (name && strlen(name) > 60)
		return sw_err(SW_E_INVALID,
			      "metadata.name: found %zu bytes, expected at most 60: its pods are counted "
			      "under that name and a number",
			      strlen(name));
	return SW_OK;
}

/* ---- status ---------------------------------------------------------------------------------- */

static bool is_phase(json_t *status, const char *phase)
{
	const char *found = sw_json_str(status, "phase");

	return found && strcmp(found, phase) == 0;
}

/* A failed one still runs until what it made is gone. */
static enum sw_outcome status_outcome(json_t *status)
{
	if (is_phase(status, "Succeeded"))
		return SW_SUCCEEDED;
	return is_phase(status, "Failed") && !kinds_status_condition(status, "ResourcesDeployed") ? SW_JOB_FAILED
												  : SW_UNFINISHED;
}

static enum sw_outcome outcome(const struct sw_kind *k, json_t *job, const char **why)
{
	json_t *status = sw_json_key(job, "status");
	enum sw_outcome o = status_outcome(status);

	(void)k;
	*why = o == SW_UNFINISHED ? "" : sw_json_str(status, "phase");
	return o;
}

/* Kueue: IsActive is the condition QuotaReserved. It says nothing about how many pods there are. */
static int64_t active(const struct sw_kind *k, json_t *job)
{
	json_t *status = sw_json_key(job, "status");
	bool stopped = sw_kind_suspended(k, job) && is_phase(status, "Suspended") &&
		       !kinds_status_condition(status, "QuotaReserved") &&
		       !kinds_status_condition(status, "ResourcesDeployed");

	return status_outcome(status) != SW_UNFINISHED || stopped ? 0 : 1;
}

static void idle(const struct sw_kind *k, json_t *status)
{
	(void)k;
	for (json_t *c; (c = kinds_status_condition(status, "QuotaReserved"));)
		sw_json_set_str(c, "status", "False");
	sw_json_set_str(status, "phase", "Suspended");
}

static json_t *status_home(const struct sw_kind *k, json_t *local, json_t *remote, json_t *base)
{
	(void)k;
	(void)base; /* nothing compares a status with the one before it */
	if (status_outcome(local) != SW_UNFINISHED)
		return sw_json_copy(local);
	return remote ? sw_json_copy(remote) : json_object_new_object();
}

/* ---- copies ------------------------------------------------------------------------------------ */

/* What the manager's Kueue had put in beside the templates is the manager's own. */
static void prepare(const struct sw_kind *k, json_t *copy)
{
	json_t *list = components(copy);

	kinds_prepare(k, copy);
	for (size_t i = 0; i < sw_json_len(list); i++)
		sw_json_del_key(sw_json_idx(list, i), "podSetInfos");
}

static void take_key(json_t *to, json_t *from, const char *key)
{
	json_t *value = sw_json_key(from, key);

	if (value)
		json_object_object_add(to, key, json_object_get(value));
}

static void take_resources(json_t *to, json_t *from)
{
	for (size_t i = 0; i < sw_json_len(to) && i < sw_json_len(from); i++)
		take_key(sw_json_idx(to, i), sw_json_idx(from, i), "resources");
}

static void take_words(json_t *to, json_t *from, void (*set)(json_t *, const char *, const char *))
{
	if (!json_object_is_type(from, json_type_object))
		return;
	json_object_object_foreach(from, key, value) set(to, key, json_object_get_string(value));
}

/* What of the Workload's template goes into its own. */
static void overlay(json_t *own, json_t *template)
{
	static const char *const places[] = {"nodeSelector", "tolerations", "affinity"};
	json_t *to = sw_json_key(own, "spec"), *from = sw_json_key(template, "spec");

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		take_key(to, from, places[i]);
	take_resources(sw_json_key(to, "containers"), sw_json_key(from, "containers"));
	take_resources(sw_json_key(to, "initContainers"), sw_json_key(from, "initContainers"));
	take_words(own, sw_json_at(template, "metadata.labels"), sw_json_set_label);
	take_words(own, sw_json_at(template, "metadata.annotations"), sw_json_set_annotation);
}

static void trim(const struct sw_kind *k, json_t *copy, const char *set, json_t *template)
{
	struct sw_podset sets[SW_PODSETS_MAX];
	json_t *own = NULL;

	for (size_t i = 0, n = podsets(k, copy, sets); i < n; i++)
		if (strcmp(sets[i].name, set) == 0)
			own = sets[i].template;
	if (!json_object_is_type(sw_json_key(own, "spec"), json_type_object))
		return;
	own = sw_json_copy(own);
	overlay(own, template);
	json_object_object_foreach(own, key, value) json_object_object_add(template, key, json_object_get(value));
	json_object_put(own);
}

const struct sw_kind sw_kind_appwrapper = {
	.group = "workload.codeflare.dev",
	.version = "v1beta2",
	.kind = "AppWrapper",
	.plural = "appwrappers",
	.resource = "appwrappers.workload.codeflare.dev",
	.job_name_label = "workload.codeflare.dev/appwrapper",
	.suspend_path = "spec.suspend",
	.managed_by_path = "spec.managedBy",
	.containers_in_part = true,
	.podsets = podsets,
	.check = check,
	.outcome = outcome,
	.active = active,
	.idle = idle,
	.prepare = prepare,
	.trim = trim,
	.status_home = status_home,
};
