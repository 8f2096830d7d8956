/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pools.c - asks the provider what pools there are, and keeps its last good answer
 *
 * A provider whose API fails says nothing new: pools do not vanish because a cloud's API has a bad hour.
 */
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

enum { POLL_MS = 10 * 1000, POLL_SOON_MS = 10, POLL_NODE_MS = 200, POLL_UNFINISHED_MS = 1000 };

/* All strings of a state go behind each other into one arena. */
static size_t text_size(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

static const char *text_put(char **at, const char *s)
{
	if (!s)
		return NULL;
	size_t n = strlen(s) + 1;
	char *to = memcpy(*at, s, n);
	*at += n;
	return to;
}

static size_t state_size(const struct sw_provider_state *s)
{
	size_t n = 1;
	for (size_t i = 0; i < s->n_pools; i++) {
		const struct sw_pool *p = &s->pools[i];
		n += text_size(p->name) + text_size(p->model) + text_size(p->machine) + text_size(p->region) +
		     text_size(p->zone) + text_size(p->taint) + text_size(p->label_key) + text_size(p->label_value) +
		     text_size(p->gpu_resource) + text_size(p->topology) + 5;
	}
	for (size_t i = 0; i < s->n_instances; i++)
		n += text_size(s->instances[i].id) + text_size(s->instances[i].node) + text_size(s->instances[i].pool);
	for (size_t i = 0; i < s->n_errors; i++)
		n += text_size(s->errors[i].pool) + text_size(s->errors[i].message);
	return n;
}

static void state_free(struct provider_poll *p)
{
	free((void *)p->state.pools);
	free((void *)p->state.instances);
	free((void *)p->state.errors);
	free(p->arena);
	p->state = (struct sw_provider_state){0};
	p->arena = NULL;
}

static const char *put_or_empty(char **at, const char *s)
{
	return text_put(at, s ? s : "");
}

static void pool_copy(struct sw_pool *to, const struct sw_pool *from, char **at)
{
	*to = *from;
	to->name = put_or_empty(at, from->name);
	to->model = put_or_empty(at, from->model);
	to->machine = put_or_empty(at, from->machine);
	to->region = put_or_empty(at, from->region);
	to->zone = put_or_empty(at, from->zone);
	to->taint = text_put(at, from->taint);
	to->gpu_resource = text_put(at, from->gpu_resource);
	to->topology = text_put(at, from->topology);
	to->label_key = from->label_key && *from->label_key ? text_put(at, from->label_key) : NULL;
	to->label_value = text_put(at, from->label_value);
}

static void state_copy(struct provider_poll *p, const struct sw_provider_state *s)
{
	struct sw_pool *pools = sw_calloc(s->n_pools + 1, sizeof *pools);
	struct sw_instance *instances = sw_calloc(s->n_instances + 1, sizeof *instances);
	struct sw_pool_error *errors = sw_calloc(s->n_errors + 1, sizeof *errors);
	char *at;

	state_free(p);
	at = p->arena = sw_calloc(1, state_size(s));
	for (size_t i = 0; i < s->n_pools; i++)
		pool_copy(&pools[i], &s->pools[i], &at);
	for (size_t i = 0; i < s->n_instances; i++)
		instances[i] =
			(struct sw_instance){text_put(&at, s->instances[i].id), text_put(&at, s->instances[i].node),
					     text_put(&at, s->instances[i].pool)};
	for (size_t i = 0; i < s->n_errors; i++) {
		errors[i] = s->errors[i];
		errors[i].pool = text_put(&at, s->errors[i].pool);
		errors[i].message = text_put(&at, s->errors[i].message);
	}
	p->state = (struct sw_provider_state){.pools = pools,
					      .n_pools = s->n_pools,
					      .instances = instances,
					      .n_instances = s->n_instances,
					      .errors = errors,
					      .n_errors = s->n_errors};
	p->known = true;
}

/* A pool that was made a moment ago may not know its label yet. */
static bool is_unfinished(const struct provider_poll *p)
{
	for (size_t i = 0; i < p->state.n_pools; i++)
		if (p->state.pools[i].growable && !p->state.pools[i].label_key)
			return true;
	return false;
}

static void on_listed(void *owner, struct sw_err err, const struct sw_provider_state *state)
{
	struct sw_worker *w = owner;
	struct provider_poll *p = &w->poll;

	p->asking = false;
	if (sw_failed(err)) {
		if (!sw_failed(p->last))
			sw_log(WARN, "workers", "provider does not answer", "cluster=%s provider=%s error=\"%s\"",
			       w->cfg->name, w->cfg->provider, err.text);
	} else {
		state_copy(p, state);
		p->answered_ms = worker_now(w);
		w->cap.pools_version++;
		worker_shape_changed(w);
	}
	p->last = err;
	if (!p->answered) {
		p->answered = true;
		worker_changed(w);
	}
	sw_timer_in(p->timer, p->again                                               ? POLL_SOON_MS
			      : is_unfinished(p) && p->every_ms > POLL_UNFINISHED_MS ? POLL_UNFINISHED_MS
										     : p->every_ms);
	p->again = p->node_due = false;
}

static void on_timer(void *owner)
{
	struct sw_worker *w = owner;
	struct provider_poll *p = &w->poll;

	if (!w->provider) {
		sw_timer_in(p->timer, p->every_ms);
		return;
	}
	p->asking = true;
	struct sw_err e = w->provider->ops->list(w->provider, on_listed, w);
	if (sw_failed(e))
		on_listed(w, e, NULL);
}

void pools_nodes_changed(struct sw_worker *w)
{
	struct provider_poll *p = &w->poll;
	if (p->asking)
		p->again = true;
	else if (!p->node_due)
		sw_timer_in(p->timer, p->every_ms < POLL_NODE_MS ? p->every_ms : POLL_NODE_MS);
	p->node_due = true;
}

struct sw_err pools_open(struct sw_worker *w)
{
	w->poll.every_ms = POLL_MS;
	w->cap.pools_version = 1;
	return sw_timer_new(w->ws->opt.loop, on_timer, w, &w->poll.timer);
}

void pools_close(struct sw_worker *w)
{
	sw_timer_free(w->poll.timer);
	if (w->provider)
		w->provider->ops->close(w->provider);
	w->provider = NULL;
	state_free(&w->poll);
}

const struct sw_provider_state *sw_worker_provider_state(const struct sw_worker *w, int64_t *asked_at_ms)
{
	if (asked_at_ms)
		*asked_at_ms = (int64_t)w->poll.answered_ms;
	return w->poll.known ? &w->poll.state : NULL;
}

void sw_worker_provider_every(struct sw_worker *w, uint64_t ms)
{
	bool sooner = ms < w->poll.every_ms;
	w->poll.every_ms = ms;
	if (sooner && !w->poll.asking)
		sw_timer_in(w->poll.timer, ms);
}

void sw_worker_provider_poll(struct sw_worker *w)
{
	if (w->poll.asking)
		w->poll.again = true; /* what is under way may not know yet what the caller knows */
	else
		sw_timer_in(w->poll.timer, 0);
}
