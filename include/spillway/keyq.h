/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyq.h - the reconciler's work queue: keys, never events
 *
 * A key ("ns/name") is queued at most once. Adding it again keeps the earlier
 * of the two times. A key being worked on that is added meanwhile is marked
 * dirty and comes back when it is done, so one object is never reconciled twice
 * at the same moment, and no change is lost. Failures back off per key:
 * 5 ms x 2^failures, capped, with jitter; a success resets the count.
 *
 * sw_keyq is pure (time is a parameter). sw_reconciler runs one on a loop.
 */
#ifndef SPILLWAY_KEYQ_H
#define SPILLWAY_KEYQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "spillway/loop.h"

struct sw_keyq;

__attribute__((warn_unused_result)) struct sw_err sw_keyq_new(struct sw_keyq **out);
void sw_keyq_free(struct sw_keyq *q);

/* The key is copied. Out of memory aborts: a lost key would be lost work. */
void sw_keyq_add(struct sw_keyq *q, const char *key, uint64_t due_ms);
void sw_keyq_forget(struct sw_keyq *q, const char *key); /* unless it is being worked on */

/* The most overdue key that is not being worked on, or NULL. Lent until done. */
const char *sw_keyq_take(struct sw_keyq *q, uint64_t now_ms);
/* again_ms: 0 = settled, else the absolute time of the next look. Resets failures. The lent key is gone afterwards. */
void sw_keyq_done(struct sw_keyq *q, const char *key, uint64_t again_ms);
/* Comes back after the key's backoff. Returns that delay in ms. */
uint64_t sw_keyq_fail(struct sw_keyq *q, const char *key, uint64_t now_ms, uint64_t cap_ms);

uint64_t sw_keyq_next_due(const struct sw_keyq *q); /* UINT64_MAX if nothing waits */
size_t sw_keyq_len(const struct sw_keyq *q);

/* ---- on a loop ---------------------------------------------------------- */

/*
 * reconcile() reads the whole state of `key`, does one thing, and then calls
 * exactly one of done() and fail() on its queue: at once, or later from an
 * asynchronous completion (the key is not handed out again before that). After
 * done() the key is gone: a completion that comes later keeps its own copy.
 * A turn's slice ends after 2 ms, so a long queue never blocks the loop.
 * sw_reconciler_free() is safe inside reconcile().
 */
typedef void sw_reconcile_fn(void *owner, const char *key);
struct sw_reconciler;

/* name: the room in log lines and slow-turn reports; a string literal. */
__attribute__((warn_unused_result)) struct sw_err
sw_reconciler_new(struct sw_loop *loop, const char *name, sw_reconcile_fn *fn, void *owner, struct sw_reconciler **out);
void sw_reconciler_free(struct sw_reconciler *r);
void sw_reconciler_add(struct sw_reconciler *r, const char *key); /* now */
void sw_reconciler_add_in(struct sw_reconciler *r, const char *key, uint64_t ms);
void sw_reconciler_done(struct sw_reconciler *r, const char *key, uint64_t again_in_ms); /* 0 = settled */
/* The same, but it comes back before all others: for work in two steps, of which the first takes memory. */
void sw_reconciler_next(struct sw_reconciler *r, const char *key);
/* Logs the error (warn at the first failure of a row, debug afterwards) and backs off. */
void sw_reconciler_fail(struct sw_reconciler *r, const char *key, struct sw_err why);
size_t sw_reconciler_len(const struct sw_reconciler *r);

#endif
