/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_read.h - strict reading of a YAML mapping, with errors that begin with "file:line:column: path"
 *
 * Values are lent from the document (spillway/yaml.h).
 */
#ifndef SPILLWAY_AUTH_YAML_READ_H
#define SPILLWAY_AUTH_YAML_READ_H

#include "spillway/err.h"
#include "spillway/json.h"
#include "spillway/yaml.h"

/* INVALID. `at` is the value that is wrong, or the map that lacks one. */
__attribute__((format(printf, 3, 4), warn_unused_result)) struct sw_err yaml_err(const struct sw_yaml *y, json_t *at,
										 const char *fmt, ...);

bool yaml_is_map(json_t *v);
bool yaml_is_list(json_t *v);
const char *yaml_text(json_t *v); /* NULL unless a string */

/* Keys outside `known` are errors, with the nearest known name. */
__attribute__((warn_unused_result)) struct sw_err yaml_only(const struct sw_yaml *y, json_t *map, const char *path,
							    const char *const *known, int n);
/* gives a copy, or NULL when the key is absent, null or "". */
__attribute__((warn_unused_result)) struct sw_err yaml_str(const struct sw_yaml *y, json_t *map, const char *path,
							   const char *key, char **out);
__attribute__((warn_unused_result)) struct sw_err yaml_bool(const struct sw_yaml *y, json_t *map, const char *path,
							    const char *key, bool *out);

#endif
