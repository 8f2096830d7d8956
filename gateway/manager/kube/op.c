/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op.c - a call of dispatch, from its first request to its answer
 *
 * An op keeps names, never rows: rows come and go with the watches. What a request brings back is a state of an object
 * like any other and goes through wl_apply() or job_apply(); then the op looks at the rows again. So a lost reply, a
 * conflict or a crash between two requests all lead to the same place: what is there is read, and the next thing done.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "mirror_priv.h"
#include "spillway/text.h"

struct op *op_new(struct mir *m, const char *key, void (*run)(struct op *), sw_manager_fn *done, void *owner)
{
	struct op *o = sw_calloc(1, sizeof(*o));

	o->m = m;
	o->key = sw_strdup(key);
	o->run = run;
	o->done = done;
	o->owner = owner;
	o->list = &m->ops_busy;
	DL_APPEND(*o->list, o);
	return o;
}

static void op_free(struct op *o)
{
	DL_DELETE(*o->list, o);
	sw_kube_cancel(o->call);
	for (size_t i = 0; o->clusters && o->clusters[i]; i++)
		free(o->clusters[i]);
	free(o->clusters);
	free(o->key);
	free(o->cluster);
	free(o->message);
	free(o->job_uid);
	free(o->status);
	json_object_put(o->job);
	json_object_put(o->workload);
	free(o);
}

/* run() may end its op and still look at it: it is freed when the outermost caller is done. */
static void enter(struct op *o)
{
	o->depth++;
}

static void leave(struct op *o)
{
	if (--o->depth == 0 && o->over)
		op_free(o);
}

void op_end(struct op *o, struct sw_err e)
{
	SW_REQUIRE(!o->over && o->depth);
	sw_manager_fn *done = o->done;
	sw_manager_read_fn *read_done = o->read_done;
	void *owner = o->owner;
	bool closing = o->m->closing;

	o->over = true;
	if (read_done && !closing)
		read_done(owner, e, sw_failed(e) ? NULL : o->job, sw_failed(e) ? NULL : o->workload);
	else if (done && !closing)
		done(owner, e);
}

/* ---- from the loop -------------------------------------------------------------------------- */

static void move(struct op *o, struct op **to)
{
	DL_DELETE(*o->list, o);
	o->list = to;
	DL_APPEND(*to, o);
}

static void make_ready(struct op *o)
{
	move(o, &o->m->ops_ready);
	sw_timer_in(o->m->op_timer, 0);
}

void op_start(struct op *o)
{
	make_ready(o);
}

void op_wait(struct op *o, const char *for_what)
{
	struct mir *m = o->m;

	if (o->wait_until_ms && sw_loop_now(m->loop) >= o->wait_until_ms) {
		op_end(o, sw_err(SW_E_BUSY, "workload %s: waited %d s for %s", o->key, OP_WAIT_MS / 1000, for_what));
		return;
	}
	if (!o->wait_until_ms)
		o->wait_until_ms = sw_loop_now(m->loop) + OP_WAIT_MS;
	move(o, &m->ops_waiting);
	sw_timer_in(m->op_timer, 1000);
}

void ops_wake(struct mir *m, const char *key)
{
	struct op *o, *next;

	DL_FOREACH_SAFE(m->ops_waiting, o, next)
	if (strcmp(o->key, key) == 0)
		make_ready(o);
}

static void waited_enough(struct mir *m)
{
	uint64_t now = sw_loop_now(m->loop);
	struct op *o, *next;

	DL_FOREACH_SAFE(m->ops_waiting, o, next)
	if (now >= o->wait_until_ms)
		make_ready(o);
	if (m->ops_waiting && !m->ops_ready)
		sw_timer_in(m->op_timer, 1000);
}

void ops_tick(struct mir *m)
{
	uint64_t began = uv_hrtime();

	sw_loop_doing(m->loop, "manager: calls");
	while (!m->closing && m->ops_ready) {
		struct op *o = m->ops_ready;

		move(o, &m->ops_busy);
		enter(o);
		o->run(o);
		leave(o);
		if (sw_loop_slice_over(m->loop, began)) {
			sw_timer_in(m->op_timer, 0);
			return;
		}
	}
	if (!m->closing)
		waited_enough(m);
}

void ops_free(struct mir *m)
{
	struct op **lists[] = {&m->ops_ready, &m->ops_waiting, &m->ops_busy};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		while (*lists[i])
			op_free(*lists[i]);
}

/* ---- requests ---------------------------------------------------------------------------------- */

static const struct sw_kind *kind_of(struct op *o)
{
	struct wl *w = wl_find(o->m, o->key);

	return w ? wl_kind(w) : NULL;
}

static void apply(struct op *o, json_t *object)
{
	char key[KEY_MAX];
	const char *ns = sw_json_str(object, "metadata.namespace"), *name = sw_json_str(object, "metadata.name");

	if (!ns || !name)
		return;
	snprintf(key, sizeof(key), "%.259s/%.253s", ns, name);
	if (!o->about_job)
		wl_apply(o->m, key, object);
	else if (kind_of(o))
		job_apply(o->m, kind_of(o), key, object);
}

static void keep_read(struct op *o, json_t *object)
{
	json_t **to = o->about_job ? &o->job : &o->workload;

	if (!o->read_done)
		return;
	json_object_put(*to);
	*to = json_object_get(object);
}

static void reread(struct op *o)
{
	struct wl *w = wl_find(o->m, o->key);

	sw_metric_add(o->m->m_conflicts, 1, o->about_job ? "job" : "workload");
	if (o->about_job && w)
		op_get_job(o, w);
	else
		op_get_workload(o);
	if (o->call)
		o->rereads = true;
}

static void failed(struct op *o, struct sw_err err, long status)
{
	if (o->on_error && !o->on_error(o, err, status))
		return;
	if (err.code == SW_E_CONFLICT && o->requests < OP_REQUESTS_MAX)
		reread(o);
	else
		op_end(o, err);
}

static void take_reply(struct op *o, json_t *object, bool reread_now)
{
	keep_read(o, object);
	o->mine = !o->about_job && !reread_now;
	if (o->mine)
		o->rv = rv_of(object);
	apply(o, object);
}

static void on_reply(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct op *o = owner;
	bool reread_now = o->rereads;

	o->call = NULL;
	o->rereads = false;
	enter(o);
	if (!sw_failed(err) && reply->object)
		take_reply(o, reply->object, reread_now);
	if (sw_failed(err))
		failed(o, err, reply->status);
	else
		o->run(o);
	leave(o);
}

static void op_send(struct op *o, enum sw_kube_class cls, const char *method, struct sw_buf *path, struct sw_buf *body)
{
	struct sw_kube_req req = {.cls = cls, .method = method, .path = path->at};
	struct sw_err e;

	if (body) {
		req.content_type = SW_JSON_PATCH;
		req.body = body->at;
		req.body_len = body->len;
	}
	if (!sw_buf_ok(path) || (body && !sw_buf_ok(body)))
		e = sw_err(SW_E_TOOBIG, "workload %s: the request would be too large", o->key);
	else if (body && !mir_may_write(o->m))
		e = sw_err(SW_E_CONFLICT, "workload %s: this gateway does not lead (any more)", o->key);
	else if (++o->requests > OP_REQUESTS_MAX)
		e = sw_err(SW_E_CONFLICT, "workload %s: changed by others again and again", o->key);
	else
		e = sw_kube_start(o->m->kube, &req, on_reply, o, &o->call);
	sw_buf_fini(path);
	if (body)
		sw_buf_fini(body);
	if (sw_failed(e))
		op_end(o, e);
}

static void workload_path(const struct op *o, struct sw_buf *path, const char *sub)
{
	const char *slash = strchr(o->key, '/');
	char ns[260];

	snprintf(ns, sizeof(ns), "%.*s", (int)(slash ? slash - o->key : 0), o->key);
	sw_buf_init(path, 4096);
	sw_kube_path(path, WORKLOAD_API, ns, slash ? slash + 1 : "", sub);
}

static void job_path(const struct wl *w, struct sw_buf *path, const char *sub)
{
	const struct sw_kind *k = wl_kind(w);
	char ns[260], name[254];

	wl_ns(w, ns);
	wl_job_name(w, name);
	sw_buf_init(path, 4096);
	sw_kube_path(path, k->group, k->version, k->plural, ns, name, sub);
}

void op_patch_workload(struct op *o, struct sw_buf *body, enum sw_kube_class cls)
{
	struct sw_buf path;

	o->about_job = false;
	workload_path(o, &path, "status");
	op_send(o, cls, "PATCH", &path, body);
}

void op_patch_job(struct op *o, const struct wl *w, struct sw_buf *body, enum sw_kube_class cls)
{
	struct sw_buf path;

	o->about_job = true;
	job_path(w, &path, "status");
	op_send(o, cls, "PATCH", &path, body);
}

void op_get_workload(struct op *o)
{
	struct sw_buf path;

	o->about_job = false;
	workload_path(o, &path, NULL);
	op_send(o, SW_KUBE_CREATE, "GET", &path, NULL);
}

void op_get_job(struct op *o, const struct wl *w)
{
	struct sw_buf path;

	o->about_job = true;
	job_path(w, &path, NULL);
	op_send(o, SW_KUBE_CREATE, "GET", &path, NULL);
}
