/* SPDX-License-Identifier: Apache-2.0 */
/*
 * needs.c - which objects a pod template names and cannot start without
 */
#include <string.h>

#include "spillway/needs.h"

const struct sw_need_type *sw_need_type(enum sw_need_kind k)
{
	static const struct sw_need_type types[] = {
#define X(id, group, version, plural, word, namespaced) {group, version, plural, word, namespaced},
		SW_NEED_MAP(X)
#undef X
	};
	return &types[k];
}

static void need_add(struct sw_needs *out, enum sw_need_kind kind, const char *name)
{
	if (!name || !*name)
		return;
	for (size_t i = 0; i < out->n; i++)
		if (out->at[i].kind == kind && strcmp(out->at[i].name, name) == 0)
			return;
	if (out->n == SW_NEEDS_MAX) {
		out->cut = true;
		return;
	}
	out->at[out->n++] = (struct sw_need){kind, name};
}

static bool is_optional(json_t *reference)
{
	return json_object_get_boolean(sw_json_key(reference, "optional"));
}

/* One kind of reference inside an object: {"secretRef": {"name": ...}} and its like. */
struct reference {
	const char *field, *name;
	enum sw_need_kind kind;
};

static void references_add(struct sw_needs *out, json_t *holder, const struct reference *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *r = sw_json_key(holder, list[i].field);
		if (r && !is_optional(r))
			need_add(out, list[i].kind, sw_json_str(r, list[i].name));
	}
}

static void container_add(struct sw_needs *out, json_t *container)
{
	static const struct reference key_refs[] = {{"secretKeyRef", "name", SW_NEED_SECRET},
						    {"configMapKeyRef", "name", SW_NEED_CONFIG_MAP}};
	static const struct reference whole_refs[] = {{"secretRef", "name", SW_NEED_SECRET},
						      {"configMapRef", "name", SW_NEED_CONFIG_MAP}};
	json_t *env = sw_json_key(container, "env"), *from = sw_json_key(container, "envFrom");

	for (size_t i = 0; i < sw_json_len(env); i++)
		references_add(out, sw_json_key(sw_json_idx(env, i), "valueFrom"), key_refs, 2);
	for (size_t i = 0; i < sw_json_len(from); i++)
		references_add(out, sw_json_idx(from, i), whole_refs, 2);
}

static void volume_add(struct sw_needs *out, json_t *volume)
{
	static const struct reference refs[] = {{"secret", "secretName", SW_NEED_SECRET},
						{"configMap", "name", SW_NEED_CONFIG_MAP},
						{"persistentVolumeClaim", "claimName", SW_NEED_CLAIM}};
	static const struct reference source_refs[] = {{"secret", "name", SW_NEED_SECRET},
						       {"configMap", "name", SW_NEED_CONFIG_MAP}};
	json_t *sources = sw_json_at(volume, "projected.sources");

	references_add(out, volume, refs, 3);
	for (size_t i = 0; i < sw_json_len(sources); i++)
		references_add(out, sw_json_idx(sources, i), source_refs, 2);
}

static void spec_add(struct sw_needs *out, json_t *spec)
{
	static const char *const lists[] = {"initContainers", "containers"};
	const char *account = sw_json_str(spec, "serviceAccountName"),
		   *priority = sw_json_str(spec, "priorityClassName");
	json_t *pull = sw_json_key(spec, "imagePullSecrets"), *volumes = sw_json_key(spec, "volumes"),
	       *devices = sw_json_key(spec, "resourceClaims");

	if (account && strcmp(account, "default") != 0)
		need_add(out, SW_NEED_SERVICE_ACCOUNT, account);
	if (priority && strncmp(priority, "system-", 7) != 0) /* these two are everywhere */
		need_add(out, SW_NEED_PRIORITY_CLASS, priority);
	for (size_t i = 0; i < sw_json_len(pull); i++)
		need_add(out, SW_NEED_SECRET, sw_json_str(sw_json_idx(pull, i), "name"));
	for (size_t i = 0; i < sw_json_len(volumes); i++)
		volume_add(out, sw_json_idx(volumes, i));
	for (size_t i = 0; i < sw_json_len(devices); i++) {
		json_t *claim = sw_json_idx(devices, i);
		need_add(out, SW_NEED_DEVICES, sw_json_str(claim, "resourceClaimName"));
		need_add(out, SW_NEED_DEVICES_TEMPLATE, sw_json_str(claim, "resourceClaimTemplateName"));
	}
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < sw_json_len(sw_json_key(spec, lists[k])); i++)
			container_add(out, sw_json_idx(sw_json_key(spec, lists[k]), i));
}

void sw_needs_read(const struct sw_podset *sets, size_t n_sets, struct sw_needs *out)
{
	out->n = 0;
	out->cut = false;
	for (size_t i = 0; i < n_sets; i++)
		spec_add(out, sw_json_key(sets[i].template, "spec"));
}
