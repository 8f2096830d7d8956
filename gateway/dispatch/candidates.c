/* SPDX-License-Identifier: Apache-2.0 */
/*
 * candidates.c - where could this job run, at what price, and why not elsewhere
 *
 * Every pool of every cluster gets a verdict in words, for the policy and for `explain`:
 *   never   no change of load or stock can make it fit (model, precision, size, spot, price limit)
 *   out     not now, and waiting for it would be in vain: the cluster is away, the price unknown
 *   later   not now, but a plan may wait for it or buy it
 *   fits    the whole gang would start now
 */
#include "dispatch_priv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

const char *verdict_name(enum verdict v)
{
	static const char *const names[] = {
		[VERDICT_FITS] = "fits", [VERDICT_LATER] = "later", [VERDICT_OUT] = "out", [VERDICT_NEVER] = "never"};
	return names[v];
}

__attribute__((format(printf, 4, 5))) static void judge(struct option *o, enum verdict v, enum obstacle ob,
							const char *fmt, ...)
{
	char text[sizeof o->why] = "";
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	o->verdict = v;
	o->obstacle = ob;
	sw_cut(o->why, sizeof o->why, text);
}

/* ---- what the pool is ----------------------------------------------------------- */

static void count_nodes(struct option *o, const struct sw_pool *p)
{
	const struct sw_node *nodes;
	size_t n = sw_worker_nodes(o->w, &nodes);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(nodes[i].pool, p->name) != 0)
			continue;
		o->c.total += *o->c.model ? nodes[i].gpu_total : nodes[i].cpu_total / 1000;
		if (nodes[i].usable)
			o->c.free += *o->c.model ? nodes[i].gpu_free : nodes[i].cpu_free / 1000;
	}
}

/* Could the gang fit on the pool's present nodes if they were all empty? Nodes that are not there yet may hold
 * anything. */
static bool fits_when_empty(struct sw_worker *w, const struct sw_pool *p, const struct sw_demand *d)
{
	const struct sw_node *nodes;
	size_t n = sw_worker_nodes(w, &nodes), mine = 0;
	struct sw_node *empty = sw_calloc(n + 1, sizeof *empty);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(nodes[i].pool, p->name) != 0)
			continue;
		struct sw_node *e = &empty[mine++];
		*e = nodes[i];
		e->cpu_free = e->cpu_total;
		e->memory_free = e->memory_total;
		e->gpu_free = e->gpu_total;
		e->pods_free = e->pods_total;
		e->usable = e->empty = true;
	}
	bool fits = sw_pack(empty, mine, d->sets, d->n_sets, NULL, NULL) == 0;
	free(empty);
	return fits || mine == 0 || mine < (size_t)(p->size > 0 ? p->size : 0);
}

/* How many of the pool's nodes the gang takes, as a share: a quarter of a node costs a quarter. */
double nodes_taken(const struct sw_pool *p, const struct sw_demand *d)
{
	double gpus = 0, cpu = 0, memory = 0;
	for (size_t i = 0; i < d->n_sets; i++) {
		double n = d->sets[i].count;
		gpus += n * (double)d->sets[i].gpus;
		cpu += n * (double)d->sets[i].cpu_milli;
		memory += n * (double)d->sets[i].memory_bytes;
	}
	double share = p->gpus ? gpus / p->gpus : 0;
	share = fmax(share, p->cpu_milli ? cpu / (double)p->cpu_milli : 0);
	return fmax(share, p->memory_bytes ? memory / (double)p->memory_bytes : 0);
}

/* Unknown and stale prices are NAN. What nobody buys may have no price and no date. */
static void price(const struct sw_dispatch *d, struct option *o, const struct sw_pool *p,
		  const struct sw_demand *demand)
{
	int64_t age = sw_loop_wall(d->opt.loop) - p->priced_at_ms;
	bool stale = p->priced_at_ms > 0 ? age > d->opt.config->price_max_age_ms : p->growable;
	o->c.price_age_ms = age > 0 ? age : 0;
	o->c.price_hour =
		stale ? NAN
		      : p->price_hour * fmax(nodes_taken(p, demand), o->c.nodes_needed > 0 ? o->c.nodes_needed : 0);
}

static void region_of(const struct sw_dispatch *d, const char *word, const char *otherwise, struct sw_region *out)
{
	sw_catalog_region(d->opt.catalog, word, out);
	if (!*out->provider)
		out->provider = otherwise;
}

/* What it costs to read the job's data here, once. Without data nothing. */
static void egress(const struct sw_dispatch *d, struct option *o, const struct sw_demand *demand)
{
	static const struct {
		const char *provider, *cloud;
	} clouds[] = {{"gke", "gcp"}, {"aks", "azure"}};
	struct sw_region from, to;
	const char *cloud = "";
	o->c.egress_known = true;
	if (demand->place.bytes == 0)
		return;
	for (size_t i = 0; i < sizeof clouds / sizeof *clouds; i++)
		if (strcmp(o->c.provider, clouds[i].provider) == 0)
			cloud = clouds[i].cloud;
	region_of(d, demand->place.region, demand->place.provider, &from);
	region_of(d, o->c.region, cloud, &to);
	double usd = sw_catalog_egress(d->opt.catalog, &from, &to, demand->place.bytes,
				       sw_loop_wall(d->opt.loop) - d->opt.config->price_max_age_ms);
	o->c.egress_known = isfinite(usd);
	o->c.egress_cost = isfinite(usd) ? usd : 0;
}

/* ---- verdicts ---------------------------------------------------------------------- */

static bool never_by_gpu(const struct sw_dispatch *d, struct option *o, const struct sw_pool *p,
			 const struct sw_demand *demand)
{
	char buf[160];
	const struct sw_gpu *gpu = *o->c.model ? sw_catalog_gpu(d->opt.catalog, o->c.model) : NULL;
	const char *why = gpu ? sw_demand_refuses(demand, gpu, buf, sizeof buf) : NULL;
	if (gpu && !why)
		why = sw_demand_refuses_topology(demand, p->topology, p->gpus, buf, sizeof buf);
	if (demand->gpus == 0 && *o->c.model && p->growable)
		judge(o, VERDICT_NEVER, OB_SIZE, "nodes with %s are not bought for a job without GPUs", o->c.model);
	else if (demand->gpus == 0)
		return false;
	else if (!*o->c.model)
		judge(o, VERDICT_NEVER, OB_SIZE, "it has no GPUs");
	else if (!gpu && p->model_why)
		judge(o, VERDICT_NEVER, OB_SIZE, "%s", p->model_why);
	else if (!gpu)
		judge(o, VERDICT_NEVER, OB_SIZE, "GPU model %s is not in the catalog", o->c.model);
	else if (why)
		judge(o, VERDICT_NEVER, OB_MODEL, "%s", why);
	else
		return false;
	return true;
}

static bool never_by_wish(struct option *o, const struct sw_pool *p, const struct sw_demand *demand)
{
	if (demand->spot == SW_SPOT_NEVER && p->spot)
		judge(o, VERDICT_NEVER, OB_SPOT, "spot nodes, which the job does not allow (spillway.dev/spot)");
	else if (demand->spot == SW_SPOT_REQUIRE && !p->spot)
		judge(o, VERDICT_NEVER, OB_FIRM, "not spot, which the job requires");
	else if (o->c.price_hour > demand->max_price)
		judge(o, VERDICT_NEVER, OB_MAX_PRICE, "$%.2f per hour is over the job's max-price of $%.2f",
		      o->c.price_hour, demand->max_price);
	else
		return false;
	return true;
}

/* Nodes that the gang would take of an empty pool; -1: a pod fits on none. */
static int nodes_in_all(const struct sw_pool *p, const struct sw_demand *demand)
{
	struct sw_node fresh = {.name = "",
				.pool = p->name,
				.model = p->model ? p->model : "",
				.taint = p->taint,
				.cpu_free = p->cpu_milli,
				.memory_free = p->memory_bytes,
				.gpu_free = p->gpus,
				.cpu_total = p->cpu_milli,
				.memory_total = p->memory_bytes,
				.gpu_total = p->gpus,
				.pods_free = INT16_MAX,
				.pods_total = INT16_MAX,
				.usable = true,
				.empty = true};
	return sw_pack(NULL, 0, demand->sets, demand->n_sets, &fresh, NULL);
}

static bool never_by_size(struct option *o, const struct sw_pool *p, const struct sw_demand *demand, int nodes)
{
	int all = p->growable ? nodes_in_all(p, demand) : 0;
	if (nodes < 0 || all < 0)
		judge(o, VERDICT_NEVER, OB_SIZE, "a pod is larger than one of its nodes");
	else if (all > p->max)
		judge(o, VERDICT_NEVER, OB_LIMIT, "needs %d nodes, the pool may have %d", all, p->max);
	else if (nodes > 0 && !p->growable && !fits_when_empty(o->w, p, demand))
		judge(o, VERDICT_NEVER, OB_SIZE, "too large for it even when it is empty: %lld %s in all",
		      (long long)o->c.total, o->unit);
	else
		return false;
	return true;
}

static bool not_now(struct sw_dispatch *d, struct option *o, const struct sw_pool *p)
{
	int64_t wall = sw_loop_wall(d->opt.loop);
	char age[32];
	if (!p->growable) {
		judge(o, VERDICT_LATER, OB_BUSY, "busy: %lld of %lld %s free", (long long)o->c.free,
		      (long long)o->c.total, o->unit);
		return true;
	}
	struct sw_burst_view look = sw_burst_look(d->burst, o->c.cluster, p->name, o->c.nodes_needed);
	o->c.stockout_until_ms = look.stockout_until_ms;
	if (isnan(o->c.price_hour))
		judge(o, VERDICT_OUT, OB_PRICE, "its price is unknown or too old");
	else if (look.stockout_until_ms > wall)
		judge(o, VERDICT_LATER, OB_STOCK, "sold out; asked again in %s",
		      sw_age_text(look.stockout_until_ms - wall, age));
	else if (look.refused)
		judge(o, VERDICT_OUT, OB_LIMIT, "%s", look.refused);
	else
		judge(o, VERDICT_LATER, OB_NODES, "%d more node%s would be bought", o->c.nodes_needed,
		      o->c.nodes_needed == 1 ? "" : "s");
	return true;
}

static void out_by_refusal(struct option *o, const struct out *out)
{
	char when[32];
	o->refused = out->refused;
	judge(o, VERDICT_OUT, OB_CLUSTER, "%s%s; not tried again before %s",
	      out->refused ? "refused the job: " : "tried without success: ", out->why,
	      sw_time_text(out->until_wall_ms, when));
}

static bool out_by_cluster(struct sw_dispatch *d, const struct work *wk, const struct sw_workload *row,
			   struct option *o)
{
	struct sw_worker_state st = sw_worker_state(o->w);
	const struct out *out = out_now(wk, o->w);
	if (!st.ready)
		judge(o, VERDICT_OUT, OB_CLUSTER, "the cluster takes no jobs now: %s", st.why ? st.why : "not ready");
	else if (!sw_worker_serves(o->w, row->kind))
		judge(o, VERDICT_OUT, OB_CLUSTER, "the cluster does not serve %s", row->kind->resource);
	else if (sw_dispatch_cluster_state(d, o->c.cluster) != SW_CLUSTER_OPEN)
		judge(o, VERDICT_OUT, OB_CLUSTER, "an operator has said: %s",
		      sw_cluster_state_name(sw_dispatch_cluster_state(d, o->c.cluster)));
	else if (out)
		out_by_refusal(o, out);
	else if (sw_worker_copy(o->w, row->kind, row->ns, row->job_name, row->job_uid).seen == SW_COPY_FOREIGN)
		judge(o, VERDICT_OUT, OB_CLUSTER, "another's %s has this name there", row->kind->kind);
	else
		return false;
	return true;
}

/* What must be beside the job for its pods to start. */
struct wants {
	struct sw_needs needs;
	const char *refused; /* why no cluster may have it, or NULL */
	char why[300];
};

/* A pod whose Secret is missing would be scheduled and billed, and never start. */
static bool out_by_needs(struct option *o, const struct sw_workload *row, const struct wants *wants)
{
	char why[400];
	if (wants->refused) {
		judge(o, VERDICT_NEVER, OB_LIMIT, "%s", wants->refused);
		return true;
	}
	enum sw_needs_seen seen = sw_worker_needs(o->w, row->ns, &wants->needs, why, sizeof why);
	if (seen == SW_NEEDS_MET)
		return false;
	o->lacks = seen == SW_NEEDS_MISSING;
	judge(o, VERDICT_OUT, OB_CLUSTER, "%s", why);
	return true;
}

static void judge_offer(struct option *o, const struct sw_offered *offered, const struct sw_queue_look *q)
{
	bool soon = q->room || offered->ready;
	o->c.free = q->free;
	o->c.total = q->total;
	o->c.expected_start_ms = soon ? 0 : -1;
	o->c.nodes_needed = soon ? 0 : 1;
	if (q->pending > o->c.queue_depth) /* the cluster's own jobs wait there too */
		o->c.queue_depth = q->pending;
	if (offered->seen == SW_COPY_FOREIGN)
		judge(o, VERDICT_OUT, OB_CLUSTER, "another's Workload has this name there");
	else if (offered->seen == SW_COPY_OURS && offered->ready)
		judge(o, VERDICT_LATER, OB_BUSY, "its queue has admitted it");
	else if (offered->seen == SW_COPY_OURS)
		judge(o, VERDICT_LATER, OB_BUSY, "offered, waits in its queue%s%s", *offered->why ? ": " : "",
		      offered->why);
	else
		judge(o, VERDICT_LATER, OB_BUSY, "its queue is asked: %lld of %lld %s of quota free, %d waiting",
		      (long long)q->free, (long long)q->total, o->unit, q->pending);
}

/* A cluster that decides by itself: what its queue says, unless nodes must be bought first. */
static bool by_offer(const struct work *wk, const struct sw_workload *row, struct option *o)
{
	if (!sw_worker_takes_offers(o->w))
		return false;
	struct sw_queue_look q = sw_worker_queue(o->w, row->ns, row->queue, wk->demand);
	struct sw_offered offered = sw_worker_offered(o->w, wk->key, row->job_uid);
	if (q.known && !q.open) { /* what is stopped may go on while a plan lasts */
		judge(o, q.there ? VERDICT_LATER : VERDICT_OUT, OB_CLUSTER, "%s", q.why);
		o->c.nodes_needed = o->c.nodes_needed > 0 ? o->c.nodes_needed : 1;
		return true;
	}
	if (o->c.nodes_needed > 0)
		return false;
	judge_offer(o, &offered, &q);
	return true;
}

static void option_fill(struct sw_dispatch *d, const struct work *wk, const struct sw_workload *row, struct option *o,
			const struct sw_pool *p, const struct wants *wants)
{
	const struct sw_cluster_cfg *cfg = sw_worker_cfg(o->w);
	o->c = (struct sw_candidate){.cluster = cfg->name,
				     .pool = p->name,
				     .provider = cfg->provider,
				     .region = p->region && *p->region ? p->region : cfg->region,
				     .zone = p->zone ? p->zone : "",
				     .model = p->model ? p->model : "",
				     .spot = p->spot,
				     .growable = p->growable,
				     .quota_left = p->quota_left,
				     .expected_start_ms = -1,
				     .price_hour = NAN,
				     .queue_depth = depth_of(d, cfg->name, p->name)};
	o->unit = *o->c.model ? o->c.model : "CPU cores";
	count_nodes(o, p);
	egress(d, o, wk->demand);
	if (never_by_gpu(d, o, p, wk->demand))
		return;
	int nodes = sw_worker_fits(o->w, wk->key, p->name, wk->demand);
	o->c.nodes_needed = nodes > 0 ? nodes : 0;
	price(d, o, p, wk->demand);
	option_facts(d, o, p);
	if (never_by_wish(o, p, wk->demand) || never_by_size(o, p, wk->demand, nodes) ||
	    out_by_cluster(d, wk, row, o) || out_by_needs(o, row, wants))
		return;
	if (by_offer(wk, row, o))
		return;
	if (nodes == 0) {
		o->c.expected_start_ms = 0;
		judge(o, VERDICT_FITS, OB_NONE, "fits now: %lld of %lld %s free", (long long)o->c.free,
		      (long long)o->c.total, o->unit);
		return;
	}
	if (p->growable)
		o->c.expected_start_ms = p->grow_eta_ms;
	not_now(d, o, p);
}

void options_read(struct sw_dispatch *d, struct work *wk, const struct sw_workload *row, struct options *out)
{
	struct wants wants;

	*out = (struct options){.all_refused = true};
	sw_needs_read(wk->demand->sets, wk->demand->n_sets, &wants.needs);
	companions_leave_out(wk->job, &wants.needs);
	wants.refused = companions_refused(d, wk, row, wants.why, sizeof wants.why);
	for (size_t i = 0; i < sw_workers_count(d->workers); i++) {
		struct sw_worker *w = sw_workers_at(d->workers, i);
		const struct sw_pool *pools;
		size_t n = sw_worker_pools(w, &pools);
		/* A cluster that has not been seen yet may hold anything. */
		out->any_unknown |= n == 0 && !sw_worker_state(w).ready;
		out->at = realloc(out->at, (out->n + n + 1) * sizeof *out->at);
		SW_REQUIRE(out->at);
		for (size_t k = 0; k < n; k++) {
			struct option *o = &out->at[out->n++];
			*o = (struct option){.w = w};
			option_fill(d, wk, row, o, &pools[k], &wants);
			out->any_possible |= o->verdict != VERDICT_NEVER;
			out->any_lacks |= o->lacks;
			out->all_refused &= o->refused || o->verdict == VERDICT_NEVER;
		}
	}
}

void options_free(struct options *o)
{
	free(o->at);
	*o = (struct options){0};
}

/* ---- words ------------------------------------------------------------------------------- */

/* How many options from this one on are the same cluster's, if the same is said of all of them; else 1. */
static size_t alike(const struct options *o, size_t at)
{
	size_t n = 1;
	while (at + n < o->n && o->at[at + n].w == o->at[at].w)
		if (strcmp(o->at[at + n++].why, o->at[at].why) != 0)
			return 1;
	return at > 0 && o->at[at - 1].w == o->at[at].w ? 1 : n;
}

void options_words(const struct options *o, char *buf, size_t size)
{
	struct sw_buf b;
	sw_buf_init(&b, 64 << 10);
	size_t n;
	for (size_t i = 0; i < o->n; i += n) {
		const struct option *op = &o->at[i];
		n = alike(o, i);
		sw_buf_printf(&b, "%s%s%s%s: %s", i ? "; " : "", op->c.cluster, n > 1 ? "" : "/",
			      n > 1 ? "" : op->c.pool, op->why);
	}
	sw_cut(buf, size, sw_buf_ok(&b) && b.at ? b.at : "");
	sw_buf_fini(&b);
}
