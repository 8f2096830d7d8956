/* SPDX-License-Identifier: Apache-2.0 */
/* nominate_test.h - JSON written with single quotes, for readable rows */
#ifndef SPILLWAY_NOMINATE_TEST_H
#define SPILLWAY_NOMINATE_TEST_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/json.h"
#include "spillway/text.h"

/* gives. ' stands for ". */
static inline json_t *json_of(const char *single_quoted)
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

#endif
