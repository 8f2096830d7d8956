/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kueue.c - a worker that runs Kueue: its own queue decides when a job starts there
 *
 *   offer      POST a mirror: the manager's Workload without owner, finalizers and job-uid, with our identity, its pod
 *              sets translated for the pool. Kueue queues it like any other. It runs nothing.
 *   start      POST the job that names the mirror as its Workload, built from the mirror's pod sets, so that both are
 *              the same whatever the catalog says by now. Kueue takes the mirror over and unsuspends the job.
 *   stop,sweep DELETE the job; a suspend would be undone by Kueue. Its pods and the mirror go with it.
 *   withdraw   DELETE a mirror that no job has taken.
 *   prioritize PATCH a mirror's priority: what Kueue lets change at any time, from one class to another
 *
 * Kueue compares containers and tolerations of mirror and job and gives a difference up as OutOfSync
 * (pkg/util/equality/podset.go, v0.19.2). An ownerless mirror with the label job-uid would be given up too.
 */
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "spillway/topology.h"
#include "spillway/translate.h"
#include "workers_priv.h"

enum { WORKLOAD_MAX = 4 << 20, LABEL_VALUE_MAX = 63 };
#define ENV_ATTEMPT     "SPILLWAY_ATTEMPT" /* from the second attempt on */
#define LABEL_LIMIT     "kueue.x-k8s.io/max-exec-time-seconds"
#define PREBUILT        "kueue.x-k8s.io/prebuilt-workload-name"
#define LABEL_ORIGIN_MK "kueue.x-k8s.io/multikueue-origin"

/* ---- the mirror ------------------------------------------------------------------------- */

static void copy_texts(json_t *to, json_t *from, const char *path, void (*set)(json_t *, const char *, const char *))
{
	json_t *map = sw_json_at(from, path);

	if (!map || !json_object_is_type(map, json_type_object))
		return;
	json_object_object_foreach(map, key, value) set(to, key, json_object_get_string(value));
}

static void mirror_identity(struct sw_worker *w, json_t *mirror, const struct sw_offer *o)
{
	const char *slash = strchr(o->key, '/');
	char attempt[16], label[64];

	snprintf(attempt, sizeof attempt, "%u", o->attempt);
	sw_json_set_label(mirror, SW_LABEL_ORIGIN, w->ws->origin);
	sw_json_set_label(mirror, SW_LABEL_WORKLOAD, sw_workload_label(slash ? slash + 1 : o->key, label));
	sw_json_set_annotation(mirror, SW_ANN_WORKLOAD, o->key);
	sw_json_set_annotation(mirror, SW_ANN_OWNER_UID, o->owner_uid);
	sw_json_set_annotation(mirror, SW_ANN_ATTEMPT, attempt);
	sw_json_set_annotation(mirror, SW_ANN_POOL, o->pool);
}

static void env_set(json_t *container, const char *name, const char *value)
{
	json_t *list = sw_json_key(container, "env"), *one = json_object_new_object();

	if (!json_object_is_type(list, json_type_array)) {
		list = json_object_new_array();
		json_object_object_add(container, "env", list);
	}
	sw_json_set_str(one, "name", name);
	sw_json_set_str(one, "value", value);
	json_object_array_add(list, one);
}

/* A POST of an earlier attempt's job may land at any later time, and it names this mirror, which has the same name.
 * Kueue compares containers: with another attempt in them it gives both up (OutOfSync) instead of running the job. */
static void podsets_mark(json_t *podsets, unsigned attempt)
{
	static const char *const lists[] = {"containers", "initContainers"};
	char text[16];

	snprintf(text, sizeof text, "%u", attempt);
	for (size_t i = 0; i < sw_json_len(podsets) && attempt > 1; i++) {
		json_t *spec = sw_json_at(sw_json_idx(podsets, i), "template.spec");
		for (size_t l = 0; l < 2; l++)
			for (size_t k = 0; k < sw_json_len(sw_json_key(spec, lists[l])); k++)
				env_set(sw_json_idx(sw_json_key(spec, lists[l]), k), ENV_ATTEMPT, text);
	}
}

/*
 * Kinds whose containers Kueue knows without their environment differ in what else it compares, how long they may run:
 * a second more with each attempt where their user has set a limit, and some 68 years where not.
 */
static bool marks_by_limit(const struct sw_kind *k, unsigned attempt)
{
	return attempt > 1 && (k->sets_from_workload || k->containers_in_part);
}

static int64_t limit_of(int64_t own_s, unsigned attempt)
{
	int64_t s = own_s + attempt - 1;
	return own_s > 0 && s <= INT32_MAX ? s : (int64_t)INT32_MAX - attempt;
}

static void job_mark(const struct sw_kind *k, json_t *copy, unsigned attempt)
{
	const char *own = sw_json_label(copy, LABEL_LIMIT);
	char text[24];

	if (!marks_by_limit(k, attempt))
		return;
	snprintf(text, sizeof text, "%lld", (long long)limit_of(own ? strtol(own, NULL, 10) : 0, attempt));
	sw_json_set_label(copy, LABEL_LIMIT, text);
}

static void mirror_mark(const struct sw_kind *k, json_t *spec, unsigned attempt)
{
	static const char limit[] = "maximumExecutionTimeSeconds";

	if (marks_by_limit(k, attempt))
		sw_json_set_int(spec, limit, limit_of(sw_json_int(spec, limit, 0), attempt));
	else
		podsets_mark(sw_json_key(spec, "podSets"), attempt);
}

static struct sw_err podsets_translate(json_t *podsets, const struct sw_target *to)
{
	struct sw_err e = SW_OK;

	for (size_t i = 0; i < sw_json_len(podsets) && !sw_failed(e); i++) {
		json_t *template = sw_json_at(sw_json_idx(podsets, i), "template");
		char path[64];
		snprintf(path, sizeof path, "spec.podSets[%zu].template", i);
		if (json_object_is_type(template, json_type_object))
			e = sw_translate(template, path, to, NULL);
	}
	return e;
}

static struct sw_err mirror_build(struct sw_worker *w, const struct sw_offer *o, json_t **out)
{
	struct sw_target to;
	json_t *mirror = json_object_new_object(), *spec = sw_json_copy(sw_json_key(o->workload, "spec"));
	json_t *meta = sw_json_key(o->workload, "metadata");

	sw_json_set_str(mirror, "apiVersion", "kueue.x-k8s.io/v1beta2");
	sw_json_set_str(mirror, "kind", "Workload");
	sw_json_set_str(mirror, "metadata.name", sw_json_str(meta, "name"));
	sw_json_set_str(mirror, "metadata.namespace", sw_json_str(meta, "namespace"));
	copy_texts(mirror, meta, "labels", sw_json_set_label);
	copy_texts(mirror, meta, "annotations", sw_json_set_annotation);
	sw_json_del_key(sw_json_at(mirror, "metadata.labels"), SW_LABEL_JOB_UID);
	sw_json_del_key(sw_json_at(mirror, "metadata.labels"), LABEL_ORIGIN_MK);
	mirror_identity(w, mirror, o);
	json_object_object_add(mirror, "spec", spec);
	*out = mirror;
	struct sw_err e = sw_worker_target(w, o->pool, &to);
	if (sw_failed(e))
		return e;
	sw_topology_show(sw_json_key(spec, "podSets"));
	e = podsets_translate(sw_json_key(spec, "podSets"), &to);
	mirror_mark(o->kind, spec, o->attempt);
	sw_target_fini(&to);
	return e;
}

/* ---- offer -------------------------------------------------------------------------------- */

static struct sw_err mirror_send(struct act *a, enum sw_kube_class cls, const char *method, const char *type,
				 struct sw_buf *body)
{
	struct sw_buf path;
	sw_buf_init(&path, 2048);
	sw_kube_path(&path, "kueue.x-k8s.io", "v1beta2", "workloads", a->ns,
		     strcmp(method, "POST") == 0 ? NULL : a->name, NULL);
	struct sw_err e = act_send(a, cls, method, &path, type, body);
	sw_buf_fini(&path);
	return e;
}

static void on_found(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct sw_worker *w = a->w;
	const char *origin = reply->object ? sw_json_label(reply->object, SW_LABEL_ORIGIN) : NULL;

	if (err.code == SW_E_MISSING)
		err = sw_err(SW_E_CONFLICT, "cluster %s: Workload %s/%s was there and is gone", w->cfg->name, a->ns,
			     a->name);
	else if (!sw_failed(err) && (!origin || strcmp(origin, w->ws->origin) != 0)) {
		foreign_mark(w, MIRRORS, a->ns, a->name);
		err = sw_err(SW_E_EXISTS, "cluster %s has a Workload %s/%s that is not ours (origin \"%s\")",
			     w->cfg->name, a->ns, a->name, origin ? origin : "");
	} else if (!sw_failed(err))
		mirrors_early(w, reply->object);
	act_end(a, err);
}

static void on_offered(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	if (err.code == SW_E_EXISTS) {
		a->on_reply = on_found;
		act_went_on(a, mirror_send(a, SW_KUBE_CREATE, "GET", NULL, NULL));
		return;
	}
	if (!sw_failed(err) && reply->object)
		mirrors_early(a->w, reply->object);
	act_end(a, err);
}

static struct sw_err kueue_offer(struct sw_worker *w, const struct sw_offer *o, sw_worker_fn *done, void *owner)
{
	const char *slash = strchr(o->key, '/');
	struct sw_buf body;
	json_t *mirror = NULL;

	if (!o->workload || !slash)
		return sw_err(SW_E_INVALID, "no Workload to mirror for %s", o->key);
	struct sw_err e = mirror_build(w, o, &mirror);
	if (sw_failed(e)) {
		json_object_put(mirror);
		return e;
	}
	sw_buf_init(&body, WORKLOAD_MAX);
	sw_buf_json(&body, mirror);
	json_object_put(mirror);
	struct act *a = act_about(w, NULL, o->ns, slash + 1, done, owner);
	a->on_reply = on_offered;
	e = act_begun(a, mirror_send(a, SW_KUBE_CREATE, "POST", NULL, &body));
	sw_buf_fini(&body);
	return e;
}

/* It may stay a moment, until its Kueue lets it go. */
static void on_withdrawn(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	char *key = sw_asprintf("%s/%s", a->ns, a->name);
	struct mirror_row *row = mirror_find(a->w, key);

	if (!sw_failed(err) && row && strcmp(row->uid, a->uid) == 0)
		row->deleting = true;
	free(key);
	act_on_deleted(a, err, reply);
}

static struct sw_err kueue_withdraw(struct sw_worker *w, const struct mirror_row *row, sw_worker_fn *done, void *owner)
{
	const char *slash = strchr(row->key, '/');
	struct sw_buf body;

	if (row->taken || row->deleting || !slash)
		return nothing_to_do(w, done, owner);
	char *ns = sw_asprintf("%.*s", (int)(slash - row->key), row->key);
	struct act *a = act_about(w, NULL, ns, slash + 1, done, owner);
	free(ns);
	sw_buf_init(&body, 1024);
	sw_kube_delete_options(&body, "Background", row->uid);
	a->uid = sw_strdup(row->uid);
	a->on_reply = on_withdrawn;
	struct sw_err e = act_begun(a, mirror_send(a, SW_KUBE_FENCE, "DELETE", NULL, &body));
	sw_buf_fini(&body);
	return e;
}

static void on_prioritized(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	if (!sw_failed(err) && reply->object)
		mirrors_early(a->w, reply->object);
	act_end(a, err);
}

/* The UID in a patch is a precondition. */
static struct sw_err kueue_prioritize(struct sw_worker *w, const struct mirror_row *row, const char *class,
				      int32_t priority, sw_worker_fn *done, void *owner)
{
	const char *slash = strchr(row->key, '/');
	json_t *patch = json_object_new_object();
	struct sw_buf body;
	char *ns = sw_asprintf("%.*s", (int)(slash - row->key), row->key),
	     *told = sw_asprintf("%s %d", class, priority);

	sw_json_set_str(patch, "metadata.uid", row->uid);
	sw_json_set_annotation(patch, SW_ANN_PRIORITY, told);
	sw_json_set_str(patch, "spec.priorityClassRef.group", "kueue.x-k8s.io");
	sw_json_set_str(patch, "spec.priorityClassRef.kind", "WorkloadPriorityClass");
	sw_json_set_str(patch, "spec.priorityClassRef.name", class);
	sw_json_set_int(patch, "spec.priority", priority);
	sw_buf_init(&body, 4096);
	sw_buf_json(&body, patch);
	json_object_put(patch);
	struct act *a = act_about(w, NULL, ns, slash + 1, done, owner);
	free(ns);
	free(told);
	a->on_reply = on_prioritized;
	struct sw_err e = act_begun(a, mirror_send(a, SW_KUBE_STATUS, "PATCH", SW_MERGE_PATCH, &body));
	sw_buf_fini(&body);
	return e;
}

/* ---- start -------------------------------------------------------------------------------- */

static struct sw_err job_build(struct sw_worker *w, const struct sw_offer *o, const struct mirror_row *row, json_t *job,
			       json_t **out)
{
	struct sw_copy_spec spec = {.origin = w->ws->origin,
				    .workload_key = o->key,
				    .owner_uid = o->owner_uid,
				    .attempt = o->attempt,
				    .pool = row->pool};
	const char *name = strchr(o->key, '/') + 1;
	json_t *podsets = NULL, *like = NULL;
	struct sw_err e = sw_json_parse(row->podsets, strlen(row->podsets), &podsets);

	*out = NULL;
	if (!sw_failed(e))
		e = sw_kind_with_podsets(o->kind, job, podsets, &like);
	json_object_put(podsets);
	if (sw_failed(e))
		return e;
	*out = sw_kind_copy(o->kind, like, &spec);
	json_object_put(like);
	job_mark(o->kind, *out, o->attempt);
	sw_json_set_annotation(*out, PREBUILT, name); /* what Kueue reads since 0.18 */
	if (strlen(name) <= LABEL_VALUE_MAX)
		sw_json_set_label(*out, PREBUILT, name); /* and before */
	return SW_OK;
}

static struct sw_err post(struct sw_worker *w, const struct sw_offer *o, json_t *job, sw_worker_fn *done, void *owner)
{
	const struct sw_offered offered = sw_worker_offered(w, o->key, o->owner_uid);
	const struct mirror_row *row = mirror_find(w, o->key);
	json_t *copy;

	if (offered.seen != SW_COPY_OURS || offered.attempt != o->attempt || !offered.ready || offered.taken || !row ||
	    !row->podsets)
		return sw_err(SW_E_BUSY, "cluster %s has not admitted attempt %u of %s", w->cfg->name, o->attempt,
			      o->key);
	struct sw_err e = job_build(w, o, row, job, &copy);
	return sw_failed(e) ? e : job_post(w, o, copy, done, owner);
}

static struct sw_err kueue_start(struct sw_worker *w, const struct sw_offer *o, json_t *job, sw_worker_fn *done,
				 void *owner)
{
	const struct sw_copy c = sw_worker_copy(w, o->kind, o->ns, o->name, o->owner_uid);

	if (c.seen == SW_COPY_ABSENT)
		return post(w, o, job, done, owner);
	if (c.seen == SW_COPY_OURS && c.attempt == o->attempt && !c.deleting)
		return nothing_to_do(w, done, owner); /* its Kueue unsuspends it */
	if (c.seen == SW_COPY_FOREIGN)
		return sw_err(SW_E_EXISTS, "cluster %s has a %s %s/%s that is not ours: it is left alone", w->cfg->name,
			      o->kind->kind, o->ns, o->name);
	if (c.seen == SW_COPY_UNKNOWN)
		return sw_err(SW_E_BUSY, "cluster %s: jobs there cannot be seen now", w->cfg->name);
	return sw_err(SW_E_CONFLICT, "cluster %s still has another copy of %s/%s: it must go first", w->cfg->name,
		      o->ns, o->name);
}

/* Nodes that are bought for our gangs are ours to pack. On the others Kueue's quota decides, and its other users'. */
static bool kueue_packs(const struct sw_worker *w, const struct sw_pool *pool)
{
	(void)w;
	return pool->growable;
}

const struct worker_ops worker_kueue = {
	.name = "kueue",
	.packs = kueue_packs,
	.offer = kueue_offer,
	.withdraw = kueue_withdraw,
	.prioritize = kueue_prioritize,
	.start = kueue_start,
	.stop = job_delete,
	.sweep = job_delete,
};
