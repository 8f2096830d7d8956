/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - writing Tables and PartialObjectMetadata
 */
#include <string.h>
#include "table_priv.h"

static const struct sw_columns *columns_of(const struct sw_table *t)
{
	return t->r->columns ? t->r->columns : &sw_columns_generic;
}

static void put_definitions(struct sw_buf *b, const struct sw_columns *c)
{
	sw_buf_putc(b, '[');
	for (size_t i = 0; i < c->n; i++)
		sw_buf_printf(
			b, "%s{\"name\":\"%s\",\"type\":\"%s\",\"format\":\"%s\",\"description\":\"\",\"priority\":%d}",
			i ? "," : "", c->at[i].name, c->at[i].type, c->at[i].format, c->at[i].priority);
	sw_buf_putc(b, ']');
}

static void put_head(struct sw_buf *b, const struct sw_table *t)
{
	sw_buf_printf(b, "{\"kind\":\"Table\",\"apiVersion\":\"%s\",\"metadata\":{",
		      t->api_version ? t->api_version : "meta.k8s.io/v1");
}

void sw_table_begin(struct sw_buf *b, struct sw_table *t, const char *rv, const char *cont)
{
	t->rows = 0;
	put_head(b, t);
	sw_buf_puts(b, "\"resourceVersion\":");
	sw_buf_json_str(b, rv ? rv : "");
	if (cont && *cont) {
		sw_buf_puts(b, ",\"continue\":");
		sw_buf_json_str(b, cont);
	}
	sw_buf_puts(b, "},\"columnDefinitions\":");
	put_definitions(b, columns_of(t));
	sw_buf_puts(b, ",\"rows\":[");
}

void sw_partial_metadata(struct sw_buf *b, const char *version, json_t *o)
{
	json_t *meta = sw_json_key(o, "metadata");

	sw_buf_printf(b, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"%s\",\"metadata\":",
		      version ? version : "meta.k8s.io/v1");
	if (meta)
		sw_buf_json(b, meta);
	else
		sw_buf_puts(b, "{}");
	sw_buf_putc(b, '}');
}

void sw_table_row(struct sw_buf *b, struct sw_table *t, json_t *o)
{
	if (t->rows++)
		sw_buf_putc(b, ',');
	sw_buf_puts(b, "{\"cells\":[");
	columns_of(t)->cells(b, o, t->now_ms);
	sw_buf_putc(b, ']');
	if (t->include == SW_INCLUDE_METADATA) {
		sw_buf_puts(b, ",\"object\":");
		sw_partial_metadata(b, t->api_version, o);
	} else if (t->include == SW_INCLUDE_OBJECT) {
		sw_buf_puts(b, ",\"object\":");
		sw_buf_json(b, o);
	}
	sw_buf_putc(b, '}');
}

void sw_table_end(struct sw_buf *b, struct sw_table *t)
{
	(void)t;
	sw_buf_puts(b, "]}");
}

void sw_table_one(struct sw_buf *b, struct sw_table *t, json_t *o, bool with_columns)
{
	const char *rv = sw_json_str(o, "metadata.resourceVersion");

	t->rows = 0;
	put_head(b, t);
	sw_buf_puts(b, "\"resourceVersion\":");
	sw_buf_json_str(b, rv ? rv : "");
	sw_buf_puts(b, "},\"columnDefinitions\":");
	if (with_columns)
		put_definitions(b, columns_of(t));
	else
		sw_buf_puts(b, "null");
	sw_buf_puts(b, ",\"rows\":[");
	sw_table_row(b, t, o);
	sw_buf_puts(b, "]}");
}

bool sw_include_parse(const char *word, enum sw_include *out)
{
	static const char *const words[] = {
		[SW_INCLUDE_METADATA] = "Metadata", [SW_INCLUDE_OBJECT] = "Object", [SW_INCLUDE_NONE] = "None"};

	*out = SW_INCLUDE_METADATA;
	if (!word || !*word)
		return true;
	for (int i = 0; i < 3; i++)
		if (strcmp(word, words[i]) == 0) {
			*out = (enum sw_include)i;
			return true;
		}
	return false;
}
