/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob.h - files carried inside the binary: shipped policies, samples, schemas, catalog
 *
 * Named by their path in the source tree ("policies/burst.lua"). The bytes are
 * followed by a NUL that is not counted. Lent for the life of the process.
 */
#ifndef SPILLWAY_BLOB_H
#define SPILLWAY_BLOB_H

#include <stdbool.h>
#include <stddef.h>

struct sw_blob {
	const char *name, *start, *end;
};
extern const struct sw_blob sw_blob_table[]; /* ends with a NULL name */

/* NULL if there is none. */
const struct sw_blob *sw_blob_find(const char *name);
static inline size_t sw_blob_len(const struct sw_blob *b)
{
	return (size_t)(b->end - b->start);
}

#endif
