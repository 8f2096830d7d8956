/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights.c - the rights that the shipped manifests list, and which of them the API server grants
 *
 * The manifests are carried in the program, so what is checked is what is shipped.
 */
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "spillway/blob.h"
#include "spillway/config.h"
#include "spillway/text.h"
#include "spillway/yaml.h"

static const struct {
	unsigned scope;
	const char *file;
} manifests[] = {
	{DOCTOR_MIRROR, "config/kubernetes/mirror/rbac.yaml"},
	{DOCTOR_NOMINATE, "config/kubernetes/nominate/rbac.yaml"},
	{DOCTOR_MANAGER, "config/kubernetes/base/rbac.yaml"},
	{DOCTOR_OURS, "config/kubernetes/worker/plain/rbac.yaml"},
	{DOCTOR_OURS, "config/kubernetes/worker/base/rbac.yaml"},
	{DOCTOR_KUEUE, "config/kubernetes/worker/kueue/rbac.yaml"},
	{DOCTOR_SEEN, "config/kubernetes/worker/nominate/rbac.yaml"},
	{DOCTOR_IMPORT, "config/kubernetes/import-multikueue/rbac.yaml"},
};
#define COMPANIONS_MANAGER "mirror/companions"
#define COMPANIONS_WORKER  "worker/companions"

/* What a manifest says may be left out, and what is then missing. */
static const struct {
	const char *verb, *resource, *without;
} optional[] = {
	{"patch", "nodes", "bought nodes cannot be cordoned before they are given back"},
	{"create", "namespaces", "a namespace that is missing there has to be made by hand"},
	{"delete", "pods", "a pod that outlives its job stays"},
	{"get", "serviceaccounts", "a missing service account is noticed only when pods fail"},
	{"get", "persistentvolumeclaims", "a missing volume claim is noticed only when pods wait"},
	{"get", "resourceclaims", "a missing claim of devices is noticed only when pods wait"},
	{"get", "resourceclaimtemplates", "a missing template of device claims is noticed only when pods wait"},
	{"get", "priorityclasses", "a missing priority class is noticed only when pods fail"},
};

static const char *what_is_missing_without(const struct doctor_right *r)
{
	if (r->companion)
		return "what jobs there bring along (setting companions) is not sent";
	for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
		if (strcmp(optional[i].verb, r->verb) == 0 && strcmp(optional[i].resource, r->resource) == 0)
			return optional[i].without;
	return NULL;
}

/* ---- reading ------------------------------------------------------------------------ */

static void add_right(struct doctor_cluster *c, const char *ns, const char *group, const char *resource,
		      const char *verb, const char *name)
{
	struct doctor_right *grown = realloc(c->rights, (c->n_rights + 1) * sizeof *grown);
	const char *slash = strchr(resource, '/');

	SW_REQUIRE(grown);
	c->rights = grown;
	c->rights[c->n_rights++] = (struct doctor_right){
		.ns = sw_strdup(ns),
		.group = sw_strdup(group),
		.resource = slash ? sw_asprintf("%.*s", (int)(slash - resource), resource) : sw_strdup(resource),
		.sub = sw_strdup(slash ? slash + 1 : ""),
		.verb = sw_strdup(verb),
		.name = sw_strdup(name),
	};
}

static const char *word(json_t *list, size_t i)
{
	return json_object_get_string(sw_json_idx(list, i));
}

static void add_rule(struct doctor_cluster *c, const char *ns, json_t *rule)
{
	json_t *groups = sw_json_key(rule, "apiGroups"), *resources = sw_json_key(rule, "resources"),
	       *verbs = sw_json_key(rule, "verbs"), *names = sw_json_key(rule, "resourceNames");

	for (size_t g = 0; g < sw_json_len(groups); g++)
		for (size_t r = 0; r < sw_json_len(resources); r++)
			for (size_t v = 0; v < sw_json_len(verbs); v++)
				add_right(c, ns, word(groups, g), word(resources, r), word(verbs, v),
					  sw_json_len(names) ? word(names, 0) : "");
}

static struct sw_err read_manifest(struct doctor_cluster *c, const char *file)
{
	const struct sw_blob *b = sw_blob_find(file);
	struct sw_yaml *y;

	SW_REQUIRE(b);
	struct sw_err e = sw_yaml_parse(file, b->start, sw_blob_len(b), &y);
	if (sw_failed(e))
		return e;
	for (size_t i = 0; i < sw_yaml_docs(y); i++) {
		json_t *doc = sw_yaml_doc(y, i), *rules = sw_json_key(doc, "rules");
		const char *ns = sw_json_str(doc, "metadata.namespace");
		for (size_t r = 0; r < sw_json_len(rules); r++)
			add_rule(c, ns ? ns : "", sw_json_idx(rules, r));
	}
	sw_yaml_free(y);
	return SW_OK;
}

struct sw_err doctor_rights_read(struct doctor_cluster *c)
{
	struct sw_err e = SW_OK;

	for (size_t i = 0; !sw_failed(e) && i < sizeof manifests / sizeof *manifests; i++)
		if (manifests[i].scope & (c->scope | (c->imports ? (unsigned)DOCTOR_IMPORT : 0)))
			e = read_manifest(c, manifests[i].file);
	return e;
}

/* Does a rule of the setting name any of these? */
static bool rule_names(json_t *rule, const char *resource)
{
	json_t *allow = sw_json_key(rule, "allow");

	for (size_t i = 0; i < sw_json_len(allow); i++) {
		const char *text = word(allow, i);
		size_t n = strcspn(text, "/");
		if (strncmp(text, resource, n) == 0 && strcmp(resource + n, "s") == 0)
			return true;
	}
	return false;
}

struct sw_err doctor_companion_rights(struct doctor_cluster *c, const struct sw_config *config)
{
	const char *file = c->scope & DOCTOR_OURS     ? "config/kubernetes/" COMPANIONS_WORKER "/rbac.yaml"
			   : c->scope & DOCTOR_MIRROR ? "config/kubernetes/" COMPANIONS_MANAGER "/rbac.yaml"
						      : NULL;
	struct doctor_cluster listed = {.name = c->name};
	struct sw_err e = file ? read_manifest(&listed, file) : SW_OK;

	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(config->companions); i++) {
		json_t *rule = sw_json_idx(config->companions, i);
		for (size_t k = 0; k < listed.n_rights; k++) {
			const struct doctor_right *r = &listed.rights[k];
			if (!rule_names(rule, r->resource))
				continue;
			add_right(c, sw_json_str(rule, "namespace"), r->group, r->resource, r->verb, "");
			c->rights[c->n_rights - 1].companion = true;
		}
	}
	doctor_cluster_fini(&listed);
	return e;
}

json_t *doctor_right_review(const struct doctor_right *r)
{
	json_t *o = sw_json_fmt("{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SelfSubjectAccessReview\","
				"\"spec\":{\"resourceAttributes\":{}}}");
	json_t *a = sw_json_at(o, "spec.resourceAttributes");
	const char *pairs[][2] = {{"namespace", r->ns},      {"verb", r->verb},       {"group", r->group},
				  {"resource", r->resource}, {"subresource", r->sub}, {"name", r->name}};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (*pairs[i][1])
			sw_json_set_str(a, pairs[i][0], pairs[i][1]);
	return o;
}

/* ---- the check ---------------------------------------------------------------------------- */

static char *right_text(const struct doctor_right *r)
{
	return sw_asprintf("%s %s%s%s%s%s%s%s", r->verb, r->resource, *r->sub ? "/" : "", r->sub, *r->group ? "." : "",
			   r->group, *r->ns ? " in " : "", r->ns);
}

static char *apply_command(const struct doctor_cluster *c)
{
	const char *dir = c->scope == DOCTOR_MIRROR     ? "mirror"
			  : c->scope == DOCTOR_NOMINATE ? "nominate"
			  : c->scope == DOCTOR_KUEUE    ? "worker/kueue"
			  : c->scope == DOCTOR_SEEN     ? "worker/nominate"
							: "worker/plain";

	return sw_asprintf("on %s: kubectl apply -k config/kubernetes/%s%s", c->name, dir,
			   c->imports ? " && kubectl apply -k config/kubernetes/import-multikueue" : "");
}

static char *mend_right(const struct doctor_cluster *c, const struct doctor_right *r)
{
	if (!r->companion)
		return apply_command(c);
	return sw_asprintf("on %s: kubectl -n %s apply -k config/kubernetes/%s", c->name, r->ns,
			   c->scope & DOCTOR_OURS ? COMPANIONS_WORKER : COMPANIONS_MANAGER);
}

/* One row for each right that may be left out; one for all that may not. */
void doctor_check_rights(struct doctor_site *s, struct doctor_cluster *c)
{
	enum { SHOWN = 4 };
	size_t asked = 0, denied = 0, missing = 0;
	struct sw_buf list;

	sw_buf_init(&list, 2048);
	for (size_t i = 0; i < c->n_rights; i++) {
		const struct doctor_right *r = &c->rights[i];
		const char *without = what_is_missing_without(r);
		char *text = right_text(r);
		if (doctor_serves(c, r->group, NULL)) { /* nobody needs rights to what is not installed */
			asked += r->answer != DOCTOR_UNKNOWN;
			missing += r->answer == DOCTOR_MAY_NOT;
		}
		if (r->answer == DOCTOR_MAY_NOT && doctor_serves(c, r->group, NULL)) {
			if (without)
				doctor_say(s, c, DOCTOR_WARN, "rights", mend_right(c, r), "may not %s: %s", text,
					   without);
			else if (denied++ < SHOWN)
				sw_buf_printf(&list, "%s%s", denied > 1 ? ", " : "", text);
		}
		free(text);
	}
	if (denied)
		doctor_say(s, c, DOCTOR_FAIL, "rights", apply_command(c), "%zu of %zu rights are missing: may not %s%s",
			   denied, asked, list.at, denied > SHOWN ? ", ..." : "");
	else if (!asked)
		doctor_say(s, c, DOCTOR_WARN, "rights", NULL, "could not be asked for");
	else
		doctor_say(s, c, DOCTOR_OK, "rights", NULL, "%zu of %zu", asked - missing, asked);
	sw_buf_fini(&list);
}
