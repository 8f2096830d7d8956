/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape.c - the forms in which objects leave the server: as stored, converted, Table, partial
 *
 * Most answers are the stored bytes themselves. The other forms parse an object; in lists that
 * happens on the pool's threads (see read.c), so nothing here touches the server's state.
 */
#include "api_priv.h"

#include <string.h>

bool shape_is_raw(const struct shape *s)
{
	return s->form == SW_ACCEPT_OBJECT && !s->r->stored_as;
}

json_t *shape_parse(struct request *q, struct shape *out)
{
	const char *include = request_query(q, "includeObject");
	*out = (struct shape){.r = q->route.r};
	out->form = sw_accept_parse(request_header(q, "Accept"), &out->version);
	if (out->form == SW_ACCEPT_NONE)
		return sw_status(SW_REASON_NOT_ACCEPTABLE,
				 "only the following media types are accepted: application/json, "
				 "application/json;as=Table;v=v1;g=meta.k8s.io, "
				 "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io");
	out->table = (struct sw_table){.r = out->r, .now_ms = sw_loop_wall(q->api->loop), .api_version = out->version};
	if (!sw_include_parse(include, &out->table.include))
		return sw_status(SW_REASON_BAD_REQUEST,
				 "unknown includeObject value \"%s\": expected Metadata, Object or None", include);
	return NULL;
}

void shape_convert(const struct shape *s, json_t *o)
{
	if (s->r->stored_as)
		sw_resource_from_storage(s->r, o);
}

void shape_object(struct sw_buf *b, struct shape *s, json_t *o, bool columns)
{
	switch (s->form) {
	case SW_ACCEPT_TABLE:
		sw_table_one(b, &s->table, o, columns);
		break;
	case SW_ACCEPT_PARTIAL:
	case SW_ACCEPT_PARTIAL_LIST:
		sw_partial_metadata(b, s->version, o);
		break;
	default:
		sw_buf_json(b, o);
	}
}

/* ---- lists -------------------------------------------------------------------------- */

static void list_open(struct sw_buf *b, const char *kind, const char *suffix, const char *api_version)
{
	sw_buf_printf(b, "{\"kind\":\"%s%s\",\"apiVersion\":\"%s\",\"metadata\":{", kind, suffix, api_version);
}

void shape_list_begin(struct sw_buf *b, struct shape *s, uint64_t rv, const char *cont)
{
	char text[24], version[96];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)rv);
	s->table.rows = 0;
	if (s->form == SW_ACCEPT_TABLE) {
		sw_table_begin(b, &s->table, text, cont);
		return;
	}
	if (s->form == SW_ACCEPT_OBJECT)
		list_open(b, s->r->kind, "List", sw_resource_api_version(s->r, version));
	else
		list_open(b, "PartialObjectMetadata", "List", s->version);
	sw_buf_printf(b, "\"resourceVersion\":\"%s\"", text);
	if (*cont) {
		sw_buf_puts(b, ",\"continue\":");
		sw_buf_json_str(b, cont);
	}
	sw_buf_puts(b, "},\"items\":[");
}

void shape_item(struct sw_buf *b, struct shape *s, json_t *o)
{
	if (s->form == SW_ACCEPT_TABLE) {
		sw_table_row(b, &s->table, o);
		return;
	}
	if (s->table.rows++)
		sw_buf_putc(b, ',');
	if (s->form == SW_ACCEPT_OBJECT)
		sw_buf_json(b, o);
	else
		sw_partial_metadata(b, s->version, o);
}

void shape_list_end(struct sw_buf *b, struct shape *s)
{
	if (s->form == SW_ACCEPT_TABLE)
		sw_table_end(b, &s->table);
	else
		sw_buf_puts(b, "]}");
}
