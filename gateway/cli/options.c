/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - one way of reading options and printing help for every subcommand */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void print_help(const struct cli_command *cmd, const struct cli_option *options)
{
	char left[64];
	printf("%s\n\nUsage: spillway %s %s\n", cmd->summary, cmd->name, cmd->usage);
	if (cmd->details)
		printf("\n%s\n", cmd->details);
	printf("\nOptions:\n");
	for (const struct cli_option *o = options; o->name; o++) {
		snprintf(left, sizeof left, "%c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			 o->letter ? ", " : "  ", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		printf("  %-28s %s\n", left, o->help);
	}
	printf("  %-28s %s\n", "-h, --help", "print this");
	if (cmd->examples)
		printf("\nExamples:\n%s", cmd->examples);
}

static const struct cli_option *find_option(const struct cli_option *options, const char *word, const char **attached)
{
	*attached = NULL;
	for (const struct cli_option *o = options; o->name; o++) {
		size_t n = strlen(o->name);
		if (word[1] != '-') {
			if (!o->letter || word[1] != o->letter)
				continue;
			*attached = word[2] ? word + 2 + (word[2] == '=') : NULL;
			return o;
		}
		if (strncmp(word + 2, o->name, n) != 0 || (word[2 + n] && word[2 + n] != '='))
			continue;
		*attached = word[2 + n] ? word + 3 + n : NULL;
		return o;
	}
	return NULL;
}

static bool unknown_option(const struct cli_command *cmd, const struct cli_option *options, const char *word)
{
	const char *names[32], *near;
	int n = 0;
	for (; n < 32 && options[n].name; n++)
		names[n] = options[n].name;
	near = word[1] == '-' ? sw_nearest(word + 2, names, n) : NULL;
	cli_misuse(cmd, "there is no option %s%s%s%s", word, near ? ", did you mean --" : "", near ? near : "",
		   near ? "?" : "");
	return false;
}

bool cli_parse(const struct cli_command *cmd, const struct cli_option *options, int argc, char **argv, int *n_words)
{
	int words = 0;
	bool only_words = false;
	for (int i = 1; i < argc; i++) {
		const char *attached;
		if (only_words || argv[i][0] != '-' || !argv[i][1]) {
			argv[words++] = argv[i];
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			only_words = true;
			continue;
		}
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(cmd, options);
			exit(CLI_OK);
		}
		const struct cli_option *o = find_option(options, argv[i], &attached);
		if (!o)
			return unknown_option(cmd, options, argv[i]);
		if (!o->arg && attached) {
			cli_misuse(cmd, "--%s takes no value", o->name);
			return false;
		}
		if (!o->arg) {
			*o->flag = true;
			continue;
		}
		if (!attached && ++i == argc) {
			cli_misuse(cmd, "--%s needs a value: %s", o->name, o->arg);
			return false;
		}
		*o->value = attached ? attached : argv[i];
	}
	*n_words = words;
	return true;
}

__attribute__((format(printf, 2, 0))) static void say(const struct cli_command *cmd, const char *fmt, va_list ap)
{
	fprintf(stderr, "spillway %s: ", cmd->name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int cli_fail(const struct cli_command *cmd, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(cmd, fmt, ap);
	va_end(ap);
	return CLI_FAILED;
}

int cli_misuse(const struct cli_command *cmd, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(cmd, fmt, ap);
	va_end(ap);
	fprintf(stderr, "Usage: spillway %s %s\n`spillway %s --help` tells more.\n", cmd->name, cmd->usage, cmd->name);
	return CLI_USAGE;
}

bool cli_wants_json(const struct cli_command *cmd, const char *output, bool *json)
{
	*json = output && strcmp(output, "json") == 0;
	if (!output || *json || strcmp(output, "table") == 0)
		return true;
	cli_misuse(cmd, "-o: found \"%s\", expected table or json", output);
	return false;
}
