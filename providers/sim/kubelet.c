/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubelet.c - what a node does with a pod bound to it, as a pure function of the pod and the time
 *
 * Pending (image pulled, containers created) -> Running -> Succeeded or Failed; restarts in place as restartPolicy
 * says; a deleted pod is killed after a short grace; a pod whose node is gone fails. Containers of one pod start and
 * end together.
 *
 *      bound -> [ContainerCreating] --PULL--> [Running] --run--> [Succeeded | Failed]
 *                                                ^------ back-off (restartPolicy) ------'
 *
 * Statuses carry every field that the typed clients require (k8s.io/api core/v1 types; the Python client
 * raises an error for a containerStatus without image, imageID, name, ready or restartCount).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "objects.h"
#include "spillway/text.h"

enum {
	PULL_MS = 2000,
	RUN_MS = 10000,
	GRACE_MS = 2000, /* simulated */
	BACKOFF_MS = 10000,
	BACKOFF_MAX_MS = 300000, /* of restarts: pkg/kubelet/kubelet.go, containerBackOff */
};

struct kubelet_ctx {
	json_t *pod, *node, *status;
	const struct sim_clock *clock;
	struct sim_kubelet_memory *mem;
	struct sim_kubelet_plan *plan;
	char now[32];
};

/* ---- what the pod says it will do ---------------------------------------------------------- */

int64_t sim_pod_run_ms(json_t *pod)
{
	const char *text = sw_json_annotation(pod, SIM_RUN);
	int64_t ms;

	return text && !sw_failed(sw_duration_parse(text, &ms)) && ms >= 0 ? ms : RUN_MS;
}

static int32_t pod_index(json_t *pod)
{
	const char *text = sw_json_annotation(pod, SIM_INDEX);

	if (!text)
		text = sw_json_label(pod, "training.kubeflow.org/replica-index");
	return (int32_t)sim_number(text, -1);
}

int sim_pod_exit_code(json_t *pod)
{
	const char *code = sw_json_annotation(pod, SIM_EXIT_CODE), *fail = sw_json_annotation(pod, SIM_FAIL);
	int32_t index = pod_index(pod);
	int value = (int)sim_number(code, fail ? 1 : 0) & 255;
	unsigned char *set;
	bool fails;

	if (!fail)
		return value;
	if (index < 0 || index >= SIM_COMPLETIONS_MAX)
		return 0;
	set = sw_calloc((size_t)index + 1, 1);
	sim_indexes_read(fail, set, index + 1);
	fails = set[index];
	free(set);
	return fails ? value : 0;
}

/* ---- pieces of status ------------------------------------------------------------------------ */

__attribute__((format(printf, 4, 5))) static void event(struct kubelet_ctx *c, bool warning, const char *reason,
							const char *fmt, ...)
{
	json_t *e = json_object_new_object();
	char message[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	sw_json_set_bool(e, "warning", warning);
	sw_json_set_str(e, "reason", reason);
	sw_json_set_str(e, "message", message);
	json_object_array_add(c->plan->events, e);
}

static void again_at(struct kubelet_ctx *c, int64_t due_ms)
{
	int64_t in = due_ms - c->clock->wall_ms;

	if (in < 1)
		in = 1;
	if (c->plan->again_ms == 0 || in < c->plan->again_ms)
		c->plan->again_ms = in;
}

static int64_t after(const struct kubelet_ctx *c, int64_t simulated_ms)
{
	return c->clock->wall_ms + sim_clock_real(c->clock, simulated_ms);
}

static void set_conditions(struct kubelet_ctx *c, bool ready, const char *reason)
{
	static const struct {
		const char *type;
		bool ready;
	} rows[] = {
		{"PodReadyToStartContainers", false},
		{"Initialized", false},
		{"Ready", true},
		{"ContainersReady", true},
		{"PodScheduled", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *holder = sw_json_fmt("{\"status\":{}}");
		bool on = !rows[i].ready || ready;

		if (sw_json_at(c->status, "conditions"))
			sw_json_set(holder, "status.conditions", json_object_get(sw_json_at(c->status, "conditions")));
		sw_json_set_condition(holder, rows[i].type, on, on ? "" : reason, "", c->now);
		sw_json_set(c->status, "conditions", json_object_get(sw_json_at(holder, "status.conditions")));
		json_object_put(holder);
	}
}

/* Empty reasons and messages are left out, as omitempty does. */
static void trim_conditions(struct kubelet_ctx *c)
{
	json_t *list = sw_json_at(c->status, "conditions");

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *one = sw_json_idx(list, i);
		const char *reason = sw_json_str(one, "reason"), *message = sw_json_str(one, "message");

		if (reason && !*reason)
			sw_json_del(one, "reason");
		if (message && !*message)
			sw_json_del(one, "message");
	}
}

static void set_ids(json_t *s, json_t *pod, const char *name, const char *image, int64_t restarts)
{
	char hex[65], *text = sw_asprintf("%s/%s/%lld", sw_json_str(pod, "metadata.uid"), name, (long long)restarts);

	sw_sha256_hex(image, strlen(image), hex);
	char *id = sw_asprintf("%s@sha256:%s", image, hex);

	sw_json_set_str(s, "imageID", id);
	free(id);
	sw_sha256_hex(text, strlen(text), hex);
	id = sw_asprintf("sim://%s", hex);
	sw_json_set_str(s, "containerID", id);
	free(id);
	free(text);
}

static int64_t restarts_of(json_t *pod)
{
	return sw_json_int(sw_json_idx(sw_json_at(pod, "status.containerStatuses"), 0), "restartCount", 0);
}

/* state: a value for each container, lent; last: of the run before, or NULL */
static void set_containers(struct kubelet_ctx *c, json_t *state, json_t *last, bool running, int64_t restarts)
{
	json_t *containers = sw_json_at(c->pod, "spec.containers"), *list = json_object_new_array();

	for (size_t i = 0; i < sw_json_len(containers); i++) {
		const char *name = sw_json_str(sw_json_idx(containers, i), "name"),
			   *image = sw_json_str(sw_json_idx(containers, i), "image");
		bool waits = sw_json_at(state, "waiting") != NULL;
		json_t *s = json_object_new_object();

		name = name ? name : "";
		image = image ? image : "";
		sw_json_set_str(s, "name", name);
		sw_json_set(s, "state", sw_json_copy(state));
		sw_json_set(s, "lastState", last ? sw_json_copy(last) : json_object_new_object());
		sw_json_set_bool(s, "ready", running);
		sw_json_set_bool(s, "started", running);
		sw_json_set_int(s, "restartCount", restarts);
		sw_json_set_str(s, "image", image);
		if (waits && restarts == 0)
			sw_json_set_str(s, "imageID", "");
		else
			set_ids(s, c->pod, name, image, restarts);
		if (sw_json_at(state, "terminated"))
			sw_json_set_str(s, "state.terminated.containerID", sw_json_str(s, "containerID"));
		json_object_array_add(list, s);
	}
	sw_json_set(c->status, "containerStatuses", list);
}

/* ---- steps --------------------------------------------------------------------------------------- */

static void set_addresses(struct kubelet_ctx *c)
{
	const char *uid = sw_json_str(c->pod, "metadata.uid");
	json_t *address = sw_json_idx(sw_json_at(c->node, "status.addresses"), 0), *list = json_object_new_array();
	uint64_t h = sw_hash(uid ? uid : "", uid ? strlen(uid) : 0);
	const char *host = sw_json_str(address, "address");
	char ip[24];

	snprintf(ip, sizeof(ip), "10.%u.%u.%u", 64 + (unsigned)(h & 63), (unsigned)(h >> 8 & 255),
		 (unsigned)(h >> 16 & 255));
	sw_json_set_str(c->status, "podIP", ip);
	json_object_array_add(list, sw_json_fmt("{\"ip\":\"%s\"}", ip));
	sw_json_set(c->status, "podIPs", list);
	if (!host)
		return;
	sw_json_set_str(c->status, "hostIP", host);
	list = json_object_new_array();
	json_object_array_add(list, sw_json_fmt("{\"ip\":\"%s\"}", host));
	sw_json_set(c->status, "hostIPs", list);
}

static const char *first_image(json_t *pod)
{
	const char *image = sw_json_str(sw_json_idx(sw_json_at(pod, "spec.containers"), 0), "image");

	return image ? image : "";
}

static const char *first_name(json_t *pod)
{
	const char *name = sw_json_str(sw_json_idx(sw_json_at(pod, "spec.containers"), 0), "name");

	return name ? name : "";
}

static void admit(struct kubelet_ctx *c)
{
	json_t *state = sw_json_fmt("{\"waiting\":{\"reason\":\"ContainerCreating\"}}");

	sw_json_set_str(c->status, "phase", "Pending");
	sw_json_set_str(c->status, "startTime", c->now);
	set_conditions(c, false, "ContainersNotReady");
	set_containers(c, state, NULL, false, 0);
	json_object_put(state);
	c->mem->start_ms = after(c, PULL_MS);
	again_at(c, c->mem->start_ms);
}

static void run(struct kubelet_ctx *c, int64_t restarts)
{
	json_t *state = sw_json_fmt("{\"running\":{\"startedAt\":\"%s\"}}", c->now);
	json_t *before = sw_json_at(sw_json_idx(sw_json_at(c->pod, "status.containerStatuses"), 0), "lastState");

	sw_json_set_str(c->status, "phase", "Running");
	set_addresses(c);
	set_conditions(c, true, "");
	set_containers(c, state, before, true, restarts);
	json_object_put(state);
	event(c, false, "Pulled", "Container image \"%s\" already present on machine", first_image(c->pod));
	event(c, false, "Created", "Container created");
	event(c, false, "Started", "Container started");
	c->mem->began_ms = c->clock->wall_ms;
	c->mem->run_ms = sim_clock_real(c->clock, sim_pod_run_ms(c->pod));
	c->mem->end_ms = c->clock->wall_ms + c->mem->run_ms;
	again_at(c, c->mem->end_ms);
}

/* gives {terminated: ...} */
static json_t *ended_state(struct kubelet_ctx *c, int code, const char *reason)
{
	const char *began =
		sw_json_str(sw_json_idx(sw_json_at(c->pod, "status.containerStatuses"), 0), "state.running.startedAt");

	return sw_json_fmt(
		"{\"terminated\":{\"exitCode\":%d,\"reason\":\"%s\",\"startedAt\":\"%s\",\"finishedAt\":\"%s\"}}", code,
		reason, began ? began : c->now, c->now);
}

static void end(struct kubelet_ctx *c, int code, const char *reason)
{
	json_t *state = ended_state(c, code, reason);

	sw_json_set_str(c->status, "phase", code == 0 ? "Succeeded" : "Failed");
	set_conditions(c, false, code == 0 ? "PodCompleted" : "PodFailed");
	set_containers(c, state, NULL, false, restarts_of(c->pod));
	json_object_put(state);
	c->plan->unpin = true;
}

static void restart_later(struct kubelet_ctx *c, int code)
{
	int64_t n = restarts_of(c->pod), wait = BACKOFF_MS;
	json_t *last = ended_state(c, code, code == 0 ? "Completed" : "Error");
	json_t *state = sw_json_fmt("{\"waiting\":{\"reason\":\"CrashLoopBackOff\",\"message\":\"back-off restarting "
				    "failed container %s\"}}",
				    first_name(c->pod));

	for (int64_t i = 0; i < n && wait < BACKOFF_MAX_MS; i++)
		wait *= 2;
	set_conditions(c, false, "ContainersNotReady");
	set_containers(c, state, last, false, n);
	json_object_put(state);
	json_object_put(last);
	event(c, true, "BackOff", "Back-off restarting failed container %s in pod %s", first_name(c->pod),
	      sw_json_str(c->pod, "metadata.name"));
	c->mem->start_ms = after(c, wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS);
	again_at(c, c->mem->start_ms);
}

static void exit_containers(struct kubelet_ctx *c)
{
	const char *policy = sw_json_str(c->pod, "spec.restartPolicy");
	int code = sim_pod_exit_code(c->pod);

	if (!policy || strcmp(policy, "Always") == 0 || (strcmp(policy, "OnFailure") == 0 && code != 0))
		restart_later(c, code);
	else
		end(c, code, code == 0 ? "Completed" : "Error");
}

static void kill_pod(struct kubelet_ctx *c)
{
	if (c->mem->stop_ms == 0) {
		event(c, false, "Killing", "Stopping container %s", first_name(c->pod));
		c->mem->stop_ms = after(c, GRACE_MS);
	}
	if (c->clock->wall_ms < c->mem->stop_ms)
		again_at(c, c->mem->stop_ms);
	else
		end(c, 143, "Error");
}

static void lose_pod(struct kubelet_ctx *c)
{
	end(c, 137, "ContainerStatusUnknown");
	sw_json_set_str(c->status, "reason", "NodeLost");
	sw_json_set_str(c->status, "message", "Pod was terminated: its node does not exist any more");
}

static bool is_running(json_t *pod)
{
	return sw_json_at(sw_json_idx(sw_json_at(pod, "status.containerStatuses"), 0), "state.running") != NULL;
}

static void step(struct kubelet_ctx *c)
{
	bool restarted = sw_json_at(sw_json_idx(sw_json_at(c->pod, "status.containerStatuses"), 0),
				    "lastState.terminated") != NULL;

	if (!c->node)
		lose_pod(c);
	else if (sim_pod_deleting(c->pod))
		kill_pod(c);
	else if (!sw_json_str(c->pod, "status.startTime"))
		admit(c);
	else if (is_running(c->pod) && c->clock->wall_ms >= c->mem->end_ms)
		exit_containers(c);
	else if (is_running(c->pod))
		again_at(c, c->mem->end_ms);
	else if (c->clock->wall_ms >= c->mem->start_ms)
		run(c, restarts_of(c->pod) + (restarted ? 1 : 0));
	else
		again_at(c, c->mem->start_ms);
}

void sim_kubelet_plan(json_t *pod, json_t *node, const struct sim_clock *clock, struct sim_kubelet_memory *mem,
		      struct sim_kubelet_plan *out)
{
	struct kubelet_ctx c = {.pod = pod, .node = node, .clock = clock, .mem = mem, .plan = out};
	json_t *old = sw_json_at(pod, "status");

	*out = (struct sim_kubelet_plan){.events = json_object_new_array()};
	if (sim_pod_phase(pod) >= SIM_SUCCEEDED) {
		out->unpin = sim_has_finalizer(pod, SIM_KUBELET);
		return;
	}
	c.status = old ? sw_json_copy(old) : json_object_new_object();
	sw_time_text(clock->wall_ms, c.now);
	step(&c);
	trim_conditions(&c);
	out->unpin = out->unpin && sim_has_finalizer(pod, SIM_KUBELET);
	if (json_object_equal(c.status, old))
		json_object_put(c.status);
	else
		out->status = c.status;
}

void sim_kubelet_plan_fini(struct sim_kubelet_plan *p)
{
	json_object_put(p->status);
	json_object_put(p->events);
	*p = (struct sim_kubelet_plan){0};
}

/* ---- what it prints ------------------------------------------------------------------------------------ */

static void add_line(json_t *lines, const char *text, size_t n)
{
	json_object_array_add(lines, json_object_new_string_len(text, (int)n));
}

json_t *sim_pod_lines(json_t *pod, json_t *node)
{
	const char *text = sw_json_annotation(pod, SIM_LOG), *where = sw_json_str(pod, "spec.nodeName");
	const char *machine = node ? sw_json_label(node, "node.kubernetes.io/instance-type") : NULL;
	json_t *lines = json_object_new_array();
	struct sim_load asks;
	char *line;

	for (const char *p = text; p && *p;) {
		size_t n = strcspn(p, "\n");

		add_line(lines, p, n);
		p += n + (p[n] == '\n');
	}
	if (text)
		return lines;
	sim_load_of_pod(pod, &asks);
	line = sw_asprintf(
		"%s: on node %s (%s), GPUs: %lld, index: %d", sw_json_str(pod, "metadata.name"), where ? where : "-",
		machine ? machine : "-",
		(long long)((sim_load_get(&asks, "nvidia.com/gpu") + sim_load_get(&asks, "amd.com/gpu")) / 1000),
		(int)pod_index(pod));
	add_line(lines, line, strlen(line));
	free(line);
	for (int i = 1; i <= 10; i++) {
		char step_line[48];
		int n = snprintf(step_line, sizeof(step_line), "step %d of 10", i);

		add_line(lines, step_line, (size_t)n);
	}
	line = sw_asprintf("%s: done, exit code %d", sw_json_str(pod, "metadata.name"), sim_pod_exit_code(pod));
	add_line(lines, line, strlen(line));
	free(line);
	return lines;
}
