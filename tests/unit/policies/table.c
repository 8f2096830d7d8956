/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - see table.h */
#include "table.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

void question_fill(struct question *q)
{
	memset(q, 0, sizeof *q);
	q->h100 = (struct sw_gpu){.model = "H100", .family = "H100", .vendor = "nvidia", .memory_bytes = 80LL << 30};
	for (int i = 0; i < SW_PRECISION__COUNT; i++)
		q->h100.tflops[i] = NAN;
	q->h100.tflops[SW_BF16] = 1000;
	q->c[0] = (struct sw_candidate){.cluster = "onprem",
					.pool = "iron",
					.provider = "static",
					.region = "",
					.zone = "",
					.model = "H100",
					.gpu = &q->h100,
					.free = 4,
					.total = 8,
					.nodes_needed = 1,
					.expected_start_ms = 1800000,
					.price_hour = NAN,
					.quota_left = -1};
	q->c[1] = (struct sw_candidate){.cluster = "gke",
					.pool = "spot",
					.provider = "gke",
					.region = "europe-west4",
					.zone = "",
					.model = "H100",
					.gpu = &q->h100,
					.nodes_needed = 2,
					.expected_start_ms = 240000,
					.price_hour = 30,
					.price_age_ms = 60000,
					.spot = true,
					.growable = true,
					.quota_left = 4,
					.machine = "a3",
					.gpus_per_node = 8,
					.nodes = 1,
					.nodes_max = 8,
					.in_flight = 1,
					.on_demand_hour = 90,
					.spot_hour = 30,
					.budget_known = true,
					.budget_left_hour = 25,
					.egress_known = true,
					.egress_cost = 0};
	q->c[2] = q->c[3] = q->c[1];
	q->c[2].pool = "firm";
	q->c[2].spot = false;
	q->c[2].price_hour = 90;
	q->c[2].budget_known = q->c[2].egress_known = false;
	q->c[2].spot_hour = 0;
	q->c[3].cluster = "aks";
	q->c[3].pool = "firm";
	q->c[3].spot = false;
	q->c[3].price_hour = 90;
	q->c[3].gpu = NULL;
	q->c[3].quota_left = 1;
	q->labels[0] = (struct sw_policy_label){"team", "vision"};
	q->labels[1] = (struct sw_policy_label){"a.b/c", "d"};
	q->attempts[0] = (struct sw_policy_attempt){.cluster = "gke",
						    .pool = "spot",
						    .outcome = "preempted",
						    .reason = "the node went away",
						    .began_ms = 1000000,
						    .ended_ms = 1090000,
						    .spot = true};
	q->demand = (struct sw_demand){.n_sets = 2, .gpus = 16, .max_price = 100, .data = "gs://b@europe-west4:500Gi"};
	q->demand.sets[0] = (struct sw_podset){.name = "master", .count = 1, .cpu_milli = 1500};
	q->demand.sets[1] = (struct sw_podset){
		.name = "worker", .count = 2, .cpu_milli = 8000, .memory_bytes = 64LL << 30, .gpus = 8};
	q->in = (struct sw_policy_input){
		.key = "ns/w",
		.job_name = "w",
		.ns = "ns",
		.queue = "main",
		.kind = "PyTorchJob",
		.priority = 5,
		.waited_ms = 90000,
		.attempt = 2,
		.demand = &q->demand,
		.candidates = q->c,
		.n_candidates = 4,
		.now_ms = 2000000,
		.cluster_queue = "cq",
		.labels = q->labels,
		.n_labels = 2,
		.attempts = q->attempts,
		.n_attempts = 1,
		.budget = {.limit = 1000, .spent = 250, .window_ms = 86400000, .elapsed_ms = 3600000},
		.committed_hour = 12,
		.max_hour = 200};
}

struct sw_policy *policy_of(const char *src)
{
	struct sw_policy *p;
	struct sw_err e = sw_policy_new("t.lua", src, strlen(src), (struct sw_policy_limits){0}, &p);
	cr_assert(!sw_failed(e), "%s", e.text);
	return p;
}
