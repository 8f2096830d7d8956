/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - what the subcommands share: options, output, and a client for the gateway
 *
 * A subcommand is one file with one struct cli_command; gateway/main.c lists them. Exit codes: 0 done,
 * 1 it failed (a message on standard error says why), 2 wrong usage.
 */
#ifndef SPILLWAY_CLI_H
#define SPILLWAY_CLI_H

#include <stdio.h>

#include "spillway/json.h"
#include "spillway/kube.h"
#include "spillway/loop.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_command {
	const char *name, *usage, *summary; /* "explain", "KIND/NAME [-n NAMESPACE]", one line */
	const char *details;                /* paragraphs before the options, or NULL */
	const char *examples;               /* indented lines */
	int (*run)(const struct cli_command *self, int argc, char **argv);
};
/* One line: X(name), for `const struct cli_command cli_name`. */
#define CLI_COMMAND_MAP(X)                                                                                             \
	X(serve)                                                                                                       \
	X(doctor)                                                                                                      \
	X(cluster)                                                                                                     \
	X(demo)                                                                                                        \
	X(sim)                                                                                                         \
	X(submit)                                                                                                      \
	X(plan) X(explain) X(queue) X(clusters) X(pools) X(logs) X(gc) X(policy) X(catalog) X(user) X(config) X(version)
#define X(id) extern const struct cli_command cli_##id;
CLI_COMMAND_MAP(X)
#undef X

/* ---- options ------------------------------------------------------------------------ */

struct cli_option {
	const char *name; /* "output" */
	char letter;      /* 'o', or 0 */
	const char *arg;  /* "FORMAT"; NULL: a flag */
	const char *help;
	const char **value; /* where an argument goes (lent from argv) */
	bool *flag;         /* where a flag goes */
};
#define CLI_OPTION_END                                                                                                 \
	{                                                                                                              \
		0                                                                                                      \
	}

/* Parses options anywhere among the words; the words are moved to the front of argv and counted in *n_words. -h and
 * --help print the help and exit(0). Returns false after printing what is wrong. argv[0] is the command's name. */
bool cli_parse(const struct cli_command *cmd, const struct cli_option *options, int argc, char **argv, int *n_words);
/* "spillway NAME: message" on standard error; returns CLI_FAILED. */
__attribute__((format(printf, 2, 3))) int cli_fail(const struct cli_command *cmd, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) int cli_misuse(const struct cli_command *cmd, const char *fmt, ...);

/* The three that most commands take: -n, --kubeconfig, -o. */
struct cli_common {
	const char *ns, *kubeconfig, *output;
};
#define CLI_COMMON_OPTIONS(c)                                                                                          \
	{"namespace", 'n', "NAMESPACE", "namespace of the job (default: the kubeconfig's)", &(c)->ns, NULL},           \
		CLI_CLIENT_OPTIONS(c)
#define CLI_CLIENT_OPTIONS(c)                                                                                          \
	{"output", 'o', "FORMAT", "table (default) or json", &(c)->output, NULL}, CLI_KUBECONFIG_OPTION(c)
#define CLI_KUBECONFIG_OPTION(c)                                                                                       \
	{                                                                                                              \
		"kubeconfig", 0, "FILE",                                                                               \
			"how to reach the gateway (default: $SPILLWAY_KUBECONFIG, $KUBECONFIG, ~/.kube/config)",       \
			&(c)->kubeconfig, NULL                                                                         \
	}
/* False after printing what is wrong with -o. */
bool cli_wants_json(const struct cli_command *cmd, const char *output, bool *json);

/* ---- output --------------------------------------------------------------------------- */

struct cli_column {
	const char *title, *path; /* dotted path in a row */
	bool right;               /* numbers */
	enum cli_form {
		CLI_PLAIN,
		CLI_MONEY,
		CLI_AGE_MS,
		CLI_YESNO,
		CLI_STATE /* coloured by meaning */,
		CLI_LONG /* last column */,
		CLI_FIT /* last column, cut at the edge of a terminal */
	} form;
};
/* rows: a JSON array of objects. Aligned by display width; absent values are "-". */
void cli_print_table(FILE *to, const struct cli_column *cols, size_t n, json_t *rows);
void cli_print_json(FILE *to, json_t *value);
int cli_terminal_columns(FILE *to, int otherwise); /* otherwise: it is no terminal */
bool cli_colour(FILE *to);                         /* a terminal, and NO_COLOR is not set */
enum cli_tone { CLI_GOOD, CLI_BUSY, CLI_BAD, CLI_DIM, CLI_BOLD };
const char *cli_tone_on(FILE *to, enum cli_tone tone); /* "" without colours */
const char *cli_tone_off(FILE *to);
enum cli_tone cli_state_tone(const char *word); /* "Running", "Queued" */
size_t cli_width(const char *utf8);             /* columns on a terminal */

/* ---- the gateway ------------------------------------------------------------------------ */

struct cli_client {
	struct sw_loop *loop;
	struct sw_http *http;
	struct sw_kube *kube;
	char *ns;
};

__attribute__((warn_unused_result)) struct sw_err cli_client_open(const char *kubeconfig, const char *ns,
								  struct cli_client *out);
void cli_client_close(struct cli_client *c);
/* Runs the loop until the reply. *out gives the parsed body (NULL if it was not JSON). */
__attribute__((warn_unused_result)) struct sw_err cli_client_call(struct cli_client *c, const char *method,
								  const char *path, const char *content_type,
								  json_t *body, json_t **out);
/* Follows a stream until it ends. */
__attribute__((warn_unused_result)) struct sw_err cli_client_stream(struct cli_client *c, const char *path,
								    sw_chunk_fn *on_chunk, void *owner);
/* ---- jobs ---------------------------------------------------------------------------------- */

/* The one job that a command is about: its words must be one KIND/NAME ("job/pi", "pytorchjob/bert", "pi"). Opens the
 * client as well. CLI_OK, or what to return after it printed why not. */
struct sw_kind;
int cli_open_job(const struct cli_command *cmd, const struct cli_common *o, int words, char **argv,
		 struct cli_client *c, const struct sw_kind **kind, const char **name);
/* A manifest; "-": standard input. At least one document. gives. */
struct sw_yaml;
__attribute__((warn_unused_result)) struct sw_err cli_manifest(const char *file, struct sw_yaml **out);
/* Server-side apply. dry_run: only checked and defaulted. *out gives the object as the gateway has it. */
__attribute__((warn_unused_result)) struct sw_err cli_apply(struct cli_client *c, json_t *object, bool dry_run,
							    json_t **out);

#endif
