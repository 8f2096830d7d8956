/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csv.c - reads the catalog's files row by row, with messages that name file and line
 */
#include "csv_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One field starting at *at; leaves *at behind its comma or at the line's end. */
static struct sw_err field_take(struct csv *c, char **at, char **field)
{
	char *in = *at;
	if (*in != '"') {
		*field = in;
		in += strcspn(in, ",");
	} else {
		char *to = ++in;
		*field = to;
		for (; *in; in++) {
			if (*in == '"' && in[1] != '"')
				break;
			if (*in == '"')
				in++;
			*to++ = *in;
		}
		if (*in != '"' || (in[1] && in[1] != ','))
			return sw_err(
				SW_E_INVALID,
				"%s:%d: a quoted field is not closed before the end of the line or the next comma",
				c->name, c->line);
		in++;
		*to = '\0';
	}
	if (*in)
		*in++ = '\0';
	else
		in = NULL;
	*at = in;
	return SW_OK;
}

static struct sw_err row_split(struct csv *c, char *line)
{
	c->n = 0;
	for (char *at = line; at;) {
		if (c->n == CSV_COLUMNS)
			return sw_err(SW_E_INVALID, "%s:%d: more than %d columns", c->name, c->line, CSV_COLUMNS);
		struct sw_err e = field_take(c, &at, &c->row.field[c->n++]);
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

/* The next line that says something, or NULL. */
static char *line_take(struct csv *c)
{
	while (c->at < c->end) {
		char *line = c->at, *nl = memchr(line, '\n', (size_t)(c->end - line));
		c->line++;
		c->at = nl ? nl + 1 : c->end;
		if (nl)
			*nl = '\0';
		size_t n = strlen(line);
		if (n && line[n - 1] == '\r')
			line[--n] = '\0';
		if (n && *line != '#')
			return line;
	}
	return NULL;
}

struct sw_err csv_open(struct csv *c, const char *name, char *text, size_t len)
{
	*c = (struct csv){.name = name, .at = text, .end = text + len};
	if (memchr(text, '\0', len))
		return sw_err(SW_E_INVALID, "%s: a NUL byte in a text file", name);
	char *line = line_take(c);
	if (!line)
		return sw_err(SW_E_INVALID, "%s: empty, expected a header line with the names of its columns", name);
	snprintf(c->row.where, sizeof c->row.where, "%s:%d", name, c->line);
	return row_split(c, line);
}

struct sw_err csv_next(struct csv *c, bool *more)
{
	size_t columns = c->n;
	char *line = line_take(c);
	*more = line != NULL;
	if (!line)
		return SW_OK;
	snprintf(c->row.where, sizeof c->row.where, "%s:%d", c->name, c->line);
	struct sw_err e = row_split(c, line);
	if (!sw_failed(e) && c->n != columns)
		e = sw_err(SW_E_INVALID, "%s: %zu fields, but the header names %zu", c->row.where, c->n, columns);
	c->n = columns;
	return e;
}

struct sw_err row_number(const struct row *r, size_t i, const char *column, double *out)
{
	const char *s = r->field[i];
	char *end;
	*out = NAN;
	if (!*s)
		return SW_OK;
	double v = strtod(s, &end);
	if (*end || !isfinite(v) || v < 0 || s[strspn(s, "0123456789.eE+-")] || !strchr("0123456789.", *s))
		return sw_err(SW_E_INVALID,
			      "%s: %s: found \"%.40s\", expected a number from 0 up, or nothing if it is unknown",
			      r->where, column, s);
	*out = v;
	return SW_OK;
}
