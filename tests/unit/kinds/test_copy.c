/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds_test.h"

static const char job_text[] =
	"{'apiVersion':'batch/"
	"v1','kind':'Job','brandNew':7,'metadata':{'name':'pi','namespace':'ns','uid':'U','resourceVersion':'5','"
	"generation':2,"
	"'generateName':'p-','creationTimestamp':'T','finalizers':['f'],'ownerReferences':[{}],'managedFields':[{}],'"
	"labels':{'team':'a'},"
	"'annotations':{'kubectl.kubernetes.io/last-applied-configuration':'{}','keep':'me','spillway.dev/"
	"attempt':'99'}},"
	"'spec':{'futureField':[1],'suspend':false,'managedBy':'kueue.x-k8s.io/multikueue','ttlSecondsAfterFinished':5,"
	"'selector':{'matchLabels':{'batch.kubernetes.io/"
	"controller-uid':'U'}},'template':{'metadata':{'labels':{'app':'x','controller-uid':'U',"
	"'batch.kubernetes.io/controller-uid':'U','job-name':'pi','batch.kubernetes.io/job-name':'pi'}},"
	"'spec':{'nodeSelector':{'disk':'ssd'},'tolerations':[{'key':'a'}],'containers':[{'name':'c'}]}}},'status':{'"
	"active':1}}";

Test(kinds_copy, a_copy_keeps_the_job_and_drops_what_is_the_managers)
{
	json_t *job = json_of(job_text), *before = sw_json_copy(job);
	struct sw_copy_spec spec = {
		.origin = "org1", .workload_key = "ns/job-pi-12345", .owner_uid = "U", .attempt = 2, .pool = "p1"};
	json_t *copy = sw_kind_copy(&sw_kind_job, job, &spec),
	       *expect = json_of(
		       "{'apiVersion':'batch/v1','kind':'Job','brandNew':7,'metadata':{'name':'pi','namespace':'ns',"
		       "'labels':{'team':'a','spillway.dev/origin':'org1','spillway.dev/workload':'job-pi-12345'},"
		       "'annotations':{'keep':'me','spillway.dev/attempt':'2','spillway.dev/workload-key':'ns/"
		       "job-pi-12345','spillway.dev/owner-uid':'U','spillway.dev/pool':'p1'}},"
		       "'spec':{'futureField':[1],'suspend':true,'template':{'metadata':{'labels':{'app':'x','spillway."
		       "dev/origin':'org1','spillway.dev/workload':'job-pi-12345'},"
		       "'annotations':{'spillway.dev/attempt':'2','spillway.dev/workload-key':'ns/"
		       "job-pi-12345','spillway.dev/owner-uid':'U','spillway.dev/pool':'p1'}},"
		       "'spec':{'nodeSelector':{'disk':'ssd'},'tolerations':[{'key':'a'}],'containers':[{'name':'c'}]}}"
		       "}}");

	cr_expect(json_object_equal(copy, expect), "%s", json_object_to_json_string(copy));
	cr_expect(json_object_equal(job, before), "the job itself is left alone");
	json_object_put(expect);
	json_object_put(copy);
	json_object_put(before);
	json_object_put(job);
}

Test(kinds_copy, a_users_own_selector_travels)
{
	json_t *job = json_of(
		"{'metadata':{'name':'a'},'spec':{'manualSelector':true,'selector':{'matchLabels':{'job-name':'a'}},"
		"'template':{'metadata':{'labels':{'job-name':'a'}},'spec':{}}}}");
	struct sw_copy_spec spec = {.origin = "o", .workload_key = "ns/w", .owner_uid = "U", .attempt = 1};
	json_t *copy = sw_kind_copy(&sw_kind_job, job, &spec);

	cr_expect(sw_json_at(copy, "spec.selector.matchLabels"));
	cr_expect_str_eq(sw_json_label(sw_json_at(copy, "spec.template"), "job-name"), "a");
	json_object_put(copy);
	json_object_put(job);
}

Test(kinds_copy, every_template_of_a_training_job_gets_its_identity)
{
	json_t *job = json_of(
		"{'metadata':{'name':'t'},'spec':{'runPolicy':{'managedBy':'kueue.x-k8s.io/"
		"multikueue','ttlSecondsAfterFinished':1,'backoffLimit':3},"
		"'pytorchReplicaSpecs':{'Master':{'template':{'spec':{}}},'Worker':{'replicas':2,'template':{}}}}}");
	struct sw_copy_spec spec = {.origin = "o", .workload_key = "ns/w", .owner_uid = "U", .attempt = 1};
	json_t *copy = sw_kind_copy(&sw_kind_pytorch, job, &spec);

	cr_expect_str_eq(sw_json_label(sw_json_at(copy, "spec.pytorchReplicaSpecs.Master.template"), SW_LABEL_ORIGIN),
			 "o");
	cr_expect_str_eq(
		sw_json_annotation(sw_json_at(copy, "spec.pytorchReplicaSpecs.Worker.template"), SW_ANN_ATTEMPT), "1");
	cr_expect_null(sw_json_at(copy, "spec.runPolicy.managedBy"));
	cr_expect_null(sw_json_at(copy, "spec.runPolicy.ttlSecondsAfterFinished"));
	cr_expect_eq(sw_json_int(copy, "spec.runPolicy.backoffLimit", 0), 3);
	cr_expect(sw_kind_suspended(&sw_kind_pytorch, copy));
	json_object_put(copy);
	json_object_put(job);
}

/* json-c ends the process when it is told to delete a key of something that is no object. */
static const char *const misshapen[] = {
	"{'metadata':[],'spec':{'template':{'metadata':{'labels':[]}}}}",
	"{'metadata':{'annotations':[1],'labels':'x'},'spec':{'template':{'metadata':7}}}",
	"{'metadata':'x','spec':{'template':[]}}",
	"{'metadata':{},'spec':[]}",
};

Test(kinds_copy, a_misshapen_job_gives_a_copy_with_an_identity)
{
	struct sw_copy_spec spec = {.origin = "o", .workload_key = "ns/w", .owner_uid = "U", .attempt = 1};

	for (size_t i = 0; i < sizeof(misshapen) / sizeof(*misshapen); i++) {
		json_t *job = json_of(misshapen[i]), *copy = sw_kind_copy(&sw_kind_job, job, &spec);

		cr_expect_str_eq(sw_json_label(copy, SW_LABEL_ORIGIN), "o", "row %zu", i);
		json_object_put(copy);
		json_object_put(job);
	}
}
