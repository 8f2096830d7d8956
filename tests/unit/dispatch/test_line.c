/* SPDX-License-Identifier: Apache-2.0 */
/* test_line.c - jobs that wait for the same room: the first looks for all, and nobody is forgotten */
#include <criterion/criterion.h>
#include <string.h>

#include "../../../gateway/dispatch/dispatch_priv.h"
#include "world.h"

static bool job0_runs(struct world *w)
{
	return world_running(w, 0) == 1;
}

/* On-prem has two nodes of four GPUs. Job 0 takes both; the others wait. Resync is far away: it must work without. */
static struct world *crowded(uint64_t seed, int gpus)
{
	struct world *w = world_new(seed);
	world_policy(w, "function place(w, c)\n  local here = {}\n  for _, x in ipairs(c) do\n"
			"    if x.cluster == 'onprem' then here[#here + 1] = x end\n  end\n"
			"  return { { candidates = here, patience = 86400 } }\nend");
	w->config.resync_ms = 86400 * 1000;
	world_job(w, 0, 4, 2);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 5000), "%s", w->events);
	for (int i = 1; i < W_JOBS; i++)
		world_job(w, i, gpus, 1);
	return w;
}

static size_t manifests(const struct world *w)
{
	struct work *wk, *next;
	size_t n = 0;
	HASH_ITER(hh, w->d->works, wk, next)
	n += wk->job != NULL;
	return n;
}

static bool all_over(struct world *w)
{
	for (int i = 0; i < W_JOBS; i++)
		if (w->job[i].exists && !w->job[i].finished)
			return false;
	return true;
}

static int in_line(const struct world *w)
{
	struct work *wk, *next;
	int n = 0;
	HASH_ITER(hh, w->d->works, wk, next)
	n += wk->line != NULL;
	return n;
}

Test(line, jobs_that_wait_for_the_same_room_stand_in_one_line_and_all_get_it)
{
	struct world *w = crowded(81, 4);
	bool stood = false;
	for (int i = 0; i < 200 && !stood; i++) {
		world_run(w, 10);
		stood = in_line(w) == W_JOBS - 1;
	}
	cr_assert(stood, "%d in line\n%s", in_line(w), w->events);
	cr_expect_eq(lines_count(w->d), 1);
	cr_expect_eq(manifests(w), 1, "only the first keeps its manifest");
	cr_assert(world_until(w, all_over, 120000), "%s", w->events);
	for (int i = 0; i < W_JOBS; i++)
		cr_expect_eq(w->job[i].ended, 1, "job %d", i);
	world_run(w, 2000);
	cr_expect_eq(lines_count(w->d), 0);
	world_free(w);
}

Test(line, jobs_that_ask_otherwise_stand_in_lines_of_their_own)
{
	struct world *w = crowded(82, 4);
	bool stood = false;
	w->job[W_JOBS - 1].gpus = 3;
	for (int i = 0; i < 200 && !stood; i++) {
		world_run(w, 10);
		stood = in_line(w) == W_JOBS - 1;
	}
	cr_assert(stood, "%s", w->events);
	cr_expect_eq(lines_count(w->d), 2);
	cr_assert(world_until(w, all_over, 120000), "%s", w->events);
	world_free(w);
}

Test(line, when_the_first_is_deleted_the_next_looks)
{
	struct world *w = crowded(83, 4);
	for (int i = 0; i < 200 && in_line(w) < W_JOBS - 1; i++)
		world_run(w, 10);
	cr_assert_eq(in_line(w), W_JOBS - 1, "%s", w->events);
	for (int i = 1; i < W_JOBS; i++) {
		struct work *wk = work_find(w->d, w->job[i].key);
		if (wk && wk->job) {
			w->job[i].deleting = true;
			w->job[i].rv++;
			w->manager.ev.on_change(w->manager.ev.owner, w->job[i].key);
		}
	}
	cr_assert(world_until(w, all_over, 120000), "%s", w->events);
	world_free(w);
}
