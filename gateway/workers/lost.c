/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lost.c - since when a cluster is out of reach, and when that is too long
 *
 * The time is that of the first loss, kept through failed attempts to reconnect: a cluster that flaps does not get a
 * new grace each time. It is cleared only when every watch runs again.
 */
#include "workers_priv.h"

static uint64_t first_loss(const struct sw_worker *w)
{
	uint64_t since = 0;
	for (size_t i = 0; i < w->n_feeds; i++) {
		const struct feed *f = &w->feeds[i];
		if (!f->of.kueue && !feed_is_up(f) && f->since_ms && (!since || f->since_ms < since))
			since = f->since_ms;
	}
	return since ? since : worker_now(w);
}

void lost_update(struct sw_worker *w)
{
	struct link *l = &w->link;
	uint64_t grace = (uint64_t)w->ws->opt.config->lost_after_ms, now = worker_now(w);

	if (link_synced(w)) {
		l->lost_since_ms = 0;
		sw_timer_stop(l->lost_timer);
		return;
	}
	if (!l->lost_since_ms) {
		l->lost_since_ms = first_loss(w);
		if (!l->lost_since_ms)
			l->lost_since_ms = 1; /* a loop that has just begun: 0 means reachable */
		uint64_t due = l->lost_since_ms + grace;
		sw_timer_in(l->lost_timer, due > now ? due - now : 0);
	}
}

bool lost_is(const struct sw_worker *w)
{
	uint64_t since = w->link.lost_since_ms;
	return since && worker_now(w) >= since + (uint64_t)w->ws->opt.config->lost_after_ms;
}

static void on_lost(void *owner)
{
	struct sw_worker *w = owner;

	if (!lost_is(w)) {
		lost_update(w);
		return;
	}
	sw_log(ERROR, "workers", "cluster is lost", "cluster=%s unreachable_ms=%llu why=\"%s\"", w->cfg->name,
	       (unsigned long long)(worker_now(w) - w->link.lost_since_ms), sw_worker_state(w).why);
	worker_changed(w);
}

struct sw_err lost_open(struct sw_worker *w)
{
	return sw_timer_new(w->ws->opt.loop, on_lost, w, &w->link.lost_timer);
}
