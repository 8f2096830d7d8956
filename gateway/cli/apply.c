/* SPDX-License-Identifier: Apache-2.0 */
/* apply.c - manifests from files, and server-side apply of what they hold */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "spillway/text.h"
#include "spillway/yaml.h"

enum { MANIFEST_MAX = 3 << 20 };

static struct sw_err read_input(const char *file, char **text, size_t *len)
{
	if (strcmp(file, "-") != 0)
		return sw_file_read(file, MANIFEST_MAX, text, len);
	return sw_file_read("/dev/stdin", MANIFEST_MAX, text, len);
}

struct sw_err cli_manifest(const char *file, struct sw_yaml **out)
{
	char *text;
	size_t len;
	*out = NULL;
	struct sw_err e = read_input(file, &text, &len);
	if (sw_failed(e))
		return e;
	e = sw_yaml_parse(file, text, len, out);
	free(text);
	if (!sw_failed(e) && !sw_yaml_docs(*out)) {
		sw_yaml_free(*out);
		*out = NULL;
		e = sw_err(SW_E_INVALID, "%s holds no object", file);
	}
	return e;
}

/* Plural by the kind's usual rule: enough for every resource that the gateway serves. */
static void plural_of(const char *kind, char *buf, size_t size)
{
	size_t n = strlen(kind);
	snprintf(buf, size, "%s%s", kind, n && kind[n - 1] == 's' ? "es" : n && kind[n - 1] == 'y' ? "" : "s");
	for (char *p = buf; *p; p++)
		*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	if (n && kind[n - 1] == 'y')
		snprintf(buf + n - 1, size - n + 1, "ies");
}

static bool is_cluster_scoped(const char *kind)
{
	static const char *const kinds[] = {"Namespace", "ClusterQueue", "ResourceFlavor", "WorkloadPriorityClass",
					    "AdmissionCheck"};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

struct sw_err cli_apply(struct cli_client *c, json_t *object, bool dry_run, json_t **out)
{
	char group[128] = "", plural[128];
	const char *api = sw_json_str(object, "apiVersion"), *kind = sw_json_str(object, "kind"),
		   *name = sw_json_str(object, "metadata.name");
	*out = NULL;
	if (!api || !kind || !name)
		return sw_err(SW_E_INVALID, "found %.80s, expected apiVersion, kind and metadata.name",
			      json_object_to_json_string(object));
	const char *slash = strchr(api, '/');
	if (slash)
		snprintf(group, sizeof group, "%.*s", (int)(slash - api), api);
	plural_of(kind, plural, sizeof plural);
	const char *ns = sw_json_str(object, "metadata.namespace");
	struct sw_buf path;
	sw_buf_init(&path, 8192);
	sw_kube_path(&path, group, slash ? slash + 1 : api, plural,
		     is_cluster_scoped(kind) ? NULL
		     : ns                    ? ns
					     : c->ns,
		     name, NULL);
	sw_kube_query(&path, "fieldManager", "spillway-submit");
	sw_kube_query(&path, "fieldValidation", "Strict");
	sw_kube_query(&path, "force", "true");
	if (dry_run)
		sw_kube_query(&path, "dryRun", "All");
	struct sw_err e = cli_client_call(c, "PATCH", path.at, SW_APPLY_PATCH, object, out);
	sw_buf_fini(&path);
	return sw_failed(e) ? sw_err_wrap(e, "%s %s", kind, name) : e;
}
