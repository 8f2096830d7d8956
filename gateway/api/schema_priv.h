/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_priv.h - the compiled schema, for the files of this room
 *
 * Messages and fields are arrays; a field is found by the FNV hash of its name in the message's own small table. All
 * text lies in one arena. Nothing changes after sw_schema_new().
 */
#ifndef SPILLWAY_API_SCHEMA_PRIV_H
#define SPILLWAY_API_SCHEMA_PRIV_H

#include "spillway/schema.h"

enum base {
	B_STRING,
	B_BOOL,
	B_INT32,
	B_INT64,
	B_DOUBLE,
	B_BYTES,
	B_QUANTITY,
	B_TIME,
	B_MICROTIME,
	B_DURATION,
	B_INT_OR_STRING,
	B_OBJECT,
	B_ANY,
	B_MESSAGE
};
enum shape { SHAPE_ONE, SHAPE_LIST, SHAPE_MAP };
enum { SHAPES = 2 }; /* a map of lists is the deepest there is */
enum pattern { P_NONE, P_SUBDOMAIN, P_LABEL, P_KEY, P_REASON };

struct words {
	const char **at;
	size_t n;
};

struct field {
	const char *name;
	uint32_t hash;
	uint16_t number, outer; /* protobuf; outer: the embedded message it is in, or 0 */
	enum base base;
	enum shape shape[SHAPES];
	enum pattern pattern;
	bool required, pointer, retain_keys, is_set, atomic;
	bool has_min, has_max;
	int64_t min, max;
	int64_t min_len, max_len, min_n, max_n; /* -1: none */
	const char *message_name;
	const struct message *message; /* if base is B_MESSAGE */
	const char *merge_key;         /* NULL: lists are replaced; "": scalars merged */
	struct words list_keys, enums;
	json_t *fallback;        /* default, or NULL */
	const char *description; /* "" if none */
};

struct message {
	const char *name;
	const char *description;
	struct field *fields;
	size_t n;
	uint16_t *slots; /* index + 1 of a field, open addressing */
	uint32_t mask;
	bool atomic, builtin;
	bool deep_defaults; /* a default here or below */
	bool deep_required; /* something to validate here or below */
};

struct sw_schema {
	char **texts; /* the carried files, cut into words */
	size_t n_texts;
	struct message *messages; /* sorted by name */
	size_t n;
	const char ***word_lists; /* what struct words points to */
	size_t n_word_lists;
};

const struct message *schema_message(const struct sw_schema *s, const char *name); /* NULL if unknown */
const struct field *message_field(const struct message *m, const char *name);
const struct field *message_field_n(const struct message *m, const char *name, size_t n);
/* embedded: number of the embedded message that we are inside, 0 outside */
const struct field *message_number(const struct message *m, unsigned embedded, unsigned number);
bool message_embeds(const struct message *m, unsigned number);

/* ---- where we are in an object, kept on the stack and turned into text only for an error ------- */

enum step_kind { STEP_FIELD, STEP_KEY, STEP_INDEX };
struct step {
	const struct step *up;
	enum step_kind kind;
	const char *name;
	size_t index;
};
enum path_style {
	PATH_DOTS,    /* spec.limits.cpu: unknown fields, CRDs */
	PATH_BRACKETS /* spec.limits[cpu]: field errors of built-in kinds */
};
enum { PATH_MAX_BYTES = 1024 };
/* buf holds PATH_MAX_BYTES; the front is cut if it is longer. Returns the text inside buf. */
const char *step_path(const struct step *at, enum path_style style, char *buf);

#endif
