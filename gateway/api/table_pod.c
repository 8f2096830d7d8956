/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_pod.c - the columns of pods, whose Status is worked out from the states of all containers
 *
 * Source of the rules: k8s.io/kubernetes v1.36.1 pkg/printers/internalversion/printers.go, printPod.
 */
#include <stdio.h>
#include <string.h>
#include "spillway/text.h"
#include "table_priv.h"

struct pod_summary {
	json_t *pod;
	char status[64];
	long long restarts, sidecar_restarts, ready, total;
	const char *last_restart, *last_sidecar_restart; /* RFC 3339, lent */
	bool initializing;
};

static bool is(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

static void set_status(struct pod_summary *p, const char *prefix, const char *reason)
{
	snprintf(p->status, sizeof(p->status), "%s%.50s", prefix, reason);
}

static void later(const char **kept, const char *when)
{
	int64_t a, b;

	if (!when || sw_failed(sw_time_parse(when, &a)))
		return;
	if (!*kept || sw_failed(sw_time_parse(*kept, &b)) || a > b)
		*kept = when;
}

/* An init container that goes on running: restartPolicy Always */
static bool is_sidecar(json_t *pod, const char *name)
{
	json_t *init = sw_json_at(pod, "spec.initContainers");

	for (size_t i = 0; name && i < sw_json_len(init); i++)
		if (is(sw_json_str(sw_json_idx(init, i), "name"), name))
			return is(sw_json_str(sw_json_idx(init, i), "restartPolicy"), "Always");
	return false;
}

static void terminated_reason(struct pod_summary *p, const char *prefix, json_t *terminated)
{
	const char *reason = sw_json_str(terminated, "reason");
	long long signal = sw_json_int(terminated, "signal", 0);
	char text[48];

	if (reason && *reason) {
		set_status(p, prefix, reason);
		return;
	}
	if (signal)
		snprintf(text, sizeof(text), "Signal:%lld", signal);
	else
		snprintf(text, sizeof(text), "ExitCode:%lld", (long long)sw_json_int(terminated, "exitCode", 0));
	set_status(p, prefix, text);
}

/* Returns true when this container explains why the pod is still initializing. */
static bool init_container(struct pod_summary *p, json_t *c, size_t index)
{
	json_t *terminated = sw_json_at(c, "state.terminated");
	const char *waiting = sw_json_str(c, "state.waiting.reason");
	bool sidecar = is_sidecar(p->pod, sw_json_str(c, "name"));
	long long restarts = sw_json_int(c, "restartCount", 0);
	char text[48];

	p->restarts += restarts;
	later(&p->last_restart, sw_json_str(c, "lastState.terminated.finishedAt"));
	if (sidecar) {
		p->sidecar_restarts += restarts;
		later(&p->last_sidecar_restart, sw_json_str(c, "lastState.terminated.finishedAt"));
	}
	if (terminated && sw_json_int(terminated, "exitCode", 0) == 0)
		return false;
	if (sidecar && sw_json_bool(c, "started")) {
		p->ready += sw_json_bool(c, "ready");
		return false;
	}
	if (terminated) {
		terminated_reason(p, "Init:", terminated);
	} else if (waiting && *waiting && !is(waiting, "PodInitializing")) {
		set_status(p, "Init:", waiting);
	} else {
		snprintf(text, sizeof(text), "%zu/%zu", index, sw_json_len(sw_json_at(p->pod, "spec.initContainers")));
		set_status(p, "Init:", text);
	}
	return true;
}

static void main_containers(struct pod_summary *p, json_t *statuses)
{
	bool running = false;
	char error[64] = "";

	p->restarts = p->sidecar_restarts;
	p->last_restart = p->last_sidecar_restart;
	for (size_t i = sw_json_len(statuses); i-- > 0;) {
		json_t *c = sw_json_idx(statuses, i), *terminated = sw_json_at(c, "state.terminated");
		const char *waiting = sw_json_str(c, "state.waiting.reason");

		p->restarts += sw_json_int(c, "restartCount", 0);
		later(&p->last_restart, sw_json_str(c, "lastState.terminated.finishedAt"));
		if (waiting && *waiting) {
			set_status(p, "", waiting);
		} else if (terminated) {
			terminated_reason(p, "", terminated);
			if (sw_json_int(terminated, "exitCode", 0))
				snprintf(error, sizeof(error), "%s", p->status);
		} else if (sw_json_bool(c, "ready") && sw_json_at(c, "state.running")) {
			running = true;
			p->ready++;
		}
	}
	if (!is(p->status, "Completed"))
		return;
	if (running && sw_json_condition_true(p->pod, "Ready"))
		set_status(p, "", "Running");
	else if (*error)
		set_status(p, "", error);
	else if (running)
		set_status(p, "", "NotReady");
}

static void deleted(struct pod_summary *p)
{
	const char *phase = sw_json_str(p->pod, "status.phase");

	if (!sw_json_str(p->pod, "metadata.deletionTimestamp"))
		return;
	if (is(sw_json_str(p->pod, "status.reason"), "NodeLost"))
		set_status(p, "", "Unknown");
	else if (!is(phase, "Succeeded") && !is(phase, "Failed"))
		set_status(p, "", "Terminating");
}

static void pod_summarize(struct pod_summary *p, json_t *pod)
{
	const char *phase = sw_json_str(pod, "status.phase"), *reason = sw_json_str(pod, "status.reason");
	json_t *init = sw_json_at(pod, "status.initContainerStatuses"),
	       *init_spec = sw_json_at(pod, "spec.initContainers");

	*p = (struct pod_summary){.pod = pod};
	set_status(p, "", reason && *reason ? reason : phase ? phase : "");
	if (is(sw_json_str(sw_json_condition(pod, "PodScheduled"), "reason"), "SchedulingGated"))
		set_status(p, "", "SchedulingGated");
	p->total = (long long)sw_json_len(sw_json_at(pod, "spec.containers"));
	for (size_t i = 0; i < sw_json_len(init_spec); i++)
		p->total += is(sw_json_str(sw_json_idx(init_spec, i), "restartPolicy"), "Always");
	for (size_t i = 0; i < sw_json_len(init) && !p->initializing; i++)
		p->initializing = init_container(p, sw_json_idx(init, i), i);
	if (!p->initializing || sw_json_condition_true(pod, "Initialized"))
		main_containers(p, sw_json_at(pod, "status.containerStatuses"));
	deleted(p);
}

const char *sw_pod_status_word(json_t *pod, char buf[64])
{
	struct pod_summary p;

	pod_summarize(&p, pod);
	snprintf(buf, 64, "%s", p.status);
	return buf;
}

static void put(struct sw_buf *b, const char *s, const char *otherwise)
{
	sw_buf_putc(b, ',');
	sw_buf_json_str(b, s && *s ? s : otherwise);
}

static void put_restarts(struct sw_buf *b, const struct pod_summary *p, int64_t now_ms)
{
	char text[96], age[32];
	int64_t ms;

	snprintf(text, sizeof(text), "%lld", p->restarts);
	if (p->restarts && p->last_restart && !sw_failed(sw_time_parse(p->last_restart, &ms)))
		snprintf(text, sizeof(text), "%lld (%s ago)", p->restarts, sw_age_text(now_ms - ms, age));
	put(b, text, "0");
}

static void put_gates(struct sw_buf *b, json_t *pod)
{
	json_t *gates = sw_json_at(pod, "spec.readinessGates");
	size_t n = sw_json_len(gates), passed = 0;
	char text[48];

	for (size_t i = 0; i < n; i++) {
		const char *type = sw_json_str(sw_json_idx(gates, i), "conditionType");

		passed += type && sw_json_condition_true(pod, type);
	}
	snprintf(text, sizeof(text), "%zu/%zu", passed, n);
	put(b, n ? text : NULL, "<none>");
}

static void pod_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	json_t *ips = sw_json_at(o, "status.podIPs");
	const char *name = sw_json_str(o, "metadata.name"), *made = sw_json_str(o, "metadata.creationTimestamp");
	struct pod_summary p;
	char text[64];
	int64_t ms;

	pod_summarize(&p, o);
	sw_buf_json_str(b, name ? name : "");
	snprintf(text, sizeof(text), "%lld/%lld", p.ready, p.total);
	put(b, text, "");
	put(b, p.status, "");
	put_restarts(b, &p, now_ms);
	put(b, made && !sw_failed(sw_time_parse(made, &ms)) ? sw_age_text(now_ms - ms, text) : NULL, "<unknown>");
	put(b, sw_json_len(ips) ? sw_json_str(sw_json_idx(ips, 0), "ip") : NULL, "<none>");
	put(b, sw_json_str(o, "spec.nodeName"), "<none>");
	put(b, sw_json_str(o, "status.nominatedNodeName"), "<none>");
	put_gates(b, o);
}

static const struct sw_column columns[] = {
	{"Name", "string", "name", 0},
	{"Ready", "string", "", 0},
	{"Status", "string", "", 0},
	{"Restarts", "string", "", 0},
	{"Age", "string", "", 0},
	{"IP", "string", "", 1},
	{"Node", "string", "", 1},
	{"Nominated Node", "string", "", 1},
	{"Readiness Gates", "string", "", 1},
};
const struct sw_columns sw_columns_pod = {columns, sizeof(columns) / sizeof(columns[0]), pod_cells};
