/* SPDX-License-Identifier: Apache-2.0 */
/* inside.c - reads and writes of controllers in the same process, through the same pipeline as HTTP */
#include "api_priv.h"

#include <stdlib.h>
#include <string.h>
#include "spillway/log.h"
#include "spillway/text.h"

struct inside {
	struct write w;
	char *ns, *name;
};

static struct sw_err err_of(json_t *no)
{
	return sw_err_http(sw_status_code(no), sw_json_str(no, "reason"), sw_status_message(no));
}

static void inside_free(struct inside *in)
{
	write_fini(&in->w);
	free(in->ns);
	free(in->name);
	free(in);
}

static void inside_end(struct inside *in)
{
	struct write *w = &in->w;
	struct sw_err e = w->no ? err_of(w->no) : SW_OK;
	if (w->done)
		w->done(w->owner, e, w->no ? NULL : w->object);
	else if (sw_failed(e))
		sw_log(WARN, "api", "an inside write failed", "resource=%s name=%s error=\"%s\"", w->r->id, in->name,
		       e.text);
	inside_free(in);
}

static void on_finish(struct write *w)
{
	inside_end((struct inside *)(void *)w);
}

static void on_later(struct task *t)
{
	inside_end((struct inside *)(void *)((char *)t - offsetof(struct inside, w.later)));
}

static struct inside *inside_new(struct sw_api *a, const struct sw_resource *r, const char *ns, const char *name,
				 sw_object_fn *done, void *owner)
{
	struct inside *in = sw_calloc(1, sizeof(*in));
	in->ns = sw_strdup(ns ? ns : "");
	in->name = sw_strdup(name ? name : "");
	in->w = (struct write){.api = a,
			       .r = r,
			       .ns = in->ns,
			       .name = in->name,
			       .user = user_name_inside(),
			       .manager = "spillway",
			       .trusted = true,
			       .fields = SW_FIELDS_STRICT,
			       .want_object = done != NULL,
			       .finish = on_finish,
			       .done = done,
			       .owner = owner};
	return in;
}

/* After the pipeline: refused at once, waiting for a commit, or done with nothing to commit. */
static struct sw_err inside_settle(struct inside *in)
{
	struct write *w = &in->w;
	if (w->no) {
		struct sw_err e = err_of(w->no);
		inside_free(in);
		return e;
	}
	if (!w->pending) {
		w->later.run = on_later;
		api_later(w->api, &w->later);
	}
	return SW_OK;
}

static struct sw_err resource_find(const char *id, const struct sw_resource **out)
{
	*out = sw_resource_by_id(id);
	return *out ? SW_OK : sw_err(SW_E_INVALID, "resource \"%s\" is not in the table of served resources", id);
}

struct sw_err sw_api_object_get(struct sw_api *a, const struct sw_obj_key *key, json_t **out)
{
	struct sw_bytes *bytes = NULL;
	*out = NULL;
	struct sw_err e = sw_store_get(a->store, key, &bytes, NULL);
	if (!sw_failed(e))
		e = sw_json_parse(bytes->at, bytes->len, out);
	sw_bytes_unref(bytes);
	return e;
}

struct sw_err sw_api_object_create(struct sw_api *a, const char *resource, json_t *object, sw_object_fn *done,
				   void *owner)
{
	const struct sw_resource *r;
	struct sw_err e = resource_find(resource, &r);
	if (sw_failed(e))
		return e;
	struct inside *in = inside_new(a, r, sw_json_str(object, "metadata.namespace"),
				       sw_json_str(object, "metadata.name"), done, owner);
	json_t *copy = sw_json_copy(object);
	write_create(&in->w, copy);
	json_object_put(copy);
	return inside_settle(in);
}

struct sw_err sw_api_object_update(struct sw_api *a, const char *resource, json_t *object, const char *sub,
				   sw_object_fn *done, void *owner)
{
	const struct sw_resource *r;
	struct sw_err e = resource_find(resource, &r);
	if (sw_failed(e))
		return e;
	struct inside *in = inside_new(a, r, sw_json_str(object, "metadata.namespace"),
				       sw_json_str(object, "metadata.name"), done, owner);
	json_t *copy = sw_json_copy(object);
	in->w.sub = sub;
	write_update(&in->w, copy);
	json_object_put(copy);
	return inside_settle(in);
}

struct sw_err sw_api_object_delete(struct sw_api *a, const struct sw_obj_key *key, const char *uid, sw_object_fn *done,
				   void *owner)
{
	const struct sw_resource *r;
	struct sw_delete_options opt = {.grace_s = -1};
	struct sw_err e = resource_find(key->resource, &r);
	if (sw_failed(e))
		return e;
	if (uid)
		snprintf(opt.uid, sizeof(opt.uid), "%s", uid);
	struct inside *in = inside_new(a, r, key->ns, key->name, done, owner);
	write_delete(&in->w, &opt);
	return inside_settle(in);
}

struct sw_err sw_api_object_mirror(struct sw_api *a, const char *resource, json_t *object, sw_object_fn *done,
				   void *owner)
{
	const struct sw_resource *r;
	struct sw_err e = resource_find(resource, &r);
	if (sw_failed(e))
		return e;
	const char *ns = sw_json_str(object, "metadata.namespace"), *name = sw_json_str(object, "metadata.name");
	if (!name || !sw_is_subdomain(name) || (r->namespaced && (!ns || !sw_is_dns_label(ns))))
		return sw_err(SW_E_INVALID,
			      "%s: a mirrored object needs a valid name and namespace, found \"%s\" in \"%s\"",
			      resource, name ? name : "", ns ? ns : "");
	struct inside *in = inside_new(a, r, ns, name, done, owner);
	json_t *copy = sw_json_copy(object);
	write_mirror(&in->w, copy);
	json_object_put(copy);
	return inside_settle(in);
}
