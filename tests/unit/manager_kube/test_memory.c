/* SPDX-License-Identifier: Apache-2.0 */
/* test_memory.c - what a job that waits costs the gateway */
#include <malloc.h>
#include "mirror_test.h"

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
enum { N = 300, LIMIT = 1500 /* bytes a job; a manifest and its Workload are 6,000 */ };

static void count(void *owner, const struct sw_workload *w)
{
	(void)w;
	(*(int *)owner)++;
}

static int rows(struct world *w)
{
	int n = 0;

	w->m->ops->each(w->m, count, &n);
	return n;
}

/* Of a manager that is opened now. */
static size_t heap(struct world *w, int n)
{
	manager_close(w);
	settle(w, 100);
	malloc_trim(0);
	size_t before = mallinfo2().uordblks;

	manager_open(w);
	UNTIL(w, w->synced && rows(w) == n);
	settle(w, 200);
	return mallinfo2().uordblks - before;
}

/* Connections come and go with the moment: the least of some. */
static size_t least_heap(struct world *w, int n)
{
	size_t least = heap(w, n);

	for (int i = 0; i < 4; i++) {
		size_t again = heap(w, n);

		least = again < least ? again : least;
	}
	return least;
}

static void waiting_job(struct world *w, int i)
{
	char name[32], wl[64];

	snprintf(name, sizeof(name), "some-job-%d", i);
	snprintf(wl, sizeof(wl), "job-%s-12345", name);
	kueue_job(w, name);
	json_t *o = get(w, WL, wl);

	sw_json_set(o, "status.admissionChecks",
		    json_of("[{'name':'spillway','state':'Pending','message':'','lastTransitionTime':"
			    "'2026-11-23T10:00:00Z'}]"));
	put_status(w, WL, o);
}

Test(memory, a_job_that_waits_for_quota_costs_a_row_and_not_a_manifest, .timeout = 120)
{
	struct world w;

	if (SANITIZED)
		cr_skip_test("the sanitizer's own bookkeeping would be counted");
	world_open(&w);
	size_t alone = least_heap(&w, 0);

	for (int i = 0; i < N; i++)
		waiting_job(&w, i);
	size_t full = least_heap(&w, N), each = full > alone ? (full - alone) / N : 0;

	cr_log_info("%zu bytes a job, %zu alone", each, alone);
	cr_expect_lt(each, LIMIT, "%zu bytes a job", each);
	world_close(&w);
}
