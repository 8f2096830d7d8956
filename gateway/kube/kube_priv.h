/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_priv.h - what the files of this room share
 */
#ifndef SPILLWAY_KUBE_PRIV_H
#define SPILLWAY_KUBE_PRIV_H

#include "spillway/kube.h"

enum {
	KUBE_WINDOW = 32,
	KUBE_WINDOW_GROWTH = 4,
	KUBE_COLD = 4, /* calls at once while nothing was answered: each may be a TLS handshake */
	KUBE_TIMEOUT_MS = 30 * 1000,
	KUBE_REPLY_MAX = 8 << 20,
	KUBE_RETRY_AFTER_MS = 1000, /* 429 without the header */
	KUBE_RETRY_AFTER_MAX_MS = 5 * 60 * 1000,
	KUBE_BUSY_RETRIES = 3,
	KUBE_ANSWER_MS = 15 * 1000,      /* a heartbeat's */
	KUBE_STREAMS = SW_KUBE__CLASSES, /* queue of streams: first, and outside the window */
	KUBE_QUEUES,
};

struct sw_kube_call {
	struct sw_kube *kube;
	struct sw_kube_call *prev, *next; /* all calls of the kube (utlist) */
	struct sw_kube_call *queue_prev, *queue_next;
	int queue; /* index of the queue it belongs to */
	bool is_queued;
	sw_kube_fn *done;
	sw_chunk_fn *on_chunk;
	sw_headers_fn *on_headers;
	void *owner;
	char *method, *path, *content_type, *body;
	size_t body_len, max_reply;
	bool raw, paused;
	long timeout_ms, silence_ms;
	uint64_t deadline_ms;   /* 0: none */
	struct sw_timer *timer; /* of a queued call: deadline, or a failure told later */
	struct sw_err failed;   /* what the timer tells; OK: the deadline */
	struct sw_call *http;
	uint64_t sent_ms, seq, version; /* version: of the credentials used */
	int busy_retries;
	bool reauthenticated;
	bool limited; /* it filled the window */
};

struct sw_kube {
	struct sw_loop *loop;
	struct sw_http *http;
	struct sw_kubeconfig *kc;
	struct sw_cred *cred;
	struct sw_cred_wait *wait;
	char *name, *user_agent;
	struct sw_kube_call *calls, *queues[KUBE_QUEUES];
	struct sw_reflector *reflectors;
	char *canary, *canary_rv; /* path, and the newest resourceVersion seen there */
	void (*on_set_back)(void *owner);
	void *owner;
	double window, window_max;
	unsigned in_flight, warm; /* warm: calls answered since the connections were new */
	uint64_t seq, halved_seq; /* calls sent before halved_seq do not halve again */
	uint64_t paused_until_ms;
	bool managed_fields;
	struct sw_timer *wake;                     /* at the end of a pause */
	uint64_t heartbeat_ms, heard_ms, asked_ms; /* 0: none; last byte of any answer; last heartbeat */
	struct sw_timer *beat;
	struct sw_kube_call *beat_call;
	struct sw_metric *m_requests, *m_seconds, *m_in_flight, *m_window;
};

/* ---- kube.c: queue and window ------------------------------------------------- */
void kube_enqueue(struct sw_kube_call *c, bool first);
void kube_pump(struct sw_kube *k);
/* A call left the wire: the window learns from it. status 0: no answer. */
void kube_learn(struct sw_kube *k, const struct sw_kube_call *c, long status, int64_t retry_after_ms, bool is_budget);

/* ---- heartbeat.c ---------------------------------------------------------------- */
__attribute__((warn_unused_result)) struct sw_err heartbeat_open(struct sw_kube *k);
void kube_heard(struct sw_kube *k); /* something came from the server */

/* ---- call.c: one request ------------------------------------------------------- */
void call_send(struct sw_kube_call *c, const struct sw_cred_now *now);
void call_fail_later(struct sw_kube_call *c, struct sw_err e);
void call_free(struct sw_kube_call *c);
const char *kube_class_name(int queue);

struct kube_stream {
	const char *path;
	sw_chunk_fn *on_chunk;
	sw_headers_fn *on_headers;
	long silence_ms;
};
__attribute__((warn_unused_result)) struct sw_err kube_stream_start(struct sw_kube *k, const struct kube_stream *s,
								    sw_kube_fn *done, void *owner,
								    struct sw_kube_call **out);
void kube_call_pause(struct sw_kube_call *c, bool pause);

/* An object as the owner of the client wants to read it. */
static inline struct sw_err kube_parse(const struct sw_kube *k, const char *bytes, size_t len, json_t **out)
{
	return k->managed_fields ? sw_json_parse(bytes, len, out) : sw_json_parse_lean(bytes, len, out);
}

/* ---- reply.c: status and body of an answer --------------------------------------- */
struct kube_answer {
	struct sw_kube_reply reply;
	struct sw_err err;
	bool is_budget;
};
void answer_read(struct kube_answer *a, const struct sw_kube_call *c, struct sw_err transport,
		 const struct sw_reply *r);
void answer_fini(struct kube_answer *a);

/* ---- reflector.c -------------------------------------------------------------------- */
void reflector_kube_gone(struct sw_reflector *r);
struct sw_reflector *reflector_next(struct sw_reflector *r); /* of the same kube */
void reflector_rekeyed(struct sw_reflector *r);
void reflector_cut(struct sw_reflector *r, struct sw_err why); /* its stream is dead: later, like any end */

#endif
