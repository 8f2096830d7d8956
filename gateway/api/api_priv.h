/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_priv.h - what the server's files share (api.h is the contract)
 *
 *   server.c    the daemon inside the loop, start and stop
 *   request.c   one request from headers to reply; streams
 *   route.c     URL and method -> struct route (pure)
 *   access.c    who may do what (pure); users.c: tokens
 *   handle.c    from a route to the functions below
 *   info.c      discovery, OpenAPI, /version, /healthz, /metrics
 *   read.c      get and list; shape.c: plain, Table, partial; watch.c: watches
 *   write.c     the one pipeline of creates, updates and patches; delete.c: deletes
 *   inside.c    sw_api_object_*: the same pipeline without HTTP
 *   gc.c        cascades and namespaces; event.c: events and their age limit
 *   page.c      /spillway/v1/: views and users
 *   log.c       pods/log; review.c: the self-reviews; tls.c: certificates, kubeconfig
 *
 * A request is handled in one go, or it waits: the connection is suspended and the thing waited for
 * (commit, page, log) ends with a reply, which resumes it. Writes always wait, and are begun from
 * a queue with a time slice, so that sixty clients at once do not make one long turn.
 */
#ifndef GATEWAY_API_API_PRIV_H
#define GATEWAY_API_API_PRIV_H

#include <microhttpd.h>
#include <uthash.h>
#include "spillway/api.h"
#include "spillway/buf.h"
#include "spillway/patch.h"
#include "spillway/schema.h"
#include "spillway/selector.h"
#include "spillway/status.h"
#include "spillway/table.h"

enum {
	API_BODY_MAX = 3 << 20,     /* as etcd's and kube-apiserver's default limit on requests */
	API_DISCARD_MAX = 32 << 20, /* of a body that is refused: read, so that the client sees the answer */
	API_BODIES_MAX = 256 << 20, /* held by all requests together */
	API_BEHIND_MAX = 4 << 20,   /* a watcher that is further behind is ended */
	API_LIMIT_MAX = 2000,       /* objects in one limited Table or converted list: it is built in memory */
	API_STALL_MS = 30000,       /* a list whose client takes nothing for so long is cut off: it holds a reader */
};

/* ---- later: work for the loop's next turn ------------------------------------------- */

struct task {
	struct task *next;
	void (*run)(struct task *t);
};

/* ---- users ----------------------------------------------------------------------------- */

struct user {
	UT_hash_handle hh;
	unsigned refs;
	enum sw_role role;
	char digest[65]; /* SHA-256 of the token, hex: the key */
	char *name, *namespaces;
};
struct user *user_ref(struct user *u);
void user_unref(struct user *u);
struct sw_err users_load(struct sw_api *a);
void users_free(struct sw_api *a);
struct user *user_by_token(struct sw_api *a, const char *token); /* lent or NULL */
int user_role(const char *word);                                 /* enum sw_role, or -1 */
const char *user_role_word(enum sw_role role);
/* Valid at once, durable when done runs. */
struct sw_err users_add(struct sw_api *a, const char *user, enum sw_role role, const char *namespaces, char token[65],
			sw_commit_fn *done, void *owner);
struct sw_err users_drop(struct sw_api *a, const char *user, sw_commit_fn *done,
			 void *owner); /* MISSING if there is none */

/* ---- access (pure) ------------------------------------------------------------------------ */

struct access {
	const char *verb;
	const struct sw_resource *r;
	const char *ns /* "": all, or cluster scope */, *sub;
};
bool access_allowed(const struct user *u, const struct access *what);

/* ---- routes (pure) -------------------------------------------------------------------------- */

enum route_kind {
	ROUTE_NONE,    /* 404 page not found */
	ROUTE_UNKNOWN, /* 404 the server could not find the requested resource */
	ROUTE_HEALTH,
	ROUTE_VERSION,
	ROUTE_METRICS,
	ROUTE_API,
	ROUTE_APIS,
	ROUTE_GROUP,
	ROUTE_RESOURCES,
	ROUTE_OPENAPI,
	ROUTE_OPENAPI_GROUP,
	ROUTE_PAGE, /* /spillway/v1/NAME */
	ROUTE_OBJECTS,
};
struct route {
	enum route_kind kind;
	const struct sw_resource *r;
	char group[128], version[32], ns[254], name[254], sub[64];
};
void route_parse(enum sw_serve serve, const char *path, struct route *out);
enum api_verb {
	VERB_NONE,
	VERB_GET,
	VERB_LIST,
	VERB_WATCH,
	VERB_CREATE,
	VERB_UPDATE,
	VERB_PATCH,
	VERB_DELETE,
	VERB_DELCOLL
};
enum api_verb route_verb(const struct route *rt, const char *method, bool watch);
const char *route_verb_word(enum api_verb v);
unsigned route_verb_bit(enum api_verb v); /* enum sw_verb */
bool query_true(const char *value);       /* absent, "", "0", "false" in any case: false */

struct request;

/* ---- shapes of answers -------------------------------------------------------------------------- */

struct shape {
	const struct sw_resource *r;
	enum sw_accept form;
	struct sw_table table; /* its rows count the items of any list */
	const char *version;   /* of the table or partial form */
};
bool shape_is_raw(const struct shape *s);                  /* the stored bytes are the answer */
json_t *shape_parse(struct request *q, struct shape *out); /* from Accept and includeObject; 406, 400 */
void shape_convert(const struct shape *s, json_t *o);      /* in place, from the stored form to the asked kind's */
/* o: converted, lent. columns: of a table */
void shape_object(struct sw_buf *b, struct shape *s, json_t *o, bool columns);
void shape_list_begin(struct sw_buf *b, struct shape *s, uint64_t rv, const char *cont);
void shape_item(struct sw_buf *b, struct shape *s, json_t *o); /* converted */
void shape_list_end(struct sw_buf *b, struct shape *s);

/* ---- requests --------------------------------------------------------------------------------------- */

struct stream {
	struct request *req;
	struct sw_buf out;
	size_t at;
	uint64_t moved_ms; /* when the client last took something */
	bool parked, ended, broken;
	void (*drained)(void *owner); /* little is left: give more. May be NULL */
	void *owner;
};

struct request {
	struct request *next, *prev; /* all of the server's */
	struct task task;
	struct sw_api *api;
	struct MHD_Connection *conn;
	char *path, *method;
	struct route route;
	enum api_verb verb;
	struct user *user;
	struct sw_buf body;
	size_t discarded;
	json_t *refusal; /* decided by the headers; sent once the body is read */
	bool anonymous_ok, in_handler, started, suspended;
	uint64_t began_ns;
	struct MHD_Response *response;
	int code;
	json_t *warnings;
	struct shape shape;
	struct stream *stream;
	void *op; /* of the handler that runs */
	void (*op_free)(void *op);
	json_t *parsed; /* of the body */
	char dups[512];
	struct write *write;
};

const char *request_query(const struct request *q, const char *key); /* decoded; NULL if absent */
const char *request_header(const struct request *q, const char *name);
void reply_bytes(struct request *q, int code, struct sw_bytes *body_taken);                   /* application/json */
void reply_text(struct request *q, int code, const char *type, const char *text, size_t len); /* copied */
void reply_buf(struct request *q, int code, const char *type, struct sw_buf *b);              /* its bytes are taken */
void reply_json(struct request *q, int code, json_t *o_taken);
void reply_status(struct request *q, json_t *no_taken);
struct stream *reply_stream(struct request *q, const char *type); /* 200, chunked */
/* log.c: a reply of text that somebody fills. */
struct sw_log_reply *log_reply_new(struct request *q, void (*stop)(void *owner, struct sw_log_reply *r), void *owner);
void stream_moved(struct stream *s); /* after adding to s->out */
void stream_end(struct stream *s);
void stream_break(struct stream *s); /* ends without the last chunk */
static inline size_t stream_pending(const struct stream *s)
{
	return s->out.len - s->at;
}
enum MHD_Result on_access(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
			  const char *version, const char *upload, size_t *upload_size, void **con_cls);
void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls, enum MHD_RequestTerminationCode why);
void request_free(struct request *q);

/* ---- writes ---------------------------------------------------------------------------------------------- */

struct write {
	struct sw_api *api;
	const struct sw_resource *r;
	const char *sub;             /* NULL or "status" */
	const char *ns, *name;       /* of the path; name "" on create. Lent until finish */
	const char *user, *manager;  /* lent until finish */
	bool dry_run, trusted;       /* trusted: spillway itself */
	bool want_body, want_object; /* what of the result is needed */
	enum sw_fields fields;
	const char *dups;
	json_t *warnings;                /* array, lent, or NULL */
	void (*finish)(struct write *w); /* when `pending` ends */
	/* the result */
	bool pending;
	json_t *no; /* a Status: refused */
	int code;
	json_t *object;        /* as stored, with its version */
	struct sw_bytes *body; /* the same as bytes, if want_body */
	json_t *answer;        /* a Status Success instead of the object */
	char gone_uid[64];     /* of what the commit deletes */
	char gc_uid[64];       /* of an owner that was gone already: the new object must go too */
	struct task later;     /* for inside.c */
	sw_object_fn *done;
	void *owner;
};
void write_create(struct write *w, json_t *o);
void write_update(struct write *w, json_t *fresh);
void write_patch(struct write *w, enum sw_patch_type type, json_t *patch, bool force);
void write_delete(struct write *w, const struct sw_delete_options *opt);
void write_mirror(struct write *w, json_t *o);
void write_fini(struct write *w);
/* For the files of the pipeline. */
void write_refuse(struct write *w, json_t *no_taken);
struct current {
	json_t *object;
	struct sw_bytes *bytes;
	uint64_t rv;
};
bool write_current(struct write *w, struct current *out); /* false: not found or unreadable, and w is refused */
void current_fini(struct current *c);
/* o in the form of w->r; it becomes the stored one. expect_rv as in store.h. */
void write_store(struct write *w, json_t *o, uint64_t expect_rv, bool is_delete);
size_t object_split(struct sw_buf *b, json_t *o); /* text of o without resourceVersion's digits; where they go */

/* ---- handlers ------------------------------------------------------------------------------------------------ */

void handle_request(struct request *q);
void handle_info(struct request *q); /* info.c */
void handle_get(struct request *q);  /* read.c */
void handle_list(struct request *q);
void handle_watch(struct request *q); /* watch.c */
void handle_write(struct request *q); /* handle_write.c */
void handle_delete_collection(struct request *q);
json_t *delete_options_parse(struct request *q, struct sw_delete_options *opt); /* of the query and the body */
void handle_log(struct request *q);                                             /* log.c */
void handle_review(struct request *q);                                          /* review.c */
void handle_page(struct request *q);
bool page_is_hook(const struct request *q); /* it needs no user */ /* page.c */
struct selectors {
	struct sw_selector *labels, *fields;
	const char *ns; /* lent */
};
json_t *selectors_parse(struct request *q, struct selectors *out);
void selectors_free(struct selectors *s);
bool selectors_any(const struct selectors *s);
bool selectors_match(const struct selectors *s, json_t *o);

/* ---- watch, gc, events ------------------------------------------------------------------------------------------- */

struct watcher;
void watchers_tick(struct sw_api *a);
void watchers_end(struct sw_api *a);

struct gc;
struct sw_err gc_start(struct sw_api *a);
void gc_stop(struct sw_api *a);
void gc_owner_going(struct sw_api *a, const char *uid); /* with its delete: remembers durably that dependents must go */
void gc_owner_gone(struct sw_api *a, const char *uid);  /* its delete is durable */
bool gc_is_gone(struct sw_api *a, const char *uid);     /* deleted lately */
void gc_orphan(struct sw_api *a, const char *uid);      /* with its delete: takes the owner out of its dependents */
void gc_namespace(struct sw_api *a, const char *ns);    /* is marked for deletion */

struct events;
struct sw_err events_start(struct sw_api *a);
void events_stop(struct sw_api *a);
void events_tick(struct sw_api *a);

/* ---- certificates
 * ---------------------------------------------------------------------------------------------------- */

struct tls {
	char *ca_pem, *cert_pem, *key_pem;
};
struct sw_err tls_load(const char *dir, const char *name, const char *const *hosts, struct tls *out);
void tls_free(struct tls *t);
/* namespaces: as for users_add(), or NULL */
void kubeconfig_text(struct sw_api *a, const char *url, const char *user, const char *token, const char *namespaces,
		     struct sw_buf *out);

/* ---- the server
 * -------------------------------------------------------------------------------------------------------- */

struct sw_api {
	struct sw_loop *loop;
	struct sw_api_options opt;           /* its strings are ours */
	char *name, *dir, *url, *public_url; /* public: for others' kubeconfigs */
	int port;
	struct sw_store *store;
	struct sw_schema *schema;
	struct tls tls;

	struct MHD_Daemon *mhd;
	int listen_fd;
	uv_poll_t poll;
	uv_timer_t wait; /* for MHD's own timeouts */
	uv_idle_t again; /* runs while something is to be done at once */
	struct sw_timer *tick;
	unsigned handles;
	bool closing, turning;
	struct task *tasks, **tasks_end;
	struct request *requests;
	size_t n_requests, body_bytes;

	struct user *users;
	struct sw_buf scratch;
	struct watcher *watchers;
	struct gc *gc;
	struct events *events;
	uint64_t ticks;
	/* The last event's objects, parsed once for all watchers. */
	uint64_t parsed_rv;
	json_t *parsed_now, *parsed_before;
	char *openapi_index;
	struct doc {
		struct doc *next;
		char *key;
		struct sw_bytes *body;
	} * docs; /* discovery and OpenAPI, made once */

	struct sw_metric *m_requests, *m_seconds, *m_watchers;
};
void api_later(struct sw_api *a, struct task *t); /* run(t) from the loop, not inside this call */
void api_kick(struct sw_api *a);                  /* let the daemon run soon */
const char *user_name_inside(void);               /* "system:spillway" */

#endif
