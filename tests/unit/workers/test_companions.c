/* SPDX-License-Identifier: Apache-2.0 */
/* test_companions.c - a Secret goes along with a job: made, shared, renewed, and never somebody else's */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "spillway/text.h"

#define SECRET "/api/v1/namespaces/ns/secrets/pull"

static const struct sw_companion pull = {SW_NEED_SECRET, "pull"};

/* A cluster with a copy of ns/NAME on it. */
static void copy_put(struct cluster *c, const char *name)
{
	char path[100], key[100];
	json_t *job = cluster_job("ns", name, 1, 0);

	snprintf(path, sizeof path, "/apis/batch/v1/namespaces/ns/jobs/%s", name);
	snprintf(key, sizeof key, "ns/job-%s", name);
	sw_json_set_str(job, "metadata.uid", name);
	sw_json_set_label(job, SW_LABEL_ORIGIN, "us");
	sw_json_set_annotation(job, SW_ANN_WORKLOAD, key);
	sw_json_set_annotation(job, SW_ANN_OWNER_UID, name);
	sw_json_set_annotation(job, SW_ANN_ATTEMPT, "1");
	sw_json_set_annotation(job, SW_ANN_COMPANIONS, "secret/pull");
	cluster_put(c, path, job);
}

static struct cluster *begun(void)
{
	struct cluster *c = cluster_new();
	cluster_open(c);
	cluster_put(c, "/api/v1/namespaces/ns", sw_json_fmt("{\"metadata\":{\"name\":\"ns\"}}"));
	copy_put(c, "a");
	copy_put(c, "b");
	cluster_turn(c, 10);
	return c;
}

static struct sw_err send_once(struct cluster *c, const char *job, const char *data)
{
	json_t *secret = sw_json_fmt("{\"metadata\":{\"labels\":{\"private\":\"x\"},\"uid\":\"m\"},\"type\":\"Opaque\","
				     "\"data\":{\"k\":\"%s\"}}",
				     data);
	int before = c->done;
	struct sw_err e = sw_worker_companion(c->w, sw_kind_named("job"), "ns", job, &pull, secret, cluster_done, c);

	json_object_put(secret);
	if (sw_failed(e))
		return e;
	for (int i = 0; i < 5 && c->done == before; i++)
		cluster_turn(c, 1);
	cr_assert_eq(c->done, before + 1, "exactly once");
	return c->last;
}

Test(companions, is_made_with_its_contents_only_and_owned_by_the_copy)
{
	struct cluster *c = begun();

	cr_assert(sw_worker_copy(c->w, sw_kind_named("job"), "ns", "a", "a").companions);
	cr_assert(!sw_failed(send_once(c, "a", "AAA=")), "%s", c->last.text);
	json_t *s = cluster_get(c, SECRET), *owners = sw_json_at(s, "metadata.ownerReferences");
	cr_expect_str_eq(sw_json_str(s, "data.k"), "AAA=");
	cr_expect_null(sw_json_label(s, "private"));
	cr_expect_eq(sw_json_len(owners), 1);
	cr_expect_str_eq(sw_json_str(sw_json_idx(owners, 0), "name"), "a");
	cr_expect_str_eq(sw_json_str(sw_json_idx(owners, 0), "apiVersion"), "batch/v1");
	cluster_free(c);
}

Test(companions, two_jobs_share_one_and_both_own_it)
{
	struct cluster *c = begun();

	cr_assert(!sw_failed(send_once(c, "a", "AAA=")));
	cr_assert(!sw_failed(send_once(c, "b", "BBB=")));
	cr_assert(!sw_failed(send_once(c, "b", "BBB=")));
	json_t *s = cluster_get(c, SECRET);
	cr_expect_eq(sw_json_len(sw_json_at(s, "metadata.ownerReferences")), 2, "%s", json_object_to_json_string(s));
	cr_expect_str_eq(sw_json_str(s, "data.k"), "BBB=");
	cluster_free(c);
}

Test(companions, one_that_is_not_ours_is_left_alone)
{
	struct cluster *c = begun();

	cluster_put(c, SECRET,
		    sw_json_fmt("{\"metadata\":{\"name\":\"pull\",\"namespace\":\"ns\"},\"data\":{\"k\":\"site\"}}"));
	cr_expect(!sw_failed(send_once(c, "a", "AAA=")), "%s", c->last.text);
	cr_expect_str_eq(sw_json_str(cluster_get(c, SECRET), "data.k"), "site");
	cr_expect_not(cluster_logged(c, "PATCH " SECRET));
	cluster_free(c);
}

Test(companions, a_reply_that_is_lost_is_mended_by_sending_it_again)
{
	struct cluster *c = begun();

	c->fault = LOSE_REPLY;
	snprintf(c->fault_at, sizeof c->fault_at, "POST /api/v1/namespaces/ns/secrets");
	cr_expect(sw_failed(send_once(c, "a", "AAA=")));
	cr_expect(!sw_failed(send_once(c, "a", "AAA=")));
	cr_expect_eq(sw_json_len(sw_json_at(cluster_get(c, SECRET), "metadata.ownerReferences")), 1);
	cluster_free(c);
}

Test(companions, without_a_copy_there_is_nothing_to_own_it)
{
	struct cluster *c = begun();

	cr_expect_eq(send_once(c, "nobody", "AAA=").code, SW_E_BUSY);
	cr_expect_null(cluster_get(c, SECRET));
	cluster_free(c);
}
