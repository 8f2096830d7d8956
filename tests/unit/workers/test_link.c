/* SPDX-License-Identifier: Apache-2.0 */
/* test_link.c - reaching clusters: bad kubeconfigs, missing CRDs, losses, and how long they last */
#include <criterion/criterion.h>
#include <string.h>

#include "cluster.h"
#include "spillway/text.h"

Test(link, a_dead_kubeconfig_says_why_and_the_others_go_on)
{
	struct cluster *c = cluster_new();
	struct sw_cluster_cfg two[2] = {c->cfg, c->cfg};
	two[0].name = "dead";
	two[0].kubeconfig = "/nonexistent/kubeconfig";
	c->config.clusters = two;
	c->config.n_clusters = 2;
	cluster_open(c);
	struct sw_worker_state dead = sw_worker_state(sw_workers_find(c->ws, "dead")),
			       good = sw_worker_state(sw_workers_find(c->ws, "east"));
	cr_expect(!dead.ready && !dead.reachable && dead.lost_since_ms && strstr(dead.why, "not a kubeconfig"), "%s",
		  dead.why);
	cr_expect(good.ready, "%s", good.why);
	cr_expect_null(sw_workers_find(c->ws, "west"));
	cluster_free(c);
}

Test(link, a_kubeconfig_that_is_mended_is_taken_up)
{
	struct cluster *c = cluster_new();
	cr_assert(!sw_failed(sw_file_write(c->cfg.kubeconfig, "bad", 3, 0600)));
	cluster_open(c);
	cr_expect(!sw_worker_state(c->w).ready);
	cr_assert(!sw_failed(sw_file_write(c->cfg.kubeconfig, "good", 4, 0600)));
	cluster_turn(c, 6000);
	cr_expect(sw_worker_state(c->w).ready, "%s", sw_worker_state(c->w).why);
	c->down = true; /* say, its token expired; the new file has a good one */
	cluster_turn(c, 1000);
	cr_expect(!sw_worker_state(c->w).reachable);
	cr_assert(!sw_failed(sw_file_write(c->cfg.kubeconfig, "good again", 10, 0600)));
	cr_assert(!sw_failed(sw_file_write(c->cfg.kubeconfig, "good", 4, 0600)));
	cluster_turn(c, 6000);
	cr_expect(sw_worker_state(c->w).ready);
	cluster_free(c);
}

Test(link, an_unknown_provider_or_worker_kind_is_named)
{
	static const struct {
		const char *provider, *worker, *says;
	} rows[] = {
		{"statik", "plain", "did you mean \"static\""},
		{"static", "kueu", "found worker \"kueu\""},
	};
	for (size_t i = 0; i < 2; i++) {
		struct cluster *c = cluster_new();
		c->cfg.provider = rows[i].provider;
		c->cfg.worker = rows[i].worker;
		cluster_open(c);
		cr_expect(!sw_worker_state(c->w).ready);
		cr_expect(strstr(sw_worker_state(c->w).why, rows[i].says), "%s", sw_worker_state(c->w).why);
		cluster_free(c);
	}
}

Test(link, a_missing_crd_breaks_nothing_and_is_found_when_it_comes)
{
	struct cluster *c = cluster_new();
	const struct sw_kind *torch = sw_kind_named("PyTorchJob"), *job = sw_kind_named("job");
	c->no_kubeflow = true;
	cluster_open(c);
	cr_expect(sw_worker_state(c->w).ready, "%s", sw_worker_state(c->w).why);
	cr_expect(sw_worker_serves(c->w, job) && !sw_worker_serves(c->w, torch));
	cr_expect_eq(sw_worker_copy(c->w, torch, "ns", "x", "u").seen, SW_COPY_ABSENT);
	c->no_kubeflow = false;
	cluster_turn(c, 62000);
	cr_expect(sw_worker_serves(c->w, torch));
	cr_expect(sw_worker_state(c->w).ready);
	cluster_free(c);
}

Test(link, a_crd_that_is_removed_takes_its_copies_along_and_the_cluster_goes_on)
{
	struct cluster *c = cluster_new();
	const struct sw_kind *torch = sw_kind_named("PyTorchJob");
	json_t *job = json_tokener_parse("{\"apiVersion\":\"kubeflow.org/v1\",\"kind\":\"PyTorchJob\",\"spec\":{}}");
	cluster_open(c);
	sw_json_set_label(job, SW_LABEL_ORIGIN, "us");
	sw_json_set_annotation(job, SW_ANN_WORKLOAD, "ns/t");
	sw_json_set_annotation(job, SW_ANN_OWNER_UID, "o");
	cluster_put(c, "/apis/kubeflow.org/v1/namespaces/ns/pytorchjobs/t", job);
	cr_expect_eq(sw_worker_copy(c->w, torch, "ns", "t", "o").seen, SW_COPY_OURS);
	c->no_kubeflow = true;
	json_object_object_del(c->objects, "/apis/kubeflow.org/v1/namespaces/ns/pytorchjobs/t");
	cluster_turn(c, 1000);
	cr_expect_eq(sw_worker_copy(c->w, torch, "ns", "t", "o").seen, SW_COPY_UNKNOWN, "not before the API says so");
	cluster_turn(c, 62000);
	cr_expect(!sw_worker_serves(c->w, torch));
	cr_expect_eq(sw_worker_copy(c->w, torch, "ns", "t", "o").seen, SW_COPY_ABSENT);
	cr_expect(sw_worker_state(c->w).ready, "%s", sw_worker_state(c->w).why);
	cluster_free(c);
}

Test(link, unreachable_is_never_absent_and_lost_counts_from_the_first_loss)
{
	struct cluster *c = cluster_new();
	const struct sw_kind *job = sw_kind_named("job");
	cluster_open(c);
	cr_expect_eq(sw_worker_copy(c->w, job, "ns", "x", "u").seen, SW_COPY_ABSENT);
	cluster_down(c, true);
	uint64_t first = sw_loop_now(c->loop);
	cr_expect_eq(sw_worker_copy(c->w, job, "ns", "x", "u").seen, SW_COPY_UNKNOWN);
	cluster_turn(c, 30000);
	struct sw_worker_state s = sw_worker_state(c->w);
	cr_expect(!s.ready && !s.reachable && !s.lost && s.lost_since_ms == first && strstr(s.why, "connect"), "%s",
		  s.why);
	int told = c->changes;
	cluster_turn(c, 40000);
	cr_expect(sw_worker_state(c->w).lost);
	cr_expect_gt(c->changes, told);
	cluster_down(c, false);
	cluster_turn(c, 1000);
	s = sw_worker_state(c->w);
	cr_expect(s.ready && !s.lost && s.lost_since_ms == 0, "%s", s.why);
	cluster_free(c);
}

Test(link, a_cluster_without_some_kinds_has_the_same_grace)
{
	struct cluster *c = cluster_new();
	c->no_kubeflow = true;
	cluster_open(c);
	cluster_turn(c, 70000); /* longer than the grace */
	cr_expect(sw_worker_state(c->w).ready);
	cluster_down(c, true);
	uint64_t first = sw_loop_now(c->loop);
	cluster_turn(c, 30000);
	struct sw_worker_state s = sw_worker_state(c->w);
	cr_expect(!s.ready && !s.lost && s.lost_since_ms >= first, "lost since %d ms before the loss",
		  (int)(first - s.lost_since_ms));
	cluster_turn(c, 40000);
	cr_expect(sw_worker_state(c->w).lost);
	cluster_free(c);
}

Test(link, a_cluster_that_is_down_at_the_start_is_reached_later)
{
	struct cluster *c = cluster_new();
	c->down = true;
	cluster_open(c);
	cluster_turn(c, 20000);
	cr_expect(strstr(sw_worker_state(c->w).why, "connect"), "%s", sw_worker_state(c->w).why);
	cluster_down(c, false);
	cluster_turn(c, 40000);
	cr_expect(sw_worker_state(c->w).ready, "%s", sw_worker_state(c->w).why);
	cluster_free(c);
}

Test(link, a_cluster_joins_and_leaves_while_the_others_go_on)
{
	struct cluster *c = cluster_new();
	struct sw_cluster_cfg two = c->cfg, three = c->cfg;
	two.name = "west";
	three.name = "north";
	cluster_open(c);
	cr_assert(!sw_failed(sw_workers_add(c->ws, &two)));
	cr_assert(!sw_failed(sw_workers_add(c->ws, &three)));
	cr_assert_eq(sw_workers_count(c->ws), 3);
	cluster_turn(c, 1000);
	cr_expect(sw_worker_state(sw_workers_find(c->ws, "north")).ready);
	cr_expect_eq(c->w, sw_workers_find(c->ws, "east"), "a pointer to one that is there stays good");
	int told = c->changes;
	cr_expect_not(sw_worker_is_busy(sw_workers_find(c->ws, "west")));
	sw_workers_drop(c->ws, sw_workers_find(c->ws, "west"));
	cr_expect_eq(c->changes, told, "what closing frees is no news");
	cr_expect_null(sw_workers_find(c->ws, "west"));
	cr_assert_eq(sw_workers_count(c->ws), 2);
	cr_expect_str_eq(sw_worker_name(sw_workers_at(c->ws, 1)), "north");
	cluster_down(c, true);
	cluster_turn(c, 1000);
	cr_expect_gt(c->changes, told);
	cr_expect(!sw_worker_state(sw_workers_find(c->ws, "north")).reachable);
	cluster_free(c);
}

Test(link, a_kubeconfig_in_memory_is_taken_up_again_when_it_changes)
{
	struct cluster *c = cluster_new();
	struct sw_cluster_cfg *west = sw_cluster_of_text("west", "MultiKueueCluster west", "bad", 3);
	cluster_open(c);
	cr_assert(!sw_failed(sw_workers_add(c->ws, west)));
	cluster_turn(c, 1000);
	struct sw_worker *w = sw_workers_find(c->ws, "west");
	cr_expect(strstr(sw_worker_state(w).why, "MultiKueueCluster west:1:1"), "%s", sw_worker_state(w).why);
	sw_cluster_retext(west, "good", 4);
	cluster_turn(c, 6000);
	cr_expect(sw_worker_state(w).reachable, "%s", sw_worker_state(w).why);
	c->down = true; /* the token ends */
	cluster_turn(c, 1000);
	cr_expect(!sw_worker_state(w).reachable);
	sw_cluster_retext(west, "good too", 8);
	cluster_turn(c, 6000);
	cr_expect(sw_worker_state(w).reachable, "%s", sw_worker_state(w).why);
	sw_workers_drop(c->ws, w);
	sw_cluster_free(west);
	cluster_free(c);
}
