/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nominate.c - one workload at a time: ask the policy, see which round it is, write or wait
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "nominate_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { AGAIN_MS = 60 * 1000, SOON_MS = 1000 };

static void waits(struct sw_nominate *n, struct row *r, int64_t ms, const char *why)
{
	char text[sizeof(r->why)];

	sw_cut(text, sizeof(text), why);
	if (strcmp(text, r->why) != 0 && *text)
		sw_log(INFO, "nominate", "waits", "key=%s why=\"%s\"", r->key, text);
	memcpy(r->why, text, sizeof(text));
	r->until_ms = sw_loop_wall(n->opt.loop) + ms;
	sw_reconciler_done(n->queue, r->key, (uint64_t)ms);
}

/* What stands there stays; the new names come behind it. */
static void add_names(struct sw_nominate *n, struct row *r, const struct round_next *next, const char *reason)
{
	const char *names[NOMINATED_MAX];
	size_t count = nom_row_nominated(r->o, names);

	for (size_t i = 0; i < next->n && count < NOMINATED_MAX; i++)
		names[count++] = next->add[i];
	sw_cut(r->why, sizeof(r->why), reason);
	r->until_ms = sw_loop_wall(n->opt.loop) + next->wait_ms;
	struct sw_err e = nom_write_start(n, r, names, count, next->wait_ms);

	if (sw_failed(e))
		sw_reconciler_fail(n->queue, r->key, sw_err_wrap(e, "%s", r->key));
}

static void place(struct sw_nominate *n, struct row *r, const char *check)
{
	struct question *q = sw_calloc(1, sizeof(*q)); /* 100 kB with its steps: not for the stack */
	const char *nominated[NOMINATED_MAX];
	size_t count = nom_row_nominated(r->o, nominated);
	struct sw_err e = nom_question_ask(n, r->o, check, &r->recorded, q);
	struct round_next next = {0};

	if (!sw_failed(e))
		round_next(&q->plan, nominated, count, r->began_ms ? r->began_ms : nominate_written_ms(r->o),
			   sw_loop_wall(n->opt.loop), &next);
	if (sw_failed(e)) {
		nom_say(n, r, true, "NotNominated", e.text);
		waits(n, r, AGAIN_MS, e.text);
	} else if (next.n)
		add_names(n, r, &next, q->reason);
	else
		waits(n, r, next.wait_ms,
		      !q->plan.n ? (*q->reason ? q->reason : "the policy names no cluster now")
		      : next.all ? "every cluster of the plan is nominated"
				 : "the clusters nominated so far have time left");
	nom_question_fini(q);
	free(q);
}

static void reconcile(void *owner, const char *key)
{
	struct sw_nominate *n = owner;
	struct row *r = nom_row_find(n, key);
	const char *why, *check;

	if (!r || r->writing) {
		sw_reconciler_done(n->queue, key, 0); /* the write's reply or the watch brings it back */
		return;
	}
	if (!nom_feeds_synced(n, &why)) {
		sw_reconciler_done(n->queue, key, SOON_MS);
		return;
	}
	check = nom_row_check(n, r->o);
	if (check)
		place(n, r, check);
	else
		sw_reconciler_done(n->queue, key, 0); /* another check is not Ready yet, or it is not MultiKueue's */
}

/* ---- the configured clusters, looked at only ------------------------------------------------------- */

static void on_capacity(void *owner, const char *key, struct sw_worker *w)
{
	(void)owner; /* rounds have their own pace: what is free now is read when the policy is asked */
	(void)key;
	(void)w;
}

static struct sw_err look_open(struct sw_nominate *n)
{
	struct sw_workers_options opt = {.loop = n->opt.loop,
					 .http = n->opt.http,
					 .metrics = n->opt.metrics,
					 .config = n->opt.config,
					 .clusters = n->opt.clusters,
					 .catalog = n->opt.catalog,
					 .origin = "",
					 .observe = true,
					 .on_change = on_capacity,
					 .owner = n};

	return sw_workers_new(&opt, &n->workers);
}

struct sw_err sw_nominate_cluster_join(struct sw_nominate *n, const struct sw_cluster_cfg *cfg)
{
	struct sw_err e = sw_workers_find(n->workers, cfg->name) ? SW_OK : sw_workers_add(n->workers, cfg);

	nom_rows_kick(n);
	return e;
}

void sw_nominate_cluster_leave(struct sw_nominate *n, const char *cluster)
{
	struct sw_worker *w = sw_workers_find(n->workers, cluster);

	if (w) /* only looked at: nothing of it is under way here */
		sw_workers_drop(n->workers, w);
	nom_rows_kick(n);
}

/* ---- the way in --------------------------------------------------------------------------------------- */

struct sw_err sw_nominate_new(const struct sw_nominate_options *opt, struct sw_nominate **out)
{
	struct sw_nominate *n = sw_calloc(1, sizeof(*n));
	struct sw_err e;

	*out = NULL;
	n->opt = *opt;
	e = sw_reconciler_new(opt->loop, "nominate", reconcile, n, &n->queue);
	if (!sw_failed(e))
		e = nom_client_open(n);
	if (!sw_failed(e))
		e = look_open(n);
	if (!sw_failed(e))
		e = nom_feeds_open(n);
	if (sw_failed(e)) {
		sw_nominate_free(n);
		return e;
	}
	*out = n;
	return SW_OK;
}

void sw_nominate_free(struct sw_nominate *n)
{
	if (!n)
		return;
	nom_writes_cancel(n);
	nom_sayings_cancel(n);
	nom_feeds_close(n);
	nom_rows_free(n);
	sw_workers_free(n->workers);
	nom_client_close(n);
	sw_reconciler_free(n->queue);
	free(n);
}

void sw_nominate_catalog_changed(struct sw_nominate *n)
{
	sw_workers_catalog_changed(n->workers);
	nom_rows_kick(n);
}

void sw_nominate_set_policies(struct sw_nominate *n, struct sw_policy *policy, const struct sw_policy_rule *rules,
			      size_t n_rules)
{
	n->opt.policy = policy;
	n->opt.rules = rules;
	n->opt.n_rules = n_rules;
	nom_rows_kick(n);
}

struct sw_kube *sw_nominate_kube(struct sw_nominate *n)
{
	return n->kube;
}

bool sw_nominate_ready(const struct sw_nominate *n, const char **why)
{
	return nom_feeds_synced(n, why);
}
