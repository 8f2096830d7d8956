/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - `spillway config check|print` */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "spillway/config.h"
#include "spillway/policy.h"
#include "spillway/text.h"

static struct sw_err check_policy(const struct sw_config *c, const char *word)
{
	struct sw_policy_text t;
	struct sw_policy *p = NULL;
	struct sw_err e = sw_policy_text_read(word, &t);
	if (sw_failed(e))
		return e;
	e = sw_policy_new(t.name, t.src, t.len,
			  (struct sw_policy_limits){c->policy_instructions, (size_t)c->policy_memory_bytes}, &p);
	sw_policy_free(p);
	sw_policy_text_free(&t);
	return e;
}

/* What the loader cannot see: files that the configuration names. */
static struct sw_err check_files(const struct sw_config *c)
{
	for (size_t i = 0; i < c->n_clusters; i++) {
		struct sw_kubeconfig *kc;
		struct sw_err e = sw_kubeconfig_load(c->clusters[i].kubeconfig, c->clusters[i].context, &kc);
		if (sw_failed(e))
			return sw_err_wrap(e, "%s: cluster %s", c->clusters[i].where, c->clusters[i].name);
		sw_kubeconfig_free(kc);
	}
	struct sw_catalog *catalog;
	struct sw_err tables = sw_catalog_load_site(c->catalog, &catalog);
	if (sw_failed(tables))
		return tables;
	sw_catalog_free(catalog);
	for (size_t i = 0; i <= c->n_policies; i++) {
		const char *word = i ? c->policies[i - 1].file : c->policy;
		struct sw_err e = *word ? check_policy(c, word) : SW_OK;
		if (sw_failed(e))
			return sw_err_wrap(e, "%s", i ? c->policies[i - 1].where : "policy.file");
	}
	return SW_OK;
}

static int check(const struct cli_command *self, const char *file)
{
	struct sw_config *c;
	struct sw_err e = sw_config_load(file, &c);
	if (!sw_failed(e)) {
		e = check_files(c);
		if (!sw_failed(e))
			printf("%s: good: %zu clusters\n", file, c->n_clusters);
		sw_config_free(c);
	}
	return sw_failed(e) ? cli_fail(self, "%s", e.text) : CLI_OK;
}

static int print(const struct cli_command *self, const char *file, bool json)
{
	struct sw_config *c;
	struct sw_err e = file ? sw_config_load(file, &c) : sw_config_parse("defaults", "", 0, &c);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	sw_config_print(c, stdout, json);
	sw_config_free(c);
	return CLI_OK;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	const char *file = NULL, *output = NULL;
	bool json, example = false;
	int words;
	const struct cli_option options[] = {
		{"config", 'c', "FILE", "the file to read (print: without it, the defaults)", &file, NULL},
		{"example", 0, NULL, "print: a commented example file instead", NULL, &example},
		{"output", 'o', "FORMAT", "print: table (default) or json", &output, NULL},
		CLI_OPTION_END,
	};
	if (!cli_parse(self, options, argc, argv, &words) || !cli_wants_json(self, output, &json))
		return CLI_USAGE;
	bool checking = words >= 1 && strcmp(argv[0], "check") == 0,
	     printing = words >= 1 && strcmp(argv[0], "print") == 0;
	if (words == 2 && !file)
		file = argv[1];
	else if (words != 1)
		return cli_misuse(self, "expected check or print");
	if (checking && file)
		return check(self, file);
	if (checking)
		return cli_misuse(self, "check needs a file");
	if (!printing)
		return cli_misuse(self, "found \"%s\", expected check or print", argv[0]);
	if (!example)
		return print(self, file, json);
	sw_config_example(stdout);
	return CLI_OK;
}

const struct cli_command cli_config = {
	.name = "config",
	.usage = "check FILE | print [FILE] [--example]",
	.summary = "Validate the configuration, or show every setting with its value and origin",
	.examples = "  spillway config check spillway.yaml\n  spillway config print spillway.yaml -o json\n  spillway "
		    "config print --example > spillway.yaml\n",
	.run = run,
};
