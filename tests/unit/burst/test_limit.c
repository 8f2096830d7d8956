/* SPDX-License-Identifier: Apache-2.0 */
/* test_limit.c - what is bought and what is not, as a table; and how long a stockout is remembered */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "world.h"

/* what differs from a pool that may be bought: 4 nodes at most, 10 USD each, 40 USD in all */
enum what {
	NOTHING,
	NO_BURST,
	NOT_GROWABLE,
	OUT,
	ASKED_2,
	QUOTA_1,
	QUOTA_0,
	NO_PRICE,
	OLD_PRICE,
	SPENT_30,
	SPENT_31,
	SPENT_UNKNOWN,
	NO_MONEY,
	FREE
};

static struct limit limit_with(enum what what)
{
	struct limit l = {.cluster = "c",
			  .pool = "p",
			  .burst = what != NO_BURST,
			  .growable = what != NOT_GROWABLE,
			  .max = 4,
			  .quota_left = -1,
			  .price_hour = 10,
			  .price_max_age_ms = 1000,
			  .max_hour = 40};
	l.stockout_left_ms = what == OUT ? 60000 : 0;
	l.asked = what == ASKED_2 ? 2 : 0;
	l.quota_left = what == QUOTA_1 ? 1 : what == QUOTA_0 ? 0 : -1;
	l.price_hour = what == NO_PRICE ? NAN : what == FREE ? 0 : 10;
	l.price_age_ms = what == OLD_PRICE ? 1001 : 0;
	l.committed = what == SPENT_30 ? 30 : what == SPENT_31 ? 30.01 : what == SPENT_UNKNOWN ? NAN : 0;
	l.unknown = what == SPENT_UNKNOWN ? "nobody knows" : NULL;
	l.max_hour = what == NO_MONEY || what == FREE ? 0 : 40;
	return l;
}

static const struct {
	enum what what;
	int n;
	const char *says;
} rows[] = {
	{NOTHING, 4, NULL},
	{NOTHING, 0, NULL},
	{NOTHING, 5, "maximum of 4"},
	{ASKED_2, 3, "it has 2"},
	{NO_BURST, 1, "may not grow"},
	{NOT_GROWABLE, 1, "cannot grow"},
	{OUT, 1, "out of stock"},
	{QUOTA_1, 2, "quota leaves 1 node "},
	{QUOTA_0, 1, "quota leaves 0 nodes"},
	{NO_PRICE, 1, "no known price"},
	{OLD_PRICE, 1, "too old"},
	{SPENT_30, 1, NULL},
	{SPENT_31, 1, "limit of 40.00"},
	{SPENT_UNKNOWN, 1, "nobody knows"},
	{NO_MONEY, 1, "limit of 0.00"},
	{FREE, 1, NULL}, /* owned machines that are switched on: free because somebody said so */
};

Test(limit, each_reason_is_said_in_words)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct limit l = limit_with(rows[i].what);
		char why[300];
		bool no = limit_refuses(&l, rows[i].n, why, sizeof why);
		cr_expect_eq(no, rows[i].says != NULL, "row %zu: %s", i, why);
		cr_expect(!rows[i].says || strstr(why, rows[i].says), "row %zu: %s", i, why);
	}
}

Test(stockout, is_remembered_longer_each_time_and_at_most_eight_times)
{
	static const int64_t want[] = {100, 200, 400, 800, 800};
	struct stockout s = {0};
	for (int i = 0; i < 5; i++) {
		int64_t at = 10000 * (i + 1);
		cr_assert(stockout_note(&s, at, 100));
		cr_expect_eq(stockout_left(&s, at), want[i], "time %d", i);
		cr_expect(!stockout_note(&s, at, 100), "the same error is no news");
	}
	cr_expect_eq(stockout_left(&s, 50000 + 800), 0);
	stockout_clear(&s);
	cr_assert(stockout_note(&s, 90000, 100));
	cr_expect_eq(stockout_left(&s, 90000), 100, "nodes came: it starts over");
}
