/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - what the simulated controllers share: plans, and questions about pods
 */
#include "plan.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

int64_t sim_clock_real(const struct sim_clock *c, int64_t ms)
{
	double real = (double)ms / (c->scale > 0 ? c->scale : 1);

	if (ms <= 0)
		return 0;
	return real < 1 ? 1 : (int64_t)real;
}

int64_t sim_number(const char *text, int64_t otherwise)
{
	char *end;
	long long value;

	if (!text || (*text != '-' && (*text < '0' || *text > '9')))
		return otherwise;
	value = strtoll(text, &end, 10);
	return *end == '\0' && value >= INT32_MIN && value <= INT32_MAX ? value : otherwise;
}

void sim_plan_init(struct sim_plan *p)
{
	*p = (struct sim_plan){
		.create = json_object_new_array(),
		.drop = json_object_new_array(),
		.unpin = json_object_new_array(),
		.events = json_object_new_array(),
	};
}

void sim_plan_fini(struct sim_plan *p)
{
	json_object_put(p->status);
	json_object_put(p->create);
	json_object_put(p->drop);
	json_object_put(p->unpin);
	json_object_put(p->events);
	*p = (struct sim_plan){0};
}

bool sim_plan_empty(const struct sim_plan *p)
{
	return !p->status && !p->expire && sw_json_len(p->create) + sw_json_len(p->drop) + sw_json_len(p->unpin) == 0;
}

void sim_plan_again(struct sim_plan *p, int64_t ms)
{
	if (ms < 1)
		ms = 1;
	if (p->again_ms == 0 || ms < p->again_ms)
		p->again_ms = ms;
}

void sim_plan_event(struct sim_plan *p, bool warning, const char *reason, const char *fmt, ...)
{
	char message[512];
	json_t *event = json_object_new_object();
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	sw_json_set_bool(event, "warning", warning);
	sw_json_set_str(event, "reason", reason);
	sw_json_set_str(event, "message", message);
	json_object_array_add(p->events, event);
}

/* ---- pods ---------------------------------------------------------------------- */

enum sim_phase sim_pod_phase(json_t *pod)
{
	const char *phase = sw_json_str(pod, "status.phase");

	if (!phase || strcmp(phase, "Pending") == 0)
		return SIM_PENDING;
	if (strcmp(phase, "Succeeded") == 0)
		return SIM_SUCCEEDED;
	return strcmp(phase, "Failed") == 0 ? SIM_FAILED : SIM_RUNNING;
}

bool sim_pod_deleting(json_t *o)
{
	return sw_json_str(o, "metadata.deletionTimestamp") != NULL;
}

bool sim_has_finalizer(json_t *o, const char *name)
{
	json_t *all = sw_json_at(o, "metadata.finalizers");

	for (size_t i = 0; i < sw_json_len(all); i++) {
		const char *one = json_object_get_string(sw_json_idx(all, i));

		if (one && strcmp(one, name) == 0)
			return true;
	}
	return false;
}

/* k8s.io/kubernetes v1.36.1 pkg/controller/controller_utils.go, IsPodActive, IsPodTerminating */
bool sim_pod_active(json_t *pod)
{
	return sim_pod_phase(pod) < SIM_SUCCEEDED && !sim_pod_deleting(pod);
}

bool sim_pod_terminating(json_t *pod)
{
	return sim_pod_phase(pod) < SIM_SUCCEEDED && sim_pod_deleting(pod);
}

int32_t sim_pod_restarts(json_t *pod)
{
	json_t *all = sw_json_at(pod, "status.containerStatuses");
	int64_t sum = 0;

	for (size_t i = 0; i < sw_json_len(all); i++)
		sum += sw_json_int(sw_json_idx(all, i), "restartCount", 0);
	return sum > INT32_MAX ? INT32_MAX : (int32_t)sum;
}

static json_t *owner_reference(json_t *owner)
{
	json_t *ref = json_object_new_object();

	sw_json_set_str(ref, "apiVersion", sw_json_str(owner, "apiVersion"));
	sw_json_set_str(ref, "kind", sw_json_str(owner, "kind"));
	sw_json_set_str(ref, "name", sw_json_str(owner, "metadata.name"));
	sw_json_set_str(ref, "uid", sw_json_str(owner, "metadata.uid"));
	sw_json_set_bool(ref, "controller", true);
	sw_json_set_bool(ref, "blockOwnerDeletion", true);
	return ref;
}

/* Names made of a prefix and five letters are cut so that the whole stays within 63 bytes, as
 * k8s.io/apiserver pkg/storage/names does. */
static void pod_name(json_t *pod, const char *prefix)
{
	char suffix[6], name[64];
	int room = (int)sizeof(name) - 1 - 5;

	snprintf(name, sizeof(name), "%.*s%s", room, prefix, sw_random_suffix(suffix));
	sw_json_set_str(pod, "metadata.generateName", prefix);
	sw_json_set_str(pod, "metadata.name", name);
}

json_t *sim_pod_from_template(json_t *owner, json_t *template, const char *prefix, const char *name)
{
	static const char *const kept[] = {"labels", "annotations", "finalizers"};
	json_t *pod = sw_json_fmt("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{}}");
	json_t *meta = sw_json_at(template, "metadata"), *refs = json_object_new_array();

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		json_t *value = sw_json_key(meta, kept[i]);

		if (value)
			json_object_object_add(sw_json_at(pod, "metadata"), kept[i], sw_json_copy(value));
	}
	if (name)
		sw_json_set_str(pod, "metadata.name", name);
	else
		pod_name(pod, prefix);
	sw_json_set_str(pod, "metadata.namespace", sw_json_str(owner, "metadata.namespace"));
	json_object_array_add(refs, owner_reference(owner));
	sw_json_set(pod, "metadata.ownerReferences", refs);
	if (sw_json_at(template, "spec"))
		sw_json_set(pod, "spec", sw_json_copy(sw_json_at(template, "spec")));
	return pod;
}
