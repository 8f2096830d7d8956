/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields.c - what a policy sees of each input: one row per field, with its unit
 *
 * Times are seconds, memory is GiB, money is USD per hour of the whole job unless the name says otherwise. What is not
 * known is nil, so that arithmetic with it fails instead of winning. To add a field: a line here, a line in README.md.
 */
#include "sandbox_priv.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

static const char *const precisions[] = {
#define X(id, name) name,
	SW_PRECISION_MAP(X)
#undef X
};
static const double GIB = 1 << 30;

/* ---- values ------------------------------------------------------------------------ */

static struct value none(void)
{
	return (struct value){.kind = VALUE_NIL};
}

static struct value text(const char *s)
{
	return (struct value){.kind = VALUE_STR, .s = s ? s : ""};
}

static struct value known_text(const char *s)
{
	return s && *s ? text(s) : none();
}

static struct value whole(int64_t i)
{
	return (struct value){.kind = VALUE_INT, .i = i};
}

static struct value flag(bool b)
{
	return (struct value){.kind = VALUE_BOOL, .b = b};
}

/* Whole numbers are integers for the script: they print without ".0". */
static struct value number(double n)
{
	if (!isfinite(n))
		return none();
	if (n == floor(n) && fabs(n) < 1e15)
		return whole((int64_t)n);
	return (struct value){.kind = VALUE_NUM, .n = n};
}

static struct value known_whole(int64_t i) /* negative: unknown */
{
	return i < 0 ? none() : whole(i);
}

static struct value known_price(double usd) /* nothing is sold for 0 */
{
	return usd > 0 ? number(usd) : none();
}

static struct value seconds(int64_t ms)
{
	return number((double)ms / 1000);
}

static struct value known_seconds(int64_t ms) /* 0 or less: unknown */
{
	return ms > 0 ? seconds(ms) : none();
}

static struct value gib(int64_t bytes) /* 0: unknown */
{
	return bytes > 0 ? number((double)bytes / GIB) : none();
}

static struct value time_left(int64_t until_ms, int64_t now_ms)
{
	return seconds(until_ms > now_ms ? until_ms - now_ms : 0);
}

/* ---- the workload ------------------------------------------------------------------------- */

static int64_t pods_of(const struct sw_demand *d)
{
	int64_t pods = 0;
	for (size_t i = 0; i < d->n_sets; i++)
		pods += d->sets[i].count;
	return pods;
}

/* A demand made by hand may have the text alone. */
static struct sw_data data_of(const struct sw_demand *d)
{
	struct sw_data place = d->place;
	if (place.bytes == 0 && d->data && sw_failed(sw_data_read(d->data, &place)))
		place = (struct sw_data){.bytes = 0};
	return place;
}

static const char *spot_word(enum sw_spot s)
{
	static const char *const words[] = {
		[SW_SPOT_ALLOW] = "allow", [SW_SPOT_NEVER] = "never", [SW_SPOT_REQUIRE] = "require"};
	return words[s];
}

static uint64_t hash_more(const void *bytes, size_t n, uint64_t h)
{
	const unsigned char *b = bytes; /* FNV-1a, as sw_hash(), going on from h */
	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3u;
	return h;
}

static uint64_t hash_text(const char *s, uint64_t h)
{
	return hash_more(s ? s : "", s ? strlen(s) + 1 : 1, h);
}

static void models_push(lua_State *L, const void *at)
{
	const struct sw_demand *d = ((const struct sw_policy_input *)at)->demand;
	lua_createtable(L, (int)d->n_models, 0);
	for (size_t i = 0; i < d->n_models; i++) {
		lua_pushstring(L, d->models[i]->model);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	view_freeze(L, "w.models");
}

static uint64_t models_hash(const void *at, uint64_t h)
{
	const struct sw_demand *d = ((const struct sw_policy_input *)at)->demand;
	for (size_t i = 0; i < d->n_models; i++)
		h = hash_text(d->models[i]->model, h);
	return hash_more(&d->n_models, sizeof d->n_models, h);
}

static void sets_push(lua_State *L, const void *at)
{
	const struct sw_demand *d = ((const struct sw_policy_input *)at)->demand;
	lua_createtable(L, (int)d->n_sets, 0);
	for (size_t i = 0; i < d->n_sets; i++) {
		view_push(L, VIEW_PODSET, &d->sets[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	view_freeze(L, "w.pod_sets");
}

static uint64_t sets_hash(const void *at, uint64_t h)
{
	const struct sw_demand *d = ((const struct sw_policy_input *)at)->demand;
	for (size_t i = 0; i < d->n_sets; i++) {
		const struct sw_podset *s = &d->sets[i];
		const int64_t amounts[] = {s->count, s->cpu_milli, s->memory_bytes, s->gpus};
		h = hash_more(amounts, sizeof amounts, hash_text(s->name, h));
	}
	return hash_more(&d->n_sets, sizeof d->n_sets, h);
}

static size_t labels_shown(const struct sw_policy_input *in)
{
	return in->n_labels < SW_POLICY_LABELS ? in->n_labels : SW_POLICY_LABELS;
}

static void labels_push(lua_State *L, const void *at)
{
	const struct sw_policy_input *in = at;
	lua_createtable(L, 0, (int)labels_shown(in));
	for (size_t i = 0; i < labels_shown(in); i++) {
		lua_pushlstring(L, in->labels[i].value, strnlen(in->labels[i].value, 256));
		lua_setfield(L, -2, in->labels[i].name);
	}
	view_freeze(L, "w.labels");
}

static uint64_t labels_hash(const void *at, uint64_t h)
{
	const struct sw_policy_input *in = at;
	for (size_t i = 0; i < labels_shown(in); i++)
		h = hash_text(in->labels[i].value, hash_text(in->labels[i].name, h));
	return hash_more(&in->n_labels, sizeof in->n_labels, h);
}

static size_t attempts_skipped(const struct sw_policy_input *in)
{
	return in->n_attempts > SW_POLICY_ATTEMPTS ? in->n_attempts - SW_POLICY_ATTEMPTS : 0;
}

static void attempts_push(lua_State *L, const void *at)
{
	const struct sw_policy_input *in = at;
	lua_Integer n = 0;
	lua_newtable(L);
	for (size_t i = attempts_skipped(in); i < in->n_attempts; i++) {
		view_push(L, VIEW_ATTEMPT, &in->attempts[i]);
		lua_rawseti(L, -2, ++n);
	}
	view_freeze(L, "w.attempts");
}

static uint64_t attempts_hash(const void *at, uint64_t h)
{
	const struct sw_policy_input *in = at;
	for (size_t i = attempts_skipped(in); i < in->n_attempts; i++) {
		const struct sw_policy_attempt *a = &in->attempts[i];
		const int64_t times[] = {a->began_ms, a->ended_ms, a->spot};
		h = hash_more(times, sizeof times, hash_text(a->reason, hash_text(a->outcome, h)));
		h = hash_text(a->pool, hash_text(a->cluster, h));
	}
	return hash_more(&in->n_attempts, sizeof in->n_attempts, h);
}

static void set_number(lua_State *L, const char *key, double n)
{
	if (!isfinite(n))
		return;
	lua_pushnumber(L, n);
	lua_setfield(L, -2, key);
}

static void budget_push(lua_State *L, const void *at)
{
	const struct sw_policy_budget *b = &((const struct sw_policy_input *)at)->budget;
	if (!(b->limit > 0)) {
		lua_pushnil(L);
		return;
	}
	lua_createtable(L, 0, 5);
	set_number(L, "limit", b->limit);
	set_number(L, "spent", b->spent);
	set_number(L, "left", b->limit - b->spent);
	set_number(L, "window", (double)b->window_ms / 1000);
	set_number(L, "elapsed", (double)b->elapsed_ms / 1000);
	view_freeze(L, "w.budget");
}

static uint64_t budget_hash(const void *at, uint64_t h)
{
	const struct sw_policy_budget *b = &((const struct sw_policy_input *)at)->budget;
	h = hash_more(&b->limit, sizeof b->limit, hash_more(&b->spent, sizeof b->spent, h));
	return hash_more(&b->window_ms, sizeof b->window_ms, hash_more(&b->elapsed_ms, sizeof b->elapsed_ms, h));
}

/* ---- GPUs ------------------------------------------------------------------------------------ */

/* Models that one plain name stands for ("A100") are equally welcome: they share a rank. They follow each other in the
 * catalog's order; in any other order the user has written them one by one, and order is preference. */
static int rank_of(const struct sw_demand *d, const char *model)
{
	int rank = 0;
	for (size_t i = 0; i < d->n_models; i++) {
		bool same = i && strcmp(d->models[i]->family, d->models[i - 1]->family) == 0 &&
			    d->models[i] > d->models[i - 1];
		rank += !same;
		if (model && strcmp(d->models[i]->model, model) == 0)
			return rank;
	}
	return rank + 1;
}

static void gpu_push(lua_State *L, const struct sw_gpu *gpu)
{
	if (!gpu) {
		lua_pushnil(L);
		return;
	}
	if (view_recall(L, gpu) != LUA_TNIL)
		return;
	lua_pop(L, 1);
	view_push(L, VIEW_GPU, gpu);
	view_remember(L, gpu);
}

static void candidate_gpu(lua_State *L, const void *at)
{
	gpu_push(L, ((const struct sw_candidate *)at)->gpu);
}

static void pool_gpu(lua_State *L, const void *at)
{
	gpu_push(L, ((const struct sw_policy_pool *)at)->gpu);
}

static void tflops_push(lua_State *L, const void *at)
{
	const struct sw_gpu *gpu = at;
	if (view_recall(L, gpu->tflops) != LUA_TNIL)
		return;
	lua_pop(L, 1);
	lua_createtable(L, 0, SW_PRECISION__COUNT);
	for (int i = 0; i < SW_PRECISION__COUNT; i++)
		if (gpu->tflops[i] > 0)
			set_number(L, precisions[i], gpu->tflops[i]);
	view_freeze(L, "gpu.tflops");
	view_remember(L, gpu->tflops);
}

/* ---- the rows ------------------------------------------------------------------------------------ */

/* V: a value. P: a value that is one job's own. B: built, with its hash. */
#define WORKLOAD_MAP(V, P, B)                                                                                          \
	P(key, text(w->key))                                                                                           \
	P(name, text(w->job_name))                                                                                     \
	V(namespace, text(w->ns))                                                                                      \
	V(queue, text(w->queue))                                                                                       \
	V(cluster_queue, known_text(w->cluster_queue))                                                                 \
	V(kind, text(w->kind))                                                                                         \
	V(priority, whole(w->priority))                                                                                \
	P(waited, seconds(w->waited_ms))                                                                               \
	V(attempt, whole(w->attempt))                                                                                  \
	V(pods, whole(pods_of(w->demand)))                                                                             \
	V(gpus, whole(w->demand->gpus))                                                                                \
	V(gpu_memory, gib(w->demand->gpu_memory_bytes))                                                                \
	V(precision, w->demand->has_precision ? text(precisions[w->demand->precision]) : none())                       \
	V(spot, text(spot_word(w->demand->spot)))                                                                      \
	V(max_price, number(w->demand->max_price))                                                                     \
	V(deadline, known_seconds(w->demand->deadline_ms))                                                             \
	V(data, known_text(w->demand->data))                                                                           \
	V(data_gib, gib(data_of(w->demand).bytes))                                                                     \
	B(models, models_push, models_hash)                                                                            \
	B(pod_sets, sets_push, sets_hash)                                                                              \
	B(labels, labels_push, labels_hash)                                                                            \
	B(attempts, attempts_push, attempts_hash)                                                                      \
	B(budget, budget_push, budget_hash)                                                                            \
	B(data_region, region_push, region_hash)                                                                       \
	B(data_bucket, bucket_push, bucket_hash)

#define CANDIDATE_MAP(V, B)                                                                                            \
	V(index, whole(c - box->in->candidates + 1))                                                                   \
	V(cluster, text(c->cluster))                                                                                   \
	V(pool, text(c->pool))                                                                                         \
	V(flavor, text(c->flavor ? c->flavor : c->pool))                                                               \
	V(provider, text(c->provider))                                                                                 \
	V(region, text(c->region))                                                                                     \
	V(zone, text(c->zone))                                                                                         \
	V(machine, known_text(c->machine))                                                                             \
	V(model, text(c->model))                                                                                       \
	V(rank, whole(rank_of(box->in->demand, c->model)))                                                             \
	V(gpus, whole(box->in->demand->gpus))                                                                          \
	V(gpu_memory, gib(c->gpu ? c->gpu->memory_bytes : 0))                                                          \
	V(gpus_per_node, whole(c->gpus_per_node))                                                                      \
	V(free, whole(c->free))                                                                                        \
	V(total, whole(c->total))                                                                                      \
	V(nodes, whole(c->nodes))                                                                                      \
	V(nodes_max, c->nodes_max > 0 ? whole(c->nodes_max) : none())                                                  \
	V(nodes_needed, whole(c->nodes_needed))                                                                        \
	V(fits, flag(c->nodes_needed == 0))                                                                            \
	V(in_flight, whole(c->in_flight))                                                                              \
	V(queue_depth, whole(c->queue_depth))                                                                          \
	V(expected_start, c->expected_start_ms < 0 ? none() : seconds(c->expected_start_ms))                           \
	V(price, number(c->price_hour))                                                                                \
	V(price_age, isfinite(c->price_hour) ? seconds(c->price_age_ms) : none())                                      \
	V(price_on_demand, known_price(c->on_demand_hour))                                                             \
	V(price_spot, known_price(c->spot_hour))                                                                       \
	V(spot, flag(c->spot))                                                                                         \
	V(growable, flag(c->growable))                                                                                 \
	V(stockout, time_left(c->stockout_until_ms, box->in->now_ms))                                                  \
	V(quota_left, known_whole(c->quota_left))                                                                      \
	V(budget_left, c->budget_known ? number(c->budget_left_hour) : none())                                         \
	V(egress, c->egress_known ? number(c->egress_cost) : none())                                                   \
	B(gpu, candidate_gpu, NULL)

#define CTX_MAP(V, P)                                                                                                  \
	P(now, seconds(x->now_ms))                                                                                     \
	V(spend, known_price(x->spend))                                                                                \
	V(spend_limit, known_price(x->spend_limit))

#define PODSET_MAP(V)                                                                                                  \
	V(name, text(s->name))                                                                                         \
	V(count, whole(s->count))                                                                                      \
	V(cpu, number((double)s->cpu_milli / 1000))                                                                    \
	V(memory, number((double)s->memory_bytes / GIB))                                                               \
	V(gpus, whole(s->gpus))

#define GPU_MAP(V, B)                                                                                                  \
	V(model, text(g->model))                                                                                       \
	V(family, text(g->family))                                                                                     \
	V(vendor, text(g->vendor))                                                                                     \
	V(memory, gib(g->memory_bytes))                                                                                \
	B(tflops, tflops_push, NULL)

#define ATTEMPT_MAP(V)                                                                                                 \
	V(cluster, text(a->cluster))                                                                                   \
	V(pool, text(a->pool))                                                                                         \
	V(outcome, text(a->outcome))                                                                                   \
	V(reason, text(a->reason))                                                                                     \
	V(began, known_seconds(a->began_ms))                                                                           \
	V(ended, known_seconds(a->ended_ms))                                                                           \
	V(ran, a->began_ms > 0 && a->ended_ms >= a->began_ms ? seconds(a->ended_ms - a->began_ms) : none())            \
	V(spot, flag(a->spot))

#define POOL_MAP(V, B)                                                                                                 \
	V(cluster, text(p->cluster))                                                                                   \
	V(pool, text(p->pool))                                                                                         \
	V(provider, text(p->provider))                                                                                 \
	V(region, text(p->region))                                                                                     \
	V(zone, text(p->zone))                                                                                         \
	V(machine, known_text(p->machine))                                                                             \
	V(model, text(p->model))                                                                                       \
	V(gpus_per_node, whole(p->gpus_per_node))                                                                      \
	V(nodes, whole(p->nodes))                                                                                      \
	V(nodes_min, whole(p->nodes_min))                                                                              \
	V(nodes_max, whole(p->nodes_max))                                                                              \
	V(in_flight, whole(p->in_flight))                                                                              \
	V(quota_left, known_whole(p->quota_left))                                                                      \
	V(price, number(p->price_hour))                                                                                \
	V(price_age, isfinite(p->price_hour) ? seconds(p->price_age_ms) : none())                                      \
	V(spot, flag(p->spot))                                                                                         \
	V(stockout, known_seconds(p->stockout_until_ms))                                                               \
	B(gpu, pool_gpu, NULL)

#define NEED_MAP(V)                                                                                                    \
	V(nodes, whole(d->nodes))                                                                                      \
	V(workloads, whole(d->workloads))                                                                              \
	V(spend, known_price(d->committed_hour))                                                                       \
	V(spend_limit, known_price(d->max_hour))

#define NODE_MAP(V)                                                                                                    \
	V(name, text(n->name))                                                                                         \
	V(idle, seconds(n->idle_ms))                                                                                   \
	V(release_after, seconds(n->after_ms))

#define NO_ROW(...)

/* Texts that are cut out of another live for the call only: pushed at once. */
static void region_push(lua_State *L, const void *at)
{
	struct sw_data place = data_of(((const struct sw_policy_input *)at)->demand);
	*place.region ? (void)lua_pushstring(L, place.region) : lua_pushnil(L);
}

static void bucket_push(lua_State *L, const void *at)
{
	struct sw_data place = data_of(((const struct sw_policy_input *)at)->demand);
	*place.bucket ? (void)lua_pushstring(L, place.bucket) : lua_pushnil(L);
}

static uint64_t region_hash(const void *at, uint64_t h)
{
	return hash_text(data_of(((const struct sw_policy_input *)at)->demand).region, h);
}

static uint64_t bucket_hash(const void *at, uint64_t h)
{
	return hash_text(data_of(((const struct sw_policy_input *)at)->demand).bucket, h);
}

#define GETTER(prefix, type, var, name, expr)                                                                          \
	static struct value prefix##_##name(const struct box *box, const void *at)                                     \
	{                                                                                                              \
		const type *var = at;                                                                                  \
		(void)box, (void)var;                                                                                  \
		return expr;                                                                                           \
	}

#define X(name, value) GETTER(workload, struct sw_policy_input, w, name, value)
WORKLOAD_MAP(X, X, NO_ROW)
#undef X
#define X(name, value) GETTER(candidate, struct sw_candidate, c, name, value)
CANDIDATE_MAP(X, NO_ROW)
#undef X
#define X(name, value) GETTER(ctx, struct ctx, x, name, value)
CTX_MAP(X, X)
#undef X
#define X(name, value) GETTER(podset, struct sw_podset, s, name, value)
PODSET_MAP(X)
#undef X
#define X(name, value) GETTER(gpu, struct sw_gpu, g, name, value)
GPU_MAP(X, NO_ROW)
#undef X
#define X(name, value) GETTER(attempt, struct sw_policy_attempt, a, name, value)
ATTEMPT_MAP(X)
#undef X
#define X(name, value) GETTER(pool, struct sw_policy_pool, p, name, value)
POOL_MAP(X, NO_ROW)
#undef X
#define X(name, value) GETTER(need, struct sw_policy_need, d, name, value)
NEED_MAP(X)
#undef X
#define X(name, value) GETTER(node, struct sw_policy_node, n, name, value)
NODE_MAP(X)
#undef X

#define BUILT(name, push, hash) {#name, NULL, push, hash, false},
#define ROW(prefix, name)       {#name, prefix##_##name, NULL, NULL, false},
#define OWN(prefix, name)       {#name, prefix##_##name, NULL, NULL, true},

#define X(name, value) ROW(workload, name)
#define Y(name, value) OWN(workload, name)
static const struct field workload_rows[] = {WORKLOAD_MAP(X, Y, BUILT)};
#undef X
#undef Y
#define X(name, value) ROW(candidate, name)
static const struct field candidate_rows[] = {CANDIDATE_MAP(X, BUILT)};
#undef X
#define X(name, value) ROW(ctx, name)
#define Y(name, value) OWN(ctx, name)
static const struct field ctx_rows[] = {CTX_MAP(X, Y)};
#undef X
#undef Y
#define X(name, value) ROW(podset, name)
static const struct field podset_rows[] = {PODSET_MAP(X)};
#undef X
#define X(name, value) ROW(gpu, name)
static const struct field gpu_rows[] = {GPU_MAP(X, BUILT)};
#undef X
#define X(name, value) ROW(attempt, name)
static const struct field attempt_rows[] = {ATTEMPT_MAP(X)};
#undef X
#define X(name, value) ROW(pool, name)
static const struct field pool_rows[] = {POOL_MAP(X, BUILT)};
#undef X
#define X(name, value) ROW(need, name)
static const struct field need_rows[] = {NEED_MAP(X)};
#undef X
#define X(name, value) ROW(node, name)
static const struct field node_rows[] = {NODE_MAP(X)};
#undef X

#define ROWS(what, rows)                                                                                               \
	{                                                                                                              \
		what, rows, sizeof rows / sizeof *rows                                                                 \
	}
const struct fields view_fields[VIEW__COUNT] = {
	[VIEW_WORKLOAD] = ROWS("the workload", workload_rows),
	[VIEW_CANDIDATE] = ROWS("a candidate", candidate_rows),
	[VIEW_CTX] = ROWS("ctx", ctx_rows),
	[VIEW_PODSET] = ROWS("a pod set", podset_rows),
	[VIEW_GPU] = ROWS("a GPU", gpu_rows),
	[VIEW_ATTEMPT] = ROWS("an attempt", attempt_rows),
	[VIEW_POOL] = ROWS("the pool", pool_rows),
	[VIEW_NEED] = ROWS("the demand", need_rows),
	[VIEW_NODE] = ROWS("the node", node_rows),
};

/* ---- equal workloads ------------------------------------------------------------------------------- */

static uint64_t value_hash(struct value v, uint64_t h)
{
	h = hash_more(&v.kind, sizeof v.kind, h);
	switch (v.kind) {
	case VALUE_STR:
		return hash_text(v.s, h);
	case VALUE_NUM:
		return hash_more(&v.n, sizeof v.n, h);
	case VALUE_INT:
		return hash_more(&v.i, sizeof v.i, h);
	case VALUE_BOOL:
		return hash_more(&v.b, sizeof v.b, h);
	default:
		return h;
	}
}

uint64_t workload_hash(const struct sw_policy_input *in, uint64_t mask)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; mask >> i && i < sizeof workload_rows / sizeof *workload_rows; i++) {
		const struct field *f = &workload_rows[i];
		if (mask >> i & 1)
			h = f->get ? value_hash(f->get(NULL, in), h) : f->hash(in, h);
	}
	return h;
}
