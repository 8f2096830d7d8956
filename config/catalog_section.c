/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog_section.c - the section `catalog:` of spillway.yaml: what a site adds to the carried tables
 *
 *   catalog:
 *     files: [prices.csv]              # CSV tables beside this file; the header tells which table
 *     gpus:     [{model: H20, ...}]    # or rows here, one list per table, with the table's columns
 *     machines: [{provider: gcp, type: a3-highgpu-8g, region: europe-west4, price_hour: 70, date: 2026-10-01}]
 *     prices:   [{cluster: onprem, pool: h100, gpu_hour: 1.20, date: 2026-10-01}]
 *     egress:   [{provider: "*", region: cern, to_provider: "*", to_region: "*", usd_gib: 0, date: 2026-10-01}]
 *
 * Only the shape is read here; what the rows say is checked where they are put into the tables.
 */
#include <stdlib.h>
#include <string.h>

#include "load_priv.h"
#include "spillway/text.h"

/* The public struct first. */
struct site {
	struct sw_catalog_site pub;
	struct sw_catalog_row *rows;
	char **files;
};

static struct sw_err files_read(struct config *c, struct site *s, json_t *list, const char *where)
{
	if (!json_object_is_type(list, json_type_array))
		return sw_err(SW_E_INVALID, "%s: catalog.files: expected a list of CSV files", where);
	s->files = sw_calloc(sw_json_len(list) + 1, sizeof *s->files);
	s->pub.files = (const char *const *)s->files;
	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *file = sw_json_idx(list, i);

		if (!json_object_is_type(file, json_type_string))
			return sw_err(SW_E_INVALID, "%s: catalog.files: found %.60s, expected a file name", where,
				      file ? json_object_to_json_string(file) : "nothing");
		s->files[s->pub.n_files++] = (char *)(uintptr_t)beside(c, json_object_get_string(file));
	}
	return SW_OK;
}

static struct sw_err rows_read(struct config *c, struct site *s, enum sw_table table, json_t *list, const char *where)
{
	char at[512];

	if (!json_object_is_type(list, json_type_array))
		return sw_err(SW_E_INVALID, "%s: catalog.%s: expected a list of rows", where, sw_table_name(table));
	s->rows = realloc(s->rows, (s->pub.n_rows + sw_json_len(list) + 1) * sizeof *s->rows);
	SW_REQUIRE(s->rows);
	s->pub.rows = s->rows;
	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *cells = sw_json_idx(list, i);

		if (!json_object_is_type(cells, json_type_object))
			return sw_err(SW_E_INVALID, "%s: catalog.%s[%zu]: expected a map with columns of the table",
				      where, sw_table_name(table), i);
		sw_yaml_where(c->yaml, cells, NULL, at, sizeof at);
		s->rows[s->pub.n_rows++] = (struct sw_catalog_row){table, cells, sw_strdup(at)};
	}
	return SW_OK;
}

static struct sw_err entry_read(struct config *c, struct site *s, json_t *section, const char *key, json_t *value)
{
	const char *names[SW_TABLE__COUNT + 1] = {"files"};
	char where[512];

	sw_yaml_where(c->yaml, section, key, where, sizeof where);
	if (strcmp(key, "files") == 0)
		return files_read(c, s, value, where);
	for (int t = 0; t < SW_TABLE__COUNT; t++) {
		names[t + 1] = sw_table_name((enum sw_table)t);
		if (strcmp(key, names[t + 1]) == 0)
			return rows_read(c, s, (enum sw_table)t, value, where);
	}
	const char *near = sw_nearest(key, names, SW_TABLE__COUNT + 1);

	return sw_err(SW_E_INVALID,
		      "%s: catalog has no \"%.60s\"%s%s%s; expected files, gpus, machines, prices or egress", where,
		      key, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

struct sw_err read_catalog(struct config *c, json_t *section)
{
	struct site *s = sw_calloc(1, sizeof *s);
	char where[512];

	c->pub.catalog = &s->pub;
	if (!json_object_is_type(section, json_type_object))
		return sw_err(SW_E_INVALID, "%s: catalog: expected a map of files, gpus, machines, prices, egress",
			      sw_yaml_where(c->yaml, sw_yaml_doc(c->yaml, 0), "catalog", where, sizeof where));
	json_object_object_foreach(section, key, value)
	{
		struct sw_err e = entry_read(c, s, section, key, value);

		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

void free_catalog(struct config *c)
{
	struct site *s = (struct site *)(uintptr_t)c->pub.catalog;

	if (!s)
		return;
	for (size_t i = 0; i < s->pub.n_rows; i++)
		free((char *)(uintptr_t)s->rows[i].where);
	for (size_t i = 0; i < s->pub.n_files; i++)
		free(s->files[i]);
	free(s->rows);
	free(s->files);
	free(s);
}
