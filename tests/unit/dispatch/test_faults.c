/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults.c - seeded interleavings of everything that can go wrong, under a fake clock
 *
 * Crashes that forget all memory, replies that are lost (before or after the request took effect), clusters that are
 * cut off, caches that lag, evictions, suspensions, deletions, jobs made again under their names, pools that sell out,
 * schedulers that place nothing, queues that take quota back. world_check() runs after every turn: never two copies of
 * a job with pods, never two ends. Then the faults cease, and every job must end.
 *
 * SPILLWAY_SEEDS=N runs N seeds; a failing one is printed and can be run alone with SPILLWAY_SEED=S.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/log.h"
#include "world.h"

static void evict(struct w_job *j)
{
	if (j->exists && j->reserved && !j->finished && !j->evicted) {
		j->evicted = true;
		j->rv++;
	}
}

/* An administrator of the cluster does. */
static void delete_one(struct world *w, int cluster, int job)
{
	struct w_copy *p = world_copy(w, cluster, job);
	if (p && !p->foreign)
		p->deleting = true;
}

static void misfortune(struct world *w)
{
	struct w_job *j = &w->job[world_random(w, W_JOBS)];
	struct w_cluster *c = &w->cluster[world_random(w, W_CLUSTERS)];
	switch (world_random(w, 14)) {
	case 0:
	case 1:
		world_crash(w);
		break;
	case 2:
	case 3:
		c->reachable = !c->reachable;
		break;
	case 4:
		evict(j);
		break;
	case 5:
		j->user_suspended = !j->user_suspended;
		break;
	case 6:
		if (j->exists && !j->deleting && world_random(w, 2)) {
			j->deleting = j->recreate = true;
			j->rv++;
		}
		break;
	case 7:
		c->blind = !c->blind;
		break;
	case 8:
		c->stockout_ms = w->now + world_random(w, 10000);
		break;
	case 9:
		w->lose_percent = (unsigned)world_random(w, 40);
		break;
	case 10:
		w->delay_max = 10 + (unsigned)world_random(w, 400);
		break;
	case 11:
		delete_one(w, (int)(c - w->cluster), (int)(j - w->job));
		break;
	case 12:
		for (int i = 0; i < W_JOBS; i++)
			world_preempt(w, (int)(c - w->cluster), i);
		break;
	default:
		w->cluster[0].taken_name = !w->cluster[0].taken_name && !world_copy(w, 0, 0);
		break;
	}
	if (w->d && world_random(w, 2))
		w->manager.ev.on_change(w->manager.ev.owner, j->key);
}

static bool all_ended(struct world *w)
{
	for (int i = 0; i < W_JOBS; i++)
		if (!w->job[i].exists || !w->job[i].finished)
			return false;
	for (int c = 0; c < W_CLUSTERS; c++)
		for (int k = 0; k < W_COPIES; k++)
			if (w->cluster[c].copy[k].exists)
				return false;
	for (int c = 0; c < W_CLUSTERS; c++)
		for (int i = 0; i < W_JOBS; i++)
			if (w->cluster[c].mirror[i].exists)
				return false;
	return true;
}

static void heal(struct world *w)
{
	for (int i = 0; i < W_CLUSTERS; i++) {
		w->cluster[i].reachable = true;
		w->cluster[i].blind = w->cluster[i].taken_name = false;
		w->cluster[i].stockout_ms = 0;
	}
	for (int i = 0; i < W_JOBS; i++)
		w->job[i].user_suspended = false;
	w->lose_percent = 0;
	w->delay_max = 30;
	if (!w->d)
		world_boot(w);
}

static void why_not(struct world *w)
{
	for (int i = 0; i < W_JOBS; i++) {
		struct w_job *j = &w->job[i];
		fprintf(stderr,
			"%s exists %d reserved %d evicted %d finished %d deleting %d cluster '%s' attempt %u message "
			"'%s'\n",
			j->name, j->exists, j->reserved, j->evicted, j->finished, j->deleting, j->cluster, j->attempt,
			j->message ? j->message : "");
		for (int c = 0; c < W_CLUSTERS; c++) {
			struct w_copy *p = world_copy(w, c, i);
			struct w_mirror *m = &w->cluster[c].mirror[i];
			if (m->exists)
				fprintf(stderr,
					"   offer on %s: owner %s attempt %u admitted %d evicted %d taken '%s' "
					"deleting %d\n",
					w->cluster[c].name, m->owner_uid, m->attempt, m->admitted, m->evicted, m->taken,
					m->deleting);
			if (p)
				fprintf(stderr,
					"   on %s: owner %s attempt %u suspended %d deleting %d outcome %d active %d\n",
					w->cluster[c].name, p->owner_uid, p->attempt, p->suspended, p->deleting,
					p->outcome, p->active);
		}
	}
}

static int crashes, moved, started, offered, preempted, renewed, expired;

/* queues: bits of the clusters that have one of their own. */
static void live(uint64_t seed, enum sw_lost lost, unsigned queues)
{
	struct world *w = world_new(seed);
	w->config.lost = lost;
	for (int i = 0; i < W_CLUSTERS; i++)
		w->cluster[i].kueue = queues >> i & 1;
	for (int i = 0; i < W_JOBS; i++) {
		w->job[i].fails = world_random(w, 8) == 0;
		world_job(w, i, 1 + (int)world_random(w, 4), 1 + (int)world_random(w, 2));
	}
	world_boot(w);
	for (int i = 0; i < 40; i++) {
		world_run(w, world_random(w, 1500));
		misfortune(w);
		if (!w->d && world_random(w, 3))
			world_boot(w);
	}
	heal(w);
	if (!world_until(w, all_ended, 1200000)) { /* longer than a cluster stays out */
		why_not(w);
		cr_assert(false, "seed %llu: not every job ended\n%s", (unsigned long long)seed, w->events);
	}
	for (int i = 0; i < W_JOBS; i++)
		cr_assert_eq(w->job[i].ended, 1);
	crashes += w->crashes;
	moved += w->moved;
	started += w->started;
	offered += w->offered;
	preempted += w->preempted;
	renewed += w->renewed;
	expired += w->expired;
	world_free(w);
}

static uint64_t from_env(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);
	return s && *s ? strtoull(s, NULL, 10) : otherwise;
}

static void many(enum sw_lost lost, bool with_queues, uint64_t first, uint64_t n)
{
	uint64_t one = from_env("SPILLWAY_SEED", 0);
	n = from_env("SPILLWAY_SEEDS", n);
	sw_log_setup(one ? SW_LOG_DEBUG : SW_LOG_OFF, false, 2);
	if (one) {
		live(one, lost, with_queues ? 1 + one % 7 : 0);
		return;
	}
	for (uint64_t s = first; s < first + n; s++) {
		if (getenv("SPILLWAY_SEEDS"))
			fprintf(stderr, "\rseed %llu ", (unsigned long long)s);
		live(s, lost, with_queues ? 1 + s % 7 : 0);
	}
	cr_assert(crashes > (int)n && started > (int)n * W_JOBS / 2,
		  "the faults must really happen: %d crashes, %d starts, %d moves", crashes, started, moved);
	cr_assert(lost != SW_LOST_LEASE || (renewed > (int)n && expired > (int)n / 5), "%d renewals, %d leases ran out",
		  renewed, expired);
	cr_assert(!with_queues || (offered > (int)n && preempted > (int)n / 4), "%d offers, %d preemptions", offered,
		  preempted);
}

Test(faults, every_job_ends_once_and_never_runs_twice, .timeout = 3600)
{
	many(SW_LOST_HOLD, false, 1000, 200);
}
Test(faults, with_duplicates_allowed_every_job_still_ends_once, .timeout = 3600)
{
	many(SW_LOST_DUPLICATE, false, 500000, 80);
}
Test(faults, where_clusters_have_queues_of_their_own_every_job_ends_once, .timeout = 3600)
{
	many(SW_LOST_HOLD, true, 700000, 200);
}
Test(faults, with_queues_and_duplicates_every_job_still_ends_once, .timeout = 3600)
{
	many(SW_LOST_DUPLICATE, true, 800000, 80);
}
/* Moved, and still never two with pods at once: what duplicates cannot have. */
Test(faults, with_leases_lost_jobs_move_and_never_run_twice, .timeout = 3600)
{
	many(SW_LOST_LEASE, false, 900000, 200);
}
