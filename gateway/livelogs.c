/* SPDX-License-Identifier: Apache-2.0 */
/*
 * livelogs.c - `kubectl logs` of a pod that runs on a worker: its bytes, passed through
 *
 * The reply and the stream from the worker end each other: a client that goes away cancels the stream, and
 * the stream's end ends the reply.
 */
#include <stdlib.h>
#include <utlist.h>

#include "gateway_priv.h"
#include "spillway/text.h"

struct live_log {
	struct sw_gateway *g;
	struct sw_log_reply *reply;
	struct sw_kube_call *call;
	struct live_log *prev, *next;
};

static bool live_has(void *owner, const char *ns, const char *pod)
{
	struct sw_gateway *g = owner;
	return sw_dispatch_pod_worker(g->dispatch, ns, pod) != NULL;
}

static void log_free(struct live_log *l)
{
	DL_DELETE(l->g->logs, l);
	free(l);
}

static void on_bytes(void *owner, const char *bytes, size_t n)
{
	sw_log_reply_bytes(((struct live_log *)owner)->reply, bytes, n);
}

static void on_end(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct live_log *l = owner;
	struct sw_log_reply *to = l->reply;
	(void)reply;
	log_free(l);
	sw_log_reply_end(to, err);
}

static void log_path(struct sw_buf *path, const struct sw_log_request *req)
{
	char number[32];
	sw_kube_path(path, "", "v1", "pods", req->ns, req->pod, "log");
	if (req->container && *req->container)
		sw_kube_query(path, "container", req->container);
	if (req->follow)
		sw_kube_query(path, "follow", "true");
	if (req->timestamps)
		sw_kube_query(path, "timestamps", "true");
	if (req->previous)
		sw_kube_query(path, "previous", "true");
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{"tailLines", req->tail_lines},
		{"sinceSeconds", req->since_s},
		{"limitBytes", req->limit_bytes > 0 ? req->limit_bytes : -1},
	};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		snprintf(number, sizeof number, "%lld", (long long)numbers[i].value);
		if (numbers[i].value >= 0)
			sw_kube_query(path, numbers[i].name, number);
	}
}

void gateway_log_live(void *owner, const struct sw_log_request *req, struct sw_log_reply *reply)
{
	struct sw_gateway *g = owner;
	struct sw_worker *w = sw_dispatch_pod_worker(g->dispatch, req->ns, req->pod);
	if (!w) {
		sw_log_reply_end(reply,
				 sw_err(SW_E_MISSING,
					"pod %s has just gone from its cluster; ask again for the log that was kept",
					req->pod));
		return;
	}
	struct live_log *l = sw_calloc(1, sizeof *l);
	struct sw_buf path;
	l->g = g;
	l->reply = reply;
	DL_APPEND(g->logs, l);
	sw_buf_init(&path, 8192);
	log_path(&path, req);
	struct sw_err e = sw_kube_stream(sw_worker_kube(w), path.at, on_bytes, on_end, l, &l->call);
	sw_buf_fini(&path);
	if (sw_failed(e)) {
		log_free(l);
		sw_log_reply_end(reply, e);
	}
}

void gateway_log_stop(void *owner, struct sw_log_reply *reply)
{
	struct sw_gateway *g = owner;
	struct live_log *l, *tmp;
	DL_FOREACH_SAFE(g->logs, l, tmp)
	{
		if (l->reply != reply)
			continue;
		sw_kube_cancel(l->call);
		log_free(l);
	}
}

void gateway_logs_init(struct sw_gateway *g)
{
	struct sw_live_logs live = {.has = live_has, .source = {gateway_log_live, gateway_log_stop}, .owner = g};
	if (g->queue) /* elsewhere they are a page: pages_logs.c */
		sw_embedded_live_logs(g->manager, &live);
}

void gateway_logs_fini(struct sw_gateway *g)
{
	struct live_log *l, *tmp;
	DL_FOREACH_SAFE(g->logs, l, tmp)
	{
		struct sw_log_reply *reply = l->reply;
		sw_kube_cancel(l->call);
		log_free(l);
		sw_log_reply_end(reply, SW_OK);
	}
}
