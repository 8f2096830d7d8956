/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube.c - one API server: who may send next, and how many at once
 *
 * Six queues in order (the lease, streams, then the other classes). kube_pump() sends from the first that is not
 * empty while the window has room, nobody asked for a pause and credentials are at hand. It never calls
 * an owner.
 */
#include "kube_priv.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "spillway/log.h"
#include "spillway/text.h"

/* ---- the window ---------------------------------------------------------------------- */

static void window_show(struct sw_kube *k)
{
	sw_metric_set(k->m_window, (unsigned)k->window, k->name);
	sw_metric_set(k->m_in_flight, k->in_flight, k->name);
}

/* Once per window: of the calls that were on the wire together, the first refusal speaks for all. */
static void window_halve(struct sw_kube *k, const struct sw_kube_call *c)
{
	if (c->seq < k->halved_seq)
		return;
	k->halved_seq = k->seq;
	k->window = k->window / 2 < 1 ? 1 : k->window / 2;
	sw_log(INFO, "kube", "server is busy, sending less", "cluster=%s window=%u", k->name, (unsigned)k->window);
}

static void window_grow(struct sw_kube *k, const struct sw_kube_call *c)
{
	if (!c->limited)
		return;
	k->window += 1 / k->window;
	if (k->window > k->window_max)
		k->window = k->window_max;
}

/* The window opens by one with each answer: a burst over new connections would shake hands for all of them in one turn.
 */
static bool window_is_full(const struct sw_kube *k)
{
	return k->in_flight >= (unsigned)k->window || k->in_flight >= k->warm + KUBE_COLD;
}

static bool in_window(const struct sw_kube_call *c)
{
	return c->queue != KUBE_STREAMS && c->queue != SW_KUBE_LEASE;
}

static void on_wake(void *arg)
{
	kube_pump(arg);
}

static void pause_for(struct sw_kube *k, int64_t ms)
{
	uint64_t until;

	if (ms > KUBE_RETRY_AFTER_MAX_MS)
		ms = KUBE_RETRY_AFTER_MAX_MS;
	until = sw_loop_now(k->loop) + (uint64_t)ms;
	if (until <= k->paused_until_ms)
		return;
	k->paused_until_ms = until;
	sw_timer_at(k->wake, until);
}

void kube_learn(struct sw_kube *k, const struct sw_kube_call *c, long status, int64_t retry_after_ms, bool is_budget)
{
	if (in_window(c))
		k->in_flight--;
	if ((status == 429 && !is_budget) || status == 503) {
		window_halve(k, c);
		if (retry_after_ms >= 0 || status == 429)
			pause_for(k, retry_after_ms >= 0 ? retry_after_ms : KUBE_RETRY_AFTER_MS);
	} else if (status > 0) {
		window_grow(k, c);
	}
	if (status > 0 && k->warm < (unsigned)k->window_max)
		k->warm++;
	window_show(k);
}

/* ---- sending --------------------------------------------------------------------------- */

void kube_enqueue(struct sw_kube_call *c, bool first)
{
	struct sw_kube_call **queue = &c->kube->queues[c->queue];

	if (first)
		DL_PREPEND2(*queue, c, queue_prev, queue_next);
	else
		DL_APPEND2(*queue, c, queue_prev, queue_next);
	c->is_queued = true;
	if (c->deadline_ms)
		sw_timer_at(c->timer, c->deadline_ms);
}

static struct sw_kube_call *next_call(struct sw_kube *k)
{
	if (k->queues[SW_KUBE_LEASE])
		return k->queues[SW_KUBE_LEASE];
	if (sw_loop_now(k->loop) < k->paused_until_ms)
		return NULL;
	if (k->queues[KUBE_STREAMS])
		return k->queues[KUBE_STREAMS];
	if (window_is_full(k))
		return NULL;
	for (int i = 0; i < SW_KUBE__CLASSES; i++) {
		if (k->queues[i])
			return k->queues[i];
	}
	return NULL;
}

static void on_cred(void *owner, struct sw_err err, const struct sw_cred_now *now)
{
	struct sw_kube *k = owner;
	struct sw_kube_call *c, *tmp;

	(void)now; /* kube_pump() asks itself, before each call */
	k->wait = NULL;
	if (!sw_failed(err)) {
		kube_pump(k);
		return;
	}
	DL_FOREACH_SAFE(k->calls, c, tmp)
	{
		if (c->is_queued)
			call_fail_later(c, sw_err_wrap(err, "cluster %s: credentials", k->name));
	}
}

void kube_pump(struct sw_kube *k)
{
	struct sw_kube_call *c;
	struct sw_cred_now now;

	while (!k->wait && (c = next_call(k))) {
		if (!sw_cred_ready(k->cred, &now)) {
			struct sw_err e = sw_cred_get(k->cred, on_cred, k, &k->wait);
			if (sw_failed(e))
				call_fail_later(c, e);
			continue;
		}
		DL_DELETE2(k->queues[c->queue], c, queue_prev, queue_next);
		c->is_queued = false;
		if (in_window(c))
			k->in_flight++;
		c->limited = k->in_flight >= (unsigned)k->window;
		call_send(c, &now);
		if (!c->http && in_window(c))
			k->in_flight--;
	}
	window_show(k);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void metrics_init(struct sw_kube *k, struct sw_metrics *m)
{
	k->m_requests = sw_metric(m, SW_COUNTER, "spillway_kube_requests_total",
				  "Requests to API servers, by HTTP status or kind of failure.", "cluster,class,code");
	k->m_seconds = sw_metric(m, SW_HISTOGRAM, "spillway_kube_request_seconds",
				 "Time from sending a request to its complete answer.", "cluster,class");
	k->m_in_flight = sw_metric(m, SW_GAUGE, "spillway_kube_in_flight", "Requests under way, streams not counted.",
				   "cluster");
	k->m_window =
		sw_metric(m, SW_GAUGE, "spillway_kube_window", "Requests that may be under way at once.", "cluster");
}

struct sw_err sw_kube_new(struct sw_loop *loop, struct sw_http *http, struct sw_kubeconfig *kc_taken,
			  const struct sw_kube_options *opt, struct sw_kube **out)
{
	struct sw_kube *k = sw_calloc(1, sizeof *k);
	struct sw_err e;

	*out = NULL;
	k->loop = loop;
	k->http = http;
	k->kc = kc_taken;
	k->name = sw_strdup(opt->name);
	k->user_agent = sw_strdup(opt->user_agent ? opt->user_agent : "spillway/" SW_VERSION);
	k->window = opt->window ? opt->window : KUBE_WINDOW;
	k->window_max = k->window * KUBE_WINDOW_GROWTH;
	k->managed_fields = opt->managed_fields;
	k->on_set_back = opt->on_set_back;
	k->owner = opt->owner;
	metrics_init(k, opt->metrics);
	e = sw_cred_new(loop, k->kc, &k->cred);
	if (!sw_failed(e))
		e = sw_timer_new(loop, on_wake, k, &k->wake);
	k->heartbeat_ms = opt->heartbeat_ms;
	if (!sw_failed(e))
		e = heartbeat_open(k);
	if (sw_failed(e))
		sw_kube_free(k);
	else
		*out = k;
	return e;
}

void sw_kube_free(struct sw_kube *k)
{
	if (!k)
		return;
	while (k->reflectors)
		reflector_kube_gone(k->reflectors);
	while (k->calls)
		call_free(k->calls);
	sw_cred_cancel(k->wait);
	sw_cred_free(k->cred);
	sw_kubeconfig_free(k->kc);
	sw_timer_free(k->wake);
	sw_timer_free(k->beat);
	free(k->name);
	free(k->user_agent);
	free(k->canary);
	free(k->canary_rv);
	free(k);
}

void sw_kube_rekey(struct sw_kube *k, struct sw_kubeconfig *kc_taken)
{
	struct sw_cred *cred;
	struct sw_err e = sw_cred_new(k->loop, kc_taken, &cred);

	if (sw_failed(e)) {
		sw_log(ERROR, "kube", "new credentials cannot be used, keeping the old ones", "cluster=%s error=\"%s\"",
		       k->name, e.text);
		sw_kubeconfig_free(kc_taken);
		return;
	}
	sw_cred_cancel(k->wait);
	k->wait = NULL;
	sw_cred_free(k->cred);
	sw_kubeconfig_free(k->kc);
	k->cred = cred;
	k->kc = kc_taken;
	k->paused_until_ms = 0; /* perhaps another server */
	k->warm = 0;
	sw_http_forget_connections(k->http);
	for (struct sw_reflector *r = k->reflectors, *next; r; r = next) {
		next = reflector_next(r);
		reflector_rekeyed(r);
	}
	kube_pump(k);
}
