/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words.c - `spillway cluster drain|undrain|remove|declare-dead|readmit`: what an operator says to the gateway
 *
 * The gateway judges; the answer comes when the word is durable.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster.h"
#include "spillway/config.h"
#include "spillway/text.h"

static void print_answer(json_t *answer)
{
	int64_t placed = sw_json_int(answer, "placed", 0);
	const char *message = sw_json_str(answer, "message");

	printf("cluster %s is %s: %s\n", sw_json_str(answer, "cluster"), sw_json_str(answer, "state"),
	       message ? message : "");
	if (placed)
		printf("%lld job%s placed there\n", (long long)placed, placed == 1 ? " is" : "s are");
}

static struct sw_err say(const struct cluster_args *a, const char *what, json_t **answer)
{
	struct cli_client c;
	json_t *body = json_object_new_object();
	struct sw_err e = cli_client_open(a->common.kubeconfig, NULL, &c);

	*answer = NULL;
	sw_json_set_str(body, "cluster", a->name);
	sw_json_set_str(body, "do", what);
	if (!sw_failed(e)) {
		e = cli_client_call(&c, "POST", "/spillway/v1/cluster", NULL, body, answer);
		cli_client_close(&c);
	}
	json_object_put(body);
	return e;
}

static int say_and_print(const struct cli_command *self, const struct cluster_args *a, const char *what)
{
	json_t *answer;
	bool json;

	if (!cli_wants_json(self, a->common.output, &json))
		return CLI_USAGE;
	struct sw_err e = say(a, what, &answer);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	if (json)
		cli_print_json(stdout, answer);
	else
		print_answer(answer);
	json_object_put(answer);
	return CLI_OK;
}

int cluster_drain(const struct cli_command *self, const struct cluster_args *a)
{
	return say_and_print(self, a, "drain");
}

int cluster_undrain(const struct cli_command *self, const struct cluster_args *a)
{
	return say_and_print(self, a, "undrain");
}

int cluster_declare_dead(const struct cli_command *self, const struct cluster_args *a)
{
	return say_and_print(self, a, "declare-dead");
}

int cluster_readmit(const struct cli_command *self, const struct cluster_args *a)
{
	return say_and_print(self, a, "readmit");
}

/* The entry goes first: what is left of a half-done removal is a file that nobody reads. */
static void take_out(const char *dir, const char *name)
{
	static const char *const suffixes[] = {"yaml", "kubeconfig"};

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		char *path = sw_asprintf("%s/%s.%s", dir, name, suffixes[i]);
		if (unlink(path) == 0)
			fprintf(stderr, "removed %s\n", path);
		free(path);
	}
}

int cluster_remove(const struct cli_command *self, const struct cluster_args *a)
{
	char *dir = NULL;
	int rc = say_and_print(self, a, "remove");

	if (rc != CLI_OK)
		return rc;
	struct sw_err e = cluster_folder(a, &dir);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	if (dir)
		take_out(dir, a->name);
	else
		fprintf(stderr, "Take it out of the configuration now; --config FILE or --dir DIR takes it out of "
				"clusters_dir.\n");
	free(dir);
	return CLI_OK;
}
