/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.h - the shape of every served kind: decoding, defaulting, validation and the rules of writes
 *
 * The carried text files gateway/api/schema/NAME.schema (facts read from the published API definitions: field names,
 * numbers, types, required, enums, merge keys) are compiled once into arrays with hashed lookup. The server keeps one
 * struct sw_schema for its life; it never changes after sw_schema_new().
 *
 * A write goes through these, in this order:
 *
 *   sw_json_parse_dups() or sw_protobuf_decode()
 *   sw_object_decode()      apiVersion, kind, types, unknown and duplicate fields        -> Status 400 (422 for CRD
 * kinds) create:                                       update, and every patch after sw_patch(): sw_object_begin() what
 * clients may not    sw_object_carry()   what an update may not touch set; uid, times                              is
 * taken from the old object sw_object_default()                           sw_object_default() sw_object_validate()  ->
 * Status 422           sw_object_validate() with the old object sw_object_same()?    nothing to store
 *
 * Objects stay untyped: a field the schema knows keeps the text it came with. For fields that spillway itself
 * refuses because nobody would honour them, see gateway/api/unhonoured.c.
 *
 * Ownership  objects are lent and edited in place. Statuses are given (status.h).
 * Threads    any, on different objects.
 * Limits     at most SW_CAUSES_MAX messages of each sort; recursion is bounded by SW_JSON_DEPTH of the parser.
 */
#ifndef SPILLWAY_SCHEMA_H
#define SPILLWAY_SCHEMA_H

#include "spillway/json.h"
#include "spillway/resource.h"
#include "spillway/status.h"

struct sw_schema;

__attribute__((warn_unused_result)) struct sw_err
sw_schema_new(struct sw_schema **out);    /* gives; from the carried files */
void sw_schema_free(struct sw_schema *s); /* NULL is fine */

/* The query parameter fieldValidation. Absent means WARN. */
enum sw_fields { SW_FIELDS_WARN, SW_FIELDS_STRICT, SW_FIELDS_IGNORE };
/* Status 400 for an unknown word; NULL or "" is WARN */
json_t *sw_fields_parse(const char *word, enum sw_fields *out);

/*
 * Checks `o` against r's schema and makes it canonical: fills apiVersion and kind if absent, drops nulls and (unless
 * Strict refused them) unknown fields. dups: text of sw_json_parse_dups() or NULL. warnings: a json array that texts
 * for Warning headers are appended to (mode WARN), or NULL.
 */
__attribute__((warn_unused_result)) json_t *sw_object_decode(const struct sw_schema *s, const struct sw_resource *r,
							     json_t *o, const char *dups, enum sw_fields mode,
							     json_t *warnings);

struct sw_begin {
	const char *ns;     /* of the path; "" if cluster-scoped */
	const char *uid;    /* a new one */
	const char *suffix; /* 5 characters for generateName */
	int64_t now_ms;     /* wall clock */
};
/* Fresh metadata for a create: namespace (400 if the body names another), name from generateName, uid,
 * creationTimestamp, generation 1; drops resourceVersion, deletionTimestamp, selfLink and, where status is a
 * subresource, status. managedFields is dropped too. (A name that is absent altogether is found by sw_object_validate.)
 */
__attribute__((warn_unused_result)) json_t *sw_object_begin(const struct sw_resource *r, json_t *o,
							    const struct sw_begin *b);

/* The update's counterpart. sub: NULL or "status". fresh (edited) becomes what is to be stored: identity, creation and
 * deletion times and generation come from old; without sub its status comes from old; with "status" everything but
 * status comes from old. Raises generation if something outside metadata and status changed. Status 400 if names differ
 * from old's, 409 if fresh has another uid. resourceVersion is copied from old too: compare the client's before.
 * Defaults fresh on the way (the generation counts real changes only), so sw_object_default() afterwards changes
 * nothing. With "status", parts of old are shared by reference: do not edit fresh's spec afterwards while old is in
 * use. */
__attribute__((warn_unused_result)) json_t *sw_object_carry(const struct sw_schema *s, const struct sw_resource *r,
							    const char *sub, json_t *fresh, json_t *old);

/* The real server's defaults. Idempotent. For Jobs also selector and labels from metadata.uid. */
void sw_object_default(const struct sw_schema *s, const struct sw_resource *r, json_t *o);

/* old: NULL on create. Required fields, ranges, enums, names, labels, quantities, rules of the kind, immutable fields.
 */
__attribute__((warn_unused_result)) json_t *sw_object_validate(const struct sw_schema *s, const struct sw_resource *r,
							       const char *sub, json_t *o, json_t *old);

/* Equal apart from resourceVersion and managedFields' times: then an update stores nothing and no event is sent. */
bool sw_object_same(json_t *a, json_t *b);

/* ---- DeleteOptions -------------------------------------------------------------- */

enum sw_propagation { SW_PROPAGATE_UNSET, SW_PROPAGATE_BACKGROUND, SW_PROPAGATE_FOREGROUND, SW_PROPAGATE_ORPHAN };
struct sw_delete_options {
	enum sw_propagation propagation;
	int64_t grace_s; /* -1: unset */
	bool dry_run;
	char uid[64], rv[24]; /* preconditions, "" if none */
};
/* body: parsed DeleteOptions or NULL (an empty body). Fields set by the query before stay unless the body sets them. */
__attribute__((warn_unused_result)) json_t *sw_delete_options(const struct sw_schema *s, json_t *body,
							      struct sw_delete_options *opt);
/* The query's propagationPolicy, gracePeriodSeconds, dryRun; value as it came. */
__attribute__((warn_unused_result)) json_t *sw_delete_options_query(const char *key, const char *value,
								    struct sw_delete_options *opt);

#endif
