/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.c - loads the tables, the carried ones first and a site's on top, and answers look-ups of machines
 *
 * The tables are small (tens of GPUs, some hundred machines): look-ups walk them.
 */
#include "catalog_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "spillway/blob.h"
#include "spillway/text.h"

enum { TEXT_MAX = 4 << 20 };

static const char *const precision_names[] = {
#define X(id, name) name,
	SW_PRECISION_MAP(X)
#undef X
};

bool sw_gpu_can(const struct sw_gpu *g, enum sw_precision p)
{
	return g && (unsigned)p < SW_PRECISION__COUNT && g->tflops[p] > 0;
}

struct sw_err sw_precision_parse(const char *s, enum sw_precision *out)
{
	for (size_t i = 0; i < SW_PRECISION__COUNT; i++)
		if (strcasecmp(s, precision_names[i]) == 0) {
			*out = (enum sw_precision)i;
			return SW_OK;
		}
	const char *near = sw_nearest(s, precision_names, SW_PRECISION__COUNT);
	return sw_err(SW_E_INVALID, "found \"%.40s\", expected one of fp64, fp32, tf32, bf16, fp16, int8, fp8%s%s%s", s,
		      near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

const char *sw_table_name(enum sw_table t)
{
	static const char *const names[] = {
#define X(id, name) name,
		SW_TABLE_MAP(X)
#undef X
	};
	return names[t];
}

char *own(struct sw_catalog *c, char *taken)
{
	if ((c->n_owned & (c->n_owned - 1)) == 0) {
		c->owned = realloc(c->owned, (c->n_owned ? 2 * c->n_owned : 1) * sizeof *c->owned);
		SW_REQUIRE(c->owned);
	}
	return c->owned[c->n_owned++] = taken;
}

/* ---- CSV text ------------------------------------------------------------------- */

static int column_of(const struct table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->columns[i], name) == 0)
			return (int)i;
	return -1;
}

static bool has_keys(const struct table *t, const struct csv *csv)
{
	for (size_t k = 0; k < t->n_key; k++) {
		bool have = false;
		for (size_t i = 0; i < csv->n; i++)
			have |= strcmp(csv->row.field[i], t->columns[k]) == 0;
		if (!have)
			return false;
	}
	return true;
}

/* Which column is which; columns that a header leaves out stay empty. */
static struct sw_err header_read(const struct table *t, const struct csv *csv, int map[CSV_COLUMNS])
{
	bool seen[CSV_COLUMNS] = {false};
	for (size_t i = 0; i < csv->n; i++) {
		const char *name = csv->row.field[i];
		map[i] = column_of(t, name);
		const char *near = map[i] < 0 ? sw_nearest(name, t->columns, (int)t->n) : NULL;
		if (map[i] < 0)
			return sw_err(SW_E_INVALID, "%s: column %zu is \"%.40s\", which this table does not have%s%s%s",
				      csv->row.where, i + 1, name, near ? "; did you mean \"" : "", near ? near : "",
				      near ? "\"?" : "");
		if (seen[map[i]])
			return sw_err(SW_E_INVALID, "%s: column %zu is \"%.40s\" a second time", csv->row.where, i + 1,
				      name);
		seen[map[i]] = true;
	}
	for (size_t k = 0; k < t->n_key; k++)
		if (!seen[k])
			return sw_err(SW_E_INVALID, "%s: there is no column \"%s\"", csv->row.where, t->columns[k]);
	return SW_OK;
}

static void row_order(const struct table *t, const struct csv *csv, const int map[CSV_COLUMNS], struct row *out)
{
	static char nothing[1];
	snprintf(out->where, sizeof out->where, "%s", csv->row.where);
	for (size_t i = 0; i < t->n; i++)
		out->field[i] = nothing;
	for (size_t i = 0; i < csv->n; i++)
		out->field[map[i]] = csv->row.field[i];
}

static struct sw_err rows_read(struct sw_catalog *c, struct csv *csv, const struct table *t, int layer)
{
	int map[CSV_COLUMNS] = {0};
	struct row row;
	bool more;
	struct sw_err e = header_read(t, csv, map);
	while (!sw_failed(e)) {
		e = csv_next(csv, &more);
		if (sw_failed(e) || !more)
			break;
		row_order(t, csv, map, &row);
		e = t->add(c, &row, layer);
	}
	return e;
}

static const struct table *table_by_header(const struct csv *csv)
{
	const struct table *best = NULL; /* machines have a column "model" as well, which is all that tells GPUs */
	for (size_t i = 0; i < SW_TABLE__COUNT; i++)
		if (has_keys(&catalog_tables[i], csv) && (!best || catalog_tables[i].n_key > best->n_key))
			best = &catalog_tables[i];
	return best;
}

/* t NULL: its header tells. */
static struct sw_err text_read(struct sw_catalog *c, const struct sw_catalog_text *text, const struct table *t,
			       int layer)
{
	struct csv csv;
	if (text->len > TEXT_MAX)
		return sw_err(SW_E_TOOBIG, "%s: more than %d bytes", text->name, TEXT_MAX);
	c->hash[0] = c->hash[0] * 31 + sw_hash(text->bytes, text->len);
	char *copy = own(c, sw_calloc(1, text->len + 1));
	if (text->len)
		memcpy(copy, text->bytes, text->len);
	struct sw_err e = csv_open(&csv, text->name, copy, text->len);
	if (sw_failed(e))
		return e;
	t = t ? t : table_by_header(&csv);
	if (!t)
		return sw_err(
			SW_E_INVALID,
			"%s: expected the columns of a table: GPUs have \"model\", machines \"provider,type,region\", "
			"prices of own machines \"cluster,pool\", egress "
			"\"provider,region,to_provider,to_region\"",
			csv.row.where);
	return rows_read(c, &csv, t, layer);
}

/* ---- rows of the configuration --------------------------------------------------------- */

static struct sw_err cell_read(struct sw_catalog *c, const struct sw_catalog_row *from, const char *column, json_t *v,
			       char **out)
{
	if (!v)
		return SW_OK;
	if (json_object_is_type(v, json_type_string) || json_object_is_type(v, json_type_int) ||
	    json_object_is_type(v, json_type_double)) {
		*out = own(c, sw_strdup(json_object_get_string(v)));
		return SW_OK;
	}
	return sw_err(SW_E_INVALID, "%s: %s: found %.60s, expected text or a number", from->where, column,
		      json_object_to_json_string(v));
}

static struct sw_err site_row(struct sw_catalog *c, const struct sw_catalog_row *from)
{
	static char nothing[1];
	const struct table *t = &catalog_tables[from->table];
	struct row row = {.where = ""};
	snprintf(row.where, sizeof row.where, "%s", from->where);
	for (size_t i = 0; i < t->n; i++)
		row.field[i] = nothing;
	if (!json_object_is_type(from->cells, json_type_object))
		return sw_err(SW_E_INVALID, "%s: expected a map with the columns of the table %s", from->where,
			      sw_table_name(from->table));
	const char *text = json_object_to_json_string_ext(from->cells, JSON_C_TO_STRING_PLAIN);
	c->hash[0] = c->hash[0] * 31 + sw_hash(text, strlen(text));
	json_object_object_foreach(from->cells, key, v)
	{
		int i = column_of(t, key);
		const char *near = i < 0 ? sw_nearest(key, t->columns, (int)t->n) : NULL;
		if (i < 0)
			return sw_err(SW_E_INVALID, "%s: the table %s has no column \"%.40s\"%s%s%s", from->where,
				      sw_table_name(from->table), key, near ? ", did you mean \"" : "",
				      near ? near : "", near ? "\"?" : "");
		struct sw_err e = cell_read(c, from, key, v, &row.field[i]);
		if (sw_failed(e))
			return e;
	}
	return t->add(c, &row, LAYER_SITE);
}

static struct sw_err site_file(struct sw_catalog *c, const char *path)
{
	char *text;
	size_t len;
	struct sw_err e = sw_file_read(path, TEXT_MAX, &text, &len);
	if (sw_failed(e))
		return e;
	e = text_read(c, &(struct sw_catalog_text){path, text, len}, NULL, LAYER_SITE);
	free(text);
	return e;
}

static struct sw_err site_read(struct sw_catalog *c, const struct sw_catalog_site *site)
{
	struct sw_err e = SW_OK;
	/* GPUs first: machines name them. */
	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0; !sw_failed(e) && i < site->n_rows; i++)
			if ((site->rows[i].table == SW_TABLE_GPUS) == (pass == 0))
				e = site_row(c, &site->rows[i]);
	for (size_t i = 0; !sw_failed(e) && i < site->n_files; i++)
		e = site_file(c, site->files[i]);
	return e;
}

/* ---- the door --------------------------------------------------------------------------------- */

static struct sw_err finish(struct sw_catalog *c, struct sw_err e, const char *name, struct sw_catalog **out)
{
	if (!sw_failed(e))
		e = sw_err_wrap(slices_make(c), "%s", name);
	*out = NULL;
	if (sw_failed(e)) {
		sw_catalog_free(c);
		return e;
	}
	machines_add_specs(c);
	snprintf(c->hash_text, sizeof c->hash_text, "%016llx", (unsigned long long)c->hash[0]);
	*out = c;
	return SW_OK;
}

struct sw_err sw_catalog_parse_site(const struct sw_catalog_text *gpus, const struct sw_catalog_text *machines,
				    const struct sw_catalog_text *site, struct sw_catalog **out)
{
	struct sw_catalog *c = sw_calloc(1, sizeof *c);
	struct sw_err e = text_read(c, gpus, &catalog_tables[SW_TABLE_GPUS], LAYER_CARRIED);
	if (!sw_failed(e))
		e = text_read(c, machines, &catalog_tables[SW_TABLE_MACHINES], LAYER_CARRIED);
	if (!sw_failed(e) && site)
		e = text_read(c, site, NULL, LAYER_SITE);
	return finish(c, e, gpus->name, out);
}

struct sw_err sw_catalog_parse(const struct sw_catalog_text *gpus, const struct sw_catalog_text *machines,
			       struct sw_catalog **out)
{
	return sw_catalog_parse_site(gpus, machines, NULL, out);
}

struct sw_err sw_catalog_load_site(const struct sw_catalog_site *site, struct sw_catalog **out)
{
	struct sw_catalog *c = sw_calloc(1, sizeof *c);
	struct sw_err e = SW_OK;
	for (size_t i = 0; !sw_failed(e) && i < SW_TABLE__COUNT; i++) {
		char name[64];
		snprintf(name, sizeof name, "config/catalog/%s.csv", sw_table_name((enum sw_table)i));
		const struct sw_blob *b = sw_blob_find(name);
		if (!b && i == SW_TABLE_PRICES)
			continue; /* only a site knows what its own machines cost */
		SW_REQUIRE(b);
		e = text_read(c, &(struct sw_catalog_text){b->name, b->start, sw_blob_len(b)}, &catalog_tables[i],
			      LAYER_CARRIED);
	}
	if (!sw_failed(e) && site)
		e = site_read(c, site);
	return finish(c, e, "catalog", out);
}

struct sw_err sw_catalog_load(struct sw_catalog **out)
{
	return sw_catalog_load_site(NULL, out);
}

void sw_catalog_replace(struct sw_catalog *c, struct sw_catalog *fresh)
{
	struct sw_catalog old = *c;
	*c = *fresh;
	*fresh = old;
	c->before = fresh;
}

static void tables_free(struct sw_catalog *c)
{
	for (size_t i = 0; i < c->n_owned; i++)
		free(c->owned[i]);
	free(c->owned);
	free(c->gpus);
	free(c->slices);
	free(c->machines);
	free(c->prices);
	free(c->egress);
	free(c);
}

void sw_catalog_free(struct sw_catalog *c)
{
	while (c) {
		struct sw_catalog *before = c->before;
		tables_free(c);
		c = before;
	}
}

const char *sw_catalog_hash(const struct sw_catalog *c)
{
	return c->hash_text;
}

/* ---- machines --------------------------------------------------------------- */

const struct sw_machine *sw_catalog_machine(const struct sw_catalog *c, const char *provider, const char *type,
					    const char *region)
{
	static const struct {
		const char *word, *provider;
	} clouds[] = {{"gke", "gcp"}, {"aks", "azure"}};
	const struct sw_machine *spec = NULL;
	for (size_t i = 0; i < sizeof clouds / sizeof *clouds; i++)
		if (strcmp(provider, clouds[i].word) == 0)
			provider = clouds[i].provider;
	for (size_t i = 0; i < c->n_machines; i++) {
		const struct sw_machine *m = &c->machines[i].machine;
		if (strcmp(m->provider, provider) != 0 || strcasecmp(m->type, type) != 0)
			continue;
		if (region && *region && strcmp(m->region, region) == 0)
			return m;
		if (!*m->region && (!spec || i < c->n_machine_rows))
			spec = m;
	}
	return spec;
}

const struct sw_machine *sw_catalog_machine_at(const struct sw_catalog *c, size_t i)
{
	return i < c->n_machine_rows ? &c->machines[i].machine : NULL;
}

const struct sw_egress *sw_catalog_egress_at(const struct sw_catalog *c, size_t i)
{
	return i < c->n_egress ? &c->egress[i].egress : NULL;
}

const struct sw_site_price *sw_catalog_price_at(const struct sw_catalog *c, size_t i)
{
	return i < c->n_prices ? &c->prices[i].price : NULL;
}
