/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon.c - taking a node out of use, and making sure that nothing runs on it
 *
 * Our cordon carries our origin in an annotation: after a crash we know which cordons are ours to lift, and never lift
 * an administrator's. The check for emptiness asks the API server, not the cache: a pod may have been bound a moment
 * ago.
 */
#include <stdio.h>

#include "spillway/text.h"
#include "workers_priv.h"

static void on_reply_end(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	(void)reply;
	act_end(a, err);
}

static struct act *node_act(struct sw_worker *w, const char *node, sw_worker_fn *done, void *owner)
{
	struct act *a = act_new(w, done, owner);
	a->name = sw_strdup(node);
	return a;
}

struct sw_err sw_worker_cordon(struct sw_worker *w, const char *node, bool on, sw_worker_fn *done, void *owner)
{
	struct sw_buf path, body;

	if (!w->kube)
		return sw_err(SW_E_NET, "cluster %s was never reached", w->cfg->name);
	if (w->claim.state != SW_CLAIM_OURS)
		return sw_err(SW_E_BUSY, "cluster %s is not known to be ours", w->cfg->name);
	sw_buf_init(&path, 1024);
	sw_buf_init(&body, 1024);
	sw_kube_path(&path, "", "v1", "nodes", NULL, node, NULL);
	sw_buf_printf(&body, "{\"metadata\":{\"annotations\":{\"" ANN_CORDON "\":");
	sw_buf_json_str(&body, on ? w->ws->origin : NULL);
	sw_buf_printf(&body, "}},\"spec\":{\"unschedulable\":%s}}", on ? "true" : "null");
	struct act *a = node_act(w, node, done, owner);
	a->on_reply = on_reply_end;
	struct sw_err e = act_begun(a, act_send(a, SW_KUBE_STATUS, "PATCH", &path, SW_MERGE_PATCH, &body));
	sw_buf_fini(&path);
	sw_buf_fini(&body);
	return e;
}

static void on_pods(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	json_t *items = sw_json_key(reply->object, "items");

	if (!sw_failed(err) && (!items || !json_object_is_type(items, json_type_array)))
		err = sw_err(SW_E_INVALID, "cluster %s: the list of pods on node %s is no list", a->w->cfg->name,
			     a->name);
	for (size_t i = 0; !sw_failed(err) && i < sw_json_len(items); i++) {
		json_t *pod = sw_json_idx(items, i);
		const char *ns = sw_json_str(pod, "metadata.namespace"), *name = sw_json_str(pod, "metadata.name");
		if (pod_is_live(pod) && !pod_is_daemon(pod))
			err = sw_err(SW_E_CONFLICT, "cluster %s: pod %s/%s runs on node %s", a->w->cfg->name,
				     ns ? ns : "", name ? name : "", a->name);
	}
	act_end(a, err);
}

struct sw_err sw_worker_node_empty(struct sw_worker *w, const char *node, sw_worker_fn *done, void *owner)
{
	struct sw_buf path, field;

	if (!w->kube)
		return sw_err(SW_E_NET, "cluster %s was never reached", w->cfg->name);
	sw_buf_init(&path, 1024);
	sw_buf_init(&field, 512);
	sw_buf_printf(&field, "spec.nodeName=%s", node);
	sw_buf_puts(&path, "/api/v1/pods");
	sw_kube_query(&path, "fieldSelector", field.at); /* no limit: the kubelet's own is 110 or so */
	struct act *a = node_act(w, node, done, owner);
	a->on_reply = on_pods;
	struct sw_err e = act_begun(a, act_send(a, SW_KUBE_FENCE, "GET", &path, NULL, NULL));
	sw_buf_fini(&path);
	sw_buf_fini(&field);
	return e;
}
