/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc.c - `spillway gc`: the two alarms that only an operator may end
 *
 * Garbage collection stops itself before it deletes much on a cluster, and nothing is placed or deleted after a store
 * was restored from an older copy. Both say what they found and wait.
 */
#include <string.h>

#include "cli.h"

static int print_clusters(json_t *page, bool json)
{
	static const struct cli_column cols[] = {
		{"CLUSTER", "name", false, CLI_PLAIN}, {"CLAIM", "claim", false, CLI_PLAIN},
		{"COPIES", "copies", true, CLI_PLAIN}, {"PAUSED", "gcPaused", false, CLI_YESNO},
		{"WHY", "why", false, CLI_LONG},
	};
	json_t *rows = sw_json_key(page, "items");
	if (json)
		cli_print_json(stdout, rows);
	else
		cli_print_table(stdout, cols, sizeof cols / sizeof *cols, rows);
	return CLI_OK;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	struct cli_common o = {0};
	const char *confirm = NULL;
	bool accept = false, json;
	struct cli_client c;
	json_t *body = NULL, *page = NULL;
	int words;
	const struct cli_option options[] = {
		{"confirm", 0, "CLUSTER", "the next collection there may delete all that it found, once", &confirm,
		 NULL},
		{"accept-store", 0, NULL, "the store was restored from an older copy: go on with it", NULL, &accept},
		CLI_CLIENT_OPTIONS(&o),
		CLI_OPTION_END,
	};
	if (!cli_parse(self, options, argc, argv, &words) || !cli_wants_json(self, o.output, &json))
		return CLI_USAGE;
	if (words || (confirm && accept))
		return cli_misuse(self, "expected --confirm CLUSTER, --accept-store, or neither to look");
	struct sw_err e = cli_client_open(o.kubeconfig, NULL, &c);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	if (confirm || accept) {
		body = json_object_new_object();
		json_object_object_add(body, confirm ? "confirm" : "accept-store",
				       confirm ? json_object_new_string(confirm) : json_object_new_boolean(true));
	}
	e = cli_client_call(&c, body ? "POST" : "GET", "/spillway/v1/gc", NULL, body, &page);
	json_object_put(body);
	cli_client_close(&c);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	int rc = print_clusters(page, json);
	json_object_put(page);
	return rc;
}

const struct cli_command cli_gc = {
	.name = "gc",
	.usage = "[--confirm CLUSTER | --accept-store] [-o json]",
	.summary = "Show why garbage collection waits, and let it go on",
	.details = "Collection stops before it deletes more than 20 copies or a tenth of those on a cluster at once, "
		   "and nothing is placed or\n"
		   "deleted after the store was restored from an older copy. Read WHY first: what is confirmed here "
		   "may be running jobs.",
	.examples = "  spillway gc\n  spillway gc --confirm onprem\n  spillway gc --accept-store\n",
	.run = run,
};
