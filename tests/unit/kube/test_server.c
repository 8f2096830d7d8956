/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_server.c - client and reflector against spillway's own API server, over TLS
 *
 * The reflector's owner keeps a model (name -> resourceVersion) from what it is told; whatever happens to the
 * connection, the model must end up equal to what the server has, without an event told twice.
 */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "spillway/api.h"
#include "spillway/kube.h"
#include "spillway/log.h"
#include "spillway/text.h"

#define JOBS "/apis/batch/v1/namespaces/default/jobs"

struct run {
	char dir[64], token[65], listen[64], *config;
	struct sw_loop *loop;
	struct sw_api *api;
	struct sw_http *http;
	struct sw_kube *kube;
	struct sw_reflector *r;
	json_t *model; /* name -> resourceVersion */
	bool synced;
	int doubled, lost_times, unexpected_gone;
	int pending, failed;
	bool idle;
	char error[400];
	unsigned seed;
};

static void server_start(struct run *r)
{
	struct sw_api_options opt = {.serve = SW_SERVE_WORKER, .name = "east", .dir = r->dir, .listen = r->listen};
	struct sw_err e = sw_api_new(r->loop, &opt, &r->api);

	cr_assert_not(sw_failed(e), "%s", e.text);
	snprintf(r->listen, sizeof r->listen, "127.0.0.1:%d", sw_api_port(r->api));
}

static struct sw_kubeconfig *config(struct run *r)
{
	struct sw_kubeconfig *kc;
	struct sw_err e = sw_kubeconfig_load(r->config, NULL, &kc);

	cr_assert_not(sw_failed(e), "%s", e.text);
	return kc;
}

static struct run *begin(void)
{
	struct run *r = sw_calloc(1, sizeof *r);

	sw_log_setup(SW_LOG_OFF, false, 2);
	strcpy(r->dir, "/tmp/sw-kube-server-XXXXXX");
	cr_assert(mkdtemp(r->dir));
	strcpy(r->listen, "127.0.0.1:0");
	r->config = sw_asprintf("%s/kubeconfig", r->dir);
	r->model = json_object_new_object();
	r->seed = 7;
	cr_assert_not(sw_failed(sw_loop_new(&r->loop)));
	server_start(r);
	cr_assert_not(sw_failed(sw_api_user_add(r->api, "root", SW_ROLE_ADMIN, NULL, r->token)));
	cr_assert_not(sw_failed(sw_api_kubeconfig_write(r->api, r->config, "root", r->token)));
	cr_assert_not(sw_failed(sw_http_new(r->loop, &r->http)));
	cr_assert_not(sw_failed(
		sw_kube_new(r->loop, r->http, config(r), &(struct sw_kube_options){.name = "east"}, &r->kube)));
	return r;
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void end(struct run *r)
{
	sw_reflector_free(r->r);
	sw_kube_free(r->kube);
	sw_http_free(r->http);
	sw_api_free(r->api);
	sw_loop_free(r->loop);
	json_object_put(r->model);
	nftw(r->dir, rm_one, 8, FTW_DEPTH | FTW_PHYS);
	free(r->config);
	free(r);
}

/* ---- the model ------------------------------------------------------------------------------- */

static void on_object(void *owner, enum sw_obj_event ev, const char *key, json_t *object)
{
	struct run *r = owner;
	const char *rv = sw_json_str(object, "metadata.resourceVersion");
	const char *known = json_object_get_string(sw_json_key(r->model, key));

	if (ev == SW_OBJ_GONE) {
		r->unexpected_gone += !known;
		json_object_object_del(r->model, key);
		return;
	}
	r->doubled += known && strcmp(known, rv) == 0;
	json_object_object_add(r->model, key, json_object_new_string(rv));
}

static void on_state(void *owner, bool synced, uint64_t since_ms, const char *why)
{
	struct run *r = owner;

	(void)since_ms;
	r->synced = synced;
	r->lost_times += !synced;
	if (!synced)
		snprintf(r->error, sizeof r->error, "%s", why);
}

static void reflect(struct run *r)
{
	struct sw_reflector_cfg cfg = {
		.path = "/apis/batch/v1/jobs", .page = 50, .on_object = on_object, .on_state = on_state, .owner = r};

	cr_assert_not(sw_failed(sw_reflector_new(r->kube, &cfg, &r->r)));
	cr_assert(sw_loop_until(r->loop, &r->synced, 20000), "not synced: %s", r->error);
}

/* ---- what the server has ------------------------------------------------------------------------ */

struct listing {
	bool done;
	json_t *list;
	struct sw_err err;
};

static void on_list(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct listing *l = owner;

	l->done = true;
	l->err = err;
	l->list = json_object_get(reply->object);
}

static json_t *truth(struct run *r)
{
	struct listing l = {.done = false};
	struct sw_kube_call *call;
	struct sw_kube_req q = {.cls = SW_KUBE_LIST, .method = "GET", .path = JOBS};

	cr_assert_not(sw_failed(sw_kube_start(r->kube, &q, on_list, &l, &call)));
	cr_assert(sw_loop_until(r->loop, &l.done, 20000));
	cr_assert_not(sw_failed(l.err), "%s", l.err.text);
	return l.list;
}

static bool agrees(struct run *r, json_t *list)
{
	json_t *items = sw_json_key(list, "items");

	if (sw_json_len(items) != (size_t)json_object_object_length(r->model))
		return false;
	for (size_t i = 0; i < sw_json_len(items); i++) {
		json_t *item = sw_json_idx(items, i);
		char *key = sw_asprintf("default/%s", sw_json_str(item, "metadata.name"));
		const char *known = json_object_get_string(sw_json_key(r->model, key));
		bool same = known && strcmp(known, sw_json_str(item, "metadata.resourceVersion")) == 0;
		free(key);
		if (!same)
			return false;
	}
	return true;
}

/* Waits until the model is what the server has now. */
static void settle(struct run *r)
{
	json_t *list = truth(r);
	bool never = false;

	for (int i = 0; i < 2000 && !(r->synced && agrees(r, list)); i++)
		sw_loop_until(r->loop, &never, 5);
	cr_assert(agrees(r, list), "server has %zu, the model %d; %s", sw_json_len(sw_json_key(list, "items")),
		  json_object_object_length(r->model), r->error);
	cr_assert_eq(sw_reflector_len(r->r), (size_t)json_object_object_length(r->model));
	cr_assert_eq(r->doubled, 0);
	cr_assert_eq(r->unexpected_gone, 0);
	json_object_put(list);
}

/* ---- writes ------------------------------------------------------------------------------------------ */

static void on_written(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct run *r = owner;
	bool fine = !sw_failed(err) || err.code == SW_E_MISSING || err.code == SW_E_EXISTS;

	(void)reply;
	if (!fine) {
		r->failed++;
		snprintf(r->error, sizeof r->error, "%s", err.text);
	}
	r->idle = --r->pending == 0;
}

static void write_start(struct run *r, const struct sw_kube_req *q)
{
	struct sw_kube_call *call;

	cr_assert_not(sw_failed(sw_kube_start(r->kube, q, on_written, r, &call)));
	r->pending++;
	r->idle = false;
}

static void create(struct run *r, int n)
{
	char *body = sw_asprintf("{\"apiVersion\":\"batch/"
				 "v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"job-%d\"},\"spec\":{\"suspend\":true,"
				 "\"template\":{\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\","
				 "\"image\":\"busybox\"}]}}}}",
				 n);
	struct sw_kube_req q = {
		.cls = SW_KUBE_CREATE, .method = "POST", .path = JOBS, .body = body, .body_len = strlen(body)};

	write_start(r, &q);
	free(body);
}

static void label(struct run *r, int n, int value)
{
	char *path = sw_asprintf(JOBS "/job-%d", n),
	     *body = sw_asprintf("{\"metadata\":{\"labels\":{\"v\":\"%d\"}}}", value);
	struct sw_kube_req q = {.cls = SW_KUBE_STATUS,
				.method = "PATCH",
				.path = path,
				.content_type = SW_MERGE_PATCH,
				.body = body,
				.body_len = strlen(body)};

	write_start(r, &q);
	free(path);
	free(body);
}

static void delete (struct run *r, int n)
{
	char *path = sw_asprintf(JOBS "/job-%d", n);
	struct sw_buf b;

	sw_buf_init(&b, 1024);
	sw_kube_delete_options(&b, "Background", NULL);
	write_start(r,
		    &(struct sw_kube_req){
			    .cls = SW_KUBE_FENCE, .method = "DELETE", .path = path, .body = b.at, .body_len = b.len});
	sw_buf_fini(&b);
	free(path);
}

static void written(struct run *r)
{
	cr_assert(r->pending == 0 || sw_loop_until(r->loop, &r->idle, 30000), "%d writes are not done", r->pending);
	cr_assert_eq(r->failed, 0, "%s", r->error);
}

/* Creates, changes and deletes at random among few names, so that names come again with other uids. */
static void stir(struct run *r, int writes)
{
	for (int i = 0; i < writes; i++) {
		int n = rand_r(&r->seed) % 40;
		switch (rand_r(&r->seed) % 3) {
		case 0:
			create(r, n);
			break;
		case 1:
			label(r, n, i);
			break;
		default:
			delete (r, n);
		}
	}
	written(r);
}

TestSuite(server, .timeout = 120);

Test(server, a_collection_of_several_pages_is_kept_in_sight)
{
	struct run *r = begin();

	for (int i = 0; i < 230; i++)
		create(r, i);
	written(r);
	reflect(r);
	cr_assert_eq(sw_reflector_len(r->r), 230);
	settle(r);
	for (int i = 0; i < 230; i += 2)
		delete (r, i);
	for (int i = 1; i < 230; i += 2)
		label(r, i, i);
	written(r);
	settle(r);
	cr_assert_eq(sw_reflector_len(r->r), 115);
	cr_assert_eq(r->lost_times, 0, "%s", r->error);
	end(r);
}

Test(server, nothing_is_lost_or_doubled_while_connections_break)
{
	struct run *r = begin();

	reflect(r);
	for (int round = 0; round < 12; round++) {
		stir(r, 60);
		sw_kube_rekey(r->kube, config(r)); /* the watch breaks off and is resumed */
		stir(r, 30);
	}
	settle(r);
	end(r);
}

Test(server, a_restarted_server_is_found_again_with_what_changed)
{
	struct run *r = begin();

	reflect(r);
	for (int round = 0; round < 3; round++) {
		stir(r, 60);
		settle(r);
		sw_api_free(r->api);
		for (bool never = false; r->synced;)
			sw_loop_until(r->loop, &never, 5);
		server_start(r);
		stir(r, 60);
		settle(r);
	}
	cr_assert_eq(r->lost_times >= 3, 1);
	end(r);
}

Test(server, a_wrong_token_says_so)
{
	struct run *r = begin();
	struct listing l = {.done = false};
	struct sw_kube_call *call;
	struct sw_kube_req q = {.cls = SW_KUBE_LIST, .method = "GET", .path = JOBS};

	cr_assert_not(sw_failed(sw_api_kubeconfig_write(r->api, r->config, "root", "not-a-token")));
	sw_kube_rekey(r->kube, config(r));
	cr_assert_not(sw_failed(sw_kube_start(r->kube, &q, on_list, &l, &call)));
	cr_assert(sw_loop_until(r->loop, &l.done, 20000));
	cr_assert_eq(l.err.code, SW_E_AUTH, "%s", l.err.text);
	json_object_put(l.list);
	end(r);
}
