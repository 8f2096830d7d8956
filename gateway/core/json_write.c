/* SPDX-License-Identifier: Apache-2.0 */
/* json_write.c - json-c objects as compact text, straight into a buffer */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/json.h"

static void put_int(struct sw_buf *b, uint64_t v, bool negative)
{
	char text[24], *at = text + sizeof(text);

	do
		*--at = (char)('0' + v % 10);
	while (v /= 10);
	if (negative)
		*--at = '-';
	sw_buf_put(b, at, (size_t)(text + sizeof(text) - at));
}

static void put_number(struct sw_buf *b, json_t *o)
{
	int64_t v = json_object_get_int64(o);

	if (v == INT64_MAX) /* perhaps clamped */
		put_int(b, json_object_get_uint64(o), false);
	else
		put_int(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

/* json-c keeps the text a number was read from. It need not be JSON (YAML's ".5", json-c's own "NaN"). */
static bool is_json_number(const char *text)
{
	json_t *o;
	bool is = !sw_failed(sw_json_parse(text, strlen(text), &o)) &&
		  (json_object_is_type(o, json_type_double) || json_object_is_type(o, json_type_int));

	json_object_put(o);
	return is;
}

static void put_double(struct sw_buf *b, json_t *o)
{
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	double v = json_object_get_double(o);

	if (text && is_json_number(text))
		sw_buf_puts(b, text);
	else if (isfinite(v))
		sw_buf_printf(b, "%.17g", v);
	else
		sw_buf_put(b, "null", 4); /* JSON has no other word for it */
}

static void put_object(struct sw_buf *b, json_t *o)
{
	char before = '{';

	json_object_object_foreach(o, key, v)
	{
		sw_buf_putc(b, before);
		sw_buf_json_str(b, key);
		sw_buf_putc(b, ':');
		sw_buf_json(b, v);
		before = ',';
	}
	if (before == '{')
		sw_buf_putc(b, '{');
	sw_buf_putc(b, '}');
}

static void put_array(struct sw_buf *b, json_t *o)
{
	size_t n = json_object_array_length(o);

	sw_buf_putc(b, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			sw_buf_putc(b, ',');
		sw_buf_json(b, json_object_array_get_idx(o, i));
	}
	sw_buf_putc(b, ']');
}

void sw_buf_json(struct sw_buf *b, json_t *o)
{
	switch (json_object_get_type(o)) {
	case json_type_null:
		sw_buf_put(b, "null", 4);
		break;
	case json_type_boolean:
		sw_buf_puts(b, json_object_get_boolean(o) ? "true" : "false");
		break;
	case json_type_int:
		put_number(b, o);
		break;
	case json_type_double:
		put_double(b, o);
		break;
	case json_type_string:
		sw_buf_json_strn(b, json_object_get_string(o), (size_t)json_object_get_string_len(o));
		break;
	case json_type_object:
		put_object(b, o);
		break;
	case json_type_array:
		put_array(b, o);
		break;
	}
}

char *sw_json_text(json_t *o, size_t *len)
{
	struct sw_buf b;
	char *text;

	sw_buf_init(&b, SIZE_MAX / 4);
	sw_buf_json(&b, o);
	text = sw_buf_take(&b, len);
	SW_REQUIRE(text != NULL);
	return text;
}
