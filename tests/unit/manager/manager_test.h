/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manager_test.h - an embedded manager on a directory of its own, driven in the process
 *
 * ClusterQueue "cq": 4 GPUs, 8 cpu, behind LocalQueue default/lq. A world may be closed and opened again on its
 * directory.
 */
#ifndef SPILLWAY_MANAGER_TEST_H
#define SPILLWAY_MANAGER_TEST_H

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../support/json_of.h"
#include "spillway/embedded.h"
#include "spillway/log.h"
#include "spillway/text.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#define WL  "workloads.kueue.x-k8s.io"
#define CQS "clusterqueues.kueue.x-k8s.io"
#define LQS "localqueues.kueue.x-k8s.io"

struct world {
	char dir[64];
	struct sw_loop *loop;
	struct sw_catalog *catalog;
	struct sw_manager *m;
	struct sw_api *api;
	bool synced;
	unsigned changes;
};

static inline void on_change(void *owner, const char *key)
{
	(void)key;
	((struct world *)owner)->changes++;
}

static inline void on_state(void *owner, bool synced, const char *why)
{
	(void)why;
	((struct world *)owner)->synced = synced;
}

/* Turns of the loop until cond holds; fails after ten seconds. */
#define UNTIL(w, cond)                                                                                                 \
	do {                                                                                                           \
		int turns_ = 0;                                                                                        \
		while (!(cond) && turns_++ < 2000)                                                                     \
			(void)sw_loop_until((w)->loop, &(bool){false}, 5);                                             \
		cr_assert(cond, "waited for %s", #cond);                                                               \
	} while (0)

static inline void settle(struct world *w)
{
	(void)sw_loop_until(w->loop, &(bool){false}, 60);
}

static const char *const first_objects =
	"[{'apiVersion':'kueue.x-k8s.io/v1beta2','kind':'ResourceFlavor','metadata':{'name':'any'}},"
	"{'apiVersion':'kueue.x-k8s.io/v1beta2','kind':'WorkloadPriorityClass','metadata':{'name':'high'},'value':100},"
	"{'apiVersion':'kueue.x-k8s.io/"
	"v1beta2','kind':'ClusterQueue','metadata':{'name':'cq'},'spec':{'namespaceSelector':{},'resourceGroups':["
	"{'coveredResources':['cpu','nvidia.com/"
	"gpu'],'flavors':[{'name':'any','resources':[{'name':'cpu','nominalQuota':'8'},{'name':'nvidia.com/"
	"gpu','nominalQuota':'4'}]}]}]}},"
	"{'apiVersion':'kueue.x-k8s.io/"
	"v1beta2','kind':'LocalQueue','metadata':{'name':'lq','namespace':'default'},'spec':{'clusterQueue':'cq'}}]";

/* Nothing is stored yet when it returns. */
static inline void world_begin(struct world *w, size_t log_bytes)
{
	json_t *boot = json_of(first_objects);
	struct sw_embedded_options opt = {.api = {.name = "test", .dir = w->dir, .listen = "127.0.0.1:0"},
					  .catalog = w->catalog,
					  .bootstrap = boot,
					  .log_bytes = log_bytes};
	struct sw_manager_events ev = {.on_change = on_change, .on_state = on_state, .owner = w};

	w->synced = false;
	struct sw_err e = sw_embedded_new(w->loop, &opt, &w->m);

	cr_assert(!sw_failed(e), "%s", e.text);
	json_object_put(boot);
	w->api = sw_embedded_api(w->m);
	e = w->m->ops->watch(w->m, &ev);
	cr_assert(!sw_failed(e), "%s", e.text);
}

static inline void world_start(struct world *w, size_t log_bytes)
{
	world_begin(w, log_bytes);
	UNTIL(w, w->synced);
	UNTIL(w, sw_queue_of(sw_embedded_queue(w->m), "default", "lq"));
}

static inline void world_make(struct world *w)
{
	memset(w, 0, sizeof(*w));
	sw_log_setup(SW_LOG_ERROR, false, 2);
	snprintf(w->dir, sizeof(w->dir), "/tmp/spillway-manager-XXXXXX");
	cr_assert(mkdtemp(w->dir));
	cr_assert(!sw_failed(sw_loop_new(&w->loop)));
	cr_assert(!sw_failed(sw_catalog_load(&w->catalog)));
}

static inline void world_open(struct world *w)
{
	world_make(w);
	world_start(w, 0);
}

/* As after a crash: everything in memory is gone. */
static inline void world_restart(struct world *w)
{
	sw_embedded_free(w->m);
	world_start(w, 0);
}

static inline void world_close(struct world *w)
{
	char cmd[128];

	sw_embedded_free(w->m);
	sw_catalog_free(w->catalog);
	sw_loop_free(w->loop);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", w->dir);
	cr_expect_eq(system(cmd), 0);
#ifdef __SANITIZE_ADDRESS__
	cr_expect_eq(__lsan_do_recoverable_leak_check(), 0, "nothing may be left behind");
#endif
}

/* ---- calls that are waited for ------------------------------------------------------------ */

struct answer {
	bool done;
	struct sw_err e;
};

static inline void on_object(void *owner, struct sw_err e, json_t *o)
{
	struct answer *a = owner;

	(void)o;
	*a = (struct answer){true, e};
}

static inline void on_done(void *owner, struct sw_err e)
{
	*(struct answer *)owner = (struct answer){true, e};
}

static inline struct sw_err wait_for(struct world *w, struct sw_err e, struct answer *a)
{
	if (sw_failed(e))
		return e;
	cr_assert(!a->done, "done must not run inside the call");
	UNTIL(w, a->done);
	return a->e;
}

static inline struct sw_err create(struct world *w, const char *resource, const char *text)
{
	struct answer a = {0};
	json_t *o = json_of(text);
	struct sw_err e = wait_for(w, sw_api_object_create(w->api, resource, o, on_object, &a), &a);

	json_object_put(o);
	return e;
}

/* gives, or NULL */
static inline json_t *get(struct world *w, const char *resource, const char *ns, const char *name)
{
	struct sw_obj_key key = {resource, ns, name};
	json_t *o = NULL;

	return sw_failed(sw_api_object_get(w->api, &key, &o)) ? NULL : o;
}

static inline struct sw_err update(struct world *w, const char *resource, json_t *o_taken)
{
	struct answer a = {0};
	struct sw_err e = wait_for(w, sw_api_object_update(w->api, resource, o_taken, NULL, on_object, &a), &a);

	json_object_put(o_taken);
	return e;
}

static inline struct sw_err erase(struct world *w, const char *resource, const char *ns, const char *name)
{
	struct answer a = {0};
	struct sw_obj_key key = {resource, ns, name};

	return wait_for(w, sw_api_object_delete(w->api, &key, NULL, on_object, &a), &a);
}

static inline json_t *job_json(const char *name, int gpus)
{
	return sw_json_fmt(
		"{\"apiVersion\":\"batch/"
		"v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\",\"labels\":"
		"{\"kueue.x-k8s.io/"
		"queue-name\":\"lq\"}},\"spec\":{\"template\":{\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{"
		"\"name\":\"c\","
		"\"image\":\"busybox\",\"resources\":{\"limits\":{\"cpu\":\"1\",\"nvidia.com/gpu\":\"%d\"}}}]}}}}",
		name, gpus);
}

static inline struct sw_err job_try(struct world *w, json_t *job_taken)
{
	struct answer a = {0};
	struct sw_err e = wait_for(w, sw_api_object_create(w->api, "jobs.batch", job_taken, on_object, &a), &a);

	json_object_put(job_taken);
	return e;
}

static inline void job_add(struct world *w, const char *name, int gpus)
{
	struct sw_err e = job_try(w, job_json(name, gpus));

	cr_assert(!sw_failed(e), "%s", e.text);
}

struct find {
	const char *job;
	char key[600];
};

static inline void find_one(void *owner, const struct sw_workload *wl)
{
	struct find *f = owner;

	if (strcmp(wl->job_name, f->job) == 0)
		snprintf(f->key, sizeof(f->key), "%s", wl->key);
}

/* The row of a job's Workload, or NULL. */
static inline const struct sw_workload *row(struct world *w, const char *job)
{
	struct find f = {.job = job};

	w->m->ops->each(w->m, find_one, &f);
	return *f.key ? w->m->ops->get(w->m, f.key) : NULL;
}

static inline json_t *workload(struct world *w, const char *job)
{
	const struct sw_workload *r = row(w, job);

	return r ? get(w, WL, "default", strchr(r->key, '/') + 1) : NULL;
}

static inline struct sw_err change(struct world *w, const char *job, const struct sw_change *c)
{
	struct answer a = {0};
	const struct sw_workload *r = row(w, job);

	cr_assert(r, "%s has no workload", job);
	return wait_for(w, w->m->ops->change(w->m, r->key, r->rv, c, on_done, &a), &a);
}

static inline void must_change(struct world *w, const char *job, const struct sw_change *c)
{
	struct sw_err e = change(w, job, c);

	cr_assert(!sw_failed(e), "%s", e.text);
}

static inline void nominate(struct world *w, const char *job)
{
	static const char *const clusters[] = {"east", "west", NULL};
	struct sw_change c = {.op = SW_CHANGE_NOMINATE, .clusters = clusters, .message = "step 1"};

	must_change(w, job, &c);
}

static inline void win(struct world *w, const char *job, const char *cluster)
{
	struct sw_change c = {.op = SW_CHANGE_WIN, .cluster = cluster, .message = "won"};

	must_change(w, job, &c);
}

static inline void released(struct world *w, const char *job)
{
	struct sw_change c = {.op = SW_CHANGE_RELEASED};

	must_change(w, job, &c);
}

static inline bool suspended(struct world *w, const char *job)
{
	json_t *o = get(w, "jobs.batch", "default", job);
	bool on = sw_json_bool(o, "spec.suspend");

	json_object_put(o);
	return on;
}

static inline struct sw_err sync_status(struct world *w, const char *job, const char *status)
{
	struct answer a = {0};
	const struct sw_workload *r = row(w, job);
	json_t *s = json_of(status);
	struct sw_err e = wait_for(w, w->m->ops->sync_status(w->m, r->key, r->job_uid, s, on_done, &a), &a);

	json_object_put(s);
	return e;
}

static const char complete_status[] =
	"{'succeeded':1,'startTime':'2026-01-01T00:00:00Z','completionTime':'2026-01-01T00:01:00Z','conditions':["
	"{'type':'SuccessCriteriaMet','status':'True','lastTransitionTime':'2026-01-01T00:01:00Z'},"
	"{'type':'Complete','status':'True','lastTransitionTime':'2026-01-01T00:01:00Z'}]}";

static inline struct sw_err finish(struct world *w, const char *job, const char *status, enum sw_outcome outcome)
{
	struct answer a = {0};
	const struct sw_workload *r = row(w, job);
	json_t *s = json_of(status);
	struct sw_err e =
		wait_for(w, w->m->ops->finish(w->m, r->key, r->job_uid, s, outcome, "the end", on_done, &a), &a);

	json_object_put(s);
	return e;
}

static inline bool is_reserved(struct world *w, const char *job)
{
	const struct sw_workload *r = row(w, job);

	return r && r->reserved && !r->evicted;
}

static inline bool is_waiting(struct world *w, const char *job)
{
	const struct sw_workload *r = row(w, job);

	return r && !r->reserved;
}

static inline int64_t gpus_used(struct world *w)
{
	return sw_queue_used(sw_embedded_queue(w->m), "cq", "any", "nvidia.com/gpu") / 1000;
}

#endif
