/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feeds.c - what is watched on the manager: checks, MultiKueue's configurations and clusters, Workloads
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "nominate_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { RETRY_MS = 1000, PROBE_MS = 10 * 60 * 1000 };
#define KUEUE_API "/apis/kueue.x-k8s.io/v1beta2/"

static const struct {
	const char *path, *what;
} feed_of[FEEDS] = {
	[FEED_CHECKS] = {KUEUE_API "admissionchecks", "admission checks"},
	[FEED_CONFIGS] = {KUEUE_API "multikueueconfigs", "MultiKueueConfigs"},
	[FEED_CLUSTERS] = {KUEUE_API "multikueueclusters", "MultiKueueClusters"},
	[FEED_WORKLOADS] = {KUEUE_API "workloads", "workloads"},
};

json_t *nom_thing_get(const struct sw_nominate *n, enum feed_id kind, const char *name)
{
	struct thing *t = NULL;

	HASH_FIND_STR(n->things[kind], name, t);
	return t ? t->o : NULL;
}

static void thing_free(struct thing **all, struct thing *t)
{
	HASH_DEL(*all, t);
	json_object_put(t->o);
	free(t->name);
	free(t);
}

static void thing_apply(struct sw_nominate *n, struct thing **all, const char *name, json_t *object)
{
	struct thing *t = NULL;

	HASH_FIND_STR(*all, name, t);
	if (!object && t) {
		thing_free(all, t);
	} else if (object && !t) {
		t = sw_calloc(1, sizeof(*t));
		t->name = sw_strdup(name);
		HASH_ADD_KEYPTR(hh, *all, t->name, strlen(t->name), t);
	}
	if (object) {
		json_object_put(t->o);
		t->o = json_object_get(object);
	}
	nom_rows_kick(n); /* a cluster came or went, or is live again */
}

static void on_object(void *owner, enum sw_obj_event ev, const char *key, json_t *object)
{
	struct feed *f = owner;
	size_t id = (size_t)(f - f->n->feeds);
	json_t *now = ev == SW_OBJ_PUT ? object : NULL;

	if (id == FEED_WORKLOADS)
		nom_row_apply(f->n, key, now);
	else
		thing_apply(f->n, &f->n->things[id], key, now);
}

static void on_state(void *owner, bool synced, uint64_t since_ms, const char *why)
{
	struct feed *f = owner;

	(void)since_ms;
	f->synced = synced;
	snprintf(f->why, sizeof(f->why), "%s", synced || !why ? "" : why);
	if (synced)
		nom_rows_kick(f->n);
}

bool nom_feeds_synced(const struct sw_nominate *n, const char **why)
{
	for (size_t i = 0; i < FEEDS; i++) {
		if (n->feeds[i].synced)
			continue;
		*why = *n->feeds[i].why ? n->feeds[i].why : feed_of[i].what;
		return false;
	}
	*why = n->probed ? "" : "asking for the policy that clears nominations";
	return n->probed;
}

static void on_timer(void *owner)
{
	struct sw_nominate *n = owner;
	uint64_t again = PROBE_MS;

	for (size_t i = 0; i < FEEDS; i++) {
		struct feed *f = &n->feeds[i];
		struct sw_reflector_cfg cfg = {
			.path = feed_of[i].path, .on_object = on_object, .on_state = on_state, .owner = f};
		struct sw_err e = f->reflector ? SW_OK : sw_reflector_new(n->kube, &cfg, &f->reflector);

		if (!sw_failed(e))
			continue;
		sw_log(WARN, "nominate", "cannot watch", "what=\"%s\" error=\"%s\"", feed_of[i].what, e.text);
		again = RETRY_MS;
	}
	nom_probe_kick(n);
	sw_timer_in(n->timer, again);
}

struct sw_err nom_feeds_open(struct sw_nominate *n)
{
	struct sw_err e = sw_timer_new(n->opt.loop, on_timer, n, &n->timer);

	for (size_t i = 0; i < FEEDS; i++)
		n->feeds[i].n = n;
	if (!sw_failed(e))
		sw_timer_in(n->timer, 0);
	return e;
}

void nom_feeds_close(struct sw_nominate *n)
{
	struct thing *t, *next;

	for (size_t i = 0; i < FEEDS; i++)
		sw_reflector_free(n->feeds[i].reflector);
	for (size_t i = 0; i < FEED_WORKLOADS; i++)
		HASH_ITER(hh, n->things[i], t, next)
	thing_free(&n->things[i], t);
	sw_timer_free(n->timer);
}
