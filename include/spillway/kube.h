/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube.h - the Kubernetes client: one struct sw_kube per API server
 *
 * Requests. Paths are given whole ("/apis/batch/v1/namespaces/ns/jobs/x"; build them with
 * sw_kube_path, which escapes), bodies as bytes. Every request names its class: under
 * pressure FENCE goes before STATUS before CREATE before LIST. At most `window` requests are
 * in flight per server; the window halves on 429 or 503 (once per window of requests) and grows by one
 * per window of successes while it is what limits (additive increase, multiplicative decrease), and
 * Retry-After is obeyed for everybody on that server, up to 5 minutes. There is no other rate limit.
 * Streams and watches have connections of their own and are outside the window.
 *
 * A reply's HTTP status and Status object become an sw_err (sw_err_http). A call is not
 * retried here, except once after 401 if there are newer credentials, and after 429 (Retry-After, at most
 * 3 times, within timeout_ms): level-triggered callers come again by themselves. A 429 of a disruption
 * budget (pods/eviction) is an answer, not pressure: it is returned at once and slows nobody.
 * An error does not say that nothing happened: NET and TIMEOUT mean "unknown outcome".
 *
 * Metrics: spillway_kube_requests_total{cluster,class,code}, spillway_kube_request_seconds{cluster,class},
 * spillway_kube_in_flight{cluster}, spillway_kube_window{cluster}.
 *
 * The async contract is http.h's.
 */
#ifndef SPILLWAY_KUBE_H
#define SPILLWAY_KUBE_H

#include "spillway/http.h"
#include "spillway/json.h"
#include "spillway/kubeconfig.h"
#include "spillway/metrics.h"

struct sw_kube;
struct sw_kube_call;

/* LEASE: the one request whose delay ends the process. It is outside the window and waits for no pause; a server that
 * gives leases a level of their own (API Priority and Fairness, leader-election) expects as much. */
enum sw_kube_class { SW_KUBE_FENCE, SW_KUBE_STATUS, SW_KUBE_CREATE, SW_KUBE_LIST, SW_KUBE_LEASE, SW_KUBE__CLASSES };

struct sw_kube_options {
	const char *name;       /* of the cluster, for logs and metrics. Copied */
	unsigned window;        /* requests in flight at the start; it moves between 1 and four times this. 0: 32 */
	const char *user_agent; /* NULL: "spillway/VERSION" */
	/* While there are reflectors, a server that was silent for so long is asked whether it is there; without an
	 * answer within 15 s their watches are lost. 0: never. */
	uint64_t heartbeat_ms;
	struct sw_metrics *metrics; /* may be NULL */
	bool managed_fields;        /* objects keep their metadata.managedFields; else these are left out */
	/* Optional. The server holds an older state than it did (its store was restored). Lists follow: what the old
	 * state does not hold is then reported as gone, although nobody deleted it. */
	void (*on_set_back)(void *owner);
	void *owner;
};

/* kc is taken. */
__attribute__((warn_unused_result)) struct sw_err sw_kube_new(struct sw_loop *loop, struct sw_http *http,
							      struct sw_kubeconfig *kc_taken,
							      const struct sw_kube_options *opt, struct sw_kube **out);
/* Cancels calls and stops reflectors (which still have to be freed, at any time). Fine inside a callback, and with
 * NULL. */
void sw_kube_free(struct sw_kube *k);
/* New credentials or server for the same cluster, without losing caches. kc is taken. */
void sw_kube_rekey(struct sw_kube *k, struct sw_kubeconfig *kc_taken);

struct sw_kube_reply {
	long status;
	const char *body;
	size_t len;          /* lent until done returns */
	json_t *object;      /* parsed when the body is a JSON object; lent; NULL otherwise */
	const char *reason;  /* of a Status object ("AlreadyExists"), "" if none */
	const char *warning; /* or NULL */
	int64_t date_ms;     /* the server's clock, to the second; 0 if it did not say */
};
/* err is SW_OK only for 2xx. reply is never NULL, but empty when there was none. */
typedef void sw_kube_fn(void *owner, struct sw_err err, const struct sw_kube_reply *reply);

struct sw_kube_req {
	enum sw_kube_class cls;
	const char *method;       /* GET POST PUT PATCH DELETE */
	const char *path;         /* with query, already escaped */
	const char *content_type; /* NULL: application/json */
	const char *body;
	size_t body_len;
	long timeout_ms;  /* 0: 30 s, waiting for a turn included */
	size_t max_reply; /* 0: 8 MiB */
	bool raw;         /* do not parse a 2xx body: object stays NULL (large lists, logs) */
};
/* Everything is copied. */
__attribute__((warn_unused_result)) struct sw_err sw_kube_start(struct sw_kube *k, const struct sw_kube_req *req,
								sw_kube_fn *done, void *owner,
								struct sw_kube_call **out);
void sw_kube_cancel(struct sw_kube_call *c);

#define SW_MERGE_PATCH     "application/merge-patch+json"
#define SW_STRATEGIC_PATCH "application/strategic-merge-patch+json"
#define SW_JSON_PATCH      "application/json-patch+json"
#define SW_APPLY_PATCH     "application/apply-patch+yaml"

/* "/api/v1/namespaces/NS/pods/NAME/SUB" or "/apis/GROUP/VERSION/...". group "" is core; ns, name, sub
 * may be NULL. Appended to b; add a query with sw_kube_query(b, key, value). */
void sw_kube_path(struct sw_buf *b, const char *group, const char *version, const char *plural, const char *ns,
		  const char *name, const char *sub);
void sw_kube_query(struct sw_buf *b, const char *key, const char *value);
/* Is the plural among the resources of this APIResourceList (the answer to GET /apis/GROUP/VERSION)? list may be NULL.
 */
bool sw_kube_lists(json_t *list, const char *plural);
/* {"kind":"DeleteOptions",...,"propagationPolicy":P,"preconditions":{"uid":U}} ; uid may be NULL. */
void sw_kube_delete_options(struct sw_buf *b, const char *propagation, const char *uid);

/*
 * The canary: an object that is written often, as the holder of a Lease does. rv is the resourceVersion that an answer
 * just gave for the object at this path; older than one told before, the server was set back in time (false, after
 * on_set_back). Reflectors look at it themselves before they go on after the server was away. Both are copied.
 */
bool sw_kube_canary(struct sw_kube *k, const char *path, const char *rv);

/* ---- a stream: logs with follow ------------------------------------------ */
/* on_chunk gets 2xx bytes; done ends it (SW_OK at a clean end). No time limit: a log may be silent for days. */
__attribute__((warn_unused_result)) struct sw_err sw_kube_stream(struct sw_kube *k, const char *path,
								 sw_chunk_fn *on_chunk, sw_kube_fn *done, void *owner,
								 struct sw_kube_call **out);

/* ---- list + watch caches -------------------------------------------------- */

/*
 * A reflector lists (limit/continue) and then watches one collection for ever. It keeps
 * only {key, uid, resourceVersion} per object, enough to tell after a relist what was added,
 * changed and deleted, so that no event is lost or doubled. What to keep of an object is the
 * subscriber's business: on_object gets it parsed, lent.
 *
 *  on_object(o, SW_OBJ_PUT, key, object)    first seen or changed (never twice for one resourceVersion)
 *  on_object(o, SW_OBJ_GONE, key, object)   object is the last state, or NULL after a relist
 *  on_state(o, synced, since_ms, why)       synced: the first complete list was delivered and the watch
 *                                           runs. Not synced: since when (first loss, kept through failed
 *                                           retries) and why. "Unreachable" is never "absent": between a
 *                                           loss and the next sync nothing is reported as gone.
 *
 * Before the first sync, since_ms is when the reflector was made. on_state is called again while not synced
 * when the reason changes. A 410 or a clean end of the watch is not a loss: what follows may be. What a
 * relist finds to be gone is reported when that list is complete, before on_state(synced). After a 410 or a loss the
 * server is first asked whether it was set back in time (sw_kube_options.on_set_back).
 *
 * 410 relists; 429/5xx back off (with Retry-After); a watch silent for longer than
 * silence_ms (default 90 s; bookmarks come about each minute) is dropped and resumed, which is a loss the second time
 * in a row; a truncated
 * or malformed line ends the watch and resumes from the last good resourceVersion; backoff
 * 0.2 s doubling to 30 s with jitter, begun anew when another collection of the server is in sight again. A large
 * list is delivered in slices over turns. Items of a list get the apiVersion and kind that API servers leave out there.
 * Callbacks may free the reflector and the kube.
 */
enum sw_obj_event { SW_OBJ_PUT, SW_OBJ_GONE };

struct sw_reflector_cfg {
	const char *path;           /* collection, e.g. "/apis/batch/v1/jobs". Copied */
	const char *label_selector; /* or NULL. Copied */
	const char *field_selector;
	unsigned page;   /* 0: 500 */
	long silence_ms; /* 0: 90 s */
	void (*on_object)(void *owner, enum sw_obj_event ev, const char *key,
			  json_t *object); /* key: "ns/name" or "name" */
	void (*on_state)(void *owner, bool synced, uint64_t since_ms, const char *why);
	void *owner;
};
struct sw_reflector;

__attribute__((warn_unused_result)) struct sw_err
sw_reflector_new(struct sw_kube *k, const struct sw_reflector_cfg *cfg, struct sw_reflector **out);
void sw_reflector_free(struct sw_reflector *r); /* silent: no more callbacks */
bool sw_reflector_synced(const struct sw_reflector *r);
size_t sw_reflector_len(const struct sw_reflector *r);

#endif
