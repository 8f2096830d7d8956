/* SPDX-License-Identifier: Apache-2.0 */
/* test_lease.c - deadlines on copies: put on, renewed, run out */
#include <criterion/criterion.h>
#include <string.h>

#include "cluster.h"

#define JOB "/apis/batch/v1/namespaces/ns/jobs/a"

static struct sw_demand demand;

/* Posts a copy with a lease of 600 s; its user set `own` seconds (0: none). */
static struct cluster *leased(int own)
{
	struct cluster *c = cluster_new();
	json_t *job = cluster_job("ns", "a", 1, 0);
	cluster_node(c, "n0", "", 0, 16);
	cluster_open(c);
	demand = (struct sw_demand){.n_sets = 1};
	demand.sets[0] = (struct sw_podset){.count = 1, .cpu_milli = 1000};
	struct sw_offer o = {.key = "ns/job-a",
			     .kind = sw_kind_named("job"),
			     .ns = "ns",
			     .name = "a",
			     .owner_uid = "owner-1",
			     .attempt = 1,
			     .pool = "cpu",
			     .demand = &demand,
			     .lease_s = 600};
	if (own)
		sw_json_set_int(job, "spec.activeDeadlineSeconds", own);
	struct sw_err e = sw_worker_start(c->w, &o, job, cluster_done, c);
	cr_assert(!sw_failed(e), "%s", e.text);
	json_object_put(job);
	cluster_turn(c, 0);
	cr_assert(!sw_failed(c->last), "%s", c->last.text);
	return c;
}

static struct sw_copy look(struct cluster *c)
{
	return sw_worker_copy(c->w, sw_kind_named("job"), "ns", "a", "owner-1");
}

static int64_t deadline(struct cluster *c)
{
	return sw_json_int(cluster_get(c, JOB), "spec.activeDeadlineSeconds", -1);
}

static struct sw_err renew(struct cluster *c, const char *uid, int64_t seconds)
{
	struct sw_err e = sw_worker_renew(c->w, sw_kind_named("job"), "ns", "a", uid, seconds, cluster_done, c);
	if (sw_failed(e))
		return e;
	cluster_turn(c, 0);
	return c->last;
}

static void fail_with(struct cluster *c, const char *reason)
{
	json_t *job = sw_json_copy(cluster_get(c, JOB));
	sw_json_set(
		job, "status",
		sw_json_fmt("{\"startTime\":\"2026-01-01T00:00:00Z\",\"conditions\":[{\"type\":\"Failed\",\"status\":"
			    "\"True\",\"reason\":\"%s\"}]}",
			    reason));
	cluster_put(c, JOB, job);
	cluster_turn(c, 0);
}

static const struct {
	int own, first, renewed; /* what stands after creation, and after a renewal to 900 */
	bool capped_first, capped;
} rows[] = {{0, 600, 900, false, false},
	    {3600, 600, 900, false, false},
	    {700, 600, 700, false, true},
	    {60, 60, 60, true, true}};

Test(lease, its_user_never_gets_more_than_was_asked_for)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cluster *c = leased(rows[i].own);
		cr_expect_eq(deadline(c), rows[i].first, "row %zu", i);
		cr_expect_eq(look(c).lease_s, 600);
		cr_expect_eq(look(c).lease_capped, rows[i].capped_first, "row %zu", i);
		cr_assert(!sw_failed(renew(c, look(c).uid, 900)), "%s", c->last.text);
		cr_expect_eq(deadline(c), rows[i].renewed, "row %zu", i);
		cr_expect_eq(look(c).lease_capped, rows[i].capped, "row %zu", i);
		cluster_free(c);
	}
}

Test(lease, only_the_copy_with_the_uid_is_renewed_and_only_in_reach)
{
	struct cluster *c = leased(0);
	char uid[64];
	snprintf(uid, sizeof uid, "%s", look(c).uid);
	cr_expect_eq(renew(c, "another", 900).code, SW_E_BUSY);
	cr_expect_eq(deadline(c), 600);
	cluster_down(c, true);
	cr_expect_eq(renew(c, uid, 900).code, SW_E_BUSY);
	cluster_down(c, false);
	cluster_free(c);
}

Test(lease, a_deadline_that_only_we_set_is_no_failure_of_the_job)
{
	struct cluster *c = leased(0);
	cr_expect(!look(c).lease_expired);
	fail_with(c, "BackoffLimitExceeded");
	cr_expect(!look(c).lease_expired, "it failed by itself");
	fail_with(c, "DeadlineExceeded");
	cr_expect(look(c).lease_expired && look(c).outcome == SW_JOB_FAILED);
	cr_expect_eq(look(c).started_ms, 1767225600000);
	cluster_free(c);
	c = leased(60);
	fail_with(c, "DeadlineExceeded");
	cr_expect(!look(c).lease_expired, "that one its user has set");
	cluster_free(c);
}

Test(lease, only_jobs_on_clusters_without_a_queue_of_their_own_can_have_one)
{
	struct cluster *c = leased(0);
	cr_expect(sw_worker_can_lease(c->w, sw_kind_named("job")));
	cr_expect(!sw_worker_can_lease(c->w, sw_kind_named("pytorchjob")));
	cluster_free(c);
	c = cluster_new();
	c->cfg.worker = "kueue";
	cluster_open(c);
	cr_expect(!sw_worker_can_lease(c->w, sw_kind_named("job")), "its Kueue may start the job anew");
	cluster_free(c);
}
