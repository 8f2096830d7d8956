/* SPDX-License-Identifier: Apache-2.0 */
/*
 * say.c - events: what was nominated and why, on the job itself, where its user looks
 *
 * On the one object that owns the Workload; on the Workload where several do (a group of pods) or none. Said once, and
 * nobody waits for them: an event that is lost is lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "nominate_priv.h"
#include "spillway/event.h"
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

static void about(json_t *workload, struct sw_event_about *out)
{
	json_t *owners = sw_json_at(workload, "metadata.ownerReferences");
	json_t *one = sw_json_len(owners) == 1 ? sw_json_idx(owners, 0) : NULL;
	json_t *object = one ? one : workload, *meta = one ? one : sw_json_key(workload, "metadata");
	const char *const values[] = {sw_json_str(object, "apiVersion"), sw_json_str(object, "kind"),
				      sw_json_str(workload, "metadata.namespace"), sw_json_str(meta, "name"),
				      sw_json_str(meta, "uid")};
	const struct {
		char *at;
		size_t size;
	} fields[] = {{out->api, sizeof(out->api)},
		      {out->kind, sizeof(out->kind)},
		      {out->ns, sizeof(out->ns)},
		      {out->name, sizeof(out->name)},
		      {out->uid, sizeof(out->uid)}};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		snprintf(fields[i].at, fields[i].size, "%s", values[i] ? values[i] : "");
}

static void event_write(const struct sw_nominate *n, const struct sw_event_about *to, bool warning, const char *reason,
			const char *text, struct sw_buf *b)
{
	char name[SW_EVENT_NAME];
	int64_t now = sw_loop_wall(n->opt.loop);

	sw_event_name(to, name);
	sw_event_write(b, &(struct sw_kube_event){.about = to,
						  .name = name,
						  .reason = reason,
						  .message = text,
						  .reporter = SW_NOMINATE_DISPATCHER,
						  .warning = warning,
						  .count = 1,
						  .first_ms = now,
						  .last_ms = now});
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
	struct sw_event_about to;

	about(r->o, &to);
	sw_buf_init(&path, 1024);
	sw_buf_init(&body, 16 << 10);
	sw_kube_path(&path, "", "v1", "events", sw_event_ns(&to), NULL, NULL);
	event_write(n, &to, warning, reason, text, &body);
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
