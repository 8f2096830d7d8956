/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - the command line's own small client: one request at a time, run to its end
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "spillway/kinds.h"
#include "spillway/text.h"

static const char *kubeconfig_path(const char *asked, char *buf, size_t size)
{
	static const char *const variables[] = {"SPILLWAY_KUBECONFIG", "KUBECONFIG"};
	if (asked)
		return asked;
	for (size_t i = 0; i < 2; i++) {
		const char *v = getenv(variables[i]);
		if (v && *v)
			return v;
	}
	snprintf(buf, size, "%s/.kube/config", getenv("HOME") ? getenv("HOME") : "");
	return buf;
}

struct sw_err cli_client_open(const char *kubeconfig, const char *ns, struct cli_client *c)
{
	char buf[4096];
	struct sw_kubeconfig *kc;
	*c = (struct cli_client){0};
	struct sw_err e = sw_kubeconfig_load(kubeconfig_path(kubeconfig, buf, sizeof buf), NULL, &kc);
	if (sw_failed(e))
		return e;
	c->ns = sw_strdup(ns ? ns : sw_kubeconfig_namespace(kc));
	e = sw_loop_new(&c->loop);
	if (!sw_failed(e))
		e = sw_http_new(c->loop, &c->http);
	if (sw_failed(e)) {
		sw_kubeconfig_free(kc);
	} else {
		struct sw_kube_options opt = {.name = "gateway"};
		e = sw_kube_new(c->loop, c->http, kc, &opt, &c->kube);
	}
	if (sw_failed(e))
		cli_client_close(c);
	return e;
}

void cli_client_close(struct cli_client *c)
{
	sw_kube_free(c->kube);
	sw_http_free(c->http);
	sw_loop_free(c->loop);
	free(c->ns);
	*c = (struct cli_client){0};
}

struct answer {
	bool done;
	struct sw_err err;
	json_t *object;
	sw_chunk_fn *on_chunk;
	void *owner;
};

static void on_reply(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct answer *a = owner;
	a->done = true;
	a->err = err;
	a->object = reply->object ? json_object_get(reply->object) : NULL;
}

static void wait_for(struct cli_client *c, struct answer *a)
{
	while (!a->done)
		uv_run(sw_loop_uv(c->loop), UV_RUN_ONCE);
}

struct sw_err cli_client_call(struct cli_client *c, const char *method, const char *path, const char *content_type,
			      json_t *body, json_t **out)
{
	struct answer a = {0};
	struct sw_kube_call *call;
	size_t len = 0;
	char *text = body ? sw_json_text(body, &len) : NULL;
	struct sw_kube_req req = {.cls = SW_KUBE_STATUS,
				  .method = method,
				  .path = path,
				  .content_type = content_type,
				  .body = text,
				  .body_len = len};
	*out = NULL;
	struct sw_err e = sw_kube_start(c->kube, &req, on_reply, &a, &call);
	free(text);
	if (sw_failed(e))
		return e;
	wait_for(c, &a);
	*out = a.object;
	if (sw_failed(a.err)) {
		json_object_put(a.object);
		*out = NULL;
	}
	return a.err;
}

static void on_bytes(void *owner, const char *bytes, size_t n)
{
	struct answer *a = owner;
	a->on_chunk(a->owner, bytes, n);
}

struct sw_err cli_client_stream(struct cli_client *c, const char *path, sw_chunk_fn *on_chunk, void *owner)
{
	struct answer a = {.on_chunk = on_chunk, .owner = owner};
	struct sw_kube_call *call;
	struct sw_err e = sw_kube_stream(c->kube, path, on_bytes, on_reply, &a, &call);
	if (sw_failed(e))
		return e;
	wait_for(c, &a);
	json_object_put(a.object);
	return a.err;
}

static bool parse_job(const struct cli_command *cmd, const char *word, const struct sw_kind **kind, const char **name)
{
	char first[64];
	const char *slash = strchr(word, '/');
	snprintf(first, sizeof first, "%.*s", slash ? (int)(slash - word) : 3, slash ? word : "job");
	*kind = sw_kind_named(first);
	*name = slash ? slash + 1 : word;
	if (*kind && **name)
		return true;
	cli_misuse(cmd, "found \"%s\", expected KIND/NAME such as job/pi or pytorchjob/bert", word);
	return false;
}

int cli_open_job(const struct cli_command *cmd, const struct cli_common *o, int words, char **argv,
		 struct cli_client *c, const struct sw_kind **kind, const char **name)
{
	if (words != 1)
		return cli_misuse(cmd, "expected one KIND/NAME");
	if (!parse_job(cmd, argv[0], kind, name))
		return CLI_USAGE;
	struct sw_err e = cli_client_open(o->kubeconfig, o->ns, c);
	return sw_failed(e) ? cli_fail(cmd, "%s", e.text) : CLI_OK;
}
