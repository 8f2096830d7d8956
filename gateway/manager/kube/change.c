/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change.c - what dispatch decides becomes durable: one compare-and-set on the Workload's status each
 *
 *   nominate   the job is made one that Kueue can start (hold_job), then nominatedClusterNames and the message
 *   win        clusterName, nomination cleared, check Ready: one PATCH. Kueue's webhook wants the name nominated before
 *   evict      check Retry: Kueue evicts
 *   released   see released(): the order of its writes is what a crash between them needs
 *   reject     check Rejected: Kueue deactivates the Workload for good
 *
 * Source: facts tried on Kueue 0.19 and Kubernetes 1.36, and pkg/webhooks/workload_webhook.go there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mirror_priv.h"
#include "spillway/text.h"

enum { BODY_MAX = 1 << 20 };

static struct patch_words words(struct op *o, char now[32])
{
	mir_now(o->m, now);
	return (struct patch_words){.message = o->message, .now = now};
}

/* The row if it is still what was decided on; else NULL, and the op is ended: nothing of it may be touched any more. */
static struct wl *row_now(struct op *o)
{
	struct wl *w = wl_find(o->m, o->key);

	if (w && w->rv == o->rv && !(w->flags & WL_GONE))
		return w;
	if (!w)
		op_end(o, sw_err(SW_E_MISSING, "workload %s is gone", o->key));
	else
		op_end(o, sw_err(SW_E_CONFLICT, "workload %s was changed meanwhile", o->key));
	return NULL;
}

/* The same for a change of one write: once that is done, so is the op. NULL: o is gone, touch it no more. */
static struct wl *row_unwritten(struct op *o)
{
	if (!o->mine)
		return row_now(o);
	op_end(o, SW_OK);
	return NULL;
}

static bool refuse(struct op *o, const struct wl *w, const char *what)
{
	op_end(o, sw_err(SW_E_INVALID, "workload %s: %s, but it %s", o->key, what,
			 w->flags & WL_FINISHED      ? "is finished"
			 : !(w->flags & WL_CHECKED)  ? "has no check of ours any more"
			 : wl_over(w)                ? "is evicted"
			 : !(w->flags & WL_RESERVED) ? "has no quota"
						     : "has a winner already"));
	return true;
}

static bool undecided(const struct wl *w)
{
	const unsigned flags = WL_RESERVED | WL_FINISHED | WL_CHECKED;

	return (w->flags & flags) == (WL_RESERVED | WL_CHECKED) && !wl_over(w) && !w->cluster;
}

bool hold_job(struct op *o, const struct wl *w, struct job *j)
{
	const struct sw_kind *k = wl_kind(w);
	struct sw_buf body;
	char now[32];

	if (job_is_idle(j))
		return false;
	json_t *status = job_status(j);

	mir_now(o->m, now);
	status_idle(k, status, now);
	sw_buf_init(&body, BODY_MAX);
	patch_job_status(&body, j->rv, status);
	json_object_put(status);
	op_patch_job(o, w, &body, SW_KUBE_FENCE);
	return true;
}

/* Before anything is written for an attempt: the job must be there, ours to dispatch, and startable by Kueue. */
static bool prepare(struct op *o, struct wl *w, const char *what)
{
	struct job *j = wl_job(o->m, w);

	if (!undecided(w))
		return !refuse(o, w, what);
	if (!j || !(j->flags & JOB_MANAGED)) {
		op_end(o, sw_err(SW_E_CONFLICT, "workload %s: its job is gone or not managed by us", o->key));
		return false;
	}
	if (!(j->flags & JOB_SUSPENDED)) { /* Kueue stops it, as it is not admitted */
		op_wait(o, "Kueue to suspend the job");
		return false;
	}
	return !hold_job(o, w, j);
}

/* ---- the writes ------------------------------------------------------------------------------- */

static void nominate(struct op *o)
{
	struct sw_buf body;
	char now[32];
	struct patch_words p = words(o, now);
	struct wl *w = row_unwritten(o);

	if (!w || !prepare(o, w, "clusters are to be nominated"))
		return;
	sw_buf_init(&body, BODY_MAX);
	patch_nominate(&body, w, (const char *const *)o->clusters, &p);
	op_patch_workload(o, &body, SW_KUBE_STATUS);
}

static void win(struct op *o)
{
	struct wl *w = wl_find(o->m, o->key);
	struct sw_buf body;
	char now[32];
	struct patch_words p = words(o, now);
	const char *only[] = {o->cluster, NULL};

	if (o->mine && w && w->cluster && strcmp(w->cluster, o->cluster) == 0) {
		op_end(o, SW_OK);
		return;
	}
	w = row_now(o);
	if (!w || !prepare(o, w, "a cluster is to win"))
		return;
	sw_buf_init(&body, BODY_MAX);
	if (wl_nominates(w, o->cluster)) {
		patch_win(&body, w, o->cluster, &p);
	} else {
		p.message = NULL;
		patch_nominate(&body, w, only, &p);
	}
	op_patch_workload(o, &body, SW_KUBE_STATUS);
}

void message_run(struct op *o)
{
	struct sw_buf body;
	char now[32];
	struct patch_words p = words(o, now);
	struct wl *w = row_unwritten(o);

	if (!w)
		return;
	if (!(w->flags & WL_CHECKED) || (w->flags & WL_FINISHED)) {
		refuse(o, w, "a message is to be written");
		return;
	}
	sw_buf_init(&body, BODY_MAX);
	patch_message(&body, w, &p);
	op_patch_workload(o, &body, SW_KUBE_LIST);
}

static void state(struct op *o)
{
	enum sw_check to = o->what == SW_CHANGE_EVICT ? SW_CHECK_RETRY : SW_CHECK_REJECTED;
	struct sw_buf body;
	char now[32];
	struct patch_words p = words(o, now);
	struct wl *w = row_unwritten(o);

	if (!w)
		return;
	/* Kueue evicts what is deactivated by itself. */
	if (w->check == to || (to == SW_CHECK_RETRY && (wl_over(w) || !(w->flags & WL_ACTIVE)))) {
		op_end(o, SW_OK);
		return;
	}
	if (!(w->flags & WL_CHECKED) || (w->flags & WL_FINISHED)) {
		refuse(o, w, "it is to be stopped");
		return;
	}
	sw_buf_init(&body, BODY_MAX);
	patch_state(&body, w, to, &p);
	op_patch_workload(o, &body, SW_KUBE_FENCE);
}

/* ---- the release ------------------------------------------------------------------------------------ */

static void release_write(struct op *o, struct wl *w)
{
	struct job *j = wl_job(o->m, w);
	json_t *status = j ? job_status(j) : NULL, *base = status ? status_base(status) : NULL;
	struct sw_buf body;
	char now[32];
	struct patch_words p = words(o, now);

	sw_buf_init(&body, BODY_MAX);
	patch_release(&body, w, base, o->requeue_s, &p);
	json_object_put(base);
	json_object_put(status);
	op_patch_workload(o, &body, SW_KUBE_FENCE);
}

/* The Workload goes and the job stays: it was changed while it ran, or somebody has deleted its Workload. Kueue makes
 * another one as soon as the job says that nothing is active. True while that is being written. */
static bool frees_job(struct op *o, struct wl *w)
{
	struct job *j = wl_job(o->m, w);

	if (!(w->flags & WL_DELETING) || (w->flags & (WL_JOB_GONE | WL_FINISHED)) || !j ||
	    (j->flags & (JOB_DONE | JOB_DELETING)) || !(j->flags & JOB_MANAGED) || job_is_idle(j))
		return false;
	if (j->flags & JOB_SUSPENDED)
		return hold_job(o, w, j);
	op_wait(o, "Kueue to suspend the job");
	return true;
}

/* Deleted or finished: the row goes (with the object, if that is still there). */
static bool let_go(struct op *o, struct wl *w)
{
	bool over = !w || (w->flags & (WL_DELETING | WL_JOB_GONE | WL_FINISHED));

	if (w && frees_job(o, w))
		return true;
	if (w && (w->flags & (WL_DELETING | WL_JOB_GONE)))
		w->flags |= WL_SWEPT;
	if (w && (w->flags & WL_GONE))
		wl_drop(o->m, w);
	if (over)
		op_end(o, SW_OK);
	return over;
}

static void release_job(struct op *o, const struct wl *w)
{
	struct job *j = wl_job(o->m, w);

	if (w->cluster || !j || (j->flags & JOB_DONE))
		op_end(o, SW_OK);
	else if (!(j->flags & JOB_SUSPENDED) && !job_is_idle(j))
		op_wait(o, "Kueue to suspend the job");
	else if (!hold_job(o, w, j))
		op_end(o, SW_OK);
}

/*
 * 1. Kueue has evicted (the count of evictions is the next attempt's number).
 * 2. The winner is cleared, and what earlier attempts counted is kept in the check's message, in one PATCH. From here
 *    on nothing of the old attempt is named. First, because Kueue may reserve quota again as soon as it sees step 3.
 * 3. The job says that nothing is active: only then does Kueue give the quota back, and only a lost worker's word would
 *    otherwise do that. It has to be suspended by Kueue before.
 * Each step is found undone and done again by whoever comes after a crash: 1 and 2 by this op (the row is still
 * "evicted"), 3 by this op or by hold_job() of the next attempt.
 */
static void released(struct op *o)
{
	struct wl *w = wl_find(o->m, o->key);

	if (let_go(o, w))
		return;
	if (w->check == SW_CHECK_RETRY && !(w->flags & WL_EVICTED))
		op_wait(o, "Kueue to evict the workload");
	else if ((w->cluster || w->nominated) && wl_over(w))
		release_write(o, w);
	else
		release_job(o, w);
}

/* ---- entry ---------------------------------------------------------------------------------------------- */

static char **names_copy(const char *const *names)
{
	size_t n = 0;

	while (names && names[n])
		n++;
	char **copy = sw_calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; i < n; i++)
		copy[i] = sw_strdup(names[i]);
	return copy;
}

static void said(struct op *o)
{
	op_end(o, SW_OK);
}

struct sw_err mir_change(struct sw_manager *base, const char *key, uint64_t rv, const struct sw_change *c,
			 sw_manager_fn *done, void *owner)
{
	static void (*const runs[])(struct op *) = {
		[SW_CHANGE_NOMINATE] = nominate, [SW_CHANGE_MESSAGE] = message_run, [SW_CHANGE_WIN] = win,
		[SW_CHANGE_EVICT] = state,       [SW_CHANGE_RELEASED] = released,   [SW_CHANGE_REJECT] = state,
	};
	struct mir *m = mir_of(base);
	struct wl *w = wl_find(m, key);

	if (!w)
		return sw_err(SW_E_MISSING, "workload %s is gone", key);
	if (w->rv != rv)
		return sw_err(SW_E_CONFLICT, "workload %s was changed meanwhile", key);
	if (c->op == SW_CHANGE_WIN && (!c->cluster || !*c->cluster))
		return sw_err(SW_E_INVALID, "workload %s: expected the name of the cluster that wins", key);
	if ((w->flags & WL_GONE) && c->op != SW_CHANGE_RELEASED)
		return sw_err(SW_E_MISSING, "workload %s is gone", key);
	/* While it runs the message is only news (all pods are scheduled): a job that ends soon is not worth a write,
	 * and Kueue is busy with the object just then. */
	bool news = c->op == SW_CHANGE_MESSAGE && w->cluster && w->check == SW_CHECK_READY;
	struct op *o = op_new(m, key, news ? said : runs[c->op], done, owner);

	if (news)
		self_say_later(m, w, c->message ? c->message : "");
	o->what = c->op;
	o->rv = rv;
	o->cluster = sw_strdup(c->cluster);
	o->clusters = names_copy(c->clusters);
	o->message = sw_strdup(c->message);
	o->requeue_s = (c->requeue_after_ms + 999) / 1000;
	op_start(o);
	return SW_OK;
}
