/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot.c - objects that a first start makes: nothing that decides anything
 *
 * What cannot be stored (the disk is full) is tried again until it is: nobody restarts us for it.
 */
#include <string.h>
#include "embedded_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { BOOT_AGAIN_MS = 1000 };

static void boot_again(struct emb *m, struct sw_err e)
{
	sw_log(WARN, "manager", "first objects could not be stored, trying again", "error=\"%s\"", e.text);
	sw_timer_in(m->boot_timer, BOOT_AGAIN_MS);
}

static void on_created(void *owner, struct sw_err err, json_t *object)
{
	struct emb *m = owner;

	(void)object;
	if (sw_failed(err) && err.code != SW_E_EXISTS && !m->closing)
		boot_again(m, err);
}

static struct sw_err create_absent(struct emb *m, json_t *o)
{
	const struct sw_resource *r = sw_resource_of(sw_json_str(o, "apiVersion") ? sw_json_str(o, "apiVersion") : "",
						     sw_json_str(o, "kind") ? sw_json_str(o, "kind") : "");
	const char *ns = sw_json_str(o, "metadata.namespace"), *name = sw_json_str(o, "metadata.name");
	struct sw_bytes *have = NULL;

	if (!r || !name)
		return sw_err(SW_E_INVALID, "bootstrap object %s %s: expected a kind that is served, and a name",
			      sw_json_str(o, "kind") ? sw_json_str(o, "kind") : "without kind",
			      name ? name : "without name");
	struct sw_obj_key key = {r->id, r->namespaced ? ns ? ns : "default" : "", name};
	struct sw_err e = sw_store_latest(m->store, &key, &have, NULL);

	sw_bytes_unref(have);
	if (e.code != SW_E_MISSING)
		return e;
	json_t *copy = sw_json_copy(o);

	if (r->namespaced)
		sw_json_set_str(copy, "metadata.namespace", key.ns);
	e = sw_api_object_create(m->api, r->id, copy, on_created, m);
	json_object_put(copy);
	return e.code == SW_E_EXISTS ? SW_OK : sw_err_wrap(e, "creating %s %s", r->kind, name);
}

static struct sw_err namespace_absent(struct emb *m, const char *name)
{
	json_t *o = sw_json_fmt("{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}", name);
	struct sw_err e = create_absent(m, o);

	json_object_put(o);
	return e;
}

/* The check that every Workload here waits for; shown as Active, as Kueue expects of a controller that lives. */
static struct sw_err check_ensure(struct emb *m)
{
	json_t *o = NULL;
	uint64_t rv = SW_RV_ABSENT;
	char now[32];
	struct sw_err e = emb_get(m, CHECKS, "", SW_CHECK_NAME, &o, &rv);

	if (sw_failed(e) && e.code != SW_E_MISSING)
		return e;
	e = SW_OK;
	if (!o) {
		o = sw_json_fmt("{\"apiVersion\":\"kueue.x-k8s.io/"
				"v1beta2\",\"kind\":\"AdmissionCheck\",\"metadata\":{\"name\":\"%s\"},"
				"\"spec\":{\"controllerName\":\"%s\"}}",
				SW_CHECK_NAME, CONTROLLER);
		emb_begin(m, o);
		rv = SW_RV_ABSENT;
	}
	emb_now(m, now);
	if (sw_json_set_condition(o, "Active", true, "Active", "The admission check is active", now))
		e = emb_put(m, CHECKS, o, rv, NULL);
	json_object_put(o);
	return e;
}

static struct sw_err make_objects(struct emb *m)
{
	struct sw_err e = namespace_absent(m, "default");

	if (!sw_failed(e))
		e = namespace_absent(m, "spillway-system");
	if (!sw_failed(e))
		e = check_ensure(m);
	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(m->bootstrap); i++)
		e = create_absent(m, sw_json_idx(m->bootstrap, i));
	return e;
}

static void boot_on_timer(void *owner)
{
	struct emb *m = owner;
	struct sw_err e = make_objects(m);

	if (sw_failed(e))
		boot_again(m, e);
}

struct sw_err boot_objects(struct emb *m, json_t *extra)
{
	m->bootstrap = json_object_get(extra);
	struct sw_err e = sw_timer_new(m->loop, boot_on_timer, m, &m->boot_timer);

	return sw_failed(e) ? e : make_objects(m);
}

void boot_free(struct emb *m)
{
	sw_timer_free(m->boot_timer);
	json_object_put(m->bootstrap);
}
