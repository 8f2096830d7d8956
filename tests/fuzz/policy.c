/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.c - policies as hostile text, under tiny limits: whatever they do, the plan is sound or the error is POLICY
 */
#include <math.h>

#include "fuzz.h"
#include "spillway/policy.h"

static void place(struct sw_policy *pol)
{
	static const struct sw_candidate candidates[] = {
		{.cluster = "onprem",
		 .pool = "v100",
		 .provider = "static",
		 .region = "",
		 .zone = "",
		 .model = "V100",
		 .free = 4,
		 .total = 8,
		 .expected_start_ms = -1,
		 .price_hour = 0,
		 .quota_left = -1},
		{.cluster = "gke",
		 .pool = "h100",
		 .provider = "sim",
		 .region = "r",
		 .zone = "z",
		 .model = "H100",
		 .nodes_needed = 1,
		 .expected_start_ms = 60000,
		 .price_hour = NAN,
		 .spot = true,
		 .growable = true,
		 .quota_left = 2},
	};
	static const struct sw_demand demand = {.gpus = 1, .max_price = INFINITY};
	struct sw_policy_input in = {.key = "ns/w",
				     .job_name = "j",
				     .ns = "ns",
				     .queue = "lq",
				     .kind = "Job",
				     .attempt = 1,
				     .demand = &demand,
				     .candidates = candidates,
				     .n_candidates = 2,
				     .now_ms = 1700000000000};
	struct sw_policy_plan plan;
	struct sw_err e = sw_policy_place(pol, &in, &plan);

	FUZZ_CHECK(!sw_failed(e) || (e.text[0] && (e.code == SW_E_POLICY || e.code == SW_E_NOMEM)));
	if (sw_failed(e))
		return;
	FUZZ_CHECK(plan.n <= SW_PLAN_STEPS);
	for (size_t i = 0; i < plan.n; i++) {
		FUZZ_CHECK(plan.step[i].n <= SW_STEP_CANDIDATES && plan.step[i].patience_ms >= 0);
		for (size_t k = 0; k < plan.step[i].n; k++)
			FUZZ_CHECK(plan.step[i].candidate[k] < in.n_candidates);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	struct sw_policy_limits tiny = {.instructions = 20000, .memory_bytes = 256 << 10};
	struct sw_policy *pol;
	struct sw_err e = sw_policy_new("fuzz.lua", p.at[0], p.len[0], tiny, &pol);

	if (sw_failed(e))
		FUZZ_REFUSED(e, pol);
	else
		place(pol);
	sw_policy_free(pol);
	fuzz_parts_free(&p);
	return 0;
}
