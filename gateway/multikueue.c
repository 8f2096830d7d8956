/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multikueue.c - a manager's MultiKueueClusters as clusters of ours (manager.import_multikueue)
 *
 * So that a site with MultiKueue moves over without a second list of its workers. A cluster counts that a
 * MultiKueueConfig names, as for MultiKueue itself. Both kinds are watched; the Secret with a cluster's kubeconfig is
 * read again and again instead: watching Secrets takes the right to read all of Kueue's. What the Secret says may not
 * name files or programs here. A cluster of the configuration wins over one of the same name.
 *
 * Source of the fields: kueue v0.19.2, apis/kueue/v1beta2/multikueue_types.go.
 */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "gateway_priv.h"
#include "spillway/mirror.h"
#include "spillway/text.h"

enum { SETTLE_MS = 100, AGAIN_MS = 10 * 1000, SECRET_MAX = 1 << 20 };
#define KUEUE_NS "kueue-system" /* where Kueue looks for these Secrets */

struct row { /* a MultiKueueCluster that is wanted */
	UT_hash_handle hh;
	struct multikueue *of;
	char *secret; /* its name; NULL: it has none that we could read */
	struct sw_kube_call *call;
	char said[300];
	char name[];
};

enum { CONFIGS, CLUSTERS, FEEDS };
struct feed {
	struct multikueue *of;
	struct sw_reflector *reflector;
	json_t *objects; /* by name */
	bool synced;     /* once: what was known holds while the manager is out of sight */
};

struct multikueue {
	struct sw_gateway *g;
	struct sw_kube *kube;
	struct feed feeds[FEEDS];
	struct row *rows;
	struct sw_timer *timer;
};

static void say(struct row *r, const char *why)
{
	if (*why && strcmp(r->said, why) != 0)
		sw_log(WARN, "gateway", "a MultiKueueCluster is not taken over", "cluster=%s why=\"%s\"", r->name, why);
	sw_cut(r->said, sizeof r->said, why);
}

/* ---- its Secret -------------------------------------------------------------------------- */

static void on_secret(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct row *r = owner;
	unsigned char *bytes = NULL;
	size_t len = 0;
	r->call = NULL;
	const char *data = sw_failed(err) ? NULL : json_object_get_string(sw_json_at(reply->object, "data.kubeconfig"));
	if (!sw_failed(err) && !data)
		err = sw_err(SW_E_INVALID, "Secret " KUEUE_NS "/%s has no key \"kubeconfig\"", r->secret);
	if (!sw_failed(err) && data)
		err = sw_base64_decode(data, strlen(data), &bytes, &len);
	if (!sw_failed(err))
		err = gateway_clusters_put(r->of->g, r->name, (const char *)bytes, len);
	say(r, err.text);
	free(bytes);
}

static void secret_read(struct row *r)
{
	struct sw_buf path;
	if (!r->secret || r->call)
		return;
	sw_buf_init(&path, 1024);
	sw_kube_path(&path, "", "v1", "secrets", KUEUE_NS, r->secret, NULL);
	struct sw_kube_req req = {.cls = SW_KUBE_LIST, .method = "GET", .path = path.at, .max_reply = SECRET_MAX};
	struct sw_err e = sw_kube_start(r->of->kube, &req, on_secret, r, &r->call);
	if (sw_failed(e))
		say(r, e.text);
	sw_buf_fini(&path);
}

/* ---- which ones -------------------------------------------------------------------------------- */

static void row_free(struct row *r)
{
	if (r->call)
		sw_kube_cancel(r->call);
	HASH_DEL(r->of->rows, r);
	free(r->secret);
	free(r);
}

static struct row *row_get(struct multikueue *m, const char *name)
{
	struct row *r;
	HASH_FIND_STR(m->rows, name, r);
	if (r)
		return r;
	r = sw_calloc(1, sizeof *r + strlen(name) + 1);
	memcpy(r->name, name, strlen(name) + 1);
	r->of = m;
	HASH_ADD_STR(m->rows, name, r);
	return r;
}

static bool is_named(const struct multikueue *m, const char *cluster)
{
	json_object_object_foreach(m->feeds[CONFIGS].objects, name, config)
	{
		json_t *list = sw_json_at(config, "spec.clusters");
		(void)name;
		for (size_t i = 0; i < sw_json_len(list); i++) {
			const char *one = json_object_get_string(sw_json_idx(list, i));
			if (one && strcmp(one, cluster) == 0)
				return true;
		}
	}
	return false;
}

static void row_look(struct row *r, json_t *cluster)
{
	const char *where = sw_json_str(cluster, "spec.clusterSource.kubeConfig.location"),
		   *type = sw_json_str(cluster, "spec.clusterSource.kubeConfig.locationType");
	bool readable = where && (!type || strcmp(type, "Secret") == 0);
	free(r->secret);
	r->secret = readable ? sw_strdup(where) : NULL;
	if (!sw_is_dns_label(r->name))
		say(r, "its name has other than lower-case letters, digits and '-': `spillway cluster add` adds it "
		       "under another");
	else if (readable)
		secret_read(r);
	else
		say(r, where ? "its kubeconfig is a file in Kueue's container: `spillway cluster add NAME --from "
			       "KUBECONFIG` adds it"
			     : "it names no kubeconfig: `spillway cluster add NAME --from KUBECONFIG` adds it");
}

static void on_timer(void *owner)
{
	struct multikueue *m = owner;
	struct row *r, *next;
	sw_timer_in(m->timer, AGAIN_MS);
	if (!m->feeds[CONFIGS].synced || !m->feeds[CLUSTERS].synced)
		return;
	HASH_ITER(hh, m->rows, r, next)
	{
		if (sw_json_key(m->feeds[CLUSTERS].objects, r->name) && is_named(m, r->name))
			continue;
		gateway_clusters_take(m->g, r->name);
		row_free(r);
	}
	json_object_object_foreach(m->feeds[CLUSTERS].objects, name, cluster)
	{
		if (is_named(m, name))
			row_look(row_get(m, name), cluster);
	}
}

static void on_object(void *owner, enum sw_obj_event ev, const char *key, json_t *object)
{
	struct feed *f = owner;
	if (ev == SW_OBJ_GONE)
		json_object_object_del(f->objects, key);
	else
		json_object_object_add(f->objects, key, json_object_get(object));
	sw_timer_in(f->of->timer, SETTLE_MS);
}

static void on_state(void *owner, bool synced, uint64_t since_ms, const char *why)
{
	struct feed *f = owner;
	(void)since_ms;
	if (!synced && !f->synced)
		sw_log(WARN, "gateway", "MultiKueue's clusters cannot be read", "why=\"%s\"", why ? why : "");
	f->synced |= synced;
	sw_timer_in(f->of->timer, SETTLE_MS);
}

struct sw_err gateway_open_multikueue(struct sw_gateway *g)
{
	static const char *const paths[FEEDS] = {
		[CONFIGS] = "/apis/kueue.x-k8s.io/v1beta2/multikueueconfigs",
		[CLUSTERS] = "/apis/kueue.x-k8s.io/v1beta2/multikueueclusters",
	};
	if (!g->config->manager_import || g->config->manager_role == SW_MANAGER_EMBEDDED)
		return SW_OK;
	struct multikueue *m = g->multikueue = sw_calloc(1, sizeof *m);
	m->g = g;
	m->kube = g->nominate ? sw_nominate_kube(g->nominate) : sw_mirror_kube(g->manager);
	struct sw_err e = sw_timer_new(g->loop, on_timer, m, &m->timer);
	for (size_t i = 0; i < FEEDS; i++) {
		struct sw_reflector_cfg cfg = {
			.path = paths[i], .on_object = on_object, .on_state = on_state, .owner = &m->feeds[i]};
		m->feeds[i].of = m;
		m->feeds[i].objects = json_object_new_object();
		if (!sw_failed(e))
			e = sw_reflector_new(m->kube, &cfg, &m->feeds[i].reflector);
	}
	return e;
}

void gateway_close_multikueue(struct sw_gateway *g)
{
	struct multikueue *m = g->multikueue;
	struct row *r, *next;
	if (!m)
		return;
	HASH_ITER(hh, m->rows, r, next)
	row_free(r);
	for (size_t i = 0; i < FEEDS; i++) {
		sw_reflector_free(m->feeds[i].reflector);
		json_object_put(m->feeds[i].objects);
	}
	sw_timer_free(m->timer);
	free(m);
	g->multikueue = NULL;
}
