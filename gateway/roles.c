/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roles.c - the manager that the configuration names, and the HTTPS server beside it
 *
 * embedded   the manager is the server
 * nominate   the manager is a cluster whose Kueue mirrors; it is only told where to. There is no dispatch
 * mirror     the manager is a cluster with Kueue; our own server has only health, metrics and spillway's pages
 */
#include <stdlib.h>
#include <string.h>

#include "gateway_priv.h"
#include "spillway/mirror.h"
#include "spillway/text.h"

/* "a, b" -> NULL-terminated array over one copy; free both. */
static const char **split_hosts(const char *text, char **copy)
{
	size_t n = 0;
	*copy = sw_strdup(text);
	const char **out = sw_calloc(strlen(text) + 2, sizeof *out);
	for (char *at = *copy, *end; *at; at = end) {
		at += strspn(at, ", ");
		end = at + strcspn(at, ", ");
		if (end == at)
			break;
		out[n++] = at;
		if (*end)
			*end++ = '\0';
	}
	return out;
}

static struct sw_api_options server_options(struct sw_gateway *g, const char *const *hosts)
{
	return (struct sw_api_options){.name = "spillway",
				       .dir = g->config->data_dir,
				       .listen = g->config->listen,
				       .hosts = hosts,
				       .metrics = g->metrics,
				       .views = gateway_views,
				       .n_views = gateway_n_views,
				       .views_owner = g};
}

static struct sw_err open_embedded(struct sw_gateway *g, const char *const *hosts)
{
	struct sw_embedded_options opt = {
		.api = server_options(g, hosts), .catalog = g->catalog, .bootstrap = g->config->bootstrap};
	struct sw_err e = sw_embedded_new(g->loop, &opt, &g->manager);
	if (sw_failed(e))
		return e;
	g->api = sw_embedded_api(g->manager);
	g->queue = sw_embedded_queue(g->manager);
	return SW_OK;
}

/* ---- mirror ------------------------------------------------------------------------------ */

/* One that stands by is ready too: it must not be restarted for not leading. */
static bool mirror_ready(void *owner, char why[128])
{
	struct sw_gateway *g = owner;
	const char *missing = "the manager's client is not open yet";
	bool ready = g->manager && sw_mirror_ready(g->manager, &missing);
	sw_cut(why, 128, missing);
	return ready;
}

/* What a gateway that stands by knows of clusters and jobs is nothing, and its word counts for nothing. */
static struct sw_err leader_is_elsewhere(void *owner)
{
	struct sw_gateway *g = owner;
	const char *leader = g->manager ? sw_mirror_leader(g->manager) : "";
	int host = (int)strcspn(leader, "_");
	if (g->manager && sw_mirror_leads(g->manager))
		return SW_OK;
	if (!*leader)
		return sw_err(SW_E_CONFLICT, "this gateway stands by, and none leads yet: ask again in a moment");
	return sw_err(
		SW_E_CONFLICT,
		"this gateway stands by: %.*s leads. Ask it; in Kubernetes: kubectl -n %s exec %.*s -- spillway ... "
		"--kubeconfig /var/lib/spillway/admin.kubeconfig",
		host, leader, g->config->manager_ns, host, leader);
}

static void on_lost(void *owner, const char *why)
{
	struct sw_gateway *g = owner;
	sw_log(ERROR, "gateway", "stopping: another gateway may lead now, start again to stand by", "why=\"%s\"", why);
	g->lost = true;
	sw_loop_stop(g->loop);
}

static void on_set_back(void *owner)
{
	struct sw_gateway *g = owner;
	if (g->dispatch)
		sw_dispatch_store_set_back(g->dispatch);
}

static struct sw_err open_mirror(struct sw_gateway *g, const char *const *hosts)
{
	const struct sw_config *c = g->config;
	struct sw_api_options api = server_options(g, hosts);
	struct sw_mirror_options opt = {.http = g->http,
					.metrics = g->metrics,
					.kubeconfig = c->manager_kubeconfig,
					.context = c->manager_context,
					.data_dir = c->data_dir,
					.check = c->manager_check,
					.ns = c->manager_ns,
					.lease = c->manager_lease,
					.lease_ms = (uint64_t)c->manager_lease_ms,
					.window = c->window,
					.heartbeat_ms = (uint64_t)c->heartbeat_ms,
					.on_lost = on_lost,
					.on_set_back = on_set_back,
					.owner = g};
	api.serve = SW_SERVE_PAGES;
	api.ready = mirror_ready;
	api.elsewhere = leader_is_elsewhere;
	api.owner = g;
	struct sw_err e = sw_api_new(g->loop, &api, &g->api);
	opt.store = sw_failed(e) ? NULL : sw_api_store(g->api);
	return sw_failed(e) ? e : sw_mirror_new(g->loop, &opt, &g->manager);
}

/* ---- nominate ---------------------------------------------------------------------------- */

static bool nominate_ready(void *owner, char why[128])
{
	struct sw_gateway *g = owner;
	const char *missing = "the manager's client is not open yet";
	bool ready = g->nominate && sw_nominate_ready(g->nominate, &missing);
	sw_cut(why, 128, missing);
	return ready;
}

static void on_decided(void *owner, const struct sw_policy *policy, const struct sw_policy_input *in,
		       const struct sw_policy_plan *plan, const char *error)
{
	struct sw_gateway *g = owner;
	struct sw_policy_use use = sw_policy_used(policy);
	struct sw_decision made = {.policy = sw_policy_name(policy),
				   .hash = sw_policy_hash(policy),
				   .in = in,
				   .plan = plan,
				   .error = error,
				   .instructions = use.instructions,
				   .late = use.late};
	sw_decision_log_add(g->decisions, &made);
}

static struct sw_err open_nominate(struct sw_gateway *g, const char *const *hosts)
{
	struct sw_api_options api = server_options(g, hosts);
	struct sw_nominate_options opt = {.loop = g->loop,
					  .http = g->http,
					  .metrics = g->metrics,
					  .config = g->config,
					  .clusters = &g->wanted,
					  .catalog = g->catalog,
					  .policy = g->policy,
					  .fallback = g->fallback};
	opt.on_decided = on_decided;
	opt.owner = g;
	gateway_policies_rules(g, &opt.rules, &opt.n_rules);
	api.serve = SW_SERVE_PAGES;
	api.ready = nominate_ready;
	api.owner = g;
	api.views = gateway_nominate_views;
	api.n_views = gateway_n_nominate_views;
	struct sw_err e = sw_api_new(g->loop, &api, &g->api);
	return sw_failed(e) ? e : sw_nominate_new(&opt, &g->nominate);
}

/* ------------------------------------------------------------------------------------------- */

static const struct {
	struct sw_err (*open)(struct sw_gateway *g, const char *const *hosts);
} roles[] = {[SW_MANAGER_EMBEDDED] = {open_embedded},
	     [SW_MANAGER_MIRROR] = {open_mirror},
	     [SW_MANAGER_NOMINATE] = {open_nominate}};

struct sw_err gateway_open_manager(struct sw_gateway *g)
{
	char *copy;
	const char **hosts = split_hosts(g->config->hosts, &copy);
	struct sw_err e = roles[g->config->manager_role].open(g, hosts);
	free(copy);
	free(hosts);
	return e;
}

void gateway_close_manager(struct sw_gateway *g)
{
	if (g->config->manager_role == SW_MANAGER_EMBEDDED) {
		sw_embedded_free(g->manager);
		return;
	}
	if (g->config->manager_role == SW_MANAGER_NOMINATE)
		sw_nominate_free(g->nominate);
	else
		sw_mirror_free(g->manager);
	sw_api_free(g->api);
}
