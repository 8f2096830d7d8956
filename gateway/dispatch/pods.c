/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pods.c - the pods of the winner's copy, mirrored to the manager while they live
 *
 * Only pods of the copy that the row names are shown: those of an old attempt on another cluster would confuse. The
 * newest state is kept until it is sent; states in between are skipped.
 */
#include "dispatch_priv.h"

#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

enum { CONTAINERS_MAX = 64 };

static void pod_free(struct work *wk, struct pod *p)
{
	HASH_DEL(wk->pods, p);
	for (unsigned i = 0; i < p->n_containers; i++)
		free(p->containers[i]);
	free(p->containers);
	json_object_put(p->object);
	free(p);
}

void pods_free(struct work *wk)
{
	struct pod *p, *next;
	HASH_ITER(hh, wk->pods, p, next)
	pod_free(wk, p);
	wk->log_pod = NULL;
}

void pods_forget(struct work *wk, const struct sw_worker *w)
{
	struct pod *p, *next;
	HASH_ITER(hh, wk->pods, p, next)
	{
		if (p->w != w)
			continue;
		if (wk->log_pod == p)
			wk->log_pod = NULL;
		pod_free(wk, p);
	}
}

bool pods_dirty(const struct work *wk)
{
	struct pod *p, *next;
	HASH_ITER(hh, wk->pods, p, next)
	if (p->object || p->gone)
		return true;
	return false;
}

static void containers_read(struct pod *p, json_t *pod)
{
	static const char *const lists[] = {"spec.initContainers", "spec.containers"};
	if (p->containers)
		return;
	p->containers = sw_calloc(CONTAINERS_MAX, sizeof *p->containers);
	for (size_t l = 0; l < 2; l++) {
		json_t *list = sw_json_at(pod, lists[l]);
		for (size_t i = 0; i < sw_json_len(list) && p->n_containers < CONTAINERS_MAX; i++) {
			const char *name = sw_json_str(sw_json_idx(list, i), "name");
			if (name)
				p->containers[p->n_containers++] = sw_strdup(name);
		}
	}
}

/* Is it a pod of the job that this row is about, on the cluster that the row names? */
static bool belongs(const struct sw_workload *row, struct sw_worker *w, json_t *pod)
{
	if (!row || row->finished || !row->cluster || strcmp(row->cluster, sw_worker_name(w)) != 0)
		return false;
	const char *uid = pod ? sw_json_annotation(pod, SW_ANN_OWNER_UID) : NULL;
	return !uid || strcmp(uid, row->job_uid) == 0;
}

void pods_on_pod(struct sw_dispatch *d, const char *key, struct sw_worker *w, const char *name, json_t *pod)
{
	struct work *wk = work_find(d, key);
	struct pod *p = NULL;
	if (wk)
		HASH_FIND_STR(wk->pods, name, p);
	if (!p && (!pod || !belongs(row_of(d, key), w, pod)))
		return;
	if (p && p->w != w)
		return; /* of an earlier attempt on another cluster */
	if (!p) {
		wk = work_get(d, key);
		p = sw_calloc(1, sizeof *p + strlen(name) + 1);
		memcpy(p->name, name, strlen(name) + 1);
		p->w = w;
		HASH_ADD_STR(wk->pods, name, p);
	}
	sw_reconciler_add(d->queue, key); /* scheduled pods and the end of a job are seen there */
	if (pod)
		containers_read(p, pod);
	p->gone = !pod;
	if (!d->m->ops->mirror_pod) { /* nothing but its name is needed */
		if (p->gone && p != wk->log_pod)
			pod_free(wk, p);
		return;
	}
	json_object_put(p->object);
	p->object = pod ? sw_json_copy(pod) : NULL;
	sw_reconciler_add(d->pods_queue, key);
}

/* ---- sending --------------------------------------------------------------------- */

/* What was sent is done with, or comes again if nothing newer came. */
static void sent_settle(struct work *wk, bool again)
{
	struct pod *p = NULL;
	if (wk->pod_sent)
		HASH_FIND_STR(wk->pods, wk->pod_sent, p);
	if (p && again && wk->pod_object && !p->object && !p->gone)
		p->object = json_object_get(wk->pod_object);
	else if (p && !again && !wk->pod_object && p->gone)
		pod_free(wk, p);
	json_object_put(wk->pod_object);
	free(wk->pod_sent);
	wk->pod_object = NULL;
	wk->pod_sent = NULL;
}

static void on_mirrored(void *owner, struct sw_err err)
{
	struct work *wk = owner;
	struct sw_dispatch *d = wk->d;
	bool again = sw_failed(err) && sw_err_retry(err.code) != SW_RETRY_TERMINAL;
	wk->pods_busy = false;
	sent_settle(wk, again);
	if (again)
		sw_reconciler_fail(d->pods_queue, wk->key, err);
	else
		sw_reconciler_done(d->pods_queue, wk->key, pods_dirty(wk) ? 1 : 0);
	const struct sw_workload *row = row_of(d, wk->key);
	if (!row || row->finished)
		sw_reconciler_add(d->queue, wk->key); /* it waited for us to be forgotten */
}

/* A pod that is gone from the worker is sent as its name alone, without a spec. */
static struct sw_err pod_send(struct work *wk, const struct sw_workload *row, struct pod *p)
{
	struct sw_dispatch *d = wk->d;
	json_t *gone = NULL;
	if (p->gone) {
		gone = sw_json_fmt("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{}}");
		sw_json_set_str(gone, "metadata.name", p->name);
		sw_json_set_str(gone, "metadata.namespace", row->ns);
	}
	wk->pods_busy = true;
	wk->pod_sent = sw_strdup(p->name);
	wk->pod_object = p->object;
	p->object = NULL;
	struct sw_err e = d->m->ops->mirror_pod(d->m, wk->key, row->job_uid, sw_worker_name(p->w),
						gone ? gone : wk->pod_object, on_mirrored, wk);
	json_object_put(gone);
	return e;
}

void pods_reconcile(void *owner, const char *key)
{
	struct sw_dispatch *d = owner;
	struct work *wk = work_find(d, key);
	const struct sw_workload *row = row_of(d, key);
	struct pod *p = NULL, *next, *dirty = NULL;
	if (!wk || !row || row->finished || !d->synced) {
		sw_reconciler_done(d->pods_queue, key, 0);
		return;
	}
	HASH_ITER(hh, wk->pods, p, next)
	if ((p->object || p->gone) && p != wk->log_pod && !dirty)
		dirty = p;
	if (!dirty) {
		sw_reconciler_done(d->pods_queue, key, 0);
		return;
	}
	struct sw_err e = pod_send(wk, row, dirty);
	if (sw_failed(e))
		on_mirrored(wk, e);
}

json_t *sw_dispatch_pods(struct sw_dispatch *d, const char *key)
{
	json_t *list = json_object_new_array();
	struct work *wk = work_find(d, key);
	struct pod *p, *next;
	if (!wk)
		return list;
	HASH_ITER(hh, wk->pods, p, next)
	{
		if (p->gone)
			continue;
		json_t *o = json_object_new_object(), *names = json_object_new_array();
		sw_json_set_str(o, "name", p->name);
		sw_json_set_str(o, "cluster", sw_worker_name(p->w));
		for (unsigned i = 0; i < p->n_containers; i++)
			json_object_array_add(names, json_object_new_string(p->containers[i]));
		json_object_object_add(o, "containers", names);
		json_object_array_add(list, o);
	}
	return list;
}

struct sw_worker *sw_dispatch_pod_worker(struct sw_dispatch *d, const char *ns, const char *pod)
{
	struct work *wk, *next;
	size_t len = strlen(ns);
	HASH_ITER(hh, d->works, wk, next)
	{
		struct pod *p;
		if (strncmp(wk->key, ns, len) != 0 || wk->key[len] != '/')
			continue;
		HASH_FIND_STR(wk->pods, pod, p);
		if (p)
			return p->w;
	}
	return NULL;
}
