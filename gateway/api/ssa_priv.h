/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssa_priv.h - sets of fields, in the form in which managedFields keeps them (FieldsV1)
 *
 * A set is a JSON object: "f:NAME" a field, "k:{...}" an item of a keyed list, "v:VALUE" a member of a set. An
 * empty object is a member without anything below; with children, "." says that the element itself is a member
 * too. Format: k8s.io/apimachinery meta/v1 FieldsV1; sigs.k8s.io/structured-merge-diff/v6 fieldpath.
 */
#ifndef SPILLWAY_API_SSA_PRIV_H
#define SPILLWAY_API_SSA_PRIV_H

#include "schema_priv.h"

/* ---- ssa_set.c: plain set operations; all give a new set or edit the first --------------------- */
bool set_empty(json_t *set); /* NULL is empty */
bool set_valid(json_t *set); /* objects all the way down: what the functions below rely on */
void set_union(json_t *into, json_t *more);
void set_minus(json_t *from, json_t *less);
json_t *set_common(json_t *a, json_t *b); /* gives */
size_t set_count(json_t *set);
/* Calls fn with the readable path of each member: .spec.containers[name="c"].image */
typedef void set_path_fn(void *owner, const char *path);
void set_paths(json_t *set, set_path_fn *fn, void *owner);

/* ---- ssa_walk.c: typed walks ------------------------------------------------------------------- */
struct place_type {
	const struct message *m;
	const struct field *f;
	unsigned depth;
}; /* where a value is in the schema; all 0: free-form */
enum value_kind { KIND_LEAF, KIND_MAP, KIND_KEYED, KIND_SET };
enum value_kind place_kind(struct place_type t, json_t *v);
struct place_type place_child(struct place_type t, const char *key);
struct place_type place_item(struct place_type t);
/* "k:{...}" or "v:..." of an item. gives (free). */
char *place_item_name(struct place_type t, json_t *item);

/* The fields that v sets, as children of `set`. */
void fields_of(struct place_type t, json_t *v, json_t *set);
/* Does a keyed list or a set in v name something twice? Then path gets where, and what. */
bool fields_duplicate(struct place_type t, json_t *v, struct sw_buf *path);
/* What differs: `changed` gets what fresh sets anew or otherwise, `removed` what only old had. */
void fields_diff(struct place_type t, json_t *old, json_t *fresh, json_t *changed, json_t *removed);
/* applied onto live (taken); gives the result */
json_t *value_merge(struct place_type t, json_t *live_taken, json_t *applied);
/* Removes from v what `gone` names, except what `kept` names. */
void value_prune(struct place_type t, json_t *v, json_t *gone, json_t *kept);

#endif
