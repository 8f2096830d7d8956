/* SPDX-License-Identifier: Apache-2.0 */
/* test_operator.c - drained, declared dead, removed: what operators say about a cluster, and what follows */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "world.h"

struct said {
	int times;
	struct sw_err err;
	char state[16];
	int64_t placed, copies;
};

static void on_said(void *owner, struct sw_err err, json_t *result)
{
	struct said *s = owner;
	s->times++;
	s->err = err;
	snprintf(s->state, sizeof s->state, "%s", result ? sw_json_str(result, "state") : "");
	s->placed = sw_json_int(result, "placed", -1);
	s->copies = sw_json_int(result, "copies", -1);
}

static struct said say(struct world *w, const char *cluster, enum sw_cluster_word word)
{
	struct said s = {.err = SW_OK};
	struct sw_err e = sw_dispatch_cluster_word(w->d, cluster, word, on_said, &s);
	if (sw_failed(e)) {
		s.err = e;
		return s;
	}
	cr_assert_eq(s.times, 0, "never from inside");
	world_run(w, 500);
	cr_assert_eq(s.times, 1, "exactly once");
	return s;
}

static bool job0_runs(struct world *w)
{
	return world_running(w, 0) == 1;
}
static bool job0_ended(struct world *w)
{
	return w->job[0].finished;
}
static bool job1_ended(struct world *w)
{
	return w->job[1].finished;
}
static bool job1_placed(struct world *w)
{
	return *w->job[1].cluster;
}
static bool nothing_on_prem(struct world *w)
{
	for (int k = 0; k < W_COPIES; k++)
		if (w->cluster[0].copy[k].exists)
			return false;
	return true;
}

static struct world *running(uint64_t seed)
{
	struct world *w = world_new(seed);
	world_job(w, 0, 1, 1);
	world_boot(w);
	cr_assert(world_until(w, job0_runs, 5000), "%s", w->events);
	cr_assert_str_eq(w->job[0].cluster, "onprem");
	return w;
}

/* Its controllers sleep, and its pods are gone: the machine is off. */
static void switch_off(struct world *w)
{
	struct w_copy *p = world_copy(w, 0, 0);
	w->cluster[0].reachable = false;
	p->active = p->scheduled = 0;
	p->began = false;
	p->next_ms = UINT64_MAX;
}

Test(operator, a_drained_cluster_keeps_its_job_and_takes_no_other)
{
	struct world *w = running(41);
	struct said s = say(w, "onprem", SW_CLUSTER_DRAIN);
	cr_assert(!sw_failed(s.err), "%s", s.err.text);
	cr_expect_str_eq(s.state, "drained");
	cr_expect(s.placed == 1 && s.copies == 1);
	world_job(w, 1, 1, 1);
	cr_assert(world_until(w, job1_ended, 60000), "%s", w->events);
	cr_expect_str_neq(w->job[1].cluster, "onprem");
	cr_assert(world_until(w, job0_ended, 60000), "%s", w->events);
	cr_expect_str_eq(w->job[0].cluster, "onprem");
	cr_expect_eq(w->job[0].attempt, 1);
	world_free(w);
}

Test(operator, a_drained_cluster_stays_so_after_a_restart_until_it_is_undrained)
{
	struct world *w = running(42);
	cr_assert(!sw_failed(say(w, "onprem", SW_CLUSTER_DRAIN).err));
	world_crash(w);
	world_boot(w);
	world_run(w, 3000);
	cr_expect_eq(sw_dispatch_cluster_state(w->d, "onprem"), SW_CLUSTER_DRAINED);
	world_job(w, 1, 1, 1);
	cr_assert(world_until(w, job1_placed, 30000), "%s", w->events);
	cr_expect_str_neq(w->job[1].cluster, "onprem");
	struct said s = say(w, "onprem", SW_CLUSTER_UNDRAIN);
	cr_assert(!sw_failed(s.err) && strcmp(s.state, "open") == 0);
	s = say(w, "onprem", SW_CLUSTER_UNDRAIN);
	cr_expect(!sw_failed(s.err), "a word may be repeated");
	world_free(w);
}

Test(operator, jobs_of_a_dead_cluster_move_at_once_and_it_takes_nothing_until_it_is_declared_alive)
{
	struct world *w = running(43);
	struct said s = say(w, "onprem", SW_CLUSTER_DECLARE_DEAD);
	cr_expect(s.err.code == SW_E_CONFLICT && strstr(s.err.text, "answers"), "%s", s.err.text);
	switch_off(w);
	world_run(w, 2000);
	cr_expect_eq(w->job[0].attempt, 1, "held");
	s = say(w, "onprem", SW_CLUSTER_DECLARE_DEAD);
	cr_assert(!sw_failed(s.err), "%s", s.err.text);
	cr_assert(world_until(w, job0_ended, 15000), "within the grace for a lost cluster: %s", w->events);
	cr_expect_eq(w->job[0].attempt, 2);
	cr_expect_str_neq(w->job[0].cluster, "onprem");
	cr_expect(strstr(w->events, "!WorkerDead"), "%s", w->events);
	w->cluster[0].reachable = true;
	world_copy(w, 0, 0)->next_ms = 0;
	cr_assert(world_until(w, nothing_on_prem, 20000), "the copy that came back is swept");
	world_job(w, 1, 1, 1);
	cr_assert(world_until(w, job1_placed, 30000), "%s", w->events);
	cr_expect_str_neq(w->job[1].cluster, "onprem", "it came back, but nobody has said that it may");
	cr_assert(!sw_failed(say(w, "onprem", SW_CLUSTER_UNDECLARE).err));
	cr_expect_eq(sw_dispatch_cluster_state(w->d, "onprem"), SW_CLUSTER_OPEN);
	world_free(w);
}

Test(operator, a_dead_cluster_that_comes_back_with_a_result_is_read_first)
{
	struct world *w = running(44);
	w->cluster[0].reachable = w->cluster[1].reachable = w->cluster[2].reachable = false;
	world_run(w, 1000);
	cr_assert(!sw_failed(say(w, "onprem", SW_CLUSTER_DECLARE_DEAD).err));
	world_run(w, 12000); /* it ends out of sight, and nobody else can take it */
	cr_expect_eq(w->job[0].attempt, 2);
	w->cluster[0].reachable = true;
	cr_assert(world_until(w, job0_ended, 10000), "%s", w->events);
	cr_expect_eq(w->started, 1, "its result was taken, it was not run again");
	world_free(w);
}

Test(operator, a_cluster_is_removed_only_when_nothing_of_ours_is_there)
{
	struct world *w = running(45);
	struct said s = say(w, "onprem", SW_CLUSTER_REMOVE);
	cr_expect(s.err.code == SW_E_CONFLICT && strstr(s.err.text, "1 placed job and 1 copy"), "%s", s.err.text);
	cr_assert(world_until(w, job0_ended, 60000));
	cr_assert(world_until(w, nothing_on_prem, 20000));
	world_run(w, 2000);
	w->cluster[0].reachable = false;
	world_run(w, 500);
	s = say(w, "onprem", SW_CLUSTER_REMOVE);
	cr_expect(s.err.code == SW_E_CONFLICT && strstr(s.err.text, "cannot be asked"), "%s", s.err.text);
	w->cluster[0].reachable = true;
	world_run(w, 3000);
	s = say(w, "onprem", SW_CLUSTER_REMOVE);
	cr_assert(!sw_failed(s.err), "%s", s.err.text);
	cr_expect_str_eq(s.state, "removed");
	world_free(w);
}

Test(operator, a_name_that_is_no_clusters_is_met_with_the_nearest)
{
	struct world *w = running(46);
	struct said s = say(w, "onprm", SW_CLUSTER_DRAIN);
	cr_expect(s.err.code == SW_E_MISSING && strstr(s.err.text, "onprem"), "%s", s.err.text);
	struct sw_err e = sw_dispatch_cluster_word(w->d, "onprem", SW_CLUSTER_DRAIN, NULL, NULL);
	cr_expect(!sw_failed(e));
	world_crash(w); /* with the note on its way */
	world_free(w);
}

/* ---- clusters that come and go while it runs ------------------------------------------------ */

static bool job0_placed(struct world *w)
{
	return *w->job[0].cluster;
}

static bool has_left(struct world *w)
{
	char why[300] = "";
	return sw_dispatch_cluster_leave(w->d, "onprem", true, why);
}

Test(operator, a_waiting_job_is_placed_on_a_cluster_that_joins)
{
	struct world *w = world_new(51);
	for (int i = 0; i < W_CLUSTERS; i++)
		w->cluster[i].unknown = true;
	world_job(w, 0, 1, 1);
	world_boot(w);
	world_run(w, 20000);
	cr_assert_str_empty(w->job[0].cluster);
	cr_assert(!sw_failed(sw_dispatch_cluster_join(w->d, &w->cfg[0])));
	cr_assert(!sw_failed(sw_dispatch_cluster_join(w->d, &w->cfg[0])), "and again: nothing changes");
	cr_assert(world_until(w, job0_placed, 10000), "%s", w->events);
	cr_expect_str_eq(w->job[0].cluster, "onprem");
	world_free(w);
}

Test(operator, a_plan_that_waits_elsewhere_is_made_anew_when_a_cluster_joins)
{
	struct world *w = world_new(52);
	w->cluster[0].unknown = true;
	w->cluster[0].nodes = 2;
	world_policy(w, "function place(w, c, x) local all = {} for i = 1, #c do all[i] = c[i] end "
			"return {{candidates = all, patience = 100000}} end");
	for (int i = 1; i < W_CLUSTERS; i++)
		w->cluster[i].max = w->cluster[i].nodes = w->cluster[i].target = 0;
	world_job(w, 0, 1, 1);
	world_boot(w);
	world_run(w, 20000);
	cr_assert_str_empty(w->job[0].cluster);
	cr_assert(!sw_failed(sw_dispatch_cluster_join(w->d, &w->cfg[0])));
	cr_assert(world_until(w, job0_placed, 15000), "%s", w->events);
	cr_expect_str_eq(w->job[0].cluster, "onprem");
	world_free(w);
}

Test(operator, a_cluster_leaves_only_when_nothing_of_ours_is_there_and_takes_nothing_meanwhile)
{
	struct world *w = running(53);
	char why[300] = "";
	cr_assert(!sw_dispatch_cluster_leave(w->d, "onprem", true, why));
	cr_expect(strstr(why, "1 placed job and 1 copy"), "%s", why);
	cr_expect_eq(sw_dispatch_cluster_state(w->d, "onprem"), SW_CLUSTER_DRAINED);
	world_job(w, 1, 1, 1);
	cr_assert(world_until(w, job1_ended, 60000), "%s", w->events);
	cr_expect_str_neq(w->job[1].cluster, "onprem");
	cr_assert(world_until(w, has_left, 90000), "%s", w->events);
	cr_expect(w->job[0].finished && nothing_on_prem(w));
	cr_expect(sw_dispatch_cluster_leave(w->d, "onprem", true, why), "and again: it is not there");
	world_run(w, 5000);
	cr_assert(!sw_failed(sw_dispatch_cluster_join(w->d, &w->cfg[0])));
	cr_expect_eq(sw_dispatch_cluster_state(w->d, "onprem"), SW_CLUSTER_OPEN);
	world_free(w);
}

Test(operator, a_cluster_whose_file_comes_back_takes_jobs_again)
{
	struct world *w = running(54);
	char why[300] = "";
	cr_assert(!sw_dispatch_cluster_leave(w->d, "onprem", true, why));
	cr_assert(!sw_failed(sw_dispatch_cluster_join(w->d, &w->cfg[0])));
	cr_expect_eq(sw_dispatch_cluster_state(w->d, "onprem"), SW_CLUSTER_OPEN);
	cr_assert(!sw_dispatch_cluster_leave(w->d, "onprem", false, why));
	cr_expect_eq(sw_dispatch_cluster_state(w->d, "onprem"), SW_CLUSTER_OPEN, "only asked");
	world_free(w);
}

Test(operator, one_that_was_removed_and_left_is_forgotten_and_may_come_again)
{
	struct world *w = running(55);
	cr_assert(world_until(w, job0_ended, 60000));
	cr_assert(world_until(w, nothing_on_prem, 20000));
	world_run(w, 2000);
	cr_assert(!sw_failed(say(w, "onprem", SW_CLUSTER_REMOVE).err));
	w->cluster[0].reachable = false; /* switched off right after: it was asked when it was removed */
	world_run(w, 1000);
	cr_assert(has_left(w), "%s", w->events);
	world_run(w, 2000);
	w->cluster[0].reachable = true;
	cr_assert(!sw_failed(sw_dispatch_cluster_join(w->d, &w->cfg[0])));
	world_run(w, 2000);
	cr_expect_eq(sw_dispatch_cluster_state(w->d, "onprem"), SW_CLUSTER_OPEN);
	world_crash(w);
	world_boot(w);
	world_run(w, 2000);
	cr_expect_eq(sw_dispatch_cluster_state(w->d, "onprem"), SW_CLUSTER_OPEN, "durably");
	world_free(w);
}
