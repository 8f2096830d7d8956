/* SPDX-License-Identifier: Apache-2.0 */
/* test_queues_section.c - what holds for the jobs of one queue */
#include <criterion/criterion.h>
#include <string.h>

#include "spillway/config.h"

static struct sw_config *parse(const char *text)
{
	struct sw_config *c = NULL;
	struct sw_err e = sw_config_parse("t.yaml", text, strlen(text), &c);
	cr_assert(!sw_failed(e), "%s", e.text);
	return c;
}

Test(queues, a_local_queue_goes_before_its_cluster_queue_and_that_before_the_rest)
{
	struct sw_config *c =
		parse("queues:\n- {name: research, lost: duplicate}\n- {name: team/nightly, lost: lease}\n"
		      "dispatch: {lost: hold}\n");
	cr_expect_eq(sw_config_lost(c, "team", "day", "other"), SW_LOST_HOLD);
	cr_expect_eq(sw_config_lost(c, "team", "day", "research"), SW_LOST_DUPLICATE);
	cr_expect_eq(sw_config_lost(c, "team", "nightly", "research"), SW_LOST_LEASE);
	cr_expect_eq(sw_config_lost(c, "tea", "mnightly", "other"), SW_LOST_HOLD);
	cr_expect_eq(sw_config_lost(c, "team2", "nightly", "other"), SW_LOST_HOLD);
	sw_config_free(c);
	c = parse("dispatch: {lost: lease, lease: 5m}\n");
	cr_expect(sw_config_lost(c, "a", "b", "c") == SW_LOST_LEASE && c->lease_ms == 300000);
	sw_config_free(c);
}

static const struct {
	const char *text, *said;
} bad[] = {
	{"queues: {a: b}\n", "expected a list"},
	{"queues: [a]\n", "expected a list of maps"},
	{"queues: [{lost: hold}]\n", "name is missing"},
	{"queues: [{name: a}]\n", "queue a: lost is missing"},
	{"queues: [{name: 3, lost: hold}]\n", "expected text"},
	{"queues: [{name: a, lost: held}]\n", "expected hold, duplicate or lease"},
	{"queues: [{name: a, lost: [hold]}]\n", "expected hold, duplicate or lease"},
	{"queues: [{name: a, lots: hold}]\n", "did you mean \"lost\""},
	{"queues: [{name: a, lost: hold}, {name: a, lost: hold}]\n", "second entry"},
	{"dispatch: {lease: 1s}\n", "dispatch.lease"},
};

Test(queues, what_cannot_be_meant_is_refused_with_its_place)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct sw_config *c = NULL;
		struct sw_err e = sw_config_parse("t.yaml", bad[i].text, strlen(bad[i].text), &c);
		cr_expect(e.code == SW_E_INVALID && strstr(e.text, bad[i].said), "row %zu: %s", i, e.text);
		cr_expect(strstr(e.text, "t.yaml:"), "row %zu: %s", i, e.text);
		cr_expect_null(c);
	}
}
