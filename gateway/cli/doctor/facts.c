/* SPDX-License-Identifier: Apache-2.0 */
/* facts.c - what was asked and answered, and what it says */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "spillway/text.h"
#include "spillway/yaml.h"

void doctor_fact_add(struct doctor_cluster *c, const char *id, struct sw_err err, json_t *body_taken)
{
	struct doctor_fact *grown = realloc(c->facts, (c->n_facts + 1) * sizeof *grown);

	SW_REQUIRE(grown);
	c->facts = grown;
	c->facts[c->n_facts++] = (struct doctor_fact){sw_strdup(id), err, body_taken};
}

void doctor_cluster_fini(struct doctor_cluster *c)
{
	for (size_t i = 0; i < c->n_facts; i++) {
		free(c->facts[i].id);
		json_object_put(c->facts[i].body);
	}
	free(c->facts);
	for (size_t i = 0; i < c->n_rights; i++) {
		struct doctor_right *r = &c->rights[i];
		char *owned[] = {r->ns, r->group, r->resource, r->sub, r->verb, r->name};
		for (size_t o = 0; o < sizeof owned / sizeof *owned; o++)
			free(owned[o]);
	}
	free(c->rights);
}

const struct doctor_fact *doctor_fact(const struct doctor_cluster *c, const char *id)
{
	for (size_t i = 0; i < c->n_facts; i++)
		if (strcmp(c->facts[i].id, id) == 0)
			return &c->facts[i];
	return NULL;
}

json_t *doctor_body(const struct doctor_cluster *c, const char *id)
{
	const struct doctor_fact *f = doctor_fact(c, id);

	return f && !sw_failed(f->err) ? f->body : NULL;
}

json_t *doctor_items(const struct doctor_cluster *c, const char *id)
{
	return sw_json_key(doctor_body(c, id), "items");
}

void doctor_say(struct doctor_site *s, const struct doctor_cluster *c, enum doctor_level level, const char *check,
		char *mend_taken, const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warn", "fail"};
	struct sw_buf found;
	json_t *row = json_object_new_object();
	va_list ap;

	sw_buf_init(&found, 4096);
	va_start(ap, fmt);
	sw_buf_vprintf(&found, fmt, ap);
	va_end(ap);
	sw_json_set_str(row, "level", words[level]);
	sw_json_set_str(row, "cluster", c->name);
	sw_json_set_str(row, "check", check);
	sw_json_set_str(row, "found", sw_buf_ok(&found) && found.len ? found.at : "");
	if (mend_taken)
		sw_json_set_str(row, "mend", mend_taken);
	free(mend_taken);
	sw_buf_fini(&found);
	json_object_array_add(s->findings, row);
}

struct doctor_cluster *doctor_manager(struct doctor_site *s)
{
	return s->n_clusters && (s->clusters[0].scope & DOCTOR_MANAGER) ? &s->clusters[0] : NULL;
}

/* ---- discovery -------------------------------------------------------------------- */

/* version NULL: any. */
bool doctor_serves(const struct doctor_cluster *c, const char *group, const char *version)
{
	json_t *groups = sw_json_key(doctor_body(c, "apis"), "groups");

	if (!*group)
		return true;
	for (size_t i = 0; i < sw_json_len(groups); i++) {
		json_t *g = sw_json_idx(groups, i), *versions = sw_json_key(g, "versions");
		const char *name = sw_json_str(g, "name");
		if (!name || strcmp(name, group) != 0)
			continue;
		for (size_t v = 0; version && v < sw_json_len(versions); v++) {
			const char *served = sw_json_str(sw_json_idx(versions, v), "version");
			if (served && strcmp(served, version) == 0)
				return true;
		}
		return !version;
	}
	return false;
}

bool doctor_serves_kind(const struct doctor_cluster *c, const struct sw_kind *k)
{
	char id[256];

	snprintf(id, sizeof id, "resources of %s/%s", k->group, k->version);
	return sw_kube_lists(doctor_body(c, id), k->plural);
}

/* ---- Kueue ---------------------------------------------------------------------------- */

char *doctor_kueue_setting(const struct doctor_cluster *c, const char *dotted)
{
	json_t *data = sw_json_key(doctor_body(c, "kueue's configuration"), "data");
	const char *text = json_object_get_string(sw_json_key(data, "controller_manager_config.yaml"));
	struct sw_yaml *y;
	char *value;

	if (!text || sw_failed(sw_yaml_parse("kueue-manager-config", text, strlen(text), &y)))
		return NULL;
	json_t *at = sw_yaml_docs(y) ? sw_json_at(sw_yaml_doc(y, 0), dotted) : NULL;
	value = sw_strdup(at ? json_object_get_string(at) : "");
	sw_yaml_free(y);
	return value;
}

static json_t *named(json_t *items, const char *ns, const char *name)
{
	for (size_t i = 0; i < sw_json_len(items); i++) {
		json_t *o = sw_json_idx(items, i);
		const char *in = sw_json_str(o, "metadata.namespace"), *called = sw_json_str(o, "metadata.name");
		if (called && strcmp(called, name) == 0 && (!ns || (in && strcmp(in, ns) == 0)))
			return o;
	}
	return NULL;
}

json_t *doctor_item(const struct doctor_cluster *c, const char *id, const char *name)
{
	return named(doctor_items(c, id), NULL, name);
}

/* Does the ClusterQueue name a check of this controller? */
static bool queue_names_controller(const struct doctor_cluster *m, const char *cluster_queue, const char *controller)
{
	json_t *cq = named(doctor_items(m, "list clusterqueues"), NULL, cluster_queue);
	json_t *checks = sw_json_at(cq, "spec.admissionChecksStrategy.admissionChecks");

	for (size_t i = 0; i < sw_json_len(checks); i++) {
		const char *name = sw_json_str(sw_json_idx(checks, i), "name");
		json_t *ac = name ? named(doctor_items(m, "list admissionchecks"), NULL, name) : NULL;
		const char *by = sw_json_str(ac, "spec.controllerName");
		if (by && strcmp(by, controller) == 0)
			return true;
	}
	return false;
}

bool doctor_queue_is_ours(const struct doctor_cluster *m, const char *cluster_queue)
{
	return queue_names_controller(m, cluster_queue,
				      m->scope == DOCTOR_NOMINATE ? DOCTOR_MULTIKUEUE : DOCTOR_CONTROLLER);
}

bool doctor_queue_is_multikueue(const struct doctor_cluster *m, const char *cluster_queue)
{
	return queue_names_controller(m, cluster_queue, DOCTOR_MULTIKUEUE);
}

const char *doctor_cluster_queue_of(const struct doctor_cluster *c, const char *ns, const char *local_queue)
{
	return sw_json_str(named(doctor_items(c, "list localqueues"), ns, local_queue), "spec.clusterQueue");
}
