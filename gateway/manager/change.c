/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change.c - what dispatch decides becomes durable: each decision is one compare-and-set on the Workload
 */
#include <stdlib.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/text.h"

static struct sw_err wrong_state(const struct row *r, const char *what)
{
	return sw_err(SW_E_INVALID, "workload %s: %s, but it %s", r->text, what,
		      r->flags & ROW_FINISHED   ? "is finished"
		      : r->flags & ROW_EVICTED  ? "is evicted"
		      : r->flags & ROW_RESERVED ? "has a winner already"
						: "has no quota");
}

static bool undecided(const struct row *r)
{
	return (r->flags & (ROW_RESERVED | ROW_EVICTED | ROW_FINISHED)) == ROW_RESERVED && !r->cluster;
}

static void nominate(json_t *w, const struct sw_change *c)
{
	json_t *list = json_object_new_array();

	for (const char *const *name = c->clusters; name && *name; name++)
		json_object_array_add(list, json_object_new_string(*name));
	if (json_object_array_length(list)) {
		sw_json_set(w, "status.nominatedClusterNames", list);
		return;
	}
	json_object_put(list);
	sw_json_del(w, "status.nominatedClusterNames");
}

static struct sw_err apply_nominate(struct emb *m, struct row *r, json_t *w, const struct sw_change *c, const char *now)
{
	(void)m;
	if (!undecided(r))
		return wrong_state(r, "clusters are to be nominated");
	nominate(w, c);
	workload_check(w, SW_CHECK_PENDING, c->message, now);
	return SW_OK;
}

static struct sw_err apply_message(struct emb *m, struct row *r, json_t *w, const struct sw_change *c, const char *now)
{
	(void)m;
	workload_check(w, (enum sw_check)r->check, c->message, now);
	return SW_OK;
}

static struct sw_err apply_win(struct emb *m, struct row *r, json_t *w, const struct sw_change *c, const char *now)
{
	if (!undecided(r))
		return wrong_state(r, "a cluster is to win");
	if (!c->cluster || !*c->cluster)
		return sw_err(SW_E_INVALID, "workload %s: expected the name of the cluster that wins", r->text);
	(void)m;
	sw_json_set_str(w, "status.clusterName", c->cluster);
	sw_json_del(w, "status.nominatedClusterNames");
	workload_check(w, SW_CHECK_READY, c->message, now);
	sw_json_set_condition(w, "Admitted", true, "Admitted", "The workload is admitted", now);
	return SW_OK;
}

static struct sw_err apply_reject(struct emb *m, struct row *r, json_t *w, const struct sw_change *c, const char *now)
{
	(void)m;
	if (r->flags & ROW_FINISHED)
		return wrong_state(r, "it is to be rejected");
	workload_check(w, SW_CHECK_REJECTED, c->message, now);
	sw_json_set_bool(w, "spec.active", false);
	sw_json_set_int(w, "metadata.generation", sw_json_int(w, "metadata.generation", 1) + 1);
	if (r->flags & ROW_RESERVED)
		workload_evict(w, c->reason ? c->reason : "AdmissionCheck", c->message ? c->message : "", now);
	return SW_OK;
}

typedef struct sw_err apply_fn(struct emb *m, struct row *r, json_t *w, const struct sw_change *c, const char *now);

static struct sw_err write_change(struct emb *m, struct row *r, const struct sw_change *c, apply_fn *apply,
				  sw_manager_fn *done, void *owner)
{
	json_t *w;
	uint64_t rv;
	char now[32];
	struct put put = {.done = done, .owner = owner, .key = r->text};
	struct sw_err e = emb_get_key(m, WORKLOADS, r->text, &w, &rv);

	if (sw_failed(e))
		return e;
	emb_now(m, now);
	e = rv == r->rv ? apply(m, r, w, c, now) : sw_err(SW_E_CONFLICT, "workload %s was changed meanwhile", r->text);
	if (!sw_failed(e))
		e = emb_put(m, WORKLOADS, w, rv, &put);
	if (!sw_failed(e) && c->op == SW_CHANGE_WIN) {
		emb_event_object(m, WORKLOADS, w, false, "Admitted",
				 "Admitted by ClusterQueue %s, dispatched to cluster %s",
				 r->cluster_queue ? r->cluster_queue : "", c->cluster);
		sw_metric_add(m->m_admitted, 1, c->cluster);
	}
	json_object_put(w);
	return e;
}

struct sw_err change_op(struct sw_manager *base, const char *key, uint64_t rv, const struct sw_change *c,
			sw_manager_fn *done, void *owner)
{
	static apply_fn *const writes[] = {
		[SW_CHANGE_NOMINATE] = apply_nominate,
		[SW_CHANGE_MESSAGE] = apply_message,
		[SW_CHANGE_WIN] = apply_win,
		[SW_CHANGE_REJECT] = apply_reject,
	};
	struct emb *m = emb_of(base);
	struct row *r = row_find(m, key);

	if (!r)
		return sw_err(SW_E_MISSING, "workload %s is gone", key);
	if (r->rv != rv || emb_in_flight(m, key, rv))
		return sw_err(SW_E_CONFLICT, "workload %s was changed meanwhile", key);
	if (c->op == SW_CHANGE_EVICT)
		return quota_evict(m, r, c->reason ? c->reason : "Evicted", c->message ? c->message : "", done, owner);
	if (c->op == SW_CHANGE_RELEASED)
		return quota_release(m, r, c, done, owner);
	return write_change(m, r, c, writes[c->op], done, owner);
}
