/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirror.c - the mirror role: start and stop, and the vtable
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "mirror_priv.h"
#include "spillway/kubeconfig.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { FILE_MS = 5000 };

void mir_now(struct mir *m, char buf[32])
{
	sw_time_text(sw_loop_wall(m->loop), buf);
}

/* ---- in sight? --------------------------------------------------------------------------------- */

static bool is_synced(struct mir *m, const char **why)
{
	if (!feeds_synced(m, why))
		return false;
	*why = *m->why ? m->why : "waiting for the lease";
	if (!m->lease.held)
		return false;
	*why = "the lease is renewed, to see whether the manager is what it was";
	if (!m->lease.checked)
		return false;
	*why = "the notes are being read";
	if (!m->notes_known)
		return false;
	*why = "";
	return true;
}

bool sw_mirror_ready(const struct sw_manager *base, const char **why)
{
	const struct mir *m = (const struct mir *)base;

	return feeds_synced(m, why);
}

bool sw_mirror_leads(const struct sw_manager *base)
{
	return ((const struct mir *)base)->lease.held;
}

const char *sw_mirror_leader(const struct sw_manager *base)
{
	const struct mir *m = (const struct mir *)base;

	return m->lease.holder ? m->lease.holder : "";
}

void mir_state(struct mir *m)
{
	const char *why;
	struct wl *w;

	if (m->closing)
		return;
	lease_check(m);
	bool synced = is_synced(m, &why);

	if (synced == m->told_synced)
		return;
	m->told_synced = synced;
	sw_log(INFO, "manager", synced ? "in sight of everything, leading" : "not in sight", "workloads=%zu why=\"%s\"",
	       m->rows.len, why);
	if (synced)
		logs_sweep(m);
	if (m->watched && m->ev.on_state)
		m->ev.on_state(m->ev.owner, synced, why);
	for (size_t at = 0; synced && (w = sw_keymap_next(&m->rows, &at));)
		self_look(m, w);
}

static struct sw_err mir_watch(struct sw_manager *base, const struct sw_manager_events *ev)
{
	struct mir *m = mir_of(base);

	m->ev = *ev;
	m->watched = true;
	m->told_synced = false;
	return SW_OK;
}

static const struct sw_manager_ops ops = {
	.name = "mirror",
	.rejects = true,
	.watch = mir_watch,
	.get = mir_get,
	.each = mir_each,
	.read = mir_read,
	.fetch = mir_fetch,
	.change = mir_change,
	.sync_status = mir_sync_status,
	.finish = mir_finish,
	.event = mir_event,
	.event_check = mir_event_check,
	.note_put = mir_note_put,
	.notes = mir_notes,
	.keep_log = mir_keep_log,
};

/* ---- the way in --------------------------------------------------------------------------------------- */

static struct sw_err client_open(struct mir *m)
{
	struct sw_kubeconfig *kc;
	const char *context = *m->opt.context ? m->opt.context : NULL;
	struct sw_kube_options ko = {.name = "manager",
				     .window = (unsigned)m->opt.window,
				     .heartbeat_ms = m->opt.heartbeat_ms,
				     .on_set_back = m->opt.on_set_back,
				     .owner = m->opt.owner,
				     .metrics = m->opt.metrics};
	struct sw_err e = SW_OK;

	if (*m->opt.kubeconfig)
		m->kubeconfig = sw_strdup(m->opt.kubeconfig);
	else
		e = sw_kubeconfig_of_pod(m->opt.data_dir, &m->kubeconfig);
	if (sw_failed(e))
		return e;
	m->kubeconfig_stamp = sw_file_stamp(m->kubeconfig);
	e = sw_kubeconfig_load(m->kubeconfig, context, &kc);
	if (!sw_failed(e))
		e = sw_kube_new(m->loop, m->opt.http, kc, &ko, &m->kube);
	return sw_err_wrap(e, "manager.kubeconfig");
}

/* New credentials for the same cluster. */
static void on_file_timer(void *owner)
{
	struct mir *m = owner;
	uint64_t stamp = sw_file_stamp(m->kubeconfig);
	struct sw_kubeconfig *kc;

	sw_timer_in(m->file_timer, FILE_MS);
	if (stamp == m->kubeconfig_stamp)
		return;
	m->kubeconfig_stamp = stamp;
	struct sw_err e = sw_kubeconfig_load(m->kubeconfig, *m->opt.context ? m->opt.context : NULL, &kc);

	if (sw_failed(e))
		sw_log(ERROR, "manager", "kubeconfig cannot be used, the old one stays", "error=\"%s\"", e.text);
	else
		sw_kube_rekey(m->kube, kc);
}

static void on_op_timer(void *owner)
{
	ops_tick(owner);
}

/* ---- life ------------------------------------------------------------------------------------------------ */

static char *identity_made(void)
{
	char host[128] = "", uuid[37];

	gethostname(host, sizeof(host) - 1);
	return sw_asprintf("%s_%s", host, sw_uuid(uuid));
}

static void options_copy(struct sw_mirror_options *to, const struct sw_mirror_options *from)
{
	*to = *from;
	to->kubeconfig = sw_strdup(from->kubeconfig ? from->kubeconfig : "");
	to->context = sw_strdup(from->context ? from->context : "");
	to->data_dir = sw_strdup(from->data_dir);
	to->check = sw_strdup(from->check ? from->check : "");
	to->ns = sw_strdup(from->ns && *from->ns ? from->ns : "spillway-system");
	to->lease = sw_strdup(from->lease && *from->lease ? from->lease : "spillway");
	to->identity = from->identity ? sw_strdup(from->identity) : identity_made();
}

static void options_free(struct sw_mirror_options *o)
{
	const char *texts[] = {o->kubeconfig, o->context, o->data_dir, o->check, o->ns, o->lease, o->identity};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		free((void *)(uintptr_t)texts[i]);
}

static void metrics_make(struct mir *m)
{
	struct sw_metrics *reg = m->opt.metrics;

	m->m_conflicts = sw_metric(reg, SW_COUNTER, "spillway_manager_conflicts_total",
				   "Writes that met a newer object and were decided again.", "object");
	m->m_leads = sw_metric(reg, SW_GAUGE, "spillway_leader", "1 while this gateway leads.", "");
	m->m_rows = sw_metric(reg, SW_GAUGE, "spillway_manager_workloads", "Workloads that name our check.", "");
}

static struct sw_err begin(struct mir *m)
{
	struct sw_err e = client_open(m);

	if (!sw_failed(e))
		e = kept_open(&m->kept, m->opt.store, 0);
	if (!sw_failed(e))
		e = sw_timer_new(m->loop, on_op_timer, m, &m->op_timer);
	if (!sw_failed(e))
		e = sw_timer_new(m->loop, on_file_timer, m, &m->file_timer);
	if (!sw_failed(e))
		e = sw_timer_new(m->loop, homes_tick, m, &m->home_timer);
	if (!sw_failed(e))
		e = checks_open(m);
	if (!sw_failed(e))
		e = self_open(m);
	if (!sw_failed(e))
		e = events_open(m);
	if (!sw_failed(e))
		e = notes_open(m);
	if (!sw_failed(e))
		e = lease_open(m);
	if (!sw_failed(e))
		e = feeds_open(m);
	return e;
}

struct sw_err sw_mirror_new(struct sw_loop *loop, const struct sw_mirror_options *opt, struct sw_manager **out)
{
	struct mir *m = sw_calloc(1, sizeof(*m));

	*out = NULL;
	m->base.ops = &ops;
	m->loop = loop;
	options_copy(&m->opt, opt);
	sw_keymap_init(&m->rows, wl_key);
	sw_keymap_init(&m->jobs, job_key);
	metrics_make(m);
	struct sw_err e = begin(m);

	if (sw_failed(e)) {
		sw_mirror_free(&m->base);
		return e;
	}
	sw_timer_in(m->file_timer, FILE_MS);
	*out = &m->base;
	return SW_OK;
}

static void rows_free(struct mir *m)
{
	struct wl *w;
	struct job *j;

	for (size_t at = 0; (w = sw_keymap_next(&m->rows, &at));)
		wl_free(m, w);
	for (size_t at = 0; (j = sw_keymap_next(&m->jobs, &at));)
		job_free(j);
	sw_keymap_fini(&m->rows);
	sw_keymap_fini(&m->jobs);
	arena_free(&m->arena);
	names_free(&m->names);
}

void sw_mirror_free(struct sw_manager *base)
{
	struct mir *m = base ? mir_of(base) : NULL;

	if (!m)
		return;
	m->closing = true;
	feeds_close(m);
	ops_free(m);
	fetches_free(m);
	logs_close(m);
	homes_free(m);
	events_close(m);
	self_close(m);
	checks_close(m);
	notes_close(m);
	lease_close(m);
	sw_timer_free(m->op_timer);
	sw_timer_free(m->file_timer);
	sw_kube_free(m->kube);
	rows_free(m);
	options_free(&m->opt);
	free(m->kubeconfig);
	free(m);
}

struct sw_kube *sw_mirror_kube(struct sw_manager *base)
{
	return mir_of(base)->kube;
}

const char *sw_mirror_workload_of(struct sw_manager *base, const struct sw_kind *kind, const char *ns, const char *name)
{
	struct job *j = job_find(mir_of(base), kind, ns, name);

	return j && j->wl ? j->wl->text : NULL;
}
