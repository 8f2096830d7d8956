/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.c - `spillway sim`: simulated worker clusters in a process of their own
 *
 * The gateway then sees what it sees of real clusters: a kubeconfig. They survive its death, and die with this process.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "spillway/blob.h"
#include "spillway/log.h"
#include "spillway/sim.h"
#include "spillway/text.h"

struct running {
	struct sw_loop *loop;
	struct sw_sim **sims;
	size_t n;
	uv_signal_t stop[2], hang;
	bool hanging;
};

static void on_stop(uv_signal_t *h, int signum)
{
	struct running *r = h->data;
	(void)signum;
	sw_loop_stop(r->loop);
}

static void on_hang(uv_signal_t *h, int signum)
{
	struct running *r = h->data;
	(void)signum;
	r->hanging = !r->hanging;
	for (size_t i = 0; i < r->n; i++)
		sw_sim_fault(r->sims[i], r->hanging ? SW_SIM_HANG : SW_SIM_OK);
}

static struct sw_err write_kubeconfig(struct sw_sim *s, const char *dir)
{
	char *path = sw_asprintf("%s/%s.kubeconfig", dir, sw_sim_name(s));
	struct sw_err e = sw_sim_kubeconfig_write(s, path);
	if (!sw_failed(e))
		printf("%-12s %s  %s\n", sw_sim_name(s), sw_sim_url(s), path);
	free(path);
	return e;
}

static struct sw_err start(struct running *r, const struct sw_sim_specs *specs, const char *dir)
{
	struct sw_err e = SW_OK;
	r->sims = sw_calloc(specs->n, sizeof(*r->sims));
	for (size_t i = 0; i < specs->n && !sw_failed(e); i++) {
		e = sw_sim_new(r->loop, &specs->at[i], &(struct sw_sim_options){.relay = true}, &r->sims[r->n]);
		if (!sw_failed(e))
			e = write_kubeconfig(r->sims[r->n++], dir);
	}
	return e;
}

static void watch_signals(struct running *r)
{
	static const int signals[] = {SIGTERM, SIGINT};
	for (int i = 0; i < 2; i++) {
		uv_signal_init(sw_loop_uv(r->loop), &r->stop[i]);
		r->stop[i].data = r;
		uv_signal_start(&r->stop[i], on_stop, signals[i]);
	}
	uv_signal_init(sw_loop_uv(r->loop), &r->hang);
	r->hang.data = r;
	uv_signal_start(&r->hang, on_hang, SIGUSR1);
}

static void end(struct running *r)
{
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&r->stop[i], NULL);
	uv_close((uv_handle_t *)&r->hang, NULL);
	for (size_t i = 0; i < r->n; i++)
		sw_sim_free(r->sims[i]);
	free(r->sims);
	sw_loop_free(r->loop);
}

static int serve(const struct cli_command *self, const struct sw_sim_specs *specs, const char *dir)
{
	struct running r = {0};
	char *ready = sw_asprintf("%s/ready", dir);
	struct sw_err e = sw_mkdirs(dir, 0700);
	unlink(ready);
	if (!sw_failed(e))
		e = sw_loop_new(&r.loop);
	if (sw_failed(e)) {
		free(ready);
		return cli_fail(self, "%s", e.text);
	}
	watch_signals(&r);
	e = start(&r, specs, dir);
	if (!sw_failed(e))
		e = sw_file_write(ready, "ready\n", 6, 0600);
	if (!sw_failed(e)) {
		fflush(stdout);
		sw_loop_run(r.loop);
	}
	unlink(ready);
	free(ready);
	end(&r);
	return sw_failed(e) ? cli_fail(self, "%s", e.text) : CLI_OK;
}

/* The carried example, or a file. */
static struct sw_err read_spec(const char *file, const struct sw_catalog *catalog, struct sw_sim_specs **out)
{
	static const char demo[] = "config/demo/clusters.yaml";
	const struct sw_blob *blob = sw_blob_find(demo);
	char *text;
	size_t len;
	if (!file)
		return sw_sim_specs_parse(demo, blob->start, sw_blob_len(blob), catalog, out);
	struct sw_err e = sw_file_read(file, 1 << 20, &text, &len);
	if (sw_failed(e))
		return e;
	e = sw_sim_specs_parse(file, text, len, catalog, out);
	free(text);
	return e;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	const char *spec = NULL, *dir = NULL;
	const struct cli_option options[] = {
		{"spec", 'f', "FILE", "which clusters (default: those of the demo)", &spec, NULL},
		{"dir", 'd', "DIR", "where to write NAME.kubeconfig and, when all answer, the file \"ready\"", &dir,
		 NULL},
		CLI_OPTION_END,
	};
	int words;
	if (!cli_parse(self, options, argc, argv, &words))
		return CLI_USAGE;
	if (!dir || words > 0)
		return cli_misuse(self, dir ? "unexpected word" : "--dir is missing");
	struct sw_catalog *catalog = NULL;
	struct sw_sim_specs *specs = NULL;
	struct sw_err e = sw_catalog_load(&catalog);
	if (!sw_failed(e))
		e = read_spec(spec, catalog, &specs);
	int rc = sw_failed(e) ? cli_fail(self, "%s", e.text) : serve(self, specs, dir);
	sw_sim_specs_free(specs);
	sw_catalog_free(catalog);
	return rc;
}

const struct cli_command cli_sim = {
	.name = "sim",
	.usage = "--dir DIR [--spec FILE]",
	.summary = "Run simulated worker clusters until SIGTERM",
	.details = "Each cluster is a Kubernetes API server with a job controller, training operator, scheduler, nodes "
		   "and growable node\n"
		   "pools. SIGUSR1 makes all of them hang, and answer again at the next one.",
	.examples = "  spillway sim --dir /tmp/clusters &\n"
		    "  kubectl --kubeconfig /tmp/clusters/gke.kubeconfig get nodepools,nodes\n",
	.run = run,
};
