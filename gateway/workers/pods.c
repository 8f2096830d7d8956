/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pods.c - one small row per pod of the cluster, and more for ours
 *
 * Everybody's pods count on their nodes; that is how foreign work is seen. Ours are also listed under their workload:
 * they say how much of a gang is scheduled, and whether anything of a copy still runs.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "spillway/text.h"
#include "workers_priv.h"

bool pod_is_live(json_t *pod)
{
	const char *phase = sw_json_str(pod, "status.phase");
	return !phase || (strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0);
}

bool pod_is_daemon(json_t *pod)
{
	json_t *owners = sw_json_at(pod, "metadata.ownerReferences");

	if (sw_json_annotation(pod, "kubernetes.io/config.mirror"))
		return true;
	for (size_t i = 0; i < sw_json_len(owners); i++) {
		const char *kind = sw_json_str(sw_json_idx(owners, i), "kind");
		if (kind && (strcmp(kind, "DaemonSet") == 0 || strcmp(kind, "Node") == 0))
			return true;
	}
	return false;
}

/* Adds (sign 1) or takes away (-1) the pod on its node. */
static void account(struct sw_worker *w, const struct pod_row *p, int sign)
{
	struct node_row *n = p->node;

	if (!n || !p->live)
		return;
	n->cpu_used += sign * p->cpu;
	n->memory_used += sign * p->memory;
	n->gpus_used += sign * p->gpus;
	n->pods_used += sign;
	if (p->daemon) {
		n->cpu_daemon += sign * p->cpu;
		n->memory_daemon += sign * p->memory;
		n->pods_daemon += sign;
	} else {
		n->busy += (unsigned)sign;
		n->empty_since_ms = n->busy ? 0 : worker_now(w);
	}
}

/* ---- works: the pods and the copy of one workload ------------------------------ */

struct work *pod_work_find(struct sw_worker *w, const char *key)
{
	struct work *work;
	HASH_FIND_STR(w->works, key, work);
	return work;
}

struct work *pod_work_get(struct sw_worker *w, const char *key)
{
	struct work *work = pod_work_find(w, key);
	if (!work) {
		size_t n = strlen(key);
		work = sw_calloc(1, sizeof *work + n + 1);
		memcpy(work->key, key, n);
		HASH_ADD_KEYPTR(hh, w->works, work->key, n, work);
	}
	return work;
}

void work_settle(struct sw_worker *w, struct work *work)
{
	bool stray = work->pods && !work->copy;

	w->strays += (size_t)stray - (size_t)work->stray;
	work->stray = stray;
	if (work->pods || work->copy)
		return;
	HASH_DEL(w->works, work);
	free(work);
}

/* ---- ours --------------------------------------------------------------------------- */

static bool is_ours(struct sw_worker *w, json_t *pod)
{
	const char *origin = sw_json_label(pod, SW_LABEL_ORIGIN);
	return origin && strcmp(origin, w->ws->origin) == 0 && sw_json_annotation(pod, SW_ANN_WORKLOAD);
}

static void ours_free(struct sw_worker *w, struct pod_row *row)
{
	struct pod_ours *o = row->ours;

	if (!o)
		return;
	row->ours = NULL;
	DL_DELETE(o->work->pods, o);
	work_settle(w, o->work);
	free(o->owner_uid);
	free(o->uid);
	free(o);
}

static void ours_fill(struct sw_worker *w, struct pod_row *row, json_t *pod)
{
	const char *uid = sw_json_annotation(pod, SW_ANN_OWNER_UID), *attempt = sw_json_annotation(pod, SW_ANN_ATTEMPT);
	struct pod_ours *o = row->ours;

	if (!o) {
		o = row->ours = sw_calloc(1, sizeof *o);
		o->row = row;
		o->work = pod_work_get(w, sw_json_annotation(pod, SW_ANN_WORKLOAD));
		DL_APPEND(o->work->pods, o);
	}
	free(o->owner_uid);
	free(o->uid);
	o->owner_uid = sw_strdup(uid ? uid : "");
	o->uid = sw_strdup(sw_json_str(pod, "metadata.uid") ? sw_json_str(pod, "metadata.uid") : "");
	o->attempt = attempt ? (unsigned)strtoul(attempt, NULL, 10) : 0;
	o->deleting = sw_json_str(pod, "metadata.deletionTimestamp") != NULL;
	work_settle(w, o->work);
}

/* ---- the watch ------------------------------------------------------------------------ */

static void row_fill(struct sw_worker *w, struct pod_row *row, json_t *pod)
{
	const char *node = sw_json_str(pod, "spec.nodeName");
	struct sw_requests req;

	if (sw_failed(sw_pod_requests(sw_json_key(pod, "spec"), "spec", &req)))
		req = (struct sw_requests){0}; /* the API server took it, so it is no number we could use */
	row->cpu = req.cpu_milli;
	row->memory = req.memory_bytes;
	row->gpus = (int32_t)(req.gpus > INT32_MAX ? INT32_MAX : req.gpus);
	row->live = pod_is_live(pod);
	row->daemon = pod_is_daemon(pod);
	row->node = node && *node ? node_row_get(w, node) : NULL;
}

static struct pod_row *row_get(struct sw_worker *w, const char *key)
{
	struct pod_row *row;
	HASH_FIND_STR(w->pods, key, row);
	if (!row) {
		size_t n = strlen(key);
		row = sw_calloc(1, sizeof *row + n + 1);
		memcpy(row->key, key, n);
		HASH_ADD_KEYPTR(hh, w->pods, row->key, n, row);
	}
	return row;
}

static void row_free(struct sw_worker *w, struct pod_row *row)
{
	HASH_DEL(w->pods, row);
	account(w, row, -1);
	node_row_put(w, row->node);
	ours_free(w, row);
	free(row);
}

/* Tells about a pod of ours, before its row may go. */
static void tell(struct sw_worker *w, const char *work_key, const char *pod_key, json_t *pod)
{
	const struct sw_workers_options *opt = &w->ws->opt;
	const char *slash = strchr(pod_key, '/');
	if (opt->on_pod)
		opt->on_pod(opt->owner, work_key, w, slash ? slash + 1 : pod_key, pod);
	worker_work_changed(w, work_key);
}

static void pod_gone(struct sw_worker *w, const char *key)
{
	struct pod_row *row;
	char *work_key = NULL;

	HASH_FIND_STR(w->pods, key, row);
	if (!row)
		return;
	if (row->ours)
		work_key = sw_strdup(row->ours->work->key);
	row_free(w, row);
	worker_capacity_changed(w);
	if (work_key) {
		copies_pods_changed(w, work_key);
		tell(w, work_key, key, NULL);
	}
	free(work_key);
}

static void pod_put(struct sw_worker *w, const char *key, json_t *pod)
{
	struct pod_row *row = row_get(w, key);
	struct pod_row before = *row;

	account(w, row, -1);
	row_fill(w, row, pod);
	node_row_put(w, before.node);
	account(w, row, 1);
	bool counts = row->node || before.node; /* what waits for a node takes nothing yet */
	if (counts && (row->node != before.node || row->live != before.live || row->cpu != before.cpu ||
		       row->memory != before.memory || row->gpus != before.gpus))
		worker_capacity_changed(w); /* most changes of pods are none of the node's business */
	if (!is_ours(w, pod)) {
		ours_free(w, row);
		return;
	}
	ours_fill(w, row, pod);
	const char *work_key = sw_json_annotation(pod, SW_ANN_WORKLOAD);
	copies_pods_changed(w, work_key);
	reserve_pods_changed(w, work_key);
	tell(w, work_key, key, pod);
}

void pods_on_object(struct sw_worker *w, enum sw_obj_event ev, const char *key, json_t *pod)
{
	if (ev == SW_OBJ_PUT)
		pod_put(w, key, pod);
	else
		pod_gone(w, key);
}

void pod_rows_free(struct sw_worker *w)
{
	struct pod_row *row, *tmp;
	HASH_ITER(hh, w->pods, row, tmp)
	row_free(w, row);
}
