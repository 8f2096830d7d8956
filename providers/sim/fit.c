/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fit.c - may this pod run on this node? The scheduler's filters, as far as they are imitated
 *
 * NodeUnschedulable, NodeName, TaintToleration, NodeAffinity (nodeSelector and required matchExpressions) and
 * NodeResourcesFit, with the words of kube-scheduler (k8s.io/kubernetes v1.36.1 pkg/scheduler/framework/plugins). Pods
 * that ask for a device tolerate a taint of its name, as the admission plugin ExtendedResourceToleration makes them.
 * What is not imitated (pod affinity, topology spread, volumes) keeps a pod pending and says so: nothing is ignored.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "objects.h"
#include "spillway/kinds.h"
#include "spillway/text.h"

/* ---- amounts ---------------------------------------------------------------------------- */

static struct sim_amount *amount(struct sim_load *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->at[i].name, name) == 0)
			return &l->at[i];
	return NULL;
}

static void add(struct sim_load *l, const char *name, int64_t milli)
{
	struct sim_amount *a = amount(l, name);

	if (!a && (l->n == SIM_RESOURCES || strlen(name) >= sizeof(l->at[0].name))) {
		l->too_many = true;
		return;
	}
	if (!a) {
		a = &l->at[l->n++];
		*a = (struct sim_amount){0};
		snprintf(a->name, sizeof(a->name), "%s", name);
	}
	if (__builtin_add_overflow(a->milli, milli, &a->milli))
		a->milli = milli > 0 ? INT64_MAX : INT64_MIN;
}

int64_t sim_load_get(const struct sim_load *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->at[i].name, name) == 0)
			return l->at[i].milli;
	return 0;
}

void sim_load_take(struct sim_load *from, const struct sim_load *what, int sign)
{
	for (size_t i = 0; i < what->n; i++)
		add(from, what->at[i].name, what->at[i].milli * sign);
}

void sim_load_of_pod(json_t *pod, struct sim_load *out)
{
	struct sw_amounts asks;
	struct sw_err e = sw_pod_amounts(sw_json_at(pod, "spec"), "spec", false, &asks);

	*out = (struct sim_load){0};
	out->too_many = sw_failed(e);
	for (size_t i = 0; !sw_failed(e) && i < asks.n; i++)
		add(out, asks.at[i].resource, asks.at[i].milli);
	if (!amount(out, "pods"))
		add(out, "pods", 1000);
}

void sim_load_of_node(json_t *node, struct sim_load *out)
{
	json_t *all = sw_json_at(node, "status.allocatable");
	struct json_object_iterator it, end;

	*out = (struct sim_load){0};
	if (!json_object_is_type(all, json_type_object))
		return;
	it = json_object_iter_begin(all);
	end = json_object_iter_end(all);
	for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
		int64_t milli = 0;

		if (!sw_failed(sw_quantity_milli(json_object_get_string(json_object_iter_peek_value(&it)), &milli)))
			add(out, json_object_iter_peek_name(&it), milli);
	}
}

/* ---- taints -------------------------------------------------------------------------------- */

static bool is_text(json_t *o, const char *field, const char *text)
{
	const char *is = sw_json_str(o, field);

	return strcmp(is ? is : "", text ? text : "") == 0;
}

/* k8s.io/component-helpers scheduling/corev1 ToleratesTaint */
static bool tolerates(json_t *t, json_t *taint)
{
	const char *key = sw_json_str(t, "key"), *effect = sw_json_str(t, "effect"), *op = sw_json_str(t, "operator");

	if (effect && *effect && !is_text(taint, "effect", effect))
		return false;
	if (op && strcmp(op, "Exists") == 0)
		return !key || !*key || is_text(taint, "key", key);
	return key && is_text(taint, "key", key) && is_text(taint, "value", sw_json_str(t, "value"));
}

static bool tolerated(json_t *pod, const struct sim_load *asks, json_t *taint)
{
	json_t *list = sw_json_at(pod, "spec.tolerations");
	const char *key = sw_json_str(taint, "key");

	if (is_text(taint, "effect", "PreferNoSchedule") || (key && sim_load_get(asks, key) > 0))
		return true;
	for (size_t i = 0; i < sw_json_len(list); i++)
		if (tolerates(sw_json_idx(list, i), taint))
			return true;
	return false;
}

/* ---- affinity --------------------------------------------------------------------------------- */

static bool is_in(json_t *values, const char *value)
{
	for (size_t i = 0; i < sw_json_len(values); i++)
		if (strcmp(json_object_get_string(sw_json_idx(values, i)), value) == 0)
			return true;
	return false;
}

static bool expression_met(json_t *e, json_t *node)
{
	const char *key = sw_json_str(e, "key"), *op = sw_json_str(e, "operator");
	const char *label = key ? sw_json_label(node, key) : NULL;
	json_t *values = sw_json_at(e, "values");
	const char *first = json_object_get_string(sw_json_idx(values, 0));
	int64_t value, bound;

	if (!op)
		return false;
	if (strcmp(op, "In") == 0)
		return label && is_in(values, label);
	if (strcmp(op, "NotIn") == 0)
		return !label || !is_in(values, label);
	if (strcmp(op, "Exists") == 0)
		return label;
	if (strcmp(op, "DoesNotExist") == 0)
		return !label;
	value = sim_number(label, INT64_MIN);
	bound = sim_number(first, INT64_MIN);
	if (value == INT64_MIN || bound == INT64_MIN)
		return false;
	return strcmp(op, "Gt") == 0 ? value > bound : strcmp(op, "Lt") == 0 && value < bound;
}

static bool term_met(json_t *term, json_t *node)
{
	json_t *labels = sw_json_at(term, "matchExpressions"), *fields = sw_json_at(term, "matchFields");

	for (size_t i = 0; i < sw_json_len(labels); i++)
		if (!expression_met(sw_json_idx(labels, i), node))
			return false;
	for (size_t i = 0; i < sw_json_len(fields); i++) {
		json_t *f = sw_json_idx(fields, i);
		const char *name = sw_json_str(node, "metadata.name");

		if (!is_text(f, "key", "metadata.name") ||
		    is_in(sw_json_at(f, "values"), name ? name : "") != is_text(f, "operator", "In"))
			return false;
	}
	return sw_json_len(labels) + sw_json_len(fields) > 0;
}

static bool selected(json_t *pod, json_t *node)
{
	json_t *wish = sw_json_at(pod, "spec.nodeSelector");
	json_t *required = sw_json_at(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
	json_t *terms = sw_json_at(required, "nodeSelectorTerms");
	bool met = !required;

	if (json_object_is_type(wish, json_type_object)) {
		struct json_object_iterator it = json_object_iter_begin(wish), end = json_object_iter_end(wish);

		for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
			const char *label = sw_json_label(node, json_object_iter_peek_name(&it));

			if (!label || strcmp(label, json_object_get_string(json_object_iter_peek_value(&it))) != 0)
				return false;
		}
	}
	for (size_t i = 0; i < sw_json_len(terms) && !met; i++)
		met = term_met(sw_json_idx(terms, i), node);
	return met;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static const char *not_imitated(json_t *pod)
{
	if (sw_json_at(pod, "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution") ||
	    sw_json_at(pod, "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution"))
		return "node(s) whose simulator does not know pod affinity";
	if (sw_json_len(sw_json_at(pod, "spec.schedulingGates")) > 0)
		return "node(s) not tried: the pod has scheduling gates";
	if (sw_json_len(sw_json_at(pod, "spec.resourceClaims")) > 0)
		return "node(s) whose simulator does not know resource claims";
	return NULL;
}

static const char *short_of(const struct sim_load *asks, const struct sim_load *room, char buf[160])
{
	for (size_t i = 0; i < asks->n; i++) {
		const struct sim_amount *a = &asks->at[i];

		if (a->milli <= 0 || a->milli <= sim_load_get(room, a->name))
			continue;
		if (strcmp(a->name, "pods") == 0)
			return "Too many pods";
		snprintf(buf, 160, "Insufficient %s", a->name);
		return buf;
	}
	return NULL;
}

const char *sim_misfit(json_t *pod, const struct sim_load *asks, json_t *node, const struct sim_load *room,
		       char buf[160])
{
	json_t *taints = sw_json_at(node, "spec.taints");
	const char *why = not_imitated(pod);

	if (why)
		return why;
	if (asks->too_many)
		return "node(s) that cannot hold what the pod asks for";
	if (sw_json_bool(node, "spec.unschedulable"))
		return "node(s) were unschedulable";
	if (!sw_json_condition_true(node, "Ready"))
		return "node(s) were not ready";
	for (size_t i = 0; i < sw_json_len(taints); i++) {
		json_t *t = sw_json_idx(taints, i);
		const char *key = sw_json_str(t, "key"), *value = sw_json_str(t, "value");

		if (tolerated(pod, asks, t))
			continue;
		snprintf(buf, 160, "node(s) had untolerated taint {%s: %s}", key ? key : "", value ? value : "");
		return buf;
	}
	if (!selected(pod, node))
		return "node(s) didn't match Pod's node affinity/selector";
	return short_of(asks, room, buf);
}
