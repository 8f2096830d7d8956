/* SPDX-License-Identifier: Apache-2.0 */
/* test_cluster.c - a kubeconfig that can be carried elsewhere */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../gateway/cli/cluster/cluster.h"
#include "spillway/text.h"

#define CLUSTERS                                                                                                       \
	"clusters:\n- {name: c1, cluster: {server: 'https://a', certificate-authority: ca.crt}}\n"                     \
	"- {name: c2, cluster: {server: 'https://b', certificate-authority-data: aW4=, certificate-authority: no}}\n"
#define USERS                                                                                                          \
	"users:\n- {name: u1, user: {client-certificate: crt, client-key: key}}\n"                                     \
	"- {name: u2, user: {exec: {command: plugin, apiVersion: client.authentication.k8s.io/v1}}}\n"                 \
	"- {name: u3, user: {tokenFile: token}}\n"
#define CONTEXTS                                                                                                       \
	"contexts:\n- {name: one, context: {cluster: c1, user: u1}}\n- {name: two, context: {cluster: c2, user: "      \
	"u2}}\n"                                                                                                       \
	"- {name: three, context: {cluster: c2, user: u3}}\n- {name: lost, context: {cluster: c9, user: u1}}\n"        \
	"- {name: nobody, context: {cluster: c1, user: u9}}\n"
#define ALL "current-context: one\n" CLUSTERS USERS CONTEXTS

static char dir[64];

static void put_file(const char *name, const char *text)
{
	char *path = sw_asprintf("%s/%s", dir, name);
	struct sw_err e = sw_file_write(path, text, strlen(text), 0600);
	cr_assert(!sw_failed(e), "%s", e.text);
	free(path);
}

static void set_up(void)
{
	snprintf(dir, sizeof dir, "/tmp/spillway-flatten-XXXXXX");
	cr_assert(mkdtemp(dir));
	put_file("ca.crt", "ca");
	put_file("crt", "crt");
	put_file("key", "key");
	put_file("token", "t");
}

static void tear_down(void)
{
	static const char *const names[] = {"ca.crt", "crt", "key", "token"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *path = sw_asprintf("%s/%s", dir, names[i]);
		unlink(path);
		free(path);
	}
	rmdir(dir);
}

static struct sw_err flatten(const char *text, const char *context, json_t **out)
{
	char path[128];
	snprintf(path, sizeof path, "%s/config", dir);
	return cluster_flatten(path, text, strlen(text), context, "w1", out);
}

static json_t *at(json_t *o, const char *list, const char *field)
{
	return sw_json_key(sw_json_idx(sw_json_key(o, list), 0), field);
}

Test(flatten, files_are_put_inside, .init = set_up, .fini = tear_down)
{
	json_t *o;
	struct sw_err e = flatten(ALL, NULL, &o);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_str_eq(sw_json_str(o, "current-context"), "w1");
	cr_assert_eq(sw_json_len(sw_json_key(o, "clusters")), 1, "the other contexts stay behind");
	json_t *cluster = at(o, "clusters", "cluster"), *user = at(o, "users", "user");
	cr_assert_str_eq(sw_json_str(cluster, "server"), "https://a");
	cr_assert_str_eq(sw_json_str(cluster, "certificate-authority-data"), "Y2E=");
	cr_assert_null(sw_json_key(cluster, "certificate-authority"));
	cr_assert_str_eq(sw_json_str(user, "client-certificate-data"), "Y3J0");
	cr_assert_str_eq(sw_json_str(user, "client-key-data"), "a2V5");
	json_object_put(o);
}

Test(flatten, what_is_inside_wins_and_plugins_stay, .init = set_up, .fini = tear_down)
{
	json_t *o;
	struct sw_err e = flatten(ALL, "two", &o);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_str_eq(sw_json_str(at(o, "clusters", "cluster"), "certificate-authority-data"), "aW4=");
	cr_assert_str_eq(sw_json_str(at(o, "users", "user"), "exec.command"), "plugin");
	json_object_put(o);
	e = flatten(ALL, "three", &o);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_eq(*sw_json_str(at(o, "users", "user"), "tokenFile"), '/', "a token file is named whole");
	json_object_put(o);
}

Test(flatten, what_is_missing_is_named, .init = set_up, .fini = tear_down)
{
	static const struct {
		const char *text, *context, *error;
	} rows[] = {
		{ALL, "none", "there is no context \"none\""},
		{CLUSTERS USERS CONTEXTS, NULL, "no current-context"},
		{ALL, "lost", "names a cluster that is not there"},
		{ALL, "nobody", "names a user that is not there"},
		{"", NULL, "found 0 YAML documents"},
		{"a: [", NULL, ":"},
		{"- 1", NULL, "no current-context"},
		{"current-context: {}\ncontexts: 7\n", NULL, "there is no context"},
		{"current-context: one\nclusters: [{name: c1, cluster: {certificate-authority: absent}}]\n" USERS
			 CONTEXTS,
		 NULL, "certificate-authority"},
		{"current-context: one\nclusters: [{name: c1, cluster: 3}]\n" USERS CONTEXTS, NULL,
		 "names a cluster that is not there"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *o;
		struct sw_err e = flatten(rows[i].text, rows[i].context, &o);
		cr_expect(sw_failed(e) && strstr(e.text, rows[i].error), "row %zu: %s", i, e.text);
		cr_expect_null(o, "row %zu", i);
	}
}
