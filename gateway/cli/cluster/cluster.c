/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.c - `spillway cluster`: the worker clusters of a gateway, from registration to removal */
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

static int list(const struct cli_command *self, const struct cluster_args *a)
{
	static const struct cli_column cols[] = {
		{"CLUSTER", "name", false, CLI_PLAIN},      {"WORKER", "worker", false, CLI_PLAIN},
		{"REGION", "region", false, CLI_PLAIN},     {"STATE", "state", false, CLI_STATE},
		{"OPERATOR", "operator", false, CLI_PLAIN}, {"CLAIM", "claim", false, CLI_PLAIN},
		{"JOBS", "copies", true, CLI_PLAIN},        {"WHY", "why", false, CLI_LONG},
	};
	struct cli_client c;
	json_t *page;
	bool json;

	if (!cli_wants_json(self, a->common.output, &json))
		return CLI_USAGE;
	struct sw_err e = cli_client_open(a->common.kubeconfig, NULL, &c);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	e = cli_client_call(&c, "GET", "/spillway/v1/clusters", NULL, NULL, &page);
	cli_client_close(&c);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	json_t *items = sw_json_key(page, "items");
	if (json)
		cli_print_json(stdout, items);
	else if (!sw_json_len(items))
		printf("No worker clusters: `spillway cluster add` registers one.\n");
	else
		cli_print_table(stdout, cols, sizeof cols / sizeof *cols, items);
	json_object_put(page);
	return CLI_OK;
}

static const struct verb {
	const char *name;
	bool named; /* it wants the name of a cluster */
	int (*run)(const struct cli_command *self, const struct cluster_args *a);
} verbs[] = {
	{"list", false, list},
	{"add", true, cluster_add},
	{"import", false, cluster_import},
	{"drain", true, cluster_drain},
	{"undrain", true, cluster_undrain},
	{"remove", true, cluster_remove},
	{"declare-dead", true, cluster_declare_dead},
	{"readmit", true, cluster_readmit},
};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

static int unknown(const struct cli_command *self, const char *word)
{
	const char *names[N_VERBS];

	for (int i = 0; i < N_VERBS; i++)
		names[i] = verbs[i].name;
	const char *near = sw_nearest(word, names, N_VERBS);
	return cli_misuse(self, "there is no \"%s\"%s%s%s", word, near ? ", did you mean \"" : "", near ? near : "",
			  near ? "\"?" : "");
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	struct cluster_args a = {0};
	int words;
	const struct cli_option options[] = {
		{"from", 0, "KUBECONFIG", "add: how to reach it", &a.from, NULL},
		{"context", 0, "NAME", "add: this context of it (default: the current one)", &a.context, NULL},
		{"multikueue", 0, "NAME", "add: what this MultiKueueCluster of the manager names", &a.multikueue, NULL},
		{"manager", 0, "KUBECONFIG", "add, import: the manager that has it (default: as kubectl)", &a.manager,
		 NULL},
		{"worker", 0, "KIND", "add: kueue or plain (default: whether Kueue is there)", &a.worker, NULL},
		{"region", 0, "REGION", "add: where it is", &a.region, NULL},
		{"provider", 0, "NAME", "add: what grows its pools (default: static)", &a.provider, NULL},
		{"config", 'c', "FILE", "add, import, remove: in this configuration's clusters_dir", &a.config, NULL},
		{"dir", 0, "DIR", "add, remove: in this folder (add's default: print a Secret)", &a.dir, NULL},
		{"unchecked", 0, NULL, "add: without looking whether it answers", NULL, &a.unchecked},
		CLI_CLIENT_OPTIONS(&a.common),
		CLI_OPTION_END,
	};

	if (!cli_parse(self, options, argc, argv, &words))
		return CLI_USAGE;
	if (!words)
		return cli_misuse(self, "expected what to do");
	for (int i = 0; i < N_VERBS; i++) {
		if (strcmp(argv[0], verbs[i].name) != 0)
			continue;
		if (words != 1 + verbs[i].named)
			return cli_misuse(self, "%s %s", argv[0],
					  verbs[i].named ? "needs the name of one cluster" : "takes no name");
		a.name = verbs[i].named ? argv[1] : NULL;
		return verbs[i].run(self, &a);
	}
	return unknown(self, argv[0]);
}

const struct cli_command cli_cluster = {
	.name = "cluster",
	.usage = "list | add NAME --from KUBECONFIG | import | drain|undrain|remove|declare-dead|readmit NAME",
	.summary = "Register, drain and remove worker clusters, or declare one dead",
	.details =
		"add looks whether the cluster answers and has Kueue, puts what the kubeconfig names in files "
		"inside, and "
		"writes NAME.yaml and\n"
		"NAME.kubeconfig to the configuration's clusters_dir, or prints them as a Secret. The user of the "
		"kubeconfig needs the rights\n"
		"of config/kubernetes/worker. A gateway that runs takes the cluster up, and a kubeconfig that changes "
		"later, by itself.\n\n"
		"import: adds every MultiKueueCluster of a manager that is not there yet.\n\n"
		"drain: nothing new is placed there, what runs goes on. remove: refused while jobs are there. "
		"declare-dead: its jobs are moved\n"
		"at once; only for a cluster that does not answer, and only once somebody has seen to it that "
		"nothing runs there. When it\n"
		"answers again its copies are deleted, and it takes nothing until readmit. "
		"A removed one leaves the gateway once its files are gone.",
	.examples =
		"  spillway cluster add onprem --from onprem.kubeconfig --config /etc/spillway/spillway.yaml\n"
		"  spillway cluster add w1 --multikueue w1 | kubectl apply --server-side --field-manager "
		"spillway-cluster-w1 -f -\n"
		"  spillway cluster list\n  spillway cluster drain onprem\n  spillway cluster remove onprem --config "
		"/etc/spillway/spillway.yaml\n",
	.run = run,
};
