/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manager_priv.h - what every manager needs to keep many rows small: UIDs as bytes, names once, and an arena for what
 * is shown for one turn of the loop
 */
#ifndef SPILLWAY_MANAGER_PRIV_H
#define SPILLWAY_MANAGER_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include "spillway/json.h"
#include "spillway/kinds.h"

/* "8-4-4-4-12" small hex, as the API server makes them. False: it is none. */
bool uid_pack(const char *text, unsigned char out[16]);
const char *uid_text(const unsigned char u[16], char buf[37]); /* returns buf */

/* Memory that is given back at once. */
struct arena;
void *arena_take(struct arena **a, size_t n); /* zeroed; aborts when out of memory */
char *arena_str(struct arena **a, const char *s, size_t n);
void arena_free(struct arena **a);
void arena_reset(struct arena **a); /* as empty; keeps its memory */

/* Each text once, as long as the table lives. */
struct name;
const char *name_intern(struct name **table, const char *text); /* NULL stays NULL */
void names_free(struct name **table);

/* The name that Kueue gives a job's Workload. */
void workload_name(const struct sw_kind *k, const char *job, const char *uid, char buf[254]);
/* The sum of status.schedulingStats.evictions[].count of a Workload. */
unsigned evictions_of(json_t *workload);

#endif
