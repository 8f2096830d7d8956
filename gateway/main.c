/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - a table of subcommands, nothing else */
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct cli_command *const commands[] = {
#define X(id) &cli_##id,
	CLI_COMMAND_MAP(X)
#undef X
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_help(FILE *to)
{
	fprintf(to, "spillway runs batch and machine-learning jobs across many Kubernetes clusters.\n\nUsage: spillway "
		    "COMMAND [options]\n\n");
	for (int i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(to, "\n`spillway COMMAND --help` tells more, with examples. Start with `spillway demo`.\n");
}

static int unknown(const char *word)
{
	const char *names[N_COMMANDS];
	for (int i = 0; i < N_COMMANDS; i++)
		names[i] = commands[i]->name;
	const char *near = sw_nearest(word, names, N_COMMANDS);
	fprintf(stderr, "spillway: there is no command \"%s\"%s%s%s `spillway --help` lists them\n", word,
		near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : ";");
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error of one write, as a full disk is */
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_help(argc < 2 ? stderr : stdout);
		return argc < 2 ? CLI_USAGE : CLI_OK;
	}
	const char *word = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
	for (int i = 0; i < N_COMMANDS; i++) {
		if (strcmp(word, commands[i]->name) != 0)
			continue;
		curl_global_init(CURL_GLOBAL_DEFAULT);
		int rc = commands[i]->run(commands[i], argc - 1, argv + 1);
		curl_global_cleanup();
		return rc;
	}
	return unknown(word);
}
