/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch.c - one Secret or ConfigMap of the user's, read when a job takes it along
 *
 * Nothing of it is kept. The right to read them is no part of the manager's role: a site grants it namespace by
 * namespace (config/kubernetes/mirror/companions), so a refusal says how.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "mirror_priv.h"
#include "spillway/text.h"

struct fetch {
	struct fetch *prev, *next;
	struct mir *m;
	struct sw_kube_call *call;
	sw_manager_fetch_fn *done;
	void *owner;
	char *ns;
};

static void fetch_free(struct fetch *f)
{
	DL_DELETE(f->m->fetches, f);
	sw_kube_cancel(f->call);
	free(f->ns);
	free(f);
}

static void on_fetched(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct fetch *f = owner;

	f->call = NULL;
	if (err.code == SW_E_FORBIDDEN)
		err = sw_err(SW_E_FORBIDDEN,
			     "the gateway may not read it on the manager (kubectl -n %s apply -k "
			     "config/kubernetes/mirror/companions)",
			     f->ns);
	else if (!sw_failed(err) && !reply->object)
		err = sw_err(SW_E_INVALID, "manager: the answer is no object");
	f->done(f->owner, err, sw_failed(err) ? NULL : reply->object);
	fetch_free(f);
}

struct sw_err mir_fetch(struct sw_manager *base, const char *resource, const char *ns, const char *name,
			sw_manager_fetch_fn *done, void *owner)
{
	struct mir *m = mir_of(base);
	struct fetch *f = sw_calloc(1, sizeof *f);
	struct sw_buf path;

	*f = (struct fetch){.m = m, .done = done, .owner = owner, .ns = sw_strdup(ns)};
	sw_buf_init(&path, 2048);
	sw_kube_path(&path, "", "v1", resource, ns, name, NULL);
	struct sw_kube_req req = {.cls = SW_KUBE_CREATE, .method = "GET", .path = path.at};
	struct sw_err e = sw_buf_ok(&path) ? sw_kube_start(m->kube, &req, on_fetched, f, &f->call)
					   : sw_err(SW_E_TOOBIG, "%s %s/%s: the name is too long", resource, ns, name);

	sw_buf_fini(&path);
	if (sw_failed(e)) {
		free(f->ns);
		free(f);
	} else {
		DL_APPEND(m->fetches, f);
	}
	return e;
}

void fetches_free(struct mir *m)
{
	struct fetch *f, *next;

	DL_FOREACH_SAFE(m->fetches, f, next)
	fetch_free(f);
}
