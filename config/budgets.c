/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budgets.c - the section `budgets:` of spillway.yaml: what queues may spend on bought nodes, for their policies to
 * read
 *
 *   budgets:
 *   - {queue: team, limit: 5000, window: 30d}   # USD; windows follow each other from the epoch on
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load_priv.h"
#include "spillway/text.h"

enum { SHORTEST_MS = 60 * 1000 };

static struct sw_err read_budget(struct config *c, struct sw_budget_cfg *b, json_t *map)
{
	char where[512];
	sw_yaml_where(c->yaml, map, NULL, where, sizeof where);
	const char *queue = sw_json_str(map, "queue"), *window = sw_json_str(map, "window");
	json_t *limit = sw_json_key(map, "limit");
	bool number = json_object_is_type(limit, json_type_int) || json_object_is_type(limit, json_type_double);
	b->limit = json_object_get_double(limit);
	if (!queue || !*queue || !window || !number || json_object_object_length(map) != 3 || !(b->limit > 0) ||
	    !isfinite(b->limit) || sw_failed(sw_duration_parse(window, &b->window_ms)) || b->window_ms < SHORTEST_MS)
		return sw_err(
			SW_E_INVALID,
			"%s: budgets: found %.80s, expected queue (a ClusterQueue or NAMESPACE/LOCALQUEUE), limit (USD "
			"above 0) and window (a duration from 1m, such as 30d)",
			where, json_object_to_json_string_ext(map, JSON_C_TO_STRING_PLAIN));
	b->queue = sw_strdup(queue);
	for (const struct sw_budget_cfg *other = c->pub.budgets; other < b; other++)
		if (strcmp(other->queue, queue) == 0)
			return sw_err(SW_E_INVALID, "%s: budgets: queue %s has a budget already", where, queue);
	return SW_OK;
}

struct sw_err read_budgets(struct config *c, json_t *list)
{
	struct sw_budget_cfg *budgets = sw_calloc(sw_json_len(list) + 1, sizeof *budgets);
	c->pub.budgets = budgets;
	if (!json_object_is_type(list, json_type_array))
		return sw_err(SW_E_INVALID, "%s: budgets: expected a list, each with queue, limit and window", c->path);
	for (size_t i = 0; i < sw_json_len(list); i++) {
		c->pub.n_budgets = i + 1; /* counted first, so that a half-read one is freed */
		struct sw_err e = read_budget(c, &budgets[i], sw_json_idx(list, i));
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

void free_budgets(struct config *c)
{
	for (size_t i = 0; i < c->pub.n_budgets; i++)
		free((char *)(uintptr_t)c->pub.budgets[i].queue);
	free((void *)(uintptr_t)c->pub.budgets);
}
