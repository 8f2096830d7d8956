/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c - `spillway policy check|test|replay`: a policy is tried before it decides */
#include <string.h>

#include "policy.h"

static const struct verb {
	const char *name;
	int (*run)(const struct cli_command *self, const struct policy_args *a, int n, char **words);
} verbs[] = {
	{"check", policy_check},
	{"replay", policy_replay},
	{"test", policy_test},
};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

static int run(const struct cli_command *self, int argc, char **argv)
{
	struct policy_args a = {0};
	const char *output = NULL, *names[N_VERBS];
	int words;
	const struct cli_option options[] = {
		{"verbose", 'v', NULL,
		 "test: name every test, not only those that fail; replay: list changed plans and prices too", NULL,
		 &a.verbose},
		{"junit", 0, "FILE", "test: write the results for a build server as well", &a.junit, NULL},
		{"with", 0, "POLICY", "replay: the policy that decides again", &a.with, NULL},
		{"catalog", 0, "FILE", "replay: a table of machines with other prices (as under catalog.files)",
		 &a.catalog, NULL},
		{"output", 'o', "FORMAT", "table (default) or json", &output, NULL},
		CLI_OPTION_END,
	};
	if (!cli_parse(self, options, argc, argv, &words) || !cli_wants_json(self, output, &a.json))
		return CLI_USAGE;
	for (int i = 0; i < N_VERBS; i++) {
		names[i] = verbs[i].name;
		if (words && strcmp(argv[0], verbs[i].name) == 0)
			return verbs[i].run(self, &a, words - 1, argv + 1);
	}
	const char *near = words ? sw_nearest(argv[0], names, N_VERBS) : NULL;
	return cli_misuse(self, "found \"%s\", expected check, test or replay%s%s%s", words ? argv[0] : "",
			  near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

const struct cli_command cli_policy = {
	.name = "policy",
	.usage = "check FILE... | test [FILE|DIR...] [--junit FILE] | replay --with FILE LOG...",
	.summary = "Try a policy before it decides: call it, run its tests, replay old decisions",
	.details =
		"check  compiles each policy and calls it with made-up inputs, empty and extreme ones among them\n"
		"test   runs the tests beside each policy (place.lua is tested by place.test.lua); default: those of\n"
		"       the current folder\n"
		"A policy is a .lua file or the name of a shipped one, such as burst.",
	.examples = "  spillway policy check place.lua\n  spillway policy test policies/ --junit results.xml\n"
		    "  spillway policy test burst -v\n"
		    "  spillway policy replay --with place.lua /var/lib/spillway/decisions.jsonl\n",
	.run = run,
};
