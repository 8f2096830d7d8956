/* SPDX-License-Identifier: Apache-2.0 */
/*
 * win.pml - does a job ever run twice? The dispatch protocol for one job and two clusters, for SPIN.
 *
 * Everything that the gateway sends is a request on its way: it takes effect at any later time, after a crash of its
 * sender too, or never. Replies are not modelled, because the gateway never relies on one: it acts on what its caches show, which
 * lag behind the truth, and show nothing of a cluster that is cut off. It crashes at any moment and forgets all but
 * the row. The manager evicts at any moment. Rules as in gateway/dispatch/step.c; more freedom than the real gateway has (it
 * waits for one request before the next; here it waits for a POST before it starts what that made) can only add behaviour.
 *
 * And somebody deletes a copy on its cluster, whatever it does there.
 *
 * Checked: at most one cluster has pods; the job ends at most once; no attempt is started again after its copy was started and deleted.
 * (-DNO_MEMORY leaves out the third, and what it takes: then what the other rules are for still shows.)
 *
 * Shown to be found, each by leaving out one rule (run.sh):
 *   -DCREATE_BEFORE_WIN   the copy is created on the first cluster that looks ready, the winner is written afterwards
 *   -DUNSEEN_IS_ABSENT    a cluster that cannot be seen counts as empty when quota is given back
 *   -DSTART_AT_ONCE       the copy is created running instead of suspended
 *   -DNO_UID              changes name the copy by its name and attempt, not by its UID
 *   -DNO_CAS              the winner is written without looking whether the row changed
 *   -DCREATE_AGAIN        a winner without a copy gets one, whether or not there was one before
 *   -DDUPLICATE           a lost worker's job is started elsewhere (that mode says so: it runs twice)
 *
 * And one that must hold too: -DFORGET_EXTRAS, copies of earlier attempts are not looked for before the next start. They are
 * suspended and nobody can start them any more, so removing them first is tidiness, not safety.
 */
#define A 0
#define B 1
#define NONE 2
#ifndef ATTEMPTS
#define ATTEMPTS 3
#endif

/* a copy; the last three of these have pods */
#define ABSENT   0
#define SUSP     1
#define DONE     2
#define UNKNOWN  3 /* only as what a cache shows */
#define RUN      4
#define STOPPING 5 /* suspended, its pods end */
#define GOING    6 /* deleted, its pods end */
#define HAS_PODS(x) ((x) >= RUN)

/* the manager's row; version is its resourceVersion */
byte winner = NONE, attempt = 1, version = 0, ends = 0;
bool evicted = false, finished = false;

/* the clusters */
byte copy[2], copy_attempt[2];
bool began[2];   /* the copy that is there was started */
byte gone = 0;   /* the last attempt whose copy was started and is gone */
bool cut[2];

/* Requests on their way: the attempt they are for; 0: none. All but post carry the copy's UID: once it is gone they can
 * touch no other, and what a cache that still shows it asks for is in vain (old). */
byte post[2], unsuspend[2], suspend[2], delete[2];
bool old[2];
byte win_to = NONE, win_version;
bool release_sent = false, finish_sent = false;
byte release_version;

/* the gateway's caches */
byte g_winner = NONE, g_attempt = 1, g_version = 0;
bool g_evicted = false, g_finished = false;
byte seen[2], seen_attempt[2];
byte named = 0, begun = 0; /* its memory: the attempts whose winner it has named, and whose copy it has started */
bool mine[2];              /* that copy is still the one that is there */
byte posted[2];            /* the attempt whose copy it has asked for */
bool again[2];             /* the post on its way is a repeated one */

#ifdef NO_MEMORY
#define REMEMBER(what, x) skip
#define ONCE true
#else
#define REMEMBER(what, x) what = x
#define ONCE (!(began[A] && copy_attempt[A] <= gone) && !(began[B] && copy_attempt[B] <= gone))
#endif
#if defined(CREATE_AGAIN) || defined(NO_MEMORY)
#define NEVER_BEGUN true
#define MAY_START(c) true
#else
#define NEVER_BEGUN (named == g_attempt && begun != g_attempt)
#define MAY_START(c) ((begun != seen_attempt[c] || mine[c]) && !post[c])
#endif
#define G_MAY_RUN (!g_evicted && !g_finished)
#define WANTED(c) (G_MAY_RUN && g_winner == (c) && seen_attempt[c] >= g_attempt)
#define NO_COPY(c) (seen[c] == ABSENT || seen[c] == UNKNOWN)
#ifdef FORGET_EXTRAS
#define NO_EXTRA(c) true
#else
#define NO_EXTRA(c) (NO_COPY(c))
#endif
#ifdef UNSEEN_IS_ABSENT
#define SURELY_GONE(c) (NO_COPY(c))
#else
#define SURELY_GONE(c) (seen[c] == ABSENT)
#endif

inline ask(request, what, c) {
	if
#ifdef NO_UID
	:: true -> request = what
#else
	:: old[c] -> skip
	:: else -> request = what
#endif
	fi
}

inline vanish(c) {
	if
	:: began[c] -> REMEMBER(gone, copy_attempt[c])
	:: else -> skip
	fi;
	copy[c] = ABSENT;
	copy_attempt[c] = 0;
	began[c] = false;
	mine[c] = false;
#ifndef NO_UID
	old[c] = (seen[c] != ABSENT && seen[c] != UNKNOWN);
	unsuspend[c] = 0; suspend[c] = 0; delete[c] = 0
#endif
}

inline row_changed() { version++ }

inline check() {
	assert(!(HAS_PODS(copy[A]) && HAS_PODS(copy[B])));
	assert(ends <= 1);
	assert(ONCE)
}

/* ---- the gateway: any rule that applies, whenever it applies */
inline gateway(c, o) {
	if
	/* the winner is named by compare-and-set */
	:: G_MAY_RUN && g_winner == NONE && win_to == NONE && seen[c] == ABSENT && NO_EXTRA(o) -> win_to = c; win_version = g_version; REMEMBER(named, g_attempt)
#ifdef CREATE_BEFORE_WIN
	:: G_MAY_RUN && g_winner == NONE && seen[c] == ABSENT && NO_EXTRA(o) && !post[c] -> post[c] = g_attempt
	:: G_MAY_RUN && g_winner == NONE && seen[c] == SUSP && !unsuspend[c] -> ask(unsuspend[c], seen_attempt[c], c)
#endif
	/* a copy is created, then started, where the row says and nowhere else */
	:: G_MAY_RUN && g_winner == c && seen[c] == ABSENT && NO_EXTRA(o) && NEVER_BEGUN && !post[c] ->
		post[c] = g_attempt;
		REMEMBER(again[c], (posted[c] == g_attempt));
		REMEMBER(posted[c], g_attempt)
	:: WANTED(c) && seen[c] == SUSP && NO_EXTRA(o) && MAY_START(c) && !unsuspend[c] ->
		ask(unsuspend[c], seen_attempt[c], c);
		REMEMBER(begun, seen_attempt[c]);
		REMEMBER(mine[c], !old[c])
	/* copies that must not be: stopped, empty, removed */
	:: seen[c] == RUN && !WANTED(c) && !suspend[c] -> ask(suspend[c], seen_attempt[c], c)
#ifdef CREATE_BEFORE_WIN
	:: (seen[c] == SUSP || seen[c] == DONE) && !WANTED(c) && g_winner != NONE && !delete[c] -> ask(delete[c], seen_attempt[c], c)
#else
	:: (seen[c] == SUSP || (seen[c] == DONE && g_finished)) && !WANTED(c) && !delete[c] -> ask(delete[c], seen_attempt[c], c)
#endif
	/* nothing of it is left: quota goes back, the next attempt begins */
	:: g_evicted && !g_finished && g_winner == c && SURELY_GONE(c) && NO_EXTRA(o) && !release_sent -> release_sent = true; release_version = g_version
#ifdef DUPLICATE
	:: g_evicted && !g_finished && g_winner == c && seen[c] == UNKNOWN && !release_sent -> release_sent = true; release_version = g_version
#endif
	/* a copy that has ended brings its result home, an earlier one too if its successor has not begun */
	:: !g_finished && seen[c] == DONE && (seen_attempt[c] >= g_attempt || g_winner != o || seen[o] == ABSENT) && !finish_sent -> finish_sent = true
	fi
}

/* ---- requests take effect, or are lost */
inline arrives(c) {
	if
	:: post[c] && !cut[c] -> d_step {
		if
		:: copy[c] == ABSENT ->
#ifdef START_AT_ONCE
			copy[c] = RUN;
#else
			copy[c] = SUSP;
#endif
			copy_attempt[c] = post[c]
		:: else -> skip /* there is one already: found by its name later */
		fi;
		post[c] = 0; again[c] = false }
	:: unsuspend[c] && !cut[c] -> d_step {
		if
		:: unsuspend[c] == copy_attempt[c] && (copy[c] == SUSP || copy[c] == STOPPING) -> copy[c] = RUN; REMEMBER(began[c], true)
		:: else -> skip
		fi;
		unsuspend[c] = 0 }
	:: suspend[c] && !cut[c] -> d_step {
		if
		:: suspend[c] == copy_attempt[c] && copy[c] == RUN -> copy[c] = STOPPING
		:: else -> skip
		fi;
		suspend[c] = 0 }
	:: delete[c] && !cut[c] -> d_step {
		if
		:: delete[c] == copy_attempt[c] && HAS_PODS(copy[c]) -> copy[c] = GOING
		:: delete[c] == copy_attempt[c] && (copy[c] == SUSP || copy[c] == DONE) -> vanish(c)
		:: else -> skip
		fi;
		delete[c] = 0 }
	:: post[c] -> post[c] = 0; again[c] = false
	:: unsuspend[c] -> unsuspend[c] = 0
	:: suspend[c] -> suspend[c] = 0
	:: delete[c] -> delete[c] = 0
	fi
}

/* ---- controllers on a cluster */
inline cluster(c) {
	if
	:: copy[c] == RUN -> copy[c] = DONE
	:: copy[c] == STOPPING -> copy[c] = SUSP
	:: copy[c] == GOING -> d_step { vanish(c) }
	/* somebody deletes it */
	:: copy[c] == RUN || copy[c] == STOPPING -> copy[c] = GOING
	:: copy[c] == SUSP || copy[c] == DONE -> d_step { vanish(c) }
	:: !cut[c] -> d_step { seen[c] = copy[c]; seen_attempt[c] = copy_attempt[c]; old[c] = false } /* the watch catches up */
	:: !cut[c] -> d_step { cut[c] = true; seen[c] = UNKNOWN; seen_attempt[c] = 0; old[c] = false }
	:: cut[c] -> cut[c] = false
	fi
}

/* ---- the manager */
inline manager() {
	if
	:: win_to != NONE -> d_step {
		if
		#ifdef NO_CAS
		:: !finished -> winner = win_to; row_changed()
#else
		:: win_version == version && winner == NONE && !evicted && !finished -> winner = win_to; row_changed()
#endif
		:: else -> skip
		fi;
		win_to = NONE }
	:: release_sent -> d_step {
		if
		:: release_version == version && evicted -> winner = NONE; evicted = false; attempt++; row_changed()
		:: else -> skip
		fi;
		release_sent = false }
	:: finish_sent -> d_step {
		if
		:: !finished -> finished = true; ends++; row_changed()
		:: else -> skip
		fi;
		finish_sent = false }
	:: win_to != NONE -> win_to = NONE
	:: release_sent -> release_sent = false
	:: finish_sent -> finish_sent = false
	:: winner != NONE && !evicted && !finished && attempt < ATTEMPTS -> d_step { evicted = true; row_changed() }
	/* the gateway's cache of the row catches up */
	:: g_version != version -> d_step { g_winner = winner; g_attempt = attempt; g_version = version; g_evicted = evicted; g_finished = finished }
	fi
}

/* A request that is on its way when its sender dies may still arrive. Only a POST that was repeated, because the answer to the first
 * was lost, is taken not to: it would have to outlive its sender, a run of the copy that the first one made, and its deletion. */
inline lost_in_crash(c) {
	if
	:: again[c] -> post[c] = 0; again[c] = false
	:: else -> skip
	fi;
	posted[c] = 0
}

inline crash() {
	d_step {
		g_winner = winner; g_attempt = attempt; g_version = version; g_evicted = evicted; g_finished = finished; /* listed anew */
		seen[A] = UNKNOWN; seen_attempt[A] = 0;
		seen[B] = UNKNOWN; seen_attempt[B] = 0;
		old[A] = false; old[B] = false;
		named = 0; begun = 0; mine[A] = false; mine[B] = false;
		lost_in_crash(A);
		lost_in_crash(B)
	}
}

active proctype world() {
	d_step { seen[A] = UNKNOWN; seen[B] = UNKNOWN }
	do
	:: atomic { gateway(A, B); check() }
	:: atomic { gateway(B, A); check() }
	:: atomic { arrives(A); check() }
	:: atomic { arrives(B); check() }
	:: atomic { cluster(A); check() }
	:: atomic { cluster(B); check() }
	:: atomic { manager(); check() }
	:: atomic { crash() }
	od
}
