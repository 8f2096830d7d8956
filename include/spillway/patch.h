/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch.h - the four kinds of PATCH, and who owns which field
 *
 *   merge      RFC 7396; application/merge-patch+json
 *   json       RFC 6902; application/json-patch+json. A failed test is 422
 *   strategic  application/strategic-merge-patch+json: lists merged by the schema's keys, with the directives $patch,
 *              $retainKeys, $setElementOrder/LIST, $deleteFromPrimitiveList/LIST. Built-in kinds only, 415 for CRD-like
 * ones apply      server-side apply, application/apply-patch+yaml: merged by the schema's list types; ownership of
 * fields is kept in metadata.managedFields; a field that another manager owns with another value is a conflict unless
 * forced; what a manager no longer applies and nobody else owns is removed
 *
 * The result is a new object: check it like an update (schema.h). The document to patch is first checked by the
 * caller's rules for resourceVersion: if the patch names one, the result carries it, so compare it with the stored one.
 *
 * Field ownership is tracked from an object's first apply on. Before that an object has no managedFields and costs
 * nothing; at the first apply all fields it has belong to "before-first-apply" (or to "kubectl-client-side-apply" when
 * kubectl's last-applied annotation is there, so that kubectl's own migration to server-side apply works).
 *
 * Ownership  *out is given. `current` is lent and not changed.
 * Limits     a JSON patch has at most SW_PATCH_OPS operations and may not grow the document over SW_PATCH_BYTES.
 */
#ifndef SPILLWAY_PATCH_H
#define SPILLWAY_PATCH_H

#include "spillway/json.h"
#include "spillway/schema.h"

enum { SW_PATCH_OPS = 10000, SW_PATCH_BYTES = 3 << 20 };

enum sw_patch_type { SW_PATCH_NONE, SW_PATCH_MERGE, SW_PATCH_JSON, SW_PATCH_STRATEGIC, SW_PATCH_APPLY };

/* By Content-Type (parameters after ';' ignored); NONE for anything else: answer sw_status_media_type(). */
enum sw_patch_type sw_patch_type_of(const char *content_type);

struct sw_patch_request {
	const struct sw_resource *r;
	const char *sub; /* NULL or "status" */
	enum sw_patch_type type;
	json_t *patch; /* parsed body, edited by apply (decoded); YAML of an apply is converted by the caller (sw_yaml
			  or JSON) */
	const char *dups;      /* from the parser, for apply's fieldValidation; or NULL */
	enum sw_fields fields; /* unknown fields in the result (or, for apply, in the patch) */
	json_t *warnings;      /* array, or NULL */
	/* apply only */
	const char *manager; /* fieldManager, required: 400 without */
	bool force;
	int64_t now_ms;
};

/* current: the stored object; for apply NULL if there is none: then *out is the object to create (*created in effect:
 * go on with sw_object_begin, default, validate). The result is decoded already (unknown fields handled). */
__attribute__((warn_unused_result)) json_t *sw_patch(const struct sw_schema *s, const struct sw_patch_request *req,
						     json_t *current, json_t **out);

/* After a create, update or patch other than apply: moves ownership to `manager` in fresh.metadata.managedFields. Does
 * nothing while neither object has managedFields. old NULL on create. Client-sent managedFields: a list of whole
 * entries is taken (kubectl rewrites it when it moves to server-side apply), [] and [{}] reset it, anything else is
 * replaced by old's. */
void sw_managed_update(const struct sw_schema *s, const struct sw_resource *r, const char *sub, const char *manager,
		       json_t *fresh, json_t *old, int64_t now_ms);

/* The pieces, for tests and for other rooms; each edits or gives as said. */
void sw_merge_patch(json_t **target, json_t *patch); /* RFC 7396, in place; *target may be replaced */
__attribute__((warn_unused_result)) json_t *
sw_json_patch(json_t **target, json_t *ops); /* RFC 6902; NULL or Status; on failure *target is unchanged */

#endif
