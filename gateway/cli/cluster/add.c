/* SPDX-License-Identifier: Apache-2.0 */
/*
 * add.c - `spillway cluster add`: an entry and a kubeconfig that stands alone, as two files or as a Secret
 */
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "spillway/config.h"
#include "spillway/text.h"

enum { KUBECONFIG_MAX = 1 << 20 };

struct sw_err cluster_folder(const struct cluster_args *a, char **out)
{
	struct sw_config *c;

	*out = a->dir ? sw_strdup(a->dir) : NULL;
	if (a->dir || !a->config)
		return SW_OK;
	struct sw_err e = sw_config_load(a->config, &c);
	if (sw_failed(e))
		return e;
	*out = sw_clusters_dir_path(c);
	if (!*out)
		e = sw_err(SW_E_INVALID, "%s has no clusters_dir: set it, for example \"clusters_dir: clusters.d\"",
			   a->config);
	sw_config_free(c);
	return e;
}

static struct sw_err is_new(const struct cluster_args *a)
{
	struct sw_config *c;
	struct sw_err e = a->config ? sw_config_load(a->config, &c) : SW_OK;

	if (!a->config || sw_failed(e))
		return e;
	for (size_t i = 0; !sw_failed(e) && i < c->n_clusters; i++)
		if (strcmp(c->clusters[i].name, a->name) == 0)
			e = sw_err(SW_E_EXISTS, "there is a cluster \"%s\" already, at %s", a->name,
				   c->clusters[i].where);
	sw_config_free(c);
	return e;
}

static struct sw_err read_kubeconfig(const struct cluster_args *a, json_t **out)
{
	char *text;
	size_t len;

	*out = NULL;
	if (a->multikueue)
		return cluster_from_multikueue(a, out);
	struct sw_err e = sw_file_read(a->from, KUBECONFIG_MAX, &text, &len);
	if (sw_failed(e))
		return e;
	e = cluster_flatten(a->from, text, len, a->context, a->name, out);
	free(text);
	return e;
}

/* "worker: kueue\nregion: us\n" */
static char *entry_text(const struct cluster_args *a, const char *worker)
{
	return sw_asprintf("# cluster %s, written by spillway cluster add\nworker: %s\n%s%s%s%s%s%s", a->name, worker,
			   a->region ? "region: " : "", a->region ? a->region : "", a->region ? "\n" : "",
			   a->provider ? "provider: " : "", a->provider ? a->provider : "", a->provider ? "\n" : "");
}

static char *pretty(json_t *o)
{
	return sw_asprintf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
									     JSON_C_TO_STRING_NOSLASHESCAPE));
}

static struct sw_err write_files(const char *dir, const char *name, const char *entry, const char *kubeconfig)
{
	char *first = sw_asprintf("%s/%s.kubeconfig", dir, name), *second = sw_asprintf("%s/%s.yaml", dir, name);
	struct sw_err e = sw_mkdirs(dir, 0700);

	/* The entry last: what it names is there when it is read. */
	if (!sw_failed(e))
		e = sw_file_write(first, kubeconfig, strlen(kubeconfig), 0600);
	if (!sw_failed(e))
		e = sw_file_write(second, entry, strlen(entry), 0600);
	if (!sw_failed(e))
		fprintf(stderr,
			"cluster %s added: %s\nA gateway that runs takes it up within seconds; `spillway cluster list` "
			"shows it.\n",
			name, second);
	free(first);
	free(second);
	return e;
}

static void print_secret(const char *name, const char *entry, const char *kubeconfig)
{
	char *key = sw_asprintf("%s.yaml", name), *other = sw_asprintf("%s.kubeconfig", name);
	json_t *o =
		sw_json_fmt("{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"spillway-workers\","
			    "\"namespace\":\"spillway-system\"},\"stringData\":{}}");
	json_t *data = sw_json_key(o, "stringData");

	json_object_object_add(data, key, json_object_new_string(entry));
	json_object_object_add(data, other, json_object_new_string(kubeconfig));
	cli_print_json(stdout, o);
	fprintf(stderr,
		"cluster %s: apply it so that other clusters stay; a gateway that runs takes it up once the kubelet "
		"has brought the\nSecret (a minute or two):\n"
		"  spillway cluster add ... | kubectl apply --server-side --field-manager spillway-cluster-%s -f -\n",
		name, name);
	json_object_put(o);
	free(key);
	free(other);
}

static struct sw_err add(const struct cluster_args *a, const char *dir)
{
	struct cluster_found found = {.version = "not looked at"};
	json_t *kc;
	struct sw_err e = read_kubeconfig(a, &kc);

	if (sw_failed(e))
		return e;
	if (!a->unchecked)
		e = cluster_probe(a->name, kc, &found);
	if (sw_failed(e)) {
		json_object_put(kc);
		return sw_err_wrap(e, "it does not answer (--unchecked adds it all the same)");
	}
	if (!a->unchecked)
		fprintf(stderr, "cluster %s: Kubernetes %s %s Kueue\n", a->name, found.version,
			found.kueue ? "with" : "without");
	char *entry = entry_text(a, a->worker ? a->worker : found.kueue ? "kueue" : "plain"), *text = pretty(kc);
	if (dir)
		e = write_files(dir, a->name, entry, text);
	else
		print_secret(a->name, entry, text);
	free(entry);
	free(text);
	json_object_put(kc);
	return e;
}

int cluster_add(const struct cli_command *self, const struct cluster_args *a)
{
	char *dir = NULL;

	if (!a->from == !a->multikueue)
		return cli_misuse(self, "add needs --from KUBECONFIG or --multikueue NAME");
	if (!sw_is_dns_label(a->name))
		return cli_misuse(self, "found \"%s\", expected lower-case letters, digits and '-' (at most 63)",
				  a->name);
	if (a->worker && strcmp(a->worker, "kueue") != 0 && strcmp(a->worker, "plain") != 0)
		return cli_misuse(self, "--worker: found \"%s\", expected kueue or plain", a->worker);
	struct sw_err e = cluster_folder(a, &dir);
	if (!sw_failed(e))
		e = is_new(a);
	if (!sw_failed(e))
		e = add(a, dir);
	free(dir);
	return sw_failed(e) ? cli_fail(self, "%s", e.text) : CLI_OK;
}

/* ---- every MultiKueueCluster of a manager -------------------------------------------------------- */

static bool is_known(const struct sw_config *c, const char *name)
{
	for (size_t i = 0; i < c->n_clusters; i++)
		if (strcmp(c->clusters[i].name, name) == 0)
			return true;
	return false;
}

static struct sw_err list_multikueue(const struct cluster_args *a, json_t **out)
{
	struct cli_client c;
	struct sw_err e = cli_client_open(a->manager, NULL, &c);

	*out = NULL;
	if (sw_failed(e))
		return e;
	e = cli_client_call(&c, "GET", "/apis/kueue.x-k8s.io/v1beta2/multikueueclusters", NULL, NULL, out);
	cli_client_close(&c);
	return e;
}

/* One that cannot be added does not keep the others out. */
static size_t import_all(const struct cluster_args *a, const char *dir, const struct sw_config *c, json_t *items)
{
	size_t failed = 0;

	for (size_t i = 0; i < sw_json_len(items); i++) {
		struct cluster_args one = *a;
		one.name = one.multikueue = sw_json_str(sw_json_idx(items, i), "metadata.name");
		if (!one.name || is_known(c, one.name))
			continue;
		struct sw_err e =
			sw_is_dns_label(one.name)
				? add(&one, dir)
				: sw_err(SW_E_INVALID, "its name has other than lower-case letters, digits and '-': "
						       "add it under another");
		if (sw_failed(e))
			fprintf(stderr, "cluster %s: not added: %s\n", one.name, e.text);
		failed += sw_failed(e);
	}
	return failed;
}

int cluster_import(const struct cli_command *self, const struct cluster_args *a)
{
	struct sw_config *c = NULL;
	char *dir = NULL;
	json_t *list = NULL;
	size_t failed = 0;

	if (!a->config)
		return cli_misuse(self, "import needs --config FILE, whose clusters_dir the clusters are written to");
	struct sw_err e = cluster_folder(a, &dir);
	if (!sw_failed(e))
		e = sw_config_load(a->config, &c);
	if (!sw_failed(e))
		e = list_multikueue(a, &list);
	if (!sw_failed(e))
		failed = import_all(a, dir, c, sw_json_key(list, "items"));
	json_object_put(list);
	sw_config_free(c);
	free(dir);
	return sw_failed(e) ? cli_fail(self, "%s", e.text) : failed ? CLI_FAILED : CLI_OK;
}
