/* SPDX-License-Identifier: Apache-2.0 */
/* user.c - `spillway user add|list|remove`: who may talk to the gateway, and as what */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct user_args {
	const char *role, *namespaces;
	bool json;
};

static struct sw_err add(struct cli_client *c, const char *name, const struct user_args *a)
{
	json_t *body = json_object_new_object(), *out = NULL;
	sw_json_set_str(body, "name", name);
	sw_json_set_str(body, "role", a->role);
	sw_json_set_str(body, "namespaces", a->namespaces);
	struct sw_err e = cli_client_call(c, "POST", "/spillway/v1/users", NULL, body, &out);
	if (!sw_failed(e))
		printf("%s", sw_json_str(out, "kubeconfig"));
	json_object_put(body);
	json_object_put(out);
	return e;
}

static struct sw_err drop(struct cli_client *c, const char *name, const struct user_args *a)
{
	json_t *out;
	struct sw_buf path;
	(void)a;
	sw_buf_init(&path, 2048);
	sw_buf_puts(&path, "/spillway/v1/users");
	sw_kube_query(&path, "name", name);
	struct sw_err e = cli_client_call(c, "DELETE", path.at, NULL, NULL, &out);
	sw_buf_fini(&path);
	if (sw_failed(e))
		return e;
	json_object_put(out);
	printf("user %s removed\n", name);
	return e;
}

static struct sw_err list(struct cli_client *c, const char *name, const struct user_args *a)
{
	static const struct cli_column cols[] = {
		{"NAME", "name", false, CLI_PLAIN},
		{"ROLE", "role", false, CLI_PLAIN},
		{"NAMESPACES", "namespaces", false, CLI_LONG},
	};
	json_t *out;
	(void)name;
	struct sw_err e = cli_client_call(c, "GET", "/spillway/v1/users", NULL, NULL, &out);
	if (sw_failed(e))
		return e;
	if (a->json)
		cli_print_json(stdout, sw_json_key(out, "items"));
	else
		cli_print_table(stdout, cols, 3, sw_json_key(out, "items"));
	json_object_put(out);
	return e;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	static const struct {
		const char *verb;
		int words;
		struct sw_err (*run)(struct cli_client *, const char *, const struct user_args *);
	} verbs[] = {
		{"add", 2, add},
		{"remove", 2, drop},
		{"list", 1, list},
	};
	struct cli_common o = {0};
	struct user_args a = {.role = "submitter", .namespaces = "default"};
	struct cli_client c;
	int words;
	const struct cli_option options[] = {
		{"role", 0, "ROLE", "add: admin, submitter (default) or reader", &a.role, NULL},
		{"namespaces", 0, "LIST",
		 "add: where a submitter may submit, comma separated; '*' for all (default: default)", &a.namespaces,
		 NULL},
		CLI_CLIENT_OPTIONS(&o),
		CLI_OPTION_END,
	};
	if (!cli_parse(self, options, argc, argv, &words) || !cli_wants_json(self, o.output, &a.json))
		return CLI_USAGE;
	for (size_t i = 0; words && i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(argv[0], verbs[i].verb) != 0 || words != verbs[i].words)
			continue;
		struct sw_err e = cli_client_open(o.kubeconfig, NULL, &c);
		if (!sw_failed(e)) {
			e = verbs[i].run(&c, argv[1], &a);
			cli_client_close(&c);
		}
		return sw_failed(e) ? cli_fail(self, "%s", e.text) : CLI_OK;
	}
	return cli_misuse(self, "expected add NAME, remove NAME or list");
}

const struct cli_command cli_user = {
	.name = "user",
	.usage = "add NAME [--role ROLE] [--namespaces LIST] | remove NAME | list",
	.summary = "Add, remove and list the users of the gateway",
	.details = "add prints a kubeconfig: the only time that the token is shown. Adding a user again replaces its "
		   "token.",
	.examples = "  spillway user add alice --namespaces research > alice.kubeconfig\n  spillway user add grafana "
		    "--role reader > grafana.kubeconfig\n"
		    "  spillway user list\n",
	.run = run,
};
