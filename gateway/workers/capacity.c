/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capacity.c - what is free: nodes and pools as decisions see them
 *
 * Computed from the rows when somebody asks and something changed since. A pool is the provider's, or is made up for
 * nodes that belong to none: one for each GPU model (and burst taint), one for nodes without GPU. The provider may say
 * something about a made-up pool by listing a pool of its name without a label (prices of owned machines).
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

enum { PODS_PER_NODE = 110 /* the kubelet's default maxPods */ };

static const char *model_of(const struct node_row *row)
{
	if (row->gpu)
		return row->gpu->model;
	return row->gpu_resource ? "unknown" : "";
}

/* ---- pools ----------------------------------------------------------------------- */

static int pool_index(const struct capacity *c, const char *name)
{
	for (size_t i = 0; i < c->n_pools; i++)
		if (strcmp(c->pools[i].name, name) == 0)
			return (int)i;
	return -1;
}

const struct sw_pool *capacity_pool(struct sw_worker *w, const char *name, int *index)
{
	capacity_update(w);
	int i = pool_index(&w->cap, name);
	if (index)
		*index = i;
	return i < 0 ? NULL : &w->cap.pools[i];
}

static int by_label(const struct capacity *c, json_t *labels)
{
	for (size_t i = 0; labels && i < c->n_pools; i++) {
		const struct sw_pool *p = &c->pools[i];
		json_t *value = p->label_key && p->label_value ? sw_json_key(labels, p->label_key) : NULL;
		const char *s = value ? json_object_get_string(value) : NULL;
		if (s && strcmp(s, p->label_value) == 0)
			return (int)i;
	}
	return -1;
}

static const char *own(struct capacity *c, char *s)
{
	c->made = realloc(c->made, (c->n_made + 1) * sizeof *c->made);
	SW_REQUIRE(c->made);
	return c->made[c->n_made++] = s;
}

/* "V100" -> "v100", "A100-80GB" + burst taint "x" -> "a100-80gb-x", spot -> "v100-spot"; no GPU -> "cpu"; a TPU slice
 * -> "tpu-v5e-2x4". */
static char *made_name(const struct node_row *row)
{
	const char *model = model_of(row), *shape = row->topology ? row->topology : "";
	const char *kind = *model ? model : "cpu", *dash = *shape ? "-" : "";
	char *name = row->taint && *row->taint ? sw_asprintf("%s%s%s-%s", kind, dash, shape, row->taint)
					       : sw_asprintf("%s%s%s%s", kind, dash, shape, row->spot ? "-spot" : "");
	for (char *s = name; *s; s++)
		*s = (char)(isalnum((unsigned char)*s) ? tolower((unsigned char)*s) : '-');
	return name;
}

static const char *label_of(struct capacity *c, const struct node_row *row, const char *key)
{
	json_t *v = row->labels ? sw_json_key(row->labels, key) : NULL;
	return v ? own(c, sw_strdup(json_object_get_string(v))) : "";
}

/* What the provider knows of a pool that it cannot select: its price. */
static void made_price(const struct sw_worker *w, struct sw_pool *p)
{
	const struct sw_provider_state *s = w->poll.known ? &w->poll.state : NULL;
	const struct sw_pool *all = NULL;

	for (size_t i = 0; s && i < s->n_pools; i++) {
		const struct sw_pool *said = &s->pools[i];
		if (said->label_key)
			continue;
		if (strcmp(said->name, "*") == 0)
			all = said;
		if (strcmp(said->name, p->name) == 0) {
			all = said;
			break;
		}
	}
	if (all) {
		p->price_hour = all->price_hour;
		p->priced_at_ms = all->priced_at_ms;
	}
}

static int pool_make(struct sw_worker *w, const struct node_row *row)
{
	struct capacity *c = &w->cap;
	char *name = made_name(row);
	int i = pool_index(c, name);

	if (i >= 0 && (size_t)i < c->n_listed) { /* the provider has a pool of that name, and this node is not in it */
		char *other = sw_asprintf("%s-other", name);
		free(name);
		name = other;
		i = pool_index(c, name);
	}
	if (i >= 0) {
		free(name);
		return i;
	}
	c->pools = realloc(c->pools, (c->n_pools + 1) * sizeof *c->pools);
	SW_REQUIRE(c->pools);
	struct sw_pool *p = &c->pools[c->n_pools];
	const char *region = label_of(c, row, "topology.kubernetes.io/region");
	*p = (struct sw_pool){.name = own(c, name),
			      .model = row->gpu            ? row->gpu->model
				       : row->gpu_resource ? "unknown"
							   : "",
			      .model_why = row->gpu_why,
			      .machine = label_of(c, row, "node.kubernetes.io/instance-type"),
			      .region = *region          ? region
					: w->cfg->region ? w->cfg->region
							 : "",
			      .zone = label_of(c, row, "topology.kubernetes.io/zone"),
			      .price_hour = NAN,
			      .quota_left = 0,
			      .spot = row->spot,
			      .gpu_resource = row->gpu_resource ? own(c, sw_strdup(row->gpu_resource)) : NULL,
			      .topology = row->topology ? own(c, sw_strdup(row->topology)) : NULL,
			      .taint = row->taint ? own(c, sw_strdup(row->taint)) : NULL};
	made_price(w, p);
	return (int)c->n_pools++;
}

/* What the site says about its own machines, where the provider knows no price. */
static void pools_price(struct sw_worker *w)
{
	for (size_t i = 0; i < w->cap.n_pools; i++) {
		struct sw_pool *p = &w->cap.pools[i];
		const struct sw_site_price *said =
			isnan(p->price_hour) ? sw_catalog_site_price(w->ws->opt.catalog, w->cfg->name, p->name) : NULL;
		const struct sw_gpu *gpu = said && *p->model ? sw_catalog_gpu(w->ws->opt.catalog, p->model) : NULL;
		double part = gpu && gpu->whole ? (double)gpu->memory_bytes / (double)gpu->whole->memory_bytes : 1;
		if (!said)
			continue;
		p->price_hour = isnan(said->node_hour) ? said->gpu_hour * part * p->gpus : said->node_hour;
		p->priced_at_ms = said->priced_at_ms;
		if (isnan(said->node_hour) && !gpu)
			p->price_hour = NAN; /* a price per GPU says nothing about nodes without */
	}
}

static void pools_begin(struct sw_worker *w)
{
	struct capacity *c = &w->cap;
	const struct sw_provider_state *s = w->poll.known ? &w->poll.state : NULL;

	for (size_t i = 0; i < c->n_made; i++)
		free(c->made[i]);
	c->n_made = c->n_pools = 0;
	c->pools = realloc(c->pools, ((s ? s->n_pools : 0) + 1) * sizeof *c->pools);
	SW_REQUIRE(c->pools);
	for (size_t i = 0; s && i < s->n_pools; i++)
		if (s->pools[i].label_key || s->pools[i].growable)
			c->pools[c->n_pools++] = s->pools[i];
	c->n_listed = c->n_pools;
}

/* A made-up pool is what its nodes are. */
static void pool_count(struct capacity *c, const struct node_row *row)
{
	struct sw_pool *p = &c->pools[row->pool];

	if ((size_t)row->pool < c->n_listed) {
		/* what its provider does not tell, the nodes do */
		if (!p->taint && row->taint)
			p->taint = own(c, sw_strdup(row->taint));
		if (!p->gpu_resource && row->gpus > 0)
			p->gpu_resource = own(c, sw_strdup(row->gpu_resource));
		if (!p->topology && row->topology)
			p->topology = own(c, sw_strdup(row->topology));
		return;
	}
	p->size = p->target = p->min = p->max = p->size + 1;
	p->gpus = row->gpus > p->gpus ? (int)row->gpus : p->gpus;
	p->cpu_milli = row->cpu > p->cpu_milli ? row->cpu : p->cpu_milli;
	p->memory_bytes = row->memory > p->memory_bytes ? row->memory : p->memory_bytes;
}

/* ---- selecting the nodes of a made-up pool ------------------------------------------ */

static const char *const model_labels[] = {"spillway.dev/gpu",
					   "nvidia.com/gpu.product",
					   "cloud.google.com/gke-accelerator",
					   "cloud.google.com/gke-gpu-partition-size",
					   "cloud.google.com/gke-tpu-accelerator",
					   LABEL_TPU_TOPOLOGY,
					   "amd.com/gpu.product-name",
					   "accelerator",
					   "kubernetes.azure.com/accelerator",
					   "node.kubernetes.io/instance-type"};

static const char *label_peek(const struct node_row *row, const char *key)
{
	json_t *v = row->labels ? sw_json_key(row->labels, key) : NULL;
	return v ? json_object_get_string(v) : NULL;
}

/* The value that every node of the pool has for this label, or NULL. */
static const char *label_shared(const struct capacity *c, int pool, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < c->n; i++) {
		const char *s = label_peek(c->rows[i], key);
		if (c->rows[i]->pool != pool)
			continue;
		if (!s || (value && strcmp(value, s) != 0))
			return NULL;
		value = s;
	}
	return value;
}

/* The same, if no other node has it too. */
static const char *label_telling(const struct sw_worker *w, int pool, const char *key)
{
	const struct capacity *c = &w->cap;
	const char *value = label_shared(c, pool, key);

	for (size_t i = 0; value && i < c->n; i++) {
		const char *s = c->rows[i]->pool == pool ? NULL : label_peek(c->rows[i], key);
		if (s && strcmp(s, value) == 0)
			return NULL;
	}
	return value;
}

static void pools_select(struct sw_worker *w)
{
	for (size_t p = w->cap.n_listed; p < w->cap.n_pools; p++) {
		struct sw_pool *pool = &w->cap.pools[p];
		for (size_t l = 0; !pool->label_key && *pool->model && l < sizeof model_labels / sizeof *model_labels;
		     l++) {
			const char *value = label_telling(w, (int)p, model_labels[l]);
			if (!value)
				continue;
			pool->label_value = own(&w->cap, sw_strdup(value));
			pool->label_key = model_labels[l];
		}
	}
}

/* ---- nodes ---------------------------------------------------------------------------- */

static void node_fill(const struct sw_worker *w, const struct node_row *row, struct sw_node *n)
{
	*n = (struct sw_node){.name = row->name,
			      .pool = w->cap.pools[row->pool].name,
			      .model = w->cap.pools[row->pool].model,
			      .gpu_resource = row->gpu_resource,
			      .taint = row->taint,
			      .cpu_free = row->cpu - row->cpu_used,
			      .memory_free = row->memory - row->memory_used,
			      .gpu_free = row->gpus - row->gpus_used,
			      .pods_free = (row->pods ? row->pods : PODS_PER_NODE) - row->pods_used,
			      .cpu_total = row->cpu,
			      .memory_total = row->memory,
			      .gpu_total = row->gpus,
			      .pods_total = row->pods ? row->pods : PODS_PER_NODE,
			      .cordoned = row->cordoned,
			      .usable = row->usable};
	if (row->gpu_resource || row->gpu)
		n->model = model_of(row);
}

static void nodes_gather(struct sw_worker *w)
{
	struct capacity *c = &w->cap;
	struct node_row *row, *tmp;
	size_t most = HASH_COUNT(w->nodes) + 1;

	c->rows = realloc(c->rows, most * sizeof *c->rows);
	c->nodes = realloc(c->nodes, most * sizeof *c->nodes);
	SW_REQUIRE(c->rows && c->nodes);
	c->n = 0;
	HASH_ITER(hh, w->nodes, row, tmp)
	{
		if (!row->seen)
			continue;
		if (row->pools_version != c->pools_version) {
			row->pool = by_label(c, row->labels);
			row->pools_version = c->pools_version;
		}
		row->at = c->n;
		c->rows[c->n++] = row;
	}
}

/* A cluster whose own queue decides may have no node at this moment, and take a job all the same. */
static void pool_of_queue(struct sw_worker *w)
{
	struct capacity *c = &w->cap;

	if (!w->ops->offer || c->n_pools > 0)
		return;
	c->pools = realloc(c->pools, (c->n_pools + 1) * sizeof *c->pools);
	SW_REQUIRE(c->pools);
	c->pools[c->n_pools] = (struct sw_pool){.name = "queue",
						.model = "",
						.machine = "",
						.region = w->cfg->region ? w->cfg->region : "",
						.zone = "",
						.price_hour = NAN};
	made_price(w, &c->pools[c->n_pools++]);
}

static void nodes_pool(struct sw_worker *w)
{
	struct capacity *c = &w->cap;
	for (size_t i = 0; i < c->n; i++) {
		struct node_row *row = c->rows[i];
		if (row->pool < 0 || (size_t)row->pool >= c->n_listed) {
			row->pool = pool_make(w, row);
			row->pools_version = 0; /* made-up pools are counted anew each time */
		}
		pool_count(c, row);
	}
}

static void nodes_empty(struct sw_worker *w)
{
	for (size_t i = 0; i < w->cap.n; i++) {
		struct node_row *row = w->cap.rows[i];
		struct sw_node *n = &w->cap.nodes[i];
		n->empty = row->busy == 0 && !row->reserved;
		if (!n->empty)
			row->empty_since_ms = 0;
		else if (row->empty_since_ms == 0)
			row->empty_since_ms = worker_now(w);
		n->empty_since_ms = row->empty_since_ms;
	}
}

void capacity_update(struct sw_worker *w)
{
	struct capacity *c = &w->cap;

	if (!c->stale)
		return;
	if (c->shape_stale) { /* which nodes and pools there are changes seldom, pods change all the time */
		pools_begin(w);
		nodes_gather(w);
		nodes_pool(w);
		pools_price(w);
		pool_of_queue(w);
		pools_select(w);
	}
	c->stale = c->shape_stale = false;
	for (size_t i = 0; i < c->n; i++) {
		node_fill(w, c->rows[i], &c->nodes[i]);
		c->rows[i]->reserved = false;
	}
	reserve_apply(w);
	nodes_empty(w);
}

bool capacity_fresh(struct sw_worker *w, int pool, struct sw_node *out)
{
	const struct capacity *c = &w->cap;
	const struct sw_pool *p = &c->pools[pool];
	int64_t cpu = p->cpu_milli, memory = p->memory_bytes, gpus = p->gpus, pods = PODS_PER_NODE;
	int64_t cpu_daemon = 0, memory_daemon = 0, pods_daemon = 0;
	bool seen = false;

	for (size_t i = 0; i < c->n; i++) {
		const struct node_row *row = c->rows[i];
		if (row->pool != pool || row->cpu == 0 || row->gpus < gpus)
			continue; /* a node without its GPUs yet is no example */
		if (!seen || row->cpu > cpu) {
			cpu = row->cpu;
			memory = row->memory;
			pods = row->pods ? row->pods : PODS_PER_NODE;
		}
		seen = true;
		cpu_daemon = row->cpu_daemon > cpu_daemon ? row->cpu_daemon : cpu_daemon;
		memory_daemon = row->memory_daemon > memory_daemon ? row->memory_daemon : memory_daemon;
		pods_daemon = row->pods_daemon > pods_daemon ? row->pods_daemon : pods_daemon;
	}
	const struct sw_gpu *gpu = *p->model ? sw_catalog_gpu(w->ws->opt.catalog, p->model) : NULL;
	*out = (struct sw_node){.name = "",
				.pool = p->name,
				.model = p->model,
				.gpu_resource = p->gpu_resource ? p->gpu_resource
						: gpu           ? gpu->resource
								: NULL,
				.taint = p->taint,
				.cpu_total = cpu,
				.memory_total = memory,
				.gpu_total = gpus,
				.pods_total = pods,
				.cpu_free = cpu - cpu_daemon,
				.memory_free = memory - memory_daemon,
				.gpu_free = gpus,
				.pods_free = pods - pods_daemon,
				.usable = true,
				.empty = true};
	return cpu > 0;
}

void capacity_free(struct sw_worker *w)
{
	struct capacity *c = &w->cap;
	for (size_t i = 0; i < c->n_made; i++)
		free(c->made[i]);
	free(c->made);
	free(c->nodes);
	free(c->rows);
	free(c->pools);
	*c = (struct capacity){0};
}

/* ---- the door ------------------------------------------------------------------------------ */

size_t sw_worker_nodes(struct sw_worker *w, const struct sw_node **out)
{
	capacity_update(w);
	*out = w->cap.nodes;
	return w->cap.n;
}

size_t sw_worker_pools(struct sw_worker *w, const struct sw_pool **out)
{
	capacity_update(w);
	*out = w->cap.pools;
	return w->cap.n_pools;
}

const struct sw_pool *sw_worker_pool(struct sw_worker *w, const char *name)
{
	return capacity_pool(w, name, NULL);
}

uint64_t sw_worker_generation(const struct sw_worker *w)
{
	return w->generation;
}
