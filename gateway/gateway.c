/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway.c - puts the rooms together
 *
 * Order: catalog and policy (a wrong policy stops the start, before anything runs), manager, dispatch. Everything is
 * taken down in the other order.
 */
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway_priv.h"
#include "spillway/blob.h"
#include "spillway/kinds.h"
#include "spillway/text.h"

enum { TURNS_EVERY_MS = 5000, HOLES_BYTES = 2 << 20 };
static const char shipped_policy[] = "policies/burst.lua";

static struct sw_err open_shipped(struct sw_gateway *g, struct sw_policy **out)
{
	struct sw_policy_limits limits = {g->config->policy_instructions, (size_t)g->config->policy_memory_bytes};
	const struct sw_blob *b = sw_blob_find(shipped_policy);
	SW_REQUIRE(b);
	return sw_policy_new(shipped_policy, b->start, sw_blob_len(b), limits, out);
}

/* The admin's kubeconfig is written once; the token cannot be read back, so a lost file means a new token. So does an
 * admin whom the store does not know: then the first start ended between the file and the store. */
static struct sw_err write_admin(struct sw_gateway *g)
{
	char token[65];
	struct sw_api *api = g->api;
	char *old;
	size_t len;
	g->kubeconfig = sw_asprintf("%s/admin.kubeconfig", g->config->data_dir);
	if (!sw_failed(sw_file_read(g->kubeconfig, 1 << 20, &old, &len))) {
		/* another port: the old address is of no use */
		bool here = strstr(old, sw_api_url(api)) != NULL && sw_api_user_known(api, "admin");
		free(old);
		if (here)
			return SW_OK;
	}
	struct sw_err e = sw_api_user_add(api, "admin", SW_ROLE_ADMIN, "*", token);
	return sw_failed(e) ? e : sw_api_kubeconfig_write(api, g->kubeconfig, "admin", token);
}

static struct sw_err open_decisions(struct sw_gateway *g)
{
	if (g->config->decisions_bytes == 0)
		return SW_OK;
	char *beside = sw_asprintf("%s/decisions.jsonl", g->config->data_dir);
	struct sw_decision_log_options opt = {.loop = g->loop,
					      .metrics = g->metrics,
					      .path = *g->config->decisions_file ? g->config->decisions_file : beside,
					      .max_bytes = (size_t)g->config->decisions_bytes,
					      .files = (int)g->config->decisions_files};
	struct sw_err e = sw_decision_log_new(&opt, &g->decisions);
	free(beside);
	return e;
}

static struct sw_err open_dispatch(struct sw_gateway *g)
{
	if (g->nominate) /* Kueue's own dispatcher does the rest */
		return SW_OK;
	struct sw_dispatch_options opt = {.loop = g->loop,
					  .http = g->http,
					  .metrics = g->metrics,
					  .config = g->config,
					  .clusters = &g->wanted,
					  .catalog = g->catalog,
					  .manager = g->manager,
					  .policy = g->policy,
					  .fallback = g->fallback,
					  .decisions = g->decisions};
	gateway_policies_rules(g, &opt.rules, &opt.n_rules);
	return sw_dispatch_new(&opt, &g->dispatch);
}

/* A burst leaves holes in the heap; glibc by itself gives back only what is free at its end. */
static void give_memory_back(void)
{
	struct mallinfo2 m = mallinfo2();
	if (m.fordblks >= HOLES_BYTES && m.fordblks >= m.arena / 8)
		malloc_trim(0);
}

/* Slow turns delay everybody: they are counted where operators look. */
static void on_turns(void *owner)
{
	struct sw_gateway *g = owner;
	struct sw_turn_stats t = sw_loop_turns(g->loop);
	sw_metric_set(sw_metric(g->metrics, SW_GAUGE, "spillway_loop_slow_turns",
				"Turns of the event loop that took over 5 ms since the start.", ""),
		      (double)t.slow);
	sw_metric_set(sw_metric(g->metrics, SW_GAUGE, "spillway_loop_worst_turn_seconds",
				"Longest turn of the event loop since the start.", ""),
		      (double)t.worst_us / 1e6);
	give_memory_back();
	sw_timer_in(g->turns_timer, TURNS_EVERY_MS);
}

struct sw_err sw_gateway_new(struct sw_loop *loop, const struct sw_config *config, struct sw_gateway **out)
{
	static struct sw_err (*const steps[])(struct sw_gateway *) = {gateway_open_manager, gateway_open_marks,
								      write_admin,          open_decisions,
								      open_dispatch,        gateway_open_multikueue};
	struct sw_gateway *g = sw_calloc(1, sizeof *g);
	*out = NULL;
	g->loop = loop;
	g->config = config;
	sw_kinds_lend(config->kinds, config->n_kinds);
	struct sw_err e = sw_metrics_new(&g->metrics);
	if (!sw_failed(e))
		e = sw_http_new(loop, &g->http);
	if (!sw_failed(e))
		e = gateway_tables_open(g);
	if (!sw_failed(e))
		e = gateway_policies_open(g);
	if (!sw_failed(e))
		e = gateway_clusters_open(g);
	if (!sw_failed(e) && config->policy_on_error == SW_ON_ERROR_DEFAULT)
		e = open_shipped(g, &g->fallback);
	for (size_t i = 0; !sw_failed(e) && i < sizeof steps / sizeof *steps; i++)
		e = steps[i](g);
	if (!sw_failed(e))
		e = sw_timer_new(loop, on_turns, g, &g->turns_timer);
	if (sw_failed(e)) {
		sw_gateway_free(g);
		return e;
	}
	gateway_logs_init(g);
	on_turns(g);
	*out = g;
	return SW_OK;
}

void sw_gateway_free(struct sw_gateway *g)
{
	if (!g)
		return;
	gateway_logs_fini(g);
	sw_timer_free(g->turns_timer);
	sw_dispatch_free(g->dispatch);
	gateway_close_marks(g);
	gateway_close_multikueue(g);
	gateway_close_manager(g);
	sw_decision_log_free(g->decisions);
	gateway_clusters_close(g);
	gateway_policies_close(g);
	sw_policy_free(g->fallback);
	gateway_tables_close(g);
	sw_http_free(g->http);
	sw_metrics_free(g->metrics);
	sw_kinds_lend(NULL, 0);
	free(g->kubeconfig);
	free(g);
}

void gateway_tell(struct sw_gateway *g, bool warning, const char *reason, const char *fmt, ...)
{
	char text[600];
	va_list ap;
	if (!g->manager || !g->manager->ops->event_check)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	g->manager->ops->event_check(g->manager, warning, reason, text);
}

bool sw_gateway_lost(const struct sw_gateway *g)
{
	return g->lost;
}
const char *sw_gateway_url(const struct sw_gateway *g)
{
	return sw_api_url(g->api);
}
const char *sw_gateway_kubeconfig(const struct sw_gateway *g)
{
	return g->kubeconfig;
}
struct sw_manager *sw_gateway_manager(struct sw_gateway *g)
{
	return g->manager;
}
struct sw_dispatch *sw_gateway_dispatch(struct sw_gateway *g)
{
	return g->dispatch;
}
struct sw_http *sw_gateway_http(struct sw_gateway *g)
{
	return g->http;
}
