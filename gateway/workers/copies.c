/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copies.c - one row per copy: a job on this cluster that carries our origin
 *
 * Three things keep a row from being simply what the watch said last:
 *  - a reply to our own write may be newer than the watch: it is taken at once, and marked early until the watch
 *    shows the object, so that the next look does not repeat the write;
 *  - a job that is gone may leave pods that still run: the row stays, deleting, until they went;
 *  - pods may even be all that is left of a copy when we start (works that are strays).
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "spillway/text.h"
#include "workers_priv.h"

enum { FOREIGN_MS = 60 * 1000 };

static char *id_new(const char *resource, const char *ns, const char *name)
{
	return sw_asprintf("%s/%s/%s", resource, ns, name);
}

static struct copy_row *row_find(struct sw_worker *w, const char *id)
{
	struct copy_row *row;
	HASH_FIND_STR(w->copies, id, row);
	return row;
}

struct copy_row *copy_find(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name)
{
	char *id = id_new(kind->resource, ns, name);
	struct copy_row *row = row_find(w, id);
	free(id);
	return row;
}

static void row_clear(struct copy_row *row)
{
	free(row->owner_uid);
	free(row->uid);
	free(row->pool);
	free(row->rv);
	free(row->status);
	row->owner_uid = row->uid = row->pool = row->rv = row->status = NULL;
}

static void row_free(struct sw_worker *w, struct copy_row *row)
{
	struct work *work = row->work;

	HASH_DEL(w->copies, row);
	if (work->copy == row)
		work->copy = NULL;
	work_settle(w, work);
	row_clear(row);
	free(row->ns);
	free(row->name);
	free(row);
}

static struct copy_row *row_new(struct sw_worker *w, const struct sw_kind *kind, const char *id, json_t *job)
{
	size_t n = strlen(id);
	struct copy_row *row = sw_calloc(1, sizeof *row + n + 1);

	memcpy(row->id, id, n);
	row->kind = kind;
	row->ns = sw_strdup(sw_json_str(job, "metadata.namespace"));
	row->name = sw_strdup(sw_json_str(job, "metadata.name"));
	row->work = pod_work_get(w, sw_json_annotation(job, SW_ANN_WORKLOAD));
	row->work->copy = row;
	HASH_ADD_KEYPTR(hh, w->copies, row->id, n, row);
	work_settle(w, row->work);
	return row;
}

static char *text_of(const char *s)
{
	return sw_strdup(s ? s : "");
}

static void row_fill(struct copy_row *row, json_t *job)
{
	const char *attempt = sw_json_annotation(job, SW_ANN_ATTEMPT),
		   *created = sw_json_str(job, "metadata.creationTimestamp"), *why;
	json_t *status = sw_json_key(job, "status");

	row_clear(row);
	row->owner_uid = text_of(sw_json_annotation(job, SW_ANN_OWNER_UID));
	row->pool = text_of(sw_json_annotation(job, SW_ANN_POOL));
	row->uid = text_of(sw_json_str(job, "metadata.uid"));
	row->rv = text_of(sw_json_str(job, "metadata.resourceVersion"));
	row->attempt = attempt ? (unsigned)strtoul(attempt, NULL, 10) : 0;
	row->suspended = sw_kind_suspended(row->kind, job);
	row->deleting = sw_json_str(job, "metadata.deletionTimestamp") != NULL;
	row->companions = sw_json_annotation(job, SW_ANN_COMPANIONS) != NULL;
	row->gone = false;
	row->outcome = row->kind->outcome(row->kind, job, &why);
	row->active = row->kind->active(row->kind, job);
	if (!created || sw_failed(sw_time_parse(created, &row->created_ms)))
		row->created_ms = 0;
	lease_read(row, job, why ? why : "");
	row->status = status ? sw_json_text(status, &row->status_len) : NULL;
	row->status_hash = row->status ? sw_hash(row->status, row->status_len) : 0;
}

static bool is_copy(struct sw_worker *w, json_t *job)
{
	const char *origin = sw_json_label(job, SW_LABEL_ORIGIN);
	return origin && strcmp(origin, w->ws->origin) == 0 && sw_json_annotation(job, SW_ANN_WORKLOAD) &&
	       sw_json_str(job, "metadata.namespace") && sw_json_str(job, "metadata.name");
}

static uint64_t version_of(const char *rv)
{
	return rv ? strtoull(rv, NULL, 10) : 0;
}

static void row_put(struct sw_worker *w, const struct sw_kind *kind, const char *id, json_t *job, bool early)
{
	struct copy_row *row = row_find(w, id);

	if (row && strcmp(row->work->key, sw_json_annotation(job, SW_ANN_WORKLOAD)) != 0) {
		row_free(w, row); /* another workload took the name */
		row = NULL;
	}
	if (row && !early)
		row->early = false;
	if (!row)
		row = row_new(w, kind, id, job);
	else if (feed_synced(w, kind) && version_of(sw_json_str(job, "metadata.resourceVersion")) < version_of(row->rv))
		return; /* a reply was faster than the watch; a new list may start over */
	const char *uid = sw_json_str(job, "metadata.uid");
	if (row->uid && uid && strcmp(row->uid, uid) != 0)
		row->swept_ms = 0;
	row->early = early && (row->early || !row->uid);
	row_fill(row, job);
	worker_work_changed(w, row->work->key);
}

/* ---- pods of a copy -------------------------------------------------------------- */

static bool any_live(const struct work *work, const char *owner_uid)
{
	struct pod_ours *o;
	DL_FOREACH(work->pods, o)
	if (o->row->live && strcmp(o->owner_uid, owner_uid) == 0)
		return true;
	return false;
}

static void row_gone(struct sw_worker *w, struct copy_row *row)
{
	char *key = sw_strdup(row->work->key);

	if (any_live(row->work, row->owner_uid)) {
		row->gone = row->deleting = true;
		row->early = false;
	} else {
		row_free(w, row);
	}
	worker_work_changed(w, key);
	free(key);
}

void copies_pods_changed(struct sw_worker *w, const char *work_key)
{
	struct work *work = pod_work_find(w, work_key);
	if (work && work->copy && work->copy->gone && !any_live(work, work->copy->owner_uid))
		row_free(w, work->copy);
}

/* ---- what the watch and replies say -------------------------------------------------- */

void copies_on_object(struct sw_worker *w, const struct sw_kind *kind, enum sw_obj_event ev, const char *key,
		      json_t *job)
{
	char *id = sw_asprintf("%s/%s", kind->resource, key);
	struct copy_row *row = row_find(w, id);

	if (ev == SW_OBJ_PUT && is_copy(w, job)) {
		if (row && row->gone)
			row_clear(row); /* made again under the same name: versions start over */
		row_put(w, kind, id, job, false);
	} else if (row && !row->gone) {
		row_gone(w, row);
	}
	free(id);
}

void copies_early(struct sw_worker *w, const struct sw_kind *kind, json_t *job)
{
	if (!is_copy(w, job))
		return;
	char *id = id_new(kind->resource, sw_json_str(job, "metadata.namespace"), sw_json_str(job, "metadata.name"));
	struct copy_row *row = row_find(w, id);
	if (!row || !row->gone)
		row_put(w, kind, id, job, true);
	free(id);
}

void copies_synced(struct sw_worker *w, const struct sw_kind *kind)
{
	struct copy_row *row, *tmp;
	HASH_ITER(hh, w->copies, row, tmp)
	{
		if (row->kind == kind && row->early)
			row_gone(w, row);
	}
}

void copies_in_sight(struct sw_worker *w, const struct sw_kind *kind)
{
	struct copy_row *row, *tmp;
	HASH_ITER(hh, w->copies, row, tmp)
	{
		if ((!kind || row->kind == kind) && feed_synced(w, row->kind))
			worker_work_changed(w, row->work->key);
	}
}

void copies_unserved(struct sw_worker *w, const struct sw_kind *kind)
{
	struct copy_row *row, *tmp;
	HASH_ITER(hh, w->copies, row, tmp)
	if (row->kind == kind && !row->gone)
		row_gone(w, row);
}

void copies_free(struct sw_worker *w)
{
	struct copy_row *row, *tmp;
	struct foreign *f, *next;

	HASH_ITER(hh, w->copies, row, tmp)
	row_free(w, row);
	HASH_ITER(hh, w->foreign, f, next)
	{
		HASH_DEL(w->foreign, f);
		free(f);
	}
}

/* ---- names that others hold ------------------------------------------------------------- */

void foreign_mark(struct sw_worker *w, const char *resource, const char *ns, const char *name)
{
	char *id = id_new(resource, ns, name);
	size_t n = strlen(id);
	struct foreign *f;

	HASH_FIND_STR(w->foreign, id, f);
	if (!f) {
		f = sw_calloc(1, sizeof *f + n + 1);
		memcpy(f->id, id, n);
		HASH_ADD_KEYPTR(hh, w->foreign, f->id, n, f);
	}
	f->until_ms = worker_now(w) + FOREIGN_MS;
	free(id);
}

bool foreign_is(struct sw_worker *w, const char *resource, const char *ns, const char *name)
{
	struct foreign *f = NULL;

	if (!w->foreign)
		return false;
	char *id = id_new(resource, ns, name);
	HASH_FIND_STR(w->foreign, id, f);
	free(id);
	if (f && f->until_ms <= worker_now(w)) {
		HASH_DEL(w->foreign, f);
		free(f);
		f = NULL;
	}
	return f != NULL;
}

/* ---- the door ------------------------------------------------------------------------------ */

void copy_fill(const struct copy_row *row, struct sw_copy *out)
{
	struct pod_ours *o;
	int64_t live = 0;

	*out = (struct sw_copy){.seen = SW_COPY_OURS,
				.attempt = row->attempt,
				.suspended = row->suspended,
				.companions = row->companions,
				.deleting = row->deleting,
				.outcome = row->outcome,
				.active = row->gone ? 0 : row->active,
				.status_hash = row->status_hash,
				.created_ms = row->created_ms,
				.lease_s = row->lease_s,
				.started_ms = row->started_ms,
				.lease_capped = row->lease_capped,
				.lease_expired = row->lease_expired,
				.pool = row->pool,
				.uid = row->uid};
	DL_FOREACH(row->work->pods, o)
	{
		if (strcmp(o->owner_uid, row->owner_uid) != 0 || o->attempt != row->attempt)
			continue;
		out->pods++;
		out->scheduled += o->row->node != NULL;
		live += o->row->live;
	}
	if (live > out->active && (row->gone || row->suspended))
		out->active = live; /* the job's own count may lag, and never shows what runs on behind it */
}

/* Pods without a job, of this owner: the copy went while nobody looked, and is not absent yet. */
static bool stray_find(struct sw_worker *w, const char *owner_uid, struct sw_copy *out)
{
	struct work *work, *tmp;
	struct pod_ours *o;
	bool found = false;

	HASH_ITER(hh, w->works, work, tmp)
	{
		if (!work->stray)
			continue;
		DL_FOREACH(work->pods, o)
		{
			if (!o->row->live || strcmp(o->owner_uid, owner_uid) != 0)
				continue;
			found = true;
			out->attempt = o->attempt > out->attempt ? o->attempt : out->attempt;
			out->active++;
			out->pods++;
			out->scheduled += o->row->node != NULL;
		}
	}
	return found;
}

struct sw_copy sw_worker_copy(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
			      const char *owner_uid)
{
	struct sw_copy copy = {.seen = SW_COPY_UNKNOWN, .pool = "", .uid = ""};

	if (!feed_synced(w, kind))
		return copy;
	struct copy_row *row = copy_find(w, kind, ns, name);
	if (row) {
		copy_fill(row, &copy);
		if (strcmp(row->owner_uid, owner_uid) != 0)
			copy.seen = SW_COPY_STALE;
		return copy;
	}
	copy.seen = SW_COPY_ABSENT;
	if (w->strays > 0 && stray_find(w, owner_uid, &copy)) {
		copy.seen = SW_COPY_OURS;
		copy.deleting = true;
	} else if (foreign_is(w, kind->resource, ns, name)) {
		copy.seen = SW_COPY_FOREIGN;
	}
	return copy;
}

void sw_worker_each_copy(struct sw_worker *w, sw_copy_fn *each, void *owner)
{
	struct copy_row *row, *tmp;
	HASH_ITER(hh, w->copies, row, tmp)
	{
		struct sw_copy copy;
		copy_fill(row, &copy);
		each(owner, w, row->work->key, row->kind, row->ns, row->name, row->owner_uid, &copy);
	}
}

json_t *sw_worker_copy_status(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name)
{
	struct copy_row *row = copy_find(w, kind, ns, name);
	json_t *status = NULL;

	if (!row || !row->status || sw_failed(sw_json_parse(row->status, row->status_len, &status)))
		return NULL;
	return status;
}
