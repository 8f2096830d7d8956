/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offers.pml - the same question as win.pml's where the clusters run Kueue: a mirror is offered to both, the first that is admitted
 * wins, the job is created there, and the cluster's own Kueue starts it. For SPIN.
 *
 * As there, what the gateway sends is a request on its way: it takes effect at any later time, after a crash of its sender too, or never.
 * Kueue gives a mirror to the job that names it, and starts, stops and starts that job again. People delete mirrors that run. Cluster A
 * has all the trouble: its two caches, of mirrors and of jobs, lag each for itself, and show nothing while it is cut off; B is seen as
 * it is. More freedom than the real gateway has can only add behaviour.
 *
 * Checked: at most one cluster has pods; the job ends at most once.
 *
 * Shown to be found, each by leaving out one rule (run.sh):
 *   -DRELEASE_WITH_OFFER  quota goes back while the winner's offer is still there: a late job takes it
 *   -DNO_MARK             a job takes the mirror of another attempt (its containers do not tell them apart)
 *   -DCREATE_BEFORE_WIN   the job is created where a mirror is admitted, the winner is written afterwards
 *   -DUNSEEN_IS_ABSENT    a cluster that cannot be seen counts as empty when quota is given back
 *
 * Not in it, and not covered by the protocol (README.md): a second offer of an attempt that lands after its job was asked for and the
 * first offer withdrawn; a mirror that somebody deletes when its job runs already and the cache of jobs, behind the
 * mirrors' own, does not show it yet.
 */
#define A 0
#define B 1
#define NONE 2
#ifndef ATTEMPTS
#define ATTEMPTS 2
#endif

/* a copy; the last three have pods */
#define ABSENT   0
#define SUSP     1
#define DONE     2
#define UNKNOWN  3 /* only as what a cache shows */
#define RUN      4
#define STOPPING 5
#define GOING    6
#define HAS_PODS(x) ((x) >= RUN)

/* a mirror */
#define QUEUED   1
#define ADMITTED 2
#define TAKEN    4 /* a job has it */
#define EVICTED  5 /* a job has it, and its quota is gone */
#define OVER     6 /* a job has it that is not equal: given up */
#define FREE(m)  ((m) == QUEUED || (m) == ADMITTED)

byte winner = NONE, attempt = 1, version = 0, ends = 0;
bool evicted = false, finished = false;

byte copy[2], copy_attempt[2], mirror[2], mirror_attempt[2];
bool cut; /* A is */

/* Requests on their way: the attempt they are for, 0: none. Those that remove carry the UID: gone with the object. */
byte offer[2], post[2];
bool withdraw[2], delete[2];
byte win_to = NONE, win_version, release_version;
bool release_sent = false, finish_sent = false;

byte g_winner = NONE, g_attempt = 1, g_version = 0;
bool g_evicted = false, g_finished = false;
byte seen[2], seen_attempt[2], shown[2], shown_attempt[2]; /* copies; mirrors */

#define G_MAY_RUN (!g_evicted && !g_finished)
#define WANTED(c) (G_MAY_RUN && g_winner == (c) && seen_attempt[c] >= g_attempt)
#define NO_EXTRA(c) (seen[c] == ABSENT || seen[c] == UNKNOWN)
#define OFFER_STANDS(c) (shown[c] == ADMITTED && shown_attempt[c] == g_attempt)
#ifdef UNSEEN_IS_ABSENT
#define SURELY_GONE(c) (NO_EXTRA(c))
#define OFFER_GONE(c) (shown[c] == ABSENT || shown[c] == UNKNOWN || shown_attempt[c] != g_attempt)
#else
#define SURELY_GONE(c) (seen[c] == ABSENT)
#define OFFER_GONE(c) (shown[c] == ABSENT || (shown[c] != UNKNOWN && shown_attempt[c] != g_attempt))
#endif
#ifdef RELEASE_WITH_OFFER
#undef OFFER_GONE
#define OFFER_GONE(c) true
#endif
#ifdef NO_MARK
#define SAME(c) true
#else
#define SAME(c) (copy_attempt[c] == mirror_attempt[c])
#endif

/* Cluster A has all the trouble; what happens on B is seen at once. */
inline look() {
	seen[B] = copy[B]; seen_attempt[B] = copy_attempt[B];
	shown[B] = mirror[B]; shown_attempt[B] = mirror_attempt[B]
}

inline check() {
	look();
	assert(!(HAS_PODS(copy[A]) && HAS_PODS(copy[B])));
	assert(ends <= 1)
}

inline copy_gone(c) { copy[c] = ABSENT; copy_attempt[c] = 0; delete[c] = false }
inline mirror_gone(c) { mirror[c] = ABSENT; mirror_attempt[c] = 0; withdraw[c] = false }

inline gateway(c, o) {
	if
	:: G_MAY_RUN && g_winner == NONE && shown[c] == ABSENT && seen[c] == ABSENT && NO_EXTRA(o) && !offer[c] -> offer[c] = g_attempt
	:: G_MAY_RUN && g_winner == NONE && win_to == NONE && OFFER_STANDS(c) && seen[c] == ABSENT && NO_EXTRA(o) -> win_to = c; win_version = g_version
#ifdef CREATE_BEFORE_WIN
	:: G_MAY_RUN && g_winner == NONE && OFFER_STANDS(c) && seen[c] == ABSENT && NO_EXTRA(o) && !post[c] -> post[c] = g_attempt
#endif
	:: G_MAY_RUN && g_winner == c && OFFER_STANDS(c) && seen[c] == ABSENT && NO_EXTRA(o) && !post[c] -> post[c] = g_attempt; offer[c] = 0 /* see above */
	/* offers and copies that must not be */
	:: FREE(shown[c]) && (!G_MAY_RUN || shown_attempt[c] != g_attempt || g_winner == o) && !withdraw[c] -> withdraw[c] = (mirror[c] != ABSENT && mirror_attempt[c] == shown_attempt[c])
	:: (seen[c] == SUSP || seen[c] == RUN || (seen[c] == DONE && g_finished)) && !WANTED(c) && !delete[c] -> delete[c] = (copy[c] != ABSENT && copy_attempt[c] == seen_attempt[c])
	:: g_evicted && !g_finished && g_winner == c && SURELY_GONE(c) && NO_EXTRA(o) && OFFER_GONE(c) && !release_sent -> release_sent = true; release_version = g_version
	:: !g_finished && seen[c] == DONE && (seen_attempt[c] >= g_attempt || g_winner != o || seen[o] == ABSENT) && !finish_sent -> finish_sent = true
	fi
}

inline arrives(c) {
	if
	:: offer[c] && !(c == A && cut) -> d_step {
		if
		:: mirror[c] == ABSENT -> mirror[c] = QUEUED; mirror_attempt[c] = offer[c]
		:: else -> skip
		fi;
		offer[c] = 0 }
	:: post[c] && !(c == A && cut) -> d_step {
		if
		:: copy[c] == ABSENT -> copy[c] = SUSP; copy_attempt[c] = post[c]
		:: else -> skip
		fi;
		post[c] = 0 }
	:: withdraw[c] && !(c == A && cut) -> d_step {
		if
		:: FREE(mirror[c]) -> mirror_gone(c)
		:: else -> withdraw[c] = false /* it goes with its job */
		fi }
	:: delete[c] && !(c == A && cut) -> d_step {
		if
		:: HAS_PODS(copy[c]) -> copy[c] = GOING; delete[c] = false
		:: else -> copy_gone(c)
		fi }
	:: offer[c] -> offer[c] = 0
	:: post[c] -> post[c] = 0
	:: withdraw[c] -> withdraw[c] = false
	:: delete[c] -> delete[c] = false
	fi
}

inline cluster(c) {
	if
	/* its Kueue */
	:: mirror[c] == QUEUED -> mirror[c] = ADMITTED
	:: FREE(mirror[c]) && (copy[c] == SUSP) -> d_step {
		if
		:: !SAME(c) -> mirror[c] = OVER
		:: SAME(c) && mirror[c] == ADMITTED -> mirror[c] = TAKEN
		:: else -> mirror[c] = EVICTED /* taken, waits for quota */
		fi }
	:: mirror[c] == TAKEN && copy[c] == SUSP -> copy[c] = RUN
	:: mirror[c] == TAKEN -> d_step {
		mirror[c] = EVICTED;
		if
		:: copy[c] == RUN -> copy[c] = STOPPING
		:: else -> skip
		fi }
	:: mirror[c] == EVICTED -> mirror[c] = TAKEN
	:: mirror[c] >= TAKEN && copy[c] == ABSENT -> d_step { mirror_gone(c) } /* with its job */
	:: mirror[c] == ABSENT && copy[c] == RUN -> copy[c] = STOPPING /* a job without its Workload */
	/* the job's controller */
	:: copy[c] == RUN -> copy[c] = DONE
	:: copy[c] == STOPPING -> copy[c] = SUSP
	:: copy[c] == GOING -> d_step { copy_gone(c) }
	/* somebody deletes it, see above */
	:: mirror[c] >= TAKEN && seen[c] != ABSENT -> d_step { mirror_gone(c) }
	/* the watches catch up, the line breaks and is mended */
	:: c == A && !cut && (seen[A] != copy[A] || seen_attempt[A] != copy_attempt[A]) -> d_step { seen[A] = copy[A]; seen_attempt[A] = copy_attempt[A] }
	:: c == A && !cut && (shown[A] != mirror[A] || shown_attempt[A] != mirror_attempt[A]) -> d_step { shown[A] = mirror[A]; shown_attempt[A] = mirror_attempt[A] }
	:: c == A && !cut -> d_step { cut = true; seen[A] = UNKNOWN; seen_attempt[A] = 0; shown[A] = UNKNOWN; shown_attempt[A] = 0 }
	:: c == A && cut -> cut = false
	fi
}

inline manager() {
	if
	:: win_to != NONE -> d_step {
		if
		:: win_version == version && winner == NONE && !evicted && !finished -> winner = win_to; version++
		:: else -> skip
		fi;
		win_to = NONE }
	:: release_sent -> d_step {
		if
		:: release_version == version && evicted -> winner = NONE; evicted = false; attempt++; version++
		:: else -> skip
		fi;
		release_sent = false }
	:: finish_sent -> d_step {
		if
		:: !finished -> finished = true; ends++; version++
		:: else -> skip
		fi;
		finish_sent = false }
	:: winner != NONE && !evicted && !finished && attempt < ATTEMPTS -> d_step { evicted = true; version++ }
	:: g_version != version -> d_step { g_winner = winner; g_attempt = attempt; g_version = version; g_evicted = evicted; g_finished = finished }
	fi
}

inline crash() {
	d_step {
		g_winner = winner; g_attempt = attempt; g_version = version; g_evicted = evicted; g_finished = finished;
		seen[A] = UNKNOWN; seen_attempt[A] = 0; shown[A] = UNKNOWN; shown_attempt[A] = 0
	}
}

active proctype world() {
	d_step { seen[A] = UNKNOWN; shown[A] = UNKNOWN; look() }
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
