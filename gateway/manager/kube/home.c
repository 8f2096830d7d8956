/* SPDX-License-Identifier: Apache-2.0 */
/*
 * home.c - the status of a copy comes home to the user's job, as a whole
 *
 * While the job is still suspended here and runs there already, nothing is written: the API server (1.36) would refuse
 * Kueue's start of a job that has a startTime. It is a matter of moments, and the op waits. The end is written
 * whatever the job says about suspend. Kueue sees the end and writes Finished on the Workload itself.
 */
#include <stdlib.h>
#include <string.h>
#include "mirror_priv.h"
#include "spillway/text.h"

enum { BODY_MAX = 1 << 20 };

static json_t *base_of(const struct wl *w)
{
	json_t *base = NULL;

	if (w->base && sw_failed(sw_json_parse(w->base, strlen(w->base), &base)))
		base = NULL;
	return base;
}

/* gives. */
static json_t *home_status(const struct op *o, const struct wl *w, json_t *local)
{
	const struct sw_kind *k = wl_kind(w);
	json_t *base = base_of(w), *status = k->status_home(k, local, o->status, base);

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

static void sync_run(struct op *o)
{
	struct wl *w;
	struct job *j = job_now(o, &w);

	if (!j)
		return;
	if (!w->cluster || wl_over(w) || (w->flags & WL_FINISHED)) {
		op_end(o, sw_err(SW_E_CONFLICT, "workload %s has no winner: the attempt is over", o->key));
		return;
	}
	wl_forget_bytes(o->m, w); /* it runs: nobody reads it whole */
	if ((j->flags & JOB_SUSPENDED) && runs(wl_kind(w), o->status)) {
		op_wait(o, "Kueue to start the job");
		return;
	}
	json_t *local = job_status(j), *status = home_status(o, w, local);

	put(o, w, j, local, status);
	json_object_put(local);
	json_object_put(status);
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
	json_t *local = job_status(j);
	json_t *status = o->plain_end ? sw_json_copy(local) : home_status(o, w, local);

	status_end(wl_kind(w), status, o->outcome, o->message ? o->message : "", now);
	put(o, w, j, local, status);
	json_object_put(local);
	json_object_put(status);
}

/* ---- entry -------------------------------------------------------------------------------------------- */

static struct sw_err begin(struct mir *m, const char *key, const char *job_uid, json_t *copy_status,
			   void (*run)(struct op *), sw_manager_fn *done, void *owner, struct op **out)
{
	if (!wl_find(m, key))
		return sw_err(SW_E_MISSING, "workload %s is gone", key);
	struct op *o = *out = op_new(m, key, run, done, owner);

	o->job_uid = sw_strdup(job_uid);
	o->status = sw_json_copy(copy_status);
	op_start(o);
	return SW_OK;
}

struct sw_err mir_sync_status(struct sw_manager *base, const char *key, const char *job_uid, json_t *copy_status,
			      sw_manager_fn *done, void *owner)
{
	struct op *o;

	return begin(mir_of(base), key, job_uid, copy_status, sync_run, done, owner, &o);
}

struct sw_err mir_finish(struct sw_manager *base, const char *key, const char *job_uid, json_t *copy_status,
			 enum sw_outcome outcome, const char *message, sw_manager_fn *done, void *owner)
{
	struct op *o = NULL;
	struct sw_err e = begin(mir_of(base), key, job_uid, copy_status, finish_run, done, owner, &o);

	if (sw_failed(e))
		return e;
	o->outcome = outcome;
	o->message = sw_strdup(message);
	o->on_error = refused;
	return SW_OK;
}
