/* SPDX-License-Identifier: Apache-2.0 */
/* test_kubeconfig.c - what is read from a kubeconfig, and what is said about a wrong one */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../../../gateway/auth/auth_priv.h"
#include "../../support/fakeca.h"
#include "spillway/text.h"

#define HEAD                                                                                                           \
	"apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- name: a\n  context: {cluster: c, user: u}\n"
#define CLUSTER(fields) "clusters:\n- name: c\n  cluster: {" fields "}\n"
#define USER(fields)    "users:\n- name: u\n  user: {" fields "}\n"
#define SERVER          "server: https://h:6443"
#define EXEC            "exec: {apiVersion: client.authentication.k8s.io/v1, command: p, interactiveMode: Never"

struct row {
	const char *text;
	const char *says; /* NULL: it is fine */
	bool from_file;
};

static const struct row rows[] = {
	{HEAD CLUSTER(SERVER) USER("token: abc"), NULL, false},
	{HEAD CLUSTER(SERVER) USER(""), NULL, false},
	{HEAD CLUSTER(SERVER ", extensions: [{name: x, extension: {y: 1}}], disable-compression: true")
		 USER("token: abc, extensions: []"),
	 NULL, false},
	{"{\"kind\":\"Config\",\"current-context\":\"a\",\"contexts\":[{\"name\":\"a\",\"context\":{\"cluster\":\"c\"}}"
	 "],"
	 "\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"https://h\"}}]}",
	 NULL, false},
	{HEAD CLUSTER("server: http://127.0.0.1:1") USER("token: abc"), NULL, false},
	/* the file */
	{"", "found 0 documents", false},
	{"a: b: c", "k:1:5: ", false},
	{"- x\n", "k:1:1: expected a kubeconfig", false},
	{"kind: Pod\n", "k:1:7: kind: found \"Pod\", expected Config", false},
	{"kind: Config\napiVersion: v2\n", "k:2:13: apiVersion: found \"v2\", expected v1", false},
	{"kind: Config\ncluster: []\n", "found unknown field \"cluster\", did you mean \"clusters\"?", false},
	{"kind: Config\n---\nkind: Config\n", "found 2 documents", false},
	{"kind: Config\n", "current-context: found none", false},
	{"kind: Config\ncurrent-context: prod\ncontexts: [{name: prud, context: {cluster: c}}]\n",
	 "k:2:18: contexts: found none named \"prod\", did you mean \"prud\"?", false},
	{"kind: Config\ncurrent-context: a\ncontexts: {}\n", "contexts: expected a list", false},
	{"kind: Config\ncurrent-context: a\ncontexts: [{name: a}]\n", "contexts[a].context: found none", false},
	{"kind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {user: u}}]\n", "context.cluster: found none",
	 false},
	{"kind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c}}, {name: a, context: {cluster: "
	 "d}}]\n",
	 "found \"a\" twice", false},
	{HEAD USER(""), "clusters: found none, expected one named \"c\"", false},
	{HEAD CLUSTER(SERVER), "users: found none, expected one named \"u\"", false},
	/* the cluster */
	{HEAD CLUSTER("") USER(""), "cluster.server: found none", false},
	{HEAD CLUSTER("server: 5") USER(""), "cluster.server: found a number, expected a string", false},
	{HEAD CLUSTER("server: 'h:6443'") USER(""), "cluster.server: found \"h:6443\", expected a URL", false},
	{HEAD CLUSTER("server: 'https://'") USER(""), "expected a URL", false},
	{HEAD CLUSTER("server: 'https://h/?a=b'") USER(""), "expected a URL", false},
	{HEAD CLUSTER("server: \"https://h/\\r\\nX: y\"") USER(""), "expected a URL", false},
	{HEAD CLUSTER(SERVER ", certificate-authority-date: x") USER(""),
	 "k:9:37: cluster: found unknown field \"certificate-authority-date\", did you mean "
	 "\"certificate-authority-data\"?",
	 false},
	{HEAD CLUSTER(SERVER ", certificate-authority-data: '***'") USER(""),
	 "cluster.certificate-authority-data: found text that is not base64", false},
	{HEAD CLUSTER(SERVER ", certificate-authority-data: bm9wZQ==") USER(""),
	 "certificate-authority: found no certificate", false},
	{HEAD CLUSTER(SERVER ", certificate-authority: ca.pem") USER(""),
	 "cluster.certificate-authority: found a file name", false},
	{HEAD CLUSTER(SERVER ", certificate-authority: missing.pem") USER(""), "missing.pem", true},
	{HEAD CLUSTER(SERVER ", insecure-skip-tls-verify: yes please") USER(""),
	 "cluster.insecure-skip-tls-verify: found a string, expected true or false", false},
	{HEAD CLUSTER(SERVER ", insecure-skip-tls-verify: true, certificate-authority: x") USER(""),
	 "expected one of them", true},
	{HEAD CLUSTER(SERVER ", proxy-url: 'proxy:3128'") USER(""), "cluster.proxy-url: found \"proxy:3128\"", false},
	/* the user */
	{HEAD CLUSTER(SERVER) USER("tokn: x"), "user: found unknown field \"tokn\", did you mean \"token\"?", false},
	{HEAD CLUSTER(SERVER) USER("token: 12345"), "user.token: found a number, expected a string (put it in quotes)",
	 false},
	{HEAD CLUSTER(SERVER) USER("token: [a]"), "user.token: found a list, expected a string", false},
	{HEAD CLUSTER(SERVER) USER("token: \"a\\nb\""), "user.token: found a line break", false},
	{HEAD CLUSTER(SERVER) USER("as: root"), "user.as: is not supported: spillway does not impersonate", false},
	{HEAD CLUSTER(SERVER) USER("as-groups: [x]"), "user.as-groups: is not supported", false},
	{HEAD CLUSTER(SERVER) USER("auth-provider: {name: gcp}"),
	 "user.auth-provider: is not supported: it was removed", false},
	{HEAD CLUSTER(SERVER) USER("tokenFile: /etc/passwd"), "user.tokenFile: found a file name, expected token",
	 false},
	{HEAD CLUSTER(SERVER) USER("username: u, password: p, token: t"),
	 "found more than one of token, username and exec", false},
	{HEAD CLUSTER(SERVER) USER("password: p"), "found password without username", false},
	{HEAD CLUSTER(SERVER) USER("username: 'a:b', password: p"), "user.username: found a colon", false},
	{HEAD CLUSTER(SERVER) USER("client-key-data: bm9wZQ=="), "found client-key without client-certificate", false},
	{HEAD CLUSTER("server: http://example.org") USER("token: abc"), "they would travel in the clear", false},
	{HEAD CLUSTER("server: http://127.0.0.1.example.org") USER("token: abc"), "they would travel in the clear",
	 false},
	{HEAD CLUSTER("server: http://127.0.0.1@example.org") USER("token: abc"), "expected a URL", false},
	{HEAD CLUSTER("server: 'http://[::1]:80/x'") USER("token: abc"), NULL, false},
	{HEAD CLUSTER("server: 'http://localhost.:80'") USER("token: abc"), "they would travel in the clear", false},
	/* exec */
	{HEAD CLUSTER(SERVER) USER(EXEC "}"), NULL, true},
	{HEAD CLUSTER(SERVER) USER(EXEC "}"), "user.exec: found a program to run, expected a token", false},
	{HEAD CLUSTER(SERVER) USER(EXEC ", arg: [x]}"),
	 "user.exec: found unknown field \"arg\", did you mean \"args\"?", true},
	{HEAD CLUSTER(SERVER) USER(EXEC ", args: [1]}"), "user.exec.args[0]: expected a string", true},
	{HEAD CLUSTER(SERVER) USER(EXEC ", env: [{name: A, value: 1}]}"),
	 "user.exec.env[0]: expected {name, value}, both strings", true},
	{HEAD CLUSTER(SERVER) USER(EXEC ", env: [{name: 'A=B', value: x}]}"), "user.exec.env[0]", true},
	{HEAD CLUSTER(SERVER) USER("exec: {command: p}"), "user.exec.apiVersion: found none", true},
	{HEAD CLUSTER(SERVER) USER("exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: p}"),
	 "expected client.authentication.k8s.io/v1 or v1beta1", true},
	{HEAD CLUSTER(SERVER) USER("exec: {apiVersion: client.authentication.k8s.io/v1, command: p}"),
	 "user.exec.interactiveMode: found none", true},
	{HEAD CLUSTER(SERVER) USER("exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: p}"), NULL, true},
	{HEAD CLUSTER(SERVER)
		 USER("exec: {apiVersion: client.authentication.k8s.io/v1, command: p, interactiveMode: Always}"),
	 "a gateway has no terminal", true},
	{HEAD CLUSTER(SERVER) USER("exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}"),
	 "user.exec.command: found none", true},
	{HEAD CLUSTER(SERVER) USER("exec: run"), "user.exec: expected a mapping", true},
	{HEAD CLUSTER(SERVER) USER("exec: &x {apiVersion: *x}"), "k:", true},
};

ParameterizedTestParameters(kubeconfig, errors_say_where_and_what)
{
	static int index[sizeof rows / sizeof *rows];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, sizeof rows / sizeof *rows);
}

/* Reads a row from memory as "k", or from a file named k in a new folder. */
static struct sw_err read_row(const struct row *t, struct sw_kubeconfig **kc)
{
	char dir[] = "/tmp/sw-kubeconfig-XXXXXX", *path;
	struct sw_err e;

	if (!t->from_file)
		return sw_kubeconfig_parse("k", t->text, strlen(t->text), NULL, kc);
	cr_assert(mkdtemp(dir));
	path = sw_asprintf("%s/k", dir);
	cr_assert_not(sw_failed(sw_file_write(path, t->text, strlen(t->text), 0600)));
	e = sw_kubeconfig_load(path, NULL, kc);
	unlink(path);
	rmdir(dir);
	free(path);
	return e;
}

ParameterizedTest(int *index, kubeconfig, errors_say_where_and_what)
{
	const struct row *t = &rows[*index];
	struct sw_kubeconfig *kc;
	struct sw_err e = read_row(t, &kc);

	if (!t->says) {
		cr_assert_not(sw_failed(e), "row %d: %s", *index, e.text);
		cr_assert(kc);
	} else {
		cr_assert(sw_failed(e), "row %d was accepted: %s", *index, t->text);
		cr_assert(strstr(e.text, t->says), "row %d: %s\n  expected: %s", *index, e.text, t->says);
		cr_assert_null(kc);
	}
	sw_kubeconfig_free(kc);
}

Test(kubeconfig, the_chosen_context_is_read_and_the_rest_left_alone)
{
	static const char text[] =
		"kind: Config\ncurrent-context: a\n"
		"contexts:\n- {name: a, context: {cluster: c, user: u}}\n- {name: b, context: {cluster: d, user: v, "
		"namespace: team}}\n"
		"clusters:\n- {name: c, cluster: {nonsense: true}}\n- {name: d, cluster: {server: "
		"'https://h:1/prefix//', tls-server-name: n, proxy-url: 'http://p:2'}}\n"
		"users:\n- {name: u, user: {as: root}}\n- {name: v, user: {username: me, password: 'p:w'}}\n";
	struct sw_kubeconfig *kc;
	struct sw_err e = sw_kubeconfig_parse("k", text, strlen(text), "b", &kc);

	cr_assert_not(sw_failed(e), "%s", e.text);
	cr_assert_str_eq(sw_kubeconfig_server(kc), "https://h:1/prefix");
	cr_assert_str_eq(sw_kubeconfig_namespace(kc), "team");
	cr_assert_str_eq(kc->tls_server_name, "n");
	cr_assert_str_eq(kc->proxy_url, "http://p:2");
	cr_assert_str_eq(kc->password, "p:w");
	sw_kubeconfig_free(kc);
	e = sw_kubeconfig_parse("k", text, strlen(text), "c", &kc);
	cr_assert(strstr(e.text, "contexts: found none named \"c\""), "%s", e.text);
}

Test(kubeconfig, certificates_are_checked_when_read)
{
	struct fake_ca *ca = fake_ca_new("ca");
	struct fake_cert one = fake_ca_issue(ca, "one", NULL, -60, 60), two = fake_ca_issue(ca, "two", NULL, -60, 60);
	char *ca64 = sw_base64(fake_ca_pem(ca), strlen(fake_ca_pem(ca))),
	     *cert64 = sw_base64(one.cert, strlen(one.cert));
	char *key64 = sw_base64(one.key, strlen(one.key)), *other64 = sw_base64(two.key, strlen(two.key));
	static const char form[] =
		HEAD "clusters: [{name: c, cluster: {server: 'https://h', certificate-authority-data: %s}}]\n"
		     "users: [{name: u, user: {client-certificate-data: %s, client-key-data: %s}}]\n";
	struct {
		const char *ca, *cert, *key, *says;
	} t[] = {
		{ca64, cert64, key64, NULL},
		{ca64, cert64, other64, "do not belong together"},
		{ca64, key64, key64, "client-certificate: found no certificate"},
		{ca64, cert64, cert64, "client-key: found no key"},
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct sw_kubeconfig *kc;
		char *text = sw_asprintf(form, t[i].ca, t[i].cert, t[i].key);
		struct sw_err e = sw_kubeconfig_parse("k", text, strlen(text), NULL, &kc);
		cr_assert_eq(sw_failed(e), t[i].says != NULL, "%zu: %s", i, e.text);
		cr_assert(!t[i].says || strstr(e.text, t[i].says), "%zu: %s", i, e.text);
		sw_kubeconfig_free(kc);
		free(text);
	}
	free(ca64);
	free(cert64);
	free(key64);
	free(other64);
	fake_cert_fini(&one);
	fake_cert_fini(&two);
	fake_ca_free(ca);
}

Test(kubeconfig, an_encrypted_key_is_refused_without_asking_a_terminal)
{
	/* openssl genpkey -algorithm ED25519 -aes128 -pass pass:x, for this test only */
	static const char key[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
				  "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgAAAAAAAAAAAICCAAw\n"
				  "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEAAAAAAAAAAAAAAAAAAAAAAEQAAA\n"
				  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
				  "AAAAAAAAAAAAAAAAAAAAAA==\n"
				  "-----END ENCRYPTED PRIVATE KEY-----\n";
	struct fake_ca *ca = fake_ca_new("ca");
	char *cert64 = sw_base64(fake_ca_pem(ca), strlen(fake_ca_pem(ca))), *key64 = sw_base64(key, strlen(key));
	char *text = sw_asprintf(
		HEAD CLUSTER(SERVER) "users: [{name: u, user: {client-certificate-data: %s, client-key-data: %s}}]\n",
		cert64, key64);
	struct sw_kubeconfig *kc;
	struct sw_err e = sw_kubeconfig_parse("k", text, strlen(text), NULL, &kc);

	cr_assert(strstr(e.text, "found an encrypted key, expected one without a password"), "%s", e.text);
	free(text);
	free(cert64);
	free(key64);
	fake_ca_free(ca);
}

Test(kubeconfig, paths_are_relative_to_the_file)
{
	char dir[] = "/tmp/sw-kubeconfig-XXXXXX", *path, *ca_path, *expect;
	struct fake_ca *ca = fake_ca_new("ca");
	static const char text[] = HEAD CLUSTER(SERVER ", certificate-authority: ca.pem") USER(
		"exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./bin/login, args: [a, 'b c']}");
	struct sw_kubeconfig *kc;
	struct sw_err e;

	cr_assert(mkdtemp(dir));
	path = sw_asprintf("%s/config", dir);
	ca_path = sw_asprintf("%s/ca.pem", dir);
	cr_assert_not(sw_failed(sw_file_write(path, text, strlen(text), 0600)));
	cr_assert_not(sw_failed(sw_file_write(ca_path, fake_ca_pem(ca), strlen(fake_ca_pem(ca)), 0600)));
	e = sw_kubeconfig_load(path, NULL, &kc);
	cr_assert_not(sw_failed(e), "%s", e.text);
	cr_assert_str_eq(kc->ca.path, ca_path);
	expect = sw_asprintf("%s/./bin/login", dir);
	cr_assert_str_eq(kc->exec->command, expect);
	cr_assert_str_eq(kc->exec->argv[2], "b c");
	cr_assert_null(kc->exec->argv[3]);
	cr_assert_str_eq(sw_kubeconfig_namespace(kc), "default");
	sw_kubeconfig_free(kc);
	unlink(ca_path);
	unlink(path);
	rmdir(dir);
	free(expect);
	free(path);
	free(ca_path);
	fake_ca_free(ca);
}

Test(kubeconfig, a_file_that_is_not_there_is_named)
{
	struct sw_kubeconfig *kc;
	struct sw_err e = sw_kubeconfig_load("/nonexistent/kube/config", NULL, &kc);

	cr_assert_eq(e.code, SW_E_MISSING, "%s", e.text);
	cr_assert(strstr(e.text, "/nonexistent/kube/config"), "%s", e.text);
	cr_assert_null(kc);
}
