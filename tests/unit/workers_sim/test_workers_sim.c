/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_workers_sim.c - the workers and burst rooms against simulated clusters, over HTTPS, through the whole client
 *
 * A job's copy from reservation to result and sweep; a cluster that is cut off and comes back; a pool that grows from
 * nothing for a gang and is given back. Waits are for events, bounded by real time that is never reached.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/burst.h"
#include "spillway/sim.h"
#include "spillway/text.h"

static const char specs[] =
	"timeScale: 200\n"
	"clusters:\n"
	"  - name: east\n"
	"    cloud: gke\n"
	"    region: europe-west4\n"
	"    nodes:\n"
	"      - { name: v100, machine: dgx-1, gpu: V100, gpus: 4, cpu: 32, memory: 128Gi, count: 2, priceHour: 0 }\n"
	"    pools:\n"
	"      - { name: h100, machine: a3-highgpu-8g, gpu: H100, gpus: 8, cpu: 200, memory: 1800Gi, min: 0, max: 2, "
	"growSeconds: 60, priceHour: 30, exclusive: true }\n";

struct stage {
	struct sw_loop *loop;
	struct sw_http *http;
	struct sw_catalog *catalog;
	struct sw_sim_specs *specs;
	struct sw_sim *sim;
	struct sw_config config;
	struct sw_cluster_cfg cfg;
	struct sw_manager manager;
	json_t *notes;
	struct sw_workers *ws;
	struct sw_worker *w;
	struct sw_burst *burst;
	struct sw_demand demand;
	json_t *job;
	char dir[64], kubeconfig[96];
	int pods, done;
	struct sw_err last;
	bool (*cond)(struct stage *s);
	bool met;
	struct sw_timer *timer;
};
static struct stage *the;

/* ---- the manager: notes only ---------------------------------------------------- */

static struct sw_err note_put(struct sw_manager *m, const char *name, json_t *value, sw_manager_fn *done, void *owner)
{
	(void)m;
	json_object_object_del(the->notes, name);
	if (value)
		json_object_object_add(the->notes, name, json_object_get(value));
	if (done)
		done(owner, SW_OK); /* a store that is faster than any disk */
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
	return key ? &known : NULL;
}
static const struct sw_manager_ops manager_ops = {.name = "fake", .note_put = note_put, .notes = notes, .get = get};

/* ---- the stage ---------------------------------------------------------------------- */

static void on_pod(void *owner, const char *key, struct sw_worker *w, const char *name, json_t *pod)
{
	struct stage *s = owner;
	(void)pod;
	cr_assert(key && w && name);
	s->pods++;
}

static void on_done(void *owner, struct sw_err err)
{
	struct stage *s = owner;
	s->done++;
	s->last = err;
}

static void on_tick(void *owner)
{
	struct stage *s = owner;
	s->met = s->cond(s);
	sw_timer_in(s->timer, 10);
}

static bool until(struct stage *s, bool (*cond)(struct stage *s))
{
	s->cond = cond;
	s->met = false;
	sw_timer_in(s->timer, 0);
	bool met = sw_loop_until(s->loop, &s->met, 20000);
	sw_timer_stop(s->timer);
	return met;
}

static bool is_ready(struct stage *s)
{
	return sw_worker_state(s->w).ready;
}
static bool is_done(struct stage *s)
{
	return s->done > 0;
}

static void must(struct sw_err e)
{
	cr_assert(!sw_failed(e), "%s", e.text);
}

static void workers_open(struct stage *s)
{
	struct sw_workers_options opt = {.loop = s->loop,
					 .http = s->http,
					 .config = &s->config,
					 .catalog = s->catalog,
					 .manager = &s->manager,
					 .origin = "test-origin",
					 .epoch = 1,
					 .on_pod = on_pod,
					 .owner = s};
	must(sw_workers_new(&opt, &s->ws));
	s->w = sw_workers_at(s->ws, 0);
	cr_assert(until(s, is_ready), "%s", sw_worker_state(s->w).why);
}

static struct stage *stage_new(int pods, const char *run)
{
	struct stage *s = sw_calloc(1, sizeof *s);

	the = s;
	sw_log_setup(SW_LOG_ERROR, false, 2);
	s->last = SW_OK;
	s->notes = json_object_new_object();
	s->manager.ops = &manager_ops;
	must(sw_loop_new(&s->loop));
	must(sw_http_new(s->loop, &s->http));
	must(sw_catalog_load(&s->catalog));
	must(sw_timer_new(s->loop, on_tick, s, &s->timer));
	must(sw_sim_specs_parse("specs.yaml", specs, strlen(specs), s->catalog, &s->specs));
	snprintf(s->dir, sizeof s->dir, "/tmp/spillway-test-XXXXXX");
	cr_assert_not_null(mkdtemp(s->dir));
	struct sw_sim_options so = {.dir = s->dir, .relay = true};
	must(sw_sim_new(s->loop, &s->specs->at[0], &so, &s->sim));
	snprintf(s->kubeconfig, sizeof s->kubeconfig, "%s/kubeconfig", s->dir);
	must(sw_sim_kubeconfig_write(s->sim, s->kubeconfig));
	s->cfg = (struct sw_cluster_cfg){.name = "east",
					 .provider = "sim",
					 .worker = "plain",
					 .kubeconfig = s->kubeconfig,
					 .region = "",
					 .burst = true};
	s->config = (struct sw_config){.lost_after_ms = 60000,
				       .idle_release_ms = 500,
				       .stockout_ms = 60000,
				       .max_price_hour = 100,
				       .price_max_age_ms = INT64_MAX / 2,
				       .clusters = &s->cfg,
				       .n_clusters = 1};
	s->job = sw_json_fmt(
		"{\"apiVersion\":\"batch/"
		"v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"train\",\"namespace\":\"team\",\"uid\":\"owner-1\"},"
		"\"spec\":{\"parallelism\":%d,\"completions\":%d,\"completionMode\":\"Indexed\",\"suspend\":true,"
		"\"template\":{\"metadata\":{\"annotations\":{"
		"\"sim.spillway.dev/run\":\"%s\",\"sim.spillway.dev/log\":\"epoch 1\\nepoch "
		"2\"}},\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\","
		"\"image\":\"i\",\"resources\":{\"requests\":{\"cpu\":\"1\"},\"limits\":{\"nvidia.com/"
		"gpu\":\"4\"}}}]}}}}",
		pods, pods, run);
	must(sw_demand_read(sw_kind_named("job"), s->job, s->catalog, &s->demand));
	workers_open(s);
	return s;
}

static void stage_free(struct stage *s)
{
	char cmd[128];

	sw_burst_free(s->burst);
	sw_workers_free(s->ws);
	sw_sim_free(s->sim);
	sw_sim_specs_free(s->specs);
	sw_timer_free(s->timer);
	sw_http_free(s->http);
	sw_loop_free(s->loop);
	sw_catalog_free(s->catalog);
	json_object_put(s->notes);
	json_object_put(s->job);
	snprintf(cmd, sizeof cmd, "rm -rf %s", s->dir);
	cr_assert_eq(system(cmd), 0);
	free(s);
}

static struct sw_offer offer(struct stage *s, const char *pool)
{
	return (struct sw_offer){.key = "team/job-train",
				 .kind = sw_kind_named("job"),
				 .ns = "team",
				 .name = "train",
				 .owner_uid = "owner-1",
				 .attempt = 1,
				 .pool = pool,
				 .demand = &s->demand};
}

static struct sw_copy look(struct stage *s)
{
	return sw_worker_copy(s->w, sw_kind_named("job"), "team", "train", "owner-1");
}

/* Steps as dispatch takes them, until the copy is unsuspended. */
static void start_through(struct stage *s, const char *pool)
{
	struct sw_offer o = offer(s, pool);
	for (int i = 0; i < 20 && (look(s).seen != SW_COPY_OURS || look(s).suspended); i++) {
		s->done = 0;
		struct sw_err e = sw_worker_start(s->w, &o, s->job, on_done, s);
		cr_assert(!sw_failed(e), "%s", e.text);
		cr_assert(until(s, is_done));
		cr_assert(!sw_failed(s->last) || s->last.code == SW_E_CONFLICT, "%s", s->last.text);
	}
	cr_assert(look(s).seen == SW_COPY_OURS && !look(s).suspended);
}

static bool has_fixed_nodes(struct stage *s)
{
	const struct sw_pool *p = sw_worker_pool(s->w, "v100");
	return p && p->size == 2 && p->gpus == 4;
}
static bool is_finished(struct stage *s)
{
	return look(s).outcome == SW_SUCCEEDED;
}
static bool is_absent(struct stage *s)
{
	return look(s).seen == SW_COPY_ABSENT;
}
static bool is_unknown(struct stage *s)
{
	return look(s).seen == SW_COPY_UNKNOWN;
}
static bool is_scheduled(struct stage *s)
{
	return look(s).scheduled == 2;
}
static bool is_running(struct stage *s)
{
	return look(s).active == 2 && look(s).scheduled == 2;
}

struct tail {
	char text[200];
	int n;
	struct sw_err err;
};
static struct tail tail;
static void on_tail(void *owner, struct sw_err err, const char *bytes, size_t n, bool cut)
{
	(void)owner;
	(void)cut;
	snprintf(tail.text, sizeof tail.text, "%.*s", (int)n, bytes);
	tail.err = err;
	tail.n++;
}
static bool is_tailed(struct stage *s)
{
	(void)s;
	return tail.n > 0;
}

Test(workers_sim, a_copy_from_reservation_to_result_and_sweep, .timeout = 60)
{
	struct stage *s = stage_new(2, "20s");
	struct sw_offer o = offer(s, "v100");
	int missing = -9;
	cr_assert(until(s, has_fixed_nodes));
	must(sw_worker_reserve(s->w, &o, &missing));
	cr_expect_eq(missing, 0);
	start_through(s, "v100");
	cr_expect(until(s, is_finished), "%s", sw_worker_state(s->w).why);
	cr_expect_gt(s->pods, 0);
	json_t *status = sw_worker_copy_status(s->w, sw_kind_named("job"), "team", "train");
	cr_expect_eq(sw_json_int(status, "succeeded", 0), 2);
	json_object_put(status);
	must(sw_worker_sweep(s->w, o.kind, "team", "train", look(s).uid, on_done, s));
	cr_expect(until(s, is_absent));
	stage_free(s);
}

static char pod_name[256];
static bool first_pod(struct stage *s)
{
	json_t *pod = NULL;
	struct sw_obj_key key = {"pods", "team", pod_name};
	if (!*pod_name)
		return false;
	bool found = !sw_failed(sw_api_object_get(sw_sim_api(s->sim), &key, &pod));
	json_object_put(pod);
	return found;
}
static void remember_pod(void *owner, const char *key, struct sw_worker *w, const char *name, json_t *pod)
{
	const char *phase = pod ? sw_json_str(pod, "status.phase") : NULL;
	(void)key;
	(void)w;
	if (phase && strcmp(phase, "Succeeded") == 0)
		snprintf(pod_name, sizeof pod_name, "%s", name);
	on_pod(owner, key, w, name, pod);
}

Test(workers_sim, the_log_of_a_finished_pod_is_read_before_the_sweep, .timeout = 60)
{
	struct stage *s = stage_new(1, "2s");
	sw_workers_free(s->ws);
	struct sw_workers_options opt = {.loop = s->loop,
					 .http = s->http,
					 .config = &s->config,
					 .catalog = s->catalog,
					 .manager = &s->manager,
					 .origin = "test-origin",
					 .epoch = 1,
					 .on_pod = remember_pod,
					 .owner = s};
	must(sw_workers_new(&opt, &s->ws));
	s->w = sw_workers_at(s->ws, 0);
	cr_assert(until(s, is_ready));
	start_through(s, "v100");
	cr_assert(until(s, first_pod));
	must(sw_worker_log_tail(s->w, "team", pod_name, NULL, 1 << 20, on_tail, s));
	cr_assert(until(s, is_tailed));
	cr_expect(!sw_failed(tail.err), "%s", tail.err.text);
	cr_expect(strstr(tail.text, "epoch 2"), "%s", tail.text);
	stage_free(s);
}

Test(workers_sim, a_cluster_that_is_cut_off_is_unknown_and_comes_back_with_its_copies, .timeout = 60)
{
	struct stage *s = stage_new(2, "100000s");
	start_through(s, "v100");
	cr_assert(until(s, is_running));
	sw_sim_fault(s->sim, SW_SIM_CUT);
	cr_expect(until(s, is_unknown));
	struct sw_worker_state st = sw_worker_state(s->w);
	cr_expect(!st.ready && st.lost_since_ms && *st.why);
	sw_sim_fault(s->sim, SW_SIM_OK);
	cr_expect(until(s, is_ready), "%s", sw_worker_state(s->w).why);
	cr_expect(until(s, is_running));
	sw_workers_free(s->ws); /* and once more with nothing in memory */
	workers_open(s);
	cr_expect(until(s, is_running));
	cr_expect_eq(look(s).attempt, 1);
	stage_free(s);
}

static bool is_reserved(struct stage *s)
{
	struct sw_offer o = offer(s, "h100");
	int missing = -9;
	must(sw_worker_reserve(s->w, &o, &missing));
	sw_burst_want(s->burst, o.key, "east", "h100", missing > 0 ? missing : 0);
	return missing == 0;
}
static bool is_one_node(struct stage *s)
{
	const struct sw_pool *p = sw_worker_pool(s->w, "h100");
	return p && p->size == 1 && p->target == 1;
}
static bool is_shrunk(struct stage *s)
{
	const struct sw_pool *p = sw_worker_pool(s->w, "h100");
	return p && p->size == 0 && p->target == 0;
}

Test(workers_sim, a_pool_grows_from_nothing_for_a_gang_and_is_given_back, .timeout = 60)
{
	struct stage *s = stage_new(2, "20s");
	struct sw_burst_options opt = {
		.loop = s->loop, .config = &s->config, .manager = &s->manager, .workers = s->ws, .owner = s};
	must(sw_burst_new(&opt, &s->burst));
	cr_assert(until(s, is_shrunk));
	cr_expect(until(s, is_reserved), "one node of eight GPUs for two pods of four");
	cr_expect(until(s, is_one_node));
	cr_expect_eq(sw_burst_look(s->burst, "east", "h100", 0).committed_hour, 30);
	start_through(s, "h100");
	cr_expect(until(s, is_scheduled), "the taint is tolerated, the label matches");
	cr_expect(until(s, is_finished));
	sw_worker_unreserve(s->w, "team/job-train");
	s->done = 0;
	must(sw_worker_sweep(s->w, sw_kind_named("job"), "team", "train", look(s).uid, on_done, s));
	cr_expect(until(s, is_absent));
	cr_expect(until(s, is_shrunk), "idle: cordoned, checked, released");
	cr_expect_eq(json_object_object_length(s->notes), 0);
	stage_free(s);
}
