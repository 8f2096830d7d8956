/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_spec.c - clusters.yaml: what is read, what the catalog adds, and what is refused with its place
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "spillway/blob.h"
#include "spillway/sim.h"

static struct sw_err parse(const char *text, struct sw_sim_specs **out)
{
	struct sw_catalog *catalog;
	struct sw_err e = sw_catalog_load(&catalog);

	cr_assert(!sw_failed(e), "%s", e.text);
	e = sw_sim_specs_parse("f.yaml", text, strlen(text), catalog, out);
	sw_catalog_free(catalog);
	return e;
}

Test(spec, the_demo_reads_and_takes_machines_and_prices_from_the_catalog)
{
	const struct sw_blob *blob = sw_blob_find("config/demo/clusters.yaml");
	struct sw_sim_specs *s;
	struct sw_err e;

	cr_assert(blob);
	e = parse(blob->start, &s);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_eq(s->n, 3);
	cr_expect_str_eq(s->at[1].name, "gke");
	cr_expect_str_eq(s->at[1].groups[0].model, "H100");
	cr_expect_eq(s->at[1].groups[0].gpus, 8);
	cr_expect_float_eq(s->at[1].groups[0].price_hour, 112.54, 0.01);
	cr_expect_float_eq(s->at[1].groups[2].price_hour, 0.47082, 0.0001, "spot has a price of its own");
	cr_expect_gt(s->at[1].groups[0].priced_at_ms, 0);
	cr_expect(s->at[1].groups[0].growable && s->at[1].groups[0].exclusive);
	cr_expect_not(s->at[0].groups[0].growable);
	cr_expect_eq(s->at[0].groups[0].min, s->at[0].groups[0].max);
	cr_expect_str_eq(s->at[2].groups[0].model, "A100-40GB");
	sw_sim_specs_free(s);
}

#define ONE(group) "clusters:\n- name: c\n  cloud: gke\n  region: europe-west4\n  pools:\n  - " group "\n"

static const struct {
	const char *name, *text, *says;
} bad[] = {
	{"empty", "", "found 0 documents"},
	{"no map", "7", "expected a map"},
	{"no clusters", "timeScale: 2", "at least one"},
	{"unknown setting", "timescale: 2\nclusters: []",
	 "f.yaml:1:1: unknown setting \"timescale\", did you mean \"timeScale\"?"},
	{"unknown pool setting", ONE("{name: p, machine: g2-standard-8, maxx: 1}"),
	 "f.yaml:6:39: unknown setting \"maxx\", did you mean \"max\"?"},
	{"unknown cloud", "clusters:\n- {name: c, cloud: gcp}", "found \"gcp\", expected onprem, gke or aks"},
	{"bad name", "clusters:\n- {name: C_1, cloud: gke}", "found \"C_1\", expected a DNS label"},
	{"no name", "clusters:\n- {cloud: gke}", "expected a DNS label"},
	{"twice the same cluster", "clusters:\n- {name: c, cloud: gke}\n- {name: c, cloud: aks}",
	 "two clusters are called c"},
	{"twice the same pool",
	 ONE("{name: p, machine: g2-standard-8, max: 1}\n  - {name: p, machine: g2-standard-8, max: 1}"),
	 "two groups are called p"},
	{"no max", ONE("{name: p, machine: g2-standard-8}"), "max is missing"},
	{"no machine", ONE("{name: p, max: 1}"), "machine is missing"},
	{"a machine nobody knows", ONE("{name: p, machine: z9-huge, max: 1}"),
	 "machine type z9-huge is not in the catalog"},
	{"a GPU nobody knows", ONE("{name: p, machine: m, gpu: H1000, gpus: 1, cpu: 1, memory: 1Gi, max: 1}"),
	 "\"H1000\" is not in the catalog"},
	{"GPUs without a model", ONE("{name: p, machine: m, gpus: 1, cpu: 1, memory: 1Gi, max: 1}"),
	 "gpu and gpus belong together"},
	{"min over max", ONE("{name: p, machine: g2-standard-8, min: 3, max: 1}"), "expected min <= count <= max"},
	{"negative", ONE("{name: p, machine: g2-standard-8, max: -1}"), "max: found -1, expected 0 to 1000"},
	{"more than fits", ONE("{name: p, machine: g2-standard-8, max: 200000000000000000}"),
	 "max: found 200000000000000000, expected 0 to 1000"},
	{"too large", ONE("{name: p, machine: g2-standard-8, max: 99999999999999999999}"), "max"},
	{"text for a number", ONE("{name: p, machine: g2-standard-8, max: many}"),
	 "max: found many, expected a number"},
	{"number for a flag", ONE("{name: p, machine: g2-standard-8, max: 1, spot: 1}"),
	 "spot: found 1, expected true or false"},
	{"no quantity", ONE("{name: p, machine: g2-standard-8, max: 1, memory: lots}"), "memory: found \"lots\""},
	{"negative quantity", ONE("{name: p, machine: g2-standard-8, max: 1, cpu: \"-1\"}"), "cpu: found \"-1\""},
	{"time stands still", "timeScale: 0\nclusters: []", "timeScale: found 0"},
	{"pools are no list", "clusters:\n- {name: c, cloud: gke, pools: 7}", "pools: expected a list"},
	{"a pool that is no map", "clusters:\n- {name: c, cloud: gke, pools: [7]}", "expected a map"},
	{"broken YAML", "clusters: [", "f.yaml:"},
};

Test(spec, what_is_wrong_is_named_with_its_place)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sw_sim_specs *s = NULL;
		struct sw_err e = parse(bad[i].text, &s);

		cr_expect_eq(e.code, SW_E_INVALID, "%s: not refused", bad[i].name);
		cr_expect(strstr(e.text, bad[i].says), "%s: \"%s\" does not say \"%s\"", bad[i].name, e.text,
			  bad[i].says);
		cr_expect_null(s, "%s", bad[i].name);
		sw_sim_specs_free(s);
	}
}

Test(spec, an_unknown_price_stays_unknown)
{
	struct sw_sim_specs *s;
	struct sw_err e = parse("clusters:\n- {name: c, cloud: gke, region: mars, pools: [{name: p, machine: m, gpu: "
				"T4, gpus: 1, cpu: 4, memory: 16Gi, max: 1}]}",
				&s);

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_expect(isnan(s->at[0].groups[0].price_hour));
	sw_sim_specs_free(s);
}
