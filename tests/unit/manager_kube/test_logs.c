/* SPDX-License-Identifier: Apache-2.0 */
/* test_logs.c - logs of jobs that ended stay as long as the job */
#include "mirror_test.h"

static struct sw_err keep(struct world *w, const char *job, const char *pod, const char *text)
{
	struct answer a = {0};
	const struct sw_workload *r = row(w, job);

	cr_assert(r);
	return wait_for(
		w, w->m->ops->keep_log(w->m, r->key, r->ns, pod, "main", text, strlen(text), false, on_done, &a), &a);
}

static void on_name(void *owner, const char *pod, const char *container)
{
	char *out = owner;

	snprintf(out + strlen(out), 200 - strlen(out), "%s/%s ", pod, container);
}

/* "pod/container pod/container ", "?": no such job. */
static const char *kept(struct world *w, const char *job, char out[200])
{
	*out = '\0';
	struct sw_err e = sw_mirror_kept(w->m, sw_kind_find(JOBS), "default", job, on_name, out);

	return sw_failed(e) ? "?" : out;
}

static void reads(struct world *w, const char *job, int64_t lines, const char *expected)
{
	struct sw_buf b;

	sw_buf_init(&b, 4096);
	struct sw_err e = sw_mirror_kept_log(w->m, sw_kind_find(JOBS), "default", job, "pi-x", "main", lines, &b);

	cr_expect_str_eq(sw_failed(e) ? sw_code_name(e.code) : b.at, expected);
	sw_buf_fini(&b);
}

Test(logs, what_is_kept_is_its_jobs_alone_and_outlives_the_process)
{
	struct world w;
	char out[200];

	world_open(&w);
	kueue_job(&w, "pi");
	kueue_reserve(&w, "pi");
	kueue_job(&w, "pi-2");
	kueue_reserve(&w, "pi-2");
	UNTIL(&w, row(&w, "pi") && row(&w, "pi-2"));
	cr_expect_str_eq(kept(&w, "pi", out), "");
	cr_expect_str_eq(kept(&w, "none", out), "?");
	cr_assert(!sw_failed(keep(&w, "pi", "pi-x", "one\ntwo\n")));
	cr_assert(!sw_failed(keep(&w, "pi", "pi-y", "y\n")));
	cr_assert(!sw_failed(keep(&w, "pi-2", "pi-2-x", "other\n")));
	manager_close(&w);
	manager_open(&w);
	UNTIL(&w, w.synced && row(&w, "pi"));
	cr_expect_str_eq(kept(&w, "pi", out), "pi-x/main pi-y/main ");
	reads(&w, "pi", -1, "one\ntwo\n");
	reads(&w, "pi", 1, "two\n");
	reads(&w, "pi-2", -1, "missing");
	world_close(&w);
}

Test(logs, they_go_with_the_job_whether_or_not_somebody_looks)
{
	for (int away = 0; away < 2; away++) {
		struct world w;
		char out[200];

		world_open(&w);
		kueue_job(&w, "pi");
		kueue_reserve(&w, "pi");
		UNTIL(&w, row(&w, "pi"));
		cr_assert(!sw_failed(keep(&w, "pi", "pi-x", "x\n")));
		if (away)
			manager_close(&w);
		erase(&w, JOBS, "pi");
		if (away)
			manager_open(&w);
		struct sw_bytes *b = NULL;
		UNTIL(&w, w.synced && strcmp(kept(&w, "pi", out), "?") == 0);
		settle(&w, 50);
		struct sw_err e = sw_store_note_get(sw_api_store(w.api), "logmeta/0000000000000000", &b);
		cr_expect_eq(e.code, SW_E_MISSING, "away %d: it is not in the store any more", away);
		sw_bytes_unref(b);
		world_close(&w);
	}
}

Test(logs, an_answer_that_comes_after_the_close_finds_nobody)
{
	struct world w;
	struct answer a = {0};

	world_open(&w);
	kueue_job(&w, "pi");
	kueue_reserve(&w, "pi");
	UNTIL(&w, row(&w, "pi"));
	struct sw_err e =
		w.m->ops->keep_log(w.m, row(&w, "pi")->key, "default", "pi-x", "main", "x", 1, false, on_done, &a);
	cr_assert(!sw_failed(e));
	manager_close(&w);
	settle(&w, 100);
	cr_expect(!a.done);
	world_close(&w);
}
