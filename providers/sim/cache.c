/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache.c - the objects that the controllers read, as committed, kept by the store's watch
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "sim_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

static const struct {
	const char *resource;
	enum sim_kind kind;
} kinds[] = {
	{"jobs.batch", SIM_JOB},
	{"pods", SIM_POD},
	{"nodes", SIM_NODE},
	{SIM_POOLS, SIM_POOL},
	{"pytorchjobs.kubeflow.org", SIM_TRAINING},
	{"tfjobs.kubeflow.org", SIM_TRAINING},
	{"paddlejobs.kubeflow.org", SIM_TRAINING},
	{"xgboostjobs.kubeflow.org", SIM_TRAINING},
	{"jaxjobs.kubeflow.org", SIM_TRAINING},
	{"mpijobs.kubeflow.org", SIM_TRAINING},
};
enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

const char *sim_key(const struct sim_object *x)
{
	return strchr(x->key, '|') + 1;
}

struct sim_object *sim_find_key(struct sw_sim *s, const char *key)
{
	struct sim_object *x = NULL;

	HASH_FIND_STR(s->objects, key, x);
	return x;
}

struct sim_object *sim_find(struct sw_sim *s, const char *resource, const char *ns, const char *name)
{
	char *key = sw_asprintf("%s|%s/%s", resource, ns ? ns : "", name ? name : "");
	struct sim_object *x = sim_find_key(s, key);

	free(key);
	return x;
}

struct sim_owner *sim_owner_find(struct sw_sim *s, const char *uid)
{
	struct sim_owner *w = NULL;

	if (uid)
		HASH_FIND_STR(s->owners, uid, w);
	return w;
}

static json_t *controller_ref(json_t *o)
{
	json_t *refs = sw_json_at(o, "metadata.ownerReferences");

	for (size_t i = 0; i < sw_json_len(refs); i++)
		if (sw_json_bool(sw_json_idx(refs, i), "controller"))
			return sw_json_idx(refs, i);
	return NULL;
}

bool sim_job_exists(struct sw_sim *s, json_t *pod)
{
	json_t *ref = controller_ref(pod);
	const char *uid = sw_json_str(ref, "uid"), *name = sw_json_str(ref, "name"),
		   *ns = sw_json_str(pod, "metadata.namespace");

	for (size_t i = 0; uid && i < N_KINDS; i++) {
		struct sim_object *x = kinds[i].kind <= SIM_TRAINING ? sim_find(s, kinds[i].resource, ns, name) : NULL;

		if (x && strcmp(x->uid, uid) == 0)
			return true;
	}
	return false;
}

/* ---- owners ------------------------------------------------------------------------- */

static void leave_owner(struct sw_sim *s, struct sim_object *x)
{
	struct sim_owner *w = x->owner;

	if (!w)
		return;
	DL_DELETE(w->pods, x);
	x->owner = NULL;
	if (--w->n > 0)
		return;
	HASH_DEL(s->owners, w);
	free(w);
}

static void join_owner(struct sw_sim *s, struct sim_object *x)
{
	const char *uid = sw_json_str(controller_ref(x->o), "uid");
	struct sim_owner *w = sim_owner_find(s, uid);

	if (!uid || strlen(uid) >= sizeof(w->uid))
		return;
	if (!w) {
		w = sw_calloc(1, sizeof(*w));
		memcpy(w->uid, uid, strlen(uid) + 1);
		HASH_ADD_STR(s->owners, uid, w);
	}
	DL_APPEND(w->pods, x);
	w->n++;
	x->owner = w;
}

/* ---- objects -------------------------------------------------------------------------- */

static void forget_memory(struct sim_object *x)
{
	if (x->kind == SIM_POOL)
		sim_pool_memory_fini(&x->pool);
	else if (x->kind == SIM_JOB)
		x->job = (struct sim_job_memory){0};
	else if (x->kind == SIM_TRAINING)
		x->training = (struct sim_training_memory){0};
	else
		x->kubelet = (struct sim_kubelet_memory){0};
}

static void object_free(struct sw_sim *s, struct sim_object *x)
{
	HASH_DEL(s->objects, x);
	leave_owner(s, x);
	forget_memory(x);
	json_object_put(x->o);
	free(x->key);
	free(x);
}

static struct sim_object *object_new(struct sw_sim *s, size_t kind, const struct sw_obj_key *key)
{
	struct sim_object *x = sw_calloc(1, sizeof(*x));

	x->key = sw_asprintf("%s|%s/%s", kinds[kind].resource, key->ns, key->name);
	x->resource = kinds[kind].resource;
	x->kind = kinds[kind].kind;
	HASH_ADD_KEYPTR(hh, s->objects, x->key, strlen(x->key), x);
	return x;
}

/* Another object of the same name is a new object. */
static void renew(struct sw_sim *s, struct sim_object *x, const char *uid)
{
	if (x->born && strcmp(x->uid, uid) == 0)
		return;
	leave_owner(s, x);
	forget_memory(x);
	x->born = ++s->births;
	strncpy(x->uid, uid, sizeof(x->uid) - 1);
	if (x->kind == SIM_POD) {
		join_owner(s, x);
		sim_load_of_pod(x->o, &x->asks);
	}
}

/* What passes over all pods ask most. */
static void glance(struct sim_object *x)
{
	const char *node;

	x->deleting = sim_pod_deleting(x->o);
	if (x->kind != SIM_POD)
		return;
	node = sw_json_str(x->o, "spec.nodeName");
	x->node = node && *node ? node : NULL;
	x->phase = sim_pod_phase(x->o);
	x->settled = x->phase >= SIM_SUCCEEDED && !sim_has_finalizer(x->o, SIM_TRACKING);
}

static void put_object(struct sw_sim *s, size_t kind, const struct sw_event *ev)
{
	struct sim_object *x = sim_find(s, kinds[kind].resource, ev->key.ns, ev->key.name);
	json_t *o = NULL;
	struct sw_err e = sw_json_parse(ev->object->at, ev->object->len, &o);
	const char *uid = sw_json_str(o, "metadata.uid");

	if (sw_failed(e)) {
		sw_log(ERROR, "sim", "an object of the store cannot be read", "cluster=%s error=\"%s\"", s->name,
		       e.text);
		return;
	}
	if (!x)
		x = object_new(s, kind, &ev->key);
	json_object_put(x->o);
	x->o = o;
	renew(s, x, uid ? uid : "");
	glance(x);
	sim_control_changed(s, x, false);
}

void sim_cache_put(struct sw_sim *s, const struct sw_event *ev)
{
	size_t kind = 0;
	struct sim_object *x;

	while (kind < N_KINDS && strcmp(kinds[kind].resource, ev->key.resource) != 0)
		kind++;
	if (kind == N_KINDS)
		return;
	if (ev->type != SW_DELETED) {
		put_object(s, kind, ev);
		return;
	}
	x = sim_find(s, kinds[kind].resource, ev->key.ns, ev->key.name);
	if (!x)
		return;
	sim_control_changed(s, x, true);
	object_free(s, x);
}

void sim_cache_drop(struct sw_sim *s)
{
	struct sim_object *x, *tmp;

	HASH_ITER(hh, s->objects, x, tmp)
	object_free(s, x);
}
