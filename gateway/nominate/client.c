/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - the client of the manager's API server; a changed kubeconfig is taken over without a restart
 */
#include <stdlib.h>
#include "nominate_priv.h"
#include "spillway/kubeconfig.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { FILE_MS = 10 * 1000 };

static struct sw_err load(struct sw_nominate *n, struct sw_kubeconfig **out)
{
	const char *context = n->opt.config->manager_context;

	n->kubeconfig_stamp = sw_file_stamp(n->kubeconfig);
	return sw_kubeconfig_load(n->kubeconfig, *context ? context : NULL, out);
}

static void on_file_timer(void *owner)
{
	struct sw_nominate *n = owner;
	struct sw_kubeconfig *kc;

	sw_timer_in(n->file_timer, FILE_MS);
	if (sw_file_stamp(n->kubeconfig) == n->kubeconfig_stamp)
		return;
	struct sw_err e = load(n, &kc);

	if (sw_failed(e))
		sw_log(ERROR, "nominate", "kubeconfig cannot be used, the old one stays", "error=\"%s\"", e.text);
	else
		sw_kube_rekey(n->kube, kc);
}

struct sw_err nom_client_open(struct sw_nominate *n)
{
	const struct sw_config *c = n->opt.config;
	struct sw_kube_options ko = {.name = "manager",
				     .window = (unsigned)c->window,
				     .heartbeat_ms = (uint64_t)c->heartbeat_ms,
				     .metrics = n->opt.metrics,
				     .managed_fields = true};
	struct sw_kubeconfig *kc;
	struct sw_err e = SW_OK;

	if (*c->manager_kubeconfig)
		n->kubeconfig = sw_strdup(c->manager_kubeconfig);
	else
		e = sw_kubeconfig_of_pod(c->data_dir, &n->kubeconfig);
	if (!sw_failed(e))
		e = load(n, &kc);
	if (!sw_failed(e))
		e = sw_kube_new(n->opt.loop, n->opt.http, kc, &ko, &n->kube);
	if (!sw_failed(e))
		e = sw_timer_new(n->opt.loop, on_file_timer, n, &n->file_timer);
	if (!sw_failed(e))
		sw_timer_in(n->file_timer, FILE_MS);
	return sw_err_wrap(e, "manager.kubeconfig");
}

void nom_client_close(struct sw_nominate *n)
{
	sw_timer_free(n->file_timer);
	sw_kube_free(n->kube);
	free(n->kubeconfig);
}
