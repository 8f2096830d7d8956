/* SPDX-License-Identifier: Apache-2.0 */
/* review.c - what a caller may ask about itself: access, rules, identity. Nothing is stored */
#include "api_priv.h"

#include <string.h>
#include "spillway/protobuf.h"

static bool is_star(const char *s)
{
	return s && strcmp(s, "*") == 0;
}

/* ---- may I? ------------------------------------------------------------------------ */

static bool path_allowed(const char *verb, const char *path)
{
	static const char *const open[] = {"/healthz", "/livez", "/readyz",  "/version",
					   "/api",     "/apis",  "/openapi", "/metrics"};
	if (!path || !verb || (strcmp(verb, "get") != 0 && strcmp(verb, "head") != 0))
		return false;
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		size_t n = strlen(open[i]);
		if (strncmp(path, open[i], n) == 0 && (path[n] == '\0' || path[n] == '/'))
			return true;
	}
	return false;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static bool resource_allowed(struct request *q, json_t *attr)
{
	const char *verb = or_empty(sw_json_str(attr, "verb")), *group = or_empty(sw_json_str(attr, "group"));
	const char *plural = or_empty(sw_json_str(attr, "resource")), *sub = or_empty(sw_json_str(attr, "subresource"));
	if (q->user->role == SW_ROLE_ADMIN)
		return true;
	if (is_star(verb) || is_star(group) || is_star(plural))
		return false;
	size_t n;
	const struct sw_resource *rows = sw_resources(&n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].group, group) != 0 || strcmp(rows[i].plural, plural) != 0 ||
		    !sw_resource_verbs(&rows[i], q->api->opt.serve))
			continue;
		struct access what = {verb, &rows[i],
				      rows[i].namespaced ? or_empty(sw_json_str(attr, "namespace")) : "", sub};
		return access_allowed(q->user, &what);
	}
	return false;
}

static const char *const role_words[] = {
	[SW_ROLE_ADMIN] = "admin", [SW_ROLE_SUBMITTER] = "submitter", [SW_ROLE_READER] = "reader"};

static void access_review(struct request *q, json_t *o)
{
	json_t *attr = sw_json_at(o, "spec.resourceAttributes"), *path = sw_json_at(o, "spec.nonResourceAttributes");
	bool allowed =
		attr ? resource_allowed(q, attr) : path_allowed(sw_json_str(path, "verb"), sw_json_str(path, "path"));
	json_t *status = json_object_new_object();
	sw_json_set_bool(status, "allowed", allowed);
	if (!allowed) {
		char why[64];
		snprintf(why, sizeof(why), "not in the role \"%s\"", role_words[q->user->role]);
		sw_json_set_str(status, "reason", why);
	}
	sw_json_set(o, "status", status);
}

/* ---- what may I? --------------------------------------------------------------------------- */

static json_t *rule_of(struct request *q, const struct sw_resource *r, const char *ns)
{
	json_t *verbs = json_object_new_array();
	unsigned served = sw_resource_verbs(r, q->api->opt.serve);
	for (enum api_verb v = VERB_GET; v <= VERB_DELCOLL; v++) {
		struct access what = {route_verb_word(v), r, r->namespaced ? ns : "", ""};
		if ((served & route_verb_bit(v)) && access_allowed(q->user, &what))
			json_object_array_add(verbs, json_object_new_string(what.verb));
	}
	if (sw_json_len(verbs) == 0) {
		json_object_put(verbs);
		return NULL;
	}
	json_t *rule = sw_json_fmt("{\"apiGroups\":[\"%s\"],\"resources\":[\"%s\"]}", r->group, r->plural);
	json_object_object_add(rule, "verbs", verbs);
	return rule;
}

static void rules_review(struct request *q, json_t *o)
{
	const char *ns = or_empty(sw_json_str(o, "spec.namespace"));
	json_t *rules = json_object_new_array();
	size_t n;
	const struct sw_resource *rows = sw_resources(&n);
	if (q->user->role == SW_ROLE_ADMIN)
		json_object_array_add(rules,
				      sw_json_fmt("{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}"));
	for (size_t i = 0; i < n && q->user->role != SW_ROLE_ADMIN; i++) {
		json_t *rule = rule_of(q, &rows[i], ns);
		if (rule)
			json_object_array_add(rules, rule);
	}
	json_t *status = sw_json_fmt("{\"incomplete\":false,\"nonResourceRules\":[{\"verbs\":[\"get\"],"
				     "\"nonResourceURLs\":[\"/api\",\"/api/*\",\"/apis\","
				     "\"/apis/*\",\"/healthz\",\"/livez\",\"/metrics\",\"/openapi\",\"/openapi/*\",\"/"
				     "readyz\",\"/version\"]}]}");
	json_object_object_add(status, "resourceRules", rules);
	sw_json_set(o, "status", status);
}

/* ---- who am I? -------------------------------------------------------------------------------- */

static void self_review(struct request *q, json_t *o)
{
	json_t *groups = json_object_new_array(), *info = json_object_new_object();
	char role[32];
	snprintf(role, sizeof(role), "spillway:%s", role_words[q->user->role]);
	json_object_array_add(groups, json_object_new_string("system:authenticated"));
	json_object_array_add(groups, json_object_new_string(role));
	sw_json_set_str(info, "username", q->user->name);
	json_object_object_add(info, "groups", groups);
	sw_json_set(o, "status.userInfo", info);
}

static json_t *review_read(struct request *q)
{
	const char *type = request_header(q, "Content-Type");
	if (type && sw_protobuf_is(type))
		return sw_protobuf_decode(q->api->schema, q->body.at, q->body.len, &q->parsed);
	struct sw_err e = sw_json_parse(q->body.at ? q->body.at : "", q->body.len, &q->parsed);
	return sw_failed(e) ? sw_status(SW_REASON_BAD_REQUEST, "%s", e.text) : NULL;
}

void handle_review(struct request *q)
{
	static const struct {
		const char *plural;
		void (*fill)(struct request *q, json_t *o);
	} rows[] = {
		{"selfsubjectaccessreviews", access_review},
		{"selfsubjectrulesreviews", rules_review},
		{"selfsubjectreviews", self_review},
	};
	json_t *no = review_read(q);
	if (!no)
		no = sw_object_decode(q->api->schema, q->route.r, q->parsed, NULL, SW_FIELDS_IGNORE, NULL);
	if (no) {
		reply_status(q, no);
		return;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(q->route.r->plural, rows[i].plural) == 0)
			rows[i].fill(q, q->parsed);
	reply_json(q, 201, json_object_get(q->parsed));
}
