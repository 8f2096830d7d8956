/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs.c - tails of logs of jobs that have ended, kept beside the gateway as long as the job is on the manager
 *
 * The manager has no pods to show them on, so they are a page of the gateway's (`spillway logs`), and in its own store:
 * a gateway that takes over later has only what it kept itself. Their name is RESOURCE/NS/JOB/UID/POD/CONTAINER.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "mirror_priv.h"
#include "spillway/text.h"

/* A write to the store cannot be taken back; its answer finds nobody after the manager was closed. */
struct keeping {
	struct keeping *prev, *next;
	struct mir *m; /* NULL: closed */
	sw_manager_fn *done;
	void *owner;
};

static void keeping_free(struct keeping *k)
{
	if (k->m)
		DL_DELETE(k->m->keepings, k);
	free(k);
}

static void on_kept(void *owner, struct sw_err err, uint64_t rv)
{
	struct keeping *k = owner;

	(void)rv;
	if (k->m && k->done)
		k->done(k->owner, err);
	keeping_free(k);
}

static void prefix_of(const struct sw_kind *kind, const char *ns, const char *job, const char *uid,
		      char out[KEPT_NAME_MAX])
{
	snprintf(out, KEPT_NAME_MAX, "%s/%s/%s/%s/", kind->resource, ns, job, uid);
}

struct sw_err mir_keep_log(struct sw_manager *base, const char *key, const char *ns, const char *pod,
			   const char *container, const char *bytes, size_t n, bool cut, sw_manager_fn *done,
			   void *owner)
{
	struct mir *m = mir_of(base);
	struct wl *w = wl_find(m, key);
	char job[254], uid[37], prefix[KEPT_NAME_MAX], note_key[KEPT_NAME_MAX + 8];
	struct sw_buf note;

	if (!w || !wl_kind(w))
		return sw_err(SW_E_MISSING, "workload %s is gone", key);
	wl_job_name(w, job);
	prefix_of(wl_kind(w), ns, job, uid_text(w->job_uid, uid), prefix);
	char *name = sw_asprintf("%s%s/%s", prefix, pod, container);
	sw_buf_init(&note, KEPT_TAIL_MAX + 2);
	struct sw_err e = kept_add(&m->kept, name, bytes, n, cut, &note);

	if (!sw_failed(e)) {
		struct keeping *k = sw_calloc(1, sizeof *k);
		*k = (struct keeping){.m = m, .done = done, .owner = owner};
		DL_APPEND(m->keepings, k);
		kept_key(name, note_key);
		e = sw_store_note_put(m->kept.store, note_key, note.at, note.len, on_kept, k);
		if (sw_failed(e))
			keeping_free(k);
	}
	sw_buf_fini(&note);
	free(name);
	return e;
}

void logs_drop_job(struct mir *m, const struct job *j)
{
	char uid[37], prefix[KEPT_NAME_MAX];

	snprintf(prefix, sizeof(prefix), "%s/%s/", j->key, uid_text(j->uid, uid));
	prefix[strcspn(prefix, " ")] = '/'; /* the key is "RESOURCE NS/NAME" */
	kept_drop_all(&m->kept, prefix);
}

/* Is the job whose logs these are still there? */
static bool has_job(struct mir *m, const char *owner)
{
	char *copy = sw_strdup(owner), *part[4] = {0}, *at = copy;
	unsigned char uid[16];
	bool there = false;

	for (int i = 0; i < 4 && at; i++)
		part[i] = strsep(&at, "/");
	const struct sw_kind *k = part[0] ? sw_kind_find(part[0]) : NULL;
	struct job *j = k && part[3] ? job_find(m, k, part[1], part[2]) : NULL;

	there = j && uid_pack(part[3], uid) && memcmp(uid, j->uid, 16) == 0;
	free(copy);
	return there;
}

/* Jobs that were deleted while nobody looked. */
void logs_sweep(struct mir *m)
{
	struct kept_owner *o, *next;

	HASH_ITER(hh, m->kept.owners, o, next)
	if (!has_job(m, o->name))
		kept_drop_all(&m->kept, o->name);
}

void logs_close(struct mir *m)
{
	struct keeping *k, *next;

	DL_FOREACH_SAFE(m->keepings, k, next)
	{
		DL_DELETE(m->keepings, k);
		k->m = NULL;
	}
	kept_close(&m->kept);
}

/* ---- the door -------------------------------------------------------------------------------- */

static bool prefix_read(struct mir *m, const struct sw_kind *kind, const char *ns, const char *name,
			char out[KEPT_NAME_MAX])
{
	struct job *j = job_find(m, kind, ns, name);
	char uid[37];

	if (j)
		prefix_of(kind, ns, name, uid_text(j->uid, uid), out);
	return j != NULL;
}

struct sw_err sw_mirror_kept(struct sw_manager *base, const struct sw_kind *kind, const char *ns, const char *name,
			     void (*fn)(void *owner, const char *pod, const char *container), void *owner)
{
	struct mir *m = mir_of(base);
	char prefix[KEPT_NAME_MAX];

	if (!prefix_read(m, kind, ns, name, prefix))
		return sw_err(SW_E_MISSING, "there is no %s %s/%s on the manager", kind->kind, ns, name);
	size_t n = strlen(prefix);
	for (const struct kept_log *l = kept_of(&m->kept, prefix); l; l = l->next) {
		char *pod = sw_strdup(l->name + n), *slash = strchr(pod, '/');
		if (slash) {
			*slash = '\0';
			fn(owner, pod, slash + 1);
		}
		free(pod);
	}
	return SW_OK;
}

struct sw_err sw_mirror_kept_log(struct sw_manager *base, const struct sw_kind *kind, const char *ns, const char *name,
				 const char *pod, const char *container, int64_t lines, struct sw_buf *out)
{
	struct mir *m = mir_of(base);
	char prefix[KEPT_NAME_MAX];
	struct sw_bytes *log = NULL;

	if (!prefix_read(m, kind, ns, name, prefix))
		return sw_err(SW_E_MISSING, "there is no %s %s/%s on the manager", kind->kind, ns, name);
	char *full = sw_asprintf("%s%s/%s", prefix, pod, container);
	struct sw_err e = kept_get(&m->kept, full, &log);

	free(full);
	if (sw_failed(e))
		return sw_err(e.code,
			      "no log of container \"%s\" in pod \"%s\" was kept here, and it runs on no cluster now",
			      container, pod);
	struct kept_text t = kept_text(log, lines);

	sw_buf_puts(out, t.lost);
	sw_buf_put(out, t.at, t.n);
	sw_bytes_unref(log);
	return SW_OK;
}
