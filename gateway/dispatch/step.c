/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step.c - the rules, tried from the top; the first that applies wins
 *
 * Read them in five groups: results come home; copies that must not be go away (stopped, empty, removed, gone);
 * a workload that must not run gives back what it holds; one that has a winner runs there and nowhere else; one that
 * has none looks for one. A rule may rely on those above it having not applied: from "nothing unwanted is visible" on,
 * no cluster that we can see holds a copy other than the winner's own.
 *
 * Why two copies never run is argued in README.md with the names of these rules.
 */
#include "step.h"

/* One line each, so that they read as a list. */
/* clang-format off */

/* ---- results */
static bool gone(const struct view *v)          { return !v->known; }
static bool unended(const struct view *v)          { return !v->finished && !v->deleting; }
static bool has_result(const struct view *v)    { return unended(v) && v->current && v->ended; }
static bool not_begun(const struct view *v)     { return !v->has_winner || v->seen == SW_COPY_ABSENT || (v->current && v->suspended); }
static bool has_old_result(const struct view *v) { return unended(v) && v->extra >= 0 && v->extra_well && not_begun(v); }

/* ---- copies that must not be */
static bool extra(const struct view *v)         { return v->extra >= 0; }
static bool not_ours_to_touch(const struct view *v) { return extra(v) && !v->extra_ours_to_touch; }
static bool extra_going(const struct view *v)   { return extra(v) && v->extra_going; }
static bool extra_runs(const struct view *v)    { return extra(v) && !v->extra_ended && !v->extra_suspended; }
static bool extra_ends(const struct view *v)    { return extra(v) && v->extra_active; }

static bool stale_offer(const struct view *v)   { return v->extra_offer >= 0 && !v->may_run; }

/* ---- must not run */
static bool finished(const struct view *v)      { return v->finished; }
static bool unseen(const struct view *v)        { return v->has_winner && (!v->configured || v->seen == SW_COPY_UNKNOWN); }
static bool ends_unseen(const struct view *v)   { return !v->may_run && unseen(v); }
static bool can_bury(const struct view *v)      { return ends_unseen(v) && v->deleting && v->lost && v->configured && !v->tombstoned; }
static bool may_not_wait(const struct view *v)  { return v->lost && (v->deleting ? v->tombstoned || !v->configured : v->duplicate); }
static bool held_ending(const struct view *v)   { return ends_unseen(v) && !may_not_wait(v); }
static bool deleted(const struct view *v)       { return v->deleting; }
static bool evicted(const struct view *v)       { return v->evicted; }
static bool stopped(const struct view *v)       { return !v->may_run && v->has_winner; }
static bool idle(const struct view *v)          { return !v->may_run; }

/* ---- has a winner */
static bool lost_and_moves(const struct view *v) { return unseen(v) && v->lost && v->duplicate; }
static bool lost_and_held(const struct view *v) { return unseen(v) && v->lost; }
static bool declared_dead(const struct view *v) { return v->has_winner && v->dead; }
static bool in_grace(const struct view *v)      { return unseen(v); }
static bool name_taken(const struct view *v)    { return v->has_winner && v->seen == SW_COPY_FOREIGN; }
static bool going(const struct view *v)         { return v->has_winner && v->current && v->going; }
static bool lease_over(const struct view *v)    { return v->has_winner && v->lease_over; }
static bool renew_due(const struct view *v)     { return v->has_winner && v->renew_due; }
static bool vanished(const struct view *v)      { return v->has_winner && v->begun; }
static bool lost_track(const struct view *v)    { return v->has_winner && v->seen == SW_COPY_ABSENT && !v->named_now; }
static bool offer_left(const struct view *v)    { return v->has_winner && !v->may_run && v->offer_left; }
static bool taken_back(const struct view *v)    { return v->has_winner && v->taken_back; }
static bool taken_unseen(const struct view *v)  { return v->has_winner && v->taken_unseen; }
static bool to_start(const struct view *v)      { return v->has_winner && (!v->current || (v->suspended && !v->by_offer)); }
static bool cannot_start(const struct view *v)  { return to_start(v) && !v->ready; }
static bool start_refused(const struct view *v) { return to_start(v) && v->start_refused; }
static bool unread_start(const struct view *v)  { return to_start(v) && !v->job_known; }
static bool bad_start(const struct view *v)     { return to_start(v) && v->job_bad; }
static bool loser(const struct view *v)         { return v->has_winner && v->extra_offer >= 0; }
static bool unseen_loser(const struct view *v)  { return unseen(v) && loser(v); }
static bool unread_companions(const struct view *v) { return v->has_winner && v->companions_due && !v->job_known; }
static bool companions(const struct view *v)    { return v->has_winner && v->companions_due; }
static bool not_placed(const struct view *v)    { return v->has_winner && v->running_long_unplaced; }
static bool news(const struct view *v)          { return v->has_winner && v->status_new; }
static bool newly_placed(const struct view *v)  { return v->has_winner && v->placed && !v->placed_noted; }
static bool told_late(const struct view *v)     { return v->has_winner && v->behind >= 0; }
static bool runs(const struct view *v)          { return v->has_winner; }

/* ---- looks for one */
static bool adopt(const struct view *v)         { return v->adopt >= 0; }
static bool store_is_old(const struct view *v)  { return v->store_is_old; }
static bool unread(const struct view *v)        { return !v->job_known; }
static bool bad_job(const struct view *v)       { return v->job_bad; }
static bool can_win(const struct view *v)       { return v->ready_candidate >= 0; }
static bool no_plan(const struct view *v)       { return !v->plan_known || ((v->step_over || v->step_refused) && v->step_last); }
static bool plan_due(const struct view *v)      { return no_plan(v) && v->plan_again; }
static bool step_over(const struct view *v)     { return v->step_over || (v->step_hopeless && !v->step_last); }
static bool stray_offer(const struct view *v)   { return v->extra_offer >= 0; }
static bool can_offer(const struct view *v)     { return v->to_offer; }
static bool can_grow(const struct view *v)      { return v->grow_candidate >= 0 && !v->grow_asked; }
static bool offer_behind(const struct view *v)  { return v->behind >= 0; }
static bool always(const struct view *v)        { (void)v; return true; }

static const struct { const char *name; bool (*applies)(const struct view *); enum step step; } rules[] = {
	{ "the workload is gone",                                     gone,             STEP_FORGET },
	{ "its copy has ended: the result comes home",                has_result,       STEP_FINISH },
	{ "an earlier copy ended well and the new one has not begun", has_old_result,   STEP_FINISH_OLD },

	{ "a copy must go, but its cluster is not ours to change",    not_ours_to_touch, STEP_HOLD },
	{ "a removed copy is not gone yet",                           extra_going,      STEP_WAIT },
	{ "a copy must go: it is stopped first",                      extra_runs,       STEP_STOP },
	{ "a stopped copy still has pods",                            extra_ends,       STEP_WAIT },
	{ "a copy that runs nothing is removed",                      extra,            STEP_SWEEP },

	{ "an offer that nobody wants is withdrawn",                  stale_offer,      STEP_WITHDRAW },

	/* nothing unwanted is visible */
	{ "finished",                                                 finished,         STEP_FORGET },
	{ "deleted, and its cluster is lost: remembered for later",   can_bury,         STEP_TOMBSTONE },
	{ "must stop, but its cluster cannot be asked: held",         held_ending,      STEP_HOLD },
	{ "the winner's offer is not gone yet",                       offer_left,       STEP_WAIT },
	{ "deleted: nothing of it is left",                           deleted,          STEP_RELEASE },
	{ "evicted: nothing of it is left",                           evicted,          STEP_RELEASE },
	{ "must not run any more",                                    stopped,          STEP_EVICT },
	{ "must not run",                                             idle,             STEP_FORGET },

	{ "its worker was declared dead",                             declared_dead,    STEP_EVICT },
	{ "worker lost: started elsewhere",                           lost_and_moves,   STEP_EVICT },
	{ "offers to others are withdrawn, the winner is out of sight", unseen_loser,   STEP_WITHDRAW },
	{ "worker lost: held until it answers",                       lost_and_held,    STEP_HOLD },
	{ "worker out of sight, still in grace",                      in_grace,         STEP_WAIT },
	{ "another's object has its name on the worker",              name_taken,       STEP_EVICT },
	{ "its copy is being removed by somebody",                    going,            STEP_WAIT },
	{ "its lease ran out on the worker",                          lease_over,       STEP_EVICT },
	{ "its copy was started and somebody deleted it",             vanished,         STEP_EVICT },
	{ "no copy is there after a restart, but one may have run",    lost_track,       STEP_EVICT },
	{ "the worker took the offer back",                           taken_back,       STEP_EVICT },
	{ "a job has the offer, but is not seen",                     taken_unseen,     STEP_WAIT },
	{ "the worker takes no new copies",                           cannot_start,     STEP_HOLD },
	{ "the worker refuses the job",                               start_refused,    STEP_EVICT },
	{ "the job is read before it starts",                         unread_start,     STEP_READ },
	{ "the job cannot be understood any more",                    bad_start,        STEP_EVICT },
	{ "the job is read before what goes along is sent",           unread_companions, STEP_READ },
	{ "what goes along is sent first",                            companions,       STEP_COMPANION },
	{ "the winner is named: its copy starts",                     to_start,         STEP_START },
	{ "its lease is renewed",                                     renew_due,        STEP_RENEW },
	{ "offers to others are withdrawn",                           loser,            STEP_WITHDRAW },
	{ "not all pods were scheduled in time",                      not_placed,       STEP_EVICT },
	{ "status changed",                                           news,             STEP_SYNC },
	{ "all pods are scheduled",                                   newly_placed,     STEP_PLACED },
	{ "its cluster is told its new priority",                     told_late,        STEP_PRIORITIZE },
	{ "runs",                                                     runs,             STEP_REST },

	/* no winner is named and no copy of it is visible */
	{ "a copy of this attempt is there: adopted",                 adopt,            STEP_ADOPT },
	{ "the store is older than a cluster: nothing is placed",     store_is_old,     STEP_HOLD },
	{ "the job is read before it is placed",                      unread,           STEP_READ },
	{ "the job cannot be understood",                             bad_job,          STEP_HOLD },
	{ "a candidate is ready",                                     can_win,          STEP_WIN },
	{ "an offer outside this step is withdrawn",                  stray_offer,      STEP_WITHDRAW },
	{ "the policy decides",                                       plan_due,         STEP_PLAN },
	{ "nothing to try now",                                       no_plan,          STEP_WAIT },
	{ "the step is over",                                         step_over,        STEP_NEXT },
	{ "the clusters of this step are offered it",                 can_offer,        STEP_OFFER },
	{ "a pool grows for it",                                      can_grow,         STEP_GROW },
	{ "a cluster that was offered it is told its new priority",   offer_behind,     STEP_PRIORITIZE },
	{ "waits for a candidate of this step",                       always,           STEP_REST },
};

/* clang-format on */

enum step sw_step(const struct view *v, const char **why)
{
	size_t i = 0;
	while (!rules[i].applies(v))
		i++;
	*why = rules[i].name;
	return rules[i].step;
}

const char *sw_step_name(enum step s)
{
	static const char *const names[] = {
#define X(id, name) name,
		STEP_MAP(X)
#undef X
	};
	return (unsigned)s < STEP__COUNT ? names[s] : "?";
}

const char *sw_step_rule(size_t i, enum step *step)
{
	if (i >= sizeof rules / sizeof *rules)
		return NULL;
	*step = rules[i].step;
	return rules[i].name;
}
