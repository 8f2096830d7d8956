/* SPDX-License-Identifier: Apache-2.0 */
/* test_kueue.c - a cluster with Kueue: mirrors, the job made from one, queues, and what Kueue may say about them */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "spillway/text.h"

#define JOB    "/apis/batch/v1/namespaces/ns/jobs/a"
#define MIRROR "/apis/kueue.x-k8s.io/v1beta2/namespaces/ns/workloads/job-a"
#define QUEUES "/apis/kueue.x-k8s.io/v1beta2/"

static struct sw_demand demand;

static json_t *workload(void)
{
	return sw_json_fmt("{\"apiVersion\":\"kueue.x-k8s.io/v1beta2\",\"kind\":\"Workload\",\"metadata\":{\"name\":"
			   "\"job-a\",\"namespace\":\"ns\",\"uid\":\"wl-1\",\"resourceVersion\":\"77\","
			   "\"labels\":{\"kueue.x-k8s.io/job-uid\":\"owner-1\",\"team\":\"x\",\"kueue.x-k8s.io/"
			   "multikueue-origin\":\"multikueue\"},"
			   "\"annotations\":{\"note\":\"y\"},\"finalizers\":[\"f\"],\"ownerReferences\":[{\"uid\":"
			   "\"owner-1\"}]},"
			   "\"spec\":{\"queueName\":\"lq\",\"priority\":3,\"podSets\":[{\"name\":\"main\",\"count\":2,"
			   "\"template\":{\"metadata\":{},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"of-the-"
			   "workload\","
			   "\"resources\":{\"limits\":{\"nvidia.com/gpu\":\"1\"}}}]}}}]},"
			   "\"status\":{\"admission\":{\"clusterQueue\":\"home\"}}}");
}

static struct sw_offer offer(unsigned attempt, json_t *of)
{
	demand = (struct sw_demand){.n_sets = 1, .total = {.n = 1, .at = {{"nvidia.com/gpu", 2000}}}};
	demand.sets[0] = (struct sw_podset){.count = 2, .gpus = 1, .gpu_resource = "nvidia.com/gpu"};
	return (struct sw_offer){.key = "ns/job-a",
				 .kind = sw_kind_named("job"),
				 .ns = "ns",
				 .name = "a",
				 .owner_uid = "owner-1",
				 .attempt = attempt,
				 .pool = "v100",
				 .demand = &demand,
				 .workload = of};
}

static struct cluster *begun(void)
{
	struct cluster *c = cluster_new();
	c->cfg.worker = "kueue";
	cluster_node(c, "n0", "V100", 4, 16);
	cluster_node(c, "n1", "T4", 4, 16);
	cluster_open(c);
	cr_assert(sw_worker_state(c->w).ready, "%s", sw_worker_state(c->w).why);
	return c;
}

static struct sw_err finish(struct cluster *c, struct sw_err e)
{
	if (sw_failed(e))
		return e;
	cluster_turn(c, 0);
	return c->last;
}

static struct sw_err offer_once(struct cluster *c, unsigned attempt)
{
	json_t *w = workload();
	struct sw_offer o = offer(attempt, w);
	struct sw_err e = finish(c, sw_worker_offer(c->w, &o, cluster_done, c));
	json_object_put(w);
	return e;
}

static struct sw_err start_once(struct cluster *c, unsigned attempt)
{
	struct sw_offer o = offer(attempt, NULL);
	json_t *job = cluster_job("ns", "a", 2, 1);
	struct sw_err e = finish(c, sw_worker_start(c->w, &o, job, cluster_done, c));
	json_object_put(job);
	return e;
}

static struct sw_offered look(struct cluster *c)
{
	return sw_worker_offered(c->w, "ns/job-a", "owner-1");
}

static void set(struct cluster *c, const char *path, const char *value)
{
	json_t *m = sw_json_copy(cluster_get(c, MIRROR));
	sw_json_set(m, path, json_tokener_parse(value));
	cluster_put(c, MIRROR, m);
	cluster_turn(c, 0);
}

#define TRUE_(type, reason) "{\"type\":\"" type "\",\"status\":\"True\",\"reason\":\"" reason "\",\"message\":\"said\"}"
#define ADMITTED            TRUE_("QuotaReserved", "q") "," TRUE_("Admitted", "a")
#define TAKEN               "[{\"kind\":\"Job\",\"uid\":\"j\",\"controller\":true}]"

Test(kueue, a_mirror_is_the_workload_without_owner_translated_for_the_pool)
{
	struct cluster *c = begun();
	cr_expect(sw_worker_takes_offers(c->w));
	cr_expect_eq(look(c).seen, SW_COPY_ABSENT);
	cr_assert(!sw_failed(offer_once(c, 1)), "%s", c->last.text);
	json_t *m = cluster_get(c, MIRROR);
	cr_assert_not_null(m);
	cr_expect_null(sw_json_at(m, "metadata.ownerReferences"));
	cr_expect_null(sw_json_at(m, "metadata.finalizers"));
	cr_expect_null(sw_json_at(m, "status"));
	cr_expect_null(sw_json_label(m, SW_LABEL_JOB_UID), "an ownerless Workload with it is given up");
	cr_expect_null(sw_json_label(m, "kueue.x-k8s.io/multikueue-origin"));
	cr_expect_str_eq(sw_json_label(m, "team"), "x");
	cr_expect_str_eq(sw_json_annotation(m, "note"), "y");
	cr_expect_str_eq(sw_json_label(m, SW_LABEL_ORIGIN), "us");
	cr_expect_str_eq(sw_json_annotation(m, SW_ANN_OWNER_UID), "owner-1");
	cr_expect_str_eq(sw_json_str(m, "spec.queueName"), "lq");
	json_t *pod = sw_json_at(sw_json_idx(sw_json_at(m, "spec.podSets"), 0), "template.spec");
	cr_expect_str_eq(json_object_get_string(sw_json_key(sw_json_key(pod, "nodeSelector"), "spillway.dev/gpu")),
			 "V100");
	struct sw_offered o = look(c);
	cr_expect(o.seen == SW_COPY_OURS && o.attempt == 1 && !o.ready && !o.taken && !o.over);
	cr_expect_str_eq(o.pool, "v100");
	cr_expect_eq(sw_worker_offered(c->w, "ns/job-a", "owner-2").seen, SW_COPY_STALE);
	cluster_free(c);
}

static struct sw_err prioritize_once(struct cluster *c, const char *uid, const char *class, int32_t priority)
{
	return finish(c, sw_worker_prioritize(c->w, "ns/job-a", uid, class, priority, cluster_done, c));
}

Test(kueue, a_mirror_gets_a_new_priority_and_says_which_it_was_given)
{
	struct cluster *c = begun();
	cr_assert_eq(prioritize_once(c, "u", "high", 9).code, SW_E_BUSY, "there is none");
	cr_assert(!sw_failed(offer_once(c, 1)));
	cr_expect(look(c).priority == 3 && strcmp(look(c).priority_class, "") == 0);
	set(c, "spec.priorityClassRef",
	    "{\"group\":\"scheduling.k8s.io\",\"kind\":\"PriorityClass\",\"name\":\"pods\"}");
	cr_expect_str_eq(look(c).priority_class, "", "a class of pods never changes");
	set(c, "spec.priorityClassRef",
	    "{\"group\":\"kueue.x-k8s.io\",\"kind\":\"WorkloadPriorityClass\",\"name\":\"low\"}");
	cr_expect_str_eq(look(c).priority_class, "low");
	char *uid = sw_strdup(look(c).uid);
	cr_assert_eq(prioritize_once(c, "another", "high", 9).code, SW_E_BUSY);
	cr_assert(!sw_failed(prioritize_once(c, uid, "high", -9)), "%s", c->last.text);
	json_t *m = cluster_get(c, MIRROR);
	cr_expect_eq(sw_json_int(m, "spec.priority", 0), -9);
	cr_expect_str_eq(sw_json_str(m, "spec.priorityClassRef.name"), "high");
	cr_expect_str_eq(sw_json_str(m, "spec.queueName"), "lq", "nothing else of it is touched");
	cr_expect(look(c).priority == -9 && strcmp(look(c).priority_class, "high") == 0, "before the watch says so");
	set(c, "spec.priority", "5");
	cr_expect_eq(look(c).priority, -9, "what the cluster makes of it is its own affair");
	free(uid);
	cluster_free(c);
}

/* A POST of attempt 1 that lands late finds the mirror of attempt 2 under the same name: Kueue must see a difference.
 */
Test(kueue, a_mirror_of_a_later_attempt_differs_in_what_kueue_compares)
{
	struct cluster *c = begun();
	json_t *first, *second;
	cr_assert(!sw_failed(offer_once(c, 1)));
	first = sw_json_copy(sw_json_idx(sw_json_at(cluster_get(c, MIRROR), "spec.podSets"), 0));
	cluster_delete(c, MIRROR);
	cluster_turn(c, 0);
	cr_assert(!sw_failed(offer_once(c, 2)));
	second = sw_json_idx(sw_json_at(cluster_get(c, MIRROR), "spec.podSets"), 0);
	cr_expect(!json_object_equal(sw_json_at(first, "template.spec.containers"),
				     sw_json_at(second, "template.spec.containers")));
	json_t *env = sw_json_key(sw_json_idx(sw_json_at(second, "template.spec.containers"), 0), "env");
	cr_expect_str_eq(sw_json_str(sw_json_idx(env, 0), "name"), "SPILLWAY_ATTEMPT");
	cr_expect_str_eq(sw_json_str(sw_json_idx(env, 0), "value"), "2");
	json_object_put(first);
	cluster_free(c);
}

static struct sw_offer wrapped_offer(unsigned attempt, json_t *of)
{
	struct sw_offer o = offer(attempt, of);
	o.kind = &sw_kind_appwrapper;
	return o;
}

static json_t *wrapper(const char *limit)
{
	json_t *o = sw_json_fmt("{\"apiVersion\":\"workload.codeflare.dev/v1beta2\",\"kind\":\"AppWrapper\","
				"\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\"},\"spec\":{\"components\":[{"
				"\"template\":{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"spec\":{\"template\":{"
				"\"spec\":{\"containers\":[{\"name\":\"c\"}]}}}}}]}}");
	if (limit)
		sw_json_set_label(o, "kueue.x-k8s.io/max-exec-time-seconds", limit);
	return o;
}

/* limit: what its user has set; then what mirror and job of this attempt say. */
static void expect_limits(const char *limit, unsigned attempt, const char *expected)
{
	struct cluster *c = begun();
	json_t *w = workload(), *job = wrapper(limit), *sets = sw_json_at(w, "spec.podSets");
	struct sw_offer o = wrapped_offer(attempt, w);

	sw_json_set_str(sw_json_idx(sets, 0), "name", "a-0");
	if (limit)
		sw_json_set_int(w, "spec.maximumExecutionTimeSeconds", strtol(limit, NULL, 10));
	cr_assert(!sw_failed(finish(c, sw_worker_offer(c->w, &o, cluster_done, c))));
	json_t *m = cluster_get(c, MIRROR);
	json_t *first =
		sw_json_idx(sw_json_at(sw_json_idx(sw_json_at(m, "spec.podSets"), 0), "template.spec.containers"), 0);
	cr_expect_null(sw_json_key(first, "env"), "its Kueue would never find it in the job");
	cr_expect_eq(sw_json_int(m, "spec.maximumExecutionTimeSeconds", 0), expected ? strtol(expected, NULL, 10) : 0);
	set(c, "status.conditions", "[" ADMITTED "]");
	cr_assert(!sw_failed(finish(c, sw_worker_start(c->w, &o, job, cluster_done, c))), "%s", c->last.text);
	json_t *copy = cluster_get(c, "/apis/workload.codeflare.dev/v1beta2/namespaces/ns/appwrappers/a");
	const char *said = sw_json_label(copy, "kueue.x-k8s.io/max-exec-time-seconds");
	cr_expect_str_eq(said ? said : "", expected ? expected : "");
	json_object_put(job);
	json_object_put(w);
	cluster_free(c);
}

/* Kueue compares the limit as well, and knows no environment of these. */
Test(kueue, a_later_attempt_of_a_kind_known_in_part_differs_in_its_limit)
{
	expect_limits(NULL, 1, NULL);
	expect_limits(NULL, 2, "2147483645");
	expect_limits("60", 1, "60");
	expect_limits("60", 3, "62");
	expect_limits("2147483647", 2, "2147483645");
}

Test(kueue, the_job_is_made_from_the_mirror_once_it_is_admitted)
{
	struct cluster *c = begun();
	cr_assert(!sw_failed(offer_once(c, 1)));
	cr_expect_eq(start_once(c, 1).code, SW_E_BUSY, "not admitted");
	cr_expect_eq(cluster_count(c, "/jobs/"), 0);
	set(c, "status.conditions", "[" ADMITTED "]");
	cr_assert(look(c).ready);
	cluster_node(c, "n0", "A100", 4, 16); /* the pool is another by now: the mirror stands */
	cluster_turn(c, 0);
	cr_expect_eq(start_once(c, 2).code, SW_E_BUSY, "another attempt");
	cr_assert(!sw_failed(start_once(c, 1)), "%s", c->last.text);
	json_t *job = cluster_get(c, JOB), *pod = sw_json_at(job, "spec.template.spec");
	cr_assert(job && sw_json_bool(job, "spec.suspend"));
	cr_expect_str_eq(sw_json_str(sw_json_idx(sw_json_key(pod, "containers"), 0), "image"), "of-the-workload");
	cr_expect_str_eq(json_object_get_string(sw_json_key(sw_json_key(pod, "nodeSelector"), "spillway.dev/gpu")),
			 "V100");
	cr_expect_str_eq(sw_json_annotation(job, "kueue.x-k8s.io/prebuilt-workload-name"), "job-a");
	cr_expect_str_eq(sw_json_label(job, "kueue.x-k8s.io/prebuilt-workload-name"), "job-a");
	cr_expect_str_eq(sw_json_annotation(sw_json_at(job, "spec.template"), SW_ANN_ATTEMPT), "1");
	const char *before = strstr(c->log, "POST "
					    "/apis/batch");
	cr_assert(!sw_failed(start_once(c, 1)), "its Kueue unsuspends it");
	cr_expect(before && !strstr(before + 10, "/apis/batch"), "nothing is sent: %s", c->log);
	cluster_free(c);
}

static const struct {
	const char *title, *path, *value, *conditions;
	bool ready, unready, evicted, over, taken, deleting;
} states[] = {
	{"queued", NULL, NULL, "", .ready = false},
	{"admitted", NULL, NULL, ADMITTED, .ready = true},
	{"quota, checks open", NULL, NULL, TRUE_("QuotaReserved", "q"), .ready = false},
	{"finished while it still says admitted", NULL, NULL, ADMITTED "," TRUE_("Finished", "OwnerNotFound"),
	 .over = true},
	{"preempted", NULL, NULL, ADMITTED "," TRUE_("Evicted", "Preempted"), .evicted = true},
	{"pods not ready in time", NULL, NULL, ADMITTED "," TRUE_("Evicted", "PodsReadyTimeout"), .evicted = true,
	 .unready = true},
	{"deactivated", "spec.active", "false", ADMITTED, .ready = false, .over = true},
	{"taken", "metadata.ownerReferences", TAKEN, ADMITTED, .ready = true, .taken = true},
	{"its job ended", "metadata.ownerReferences", TAKEN, ADMITTED "," TRUE_("Finished", "Succeeded"),
	 .taken = true},
	{"its job failed", "metadata.ownerReferences", TAKEN, ADMITTED "," TRUE_("Finished", "Failed"), .taken = true},
	{"out of sync", "metadata.ownerReferences", TAKEN, ADMITTED "," TRUE_("Finished", "OutOfSync"), .taken = true,
	 .over = true},
	{"being deleted", "metadata.deletionTimestamp", "\"2026-01-01T00:00:00Z\"", ADMITTED, .deleting = true},
	{"an owner that controls nothing", "metadata.ownerReferences", "[{\"uid\":\"x\"}]", ADMITTED, .ready = true},
};

Test(kueue, what_its_conditions_mean)
{
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		struct cluster *c = begun();
		char list[1000];
		cr_assert(!sw_failed(offer_once(c, 1)));
		snprintf(list, sizeof list, "[%s]", states[i].conditions);
		if (states[i].path)
			set(c, states[i].path, states[i].value);
		set(c, "status.conditions", list);
		struct sw_offered o = look(c);
		cr_expect_eq(o.ready, states[i].ready, "%s: ready", states[i].title);
		cr_expect_eq(o.evicted, states[i].evicted, "%s: evicted", states[i].title);
		cr_expect_eq(o.over, states[i].over, "%s: over", states[i].title);
		cr_expect_eq(o.taken, states[i].taken, "%s: taken", states[i].title);
		cr_expect_eq(o.unready, states[i].unready, "%s: unready", states[i].title);
		cr_expect_eq(o.deleting, states[i].deleting, "%s: deleting", states[i].title);
		cluster_free(c);
	}
}

Test(kueue, why_it_waits_is_the_clusters_word)
{
	struct cluster *c = begun();
	cr_assert(!sw_failed(offer_once(c, 1)));
	set(c, "status.conditions",
	    "[{\"type\":\"QuotaReserved\",\"status\":\"False\",\"message\":\"insufficient unused quota\"}]");
	cr_expect_str_eq(look(c).why, "insufficient unused quota");
	set(c, "status.admissionChecks", "[{\"name\":\"p\",\"state\":\"Pending\",\"message\":\"nodes are bought\"}]");
	set(c, "status.conditions", "[" TRUE_("QuotaReserved", "q") "]");
	cr_expect_str_eq(look(c).why, "nodes are bought");
	set(c, "status.conditions", "[" ADMITTED "]");
	cr_expect_str_eq(look(c).why, "");
	set(c, "status.conditions",
	    "[" ADMITTED ",{\"type\":\"Evicted\",\"status\":\"True\",\"message\":\"Exceeded the PodsReady timeout\"}]");
	cr_expect_str_eq(look(c).why, "Exceeded the PodsReady timeout");
	cluster_free(c);
}

static const struct {
	enum fault fault;
	const char *at;
} faults[] = {{LOSE_REPLY, "POST /apis/kueue"},
	      {LOSE_CALL, "POST /apis/kueue"},
	      {ANSWER_500, "POST /apis/kueue"},
	      {LOSE_REPLY, "POST /apis/batch"},
	      {LOSE_CALL, "POST /apis/batch"}};

Test(kueue, any_reply_may_get_lost_and_there_is_one_mirror_and_one_job)
{
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct cluster *c = begun();
		c->fault = faults[i].fault;
		snprintf(c->fault_at, sizeof c->fault_at, "%s", faults[i].at);
		for (int k = 0; k < 3 && (look(c).seen != SW_COPY_OURS || k == 0); k++)
			(void)offer_once(c, 1);
		cr_assert_eq(look(c).seen, SW_COPY_OURS, "row %zu", i);
		set(c, "status.conditions", "[" ADMITTED "]");
		for (int k = 0; k < 3; k++)
			(void)start_once(c, 1);
		cr_expect_eq(c->fault, 0, "row %zu: the fault happened", i);
		cr_expect_eq(cluster_count(c, "/jobs/"), 1, "row %zu", i);
		cr_expect_eq(cluster_count(c, "/workloads/"), 1, "row %zu", i);
		cluster_free(c);
	}
}

Test(kueue, a_slow_watch_repeats_no_offer)
{
	struct cluster *c = begun();
	c->watch_slow = true;
	cr_assert(!sw_failed(offer_once(c, 1)));
	cr_expect_eq(look(c).seen, SW_COPY_OURS, "the reply said so");
	c->watch_slow = false;
	cluster_down(c, true);
	cr_expect_eq(look(c).seen, SW_COPY_UNKNOWN, "out of reach is not absent");
	json_object_object_del(c->objects, MIRROR);
	c->rv++;
	cluster_down(c, false);
	cluster_turn(c, 1000);
	cr_expect_eq(look(c).seen, SW_COPY_ABSENT);
	cluster_free(c);
}

Test(kueue, a_workload_of_another_with_the_name_is_left_alone)
{
	struct cluster *c = begun();
	cluster_put(c, MIRROR, workload());
	struct sw_err e = offer_once(c, 1);
	cr_expect_eq(e.code, SW_E_EXISTS, "%s", e.text);
	cr_expect_eq(look(c).seen, SW_COPY_FOREIGN);
	cr_assert(!sw_failed(finish(c, sw_worker_withdraw(c->w, "ns/job-a", "wl-1", cluster_done, c))));
	cr_expect_not_null(cluster_get(c, MIRROR));
	cluster_free(c);
}

Test(kueue, a_mirror_is_withdrawn_by_its_uid_and_not_once_a_job_has_it)
{
	struct cluster *c = begun();
	cr_assert(!sw_failed(offer_once(c, 1)));
	cr_assert(!sw_failed(finish(c, sw_worker_withdraw(c->w, "ns/job-a", "another", cluster_done, c))));
	cr_expect_not_null(cluster_get(c, MIRROR));
	set(c, "metadata.ownerReferences", TAKEN);
	cr_assert(!sw_failed(finish(c, sw_worker_withdraw(c->w, "ns/job-a", look(c).uid, cluster_done, c))));
	cr_expect_not_null(cluster_get(c, MIRROR), "it goes with its job");
	set(c, "metadata.ownerReferences", "[]");
	cr_assert(!sw_failed(finish(c, sw_worker_withdraw(c->w, "ns/job-a", look(c).uid, cluster_done, c))));
	cr_expect_null(cluster_get(c, MIRROR));
	cr_expect_eq(look(c).seen, SW_COPY_ABSENT);
	cluster_free(c);
}

Test(kueue, a_copy_that_must_stop_is_deleted_since_a_suspend_would_be_undone)
{
	struct cluster *c = begun();
	cr_assert(!sw_failed(offer_once(c, 1)));
	set(c, "status.conditions", "[" ADMITTED "]");
	cr_assert(!sw_failed(start_once(c, 1)));
	struct sw_copy copy = sw_worker_copy(c->w, sw_kind_named("job"), "ns", "a", "owner-1");
	cr_assert(!sw_failed(
		finish(c, sw_worker_stop(c->w, sw_kind_named("job"), "ns", "a", copy.uid, cluster_done, c))));
	cr_expect_null(cluster_get(c, JOB));
	cr_expect(cluster_logged(c, "DELETE " JOB) && !cluster_logged(c, "PATCH"), "%s", c->log);
	cluster_free(c);
}

Test(kueue, a_namespace_that_is_missing_is_a_refusal_not_made)
{
	struct cluster *c = begun();
	cluster_delete(c, "/api/v1/namespaces/ns");
	cr_expect_eq(offer_once(c, 1).code, SW_E_MISSING);
	cr_expect_null(cluster_get(c, "/api/v1/namespaces/ns"));
	cluster_free(c);
}

/* ---- queues ------------------------------------------------------------------------------ */

#define ACTIVE "\"conditions\":[{\"type\":\"Active\",\"status\":\"True\"}]"

static void put_local(struct cluster *c, const char *more)
{
	cluster_put(
		c, QUEUES "namespaces/ns/localqueues/lq",
		sw_json_fmt("{\"metadata\":{\"name\":\"lq\",\"namespace\":\"ns\"},\"spec\":{\"clusterQueue\":\"cq\"%s},"
			    "\"status\":{" ACTIVE "}}",
			    more));
	cluster_turn(c, 0);
}

static void put_cluster_queue(struct cluster *c, const char *nominal, const char *used, int pending)
{
	cluster_put(
		c, QUEUES "clusterqueues/cq",
		sw_json_fmt("{\"metadata\":{\"name\":\"cq\"},\"spec\":{\"resourceGroups\":[{\"flavors\":[{\"name\":"
			    "\"a\",\"resources\":[{\"name\":\"nvidia.com/gpu\",\"nominalQuota\":\"%s\"}]},{\"name\":"
			    "\"b\",\"resources\":[{\"name\":\"nvidia.com/gpu\",\"nominalQuota\":1}]}]}]},"
			    "\"status\":{\"pendingWorkloads\":%d,\"flavorsReservation\":[{\"name\":\"a\","
			    "\"resources\":[{\"name\":\"nvidia.com/gpu\",\"total\":\"%s\"}]}]," ACTIVE "}}",
			    nominal, pending, used));
	cluster_turn(c, 0);
}

static struct sw_queue_look queue_look(struct cluster *c)
{
	(void)offer(1, NULL); /* fills the demand: two GPUs */
	return sw_worker_queue(c->w, "ns", "lq", &demand);
}

Test(kueue, queues_that_are_missing_or_stopped_say_so)
{
	struct cluster *c = begun();
	struct sw_queue_look q = queue_look(c);
	cr_expect(q.known && !q.open && strstr(q.why, "LocalQueue ns/lq does not exist"), "%s", q.why);
	put_local(c, "");
	q = queue_look(c);
	cr_expect(!q.open && strstr(q.why, "ClusterQueue cq does not exist"), "%s", q.why);
	put_cluster_queue(c, "4", "0", 0);
	q = queue_look(c);
	cr_expect(q.open && q.room && q.free == 5 && q.total == 5, "%lld", (long long)q.free);
	put_local(c, ",\"stopPolicy\":\"HoldAndDrain\"");
	q = queue_look(c);
	cr_expect(!q.open && q.there && strstr(q.why, "stopped"), "%s", q.why);
	cluster_delete(c, QUEUES "namespaces/ns/localqueues/lq");
	cluster_turn(c, 0);
	cr_expect(!queue_look(c).open && !queue_look(c).there);
	cluster_free(c);
}

static const struct {
	const char *nominal, *used;
	int pending;
	int64_t free;
	bool room;
} quotas[] = {
	{"4", "3", 0, 2, true},
	{"4", "4", 0, 1, false},
	{"4", "9", 0, 0, false},
	{"4", "0", 1, 5, true},
	{"4", "0", 2, 5, false},
	{"x", "y", 0, 1, false},
	{"9223372036854775807", "0", 0, INT64_MAX / 1000, true},
};

Test(kueue, free_quota_is_what_its_flavors_leave)
{
	for (size_t i = 0; i < sizeof quotas / sizeof *quotas; i++) {
		struct cluster *c = begun();
		put_local(c, "");
		put_cluster_queue(c, quotas[i].nominal, quotas[i].used, quotas[i].pending);
		struct sw_queue_look q = queue_look(c);
		cr_expect(q.open, "row %zu: %s", i, q.why);
		if (i + 1 < sizeof quotas / sizeof *quotas)
			cr_expect_eq(q.free, quotas[i].free, "row %zu: %lld", i, (long long)q.free);
		cr_expect_eq(q.room, quotas[i].room, "row %zu", i);
		cluster_free(c);
	}
}

/* ---- the cluster ----------------------------------------------------------------------------- */

Test(kueue, a_cluster_without_kueue_is_not_ready_and_says_why_but_it_is_not_lost)
{
	struct cluster *c = cluster_new();
	c->cfg.worker = "kueue";
	c->no_kueue = true;
	cluster_node(c, "n0", "V100", 4, 16);
	cluster_open(c);
	struct sw_worker_state st = sw_worker_state(c->w);
	cr_expect(!st.ready && st.reachable && strstr(st.why, "Kueue is not installed"), "%s", st.why);
	cluster_turn(c, 120000);
	cr_expect(!sw_worker_state(c->w).lost);
	c->no_kueue = false;
	cluster_turn(c, 70000);
	cr_expect(sw_worker_state(c->w).ready, "%s", sw_worker_state(c->w).why);
	cluster_free(c);
}

Test(kueue, a_cluster_without_nodes_can_be_offered_a_job)
{
	struct cluster *c = cluster_new();
	const struct sw_pool *pools;
	c->cfg.worker = "kueue";
	cluster_open(c);
	cr_assert_eq(sw_worker_pools(c->w, &pools), 1);
	cr_expect_str_eq(pools[0].name, "queue");
	(void)offer(1, NULL);
	cr_expect_eq(sw_worker_fits(c->w, "ns/job-a", "queue", &demand), 0, "its own queue decides");
	cluster_free(c);
}

Test(kueue, mirrors_nobody_wants_are_collected_but_not_those_of_a_job)
{
	struct cluster *c = begun();
	for (int i = 0; i < 11; i++) { /* so that the brake holds */
		char path[200], key[32];
		snprintf(key, sizeof key, "ns/job-k%d", i);
		snprintf(path, sizeof path, QUEUES "namespaces/ns/workloads/job-k%d", i);
		json_t *m = sw_json_fmt("{\"metadata\":{\"name\":\"job-k%d\",\"namespace\":\"ns\"}}", i);
		sw_json_set_label(m, SW_LABEL_ORIGIN, "us");
		sw_json_set_annotation(m, SW_ANN_WORKLOAD, key);
		if (i == 1)
			sw_json_set(m, "metadata.ownerReferences", json_tokener_parse(TAKEN));
		cluster_put(c, path, m);
		if (i > 1)
			json_object_object_add(c->workloads, key, json_object_new_boolean(true));
	}
	sw_workers_manager_synced(c->ws, true);
	cluster_turn(c, 60000);
	cr_expect_null(cluster_get(c, QUEUES "namespaces/ns/workloads/job-k0"));
	cr_expect_eq(cluster_count(c, "/workloads/"), 10);
	cluster_free(c);
}
