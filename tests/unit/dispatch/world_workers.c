/* SPDX-License-Identifier: Apache-2.0 */
/* world_workers.c - clusters with copies and pods, and the functions of workers.h over them */
#include "world_priv.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

struct sw_workers {
	struct sw_workers_options opt;
	struct sw_worker w[W_CLUSTERS];
	uint64_t epoch;
	bool synced;
	struct sw_timer *timer;
	uint64_t gc_ms;
};

static struct sw_workers *the_workers; /* of the living dispatch */

/* ---- truth: controllers and schedulers of the clusters ------------------------------ */

static int pods_free(const struct w_cluster *c)
{
	int used = 0;
	for (int k = 0; k < W_COPIES; k++)
		if (c->copy[k].exists && c->copy[k].began && c->copy[k].active > 0)
			used += the_world->job[c->copy[k].job].gpus * the_world->job[c->copy[k].job].pods;
	return c->nodes * W_GPUS_PER_NODE - used;
}

/* Its pods are made. An attempt may do that once. */
static void copy_begin(struct world *w, struct w_job *j, struct w_copy *p)
{
	p->active = p->pods = j->pods;
	p->started_ms = w->now;
	if (strcmp(p->owner_uid, j->uid) != 0)
		return;
	bool again = strcmp(j->ran_owner, p->owner_uid) == 0 && j->ran_attempt == p->attempt &&
		     strcmp(j->ran_uid, p->uid) != 0;
	cr_assert(!again, "%s: attempt %u was started twice\n%s", j->name, p->attempt, w->events);
	j->ran_attempt = p->attempt;
	sw_cut(j->ran_owner, sizeof j->ran_owner, p->owner_uid);
	sw_cut(j->ran_uid, sizeof j->ran_uid, p->uid);
}

static void copy_run(struct world *w, struct w_cluster *c, struct w_copy *p)
{
	struct w_job *j = &w->job[p->job];
	p->next_ms = w->now + 50 + world_random(w, 300);
	p->rv++;
	if (p->deleting || p->suspended) {
		if (p->active > 0)
			p->active = p->scheduled = 0, p->began = false; /* its pods end a while after the wish */
		else if (p->deleting)
			*p = (struct w_copy){0};
		return;
	}
	if (p->outcome != SW_UNFINISHED)
		return;
	if (p->deadline_s && p->active > 0 && w->now >= p->started_ms + (uint64_t)p->deadline_s * 1000) {
		p->outcome = SW_JOB_FAILED;
		p->expired = true;
		p->active = 0;
		w->expired++;
		return;
	}
	if (p->active == 0) {
		copy_begin(w, j, p);
	} else if (!p->began && !c->blind && pods_free(c) >= j->gpus * j->pods) {
		p->began = true;
		p->scheduled = j->pods;
		p->run_ms = w->now + 500 + world_random(w, 4000);
	} else if (p->began && w->now >= p->run_ms) {
		p->outcome = j->fails ? SW_JOB_FAILED : SW_SUCCEEDED;
		p->active = 0;
	}
}

static void cluster_run(struct world *w, struct w_cluster *c)
{
	for (int k = 0; k < W_COPIES; k++)
		if (c->copy[k].exists && c->copy[k].job >= 0 && c->copy[k].next_ms <= w->now)
			copy_run(w, c, &c->copy[k]);
	if (c->kueue)
		world_queue_run(w, (int)(c - w->cluster));
	if (c->nodes < c->target && c->grown_ms <= w->now) {
		c->nodes++;
		c->grown_ms = w->now + 1000;
		c->generation++;
	}
}

/* ---- the cache -------------------------------------------------------------------------- */

void world_tell(struct world *w, int cluster, const char *key)
{
	if (w->d && the_workers && the_workers->opt.on_change)
		the_workers->opt.on_change(the_workers->opt.owner, key, &the_workers->w[cluster]);
}

static void tell_pod(struct world *w, int cluster, const struct w_copy *p)
{
	char name[40];
	snprintf(name, sizeof name, "job%d-pod-%u", p->job, p->attempt);
	json_t *pod = sw_json_fmt("{\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\",\"annotations\":{\"%s\":\"%s\"}}"
				  ",\"spec\":{\"containers\":[{\"name\":\"main\"}]}}",
				  name, SW_ANN_OWNER_UID, p->owner_uid);
	the_workers->opt.on_pod(the_workers->opt.owner, w->job[p->job].key, &the_workers->w[cluster], name, pod);
	json_object_put(pod);
}

/* The watch catches up with one copy. */
static void see(struct world *w, int cluster, int k)
{
	struct w_cluster *c = &w->cluster[cluster];
	int job = c->copy[k].exists ? c->copy[k].job : c->seen[k].job;
	bool same = memcmp(&c->seen[k], &c->copy[k], sizeof c->copy[k]) == 0;
	c->seen[k] = c->copy[k];
	if (same || job < 0 || !w->d || !the_workers)
		return;
	c->generation++;
	if (c->copy[k].exists && c->copy[k].scheduled)
		tell_pod(w, cluster, &c->copy[k]);
	world_tell(w, cluster, w->job[job].key);
	world_tell(w, cluster, NULL);
}

static void cache_run(struct world *w, int cluster)
{
	struct w_cluster *c = &w->cluster[cluster];
	if (c->unknown)
		return;
	if (!c->reachable) {
		if (c->synced) {
			c->synced = false;
			c->lost_ms = w->now;
			world_tell(w, cluster, NULL);
		} else if (c->lost_ms && w->now - c->lost_ms > (uint64_t)w->config.lost_after_ms &&
			   world_random(w, 20) == 0)
			world_tell(w, cluster, NULL);
		return;
	}
	if (!c->synced && world_random(w, 10) == 0) {
		memset(c->seen, 0, sizeof c->seen);
		c->synced = true; /* a fresh list */
		c->lost_ms = 0;
		for (int k = 0; k < W_COPIES; k++)
			see(w, cluster, k);
		world_mirrors_see(w, cluster);
		world_tell(w, cluster, NULL);
	}
	if (c->synced)
		world_mirrors_watch(w, cluster);
	for (int k = 0; c->synced && k < W_COPIES; k++)
		if ((c->copy[k].exists || c->seen[k].exists) && world_random(w, 8) == 0)
			see(w, cluster, k);
}

/* Copies whose workload is gone are garbage: removed when both sides are seen. */
static void gc_run(struct world *w)
{
	if (!the_workers || !the_workers->synced || w->now < the_workers->gc_ms)
		return;
	the_workers->gc_ms = w->now + 3000;
	for (int i = 0; i < W_CLUSTERS; i++)
		world_mirrors_gc(w, i);
	for (int i = 0; i < W_CLUSTERS; i++)
		for (int k = 0; k < W_COPIES; k++) {
			struct w_copy *seen = &w->cluster[i].seen[k], *p = &w->cluster[i].copy[k];
			const struct sw_workload *row =
				seen->exists && seen->job >= 0
					? w->manager.base.ops->get(&w->manager.base, w->job[seen->job].key)
					: NULL;
			if (w->cluster[i].synced && seen->exists && seen->job >= 0 && !row && p->exists &&
			    strcmp(p->uid, seen->uid) == 0)
				p->deleting = true;
		}
}

void world_clusters_run(struct world *w)
{
	for (int i = 0; i < W_CLUSTERS; i++) {
		cluster_run(w, &w->cluster[i]);
		if (w->d)
			cache_run(w, i);
	}
	if (w->d)
		gc_run(w);
}

struct w_copy *world_copy(struct world *w, int cluster, int job)
{
	for (int k = 0; k < W_COPIES; k++)
		if (w->cluster[cluster].copy[k].exists && w->cluster[cluster].copy[k].job == job)
			return &w->cluster[cluster].copy[k];
	return NULL;
}

/* ---- workers.h ------------------------------------------------------------------------------ */

static struct w_cluster *of(const struct sw_worker *w)
{
	return &the_world->cluster[w->at];
}

static int job_at(const char *name)
{
	for (int i = 0; i < W_JOBS; i++) {
		char have[16];
		snprintf(have, sizeof have, "job%d", i);
		if (strcmp(have, name) == 0)
			return i;
	}
	cr_assert(false, "no job %s", name);
	return 0;
}

int world_key_at(const char *key)
{
	return job_at(strstr(key, "job"));
}

struct sw_err sw_workers_new(const struct sw_workers_options *opt, struct sw_workers **out)
{
	struct sw_workers *ws = sw_calloc(1, sizeof *ws);
	ws->opt = *opt;
	ws->epoch = opt->epoch;
	for (int i = 0; i < W_CLUSTERS; i++) {
		ws->w[i].at = i;
		the_world->cluster[i].synced = false;
		the_world->cluster[i].lost_ms = the_world->now;
		memset(the_world->cluster[i].seen, 0, sizeof the_world->cluster[i].seen);
		memset(the_world->cluster[i].seen_mirror, 0, sizeof the_world->cluster[i].seen_mirror);
		memset(the_world->cluster[i].reserved, 0, sizeof the_world->cluster[i].reserved);
	}
	the_workers = *out = ws;
	return SW_OK;
}

void sw_workers_free(struct sw_workers *ws)
{
	free(ws);
	the_workers = NULL;
}

/* The clusters are those of the world; which of them dispatch knows may change. */
static int nth_known(size_t n)
{
	for (int i = 0; i < W_CLUSTERS; i++)
		if (!the_world->cluster[i].unknown && n-- == 0)
			return i;
	return -1;
}

size_t sw_workers_count(const struct sw_workers *ws)
{
	size_t n = 0;
	(void)ws;
	for (int i = 0; i < W_CLUSTERS; i++)
		n += !the_world->cluster[i].unknown;
	return n;
}
struct sw_worker *sw_workers_at(struct sw_workers *ws, size_t i)
{
	int at = nth_known(i);
	return at < 0 ? NULL : &ws->w[at];
}
struct sw_worker *sw_workers_find(struct sw_workers *ws, const char *name)
{
	for (int i = 0; i < W_CLUSTERS; i++)
		if (!the_world->cluster[i].unknown && strcmp(the_world->cluster[i].name, name) == 0)
			return &ws->w[i];
	return NULL;
}
struct sw_err sw_workers_add(struct sw_workers *ws, const struct sw_cluster_cfg *cfg)
{
	for (int i = 0; i < W_CLUSTERS; i++) {
		struct w_cluster *c = &the_world->cluster[i];
		if (strcmp(c->name, cfg->name) != 0)
			continue;
		cr_assert(c->unknown, "%s joined twice", c->name);
		c->unknown = c->synced = false;
		memset(c->seen, 0, sizeof c->seen);
		memset(c->seen_mirror, 0, sizeof c->seen_mirror);
		memset(c->reserved, 0, sizeof c->reserved);
	}
	(void)ws;
	return SW_OK;
}
bool sw_worker_is_busy(const struct sw_worker *w)
{
	(void)w;
	return false;
}
void sw_workers_drop(struct sw_workers *ws, struct sw_worker *w)
{
	(void)ws;
	of(w)->unknown = true;
	for (int i = 0; i < W_JOBS; i++)
		cr_assert_eq(of(w)->reserved[i], 0, "job %d has room there", i);
}
const char *sw_worker_name(const struct sw_worker *w)
{
	return of(w)->name;
}
const struct sw_cluster_cfg *sw_worker_cfg(const struct sw_worker *w)
{
	return &the_world->cfg[w->at];
}
void sw_workers_catalog_changed(struct sw_workers *ws)
{
	(void)ws;
}

void sw_workers_set_epoch(struct sw_workers *ws, uint64_t epoch)
{
	cr_assert_geq(epoch, ws->epoch);
	ws->epoch = epoch;
	for (int i = 0; i < W_CLUSTERS; i++)
		if (the_world->cluster[i].synced && the_world->cluster[i].claim_epoch < epoch)
			the_world->cluster[i].claim_epoch = epoch;
}
void sw_workers_set_back(struct sw_workers *ws)
{
	for (int i = 0; i < W_CLUSTERS; i++)
		the_world->cluster[i].claim_epoch = ws->epoch + 1;
}
void sw_workers_manager_synced(struct sw_workers *ws, bool synced)
{
	ws->synced = synced;
}
bool sw_worker_serves(const struct sw_worker *w, const struct sw_kind *kind)
{
	(void)kind;
	return of(w)->synced;
}

struct sw_err sw_worker_companion(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
				  const struct sw_companion *c, json_t *object, sw_worker_fn *done, void *owner)
{
	(void)w, (void)kind, (void)ns, (void)name, (void)c, (void)object, (void)done, (void)owner;
	return sw_err(SW_E_UNSUPPORTED, "this world's manager fetches nothing");
}

enum sw_needs_seen sw_worker_needs(struct sw_worker *w, const char *ns, const struct sw_needs *needs, char *why,
				   size_t size)
{
	(void)ns;
	for (size_t i = 0; of(w)->lacks_secrets && i < needs->n; i++) {
		if (needs->at[i].kind != SW_NEED_SECRET)
			continue;
		snprintf(why, size, "Secret %s does not exist there", needs->at[i].name);
		return SW_NEEDS_MISSING;
	}
	return SW_NEEDS_MET;
}

struct sw_worker_state sw_worker_state(const struct sw_worker *w)
{
	struct w_cluster *c = of(w);
	enum sw_claim claim = !c->synced                            ? SW_CLAIM_UNKNOWN
			      : c->claim_epoch > the_workers->epoch ? SW_CLAIM_NEWER
								    : SW_CLAIM_OURS;
	return (struct sw_worker_state){.ready = claim == SW_CLAIM_OURS,
					.reachable = c->synced,
					.claim = claim,
					.lost_since_ms = c->lost_ms,
					.lost = c->lost_ms &&
						the_world->now - c->lost_ms > (uint64_t)the_world->config.lost_after_ms,
					.claim_epoch = c->claim_epoch,
					.why = claim == SW_CLAIM_OURS    ? ""
					       : claim == SW_CLAIM_NEWER ? "our store is older"
									 : "cut off",
					.gc_why = ""};
}

const struct sw_provider_state *sw_worker_provider_state(const struct sw_worker *w, int64_t *asked_at_ms)
{
	static const struct sw_provider_state known;
	(void)asked_at_ms;
	return of(w)->synced ? &known : NULL;
}

size_t sw_worker_nodes(struct sw_worker *w, const struct sw_node **out)
{
	static struct sw_node nodes[16];
	struct w_cluster *c = of(w);
	for (int i = 0; i < c->nodes; i++)
		nodes[i] = (struct sw_node){.name = "n",
					    .pool = c->pool,
					    .model = "V100",
					    .gpu_resource = "nvidia.com/gpu",
					    .cpu_free = 64000,
					    .memory_free = (int64_t)1 << 40,
					    .gpu_free = W_GPUS_PER_NODE,
					    .cpu_total = 64000,
					    .memory_total = (int64_t)1 << 40,
					    .gpu_total = W_GPUS_PER_NODE,
					    .pods_free = 100,
					    .pods_total = 100,
					    .usable = true};
	*out = nodes;
	return (size_t)c->nodes;
}

static const struct sw_pool *pool_of(struct sw_worker *w)
{
	static struct sw_pool pools[W_CLUSTERS];
	struct w_cluster *c = of(w);
	pools[w->at] = (struct sw_pool){.name = c->pool,
					.model = "V100",
					.machine = "m",
					.region = "r",
					.zone = "z",
					.gpus = W_GPUS_PER_NODE,
					.cpu_milli = 64000,
					.memory_bytes = (int64_t)1 << 40,
					.size = c->nodes,
					.target = c->target,
					.max = c->max,
					.quota_left = -1,
					.growable = c->growable,
					.price_hour = c->growable ? 10 + w->at : NAN,
					.priced_at_ms = 1,
					.grow_eta_ms = 1000};
	return &pools[w->at];
}

size_t sw_worker_pools(struct sw_worker *w, const struct sw_pool **out)
{
	*out = pool_of(w);
	return of(w)->synced ? 1 : 0;
}
const struct sw_pool *sw_worker_pool(struct sw_worker *w, const char *name)
{
	return of(w)->synced && strcmp(of(w)->pool, name) == 0 ? pool_of(w) : NULL;
}

struct sw_err sw_worker_target(struct sw_worker *w, const char *pool, struct sw_target *out)
{
	*out = (struct sw_target){.gpu = sw_catalog_gpu(the_world->catalog, "V100"), .spot = SW_SPOT_NEVER};
	if (!sw_worker_pool(w, pool))
		return sw_err(SW_E_MISSING, "no pool %s", pool);
	out->labels = json_object_new_object();
	json_object_object_add(out->labels, "pool", json_object_new_string(pool));
	return SW_OK;
}

void sw_target_fini(struct sw_target *to)
{
	json_object_put(to->labels);
	to->labels = NULL;
}

/* GPUs that neither running copies (as the cache shows them) nor promises to others hold. */
static int64_t room(struct sw_worker *w, int but)
{
	struct w_cluster *c = of(w);
	int64_t n = c->nodes * W_GPUS_PER_NODE;
	for (int i = 0; i < W_JOBS; i++) {
		int64_t held = i == but ? 0 : c->reserved[i];
		for (int k = 0; k < W_COPIES; k++)
			if (c->seen[k].exists && c->seen[k].job == i && c->seen[k].began && c->seen[k].active > 0 &&
			    held == 0)
				held = the_world->job[i].gpus * the_world->job[i].pods;
		n -= held;
	}
	return n;
}

int sw_worker_fits(struct sw_worker *w, const char *key, const char *pool, const struct sw_demand *d)
{
	struct w_cluster *c = of(w);
	if (strcmp(pool, c->pool) != 0 || d->sets[0].gpus > W_GPUS_PER_NODE)
		return -1;
	if (c->kueue && !c->growable)
		return 0;
	int64_t lack = d->gpus - room(w, world_key_at(key));
	return lack <= 0 ? 0 : (int)((lack + W_GPUS_PER_NODE - 1) / W_GPUS_PER_NODE);
}

struct sw_err sw_worker_reserve(struct sw_worker *w, const struct sw_offer *o, int *missing)
{
	*missing = sw_worker_fits(w, o->key, o->pool, o->demand);
	for (int i = 0; i < W_CLUSTERS; i++)
		cr_assert(i == w->at || the_world->cluster[i].reserved[world_key_at(o->key)] == 0,
			  "%s is promised room on two clusters", o->key);
	of(w)->reserved[world_key_at(o->key)] = o->demand->gpus;
	return SW_OK;
}

void sw_worker_unreserve(struct sw_worker *w, const char *key)
{
	of(w)->reserved[world_key_at(key)] = 0;
}

static struct sw_copy shown(const struct w_copy *p, const char *owner_uid)
{
	struct sw_copy c = {.seen = p->foreign                             ? SW_COPY_FOREIGN
				    : strcmp(p->owner_uid, owner_uid) == 0 ? SW_COPY_OURS
									   : SW_COPY_STALE,
			    .attempt = p->attempt,
			    .suspended = p->suspended,
			    .deleting = p->deleting,
			    .outcome = p->outcome,
			    .active = p->active,
			    .scheduled = p->scheduled,
			    .pods = p->pods,
			    .status_hash = (uint64_t)p->active * 100 + (uint64_t)p->scheduled * 10 + p->outcome + 1,
			    .created_ms = 1,
			    .lease_s = p->lease_s,
			    .started_ms = p->started_ms ? 1700000000000 + (int64_t)p->started_ms : 0,
			    .lease_expired = p->expired,
			    .pool = p->pool,
			    .uid = p->uid};
	return c;
}

static const struct w_copy *seen_of(struct sw_worker *w, const char *name)
{
	struct w_cluster *c = of(w);
	for (int k = 0; k < W_COPIES; k++)
		if (c->seen[k].exists && c->seen[k].job == job_at(name))
			return &c->seen[k];
	return NULL;
}

struct sw_copy sw_worker_copy(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
			      const char *owner_uid)
{
	(void)kind, (void)ns;
	if (!of(w)->synced)
		return (struct sw_copy){.seen = SW_COPY_UNKNOWN, .pool = "", .uid = ""};
	if (of(w)->taken_name && job_at(name) == 0)
		return (struct sw_copy){.seen = SW_COPY_FOREIGN, .pool = "", .uid = ""};
	const struct w_copy *p = seen_of(w, name);
	return p ? shown(p, owner_uid) : (struct sw_copy){.seen = SW_COPY_ABSENT, .pool = "", .uid = ""};
}

void sw_worker_each_copy(struct sw_worker *w, sw_copy_fn *each, void *owner)
{
	for (int k = 0; k < W_COPIES; k++) {
		const struct w_copy *p = &of(w)->seen[k];
		if (!p->exists || p->job < 0 || !of(w)->synced)
			continue;
		struct sw_copy c = shown(p, p->owner_uid);
		each(owner, w, the_world->job[p->job].key, &sw_kind_job, "ns", the_world->job[p->job].name,
		     p->owner_uid, &c);
	}
}

json_t *sw_worker_copy_status(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name)
{
	const struct w_copy *p = seen_of(w, name);
	(void)kind, (void)ns;
	if (!p || !of(w)->synced)
		return NULL;
	if (p->outcome == SW_UNFINISHED)
		return sw_json_fmt("{\"active\":%d}", p->active);
	return sw_json_fmt("{\"conditions\":[{\"type\":\"%s\",\"status\":\"True\",\"reason\":\"r\"}]}",
			   p->outcome == SW_SUCCEEDED ? "Complete" : "Failed");
}

/* ---- requests to clusters ---------------------------------------------------------------------- */

static struct w_copy *truth(struct w_req *r)
{
	struct w_cluster *c = &the_world->cluster[r->cluster];
	for (int k = 0; k < W_COPIES; k++)
		if (c->copy[k].exists && c->copy[k].job == job_at(r->name))
			return &c->copy[k];
	return NULL;
}

/* A reply shows the object before the watch does. */
static void early(struct world *w, struct w_req *r)
{
	struct w_cluster *c = &w->cluster[r->cluster];
	if (r->life != w->life || r->lost || !c->synced)
		return;
	for (int k = 0; k < W_COPIES; k++)
		if (c->copy[k].exists && c->copy[k].job == job_at(r->name))
			see(w, r->cluster, k);
}

bool world_cut_off(struct world *w, struct w_req *r)
{
	if (w->cluster[r->cluster].reachable)
		return false;
	r->err = sw_err(SW_E_NET, "cut off");
	return true;
}

static void apply_post(struct world *w, struct w_req *r)
{
	struct w_cluster *c = &w->cluster[r->cluster];
	struct w_copy *p = truth(r);
	if (world_cut_off(w, r))
		return;
	if (w->job[job_at(r->name)].poison)
		r->err = sw_err(SW_E_INVALID, "admission webhook says no");
	else if (c->refuses_jobs != SW_E_OK)
		r->err = sw_err(c->refuses_jobs, "POST /jobs: HTTP 403 Forbidden: no such jobs on %s", c->name);
	else if (c->taken_name && job_at(r->name) == 0)
		r->err = sw_err(SW_E_EXISTS, "a stranger's");
	else if (!p) {
		for (int k = 0; k < W_COPIES && !p; k++)
			if (!c->copy[k].exists)
				p = &c->copy[k];
		cr_assert_not_null(p);
		*p = (struct w_copy){.exists = true,
				     .job = job_at(r->name),
				     .attempt = r->attempt,
				     .suspended = true,
				     .lease_s = r->lease_s,
				     .deadline_s = r->lease_s,
				     .next_ms = w->now + 100,
				     .rv = w->now};
		snprintf(p->owner_uid, sizeof p->owner_uid, "%s", r->uid);
		snprintf(p->uid, sizeof p->uid, "copy-%llu", (unsigned long long)++w->uids);
		snprintf(p->pool, sizeof p->pool, "%s", r->pool);
	}
	w->refused += sw_failed(r->err);
	if (!sw_failed(r->err))
		early(w, r);
}

static void apply_suspend(struct world *w, struct w_req *r)
{
	struct w_copy *p = truth(r);
	if (world_cut_off(w, r))
		return;
	if (!p || strcmp(p->uid, r->uid) != 0)
		r->err = sw_err(SW_E_MISSING, "gone");
	else if (p->rv != r->rv)
		r->err = sw_err(SW_E_CONFLICT, "changed");
	else {
		p->suspended = r->op;
		p->rv++;
		w->started += !r->op;
		early(w, r);
	}
}

static void apply_delete(struct world *w, struct w_req *r)
{
	struct w_copy *p = truth(r);
	if (world_cut_off(w, r))
		return;
	if (p && strcmp(p->uid, r->uid) == 0)
		p->deleting = true;
	else
		r->err = SW_OK;
}

struct w_req *world_cluster_request(struct sw_worker *w, void (*apply)(struct world *, struct w_req *),
				    const char *name, const char *uid, sw_worker_fn *done, void *owner)
{
	struct w_req *r = world_request(the_world, apply, done, owner);
	r->cluster = w->at;
	snprintf(r->name, sizeof r->name, "%s", name);
	snprintf(r->uid, sizeof r->uid, "%s", uid);
	return r;
}

struct sw_err sw_worker_start(struct sw_worker *w, const struct sw_offer *o, json_t *job, sw_worker_fn *done,
			      void *owner)
{
	struct w_job *j = &the_world->job[job_at(o->name)];
	const struct w_copy *p = seen_of(w, o->name);
	/* The rule above all others. */
	cr_assert_str_eq(j->cluster, of(w)->name, "a copy is started where the row does not say");
	cr_assert_eq(j->attempt, o->attempt);
	cr_assert_str_eq(j->uid, o->owner_uid);
	cr_assert(job && *o->pool);
	if (!p) {
		cr_assert(!of(w)->kueue || world_is_offered(the_world, w->at, job_at(o->name), o->attempt),
			  "a copy is created where the offer was not admitted");
		struct w_req *r = world_cluster_request(w, apply_post, o->name, o->owner_uid, done, owner);
		r->attempt = o->attempt;
		r->lease_s = o->lease_s;
		snprintf(r->pool, sizeof r->pool, "%s", o->pool);
		return SW_OK;
	}
	cr_assert(!of(w)->kueue, "its own queue unsuspends a copy");
	struct w_req *r = world_cluster_request(w, apply_suspend, o->name, p->uid, done, owner);
	r->rv = p->rv;
	r->op = false;
	return SW_OK;
}

bool sw_worker_can_lease(const struct sw_worker *w, const struct sw_kind *kind)
{
	(void)kind;
	return !of(w)->kueue;
}

static void apply_renew(struct world *w, struct w_req *r)
{
	struct w_copy *p = truth(r);
	if (world_cut_off(w, r))
		return;
	if (!p || strcmp(p->uid, r->uid) != 0) {
		r->err = sw_err(SW_E_MISSING, "gone");
		return;
	}
	p->deadline_s = r->lease_s;
	p->rv++;
	w->renewed++;
}

struct sw_err sw_worker_renew(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
			      const char *uid, int64_t seconds, sw_worker_fn *done, void *owner)
{
	(void)kind, (void)ns;
	if (!of(w)->synced)
		return sw_err(SW_E_BUSY, "out of reach");
	world_cluster_request(w, apply_renew, name, uid, done, owner)->lease_s = seconds;
	return SW_OK;
}

struct sw_err sw_worker_stop(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
			     const char *uid, sw_worker_fn *done, void *owner)
{
	(void)kind, (void)ns;
	if (of(w)->kueue) {
		world_cluster_request(w, apply_delete, name, uid, done, owner);
		return SW_OK;
	}
	struct w_req *r = world_cluster_request(w, apply_suspend, name, uid, done, owner);
	r->rv = seen_of(w, name)->rv;
	r->op = true;
	return SW_OK;
}

struct sw_err sw_worker_sweep(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
			      const char *uid, sw_worker_fn *done, void *owner)
{
	(void)kind, (void)ns;
	const struct w_copy *p = seen_of(w, name);
	cr_assert(p && (p->outcome != SW_UNFINISHED || (p->suspended && p->active == 0)),
		  "a copy that may run is removed before it was stopped");
	world_cluster_request(w, apply_delete, name, uid, done, owner);
	return SW_OK;
}

static void apply_tombstone(struct world *w, struct w_req *r)
{
	/* Carried out by the collector of garbage once the cluster is back: the row is gone by then. */
	(void)w, (void)r;
}

struct sw_err sw_worker_tombstone(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
				  const char *owner_uid, sw_worker_fn *done, void *owner)
{
	(void)kind, (void)ns;
	world_cluster_request(w, apply_tombstone, name, owner_uid, done, owner);
	return SW_OK;
}

static void apply_tail(struct world *w, struct w_req *r)
{
	if (!world_cut_off(w, r) && world_random(w, 4) == 0)
		r->err = sw_err(SW_E_INVALID, "container has not started");
}

struct sw_err sw_worker_log_tail(struct sw_worker *w, const char *ns, const char *pod, const char *container,
				 size_t max, sw_log_tail_fn *done, void *owner)
{
	(void)ns, (void)container, (void)max;
	struct w_req *r = world_request(the_world, apply_tail, NULL, owner);
	r->tail = done;
	r->cluster = w->at;
	snprintf(r->name, sizeof r->name, "%.4s", pod);
	return SW_OK;
}
