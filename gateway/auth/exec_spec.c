/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_spec.c - users[].user.exec: what to run for credentials, and what to tell it
 *
 * Source: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
 */
#include <stdlib.h>
#include <string.h>
#include "auth_priv.h"
#include "spillway/text.h"
#include "yaml_read.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))
#define GROUP    "client.authentication.k8s.io/"

static struct sw_err version_check(const struct sw_yaml *y, json_t *map, const struct exec_spec *x)
{
	json_t *at = sw_json_key(map, "apiVersion");
	const char *v = x->api_version;

	if (!v)
		return yaml_err(y, map, "user.exec.apiVersion: found none, expected " GROUP "v1");
	if (strcmp(v, GROUP "v1") != 0 && strcmp(v, GROUP "v1beta1") != 0)
		return yaml_err(y, at, "user.exec.apiVersion: found \"%.60s\", expected " GROUP "v1 or v1beta1", v);
	return SW_OK;
}

/* There is never a terminal for the plugin here. */
static struct sw_err interactive_check(const struct sw_yaml *y, json_t *map, const struct exec_spec *x)
{
	static const char *const modes[] = {"Never", "IfAvailable", "Always"};
	json_t *at = sw_json_key(map, "interactiveMode");
	const char *mode = yaml_text(at);

	if (!mode && strcmp(x->api_version, GROUP "v1") == 0)
		return yaml_err(y, at ? at : map,
				"user.exec.interactiveMode: found none, expected Never or IfAvailable");
	if (!mode)
		return SW_OK;
	if (strcmp(mode, "Always") == 0)
		return yaml_err(y, at,
				"user.exec.interactiveMode: found Always, expected Never or IfAvailable: a gateway has "
				"no terminal");
	for (int i = 0; i < COUNT(modes); i++) {
		if (strcmp(mode, modes[i]) == 0)
			return SW_OK;
	}
	return yaml_err(y, at, "user.exec.interactiveMode: found \"%.40s\", expected Never or IfAvailable", mode);
}

static struct sw_err args_read(const struct sw_yaml *y, json_t *map, struct exec_spec *x)
{
	json_t *list = sw_json_key(map, "args");

	if (list && !yaml_is_list(list))
		return yaml_err(y, list, "user.exec.args: expected a list of strings");
	x->argv = sw_calloc(sw_json_len(list) + 2, sizeof *x->argv);
	x->argv[0] = sw_strdup(x->command);
	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *n = sw_json_idx(list, i);
		if (!yaml_text(n))
			return yaml_err(y, n ? n : list,
					"user.exec.args[%zu]: expected a string (put numbers in quotes)", i);
		x->argv[i + 1] = sw_strdup(yaml_text(n));
	}
	return SW_OK;
}

static struct sw_err env_read(const struct sw_yaml *y, json_t *map, struct exec_spec *x)
{
	static const char *const known[] = {"name", "value"};
	json_t *list = sw_json_key(map, "env");
	struct sw_err e = SW_OK;

	if (list && !yaml_is_list(list))
		return yaml_err(y, list, "user.exec.env: expected a list of {name, value}");
	x->env = sw_calloc(sw_json_len(list) + 1, sizeof *x->env);
	for (size_t i = 0; i < sw_json_len(list) && !sw_failed(e); i++) {
		json_t *n = sw_json_idx(list, i);
		const char *name = yaml_text(sw_json_key(n, "name")), *value = yaml_text(sw_json_key(n, "value"));
		if (!name || !*name || strchr(name, '=') || (sw_json_key(n, "value") && !value))
			return yaml_err(y, n ? n : list, "user.exec.env[%zu]: expected {name, value}, both strings", i);
		e = yaml_only(y, n, "user.exec.env[]", known, COUNT(known));
		x->env[i] = sw_asprintf("%s=%s", name, value ? value : "");
	}
	return e;
}

/* "./plugin" and "bin/plugin" are relative to the kubeconfig; a bare name is looked up in PATH. */
static struct sw_err command_resolve(const struct sw_yaml *y, json_t *map, struct exec_spec *x, const char *dir)
{
	char *whole;

	if (!x->command)
		return yaml_err(y, map, "user.exec.command: found none, expected a program to run");
	if (!dir)
		return yaml_err(y, map,
				"user.exec: found a program to run, expected a token or certificates: this kubeconfig "
				"may not run programs");
	if (x->command[0] == '/' || !strchr(x->command, '/'))
		return SW_OK;
	whole = sw_asprintf("%s/%s", dir, x->command);
	free(x->command);
	x->command = whole;
	return SW_OK;
}

struct sw_err exec_spec_read(const struct sw_yaml *y, json_t *map, struct sw_kubeconfig *kc)
{
	static const char *const known[] = {
		"command", "args", "env", "apiVersion", "installHint", "provideClusterInfo", "interactiveMode"};
	struct exec_spec *x = kc->exec = sw_calloc(1, sizeof *x);
	struct sw_err e;

	if (!yaml_is_map(map))
		return yaml_err(y, map, "user.exec: expected a mapping");
	e = yaml_only(y, map, "user.exec", known, COUNT(known));
	if (!sw_failed(e))
		e = yaml_str(y, map, "user.exec", "apiVersion", &x->api_version);
	if (!sw_failed(e))
		e = version_check(y, map, x);
	if (!sw_failed(e))
		e = interactive_check(y, map, x);
	if (!sw_failed(e))
		e = yaml_str(y, map, "user.exec", "command", &x->command);
	if (!sw_failed(e))
		e = command_resolve(y, map, x, kc->dir);
	if (!sw_failed(e))
		e = args_read(y, map, x);
	if (!sw_failed(e))
		e = env_read(y, map, x);
	if (!sw_failed(e))
		e = yaml_str(y, map, "user.exec", "installHint", &x->install_hint);
	return sw_failed(e) ? e : yaml_bool(y, map, "user.exec", "provideClusterInfo", &x->provide_cluster);
}

static void strings_free(char **list)
{
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
}

void exec_spec_free(struct exec_spec *x)
{
	if (!x)
		return;
	strings_free(x->argv);
	strings_free(x->env);
	json_object_put(x->config);
	free(x->api_version);
	free(x->command);
	free(x->install_hint);
	free(x);
}

static json_t *cluster_info(const struct sw_kubeconfig *kc, const char *ca)
{
	json_t *o = json_object_new_object();

	sw_json_set_str(o, "server", kc->server);
	if (kc->tls_server_name)
		sw_json_set_str(o, "tls-server-name", kc->tls_server_name);
	if (kc->insecure)
		sw_json_set_bool(o, "insecure-skip-tls-verify", true);
	if (ca) {
		char *base64 = sw_base64(ca, strlen(ca));
		sw_json_set_str(o, "certificate-authority-data", base64);
		free(base64);
	}
	if (kc->proxy_url)
		sw_json_set_str(o, "proxy-url", kc->proxy_url);
	if (kc->disable_compression)
		sw_json_set_bool(o, "disable-compression", true);
	if (kc->exec->config)
		sw_json_set(o, "config", json_object_get(kc->exec->config));
	return o;
}

char *exec_spec_info(const struct sw_kubeconfig *kc, const char *ca)
{
	json_t *o = json_object_new_object();
	char *text;

	sw_json_set_str(o, "apiVersion", kc->exec->api_version);
	sw_json_set_str(o, "kind", "ExecCredential");
	sw_json_set_bool(o, "spec.interactive", false);
	if (kc->exec->provide_cluster)
		sw_json_set(o, "spec.cluster", cluster_info(kc, ca));
	text = sw_json_text(o, NULL);
	json_object_put(o);
	return text;
}
