/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demand.c - what a job asks for, and the copy that would go to a worker
 *
 * Parts: a job of any kind, its status on the worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "spillway/kinds.h"
#include "spillway/translate.h"
#include "spillway/yaml.h"

static const struct sw_catalog *catalog(void)
{
	static struct sw_catalog *c; /* loaded once: every run only reads it */

	if (!c)
		FUZZ_CHECK(!sw_failed(sw_catalog_load(&c)));
	return c;
}

static void demand(const struct sw_kind *k, json_t *job)
{
	struct sw_demand d;
	const struct sw_gpu *g;
	struct sw_err e = sw_demand_read(k, job, catalog(), &d);
	char why[128];
	int64_t pods = 0;

	FUZZ_CHECK(!sw_failed(e) || e.text[0]);
	if (sw_failed(e))
		return;
	for (size_t i = 0; i < d.n_sets; i++)
		pods += d.sets[i].count;
	FUZZ_CHECK(d.n_sets <= SW_PODSETS_MAX && d.n_models <= SW_MODELS_MAX && pods >= 0 && d.gpus >= 0);
	for (size_t i = 0; i < d.total.n; i++)
		FUZZ_CHECK(d.total.at[i].milli >= 0);
	for (size_t i = 0; (g = sw_catalog_gpu_at(catalog(), i)); i++) {
		sw_demand_refuses(&d, g, why, sizeof(why));
		sw_demand_refuses(
			&d, sw_catalog_slice(catalog(), g, "1g.10gb") ? sw_catalog_slice(catalog(), g, "1g.10gb") : g,
			why, sizeof(why));
	}
	FUZZ_CHECK((d.data != NULL) == (d.place.bytes > 0));
	FUZZ_CHECK(!d.data || (*d.place.scheme && *d.place.region && *d.place.bucket));
	sw_demand_refuses_topology(&d, d.data ? d.place.region : "4x4", 4, why, sizeof(why));
}

/* A device each, and everything else that a target may say. */
static const struct {
	const char *gpu, *resource, *provider;
	enum sw_spot spot;
} targets[] = {
	{NULL, NULL, NULL, SW_SPOT_NEVER},
	{"H100", NULL, "gke", SW_SPOT_NEVER},
	{"A100-40GB-MIG-1g.5gb", NULL, "aks", SW_SPOT_REQUIRE},
	{"A100-40GB-MIG-3g.20gb", "nvidia.com/gpu", "static", SW_SPOT_ALLOW},
	{"MI300X", NULL, "aks", SW_SPOT_ALLOW},
	{"TPU-v5e", NULL, "gke", SW_SPOT_REQUIRE},
};

/* What was translated once stays as it is; nothing that the target does not count is asked for. */
static void translate(const struct sw_kind *k, json_t *job, size_t i)
{
	json_t *copy = sw_json_copy(job), *said = json_object_new_array(), *labels;
	struct sw_target to = {.gpu = targets[i].gpu ? sw_catalog_gpu(catalog(), targets[i].gpu) : NULL,
			       .gpu_resource = targets[i].resource,
			       .burst_taint = "p",
			       .provider = targets[i].provider,
			       .spot = targets[i].spot};

	labels = sw_json_fmt("{\"pool\":\"p\",\"kind\":[\"a\",\"b\"]}");
	to.labels = labels;
	struct sw_err e = sw_translate_job(k, copy, &to, said);

	if (sw_failed(e)) {
		FUZZ_CHECK(e.text[0]);
	} else {
		json_t *once = sw_json_copy(copy), *again = json_object_new_array();

		FUZZ_CHECK(!sw_failed(sw_translate_job(k, copy, &to, again)));
		FUZZ_CHECK(json_object_equal(once, copy) && sw_json_len(again) == 0);
		json_object_put(once);
		json_object_put(again);
	}
	for (size_t n = 0; n < sw_json_len(said); n++)
		FUZZ_CHECK(sw_json_str(sw_json_idx(said, n), "text") && sw_json_str(sw_json_idx(said, n), "path"));
	json_object_put(labels);
	json_object_put(said);
	json_object_put(copy);
}

static void copies(const struct sw_kind *k, json_t *job, json_t *remote)
{
	struct sw_copy_spec spec = {
		.origin = "o-1", .workload_key = "ns/job-x", .owner_uid = "u-1", .attempt = 3, .pool = "p"};
	json_t *before = sw_json_copy(job), *copy = sw_kind_copy(k, job, &spec), *home;
	const char *why;

	FUZZ_CHECK(json_object_equal(before, job)); /* the user's job is lent */
	FUZZ_CHECK(sw_kind_suspended(k, copy) && sw_kind_of(copy) == k);
	FUZZ_CHECK(sw_json_label(copy, SW_LABEL_ORIGIN) && !strcmp(sw_json_label(copy, SW_LABEL_ORIGIN), "o-1"));
	k->outcome(k, job, &why);
	FUZZ_CHECK(k->active(k, job) >= 0);
	home = k->status_home(k, sw_json_at(job, "status"), remote, NULL);
	json_object_put(home);
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		translate(k, copy, i);
	json_object_put(copy);
	json_object_put(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	json_t *job = fuzz_object(&p, 0), *remote = fuzz_object(&p, 1);
	const struct sw_kind *k = job ? sw_kind_of(job) : NULL;

	if (k) {
		sw_kind_ttl_s(k, job);
		sw_kind_managed_by(k, job);
		demand(k, job);
		if (!sw_failed(k->check(k, job)))
			copies(k, job, remote);
	}
	json_object_put(job);
	json_object_put(remote);
	fuzz_parts_free(&p);
	return 0;
}
