/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector_priv.h - the reflector's state, shared by its files
 *
 *   reflector.c        states, backoff, loss and sync, life
 *   reflector_list.c   pages, and the sweep of what a complete list no longer holds
 *   reflector_watch.c  the stream of events, line by line
 *   reflector_ask.c    before a watch that could not be opened is resumed: was the server set back in time?
 *   set_back.c         what follows if it was
 *   rows.c             what is remembered of each object
 *
 *            +--------------- ASKING <- 410 -----------------+
 *            v                                               |
 *   LISTING -> PAGE -> (more pages: LISTING) -> SWEEP -> WATCHING -> (clean end: WATCHING)
 *      |         |                                           |
 *      +---------+--------------> BACKOFF <------------------+     BACKOFF -> LISTING, ASKING or WATCHING
 *   ASKING -> WATCHING, or LISTING after a 410 or if the server is older than what was seen
 *   STOPPED: the kube is gone.
 */
#ifndef SPILLWAY_KUBE_REFLECTOR_PRIV_H
#define SPILLWAY_KUBE_REFLECTOR_PRIV_H

#include <uthash.h>
#include "kube_priv.h"
#include "list_scan.h"

enum {
	REFLECTOR_LIMIT = 500,           /* objects a page */
	REFLECTOR_PAGE_MAX = 64 << 20,   /* bytes of one page; over it, smaller pages are asked for */
	REFLECTOR_LINE_MAX = 32 << 20,   /* bytes of events not looked at yet */
	REFLECTOR_LINES_FULL = 4 << 20,  /* pause the stream */
	REFLECTOR_LINES_KEPT = 16 << 10, /* memory an idle watch may keep */
	REFLECTOR_TAKEN_MAX = 256 << 10, /* moving what waits to the front costs as much as it is long: not each time */
	REFLECTOR_SILENCE_MS = 90 * 1000,
	REFLECTOR_LIST_MS = 60 * 1000,
	REFLECTOR_BACKOFF_MS = 200,
	REFLECTOR_BACKOFF_MAX_MS = 30 * 1000,
	REFLECTOR_STEADY_MS = 1000, /* a watch that lasted this long may be resumed at once */
	REFLECTOR_RELIST_AFTER = 5, /* refusals of a watch in a row before its resourceVersion is given up */
};

/* What is remembered of one object. uid and rv are hashed: only ever compared for equality. */
struct row {
	UT_hash_handle hh;
	uint64_t uid, rv;
	uint32_t mark; /* the list that saw it last */
	char key[];
};

#define REFLECTOR_STATE_MAP(X) X(STOPPED) X(LISTING) X(PAGE) X(SWEEP) X(ASKING) X(WATCHING) X(BACKOFF)
enum reflector_state {
#define X(name) REFLECTOR_##name,
	REFLECTOR_STATE_MAP(X)
#undef X
};

struct sw_reflector {
	struct sw_kube *kube;
	struct sw_loop *loop;
	struct sw_reflector *prev, *next; /* of the same kube */
	struct sw_reflector_cfg cfg;      /* strings are copies */
	char *name;                       /* of the cluster: the kube may be gone */
	enum reflector_state state;
	struct row *rows;
	struct sw_kube_call *call;
	struct sw_timer *step; /* the next slice, or the end of a backoff */

	/* list */
	unsigned page;
	uint32_t mark;
	char *cont, *rv;
	struct sw_buf body;
	struct list_scan scan;
	struct row *sweep;
	bool is_listed; /* a list was completed, and its rv is good for a watch */
	bool must_ask;  /* a watch could not be opened, or 410: the server may be another than it was */

	/* watch */
	struct sw_buf lines;
	size_t taken;    /* bytes at its front that were looked at */
	size_t searched; /* bytes of lines known to hold no newline */
	bool was_silent; /* the watch before this one was, and nothing came since */
	bool is_paused, has_ended, is_gone, is_open, has_step; /* has_step: a slice is due */
	struct sw_err end;
	uint64_t opened_ms, events;

	/* loss */
	bool is_synced, is_lost;
	uint64_t since_ms;
	unsigned failures; /* since something good was heard */
	char why[sizeof(((struct sw_err *)0)->text)];

	int busy; /* an owner's callback runs */
	bool freed;
};

/*
 * Owners may free the reflector or the kube in any callback. Every entry from outside (timer, reply, chunk)
 * runs between enter and leave; leave frees what was freed meanwhile. In between, a function that may have
 * called the owner returns false when there is nothing to go on with.
 */
void reflector_enter(struct sw_reflector *r);
void reflector_leave(struct sw_reflector *r);
bool reflector_alive(const struct sw_reflector *r);

/* ---- rows.c ------------------------------------------------------------------------ */
/* "ns/name" in buf; false: the object has no name, resourceVersion or uid, or an impossible one */
bool ref_row_key(json_t *object, char *buf, size_t size);
/* The object is there; the owner is told if that is news. */
bool row_put(struct sw_reflector *r, const char *key, json_t *object);
bool row_gone(struct sw_reflector *r, const char *key, json_t *object);
bool row_sweep(struct sw_reflector *r, struct row *row); /* a complete list does not hold it */
void rows_free(struct sw_reflector *r);

/* ---- reflector.c ---------------------------------------------------------------------- */
void reflector_goto(struct sw_reflector *r, enum reflector_state to);
bool reflector_lost(struct sw_reflector *r, const char *why);
void reflector_synced_now(struct sw_reflector *r);
void reflector_backoff(struct sw_reflector *r, struct sw_err why); /* tells the loss */
void reflector_pause(struct sw_reflector *r);                      /* a backoff without a loss */
void reflector_set_rv(struct sw_reflector *r, const char *rv);

/* ---- reflector_list.c, reflector_ask.c, reflector_watch.c, set_back.c ------------------------------------ */
void reflector_list(struct sw_reflector *r); /* from the first page */
void reflector_list_step(struct sw_reflector *r);
void reflector_sweep_step(struct sw_reflector *r);
void reflector_ask(struct sw_reflector *r);
bool kube_rv_is_older(const char *present, const char *seen); /* false if either is no number */
void kube_set_back(struct sw_kube *k, const char *path, const char *seen, const char *present);
void reflector_watch(struct sw_reflector *r);
void reflector_watch_step(struct sw_reflector *r);
void reflector_query(struct sw_reflector *r, struct sw_buf *b); /* path and selectors */

#endif
