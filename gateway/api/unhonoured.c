/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unhonoured.c - the one table of fields that are understood but that nobody here would act on
 *
 * A field that spillway does not honour is refused with its path, never ignored. Pod templates pass through to
 * real API servers, whose controllers honour everything in them, so little is left: what contradicts mirroring,
 * and what the embedded manager's own queue does not do. (A manager that is a real cluster with Kueue honours the
 * latter.)
 */
#include <string.h>
#include "check_priv.h"

#define OWN_QUEUE "the embedded queue does not do this; leave it out, or use a manager that runs Kueue"
#define COPIES    "a job's pods run on other clusters, where the selector is made anew; leave it out"

struct unhonoured {
	const char *id, *path; /* "[]" behind a name: in each item of that list */
	const char *harmless;  /* a value that asks for nothing, or NULL */
	const char *why;
};
static const struct unhonoured rows[] = {
	{"jobs.batch", "spec.manualSelector", "false", COPIES},
	{"clusterqueues.kueue.x-k8s.io", "spec.cohortName", "", OWN_QUEUE},
	{"clusterqueues.kueue.x-k8s.io", "spec.fairSharing", NULL, OWN_QUEUE},
	{"clusterqueues.kueue.x-k8s.io", "spec.admissionScope", NULL, OWN_QUEUE},
	{"clusterqueues.kueue.x-k8s.io", "spec.concurrentAdmissionPolicy", NULL, OWN_QUEUE},
	{"clusterqueues.kueue.x-k8s.io", "spec.preemption.withinClusterQueue", "Never", OWN_QUEUE},
	{"clusterqueues.kueue.x-k8s.io", "spec.preemption.reclaimWithinCohort", "Never", OWN_QUEUE},
	{"clusterqueues.kueue.x-k8s.io", "spec.preemption.borrowWithinCohort.policy", "Never", OWN_QUEUE},
	{"clusterqueues.kueue.x-k8s.io", "spec.resourceGroups[].flavors[].resources[].borrowingLimit", NULL, OWN_QUEUE},
	{"clusterqueues.kueue.x-k8s.io", "spec.resourceGroups[].flavors[].resources[].lendingLimit", NULL, OWN_QUEUE},
	{"localqueues.kueue.x-k8s.io", "spec.fairSharing", NULL, OWN_QUEUE},
	{"resourceflavors.kueue.x-k8s.io", "spec.topologyName", NULL, OWN_QUEUE},
};

static void found(struct check *c, const struct unhonoured *row, const struct step *at, json_t *v)
{
	const char *text = json_object_get_string(v);

	if (!row->harmless || strcmp(text, row->harmless) != 0)
		check_forbidden(c, at, "%s", row->why);
}

static void follow(struct check *c, const struct unhonoured *row, const char *path, const struct step *up, json_t *o)
{
	size_t n = strcspn(path, ".[");
	char name[64];
	bool each = path[n] == '[';
	const char *rest = path + n + (each ? 2 : 0);
	json_t *v;

	SW_REQUIRE(n < sizeof(name)); /* the table is ours */
	memcpy(name, path, n);
	name[n] = '\0';
	v = sw_json_key(o, name);
	if (!v)
		return;
	if (*rest == '.')
		rest++;
	if (!each && !*rest)
		found(c, row, AT_FIELD(up, name), v);
	else if (!each)
		follow(c, row, rest, AT_FIELD(up, name), v);
	for (size_t i = 0; each && i < sw_json_len(v); i++)
		follow(c, row, rest, AT_INDEX(AT_FIELD(up, name), i), sw_json_idx(v, i));
}

void check_unhonoured(struct check *c, json_t *o)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].id, c->r->id) == 0)
			follow(c, &rows[i], rows[i].path, NULL, o);
}
