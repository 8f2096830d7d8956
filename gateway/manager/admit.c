/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admit.c - what users may write
 *
 * Runs on every write of a user, after defaults and the schema. What spillway could not honour is refused here with its
 * path, so that nothing is accepted and then ignored. suspend belongs to spillway: what a user does to it is a wish,
 * kept as an annotation on the job (SW_ANN_STOPPED).
 */
#include <stdio.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/text.h"

#define INSIDE       "system:spillway"
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

/* ---- jobs: which queue, which class ------------------------------------------------------------- */

static bool lq_exists(struct emb *m, const char *ns, const char *name)
{
	char key[KEY_MAX];
	struct queue_def *d;

	snprintf(key, sizeof(key), "%s/%s", ns, name);
	d = queue_def_find(m->lqs, key);
	return d && d->exists;
}

static void names_of_queues(struct emb *m, const char *ns, char *buf, size_t size)
{
	size_t n = strlen(ns), used = 0;

	buf[0] = '\0';
	for (struct queue_def *d = m->lqs; d && used + 70 < size; d = d->hh.next)
		if (d->exists && strncmp(d->key, ns, n) == 0 && d->key[n] == '/')
			used += (size_t)snprintf(buf + used, size - used, "%s%.60s", used ? ", " : "", d->key + n + 1);
}

/* As Kueue's LocalQueueDefaulting: a LocalQueue named "default" serves jobs that name none. */
static struct sw_err queue_default(struct emb *m, json_t *job)
{
	const char *ns = sw_json_str(job, "metadata.namespace"), *queue = sw_json_label(job, SW_LABEL_QUEUE);
	char names[200];

	if (queue && *queue)
		return SW_OK;
	if (lq_exists(m, ns ? ns : "", DEFAULT_QUEUE)) {
		sw_json_set_label(job, SW_LABEL_QUEUE, DEFAULT_QUEUE);
		return SW_OK;
	}
	names_of_queues(m, ns ? ns : "", names, sizeof(names));
	return sw_err(SW_E_INVALID,
		      "metadata.labels[" SW_LABEL_QUEUE
		      "]: expected the name of a LocalQueue in namespace %.60s (%s%s); nothing runs outside a queue",
		      ns ? ns : "", *names ? "there are: " : "there is none", names);
}

static void queue_warn(struct emb *m, json_t *job, char warn[256])
{
	const char *ns = sw_json_str(job, "metadata.namespace"), *queue = sw_json_label(job, SW_LABEL_QUEUE), *reason;
	char why[160], names[90];

	if (!ns || !queue || sw_queue_local_active(m->queue, ns, queue, &reason, why))
		return;
	if (!lq_exists(m, ns, queue)) {
		names_of_queues(m, ns, names, sizeof(names));
		snprintf(warn, 256,
			 "LocalQueue \"%.60s\" does not exist in namespace %.40s%s%.70s; the job waits until it does",
			 queue, ns, *names ? ", there are: " : "", names);
		return;
	}
	snprintf(warn, 256, "the job waits: LocalQueue \"%.60s\": %.150s", queue, why);
}

static struct sw_err priority_check(struct emb *m, json_t *job)
{
	const char *class, *wish = sw_json_label(job, SW_LABEL_PRIORITY), *names[32];
	int32_t value;
	int n = 0;

	if (job_priority(m, job, &class, &value))
		return SW_OK;
	for (struct priority *p = m->priorities; p && n < 32; p = p->hh.next)
		names[n++] = p->name;
	const char *near = sw_nearest(wish, names, n);

	return sw_err(SW_E_INVALID,
		      "metadata.labels[" SW_LABEL_PRIORITY "]: WorkloadPriorityClass \"%.60s\" does not exist%s%s%s",
		      wish, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static struct sw_err managed_by_check(const struct sw_kind *k, json_t *job)
{
	const char *by = sw_kind_managed_by(k, job);
	int stem = (int)(strrchr(k->suspend_path, '.') - k->suspend_path);

	if (!by || strcmp(by, "kueue.x-k8s.io/multikueue") == 0 || strcmp(by, CONTROLLER) == 0)
		return SW_OK;
	return sw_err(SW_E_INVALID, "%.*s.managedBy: found \"%.60s\": that controller does not run here; leave it out",
		      stem, k->suspend_path, by);
}

static struct sw_err job_check(struct emb *m, const struct sw_kind *k, json_t *job)
{
	struct sw_demand demand;
	struct sw_err e = managed_by_check(k, job);

	if (!sw_failed(e))
		e = queue_default(m, job);
	if (!sw_failed(e))
		e = priority_check(m, job);
	return sw_failed(e) ? e : sw_demand_read(k, job, m->catalog, &demand);
}

/* ---- jobs: suspend ------------------------------------------------------------------------------------- */

/* Did the manifest that kubectl applied say suspend: true? */
static bool applied_suspended(const struct sw_kind *k, json_t *job)
{
	const char *text = sw_json_annotation(job, LAST_APPLIED);
	json_t *o = NULL;

	if (!text || sw_failed(sw_json_parse(text, strlen(text), &o)))
		return false;
	bool on = sw_kind_suspended(k, o);

	json_object_put(o);
	return on;
}

static void set_stopped(json_t *job, bool on)
{
	json_t *notes = sw_json_at(job, "metadata.annotations");

	if (on)
		sw_json_set_annotation(job, SW_ANN_STOPPED, "true");
	else if (notes)
		json_object_object_del(notes, SW_ANN_STOPPED);
}

static void suspend_follow(const struct sw_kind *k, json_t *job, json_t *old, char warn[256])
{
	bool was = sw_kind_suspended(k, old), is = sw_kind_suspended(k, job), stopped = job_stopped_by_user(old);

	if (!was && is && applied_suspended(k, old) && applied_suspended(k, job)) {
		sw_kind_suspend(k, job, false); /* the same manifest again, as written for Kueue: no new wish */
	} else if (!was && is) {
		stopped = true;
		snprintf(warn, 256,
			 "the job is stopped and leaves its cluster; set suspend to false to queue it again");
	} else if (was && !is) {
		if (!stopped)
			snprintf(warn, 256, "suspend is set back: the job starts when it is admitted");
		stopped = false;
		sw_kind_suspend(k, job, true);
	}
	set_stopped(job, stopped);
}

static void hold_new(const struct sw_kind *k, json_t *job, int64_t now_ms)
{
	char now[32];

	sw_kind_suspend(k, job, true);
	set_stopped(job, false);
	sw_time_text(now_ms, now);
	if (strcmp(k->group, "batch") != 0)
		sw_json_set_condition(job, "Created", true, "JobCreated", "Job is created", now);
	sw_json_set_condition(job, "Suspended", true, "JobSuspended", "Job suspended", now);
}

/* ---- jobs: what may not change while they run ------------------------------------------------------------ */

/* The key under which a and b differ; NULL: nowhere, or not in objects. */
static const char *differing_key(json_t *a, json_t *b)
{
	if (!json_object_is_type(a, json_type_object) || !json_object_is_type(b, json_type_object))
		return NULL;
	for (int side = 0; side < 2; side++) {
		json_object_object_foreach(side ? b : a, key, v)
		{
			if (!json_object_equal(v, sw_json_key(side ? a : b, key)))
				return key;
		}
	}
	return NULL;
}

/* The first field of spec that differs and that a copy would not follow, as a path in buf; NULL: none. */
static const char *spec_difference(const struct sw_kind *k, json_t *job, json_t *old, char *buf, size_t size)
{
	static const char *const free_fields[] = {"suspend", "ttlSecondsAfterFinished"};
	json_t *both[] = {sw_json_copy(job), sw_json_copy(old)};
	int stem = (int)(strrchr(k->suspend_path, '.') - k->suspend_path);
	size_t used = (size_t)snprintf(buf, size, "spec");
	char path[96];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%.*s.%s", stem, k->suspend_path, free_fields[i / 2]);
		sw_json_del(both[i % 2], path);
	}
	json_t *a = sw_json_key(both[0], "spec"), *b = sw_json_key(both[1], "spec");
	const char *key = differing_key(a, b), *found = key ? buf : NULL;

	for (; key && used + 2 < size; key = differing_key(a, b)) {
		used += (size_t)snprintf(buf + used, size - used, ".%s", key);
		a = sw_json_key(a, key);
		b = sw_json_key(b, key);
	}
	json_object_put(both[0]);
	json_object_put(both[1]);
	return found;
}

static struct sw_err running_check(const struct sw_kind *k, json_t *job, json_t *old)
{
	const char *a = sw_json_label(job, SW_LABEL_QUEUE), *b = sw_json_label(old, SW_LABEL_QUEUE), *why;
	char path[128];

	if (sw_kind_suspended(k, old) || k->outcome(k, old, &why) != SW_UNFINISHED)
		return SW_OK;
	if (strcmp(a ? a : "", b ? b : "") != 0)
		return sw_err(SW_E_INVALID, "metadata.labels[" SW_LABEL_QUEUE
					    "]: field is immutable while the job runs; suspend it first");
	if (spec_difference(k, job, old, path, sizeof(path)))
		return sw_err(SW_E_INVALID,
			      "%s: field is immutable while the job runs: its cluster would not see the change; "
			      "suspend it first",
			      path);
	return SW_OK;
}

/* Would what is stored be refused too (by a newer version, another catalog)? Then an update did not make it worse. */
static bool was_refused(struct emb *m, const struct sw_kind *k, json_t *old)
{
	json_t *copy = sw_json_copy(old);
	bool refused = sw_failed(job_check(m, k, copy));

	json_object_put(copy);
	return refused;
}

static struct sw_err on_job(void *owner, json_t *job, json_t *old, const char *user, char warn[256])
{
	struct emb *m = owner;
	const struct sw_kind *k = sw_kind_of(job);
	const char *why;

	(void)user;
	if (!k)
		return SW_OK;
	if (old && k->outcome(k, old, &why) != SW_UNFINISHED)
		return SW_OK; /* it is over: labels, annotations and ttl may change */
	struct sw_err e = job_check(m, k, job);

	if (sw_failed(e) && !(old && was_refused(m, k, old)))
		return e;
	if (!old) {
		hold_new(k, job, sw_loop_wall(m->loop));
		queue_warn(m, job, warn);
		return SW_OK;
	}
	suspend_follow(k, job, old, warn);
	return running_check(k, job, old);
}

/* ---- queues and Workloads ------------------------------------------------------------------------------------ */

static struct sw_err on_cluster_queue(void *owner, json_t *o, json_t *old, const char *user, char warn[256])
{
	(void)owner, (void)old, (void)user, (void)warn;
	return sw_queue_cluster_queue(NULL, sw_json_str(o, "metadata.name"), o);
}

static struct sw_err on_local_queue(void *owner, json_t *o, json_t *old, const char *user, char warn[256])
{
	const char *was = sw_json_str(old, "spec.clusterQueue"), *is = sw_json_str(o, "spec.clusterQueue");

	(void)owner, (void)user, (void)warn;
	if (was && is && strcmp(was, is) != 0)
		return sw_err(SW_E_INVALID, "spec.clusterQueue: field is immutable");
	return sw_queue_local_queue(NULL, sw_json_str(o, "metadata.namespace"), sw_json_str(o, "metadata.name"), o);
}

static struct sw_err on_flavor(void *owner, json_t *o, json_t *old, const char *user, char warn[256])
{
	(void)owner, (void)old, (void)user, (void)warn;
	return sw_queue_flavor(NULL, sw_json_str(o, "metadata.name"), o);
}

static struct sw_err on_check(void *owner, json_t *o, json_t *old, const char *user, char warn[256])
{
	const char *controller = sw_json_str(o, "spec.controllerName");

	(void)owner, (void)old, (void)user, (void)warn;
	if (controller && strcmp(controller, CONTROLLER) == 0)
		return SW_OK;
	return sw_err(SW_E_INVALID,
		      "spec.controllerName: found \"%.60s\", no such controller runs here; only " CONTROLLER " does",
		      controller ? controller : "");
}

static bool same_but_active(json_t *a, json_t *b)
{
	json_t *x = sw_json_copy(sw_json_key(a, "spec")), *y = sw_json_copy(sw_json_key(b, "spec"));

	if (x)
		json_object_object_del(x, "active");
	if (y)
		json_object_object_del(y, "active");
	bool same = json_object_equal(x, y) && json_object_equal(sw_json_key(a, "status"), sw_json_key(b, "status"));

	json_object_put(x);
	json_object_put(y);
	return same;
}

static struct sw_err on_workload(void *owner, json_t *o, json_t *old, const char *user, char warn[256])
{
	(void)owner, (void)warn;
	if (user && strcmp(user, INSIDE) == 0)
		return SW_OK;
	if (!old)
		return sw_err(SW_E_INVALID,
			      "Workloads are made by spillway for jobs; create a job with the label " SW_LABEL_QUEUE
			      " instead");
	if (same_but_active(o, old) && finalizer_has(o, SW_FINALIZER_COPIES) == finalizer_has(old, SW_FINALIZER_COPIES))
		return SW_OK;
	return sw_err(SW_E_INVALID, "spec: of a Workload only spec.active may be changed, the rest is spillway's");
}

void admit_hooks(struct emb *m, struct sw_api_options *opt)
{
	static const struct sw_admit others[] = {
		{CLUSTER_QUEUES, on_cluster_queue, false},
		{LOCAL_QUEUES, on_local_queue, false},
		{FLAVORS, on_flavor, false},
		{CHECKS, on_check, false},
		{WORKLOADS, on_workload, true},
	};
	size_t n = 0, n_others = sizeof(others) / sizeof(*others), kinds = 0;

	while (sw_kind_at(kinds))
		kinds++;
	m->admit = sw_calloc(kinds + n_others, sizeof(*m->admit));
	for (size_t i = 0; i < kinds; i++)
		if (kind_served(sw_kind_at(i)))
			m->admit[n++] = (struct sw_admit){sw_kind_at(i)->resource, on_job, false};
	for (size_t i = 0; i < n_others; i++)
		m->admit[n++] = others[i];
	opt->admit = m->admit;
	opt->n_admit = n;
}
