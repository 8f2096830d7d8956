/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds_section.c - the section `kinds:` of spillway.yaml: kinds of jobs that a site declares
 *
 * Only places are added here: gateway/kinds/declare.c reads a declaration and finds what is wrong with it.
 */
#include <stdlib.h>
#include <string.h>

#include "load_priv.h"
#include "spillway/kinds.h"
#include "spillway/text.h"

static struct sw_err read_kind(struct config *c, struct sw_kind **rows, json_t *map)
{
	struct sw_kind_fault at;
	char where[512];
	struct sw_err e = sw_kind_declare(map, c->pub.kinds, c->pub.n_kinds, &rows[c->pub.n_kinds], &at);
	if (sw_failed(e)) { /* what is missing has no place of its own */
		const char *key = at.key && sw_json_key(at.parent, at.key) ? at.key : NULL;
		return sw_err_wrap(e, "%s: kinds", sw_yaml_where(c->yaml, at.parent, key, where, sizeof where));
	}
	c->pub.n_kinds++;
	return SW_OK;
}

struct sw_err read_kinds(struct config *c, json_t *list)
{
	struct sw_kind **rows;
	char where[512];
	size_t n = sw_json_len(list);
	sw_yaml_where(c->yaml, sw_yaml_doc(c->yaml, 0), "kinds", where, sizeof where);
	if (!json_object_is_type(list, json_type_array))
		return sw_err(SW_E_INVALID, "%s: kinds: expected a list of declarations", where);
	if (n > SW_KINDS_DECLARED_MAX)
		return sw_err(SW_E_INVALID, "%s: kinds: found %zu, expected at most %d", where, n,
			      SW_KINDS_DECLARED_MAX);
	rows = sw_calloc(n + 1, sizeof *rows);
	c->pub.kinds = (const struct sw_kind *const *)rows;
	for (size_t i = 0; i < n; i++) {
		struct sw_err e = read_kind(c, rows, sw_json_idx(list, i));
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

void free_kinds(struct config *c)
{
	struct sw_kind **rows = (struct sw_kind **)(uintptr_t)c->pub.kinds;
	for (size_t i = 0; i < c->pub.n_kinds; i++)
		sw_kind_free(rows[i]);
	free(rows);
}
