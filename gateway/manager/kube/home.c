/* SPDX-License-Identifier: Apache-2.0 */
/*
 * home.c - the status of a copy comes home to the user's job, as a whole
 *
 * A job's status changes several times within a second while its pods start, and each write costs the API server and
 * Kueue more than the job is worth: so the newest waits a moment, and then some seconds until the next one. The end
 * does not wait. What waits is lost with the process; dispatch sends it again after a restart.
 *
 * While the job is still suspended here and runs there already, nothing is written: the API server (1.36) would refuse
 * Kueue's start of a job that has a startTime. It is a matter of moments, and the op waits. The end is written
 * whatever the job says about suspend. Kueue sees the end and writes Finished on the Workload itself.
 */
#include <stdlib.h>
#include <string.h>
#include "mirror_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { BODY_MAX = 1 << 20, FIRST_MS = 500, EVERY_MS = 3000, GRID_MS = 100 };

/* gives; of what we wrote as text ourselves. NULL stays NULL. */
static json_t *read_back(const char *text)
{
	json_t *o = NULL;

	if (text && sw_failed(sw_json_parse(text, strlen(text), &o)))
		o = NULL;
	return o;
}

/* gives. */
static json_t *home_status(const struct wl *w, json_t *local, json_t *copy)
{
	const struct sw_kind *k = wl_kind(w);
	json_t *base = read_back(w->base), *status = k->status_home(k, local, copy, base);

	json_object_put(base);
	return status;
}

static bool runs(const struct sw_kind *k, json_t *status)
{
	json_t *object = json_object_new_object();
	const char *why;

	json_object_object_add(object, "status", json_object_get(status));
	bool yes = k->outcome(k, object, &why) == SW_UNFINISHED && !sw_json_condition_true(object, "Suspended");

	json_object_put(object);
	return yes;
}

/* Writes status over what is there; ends the op if nothing is to be written. */
static void put(struct op *o, const struct wl *w, const struct job *j, json_t *local, json_t *status)
{
	struct sw_buf body;

	if (json_object_equal(local, status)) {
		op_end(o, SW_OK);
		return;
	}
	sw_buf_init(&body, BODY_MAX);
	patch_job_status(&body, j->rv, status);
	op_patch_job(o, w, &body, SW_KUBE_STATUS);
}

/* The rows, if the job is still the one; else the op is ended. */
static struct job *job_now(struct op *o, struct wl **w)
{
	struct job *j;
	unsigned char uid[16];

	*w = wl_find(o->m, o->key);
	j = *w ? wl_job(o->m, *w) : NULL;
	if (j && uid_pack(o->job_uid, uid) && memcmp(uid, j->uid, 16) == 0)
		return j;
	op_end(o, sw_err(SW_E_MISSING, "workload %s of job uid %s is gone", o->key, o->job_uid));
	return NULL;
}

/* ---- while it runs ------------------------------------------------------------------------------- */

static void sync_put(struct op *o, const struct wl *w, const struct job *j, json_t *copy)
{
	if ((j->flags & JOB_SUSPENDED) && runs(wl_kind(w), copy)) {
		op_wait(o, "Kueue to start the job");
		return;
	}
	json_t *local = job_status(j), *status = home_status(w, local, copy);

	put(o, w, j, local, status);
	json_object_put(local);
	json_object_put(status);
}

static void sync_run(struct op *o)
{
	struct wl *w;
	struct job *j = job_now(o, &w);

	if (!j)
		return;
	if (!w->cluster || wl_over(w) || (w->flags & WL_FINISHED) || w->evictions != o->evictions) {
		op_end(o, sw_err(SW_E_CONFLICT, "workload %s has no winner: the attempt is over", o->key));
		return;
	}
	wl_forget_bytes(o->m, w); /* it runs: nobody reads it whole */
	json_t *copy = read_back(o->status);

	sync_put(o, w, j, copy);
	json_object_put(copy);
}

/* ---- the end ---------------------------------------------------------------------------------------- */

/* What the copy said was not legal here. What matters is how it ended. */
static bool refused(struct op *o, struct sw_err e, long status)
{
	if ((e.code != SW_E_INVALID && status != 422) || !o->about_job || o->plain_end)
		return true;
	o->plain_end = true;
	o->run(o);
	return false;
}

static void finish_run(struct op *o)
{
	struct wl *w;
	struct job *j = job_now(o, &w);
	char now[32];

	if (!j)
		return;
	if (j->flags & JOB_DONE) {
		op_end(o, SW_OK);
		return;
	}
	mir_now(o->m, now);
	json_t *local = job_status(j), *copy = read_back(o->status);
	json_t *status = o->plain_end ? sw_json_copy(local) : home_status(w, local, copy);

	status_end(wl_kind(w), status, o->outcome, o->message ? o->message : "", now);
	put(o, w, j, local, status);
	json_object_put(local);
	json_object_put(copy);
	json_object_put(status);
}

/* ---- what waits -------------------------------------------------------------------------------------- */

struct home {
	UT_hash_handle hh;
	struct mir *m;
	char *status; /* the newest, as text; NULL: nothing waits */
	char *sent;
	char *job_uid;
	uint64_t due_ms, written_ms;
	uint16_t evictions; /* of the attempt that it is about */
	bool busy;
	char key[];
};

static void home_free(struct home *h)
{
	HASH_DEL(h->m->homes, h);
	free(h->status);
	free(h->job_uid);
	free(h);
}

static struct home *home_find(struct mir *m, const char *key)
{
	struct home *h;

	HASH_FIND_STR(m->homes, key, h);
	return h;
}

static void home_forget(struct mir *m, const char *key)
{
	struct home *h = home_find(m, key);

	if (h && !h->busy) {
		home_free(h);
	} else if (h) {
		free(h->status);
		h->status = NULL;
	}
}

/* On a grid: one walk over all serves many. */
static void home_due(struct home *h, uint64_t ms)
{
	ms += GRID_MS - ms % GRID_MS;
	h->due_ms = ms;
	if (!h->m->home_due_ms || ms < h->m->home_due_ms) {
		h->m->home_due_ms = ms;
		sw_timer_at(h->m->home_timer, ms);
	}
}

static void on_written(void *owner, struct sw_err e)
{
	struct home *h = owner;
	uint64_t now = sw_loop_now(h->m->loop);
	bool again = sw_failed(e) && sw_err_retry(e.code) != SW_RETRY_TERMINAL && e.code != SW_E_CONFLICT;

	h->busy = false;
	h->written_ms = now;
	if (sw_failed(e) && e.code != SW_E_CONFLICT && e.code != SW_E_MISSING)
		sw_log(WARN, "manager", "status not written", "key=%s error=\"%s\"", h->key, e.text);
	if (again && !h->status) /* of the same attempt: sync_run() looks */
		h->status = h->sent;
	else
		free(h->sent);
	h->sent = NULL;
	home_due(h, now + EVERY_MS);
}

static void home_write(struct home *h)
{
	struct op *o = op_new(h->m, h->key, sync_run, on_written, h);

	o->evictions = h->evictions;
	o->job_uid = sw_strdup(h->job_uid);
	o->status = h->status;
	h->sent = sw_strdup(h->status);
	h->status = NULL;
	h->busy = true;
	op_start(o);
}

void homes_tick(void *owner)
{
	struct mir *m = owner;
	uint64_t now = sw_loop_now(m->loop), next = 0;
	struct home *h, *tmp;

	m->home_due_ms = 0;
	HASH_ITER(hh, m->homes, h, tmp)
	{
		if (!h->busy && h->due_ms <= now) {
			if (!h->status) {
				home_free(h);
				continue;
			}
			home_write(h);
		}
		if (!h->busy && (!next || h->due_ms < next))
			next = h->due_ms;
	}
	m->home_due_ms = next;
	if (next)
		sw_timer_at(m->home_timer, next);
}

void homes_free(struct mir *m)
{
	struct home *h, *tmp;

	HASH_ITER(hh, m->homes, h, tmp)
	{
		free(h->sent);
		home_free(h);
	}
	sw_timer_free(m->home_timer);
}

/* ---- entry -------------------------------------------------------------------------------------------- */

static void taken(struct op *o)
{
	op_end(o, SW_OK);
}

struct sw_err mir_sync_status(struct sw_manager *base, const char *key, const char *job_uid, json_t *copy_status,
			      sw_manager_fn *done, void *owner)
{
	struct mir *m = mir_of(base);
	struct wl *w = wl_find(m, key);
	struct home *h = home_find(m, key);
	unsigned char uid[16];

	if (!w || !uid_pack(job_uid, uid) || memcmp(uid, w->job_uid, 16) != 0)
		return sw_err(SW_E_MISSING, "workload %s of job uid %s is gone", key, job_uid);
	if (!w->cluster || wl_over(w))
		return sw_err(SW_E_CONFLICT, "workload %s has no winner: the attempt is over", key);
	if (!h) {
		h = sw_calloc(1, sizeof(*h) + strlen(key) + 1);
		memcpy(h->key, key, strlen(key) + 1);
		h->m = m;
		HASH_ADD_STR(m->homes, key, h);
	}
	free(h->status);
	h->status = sw_json_text(copy_status, NULL);
	free(h->job_uid);
	h->job_uid = sw_strdup(job_uid);
	h->evictions = w->evictions;
	if (!h->busy && !h->due_ms)
		home_due(h, sw_loop_now(m->loop) + FIRST_MS);
	op_start(op_new(m, key, taken, done, owner));
	return SW_OK;
}

struct sw_err mir_finish(struct sw_manager *base, const char *key, const char *job_uid, json_t *copy_status,
			 enum sw_outcome outcome, const char *message, sw_manager_fn *done, void *owner)
{
	struct mir *m = mir_of(base);
	struct op *o;

	if (!wl_find(m, key))
		return sw_err(SW_E_MISSING, "workload %s is gone", key);
	home_forget(m, key);
	o = op_new(m, key, finish_run, done, owner);
	o->job_uid = sw_strdup(job_uid);
	o->status = sw_json_text(copy_status, NULL);
	o->outcome = outcome;
	o->message = sw_strdup(message);
	o->on_error = refused;
	op_start(o);
	return SW_OK;
}
