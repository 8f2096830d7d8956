/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carry.c - the writes of one reconcile
 *
 * A round counts its writes in flight; the first error is kept. What another had already done (an object that exists or
 * is gone) is no error: the next round sees it. When the cluster is being closed, rounds only let go.
 */
#include <stdlib.h>
#include <string.h>
#include "sim_priv.h"
#include "spillway/text.h"

enum { CONFLICT_MS = 2 };

struct sim_round {
	struct sw_sim *s;
	struct sw_reconciler *r;
	char *key;
	unsigned open; /* writes in flight, and one for the caller */
	struct sw_err err;
	int64_t again_ms;
	const char *resource; /* of what the events are about; static */
	json_t *about, *events;
};

struct sim_round *sim_round_begin(struct sw_sim *s, struct sw_reconciler *r, const char *key)
{
	struct sim_round *rd = sw_calloc(1, sizeof(*rd));

	rd->s = s;
	rd->r = r;
	rd->key = sw_strdup(key);
	rd->open = 1;
	return rd;
}

static void tell(struct sim_round *rd)
{
	for (size_t i = 0; i < sw_json_len(rd->events); i++) {
		json_t *e = sw_json_idx(rd->events, i);

		sw_api_event(rd->s->api, rd->resource, rd->about, sw_json_bool(e, "warning"), sw_json_str(e, "reason"),
			     sw_json_str(e, "message"));
	}
}

static void close_one(struct sim_round *rd)
{
	if (--rd->open > 0)
		return;
	if (!rd->s->closing) {
		if (rd->err.code == SW_E_CONFLICT) /* another controller was faster: the ordinary case of two writers */
			sw_reconciler_done(rd->r, rd->key, CONFLICT_MS);
		else if (sw_failed(rd->err))
			sw_reconciler_fail(rd->r, rd->key, rd->err);
		else {
			tell(rd);
			sw_reconciler_done(rd->r, rd->key, (uint64_t)rd->again_ms);
		}
	}
	json_object_put(rd->about);
	json_object_put(rd->events);
	free(rd->key);
	free(rd);
}

static void note(struct sim_round *rd, struct sw_err e)
{
	if (e.code != SW_E_EXISTS && e.code != SW_E_MISSING && (!sw_failed(rd->err) || rd->err.code == SW_E_CONFLICT))
		rd->err = sw_failed(e) ? e : rd->err;
}

static void on_written(void *owner, struct sw_err e, json_t *object)
{
	struct sim_round *rd = owner;

	(void)object;
	note(rd, e);
	close_one(rd);
}

static void started(struct sim_round *rd, struct sw_err e)
{
	if (!sw_failed(e))
		return;
	note(rd, e);
	rd->open--; /* done does not come */
}

void sim_round_create(struct sim_round *rd, const char *resource, json_t *o)
{
	rd->open++;
	started(rd, sw_api_object_create(rd->s->api, resource, o, on_written, rd));
}

void sim_round_update(struct sim_round *rd, const char *resource, json_t *o, const char *sub)
{
	rd->open++;
	started(rd, sw_api_object_update(rd->s->api, resource, o, sub, on_written, rd));
}

void sim_round_delete(struct sim_round *rd, const char *resource, json_t *o)
{
	const char *ns = sw_json_str(o, "metadata.namespace");
	struct sw_obj_key key = {.resource = resource, .ns = ns ? ns : "", .name = sw_json_str(o, "metadata.name")};

	rd->open++;
	started(rd, sw_api_object_delete(rd->s->api, &key, sw_json_str(o, "metadata.uid"), on_written, rd));
}

void sim_round_status(struct sim_round *rd, const char *resource, json_t *o, json_t *status)
{
	json_t *copy = json_object_new_object();
	struct json_object_iterator it = json_object_iter_begin(o), end = json_object_iter_end(o);

	for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
		if (strcmp(json_object_iter_peek_name(&it), "status") != 0)
			json_object_object_add(copy, json_object_iter_peek_name(&it),
					       sw_json_copy(json_object_iter_peek_value(&it)));
	json_object_object_add(copy, "status", sw_json_copy(status));
	sim_round_update(rd, resource, copy, "status");
	json_object_put(copy);
}

void sim_round_unpin(struct sim_round *rd, const char *resource, json_t *o, const char *finalizer)
{
	json_t *copy = sw_json_copy(o), *old = sw_json_at(o, "metadata.finalizers"), *kept = json_object_new_array();

	for (size_t i = 0; i < sw_json_len(old); i++)
		if (strcmp(json_object_get_string(sw_json_idx(old, i)), finalizer) != 0)
			json_object_array_add(kept, json_object_get(sw_json_idx(old, i)));
	if (sw_json_len(kept) > 0)
		sw_json_set(copy, "metadata.finalizers", kept);
	else {
		json_object_put(kept);
		sw_json_del(copy, "metadata.finalizers");
	}
	sim_round_update(rd, resource, copy, NULL);
	json_object_put(copy);
}

void sim_round_events(struct sim_round *rd, const char *resource, json_t *about, json_t *events)
{
	if (sw_json_len(events) == 0)
		return;
	rd->resource = resource;
	rd->about = json_object_get(about);
	rd->events = json_object_get(events);
}

void sim_round_end(struct sim_round *rd, int64_t again_ms)
{
	rd->again_ms = again_ms;
	close_one(rd);
}
