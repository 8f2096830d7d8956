/* SPDX-License-Identifier: Apache-2.0 */
/* test_step.c - views and the rule that applies to each */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../../gateway/dispatch/step.h"
#include "spillway/text.h"

/* A row starts from a macro and overrides some of it. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

#define NOTHING .extra = -1, .extra_offer = -1, .behind = -1, .adopt = -1, .ready_candidate = -1, .grow_candidate = -1
/* a workload that may run and has no winner */
#define PLACING .known = true, .may_run = true, NOTHING
/* one whose winner is named, seen and ready */
#define WON    PLACING, .has_winner = true, .configured = true, .ready = true, .placed_noted = true, .named_now = true
#define RUNS   WON, .seen = SW_COPY_OURS, .current = true
#define UNSEEN PLACING, .has_winner = true, .configured = true, .seen = SW_COPY_UNKNOWN
/* a copy that must not be, on a cluster that is ours */
#define EXTRA .extra = 1, .extra_ours_to_touch = true

static const struct {
	const char *title;
	struct view v;
	enum step step;
} rows[] = {
	{"no row", {NOTHING}, STEP_FORGET},
	{"its copy ended", {RUNS, .ended = true}, STEP_FINISH},
	{"its copy ended while it was being evicted",
	 {RUNS, .ended = true, .may_run = false, .evicted = true},
	 STEP_FINISH},
	{"ended, but the job is being deleted",
	 {RUNS, .ended = true, .may_run = false, .deleting = true, EXTRA, .extra_ended = true},
	 STEP_SWEEP},
	{"finished, copy still there",
	 {WON, .finished = true, .may_run = false, EXTRA, .extra_ended = true},
	 STEP_SWEEP},
	{"finished, copy somehow runs on",
	 {WON, .finished = true, .may_run = false, EXTRA, .extra_active = true},
	 STEP_STOP},
	{"finished and clean", {WON, .finished = true, .may_run = false, .seen = SW_COPY_ABSENT}, STEP_FORGET},

	{"an old copy succeeded, nothing has begun",
	 {PLACING, EXTRA, .extra_ended = true, .extra_well = true},
	 STEP_FINISH_OLD},
	{"an old copy succeeded, the new one is not created",
	 {WON, .seen = SW_COPY_ABSENT, EXTRA, .extra_ended = true, .extra_well = true},
	 STEP_FINISH_OLD},
	{"an old copy succeeded, the new one runs", {RUNS, EXTRA, .extra_ended = true, .extra_well = true}, STEP_SWEEP},
	{"an old copy succeeded, the new one cannot be seen",
	 {UNSEEN, EXTRA, .extra_ended = true, .extra_well = true},
	 STEP_SWEEP},
	{"it runs after a restart, and its Secret may not have been sent", {RUNS, .companions_due = true}, STEP_READ},
	{"created, and its Secret is not sent",
	 {RUNS, .suspended = true, .companions_due = true, .job_known = true},
	 STEP_COMPANION},
	{"its worker's Kueue started it before its Secret was sent",
	 {RUNS, .companions_due = true, .job_known = true, .status_new = true},
	 STEP_COMPANION},
	{"an old copy failed", {PLACING, EXTRA, .extra_ended = true}, STEP_SWEEP},
	{"an old copy succeeded, the job is finished",
	 {PLACING, .finished = true, EXTRA, .extra_ended = true, .extra_well = true},
	 STEP_SWEEP},

	{"an extra copy on a cluster that is not ours", {PLACING, .extra = 0}, STEP_HOLD},
	{"an extra copy runs", {RUNS, EXTRA, .extra_active = true}, STEP_STOP},
	{"an extra copy looks idle but is not suspended", {RUNS, EXTRA}, STEP_STOP},
	{"an extra copy is suspended, pods end",
	 {RUNS, EXTRA, .extra_suspended = true, .extra_active = true},
	 STEP_WAIT},
	{"an extra copy is suspended and empty", {RUNS, EXTRA, .extra_suspended = true}, STEP_SWEEP},
	{"an extra copy is on its way out", {RUNS, EXTRA, .extra_going = true, .extra_active = true}, STEP_WAIT},
	{"nothing starts while an extra copy is there",
	 {WON, .seen = SW_COPY_ABSENT, .job_known = true, EXTRA, .extra_going = true},
	 STEP_WAIT},
	{"nothing is placed while an extra copy is there",
	 {PLACING, .job_known = true, .ready_candidate = 0, EXTRA, .extra_going = true},
	 STEP_WAIT},

	{"evicted, copy running", {WON, .may_run = false, .evicted = true, EXTRA, .extra_active = true}, STEP_STOP},
	{"evicted, copy gone", {WON, .may_run = false, .evicted = true, .seen = SW_COPY_ABSENT}, STEP_RELEASE},
	{"evicted, cluster unseen: held", {UNSEEN, .may_run = false, .evicted = true}, STEP_HOLD},
	{"evicted, cluster lost: held", {UNSEEN, .may_run = false, .evicted = true, .lost = true}, STEP_HOLD},
	{"evicted, cluster lost, duplicates allowed",
	 {UNSEEN, .may_run = false, .evicted = true, .lost = true, .duplicate = true},
	 STEP_RELEASE},
	{"evicted, cluster unseen but not lost, duplicates allowed",
	 {UNSEEN, .may_run = false, .evicted = true, .duplicate = true},
	 STEP_HOLD},
	{"evicted, its cluster left the configuration",
	 {PLACING, .may_run = false, .evicted = true, .has_winner = true, .lost = true},
	 STEP_HOLD},
	{"evicted before it won", {PLACING, .may_run = false, .evicted = true}, STEP_RELEASE},
	{"stopped by its user, still running", {WON, .may_run = false, EXTRA, .extra_active = true}, STEP_STOP},
	{"stopped by its user, copy gone", {WON, .may_run = false, .seen = SW_COPY_ABSENT}, STEP_EVICT},
	{"waits for quota", {PLACING, .may_run = false}, STEP_FORGET},
	{"deleted, nothing left", {PLACING, .may_run = false, .deleting = true}, STEP_RELEASE},
	{"deleted, cluster unseen", {UNSEEN, .may_run = false, .deleting = true}, STEP_HOLD},
	{"deleted, cluster lost", {UNSEEN, .may_run = false, .deleting = true, .lost = true}, STEP_TOMBSTONE},
	{"deleted, cluster lost and remembered",
	 {UNSEEN, .may_run = false, .deleting = true, .lost = true, .tombstoned = true},
	 STEP_RELEASE},
	{"deleted, cluster not configured any more",
	 {PLACING, .may_run = false, .deleting = true, .has_winner = true, .lost = true},
	 STEP_RELEASE},

	{"winner lost: held", {UNSEEN, .lost = true}, STEP_HOLD},
	{"winner lost, duplicates allowed", {UNSEEN, .lost = true, .duplicate = true}, STEP_EVICT},
	{"winner unseen, in grace", {UNSEEN, .duplicate = true}, STEP_WAIT},
	{"winner not configured: held", {PLACING, .has_winner = true, .lost = true}, STEP_HOLD},
	{"a stranger has the name", {WON, .seen = SW_COPY_FOREIGN}, STEP_EVICT},
	{"somebody removes the copy", {RUNS, .going = true}, STEP_WAIT},
	{"won, cluster not ready", {WON, .seen = SW_COPY_ABSENT, .ready = false}, STEP_HOLD},
	{"won, job not read", {WON, .seen = SW_COPY_ABSENT}, STEP_READ},
	{"won, job broken meanwhile", {WON, .seen = SW_COPY_ABSENT, .job_known = true, .job_bad = true}, STEP_EVICT},
	{"won, refused too often", {WON, .seen = SW_COPY_ABSENT, .start_refused = true}, STEP_EVICT},
	{"won, nothing there", {WON, .seen = SW_COPY_ABSENT, .job_known = true}, STEP_START},
	{"won, created suspended", {RUNS, .suspended = true, .job_known = true}, STEP_START},
	{"started, then deleted by somebody",
	 {WON, .seen = SW_COPY_ABSENT, .job_known = true, .begun = true},
	 STEP_EVICT},
	{"started and deleted; a late POST made another",
	 {RUNS, .suspended = true, .job_known = true, .begun = true},
	 STEP_EVICT},
	{"started and deleted, its pods end", {RUNS, .going = true, .begun = true}, STEP_WAIT},
	{"named before our start, nothing there",
	 {WON, .seen = SW_COPY_ABSENT, .job_known = true, .named_now = false},
	 STEP_EVICT},
	{"named before our start, there it is",
	 {RUNS, .suspended = true, .job_known = true, .named_now = false},
	 STEP_START},
	{"named before our start, cluster unseen", {UNSEEN, .named_now = false}, STEP_WAIT},
	{"runs, not scheduled in time", {RUNS, .running_long_unplaced = true, .status_new = true}, STEP_EVICT},
	{"runs, status changed", {RUNS, .status_new = true}, STEP_SYNC},
	{"runs, all scheduled now", {RUNS, .placed = true, .placed_noted = false}, STEP_PLACED},
	{"runs", {RUNS}, STEP_REST},

	{"a copy without a winner", {PLACING, .adopt = 2, .store_is_old = true}, STEP_ADOPT},
	{"old store", {PLACING, .store_is_old = true, .job_known = true, .ready_candidate = 0}, STEP_HOLD},
	{"not read", {PLACING, .plan_again = true}, STEP_READ},
	{"cannot be understood", {PLACING, .job_known = true, .job_bad = true, .plan_again = true}, STEP_HOLD},
	{"no plan", {PLACING, .job_known = true, .plan_again = true}, STEP_PLAN},
	{"no plan, asked a moment ago", {PLACING, .job_known = true}, STEP_WAIT},
	{"a candidate is ready", {PLACING, .job_known = true, .plan_known = true, .ready_candidate = 1}, STEP_WIN},
	{"ready at the last moment",
	 {PLACING, .job_known = true, .plan_known = true, .ready_candidate = 1, .step_over = true, .step_last = true},
	 STEP_WIN},
	{"step over", {PLACING, .job_known = true, .plan_known = true, .step_over = true}, STEP_NEXT},
	{"step hopeless", {PLACING, .job_known = true, .plan_known = true, .step_hopeless = true}, STEP_NEXT},
	{"last step hopeless: it is waited out",
	 {PLACING, .job_known = true, .plan_known = true, .step_hopeless = true, .step_last = true},
	 STEP_REST},
	{"last step over",
	 {PLACING, .job_known = true, .plan_known = true, .step_over = true, .step_last = true, .plan_again = true},
	 STEP_PLAN},
	{"last step over, asked a moment ago",
	 {PLACING, .job_known = true, .plan_known = true, .step_over = true, .step_last = true},
	 STEP_WAIT},
	{"a pool can grow", {PLACING, .job_known = true, .plan_known = true, .grow_candidate = 0}, STEP_GROW},
	{"a pool grows",
	 {PLACING, .job_known = true, .plan_known = true, .grow_candidate = 0, .grow_asked = true},
	 STEP_REST},
	{"declared dead, out of sight", {UNSEEN, .lost = true, .dead = true, .duplicate = true}, STEP_EVICT},
	{"declared dead, and it answers", {RUNS, .dead = true, .lost = true, .duplicate = true}, STEP_EVICT},
	{"declared dead, evicted, out of sight: moved",
	 {UNSEEN, .may_run = false, .evicted = true, .lost = true, .dead = true, .duplicate = true},
	 STEP_RELEASE},
	{"its lease ran out while we could not renew", {RUNS, .lease_over = true}, STEP_EVICT},
	{"its lease is due", {RUNS, .renew_due = true, .status_new = true}, STEP_RENEW},
	{"evicted, its winner's offer is going",
	 {WON, .seen = SW_COPY_ABSENT, .may_run = false, .evicted = true, .by_offer = true, .offer_left = true},
	 STEP_WAIT},
	{"finished, an offer is left", {PLACING, .finished = true, .may_run = false, .extra_offer = 2}, STEP_WITHDRAW},
	{"quota lost, offers are left", {PLACING, .may_run = false, .extra_offer = 2}, STEP_WITHDRAW},
	{"evicted, offers are left before quota goes back",
	 {PLACING, .may_run = false, .evicted = true, .extra_offer = 0},
	 STEP_WITHDRAW},
	{"won by an offer: created before the losers are told",
	 {WON, .seen = SW_COPY_ABSENT, .job_known = true, .by_offer = true, .extra_offer = 0},
	 STEP_START},
	{"won, created: the losers are told",
	 {RUNS, .suspended = true, .by_offer = true, .extra_offer = 0},
	 STEP_WITHDRAW},
	{"won, out of sight: the losers are told", {UNSEEN, .by_offer = true, .extra_offer = 0}, STEP_WITHDRAW},
	{"its cluster's own queue starts it", {RUNS, .suspended = true, .by_offer = true}, STEP_REST},
	{"its cluster's own queue evicted it",
	 {RUNS, .suspended = true, .by_offer = true, .taken_back = true},
	 STEP_EVICT},
	{"the offer went before the job was made",
	 {WON, .seen = SW_COPY_ABSENT, .job_known = true, .by_offer = true, .taken_back = true},
	 STEP_EVICT},
	{"a job has the offer, unseen",
	 {WON, .seen = SW_COPY_ABSENT, .job_known = true, .by_offer = true, .taken_unseen = true},
	 STEP_WAIT},
	{"it runs, and its priority was changed", {RUNS, .by_offer = true, .behind = 0}, STEP_PRIORITIZE},
	{"its status comes first", {RUNS, .by_offer = true, .behind = 0, .status_new = true}, STEP_SYNC},
	{"it waits on two clusters, and its priority was changed",
	 {PLACING, .job_known = true, .plan_known = true, .behind = 0},
	 STEP_PRIORITIZE},
	{"the winner is named first",
	 {PLACING, .job_known = true, .plan_known = true, .behind = 0, .ready_candidate = 0},
	 STEP_WIN},
	{"no offer has been made", {PLACING, .job_known = true, .plan_known = true, .to_offer = true}, STEP_OFFER},
	{"an offer of an earlier step",
	 {PLACING, .job_known = true, .plan_known = true, .to_offer = true, .extra_offer = 1},
	 STEP_WITHDRAW},
	{"one is admitted, another is outside the step",
	 {PLACING, .job_known = true, .plan_known = true, .ready_candidate = 0, .extra_offer = 1},
	 STEP_WIN},
	{"the step is over before an offer is made",
	 {PLACING, .job_known = true, .plan_known = true, .to_offer = true, .step_over = true},
	 STEP_NEXT},
	{"waits for busy nodes", {PLACING, .job_known = true, .plan_known = true}, STEP_REST},
};

Test(step, every_view_meets_its_rule)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *why = "";
		enum step got = sw_step(&rows[i].v, &why);
		cr_assert_eq(got, rows[i].step, "%s: %s (\"%s\"), expected %s", rows[i].title, sw_step_name(got), why,
			     sw_step_name(rows[i].step));
	}
}

Test(step, every_rule_is_met_by_a_row)
{
	enum step step;
	for (size_t r = 0; sw_step_rule(r, &step); r++) {
		bool met = false;
		for (size_t i = 0; i < sizeof rows / sizeof *rows && !met; i++) {
			const char *why;
			sw_step(&rows[i].v, &why);
			met = strcmp(why, sw_step_rule(r, &step)) == 0;
		}
		cr_assert(met, "no row for \"%s\"", sw_step_rule(r, &step));
	}
}

/* Whatever the view: pods are only started with a winner that is named, seen and alone. */
static uint64_t bits;
static bool bit(void)
{
	bits = bits * 6364136223846793005u + 1442695040888963407u;
	return bits >> 63;
}

Test(step, no_view_starts_a_copy_beside_another)
{
	for (int i = 0; i < 2000000; i++) {
		struct view v = {.known = bit(),
				 .finished = bit(),
				 .deleting = bit(),
				 .evicted = bit(),
				 .has_winner = bit(),
				 .configured = bit(),
				 .seen = (enum sw_seen)(bit() * 2 + bit()),
				 .suspended = bit(),
				 .going = bit(),
				 .running_long_unplaced = bit(),
				 .placed = bit(),
				 .placed_noted = bit(),
				 .status_new = bit(),
				 .ready = bit(),
				 .lost = bit(),
				 .extra = bit() - 1,
				 .extra_ours_to_touch = bit(),
				 .extra_suspended = bit(),
				 .extra_going = bit(),
				 .extra_ended = bit(),
				 .extra_active = bit(),
				 .extra_well = bit(),
				 .extra_offer = bit() - 1,
				 .behind = bit() - 1,
				 .by_offer = bit(),
				 .lease_over = bit(),
				 .renew_due = bit(),
				 .taken_back = bit(),
				 .offer_left = bit(),
				 .taken_unseen = bit(),
				 .to_offer = bit(),
				 .duplicate = bit(),
				 .store_is_old = bit(),
				 .tombstoned = bit(),
				 .adopt = bit() - 1,
				 .begun = bit(),
				 .named_now = bit(),
				 .job_known = bit(),
				 .job_bad = bit(),
				 .plan_known = bit(),
				 .plan_again = bit(),
				 .step_over = bit(),
				 .step_last = bit(),
				 .step_hopeless = bit(),
				 .ready_candidate = bit() - 1,
				 .grow_candidate = bit() - 1,
				 .grow_asked = bit()};
		v.may_run = bit() && !v.finished && !v.deleting && !v.evicted;
		v.current = v.seen == SW_COPY_OURS && bit();
		v.ended = v.current && bit();
		const char *why;
		enum step s = sw_step(&v, &why);
		if (s == STEP_START || s == STEP_WIN || s == STEP_ADOPT)
			cr_assert(v.may_run && v.extra < 0, "%s", why);
		if (s == STEP_START)
			cr_assert(v.has_winner && v.configured && v.seen != SW_COPY_UNKNOWN &&
					  v.seen != SW_COPY_FOREIGN && v.ready,
				  "%s", why);
		if (s == STEP_START)
			cr_assert(!v.begun && (v.named_now || v.seen != SW_COPY_ABSENT),
				  "%s: an attempt is started once", why);
		if (s == STEP_START && v.by_offer)
			cr_assert(!v.current && !v.taken_back && !v.taken_unseen, "%s: its own queue decides", why);
		if (s == STEP_PRIORITIZE)
			cr_assert(v.may_run && v.extra < 0, "%s", why);
		if (s == STEP_OFFER)
			cr_assert(v.may_run && v.plan_known && !v.store_is_old && v.extra < 0, "%s", why);
		if (s == STEP_WIN || s == STEP_ADOPT || s == STEP_PLAN || s == STEP_NEXT || s == STEP_GROW ||
		    s == STEP_OFFER)
			cr_assert(!v.has_winner, "%s", why);
		if (s == STEP_RELEASE && v.has_winner && !v.duplicate && !v.deleting)
			cr_assert(v.configured && v.seen != SW_COPY_UNKNOWN && v.extra < 0, "%s: unseen is not absent",
				  why);
		if (s == STEP_RELEASE && v.has_winner)
			cr_assert(!v.offer_left, "%s: a job on its way could take the offer", why);
		if (s == STEP_SWEEP)
			cr_assert(v.extra_ended || v.extra_suspended);
	}
}

Test(step, the_readme_lists_the_rules_as_they_are)
{
	char *text, row[200];
	size_t len;
	enum step step;
	struct sw_err e = sw_file_read("gateway/dispatch/README.md", 1 << 20, &text, &len);
	cr_assert(!sw_failed(e), "%s (run from the top of the tree)", e.text);
	for (size_t r = 0; sw_step_rule(r, &step); r++) {
		const char *rule = sw_step_rule(r, &step);
		snprintf(row, sizeof row, "| %zu | %s | %s |", r + 1, rule, sw_step_name(step));
		cr_assert(strstr(text, row), "gateway/dispatch/README.md has no line \"%s\"", row);
	}
	free(text);
}
