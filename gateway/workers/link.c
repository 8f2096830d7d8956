/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.c - getting to a cluster, and getting there again
 *
 * One timer, one request at a time, always the first thing that is still undone:
 *
 *   no client        read the kubeconfig; a bad one is looked at again when the file changes
 *   kinds unknown    GET /apis/GROUP/VERSION: a worker without Kubeflow's CRDs is a fine worker for Jobs
 *   claim unknown    claim.c
 *   then             nothing; once a minute kinds that were missing and the claim are looked at again
 *
 * Watches are started as soon as it is known what there is to watch, and look after themselves (kube.h). Each time
 * all of them run again after a loss, the claim is read anew before anything is written: somebody may have taken the
 * cluster meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

enum { FILE_MS = 5 * 1000, SLOW_MS = 60 * 1000, RETRY_MS = 500, RETRY_MAX_MS = 30 * 1000, FRESH_MS = 10 * 1000 };

void link_kick(struct sw_worker *w, uint64_t in_ms)
{
	sw_timer_in(w->link.timer, in_ms);
}

/* ---- what is synced ------------------------------------------------------------------ */

/* A kind that the cluster does not serve is as good as watched. */
bool feed_is_up(const struct feed *f)
{
	return f->unused || (f->kind && f->served == SERVED_NO) || f->synced;
}

static bool feeds_up(const struct sw_worker *w, bool kueue)
{
	if (!w->kube)
		return false;
	for (size_t i = 0; i < w->n_feeds; i++)
		if (w->feeds[i].of.kueue == kueue && !feed_is_up(&w->feeds[i]))
			return false;
	return true;
}

bool link_synced(const struct sw_worker *w)
{
	return feeds_up(w, false);
}

bool queues_synced(const struct sw_worker *w)
{
	return feeds_up(w, true);
}

bool mirrors_in_sight(const struct sw_worker *w)
{
	return w->feeds[FEED_MIRRORS].synced;
}

/* A kind that is not served has no objects; that is only believed while the cluster is in reach. */
bool feed_synced(const struct sw_worker *w, const struct sw_kind *kind)
{
	if (!w->feeds[FEED_NODES].synced || !w->feeds[FEED_PODS].synced)
		return false;
	for (size_t i = FEED_KINDS; i < w->n_feeds; i++)
		if (w->feeds[i].kind == kind)
			return feed_is_up(&w->feeds[i]);
	return false;
}

bool sw_worker_serves(const struct sw_worker *w, const struct sw_kind *kind)
{
	for (size_t i = FEED_KINDS; i < w->n_feeds; i++)
		if (w->feeds[i].kind == kind)
			return w->feeds[i].served == SERVED_YES;
	return false;
}

static void update(struct sw_worker *w)
{
	struct link *l = &w->link;
	bool synced = link_synced(w);

	lost_update(w);
	if (synced && !l->synced) {
		sw_log(INFO, "workers", "cluster is in reach", "cluster=%s nodes=%zu pods=%zu copies=%u", w->cfg->name,
		       sw_reflector_len(w->feeds[FEED_NODES].reflector),
		       sw_reflector_len(w->feeds[FEED_PODS].reflector), HASH_COUNT(w->copies));
		l->claim_due = true;
		w->claim.state = SW_CLAIM_UNKNOWN;
		for (size_t i = FEED_MIRRORS; i < w->n_feeds; i++)
			w->feeds[i].probe_due |=
				w->feeds[i].served == SERVED_NO && worker_now(w) - l->looked_ms > FRESH_MS;
		link_kick(w, 0);
		gc_kick(w);
	} else if (!synced && l->synced) {
		sw_log(WARN, "workers", "cluster is out of reach", "cluster=%s why=\"%s\"", w->cfg->name,
		       sw_worker_state(w).why);
	}
	l->synced = synced;
	worker_changed(w);
}

/* ---- watches ---------------------------------------------------------------------------- */

static void on_object(void *owner, enum sw_obj_event ev, const char *key, json_t *object)
{
	struct feed *f = owner;

	if (f->kind)
		copies_on_object(f->w, f->kind, ev, key, object);
	else
		f->of.on_object(f->w, ev, key, object);
}

static void on_state(void *owner, bool synced, uint64_t since_ms, const char *why)
{
	struct feed *f = owner;

	f->synced = synced;
	f->since_ms = synced ? 0 : since_ms;
	snprintf(f->why, sizeof f->why, "%s", synced || !why ? "" : why);
	bool mirrors = f == &f->w->feeds[FEED_MIRRORS];
	if (synced && f->kind)
		copies_synced(f->w, f->kind);
	if (synced && mirrors)
		mirrors_synced(f->w);
	if (synced && !f->of.kueue) /* copies were told as they were listed, but could not be seen then */
		copies_in_sight(f->w, f->kind);
	if (synced && mirrors)
		mirrors_tell(f->w);
	update(f->w);
}

static struct sw_err feed_start(struct feed *f)
{
	struct sw_worker *w = f->w;
	struct sw_buf path;
	struct sw_reflector_cfg cfg = {.on_object = on_object, .on_state = on_state, .owner = f};

	if (f->reflector)
		return SW_OK;
	sw_buf_init(&path, 1024);
	sw_kube_path(&path, f->of.group, f->of.version, f->of.plural, NULL, NULL, NULL);
	cfg.path = path.at;
	cfg.label_selector = f->of.ours ? w->ws->selector : NULL;
	f->since_ms = worker_now(w);
	struct sw_err e = sw_reflector_new(w->kube, &cfg, &f->reflector);
	sw_buf_fini(&path);
	return e;
}

/* ---- one step --------------------------------------------------------------------------- */

static void failed(struct sw_worker *w, struct sw_err e)
{
	struct link *l = &w->link;
	uint64_t wait = (uint64_t)RETRY_MS << (l->failures < 6 ? l->failures : 6);

	if (l->failures++ == 0)
		sw_log(WARN, "workers", "cluster does not answer", "cluster=%s error=\"%s\"", w->cfg->name, e.text);
	l->last = e;
	link_kick(w, wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS);
	worker_changed(w);
}

static void went_well(struct sw_worker *w)
{
	w->link.failures = 0;
	w->link.last = SW_OK;
	link_kick(w, 0);
}

static void set_served(struct feed *f, bool yes)
{
	struct sw_worker *w = f->w;

	f->probe_due = false;
	if (!yes && f->served == SERVED_YES) {
		sw_reflector_free(f->reflector);
		f->reflector = NULL;
		f->synced = false;
		if (f->kind)
			copies_unserved(w, f->kind);
		else if (f == &w->feeds[FEED_MIRRORS])
			mirrors_unserved(w);
	}
	if (f->served != (yes ? SERVED_YES : SERVED_NO))
		sw_log(INFO, "workers", "kind", "cluster=%s kind=%s served=%s", w->cfg->name, f->of.plural,
		       yes ? "yes" : "no");
	f->served = yes ? SERVED_YES : SERVED_NO;
}

static bool same_version(const struct source *a, const struct source *b)
{
	return strcmp(a->group, b->group) == 0 && strcmp(a->version, b->version) == 0;
}

static void on_probe(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct sw_worker *w = owner;
	const struct source *asked = &w->link.probing->of;

	w->link.call = NULL;
	if (sw_failed(err) && err.code != SW_E_MISSING) {
		failed(w, sw_err_wrap(err, "asking what %s/%s serves", asked->group, asked->version));
		return;
	}
	for (size_t i = FEED_MIRRORS; i < w->n_feeds; i++)
		if (!w->feeds[i].unused && same_version(&w->feeds[i].of, asked))
			set_served(&w->feeds[i],
				   !sw_failed(err) && sw_kube_lists(reply->object, w->feeds[i].of.plural));
	went_well(w);
	update(w);
}

static struct sw_err probe(struct sw_worker *w, struct feed *f)
{
	char path[256];
	struct sw_kube_req req = {.cls = SW_KUBE_LIST, .method = "GET", .path = path};

	snprintf(path, sizeof path, "/apis/%s/%s", f->of.group, f->of.version);
	w->link.probing = f;
	return sw_kube_start(w->kube, &req, on_probe, w, &w->link.call);
}

void link_claimed(struct sw_worker *w, struct sw_err e)
{
	bool was_ready = !w->link.claim_due;

	if (sw_failed(e)) {
		failed(w, e);
		return;
	}
	w->link.claim_due = false;
	went_well(w);
	worker_changed(w);
	if (!was_ready && sw_worker_state(w).ready)
		mirrors_tell(w); /* some may have been unwanted while nothing could be written */
	gc_kick(w);
}

static struct sw_err watches(struct sw_worker *w)
{
	struct sw_err e = SW_OK;
	for (size_t i = 0; !sw_failed(e) && i < w->n_feeds; i++)
		if (!w->feeds[i].unused && w->feeds[i].served == SERVED_YES)
			e = feed_start(&w->feeds[i]);
	return e;
}

/* ---- the kubeconfig ------------------------------------------------------------------------ */

static struct sw_err provider_open(struct sw_worker *w)
{
	const struct sw_workers_options *opt = &w->ws->opt;
	const struct sw_provider_ops *ops = sw_provider_find(w->cfg->provider);
	struct sw_provider_env env = {.loop = opt->loop, .http = opt->http, .kube = w->kube, .catalog = opt->catalog};

	if (!ops) {
		int n = 0;
		const char *const *names = sw_provider_names(&n), *near = sw_nearest(w->cfg->provider, names, n);
		return sw_err(SW_E_INVALID, "%s: found provider \"%s\"%s%s%s", w->cfg->where ? w->cfg->where : "config",
			      w->cfg->provider, near ? ", did you mean \"" : ", expected static or sim",
			      near ? near : "", near ? "\"?" : "");
	}
	return ops->open(&env, w->cfg, &w->provider);
}

static struct sw_err client_new(struct sw_worker *w, struct sw_kubeconfig *kc)
{
	const struct sw_workers_options *opt = &w->ws->opt;
	struct sw_kube_options ko = {.name = w->cfg->name,
				     .window = (unsigned)(opt->config->window > 0 ? opt->config->window : 0),
				     .heartbeat_ms = (uint64_t)opt->config->heartbeat_ms,
				     .metrics = opt->metrics};
	struct sw_err e = sw_kube_new(opt->loop, opt->http, kc, &ko, &w->kube);

	if (sw_failed(e))
		return e;
	e = provider_open(w);
	if (sw_failed(e)) {
		w->broken = sw_err_wrap(e, "cluster %s", w->cfg->name);
		sw_log(ERROR, "workers", "cluster cannot be used", "error=\"%s\"", w->broken.text);
	} else {
		sw_worker_provider_poll(w);
	}
	return SW_OK;
}

static void file_look(void *owner)
{
	struct sw_worker *w = owner;
	struct link *l = &w->link;
	const struct sw_cluster_text *text = w->cfg->text;
	uint64_t stamp = text ? text->version : sw_file_stamp(w->cfg->kubeconfig);
	struct sw_kubeconfig *kc = NULL;

	sw_timer_in(l->file_timer, FILE_MS);
	if (stamp == l->file_stamp)
		return;
	l->file_stamp = stamp;
	struct sw_err e = text ? sw_kubeconfig_parse(w->cfg->where, text->at, text->len, w->cfg->context, &kc)
			       : sw_kubeconfig_load(w->cfg->kubeconfig, w->cfg->context, &kc);
	if (!sw_failed(e) && w->kube)
		sw_kube_rekey(w->kube, kc);
	else if (!sw_failed(e))
		e = client_new(w, kc);
	if (sw_failed(e)) {
		sw_log(ERROR, "workers", "kubeconfig cannot be used", "cluster=%s kept=%s error=\"%s\"", w->cfg->name,
		       w->kube ? "old" : "none", e.text);
		if (!w->kube)
			l->last = e;
		worker_changed(w);
		return;
	}
	went_well(w);
}

/* ---- the timer --------------------------------------------------------------------------------- */

static void slow_checks(struct sw_worker *w)
{
	struct link *l = &w->link;
	uint64_t now = worker_now(w);

	if (now - l->looked_ms < SLOW_MS)
		return;
	l->looked_ms = now;
	l->claim_due = true;
	for (size_t i = FEED_MIRRORS; i < w->n_feeds; i++)
		w->feeds[i].probe_due |= !w->feeds[i].synced;
}

static struct feed *to_probe(struct sw_worker *w)
{
	for (size_t i = FEED_MIRRORS; i < w->n_feeds; i++)
		if (w->feeds[i].probe_due && !w->feeds[i].unused)
			return &w->feeds[i];
	return NULL;
}

static void on_timer(void *owner)
{
	struct sw_worker *w = owner;
	struct link *l = &w->link;

	if (!w->kube || sw_failed(w->broken) || l->call)
		return;
	slow_checks(w);
	struct feed *f = to_probe(w);
	struct sw_err e = f ? probe(w, f) : watches(w);
	if (!sw_failed(e) && !f && l->claim_due && !w->ws->opt.observe)
		claim_step(w);
	else if (!sw_failed(e) && !l->call)
		link_kick(w, SLOW_MS);
	if (sw_failed(e))
		failed(w, e);
}

static const struct source sources[FEED_KINDS] = {
	[FEED_NODES] = {"", "v1", "nodes", .on_object = nodes_on_object},
	[FEED_PODS] = {"", "v1", "pods", .on_object = pods_on_object},
	[FEED_MIRRORS] = {"kueue.x-k8s.io", "v1beta2", "workloads", true, true, mirrors_on_object},
	[FEED_LOCAL_QUEUES] = {"kueue.x-k8s.io", "v1beta2", "localqueues", false, true, local_queues_on_object},
	[FEED_CLUSTER_QUEUES] = {"kueue.x-k8s.io", "v1beta2", "clusterqueues", false, true, cluster_queues_on_object},
};

static void feeds_init(struct sw_worker *w)
{
	w->n_feeds = FEED_KINDS;
	for (size_t i = 0; i < FEED_KINDS; i++)
		w->feeds[i] = (struct feed){.of = sources[i],
					    .unused = sources[i].kueue &&
						      (!w->ops->offer || (w->ws->opt.observe && i == FEED_MIRRORS)),
					    .served = sources[i].kueue ? SERVED_UNKNOWN : SERVED_YES,
					    .probe_due = sources[i].kueue};
	for (size_t i = 0; sw_kind_at(i) && !w->ws->opt.observe && w->n_feeds < FEEDS_MAX; i++) {
		const struct sw_kind *k = sw_kind_at(i);
		w->feeds[w->n_feeds++] = (struct feed){
			.kind = k, .of = {k->group, k->version, k->plural, .ours = true}, .probe_due = true};
	}
	for (size_t i = 0; i < w->n_feeds; i++) {
		w->feeds[i].w = w;
		w->feeds[i].since_ms = worker_now(w);
	}
}

struct sw_err link_open(struct sw_worker *w)
{
	struct sw_loop *loop = w->ws->opt.loop;
	struct link *l = &w->link;

	feeds_init(w);
	l->claim_due = true;
	l->looked_ms = worker_now(w);
	struct sw_err e = sw_timer_new(loop, on_timer, w, &l->timer);
	if (!sw_failed(e))
		e = sw_timer_new(loop, file_look, w, &l->file_timer);
	if (!sw_failed(e))
		e = lost_open(w);
	if (!sw_failed(e)) {
		lost_update(w);
		sw_timer_in(l->file_timer, 0);
	}
	return e;
}

void link_close(struct sw_worker *w)
{
	for (size_t i = 0; i < w->n_feeds; i++)
		sw_reflector_free(w->feeds[i].reflector);
	if (w->link.call)
		sw_kube_cancel(w->link.call);
	sw_timer_free(w->link.timer);
	sw_timer_free(w->link.file_timer);
	sw_timer_free(w->link.lost_timer);
}
