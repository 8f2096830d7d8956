/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain.c - a worker that is plain Kubernetes: start, stop and sweep a copy
 *
 * start is two writes, each taken when the cached row says it is the next one: POST the job suspended, then unsuspend
 * it. A reply that is lost leaves something inert, which the next look finds by its name; nothing is assumed. An
 * AlreadyExists is settled by reading the object: ours of this attempt is adopted, anything else is left alone.
 * The offer of a plain worker is a reservation: reserve.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

enum { JOB_MAX = 4 << 20 };

static struct act *job_act(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
			   sw_worker_fn *done, void *owner)
{
	struct act *a = act_new(w, done, owner);
	a->kind = kind;
	a->ns = sw_strdup(ns);
	a->name = sw_strdup(name);
	return a;
}

static struct sw_err job_send(struct act *a, enum sw_kube_class cls, const char *method, const char *type,
			      struct sw_buf *body)
{
	struct sw_buf path;
	sw_buf_init(&path, 2048);
	sw_kube_path(&path, a->kind->group, a->kind->version, a->kind->plural, a->ns,
		     strcmp(method, "POST") == 0 ? NULL : a->name, NULL);
	struct sw_err e = act_send(a, cls, method, &path, type, body);
	sw_buf_fini(&path);
	return e;
}

/* ---- POST -------------------------------------------------------------------------- */

static void on_namespace(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	(void)reply;
	if (err.code == SW_E_EXISTS)
		err = sw_err(SW_E_CONFLICT, "cluster %s: namespace %s is there, yet %s could not be found",
			     a->w->cfg->name, a->ns, a->kind->resource);
	else
		err = sw_err_wrap(err, "namespace %s does not exist there and could not be made", a->ns);
	act_end(a, err);
}

static struct sw_err make_namespace(struct act *a)
{
	struct sw_buf path, body;

	sw_buf_init(&path, 256);
	sw_buf_init(&body, 1024);
	sw_buf_puts(&path, "/api/v1/namespaces");
	sw_buf_puts(&body, "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":");
	sw_buf_json_str(&body, a->ns);
	sw_buf_puts(&body, "}}");
	a->on_reply = on_namespace;
	struct sw_err e = act_send(a, SW_KUBE_CREATE, "POST", &path, NULL, &body);
	sw_buf_fini(&path);
	sw_buf_fini(&body);
	return e;
}

static void on_found(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct sw_worker *w = a->w;
	const char *origin = reply->object ? sw_json_label(reply->object, SW_LABEL_ORIGIN) : NULL;

	if (err.code == SW_E_MISSING) {
		act_end(a, sw_err(SW_E_CONFLICT, "cluster %s: %s %s/%s was there and is gone", w->cfg->name,
				  a->kind->resource, a->ns, a->name));
		return;
	}
	if (sw_failed(err)) {
		act_end(a, err);
		return;
	}
	if (!origin || strcmp(origin, w->ws->origin) != 0) {
		foreign_mark(w, a->kind, a->ns, a->name);
		act_end(a, sw_err(SW_E_EXISTS,
				  "cluster %s has a %s %s/%s that is not ours (origin \"%s\"): it is left alone",
				  w->cfg->name, a->kind->kind, a->ns, a->name, origin ? origin : ""));
		return;
	}
	copies_early(w, a->kind, reply->object); /* what it is, and what to do with it, the next look decides */
	act_end(a, SW_OK);
}

static void on_posted(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	if (!sw_failed(err)) {
		if (reply->object)
			copies_early(a->w, a->kind, reply->object);
		act_end(a, SW_OK);
	} else if (err.code == SW_E_EXISTS) {
		a->on_reply = on_found;
		act_went_on(a, job_send(a, SW_KUBE_CREATE, "GET", NULL, NULL));
	} else if (err.code == SW_E_MISSING) {
		act_went_on(a, make_namespace(a));
	} else {
		act_end(a, err);
	}
}

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
	struct sw_buf body;
	json_t *copy;
	struct sw_err e = copy_make(w, o, job, &copy);

	if (sw_failed(e))
		return e;
	sw_buf_init(&body, JOB_MAX);
	sw_buf_json(&body, copy);
	json_object_put(copy);
	struct act *a = job_act(w, o->kind, o->ns, o->name, done, owner);
	a->on_reply = on_posted;
	e = act_begun(a, job_send(a, SW_KUBE_CREATE, "POST", NULL, &body));
	sw_buf_fini(&body);
	return e;
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
	struct act *a = job_act(w, row->kind, row->ns, row->name, done, owner);
	a->on_reply = on_patched;
	struct sw_err e =
		act_begun(a, job_send(a, on ? SW_KUBE_FENCE : SW_KUBE_CREATE, "PATCH", SW_MERGE_PATCH, &body));
	sw_buf_fini(&body);
	return e;
}

static struct sw_err nothing_to_do(struct sw_worker *w, sw_worker_fn *done, void *owner)
{
	struct act *a = act_new(w, done, owner);
	return act_begun(a, act_later(a, SW_OK));
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

/* 409 to a delete with a UID precondition: that object is gone, another has its name. */
static void on_deleted(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	(void)reply;
	if (err.code == SW_E_MISSING || err.code == SW_E_CONFLICT)
		err = SW_OK;
	act_end(a, err);
}

static struct sw_err plain_sweep(struct sw_worker *w, const struct copy_row *row, sw_worker_fn *done, void *owner)
{
	struct sw_buf body;

	if (row->gone)
		return nothing_to_do(w, done, owner); /* its pods are on their way; gc.c sees to it */
	sw_buf_init(&body, 1024);
	sw_kube_delete_options(&body, "Background", row->uid);
	struct act *a = job_act(w, row->kind, row->ns, row->name, done, owner);
	a->on_reply = on_deleted;
	struct sw_err e = act_begun(a, job_send(a, SW_KUBE_FENCE, "DELETE", NULL, &body));
	sw_buf_fini(&body);
	return e;
}

const struct worker_ops worker_plain = {
	.name = "plain",
	.offer = plain_offer,
	.withdraw = plain_withdraw,
	.start = plain_start,
	.stop = plain_stop,
	.sweep = plain_sweep,
};
