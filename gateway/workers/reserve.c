/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reserve.c - room that is promised to a gang until its pods are there
 *
 * A reservation is the gang's shape and, so far, where its pods would go (slots). Each account starts from what the
 * pods on the nodes leave free: pods of the gang that are scheduled count off its shape, slots that still fit
 * stay where they were, and the rest is packed on what is left; older reservations first. So a pod that appears
 * replaces its slot, a node that comes is used, one that goes is forgotten, and nothing has to be undone step by step.
 * Once all pods were scheduled the reservation is inert: from then on the pods speak for themselves.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "pack.h"
#include "spillway/text.h"
#include "workers_priv.h"

static struct reservation *res_find(struct sw_worker *w, const char *key)
{
	struct reservation *r;
	HASH_FIND_STR(w->reservations, key, r);
	return r;
}

enum { GANG_MAX = 100 * 1000 }; /* pods: more are refused, not counted */

static bool is_too_large(const struct sw_demand *d)
{
	int64_t pods = 0;
	for (size_t s = 0; s < d->n_sets; s++)
		pods += d->sets[s].count;
	return pods > GANG_MAX;
}

static void res_free(struct sw_worker *w, struct reservation *r)
{
	HASH_DEL(w->reservations, r);
	for (size_t s = 0; s < r->n_sets; s++)
		free((char *)r->sets[s].gpu_resource);
	free(r->pool);
	free(r->owner_uid);
	free(r->slots);
	free(r);
}

static void res_new(struct sw_worker *w, const struct sw_offer *o)
{
	size_t n = strlen(o->key);
	struct reservation *r = sw_calloc(1, sizeof *r + n + 1);

	memcpy(r->key, o->key, n);
	r->pool = sw_strdup(o->pool);
	r->owner_uid = sw_strdup(o->owner_uid ? o->owner_uid : "");
	r->attempt = o->attempt;
	r->n_sets = o->demand->n_sets;
	memcpy(r->sets, o->demand->sets, r->n_sets * sizeof *r->sets);
	for (size_t s = 0; s < r->n_sets; s++) {
		r->sets[s].template = NULL;
		r->sets[s].gpu_resource = sw_strdup(o->demand->sets[s].gpu_resource);
	}
	HASH_ADD_KEYPTR(hh, w->reservations, r->key, n, r);
}

static bool is_same_shape(const struct reservation *r, const struct sw_demand *d)
{
	if (r->n_sets != d->n_sets)
		return false;
	for (size_t s = 0; s < r->n_sets; s++) {
		const struct sw_podset *a = &r->sets[s], *b = &d->sets[s];
		if (a->count != b->count || a->cpu_milli != b->cpu_milli || a->memory_bytes != b->memory_bytes ||
		    a->gpus != b->gpus)
			return false;
	}
	return true;
}

static bool is_same(const struct reservation *r, const struct sw_offer *o)
{
	return strcmp(r->pool, o->pool) == 0 && r->attempt == o->attempt &&
	       strcmp(r->owner_uid, o->owner_uid ? o->owner_uid : "") == 0 && is_same_shape(r, o->demand);
}

/* ---- the account ------------------------------------------------------------------ */

static int set_of_pod(const struct reservation *r, const struct pod_row *p, const int32_t *left)
{
	int any = -1;
	for (size_t s = 0; s < r->n_sets; s++) {
		if (left[s] <= 0)
			continue;
		if (r->sets[s].cpu_milli == p->cpu && r->sets[s].memory_bytes == p->memory &&
		    r->sets[s].gpus == p->gpus)
			return (int)s;
		any = any < 0 ? (int)s : any; /* an admission plugin changed the pod: some set it is */
	}
	return any;
}

/* Counts off the pods that are scheduled, or were. Returns how many are still to come. */
static int64_t pods_left(struct sw_worker *w, const struct reservation *r, int32_t *left)
{
	struct work *work = pod_work_find(w, r->key);
	struct pod_ours *o;
	int64_t total = 0;

	for (size_t s = 0; s < r->n_sets; s++)
		left[s] = r->sets[s].count;
	if (work) {
		DL_FOREACH(work->pods, o)
		{
			int s = -1;
			if (o->row->node && o->attempt == r->attempt && strcmp(o->owner_uid, r->owner_uid) == 0)
				s = set_of_pod(r, o->row, left);
			if (s >= 0)
				left[s]--;
		}
	}
	for (size_t s = 0; s < r->n_sets; s++)
		total += left[s] > 0 ? left[s] : 0;
	return total;
}

/* Slots that still fit stay; the others go. */
static void slots_keep(struct sw_worker *w, struct reservation *r, int32_t *left)
{
	struct capacity *c = &w->cap;
	size_t kept = 0;

	for (size_t i = 0; i < r->n_slots; i++) {
		struct slot s = r->slots[i];
		size_t at = s.node->at;
		int64_t n = strcmp(c->nodes[at].pool, r->pool) == 0 ? pack_times(&c->nodes[at], &r->sets[s.set]) : 0;
		n = n < s.count ? n : s.count;
		n = n < left[s.set] ? n : left[s.set];
		if (n <= 0)
			continue;
		pack_take(&c->nodes[at], &r->sets[s.set], n);
		left[s.set] -= (int32_t)n;
		s.count = (int32_t)n;
		r->slots[kept++] = s;
	}
	r->n_slots = kept;
}

static void slot_add(struct reservation *r, struct node_row *node, size_t set)
{
	struct slot *last = r->n_slots ? &r->slots[r->n_slots - 1] : NULL;
	if (last && last->node == node && last->set == set) {
		last->count++;
		return;
	}
	r->slots = realloc(r->slots, (r->n_slots + 1) * sizeof *r->slots);
	SW_REQUIRE(r->slots);
	r->slots[r->n_slots++] = (struct slot){.node = node, .set = (uint16_t)set, .count = 1};
}

/* The nodes of one pool, apart, with where each stands in cap.nodes. */
struct part {
	struct sw_node *nodes;
	size_t *at;
	size_t n;
};

static struct part part_new(const struct capacity *c, const char *pool)
{
	struct part p = {.nodes = sw_calloc(c->n + 1, sizeof *p.nodes), .at = sw_calloc(c->n + 1, sizeof *p.at)};
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->nodes[i].pool, pool) != 0)
			continue;
		p.at[p.n] = i;
		p.nodes[p.n++] = c->nodes[i];
	}
	return p;
}

static void part_free(struct part *p)
{
	free(p->nodes);
	free(p->at);
}

static void slots_pack(struct sw_worker *w, struct reservation *r, int32_t *left)
{
	struct capacity *c = &w->cap;
	struct sw_podset rest[SW_PODSETS_MAX];
	struct part p = part_new(c, r->pool);
	size_t pods = 0;

	for (size_t s = 0; s < r->n_sets; s++) {
		rest[s] = r->sets[s];
		rest[s].count = left[s] > 0 ? left[s] : 0;
		pods += (size_t)rest[s].count;
	}
	int *assigned = sw_calloc(pods + 1, sizeof *assigned);
	(void)sw_pack(p.nodes, p.n, rest, r->n_sets, NULL, assigned); /* what does not fit says assigned[] */
	for (size_t s = 0, pod = 0; s < r->n_sets; s++) {
		for (int32_t i = 0; i < rest[s].count; i++, pod++) {
			if (assigned[pod] < 0)
				continue;
			slot_add(r, c->rows[p.at[assigned[pod]]], s);
			left[s]--;
		}
	}
	for (size_t i = 0; i < p.n; i++)
		c->nodes[p.at[i]] = p.nodes[i];
	free(assigned);
	part_free(&p);
}

/* Seen at each pod, not only when somebody asks: pods may come and go between two accounts. */
void reserve_pods_changed(struct sw_worker *w, const char *key)
{
	struct reservation *r = res_find(w, key);
	int32_t left[SW_PODSETS_MAX];

	if (r && !r->placed && pods_left(w, r, left) == 0)
		r->placed = true;
}

static void res_apply(struct sw_worker *w, struct reservation *r)
{
	int32_t *left = r->unplaced;

	if (!r->placed && pods_left(w, r, left) == 0)
		r->placed = true;
	if (r->placed) {
		memset(r->unplaced, 0, sizeof r->unplaced);
		r->n_slots = 0;
		return;
	}
	slots_keep(w, r, left);
	slots_pack(w, r, left);
	for (size_t i = 0; i < r->n_slots; i++)
		r->slots[i].node->reserved = true;
}

void reserve_apply(struct sw_worker *w)
{
	struct reservation *r, *tmp;
	HASH_ITER(hh, w->reservations, r, tmp)
	res_apply(w, r);
}

void reserve_node_gone(struct sw_worker *w, struct node_row *row)
{
	struct reservation *r, *tmp;
	HASH_ITER(hh, w->reservations, r, tmp)
	{
		size_t kept = 0;
		for (size_t i = 0; i < r->n_slots; i++)
			if (r->slots[i].node != row)
				r->slots[kept++] = r->slots[i];
		r->n_slots = kept;
	}
}

void reserve_free(struct sw_worker *w)
{
	struct reservation *r, *tmp;
	HASH_ITER(hh, w->reservations, r, tmp)
	res_free(w, r);
}

/* ---- how many nodes more ------------------------------------------------------------ */

/* Could the gang ever fit: on the pool's nodes with nothing but daemons on them, and as many fresh ones as its maximum
 * allows? */
static bool fits_ever(struct sw_worker *w, int pool, const struct sw_podset *sets, size_t n_sets,
		      const struct sw_node *fresh, bool have_fresh)
{
	const struct capacity *c = &w->cap;
	const struct sw_pool *p = &c->pools[pool];
	struct part part = part_new(c, p->name);
	int room = p->growable ? p->max - (int)part.n : 0;

	for (size_t i = 0; i < part.n; i++) {
		const struct node_row *row = c->rows[part.at[i]];
		struct sw_node *n = &part.nodes[i];
		n->cpu_free = row->cpu - row->cpu_daemon;
		n->memory_free = row->memory - row->memory_daemon;
		n->gpu_free = row->gpus;
		n->pods_free = n->pods_total - row->pods_daemon;
		n->usable = true; /* a node that is NotReady or cordoned today may be well tomorrow */
	}
	int need = sw_pack(part.nodes, part.n, sets, n_sets, have_fresh ? fresh : NULL, NULL);
	part_free(&part);
	return need == 0 || (need > 0 && need <= room);
}

/* sets: what has no place yet. */
static int missing_of(struct sw_worker *w, int pool, const struct sw_podset *all, size_t n_sets,
		      const int32_t *unplaced)
{
	struct sw_podset rest[SW_PODSETS_MAX];
	struct sw_node fresh;
	int64_t left = 0;
	bool have = capacity_fresh(w, pool, &fresh);

	for (size_t s = 0; s < n_sets; s++) {
		rest[s] = all[s];
		rest[s].count = unplaced[s] > 0 ? unplaced[s] : 0;
		left += rest[s].count;
	}
	if (left == 0)
		return 0;
	if (!fits_ever(w, pool, all, n_sets, &fresh, have) || !have)
		return -1;
	int n = pack_fresh(rest, n_sets, &fresh);
	return n == 0 ? 1 : n;
}

int reserve_missing(struct sw_worker *w, int pool)
{
	struct reservation *r, *tmp;
	struct sw_podset *sets = sw_calloc(HASH_COUNT(w->reservations) * SW_PODSETS_MAX + 1, sizeof *sets);
	struct sw_node fresh;
	size_t n = 0;

	HASH_ITER(hh, w->reservations, r, tmp)
	{
		for (size_t s = 0; s < r->n_sets && strcmp(r->pool, w->cap.pools[pool].name) == 0; s++) {
			if (r->unplaced[s] <= 0)
				continue;
			sets[n] = r->sets[s];
			sets[n++].count = r->unplaced[s];
		}
	}
	int missing = n == 0 ? 0 : capacity_fresh(w, pool, &fresh) ? pack_fresh(sets, n, &fresh) : -1;
	free(sets);
	return missing;
}

/* ---- the door ---------------------------------------------------------------------------- */

struct sw_err sw_worker_reserve(struct sw_worker *w, const struct sw_offer *o, int *missing)
{
	struct reservation *r = res_find(w, o->key);
	int pool;

	*missing = -1;
	const struct sw_pool *p = capacity_pool(w, o->pool, &pool);
	if (!p)
		return sw_err(SW_E_MISSING, "cluster %s has no pool \"%s\"", w->cfg->name, o->pool);
	if (!w->ops->packs(w, p)) {
		*missing = 0;
		sw_worker_unreserve(w, o->key);
		return SW_OK;
	}
	if (r && !is_same(r, o)) {
		res_free(w, r);
		r = NULL;
		worker_capacity_changed(w);
	}
	if (is_too_large(o->demand))
		return SW_OK;
	if (!r) {
		res_new(w, o);
		r = res_find(w, o->key);
		worker_capacity_changed(w);
		if (!capacity_pool(w, o->pool, &pool))
			return sw_err(SW_E_MISSING, "cluster %s has no pool \"%s\"", w->cfg->name, o->pool);
	}
	*missing = missing_of(w, pool, r->sets, r->n_sets, r->unplaced);
	if (*missing < 0) { /* no use holding what can never be enough */
		res_free(w, r);
		worker_capacity_changed(w);
	}
	return SW_OK;
}

void sw_worker_unreserve(struct sw_worker *w, const char *key)
{
	struct reservation *r = res_find(w, key);
	if (!r)
		return;
	res_free(w, r);
	worker_capacity_changed(w);
}

/* Without a reservation of its own. index: of the pool. */
static int fits_now(struct sw_worker *w, int index, const struct sw_demand *demand)
{
	int32_t left[SW_PODSETS_MAX];
	struct part p = part_new(&w->cap, w->cap.pools[index].name);
	size_t pods = 0, pod = 0;
	for (size_t s = 0; s < demand->n_sets; s++)
		pods += (size_t)(demand->sets[s].count > 0 ? demand->sets[s].count : 0);
	int *assigned = sw_calloc(pods + 1, sizeof *assigned);
	int n = sw_pack(p.nodes, p.n, demand->sets, demand->n_sets, NULL, assigned);
	for (size_t s = 0; s < demand->n_sets; s++)
		for (int32_t i = left[s] = 0; i < demand->sets[s].count; i++)
			left[s] += assigned[pod++] < 0;
	if (n != 0)
		n = missing_of(w, index, demand->sets, demand->n_sets, left);
	free(assigned);
	part_free(&p);
	return n;
}

/* All that packing looks at. */
static uint64_t fit_shape(const char *pool, const struct sw_demand *demand)
{
	uint64_t h = sw_hash(pool, strlen(pool));
	for (size_t i = 0; i < demand->n_sets; i++) {
		const struct sw_podset *s = &demand->sets[i];
		const int64_t numbers[] = {s->count, s->cpu_milli, s->memory_bytes, s->gpus};
		h = h * 31 + sw_hash(numbers, sizeof numbers);
		if (s->gpu_resource)
			h = h * 31 + sw_hash(s->gpu_resource, strlen(s->gpu_resource));
	}
	return h ? h : 1; /* 0: an empty place */
}

int sw_worker_fits(struct sw_worker *w, const char *key, const char *pool, const struct sw_demand *demand)
{
	int index;

	const struct sw_pool *known = capacity_pool(w, pool, &index);
	if (!known || is_too_large(demand))
		return -1;
	if (!w->ops->packs(w, known))
		return 0;
	const struct reservation *r = key ? res_find(w, key) : NULL;
	if (r && !r->placed && strcmp(r->pool, pool) == 0 && is_same_shape(r, demand))
		return missing_of(w, index, r->sets, r->n_sets, r->unplaced);
	uint64_t shape = fit_shape(pool, demand);
	struct fit *f = &w->fits[shape % FITS_KEPT];
	if (f->shape != shape || f->generation != w->generation)
		*f = (struct fit){.generation = w->generation, .shape = shape, .missing = fits_now(w, index, demand)};
	return f->missing;
}

int sw_worker_pool_missing(struct sw_worker *w, const char *pool)
{
	int index;
	return capacity_pool(w, pool, &index) ? reserve_missing(w, index) : 0;
}
