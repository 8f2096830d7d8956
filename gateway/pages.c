/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages.c - spillway's own pages under /spillway/v1/, for its command line
 */
#include <stdlib.h>
#include <string.h>

#include "gateway_priv.h"
#include "spillway/mirror.h"
#include "spillway/text.h"

enum { QUEUE_ROWS = 1000 };

json_t *page_items(json_t *list_taken)
{
	json_t *o = json_object_new_object();
	json_object_object_add(o, "items", list_taken);
	return o;
}

static struct sw_err page_clusters(void *owner, json_t *query, json_t **out)
{
	struct sw_gateway *g = owner;
	(void)query;
	*out = page_items(sw_dispatch_clusters(g->dispatch));
	return SW_OK;
}

static struct sw_err page_pools(void *owner, json_t *query, json_t **out)
{
	struct sw_gateway *g = owner;
	(void)query;
	*out = page_items(sw_dispatch_pools(g->dispatch));
	return SW_OK;
}

/* ---- queue ---------------------------------------------------------------------------- */

struct turn {
	char *key, *queue;
	int rank;
	int32_t priority;
	int64_t created_ms;
};
struct queue_page {
	struct sw_gateway *g;
	json_t *query, *rows;
	struct turn *found;
	size_t n;
};

/* A submitter sees its own namespaces: "a,b", or "*". */
bool page_may_see(json_t *query, const char *ns)
{
	const char *allowed = sw_json_str(query, "namespaces");
	size_t n = strlen(ns);
	if (!allowed || strcmp(allowed, "*") == 0)
		return true;
	for (const char *at = allowed; (at = strstr(at, ns)); at += n)
		if ((at == allowed || at[-1] == ',') && (at[n] == '\0' || at[n] == ','))
			return true;
	return false;
}

static const char *row_state(const struct sw_workload *w)
{
	if (w->deleting)
		return "Deleting";
	if (w->evicted)
		return "Evicted";
	if (w->cluster)
		return "Running";
	if (!w->active)
		return "Inactive";
	return w->reserved ? "Placing" : "Queued";
}

static void note_row(void *owner, const struct sw_workload *w)
{
	struct queue_page *p = owner;
	if (w->finished || !page_may_see(p->query, w->ns))
		return;
	if (p->found)
		p->found[p->n] = (struct turn){sw_strdup(w->key), sw_strdup(w->queue),
					       w->cluster    ? 0
					       : w->reserved ? 1
							     : 2,
					       w->priority, w->created_ms};
	p->n++;
}

/* What runs, what is being placed, what waits; in each the queue's order. */
static int by_turn(const void *va, const void *vb)
{
	const struct turn *a = va, *b = vb;
	if (a->rank != b->rank)
		return a->rank - b->rank;
	int queue = strcmp(a->queue, b->queue);
	if (queue)
		return queue;
	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	if (a->created_ms != b->created_ms)
		return a->created_ms < b->created_ms ? -1 : 1;
	return strcmp(a->key, b->key);
}

static void add_queue_row(struct queue_page *p, const struct sw_workload *w)
{
	json_t *row = json_object_new_object();
	struct sw_queue *q = p->g->queue;
	int64_t now = sw_loop_wall(p->g->loop), position = q ? sw_queue_position(q, w->key) : 0;
	const char *why = !q || w->reserved || w->cluster ? w->message : sw_queue_why(q, w->key, now);
	const char *tail = why ? strstr(why, " [plan") : NULL; /* for machines */
	sw_json_set_str(row, "namespace", w->ns);
	sw_json_set(row, "job", json_object_new_string(w->job_name));
	sw_json_set_str(row, "kind", w->kind->kind);
	sw_json_set_str(row, "queue", w->queue);
	sw_json_set_int(row, "priority", w->priority);
	sw_json_set_str(row, "state", row_state(w));
	if (position > 0)
		sw_json_set_int(row, "position", position);
	if (w->cluster)
		sw_json_set_str(row, "cluster", w->cluster);
	sw_json_set_int(row, "ageMs", now - w->created_ms);
	if (why)
		sw_json_set(row, "why",
			    json_object_new_string_len(why, (int)(tail ? (size_t)(tail - why) : strlen(why))));
	json_object_array_add(p->rows, row);
}

static struct sw_err page_queue(void *owner, json_t *query, json_t **out)
{
	struct queue_page p = {.g = owner, .query = query, .rows = json_object_new_array()};
	p.g->manager->ops->each(p.g->manager, note_row, &p); /* counts them */
	p.found = sw_calloc(p.n + 1, sizeof *p.found);
	p.n = 0;
	p.g->manager->ops->each(p.g->manager, note_row, &p);
	if (p.n)
		qsort(p.found, p.n, sizeof *p.found, by_turn);
	for (size_t i = 0; i < p.n; i++) {
		const struct sw_workload *w =
			i < QUEUE_ROWS ? p.g->manager->ops->get(p.g->manager, p.found[i].key) : NULL;
		if (w)
			add_queue_row(&p, w);
		free(p.found[i].key);
		free(p.found[i].queue);
	}
	free(p.found);
	*out = page_items(p.rows);
	return SW_OK;
}

/* ---- explain ---------------------------------------------------------------------------- */

static void note_workload(void *owner, const struct sw_obj_key *key)
{
	char **found = owner; /* NAMESPACE/NAME */
	if (!*found && strcmp(key->resource, "workloads.kueue.x-k8s.io") == 0)
		*found = sw_asprintf("%s/%s", key->ns, key->name);
}

/* How it ended, in the job's own words; which indexes failed where there are any. */
static void tell_result(json_t *job, json_t *x)
{
	const char *why = "", *failed = sw_json_str(job, "status.failedIndexes"),
		   *kept = sw_json_str(job, "status.completedIndexes");
	const struct sw_kind *k = sw_kind_of(job);
	enum sw_outcome outcome = k->outcome(k, job, &why);
	json_t *condition = sw_json_condition(job, "Failed");
	const char *said = condition ? sw_json_str(condition, "message") : NULL;
	if (outcome == SW_UNFINISHED)
		return;
	sw_json_set_str(x, "state", outcome == SW_SUCCEEDED ? "Succeeded" : "Failed");
	if (outcome == SW_SUCCEEDED)
		return;
	char *now = sw_asprintf("%s%s%s%s%s", said && *said ? said : why, failed && *failed ? ": " : "",
				failed ? failed : "", kept && *kept ? "; succeeded: " : "", kept ? kept : "");
	sw_json_set(x, "now", json_object_new_string(now));
	free(now);
}

/* Dispatch has nothing to say of a job that has no quota: the queue does. */
static void tell_wait(struct sw_gateway *g, const char *key, json_t *x)
{
	struct sw_queue *q = g->queue;
	const char *state = sw_json_str(x, "state"), *why = q ? sw_queue_why(q, key, sw_loop_wall(g->loop)) : "";
	int64_t position = q ? sw_queue_position(q, key) : 0;
	if (strcmp(state, "Suspended") == 0)
		why = "suspended by its user: it waits until spec.suspend is false";
	else if (strcmp(state, "Inactive") == 0 && !*why)
		why = "its queue is stopped, or spec.active of its Workload is false";
	else if (strcmp(state, "Queued") != 0 && strcmp(state, "Inactive") != 0)
		return;
	if (*why)
		sw_json_set(x, "now", json_object_new_string(why));
	if (position > 0)
		sw_json_set_int(x, "position", position);
}

/* A finished workload has no row any more: what its object still tells. */
static struct sw_err explain_finished(struct sw_gateway *g, const char *key, json_t *job, json_t **out)
{
	const char *slash = strchr(key, '/');
	char *ns = sw_asprintf("%.*s", (int)(slash - key), key);
	json_t *wl = NULL;
	struct sw_obj_key k = {"workloads.kueue.x-k8s.io", ns, slash + 1};
	struct sw_err e = sw_api_object_get(g->api, &k, &wl);
	free(ns);
	if (sw_failed(e))
		return e;
	json_t *finished = sw_json_condition(wl, "Finished");
	json_t *x = json_object_new_object();
	char *name = sw_asprintf("%s %s/%s", sw_json_str(job, "kind"), sw_json_str(job, "metadata.namespace"),
				 sw_json_str(job, "metadata.name"));
	sw_json_set(x, "job", json_object_new_string(name));
	free(name);
	sw_json_set_str(x, "state", "Queued");
	sw_json_set_str(x, "queue", sw_json_str(wl, "spec.queueName"));
	if (sw_json_str(wl, "status.clusterName"))
		sw_json_set_str(x, "cluster", sw_json_str(wl, "status.clusterName"));
	if (finished && sw_json_str(finished, "message"))
		sw_json_set_str(x, "now", sw_json_str(finished, "message"));
	json_object_put(wl);
	*out = x;
	return SW_OK;
}

/* "jobs.batch x not found" helps nobody whose x is a PyTorchJob. */
static struct sw_err not_found(struct sw_gateway *g, const struct sw_obj_key *asked, struct sw_err e)
{
	const struct sw_kind *k;
	for (size_t i = 0; e.code == SW_E_MISSING && (k = sw_kind_at(i)); i++) {
		struct sw_obj_key key = {k->resource, asked->ns, asked->name};
		json_t *other;
		if (sw_failed(sw_api_object_get(g->api, &key, &other)))
			continue;
		json_object_put(other);
		return sw_err(SW_E_MISSING, "%s \"%.253s\" not found; there is a %s of that name", asked->resource,
			      asked->name, k->kind);
	}
	return e;
}

/* In the other roles the job is on the manager, and what dispatch knows of it is all there is to tell. */
static struct sw_err explain_elsewhere(struct sw_gateway *g, const struct sw_obj_key *asked, json_t **out)
{
	const struct sw_kind *kind = sw_kind_find(asked->resource);
	const char *key = sw_mirror_workload_of(g->manager, kind, asked->ns, asked->name);
	*out = key ? sw_dispatch_explain(g->dispatch, key) : NULL;
	if (*out)
		return SW_OK;
	return sw_err(
		SW_E_MISSING,
		"%s %s/%s has no Workload that waits for spillway: it has no quota yet, is over, or its queue does "
		"not name our check; kubectl describe workloads -n %s says which",
		asked->resource, asked->ns, asked->name, asked->ns);
}

static struct sw_err page_explain(void *owner, json_t *query, json_t **out)
{
	struct sw_gateway *g = owner;
	const char *resource = sw_json_str(query, "resource"), *ns = sw_json_str(query, "namespace"),
		   *name = sw_json_str(query, "name");
	json_t *job;
	char *key = NULL;
	if (!resource || !ns || !name || !sw_kind_find(resource))
		return sw_err(SW_E_INVALID,
			      "explain needs resource (a job kind's, such as jobs.batch), namespace and name");
	if (!page_may_see(query, ns))
		return sw_err(SW_E_FORBIDDEN, "you may not see namespace %s", ns);
	struct sw_obj_key k = {resource, ns, name};
	if (!g->queue)
		return explain_elsewhere(g, &k, out);
	struct sw_err e = sw_api_object_get(g->api, &k, &job);
	if (sw_failed(e))
		return not_found(g, &k, e);
	e = sw_store_owned_by(sw_api_store(g->api), sw_json_str(job, "metadata.uid"), note_workload, &key);
	if (!sw_failed(e) && !key)
		e = sw_err(SW_E_MISSING, "%s %s has no Workload yet; ask again in a moment", resource, name);
	if (!sw_failed(e) && key) {
		*out = sw_dispatch_explain(g->dispatch, key);
		if (*out)
			tell_wait(g, key, *out);
		else
			e = explain_finished(g, key, job, out);
	}
	if (!sw_failed(e))
		tell_result(job, *out);
	free(key);
	json_object_put(job);
	return e;
}

/* POST a job, defaulted as by a dry run: where it would go. */
static struct sw_err page_plan(void *owner, json_t *query, json_t *job, json_t **out)
{
	struct sw_gateway *g = owner;
	const char *ns = sw_json_str(job, "metadata.namespace");
	if (!ns || !*ns)
		return sw_err(SW_E_INVALID, "metadata.namespace: found nothing, expected the namespace of the job");
	if (!page_may_see(query, ns))
		return sw_err(SW_E_FORBIDDEN, "you may not see namespace %s", ns);
	struct sw_err e = sw_dispatch_preview(g->dispatch, job, ns, out);
	const char *reason, *queue = sw_failed(e) ? NULL : sw_json_str(*out, "queue");
	char why[160];
	if (queue && g->queue && !sw_queue_local_active(g->queue, ns, queue, &reason, why))
		sw_json_set_str(*out, "queueWhy", why);
	return e;
}

/* ---- what an operator confirms -------------------------------------------------------------- */

/* {"confirm": CLUSTER}: its next collection may delete all that it found, once. {"accept-store": true}: after a
 * restore. */
static struct sw_err page_gc(void *owner, json_t *body, json_t **out)
{
	struct sw_gateway *g = owner;
	const char *cluster = sw_json_str(body, "confirm");
	struct sw_worker *w = cluster ? sw_workers_find(sw_dispatch_workers(g->dispatch), cluster) : NULL;
	struct sw_err e = SW_OK;
	if (sw_json_bool(body, "accept-store"))
		e = sw_dispatch_accept_store(g->dispatch);
	else if (!w)
		e = sw_err(SW_E_INVALID, "confirm: there is no cluster \"%s\"", cluster ? cluster : "");
	else
		sw_worker_gc_confirm(w);
	if (!sw_failed(e))
		*out = page_items(sw_dispatch_clusters(g->dispatch));
	return e;
}

static void on_cluster_word(void *owner, struct sw_err err, json_t *result)
{
	sw_page_reply(owner, err, result);
}

/* {"cluster": NAME, "do": "drain"}: what an operator says about a cluster. */
static void page_cluster(void *owner, json_t *body, struct sw_page_reply *r)
{
	static const struct {
		const char *name;
		enum sw_cluster_word word;
	} words[] = {
		{"drain", SW_CLUSTER_DRAIN},
		{"undrain", SW_CLUSTER_UNDRAIN},
		{"declare-dead", SW_CLUSTER_DECLARE_DEAD},
		{"readmit", SW_CLUSTER_UNDECLARE},
		{"remove", SW_CLUSTER_REMOVE},
	};
	struct sw_gateway *g = owner;
	const char *cluster = sw_json_str(body, "cluster"), *what = sw_json_str(body, "do");
	struct sw_err e =
		sw_err(SW_E_INVALID, "expected cluster, and do: drain, undrain, declare-dead, readmit or remove");
	for (size_t i = 0; cluster && what && i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i].name, what) == 0)
			e = sw_dispatch_cluster_word(g->dispatch, cluster, words[i].word, on_cluster_word, r);
	if (sw_failed(e))
		sw_page_reply(r, e, NULL);
}

const struct sw_api_view gateway_views[] = {
	{.name = "clusters", .get = page_clusters},
	{.name = "pools", .get = page_pools},
	{.name = "queue", .get = page_queue},
	{.name = "explain", .get = page_explain},
	{.name = "gc", .get = page_clusters, .post = page_gc},
	{.name = "plan", .ask = page_plan},
	{.name = "cluster", .later = page_cluster},
	{.name = "mark", .hook = gateway_mark},
	{.name = "pods", .get = gateway_page_pods},
	{.name = "logs", .stream = gateway_page_logs, .stream_stop = gateway_log_stop},
};
const size_t gateway_n_views = sizeof gateway_views / sizeof *gateway_views;
