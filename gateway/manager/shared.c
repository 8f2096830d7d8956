/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared.c - see manager_priv.h
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "manager_priv.h"
#include "spillway/text.h"

/* ---- UIDs as bytes ------------------------------------------------------------------------ */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uid_pack(const char *text, unsigned char out[16])
{
	size_t n = 0;

	if (!text || strlen(text) != 36)
		return false;
	for (size_t i = 0; i < 36;) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i++] != '-')
				return false;
			continue;
		}
		int hi = hex_digit(text[i]), lo = hex_digit(text[i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[n++] = (unsigned char)(hi << 4 | lo);
		i += 2;
	}
	return true;
}

const char *uid_text(const unsigned char u[16], char buf[37])
{
	static const char digits[] = "0123456789abcdef";
	char *at = buf;

	for (size_t i = 0; i < 16;
	     i++) { /* shown with every row: by hand, printf took a twentieth of all instructions */
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[u[i] >> 4];
		*at++ = digits[u[i] & 15];
	}
	*at = '\0';
	return buf;
}

/* ---- arena ----------------------------------------------------------------------------------- */

enum { ARENA_BYTES = 16000 };

struct arena {
	struct arena *next;
	size_t used, size;
	char at[];
};

void *arena_take(struct arena **list, size_t n)
{
	struct arena *a = *list;

	n = (n + 15) & ~(size_t)15;
	if (!a || a->size - a->used < n) {
		size_t size = n > ARENA_BYTES ? n : ARENA_BYTES;

		a = malloc(sizeof(*a) + size);
		SW_REQUIRE(a);
		a->used = 0;
		a->size = size;
		a->next = *list;
		*list = a;
	}
	a->used += n;
	return memset(a->at + a->used - n, 0, n);
}

char *arena_str(struct arena **list, const char *s, size_t n)
{
	char *copy = arena_take(list, n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

/* One block stays: it is wanted again within the turn. */
void arena_reset(struct arena **list)
{
	if (!*list)
		return;
	arena_free(&(*list)->next);
	(*list)->used = 0;
}

void arena_free(struct arena **list)
{
	while (*list) {
		struct arena *a = *list;

		*list = a->next;
		free(a);
	}
}

/* ---- names -------------------------------------------------------------------------------------- */

struct name {
	UT_hash_handle hh;
	char text[];
};

const char *name_intern(struct name **table, const char *text)
{
	struct name *n;

	if (!text)
		return NULL;
	HASH_FIND_STR(*table, text, n);
	if (!n) {
		n = sw_calloc(1, sizeof(*n) + strlen(text) + 1);
		memcpy(n->text, text, strlen(text) + 1);
		HASH_ADD_STR(*table, text, n);
	}
	return n->text;
}

void names_free(struct name **table)
{
	struct name *n, *next;

	HASH_ITER(hh, *table, n, next)
	{
		HASH_DEL(*table, n);
		free(n);
	}
}

/* ---- Workloads ------------------------------------------------------------------------------------ */

unsigned evictions_of(json_t *w)
{
	json_t *list = sw_json_at(w, "status.schedulingStats.evictions");
	int64_t n = 0;

	for (size_t i = 0; i < sw_json_len(list) && n < UINT16_MAX; i++) {
		int64_t count = sw_json_int(sw_json_idx(list, i), "count", 0);

		n += count > 0 && count < UINT16_MAX ? count : 0;
	}
	return n < UINT16_MAX ? (unsigned)n : UINT16_MAX;
}
