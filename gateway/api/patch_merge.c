/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_merge.c - choosing the kind of patch, and the simplest kind: JSON merge patch (RFC 7396)
 */
#include <string.h>
#include "patch_priv.h"
#include "spillway/text.h"

enum sw_patch_type sw_patch_type_of(const char *content_type)
{
	static const struct {
		const char *name;
		enum sw_patch_type type;
	} types[] = {
		{"application/merge-patch+json", SW_PATCH_MERGE},
		{"application/json-patch+json", SW_PATCH_JSON},
		{"application/strategic-merge-patch+json", SW_PATCH_STRATEGIC},
		{"application/apply-patch+yaml", SW_PATCH_APPLY},
	};
	size_t n = content_type ? strcspn(content_type, "; \t") : 0;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i].name) == n && strncasecmp(types[i].name, content_type, n) == 0)
			return types[i].type;
	return SW_PATCH_NONE;
}

void sw_merge_patch(json_t **target, json_t *patch)
{
	if (!json_object_is_type(patch, json_type_object)) {
		json_object_put(*target);
		*target = patch ? sw_json_copy(patch) : NULL;
		return;
	}
	if (!json_object_is_type(*target, json_type_object)) {
		json_object_put(*target);
		*target = json_object_new_object();
	}
	json_object_object_foreach(patch, key, v)
	{
		json_t *child;

		if (!v) {
			json_object_object_del(*target, key);
		} else if (!json_object_is_type(v, json_type_object)) {
			json_object_object_add(*target, key, sw_json_copy(v));
		} else {
			child = json_object_get(sw_json_key(*target, key));
			sw_merge_patch(&child, v);
			json_object_object_add(*target, key, child);
		}
	}
}

static json_t *not_an_object(const struct sw_patch_request *req)
{
	if (req->type == SW_PATCH_JSON ? json_object_is_type(req->patch, json_type_array)
				       : json_object_is_type(req->patch, json_type_object))
		return NULL;
	return sw_status(SW_REASON_BAD_REQUEST, "error decoding patch: expected %s",
			 req->type == SW_PATCH_JSON ? "an array of operations" : "an object");
}

/* A patch may not turn an object into something of another kind, or into no object at all. */
static json_t *check_identity(const struct sw_patch_request *req, json_t *o)
{
	if (!json_object_is_type(o, json_type_object) ||
	    !json_object_is_type(sw_json_key(o, "metadata"), json_type_object))
		return sw_status(SW_REASON_BAD_REQUEST, "the patch leaves no %s object with metadata behind",
				 req->r->kind);
	return NULL;
}

json_t *sw_patch(const struct sw_schema *s, const struct sw_patch_request *req, json_t *current, json_t **out)
{
	json_t *o, *no = not_an_object(req);

	*out = NULL;
	if (no)
		return no;
	if (req->type == SW_PATCH_APPLY)
		return ssa_apply(s, req, current, out);
	if (req->type == SW_PATCH_NONE || (req->type == SW_PATCH_STRATEGIC && !(req->r->flags & SW_RES_BUILTIN)))
		return sw_status_media_type(req->r);
	o = sw_json_copy(current);
	if (req->type == SW_PATCH_MERGE)
		sw_merge_patch(&o, req->patch);
	else if (req->type == SW_PATCH_JSON)
		no = sw_json_patch(&o, req->patch);
	else
		no = smp_patch(schema_message(s, req->r->message), &o, req->patch);
	if (!no)
		no = check_identity(req, o);
	if (!no)
		no = sw_object_decode(s, req->r, o, req->dups, req->fields, req->warnings);
	if (no)
		json_object_put(o);
	else
		*out = o;
	return no;
}
