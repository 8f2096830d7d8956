/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync.c - first lists in slices, then watches; one resource after the other
 *
 * Order matters once: definitions before Workloads (so that what holds quota is counted), Workloads before jobs (so
 * that a job finds its row). After that everything is level-triggered. A watch that starts too late for the store's
 * ring lists again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { PAGE_BYTES = 64 << 10, SOURCES_MAX = 96 };

struct source {
	struct emb *m;
	const char *resource;
	const struct sw_kind *kind; /* NULL: not a job kind */
	struct sw_list *list;
	struct sw_sub *sub;
};

/* ---- one object ------------------------------------------------------------------------------ */

static void apply(struct source *s, const char *ns, const char *name, uint64_t rv, json_t *object, bool deleted)
{
	struct emb *m = s->m;
	char key[KEY_MAX];

	if (s->kind) {
		job_seen(m, s->kind, object, deleted);
	} else if (strcmp(s->resource, WORKLOADS) == 0) {
		snprintf(key, sizeof(key), "%s/%s", ns, name);
		row_apply(m, key, rv, deleted ? NULL : object);
	} else if (strcmp(s->resource, "pods") == 0) {
		if (deleted)
			logs_forget_pod(m, object);
	} else {
		queues_apply(m, s->resource, ns, name, deleted ? NULL : object);
	}
}

/* Pods are followed for their end only. Of what is gone, the last state of pods and jobs still says something. */
static bool is_read(const struct source *s, bool deleted)
{
	bool pods = strcmp(s->resource, "pods") == 0;

	return deleted ? pods || s->kind : !pods;
}

static void apply_bytes(struct source *s, const char *ns, const char *name, uint64_t rv, const char *bytes, size_t len,
			bool deleted)
{
	json_t *o = NULL;
	struct sw_err e = is_read(s, deleted) ? sw_json_parse(bytes, len, &o) : SW_OK;

	if (sw_failed(e))
		sw_log(ERROR, "manager", "stored object is not readable", "object=%s/%s/%s error=\"%s\"", s->resource,
		       ns, name, e.text);
	else
		apply(s, ns, name, rv, o, deleted);
	json_object_put(o);
}

static void on_event(void *owner, const struct sw_event *ev)
{
	struct source *s = owner;
	bool deleted = ev->type == SW_DELETED;

	if (!s->m->closing)
		apply_bytes(s, ev->key.ns, ev->key.name, ev->rv, ev->object ? ev->object->at : "",
			    ev->object ? ev->object->len : 0, deleted);
}

/* ---- one resource after the other ----------------------------------------------------------------- */

static void source_list(struct source *s);

/* A job that was deleted while nobody looked leaves its Workload. */
static void find_orphans(struct emb *m)
{
	struct row *r;
	char(*gone)[KEY_MAX] = NULL;
	size_t n = 0;

	for (size_t at = 0; (r = sw_keymap_next(&m->rows, &at));) {
		uint64_t rv;
		json_t *job = r->flags & ROW_JOB_SEEN ? NULL : quota_job_of(m, r, &rv);
		bool there = job || (r->flags & ROW_JOB_SEEN); /* it may have come after its kind was listed */

		json_object_put(job);
		if (there)
			continue;
		gone = realloc(gone, (n + 1) * sizeof(*gone));
		SW_REQUIRE(gone);
		snprintf(gone[n++], KEY_MAX, "%s", r->text);
	}
	for (size_t i = 0; i < n; i++)
		if ((r = row_find(m, gone[i])))
			row_set_flag(m, r, ROW_JOB_GONE, true);
	free(gone);
}

static void all_synced(struct emb *m)
{
	const char *drained;

	find_orphans(m);
	m->synced = true;
	while (sw_queue_drain(m->queue, &drained))
		sw_reconciler_add(m->workloads, drained);
	quota_pump_soon(m);
	if (m->watched && m->ev.on_state)
		m->ev.on_state(m->ev.owner, true, "");
	sw_log(INFO, "manager", "synced", "workloads=%zu", m->rows.len);
}

static void source_next(struct emb *m)
{
	m->source_now++;
	if (m->sources[m->source_now].resource)
		source_list(&m->sources[m->source_now]);
	else
		all_synced(m);
}

/* The list is complete at rv. */
static void source_watch(struct source *s, uint64_t rv)
{
	struct sw_err e = sw_store_watch(s->m->store, s->resource, rv, on_event, s, &s->sub);

	if (sw_failed(e)) { /* so much was written meanwhile that the ring has moved on */
		sw_log(INFO, "manager", "listing again", "resource=%s why=\"%s\"", s->resource, e.text);
		source_list(s);
		return;
	}
	source_next(s->m);
}

static void on_page(void *owner, struct sw_err e, const struct sw_page *page)
{
	struct source *s = owner;

	if (sw_failed(e)) {
		sw_log(ERROR, "manager", "cannot read the store; trying again", "resource=%s error=\"%s\"", s->resource,
		       e.text);
		sw_store_list_free(s->list);
		s->list = NULL;
		sw_timer_in(s->m->sync_timer, 1000);
		return;
	}
	for (size_t i = 0; i < page->n; i++) {
		const struct sw_list_item *it = &page->items[i];

		apply_bytes(s, it->ns, it->name, it->rv, it->bytes, it->len, false);
	}
	if (!page->last) {
		sw_store_list_next(s->list);
		return;
	}
	uint64_t rv = page->rv;

	sw_store_list_free(s->list);
	s->list = NULL;
	source_watch(s, rv);
}

static void source_list(struct source *s)
{
	struct sw_list_cfg cfg = {.resource = s->resource, .max_bytes = PAGE_BYTES};
	struct sw_err e;

	if (strcmp(s->resource, "pods") == 0) { /* nothing to learn from those that are there */
		source_watch(s, sw_store_rv(s->m->store));
		return;
	}
	e = sw_store_list(s->m->store, &cfg, on_page, s, &s->list);
	if (!sw_failed(e))
		return;
	sw_log(ERROR, "manager", "cannot list; trying again", "resource=%s error=\"%s\"", s->resource, e.text);
	sw_timer_in(s->m->sync_timer, 1000);
}

void sync_on_timer(void *owner)
{
	struct emb *m = owner;

	source_list(&m->sources[m->source_now]);
}

struct sw_err sync_start(struct emb *m)
{
	static const char *const first[] = {FLAVORS, PRIORITY_CLASSES, CLUSTER_QUEUES, LOCAL_QUEUES, WORKLOADS};
	size_t n = 0;

	m->sources = sw_calloc(SOURCES_MAX, sizeof(*m->sources));
	for (; n < sizeof(first) / sizeof(*first); n++)
		m->sources[n] = (struct source){.m = m, .resource = first[n]};
	for (size_t i = 0; sw_kind_at(i); i++)
		if (kind_served(sw_kind_at(i)))
			m->sources[n++] =
				(struct source){.m = m, .resource = sw_kind_at(i)->resource, .kind = sw_kind_at(i)};
	m->sources[n++] = (struct source){.m = m, .resource = "pods"};
	SW_REQUIRE(n < SOURCES_MAX);
	m->source_now = 0;
	source_list(&m->sources[0]);
	return SW_OK;
}

void sync_stop(struct emb *m)
{
	for (struct source *s = m->sources; s && s->resource; s++) {
		sw_store_list_free(s->list);
		sw_store_unwatch(s->sub);
		s->list = NULL;
		s->sub = NULL;
	}
}
