/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op.c - the write, and which way it goes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "nominate_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { BODY_MAX = 2 << 20 };

/* ---- which way ----------------------------------------------------------------------------- */

static const char *const policy_paths[] = {
	"/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/clear-nominated-cluster-names",
	"/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings/clear-nominated-cluster-names-binding",
};

static void probe(struct sw_nominate *n);

/* Not there, not allowed to look, or no such API: the apply works everywhere. */
static void on_probe(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct sw_nominate *n = owner;
	bool there = !sw_failed(err), before = n->found, first = !n->probed;

	n->probe = NULL;
	if (sw_failed(err) && (err.code == SW_E_NET || err.code == SW_E_TIMEOUT || reply->status >= 500)) {
		sw_timer_in(n->timer, 5000);
		return;
	}
	if (there && ++n->probing < sizeof(policy_paths) / sizeof(*policy_paths)) {
		probe(n);
		return;
	}
	n->found = there;
	n->probed = true;
	if (first || before != there)
		sw_log(INFO, "nominate", "nominations are written", "way=%s why=\"%s\"", there ? "patch" : "apply",
		       there ? "the policy clear-nominated-cluster-names is installed"
			     : "the policy clear-nominated-cluster-names is not seen");
	if (first)
		nom_rows_kick(n);
}

static void probe(struct sw_nominate *n)
{
	struct sw_kube_req req = {.cls = SW_KUBE_LIST, .method = "GET", .path = policy_paths[n->probing]};
	struct sw_err e = sw_kube_start(n->kube, &req, on_probe, n, &n->probe);

	if (sw_failed(e))
		sw_log(WARN, "nominate", "cannot ask for the policy", "error=\"%s\"", e.text);
}

void nom_probe_kick(struct sw_nominate *n)
{
	if (n->probe)
		return;
	n->probing = 0;
	probe(n);
}

enum sw_nominate_way nom_way_of(const struct sw_nominate *n, json_t *workload)
{
	/* Kueue gave it quota, and not by apply: its gate WorkloadRequestUseMergePatch is on. */
	return n->found || !nominate_is_applied(workload) ? SW_NOMINATE_PATCH : SW_NOMINATE_APPLY;
}

/* ---- the write ------------------------------------------------------------------------------- */

struct write {
	struct write *next, *prev;
	struct sw_nominate *n;
	struct sw_kube_call *call;
	char *key, *names; /* for the log */
	enum sw_nominate_way way;
	int64_t wait_ms;
};

static void write_free(struct write *w)
{
	DL_DELETE(w->n->writes, w);
	free(w->key);
	free(w->names);
	free(w);
}

static void tell(const struct write *w, struct sw_err err)
{
	const char *result = !sw_failed(err) ? "ok" : err.code == SW_E_CONFLICT ? "conflict" : "failed";

	sw_metric_add(sw_metric(w->n->opt.metrics, SW_COUNTER, "spillway_nominations_total",
				"Writes of nominatedClusterNames.", "way,result"),
		      1, w->way == SW_NOMINATE_APPLY ? "apply" : "patch", result);
	if (!sw_failed(err))
		sw_log(INFO, "nominate", "nominated", "key=%s clusters=\"%s\" way=%s", w->key, w->names,
		       w->way == SW_NOMINATE_APPLY ? "apply" : "patch");
}

static void on_written(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct write *w = owner;
	struct sw_nominate *n = w->n;
	struct row *r = nom_row_find(n, w->key);

	tell(w, err);
	if (r)
		r->writing = false;
	if (r && !sw_failed(err)) {
		char *text = sw_asprintf("%s may run it, the first that admits it does%s%s", w->names,
					 *r->why ? ": " : "", r->why);
		nom_say(n, r, false, "Nominated", text);
		free(text);
		r->began_ms = sw_loop_wall(n->opt.loop);
		if (reply->object)
			nom_row_apply(n, w->key, reply->object); /* what we wrote, before the watch says so */
	}
	/* A conflict: the watch brings what changed. A reply that was lost is the same: the field says what holds. */
	if (sw_failed(err) && err.code != SW_E_CONFLICT && err.code != SW_E_MISSING)
		sw_reconciler_fail(n->queue, w->key, err);
	else
		sw_reconciler_done(n->queue, w->key, sw_failed(err) ? 1000 : (uint64_t)w->wait_ms);
	write_free(w);
}

static struct sw_err body_make(enum sw_nominate_way way, json_t *workload, const char *const *names, size_t count,
			       struct sw_buf *out)
{
	json_t *o = NULL;
	struct sw_err e = SW_OK;

	if (way == SW_NOMINATE_APPLY)
		e = nominate_apply(workload, names, count, &o);
	else
		o = nominate_patch(workload, names, count);
	if (o)
		sw_buf_json(out, o);
	json_object_put(o);
	return e;
}

static char *words(const char *const *names, size_t count)
{
	struct sw_buf b;

	sw_buf_init(&b, 8192);
	for (size_t i = 0; i < count; i++)
		sw_buf_printf(&b, "%s%s", i ? " " : "", names[i]);
	char *text = sw_strdup(b.at ? b.at : "");

	sw_buf_fini(&b);
	return text;
}

struct sw_err nom_write_start(struct sw_nominate *n, struct row *r, const char *const *names, size_t count,
			      int64_t wait_ms)
{
	enum sw_nominate_way way = nom_way_of(n, r->o);
	struct sw_buf path, body;
	struct sw_err e;

	sw_buf_init(&path, 2048);
	sw_buf_init(&body, BODY_MAX);
	sw_kube_path(&path, "kueue.x-k8s.io", "v1beta2", "workloads", sw_json_str(r->o, "metadata.namespace"),
		     sw_json_str(r->o, "metadata.name"), "status");
	sw_kube_query(&path, "fieldManager", way == SW_NOMINATE_APPLY ? KUEUE_MANAGER : "spillway");
	if (way == SW_NOMINATE_APPLY)
		sw_kube_query(&path, "force", "true");
	e = body_make(way, r->o, names, count, &body);
	if (!sw_failed(e)) {
		struct write *w = sw_calloc(1, sizeof(*w));
		struct sw_kube_req req = {.cls = SW_KUBE_STATUS,
					  .method = "PATCH",
					  .path = path.at,
					  .content_type = way == SW_NOMINATE_APPLY ? SW_APPLY_PATCH : SW_MERGE_PATCH,
					  .body = body.at,
					  .body_len = body.len};

		*w = (struct write){
			.n = n, .key = sw_strdup(r->key), .names = words(names, count), .way = way, .wait_ms = wait_ms};
		DL_APPEND(n->writes, w);
		e = sw_kube_start(n->kube, &req, on_written, w, &w->call);
		if (sw_failed(e))
			write_free(w);
		else
			r->writing = true;
	}
	sw_buf_fini(&path);
	sw_buf_fini(&body);
	return e;
}

void nom_writes_cancel(struct sw_nominate *n)
{
	struct write *w, *next;

	DL_FOREACH_SAFE(n->writes, w, next)
	{
		sw_kube_cancel(w->call);
		write_free(w);
	}
	sw_kube_cancel(n->probe);
}
