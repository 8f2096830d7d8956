/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queues.c - LocalQueues and ClusterQueues of a cluster with Kueue: what is there, and what is free
 *
 * Read for two things only: to say before anything is sent that a queue is missing or stopped, and to guess whether an
 * offer would be taken at once. Kueue decides; borrowing in a cohort and preemption are left to it.
 */
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

static struct queue_row *row_find(struct queue_row *rows, const char *key)
{
	struct queue_row *row;
	HASH_FIND_STR(rows, key, row);
	return row;
}

static void row_clear(struct queue_row *row)
{
	for (size_t i = 0; i < row->n_quotas; i++)
		free(row->quotas[i].resource);
	free(row->quotas);
	free(row->cluster_queue);
	free(row->why);
	row->quotas = NULL;
	row->n_quotas = 0;
	row->cluster_queue = row->why = NULL;
}

static void row_free(struct queue_row **rows, struct queue_row *row)
{
	HASH_DEL(*rows, row);
	row_clear(row);
	free(row);
}

static struct queue_row *row_get(struct queue_row **rows, const char *key)
{
	struct queue_row *row = row_find(*rows, key);
	size_t n = strlen(key);

	if (row)
		return row;
	row = sw_calloc(1, sizeof *row + n + 1);
	memcpy(row->key, key, n);
	HASH_ADD_KEYPTR(hh, *rows, row->key, n, row);
	return row;
}

static void row_fill(struct queue_row *row, json_t *queue)
{
	const char *stop = sw_json_str(queue, "spec.stopPolicy"),
		   *why = sw_json_str(sw_json_condition(queue, "Active"), "message");

	row_clear(row);
	row->active = sw_json_condition_true(queue, "Active");
	row->stopped = stop && *stop && strcmp(stop, "None") != 0;
	row->pending = (int)sw_json_int(queue, "status.pendingWorkloads", 0);
	row->why = sw_strdup(row->active || !why ? "" : why);
}

/* ---- quotas -------------------------------------------------------------------------------- */

static struct quota *quota_get(struct queue_row *row, const char *resource)
{
	for (size_t i = 0; i < row->n_quotas; i++)
		if (strcmp(row->quotas[i].resource, resource) == 0)
			return &row->quotas[i];
	row->quotas = realloc(row->quotas, (row->n_quotas + 1) * sizeof *row->quotas);
	SW_REQUIRE(row->quotas);
	row->quotas[row->n_quotas] = (struct quota){.resource = sw_strdup(resource)};
	return &row->quotas[row->n_quotas++];
}

/* Sites write very large numbers where they mean "no limit". */
static int64_t milli(json_t *o, const char *key)
{
	json_t *v = sw_json_key(o, key);
	int64_t n = 0;

	if (!v)
		return 0;
	if (!sw_failed(sw_quantity_milli(json_object_get_string(v), &n)))
		return n;
	return sw_failed(sw_quantity_ceil(json_object_get_string(v), &n)) ? 0 : INT64_MAX;
}

static int64_t plus(int64_t a, int64_t b)
{
	int64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static void nominal_read(struct queue_row *row, json_t *flavor)
{
	json_t *resources = sw_json_key(flavor, "resources");
	for (size_t i = 0; i < sw_json_len(resources); i++) {
		json_t *r = sw_json_idx(resources, i);
		const char *name = sw_json_str(r, "name");
		if (!name)
			continue;
		struct quota *q = quota_get(row, name);
		q->nominal_milli = plus(q->nominal_milli, milli(r, "nominalQuota"));
	}
}

static void used_read(struct queue_row *row, json_t *flavor)
{
	json_t *resources = sw_json_key(flavor, "resources");
	for (size_t i = 0; i < sw_json_len(resources); i++) {
		json_t *r = sw_json_idx(resources, i);
		const char *name = sw_json_str(r, "name");
		if (!name)
			continue;
		struct quota *q = quota_get(row, name);
		q->used_milli = plus(q->used_milli, milli(r, "total"));
	}
}

static void quotas_read(struct queue_row *row, json_t *queue)
{
	json_t *groups = sw_json_at(queue, "spec.resourceGroups"),
	       *used = sw_json_at(queue, "status.flavorsReservation");

	for (size_t g = 0; g < sw_json_len(groups); g++) {
		json_t *flavors = sw_json_key(sw_json_idx(groups, g), "flavors");
		for (size_t i = 0; i < sw_json_len(flavors); i++)
			nominal_read(row, sw_json_idx(flavors, i));
	}
	for (size_t i = 0; i < sw_json_len(used); i++)
		used_read(row, sw_json_idx(used, i));
}

/* ---- the watches ------------------------------------------------------------------------------ */

static struct queue_row *on_queue(struct queue_row **rows, enum sw_obj_event ev, const char *key, json_t *queue)
{
	struct queue_row *row = row_find(*rows, key);

	if (ev != SW_OBJ_PUT) {
		if (row)
			row_free(rows, row);
		return NULL;
	}
	row = row_get(rows, key);
	row_fill(row, queue);
	return row;
}

void local_queues_on_object(struct sw_worker *w, enum sw_obj_event ev, const char *key, json_t *queue)
{
	const char *to = sw_json_str(queue, "spec.clusterQueue");
	struct queue_row *row = on_queue(&w->local_queues, ev, key, queue);

	if (row)
		row->cluster_queue = sw_strdup(to ? to : "");
	worker_capacity_changed(w);
}

void cluster_queues_on_object(struct sw_worker *w, enum sw_obj_event ev, const char *key, json_t *queue)
{
	struct queue_row *row = on_queue(&w->cluster_queues, ev, key, queue);

	if (row)
		quotas_read(row, queue);
	worker_capacity_changed(w);
}

void worker_queues_free(struct sw_worker *w)
{
	struct queue_row *row, *tmp;
	HASH_ITER(hh, w->local_queues, row, tmp)
	row_free(&w->local_queues, row);
	HASH_ITER(hh, w->cluster_queues, row, tmp)
	row_free(&w->cluster_queues, row);
}

/* ---- the door ------------------------------------------------------------------------------------ */

static const struct quota *quota_of(const struct queue_row *row, const char *resource)
{
	for (size_t i = 0; i < row->n_quotas; i++)
		if (strcmp(row->quotas[i].resource, resource) == 0)
			return &row->quotas[i];
	return NULL;
}

/* Those that wait before it are taken to be of its size. */
static bool has_room(const struct queue_row *row, const struct sw_demand *d)
{
	for (size_t i = 0; i < d->total.n; i++) {
		const struct quota *q = quota_of(row, d->total.at[i].resource);
		bool pods = strcmp(d->total.at[i].resource, "pods") == 0;
		if (!q && !pods)
			return false; /* a resource that the queue does not cover is never admitted */
		if (q && d->total.at[i].milli > 0 &&
		    (q->nominal_milli - q->used_milli) / d->total.at[i].milli <= row->pending)
			return false;
	}
	return true;
}

static const char *main_resource(const struct sw_demand *d)
{
	for (size_t i = 0; i < d->n_sets; i++)
		if (d->sets[i].gpus > 0 && d->sets[i].gpu_resource)
			return d->sets[i].gpu_resource;
	return "cpu";
}

static bool is_open(const struct queue_row *row, const char *what, const char *name, struct sw_queue_look *out)
{
	if (!row)
		snprintf(out->why, sizeof out->why, "%s %.100s does not exist there", what, name);
	else if (row->stopped)
		snprintf(out->why, sizeof out->why, "%s %.100s is stopped there", what, name);
	else if (!row->active)
		snprintf(out->why, sizeof out->why, "%s %.60s is not active there%s%.70s", what, name,
			 *row->why ? ": " : "", row->why);
	else
		return true;
	return false;
}

struct sw_queue_look sw_worker_queue(struct sw_worker *w, const char *ns, const char *queue,
				     const struct sw_demand *demand)
{
	struct sw_queue_look look = {.known = w->ops->offer && queues_synced(w)};

	if (!look.known)
		return look;
	char *key = sw_asprintf("%s/%s", ns, queue);
	const struct queue_row *local = row_find(w->local_queues, key), *cluster;
	look.open = is_open(local, "LocalQueue", key, &look);
	free(key);
	cluster = local ? row_find(w->cluster_queues, local->cluster_queue) : NULL;
	look.there = cluster != NULL;
	if (!look.open)
		return look;
	look.open = is_open(cluster, "ClusterQueue", local->cluster_queue, &look);
	if (!look.open)
		return look;
	const struct quota *q = quota_of(cluster, main_resource(demand));
	look.pending = cluster->pending;
	look.total = q ? q->nominal_milli / 1000 : 0;
	look.free = q && q->nominal_milli > q->used_milli ? (q->nominal_milli - q->used_milli) / 1000 : 0;
	look.room = has_room(cluster, demand);
	return look;
}
