/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protobuf.c - Kubernetes' protobuf bodies to untyped JSON, by the schema's field numbers
 *
 * Wire format: https://protobuf.dev/programming-guides/encoding/. Special messages of apimachinery (v0.36.1
 * generated.proto): Time {1 seconds, 2 nanos}, Quantity {1 text}, IntOrString {1 type, 2 int, 3 string}, FieldsV1
 * and RawExtension {1 raw JSON}, wrapped lists {1 items}; map entries {1 key, 2 value}; embedded structs are
 * messages whose fields belong to the parent.
 *
 * Go's encoder writes plain fields even when they are zero: such zeroes are dropped unless the schema says that
 * zero is a value.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "schema_priv.h"
#include "spillway/protobuf.h"
#include "spillway/text.h"

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct bytes {
	const unsigned char *at, *end;
};
struct item {
	unsigned number, wire;
	uint64_t n;
	struct bytes b;
};
enum { VALUES_MAX = 200000 }; /* a body of empty messages must not become gigabytes of tree */
struct decoder {
	const char *bad;
	unsigned depth, values;
};

/* ---- the wire ---------------------------------------------------------------------------------- */

static bool fail(struct decoder *d, const char *why)
{
	if (!d->bad)
		d->bad = why;
	return false;
}

static bool varint(struct decoder *d, struct bytes *b, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		unsigned char c;

		if (b->at == b->end)
			return fail(d, "a number ends too early");
		c = *b->at++;
		*out |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return true;
	}
	return fail(d, "a number is longer than 10 bytes");
}

static bool skip(struct decoder *d, struct bytes *b, size_t n, struct bytes *out)
{
	if ((size_t)(b->end - b->at) < n)
		return fail(d, "a length goes past the end");
	*out = (struct bytes){b->at, b->at + n};
	b->at += n;
	return true;
}

/* The next field of a message. false at the end, or when broken (d->bad). */
static bool next(struct decoder *d, struct bytes *b, struct item *it)
{
	uint64_t tag;

	if (d->bad || b->at == b->end || !varint(d, b, &tag))
		return false;
	it->number = (unsigned)(tag >> 3);
	it->wire = tag & 7;
	it->b = (struct bytes){0};
	if (tag >> 3 == 0 || tag >> 3 > 536870911)
		return fail(d, "a field number is out of range");
	switch (it->wire) {
	case WIRE_VARINT:
		return varint(d, b, &it->n);
	case WIRE_BYTES:
		return varint(d, b, &it->n) &&
		       (it->n <= SIZE_MAX / 2 ? skip(d, b, (size_t)it->n, &it->b) : fail(d, "a length is too large"));
	case WIRE_64:
		return skip(d, b, 8, &it->b);
	case WIRE_32:
		return skip(d, b, 4, &it->b);
	default:
		return fail(d, "a field has an unknown wire type");
	}
}

static json_t *text(struct decoder *d, struct bytes b)
{
	size_t n = (size_t)(b.end - b.at);

	if (n == 0)
		return json_object_new_string("");
	if (!sw_is_utf8((const char *)b.at, n) || memchr(b.at, 0, n)) {
		fail(d, "a string is not UTF-8, or has a zero byte");
		return NULL;
	}
	return json_object_new_string_len((const char *)b.at, (int)n);
}

/* ---- special messages -------------------------------------------------------------------------- */

static json_t *time_value(struct decoder *d, struct bytes b, bool micro)
{
	struct item it;
	int64_t seconds = 0, nanos = 0;
	bool any = false;
	struct tm tm;
	time_t t;
	char buf[48], out[64];

	while (next(d, &b, &it)) {
		if (it.wire != WIRE_VARINT)
			continue;
		any = true;
		if (it.number == 1)
			seconds = (int64_t)it.n;
		else if (it.number == 2)
			nanos = (int64_t)it.n;
	}
	if (!any || seconds < -62135596800 || seconds > 253402300799)
		return NULL; /* Go's zero time is no time */
	t = (time_t)seconds;
	if (!gmtime_r(&t, &tm) || !strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", &tm))
		return NULL;
	if (micro)
		snprintf(out, sizeof(out), "%s.%06" PRId64 "Z", buf,
			 nanos >= 0 && nanos < 1000000000 ? nanos / 1000 : 0);
	else
		snprintf(out, sizeof(out), "%sZ", buf);
	return json_object_new_string(out);
}

static json_t *int_or_string(struct decoder *d, struct bytes b)
{
	uint64_t type = 0, n = 0;
	struct bytes s = {0};
	struct item it;

	while (next(d, &b, &it)) {
		if (it.number == 1 && it.wire == WIRE_VARINT)
			type = it.n;
		else if (it.number == 2 && it.wire == WIRE_VARINT)
			n = it.n;
		else if (it.number == 3 && it.wire == WIRE_BYTES)
			s = it.b;
	}
	return type == 1 ? text(d, s) : json_object_new_int((int32_t)n);
}

/* {1: bytes}: the first field's bytes, or nothing */
static struct bytes only_field(struct decoder *d, struct bytes b)
{
	struct bytes out = {0};
	struct item it;

	while (next(d, &b, &it))
		if (it.number == 1 && it.wire == WIRE_BYTES)
			out = it.b;
	return out;
}

static json_t *raw_json(struct decoder *d, struct bytes b)
{
	struct bytes raw = only_field(d, b);
	json_t *o = NULL;

	if (raw.at == raw.end)
		return NULL;
	if (sw_failed(sw_json_parse((const char *)raw.at, (size_t)(raw.end - raw.at), &o)))
		fail(d, "an embedded JSON value is broken");
	return o;
}

/* ---- values ------------------------------------------------------------------------------------ */

static void message_decode(struct decoder *d, const struct message *m, unsigned embedded, struct bytes b, json_t *into);

static json_t *number_value(struct decoder *d, const struct field *f, const struct item *it)
{
	uint64_t bits = 0;
	double x;

	if (f->base == B_DOUBLE && it->wire == WIRE_64) {
		memcpy(&bits, it->b.at, 8); /* little endian, as everything we run on */
		memcpy(&x, &bits, 8);
		return x == x && x - x == 0 ? json_object_new_double(x) : NULL;
	}
	if (it->wire != WIRE_VARINT) {
		fail(d, "a field has another wire type than its kind says");
		return NULL;
	}
	if (f->base == B_BOOL)
		return json_object_new_boolean(it->n != 0);
	return json_object_new_int64(f->base == B_INT32 ? (int32_t)it->n : (int64_t)it->n);
}

static json_t *bytes_value(struct decoder *d, const struct field *f, struct bytes b)
{
	char *base64;
	json_t *o;

	switch (f->base) {
	case B_BYTES:
		base64 = sw_base64(b.at ? (const void *)b.at : "", (size_t)(b.end - b.at));
		o = json_object_new_string(base64);
		free(base64);
		return o;
	case B_QUANTITY:
		return text(d, only_field(d, b));
	case B_TIME:
		return time_value(d, b, false);
	case B_MICROTIME:
		return time_value(d, b, true);
	case B_INT_OR_STRING:
		return int_or_string(d, b);
	case B_OBJECT:
	case B_ANY:
		return raw_json(d, b);
	case B_MESSAGE:
		o = json_object_new_object();
		message_decode(d, f->message, 0, b, o);
		return o;
	default:
		return text(d, b);
	}
}

static json_t *value_of(struct decoder *d, const struct field *f, const struct item *it)
{
	bool scalar = f->base == B_BOOL || f->base == B_INT32 || f->base == B_INT64 || f->base == B_DOUBLE;

	if (++d->values > VALUES_MAX) {
		fail(d, "there are too many values");
		return NULL;
	}
	if (scalar)
		return number_value(d, f, it);
	if (it->wire != WIRE_BYTES) {
		fail(d, "a field has another wire type than its kind says");
		return NULL;
	}
	return bytes_value(d, f, it->b);
}

static json_t *child(json_t *o, const char *name, bool array)
{
	json_t *v = sw_json_key(o, name);

	if (!v) {
		v = array ? json_object_new_array() : json_object_new_object();
		json_object_object_add(o, name, v);
	}
	return v;
}

/* Packed numbers: many in one field. */
static void list_decode(struct decoder *d, const struct field *f, const struct item *it, json_t *list)
{
	bool number = f->base == B_INT32 || f->base == B_INT64 || f->base == B_BOOL;
	struct item one = {.wire = WIRE_VARINT};
	struct bytes b = it->b;
	json_t *v;

	if (!number || it->wire != WIRE_BYTES) {
		v = value_of(d, f, it);
		if (v)
			json_object_array_add(list, v);
		return;
	}
	while (!d->bad && b.at < b.end && varint(d, &b, &one.n))
		json_object_array_add(list, number_value(d, f, &one));
}

static void wrapped_list_decode(struct decoder *d, const struct field *f, struct bytes b, json_t *list)
{
	struct item it;

	while (next(d, &b, &it))
		if (it.number == 1)
			list_decode(d, f, &it, list);
}

/* A value that a map entry leaves out is the zero of its type. */
static struct item zero_item(const struct field *f)
{
	bool number = f->base == B_INT32 || f->base == B_INT64 || f->base == B_BOOL;

	return (struct item){.wire = number ? WIRE_VARINT : WIRE_BYTES};
}

static void map_put(struct decoder *d, const struct field *f, json_t *map, const char *key, const struct item *value)
{
	json_t *v;

	if (f->shape[1] == SHAPE_LIST) {
		wrapped_list_decode(d, f, value->b, child(map, key, true));
		return;
	}
	v = value_of(d, f, value);
	if (v)
		json_object_object_add(map, key, v);
}

static void map_decode(struct decoder *d, const struct field *f, const struct item *entry, json_t *map)
{
	struct item it, value = zero_item(f);
	struct bytes b = entry->b;
	json_t *key = NULL;

	if (entry->wire != WIRE_BYTES) {
		fail(d, "a map entry is not a message");
		return;
	}
	while (next(d, &b, &it)) {
		if (it.number == 1 && it.wire == WIRE_BYTES && !key)
			key = text(d, it.b);
		else if (it.number == 2)
			value = it;
	}
	if (key && !d->bad)
		map_put(d, f, map, json_object_get_string(key), &value);
	json_object_put(key);
}

static bool is_zero(json_t *v)
{
	switch (json_object_get_type(v)) {
	case json_type_string:
		return json_object_get_string_len(v) == 0;
	case json_type_int:
		return json_object_get_int64(v) == 0;
	case json_type_boolean:
		return !json_object_get_boolean(v);
	case json_type_null:
		return true;
	default:
		return false;
	}
}

static void field_decode(struct decoder *d, const struct field *f, const struct item *it, json_t *into)
{
	json_t *v;

	if (f->shape[0] == SHAPE_LIST) {
		list_decode(d, f, it, child(into, f->name, true));
	} else if (f->shape[0] == SHAPE_MAP) {
		map_decode(d, f, it, child(into, f->name, false));
	} else {
		v = value_of(d, f, it);
		if (v && (f->pointer || f->required || f->base == B_INT_OR_STRING || !is_zero(v)))
			json_object_object_add(into, f->name, v);
		else
			json_object_put(v);
	}
}

static void message_decode(struct decoder *d, const struct message *m, unsigned embedded, struct bytes b, json_t *into)
{
	struct item it;

	if (++d->depth > SW_JSON_DEPTH)
		fail(d, "messages are nested too deep");
	while (next(d, &b, &it)) {
		const struct field *f = message_number(m, embedded, it.number);

		if (f)
			field_decode(d, f, &it, into);
		else if (!embedded && it.wire == WIRE_BYTES && message_embeds(m, it.number))
			message_decode(d, m, it.number, it.b, into);
	}
	d->depth--;
}

/* ---- the envelope ------------------------------------------------------------------------------ */

struct envelope {
	char api_version[128], kind[128], encoding[32];
	struct bytes raw;
};

static void take_text(struct decoder *d, struct bytes b, char *out, size_t size)
{
	size_t n = (size_t)(b.end - b.at);

	if (n == 0)
		return;
	if (n >= size || !sw_is_utf8((const char *)b.at, n) || memchr(b.at, 0, n)) {
		fail(d, "apiVersion, kind or encoding is no plain text");
		return;
	}
	memcpy(out, b.at, n);
	out[n] = '\0';
}

static void type_meta_decode(struct decoder *d, struct bytes b, struct envelope *e)
{
	struct item it;

	while (next(d, &b, &it)) {
		if (it.wire == WIRE_BYTES && it.number == 1)
			take_text(d, it.b, e->api_version, sizeof(e->api_version));
		else if (it.wire == WIRE_BYTES && it.number == 2)
			take_text(d, it.b, e->kind, sizeof(e->kind));
	}
}

static void envelope_decode(struct decoder *d, struct bytes b, struct envelope *e)
{
	struct item it;

	while (next(d, &b, &it)) {
		if (it.wire != WIRE_BYTES)
			continue;
		if (it.number == 1)
			type_meta_decode(d, it.b, e);
		else if (it.number == 2)
			e->raw = it.b;
		else if (it.number == 3)
			take_text(d, it.b, e->encoding, sizeof(e->encoding));
	}
	if (!d->bad && e->encoding[0])
		fail(d, "the content is encoded once more");
}

bool sw_protobuf_is(const char *content_type)
{
	static const char name[] = "application/vnd.kubernetes.protobuf";
	size_t n = sizeof(name) - 1;

	return content_type && strncmp(content_type, name, n) == 0 &&
	       (content_type[n] == '\0' || content_type[n] == ';' || content_type[n] == ' ');
}

static const struct message *message_for(const struct sw_schema *s, const struct envelope *e)
{
	const struct sw_resource *r;

	if (strcmp(e->kind, "DeleteOptions") == 0)
		return schema_message(s, "meta.v1.DeleteOptions");
	r = sw_resource_of(e->api_version, e->kind);
	return r && (r->flags & SW_RES_BUILTIN) ? schema_message(s, r->message) : NULL;
}

json_t *sw_protobuf_decode(const struct sw_schema *s, const void *bytes, size_t len, json_t **out)
{
	struct decoder d = {0};
	struct envelope e = {0};
	struct bytes b = {bytes, (const unsigned char *)bytes + len};
	const struct message *m;
	json_t *o;

	*out = NULL;
	if (len < 4 || memcmp(bytes, "k8s\0", 4) != 0)
		return sw_status(SW_REASON_BAD_REQUEST,
				 "the body is not Kubernetes protobuf: it does not begin with k8s and a zero byte");
	b.at += 4;
	envelope_decode(&d, b, &e);
	if (d.bad)
		return sw_status(SW_REASON_BAD_REQUEST, "the protobuf body is broken: %s", d.bad);
	m = message_for(s, &e);
	if (!m)
		return sw_status(SW_REASON_BAD_REQUEST,
				 "no kind \"%s\" is registered for version \"%s\" in protobuf: send it as JSON", e.kind,
				 e.api_version);
	o = json_object_new_object();
	json_object_object_add(o, "apiVersion", json_object_new_string(e.api_version));
	json_object_object_add(o, "kind", json_object_new_string(e.kind));
	message_decode(&d, m, 0, e.raw, o);
	if (d.bad) {
		json_object_put(o);
		return sw_status(SW_REASON_BAD_REQUEST, "the protobuf body is broken: %s", d.bad);
	}
	*out = o;
	return NULL;
}
