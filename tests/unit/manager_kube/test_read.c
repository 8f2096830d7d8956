/* SPDX-License-Identifier: Apache-2.0 */
/* test_read.c - when what was read of a job has to be read again */
#include "mirror_test.h"

static uint64_t mark(struct world *w)
{
	const struct sw_workload *r = row(w, "a");

	cr_assert(r);
	return r->job_mark;
}

Test(read, the_mark_stays_while_statuses_are_written_and_moves_when_the_job_changes)
{
	struct world w;
	struct answer a = {0};

	world_open(&w);
	kueue_job(&w, "a");
	kueue_reserve(&w, "a");
	UNTIL(&w, row(&w, "a") && row(&w, "a")->reserved);
	uint64_t before = mark(&w), rv = row(&w, "a")->rv;

	cr_assert(before);
	cr_assert(!sw_failed(read_job(&w, "a", &a)));
	cr_assert(!sw_failed(nominate(&w, "a", "w1")));
	cr_expect_neq(row(&w, "a")->rv, rv);
	cr_expect_eq(mark(&w), before, "statuses ask for nothing");
	cr_assert(!sw_failed(win(&w, "a", "w1")));
	cr_expect_eq(mark(&w), before);
	kueue_suspend(&w, "a", false);
	UNTIL(&w, mark(&w) != before);
	json_object_put(a.job);
	json_object_put(a.workload);
	world_close(&w);
}
