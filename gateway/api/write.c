/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write.c - the one pipeline of writes: from HTTP (handle_write.c) and from inside (inside.c)
 *
 * A write starts from the newest state, in flight or not, so two writes of one object never race
 * here: the second is checked against the first. It is answered when it is durable.
 */
#include "api_priv.h"

#include <stdlib.h>
#include <string.h>
#include "spillway/log.h"
#include "spillway/text.h"

enum { OWNERS_MAX = 64 };

/* ---- results ------------------------------------------------------------------------- */

void write_refuse(struct write *w, json_t *no)
{
	SW_REQUIRE(!w->no && !w->pending);
	w->no = no;
}

void write_fini(struct write *w)
{
	json_object_put(w->no);
	json_object_put(w->object);
	json_object_put(w->answer);
	sw_bytes_unref(w->body);
	w->no = w->object = w->answer = NULL;
	w->body = NULL;
}

static void on_commit(void *owner, struct sw_err e, uint64_t rv)
{
	struct write *w = owner;
	(void)rv;
	w->pending = false;
	if (sw_failed(e)) {
		write_refuse(w, sw_status_of(e, w->r, w->name));
	} else {
		if (*w->gone_uid)
			gc_owner_gone(w->api, w->gone_uid);
		if (*w->gc_uid)
			gc_owner_gone(w->api, w->gc_uid);
	}
	w->finish(w);
}

/* ---- text --------------------------------------------------------------------------------- */

static void fields_write(struct sw_buf *b, json_t *o, const char *const *without)
{
	if (!o)
		return;
	json_object_object_foreach(o, key, value)
	{
		bool skip = false;
		for (size_t i = 0; without[i] && !skip; i++)
			skip = strcmp(key, without[i]) == 0;
		if (skip)
			continue;
		sw_buf_putc(b, ',');
		sw_buf_json_str(b, key);
		sw_buf_putc(b, ':');
		sw_buf_json(b, value);
	}
}

/* kind, apiVersion and metadata.resourceVersion come first, so that the digits' place is known. */
size_t object_split(struct sw_buf *b, json_t *o)
{
	static const char *const top[] = {"kind", "apiVersion", "metadata", NULL}, *const meta[] = {"resourceVersion",
												    NULL};
	sw_buf_puts(b, "{\"kind\":");
	sw_buf_json_str(b, sw_json_str(o, "kind"));
	sw_buf_puts(b, ",\"apiVersion\":");
	sw_buf_json_str(b, sw_json_str(o, "apiVersion"));
	sw_buf_puts(b, ",\"metadata\":{\"resourceVersion\":\"");
	size_t head = b->len;
	sw_buf_putc(b, '"');
	fields_write(b, sw_json_key(o, "metadata"), meta);
	sw_buf_putc(b, '}');
	fields_write(b, o, top);
	sw_buf_putc(b, '}');
	return head;
}

/* ---- the last step --------------------------------------------------------------------------- */

static void result_keep(struct write *w, const struct sw_obj_key *key, json_t *o, uint64_t rv)
{
	char digits[24];
	if (w->want_body && sw_failed(sw_store_latest(w->api->store, key, &w->body, NULL)))
		w->want_object = true; /* deleted: the object itself is the answer */
	if (!w->want_object)
		return;
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)rv);
	sw_json_set_str(o, "metadata.resourceVersion", digits);
	w->object = json_object_get(o);
}

static void owners_read(struct write *w, json_t *o, const char *owners[OWNERS_MAX + 1])
{
	json_t *refs = sw_json_at(o, "metadata.ownerReferences");
	size_t n = 0;
	for (size_t i = 0; i < sw_json_len(refs) && n < OWNERS_MAX; i++) {
		const char *uid = sw_json_str(sw_json_idx(refs, i), "uid");
		if (!uid)
			continue;
		owners[n++] = uid;
		if (gc_is_gone(w->api, uid))
			snprintf(w->gc_uid, sizeof(w->gc_uid), "%s", uid);
	}
	owners[n] = NULL;
}

static json_t *store_refusal(struct write *w, struct sw_err e, const struct sw_obj_key *key)
{
	struct sw_bytes *bytes = NULL;
	if (e.code == SW_E_CONFLICT)
		return sw_status_conflict(w->r, key->name, NULL);
	if (e.code == SW_E_MISSING)
		return sw_status_not_found(w->r, key->name);
	if (e.code != SW_E_EXISTS)
		return sw_status_of(e, w->r, key->name);
	bool going = !sw_failed(sw_store_latest(w->api->store, key, &bytes, NULL)) &&
		     strstr(bytes->at, "\"deletionTimestamp\":\"");
	sw_bytes_unref(bytes);
	return sw_status_exists(w->r, key->name, going);
}

static void dry_result(struct write *w, json_t *o)
{
	w->object = json_object_get(o);
}

void write_store(struct write *w, json_t *o, uint64_t expect_rv, bool is_delete)
{
	struct sw_api *a = w->api;
	const char *owners[OWNERS_MAX + 1];
	sw_resource_to_storage(w->r, o);
	const char *ns = sw_json_str(o, "metadata.namespace"), *name = sw_json_str(o, "metadata.name"),
		   *uid = sw_json_str(o, "metadata.uid");
	struct sw_put put = {.key = {sw_resource_storage(w->r)->id, ns ? ns : "", name},
			     .expect_rv = expect_rv,
			     .uid = uid ? uid : ""};
	uint64_t rv = 0;
	if (w->dry_run) {
		dry_result(w, o);
		return;
	}
	owners_read(w, o, owners);
	put.owner_uids = owners;
	sw_buf_reset(&a->scratch);
	put.head_len = object_split(&a->scratch, o);
	put.head = a->scratch.at;
	put.tail = a->scratch.at + put.head_len;
	put.tail_len = a->scratch.len - put.head_len;
	struct sw_err e = !sw_buf_ok(&a->scratch) ? sw_err(SW_E_NOMEM, "out of memory")
			  : is_delete             ? sw_store_delete(a->store, &put, on_commit, w, &rv)
						  : sw_store_put(a->store, &put, on_commit, w, &rv);
	if (sw_failed(e)) {
		write_refuse(w, store_refusal(w, e, &put.key));
		return;
	}
	w->pending = true;
	if (is_delete && uid)
		snprintf(w->gone_uid, sizeof(w->gone_uid), "%s", uid);
	result_keep(w, &put.key, o, rv);
}

/* ---- shared checks --------------------------------------------------------------------------------- */

static json_t *namespace_check(struct write *w, const char *name)
{
	struct sw_obj_key key = {"namespaces", "", w->ns};
	struct sw_bytes *bytes = NULL;
	json_t *no = NULL;
	if (!w->r->namespaced)
		return NULL;
	struct sw_err e = sw_store_latest(w->api->store, &key, &bytes, NULL);
	if (e.code == SW_E_MISSING)
		no = sw_status_namespace_missing(w->ns);
	else if (sw_failed(e))
		no = sw_status_of(e, w->r, name);
	else if (strstr(bytes->at, "\"deletionTimestamp\":\""))
		no = sw_status(
			SW_REASON_FORBIDDEN,
			"%s \"%s\" is forbidden: unable to create new content in namespace %s because it is being "
			"terminated",
			w->r->id, name ? name : "", w->ns);
	sw_bytes_unref(bytes);
	return no;
}

/* The text of the error begins with the path: "spec.x: found ...". */
static json_t *hook_refusal(struct write *w, json_t *o, struct sw_err e)
{
	const char *name = sw_json_str(o, "metadata.name");
	size_t n = strcspn(e.text, ": ");
	bool has_path = e.text[n] == ':' && n > 0;
	json_t *no = sw_status(SW_REASON_INVALID, "%s%s%s \"%s\" is invalid: %s", w->r->kind, *w->r->group ? "." : "",
			       w->r->group, name ? name : "", e.text);
	sw_status_details(no, name, w->r->group, w->r->kind);
	if (!has_path) {
		sw_status_cause(no, "FieldValueInvalid", "", "%s", e.text);
		return no;
	}
	e.text[n] = '\0';
	const char *why = e.text + n + 1;
	sw_status_cause(no, "FieldValueInvalid", e.text, "%s", why + strspn(why, " "));
	return no;
}

static json_t *admit(struct write *w, json_t *o, json_t *old)
{
	const struct sw_api_options *opt = &w->api->opt;
	for (size_t i = 0; i < opt->n_admit; i++) {
		char warn[256] = "";
		if (strcmp(opt->admit[i].resource, w->r->id) != 0 || (w->sub && !opt->admit[i].status_too))
			continue;
		struct sw_err e = opt->admit[i].check(opt->owner, o, old, w->user, warn);
		if (*warn && w->warnings)
			json_object_array_add(w->warnings, json_object_new_string(warn));
		if (!sw_failed(e))
			continue;
		return e.code == SW_E_INVALID ? hook_refusal(w, o, e)
					      : sw_status_of(e, w->r, sw_json_str(o, "metadata.name"));
	}
	return NULL;
}

void current_fini(struct current *c)
{
	json_object_put(c->object);
	sw_bytes_unref(c->bytes);
	*c = (struct current){.object = NULL};
}

bool write_current(struct write *w, struct current *out)
{
	struct sw_obj_key key = {sw_resource_storage(w->r)->id, w->ns, w->name};
	*out = (struct current){.object = NULL};
	struct sw_err e = sw_store_latest(w->api->store, &key, &out->bytes, &out->rv);
	if (!sw_failed(e))
		e = sw_json_parse(out->bytes->at, out->bytes->len, &out->object);
	if (!sw_failed(e)) {
		sw_resource_from_storage(w->r, out->object);
		return true;
	}
	write_refuse(w, e.code == SW_E_MISSING ? sw_status_not_found(w->r, w->name) : sw_status_of(e, w->r, w->name));
	current_fini(out);
	return false;
}

/* The client's resourceVersion, if it names one, must be the newest. */
static json_t *version_check(struct write *w, json_t *fresh, uint64_t rv)
{
	const char *named = sw_json_str(fresh, "metadata.resourceVersion");
	char *end = NULL;
	if (!named || !*named || strcmp(named, "0") == 0)
		return NULL;
	uint64_t n = strtoull(named, &end, 10);
	return *end || n != rv ? sw_status_conflict(w->r, w->name, NULL) : NULL;
}

/* ---- create --------------------------------------------------------------------------------------------- */

static json_t *object_begin(struct write *w, json_t *o)
{
	char uid[37], suffix[6];
	struct sw_begin b = {.ns = w->r->namespaced ? w->ns : "",
			     .uid = sw_uuid(uid),
			     .suffix = sw_random_suffix(suffix),
			     .now_ms = sw_loop_wall(w->api->loop)};
	return sw_object_begin(w->r, o, &b);
}

/* o is decoded. applied: managedFields were set by a server-side apply. */
static void create_decoded(struct write *w, json_t *o, bool applied)
{
	const struct sw_schema *s = w->api->schema;
	json_t *fields = applied ? json_object_get(sw_json_at(o, "metadata.managedFields")) : NULL;
	json_t *no = namespace_check(w, sw_json_str(o, "metadata.name"));
	if (!no)
		no = object_begin(w, o);
	if (!no) {
		if (fields)
			sw_json_set(o, "metadata.managedFields", json_object_get(fields));
		else
			sw_managed_update(s, w->r, w->sub, w->manager, o, NULL, sw_loop_wall(w->api->loop));
		sw_object_default(s, w->r, o);
		no = sw_object_validate(s, w->r, NULL, o, NULL);
	}
	if (!no)
		no = admit(w, o, NULL);
	json_object_put(fields);
	w->code = 201;
	if (no)
		write_refuse(w, no);
	else
		write_store(w, o, SW_RV_ABSENT, false);
}

void write_create(struct write *w, json_t *o)
{
	json_t *no = sw_object_decode(w->api->schema, w->r, o, w->dups, w->fields, w->warnings);
	if (no)
		write_refuse(w, no);
	else
		create_decoded(w, o, false);
}

/* ---- update ----------------------------------------------------------------------------------------------- */

static bool is_finished(json_t *o)
{
	return sw_json_str(o, "metadata.deletionTimestamp") && sw_json_len(sw_json_at(o, "metadata.finalizers")) == 0;
}

/* Nothing changed. A state that is still in flight is written once more: the answer must not come before it is durable.
 */
static void keep_current(struct write *w, struct current *c)
{
	if (w->want_body)
		w->body = sw_bytes_ref(c->bytes);
	if (w->want_object) {
		sw_resource_to_storage(w->r, c->object);
		w->object = json_object_get(c->object);
	}
}

/* fresh is decoded and replaces c's object. */
static void update_decoded(struct write *w, json_t *fresh, struct current *c, bool applied)
{
	const struct sw_schema *s = w->api->schema;
	w->code = 200;
	json_t *no = version_check(w, fresh, c->rv);
	if (!no)
		no = sw_object_carry(s, w->r, w->sub, fresh, c->object);
	if (!no) {
		sw_object_default(s, w->r, fresh);
		if (!applied)
			sw_managed_update(s, w->r, w->sub, w->manager, fresh, c->object, sw_loop_wall(w->api->loop));
		no = sw_object_validate(s, w->r, w->sub, fresh, c->object);
	}
	if (!no)
		no = admit(w, fresh, c->object);
	if (no)
		write_refuse(w, no);
	else if (is_finished(fresh) && strcmp(w->r->id, "namespaces") != 0)
		write_store(w, fresh, c->rv, true);
	else if (c->rv <= sw_store_rv(w->api->store) && sw_object_same(fresh, c->object))
		keep_current(w, c);
	else
		write_store(w, fresh, c->rv, false);
}

void write_update(struct write *w, json_t *fresh)
{
	struct current c;
	if (!write_current(w, &c))
		return;
	json_t *no = sw_object_decode(w->api->schema, w->r, fresh, w->dups, w->fields, w->warnings);
	if (no)
		write_refuse(w, no);
	else
		update_decoded(w, fresh, &c, false);
	current_fini(&c);
}

/* ---- patch -------------------------------------------------------------------------------------------------- */

static void apply_new(struct write *w, const struct sw_patch_request *req)
{
	json_t *fresh = NULL, *no = sw_patch(w->api->schema, req, NULL, &fresh);
	if (!no && !sw_json_str(fresh, "metadata.name"))
		sw_json_set_str(fresh, "metadata.name", w->name);
	if (!no && strcmp(sw_json_str(fresh, "metadata.name"), w->name) != 0)
		no = sw_status(SW_REASON_BAD_REQUEST,
			       "the name of the object (%s) does not match the name on the URL (%s)",
			       sw_json_str(fresh, "metadata.name"), w->name);
	if (no)
		write_refuse(w, no);
	else
		create_decoded(w, fresh, true);
	json_object_put(fresh);
}

void write_patch(struct write *w, enum sw_patch_type type, json_t *patch, bool force)
{
	struct sw_patch_request req = {.r = w->r,
				       .sub = w->sub,
				       .type = type,
				       .patch = patch,
				       .dups = w->dups,
				       .fields = w->fields,
				       .warnings = w->warnings,
				       .manager = w->manager,
				       .force = force,
				       .now_ms = sw_loop_wall(w->api->loop)};
	struct current c;
	json_t *fresh = NULL;
	if (!write_current(w, &c)) {
		if (type != SW_PATCH_APPLY || w->sub || sw_status_code(w->no) != 404)
			return;
		json_object_put(w->no);
		w->no = NULL;
		apply_new(w, &req);
		return;
	}
	json_t *no = sw_patch(w->api->schema, &req, c.object, &fresh);
	if (no)
		write_refuse(w, no);
	else
		update_decoded(w, fresh, &c, type == SW_PATCH_APPLY);
	json_object_put(fresh);
	current_fini(&c);
}

/* ---- mirror --------------------------------------------------------------------------------------------------- */

static void mirror_identity(struct write *w, json_t *o, json_t *old)
{
	char uid[37], now[32];
	const char *old_uid = sw_json_str(old, "metadata.uid"),
		   *old_time = sw_json_str(old, "metadata.creationTimestamp");
	sw_json_set_str(o, "kind", w->r->kind);
	sw_json_set_str(o, "apiVersion", sw_resource_api_version(w->r, (char[96]){0}));
	if (old_uid)
		sw_json_set_str(o, "metadata.uid", old_uid);
	else if (!sw_json_str(o, "metadata.uid"))
		sw_json_set_str(o, "metadata.uid", sw_uuid(uid));
	if (!sw_json_str(o, "metadata.creationTimestamp"))
		sw_json_set_str(o, "metadata.creationTimestamp",
				old_time ? old_time : sw_time_text(sw_loop_wall(w->api->loop), now));
}

/* Creates or replaces as given: what is copied from elsewhere was checked there. */
void write_mirror(struct write *w, json_t *o)
{
	struct current c;
	bool there = write_current(w, &c);
	if (!there && sw_status_code(w->no) != 404)
		return;
	if (!there) {
		json_object_put(w->no);
		w->no = namespace_check(w, w->name);
		if (w->no)
			return;
	}
	mirror_identity(w, o, c.object);
	w->code = there ? 200 : 201;
	if (there && c.rv <= sw_store_rv(w->api->store) && sw_object_same(o, c.object))
		keep_current(w, &c);
	else
		write_store(w, o, there ? c.rv : SW_RV_ABSENT, false);
	current_fini(&c);
}
