/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topology.c - a Workload's requests for a place in its cluster: taken out on the manager, put back for workers
 */
#include "spillway/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANNOTATION(name) "kueue.x-k8s.io/podset-" name

/* What asks for a place; the other fields (podIndexLabel, subGroup...) say how pods are numbered. */
static const char *const asks[] = {"required",        "preferred",
				   "unconstrained",   "podSetSliceRequiredTopology",
				   "podSetSliceSize", "podsetSliceRequiredTopologyConstraints"};
enum { N_ASKS = sizeof asks / sizeof *asks };
#define GROUP "podSetGroupName" /* only beside required or preferred */

static bool asks_for_a_place(json_t *request)
{
	for (size_t i = 0; i < N_ASKS; i++)
		if (sw_json_key(request, asks[i]))
			return true;
	return false;
}

/* ---- on the manager ------------------------------------------------------------------- */

static void replace_op(json_t *patch, size_t podset, json_t *value_taken)
{
	char path[64];
	json_t *op = json_object_new_object();

	snprintf(path, sizeof path, "/spec/podSets/%zu/topologyRequest", podset);
	sw_json_set_str(op, "op", "replace");
	sw_json_set_str(op, "path", path);
	json_object_object_add(op, "value", value_taken);
	json_object_array_add(patch, op);
}

json_t *sw_topology_hide(json_t *workload)
{
	json_t *podsets = sw_json_at(workload, "spec.podSets"), *patch = NULL;

	for (size_t i = 0; i < sw_json_len(podsets); i++) {
		json_t *request = sw_json_key(sw_json_idx(podsets, i), "topologyRequest");

		if (!request || !asks_for_a_place(request))
			continue;
		json_t *rest = sw_json_copy(request);

		for (size_t k = 0; k < N_ASKS; k++)
			sw_json_del_key(rest, asks[k]);
		sw_json_del_key(rest, GROUP);
		patch = patch ? patch : json_object_new_array();
		replace_op(patch, i, rest);
	}
	return patch;
}

/* ---- for a worker ----------------------------------------------------------------------- */

static json_t *annotation(json_t *template, const char *name)
{
	json_t *v = sw_json_key(sw_json_at(template, "metadata.annotations"), name);

	return json_object_is_type(v, json_type_string) && json_object_get_string_len(v) ? v : NULL;
}

static const char *text_of(json_t *template, const char *name)
{
	return json_object_get_string(annotation(template, name));
}

/* As Go's ParseBool reads it. */
static bool is_true(const char *text)
{
	static const char *const words[] = {"1", "t", "T", "true", "TRUE", "True"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

static void take_place(json_t *template, json_t *out)
{
	const char *required = text_of(template, ANNOTATION("required-topology")),
		   *preferred = text_of(template, ANNOTATION("preferred-topology")),
		   *free_choice = text_of(template, ANNOTATION("unconstrained-topology")),
		   *group = text_of(template, ANNOTATION("group-name"));

	if (required)
		sw_json_set_str(out, "required", required);
	else if (preferred)
		sw_json_set_str(out, "preferred", preferred);
	else if (free_choice)
		sw_json_set_bool(out, "unconstrained", is_true(free_choice));
	if (group && (required || preferred))
		sw_json_set_str(out, GROUP, group);
}

static void take_slices(json_t *template, json_t *out)
{
	const char *level = text_of(template, ANNOTATION("slice-required-topology")),
		   *size = text_of(template, ANNOTATION("slice-size")),
		   *layers = text_of(template, ANNOTATION("slice-required-topology-constraints"));
	json_t *list = NULL;
	char *end = NULL;
	long n = size ? strtol(size, &end, 10) : 0;

	if (layers && !sw_failed(sw_json_parse(layers, strlen(layers), &list)) &&
	    json_object_is_type(list, json_type_array)) {
		json_object_object_add(out, "podsetSliceRequiredTopologyConstraints", list);
		return;
	}
	json_object_put(list);
	if (!level || n <= 0 || n > INT32_MAX || *end)
		return;
	sw_json_set_str(out, "podSetSliceRequiredTopology", level);
	sw_json_set_int(out, "podSetSliceSize", n);
}

void sw_topology_show(json_t *podsets)
{
	for (size_t i = 0; i < sw_json_len(podsets); i++) {
		json_t *set = sw_json_idx(podsets, i), *request = sw_json_key(set, "topologyRequest");
		json_t *template = sw_json_key(set, "template"), *found = json_object_new_object();

		take_place(template, found);
		take_slices(template, found);
		if (!json_object_is_type(set, json_type_object) || !json_object_object_length(found) ||
		    (request && asks_for_a_place(request))) {
			json_object_put(found);
			continue;
		}
		if (json_object_is_type(request, json_type_object)) {
			json_object_object_foreach(request, key, value)
				json_object_object_add(found, key, json_object_get(value));
		}
		json_object_object_add(set, "topologyRequest", found);
	}
}
