/* SPDX-License-Identifier: Apache-2.0 */
/* test_topology.c - requests for a place are taken out of the manager's Workload and put into what a worker is offered
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "spillway/topology.h"

static json_t *parse(const char *text)
{
	json_t *o;
	struct sw_err e = sw_json_parse(text, strlen(text), &o);
	cr_assert(!sw_failed(e), "%s: %s", text, e.text);
	return o;
}

static void expect_same(json_t *found, const char *wanted, const char *row)
{
	json_t *w = wanted ? parse(wanted) : NULL;
	char *text = found ? sw_json_text(found, NULL) : NULL;

	cr_expect(json_object_equal(found, w), "%s: %s", row, text ? text : "none");
	free(text);
	json_object_put(w);
}

Test(topology, what_asks_for_a_place_is_hidden_and_how_pods_are_numbered_stays)
{
#define SETS(sets)  "{\"spec\":{\"podSets\":[" sets "]}}"
#define OP(i, rest) "{\"op\":\"replace\",\"path\":\"/spec/podSets/" #i "/topologyRequest\",\"value\":" rest "}"
	static const struct {
		const char *workload, *patch;
	} rows[] = {
		{SETS("{\"topologyRequest\":{\"required\":\"rack\",\"podIndexLabel\":\"i\",\"podSetGroupName\":\"g\"}"
		      "}"),
		 "[" OP(0, "{\"podIndexLabel\":\"i\"}") "]"},
		{SETS("{},{\"topologyRequest\":{\"preferred\":\"rack\",\"subGroupCount\":2}},"
		      "{\"topologyRequest\":{\"unconstrained\":false}}"),
		 "[" OP(1, "{\"subGroupCount\":2}") "," OP(2, "{}") "]"},
		{SETS("{\"topologyRequest\":{\"podSetSliceRequiredTopology\":\"rack\",\"podSetSliceSize\":2}}"),
		 "[" OP(0, "{}") "]"},
		{SETS("{\"topologyRequest\":{\"podsetSliceRequiredTopologyConstraints\":[]}}"), "[" OP(0, "{}") "]"},
		{SETS("{\"topologyRequest\":{\"podIndexLabel\":\"i\"}},{}"), NULL},
		{SETS("{\"topologyRequest\":7},8"), NULL},
		{SETS(""), NULL},
		{"{\"spec\":{\"podSets\":{\"topologyRequest\":{\"required\":\"rack\"}}}}", NULL},
		{"{}", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *w = parse(rows[i].workload), *patch = sw_topology_hide(w);

		expect_same(patch, rows[i].patch, rows[i].workload);
		json_object_put(patch);
		json_object_put(w);
	}
}

Test(topology, a_worker_is_asked_for_what_the_template_says)
{
#define SET(request, notes) "[{" request "\"template\":{\"metadata\":{\"annotations\":{" notes "}}}}]"
#define NOTE(name, value)   "\"kueue.x-k8s.io/podset-" name "\":\"" value "\""
	static const struct {
		const char *sets, *request; /* NULL: none */
	} rows[] = {
		{SET("", NOTE("required-topology", "rack")), "{\"required\":\"rack\"}"},
		{SET("\"topologyRequest\":{\"podIndexLabel\":\"i\",\"subGroupCount\":2},",
		     NOTE("preferred-topology", "rack")),
		 "{\"preferred\":\"rack\",\"podIndexLabel\":\"i\",\"subGroupCount\":2}"},
		{SET("", NOTE("required-topology", "rack") "," NOTE("preferred-topology",
								    "block") "," NOTE("group-name", "g")),
		 "{\"required\":\"rack\",\"podSetGroupName\":\"g\"}"},
		{SET("", NOTE("unconstrained-topology", "true")), "{\"unconstrained\":true}"},
		{SET("", NOTE("unconstrained-topology", "no")), "{\"unconstrained\":false}"},
		{SET("", NOTE("slice-required-topology", "rack") "," NOTE("slice-size", "4")),
		 "{\"podSetSliceRequiredTopology\":\"rack\",\"podSetSliceSize\":4}"},
		{SET("",
		     NOTE("slice-required-topology-constraints", "[{\\\"topology\\\":\\\"rack\\\",\\\"size\\\":2}]")),
		 "{\"podsetSliceRequiredTopologyConstraints\":[{\"topology\":\"rack\",\"size\":2}]}"},
		{SET("\"topologyRequest\":{\"required\":\"block\"},", NOTE("required-topology", "rack")),
		 "{\"required\":\"block\"}"},
		{SET("", NOTE("group-name", "g")), NULL},
		{SET("", NOTE("required-topology", "")), NULL},
		{SET("", NOTE("slice-required-topology", "rack")), NULL},
		{SET("", NOTE("slice-required-topology", "rack") "," NOTE("slice-size", "4x")), NULL},
		{SET("", NOTE("slice-required-topology", "rack") "," NOTE("slice-size", "-1")), NULL},
		{SET("", NOTE("slice-required-topology", "rack") "," NOTE("slice-size", "99999999999999999999")), NULL},
		{SET("", NOTE("slice-required-topology-constraints", "{")), NULL},
		{SET("", "\"kueue.x-k8s.io/podset-required-topology\":7"), NULL},
		{SET("", ""), NULL},
		{"[{\"template\":7}]", NULL},
		{"[{}]", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *sets = parse(rows[i].sets);

		sw_topology_show(sets);
		expect_same(sw_json_key(sw_json_idx(sets, 0), "topologyRequest"), rows[i].request, rows[i].sets);
		json_object_put(sets);
	}
}

Test(topology, pod_sets_of_another_shape_are_left_alone)
{
	static const char *const rows[] = {"[7,null,[]]", "{}", "7"};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *sets = parse(rows[i]);

		sw_topology_show(sets);
		expect_same(sets, rows[i], rows[i]);
		json_object_put(sets);
	}
	sw_topology_show(NULL);
}
