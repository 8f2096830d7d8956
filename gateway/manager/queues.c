/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queues.c - queue definitions go to the queue, its counts come back as their status
 *
 * Status is written at most every 200 ms for what changed since, and only if it says something new.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { STATUS_EVERY_MS = 200, USAGE_MAX = 256 };

/* ---- what exists -------------------------------------------------------------------------- */

struct queue_def *queue_def_find(struct queue_def *table, const char *key)
{
	struct queue_def *d;

	HASH_FIND_STR(table, key, d);
	return d;
}

static struct queue_def *def_get(struct queue_def **table, const char *key)
{
	struct queue_def *d = queue_def_find(*table, key);

	if (!d) {
		d = sw_calloc(1, sizeof(*d) + strlen(key) + 1);
		memcpy(d->key, key, strlen(key) + 1);
		HASH_ADD_STR(*table, key, d);
	}
	return d;
}

static void def_dirty(struct emb *m, struct queue_def *d)
{
	if (!d->exists || d->dirty)
		return;
	d->dirty = true;
	if (!m->status_armed)
		sw_timer_in(m->status_timer, STATUS_EVERY_MS);
	m->status_armed = true;
}

static void local_key(const char *ns, const char *name, char buf[KEY_MAX])
{
	snprintf(buf, KEY_MAX, "%s/%s", ns, name);
}

void queues_touch(struct emb *m, const char *ns, const char *local, const char *cluster)
{
	char key[KEY_MAX];

	local_key(ns, local, key);
	struct queue_def *lq = queue_def_find(m->lqs, key), *cq = cluster ? queue_def_find(m->cqs, cluster) : NULL;

	if (lq)
		def_dirty(m, lq);
	if (cq)
		def_dirty(m, cq);
}

static void all_dirty(struct emb *m)
{
	for (struct queue_def *d = m->cqs; d; d = d->hh.next)
		def_dirty(m, d);
	for (struct queue_def *d = m->lqs; d; d = d->hh.next)
		def_dirty(m, d);
}

void queues_count(struct emb *m, const struct row *r, int by)
{
	const char *queue = r->queue ? r->queue : "", *cq;
	char ns[260], key[KEY_MAX];

	snprintf(ns, sizeof(ns), "%.*s", (int)strcspn(r->text, "/"), r->text);
	cq = r->cluster_queue ? r->cluster_queue : sw_queue_of(m->queue, ns, queue);
	if (r->cluster && r->cluster_queue && (r->flags & (ROW_RESERVED | ROW_FINISHED)) == ROW_RESERVED) {
		local_key(ns, queue, key);
		def_get(&m->lqs, key)->admitted += (uint64_t)by;
		def_get(&m->cqs, r->cluster_queue)->admitted += (uint64_t)by;
	}
	queues_touch(m, ns, queue, cq);
}

/* ---- definitions ----------------------------------------------------------------------------- */

static void priority_apply(struct emb *m, const char *name, json_t *object)
{
	struct priority *p;

	HASH_FIND_STR(m->priorities, name, p);
	if (!object && p) {
		HASH_DEL(m->priorities, p);
		free(p);
	} else if (object) {
		if (!p) {
			p = sw_calloc(1, sizeof(*p) + strlen(name) + 1);
			memcpy(p->name, name, strlen(name) + 1);
			HASH_ADD_STR(m->priorities, name, p);
		}
		p->value = (int32_t)sw_json_int(object, "value", 0);
	}
}

/* Our own status writes come back too: they change nothing here. */
static bool is_news(struct queue_def *d, json_t *object)
{
	int64_t generation = sw_json_int(object, "metadata.generation", 0);
	const char *uid = sw_json_str(object, "metadata.uid");
	uint64_t mark = object ? sw_hash(uid ? uid : "", uid ? strlen(uid) : 0) ^ (uint64_t)generation : 0;
	bool news = d->exists != (object != NULL) || d->mark != mark;

	d->exists = object != NULL;
	d->mark = mark;
	return news;
}

static struct sw_err define(struct emb *m, const char *resource, const char *ns, const char *name, json_t *object)
{
	if (strcmp(resource, FLAVORS) == 0)
		return sw_queue_flavor(m->queue, name, object);
	if (strcmp(resource, CLUSTER_QUEUES) == 0)
		return sw_queue_cluster_queue(m->queue, name, object);
	return sw_queue_local_queue(m->queue, ns, name, object);
}

void queues_apply(struct emb *m, const char *resource, const char *ns, const char *name, json_t *object)
{
	char key[KEY_MAX];
	const char *drained;

	local_key(ns, name, key);
	if (strcmp(resource, PRIORITY_CLASSES) == 0) {
		priority_apply(m, name, object);
		return;
	}
	if (strcmp(resource, LOCAL_QUEUES) == 0 && !is_news(def_get(&m->lqs, key), object))
		return;
	if (strcmp(resource, CLUSTER_QUEUES) == 0 && !is_news(def_get(&m->cqs, name), object))
		return;
	struct sw_err e = define(m, resource, ns, name, object);

	if (sw_failed(e)) { /* the door refuses these: it was stored by an older version */
		sw_log(WARN, "manager", "queue definition cannot be honoured; it admits nothing",
		       "object=%s/%s error=\"%s\"", resource, key, e.text);
		(void)define(m, resource, ns, name, NULL);
	}
	while (m->synced && sw_queue_drain(m->queue, &drained))
		sw_reconciler_add(m->workloads, drained);
	all_dirty(m);
	quota_pump_soon(m);
}

void queues_free(struct emb *m)
{
	struct queue_def *d, *next;
	struct priority *p, *next_p;

	HASH_ITER(hh, m->cqs, d, next)
	{
		HASH_DEL(m->cqs, d);
		free(d);
	}
	HASH_ITER(hh, m->lqs, d, next)
	{
		HASH_DEL(m->lqs, d);
		free(d);
	}
	HASH_ITER(hh, m->priorities, p, next_p)
	{
		HASH_DEL(m->priorities, p);
		free(p);
	}
}

/* ---- status ------------------------------------------------------------------------------------- */

static json_t *usage_json(struct emb *m, const char *cq, const char *local)
{
	static const char *const names[] = {"name", "total"};
	struct sw_queue_usage u[USAGE_MAX];
	size_t n = sw_queue_usage(m->queue, cq, local, u, USAGE_MAX);
	json_t *list = json_object_new_array(), *resources = NULL;
	const char *flavor = NULL;

	for (size_t i = 0; i < n && i < USAGE_MAX; i++) {
		json_t *one = json_object_new_object();
		char text[32];

		if (u[i].flavor != flavor) {
			json_t *f = json_object_new_object();

			flavor = u[i].flavor;
			sw_json_set_str(f, "name", flavor);
			json_object_object_add(f, "resources", resources = json_object_new_array());
			json_object_array_add(list, f);
		}
		sw_json_set_str(one, names[0], u[i].resource);
		sw_json_set_str(one, names[1], sw_quantity_text(u[i].used_milli, text));
		json_object_array_add(resources, one);
	}
	return list;
}

static void status_fill(struct emb *m, json_t *o, const struct queue_def *d, const char *cq, const char *local,
			struct sw_queue_counts n, bool active, const char *reason, const char *why)
{
	char now[32];

	emb_now(m, now);
	sw_json_set_condition(o, "Active", active, reason, why, now);
	sw_json_set(o, "status.flavorsReservation", usage_json(m, cq, local));
	sw_json_set_int(o, "status.pendingWorkloads", (int64_t)n.pending);
	sw_json_set_int(o, "status.reservingWorkloads", (int64_t)n.admitted);
	sw_json_set_int(o, "status.admittedWorkloads", (int64_t)d->admitted);
}

static void status_write(struct emb *m, const char *resource, const char *ns, const char *name,
			 const struct queue_def *d)
{
	bool cluster = strcmp(resource, CLUSTER_QUEUES) == 0;
	json_t *o, *before;
	uint64_t rv;
	const char *reason;
	char why[160];

	if (sw_failed(emb_get(m, resource, ns, name, &o, &rv)))
		return;
	before = sw_json_copy(o);
	if (cluster) {
		bool active = sw_queue_active(m->queue, name, &reason, why);
		struct sw_queue_counts n = sw_queue_count(m->queue, name);

		status_fill(m, o, d, name, NULL, n, active, reason, why);
		sw_metric_set(m->m_pending, (double)n.pending, name);
	} else {
		bool active = sw_queue_local_active(m->queue, ns, name, &reason, why);
		const char *cq = sw_queue_of(m->queue, ns, name);

		status_fill(m, o, d, cq ? cq : "", d->key, sw_queue_count_local(m->queue, ns, name), active, reason,
			    why);
	}
	if (!json_object_equal(before, o) && sw_failed(emb_put(m, resource, o, rv, NULL)))
		sw_log(DEBUG, "manager", "queue status not written", "object=%s", d->key);
	json_object_put(before);
	json_object_put(o);
}

void queues_on_timer(void *owner)
{
	struct emb *m = owner;

	m->status_armed = false;
	for (struct queue_def *d = m->cqs; d; d = d->hh.next) {
		if (d->dirty && d->exists)
			status_write(m, CLUSTER_QUEUES, "", d->key, d);
		d->dirty = false;
	}
	for (struct queue_def *d = m->lqs; d; d = d->hh.next) {
		char ns[260];
		const char *slash = strchr(d->key, '/');

		snprintf(ns, sizeof(ns), "%.*s", (int)(slash - d->key), d->key);
		if (d->dirty && d->exists)
			status_write(m, LOCAL_QUEUES, ns, slash + 1, d);
		d->dirty = false;
	}
}
