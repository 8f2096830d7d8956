/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo_story.c - submits the samples as a user would, and follows what becomes of them
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"
#include "spillway/blob.h"
#include "spillway/embedded.h"
#include "spillway/text.h"
#include "spillway/yaml.h"

const char *demo_state_name(enum demo_state s)
{
	static const char *const names[] = {"Waiting", "Growing", "Running", "Succeeded", "Failed", "Never"};
	return names[s];
}

/* ---- submitting ------------------------------------------------------------------------- */

static void on_created(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct demo_job *j = owner;
	(void)reply;
	j->submitted = true;
	j->submitted_ms = sw_loop_wall(j->story->site->loop);
	if (sw_failed(err))
		j->story->err = sw_err_wrap(err, "job %s", j->name);
}

static struct sw_err submit(struct demo_story *t, json_t *object)
{
	const struct sw_kind *kind = sw_kind_of(object);
	SW_REQUIRE(kind && t->n_jobs < DEMO_JOBS);
	struct demo_job *j = &t->jobs[t->n_jobs++];
	const char *ns = sw_json_str(object, "metadata.namespace");
	*j = (struct demo_job){.name = sw_strdup(sw_json_str(object, "metadata.name")),
			       .resource = sw_strdup(kind->resource),
			       .ns = sw_strdup(ns ? ns : "default"),
			       .price_hour = NAN,
			       .story = t};
	struct sw_buf path, body;
	struct sw_kube_call *call;
	sw_buf_init(&path, 4096);
	sw_buf_init(&body, 1 << 20);
	sw_kube_path(&path, kind->group, kind->version, kind->plural, j->ns, NULL, NULL);
	sw_buf_json(&body, object);
	struct sw_kube_req req = {
		.cls = SW_KUBE_CREATE, .method = "POST", .path = path.at, .body = body.at, .body_len = body.len};
	struct sw_err e = sw_kube_start(t->site->kube, &req, on_created, j, &call);
	sw_buf_fini(&path);
	sw_buf_fini(&body);
	return e;
}

static struct sw_err submit_file(struct demo_story *t, const struct sw_blob *b)
{
	struct sw_yaml *y;
	struct sw_err e = sw_yaml_parse(b->name, b->start, sw_blob_len(b), &y);
	if (sw_failed(e))
		return e;
	for (size_t i = 0; !sw_failed(e) && i < sw_yaml_docs(y); i++)
		e = submit(t, sw_yaml_doc(y, i));
	sw_yaml_free(y);
	return e;
}

struct sw_err demo_story_begin(struct demo_story *t, struct demo_site *site)
{
	static const char samples[] = "config/samples/0"; /* 01-... to 08-... */
	*t = (struct demo_story){.site = site};
	struct sw_err e = SW_OK;
	for (const struct sw_blob *b = sw_blob_table; !sw_failed(e) && b->name; b++)
		if (strncmp(b->name, samples, strlen(samples)) == 0)
			e = submit_file(t, b);
	return e;
}

/* ---- following ---------------------------------------------------------------------------- */

static bool replace(char **field, const char *text)
{
	if (!text || !*text || (*field && strcmp(*field, text) == 0))
		return false;
	free(*field);
	*field = sw_strdup(text);
	return true;
}

struct key_of_job {
	const struct demo_job *job;
	char *key;
	const struct sw_workload *row;
};

static void match_row(void *owner, const struct sw_workload *w)
{
	struct key_of_job *k = owner;
	if (!k->key && strcmp(w->job_name, k->job->name) == 0 && strcmp(w->ns, k->job->ns) == 0 &&
	    strcmp(w->kind->resource, k->job->resource) == 0)
		k->key = sw_strdup(w->key);
}

/* What one hour of it costs where it is: candidates are known before the place is, so they are kept until then. */
static void note_price(struct demo_job *j, json_t *x)
{
	json_t *now = sw_json_key(x, "candidates");
	if (sw_json_len(now)) {
		json_object_put(j->candidates);
		j->candidates = json_object_get(now);
	}
	for (size_t i = 0; j->pool && i < sw_json_len(j->candidates); i++) {
		json_t *c = sw_json_idx(j->candidates, i), *price = sw_json_key(c, "priceHour");
		const char *cluster = sw_json_str(c, "cluster"), *pool = sw_json_str(c, "pool");
		if (price && j->cluster && cluster && pool && strcmp(cluster, j->cluster) == 0 &&
		    strcmp(pool, j->pool) == 0)
			j->price_hour = json_object_get_double(price);
	}
}

/* No cluster, pool or growth of one could ever take it. */
static bool is_hopeless(json_t *x)
{
	json_t *candidates = sw_json_key(x, "candidates");
	for (size_t i = 0; i < sw_json_len(candidates); i++) {
		const char *verdict = sw_json_str(sw_json_idx(candidates, i), "verdict");
		if (!verdict || strcmp(verdict, "never") != 0)
			return false;
	}
	return sw_json_len(candidates) > 0;
}

static void look_at_plan(struct demo_job *j, json_t *x)
{
	const char *state = sw_json_str(x, "state");
	replace(&j->asks, sw_json_str(x, "demand"));
	replace(&j->why, sw_json_str(x, "reason"));
	if (replace(&j->cluster, sw_json_str(x, "cluster")) && !j->placed_ms)
		j->placed_ms = sw_loop_wall(j->story->site->loop);
	replace(&j->pool, sw_json_str(x, "pool"));
	if (isnan(j->price_hour))
		note_price(j, x);
	if (j->cluster)
		j->state = DEMO_RUNNING;
	else if (state && strcmp(state, "Placing") == 0 && is_hopeless(x))
		j->state = DEMO_NEVER;
	else
		j->state = state && strcmp(state, "Placing") == 0 && sw_json_len(sw_json_key(x, "steps"))
				   ? DEMO_GROWING
				   : DEMO_WAITING;
}

static void note_failure(struct demo_job *j, json_t *job, const char *why)
{
	const char *failed = sw_json_str(job, "status.failedIndexes"),
		   *kept = sw_json_str(job, "status.completedIndexes");
	char *text = failed && *failed && kept ? sw_asprintf("%s: indexes %s failed, %s succeeded", why, failed, kept)
					       : sw_strdup(why);
	replace(&j->why, text);
	free(text);
}

static void look_at_result(struct demo_job *j)
{
	json_t *job;
	const char *why = "";
	struct sw_obj_key key = {j->resource, j->ns, j->name};
	struct sw_api *api = sw_embedded_api(sw_gateway_manager(j->story->site->gateway));
	if (sw_failed(sw_api_object_get(api, &key, &job)))
		return;
	const struct sw_kind *kind = sw_kind_of(job);
	enum sw_outcome outcome = kind->outcome(kind, job, &why);
	if (outcome != SW_UNFINISHED) {
		j->state = outcome == SW_SUCCEEDED ? DEMO_SUCCEEDED : DEMO_FAILED;
		j->ended_ms = sw_loop_wall(j->story->site->loop);
		if (outcome == SW_JOB_FAILED)
			note_failure(j, job, why);
	}
	json_object_put(job);
}

static void look_at_job(struct demo_job *j)
{
	struct sw_gateway *g = j->story->site->gateway;
	struct key_of_job k = {.job = j};
	enum demo_state before = j->state;
	if (!j->submitted || j->ended_ms)
		return;
	sw_gateway_manager(g)->ops->each(sw_gateway_manager(g), match_row, &k);
	json_t *x = k.key ? sw_dispatch_explain(sw_gateway_dispatch(g), k.key) : NULL;
	if (x)
		look_at_plan(j, x);
	json_object_put(x);
	free(k.key);
	look_at_result(j);
	j->story->changes += j->state != before;
}

static struct demo_pool *pool_of(struct demo_story *t, const char *cluster, const char *name)
{
	for (size_t i = 0; i < t->n_pools; i++)
		if (strcmp(t->pools[i].cluster, cluster) == 0 && strcmp(t->pools[i].pool, name) == 0)
			return &t->pools[i];
	if (t->n_pools == DEMO_POOLS)
		return NULL;
	t->pools[t->n_pools] = (struct demo_pool){.cluster = sw_strdup(cluster), .pool = sw_strdup(name)};
	return &t->pools[t->n_pools++];
}

static void look_at_pools(struct demo_story *t)
{
	json_t *list = sw_dispatch_pools(sw_gateway_dispatch(t->site->gateway));
	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *row = sw_json_idx(list, i);
		const char *cluster = sw_json_str(row, "cluster"), *name = sw_json_str(row, "pool");
		struct demo_pool *p = cluster && name ? pool_of(t, cluster, name) : NULL;
		if (!p)
			continue;
		int size = (int)sw_json_int(row, "size", 0);
		t->changes += size != p->size;
		p->size = size;
		p->most = size > p->most ? size : p->most;
		p->max = (int)sw_json_int(row, "max", 0);
		p->growable = sw_json_bool(row, "growable");
	}
	json_object_put(list);
}

void demo_story_look(struct demo_story *t)
{
	for (size_t i = 0; i < t->n_jobs; i++)
		look_at_job(&t->jobs[i]);
	look_at_pools(t);
}

bool demo_story_jobs_ended(const struct demo_story *t)
{
	for (size_t i = 0; i < t->n_jobs; i++)
		if (t->jobs[i].state < DEMO_SUCCEEDED)
			return false;
	return true;
}

bool demo_story_ended(const struct demo_story *t)
{
	for (size_t i = 0; i < t->n_pools; i++)
		if (t->pools[i].growable && t->pools[i].size > 0)
			return false;
	return demo_story_jobs_ended(t);
}

void demo_story_end(struct demo_story *t)
{
	for (size_t i = 0; i < t->n_jobs; i++) {
		struct demo_job *j = &t->jobs[i];
		char *owned[] = {j->name, j->resource, j->ns, j->asks, j->cluster, j->pool, j->why};
		for (size_t k = 0; k < sizeof owned / sizeof *owned; k++)
			free(owned[k]);
		json_object_put(j->candidates);
	}
	for (size_t i = 0; i < t->n_pools; i++) {
		free(t->pools[i].cluster);
		free(t->pools[i].pool);
	}
}
