/* SPDX-License-Identifier: Apache-2.0 */
/* test_requests.c - what a pod asks for: the scheduler's arithmetic, and quantities from hostile hands */
#include <criterion/criterion.h>
#include <string.h>

#include "spillway/kinds.h"

#define C(requests) "{\"resources\":{\"requests\":" requests "}}"

static const struct {
	const char *spec;
	int64_t cpu, memory, gpus;
} good[] = {
	{"{}", 0, 0, 0},
	{"{\"containers\":[" C("{\"cpu\":\"500m\",\"memory\":\"1Gi\"}") "," C("{\"cpu\":1}") "]}", 1500, 1 << 30, 0},
	{"{\"containers\":[{\"resources\":{\"limits\":{\"nvidia.com/"
	 "gpu\":2,\"cpu\":\"4\"},\"requests\":{\"cpu\":\"2\"}}}]}",
	 2000, 0, 2},
	/* a big init container counts instead, not besides */
	{"{\"initContainers\":[" C("{\"cpu\":\"3\"}") "],\"containers\":[" C("{\"cpu\":\"1\"}") "]}", 3000, 0, 0},
	/* a sidecar counts besides, and under the init containers after it */
	{"{\"initContainers\":[{\"restartPolicy\":\"Always\",\"resources\":{\"requests\":{\"cpu\":\"1\"}}}," C(
		 "{\"cpu\":\"3\"}") "],\"containers\":[" C("{\"cpu\":\"2\"}") "]}",
	 4000, 0, 0},
	{"{\"overhead\":{\"cpu\":\"250m\"},\"containers\":[" C("{\"cpu\":\"1\"}") "]}", 1250, 0, 0},
	{"{\"resources\":{\"requests\":{\"cpu\":\"8\"}},\"containers\":[" C("{\"cpu\":\"1\",\"memory\":\"5\"}") "]}",
	 8000, 5, 0},
	{"{\"containers\":[" C("{\"amd.com/gpu\":\"0\",\"nvidia.com/gpu\":\"1\"}") "]}", 0, 0, 1},
	{"{\"containers\":7,\"initContainers\":null}", 0, 0, 0},
};

Test(requests, are_added_up_as_the_scheduler_does)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct sw_requests r;
		json_t *spec = json_tokener_parse(good[i].spec);
		struct sw_err e = sw_pod_requests(spec, "spec", &r);
		cr_assert(!sw_failed(e), "row %zu: %s", i, e.text);
		cr_expect_eq(r.cpu_milli, good[i].cpu, "row %zu: cpu %ld", i, (long)r.cpu_milli);
		cr_expect_eq(r.memory_bytes, good[i].memory, "row %zu: memory %ld", i, (long)r.memory_bytes);
		cr_expect_eq(r.gpus, good[i].gpus, "row %zu: gpus %ld", i, (long)r.gpus);
		cr_expect_eq(r.gpu_resource != NULL, good[i].gpus > 0, "row %zu", i);
		json_object_put(spec);
	}
}

static const struct {
	const char *spec, *says;
} bad[] = {
	{"{\"containers\":[" C("{\"cpu\":\"-1\"}") "]}", "spec.containers[0].resources.requests[cpu]"},
	{"{\"containers\":[{}," C("{\"memory\":\"lots\"}") "]}", "spec.containers[1].resources.requests[memory]"},
	{"{\"containers\":[" C("{\"nvidia.com/gpu\":null}") "]}", "requests[nvidia.com/gpu]"},
	{"{\"containers\":[" C("{\"nvidia.com/gpu\":\"99999999999999999999\"}") "]}", "requests[nvidia.com/gpu]"},
	{"{\"containers\":[" C("{\"memory\":\"8Pi\"}") "," C("{\"memory\":\"1\"}") "]}", "add up to more"},
	{"{\"containers\":[" C("{\"amd.com/gpu\":1}") "," C("{\"nvidia.com/gpu\":1}") "]}", "one kind of GPU"},
	{"{\"containers\":[" C("{\"amd.com/gpu\":1,\"nvidia.com/gpu\":1}") "]}", "one kind of GPU"},
};

Test(requests, bad_quantities_are_named_by_their_path)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct sw_requests r;
		json_t *spec = json_tokener_parse(bad[i].spec);
		struct sw_err e = sw_pod_requests(spec, "spec", &r);
		cr_expect(e.code == SW_E_INVALID && strstr(e.text, bad[i].says), "row %zu: %s", i, e.text);
		cr_expect_eq(r.cpu_milli, 0, "row %zu: nothing half read", i);
		json_object_put(spec);
	}
}
