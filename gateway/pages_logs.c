/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages_logs.c - a job's pods and their logs where the manager has no pods (mirror role), for `spillway logs`
 *
 *   GET /spillway/v1/pods?resource=&namespace=&name=      {items: [{name, containers, cluster}]}; cluster "": its log
 * was kept, and the pod is gone GET /spillway/v1/logs?...&pod=&container=             its text: as it comes
 * (follow=true), or what was kept
 *
 * The embedded manager serves pods itself: there the first says {api: true}.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway_priv.h"
#include "spillway/mirror.h"
#include "spillway/text.h"

enum { REPLY_MAX = 2 << 20 };

struct asked {
	const struct sw_kind *kind;
	const char *ns, *name;
};

static struct sw_err job_read(json_t *query, struct asked *a)
{
	const char *resource = sw_json_str(query, "resource");
	*a = (struct asked){.kind = resource ? sw_kind_find(resource) : NULL,
			    .ns = sw_json_str(query, "namespace"),
			    .name = sw_json_str(query, "name")};
	if (!a->kind || !a->ns || !a->name)
		return sw_err(SW_E_INVALID,
			      "logs need resource (a job kind's, such as jobs.batch), namespace and name");
	if (!page_may_see(query, a->ns))
		return sw_err(SW_E_FORBIDDEN, "you may not see namespace %s", a->ns);
	return SW_OK;
}

/* Those that run or lie on a worker now. gives. */
static json_t *live_pods(struct sw_gateway *g, const struct asked *a)
{
	const char *key = sw_mirror_workload_of(g->manager, a->kind, a->ns, a->name);
	return key ? sw_dispatch_pods(g->dispatch, key) : json_object_new_array();
}

static json_t *pod_find(json_t *pods, const char *name)
{
	for (size_t i = 0; i < sw_json_len(pods); i++)
		if (strcmp(sw_json_str(sw_json_idx(pods, i), "name"), name) == 0)
			return sw_json_idx(pods, i);
	return NULL;
}

static void add_kept(void *owner, const char *pod, const char *container)
{
	json_t *pods = owner, *p = pod_find(pods, pod);
	if (p && *sw_json_str(p, "cluster"))
		return; /* it is still there */
	if (!p) {
		p = json_object_new_object();
		sw_json_set_str(p, "name", pod);
		sw_json_set_str(p, "cluster", "");
		json_object_object_add(p, "containers", json_object_new_array());
		json_object_array_add(pods, p);
	}
	json_object_array_add(sw_json_key(p, "containers"), json_object_new_string(container));
}

struct sw_err gateway_page_pods(void *owner, json_t *query, json_t **out)
{
	struct sw_gateway *g = owner;
	struct asked a;
	struct sw_err e = job_read(query, &a);
	if (sw_failed(e))
		return e;
	*out = json_object_new_object();
	if (g->queue) {
		sw_json_set_bool(*out, "api", true);
		return SW_OK;
	}
	json_t *pods = live_pods(g, &a);
	json_object_object_add(*out, "items", pods);
	e = sw_mirror_kept(g->manager, a.kind, a.ns, a.name, add_kept, pods);
	if (sw_failed(e)) {
		json_object_put(*out);
		*out = NULL;
	}
	return e;
}

/* -1: all of them. */
static int64_t lines_of(json_t *query)
{
	const char *text = sw_json_str(query, "tailLines");
	return text && *text ? (int64_t)strtoul(text, NULL, 10) : -1;
}

static void reply_kept(struct sw_gateway *g, const struct asked *a, const struct sw_log_request *req,
		       struct sw_log_reply *r)
{
	struct sw_buf text;
	sw_buf_init(&text, REPLY_MAX);
	struct sw_err e = g->queue ? sw_err(SW_E_MISSING, "pods are served by the API here")
				   : sw_mirror_kept_log(g->manager, a->kind, a->ns, a->name, req->pod, req->container,
							req->tail_lines, &text);
	if (!sw_failed(e) && text.len)
		sw_log_reply_bytes(r, text.at, text.len);
	sw_log_reply_end(r, e);
	sw_buf_fini(&text);
}

void gateway_page_logs(void *owner, json_t *query, struct sw_log_reply *r)
{
	struct sw_gateway *g = owner;
	struct asked a;
	struct sw_err e = job_read(query, &a);
	const char *follow = sw_json_str(query, "follow");
	struct sw_log_request req = {.ns = a.ns,
				     .pod = sw_json_str(query, "pod"),
				     .container = sw_json_str(query, "container"),
				     .follow = follow && strcmp(follow, "true") == 0,
				     .tail_lines = lines_of(query),
				     .since_s = -1,
				     .limit_bytes = -1};
	if (!sw_failed(e) && (!req.pod || !req.container))
		e = sw_err(SW_E_INVALID, "logs need pod and container");
	if (sw_failed(e)) {
		sw_log_reply_end(r, e);
		return;
	}
	json_t *live = g->queue ? NULL : live_pods(g, &a);
	if (pod_find(live, req.pod))
		gateway_log_live(g, &req, r);
	else
		reply_kept(g, &a, &req, r);
	json_object_put(live);
}
