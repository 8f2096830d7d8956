/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs.c - pods/log: the lines a pod has printed so far, and with follow the next ones as their time comes
 *
 * A pod's lines are a function of its annotations; line i of n is printed at (i + 1) / (n + 1) of its run. Nothing is
 * stored.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "sim_priv.h"
#include "spillway/text.h"

struct sim_log {
	struct sim_log *next, *prev;
	struct sw_sim *s;
	struct sw_log_reply *reply;
	struct sw_timer *timer;
	char *pod_key;
	char uid[64];
	struct sw_log_request req; /* numbers only; its strings are gone */
	json_t *lines;
	size_t at; /* the next line */
	int64_t sent;
	bool begun;
};

static void log_free(struct sim_log *l)
{
	DL_DELETE(l->s->logs, l);
	sw_timer_free(l->timer);
	json_object_put(l->lines);
	free(l->pod_key);
	free(l);
}

static void log_end(struct sim_log *l, struct sw_err e)
{
	struct sw_log_reply *reply = l->reply;

	log_free(l);
	sw_log_reply_end(reply, e);
}

/* Wall time of line i. */
static int64_t line_ms(const struct sim_log *l, const struct sim_object *pod, size_t i)
{
	return pod->kubelet.began_ms + pod->kubelet.run_ms * (int64_t)(i + 1) / (int64_t)(sw_json_len(l->lines) + 1);
}

static size_t lines_due(const struct sim_log *l, const struct sim_object *pod)
{
	int64_t now = sw_loop_wall(l->s->loop);
	size_t n = 0;

	if (pod->kubelet.began_ms == 0)
		return 0;
	while (n < sw_json_len(l->lines) && line_ms(l, pod, n) <= now)
		n++;
	return n;
}

static void send_line(struct sim_log *l, const struct sim_object *pod, size_t i)
{
	const char *text = json_object_get_string(sw_json_idx(l->lines, i));
	char time[32], *line;
	size_t n;

	if (l->req.timestamps)
		line = sw_asprintf("%s %s\n", sw_time_micro_text(line_ms(l, pod, i), time), text);
	else
		line = sw_asprintf("%s\n", text);
	n = strlen(line);
	if (l->req.limit_bytes > 0 && l->sent + (int64_t)n > l->req.limit_bytes)
		n = (size_t)(l->req.limit_bytes - l->sent);
	if (n > 0)
		sw_log_reply_bytes(l->reply, line, n);
	l->sent += (int64_t)n;
	free(line);
}

/* Where the answer begins: tailLines and sinceSeconds. */
static size_t first_line(const struct sim_log *l, const struct sim_object *pod, size_t due)
{
	int64_t since = l->req.since_s >= 0 ? sw_loop_wall(l->s->loop) - l->req.since_s * 1000 : INT64_MIN;
	size_t i = 0;

	while (i < due && line_ms(l, pod, i) < since)
		i++;
	if (l->req.tail_lines >= 0 && due - i > (size_t)l->req.tail_lines)
		i = due - (size_t)l->req.tail_lines;
	return i;
}

static void log_step(void *owner)
{
	struct sim_log *l = owner;
	struct sim_object *pod = sim_find_key(l->s, l->pod_key);
	bool ended = !pod || strcmp(pod->uid, l->uid) != 0 || sim_pod_phase(pod->o) >= SIM_SUCCEEDED;
	size_t due;

	if (!pod || strcmp(pod->uid, l->uid) != 0) {
		log_end(l, SW_OK);
		return;
	}
	due = lines_due(l, pod);
	if (!l->begun) {
		l->begun = true;
		l->at = first_line(l, pod, due);
	}
	for (; l->at < due; l->at++)
		send_line(l, pod, l->at);
	if (ended || !l->req.follow || (l->req.limit_bytes > 0 && l->sent >= l->req.limit_bytes))
		log_end(l, SW_OK);
	else
		sw_timer_in(l->timer, l->at < sw_json_len(l->lines) && pod->kubelet.began_ms > 0
					      ? (uint64_t)(line_ms(l, pod, l->at) - sw_loop_wall(l->s->loop))
					      : 50);
}

static struct sw_err check(struct sim_object *pod, const struct sw_log_request *req)
{
	json_t *containers = sw_json_at(pod->o, "spec.containers"),
	       *state = sw_json_at(pod->o, "status.containerStatuses");
	const char *name = sw_json_str(sw_json_idx(containers, 0), "name"), *waiting;
	bool known = !req->container || !*req->container;

	for (size_t i = 0; i < sw_json_len(containers) && !known; i++) {
		name = sw_json_str(sw_json_idx(containers, i), "name");
		known = name && strcmp(name, req->container) == 0;
	}
	if (!known)
		return sw_err(SW_E_INVALID, "container %s is not valid for pod %s", req->container, req->pod);
	if (req->previous)
		return sw_err(SW_E_INVALID, "previous terminated container \"%s\" in pod \"%s\" not found", name,
			      req->pod);
	waiting = sw_json_str(sw_json_idx(state, 0), "state.waiting.reason");
	if ((!sw_json_len(state) || waiting) && pod->kubelet.began_ms == 0 && !req->follow)
		return sw_err(SW_E_INVALID, "container \"%s\" in pod \"%s\" is waiting to start: %s", name, req->pod,
			      waiting ? waiting : "PodScheduled");
	return SW_OK;
}

static void log_start(void *owner, const struct sw_log_request *req, struct sw_log_reply *reply)
{
	struct sw_sim *s = owner;
	struct sim_object *pod = sim_find(s, "pods", req->ns, req->pod);
	struct sim_object *node;
	struct sw_err e;
	struct sim_log *l;

	if (!pod) {
		sw_log_reply_end(reply, sw_err(SW_E_MISSING, "pods \"%s\" not found", req->pod));
		return;
	}
	e = check(pod, req);
	if (sw_failed(e)) {
		sw_log_reply_end(reply, e);
		return;
	}
	node = sim_find(s, "nodes", "", sw_json_str(pod->o, "spec.nodeName"));
	l = sw_calloc(1, sizeof(*l));
	*l = (struct sim_log){.s = s,
			      .reply = reply,
			      .req = *req,
			      .pod_key = sw_strdup(pod->key),
			      .lines = sim_pod_lines(pod->o, node ? node->o : NULL)};
	memcpy(l->uid, pod->uid, sizeof(l->uid));
	DL_APPEND(s->logs, l);
	e = sw_timer_new(s->loop, log_step, l, &l->timer);
	if (sw_failed(e))
		log_end(l, e);
	else
		sw_timer_in(l->timer, 0);
}

static void log_stop(void *owner, struct sw_log_reply *reply)
{
	struct sw_sim *s = owner;
	struct sim_log *l, *tmp;

	DL_FOREACH_SAFE(s->logs, l, tmp)
	if (l->reply == reply) {
		log_free(l);
		return;
	}
}

void sim_logs_stop(struct sw_sim *s)
{
	struct sim_log *l, *tmp;

	DL_FOREACH_SAFE(s->logs, l, tmp)
	log_end(l, SW_OK);
}

const struct sw_log_source sim_log_source = {.start = log_start, .stop = log_stop};
