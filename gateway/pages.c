/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages.c - spillway's own pages under /spillway/v1/, for its command line
 */
#include <stdlib.h>
#include <string.h>

#include "gateway_priv.h"
#include "spillway/text.h"

enum { QUEUE_ROWS = 1000 };

static json_t *items(json_t *list_taken)
{
	json_t *o = json_object_new_object();
	json_object_object_add(o, "items", list_taken);
	return o;
}

static struct sw_err page_clusters(void *owner, json_t *query, json_t **out)
{
	struct sw_gateway *g = owner;
	(void)query;
	*out = items(sw_dispatch_clusters(g->dispatch));
	return SW_OK;
}

static struct sw_err page_pools(void *owner, json_t *query, json_t **out)
{
	struct sw_gateway *g = owner;
	(void)query;
	*out = items(sw_dispatch_pools(g->dispatch));
	return SW_OK;
}

/* ---- queue ---------------------------------------------------------------------------- */

struct queue_page {
	struct sw_gateway *g;
	json_t *query, *rows;
};

/* A submitter sees its own namespaces: "a,b", or "*". */
static bool may_see(json_t *query, const char *ns)
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
	return w->reserved ? "Placing" : "Pending";
}

static void add_queue_row(void *owner, const struct sw_workload *w)
{
	struct queue_page *p = owner;
	if (w->finished || sw_json_len(p->rows) >= QUEUE_ROWS || !may_see(p->query, w->ns))
		return;
	json_t *row = json_object_new_object();
	struct sw_queue *q = sw_embedded_queue(p->g->manager);
	int64_t now = sw_loop_wall(p->g->loop), position = sw_queue_position(q, w->key);
	const char *why = w->reserved || w->cluster ? w->message : sw_queue_why(q, w->key, now);
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
		sw_json_set(row, "why", json_object_new_string_len(why, (int)(tail ? (size_t)(tail - why) : strlen(why))));
	json_object_array_add(p->rows, row);
}

static struct sw_err page_queue(void *owner, json_t *query, json_t **out)
{
	struct queue_page p = { .g = owner, .query = query, .rows = json_object_new_array() };
	p.g->manager->ops->each(p.g->manager, add_queue_row, &p);
	*out = items(p.rows);
	return SW_OK;
}

/* ---- explain ---------------------------------------------------------------------------- */

static void note_workload(void *owner, const struct sw_obj_key *key)
{
	char **found = owner;
	if (!*found && strcmp(key->resource, "workloads.kueue.x-k8s.io") == 0)
		*found = sw_asprintf("%s/%s", key->ns, key->name);
}

/* A finished workload has no row any more: what its object still tells. */
static struct sw_err explain_finished(struct sw_gateway *g, const char *key, json_t *job, json_t **out)
{
	const char *slash = strchr(key, '/');
	char *ns = sw_asprintf("%.*s", (int)(slash - key), key);
	json_t *wl = NULL;
	struct sw_obj_key k = { "workloads.kueue.x-k8s.io", ns, slash + 1 };
	struct sw_err e = sw_api_object_get(sw_embedded_api(g->manager), &k, &wl);
	free(ns);
	if (sw_failed(e))
		return e;
	const char *why = "";
	enum sw_outcome outcome = sw_kind_of(job)->outcome(job, &why);
	json_t *finished = sw_json_condition(wl, "Finished");
	json_t *x = json_object_new_object();
	sw_json_set_str(x, "job", sw_json_str(job, "metadata.name"));
	sw_json_set_str(x, "state", outcome == SW_SUCCEEDED ? "Succeeded" : outcome == SW_JOB_FAILED ? "Failed" : "Pending");
	sw_json_set_str(x, "queue", sw_json_str(wl, "spec.queueName"));
	if (sw_json_str(wl, "status.clusterName"))
		sw_json_set_str(x, "cluster", sw_json_str(wl, "status.clusterName"));
	if (finished && sw_json_str(finished, "message"))
		sw_json_set_str(x, "now", sw_json_str(finished, "message"));
	json_object_put(wl);
	*out = x;
	return SW_OK;
}

static struct sw_err page_explain(void *owner, json_t *query, json_t **out)
{
	struct sw_gateway *g = owner;
	const char *resource = sw_json_str(query, "resource"), *ns = sw_json_str(query, "namespace"), *name = sw_json_str(query, "name");
	json_t *job;
	char *key = NULL;
	if (!resource || !ns || !name || !sw_kind_find(resource))
		return sw_err(SW_E_INVALID, "explain needs resource (a job kind's, such as jobs.batch), namespace and name");
	if (!may_see(query, ns))
		return sw_err(SW_E_FORBIDDEN, "you may not see namespace %s", ns);
	struct sw_obj_key k = { resource, ns, name };
	struct sw_err e = sw_api_object_get(sw_embedded_api(g->manager), &k, &job);
	if (sw_failed(e))
		return e;
	e = sw_store_owned_by(sw_api_store(sw_embedded_api(g->manager)), sw_json_str(job, "metadata.uid"), note_workload, &key);
	if (!sw_failed(e) && !key)
		e = sw_err(SW_E_MISSING, "%s %s has no Workload yet; ask again in a moment", resource, name);
	if (!sw_failed(e)) {
		*out = sw_dispatch_explain(g->dispatch, key);
		if (!*out)
			e = explain_finished(g, key, job, out);
	}
	free(key);
	json_object_put(job);
	return e;
}

/* ---- what an operator confirms -------------------------------------------------------------- */

/* {"confirm": CLUSTER}: its next collection may delete all that it found, once. {"accept-store": true}: after a restore. */
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
		*out = items(sw_dispatch_clusters(g->dispatch));
	return e;
}

const struct sw_api_view gateway_views[] = {
	{ "clusters", page_clusters, NULL },
	{ "pools", page_pools, NULL },
	{ "queue", page_queue, NULL },
	{ "explain", page_explain, NULL },
	{ "gc", page_clusters, page_gc },
};
const size_t gateway_n_views = sizeof gateway_views / sizeof *gateway_views;
