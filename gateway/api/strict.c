/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strict.c - decoding: does an untyped object have the shape that its kind has?
 *
 * One walk over the object beside the schema. It finds unknown fields (dropped, told by fieldValidation's rules),
 * wrong types, numbers out of range, broken quantities and times; it drops nulls and makes numbers given as
 * quantities and times with other offsets canonical. Where the object stands is kept on the C stack and turned
 * into a path only when there is something to say.
 *
 * Built-in kinds answer a wrong type with 400 and the words of Go's decoder (one error, the first); kinds from
 * CRDs with 422 and a list, as the real server does.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "schema_priv.h"
#include "spillway/text.h"

enum { STRICT_MAX = 100 };

struct decode {
	const struct sw_resource *r;
	bool builtin;
	json_t *strict;          /* array of texts: unknown and duplicate fields */
	char *wrong;             /* the first wrong type, built-in kinds; owned */
	struct sw_causes causes; /* wrong types, other kinds */
	const char *owner;       /* Go name of the message we are in: "JobSpec" */
};

static void decode_value(struct decode *d, const struct field *f, unsigned depth, json_t *parent, const struct step *at,
			 json_t *v);

/* ---- complaints -------------------------------------------------------------------------------- */

static const char *json_word(json_t *v)
{
	switch (json_object_get_type(v)) {
	case json_type_boolean:
		return "bool";
	case json_type_int:
	case json_type_double:
		return "number";
	case json_type_string:
		return "string";
	case json_type_array:
		return "array";
	default:
		return "object";
	}
}

/* JSON schema's word for a value, as in answers for CRD kinds */
static const char *schema_word(json_t *v)
{
	switch (json_object_get_type(v)) {
	case json_type_boolean:
		return "boolean";
	case json_type_int:
		return "integer";
	default:
		return json_word(v);
	}
}

static const char *short_name(const char *message)
{
	const char *dot = strrchr(message, '.');

	return dot ? dot + 1 : message;
}

/* What Go calls the type: "int32", "[]v1.Container", "map[string]string". */
static const char *go_type(const struct field *f, unsigned depth, char *buf, size_t size)
{
	static const char *const words[] = {
		[B_STRING] = "string",
		[B_BOOL] = "bool",
		[B_INT32] = "int32",
		[B_INT64] = "int64",
		[B_DOUBLE] = "float64",
		[B_BYTES] = "[]uint8",
		[B_QUANTITY] = "resource.Quantity",
		[B_TIME] = "v1.Time",
		[B_MICROTIME] = "v1.MicroTime",
		[B_DURATION] = "v1.Duration",
		[B_INT_OR_STRING] = "intstr.IntOrString",
		[B_OBJECT] = "map[string]interface {}",
		[B_ANY] = "interface {}",
	};
	char prefix[64] = "";

	for (; depth < SHAPES && f->shape[depth] != SHAPE_ONE; depth++)
		strncat(prefix, f->shape[depth] == SHAPE_LIST ? "[]" : "map[string]",
			sizeof(prefix) - strlen(prefix) - 1);
	if (f->base == B_MESSAGE)
		snprintf(buf, size, "%sv1.%s", prefix, short_name(f->message_name));
	else
		snprintf(buf, size, "%s%s", prefix, words[f->base]);
	return buf;
}

static const char *schema_type(const struct field *f, unsigned depth)
{
	if (depth < SHAPES && f->shape[depth] != SHAPE_ONE)
		return f->shape[depth] == SHAPE_LIST ? "array" : "object";
	switch (f->base) {
	case B_BOOL:
		return "boolean";
	case B_INT32:
	case B_INT64:
		return "integer";
	case B_DOUBLE:
		return "number";
	case B_OBJECT:
	case B_MESSAGE:
		return "object";
	default:
		return "string";
	}
}

/* Go names a field without the indexes and keys of what it is in. */
static void put_go_path(struct sw_buf *b, const struct step *at)
{
	if (!at)
		return;
	put_go_path(b, at->up);
	if (at->kind == STEP_FIELD)
		sw_buf_printf(b, ".%s", at->name);
}

static void wrong_type(struct decode *d, const struct field *f, unsigned depth, const struct step *at, json_t *v,
		       bool show)
{
	char path[PATH_MAX_BYTES], type[256];
	struct sw_buf b;

	if (!d->builtin) {
		const char *p = step_path(at, PATH_DOTS, path);
		json_t *word = json_object_new_string(schema_word(v));

		sw_cause_invalid(&d->causes, p, word, "%s in body must be of type %s: \"%s\"", p, schema_type(f, depth),
				 schema_word(v));
		json_object_put(word);
		return;
	}
	if (d->wrong)
		return;
	sw_buf_init(&b, 16 << 10);
	sw_buf_printf(&b, "json: cannot unmarshal %s", json_word(v));
	if (show)
		sw_buf_printf(&b, " %.64s", json_object_get_string(v));
	sw_buf_printf(&b, " into Go struct field %s", d->owner);
	put_go_path(&b, at);
	sw_buf_printf(&b, " of type %s", go_type(f, depth, type, sizeof(type)));
	d->wrong = sw_buf_take(&b, NULL);
}

/* A value of the right JSON type that cannot be read: quantities, times, base64. */
static void wrong_text(struct decode *d, const struct step *at, json_t *v, const char *why)
{
	char path[PATH_MAX_BYTES];
	const char *p = step_path(at, d->builtin ? PATH_BRACKETS : PATH_DOTS, path);

	if (!d->builtin)
		sw_cause_invalid(&d->causes, p, v, "%s", why);
	else if (!d->wrong)
		d->wrong = sw_asprintf("%s: found %.200s, %.600s", p,
				       json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN), why);
}

static void unknown_field(struct decode *d, const struct step *at)
{
	char path[PATH_MAX_BYTES], text[PATH_MAX_BYTES + 32];

	if (!d->strict)
		d->strict = json_object_new_array();
	if (json_object_array_length(d->strict) >= STRICT_MAX)
		return;
	snprintf(text, sizeof(text), "unknown field \"%s\"", step_path(at, PATH_DOTS, path));
	json_object_array_add(d->strict, json_object_new_string(text));
}

/* ---- scalars ----------------------------------------------------------------------------------- */

static void replace(json_t *parent, const struct step *at, json_t *fresh)
{
	if (at->kind == STEP_INDEX)
		json_object_array_put_idx(parent, at->index, fresh);
	else
		json_object_object_add(parent, at->name, fresh);
}

static void decode_int(struct decode *d, const struct field *f, const struct step *at, json_t *v)
{
	int64_t n;

	if (!json_object_is_type(v, json_type_int)) {
		wrong_type(d, f, SHAPES, at, v, json_object_is_type(v, json_type_double));
		return;
	}
	n = json_object_get_int64(v);
	if (f->base == B_INT32 && (n > INT32_MAX || n < INT32_MIN))
		wrong_type(d, f, SHAPES, at, v, true);
	else if (n == INT64_MAX && json_object_get_uint64(v) > INT64_MAX)
		wrong_type(d, f, SHAPES, at, v, true);
}

static void decode_quantity(struct decode *d, const struct field *f, json_t *parent, const struct step *at, json_t *v)
{
	bool is_text = json_object_is_type(v, json_type_string);
	int64_t milli;
	struct sw_err e;

	if (!is_text && !json_object_is_type(v, json_type_int) && !json_object_is_type(v, json_type_double)) {
		wrong_type(d, f, SHAPES, at, v, false);
		return;
	}
	e = sw_quantity_milli(json_object_get_string(v), &milli);
	if (sw_failed(e))
		wrong_text(d, at, v, e.text);
	else if (!is_text && d->builtin) /* a CRD's int-or-string stays as it came: kubectl apply compares it */
		replace(parent, at, json_object_new_string(json_object_get_string(v)));
}

static void decode_time(struct decode *d, const struct field *f, json_t *parent, const struct step *at, json_t *v)
{
	const char *text = json_object_get_string(v);
	size_t n = json_object_is_type(v, json_type_string) ? strlen(text) : 0;
	char canonical[32];
	struct sw_err e;
	int64_t ms;

	if (!json_object_is_type(v, json_type_string)) {
		wrong_type(d, f, SHAPES, at, v, false);
		return;
	}
	e = sw_time_parse(text, &ms);
	if (sw_failed(e)) {
		wrong_text(d, at, v, e.text);
		return;
	}
	if (f->base == B_TIME && !(n == 20 && text[19] == 'Z'))
		replace(parent, at, json_object_new_string(sw_time_text(ms, canonical)));
	else if (f->base == B_MICROTIME && text[n - 1] != 'Z')
		replace(parent, at, json_object_new_string(sw_time_micro_text(ms, canonical)));
}

static void decode_bytes(struct decode *d, const struct field *f, const struct step *at, json_t *v)
{
	unsigned char *bytes = NULL;
	size_t n;
	struct sw_err e;

	if (!json_object_is_type(v, json_type_string)) {
		wrong_type(d, f, SHAPES, at, v, false);
		return;
	}
	e = sw_base64_decode(json_object_get_string(v), (size_t)json_object_get_string_len(v), &bytes, &n);
	free(bytes);
	if (sw_failed(e))
		wrong_text(d, at, v, e.text);
}

static bool type_fits(enum base base, json_t *v)
{
	enum json_type t = json_object_get_type(v);

	switch (base) {
	case B_STRING:
	case B_DURATION:
		return t == json_type_string;
	case B_BOOL:
		return t == json_type_boolean;
	case B_DOUBLE:
		return t == json_type_int || t == json_type_double;
	case B_INT_OR_STRING:
		return t == json_type_int || t == json_type_string;
	case B_OBJECT:
		return t == json_type_object;
	default:
		return true;
	}
}

static void decode_scalar(struct decode *d, const struct field *f, json_t *parent, const struct step *at, json_t *v)
{
	switch (f->base) {
	case B_INT32:
	case B_INT64:
		decode_int(d, f, at, v);
		return;
	case B_QUANTITY:
		decode_quantity(d, f, parent, at, v);
		return;
	case B_TIME:
	case B_MICROTIME:
		decode_time(d, f, parent, at, v);
		return;
	case B_BYTES:
		decode_bytes(d, f, at, v);
		return;
	default:
		if (!type_fits(f->base, v))
			wrong_type(d, f, SHAPES, at, v, false);
	}
}

/* ---- objects, lists, maps ---------------------------------------------------------------------- */

static void decode_message(struct decode *d, const struct message *m, json_t *o, const struct step *up)
{
	const char *outer = d->owner;

	d->owner = short_name(m->name);
	json_object_object_foreach(o, key, v)
	{
		struct step at = {.up = up, .kind = STEP_FIELD, .name = key};
		const struct field *f = message_field(m, key);

		if (!f) {
			unknown_field(d, &at);
			json_object_object_del(o, key);
		} else if (!v) {
			json_object_object_del(o, key);
		} else {
			decode_value(d, f, 0, o, &at, v);
		}
	}
	d->owner = outer;
}

static void decode_list(struct decode *d, const struct field *f, unsigned depth, const struct step *up, json_t *list)
{
	size_t n = json_object_array_length(list);

	for (size_t i = 0; i < n; i++) {
		struct step at = {.up = up, .kind = STEP_INDEX, .index = i};
		json_t *v = json_object_array_get_idx(list, i);

		if (v)
			decode_value(d, f, depth, list, &at, v);
		else if (f->base != B_ANY)
			wrong_text(d, &at, NULL, "expected a value, not null");
	}
}

static void decode_map(struct decode *d, const struct field *f, unsigned depth, const struct step *up, json_t *map)
{
	json_object_object_foreach(map, key, v)
	{
		struct step at = {.up = up, .kind = STEP_KEY, .name = key};

		if (v)
			decode_value(d, f, depth, map, &at, v);
		else if (f->base == B_STRING) /* Go reads a null as the empty string */
			json_object_object_add(map, key, json_object_new_string(""));
		else
			json_object_object_del(map, key);
	}
}

static void decode_value(struct decode *d, const struct field *f, unsigned depth, json_t *parent, const struct step *at,
			 json_t *v)
{
	enum shape shape = depth < SHAPES ? f->shape[depth] : SHAPE_ONE;

	if (shape == SHAPE_LIST && json_object_is_type(v, json_type_array))
		decode_list(d, f, depth + 1, at, v);
	else if (shape == SHAPE_MAP && json_object_is_type(v, json_type_object))
		decode_map(d, f, depth + 1, at, v);
	else if (shape != SHAPE_ONE)
		wrong_type(d, f, depth, at, v, false);
	else if (f->base != B_MESSAGE)
		decode_scalar(d, f, parent, at, v);
	else if (json_object_is_type(v, json_type_object))
		decode_message(d, f->message, v, at);
	else
		wrong_type(d, f, SHAPES, at, v, false);
}

/* The top: apiVersion and kind are no fields of the schema. */
static void decode_object(struct decode *d, const struct message *m, json_t *o)
{
	d->owner = short_name(m->name);
	json_object_object_foreach(o, key, v)
	{
		struct step at = {.kind = STEP_FIELD, .name = key};
		const struct field *f = message_field(m, key);

		if (f && v) {
			decode_value(d, f, 0, o, &at, v);
		} else if (f) {
			json_object_object_del(o, key);
		} else if (strcmp(key, "apiVersion") != 0 && strcmp(key, "kind") != 0) {
			unknown_field(d, &at);
			json_object_object_del(o, key);
		}
	}
}

/* ---- the outcome ------------------------------------------------------------------------------- */

static json_t *cannot_handle(const struct sw_resource *r, const char *why)
{
	return sw_status(SW_REASON_BAD_REQUEST, "%s in version \"%s\" cannot be handled as a %s: %s", r->kind,
			 r->version, r->kind, why);
}

/* dups: "a.b, c.d" */
static void add_duplicates(struct decode *d, const char *dups)
{
	while (dups && *dups) {
		size_t n = strcspn(dups, ",");
		char text[PATH_MAX_BYTES];

		snprintf(text, sizeof(text), "duplicate field \"%.*s\"", (int)n, dups);
		if (!d->strict)
			d->strict = json_object_new_array();
		if (json_object_array_length(d->strict) < STRICT_MAX)
			json_object_array_add(d->strict, json_object_new_string(text));
		dups += n;
		dups += strspn(dups, ", ");
	}
}

static json_t *strict_status(const struct decode *d)
{
	size_t n = json_object_array_length(d->strict);
	struct sw_buf b;
	json_t *no;

	sw_buf_init(&b, 256 << 10);
	sw_buf_puts(&b, "strict decoding error: ");
	for (size_t i = 0; i < n; i++)
		sw_buf_printf(&b, "%s%s", i ? ", " : "",
			      json_object_get_string(json_object_array_get_idx(d->strict, i)));
	no = cannot_handle(d->r, b.at ? b.at : "strict decoding error");
	sw_buf_fini(&b);
	return no;
}

static json_t *outcome(struct decode *d, json_t *o, enum sw_fields mode, json_t *warnings)
{
	if (d->wrong)
		return cannot_handle(d->r, d->wrong);
	if (d->strict && mode == SW_FIELDS_STRICT)
		return strict_status(d);
	if (sw_causes_any(&d->causes))
		return sw_status_invalid(d->r, sw_json_str(o, "metadata.name"), &d->causes);
	for (size_t i = 0; warnings && mode == SW_FIELDS_WARN && d->strict && i < json_object_array_length(d->strict);
	     i++)
		json_object_array_add(warnings, json_object_get(json_object_array_get_idx(d->strict, i)));
	return NULL;
}

static json_t *check_type_meta(const struct sw_resource *r, json_t *o)
{
	char expected[96];
	json_t *kind = sw_json_key(o, "kind"), *version = sw_json_key(o, "apiVersion");

	sw_resource_api_version(r, expected);
	if (!kind || (json_object_is_type(kind, json_type_string) && !*json_object_get_string(kind))) {
		json_object_object_add(o, "kind", json_object_new_string(r->kind));
		kind = sw_json_key(o, "kind");
	}
	if (!version || (json_object_is_type(version, json_type_string) && !*json_object_get_string(version))) {
		json_object_object_add(o, "apiVersion", json_object_new_string(expected));
		version = sw_json_key(o, "apiVersion");
	}
	if (strcmp(json_object_get_string(kind), r->kind) == 0 &&
	    strcmp(json_object_get_string(version), expected) == 0)
		return NULL;
	return sw_status(SW_REASON_BAD_REQUEST, "the object provided is %.100s, Kind=%.100s, expected %s, Kind=%s",
			 json_object_get_string(version), json_object_get_string(kind), expected, r->kind);
}

json_t *sw_object_decode(const struct sw_schema *s, const struct sw_resource *r, json_t *o, const char *dups,
			 enum sw_fields mode, json_t *warnings)
{
	const struct message *m = schema_message(s, r->message);
	struct decode d = {.r = r, .builtin = r->flags & SW_RES_BUILTIN};
	json_t *no;

	SW_REQUIRE(m);
	if (!json_object_is_type(o, json_type_object))
		return sw_status(SW_REASON_BAD_REQUEST, "the body is %s, expected an object of kind %s",
				 o ? json_word(o) : "null", r->kind);
	no = check_type_meta(r, o);
	if (no)
		return no;
	decode_object(&d, m, o);
	add_duplicates(&d, dups);
	no = outcome(&d, o, mode, warnings);
	json_object_put(d.strict);
	free(d.wrong);
	sw_causes_fini(&d.causes);
	return no;
}

json_t *sw_fields_parse(const char *word, enum sw_fields *out)
{
	static const char *const words[] = {
		[SW_FIELDS_WARN] = "Warn", [SW_FIELDS_STRICT] = "Strict", [SW_FIELDS_IGNORE] = "Ignore"};

	*out = SW_FIELDS_WARN;
	if (!word || !*word)
		return NULL;
	for (int i = 0; i < 3; i++)
		if (strcmp(word, words[i]) == 0) {
			*out = (enum sw_fields)i;
			return NULL;
		}
	return sw_status(SW_REASON_BAD_REQUEST, "fieldValidation is \"%.60s\", expected Ignore, Strict or Warn", word);
}
