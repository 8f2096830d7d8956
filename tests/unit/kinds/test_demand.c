/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include "kinds_test.h"

static struct sw_catalog *catalog(void)
{
	struct sw_catalog *c;
	struct sw_err e = sw_catalog_load(&c);

	cr_assert(!sw_failed(e), "%s", e.text);
	return c;
}

/* A Job of two pods with two GPUs each and these annotations. */
static json_t *gpu_job(const char *annotations)
{
	json_t *o = json_of(
		"{'apiVersion':'batch/"
		"v1','kind':'Job','metadata':{'name':'j'},'spec':{'parallelism':2,'completions':2,'template':{'spec':"
		"{'containers':[{'name':'c','resources':{'requests':{'cpu':'4','memory':'16Gi'},'limits':{'nvidia.com/"
		"gpu':'2'}}}]}}}}");

	if (annotations)
		sw_json_set(o, "metadata.annotations", json_of(annotations));
	return o;
}

Test(kinds_demand, a_plain_job_wants_what_its_pods_ask_for_and_no_spot)
{
	struct sw_catalog *c = catalog();
	json_t *o = gpu_job(NULL);
	struct sw_demand d;
	struct sw_err e = sw_demand_read(&sw_kind_job, o, c, &d);

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_expect_eq(d.n_sets, 1);
	cr_expect_eq(d.sets[0].count, 2);
	cr_expect_eq(d.sets[0].cpu_milli, 4000);
	cr_expect_eq(d.sets[0].memory_bytes, (int64_t)16 << 30);
	cr_expect_eq(d.sets[0].gpus, 2);
	cr_expect_str_eq(d.sets[0].gpu_resource, "nvidia.com/gpu");
	cr_expect_eq(d.gpus, 4);
	cr_expect_eq(sw_amounts_get(&d.total, "nvidia.com/gpu"), 4000);
	cr_expect_eq(sw_amounts_get(&d.total, "cpu"), 8000);
	cr_expect_eq(sw_amounts_get(&d.total, "pods"), 2000);
	cr_expect_eq(d.spot, SW_SPOT_NEVER);
	cr_expect(isinf(d.max_price) && d.n_models == 0 && !d.has_precision && !d.data && !d.deadline_ms &&
		  !d.gpu_memory_bytes);
	json_object_put(o);
	sw_catalog_free(c);
}

Test(kinds_demand, every_wish_is_read)
{
	struct sw_catalog *c = catalog();
	json_t *o = gpu_job("{'spillway.dev/gpu':'H100, A100-80GB "
			    ",h100','spillway.dev/gpu-memory':'40Gi','spillway.dev/precision':'bf16',"
			    "'spillway.dev/max-price':'12.50','spillway.dev/deadline':'2h','spillway.dev/data':'s3://"
			    "b@eu:5Gi','other.org/x':'y'}");
	struct sw_demand d;

	sw_json_set_label(o, SW_ANN_SPOT, "require"); /* labels are read too */
	struct sw_err e = sw_demand_read(&sw_kind_job, o, c, &d);

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_expect_eq(d.models[0], sw_catalog_gpu(c, "H100"));
	cr_expect_eq(d.models[d.n_models - 1], sw_catalog_gpu(c, "A100-80GB"));
	for (size_t i = 0; i + 1 < d.n_models; i++)
		cr_expect_str_eq(d.models[i]->family, "H100", "a family's name stands for its models, each once");
	cr_expect_eq(d.gpu_memory_bytes, (int64_t)40 << 30);
	cr_expect(d.has_precision && d.precision == SW_BF16);
	cr_expect_eq(d.spot, SW_SPOT_REQUIRE);
	cr_expect_float_eq(d.max_price, 12.5, 1e-9);
	cr_expect_eq(d.deadline_ms, 7200000);
	cr_expect_str_eq(d.data, "s3://b@eu:5Gi");
	cr_expect_str_eq(d.place.region, "eu");
	cr_expect_eq(d.place.bytes, (int64_t)5 << 30);
	json_object_put(o);
	sw_catalog_free(c);
}

Test(kinds_demand, a_bad_wish_is_refused_with_its_path_and_the_nearest_name)
{
	static const struct {
		const char *annotations, *says;
	} rows[] = {
		{"{'spillway.dev/gpu':'H10O'}",
		 "metadata.annotations[spillway.dev/gpu]: unknown GPU \"H10O\", did you mean"},
		{"{'spillway.dev/gpu':''}", "empty name"},
		{"{'spillway.dev/gpu':'H100,,A100'}", "empty name"},
		{"{'spillway.dev/"
		 "gpu':'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'}",
		 "unknown GPU"},
		{"{'spillway.dev/gpus':'H100'}", "did you mean \"spillway.dev/gpu\""},
		{"{'spillway.dev/':'x'}", "no such wish"},
		{"{'spillway.dev/gpu-memory':'0'}", "more than zero"},
		{"{'spillway.dev/gpu-memory':'-4Gi'}", "spillway.dev/gpu-memory"},
		{"{'spillway.dev/gpu-memory':'much'}", "spillway.dev/gpu-memory"},
		{"{'spillway.dev/gpu-memory':'99999999999Ei'}", "spillway.dev/gpu-memory"},
		{"{'spillway.dev/precision':'fp46'}", "spillway.dev/precision"},
		{"{'spillway.dev/spot':'alow'}", "did you mean \"allow\""},
		{"{'spillway.dev/spot':''}", "expected allow, never or require"},
		{"{'spillway.dev/max-price':'0'}", "USD per hour"},
		{"{'spillway.dev/max-price':'-1'}", "USD per hour"},
		{"{'spillway.dev/max-price':'inf'}", "USD per hour"},
		{"{'spillway.dev/max-price':'nan'}", "USD per hour"},
		{"{'spillway.dev/max-price':'0x10'}", "USD per hour"},
		{"{'spillway.dev/max-price':'1.2.3'}", "USD per hour"},
		{"{'spillway.dev/max-price':'$5'}", "USD per hour"},
		{"{'spillway.dev/max-price':''}", "USD per hour"},
		{"{'spillway.dev/max-price':'.'}", "USD per hour"},
		{"{'spillway.dev/deadline':'soon'}", "spillway.dev/deadline"},
		{"{'spillway.dev/deadline':'0s'}", "spillway.dev/deadline"},
		{"{'spillway.dev/deadline':'-1h'}", "spillway.dev/deadline"},
		{"{'spillway.dev/data':'bucket'}",
		 "metadata.annotations[spillway.dev/data]: found \"bucket\", expected where the data "
		 "is, such as \"s3://bucket@region:500Gi\": there is no \"://\""},
		{"{'spillway.dev/data':'://x'}", "unknown scheme \"\""},
		{"{'spillway.dev/gpu':'T4','spillway.dev/gpu-memory':'40Gi'}", "no model of the list will do: T4 has"},
		{"{'spillway.dev/gpu':'T4','spillway.dev/precision':'fp64'}", "T4 has no fp64"},
	};
	struct sw_catalog *c = catalog();

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = gpu_job(rows[i].annotations);
		struct sw_demand d;
		struct sw_err e = sw_demand_read(&sw_kind_job, o, c, &d);

		cr_expect_eq(e.code, SW_E_INVALID, "%s", rows[i].annotations);
		cr_expect(strstr(e.text, rows[i].says) != NULL, "%s: %s", rows[i].annotations, e.text);
		json_object_put(o);
	}
	sw_catalog_free(c);
}

Test(kinds_demand, a_wish_for_gpus_without_a_gpu_is_refused)
{
	static const char *const keys[] = {SW_ANN_GPU, SW_ANN_GPU_MEMORY, SW_ANN_PRECISION};
	static const char *const values[] = {"H100", "40Gi", "fp16"};
	struct sw_catalog *c = catalog();

	for (int i = 0; i < 3; i++) {
		json_t *o = gpu_job(NULL);
		struct sw_demand d;

		json_object_object_del(
			sw_json_at(sw_json_idx(sw_json_at(o, "spec.template.spec.containers"), 0), "resources"),
			"limits");
		cr_expect(!sw_failed(sw_demand_read(&sw_kind_job, o, c, &d)));
		sw_json_set_annotation(o, keys[i], values[i]);
		struct sw_err e = sw_demand_read(&sw_kind_job, o, c, &d);

		cr_expect(e.code == SW_E_INVALID && strstr(e.text, "no container asks for a GPU"), "%s: %s", keys[i],
			  e.text);
		json_object_put(o);
	}
	sw_catalog_free(c);
}

Test(kinds_demand, hostile_jobs_are_refused)
{
	static const struct {
		const char *spec, *says;
	} rows[] = {
		{"{}", "spec.template"},
		{"{'parallelism':2147483647,'template':{'spec':{'containers':[{'resources':{'limits':{'nvidia.com/"
		 "gpu':'9000000000000'}}}]}}}",
		 "add up to more"},
		{"{'template':{'spec':{'containers':[{'resources':{'limits':{'nvidia.com/gpu':1,'amd.com/gpu':1}}}]}}}",
		 "one kind of GPU"},
		{"{'template':{'spec':{'containers':[{'resources':{'limits':{'cpu':'0'}}}]}}}",
		 "spec.template.spec.containers[0].resources.limits[cpu]"},
	};
	struct sw_catalog *c = catalog();

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = json_object_new_object();
		struct sw_demand d;

		json_object_object_add(o, "spec", json_of(rows[i].spec));
		struct sw_err e = sw_demand_read(&sw_kind_job, o, c, &d);

		cr_expect(e.code == SW_E_INVALID && strstr(e.text, rows[i].says), "%s: %s", rows[i].spec, e.text);
		json_object_put(o);
	}
	sw_catalog_free(c);
}

Test(kinds_demand, a_gpu_is_refused_in_words)
{
	static const struct {
		const char *annotations, *gpu, *why;
	} rows[] = {
		{NULL, "T4", NULL},
		{"{'spillway.dev/precision':'fp64'}", "T4", "T4 has no fp64"},
		{"{'spillway.dev/precision':'fp64'}", "V100", NULL},
		{"{'spillway.dev/gpu':'H100'}", "T4", "T4 is not among the GPUs asked for"},
		{"{'spillway.dev/gpu-memory':'20Gi'}", "T4", "the job needs 20Gi"},
		{"{'spillway.dev/gpu-memory':'20Gi'}", "L4", NULL},
	};
	struct sw_catalog *c = catalog();

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o = gpu_job(rows[i].annotations);
		struct sw_demand d;
		char buf[120];

		cr_assert(!sw_failed(sw_demand_read(&sw_kind_job, o, c, &d)));
		const char *why = sw_demand_refuses(&d, sw_catalog_gpu(c, rows[i].gpu), buf, sizeof(buf));

		cr_expect_eq(why == NULL, rows[i].why == NULL, "%s on %s: %s", rows[i].annotations, rows[i].gpu, why);
		if (why && rows[i].why)
			cr_expect(strstr(why, rows[i].why) != NULL, "%s", why);
		json_object_put(o);
	}
	sw_catalog_free(c);
}

Test(kinds_demand, a_workloads_pod_sets_say_what_a_job_without_templates_asks_for)
{
	struct sw_catalog *c = catalog();
	json_t *sets = json_of(
		"[{'name':'node','count':4,'template':{'spec':{'containers':[{'name':'n','resources':{'limits':{"
		"'nvidia.com/gpu':'8'},'requests':{'cpu':'0'}}}]}}},{'name':'init','template':{'spec':{}}}]");
	json_t *job = json_of("{'metadata':{'annotations':{'spillway.dev/gpu':'H100'}}}");
	struct sw_demand d;
	struct sw_err e = sw_demand_of_podsets(sets, job, c, &d);

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_expect_eq(d.n_sets, 2);
	cr_expect_str_eq(d.sets[0].name, "node");
	cr_expect_str_eq(d.sets[0].path, "spec.podSets[0].template");
	cr_expect_eq(d.sets[1].count, 1);
	cr_expect_eq(d.gpus, 32);
	cr_expect_gt(d.n_models, 0);
	cr_expect_eq(sw_amounts_get(&d.total, "pods"), 5000);
	e = sw_demand_of_podsets(sets, NULL, c, &d);
	cr_expect(!sw_failed(e) && d.n_models == 0, "%s", e.text);
	json_object_put(job);
	json_object_put(sets);
	sw_catalog_free(c);
}

Test(kinds_demand, pod_sets_of_a_workload_that_cannot_be_are_refused)
{
	static const struct {
		const char *sets, *text;
	} rows[] = {
		{"[]", "spec.podSets: found 0"},
		{"{}", "spec.podSets: found 0"},
		{"[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]", "spec.podSets: found 19"},
		{"[{'count':1}]", "spec.podSets[0]: name"},
		{"[7]", "spec.podSets[0]: name"},
		{"[{'name':'a','count':-1}]", "spec.podSets[0]: count"},
		{"[{'name':'a'},{'name':'b','count':4294967296}]", "spec.podSets[1]: count"},
		{"[{'name':'a','template':{'spec':{'containers':[{'resources':{'requests':{'cpu':'x'}}}]}}}]",
		 "spec.podSets[0].template.spec.containers[0]"},
	};
	struct sw_catalog *c = catalog();

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *sets = json_of(rows[i].sets);
		struct sw_demand d;
		struct sw_err e = sw_demand_of_podsets(sets, NULL, c, &d);

		cr_expect_eq(e.code, SW_E_INVALID, "%s", rows[i].sets);
		cr_expect(strstr(e.text, rows[i].text) != NULL, "%s: %s", rows[i].sets, e.text);
		json_object_put(sets);
	}
	sw_catalog_free(c);
}
