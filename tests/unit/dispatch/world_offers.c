/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world_offers.c - clusters with a queue of their own: mirrors, what Kueue does to them, and the functions of workers.h
 * about offers
 *
 * Kueue admits a mirror when its quota has room, gives it to the copy that names it, unsuspends that copy, takes quota
 * back now and then (and then suspends the copy), and lets a mirror go with its copy.
 */
#include "world_priv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "spillway/text.h"

static struct w_cluster *of(const struct sw_worker *w)
{
	return &the_world->cluster[w->at];
}

/* ---- truth: its Kueue ------------------------------------------------------------------ */

static int quota_free(const struct world *w, const struct w_cluster *c)
{
	int used = 0;
	for (int i = 0; i < W_JOBS; i++)
		if (c->mirror[i].exists && c->mirror[i].admitted)
			used += w->job[i].gpus * w->job[i].pods;
	return (c->growable ? c->max : c->nodes) * W_GPUS_PER_NODE - used;
}

/* The copy that names this mirror. */
static struct w_copy *claimant(struct world *w, int cluster, int job)
{
	struct w_copy *p = world_copy(w, cluster, job);
	return p && !p->foreign ? p : NULL;
}

static void suspend(struct world *w, struct w_copy *p, bool on)
{
	if (p->suspended == on || p->deleting || p->outcome != SW_UNFINISHED)
		return;
	p->suspended = on;
	p->rv++;
	w->started += !on;
}

static void mirror_run(struct world *w, int cluster, int job)
{
	struct w_cluster *c = &w->cluster[cluster];
	struct w_mirror *m = &c->mirror[job];
	struct w_copy *p = claimant(w, cluster, job);
	bool mine = p && *m->taken && strcmp(p->uid, m->taken) == 0;
	m->next_ms = w->now + 30 + world_random(w, 200);
	if (*m->taken ? !mine : m->deleting) {
		*m = (struct w_mirror){0};
		return;
	}
	if (!*m->taken && p && !p->deleting) {
		snprintf(m->taken, sizeof m->taken, "%s", p->uid);
		mine = true;
		m->over = p->attempt != m->attempt; /* out of sync: the attempt stands in the containers */
	}
	if (m->over) {
		suspend(w, p, true);
		return;
	}
	if (!m->admitted && quota_free(w, c) >= w->job[job].gpus * w->job[job].pods) {
		m->admitted = true;
		m->evicted = false;
	}
	if (mine)
		suspend(w, p, !m->admitted);
}

void world_queue_run(struct world *w, int cluster)
{
	struct w_cluster *c = &w->cluster[cluster];
	for (int i = 0; i < W_JOBS; i++) {
		struct w_copy *p = claimant(w, cluster, i);
		if (c->mirror[i].exists && c->mirror[i].next_ms <= w->now)
			mirror_run(w, cluster, i);
		else if (!c->mirror[i].exists && p)
			suspend(w, p, true); /* a job without its Workload */
	}
}

void world_preempt(struct world *w, int cluster, int job)
{
	struct w_mirror *m = &w->cluster[cluster].mirror[job];
	struct w_copy *p = claimant(w, cluster, job);
	if (!m->exists || !m->admitted)
		return;
	m->admitted = false;
	m->evicted = true;
	m->next_ms = w->now + 1000 + world_random(w, 3000);
	w->preempted++;
	if (p && strcmp(p->uid, m->taken) == 0)
		suspend(w, p, true);
}

/* ---- the cache ----------------------------------------------------------------------------- */

static void see(struct world *w, int cluster, int job)
{
	struct w_cluster *c = &w->cluster[cluster];
	if (memcmp(&c->mirror[job], &c->seen_mirror[job], sizeof c->mirror[job]) == 0)
		return;
	c->seen_mirror[job] = c->mirror[job];
	world_tell(w, cluster, w->job[job].key);
}

void world_mirrors_see(struct world *w, int cluster)
{
	memset(w->cluster[cluster].seen_mirror, 0, sizeof w->cluster[cluster].seen_mirror);
	for (int i = 0; i < W_JOBS; i++)
		see(w, cluster, i);
}

void world_mirrors_watch(struct world *w, int cluster)
{
	const struct w_cluster *c = &w->cluster[cluster];
	for (int i = 0; c->kueue && i < W_JOBS; i++)
		if ((c->mirror[i].exists || c->seen_mirror[i].exists) && world_random(w, 8) == 0)
			see(w, cluster, i);
}

void world_mirrors_gc(struct world *w, int cluster)
{
	struct w_cluster *c = &w->cluster[cluster];
	for (int i = 0; c->synced && i < W_JOBS; i++)
		if (c->mirror[i].exists && !*c->mirror[i].taken && !w->job[i].exists)
			c->mirror[i].deleting = true;
}

bool world_is_offered(struct world *w, int cluster, int job, unsigned attempt)
{
	const struct w_mirror *m = &w->cluster[cluster].seen_mirror[job];
	return m->exists && m->admitted && !m->over && !m->deleting && !*m->taken && m->attempt == attempt &&
	       strcmp(m->owner_uid, w->job[job].uid) == 0;
}

/* ---- workers.h --------------------------------------------------------------------------------- */

bool sw_worker_takes_offers(const struct sw_worker *w)
{
	return of(w)->kueue;
}

struct sw_offered sw_worker_offered(struct sw_worker *w, const char *key, const char *owner_uid)
{
	const struct w_mirror *m = &of(w)->seen_mirror[world_key_at(key)];
	struct sw_offered none = {.seen = SW_COPY_UNKNOWN, .pool = "", .uid = "", .priority_class = "", .why = ""};
	if (!of(w)->synced || !of(w)->kueue)
		return none;
	none.seen = SW_COPY_ABSENT;
	if (!m->exists)
		return none;
	return (struct sw_offered){.seen = strcmp(m->owner_uid, owner_uid) == 0 ? SW_COPY_OURS : SW_COPY_STALE,
				   .attempt = m->attempt,
				   .ready = m->admitted && !m->over && !m->deleting,
				   .over = m->over,
				   .evicted = m->evicted,
				   .taken = *m->taken,
				   .deleting = m->deleting,
				   .pool = m->pool,
				   .uid = m->uid,
				   .priority_class = m->class,
				   .priority = m->priority,
				   .why = m->admitted ? "" : "no quota"};
}

struct sw_queue_look sw_worker_queue(struct sw_worker *w, const char *ns, const char *queue,
				     const struct sw_demand *demand)
{
	int left = quota_free(the_world, of(w));
	(void)ns, (void)queue;
	return (struct sw_queue_look){.known = of(w)->synced && of(w)->kueue,
				      .there = true,
				      .open = true,
				      .room = left >= demand->gpus,
				      .free = left,
				      .total = of(w)->nodes * W_GPUS_PER_NODE};
}

static void early(struct world *w, struct w_req *r, int job)
{
	if (r->life == w->life && !r->lost && w->cluster[r->cluster].synced)
		see(w, r->cluster, job);
}

static void apply_offer(struct world *w, struct w_req *r)
{
	int job = world_key_at(r->name);
	struct w_mirror *m = &w->cluster[r->cluster].mirror[job];
	if (world_cut_off(w, r))
		return;
	if (w->cluster[r->cluster].refuses_offers != SW_E_OK) {
		r->err = sw_err(w->cluster[r->cluster].refuses_offers, "HTTP 403 Forbidden: no mirrors here");
		w->refused++;
		return;
	}
	if (!m->exists) {
		*m = (struct w_mirror){.exists = true, .attempt = r->attempt, .next_ms = w->now + 50};
		snprintf(m->owner_uid, sizeof m->owner_uid, "%s", r->uid);
		snprintf(m->uid, sizeof m->uid, "mirror-%llu", (unsigned long long)++w->uids);
		snprintf(m->pool, sizeof m->pool, "%s", r->pool);
		snprintf(m->class, sizeof m->class, "%s", r->text);
		m->priority = r->op;
		w->offered++;
	}
	early(w, r, job);
}

static void apply_withdraw(struct world *w, struct w_req *r)
{
	int job = world_key_at(r->name);
	struct w_mirror *m = &w->cluster[r->cluster].mirror[job];
	if (world_cut_off(w, r))
		return;
	if (m->exists && strcmp(m->uid, r->uid) == 0)
		m->deleting = true;
	early(w, r, job);
}

struct sw_err sw_worker_offer(struct sw_worker *w, const struct sw_offer *o, sw_worker_fn *done, void *owner)
{
	struct w_job *j = &the_world->job[world_key_at(o->key)];
	cr_assert(of(w)->kueue && o->workload && *o->pool);
	cr_assert_eq(j->attempt, o->attempt);
	cr_assert_str_eq(j->uid, o->owner_uid);
	cr_assert(!*j->cluster, "%s is offered to %s though it is placed on %s", o->key, of(w)->name, j->cluster);
	cr_assert(j->message && strstr(j->message, of(w)->name), "offered where no durable plan says so: %s",
		  j->message);
	struct w_req *r = world_cluster_request(w, apply_offer, o->name, o->owner_uid, done, owner);
	r->attempt = o->attempt;
	snprintf(r->pool, sizeof r->pool, "%s", o->pool);
	r->text = sw_strdup(j->class ? j->class : "");
	r->op = j->priority;
	return SW_OK;
}

static void apply_priority(struct world *w, struct w_req *r)
{
	struct w_cluster *c = &w->cluster[r->cluster];
	int job = world_key_at(r->name);
	struct w_mirror *m = &c->mirror[job];
	if (world_cut_off(w, r))
		return;
	c->told++;
	if (c->deaf)
		r->err = sw_err(SW_E_INVALID, "priorityClassRef is immutable");
	else if (m->exists && strcmp(m->uid, r->uid) == 0) {
		snprintf(m->class, sizeof m->class, "%s", r->text);
		m->priority = r->op;
	}
	early(w, r, job);
}

struct sw_err sw_worker_prioritize(struct sw_worker *w, const char *key, const char *uid, const char *class,
				   int32_t priority, sw_worker_fn *done, void *owner)
{
	char name[16];
	snprintf(name, sizeof name, "job%d", world_key_at(key));
	struct w_req *r = world_cluster_request(w, apply_priority, name, uid, done, owner);
	r->text = sw_strdup(class);
	r->op = priority;
	return SW_OK;
}

struct sw_err sw_worker_withdraw(struct sw_worker *w, const char *key, const char *uid, sw_worker_fn *done, void *owner)
{
	char name[16];
	snprintf(name, sizeof name, "job%d", world_key_at(key));
	world_cluster_request(w, apply_withdraw, name, uid, done, owner);
	return SW_OK;
}
