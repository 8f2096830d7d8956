/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fit.c - does it fit, and if not, why
 *
 * One flavor of each resource group serves all of a workload's amounts in that group, the first in the ClusterQueue's
 * order that has room: Kueue's rule per pod set, applied to the workload as a whole. "pods" counts only where a
 * ClusterQueue covers it.
 */
#include <stdio.h>
#include <string.h>
#include "queue_priv.h"
#include "spillway/text.h"

bool queue_ns_allowed(const struct definition *d, const char *ns, size_t len)
{
	bool listed = false;

	for (size_t i = 0; i < d->n_ns && !listed; i++)
		listed = strlen(d->ns[i]) == len && strncmp(d->ns[i], ns, len) == 0;
	return d->ns_mode == NS_ALL || (d->ns_mode == NS_LISTED && listed) || (d->ns_mode == NS_NOT_LISTED && !listed);
}

static const char *missing_flavor(const struct sw_queue *q, const struct definition *d)
{
	for (size_t g = 0; g < d->n_groups; g++)
		for (size_t i = 0; i < d->groups[g].n_flavors; i++) {
			struct flavor *f;

			HASH_FIND_STR(q->flavors, d->groups[g].flavors[i], f);
			if (!f)
				return d->groups[g].flavors[i];
		}
	return NULL;
}

/* size 0: nobody asks for the words. */
bool queue_runs(const struct sw_queue *q, const struct cqueue *cq, const char **reason, char *why, size_t size)
{
	const char *gone;

	*reason = "Ready";
	if (size)
		snprintf(why, size, "Can admit new workloads");
	if (!cq || !cq->def) {
		*reason = "NotFound";
		if (size)
			snprintf(why, size, "ClusterQueue %.100s does not exist", cq ? cq->name : "");
		return false;
	}
	if (cq->def->stop != SW_QUEUE_RUNS) {
		*reason = "Stopped";
		if (size)
			snprintf(why, size, "ClusterQueue %.100s is stopped", cq->name);
		return false;
	}
	gone = missing_flavor(q, cq->def);
	if (!gone)
		return true;
	*reason = "FlavorNotFound";
	if (size)
		snprintf(why, size, "ClusterQueue %.60s: ResourceFlavor %.60s does not exist", cq->name, gone);
	return false;
}

static const struct fgroup *group_of(const struct definition *d, const char *resource, size_t *index)
{
	for (size_t g = 0; g < d->n_groups; g++)
		for (size_t r = 0; r < d->groups[g].n_resources; r++)
			if (d->groups[g].resources[r] == resource) {
				*index = r;
				return &d->groups[g];
			}
	return NULL;
}

struct quota *definition_quota(const struct definition *d, const char *flavor, const char *resource)
{
	size_t r;
	const struct fgroup *g = d ? group_of(d, resource, &r) : NULL;

	for (size_t f = 0; g && f < g->n_flavors; f++)
		if (g->flavors[f] == flavor)
			return &g->quota[f * g->n_resources + r];
	return NULL;
}

/* What of the shape does not fit flavor f of group g: the first amount, or NULL if all fit. */
static const struct sw_queue_amount *short_of(const struct fgroup *g, size_t f, const struct shape *s,
					      const struct quota **found)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t r = 0; r < g->n_resources; r++) {
			const struct quota *have = &g->quota[f * g->n_resources + r];

			if (g->resources[r] != s->at[i].resource || s->at[i].milli <= have->nominal - have->used)
				continue;
			*found = have;
			return &s->at[i];
		}
	return NULL;
}

static void say_short(const struct cqueue *cq, const char *flavor, const struct sw_queue_amount *a,
		      const struct quota *have, char *why, size_t size)
{
	char want[32], used[32], all[32];

	if (!size)
		return;
	sw_quantity_text(a->milli, want);
	sw_quantity_text(have->used, used);
	sw_quantity_text(have->nominal, all);
	if (a->milli > have->nominal)
		snprintf(why, size,
			 "ClusterQueue %.80s: asks for %s %.60s, flavor %.60s has %s in all: it can never run here",
			 cq->name, want, a->resource, flavor, all);
	else
		snprintf(why, size, "ClusterQueue %.80s: asks for %s %.60s, %s of %s are in use in flavor %.60s",
			 cq->name, want, a->resource, used, all, flavor);
}

/* The first flavor of g with room; g->n_flavors if none. Says why the last one tried, or the one that could fit some
 * day, has none. */
static size_t group_fit(const struct cqueue *cq, const struct fgroup *g, const struct shape *s, char *why, size_t size)
{
	bool can_ever = false;

	for (size_t f = 0; f < g->n_flavors; f++) {
		const struct quota *have = NULL;
		const struct sw_queue_amount *a = short_of(g, f, s, &have);

		if (!a)
			return f;
		if (can_ever)
			continue;
		can_ever = a->milli <= have->nominal;
		say_short(cq, g->flavors[f], a, have, why, size);
	}
	return g->n_flavors;
}

bool queue_fit(const struct sw_queue *q, const struct cqueue *cq, const struct shape *s,
	       const char *flavor[AMOUNTS_MAX], char *why, size_t size)
{
	for (size_t i = 0; i < s->n; i++) {
		size_t r, f = 0;
		const struct fgroup *g = group_of(cq->def, s->at[i].resource, &r);

		flavor[i] = NULL;
		if (!g && s->at[i].resource == q->pods)
			continue;
		if (!g) {
			if (size)
				snprintf(why, size, "ClusterQueue %.80s covers no %.80s", cq->name, s->at[i].resource);
			return false;
		}
		f = group_fit(cq, g, s, why, size);
		if (f == g->n_flavors)
			return false;
		flavor[i] = g->flavors[f];
	}
	return true;
}
