/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api.h - a Kubernetes-compatible API server over a store
 *
 * Used twice: by the embedded manager, and by each simulated worker cluster. What differs is the
 * set of resources served and the hooks. libmicrohttpd on the loop, TLS always.
 *
 *   sw_api_new() opens the store and the port; sw_api_object_*() let controllers in the same process
 *   read and write through the same checks as an HTTP client (defaulting, validation, generation,
 *   finalizers, cascade), without HTTP.
 */
#ifndef SPILLWAY_API_H
#define SPILLWAY_API_H

#include "spillway/json.h"
#include "spillway/loop.h"
#include "spillway/metrics.h"
#include "spillway/resource.h"
#include "spillway/store.h"

struct sw_api;

/* A hook on writes of one resource, after defaulting and schema checks: may change `object` or refuse it
 * (INVALID with a JSON path in the text; the reply is 422). old is NULL on create. warn: text for a
 * Warning header, or "". */
struct sw_admit {
	const char *resource; /* "jobs.batch" */
	struct sw_err (*check)(void *owner, json_t *object, json_t *old, const char *user, char warn[256]);
	bool status_too; /* writes of the status subresource as well */
};
/* Streams pods/log: give bytes with sw_log_reply_*; the embedded manager proxies, the simulator prints. */
struct sw_log_request {
	const char *ns, *pod, *container;
	bool follow, timestamps, previous;
	int64_t tail_lines /* -1: all */, since_s /* -1 */, limit_bytes;
};
struct sw_log_reply;                                                          /* opaque */
void sw_log_reply_bytes(struct sw_log_reply *r, const char *bytes, size_t n); /* buffered, bounded; flushed at once */
void sw_log_reply_end(struct sw_log_reply *r, struct sw_err err);             /* an error before any byte is a Status */
struct sw_log_source {
	/* start: reply later or now. stop: the client went away; r must not be used again. */
	void (*start)(void *owner, const struct sw_log_request *req, struct sw_log_reply *r);
	void (*stop)(void *owner, struct sw_log_reply *r);
};

/* JSON pages of spillway's own under /spillway/v1/ (clusters, pools, queue, explain): for its command line and
 * dashboard. query: object of strings, lent ("path" holds what follows the name). Any authenticated user may read; a
 * submitter's namespaces are in query "namespaces". *out gives. */
struct sw_page_reply; /* opaque */
struct sw_api_view {
	const char *name; /* "clusters" */
	struct sw_err (*get)(void *owner, json_t *query, json_t **out);
	/* POST by an admin; body is an object, lent. NULL: the page is read-only. */
	struct sw_err (*post)(void *owner, json_t *body, json_t **out);
	/* POST by any user that only asks and changes nothing: query as for get, body an object, both lent. */
	struct sw_err (*ask)(void *owner, json_t *query, json_t *body, json_t **out);
	/* POST by anybody, without a token: another API server's admission webhook. It must change nothing and tell
	 * nothing that the body does not hold. */
	struct sw_err (*hook)(void *owner, json_t *body, json_t **out);
	/* POST by an admin whose answer waits for something: sw_page_reply() exactly once, now or later, also when the
	 * client has gone away meanwhile. body: lent. */
	void (*later)(void *owner, json_t *body, struct sw_page_reply *r);
	/* GET by any user whose answer is text as it comes. As for a pod's log: query is lent until it returns, stop
	 * says that the client went away. */
	void (*stream)(void *owner, json_t *query, struct sw_log_reply *r);
	void (*stream_stop)(void *owner, struct sw_log_reply *r);
};
void sw_page_reply(struct sw_page_reply *r, struct sw_err err, json_t *out /* lent */);

struct sw_api_options {
	enum sw_serve serve;
	const char *name;         /* of the cluster: in certificates, kubeconfig contexts, /version */
	const char *dir;          /* data directory: store, CA, certificates, users */
	const char *listen;       /* "127.0.0.1:6443"; port 0 picks a free one */
	const char *const *hosts; /* more names and addresses for the certificate, NULL-terminated, or NULL */
	bool ephemeral;
	const struct sw_admit *admit;
	size_t n_admit;
	const struct sw_log_source *logs;
	const struct sw_api_view *views;
	size_t n_views;
	void *views_owner;                         /* passed to the views */
	void *owner;                               /* passed to the hooks */
	struct sw_metrics *metrics;                /* served on /metrics */
	bool (*ready)(void *owner, char why[128]); /* for /readyz, or NULL */
	/* Who should be asked instead of us? An error in words is the answer to every view but hooks; NULL: nobody. */
	struct sw_err (*elsewhere)(void *owner);
};
__attribute__((warn_unused_result)) struct sw_err sw_api_new(struct sw_loop *loop, const struct sw_api_options *opt,
							     struct sw_api **out);
/* Ends streams cleanly, finishes commits. done may be NULL and then it blocks until clean. */
void sw_api_free(struct sw_api *a);
struct sw_store *sw_api_store(struct sw_api *a); /* lent */
int sw_api_port(const struct sw_api *a);
const char *sw_api_url(const struct sw_api *a); /* "https://127.0.0.1:PORT" */

/* ---- users: bearer tokens with a role -------------------------------------- */
enum sw_role { SW_ROLE_ADMIN, SW_ROLE_SUBMITTER, SW_ROLE_READER };
/* Only a hash of the token is kept. namespaces: comma separated, for submitters ("*": all). token gets the text. */
__attribute__((warn_unused_result)) struct sw_err sw_api_user_add(struct sw_api *a, const char *user, enum sw_role role,
								  const char *namespaces, char token[65]);
bool sw_api_user_known(struct sw_api *a, const char *user);
/* A kubeconfig for a token: CA inside, written with mode 0600. */
__attribute__((warn_unused_result)) struct sw_err sw_api_kubeconfig_write(struct sw_api *a, const char *path,
									  const char *user, const char *token);

/* ---- controllers inside the process ----------------------------------------- */
typedef void sw_object_fn(void *owner, struct sw_err err, json_t *object /* lent, as stored; NULL on error */);
__attribute__((warn_unused_result)) /* gives a parsed copy of the committed object */
struct sw_err
sw_api_object_get(struct sw_api *a, const struct sw_obj_key *key, json_t **out);
/* Errors found at once are returned and done is not called; otherwise done runs after the commit. done may be NULL.
 * object is lent. */
__attribute__((warn_unused_result)) struct sw_err sw_api_object_create(struct sw_api *a, const char *resource,
								       json_t *object, sw_object_fn *done, void *owner);
/* Replaces; metadata.resourceVersion in object, if any, is the precondition. sub: NULL or "status". */
__attribute__((warn_unused_result)) struct sw_err sw_api_object_update(struct sw_api *a, const char *resource,
								       json_t *object, const char *sub,
								       sw_object_fn *done, void *owner);
__attribute__((warn_unused_result)) struct sw_err sw_api_object_delete(struct sw_api *a, const struct sw_obj_key *key,
								       const char *uid /* or NULL */,
								       sw_object_fn *done, void *owner);
/* An event on an object, counted and aggregated as kubectl expects (same reason and message raise the count). */
void sw_api_event(struct sw_api *a, const char *resource, json_t *regarding, bool warning, const char *reason,
		  const char *message);
/* Mirrored pods and other read-only resources are written with this: no user may. Creates or replaces. */
__attribute__((warn_unused_result)) struct sw_err sw_api_object_mirror(struct sw_api *a, const char *resource,
								       json_t *object, sw_object_fn *done, void *owner);

#endif
