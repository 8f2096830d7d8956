/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc.c - copies that nobody wants any more, and the brake on deleting too many
 *
 * A copy whose workload the manager does not know is an orphan. It may be left from a deletion during an outage; or our
 * store was lost or restored from an older copy, and the orphans are all the jobs of the site. So an orphan is deleted
 * only if
 *   - the claim is ours in our epoch, the manager has reported everything, every watch runs;
 *   - it has been an orphan for a while;
 *   - there are few of them: more than BRAKE_MAX, or more than a tenth of all copies, stop the collection with an
 *     alarm until a person confirms;
 *   - the cluster has not seen a newer store than ours. If it has, that is noted (it survives us), and every orphan
 * waits for a person, even after the store's epoch was raised. Deletions that were asked for are no orphans: whoever
 * deletes a job while a cluster is out of reach leaves a tombstone (a note of the manager: it survives us), which is
 * carried out when the cluster is back. It is kept for a while after nothing of it is seen any more, because a POST
 * whose reply was lost may still land.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "spillway/text.h"
#include "workers_priv.h"

enum {
	PASS_MS = 30 * 1000,
	GRACE_MS = 10 * 1000,
	RETRY_MS = 60 * 1000,
	TOMB_MS = 15 * 60 * 1000,
	BRAKE_MAX = 20,
	LEFT_PASSES = 3
};

bool gc_within_brake(size_t orphans, size_t copies)
{
	return orphans <= BRAKE_MAX && orphans * 10 <= copies;
}

void gc_kick(struct sw_worker *w)
{
	sw_timer_in(w->gc.timer, 0);
}

static bool may_collect(const struct sw_worker *w)
{
	return w->ws->manager_synced && w->claim.state == SW_CLAIM_OURS && w->claim.epoch == w->ws->opt.epoch &&
	       link_synced(w);
}

static void metric_set(struct sw_worker *w, const char *name, const char *help, double value)
{
	sw_metric_set(sw_metric(w->ws->opt.metrics, SW_GAUGE, name, help, "cluster"), value, w->cfg->name);
}

static void sweep(struct sw_worker *w, struct copy_row *row, const char *why)
{
	uint64_t now = worker_now(w);

	if (row->deleting || (row->swept_ms && now - row->swept_ms < RETRY_MS))
		return;
	row->swept_ms = now ? now : 1;
	sw_log(WARN, "workers", "deleting a copy nobody wants", "cluster=%s copy=%s workload=%s why=\"%s\"",
	       w->cfg->name, row->id, row->work->key, why);
	sw_metric_add(sw_metric(w->ws->opt.metrics, SW_COUNTER, "spillway_gc_deleted_total",
				"Copies deleted because nobody wanted them.", "cluster"),
		      1, w->cfg->name);
	struct sw_err e = w->ops->sweep(w, row, NULL, NULL);
	if (sw_failed(e))
		sw_log(WARN, "workers", "could not delete", "copy=%s error=\"%s\"", row->id, e.text);
}

static void mirror_sweep(struct sw_worker *w, struct mirror_row *row, const char *why)
{
	uint64_t now = worker_now(w);

	if (row->deleting || row->taken || !w->ops->withdraw || (row->swept_ms && now - row->swept_ms < RETRY_MS))
		return;
	row->swept_ms = now ? now : 1;
	sw_log(WARN, "workers", "withdrawing an offer nobody wants", "cluster=%s workload=%s why=\"%s\"", w->cfg->name,
	       row->key, why);
	struct sw_err e = w->ops->withdraw(w, row, NULL, NULL);
	if (sw_failed(e))
		sw_log(WARN, "workers", "could not withdraw", "workload=%s error=\"%s\"", row->key, e.text);
}

/* ---- tombstones ------------------------------------------------------------------ */

/* Mirrors of an owner that is buried. */
static void mirrors_bury(struct sw_worker *w, const char *owner_uid)
{
	struct mirror_row *row, *tmp;
	HASH_ITER(hh, w->mirrors, row, tmp)
	if (strcmp(row->owner_uid, owner_uid) == 0)
		mirror_sweep(w, row, "its job was deleted while the cluster was out of reach");
}

struct stones {
	struct sw_worker *w;
	size_t prefix;
	char **done;
	size_t n;
};

static void on_tombstone(void *owner, const char *name, json_t *value)
{
	struct stones *s = owner;
	struct sw_worker *w = s->w;
	const struct sw_kind *kind = sw_kind_find(sw_json_str(value, "kind") ? sw_json_str(value, "kind") : "");
	const char *ns = sw_json_str(value, "ns"), *job = sw_json_str(value, "name"),
		   *uid = sw_json_str(value, "owner_uid");
	int64_t age = sw_loop_wall(w->ws->opt.loop) - sw_json_int(value, "at", 0);
	struct copy_row *row = kind && ns && job && uid ? copy_find(w, kind, ns, job) : NULL;

	if (row && strcmp(row->owner_uid, uid) == 0) {
		sweep(w, row, "its job was deleted while the cluster was out of reach");
		return;
	}
	if (uid)
		mirrors_bury(w, uid);
	if (age < TOMB_MS)
		return;
	s->done = realloc(s->done, (s->n + 1) * sizeof *s->done);
	SW_REQUIRE(s->done);
	s->done[s->n++] = sw_strdup(name);
}

static void tombstones(struct sw_worker *w)
{
	struct sw_manager *m = w->ws->opt.manager;
	char *prefix = sw_asprintf("tombstone/%s/", w->cfg->name);
	struct stones s = {.w = w};

	m->ops->notes(m, prefix, on_tombstone, &s);
	for (size_t i = 0; i < s.n; i++) {
		struct sw_err e = m->ops->note_put(m, s.done[i], NULL, NULL, NULL);
		if (sw_failed(e))
			sw_log(WARN, "workers", "could not forget a tombstone", "note=%s error=\"%s\"", s.done[i],
			       e.text);
		free(s.done[i]);
	}
	free(s.done);
	free(prefix);
}

struct find {
	const char *uid;
	bool found;
};

static void on_find(void *owner, const char *name, json_t *value)
{
	struct find *f = owner;
	const char *uid = sw_json_str(value, "owner_uid");
	(void)name;
	f->found |= uid && strcmp(uid, f->uid) == 0;
}

static bool has_tombstone(struct sw_worker *w, const char *owner_uid)
{
	struct sw_manager *m = w->ws->opt.manager;
	char *name = sw_asprintf("tombstone/%s/%s", w->cfg->name, owner_uid);
	struct find f = {.uid = owner_uid};
	m->ops->notes(m, name, on_find, &f);
	free(name);
	return f.found;
}

struct sw_err sw_worker_tombstone(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
				  const char *owner_uid, sw_worker_fn *done, void *owner)
{
	struct sw_manager *m = w->ws->opt.manager;
	char *note = sw_asprintf("tombstone/%s/%s", w->cfg->name, owner_uid);
	json_t *value = json_object_new_object();

	sw_json_set_str(value, "kind", kind->resource);
	sw_json_set_str(value, "ns", ns);
	sw_json_set_str(value, "name", name);
	sw_json_set_str(value, "owner_uid", owner_uid);
	sw_json_set_int(value, "at", sw_loop_wall(w->ws->opt.loop));
	struct sw_err e = m->ops->note_put(m, note, value, done, owner);
	json_object_put(value);
	free(note);
	gc_kick(w);
	return e;
}

/* ---- orphans -------------------------------------------------------------------------- */

static bool is_orphan(struct sw_worker *w, struct copy_row *row)
{
	struct sw_manager *m = w->ws->opt.manager;
	uint64_t now = worker_now(w);

	if (row->gone || row->deleting || m->ops->get(m, row->work->key) || has_tombstone(w, row->owner_uid)) {
		row->orphan_ms = 0;
		return false;
	}
	if (!row->orphan_ms)
		row->orphan_ms = now ? now : 1;
	return now - row->orphan_ms >= GRACE_MS;
}

/* A mirror that a job has taken goes with the job. */
static bool mirror_is_orphan(struct sw_worker *w, struct mirror_row *row)
{
	struct sw_manager *m = w->ws->opt.manager;
	uint64_t now = worker_now(w);

	if (!mirrors_in_sight(w) || row->deleting || row->taken || m->ops->get(m, row->key) ||
	    has_tombstone(w, row->owner_uid)) {
		row->orphan_ms = 0;
		return false;
	}
	if (!row->orphan_ms)
		row->orphan_ms = now ? now : 1;
	return now - row->orphan_ms >= GRACE_MS;
}

/* ---- a store older than the cluster: a person decides, however few orphans there are ---- */

static char *adoption_note(const struct sw_worker *w)
{
	return sw_asprintf("adoption/%s", w->cfg->name);
}

static void adoption_put(struct sw_worker *w, json_t *value)
{
	struct sw_manager *m = w->ws->opt.manager;
	char *name = adoption_note(w);
	struct sw_err e = m->ops->note_put(m, name, value, NULL, NULL);
	if (sw_failed(e))
		sw_log(ERROR, "workers", "could not note an adoption", "note=%s error=\"%s\"", name, e.text);
	free(name);
}

void gc_adopt(struct sw_worker *w)
{
	json_t *value = json_object_new_object();
	sw_json_set_int(value, "at", sw_loop_wall(w->ws->opt.loop));
	adoption_put(w, value);
	json_object_put(value);
	w->gc.adopting = true;
}

static void on_adoption(void *owner, const char *name, json_t *value)
{
	struct sw_worker *w = owner;
	(void)value;
	w->gc.adopting |= strcmp(name + strlen("adoption/"), w->cfg->name) == 0;
}

static void adoption_end(struct sw_worker *w)
{
	if (w->gc.adopting)
		adoption_put(w, NULL);
	w->gc.adopting = false;
}

static void set_paused(struct sw_worker *w, size_t orphans, size_t copies, const char *example)
{
	struct gc *gc = &w->gc;
	bool was = gc->paused;

	gc->paused = orphans > 0 && !gc->confirmed && (gc->adopting || !gc_within_brake(orphans, copies));
	gc->why[0] = '\0';
	if (gc->paused && gc->adopting)
		snprintf(
			gc->why, sizeof gc->why,
			"cluster %s had seen a newer store than ours: %zu of its %zu copies have no job on the manager "
			"(one is %.80s). They are left alone until somebody confirms their deletion",
			w->cfg->name, orphans, copies, example);
	else if (gc->paused)
		snprintf(gc->why, sizeof gc->why,
			 "%zu of %zu copies on cluster %s have no job on the manager (one is %.80s); that is too many "
			 "to "
			 "delete without asking. If the manager's data is not an old copy, confirm the deletion",
			 orphans, copies, w->cfg->name, example);
	if (gc->paused && !was)
		sw_log(ERROR, "workers", "garbage collection stopped", "cluster=%s why=\"%s\"", w->cfg->name, gc->why);
	metric_set(w, "spillway_gc_paused", "1 while deleting unwanted copies waits for a person.", gc->paused);
	if (gc->paused != was)
		worker_changed(w);
}

struct found {
	size_t n;
	const char *example;
	bool young; /* some may still be orphans when their grace is over */
};

static struct found orphans_find(struct sw_worker *w)
{
	struct found f = {.example = ""};
	struct copy_row *row, *tmp;
	struct mirror_row *mirror, *next;

	HASH_ITER(hh, w->copies, row, tmp)
	{
		bool orphan = is_orphan(w, row);
		f.young |= row->orphan_ms != 0;
		f.n += orphan;
		f.example = orphan ? row->id : f.example;
	}
	HASH_ITER(hh, w->mirrors, mirror, next)
	{
		bool orphan = mirror_is_orphan(w, mirror);
		f.young |= mirror->orphan_ms != 0;
		f.n += orphan;
		f.example = orphan ? mirror->key : f.example;
	}
	return f;
}

static void orphans(struct sw_worker *w)
{
	struct copy_row *row, *tmp;
	struct mirror_row *mirror, *next;
	struct found f = orphans_find(w);

	set_paused(w, f.n, HASH_COUNT(w->copies) + HASH_COUNT(w->mirrors), f.example);
	if (w->gc.confirmed || (f.n == 0 && !f.young))
		adoption_end(w);
	w->gc.confirmed = false;
	if (f.n == 0 || w->gc.paused)
		return;
	HASH_ITER(hh, w->copies, row, tmp)
	if (is_orphan(w, row))
		sweep(w, row, "the manager has no such job");
	HASH_ITER(hh, w->mirrors, mirror, next)
	if (mirror_is_orphan(w, mirror))
		mirror_sweep(w, mirror, "the manager has no such workload");
}

/* ---- pods whose job is gone -------------------------------------------------------------- */

static void on_pod_deleted(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	(void)reply;
	act_end(a, err); /* seen in the watch, or tried again by the next pass */
}

static void pod_delete(struct sw_worker *w, const struct pod_ours *o)
{
	const char *slash = strchr(o->row->key, '/');
	struct sw_buf path, body;
	char ns[256];

	if (!slash || o->deleting || !o->row->live)
		return;
	snprintf(ns, sizeof ns, "%.*s", (int)(slash - o->row->key), o->row->key);
	sw_buf_init(&path, 2048);
	sw_buf_init(&body, 1024);
	sw_kube_path(&path, "", "v1", "pods", ns, slash + 1, NULL);
	sw_kube_delete_options(&body, "Background", o->uid);
	struct act *a = act_new(w, NULL, NULL);
	a->on_reply = on_pod_deleted;
	struct sw_err e = act_begun(a, act_send(a, SW_KUBE_FENCE, "DELETE", &path, NULL, &body));
	if (sw_failed(e))
		sw_log(WARN, "workers", "could not delete a pod", "pod=%s error=\"%s\"", o->row->key, e.text);
	sw_buf_fini(&path);
	sw_buf_fini(&body);
}

/* The cluster's own collector deletes them. If it has not for some passes (a job deleted with --cascade=orphan), we do.
 */
static void left_pods(struct sw_worker *w)
{
	struct work *work, *tmp;
	struct pod_ours *o;

	HASH_ITER(hh, w->works, work, tmp)
	{
		bool alone = work->pods && (!work->copy || work->copy->gone);
		work->left = alone ? work->left + 1 : 0;
		if (work->left <= LEFT_PASSES)
			continue;
		DL_FOREACH(work->pods, o)
		pod_delete(w, o);
	}
}

/* ---- passes --------------------------------------------------------------------------------- */

static void on_timer(void *owner)
{
	struct sw_worker *w = owner;
	struct copy_row *row, *tmp;
	struct mirror_row *mirror, *next;
	bool waiting = false;

	sw_timer_in(w->gc.timer, PASS_MS);
	if (!may_collect(w))
		return;
	tombstones(w);
	orphans(w);
	left_pods(w);
	HASH_ITER(hh, w->copies, row, tmp)
	waiting |= row->orphan_ms != 0;
	HASH_ITER(hh, w->mirrors, mirror, next)
	waiting |= mirror->orphan_ms != 0;
	if (waiting)
		sw_timer_in(w->gc.timer, GRACE_MS);
}

struct sw_err gc_open(struct sw_worker *w)
{
	struct sw_manager *m = w->ws->opt.manager;
	struct sw_err e = sw_timer_new(w->ws->opt.loop, on_timer, w, &w->gc.timer);
	if (sw_failed(e) || w->ws->opt.observe)
		return e;
	m->ops->notes(m, "adoption/", on_adoption, w);
	sw_timer_in(w->gc.timer, PASS_MS);
	return SW_OK;
}

void gc_close(struct sw_worker *w)
{
	sw_timer_free(w->gc.timer);
}

void sw_worker_gc_confirm(struct sw_worker *w)
{
	w->gc.confirmed = true;
	gc_kick(w);
}

void sw_workers_manager_synced(struct sw_workers *ws, bool synced)
{
	ws->manager_synced = synced;
	for (size_t i = 0; synced && i < ws->n; i++)
		gc_kick(ws->at[i]);
}
