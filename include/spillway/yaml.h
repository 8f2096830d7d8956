/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml.h - YAML to JSON trees, with the place of every value
 *
 * Used for configuration, kubeconfigs, manifests and simulator specs. Scalars get types as
 * kubectl gives them (YAML 1.1 booleans, as go-yaml resolves them); anchors and aliases are
 * expanded under a bound on nodes, duplicate keys and merge keys ("<<") are refused.
 * Errors: INVALID, "file:line:column: found ..., expected ...".
 */
#ifndef SPILLWAY_YAML_H
#define SPILLWAY_YAML_H

#include "spillway/err.h"
#include "spillway/json.h"

enum { SW_YAML_NODES = 200000, SW_YAML_DEPTH = 64 };

struct sw_yaml; /* a parsed stream: owns its documents */

/* name is what messages show. gives. Empty documents are left out. */
__attribute__((warn_unused_result)) struct sw_err sw_yaml_parse(const char *name, const char *text, size_t len,
								struct sw_yaml **out);
void sw_yaml_free(struct sw_yaml *y); /* NULL is fine; values lent from it die */
size_t sw_yaml_docs(const struct sw_yaml *y);
json_t *sw_yaml_doc(const struct sw_yaml *y, size_t i); /* lent; json_object_get() to keep */

/* Where parent[key] (or an array's element, or with key NULL the value itself) stands: "file:line:column", in buf.
 * Falls back to the name alone. Returns buf. */
const char *sw_yaml_where(const struct sw_yaml *y, json_t *parent, const char *key, char *buf, size_t size);

#endif
