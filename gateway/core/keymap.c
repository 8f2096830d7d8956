/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keymap.c - open addressing with linear probing; removing shifts back, so there are no tombstones
 */
#include <stdlib.h>
#include <string.h>
#include "spillway/keymap.h"
#include "spillway/text.h"

void sw_keymap_init(struct sw_keymap *m, sw_key_fn *key_of)
{
	*m = (struct sw_keymap){.key_of = key_of};
}

void sw_keymap_fini(struct sw_keymap *m)
{
	free(m->slots);
	m->slots = NULL;
	m->cap = m->len = 0;
}

static size_t home(const struct sw_keymap *m, const char *key)
{
	uint64_t h = sw_hash(key, strlen(key));

	return (size_t)((h ^ h >> 32) & (m->cap - 1));
}

/* The slot of key, or the free one where it would go. cap > len. */
static size_t slot_of(const struct sw_keymap *m, const char *key)
{
	size_t i = home(m, key);

	while (m->slots[i] && strcmp(m->key_of(m->slots[i]), key) != 0)
		i = (i + 1) & (m->cap - 1);
	return i;
}

static void resize(struct sw_keymap *m, size_t cap)
{
	void **old = m->slots;
	size_t n = m->cap;

	m->slots = sw_calloc(cap, sizeof(*m->slots));
	m->cap = cap;
	for (size_t i = 0; i < n; i++)
		if (old[i])
			m->slots[slot_of(m, m->key_of(old[i]))] = old[i];
	free(old);
}

void *sw_keymap_find(const struct sw_keymap *m, const char *key)
{
	return m->cap ? m->slots[slot_of(m, key)] : NULL;
}

void *sw_keymap_put(struct sw_keymap *m, void *thing)
{
	if (m->len * 5 >= m->cap * 4)
		resize(m, m->cap ? m->cap * 2 : 16);
	size_t i = slot_of(m, m->key_of(thing));
	void *old = m->slots[i];

	m->slots[i] = thing;
	m->len += !old;
	return old;
}

void *sw_keymap_remove(struct sw_keymap *m, const char *key)
{
	size_t hole = m->cap ? slot_of(m, key) : 0, mask = m->cap - 1;
	void *gone = m->cap ? m->slots[hole] : NULL;

	if (!gone)
		return NULL;
	for (size_t i = (hole + 1) & mask; m->slots[i]; i = (i + 1) & mask) {
		size_t want = home(m, m->key_of(m->slots[i]));

		if (((i - want) & mask) < ((i - hole) & mask))
			continue; /* it would move in front of its home */
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = NULL;
	m->len--;
	if (m->cap > 64 && m->len * 8 < m->cap)
		resize(m, m->cap / 4);
	return gone;
}

void *sw_keymap_next(const struct sw_keymap *m, size_t *at)
{
	while (*at < m->cap) {
		void *thing = m->slots[(*at)++];

		if (thing)
			return thing;
	}
	return NULL;
}
