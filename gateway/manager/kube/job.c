/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.c - one small row per job with a queue: whose it is, whether it is suspended, and its status as we last wrote it
 *
 * The status is kept as text because its counters may not fall and the next one is computed from it. Nobody but us (and
 * Kueue, which takes startTime away) writes it: the job is managed by us.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mirror_priv.h"
#include "spillway/text.h"

enum { STATUS_MAX = 256 << 10 };
/* On a batch/v1 Job from Kueue's first write to its last (kueue v0.19.2, pkg/controller/jobs/job/job_controller.go). */
#define ANN_STOPPING "kueue.x-k8s.io/stopping"

const char *job_key(const void *row)
{
	return ((const struct job *)row)->key;
}

static void key_of(const struct sw_kind *k, const char *key, char buf[KEY_MAX + 160])
{
	snprintf(buf, KEY_MAX + 160, "%.150s %.600s", k->resource, key);
}

static struct job *find(struct mir *m, const struct sw_kind *k, const char *ns_name)
{
	char key[KEY_MAX + 160];

	key_of(k, ns_name, key);
	return sw_keymap_find(&m->jobs, key);
}

struct job *job_find(struct mir *m, const struct sw_kind *k, const char *ns, const char *name)
{
	char ns_name[KEY_MAX];

	snprintf(ns_name, sizeof(ns_name), "%s/%s", ns, name);
	return find(m, k, ns_name);
}

void job_free(struct job *j)
{
	if (!j)
		return;
	free(j->status);
	free(j);
}

json_t *job_status(const struct job *j)
{
	json_t *o = NULL;

	if (j->status && sw_failed(sw_json_parse(j->status, strlen(j->status), &o)))
		o = NULL;
	return o ? o : json_object_new_object();
}

bool job_is_idle(const struct job *j)
{
	json_t *is = job_status(j), *idle = sw_json_copy(is);

	status_idle(sw_kind_at(j->kind), idle, "");
	bool same = json_object_equal(is, idle);

	json_object_put(is);
	json_object_put(idle);
	return same;
}

/* ---- reading ------------------------------------------------------------------------------- */

static uint8_t flags_read(const struct sw_kind *k, json_t *o)
{
	const char *by = sw_kind_managed_by(k, o), *why, *stopping = sw_json_annotation(o, ANN_STOPPING);
	unsigned f = 0;

	f |= sw_kind_suspended(k, o) ? JOB_SUSPENDED : 0;
	f |= by && strcmp(by, SW_MIRROR_MANAGED_BY) == 0 ? JOB_MANAGED : 0;
	f |= sw_json_str(o, "metadata.deletionTimestamp") ? JOB_DELETING : 0;
	f |= k->outcome(k, o, &why) != SW_UNFINISHED ? JOB_DONE : 0;
	f |= stopping && strcmp(stopping, "true") == 0 ? JOB_STOPPING : 0;
	return (uint8_t)f;
}

static char *status_read(json_t *o)
{
	json_t *status = sw_json_key(o, "status");
	size_t len;

	if (!json_object_is_type(status, json_type_object) || !json_object_object_length(status))
		return NULL;
	char *text = sw_json_text(status, &len);

	if (len <= STATUS_MAX)
		return text;
	free(text);
	return NULL;
}

static uint64_t map_hash(json_t *map)
{
	uint64_t h = 0;

	if (!json_object_is_type(map, json_type_object))
		return 0;
	json_object_object_foreach(map, key, value)
	{
		const char *text = json_object_get_string(value);

		h = h * 31 + sw_hash(key, strlen(key));
		h = h * 31 + (text ? sw_hash(text, strlen(text)) : 0);
	}
	return h;
}

uint64_t mark_read(json_t *o)
{
	uint64_t h = (uint64_t)sw_json_int(o, "metadata.generation", 0);

	if (!h)
		return 0; /* of a kind that counts nothing */
	h = h * 31 + map_hash(sw_json_at(o, "metadata.labels"));
	h = h * 31 + map_hash(sw_json_at(o, "metadata.annotations"));
	return h ? h : 1;
}

static struct job *job_new(const struct sw_kind *k, const char *ns_name, json_t *o)
{
	unsigned char uid[16];
	char key[KEY_MAX + 160];
	uint64_t rv = rv_of(o);
	uint8_t kind = 0;

	if (!rv || !uid_pack(sw_json_str(o, "metadata.uid"), uid) || strlen(ns_name) >= KEY_MAX)
		return NULL;
	while (sw_kind_at(kind) != k)
		kind++;
	key_of(k, ns_name, key);
	struct job *j = sw_calloc(1, sizeof(*j) + strlen(key) + 1);

	memcpy(j->key, key, strlen(key));
	memcpy(j->uid, uid, 16);
	j->rv = rv;
	j->kind = kind;
	j->flags = flags_read(k, o);
	j->mark = mark_read(o);
	j->status = status_read(o);
	return j;
}

/* ---- following the API server ------------------------------------------------------------------ */

/* The row of its Workload, if that was seen first (two watches): by the name that Kueue gives it. */
static struct wl *guess_wl(struct mir *m, const struct sw_kind *k, const char *ns_name, json_t *o)
{
	const char *prebuilt = sw_json_label(o, LABEL_PREBUILT), *slash = strchr(ns_name, '/');
	char name[254], key[KEY_MAX];

	if (!slash)
		return NULL;
	workload_name(k, slash + 1, sw_json_str(o, "metadata.uid"), name);
	snprintf(key, sizeof(key), "%.*s/%s", (int)(slash - ns_name), ns_name, prebuilt ? prebuilt : name);
	return wl_find(m, key);
}

/* Each points to the other, or to nobody. Both may be NULL. */
void job_couple(struct job *j, struct wl *w)
{
	if (j && j->wl)
		j->wl->job = NULL;
	if (w && w->job)
		w->job->wl = NULL;
	if (j)
		j->wl = w;
	if (w)
		w->job = j;
}

static void job_gone(struct mir *m, struct job *j)
{
	struct wl *w = j->wl;

	logs_drop_job(m, j);
	job_couple(j, NULL);
	sw_keymap_remove(&m->jobs, j->key);
	job_free(j);
	if (!w)
		return;
	w->flags |= WL_JOB_GONE;
	wl_changed(m, w);
}

static bool is_of(const struct wl *w, const struct job *j)
{
	return w && memcmp(w->job_uid, j->uid, 16) == 0;
}

void job_apply(struct mir *m, const struct sw_kind *k, const char *ns_name, json_t *o)
{
	struct job *old = find(m, k, ns_name), *now = o ? job_new(k, ns_name, o) : NULL;
	bool same = old && now && memcmp(old->uid, now->uid, 16) == 0;

	if (same && now->rv <= old->rv) {
		job_free(now);
		return;
	}
	if (old && !same)
		job_gone(m, old);
	if (!now)
		return;
	struct wl *w = same ? old->wl : guess_wl(m, k, ns_name, o);

	w = is_of(w, now) ? w : NULL;
	sw_keymap_put(&m->jobs, now);
	if (same) {
		job_couple(old, NULL);
		job_free(old);
	}
	job_couple(now, w);
	if (!w)
		return;
	if (now->flags & JOB_DELETING)
		w->flags |= WL_JOB_GONE;
	wl_changed(m, w);
}
