/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.c - every cluster of the configuration, and the room's door
 *
 * A cluster that cannot be used (bad kubeconfig, unknown provider, out of reach, claimed by others) is not ready
 * and says why; the others are not concerned.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

static const struct {
	const char *name;
	const struct worker_ops *ops;
} worker_kinds[] = {
#define X(id) {#id, &worker_##id},
	WORKER_KIND_MAP(X)
#undef X
};

/* ---- telling what changed ---------------------------------------------------------- */

uint64_t worker_now(const struct sw_worker *w)
{
	return sw_loop_now(w->ws->opt.loop);
}

enum { TELL_MS = 10 }; /* capacity changes with every pod: told together */

static struct sw_metric *m_ready(const struct sw_worker *w)
{
	return sw_metric(w->ws->opt.metrics, SW_GAUGE, "spillway_cluster_ready",
			 "1 while copies may be created on the cluster.", "cluster");
}

static struct sw_metric *m_copies(const struct sw_worker *w)
{
	return sw_metric(w->ws->opt.metrics, SW_GAUGE, "spillway_cluster_copies",
			 "Copies of jobs that the cluster holds.", "cluster");
}

static void on_tell(void *owner)
{
	struct sw_worker *w = owner;

	sw_metric_set(m_ready(w), sw_worker_state(w).ready, w->cfg->name);
	sw_metric_set(m_copies(w), HASH_COUNT(w->copies), w->cfg->name);
	if (w->ws->opt.on_change)
		w->ws->opt.on_change(w->ws->opt.owner, NULL, w);
}

void worker_changed(struct sw_worker *w)
{
	sw_timer_in(w->tell_timer, 0);
}

void worker_work_changed(struct sw_worker *w, const char *key)
{
	if (w->ws->opt.on_change)
		w->ws->opt.on_change(w->ws->opt.owner, key, w);
}

void worker_capacity_changed(struct sw_worker *w)
{
	w->generation++;
	if (w->cap.stale)
		return; /* told already, and nobody has looked since */
	w->cap.stale = true;
	sw_timer_in(w->tell_timer, TELL_MS);
}

void worker_shape_changed(struct sw_worker *w)
{
	w->cap.shape_stale = true;
	worker_capacity_changed(w);
}

/* ---- opening --------------------------------------------------------------------------- */

static void kind_choose(struct sw_worker *w)
{
	const char *wanted = w->cfg->worker ? w->cfg->worker : "plain";

	w->ops = &worker_plain;
	for (size_t i = 0; i < sizeof worker_kinds / sizeof *worker_kinds; i++) {
		if (strcmp(worker_kinds[i].name, wanted) == 0) {
			w->ops = worker_kinds[i].ops;
			return;
		}
	}
	w->broken = sw_err(SW_E_INVALID, "%s: cluster %s: found worker \"%s\", expected plain or kueue",
			   w->cfg->where ? w->cfg->where : "config", w->cfg->name, wanted);
}

static struct sw_err worker_open(struct sw_workers *ws, struct sw_worker *w, const struct sw_cluster_cfg *cfg)
{
	w->ws = ws;
	w->cfg = cfg;
	w->broken = w->link.last = w->poll.last = SW_OK;
	w->cap.stale = w->cap.shape_stale = true;
	kind_choose(w);
	struct sw_err e = sw_timer_new(ws->opt.loop, on_tell, w, &w->tell_timer);
	if (!sw_failed(e))
		e = pools_open(w);
	if (!sw_failed(e))
		e = gc_open(w);
	if (!sw_failed(e))
		e = needs_open(w);
	if (!sw_failed(e))
		e = link_open(w);
	return e;
}

static void worker_close(struct sw_worker *w)
{
	if (!w->ws)
		return;
	pools_close(w); /* the provider may use the client */
	link_close(w);
	gc_close(w);
	tails_free(w);
	acts_free(w);
	needs_close(w);
	reserve_free(w);
	copies_free(w);
	mirrors_free(w);
	worker_queues_free(w);
	pod_rows_free(w);
	nodes_free(w);
	capacity_free(w);
	sw_kube_free(w->kube);
	sw_timer_free(w->tell_timer);
}

struct sw_err sw_workers_add(struct sw_workers *ws, const struct sw_cluster_cfg *cfg)
{
	struct sw_worker *w = sw_calloc(1, sizeof *w), **grown;
	struct sw_err e = worker_open(ws, w, cfg);

	if (sw_failed(e)) {
		worker_close(w);
		free(w);
		return e;
	}
	grown = realloc(ws->at, (ws->n + 1) * sizeof(*grown));
	SW_REQUIRE(grown);
	ws->at = grown;
	ws->at[ws->n++] = w;
	return SW_OK;
}

struct sw_err sw_workers_new(const struct sw_workers_options *opt, struct sw_workers **out)
{
	struct sw_workers *ws = sw_calloc(1, sizeof *ws);
	struct sw_err e = SW_OK;

	*out = NULL;
	ws->opt = *opt;
	ws->origin = sw_strdup(opt->origin);
	ws->selector = sw_asprintf(SW_LABEL_ORIGIN "=%s", opt->origin);
	size_t n = opt->clusters ? opt->clusters->n : opt->config->n_clusters;
	for (size_t i = 0; i < n && !sw_failed(e); i++)
		e = sw_workers_add(ws, opt->clusters ? opt->clusters->at[i] : &opt->config->clusters[i]);
	if (sw_failed(e))
		sw_workers_free(ws);
	else
		*out = ws;
	return e;
}

void sw_workers_free(struct sw_workers *ws)
{
	if (!ws)
		return;
	ws->opt.on_change = NULL; /* what closing frees is no news */
	ws->opt.on_pod = NULL;
	for (size_t i = 0; i < ws->n; i++) {
		worker_close(ws->at[i]);
		free(ws->at[i]);
	}
	free(ws->at);
	free(ws->origin);
	free(ws->selector);
	free(ws);
}

bool sw_worker_is_busy(const struct sw_worker *w)
{
	return w->acts || w->tails;
}

void sw_workers_drop(struct sw_workers *ws, struct sw_worker *w)
{
	const struct sw_workers_options kept = ws->opt;
	size_t i = 0;

	while (i < ws->n && ws->at[i] != w)
		i++;
	SW_REQUIRE(i < ws->n && !sw_worker_is_busy(w));
	memmove(&ws->at[i], &ws->at[i + 1], (ws->n - i - 1) * sizeof(*ws->at));
	ws->n--;
	ws->opt.on_change = NULL; /* as above */
	ws->opt.on_pod = NULL;
	sw_metric_forget(m_ready(w), w->cfg->name);
	sw_metric_forget(m_copies(w), w->cfg->name);
	worker_close(w);
	free(w);
	ws->opt = kept;
}

size_t sw_workers_count(const struct sw_workers *ws)
{
	return ws->n;
}
struct sw_worker *sw_workers_at(struct sw_workers *ws, size_t i)
{
	return i < ws->n ? ws->at[i] : NULL;
}

struct sw_worker *sw_workers_find(struct sw_workers *ws, const char *name)
{
	for (size_t i = 0; i < ws->n; i++)
		if (strcmp(ws->at[i]->cfg->name, name) == 0)
			return ws->at[i];
	return NULL;
}

void sw_workers_catalog_changed(struct sw_workers *ws)
{
	for (size_t i = 0; i < ws->n; i++)
		worker_shape_changed(ws->at[i]);
}

void sw_workers_set_epoch(struct sw_workers *ws, uint64_t epoch)
{
	if (ws->opt.observe || epoch <= ws->opt.epoch)
		return;
	ws->set_back =
		ws->set_back && epoch <= ws->opt.epoch + 1; /* an epoch that was being stored meanwhile ends nothing */
	ws->opt.epoch = epoch;
	for (size_t i = 0; i < ws->n; i++) {
		ws->at[i]->link.claim_due = true;
		link_kick(ws->at[i], 0);
	}
}

void sw_workers_set_back(struct sw_workers *ws)
{
	if (ws->opt.observe)
		return;
	ws->set_back = true;
	for (size_t i = 0; i < ws->n; i++) {
		claim_outdate(ws->at[i]);
		ws->at[i]->link.claim_due = true;
		link_kick(ws->at[i], 0);
	}
}

const char *sw_worker_name(const struct sw_worker *w)
{
	return w->cfg->name;
}
const struct sw_cluster_cfg *sw_worker_cfg(const struct sw_worker *w)
{
	return w->cfg;
}
struct sw_kube *sw_worker_kube(struct sw_worker *w)
{
	return w->kube;
}
struct sw_provider *sw_worker_provider(struct sw_worker *w)
{
	return w->provider;
}

/* ---- state in words --------------------------------------------------------------------- */

static const struct feed *feed_down(const struct sw_worker *w)
{
	for (size_t i = 0; i < w->n_feeds; i++)
		if (!w->feeds[i].synced && w->feeds[i].served != SERVED_NO && w->feeds[i].why[0])
			return &w->feeds[i];
	return NULL;
}

static bool lacks_kueue(const struct sw_worker *w)
{
	return !w->feeds[FEED_MIRRORS].unused && w->feeds[FEED_MIRRORS].served == SERVED_NO;
}

static void why_write(struct sw_worker *w, bool synced)
{
	bool all = synced && queues_synced(w);
	const struct feed *f = all ? NULL : feed_down(w);

	w->why[0] = '\0';
	if (sw_failed(w->broken))
		snprintf(w->why, sizeof w->why, "%s", w->broken.text);
	else if (sw_failed(w->link.last))
		snprintf(w->why, sizeof w->why, "%s", w->link.last.text);
	else if (lacks_kueue(w))
		snprintf(w->why, sizeof w->why,
			 "Kueue is not installed there (kueue.x-k8s.io/v1beta2 is not served), or say worker: plain");
	else if (f)
		snprintf(w->why, sizeof w->why, "watching %s: %s", f->of.plural, f->why);
	else if (!all)
		snprintf(w->why, sizeof w->why, "%s", w->kube ? "listing nodes, pods and jobs" : "not looked at yet");
	else if (w->claim.state == SW_CLAIM_UNKNOWN)
		snprintf(w->why, sizeof w->why, "reading whose cluster it is");
	else if (w->claim.state != SW_CLAIM_OURS)
		snprintf(w->why, sizeof w->why, "%s", w->claim.why);
	else if (!w->poll.answered)
		snprintf(w->why, sizeof w->why, "asking provider %s for its pools", w->cfg->provider);
}

struct sw_worker_state sw_worker_state(const struct sw_worker *lent)
{
	struct sw_worker *w = (struct sw_worker *)lent; /* why is written when asked for */
	bool synced = link_synced(w);

	why_write(w, synced);
	return (struct sw_worker_state){
		.ready = synced && queues_synced(w) && w->claim.state == SW_CLAIM_OURS && w->poll.answered &&
			 !sw_failed(w->broken),
		.reachable = synced,
		.claim = w->claim.state,
		.lost_since_ms = w->link.lost_since_ms,
		.lost = lost_is(w),
		.why = w->why,
		.claim_epoch = w->claim.epoch,
		.gc_paused = w->gc.paused,
		.gc_why = w->gc.why,
	};
}

/* ---- the door to copies: nothing is written to a cluster that is not ours ------------------ */

static struct sw_err writable(struct sw_worker *w)
{
	struct sw_worker_state s = sw_worker_state(w);
	return s.ready ? SW_OK : sw_err(SW_E_BUSY, "cluster %s is not ready: %s", w->cfg->name, s.why);
}

struct sw_err sw_worker_start(struct sw_worker *w, const struct sw_offer *offer, json_t *job, sw_worker_fn *done,
			      void *owner)
{
	struct sw_err e = writable(w);
	if (!sw_failed(e) && !sw_worker_serves(w, offer->kind))
		e = sw_err(SW_E_UNSUPPORTED, "cluster %s does not serve %s: its CRD is not installed there",
			   w->cfg->name, offer->kind->resource);
	return sw_failed(e) ? e : w->ops->start(w, offer, job, done, owner);
}

static struct sw_err missing(struct sw_worker *w, sw_worker_fn *done, void *owner)
{
	struct act *a = act_new(w, done, owner);
	return act_begun(
		a, act_later(a, sw_err(SW_E_MISSING, "cluster %s: the copy is not there any more", w->cfg->name)));
}

struct sw_err sw_worker_stop(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
			     const char *uid, sw_worker_fn *done, void *owner)
{
	struct sw_err e = writable(w);
	struct copy_row *row = copy_find(w, kind, ns, name);

	if (sw_failed(e))
		return e;
	return row && !row->gone && strcmp(row->uid, uid) == 0 ? w->ops->stop(w, row, done, owner)
							       : missing(w, done, owner);
}

struct sw_err sw_worker_sweep(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
			      const char *uid, sw_worker_fn *done, void *owner)
{
	struct sw_err e = writable(w);
	struct copy_row *row = copy_find(w, kind, ns, name);

	if (sw_failed(e))
		return e;
	if (row && strcmp(row->uid, uid) == 0)
		return w->ops->sweep(w, row, done, owner);
	struct act *a = act_new(w, done, owner);
	return act_begun(a, act_later(a, SW_OK));
}

/* ---- the door to offers -------------------------------------------------------------------- */

bool sw_worker_takes_offers(const struct sw_worker *w)
{
	return w->ops->offer != NULL;
}

struct sw_err sw_worker_offer(struct sw_worker *w, const struct sw_offer *offer, sw_worker_fn *done, void *owner)
{
	struct sw_err e = writable(w);
	if (sw_failed(e))
		return e;
	if (!w->ops->offer)
		return sw_err(SW_E_UNSUPPORTED, "cluster %s takes no offers", w->cfg->name);
	return w->ops->offer(w, offer, done, owner);
}

struct sw_err sw_worker_prioritize(struct sw_worker *w, const char *key, const char *uid, const char *class,
				   int32_t priority, sw_worker_fn *done, void *owner)
{
	struct sw_err e = writable(w);
	const struct mirror_row *row = mirror_find(w, key);

	if (sw_failed(e))
		return e;
	if (!row || !w->ops->prioritize || strcmp(row->uid, uid) != 0)
		return sw_err(SW_E_BUSY, "cluster %s: the offer is not there any more", w->cfg->name);
	return w->ops->prioritize(w, row, class, priority, done, owner);
}

struct sw_err sw_worker_withdraw(struct sw_worker *w, const char *key, const char *uid, sw_worker_fn *done, void *owner)
{
	struct sw_err e = writable(w);
	const struct mirror_row *row = mirror_find(w, key);

	if (sw_failed(e))
		return e;
	if (row && w->ops->withdraw && strcmp(row->uid, uid) == 0)
		return w->ops->withdraw(w, row, done, owner);
	struct act *a = act_new(w, done, owner);
	return act_begun(a, act_later(a, SW_OK));
}
