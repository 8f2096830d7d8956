/* SPDX-License-Identifier: Apache-2.0 */
/* queues.c - checks of queues and of the jobs in them, on the manager and across clusters */
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "spillway/text.h"

#define LABEL_DISPATCH "spillway.dev/dispatch"

static bool is_labelled(json_t *local_queue)
{
	const char *v = sw_json_label(local_queue, LABEL_DISPATCH);

	return v && strcmp(v, "true") == 0;
}

/* ---- ClusterQueues and LocalQueues of the manager --------------------------------------- */

/* The queue's first flavor with a topology: Kueue would look for places among the manager's own nodes. NULL: none. */
static const char *placing_flavor(const struct doctor_cluster *c, json_t *cq)
{
	json_t *groups = sw_json_at(cq, "spec.resourceGroups");

	for (size_t g = 0; g < sw_json_len(groups); g++) {
		json_t *flavors = sw_json_key(sw_json_idx(groups, g), "flavors");
		for (size_t i = 0; i < sw_json_len(flavors); i++) {
			const char *name = sw_json_str(sw_json_idx(flavors, i), "name");
			if (name && sw_json_str(doctor_item(c, "list resourceflavors", name), "spec.topologyName"))
				return name;
		}
	}
	return NULL;
}

static size_t check_cluster_queues(struct doctor_site *s, const struct doctor_cluster *c)
{
	json_t *items = doctor_items(c, "list clusterqueues");
	size_t ours = 0;

	for (size_t i = 0; i < sw_json_len(items); i++) {
		json_t *cq = sw_json_idx(items, i), *active = sw_json_condition(cq, "Active");
		const char *name = sw_json_str(cq, "metadata.name"), *why = sw_json_str(active, "message"),
			   *placing = c->scope == DOCTOR_MIRROR ? placing_flavor(c, cq) : NULL;
		if (!name || !doctor_queue_is_ours(c, name))
			continue;
		ours++;
		if (c->scope == DOCTOR_MIRROR && doctor_queue_is_multikueue(c, name))
			doctor_say(s, c, DOCTOR_FAIL, "queues", sw_asprintf("kubectl edit clusterqueue %s", name),
				   "ClusterQueue %s names spillway's check and MultiKueue's: jobs would be sent twice",
				   name);
		else if (placing)
			doctor_say(s, c, DOCTOR_FAIL, "queues", sw_asprintf("kubectl edit clusterqueue %s", name),
				   "ClusterQueue %s: its flavor %s has a topologyName, so Kueue looks for places among "
				   "this cluster's nodes; take one without (topology is the workers')",
				   name, placing);
		else if (active && !sw_json_condition_true(cq, "Active"))
			doctor_say(s, c, DOCTOR_FAIL, "queues", sw_asprintf("kubectl describe clusterqueue %s", name),
				   "ClusterQueue %s is not active: %s", name, why ? why : "it does not say why");
	}
	if (items && !ours)
		doctor_say(s, c, DOCTOR_WARN, "queues",
			   sw_strdup("kubectl apply -f config/kubernetes/examples/queues.yaml"),
			   "no ClusterQueue names %s",
			   c->scope == DOCTOR_MIRROR ? "spillway's check" : "MultiKueue's check");
	return ours;
}

static size_t check_local_queue(struct doctor_site *s, const struct doctor_cluster *c, json_t *lq)
{
	const char *ns = sw_json_str(lq, "metadata.namespace"), *name = sw_json_str(lq, "metadata.name"),
		   *cq = sw_json_str(lq, "spec.clusterQueue");
	bool ours = cq && doctor_queue_is_ours(c, cq);

	if (!ns || !name || !cq || c->scope != DOCTOR_MIRROR)
		return ours;
	if (ours && !is_labelled(lq))
		doctor_say(s, c, DOCTOR_FAIL, "queues",
			   sw_asprintf("kubectl -n %s label localqueue %s " LABEL_DISPATCH "=true", ns, name),
			   "LocalQueue %s/%s leads to spillway, but its label is missing: its jobs get no managedBy",
			   ns, name);
	else if (!ours && is_labelled(lq))
		doctor_say(s, c, DOCTOR_FAIL, "queues",
			   sw_asprintf("kubectl -n %s label localqueue %s " LABEL_DISPATCH "-", ns, name),
			   "LocalQueue %s/%s is labelled for spillway, but its ClusterQueue %s does not name the "
			   "check: its "
			   "jobs would run nowhere",
			   ns, name, cq);
	return ours;
}

void doctor_check_queues(struct doctor_site *s, struct doctor_cluster *c)
{
	json_t *items = doctor_items(c, "list localqueues");
	size_t before = sw_json_len(s->findings), queues = check_cluster_queues(s, c), local = 0;

	for (size_t i = 0; i < sw_json_len(items); i++)
		local += check_local_queue(s, c, sw_json_idx(items, i));
	if (queues && items && !local)
		doctor_say(s, c, DOCTOR_WARN, "queues",
			   sw_strdup("kubectl apply -f config/kubernetes/examples/queues.yaml"),
			   "no LocalQueue leads to a ClusterQueue of spillway's");
	if (sw_json_len(s->findings) == before && items)
		doctor_say(s, c, DOCTOR_OK, "queues", NULL, "%zu ClusterQueues, %zu LocalQueues", queues, local);
}

/* ---- jobs --------------------------------------------------------------------------------- */

enum { EXAMPLES = 3 };
struct job_count {
	size_t seen, unmanaged, nowhere;
	struct sw_buf first_unmanaged, first_nowhere;
};

static void note_example(struct sw_buf *list, size_t n, const struct sw_kind *k, json_t *job)
{
	const char *ns = sw_json_str(job, "metadata.namespace"), *name = sw_json_str(job, "metadata.name");

	if (n < EXAMPLES)
		sw_buf_printf(list, "%s%s %s/%s", n ? ", " : "", k->kind, ns ? ns : "", name ? name : "");
}

static void count_job(const struct doctor_cluster *c, const struct sw_kind *k, json_t *job, struct job_count *n)
{
	const char *ns = sw_json_str(job, "metadata.namespace"), *queue = sw_json_label(job, SW_LABEL_QUEUE),
		   *by = sw_kind_managed_by(k, job), *why;
	const char *cq = ns && queue ? doctor_cluster_queue_of(c, ns, queue) : NULL;
	bool managed = by && strcmp(by, DOCTOR_MULTIKUEUE) == 0;

	if (!cq || k->outcome(k, job, &why) != SW_UNFINISHED)
		return;
	n->seen++;
	if (doctor_queue_is_ours(c, cq) && !managed)
		note_example(&n->first_unmanaged, n->unmanaged++, k, job);
	else if (!doctor_queue_is_ours(c, cq) && managed && !doctor_queue_is_multikueue(c, cq))
		note_example(&n->first_nowhere, n->nowhere++, k, job);
}

void doctor_check_jobs(struct doctor_site *s, struct doctor_cluster *c)
{
	char id[256];
	const struct sw_kind *k;
	struct job_count n = {0};
	bool more = false;

	sw_buf_init(&n.first_unmanaged, 2048);
	sw_buf_init(&n.first_nowhere, 2048);
	for (size_t i = 0; (k = sw_kind_at(i)); i++) {
		snprintf(id, sizeof id, "jobs of %s", k->resource);
		json_t *items = doctor_items(c, id);
		const char *next = sw_json_str(doctor_body(c, id), "metadata.continue");
		more |= next && *next;
		for (size_t j = 0; j < sw_json_len(items); j++)
			count_job(c, k, sw_json_idx(items, j), &n);
	}
	if (n.unmanaged)
		doctor_say(s, c, DOCTOR_FAIL, "jobs",
			   sw_strdup("delete them and submit them again: managedBy cannot be set later"),
			   "%zu in spillway's queues have no managedBy and will be rejected: %s%s", n.unmanaged,
			   n.first_unmanaged.at, n.unmanaged > EXAMPLES ? ", ..." : "");
	if (n.nowhere)
		doctor_say(s, c, DOCTOR_WARN, "jobs",
			   sw_strdup("delete them and submit them again, or move them to a queue of spillway's"),
			   "%zu with managedBy are in queues that nobody dispatches, and run nowhere: %s%s", n.nowhere,
			   n.first_nowhere.at, n.nowhere > EXAMPLES ? ", ..." : "");
	if (!n.unmanaged && !n.nowhere)
		doctor_say(s, c, DOCTOR_OK, "jobs", NULL, "%zu unfinished%s", n.seen,
			   more ? " among the first 250 of each kind" : "");
	sw_buf_fini(&n.first_unmanaged);
	sw_buf_fini(&n.first_nowhere);
}

/* ---- workers ------------------------------------------------------------------------------- */

/* Every worker of one gateway carries one origin: ours, if it is known; else that of the first claimed one. */
static const char *expected_origin(const struct doctor_site *s)
{
	if (*s->origin)
		return s->origin;
	for (size_t i = 0; i < s->n_clusters; i++) {
		const char *o = sw_json_str(doctor_body(&s->clusters[i], "claim"), "data.origin");
		if (o)
			return o;
	}
	return "";
}

void doctor_check_claim(struct doctor_site *s, struct doctor_cluster *c)
{
	const struct doctor_fact *f = doctor_fact(c, "claim");
	const char *origin = sw_json_str(doctor_body(c, "claim"), "data.origin");

	if (f && f->err.code == SW_E_MISSING)
		doctor_say(s, c, DOCTOR_OK, "claim", NULL, "nobody's yet: claimed at the gateway's first start");
	else if (!origin)
		doctor_say(s, c, DOCTOR_WARN, "claim", NULL, "could not be read: %s",
			   f && sw_failed(f->err) ? f->err.text : "it names no origin");
	else if (strcmp(origin, expected_origin(s)) == 0)
		doctor_say(s, c, DOCTOR_OK, "claim", NULL, "installation %s", origin);
	else
		doctor_say(s, c, DOCTOR_FAIL, "claim",
			   sw_asprintf("if that installation is gone for good, on %s: kubectl -n spillway-system "
				       "delete configmap "
				       "spillway-claim",
				       c->name),
			   "claimed by installation %s, not %s: nothing is placed here", origin, expected_origin(s));
}

/* A Kueue manager that mirrors to this cluster as well: fine, as long as its origin is its own. */
void doctor_check_others(struct doctor_site *s, struct doctor_cluster *c)
{
	json_t *items = doctor_items(c, "mirrors of MultiKueue");
	const char *theirs = sw_json_label(sw_json_idx(items, 0), "kueue.x-k8s.io/multikueue-origin");

	if (!theirs)
		return;
	if (*s->origin && strcmp(theirs, s->origin) == 0)
		doctor_say(s, c, DOCTOR_FAIL, "other managers",
			   sw_strdup("leave identity.origin empty in spillway.yaml"),
			   "a MultiKueue manager mirrors to it with our origin %s: each would delete the other's jobs",
			   theirs);
	else
		doctor_say(s, c, DOCTOR_OK, "other managers", NULL,
			   "a MultiKueue manager with origin %s mirrors to it too", theirs);
}

static bool has_queue(json_t *items, const char *ns, const char *name)
{
	for (size_t i = 0; i < sw_json_len(items); i++) {
		const char *in = sw_json_str(sw_json_idx(items, i), "metadata.namespace"),
			   *called = sw_json_str(sw_json_idx(items, i), "metadata.name");
		if (in && called && strcmp(in, ns) == 0 && strcmp(called, name) == 0)
			return true;
	}
	return false;
}

/* A mirror goes to the LocalQueue of the same namespace and name. */
void doctor_check_worker_queues(struct doctor_site *s, struct doctor_cluster *c)
{
	struct doctor_cluster *m = doctor_manager(s);
	json_t *there = doctor_items(c, "list localqueues"), *wanted = m ? doctor_items(m, "list localqueues") : NULL;
	size_t found = 0, missing = 0;

	for (size_t i = 0; there && i < sw_json_len(wanted); i++) {
		json_t *lq = sw_json_idx(wanted, i);
		const char *ns = sw_json_str(lq, "metadata.namespace"), *name = sw_json_str(lq, "metadata.name"),
			   *cq = sw_json_str(lq, "spec.clusterQueue");
		if (!ns || !name || !cq || !doctor_queue_is_ours(m, cq))
			continue;
		if (has_queue(there, ns, name)) {
			found++;
			continue;
		}
		missing++;
		doctor_say(
			s, c, DOCTOR_WARN, "queues",
			sw_asprintf("on %s: kubectl create namespace %s; kubectl -n %s apply -f LOCALQUEUE (named %s)",
				    c->name, ns, ns, name),
			"LocalQueue %s/%s is missing here: its jobs cannot be offered to this cluster", ns, name);
	}
	if (!missing && there)
		doctor_say(s, c, DOCTOR_OK, "queues", NULL, m ? "%zu of the manager's" : "%zu LocalQueues",
			   m ? found : sw_json_len(there));
}
