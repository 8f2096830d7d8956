/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssa.c - server-side apply, and who owns which field
 *
 * apply(manager, document):
 *   1. the fields that the document sets are the manager's new set
 *   2. merged = document onto the live object
 *   3. fields of the new set that change the live value and that another manager owns are conflicts; forced,
 *      they are taken over
 *   4. what the manager owned and no longer sets, and nobody else owns, is removed
 *   5. the manager's entry in metadata.managedFields gets the new set
 *
 * Source of the rules: kubernetes.io "Server-Side Apply"; structured-merge-diff v6 merge/update.go;
 * k8s.io/apimachinery v0.36.1 pkg/util/managedfields. Different on purpose: ownership is tracked from the first
 * apply on (see patch.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "patch_priv.h"
#include "spillway/text.h"
#include "ssa_priv.h"

enum { PATHS_SHOWN_MAX = 100, MANAGER_MAX = 128 };

struct apply {
	const struct sw_patch_request *req;
	struct place_type root;
	json_t *live, *merged;
	json_t *entries;   /* managedFields being edited: an array of our own */
	json_t *own;       /* what the document sets */
	json_t *changed;   /* of these, what differs from live */
	json_t *conflicts; /* array of {manager, text, set} */
};

/* ---- entries ----------------------------------------------------------------------------------- */

static bool same_sub(json_t *entry, const char *sub)
{
	const char *s = sw_json_str(entry, "subresource");

	return strcmp(s ? s : "", sub ? sub : "") == 0;
}

static bool is_entry(json_t *e, const char *manager, const char *operation, const char *sub)
{
	const char *m = sw_json_str(e, "manager"), *o = sw_json_str(e, "operation");

	return m && o && strcmp(m, manager) == 0 && strcmp(o, operation) == 0 && same_sub(e, sub);
}

static json_t *entry_find(json_t *entries, const char *manager, const char *operation, const char *sub)
{
	for (size_t i = 0; i < sw_json_len(entries); i++)
		if (is_entry(sw_json_idx(entries, i), manager, operation, sub))
			return sw_json_idx(entries, i);
	return NULL;
}

static void entry_set(json_t *e, json_t *set_taken, int64_t now_ms)
{
	char now[32];

	json_object_object_add(e, "fieldsType", json_object_new_string("FieldsV1"));
	json_object_object_add(e, "fieldsV1", set_taken);
	json_object_object_add(e, "time", json_object_new_string(sw_time_text(now_ms, now)));
}

static json_t *entry_add(json_t *entries, const struct sw_resource *r, const char *manager, const char *operation,
			 const char *sub)
{
	json_t *e = json_object_new_object();
	char version[96];

	json_object_object_add(e, "apiVersion", json_object_new_string(sw_resource_api_version(r, version)));
	json_object_object_add(e, "manager", json_object_new_string(manager));
	json_object_object_add(e, "operation", json_object_new_string(operation));
	if (sub && *sub)
		json_object_object_add(e, "subresource", json_object_new_string(sub));
	json_object_array_add(entries, e);
	return e;
}

/* Entries that own nothing any more go. */
static void entries_sweep(json_t *entries)
{
	for (size_t i = json_object_array_length(entries); i-- > 0;)
		if (set_empty(sw_json_key(json_object_array_get_idx(entries, i), "fieldsV1")))
			json_object_array_del_idx(entries, i, 1);
}

static bool is_valid_entry(json_t *e)
{
	const char *m = sw_json_str(e, "manager"), *o = sw_json_str(e, "operation");

	return m && o && (strcmp(o, "Apply") == 0 || strcmp(o, "Update") == 0) && sw_json_str(e, "apiVersion") &&
	       set_valid(sw_json_key(e, "fieldsV1"));
}

/* A list of whole entries; [] and [{}] are the ways to ask for a fresh start. */
static bool is_valid_list(json_t *entries)
{
	for (size_t i = 0; i < sw_json_len(entries); i++)
		if (!is_valid_entry(sw_json_idx(entries, i)))
			return false;
	return json_object_is_type(entries, json_type_array);
}

static bool is_reset(json_t *entries)
{
	json_t *first = sw_json_idx(entries, 0);

	if (!json_object_is_type(entries, json_type_array))
		return false;
	return json_object_array_length(entries) == 0 ||
	       (json_object_array_length(entries) == 1 && json_object_is_type(first, json_type_object) &&
		json_object_object_length(first) == 0);
}

/* ---- sets -------------------------------------------------------------------------------------- */

/* What nobody can own: identity, what the server sets, and the part that this endpoint does not write. */
static void strip(json_t *set, const struct sw_resource *r, const char *sub)
{
	static const char *const meta[] = {"f:name",
					   "f:namespace",
					   "f:creationTimestamp",
					   "f:selfLink",
					   "f:uid",
					   "f:generation",
					   "f:managedFields",
					   "f:resourceVersion",
					   "f:deletionTimestamp",
					   "f:deletionGracePeriodSeconds",
					   "f:generateName",
					   "."};
	json_t *m = sw_json_key(set, "f:metadata");
	bool status = sub && strcmp(sub, "status") == 0;

	json_object_object_del(set, "f:apiVersion");
	json_object_object_del(set, "f:kind");
	for (size_t i = 0; m && i < sizeof(meta) / sizeof(meta[0]); i++)
		json_object_object_del(m, meta[i]);
	if (m && (status || json_object_object_length(m) == 0))
		json_object_object_del(set, "f:metadata");
	if (!status && (r->subs & SW_SUB_STATUS))
		json_object_object_del(set, "f:status");
	if (!status)
		return;
	json_object_object_foreach(set, key, v)
	{
		(void)v;
		if (strcmp(key, "f:status") != 0)
			json_object_object_del(set, key);
	}
}

static json_t *fields_set_by(struct place_type root, json_t *o, const struct sw_resource *r, const char *sub)
{
	json_t *set = json_object_new_object();

	fields_of(root, o, set);
	strip(set, r, sub);
	return set;
}

/* The first apply: everything that is there belongs to somebody before. */
static void claim_for_before(struct apply *a)
{
	static const char csa[] = "kubectl.kubernetes.io/last-applied-configuration";
	const char *name = sw_json_annotation(a->live, csa) ? "kubectl-client-side-apply" : "before-first-apply";
	json_t *set = fields_set_by(a->root, a->live, a->req->r, NULL);

	if (!set_empty(set))
		entry_set(entry_add(a->entries, a->req->r, name, "Update", NULL), json_object_get(set), a->req->now_ms);
	json_object_put(set);
}

/* ---- conflicts --------------------------------------------------------------------------------- */

/* "kubectl" using batch/v1 */
static char *manager_text(json_t *entry)
{
	const char *sub = sw_json_str(entry, "subresource"), *op = sw_json_str(entry, "operation"),
		   *time = sw_json_str(entry, "time");
	bool update = op && strcmp(op, "Update") == 0 && time;

	return sw_asprintf("\"%s\"%s%s%s using %s%s%s", sw_json_str(entry, "manager"),
			   sub ? " with subresource \"" : "", sub ? sub : "", sub ? "\"" : "",
			   sw_json_str(entry, "apiVersion"), update ? " at " : "", update ? time : "");
}

static void find_conflicts(struct apply *a)
{
	a->conflicts = json_object_new_array();
	for (size_t i = 0; i < sw_json_len(a->entries); i++) {
		json_t *e = sw_json_idx(a->entries, i), *both, *c;
		char *text;

		if (is_entry(e, a->req->manager, "Apply", a->req->sub))
			continue;
		both = set_common(sw_json_key(e, "fieldsV1"), a->changed);
		if (set_empty(both)) {
			json_object_put(both);
			continue;
		}
		if (a->req->force) {
			set_minus(sw_json_key(e, "fieldsV1"), both);
			json_object_put(both);
			continue;
		}
		text = manager_text(e);
		c = json_object_new_object();
		json_object_object_add(c, "text", json_object_new_string(text));
		json_object_object_add(c, "set", both);
		json_object_array_add(a->conflicts, c);
		free(text);
	}
}

struct telling {
	json_t *status;
	struct sw_buf *b;
	const char *manager;
	size_t n;
	bool single;
};

static void tell_path(void *owner, const char *path)
{
	struct telling *t = owner;

	if (t->n++ >= PATHS_SHOWN_MAX)
		return;
	if (t->single)
		sw_buf_printf(t->b, " %s", path);
	else
		sw_buf_printf(t->b, "\n- %s", path);
	sw_status_cause(t->status, "FieldManagerConflict", path, "conflict with %s", t->manager);
}

static json_t *conflict_status(const struct apply *a)
{
	const struct sw_resource *r = a->req->r;
	size_t n = 0, managers = sw_json_len(a->conflicts);
	json_t *no = sw_status(SW_REASON_CONFLICT, "%s", "");
	struct sw_buf b;

	for (size_t i = 0; i < managers; i++)
		n += set_count(sw_json_key(sw_json_idx(a->conflicts, i), "set"));
	sw_buf_init(&b, 1 << 20);
	sw_buf_printf(&b, "Apply failed with %zu conflict%s: ", n, n == 1 ? "" : "s");
	for (size_t i = 0; i < managers; i++) {
		json_t *c = sw_json_idx(a->conflicts, i);
		struct telling t = {.status = no, .b = &b, .manager = sw_json_str(c, "text"), .single = n == 1};

		sw_buf_printf(&b, "%sconflict%s with %s:", i ? "\n" : "", n == 1 ? "" : "s", t.manager);
		set_paths(sw_json_key(c, "set"), tell_path, &t);
	}
	json_object_object_add(no, "message", json_object_new_string(b.at ? b.at : "Apply failed with conflicts"));
	sw_buf_fini(&b);
	sw_status_details(no, sw_json_str(a->live, "metadata.name"), r->group, r->plural);
	return no;
}

/* ---- apply ------------------------------------------------------------------------------------- */

/* What this manager no longer sets, unless somebody else owns it. */
static void prune_dropped(struct apply *a, json_t *before)
{
	json_t *gone, *kept;

	if (!before)
		return;
	gone = sw_json_copy(before);
	set_minus(gone, a->own);
	kept = sw_json_copy(a->own);
	for (size_t i = 0; i < sw_json_len(a->entries); i++) {
		json_t *e = sw_json_idx(a->entries, i);

		if (!is_entry(e, a->req->manager, "Apply", a->req->sub))
			set_union(kept, sw_json_key(e, "fieldsV1"));
	}
	if (!set_empty(gone))
		value_prune(a->root, a->merged, gone, kept);
	json_object_put(gone);
	json_object_put(kept);
}

static void own_entry(struct apply *a)
{
	const struct sw_patch_request *q = a->req;
	json_t *e = entry_find(a->entries, q->manager, "Apply", q->sub);

	if (e && json_object_equal(sw_json_key(e, "fieldsV1"), a->own))
		return; /* nothing new: the time stays, so that the same apply twice changes nothing */
	if (!e)
		e = entry_add(a->entries, q->r, q->manager, "Apply", q->sub);
	entry_set(e, json_object_get(a->own), q->now_ms);
}

/* Only what this endpoint writes takes part: status through its subresource, everything else beside it. */
static json_t *document_part(const struct sw_patch_request *q)
{
	json_t *doc = sw_json_copy(q->patch), *only, *status;

	if (!q->sub) {
		if (q->r->subs & SW_SUB_STATUS)
			json_object_object_del(doc, "status");
		return doc;
	}
	only = json_object_new_object();
	status = sw_json_key(doc, q->sub);
	if (status)
		json_object_object_add(only, q->sub, json_object_get(status));
	json_object_put(doc);
	return only;
}

static void take_version(struct apply *a)
{
	const char *rv = sw_json_str(a->req->patch, "metadata.resourceVersion"),
		   *uid = sw_json_str(a->req->patch, "metadata.uid");

	if (rv && *rv)
		sw_json_set_str(a->merged, "metadata.resourceVersion", rv);
	if (uid && *uid)
		sw_json_set_str(a->merged, "metadata.uid", uid);
}

static json_t *apply_run(struct apply *a, json_t *doc)
{
	const struct sw_patch_request *q = a->req;
	json_t *removed = json_object_new_object(), *before;

	a->merged = value_merge(a->root, sw_json_copy(a->live), doc);
	fields_diff(a->root, a->live, a->merged, a->changed, removed);
	json_object_put(removed);
	strip(a->changed, q->r, q->sub);
	find_conflicts(a);
	if (sw_json_len(a->conflicts))
		return conflict_status(a);
	before = sw_json_key(entry_find(a->entries, q->manager, "Apply", q->sub), "fieldsV1");
	prune_dropped(a, before);
	own_entry(a);
	entries_sweep(a->entries);
	take_version(a);
	sw_json_set(a->merged, "metadata.managedFields", json_object_get(a->entries));
	return NULL;
}

static json_t *check_request(const struct sw_patch_request *q)
{
	json_t *managed = sw_json_at(q->patch, "metadata.managedFields");

	if (!q->manager || !*q->manager)
		return sw_status(
			SW_REASON_BAD_REQUEST,
			"PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for "
			"apply patch");
	if (strlen(q->manager) > MANAGER_MAX)
		return sw_status(SW_REASON_BAD_REQUEST, "fieldManager is longer than %d bytes", MANAGER_MAX);
	if (managed && sw_json_len(managed))
		return sw_status(SW_REASON_BAD_REQUEST, "metadata.managedFields must be nil");
	return NULL;
}

static json_t *check_duplicates(struct place_type root, json_t *doc)
{
	json_t *no = NULL;
	struct sw_buf path;

	sw_buf_init(&path, 64 << 10);
	if (fields_duplicate(root, doc, &path))
		no = sw_status(SW_REASON_BAD_REQUEST, "failed to create typed patch object: %s",
			       path.at ? path.at : "duplicate entries");
	sw_buf_fini(&path);
	return no;
}

static void apply_fini(struct apply *a)
{
	json_object_put(a->merged);
	json_object_put(a->entries);
	json_object_put(a->own);
	json_object_put(a->changed);
	json_object_put(a->conflicts);
}

json_t *ssa_apply(const struct sw_schema *s, const struct sw_patch_request *req, json_t *current, json_t **out)
{
	struct apply a = {.req = req, .root.m = schema_message(s, req->r->message), .live = current};
	json_t *no = check_request(req), *doc, *managed;

	*out = NULL;
	if (!no)
		no = sw_object_decode(s, req->r, req->patch, req->dups, req->fields, req->warnings);
	if (!no)
		no = check_duplicates(a.root, req->patch);
	if (no)
		return no;
	doc = document_part(req);
	a.own = fields_set_by(a.root, doc, req->r, req->sub);
	a.changed = json_object_new_object();
	managed = current ? sw_json_at(current, "metadata.managedFields") : NULL;
	a.entries = managed && is_valid_list(managed) ? sw_json_copy(managed) : json_object_new_array();
	if (!current) {
		a.merged = json_object_get(doc);
		own_entry(&a);
		sw_json_set(a.merged, "metadata.managedFields", json_object_get(a.entries));
	} else {
		if (!managed || !is_valid_list(managed)) /* an empty list: tracked, and nobody owns anything */
			claim_for_before(&a);
		no = apply_run(&a, doc);
	}
	if (!no)
		*out = json_object_get(a.merged);
	json_object_put(doc);
	apply_fini(&a);
	return no;
}

/* ---- every other write ------------------------------------------------------------------------- */

/* Others lose what was changed or removed; the writer gains what it changed. */
static void entries_update(json_t *entries, const struct sw_resource *r, const char *sub, const char *manager,
			   json_t *changed, json_t *removed, int64_t now_ms)
{
	json_t *own = entry_find(entries, manager, "Update", sub), *set;

	for (size_t i = 0; i < json_object_array_length(entries); i++) {
		json_t *e = json_object_array_get_idx(entries, i);

		set_minus(sw_json_key(e, "fieldsV1"), removed);
		if (e != own)
			set_minus(sw_json_key(e, "fieldsV1"), changed);
	}
	if (!set_empty(changed)) {
		set = own ? sw_json_copy(sw_json_key(own, "fieldsV1")) : json_object_new_object();
		set_union(set, changed);
		if (!own)
			own = entry_add(entries, r, manager, "Update", sub);
		entry_set(own, set, now_ms);
	}
	entries_sweep(entries);
}

/* The list to go on from: the client's if it is whole, else the old object's. gives, or NULL: not tracked. */
static json_t *entries_of(json_t *fresh_list, json_t *old_list)
{
	if (fresh_list && is_reset(fresh_list))
		return NULL;
	if (sw_json_len(fresh_list) && is_valid_list(fresh_list))
		return sw_json_copy(fresh_list);
	return sw_json_len(old_list) && is_valid_list(old_list) ? sw_json_copy(old_list) : NULL;
}

void sw_managed_update(const struct sw_schema *s, const struct sw_resource *r, const char *sub, const char *manager,
		       json_t *fresh, json_t *old, int64_t now_ms)
{
	json_t *meta = sw_json_key(fresh, "metadata"), *mine = sw_json_key(meta, "managedFields");
	json_t *entries = entries_of(mine, old ? sw_json_at(old, "metadata.managedFields") : NULL), *changed, *removed;
	struct place_type root = {.m = schema_message(s, r->message)};

	if (!entries) {
		if (meta)
			json_object_object_del(meta, "managedFields");
		return;
	}
	changed = json_object_new_object();
	removed = json_object_new_object();
	if (old)
		fields_diff(root, old, fresh, changed, removed);
	strip(changed, r, sub);
	strip(removed, r, sub);
	entries_update(entries, r, sub, manager && *manager ? manager : "unknown", changed, removed, now_ms);
	if (json_object_array_length(entries))
		json_object_object_add(meta, "managedFields", entries);
	else {
		json_object_object_del(meta, "managedFields");
		json_object_put(entries);
	}
	json_object_put(changed);
	json_object_put(removed);
}
