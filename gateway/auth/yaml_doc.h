/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_doc.h - one YAML document with places, for readers that must say where an error is
 *
 * Only what a kubeconfig needs: mappings by key, strings, booleans, and errors that begin with
 * "file:line:column: path". Nodes are lent as long as the document lives.
 */
#ifndef SPILLWAY_AUTH_YAML_DOC_H
#define SPILLWAY_AUTH_YAML_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>
#include "spillway/err.h"
#include "spillway/json.h"

struct yaml_doc {
	const char *name; /* of the file, lent */
	yaml_document_t doc;
};

/* gives (yaml_doc_fini). Refuses syntax errors, an empty document, and a second one. */
__attribute__((warn_unused_result))
struct sw_err yaml_doc_load(struct yaml_doc *y, const char *name, const char *text, size_t len);
void yaml_doc_fini(struct yaml_doc *y);
yaml_node_t *yaml_doc_root(struct yaml_doc *y);

/* INVALID, "file:line:column: ..." */
__attribute__((format(printf, 3, 4), warn_unused_result))
struct sw_err yaml_err(const struct yaml_doc *y, const yaml_node_t *at, const char *fmt, ...);

bool yaml_is_map(const yaml_node_t *n);
bool yaml_is_list(const yaml_node_t *n);
bool yaml_is_null(const yaml_node_t *n); /* NULL, or a null scalar */
/* NULL if absent or null. The last of duplicates, which yaml_only() refuses. */
yaml_node_t *yaml_get(struct yaml_doc *y, yaml_node_t *map, const char *key);
size_t yaml_len(const yaml_node_t *list);
yaml_node_t *yaml_idx(struct yaml_doc *y, yaml_node_t *list, size_t i);
const char *yaml_text(const yaml_node_t *scalar); /* NULL unless a scalar */

/* Keys outside `known` and keys given twice are errors, with the nearest known name. */
__attribute__((warn_unused_result))
struct sw_err yaml_only(struct yaml_doc *y, yaml_node_t *map, const char *path, const char *const *known, int n);
/* gives a copy, or NULL when the key is absent, null or "". */
__attribute__((warn_unused_result))
struct sw_err yaml_str(struct yaml_doc *y, yaml_node_t *map, const char *path, const char *key, char **out);
__attribute__((warn_unused_result))
struct sw_err yaml_bool(struct yaml_doc *y, yaml_node_t *map, const char *path, const char *key, bool *out);
/* gives; NULL for null. Refuses anchors that contain themselves (by depth). */
__attribute__((warn_unused_result))
struct sw_err yaml_json(struct yaml_doc *y, yaml_node_t *n, const char *path, json_t **out);

#endif
