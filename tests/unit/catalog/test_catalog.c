/* SPDX-License-Identifier: Apache-2.0 */
/* test_catalog.c - the carried tables, names, families, and hostile table text */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "spillway/catalog.h"
#include "spillway/text.h"

static struct sw_catalog *load(void)
{
	struct sw_catalog *c = NULL;
	struct sw_err e = sw_catalog_load(&c);
	cr_assert(!sw_failed(e), "%s", e.text);
	return c;
}

Test(catalog, every_name_finds_its_model)
{
	static const struct {
		const char *name, *model;
	} rows[] = {
		{"H100", "H100"},
		{"h100-80gb", "H100"},
		{"NVIDIA-H100-80GB-HBM3", "H100"},
		{"nvidia-h100-mega-80gb", "H100"},
		{"NVIDIA H100 NVL", "H100-NVL"},
		{"Tesla-T4", "T4"},
		{"nvidia-tesla-t4", "T4"},
		{"NVIDIA-A100-SXM4-40GB", "A100-40GB"},
		{"nvidia-tesla-a100", "A100-40GB"},
		{"NVIDIA-A100-80GB-PCIe", "A100-80GB"},
		{"Tesla_V100-SXM2-32GB", "V100-32GB"},
		{"v100", "V100"},
		{"nvidia-l4", "L4"},
		{"NVIDIA-L40S", "L40S"},
		{"AMD-Instinct-MI300X-OAM", "MI300X"},
		{"nvidia-h200-141gb", "H200"},
	};
	struct sw_catalog *c = load();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct sw_gpu *g = sw_catalog_gpu(c, rows[i].name);
		cr_assert(g && strcmp(g->model, rows[i].model) == 0, "%s gave %s", rows[i].name,
			  g ? g->model : "nothing");
	}
	static const char *const strangers[] = {
		"",
		"H1000",
		"nvidia-",
		"tesla-",
		"-",
		" ",
		"A100 80",
		"GTX",
		("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")};
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
		cr_assert_null(sw_catalog_gpu(c, strangers[i]), "\"%s\"", strangers[i]);
	cr_assert_null(sw_catalog_gpu(c, NULL));
	sw_catalog_free(c);
}

Test(catalog, a_plain_name_accepts_the_whole_family)
{
	struct sw_catalog *c = load();
	const struct sw_gpu *g[8];
	cr_assert_eq(sw_catalog_family(c, "a100", g, 8), 2);
	cr_assert_str_eq(g[0]->model, "A100-40GB");
	cr_assert_str_eq(g[1]->model, "A100-80GB");
	cr_assert_eq(sw_catalog_family(c, "A100-80GB", g, 8), 1);
	cr_assert_str_eq(g[0]->model, "A100-80GB");
	cr_assert_eq(sw_catalog_family(c, "V100", g, 1), 2, "the count does not depend on the room");
	cr_assert_eq(sw_catalog_family(c, "H100", g, 8), 3);
	cr_assert_eq(sw_catalog_family(c, "X100", g, 8), 0);
	sw_catalog_free(c);
}

Test(catalog, precisions_say_what_the_hardware_does)
{
	struct sw_catalog *c = load();
	cr_assert(!sw_gpu_can(sw_catalog_gpu(c, "T4"), SW_FP64));
	cr_assert(sw_gpu_can(sw_catalog_gpu(c, "T4"), SW_INT8));
	cr_assert(!sw_gpu_can(sw_catalog_gpu(c, "A100"), SW_FP8));
	cr_assert(sw_gpu_can(sw_catalog_gpu(c, "L4"), SW_FP8));
	cr_assert(sw_gpu_can(sw_catalog_gpu(c, "V100"), SW_FP64));
	cr_assert(!sw_gpu_can(sw_catalog_gpu(c, "V100"), SW_BF16));
	cr_assert(!sw_gpu_can(NULL, SW_FP32));
	enum sw_precision p;
	cr_assert(!sw_failed(sw_precision_parse("FP8", &p)) && p == SW_FP8);
	struct sw_err e = sw_precision_parse("bf61", &p);
	cr_assert_eq(e.code, SW_E_INVALID);
	cr_assert(strstr(e.text, "bf16"), "%s", e.text);
	sw_catalog_free(c);
}

Test(catalog, near_names_are_suggested)
{
	struct sw_catalog *c = load();
	cr_assert_str_eq(sw_catalog_nearest_gpu(c, "H10O"), "H100");
	cr_assert_str_eq(sw_catalog_nearest_gpu(c, "nvidia-a100-80g"), "A100-80GB");
	cr_assert_null(sw_catalog_nearest_gpu(c, "banana-plantation"));
	sw_catalog_free(c);
}

Test(catalog, machines_have_prices_or_none)
{
	struct sw_catalog *c = load();
	const struct sw_machine *m = sw_catalog_machine(c, "gcp", "a3-highgpu-8g", "us-central1");
	cr_assert_not_null(m);
	cr_assert_str_eq(m->model, "H100");
	cr_assert_eq(m->gpus, 8);
	cr_assert(m->price_hour > 80 && m->price_hour < 100, "%g", m->price_hour);
	cr_assert_gt(m->priced_at_ms, 1700000000000);
	m = sw_catalog_machine(c, "gke", "a3-highgpu-8g", "antarctica-south1");
	cr_assert_not_null(m, "what it holds does not depend on the region");
	cr_assert(isnan(m->price_hour) && isnan(m->spot_hour), "an unknown price is not a number");
	cr_assert_str_eq(m->region, "");
	m = sw_catalog_machine(c, "aks", "standard_nc24ads_a100_v4", "westeurope");
	cr_assert(m && strcmp(m->model, "A100-80GB") == 0);
	cr_assert_null(sw_catalog_machine(c, "gcp", "z9-unknown", "us-central1"));
	cr_assert_null(sw_catalog_machine(c, "azure", "a3-highgpu-8g", "us-central1"));
	sw_catalog_free(c);
}

Test(catalog, node_labels_tell_the_gpu)
{
	static const struct {
		const char *key, *value, *model;
	} rows[] = {
		{"spillway.dev/gpu", "V100", "V100"},
		{"nvidia.com/gpu.product", "NVIDIA-A100-SXM4-80GB", "A100-80GB"},
		{"nvidia.com/gpu.product", "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "A100-40GB-MIG-1g.5gb"},
		{"nvidia.com/gpu.product", "NVIDIA-A100-SXM4-40GB-MIG-9g.5gb", NULL},
		{"nvidia.com/gpu.product", "Tesla-T4-SHARED", NULL},
		{"cloud.google.com/gke-accelerator", "nvidia-h100-80gb", "H100"},
		{"accelerator", "nvidia", NULL},
		{"kubernetes.azure.com/accelerator", "nvidia", NULL},
		{"node.kubernetes.io/instance-type", "Standard_NC4as_T4_v3", "T4"},
		{"node.kubernetes.io/instance-type", "e2-standard-4", NULL},
	};
	struct sw_catalog *c = load();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *node = json_object_new_object();
		sw_json_set_label(node, rows[i].key, rows[i].value);
		const struct sw_gpu *g = sw_catalog_node_gpu(c, node);
		cr_assert(rows[i].model ? g && strcmp(g->model, rows[i].model) == 0 : !g, "%s=%s gave %s", rows[i].key,
			  rows[i].value, g ? g->model : "nothing");
		json_object_put(node);
	}
	cr_assert_null(sw_catalog_node_gpu(c, NULL));
	sw_catalog_free(c);
}

#define GPU_HEAD                                                                                                       \
	"model,family,vendor,resource,memory_gib,bandwidth_gbs,fp64,fp32,tf32,bf16,fp16,int8,fp8,mig,aliases,source,"  \
	"date\n"
#define MACHINE_HEAD "provider,type,model,gpus,cpu,memory_gib,region,price_hour,spot_hour,source,date\n"
#define GPU_OK       GPU_HEAD "X,X,v,v/gpu,8,,,5,,,,,,,,s,2026-01-01\n"

Test(catalog, broken_tables_are_refused_with_file_and_line)
{
	static const struct {
		const char *title, *gpus, *machines, *says;
	} rows[] = {
		{"no header", "", MACHINE_HEAD, "g.csv: empty"},
		{"wrong column", "model,familie\n", MACHINE_HEAD, "g.csv:1: column 2 is \"familie\""},
		{"short row", GPU_HEAD "X,X\n", MACHINE_HEAD, "g.csv:2: 2 fields"},
		{"long row", GPU_OK "Y,Y,v,v/gpu,8,,,5,,,,,,,,s,2026-01-01,more\n", MACHINE_HEAD, "g.csv:3: 18 fields"},
		{"too many columns", GPU_OK ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n", MACHINE_HEAD,
		 "more than 24 columns"},
		{"memory is text", GPU_HEAD "X,X,v,v/gpu,much,,,5,,,,,,,,s,2026-01-01\n", MACHINE_HEAD,
		 "g.csv:2: memory_gib: found \"much\""},
		{"no memory", GPU_HEAD "X,X,v,v/gpu,,,,5,,,,,,,,s,2026-01-01\n", MACHINE_HEAD, "g.csv:2: memory_gib"},
		{"infinite", GPU_HEAD "X,X,v,v/gpu,8,,inf,5,,,,,,,,s,2026-01-01\n", MACHINE_HEAD,
		 "g.csv:2: fp64: found \"inf\""},
		{"nan", GPU_HEAD "X,X,v,v/gpu,8,,nan,5,,,,,,,,s,2026-01-01\n", MACHINE_HEAD, "g.csv:2: fp64"},
		{"negative", GPU_HEAD "X,X,v,v/gpu,8,,-1,5,,,,,,,,s,2026-01-01\n", MACHINE_HEAD, "g.csv:2: fp64"},
		{"mig is text", GPU_HEAD "X,X,v,v/gpu,8,,,5,,,,,,halves,,s,2026-01-01\n", MACHINE_HEAD,
		 "model X: mig: found \"halves\""},
		{"a slice of nothing", GPU_HEAD "X,X,v,v/gpu,8,,,5,,,,,,1g.5gb 0g.5gb,,s,2026-01-01\n", MACHINE_HEAD,
		 "mig: found"},
		{"twice", GPU_OK "X,X,v,v/gpu,8,,,5,,,,,,,,s,2026-01-01\n", MACHINE_HEAD,
		 "g.csv:3: model X stands there twice"},
		{"open quote", GPU_OK "\"Y,X\n", MACHINE_HEAD, "g.csv:3: a quoted field"},
		{"unknown model", GPU_OK, MACHINE_HEAD "p,t,Z,1,4,16,r,1,1,s,2026-01-01\n", "m.csv:2: model \"Z\""},
		{"part of a gpu", GPU_OK, MACHINE_HEAD "p,t,X,1.5,4,16,r,1,1,s,2026-01-01\n",
		 "m.csv:2: gpus, cpu and memory_gib: found \"1.5\""},
		{"bad date", GPU_OK, MACHINE_HEAD "p,t,X,1,4,16,r,1,1,s,yesterday\n", "m.csv:2: date"},
		{"negative price", GPU_OK, MACHINE_HEAD "p,t,X,1,4,16,r,-3,1,s,2026-01-01\n", "m.csv:2: price_hour"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_catalog *c = (struct sw_catalog *)&c;
		struct sw_err e = sw_catalog_parse(
			&(struct sw_catalog_text){"g.csv", rows[i].gpus, strlen(rows[i].gpus)},
			&(struct sw_catalog_text){"m.csv", rows[i].machines, strlen(rows[i].machines)}, &c);
		cr_assert_eq(e.code, SW_E_INVALID, "%s: %s", rows[i].title, e.text);
		cr_assert(strstr(e.text, rows[i].says), "%s: \"%s\" does not say \"%s\"", rows[i].title, e.text,
			  rows[i].says);
		cr_assert_null(c);
	}
}

Test(catalog, quotes_comments_and_line_ends_are_read)
{
	static const char gpus[] = "# words\r\n" GPU_HEAD
				   "\n\"X\",X,v,v/gpu,8,,,5,,,,,,,\"a b\",\"a \"\"quoted\"\", source\",2026-01-01\r\n";
	static const char machines[] = MACHINE_HEAD "p,t,X,1,4,16,r,0,,s,2026-01-01";
	struct sw_catalog *c;
	struct sw_err e = sw_catalog_parse(&(struct sw_catalog_text){"g", gpus, sizeof gpus - 1},
					   &(struct sw_catalog_text){"m", machines, sizeof machines - 1}, &c);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_not_null(sw_catalog_gpu(c, "b"));
	cr_assert(isnan(sw_catalog_machine(c, "p", "t", "r")->price_hour), "a price of zero is unknown");
	sw_catalog_free(c);
}

Test(catalog, a_nul_byte_is_refused)
{
	static const char gpus[] = GPU_HEAD "X\0X";
	struct sw_catalog *c;
	struct sw_err e = sw_catalog_parse(&(struct sw_catalog_text){"g", gpus, sizeof gpus - 1},
					   &(struct sw_catalog_text){"m", MACHINE_HEAD, strlen(MACHINE_HEAD)}, &c);
	cr_assert_eq(e.code, SW_E_INVALID);
}
