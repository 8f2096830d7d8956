/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload.c - Workload objects: made from a job, and moved from state to state; pure
 *
 * Names, conditions, reasons and messages are Kueue's (v0.19.2: pkg/controller/jobframework/workload_names.go,
 * pkg/workload/workload.go, admissionchecks.go), so that what users know from Kueue holds here.
 */
#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/text.h"

enum { HASH_LEN = 5, PREFIX_MAX = 253 - 1 - HASH_LEN };

void workload_name(const struct sw_kind *k, const char *job, const char *uid, char buf[254])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct sw_buf in;
	size_t n;

	sw_buf_init(&in, 4096);
	sw_buf_printf(&in, "%s\n%s\n%s\n%s", k->kind, k->group, job, uid);
	SW_REQUIRE(sw_buf_ok(&in) && EVP_Digest(in.at, in.len, digest, NULL, EVP_sha1(), NULL) == 1);
	sw_buf_fini(&in);
	n = (size_t)snprintf(buf, PREFIX_MAX + 1, "%s-%s", k->kind, job);
	n = n > PREFIX_MAX ? PREFIX_MAX : n;
	for (size_t i = 0; k->kind[i]; i++)
		buf[i] = (char)tolower((unsigned char)buf[i]);
	snprintf(buf + n, 254 - n, "-%02x%02x%x", digest[0], digest[1], digest[2] >> 4);
}

/* ---- made from a job ------------------------------------------------------------------------ */

json_t *workload_podsets(const struct sw_kind *k, json_t *job)
{
	json_t *copy = sw_json_copy(job), *list = json_object_new_array();
	struct sw_podset sets[SW_PODSETS_MAX];

	k->prepare(k, copy);
	for (size_t i = 0, n = k->podsets(k, copy, sets); i < n; i++) {
		json_t *set = json_object_new_object();

		sw_json_set_str(set, "name", sets[i].name);
		sw_json_set_int(set, "count", sets[i].count);
		json_object_object_add(set, "template", json_object_get(sets[i].template));
		json_object_array_add(list, set);
	}
	json_object_put(copy);
	return list;
}

void workload_set_priority(json_t *w, const char *class, int32_t value)
{
	sw_json_set_int(w, "spec.priority", value);
	if (!class) {
		sw_json_del(w, "spec.priorityClassRef");
		return;
	}
	sw_json_set_str(w, "spec.priorityClassRef.group", "kueue.x-k8s.io");
	sw_json_set_str(w, "spec.priorityClassRef.kind", "WorkloadPriorityClass");
	sw_json_set_str(w, "spec.priorityClassRef.name", class);
}

static json_t *owner_of(const struct sw_kind *k, json_t *job)
{
	json_t *o = json_object_new_object();

	sw_json_set_str(o, "apiVersion", sw_json_str(job, "apiVersion"));
	sw_json_set_str(o, "kind", k->kind);
	sw_json_set_str(o, "name", sw_json_str(job, "metadata.name"));
	sw_json_set_str(o, "uid", sw_json_str(job, "metadata.uid"));
	sw_json_set_bool(o, "controller", true);
	sw_json_set_bool(o, "blockOwnerDeletion", true);
	return o;
}

void workload_mark_wishes(json_t *w, json_t *job)
{
	char mark[24];

	snprintf(mark, sizeof(mark), "%lu", (unsigned long)sw_demand_mark(job));
	sw_json_set_annotation(w, SW_ANN_WISHES, mark);
}

json_t *workload_build(const struct sw_kind *k, json_t *job, const char *name)
{
	json_t *w = json_object_new_object(), *owners = json_object_new_array();
	const char *queue = sw_json_label(job, SW_LABEL_QUEUE);
	char owner[400], generation[24];

	sw_json_set_str(w, "apiVersion", "kueue.x-k8s.io/v1beta2");
	sw_json_set_str(w, "kind", "Workload");
	sw_json_set_str(w, "metadata.name", name);
	sw_json_set_str(w, "metadata.namespace", sw_json_str(job, "metadata.namespace"));
	sw_json_set_label(w, SW_LABEL_JOB_UID, sw_json_str(job, "metadata.uid"));
	snprintf(owner, sizeof(owner), "%s/%s", k->resource, sw_json_str(job, "metadata.name"));
	snprintf(generation, sizeof(generation), "%lld", (long long)sw_json_int(job, "metadata.generation", 1));
	sw_json_set_annotation(w, SW_ANN_OWNER, owner);
	sw_json_set_annotation(w, SW_ANN_JOB_GENERATION, generation);
	if (sw_demand_mark(job))
		workload_mark_wishes(w, job);
	json_object_array_add(owners, owner_of(k, job));
	sw_json_set(w, "metadata.ownerReferences", owners);
	sw_json_set(w, "spec.podSets", workload_podsets(k, job));
	sw_json_set_str(w, "spec.queueName", queue ? queue : "");
	sw_json_set_bool(w, "spec.active", true);
	return w;
}

struct sw_err workload_amounts(json_t *w, struct sw_amounts *out)
{
	json_t *sets = sw_json_at(w, "spec.podSets");
	struct sw_amounts pod, one = {.at = {{"pods", 1000}}, .n = 1};
	struct sw_err e = SW_OK;

	out->n = 0;
	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(sets); i++) {
		json_t *set = sw_json_idx(sets, i);
		int64_t count = sw_json_int(set, "count", 1);
		char path[64];

		snprintf(path, sizeof(path), "spec.podSets[%zu].template.spec", i);
		e = sw_pod_amounts(sw_json_at(set, "template.spec"), path, true, &pod);
		if (!sw_failed(e))
			e = sw_amounts_add(out, &pod, count);
		if (!sw_failed(e))
			e = sw_amounts_add(out, &one, count);
	}
	return e;
}

int64_t workload_not_before(json_t *w)
{
	const char *at = sw_json_str(w, "status.requeueState.requeueAt");
	int64_t ms = 0;

	if (at && sw_failed(sw_time_parse(at, &ms)))
		ms = 0;
	return ms;
}

/* ---- states ----------------------------------------------------------------------------------- */

static json_t *check_of(json_t *w)
{
	json_t *list = sw_json_at(w, "status.admissionChecks");

	for (size_t i = 0; i < sw_json_len(list); i++) {
		const char *name = sw_json_str(sw_json_idx(list, i), "name");

		if (name && strcmp(name, SW_CHECK_NAME) == 0)
			return sw_json_idx(list, i);
	}
	return NULL;
}

void workload_check(json_t *w, enum sw_check state, const char *message, const char *now)
{
	json_t *c = check_of(w);
	const char *was = sw_json_str(c, "state");

	if (!c) {
		json_t *list = sw_json_at(w, "status.admissionChecks");

		if (!list)
			sw_json_set(w, "status.admissionChecks", list = json_object_new_array());
		c = json_object_new_object();
		sw_json_set_str(c, "name", SW_CHECK_NAME);
		json_object_array_add(list, c);
	}
	if (!was || strcmp(was, sw_check_name(state)) != 0)
		sw_json_set_str(c, "lastTransitionTime", now);
	sw_json_set_str(c, "state", sw_check_name(state));
	if (message || !sw_json_str(c, "message"))
		sw_json_set_str(c, "message", message ? message : "");
}

void workload_pending(json_t *w, const char *why, const char *now)
{
	sw_json_set_condition(w, "QuotaReserved", false, "Pending", why, now);
}

/* What one pod set asks for, times its count, by flavor. */
static json_t *assignment(json_t *set, const struct sw_queue_pick *pick, const struct sw_amounts *amounts)
{
	json_t *a = json_object_new_object(), *flavors = json_object_new_object(), *usage = json_object_new_object();
	int64_t count = sw_json_int(set, "count", 1);
	struct sw_amounts pod;
	char text[32];

	if (sw_failed(sw_pod_amounts(sw_json_at(set, "template.spec"), "", true, &pod)))
		pod.n = 0;
	for (size_t i = 0; i < amounts->n; i++) {
		bool pods = strcmp(amounts->at[i].resource, "pods") == 0;
		int64_t milli = pods ? 1000 : sw_amounts_get(&pod, amounts->at[i].resource);

		if (!pick->flavor[i] || !milli)
			continue;
		json_object_object_add(flavors, amounts->at[i].resource, json_object_new_string(pick->flavor[i]));
		json_object_object_add(usage, amounts->at[i].resource,
				       json_object_new_string(sw_quantity_text(milli * count, text)));
	}
	sw_json_set_str(a, "name", sw_json_str(set, "name"));
	json_object_object_add(a, "flavors", flavors);
	json_object_object_add(a, "resourceUsage", usage);
	sw_json_set_int(a, "count", count);
	return a;
}

void workload_reserve(json_t *w, const struct sw_queue_pick *pick, const struct sw_amounts *amounts, const char *now)
{
	json_t *sets = sw_json_at(w, "spec.podSets"), *list = json_object_new_array(),
	       *evicted = sw_json_condition(w, "Evicted");
	char text[300];

	for (size_t i = 0; i < sw_json_len(sets); i++)
		json_object_array_add(list, assignment(sw_json_idx(sets, i), pick, amounts));
	sw_json_set_str(w, "status.admission.clusterQueue", pick->cluster_queue);
	sw_json_set(w, "status.admission.podSetAssignments", list);
	snprintf(text, sizeof(text), "Quota reserved in ClusterQueue %.200s", pick->cluster_queue);
	sw_json_set_condition(w, "QuotaReserved", true, "QuotaReserved", text, now);
	if (evicted && sw_json_condition_true(w, "Evicted")) {
		snprintf(text, sizeof(text), "Previously: %.250s", sw_json_str(evicted, "message"));
		sw_json_set_condition(w, "Evicted", false, "QuotaReserved", text, now);
	}
	workload_check(w, SW_CHECK_PENDING, "", now);
	finalizer_add(w, SW_FINALIZER_COPIES);
}

void workload_flavors(json_t *w, const struct sw_amounts *amounts, const char *flavors[SW_AMOUNTS_MAX])
{
	json_t *list = sw_json_at(w, "status.admission.podSetAssignments");

	for (size_t i = 0; i < amounts->n; i++) {
		flavors[i] = NULL;
		for (size_t s = 0; !flavors[i] && s < sw_json_len(list); s++)
			flavors[i] = json_object_get_string(
				sw_json_key(sw_json_key(sw_json_idx(list, s), "flavors"), amounts->at[i].resource));
	}
}

void workload_evict(json_t *w, const char *reason, const char *message, const char *now)
{
	sw_json_set_condition(w, "Evicted", true, reason, message, now);
}

/* status.schedulingStats.evictions[reason].count += 1: their sum + 1 is the attempt. */
static void count_eviction(json_t *w, const char *reason)
{
	json_t *list = sw_json_at(w, "status.schedulingStats.evictions"), *entry = NULL;

	if (!list)
		sw_json_set(w, "status.schedulingStats.evictions", list = json_object_new_array());
	for (size_t i = 0; !entry && i < sw_json_len(list); i++) {
		const char *r = sw_json_str(sw_json_idx(list, i), "reason");

		if (r && strcmp(r, reason) == 0)
			entry = sw_json_idx(list, i);
	}
	if (!entry) {
		entry = json_object_new_object();
		sw_json_set_str(entry, "reason", reason);
		sw_json_set_str(entry, "underlyingCause", "");
		json_object_array_add(list, entry);
	}
	sw_json_set_int(entry, "count", sw_json_int(entry, "count", 0) + 1);
}

void workload_release(json_t *w, int64_t requeue_at_ms, const char *now)
{
	json_t *evicted = sw_json_condition(w, "Evicted"), *check = check_of(w);
	const char *reason = sw_json_str(evicted, "reason"), *message = sw_json_str(evicted, "message");
	const char *state = sw_json_str(check, "state"), *said = sw_json_str(check, "message");
	char text[512], at[32];

	count_eviction(w, reason ? reason : "Evicted");
	sw_json_set_condition(w, "QuotaReserved", false, "Pending", message ? message : "", now);
	if (sw_json_condition(w, "Admitted"))
		sw_json_set_condition(w, "Admitted", false, "NoReservation", "The workload has no reservation", now);
	sw_json_del(w, "status.admission");
	sw_json_del(w, "status.clusterName");
	sw_json_del(w, "status.nominatedClusterNames");
	if (state && strcmp(state, sw_check_name(SW_CHECK_REJECTED)) != 0) {
		snprintf(text, sizeof(text), "Reset to Pending after eviction. Previously: %s%s%.400s", state,
			 said && *said ? ": " : "", said ? said : "");
		workload_check(w, SW_CHECK_PENDING, text, now);
	}
	sw_json_del(w, "status.requeueState.requeueAt");
	if (requeue_at_ms <= 0)
		return;
	sw_json_set_int(w, "status.requeueState.count", sw_json_int(w, "status.requeueState.count", 0) + 1);
	sw_json_set_str(w, "status.requeueState.requeueAt", sw_time_text((requeue_at_ms + 999) / 1000 * 1000, at));
}

void workload_finish(json_t *w, enum sw_outcome outcome, const char *message, const char *now)
{
	sw_json_set_condition(w, "Finished", true, outcome == SW_SUCCEEDED ? "Succeeded" : "Failed", message, now);
}

/* ---- finalizers ----------------------------------------------------------------------------------- */

static size_t finalizer_at(json_t *list, const char *name)
{
	size_t i = 0, n = sw_json_len(list);

	for (; i < n; i++) {
		const char *s = json_object_get_string(sw_json_idx(list, i));

		if (s && strcmp(s, name) == 0)
			break;
	}
	return i;
}

bool finalizer_has(json_t *o, const char *name)
{
	json_t *list = sw_json_at(o, "metadata.finalizers");

	return finalizer_at(list, name) < sw_json_len(list);
}

void finalizer_add(json_t *o, const char *name)
{
	json_t *list = sw_json_at(o, "metadata.finalizers");

	if (finalizer_has(o, name))
		return;
	if (!list)
		sw_json_set(o, "metadata.finalizers", list = json_object_new_array());
	json_object_array_add(list, json_object_new_string(name));
}

bool finalizer_drop(json_t *o, const char *name)
{
	json_t *list = sw_json_at(o, "metadata.finalizers");
	size_t i = finalizer_at(list, name);

	if (i < sw_json_len(list))
		json_object_array_del_idx(list, i, 1);
	if (sw_json_len(list))
		return false;
	sw_json_del(o, "metadata.finalizers");
	return true;
}
