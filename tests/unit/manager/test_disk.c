/* SPDX-License-Identifier: Apache-2.0 */
/* test_disk.c - commits that fail: nothing is believed that is not stored, and all goes on when there is room again */
#include <signal.h>
#include <sys/resource.h>
#include "manager_test.h"

static struct rlimit before;

/* From now on no file may grow: SQLite sees a full disk. */
static void disk_full(void)
{
	struct rlimit none = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	none.rlim_max = before.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
}

static void disk_free(void)
{
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void on_created(void *owner, struct sw_err e, json_t *o)
{
	(void)o;
	cr_assert(!sw_failed(e), "%s", e.text);
	*(bool *)owner = true;
	disk_full(); /* the job is there, its Workload will not be written */
}

Test(manager_disk, a_workload_that_could_not_be_written_holds_no_quota_and_comes_later)
{
	struct world w;
	bool created = false;
	json_t *job = job_json("pi", 1);

	world_open(&w);
	sw_log_setup(SW_LOG_OFF, false, 2);
	cr_assert(!sw_failed(sw_api_object_create(w.api, "jobs.batch", job, on_created, &created)));
	json_object_put(job);
	UNTIL(&w, created);
	for (int i = 0; i < 10; i++)
		settle(&w);
	cr_expect_null(row(&w, "pi"));
	cr_expect_eq(sw_queue_count(sw_embedded_queue(w.m), "cq").admitted, 0);
	disk_free();
	UNTIL(&w, is_reserved(&w, "pi"));
	cr_expect_eq(gpus_used(&w), 1);
	world_close(&w);
}

static bool is_stored(struct world *w, const char *resource, const char *ns, const char *name)
{
	json_t *o = get(w, resource, ns, name);

	json_object_put(o);
	return o;
}

Test(manager_disk, a_first_start_on_a_full_disk_makes_its_objects_later)
{
	struct world w;

	world_make(&w);
	sw_log_setup(SW_LOG_OFF, false, 2);
	world_begin(&w, 0);
	disk_full(); /* before the loop turns */
	for (int i = 0; i < 10; i++)
		settle(&w);
	cr_expect(!is_stored(&w, "namespaces", "", "default"));
	disk_free();
	UNTIL(&w, is_stored(&w, "namespaces", "", "default"));
	UNTIL(&w, is_stored(&w, LQS, "default", "lq"));
	UNTIL(&w, w.synced);
	world_close(&w);
}

Test(manager_disk, a_decision_that_was_not_stored_was_not_made)
{
	struct world w;
	struct sw_change c = {.op = SW_CHANGE_WIN, .cluster = "east"}, evict = {.op = SW_CHANGE_EVICT, .reason = "X"};
	struct sw_err e;

	world_open(&w);
	sw_log_setup(SW_LOG_OFF, false, 2);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	nominate(&w, "pi");
	settle(&w);
	disk_full();
	e = change(&w, "pi", &c);
	cr_expect(sw_failed(e), "there is no room");
	cr_expect_null(row(&w, "pi")->cluster);
	cr_expect(sw_failed(change(&w, "pi", &evict)));
	cr_expect(!row(&w, "pi")->evicted && row(&w, "pi")->reserved);
	cr_expect_eq(gpus_used(&w), 1);
	disk_free();
	win(&w, "pi", "west");
	UNTIL(&w, !suspended(&w, "pi"));
	cr_expect_str_eq(row(&w, "pi")->cluster, "west");
	world_close(&w);
}
