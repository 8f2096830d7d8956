/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery.c - which groups, versions and resources a server has, in both forms that clients ask for
 *
 * Groups come in the order of their first row in the table; rows of one group need not be neighbours.
 */
#include "spillway/discovery.h"
#include <string.h>

const char *sw_discovery_content_type(enum sw_discovery_form form)
{
	switch (form) {
	case SW_DISCOVERY_V2:
		return "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
	case SW_DISCOVERY_V2BETA1:
		return "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
	default:
		return "application/json";
	}
}

/* ---- pieces shared by both forms --------------------------------------------------------------- */

static void put_words(struct sw_buf *b, const char *key, const char *commas)
{
	sw_buf_printf(b, ",\"%s\":[", key);
	for (const char *at = commas; *at;) {
		size_t n = strcspn(at, ",");

		if (at != commas)
			sw_buf_putc(b, ',');
		sw_buf_json_strn(b, at, n);
		at += n + (at[n] == ',');
	}
	sw_buf_putc(b, ']');
}

static void put_verbs(struct sw_buf *b, unsigned verbs)
{
	static const enum sw_verb all[] = {
#define X(id, bit, word) SW_VERB_##id,
		SW_VERB_MAP(X)
#undef X
	};
	bool any = false;

	sw_buf_puts(b, ",\"verbs\":[");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!(verbs & all[i]))
			continue;
		sw_buf_printf(b, "%s\"%s\"", any ? "," : "", sw_verb_word(all[i]));
		any = true;
	}
	sw_buf_putc(b, ']');
}

static const struct {
	unsigned bit;
	const char *name, *kind;
	unsigned verbs;
} subs[] = {
	{SW_SUB_LOG, "log", NULL, SW_VERB_GET},
	{SW_SUB_SCALE, "scale", "Scale", SW_VERB_GET | SW_VERB_PATCH | SW_VERB_UPDATE},
	{SW_SUB_STATUS, "status", NULL, SW_VERB_GET | SW_VERB_PATCH | SW_VERB_UPDATE},
};
enum { N_SUBS = sizeof(subs) / sizeof(subs[0]) };

static unsigned sub_verbs(const struct sw_resource *r, enum sw_serve serve, size_t i)
{
	unsigned verbs = sw_resource_verbs(r, serve);

	if (!(r->subs & subs[i].bit))
		return 0;
	return verbs & SW_VERB_UPDATE ? subs[i].verbs : subs[i].verbs & SW_VERB_GET;
}

/* Is rows[i] the first served row of its group (and, if by_version, of its version)? */
static bool is_first(const struct sw_resource *rows, size_t i, enum sw_serve serve, bool by_version)
{
	if (!sw_resource_verbs(&rows[i], serve))
		return false;
	for (size_t j = 0; j < i; j++)
		if (sw_resource_verbs(&rows[j], serve) && strcmp(rows[j].group, rows[i].group) == 0 &&
		    (!by_version || strcmp(rows[j].version, rows[i].version) == 0))
			return false;
	return true;
}

/* ---- aggregated -------------------------------------------------------------------------------- */

static void put_response_kind(struct sw_buf *b, const struct sw_resource *r)
{
	sw_buf_printf(b, "\"responseKind\":{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"}", r->group, r->version,
		      r->kind);
}

static void put_subresources(struct sw_buf *b, const struct sw_resource *r, enum sw_serve serve)
{
	bool any = false;

	for (size_t i = 0; i < N_SUBS; i++) {
		unsigned verbs = sub_verbs(r, serve, i);

		if (!verbs)
			continue;
		sw_buf_printf(b, "%s{\"subresource\":\"%s\",", any ? "," : ",\"subresources\":[", subs[i].name);
		put_response_kind(b, r);
		put_verbs(b, verbs);
		sw_buf_putc(b, '}');
		any = true;
	}
	if (any)
		sw_buf_putc(b, ']');
}

static void put_aggregated_resource(struct sw_buf *b, const struct sw_resource *r, enum sw_serve serve)
{
	sw_buf_printf(b, "{\"resource\":\"%s\",", r->plural);
	put_response_kind(b, r);
	sw_buf_printf(b, ",\"scope\":\"%s\",\"singularResource\":\"%s\"", r->namespaced ? "Namespaced" : "Cluster",
		      r->singular);
	put_verbs(b, sw_resource_verbs(r, serve));
	if (*r->short_names)
		put_words(b, "shortNames", r->short_names);
	if (*r->categories)
		put_words(b, "categories", r->categories);
	put_subresources(b, r, serve);
	sw_buf_putc(b, '}');
}

static void put_aggregated_version(struct sw_buf *b, const struct sw_resource *rows, size_t n, size_t first,
				   enum sw_serve serve)
{
	bool any = false;

	sw_buf_printf(b, "{\"version\":\"%s\",\"resources\":[", rows[first].version);
	for (size_t i = first; i < n; i++) {
		if (!sw_resource_verbs(&rows[i], serve) || strcmp(rows[i].group, rows[first].group) != 0 ||
		    strcmp(rows[i].version, rows[first].version) != 0)
			continue;
		if (any)
			sw_buf_putc(b, ',');
		put_aggregated_resource(b, &rows[i], serve);
		any = true;
	}
	sw_buf_puts(b, "],\"freshness\":\"Current\"}");
}

static void put_aggregated_group(struct sw_buf *b, const struct sw_resource *rows, size_t n, size_t first,
				 enum sw_serve serve)
{
	bool any = false;

	sw_buf_puts(b, "{\"metadata\":{");
	if (*rows[first].group)
		sw_buf_printf(b, "\"name\":\"%s\"", rows[first].group);
	sw_buf_puts(b, "},\"versions\":[");
	for (size_t i = first; i < n; i++) {
		if (strcmp(rows[i].group, rows[first].group) != 0 || !is_first(rows, i, serve, true))
			continue;
		if (any)
			sw_buf_putc(b, ',');
		put_aggregated_version(b, rows, n, i, serve);
		any = true;
	}
	sw_buf_puts(b, "]}");
}

static void put_aggregated(struct sw_buf *b, enum sw_serve serve, bool core, enum sw_discovery_form form)
{
	size_t n;
	const struct sw_resource *rows = sw_resources(&n);
	bool any = false;

	sw_buf_printf(b,
		      "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/"
		      "%s\",\"metadata\":{},\"items\":[",
		      form == SW_DISCOVERY_V2 ? "v2" : "v2beta1");
	for (size_t i = 0; i < n; i++) {
		if ((*rows[i].group == '\0') != core || !is_first(rows, i, serve, false))
			continue;
		if (any)
			sw_buf_putc(b, ',');
		put_aggregated_group(b, rows, n, i, serve);
		any = true;
	}
	sw_buf_puts(b, "]}");
}

/* ---- plain ------------------------------------------------------------------------------------- */

static void put_group(struct sw_buf *b, const struct sw_resource *rows, size_t n, size_t first, enum sw_serve serve)
{
	bool any = false;

	sw_buf_printf(b, "\"name\":\"%s\",\"versions\":[", rows[first].group);
	for (size_t i = first; i < n; i++) {
		if (strcmp(rows[i].group, rows[first].group) != 0 || !is_first(rows, i, serve, true))
			continue;
		sw_buf_printf(b, "%s{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}", any ? "," : "", rows[i].group,
			      rows[i].version, rows[i].version);
		any = true;
	}
	sw_buf_printf(b, "],\"preferredVersion\":{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}", rows[first].group,
		      rows[first].version, rows[first].version);
}

void sw_discovery_api(struct sw_buf *b, enum sw_serve serve, enum sw_discovery_form form)
{
	if (form != SW_DISCOVERY_PLAIN) {
		put_aggregated(b, serve, true, form);
		return;
	}
	sw_buf_puts(b, "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],\"serverAddressByClientCIDRs\":[]}");
}

void sw_discovery_apis(struct sw_buf *b, enum sw_serve serve, enum sw_discovery_form form)
{
	size_t n;
	const struct sw_resource *rows = sw_resources(&n);
	bool any = false;

	if (form != SW_DISCOVERY_PLAIN) {
		put_aggregated(b, serve, false, form);
		return;
	}
	sw_buf_puts(b, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
	for (size_t i = 0; i < n; i++) {
		if (!*rows[i].group || !is_first(rows, i, serve, false))
			continue;
		sw_buf_puts(b, any ? ",{" : "{");
		put_group(b, rows, n, i, serve);
		sw_buf_putc(b, '}');
		any = true;
	}
	sw_buf_puts(b, "]}");
}

bool sw_discovery_group(struct sw_buf *b, enum sw_serve serve, const char *group)
{
	size_t n;
	const struct sw_resource *rows = sw_resources(&n);

	for (size_t i = 0; i < n; i++) {
		if (!*group || strcmp(rows[i].group, group) != 0 || !is_first(rows, i, serve, false))
			continue;
		sw_buf_puts(b, "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",");
		put_group(b, rows, n, i, serve);
		sw_buf_putc(b, '}');
		return true;
	}
	return false;
}

static void put_plain_resource(struct sw_buf *b, const struct sw_resource *r, enum sw_serve serve, bool comma)
{
	sw_buf_printf(b, "%s{\"name\":\"%s\",\"singularName\":\"%s\",\"namespaced\":%s,\"kind\":\"%s\"",
		      comma ? "," : "", r->plural, r->singular, r->namespaced ? "true" : "false", r->kind);
	put_verbs(b, sw_resource_verbs(r, serve));
	if (*r->short_names)
		put_words(b, "shortNames", r->short_names);
	if (*r->categories)
		put_words(b, "categories", r->categories);
	sw_buf_putc(b, '}');
	for (size_t i = 0; i < N_SUBS; i++) {
		unsigned verbs = sub_verbs(r, serve, i);

		if (!verbs)
			continue;
		sw_buf_printf(b, ",{\"name\":\"%s/%s\",\"singularName\":\"\",\"namespaced\":%s,\"kind\":\"%s\"",
			      r->plural, subs[i].name, r->namespaced ? "true" : "false",
			      subs[i].kind ? subs[i].kind : r->kind);
		put_verbs(b, verbs);
		sw_buf_putc(b, '}');
	}
}

bool sw_discovery_resources(struct sw_buf *b, enum sw_serve serve, const char *group, const char *version)
{
	size_t n;
	const struct sw_resource *rows = sw_resources(&n);
	bool any = false;

	if (!sw_resource_has_group(serve, group, version))
		return false;
	sw_buf_printf(b,
		      "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"%s%s%s\",\"resources\":[",
		      group, *group ? "/" : "", version);
	for (size_t i = 0; i < n; i++) {
		if (!sw_resource_verbs(&rows[i], serve) || strcmp(rows[i].group, group) != 0 ||
		    strcmp(rows[i].version, version) != 0)
			continue;
		put_plain_resource(b, &rows[i], serve, any);
		any = true;
	}
	sw_buf_puts(b, "]}");
	return true;
}
