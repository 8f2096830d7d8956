/* SPDX-License-Identifier: Apache-2.0 */
/* test_http.c - what users see of the embedded manager, over HTTPS */
#include "manager_test.h"
#include "spillway/http.h"

struct call {
	bool done;
	struct sw_err e;
	long status;
	char body[4096], warning[300];
};

static void on_reply(void *owner, struct sw_err e, const struct sw_reply *reply)
{
	struct call *c = owner;

	c->done = true;
	c->e = e;
	c->status = reply ? reply->status : 0;
	snprintf(c->body, sizeof(c->body), "%s", reply && reply->body ? reply->body : "");
	snprintf(c->warning, sizeof(c->warning), "%s", reply && reply->warning ? reply->warning : "");
}

static struct call ask(struct world *w, const char *token, const char *method, const char *path, const char *type,
		       const char *single_quoted)
{
	static const struct sw_tls any = {.insecure = true};
	char url[300], auth[120], content[120], *body = sw_strdup(single_quoted);
	const char *headers[] = {auth, content, NULL};
	struct call c = {0};
	struct sw_http *http;
	struct sw_call *handle;

	for (char *p = body; p && (p = strchr(p, '\''));)
		*p = '"';
	snprintf(url, sizeof(url), "%s%s", sw_api_url(w->api), path);
	snprintf(auth, sizeof(auth), "Authorization: Bearer %s", token);
	snprintf(content, sizeof(content), "Content-Type: %s", type ? type : "application/json");
	cr_assert(!sw_failed(sw_http_new(w->loop, &http)));
	struct sw_request req = {.method = method,
				 .url = url,
				 .body = body,
				 .body_len = body ? strlen(body) : 0,
				 .headers = headers,
				 .tls = &any};
	struct sw_err e = sw_http_start(http, &req, on_reply, &c, &handle);

	cr_assert(!sw_failed(e), "%s", e.text);
	UNTIL(w, c.done);
	cr_assert(!sw_failed(c.e), "%s", c.e.text);
	sw_http_free(http);
	free(body);
	return c;
}

#define JOBS      "/apis/batch/v1/namespaces/default/jobs"
#define WORKLOADS "/apis/kueue.x-k8s.io/v1beta2/namespaces/default/workloads"
#define JOB(name, labels)                                                                                              \
	"{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'" name "'" labels                                   \
	"},'spec':{'template':{'spec':{'restartPolicy':'Never',"                                                       \
	"'containers':[{'name':'c','image':'b','resources':{'limits':{'cpu':'1'}}}]}}}}"

Test(manager_http, users_are_told_what_is_wrong_and_what_waits)
{
	struct world w;
	char token[65];

	world_open(&w);
	cr_assert(!sw_failed(sw_api_user_add(w.api, "ann", SW_ROLE_ADMIN, "*", token)));
	struct call c = ask(&w, token, "POST", JOBS, NULL, JOB("j", ""));

	cr_expect_eq(c.status, 422);
	cr_expect(strstr(c.body, "kueue.x-k8s.io/queue-name") && strstr(c.body, "there are: lq"), "%s", c.body);
	c = ask(&w, token, "POST", JOBS, NULL, JOB("j", ",'labels':{'kueue.x-k8s.io/queue-name':'lqq'}"));
	cr_expect_eq(c.status, 201, "%s", c.body);
	cr_expect(strstr(c.warning, "LocalQueue \"lqq\" does not exist in namespace default, there are: lq"), "%s",
		  c.warning);
	cr_expect(strstr(c.body, "\"suspend\":true") && strstr(c.body, "\"Suspended\""), "%s", c.body);
	UNTIL(&w, is_waiting(&w, "j"));
	c = ask(&w, token, "PATCH", JOBS "/j", "application/merge-patch+json", "{'spec':{'suspend':false}}");
	cr_expect_eq(c.status, 200, "%s", c.body);
	cr_expect(strstr(c.warning, "starts when it is admitted"), "%s", c.warning);
	world_close(&w);
}

Test(manager_http, a_workload_is_not_for_users_to_write)
{
	static const struct {
		const char *method, *sub, *patch;
		long status;
	} rows[] = {
		{"PATCH", "", "{'spec':{'queueName':'other'}}", 422},
		{"PATCH", "", "{'metadata':{'finalizers':null}}", 422},
		{"PATCH", "/status", "{'status':{'clusterName':'mine'}}", 422},
		{"PATCH", "", "{'metadata':{'labels':{'a':'b'}}}", 200},
		{"PATCH", "", "{'spec':{'active':false}}", 200},
	};
	struct world w;
	char token[65], path[300];

	world_open(&w);
	cr_assert(!sw_failed(sw_api_user_add(w.api, "ann", SW_ROLE_ADMIN, "*", token)));
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		snprintf(path, sizeof(path), WORKLOADS "/%s%s", strchr(row(&w, "pi")->key, '/') + 1, rows[i].sub);
		struct call c = ask(&w, token, rows[i].method, path, "application/merge-patch+json", rows[i].patch);

		cr_expect_eq(c.status, rows[i].status, "%s: %ld %s", rows[i].patch, c.status, c.body);
	}
	struct call c = ask(&w, token, "POST", WORKLOADS, NULL,
			    "{'apiVersion':'kueue.x-k8s.io/"
			    "v1beta2','kind':'Workload','metadata':{'name':'w'},'spec':{'podSets':[{'name':'main',"
			    "'count':1,'template':{'spec':{'containers':[{'name':'c','image':'b'}]}}}]}}");
	cr_expect_eq(c.status, 422, "%s", c.body);
	world_close(&w);
}

Test(manager_http, deleting_a_workload_by_hand_queues_the_job_again)
{
	struct world w;
	char token[65], path[300], uid[40];

	world_open(&w);
	cr_assert(!sw_failed(sw_api_user_add(w.api, "ann", SW_ROLE_ADMIN, "*", token)));
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	nominate(&w, "pi");
	win(&w, "pi", "east");
	UNTIL(&w, !suspended(&w, "pi"));
	snprintf(path, sizeof(path), WORKLOADS "/%s", strchr(row(&w, "pi")->key, '/') + 1);
	snprintf(uid, sizeof(uid), "%s", row(&w, "pi")->uid);
	cr_expect_eq(ask(&w, token, "DELETE", path, NULL, NULL).status, 200);
	UNTIL(&w, row(&w, "pi")->deleting);
	released(&w, "pi");
	UNTIL(&w, is_reserved(&w, "pi") && strcmp(row(&w, "pi")->uid, uid) != 0);
	cr_expect(suspended(&w, "pi"));
	cr_expect_eq(gpus_used(&w), 1);
	world_close(&w);
}

static const char pod_text[] = "{'metadata':{'name':'p','uid':'11111111-2222-3333-4444-555555555555'},'spec':{'"
			       "containers':[{'name':'c','image':'b'}]},'status':{'phase':'Succeeded'}}";

static bool live_has(void *owner, const char *ns, const char *pod)
{
	(void)ns, (void)pod;
	return *(bool *)owner;
}

static void live_start(void *owner, const struct sw_log_request *req, struct sw_log_reply *r)
{
	(void)owner;
	sw_log_reply_bytes(r, "live ", 5);
	sw_log_reply_bytes(r, req->container, strlen(req->container));
	sw_log_reply_end(r, SW_OK);
}

Test(manager_http, logs_come_from_where_they_are)
{
	static const struct {
		const char *query;
		long status;
		const char *body;
	} rows[] = {
		{"", 200, "one\ntwo\nthree\n"},
		{"?tailLines=2", 200, "two\nthree\n"},
		{"?tailLines=1", 200, "three\n"},
		{"?tailLines=0", 200, ""},
		{"?tailLines=99", 200, "one\ntwo\nthree\n"},
		{"?limitBytes=5", 200, "one\nt"},
		{"?container=c&tailLines=1", 200, "three\n"},
		{"?previous=true", 400, NULL},
		{"?sinceSeconds=5", 400, NULL},
		{"?container=x", 400, NULL},
	};
	struct world w;
	bool live = false;
	struct sw_live_logs source = {.has = live_has, .source = {.start = live_start}, .owner = &live};
	struct answer a = {0}, b = {0};
	char token[65], path[200];
	json_t *pod = json_of(pod_text);

	world_open(&w);
	cr_assert(!sw_failed(sw_api_user_add(w.api, "ann", SW_ROLE_ADMIN, "*", token)));
	sw_embedded_live_logs(w.m, &source);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	const struct sw_workload *r = row(&w, "pi");

	cr_assert(
		!sw_failed(wait_for(&w, w.m->ops->mirror_pod(w.m, r->key, r->job_uid, "east", pod, on_done, &a), &a)));
	cr_expect_eq(ask(&w, token, "GET", "/api/v1/namespaces/default/pods/p/log", NULL, NULL).status, 404,
		     "nothing kept yet");
	cr_assert(!sw_failed(wait_for(
		&w, w.m->ops->keep_log(w.m, "", "default", "p", "c", "one\ntwo\nthree\n", 14, false, on_done, &b),
		&b)));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		snprintf(path, sizeof(path), "/api/v1/namespaces/default/pods/p/log%s", rows[i].query);
		struct call c = ask(&w, token, "GET", path, NULL, NULL);

		cr_expect_eq(c.status, rows[i].status, "%s: %ld %s", rows[i].query, c.status, c.body);
		if (rows[i].body)
			cr_expect_str_eq(c.body, rows[i].body, "%s", rows[i].query);
	}
	live = true;
	cr_expect_str_eq(ask(&w, token, "GET", "/api/v1/namespaces/default/pods/p/log", NULL, NULL).body, "live c");
	json_object_put(pod);
	world_close(&w);
}
