/* SPDX-License-Identifier: Apache-2.0 */
/* test_pack.c - gang packing: tables of small worlds, and properties over many random ones */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../../../gateway/workers/pack.h"

#define GI ((int64_t)1 << 30)

static struct sw_node node(int64_t cpu, int64_t gi, int64_t gpus)
{
	return (struct sw_node){.name = "n",
				.pool = "p",
				.model = gpus ? "T4" : "",
				.gpu_resource = gpus ? "nvidia.com/gpu" : NULL,
				.cpu_free = cpu * 1000,
				.memory_free = gi * GI,
				.gpu_free = gpus,
				.pods_free = 110,
				.cpu_total = cpu * 1000,
				.memory_total = gi * GI,
				.gpu_total = gpus,
				.pods_total = 110,
				.usable = true};
}
static struct sw_podset set(int32_t count, int64_t cpu, int64_t gi, int64_t gpus)
{
	return (struct sw_podset){.count = count,
				  .cpu_milli = cpu * 1000,
				  .memory_bytes = gi * GI,
				  .gpus = gpus,
				  .gpu_resource = gpus ? "nvidia.com/gpu" : NULL};
}

/* nodes and sets as {cpu, gi, gpus} and {count, cpu, gi, gpus}; a zero row ends a list */
static const struct row {
	const char *what;
	int nodes[5][3], sets[4][4], fresh[3], want;
} rows[] = {
	{"an empty gang fits nowhere and everywhere", {{0}}, {{0}}, {0}, 0},
	{"one pod on one node", {{4, 16, 1}}, {{1, 1, 1, 1}}, {0}, 0},
	{"a gang over two nodes", {{8, 64, 4}, {8, 64, 4}}, {{8, 1, 1, 1}}, {0}, 0},
	{"one pod too many, nothing to add", {{8, 64, 4}, {8, 64, 4}}, {{9, 1, 1, 1}}, {0}, -1},
	{"one pod too many is one node more", {{8, 64, 4}, {8, 64, 4}}, {{9, 1, 1, 1}}, {8, 64, 4}, 1},
	{"from zero: master and workers share nodes", {{0}}, {{1, 1, 1, 1}, {7, 1, 1, 1}}, {16, 64, 8}, 1},
	{"from zero: a CPU master rides on a GPU node", {{0}}, {{1, 2, 1, 0}, {16, 1, 1, 1}}, {16, 64, 8}, 2},
	{"a pod larger than any node", {{4, 16, 1}}, {{1, 1, 1, 16}}, {16, 64, 8}, -1},
	{"memory is the limit", {{64, 16, 8}}, {{3, 1, 8, 1}}, {64, 16, 8}, 1},
	{"cpu is the limit", {{2, 640, 8}}, {{3, 1, 1, 1}}, {2, 640, 8}, 1},
	{"big pods first: 4+4 and 2+2+4 fit two 8-GPU nodes",
	 {{99, 99, 8}, {99, 99, 8}},
	 {{2, 1, 1, 2}, {3, 1, 1, 4}},
	 {0},
	 0},
	{"a small leftover is not wasted", {{8, 8, 1}, {8, 8, 8}}, {{1, 1, 1, 8}, {1, 1, 1, 1}}, {0}, 0},
	{"the kubelet's pod limit counts", {{999, 999, 0}}, {{111, 0, 0, 0}}, {999, 999, 0}, 1},
	{"ten thousand pods", {{0}}, {{10000, 1, 1, 1}}, {8, 64, 8}, 1250},
};

Test(pack, small_worlds)
{
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		struct sw_node nodes[5], fresh = node(rows[r].fresh[0], rows[r].fresh[1], rows[r].fresh[2]);
		struct sw_podset sets[4];
		size_t n = 0, s = 0;
		for (; n < 5 && rows[r].nodes[n][0]; n++)
			nodes[n] = node(rows[r].nodes[n][0], rows[r].nodes[n][1], rows[r].nodes[n][2]);
		for (; s < 4 && rows[r].sets[s][0]; s++)
			sets[s] = set(rows[r].sets[s][0], rows[r].sets[s][1], rows[r].sets[s][2], rows[r].sets[s][3]);
		int got = sw_pack(nodes, n, sets, s, rows[r].fresh[0] ? &fresh : NULL, NULL);
		cr_expect_eq(got, rows[r].want, "%s: %d", rows[r].what, got);
	}
}

Test(pack, an_unusable_node_or_a_tpu_takes_nothing)
{
	struct sw_node nodes[2] = {node(8, 8, 8), node(8, 8, 8)};
	struct sw_podset one = set(1, 1, 1, 1);
	nodes[0].usable = false;
	nodes[1].gpu_resource = "google.com/tpu";
	cr_expect_eq(sw_pack(nodes, 2, &one, 1, NULL, NULL), -1);
}

Test(pack, an_overcommitted_node_takes_nothing)
{
	struct sw_node n = node(8, 8, 8);
	struct sw_podset one = set(1, 1, 1, 1), tiny = set(1, 0, 0, 0);
	n.cpu_free = -500;
	cr_expect_eq(sw_pack(&n, 1, &one, 1, NULL, NULL), -1);
	cr_expect_eq(sw_pack(&n, 1, &tiny, 1, NULL, NULL), 0, "a pod that asks for nothing still fits");
}

Test(pack, the_fullest_node_is_chosen_and_gpu_nodes_are_spared)
{
	struct sw_node nodes[3] = {node(64, 64, 8), node(8, 8, 2), node(4, 64, 0)};
	struct sw_podset sets[2] = {set(1, 1, 1, 0), set(1, 1, 1, 1)};
	int at[2];
	cr_assert_eq(sw_pack(nodes, 3, sets, 2, NULL, at), 0);
	cr_expect_eq(at[0], 2);
	cr_expect_eq(at[1], 1);
}

Test(pack, what_fits_is_taken_and_the_rest_says_minus_one)
{
	struct sw_node nodes[1] = {node(8, 8, 2)}, fresh = node(8, 8, 4);
	struct sw_podset sets[1] = {set(5, 1, 1, 1)};
	int at[5];
	cr_assert_eq(sw_pack(nodes, 1, sets, 1, &fresh, at), 1);
	for (int i = 0; i < 5; i++)
		cr_expect_eq(at[i], i < 2 ? 0 : -1);
	cr_expect_eq(nodes[0].gpu_free, 0);
}

/* ---- properties -------------------------------------------------------------- */

struct world {
	struct sw_node nodes[12];
	struct sw_podset sets[6];
	size_t n, s;
	struct sw_node fresh;
};

static struct world world_new(unsigned *seed)
{
	struct world w = {.n = (size_t)rand_r(seed) % 12, .s = 1 + (size_t)rand_r(seed) % 6, .fresh = node(32, 128, 8)};
	for (size_t i = 0; i < w.n; i++)
		w.nodes[i] = node(1 + rand_r(seed) % 32, 1 + rand_r(seed) % 128, rand_r(seed) % 9);
	for (size_t i = 0; i < w.s; i++)
		w.sets[i] = set(1 + rand_r(seed) % 9, rand_r(seed) % 8, rand_r(seed) % 32, rand_r(seed) % 5);
	return w;
}

static void check_sums(const struct world *w, const struct sw_node *after, const int *at, unsigned seed)
{
	struct sw_node own[12];
	size_t pod = 0;
	memcpy(own, w->nodes, sizeof own);
	for (size_t s = 0; s < w->s; s++)
		for (int c = 0; c < w->sets[s].count; c++, pod++)
			if (at[pod] >= 0)
				pack_take(&own[at[pod]], &w->sets[s], 1);
	for (size_t i = 0; i < w->n; i++) {
		cr_assert(own[i].cpu_free >= 0 && own[i].memory_free >= 0 && own[i].gpu_free >= 0 &&
				  own[i].pods_free >= 0,
			  "seed %u", seed);
		cr_assert_eq(own[i].cpu_free, after[i].cpu_free, "seed %u: assigned says what was taken", seed);
		cr_assert_eq(own[i].gpu_free, after[i].gpu_free, "seed %u", seed);
	}
}

Test(pack, random_worlds_are_never_overcommitted_and_the_fresh_nodes_asked_for_suffice)
{
	for (unsigned seed = 1; seed <= 4000; seed++) {
		unsigned s = seed;
		struct world w = world_new(&s);
		struct sw_node nodes[12 + 60];
		int at[6 * 9];
		memcpy(nodes, w.nodes, sizeof w.nodes);
		int need = sw_pack(nodes, w.n, w.sets, w.s, &w.fresh, at);
		check_sums(&w, nodes, at, seed);
		cr_assert(need >= 0 && need < 60, "seed %u: every pod fits on a fresh node", seed);
		/* what is left over, on that many fresh nodes, fits */
		struct sw_podset rest[6];
		size_t pod = 0;
		memcpy(rest, w.sets, sizeof rest);
		for (size_t i = 0; i < w.s; i++)
			for (int c = 0; c < w.sets[i].count; c++, pod++)
				rest[i].count -= at[pod] >= 0;
		cr_assert_eq(pack_fresh(rest, w.s, &w.fresh), need, "seed %u", seed);
		struct sw_node more[60];
		for (int i = 0; i < need; i++)
			more[i] = w.fresh;
		cr_assert_eq(sw_pack(more, (size_t)need, rest, w.s, NULL, NULL), 0, "seed %u: %d fresh nodes", seed,
			     need);
	}
}

Test(pack, packing_together_never_needs_more_fresh_nodes_than_apart)
{
	for (unsigned seed = 1; seed <= 2000; seed++) {
		unsigned s = seed;
		struct world w = world_new(&s);
		int apart = 0;
		for (size_t i = 0; i < w.s; i++)
			apart += pack_fresh(&w.sets[i], 1, &w.fresh);
		int together = pack_fresh(w.sets, w.s, &w.fresh);
		cr_assert(together <= apart, "seed %u: %d together, %d apart", seed, together, apart);
	}
}
