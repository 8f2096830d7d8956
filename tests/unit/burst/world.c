/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - see world.h */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "world.h"

struct sw_workers {
	struct world *w;
};
struct sw_worker {
	struct world *w;
};

static struct sw_workers the_workers;
static struct sw_worker the_worker;
static const struct sw_cluster_cfg the_cfg = {
	.name = "gke", .provider = "fake", .worker = "plain", .region = "", .burst = true};

/* ---- answers that are still to come ------------------------------------------------ */

static struct pending {
	sw_worker_fn *done;
	void *owner;
	struct sw_err err;
} pending[64];
static size_t n_pending;

static struct sw_err later(sw_worker_fn *done, void *owner, struct sw_err err)
{
	cr_assert(n_pending < 64);
	if (done)
		pending[n_pending++] = (struct pending){done, owner, err};
	return SW_OK;
}

static void answer_all(void)
{
	for (size_t i = 0; i < n_pending; i++)
		pending[i].done(pending[i].owner, pending[i].err);
	n_pending = 0;
}

/* ---- the provider ---------------------------------------------------------------------- */

static struct sw_err fake_grow(struct sw_provider *p, const char *pool, int delta, const char *token,
			       sw_provider_fn *done, void *owner)
{
	struct world *w = the_worker.w;
	bool known = false;

	(void)p;
	(void)pool;
	w->grow_calls++;
	for (int i = 0; i < w->n_tokens; i++)
		known |= strcmp(w->tokens[i], token) == 0;
	if (w->grow_answer == REFUSED)
		return later(done, owner, sw_err(SW_E_INVALID, "no such machine type"));
	if (w->grow_answer != LOST_CALL && !known) {
		memcpy(w->tokens[w->n_tokens++], token, 37);
		w->pool.target += delta;
		w->grown += delta;
	}
	return later(done, owner, w->grow_answer == YES ? SW_OK : sw_err(SW_E_NET, "connection reset"));
}

static struct sw_err fake_release(struct sw_provider *p, const char *pool, const char *const *ids, size_t n,
				  sw_provider_fn *done, void *owner)
{
	struct world *w = the_worker.w;

	(void)p;
	(void)pool;
	w->release_calls++;
	for (size_t i = 0; w->release_answer != LOST_CALL && i < n; i++) {
		if (strncmp(ids[i], "u-", 2) == 0) {
			w->unjoined--;
			w->pool.target--;
		}
		for (size_t k = 0; k < w->n; k++) {
			if (strcmp(w->names[k], ids[i] + 2) != 0) /* "i-" + node */
				continue;
			w->n--;
			memcpy(w->names[k], w->names[w->n], sizeof w->names[k]);
			w->nodes[k] = w->nodes[w->n];
			w->nodes[k].name = w->names[k];
			w->pool.target--;
			break;
		}
	}
	return later(done, owner, w->release_answer == YES ? SW_OK : sw_err(SW_E_TIMEOUT, "no answer"));
}

static const struct sw_provider_ops fake_ops = {.name = "fake", .grow = fake_grow, .release = fake_release};
static struct sw_provider fake_provider = {&fake_ops};

static void say(struct world *w)
{
	static char ids[2 * NODES_MAX][24], nodes[NODES_MAX][16];

	w->pool.size = (int)w->n;
	w->said = w->pool;
	for (size_t i = 0; i < w->n; i++) {
		snprintf(ids[i], sizeof ids[i], "i-%s", w->names[i]);
		memcpy(nodes[i], w->names[i], sizeof nodes[i]);
		w->instances[i] = (struct sw_instance){.id = ids[i], .node = nodes[i], .pool = "h100"};
	}
	for (int i = 0; i < w->unjoined; i++) {
		snprintf(ids[w->n + (size_t)i], sizeof ids[0], "u-%d", i);
		w->instances[w->n + (size_t)i] =
			(struct sw_instance){.id = ids[w->n + (size_t)i], .node = "", .pool = "h100"};
	}
	w->state = (struct sw_provider_state){.pools = &w->said,
					      .n_pools = 1,
					      .instances = w->instances,
					      .n_instances = w->n + (size_t)w->unjoined,
					      .errors = &w->error,
					      .n_errors = w->has_error};
	w->said_ms = (int64_t)sw_loop_now(w->loop);
	w->listed = true;
	w->poll = false;
}

/* ---- the workers room, as burst sees it --------------------------------------------------- */

size_t sw_workers_count(const struct sw_workers *ws)
{
	return ws ? 1 : 0;
}
struct sw_worker *sw_workers_at(struct sw_workers *ws, size_t i)
{
	return ws && i == 0 ? &the_worker : NULL;
}
struct sw_worker *sw_workers_find(struct sw_workers *ws, const char *name)
{
	return ws && strcmp(name, "gke") == 0 ? &the_worker : NULL;
}
const char *sw_worker_name(const struct sw_worker *w)
{
	return w ? "gke" : "";
}
const struct sw_cluster_cfg *sw_worker_cfg(const struct sw_worker *w)
{
	return w ? &the_cfg : NULL;
}
struct sw_provider *sw_worker_provider(struct sw_worker *w)
{
	return w ? &fake_provider : NULL;
}
struct sw_worker_state sw_worker_state(const struct sw_worker *w)
{
	return (struct sw_worker_state){.ready = w->w->ready, .why = ""};
}
size_t sw_worker_nodes(struct sw_worker *w, const struct sw_node **out)
{
	*out = w->w->nodes;
	return w->w->n;
}
size_t sw_worker_pools(struct sw_worker *w, const struct sw_pool **out)
{
	*out = &w->w->said;
	return w->w->listed ? 1 : 0;
}
const struct sw_pool *sw_worker_pool(struct sw_worker *w, const char *name)
{
	return w->w->listed && strcmp(name, "h100") == 0 ? &w->w->said : NULL;
}
/* What the reservations need beyond the nodes that can be used now. */
int sw_worker_pool_missing(struct sw_worker *w, const char *pool)
{
	int missing = strcmp(pool, "h100") == 0 ? w->w->demand : 0;
	for (size_t i = 0; i < w->w->n; i++)
		missing -= w->w->nodes[i].usable && w->w->nodes[i].empty && w->w->nodes[i].gpu_total == 8;
	return missing > 0 ? missing : 0;
}
const struct sw_provider_state *sw_worker_provider_state(const struct sw_worker *w, int64_t *asked_at_ms)
{
	if (asked_at_ms)
		*asked_at_ms = w->w->said_ms;
	return w->w->listed ? &w->w->state : NULL;
}
void sw_worker_provider_every(struct sw_worker *w, uint64_t ms)
{
	cr_assert(w && ms >= 1000);
}
void sw_worker_provider_poll(struct sw_worker *w)
{
	w->w->poll = true;
}

static struct sw_node *node_of(struct world *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->names[i], name) == 0)
			return &w->nodes[i];
	return NULL;
}

struct sw_err sw_worker_cordon(struct sw_worker *w, const char *node, bool on, sw_worker_fn *done, void *owner)
{
	struct sw_node *n = node_of(w->w, node);
	if (!n)
		return later(done, owner, sw_err(SW_E_MISSING, "no such node"));
	n->cordoned = on;
	n->usable = !on;
	w->w->cordons += on;
	w->w->uncordons += !on;
	return later(done, owner, SW_OK);
}

struct sw_err sw_worker_node_empty(struct sw_worker *w, const char *node, sw_worker_fn *done, void *owner)
{
	struct sw_node *n = node_of(w->w, node);
	w->w->checks++;
	if (n && n - w->w->nodes == w->w->pod_on) {
		n->empty = false; /* the watch shows it too by then */
		return later(done, owner, sw_err(SW_E_CONFLICT, "pod ns/x runs on node %s", node));
	}
	return later(done, owner, SW_OK);
}

/* ---- the manager: notes only ------------------------------------------------------------------- */

static struct sw_err note_put(struct sw_manager *m, const char *name, json_t *value, sw_manager_fn *done, void *owner)
{
	struct world *w = the_worker.w;
	(void)m;
	if (w->notes_fail)
		return later(done, owner, sw_err(SW_E_IO, "disk full"));
	json_object_object_del(w->notes, name);
	if (value)
		json_object_object_add(w->notes, name, json_object_get(value));
	return later(done, owner, SW_OK);
}

static void notes(struct sw_manager *m, const char *prefix, void (*fn)(void *owner, const char *name, json_t *value),
		  void *owner)
{
	struct world *w = the_worker.w;
	(void)m;
	json_object_object_foreach(w->notes, name, value)
	{
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			fn(owner, name, value);
	}
}

static const struct sw_manager_ops manager_ops = {.name = "fake", .note_put = note_put, .notes = notes};

/* ---- the world ---------------------------------------------------------------------------------- */

static void on_change(void *owner, const char *cluster, const char *pool)
{
	struct world *w = owner;
	cr_assert(cluster && pool);
	w->changes++;
}

static void on_event(void *owner, const char *key, bool warning, const char *reason, const char *message)
{
	struct world *w = owner;
	size_t n = strlen(w->events);
	(void)warning;
	snprintf(w->events + n, sizeof w->events - n, "%s %s: %s\n", key ? key : "-", reason, message);
}

static int may_grow(void *owner, const struct sw_burst_ask *ask, char why[SW_BURST_WHY])
{
	struct world *w = owner;
	w->asked = *ask;
	snprintf(why, SW_BURST_WHY, "the policy says %d", w->allowed);
	int left = w->allowed - ask->in_flight - ask->pool->size;
	return w->allowed < 0 || left > ask->nodes ? ask->nodes : left > 0 ? left : 0;
}

static int64_t idle_needed(void *owner, const struct sw_burst_ask *ask, const char *node, int64_t idle_ms,
			   int64_t after_ms)
{
	struct world *w = owner;
	w->asked = *ask;
	cr_assert(node && idle_ms >= 0);
	return w->idle_ms == -2 ? after_ms : w->idle_ms;
}

struct world *world_new(void)
{
	struct world *w = sw_calloc(1, sizeof *w);

	cr_assert(!sw_failed(sw_loop_new(&w->loop)));
	sw_loop_fake(w->loop, 1000000, 1700000000000);
	w->notes = json_object_new_object();
	w->manager.ops = &manager_ops;
	w->config = (struct sw_config){
		.idle_release_ms = 60000, .stockout_ms = 300000, .max_price_hour = 100, .price_max_age_ms = 86400000};
	w->pool = (struct sw_pool){.name = "h100",
				   .model = "H100",
				   .machine = "a3",
				   .region = "",
				   .zone = "",
				   .gpus = 8,
				   .cpu_milli = 1000,
				   .memory_bytes = 1,
				   .max = 4,
				   .quota_left = -1,
				   .growable = true,
				   .price_hour = 10,
				   .priced_at_ms = 1700000000000,
				   .label_key = "pool",
				   .label_value = "h100"};
	w->ready = true;
	w->pod_on = -1;
	w->allowed = -1;
	w->idle_ms = -2;
	the_workers.w = the_worker.w = w;
	n_pending = 0;
	say(w);
	return w;
}

void world_start(struct world *w)
{
	struct sw_burst_options opt = {.loop = w->loop,
				       .config = &w->config,
				       .manager = &w->manager,
				       .workers = &the_workers,
				       .on_change = on_change,
				       .on_event = on_event,
				       .may_grow = may_grow,
				       .idle_needed = idle_needed,
				       .owner = w};
	cr_assert(!sw_failed(sw_burst_new(&opt, &w->burst)));
}

void world_crash(struct world *w)
{
	sw_burst_free(w->burst);
	w->burst = NULL;
	n_pending = 0;
}

void world_free(struct world *w)
{
	sw_burst_free(w->burst);
	json_object_put(w->notes);
	sw_loop_free(w->loop);
	free(w);
}

static void settle(struct world *w)
{
	for (int i = 0; i < 20; i++) { /* an answer may ask something more */
		answer_all();
		if (w->poll)
			say(w);
		sw_loop_advance(w->loop, 0);
		if (n_pending == 0 && !w->poll && i > 2)
			break;
	}
}

void world_turn(struct world *w, unsigned ms)
{
	settle(w);
	for (unsigned t = 0; t < ms; t += 1000) {
		sw_loop_advance(w->loop, 1000);
		say(w);
		settle(w);
	}
}

void world_node(struct world *w, int64_t gpus)
{
	static int number;
	cr_assert(w->n < NODES_MAX);
	snprintf(w->names[w->n], sizeof w->names[0], "node%d", number++);
	w->nodes[w->n] = (struct sw_node){.name = w->names[w->n],
					  .pool = "h100",
					  .model = "H100",
					  .gpu_total = gpus,
					  .usable = true,
					  .empty = true,
					  .empty_since_ms = sw_loop_now(w->loop)};
	w->n++;
	if (w->pool.target < (int)w->n)
		w->pool.target = (int)w->n;
}

bool world_said(const struct world *w, const char *text)
{
	return strstr(w->events, text) != NULL;
}
size_t world_notes(const struct world *w)
{
	return (size_t)json_object_object_length(w->notes);
}
