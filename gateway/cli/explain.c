/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - `spillway explain KIND/NAME`: every candidate, its verdict, and where the plan stands */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "candidates.h"
#include "spillway/kinds.h"
#include "spillway/text.h"

enum { ASKS = 10 };

static bool is_over(json_t *x)
{
	const char *state = sw_json_str(x, "state");
	return state && (strcmp(state, "Succeeded") == 0 || strcmp(state, "Failed") == 0);
}

/* It waits for a place, and no place there is will ever do. */
static bool is_vain(json_t *x, json_t *candidates)
{
	const char *state = sw_json_str(x, "state");
	if (!state || strcmp(state, "Placing") != 0)
		return false;
	for (size_t i = 0; i < sw_json_len(candidates); i++) {
		const char *verdict = sw_json_str(sw_json_idx(candidates, i), "verdict");
		if (!verdict || strcmp(verdict, "never") != 0)
			return false;
	}
	return sw_json_len(candidates) > 0;
}

/* "no cluster can ...: one reason after the other": the table has the reasons. */
static void print_plan(json_t *x, json_t *candidates)
{
	const char *plan = sw_json_str(x, "plan"), *reasons = plan ? strchr(plan, ':') : NULL;
	if (!reasons || strncmp(plan, "no cluster", 10) != 0 || !sw_json_len(candidates)) {
		print_line("Plan", plan);
		return;
	}
	char *verdict = sw_asprintf("%.*s", (int)(reasons - plan), plan);
	print_line("Plan", verdict);
	free(verdict);
}

/* One line per sentence; a job with many templates says the same of each only once. */
static void print_translated(json_t *x)
{
	json_t *list = is_over(x) ? NULL : sw_json_key(x, "translated");
	const char *error = sw_json_str(x, "translatedFor.error");
	size_t n = sw_json_len(list);
	if (!n && !error)
		return;
	printf("\n%sOn %s/%s its pods%s\n", cli_tone_on(stdout, CLI_BOLD), sw_json_str(x, "translatedFor.cluster"),
	       sw_json_str(x, "translatedFor.pool"), cli_tone_off(stdout));
	for (size_t i = 0; i < n; i++) {
		const char *text = sw_json_str(sw_json_idx(list, i), "text");
		bool before = false;
		for (size_t k = 0; k < i && !before; k++)
			before = strcmp(sw_json_str(sw_json_idx(list, k), "text"), text) == 0;
		if (!before)
			printf("  %s\n", text);
	}
	if (error)
		printf("  cannot run: %s\n", error);
}

static void print_people(json_t *x)
{
	json_t *candidates = is_over(x) ? NULL : sw_json_key(x, "candidates");
	print_line("Job", sw_json_str(x, "job"));
	print_line("State", sw_json_str(x, "state"));
	print_line("Queue", sw_json_str(x, "queue"));
	print_line("Asks for", sw_json_str(x, "demand"));
	print_plan(x, candidates);
	print_line("Placed on", sw_json_str(x, "cluster"));
	print_policy(x);
	print_line("Now", sw_json_str(x, "now"));
	print_needs(x);
	if (is_vain(x, candidates))
		print_line("Next", "it waits for a cluster that can. Change what WHY names (kubectl annotate "
				   "--overwrite), or delete the job");
	if (!sw_json_len(candidates))
		return;
	printf("\n");
	print_candidates(candidates);
	print_translated(x);
}

/* The gateway may first have to read the job; it says whether it has. */
static struct sw_err ask(struct cli_client *c, const char *path, json_t **out)
{
	for (int i = 0;; i++) {
		struct sw_err e = cli_client_call(c, "GET", path, NULL, NULL, out);
		json_t *complete = sw_failed(e) ? NULL : sw_json_key(*out, "complete");
		if (!complete || json_object_get_boolean(complete) || i == ASKS)
			return e;
		json_object_put(*out);
		nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
	}
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	struct cli_common o = {0};
	struct cli_client c;
	struct sw_buf path;
	const struct sw_kind *kind;
	const char *name;
	json_t *x = NULL;
	int words;
	bool json;
	const struct cli_option options[] = {CLI_COMMON_OPTIONS(&o), CLI_OPTION_END};
	if (!cli_parse(self, options, argc, argv, &words) || !cli_wants_json(self, o.output, &json))
		return CLI_USAGE;
	int rc = cli_open_job(self, &o, words, argv, &c, &kind, &name);
	if (rc != CLI_OK)
		return rc;
	sw_buf_init(&path, 4096);
	sw_buf_puts(&path, "/spillway/v1/explain");
	sw_kube_query(&path, "namespace", c.ns);
	sw_kube_query(&path, "resource", kind->resource);
	sw_kube_query(&path, "name", name);
	struct sw_err e = ask(&c, path.at, &x);
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
	.name = "explain",
	.usage = "KIND/NAME [-n NAMESPACE] [-o json]",
	.summary = "Show where a job may run, at what price, and why it is where it is",
	.examples = "  spillway explain job/pi\n  spillway explain pytorchjob/bert -n research\n  spillway explain "
		    "job/pi -o json\n",
	.run = run,
};
