/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - json-c with limits, paths and no surprises
 *
 * Objects stay untyped: every field they came with is kept. Reading uses dotted
 * paths ("spec.template.spec.containers"); a key that itself holds dots is
 * reached with sw_json_key(). Readers never fail: what is absent or of another
 * type is NULL, 0 or false, and the schema has refused wrong types before.
 * Results of readers are lent, as long as the object lives and is not changed.
 */
#ifndef SPILLWAY_JSON_H
#define SPILLWAY_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include "spillway/buf.h"
#include "spillway/err.h"

typedef struct json_object json_t; /* the one typedef: json-c's name is long and everywhere */

enum { SW_JSON_DEPTH = 64 };

/* gives. Refuses: trailing bytes, depth over SW_JSON_DEPTH, invalid UTF-8, NaN,
 * numbers over 64 bits. The error says line, column (or byte) and what was met. */
__attribute__((warn_unused_result)) struct sw_err sw_json_parse(const char *bytes, size_t len, json_t **out);
/* As above without metadata.managedFields, which is checked and left out: half the bytes of what API servers send, and
 * most of its nodes. */
__attribute__((warn_unused_result)) struct sw_err sw_json_parse_lean(const char *bytes, size_t len, json_t **out);
/* As sw_json_parse(), and lists the paths of duplicate object keys (first 8) in dups,
 * comma separated; empty if none. json-c keeps the last one. */
__attribute__((warn_unused_result)) struct sw_err sw_json_parse_dups(const char *bytes, size_t len, json_t **out,
								     char *dups, size_t dups_size);

json_t *sw_json_at(json_t *o, const char *dotted);      /* lent or NULL */
json_t *sw_json_key(json_t *o, const char *key);        /* one step, key taken literally */
const char *sw_json_str(json_t *o, const char *dotted); /* NULL unless a string */
int64_t sw_json_int(json_t *o, const char *dotted, int64_t otherwise);
bool sw_json_bool(json_t *o, const char *dotted);
size_t sw_json_len(json_t *array); /* 0 unless an array */
json_t *sw_json_idx(json_t *array, size_t i);

/* metadata.labels[key], metadata.annotations[key]: keys hold dots and slashes */
const char *sw_json_label(json_t *o, const char *key);
const char *sw_json_annotation(json_t *o, const char *key);

/* Sets a path, making objects on the way; value_taken is always taken. */
void sw_json_set(json_t *o, const char *dotted, json_t *value_taken);
void sw_json_set_str(json_t *o, const char *dotted, const char *value);
void sw_json_set_int(json_t *o, const char *dotted, int64_t value);
void sw_json_set_bool(json_t *o, const char *dotted, bool value);
void sw_json_set_label(json_t *o, const char *key, const char *value);
void sw_json_set_annotation(json_t *o, const char *key, const char *value);
void sw_json_del(json_t *o, const char *dotted);
void sw_json_del_key(json_t *o,
		     const char *key); /* one step, key taken literally; nothing if o is no object (json-c aborts) */
json_t *sw_json_copy(json_t *o);       /* gives a deep copy; aborts when out of memory */
/* printf into a new parsed object; the format must make valid JSON. gives. For fixed shapes. */
__attribute__((format(printf, 1, 2))) json_t *sw_json_fmt(const char *fmt, ...);

void sw_buf_json(struct sw_buf *b, json_t *o); /* compact text */
char *sw_json_text(json_t *o, size_t *len);    /* gives compact text; len may be NULL */

/* status.conditions[type]: lent, or NULL */
json_t *sw_json_condition(json_t *o, const char *type);
bool sw_json_condition_true(json_t *o, const char *type);
/* Sets one condition; lastTransitionTime moves only when status changes. Returns
 * false if nothing changed. `now` is RFC 3339. */
bool sw_json_set_condition(json_t *o, const char *type, bool status, const char *reason, const char *message,
			   const char *now);

#endif
