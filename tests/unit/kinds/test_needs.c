/* SPDX-License-Identifier: Apache-2.0 */
/* test_needs.c - which objects a template names and cannot start without */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "spillway/needs.h"
#include "spillway/text.h"

/* "Secret/a ConfigMap/b", in the order found */
static void words(json_t *template, char *buf, size_t size)
{
	struct sw_podset set = {.name = "main", .count = 1, .template = template};
	struct sw_needs needs;

	sw_needs_read(&set, 1, &needs);
	*buf = '\0';
	for (size_t i = 0; i < needs.n; i++) {
		size_t at = strlen(buf);
		snprintf(buf + at, size - at, "%s%s/%s", i ? " " : "", sw_need_type(needs.at[i].kind)->word,
			 needs.at[i].name);
	}
}

static const struct row {
	const char *spec, *needs;
} rows[] = {
	{"{}", ""},
	{"{\"serviceAccountName\":\"default\"}", ""},
	{"{\"serviceAccountName\":\"trainer\"}", "ServiceAccount/trainer"},
	{"{\"priorityClassName\":\"system-node-critical\"}", ""},
	{"{\"priorityClassName\":\"urgent\"}", "PriorityClass/urgent"},
	{"{\"imagePullSecrets\":[{\"name\":\"pull\"},{}]}", "Secret/pull"},
	{"{\"volumes\":[{\"name\":\"v\",\"secret\":{\"secretName\":\"s\"}},"
	 "{\"name\":\"w\",\"persistentVolumeClaim\":{\"claimName\":\"data\"}}]}",
	 "Secret/s PersistentVolumeClaim/data"},
	{"{\"volumes\":[{\"name\":\"v\",\"configMap\":{\"name\":\"c\",\"optional\":true}}]}", ""},
	{"{\"volumes\":[{\"name\":\"v\",\"projected\":{\"sources\":[{\"secret\":{\"name\":\"s\"}},"
	 "{\"configMap\":{\"name\":\"c\"}},{\"serviceAccountToken\":{\"path\":\"t\"}}]}}]}",
	 "Secret/s ConfigMap/c"},
	{"{\"containers\":[{\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\",\"valueFrom\":{\"secretKeyRef\":"
	 "{\"name\":\"s\",\"key\":\"k\"}}}],\"envFrom\":[{\"configMapRef\":{\"name\":\"c\"}},"
	 "{\"secretRef\":{\"name\":\"o\",\"optional\":true}}]}]}",
	 "Secret/s ConfigMap/c"},
	{"{\"initContainers\":[{\"envFrom\":[{\"secretRef\":{\"name\":\"s\"}}]}],"
	 "\"containers\":[{\"envFrom\":[{\"secretRef\":{\"name\":\"s\"}}]}]}",
	 "Secret/s"},
	{"{\"resourceClaims\":[{\"name\":\"a\",\"resourceClaimName\":\"gpus\"},"
	 "{\"name\":\"b\",\"resourceClaimTemplateName\":\"one-gpu\"},"
	 "{\"name\":\"c\",\"resourceClaimTemplateName\":\"one-gpu\"}]}",
	 "ResourceClaim/gpus ResourceClaimTemplate/one-gpu"},
	{"{\"resourceClaims\":[{},{\"resourceClaimName\":7},3]}", ""},
	/* what no API server would let pass must do no harm */
	{"{\"volumes\":7,\"containers\":{\"env\":1},\"imagePullSecrets\":[1,null,\"x\"],\"serviceAccountName\":3}", ""},
	{"{\"volumes\":[{\"secret\":[]},{\"secret\":{\"secretName\":{}}},{\"secret\":{\"secretName\":\"\"}}]}", ""},
};

Test(needs, what_a_template_names_and_insists_on)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *template = json_object_new_object(), *spec;
		char found[400];

		cr_assert(!sw_failed(sw_json_parse(rows[i].spec, strlen(rows[i].spec), &spec)), "%s", rows[i].spec);
		json_object_object_add(template, "spec", spec);
		words(template, found, sizeof found);
		cr_expect_str_eq(found, rows[i].needs, "%s: found \"%s\"", rows[i].spec, found);
		json_object_put(template);
	}
}

Test(needs, a_template_that_names_too_much_is_cut_and_says_so)
{
	json_t *template = sw_json_fmt("{\"spec\":{\"volumes\":[]}}");
	struct sw_podset set = {.name = "main", .count = 1, .template = template};
	struct sw_needs needs;

	for (int i = 0; i < SW_NEEDS_MAX + 1; i++) {
		char name[32];
		json_t *volume = sw_json_fmt("{\"secret\":{}}");
		snprintf(name, sizeof name, "s%d", i);
		sw_json_set_str(volume, "secret.secretName", name);
		json_object_array_add(sw_json_at(template, "spec.volumes"), volume);
	}
	sw_needs_read(&set, 1, &needs);
	cr_expect_eq(needs.n, SW_NEEDS_MAX);
	cr_expect(needs.cut);
	json_object_put(template);
}
