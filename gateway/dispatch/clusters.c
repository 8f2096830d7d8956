/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clusters.c - clusters that come and go while the gateway runs
 *
 * One that comes is opened like any other; what it says of itself makes waiting jobs look again. One that goes is
 * forgotten only when nothing of ours is there and nobody here has it in hand: a pointer to it must not be left.
 */
#include "dispatch_priv.h"

#include <stdio.h>
#include <string.h>
#include "spillway/text.h"

struct sw_err sw_dispatch_cluster_join(struct sw_dispatch *d, const struct sw_cluster_cfg *cfg)
{
	if (!d->workers)
		return SW_OK; /* it is in the set that they are opened with */
	if (sw_workers_find(d->workers, cfg->name)) {
		word_leaving(d, cfg->name, false);
		return SW_OK;
	}
	struct sw_err e = sw_workers_add(d->workers, cfg);
	if (sw_failed(e))
		return e;
	sw_workers_manager_synced(d->workers, d->synced);
	word_joining(d, cfg->name);
	return SW_OK;
}

/* Plans of those that have no place yet were made without it. */
void clusters_joined(struct sw_dispatch *d)
{
	struct work *wk, *next;
	HASH_ITER(hh, d->works, wk, next)
	{
		wk->plan_stale = true;
		wk->plan_at_ms = 0;
	}
}

/* Does a step that is under way speak of it? */
static const struct work *work_with(const struct sw_dispatch *d, const struct sw_worker *w)
{
	struct work *wk, *next;
	HASH_ITER(hh, d->works, wk, next)
	{
		bool named = wk->w == w || wk->reserved.w == w || wk->grows.w == w;
		if (wk->busy && named)
			return wk;
	}
	return NULL;
}

static void let_go(struct sw_dispatch *d, struct sw_worker *w)
{
	struct work *wk, *next;
	HASH_ITER(hh, d->works, wk, next)
	{
		if (wk->reserved.w == w || wk->grows.w == w)
			work_withdraw(wk);
		if (wk->w == w)
			wk->w = NULL;
		pods_forget(wk, w);
		out_forget(wk, w);
	}
	if (d->n_states)
		memset(d->cluster_state, 0, d->n_states);
	sw_workers_drop(d->workers, w);
}

bool sw_dispatch_cluster_leave(struct sw_dispatch *d, const char *cluster, bool drain, char why[300])
{
	struct sw_worker *w = d->workers ? sw_workers_find(d->workers, cluster) : NULL;
	if (!w)
		return true;
	if (drain)
		word_leaving(d, cluster, true);
	enum sw_cluster_state now = sw_dispatch_cluster_state(d, cluster);
	struct sw_err e = word_may_remove(d, w, now == SW_CLUSTER_REMOVED ? SW_CLUSTER_DEAD : now);
	const struct work *wk = sw_failed(e) ? NULL : work_with(d, w);
	if (sw_failed(e))
		sw_cut(why, 300, e.text);
	else if (wk || sw_worker_is_busy(w))
		snprintf(why, 300, "a request about %s is under way", wk ? wk->key : "one of its jobs");
	else if (sw_burst_forget_cluster(d->burst, w, why, 300)) {
		let_go(d, w);
		word_over(d, cluster);
		dispatch_look_at_all(d);
		return true;
	}
	return false;
}
