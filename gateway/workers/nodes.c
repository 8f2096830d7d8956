/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nodes.c - one row per node: what it can hold, and who may use it
 *
 * A row may come from a pod that names the node before the node's own watch does; it counts for
 * nothing until the node is seen.
 */
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

struct node_row *node_row_get(struct sw_worker *w, const char *name)
{
	struct node_row *row;
	HASH_FIND_STR(w->nodes, name, row);
	if (!row) {
		size_t n = strlen(name);
		row = sw_calloc(1, sizeof *row + n + 1);
		memcpy(row->name, name, n);
		HASH_ADD_KEYPTR(hh, w->nodes, row->name, n, row);
	}
	row->refs++;
	return row;
}

static void row_clear(struct node_row *row)
{
	json_object_put(row->labels);
	free(row->gpu_resource);
	free(row->taint);
	free(row->topology);
	row->labels = NULL;
	row->gpu_resource = row->taint = row->topology = NULL;
	row->gpu = NULL;
}

void node_row_put(struct sw_worker *w, struct node_row *row)
{
	if (!row || --row->refs > 0 || row->seen)
		return;
	HASH_DEL(w->nodes, row);
	row_clear(row);
	free(row);
}

static int64_t amount(json_t *allocatable, const char *key, bool milli)
{
	json_t *value = sw_json_key(allocatable, key);
	int64_t n = 0;
	if (!value || sw_failed(milli ? sw_quantity_milli(json_object_get_string(value), &n)
				      : sw_quantity_ceil(json_object_get_string(value), &n)))
		return 0;
	return n;
}

static void read_devices(struct sw_worker *w, struct node_row *row, json_t *node)
{
	struct sw_node_devices d;

	sw_catalog_node_devices(w->ws->opt.catalog, node, &d);
	row->gpu = d.gpu;
	row->gpu_resource = sw_strdup(d.resource);
	row->gpus = d.n;
	row->topology = sw_strdup(d.topology);
	row->gpu_why = d.why;
}

/* Returns false for a taint that keeps our copies off. Copies tolerate ours, a spot pool's, and that of the GPU's own
 * resource, as the admission plugin ExtendedResourceToleration would make them: plain.c. */
static bool taint_ok(struct node_row *row, json_t *taint)
{
	const char *key = sw_json_str(taint, "key"), *effect = sw_json_str(taint, "effect"),
		   *value = sw_json_str(taint, "value");

	if (!key || !effect || strcmp(effect, "PreferNoSchedule") == 0)
		return true;
	if (strcmp(key, SW_TAINT_BURST) == 0) {
		free(row->taint);
		row->taint = sw_strdup(value ? value : "");
		return true;
	}
	if (sw_is_spot_taint(key)) {
		row->spot = true;
		return true;
	}
	return sw_target_tolerates(row->gpu_resource, row->gpu, key);
}

static void row_fill(struct sw_worker *w, struct node_row *row, json_t *node)
{
	json_t *allocatable = sw_json_at(node, "status.allocatable"), *taints = sw_json_at(node, "spec.taints");
	const char *by = sw_json_annotation(node, ANN_CORDON);
	bool unschedulable = sw_json_bool(node, "spec.unschedulable");

	row_clear(row);
	row->labels = json_object_get(sw_json_at(node, "metadata.labels"));
	row->cpu = amount(allocatable, "cpu", true);
	row->memory = amount(allocatable, "memory", false);
	row->pods = amount(allocatable, "pods", false);
	read_devices(w, row, node);
	row->usable = !unschedulable && sw_json_condition_true(node, "Ready") &&
		      !sw_json_str(node, "metadata.deletionTimestamp");
	row->spot = sw_is_spot_node(node);
	row->cordoned = unschedulable && by && strcmp(by, w->ws->origin) == 0;
	for (size_t i = 0; i < sw_json_len(taints); i++)
		if (!taint_ok(row, sw_json_idx(taints, i)))
			row->usable = false;
}

void nodes_on_object(struct sw_worker *w, enum sw_obj_event ev, const char *name, json_t *node)
{
	struct node_row *row = node_row_get(w, name);

	if (row->seen != (ev == SW_OBJ_PUT))
		pools_nodes_changed(w);
	if (ev == SW_OBJ_PUT) {
		if (!row->seen && !row->busy)
			row->empty_since_ms = worker_now(w);
		row->seen = true;
		row->pools_version = 0; /* labels may have moved it to another pool */
		row_fill(w, row, node);
	} else {
		reserve_node_gone(w, row);
		row->seen = false;
	}
	node_row_put(w, row);
	worker_shape_changed(w);
}

void nodes_free(struct sw_worker *w)
{
	struct node_row *row, *tmp;
	HASH_ITER(hh, w->nodes, row, tmp)
	{
		HASH_DEL(w->nodes, row);
		row_clear(row);
		free(row);
	}
}
