/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read.c - job and Workload, whole, with as few requests as can be
 *
 * The Workload is kept as text from the moment it has quota until it runs. The job is not kept at all: fifty thousand
 * manifests that wait for quota are not worth their memory. But before a batch Job is placed, its status has to say
 * Suspended once (status_idle), and the answer to that write is the job: so reading it costs no request of its own.
 */
#include <string.h>
#include "mirror_priv.h"

static void workload_from_bytes(struct op *o, const struct wl *w)
{
	json_t *object = NULL;

	if (o->workload || !w->bytes)
		return;
	if (!sw_failed(sw_json_parse(w->bytes, w->len, &object)))
		o->workload = object;
}

static void run(struct op *o)
{
	struct mir *m = o->m;
	struct wl *w = wl_find(m, o->key);
	struct job *j = w ? wl_job(m, w) : NULL;

	if (!w || !wl_kind(w) || (w->flags & WL_GONE)) {
		op_end(o, sw_err(SW_E_MISSING, "workload %s is gone", o->key));
		return;
	}
	workload_from_bytes(o, w);
	if (!o->job) {
		bool placing = wl_may_place(m, w) && !w->cluster && !wl_over(w) && mir_may_write(m);

		if (!placing || !(j->flags & JOB_SUSPENDED) || !hold_job(o, w, j))
			op_get_job(o, w);
	} else if (!o->workload) {
		op_get_workload(o);
	} else {
		unsigned char uid[16];
		bool same = uid_pack(sw_json_str(o->job, "metadata.uid"), uid) && memcmp(uid, w->job_uid, 16) == 0;

		op_end(o, same ? SW_OK : sw_err(SW_E_MISSING, "the job of workload %s is another one now", o->key));
	}
}

struct sw_err mir_read(struct sw_manager *base, const char *key, sw_manager_read_fn *done, void *owner)
{
	struct mir *m = mir_of(base);

	if (!wl_find(m, key))
		return sw_err(SW_E_MISSING, "workload %s is gone", key);
	struct op *o = op_new(m, key, run, NULL, owner);

	o->read_done = done;
	op_start(o);
	return SW_OK;
}
