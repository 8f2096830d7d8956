/* SPDX-License-Identifier: Apache-2.0 */
/*
 * companions.c - the section `companions:`: which Secrets and ConfigMaps may be sent to workers, per namespace
 *
 *   companions:
 *   - namespace: team-a
 *     allow: [secret/registry, "configmap/params-*"]
 *
 * What is not allowed here stays on the manager. A name ends in '*' to allow all that begin so.
 */
#include <stdlib.h>
#include <string.h>

#include "load_priv.h"
#include "spillway/text.h"

static struct sw_err bad(const struct config *c, json_t *at, const char *key, const char *found, const char *expected)
{
	char where[512];
	return sw_err(SW_E_INVALID, "%s: companions: found %.60s, expected %s",
		      sw_yaml_where(c->yaml, at, key, where, sizeof where), found, expected);
}

static bool is_pattern(const char *text)
{
	const char *name = strchr(text, '/');
	char plain[254];

	if (!name || (strncmp(text, "secret/", 7) != 0 && strncmp(text, "configmap/", 10) != 0))
		return false;
	size_t n = strlen(++name);
	if (n == 0 || n >= sizeof plain)
		return false;
	memcpy(plain, name, n + 1);
	if (plain[n - 1] == '*')
		plain[n - 1] = 'x'; /* whatever begins so */
	return sw_is_subdomain(plain);
}

static struct sw_err check_rule(const struct config *c, json_t *rule)
{
	const char *ns = sw_json_str(rule, "namespace");
	json_t *allow = sw_json_key(rule, "allow");

	if (!json_object_is_type(rule, json_type_object))
		return bad(c, rule, NULL, json_object_to_json_string(rule), "a map with namespace and allow");
	json_object_object_foreach(rule, key, value)
	{
		(void)value;
		if (strcmp(key, "namespace") != 0 && strcmp(key, "allow") != 0)
			return bad(c, rule, key, key, "namespace or allow");
	}
	if (!ns || !sw_is_dns_label(ns))
		return bad(c, rule, "namespace", ns ? ns : "nothing", "the name of a namespace");
	if (!json_object_is_type(allow, json_type_array))
		return bad(c, rule, "allow", "no list", "a list of secret/NAME and configmap/NAME");
	for (size_t i = 0; i < sw_json_len(allow); i++) {
		const char *text = json_object_get_string(sw_json_idx(allow, i));
		if (!text || !is_pattern(text))
			return bad(c, rule, "allow", text ? text : "nothing",
				   "secret/NAME or configmap/NAME (NAME may end in *)");
	}
	return SW_OK;
}

struct sw_err read_companions(struct config *c, json_t *value)
{
	if (!json_object_is_type(value, json_type_array))
		return bad(c, sw_yaml_doc(c->yaml, 0), "companions", json_object_to_json_string(value),
			   "a list of maps with namespace and allow");
	for (size_t i = 0; i < sw_json_len(value); i++) {
		struct sw_err e = check_rule(c, sw_json_idx(value, i));
		if (sw_failed(e))
			return e;
	}
	c->pub.companions = value; /* lent from the file */
	return SW_OK;
}

void free_companions(struct config *c)
{
	(void)c;
}

static bool matches(const char *pattern, const char *text)
{
	size_t n = strlen(pattern);
	if (n && pattern[n - 1] == '*')
		return strncmp(pattern, text, n - 1) == 0;
	return strcmp(pattern, text) == 0;
}

bool sw_config_may_send(const struct sw_config *c, const char *ns, const char *word, const char *name)
{
	char text[300];

	snprintf(text, sizeof text, "%s/%s", word, name);
	for (size_t i = 0; i < sw_json_len(c->companions); i++) {
		json_t *rule = sw_json_idx(c->companions, i), *allow = sw_json_key(rule, "allow");
		if (strcmp(sw_json_str(rule, "namespace"), ns) != 0)
			continue;
		for (size_t k = 0; k < sw_json_len(allow); k++)
			if (matches(json_object_get_string(sw_json_idx(allow, k)), text))
				return true;
	}
	return false;
}
