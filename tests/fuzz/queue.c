/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c - definitions of queues and flavors as users write them
 *
 * Parts: ResourceFlavor, ClusterQueue, LocalQueue, and again a ClusterQueue that replaces the first.
 */
#include "fuzz.h"
#include "spillway/queue.h"

static void decide(struct sw_queue *q)
{
	struct sw_queue_amount amounts[] = {{"cpu", 1500}, {"nvidia.com/gpu", 1000}};
	struct sw_queue_item item = {
		.key = "ns/w", .local_queue = "lq", .created_ms = 1, .amounts = amounts, .n_amounts = 2};
	struct sw_queue_pick pick;
	struct sw_queue_usage usage[8];
	const char *key;
	int picks = 0;

	sw_queue_put(q, &item);
	item.key = "ns/w2";
	sw_queue_put(q, &item);
	FUZZ_CHECK(*sw_queue_why(q, "ns/w", 2));
	while (sw_queue_next(q, 2, &pick))
		FUZZ_CHECK(++picks <= 2);
	for (size_t i = 0, n = sw_queue_usage(q, "cq", NULL, usage, 8); i < n && i < 8; i++)
		FUZZ_CHECK(usage[i].used_milli <= usage[i].nominal_milli && usage[i].used_milli >= 0);
	while (sw_queue_drain(q, &key))
		sw_queue_remove(q, key);
	sw_queue_remove(q, "ns/w");
	sw_queue_remove(q, "ns/w2");
	FUZZ_CHECK(sw_queue_count(q, "cq").admitted == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	json_t *part[FUZZ_PARTS];
	struct sw_queue *q;

	for (int i = 0; i < FUZZ_PARTS; i++)
		part[i] = fuzz_object(&p, i);
	FUZZ_CHECK(!sw_failed(sw_queue_new(&q)));
	if (part[0] && sw_failed(sw_queue_flavor(q, "f", part[0])))
		FUZZ_CHECK(sw_failed(sw_queue_flavor(NULL, "f", part[0])));
	if (part[1] && sw_failed(sw_queue_cluster_queue(q, "cq", part[1])))
		FUZZ_CHECK(sw_failed(sw_queue_cluster_queue(NULL, "cq", part[1])));
	if (part[2] && sw_failed(sw_queue_local_queue(q, "ns", "lq", part[2])))
		FUZZ_CHECK(sw_failed(sw_queue_local_queue(NULL, "ns", "lq", part[2])));
	decide(q);
	if (part[3] && !sw_failed(sw_queue_cluster_queue(q, "cq", part[3])))
		decide(q);
	sw_queue_free(q);
	for (int i = 0; i < FUZZ_PARTS; i++)
		json_object_put(part[i]);
	fuzz_parts_free(&p);
	return 0;
}
