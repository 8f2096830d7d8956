/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.c - a job gets its Workload, follows it, and goes when its time is over
 *
 * Keys of the reconciler are "jobs.batch NAMESPACE/NAME". Nothing runs here: unsuspended means "runs on its cluster".
 */
#include <stdio.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

struct view { /* of one job, read for one reconcile */
	const struct sw_kind *kind;
	json_t *job, *w;
	uint64_t job_rv, w_rv;
	const char *uid;
	char ns[260], name[254], wl_key[KEY_MAX];
	const char *key; /* of the reconciler */
};

bool job_stopped_by_user(json_t *job)
{
	const char *v = sw_json_annotation(job, SW_ANN_STOPPED);

	return v && strcmp(v, "true") == 0;
}

bool job_priority(struct emb *m, json_t *job, const char **class, int32_t *value)
{
	const char *wish = sw_json_label(job, SW_LABEL_PRIORITY);
	struct priority *p;

	HASH_FIND_STR(m->priorities, wish ? wish : "default", p);
	*class = p ? p->name : NULL;
	*value = p ? p->value : 0;
	return p || !wish;
}

static const char *queue_label(json_t *job)
{
	const char *q = sw_json_label(job, SW_LABEL_QUEUE);

	return q ? q : "";
}

static void workload_key(const struct sw_kind *k, json_t *job, char buf[KEY_MAX])
{
	char name[254];

	workload_name(k, sw_json_str(job, "metadata.name"), sw_json_str(job, "metadata.uid"), name);
	snprintf(buf, KEY_MAX, "%s/%s", sw_json_str(job, "metadata.namespace"), name);
}

/* ---- an event or a first list shows a job ------------------------------------------------------ */

static bool needs_work(struct emb *m, const struct sw_kind *k, json_t *job, const struct row *r)
{
	const char *why, *class;
	int32_t priority;
	bool finished = k->outcome(k, job, &why) != SW_UNFINISHED;

	if (finished)
		return sw_kind_ttl_s(k, job) >= 0 || (r && !(r->flags & ROW_FINISHED));
	if (!r || sw_kind_suspended(k, job) == (row_admitted(r) && !job_stopped_by_user(job)))
		return true;
	job_priority(m, job, &class, &priority);
	return (uint32_t)sw_json_int(job, "metadata.generation", 1) != r->job_generation || priority != r->priority ||
	       sw_demand_mark(job) != r->wishes || strcmp(queue_label(job), r->queue ? r->queue : "") != 0;
}

void job_seen(struct emb *m, const struct sw_kind *k, json_t *job, bool deleted)
{
	char wl_key[KEY_MAX], key[KEY_MAX];
	const char *ns = sw_json_str(job, "metadata.namespace"), *name = sw_json_str(job, "metadata.name"), *why;
	struct row *r;

	if (!ns || !name || !sw_json_str(job, "metadata.uid"))
		return;
	workload_key(k, job, wl_key);
	r = row_find(m, wl_key);
	if (r) {
		row_set_flag(m, r, ROW_JOB_SEEN, true);
		row_set_flag(m, r, ROW_JOB_GONE, deleted || sw_json_str(job, "metadata.deletionTimestamp"));
		row_set_flag(m, r, ROW_USER_STOP,
			     job_stopped_by_user(job) && k->outcome(k, job, &why) == SW_UNFINISHED);
	}
	if (deleted || !needs_work(m, k, job, r))
		return;
	snprintf(key, sizeof(key), "%s %s/%s", k->resource, ns, name);
	sw_reconciler_add(m->jobs, key);
}

/* ---- status while nothing runs -------------------------------------------------------------------- */

static void set_condition(json_t *job, const char *type, bool on, const char *reason, const char *message,
			  const char *now)
{
	sw_json_set_condition(job, type, on, reason, message, now);
}

void job_reset_status(const struct sw_kind *k, json_t *job, const char *now)
{
	static const char *const running[] = {"active", "ready", "terminating"};
	json_t *status = sw_json_key(job, "status"), *types = sw_json_key(status, "replicaStatuses");

	(void)k;
	for (size_t i = 0; status && i < sizeof(running) / sizeof(*running); i++)
		json_object_object_del(status, running[i]);
	if (status)
		json_object_object_del(status, "startTime");
	if (json_object_is_type(types, json_type_object)) {
		json_object_object_foreach(types, type, s)
		{
			(void)type;
			if (json_object_is_type(s, json_type_object))
				json_object_object_del(s, "active");
		}
	}
	if (sw_json_condition_true(job, "Running"))
		set_condition(job, "Running", false, "JobSuspended", "Job suspended", now);
	set_condition(job, "Suspended", true, "JobSuspended", "Job suspended", now);
}

/* ---- the Workload is made --------------------------------------------------------------------------- */

static struct sw_err view_create(struct emb *m, struct view *v)
{
	char now[32], name[254];
	const char *class;
	int32_t priority;
	struct sw_amounts amounts;
	struct put put = {.key = v->wl_key, .retry = v->key};

	workload_name(v->kind, v->name, v->uid, name);
	json_t *w = workload_build(v->kind, v->job, name);

	emb_begin(m, w);
	emb_now(m, now);
	job_priority(m, v->job, &class, &priority);
	workload_set_priority(w, class, priority);
	struct sw_err e = workload_amounts(w, &amounts);

	if (!sw_failed(e)) {
		m->fresh = w;
		m->fresh_key = v->wl_key;
		m->fresh_reserved = false;
		quota_put(m, v->wl_key, w, false);
		quota_pump(m); /* quota is free: created and reserved in one commit */
		m->fresh = NULL;
		if (!m->fresh_reserved)
			workload_pending(w, sw_queue_why(m->queue, v->wl_key, sw_loop_wall(m->loop)), now);
	}
	if (!sw_failed(e))
		e = emb_put(m, WORKLOADS, w, SW_RV_ABSENT, &put);
	if (sw_failed(e)) {
		sw_queue_remove(m->queue, v->wl_key);
	} else {
		emb_event_object(m, v->kind->resource, v->job, false, "CreatedWorkload", "Created Workload: %s",
				 v->wl_key);
		if (m->fresh_reserved)
			emb_event_object(m, WORKLOADS, w, false, "QuotaReserved", "Quota reserved in ClusterQueue %s",
					 sw_json_str(w, "status.admission.clusterQueue"));
	}
	m->fresh_reserved = false;
	json_object_put(w);
	return e;
}

/* ---- the Workload follows the job ---------------------------------------------------------------------- */

enum { SAME, PRIORITY = 1, QUEUE = 2, PODS = 4, WISHES = 8 };

static unsigned differs(struct emb *m, struct view *v, const char **class, int32_t *priority)
{
	const char *queue = sw_json_str(v->w, "spec.queueName"), *had = sw_json_str(v->w, "spec.priorityClassRef.name");
	struct row *r = row_find(m, v->wl_key);
	uint32_t generation = (uint32_t)sw_json_int(v->job, "metadata.generation", 1);
	unsigned d = SAME;

	job_priority(m, v->job, class, priority);
	if (*priority != (int32_t)sw_json_int(v->w, "spec.priority", 0) ||
	    strcmp(*class ? *class : "", had ? had : "") != 0)
		d |= PRIORITY;
	if (strcmp(queue_label(v->job), queue ? queue : "") != 0)
		d |= QUEUE;
	if (r && r->wishes != sw_demand_mark(v->job))
		d |= WISHES;
	if (r && r->job_generation == generation)
		return d;
	json_t *sets = workload_podsets(v->kind, v->job);

	if (!json_object_equal(sets, sw_json_at(v->w, "spec.podSets")))
		d |= PODS;
	else if (r)
		r->job_generation = generation; /* suspended or resumed: nothing that the Workload shows */
	json_object_put(sets);
	return d;
}

static struct sw_err rewrite(struct emb *m, struct view *v, unsigned what, const char *class, int32_t priority)
{
	struct put put = {.key = v->wl_key, .retry = v->key};
	char generation[24];

	workload_set_priority(v->w, class, priority);
	if (what & QUEUE)
		sw_json_set_str(v->w, "spec.queueName", queue_label(v->job));
	if (what & PODS)
		sw_json_set(v->w, "spec.podSets", workload_podsets(v->kind, v->job));
	snprintf(generation, sizeof(generation), "%lld", (long long)sw_json_int(v->job, "metadata.generation", 1));
	sw_json_set_annotation(v->w, SW_ANN_JOB_GENERATION, generation);
	workload_mark_wishes(v->w, v->job);
	sw_json_set_int(v->w, "metadata.generation", sw_json_int(v->w, "metadata.generation", 1) + 1);
	return emb_put(m, WORKLOADS, v->w, v->w_rv, &put);
}

static struct sw_err workload_follow(struct emb *m, struct view *v)
{
	const char *class;
	int32_t priority;
	unsigned d = differs(m, v, &class, &priority);
	bool reserved = sw_json_condition_true(v->w, "QuotaReserved");
	struct row *r = row_find(m, v->wl_key);

	if (d == SAME)
		return SW_OK;
	if (!reserved || !(d & ~(unsigned)(PRIORITY | WISHES)))
		return rewrite(m, v, d, class, priority);
	if (!r || row_admitted(r))
		return SW_OK; /* a running job's spec is refused at the door; what slipped in counts for the next
				 attempt */
	return quota_evict(m, r, EVICT_CHANGED, "The job was changed while it waited", NULL, NULL);
}

/* ---- the job follows the Workload ------------------------------------------------------------------------ */

static struct sw_err job_follow(struct emb *m, struct view *v)
{
	bool won = v->w && sw_json_str(v->w, "status.clusterName") && sw_json_condition_true(v->w, "QuotaReserved") &&
		   !sw_json_condition_true(v->w, "Evicted");
	bool hold = !won || job_stopped_by_user(v->job);
	struct put put = {.retry = v->key};
	char now[32];

	if (sw_kind_suspended(v->kind, v->job) == hold)
		return SW_OK;
	emb_now(m, now);
	sw_kind_suspend(v->kind, v->job, hold);
	sw_json_set_int(v->job, "metadata.generation", sw_json_int(v->job, "metadata.generation", 1) + 1);
	if (hold)
		job_reset_status(v->kind, v->job, now);
	else
		set_condition(v->job, "Suspended", false, "JobResumed", "Job resumed", now);
	struct sw_err e = emb_put(m, v->kind->resource, v->job, v->job_rv, &put);

	if (!sw_failed(e) && !hold)
		emb_event_object(m, v->kind->resource, v->job, false, "Started",
				 "Admitted by clusterQueue %s, runs on cluster %s",
				 sw_json_str(v->w, "status.admission.clusterQueue"),
				 sw_json_str(v->w, "status.clusterName"));
	return e;
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

static int64_t finished_ms(json_t *job)
{
	static const char *const ends[] = {"Complete", "Failed", "Succeeded"};
	const char *at = sw_json_str(job, "status.completionTime");
	int64_t ms = 0;

	for (size_t i = 0; !at && i < sizeof(ends) / sizeof(*ends); i++)
		at = sw_json_condition_true(job, ends[i])
			     ? sw_json_str(sw_json_condition(job, ends[i]), "lastTransitionTime")
			     : NULL;
	if (at && sw_failed(sw_time_parse(at, &ms)))
		ms = 0;
	return ms;
}

static struct sw_err delete_job(struct emb *m, struct view *v)
{
	struct sw_obj_key key = {v->kind->resource, v->ns, v->name};
	struct sw_err e = sw_api_object_delete(m->api, &key, v->uid, NULL, NULL);

	return e.code == SW_E_MISSING || e.code == SW_E_CONFLICT ? SW_OK : e;
}

/* again_ms: when to look again; 0: never. */
static struct sw_err after_end(struct emb *m, struct view *v, enum sw_outcome outcome, uint64_t *again_ms)
{
	struct row *r = row_find(m, v->wl_key);
	int64_t ttl = sw_kind_ttl_s(v->kind, v->job), now = sw_loop_wall(m->loop), due;
	const char *end = outcome == SW_SUCCEEDED ? "Job finished successfully" : "Job failed";
	struct put put = {.key = v->wl_key, .retry = v->key};
	struct sw_err e = r && !(r->flags & ROW_FINISHED) ? finish_workload(m, v->wl_key, outcome, end, &put) : SW_OK;

	if (sw_failed(e) || ttl < 0)
		return e;
	due = finished_ms(v->job) + ttl * 1000;
	if (due > now)
		*again_ms = due - now > 3600000 ? 3600000 : (uint64_t)(due - now);
	else
		e = delete_job(m, v);
	return e;
}

/* ---- one look --------------------------------------------------------------------------------------------------- */

static struct sw_err view_settle(struct emb *m, struct view *v, uint64_t *again_ms)
{
	const char *why;
	enum sw_outcome outcome = v->kind->outcome(v->kind, v->job, &why);
	struct sw_err e;

	if (sw_json_str(v->job, "metadata.deletionTimestamp"))
		return SW_OK;
	if (outcome != SW_UNFINISHED)
		return after_end(m, v, outcome, again_ms);
	e = emb_get_key(m, WORKLOADS, v->wl_key, &v->w, &v->w_rv);
	if (e.code == SW_E_MISSING && !sw_kind_suspended(v->kind, v->job))
		return job_follow(m,
				  v); /* its Workload was deleted under it: held first, queued by the event of that */
	if (e.code ==
	    SW_E_MISSING) /* a job that is stopped before it ever waited gets its Workload when it is resumed */
		return job_stopped_by_user(v->job) ? SW_OK : view_create(m, v);
	if (job_stopped_by_user(v->job) && !row_find(m, v->wl_key))
		*again_ms = 20; /* its Workload is being created: the row will have to know */
	if (sw_failed(e) || sw_json_condition_true(v->w, "Finished") || sw_json_str(v->w, "metadata.deletionTimestamp"))
		return e;
	e = job_follow(m, v);
	return sw_failed(e) ? e : workload_follow(m, v);
}

static struct sw_err view_read(struct emb *m, struct view *v)
{
	const char *blank = strchr(v->key, ' '), *slash = blank ? strchr(blank, '/') : NULL;
	char resource[128];

	SW_REQUIRE(slash);
	snprintf(resource, sizeof(resource), "%.*s", (int)(blank - v->key), v->key);
	snprintf(v->ns, sizeof(v->ns), "%.*s", (int)(slash - blank - 1), blank + 1);
	snprintf(v->name, sizeof(v->name), "%s", slash + 1);
	v->kind = sw_kind_find(resource);
	SW_REQUIRE(v->kind);
	struct sw_err e = emb_get(m, resource, v->ns, v->name, &v->job, &v->job_rv);

	if (!sw_failed(e)) {
		v->uid = sw_json_str(v->job, "metadata.uid");
		workload_key(v->kind, v->job, v->wl_key);
	}
	return e;
}

void job_reconcile(void *owner, const char *key)
{
	struct emb *m = owner;
	struct view v = {.key = key};
	uint64_t again_ms = 0;
	struct sw_err e = view_read(m, &v);

	if (!sw_failed(e))
		e = view_settle(m, &v, &again_ms);
	else if (e.code == SW_E_MISSING)
		e = SW_OK;
	if (v.w && row_find(m, v.wl_key))
		row_set_flag(m, row_find(m, v.wl_key), ROW_USER_STOP, job_stopped_by_user(v.job));
	json_object_put(v.job);
	json_object_put(v.w);
	if (sw_failed(e) && sw_err_retry(e.code) != SW_RETRY_TERMINAL)
		sw_reconciler_fail(m->jobs, key, e);
	else
		sw_reconciler_done(m->jobs, key, again_ms);
	if (sw_failed(e) && sw_err_retry(e.code) == SW_RETRY_TERMINAL)
		sw_log(WARN, "manager", "job cannot be queued", "job=\"%s\" error=\"%s\"", key, e.text);
}
