/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota.c - quota is reserved, a workload is evicted, quota comes back
 *
 * The queue counts a pick as admitted at once; its durable form is the Workload's reservation, one commit. If that
 * fails, the row is read again and the queue follows it. Quota comes back only with the release, when no copy can run
 * any more.
 */
#include <stdio.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { PUMP_SLICE = 16 };

/* ---- Workload -> queue --------------------------------------------------------------------- */

void quota_put(struct emb *m, const char *key, json_t *w, bool holds)
{
	const char *queue = sw_json_str(w, "spec.queueName"), *created = sw_json_str(w, "metadata.creationTimestamp");
	const char *cq = sw_json_str(w, "status.admission.clusterQueue"), *flavors[SW_AMOUNTS_MAX];
	struct sw_queue_amount list[SW_AMOUNTS_MAX];
	struct sw_queue_item item = {.key = key,
				     .local_queue = queue ? queue : "",
				     .priority = (int32_t)sw_json_int(w, "spec.priority", 0),
				     .not_before_ms = workload_not_before(w),
				     .amounts = list};
	struct sw_amounts amounts;
	struct sw_err e = workload_amounts(w, &amounts);

	if (sw_failed(e)) {
		sw_log(WARN, "manager", "workload asks for what cannot be counted", "key=%s error=\"%s\"", key, e.text);
		sw_queue_remove(m->queue, key);
		return;
	}
	for (size_t i = 0; i < amounts.n; i++)
		list[i] = (struct sw_queue_amount){amounts.at[i].resource, amounts.at[i].milli};
	item.n_amounts = amounts.n;
	if (created && sw_failed(sw_time_parse(created, &item.created_ms)))
		item.created_ms = 0;
	workload_flavors(w, &amounts, flavors);
	if (holds)
		sw_queue_put_admitted(m->queue, &item, cq ? cq : "", flavors);
	else
		sw_queue_put(m->queue, &item);
}

/* ---- queue -> Workload ------------------------------------------------------------------------ */

static void reserve_in(struct emb *m, json_t *w, const struct sw_queue_pick *pick)
{
	struct sw_amounts amounts;
	char now[32];

	emb_now(m, now);
	if (sw_failed(workload_amounts(w, &amounts)))
		amounts.n = 0; /* it was counted when it was put in */
	workload_reserve(w, pick, &amounts, now);
}

static bool may_reserve(struct emb *m, const char *key, json_t *w)
{
	struct row *r = row_find(m, key);
	json_t *active = sw_json_at(w, "spec.active");

	if (r && (r->flags & (ROW_JOB_GONE | ROW_USER_STOP)))
		return false;
	return !sw_json_condition_true(w, "QuotaReserved") && !sw_json_condition_true(w, "Finished") &&
	       !sw_json_str(w, "metadata.deletionTimestamp") && (!active || json_object_get_boolean(active));
}

static void reserve_stored(struct emb *m, const char *key, const struct sw_queue_pick *pick)
{
	json_t *w = NULL;
	uint64_t rv = 0;
	struct sw_err e = emb_get_key(m, WORKLOADS, key, &w, &rv);
	struct put put = {.key = key};

	if (!sw_failed(e) && !may_reserve(m, key, w))
		e = sw_err(SW_E_CONFLICT, "changed meanwhile");
	if (!sw_failed(e)) {
		reserve_in(m, w, pick);
		e = emb_put(m, WORKLOADS, w, rv, &put);
	}
	if (sw_failed(e)) { /* what was picked is not what is stored: its event puts it where it belongs */
		sw_queue_remove(m->queue, key);
		sw_reconciler_add_in(m->workloads, key, e.code == SW_E_CONFLICT ? 20 : 1000);
	} else {
		emb_event_object(m, WORKLOADS, w, false, "QuotaReserved", "Quota reserved in ClusterQueue %s",
				 pick->cluster_queue);
	}
	json_object_put(w);
}

static void on_pump(void *owner, struct sw_err e)
{
	struct emb *m = owner;

	(void)e;
	m->pump_wanted = false;
	quota_pump(m);
}

void quota_pump_soon(struct emb *m)
{
	if (m->pump_wanted || !m->synced)
		return;
	m->pump_wanted = true;
	emb_later(m, on_pump, m, SW_OK);
}

void quota_on_timer(void *owner)
{
	quota_pump_soon(owner);
}

void quota_pump(struct emb *m)
{
	int64_t now = sw_loop_wall(m->loop), due;
	struct sw_queue_pick pick;
	int n = 0;

	while (m->synced && n++ < PUMP_SLICE && sw_queue_next(m->queue, now, &pick)) {
		char key[KEY_MAX];

		snprintf(key, sizeof(key), "%s", pick.key);
		if (m->fresh && strcmp(key, m->fresh_key) == 0) {
			reserve_in(m, m->fresh, &pick);
			m->fresh_reserved = true;
		} else {
			reserve_stored(m, key, &pick);
		}
	}
	if (n > PUMP_SLICE)
		quota_pump_soon(m);
	due = sw_queue_next_due_ms(m->queue);
	if (due < INT64_MAX)
		sw_timer_in(m->pump_timer, due > now ? (uint64_t)(due - now) : 0);
}

/* ---- eviction, release ---------------------------------------------------------------------------- */

struct sw_err quota_evict(struct emb *m, struct row *r, const char *reason, const char *message, sw_manager_fn *done,
			  void *owner)
{
	json_t *w;
	uint64_t rv;
	char now[32], event[80];
	struct put put = {.done = done, .owner = owner, .key = r->text};
	struct sw_err e = emb_get_key(m, WORKLOADS, r->text, &w, &rv);

	if (sw_failed(e))
		return e;
	if (!sw_json_condition_true(w, "QuotaReserved") || sw_json_condition_true(w, "Evicted") ||
	    sw_json_condition_true(w, "Finished")) {
		emb_later(m, done, owner, SW_OK); /* so be it already */
		json_object_put(w);
		return SW_OK;
	}
	emb_now(m, now);
	workload_evict(w, reason, message, now);
	e = emb_put(m, WORKLOADS, w, rv, &put);
	if (!sw_failed(e)) {
		snprintf(event, sizeof(event), "EvictedDueTo%.60s", reason);
		emb_event_object(m, WORKLOADS, w, false, event, "%s", message);
		emb_event_job(m, r, false, "Stopped", message);
		sw_metric_add(m->m_evicted, 1, reason);
	}
	json_object_put(w);
	return e;
}

/* What the next attempt must not count back from. */
static void keep_base(json_t *w, json_t *job)
{
	static const char *const counters[] = {"failed", "succeeded", "replicaStatuses"};
	json_t *status = sw_json_key(job, "status"), *base = json_object_new_object();

	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
		if (sw_json_key(status, counters[i]))
			json_object_object_add(base, counters[i], json_object_get(sw_json_key(status, counters[i])));
	if (json_object_object_length(base))
		sw_json_set_annotation(w, SW_ANN_STATUS_BASE,
				       json_object_to_json_string_ext(base, JSON_C_TO_STRING_PLAIN));
	json_object_put(base);
}

json_t *quota_job_of(struct emb *m, const struct row *r, uint64_t *rv)
{
	char ns[260], name[254];
	json_t *job;

	snprintf(ns, sizeof(ns), "%.*s", (int)strcspn(r->text, "/"), r->text);
	row_job_name(r, name);
	if (sw_failed(emb_get(m, row_kind(r)->resource, ns, name, &job, rv)))
		return NULL;
	if (row_is_of(r, sw_json_str(job, "metadata.uid")))
		return job;
	json_object_put(job);
	return NULL;
}

/* The job is held again, in the same commit as the release: nothing of the attempt that is over shows as running. */
static void hold_job(struct emb *m, const struct row *r, json_t *job, uint64_t rv, const char *now)
{
	const struct sw_kind *k = row_kind(r);
	const char *why;
	char key[KEY_MAX];
	struct put put = {.retry = key};

	if (k->outcome(k, job, &why) != SW_UNFINISHED)
		return;
	if (!sw_kind_suspended(k, job))
		sw_json_set_int(job, "metadata.generation", sw_json_int(job, "metadata.generation", 1) + 1);
	sw_kind_suspend(k, job, true);
	job_reset_status(k, job, now);
	row_job_key(r, key);
	if (sw_failed(emb_put(m, k->resource, job, rv, &put)))
		sw_reconciler_add(m->jobs, key);
}

static struct sw_err release_write(struct emb *m, struct row *r, json_t *w, uint64_t rv, const struct sw_change *c,
				   const struct put *put)
{
	uint64_t job_rv = 0;
	json_t *job = quota_job_of(m, r, &job_rv);
	int64_t after = c->requeue_after_ms > 0 ? sw_loop_wall(m->loop) + c->requeue_after_ms : 0;
	char now[32];

	emb_now(m, now);
	if (!sw_json_condition_true(w, "Evicted"))
		workload_evict(w, c->reason ? c->reason : "Evicted", c->message ? c->message : "", now);
	if (job)
		keep_base(w, job);
	workload_release(w, after, now);
	struct sw_err e = emb_put(m, WORKLOADS, w, rv, put);

	if (!sw_failed(e) && job)
		hold_job(m, r, job, job_rv, now);
	json_object_put(job);
	return e;
}

struct sw_err quota_let_go(struct emb *m, struct row *r, sw_manager_fn *done, void *owner)
{
	json_t *w;
	uint64_t rv;
	struct put put = {.done = done, .owner = owner, .key = r->text};
	struct sw_err e = emb_get_key(m, WORKLOADS, r->text, &w, &rv);

	if (sw_failed(e))
		return e;
	bool last = finalizer_drop(w, SW_FINALIZER_COPIES);

	if (last && sw_json_str(w, "metadata.deletionTimestamp"))
		e = emb_erase(m, WORKLOADS, w, rv, &put);
	else
		e = emb_put(m, WORKLOADS, w, rv, &put);
	json_object_put(w);
	return e;
}

struct sw_err quota_release(struct emb *m, struct row *r, const struct sw_change *c, sw_manager_fn *done, void *owner)
{
	json_t *w;
	uint64_t rv;
	struct put put = {.done = done, .owner = owner, .key = r->text};

	if (r->flags & (ROW_FINISHED | ROW_DELETING))
		return quota_let_go(m, r, done, owner);
	struct sw_err e = emb_get_key(m, WORKLOADS, r->text, &w, &rv);

	if (sw_failed(e))
		return e;
	if (sw_json_condition_true(w, "QuotaReserved"))
		e = release_write(m, r, w, rv, c, &put);
	else
		emb_later(m, done, owner, SW_OK);
	json_object_put(w);
	return e;
}

/* ---- what the world asks of a workload -------------------------------------------------------------- */

static struct sw_err must_stop(struct emb *m, struct row *r)
{
	char ns[260];

	snprintf(ns, sizeof(ns), "%.*s", (int)strcspn(r->text, "/"), r->text);
	if (!(r->flags & ROW_ACTIVE))
		return quota_evict(m, r, EVICT_INACTIVE, "The workload is deactivated", NULL, NULL);
	if (r->flags & ROW_USER_STOP)
		return quota_evict(m, r, EVICT_SUSPENDED, "The job was suspended by its user", NULL, NULL);
	if (!row_stopped(m, r))
		return SW_OK;
	const char *cq = sw_queue_of(m->queue, ns, r->queue ? r->queue : "");
	const char *reason;
	char why[160];
	bool cluster = cq && !sw_queue_active(m->queue, cq, &reason, why) && strcmp(reason, "Stopped") == 0;

	return cluster ? quota_evict(m, r, EVICT_CQ_STOPPED, "The ClusterQueue is stopped", NULL, NULL)
		       : quota_evict(m, r, EVICT_LQ_STOPPED, "The LocalQueue is stopped", NULL, NULL);
}

static struct sw_err delete_workload(struct emb *m, const struct row *r)
{
	char ns[260];

	snprintf(ns, sizeof(ns), "%.*s", (int)strcspn(r->text, "/"), r->text);
	struct sw_obj_key key = {WORKLOADS, ns, r->text + strlen(ns) + 1};
	struct sw_err e = sw_api_object_delete(m->api, &key, NULL, NULL, NULL);

	return e.code == SW_E_MISSING ? SW_OK : e;
}

static struct sw_err workload_settle(struct emb *m, struct row *r)
{
	static const struct sw_change nothing = {.op = SW_CHANGE_RELEASED};
	unsigned f = r->flags;
	bool offered = (f & ROW_NOMINATED) || r->cluster; /* copies may exist: dispatch sweeps and releases */
	bool stays_away = !(f & ROW_ACTIVE) || (f & ROW_USER_STOP) || row_stopped(m, r);

	if ((f & ROW_JOB_GONE) && !(f & ROW_DELETING))
		return delete_workload(m, r);
	if ((f & (ROW_DELETING | ROW_FINISHED)) && (f & ROW_FINALIZER) && !offered)
		return quota_let_go(m, r, NULL, NULL);
	if ((f & (ROW_DELETING | ROW_FINISHED)) || !(f & ROW_RESERVED))
		return SW_OK;
	if (!(f & ROW_EVICTED))
		return stays_away ? must_stop(m, r) : SW_OK;
	return (f & ROW_OWN_EVICT) && !offered ? quota_release(m, r, &nothing, NULL, NULL) : SW_OK;
}

void workload_reconcile(void *owner, const char *key)
{
	struct emb *m = owner;
	struct row *r = row_find(m, key);
	struct sw_err e = SW_OK;

	if (r && !emb_in_flight(m, key, r->rv)) { /* else its event brings it back */
		row_requeue(m, r);
		e = workload_settle(m, r);
	}
	if (sw_failed(e) && sw_err_retry(e.code) != SW_RETRY_TERMINAL)
		sw_reconciler_fail(m->workloads, key, e);
	else
		sw_reconciler_done(m->workloads, key, 0);
}
