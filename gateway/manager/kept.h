/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kept.h - tails of logs whose pods are gone: kept in the gateway's store, bounded in all, the oldest go first
 *
 * Each has a name that its manager makes up: "NS/POD/CONTAINER" in the embedded one,
 * "RESOURCE/NS/JOB/UID/POD/CONTAINER" in the mirror role. It is a note "log/NAME": one byte ('+' whole, '-' its
 * beginning was cut), then the text. A small note "logmeta/SEQ" names it and its size, so that the total stays bounded
 * over restarts.
 */
#ifndef SPILLWAY_MANAGER_KEPT_H
#define SPILLWAY_MANAGER_KEPT_H

#include <uthash.h>
#include "spillway/buf.h"
#include "spillway/store.h"

enum { KEPT_NAME_MAX = 800, KEPT_TAIL_MAX = 1 << 20 };

struct kept_log {
	UT_hash_handle hh; /* in the order they came */
	struct kept_owner *owner;
	struct kept_log *prev, *next; /* the same owner's */
	uint64_t seq;
	size_t bytes;
	char name[];
};
/* Whose they are: all that a name says before POD/CONTAINER, with its last '/'. */
struct kept_owner {
	UT_hash_handle hh;
	struct kept_log *logs;
	char name[];
};
struct kept {
	struct sw_store *store; /* lent; NULL: nothing is kept */
	struct kept_log *logs;
	struct kept_owner *owners;
	uint64_t seq;
	size_t bytes, limit;
};

/* What is there is counted again. limit 0: 256 MiB. */
__attribute__((warn_unused_result)) struct sw_err kept_open(struct kept *k, struct sw_store *store, size_t limit);
void kept_close(struct kept *k);
/* Makes room and notes it; the caller writes `note` under kept_key(). Of more than KEPT_TAIL_MAX bytes the last. */
__attribute__((warn_unused_result)) struct sw_err kept_add(struct kept *k, const char *name, const char *bytes,
							   size_t n, bool cut, struct sw_buf *note);
void kept_key(const char *name, char key[KEPT_NAME_MAX + 8]);
void kept_drop(struct kept *k, const char *name); /* if it is there */
void kept_drop_all(struct kept *k, const char *owner);
/* The first of an owner's; the others follow by next. NULL: none. */
const struct kept_log *kept_of(const struct kept *k, const char *owner);
/* MISSING if there is none. Unref what it gives. */
__attribute__((warn_unused_result)) struct sw_err kept_get(struct kept *k, const char *name, struct sw_bytes **out);
/* The last lines of what kept_get() gave (-1: all), with a line in front if its beginning is lost. Lent from it. */
struct kept_text {
	const char *lost; /* that line, or "" */
	const char *at;
	size_t n;
};
struct kept_text kept_text(const struct sw_bytes *log, int64_t lines);

#endif
