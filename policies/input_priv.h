/* SPDX-License-Identifier: Apache-2.0 */
/*
 * input_priv.h - the fields of an input as JSON: one row each, for input.c (writes) and input_read.c
 *
 * Names and units are those that scripts see (README.md), so that a recorded decision and a test read as a policy does.
 * What is unknown or none is left out. Reading what was written gives an input that no policy can tell from the first:
 * times are whole milliseconds, memory is a binary fraction, other numbers have all their digits.
 */
#ifndef SPILLWAY_POLICIES_INPUT_PRIV_H
#define SPILLWAY_POLICIES_INPUT_PRIV_H

#include <math.h>
#include <stddef.h>

#include "spillway/policy.h"

enum type { T_STR, T_INT, T_UINT, T_I32, T_I64, T_SEC /* int64_t ms */, T_GIB /* int64_t bytes */, T_NUM, T_BOOL };

struct row {
	const char *name;
	enum type type;
	size_t offset;
	double none; /* the value that is left out */
	size_t len;  /* of the name */
};

#define ROW(type, name, field, kind, none)                                                                             \
	{                                                                                                              \
		name, kind, offsetof(type, field), none, sizeof(name) - 1                                              \
	}
#define W(name, field, kind, none) ROW(struct sw_policy_input, name, field, kind, none)
#define D(name, field, kind, none) ROW(struct sw_demand, name, field, kind, none)
#define C(name, field, kind, none) ROW(struct sw_candidate, name, field, kind, none)
#define P(name, field, kind, none) ROW(struct sw_podset, name, field, kind, none)
#define A(name, field, kind, none) ROW(struct sw_policy_attempt, name, field, kind, none)
#define B(name, field, kind, none) ROW(struct sw_policy_budget, name, field, kind, none)

static const struct row workload_rows[] = {
	W("key", key, T_STR, 0),
	W("name", job_name, T_STR, 0),
	W("namespace", ns, T_STR, 0),
	W("queue", queue, T_STR, 0),
	W("cluster_queue", cluster_queue, T_STR, 0),
	W("kind", kind, T_STR, 0),
	W("priority", priority, T_I32, 0),
	W("waited", waited_ms, T_SEC, 0),
	W("attempt", attempt, T_UINT, 1),
};
static const struct row demand_rows[] = {
	D("gpus", gpus, T_I64, 0),
	D("gpu_memory", gpu_memory_bytes, T_GIB, 0),
	D("max_price", max_price, T_NUM, INFINITY),
	D("deadline", deadline_ms, T_SEC, 0),
	D("data", data, T_STR, 0),
};
static const struct row candidate_rows[] = {
	C("cluster", cluster, T_STR, 0),
	C("pool", pool, T_STR, 0),
	C("flavor", flavor, T_STR, 0),
	C("provider", provider, T_STR, 0),
	C("region", region, T_STR, 0),
	C("zone", zone, T_STR, 0),
	C("machine", machine, T_STR, 0),
	C("model", model, T_STR, 0),
	C("gpus_per_node", gpus_per_node, T_INT, 0),
	C("free", free, T_I64, 0),
	C("total", total, T_I64, 0),
	C("nodes", nodes, T_INT, 0),
	C("nodes_max", nodes_max, T_INT, 0),
	C("nodes_needed", nodes_needed, T_INT, 0),
	C("in_flight", in_flight, T_INT, 0),
	C("queue_depth", queue_depth, T_INT, 0),
	C("expected_start", expected_start_ms, T_SEC, -1),
	C("price", price_hour, T_NUM, NAN),
	C("price_age", price_age_ms, T_SEC, 0),
	C("price_on_demand", on_demand_hour, T_NUM, 0),
	C("price_spot", spot_hour, T_NUM, 0),
	C("spot", spot, T_BOOL, 0),
	C("growable", growable, T_BOOL, 0),
	C("quota_left", quota_left, T_INT, -1),
};
static const struct row podset_rows[] = {
	P("count", count, T_I32, 0),
	P("gpus", gpus, T_I64, 0),
	P("memory", memory_bytes, T_GIB, 0),
};
static const struct row attempt_rows[] = {
	A("cluster", cluster, T_STR, 0), A("pool", pool, T_STR, 0),      A("outcome", outcome, T_STR, 0),
	A("reason", reason, T_STR, 0),   A("began", began_ms, T_SEC, 0), A("ended", ended_ms, T_SEC, 0),
	A("spot", spot, T_BOOL, 0),
};
static const struct row budget_rows[] = {
	B("limit", limit, T_NUM, 0),
	B("spent", spent, T_NUM, NAN),
	B("window", window_ms, T_SEC, 0),
	B("elapsed", elapsed_ms, T_SEC, 0),
};
/* What scripts see besides, which follows from the rest; reading passes over it. */
static const char *const derived[] = {"pods", "data_gib", "data_region", "data_bucket", "left", "ran"};
static const char *const spots[] = {
	[SW_SPOT_ALLOW] = "allow", [SW_SPOT_NEVER] = "never", [SW_SPOT_REQUIRE] = "require"};
static const char *const precisions[] = {
#define X(id, name) name,
	SW_PRECISION_MAP(X)
#undef X
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

#endif
