/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openapi.c - /openapi/v3: what kubectl needs to validate and to explain
 *
 * kubectl looks for one thing before create and apply: a PATCH operation whose x-kubernetes-group-version-kind is
 * the object's, with the query parameter fieldValidation; and for explain, components.schemas with the kinds
 * marked. A document has just that for one group version: a path per resource and every message reachable from its
 * kinds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "schema_priv.h"
#include "spillway/discovery.h"
#include "spillway/text.h"

struct doc {
	struct sw_buf *b;
	const struct sw_schema *s;
	bool *wanted; /* per message: reachable */
	bool any;     /* a comma is due */
};

/* ---- the index --------------------------------------------------------------------------------- */

/* The text changes only with the binary: its version is the cache key that clients keep. */
static void put_hash(struct sw_buf *b, const struct sw_schema *s, const char *group, const char *version)
{
	uint64_t h = sw_hash(SW_VERSION, strlen(SW_VERSION)) ^ sw_hash(group, strlen(group)) ^ s->n;

	h ^= sw_hash(version, strlen(version));
	sw_buf_printf(b, "%016llX", (unsigned long long)h);
}

static bool is_first_of_version(const struct sw_resource *rows, size_t i, enum sw_serve serve)
{
	if (!sw_resource_verbs(&rows[i], serve))
		return false;
	for (size_t j = 0; j < i; j++)
		if (sw_resource_verbs(&rows[j], serve) && strcmp(rows[j].group, rows[i].group) == 0 &&
		    strcmp(rows[j].version, rows[i].version) == 0)
			return false;
	return true;
}

void sw_openapi_index(struct sw_buf *b, const struct sw_schema *s, enum sw_serve serve)
{
	size_t n;
	const struct sw_resource *rows = sw_resources(&n);
	bool any = false;

	sw_buf_puts(b, "{\"paths\":{");
	for (size_t i = 0; i < n; i++) {
		const char *root = *rows[i].group ? "apis/" : "api";

		if (!is_first_of_version(rows, i, serve))
			continue;
		sw_buf_printf(b, "%s\"%s%s/%s\":{\"serverRelativeURL\":\"/openapi/v3/%s%s/%s?hash=", any ? "," : "",
			      root, rows[i].group, rows[i].version, root, rows[i].group, rows[i].version);
		put_hash(b, s, rows[i].group, rows[i].version);
		sw_buf_puts(b, "\"}");
		any = true;
	}
	sw_buf_puts(b, "}}");
}

/* ---- schemas ----------------------------------------------------------------------------------- */

/* "core.v1.PodSpec" -> "io.k8s.api.core.v1.PodSpec", as published, so that people find what they know */
static void put_schema_name(struct sw_buf *b, const struct message *m)
{
	if (!m->builtin)
		sw_buf_puts(b, "dev.spillway.");
	else if (strncmp(m->name, "meta.v1.", 8) == 0)
		sw_buf_puts(b, "io.k8s.apimachinery.pkg.apis.");
	else
		sw_buf_puts(b, "io.k8s.api.");
	sw_buf_puts(b, m->name);
}

static void put_enum(struct sw_buf *b, const struct field *f)
{
	if (!f->enums.n)
		return;
	sw_buf_puts(b, ",\"enum\":[");
	for (size_t i = 0; i < f->enums.n; i++)
		sw_buf_printf(b, "%s\"%s\"", i ? "," : "", f->enums.at[i]);
	sw_buf_putc(b, ']');
}

static void put_leaf(struct sw_buf *b, const struct field *f)
{
	static const char *const leaves[] = {
		[B_STRING] = "\"type\":\"string\"",
		[B_BOOL] = "\"type\":\"boolean\"",
		[B_INT32] = "\"type\":\"integer\",\"format\":\"int32\"",
		[B_INT64] = "\"type\":\"integer\",\"format\":\"int64\"",
		[B_DOUBLE] = "\"type\":\"number\",\"format\":\"double\"",
		[B_BYTES] = "\"type\":\"string\",\"format\":\"byte\"",
		[B_QUANTITY] = "\"type\":\"string\"",
		[B_TIME] = "\"type\":\"string\",\"format\":\"date-time\"",
		[B_MICROTIME] = "\"type\":\"string\",\"format\":\"date-time\"",
		[B_DURATION] = "\"type\":\"string\"",
		[B_INT_OR_STRING] = "\"x-kubernetes-int-or-string\":true",
		[B_OBJECT] = "\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true",
		[B_ANY] = "\"x-kubernetes-preserve-unknown-fields\":true",
	};

	if (f->base == B_MESSAGE) {
		sw_buf_puts(b, "\"allOf\":[{\"$ref\":\"#/components/schemas/");
		put_schema_name(b, f->message);
		sw_buf_puts(b, "\"}]");
		return;
	}
	sw_buf_puts(b, leaves[f->base]);
	put_enum(b, f);
}

static void put_shape(struct sw_buf *b, const struct field *f, unsigned depth)
{
	enum shape shape = depth < SHAPES ? f->shape[depth] : SHAPE_ONE;

	if (shape == SHAPE_ONE) {
		put_leaf(b, f);
		return;
	}
	sw_buf_puts(b, shape == SHAPE_LIST ? "\"type\":\"array\",\"items\":{"
					   : "\"type\":\"object\",\"additionalProperties\":{");
	put_shape(b, f, depth + 1);
	sw_buf_putc(b, '}');
}

static void put_list_kind(struct sw_buf *b, const struct field *f)
{
	if (f->shape[0] == SHAPE_LIST && f->list_keys.n) {
		sw_buf_puts(b, ",\"x-kubernetes-list-type\":\"map\",\"x-kubernetes-list-map-keys\":[");
		for (size_t i = 0; i < f->list_keys.n; i++)
			sw_buf_printf(b, "%s\"%s\"", i ? "," : "", f->list_keys.at[i]);
		sw_buf_putc(b, ']');
	} else if (f->shape[0] == SHAPE_LIST) {
		sw_buf_printf(b, ",\"x-kubernetes-list-type\":\"%s\"", f->is_set ? "set" : "atomic");
	}
	if (f->merge_key) {
		sw_buf_printf(b, ",\"x-kubernetes-patch-strategy\":\"%s\"",
			      f->retain_keys ? "merge,retainKeys" : "merge");
		if (*f->merge_key)
			sw_buf_printf(b, ",\"x-kubernetes-patch-merge-key\":\"%s\"", f->merge_key);
	}
}

static void put_field(struct sw_buf *b, const struct field *f, bool comma)
{
	sw_buf_printf(b, "%s\"%s\":{", comma ? "," : "", f->name);
	if (*f->description) {
		sw_buf_puts(b, "\"description\":");
		sw_buf_json_str(b, f->description);
		sw_buf_putc(b, ',');
	}
	put_shape(b, f, 0);
	put_list_kind(b, f);
	sw_buf_putc(b, '}');
}

static void put_required(struct sw_buf *b, const struct message *m)
{
	bool any = false;

	for (size_t i = 0; i < m->n; i++) {
		if (!m->fields[i].required)
			continue;
		sw_buf_printf(b, "%s\"%s\"", any ? "," : ",\"required\":[", m->fields[i].name);
		any = true;
	}
	if (any)
		sw_buf_putc(b, ']');
}

static void put_gvk(struct sw_buf *b, const struct sw_resource *r)
{
	sw_buf_printf(b, "{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"}", r->group, r->version, r->kind);
}

/* Which served kind a message is the top of, if any. */
static const struct sw_resource *kind_of(const struct message *m, const char *group, const char *version)
{
	size_t n;
	const struct sw_resource *rows = sw_resources(&n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].message, m->name) == 0 && strcmp(rows[i].group, group) == 0 &&
		    strcmp(rows[i].version, version) == 0)
			return &rows[i];
	return NULL;
}

static void put_message(struct doc *d, const struct message *m, const char *group, const char *version)
{
	const struct sw_resource *r = kind_of(m, group, version);
	struct sw_buf *b = d->b;

	sw_buf_puts(b, d->any ? ",\"" : "\"");
	d->any = true;
	put_schema_name(b, m);
	sw_buf_puts(b, "\":{\"type\":\"object\"");
	if (*m->description) {
		sw_buf_puts(b, ",\"description\":");
		sw_buf_json_str(b, m->description);
	}
	sw_buf_puts(b, ",\"properties\":{");
	if (r)
		sw_buf_puts(b,
			    "\"apiVersion\":{\"type\":\"string\",\"description\":\"Group and version of the kind.\"},"
			    "\"kind\":{\"type\":\"string\",\"description\":\"What sort of object this is.\"}");
	for (size_t i = 0; i < m->n; i++)
		put_field(b, &m->fields[i], r || i);
	sw_buf_putc(b, '}');
	put_required(b, m);
	if (r) {
		sw_buf_puts(b, ",\"x-kubernetes-group-version-kind\":[");
		put_gvk(b, r);
		sw_buf_putc(b, ']');
	}
	sw_buf_putc(b, '}');
}

static void want(struct doc *d, const struct message *m)
{
	size_t i = (size_t)(m - d->s->messages);

	if (d->wanted[i])
		return;
	d->wanted[i] = true;
	for (size_t j = 0; j < m->n; j++)
		if (m->fields[j].message)
			want(d, m->fields[j].message);
}

/* ---- paths ------------------------------------------------------------------------------------- */

static void put_path(struct doc *d, const struct sw_resource *r)
{
	struct sw_buf *b = d->b;

	sw_buf_printf(b,
		      "%s\"/%s%s/%s/%s%s/"
		      "{name}\":{\"patch\":{\"x-kubernetes-action\":\"patch\",\"x-kubernetes-group-version-kind\":",
		      d->any ? "," : "", *r->group ? "apis/" : "api", r->group, r->version,
		      r->namespaced ? "namespaces/{namespace}/" : "", r->plural);
	put_gvk(b, r);
	sw_buf_puts(b, ",\"parameters\":[{\"name\":\"dryRun\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}},"
		       "{\"name\":\"fieldManager\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}},"
		       "{\"name\":\"fieldValidation\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}},"
		       "{\"name\":\"force\",\"in\":\"query\",\"schema\":{\"type\":\"boolean\"}}],"
		       "\"responses\":{\"200\":{\"description\":\"OK\"}}}}");
	d->any = true;
}

static bool is_of(const struct sw_resource *r, enum sw_serve serve, const char *group, const char *version)
{
	return sw_resource_verbs(r, serve) && strcmp(r->group, group) == 0 && strcmp(r->version, version) == 0;
}

bool sw_openapi_document(struct sw_buf *b, const struct sw_schema *s, enum sw_serve serve, const char *group,
			 const char *version)
{
	struct doc d = {.b = b, .s = s};
	size_t n;
	const struct sw_resource *rows = sw_resources(&n);

	if (!sw_resource_has_group(serve, group, version))
		return false;
	d.wanted = sw_calloc(s->n, sizeof(*d.wanted));
	sw_buf_puts(b, "{\"openapi\":\"3.0.0\",\"info\":{\"title\":\"spillway\",\"version\":\"" SW_VERSION
		       "\"},\"paths\":{");
	for (size_t i = 0; i < n; i++)
		if (is_of(&rows[i], serve, group, version)) {
			put_path(&d, &rows[i]);
			want(&d, schema_message(s, rows[i].message));
		}
	sw_buf_puts(b, "},\"components\":{\"schemas\":{");
	d.any = false;
	for (size_t i = 0; i < s->n; i++)
		if (d.wanted[i])
			put_message(&d, &s->messages[i], group, version);
	sw_buf_puts(b, "}}}");
	free(d.wanted);
	return true;
}
