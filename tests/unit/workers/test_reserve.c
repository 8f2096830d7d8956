/* SPDX-License-Identifier: Apache-2.0 */
/* test_reserve.c - capacity of a cluster, and the life of reservations in it */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "cluster.h"

static struct sw_demand demand_of(int count, int gpus)
{
	struct sw_demand d = {.n_sets = 1};
	d.sets[0] = (struct sw_podset){
		.count = count, .cpu_milli = 1000, .gpus = gpus, .gpu_resource = gpus ? "nvidia.com/gpu" : NULL};
	return d;
}

static int reserve(struct cluster *c, const char *key, const char *pool, const struct sw_demand *d)
{
	struct sw_offer o = {.key = key,
			     .kind = sw_kind_named("job"),
			     .ns = "ns",
			     .name = key + 3,
			     .owner_uid = "owner-1",
			     .attempt = 1,
			     .pool = pool,
			     .demand = d};
	int missing = -99;
	cr_assert(!sw_failed(sw_worker_reserve(c->w, &o, &missing)));
	return missing;
}

static const struct sw_node *node(struct cluster *c, const char *name)
{
	const struct sw_node *nodes;
	size_t n = sw_worker_nodes(c->w, &nodes);
	for (size_t i = 0; i < n; i++)
		if (strcmp(nodes[i].name, name) == 0)
			return &nodes[i];
	cr_assert_fail("no node %s", name);
	return NULL;
}

static struct cluster *cluster_with_v100s(int nodes)
{
	struct cluster *c = cluster_new();
	char name[16];
	for (int i = 0; i < nodes; i++) {
		snprintf(name, sizeof name, "n%d", i);
		cluster_node(c, name, "V100", 4, 16);
	}
	cluster_open(c);
	return c;
}

Test(capacity, nodes_make_pools_by_model_with_the_prices_somebody_said)
{
	struct cluster *c = cluster_new();
	c->cfg.options = json_tokener_parse("{\"price_hour\":0,\"prices\":{\"t4\":1.5}}");
	cluster_node(c, "a", "V100", 4, 16);
	cluster_node(c, "b", "T4", 1, 8);
	cluster_node(c, "c", "", 0, 32);
	cluster_node(c, "d", "V100", 8, 16);
	cluster_open(c);
	const struct sw_pool *v = sw_worker_pool(c->w, "v100"), *t = sw_worker_pool(c->w, "t4"),
			     *cpu = sw_worker_pool(c->w, "cpu");
	const struct sw_pool *pools;
	cr_assert_eq(sw_worker_pools(c->w, &pools), 3);
	cr_assert(v && t && cpu);
	cr_expect(v->size == 2 && v->gpus == 8 && v->max == 2 && !v->growable && strcmp(v->model, "V100") == 0);
	cr_expect_eq(v->price_hour, 0);
	cr_expect_eq(t->price_hour, 1.5);
	cr_expect(v->label_key && strcmp(v->label_key, "spillway.dev/gpu") == 0 && strcmp(v->label_value, "V100") == 0);
	cr_expect_str_eq(cpu->model, "");
	cr_expect_str_eq(node(c, "d")->pool, "v100");
	json_object_put(c->cfg.options);
	cluster_free(c);
}

Test(capacity, a_price_nobody_said_is_unknown)
{
	struct cluster *c = cluster_with_v100s(1);
	cr_expect(isnan(sw_worker_pool(c->w, "v100")->price_hour));
	cluster_free(c);
}

Test(capacity, foreign_pods_count_and_finished_ones_do_not)
{
	struct cluster *c = cluster_with_v100s(1);
	cr_expect(node(c, "n0")->empty);
	cluster_pod(c, "foreign", "n0", 6, 3, NULL, NULL, 0);
	cr_expect_eq(node(c, "n0")->gpu_free, 1);
	cr_expect_eq(node(c, "n0")->cpu_free, 10000);
	cr_expect_eq(node(c, "n0")->pods_free, 109);
	cr_expect(!node(c, "n0")->empty && node(c, "n0")->empty_since_ms == 0);
	json_t *pod = sw_json_copy(cluster_get(c, "/api/v1/namespaces/ns/pods/foreign"));
	sw_json_set_str(pod, "status.phase", "Succeeded");
	cluster_put(c, "/api/v1/namespaces/ns/pods/foreign", pod);
	cr_expect_eq(node(c, "n0")->gpu_free, 4);
	cr_expect(node(c, "n0")->empty && node(c, "n0")->empty_since_ms > 0);
	cluster_delete(c, "/api/v1/namespaces/ns/pods/foreign");
	cr_expect_eq(node(c, "n0")->gpu_free, 4);
	cluster_free(c);
}

Test(capacity, daemons_take_room_but_leave_a_node_empty)
{
	struct cluster *c = cluster_with_v100s(1);
	cluster_pod(c, "ds", "n0", 2, 0, NULL, NULL, 0);
	json_t *pod = sw_json_copy(cluster_get(c, "/api/v1/namespaces/ns/pods/ds"));
	sw_json_set(pod, "metadata.ownerReferences", json_tokener_parse("[{\"kind\":\"DaemonSet\"}]"));
	cluster_put(c, "/api/v1/namespaces/ns/pods/ds", pod);
	cr_expect(node(c, "n0")->empty);
	cr_expect_eq(node(c, "n0")->cpu_free, 14000);
	cluster_free(c);
}

static const struct {
	const char *spec;
	bool usable, cordoned;
} states[] = {
	{"{}", true, false},
	{"{\"unschedulable\":true}", false, false},
	{"{\"taints\":[{\"key\":\"nvidia.com/gpu\",\"value\":\"present\",\"effect\":\"NoSchedule\"}]}", true, false},
	{"{\"taints\":[{\"key\":\"spillway.dev/burst\",\"value\":\"x\",\"effect\":\"NoSchedule\"}]}", true, false},
	{"{\"taints\":[{\"key\":\"maintenance\",\"effect\":\"NoExecute\"}]}", false, false},
	{"{\"taints\":[{\"key\":\"tired\",\"effect\":\"PreferNoSchedule\"}]}", true, false},
	{"{\"taints\":[{\"key\":\"cloud.google.com/gke-spot\",\"value\":\"true\",\"effect\":\"NoSchedule\"}]}", true,
	 false},
	{"{\"taints\":[{}]}", true, false},
	{"{\"taints\":7}", true, false},
};

Test(capacity, taints_and_cordons_decide_whether_a_node_is_usable)
{
	struct cluster *c = cluster_with_v100s(1);
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		json_t *n = sw_json_copy(cluster_get(c, "/api/v1/nodes/n0"));
		sw_json_set(n, "spec", json_tokener_parse(states[i].spec));
		cluster_put(c, "/api/v1/nodes/n0", n);
		cr_expect_eq(node(c, "n0")->usable, states[i].usable, "row %zu", i);
		cr_expect_eq(node(c, "n0")->cordoned, states[i].cordoned, "row %zu", i);
	}
	cluster_free(c);
}

Test(capacity, hostile_nodes_and_pods_break_nothing)
{
	static const char *const odd[] = {
		"{}", "{\"metadata\":{\"labels\":7},\"spec\":[],\"status\":\"x\"}",
		"{\"status\":{\"allocatable\":{\"cpu\":null,\"memory\":\"-5\",\"nvidia.com/gpu\":\"1e99\"}}}",
		"{\"metadata\":{\"labels\":{\"spillway.dev/gpu\":null}},\"spec\":{\"taints\":[null,7,{\"key\":5}]}}"};
	static const char *const pods[] = {
		"{}",
		"{\"spec\":{\"nodeName\":7,\"containers\":[null,{\"resources\":{\"requests\":{\"cpu\":\"-1\"}}}]}}",
		("{\"metadata\":{\"labels\":{\"spillway.dev/origin\":\"us\"},\"annotations\":{\"spillway.dev/"
		 "workload-key\":\"\"}},\"spec\":{\"nodeName\":\"ghost\"}}"),
		"{\"metadata\":{\"ownerReferences\":[null,{\"kind\":null}]},\"spec\":{\"nodeName\":\"\"}}"};
	struct cluster *c = cluster_with_v100s(1);
	char path[64];
	for (size_t i = 0; i < 4; i++) {
		const struct sw_node *nodes;
		snprintf(path, sizeof path, "/api/v1/nodes/odd%zu", i);
		cluster_put(c, path, json_tokener_parse(odd[i]));
		snprintf(path, sizeof path, "/api/v1/namespaces/ns/pods/odd%zu", i);
		cluster_put(c, path, json_tokener_parse(pods[i]));
		cr_expect_eq(sw_worker_nodes(c->w, &nodes), i + 2);
	}
	cluster_free(c);
}

Test(reserve, a_gang_takes_room_on_several_nodes_and_only_once)
{
	struct cluster *c = cluster_with_v100s(2);
	struct sw_demand d = demand_of(8, 1);
	cr_expect_eq(reserve(c, "ns/a", "v100", &d), 0);
	cr_expect_eq(reserve(c, "ns/a", "v100", &d), 0, "again is no more");
	cr_expect_eq(node(c, "n0")->gpu_free + node(c, "n1")->gpu_free, 0);
	cr_expect(!node(c, "n0")->empty, "a reserved node is not idle");
	struct sw_demand one = demand_of(1, 1);
	cr_expect_eq(reserve(c, "ns/b", "v100", &one), 1, "it would need a node more");
	cr_expect_eq(sw_worker_fits(c->w, "ns/a", "v100", &d), 0, "what is mine is free for me");
	cr_expect_eq(sw_worker_fits(c->w, "ns/c", "v100", &one), 1);
	sw_worker_unreserve(c->w, "ns/a");
	cr_expect_eq(node(c, "n0")->gpu_free + node(c, "n1")->gpu_free, 7);
	cluster_free(c);
}

Test(reserve, an_answer_is_as_old_as_the_cluster_and_of_one_demand_and_pool)
{
	struct cluster *c = cluster_with_v100s(2);
	struct sw_demand all = demand_of(8, 1), most = demand_of(7, 1);
	for (int again = 0; again < 2; again++) {
		cr_expect_eq(sw_worker_fits(c->w, "ns/a", "v100", &all), 0);
		cr_expect_eq(sw_worker_fits(c->w, "ns/a", "nowhere", &all), -1);
	}
	struct sw_demand one = demand_of(1, 1);
	cr_expect_eq(reserve(c, "ns/b", "v100", &one), 0);
	for (int again = 0; again < 2; again++) {
		cr_expect_neq(sw_worker_fits(c->w, "ns/a", "v100", &all), 0, "one is taken now");
		cr_expect_eq(sw_worker_fits(c->w, "ns/a", "v100", &most), 0);
		cr_expect_eq(sw_worker_fits(c->w, "ns/b", "v100", &one), 0, "its own");
	}
	sw_worker_unreserve(c->w, "ns/b");
	cr_expect_eq(sw_worker_fits(c->w, "ns/a", "v100", &all), 0);
	cluster_free(c);
}

Test(reserve, what_can_never_fit_is_said)
{
	struct cluster *c = cluster_with_v100s(2);
	struct sw_demand wide = demand_of(1, 8), many = demand_of(9, 1), absurd = demand_of(2147483647, 0);
	cr_expect_eq(reserve(c, "ns/a", "v100", &wide), -1);
	cr_expect_eq(reserve(c, "ns/a", "v100", &many), -1, "two nodes that cannot become three");
	cr_expect_eq(reserve(c, "ns/a", "v100", &absurd), -1);
	cr_expect_eq(sw_worker_fits(c->w, NULL, "v100", &absurd), -1);
	cr_expect_eq(sw_worker_fits(c->w, NULL, "nowhere", &wide), -1);
	cr_expect_eq(node(c, "n0")->gpu_free, 4, "nothing is held for it");
	struct sw_offer o = {.key = "ns/x", .pool = "nowhere", .demand = &wide};
	int missing;
	cr_expect_eq(sw_worker_reserve(c->w, &o, &missing).code, SW_E_MISSING);
	cluster_free(c);
}

Test(reserve, pods_that_appear_replace_their_slots)
{
	struct cluster *c = cluster_with_v100s(2);
	struct sw_demand d = demand_of(4, 2);
	cr_assert_eq(reserve(c, "ns/a", "v100", &d), 0);
	cluster_pod(c, "a-0", "n0", 1, 2, "ns/a", "owner-1", 1);
	cr_expect_eq(node(c, "n0")->gpu_free + node(c, "n1")->gpu_free, 0, "counted once");
	cluster_pod(c, "old", "n1", 1, 0, "ns/a", "owner-1", 0);
	cr_expect_eq(node(c, "n0")->gpu_free + node(c, "n1")->gpu_free, 0,
		     "a pod of an earlier attempt replaces nothing");
	cluster_pod(c, "a-1", "n0", 1, 2, "ns/a", "owner-1", 1);
	cluster_pod(c, "a-2", "n1", 1, 2, "ns/a", "owner-1", 1);
	cluster_pod(c, "a-3", NULL, 1, 2, "ns/a", "owner-1", 1);
	cr_expect_eq(node(c, "n1")->gpu_free, 0, "one has no node yet: its room is held");
	cluster_pod(c, "a-3", "n1", 1, 2, "ns/a", "owner-1", 1);
	cluster_delete(c, "/api/v1/namespaces/ns/pods/a-0");
	cr_expect_eq(node(c, "n0")->gpu_free, 2, "all were there once: now the pods speak for themselves");
	cr_expect_eq(reserve(c, "ns/a", "v100", &d), 0);
	cr_expect_eq(node(c, "n0")->gpu_free, 2);
	cluster_free(c);
}

Test(reserve, the_older_reservation_keeps_its_place_when_the_world_changes)
{
	struct cluster *c = cluster_with_v100s(2);
	struct sw_demand d = demand_of(1, 4);
	cr_assert_eq(reserve(c, "ns/a", "v100", &d), 0);
	const char *mine = node(c, "n0")->gpu_free == 0 ? "n0" : "n1";
	cr_assert_eq(reserve(c, "ns/b", "v100", &d), 0);
	cluster_node(c, "n2", "V100", 4, 16);
	cr_expect_eq(node(c, mine)->gpu_free, 0);
	cr_expect_eq(node(c, "n2")->gpu_free, 4);
	char path[64];
	snprintf(path, sizeof path, "/api/v1/nodes/%s", mine);
	cluster_delete(c, path);
	cr_expect_eq(node(c, "n2")->gpu_free, 0, "its node went: it moves on");
	cr_expect_eq(reserve(c, "ns/a", "v100", &d), 0);
	cluster_free(c);
}

Test(reserve, a_new_attempt_or_another_shape_is_a_new_reservation)
{
	struct cluster *c = cluster_with_v100s(1);
	struct sw_demand d = demand_of(4, 1), less = demand_of(2, 1);
	cr_assert_eq(reserve(c, "ns/a", "v100", &d), 0);
	cr_assert_eq(reserve(c, "ns/a", "v100", &less), 0);
	cr_expect_eq(node(c, "n0")->gpu_free, 2);
	uint64_t before = sw_worker_generation(c->w);
	sw_worker_unreserve(c->w, "ns/a");
	cr_expect_gt(sw_worker_generation(c->w), before);
	sw_worker_unreserve(c->w, "ns/a");
	cluster_free(c);
}

Test(reserve, gangs_that_share_a_node_need_one_together)
{
	struct cluster *c = cluster_with_v100s(1);
	struct sw_demand full = demand_of(1, 4), half = demand_of(1, 2);
	cluster_pod(c, "busy", "n0", 1, 4, NULL, NULL, 0);
	cr_expect_eq(reserve(c, "ns/a", "v100", &half), 1);
	cr_expect_eq(reserve(c, "ns/b", "v100", &half), 1);
	cr_expect_eq(sw_worker_pool_missing(c->w, "v100"), 1);
	cr_expect_eq(reserve(c, "ns/c", "v100", &full), 1);
	cr_expect_eq(sw_worker_pool_missing(c->w, "v100"), 2);
	cr_expect_eq(sw_worker_pool_missing(c->w, "nowhere"), 0);
	cluster_free(c);
}
