/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector_ask.c - is the server still the one that was watched?
 *
 * An API server whose etcd was restored from a snapshot takes a watch from a resourceVersion that it has not reached
 * yet, and says nothing until it gets there: what the restore took away is never told, nor is what happens meanwhile.
 * One that has passed it answers 410, and a list then lacks what nobody deleted. (Kubernetes 1.36 with etcd 3.6: seen;
 * a restore with `etcdutl --bump-revision --mark-compacted` answers 410 too.) A restore restarts the server. So after a
 * watch that could not be opened, or a 410, the collection's present resourceVersion is looked at, and the canary.
 * set_back.c is what follows.
 */
#include <stdlib.h>
#include <string.h>
#include "reflector_priv.h"

enum { ASK_MAX = 8 << 20 }; /* a list of one object */

static void go_on(struct sw_reflector *r)
{
	r->must_ask = false;
	if (r->is_listed)
		reflector_watch(r);
	else
		reflector_list(r);
}

/* ---- the canary ---------------------------------------------------------------------------------------- */

/* One that is gone counts as older than any: the server was away, and who held the object did not delete it. */
static void on_canary(struct sw_reflector *r, struct sw_err err, const struct sw_kube_reply *reply)
{
	const char *rv = err.code == SW_E_MISSING ? "0" : sw_json_str(reply->object, "metadata.resourceVersion");

	if (sw_failed(err) && err.code != SW_E_MISSING)
		reflector_backoff(r, err);
	else if (!r->kube->canary || sw_kube_canary(r->kube, r->kube->canary, rv))
		go_on(r);
}

static void on_canary_done(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct sw_reflector *r = owner;

	r->call = NULL;
	reflector_enter(r);
	on_canary(r, err, reply);
	reflector_leave(r);
}

/* ---- the collection ---------------------------------------------------------------------------------------- */

static void ask(struct sw_reflector *r, const char *path, sw_kube_fn *done)
{
	struct sw_kube_req req = {.cls = SW_KUBE_LIST,
				  .method = "GET",
				  .path = path,
				  .timeout_ms = REFLECTOR_LIST_MS,
				  .max_reply = ASK_MAX};
	struct sw_err e = sw_kube_start(r->kube, &req, done, r, &r->call);

	if (sw_failed(e))
		reflector_backoff(r, e);
}

static void ask_canary(struct sw_reflector *r)
{
	if (r->kube->canary)
		ask(r, r->kube->canary, on_canary_done);
	else
		go_on(r);
}

static void on_answer(struct sw_reflector *r, struct sw_err err, const struct sw_kube_reply *reply)
{
	const char *present = sw_json_str(reply->object, "metadata.resourceVersion");

	if (sw_failed(err))
		reflector_backoff(r, err);
	else if (present && kube_rv_is_older(present, r->rv))
		kube_set_back(r->kube, r->cfg.path, r->rv, present);
	else
		ask_canary(r);
}

static void on_answer_done(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct sw_reflector *r = owner;

	r->call = NULL;
	reflector_enter(r);
	on_answer(r, err, reply);
	reflector_leave(r);
}

void reflector_ask(struct sw_reflector *r)
{
	struct sw_buf path;

	reflector_goto(r, REFLECTOR_ASKING);
	if (!r->is_listed) { /* a list follows anyway */
		ask_canary(r);
		return;
	}
	reflector_query(r, &path);
	sw_kube_query(&path, "limit", "1");
	ask(r, path.at, on_answer_done);
	sw_buf_fini(&path);
}
