/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - `spillway explain KIND/NAME`: every candidate, its verdict, and where the plan stands */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "spillway/kinds.h"

static void print_line(const char *label, const char *value)
{
	if (value && *value)
		printf("%s%-10s%s %s\n", cli_tone_on(stdout, CLI_BOLD), label, cli_tone_off(stdout), value);
}

static void print_people(json_t *x)
{
	static const struct cli_column cols[] = {
		{ "CLUSTER", "cluster", false, CLI_PLAIN },   { "POOL", "pool", false, CLI_PLAIN },      { "GPU", "model", false, CLI_PLAIN },
		{ "FREE", "free", true, CLI_PLAIN },          { "+NODES", "nodesNeeded", true, CLI_PLAIN }, { "$/H", "priceHour", true, CLI_MONEY },
		{ "SPOT", "spot", false, CLI_YESNO },         { "STEP", "step", true, CLI_PLAIN },       { "VERDICT", "verdict", false, CLI_STATE },
		{ "WHY", "reason", false, CLI_LONG },
	};
	print_line("Job", sw_json_str(x, "job"));
	print_line("State", sw_json_str(x, "state"));
	print_line("Queue", sw_json_str(x, "queue"));
	print_line("Asks for", sw_json_str(x, "demand"));
	print_line("Plan", sw_json_str(x, "plan"));
	print_line("Placed on", sw_json_str(x, "cluster"));
	print_line("Policy", sw_json_str(x, "policy"));
	print_line("Now", sw_json_str(x, "now"));
	json_t *candidates = sw_json_key(x, "candidates");
	if (!sw_json_len(candidates))
		return;
	printf("\n");
	cli_print_table(stdout, cols, sizeof cols / sizeof *cols, candidates);
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	struct cli_common o = { 0 };
	struct cli_client c;
	struct sw_buf path;
	const struct sw_kind *kind;
	const char *name;
	json_t *x = NULL;
	int words;
	bool json;
	const struct cli_option options[] = { CLI_COMMON_OPTIONS(&o), CLI_OPTION_END };
	if (!cli_parse(self, options, argc, argv, &words) || !cli_wants_json(self, o.output, &json))
		return CLI_USAGE;
	if (words != 1)
		return cli_misuse(self, "expected one KIND/NAME");
	if (!cli_parse_job(self, argv[0], &kind, &name))
		return CLI_USAGE;
	struct sw_err e = cli_client_open(o.kubeconfig, o.ns, &c);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	sw_buf_init(&path, 4096);
	sw_buf_puts(&path, "/spillway/v1/explain");
	sw_kube_query(&path, "namespace", c.ns);
	sw_kube_query(&path, "resource", kind->resource);
	sw_kube_query(&path, "name", name);
	e = cli_client_call(&c, "GET", path.at, NULL, NULL, &x);
	sw_buf_fini(&path);
	cli_client_close(&c);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	if (json)
		cli_print_json(stdout, x);
	else
		print_people(x);
	json_object_put(x);
	return CLI_OK;
}

const struct cli_command cli_explain = {
	.name = "explain", .usage = "KIND/NAME [-n NAMESPACE] [-o json]", .summary = "Show where a job may run, at what price, and why it is where it is",
	.examples = "  spillway explain job/pi\n  spillway explain pytorchjob/bert -n research\n  spillway explain job/pi -o json\n", .run = run,
};
