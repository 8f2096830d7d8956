/* SPDX-License-Identifier: Apache-2.0 */
/*
 * translate.c - a pod template, rewritten for the cluster and pool where its pods are to run
 *
 * Four steps, each of which does nothing where the template already says what it should: names of devices, labels of
 * nodes, spot, tolerations. Taints: every pod of a job that goes to a GPU pool tolerates the taint of its GPUs, a
 * launcher without GPU too, since the gang is packed on that pool.
 *
 * Sources: kubernetes.io/docs, admission plugin ExtendedResourceToleration; cloud.google.com/kubernetes-engine/docs,
 * "Spot VMs" (label cloud.google.com/gke-spot=true, no taint unless one is added; TPU nodes carry the taint
 * google.com/tpu=present); learn.microsoft.com/azure/aks, "spot node pool" (label and taint
 * kubernetes.azure.com/scalesetpriority=spot); docs.nvidia.com MIG user guide, "MIG support in Kubernetes".
 */
#include "spillway/translate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kinds_priv.h"
#include "spillway/text.h"

/* How each cloud marks its spot nodes. taints: its spot nodes are always tainted, so others stay off by themselves. */
static const struct spot_mark {
	const char *provider, *key, *value;
	bool taints;
} spot_marks[] = {
	{"gke", "cloud.google.com/gke-spot", "true", false},
	{"aks", "kubernetes.azure.com/scalesetpriority", "spot", true},
};
enum { N_MARKS = sizeof spot_marks / sizeof *spot_marks };

struct job {
	const struct sw_target *to;
	const char *path;
	json_t *said;
};

bool sw_is_spot_taint(const char *taint_key)
{
	for (size_t i = 0; i < N_MARKS; i++)
		if (strcmp(spot_marks[i].key, taint_key) == 0)
			return true;
	return false;
}

static const char *resource_of(const char *gpu_resource, const struct sw_gpu *gpu)
{
	return gpu_resource ? gpu_resource : gpu ? gpu->resource : NULL;
}

bool sw_is_spot_node(json_t *node)
{
	for (size_t i = 0; i < N_MARKS; i++) {
		const char *value = sw_json_label(node, spot_marks[i].key);

		if (value && strcmp(value, spot_marks[i].value) == 0)
			return true;
	}
	return false;
}

bool sw_target_tolerates(const char *gpu_resource, const struct sw_gpu *gpu, const char *taint_key)
{
	const char *resource = resource_of(gpu_resource, gpu);

	return (resource && strcmp(resource, taint_key) == 0) ||
	       (gpu && gpu->whole && strcmp(gpu->whole->resource, taint_key) == 0);
}

__attribute__((format(printf, 3, 4))) static void say(const struct job *j, const char *change, const char *fmt, ...)
{
	char text[400] = "";
	va_list ap;

	if (!j->said)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	json_t *one = json_object_new_object();

	sw_json_set_str(one, "path", j->path);
	sw_json_set_str(one, "change", change);
	sw_cut(text, sizeof text - 1, text);
	sw_json_set_str(one, "text", text);
	json_object_array_add(j->said, one);
}

/* o[key] as an object or array; what has another shape is put aside: the API server would refuse it. */
static json_t *child(json_t *o, const char *key, enum json_type type)
{
	json_t *have = sw_json_key(o, key);

	if (have && json_object_is_type(have, type))
		return have;
	have = type == json_type_array ? json_object_new_array() : json_object_new_object();
	json_object_object_add(o, key, have);
	return have;
}

/* ---- devices ------------------------------------------------------------------- */

static struct sw_err device_rename(const struct job *j, json_t *list, const char *where, const char *from,
				   const char *resource)
{
	json_t *n = sw_json_key(list, from);
	char count[40];

	snprintf(count, sizeof count, "%s", json_object_get_string(n));
	if (j->to->gpu && j->to->gpu->slice && !sw_is_mig_resource(from) && strcmp(count, "1") != 0)
		return sw_err(SW_E_INVALID, "%s.%s[%s]: found %s, expected 1: a program can use one slice of a GPU",
			      j->path, where, from, count);
	if (!sw_resource_portable(from, j->to->gpu, resource))
		return sw_err(SW_E_INVALID, "%s.%s[%s]: found %s, which nodes that count %s cannot serve", j->path,
			      where, from, from, resource);
	json_object_object_add(list, resource, json_object_get(n));
	if (strstr(where, "limits"))
		say(j, "resource", "%s asks for %s: %s instead of %s%s%s%s", where, resource, count, from,
		    j->to->gpu ? " (" : "", j->to->gpu ? j->to->gpu->model : "", j->to->gpu ? ")" : "");
	json_object_object_del(list, from);
	return SW_OK;
}

static struct sw_err devices_of_list(const struct job *j, json_t *holder, const char *where, const char *which)
{
	const char *resource = resource_of(j->to->gpu_resource, j->to->gpu), *from = NULL;
	json_t *list = sw_json_key(sw_json_key(holder, "resources"), which);
	char at[160];

	if (!resource || !list || !json_object_is_type(list, json_type_object))
		return SW_OK;
	json_object_object_foreach(list, key, v)
	{
		(void)v;
		if (sw_is_gpu_resource(key) && strcmp(key, resource) != 0)
			from = key;
	}
	if (!from)
		return SW_OK;
	char *name = sw_strdup(from); /* goes with the entry that is replaced */

	snprintf(at, sizeof at, "%s%sresources.%s", where, *where ? "." : "", which);
	struct sw_err e = device_rename(j, list, at, name, resource);

	free(name);
	return e;
}

static struct sw_err devices_of(const struct job *j, json_t *holder, const char *where)
{
	struct sw_err e = devices_of_list(j, holder, where, "requests");

	return sw_failed(e) ? e : devices_of_list(j, holder, where, "limits");
}

static struct sw_err devices(const struct job *j, json_t *spec)
{
	static const char *const lists[] = {"initContainers", "containers"};
	struct sw_err e = devices_of(j, spec, "");

	for (size_t l = 0; l < 2; l++) {
		json_t *list = sw_json_key(spec, lists[l]);

		for (size_t i = 0; !sw_failed(e) && i < sw_json_len(list); i++) {
			char where[64];

			snprintf(where, sizeof where, "%s[%zu]", lists[l], i);
			e = devices_of(j, sw_json_idx(list, i), where);
		}
	}
	return e;
}

/* ---- nodes ----------------------------------------------------------------------- */

static void select_label(const struct job *j, json_t *spec, const char *key, const char *value)
{
	json_t *selector = child(spec, "nodeSelector", json_type_object), *have = sw_json_key(selector, key);
	const char *old = have ? json_object_get_string(have) : NULL;

	if (old && strcmp(old, value) == 0)
		return;
	if (old)
		say(j, "selector", "runs on nodes with %s=%s instead of %s", key, value, old);
	else
		say(j, "selector", "runs on nodes with %s=%s", key, value);
	json_object_object_add(selector, key, json_object_new_string(value));
}

static bool term_has(json_t *term, json_t *wanted)
{
	json_t *list = sw_json_key(term, "matchExpressions");

	for (size_t i = 0; i < sw_json_len(list); i++)
		if (json_object_equal(sw_json_idx(list, i), wanted))
			return true;
	return false;
}

/* Terms are alternatives: what must hold goes into each of them. Returns whether anything changed. */
static bool require(json_t *spec, json_t *expression_taken)
{
	json_t *affinity = child(child(spec, "affinity", json_type_object), "nodeAffinity", json_type_object);
	json_t *required = child(affinity, "requiredDuringSchedulingIgnoredDuringExecution", json_type_object);
	json_t *terms = child(required, "nodeSelectorTerms", json_type_array);
	bool changed = false;

	if (!sw_json_len(terms))
		json_object_array_add(terms, json_object_new_object());
	for (size_t i = 0; i < sw_json_len(terms); i++) {
		json_t *term = sw_json_idx(terms, i);

		if (!json_object_is_type(term, json_type_object) || term_has(term, expression_taken))
			continue;
		json_object_array_add(child(term, "matchExpressions", json_type_array), sw_json_copy(expression_taken));
		changed = true;
	}
	json_object_put(expression_taken);
	return changed;
}

static json_t *expression(const char *key, const char *operator, json_t * values_taken)
{
	json_t *e = json_object_new_object();

	sw_json_set_str(e, "key", key);
	sw_json_set_str(e, "operator", operator);
	json_object_object_add(e, "values", values_taken);
	return e;
}

static void label_apply(const struct job *j, json_t *spec, const char *key, json_t *value)
{
	if (!json_object_is_type(value, json_type_array)) {
		select_label(j, spec, key, json_object_get_string(value));
		return;
	}
	if (require(spec, expression(key, "In", sw_json_copy(value))))
		say(j, "affinity", "runs on nodes whose %s is one of %s", key,
		    json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
}

static void nodes(const struct job *j, json_t *spec)
{
	if (!json_object_is_type(j->to->labels, json_type_object))
		return;
	json_object_object_foreach(j->to->labels, key, value) label_apply(j, spec, key, value);
}

/* ---- tolerations and spot ------------------------------------------------------------ */

static bool same_text(json_t *o, const char *key, const char *want)
{
	const char *have = sw_json_str(o, key);

	return strcmp(have ? have : "", want) == 0;
}

/* Is there one that tolerates key[=value], whatever the effect? */
static bool tolerated(json_t *list, const char *key, const char *value)
{
	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *t = sw_json_idx(list, i);
		bool exists = same_text(t, "operator", "Exists");

		if (!same_text(t, "effect", "") || sw_json_key(t, "tolerationSeconds"))
			continue;
		if (exists && (same_text(t, "key", key) || same_text(t, "key", "")))
			return true;
		if (value && !exists && same_text(t, "key", key) && same_text(t, "value", value))
			return true;
	}
	return false;
}

static void tolerate(const struct job *j, json_t *spec, const char *key, const char *value)
{
	json_t *list = sw_json_key(spec, "tolerations");

	if (json_object_is_type(list, json_type_array) && tolerated(list, key, value))
		return;
	json_t *one = json_object_new_object();

	sw_json_set_str(one, "key", key);
	sw_json_set_str(one, "operator", value ? "Equal" : "Exists");
	if (value)
		sw_json_set_str(one, "value", value);
	json_object_array_add(child(spec, "tolerations", json_type_array), one);
	say(j, "toleration", "tolerates the taint %s%s%s", key, value ? "=" : "", value ? value : "");
}

static void tolerations(const struct job *j, json_t *spec)
{
	const struct sw_target *to = j->to;
	const char *resource = resource_of(to->gpu_resource, to->gpu);

	if (to->burst_taint)
		tolerate(j, spec, SW_TAINT_BURST, to->burst_taint);
	if (resource && sw_is_label_key(resource))
		tolerate(j, spec, resource, NULL);
	if (to->gpu && to->gpu->whole && (!resource || strcmp(to->gpu->whole->resource, resource) != 0))
		tolerate(j, spec, to->gpu->whole->resource, NULL);
}

static void spot(const struct job *j, json_t *spec)
{
	const struct sw_target *to = j->to;
	const struct spot_mark *cloud = NULL;

	for (size_t i = 0; to->provider && i < N_MARKS; i++)
		if (strcmp(spot_marks[i].provider, to->provider) == 0)
			cloud = &spot_marks[i];
	if (to->spot == SW_SPOT_NEVER) {
		if (!cloud || cloud->taints)
			return;
		json_t *values = json_object_new_array();

		json_object_array_add(values, json_object_new_string(cloud->value));
		if (require(spec, expression(cloud->key, "NotIn", values)))
			say(j, "affinity", "keeps off spot nodes (%s=%s)", cloud->key, cloud->value);
		return;
	}
	for (size_t i = 0; i < N_MARKS; i++)
		if (!cloud || cloud == &spot_marks[i])
			tolerate(j, spec, spot_marks[i].key, NULL);
	if (to->spot == SW_SPOT_REQUIRE && cloud)
		select_label(j, spec, cloud->key, cloud->value);
}

/* ---- the door ---------------------------------------------------------------------------- */

struct sw_err sw_translate(json_t *template, const char *path, const struct sw_target *to, json_t *said)
{
	const struct job j = {.to = to, .path = path, .said = said};

	if (!json_object_is_type(template, json_type_object))
		return sw_err(SW_E_INVALID, "%s: expected a pod template", path);
	json_t *spec = child(template, "spec", json_type_object);
	struct sw_err e = devices(&j, spec);

	if (sw_failed(e))
		return e;
	nodes(&j, spec);
	tolerations(&j, spec);
	spot(&j, spec);
	return SW_OK;
}

struct sw_err sw_translate_job(const struct sw_kind *k, json_t *job, const struct sw_target *to, json_t *said)
{
	struct sw_podset sets[SW_PODSETS_MAX];
	struct sw_err e = SW_OK;

	for (size_t i = 0, n = k->podsets(k, job, sets); !sw_failed(e) && i < n; i++)
		if (json_object_is_type(sets[i].template, json_type_object))
			e = sw_translate(sets[i].template, sets[i].path, to, said);
	return e;
}
