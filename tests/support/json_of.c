/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "json_of.h"
#include "spillway/json.h"
#include "spillway/text.h"

json_t *json_of(const char *single_quoted)
{
	char *text = sw_strdup(single_quoted);
	json_t *o = NULL;

	for (char *p = text; (p = strchr(p, '\''));)
		*p = '"';
	struct sw_err e = sw_json_parse(text, strlen(text), &o);

	cr_assert(!sw_failed(e), "%s in %s", e.text, text);
	free(text);
	return o;
}
