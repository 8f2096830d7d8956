/* SPDX-License-Identifier: Apache-2.0 */
/* test_event.c - the text of an Event */
#include <criterion/criterion.h>
#include <string.h>
#include "../../support/json_of.h"
#include "spillway/event.h"

static json_t *written(const struct sw_event_about *about, const char *message)
{
	struct sw_buf b;
	json_t *o = NULL;
	struct sw_kube_event e = {.about = about,
				  .name = "pi.1",
				  .reason = "Placed",
				  .message = message,
				  .reporter = "spillway.dev/dispatch",
				  .count = 2,
				  .first_ms = 1000,
				  .last_ms = 61000};

	sw_buf_init(&b, 4096);
	sw_event_write(&b, &e);
	cr_assert_not(sw_failed(sw_json_parse(b.at, b.len, &o)), "%s", b.at);
	sw_buf_fini(&b);
	return o;
}

Test(event, says_what_about_whom_and_since_when)
{
	struct sw_event_about pi = {"batch/v1", "Job", "team", "pi", "u-1"};
	json_t *o = written(&pi, "on \"east\"\n");
	json_t *expected = json_of(
		"{'apiVersion':'v1','kind':'Event','metadata':{'name':'pi.1','namespace':'team'},"
		"'involvedObject':{'apiVersion':'batch/v1','kind':'Job','namespace':'team','name':'pi','uid':'u-1'},"
		"'reason':'Placed','message':'on \\'east\\'\\n','source':{'component':'spillway'},"
		"'reportingInstance':'spillway','reportingComponent':'spillway.dev/dispatch','type':'Normal',"
		"'firstTimestamp':'1970-01-01T00:00:01Z','lastTimestamp':'1970-01-01T00:01:01Z','count':2}");

	cr_expect(json_object_equal(o, expected), "%s", json_object_to_json_string(o));
	json_object_put(o);
	json_object_put(expected);
}

Test(event, about_an_object_without_a_namespace_stands_in_default)
{
	struct sw_event_about check = {"kueue.x-k8s.io/v1beta2", "AdmissionCheck", "", "spillway", "u-2"};
	json_t *o = written(&check, "");

	cr_expect_str_eq(sw_json_str(o, "metadata.namespace"), "default");
	cr_expect_null(sw_json_str(o, "involvedObject.namespace"));
	json_object_put(o);
}

Test(event, names_are_the_objects_and_nobody_elses)
{
	struct sw_event_about pi = {"batch/v1", "Job", "team", "pi", "u-1"};
	char one[SW_EVENT_NAME], two[SW_EVENT_NAME];

	sw_event_name(&pi, one);
	sw_event_name(&pi, two);
	cr_expect_eq(strncmp(one, "pi.", 3), 0, "%s", one);
	cr_expect_str_neq(one, two);
	memset(pi.name, 'x', sizeof(pi.name) - 1);
	sw_event_name(&pi, one);
	cr_expect_leq(strlen(one), 253, "a name that an API server takes");
}
