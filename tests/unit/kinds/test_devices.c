/* SPDX-License-Identifier: Apache-2.0 */
/* test_devices.c - which device may serve which request, slices and TPUs too */
#include <stdio.h>
#include "kinds_test.h"

static struct sw_catalog *catalog(void)
{
	struct sw_catalog *c;

	cr_assert(!sw_failed(sw_catalog_load(&c)));
	return c;
}

/* Two pods with n of resource each, and these annotations. */
static json_t *job(const char *resource, int n, const char *annotations)
{
	char text[400];

	snprintf(
		text, sizeof text,
		"{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'j'},'spec':{'parallelism':2,'completions':2,"
		"'template':{'spec':{'containers':[{'name':'c','resources':{'limits':{'%s':'%d'}}}]}}}}",
		resource, n);
	json_t *o = json_of(text);

	sw_json_set(o, "metadata.annotations", json_of(annotations));
	return o;
}

Test(kinds_devices, a_device_serves_what_it_can_and_says_why_not)
{
	static const struct {
		const char *resource;
		int n;
		const char *annotations, *gpu, *why; /* NULL: it serves */
	} rows[] = {
		{"nvidia.com/gpu", 1, "{}", "H100", NULL},
		{"nvidia.com/gpu", 1, "{}", "A100-40GB-MIG-1g.5gb",
		 "says how much memory it needs (spillway.dev/gpu-memory)"},
		{"nvidia.com/gpu", 1, "{'spillway.dev/gpu-memory':'4Gi'}", "A100-40GB-MIG-1g.5gb", NULL},
		{"nvidia.com/gpu", 1, "{'spillway.dev/gpu-memory':'5Gi'}", "A100-40GB-MIG-1g.5gb", NULL},
		{"nvidia.com/gpu", 1, "{'spillway.dev/gpu-memory':'6Gi'}", "A100-40GB-MIG-1g.5gb",
		 "has 5Gi of memory, the job needs 6Gi"},
		{"nvidia.com/gpu", 2, "{'spillway.dev/gpu-memory':'4Gi'}", "A100-40GB-MIG-1g.5gb",
		 "one slice, the pods ask for 2 GPUs"},
		{"nvidia.com/gpu", 1, "{'spillway.dev/gpu-memory':'4Gi','spillway.dev/gpu':'A100'}",
		 "A100-40GB-MIG-1g.5gb", NULL},
		{"nvidia.com/gpu", 1, "{'spillway.dev/gpu-memory':'4Gi','spillway.dev/gpu':'H100'}",
		 "A100-40GB-MIG-1g.5gb", "not among the GPUs asked for"},
		{"nvidia.com/gpu", 1, "{'spillway.dev/gpu':'A100-40GB-MIG-1g.5gb','spillway.dev/gpu-memory':'1Gi'}",
		 "A100-40GB-MIG-1g.5gb", NULL},
		{"nvidia.com/gpu", 1, "{'spillway.dev/gpu-memory':'4Gi','spillway.dev/precision':'fp8'}",
		 "A100-40GB-MIG-1g.5gb", "has no fp8"},
		{"nvidia.com/mig-1g.5gb", 1, "{}", "A100-40GB-MIG-1g.5gb", NULL},
		{"nvidia.com/mig-1g.5gb", 3, "{}", "A100-40GB-MIG-1g.5gb", NULL},
		{"nvidia.com/mig-1g.5gb", 1, "{}", "H100-MIG-1g.10gb", NULL},
		{"nvidia.com/mig-1g.5gb", 1, "{}", "T4", NULL},
		{"nvidia.com/mig-3g.20gb", 1, "{}", "T4", "T4 has 16Gi of memory, a slice 3g.20gb has 20Gi"},
		{"nvidia.com/mig-2g.10gb", 1, "{}", "A100-40GB-MIG-1g.10gb",
		 "a smaller share of a GPU than the 2g.10gb asked for"},
		{"nvidia.com/mig-1g.10gb.me", 1, "{}", "A100-40GB-MIG-1g.10gb", NULL},
		{"nvidia.com/mig-half", 1, "{}", "H100", "no MIG profile"},
		{"nvidia.com/mig-1g.5gb", 1, "{}", "MI300X",
		 "is counted as amd.com/gpu, the job asks for nvidia.com/mig-1g.5gb"},
		{"nvidia.com/gpu", 2, "{}", "MI300X", "is counted as amd.com/gpu, the job asks for nvidia.com/gpu"},
		{"nvidia.com/gpu", 2, "{'spillway.dev/gpu':'H100,MI300X'}", "MI300X", NULL},
		{"amd.com/gpu", 2, "{'spillway.dev/gpu':'H100,MI300X'}", "H100", NULL},
		{"amd.com/gpu", 1, "{'spillway.dev/gpu':'A100,MI300X','spillway.dev/gpu-memory':'4Gi'}",
		 "A100-40GB-MIG-1g.5gb", "is counted as nvidia.com/mig-1g.5gb, the job asks for amd.com/gpu"},
		{"google.com/tpu", 4, "{}", "TPU-v5e", NULL},
		{"google.com/tpu", 4, "{'spillway.dev/gpu':'TPU-v6e'}", "TPU-v5e", "not among the GPUs asked for"},
		{"google.com/tpu", 4, "{}", "H100", "is counted as nvidia.com/gpu, the job asks for google.com/tpu"},
		{"nvidia.com/gpu", 4, "{'spillway.dev/gpu':'H100,TPU-v5e'}", "TPU-v5e", "is counted as google.com/tpu"},
	};
	struct sw_catalog *c = catalog();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *o = job(rows[i].resource, rows[i].n, rows[i].annotations);
		struct sw_demand d;
		char buf[200];
		struct sw_err e = sw_demand_read(&sw_kind_job, o, c, &d);

		cr_assert(!sw_failed(e), "%s %s: %s", rows[i].resource, rows[i].annotations, e.text);
		cr_expect_eq(d.gpus, 2 * rows[i].n);
		const struct sw_gpu *gpu = sw_catalog_gpu(c, rows[i].gpu);

		cr_assert_not_null(gpu, "%s", rows[i].gpu);
		const char *why = sw_demand_refuses(&d, gpu, buf, sizeof buf);

		if (rows[i].why)
			cr_expect(why && strstr(why, rows[i].why), "%s %s on %s: %s", rows[i].resource,
				  rows[i].annotations, rows[i].gpu, why ? why : "served");
		else
			cr_expect_null(why, "%s %s on %s: %s", rows[i].resource, rows[i].annotations, rows[i].gpu, why);
		json_object_put(o);
	}
	sw_catalog_free(c);
}

Test(kinds_devices, a_pod_with_two_kinds_of_devices_is_refused)
{
	struct sw_catalog *c = catalog();
	json_t *o = job("nvidia.com/gpu", 1, "{}");
	struct sw_demand d;

	sw_json_set(sw_json_idx(sw_json_at(o, "spec.template.spec.containers"), 0), "resources.limits",
		    json_of("{'nvidia.com/gpu':1,'nvidia.com/mig-1g.5gb':1}"));
	struct sw_err e = sw_demand_read(&sw_kind_job, o, c, &d);

	cr_expect(e.code == SW_E_INVALID && strstr(e.text, "expected one kind of GPU in a pod"), "%s", e.text);
	json_object_put(o);
	sw_catalog_free(c);
}

Test(kinds_devices, a_slice_of_many_nodes_is_taken_whole)
{
	static const struct {
		const char *topology;
		int per_node, pods, chips; /* of the job: pods with so many chips */
		const char *why;
	} rows[] = {
		{"2x2", 4, 1, 4, NULL},
		{"2x4", 8, 3, 2, NULL},
		{"4x4", 4, 4, 4, NULL},
		{"4x4", 4, 8, 4, NULL},
		{"4x4", 4, 2, 4, "a slice 4x4 is taken whole: the job asks for 8 chips, not for a multiple of 16"},
		{"4x4", 4, 16, 1, "a slice 4x4 of 4 nodes is taken by pods with 4 chips each, the job's have 1"},
		{"2x2x4", 4, 4, 4, NULL},
		{"2x2x4", 4, 1, 4, "not for a multiple of 16"},
		{NULL, 4, 1, 1, NULL},
		{"", 4, 1, 1, NULL},
		{"4by4", 4, 1, 1, NULL},
		{"0x4", 4, 1, 1, NULL},
		{"99999999999999999999x2", 4, 1, 1, NULL},
		{"1024x1024x1024", 4, 1, 1, NULL},
		{"-2x-2", 1, 1, 1, NULL},
		{"2x", 1, 1, 1, NULL},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_demand d = {.n_sets = 1, .gpus = rows[i].pods * rows[i].chips};
		char buf[200];

		d.sets[0] = (struct sw_podset){
			.count = rows[i].pods, .gpus = rows[i].chips, .gpu_resource = "google.com/tpu"};
		const char *why = sw_demand_refuses_topology(&d, rows[i].topology, rows[i].per_node, buf, sizeof buf);

		if (rows[i].why)
			cr_expect(why && strstr(why, rows[i].why), "row %zu: %s", i, why ? why : "served");
		else
			cr_expect_null(why, "row %zu: %s", i, why);
	}
	cr_expect_eq(sw_topology_chips("2x2x4"), 16);
	cr_expect_eq(sw_topology_chips("8"), 8);
}
