/* SPDX-License-Identifier: Apache-2.0 */
/* test_schema.c - the carried schema compiles and knows what it should */
#include "pure.h"
#include "../../../gateway/api/schema_priv.h"

Test(schema, compiles_and_knows_every_served_kind)
{
	struct sw_schema *s = schema_or_die();
	size_t n;
	const struct sw_resource *rows = sw_resources(&n);

	for (size_t i = 0; i < n; i++) {
		const struct message *m = schema_message(s, rows[i].message);

		cr_expect_not_null(m, "%s: there is no message %s", rows[i].id, rows[i].message);
		cr_expect_not_null(m ? message_field(m, "metadata") : NULL, "%s", rows[i].id);
	}
	sw_schema_free(s);
	no_leaks();
}

Test(schema, knows_the_merge_keys_that_apply_needs)
{
	static const struct {
		const char *message, *field, *key;
	} rows[] = {
		{"core.v1.PodSpec", "containers", "name"},
		{"core.v1.PodSpec", "initContainers", "name"},
		{"core.v1.PodSpec", "volumes", "name"},
		{"core.v1.PodSpec", "imagePullSecrets", "name"},
		{"core.v1.PodSpec", "hostAliases", "ip"},
		{"core.v1.PodSpec", "topologySpreadConstraints", "topologyKey"},
		{"core.v1.PodSpec", "resourceClaims", "name"},
		{"core.v1.Container", "env", "name"},
		{"core.v1.Container", "ports", "containerPort"},
		{"core.v1.Container", "volumeMounts", "mountPath"},
		{"core.v1.Container", "volumeDevices", "devicePath"},
		{"meta.v1.ObjectMeta", "ownerReferences", "uid"},
		{"meta.v1.ObjectMeta", "finalizers", ""},
		{"batch.v1.JobStatus", "conditions", "type"},
		{"core.v1.PodStatus", "conditions", "type"},
		{"core.v1.PodStatus", "podIPs", "ip"},
		{"core.v1.PodStatus", "hostIPs", "ip"},
		{"core.v1.ServiceAccount", "secrets", "name"},
	};
	struct sw_schema *s = schema_or_die();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct message *m = schema_message(s, rows[i].message);
		const struct field *f = m ? message_field(m, rows[i].field) : NULL;

		cr_assert_not_null(f, "%s.%s", rows[i].message, rows[i].field);
		cr_assert_not_null(f->merge_key, "%s.%s", rows[i].message, rows[i].field);
		cr_expect_str_eq(f->merge_key, rows[i].key, "%s.%s", rows[i].message, rows[i].field);
	}
	cr_expect(message_field(schema_message(s, "core.v1.PodSpec"), "volumes")->retain_keys);
	cr_expect_null(message_field(schema_message(s, "core.v1.PodSpec"), "tolerations")->merge_key);
	sw_schema_free(s);
	no_leaks();
}

Test(schema, paths_name_fields_indexes_and_keys)
{
	struct step spec = {.kind = STEP_FIELD, .name = "spec"};
	struct step list = {.up = &spec, .kind = STEP_FIELD, .name = "containers"};
	struct step item = {.up = &list, .kind = STEP_INDEX, .index = 2};
	struct step limits = {.up = &item, .kind = STEP_FIELD, .name = "limits"};
	struct step key = {.up = &limits, .kind = STEP_KEY, .name = "nvidia.com/gpu"};
	char buf[PATH_MAX_BYTES];

	cr_expect_str_eq(step_path(&key, PATH_BRACKETS, buf), "spec.containers[2].limits[nvidia.com/gpu]");
	cr_expect_str_eq(step_path(&key, PATH_DOTS, buf), "spec.containers[2].limits.nvidia.com/gpu");
	cr_expect_str_eq(step_path(&spec, PATH_DOTS, buf), "spec");
}
