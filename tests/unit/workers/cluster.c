/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.c - see cluster.h */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "spillway/text.h"

struct sw_kube {
	int unused;
};
struct sw_kubeconfig {
	int unused;
};
struct sw_kube_call {
	struct sw_kube_call *next;
	sw_kube_fn *done;
	void *owner;
	struct sw_err err;
	struct sw_kube_reply reply;
	sw_chunk_fn *chunk;
	bool raw;
	size_t max_reply;
};
struct sw_reflector {
	struct sw_reflector *next;
	struct sw_reflector_cfg cfg;
	char *path;
	char *selector;
	bool synced;
	json_t *seen;
	uint64_t since;
};

static struct cluster *the; /* one per test: Criterion runs each test in its own process */
static struct sw_kube the_kube;
static struct sw_kubeconfig the_kubeconfig;
static struct sw_kube_call *calls;
static struct sw_reflector *reflectors;

/* ---- objects ------------------------------------------------------------------------ */

json_t *cluster_get(struct cluster *c, const char *path)
{
	return sw_json_key(c->objects, path);
}

/* "/apis/batch/v1/namespaces/ns/jobs/x" -> "/apis/batch/v1/jobs", "ns/x"; "/api/v1/nodes/n" -> "/api/v1/nodes", "n" */
static void split(const char *path, char collection[256], char key[256])
{
	const char *ns = strstr(path, "/namespaces/"), *last = strrchr(path, '/');
	const char *inner = ns ? strchr(ns + 12, '/') : NULL;

	if (!inner) {
		snprintf(collection, 256, "%.*s", (int)(last - path), path);
		snprintf(key, 256, "%s", last + 1);
		return;
	}
	snprintf(collection, 256, "%.*s%.*s", (int)(ns - path), path, (int)(last - inner), inner);
	snprintf(key, 256, "%.*s/%s", (int)(inner - ns - 12), ns + 12, last + 1);
}

static bool selects(const struct sw_reflector *r, json_t *object)
{
	char key[128];
	const char *eq = r->selector ? strchr(r->selector, '=') : NULL, *value;

	if (!eq)
		return true;
	snprintf(key, sizeof key, "%.*s", (int)(eq - r->selector), r->selector);
	value = sw_json_label(object, key);
	return value && strcmp(value, eq + 1) == 0;
}

static void reflect(struct sw_reflector *r, const char *path, json_t *object)
{
	char collection[256], key[256];

	split(path, collection, key);
	if (!r->synced || strcmp(collection, r->path) != 0)
		return;
	if (object && selects(r, object)) {
		json_object_object_add(r->seen, key,
				       json_object_new_string(sw_json_str(object, "metadata.resourceVersion")));
		r->cfg.on_object(r->cfg.owner, SW_OBJ_PUT, key, object);
	} else if (sw_json_key(r->seen, key)) {
		json_object_object_del(r->seen, key);
		r->cfg.on_object(r->cfg.owner, SW_OBJ_GONE, key, NULL);
	}
}

/* What a request changes, watches hear later: never from inside sw_kube_start(). Replies come before the watch. */
static char *unheard[64];
static size_t n_unheard;
static bool in_request;

static void tell_all(const char *path, json_t *object)
{
	if (in_request) {
		cr_assert(n_unheard < 64);
		unheard[n_unheard++] = sw_strdup(path);
		return;
	}
	for (struct sw_reflector *r = reflectors; r; r = r->next)
		reflect(r, path, object);
}

static bool hear(void)
{
	if (n_unheard == 0 || the->watch_slow)
		return false;
	char *path = unheard[0];
	memmove(unheard, unheard + 1, --n_unheard * sizeof *unheard);
	tell_all(path, cluster_get(the, path));
	free(path);
	return true;
}

void cluster_put(struct cluster *c, const char *path, json_t *object)
{
	char collection[256], key[256], text[32], *slash;
	json_t *old = cluster_get(c, path);

	split(path, collection, key);
	slash = strchr(key, '/');
	if (slash) {
		*slash = '\0';
		sw_json_set_str(object, "metadata.namespace", key);
	}
	sw_json_set_str(object, "metadata.name", slash ? slash + 1 : key);
	if (!sw_json_str(object, "metadata.uid")) {
		snprintf(text, sizeof text, "uid-%d", ++c->uids);
		sw_json_set_str(object, "metadata.uid", old ? sw_json_str(old, "metadata.uid") : text);
	}
	snprintf(text, sizeof text, "%llu", (unsigned long long)++c->rv);
	sw_json_set_str(object, "metadata.resourceVersion", text);
	sw_json_set_str(object, "metadata.creationTimestamp", "2026-11-23T10:00:00Z");
	json_object_object_add(c->objects, path, object);
	tell_all(path, object);
}

void cluster_delete(struct cluster *c, const char *path)
{
	json_object_object_del(c->objects, path);
	c->rv++;
	tell_all(path, NULL);
}

size_t cluster_count(struct cluster *c, const char *part)
{
	size_t n = 0;
	json_object_object_foreach(c->objects, path, object)
	{
		(void)object;
		n += strstr(path, part) != NULL;
	}
	return n;
}

bool cluster_logged(const struct cluster *c, const char *text)
{
	return strstr(c->log, text) != NULL;
}

/* ---- requests ------------------------------------------------------------------------------ */

static void merge(json_t *to, json_t *patch)
{
	json_object_object_foreach(patch, key, value)
	{
		if (!value)
			json_object_object_del(to, key);
		else if (json_object_is_type(value, json_type_object) &&
			 json_object_is_type(sw_json_key(to, key), json_type_object))
			merge(sw_json_key(to, key), value);
		else
			json_object_object_add(to, key, sw_json_copy(value));
	}
}

static struct sw_err no(long status, const char *reason, const char *message)
{
	return sw_err_http(status, reason, message);
}

static struct sw_err do_post(struct cluster *c, const char *collection, const char *body, json_t **out)
{
	char path[512], ns[256];
	json_t *object = json_tokener_parse(body);
	const char *space = strstr(collection, "/namespaces/");

	snprintf(path, sizeof path, "%s/%s", collection, sw_json_str(object, "metadata.name"));
	if (space) {
		snprintf(ns, sizeof ns, "/api/v1/namespaces/%.*s", (int)strcspn(space + 12, "/"), space + 12);
		if (!cluster_get(c, ns)) {
			json_object_put(object);
			return no(404, "NotFound", "namespaces not found");
		}
	}
	if (cluster_get(c, path)) {
		json_object_put(object);
		return no(409, "AlreadyExists", "already exists");
	}
	cluster_put(c, path, object);
	*out = object;
	return SW_OK;
}

static struct sw_err do_change(struct cluster *c, const char *method, const char *path, const char *body, json_t **out)
{
	json_t *old = cluster_get(c, path), *new = json_tokener_parse(body);
	const char *rv = sw_json_str(new, "metadata.resourceVersion"), *uid = sw_json_str(new, "metadata.uid");

	if (!old || (rv && strcmp(rv, sw_json_str(old, "metadata.resourceVersion")) != 0) ||
	    (uid && strcmp(uid, sw_json_str(old, "metadata.uid")) != 0)) {
		json_object_put(new);
		return old ? no(409, "Conflict", "the object has been modified") : no(404, "NotFound", "not found");
	}
	if (strcmp(method, "PATCH") == 0) {
		json_t *patched = sw_json_copy(old);
		merge(patched, new);
		json_object_put(new);
		new = patched;
	}
	cluster_put(c, path, new);
	*out = new;
	return SW_OK;
}

static struct sw_err do_delete(struct cluster *c, const char *path, const char *body)
{
	json_t *options = json_tokener_parse(body), *old = cluster_get(c, path);
	const char *uid = sw_json_str(options, "preconditions.uid");
	bool other = old && uid && strcmp(uid, sw_json_str(old, "metadata.uid")) != 0;

	json_object_put(options);
	if (!old || other)
		return old ? no(409, "Conflict", "uid precondition failed") : no(404, "NotFound", "not found");
	cluster_delete(c, path);
	return SW_OK;
}

static json_t *served(struct cluster *c, const char *path)
{
	json_t *list = json_object_new_array(), *o = json_object_new_object();
	for (size_t i = 0; sw_kind_at(i); i++) {
		char gv[128];
		snprintf(gv, sizeof gv, "/apis/%s/%s", sw_kind_at(i)->group, sw_kind_at(i)->version);
		if (strcmp(gv, path) == 0 && !(c->no_kubeflow && strstr(path, "kubeflow")))
			json_object_array_add(list, sw_json_fmt("{\"name\":\"%s\"}", sw_kind_at(i)->plural));
	}
	static const char *const kueue[] = {"workloads", "localqueues", "clusterqueues"};
	for (size_t i = 0; i < 3 && !c->no_kueue && strcmp(path, "/apis/kueue.x-k8s.io/v1beta2") == 0; i++)
		json_object_array_add(list, sw_json_fmt("{\"name\":\"%s\"}", kueue[i]));
	json_object_object_add(o, "resources", list);
	return o;
}

/* GET /api/v1/pods?fieldSelector=spec.nodeName%3DNODE */
static json_t *pods_on(struct cluster *c, const char *node)
{
	json_t *list = json_object_new_array(), *o = json_object_new_object();
	json_object_object_foreach(c->objects, path, pod)
	{
		const char *on = sw_json_str(pod, "spec.nodeName");
		if (strstr(path, "/pods/") && on && strcmp(on, node) == 0)
			json_object_array_add(list, json_object_get(pod));
	}
	json_object_object_add(o, "items", list);
	return o;
}

/* *out gives. */
static struct sw_err serve(struct cluster *c, const struct sw_kube_req *req, json_t **out)
{
	const char *node = strstr(req->path, "fieldSelector=spec.nodeName%3D");
	struct sw_err e = SW_OK;

	*out = NULL;
	if (strcmp(req->method, "POST") == 0)
		e = do_post(c, req->path, req->body, out);
	else if (strcmp(req->method, "PUT") == 0 || strcmp(req->method, "PATCH") == 0)
		e = do_change(c, req->method, req->path, req->body, out);
	else if (strcmp(req->method, "DELETE") == 0)
		return do_delete(c, req->path, req->body);
	else if (node)
		*out = json_object_get(pods_on(c, strchr(node, '%') + 3)), json_object_put(*out);
	else if ((*out = cluster_get(c, req->path)) == NULL) {
		*out = served(c, req->path);
		if (sw_json_len(sw_json_key(*out, "resources")) > 0)
			return SW_OK;
		json_object_put(*out);
		/* An object that is missing is named in the answer, a resource that is not served is not. */
		*out = strstr(req->path, "/namespaces/") ? sw_json_fmt("{\"details\":{\"name\":\"x\"}}") : NULL;
		return no(404, "NotFound", *out ? "not found" : "the server could not find the requested resource");
	}
	if (!node && *out)
		*out = sw_json_copy(*out);
	return e;
}

static struct sw_err faulted(struct cluster *c, enum fault f, const struct sw_kube_req *req, json_t **out)
{
	struct sw_err e = SW_OK;
	switch (f) {
	case LOSE_REPLY:
		e = serve(c, req, out);
		json_object_put(*out);
		*out = NULL;
		(void)e;
		return sw_err(SW_E_TIMEOUT, "no answer");
	case LOSE_CALL:
		return sw_err(SW_E_NET, "connection reset");
	case ANSWER_403:
		return no(403, "Forbidden", "no right to do this");
	default:
		return no(500, "InternalError", "internal error");
	}
}

struct sw_err sw_kube_start(struct sw_kube *k, const struct sw_kube_req *req, sw_kube_fn *done, void *owner,
			    struct sw_kube_call **out)
{
	struct cluster *c = the;
	struct sw_kube_call *call = sw_calloc(1, sizeof *call), **last = &calls;
	char line[400];
	size_t n = strlen(c->log);

	cr_assert(k && done);
	c->requests++;
	snprintf(line, sizeof line, "%s %s", req->method, req->path);
	if (strcmp(req->method, "GET") != 0)
		snprintf(c->log + n, sizeof c->log - n, "%s\n", line);
	call->done = done;
	call->owner = owner;
	call->err = SW_OK;
	in_request = true;
	if (c->down) {
		call->err = sw_err(SW_E_NET, "could not connect");
	} else if (c->fault && strstr(line, c->fault_at)) {
		call->err = faulted(c, c->fault, req, &call->reply.object);
		c->fault = 0;
	} else {
		call->err = serve(c, req, &call->reply.object);
	}
	in_request = false;
	call->reply.reason = "";
	call->raw = req->raw;
	call->max_reply = req->max_reply;
	while (*last)
		last = &(*last)->next;
	*last = call;
	if (out)
		*out = call;
	return SW_OK;
}

void sw_kube_cancel(struct sw_kube_call *call)
{
	for (struct sw_kube_call **link = &calls; *link; link = &(*link)->next) {
		if (*link != call)
			continue;
		*link = call->next;
		json_object_put(call->reply.object);
		free(call);
		return;
	}
	cr_assert_fail("a call that is over was canceled");
}

struct sw_err sw_kube_stream(struct sw_kube *k, const char *path, sw_chunk_fn *on_chunk, sw_kube_fn *done, void *owner,
			     struct sw_kube_call **out)
{
	struct sw_kube_req req = {.method = "GET", .path = path};
	struct sw_err e = sw_kube_start(k, &req, done, owner, out);
	(*out)->chunk = on_chunk;
	return e;
}

static void answer(struct sw_kube_call *call)
{
	const char *log = sw_json_str(call->reply.object, "log");

	calls = call->next;
	if (log && call->raw && strlen(log) > call->max_reply) {
		call->err = sw_err(SW_E_TOOBIG, "more than was asked for");
	} else if (log && call->raw) {
		call->reply.body = log;
		call->reply.len = strlen(log);
	}
	for (size_t i = 0; log && call->chunk && i < strlen(log); i += 7) { /* in small pieces */
		size_t n = strlen(log) - i;
		call->chunk(call->owner, log + i, n < 7 ? n : 7);
	}
	call->done(call->owner, call->err, &call->reply);
	json_object_put(call->reply.object);
	free(call);
}

struct sw_err sw_kube_new(struct sw_loop *loop, struct sw_http *http, struct sw_kubeconfig *kc,
			  const struct sw_kube_options *opt, struct sw_kube **out)
{
	(void)http;
	cr_assert(loop && kc && opt->name);
	*out = &the_kube;
	return SW_OK;
}
void sw_kube_free(struct sw_kube *k)
{
	(void)k;
}
void sw_kube_rekey(struct sw_kube *k, struct sw_kubeconfig *kc)
{
	cr_assert(k && kc);
	the->down = false; /* the new credentials are good */
}
struct sw_err sw_kubeconfig_parse(const char *name, const char *text, size_t len, const char *context,
				  struct sw_kubeconfig **out)
{
	(void)context;
	*out = NULL;
	if (len < 4 || memcmp(text, "good", 4) != 0)
		return sw_err(SW_E_INVALID, "%s:1:1: not a kubeconfig", name);
	*out = &the_kubeconfig;
	return SW_OK;
}

struct sw_err sw_kubeconfig_load(const char *path, const char *context, struct sw_kubeconfig **out)
{
	FILE *f = fopen(path, "r");
	char word[8] = "";

	(void)context;
	*out = NULL;
	if (f && fgets(word, sizeof word, f) && strcmp(word, "good") == 0)
		*out = &the_kubeconfig;
	if (f)
		fclose(f);
	return *out ? SW_OK : sw_err(f ? SW_E_INVALID : SW_E_IO, "%s:1:1: not a kubeconfig", path);
}

/* ---- watches ------------------------------------------------------------------------------------ */

struct sw_err sw_reflector_new(struct sw_kube *k, const struct sw_reflector_cfg *cfg, struct sw_reflector **out)
{
	struct sw_reflector *r = sw_calloc(1, sizeof *r);

	cr_assert(k);
	r->cfg = *cfg;
	r->path = sw_strdup(cfg->path);
	r->selector = sw_strdup(cfg->label_selector);
	r->seen = json_object_new_object();
	r->next = reflectors;
	r->since = sw_loop_now(the->loop);
	reflectors = r;
	*out = r;
	return SW_OK;
}

void sw_reflector_free(struct sw_reflector *r)
{
	if (!r)
		return;
	for (struct sw_reflector **link = &reflectors; *link; link = &(*link)->next) {
		if (*link == r) {
			*link = r->next;
			break;
		}
	}
	json_object_put(r->seen);
	free(r->path);
	free(r->selector);
	free(r);
}
bool sw_reflector_synced(const struct sw_reflector *r)
{
	return r && r->synced;
}
size_t sw_reflector_len(const struct sw_reflector *r)
{
	return r ? (size_t)json_object_object_length(r->seen) : 0;
}

/* A complete list: what is there, and what has gone since the last one. */
static void relist(struct sw_reflector *r)
{
	json_t *before = r->seen;

	r->seen = json_object_new_object();
	r->synced = true;
	json_object_object_foreach(the->objects, path, object)
	{
		char collection[256], key[256];
		split(path, collection, key);
		if (strcmp(collection, r->path) != 0 || !selects(r, object))
			continue;
		const char *rv = sw_json_str(object, "metadata.resourceVersion"), *old = sw_json_str(before, "none");
		json_t *had = sw_json_key(before, key);
		old = had ? json_object_get_string(had) : "";
		json_object_object_add(r->seen, key, json_object_new_string(rv));
		if (strcmp(old, rv) != 0)
			r->cfg.on_object(r->cfg.owner, SW_OBJ_PUT, key, object);
	}
	json_object_object_foreach(before, gone, rv)
	{
		(void)rv;
		if (!sw_json_key(r->seen, gone))
			r->cfg.on_object(r->cfg.owner, SW_OBJ_GONE, gone, NULL);
	}
	json_object_put(before);
	r->cfg.on_state(r->cfg.owner, true, 0, NULL);
}

static bool is_away(const struct sw_reflector *r)
{
	return the->down || (the->no_kubeflow && strstr(r->path, "kubeflow"));
}

static bool watches_turn(void)
{
	for (struct sw_reflector *r = reflectors; r; r = r->next) {
		if (!r->synced && !is_away(r)) {
			relist(r);
			return true;
		}
		if (r->synced && is_away(r)) {
			r->synced = false;
			r->since = sw_loop_now(the->loop);
			r->cfg.on_state(r->cfg.owner, false, r->since, "could not connect");
			return true;
		}
	}
	return false;
}

/* ---- the manager ---------------------------------------------------------------------------------- */

static struct sw_err note_put(struct sw_manager *m, const char *name, json_t *value, sw_manager_fn *done, void *owner)
{
	(void)m;
	json_object_object_del(the->notes, name);
	if (value)
		json_object_object_add(the->notes, name, json_object_get(value));
	if (done)
		done(owner, SW_OK);
	return SW_OK;
}

static void notes(struct sw_manager *m, const char *prefix, void (*fn)(void *owner, const char *name, json_t *value),
		  void *owner)
{
	(void)m;
	json_object_object_foreach(the->notes, name, value)
	{
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			fn(owner, name, value);
	}
}

static const struct sw_workload *get(struct sw_manager *m, const char *key)
{
	static const struct sw_workload known;
	(void)m;
	return sw_json_key(the->workloads, key) ? &known : NULL;
}

static const struct sw_manager_ops manager_ops = {.name = "fake", .get = get, .note_put = note_put, .notes = notes};

/* ---- the world -------------------------------------------------------------------------------------- */

static void on_change(void *owner, const char *key, struct sw_worker *w)
{
	struct cluster *c = owner;
	cr_assert(w);
	if (!key) {
		c->changes++;
		return;
	}
	c->work_changes++;
	if (strncmp(key, "ns/job-", 7) == 0)
		c->told_unseen = sw_worker_copy(w, sw_kind_named("job"), "ns", key + 7, "").seen == SW_COPY_UNKNOWN;
}

static void on_pod(void *owner, const char *key, struct sw_worker *w, const char *pod_name, json_t *pod)
{
	struct cluster *c = owner;
	(void)pod;
	cr_assert(key && w && pod_name && !strchr(pod_name, '/'));
	c->pods++;
}

void cluster_done(void *owner, struct sw_err err)
{
	struct cluster *c = owner;
	c->done++;
	c->last = err;
}

struct cluster *cluster_new(void)
{
	struct cluster *c = sw_calloc(1, sizeof *c);
	char *path = sw_asprintf("/tmp/spillway-test-%d.kubeconfig", (int)getpid());

	the = c;
	sw_log_setup(SW_LOG_OFF, false, 2);
	cr_assert(!sw_failed(sw_loop_new(&c->loop)));
	cr_assert(!sw_failed(sw_catalog_load(&c->catalog)));
	sw_loop_fake(c->loop, 1000000, 1700000000000);
	cr_assert(!sw_failed(sw_file_write(path, "good", 4, 0600)));
	c->cfg = (struct sw_cluster_cfg){.name = "east",
					 .provider = "static",
					 .worker = "plain",
					 .kubeconfig = path,
					 .region = "",
					 .where = "f.yaml:3:5"};
	c->config = (struct sw_config){.lost_after_ms = 60000, .clusters = &c->cfg, .n_clusters = 1};
	c->objects = json_object_new_object();
	c->notes = json_object_new_object();
	c->workloads = json_object_new_object();
	c->manager.ops = &manager_ops;
	c->last = SW_OK;
	cluster_put(c, "/api/v1/namespaces/ns", json_object_new_object());
	return c;
}

void cluster_open(struct cluster *c)
{
	struct sw_workers_options opt = {.loop = c->loop,
					 .config = &c->config,
					 .catalog = c->catalog,
					 .manager = &c->manager,
					 .origin = "us",
					 .epoch = 7,
					 .on_change = on_change,
					 .on_pod = on_pod,
					 .owner = c};
	cr_assert(!sw_failed(sw_workers_new(&opt, &c->ws)));
	c->w = sw_workers_at(c->ws, 0);
	cluster_turn(c, 1000);
}

void cluster_close(struct cluster *c)
{
	sw_workers_free(c->ws);
	c->ws = NULL;
	c->w = NULL;
	while (n_unheard > 0)
		free(unheard[--n_unheard]);
	cr_assert_null(calls, "a call was left");
	cr_assert_null(reflectors, "a watch was left");
}

void cluster_free(struct cluster *c)
{
	cluster_close(c);
	unlink(c->cfg.kubeconfig);
	free((char *)c->cfg.kubeconfig);
	sw_catalog_free(c->catalog);
	json_object_put(c->objects);
	json_object_put(c->notes);
	json_object_put(c->workloads);
	sw_loop_free(c->loop);
	free(c);
}

static void settle(struct cluster *c)
{
	for (int quiet = 0, i = 0; quiet < 3 && i < 10000; i++, quiet++) {
		sw_loop_advance(c->loop, 0);
		if (watches_turn())
			quiet = 0;
		if (calls) {
			quiet = 0;
			answer(calls);
		} else if (hear()) {
			quiet = 0;
		}
	}
}

void cluster_turn(struct cluster *c, unsigned ms)
{
	settle(c);
	for (unsigned t = 0; t < ms; t += 500) {
		sw_loop_advance(c->loop, 500);
		settle(c);
	}
}

void cluster_down(struct cluster *c, bool down)
{
	c->down = down;
	settle(c);
}

/* ---- things ------------------------------------------------------------------------------------------- */

void cluster_node(struct cluster *c, const char *name, const char *gpu, int gpus, int cpus)
{
	char path[128];
	json_t *node = sw_json_fmt(
		"{\"metadata\":{\"labels\":{\"spillway.dev/gpu\":\"%s\",\"kubernetes.io/"
		"hostname\":\"%s\"}},\"spec\":{},\"status\":{"
		"\"allocatable\":{\"cpu\":\"%d\",\"memory\":\"64Gi\",\"pods\":\"110\",\"nvidia.com/gpu\":\"%d\"},"
		"\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
		gpu, name, cpus, gpus);
	if (!*gpu) {
		json_object_object_del(sw_json_at(node, "metadata.labels"), "spillway.dev/gpu");
		json_object_object_del(sw_json_at(node, "status.allocatable"), "nvidia.com/gpu");
	}
	snprintf(path, sizeof path, "/api/v1/nodes/%s", name);
	cluster_put(c, path, node);
}

void cluster_pod(struct cluster *c, const char *name, const char *node, int cpus, int gpus, const char *work,
		 const char *owner_uid, unsigned attempt)
{
	char path[256], text[16];
	json_t *pod = sw_json_fmt("{\"metadata\":{},\"spec\":{\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"%"
				  "d\"},\"limits\":{\"nvidia.com/gpu\":\"%d\"}}}]},"
				  "\"status\":{\"phase\":\"%s\"}}",
				  cpus, gpus, node ? "Running" : "Pending");

	if (node)
		sw_json_set_str(pod, "spec.nodeName", node);
	if (work) {
		snprintf(text, sizeof text, "%u", attempt);
		sw_json_set_label(pod, SW_LABEL_ORIGIN, "us");
		sw_json_set_annotation(pod, SW_ANN_WORKLOAD, work);
		sw_json_set_annotation(pod, SW_ANN_OWNER_UID, owner_uid);
		sw_json_set_annotation(pod, SW_ANN_ATTEMPT, text);
	}
	snprintf(path, sizeof path, "/api/v1/namespaces/ns/pods/%s", name);
	cluster_put(c, path, pod);
}

json_t *cluster_job(const char *ns, const char *name, int pods, int gpus)
{
	return sw_json_fmt(
		"{\"apiVersion\":\"batch/"
		"v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\",\"uid\":\"owner-1\"},"
		"\"spec\":{\"parallelism\":%d,\"completions\":%d,\"suspend\":true,\"template\":{\"spec\":{"
		"\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\","
		"\"image\":\"i\",\"resources\":{\"requests\":{\"cpu\":\"1\"},\"limits\":{\"nvidia.com/"
		"gpu\":\"%d\"}}}]}}}}",
		name, ns, pods, pods, gpus);
}
