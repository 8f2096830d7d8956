/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedded.c - start and stop of the embedded manager, and its vtable
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

const char *emb_intern(struct emb *m, const char *text)
{
	return name_intern(&m->names, text);
}

void emb_notify(struct emb *m, const char *key)
{
	if (m->watched && m->ev.on_change)
		m->ev.on_change(m->ev.owner, key);
}

/* ---- events --------------------------------------------------------------------------------- */

void emb_event_object(struct emb *m, const char *resource, json_t *object, bool warning, const char *reason,
		      const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sw_api_event(m->api, resource, object, warning, reason, text);
}

void emb_event_job(struct emb *m, const struct row *r, bool warning, const char *reason, const char *message)
{
	const struct sw_kind *k = row_kind(r);
	const struct sw_workload *w = row_get_op(&m->base, r->text);
	json_t *o = json_object_new_object();
	char version[160];

	snprintf(version, sizeof(version), "%s/%s", k->group, k->version);
	sw_json_set_str(o, "apiVersion", version);
	sw_json_set_str(o, "kind", k->kind);
	sw_json_set_str(o, "metadata.namespace", w ? w->ns : "");
	sw_json_set_str(o, "metadata.name", w ? w->job_name : "");
	sw_json_set_str(o, "metadata.uid", w ? w->job_uid : "");
	if (w)
		sw_api_event(m->api, k->resource, o, warning, reason, message);
	json_object_put(o);
}

static void event_op(struct sw_manager *base, const char *key, bool warning, const char *reason, const char *message)
{
	struct emb *m = emb_of(base);
	struct row *r = row_find(m, key);

	if (r)
		emb_event_job(m, r, warning, reason, message);
}

static void event_check_op(struct sw_manager *base, bool warning, const char *reason, const char *message)
{
	struct emb *m = emb_of(base);
	json_t *check = NULL;
	uint64_t rv;

	if (!sw_failed(emb_get(m, CHECKS, "", SW_CHECK_NAME, &check, &rv)))
		sw_api_event(m->api, CHECKS, check, warning, reason, message);
	json_object_put(check);
}

/* ---- watch, read ------------------------------------------------------------------------------ */

static void report_all(void *owner, struct sw_err e)
{
	struct emb *m = owner;
	struct row *r;

	(void)e;
	for (size_t at = 0; (r = sw_keymap_next(&m->rows, &at));)
		emb_notify(m, r->text);
	if (m->synced && m->ev.on_state)
		m->ev.on_state(m->ev.owner, true, "");
}

static struct sw_err watch_op(struct sw_manager *base, const struct sw_manager_events *ev)
{
	struct emb *m = emb_of(base);

	SW_REQUIRE(!m->watched);
	m->ev = *ev;
	m->watched = true;
	emb_later(m, report_all, m, SW_OK);
	return SW_OK;
}

struct reading {
	struct emb *m;
	sw_manager_read_fn *done;
	sw_manager_fetch_fn *fetched; /* of one object; then key is RESOURCE/NS/NAME */
	void *owner;
	struct reading *next, **link;
	char key[];
};

static void reading_free(struct reading *r)
{
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	free(r);
}

static void on_read(void *owner, struct sw_err e)
{
	struct reading *r = owner;
	struct emb *m = r->m;
	const struct sw_workload *w = row_get_op(&m->base, r->key);
	json_t *job = NULL, *workload = NULL;
	uint64_t rv;

	if (!w)
		e = sw_err(SW_E_MISSING, "workload %s is gone", r->key);
	else
		e = emb_get_key(m, WORKLOADS, r->key, &workload, &rv);
	if (w && !sw_failed(e))
		e = emb_get(m, w->kind->resource, w->ns, w->job_name, &job, &rv);
	r->done(r->owner, e, sw_failed(e) ? NULL : job, sw_failed(e) ? NULL : workload);
	json_object_put(job);
	json_object_put(workload);
	reading_free(r);
}

static struct reading *reading_new(struct emb *m, const char *key, void *owner)
{
	struct reading *r = sw_calloc(1, sizeof(*r) + strlen(key) + 1);

	r->m = m;
	r->owner = owner;
	memcpy(r->key, key, strlen(key) + 1);
	r->next = m->readings;
	r->link = &m->readings;
	if (r->next)
		r->next->link = &r->next;
	m->readings = r;
	return r;
}

static struct sw_err read_op(struct sw_manager *base, const char *key, sw_manager_read_fn *done, void *owner)
{
	struct emb *m = emb_of(base);

	if (!row_find(m, key))
		return sw_err(SW_E_MISSING, "workload %s is gone", key);
	struct reading *r = reading_new(m, key, owner);
	r->done = done;
	emb_later(m, on_read, r, SW_OK);
	return SW_OK;
}

static void on_fetch(void *owner, struct sw_err e)
{
	struct reading *r = owner;
	char *ns = strchr(r->key, '/') + 1, *name = strchr(ns, '/') + 1;
	json_t *object = NULL;
	uint64_t rv;

	ns[-1] = name[-1] = '\0';
	e = emb_get(r->m, r->key, ns, name, &object, &rv);
	r->fetched(r->owner, e, object);
	json_object_put(object);
	reading_free(r);
}

static struct sw_err fetch_op(struct sw_manager *base, const char *resource, const char *ns, const char *name,
			      sw_manager_fetch_fn *done, void *owner)
{
	struct emb *m = emb_of(base);
	char *key = sw_asprintf("%s/%s/%s", resource, ns, name);
	struct reading *r = reading_new(m, key, owner);

	free(key);
	r->fetched = done;
	emb_later(m, on_fetch, r, SW_OK);
	return SW_OK;
}

/* ---- notes --------------------------------------------------------------------------------------- */

static struct sw_err note_put_op(struct sw_manager *base, const char *name, json_t *value, sw_manager_fn *done,
				 void *owner)
{
	struct emb *m = emb_of(base);
	char *key = sw_asprintf("note/%s", name), *text = NULL;
	size_t n = 0;

	if (value)
		text = sw_json_text(value, &n);
	struct sw_err e = emb_note(m, key, text, n, done, owner);

	free(text);
	free(key);
	return e;
}

struct notes {
	void (*fn)(void *owner, const char *name, json_t *value);
	void *owner;
};

static void on_note(void *owner, const char *key, const char *bytes, size_t len)
{
	struct notes *n = owner;
	json_t *value = NULL;
	struct sw_err e = sw_json_parse(bytes, len, &value);

	if (sw_failed(e))
		sw_log(ERROR, "manager", "note is not readable", "note=%s error=\"%s\"", key, e.text);
	else
		n->fn(n->owner, key + strlen("note/"), value);
	json_object_put(value);
}

static void notes_op(struct sw_manager *base, const char *prefix,
		     void (*fn)(void *owner, const char *name, json_t *value), void *owner)
{
	struct emb *m = emb_of(base);
	struct notes n = {fn, owner};
	char *key = sw_asprintf("note/%s", prefix);
	struct sw_err e = sw_store_notes(m->store, key, on_note, &n);

	if (sw_failed(e))
		sw_log(ERROR, "manager", "notes cannot be read", "prefix=%s error=\"%s\"", prefix, e.text);
	free(key);
}

/* ---- start ------------------------------------------------------------------------------------------ */

static const struct sw_manager_ops ops = {
	.name = "embedded",
	.watch = watch_op,
	.get = row_get_op,
	.each = row_each_op,
	.read = read_op,
	.fetch = fetch_op,
	.change = change_op,
	.sync_status = sync_status_op,
	.finish = finish_op,
	.event = event_op,
	.event_check = event_check_op,
	.note_put = note_put_op,
	.notes = notes_op,
	.mirror_pod = mirror_pod_op,
	.keep_log = keep_log_op,
};

static bool is_ready(void *owner, char why[128])
{
	struct emb *m = owner;

	if (!m->synced) {
		snprintf(why, 128, "the store is being read");
		return false;
	}
	return m->user_ready ? m->user_ready(m->user_owner, why) : true;
}

static struct sw_err machinery(struct emb *m)
{
	struct sw_err e = sw_queue_new(&m->queue);

	if (!sw_failed(e))
		e = put_start(m);
	if (!sw_failed(e))
		e = sw_reconciler_new(m->loop, "jobs", job_reconcile, m, &m->jobs);
	if (!sw_failed(e))
		e = sw_reconciler_new(m->loop, "workloads", workload_reconcile, m, &m->workloads);
	if (!sw_failed(e))
		e = sw_timer_new(m->loop, quota_on_timer, m, &m->pump_timer);
	if (!sw_failed(e))
		e = sw_timer_new(m->loop, queues_on_timer, m, &m->status_timer);
	if (!sw_failed(e))
		e = sw_timer_new(m->loop, sync_on_timer, m, &m->sync_timer);
	return e;
}

static struct sw_err serve(struct emb *m, const struct sw_embedded_options *opt)
{
	struct sw_api_options api = opt->api;

	m->user_ready = api.ready;
	m->user_owner = api.owner;
	m->log_source = (struct sw_log_source){.start = logs_start, .stop = logs_stop};
	api.serve = SW_SERVE_MANAGER;
	api.owner = m;
	api.logs = &m->log_source;
	api.ready = is_ready;
	admit_hooks(m, &api);
	struct sw_err e = sw_api_new(m->loop, &api, &m->api);

	if (sw_failed(e))
		return e;
	m->store = sw_api_store(m->api);
	e = kept_open(&m->kept, m->store, opt->log_bytes);
	if (!sw_failed(e))
		e = boot_objects(m, opt->bootstrap);
	return sw_failed(e) ? e : sync_start(m);
}

struct sw_err sw_embedded_new(struct sw_loop *loop, const struct sw_embedded_options *opt, struct sw_manager **out)
{
	struct emb *m = sw_calloc(1, sizeof(*m));
	struct sw_metrics *reg = opt->api.metrics;

	*out = NULL;
	m->base.ops = &ops;
	m->loop = loop;
	m->catalog = opt->catalog;
	sw_keymap_init(&m->rows, row_key);
	m->m_pending =
		sw_metric(reg, SW_GAUGE, "spillway_pending_workloads", "Workloads without quota.", "cluster_queue");
	m->m_admitted = sw_metric(reg, SW_COUNTER, "spillway_admitted_workloads_total", "Workloads that a cluster won.",
				  "cluster");
	m->m_evicted = sw_metric(reg, SW_COUNTER, "spillway_evicted_workloads_total", "Evictions.", "reason");
	m->m_finished =
		sw_metric(reg, SW_COUNTER, "spillway_finished_workloads_total", "Workloads that ended.", "outcome");
	struct sw_err e = machinery(m);

	if (!sw_failed(e))
		e = serve(m, opt);
	if (sw_failed(e)) {
		sw_embedded_free(&m->base);
		return e;
	}
	*out = &m->base;
	return SW_OK;
}

static void tables_free(struct emb *m)
{
	struct row *r;

	for (size_t at = 0; (r = sw_keymap_next(&m->rows, &at));)
		row_free(r);
	sw_keymap_fini(&m->rows);
	queues_free(m);
	sw_queue_free(m->queue);
	kept_close(&m->kept);
	arena_free(&m->arena);
	names_free(&m->names);
}

void sw_embedded_free(struct sw_manager *base)
{
	struct emb *m = base ? emb_of(base) : NULL;

	if (!m)
		return;
	m->closing = true;
	sync_stop(m);
	sw_api_free(m->api);
	if (m->later_wake)
		put_stop(m);
	for (struct reading *r = m->readings, *next; r; r = next) {
		next = r->next;
		reading_free(r);
	}
	sw_reconciler_free(m->jobs);
	sw_reconciler_free(m->workloads);
	boot_free(m);
	sw_timer_free(m->pump_timer);
	sw_timer_free(m->status_timer);
	sw_timer_free(m->sync_timer);
	tables_free(m);
	free(m->sources);
	free(m->admit);
	free(m);
}

struct sw_api *sw_embedded_api(struct sw_manager *m)
{
	return emb_of(m)->api;
}

struct sw_queue *sw_embedded_queue(struct sw_manager *m)
{
	return emb_of(m)->queue;
}

void sw_embedded_live_logs(struct sw_manager *m, const struct sw_live_logs *live)
{
	emb_of(m)->live = live ? *live : (struct sw_live_logs){0};
}
