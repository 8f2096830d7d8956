/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wishes.c - the spillway.dev annotations of a job
 *
 * Each line is an annotation: a key's number from 0 to 9 (others: the key as it stands), "=", its value. Accepted
 * wishes are within their bounds; refused ones name the annotation.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "spillway/kinds.h"

static const char *const keys[] = {SW_ANN_GPU,       SW_ANN_GPU_MEMORY, SW_ANN_PRECISION, SW_ANN_SPOT,
				   SW_ANN_MAX_PRICE, SW_ANN_DEADLINE,   SW_ANN_DATA,      "spillway.dev/gpus",
				   "example.org/x",  SW_ANN_POOL};

static const char job_text[] =
	"{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"j\",\"annotations\":{}},"
	"\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"resources\":{\"limits\":"
	"{\"nvidia.com/gpu\":\"2\"}}}]}}}}";

static const struct sw_catalog *catalog(void)
{
	static struct sw_catalog *c; /* loaded once: every run only reads it */

	if (!c)
		FUZZ_CHECK(!sw_failed(sw_catalog_load(&c)));
	return c;
}

static void annotate(json_t *annotations, char *line)
{
	char *value = strchr(line, '=');

	if (!value)
		return;
	*value++ = 0;
	json_object_object_add(annotations, line[0] >= '0' && line[0] <= '9' && !line[1] ? keys[line[0] - '0'] : line,
			       json_object_new_string(value));
}

static void sound(const struct sw_demand *d)
{
	FUZZ_CHECK(d->n_models <= SW_MODELS_MAX && d->gpu_memory_bytes >= 0 && d->deadline_ms >= 0);
	FUZZ_CHECK(d->max_price > 0 && !isnan(d->max_price));
	FUZZ_CHECK(!d->has_precision || d->precision < SW_PRECISION__COUNT);
	for (size_t i = 0; i < d->n_models; i++)
		FUZZ_CHECK(d->models[i] != NULL);
	FUZZ_CHECK(!d->data == (d->place.bytes == 0));
	if (d->data)
		FUZZ_CHECK(*d->place.scheme && *d->place.bucket && *d->place.region && d->place.bytes > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *save = NULL;
	struct sw_demand d;
	json_t *job;

	FUZZ_CHECK(text && !sw_failed(sw_json_parse(job_text, sizeof job_text - 1, &job)));
	json_t *annotations = sw_json_at(job, "metadata.annotations");
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		annotate(annotations, line);
	struct sw_err e = sw_demand_read(&sw_kind_job, job, catalog(), &d);
	if (sw_failed(e))
		FUZZ_CHECK(e.code == SW_E_INVALID && strstr(e.text, "metadata.annotations"));
	else
		sound(&d);
	json_object_put(job);
	free(text);
	return 0;
}
