/* SPDX-License-Identifier: Apache-2.0 */
/* demo.c - `spillway demo`: the course's own jobs, three simulated clusters, one queue */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "demo.h"
#include "spillway/text.h"

enum { LOOK_EVERY_MS = 100, LIMIT_MS = 120000 };

struct demo {
	const struct cli_command *self;
	struct sw_loop *loop;
	struct demo_site site;
	struct demo_story story;
	struct demo_screen screen;
	struct sw_timer *tick;
	uv_signal_t signals[2];
	uint64_t shown;
	bool keep, told_keep, interrupted;
	struct sw_err err;
};

static void tell_keep(struct demo *d)
{
	d->told_keep = true;
	printf("\nThe demo goes on until you press Ctrl-C. In another terminal:\n\n  kubectl --kubeconfig %s get jobs\n"
	       "  export SPILLWAY_KUBECONFIG=%s\n  %s explain job/pi\n\n",
	       sw_gateway_kubeconfig(d->site.gateway), sw_gateway_kubeconfig(d->site.gateway), program_invocation_name);
	fflush(stdout);
}

static void on_tick(void *owner)
{
	struct demo *d = owner;
	bool over = demo_story_ended(&d->story);
	int64_t took = sw_loop_wall(d->loop) - d->screen.began_ms;
	demo_story_look(&d->story);
	if (d->screen.live || d->story.changes != d->shown)
		demo_show(&d->screen, &d->story);
	d->shown = d->story.changes;
	d->err = d->story.err;
	if (!over && !sw_failed(d->err) && took > LIMIT_MS)
		d->err = sw_err(SW_E_TIMEOUT, "not every job ended within %d s; %s/spillway.log says more",
				LIMIT_MS / 1000, d->site.dir);
	if (over)
		demo_summary(&d->screen, &d->story);
	if (over && d->keep)
		tell_keep(d);
	else if (over || sw_failed(d->err))
		sw_loop_stop(d->loop);
	else
		sw_timer_in(d->tick, LOOK_EVERY_MS);
}

static void on_signal(uv_signal_t *s, int signum)
{
	struct demo *d = s->data;
	(void)signum;
	d->interrupted = true;
	sw_loop_stop(d->loop);
}

static void catch_signals(struct demo *d, bool on)
{
	static const int numbers[] = {SIGTERM, SIGINT};
	for (int i = 0; i < 2; i++) {
		if (!on) {
			uv_close((uv_handle_t *)&d->signals[i], NULL);
			continue;
		}
		uv_signal_init(sw_loop_uv(d->loop), &d->signals[i]);
		d->signals[i].data = d;
		uv_signal_start(&d->signals[i], on_signal, numbers[i]);
	}
}

/* The log would tear the table: it goes to a file beside everything else. */
static void log_to_file(const struct demo *d)
{
	char *path = sw_asprintf("%s/spillway.log", d->site.dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0)
		sw_log_setup(SW_LOG_DEBUG, false, fd);
	free(path);
}

static struct sw_err play(struct demo *d)
{
	struct sw_err e = demo_story_begin(&d->story, &d->site);
	if (!sw_failed(e))
		e = sw_timer_new(d->loop, on_tick, d, &d->tick);
	if (sw_failed(e))
		return e;
	catch_signals(d, true);
	sw_timer_in(d->tick, 0);
	sw_loop_run(d->loop);
	catch_signals(d, false);
	return d->err;
}

static int run_demo(const struct cli_command *self, const char *dir, bool keep)
{
	struct demo *d = sw_calloc(1, sizeof *d);
	d->self = self;
	d->keep = keep;
	sw_log_setup(SW_LOG_OFF, false, 2);
	struct sw_err e = sw_loop_new(&d->loop);
	if (!sw_failed(e)) {
		printf("Starting three simulated clusters (onprem, gke, aks) and a gateway ...\n");
		e = demo_site_open(&d->site, d->loop, dir);
	}
	d->screen =
		(struct demo_screen){.to = stdout, .live = isatty(1), .began_ms = d->loop ? sw_loop_wall(d->loop) : 0};
	if (!sw_failed(e)) {
		log_to_file(d);
		printf("Submitting the sample jobs of config/samples to one queue ...\n\n");
		e = play(d);
	}
	sw_timer_free(d->tick);
	if (sw_failed(e))
		d->site.dir_is_ours = false; /* the log explains it */
	demo_story_end(&d->story);
	demo_site_close(&d->site);
	sw_loop_free(d->loop);
	bool stopped_early = d->interrupted && !d->told_keep;
	free(d);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	return stopped_early ? CLI_FAILED : CLI_OK;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	const char *dir = NULL;
	bool keep = false;
	int words;
	const struct cli_option options[] = {
		{"keep", 'k', NULL, "leave everything running at the end and print the kubectl line to use", NULL,
		 &keep},
		{"dir", 'd', "DIR",
		 "where to keep data, kubeconfigs and the log (default: a directory that is removed)", &dir, NULL},
		CLI_OPTION_END,
	};
	if (!cli_parse(self, options, argc, argv, &words))
		return CLI_USAGE;
	if (words)
		return cli_misuse(self, "found \"%s\", expected only options", argv[0]);
	return run_demo(self, dir, keep);
}

const struct cli_command cli_demo = {
	.name = "demo",
	.usage = "[--keep] [--dir DIR]",
	.summary = "Run sample jobs on three simulated clusters, in under half a minute",
	.details = "On-prem with V100 and T4, GKE with H100 and L4 pools at zero, AKS with an A100 pool at zero. The "
		   "jobs are in config/samples;\n"
		   "the policy that places them is policies/burst.lua.",
	.examples = "  spillway demo\n  spillway demo --keep --dir /tmp/demo\n",
	.run = run,
};
