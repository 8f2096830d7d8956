/* SPDX-License-Identifier: Apache-2.0 */
/* pure.h - what every test of the pure half of the API server starts with */
#ifndef TESTS_API_PURE_H
#define TESTS_API_PURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../support/json_of.h"
#include "spillway/schema.h"
#include "spillway/text.h"

static inline struct sw_schema *schema_or_die(void)
{
	struct sw_schema *s = NULL;
	struct sw_err e = sw_schema_new(&s);

	cr_assert(!sw_failed(e), "%s", e.text);
	return s;
}

/* Equal, or says how they differ. Takes both. */
static inline void same_json(const char *what, json_t *found, json_t *expected)
{
	cr_expect(json_object_equal(found, expected), "%s:\n found    %s\n expected %s", what,
		  json_object_to_json_string_ext(found, JSON_C_TO_STRING_PLAIN),
		  json_object_to_json_string_ext(expected, JSON_C_TO_STRING_PLAIN));
	json_object_put(found);
	json_object_put(expected);
}

/* A Status that refuses with this code and these words, or NULL for fine. Takes it. */
static inline void refused(const char *what, json_t *no, int code, const char *words)
{
	if (!words) {
		cr_expect_null(no, "%s: %s", what, no ? json_object_to_json_string(no) : "");
	} else {
		cr_expect_not_null(no, "%s: was not refused", what);
		if (no) {
			cr_expect_eq(sw_status_code(no), code, "%s: %s", what, json_object_to_json_string(no));
			cr_expect_not_null(strstr(sw_status_message(no), words), "%s: \"%s\" has not \"%s\"", what,
					   sw_status_message(no), words);
		}
	}
	json_object_put(no);
}

/* At the end of a test body: fails the test if it leaked (under ASan). */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
static inline void no_leaks(void)
{
	cr_expect_eq(__lsan_do_recoverable_leak_check(), 0, "memory was leaked");
}
#else
static inline void no_leaks(void) {}
#endif

#endif
