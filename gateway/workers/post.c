/* SPDX-License-Identifier: Apache-2.0 */
/*
 * post.c - a copy is created and deleted: what both kinds of worker do alike
 *
 * An AlreadyExists is settled by reading the object: ours of this attempt is adopted, anything else is left alone. A
 * delete names the UID, so that it can touch no other object of the name.
 */
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

enum { JOB_MAX = 4 << 20 };

struct sw_err job_send(struct act *a, enum sw_kube_class cls, const char *method, const char *type, struct sw_buf *body)
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
		foreign_mark(w, a->kind->resource, a->ns, a->name);
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
	} else if (err.code == SW_E_MISSING && !a->w->ops->offer) {
		act_went_on(a, make_namespace(a));
	} else {
		act_end(a, err);
	}
}

struct sw_err job_post(struct sw_worker *w, const struct sw_offer *o, json_t *copy_taken, sw_worker_fn *done,
		       void *owner)
{
	struct sw_buf body;

	sw_buf_init(&body, JOB_MAX);
	sw_buf_json(&body, copy_taken);
	json_object_put(copy_taken);
	struct act *a = act_about(w, o->kind, o->ns, o->name, done, owner);
	a->on_reply = on_posted;
	struct sw_err e = act_begun(a, job_send(a, SW_KUBE_CREATE, "POST", NULL, &body));
	sw_buf_fini(&body);
	return e;
}

struct sw_err nothing_to_do(struct sw_worker *w, sw_worker_fn *done, void *owner)
{
	struct act *a = act_new(w, done, owner);
	return act_begun(a, act_later(a, SW_OK));
}

/* ---- DELETE ------------------------------------------------------------------------- */

/* 409 to a delete with a UID precondition: that object is gone, another has its name. */
void act_on_deleted(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	(void)reply;
	if (err.code == SW_E_MISSING || err.code == SW_E_CONFLICT)
		err = SW_OK;
	act_end(a, err);
}

struct sw_err job_delete(struct sw_worker *w, const struct copy_row *row, sw_worker_fn *done, void *owner)
{
	struct sw_buf body;

	if (row->gone)
		return nothing_to_do(w, done, owner); /* its pods are on their way; gc.c sees to it */
	sw_buf_init(&body, 1024);
	sw_kube_delete_options(&body, "Background", row->uid);
	struct act *a = act_about(w, row->kind, row->ns, row->name, done, owner);
	a->on_reply = act_on_deleted;
	struct sw_err e = act_begun(a, job_send(a, SW_KUBE_FENCE, "DELETE", NULL, &body));
	sw_buf_fini(&body);
	return e;
}
