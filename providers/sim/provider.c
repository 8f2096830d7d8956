/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider.c - the sim provider: NodePool objects of a simulated cluster in place of a cloud's API
 *
 * list     GET nodepools: sizes, prices, instances and errors all stand there.
 * grow     GET the pool; if its annotation names the token, that growth was done before. Otherwise one PATCH raises
 *          desired and adds the token, under the resourceVersion that was read: both or neither.
 * release  GET the pool; one PATCH names the instances that still exist and lowers desired by as many.
 *
 * A conflict means that somebody wrote in between: read again, a few times, then the caller backs off. Replies that are
 * lost leave nothing in doubt: the repeat finds its token, or finds the instances named.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "objects.h"
#include "spillway/provider.h"
#include "spillway/text.h"

enum { TRIES = 10, TOKENS = 16, RETRY_MS = 2 /* doubles: about two seconds in all */ };

enum op_kind { OP_LIST, OP_GROW, OP_RELEASE };
struct op {
	struct op *next, *prev;
	struct sim_provider *p;
	enum op_kind kind;
	struct sw_kube_call *call;
	struct sw_timer *retry;
	char *pool, *token;
	json_t *ids; /* array of strings */
	int delta, tries;
	sw_provider_list_fn *listed;
	sw_provider_fn *done;
	void *owner;
};
struct sim_provider {
	struct sw_provider base;
	struct sw_loop *loop;
	struct sw_kube *kube;
	const char *cluster;
	struct op *ops;
};

/* ---- operations ----------------------------------------------------------------------- */

static struct op *op_new(struct sim_provider *p, enum op_kind kind, const char *pool, void *owner)
{
	struct op *op = sw_calloc(1, sizeof(*op));

	op->p = p;
	op->kind = kind;
	op->pool = sw_strdup(pool);
	op->owner = owner;
	DL_APPEND(p->ops, op);
	return op;
}

static void op_free(struct op *op)
{
	DL_DELETE(op->p->ops, op);
	sw_timer_free(op->retry);
	json_object_put(op->ids);
	free(op->pool);
	free(op->token);
	free(op);
}

static void op_done(struct op *op, struct sw_err e)
{
	sw_provider_fn *done = op->done;
	void *owner = op->owner;

	if (sw_failed(e))
		e = sw_err_wrap(e, "cluster %s: pool %s", op->p->cluster, op->pool);
	op_free(op);
	done(owner, e);
}

static struct sw_err call(struct op *op, const char *method, json_t *body, sw_kube_fn *done)
{
	struct sw_kube_req req = {.cls = op->kind == OP_LIST   ? SW_KUBE_LIST
					 : op->kind == OP_GROW ? SW_KUBE_CREATE
							       : SW_KUBE_FENCE,
				  .method = method};
	struct sw_err e;
	struct sw_buf path, text;

	sw_buf_init(&path, 4096);
	sw_buf_init(&text, 4 << 20);
	sw_kube_path(&path, "sim.spillway.dev", "v1", "nodepools", NULL, op->pool, NULL);
	if (body) {
		sw_buf_json(&text, body);
		req.content_type = SW_MERGE_PATCH;
		req.body = text.at;
		req.body_len = text.len;
	}
	req.path = path.at;
	e = sw_buf_ok(&path) && sw_buf_ok(&text) ? sw_kube_start(op->p->kube, &req, done, op, &op->call)
						 : sw_err(SW_E_NOMEM, "request: out of memory");
	sw_buf_fini(&path);
	sw_buf_fini(&text);
	return e;
}

/* ---- list ----------------------------------------------------------------------------------- */

static int as_int(json_t *o, const char *path, int otherwise)
{
	int64_t v = sw_json_int(o, path, otherwise);

	return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int)v;
}

static const char *as_text(json_t *o, const char *path)
{
	const char *s = sw_json_str(o, path);

	return s ? s : "";
}

static int count_ready(json_t *pool)
{
	json_t *list = sw_json_at(pool, "status.instances");
	int n = 0;

	for (size_t i = 0; i < sw_json_len(list); i++)
		n += strcmp(as_text(sw_json_idx(list, i), "state"), "Ready") == 0;
	return n;
}

static void read_price(json_t *o, struct sw_pool *pool, int64_t now_ms)
{
	const char *price = sw_json_str(o, "spec.priceHour"), *at = sw_json_str(o, "spec.pricedAt");
	int64_t milli;

	pool->price_hour = NAN;
	pool->priced_at_ms = now_ms; /* no date: the owner says so, today */
	if (price && !sw_failed(sw_quantity_milli(price, &milli)))
		pool->price_hour = strtod(price, NULL);
	if (at && sw_failed(sw_time_parse(at, &pool->priced_at_ms)))
		pool->price_hour = NAN;
}

static void read_pool(json_t *o, struct sw_pool *pool, int64_t now_ms)
{
	int quota = as_int(o, "spec.quota", -1);

	*pool = (struct sw_pool){
		.name = as_text(o, "metadata.name"),
		.model = as_text(o, "spec.model"),
		.machine = as_text(o, "spec.machineType"),
		.region = as_text(o, "spec.region"),
		.zone = as_text(o, "spec.zone"),
		.gpus = as_int(o, "spec.gpus", 0),
		.size = count_ready(o),
		.target = as_int(o, "spec.desired", 0),
		.min = as_int(o, "spec.minNodes", 0),
		.max = as_int(o, "spec.maxNodes", 0),
		.growable = sw_json_bool(o, "spec.growable"),
		.spot = sw_json_bool(o, "spec.spot"),
		.grow_eta_ms = sw_json_int(o, "status.growMillis", 0),
		.label_key = as_text(o, "status.labelKey"),
	};
	pool->label_value = pool->name;
	pool->taint = sw_json_bool(o, "spec.exclusive") ? pool->name : NULL;
	pool->quota_left = quota < 0 ? -1 : quota > pool->target ? quota - pool->target : 0;
	if (sw_failed(sw_quantity_milli(as_text(o, "spec.cpu"), &pool->cpu_milli)))
		pool->cpu_milli = 0;
	if (sw_failed(sw_quantity_ceil(as_text(o, "spec.memory"), &pool->memory_bytes)))
		pool->memory_bytes = 0;
	read_price(o, pool, now_ms);
}

static enum sw_pool_fault fault_of(json_t *error)
{
	const char *code = as_text(error, "code"), *message = as_text(error, "message");

	if (strstr(code, "EXHAUSTED") || strstr(code, "AllocationFailed") || strcmp(code, "NoMachine") == 0 ||
	    strcmp(code, "SkuNotAvailable") == 0)
		return SW_FAULT_STOCKOUT;
	if (strstr(code, "QUOTA") || strstr(code, "Quota") || strstr(message, "quota"))
		return SW_FAULT_QUOTA;
	return SW_FAULT_OTHER;
}

struct listing {
	struct sw_pool *pools;
	struct sw_instance *instances;
	struct sw_pool_error *errors;
	size_t n_pools, n_instances, n_errors;
};

static void read_parts(json_t *o, struct listing *l, int64_t now_ms)
{
	json_t *instances = sw_json_at(o, "status.instances"), *errors = sw_json_at(o, "status.errors");
	const char *pool = as_text(o, "metadata.name");

	for (size_t i = 0; i < sw_json_len(instances); i++) {
		json_t *x = sw_json_idx(instances, i);

		if (strcmp(as_text(x, "state"), "Deleting") == 0)
			continue;
		l->instances[l->n_instances++] =
			(struct sw_instance){.id = as_text(x, "id"), .node = as_text(x, "node"), .pool = pool};
	}
	for (size_t i = 0; i < sw_json_len(errors); i++) {
		json_t *x = sw_json_idx(errors, i);
		struct sw_pool_error *e = &l->errors[l->n_errors++];

		*e = (struct sw_pool_error){
			.pool = pool, .fault = fault_of(x), .at_ms = now_ms, .message = as_text(x, "message")};
		if (sw_failed(sw_time_parse(as_text(x, "time"), &e->at_ms)))
			e->at_ms = now_ms;
	}
}

static void give_list(struct op *op, json_t *items)
{
	int64_t now_ms = sw_loop_wall(op->p->loop);
	size_t n = sw_json_len(items), n_instances = 0, n_errors = 0;
	struct sw_provider_state state;
	struct listing l = {0};

	for (size_t i = 0; i < n; i++) {
		n_instances += sw_json_len(sw_json_at(sw_json_idx(items, i), "status.instances"));
		n_errors += sw_json_len(sw_json_at(sw_json_idx(items, i), "status.errors"));
	}
	l.pools = sw_calloc(n + 1, sizeof(l.pools[0]));
	l.instances = sw_calloc(n_instances + 1, sizeof(l.instances[0]));
	l.errors = sw_calloc(n_errors + 1, sizeof(l.errors[0]));
	for (size_t i = 0; i < n; i++) {
		read_pool(sw_json_idx(items, i), &l.pools[l.n_pools++], now_ms);
		read_parts(sw_json_idx(items, i), &l, now_ms);
	}
	state = (struct sw_provider_state){.pools = l.pools,
					   .n_pools = l.n_pools,
					   .instances = l.instances,
					   .n_instances = l.n_instances,
					   .errors = l.errors,
					   .n_errors = l.n_errors};
	sw_provider_list_fn *listed = op->listed;
	void *owner = op->owner;

	op_free(op);
	listed(owner, SW_OK, &state);
	free(l.pools);
	free(l.instances);
	free(l.errors);
}

static void on_list(void *owner, struct sw_err e, const struct sw_kube_reply *reply)
{
	struct op *op = owner;
	sw_provider_list_fn *listed = op->listed;
	struct sw_provider_state none = {0};
	const char *cluster = op->p->cluster;
	void *to = op->owner;

	op->call = NULL;
	if (!sw_failed(e) && !sw_json_at(reply->object, "items"))
		e = sw_err(SW_E_INVALID, "the answer is no list of node pools");
	if (!sw_failed(e)) {
		give_list(op, sw_json_at(reply->object, "items"));
		return;
	}
	op_free(op);
	listed(to, sw_err_wrap(e, "cluster %s: node pools", cluster), &none);
}

static struct sw_err sim_list(struct sw_provider *base, sw_provider_list_fn *done, void *owner)
{
	struct op *op = op_new((struct sim_provider *)base, OP_LIST, NULL, owner);
	struct sw_err e;

	op->listed = done;
	e = call(op, "GET", NULL, on_list);
	if (sw_failed(e))
		op_free(op);
	return e;
}

/* ---- grow and release: read, then one conditional write ------------------------------------------ */

static void on_pool(void *owner, struct sw_err e, const struct sw_kube_reply *reply);

static void on_retry(void *owner)
{
	struct op *op = owner;
	struct sw_err e = call(op, "GET", NULL, on_pool);

	if (sw_failed(e))
		op_done(op, e);
}

/* Not at once: what is in the way may be a write that is not committed yet, and reading would give the old state again.
 */
static void on_patched(void *owner, struct sw_err e, const struct sw_kube_reply *reply)
{
	struct op *op = owner;

	(void)reply;
	op->call = NULL;
	if (e.code == SW_E_CONFLICT && ++op->tries < TRIES) {
		e = op->retry ? SW_OK : sw_timer_new(op->p->loop, on_retry, op, &op->retry);
		if (!sw_failed(e)) {
			sw_timer_in(op->retry, (uint64_t)RETRY_MS << op->tries);
			return;
		}
	}
	op_done(op, e);
}

/* gives a patch that only the version just read accepts */
static json_t *patch_of(json_t *pool)
{
	json_t *patch = json_object_new_object();

	sw_json_set_str(patch, "metadata.resourceVersion", as_text(pool, "metadata.resourceVersion"));
	return patch;
}

static bool has_token(const char *list, const char *token)
{
	size_t n = strlen(token);

	for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == n && strncmp(p, token, n) == 0)
			return true;
	return false;
}

/* gives "new,old,older": the last TOKENS of them */
static char *add_token(const char *list, const char *token)
{
	const char *end = list;
	int kept = 1;

	for (; *end && kept < TOKENS; kept++)
		end += strcspn(end, ",") + (end[strcspn(end, ",")] == ',');
	if (end > list && end[-1] == ',')
		end--;
	return sw_asprintf("%s%s%.*s", token, end > list ? "," : "", (int)(end - list), list);
}

static struct sw_err plan_growth(struct op *op, json_t *pool, json_t **out)
{
	const char *list = sw_json_annotation(pool, SIM_TOKENS);
	int desired = as_int(pool, "spec.desired", 0), max = as_int(pool, "spec.maxNodes", 0);
	char *tokens;

	*out = NULL;
	if (has_token(list, op->token))
		return SW_OK;
	if (!sw_json_bool(pool, "spec.growable"))
		return sw_err(SW_E_INVALID, "its nodes are fixed, it cannot grow");
	if (op->delta > max - desired)
		return sw_err(SW_E_INVALID, "%d more nodes would make %d, expected at most %d", op->delta,
			      desired + op->delta, max);
	*out = patch_of(pool);
	tokens = add_token(list ? list : "", op->token);
	sw_json_set_annotation(*out, SIM_TOKENS, tokens);
	sw_json_set_int(*out, "spec.desired", desired + op->delta);
	free(tokens);
	return SW_OK;
}

static bool is_listed(json_t *list, const char *text)
{
	for (size_t i = 0; i < sw_json_len(list); i++) {
		const char *one = json_object_get_string(sw_json_idx(list, i));

		if (one && strcmp(one, text) == 0)
			return true;
	}
	return false;
}

/* Names of instances that are gone leave the list here. */
static json_t *plan_release(struct op *op, json_t *pool)
{
	json_t *instances = sw_json_at(pool, "status.instances"), *named = sw_json_at(pool, "spec.release");
	json_t *list = json_object_new_array(), *patch;
	int desired = as_int(pool, "spec.desired", 0), fresh = 0;

	for (size_t i = 0; i < sw_json_len(instances); i++) {
		json_t *x = sw_json_idx(instances, i);
		const char *id = as_text(x, "id");
		bool before = is_listed(named, id),
		     now = is_listed(op->ids, id) && strcmp(as_text(x, "state"), "Deleting") != 0;

		if (before || now)
			json_object_array_add(list, json_object_new_string(id));
		fresh += now && !before;
	}
	if (fresh == 0) {
		json_object_put(list);
		return NULL;
	}
	patch = patch_of(pool);
	sw_json_set(patch, "spec.release", list);
	sw_json_set_int(patch, "spec.desired", desired > fresh ? desired - fresh : 0);
	return patch;
}

static void on_pool(void *owner, struct sw_err e, const struct sw_kube_reply *reply)
{
	struct op *op = owner;
	json_t *patch = NULL;

	op->call = NULL;
	if (!sw_failed(e) && !sw_json_at(reply->object, "spec"))
		e = sw_err(SW_E_INVALID, "the answer is no node pool");
	if (!sw_failed(e) && op->kind == OP_GROW)
		e = plan_growth(op, reply->object, &patch);
	else if (!sw_failed(e))
		patch = plan_release(op, reply->object);
	if (sw_failed(e) || !patch) {
		op_done(op, e);
		return;
	}
	e = call(op, "PATCH", patch, on_patched);
	json_object_put(patch);
	if (sw_failed(e))
		op_done(op, e);
}

static struct sw_err begin(struct op *op)
{
	struct sw_err e = call(op, "GET", NULL, on_pool);

	if (sw_failed(e))
		op_free(op);
	return e;
}

static struct sw_err sim_grow(struct sw_provider *base, const char *pool, int delta, const char *token,
			      sw_provider_fn *done, void *owner)
{
	struct op *op;

	if (delta < 1 || !*token || strchr(token, ',') || strlen(token) > 128)
		return sw_err(SW_E_INVALID,
			      "pool %s: growth by %d nodes, token \"%s\": expected at least 1 and a short token "
			      "without commas",
			      pool, delta, token);
	op = op_new((struct sim_provider *)base, OP_GROW, pool, owner);
	op->delta = delta;
	op->token = sw_strdup(token);
	op->done = done;
	return begin(op);
}

static struct sw_err sim_release(struct sw_provider *base, const char *pool, const char *const *ids, size_t n,
				 sw_provider_fn *done, void *owner)
{
	struct op *op = op_new((struct sim_provider *)base, OP_RELEASE, pool, owner);

	op->ids = json_object_new_array();
	for (size_t i = 0; i < n; i++)
		json_object_array_add(op->ids, json_object_new_string(ids[i]));
	op->done = done;
	return begin(op);
}

/* ---- open and close ---------------------------------------------------------------------------------- */

static struct sw_err sim_open(const struct sw_provider_env *env, const struct sw_cluster_cfg *cfg,
			      struct sw_provider **out)
{
	struct sim_provider *p = sw_calloc(1, sizeof(*p));

	p->base.ops = &sw_provider_sim;
	p->loop = env->loop;
	p->kube = env->kube;
	p->cluster = cfg->name;
	*out = &p->base;
	return SW_OK;
}

static void sim_close(struct sw_provider *base)
{
	struct sim_provider *p = (struct sim_provider *)base;
	struct op *op, *tmp;

	DL_FOREACH_SAFE(p->ops, op, tmp)
	{
		if (op->call)
			sw_kube_cancel(op->call);
		op_free(op);
	}
	free(p);
}

const struct sw_provider_ops sw_provider_sim = {
	.name = "sim",
	.open = sim_open,
	.close = sim_close,
	.list = sim_list,
	.grow = sim_grow,
	.release = sim_release,
};
