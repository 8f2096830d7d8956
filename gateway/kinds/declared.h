/* SPDX-License-Identifier: Apache-2.0 */
/*
 * declared.h - a kind that a site declares in its configuration
 *
 * declare.c reads the declaration, strictly; declared.c has the functions of its row, which read objects by the
 * declared paths. A path is keys with dots between them, the first of which is metadata, spec or status; one of its
 * steps may end with [*]: every element of a list, or every value of a map.
 */
#ifndef SPILLWAY_DECLARED_H
#define SPILLWAY_DECLARED_H

#include "kinds_priv.h"

enum { DECLARED_SETS_MAX = SW_PODSETS_MAX, DECLARED_PATHS_MAX = 8, DECLARED_WORDS_MAX = 8 };

struct path {
	char *before; /* whole path, or what stands before [*]; NULL: not declared */
	char *after;  /* what follows "[*]." inside each element, "" for the element itself; NULL: no [*] */
};

/* Pods of one template: one pod set, or one for every element of a list or map. */
struct declared_set {
	char *name; /* literal, or NULL */
	struct path name_path, template, count;
};

/* "Is it so?" by a condition that is True, or by a text at a path that is one of words. */
struct declared_test {
	char *condition;
	struct path path;
	char *words[DECLARED_WORDS_MAX];
	size_t n_words;
};

struct declared {
	struct sw_kind row; /* first: a row's address is its declaration's */
	struct declared_set sets[DECLARED_SETS_MAX];
	size_t n_sets;
	struct declared_test succeeded, failed, suspended;
	struct path active[DECLARED_PATHS_MAX], counters[DECLARED_PATHS_MAX];
	size_t n_active, n_counters;
};

size_t declared_podsets(const struct sw_kind *k, json_t *job, struct sw_podset out[SW_PODSETS_MAX]);
struct sw_err declared_check(const struct sw_kind *k, json_t *job);
enum sw_outcome declared_outcome(const struct sw_kind *k, json_t *job, const char **why);
int64_t declared_active(const struct sw_kind *k, json_t *job);
void declared_idle(const struct sw_kind *k, json_t *status);
json_t *declared_status_home(const struct sw_kind *k, json_t *local, json_t *remote, json_t *base);

#endif
