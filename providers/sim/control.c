/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.c - the reconcilers: read the cache, ask a pure function, carry out its plan
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "sim_priv.h"
#include "spillway/text.h"

/* ---- jobs ----------------------------------------------------------------------------- */

static json_t **pods_of(struct sw_sim *s, struct sim_object *job, size_t *n)
{
	struct sim_owner *w = sim_owner_find(s, job->uid);
	json_t **pods = sw_calloc((w ? w->n : 0) + 1, sizeof(*pods));
	struct sim_object *x;

	*n = 0;
	if (w)
		DL_FOREACH(w->pods, x)
	if (job->kind != SIM_JOB || !x->settled)
		pods[(*n)++] = x->o;
	return pods;
}

static void carry_job(struct sw_sim *s, struct sim_object *job, const char *key, struct sim_plan *p)
{
	struct sim_round *rd = sim_round_begin(s, s->jobs, key);

	for (size_t i = 0; i < sw_json_len(p->unpin); i++)
		sim_round_unpin(rd, "pods", sw_json_idx(p->unpin, i), SIM_TRACKING);
	for (size_t i = 0; i < sw_json_len(p->drop); i++)
		sim_round_delete(rd, "pods", sw_json_idx(p->drop, i));
	for (size_t i = 0; i < sw_json_len(p->create); i++)
		sim_round_create(rd, "pods", sw_json_idx(p->create, i));
	if (p->status)
		sim_round_status(rd, job->resource, job->o, p->status);
	if (p->expire)
		sim_round_delete(rd, job->resource, job->o);
	sim_round_events(rd, job->resource, job->o, p->events);
	sim_round_end(rd, p->again_ms);
}

static void reconcile_job(void *owner, const char *key)
{
	struct sw_sim *s = owner;
	struct sim_object *job = sim_find_key(s, key);
	struct sim_clock clock = sim_now(s);
	struct sim_plan plan;
	json_t **pods;
	size_t n;

	if (!job) {
		sw_reconciler_done(s->jobs, key, 0);
		return;
	}
	pods = pods_of(s, job, &n);
	sim_plan_init(&plan);
	if (job->kind == SIM_JOB)
		sim_job_plan(job->o, pods, n, &clock, &job->job, &plan);
	else
		sim_training_plan(job->o, pods, n, &clock, &job->training, &plan);
	carry_job(s, job, key, &plan);
	sim_plan_fini(&plan);
	free(pods);
}

/* ---- pods ------------------------------------------------------------------------------- */

static void reconcile_bound(struct sw_sim *s, struct sim_object *pod, struct sim_round *rd, int64_t *again)
{
	struct sim_object *node = sim_find(s, "nodes", "", sw_json_str(pod->o, "spec.nodeName"));
	struct sim_clock clock = sim_now(s);
	struct sim_kubelet_plan plan;

	sim_kubelet_plan(pod->o, node ? node->o : NULL, &clock, &pod->kubelet, &plan);
	*again = plan.again_ms;
	if (plan.status)
		sim_round_status(rd, "pods", pod->o, plan.status);
	else if (plan.unpin)
		sim_round_unpin(rd, "pods", pod->o, SIM_KUBELET);
	sim_round_events(rd, "pods", pod->o, plan.events);
	sim_kubelet_plan_fini(&plan);
}

static void reconcile_pod(void *owner, const char *key)
{
	struct sw_sim *s = owner;
	struct sim_object *pod = sim_find_key(s, key);
	struct sim_round *rd = sim_round_begin(s, s->pods, key);
	const char *node = pod ? sw_json_str(pod->o, "spec.nodeName") : NULL;
	int64_t again = 0;

	if (pod && sim_has_finalizer(pod->o, SIM_TRACKING) && !sim_job_exists(s, pod->o))
		sim_round_unpin(rd, "pods", pod->o, SIM_TRACKING); /* handleSingleOrphanPod */
	else if (pod && node && *node)
		reconcile_bound(s, pod, rd, &again);
	sim_round_end(rd, again);
}

/* ---- pools and their nodes ------------------------------------------------------------------ */

static void lower_desired(struct sim_round *rd, json_t *pool, int64_t desired)
{
	json_t *copy = sw_json_copy(pool);

	sw_json_set_int(copy, "spec.desired", desired);
	sim_round_update(rd, SIM_POOLS, copy, NULL);
	json_object_put(copy);
}

/* A Node for every instance that is made; its status in a second write, as a kubelet registers and then reports. */
static void want_node(struct sw_sim *s, struct sim_round *rd, struct sim_object *pool, const struct sim_instance *i)
{
	struct sim_object *node = sim_find(s, "nodes", "", i->id);
	json_t *o;

	if (node && sw_json_at(node->o, "status.conditions"))
		return;
	if (node) {
		o = sim_node_status(pool->o, i->id, sw_loop_wall(s->loop));
		sim_round_status(rd, "nodes", node->o, o);
	} else {
		o = sim_node_object(s->cloud, pool->o, i->id);
		sim_round_create(rd, "nodes", o);
	}
	json_object_put(o);
}

static bool is_instance(const struct sim_object *pool, const char *node)
{
	for (size_t i = 0; i < pool->pool.n; i++)
		if (pool->pool.at[i].made && strcmp(pool->pool.at[i].id, node) == 0)
			return true;
	return false;
}

static void sync_nodes(struct sw_sim *s, struct sim_round *rd, struct sim_object *pool)
{
	struct sim_object *x, *tmp;

	for (size_t i = 0; i < pool->pool.n; i++)
		if (pool->pool.at[i].made)
			want_node(s, rd, pool, &pool->pool.at[i]);
	HASH_ITER(hh, s->objects, x, tmp)
	{
		const char *of = x->kind == SIM_NODE ? sw_json_label(x->o, s->cloud->pool_label) : NULL;

		if (of && strcmp(of, sw_json_str(pool->o, "metadata.name")) == 0 &&
		    !is_instance(pool, sw_json_str(x->o, "metadata.name")))
			sim_round_delete(rd, "nodes", x->o);
	}
}

static void reconcile_pool(void *owner, const char *key)
{
	struct sw_sim *s = owner;
	struct sim_object *pool = sim_find_key(s, key);
	struct sim_clock clock = sim_now(s);
	struct sim_pool_plan plan = {0};
	struct sim_round *rd = sim_round_begin(s, s->pools, key);

	if (pool) {
		sim_pool_plan(s->cloud, s->name, pool->o, &clock, &pool->pool, &plan);
		sync_nodes(s, rd, pool);
		if (plan.status)
			sim_round_status(rd, SIM_POOLS, pool->o, plan.status);
		else if (plan.desired >= 0)
			lower_desired(rd, pool->o, plan.desired);
	}
	sim_round_end(rd, plan.again_ms);
	sim_pool_plan_fini(&plan);
}

struct loss {
	struct sw_sim *s;
	char *pool_key, *node;
};

static void forget_instance(struct sim_pool_memory *m, const char *node)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->at[i].id, node) == 0) {
			memmove(&m->at[i], &m->at[i + 1], (m->n - i - 1) * sizeof(m->at[0]));
			m->n--;
			return;
		}
}

/* The pool wants one less now; before its next turn it learns which one it has lost. */
static void on_lost(void *owner, struct sw_err e, json_t *object)
{
	struct loss *loss = owner;
	struct sim_object *pool = sim_find_key(loss->s, loss->pool_key);

	(void)object;
	if (pool && !sw_failed(e) && !loss->s->closing) {
		forget_instance(&pool->pool, loss->node);
		sw_reconciler_add(loss->s->pools, pool->key);
	}
	free(loss->pool_key);
	free(loss->node);
	free(loss);
}

static void lose_from(struct sw_sim *s, struct sim_object *pool, const char *node)
{
	struct loss *loss = sw_calloc(1, sizeof(*loss));
	json_t *copy = sw_json_copy(pool->o);
	struct sw_err e;

	*loss = (struct loss){.s = s, .pool_key = sw_strdup(pool->key), .node = sw_strdup(node)};
	sw_json_del(copy, "metadata.resourceVersion");
	sw_json_set_int(copy, "spec.desired", sw_json_int(copy, "spec.desired", 0) - 1);
	if (sw_json_int(copy, "spec.desired", 0) < sw_json_int(copy, "spec.minNodes", 0))
		sw_json_set_int(copy, "spec.minNodes",
				sw_json_int(copy, "spec.desired", 0)); /* the site has one machine less */
	e = sw_api_object_update(s->api, SIM_POOLS, copy, NULL, on_lost, loss);
	if (sw_failed(e))
		on_lost(loss, e, NULL);
	json_object_put(copy);
}

void sim_instance_lost(struct sw_sim *s, const char *node)
{
	struct sim_object *x, *tmp;

	HASH_ITER(hh, s->objects, x, tmp)
	if (x->kind == SIM_POOL && is_instance(x, node)) {
		lose_from(s, x, node);
		return;
	}
}

/* ---- who looks at what -------------------------------------------------------------------------- */

static void wake_owner(struct sw_sim *s, json_t *pod)
{
	static const struct {
		const char *kind, *resource;
	} jobs[] = {
		{"Job", "jobs.batch"},
		{"PyTorchJob", "pytorchjobs.kubeflow.org"},
		{"TFJob", "tfjobs.kubeflow.org"},
		{"PaddleJob", "paddlejobs.kubeflow.org"},
		{"XGBoostJob", "xgboostjobs.kubeflow.org"},
		{"JAXJob", "jaxjobs.kubeflow.org"},
		{"MPIJob", "mpijobs.kubeflow.org"},
	};
	json_t *refs = sw_json_at(pod, "metadata.ownerReferences");

	for (size_t i = 0; i < sw_json_len(refs); i++)
		for (size_t k = 0; k < sizeof(jobs) / sizeof(jobs[0]); k++) {
			const char *kind = sw_json_str(sw_json_idx(refs, i), "kind");
			char *key;

			if (!kind || strcmp(kind, jobs[k].kind) != 0)
				continue;
			key = sw_asprintf("%s|%s/%s", jobs[k].resource, sw_json_str(pod, "metadata.namespace"),
					  sw_json_str(sw_json_idx(refs, i), "name"));
			sw_reconciler_add(s->jobs, key);
			free(key);
		}
}

static void wake_pods(struct sw_sim *s, struct sim_object *x)
{
	struct sim_owner *w = x->kind <= SIM_TRAINING ? sim_owner_find(s, x->uid) : NULL;
	const char *node = x->kind == SIM_NODE ? sw_json_str(x->o, "metadata.name") : NULL;
	struct sim_object *p, *tmp;

	if (w)
		DL_FOREACH(w->pods, p)
	sw_reconciler_add(s->pods, p->key);
	if (!node)
		return;
	HASH_ITER(hh, s->objects, p, tmp)
	if (p->kind == SIM_POD && p->node && strcmp(p->node, node) == 0)
		sw_reconciler_add(s->pods, p->key);
}

static void wake_pool_of(struct sw_sim *s, json_t *node)
{
	const char *pool = sw_json_label(node, s->cloud->pool_label);
	struct sim_object *x = pool ? sim_find(s, SIM_POOLS, "", pool) : NULL;

	if (x)
		sw_reconciler_add(s->pools, x->key);
}

void sim_control_changed(struct sw_sim *s, struct sim_object *x, bool gone)
{
	switch (x->kind) {
	case SIM_JOB:
	case SIM_TRAINING:
		sw_reconciler_add(s->jobs, x->key);
		if (gone)
			wake_pods(s, x);
		break;
	case SIM_POD:
		sw_reconciler_add(s->pods, x->key);
		wake_owner(s, x->o);
		if (gone || !x->node || x->phase >= SIM_SUCCEEDED) /* it waits, or leaves room */
			sw_reconciler_add(s->scheduler, "pods");
		break;
	case SIM_NODE:
		sw_reconciler_add(s->scheduler, "pods");
		wake_pool_of(s, x->o);
		if (gone)
			wake_pods(s, x);
		break;
	case SIM_POOL:
		sw_reconciler_add(s->pools, x->key);
		break;
	}
}

struct sw_err sim_control_start(struct sw_sim *s)
{
	struct sw_err e = sw_reconciler_new(s->loop, "sim jobs", reconcile_job, s, &s->jobs);

	if (!sw_failed(e))
		e = sw_reconciler_new(s->loop, "sim pods", reconcile_pod, s, &s->pods);
	if (!sw_failed(e))
		e = sw_reconciler_new(s->loop, "sim pools", reconcile_pool, s, &s->pools);
	if (!sw_failed(e))
		e = sw_reconciler_new(s->loop, "sim scheduler", sim_schedule, s, &s->scheduler);
	return e;
}

void sim_control_stop(struct sw_sim *s)
{
	sw_reconciler_free(s->jobs);
	sw_reconciler_free(s->pods);
	sw_reconciler_free(s->pools);
	sw_reconciler_free(s->scheduler);
	s->jobs = s->pods = s->pools = s->scheduler = NULL;
}
