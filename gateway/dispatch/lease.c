/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.c - deadlines on copies, renewed while their cluster answers: how the job of a lost cluster may be moved
 *
 * A copy with a lease of L seconds is created with a deadline of L after its start, and at each third of L the deadline
 * is set to L from now. A cluster that nobody can reach ends the copy by itself, at most L after the last renewal.
 *
 * When may it be moved? Nothing is written to a cluster from the moment that it is out of reach (lost_since): neither a
 * start nor a renewal. So L and a margin after that moment, by our own monotonic clock, nothing of it runs. A gateway
 * that begins while the cluster is out of reach counts from its own start, since the one before may have renewed until
 * then. The margin is for requests on their way, pods that take their time to end, and clocks: "L from now" is counted
 * from the start of the copy, which after a restart of ours only the cluster's clock tells.
 *
 * That a copy has a lease stands in the row (plan.h), written with the winner: what cannot be seen cannot be asked.
 */
#include "dispatch_priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { RENEWALS = 3 /* in the time of one lease */ };

enum sw_lost lost_mode(const struct sw_dispatch *d, const struct sw_workload *row)
{
	return sw_config_lost(d->opt.config, row->ns, row->queue, row->cluster_queue);
}

int64_t lease_for(struct sw_dispatch *d, struct work *wk, const struct scene *s, const struct sw_worker *w)
{
	char text[300];
	if (lost_mode(d, s->row) != SW_LOST_LEASE)
		return 0;
	if (sw_worker_can_lease(w, s->row->kind))
		return d->opt.config->lease_ms / 1000;
	snprintf(text, sizeof text, "a %s cannot have a lease on cluster %s (%s): if the cluster is lost, it is held",
		 s->row->kind->kind, sw_worker_name(w),
		 sw_worker_takes_offers(w) ? "its own queue may restart it"
					   : "only batch/v1 Jobs have a sure deadline");
	work_say(wk, true, "NoLease", text);
	return 0;
}

/* Out of reach for so long that a copy with this lease has ended. Else: how long that still takes, ms. */
static int64_t left_ms(const struct sw_dispatch *d, const struct scene *s)
{
	struct sw_worker_state st = sw_worker_state(s->winner);
	uint64_t now = sw_loop_now(d->opt.loop);
	int64_t needed = s->plan.lease_s * 1000 + d->opt.config->lease_margin_ms;
	if (!st.lost_since_ms)
		return needed;
	return needed - (int64_t)(now - st.lost_since_ms);
}

static void see_unseen(const struct sw_dispatch *d, struct scene *s)
{
	int64_t left = left_ms(d, s);
	if (left <= 0)
		s->v.duplicate = true;
	else if (!s->again_ms || (uint64_t)left < s->again_ms)
		s->again_ms = (uint64_t)left;
}

static void see_renewal(const struct sw_dispatch *d, const struct work *wk, struct scene *s)
{
	uint64_t now = sw_loop_now(d->opt.loop), next = wk ? wk->lease_next_ms : 0;
	s->v.renew_due = now >= next;
	if (!s->v.renew_due && (!s->again_ms || next - now < s->again_ms))
		s->again_ms = next - now;
}

void lease_see(struct sw_dispatch *d, const struct work *wk, struct scene *s)
{
	struct view *v = &s->v;
	if (!v->has_winner || !s->winner || !s->plan.lease_s)
		return;
	v->lease_over = v->current && s->copy.lease_expired;
	if (v->seen == SW_COPY_UNKNOWN)
		see_unseen(d, s);
	else if (v->current && !v->suspended && !v->going && !v->ended && s->copy.lease_s && !s->copy.lease_capped)
		see_renewal(d, wk, s);
}

void lease_started(struct work *wk, const struct scene *s)
{
	uint64_t now = sw_loop_now(wk->d->opt.loop);
	if (!s->plan.lease_s)
		return;
	wk->lease_began_ms = now ? now : 1;
	wk->lease_next_ms = now + (uint64_t)s->plan.lease_s * 1000 / RENEWALS;
}

/* How long it has run: never more than it has, if we saw it start. */
static int64_t elapsed_s(const struct work *wk, const struct scene *s)
{
	struct sw_loop *loop = wk->d->opt.loop;
	int64_t ms = wk->lease_began_ms       ? (int64_t)(sw_loop_now(loop) - wk->lease_began_ms)
		     : s->copy.started_ms > 0 ? sw_loop_wall(loop) - s->copy.started_ms
					      : 0;
	return ms > 0 ? ms / 1000 : 0;
}

static void on_renewed(void *owner, struct sw_err err)
{
	struct work *wk = owner;
	/* Asked for again in good time, whatever became of it. */
	if (sw_failed(err))
		wk->lease_next_ms = sw_loop_now(wk->d->opt.loop) + 1000;
	work_step_done(wk, err, 0);
}

struct sw_err lease_renew(struct work *wk, const struct scene *s)
{
	const struct sw_workload *row = s->row;
	wk->lease_next_ms = sw_loop_now(wk->d->opt.loop) + (uint64_t)s->plan.lease_s * 1000 / RENEWALS;
	return sw_worker_renew(s->winner, row->kind, row->ns, row->job_name, s->copy.uid,
			       elapsed_s(wk, s) + s->plan.lease_s, on_renewed, wk);
}
