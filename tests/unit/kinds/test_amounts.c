/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds_test.h"

Test(kinds_amounts, a_pod_asks_for_what_the_scheduler_counts)
{
	static const struct {
		const char *what, *spec;
		int64_t cpu, memory_mi, gpus;
	} rows[] = {
		{"nothing", "{'containers':[{'name':'a'}]}", 0, 0, 0},
		{"sum of containers",
		 "{'containers':[{'resources':{'requests':{'cpu':'500m','memory':'1Gi'}}},"
		 "{'resources':{'requests':{'cpu':2,'memory':'512Mi'}}}]}",
		 2500, 1536, 0},
		{"limits stand in for absent requests",
		 "{'containers':[{'resources':{'limits':{'cpu':'3','nvidia.com/gpu':2},"
		 "'requests':{'cpu':'1'}}}]}",
		 1000, 0, 2},
		{"largest init container",
		 "{'initContainers':[{'resources':{'requests':{'cpu':'4'}}}],"
		 "'containers':[{'resources':{'requests':{'cpu':'1','memory':'1Gi'}}}]}",
		 4000, 1024, 0},
		{"sidecar counts beside the containers",
		 "{'initContainers':[{'restartPolicy':'Always','resources':{'requests':{'cpu':'1'}}}],"
		 "'containers':[{'resources':{'requests':{'cpu':'2'}}}]}",
		 3000, 0, 0},
		{"sidecar counts beside later init containers",
		 "{'initContainers':[{'restartPolicy':'Always','resources':{'requests':{'cpu':'1'}}},"
		 "{'resources':{'requests':{'cpu':'5'}}}],'containers':[{'resources':{'requests':{'cpu':'2'}}}]}",
		 6000, 0, 0},
		{"sidecar after an init container does not count beside it",
		 "{'initContainers':[{'resources':{'requests':{'cpu':'5'}}},"
		 "{'restartPolicy':'Always','resources':{'requests':{'cpu':'1'}}}],'containers':[{'resources':{'"
		 "requests':{'cpu':'2'}}}]}",
		 5000, 0, 0},
		{"overhead",
		 "{'overhead':{'cpu':'250m','memory':'64Mi'},'containers':[{'resources':{'requests':{'cpu':'1'}}}]}",
		 1250, 64, 0},
		{"pod level wins",
		 "{'resources':{'requests':{'cpu':'6'},'limits':{'memory':'2Gi'}},"
		 "'containers':[{'resources':{'requests':{'cpu':'1','nvidia.com/gpu':'1'}}}]}",
		 6000, 2048, 1},
		{"a number with a fraction", "{'containers':[{'resources':{'requests':{'cpu':0.5}}}]}", 500, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = json_object_new_object();
		struct sw_amounts a;

		json_object_object_add(o, "spec", json_of(rows[i].spec));
		struct sw_err e = sw_pod_amounts(sw_json_key(o, "spec"), "spec", true, &a);

		cr_expect(!sw_failed(e), "%s: %s", rows[i].what, e.text);
		cr_expect_eq(sw_amounts_get(&a, "cpu"), rows[i].cpu, "%s", rows[i].what);
		cr_expect_eq(sw_amounts_get(&a, "memory"), (rows[i].memory_mi << 20) * 1000, "%s", rows[i].what);
		cr_expect_eq(sw_amounts_get(&a, "nvidia.com/gpu"), rows[i].gpus * 1000, "%s", rows[i].what);
		json_object_put(o);
	}
}

Test(kinds_amounts, bad_quantities_are_refused_with_their_path)
{
	static const struct {
		const char *spec, *path;
	} rows[] = {
		{"{'containers':[{'resources':{'limits':{'cpu':'0'}}}]}",
		 "spec.template.spec.containers[0].resources.limits[cpu]"},
		{"{'containers':[{},{'resources':{'requests':{'memory':'-1Gi'}}}]}",
		 "spec.template.spec.containers[1].resources.requests[memory]"},
		{"{'containers':[{'resources':{'limits':{'nvidia.com/gpu':'500m'}}}]}", "limits[nvidia.com/gpu]"},
		{"{'containers':[{'resources':{'limits':{'nvidia.com/gpu':0}}}]}", "limits[nvidia.com/gpu]"},
		{"{'containers':[{'resources':{'limits':{'cpu':'lots'}}}]}", "limits[cpu]"},
		{"{'containers':[{'resources':{'limits':{'cpu':''}}}]}", "limits[cpu]"},
		{"{'containers':[{'resources':{'limits':{'cpu':[]}}}]}", "limits[cpu]"},
		{"{'containers':[{'resources':{'limits':{'cpu':null}}}]}", "limits[cpu]"},
		{"{'containers':[{'resources':{'limits':{'memory':'16Ei'}}}]}", "limits[memory]"},
		{"{'containers':[{'resources':{'limits':{'memory':'1e300'}}}]}", "limits[memory]"},
		{"{'initContainers':[{'resources':{'requests':{'cpu':'-5'}}}],'containers':[]}",
		 "initContainers[0].resources.requests[cpu]"},
		{"{'overhead':{'cpu':'x'},'containers':[]}", "spec.template.spec.overhead[cpu]"},
		{"{'containers':[{'resources':{'limits':{'cpu':'5000000000000000'}}},{'resources':{'limits':{'cpu':'"
		 "5000000000000000'}}}]}",
		 "add up to more"},
		{"{'containers':[{'resources':{'limits':{'a':1,'b':1,'c':1,'d':1,'e':1,'f':1,'g':1,'h':1,'i':1,'j':1,'"
		 "k':1,'l':1,'m':1,'n':1,'o':1,'p':1,'q':1}}}]}",
		 "more than 16"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = json_object_new_object();
		struct sw_amounts a;

		json_object_object_add(o, "spec", json_of(rows[i].spec));
		struct sw_err e = sw_pod_amounts(sw_json_key(o, "spec"), "spec.template.spec", true, &a);

		cr_expect_eq(e.code, SW_E_INVALID, "%s", rows[i].spec);
		cr_expect(strstr(e.text, rows[i].path) != NULL, "%s: %s", rows[i].spec, e.text);
		json_object_put(o);
	}
}

Test(kinds_amounts, what_is_no_pod_asks_for_nothing)
{
	static const char *const rows[] = {"{}",
					   "[]",
					   "null",
					   "{'spec':7}",
					   "{'spec':{'containers':{}}}",
					   "{'spec':{'containers':[1,null,'x']}}",
					   "{'spec':{'containers':[{'resources':[]}]}}"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = json_of(rows[i]);
		struct sw_amounts a;

		cr_expect(!sw_failed(sw_pod_amounts(sw_json_key(o, "spec"), "spec", true, &a)), "%s", rows[i]);
		cr_expect_eq(a.n, 0, "%s", rows[i]);
		json_object_put(o);
	}
}

Test(kinds_amounts, sums_that_overflow_are_refused)
{
	struct sw_amounts a = {.at = {{"cpu", ((int64_t)1 << 53) * 1000 - 5}}, .n = 1},
			  b = {.at = {{"cpu", 3}}, .n = 1};

	cr_expect(!sw_failed(sw_amounts_add(&a, &b, 1)));
	cr_expect(sw_failed(sw_amounts_add(&a, &b, 1)));
	a = b;
	cr_expect(sw_failed(sw_amounts_add(&a, &b, INT64_MAX / 2)));
}
