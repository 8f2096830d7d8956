/* SPDX-License-Identifier: Apache-2.0 */
/*
 * views.c - what the command line shows of Workloads that wait for a place, and of the clusters they may get
 *
 * explain asks the policy anew: what it would say now, beside what is nominated already.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "nominate_priv.h"
#include "spillway/kinds.h"
#include "spillway/text.h"

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static const char *owner_name(json_t *workload)
{
	return sw_json_str(sw_json_idx(sw_json_at(workload, "metadata.ownerReferences"), 0), "name");
}

static const char *owner_kind(json_t *workload)
{
	const char *kind = sw_json_str(sw_json_idx(sw_json_at(workload, "metadata.ownerReferences"), 0), "kind");

	return kind ? kind : "Workload";
}

static const char *why_of(const struct sw_nominate *n, const struct row *r)
{
	return nom_row_check(n, r->o) ? r->why : "another admission check is not Ready, or none is MultiKueue's";
}

static json_t *nominated_list(json_t *workload)
{
	const char *names[NOMINATED_MAX];
	size_t count = nom_row_nominated(workload, names);
	json_t *list = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, json_object_new_string(names[i]));
	return list;
}

/* ---- queue ------------------------------------------------------------------------------------------ */

static json_t *row_view(const struct sw_nominate *n, const struct row *r)
{
	const char *name = owner_name(r->o);
	int64_t made = 0;
	json_t *o = json_object_new_object();

	sw_json_set_str(o, "workload", r->key);
	sw_json_set_str(o, "namespace", or_empty(sw_json_str(r->o, "metadata.namespace")));
	sw_json_set_str(o, "job", name ? name : or_empty(sw_json_str(r->o, "metadata.name")));
	sw_json_set_str(o, "kind", owner_kind(r->o));
	sw_json_set_str(o, "queue", or_empty(sw_json_str(r->o, "spec.queueName")));
	sw_json_set_int(o, "priority", sw_json_int(r->o, "spec.priority", 0));
	sw_json_set_str(o, "state", "Placing");
	if (!sw_failed(sw_time_parse(or_empty(sw_json_str(r->o, "metadata.creationTimestamp")), &made)))
		sw_json_set_int(o, "ageMs", sw_loop_wall(n->opt.loop) - made);
	json_object_object_add(o, "nominated", nominated_list(r->o));
	sw_json_set_str(o, "way", nom_way_of(n, r->o) == SW_NOMINATE_APPLY ? "apply" : "patch");
	sw_json_set_str(o, "why", why_of(n, r));
	if (nom_row_check(n, r->o) && r->until_ms)
		sw_json_set_int(o, "until_ms", r->until_ms);
	return o;
}

json_t *sw_nominate_view(const struct sw_nominate *n)
{
	json_t *list = json_object_new_array();

	for (struct row *r = n->rows; r; r = r->hh.next)
		json_object_array_add(list, row_view(n, r));
	return list;
}

/* ---- clusters ----------------------------------------------------------------------------------------- */

json_t *sw_nominate_clusters(const struct sw_nominate *n)
{
	json_t *list = json_object_new_array();

	for (struct thing *t = n->things[FEED_CLUSTERS]; t; t = t->hh.next) {
		struct sw_worker *w = sw_workers_find(n->workers, t->name);
		bool active = sw_json_condition_true(t->o, "Active"), seen = w && sw_worker_state(w).reachable;
		json_t *o = json_object_new_object();
		const char *theirs = sw_json_str(sw_json_condition(t->o, "Active"), "message");

		sw_json_set_str(o, "name", t->name);
		sw_json_set_str(o, "worker", "kueue");
		sw_json_set_str(o, "region", w ? sw_worker_cfg(w)->region : "");
		sw_json_set_str(o, "state", active ? "Ready" : "NotReady");
		sw_json_set_bool(o, "active", active);
		sw_json_set_str(o, "why",
				!active ? or_empty(theirs)
				: !w    ? "not looked at: it is in no configuration of ours"
				: !seen ? sw_worker_state(w).why
					: "");
		sw_json_set_bool(o, "configured", w != NULL);
		sw_json_set_bool(o, "in_sight", seen);
		json_object_array_add(list, o);
	}
	return list;
}

/* ---- explain ---------------------------------------------------------------------------------------------- */

static struct row *row_of_job(const struct sw_nominate *n, const char *kind, const char *ns, const char *name)
{
	for (struct row *r = n->rows; r; r = r->hh.next) {
		json_t *owners = sw_json_at(r->o, "metadata.ownerReferences");

		if (strcmp(or_empty(sw_json_str(r->o, "metadata.namespace")), ns) != 0)
			continue;
		for (size_t i = 0; i < sw_json_len(owners); i++)
			if (strcmp(or_empty(sw_json_str(sw_json_idx(owners, i), "kind")), kind) == 0 &&
			    strcmp(or_empty(sw_json_str(sw_json_idx(owners, i), "name")), name) == 0)
				return r;
	}
	return NULL;
}

static int step_of(const struct round_plan *p, const char *cluster)
{
	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; k < p->step[i].n; k++)
			if (strcmp(p->step[i].names[k], cluster) == 0)
				return (int)i + 1;
	return 0;
}

static bool is_nominated(json_t *workload, const char *cluster)
{
	const char *names[NOMINATED_MAX];
	size_t count = nom_row_nominated(workload, names);

	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], cluster) == 0)
			return true;
	return false;
}

static json_t *candidate_view(const struct sw_candidate *c, const struct question *q, json_t *workload)
{
	bool named = is_nominated(workload, c->cluster), known = *c->pool || c->total > 0;
	const char *reason = named              ? "its own queue may admit the job at any moment"
			     : !known           ? "not looked at: nothing is known of what is free there"
			     : !c->nodes_needed ? "room is free"
						: "no room now, in its queue or on its nodes";

	return sw_candidate_json(c,
				 named                           ? "nominated"
				 : known && c->nodes_needed == 0 ? "fits"
								 : "later",
				 reason, step_of(&q->plan, c->cluster));
}

/* A cluster of the check that the policy was not told of. */
static json_t *left_out_view(const struct sw_nominate *n, const struct question *q, const char *cluster)
{
	struct sw_worker *w = sw_workers_find(n->workers, cluster);
	json_t *theirs = nom_thing_get(n, FEED_CLUSTERS, cluster), *o = json_object_new_object();
	struct sw_queue_look look = {0};
	const char *why = "none of its pools suits the job";

	if (w)
		look = sw_worker_queue(w, q->in.ns, q->in.queue, &q->demand);
	if (!theirs)
		why = "there is no MultiKueueCluster of that name";
	else if (!sw_json_condition_true(theirs, "Active"))
		why = or_empty(sw_json_str(sw_json_condition(theirs, "Active"), "message"));
	else if (look.known && !look.open)
		why = look.why;
	sw_json_set_str(o, "cluster", cluster);
	sw_json_set_str(o, "pool", "");
	sw_json_set_str(o, "model", "");
	sw_json_set_str(o, "verdict", "out");
	sw_json_set_str(o, "reason", *why ? why : "MultiKueue says that it is not Active");
	return o;
}

static json_t *candidates_view(const struct sw_nominate *n, const struct question *q, json_t *workload,
			       const char *check)
{
	const char *config = sw_json_str(nom_thing_get(n, FEED_CHECKS, check), "spec.parameters.name");
	json_t *all = config ? sw_json_at(nom_thing_get(n, FEED_CONFIGS, config), "spec.clusters") : NULL;
	json_t *list = json_object_new_array();

	for (size_t i = 0; i < q->n; i++)
		json_object_array_add(list, candidate_view(&q->c[i], q, workload));
	for (size_t i = 0; i < sw_json_len(all); i++) {
		const char *name = json_object_get_string(sw_json_idx(all, i));
		bool told = !name;

		for (size_t k = 0; k < q->n && !told; k++)
			told = strcmp(q->c[k].cluster, name) == 0;
		if (!told)
			json_object_array_add(list, left_out_view(n, q, name));
	}
	return list;
}

/* "n1; after 5 s also n2": the rounds in words. */
static void plan_words(const struct round_plan *p, char *out, size_t size)
{
	struct sw_buf b;
	char age[32];

	sw_buf_init(&b, 4096);
	for (size_t i = 0; i < p->n; i++) {
		if (i)
			sw_buf_printf(&b, "; after %s also ", sw_age_text(p->step[i - 1].patience_ms, age));
		for (size_t k = 0; k < p->step[i].n; k++)
			sw_buf_printf(&b, "%s%s", k ? ", " : "", p->step[i].names[k]);
	}
	sw_cut(out, size, sw_buf_ok(&b) && b.at ? b.at : "");
	sw_buf_fini(&b);
}

struct sw_err sw_nominate_explain(struct sw_nominate *n, const char *kind, const char *ns, const char *name,
				  json_t **out)
{
	struct row *r = row_of_job(n, kind, ns, name);
	const char *check = r ? nom_row_check(n, r->o) : NULL;
	char words[500];

	*out = NULL;
	if (!r)
		return sw_err(
			SW_E_MISSING,
			"%s %s/%s does not wait for a cluster: it has one, has no quota yet, is over, or its queue "
			"has no MultiKueue check; kubectl get workloads -n %s -o custom-columns="
			"NAME:.metadata.name,CLUSTER:.status.clusterName says which",
			kind, ns, name, ns);
	json_t *x = row_view(n, r);
	struct question *q = sw_calloc(1, sizeof(*q));
	char *job = sw_asprintf("%s %s/%s", kind, ns, name);

	sw_json_set_str(x, "job", job);
	sw_json_set_str(x, "now", why_of(n, r));
	free(job);
	if (check) {
		struct sw_err e = nom_question_ask(n, r->o, check, NULL, q);

		plan_words(&q->plan, words, sizeof(words));
		sw_json_set_str(x, "plan", sw_failed(e) ? e.text : *words ? words : q->reason);
		sw_json_set_str(x, "policy", sw_policy_name(nom_policy_for(n, q)));
		sw_json_set_str(x, "policyHash", sw_policy_hash(nom_policy_for(n, q)));
		json_object_object_add(x, "candidates", candidates_view(n, q, r->o, check));
		nom_question_fini(q);
	}
	free(q);
	*out = x;
	return SW_OK;
}
