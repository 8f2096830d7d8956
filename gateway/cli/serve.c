/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c - `spillway serve`: the daemon */
#include <signal.h>

#include "cli.h"
#include "spillway/gateway.h"

static void on_stop(uv_signal_t *s, int signum)
{
	struct sw_loop *loop = s->data;
	sw_log(INFO, "serve", "stopping", "signal=%d", signum);
	sw_loop_stop(loop);
}

static void on_hup(uv_signal_t *s, int signum)
{
	(void)signum;
	sw_gateway_reload(s->data);
}

/* Runs until SIGTERM or SIGINT. SIGHUP reads the policies, the catalog and the clusters again. */
static void run_until_signal(struct sw_loop *loop, struct sw_gateway *g)
{
	const struct {
		int signal;
		uv_signal_cb call;
		void *data;
	} rows[] = {
		{SIGTERM, on_stop, loop},
		{SIGINT, on_stop, loop},
		{SIGHUP, on_hup, g},
	};
	uv_signal_t handles[sizeof rows / sizeof *rows];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uv_signal_init(sw_loop_uv(loop), &handles[i]);
		handles[i].data = rows[i].data;
		uv_signal_start(&handles[i], rows[i].call, rows[i].signal);
	}
	sw_loop_run(loop);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		uv_close((uv_handle_t *)&handles[i], NULL);
	uv_run(sw_loop_uv(loop), UV_RUN_NOWAIT); /* the handles live on this stack: let them close */
}

static int serve(const struct cli_command *self, const struct sw_config *config)
{
	struct sw_loop *loop;
	struct sw_gateway *g = NULL;
	struct sw_err e = sw_loop_new(&loop);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	e = sw_gateway_new(loop, config, &g);
	if (!sw_failed(e)) {
		sw_log(INFO, "serve", "serving", "url=%s kubeconfig=%s", sw_gateway_url(g), sw_gateway_kubeconfig(g));
		run_until_signal(loop, g);
		if (sw_gateway_lost(g))
			e = sw_err(SW_E_CONFLICT, "the lease on the manager was lost; start again to stand by");
	}
	sw_gateway_free(g);
	sw_loop_free(loop);
	return sw_failed(e) ? cli_fail(self, "%s", e.text) : CLI_OK;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	const char *file = NULL;
	struct sw_config *config;
	int words;
	const struct cli_option options[] = {
		{"config", 'c', "FILE", "spillway.yaml; `spillway config print --example` writes one", &file, NULL},
		CLI_OPTION_END,
	};
	if (!cli_parse(self, options, argc, argv, &words))
		return CLI_USAGE;
	if (words || !file)
		return cli_misuse(self, "expected --config FILE");
	struct sw_err e = sw_config_load(file, &config);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	sw_log_setup((enum sw_log_level)config->log_level, config->log_json, 2);
	int rc = serve(self, config);
	sw_config_free(config);
	return rc;
}

const struct cli_command cli_serve = {
	.name = "serve",
	.usage = "--config FILE",
	.summary = "Run the gateway",
	.details =
		"Stops cleanly at SIGTERM. A policy file that changes is tried and takes over (at SIGHUP as well); one "
		"that fails its tests\nis refused, and the last good one stays; the same holds for the files of "
		"`catalog.files`. Files that come to\nor go from clusters_dir are clusters that join or leave.\n"
		"The admin's kubeconfig is DATA_DIR/admin.kubeconfig.",
	.examples = "  spillway serve --config /etc/spillway/spillway.yaml\n",
	.run = run,
};
