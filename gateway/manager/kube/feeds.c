/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feeds.c - what is watched, and when all of it is in sight
 *
 * In order, as each needs what came before: AdmissionChecks say which Workloads are ours; jobs come before Workloads,
 * so that a Workload meets its job; then Workloads. Job kinds are asked for in discovery first: a site without JobSet
 * is fine, and a CRD that comes later is found at the next look.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mirror_priv.h"
#include "spillway/log.h"

enum { LOOK_MS = 20 * 1000, RETRY_MS = 1000 };
#define HAS_QUEUE SW_LABEL_QUEUE /* a selector: the label is there */

bool feeds_synced(const struct mir *m, const char **why)
{
	for (size_t i = 0; i < m->n_feeds; i++) {
		const struct feed *f = &m->feeds[i];
		bool fine = f->kind && f->probed && !f->served ? true : f->synced;

		if (fine)
			continue;
		*why = *f->why ? f->why : f->kind ? "job kinds are being listed" : "workloads are being listed";
		return false;
	}
	*why = "";
	return true;
}

/* ---- watches -------------------------------------------------------------------------------- */

static void on_object(void *owner, enum sw_obj_event ev, const char *key, json_t *object)
{
	struct feed *f = owner;

	if (f->kind)
		job_apply(f->m, f->kind, key, ev == SW_OBJ_PUT ? object : NULL);
	else if (f == &f->m->feeds[FEED_CHECKS])
		check_on_object(f->m, ev, key, object);
	else
		wl_apply(f->m, key, ev == SW_OBJ_PUT ? object : NULL);
}

static void on_state(void *owner, bool synced, uint64_t since_ms, const char *why)
{
	struct feed *f = owner;

	(void)since_ms;
	f->synced = synced;
	snprintf(f->why, sizeof(f->why), "%s", synced || !why ? "" : why);
	if (synced)
		sw_timer_in(f->m->feed_timer, 0);
	mir_state(f->m);
}

static struct sw_err feed_start(struct feed *f)
{
	struct sw_buf path;
	struct sw_reflector_cfg cfg = {.on_object = on_object, .on_state = on_state, .owner = f};

	sw_buf_init(&path, 1024);
	if (f->kind)
		sw_kube_path(&path, f->kind->group, f->kind->version, f->kind->plural, NULL, NULL, NULL);
	else if (f == &f->m->feeds[FEED_CHECKS])
		sw_kube_path(&path, CHECK_API, NULL, NULL, NULL);
	else
		sw_kube_path(&path, WORKLOAD_API, NULL, NULL, NULL);
	cfg.path = path.at;
	cfg.label_selector = f->kind ? HAS_QUEUE : NULL;
	struct sw_err e = sw_reflector_new(f->m->kube, &cfg, &f->reflector);

	sw_buf_fini(&path);
	return e;
}

void feeds_list_workloads(struct mir *m)
{
	struct feed *f = &m->feeds[FEED_WORKLOADS];

	if (!f->reflector)
		return;
	sw_reflector_free(f->reflector);
	f->reflector = NULL;
	f->synced = false;
	snprintf(f->why, sizeof(f->why), "the AdmissionChecks changed: workloads are listed again");
	sw_timer_in(m->feed_timer, 0);
	mir_state(m);
}

/* ---- which kinds are served ------------------------------------------------------------------------ */

static bool same_version(const struct sw_kind *a, const struct sw_kind *b)
{
	return strcmp(a->group, b->group) == 0 && strcmp(a->version, b->version) == 0;
}

static void set_served(struct feed *f, bool yes)
{
	if (!f->probed || f->served != yes)
		sw_log(INFO, "manager", "kind", "kind=%s served=%s", f->kind->resource, yes ? "yes" : "no");
	if (!yes && f->reflector) {
		sw_reflector_free(f->reflector);
		f->reflector = NULL;
		f->synced = false;
	}
	f->probed = true;
	f->due = false;
	f->served = yes;
}

static void on_probe(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct mir *m = owner;
	struct feed *asked = &m->feeds[m->probing];

	m->probe = NULL;
	if (sw_failed(err) && err.code != SW_E_MISSING) {
		snprintf(asked->why, sizeof(asked->why), "%.190s", err.text);
		sw_timer_in(m->feed_timer, RETRY_MS);
		mir_state(m);
		return;
	}
	for (size_t i = FEED_KINDS; i < m->n_feeds; i++)
		if (same_version(m->feeds[i].kind, asked->kind))
			set_served(&m->feeds[i],
				   !sw_failed(err) && sw_kube_lists(reply->object, m->feeds[i].kind->plural));
	sw_timer_in(m->feed_timer, 0);
	mir_state(m);
}

static struct sw_err probe(struct mir *m, size_t at)
{
	const struct sw_kind *k = m->feeds[at].kind;
	char path[256];
	struct sw_kube_req req = {.cls = SW_KUBE_LIST, .method = "GET", .path = path};

	snprintf(path, sizeof(path), "/apis/%.100s/%.100s", k->group, k->version);
	m->probing = at;
	return sw_kube_start(m->kube, &req, on_probe, m, &m->probe);
}

/* ---- the next thing to do ------------------------------------------------------------------------------ */

static bool kinds_listed(const struct mir *m)
{
	for (size_t i = FEED_KINDS; i < m->n_feeds; i++)
		if (!m->feeds[i].probed || (m->feeds[i].served && !m->feeds[i].synced))
			return false;
	return true;
}

static struct sw_err next(struct mir *m, bool *all)
{
	struct feed *checks = &m->feeds[FEED_CHECKS], *workloads = &m->feeds[FEED_WORKLOADS];

	*all = false;
	if (!checks->reflector)
		return feed_start(checks);
	for (size_t i = FEED_KINDS; i < m->n_feeds; i++) {
		struct feed *f = &m->feeds[i];

		if (!f->probed || f->due)
			return m->probe ? SW_OK : probe(m, i);
		if (f->served && !f->reflector)
			return feed_start(f);
	}
	*all = workloads->reflector != NULL;
	if (!*all && checks->synced && kinds_listed(m))
		return feed_start(workloads);
	return SW_OK;
}

/* Kinds that were not served may be by now; one that is out of sight may be gone. */
static void look_again(struct mir *m)
{
	uint64_t now = sw_loop_now(m->loop);

	if (now - m->looked_ms < LOOK_MS)
		return;
	m->looked_ms = now;
	for (size_t i = FEED_KINDS; i < m->n_feeds; i++)
		m->feeds[i].due = !m->feeds[i].served || !m->feeds[i].synced;
}

static void on_timer(void *owner)
{
	struct mir *m = owner;
	bool all = false;

	for (size_t i = 0; i < m->n_feeds; i++) {
		struct sw_err e = next(m, &all);

		if (sw_failed(e))
			sw_log(WARN, "manager", "cannot watch", "error=\"%s\"", e.text);
		if (sw_failed(e) || all || m->probe)
			break;
	}
	if (all && !m->probe)
		look_again(m);
	if (!m->probe)
		sw_timer_in(m->feed_timer, all ? LOOK_MS : RETRY_MS);
}

struct sw_err feeds_open(struct mir *m)
{
	m->n_feeds = FEED_KINDS;
	for (size_t i = 0; sw_kind_at(i) && m->n_feeds < FEEDS_MAX; i++)
		m->feeds[m->n_feeds++] = (struct feed){.kind = sw_kind_at(i)};
	for (size_t i = 0; i < m->n_feeds; i++)
		m->feeds[i].m = m;
	struct sw_err e = sw_timer_new(m->loop, on_timer, m, &m->feed_timer);

	if (!sw_failed(e))
		sw_timer_in(m->feed_timer, 0);
	return e;
}

void feeds_close(struct mir *m)
{
	sw_kube_cancel(m->probe);
	m->probe = NULL;
	for (size_t i = 0; i < m->n_feeds; i++)
		sw_reflector_free(m->feeds[i].reflector);
	sw_timer_free(m->feed_timer);
}
