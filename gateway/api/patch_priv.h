/* SPDX-License-Identifier: Apache-2.0 */
/* patch_priv.h - the kinds of patch, each in a file of its own; patch_merge.c chooses */
#ifndef SPILLWAY_API_PATCH_PRIV_H
#define SPILLWAY_API_PATCH_PRIV_H

#include "schema_priv.h"
#include "spillway/patch.h"

/* patch_smp.c: edits *target (or replaces it); NULL or Status. m may be NULL: no schema */
json_t *smp_patch(const struct message *m, json_t **target, json_t *patch);

/* ssa.c */
json_t *ssa_apply(const struct sw_schema *s, const struct sw_patch_request *req, json_t *current, json_t **out);

/* compact JSON text of v; lent as json-c's own */
static inline const char *json_key_text(json_t *v)
{
	return v ? json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : "null";
}

#endif
