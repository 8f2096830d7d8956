/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate_meta.c - names, labels, annotations, owners, finalizers
 */
#include <string.h>
#include "check_priv.h"
#include "spillway/text.h"

enum { ANNOTATIONS_MAX_BYTES = 256 << 10 };

/* Names: most kinds take a subdomain, namespaces a label (they become part of DNS names). */
static void check_name(struct check *c, const struct step *meta, json_t *name)
{
	static const char *const label_kinds[] = {"namespaces"};

	for (size_t i = 0; i < sizeof(label_kinds) / sizeof(label_kinds[0]); i++)
		if (strcmp(c->r->id, label_kinds[i]) == 0) {
			check_dns_label(c, AT_FIELD(meta, "name"), name);
			return;
		}
	check_subdomain(c, AT_FIELD(meta, "name"), name);
}

void check_labels(struct check *c, const struct step *at, json_t *labels)
{
	if (!labels || !json_object_is_type(labels, json_type_object))
		return;
	json_object_object_foreach(labels, key, value)
	{
		if (!sw_is_label_key(key)) {
			json_t *k = json_object_new_string(key);

			check_invalid(c, at, k,
				      "name part must consist of alphanumeric characters, '-', '_' or '.', and must "
				      "start and end with "
				      "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "
				      "used for validation is "
				      "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')");
			json_object_put(k);
		}
		if (!sw_is_label_value(json_object_get_string(value)))
			check_invalid(c, at, value,
				      json_object_get_string_len(value) > 63
					      ? "must be no more than 63 characters"
					      : "a valid label must be an empty string or consist of alphanumeric "
						"characters, '-', '_' or '.', and must "
						"start and end with an alphanumeric character (e.g. 'MyValue',  or "
						"'my_value',  or '12345', regex used "
						"for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
	}
}

void check_annotations(struct check *c, const struct step *at, json_t *annotations)
{
	char path[PATH_MAX_BYTES], lower[400];
	size_t bytes = 0;

	if (!annotations || !json_object_is_type(annotations, json_type_object))
		return;
	json_object_object_foreach(annotations, key, value)
	{
		size_t n = strlen(key);

		/* annotation keys may be written in capitals; case does not matter for what they may consist of */
		for (size_t i = 0; i <= n && i < sizeof(lower); i++)
			lower[i] = key[i] >= 'A' && key[i] <= 'Z' ? (char)(key[i] + 32) : key[i];
		if (n >= sizeof(lower) || !sw_is_label_key(lower)) {
			json_t *k = json_object_new_string_len(key, n > 400 ? 400 : (int)n);

			check_invalid(c, at, k,
				      "name part must consist of alphanumeric characters, '-', '_' or '.', and must "
				      "start and end with "
				      "an alphanumeric character");
			json_object_put(k);
		}
		bytes += n + (size_t)json_object_get_string_len(value);
	}
	if (bytes > ANNOTATIONS_MAX_BYTES)
		sw_cause_too_long(&c->causes, step_path(at, PATH_BRACKETS, path), NULL, "may not be more than %d bytes",
				  ANNOTATIONS_MAX_BYTES);
}

static void check_owners(struct check *c, const struct step *at, json_t *owners)
{
	size_t controllers = 0;

	for (size_t i = 0; i < sw_json_len(owners); i++) {
		json_t *o = sw_json_idx(owners, i);

		controllers += sw_json_bool(o, "controller");
		if (controllers == 2 && sw_json_bool(o, "controller"))
			check_invalid(c, at, NULL, "Only one reference can have Controller set to true");
	}
}

static bool has_text(json_t *list, const char *s)
{
	for (size_t i = 0; i < sw_json_len(list); i++)
		if (text_is(sw_json_idx(list, i), s))
			return true;
	return false;
}

static void check_finalizers(struct check *c, const struct step *at, json_t *list, json_t *old)
{
	bool going = old && sw_json_str(old, "metadata.deletionTimestamp");
	json_t *had = old ? sw_json_at(old, "metadata.finalizers") : NULL;

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *v = sw_json_idx(list, i);
		const char *s = json_object_get_string(v);

		if (!sw_is_label_key(s))
			check_invalid(c, AT_INDEX(at, i), v, "must be a qualified name, as in example.com/cleanup");
		else if (going && !has_text(had, s))
			check_forbidden(c, at,
					"no new finalizers can be added if the object is being deleted, found new "
					"finalizers []string{\"%s\"}",
					s);
	}
}

void check_metadata(struct check *c, json_t *o, json_t *old)
{
	json_t *meta = sw_json_key(o, "metadata");
	const struct step *at = AT_FIELD(NULL, "metadata");
	const char *name = sw_json_str(meta, "name");

	if (!name || !*name)
		check_required(c, AT_FIELD(at, "name"), "name or generateName is required");
	else if (!old)
		check_name(c, at, sw_json_key(meta, "name"));
	check_labels(c, AT_FIELD(at, "labels"), sw_json_key(meta, "labels"));
	check_annotations(c, AT_FIELD(at, "annotations"), sw_json_key(meta, "annotations"));
	check_owners(c, AT_FIELD(at, "ownerReferences"), sw_json_key(meta, "ownerReferences"));
	check_finalizers(c, AT_FIELD(at, "finalizers"), sw_json_key(meta, "finalizers"), old);
}
