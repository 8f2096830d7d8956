/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubeconfig.c - reads one context of a kubeconfig
 *
 * A field that is not honoured is an error, and so is a field that nobody knows: a mistyped
 * "certificate-authority-date" must not end in a connection that trusts something else. Only the chosen
 * context, its cluster and its user are judged; the rest of the file belongs to others.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "auth_priv.h"
#include "pem.h"
#include "spillway/text.h"
#include "yaml_read.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

/* ---- entries by name --------------------------------------------------------- */

struct listing {
	const char *list;  /* "clusters" */
	const char *entry; /* "cluster" */
};

static struct sw_err not_found(const struct sw_yaml *y, json_t *at, const struct listing *l, const char *name)
{
	json_t *list = sw_json_key(sw_yaml_doc(y, 0), l->list);
	const char *names[64];
	const char *near;
	int n = 0;

	for (size_t i = 0; i < sw_json_len(list) && n < COUNT(names); i++) {
		const char *s = yaml_text(sw_json_key(sw_json_idx(list, i), "name"));
		if (s)
			names[n++] = s;
	}
	near = sw_nearest(name, names, n);
	if (n == 0)
		return yaml_err(y, at, "%s: found none, expected one named \"%.80s\"", l->list, name);
	return yaml_err(y, at, "%s: found none named \"%.80s\"%s\"%.80s\"%s", l->list, name,
			near ? ", did you mean " : "; there is ", near ? near : names[0],
			near    ? "?"
			: n > 1 ? " and more"
				: "");
}

/* clusters[name].cluster and the like. `at` is where the name was used. */
static struct sw_err entry_find(const struct sw_yaml *y, json_t *at, const struct listing *l, const char *name,
				json_t **out)
{
	json_t *list = sw_json_key(sw_yaml_doc(y, 0), l->list), *item, *found = NULL;

	*out = NULL;
	if (list && !yaml_is_list(list))
		return yaml_err(y, list, "%s: expected a list", l->list);
	for (size_t i = 0; i < sw_json_len(list); i++) {
		item = sw_json_idx(list, i);
		const char *s = yaml_text(sw_json_key(item, "name"));
		if (!s || strcmp(s, name) != 0)
			continue;
		if (found)
			return yaml_err(y, item, "%s: found \"%.80s\" twice, expected it once", l->list, name);
		found = item;
	}
	if (!found)
		return not_found(y, at, l, name);
	*out = sw_json_key(found, l->entry);
	if (!yaml_is_map(*out))
		return yaml_err(y, found, "%s[%.80s].%s: found none, expected a mapping", l->list, name, l->entry);
	return SW_OK;
}

/* ---- several strings at once --------------------------------------------------- */

struct str_field {
	const char *key;
	char **out;
};

static struct sw_err strings_read(const struct sw_yaml *y, json_t *map, const char *path, const struct str_field *f,
				  int n)
{
	struct sw_err e = SW_OK;

	for (int i = 0; i < n && !sw_failed(e); i++)
		e = yaml_str(y, map, path, f[i].key, f[i].out);
	return e;
}

/* A path in the file becomes relative to the file's folder. */
static struct sw_err path_resolve(const struct sw_yaml *y, json_t *map, const char *path, const char *key,
				  const char *dir, char **file)
{
	char *whole;

	if (!*file)
		return SW_OK;
	if (!dir)
		return yaml_err(y, sw_json_key(map, key),
				"%s.%s: found a file name, expected %s: this kubeconfig may not name files", path, key,
				strcmp(key, "tokenFile") == 0 ? "token" : "the -data form");
	if (**file == '/')
		return SW_OK;
	whole = sw_asprintf("%s/%s", dir, *file);
	free(*file);
	*file = whole;
	return SW_OK;
}

/* NAME and NAME-data. Data wins, as with kubectl. */
static struct sw_err pem_read(const struct sw_yaml *y, json_t *map, const char *path, const char *key, const char *dir,
			      struct pem_source *out)
{
	char *data_key = sw_asprintf("%s-data", key), *base64 = NULL;
	unsigned char *bytes = NULL;
	size_t len = 0;
	struct sw_err e = yaml_str(y, map, path, key, &out->path);

	if (!sw_failed(e))
		e = yaml_str(y, map, path, data_key, &base64);
	if (!sw_failed(e) && base64) {
		e = sw_base64_decode(base64, strlen(base64), &bytes, &len);
		if (sw_failed(e) || memchr(bytes, 0, len))
			e = yaml_err(y, sw_json_key(map, data_key),
				     "%s.%s: found text that is not base64 of a PEM text", path, data_key);
		else
			out->data = sw_asprintf("%.*s", (int)len, (char *)bytes);
		free(out->path); /* not used, so not judged either */
		out->path = NULL;
	}
	if (!sw_failed(e))
		e = path_resolve(y, map, path, key, dir, &out->path);
	free(bytes);
	free(base64);
	free(data_key);
	return e;
}

/* ---- cluster ------------------------------------------------------------------- */

static bool starts_with_any(const char *s, const char *const *prefixes, int n)
{
	for (int i = 0; i < n; i++) {
		if (strncmp(s, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return false;
}

static struct sw_err server_check(const struct sw_yaml *y, json_t *map, const char *path, struct sw_kubeconfig *kc)
{
	static const char *const schemes[] = {"https://", "http://"};
	json_t *at = sw_json_key(map, "server");
	size_t len;

	if (!kc->server)
		return yaml_err(y, map, "%s.server: found none, expected a URL such as https://host:6443", path);
	if (!starts_with_any(kc->server, schemes, 2) || strpbrk(kc->server, "?#@ \t\r\n") ||
	    !strchr(kc->server, '/')[2])
		return yaml_err(y, at, "%s.server: found \"%.120s\", expected a URL such as https://host:6443", path,
				kc->server);
	len = strlen(kc->server);
	while (len > 0 && kc->server[len - 1] == '/')
		kc->server[--len] = '\0';
	return SW_OK;
}

static struct sw_err cluster_check(const struct sw_yaml *y, json_t *map, const char *path, struct sw_kubeconfig *kc)
{
	static const char *const proxies[] = {"http://", "https://", "socks5://", "socks5h://"};
	struct sw_err e = server_check(y, map, path, kc);

	if (sw_failed(e))
		return e;
	if (kc->proxy_url && !starts_with_any(kc->proxy_url, proxies, 4))
		return yaml_err(y, sw_json_key(map, "proxy-url"),
				"%s.proxy-url: found \"%.80s\", expected http://, https:// or socks5://", path,
				kc->proxy_url);
	if (kc->insecure && (kc->ca.data || kc->ca.path))
		return yaml_err(y, map,
				"%s: found insecure-skip-tls-verify together with a certificate authority, expected "
				"one of them",
				path);
	return SW_OK;
}

/* What the cluster has for exec plugins: lent, or NULL. */
static json_t *exec_config(json_t *map)
{
	json_t *list = sw_json_key(map, "extensions");

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *item = sw_json_idx(list, i), *value = sw_json_key(item, "extension");
		const char *name = yaml_text(sw_json_key(item, "name"));
		if (name && value && strcmp(name, "client.authentication.k8s.io/exec") == 0)
			return value;
	}
	return NULL;
}

static struct sw_err cluster_read(const struct sw_yaml *y, json_t *map, const char *path, struct sw_kubeconfig *kc)
{
	static const char *const known[] = {"server",
					    "certificate-authority",
					    "certificate-authority-data",
					    "insecure-skip-tls-verify",
					    "tls-server-name",
					    "proxy-url",
					    "disable-compression",
					    "extensions"};
	const struct str_field fields[] = {
		{"server", &kc->server}, {"tls-server-name", &kc->tls_server_name}, {"proxy-url", &kc->proxy_url}};
	struct sw_err e = yaml_only(y, map, path, known, COUNT(known));

	if (!sw_failed(e))
		e = strings_read(y, map, path, fields, COUNT(fields));
	if (!sw_failed(e))
		e = yaml_bool(y, map, path, "insecure-skip-tls-verify", &kc->insecure);
	if (!sw_failed(e))
		e = yaml_bool(y, map, path, "disable-compression",
			      &kc->disable_compression); /* nothing is compressed anyway */
	if (!sw_failed(e))
		e = pem_read(y, map, path, "certificate-authority", kc->dir, &kc->ca);
	return sw_failed(e) ? e : cluster_check(y, map, path, kc);
}

/* ---- user ---------------------------------------------------------------------- */

static struct sw_err user_refuse(const struct sw_yaml *y, json_t *map, const char *path)
{
	static const char *const refused[][2] = {
		{"auth-provider", "it was removed from Kubernetes clients in 1.26: use exec"},
		{"as", "spillway does not impersonate: use a user with the rights needed"},
		{"as-uid", "spillway does not impersonate: use a user with the rights needed"},
		{"as-groups", "spillway does not impersonate: use a user with the rights needed"},
		{"as-user-extra", "spillway does not impersonate: use a user with the rights needed"},
	};

	for (int i = 0; i < COUNT(refused); i++) {
		json_t *n = sw_json_key(map, refused[i][0]);
		if (n)
			return yaml_err(y, n, "%s.%s: is not supported: %s", path, refused[i][0], refused[i][1]);
	}
	return SW_OK;
}

/* "http://127.0.0.1.example.org" is not. */
static bool is_loopback(const char *server)
{
	const char *host = server + strlen("http://");
	size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	char text[64];
	struct in_addr a;

	if (len >= sizeof text)
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &a) == 1)
		return ntohl(a.s_addr) >> 24 == 127;
	return strcmp(text, "localhost") == 0 || strcmp(text, "[::1]") == 0;
}

static struct sw_err basic_check(const struct sw_yaml *y, json_t *map, const char *path, const struct sw_kubeconfig *kc)
{
	if (kc->password && !kc->username)
		return yaml_err(y, map, "%s: found password without username, expected both", path);
	if (kc->username && strchr(kc->username, ':'))
		return yaml_err(y, map, "%s.username: found a colon, which basic authentication cannot carry", path);
	return SW_OK;
}

static struct sw_err user_check(const struct sw_yaml *y, json_t *map, const char *path, const struct sw_kubeconfig *kc)
{
	int ways = (kc->token || kc->token_file) + (kc->username || kc->password) + (kc->exec != NULL);
	bool cert = kc->cert.data || kc->cert.path, key = kc->key.data || kc->key.path;

	if (cert != key)
		return yaml_err(y, map, "%s: found client-%s without client-%s, expected both", path,
				cert ? "certificate" : "key", cert ? "key" : "certificate");
	if (ways > 1)
		return yaml_err(y, map, "%s: found more than one of token, username and exec, expected one", path);
	if (kc->token && strpbrk(kc->token, "\r\n"))
		return yaml_err(y, map, "%s.token: found a line break inside", path);
	if (ways > 0 && strncmp(kc->server, "http://", 7) == 0 && !is_loopback(kc->server))
		return yaml_err(
			y, map,
			"%s: found credentials for %.80s, expected an https:// server: they would travel in the clear",
			path, kc->server);
	return basic_check(y, map, path, kc);
}

static struct sw_err user_read(const struct sw_yaml *y, json_t *map, const char *path, struct sw_kubeconfig *kc)
{
	static const char *const known[] = {
		"token",      "tokenFile",       "client-certificate", "client-certificate-data",
		"client-key", "client-key-data", "username",           "password",
		"exec",       "extensions",      "auth-provider",      "as",
		"as-uid",     "as-groups",       "as-user-extra"};
	const struct str_field fields[] = {{"token", &kc->token},
					   {"tokenFile", &kc->token_file},
					   {"username", &kc->username},
					   {"password", &kc->password}};
	struct sw_err e = yaml_only(y, map, path, known, COUNT(known));

	if (!sw_failed(e))
		e = user_refuse(y, map, path);
	if (!sw_failed(e))
		e = strings_read(y, map, path, fields, COUNT(fields));
	if (!sw_failed(e))
		e = path_resolve(y, map, path, "tokenFile", kc->dir, &kc->token_file);
	if (!sw_failed(e))
		e = pem_read(y, map, path, "client-certificate", kc->dir, &kc->cert);
	if (!sw_failed(e))
		e = pem_read(y, map, path, "client-key", kc->dir, &kc->key);
	if (!sw_failed(e) && sw_json_key(map, "exec"))
		e = exec_spec_read(y, sw_json_key(map, "exec"), kc);
	return sw_failed(e) ? e : user_check(y, map, path, kc);
}

/* ---- the certificates are what they should be ------------------------------------ */

static struct sw_err pem_load(const struct pem_source *s, const char *what, char **out)
{
	struct sw_err e;
	size_t len;

	*out = NULL;
	if (s->data)
		*out = sw_strdup(s->data);
	if (s->data || !s->path)
		return SW_OK;
	e = sw_file_read(s->path, AUTH_FILE_MAX, out, &len);
	return sw_failed(e) ? sw_err_wrap(e, "%s", what) : SW_OK;
}

static struct sw_err pems_check(const struct sw_kubeconfig *kc)
{
	char *ca = NULL, *cert = NULL, *key = NULL;
	struct sw_err e = pem_load(&kc->ca, "certificate-authority", &ca);

	if (!sw_failed(e) && ca)
		e = pem_check_certs("certificate-authority", ca);
	if (!sw_failed(e))
		e = pem_load(&kc->cert, "client-certificate", &cert);
	if (!sw_failed(e))
		e = pem_load(&kc->key, "client-key", &key);
	if (!sw_failed(e) && cert && key)
		e = pem_check_pair("user", cert, key);
	free(ca);
	free(cert);
	free(key);
	return sw_failed(e) ? sw_err_wrap(e, "%s", kc->name) : SW_OK;
}

/* ---- the whole ------------------------------------------------------------------- */

static struct sw_err kind_check(const struct sw_yaml *y, json_t *root)
{
	static const char *const known[] = {"apiVersion", "kind",     "preferences",     "clusters",
					    "users",      "contexts", "current-context", "extensions"};
	json_t *kind = sw_json_key(root, "kind"), *version = sw_json_key(root, "apiVersion");

	if (!yaml_is_map(root))
		return yaml_err(y, root, "expected a kubeconfig (kind: Config)");
	if (kind && strcmp(json_object_get_string(kind), "Config") != 0)
		return yaml_err(y, kind, "kind: found \"%.60s\", expected Config", json_object_get_string(kind));
	if (version && strcmp(json_object_get_string(version), "v1") != 0)
		return yaml_err(y, version, "apiVersion: found \"%.60s\", expected v1",
				json_object_get_string(version));
	return yaml_only(y, root, "kubeconfig", known, COUNT(known));
}

static struct sw_err context_read(const struct sw_yaml *y, const char *context, json_t **out)
{
	static const struct listing contexts = {"contexts", "context"};
	static const char *const known[] = {"cluster", "user", "namespace", "extensions"};
	json_t *root = sw_yaml_doc(y, 0), *at = sw_json_key(root, "current-context");
	struct sw_err e = kind_check(y, root);

	if (sw_failed(e))
		return e;
	if (!context)
		context = yaml_text(at);
	if (!context || !*context)
		return yaml_err(y, root, "current-context: found none, expected the name of a context");
	e = entry_find(y, at ? at : root, &contexts, context, out);
	return sw_failed(e) ? e : yaml_only(y, *out, "context", known, COUNT(known));
}

static struct sw_err kubeconfig_read(const struct sw_yaml *y, const char *context, struct sw_kubeconfig *kc)
{
	static const struct listing clusters = {"clusters", "cluster"}, users = {"users", "user"};
	json_t *ctx = NULL, *place = NULL, *who = NULL;
	char *cluster = NULL, *user = NULL;
	const struct str_field fields[] = {{"cluster", &cluster}, {"user", &user}, {"namespace", &kc->ns}};
	struct sw_err e = context_read(y, context, &ctx);

	if (!sw_failed(e))
		e = strings_read(y, ctx, "context", fields, COUNT(fields));
	if (!sw_failed(e))
		e = cluster ? entry_find(y, sw_json_key(ctx, "cluster"), &clusters, cluster, &place)
			    : yaml_err(y, ctx, "context.cluster: found none, expected the name of a cluster");
	if (!sw_failed(e))
		e = cluster_read(y, place, "cluster", kc);
	if (!sw_failed(e) && user)
		e = entry_find(y, sw_json_key(ctx, "user"), &users, user, &who);
	if (!sw_failed(e) && user)
		e = user_read(y, who, "user", kc);
	if (kc->exec)
		kc->exec->config = json_object_get(exec_config(place));
	free(cluster);
	free(user);
	return e;
}

static struct sw_err kubeconfig_make(const char *name, const char *dir, const char *text, size_t len,
				     const char *context, struct sw_kubeconfig **out)
{
	struct sw_kubeconfig *kc = sw_calloc(1, sizeof *kc);
	struct sw_yaml *y = NULL;
	struct sw_err e;

	*out = NULL;
	kc->name = sw_strdup(name);
	kc->dir = sw_strdup(dir);
	e = sw_yaml_parse(kc->name, text, len, &y);
	if (!sw_failed(e) && sw_yaml_docs(y) != 1)
		e = sw_err(SW_E_INVALID, "%s: found %zu documents, expected one kubeconfig", name, sw_yaml_docs(y));
	if (!sw_failed(e))
		e = kubeconfig_read(y, context, kc);
	sw_yaml_free(y);
	if (!sw_failed(e))
		e = pems_check(kc);
	if (sw_failed(e))
		sw_kubeconfig_free(kc);
	else
		*out = kc;
	return e;
}

struct sw_err sw_kubeconfig_parse(const char *name, const char *text, size_t len, const char *context,
				  struct sw_kubeconfig **out)
{
	return kubeconfig_make(name, NULL, text, len, context, out);
}

struct sw_err sw_kubeconfig_load(const char *path, const char *context, struct sw_kubeconfig **out)
{
	const char *slash = strrchr(path, '/');
	char *text = NULL, *dir;
	size_t len = 0;
	struct sw_err e = sw_file_read(path, AUTH_FILE_MAX, &text, &len);

	*out = NULL;
	if (sw_failed(e))
		return sw_err_wrap(e, "kubeconfig");
	if (!slash)
		dir = sw_strdup(".");
	else
		dir = sw_asprintf("%.*s", slash == path ? 1 : (int)(slash - path), path);
	e = kubeconfig_make(path, dir, text, len, context, out);
	free(dir);
	free(text);
	return e;
}

static void secret_free(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void sw_kubeconfig_free(struct sw_kubeconfig *kc)
{
	if (!kc)
		return;
	exec_spec_free(kc->exec);
	secret_free(kc->token);
	secret_free(kc->password);
	secret_free(kc->key.data);
	free(kc->key.path);
	free(kc->name);
	free(kc->dir);
	free(kc->server);
	free(kc->ns);
	free(kc->tls_server_name);
	free(kc->proxy_url);
	free(kc->ca.data);
	free(kc->ca.path);
	free(kc->cert.data);
	free(kc->cert.path);
	free(kc->token_file);
	free(kc->username);
	free(kc);
}

bool sw_kubeconfig_renews(const struct sw_kubeconfig *kc)
{
	return kc->exec || kc->token_file;
}

const char *sw_kubeconfig_server(const struct sw_kubeconfig *kc)
{
	return kc->server;
}

const char *sw_kubeconfig_namespace(const struct sw_kubeconfig *kc)
{
	return kc->ns ? kc->ns : "default";
}
