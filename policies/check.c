/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - calls a policy with made-up inputs before anybody's job depends on it
 *
 * Every workload of a short list meets every list of candidates: empty, ordinary, unknown everywhere, extreme, as long
 * as allowed. What is wanted is an answer that is a plan, and the same answer twice; not a good one: that is what
 * tests beside the policy are for.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/policy.h"
#include "spillway/text.h"

enum { DAY_MS = 86400 * 1000, NOW_S = 1764000000 };

static const struct sw_gpu models[] = {
	{.model = "H100",
	 .family = "H100",
	 .vendor = "nvidia",
	 .resource = "nvidia.com/gpu",
	 .memory_bytes = 80LL << 30},
	{.model = "A100-40GB",
	 .family = "A100",
	 .vendor = "nvidia",
	 .resource = "nvidia.com/gpu",
	 .memory_bytes = 40LL << 30},
	{.model = "A100-80GB",
	 .family = "A100",
	 .vendor = "nvidia",
	 .resource = "nvidia.com/gpu",
	 .memory_bytes = 80LL << 30},
};

/* ---- workloads ------------------------------------------------------------------------- */

struct made {
	const char *what;
	struct sw_policy_input in;
	struct sw_demand demand;
};

static void make_plain(struct made *m)
{
	m->demand.sets[0].count = 1;
	m->demand.n_sets = 1;
}

static void make_training(struct made *m)
{
	m->demand.sets[0].count = 1;
	m->demand.sets[1].count = 15;
	m->demand.n_sets = 2;
	m->demand.gpus = 128;
	m->demand.n_models = 3;
	for (size_t i = 0; i < 3; i++)
		m->demand.models[i] = &models[i];
	m->demand.gpu_memory_bytes = 80LL << 30;
	m->demand.has_precision = true;
	m->demand.precision = SW_BF16;
	m->demand.spot = SW_SPOT_ALLOW;
	m->demand.max_price = 400;
	m->demand.deadline_ms = 2LL * DAY_MS;
	m->demand.data = "s3://bucket@europe-west4:500Gi";
	m->in.waited_ms = 600 * 1000;
	m->in.attempt = 2;
}

static void make_late(struct made *m)
{
	make_training(m);
	m->demand.spot = SW_SPOT_REQUIRE;
	m->demand.max_price = 0;
	m->demand.deadline_ms = 1;
	m->in.waited_ms = 365LL * DAY_MS;
	m->in.attempt = 1000000;
	m->in.priority = INT32_MIN;
}

static void make_odd(struct made *m)
{
	make_plain(m);
	m->in.key = m->in.job_name = m->in.queue = "";
	m->in.ns = "\xc3\xa9\xc3\xa9";
	m->demand.gpus = INT32_MAX;
	m->demand.sets[0].count = INT32_MAX;
	m->in.priority = INT32_MAX;
}

static const struct {
	const char *what;
	void (*make)(struct made *m);
} workloads[] = {
	{"a job without GPUs", make_plain},
	{"a large training job with every wish", make_training},
	{"a job that is late and may cost nothing", make_late},
	{"a job with empty names and huge numbers", make_odd},
};

/* ---- candidates -------------------------------------------------------------------------- */

struct field {
	struct sw_candidate *c;
	size_t n;
	char (*names)[32];
};

static void fill(struct field *f, size_t n)
{
	static const char *const clusters[] = {"onprem", "gke", "aks"};
	f->n = n;
	f->c = sw_calloc(n + 1, sizeof *f->c);
	f->names = sw_calloc(n + 1, sizeof *f->names);
	for (size_t i = 0; i < n; i++) {
		struct sw_candidate *c = &f->c[i];
		bool cloud = i % 3;
		snprintf(f->names[i], sizeof f->names[i], "pool-%zu", i);
		*c = (struct sw_candidate){.cluster = clusters[i % 3],
					   .pool = f->names[i],
					   .provider = cloud ? "sim" : "static",
					   .region = cloud ? "europe-west4" : "",
					   .zone = cloud ? "europe-west4-b" : "",
					   .model = i % 4 ? models[i % 3].model : "",
					   .free = (int64_t)(i % 5) * 4,
					   .total = 32,
					   .nodes_needed = (int)(i % 4),
					   .queue_depth = (int)(i % 7),
					   .expected_start_ms = i % 4 ? (int64_t)i * 60000 : 0,
					   .price_hour = 1 + (double)(i % 11) * 2.5,
					   .price_age_ms = DAY_MS,
					   .spot = i % 5 == 4,
					   .growable = cloud,
					   .stockout_until_ms = i % 6 == 5 ? (NOW_S + 300) * 1000LL : 0,
					   .quota_left = i % 2 ? 8 : -1};
	}
}

static void fill_unknown(struct sw_candidate *c)
{
	c->price_hour = NAN;
	c->expected_start_ms = c->quota_left = -1;
	c->region = c->zone = "";
	c->growable = true;
}

static void fill_extreme(struct sw_candidate *c)
{
	c->price_hour = c->free % 8 ? 1e300 : 0;
	c->free = c->total = INT64_MAX / 2000;
	c->nodes_needed = c->queue_depth = c->quota_left = INT32_MAX;
	c->expected_start_ms = c->price_age_ms = 1LL << 52;
	c->stockout_until_ms = 1LL << 52;
}

static void fill_alike(struct sw_candidate *c)
{
	*c = (struct sw_candidate){.cluster = "gke",
				   .pool = "pool",
				   .provider = "sim",
				   .region = "r",
				   .zone = "z",
				   .model = "H100",
				   .total = 8,
				   .nodes_needed = 1,
				   .expected_start_ms = 60000,
				   .price_hour = 10,
				   .growable = true,
				   .quota_left = -1};
}

static const struct {
	const char *what;
	size_t n;
	void (*change)(struct sw_candidate *c);
} fields[] = {
	{"no candidates", 0, NULL},
	{"one candidate", 1, NULL},
	{"forty ordinary candidates", 40, NULL},
	{"candidates of which everything is unknown", 12, fill_unknown},
	{"candidates with extreme numbers", 12, fill_extreme},
	{"candidates that are all alike", 40, fill_alike},
	{"as many candidates as can be", SW_POLICY_CANDIDATES, NULL},
};

/* ---- calls ---------------------------------------------------------------------------------- */

static struct sw_err call_twice(struct sw_policy *p, const struct sw_policy_input *in)
{
	struct sw_policy_plan *a = sw_calloc(2, sizeof *a), *b = a + 1;
	struct sw_err e = sw_policy_place(p, in, a);
	if (!sw_failed(e))
		e = sw_policy_place(p, in, b);
	/* Both were zeroed and then filled in the same way, padding included. */
	if (!sw_failed(e) && memcmp(a, b, sizeof *a) != 0) // NOLINT(bugprone-suspicious-memory-comparison)
		e = sw_err(SW_E_POLICY, "%s: two calls with the same input gave two plans", sw_policy_name(p));
	free(a);
	return e;
}

static void call_one(struct sw_policy *p, size_t w, size_t f, sw_policy_report_fn *report, void *owner)
{
	struct made m = {.in = {.key = "ns/made-up",
				.job_name = "made-up",
				.ns = "ns",
				.queue = "queue",
				.kind = "Job",
				.attempt = 1,
				.now_ms = NOW_S * 1000LL},
			 .demand = {.spot = SW_SPOT_NEVER, .max_price = INFINITY}};
	struct field made;
	char what[160];
	workloads[w].make(&m);
	fill(&made, fields[f].n);
	for (size_t i = 0; fields[f].change && i < made.n; i++)
		fields[f].change(&made.c[i]);
	m.in.demand = &m.demand;
	m.in.candidates = made.c;
	m.in.n_candidates = made.n;
	snprintf(what, sizeof what, "%s, %s", workloads[w].what, fields[f].what);
	report(owner, what, call_twice(p, &m.in));
	free(made.c);
	free(made.names);
}

struct sw_err sw_policy_check(const struct sw_policy_source *policy, struct sw_policy_limits limits,
			      sw_policy_report_fn *report, void *owner)
{
	struct sw_policy *p;
	struct sw_err e = sw_policy_new(policy->name, policy->src, policy->len, limits, &p);
	if (sw_failed(e))
		return e;
	for (size_t w = 0; w < sizeof workloads / sizeof *workloads; w++)
		for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
			call_one(p, w, f, report, owner);
	sw_policy_free(p);
	return SW_OK;
}
