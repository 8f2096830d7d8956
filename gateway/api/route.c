/* SPDX-License-Identifier: Apache-2.0 */
/* route.c - from path and method to what is meant; pure */
#include "api_priv.h"

#include <string.h>
#include <strings.h>

bool query_true(const char *value)
{
	return value && *value && strcmp(value, "0") != 0 && strcasecmp(value, "false") != 0;
}

/* One path segment into buf. *at moves behind it and its slash. false: none left, or too long. */
static bool segment(const char **at, char *buf, size_t size)
{
	size_t n = strcspn(*at, "/");
	if (n == 0 || n >= size)
		return false;
	memcpy(buf, *at, n);
	buf[n] = '\0';
	*at += n;
	if (**at == '/')
		++*at;
	return true;
}

/* Takes "namespaces/NS" off, if it is a prefix and not the object: then word is what follows. */
static bool route_namespace(const char **at, struct route *rt, char *word, size_t size)
{
	if (!segment(at, rt->ns, sizeof(rt->ns)))
		return false;
	bool is_namespace = !**at || strcmp(*at, "status") == 0 || strcmp(*at, "finalize") == 0;
	if (!is_namespace || *rt->group)
		return segment(at, word, size);
	memcpy(rt->name, rt->ns, sizeof(rt->name));
	rt->ns[0] = '\0';
	return true;
}

/* An object of a namespaced kind needs its namespace; a cluster-scoped one has none. */
static bool scope_fits(const struct route *rt)
{
	return rt->r->namespaced ? *rt->ns || !*rt->name : !*rt->ns;
}

/* Behind the group version: [namespaces/NS/]PLURAL[/NAME[/SUB]]. */
static void route_objects(enum sw_serve serve, const char *at, struct route *rt)
{
	char word[254];
	rt->kind = ROUTE_UNKNOWN;
	if (!segment(&at, word, sizeof(word)))
		return;
	if (strcmp(word, "namespaces") == 0 && *at && !route_namespace(&at, rt, word, sizeof(word)))
		return;
	rt->r = sw_resource_find(serve, rt->group, rt->version, word);
	if (!rt->r)
		return;
	if (!*rt->name && *at && !segment(&at, rt->name, sizeof(rt->name)))
		return;
	if (*at && !segment(&at, rt->sub, sizeof(rt->sub)))
		return;
	if (!*at && scope_fits(rt))
		rt->kind = ROUTE_OBJECTS;
}

static void route_group(enum sw_serve serve, const char *at, struct route *rt)
{
	if (!segment(&at, rt->version, sizeof(rt->version))) {
		rt->kind = *rt->group ? ROUTE_GROUP : ROUTE_API;
		return;
	}
	if (*at)
		route_objects(serve, at, rt);
	else
		rt->kind = ROUTE_RESOURCES;
}

static void route_openapi(const char *at, struct route *rt)
{
	char word[16];
	rt->kind = ROUTE_NONE;
	if (!*at) {
		rt->kind = ROUTE_OPENAPI;
		return;
	}
	if (!segment(&at, word, sizeof(word)))
		return;
	if (strcmp(word, "apis") == 0 ? !segment(&at, rt->group, sizeof(rt->group)) : strcmp(word, "api") != 0)
		return;
	if (segment(&at, rt->version, sizeof(rt->version)) && !*at)
		rt->kind = ROUTE_OPENAPI_GROUP;
}

static bool is_under(const char *path, const char *prefix, const char **rest)
{
	size_t n = strlen(prefix);
	if (strncmp(path, prefix, n) != 0 || (path[n] && path[n] != '/'))
		return false;
	*rest = path + n + (path[n] == '/');
	return true;
}

void route_parse(enum sw_serve serve, const char *path, struct route *rt)
{
	static const struct {
		const char *path;
		enum route_kind kind;
	} fixed[] = {
		{"/healthz", ROUTE_HEALTH},  {"/livez", ROUTE_HEALTH},    {"/readyz", ROUTE_HEALTH},
		{"/version", ROUTE_VERSION}, {"/metrics", ROUTE_METRICS},
	};
	const char *rest;
	*rt = (struct route){.kind = ROUTE_NONE};
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (is_under(path, fixed[i].path, &rest) && !*rest)
			rt->kind = fixed[i].kind;
	if (is_under(path, "/spillway/v1", &rest) && segment(&rest, rt->name, sizeof(rt->name)) && !*rest)
		rt->kind = ROUTE_PAGE;
	if (is_under(path, "/openapi/v3", &rest))
		route_openapi(rest, rt);
	else if (is_under(path, "/api", &rest))
		route_group(serve, rest, rt);
	else if (is_under(path, "/apis", &rest)) {
		if (!*rest)
			rt->kind = ROUTE_APIS;
		else if (segment(&rest, rt->group, sizeof(rt->group)))
			route_group(serve, rest, rt);
	}
}

enum api_verb route_verb(const struct route *rt, const char *method, bool watch)
{
	bool named = *rt->name;
	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		return named ? VERB_GET : watch ? VERB_WATCH : VERB_LIST;
	if (strcmp(method, "POST") == 0)
		return named ? VERB_NONE : VERB_CREATE;
	if (strcmp(method, "PUT") == 0)
		return named ? VERB_UPDATE : VERB_NONE;
	if (strcmp(method, "PATCH") == 0)
		return named ? VERB_PATCH : VERB_NONE;
	if (strcmp(method, "DELETE") == 0)
		return named ? VERB_DELETE : VERB_DELCOLL;
	return VERB_NONE;
}

static const struct {
	const char *word;
	unsigned bit;
} verbs[] = {
	[VERB_NONE] = {"", 0},
	[VERB_GET] = {"get", SW_VERB_GET},
	[VERB_LIST] = {"list", SW_VERB_LIST},
	[VERB_WATCH] = {"watch", SW_VERB_WATCH},
	[VERB_CREATE] = {"create", SW_VERB_CREATE},
	[VERB_UPDATE] = {"update", SW_VERB_UPDATE},
	[VERB_PATCH] = {"patch", SW_VERB_PATCH},
	[VERB_DELETE] = {"delete", SW_VERB_DELETE},
	[VERB_DELCOLL] = {"deletecollection", SW_VERB_DELCOLL},
};
const char *route_verb_word(enum api_verb v)
{
	return verbs[v].word;
}
unsigned route_verb_bit(enum api_verb v)
{
	return verbs[v].bit;
}
