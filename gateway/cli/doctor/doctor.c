/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.c - `spillway doctor`: what is wrong with a site, and the command that mends it
 *
 * It asks with the credentials of the configuration, so the rights that it finds are the gateway's own.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cli.h"
#include "doctor.h"
#include "spillway/config.h"
#include "spillway/text.h"

struct doctor_args {
	const char *config, *manager, *role, *gateway;
};

/* ---- which clusters ---------------------------------------------------------------------- */

/* Reads the credentials beforehand: a plugin that fails is a finding, and so is a token that ends soon. */
struct credential_wait {
	struct doctor_cluster *c;
	bool done;
};

static void on_credential(void *owner, struct sw_err err, const struct sw_cred_now *now)
{
	struct credential_wait *w = owner;

	w->done = true;
	if (sw_failed(err))
		w->c->unreachable = err;
	else
		w->c->credential = doctor_credential_read(now->authorization, now->tls.cert_pem);
}

static void read_credential(struct sw_loop *loop, struct doctor_cluster *c, const char *path, const char *context)
{
	struct sw_kubeconfig *kc;
	struct sw_cred *cred = NULL;
	struct sw_cred_wait *wait;
	struct credential_wait w = {.c = c};

	if (sw_failed(sw_kubeconfig_load(path, context, &kc)))
		return;
	struct sw_err e = sw_cred_new(loop, kc, &cred);
	if (!sw_failed(e))
		e = sw_cred_get(cred, on_credential, &w, &wait);
	while (!sw_failed(e) && !w.done)
		uv_run(sw_loop_uv(loop), UV_RUN_ONCE);
	if (sw_failed(e))
		c->unreachable = e;
	c->credential.renews = sw_kubeconfig_renews(kc);
	sw_cred_free(cred);
	sw_kubeconfig_free(kc);
}

static struct sw_err add_cluster(struct sw_loop *loop, const struct sw_config *config, struct doctor_site *s,
				 struct sw_kubeconfig **kcs, struct doctor_cluster as, const char *path,
				 const char *context)
{
	struct doctor_cluster *c = &s->clusters[s->n_clusters];

	*c = as;
	if (path)
		c->unreachable = sw_kubeconfig_load(path, context, &kcs[s->n_clusters]);
	s->n_clusters++;
	if (!sw_failed(c->unreachable))
		read_credential(loop, c, path, context);
	struct sw_err e = doctor_rights_read(c);
	return sw_failed(e) ? e : doctor_companion_rights(c, config);
}

/* An empty manager.kubeconfig is the service account of the gateway's pod, which only a process there has. */
static struct sw_err add_pods_manager(struct sw_loop *loop, const struct sw_config *config, struct doctor_site *s,
				      struct sw_kubeconfig **kcs, struct doctor_cluster as)
{
	char dir[] = "/tmp/spillway-doctor-XXXXXX", *path = NULL;
	struct sw_err e = sw_kubeconfig_of_pod(mkdtemp(dir), &path);

	if (sw_failed(e))
		as.unreachable = sw_err(
			SW_E_INVALID,
			"manager.kubeconfig is empty: the gateway takes its pod's service account, and this is no pod. "
			"Ask there: kubectl -n spillway-system exec deployment/spillway -- spillway doctor --config "
			"/etc/spillway/spillway.yaml; or name a kubeconfig with --manager");
	e = add_cluster(loop, config, s, kcs, as, sw_failed(e) ? NULL : path, NULL);
	if (path)
		unlink(path);
	rmdir(dir);
	free(path);
	return e;
}

/* What the command line says goes before the configuration. NULL: the embedded manager. */
static const char *manager_kubeconfig(const struct sw_config *config, const struct doctor_args *a)
{
	if (a->manager || config->manager_role == SW_MANAGER_EMBEDDED)
		return a->manager;
	return config->manager_kubeconfig;
}

static unsigned worker_scope(const struct sw_cluster_cfg *cl, unsigned manager)
{
	if (manager == DOCTOR_NOMINATE)
		return DOCTOR_SEEN;
	return strcmp(cl->worker, "kueue") == 0 ? DOCTOR_KUEUE : DOCTOR_PLAIN;
}

/* The word of the command line, else of the configuration; 0: neither role. */
static unsigned manager_scope(const struct sw_config *config, const char *role)
{
	if (!role && config)
		return config->manager_role == SW_MANAGER_NOMINATE ? DOCTOR_NOMINATE : DOCTOR_MIRROR;
	return !role || strcmp(role, "mirror") == 0 ? DOCTOR_MIRROR
	       : strcmp(role, "nominate") == 0      ? DOCTOR_NOMINATE
						    : 0;
}

static struct sw_err examine(const struct sw_config *config, const struct doctor_args *a, struct doctor_site *s)
{
	struct sw_loop *loop;
	struct sw_http *http = NULL;
	struct sw_kubeconfig **kcs = sw_calloc(config->n_clusters + 2, sizeof(struct sw_kubeconfig *));
	const char *manager = manager_kubeconfig(config, a);
	const unsigned role = manager ? manager_scope(config, a->role) : 0;
	const struct doctor_cluster kueue = {.name = "manager", .scope = role, .imports = config->manager_import};
	struct sw_err e = sw_loop_new(&loop);

	s->clusters = sw_calloc(config->n_clusters + 2, sizeof *s->clusters);
	s->origin = config->origin;
	if (!sw_failed(e))
		e = sw_http_new(loop, &http);
	if (!sw_failed(e) && manager && !*manager)
		e = add_pods_manager(loop, config, s, kcs, kueue);
	else if (!sw_failed(e) && manager)
		e = add_cluster(loop, config, s, kcs, kueue, manager,
				!a->manager && *config->manager_context ? config->manager_context : NULL);
	for (size_t i = 0; !sw_failed(e) && i < config->n_clusters; i++) {
		const struct sw_cluster_cfg *cl = &config->clusters[i];
		e = add_cluster(loop, config, s, kcs,
				(struct doctor_cluster){.name = cl->name, .scope = worker_scope(cl, role)},
				cl->kubeconfig, cl->context);
	}
	if (!sw_failed(e)) {
		doctor_ask_all(loop, http, s, kcs);
		doctor_check_all(s);
	}
	for (size_t i = 0; i < config->n_clusters + 1; i++)
		sw_kubeconfig_free(kcs[i]);
	free(kcs);
	sw_http_free(http);
	sw_loop_free(loop);
	return e;
}

/* ---- what a running gateway says of its clusters ---------------------------------------------- */

static void tell_cluster(struct doctor_site *s, json_t *row)
{
	struct doctor_cluster c = {.name = sw_json_str(row, "name")};
	const char *state = sw_json_str(row, "state"), *why = sw_json_str(row, "why");
	bool ready = state && strcmp(state, "Ready") == 0;

	if (!c.name || !state)
		return;
	doctor_say(s, &c, ready ? DOCTOR_OK : DOCTOR_FAIL, "seen by gateway", NULL, "%s%s%s", state,
		   why && *why ? ": " : "", why ? why : "");
	if (sw_json_bool(row, "gcPaused"))
		doctor_say(s, &c, DOCTOR_WARN, "collection", sw_asprintf("spillway gc --confirm %s", c.name),
			   "it waits for an operator");
}

static void ask_gateway(struct doctor_site *s, const char *kubeconfig)
{
	struct cli_client client;
	json_t *page = NULL;
	struct doctor_cluster gateway = {.name = "gateway"};
	struct sw_err e = cli_client_open(kubeconfig, NULL, &client);

	if (!sw_failed(e)) {
		e = cli_client_call(&client, "GET", "/spillway/v1/clusters", NULL, NULL, &page);
		cli_client_close(&client);
	}
	if (sw_failed(e))
		doctor_say(s, &gateway, DOCTOR_FAIL, "in reach", sw_strdup("kubectl -n spillway-system get pods"), "%s",
			   e.text);
	else
		doctor_say(s, &gateway, DOCTOR_OK, "in reach", NULL, "it runs");
	json_t *items = sw_json_key(page, "items");
	for (size_t i = 0; i < sw_json_len(items); i++)
		tell_cluster(s, sw_json_idx(items, i));
	json_object_put(page);
}

/* ---- output ------------------------------------------------------------------------------------- */

static size_t count(json_t *rows, const char *level)
{
	size_t n = 0;

	for (size_t i = 0; i < sw_json_len(rows); i++)
		n += strcmp(sw_json_str(sw_json_idx(rows, i), "level"), level) == 0;
	return n;
}

static void print(json_t *rows)
{
	static const struct cli_column cols[] = {
		{"STATE", "level", false, CLI_STATE},
		{"CLUSTER", "cluster", false, CLI_PLAIN},
		{"CHECK", "check", false, CLI_PLAIN},
		{"FOUND", "found", false, CLI_LONG},
	};
	bool first = true;

	cli_print_table(stdout, cols, sizeof cols / sizeof *cols, rows);
	for (size_t i = 0; i < sw_json_len(rows); i++) {
		json_t *row = sw_json_idx(rows, i);
		const char *mend = sw_json_str(row, "mend");
		if (!mend)
			continue;
		printf("%s%s, %s:\n    %s\n", first ? "\nWhat mends it:\n\n" : "", sw_json_str(row, "cluster"),
		       sw_json_str(row, "check"), mend);
		first = false;
	}
	printf("\n%zu ok, %zu warnings, %zu failures\n", count(rows, "ok"), count(rows, "warn"), count(rows, "fail"));
}

static int diagnose(const struct cli_command *self, const struct doctor_args *a, bool json)
{
	struct sw_config *config = NULL;
	struct doctor_site s = {.origin = "", .findings = json_object_new_array()};
	struct sw_err e = a->config ? sw_config_load(a->config, &config) : sw_config_parse("none", "", 0, &config);

	if (!sw_failed(e))
		sw_kinds_lend(config->kinds, config->n_kinds);
	if (!sw_failed(e) && (a->config || a->manager))
		e = examine(config, a, &s);
	if (!sw_failed(e) && a->gateway)
		ask_gateway(&s, a->gateway);
	int rc = CLI_OK;
	if (sw_failed(e))
		rc = cli_fail(self, "%s", e.text);
	else if (json)
		cli_print_json(stdout, s.findings);
	else
		print(s.findings);
	if (count(s.findings, "fail"))
		rc = CLI_FAILED;
	for (size_t i = 0; i < s.n_clusters; i++)
		doctor_cluster_fini(&s.clusters[i]);
	free(s.clusters);
	json_object_put(s.findings);
	sw_kinds_lend(NULL, 0);
	sw_config_free(config);
	return rc;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	struct doctor_args a = {0};
	const char *output = NULL;
	bool json;
	int words;
	const struct cli_option options[] = {
		{"config", 'c', "FILE", "spillway.yaml: its manager and workers are looked at", &a.config, NULL},
		{"manager", 0, "FILE", "kubeconfig of the manager instead of the configuration's", &a.manager, NULL},
		{"role", 0, "ROLE", "mirror or nominate instead of the configuration's", &a.role, NULL},
		{"kubeconfig", 0, "FILE", "of a running gateway: say how it sees its clusters, too", &a.gateway, NULL},
		{"output", 'o', "FORMAT", "table (default) or json", &output, NULL},
		CLI_OPTION_END,
	};

	if (!cli_parse(self, options, argc, argv, &words) || !cli_wants_json(self, output, &json))
		return CLI_USAGE;
	if (words || (!a.config && !a.manager && !a.gateway))
		return cli_misuse(self, "expected --config FILE, --manager FILE or --kubeconfig FILE");
	if (!manager_scope(NULL, a.role))
		return cli_misuse(self, "--role: found \"%s\", expected mirror or nominate", a.role);
	return diagnose(self, &a, json);
}

const struct cli_command cli_doctor = {
	.name = "doctor",
	.usage = "--config FILE [--kubeconfig FILE] [-o json]",
	.summary = "Say what is wrong with manager and workers, and the command that mends it",
	.details = "Looks at each cluster with the gateway's own credentials: versions, rights (each that the shipped "
		   "manifests list), Kueue and\n"
		   "its gates, the policy that sets managedBy, queues, jobs, claims, clocks, and credentials that end "
		   "soon. Changes nothing.\n"
		   "Exit code 1 if something fails.",
	.examples = "  spillway doctor --config /etc/spillway/spillway.yaml\n"
		    "  kubectl -n spillway-system exec deploy/spillway -- spillway doctor --config "
		    "/etc/spillway/spillway.yaml\n",
	.run = run,
};
