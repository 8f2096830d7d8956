/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate_pod.c - pod specs: names, images, resources, environment, ports, mounts, volumes
 *
 * Source of rules and words: k8s.io/kubernetes v1.36.1 pkg/apis/core/validation/validation.go. Rarer rules
 * (probes, security contexts, sources of volumes) are left to the worker's own API server, which checks the
 * template again.
 */
#include <stdlib.h>
#include <string.h>
#include "check_priv.h"
#include "spillway/text.h"

/* ---- resources --------------------------------------------------------------------------------- */

static const char *const standard_resources[] = {"cpu", "memory", "ephemeral-storage"};

static bool is_standard(const char *name)
{
	for (size_t i = 0; i < sizeof(standard_resources) / sizeof(standard_resources[0]); i++)
		if (strcmp(name, standard_resources[i]) == 0)
			return true;
	return strncmp(name, "hugepages-", 10) == 0 && name[10];
}

/* vendor.example/thing: counted in whole units, and a request equals its limit */
static bool is_extended(const char *name)
{
	return strchr(name, '/') && !strstr(name, "kubernetes.io/");
}

static bool may_overcommit(const char *name)
{
	return !is_extended(name) && strncmp(name, "hugepages-", 10) != 0;
}

static void check_quantity(struct check *c, const struct step *at, const char *name, json_t *v)
{
	int64_t milli;

	if (sw_failed(sw_quantity_milli(json_object_get_string(v), &milli)))
		return; /* decoding has told already */
	if (milli < 0)
		check_invalid(c, at, v, "must be greater than or equal to 0");
	else if (is_extended(name) && milli % 1000 != 0)
		check_invalid(c, at, v, "must be an integer");
}

void check_resource_list(struct check *c, const struct step *at, json_t *list)
{
	if (!list)
		return;
	json_object_object_foreach(list, name, v)
	{
		const struct step *here = AT_KEY(at, name);
		json_t *text = NULL;

		if (!strchr(name, '/') && !is_standard(name)) {
			text = json_object_new_string(name);
			check_invalid(c, here, text, "must be a standard resource for containers");
		} else if (strchr(name, '/') && !sw_is_label_key(name)) {
			text = json_object_new_string(name);
			check_invalid(c, here, text, "must be a standard resource type or fully qualified");
		}
		json_object_put(text);
		check_quantity(c, here, name, v);
	}
}

static int64_t milli_of(json_t *v)
{
	int64_t milli = 0;

	return sw_failed(sw_quantity_milli(json_object_get_string(v), &milli)) ? 0 : milli;
}

static void check_resources(struct check *c, const struct step *up, json_t *resources)
{
	const struct step *at = AT_FIELD(up, "resources");
	json_t *limits = sw_json_key(resources, "limits"), *requests = sw_json_key(resources, "requests");

	check_resource_list(c, AT_FIELD(at, "limits"), limits);
	check_resource_list(c, AT_FIELD(at, "requests"), requests);
	if (!requests)
		return;
	json_object_object_foreach(requests, name, v)
	{
		json_t *limit = sw_json_key(limits, name);
		int64_t ask = milli_of(v), most = limit ? milli_of(limit) : 0;

		if (!limit && !may_overcommit(name))
			check_required(c, AT_FIELD(at, "limits"), "Limit must be set for non overcommitable resources");
		else if (limit && ask != most && !may_overcommit(name))
			check_invalid(c, AT_FIELD(at, "requests"), v, "must be equal to %s limit of %s", name,
				      json_object_get_string(limit));
		else if (limit && ask > most)
			check_invalid(c, AT_FIELD(at, "requests"), v, "must be less than or equal to %s limit of %s",
				      name, json_object_get_string(limit));
	}
}

/* ---- containers -------------------------------------------------------------------------------- */

static bool is_env_name(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p < ' ' || *p > '~' || *p == '=')
			return false;
	return *s != '\0';
}

static void check_env(struct check *c, const struct step *up, json_t *env)
{
	const struct step *list = AT_FIELD(up, "env");

	for (size_t i = 0; i < sw_json_len(env); i++) {
		json_t *e = sw_json_idx(env, i), *name = sw_json_key(e, "name");
		const char *value = sw_json_str(e, "value");
		const struct step *at = AT_INDEX(list, i);

		if (name && *json_object_get_string(name) && !is_env_name(json_object_get_string(name)))
			check_invalid(c, AT_FIELD(at, "name"), name,
				      "a valid environment variable name must consist only of printable ASCII "
				      "characters other than '='");
		if (value && *value && sw_json_key(e, "valueFrom"))
			check_invalid(c, AT_FIELD(at, "valueFrom"), NULL,
				      "may not be specified when `value` is not empty");
	}
}

static void check_ports(struct check *c, const struct step *up, json_t *ports)
{
	const struct step *list = AT_FIELD(up, "ports");

	for (size_t i = 0; i < sw_json_len(ports); i++) {
		json_t *p = sw_json_idx(ports, i), *host = sw_json_key(p, "hostPort");
		const struct step *at = AT_INDEX(list, i);

		check_range(c, AT_FIELD(at, "containerPort"), sw_json_key(p, "containerPort"), 1, 65535);
		if (host && json_object_get_int64(host) != 0)
			check_range(c, AT_FIELD(at, "hostPort"), host, 1, 65535);
	}
}

static bool has_name(json_t *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (text_is(sw_json_key(sw_json_idx(list, i), "name"), name))
			return true;
	return false;
}

static void check_mounts(struct check *c, const struct step *up, json_t *mounts, json_t *volumes)
{
	const struct step *list = AT_FIELD(up, "volumeMounts");

	for (size_t i = 0; i < sw_json_len(mounts); i++) {
		json_t *m = sw_json_idx(mounts, i), *path = sw_json_key(m, "mountPath");
		const char *name = sw_json_str(m, "name");
		const struct step *at = AT_INDEX(list, i);

		if (!check_budget(c, list, i + sw_json_len(volumes)))
			return;
		if (name && *name && !has_name(volumes, sw_json_len(volumes), name))
			check_not_found(c, AT_FIELD(at, "name"), sw_json_key(m, "name"));
		for (size_t j = 0; path && j < i; j++)
			if (json_object_equal(path, sw_json_key(sw_json_idx(mounts, j), "mountPath"))) {
				check_invalid(c, AT_FIELD(at, "mountPath"), path, "must be unique");
				break;
			}
	}
}

static bool has_outer_blank(const char *s)
{
	size_t n = strlen(s);

	return n && (strchr(" \t\r\n", s[0]) || strchr(" \t\r\n", s[n - 1]));
}

static void check_container(struct check *c, const struct step *at, json_t *k, json_t *volumes)
{
	json_t *image = sw_json_key(k, "image"), *name = sw_json_key(k, "name");

	if (name && *json_object_get_string(name))
		check_dns_label(c, AT_FIELD(at, "name"), name);
	if (!image || !*json_object_get_string(image))
		check_required(c, AT_FIELD(at, "image"), "");
	else if (has_outer_blank(json_object_get_string(image)))
		check_invalid(c, AT_FIELD(at, "image"), image, "must not have leading or trailing whitespace");
	check_resources(c, at, sw_json_key(k, "resources"));
	check_env(c, at, sw_json_key(k, "env"));
	check_ports(c, at, sw_json_key(k, "ports"));
	check_mounts(c, at, sw_json_key(k, "volumeMounts"), volumes);
}

static void check_containers(struct check *c, const struct step *up, json_t *spec, const char *key, json_t *others)
{
	json_t *list = sw_json_key(spec, key), *volumes = sw_json_key(spec, "volumes");
	const struct step *at = AT_FIELD(up, key);

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *k = sw_json_idx(list, i);
		const char *name = sw_json_str(k, "name");

		check_container(c, AT_INDEX(at, i), k, volumes);
		if (!check_budget(c, at, i + sw_json_len(others)))
			return;
		if (name && *name && (has_name(list, i, name) || has_name(others, sw_json_len(others), name)))
			check_duplicate(c, AT_FIELD(AT_INDEX(at, i), "name"), sw_json_key(k, "name"));
	}
}

/* ---- volumes ----------------------------------------------------------------------------------- */

static void check_volumes(struct check *c, const struct step *up, json_t *volumes)
{
	const struct step *list = AT_FIELD(up, "volumes");

	for (size_t i = 0; i < sw_json_len(volumes); i++) {
		json_t *v = sw_json_idx(volumes, i), *name = sw_json_key(v, "name");
		const struct step *at = AT_INDEX(list, i);
		int sources = json_object_object_length(v) - (name != NULL);

		if (!check_budget(c, list, i))
			return;
		if (name && *json_object_get_string(name)) {
			check_dns_label(c, AT_FIELD(at, "name"), name);
			if (has_name(volumes, i, json_object_get_string(name)))
				check_duplicate(c, AT_FIELD(at, "name"), name);
		}
		if (sources > 1)
			check_forbidden(c, at, "may not specify more than 1 volume type");
	}
}

/* ---- the spec ---------------------------------------------------------------------------------- */

static void check_tolerations(struct check *c, const struct step *up, json_t *list)
{
	const struct step *at = AT_FIELD(up, "tolerations");

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *t = sw_json_idx(list, i), *key = sw_json_key(t, "key"), *op = sw_json_key(t, "operator");
		const char *value = sw_json_str(t, "value");
		bool keyless = !key || !*json_object_get_string(key);
		const struct step *here = AT_INDEX(at, i);

		if (!keyless && !sw_is_label_key(json_object_get_string(key)))
			check_invalid(c, AT_FIELD(here, "key"), key, "must be a qualified name");
		if (keyless && !text_is(op, "Exists"))
			check_invalid(c, AT_FIELD(here, "operator"), op,
				      "operator must be Exists when `key` is empty, which means \"match all "
				      "values and all keys\"");
		if (text_is(op, "Exists") && value && *value)
			check_invalid(c, AT_FIELD(here, "operator"), sw_json_key(t, "value"),
				      "value must be empty when `operator` is 'Exists'");
		if (sw_json_key(t, "tolerationSeconds") && !text_is(sw_json_key(t, "effect"), "NoExecute"))
			check_invalid(c, AT_FIELD(here, "effect"), sw_json_key(t, "effect"),
				      "effect must be 'NoExecute' when `tolerationSeconds` is set");
	}
}

void check_pod_spec(struct check *c, const struct step *at, json_t *spec)
{
	json_t *containers = sw_json_key(spec, "containers"), *deadline = sw_json_key(spec, "activeDeadlineSeconds");
	json_t *account = sw_json_key(spec, "serviceAccountName");

	if (containers && sw_json_len(containers) == 0)
		check_required(c, AT_FIELD(at, "containers"), "");
	check_containers(c, at, spec, "initContainers", NULL);
	check_containers(c, at, spec, "containers", sw_json_key(spec, "initContainers"));
	check_volumes(c, at, sw_json_key(spec, "volumes"));
	check_labels(c, AT_FIELD(at, "nodeSelector"), sw_json_key(spec, "nodeSelector"));
	check_tolerations(c, at, sw_json_key(spec, "tolerations"));
	check_not_negative(c, at, spec, "terminationGracePeriodSeconds");
	if (deadline)
		check_range(c, AT_FIELD(at, "activeDeadlineSeconds"), deadline, 1, INT32_MAX);
	if (account && *json_object_get_string(account))
		check_subdomain(c, AT_FIELD(at, "serviceAccountName"), account);
}

void check_pod_template(struct check *c, const struct step *at, json_t *template)
{
	json_t *meta = sw_json_key(template, "metadata"), *spec = sw_json_key(template, "spec");
	const struct step *meta_at = AT_FIELD(at, "metadata"), *spec_at = AT_FIELD(at, "spec");

	check_labels(c, AT_FIELD(meta_at, "labels"), sw_json_key(meta, "labels"));
	check_annotations(c, AT_FIELD(meta_at, "annotations"), sw_json_key(meta, "annotations"));
	if (!spec || !sw_json_key(spec, "containers"))
		check_required(c, AT_FIELD(spec_at, "containers"), "");
	if (!spec)
		return;
	check_pod_spec(c, spec_at, spec);
	if (sw_json_len(sw_json_key(spec, "ephemeralContainers")))
		check_forbidden(c, AT_FIELD(spec_at, "ephemeralContainers"),
				"ephemeral containers not allowed in pod template");
}
