/* SPDX-License-Identifier: Apache-2.0 */
/*
 * say.c - events: what was nominated and why, on the job itself, where its user looks
 *
 * On the one object that owns the Workload; on the Workload where several do (a group of pods) or none. Said once, and
 * nobody waits for them: an event that is lost is lost.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "nominate_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { SAYING_MAX = 64 /* under way at once: more are not sent */ };

struct saying {
	struct saying *next, *prev;
	struct sw_nominate *n;
	struct sw_kube_call *call;
};

static void on_said(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct saying *s = owner;

	(void)reply;
	if (sw_failed(err))
		sw_log(DEBUG, "nominate", "an event was not taken", "error=\"%s\"", err.text);
	DL_DELETE(s->n->sayings, s);
	free(s);
}

static void copy_as(json_t *from, const char *path, json_t *to, const char *key)
{
	const char *text = sw_json_str(from, path);

	if (text)
		sw_json_set_str(to, key, text);
}

static json_t *about(json_t *workload)
{
	json_t *owners = sw_json_at(workload, "metadata.ownerReferences"), *o = json_object_new_object();
	json_t *one = sw_json_len(owners) == 1 ? sw_json_idx(owners, 0) : NULL;

	copy_as(one ? one : workload, "apiVersion", o, "apiVersion");
	copy_as(one ? one : workload, "kind", o, "kind");
	copy_as(one ? one : workload, one ? "name" : "metadata.name", o, "name");
	copy_as(one ? one : workload, one ? "uid" : "metadata.uid", o, "uid");
	copy_as(workload, "metadata.namespace", o, "namespace");
	return o;
}

static json_t *event(const struct sw_nominate *n, json_t *workload, bool warning, const char *reason, const char *text)
{
	json_t *o = json_object_new_object(), *object = about(workload);
	const char *name = sw_json_str(object, "name");
	char now[32], *called;
	uint64_t random;

	sw_random(&random, sizeof(random));
	called = sw_asprintf("%.230s.%016" PRIx64, name ? name : "workload", random);
	sw_time_text(sw_loop_wall(n->opt.loop), now);
	sw_json_set_str(o, "apiVersion", "v1");
	sw_json_set_str(o, "kind", "Event");
	sw_json_set_str(o, "metadata.name", called);
	copy_as(workload, "metadata.namespace", sw_json_key(o, "metadata"), "namespace");
	json_object_object_add(o, "involvedObject", object);
	sw_json_set_str(o, "type", warning ? "Warning" : "Normal");
	sw_json_set_str(o, "reason", reason);
	sw_json_set_str(o, "message", text);
	sw_json_set_str(o, "source.component", "spillway");
	sw_json_set_str(o, "reportingComponent", SW_NOMINATE_DISPATCHER);
	sw_json_set_str(o, "reportingInstance", "spillway");
	sw_json_set_str(o, "firstTimestamp", now);
	sw_json_set_str(o, "lastTimestamp", now);
	sw_json_set_int(o, "count", 1);
	free(called);
	return o;
}

void nom_say(struct sw_nominate *n, struct row *r, bool warning, const char *reason, const char *text)
{
	uint64_t hash = sw_hash(text, strlen(text)) * 31 + sw_hash(reason, strlen(reason));
	struct saying *s;
	int under_way;

	DL_COUNT(n->sayings, s, under_way);
	if (r->said == hash || under_way >= SAYING_MAX)
		return;
	r->said = hash;
	struct sw_buf path, body;
	json_t *o = event(n, r->o, warning, reason, text);

	sw_buf_init(&path, 1024);
	sw_buf_init(&body, 16 << 10);
	sw_kube_path(&path, "", "v1", "events", sw_json_str(r->o, "metadata.namespace"), NULL, NULL);
	sw_buf_json(&body, o);
	struct sw_kube_req req = {
		.cls = SW_KUBE_LIST, .method = "POST", .path = path.at, .body = body.at, .body_len = body.len};

	s = sw_calloc(1, sizeof(*s));
	s->n = n;
	struct sw_err e = sw_buf_ok(&path) && sw_buf_ok(&body) ? sw_kube_start(n->kube, &req, on_said, s, &s->call)
							       : sw_err(SW_E_TOOBIG, "event");

	if (sw_failed(e))
		free(s);
	else
		DL_APPEND(n->sayings, s);
	json_object_put(o);
	sw_buf_fini(&path);
	sw_buf_fini(&body);
}

void nom_sayings_cancel(struct sw_nominate *n)
{
	struct saying *s, *next;

	DL_FOREACH_SAFE(n->sayings, s, next)
	{
		sw_kube_cancel(s->call);
		DL_DELETE(n->sayings, s);
		free(s);
	}
}
