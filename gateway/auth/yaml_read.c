/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_read.c - typed readers that say where a value stands when it is of another type */
#include "yaml_read.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "spillway/text.h"

struct sw_err yaml_err(const struct sw_yaml *y, json_t *at, const char *fmt, ...)
{
	char text[320], where[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return sw_err(SW_E_INVALID, "%s: %s", sw_yaml_where(y, at, NULL, where, sizeof where), text);
}

bool yaml_is_map(json_t *v)
{
	return json_object_is_type(v, json_type_object);
}

bool yaml_is_list(json_t *v)
{
	return json_object_is_type(v, json_type_array);
}

const char *yaml_text(json_t *v)
{
	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

static bool is_known(const char *key, const char *const *known, int n)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(key, known[i]) == 0)
			return true;
	}
	return false;
}

struct sw_err yaml_only(const struct sw_yaml *y, json_t *map, const char *path, const char *const *known, int n)
{
	char where[256];
	const char *near;

	json_object_object_foreach(map, key, value)
	{
		(void)value;
		if (is_known(key, known, n))
			continue;
		near = sw_nearest(key, known, n);
		return sw_err(SW_E_INVALID, "%s: %s: found unknown field \"%.60s\"%s%s%s",
			      sw_yaml_where(y, map, key, where, sizeof where), path, key,
			      near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
	return SW_OK;
}

static const char *type_word(json_t *v)
{
	switch (json_object_get_type(v)) {
	case json_type_object:
		return "a mapping";
	case json_type_array:
		return "a list";
	case json_type_boolean:
		return "true or false";
	case json_type_string:
		return "a string";
	default:
		return "a number";
	}
}

struct sw_err yaml_str(const struct sw_yaml *y, json_t *map, const char *path, const char *key, char **out)
{
	json_t *v = sw_json_key(map, key);
	const char *s = yaml_text(v);

	*out = NULL;
	if (!v)
		return SW_OK;
	if (!s)
		return yaml_err(y, v, "%s.%s: found %s, expected a string%s", path, key, type_word(v),
				yaml_is_map(v) || yaml_is_list(v) ? "" : " (put it in quotes)");
	if (strlen(s) != (size_t)json_object_get_string_len(v))
		return yaml_err(y, v, "%s.%s: found a NUL byte inside the string", path, key);
	if (*s)
		*out = sw_strdup(s);
	return SW_OK;
}

struct sw_err yaml_bool(const struct sw_yaml *y, json_t *map, const char *path, const char *key, bool *out)
{
	json_t *v = sw_json_key(map, key);

	*out = false;
	if (!v)
		return SW_OK;
	if (!json_object_is_type(v, json_type_boolean))
		return yaml_err(y, v, "%s.%s: found %s, expected true or false", path, key, type_word(v));
	*out = json_object_get_boolean(v);
	return SW_OK;
}
