/* SPDX-License-Identifier: Apache-2.0 */
/* The store: preconditions, versions, group commit, lists, watches, and what goes wrong. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "spillway/store.h"
#include "spillway/text.h"

/* ---- a store in a directory of its own ------------------------------------------- */

struct fix {
	char dir[64];
	struct sw_loop *loop;
	struct sw_store *s;
};

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static struct sw_err fix_open_opt(struct fix *f, size_t event_bytes)
{
	struct sw_store_options opt = {.dir = f->dir, .event_bytes = event_bytes};
	return sw_store_open(f->loop, &opt, &f->s);
}

static void fix_init(struct fix *f)
{
	*f = (struct fix){.s = NULL};
	strcpy(f->dir, "/tmp/spillway-store-XXXXXX");
	cr_assert(mkdtemp(f->dir));
	cr_assert(!sw_failed(sw_loop_new(&f->loop)));
	struct sw_err e = fix_open_opt(f, 0);
	cr_assert(!sw_failed(e), "%s", e.text);
}

static void fix_close(struct fix *f)
{
	sw_store_close(f->s);
	f->s = NULL;
	sw_loop_free(f->loop);
	f->loop = NULL;
}

static void fix_fini(struct fix *f)
{
	if (f->loop)
		fix_close(f);
	nftw(f->dir, rm_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void fix_reopen(struct fix *f)
{
	fix_close(f);
	cr_assert(!sw_failed(sw_loop_new(&f->loop)));
	struct sw_err e = fix_open_opt(f, 0);
	cr_assert(!sw_failed(e), "%s", e.text);
}

struct landed {
	bool done;
	struct sw_err err;
	uint64_t rv;
	int calls;
};

static void on_commit(void *owner, struct sw_err err, uint64_t rv)
{
	struct landed *l = owner;
	l->done = true;
	l->err = err;
	l->rv = rv;
	l->calls++;
}

static struct sw_put put_of(const char *name, const char *text, uint64_t expect)
{
	/* {"rv":"N","text":TEXT} */
	return (struct sw_put){.key = {"jobs.batch", "default", name},
			       .expect_rv = expect,
			       .uid = name,
			       .head = "{\"rv\":\"",
			       .head_len = 7,
			       .tail = text,
			       .tail_len = strlen(text)};
}

static uint64_t put_now(struct fix *f, const char *name, const char *text, uint64_t expect)
{
	struct landed l = {.done = false};
	struct sw_put put = put_of(name, text, expect);
	uint64_t rv = 0;
	struct sw_err e = sw_store_put(f->s, &put, on_commit, &l, &rv);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert(sw_loop_until(f->loop, &l.done, 5000));
	cr_assert(!sw_failed(l.err), "%s", l.err.text);
	cr_assert_eq(l.rv, rv);
	return rv;
}

static const struct sw_obj_key KEY_A = {"jobs.batch", "default", "a"};

/* ---- writing and reading ------------------------------------------------------------ */

Test(store, a_write_is_read_back_with_its_version_inside)
{
	struct fix f;
	fix_init(&f);
	uint64_t rv = put_now(&f, "a", "\",\"x\":1}", SW_RV_ABSENT), got_rv = 0;
	struct sw_bytes *b = NULL;
	cr_assert(!sw_failed(sw_store_get(f.s, &KEY_A, &b, &got_rv)));
	cr_assert_eq(got_rv, rv);
	cr_assert_str_eq(b->at, "{\"rv\":\"1\",\"x\":1}");
	sw_bytes_unref(b);
	fix_fini(&f);
}

Test(store, a_write_in_flight_is_seen_by_latest_only)
{
	struct fix f;
	fix_init(&f);
	struct landed l = {.done = false};
	struct sw_put put = put_of("a", "\"}", SW_RV_ABSENT);
	cr_assert(!sw_failed(sw_store_put(f.s, &put, on_commit, &l, NULL)));
	struct sw_bytes *b = NULL;
	cr_assert_eq(sw_store_get(f.s, &KEY_A, &b, NULL).code, SW_E_MISSING);
	cr_assert_eq(b, NULL);
	cr_assert(!sw_failed(sw_store_latest(f.s, &KEY_A, &b, NULL)));
	sw_bytes_unref(b);
	cr_assert(!l.done);
	cr_assert(sw_loop_until(f.loop, &l.done, 5000));
	cr_assert_eq(sw_store_rv(f.s), 1);
	fix_fini(&f);
}

struct rule {
	const char *what;
	bool there, del;
	uint64_t expect;
	enum sw_code code;
};
static const struct rule rules[] = {
	{"create where nothing is", false, false, SW_RV_ABSENT, SW_E_OK},
	{"create where something is", true, false, SW_RV_ABSENT, SW_E_EXISTS},
	{"unconditional on nothing", false, false, SW_RV_ANY, SW_E_OK},
	{"unconditional on something", true, false, SW_RV_ANY, SW_E_OK},
	{"the right version", true, false, 1, SW_E_OK},
	{"an old version", true, false, 7, SW_E_CONFLICT},
	{"a version of nothing", false, false, 1, SW_E_MISSING},
	{"delete what is not there", false, true, SW_RV_ANY, SW_E_MISSING},
	{"delete", true, true, SW_RV_ANY, SW_E_OK},
	{"delete the right version", true, true, 1, SW_E_OK},
	{"delete an old version", true, true, 7, SW_E_CONFLICT},
};

Test(store, preconditions_hold_against_committed_and_in_flight_states)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		for (int flight = 0; flight < 2; flight++) {
			struct fix f;
			struct landed first = {.done = !rules[i].there}, l = {.done = false};
			fix_init(&f);
			struct sw_put base = put_of("a", "\"}", SW_RV_ABSENT),
				      put = put_of("a", "\"}", rules[i].expect);
			if (rules[i].there)
				cr_assert(!sw_failed(sw_store_put(f.s, &base, on_commit, &first, NULL)));
			if (!flight)
				cr_assert(sw_loop_until(f.loop, &first.done, 5000));
			struct sw_err e =
				(rules[i].del ? sw_store_delete : sw_store_put)(f.s, &put, on_commit, &l, NULL);
			cr_expect_eq(e.code, rules[i].code, "%s: %s", rules[i].what, e.text);
			if (!sw_failed(e))
				cr_assert(sw_loop_until(f.loop, &l.done, 5000));
			cr_expect(!sw_failed(l.err), "%s: %s", rules[i].what, l.err.text);
			fix_fini(&f);
			cr_expect_eq(l.calls, sw_failed(e) ? 0 : 1, "%s", rules[i].what);
		}
	}
}

Test(store, the_version_counter_survives_a_restart_and_counts_deletes)
{
	struct fix f;
	fix_init(&f);
	put_now(&f, "a", "\"}", SW_RV_ABSENT);
	struct landed l = {.done = false};
	struct sw_put put = put_of("a", "\"}", SW_RV_ANY);
	cr_assert(!sw_failed(sw_store_delete(f.s, &put, on_commit, &l, NULL)));
	cr_assert(sw_loop_until(f.loop, &l.done, 5000));
	cr_assert_eq(sw_store_count(f.s, "jobs.batch", NULL), 0);
	fix_reopen(&f);
	cr_assert_eq(sw_store_rv(f.s), 2);
	cr_assert_eq(put_now(&f, "a", "\"}", SW_RV_ABSENT), 3);
	cr_assert_eq(sw_store_count(f.s, "jobs.batch", "default"), 1);
	fix_fini(&f);
}

Test(store, closing_commits_what_was_accepted)
{
	struct fix f;
	fix_init(&f);
	struct landed l = {.done = false};
	struct sw_put put = put_of("a", "\"}", SW_RV_ABSENT);
	cr_assert(!sw_failed(sw_store_put(f.s, &put, on_commit, &l, NULL)));
	fix_reopen(&f);
	cr_assert(l.done);
	cr_assert(!sw_failed(l.err));
	cr_assert_eq(sw_store_count(f.s, "jobs.batch", NULL), 1);
	fix_fini(&f);
}

/* ---- notes and owners ------------------------------------------------------------------ */

static void note_count(void *owner, const char *key, const char *bytes, size_t len)
{
	(void)key, (void)bytes;
	*(size_t *)owner += len;
}

Test(store, notes_are_kept_replaced_listed_by_prefix_and_dropped)
{
	struct fix f;
	fix_init(&f);
	struct landed l = {.done = false};
	struct sw_bytes *b = NULL;
	size_t bytes = 0;
	cr_assert(!sw_failed(sw_store_note_put(f.s, "user/a", "12345", 5, NULL, NULL)));
	cr_assert(!sw_failed(sw_store_note_put(f.s, "user/a", "123", 3, NULL, NULL)));
	cr_assert(!sw_failed(sw_store_note_put(f.s, "user%", "1234567", 7, on_commit, &l)));
	cr_assert(!sw_failed(sw_store_note_get(f.s, "user/a", &b)));
	cr_assert_str_eq(b->at, "123");
	sw_bytes_unref(b);
	cr_assert(sw_loop_until(f.loop, &l.done, 5000));
	cr_assert(!sw_failed(sw_store_notes(f.s, "user/", note_count, &bytes)));
	cr_assert_eq(bytes, 3);
	l.done = false;
	cr_assert(!sw_failed(sw_store_note_put(f.s, "user/a", NULL, 0, on_commit, &l)));
	cr_assert(sw_loop_until(f.loop, &l.done, 5000));
	cr_assert_eq(sw_store_note_get(f.s, "user/a", &b).code, SW_E_MISSING);
	fix_fini(&f);
}

static void own_count(void *owner, const struct sw_obj_key *key)
{
	(void)key;
	++*(int *)owner;
}

Test(store, owners_are_indexed_and_follow_updates)
{
	struct fix f;
	fix_init(&f);
	const char *const owners[] = {"u1", "u2", NULL};
	struct landed l = {.done = false};
	struct sw_put put = put_of("a", "\"}", SW_RV_ABSENT);
	int n = 0;
	put.owner_uids = owners;
	cr_assert(!sw_failed(sw_store_put(f.s, &put, on_commit, &l, NULL)));
	cr_assert(sw_loop_until(f.loop, &l.done, 5000));
	cr_assert(!sw_failed(sw_store_owned_by(f.s, "u2", own_count, &n)));
	cr_assert_eq(n, 1);
	put_now(&f, "a", "\"}", 1);
	cr_assert(!sw_failed(sw_store_owned_by(f.s, "u2", own_count, &n)));
	cr_assert_eq(n, 1);
	fix_fini(&f);
}

/* ---- lists -------------------------------------------------------------------------------- */

struct lister {
	struct sw_list *l;
	size_t n, pages;
	uint64_t rv;
	bool done;
	char last[16];
	struct fix *f;
	bool disturb;
};

static void on_page(void *owner, struct sw_err err, const struct sw_page *page)
{
	struct lister *li = owner;
	cr_assert(!sw_failed(err), "%s", err.text);
	cr_assert(li->pages == 0 || page->rv == li->rv);
	li->rv = page->rv;
	li->pages++;
	for (size_t i = 0; i < page->n; i++) {
		cr_assert(strcmp(page->items[i].name, li->last) > 0, "order");
		strcpy(li->last, page->items[i].name);
		cr_assert_eq(strlen(page->items[i].bytes), page->items[i].len);
	}
	li->n += page->n;
	if (page->last) {
		li->done = true;
		return;
	}
	if (li->disturb) { /* a write in between must not be seen */
		struct sw_put put = put_of("zzz", "\"}", SW_RV_ANY);
		cr_assert(!sw_failed(sw_store_put(li->f->s, &put, NULL, NULL, NULL)));
	}
	sw_store_list_next(li->l);
}

static bool keep_even(void *filter, const char *bytes, size_t len, struct sw_buf *out)
{
	(void)filter, (void)out;
	return bytes[len - 2] % 2 == 0;
}

static void fill(struct fix *f, int n)
{
	struct landed l = {.done = false};
	for (int i = 0; i < n; i++) {
		char name[16], tail[32];
		snprintf(name, sizeof(name), "j%04d", i);
		snprintf(tail, sizeof(tail), "\",\"n\":%d}", i % 10);
		struct sw_put put = put_of(name, tail, SW_RV_ABSENT);
		cr_assert(!sw_failed(sw_store_put(f->s, &put, i == n - 1 ? on_commit : NULL, &l, NULL)));
	}
	cr_assert(sw_loop_until(f->loop, &l.done, 5000));
}

Test(store, a_list_is_one_snapshot_in_pages_in_key_order)
{
	struct fix f;
	fix_init(&f);
	fill(&f, 1000);
	struct lister li = {.f = &f, .disturb = true};
	struct sw_list_cfg cfg = {.resource = "jobs.batch", .max_bytes = 4096};
	cr_assert(!sw_failed(sw_store_list(f.s, &cfg, on_page, &li, &li.l)));
	cr_assert(sw_loop_until(f.loop, &li.done, 5000));
	cr_assert_eq(li.n, 1000);
	cr_assert_gt(li.pages, 3);
	cr_assert_eq(li.rv, 1000);
	sw_store_list_free(li.l);
	fix_fini(&f);
}

struct list_row {
	const char *what;
	const char *ns, *after_ns, *after;
	size_t limit;
	bool even;
	size_t want;
};
static const struct list_row list_rows[] = {
	{"all", NULL, NULL, NULL, 0, false, 100},
	{"limit", NULL, NULL, NULL, 7, false, 7},
	{"behind a key", NULL, "default", "j0089", 0, false, 10},
	{"behind a key of the namespace", "default", "default", "j0089", 0, false, 10},
	{"another namespace", "other", NULL, NULL, 0, false, 0},
	{"filtered", NULL, NULL, NULL, 0, true, 50},
	{"filtered and limited", "default", NULL, NULL, 3, true, 3},
};

Test(store, lists_take_namespace_limit_continuation_and_filter)
{
	struct fix f;
	fix_init(&f);
	fill(&f, 100);
	for (size_t i = 0; i < sizeof(list_rows) / sizeof(list_rows[0]); i++) {
		const struct list_row *r = &list_rows[i];
		struct lister li = {.f = &f};
		struct sw_list_cfg cfg = {.resource = "jobs.batch",
					  .ns = r->ns,
					  .after_ns = r->after_ns,
					  .after_name = r->after,
					  .limit = r->limit,
					  .pick = r->even ? keep_even : NULL};
		cr_assert(!sw_failed(sw_store_list(f.s, &cfg, on_page, &li, &li.l)));
		cr_assert(sw_loop_until(f.loop, &li.done, 5000));
		cr_expect_eq(li.n, r->want, "%s", r->what);
		sw_store_list_free(li.l);
	}
	fix_fini(&f);
}

static bool shout(void *filter, const char *bytes, size_t len, struct sw_buf *out)
{
	(void)bytes, (void)len;
	sw_buf_puts(out, "!");
	++*(int *)filter;
	return true;
}

static void count_release(void *filter)
{
	*(int *)filter += 1000;
}

static void on_shout(void *owner, struct sw_err err, const struct sw_page *page)
{
	bool *done = owner;
	cr_assert(!sw_failed(err), "%s", err.text);
	for (size_t i = 0; i < page->n; i++) {
		cr_assert_str_eq(page->items[i].bytes, "!");
		cr_assert_eq(page->items[i].len, 1);
		cr_assert(i == 0 || page->items[i].rv > page->items[i - 1].rv, "order of versions");
	}
	cr_assert_str_eq(page->items[page->n - 1].name, "j0003", "the last one changed comes last");
	*done = page->last;
}

Test(store, a_list_by_version_with_bytes_made_on_the_pool)
{
	struct fix f;
	fix_init(&f);
	fill(&f, 20);
	put_now(&f, "j0003", "\"}", SW_RV_ANY);
	int calls = 0;
	bool done = false;
	struct sw_list *l = NULL;
	struct sw_list_cfg cfg = {
		.resource = "jobs.batch", .by_rv = true, .pick = shout, .filter = &calls, .release = count_release};
	cr_assert(!sw_failed(sw_store_list(f.s, &cfg, on_shout, &done, &l)));
	cr_assert(sw_loop_until(f.loop, &done, 5000));
	cr_assert_eq(calls, 20);
	sw_store_list_free(l);
	cr_assert_eq(calls, 1020);
	fix_fini(&f);
}

Test(store, more_lists_than_readers_wait_and_all_end)
{
	struct fix f;
	fix_init(&f);
	fill(&f, 50);
	struct lister li[20] = {{.n = 0}};
	struct sw_list_cfg cfg = {.resource = "jobs.batch", .max_bytes = 64};
	for (int i = 0; i < 20; i++)
		cr_assert(!sw_failed(sw_store_list(f.s, &cfg, on_page, &li[i], &li[i].l)));
	sw_store_list_free(li[19].l); /* while it waits */
	for (int i = 0; i < 19; i++) {
		cr_assert(sw_loop_until(f.loop, &li[i].done, 5000));
		sw_store_list_free(li[i].l);
		cr_assert_eq(li[i].n, 50);
	}
	cr_assert_eq(li[19].n, 0);
	fix_fini(&f);
}

Test(store, a_list_freed_while_its_page_is_read_is_silent)
{
	struct fix f;
	fix_init(&f);
	fill(&f, 50);
	struct lister li = {.n = 0};
	struct sw_list_cfg cfg = {.resource = "jobs.batch"};
	cr_assert(!sw_failed(sw_store_list(f.s, &cfg, on_page, &li, &li.l)));
	sw_store_list_free(li.l);
	fix_fini(&f); /* also with the store closed under it */
	cr_assert_eq(li.n, 0);
}

/* ---- watching ------------------------------------------------------------------------------- */

struct watcher {
	struct sw_sub *sub;
	char log[256];
	int stop_after;
};

static void on_event(void *owner, const struct sw_event *ev)
{
	struct watcher *w = owner;
	static const char type[] = "AMD";
	char one[48];
	snprintf(one, sizeof(one), "%c%llu%s%s ", type[ev->type], (unsigned long long)ev->rv, ev->key.name,
		 ev->before ? "b" : "");
	strncat(w->log, one, sizeof(w->log) - strlen(w->log) - 1);
	if (--w->stop_after == 0)
		sw_store_unwatch(w->sub);
}

Test(store, events_come_in_order_past_ones_first)
{
	struct fix f;
	fix_init(&f);
	struct watcher w = {.stop_after = -1}, late = {.stop_after = -1}, other = {.stop_after = -1},
		       two = {.stop_after = 2};
	cr_assert(!sw_failed(sw_store_watch(f.s, "jobs.batch", 0, on_event, &w, &w.sub)));
	cr_assert(!sw_failed(sw_store_watch(f.s, "pods", 0, on_event, &other, &other.sub)));
	put_now(&f, "a", "\"}", SW_RV_ABSENT);
	put_now(&f, "a", "\"}", 1);
	put_now(&f, "b", "\"}", SW_RV_ABSENT);
	cr_assert(!sw_failed(sw_store_watch(f.s, NULL, 1, on_event, &late, &late.sub)));
	cr_assert(!sw_failed(sw_store_watch(f.s, NULL, 0, on_event, &two, &two.sub)));
	struct landed l = {.done = false};
	struct sw_put put = put_of("a", "\"}", 2);
	cr_assert(!sw_failed(sw_store_delete(f.s, &put, on_commit, &l, NULL)));
	cr_assert(sw_loop_until(f.loop, &l.done, 5000));
	cr_assert_str_eq(w.log, "A1a M2ab A3b D4ab ");
	cr_assert_str_eq(late.log, "M2ab A3b D4ab ");
	cr_assert_str_eq(two.log, "A1a M2ab ");
	cr_assert_str_eq(other.log, "");
	sw_store_unwatch(w.sub);
	fix_fini(&f);
}

Test(store, a_watch_from_before_the_ring_is_gone_and_from_the_future_is_busy)
{
	struct fix f;
	fix_init(&f);
	fix_close(&f);
	cr_assert(!sw_failed(sw_loop_new(&f.loop)));
	cr_assert(!sw_failed(fix_open_opt(&f, 2000)));
	fill(&f, 200);
	struct watcher w = {.stop_after = -1};
	cr_assert_eq(sw_store_watch(f.s, NULL, 1, on_event, &w, &w.sub).code, SW_E_GONE);
	cr_assert_eq(sw_store_watch(f.s, NULL, 201, on_event, &w, &w.sub).code, SW_E_BUSY);
	cr_assert_eq(w.sub, NULL);
	cr_assert(!sw_failed(sw_store_watch(f.s, NULL, 200, on_event, &w, &w.sub)));
	cr_assert_str_eq(w.log, "");
	fix_fini(&f);
}

/* ---- what goes wrong ---------------------------------------------------------------------------- */

Test(store, a_second_gateway_on_the_directory_is_told_who_holds_it)
{
	struct fix f;
	fix_init(&f);
	struct sw_store *second = NULL;
	struct sw_store_options opt = {.dir = f.dir};
	struct sw_err e = sw_store_open(f.loop, &opt, &second);
	char pid[24];
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	cr_assert_eq(e.code, SW_E_BUSY);
	cr_assert(strstr(e.text, pid), "%s", e.text);
	cr_assert_eq(second, NULL);
	fix_fini(&f);
}

static void sql(struct fix *f, const char *text)
{
	char path[128];
	sqlite3 *db = NULL;
	snprintf(path, sizeof(path), "%s/store.db", f->dir);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

Test(store, a_newer_schema_is_refused_and_left_alone)
{
	struct fix f;
	fix_init(&f);
	fix_close(&f);
	sql(&f, "PRAGMA user_version=99");
	cr_assert(!sw_failed(sw_loop_new(&f.loop)));
	struct sw_err e = fix_open_opt(&f, 0);
	cr_assert_eq(e.code, SW_E_INVALID);
	cr_assert(strstr(e.text, "99") && strstr(e.text, "newer"), "%s", e.text);
	fix_fini(&f);
}

Test(store, a_file_that_is_no_store_is_refused)
{
	struct fix f;
	fix_init(&f);
	fix_close(&f);
	char path[128];
	char junk[8192];
	memset(junk, 'x', sizeof(junk));
	snprintf(path, sizeof(path), "%s/store.db", f.dir);
	cr_assert(!sw_failed(sw_file_write(path, junk, sizeof(junk), 0600)));
	cr_assert(!sw_failed(sw_loop_new(&f.loop)));
	struct sw_err e = fix_open_opt(&f, 0);
	cr_assert_eq(e.code, SW_E_IO);
	cr_assert(strstr(e.text, path), "%s", e.text);
	fix_fini(&f);
}

/* A disk that fills up, played by the limit on file sizes. */
Test(store, a_full_disk_refuses_writes_keeps_reads_and_recovers)
{
	struct fix f;
	fix_init(&f);
	put_now(&f, "a", "\"}", SW_RV_ABSENT);
	struct rlimit old, small;
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){.rlim_cur = 64 << 10, .rlim_max = old.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	char *big = malloc(200001);
	memset(big, 'y', 200000);
	memcpy(big, "\",\"t\":\"", 7);
	memcpy(big + 199998, "\"}", 3);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	struct landed l = {.done = false}, chained = {.done = false};
	struct sw_put put = put_of("b", big, SW_RV_ABSENT), after = put_of("b", "\"}", SW_RV_ANY);
	cr_assert(!sw_failed(sw_store_put(f.s, &put, on_commit, &l, NULL)));
	cr_assert(!sw_failed(sw_store_put(f.s, &after, on_commit, &chained, NULL)));
	cr_assert(sw_loop_until(f.loop, &chained.done, 5000));
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	cr_assert_eq(l.err.code, SW_E_IO, "%s", l.err.text);
	cr_assert_eq(chained.err.code, SW_E_IO, "what was built on it fails too");
	struct sw_bytes *b = NULL;
	struct sw_obj_key kb = {"jobs.batch", "default", "b"};
	cr_assert_eq(sw_store_latest(f.s, &kb, &b, NULL).code, SW_E_MISSING);
	cr_assert(!sw_failed(sw_store_get(f.s, &KEY_A, &b, NULL)));
	sw_bytes_unref(b);
	cr_assert_gt(put_now(&f, "b", big, SW_RV_ABSENT), 3);
	fix_reopen(&f);
	cr_assert_eq(sw_store_count(f.s, "jobs.batch", NULL), 2);
	free(big);
	fix_fini(&f);
}

/* ---- killed at any moment -------------------------------------------------------------------------- */

static void child_ack(void *owner, struct sw_err err, uint64_t rv)
{
	int fd = *(int *)owner;
	uint32_t n = (uint32_t)rv;
	if (sw_failed(err) || write(fd, &n, sizeof(n)) != sizeof(n))
		_exit(3);
}

static _Noreturn void child_write(const char *dir, int fd)
{
	struct fix f = {.s = NULL};
	bool never = false;
	memcpy(f.dir, dir, strlen(dir) + 1);
	if (sw_failed(sw_loop_new(&f.loop)) || sw_failed(fix_open_opt(&f, 0)))
		_exit(2);
	for (int i = 0;; i++) {
		char name[16];
		snprintf(name, sizeof(name), "j%06d", i);
		struct sw_put put = put_of(name, "\"}", SW_RV_ANY);
		if (sw_failed(sw_store_put(f.s, &put, child_ack, &fd, NULL)))
			_exit(4);
		if (i % 7 == 0)
			sw_loop_until(f.loop, &never, 1);
	}
}

Test(store, nothing_acknowledged_is_lost_when_the_process_is_killed, .timeout = 60)
{
	char dir[64] = "/tmp/spillway-store-XXXXXX";
	cr_assert(mkdtemp(dir));
	for (int round = 0; round < 5; round++) {
		int fds[2];
		uint32_t acked = 0, n;
		cr_assert_eq(pipe(fds), 0);
		pid_t pid = fork();
		if (pid == 0)
			child_write(dir, fds[1]);
		close(fds[1]);
		for (int i = 0; i < 40 + round * 31 && read(fds[0], &n, sizeof(n)) == sizeof(n); i++)
			acked = n;
		kill(pid, SIGKILL);
		int status = 0;
		waitpid(pid, &status, 0);
		cr_assert(WIFSIGNALED(status), "the child ended by itself with %d", WEXITSTATUS(status));
		while (read(fds[0], &n, sizeof(n)) == sizeof(n))
			acked = n;
		close(fds[0]);
		struct fix f = {.s = NULL};
		memcpy(f.dir, dir, strlen(dir) + 1);
		cr_assert(!sw_failed(sw_loop_new(&f.loop)));
		struct sw_err e = fix_open_opt(&f, 0);
		cr_assert(!sw_failed(e), "%s", e.text);
		cr_assert(sw_store_rv(f.s) >= acked);
		fix_close(&f);
	}
	struct fix f = {.s = NULL};
	memcpy(f.dir, dir, strlen(dir) + 1);
	fix_fini(&f);
}
