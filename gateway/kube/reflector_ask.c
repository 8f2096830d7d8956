/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector_ask.c - is the server still the one that was watched?
 *
 * An API server whose etcd was restored from a snapshot takes a watch from a resourceVersion that it has not reached
 * yet, and says nothing until it gets there: what the restore took away is never told, nor is what happens meanwhile.
 * (Kubernetes 1.36 with etcd 3.6: seen; a restore with `etcdutl --bump-revision --mark-compacted` answers 410 instead.)
 * A restore restarts the server. So a watch that could not be opened is not resumed before the collection's present
 * resourceVersion was looked at; if that is lower than ours, all that is watched on this server is listed anew.
 *
 * Resource versions of one collection can be compared as numbers: since Kubernetes 1.35 that is promised, and it was so
 * before. What is no number is not compared.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "reflector_priv.h"
#include "spillway/log.h"

enum { ASK_MAX = 8 << 20 }; /* a list of one object */

static bool is_number(const char *s)
{
	return s && *s && strspn(s, "0123456789") == strlen(s);
}

bool reflector_rv_is_older(const char *present, const char *seen)
{
	if (!is_number(present) || !is_number(seen))
		return false;
	present += strspn(present, "0");
	seen += strspn(seen, "0");
	size_t n = strlen(present), m = strlen(seen);
	return n != m ? n < m : strcmp(present, seen) < 0;
}

/* Their collections were set back with it, whatever their numbers say: the server's revision may have passed them
 * since. */
static void others_list(const struct sw_reflector *r)
{
	struct sw_reflector *o;

	DL_FOREACH(r->kube->reflectors, o)
	if (o != r) {
		o->is_listed = false;
		reflector_rekeyed(o);
	}
}

static void on_answer(struct sw_reflector *r, struct sw_err err, const struct sw_kube_reply *reply)
{
	const char *present = sw_json_str(reply->object, "metadata.resourceVersion");

	if (sw_failed(err)) {
		reflector_backoff(r, err);
		return;
	}
	r->must_ask = false;
	if (!present || !reflector_rv_is_older(present, r->rv)) {
		reflector_watch(r);
		return;
	}
	sw_log(WARN, "kube", "the server was set back in time, listing anew",
	       "cluster=%s path=\"%s\" seen=%s present=%s", r->name, r->cfg.path, r->rv, present);
	others_list(r);
	if (r->cfg.on_set_back)
		r->cfg.on_set_back(r->cfg.owner);
	if (reflector_alive(r))
		reflector_list(r);
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
	struct sw_kube_req req = {
		.cls = SW_KUBE_LIST, .method = "GET", .timeout_ms = REFLECTOR_LIST_MS, .max_reply = ASK_MAX};
	struct sw_buf path;

	reflector_query(r, &path);
	sw_kube_query(&path, "limit", "1");
	req.path = path.at;
	reflector_goto(r, REFLECTOR_ASKING);
	struct sw_err e = sw_kube_start(r->kube, &req, on_answer_done, r, &r->call);
	sw_buf_fini(&path);
	if (sw_failed(e))
		reflector_backoff(r, e);
}
