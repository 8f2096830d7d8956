/* SPDX-License-Identifier: Apache-2.0 */
/* test_policy.c - what dispatch tells a policy, and what it does when the policy fails or speaks of evictions */
#include <criterion/criterion.h>
#include <string.h>

#include "world.h"

static bool job0_ended(struct world *w)
{
	return w->job[0].ended > 0;
}

static bool jobs_ended(struct world *w)
{
	int n = 0;
	for (int i = 0; i < W_JOBS; i++)
		n += w->job[i].ended > 0;
	return n == 3;
}

Test(policy, the_shipped_policy_decides_while_the_sites_own_fails)
{
	struct world *w = world_new(41);
	world_policy(w, "function place(w)\n  local x = nil\n  return x.y\nend");
	world_fallback(w);
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_ended, 60000), "%s", w->events);
	cr_assert(strstr(w->events, "!PolicyFailed: policy failed, policies/burst.lua decides meanwhile: test.lua:3:"),
		  "%s", w->events);
	world_free(w);
}

Test(policy, a_job_that_is_not_admitted_waits_and_reads_why)
{
	struct world *w = world_new(42);
	world_policy(w, "function admit(w) return false, 'not on Sundays' end function place() return {} end");
	world_job(w, 0, 1, 1);
	world_boot(w);
	world_run(w, 5000);
	cr_assert(strstr(w->job[0].message, "not now: not on Sundays"), "%s", w->job[0].message);
	cr_assert(!*w->job[0].cluster);
	world_free(w);
}

Test(policy, a_policy_of_scores_places_jobs)
{
	struct world *w = world_new(43);
	world_policy(w, "function rank(w, c) return c.cluster == 'aks' and 2 or 1, 'aks first' end");
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_ended, 90000), "%s", w->events);
	cr_assert_str_eq(w->job[0].cluster, "aks");
	cr_assert(strstr(w->events, "aks first"), "%s", w->events);
	world_free(w);
}

/* Its first attempt is not scheduled on prem: what the policy is told of it, and what it can do. */
static struct world *moved(const char *src)
{
	struct world *w = world_new(44);
	w->cluster[0].blind = true;
	world_policy(w, src);
	world_job(w, 0, 1, 2);
	world_boot(w);
	return w;
}

Test(policy, earlier_attempts_are_told)
{
	struct world *w = moved(
		"function place(w, c)\n"
		"  local a = w.attempts[#w.attempts]\n"
		"  if not a then return { { candidates = filter(c, function(x) return not x.growable end), "
		"patience = 60 } } end\n"
		"  return { { candidates = filter(c, 'growable'), patience = 600 }, reason = #w.attempts .. ' ' .. "
		"place_name(a) .. ' ' .. a.outcome }\n"
		"end");
	cr_assert(world_until(w, job0_ended, 90000), "%s", w->events);
	cr_assert(strstr(w->events, "1 onprem/v100 unschedulable"), "%s", w->events);
	world_free(w);
}

Test(policy, after_an_eviction_the_plan_may_go_on_with_its_next_step)
{
	struct world *w =
		moved("function place(w, c)\n"
		      "  assert(#w.attempts == 0, 'asked again')\n"
		      "  return { { candidates = filter(c, function(x) return not x.growable end), patience = 60 },\n"
		      "    { candidates = filter(c, 'growable'), patience = 600 } }\n"
		      "end\n"
		      "function evicted(w, attempt) return 'next', 'as planned' end");
	cr_assert(world_until(w, job0_ended, 90000), "%s", w->events);
	cr_assert(strstr(w->events, "PolicySays: as planned"), "%s", w->events);
	cr_assert(strstr(w->events, "goes on with its plan"), "%s", w->events);
	cr_assert_null(strstr(w->events, "PolicyFailed"), "%s", w->events);
	cr_assert_str_neq(w->job[0].cluster, "onprem");
	world_free(w);
}

Test(policy, after_an_eviction_clusters_may_be_left_out)
{
	struct world *w =
		moved("function place(w, c)\n"
		      "  return { { candidates = c, patience = 600 } }\n"
		      "end\n"
		      "function evicted(w, attempt)\n"
		      "  return { go = 'plan', exclude = attempt.cluster, seconds = 3600, reason = 'not there' }\n"
		      "end");
	cr_assert(world_until(w, job0_ended, 90000), "%s", w->events);
	cr_assert_str_neq(w->job[0].cluster, "onprem");
	cr_assert_eq(w->job[0].attempt, 2, "attempt %u", w->job[0].attempt);
	world_free(w);
}

Test(policy, one_that_fails_over_an_eviction_is_asked_for_a_new_plan)
{
	struct world *w = moved("function place(w, c) return { { candidates = c, patience = 600 } } end\n"
				"function evicted(w, attempt) return 'nxt' end");
	cr_assert(world_until(w, job0_ended, 90000), "%s", w->events);
	cr_assert(strstr(w->events, "!PolicyFailed: test.lua:2: evicted() returned nxt"), "%s", w->events);
	world_free(w);
}

Test(policy, equal_jobs_are_each_placed)
{
	struct world *w = world_new(45);
	for (int i = 0; i < 3; i++)
		world_job(w, i, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, jobs_ended, 90000), "%s", w->events);
	world_free(w);
}

Test(policy, what_is_known_of_pools_and_jobs_is_told)
{
	struct world *w = world_new(46);
	world_policy(
		w,
		"function place(w, c, ctx)\n"
		"  for _, x in ipairs(c) do\n"
		"    assert(x.gpu and x.gpu.model == x.model, 'gpu')\n"
		"    assert(x.gpus_per_node > 0, 'gpus_per_node')\n"
		"    if x.growable then assert(x.nodes_max and x.in_flight >= 0, 'nodes') end\n"
		"    if x.price then assert((x.spot and x.price_spot or x.price_on_demand) == x.price, 'prices') end\n"
		"  end\n"
		"  assert(ctx.spend_limit == 1000, 'limit')\n"
		"  return { { candidates = c, patience = 60 } }\n"
		"end");
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_ended, 60000), "%s", w->events);
	cr_assert_null(strstr(w->events, "PolicyFailed"), "%s", w->events);
	world_free(w);
}
