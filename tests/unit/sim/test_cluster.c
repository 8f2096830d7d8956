/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cluster.c - whole clusters over HTTPS: jobs run to their end, pools grow and shrink through the provider, faults
 * are felt
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "spillway/kube.h"
#include "spillway/provider.h"
#include "spillway/sim.h"
#include "spillway/text.h"

enum { LIMIT_MS = 20000 };

struct fixture {
	struct sw_loop *loop;
	struct sw_http *http;
	struct sw_catalog *catalog;
	struct sw_sim *sim;
	struct sw_kube *kube;
	struct sw_provider *provider;
	struct sw_cluster_cfg cfg;
	char dir[64];
	/* the last reply */
	bool done;
	struct sw_err err;
	json_t *object;
	char *body;
	int size, target, n_errors, quota_left;
	double price;
	char instance[96];
	enum sw_pool_fault fault;
	int64_t fault_ms;
};

static const char spec[] =
	"timeScale: 200\n"
	"clusters:\n"
	"- name: c\n"
	"  cloud: gke\n"
	"  region: europe-west4\n"
	"  nodes:\n"
	"  - {name: cpu, count: 2, machine: e2, cpu: 4, memory: 16Gi}\n"
	"  pools:\n"
	"  - {name: l4, machine: g2-standard-8, zone: europe-west4-a, max: 3, growSeconds: 20, quota: 3}\n";

static void open_kube(struct fixture *f)
{
	char path[96];
	struct sw_kubeconfig *kc;
	struct sw_err e;

	snprintf(path, sizeof(path), "%s/kubeconfig", f->dir);
	e = sw_sim_kubeconfig_write(f->sim, path);
	cr_assert(!sw_failed(e), "%s", e.text);
	e = sw_kubeconfig_load(path, NULL, &kc);
	cr_assert(!sw_failed(e), "%s", e.text);
	e = sw_kube_new(f->loop, f->http, kc, &(struct sw_kube_options){.name = "c"}, &f->kube);
	cr_assert(!sw_failed(e), "%s", e.text);
	unlink(path);
}

static void close_all(struct fixture *f)
{
	sw_provider_sim.close(f->provider);
	sw_kube_free(f->kube);
	sw_sim_free(f->sim);
	sw_http_free(f->http);
	sw_catalog_free(f->catalog);
	sw_loop_free(f->loop);
	json_object_put(f->object);
	free(f->body);
	cr_expect_eq(rmdir(f->dir), 0, "the cluster leaves files behind in %s", f->dir);
}

static void on_reply(void *owner, struct sw_err e, const struct sw_kube_reply *reply)
{
	struct fixture *f = owner;

	f->done = true;
	f->err = e;
	json_object_put(f->object);
	f->object = json_object_get(reply->object);
	free(f->body);
	f->body = sw_strdup(reply->body ? reply->body : "");
}

/* One request, to its end. */
static json_t *ask_for(struct fixture *f, const char *method, const char *path, const char *type, const char *body,
		       long timeout_ms)
{
	struct sw_kube_req req = {.cls = SW_KUBE_CREATE,
				  .method = method,
				  .path = path,
				  .content_type = type,
				  .body = body,
				  .body_len = body ? strlen(body) : 0,
				  .timeout_ms = timeout_ms};
	struct sw_kube_call *call;
	struct sw_err e;

	f->done = false;
	e = sw_kube_start(f->kube, &req, on_reply, f, &call);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert(sw_loop_until(f->loop, &f->done, LIMIT_MS), "%s %s: no answer", method, path);
	return f->object;
}

/* Lets the cluster work for a moment: what is waited for is seen over HTTP only. */
static void turn(struct fixture *f)
{
	bool never = false;

	sw_loop_until(f->loop, &never, 2);
}

static void open_all(struct fixture *f, bool relay)
{
	struct sw_sim_specs *specs;
	struct sw_err e;

	*f = (struct fixture){.dir = "/tmp/spillway-test-XXXXXX", .cfg = {.name = "c", .provider = "sim"}};
	cr_assert(mkdtemp(f->dir));
	cr_assert(!sw_failed(sw_loop_new(&f->loop)));
	cr_assert(!sw_failed(sw_http_new(f->loop, &f->http)));
	cr_assert(!sw_failed(sw_catalog_load(&f->catalog)));
	e = sw_sim_specs_parse("spec", spec, strlen(spec), f->catalog, &specs);
	cr_assert(!sw_failed(e), "%s", e.text);
	e = sw_sim_new(f->loop, &specs->at[0], &(struct sw_sim_options){.dir = f->dir, .relay = relay}, &f->sim);
	cr_assert(!sw_failed(e), "%s", e.text);
	sw_sim_specs_free(specs);
	open_kube(f);
	struct sw_provider_env env = {.loop = f->loop, .http = f->http, .kube = f->kube, .catalog = f->catalog};

	cr_assert(!sw_failed(sw_provider_sim.open(&env, &f->cfg, &f->provider)));
	for (int i = 0;
	     i < 1000 && sw_json_len(sw_json_at(ask_for(f, "GET", "/apis/sim.spillway.dev/v1/nodepools", NULL, NULL, 0),
						"items")) < 2;
	     i++)
		turn(f);
}

static json_t *get(struct fixture *f, const char *path)
{
	json_t *o = ask_for(f, "GET", path, NULL, NULL, 0);

	cr_assert(!sw_failed(f->err), "%s: %s", path, f->err.text);
	return o;
}

static void post(struct fixture *f, const char *path, const char *single_quoted)
{
	char *text = sw_strdup(single_quoted);

	for (char *p = text; (p = strchr(p, '\''));)
		*p = '"';
	ask_for(f, "POST", path, NULL, text, 0);
	cr_assert(!sw_failed(f->err), "%s: %s", path, f->err.text);
	free(text);
}

/* Asks again until the field is so. */
static void await(struct fixture *f, const char *path, const char *field, const char *value)
{
	const char *is = NULL;

	for (int i = 0; i < 2000; i++) {
		json_t *at = sw_json_at(get(f, path), field);

		is = json_object_get_string(at);
		if (is && strcmp(is, value) == 0)
			return;
		turn(f);
	}
	cr_assert_fail("%s: %s is %s, expected %s: %s", path, field, is ? is : "absent", value, f->body);
}

#define JOBS  "/apis/batch/v1/namespaces/default/jobs"
#define PODS  "/api/v1/namespaces/default/pods"
#define NODES "/api/v1/nodes"
#define POOL  "/apis/sim.spillway.dev/v1/nodepools/l4"

Test(cluster, jobs_run_to_their_end)
{
	struct fixture f;

	open_all(&f, false);
	post(&f, JOBS,
	     "{'apiVersion':'batch/"
	     "v1','kind':'Job','metadata':{'name':'pi'},'spec':{'template':{'metadata':{'annotations':{'sim.spillway."
	     "dev/log':'3.14'}},"
	     "'spec':{'restartPolicy':'Never','containers':[{'name':'pi','image':'perl','resources':{'requests':{'cpu':"
	     "'1'}}}]}}}}");
	post(&f, JOBS,
	     "{'apiVersion':'batch/"
	     "v1','kind':'Job','metadata':{'name':'shards'},'spec':{'completionMode':'Indexed','completions':6,'"
	     "parallelism':3,'backoffLimitPerIndex':1,"
	     "'template':{'metadata':{'annotations':{'sim.spillway.dev/"
	     "fail-indexes':'2,5'}},'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'busybox'}]}}}}");
	await(&f, JOBS "/pi", "status.succeeded", "1");
	await(&f, JOBS "/pi", "status.terminating", "0");
	await(&f, JOBS "/shards", "status.failedIndexes", "2,5");
	await(&f, JOBS "/shards", "status.completedIndexes", "0,1,3,4");
	for (int i = 0; i < 1000 && !sw_json_condition_true(f.object, "Failed"); i++)
		get(&f, JOBS "/shards");
	cr_expect_str_eq(sw_json_str(sw_json_condition(f.object, "Failed"), "reason"), "FailedIndexes");
	cr_expect_eq(sw_json_int(f.object, "status.failed", 0), 4);
	for (int i = 0; i < 1000 && !sw_json_condition_true(f.object, "Complete"); i++)
		get(&f, JOBS "/pi");
	cr_expect(sw_json_str(f.object, "status.completionTime"));
	/* no pod keeps a finalizer, and logs are there */
	json_t *pods = sw_json_at(get(&f, PODS "?labelSelector=job-name%3Dpi"), "items");

	cr_assert_eq(sw_json_len(pods), 1);
	cr_expect_null(sw_json_at(sw_json_idx(pods, 0), "metadata.finalizers"));
	char *path = sw_asprintf(PODS "/%s/log?container=pi", sw_json_str(sw_json_idx(pods, 0), "metadata.name"));

	ask_for(&f, "GET", path, NULL, NULL, 0);
	cr_expect_str_eq(f.body, "3.14\n");
	free(path);
	close_all(&f);
}

Test(cluster, a_deleted_job_takes_its_pods_along_after_their_grace)
{
	struct fixture f;

	open_all(&f, false);
	post(&f, JOBS,
	     "{'apiVersion':'batch/"
	     "v1','kind':'Job','metadata':{'name':'j'},'spec':{'parallelism':3,'completions':3,'template':{'metadata':{"
	     "'annotations':{'sim.spillway.dev/run':'10h'}},"
	     "'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}}}");
	await(&f, JOBS "/j", "status.ready", "3");
	ask_for(&f, "DELETE", JOBS "/j?propagationPolicy=Background", NULL, NULL, 0);
	cr_assert(!sw_failed(f.err), "%s", f.err.text);
	for (int i = 0; i < 2000 && sw_json_len(sw_json_at(get(&f, PODS), "items")) > 0; i++)
		turn(&f);
	cr_expect_eq(sw_json_len(sw_json_at(f.object, "items")), 0);
	close_all(&f);
}

Test(cluster, suspending_empties_and_resuming_fills)
{
	struct fixture f;

	open_all(&f, false);
	post(&f, JOBS,
	     "{'apiVersion':'batch/"
	     "v1','kind':'Job','metadata':{'name':'j'},'spec':{'suspend':true,'template':{'metadata':{'annotations':{'"
	     "sim.spillway.dev/run':'10h'}},"
	     "'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}}}");
	for (int i = 0; i < 1000 && !sw_json_condition_true(get(&f, JOBS "/j"), "Suspended"); i++)
		turn(&f);
	ask_for(&f, "PATCH", JOBS "/j", SW_MERGE_PATCH, "{\"spec\":{\"suspend\":false}}", 0);
	await(&f, JOBS "/j", "status.ready", "1");
	ask_for(&f, "PATCH", JOBS "/j", SW_MERGE_PATCH, "{\"spec\":{\"suspend\":true}}", 0);
	for (int i = 0; i < 2000 && (sw_json_len(sw_json_at(get(&f, PODS), "items")) > 0); i++)
		turn(&f);
	get(&f, JOBS "/j");
	cr_expect_null(sw_json_at(f.object, "status.active"));
	cr_expect(sw_json_condition_true(f.object, "Suspended"));
	close_all(&f);
}

Test(cluster, a_training_job_runs_on_grown_nodes_only_if_it_tolerates_them)
{
	struct fixture f;
	static const char job[] = "{'apiVersion':'kubeflow.org/"
				  "v1','kind':'PyTorchJob','metadata':{'name':'%s'},'spec':{'pytorchReplicaSpecs':{'"
				  "Master':{'replicas':1,'restartPolicy':'Never',"
				  "'template':{'spec':{%s'containers':[{'name':'pytorch','image':'i','resources':{'"
				  "limits':{'nvidia.com/gpu':'1'}}}]}}}}}}";
	char *text = sw_asprintf(job, "strict", "");

	open_all(&f, false);
	post(&f, "/apis/kubeflow.org/v1/namespaces/default/pytorchjobs", text);
	free(text);
	text = sw_asprintf(
		job, "burst",
		"'tolerations':[{'key':'spillway.dev/burst','operator':'Equal','value':'l4','effect':'NoSchedule'}],");
	post(&f, "/apis/kubeflow.org/v1/namespaces/default/pytorchjobs", text);
	free(text);
	ask_for(&f, "PATCH", POOL, SW_MERGE_PATCH, "{\"spec\":{\"desired\":1}}", 0);
	for (int i = 0; i < 2000; i++) {
		json_t *c = sw_json_at(get(&f, "/apis/kubeflow.org/v1/namespaces/default/pytorchjobs/burst"),
				       "status.conditions");

		if (sw_json_len(c) && strcmp(sw_json_str(sw_json_idx(c, sw_json_len(c) - 1), "type"), "Succeeded") == 0)
			break;
		turn(&f);
	}
	cr_expect(sw_json_condition_true(f.object, "Succeeded"), "%s", f.body);
	get(&f, PODS "/strict-master-0");
	cr_expect_str_eq(sw_json_str(f.object, "status.phase"), "Pending");
	cr_expect(strstr(sw_json_str(sw_json_condition(f.object, "PodScheduled"), "message"),
			 "untolerated taint {spillway.dev/burst: l4}"));
	close_all(&f);
}

/* ---- the provider ------------------------------------------------------------------------ */

static void on_done(void *owner, struct sw_err e)
{
	struct fixture *f = owner;

	f->done = true;
	f->err = e;
}

static void on_list(void *owner, struct sw_err e, const struct sw_provider_state *state)
{
	struct fixture *f = owner;

	f->done = true;
	f->err = e;
	f->instance[0] = '\0';
	f->n_errors = (int)state->n_errors;
	for (size_t i = 0; i < state->n_pools; i++)
		if (strcmp(state->pools[i].name, "l4") == 0) {
			f->size = state->pools[i].size;
			f->target = state->pools[i].target;
			f->price = state->pools[i].price_hour;
			f->quota_left = state->pools[i].quota_left;
		}
	for (size_t i = 0; i < state->n_instances; i++)
		if (strcmp(state->instances[i].pool, "l4") == 0)
			snprintf(f->instance, sizeof(f->instance), "%s", state->instances[i].id);
	if (state->n_errors) {
		f->fault = state->errors[0].fault;
		f->fault_ms = state->errors[0].at_ms;
	}
}

static void list(struct fixture *f)
{
	f->done = false;
	cr_assert(!sw_failed(sw_provider_sim.list(f->provider, on_list, f)));
	cr_assert_not(f->done, "done must not run inside list()");
	cr_assert(sw_loop_until(f->loop, &f->done, LIMIT_MS));
	cr_assert(!sw_failed(f->err), "%s", f->err.text);
}

static struct sw_err grow(struct fixture *f, int n, const char *token)
{
	struct sw_err e;

	f->done = false;
	e = sw_provider_sim.grow(f->provider, "l4", n, token, on_done, f);
	if (sw_failed(e))
		return e;
	cr_assert(sw_loop_until(f->loop, &f->done, LIMIT_MS));
	return f->err;
}

static void release(struct fixture *f, const char *id)
{
	f->done = false;
	cr_assert(!sw_failed(sw_provider_sim.release(f->provider, "l4", &id, 1, on_done, f)));
	cr_assert(sw_loop_until(f->loop, &f->done, LIMIT_MS));
	cr_assert(!sw_failed(f->err), "%s", f->err.text);
}

static void await_size(struct fixture *f, int size)
{
	for (int i = 0; i < 2000; i++) {
		list(f);
		if (f->size == size)
			return;
		turn(f);
	}
	cr_assert_fail("the pool has %d nodes, expected %d", f->size, size);
}

Test(cluster, a_pool_grows_once_per_token_and_releases_by_name)
{
	struct fixture f;
	struct sw_err e;
	char id[96];

	open_all(&f, false);
	list(&f);
	cr_expect_float_eq(f.price, 0.8972, 1e-9);
	cr_expect_eq(f.quota_left, 3);
	cr_assert(!sw_failed(grow(&f, 2, "t1")), "%s", f.err.text);
	cr_assert(!sw_failed(grow(&f, 2, "t1")), "a repeat is good");
	list(&f);
	cr_expect_eq(f.target, 2, "and changes nothing");
	e = grow(&f, 2, "t2");
	cr_expect_eq(e.code, SW_E_INVALID);
	cr_expect(strstr(e.text, "expected at most 3"), "%s", e.text);
	await_size(&f, 2);
	strcpy(id, f.instance);
	get(&f, NODES);
	cr_expect(strstr(f.body, id));
	release(&f, id);
	release(&f, id);
	list(&f);
	cr_expect_eq(f.target, 1, "released once");
	await_size(&f, 1);
	for (int i = 0; i < 2000 && strstr((get(&f, NODES), f.body), id); i++)
		turn(&f);
	cr_expect_not(strstr(f.body, id), "its node is gone");
	release(&f, "nobody");
	cr_assert(!sw_failed(grow(&f, 1, "t3")));
	list(&f);
	cr_expect_eq(f.target, 2);
	close_all(&f);
}

Test(cluster, tokens_are_remembered_sixteen_back)
{
	struct fixture f;
	char token[24];

	open_all(&f, false);
	for (int i = 0; i < 20; i++) {
		snprintf(token, sizeof(token), "token-%d", i);
		cr_assert(!sw_failed(grow(&f, 1, token)), "%s", f.err.text);
		for (list(&f); !*f.instance; list(&f))
			turn(&f);
		release(&f, f.instance);
	}
	cr_assert(!sw_failed(grow(&f, 1, "token-4")), "a repeat of the oldest that is remembered");
	list(&f);
	cr_expect_eq(f.target, 0);
	cr_assert(!sw_failed(grow(&f, 1, "token-3")));
	list(&f);
	cr_expect_eq(f.target, 1, "older ones are forgotten");
	close_all(&f);
}

Test(cluster, a_stockout_is_told_and_the_size_falls_back)
{
	struct fixture f;
	int64_t asked_ms;

	open_all(&f, false);
	sw_sim_stockout(f.sim, "l4", true);
	asked_ms = sw_loop_wall(f.loop);
	cr_assert(!sw_failed(grow(&f, 2, "t1")), "%s", f.err.text);
	for (int i = 0; i < 2000 && f.n_errors == 0; i++) {
		list(&f);
		turn(&f);
	}
	cr_expect_eq(f.fault, SW_FAULT_STOCKOUT);
	for (int i = 0; i < 2000 && f.target != 0; i++)
		list(&f);
	cr_expect_eq(f.target, 0);
	cr_expect_eq(f.n_errors, 1);
	cr_expect_geq(f.fault_ms, asked_ms, "the error is not older than the growth that failed");
	sw_sim_stockout(f.sim, "l4", false);
	cr_assert(!sw_failed(grow(&f, 1, "t2")));
	await_size(&f, 1);
	cr_expect_eq(f.n_errors, 0);
	close_all(&f);
}

Test(cluster, a_lost_node_takes_its_pods_along)
{
	struct fixture f;

	open_all(&f, false);
	post(&f, JOBS,
	     "{'apiVersion':'batch/"
	     "v1','kind':'Job','metadata':{'name':'j'},'spec':{'backoffLimit':0,'template':{'metadata':{'annotations':{"
	     "'sim.spillway.dev/run':'10h'}},"
	     "'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}}}");
	await(&f, JOBS "/j", "status.ready", "1");
	char *node = sw_strdup(sw_json_str(sw_json_idx(sw_json_at(get(&f, PODS), "items"), 0), "spec.nodeName"));

	sw_sim_node_lose(f.sim, node);
	await(&f, JOBS "/j", "status.failed", "1");
	for (int i = 0; i < 500; i++)
		cr_assert_leq(sw_json_len(sw_json_at(get(&f, NODES), "items")), 1, "its pool buys another");
	free(node);
	close_all(&f);
}

Test(cluster, hanging_and_cut_networks_are_felt_and_heal)
{
	struct fixture f;

	open_all(&f, true);
	get(&f, NODES);
	sw_sim_fault(f.sim, SW_SIM_HANG);
	ask_for(&f, "GET", NODES, NULL, NULL, 100);
	cr_expect_eq(f.err.code, SW_E_TIMEOUT, "%s", f.err.text);
	sw_sim_fault(f.sim, SW_SIM_OK);
	get(&f, NODES);
	sw_sim_fault(f.sim, SW_SIM_CUT);
	ask_for(&f, "GET", NODES, NULL, NULL, 1000);
	cr_expect_eq(f.err.code, SW_E_NET, "%s", f.err.text);
	sw_sim_fault(f.sim, SW_SIM_OK);
	get(&f, NODES);
	close_all(&f);
}

Test(cluster, closing_in_the_middle_of_everything_is_clean)
{
	struct fixture f;

	open_all(&f, true);
	post(&f, JOBS,
	     "{'apiVersion':'batch/"
	     "v1','kind':'Job','metadata':{'name':'j'},'spec':{'parallelism':20,'completions':20,'template':{'spec':{'"
	     "restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}}}");
	f.done = false;
	cr_assert(!sw_failed(sw_provider_sim.grow(f.provider, "l4", 1, "t", on_done, &f)));
	close_all(&f);
	cr_expect_not(f.done, "nobody is told after close()");
}
