/* SPDX-License-Identifier: Apache-2.0 */
/* test_devices.c - nodes with slices, TPUs, shared GPUs and prices of their owner: which pools they make, and what
 * copies become there */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

/* labels and allocatable: JSON members with ' for ". */
static void node(struct cluster *c, const char *name, const char *labels, const char *allocatable)
{
	char path[128], text[2000];
	json_t *o;

	snprintf(text, sizeof text,
		 "{'metadata':{'labels':{%s}},'spec':{},'status':{'allocatable':{'cpu':'32','memory':'64Gi','pods':'"
		 "110',%s},"
		 "'conditions':[{'type':'Ready','status':'True'}]}}",
		 labels, allocatable);
	for (char *p = text; (p = strchr(p, '\''));)
		*p = '"';
	cr_assert(!sw_failed(sw_json_parse(text, strlen(text), &o)), "%s", text);
	snprintf(path, sizeof path, "/api/v1/nodes/%s", name);
	cluster_put(c, path, o);
}

static const struct sw_pool *pool(struct cluster *c, const char *name)
{
	const struct sw_pool *p = sw_worker_pool(c->w, name);

	if (!p) {
		const struct sw_pool *all;

		for (size_t i = 0, n = sw_worker_pools(c->w, &all); i < n; i++)
			cr_log_error("there is a pool %s (%s)", all[i].name, all[i].model);
	}
	cr_assert_not_null(p, "no pool %s", name);
	return p;
}

Test(devices, slices_and_tpus_make_pools_of_their_own)
{
	static const struct {
		const char *name, *labels, *allocatable, *pool, *model, *resource, *topology;
		int gpus;
	} rows[] = {
		{"whole", "'nvidia.com/gpu.product':'NVIDIA-A100-SXM4-40GB'", "'nvidia.com/gpu':'8'", "a100-40gb",
		 "A100-40GB", "nvidia.com/gpu", NULL, 8},
		{"single", "'nvidia.com/gpu.product':'NVIDIA-A100-SXM4-40GB-MIG-1g.5gb'", "'nvidia.com/gpu':'56'",
		 "a100-40gb-mig-1g-5gb", "A100-40GB-MIG-1g.5gb", "nvidia.com/gpu", NULL, 56},
		{"mixed", "'nvidia.com/gpu.product':'NVIDIA-H100-80GB-HBM3','nvidia.com/mig.strategy':'mixed'",
		 "'nvidia.com/gpu':'0','nvidia.com/mig-3g.40gb':'2','nvidia.com/mig-1g.10gb':'4'", "h100-mig-1g-10gb",
		 "H100-MIG-1g.10gb", "nvidia.com/mig-1g.10gb", NULL, 4},
		{"gke-mig",
		 "'cloud.google.com/gke-accelerator':'nvidia-tesla-a100','cloud.google.com/gke-gpu-partition-size':"
		 "'2g.10gb'",
		 "'nvidia.com/gpu':'3'", "a100-40gb-mig-2g-10gb", "A100-40GB-MIG-2g.10gb", "nvidia.com/gpu", NULL, 3},
		{"tpu",
		 "'cloud.google.com/gke-tpu-accelerator':'tpu-v5-lite-podslice','cloud.google.com/"
		 "gke-tpu-topology':'2x4'",
		 "'google.com/tpu':'8'", "tpu-v5e-2x4", "TPU-v5e", "google.com/tpu", "2x4", 8},
		{"amd", "'amd.com/gpu.product-name':'AMD_Instinct_MI300X_OAM'", "'amd.com/gpu':'8'", "mi300x", "MI300X",
		 "amd.com/gpu", NULL, 8},
		{"spot", "'nvidia.com/gpu.product':'NVIDIA-L4','cloud.google.com/gke-spot':'true'",
		 "'nvidia.com/gpu':'1'", "l4-spot", "L4", "nvidia.com/gpu", NULL, 1},
	};
	struct cluster *c = cluster_new();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		node(c, rows[i].name, rows[i].labels, rows[i].allocatable);
	cluster_open(c);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct sw_pool *p = pool(c, rows[i].pool);

		cr_expect_str_eq(p->model, rows[i].model);
		cr_expect_str_eq(p->gpu_resource, rows[i].resource, "%s", rows[i].name);
		cr_expect_eq(p->gpus, rows[i].gpus, "%s: %d", rows[i].name, p->gpus);
		cr_expect(rows[i].topology ? strcmp(p->topology, rows[i].topology) == 0 : !p->topology, "%s",
			  rows[i].name);
		cr_expect_eq(p->spot, strcmp(rows[i].name, "spot") == 0);
	}
	cluster_free(c);
}

Test(devices, what_is_no_known_device_is_unknown_and_says_why)
{
	static const struct {
		const char *labels, *allocatable, *why;
	} rows[] = {
		{"'nvidia.com/gpu.product':'Tesla-T4-SHARED'", "'nvidia.com/gpu':'10'", "shared in time"},
		{"'cloud.google.com/gke-accelerator':'nvidia-l4','cloud.google.com/"
		 "gke-gpu-sharing-strategy':'time-sharing'",
		 "'nvidia.com/gpu':'10'", "shared in time"},
		{"'nvidia.com/gpu.product':'NVIDIA-L4','nvidia.com/gpu.sharing-strategy':'mps'",
		 "'nvidia.com/gpu':'10'", "shared in time"},
		{"'nvidia.com/gpu.product':'GeForce-GTX-1080'", "'nvidia.com/gpu':'1'",
		 "no label of its nodes names a GPU"},
		{"'nvidia.com/gpu.product':'NVIDIA-A100-SXM4-40GB'", "'nvidia.com/mig-9g.90gb':'1'",
		 "slices that the catalog"},
		{"'node.kubernetes.io/instance-type':'Standard_NV6ads_A10_v5','accelerator':'nvidia'",
		 "'nvidia.com/gpu':'1'", "only a part of a GPU"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cluster *c = cluster_new();

		node(c, "n", rows[i].labels, rows[i].allocatable);
		cluster_open(c);
		const struct sw_pool *p = pool(c, "unknown");

		cr_expect_str_eq(p->model, "unknown");
		cr_expect(p->model_why && strstr(p->model_why, rows[i].why), "%s: %s", rows[i].labels, p->model_why);
		cluster_free(c);
	}
}

static json_t *posted(struct cluster *c, const char *pool_name, const char *resource)
{
	struct sw_demand demand = {.n_sets = 1, .gpus = 1, .gpu_memory_bytes = 4ll << 30};
	json_t *job = cluster_job("ns", "a", 1, 1);

	demand.sets[0] = (struct sw_podset){.count = 1, .cpu_milli = 1000, .gpus = 1, .gpu_resource = resource};
	struct sw_offer o = {.key = "ns/job-a",
			     .kind = sw_kind_named("job"),
			     .ns = "ns",
			     .name = "a",
			     .owner_uid = "owner-1",
			     .attempt = 1,
			     .pool = pool_name,
			     .demand = &demand};
	int missing;
	struct sw_err e = sw_worker_reserve(c->w, &o, &missing);

	cr_assert(!sw_failed(e) && missing == 0, "%s %d", e.text, missing);
	e = sw_worker_start(c->w, &o, job, cluster_done, c);
	cr_assert(!sw_failed(e), "%s", e.text);
	cluster_turn(c, 0);
	json_object_put(job);
	job = cluster_get(c, "/apis/batch/v1/namespaces/ns/jobs/a");
	cr_assert_not_null(job);
	return sw_json_at(job, "spec.template.spec");
}

static bool tolerates(json_t *spec, const char *key)
{
	json_t *list = sw_json_at(spec, "tolerations");

	for (size_t i = 0; i < sw_json_len(list); i++)
		if (strcmp(sw_json_str(sw_json_idx(list, i), "key"), key) == 0)
			return true;
	return false;
}

Test(devices, a_copy_on_a_slice_asks_for_the_slice)
{
	struct cluster *c = cluster_new();

	node(c, "mixed", "'nvidia.com/gpu.product':'NVIDIA-A100-SXM4-40GB'", "'nvidia.com/mig-1g.5gb':'7'");
	node(c, "whole", "'nvidia.com/gpu.product':'NVIDIA-A100-SXM4-40GB'", "'nvidia.com/gpu':'8'");
	cluster_open(c);
	json_t *spec = posted(c, "a100-40gb-mig-1g-5gb", "nvidia.com/gpu");
	json_t *limits = sw_json_at(sw_json_idx(sw_json_key(spec, "containers"), 0), "resources.limits");

	cr_expect(sw_json_key(limits, "nvidia.com/mig-1g.5gb") && !sw_json_key(limits, "nvidia.com/gpu"), "%s",
		  json_object_to_json_string(spec));
	cr_expect(tolerates(spec, "nvidia.com/gpu"));
	cr_expect_null(sw_json_key(spec, "nodeSelector"), "no label tells the nodes apart, the resource does");
	cluster_free(c);
}

Test(devices, a_pod_on_a_slice_takes_one_of_them)
{
	struct cluster *c = cluster_new();
	const struct sw_node *nodes;

	node(c, "mixed", "'nvidia.com/gpu.product':'NVIDIA-A100-SXM4-40GB'", "'nvidia.com/mig-1g.5gb':'7'");
	cluster_pod(c, "p", "mixed", 1, 0, NULL, NULL, 0);
	json_t *pod = sw_json_copy(cluster_get(c, "/api/v1/namespaces/ns/pods/p"));

	cr_assert_not_null(pod);
	json_t *limits = json_object_new_object();

	json_object_object_add(limits, "nvidia.com/mig-1g.5gb", json_object_new_string("2"));
	sw_json_set(sw_json_idx(sw_json_at(pod, "spec.containers"), 0), "resources.limits", limits);
	cluster_put(c, "/api/v1/namespaces/ns/pods/p", pod);
	cluster_open(c);
	cr_assert_eq(sw_worker_nodes(c->w, &nodes), 1);
	cr_expect(nodes[0].gpu_total == 7 && nodes[0].gpu_free == 5, "%d of %d", (int)nodes[0].gpu_free,
		  (int)nodes[0].gpu_total);
	cluster_free(c);
}

Test(devices, a_copy_on_a_tpu_names_its_topology)
{
	struct cluster *c = cluster_new();

	node(c, "t0",
	     "'cloud.google.com/gke-nodepool':'t','cloud.google.com/"
	     "gke-tpu-accelerator':'tpu-v6e-slice','cloud.google.com/"
	     "gke-tpu-topology':'2x2'",
	     "'google.com/tpu':'4'");
	node(c, "t1",
	     "'cloud.google.com/gke-nodepool':'u','cloud.google.com/"
	     "gke-tpu-accelerator':'tpu-v6e-slice','cloud.google.com/"
	     "gke-tpu-topology':'4x4'",
	     "'google.com/tpu':'4'");
	cluster_open(c);
	struct sw_target to;

	cr_assert(!sw_failed(sw_worker_target(c->w, "tpu-v6e-2x2", &to)));
	cr_expect_str_eq(json_object_get_string(sw_json_key(to.labels, "cloud.google.com/gke-tpu-topology")), "2x2");
	cr_expect_str_eq(to.gpu->model, "TPU-v6e");
	sw_target_fini(&to);
	cluster_free(c);
}

Test(devices, pods_keep_off_spot_nodes_that_their_cloud_does_not_taint)
{
	struct cluster *c = cluster_new();
	struct sw_target to;

	node(c, "a", "'cloud.google.com/gke-nodepool':'a','nvidia.com/gpu.product':'NVIDIA-L4'",
	     "'nvidia.com/gpu':'1'");
	node(c, "b",
	     "'cloud.google.com/gke-nodepool':'b','nvidia.com/gpu.product':'NVIDIA-L4','cloud.google.com/"
	     "gke-spot':'true'",
	     "'nvidia.com/gpu':'1'");
	cluster_open(c);
	cr_assert(!sw_failed(sw_worker_target(c->w, "l4", &to)));
	cr_expect(to.spot == SW_SPOT_NEVER && to.provider && strcmp(to.provider, "gke") == 0);
	sw_target_fini(&to);
	cr_assert(!sw_failed(sw_worker_target(c->w, "l4-spot", &to)));
	cr_expect(to.spot == SW_SPOT_REQUIRE && to.provider && strcmp(to.provider, "gke") == 0);
	sw_target_fini(&to);
	cluster_free(c);
}

Test(devices, what_the_site_says_is_what_its_own_machines_cost)
{
	static const char text[] = "[{\"cluster\":\"east\",\"pool\":\"*\",\"gpu_hour\":1.5,\"date\":\"2026-01-02\"},"
				   "{\"cluster\":\"east\",\"pool\":\"t4\",\"node_hour\":0.5,\"date\":\"2026-01-03\"}]";
	struct cluster *c = cluster_new();
	struct sw_catalog_row rows[2];
	json_t *cells;

	cr_assert(!sw_failed(sw_json_parse(text, sizeof text - 1, &cells)));
	for (size_t i = 0; i < 2; i++)
		rows[i] = (struct sw_catalog_row){SW_TABLE_PRICES, sw_json_idx(cells, i), "f.yaml:9:9"};
	sw_catalog_free(c->catalog);
	cr_assert(!sw_failed(sw_catalog_load_site(&(struct sw_catalog_site){.rows = rows, .n_rows = 2}, &c->catalog)));
	json_object_put(cells);
	cluster_node(c, "n0", "V100", 4, 16);
	cluster_node(c, "n1", "T4", 2, 16);
	cluster_node(c, "n2", "", 0, 16);
	node(c, "n3", "'nvidia.com/gpu.product':'NVIDIA-A100-SXM4-40GB-MIG-1g.5gb'", "'nvidia.com/gpu':'8'");
	cluster_open(c);
	cr_expect_float_eq(pool(c, "v100")->price_hour, 6, 1e-9, "%g", pool(c, "v100")->price_hour);
	cr_expect_float_eq(pool(c, "t4")->price_hour, 0.5, 1e-9);
	cr_expect(isnan(pool(c, "cpu")->price_hour), "a price per GPU says nothing about nodes without");
	cr_expect_float_eq(pool(c, "a100-40gb-mig-1g-5gb")->price_hour, 1.5, 1e-9, "eight eighths of a GPU's memory");
	cr_expect_gt(pool(c, "t4")->priced_at_ms, pool(c, "v100")->priced_at_ms);
	cluster_free(c);
}
