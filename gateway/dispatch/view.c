/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - reads the world into a view: the manager's row, the copies on every cluster, the plan, the clock
 *
 * Changes nothing. What cannot be seen stays "unknown": it never counts as "absent".
 */
#include "dispatch_priv.h"

#include <string.h>
#include "spillway/text.h"

static void again_in(struct scene *s, int64_t ms)
{
	uint64_t in = ms > 0 ? (uint64_t)ms : 1;
	if (!s->again_ms || in < s->again_ms)
		s->again_ms = in;
}

/* ---- copies ---------------------------------------------------------------------- */

static void see_extra(struct scene *s, struct sw_worker *w, int at, const struct sw_copy *c, bool doubt)
{
	struct view *v = &s->v;
	/* Of several, one that is not being removed yet: so each gets its turn. */
	if (v->extra >= 0 && (c->deleting || !v->extra_going))
		return;
	v->extra = at;
	v->extra_going = c->deleting;
	v->extra_ended = c->outcome != SW_UNFINISHED;
	v->extra_active = c->active > 0;
	/* After a start whose reply was lost the cache may lag: only a fresh stop makes sure that it is suspended. */
	v->extra_suspended = c->suspended && !doubt;
	v->extra_ours_to_touch = sw_worker_state(w).claim == SW_CLAIM_OURS;
	v->extra_well = c->seen == SW_COPY_OURS && c->outcome == SW_SUCCEEDED;
	s->extra = w;
	s->extra_copy = *c;
}

static uint64_t uid_hash(const struct sw_copy *c)
{
	return c->uid ? sw_hash(c->uid, strlen(c->uid)) : 0;
}

void work_begins(struct work *wk, const struct scene *s)
{
	wk->begun_attempt = s->row->attempt;
	wk->begun_uid = uid_hash(&s->copy);
}

/* An attempt is started once: what its copy did until it vanished cannot be taken back, nor counted. */
static void see_history(struct scene *s, const struct work *wk)
{
	struct view *v = &s->v;
	bool begun = wk && wk->begun_attempt == s->row->attempt;
	bool another = v->current && begun && wk->begun_uid != uid_hash(&s->copy);
	v->begun = begun && (another || v->seen == SW_COPY_ABSENT);
	v->named_now = wk && wk->named_attempt == s->row->attempt;
}

static void see_winners_copy(struct scene *s, struct sw_worker *w, const struct sw_copy *c)
{
	struct view *v = &s->v;
	s->copy = *c;
	v->seen = c->seen;
	v->current = c->seen == SW_COPY_OURS && c->attempt >= s->row->attempt;
	v->ended = v->current && c->outcome != SW_UNFINISHED && !c->lease_expired;
	v->suspended = c->suspended;
	v->going = c->deleting;
	v->ready = sw_worker_state(w).ready;
}

static struct sw_copy copy_on(const struct scene *s, struct sw_worker *w)
{
	return sw_worker_copy(w, s->row->kind, s->row->ns, s->row->job_name, s->row->job_uid);
}

/* A copy of this attempt though no winner is named. Of two, the one of the later attempt stays. */
static void see_adoptable(struct scene *s, struct sw_worker *w, int at, const struct sw_copy *c, bool doubt)
{
	struct view *v = &s->v;
	struct sw_copy before = v->adopt >= 0 ? copy_on(s, s->adopt) : (struct sw_copy){.attempt = 0};
	if (v->adopt >= 0 && before.attempt >= c->attempt) {
		see_extra(s, w, at, c, doubt);
		return;
	}
	if (v->adopt >= 0)
		see_extra(s, s->adopt, v->adopt, &before, doubt);
	v->adopt = at;
	s->adopt = w;
}

static bool is_copy(const struct sw_copy *c)
{
	return c->seen == SW_COPY_OURS || c->seen == SW_COPY_STALE;
}

/* May a copy of the present attempt stay where it is? It may while its workload only waits for quota. */
static bool may_exist(const struct scene *s)
{
	const struct view *v = &s->v;
	bool over = v->finished || v->deleting || v->evicted;
	return !over && s->row->active && !s->row->suspended_by_user;
}

static void see_cluster(struct scene *s, struct sw_worker *w, int at, bool doubt)
{
	struct view *v = &s->v;
	const struct sw_workload *row = s->row;
	struct sw_copy c = copy_on(s, w);
	bool here = row->cluster && strcmp(row->cluster, sw_worker_name(w)) == 0;
	bool present = c.seen == SW_COPY_OURS && c.attempt >= row->attempt, stays = may_exist(s);
	if (here) {
		s->winner = w;
		v->configured = true;
		see_winners_copy(s, w, &c);
		stays |= v->ended && !v->finished && !v->deleting; /* its result is wanted */
	}
	if (here && present && stays)
		return;
	if (!row->cluster && present && stays)
		see_adoptable(s, w, at, &c, doubt);
	else if (is_copy(&c))
		see_extra(s, w, at, &c, doubt);
}

/* Where may a copy of this workload be, as far as its row says? */
static void see_copies(struct sw_dispatch *d, const struct work *wk, struct scene *s)
{
	for (size_t i = 0; i < sw_workers_count(d->workers); i++)
		see_cluster(s, sw_workers_at(d->workers, i), (int)i, wk && wk->doubt);
	if (s->winner)
		see_history(s, wk);
	s->v.dead = s->row->cluster && sw_dispatch_cluster_state(d, s->row->cluster) == SW_CLUSTER_DEAD;
	s->v.lost = s->v.has_winner && (!s->winner || s->v.dead || sw_worker_state(s->winner).lost);
}

/* ---- offers ---------------------------------------------------------------------------- */

/* Does the cluster still mean what it said to this attempt? */
static bool offer_stands(const struct sw_offered *o)
{
	return !o->evicted && !o->over && !o->deleting && (o->ready || o->taken);
}

/* What the cluster that the row names has made of the offer. */
static void see_winners_offer(struct scene *s, const char *key)
{
	struct view *v = &s->v;
	if (!s->winner || !sw_worker_takes_offers(s->winner))
		return;
	struct sw_offered o = s->offered = sw_worker_offered(s->winner, key, s->row->job_uid);
	bool current = o.seen == SW_COPY_OURS && o.attempt == s->row->attempt;
	bool no_copy = v->seen == SW_COPY_ABSENT;
	v->by_offer = true;
	v->offer_left = current;
	v->taken_unseen = no_copy && current && o.taken;
	if (no_copy && current && !o.taken)
		v->named_now = true; /* no job has had it: none of this attempt can have run */
	bool stands = current && offer_stands(&o);
	v->taken_back = o.seen != SW_COPY_UNKNOWN && !stands && !v->taken_unseen && !v->ended;
}

static bool in_step(const struct scene *s, const struct sw_worker *w, const char *pool)
{
	const struct plan_step *st = &s->plan.step[s->plan.at];
	for (size_t i = 0; s->plan.n && i < st->n; i++)
		if (strcmp(plan_text(&s->plan, st->place[i].cluster), sw_worker_name(w)) == 0 &&
		    strcmp(plan_text(&s->plan, st->place[i].pool), pool) == 0)
			return true;
	return false;
}

static bool offer_wanted(const struct scene *s, const struct sw_worker *w, const struct sw_offered *o)
{
	const struct sw_workload *row = s->row;
	if (!s->v.may_run || o->seen != SW_COPY_OURS || o->attempt != row->attempt || o->over)
		return false;
	return row->cluster ? s->winner == w : in_step(s, w, o->pool);
}

/* The plan must be known. */
static void see_offers(struct sw_dispatch *d, struct scene *s, const char *key)
{
	for (size_t i = 0; i < sw_workers_count(d->workers); i++) {
		struct sw_worker *w = sw_workers_at(d->workers, i);
		if (!sw_worker_takes_offers(w))
			continue;
		struct sw_offered o = sw_worker_offered(w, key, s->row->job_uid);
		bool there = o.seen == SW_COPY_OURS || o.seen == SW_COPY_STALE;
		if (!there || o.taken || o.deleting || offer_wanted(s, w, &o) || !sw_worker_state(w).ready)
			continue;
		s->v.extra_offer = (int)i;
		s->extra_offer = w;
		s->extra_offered = o;
		return;
	}
}

/* ---- a winner's run ----------------------------------------------------------------- */

/* Its pods run, but not all of them have a node: since when? */
static void see_unplaced(struct sw_dispatch *d, const struct work *wk, struct scene *s)
{
	uint64_t now = sw_loop_now(d->opt.loop), hold = (uint64_t)d->opt.config->hold_placed_ms;
	uint64_t since = wk && wk->unplaced_since_ms ? wk->unplaced_since_ms : now;
	s->v.running_long_unplaced = now >= since + hold;
	if (!s->v.running_long_unplaced)
		again_in(s, (int64_t)(since + hold - now));
}

static bool is_sent(const struct work *wk, const struct scene *s)
{
	return wk && wk->status_sent && wk->status_hash == s->copy.status_hash;
}

static void see_run(struct sw_dispatch *d, const struct work *wk, struct scene *s)
{
	struct view *v = &s->v;
	bool runs = v->current && !v->suspended && !v->going && !v->ended;

	s->pool = s->plan.win_pool ? plan_text(&s->plan, s->plan.win_pool) : s->copy.pool ? s->copy.pool : "";
	v->placed_noted = !s->plan.gang;
	v->placed = runs && s->plan.gang && s->copy.scheduled >= s->plan.gang;
	v->status_new = runs && !is_sent(wk, s);
	v->companions_due = wk && companions_due(wk, s);
	/* A cluster with a queue of its own decides how long pods may wait for nodes there. */
	if (runs && !v->placed && !v->placed_noted && !v->by_offer)
		see_unplaced(d, wk, s);
}

/* ---- placing ---------------------------------------------------------------------------- */

/* Would this pool be grown for us? Sets s->grow_nodes, or s->stuck. */
static bool can_grow(struct sw_dispatch *d, const struct work *wk, struct scene *s, struct sw_worker *w,
		     const struct sw_pool *pool, int nodes)
{
	int64_t wall = sw_loop_wall(d->opt.loop);
	struct sw_burst_view look = sw_burst_look(d->burst, sw_worker_name(w), pool->name, nodes);
	bool asked = wk->grows.w == w && strcmp(wk->grows.pool, pool->name) == 0;
	if (look.stockout_until_ms > wall) {
		again_in(s, look.stockout_until_ms - wall);
		s->stuck = "sold out";
		return false;
	}
	/* What we asked for counts against the limits already. */
	if (look.refused && !(asked && look.growing > 0)) {
		s->stuck = look.refused;
		return false;
	}
	return true;
}

/* Is an earlier place of the step on the same cluster? A cluster gets one offer. */
static bool has_offer(const struct scene *s, int at)
{
	const struct plan_step *st = &s->plan.step[s->plan.at];
	for (int i = 0; i < at; i++)
		if ((s->offers >> i & 1) &&
		    strcmp(plan_text(&s->plan, st->place[i].cluster), plan_text(&s->plan, st->place[at].cluster)) == 0)
			return true;
	return false;
}

/* Only the clusters of the first places stand in the row: decide.c, nominate(). */
static bool is_nominated(const struct scene *s, int at)
{
	const struct plan_step *st = &s->plan.step[s->plan.at];
	int clusters = 0;
	for (int i = 0; i < at; i++) {
		int k = 0;
		while (strcmp(plan_text(&s->plan, st->place[k].cluster), plan_text(&s->plan, st->place[i].cluster)) !=
		       0)
			k++;
		clusters += k == i;
	}
	return clusters < NOMINATED_MAX;
}

/* A place whose cluster decides. True: it has admitted the job for this pool. *hope: as for a place. */
static bool see_offer(const struct work *wk, struct scene *s, int at, struct sw_worker *w, const struct sw_pool *pool,
		      bool *hope)
{
	struct sw_offered o = sw_worker_offered(w, wk->key, s->row->job_uid);
	struct sw_queue_look queue;

	*hope = o.seen != SW_COPY_FOREIGN && is_nominated(s, at);
	if (!*hope)
		return false;
	if (o.seen == SW_COPY_OURS && o.attempt == s->row->attempt)
		return o.ready && strcmp(o.pool, pool->name) == 0;
	if (o.seen != SW_COPY_ABSENT)
		return false;
	queue = sw_worker_queue(w, s->row->ns, s->row->queue, wk->demand);
	*hope = !queue.known || queue.open;
	if (!*hope)
		s->stuck = "its queue is missing or stopped there";
	else if (!has_offer(s, at)) {
		s->offers |= (uint32_t)1 << at;
		s->v.to_offer = true;
	}
	return false;
}

/* May anything be placed there now? */
static bool is_open(struct sw_dispatch *d, const struct work *wk, const struct scene *s, struct sw_worker *w)
{
	return sw_worker_state(w).ready && !out_now(wk, w) &&
	       sw_dispatch_cluster_state(d, sw_worker_name(w)) == SW_CLUSTER_OPEN &&
	       copy_on(s, w).seen != SW_COPY_FOREIGN;
}

/* One place of the present step. True: there is hope while the step lasts. */
static bool see_place(struct sw_dispatch *d, const struct work *wk, struct scene *s, int at)
{
	struct view *v = &s->v;
	const struct plan_place *p = &s->plan.step[s->plan.at].place[at];
	struct sw_worker *w = sw_workers_find(d->workers, plan_text(&s->plan, p->cluster));
	const struct sw_pool *pool = w ? sw_worker_pool(w, plan_text(&s->plan, p->pool)) : NULL;
	if (!pool || !is_open(d, wk, s, w))
		return false;
	int nodes = sw_worker_fits(w, wk->key, pool->name, wk->demand);
	bool hope;
	if (nodes < 0)
		return false;
	if (sw_worker_takes_offers(w) && !see_offer(wk, s, at, w, pool, &hope))
		return hope;
	if (nodes == 0) {
		if (v->ready_candidate < 0)
			v->ready_candidate = at;
		return true;
	}
	if (!pool->growable)
		return true; /* nodes that are busy become free */
	if (!can_grow(d, wk, s, w, pool, nodes))
		return false;
	if (v->grow_candidate < 0) {
		v->grow_candidate = at;
		s->grow_nodes = nodes;
		v->grow_asked = wk->grows.w == w && strcmp(wk->grows.pool, pool->name) == 0 && wk->grows_nodes == nodes;
	}
	return true;
}

/* Every cluster of the step has refused the job. */
static bool is_refused(struct sw_dispatch *d, const struct work *wk, const struct plan *plan)
{
	const struct plan_step *st = &plan->step[plan->at];
	size_t n = 0;
	for (size_t i = 0; i < st->n; i++) {
		const struct sw_worker *w = sw_workers_find(d->workers, plan_text(plan, st->place[i].cluster));
		n += w && out_now(wk, w);
	}
	return n == st->n;
}

static void see_step(struct sw_dispatch *d, const struct work *wk, struct scene *s)
{
	struct view *v = &s->v;
	int64_t left = s->plan.until_ms - sw_loop_wall(d->opt.loop);
	bool hope = false;
	v->step_over = left <= 0;
	v->step_last = s->plan.at + 1 == s->plan.n;
	if (left > 0)
		again_in(s, left);
	for (int i = 0; i < s->plan.step[s->plan.at].n; i++)
		hope |= see_place(d, wk, s, i);
	v->step_hopeless = !hope;
	v->step_refused = !hope && is_refused(d, wk, &s->plan);
}

/* Just opened: a cluster that is about to answer must not cost money because another was quicker. */
static bool settling(const struct sw_dispatch *d, uint64_t now)
{
	for (size_t i = 0; now < d->opened_ms + SETTLE_MS && i < sw_workers_count(d->workers); i++) {
		struct sw_worker *w = sw_workers_at(d->workers, i);
		struct sw_worker_state st = sw_worker_state(w);
		bool refused = st.claim == SW_CLAIM_FOREIGN || st.claim == SW_CLAIM_NEWER;
		if (!refused && (!st.ready || !sw_worker_provider_state(w, NULL)))
			return true;
	}
	return false;
}

static void see_placing(struct sw_dispatch *d, const struct work *wk, struct scene *s)
{
	struct view *v = &s->v;
	uint64_t now = sw_loop_now(d->opt.loop);
	v->plan_again = now >= wk->plan_at_ms || (wk->plan_vain && wk->plan_world != d->world);
	v->plan_known = s->plan.n > 0 && !wk->plan_stale;
	if (v->plan_again && settling(d, now)) {
		v->plan_again = false;
		again_in(s, 100);
	} else if (!v->plan_again)
		again_in(s, (int64_t)(wk->plan_at_ms - now));
	if (v->job_known && !v->job_bad && v->plan_known)
		see_step(d, wk, s);
}

/* ------------------------------------------------------------------------------------------- */

static void scene_init(struct scene *s, const struct sw_workload *row)
{
	s->v = (struct view){.known = row != NULL,
			     .extra = -1,
			     .extra_offer = -1,
			     .behind = -1,
			     .adopt = -1,
			     .ready_candidate = -1,
			     .grow_candidate = -1,
			     .seen = SW_COPY_UNKNOWN};
	s->row = row;
	s->winner = s->extra = s->adopt = s->extra_offer = s->behind = NULL;
	s->offered = s->extra_offered = s->behind_offered =
		(struct sw_offered){.seen = SW_COPY_UNKNOWN, .pool = "", .uid = "", .priority_class = "", .why = ""};
	s->offers = 0;
	s->copy = s->extra_copy = (struct sw_copy){.seen = SW_COPY_UNKNOWN};
	s->again_ms = 0;
	s->grow_nodes = 0;
	s->pool = "";
	s->stuck = NULL;
	plan_init(&s->plan);
}

static void see_row(struct view *v, const struct sw_workload *row)
{
	v->finished = row->finished;
	v->deleting = row->deleting;
	v->evicted = row->evicted;
	v->has_winner = row->cluster != NULL;
	bool over = row->evicted || row->deleting || row->finished || row->check == SW_CHECK_REJECTED;
	v->may_run = row->active && row->reserved && !row->suspended_by_user && !over;
}

static void see_work(const struct sw_dispatch *d, const struct work *wk, struct view *v, const struct sw_workload *row)
{
	if (!wk)
		return;
	v->tombstoned = wk->tombstoned;
	v->start_refused = wk->start_failures >= START_TRIES;
	/* Our own writes move rv: a job read a moment ago is not read again for them. */
	bool fresh = wk->job_rv == row->rv || sw_loop_now(d->opt.loop) < wk->job_read_ms + JOB_FRESH_MS;
	v->job_known = wk->job && (row->job_mark ? row->job_mark == wk->job_mark : fresh);
	v->job_bad = v->job_known && !wk->demand;
}

void scene_read(struct sw_dispatch *d, struct work *wk, const char *key, struct scene *s)
{
	struct view *v = &s->v;
	const struct sw_workload *row = row_of(d, key);

	scene_init(s, row);
	if (!row)
		return;
	see_row(v, row);
	see_work(d, wk, v, row);
	v->store_is_old = identity_store_is_old(d);
	see_copies(d, wk, s);
	v->duplicate = v->dead || lost_mode(d, row) == SW_LOST_DUPLICATE;
	if (v->has_winner || v->may_run)
		plan_decode(&s->plan, row->message);
	lease_see(d, wk, s);
	see_winners_offer(s, key);
	see_offers(d, s, key);
	priority_see(d, wk, s);
	if (v->has_winner)
		see_run(d, wk, s);
	else if (v->may_run && v->adopt < 0 && wk)
		see_placing(d, wk, s);
	else if (v->may_run)
		v->plan_again = true;
}
