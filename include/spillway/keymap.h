/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keymap.h - finds things by the string key that they carry themselves
 *
 * For tables of tens of thousands of small things, where a hash handle inside each would cost more than the thing: one
 * pointer per slot, about 13 bytes a thing. The map holds pointers only; the things, and their keys, are the caller's
 * and must stay put while they are in. For everything small uthash is fine.
 *
 * Threads  one at a time. Out of memory aborts, as for all bookkeeping.
 */
#ifndef SPILLWAY_KEYMAP_H
#define SPILLWAY_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef const char *sw_key_fn(const void *thing); /* the key of a thing: lent */

struct sw_keymap {
	void **slots;
	size_t cap, len; /* cap: a power of two, or 0 */
	sw_key_fn *key_of;
};

void sw_keymap_init(struct sw_keymap *m, sw_key_fn *key_of);
void sw_keymap_fini(struct sw_keymap *m);                         /* things are left alone */
void *sw_keymap_find(const struct sw_keymap *m, const char *key); /* NULL if absent */
void *sw_keymap_put(struct sw_keymap *m, void *thing);            /* what it replaced, or NULL */
void *sw_keymap_remove(struct sw_keymap *m, const char *key);     /* what was removed, or NULL */
/* All things, in no order: start with *at = 0, until NULL. Nothing may be put or removed meanwhile. */
void *sw_keymap_next(const struct sw_keymap *m, size_t *at);

#endif
