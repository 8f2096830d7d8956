/* SPDX-License-Identifier: Apache-2.0 */
/* test_strict.c - decoding: shapes, types, unknown and duplicate fields */
#include "pure.h"

static const char JOB[] = "jobs.batch", PT[] = "pytorchjobs.kubeflow.org", POD[] = "pods", CM[] = "configmaps",
		  SECRET[] = "secrets";

struct row {
	const char *what, *id, *object, *dups;
	enum sw_fields mode;
	int code;
	const char *words;
};
static const struct row rows[] = {
	{"a plain job", JOB, "{'spec':{'parallelism':2,'template':{'spec':{'containers':[{'name':'c','image':'i'}]}}}}",
	 0, SW_FIELDS_STRICT, 0, NULL},
	{"an unknown field has its full path", JOB, "{'spec':{'foo':1}}", 0, SW_FIELDS_STRICT, 400,
	 "Job in version \"v1\" cannot be handled as a Job: strict decoding error: unknown field \"spec.foo\""},
	{"an unknown field inside a list has its index", JOB,
	 "{'spec':{'template':{'spec':{'containers':[{'name':'a'},{'name':'b','imagee':'x'}]}}}}", 0, SW_FIELDS_STRICT,
	 400, "unknown field \"spec.template.spec.containers[1].imagee\""},
	{"two unknown fields are both told", JOB, "{'foo':1,'spec':{'bar':2}}", 0, SW_FIELDS_STRICT, 400,
	 "unknown field \"foo\", unknown field \"spec.bar\""},
	{"a field is known by its exact case", JOB, "{'spec':{'Parallelism':1}}", 0, SW_FIELDS_STRICT, 400,
	 "unknown field \"spec.Parallelism\""},
	{"a duplicate field is told", JOB, "{'spec':{}}", "spec.suspend", SW_FIELDS_STRICT, 400,
	 "strict decoding error: duplicate field \"spec.suspend\""},
	{"warn lets an unknown field pass", JOB, "{'spec':{'foo':1}}", 0, SW_FIELDS_WARN, 0, NULL},
	{"ignore lets an unknown field pass", JOB, "{'spec':{'foo':1}}", 0, SW_FIELDS_IGNORE, 0, NULL},
	{"a string is no number", JOB, "{'spec':{'parallelism':'two'}}", 0, SW_FIELDS_IGNORE, 400,
	 "json: cannot unmarshal string into Go struct field JobSpec.spec.parallelism of type int32"},
	{"a fraction is no whole number", JOB, "{'spec':{'parallelism':1.5}}", 0, SW_FIELDS_IGNORE, 400,
	 "json: cannot unmarshal number 1.5 into Go struct field JobSpec.spec.parallelism of type int32"},
	{"an int32 has 32 bits", JOB, "{'spec':{'parallelism':3000000000}}", 0, SW_FIELDS_IGNORE, 400,
	 "number 3000000000 into Go struct field JobSpec.spec.parallelism of type int32"},
	{"an int32 has 32 bits below zero too", JOB, "{'spec':{'backoffLimit':-3000000000}}", 0, SW_FIELDS_IGNORE, 400,
	 "of type int32"},
	{"an int64 has 64 bits", JOB, "{'spec':{'activeDeadlineSeconds':18446744073709551615}}", 0, SW_FIELDS_IGNORE,
	 400, "of type int64"},
	{"a list is a list", JOB, "{'spec':{'template':{'spec':{'containers':{}}}}}", 0, SW_FIELDS_IGNORE, 400,
	 "cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container"},
	{"an object is an object", JOB, "{'spec':[]}", 0, SW_FIELDS_IGNORE, 400,
	 "cannot unmarshal array into Go struct field Job.spec of type v1.JobSpec"},
	{"a label is a string", JOB, "{'metadata':{'labels':{'a':1}}}", 0, SW_FIELDS_IGNORE, 400,
	 "cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"},
	{"a map is a map", JOB, "{'metadata':{'labels':'x'}}", 0, SW_FIELDS_IGNORE, 400, "of type map[string]string"},
	{"a bool is no string", JOB, "{'spec':{'suspend':'true'}}", 0, SW_FIELDS_IGNORE, 400, "of type bool"},
	{"metadata must be an object", JOB, "{'metadata':7}", 0, SW_FIELDS_IGNORE, 400, "of type v1.ObjectMeta"},
	{"a null is nothing", JOB, "{'metadata':{'creationTimestamp':null},'spec':{'suspend':null},'status':null}", 0,
	 SW_FIELDS_STRICT, 0, NULL},
	{"a quantity must be one", POD, "{'spec':{'containers':[{'name':'c','resources':{'limits':{'cpu':'lots'}}}]}}",
	 0, SW_FIELDS_IGNORE, 400, "spec.containers[0].resources.limits[cpu]"},
	{"a quantity must fit", POD,
	 "{'spec':{'containers':[{'name':'c','resources':{'limits':{'memory':'99999999999Ei'}}}]}}", 0,
	 SW_FIELDS_IGNORE, 400, "limits[memory]"},
	{"a quantity may be a number", POD, "{'spec':{'containers':[{'name':'c','resources':{'limits':{'cpu':2}}}]}}",
	 0, SW_FIELDS_STRICT, 0, NULL},
	{"a quantity is no object", POD, "{'spec':{'overhead':{'cpu':{}}}}", 0, SW_FIELDS_IGNORE, 400,
	 "of type resource.Quantity"},
	{"a time must be one", JOB, "{'status':{'startTime':'yesterday'}}", 0, SW_FIELDS_IGNORE, 400,
	 "status.startTime"},
	{"secret data is base64", SECRET, "{'data':{'k':'not base64!'}}", 0, SW_FIELDS_IGNORE, 400, "data[k]"},
	{"secret data in base64", SECRET, "{'data':{'k':'aGk='}}", 0, SW_FIELDS_STRICT, 0, NULL},
	{"config data is text", CM, "{'data':{'k':{}}}", 0, SW_FIELDS_IGNORE, 400, "of type string"},
	{"another kind", JOB, "{'kind':'Pod','apiVersion':'v1'}", 0, SW_FIELDS_IGNORE, 400,
	 "expected batch/v1, Kind=Job"},
	{"another version", JOB, "{'kind':'Job','apiVersion':'batch/v2'}", 0, SW_FIELDS_IGNORE, 400,
	 "the object provided is batch/v2"},
	{"kind of a wrong type", JOB, "{'kind':{},'apiVersion':'batch/v1'}", 0, SW_FIELDS_IGNORE, 400,
	 "expected batch/v1"},
	{"no object at all", JOB, "[]", 0, SW_FIELDS_IGNORE, 400, "the body is array"},
	{"a list item that is null", JOB, "{'spec':{'template':{'spec':{'containers':[null]}}}}", 0, SW_FIELDS_IGNORE,
	 400, "containers[0]"},
	{"a training job", PT,
	 "{'spec':{'pytorchReplicaSpecs':{'Master':{'replicas':1,'template':{'spec':{'containers':[{'name':'pytorch'}]}"
	 "}}}}}",
	 0, SW_FIELDS_STRICT, 0, NULL},
	{"a wrong type in a CRD kind is 422", PT,
	 "{'metadata':{'name':'t'},'spec':{'runPolicy':{'backoffLimit':'x'},'pytorchReplicaSpecs':{}}}", 0,
	 SW_FIELDS_IGNORE, 422,
	 "spec.runPolicy.backoffLimit: Invalid value: \"string\": spec.runPolicy.backoffLimit in body must be of type "
	 "integer"},
	{"an unknown field in a CRD kind is told", PT, "{'spec':{'pytorchReplicaSpecs':{'Master':{'replcas':1}}}}", 0,
	 SW_FIELDS_STRICT, 400,
	 "PyTorchJob in version \"v1\" cannot be handled as a PyTorchJob: strict decoding error: unknown field "
	 "\"spec.pytorchReplicaSpecs.Master.replcas\""},
};

Test(strict, says_what_is_wrong_and_where)
{
	struct sw_schema *s = schema_or_die();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		json_t *o = json_of(r->object);

		refused(r->what, sw_object_decode(s, sw_resource_by_id(r->id), o, r->dups, r->mode, NULL), r->code,
			r->words);
		json_object_put(o);
	}
	sw_schema_free(s);
	no_leaks();
}

Test(strict, makes_what_it_accepts_canonical)
{
	static const struct {
		const char *what, *id, *in, *out;
	} canon[] = {
		{"kind and version are filled in", "configmaps", "{}", "{'kind':'ConfigMap','apiVersion':'v1'}"},
		{"nulls go", "configmaps",
		 "{'kind':'ConfigMap','apiVersion':'v1','data':null,'metadata':{'creationTimestamp':null}}",
		 "{'kind':'ConfigMap','apiVersion':'v1','metadata':{}}"},
		{"unknown fields go", "configmaps", "{'kind':'ConfigMap','apiVersion':'v1','x':1,'metadata':{'y':2}}",
		 "{'kind':'ConfigMap','apiVersion':'v1','metadata':{}}"},
		{"quantities become text", "nodes",
		 "{'kind':'Node','apiVersion':'v1','status':{'capacity':{'cpu':8,'nvidia.com/gpu':2}}}",
		 "{'kind':'Node','apiVersion':'v1','status':{'capacity':{'cpu':'8','nvidia.com/gpu':'2'}}}"},
		{"times are in UTC", "jobs.batch",
		 "{'kind':'Job','apiVersion':'batch/v1','metadata':{'creationTimestamp':'2026-11-23T13:35:03+00:00'},"
		 "'status':{'startTime':'2026-11-23T15:35:03+02:00'}}",
		 "{'kind':'Job','apiVersion':'batch/v1','metadata':{'creationTimestamp':'2026-11-23T13:35:03Z'},"
		 "'status':{'startTime':'2026-11-23T13:35:03Z'}}"},
		{"annotations keep every byte", "configmaps",
		 "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'annotations':{'a':'{\\\"x\\\": 1}\\n'}}}",
		 "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'annotations':{'a':'{\\\"x\\\": 1}\\n'}}}"},
	};
	struct sw_schema *s = schema_or_die();

	for (size_t i = 0; i < sizeof(canon) / sizeof(canon[0]); i++) {
		json_t *o = json_of(canon[i].in);

		refused(canon[i].what,
			sw_object_decode(s, sw_resource_by_id(canon[i].id), o, NULL, SW_FIELDS_IGNORE, NULL), 0, NULL);
		same_json(canon[i].what, o, json_of(canon[i].out));
	}
	sw_schema_free(s);
	no_leaks();
}

Test(strict, warnings_are_collected)
{
	struct sw_schema *s = schema_or_die();
	json_t *o = json_of("{'spec':{'foo':1}}"), *warnings = json_object_new_array();

	refused("warn", sw_object_decode(s, sw_resource_by_id("jobs.batch"), o, "a.b, c", SW_FIELDS_WARN, warnings), 0,
		NULL);
	same_json("warnings", warnings,
		  json_of("['unknown field \\\"spec.foo\\\"','duplicate field \\\"a.b\\\"','duplicate field "
			  "\\\"c\\\"']"));
	json_object_put(o);
	sw_schema_free(s);
	no_leaks();
}

Test(strict, ten_thousand_unknown_fields_are_not_ten_thousand_messages)
{
	struct sw_schema *s = schema_or_die();
	json_t *o = json_object_new_object(), *no;

	for (int i = 0; i < 10000; i++) {
		char key[32];

		snprintf(key, sizeof(key), "field%d", i);
		json_object_object_add(o, key, json_object_new_int(i));
	}
	no = sw_object_decode(s, sw_resource_by_id("jobs.batch"), o, NULL, SW_FIELDS_STRICT, NULL);
	cr_assert_not_null(no);
	cr_expect_lt(strlen(sw_status_message(no)), 10000);
	json_object_put(no);
	json_object_put(o);
	sw_schema_free(s);
	no_leaks();
}

Test(strict, field_validation_words)
{
	enum sw_fields f;

	refused("none", sw_fields_parse(NULL, &f), 0, NULL);
	cr_expect_eq(f, SW_FIELDS_WARN);
	refused("Strict", sw_fields_parse("Strict", &f), 0, NULL);
	cr_expect_eq(f, SW_FIELDS_STRICT);
	refused("other", sw_fields_parse("strict", &f), 400, "expected Ignore, Strict or Warn");
	no_leaks();
}
