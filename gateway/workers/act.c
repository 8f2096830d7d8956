/* SPDX-License-Identifier: Apache-2.0 */
/*
 * act.c - one request about one object, whose answer ends in a sw_worker_fn
 *
 * An act lives from start() to done(). It is on its worker's list, so that a worker that is freed takes its
 * acts along silently. What it is about is kept as names, never as rows: rows come and go with the watch.
 */
#include <stdlib.h>
#include <utlist.h>

#include "spillway/text.h"
#include "workers_priv.h"

struct act *act_new(struct sw_worker *w, sw_worker_fn *done, void *owner)
{
	struct act *a = sw_calloc(1, sizeof *a);
	a->w = w;
	a->done = done;
	a->owner = owner;
	DL_APPEND(w->acts, a);
	return a;
}

struct act *act_about(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
		      sw_worker_fn *done, void *owner)
{
	struct act *a = act_new(w, done, owner);
	a->kind = kind;
	a->ns = sw_strdup(ns);
	a->name = sw_strdup(name);
	return a;
}

void act_free(struct act *a)
{
	DL_DELETE(a->w->acts, a);
	sw_timer_free(a->later);
	free(a->ns);
	free(a->name);
	free(a->uid);
	free(a->origin_uid);
	json_object_put(a->object);
	free(a);
}

void act_end(struct act *a, struct sw_err err)
{
	sw_worker_fn *done = a->done;
	void *owner = a->owner;
	act_free(a);
	if (done)
		done(owner, err);
}

static void on_later(void *owner)
{
	struct act *a = owner;
	act_end(a, a->err);
}

struct sw_err act_later(struct act *a, struct sw_err err)
{
	struct sw_err e = sw_timer_new(a->w->ws->opt.loop, on_later, a, &a->later);
	if (!sw_failed(e)) {
		a->err = err;
		sw_timer_in(a->later, 0);
	}
	return e;
}

static void on_reply(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct act *a = owner;
	a->call = NULL;
	a->on_reply(a, err, reply); /* the client named the cluster in it */
}

struct sw_err act_send(struct act *a, enum sw_kube_class cls, const char *method, struct sw_buf *path, const char *type,
		       struct sw_buf *body)
{
	struct sw_kube_req req = {.cls = cls, .method = method, .path = path->at, .content_type = type};

	if (body) {
		req.body = body->at;
		req.body_len = body->len;
	}
	if (!sw_buf_ok(path) || (body && !sw_buf_ok(body)))
		return sw_err(SW_E_TOOBIG, "cluster %s: the %s request for %s would be too large", a->w->cfg->name,
			      method, a->name ? a->name : "an object");
	return sw_kube_start(a->w->kube, &req, on_reply, a, &a->call);
}

struct sw_err act_begun(struct act *a, struct sw_err e)
{
	if (sw_failed(e))
		act_free(a);
	return e;
}

void act_went_on(struct act *a, struct sw_err e)
{
	if (sw_failed(e))
		act_end(a, e);
}

void acts_free(struct sw_worker *w)
{
	struct act *a, *tmp;
	DL_FOREACH_SAFE(w->acts, a, tmp)
	{
		if (a->call)
			sw_kube_cancel(a->call);
		act_free(a);
	}
}
