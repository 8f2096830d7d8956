/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.c - paths of requests: what a route names fits, and only served resources are found
 */
#include <string.h>

#include "../../gateway/api/api_priv.h"
#include "fuzz.h"

static void route(enum sw_serve serve, const char *path)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", ""};
	struct route rt;

	route_parse(serve, path, &rt);
	FUZZ_CHECK(strlen(rt.ns) < sizeof(rt.ns) && strlen(rt.name) < sizeof(rt.name) &&
		   strlen(rt.sub) < sizeof(rt.sub));
	if (rt.kind != ROUTE_OBJECTS)
		return;
	FUZZ_CHECK(rt.r && sw_resource_verbs(rt.r, serve));
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		for (int watch = 0; watch < 2; watch++)
			route_verb_bit(route_verb(&rt, methods[i], watch));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);

	for (int i = 0; i < FUZZ_PARTS; i++) {
		route(SW_SERVE_MANAGER, p.at[i]);
		route(SW_SERVE_WORKER, p.at[i]);
		query_true(p.at[i]);
	}
	fuzz_parts_free(&p);
	return 0;
}
