/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain.c - a worker that is plain Kubernetes: start, stop and sweep a copy
 *
 * start is two writes, each taken when the cached row says it is the next one: POST the job suspended, then unsuspend
 * it. A reply that is lost leaves something inert, which the next look finds by its name; nothing is assumed. Its room
 * is a reservation: reserve.c.
 */
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

/* gives the copy, translated for the pool. */
static struct sw_err copy_make(struct sw_worker *w, const struct sw_offer *o, json_t *job, json_t **out)
{
	struct sw_copy_spec spec = {.origin = w->ws->origin,
				    .workload_key = o->key,
				    .owner_uid = o->owner_uid,
				    .attempt = o->attempt,
				    .pool = o->pool};
	struct sw_target to;

	*out = NULL;
	struct sw_err e = sw_worker_target(w, o->pool, &to);
	if (sw_failed(e))
		return e;
	json_t *copy = sw_kind_copy(o->kind, job, &spec);
	if (sw_worker_can_lease(w, o->kind))
		lease_put(copy, o->lease_s);
	e = sw_translate_job(o->kind, copy, &to, NULL);
	sw_target_fini(&to);
	if (sw_failed(e))
		json_object_put(copy);
	else
		*out = copy;
	return e;
}

static struct sw_err post(struct sw_worker *w, const struct sw_offer *o, json_t *job, sw_worker_fn *done, void *owner)
{
	json_t *copy;
	struct sw_err e = copy_make(w, o, job, &copy);
	return sw_failed(e) ? e : job_post(w, o, copy, done, owner);
}

/* ---- suspend: a merge patch that only the version we looked at takes ------------------ */

static void on_patched(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	if (!sw_failed(err) && reply->object)
		copies_early(a->w, a->kind, reply->object);
	act_end(a, err);
}

static struct sw_err suspend(struct sw_worker *w, const struct copy_row *row, bool on, sw_worker_fn *done, void *owner)
{
	json_t *patch = sw_json_fmt("{\"metadata\":{}}");
	struct sw_buf body;

	sw_json_set_str(patch, "metadata.resourceVersion", row->rv);
	sw_json_set_str(patch, "metadata.uid", row->uid);
	sw_json_set_bool(patch, row->kind->suspend_path, on);
	sw_buf_init(&body, 4096);
	sw_buf_json(&body, patch);
	json_object_put(patch);
	struct act *a = act_about(w, row->kind, row->ns, row->name, done, owner);
	a->on_reply = on_patched;
	/* What was created is started before more is created. */
	struct sw_err e =
		act_begun(a, job_send(a, on ? SW_KUBE_FENCE : SW_KUBE_STATUS, "PATCH", SW_MERGE_PATCH, &body));
	sw_buf_fini(&body);
	return e;
}

/* ---- the vtable --------------------------------------------------------------------------- */

static struct sw_err plain_start(struct sw_worker *w, const struct sw_offer *o, json_t *job, sw_worker_fn *done,
				 void *owner)
{
	const struct sw_copy c = sw_worker_copy(w, o->kind, o->ns, o->name, o->owner_uid);
	const char *cluster = w->cfg->name;

	switch (c.seen) {
	case SW_COPY_UNKNOWN:
		return sw_err(SW_E_BUSY, "cluster %s: jobs there cannot be seen now", cluster);
	case SW_COPY_FOREIGN:
		return sw_err(SW_E_EXISTS, "cluster %s has a %s %s/%s that is not ours: it is left alone", cluster,
			      o->kind->kind, o->ns, o->name);
	case SW_COPY_STALE:
		return sw_err(SW_E_CONFLICT, "cluster %s still has the copy of an earlier %s %s/%s: it must go first",
			      cluster, o->kind->kind, o->ns, o->name);
	case SW_COPY_ABSENT:
		return post(w, o, job, done, owner);
	case SW_COPY_OURS:
		break;
	}
	if (c.attempt != o->attempt || c.deleting)
		return sw_err(SW_E_CONFLICT, "cluster %s still has the copy of attempt %u of %s/%s: it must go first",
			      cluster, c.attempt, o->ns, o->name);
	if (!c.suspended)
		return nothing_to_do(w, done, owner);
	return suspend(w, copy_find(w, o->kind, o->ns, o->name), false, done, owner);
}

static struct sw_err plain_stop(struct sw_worker *w, const struct copy_row *row, sw_worker_fn *done, void *owner)
{
	if (row->suspended || row->deleting)
		return nothing_to_do(w, done, owner);
	return suspend(w, row, true, done, owner);
}

/* All of it: nobody else shares out these nodes. */
static bool plain_packs(const struct sw_worker *w, const struct sw_pool *pool)
{
	(void)w, (void)pool;
	return true;
}

const struct worker_ops worker_plain = {
	.name = "plain",
	.packs = plain_packs,
	.start = plain_start,
	.stop = plain_stop,
	.sweep = job_delete,
};
