/* SPDX-License-Identifier: Apache-2.0 */
/* test_plain.c - a copy's life on a plain worker, with every reply lost once, foreign objects, and jobs made again */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

#define JOB "/apis/batch/v1/namespaces/ns/jobs/a"

static struct sw_demand demand;

static struct sw_offer offer(unsigned attempt)
{
	demand = (struct sw_demand){.n_sets = 1};
	demand.sets[0] = (struct sw_podset){.count = 2, .cpu_milli = 1000, .gpus = 1, .gpu_resource = "nvidia.com/gpu"};
	return (struct sw_offer){.key = "ns/job-a",
				 .kind = sw_kind_named("job"),
				 .ns = "ns",
				 .name = "a",
				 .owner_uid = "owner-1",
				 .attempt = attempt,
				 .pool = "v100",
				 .demand = &demand};
}

static struct sw_copy look(struct cluster *c)
{
	return sw_worker_copy(c->w, sw_kind_named("job"), "ns", "a", "owner-1");
}

static struct sw_err start_once(struct cluster *c, unsigned attempt)
{
	struct sw_offer o = offer(attempt);
	json_t *job = cluster_job("ns", "a", 2, 1);
	int before = c->done;
	struct sw_err e = sw_worker_start(c->w, &o, job, cluster_done, c);
	json_object_put(job);
	if (sw_failed(e))
		return e;
	cr_assert_eq(c->done, before, "never from inside");
	cluster_turn(c, 0);
	cr_assert_eq(c->done, before + 1, "exactly once");
	return c->last;
}

/* What dispatch does: steps until the copy runs. */
static void start_through(struct cluster *c)
{
	for (int i = 0; i < 10 && (look(c).seen != SW_COPY_OURS || look(c).suspended); i++)
		(void)start_once(c, 1);
}

static struct cluster *begun(void)
{
	struct cluster *c = cluster_new();
	cluster_node(c, "n0", "V100", 4, 16);
	cluster_node(c, "n1", "T4", 4, 16);
	cluster_open(c);
	return c;
}

static void set_job(struct cluster *c, const char *path, json_t *value)
{
	json_t *job = sw_json_copy(cluster_get(c, JOB));
	sw_json_set(job, path, value);
	cluster_put(c, JOB, job);
}

Test(plain, a_copy_is_posted_suspended_and_then_unsuspended)
{
	struct cluster *c = begun();
	cr_expect_eq(look(c).seen, SW_COPY_ABSENT);
	cr_assert(!sw_failed(start_once(c, 1)));
	json_t *job = cluster_get(c, JOB);
	cr_assert(job && sw_json_bool(job, "spec.suspend"));
	cr_expect_str_eq(sw_json_label(job, SW_LABEL_ORIGIN), "us");
	cr_expect_str_eq(sw_json_annotation(job, SW_ANN_WORKLOAD), "ns/job-a");
	cr_expect_str_eq(json_object_get_string(
				 sw_json_key(sw_json_at(job, "spec.template.spec.nodeSelector"), "spillway.dev/gpu")),
			 "V100");
	json_t *tolerations = sw_json_at(job, "spec.template.spec.tolerations");
	cr_expect_str_eq(sw_json_str(sw_json_idx(tolerations, 0), "key"), "nvidia.com/gpu");
	struct sw_copy copy = look(c);
	cr_expect(copy.seen == SW_COPY_OURS && copy.attempt == 1 && copy.suspended && !copy.deleting);
	cr_expect_str_eq(copy.pool, "v100");
	cr_assert(!sw_failed(start_once(c, 1)));
	cr_expect(!sw_json_bool(cluster_get(c, JOB), "spec.suspend"));
	cr_expect(!look(c).suspended);
	cr_assert(!sw_failed(start_once(c, 1)), "nothing is left to do, and that is fine");
	cluster_free(c);
}

static const struct {
	enum fault fault;
	const char *at;
} faults[] = {
	{LOSE_REPLY, "POST /apis/batch"},  {LOSE_CALL, "POST /apis/batch"},  {ANSWER_500, "POST /apis/batch"},
	{LOSE_REPLY, "PATCH /apis/batch"}, {LOSE_CALL, "PATCH /apis/batch"},
};

Test(plain, any_reply_may_get_lost_and_one_copy_runs)
{
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct cluster *c = begun();
		c->fault = faults[i].fault;
		snprintf(c->fault_at, sizeof c->fault_at, "%s", faults[i].at);
		start_through(c);
		cr_expect_eq(c->fault, 0, "row %zu: the fault happened", i);
		cr_expect_eq(cluster_count(c, "/jobs/"), 1, "row %zu", i);
		cr_expect(look(c).seen == SW_COPY_OURS && !look(c).suspended, "row %zu", i);
		cluster_free(c);
	}
}

Test(plain, a_slow_watch_repeats_no_write_and_what_it_says_late_is_not_believed)
{
	struct cluster *c = begun();
	c->watch_slow = true;
	start_through(c);
	struct sw_copy copy = look(c);
	cr_expect(copy.seen == SW_COPY_OURS && !copy.suspended, "the replies said so");
	const char *first = strstr(c->log, "POST /apis/batch");
	cr_expect(first && !strstr(first + 1, "POST /apis/batch"), "posted once");
	c->watch_slow = false;
	cluster_turn(c, 0);
	cr_expect(!look(c).suspended);
	cluster_free(c);
}

Test(plain, a_copy_known_from_a_reply_only_goes_if_a_new_list_does_not_show_it)
{
	struct cluster *c = begun();
	c->watch_slow = true;
	cr_assert(!sw_failed(start_once(c, 1)));
	cr_expect_eq(look(c).seen, SW_COPY_OURS);
	cluster_down(c, true);
	json_object_object_del(c->objects, JOB); /* deleted by somebody while nobody watched */
	c->rv++;
	cluster_down(c, false);
	cluster_turn(c, 1000);
	cr_expect_eq(look(c).seen, SW_COPY_ABSENT);
	cluster_free(c);
}

Test(plain, a_post_that_landed_unseen_is_adopted_by_its_name)
{
	struct cluster *c = begun();
	cr_assert(!sw_failed(start_once(c, 1)));
	json_t *job = sw_json_copy(cluster_get(c, JOB));
	cluster_close(c);
	cluster_delete(c, JOB);
	cluster_open(c);
	/* it lands behind our list, and the watch is slow: the server has it, we do not */
	struct sw_offer o = offer(1);
	json_t *mine = cluster_job("ns", "a", 2, 1);
	json_object_object_add(c->objects, JOB, job);
	cr_assert(!sw_failed(sw_worker_start(c->w, &o, mine, cluster_done, c)));
	cluster_turn(c, 0);
	json_object_put(mine);
	cr_expect(!sw_failed(c->last), "%s", c->last.text);
	cr_expect_eq(look(c).seen, SW_COPY_OURS);
	cr_expect(look(c).suspended);
	cluster_free(c);
}

Test(plain, a_foreign_object_of_the_name_is_left_alone)
{
	struct cluster *c = begun();
	cluster_put(c, JOB, cluster_job("ns", "a", 1, 0));
	char *before = sw_json_text(cluster_get(c, JOB), NULL);
	struct sw_err e = start_once(c, 1);
	cr_expect_eq(e.code, SW_E_EXISTS, "%s", e.text);
	cr_expect_eq(look(c).seen, SW_COPY_FOREIGN);
	e = start_once(c, 1);
	cr_expect_eq(e.code, SW_E_EXISTS);
	char *after = sw_json_text(cluster_get(c, JOB), NULL);
	cr_expect_str_eq(after, before);
	cluster_delete(c, JOB);
	cluster_turn(c, 61000);
	cr_expect_eq(look(c).seen, SW_COPY_ABSENT, "not believed for ever");
	free(before);
	free(after);
	cluster_free(c);
}

Test(plain, the_copy_of_an_earlier_job_or_attempt_must_go_first)
{
	struct cluster *c = begun();
	start_through(c);
	cr_expect_eq(start_once(c, 2).code, SW_E_CONFLICT);
	cr_expect_eq(sw_worker_copy(c->w, sw_kind_named("job"), "ns", "a", "owner-2").seen, SW_COPY_STALE);
	struct sw_offer o = offer(1);
	o.owner_uid = "owner-2";
	json_t *job = cluster_job("ns", "a", 2, 1);
	cr_expect_eq(sw_worker_start(c->w, &o, job, cluster_done, c).code, SW_E_CONFLICT);
	json_object_put(job);
	cr_expect(!sw_json_bool(cluster_get(c, JOB), "spec.suspend"), "and is not touched meanwhile");
	cluster_free(c);
}

Test(plain, a_namespace_that_is_missing_is_made)
{
	struct cluster *c = begun();
	cluster_delete(c, "/api/v1/namespaces/ns");
	cr_assert(!sw_failed(start_once(c, 1)));
	cr_expect_not_null(cluster_get(c, "/api/v1/namespaces/ns"));
	start_through(c);
	cr_expect(!look(c).suspended);
	cluster_free(c);
}

Test(plain, a_namespace_that_may_not_be_made_is_a_reason)
{
	struct cluster *c = begun();
	cluster_delete(c, "/api/v1/namespaces/ns");
	struct sw_offer o = offer(1);
	json_t *job = cluster_job("ns", "a", 2, 1);
	c->fault = ANSWER_403;
	snprintf(c->fault_at, sizeof c->fault_at, "POST /api/v1/namespaces");
	cr_assert(!sw_failed(sw_worker_start(c->w, &o, job, cluster_done, c)));
	cluster_turn(c, 0);
	json_object_put(job);
	cr_expect(c->last.code == SW_E_FORBIDDEN && strstr(c->last.text, "namespace ns"), "%s", c->last.text);
	cluster_free(c);
}

Test(plain, nothing_is_started_where_the_kind_is_not_served_or_the_cluster_is_not_ours)
{
	struct cluster *c = cluster_new();
	struct sw_offer o = offer(1);
	json_t *job = cluster_job("ns", "a", 2, 1);
	c->no_kubeflow = true;
	cluster_node(c, "n0", "V100", 4, 16);
	cluster_open(c);
	o.kind = sw_kind_named("PyTorchJob");
	cr_expect_eq(sw_worker_start(c->w, &o, job, cluster_done, c).code, SW_E_UNSUPPORTED);
	cluster_down(c, true);
	cr_expect_eq(sw_worker_start(c->w, &o, job, cluster_done, c).code, SW_E_BUSY);
	cr_expect_eq(sw_worker_sweep(c->w, o.kind, "ns", "a", "u", cluster_done, c).code, SW_E_BUSY);
	cr_expect_eq(sw_worker_stop(c->w, o.kind, "ns", "a", "u", cluster_done, c).code, SW_E_BUSY);
	json_object_put(job);
	cluster_free(c);
}

Test(plain, stop_suspends_the_copy_with_this_uid_only)
{
	struct cluster *c = begun();
	start_through(c);
	cr_assert(!sw_failed(sw_worker_stop(c->w, sw_kind_named("job"), "ns", "a", "another", cluster_done, c)));
	cluster_turn(c, 0);
	cr_expect_eq(c->last.code, SW_E_MISSING);
	cr_assert(!sw_failed(sw_worker_stop(c->w, sw_kind_named("job"), "ns", "a", look(c).uid, cluster_done, c)));
	set_job(c, "status.active", json_object_new_int(2)); /* a status write comes between: the precondition fails */
	cluster_turn(c, 0);
	cr_expect(!sw_failed(c->last) || c->last.code == SW_E_CONFLICT);
	cr_assert(!sw_failed(sw_worker_stop(c->w, sw_kind_named("job"), "ns", "a", look(c).uid, cluster_done, c)));
	cluster_turn(c, 0);
	cr_expect(look(c).suspended);
	cr_expect_eq(look(c).active, 2);
	cluster_free(c);
}

Test(plain, sweep_deletes_by_uid_and_missing_is_done)
{
	struct cluster *c = begun();
	start_through(c);
	cr_assert(!sw_failed(sw_worker_sweep(c->w, sw_kind_named("job"), "ns", "a", "another", cluster_done, c)));
	cluster_turn(c, 0);
	cr_expect(!sw_failed(c->last) && cluster_get(c, JOB), "another uid: nothing is deleted");
	c->fault = LOSE_REPLY;
	snprintf(c->fault_at, sizeof c->fault_at, "DELETE");
	cr_assert(!sw_failed(sw_worker_sweep(c->w, sw_kind_named("job"), "ns", "a", look(c).uid, cluster_done, c)));
	cluster_turn(c, 0);
	cr_expect_eq(c->last.code, SW_E_TIMEOUT);
	cr_expect_null(cluster_get(c, JOB));
	cr_expect_eq(look(c).seen, SW_COPY_ABSENT);
	cluster_free(c);
}

/* The server's object is another one than the watch has shown so far. */
static void replace_unseen(struct cluster *c, const char *uid)
{
	json_t *job = sw_json_copy(cluster_get(c, JOB));

	sw_json_set_str(job, "metadata.resourceVersion", "999999");
	if (uid)
		sw_json_set_str(job, "metadata.uid", uid);
	json_object_object_add(c->objects, JOB, job);
}

Test(plain, sweep_spares_the_object_that_took_the_name_meanwhile)
{
	struct cluster *c = begun();
	start_through(c);
	replace_unseen(c, "uid-of-another");
	cr_assert(!sw_failed(sw_worker_sweep(c->w, sw_kind_named("job"), "ns", "a", look(c).uid, cluster_done, c)));
	cluster_turn(c, 0);
	cr_expect(!sw_failed(c->last), "ours is gone: done");
	cr_expect(cluster_logged(c, "DELETE " JOB));
	cr_expect_not_null(cluster_get(c, JOB));
	cluster_free(c);
}

Test(plain, a_copy_that_changed_unseen_is_not_unsuspended)
{
	struct cluster *c = begun();
	cr_assert(!sw_failed(start_once(c, 1)));
	replace_unseen(c, NULL);
	cr_expect_eq(start_once(c, 1).code, SW_E_CONFLICT);
	cr_expect(sw_json_bool(cluster_get(c, JOB), "spec.suspend"));
	cluster_free(c);
}

Test(plain, a_deleted_copy_is_not_absent_while_its_pods_run)
{
	struct cluster *c = begun();
	start_through(c);
	cluster_pod(c, "a-0", "n0", 1, 1, "ns/job-a", "owner-1", 1);
	cluster_pod(c, "a-1", NULL, 1, 1, "ns/job-a", "owner-1", 1);
	struct sw_copy copy = look(c);
	cr_expect(copy.pods == 2 && copy.scheduled == 1);
	cluster_delete(c, JOB);
	copy = look(c);
	cr_expect(copy.seen == SW_COPY_OURS && copy.deleting && copy.active == 2);
	cluster_close(c); /* a restart forgets the job; the pods tell */
	cluster_open(c);
	copy = look(c);
	cr_expect(copy.seen == SW_COPY_OURS && copy.deleting && copy.active == 2 && copy.attempt == 1);
	cluster_delete(c, "/api/v1/namespaces/ns/pods/a-0");
	cluster_delete(c, "/api/v1/namespaces/ns/pods/a-1");
	cr_expect_eq(look(c).seen, SW_COPY_ABSENT);
	cluster_free(c);
}

Test(plain, status_is_kept_and_its_hash_changes_with_it)
{
	struct cluster *c = begun();
	start_through(c);
	uint64_t before = look(c).status_hash;
	set_job(c, "status",
		json_tokener_parse(
			"{\"active\":0,\"succeeded\":2,\"conditions\":[{\"type\":\"Complete\",\"status\":\"True\"}]}"));
	cr_expect_neq(look(c).status_hash, before);
	cr_expect_eq(look(c).outcome, SW_SUCCEEDED);
	json_t *status = sw_worker_copy_status(c->w, sw_kind_named("job"), "ns", "a");
	cr_expect_eq(sw_json_int(status, "succeeded", 0), 2);
	json_object_put(status);
	cr_expect_null(sw_worker_copy_status(c->w, sw_kind_named("job"), "ns", "b"));
	cr_expect_gt(c->work_changes, 0);
	cluster_free(c);
}

Test(plain, a_pool_that_no_label_tells_apart_is_refused_with_the_cure)
{
	struct cluster *c = cluster_new();
	cluster_node(c, "n0", "V100", 4, 16);
	cluster_node(c, "n1", "T4", 4, 16);
	for (int i = 0; i < 2; i++) { /* known only by a label that both pools' nodes have */
		char path[64];
		snprintf(path, sizeof path, "/api/v1/nodes/n%d", i);
		json_t *n = sw_json_copy(cluster_get(c, path));
		if (i == 1)
			sw_json_set(n, "metadata.labels",
				    json_tokener_parse("{\"accelerator\":\"T4\",\"spillway.dev/gpu\":\"V100\"}"));
		cluster_put(c, path, n);
	}
	cluster_open(c);
	struct sw_err e = start_once(c, 1);
	cr_expect(!sw_failed(e) || strstr(e.text, "label"), "%s", e.text);
	cluster_free(c);
}

/* ---- nodes and logs ------------------------------------------------------------------ */

Test(cordon, is_ours_by_annotation_and_lifted)
{
	struct cluster *c = begun();
	const struct sw_node *nodes;
	cr_assert(!sw_failed(sw_worker_cordon(c->w, "n0", true, cluster_done, c)));
	cluster_turn(c, 0);
	sw_worker_nodes(c->w, &nodes);
	cr_expect(nodes[0].cordoned && !nodes[0].usable);
	cr_assert(!sw_failed(sw_worker_cordon(c->w, "n0", false, cluster_done, c)));
	cluster_turn(c, 0);
	sw_worker_nodes(c->w, &nodes);
	cr_expect(!nodes[0].cordoned && nodes[0].usable);
	cr_expect_null(sw_json_annotation(cluster_get(c, "/api/v1/nodes/n0"), ANN_CORDON));
	cluster_free(c);
}

Test(cordon, a_fresh_list_decides_whether_a_node_is_empty)
{
	struct cluster *c = begun();
	cr_assert(!sw_failed(sw_worker_node_empty(c->w, "n0", cluster_done, c)));
	cluster_turn(c, 0);
	cr_expect(!sw_failed(c->last), "%s", c->last.text);
	cluster_pod(c, "p", "n0", 1, 0, NULL, NULL, 0);
	cr_assert(!sw_failed(sw_worker_node_empty(c->w, "n0", cluster_done, c)));
	cluster_turn(c, 0);
	cr_expect_eq(c->last.code, SW_E_CONFLICT);
	c->down = true;
	cr_assert(!sw_failed(sw_worker_node_empty(c->w, "n0", cluster_done, c)));
	cluster_turn(c, 0);
	cr_expect_eq(c->last.code, SW_E_NET, "no answer is not empty");
	cluster_free(c);
}

struct log {
	char text[200];
	bool cut;
	struct sw_err err;
	int n;
};
static void on_tail(void *owner, struct sw_err err, const char *bytes, size_t n, bool cut)
{
	struct log *l = owner;
	snprintf(l->text, sizeof l->text, "%.*s", (int)n, bytes);
	l->cut = cut;
	l->err = err;
	l->n++;
}

static const struct {
	size_t max;
	const char *want;
	bool cut;
} tails[] = {
	{100, "one\ntwo\nthree\n", false},
	{14, "one\ntwo\nthree\n", true /* as many lines as were asked for: there may be more */},
	{6, "three\n", true},
	{1, "\n", true},
};

Test(logs, the_tail_is_bounded_and_says_whether_it_was_cut)
{
	struct cluster *c = begun();
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		struct log l = {.n = 0};
		char path[200];
		snprintf(path, sizeof path, "/api/v1/namespaces/ns/pods/p/log?container=c&tailLines=%zu",
			 tails[i].max / 16 + 1);
		json_object_object_add(c->objects, path, json_tokener_parse("{\"log\":\"one\\ntwo\\nthree\\n\"}"));
		cr_assert(!sw_failed(sw_worker_log_tail(c->w, "ns", "p", "c", tails[i].max, on_tail, &l)));
		cluster_turn(c, 0);
		json_object_object_del(c->objects, path);
		cr_assert_eq(l.n, 1);
		cr_expect(!sw_failed(l.err), "%s", l.err.text);
		cr_expect_str_eq(l.text, tails[i].want, "row %zu: %s", i, l.text);
		cr_expect_eq(l.cut, tails[i].cut, "row %zu", i);
	}
	struct log l = {.n = 0};
	cr_assert(!sw_failed(sw_worker_log_tail(c->w, "ns", "none", NULL, 10, on_tail, &l)));
	cluster_turn(c, 0);
	cr_expect_eq(l.err.code, SW_E_MISSING);
	cr_assert(!sw_failed(sw_worker_log_tail(c->w, "ns", "p", "c", 10, on_tail, &l)));
	cluster_free(c); /* in flight: silent */
	cr_expect_eq(l.n, 1);
}
