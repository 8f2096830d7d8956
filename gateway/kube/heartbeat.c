/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heartbeat.c - is anybody there? Asked when nothing was heard for a while
 *
 * A watch says nothing as long as nothing changes, and a line on which packets vanish, in one direction or both, looks
 * the same: bookmarks come too seldom to tell soon. So a server that was silent is asked for its version, by a request
 * of the class that waits for nobody. Any answer will do. Without one all watches are over: their owners hear of the
 * loss, and they are opened anew.
 */
#include <stdlib.h>
#include "kube_priv.h"
#include "spillway/log.h"

static void beat_in(struct sw_kube *k, uint64_t ms)
{
	sw_timer_in(k->beat, ms);
}

static void on_answer(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct sw_kube *k = owner;

	(void)err; /* a refused connection is noticed by the watches, which had one */
	(void)reply;
	k->beat_call = NULL;
	beat_in(k, k->heartbeat_ms);
}

static void ask(struct sw_kube *k)
{
	struct sw_kube_req req = {.cls = SW_KUBE_LEASE,
				  .method = "GET",
				  .path = "/version",
				  .timeout_ms = 2 * KUBE_ANSWER_MS, /* ours comes first */
				  .raw = true};

	k->asked_ms = sw_loop_now(k->loop);
	if (sw_failed(sw_kube_start(k, &req, on_answer, k, &k->beat_call)))
		k->beat_call = NULL;
	beat_in(k, k->beat_call ? KUBE_ANSWER_MS : k->heartbeat_ms);
}

static void line_is_dead(struct sw_kube *k)
{
	struct sw_err why = sw_err(SW_E_NET, "cluster %s: nothing was heard for %llu ms, and a heartbeat has no answer",
				   k->name, (unsigned long long)(sw_loop_now(k->loop) - k->heard_ms));

	sw_log(WARN, "kube", "line is silent", "cluster=%s error=\"%s\"", k->name, why.text);
	for (struct sw_reflector *r = k->reflectors; r; r = reflector_next(r))
		reflector_cut(r, why);
}

static void on_beat(void *owner)
{
	struct sw_kube *k = owner;
	uint64_t now = sw_loop_now(k->loop), quiet = now - k->heard_ms;
	/* What waits for credentials was not sent. */
	bool dead = k->beat_call && !k->wait && quiet >= KUBE_ANSWER_MS && k->heard_ms < k->asked_ms;

	if (k->beat_call) {
		sw_kube_cancel(k->beat_call);
		k->beat_call = NULL;
		if (dead)
			line_is_dead(k);
		beat_in(k, k->heartbeat_ms);
	} else if (!k->reflectors) {
		beat_in(k, k->heartbeat_ms);
	} else if (quiet < k->heartbeat_ms) {
		beat_in(k, k->heartbeat_ms - quiet);
	} else {
		ask(k);
	}
}

void kube_heard(struct sw_kube *k)
{
	k->heard_ms = sw_loop_now(k->loop);
}

struct sw_err heartbeat_open(struct sw_kube *k)
{
	struct sw_err e = k->heartbeat_ms ? sw_timer_new(k->loop, on_beat, k, &k->beat) : SW_OK;

	kube_heard(k);
	if (!sw_failed(e) && k->beat)
		beat_in(k, k->heartbeat_ms);
	return e;
}
