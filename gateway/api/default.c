/* SPDX-License-Identifier: Apache-2.0 */
/*
 * default.c - the real server's defaults
 *
 * Most are data (schema/): a walk adds what is absent. What depends on other fields is below, kind by kind.
 * Defaulting twice changes nothing. In kinds from CRDs only the CRD's own defaults apply: an embedded pod template
 * is left alone there, as on a real server, and gets its defaults when the worker makes pods from it.
 *
 * Source of the rules: k8s.io/kubernetes v1.36.1 pkg/apis/core/v1/defaults.go, pkg/apis/batch/v1/defaults.go,
 * pkg/registry/batch/job/strategy.go (selector and labels).
 */
#include <stdlib.h>
#include <string.h>
#include "schema_priv.h"
#include "spillway/text.h"

/* ---- by data ----------------------------------------------------------------------------------- */

/* In Go a zero that is no pointer is the same as nothing. */
static bool is_unset(const struct field *f, bool builtin, json_t *v)
{
	if (!v)
		return true;
	if (!builtin || f->pointer)
		return false;
	switch (json_object_get_type(v)) {
	case json_type_string:
		return json_object_get_string_len(v) == 0;
	case json_type_int:
		return f->base != B_INT_OR_STRING && json_object_get_int64(v) == 0;
	default:
		return false;
	}
}

static void default_message(const struct message *m, json_t *o, bool builtin);

static void default_value(const struct field *f, unsigned depth, json_t *v, bool builtin)
{
	if (depth < SHAPES && f->shape[depth] == SHAPE_LIST) {
		for (size_t i = 0; i < sw_json_len(v); i++)
			default_value(f, depth + 1, json_object_array_get_idx(v, i), builtin);
	} else if (depth < SHAPES && f->shape[depth] == SHAPE_MAP && json_object_is_type(v, json_type_object)) {
		json_object_object_foreach(v, key, item)
		{
			(void)key;
			default_value(f, depth + 1, item, builtin);
		}
	} else if (json_object_is_type(v, json_type_object)) {
		default_message(f->message, v, builtin);
	}
}

static void default_message(const struct message *m, json_t *o, bool builtin)
{
	if (!m->deep_defaults || (m->builtin && !builtin))
		return;
	for (size_t i = 0; i < m->n; i++) {
		const struct field *f = &m->fields[i];
		json_t *v = NULL;

		if (!f->fallback && !(f->message && f->message->deep_defaults))
			continue;
		json_object_object_get_ex(o, f->name, &v);
		if (f->fallback && is_unset(f, builtin, v)) {
			v = sw_json_copy(f->fallback);
			json_object_object_add(o, f->name, v);
		}
		if (v && f->message)
			default_value(f, 0, v, builtin);
	}
}

/* Clients' models want required scalars of a status to be there, as Go's encoder always writes them. */
static json_t *zero_of(const struct field *f)
{
	switch (f->base) {
	case B_STRING:
		return json_object_new_string("");
	case B_BOOL:
		return json_object_new_boolean(false);
	case B_INT32:
	case B_INT64:
		return json_object_new_int64(0);
	default:
		return NULL;
	}
}

static void fill_message(const struct message *m, json_t *o);

static void fill_value(const struct field *f, unsigned depth, json_t *v)
{
	if (depth < SHAPES && f->shape[depth] == SHAPE_LIST) {
		for (size_t i = 0; i < sw_json_len(v); i++)
			fill_value(f, depth + 1, json_object_array_get_idx(v, i));
	} else if (depth < SHAPES && f->shape[depth] == SHAPE_ONE && json_object_is_type(v, json_type_object)) {
		fill_message(f->message, v);
	}
}

static void fill_message(const struct message *m, json_t *o)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct field *f = &m->fields[i];
		json_t *v = NULL, *zero;

		json_object_object_get_ex(o, f->name, &v);
		if (v && f->message)
			fill_value(f, 0, v);
		if (v || !f->required || f->shape[0] != SHAPE_ONE)
			continue;
		zero = zero_of(f);
		if (zero)
			json_object_object_add(o, f->name, zero);
	}
}

/* ---- helpers ----------------------------------------------------------------------------------- */

static json_t *object_at(json_t *o, const char *key)
{
	json_t *v = sw_json_key(o, key);

	if (v)
		return v;
	v = json_object_new_object();
	json_object_object_add(o, key, v);
	return v;
}

static void put_str(json_t *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static bool is_empty_map(json_t *o)
{
	return !o || !json_object_is_type(o, json_type_object) || json_object_object_length(o) == 0;
}

/* ---- pods -------------------------------------------------------------------------------------- */

/* IfNotPresent unless the tag is latest, said or unsaid. A digest is no tag. */
static const char *pull_policy(const char *image)
{
	const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image, *tag = strchr(name, ':');

	if (strchr(name, '@'))
		return "IfNotPresent";
	return !tag || strcmp(tag, ":latest") == 0 ? "Always" : "IfNotPresent";
}

static void default_container(json_t *c, bool host_network)
{
	const char *policy = sw_json_str(c, "imagePullPolicy"), *image = sw_json_str(c, "image");
	json_t *ports = sw_json_key(c, "ports");

	if (!policy || !*policy)
		put_str(c, "imagePullPolicy", pull_policy(image ? image : ""));
	for (size_t i = 0; host_network && i < sw_json_len(ports); i++) {
		json_t *port = sw_json_idx(ports, i);

		if (sw_json_int(port, "hostPort", 0) == 0)
			json_object_object_add(port, "hostPort",
					       json_object_new_int64(sw_json_int(port, "containerPort", 0)));
	}
}

static void default_volumes(json_t *volumes)
{
	for (size_t i = 0; i < sw_json_len(volumes); i++) {
		json_t *v = sw_json_idx(volumes, i), *image = sw_json_key(v, "image");

		if (json_object_is_type(v, json_type_object) && json_object_object_length(v) <= 1 &&
		    sw_json_key(v, "name"))
			json_object_object_add(v, "emptyDir", json_object_new_object());
		if (image && !sw_json_str(image, "pullPolicy") && sw_json_str(image, "reference"))
			put_str(image, "pullPolicy", pull_policy(sw_json_str(image, "reference")));
	}
}

static void default_pod_spec(json_t *spec, bool is_pod)
{
	static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
	bool host_network = is_pod && sw_json_bool(spec, "hostNetwork");

	for (size_t l = 0; l < 3; l++) {
		json_t *containers = sw_json_key(spec, lists[l]);

		for (size_t i = 0; i < sw_json_len(containers); i++)
			if (json_object_is_type(sw_json_idx(containers, i), json_type_object))
				default_container(sw_json_idx(containers, i), host_network);
	}
	default_volumes(sw_json_key(spec, "volumes"));
	/* one is the other's old name */
	if (sw_json_str(spec, "serviceAccountName") && !sw_json_key(spec, "serviceAccount"))
		put_str(spec, "serviceAccount", sw_json_str(spec, "serviceAccountName"));
	else if (sw_json_str(spec, "serviceAccount") && !sw_json_key(spec, "serviceAccountName"))
		put_str(spec, "serviceAccountName", sw_json_str(spec, "serviceAccount"));
}

/* Limits without requests become requests: for pods only, not for templates. */
static void default_requests(json_t *containers)
{
	for (size_t i = 0; i < sw_json_len(containers); i++) {
		json_t *resources = sw_json_key(sw_json_idx(containers, i), "resources"),
		       *limits = sw_json_key(resources, "limits");
		json_t *requests;

		if (is_empty_map(limits))
			continue;
		requests = object_at(resources, "requests");
		json_object_object_foreach(limits, name, quantity) if (!sw_json_key(requests, name))
			json_object_object_add(requests, name, sw_json_copy(quantity));
	}
}

static void default_pod(json_t *o)
{
	json_t *spec = sw_json_key(o, "spec"), *status = object_at(o, "status");

	if (spec) {
		default_pod_spec(spec, true);
		default_requests(sw_json_key(spec, "containers"));
		default_requests(sw_json_key(spec, "initContainers"));
		if (!sw_json_key(spec, "enableServiceLinks"))
			json_object_object_add(spec, "enableServiceLinks", json_object_new_boolean(true));
	}
	if (!sw_json_str(status, "phase"))
		put_str(status, "phase", "Pending");
}

/* ---- jobs -------------------------------------------------------------------------------------- */

static void default_job_numbers(json_t *spec)
{
	bool has_completions = sw_json_key(spec, "completions"), has_parallelism = sw_json_key(spec, "parallelism");

	if (!has_completions && !has_parallelism)
		json_object_object_add(spec, "completions", json_object_new_int(1));
	if (!has_parallelism)
		json_object_object_add(spec, "parallelism", json_object_new_int(1));
	if (!sw_json_key(spec, "backoffLimit"))
		json_object_object_add(spec, "backoffLimit",
				       json_object_new_int(sw_json_key(spec, "backoffLimitPerIndex") ? INT32_MAX : 6));
	if (!sw_json_key(spec, "podReplacementPolicy"))
		put_str(spec, "podReplacementPolicy",
			sw_json_key(spec, "podFailurePolicy") ? "Failed" : "TerminatingOrFailed");
}

static void default_label(json_t *labels, const char *key, const char *value)
{
	if (!sw_json_key(labels, key))
		put_str(labels, key, value);
}

/* What makes `kubectl logs job/x` find the pods: a selector by uid and the labels on the template. */
static void default_job_selector(json_t *o, json_t *spec)
{
	const char *uid = sw_json_str(o, "metadata.uid"), *name = sw_json_str(o, "metadata.name");
	json_t *labels;

	if (!uid || !name || sw_json_bool(spec, "manualSelector"))
		return;
	labels = object_at(object_at(object_at(spec, "template"), "metadata"), "labels");
	default_label(labels, "job-name", name);
	default_label(labels, "batch.kubernetes.io/job-name", name);
	default_label(labels, "controller-uid", uid);
	default_label(labels, "batch.kubernetes.io/controller-uid", uid);
	default_label(object_at(object_at(spec, "selector"), "matchLabels"), "batch.kubernetes.io/controller-uid", uid);
}

static void default_job(json_t *o)
{
	json_t *spec = sw_json_key(o, "spec"), *meta = sw_json_key(o, "metadata"), *labels;

	if (!spec || !meta)
		return;
	default_job_numbers(spec);
	default_job_selector(o, spec);
	labels = sw_json_at(spec, "template.metadata.labels");
	if (!is_empty_map(labels) && is_empty_map(sw_json_key(meta, "labels")))
		json_object_object_add(meta, "labels", sw_json_copy(labels));
	if (sw_json_at(spec, "template.spec"))
		default_pod_spec(sw_json_at(spec, "template.spec"), false);
	object_at(o, "status");
}

/* ---- small kinds ------------------------------------------------------------------------------- */

static void default_namespace(json_t *o)
{
	const char *name = sw_json_str(o, "metadata.name");

	if (name && sw_json_key(o, "metadata"))
		put_str(object_at(sw_json_key(o, "metadata"), "labels"), "kubernetes.io/metadata.name", name);
	object_at(o, "spec");
	if (!sw_json_str(o, "status.phase"))
		put_str(object_at(o, "status"), "phase", "Active");
}

/* stringData is for writing only: it becomes data. */
static void default_secret(json_t *o)
{
	json_t *plain = sw_json_key(o, "stringData");

	if (!plain)
		return;
	json_object_object_foreach(plain, key, value)
	{
		char *text = sw_base64(json_object_get_string(value), (size_t)json_object_get_string_len(value));

		put_str(object_at(o, "data"), key, text);
		free(text);
	}
	json_object_object_del(o, "stringData");
}

static void default_node(json_t *o)
{
	json_t *status = sw_json_key(o, "status"), *capacity = sw_json_key(status, "capacity");

	if (capacity && !sw_json_key(status, "allocatable"))
		json_object_object_add(status, "allocatable", sw_json_copy(capacity));
}

static const struct {
	const char *id;
	void (*fn)(json_t *o);
} by_kind[] = {
	{"jobs.batch", default_job}, {"pods", default_pod},   {"namespaces", default_namespace},
	{"secrets", default_secret}, {"nodes", default_node},
};

void sw_object_default(const struct sw_schema *s, const struct sw_resource *r, json_t *o)
{
	const struct message *m = schema_message(s, r->message);
	bool builtin = r->flags & SW_RES_BUILTIN;
	const struct field *status = message_field(m, "status");
	json_t *v = sw_json_key(o, "status");

	for (size_t i = 0; i < sizeof(by_kind) / sizeof(by_kind[0]); i++)
		if (strcmp(by_kind[i].id, r->id) == 0)
			by_kind[i].fn(o);
	if (builtin && m->deep_defaults)
		default_message(m, o, true);
	else if (!builtin)
		default_message(m, o, false);
	if (builtin && !(r->flags & SW_RES_REVIEW) && v && status && status->message)
		fill_message(status->message, v);
}
