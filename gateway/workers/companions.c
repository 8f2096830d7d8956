/* SPDX-License-Identifier: Apache-2.0 */
/*
 * companions.c - a Secret or ConfigMap that goes along with a job
 *
 * POST, owned by the copy of the job; if it is there already and ours, a PATCH of its contents that adds the copy to
 * its owners, so that it stays as long as any of them. The cluster's garbage collection removes it with the last one.
 * An object of that name that is not ours is what the site put there: it is used and left alone.
 */
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

enum { COMPANION_MAX = 2 << 20 };

static struct sw_err companion_send(struct act *a, const char *method, const char *type, struct sw_buf *body)
{
	const struct sw_need_type *t = sw_need_type(a->need);
	struct sw_buf path;

	sw_buf_init(&path, 2048);
	sw_kube_path(&path, t->group, t->version, t->plural, a->ns, strcmp(method, "POST") == 0 ? NULL : a->name, NULL);
	struct sw_err e = act_send(a, SW_KUBE_CREATE, method, &path, type, body);
	sw_buf_fini(&path);
	return e;
}

static json_t *owner_of(const struct copy_row *row)
{
	json_t *o = json_object_new_object();
	char *version = sw_asprintf("%s%s%s", row->kind->group, *row->kind->group ? "/" : "", row->kind->version);

	sw_json_set_str(o, "apiVersion", version);
	sw_json_set_str(o, "kind", row->kind->kind);
	sw_json_set_str(o, "name", row->name);
	sw_json_set_str(o, "uid", row->uid);
	free(version);
	return o;
}

/* Contents only: what else the manager's object carries is the manager's. */
static json_t *companion_build(struct sw_worker *w, const struct act *a, const struct copy_row *row, json_t *from)
{
	static const char *const fields[] = {"type", "data", "binaryData", "immutable"};
	const struct sw_need_type *t = sw_need_type(a->need);
	json_t *o = json_object_new_object(), *owners = json_object_new_array();

	sw_json_set_str(o, "apiVersion", t->version);
	sw_json_set_str(o, "kind", t->word);
	sw_json_set_str(o, "metadata.name", a->name);
	sw_json_set_label(o, SW_LABEL_ORIGIN, w->ws->origin);
	json_object_array_add(owners, owner_of(row));
	json_object_object_add(sw_json_key(o, "metadata"), "ownerReferences", owners);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (sw_json_key(from, fields[i]))
			json_object_object_add(o, fields[i], sw_json_copy(sw_json_key(from, fields[i])));
	return o;
}

static void on_patched(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	(void)reply;
	act_end(a, err);
}

static bool owns(json_t *owners, json_t *owner)
{
	for (size_t i = 0; i < sw_json_len(owners); i++) {
		const char *uid = sw_json_str(sw_json_idx(owners, i), "uid");
		if (uid && strcmp(uid, sw_json_str(owner, "uid")) == 0)
			return true;
	}
	return false;
}

/* Ours, of an earlier job: the contents are renewed, and it stays for this one too. */
static struct sw_err renew(struct act *a, json_t *found)
{
	json_t *mine = sw_json_at(a->object, "metadata.ownerReferences"), *owner = sw_json_idx(mine, 0);
	json_t *owners = sw_json_copy(sw_json_at(found, "metadata.ownerReferences"));
	struct sw_buf body;

	if (!json_object_is_type(owners, json_type_array)) {
		json_object_put(owners);
		owners = json_object_new_array();
	}
	if (!owns(owners, owner))
		json_object_array_add(owners, json_object_get(owner));
	json_object_object_add(sw_json_key(a->object, "metadata"), "ownerReferences", owners);
	sw_json_set_str(a->object, "metadata.resourceVersion", sw_json_str(found, "metadata.resourceVersion"));
	sw_json_set_str(a->object, "metadata.uid", sw_json_str(found, "metadata.uid"));
	sw_buf_init(&body, COMPANION_MAX);
	sw_buf_json(&body, a->object);
	a->on_reply = on_patched;
	struct sw_err e = companion_send(a, "PATCH", SW_MERGE_PATCH, &body);
	sw_buf_fini(&body);
	return e;
}

static void on_found(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	const char *origin = reply->object ? sw_json_label(reply->object, SW_LABEL_ORIGIN) : NULL;

	if (err.code == SW_E_MISSING) /* it was being removed: the next look makes it anew */
		act_end(a, sw_err(SW_E_BUSY, "cluster %s: %s %s/%s was there and is gone", a->w->cfg->name,
				  sw_need_type(a->need)->word, a->ns, a->name));
	else if (sw_failed(err) || !origin || strcmp(origin, a->w->ws->origin) != 0)
		act_end(a, err); /* the site's own: used as it is */
	else
		act_went_on(a, renew(a, reply->object));
}

static void on_posted(struct act *a, struct sw_err err, const struct sw_kube_reply *reply)
{
	(void)reply;
	if (err.code != SW_E_EXISTS) {
		act_end(a, err);
		return;
	}
	a->on_reply = on_found;
	act_went_on(a, companion_send(a, "GET", NULL, NULL));
}

struct sw_err sw_worker_companion(struct sw_worker *w, const struct sw_kind *kind, const char *ns, const char *name,
				  const struct sw_companion *c, json_t *object, sw_worker_fn *done, void *owner)
{
	const struct copy_row *row = copy_find(w, kind, ns, name);
	struct sw_buf body;

	if (!row || !row->uid || row->gone)
		return sw_err(SW_E_BUSY, "cluster %s: the copy of %s/%s is not seen yet", w->cfg->name, ns, name);
	if (w->claim.state != SW_CLAIM_OURS)
		return sw_err(SW_E_BUSY, "cluster %s is not known to be ours", w->cfg->name);
	struct act *a = act_about(w, kind, ns, c->name, done, owner);
	a->need = c->kind;
	a->object = companion_build(w, a, row, object);
	sw_buf_init(&body, COMPANION_MAX);
	sw_buf_json(&body, a->object);
	a->on_reply = on_posted;
	struct sw_err e = act_begun(a, companion_send(a, "POST", NULL, &body));
	sw_buf_fini(&body);
	return e;
}
