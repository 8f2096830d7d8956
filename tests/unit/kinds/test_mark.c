/* SPDX-License-Identifier: Apache-2.0 */
/* test_mark.c - which jobs are marked, and with which patch */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/mark.h"
#include "spillway/text.h"

static json_t *parse(const char *text)
{
	json_t *o;
	struct sw_err e = sw_json_parse(text, strlen(text), &o);
	cr_assert(!sw_failed(e), "%s: %s", text, e.text);
	return o;
}

Test(mark, each_kind_gets_its_patch_unless_somebody_else_manages_it)
{
#define SPEC_PATCH                                                                                                     \
	"[{\"op\":\"add\",\"path\":\"\\/spec\\/managedBy\",\"value\":\"kueue.x-k8s.io\\/"                              \
	"multikueue\"},{\"op\":\"add\","                                                                               \
	"\"path\":\"\\/spec\\/suspend\",\"value\":true}]"
#define RUN_PATCH                                                                                                      \
	"{\"op\":\"add\",\"path\":\"\\/spec\\/runPolicy\\/managedBy\",\"value\":\"kueue.x-k8s.io\\/multikueue\"},{"    \
	"\"op\":\"add\",\"path\":\"\\/spec\\/runPolicy\\/suspend\",\"value\":true}]"
	static const struct {
		const char *job, *patch; /* NULL: none */
	} rows[] = {
		{"{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"spec\":{}}", SPEC_PATCH},
		{"{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"spec\":{\"managedBy\":\"kubernetes.io/"
		 "job-controller\"}}",
		 SPEC_PATCH},
		{"{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"spec\":{\"managedBy\":\"acme.com/x\"}}", NULL},
		{"{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"spec\":{\"managedBy\":\"kueue.x-k8s.io/"
		 "multikueue\"}}",
		 NULL},
		{"{\"apiVersion\":\"kubeflow.org/v1\",\"kind\":\"PyTorchJob\",\"spec\":{}}",
		 "[{\"op\":\"add\",\"path\":\"\\/spec\\/runPolicy\",\"value\":{}}," RUN_PATCH},
		{"{\"apiVersion\":\"kubeflow.org/"
		 "v1\",\"kind\":\"TFJob\",\"spec\":{\"runPolicy\":{\"backoffLimit\":1}}}",
		 "[" RUN_PATCH},
		{"{\"apiVersion\":\"jobset.x-k8s.io/v1alpha2\",\"kind\":\"JobSet\",\"spec\":{}}", SPEC_PATCH},
		{"{\"apiVersion\":\"trainer.kubeflow.org/v1alpha1\",\"kind\":\"TrainJob\",\"spec\":{\"managedBy\":"
		 "\"trainer.kubeflow.org/trainjob-controller\"}}",
		 SPEC_PATCH},
		{"{\"apiVersion\":\"ray.io/v1\",\"kind\":\"RayJob\",\"spec\":{}}", SPEC_PATCH},
		{"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{}}", NULL},
		{"{}", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *job = parse(rows[i].job), *patch = sw_mark_patch(job);
		char *text = patch ? sw_json_text(patch, NULL) : NULL;
		json_t *wanted = rows[i].patch ? parse(rows[i].patch) : NULL;
		cr_expect(json_object_equal(patch, wanted), "row %zu: %s", i, text ? text : "none");
		free(text);
		json_object_put(wanted);
		json_object_put(patch);
		json_object_put(job);
	}
}

static enum sw_marking by_name(void *owner, const char *ns, const char *queue)
{
	(void)owner;
	if (strcmp(ns, "dark") == 0)
		return SW_MARK_UNKNOWN;
	return strcmp(ns, "team") == 0 && strcmp(queue, "q") == 0 ? SW_MARK_YES : SW_MARK_NO;
}

Test(mark, a_review_is_answered_by_the_queue)
{
#define REVIEW(ns, labels)                                                                                             \
	"{\"apiVersion\":\"admission.k8s.io/"                                                                          \
	"v1\",\"kind\":\"AdmissionReview\",\"request\":{\"uid\":\"u1\",\"namespace\":\"" ns                            \
	"\",\"object\":{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"labels\":{" labels                \
	"}},\"spec\":{}}}}"
#define WORKLOAD(ns, meta, set)                                                                                        \
	"{\"apiVersion\":\"admission.k8s.io/"                                                                          \
	"v1\",\"kind\":\"AdmissionReview\",\"request\":{\"uid\":\"u1\",\"namespace\":\"" ns                            \
	"\",\"object\":{\"apiVersion\":\"kueue.x-k8s.io/v1beta2\",\"kind\":\"Workload\",\"metadata\":{" meta           \
	"},\"spec\":{\"queueName\":\"q\",\"podSets\":[" set "]}}}}"
#define REQUIRED "{\"topologyRequest\":{\"required\":\"rack\"}}"
#define QUEUE(q) "\"kueue.x-k8s.io/queue-name\":\"" q "\""
	static const struct {
		const char *review;
		bool refused, allowed, patched;
	} rows[] = {
		{REVIEW("team", QUEUE("q")), false, true, true},
		{REVIEW("team", QUEUE("other")), false, true, false},
		{REVIEW("else", QUEUE("q")), false, true, false},
		{REVIEW("team", ""), false, true, false},
		{REVIEW("team", QUEUE("")), false, true, false},
		{REVIEW("dark", QUEUE("q")), false, false, false},
		{REVIEW("dark", ""), false, true, false}, /* no queue: no need to know any */
		{WORKLOAD("team", "", REQUIRED), false, true, true},
		{WORKLOAD("team", "", "{\"topologyRequest\":{\"podIndexLabel\":\"i\"}}"), false, true, false},
		{WORKLOAD("team", "\"labels\":{\"spillway.dev/origin\":\"other\"}", REQUIRED), false, true, false},
		{WORKLOAD("else", "", REQUIRED), false, true, false},
		{WORKLOAD("dark", "", REQUIRED), false, false, false},
		{"{}", true, false, false},
		{"{\"apiVersion\":\"admission.k8s.io/"
		 "v1beta1\",\"request\":{\"uid\":\"u\",\"namespace\":\"n\",\"object\":{}}}",
		 true, false, false},
		{"{\"apiVersion\":\"admission.k8s.io/"
		 "v1\",\"request\":{\"uid\":\"u\",\"namespace\":\"n\",\"object\":null}}",
		 true, false, false},
		{"{\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":7,\"namespace\":\"n\",\"object\":{}}}",
		 true, false, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *review = parse(rows[i].review), *out;
		struct sw_err e = sw_mark_review(review, by_name, NULL, &out);
		cr_expect_eq(sw_failed(e), rows[i].refused, "row %zu: %s", i, e.text);
		if (!sw_failed(e)) {
			cr_expect_str_eq(sw_json_str(out, "response.uid"), "u1", "row %zu", i);
			cr_expect_eq(sw_json_bool(out, "response.allowed"), rows[i].allowed, "row %zu", i);
			cr_expect_eq(sw_json_str(out, "response.patch") != NULL, rows[i].patched, "row %zu", i);
		}
		json_object_put(out);
		json_object_put(review);
	}
}
