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

/* A row of a table, wherever it comes from. */
struct row {
	char where[512]; /* "gpus.csv:12", "spillway.yaml:30:5" */
	char *field[CSV_COLUMNS];
};

struct csv {
	const char *name; /* of the file, for messages */
	char *at, *end;   /* what is left of the text, which is changed */
	int line;
	size_t n;
	struct row row; /* the present one; its fields are lent until the text goes */
};

/* text: NUL-terminated, changed, outlives the reader. Reads the header; its names are in row.field, n of them. */
__attribute__((warn_unused_result)) struct sw_err csv_open(struct csv *c, const char *name, char *text, size_t len);
/* *more is false at the end. */
__attribute__((warn_unused_result)) struct sw_err csv_next(struct csv *c, bool *more);
/* An empty field is NAN. Refuses text, negative and infinite numbers. */
__attribute__((warn_unused_result)) struct sw_err row_number(const struct row *r, size_t i, const char *column,
							     double *out);

#endif
