/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc.c - what goes with what: dependents of deleted owners, contents of deleted namespaces
 *
 * Level-triggered: a key is "o/UID" or "n/NAMESPACE"; each look deletes what is there and comes back until nothing
 * is. "gc/UID" notes, written in the same transaction as the owner's delete, make a restart go on.
 * An object with a second owner that still lives only loses the reference.
 */
#include "api_priv.h"

#include <stdlib.h>
#include <string.h>
#include "spillway/keyq.h"
#include "spillway/log.h"
#include "spillway/text.h"

#define GC_PREFIX "gc/"
enum { GC_RECENT = 10000, GC_BATCH = 200, GC_AGAIN_MS = 25, GC_WAIT_MS = 1000 };

struct recent {
	UT_hash_handle hh;
	char uid[];
};

struct gc {
	struct sw_api *api;
	struct sw_reconciler *queue;
	struct recent *recent; /* uids deleted lately, oldest first */
	/* the namespace being read, and the list that reads it */
	struct sweep {
		struct gc *gc;
		char ns[254];
		const struct sw_resource *r;
		struct sw_list *list;
		bool waits;
	} * sweep;
	struct sw_list *boot;
};

/* ---- dependents --------------------------------------------------------------------- */

struct keys {
	struct key {
		char *resource, *ns, *name;
	} at[GC_BATCH];
	size_t n, more;
};

static void on_owned(void *owner, const struct sw_obj_key *k)
{
	struct keys *keys = owner;
	if (keys->n == GC_BATCH) {
		keys->more++;
		return;
	}
	keys->at[keys->n++] = (struct key){sw_strdup(k->resource), sw_strdup(k->ns), sw_strdup(k->name)};
}

static void keys_fini(struct keys *keys)
{
	for (size_t i = 0; i < keys->n; i++) {
		free(keys->at[i].resource);
		free(keys->at[i].ns);
		free(keys->at[i].name);
	}
}

/* gives, or NULL: not there. */
static json_t *latest_read(struct sw_api *a, const struct sw_obj_key *key)
{
	struct sw_bytes *bytes = NULL;
	json_t *o = NULL;
	if (!sw_failed(sw_store_latest(a->store, key, &bytes, NULL)) &&
	    sw_failed(sw_json_parse(bytes->at, bytes->len, &o)))
		o = NULL;
	sw_bytes_unref(bytes);
	return o;
}

static bool ref_lives(struct sw_api *a, json_t *ref, const char *ns)
{
	const char *version = sw_json_str(ref, "apiVersion"), *kind = sw_json_str(ref, "kind"),
		   *uid = sw_json_str(ref, "uid");
	const struct sw_resource *r = version && kind ? sw_resource_of(version, kind) : NULL;
	const char *name = sw_json_str(ref, "name");
	if (!r || !name || !uid)
		return false;
	struct sw_obj_key key = {sw_resource_storage(r)->id, r->namespaced ? ns : "", name};
	json_t *o = latest_read(a, &key);
	const char *found = sw_json_str(o, "metadata.uid");
	bool lives = found && strcmp(found, uid) == 0;
	json_object_put(o);
	return lives;
}

/* Takes references to `gone` out. Returns how many others are left; with check only living ones count. */
static size_t refs_without(struct sw_api *a, json_t *o, const char *gone, const char *ns, bool check)
{
	json_t *old = sw_json_at(o, "metadata.ownerReferences"), *kept = json_object_new_array();
	size_t others = 0;
	for (size_t i = 0; i < sw_json_len(old); i++) {
		json_t *ref = sw_json_idx(old, i);
		const char *uid = sw_json_str(ref, "uid");
		if (uid && strcmp(uid, gone) == 0)
			continue;
		json_object_array_add(kept, json_object_get(ref));
		others += !check || ref_lives(a, ref, ns);
	}
	if (sw_json_len(kept)) {
		sw_json_set(o, "metadata.ownerReferences", kept);
	} else {
		json_object_put(kept);
		sw_json_del(o, "metadata.ownerReferences");
	}
	return others;
}

enum fate { FATE_GONE, FATE_WORKED, FATE_WAITS };

static enum fate dependent_step(struct gc *gc, const struct key *k, const char *uid)
{
	struct sw_api *a = gc->api;
	struct sw_obj_key key = {k->resource, k->ns, k->name};
	struct sw_err e = SW_OK;
	json_t *o = latest_read(a, &key);
	enum fate fate = o ? FATE_WORKED : FATE_GONE;
	if (!o)
		return fate;
	if (refs_without(a, o, uid, k->ns, true) > 0)
		e = sw_api_object_update(a, k->resource, o, NULL, NULL, NULL);
	else if (sw_json_str(o, "metadata.deletionTimestamp"))
		fate = FATE_WAITS; /* for its finalizers; its own dependents go with it */
	else
		e = sw_api_object_delete(a, &key, sw_json_str(o, "metadata.uid"), NULL, NULL);
	if (sw_failed(e) && e.code != SW_E_MISSING)
		sw_log(WARN, "api", "a dependent could not be deleted", "resource=%s ns=%s name=%s error=\"%s\"",
		       k->resource, k->ns, k->name, e.text);
	json_object_put(o);
	return fate;
}

static void note_drop(struct gc *gc, const char *uid)
{
	char *note = sw_asprintf(GC_PREFIX "%s", uid);
	struct sw_bytes *there = NULL;
	if (!sw_failed(sw_store_note_get(gc->api->store, note, &there))) {
		struct sw_err e = sw_store_note_put(gc->api->store, note, NULL, 0, NULL, NULL);
		if (sw_failed(e)) /* the next start looks again: nothing is there, and drops it */
			sw_log(WARN, "api", "a finished cascade stays noted", "uid=%s error=\"%s\"", uid, e.text);
	}
	sw_bytes_unref(there);
	free(note);
}

static void owner_look(struct gc *gc, const char *key, const char *uid)
{
	struct keys keys = {.n = 0};
	size_t worked = 0;
	struct sw_err e = sw_store_owned_by(gc->api->store, uid, on_owned, &keys);
	for (size_t i = 0; i < keys.n; i++)
		worked += dependent_step(gc, &keys.at[i], uid) != FATE_WAITS;
	keys_fini(&keys);
	if (sw_failed(e)) {
		sw_reconciler_fail(gc->queue, key, e);
		return;
	}
	if (!worked && !keys.more)
		note_drop(gc, uid);
	sw_reconciler_done(gc->queue, key, worked || keys.more ? GC_AGAIN_MS : 0);
}

/* ---- namespaces ------------------------------------------------------------------------- */

static void namespace_finish(struct gc *gc, const char *ns)
{
	struct sw_obj_key key = {"namespaces", "", ns};
	struct sw_err e = sw_api_object_delete(gc->api, &key, NULL, NULL, NULL);
	if (sw_failed(e) && e.code != SW_E_MISSING)
		sw_log(WARN, "api", "an empty namespace could not be removed", "ns=%s error=\"%s\"", ns, e.text);
}

static void sweep_done(struct sweep *sw, uint64_t again_ms)
{
	struct gc *gc = sw->gc;
	char *key = sw_asprintf("n/%s", sw->ns);
	sw_store_list_free(sw->list);
	gc->sweep = NULL;
	free(sw);
	sw_reconciler_done(gc->queue, key, again_ms);
	free(key);
}

static void on_content(void *owner, struct sw_err err, const struct sw_page *page)
{
	struct sweep *sw = owner;
	size_t deleted = 0;
	for (size_t i = 0; !sw_failed(err) && i < page->n; i++) {
		struct sw_obj_key key = {sw->r->id, page->items[i].ns, page->items[i].name};
		if (strstr(page->items[i].bytes, "\"deletionTimestamp\":\""))
			continue;
		struct sw_err e = sw_api_object_delete(sw->gc->api, &key, NULL, NULL, NULL);
		deleted += !sw_failed(e);
	}
	sweep_done(sw, deleted ? GC_AGAIN_MS : GC_WAIT_MS);
}

static const struct sw_resource *content_find(struct gc *gc, const char *ns, size_t *skip)
{
	size_t n, seen = 0;
	const struct sw_resource *rows = sw_resources(&n);
	for (size_t i = 0; i < n; i++) {
		if (!rows[i].namespaced || rows[i].stored_as || !sw_store_count(gc->api->store, rows[i].id, ns))
			continue;
		if (seen++ == *skip)
			return &rows[i];
	}
	*skip = 0;
	return seen ? content_find(gc, ns, skip) : NULL;
}

static void namespace_look(struct gc *gc, const char *key, const char *ns)
{
	/* One kind a look, in turn: a kind whose objects wait for finalizers must not hide the others. */
	size_t turn = (size_t)(sw_loop_now(gc->api->loop) / GC_AGAIN_MS) % 16;
	const struct sw_resource *r = content_find(gc, ns, &turn);
	if (gc->sweep) {
		sw_reconciler_done(gc->queue, key, GC_AGAIN_MS);
		return;
	}
	if (!r) {
		namespace_finish(gc, ns);
		sw_reconciler_done(gc->queue, key, 0);
		return;
	}
	struct sweep *sw = sw_calloc(1, sizeof(*sw));
	struct sw_list_cfg cfg = {.resource = r->id, .ns = ns, .limit = GC_BATCH, .max_bytes = SIZE_MAX};
	sw->gc = gc;
	sw->r = r;
	snprintf(sw->ns, sizeof(sw->ns), "%s", ns);
	gc->sweep = sw;
	struct sw_err e = sw_store_list(gc->api->store, &cfg, on_content, sw, &sw->list);
	if (!sw_failed(e))
		return;
	gc->sweep = NULL;
	free(sw);
	sw_reconciler_fail(gc->queue, key, e);
}

static void on_key(void *owner, const char *key)
{
	struct gc *gc = owner;
	if (key[0] == 'o')
		owner_look(gc, key, key + 2);
	else
		namespace_look(gc, key, key + 2);
}

/* ---- what others tell ----------------------------------------------------------------------- */

static void recent_add(struct gc *gc, const char *uid)
{
	struct recent *r;
	HASH_FIND_STR(gc->recent, uid, r);
	if (r)
		return;
	if (HASH_COUNT(gc->recent) >= GC_RECENT) {
		r = gc->recent; /* uthash keeps the order of insertion */
		HASH_DEL(gc->recent, r);
		free(r);
	}
	size_t n = strlen(uid) + 1;
	r = sw_calloc(1, sizeof(*r) + n);
	memcpy(r->uid, uid, n);
	HASH_ADD_STR(gc->recent, uid, r);
}

static void on_any(void *owner, const struct sw_obj_key *key)
{
	(void)key;
	*(bool *)owner = true;
}

void gc_owner_going(struct sw_api *a, const char *uid)
{
	bool any = false;
	struct sw_err e = sw_store_owned_by(a->store, uid, on_any, &any);
	if (!sw_failed(e) && any) {
		char *note = sw_asprintf(GC_PREFIX "%s", uid);
		e = sw_store_note_put(a->store, note, "", 0, NULL, NULL);
		free(note);
	}
	if (sw_failed(e))
		sw_log(WARN, "api", "a cascade could not be noted", "uid=%s error=\"%s\"", uid, e.text);
}

void gc_owner_gone(struct sw_api *a, const char *uid)
{
	if (!a->gc)
		return;
	char *key = sw_asprintf("o/%s", uid);
	recent_add(a->gc, uid);
	sw_reconciler_add(a->gc->queue, key);
	free(key);
}

bool gc_is_gone(struct sw_api *a, const char *uid)
{
	struct recent *r = NULL;
	if (a->gc)
		HASH_FIND_STR(a->gc->recent, uid, r);
	return r != NULL;
}

void gc_orphan(struct sw_api *a, const char *uid)
{
	struct keys keys = {.n = 0};
	struct sw_err e = sw_store_owned_by(a->store, uid, on_owned, &keys);
	for (size_t i = 0; i < keys.n && !sw_failed(e); i++) {
		struct sw_obj_key key = {keys.at[i].resource, keys.at[i].ns, keys.at[i].name};
		json_t *o = latest_read(a, &key);
		if (!o)
			continue;
		refs_without(a, o, uid, key.ns, false);
		e = sw_api_object_update(a, key.resource, o, NULL, NULL, NULL);
		json_object_put(o);
	}
	keys_fini(&keys);
	if (sw_failed(e))
		sw_log(WARN, "api", "a dependent keeps the reference to its deleted owner", "uid=%s error=\"%s\"", uid,
		       e.text);
}

void gc_namespace(struct sw_api *a, const char *ns)
{
	char *key = sw_asprintf("n/%s", ns);
	sw_reconciler_add(a->gc->queue, key);
	free(key);
}

/* ---- start and stop ----------------------------------------------------------------------------- */

static void on_note(void *owner, const char *key, const char *bytes, size_t len)
{
	(void)bytes, (void)len;
	gc_owner_gone(owner, key + strlen(GC_PREFIX));
}

static struct sw_err namespace_ensure(struct sw_api *a, const char *name)
{
	struct sw_obj_key key = {"namespaces", "", name};
	json_t *o = NULL;
	struct sw_err e = sw_api_object_get(a, &key, &o);
	if (e.code == SW_E_MISSING) {
		o = sw_json_fmt("{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}", name);
		e = sw_api_object_create(a, "namespaces", o, NULL, NULL);
	}
	json_object_put(o);
	return e;
}

static void on_boot(void *owner, struct sw_err err, const struct sw_page *page)
{
	struct sw_api *a = owner;
	for (size_t i = 0; !sw_failed(err) && i < page->n; i++)
		if (strstr(page->items[i].bytes, "\"deletionTimestamp\":\""))
			gc_namespace(a, page->items[i].name);
	if (!sw_failed(err) && !page->last) {
		sw_store_list_next(a->gc->boot);
		return;
	}
	sw_store_list_free(a->gc->boot);
	a->gc->boot = NULL;
}

struct sw_err gc_start(struct sw_api *a)
{
	struct sw_list_cfg all = {.resource = "namespaces", .ns = ""};
	a->gc = sw_calloc(1, sizeof(*a->gc));
	a->gc->api = a;
	struct sw_err e = sw_reconciler_new(a->loop, "gc", on_key, a->gc, &a->gc->queue);
	if (!sw_failed(e))
		e = sw_store_notes(a->store, GC_PREFIX, on_note, a);
	if (!sw_failed(e))
		e = namespace_ensure(a, "default");
	if (!sw_failed(e))
		e = namespace_ensure(a, "kube-system");
	if (!sw_failed(e))
		e = sw_store_list(a->store, &all, on_boot, a, &a->gc->boot);
	return e;
}

void gc_stop(struct sw_api *a)
{
	struct gc *gc = a->gc;
	if (!gc)
		return;
	sw_store_list_free(gc->boot);
	if (gc->sweep) {
		sw_store_list_free(gc->sweep->list);
		free(gc->sweep);
	}
	sw_reconciler_free(gc->queue);
	struct recent *r, *next;
	HASH_ITER(hh, gc->recent, r, next)
	{
		HASH_DEL(gc->recent, r);
		free(r);
	}
	free(gc);
	a->gc = NULL;
}
