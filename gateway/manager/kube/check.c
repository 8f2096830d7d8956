/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - our AdmissionChecks: which they are, and that their condition Active stays true
 *
 * Kueue lets nothing into a ClusterQueue whose check is not Active, and only the check's controller may say so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "mirror_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

#define MULTIKUEUE "kueue.x-k8s.io/multikueue"

static struct check_name *find(const struct mir *m, const char *name)
{
	struct check_name *c;

	HASH_FIND_STR(m->checks, name, c);
	return c;
}

bool check_is_ours(const struct mir *m, const char *name)
{
	struct check_name *c = find(m, name);

	return c && c->ours;
}

bool check_is_multikueue(const struct mir *m, const char *name)
{
	struct check_name *c = find(m, name);

	return c && c->multikueue;
}

/* ---- Active ------------------------------------------------------------------------------------ */

struct wait_call { /* one request about one key of a reconciler */
	struct wait_call *prev, *next;
	struct mir *m;
	struct sw_kube_call *call;
	char key[];
};

static void on_active(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct wait_call *c = owner;
	struct mir *m = c->m;

	(void)reply;
	if (sw_failed(err) && sw_err_retry(err.code) != SW_RETRY_TERMINAL && sw_err_retry(err.code) != SW_RETRY_NOW)
		sw_reconciler_fail(m->check_queue, c->key, sw_err_wrap(err, "admission check %s", c->key));
	else
		sw_reconciler_done(m->check_queue, c->key, sw_failed(err) ? 1000 : 0);
	if (!sw_failed(err))
		sw_log(INFO, "manager", "admission check is active", "check=%s", c->key);
	DL_DELETE(m->calls, c);
	free(c);
}

static void active_body(struct mir *m, const struct check_name *known, struct sw_buf *b)
{
	char now[32];

	mir_now(m, now);
	sw_buf_printf(b,
		      "{\"metadata\":{\"resourceVersion\":\"%s\"},\"status\":{\"conditions\":[{\"type\":\"Active\","
		      "\"status\":\"True\",\"reason\":\"Active\",\"message\":\"The admission check is active\","
		      "\"observedGeneration\":%lld,\"lastTransitionTime\":\"%s\"}",
		      known->rv, (long long)known->generation, now);
	if (*known->others)
		sw_buf_printf(b, ",%s", known->others);
	sw_buf_puts(b, "]}}");
}

static void reconcile(void *owner, const char *name)
{
	struct mir *m = owner;
	struct check_name *known = find(m, name);
	struct sw_buf path, body;
	struct wait_call *c;

	if (!known || !known->ours || known->active || !mir_may_write(m)) {
		sw_reconciler_done(m->check_queue, name, 0);
		return;
	}
	c = sw_calloc(1, sizeof(*c) + strlen(name) + 1);
	c->m = m;
	memcpy(c->key, name, strlen(name) + 1);
	DL_APPEND(m->calls, c);
	sw_buf_init(&path, 2048);
	sw_buf_init(&body, 64 << 10);
	sw_kube_path(&path, CHECK_API, NULL, name, "status");
	active_body(m, known, &body);
	struct sw_kube_req req = {.cls = SW_KUBE_STATUS,
				  .method = "PATCH",
				  .path = path.at,
				  .content_type = SW_MERGE_PATCH,
				  .body = body.at,
				  .body_len = body.len};
	struct sw_err e = sw_kube_start(m->kube, &req, on_active, c, &c->call);

	sw_buf_fini(&path);
	sw_buf_fini(&body);
	if (sw_failed(e)) {
		DL_DELETE(m->calls, c);
		free(c);
		sw_reconciler_fail(m->check_queue, name, e);
	}
}

/* ---- following them --------------------------------------------------------------------------------- */

static void check_free(struct mir *m, struct check_name *c)
{
	HASH_DEL(m->checks, c);
	free(c->others);
	free(c);
}

/* The other conditions as the members of a list. gives. */
static char *others_of(json_t *object)
{
	json_t *list = sw_json_at(object, "status.conditions");
	struct sw_buf b;
	char *text;

	sw_buf_init(&b, 32 << 10);
	for (size_t i = 0; i < sw_json_len(list); i++) {
		const char *type = sw_json_str(sw_json_idx(list, i), "type");

		if (!type || strcmp(type, "Active") == 0)
			continue;
		sw_buf_puts(&b, b.len ? "," : "");
		sw_buf_json(&b, sw_json_idx(list, i));
	}
	text = sw_buf_ok(&b) && b.len ? sw_buf_take(&b, NULL) : sw_strdup("");
	sw_buf_fini(&b);
	return text;
}

static struct check_name *check_new(struct mir *m, const char *name, json_t *o)
{
	const char *controller = sw_json_str(o, "spec.controllerName"),
		   *rv = sw_json_str(o, "metadata.resourceVersion"), *uid = sw_json_str(o, "metadata.uid");
	struct check_name *c = sw_calloc(1, sizeof(*c) + strlen(name) + 1);

	memcpy(c->name, name, strlen(name) + 1);
	c->multikueue = controller && strcmp(controller, MULTIKUEUE) == 0;
	c->ours = controller && strcmp(controller, CONTROLLER) == 0 &&
		  (!*m->opt.check || strcmp(m->opt.check, name) == 0);
	c->active = sw_json_condition_true(o, "Active");
	c->generation = sw_json_int(o, "metadata.generation", 1);
	snprintf(c->rv, sizeof(c->rv), "%s", rv ? rv : "");
	snprintf(c->uid, sizeof(c->uid), "%s", uid ? uid : "");
	c->others = others_of(o);
	HASH_ADD_STR(m->checks, name, c);
	return c;
}

void check_on_object(struct mir *m, enum sw_obj_event ev, const char *name, json_t *object)
{
	struct check_name *old = find(m, name), *now = NULL;
	bool was = old && old->ours;

	if (old)
		check_free(m, old);
	if (ev == SW_OBJ_PUT)
		now = check_new(m, name, object);
	if (was != (now && now->ours)) {
		sw_log(INFO, "manager", "admission check", "check=%s ours=%s", name, was ? "no" : "yes");
		feeds_list_workloads(m);
	}
	if (now && now->ours)
		sw_reconciler_add(m->check_queue, name);
}

void checks_look(struct mir *m)
{
	struct check_name *c, *next;

	HASH_ITER(hh, m->checks, c, next)
	sw_reconciler_add(m->check_queue, c->name);
}

struct sw_err checks_open(struct mir *m)
{
	return sw_reconciler_new(m->loop, "admission checks", reconcile, m, &m->check_queue);
}

void checks_close(struct mir *m)
{
	struct check_name *c, *next;

	while (m->calls) {
		struct wait_call *call = m->calls;

		sw_kube_cancel(call->call);
		DL_DELETE(m->calls, call);
		free(call);
	}
	HASH_ITER(hh, m->checks, c, next)
	check_free(m, c);
	sw_reconciler_free(m->check_queue);
}
