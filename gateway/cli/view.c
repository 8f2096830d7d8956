/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - `spillway clusters`, `pools` and `queue`: one table each, from the gateway's own pages */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct view {
	const char *page;
	const struct cli_column *cols;
	size_t n;
	const char *empty; /* what to say when there are no rows */
};

static int show(const struct cli_command *self, const struct view *v, int argc, char **argv)
{
	struct cli_common o = {0};
	struct cli_client c;
	json_t *rows;
	int words;
	bool json;
	char path[128];
	const struct cli_option options[] = {CLI_CLIENT_OPTIONS(&o), CLI_OPTION_END};
	if (!cli_parse(self, options, argc, argv, &words) || !cli_wants_json(self, o.output, &json))
		return CLI_USAGE;
	if (words)
		return cli_misuse(self, "found \"%s\", expected only options", argv[0]);
	struct sw_err e = cli_client_open(o.kubeconfig, NULL, &c);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	snprintf(path, sizeof path, "/spillway/v1/%s", v->page);
	e = cli_client_call(&c, "GET", path, NULL, NULL, &rows);
	cli_client_close(&c);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	json_t *items = sw_json_key(rows, "items");
	if (json)
		cli_print_json(stdout, items);
	else if (!sw_json_len(items))
		printf("%s\n", v->empty);
	else
		cli_print_table(stdout, v->cols, v->n, items);
	json_object_put(rows);
	return CLI_OK;
}

#define COUNT(a) (sizeof(a) / sizeof *(a))

static int run_clusters(const struct cli_command *self, int argc, char **argv)
{
	static const struct cli_column cols[] = {
		{"CLUSTER", "name", false, CLI_PLAIN},  {"PROVIDER", "provider", false, CLI_PLAIN},
		{"REGION", "region", false, CLI_PLAIN}, {"STATE", "state", false, CLI_STATE},
		{"NODES", "nodes", true, CLI_PLAIN},    {"GPUS", "gpus", true, CLI_PLAIN},
		{"FREE", "gpusFree", true, CLI_PLAIN},  {"JOBS", "copies", true, CLI_PLAIN},
		{"WHY", "why", false, CLI_LONG},
	};
	return show(self,
		    &(struct view){"clusters", cols, COUNT(cols),
				   "No worker clusters: name some under `clusters:` in the configuration."},
		    argc, argv);
}

static int run_pools(const struct cli_command *self, int argc, char **argv)
{
	static const struct cli_column cols[] = {
		{"CLUSTER", "cluster", false, CLI_PLAIN}, {"POOL", "pool", false, CLI_PLAIN},
		{"GPU", "model", false, CLI_PLAIN},       {"MACHINE", "machine", false, CLI_PLAIN},
		{"NODES", "size", true, CLI_PLAIN},       {"TARGET", "target", true, CLI_PLAIN},
		{"MAX", "max", true, CLI_PLAIN},          {"GPUS", "gpus", true, CLI_PLAIN},
		{"FREE", "gpusFree", true, CLI_PLAIN},    {"$/NODE/H", "priceHour", true, CLI_MONEY},
		{"SPOT", "spot", false, CLI_YESNO},       {"WHY", "why", false, CLI_LONG},
	};
	return show(self, &(struct view){"pools", cols, COUNT(cols), "No pools."}, argc, argv);
}

static int run_queue(const struct cli_command *self, int argc, char **argv)
{
	static const struct cli_column cols[] = {
		{"NAMESPACE", "namespace", false, CLI_PLAIN},
		{"JOB", "job", false, CLI_PLAIN},
		{"QUEUE", "queue", false, CLI_PLAIN},
		{"PRIORITY", "priority", true, CLI_PLAIN},
		{"STATE", "state", false, CLI_STATE},
		{"POSITION", "position", true, CLI_PLAIN},
		{"CLUSTER", "cluster", false, CLI_PLAIN},
		{"AGE", "ageMs", true, CLI_AGE_MS},
		{"WHY", "why", false, CLI_FIT},
	};
	return show(self, &(struct view){"queue", cols, COUNT(cols), "The queue is empty."}, argc, argv);
}

const struct cli_command cli_clusters = {
	.name = "clusters",
	.usage = "[-o json]",
	.summary = "List the worker clusters: reachable or not, GPUs, and why",
	.examples = "  spillway clusters\n  spillway clusters -o json\n",
	.run = run_clusters,
};
const struct cli_command cli_pools = {
	.name = "pools",
	.usage = "[-o json]",
	.summary = "List the node pools: size, price, free GPUs, and what keeps them from growing",
	.examples = "  spillway pools\n",
	.run = run_pools,
};
const struct cli_command cli_queue = {
	.name = "queue",
	.usage = "[-o json]",
	.summary = "List the jobs that wait or run: position, cluster, and why",
	.details = "Finished jobs are left to `kubectl get jobs`. What WHY has no room for, `spillway explain` shows.",
	.examples = "  spillway queue\n",
	.run = run_queue,
};
