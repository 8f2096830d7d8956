/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "spillway/keyq.h"

static struct sw_keyq *queue(void)
{
	struct sw_keyq *q;

	cr_assert(!sw_failed(sw_keyq_new(&q)));
	return q;
}

static void takes(struct sw_keyq *q, uint64_t now, const char *want)
{
	const char *key = sw_keyq_take(q, now);

	if (want)
		cr_assert(key && !strcmp(key, want), "expected %s, got %s", want, key ? key : "nothing");
	else
		cr_assert_null(key, "expected nothing, got %s", key);
}

Test(keyq, a_key_is_queued_once_at_the_earlier_time)
{
	struct sw_keyq *q = queue();

	sw_keyq_add(q, "a", 50);
	sw_keyq_add(q, "a", 100);
	sw_keyq_add(q, "b", 70);
	sw_keyq_add(q, "b", 20);
	cr_assert_eq(sw_keyq_len(q), 2);
	cr_assert_eq(sw_keyq_next_due(q), 20);
	takes(q, 19, NULL);
	takes(q, 100, "b");
	takes(q, 49, NULL);
	takes(q, 50, "a");
	takes(q, 1000, NULL);
	sw_keyq_free(q);
}

Test(keyq, a_key_being_worked_on_is_not_handed_out_again_but_comes_back_dirty)
{
	struct sw_keyq *q = queue();

	sw_keyq_add(q, "a", 1);
	takes(q, 1, "a");
	sw_keyq_add(q, "a", 5);
	sw_keyq_add(q, "a", 2);
	sw_keyq_add(q, "a", 9);
	takes(q, 100, NULL);
	sw_keyq_done(q, "a", 0);
	cr_assert_eq(sw_keyq_next_due(q), 2);
	takes(q, 100, "a");
	sw_keyq_done(q, "a", 0);
	cr_assert_eq(sw_keyq_len(q), 0);
	takes(q, 100, NULL);
	sw_keyq_free(q);
}

Test(keyq, done_with_a_time_comes_back_then_or_earlier_if_dirty)
{
	struct sw_keyq *q = queue();

	sw_keyq_add(q, "a", 1);
	takes(q, 1, "a");
	sw_keyq_done(q, "a", 50);
	cr_assert_eq(sw_keyq_next_due(q), 50);
	takes(q, 50, "a");
	sw_keyq_add(q, "a", 60);
	sw_keyq_done(q, "a", 90);
	cr_assert_eq(sw_keyq_next_due(q), 60);
	sw_keyq_free(q);
}

Test(keyq, the_lent_key_may_be_given_back_itself)
{
	struct sw_keyq *q = queue();
	const char *key;

	sw_keyq_add(q, "ns/name", 0);
	key = sw_keyq_take(q, 0);
	sw_keyq_fail(q, key, 0, 100);
	key = sw_keyq_take(q, 1000);
	cr_assert_not_null(key);
	sw_keyq_done(q, key, 0); /* frees it */
	cr_assert_eq(sw_keyq_len(q), 0);
	sw_keyq_free(q);
}

Test(keyq, failures_back_off_doubling_to_the_cap_and_a_success_forgets_them)
{
	struct sw_keyq *q = queue();
	uint64_t want = 5, now = 0;

	sw_keyq_add(q, "a", 0);
	for (int i = 0; i < 100; i++) {
		uint64_t delay;

		takes(q, now, "a");
		delay = sw_keyq_fail(q, "a", now, 60000);
		cr_assert(delay <= want && delay >= want * 3 / 4, "failure %d: %lu ms for %lu", i, delay, want);
		cr_assert_eq(sw_keyq_next_due(q), now + delay);
		now += delay;
		want = want * 2 > 60000 ? 60000 : want * 2;
	}
	takes(q, now, "a");
	sw_keyq_done(q, "a", now + 1);
	takes(q, now + 1, "a");
	cr_assert_leq(sw_keyq_fail(q, "a", now, 60000), 5);
	sw_keyq_free(q);
}

Test(keyq, a_cap_of_nothing_still_waits_a_millisecond)
{
	struct sw_keyq *q = queue();

	sw_keyq_add(q, "a", 0);
	takes(q, 0, "a");
	cr_assert_eq(sw_keyq_fail(q, "a", 0, 0), 1);
	sw_keyq_free(q);
}

Test(keyq, news_come_before_the_backoff)
{
	struct sw_keyq *q = queue();

	sw_keyq_add(q, "a", 0);
	takes(q, 0, "a");
	sw_keyq_add(q, "a", 1);
	sw_keyq_fail(q, "a", 0, 60000);
	cr_assert_eq(sw_keyq_next_due(q), 1);
	sw_keyq_free(q);
}

Test(keyq, forgetting_drops_what_waits_and_leaves_what_is_worked_on)
{
	struct sw_keyq *q = queue();

	sw_keyq_add(q, "a", 0);
	sw_keyq_add(q, "b", 0);
	sw_keyq_forget(q, "a");
	sw_keyq_forget(q, "none");
	takes(q, 0, "b");
	sw_keyq_forget(q, "b");
	cr_assert_eq(sw_keyq_len(q), 1);
	sw_keyq_done(q, "b", 0);
	cr_assert_eq(sw_keyq_len(q), 0);
	cr_assert_eq(sw_keyq_next_due(q), UINT64_MAX);
	sw_keyq_free(q);
}

Test(keyq, fifty_thousand_keys_leave_in_order_of_time_then_of_coming)
{
	struct sw_keyq *q = queue();
	char key[32];
	int n = 0, last = -1;
	const char *k;

	for (int i = 0; i < 50000; i++) {
		snprintf(key, sizeof(key), "namespace/job-%05d", i);
		sw_keyq_add(q, key, (uint64_t)(i / 1000));
	}
	cr_assert_eq(sw_keyq_len(q), 50000);
	while ((k = sw_keyq_take(q, 50))) {
		int now;

		cr_assert_eq(sscanf(k, "namespace/job-%d", &now), 1);
		cr_assert_eq(now, last + 1);
		last = now;
		n++;
		sw_keyq_done(q, k, 0);
	}
	cr_assert_eq(n, 50000);
	cr_assert_eq(sw_keyq_len(q), 0);
	sw_keyq_free(q);
}

Test(keyq, freeing_with_keys_waiting_and_in_work_leaks_nothing)
{
	struct sw_keyq *q = queue();

	sw_keyq_add(q, "a", 0);
	sw_keyq_add(q, "", 0);
	takes(q, 0, "a");
	sw_keyq_free(q);
	sw_keyq_free(NULL);
}
