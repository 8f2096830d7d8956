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
	for (size_t i = 0; (g = sw_catalog_gpu_at(catalog(), i)); i++)
		sw_demand_refuses(&d, g, why, sizeof(why));
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
