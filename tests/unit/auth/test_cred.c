/* SPDX-License-Identifier: Apache-2.0 */
/* test_cred.c - credentials stay fresh: files, exec plugins, sharing, rejection (cred.c, exec_run.c, exec_reply.c) */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../../gateway/auth/auth_priv.h"
#include "../../support/fakeca.h"
#include "spillway/log.h"
#include "spillway/text.h"

/* A folder with a kubeconfig and a plugin in it, a fake clock, and what came back. */
struct run {
	struct sw_loop *loop;
	char dir[32];
	struct sw_kubeconfig *kc;
	struct sw_cred *cred;
	struct sw_cred_wait *wait;
	int told;
	bool done;
	struct sw_err err;
	char auth[128], cert[4096];
	uint64_t version;
	bool free_cred;
};

static char *in_dir(struct run *r, const char *name)
{
	return sw_asprintf("%s/%s", r->dir, name);
}

static void put(struct run *r, const char *name, const char *text, int mode)
{
	char *path = in_dir(r, name);
	struct sw_err e = sw_file_write(path, text, strlen(text), mode);

	cr_assert_not(sw_failed(e), "%s", e.text);
	chmod(path, (mode_t)mode);
	free(path);
}

static char *get_file(struct run *r, const char *name)
{
	char *path = in_dir(r, name), *text = NULL;
	size_t len;

	if (sw_failed(sw_file_read(path, 1 << 20, &text, &len)))
		text = sw_strdup("");
	free(path);
	return text;
}

/* lines: how often the plugin ran */
static int runs(struct run *r)
{
	char *text = get_file(r, "runs");
	int n = 0;

	for (const char *p = text; (p = strchr(p, '\n')); p++)
		n++;
	free(text);
	return n;
}

static struct run *begin(const char *cluster, const char *user)
{
	struct run *r = sw_calloc(1, sizeof *r);
	char *text = sw_asprintf(
		"kind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: 'https://h:6443'%s}}]\nusers: [{name: u, user: {%s}}]\n",
		cluster, user);
	char *path;
	struct sw_err e;

	sw_log_setup(SW_LOG_OFF, false, 2);
	strcpy(r->dir, "/tmp/sw-cred-XXXXXX");
	cr_assert(mkdtemp(r->dir));
	put(r, "config", text, 0600);
	free(text);
	cr_assert_not(sw_failed(sw_loop_new(&r->loop)));
	sw_loop_fake(r->loop, 1000000, 1700000000000);
	path = in_dir(r, "config");
	e = sw_kubeconfig_load(path, NULL, &r->kc);
	cr_assert_not(sw_failed(e), "%s", e.text);
	free(path);
	cr_assert_not(sw_failed(sw_cred_new(r->loop, r->kc, &r->cred)));
	return r;
}

static void end(struct run *r)
{
	char *rm = sw_asprintf("rm -rf %s", r->dir);

	if (!r->free_cred)
		sw_cred_free(r->cred);
	sw_kubeconfig_free(r->kc);
	sw_loop_free(r->loop);
	cr_assert_eq(system(rm), 0);
	free(rm);
	free(r);
}

static void on_cred(void *owner, struct sw_err err, const struct sw_cred_now *now)
{
	struct run *r = owner;

	r->told++;
	r->done = true;
	r->err = err;
	r->version = now->version;
	snprintf(r->auth, sizeof r->auth, "%s", now->authorization ? now->authorization : "");
	snprintf(r->cert, sizeof r->cert, "%s", now->tls.cert_pem ? now->tls.cert_pem : "");
	sw_cred_cancel(r->wait); /* must be harmless here */
	r->wait = NULL;
	if (r->free_cred)
		sw_cred_free(r->cred);
}

static void ask(struct run *r)
{
	int before = r->told;

	r->done = false;
	cr_assert_not(sw_failed(sw_cred_get(r->cred, on_cred, r, &r->wait)));
	cr_assert_eq(r->told, before, "never from inside");
	cr_assert(sw_loop_until(r->loop, &r->done, 10000), "no credentials");
}

static const char *ready(struct run *r)
{
	struct sw_cred_now now;

	if (!sw_cred_ready(r->cred, &now))
		return "(wait)";
	r->version = now.version;
	snprintf(r->auth, sizeof r->auth, "%s", now.authorization ? now.authorization : "");
	return r->auth;
}

TestSuite(cred, .timeout = 60);

Test(cred, a_fixed_token_is_ready_at_once)
{
	struct run *r = begin("", "token: abc");

	cr_assert_str_eq(ready(r), "Bearer abc");
	ask(r);
	cr_assert_eq(r->told, 1);
	cr_assert_not(sw_failed(r->err));
	cr_assert_str_eq(r->auth, "Bearer abc");
	end(r);
}

Test(cred, basic_and_no_credentials)
{
	struct run *r = begin("", "username: Aladdin, password: open sesame");

	cr_assert_str_eq(ready(r), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="); /* the example of RFC 7617 */
	end(r);
	r = begin("", "");
	cr_assert_str_eq(ready(r), "");
	end(r);
}

Test(cred, cluster_settings_reach_the_connection)
{
	struct run *r =
		begin(", tls-server-name: n, proxy-url: 'http://p', insecure-skip-tls-verify: true", "token: t");
	struct sw_cred_now now;

	cr_assert(sw_cred_ready(r->cred, &now));
	cr_assert_str_eq(now.tls.server_name, "n");
	cr_assert_str_eq(now.proxy_url, "http://p");
	cr_assert(now.tls.insecure);
	end(r);
}

Test(cred, a_token_file_is_read_again_when_it_changes_and_wins_over_token)
{
	struct run *r = begin("", "tokenFile: token, token: fixed");
	uint64_t version;

	put(r, "token", " one\n", 0600);
	cr_assert_str_eq(ready(r), "Bearer one");
	version = r->version;
	put(r, "token", "two", 0600);
	cr_assert_str_eq(ready(r), "Bearer one", "looked at once a second");
	sw_loop_advance(r->loop, 1000);
	cr_assert_str_eq(ready(r), "Bearer two");
	cr_assert_gt(r->version, version);
	version = r->version;
	sw_loop_advance(r->loop, 5000);
	cr_assert_str_eq(ready(r), "Bearer two");
	cr_assert_eq(r->version, version, "the same file is no news");
	end(r);
}

Test(cred, a_rejected_token_file_is_read_at_once)
{
	struct run *r = begin("", "tokenFile: token");

	put(r, "token", "one", 0600);
	cr_assert_str_eq(ready(r), "Bearer one");
	put(r, "token", "two", 0600);
	sw_cred_rejected(r->cred);
	cr_assert_str_eq(ready(r), "Bearer two");
	end(r);
}

Test(cred, the_last_good_token_is_kept_while_its_file_is_bad)
{
	static const char *const bad[] = {"", "   \n", "a\nb", NULL};
	struct run *r = begin("", "tokenFile: token");
	char *path = in_dir(r, "token");

	cr_assert_str_eq(ready(r), "(wait)");
	ask(r);
	cr_assert_eq(r->err.code, SW_E_IO, "%s", r->err.text);
	cr_assert(strstr(r->err.text, path), "%s", r->err.text);
	put(r, "token", "good", 0600);
	sw_loop_advance(r->loop, 1000);
	cr_assert_str_eq(ready(r), "Bearer good");
	for (int i = 0; bad[i]; i++) {
		put(r, "token", bad[i], 0600);
		sw_loop_advance(r->loop, 1000);
		cr_assert_str_eq(ready(r), "Bearer good", "after \"%s\"", bad[i]);
	}
	unlink(path);
	sw_loop_advance(r->loop, 1000);
	cr_assert_str_eq(ready(r), "Bearer good");
	free(path);
	end(r);
}

Test(cred, a_certificate_and_its_key_change_together)
{
	struct fake_ca *ca = fake_ca_new("ca");
	struct fake_cert one = fake_ca_issue(ca, "one", NULL, -60, 60), two = fake_ca_issue(ca, "two", NULL, -60, 60);
	struct sw_cred_now now;
	struct run *r;
	char dir[] = "/tmp/sw-pair-XXXXXX", *user;

	cr_assert(mkdtemp(dir));
	user = sw_asprintf("client-certificate: %s/crt, client-key: %s/key", dir, dir);
	struct run files = {.dir = ""};
	snprintf(files.dir, sizeof files.dir, "%s", dir);
	put(&files, "crt", one.cert, 0600);
	put(&files, "key", one.key, 0600);
	r = begin("", user);
	cr_assert(sw_cred_ready(r->cred, &now));
	cr_assert(strstr(one.cert, now.tls.cert_pem));
	put(&files, "crt", two.cert, 0600);
	sw_loop_advance(r->loop, 1000);
	cr_assert(sw_cred_ready(r->cred, &now));
	cr_assert(strstr(one.cert, now.tls.cert_pem), "half a change is no change");
	put(&files, "key", two.key, 0600);
	sw_loop_advance(r->loop, 1000);
	cr_assert(sw_cred_ready(r->cred, &now));
	cr_assert(strstr(two.cert, now.tls.cert_pem));
	cr_assert(strstr(two.key, now.tls.key_pem));
	end(r);
	char *rm = sw_asprintf("rm -rf %s", dir);
	cr_assert_eq(system(rm), 0);
	free(rm);
	free(user);
	fake_cert_fini(&one);
	fake_cert_fini(&two);
	fake_ca_free(ca);
}

/* ---- plugins -------------------------------------------------------------------------- */

#define V1            "client.authentication.k8s.io/v1"
#define EXEC(more)    "exec: {apiVersion: " V1 ", command: ./plugin, interactiveMode: Never" more "}"
#define PLUGIN(body)  "#!/bin/sh\necho run >> \"$(dirname \"$0\")/runs\"\n" body "\n"
#define PRINT(status) PLUGIN("echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":{" status "}}'")

Test(cred, a_plugin_is_run_once_for_all_who_wait)
{
	struct run *r = begin("", EXEC(""));
	struct sw_cred_wait *more[3];

	put(r, "plugin", PRINT("\"token\":\"t1\""), 0755);
	cr_assert_str_eq(ready(r), "(wait)");
	for (int i = 0; i < 3; i++)
		cr_assert_not(sw_failed(sw_cred_get(r->cred, on_cred, r, &more[i])));
	sw_cred_cancel(more[1]);
	ask(r);
	cr_assert_eq(r->told, 3, "the cancelled one hears nothing");
	cr_assert_not(sw_failed(r->err), "%s", r->err.text);
	cr_assert_str_eq(r->auth, "Bearer t1");
	sw_loop_advance(r->loop, 86400000);
	cr_assert_str_eq(ready(r), "Bearer t1", "without an end it is good until rejected");
	cr_assert_eq(runs(r), 1);
	end(r);
}

Test(cred, a_plugins_token_is_renewed_before_it_expires)
{
	struct run *r = begin("", EXEC(""));

	/* the fake wall clock begins at 2023-11-14T22:13:20Z */
	put(r, "plugin", PRINT("\"token\":\"t1\",\"expirationTimestamp\":\"2023-11-14T23:13:20Z\""), 0755);
	ask(r);
	cr_assert_str_eq(r->auth, "Bearer t1", "%s", r->err.text);
	sw_loop_advance(r->loop, 3569 * 1000);
	cr_assert_str_eq(ready(r), "Bearer t1");
	sw_loop_advance(r->loop, 2000);
	cr_assert_str_eq(ready(r), "(wait)", "30 s before the end");
	put(r, "plugin", PLUGIN("exit 1"), 0755);
	ask(r);
	cr_assert_str_eq(r->auth, "Bearer t1", "good for a while yet, though renewal failed: %s", r->err.text);
	sw_loop_advance(r->loop, 60000);
	ask(r);
	cr_assert_eq(r->err.code, SW_E_AUTH, "expired, and the plugin fails");
	cr_assert_eq(runs(r), 3);
	end(r);
}

Test(cred, a_rejected_plugin_token_is_renewed_once_per_ten_seconds)
{
	struct run *r = begin("", EXEC(""));
	uint64_t version;

	put(r, "plugin", PRINT("\"token\":\"t1\""), 0755);
	ask(r);
	version = r->version;
	sw_cred_rejected(r->cred);
	cr_assert_str_eq(ready(r), "Bearer t1", "too young to be the reason");
	cr_assert_eq(r->version, version);
	sw_loop_advance(r->loop, 10000);
	sw_cred_rejected(r->cred);
	cr_assert_str_eq(ready(r), "(wait)");
	put(r, "plugin", PRINT("\"token\":\"t2\""), 0755);
	ask(r);
	cr_assert_str_eq(r->auth, "Bearer t2");
	cr_assert_gt(r->version, version);
	sw_cred_rejected(r->cred);
	cr_assert_str_eq(ready(r), "Bearer t2");
	end(r);
}

Test(cred, a_failure_stands_for_five_seconds)
{
	struct run *r = begin("", EXEC(""));

	put(r, "plugin", PLUGIN("exit 3"), 0755);
	for (int i = 0; i < 5; i++)
		ask(r);
	cr_assert_eq(runs(r), 1);
	sw_loop_advance(r->loop, 5000);
	put(r, "plugin", PRINT("\"token\":\"t\""), 0755);
	ask(r);
	cr_assert_str_eq(r->auth, "Bearer t", "%s", r->err.text);
	end(r);
}

struct row {
	const char *name, *plugin, *says;
};

static const struct row rows[] = {
	{"exit status", PLUGIN("echo 'secret-output'; echo 'please log in' >&2; exit 7"),
	 "exit status 7, expected 0; it said: please log in"},
	{"signal", PLUGIN("kill -9 $$"), "killed by signal 9"},
	{"silence", PLUGIN(""), "found output of 0 bytes that is not a JSON object"},
	{"not JSON", PLUGIN("echo secret-token"), "that is not a JSON object"},
	{"array", PLUGIN("echo '[]'"), "that is not a JSON object"},
	{"other kind", PLUGIN("echo '{\"kind\":\"Pod\"}'"), "kind: found \"Pod\", expected ExecCredential"},
	{"other version",
	 PLUGIN("echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\"}'"),
	 "apiVersion: found"},
	{"no status", PLUGIN("echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\"}'"),
	 "neither token nor clientCertificateData"},
	{"empty token", PRINT("\"token\":\"\""), "found an empty text or a line break"},
	{"token with a header in it", PRINT("\"token\":\"a\\\\r\\\\nX: y\""), "found an empty text or a line break"},
	{"certificate alone", PRINT("\"clientCertificateData\":\"x\""), "found clientCertificateData alone"},
	{"key alone", PRINT("\"token\":\"t\",\"clientKeyData\":\"x\""), "found clientKeyData alone"},
	{"nonsense pair", PRINT("\"clientCertificateData\":\"x\",\"clientKeyData\":\"y\""), "client-key: found no key"},
	{"bad time", PRINT("\"token\":\"t\",\"expirationTimestamp\":\"tomorrow\""), "status"},
	{"expired already", PRINT("\"token\":\"t\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\""),
	 "has expired already"},
	{"too much", PLUGIN("head -c 3000000 /dev/zero | tr '\\0' x"), "printed more than 1048576 bytes"},
	{"endless", PLUGIN("yes"), "printed more than 1048576 bytes"},
};

ParameterizedTestParameters(cred, plugin_failures_are_told_without_secrets)
{
	static int index[sizeof rows / sizeof *rows];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, sizeof rows / sizeof *rows);
}

ParameterizedTest(int *index, cred, plugin_failures_are_told_without_secrets)
{
	const struct row *t = &rows[*index];
	struct run *r = begin("", EXEC(""));

	put(r, "plugin", t->plugin, 0755);
	ask(r);
	cr_assert_eq(r->err.code, SW_E_AUTH, "%s: %s", t->name, r->err.text);
	cr_assert(strstr(r->err.text, t->says), "%s: %s", t->name, r->err.text);
	cr_assert_not(strstr(r->err.text, "secret"), "%s: %s", t->name, r->err.text);
	cr_assert_eq(runs(r), 1, "%s", t->name);
	end(r);
}

Test(cred, a_missing_plugin_prints_its_install_hint)
{
	struct run *r =
		begin("", "exec: {apiVersion: " V1
			  ", command: sw-no-such-plugin, interactiveMode: Never, installHint: 'apt-get install it'}");

	ask(r);
	cr_assert_eq(r->err.code, SW_E_AUTH);
	cr_assert(strstr(r->err.text, "sw-no-such-plugin: not found in PATH; apt-get install it"), "%s", r->err.text);
	end(r);
}

Test(cred, a_plugin_that_may_not_be_run_is_named)
{
	struct run *r = begin("", EXEC(""));

	put(r, "plugin", "#!/bin/sh\n", 0600);
	ask(r);
	cr_assert(strstr(r->err.text, "cannot be run"), "%s", r->err.text);
	end(r);
}

Test(cred, a_hanging_plugin_is_stopped_after_thirty_seconds_with_all_it_started)
{
	struct run *r = begin("", EXEC(""));
	bool never = false;
	char *pid;

	put(r, "plugin",
	    PLUGIN("echo waiting for a browser >&2; sleep 1000 & echo $! > \"$(dirname \"$0\")/pid\"; wait"), 0755);
	cr_assert_not(sw_failed(sw_cred_get(r->cred, on_cred, r, &r->wait)));
	pid = get_file(r, "pid");
	for (int i = 0; i < 1000 && !strchr(pid, '\n'); i++) {
		free(pid);
		sw_loop_until(r->loop, &never, 5);
		pid = get_file(r, "pid");
	}
	cr_assert(strchr(pid, '\n'), "the plugin did not start");
	sw_loop_advance(r->loop, 29999);
	sw_loop_until(r->loop, &never, 10);
	cr_assert_eq(r->told, 0);
	sw_loop_advance(r->loop, 1);
	cr_assert(sw_loop_until(r->loop, &r->done, 5000));
	cr_assert(strstr(r->err.text, "not done after 30 s: stopped; it said: waiting for a browser"), "%s",
		  r->err.text);
	char *proc = sw_asprintf("/proc/%d/stat", atoi(pid)), *stat = NULL;
	size_t len;
	for (int i = 0; i < 1000 && !sw_failed(sw_file_read(proc, 4096, &stat, &len)) && !strstr(stat, ") Z "); i++) {
		free(stat);
		stat = NULL;
		sw_loop_until(r->loop, &never, 5);
	}
	cr_assert(!stat || strstr(stat, ") Z "), "its child lives on: %s", stat);
	free(stat);
	free(proc);
	free(pid);
	end(r);
}

Test(cred, what_a_plugin_leaves_behind_does_not_hold_up_its_answer)
{
	struct run *r = begin("", EXEC(""));
	bool never = false;

	put(r, "plugin", PRINT("\"token\":\"t\"") "sleep 1000 &\n", 0755);
	cr_assert_not(sw_failed(sw_cred_get(r->cred, on_cred, r, &r->wait)));
	for (int i = 0; i < 1000 && !r->done; i++) {
		sw_loop_until(r->loop, &never, 5);
		sw_loop_advance(r->loop, 10);
	}
	cr_assert_str_eq(r->auth, "Bearer t", "%s", r->err.text);
	end(r);
}

Test(cred, freeing_while_a_plugin_runs_is_silent_and_leaves_no_process)
{
	struct run *r = begin("", EXEC(""));
	bool never = false;

	put(r, "plugin", PLUGIN("sleep 1000"), 0755);
	cr_assert_not(sw_failed(sw_cred_get(r->cred, on_cred, r, &r->wait)));
	for (int i = 0; i < 1000 && runs(r) == 0; i++)
		sw_loop_until(r->loop, &never, 5);
	end(r);
}

Test(cred, freeing_inside_the_callback_is_fine)
{
	struct run *r = begin("", "token: t");
	struct sw_cred_wait *more;

	r->free_cred = true;
	cr_assert_not(sw_failed(sw_cred_get(r->cred, on_cred, r, &more)));
	ask(r);
	cr_assert_eq(r->told, 1);
	end(r);
}

Test(cred, a_plugin_is_told_about_the_cluster_and_gets_its_environment)
{
	struct fake_ca *ca = fake_ca_new("ca");
	char *ca64 = sw_base64(fake_ca_pem(ca), strlen(fake_ca_pem(ca)));
	char *cluster = sw_asprintf(", certificate-authority-data: %s, tls-server-name: n, extensions: "
				    "[{name: client.authentication.k8s.io/exec, extension: {audience: x, n: 5}}]",
				    ca64);
	struct run *r = begin(
		cluster,
		EXEC(", provideClusterInfo: true, args: ['a b', '$HOME;x'], env: [{name: SW_ONE, value: 'one two'}]"));
	char *seen;
	json_t *info;
	size_t skip;

	put(r, "plugin",
	    PLUGIN("d=$(dirname \"$0\"); printf '%s|%s|%s|%s\\n' \"$1\" \"$2\" \"$#\" \"$SW_ONE\" > $d/args; "
		   "printf '%s' \"$KUBERNETES_EXEC_INFO\" > $d/info; read x && echo tty >> $d/args; "
		   "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":{\"token\":\"t\"}}'"),
	    0755);
	ask(r);
	cr_assert_not(sw_failed(r->err), "%s", r->err.text);
	seen = get_file(r, "args");
	cr_assert_str_eq(seen, "a b|$HOME;x|2|one two\n", "no shell, no terminal");
	free(seen);
	seen = get_file(r, "info");
	cr_assert_not(sw_failed(sw_json_parse(seen, strlen(seen), &info)), "%s", seen);
	cr_assert_str_eq(sw_json_str(info, "kind"), "ExecCredential");
	cr_assert_str_eq(sw_json_str(info, "apiVersion"), V1);
	cr_assert_not(sw_json_bool(info, "spec.interactive"));
	cr_assert_str_eq(sw_json_str(info, "spec.cluster.server"), "https://h:6443");
	cr_assert_str_eq(sw_json_str(info, "spec.cluster.tls-server-name"), "n");
	skip = strlen(sw_json_str(info, "spec.cluster.certificate-authority-data"));
	cr_assert_eq(skip, strlen(ca64));
	cr_assert_str_eq(sw_json_str(info, "spec.cluster.config.audience"), "x");
	cr_assert_eq(sw_json_int(info, "spec.cluster.config.n", 0), 5);
	json_object_put(info);
	free(seen);
	end(r);
	free(cluster);
	free(ca64);
	fake_ca_free(ca);
}

Test(cred, a_plugins_certificate_is_used)
{
	struct fake_ca *ca = fake_ca_new("ca");
	struct fake_cert c = fake_ca_issue(ca, "me", NULL, -60, 60);
	struct run *r = begin("", EXEC(""));
	struct sw_buf b;

	sw_buf_init(&b, 1 << 16);
	sw_buf_puts(&b,
		    "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":{\"clientCertificateData\":");
	sw_buf_json_str(&b, c.cert);
	sw_buf_puts(&b, ",\"clientKeyData\":");
	sw_buf_json_str(&b, c.key);
	sw_buf_puts(&b, "}}");
	put(r, "answer", b.at, 0600);
	put(r, "plugin", PLUGIN("cat \"$(dirname \"$0\")/answer\""), 0755);
	ask(r);
	cr_assert_not(sw_failed(r->err), "%s", r->err.text);
	cr_assert_str_eq(r->cert, c.cert);
	cr_assert_str_eq(r->auth, "");
	sw_buf_fini(&b);
	end(r);
	fake_cert_fini(&c);
	fake_ca_free(ca);
}
