/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pools.c - node pools: growth, stockout, quota and release as a script of words, and the sizes that must come out
 */
#include "../../../providers/sim/objects.h"
#include "sim_test.h"

struct pool_world {
	json_t *pool;
	struct sim_pool_memory mem;
	struct sim_clock clock;
	int64_t again;
	int rounds;
};

static void pw_settle(struct pool_world *w)
{
	for (int i = 0; i < 20; i++) {
		struct sim_pool_plan p;
		bool wrote = true;

		sim_pool_plan(sim_cloud_find("gke"), "c", w->pool, &w->clock, &w->mem, &p);
		if (p.status)
			sw_json_set(w->pool, "status", sw_json_copy(p.status));
		else if (p.desired >= 0) {
			sw_json_set_int(w->pool, "spec.desired", p.desired);
			sw_json_set_int(w->pool, "metadata.generation",
					sw_json_int(w->pool, "metadata.generation", 1) + 1);
		} else
			wrote = false;
		w->again = p.again_ms;
		sim_pool_plan_fini(&p);
		if (!wrote)
			return;
	}
	cr_assert_fail("does not settle: %s", sw_json_text(w->pool, NULL));
}

/* "want=3", "+60s", "stockout", "stock", "quota=2", "release=0" (the n-th listed instance; desired falls too) */
static void pw_word(struct pool_world *w, const char *word)
{
	const char *arg = strchr(word, '=') ? strchr(word, '=') + 1 : "0";
	int64_t ms;

	if (*word == '+') {
		cr_assert(!sw_failed(sw_duration_parse(word + 1, &ms)));
		w->clock.wall_ms += ms;
		return;
	}
	if (strncmp(word, "want", 4) == 0)
		sw_json_set_int(w->pool, "spec.desired", atoi(arg));
	else if (strncmp(word, "quota", 5) == 0)
		sw_json_set_int(w->pool, "spec.quota", atoi(arg));
	else if (strncmp(word, "stock", 5) == 0)
		sw_json_set_bool(w->pool, "spec.stockout", strcmp(word, "stockout") == 0);
	else {
		json_t *x = sw_json_idx(sw_json_at(w->pool, "status.instances"), (size_t)atoi(arg)),
		       *list = json_object_new_array();

		cr_assert(x);
		json_object_array_add(list, json_object_get(sw_json_key(x, "id")));
		sw_json_set(w->pool, "spec.release", list);
		sw_json_set_int(w->pool, "spec.desired", sw_json_int(w->pool, "spec.desired", 0) - 1);
	}
	sw_json_set_int(w->pool, "metadata.generation", sw_json_int(w->pool, "metadata.generation", 1) + 1);
}

static const struct {
	const char *name, *script;
	int desired, nodes, ready;
	const char *error;
} rows[] = {
	{"at rest", "", 0, 0, 0, ""},
	{"growth takes its time", "want=2 +59s", 2, 2, 0, ""},
	{"and then the nodes are there", "want=2 +60s", 2, 2, 2, ""},
	{"more can be asked for meanwhile", "want=1 +30s want=2 +30s", 2, 2, 1, ""},
	{"never above the maximum", "want=99 +60s", 99, 4, 4, ""},
	{"a stockout is silent for a while", "stockout want=2 +29s", 2, 0, 0, ""},
	{"and then the growth fails as a whole", "stockout want=2 +30s", 0, 0, 0, "ZONE_RESOURCE_POOL_EXHAUSTED"},
	{"what was there before stays", "want=1 +60s stockout want=3 +30s", 1, 1, 1, "ZONE_RESOURCE_POOL_EXHAUSTED"},
	{"the error stays until something grows", "stockout want=2 +30s stock +10m", 0, 0, 0,
	 "ZONE_RESOURCE_POOL_EXHAUSTED"},
	{"then it goes", "stockout want=2 +30s stock want=1", 1, 1, 0, ""},
	{"a second try fails anew", "stockout want=2 +30s want=1 +30s", 0, 0, 0, "ZONE_RESOURCE_POOL_EXHAUSTED"},
	{"stock that comes back in time is used", "stockout want=2 +10s stock +60s", 2, 2, 2, ""},
	{"quota grants a part", "quota=2 want=3 +60s", 2, 2, 2, "QUOTA_EXCEEDED"},
	{"no quota, no node", "quota=0 want=1", 0, 0, 0, "QUOTA_EXCEEDED"},
	{"named instances go and are not replaced", "want=3 +60s release=1 +60s", 2, 2, 2, ""},
	{"they are there for a moment yet", "want=3 +60s release=1 +1s", 2, 3, 2, ""},
	{"an instance that is not made yet goes at once", "want=2 +1s release=0", 1, 1, 0, ""},
	{"shrinking without names takes the youngest", "want=3 +60s want=1 +10s", 1, 1, 1, ""},
	{"growing and shrinking cancel out", "want=3 +1s want=0", 0, 0, 0, ""},
};

Test(pools, a_pool_grows_shrinks_and_fails_as_told)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pool_world w = {.clock = {.wall_ms = 1764000000000, .scale = 1}};
		char *copy = sw_strdup(rows[i].script), *save = NULL, *text;
		json_t *error;

		w.pool = json_of("{'metadata':{'name':'h100','generation':1},'spec':{'machineType':'a3-highgpu-8g','"
				 "zone':'z','maxNodes':4,'desired':0,'quota':-1,'growSeconds':60}}");
		pw_settle(&w);
		for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
			pw_word(&w, word);
			pw_settle(&w);
		}
		text = sw_json_text(w.pool, NULL);
		error = sw_json_idx(sw_json_at(w.pool, "status.errors"), 0);
		cr_expect_eq(sw_json_int(w.pool, "spec.desired", -1), rows[i].desired, "%s: desired: %s", rows[i].name,
			     text);
		cr_expect_eq(sw_json_int(w.pool, "status.nodes", -1), rows[i].nodes, "%s: nodes: %s", rows[i].name,
			     text);
		cr_expect_eq(sw_json_int(w.pool, "status.ready", -1), rows[i].ready, "%s: ready: %s", rows[i].name,
			     text);
		cr_expect_str_eq(error ? sw_json_str(error, "code") : "", rows[i].error, "%s: error: %s", rows[i].name,
				 text);
		free(text);
		free(copy);
		sim_pool_memory_fini(&w.mem);
		json_object_put(w.pool);
	}
}

Test(pools, time_is_scaled)
{
	struct pool_world w = {.clock = {.wall_ms = 1764000000000, .scale = 60}};

	w.pool = json_of("{'metadata':{'name':'p'},'spec':{'maxNodes':4,'desired':1,'growSeconds':60}}");
	pw_settle(&w);
	cr_expect_eq(w.again, 1000);
	cr_expect_eq(sw_json_int(w.pool, "status.growMillis", 0), 1000);
	sim_pool_memory_fini(&w.mem);
	json_object_put(w.pool);
}

Test(pools, hostile_pools_do_no_harm)
{
	static const char *const hostile[] = {
		"{}",
		"{'spec':7}",
		"{'spec':{'desired':-5,'maxNodes':-1}}",
		"{'spec':{'desired':'x','release':'y'}}",
		"{'metadata':{'name':'p'},'spec':{'desired':1,'maxNodes':1,'release':[null,3,{}],'growSeconds':-1}}",
	};

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct pool_world w = {.clock = {.wall_ms = 1, .scale = 1}};

		w.pool = json_of(hostile[i]);
		pw_settle(&w);
		cr_expect_leq(w.mem.n, 1);
		sim_pool_memory_fini(&w.mem);
		json_object_put(w.pool);
	}
}

/* ---- nodes ------------------------------------------------------------------------- */

Test(pools, nodes_look_as_each_cloud_makes_them)
{
	static const struct {
		const char *cloud, *pool, *key, *value;
	} labels[] = {
		{"gke",
		 "{'metadata':{'name':'p'},'spec':{'model':'H100','gpus':8,'machineType':'m','region':'r','zone':'z'}}",
		 "cloud.google.com/gke-accelerator", "nvidia-h100-80gb"},
		{"gke",
		 "{'metadata':{'name':'p'},'spec':{'model':'H100','gpus':8,'machineType':'m','region':'r','zone':'z'}}",
		 "cloud.google.com/gke-nodepool", "p"},
		{"gke", "{'metadata':{'name':'p'},'spec':{'spot':true,'machineType':'m','region':'r','zone':'z'}}",
		 "cloud.google.com/gke-spot", "true"},
		{"aks",
		 "{'metadata':{'name':'p'},'spec':{'model':'A100-40GB','gpus':8,'machineType':'Standard_ND96asr_v4','"
		 "region':'r','zone':'z'}}",
		 "agentpool", "p"},
		{"aks",
		 "{'metadata':{'name':'p'},'spec':{'model':'A100-40GB','gpus':8,'machineType':'Standard_ND96asr_v4','"
		 "region':'r','zone':'z'}}",
		 "node.kubernetes.io/instance-type", "Standard_ND96asr_v4"},
		{"aks", "{'metadata':{'name':'p'},'spec':{'spot':true,'machineType':'m','region':'r','zone':'z'}}",
		 "kubernetes.azure.com/scalesetpriority", "spot"},
		{"onprem",
		 "{'metadata':{'name':'p'},'spec':{'model':'V100','gpus':8,'machineType':'dgx','region':'','zone':''}}",
		 "nvidia.com/gpu.product", "Tesla-V100-SXM2-16GB"},
		{"onprem", "{'metadata':{'name':'p'},'spec':{'labels':{'a/b':'c'},'machineType':'dgx'}}", "a/b", "c"},
	};

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		json_t *pool = json_of(labels[i].pool),
		       *node = sim_node_object(sim_cloud_find(labels[i].cloud), pool, "n");
		const char *is = sw_json_label(node, labels[i].key);

		cr_expect(is && strcmp(is, labels[i].value) == 0, "%s: %s is %s", labels[i].cloud, labels[i].key,
			  is ? is : "(absent)");
		json_object_put(node);
		json_object_put(pool);
	}
}

Test(pools, the_catalog_knows_the_gpu_of_every_simulated_node)
{
	static const struct {
		const char *cloud, *model, *machine;
	} nodes[] = {
		{"gke", "H100", "a3-highgpu-8g"},
		{"gke", "L4", "g2-standard-8"},
		{"gke", "T4", "x"},
		{"gke", "A100-40GB", "x"},
		{"gke", "A100-80GB", "x"},
		{"gke", "V100", "x"},
		{"gke", "H200", "x"},
		{"gke", "B200", "x"},
		{"aks", "A100-40GB", "Standard_ND96asr_v4"},
		{"onprem", "V100", "dgx-1"},
		{"onprem", "V100-32GB", "x"},
		{"onprem", "T4", "x"},
		{"onprem", "H100", "x"},
		{"onprem", "A100-80GB", "x"},
		{"onprem", "L4", "x"},
	};
	struct sw_catalog *catalog;

	cr_assert(!sw_failed(sw_catalog_load(&catalog)));
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		json_t *pool = sw_json_fmt(
			"{\"metadata\":{\"name\":\"p\"},\"spec\":{\"model\":\"%s\",\"gpus\":1,\"machineType\":\"%s\"}}",
			nodes[i].model, nodes[i].machine);
		json_t *node = sim_node_object(sim_cloud_find(nodes[i].cloud), pool, "n");
		const struct sw_gpu *gpu = sw_catalog_node_gpu(catalog, node);

		cr_expect(gpu && strcmp(gpu->model, nodes[i].model) == 0, "%s %s: found %s", nodes[i].cloud,
			  nodes[i].model, gpu ? gpu->model : "nothing");
		json_object_put(node);
		json_object_put(pool);
	}
	sw_catalog_free(catalog);
}
