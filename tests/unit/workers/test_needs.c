/* SPDX-License-Identifier: Apache-2.0 */
/* test_needs.c - what a job's pods name is looked for on the cluster before anything is sent */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "spillway/text.h"

#define SECRET "/api/v1/namespaces/default/secrets/pull"

static const struct sw_needs one = {.n = 1, .at = {{SW_NEED_SECRET, "pull"}}};

static enum sw_needs_seen ask(struct cluster *c, const struct sw_needs *needs, char why[200])
{
	*why = '\0';
	return sw_worker_needs(c->w, "default", needs, why, 200);
}

static void secret_put(struct cluster *c)
{
	cluster_put(c, SECRET, sw_json_fmt("{\"metadata\":{\"name\":\"pull\",\"namespace\":\"default\"}}"));
}

Test(needs, are_asked_for_once_and_the_answer_is_told)
{
	struct cluster *c = cluster_new();
	char why[200];

	cluster_open(c);
	secret_put(c);
	int requests = c->requests, changes = c->changes;
	cr_expect_eq(ask(c, &one, why), SW_NEEDS_UNKNOWN);
	cr_expect(strstr(why, "Secret pull"), "%s", why);
	cr_expect_eq(ask(c, &one, why), SW_NEEDS_UNKNOWN);
	cluster_turn(c, 10);
	cr_expect_eq(ask(c, &one, why), SW_NEEDS_MET, "%s", why);
	cr_expect_eq(c->requests, requests + 1);
	cr_expect_gt(c->changes, changes);
	cluster_free(c);
}

Test(needs, what_is_missing_is_named_and_its_coming_noticed)
{
	struct cluster *c = cluster_new();
	char why[200];

	cluster_open(c);
	ask(c, &one, why);
	cluster_turn(c, 10);
	cr_expect_eq(ask(c, &one, why), SW_NEEDS_MISSING);
	cr_expect_str_eq(why, "Secret default/pull does not exist there");
	secret_put(c);
	int changes = c->changes;
	cluster_turn(c, 60 * 1000); /* nobody asks meanwhile */
	cr_expect_gt(c->changes, changes);
	cr_expect_eq(ask(c, &one, why), SW_NEEDS_MET);
	cluster_free(c);
}

Test(needs, an_old_answer_is_given_while_it_is_asked_again)
{
	struct cluster *c = cluster_new();
	char why[200];

	cluster_open(c);
	secret_put(c);
	ask(c, &one, why);
	cluster_turn(c, 10);
	cluster_delete(c, SECRET);
	cluster_turn(c, 90 * 1000);
	cr_expect_eq(ask(c, &one, why), SW_NEEDS_MET);
	cluster_turn(c, 10);
	cr_expect_eq(ask(c, &one, why), SW_NEEDS_MISSING);
	cluster_free(c);
}

Test(needs, where_nobody_may_look_nothing_is_known_to_be_missing)
{
	struct cluster *c = cluster_new();
	char why[200];

	cluster_open(c);
	c->fault = ANSWER_403;
	snprintf(c->fault_at, sizeof c->fault_at, "GET " SECRET);
	ask(c, &one, why);
	cluster_turn(c, 10);
	cr_expect_eq(ask(c, &one, why), SW_NEEDS_MET, "%s", why);
	cluster_free(c);
}

Test(needs, a_resource_that_is_not_served_is_not_missing)
{
	struct cluster *c = cluster_new();
	const struct sw_needs priority = {.n = 1, .at = {{SW_NEED_PRIORITY_CLASS, "urgent"}}};
	char why[200];

	cluster_open(c);
	ask(c, &priority, why);
	cluster_turn(c, 10);
	cr_expect_eq(ask(c, &priority, why), SW_NEEDS_MET, "%s", why);
	cluster_free(c);
}

Test(needs, an_answer_that_never_came_is_asked_for_again)
{
	struct cluster *c = cluster_new();
	char why[200];

	cluster_open(c);
	secret_put(c);
	c->fault = LOSE_REPLY;
	snprintf(c->fault_at, sizeof c->fault_at, "GET " SECRET);
	ask(c, &one, why);
	cluster_turn(c, 10);
	cr_expect_eq(ask(c, &one, why), SW_NEEDS_UNKNOWN);
	cluster_turn(c, 60 * 1000);
	cr_expect_eq(ask(c, &one, why), SW_NEEDS_MET, "%s", why);
	cluster_free(c);
}
