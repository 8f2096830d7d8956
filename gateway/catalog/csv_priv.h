/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csv_priv.h - comma separated rows with a header, as the catalog files use them
 *
 * Lines that start with '#' and empty lines are skipped. A field may be quoted; "" inside is one
 * quote; a quoted field may not cross a line. The reader changes a private copy of the text.
 */
#ifndef SPILLWAY_CATALOG_CSV_PRIV_H
#define SPILLWAY_CATALOG_CSV_PRIV_H

#include <stddef.h>
#include "spillway/err.h"

enum { CSV_COLUMNS = 24 };

struct csv {
	const char *name; /* of the file, for messages */
	char *at, *end;   /* what is left of the text, which is changed */
	int line;
	size_t n;
	char *field[CSV_COLUMNS]; /* of the present row, lent until the text goes */
};

/* text: NUL-terminated, changed, outlives the reader. Reads the header and checks its column names. */
__attribute__((warn_unused_result)) struct sw_err csv_open(struct csv *c, const char *name, char *text, size_t len,
							   const char *const *columns, size_t n);
/* *more is false at the end. */
__attribute__((warn_unused_result)) struct sw_err csv_next(struct csv *c, bool *more);
/* An empty field is NAN. Refuses text, negative and infinite numbers. */
__attribute__((warn_unused_result)) struct sw_err csv_number(const struct csv *c, size_t i, const char *column,
							     double *out);

#endif
