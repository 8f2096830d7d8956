/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle.c - one node that nobody uses: taken out of use, looked at once more, given back by name
 *
 *   CORDONING --seen in the watch--> SETTLING --1 s--> CHECKING --empty--> EMPTY -> RELEASING -> RELEASED --gone-->
 * forgotten |                               |                  |                 |
 *       +-------- wanted again, or a pod came --------------+-----------------+--> UNCORDONING -> BACK --seen-->
 * forgotten
 *
 * The second between cordon and check is for the scheduler: it may bind a pod by what it knew a moment ago. After
 * release() was called there is no way back. After a crash a node with our cordon starts over in SETTLING.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "burst_priv.h"
#include "spillway/text.h"

enum { SETTLE_MS = 1000, RETRY_MS = 5000, GONE_MS = 5 * 60 * 1000 };

static void idle_goto(struct idle *i, enum idle_state to)
{
	i->state = to;
	i->state_ms = burst_now(i->b);
}

static void idle_forget(struct sw_burst *b, struct idle *i)
{
	HASH_DEL(b->idles, i);
	free(i->pool);
	free(i->node);
	free(i->instance);
	free(i);
}

void idle_free(struct sw_burst *b)
{
	struct idle *i, *tmp;
	HASH_ITER(hh, b->idles, i, tmp)
	idle_forget(b, i);
}

bool idle_under_way(const struct sw_burst *b, const struct sw_worker *w)
{
	struct idle *i, *tmp;
	HASH_ITER(hh, b->idles, i, tmp)
	if (i->w == w && i->busy)
		return true;
	return false;
}

void idle_forget_all(struct sw_burst *b, const struct sw_worker *w)
{
	struct idle *i, *tmp;
	HASH_ITER(hh, b->idles, i, tmp)
	if (i->w == w)
		idle_forget(b, i);
}

static struct idle *idle_find(const struct sw_burst *b, const struct sw_worker *w, const char *node)
{
	struct idle *i;
	char *id = sw_asprintf("%s/%s", sw_worker_name(w), node);
	HASH_FIND_STR(b->idles, id, i);
	free(id);
	return i;
}

static void idle_new(struct sw_burst *b, struct sw_worker *w, const struct sw_node *node, const char *instance,
		     enum idle_state state)
{
	char *id = sw_asprintf("%s/%s", sw_worker_name(w), node->name);
	size_t n = strlen(id);
	struct idle *i = sw_calloc(1, sizeof *i + n + 1);

	memcpy(i->id, id, n);
	free(id);
	i->b = b;
	i->w = w;
	i->pool = sw_strdup(node->pool);
	i->node = sw_strdup(node->name);
	i->instance = sw_strdup(instance);
	idle_goto(i, state);
	HASH_ADD_KEYPTR(hh, b->idles, i->id, n, i);
}

void idle_count(const struct sw_burst *b, const struct sw_worker *w, const char *pool, int *returning, int *leaving)
{
	struct idle *i, *tmp;

	*returning = *leaving = 0;
	HASH_ITER(hh, b->idles, i, tmp)
	{
		if (i->w != w || strcmp(i->pool, pool) != 0)
			continue;
		if (i->state == IDLE_RELEASING || i->state == IDLE_RELEASED)
			++*leaving;
		else
			++*returning;
	}
}

/* ---- answers: they note, the next look decides ------------------------------------------ */

static void on_cordoned(void *owner, struct sw_err err)
{
	struct idle *i = owner;
	i->busy = false;
	if (sw_failed(err)) {
		sw_log(WARN, "burst", "could not cordon", "node=%s error=\"%s\"", i->id, err.text);
		i->retry_ms = burst_now(i->b) + RETRY_MS;
	}
	sw_burst_kick(i->b);
}

static void on_uncordoned(void *owner, struct sw_err err)
{
	struct idle *i = owner;
	struct sw_burst *b = i->b;

	i->busy = false;
	if (sw_failed(err) && err.code != SW_E_MISSING) {
		sw_log(WARN, "burst", "could not uncordon", "node=%s error=\"%s\"", i->id, err.text);
		i->retry_ms = burst_now(b) + RETRY_MS;
	} else {
		struct run *r = run_get(b, i->w, i->pool);
		r->hold_ms = burst_now(b) + (uint64_t)b->opt.config->idle_release_ms;
		idle_goto(i, IDLE_BACK);
	}
	sw_burst_kick(b);
}

static void on_checked(void *owner, struct sw_err err)
{
	struct idle *i = owner;

	i->busy = false;
	if (err.code == SW_E_CONFLICT) {
		sw_log(INFO, "burst", "a pod came to an idle node", "node=%s pod=\"%s\"", i->id, err.text);
		idle_goto(i, IDLE_UNCORDONING);
	} else if (sw_failed(err)) {
		idle_goto(i, IDLE_SETTLING); /* looked at again after a while */
		i->retry_ms = burst_now(i->b) + RETRY_MS;
	} else {
		idle_goto(i, IDLE_EMPTY);
	}
	sw_burst_kick(i->b);
}

static void on_released(void *owner, struct sw_err err)
{
	struct idle *i = owner;

	i->busy = false;
	if (!sw_failed(err) || err.code == SW_E_MISSING) {
		idle_goto(i, IDLE_RELEASED);
		sw_worker_provider_poll(i->w);
	} else {
		sw_log(WARN, "burst", "could not release", "node=%s error=\"%s\"", i->id, err.text);
		i->retry_ms = burst_now(i->b) +
			      RETRY_MS; /* whether it happened or not: it is named, so it is asked for again */
	}
	sw_burst_kick(i->b);
}

/* ---- steps --------------------------------------------------------------------------------- */

static void started(struct idle *i, struct sw_err e, sw_worker_fn *done)
{
	if (sw_failed(e))
		done(i, e);
}

static void release(struct idle *i)
{
	struct sw_provider *p = sw_worker_provider(i->w);
	const char *ids[1] = {i->instance};

	i->busy = true;
	started(i, p->ops->release(p, i->pool, ids, 1, on_released, i), on_released);
}

static void cordon(struct idle *i, bool on)
{
	i->busy = true;
	started(i, sw_worker_cordon(i->w, i->node, on, on ? on_cordoned : on_uncordoned, i),
		on ? on_cordoned : on_uncordoned);
}

static bool is_listed(const struct idle *i)
{
	const struct sw_provider_state *s = sw_worker_provider_state(i->w, NULL);
	for (size_t k = 0; s && k < s->n_instances; k++)
		if (s->instances[k].id && strcmp(s->instances[k].id, i->instance) == 0)
			return true;
	return false;
}

static void gone(struct idle *i)
{
	struct sw_burst *b = i->b;

	burst_event(b, NULL, false, "ScaleDown", "node %s of pool %s of %s was idle and is released", i->node, i->pool,
		    sw_worker_name(i->w));
	sw_metric_add(sw_metric(b->opt.metrics, SW_COUNTER, "spillway_burst_nodes_released_total",
				"Idle nodes given back.", "cluster,pool"),
		      1, sw_worker_name(i->w), i->pool);
	burst_changed(b, run_get(b, i->w, i->pool));
	idle_forget(b, i);
}

static void leaving_step(struct idle *i, uint64_t now)
{
	if (i->state == IDLE_RELEASED && !is_listed(i))
		gone(i);
	else if (i->state == IDLE_RELEASING || now - i->state_ms > GONE_MS)
		release(i);
}

/* node NULL: the cluster does not show it any more. */
static void step(struct idle *i, const struct sw_node *node)
{
	uint64_t now = burst_now(i->b);

	if (i->busy || now < i->retry_ms)
		return;
	if (i->state == IDLE_RELEASING || i->state == IDLE_RELEASED) {
		leaving_step(i, now);
		return;
	}
	if (!node) { /* reclaimed by its cloud, or deleted by somebody */
		idle_forget(i->b, i);
		return;
	}
	if (i->state < IDLE_UNCORDONING && (!node->empty || burst_has_wants(i->b, sw_worker_name(i->w), i->pool)))
		idle_goto(i, IDLE_UNCORDONING);
	switch (i->state) {
	case IDLE_CORDONING:
		if (node->cordoned)
			idle_goto(i, IDLE_SETTLING);
		else
			cordon(i, true);
		break;
	case IDLE_SETTLING:
		if (now - i->state_ms < SETTLE_MS)
			break;
		idle_goto(i, IDLE_CHECKING);
		i->busy = true;
		started(i, sw_worker_node_empty(i->w, i->node, on_checked, i), on_checked);
		break;
	case IDLE_EMPTY:
		idle_goto(i, IDLE_RELEASING);
		release(i);
		break;
	case IDLE_UNCORDONING:
		cordon(i, false);
		break;
	case IDLE_BACK:
		if (!node->cordoned)
			idle_forget(i->b, i);
		break;
	default:
		break;
	}
}

/* ---- which nodes ------------------------------------------------------------------------------ */

static const struct sw_instance *instance_of(const struct sw_provider_state *s, const struct sw_node *node)
{
	for (size_t i = 0; i < s->n_instances; i++)
		if (s->instances[i].node && strcmp(s->instances[i].node, node->name) == 0)
			return &s->instances[i];
	return NULL;
}

/* How long it must have been empty, in ms; -1: it is kept. */
static int64_t idle_needed(struct sw_burst *b, struct sw_worker *w, const struct sw_node *node, const struct sw_pool *p)
{
	struct sw_burst_ask ask = {
		.cluster = sw_worker_name(w), .pool = p, .in_flight = run_get(b, w, p->name)->in_flight};
	if (!b->opt.idle_needed)
		return b->opt.config->idle_release_ms;
	return b->opt.idle_needed(b->opt.owner, &ask, node->name, (int64_t)(burst_now(b) - node->empty_since_ms),
				  b->opt.config->idle_release_ms);
}

static bool is_idle(struct sw_burst *b, struct sw_worker *w, const struct sw_node *node, const struct sw_pool *p)
{
	uint64_t now = burst_now(b);
	struct run *r = run_get(b, w, node->pool);
	int returning, leaving;

	if (!p->growable || !node->empty || node->empty_since_ms == 0 || now < r->hold_ms)
		return false;
	if (r->state != INTENT_NONE || burst_has_wants(b, sw_worker_name(w), node->pool))
		return false;
	idle_count(b, w, node->pool, &returning, &leaving);
	if (p->size - returning - leaving <= p->min)
		return false;
	int64_t idle = idle_needed(b, w, node, p);
	return idle >= 0 && now - node->empty_since_ms >= (uint64_t)idle;
}

static void consider(struct sw_burst *b, struct sw_worker *w, const struct sw_node *node)
{
	const struct sw_provider_state *s = sw_worker_provider_state(w, NULL);
	const struct sw_pool *p = sw_worker_pool(w, node->pool);
	const struct sw_instance *instance = s ? instance_of(s, node) : NULL;

	if (!p || !instance || idle_find(b, w, node->name))
		return;
	if (node->cordoned) /* ours, from before a crash */
		idle_new(b, w, node, instance->id, IDLE_SETTLING);
	else if (is_idle(b, w, node, p))
		idle_new(b, w, node, instance->id, IDLE_CORDONING);
}

static const struct sw_node *node_find(const struct sw_node *nodes, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(nodes[i].name, name) == 0)
			return &nodes[i];
	return NULL;
}

bool idle_step(struct sw_burst *b, struct sw_worker *w)
{
	const struct sw_node *nodes;
	size_t n = sw_worker_nodes(w, &nodes);
	struct sw_provider *p = sw_worker_provider(w);
	struct idle *i, *tmp;
	bool any = false;

	if (!p || !p->ops->release)
		return false;
	for (size_t k = 0; k < n; k++)
		consider(b, w, &nodes[k]);
	HASH_ITER(hh, b->idles, i, tmp)
	{
		if (i->w != w)
			continue;
		any = true;
		step(i, node_find(nodes, n, i->node));
	}
	return any;
}
