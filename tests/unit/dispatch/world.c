/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - the truth, its clock and its requests; the manager's side. The clusters' side: world_workers.c */
#include "world.h"
#include "world_priv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/blob.h"
#include "spillway/text.h"

struct world *the_world; /* workers.h has no place for an owner: one world per test process */

/* ---- chance -------------------------------------------------------------------- */

uint64_t world_random(struct world *w, uint64_t n)
{
	w->seed += 0x9e3779b97f4a7c15u;
	uint64_t z = w->seed;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return n ? z % n : 0;
}

/* ---- requests on their way --------------------------------------------------------- */

struct w_req *world_request(struct world *w, void (*apply)(struct world *w, struct w_req *r), world_done_fn *done,
			    void *owner)
{
	struct w_req *r = sw_calloc(1, sizeof *r);
	r->apply = apply;
	r->done = done;
	r->owner = owner;
	r->life = w->life;
	r->apply_ms = w->now + 1 + world_random(w, w->delay_max + 1);
	r->reply_ms = r->apply_ms + world_random(w, w->delay_max / 4 + 1);
	if (world_random(w, 100) < w->lose_percent) {
		r->lost = true; /* the caller hears of a time-out, perhaps before the request takes effect */
		r->reply_ms = w->now + 1 + world_random(w, w->delay_max + 1);
	}
	r->next = w->reqs;
	w->reqs = r;
	return r;
}

static void req_free(struct w_req *r)
{
	free(r->text);
	json_object_put(r->json);
	free(r);
}

static void req_answer(struct world *w, struct w_req *r)
{
	struct sw_err e = r->lost ? sw_err(SW_E_TIMEOUT, "reply lost") : r->err;
	if (r->life != w->life || !w->d || r->answered)
		return;
	r->answered = true;
	if (r->tail)
		r->tail(r->owner, e, sw_failed(e) ? NULL : "log\n", sw_failed(e) ? 0 : 4, false);
	else if (r->read)
		r->read(r->owner, e, sw_failed(e) ? NULL : r->json, sw_failed(e) ? NULL : r->json);
	else if (r->done)
		r->done(r->owner, e);
}

static void reqs_run(struct world *w)
{
	for (struct w_req **at = &w->reqs; *at;) {
		struct w_req *r = *at;
		if (!r->applied && r->apply_ms <= w->now) {
			r->applied = true;
			r->apply(w, r);
		}
		if (r->reply_ms <= w->now && (r->applied || r->lost))
			req_answer(w, r);
		/* The list may have grown at its head meanwhile. */
		for (at = &w->reqs; *at != r; at = &(*at)->next)
			;
		if (r->applied && r->reply_ms <= w->now) {
			*at = r->next;
			req_free(r);
		} else
			at = &r->next;
	}
}

/* ---- rows ------------------------------------------------------------------------------ */

static struct w_job *job_find(struct world *w, const char *key)
{
	for (int i = 0; i < W_JOBS; i++)
		if (w->job[i].exists && strcmp(w->job[i].key, key) == 0)
			return &w->job[i];
	return NULL;
}

void world_row_changed(struct world *w, struct w_job *j)
{
	j->rv++;
	if (w->d && w->manager.ev.on_change)
		w->manager.ev.on_change(w->manager.ev.owner, j->key);
}

static const struct sw_workload *m_get(struct sw_manager *m, const char *key)
{
	struct w_job *j = job_find(the_world, key);
	(void)m;
	if (!j)
		return NULL;
	j->row = (struct sw_workload){.key = j->key,
				      .ns = j->ns,
				      .uid = j->wl_uid,
				      .rv = j->rv,
				      .kind = &sw_kind_job,
				      .job_name = j->name,
				      .job_uid = j->uid,
				      .queue = "q",
				      .cluster_queue = "cq",
				      .cluster = *j->cluster ? j->cluster : NULL,
				      .message = j->message ? j->message : "",
				      .created_ms = 1,
				      .priority = j->priority,
				      .priority_class = j->class ? j->class : "",
				      .attempt = j->attempt,
				      .check = j->check,
				      .active = j->active,
				      .reserved = j->reserved,
				      .evicted = j->evicted,
				      .finished = j->finished,
				      .deleting = j->deleting,
				      .suspended_by_user = j->user_suspended};
	return &j->row;
}

static void m_each(struct sw_manager *m, void (*fn)(void *owner, const struct sw_workload *w), void *owner)
{
	for (int i = 0; i < W_JOBS; i++)
		if (the_world->job[i].exists)
			fn(owner, m_get(m, the_world->job[i].key));
}

static struct sw_err m_watch(struct sw_manager *m, const struct sw_manager_events *ev)
{
	(void)m;
	the_world->manager.ev = *ev;
	return SW_OK;
}

json_t *world_job_json(const struct w_job *j)
{
	return sw_json_fmt("{\"apiVersion\":\"batch/"
			   "v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\",\"uid\":\"%s\","
			   "\"annotations\":%s},"
			   "\"spec\":{\"suspend\":true,\"parallelism\":%d,\"completions\":%d,\"template\":{\"spec\":{%s"
			   "\"restartPolicy\":\"Never\",\"containers\":[{"
			   "\"name\":\"main\",\"image\":\"i\",\"resources\":{\"limits\":{\"nvidia.com/"
			   "gpu\":\"%d\"},\"requests\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}}]}}}}",
			   j->name, j->ns, j->uid, j->extra ? j->extra : "{}", j->pods, j->pods,
			   j->needs_secret ? "\"imagePullSecrets\":[{\"name\":\"pull\"}]," : "", j->gpus);
}

static void apply_read(struct world *w, struct w_req *r)
{
	struct w_job *j = job_find(w, r->key);
	if (!j) {
		r->err = sw_err(SW_E_MISSING, "gone");
		return;
	}
	r->json = world_job_json(j);
}

static struct sw_err m_read(struct sw_manager *m, const char *key, sw_manager_read_fn *done, void *owner)
{
	(void)m;
	struct w_req *r = world_request(the_world, apply_read, NULL, owner);
	r->read = done;
	snprintf(r->key, sizeof r->key, "%s", key);
	return SW_OK;
}

/* ---- changes: compare and set ---------------------------------------------------------- */

static void row_released(struct world *w, struct w_job *j)
{
	if (j->deleting) {
		j->exists = false;
		if (w->d)
			w->manager.ev.on_change(w->manager.ev.owner, j->key);
		return;
	}
	j->cluster[0] = '\0';
	j->evicted = j->reserved = false;
	j->attempt++;
	j->check = SW_CHECK_PENDING;
	j->reserve_ms = w->now + 100 + world_random(w, 400);
}

static struct sw_err row_change(struct world *w, struct w_job *j, const struct w_req *r)
{
	if (!j)
		return sw_err(SW_E_MISSING, "gone");
	if (j->rv != r->rv)
		return sw_err(SW_E_CONFLICT, "changed meanwhile");
	if (r->op == SW_CHANGE_WIN || r->op == SW_CHANGE_NOMINATE)
		if (!j->reserved || j->evicted || j->finished || *j->cluster)
			return sw_err(SW_E_INVALID, "not undecided");
	free(j->message);
	j->message = sw_strdup(r->text);
	if (r->op == SW_CHANGE_WIN) {
		sw_cut(j->cluster, sizeof j->cluster, r->name);
		j->check = SW_CHECK_READY;
	} else if (r->op == SW_CHANGE_EVICT) {
		j->evicted = true;
		w->moved++;
	} else if (r->op == SW_CHANGE_REJECT) {
		j->check = SW_CHECK_REJECTED;
		j->active = false;
	} else if (r->op == SW_CHANGE_RELEASED)
		row_released(w, j);
	return SW_OK;
}

static void apply_change(struct world *w, struct w_req *r)
{
	struct w_job *j = job_find(w, r->key);
	r->err = row_change(w, j, r);
	if (!sw_failed(r->err) && j->exists)
		world_row_changed(w, j);
}

static struct sw_err m_change(struct sw_manager *m, const char *key, uint64_t rv, const struct sw_change *c,
			      sw_manager_fn *done, void *owner)
{
	(void)m;
	cr_assert(!c->message || strlen(c->message) < 32768, "Kueue takes messages of at most 32768 bytes");
	struct w_req *r = world_request(the_world, apply_change, done, owner);
	snprintf(r->key, sizeof r->key, "%s", key);
	snprintf(r->name, sizeof r->name, "%s", c->cluster ? c->cluster : "");
	r->text = sw_strdup(c->message ? c->message : "");
	r->rv = rv;
	r->op = c->op;
	return SW_OK;
}

static void apply_nothing(struct world *w, struct w_req *r)
{
	(void)w, (void)r;
}

static struct sw_err m_sync(struct sw_manager *m, const char *key, const char *uid, json_t *status, sw_manager_fn *done,
			    void *owner)
{
	(void)m, (void)key, (void)uid;
	cr_assert_not_null(status);
	world_request(the_world, apply_nothing, done, owner);
	return SW_OK;
}

static void apply_finish(struct world *w, struct w_req *r)
{
	struct w_job *j = job_find(w, r->key);
	if (!j || strcmp(j->uid, r->name) != 0) {
		r->err = sw_err(SW_E_MISSING, "another job now");
		return;
	}
	if (j->finished)
		return;
	j->finished = true;
	j->outcome = (enum sw_outcome)r->op;
	j->ended++;
	world_row_changed(w, j);
}

static struct sw_err m_finish(struct sw_manager *m, const char *key, const char *uid, json_t *status,
			      enum sw_outcome outcome, const char *message, sw_manager_fn *done, void *owner)
{
	(void)m;
	cr_assert(status && message);
	cr_assert_neq(outcome, SW_UNFINISHED);
	struct w_req *r = world_request(the_world, apply_finish, done, owner);
	snprintf(r->key, sizeof r->key, "%s", key);
	snprintf(r->name, sizeof r->name, "%s", uid);
	r->op = outcome;
	return SW_OK;
}

static void m_event(struct sw_manager *m, const char *key, bool warning, const char *reason, const char *message)
{
	struct world *w = the_world;
	char line[1200];
	(void)m;
	snprintf(line, sizeof line, "%s %s%s: %s\n", key, warning ? "!" : "", reason, message);
	w->n_events_warning += warning;
	size_t have = strlen(w->events), more = strlen(line);
	if (have + more >= sizeof w->events) {
		memmove(w->events, w->events + have / 2, have - have / 2 + 1);
		have = strlen(w->events);
	}
	if (have + more < sizeof w->events)
		memcpy(w->events + have, line, more + 1);
}

static void apply_note(struct world *w, struct w_req *r)
{
	if (r->json)
		json_object_object_add(w->notes, r->key, json_object_get(r->json));
	else
		json_object_object_del(w->notes, r->key);
}

static struct sw_err m_note(struct sw_manager *m, const char *name, json_t *value, sw_manager_fn *done, void *owner)
{
	(void)m;
	struct w_req *r = world_request(the_world, apply_note, done, owner);
	snprintf(r->key, sizeof r->key, "%s", name);
	r->json = value ? sw_json_copy(value) : NULL;
	return SW_OK;
}

static void m_notes(struct sw_manager *m, const char *prefix, void (*fn)(void *owner, const char *name, json_t *value),
		    void *owner)
{
	(void)m;
	json_object_object_foreach(the_world->notes, name, value) if (strncmp(name, prefix, strlen(prefix)) == 0)
		fn(owner, name, value);
}

static struct sw_err m_mirror(struct sw_manager *m, const char *key, const char *uid, const char *cluster, json_t *pod,
			      sw_manager_fn *done, void *owner)
{
	(void)m, (void)key, (void)uid, (void)cluster;
	cr_assert_not_null(sw_json_str(pod, "metadata.name"));
	world_request(the_world, apply_nothing, done, owner);
	return SW_OK;
}

static struct sw_err m_keep(struct sw_manager *m, const char *key, const char *ns, const char *pod,
			    const char *container, const char *bytes, size_t n, bool cut, sw_manager_fn *done,
			    void *owner)
{
	(void)m, (void)key, (void)ns, (void)pod, (void)container, (void)cut;
	cr_assert(bytes && n);
	world_request(the_world, apply_nothing, done, owner);
	return SW_OK;
}

static const struct sw_manager_ops m_ops = {.name = "world",
					    .watch = m_watch,
					    .get = m_get,
					    .each = m_each,
					    .read = m_read,
					    .change = m_change,
					    .sync_status = m_sync,
					    .finish = m_finish,
					    .event = m_event,
					    .note_put = m_note,
					    .notes = m_notes,
					    .mirror_pod = m_mirror,
					    .keep_log = m_keep};

/* The manager's own moves: quota comes, users' wishes are carried out, a deleted job may be made again. */
static void rows_run(struct world *w)
{
	for (int i = 0; i < W_JOBS; i++) {
		struct w_job *j = &w->job[i];
		if (!j->exists && j->recreate) {
			j->recreate = false;
			world_job(w, i, j->gpus, j->pods);
		}
		if (!j->exists || j->finished || j->deleting)
			continue;
		bool may = j->active && !j->user_suspended;
		if (!j->reserved && may && j->reserve_ms <= w->now) {
			j->reserved = true;
			world_row_changed(w, j);
		} else if (j->reserved && !may && !j->evicted) {
			j->evicted = true;
			world_row_changed(w, j);
		}
	}
}

/* ---- life ------------------------------------------------------------------------------- */

struct w_job *world_job(struct world *w, int i, int gpus, int pods)
{
	struct w_job *j = &w->job[i];
	char *message = j->message;
	uint64_t rv = j->rv;
	unsigned made = j->made + 1;
	free(message);
	*j = (struct w_job){.exists = true,
			    .attempt = 1,
			    .active = true,
			    .gpus = gpus,
			    .pods = pods,
			    .rv = rv + 1,
			    .made = made,
			    .fails = j->fails,
			    .extra = j->extra,
			    .class = j->class,
			    .priority = j->priority,
			    .poison = j->poison};
	snprintf(j->ns, sizeof j->ns, "ns");
	snprintf(j->name, sizeof j->name, "job%d", i);
	snprintf(j->key, sizeof j->key, "ns/wl-job%d", i);
	snprintf(j->uid, sizeof j->uid, "job-%d-%u", i, made);
	snprintf(j->wl_uid, sizeof j->wl_uid, "wl-%d-%u", i, made);
	j->reserve_ms = w->now + world_random(w, 300);
	return j;
}

void world_policy(struct world *w, const char *src)
{
	const struct sw_blob *b = sw_blob_find("policies/burst.lua");
	sw_policy_free(w->policy);
	struct sw_err e = sw_policy_new(src ? "test.lua" : b->name, src ? src : b->start,
					src ? strlen(src) : sw_blob_len(b), (struct sw_policy_limits){0}, &w->policy);
	cr_assert(!sw_failed(e), "%s", e.text);
}

void world_fallback(struct world *w)
{
	const struct sw_blob *b = sw_blob_find("policies/burst.lua");
	struct sw_err e = sw_policy_new(b->name, b->start, sw_blob_len(b), (struct sw_policy_limits){0}, &w->fallback);
	cr_assert(!sw_failed(e), "%s", e.text);
}

struct world *world_new(uint64_t seed)
{
	static const struct {
		const char *name, *pool;
		bool growable;
		int nodes, max;
	} sites[W_CLUSTERS] = {
		{"onprem", "v100", false, 2, 2},
		{"gke", "v100-spot", true, 0, 3},
		{"aks", "v100", true, 0, 2},
	};
	struct world *w = sw_calloc(1, sizeof *w);
	the_world = w;
	w->seed = seed;
	w->now = 1000;
	w->delay_max = 30;
	w->notes = json_object_new_object();
	w->manager.base.ops = &m_ops;
	struct sw_err e = sw_catalog_load(&w->catalog);
	cr_assert(!sw_failed(e), "%s", e.text);
	world_policy(w, NULL);
	for (int i = 0; i < W_CLUSTERS; i++) {
		struct w_cluster *c = &w->cluster[i];
		snprintf(c->name, sizeof c->name, "%s", sites[i].name);
		snprintf(c->pool, sizeof c->pool, "%s", sites[i].pool);
		c->growable = sites[i].growable;
		c->nodes = c->target = sites[i].nodes;
		c->max = sites[i].max;
		c->reachable = true;
		w->cfg[i] = (struct sw_cluster_cfg){
			.name = c->name, .provider = "sim", .worker = "plain", .region = "r", .burst = c->growable};
	}
	w->config = (struct sw_config){.origin = "",
				       .resync_ms = 5000,
				       .lost_after_ms = 20000,
				       .lost = SW_LOST_HOLD,
				       .lease_ms = 4000,
				       .lease_margin_ms = 2000,
				       .hold_placed_ms = 8000,
				       .stockout_ms = 5000,
				       .max_price_hour = 1000,
				       .price_max_age_ms = (int64_t)1 << 50,
				       .log_tail_bytes = 1000,
				       .clusters = w->cfg,
				       .n_clusters = W_CLUSTERS};
	e = sw_loop_new(&w->loop);
	cr_assert(!sw_failed(e), "%s", e.text);
	sw_loop_fake(w->loop, w->now, 1700000000000 + (int64_t)w->now);
	return w;
}

void world_boot(struct world *w)
{
	struct sw_dispatch_options o = {.loop = w->loop,
					.config = &w->config,
					.catalog = w->catalog,
					.manager = &w->manager.base,
					.policy = w->policy,
					.fallback = w->fallback};
	w->life++;
	struct sw_err e = sw_dispatch_new(&o, &w->d);
	cr_assert(!sw_failed(e), "%s", e.text);
	w->manager.ev.on_state(w->manager.ev.owner, true, "");
	for (int i = 0; i < W_JOBS; i++)
		if (w->job[i].exists)
			w->manager.ev.on_change(w->manager.ev.owner, w->job[i].key);
}

void world_crash(struct world *w)
{
	if (!w->d)
		return;
	w->life++;
	w->crashes++;
	sw_dispatch_free(w->d);
	w->d = NULL;
	memset(&w->manager.ev, 0, sizeof w->manager.ev);
}

void world_free(struct world *w)
{
	world_crash(w);
	while (w->reqs) {
		struct w_req *r = w->reqs;
		w->reqs = r->next;
		req_free(r);
	}
	for (int i = 0; i < W_JOBS; i++)
		free(w->job[i].message);
	json_object_put(w->notes);
	sw_policy_free(w->policy);
	sw_policy_free(w->fallback);
	sw_catalog_free(w->catalog);
	sw_loop_free(w->loop);
	free(w);
}

int world_running(struct world *w, int job)
{
	int n = 0;
	for (int c = 0; c < W_CLUSTERS; c++)
		for (int k = 0; k < W_COPIES; k++) {
			const struct w_copy *p = &w->cluster[c].copy[k];
			n += p->exists && p->job == job && p->active > 0 && strcmp(p->owner_uid, w->job[job].uid) == 0;
		}
	return n;
}

void world_check(struct world *w)
{
	for (int i = 0; i < W_JOBS; i++) {
		cr_assert(w->config.lost == SW_LOST_DUPLICATE || world_running(w, i) <= 1,
			  "job %d has %d copies with pods\n%s", i, world_running(w, i), w->events);
		cr_assert_leq(w->job[i].ended, 1, "job %d ended %d times", i, w->job[i].ended);
	}
}

static void tick(struct world *w)
{
	uint64_t ms = 1 + world_random(w, 20);
	w->now += ms;
	reqs_run(w);
	rows_run(w);
	world_clusters_run(w);
	world_check(w);
	sw_loop_advance(w->loop, ms);
	world_check(w);
}

void world_run(struct world *w, uint64_t ms)
{
	for (uint64_t end = w->now + ms; w->now < end;)
		tick(w);
}

bool world_until(struct world *w, bool (*ok)(struct world *w), uint64_t ms)
{
	for (uint64_t end = w->now + ms; w->now < end && !ok(w);)
		tick(w);
	return ok(w);
}
