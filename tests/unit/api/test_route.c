/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, verbs and roles: the pure parts of the server. */
#include <criterion/criterion.h>
#include <string.h>
#include "../../../gateway/api/api_priv.h"

struct row {
	const char *path;
	enum route_kind kind;
	const char *id, *ns, *name, *sub;
};
static const struct row rows[] = {
	{"/", ROUTE_NONE, NULL, "", "", ""},
	{"", ROUTE_NONE, NULL, "", "", ""},
	{"/apix", ROUTE_NONE, NULL, "", "", ""},
	{"/healthz", ROUTE_HEALTH, NULL, "", "", ""},
	{"/healthz/etcd", ROUTE_NONE, NULL, "", "", ""},
	{"/version/", ROUTE_VERSION, NULL, "", "", ""},
	{"/api", ROUTE_API, NULL, "", "", ""},
	{"/api/", ROUTE_API, NULL, "", "", ""},
	{"/api/v1", ROUTE_RESOURCES, NULL, "", "", ""},
	{"/apis", ROUTE_APIS, NULL, "", "", ""},
	{"/apis/batch", ROUTE_GROUP, NULL, "", "", ""},
	{"/apis/batch/v1", ROUTE_RESOURCES, NULL, "", "", ""},
	{"/openapi/v3", ROUTE_OPENAPI, NULL, "", "", ""},
	{"/openapi/v2", ROUTE_NONE, NULL, "", "", ""},
	{"/openapi/v3/api/v1", ROUTE_OPENAPI_GROUP, NULL, "", "", ""},
	{"/openapi/v3/apis/batch/v1", ROUTE_OPENAPI_GROUP, NULL, "", "", ""},
	{"/openapi/v3/apis/batch", ROUTE_NONE, NULL, "", "", ""},
	{"/openapi/v3/other/v1", ROUTE_NONE, NULL, "", "", ""},
	{"/apis/batch/v1/jobs", ROUTE_OBJECTS, "jobs.batch", "", "", ""},
	{"/apis/batch/v1/namespaces/a/jobs", ROUTE_OBJECTS, "jobs.batch", "a", "", ""},
	{"/apis/batch/v1/namespaces/a/jobs/", ROUTE_OBJECTS, "jobs.batch", "a", "", ""},
	{"/apis/batch/v1/namespaces/a/jobs/b", ROUTE_OBJECTS, "jobs.batch", "a", "b", ""},
	{"/apis/batch/v1/namespaces/a/jobs/b/status", ROUTE_OBJECTS, "jobs.batch", "a", "b", "status"},
	{"/apis/batch/v1/namespaces/a/jobs/b/status/c", ROUTE_UNKNOWN, NULL, "a", "b", "status"},
	{"/apis/batch/v1/jobs/b", ROUTE_UNKNOWN, NULL, "", "b", ""},
	{"/apis/batch/v2/jobs", ROUTE_UNKNOWN, NULL, "", "", ""},
	{"/apis/batch/v1/namespaces", ROUTE_UNKNOWN, NULL, "", "", ""},
	{"/api/v1/namespaces", ROUTE_OBJECTS, "namespaces", "", "", ""},
	{"/api/v1/namespaces/a", ROUTE_OBJECTS, "namespaces", "", "a", ""},
	{"/api/v1/namespaces/a/status", ROUTE_OBJECTS, "namespaces", "", "a", "status"},
	{"/api/v1/namespaces/a/pods", ROUTE_OBJECTS, "pods", "a", "", ""},
	{"/api/v1/namespaces/a/pods/p/log", ROUTE_OBJECTS, "pods", "a", "p", "log"},
	{"/api/v1/namespaces//pods", ROUTE_UNKNOWN, NULL, "", "", ""},
	{"/api/v1//pods", ROUTE_UNKNOWN, NULL, "", "", ""},
	{"/api/v1/nodes", ROUTE_UNKNOWN, NULL, "", "", ""},
	{"/apis/kueue.x-k8s.io/v1beta2/clusterqueues/q", ROUTE_OBJECTS, "clusterqueues.kueue.x-k8s.io", "", "q", ""},
	{"/apis/kueue.x-k8s.io/v1beta2/namespaces/a/clusterqueues/q", ROUTE_UNKNOWN, NULL, "a", "q", ""},
};

Test(route, a_path_says_what_is_meant)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct route rt;
		route_parse(SW_SERVE_MANAGER, r->path, &rt);
		cr_expect_eq(rt.kind, r->kind, "%s: kind %d, expected %d", r->path, (int)rt.kind, (int)r->kind);
		if (r->kind != ROUTE_OBJECTS)
			continue;
		cr_expect_str_eq(rt.r->id, r->id, "%s", r->path);
		cr_expect_str_eq(rt.ns, r->ns, "%s", r->path);
		cr_expect_str_eq(rt.name, r->name, "%s", r->path);
		cr_expect_str_eq(rt.sub, r->sub, "%s", r->path);
	}
}

Test(route, long_words_are_unknown_not_cut)
{
	char path[1024] = "/apis/batch/v1/namespaces/a/jobs/";
	struct route rt;
	size_t n = strlen(path);
	memset(path + n, 'x', 400);
	path[n + 400] = '\0';
	route_parse(SW_SERVE_MANAGER, path, &rt);
	cr_expect_eq(rt.kind, ROUTE_UNKNOWN);
	memset(path + 6, 'g', 500);
	route_parse(SW_SERVE_MANAGER, path, &rt);
	cr_expect_neq(rt.kind, ROUTE_OBJECTS);
}

Test(route, booleans_are_read_as_the_real_server_does)
{
	static const struct {
		const char *text;
		bool is;
	} words[] = {
		{NULL, false},    {"", false},    {"0", false},   {"false", false}, {"FALSE", false},
		{"False", false}, {"true", true}, {"True", true}, {"1", true},      {"no", true},
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_expect_eq(query_true(words[i].text), words[i].is, "%s", words[i].text ? words[i].text : "absent");
}

struct may {
	const char *verb, *id, *ns, *sub;
	bool admin, submitter, reader;
};
static const struct may may[] = {
	{"get", "jobs.batch", "team", "", true, true, true},
	{"create", "jobs.batch", "team", "", true, true, false},
	{"create", "jobs.batch", "tea", "", true, false, false},
	{"create", "jobs.batch", "teams", "", true, false, false},
	{"create", "jobs.batch", "team,b", "", true, false, false},
	{"list", "jobs.batch", "", "", true, false, true},
	{"update", "jobs.batch", "team", "status", true, false, false},
	{"get", "pods", "b", "log", true, true, true},
	{"list", "secrets", "b", "", true, true, false},
	{"watch", "secrets", "b", "", true, true, false},
	{"create", "pytorchjobs.kubeflow.org", "b", "", true, true, false},
	{"create", "localqueues.kueue.x-k8s.io", "b", "", true, false, false},
	{"patch", "workloads.kueue.x-k8s.io", "b", "", true, false, false},
	{"get", "clusterqueues.kueue.x-k8s.io", "", "", true, true, true},
	{"delete", "clusterqueues.kueue.x-k8s.io", "", "", true, false, false},
	{"delete", "namespaces", "", "", true, false, false},
	{"create", "selfsubjectreviews.authentication.k8s.io", "", "", true, true, true},
	{"exec", "pods", "b", "exec", true, false, false},
};

Test(access, roles_allow_this_and_no_more)
{
	struct user u = {.namespaces = (char[]){"team,b"}};
	for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++) {
		struct access what = {may[i].verb, sw_resource_by_id(may[i].id), may[i].ns, may[i].sub};
		u.role = SW_ROLE_ADMIN;
		cr_expect_eq(access_allowed(&u, &what), may[i].admin, "admin %s %s", may[i].verb, may[i].id);
		u.role = SW_ROLE_SUBMITTER;
		cr_expect_eq(access_allowed(&u, &what), may[i].submitter, "submitter %s %s in %s", may[i].verb,
			     may[i].id, may[i].ns);
		u.role = SW_ROLE_READER;
		cr_expect_eq(access_allowed(&u, &what), may[i].reader, "reader %s %s", may[i].verb, may[i].id);
	}
}
