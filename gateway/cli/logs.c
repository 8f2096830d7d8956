/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - `spillway logs KIND/NAME`: the logs of every pod of a job, wherever it ran */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "spillway/kinds.h"
#include "spillway/text.h"

struct printer {
	const char *prefix; /* printed before each line, or NULL */
	bool line_open;
};

static void on_bytes(void *owner, const char *bytes, size_t n)
{
	struct printer *p = owner;
	for (size_t i = 0; i < n; i++) {
		if (p->prefix && !p->line_open)
			printf("%s[%s]%s ", cli_tone_on(stdout, CLI_DIM), p->prefix, cli_tone_off(stdout));
		p->line_open = bytes[i] != '\n';
		putchar(bytes[i]);
	}
	fflush(stdout);
}

static struct sw_err list_pods(struct cli_client *c, const struct sw_kind *kind, const char *name, json_t **out)
{
	struct sw_buf path, selector;
	sw_buf_init(&path, 8192);
	sw_buf_init(&selector, 1024);
	sw_buf_printf(&selector, "%s=%s", kind->job_name_label, name);
	sw_kube_path(&path, "", "v1", "pods", c->ns, NULL, NULL);
	sw_kube_query(&path, "labelSelector", selector.at);
	struct sw_err e = cli_client_call(c, "GET", path.at, NULL, NULL, out);
	sw_buf_fini(&path);
	sw_buf_fini(&selector);
	return e;
}

static struct sw_err print_pod(struct cli_client *c, json_t *pod, bool follow, const char *tail, bool prefixed)
{
	const char *name = sw_json_str(pod, "metadata.name");
	struct printer p = {.prefix = prefixed ? name : NULL};
	struct sw_buf path;
	sw_buf_init(&path, 8192);
	sw_kube_path(&path, "", "v1", "pods", c->ns, name, "log");
	if (follow)
		sw_kube_query(&path, "follow", "true");
	if (tail)
		sw_kube_query(&path, "tailLines", tail);
	struct sw_err e = cli_client_stream(c, path.at, on_bytes, &p);
	sw_buf_fini(&path);
	return sw_failed(e) ? sw_err_wrap(e, "pod %s", name) : e;
}

/* No pods: because there is no such job, or because it waits? */
static int no_pods(const struct cli_command *self, struct cli_client *c, const struct sw_kind *kind, const char *name)
{
	struct sw_buf path;
	json_t *job;
	sw_buf_init(&path, 8192);
	sw_kube_path(&path, kind->group, kind->version, kind->plural, c->ns, name, NULL);
	struct sw_err e = cli_client_call(c, "GET", path.at, NULL, NULL, &job);
	sw_buf_fini(&path);
	json_object_put(job);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	return cli_fail(self, "%s %s has no pods yet; `spillway explain %s/%s` says what it waits for", kind->kind,
			name, kind->plural, name);
}

static int print_job(const struct cli_command *self, struct cli_client *c, const struct sw_kind *kind, const char *name,
		     bool follow, const char *tail)
{
	json_t *list;
	int rc = CLI_OK;
	struct sw_err e = list_pods(c, kind, name, &list);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	json_t *pods = sw_json_key(list, "items");
	if (!sw_json_len(pods))
		rc = no_pods(self, c, kind, name);
	for (size_t i = 0; i < sw_json_len(pods); i++) {
		e = print_pod(c, sw_json_idx(pods, i), follow, tail, sw_json_len(pods) > 1);
		if (sw_failed(e))
			rc = cli_fail(self, "%s", e.text);
	}
	json_object_put(list);
	return rc;
}

/* ---- where the manager has no pods: pages of the gateway's ------------------------------------- */

static void page_path(struct sw_buf *path, const char *page, const struct cli_client *c, const struct sw_kind *kind,
		      const char *name)
{
	sw_buf_init(path, 8192);
	sw_buf_printf(path, "/spillway/v1/%s", page);
	sw_kube_query(path, "namespace", c->ns);
	sw_kube_query(path, "resource", kind->resource);
	sw_kube_query(path, "name", name);
}

struct print { /* of a whole job */
	struct cli_client *c;
	const struct sw_kind *kind;
	const char *name, *tail;
	bool follow;
};

static struct sw_err print_container(const struct print *w, const char *pod, const char *container, bool prefixed)
{
	char *prefix = sw_asprintf("%s/%s", pod, container);
	struct printer p = {.prefix = prefixed ? prefix : NULL};
	struct sw_buf path;
	page_path(&path, "logs", w->c, w->kind, w->name);
	sw_kube_query(&path, "pod", pod);
	sw_kube_query(&path, "container", container);
	if (w->follow)
		sw_kube_query(&path, "follow", "true");
	if (w->tail)
		sw_kube_query(&path, "tailLines", w->tail);
	struct sw_err e = cli_client_stream(w->c, path.at, on_bytes, &p);
	sw_buf_fini(&path);
	free(prefix);
	return sw_failed(e) ? sw_err_wrap(e, "pod %s", pod) : e;
}

static int print_pages(const struct cli_command *self, const struct print *w, json_t *pods)
{
	int rc = CLI_OK;
	size_t n = 0;
	for (size_t i = 0; i < sw_json_len(pods); i++)
		n += sw_json_len(sw_json_key(sw_json_idx(pods, i), "containers"));
	for (size_t i = 0; i < sw_json_len(pods); i++) {
		json_t *pod = sw_json_idx(pods, i), *names = sw_json_key(pod, "containers");
		for (size_t k = 0; k < sw_json_len(names); k++) {
			struct sw_err e = print_container(w, sw_json_str(pod, "name"),
							  json_object_get_string(sw_json_idx(names, k)), n > 1);
			if (sw_failed(e))
				rc = cli_fail(self, "%s", e.text);
		}
	}
	return n ? rc
		 : cli_fail(self,
			    "%s %s has no pods on any cluster and no log of it was kept; `spillway explain "
			    "%s/%s` says what it waits for",
			    w->kind->kind, w->name, w->kind->plural, w->name);
}

/* Both roles in one word. */
static int print_wherever(const struct cli_command *self, const struct print *w)
{
	struct sw_buf path;
	json_t *list;
	page_path(&path, "pods", w->c, w->kind, w->name);
	struct sw_err e = cli_client_call(w->c, "GET", path.at, NULL, NULL, &list);
	sw_buf_fini(&path);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	bool api = sw_json_bool(list, "api");
	int rc = api ? print_job(self, w->c, w->kind, w->name, w->follow, w->tail)
		     : print_pages(self, w, sw_json_key(list, "items"));
	json_object_put(list);
	return rc;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	struct cli_common o = {0};
	struct cli_client c;
	const struct sw_kind *kind;
	const char *name, *tail = NULL;
	bool follow = false;
	int words;
	const struct cli_option options[] = {
		{"follow", 'f', NULL, "print what comes until the pod ends", NULL, &follow},
		{"tail", 0, "LINES", "only the last lines of each pod", &tail, NULL},
		{"namespace", 'n', "NAMESPACE", "namespace of the job (default: the kubeconfig's)", &o.ns, NULL},
		CLI_KUBECONFIG_OPTION(&o),
		CLI_OPTION_END,
	};
	if (!cli_parse(self, options, argc, argv, &words))
		return CLI_USAGE;
	int rc = cli_open_job(self, &o, words, argv, &c, &kind, &name);
	if (rc != CLI_OK)
		return rc;
	rc = print_wherever(self, &(struct print){&c, kind, name, tail, follow});
	cli_client_close(&c);
	return rc;
}

const struct cli_command cli_logs = {
	.name = "logs",
	.usage = "KIND/NAME [-f] [--tail LINES] [-n NAMESPACE]",
	.summary = "Print the logs of a job's pods, wherever it runs or ran",
	.details = "After a job has ended its logs come from the tail that was kept (dispatch.log_tail).",
	.examples = "  spillway logs job/pi\n  spillway logs pytorchjob/bert -f\n",
	.run = run,
};
