/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - see mirror_test.h */
#include <ftw.h>
#include <time.h>
#include <unistd.h>
#include "mirror_test.h"
#include "spillway/fault.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

char fault_log[8000];
const char *fault_lose;
void (*fault_meanwhile)(void);
uint64_t clock_ahead_ms;

bool sw_fault_point(const char *where, const char *detail)
{
	size_t n = strlen(fault_log);

	if (strcmp(where, "kube.send") == 0 && !strstr(detail, "/leases") && strncmp(detail, "GET /apis/", 10) != 0)
		snprintf(fault_log + n, sizeof(fault_log) - n, "%s\n", detail);
	else if (strcmp(where, "kube.send") == 0 && strstr(detail, "/namespaces/") && !strstr(detail, "/leases"))
		snprintf(fault_log + n, sizeof(fault_log) - n, "%s\n", detail);
	if (fault_meanwhile && strcmp(where, "kube.send") == 0 && strncmp(detail, "PATCH /apis/kueue", 17) == 0) {
		void (*once)(void) = fault_meanwhile;

		fault_meanwhile = NULL;
		once();
	}
	if (strcmp(where, "kube.reply") != 0 || !fault_lose || !strstr(detail, fault_lose))
		return false;
	fault_lose = NULL;
	return true;
}

void log_clear(void)
{
	fault_log[0] = '\0';
}

unsigned logged(const char *text)
{
	unsigned n = 0;

	for (const char *p = fault_log; (p = strstr(p, text)); p++)
		n++;
	return n;
}

static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + clock_ahead_ms;
}

void settle(struct world *w, unsigned ms)
{
	(void)sw_loop_until(w->loop, &(bool){false}, ms);
}

/* ---- opening -------------------------------------------------------------------------------- */

static void on_change(void *owner, const char *key)
{
	(void)key;
	((struct world *)owner)->changes++;
}

static void on_state(void *owner, bool synced, const char *why)
{
	(void)why;
	((struct world *)owner)->synced = synced;
	((struct world *)owner)->syncs += synced;
}

static void on_set_back(void *owner)
{
	((struct world *)owner)->set_back++;
}

static void on_lost(void *owner, const char *why)
{
	(void)why;
	((struct world *)owner)->lost = true;
}

void manager_open(struct world *w)
{
	struct sw_mirror_options opt = {.http = w->http,
					.metrics = w->metrics,
					.kubeconfig = w->kubeconfig,
					.store = sw_api_store(w->api),
					.ns = "default",
					.identity = w->identity,
					.lease_ms = w->lease_ms ? w->lease_ms : 60000,
					.clock_ms = clock_ms,
					.on_lost = on_lost,
					.on_set_back = on_set_back,
					.owner = w};
	struct sw_manager_events ev = {.on_change = on_change, .on_state = on_state, .owner = w};

	w->synced = w->lost = false;
	struct sw_err e = sw_mirror_new(w->loop, &opt, &w->m);

	cr_assert(!sw_failed(e), "%s", e.text);
	e = w->m->ops->watch(w->m, &ev);
	cr_assert(!sw_failed(e), "%s", e.text);
}

void manager_close(struct world *w)
{
	sw_mirror_free(w->m);
	w->m = NULL;
}

static void server_listen(struct world *w, const char *where)
{
	struct sw_api_options opt = {
		.serve = SW_SERVE_MANAGER, .name = "manager", .dir = w->dir, .listen = where, .metrics = w->metrics};
	struct sw_err e = sw_api_new(w->loop, &opt, &w->api);

	cr_assert(!sw_failed(e), "%s", e.text);
	w->port = sw_api_port(w->api);
}

void server_close(struct world *w)
{
	sw_api_free(w->api);
	w->api = NULL;
	UNTIL(w, !w->synced);
}

void server_open(struct world *w)
{
	char where[32];

	snprintf(where, sizeof(where), "127.0.0.1:%d", w->port);
	server_listen(w, where);
}

void world_open(struct world *w)
{
	char token[65];

	*w = (struct world){.identity = "one"};
	sw_log_setup(SW_LOG_OFF, false, 2);
	strcpy(w->dir, "/tmp/sw-mirror-XXXXXX");
	cr_assert(mkdtemp(w->dir));
	cr_assert_not(sw_failed(sw_loop_new(&w->loop)));
	cr_assert_not(sw_failed(sw_metrics_new(&w->metrics)));
	server_listen(w, "127.0.0.1:0");
	w->kubeconfig = sw_asprintf("%s/kubeconfig", w->dir);
	cr_assert_not(sw_failed(sw_api_user_add(w->api, "root", SW_ROLE_ADMIN, NULL, token)));
	cr_assert_not(sw_failed(sw_api_kubeconfig_write(w->api, w->kubeconfig, "root", token)));
	cr_assert_not(sw_failed(sw_http_new(w->loop, &w->http)));
	create(w, CHECKS,
	       "{'apiVersion':'kueue.x-k8s.io/v1beta2','kind':'AdmissionCheck','metadata':{'name':'spillway'},'spec':{"
	       "'controllerName':'spillway.dev/dispatch'}}");
	manager_open(w);
	UNTIL(w, w->synced);
	settle(w, 50);
	log_clear();
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

/* sw_loop_free() aborts if a handle or a timer is left. */
void world_close(struct world *w)
{
	sw_mirror_free(w->m);
	sw_http_free(w->http);
	sw_api_free(w->api);
	sw_metrics_free(w->metrics);
	sw_loop_free(w->loop);
	nftw(w->dir, rm_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w->kubeconfig);
#ifdef __SANITIZE_ADDRESS__
	cr_expect_eq(__lsan_do_recoverable_leak_check(), 0, "nothing may be left behind");
#endif
}

/* ---- the server's truth ------------------------------------------------------------------------ */

static void on_object(void *owner, struct sw_err e, json_t *o)
{
	(void)o;
	on_done(owner, e);
}

void create(struct world *w, const char *resource, const char *text)
{
	struct answer a = {0};
	json_t *o = json_of(text);
	struct sw_err e = wait_for(w, sw_api_object_create(w->api, resource, o, on_object, &a), &a);

	json_object_put(o);
	cr_assert(!sw_failed(e), "%s", e.text);
}

json_t *get(struct world *w, const char *resource, const char *name)
{
	struct sw_obj_key key = {resource, strcmp(resource, CHECKS) == 0 ? "" : "default", name};
	json_t *o = NULL;

	return sw_failed(sw_api_object_get(w->api, &key, &o)) ? NULL : o;
}

static void update(struct world *w, const char *resource, json_t *o, const char *sub)
{
	struct answer a = {0};
	struct sw_err e = wait_for(w, sw_api_object_update(w->api, resource, o, sub, on_object, &a), &a);

	json_object_put(o);
	cr_assert(!sw_failed(e), "%s", e.text);
}

void put_status(struct world *w, const char *resource, json_t *o)
{
	update(w, resource, o, "status");
}

void erase(struct world *w, const char *resource, const char *name)
{
	struct answer a = {0};
	struct sw_obj_key key = {resource, "default", name};
	struct sw_err e = wait_for(w, sw_api_object_delete(w->api, &key, NULL, on_object, &a), &a);

	cr_assert(!sw_failed(e), "%s", e.text);
}

/* ---- Kueue ------------------------------------------------------------------------------------------ */

static const char now_text[] = "2026-11-23T10:00:00Z";

static void wl_name(const char *job, char buf[80])
{
	snprintf(buf, 80, "job-%s-12345", job);
}

static json_t *wl_get(struct world *w, const char *job)
{
	char name[80];

	wl_name(job, name);
	json_t *o = get(w, WL, name);

	cr_assert(o, "workload %s", name);
	return o;
}

/* The rows follow what was written. */
static void seen(struct world *w, const char *job)
{
	json_t *o = wl_get(w, job);
	uint64_t rv = strtoull(sw_json_str(o, "metadata.resourceVersion"), NULL, 10);

	json_object_put(o);
	UNTIL(w, !row(w, job) || row(w, job)->rv >= rv);
}

void kueue_job(struct world *w, const char *name)
{
	char text[1500], wl[80];

	snprintf(text, sizeof(text),
		 "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'%s','namespace':'default','labels':{"
		 "'kueue.x-k8s.io/queue-name':'lq'}},'spec':{'suspend':true,'managedBy':'kueue.x-k8s.io/multikueue',"
		 "'template':{'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}}}",
		 name);
	create(w, JOBS, text);
	json_t *job = get(w, JOBS, name);

	wl_name(name, wl);
	snprintf(text, sizeof(text),
		 "{'apiVersion':'kueue.x-k8s.io/v1beta2','kind':'Workload','metadata':{'name':'%s','namespace':"
		 "'default','ownerReferences':[{'apiVersion':'batch/v1','kind':'Job','name':'%s','uid':'%s',"
		 "'controller':true}]},'spec':{'queueName':'lq','priority':7,'priorityClassRef':{'group':'kueue.x-k8s."
		 "io','kind':'WorkloadPriorityClass','name':'low'},'podSets':[{'name':'main','count':1,"
		 "'template':{'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}}]}}",
		 wl, name, sw_json_str(job, "metadata.uid"));
	create(w, WL, text);
	json_object_put(job);
}

static void set_check(json_t *o, const char *state, const char *message)
{
	json_t *list = sw_json_at(o, "status.admissionChecks");

	if (!list) {
		sw_json_set(o, "status.admissionChecks", list = json_object_new_array());
		json_object_array_add(list, sw_json_fmt("{\"name\":\"spillway\"}"));
	}
	json_t *c = sw_json_idx(list, 0);

	sw_json_set_str(c, "state", state);
	sw_json_set_str(c, "message", message);
	sw_json_set_str(c, "lastTransitionTime", now_text);
}

void kueue_reserve(struct world *w, const char *name)
{
	json_t *o = wl_get(w, name);

	sw_json_set_condition(o, "QuotaReserved", true, "QuotaReserved", "", now_text);
	if (sw_json_condition_true(o, "Evicted"))
		sw_json_set_condition(o, "Evicted", false, "QuotaReserved", "", now_text);
	sw_json_set(o, "status.admission",
		    json_of("{'clusterQueue':'cq','podSetAssignments':[{'name':'main','count':1}]}"));
	if (!sw_json_at(o, "status.admissionChecks"))
		set_check(o, "Pending", "");
	put_status(w, WL, o);
	UNTIL(w, row(w, name) && row(w, name)->reserved);
}

/* As prepareForEviction(): the check is reset, clusterName stays. */
void kueue_evict(struct world *w, const char *name, const char *reason)
{
	json_t *o = wl_get(w, name), *list = sw_json_at(o, "status.schedulingStats.evictions");

	sw_json_set_condition(o, "Evicted", true, reason, "", now_text);
	set_check(o, "Pending", "Reset to Pending after eviction. Previously: Ready");
	if (!list)
		sw_json_set(o, "status.schedulingStats.evictions", list = json_object_new_array());
	json_object_array_add(list, sw_json_fmt("{\"reason\":\"%s\",\"underlyingCause\":\"%zu\",\"count\":1}", reason,
						sw_json_len(list)));
	put_status(w, WL, o);
	seen(w, name);
}

void kueue_unreserve(struct world *w, const char *name)
{
	json_t *o = wl_get(w, name);

	sw_json_set_condition(o, "QuotaReserved", false, "Pending", "", now_text);
	sw_json_del(o, "status.admission");
	put_status(w, WL, o);
	seen(w, name);
}

void kueue_suspend(struct world *w, const char *name, bool on)
{
	json_t *o = get(w, JOBS, name);

	sw_json_set_bool(o, "spec.suspend", on);
	update(w, JOBS, o, NULL);
	settle(w, 30);
}

void kueue_stop(struct world *w, const char *name)
{
	json_t *o = get(w, JOBS, name);

	sw_json_set_bool(o, "spec.suspend", true);
	sw_json_set_annotation(o, "kueue.x-k8s.io/stopping", "true");
	update(w, JOBS, o, NULL);
}

/* ---- dispatch ----------------------------------------------------------------------------------------- */

struct find {
	const char *job;
	char key[600];
};

static void find_one(void *owner, const struct sw_workload *wl)
{
	struct find *f = owner;

	if (strcmp(wl->job_name, f->job) == 0)
		snprintf(f->key, sizeof(f->key), "%s", wl->key);
}

const struct sw_workload *row(struct world *w, const char *job)
{
	struct find f = {.job = job};

	w->m->ops->each(w->m, find_one, &f);
	return *f.key ? w->m->ops->get(w->m, f.key) : NULL;
}

void on_done(void *owner, struct sw_err e)
{
	struct answer *a = owner;

	cr_assert(!a->done, "done runs once");
	a->done = true;
	a->e = e;
}

struct sw_err wait_for(struct world *w, struct sw_err e, struct answer *a)
{
	if (sw_failed(e))
		return e;
	cr_assert(!a->done, "done must not run inside the call");
	UNTIL(w, a->done);
	return a->e;
}

struct sw_err change(struct world *w, const char *job, struct sw_change c)
{
	struct answer a = {0};
	const struct sw_workload *r = row(w, job);

	cr_assert(r, "no row of %s", job);
	return wait_for(w, w->m->ops->change(w->m, r->key, r->rv, &c, on_done, &a), &a);
}

struct sw_err nominate(struct world *w, const char *job, const char *cluster)
{
	const char *clusters[] = {cluster, NULL};

	return change(w, job, (struct sw_change){.op = SW_CHANGE_NOMINATE, .clusters = clusters, .message = "try it"});
}

struct sw_err win(struct world *w, const char *job, const char *cluster)
{
	return change(w, job, (struct sw_change){.op = SW_CHANGE_WIN, .cluster = cluster, .message = "placed"});
}

void placed(struct world *w, const char *job, const char *cluster)
{
	kueue_job(w, job);
	kueue_reserve(w, job);
	struct sw_err e = win(w, job, cluster);

	cr_assert(!sw_failed(e), "%s", e.text);
}

static void on_read(void *owner, struct sw_err e, json_t *job, json_t *workload)
{
	struct answer *a = owner;

	a->job = job ? sw_json_copy(job) : NULL;
	a->workload = workload ? sw_json_copy(workload) : NULL;
	on_done(a, e);
}

struct sw_err read_job(struct world *w, const char *job, struct answer *a)
{
	*a = (struct answer){0};
	return wait_for(w, w->m->ops->read(w->m, row(w, job)->key, on_read, a), a);
}

struct sw_err sync_status(struct world *w, const char *job, const char *status)
{
	struct answer a = {0};
	json_t *s = json_of(status);
	const struct sw_workload *r = row(w, job);
	struct sw_err e = wait_for(w, w->m->ops->sync_status(w->m, r->key, r->job_uid, s, on_done, &a), &a);

	json_object_put(s);
	return e;
}

struct sw_err finish(struct world *w, const char *job, const char *status, enum sw_outcome outcome)
{
	struct answer a = {0};
	json_t *s = json_of(status);
	const struct sw_workload *r = row(w, job);
	struct sw_err e =
		wait_for(w, w->m->ops->finish(w->m, r->key, r->job_uid, s, outcome, "it ended", on_done, &a), &a);

	json_object_put(s);
	return e;
}
