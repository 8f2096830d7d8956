/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/json.h"

static json_t *sample(void)
{
	return sw_json_fmt("{\"metadata\":{\"name\":\"pi\",\"labels\":{\"a.b/c\":\"v\",\"n\":3}},"
			   "\"spec\":{\"n\":5,\"big\":18446744073709551615,\"f\":1.5,\"on\":true,\"s\":\"5\",\"z\":"
			   "null,\"l\":[1,2]}}");
}

Test(json, readers_find_what_is_there)
{
	json_t *o = sample();

	cr_assert_str_eq(sw_json_str(o, "metadata.name"), "pi");
	cr_assert_eq(sw_json_int(o, "spec.n", -1), 5);
	cr_assert(sw_json_bool(o, "spec.on"));
	cr_assert_eq(sw_json_len(sw_json_at(o, "spec.l")), 2);
	cr_assert_eq(json_object_get_int(sw_json_idx(sw_json_at(o, "spec.l"), 1)), 2);
	cr_assert_str_eq(sw_json_label(o, "a.b/c"), "v");
	json_object_put(o);
}

Test(json, readers_never_convert_and_never_fail)
{
	json_t *o = sample();

	cr_assert_null(sw_json_str(o, "spec.n"), "a number is not a string");
	cr_assert_eq(sw_json_int(o, "spec.s", -1), -1, "a string is not a number");
	cr_assert_eq(sw_json_int(o, "spec.f", -1), -1, "a fraction is not a whole number");
	cr_assert_eq(sw_json_int(o, "spec.big", -1), -1, "what does not fit is not clamped");
	cr_assert_eq(sw_json_int(o, "spec.z", -1), -1);
	cr_assert(!sw_json_bool(o, "spec.n"));
	cr_assert_null(sw_json_at(o, "spec.n.deeper"));
	cr_assert_null(sw_json_at(o, ""));
	cr_assert_null(sw_json_at(o, "."));
	cr_assert_null(sw_json_at(NULL, "a.b"));
	cr_assert_null(sw_json_label(o, "n"));
	cr_assert_null(sw_json_annotation(o, "n"));
	cr_assert_eq(sw_json_len(o), 0);
	cr_assert_null(sw_json_idx(o, 0));
	cr_assert_null(sw_json_idx(sw_json_at(o, "spec.l"), 2));
	json_object_put(o);
}

Test(json, setting_makes_the_way_and_deleting_leaves_it)
{
	json_t *o = sw_json_fmt("{\"a\":3}");
	char *text;

	sw_json_set_str(o, "a.b.c", "x");
	sw_json_set_int(o, "a.n", 7);
	sw_json_set_bool(o, "t", true);
	sw_json_set_str(o, "none", NULL);
	sw_json_set_label(o, "x.y/z", "1");
	sw_json_set_annotation(o, "k.l", "2");
	sw_json_del(o, "a.b.c");
	sw_json_del(o, "a.b.c.d.e");
	sw_json_del(o, "t.no");
	text = sw_json_text(o, NULL);
	cr_assert_str_eq(text, "{\"a\":{\"b\":{},\"n\":7},\"t\":true,\"none\":null,"
			       "\"metadata\":{\"labels\":{\"x.y/z\":\"1\"},\"annotations\":{\"k.l\":\"2\"}}}");
	free(text);
	json_object_put(o);
}

Test(json, a_copy_is_equal_and_apart)
{
	json_t *o = sample(), *copy = sw_json_copy(o);
	char *a = sw_json_text(o, NULL), *b = sw_json_text(copy, NULL);

	cr_assert_str_eq(a, b);
	sw_json_set_int(copy, "spec.n", 6);
	cr_assert_eq(sw_json_int(o, "spec.n", 0), 5);
	cr_assert_null(sw_json_copy(NULL));
	free(a);
	free(b);
	json_object_put(o);
	json_object_put(copy);
}

Test(json, the_transition_time_moves_only_with_the_status)
{
	json_t *o = json_object_new_object(), *c;

	cr_assert(!sw_json_condition_true(o, "Ready"));
	cr_assert(sw_json_set_condition(o, "Ready", false, "Starting", "m", "t1"));
	cr_assert(!sw_json_set_condition(o, "Ready", false, "Starting", "m", "t2"), "nothing changed");
	c = sw_json_condition(o, "Ready");
	cr_assert_str_eq(sw_json_str(c, "lastTransitionTime"), "t1");
	cr_assert(sw_json_set_condition(o, "Ready", false, "Still", "m", "t3"));
	cr_assert_str_eq(sw_json_str(c, "lastTransitionTime"), "t1");
	cr_assert(sw_json_set_condition(o, "Ready", true, "Up", NULL, "t4"));
	cr_assert_str_eq(sw_json_str(c, "lastTransitionTime"), "t4");
	cr_assert(sw_json_condition_true(o, "Ready"));
	cr_assert(sw_json_set_condition(o, "Other", true, "R", "m", "t5"));
	cr_assert_eq(sw_json_len(sw_json_at(o, "status.conditions")), 2);
	json_object_put(o);
}

Test(json, conditions_of_another_shape_are_stepped_over)
{
	json_t *o =
		sw_json_fmt("{\"status\":{\"conditions\":[1,null,{\"type\":5},{\"type\":\"Ready\",\"status\":true}]}}");

	cr_assert_not_null(sw_json_condition(o, "Ready"));
	cr_assert(!sw_json_condition_true(o, "Ready"));
	sw_json_set_str(o, "status.conditions", "text");
	cr_assert_null(sw_json_condition(o, "Ready"));
	cr_assert(sw_json_set_condition(o, "Ready", true, "R", "m", "t"));
	cr_assert(sw_json_condition_true(o, "Ready"));
	json_object_put(o);
}
