/* SPDX-License-Identifier: Apache-2.0 */
/*
 * define.c - ClusterQueue, LocalQueue and ResourceFlavor objects, read strictly
 *
 * What this queue does not honour is refused by name. Values that say "off" in Kueue's own defaults are fine: an object
 * written for Kueue that uses one level of quota is taken as it is. Fields: kueue v0.19.2, apis/kueue/v1beta2.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "queue_priv.h"
#include "spillway/text.h"

/* ---- fields that are refused ---------------------------------------------------------- */

/* off: values that mean the same as absent, NULL-terminated; "*": any value is honoured. */
struct field {
	const char *path, *off[3];
};

static const struct field cq_fields[] = {
	{"resourceGroups", {"*"}}, {"queueingStrategy", {"*"}},        {"namespaceSelector", {"*"}},
	{"stopPolicy", {"*"}},     {"admissionChecksStrategy", {"*"}}, {"cohortName", {""}},
	{"fairSharing", {NULL}},   {"admissionScope", {NULL}},         {"concurrentAdmissionPolicy", {NULL}},
	{"preemption", {"*"}},     {"flavorFungibility", {"*"}},
};
static const struct field preemption_fields[] = {
	{"reclaimWithinCohort", {"Never"}},
	{"withinClusterQueue", {"Never"}},
	{"borrowWithinCohort", {"*"}},
};
static const struct field borrow_fields[] = {{"policy", {"Never"}}, {"maxPriorityThreshold", {NULL}}};
static const struct field fungibility_fields[] = {
	{"whenCanBorrow", {"MayStopSearch", "Borrow"}},
	{"whenCanPreempt", {"TryNextFlavor"}},
	{"preference", {"BorrowingOverPreemption"}},
};
static const struct field lq_fields[] = {{"clusterQueue", {"*"}}, {"stopPolicy", {"*"}}, {"fairSharing", {NULL}}};
static const struct field flavor_fields[] = {
	{"nodeLabels", {NULL}},
	{"nodeTaints", {NULL}},
	{"tolerations", {NULL}},
	{"topologyName", {""}},
};

static bool is_empty(json_t *v)
{
	return !v || (json_object_is_type(v, json_type_object) && json_object_object_length(v) == 0) ||
	       (json_object_is_type(v, json_type_array) && json_object_array_length(v) == 0);
}

static bool is_off(const struct field *f, json_t *v)
{
	const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;

	if (is_empty(v))
		return true;
	for (size_t i = 0; i < 3 && f->off[i]; i++)
		if (strcmp(f->off[i], "*") == 0 || (s && strcmp(f->off[i], s) == 0))
			return true;
	return false;
}

static struct sw_err check_fields(json_t *o, const char *path, const struct field *fields, int n)
{
	const char *names[16];

	if (!json_object_is_type(o, json_type_object))
		return SW_OK;
	for (int i = 0; i < n; i++)
		names[i] = fields[i].path;
	json_object_object_foreach(o, key, v)
	{
		int i = 0;

		while (i < n && strcmp(fields[i].path, key) != 0)
			i++;
		if (i == n) {
			const char *near = sw_nearest(key, names, n);

			return sw_err(SW_E_INVALID, "%s.%.60s: no such field%s%s", path, key,
				      near ? ", did you mean " : "", near ? near : "");
		}
		if (!is_off(&fields[i], v))
			return sw_err(SW_E_INVALID,
				      "%s.%s: found %.60s, which this queue does not honour (one level of nominal "
				      "quota, placement by policy); leave it out",
				      path, key, json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
	}
	return SW_OK;
}

#define CHECK(o, path, fields) check_fields(o, path, fields, (int)(sizeof(fields) / sizeof(*(fields))))

static struct sw_err stop_read(json_t *object, enum sw_queue_stop *out)
{
	static const char *const words[] = {"None", "Hold", "HoldAndDrain"};
	const char *s = sw_json_str(object, "spec.stopPolicy");

	*out = SW_QUEUE_RUNS;
	for (int i = 0; s && i < 3; i++)
		if (strcmp(s, words[i]) == 0) {
			*out = (enum sw_queue_stop)i;
			return SW_OK;
		}
	return s ? sw_err(SW_E_INVALID, "spec.stopPolicy: found \"%.40s\", expected None, Hold or HoldAndDrain", s)
		 : SW_OK;
}

/* ---- ClusterQueue ------------------------------------------------------------------------ */

void definition_free(struct definition *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_groups; i++) {
		free(d->groups[i].resources);
		free(d->groups[i].flavors);
		free(d->groups[i].quota);
	}
	free(d->groups);
	free(d->ns);
	free(d);
}

void definition_count(struct cqueue *cq, const struct item *it, int sign)
{
	for (size_t i = 0; i < it->shape->n; i++) {
		const char *flavor = it->hold->flavor[i];
		struct quota *have = flavor ? definition_quota(cq->def, flavor, it->shape->at[i].resource) : NULL;

		if (have)
			have->used += sign * it->shape->at[i].milli;
	}
}

static struct sw_err quota_read(json_t *r, const char *path, const char *resource, int64_t *nominal)
{
	static const struct field fields[] = {
		{"name", {"*"}}, {"nominalQuota", {"*"}}, {"borrowingLimit", {NULL}}, {"lendingLimit", {NULL}}};
	const char *name = sw_json_str(r, "name");
	json_t *v = sw_json_key(r, "nominalQuota");
	struct sw_err e = CHECK(r, path, fields);

	if (sw_failed(e))
		return e;
	if (!name || strcmp(name, resource) != 0)
		return sw_err(SW_E_INVALID, "%s.name: found \"%.60s\", expected \"%.60s\", as in coveredResources",
			      path, name ? name : "", resource);
	if (!v)
		return sw_err(SW_E_INVALID, "%s.nominalQuota: expected a quantity", path);
	e = sw_quantity_milli(json_object_get_string(v), nominal);
	if (!sw_failed(e) && *nominal < 0)
		e = sw_err(SW_E_INVALID, "found %.40s, expected zero or more", json_object_get_string(v));
	return sw_err_wrap(e, "%s.nominalQuota", path);
}

static struct sw_err flavor_read(struct sw_queue *q, json_t *f, const char *path, struct fgroup *g, size_t index)
{
	json_t *list = sw_json_key(f, "resources");
	const char *name = sw_json_str(f, "name");
	struct sw_err e = SW_OK;

	if (!name || !*name)
		return sw_err(SW_E_INVALID, "%s.name: expected the name of a ResourceFlavor", path);
	for (size_t i = 0; i < index; i++)
		if (strcmp(g->flavors[i], name) == 0)
			return sw_err(SW_E_INVALID, "%s.name: found \"%.60s\" twice", path, name);
	g->flavors[index] = queue_intern(q, name);
	if (sw_json_len(list) != g->n_resources)
		return sw_err(SW_E_INVALID,
			      "%s.resources: found %zu, expected all %zu of coveredResources in their order", path,
			      sw_json_len(list), g->n_resources);
	for (size_t r = 0; !sw_failed(e) && r < g->n_resources; r++) {
		char at[160];

		snprintf(at, sizeof(at), "%s.resources[%zu]", path, r);
		e = quota_read(sw_json_idx(list, r), at, g->resources[r],
			       &g->quota[index * g->n_resources + r].nominal);
	}
	return e;
}

static bool covered_before(const struct definition *d, size_t groups, const char *resource)
{
	for (size_t g = 0; g < groups; g++)
		for (size_t r = 0; r < d->groups[g].n_resources; r++)
			if (d->groups[g].resources[r] == resource)
				return true;
	return false;
}

static struct sw_err covered_read(struct sw_queue *q, struct definition *d, size_t index, json_t *covered,
				  const char *path)
{
	struct fgroup *g = &d->groups[index];

	for (size_t r = 0; r < g->n_resources; r++) {
		json_t *v = sw_json_idx(covered, r);
		const char *name = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";

		if (!*name)
			return sw_err(SW_E_INVALID, "%s.coveredResources[%zu]: expected the name of a resource", path,
				      r);
		name = queue_intern(q, name);
		bool twice = covered_before(d, index, name);

		for (size_t i = 0; i < r; i++)
			twice |= g->resources[i] == name;
		if (twice)
			return sw_err(SW_E_INVALID, "%s.coveredResources[%zu]: found \"%.60s\" twice", path, r, name);
		g->resources[r] = name;
	}
	return SW_OK;
}

static struct sw_err group_read(struct sw_queue *q, struct definition *d, size_t index, json_t *group)
{
	static const struct field fields[] = {{"coveredResources", {"*"}}, {"flavors", {"*"}}};
	struct fgroup *g = &d->groups[index];
	json_t *covered = sw_json_key(group, "coveredResources"), *flavors = sw_json_key(group, "flavors");
	char path[80];

	snprintf(path, sizeof(path), "spec.resourceGroups[%zu]", index);
	struct sw_err e = CHECK(group, path, fields);

	g->n_resources = sw_json_len(covered);
	g->n_flavors = sw_json_len(flavors);
	if (!sw_failed(e) && (!g->n_resources || !g->n_flavors || g->n_resources > 64 || g->n_flavors > 64))
		e = sw_err(SW_E_INVALID, "%s: expected 1 to 64 coveredResources and flavors", path);
	if (sw_failed(e)) {
		g->n_resources = g->n_flavors = 0;
		return e;
	}
	g->resources = sw_calloc(g->n_resources, sizeof(*g->resources));
	g->flavors = sw_calloc(g->n_flavors, sizeof(*g->flavors));
	g->quota = sw_calloc(g->n_resources * g->n_flavors, sizeof(*g->quota));
	e = covered_read(q, d, index, covered, path);
	for (size_t f = 0; !sw_failed(e) && f < g->n_flavors; f++) {
		char at[120];

		snprintf(at, sizeof(at), "%s.flavors[%zu]", path, f);
		e = flavor_read(q, sw_json_idx(flavors, f), at, g, f);
	}
	return e;
}

/* A flavor belongs to one group. */
static struct sw_err check_flavors(const struct definition *d)
{
	for (size_t g = 1; g < d->n_groups; g++)
		for (size_t f = 0; f < d->groups[g].n_flavors; f++)
			for (size_t h = 0; h < g; h++)
				for (size_t i = 0; i < d->groups[h].n_flavors; i++)
					if (d->groups[g].flavors[f] == d->groups[h].flavors[i])
						return sw_err(SW_E_INVALID,
							      "spec.resourceGroups[%zu].flavors[%zu].name: \"%.60s\" "
							      "belongs to group %zu already",
							      g, f, d->groups[g].flavors[f], h);
	return SW_OK;
}

#define NS_LABEL "kubernetes.io/metadata.name"

static void ns_list(struct sw_queue *q, struct definition *d, json_t *values)
{
	d->n_ns = sw_json_len(values);
	d->ns = sw_calloc(d->n_ns + 1, sizeof(*d->ns));
	for (size_t i = 0; i < d->n_ns; i++) {
		const char *s = json_object_get_string(sw_json_idx(values, i));

		d->ns[i] = queue_intern(q, s ? s : "");
	}
}

/* One expression on the namespace's own name, or one matchLabels of it. Other labels are not known here. */
static struct sw_err namespaces_read(struct sw_queue *q, json_t *sel, struct definition *d)
{
	json_t *labels = sw_json_key(sel, "matchLabels"), *rules = sw_json_key(sel, "matchExpressions"),
	       *rule = sw_json_idx(rules, 0);
	const char *key = sw_json_str(rule, "key"), *op = sw_json_str(rule, "operator");
	const char *name = json_object_get_string(sw_json_key(labels, NS_LABEL));

	d->ns_mode = NS_NONE;
	if (!sel)
		return SW_OK;
	d->ns_mode = NS_ALL;
	if (is_empty(labels) && is_empty(rules))
		return SW_OK;
	if (is_empty(rules) && name && json_object_object_length(labels) == 1) {
		json_t *one = json_object_new_array();

		json_object_array_add(one, json_object_new_string(name));
		d->ns_mode = NS_LISTED;
		ns_list(q, d, one);
		json_object_put(one);
		return SW_OK;
	}
	if (is_empty(labels) && sw_json_len(rules) == 1 && key && op && strcmp(key, NS_LABEL) == 0 &&
	    (strcmp(op, "In") == 0 || strcmp(op, "NotIn") == 0)) {
		d->ns_mode = *op == 'I' ? NS_LISTED : NS_NOT_LISTED;
		ns_list(q, d, sw_json_key(rule, "values"));
		return SW_OK;
	}
	return sw_err(SW_E_INVALID, "spec.namespaceSelector: this queue selects by " NS_LABEL
				    " only: {}, one matchLabels, or one matchExpressions with In or NotIn");
}

static struct sw_err checks_read(json_t *object)
{
	json_t *list = sw_json_at(object, "spec.admissionChecksStrategy.admissionChecks");

	for (size_t i = 0; i < sw_json_len(list); i++) {
		const char *name = sw_json_str(sw_json_idx(list, i), "name");

		if (!name || strcmp(name, "spillway") != 0)
			return sw_err(SW_E_INVALID,
				      "spec.admissionChecksStrategy.admissionChecks[%zu].name: found \"%.60s\", only "
				      "\"spillway\" is served here",
				      i, name ? name : "");
		if (!is_empty(sw_json_key(sw_json_idx(list, i), "onFlavors")))
			return sw_err(SW_E_INVALID,
				      "spec.admissionChecksStrategy.admissionChecks[%zu].onFlavors: the check holds "
				      "for all flavors; leave it out",
				      i);
	}
	return SW_OK;
}

static struct sw_err cq_fields_check(json_t *object)
{
	json_t *spec = sw_json_key(object, "spec");
	struct sw_err e = CHECK(spec, "spec", cq_fields);

	if (!sw_failed(e))
		e = CHECK(sw_json_key(spec, "preemption"), "spec.preemption", preemption_fields);
	if (!sw_failed(e))
		e = CHECK(sw_json_at(spec, "preemption.borrowWithinCohort"), "spec.preemption.borrowWithinCohort",
			  borrow_fields);
	if (!sw_failed(e))
		e = CHECK(sw_json_key(spec, "flavorFungibility"), "spec.flavorFungibility", fungibility_fields);
	return sw_failed(e) ? e : checks_read(object);
}

static struct sw_err definition_read(struct sw_queue *q, json_t *object, struct definition *d)
{
	json_t *groups = sw_json_at(object, "spec.resourceGroups");
	const char *order = sw_json_str(object, "spec.queueingStrategy");
	struct sw_err e = cq_fields_check(object);

	if (!sw_failed(e))
		e = stop_read(object, &d->stop);
	if (!sw_failed(e))
		e = namespaces_read(q, sw_json_at(object, "spec.namespaceSelector"), d);
	if (!sw_failed(e) && order && strcmp(order, "StrictFIFO") != 0 && strcmp(order, "BestEffortFIFO") != 0)
		e = sw_err(SW_E_INVALID,
			   "spec.queueingStrategy: found \"%.40s\", expected StrictFIFO or BestEffortFIFO", order);
	if (!sw_failed(e) && sw_json_len(groups) > 16)
		e = sw_err(SW_E_INVALID, "spec.resourceGroups: found %zu, expected at most 16", sw_json_len(groups));
	if (sw_failed(e))
		return e;
	d->strict = order && *order == 'S';
	d->groups = sw_calloc(sw_json_len(groups) + 1, sizeof(*d->groups));
	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(groups); i++) {
		d->n_groups = i + 1;
		e = group_read(q, d, i, sw_json_idx(groups, i));
	}
	return sw_failed(e) ? e : check_flavors(d);
}

/* Does everybody who waited under a wait under b? */
static bool same_namespaces(const struct definition *a, const struct definition *b)
{
	return a && b && a->ns_mode == b->ns_mode && a->n_ns == b->n_ns &&
	       (a->n_ns == 0 || memcmp(a->ns, b->ns, a->n_ns * sizeof(*a->ns)) == 0);
}

struct sw_err sw_queue_cluster_queue(struct sw_queue *q, const char *name, json_t *object)
{
	struct sw_queue *scratch = NULL;
	struct definition *d = NULL;
	struct sw_err e = q ? SW_OK : sw_queue_new(&scratch);

	if (!sw_failed(e) && object) {
		d = sw_calloc(1, sizeof(*d));
		e = definition_read(q ? q : scratch, object, d);
	}
	if (sw_failed(e) || !q) {
		definition_free(d);
		sw_queue_free(scratch);
		return e;
	}
	struct cqueue *cq = queue_cq(q, name);
	bool same_places = same_namespaces(cq->def, d);

	definition_free(cq->def);
	cq->def = d;
	for (size_t i = 0; i < cq->n_admitted; i++)
		definition_count(cq, cq->admitted[i], +1);
	queue_flush(cq);
	if (!same_places)
		queue_replace(q, NULL, cq->name);
	return SW_OK;
}

/* ---- LocalQueue, ResourceFlavor ------------------------------------------------------------ */

struct sw_err sw_queue_local_queue(struct sw_queue *q, const char *ns, const char *name, json_t *object)
{
	enum sw_queue_stop stop;
	const char *cq = sw_json_str(object, "spec.clusterQueue");
	struct sw_err e = CHECK(sw_json_key(object, "spec"), "spec", lq_fields);

	if (!sw_failed(e))
		e = stop_read(object, &stop);
	if (!sw_failed(e) && object && (!cq || !*cq))
		e = sw_err(SW_E_INVALID, "spec.clusterQueue: expected the name of a ClusterQueue");
	if (sw_failed(e) || !q)
		return e;
	struct lqueue *lq = queue_lq(q, ns, name);

	cq = cq ? queue_intern(q, cq) : NULL;
	if (lq->stop == stop && lq->cq_name == cq)
		return SW_OK;
	lq->stop = stop;
	lq->cq_name = cq;
	queue_replace(q, lq, NULL);
	return SW_OK;
}

struct sw_err sw_queue_flavor(struct sw_queue *q, const char *name, json_t *object)
{
	struct sw_err e = CHECK(sw_json_key(object, "spec"), "spec", flavor_fields);
	struct flavor *f;

	if (sw_failed(e) || !q)
		return e;
	HASH_FIND_STR(q->flavors, name, f);
	if (!object && f) {
		HASH_DEL(q->flavors, f);
		free(f);
	} else if (object && !f) {
		f = sw_calloc(1, sizeof(*f));
		f->name = queue_intern(q, name);
		HASH_ADD_KEYPTR(hh, q->flavors, f->name, strlen(f->name), f);
	}
	for (struct cqueue *cq = q->cqs; cq; cq = cq->hh.next)
		queue_flush(cq);
	return SW_OK;
}
