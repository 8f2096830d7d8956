/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self.c - what is written without dispatch: refusals, the end of attempts that the user has ended, and messages that
 * could wait
 *
 * Jobs that could never run through us are refused. A job whose managedBy is not Kueue's would be started here by its
 * own controller as soon as our check is Ready, and managedBy cannot be changed any more. Kinds without managedBy
 * (pods, groups of them) would do the same. An elastic job grows by a second Workload that takes the place of the first
 * while the job runs; for us that would be another job's Workload, and the running copy would be swept. Their check is
 * Rejected with the reason, as MultiKueue does; nothing else ever is ("fits nowhere today" is a reason to wait).
 */
#include <stdio.h>
#include <string.h>
#include "mirror_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { WHY_MAX = 500, AGAIN_MS = 5000, SAY_MS = 20 * 1000 };

/* Why it must be rejected; false: it need not. */
static bool hopeless(struct mir *m, const struct wl *w, char why[WHY_MAX])
{
	const unsigned reserved = WL_RESERVED | WL_CHECKED;
	struct job *j = wl_job(m, w);
	char name[254];

	if ((w->flags & reserved) != reserved || (w->flags & (WL_FINISHED | WL_DELETING | WL_JOB_GONE)) ||
	    w->check != SW_CHECK_PENDING || w->cluster || wl_over(w))
		return false;
	if (!wl_kind(w)) {
		snprintf(
			why, WHY_MAX,
			"the owner of this Workload is of a kind that cannot be dispatched by spillway's own check: it "
			"has no managedBy field. Use the nominate role for it");
		return true;
	}
	wl_job_name(w, name);
	if (w->flags & WL_ELASTIC) {
		snprintf(why, WHY_MAX,
			 "%s %.120s is elastic, and spillway's own check cannot change the size of a job that runs. "
			 "Create it again without the annotation kueue.x-k8s.io/elastic-job: then a new size is a new "
			 "start",
			 wl_kind(w)->kind, name);
		return true;
	}
	if (!j || (j->flags & JOB_MANAGED))
		return false;
	snprintf(why, WHY_MAX,
		 "%s of %s %.120s must be \"" SW_MIRROR_MANAGED_BY
		 "\" when the job is created, else it would run here. "
		 "Label its LocalQueue spillway.dev/dispatch=true (the shipped policy sets it), then create the job "
		 "again",
		 wl_kind(w)->managed_by_path, wl_kind(w)->kind, name);
	return true;
}

/* Kueue stops a job whose Workload it has not evicted: it was changed (its size), and does not match any more. It waits
 * for a status that says so (the API server refuses its last write before); the copy must go first. */
static bool outgrown(struct mir *m, const struct wl *w)
{
	const struct job *j = wl_job(m, w);
	const unsigned stopping = JOB_SUSPENDED | JOB_STOPPING;

	return j && w->cluster && w->check == SW_CHECK_READY && !wl_over(w) &&
	       !(w->flags & (WL_FINISHED | WL_DELETING | WL_JOB_GONE)) && (w->flags & WL_CHECKED) &&
	       (j->flags & (stopping | JOB_DONE)) == stopping && !job_is_idle(j);
}

/* What our check is set to without asking dispatch, and why; PENDING: nothing. */
static enum sw_check verdict(struct mir *m, const struct wl *w, char why[WHY_MAX])
{
	if (hopeless(m, w, why))
		return SW_CHECK_REJECTED;
	if (!outgrown(m, w))
		return SW_CHECK_PENDING;
	snprintf(why, WHY_MAX, "the job was changed while it ran: it is stopped and starts anew");
	return SW_CHECK_RETRY;
}

static void run(struct op *o)
{
	struct wl *w = wl_find(o->m, o->key);
	char why[WHY_MAX], now[32];
	struct patch_words p = {.message = why, .now = now};
	struct sw_buf body;
	enum sw_check to = w && !o->mine ? verdict(o->m, w, why) : SW_CHECK_PENDING;

	if (to == SW_CHECK_PENDING) {
		op_end(o, SW_OK);
		return;
	}
	mir_now(o->m, now);
	sw_log(WARN, "manager", to == SW_CHECK_RETRY ? "stopped" : "rejected", "key=%s why=\"%s\"", o->key, why);
	sw_buf_init(&body, 64 << 10);
	patch_state(&body, w, to, &p);
	op_patch_workload(o, &body, SW_KUBE_STATUS);
}

/* ---- messages that could wait --------------------------------------------------------------- */

static void say(struct op *o)
{
	struct wl *w = wl_find(o->m, o->key);

	if (o->mine && w)
		w->flags &= (uint16_t)~WL_UNSAID;
	if (!o->mine && w && w->rv != o->rv) /* after a conflict: on the state as it is now */
		o->rv = w->rv;
	message_run(o);
}

static void say_now(struct mir *m, struct wl *w)
{
	struct op *o = op_new(m, w->text, say, NULL, NULL);

	o->rv = w->rv;
	o->message = sw_strdup(w->message);
	op_start(o);
}

void self_say_later(struct mir *m, struct wl *w, const char *message)
{
	free(w->message);
	w->message = sw_strdup(message);
	w->flags |= WL_UNSAID;
	sw_reconciler_add_in(m->self_queue, w->text, SAY_MS);
}

/* Looked at again until it is not hopeless any more: that is how an error heals. */
static void reconcile(void *owner, const char *key)
{
	struct mir *m = owner;
	struct wl *w = wl_find(m, key);
	char why[WHY_MAX];
	bool may = w && mir_may_write(m) && m->told_synced, refuse = may && verdict(m, w, why) != SW_CHECK_PENDING;
	bool tell = may && (w->flags & WL_UNSAID) && !(w->flags & (WL_FINISHED | WL_DELETING));

	if (refuse)
		op_start(op_new(m, key, run, NULL, NULL));
	else if (tell)
		say_now(m, w);
	sw_reconciler_done(m->self_queue, key, refuse || tell ? AGAIN_MS : 0);
}

void self_look(struct mir *m, const struct wl *w)
{
	char why[WHY_MAX];

	if (verdict(m, w, why) != SW_CHECK_PENDING)
		sw_reconciler_add(m->self_queue, w->text);
}

struct sw_err self_open(struct mir *m)
{
	return sw_reconciler_new(m->loop, "refusals", reconcile, m, &m->self_queue);
}

void self_close(struct mir *m)
{
	sw_reconciler_free(m->self_queue);
}
