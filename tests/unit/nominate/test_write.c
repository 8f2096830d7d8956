/* SPDX-License-Identifier: Apache-2.0 */
/* The first Workload has the managed fields that Kueue 0.19.2 leaves on a Workload with quota, cut down. */
#include "nominate_test.h"
#include "../../../gateway/nominate/write.h"

#define META "'name':'job-a','namespace':'ns','uid':'U','resourceVersion':'7'"
#define OWNED                                                                                                          \
	"{'manager':'kueue-admission','operation':'Apply','subresource':'status','time':'2026-11-23T21:00:05Z',"       \
	"'apiVersion':'kueue.x-k8s.io/v1beta2','fieldsType':'FieldsV1','fieldsV1':{'f:status':{"                       \
	"'f:admission':{'f:clusterQueue':{},'f:podSetAssignments':{'k:{\\\"name\\\":\\\"main\\\"}':{'.':{},'f:name':{" \
	"},"                                                                                                           \
	"'f:flavors':{'f:cpu':{}},'f:count':{}}}},"                                                                    \
	"'f:admissionChecks':{'k:{\\\"name\\\":\\\"mk\\\"}':{'.':{},'f:name':{},'f:state':{}}},"                       \
	"'f:conditions':{'k:{\\\"type\\\":\\\"QuotaReserved\\\"}':{'.':{},'f:type':{},'f:status':{}},"                 \
	"'k:{\\\"type\\\":\\\"Gone\\\"}':{'.':{},'f:type':{}}}}}}"
#define OTHERS                                                                                                         \
	"{'manager':'kueue','operation':'Update','apiVersion':'kueue.x-k8s.io/v1beta2','fieldsV1':{'f:spec':{}}},"     \
	"{'manager':'kueue-admission','operation':'Update','subresource':'status','fieldsV1':{'f:status':{"            \
	"'f:requeueState':{}}}},"
#define STATUS                                                                                                         \
	"{'admission':{'clusterQueue':'cq','podSetAssignments':[{'name':'main','count':2,'flavors':{'cpu':'f'},"       \
	"'notowned':1}]},'admissionChecks':[{'name':'other','state':'Ready'},{'name':'mk','state':'Pending','message'" \
	":"                                                                                                            \
	"'m'}],'conditions':[{'type':'PodsReady','status':'False'},{'type':'QuotaReserved','status':'True','reason':'" \
	"R'}"                                                                                                          \
	"],'reclaimablePods':[1]}"
#define WORKLOAD                                                                                                       \
	"{'apiVersion':'kueue.x-k8s.io/v1beta2','kind':'Workload','metadata':{" META ",'managedFields':[" OTHERS OWNED \
	"]},'spec':{'queueName':'q'},'status':" STATUS "}"

static const char *const two[] = {"w1", "w2"};

Test(nominate_write, an_apply_repeats_all_that_kueue_owns_and_nothing_else)
{
	json_t *w = json_of(WORKLOAD), *body,
	       *expect = json_of(
		       "{'apiVersion':'kueue.x-k8s.io/v1beta2','kind':'Workload','metadata':{" META "},'status':{"
		       "'admission':{'clusterQueue':'cq','podSetAssignments':[{'name':'main','flavors':{'cpu':'f'},"
		       "'count':2}]},'admissionChecks':[{'name':'mk','state':'Pending'}],"
		       "'conditions':[{'type':'QuotaReserved','status':'True'}],'nominatedClusterNames':['w1','w2']}}");
	struct sw_err e = nominate_apply(w, two, 2, &body);

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_expect(json_object_equal(body, expect), "%s", json_object_to_json_string(body));
	cr_expect(nominate_is_applied(w));
	json_object_put(body);
	json_object_put(expect);
	json_object_put(w);
}

Test(nominate_write, names_that_were_there_are_replaced_by_the_longer_list)
{
	json_t *w = json_of("{'apiVersion':'v','metadata':{'managedFields':[{'manager':'kueue-admission','operation':'"
			    "Apply',"
			    "'subresource':'status','apiVersion':'v','fieldsV1':{'f:status':{'f:nominatedClusterNames':"
			    "{}}}}]},"
			    "'status':{'nominatedClusterNames':['w1']}}"),
	       *body;
	struct sw_err e = nominate_apply(w, two, 2, &body);

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_expect_eq(sw_json_len(sw_json_at(body, "status.nominatedClusterNames")), 2);
	json_object_put(body);
	json_object_put(w);
}

#define ENTRY(fields)                                                                                                  \
	"{'apiVersion':'v','metadata':{'managedFields':[{'manager':'kueue-admission','operation':'Apply','"            \
	"subresource':"                                                                                                \
	"'status','apiVersion':'v','fieldsV1':{'f:status':" fields "}}]},'status':" STATUS "}"

static const struct {
	const char *workload, *text;
} bad[] = {
	{"{'apiVersion':'kueue.x-k8s.io/"
	 "v1beta2','metadata':{'managedFields':[{'manager':'kueue-admission','operation':'Apply',"
	 "'subresource':'status','apiVersion':'kueue.x-k8s.io/v1beta1'}]}}",
	 "Kueue wrote this Workload as kueue.x-k8s.io/v1beta1"},
	{ENTRY("{'x:admission':{}}"), "expected f:"},
	{ENTRY("{'f:admission':7}"), "f:admission: expected a map of fields"},
	{ENTRY("{'f:conditions':{'k:{':{}}}"), "f:conditions"},
	{ENTRY("{'f:conditions':{'f:type':{}}}"), "expected k: or v:"},
	{ENTRY("{'f:conditions':{'i:0':{}}}"), "expected k: or v:"},
	{ENTRY("[]"), "expected a map of fields"},
};

Test(nominate_write, what_cannot_be_repeated_for_certain_is_not_written)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		json_t *w = json_of(bad[i].workload), *body = w;
		struct sw_err e = nominate_apply(w, two, 2, &body);

		cr_expect_eq(e.code, SW_E_INVALID, "row %zu", i);
		cr_expect(strstr(e.text, bad[i].text) != NULL, "row %zu: %s", i, e.text);
		cr_expect_null(body);
		json_object_put(w);
	}
}

Test(nominate_write, sets_whole_values_and_fields_that_went_are_followed)
{
	json_t *w = json_of(
		       "{'apiVersion':'v','metadata':{'managedFields':[7,[],{'manager':'kueue-admission','operation':"
		       "'Apply','subresource':'status','apiVersion':'v','fieldsV1':{'f:status':{'f:names':{'v:"
		       "\\\"a\\\"':{},"
		       "'v:\\\"gone\\\"':{}},'f:whole':{},'f:empty':{'.':{}},'f:leaf':{'f:deeper':{}},'f:absent':{}}}}]"
		       "},"
		       "'status':{'names':['a','b'],'whole':{'x':[1]},'empty':{'y':1},'leaf':3}}"),
	       *body,
	       *expect =
		       json_of("{'names':['a'],'whole':{'x':[1]},'empty':{},'leaf':3,'nominatedClusterNames':['w1']}");
	struct sw_err e = nominate_apply(w, two, 1, &body);

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_expect(json_object_equal(sw_json_key(body, "status"), expect), "%s", json_object_to_json_string(body));
	json_object_put(expect);
	json_object_put(body);
	json_object_put(w);
}

Test(nominate_write, a_tree_of_fields_without_end_is_refused)
{
	json_t *w = json_of(ENTRY("{}")), *value = json_object_new_object(), *fields = json_object_new_object(), *body;
	json_t *v = value, *f = fields;

	for (int i = 0; i < 40; i++) {
		json_t *in = json_object_new_object(), *under = json_object_new_object();

		json_object_object_add(v, "a", in);
		json_object_object_add(f, "f:a", under);
		v = in;
		f = under;
	}
	json_object_object_add(w, "status", value);
	json_object_object_add(sw_json_key(sw_json_idx(sw_json_at(w, "metadata.managedFields"), 0), "fieldsV1"),
			       "f:status", fields);
	cr_expect_eq(nominate_apply(w, two, 1, &body).code, SW_E_INVALID);
	json_object_put(w);
}

Test(nominate_write, a_patch_names_what_it_was_decided_on)
{
	json_t *w = json_of(WORKLOAD), *body = nominate_patch(w, two, 1),
	       *expect = json_of(
		       "{'metadata':{'uid':'U','resourceVersion':'7'},'status':{'nominatedClusterNames':['w1']}}");

	cr_expect(json_object_equal(body, expect), "%s", json_object_to_json_string(body));
	json_object_put(expect);
	json_object_put(body);
	json_object_put(w);
}

Test(nominate_write, the_time_of_the_nomination_is_read_from_its_owners_entry)
{
	static const struct {
		const char *fields;
		int64_t ms;
	} rows[] = {
		{"[]", 0},
		{"{}", 0},
		{"[{'time':'2026-11-23T21:00:05Z','fieldsV1':{'f:status':{'f:conditions':{}}}}]", 0},
		{"[{'time':'1970-01-01T00:00:05Z','fieldsV1':{'f:status':{'f:nominatedClusterNames':{}}}}]", 5000},
		{"[{'time':'1970-01-01T00:00:05Z','fieldsV1':{'f:status':{'f:nominatedClusterNames':{}}}},"
		 "{'time':'1970-01-01T00:00:09Z','fieldsV1':{'f:status':{'f:nominatedClusterNames':{}}}}]",
		 9000},
		{"[{'time':'soon','fieldsV1':{'f:status':{'f:nominatedClusterNames':{}}}}]", 0},
		{"[{'fieldsV1':[]},7]", 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *w = json_object_new_object();

		sw_json_set(w, "metadata.managedFields", json_of(rows[i].fields));
		cr_expect_eq(nominate_written_ms(w), rows[i].ms, "%s", rows[i].fields);
		cr_expect_not(nominate_is_applied(w));
		json_object_put(w);
	}
}
