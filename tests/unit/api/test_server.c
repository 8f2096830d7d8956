/* SPDX-License-Identifier: Apache-2.0 */
/* The server over HTTPS: who may do what, what requests get, and what bad ones get. */
#include "api_fix.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../../gateway/api/api_priv.h"

/* ---- access ------------------------------------------------------------------------ */

struct access_row {
	const char *who, *method, *path;
	long status;
	const char *says;
};
static const struct access_row access_rows[] = {
	{"nobody", "GET", "/healthz", 200, "ok"},
	{"nobody", "GET", "/livez", 200, "ok"},
	{"nobody", "GET", "/readyz", 200, "ok"},
	{"nobody", "GET", "/version", 200, "+spillway-"},
	{"nobody", "GET", "/version/", 200, "\"minor\":\"36\""},
	{"nobody", "GET", "/metrics", 401, "Unauthorized"},
	{"nobody", "GET", "/apis", 401, "Unauthorized"},
	{"nobody", "GET", JOBS, 401, "\"reason\":\"Unauthorized\""},
	{"nobody", "GET", "/no/such/page", 401, "Unauthorized"},
	{"liar", "GET", JOBS, 401, "Unauthorized"},
	{"root", "GET", "/no/such/page", 404, "404 page not found"},
	{"root", "GET", "/metrics", 200, "spillway_api_requests_total"},
	{"root", "GET", "/apis/batch/v1/cronjobs", 404, "the server could not find the requested resource"},
	{"root", "GET", "/apis/batch/v1/jobs/x", 404, "the server could not find the requested resource"},
	{"root", "GET", "/api/v1/namespaces/default/namespaces", 404,
	 "the server could not find the requested resource"},
	{"root", "GET", JOBS "/x/scale", 404, "the server could not find the requested resource"},
	{"root", "GET", JOBS "/x/y/z", 404, "the server could not find the requested resource"},
	{"root", "GET", JOBS "/x", 404, "jobs.batch \\\"x\\\" not found"},
	{"root", "GET", JOBS "/x/status", 404, "jobs.batch \\\"x\\\" not found"},
	{"root", "POST", JOBS "/x", 405, "MethodNotAllowed"},
	{"root", "PUT", JOBS, 405, "MethodNotAllowed"},
	{"root", "OPTIONS", JOBS, 405, "MethodNotAllowed"},
	{"root", "POST", "/version", 200, "gitVersion"},
	{"root", "POST", "/apis", 405, "MethodNotAllowed"},
	{"root", "DELETE", "/api/v1/namespaces/default/pods/x", 405, "create or delete the job"},
	{"root", "GET", "/api/v1/namespaces/default/pods/x/exec?command=ls", 501, "spillway does not offer exec"},
	{"root", "POST", "/api/v1/namespaces/default/pods/x/exec?command=ls", 501, "spillway does not offer exec"},
	{"root", "GET", "/api/v1/namespaces/default/pods/x/log", 404, "pods \\\"x\\\" not found"},
	{"rita", "GET", JOBS, 200, "JobList"},
	{"rita", "GET", "/metrics", 200, "spillway_api_requests_total"},
	{"rita", "GET", "/api/v1/namespaces/default/secrets", 403,
	 "User \\\"rita\\\" cannot list resource \\\"secrets\\\" in API group \\\"\\\" in the namespace "
	 "\\\"default\\\""},
	{"rita", "DELETE", JOBS "/x", 403,
	 "User \\\"rita\\\" cannot delete resource \\\"jobs\\\" in API group \\\"batch\\\" in the namespace "
	 "\\\"default\\\""},
	{"sam", "GET", JOBS, 200, "JobList"},
	{"sam", "GET", "/api/v1/namespaces/default/secrets", 200, "SecretList"},
	{"sam", "GET", "/api/v1/namespaces", 200, "NamespaceList"},
	{"sam", "GET", "/apis/batch/v1/jobs", 403,
	 "cannot list resource \\\"jobs\\\" in API group \\\"batch\\\" at the cluster scope"},
	{"sam", "GET", "/apis/batch/v1/namespaces/tea/jobs", 403, "in the namespace \\\"tea\\\""},
	{"sam", "GET", "/apis/batch/v1/namespaces/team/jobs", 200, "JobList"},
	{"sam", "PUT", JOBS "/x/status", 403, "Forbidden"},
	{"sam", "DELETE", "/api/v1/namespaces/default", 403, "Forbidden"},
	{"sam", "DELETE", "/apis/kueue.x-k8s.io/v1beta2/namespaces/default/workloads/x", 403, "Forbidden"},
};

Test(server, everyone_gets_what_their_role_allows, .timeout = 60)
{
	struct api_fix f;
	api_fix_init(&f, SW_SERVE_MANAGER);
	for (size_t i = 0; i < sizeof(access_rows) / sizeof(access_rows[0]); i++) {
		const struct access_row *r = &access_rows[i];
		const char *token = strcmp(r->who, "root") == 0   ? f.admin
				    : strcmp(r->who, "rita") == 0 ? f.reader
				    : strcmp(r->who, "sam") == 0  ? f.submitter
				    : strcmp(r->who, "liar") == 0 ? "0123456789"
								  : NULL;
		struct answer a;
		api_call(&f, &a, token, r->method, r->path, NULL, NULL);
		cr_expect_eq(a.status, r->status, "%s %s %s: found %ld, expected %ld: %s", r->who, r->method, r->path,
			     a.status, r->status, a.body);
		cr_expect(a.body && strstr(a.body, r->says), "%s %s %s: expected \"%s\" in: %s", r->who, r->method,
			  r->path, r->says, a.body);
		if (a.status >= 400 && a.json)
			cr_expect_eq(sw_json_int(a.json, "code", 0), a.status, "%s: code of the body", r->path);
		answer_fini(&a);
	}
	api_fix_fini(&f);
}

Test(server, users_survive_a_restart_and_only_hashes_are_kept)
{
	struct api_fix f;
	struct answer a;
	char old[65], path[128], *db = NULL;
	size_t len;
	api_fix_init(&f, SW_SERVE_MANAGER);
	strcpy(old, f.reader);
	cr_assert(!sw_failed(sw_api_user_add(f.api, "rita", SW_ROLE_READER, NULL, f.reader)));
	api_fix_restart(&f);
	api_call(&f, &a, old, "GET", JOBS, NULL, NULL);
	cr_assert_eq(a.status, 401, "a replaced token is dead");
	answer_fini(&a);
	api_call(&f, &a, f.reader, "GET", JOBS, NULL, NULL);
	cr_assert_eq(a.status, 200);
	answer_fini(&a);
	api_fix_restart(&f); /* what is in the log of the database goes into its file */
	snprintf(path, sizeof(path), "%s/store.db", f.dir);
	cr_assert(!sw_failed(sw_file_read(path, 64 << 20, &db, &len)));
	cr_assert(memmem(db, len, "user/rita", 9) != NULL);
	cr_assert(memmem(db, len, f.reader, 64) == NULL);
	free(db);
	api_fix_fini(&f);
}

Test(server, bad_users_are_refused)
{
	struct api_fix f;
	char token[65];
	api_fix_init(&f, SW_SERVE_MANAGER);
	cr_expect_eq(sw_api_user_add(f.api, "", SW_ROLE_ADMIN, NULL, token).code, SW_E_INVALID);
	cr_expect_eq(sw_api_user_add(f.api, "a/b", SW_ROLE_ADMIN, NULL, token).code, SW_E_INVALID);
	cr_expect_eq(sw_api_user_add(f.api, "x", SW_ROLE_SUBMITTER, "", token).code, SW_E_INVALID);
	cr_expect_str_empty(token);
	api_fix_fini(&f);
}

/* The value of `token:` in a kubeconfig. */
static void token_of(const char *kubeconfig, char token[65])
{
	const char *at = kubeconfig ? strstr(kubeconfig, "token: \"") : NULL;
	cr_assert(at, "no token in: %s", kubeconfig ? kubeconfig : "(nothing)");
	snprintf(token, 65, "%s", at + strlen("token: \""));
}

static void users_expect(struct api_fix *f, const char *token, const char *method, const char *query, long status)
{
	struct answer a;
	char path[64];
	snprintf(path, sizeof(path), "/spillway/v1/users%s", query);
	api_call(f, &a, token, method, path, "Content-Type: application/json",
		 strcmp(method, "POST") == 0 ? "{\"name\":\"ada\",\"role\":\"submitter\",\"namespaces\":\"default\"}"
					     : NULL);
	cr_expect_eq(a.status, status, "%s %s: found %ld, expected %ld: %s", method, path, a.status, status, a.body);
	answer_fini(&a);
}

Test(server, admins_add_and_remove_users_over_the_wire, .timeout = 60)
{
	struct api_fix f;
	struct answer a;
	char token[65];
	api_fix_init(&f, SW_SERVE_MANAGER);
	json_t *made = api_expect(&f, 200, "POST", "/spillway/v1/users", "Content-Type: application/json",
				  "{\"name\":\"ada\",\"role\":\"submitter\",\"namespaces\":\"team,default\"}");
	cr_expect(strstr(sw_json_str(made, "kubeconfig"), "namespace: \"team\""),
		  "it starts in a namespace where she may submit");
	token_of(sw_json_str(made, "kubeconfig"), token);
	json_object_put(made);
	api_call(&f, &a, token, "GET", JOBS, NULL, NULL);
	cr_expect_eq(a.status, 200, "what was made lets its user in: %s", a.body);
	answer_fini(&a);
	users_expect(&f, token, "GET", "", 403);
	users_expect(&f, token, "POST", "", 403);
	users_expect(&f, f.reader, "DELETE", "?name=ada", 403);
	users_expect(&f, f.admin, "PUT", "", 405);
	users_expect(&f, f.admin, "DELETE", "", 400);
	json_object_put(api_expect(&f, 200, "DELETE", "/spillway/v1/users?name=ada", NULL, NULL));
	api_call(&f, &a, token, "GET", JOBS, NULL, NULL);
	cr_expect_eq(a.status, 401, "a removed user's token is dead");
	answer_fini(&a);
	api_fix_fini(&f);
}

Test(server, kubeconfigs_of_others_name_an_address_that_they_can_reach)
{
	struct api_fix f;
	const char *const hosts[] = {"gateway.example", NULL};
	api_fix_init(&f, SW_SERVE_MANAGER);
	f.opt.listen = "0.0.0.0:0";
	f.opt.hosts = hosts;
	api_fix_restart(&f);
	json_t *made = api_expect(&f, 200, "POST", "/spillway/v1/users", "Content-Type: application/json",
				  "{\"name\":\"rob\",\"role\":\"reader\"}");
	cr_expect(strstr(sw_json_str(made, "kubeconfig"), "server: \"https://gateway.example:"), "found %s",
		  sw_json_str(made, "kubeconfig"));
	cr_expect(strstr(sw_api_url(f.api), "https://127.0.0.1:"), "our own way in stays");
	json_object_put(made);
	api_fix_fini(&f);
}

static mode_t mode_of(const struct api_fix *f, const char *name)
{
	char path[128];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	cr_assert_eq(stat(path, &st), 0, "%s", path);
	return st.st_mode & 0777;
}

Test(server, keys_and_kubeconfigs_are_private_and_certificates_are_kept)
{
	struct api_fix f;
	char path[128], *before = NULL;
	size_t len;
	api_fix_init(&f, SW_SERVE_MANAGER);
	snprintf(path, sizeof(path), "%s/kubeconfig", f.dir);
	cr_assert(!sw_failed(sw_api_kubeconfig_write(f.api, path, "root", f.admin)));
	cr_expect_eq(mode_of(&f, "ca.key"), 0600);
	cr_expect_eq(mode_of(&f, "server.key"), 0600);
	cr_expect_eq(mode_of(&f, "kubeconfig"), 0600);
	cr_expect_eq(mode_of(&f, "store.db"), 0600);
	snprintf(path, sizeof(path), "%s/server.crt", f.dir);
	cr_assert(!sw_failed(sw_file_read(path, 1 << 16, &before, &len)));
	for (int i = 0; i < 2; i++) {
		char *after = NULL;
		const char *const hosts[] = {"gateway.example", "192.0.2.7", NULL};
		f.opt.hosts = i ? hosts : NULL;
		api_fix_restart(&f);
		cr_assert(!sw_failed(sw_file_read(path, 1 << 16, &after, &len)));
		cr_expect_eq(strcmp(before, after) != 0, i == 1, "made anew only when the names change");
		free(after);
		json_object_put(api_expect(&f, 200, "GET", JOBS, NULL, NULL)); /* and the old CA is still the one */
	}
	free(before);
	api_fix_fini(&f);
}

/* What a start finds in the data directory: left by a kill between two files, or by a person. */
static const struct {
	const char *gone[5];
	bool starts;
} tls_rows[] = {
	{{"ca.crt", "server.crt", "server.key"}, true}, /* killed after the CA's key: nobody has trusted it yet */
	{{"server.crt"}, true},
	{{"server.key"}, true},
	{{"ca.crt", "ca.key", "server.crt", "server.key"}, true},
	{{"ca.crt"}, false}, /* clients trust it */
	{{"ca.key"}, false},
};

Test(server, a_start_that_was_cut_off_is_taken_up_and_a_trusted_ca_is_never_replaced)
{
	for (size_t i = 0; i < sizeof(tls_rows) / sizeof(*tls_rows); i++) {
		char dir[] = "/tmp/spillway-tls-XXXXXX", path[64];
		struct tls tls = {.ca_pem = NULL};
		cr_assert_not_null(mkdtemp(dir));
		cr_assert(!sw_failed(tls_load(dir, "x", NULL, &tls)));
		tls_free(&tls);
		for (const char *const *name = tls_rows[i].gone; *name; name++) {
			snprintf(path, sizeof(path), "%s/%s", dir, *name);
			cr_assert_eq(unlink(path), 0);
		}
		struct sw_err e = tls_load(dir, "x", NULL, &tls);
		cr_expect_eq(!sw_failed(e), tls_rows[i].starts, "row %zu: %s", i, e.text);
		tls_free(&tls);
		static const char *const names[] = {"ca.crt", "ca.key", "server.crt", "server.key"};
		for (size_t k = 0; k < 4; k++) {
			snprintf(path, sizeof(path), "%s/%s", dir, names[k]);
			unlink(path);
		}
		cr_expect_eq(rmdir(dir), 0, "row %zu", i);
	}
}

/* ---- what hostile requests get --------------------------------------------------------- */

struct bad_row {
	const char *what, *method, *path, *headers, *body;
	long status;
	const char *says;
};
#define JSON_TYPE "Content-Type: application/json"
static const struct bad_row bad_rows[] = {
	{"no body", "POST", JOBS, JSON_TYPE, "", 400, "has no body"},
	{"not JSON", "POST", JOBS, JSON_TYPE, "{", 400, "cannot be handled as a Job"},
	{"an array", "POST", JOBS, JSON_TYPE, "[]", 400, "BadRequest"},
	{"a number", "POST", JOBS, JSON_TYPE, "7", 400, "BadRequest"},
	{"bytes after it", "POST", JOBS, JSON_TYPE, JOB("a", "") "x", 400, "BadRequest"},
	{"not UTF-8", "POST", JOBS, JSON_TYPE, "{\"kind\":\"\xff\xfe\"}", 400, "BadRequest"},
	{"another kind", "POST", JOBS, JSON_TYPE,
	 "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}", 400, "BadRequest"},
	{"another namespace", "POST", JOBS, JSON_TYPE, JOB("a", ",\"namespace\":\"other\""), 400, "BadRequest"},
	{"a missing namespace", "POST", "/apis/batch/v1/namespaces/none/jobs", JSON_TYPE, JOB("a", ""), 404,
	 "namespaces \\\"none\\\" not found"},
	{"a bad name", "POST", JOBS, JSON_TYPE, JOB("A_b", ""), 422, "\"reason\":\"Invalid\""},
	{"no name", "POST", JOBS, JSON_TYPE,
	 "{\"metadata\":{},\"spec\":{\"template\":{\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":"
	 "\"a\",\"image\":\"b\"}]}}}}",
	 422, "metadata.name"},
	{"an unknown type", "POST", JOBS, "Content-Type: text/plain", JOB("a", ""), 415, "UnsupportedMediaType"},
	{"broken protobuf", "POST", JOBS, "Content-Type: application/vnd.kubernetes.protobuf", "k8s\x01\x02", 400,
	 "BadRequest"},
	{"broken YAML", "POST", JOBS, "Content-Type: application/yaml", "a: [", 400, "BadRequest"},
	{"an unknown field, strictly", "POST", JOBS "?fieldValidation=Strict", JSON_TYPE,
	 "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"foo\":1}}", 400, "unknown field \\\"spec.foo\\\""},
	{"an unknown fieldValidation", "POST", JOBS "?fieldValidation=Never", JSON_TYPE, JOB("a", ""), 400,
	 "BadRequest"},
	{"an unknown dryRun", "POST", JOBS "?dryRun=Some", JSON_TYPE, JOB("a", ""), 422, "dryRun"},
	{"PUT of nothing", "PUT", JOBS "/a", JSON_TYPE, JOB("a", ""), 404, "NotFound"},
	{"PUT under another name", "PUT", JOBS "/a", JSON_TYPE, JOB("b", ""), 400,
	 "does not match the name on the URL"},
	{"PATCH of nothing", "PATCH", JOBS "/a", "Content-Type: application/merge-patch+json", "{}", 404, "NotFound"},
	{"PATCH of no type", "PATCH", JOBS "/a", JSON_TYPE, "{}", 415, "UnsupportedMediaType"},
	{"apply without a manager", "PATCH", JOBS "/a", "Content-Type: application/apply-patch+yaml", JOB("a", ""), 400,
	 "fieldManager"},
	{"DELETE of nothing", "DELETE", JOBS "/a", NULL, NULL, 404, "NotFound"},
	{"DELETE with a bad policy", "DELETE", JOBS "/a?propagationPolicy=Loud", NULL, NULL, 422, "propagationPolicy"},
	{"a bad label selector", "GET", JOBS "?labelSelector=a+in+(", NULL, NULL, 400, "BadRequest"},
	{"a bad field selector", "GET", JOBS "?fieldSelector=spec.x%3D1", NULL, NULL, 400, "field label not supported"},
	{"a bad limit", "GET", JOBS "?limit=x", NULL, NULL, 400, "limit"},
	{"a negative limit", "GET", JOBS "?limit=-1", NULL, NULL, 400, "limit"},
	{"a bad continue", "GET", JOBS "?continue=zzz", NULL, NULL, 400, "continue key is not valid"},
	{"a bad version", "GET", JOBS "?resourceVersion=x", NULL, NULL, 422, "resourceVersion"},
	{"a match without a version", "GET", JOBS "?resourceVersionMatch=Exact", NULL, NULL, 422,
	 "forbidden unless resourceVersion"},
	{"initial events of a list", "GET", JOBS "?sendInitialEvents=true", NULL, NULL, 422, "forbidden for list"},
	{"a list of the future", "GET", JOBS "?resourceVersion=99999", NULL, NULL, 504, "Too large resource version"},
	{"an exact old version", "GET", JOBS "?resourceVersion=1&resourceVersionMatch=Exact", NULL, NULL, 410,
	 "Expired"},
	{"a watch of the future", "GET", JOBS "?watch=1&resourceVersion=99999", NULL, NULL, 504,
	 "ResourceVersionTooLarge"},
	{"a watch from x", "GET", JOBS "?watch=1&resourceVersion=x", NULL, NULL, 422, "resourceVersion"},
	{"initial events without a match", "GET", JOBS "?watch=1&sendInitialEvents=true", NULL, NULL, 422,
	 "NotOlderThan"},
	{"an unknown answer type", "GET", JOBS, "Accept: text/html", NULL, 406, "NotAcceptable"},
	{"half a table", "GET", JOBS "?includeObject=Some", NULL, NULL, 400, "includeObject"},
	{"a name with a slash in it", "GET", JOBS "/a%2Fb%2Fc%2Fd", NULL, NULL, 404, "NotFound"},
	{"a deletion of default", "DELETE", "/api/v1/namespaces/default", NULL, NULL, 403, "may not be deleted"},
};

Test(server, bad_requests_get_a_clear_status_and_change_nothing, .timeout = 60)
{
	struct api_fix f;
	api_fix_init(&f, SW_SERVE_MANAGER);
	for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
		const struct bad_row *r = &bad_rows[i];
		struct answer a;
		api_call(&f, &a, f.admin, r->method, r->path, r->headers, r->body);
		cr_expect_eq(a.status, r->status, "%s: found %ld, expected %ld: %s", r->what, a.status, r->status,
			     a.body);
		cr_expect(a.body && strstr(a.body, r->says), "%s: expected \"%s\" in: %s", r->what, r->says, a.body);
		cr_expect(a.json && strcmp(sw_json_str(a.json, "kind"), "Status") == 0, "%s: not a Status: %s", r->what,
			  a.body);
		answer_fini(&a);
	}
	cr_assert_eq(sw_store_count(sw_api_store(f.api), "jobs.batch", NULL), 0);
	api_fix_fini(&f);
}

static char *body_of(size_t bytes)
{
	static const char head[] =
		"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"big\"},\"data\":{\"x\":\"",
			  tail[] = "\"}}";
	char *b = malloc(bytes + 1);
	memset(b, 'y', bytes);
	memcpy(b, head, sizeof(head) - 1);
	memcpy(b + bytes - (sizeof(tail) - 1), tail, sizeof(tail));
	return b;
}

Test(server, bodies_up_to_the_limit_are_read_and_larger_ones_refused, .timeout = 60)
{
	struct api_fix f;
	struct answer a;
	static const struct {
		size_t bytes;
		long status;
	} rows[] = {{1000000, 201}, {(3 << 20) + 1, 413}, {6 << 20, 413}, {40 << 20, 413}};
	api_fix_init(&f, SW_SERVE_MANAGER);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *body = body_of(rows[i].bytes);
		api_call(&f, &a, f.admin, "POST", "/api/v1/namespaces/default/configmaps", JSON_TYPE, body);
		/* Far over the limit the connection is closed while the client still sends: it may not see the answer.
		 */
		bool cut = rows[i].bytes > (32 << 20) && sw_failed(a.err);
		cr_expect(a.status == rows[i].status || cut, "%zu bytes: %ld %s %.200s", rows[i].bytes, a.status,
			  a.err.text, a.body);
		answer_fini(&a);
		api_call(&f, &a, NULL, "POST", "/api/v1/namespaces/default/configmaps", JSON_TYPE, body);
		cut = rows[i].bytes > (32 << 20) && sw_failed(a.err);
		cr_expect(a.status == 401 || a.status == 413 || cut, "%zu bytes from nobody: %ld %s", rows[i].bytes,
			  a.status, a.err.text);
		answer_fini(&a);
		free(body);
	}
	api_call(&f, &a, f.admin, "POST", "/api/v1/namespaces/default/configmaps",
		 JSON_TYPE "\nTransfer-Encoding: chunked", "{\"metadata\":{\"name\":\"chunked\"}}");
	cr_expect_eq(a.status, 201, "a chunked body: %s", a.body);
	answer_fini(&a);
	api_fix_fini(&f);
}

/* ---- clients that break off ------------------------------------------------------------------ */

struct rude {
	int port;
	const char *text;
	bool done;
};

/* Sends its text over TLS (or, with NULL, only opens the connection) and is gone. */
static void *rude_main(void *arg)
{
	struct rude *r = arg;
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)r->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && r->text) {
		SSL_set_fd(ssl, fd);
		if (SSL_connect(ssl) == 1)
			SSL_write(ssl, r->text, (int)strlen(r->text));
	}
	usleep(20000); /* let it be read before the end comes */
	close(fd);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	__atomic_store_n(&r->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

Test(server, clients_that_break_off_leave_nothing_behind, .timeout = 60)
{
	struct api_fix f;
	char texts[6][2048];
	api_fix_init(&f, SW_SERVE_MANAGER);
	static const char *const forms[] = {
		"GET " JOBS " HTTP/1.1\r\nHost: x\r\nAuthoriza",
		"POST " JOBS " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: "
		"application/json\r\nContent-Length: 900\r\n\r\n{\"half\":",
		"POST " JOBS " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: "
		"chunked\r\n\r\n5\r\n{\"a\":\r\nzz\r\n",
		"GET " JOBS "?watch=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
		"\x01\x02\x03 nonsense\r\n\r\n",
	};
	for (int i = 0; i < 6; i++) {
		struct rude r = {.port = sw_api_port(f.api), .text = i < 5 ? texts[i] : NULL};
		pthread_t t;
		bool never = false;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		if (i < 5)
			snprintf(texts[i], sizeof(texts[i]), forms[i], f.admin);
#pragma GCC diagnostic pop
		cr_assert_eq(pthread_create(&t, NULL, rude_main, &r), 0);
		while (!__atomic_load_n(&r.done, __ATOMIC_SEQ_CST))
			sw_loop_until(f.loop, &never, 5);
		pthread_join(t, NULL);
		json_object_put(api_expect(&f, 200, "GET", JOBS, NULL, NULL));
	}
	cr_assert_eq(sw_store_count(sw_api_store(f.api), "jobs.batch", NULL), 0);
	api_fix_fini(&f);
}

/* ---- a full disk, and servers that cannot start ------------------------------------------------- */

Test(server, a_full_disk_is_a_clear_status_and_passes, .timeout = 60)
{
	struct api_fix f;
	struct answer a;
	struct rlimit old, small;
	char *body = body_of(300000);
	api_fix_init(&f, SW_SERVE_MANAGER);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){.rlim_cur = 100 << 10, .rlim_max = old.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	api_call(&f, &a, f.admin, "POST", "/api/v1/namespaces/default/configmaps", JSON_TYPE, body);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	cr_expect_eq(a.status, 507, "%s", a.body);
	cr_expect(a.json && strcmp(sw_json_str(a.json, "reason"), "InsufficientStorage") == 0, "%s", a.body);
	answer_fini(&a);
	json_object_put(api_expect(&f, 404, "GET", "/api/v1/namespaces/default/configmaps/big", NULL, NULL));
	json_object_put(api_expect(&f, 201, "POST", "/api/v1/namespaces/default/configmaps", JSON_TYPE, body));
	free(body);
	api_fix_fini(&f);
}

Test(server, one_that_cannot_start_says_why_and_leaves_nothing)
{
	struct api_fix f;
	struct sw_api *second = NULL;
	char listen[64], dir[80];
	api_fix_init(&f, SW_SERVE_MANAGER);
	struct sw_api_options opt = f.opt;
	struct sw_err e = sw_api_new(f.loop, &opt, &second);
	cr_expect_eq(e.code, SW_E_BUSY, "%s", e.text);
	snprintf(dir, sizeof(dir), "%s/second", f.dir);
	snprintf(listen, sizeof(listen), "127.0.0.1:%d", sw_api_port(f.api));
	opt.dir = dir;
	opt.listen = listen;
	e = sw_api_new(f.loop, &opt, &second);
	cr_expect(e.code == SW_E_IO && strstr(e.text, listen), "%s", e.text);
	static const char *const bad[] = {"nonsense",         "127.0.0.1:", ":1", "127.0.0.1:x",
					  "127.0.0.1:123456", "[::1",       ""};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		opt.listen = bad[i];
		e = sw_api_new(f.loop, &opt, &second);
		cr_expect_eq(e.code, SW_E_INVALID, "%s: %s", bad[i], e.text);
		cr_expect_eq(second, NULL);
	}
	static const char *const names[] = {"a,DNS:evil.example", NULL};
	opt.listen = "127.0.0.1:0";
	opt.hosts = names;
	e = sw_api_new(f.loop, &opt, &second);
	cr_expect_eq(e.code, SW_E_INVALID, "%s", e.text);
	api_fix_fini(&f);
}
