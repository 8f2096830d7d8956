/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds_priv.h - what the files of this room share
 */
#ifndef SPILLWAY_KINDS_PRIV_H
#define SPILLWAY_KINDS_PRIV_H

#include "spillway/kinds.h"

/* A whole number at `path` inside job: absent is `otherwise`; not an integer, below least or over int32 is INVALID. */
__attribute__((warn_unused_result)) struct sw_err kinds_count(json_t *job, const char *path, int64_t least,
							      int64_t otherwise, int64_t *out);
/* The same leniently: cut to the range of int32. */
int32_t kinds_count_lax(json_t *job, const char *path, int32_t otherwise);
/* Fills one pod set. Kueue's names of pod sets are in small letters (NewPodSetReference). */
void kinds_podset(struct sw_podset *set, const char *name, int32_t count, json_t *template, const char *path);

/* Copies status conditions' terminal state: reason of the first true one of `types` (NULL-terminated), or NULL if none
 * is. */
json_t *kinds_true_condition(json_t *object, const char *const *types);
/* The same over a status instead of an object. */
json_t *kinds_status_condition(json_t *status, const char *type);
/* 0 only if it is certain that no pod runs: see kinds.h at active(). */
int64_t kinds_active(const struct sw_kind *k, json_t *job, int64_t counted);
bool kinds_is_set_name(const char *name);
/* A list of named things, each a pod set: 1 to `most`, names that may be those of pod sets, none twice. */
__attribute__((warn_unused_result)) struct sw_err kinds_check_list(const struct sw_kind *k, json_t *list,
								   const char *path, const char *name_key, size_t most);
/* By two conditions; the one that fails wins. */
enum sw_outcome kinds_outcome(json_t *job, const char *succeeded, const char *failed, const char **why);
/* Sum of the positive values of `field` in a list of statuses; and its counts of active and ready set to 0. */
int64_t kinds_list_sum(json_t *list, const char *field);
void kinds_list_idle(json_t *list);
/* gives the remote status as it is, unless the local one has ended: the end is the end. */
json_t *kinds_status_whole(json_t *local, json_t *remote, const char *succeeded, const char *failed);
/* prepare() of a kind where nothing but managedBy has to go. */
void kinds_prepare(const struct sw_kind *k, json_t *copy);
/* Labels that a job's own controller puts on pod templates; wrong in any other cluster. */
void kinds_drop_labels(json_t *template, const char *const *labels);

#endif
