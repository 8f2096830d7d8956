/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask.c - one workload, the clusters of its check, and what the policy says to that
 *
 * A cluster that the configuration names too is looked at: its pools, what is free, its prices. Of any other only the
 * name is known; it is neither excluded for that nor taken for free: it has no price, and nothing says that it fits.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "nominate_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

/* ---- the workload ---------------------------------------------------------------------------- */

static void wishes_of(json_t *holder, json_t *from)
{
	static const char *const maps[] = {"metadata.labels", "metadata.annotations"};

	for (size_t i = 0; i < 2; i++) {
		json_t *map = sw_json_at(from, maps[i]);

		if (!json_object_is_type(map, json_type_object))
			continue;
		json_object_object_foreach(map, key, value)
		{
			const char *text =
				json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;

			if (!text || strncmp(key, "spillway.dev/", 13) != 0)
				continue;
			if (i)
				sw_json_set_annotation(holder, key, text);
			else
				sw_json_set_label(holder, key, text);
		}
	}
}

/* The job itself is not read here. Its wishes reach the Workload as labels that Kueue copies (labelKeysToCopy), or
 * stand on its pod templates; the Workload's own win. */
static json_t *wishes_read(json_t *workload)
{
	json_t *holder = json_object_new_object(), *sets = sw_json_at(workload, "spec.podSets");

	for (size_t i = sw_json_len(sets); i-- > 0;)
		wishes_of(holder, sw_json_key(sw_json_idx(sets, i), "template"));
	wishes_of(holder, workload);
	return holder;
}

static unsigned attempt_of(json_t *workload)
{
	json_t *list = sw_json_at(workload, "status.schedulingStats.evictions");
	int64_t n = 1;

	for (size_t i = 0; i < sw_json_len(list); i++)
		n += sw_json_int(sw_json_idx(list, i), "count", 0);
	return n > 0 && n < 65536 ? (unsigned)n : 65535;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static void about_workload(const struct sw_nominate *n, json_t *w, struct question *q)
{
	json_t *owner = sw_json_idx(sw_json_at(w, "metadata.ownerReferences"), 0);
	const char *name = sw_json_str(w, "metadata.name"), *owner_name = sw_json_str(owner, "name"),
		   *kind = sw_json_str(owner, "kind");
	int64_t made = 0, wall = sw_loop_wall(n->opt.loop), priority = sw_json_int(w, "spec.priority", 0);
	struct sw_err e = sw_time_parse(or_empty(sw_json_str(w, "metadata.creationTimestamp")), &made);

	q->in = (struct sw_policy_input){.key = or_empty(name),
					 .job_name = owner_name ? owner_name : or_empty(name),
					 .ns = or_empty(sw_json_str(w, "metadata.namespace")),
					 .queue = or_empty(sw_json_str(w, "spec.queueName")),
					 .cluster_queue = sw_json_str(w, "status.admission.clusterQueue"),
					 .kind = kind ? kind : "Workload",
					 .priority = priority > INT32_MAX   ? INT32_MAX
						     : priority < INT32_MIN ? INT32_MIN
									    : (int32_t)priority,
					 .waited_ms = !sw_failed(e) && wall > made ? wall - made : 0,
					 .attempt = attempt_of(w),
					 .demand = &q->demand,
					 .now_ms = wall};
}

/* ---- candidates ------------------------------------------------------------------------------- */

static struct sw_candidate *add(struct question *q)
{
	if (q->n == q->size) {
		q->size = q->size ? 2 * q->size : 16;
		q->c = realloc(q->c, q->size * sizeof(*q->c));
		SW_REQUIRE(q->c);
	}
	return &q->c[q->n++];
}

static void add_unknown(struct question *q, const char *cluster, const struct sw_cluster_cfg *cfg)
{
	*add(q) = (struct sw_candidate){.cluster = cluster,
					.pool = "",
					.provider = cfg ? cfg->provider : "",
					.region = cfg ? cfg->region : "",
					.zone = "",
					.model = "",
					.nodes_needed = 1,
					.expected_start_ms = -1,
					.price_hour = NAN,
					.quota_left = -1};
}

/* Nodes of this pool that the gang would take if they were empty. */
static int nodes_in_all(const struct sw_pool *p, const struct question *q)
{
	struct sw_node fresh = {.name = "",
				.pool = p->name,
				.model = p->model ? p->model : "",
				.cpu_free = p->cpu_milli,
				.memory_free = p->memory_bytes,
				.gpu_free = p->gpus,
				.pods_free = INT16_MAX,
				.usable = true,
				.empty = true};

	return sw_pack(NULL, 0, q->demand.sets, q->demand.n_sets, &fresh, NULL);
}

static double price_of(const struct sw_nominate *n, const struct sw_pool *p, const struct question *q)
{
	int64_t age = sw_loop_wall(n->opt.loop) - p->priced_at_ms;
	int nodes = nodes_in_all(p, q);

	if (isnan(p->price_hour) || nodes < 0 ||
	    (p->growable && (p->priced_at_ms <= 0 || age > n->opt.config->price_max_age_ms)))
		return NAN;
	return p->price_hour * nodes;
}

static bool pool_suits(const struct sw_nominate *n, const struct sw_pool *p, const struct question *q)
{
	char why[160];
	const struct sw_gpu *gpu = p->model && *p->model ? sw_catalog_gpu(n->opt.catalog, p->model) : NULL;

	if (q->demand.gpus == 0)
		return true;
	return gpu && !sw_demand_refuses(&q->demand, gpu, why, sizeof(why));
}

static void count_nodes(struct sw_worker *w, const struct sw_pool *p, struct sw_candidate *c)
{
	const struct sw_node *nodes;

	for (size_t i = 0, n = sw_worker_nodes(w, &nodes); i < n; i++) {
		bool gpu = *c->model != '\0';

		if (strcmp(nodes[i].pool, p->name) != 0)
			continue;
		c->total += gpu ? nodes[i].gpu_total : nodes[i].cpu_total / 1000;
		if (nodes[i].usable)
			c->free += gpu ? nodes[i].gpu_free : nodes[i].cpu_free / 1000;
	}
}

static void add_pool(const struct sw_nominate *n, struct question *q, struct sw_worker *w, const char *cluster,
		     const struct sw_pool *p, bool room)
{
	const struct sw_cluster_cfg *cfg = sw_worker_cfg(w);
	int nodes = sw_worker_fits(w, q->in.key, p->name, &q->demand);

	if (!pool_suits(n, p, q) || nodes < 0)
		return;
	struct sw_candidate *c = add(q);

	*c = (struct sw_candidate){.cluster = cluster,
				   .pool = p->name,
				   .provider = cfg->provider,
				   .region = p->region && *p->region ? p->region : cfg->region,
				   .zone = or_empty(p->zone),
				   .model = or_empty(p->model),
				   .gpu = p->model && *p->model ? sw_catalog_gpu(n->opt.catalog, p->model) : NULL,
				   .machine = p->machine,
				   .gpus_per_node = p->gpus,
				   .nodes = p->size,
				   .nodes_max = p->max,
				   .nodes_needed = room        ? nodes
						   : nodes > 0 ? nodes
							       : 1,
				   .spot = p->spot,
				   .growable = p->growable,
				   .quota_left = p->quota_left,
				   .expected_start_ms = room && nodes == 0 ? 0
							: p->growable      ? p->grow_eta_ms
									   : -1,
				   .price_hour = price_of(n, p, q)};
	count_nodes(w, p, c);
}

/* A cluster whose own queue is closed takes nothing; one that waits is a candidate without room. */
static void add_cluster(const struct sw_nominate *n, struct question *q, const char *cluster)
{
	struct sw_worker *w = sw_workers_find(n->workers, cluster);
	const struct sw_pool *pools;
	size_t count = w && sw_worker_state(w).reachable ? sw_worker_pools(w, &pools) : 0;

	if (!count) {
		add_unknown(q, cluster, w ? sw_worker_cfg(w) : NULL);
		return;
	}
	struct sw_queue_look look = sw_worker_queue(w, q->in.ns, q->in.queue, &q->demand);

	if (look.known && !look.open)
		return;
	for (size_t i = 0; i < count; i++)
		add_pool(n, q, w, cluster, &pools[i], !look.known || look.room);
}

static bool is_live(const struct sw_nominate *n, const char *cluster)
{
	json_t *o = nom_thing_get(n, FEED_CLUSTERS, cluster);

	return o && sw_json_condition_true(o, "Active");
}

/* In the order of the MultiKueueConfig. */
static struct sw_err add_clusters(const struct sw_nominate *n, struct question *q, const char *check)
{
	const char *config = sw_json_str(nom_thing_get(n, FEED_CHECKS, check), "spec.parameters.name");
	json_t *list = config ? sw_json_at(nom_thing_get(n, FEED_CONFIGS, config), "spec.clusters") : NULL;
	size_t live = 0;

	if (!sw_json_len(list))
		return sw_err(SW_E_MISSING,
			      "the MultiKueueConfig \"%.100s\" of check %.100s is not there, or has no clusters",
			      or_empty(config), check);
	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *name = sw_json_idx(list, i);

		if (!json_object_is_type(name, json_type_string) || !is_live(n, json_object_get_string(name)))
			continue;
		live++;
		add_cluster(n, q, json_object_get_string(name));
	}
	if (!live)
		return sw_err(SW_E_MISSING, "none of the %zu clusters of MultiKueueConfig %.100s is Active",
			      sw_json_len(list), config);
	if (!q->n)
		return sw_err(SW_E_MISSING, "none of the %zu live clusters of MultiKueueConfig %.100s suits it", live,
			      config);
	return SW_OK;
}

struct sw_policy *nom_policy_for(const struct sw_nominate *n, const struct question *q)
{
	char local[520];

	snprintf(local, sizeof(local), "%s/%s", q->in.ns, q->in.queue);
	for (size_t i = 0; i < n->opt.n_rules; i++) {
		const char *queue = n->opt.rules[i].queue;

		if (strcmp(queue, or_empty(q->in.cluster_queue)) == 0 || strcmp(queue, local) == 0)
			return n->opt.rules[i].policy;
	}
	return n->opt.policy;
}

/* ---- the question --------------------------------------------------------------------------------- */

/* One that says what the one before it said, for the same Workload, is no news. */
static void record(const struct sw_nominate *n, struct sw_policy *policy, const struct question *q,
		   const struct sw_policy_plan *plan, struct sw_err e, uint64_t *recorded)
{
	uint64_t hash = sw_hash(e.text, strlen(e.text)) * 31 + (sw_failed(e) ? 1 : plan->n);

	for (size_t i = 0; !sw_failed(e) && i < plan->n; i++)
		for (size_t k = 0; k < plan->step[i].n; k++) {
			const char *name = q->c[plan->step[i].candidate[k]].cluster;
			hash = hash * 31 + sw_hash(name, strlen(name)) + i;
		}
	if (!recorded || *recorded == hash)
		return;
	*recorded = hash;
	if (n->opt.on_decided)
		n->opt.on_decided(n->opt.owner, policy, &q->in, sw_failed(e) ? NULL : plan, e.text);
}

struct sw_err nom_question_ask(struct sw_nominate *n, json_t *w, const char *check, uint64_t *recorded,
			       struct question *q)
{
	struct sw_policy_plan *plan = NULL;
	struct sw_err e;

	*q = (struct question){.holder = wishes_read(w)};
	about_workload(n, w, q);
	e = sw_demand_of_podsets(sw_json_at(w, "spec.podSets"), q->holder, n->opt.catalog, &q->demand);
	if (!sw_failed(e))
		e = add_clusters(n, q, check);
	q->in.candidates = q->c;
	q->in.n_candidates = q->n < SW_POLICY_CANDIDATES ? q->n : SW_POLICY_CANDIDATES;
	if (!sw_failed(e)) {
		plan = sw_calloc(1, sizeof(*plan));
		e = sw_policy_place(nom_policy_for(n, q), &q->in, plan);
		record(n, nom_policy_for(n, q), q, plan, e, recorded);
		if (sw_failed(e) && n->opt.fallback) {
			sw_log(WARN, "nominate", "the policy failed, the default one decides", "key=%s error=\"%s\"",
			       q->in.key, e.text);
			e = sw_policy_place(n->opt.fallback, &q->in, plan);
		}
	}
	if (!sw_failed(e)) {
		round_plan_make(&q->in, plan, &q->plan);
		sw_cut(q->reason, sizeof(q->reason),
		       *plan->reason ? plan->reason
		       : plan->n     ? plan->step[0].reason
				     : "");
	}
	free(plan);
	return e;
}

void nom_question_fini(struct question *q)
{
	free(q->c);
	json_object_put(q->holder);
	*q = (struct question){0};
}
