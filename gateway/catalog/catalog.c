/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.c - loads the two tables and answers look-ups by name
 *
 * The tables are small (tens of GPUs, about a hundred machines): look-ups walk them.
 */
#include "catalog_priv.h"
#include "csv_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "spillway/blob.h"
#include "spillway/text.h"

enum { TEXT_MAX = 4 << 20, ROWS_MAX = 20000 };

static const char *const gpu_columns[] = {"model", "family", "vendor",  "resource", "memory_gib", "bandwidth_gbs",
					  "fp64",  "fp32",   "tf32",    "bf16",     "fp16",       "int8",
					  "fp8",   "mig",    "aliases", "source",   "date"};
static const char *const machine_columns[] = {"provider", "type",       "model",     "gpus",   "cpu", "memory_gib",
					      "region",   "price_hour", "spot_hour", "source", "date"};
enum {
	COL_MODEL,
	COL_FAMILY,
	COL_VENDOR,
	COL_RESOURCE,
	COL_MEMORY,
	COL_BANDWIDTH,
	COL_TFLOPS,
	COL_MIG = COL_TFLOPS + SW_PRECISION__COUNT,
	COL_ALIASES,
	COL_GPU_SOURCE,
	COL_GPU_DATE
};
enum {
	COL_PROVIDER,
	COL_TYPE,
	COL_GPU,
	COL_GPUS,
	COL_CPU,
	COL_RAM,
	COL_REGION,
	COL_PRICE,
	COL_SPOT,
	COL_SOURCE,
	COL_DATE
};

static const char *const precision_names[] = {
#define X(id, name) name,
	SW_PRECISION_MAP(X)
#undef X
};

bool sw_gpu_can(const struct sw_gpu *g, enum sw_precision p)
{
	return g && (unsigned)p < SW_PRECISION__COUNT && g->tflops[p] > 0;
}

struct sw_err sw_precision_parse(const char *s, enum sw_precision *out)
{
	for (size_t i = 0; i < SW_PRECISION__COUNT; i++)
		if (strcasecmp(s, precision_names[i]) == 0) {
			*out = (enum sw_precision)i;
			return SW_OK;
		}
	const char *near = sw_nearest(s, precision_names, SW_PRECISION__COUNT);
	return sw_err(SW_E_INVALID, "found \"%.40s\", expected one of fp64, fp32, tf32, bf16, fp16, int8, fp8%s%s%s", s,
		      near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* ---- loading ---------------------------------------------------------------- */

static struct sw_err gpu_row(struct sw_catalog *c, struct csv *csv)
{
	struct gpu_entry *g = &c->gpus[c->n_gpus];
	double memory;
	*g = (struct gpu_entry){.gpu = {.model = csv->field[COL_MODEL],
					.family = csv->field[COL_FAMILY],
					.vendor = csv->field[COL_VENDOR],
					.resource = csv->field[COL_RESOURCE],
					.mig = csv->field[COL_MIG],
					.source = csv->field[COL_GPU_SOURCE],
					.date = csv->field[COL_GPU_DATE]},
				.aliases = csv->field[COL_ALIASES]};
	struct sw_err e = csv_number(csv, COL_MEMORY, "memory_gib", &memory);
	if (!sw_failed(e) && !(memory > 0 && memory < 1e6))
		e = sw_err(SW_E_INVALID, "%s:%d: memory_gib: found \"%s\", expected GiB above 0", csv->name, csv->line,
			   csv->field[COL_MEMORY]);
	if (!sw_failed(e))
		e = csv_number(csv, COL_BANDWIDTH, "bandwidth_gbs", &g->gpu.bandwidth_gbs);
	for (size_t i = 0; !sw_failed(e) && i < SW_PRECISION__COUNT; i++)
		e = csv_number(csv, COL_TFLOPS + i, gpu_columns[COL_TFLOPS + i], &g->gpu.tflops[i]);
	if (!sw_failed(e) && (!*g->gpu.model || !*g->gpu.family || !*g->gpu.resource))
		e = sw_err(SW_E_INVALID, "%s:%d: model, family and resource must not be empty", csv->name, csv->line);
	if (!sw_failed(e) && gpu_exact(c, g->gpu.model))
		e = sw_err(SW_E_INVALID, "%s:%d: model %s stands there twice", csv->name, csv->line, g->gpu.model);
	if (sw_failed(e))
		return e;
	g->gpu.memory_bytes = (int64_t)(memory * (double)(1 << 30));
	c->n_gpus++;
	return SW_OK;
}

static struct sw_err machine_numbers(struct csv *csv, struct sw_machine *m)
{
	double gpus, cpu, ram;
	struct sw_err e = csv_number(csv, COL_GPUS, "gpus", &gpus);
	if (!sw_failed(e))
		e = csv_number(csv, COL_CPU, "cpu", &cpu);
	if (!sw_failed(e))
		e = csv_number(csv, COL_RAM, "memory_gib", &ram);
	if (!sw_failed(e))
		e = csv_number(csv, COL_PRICE, "price_hour", &m->price_hour);
	if (!sw_failed(e))
		e = csv_number(csv, COL_SPOT, "spot_hour", &m->spot_hour);
	if (sw_failed(e))
		return e;
	if (!(gpus >= 0 && gpus <= 1024 && gpus == floor(gpus)) || !(cpu > 0 && cpu < 1e6) || !(ram > 0 && ram < 1e8))
		return sw_err(
			SW_E_INVALID,
			"%s:%d: gpus, cpu and memory_gib: found %s, %s and %s, expected a whole number and two above 0",
			csv->name, csv->line, csv->field[COL_GPUS], csv->field[COL_CPU], csv->field[COL_RAM]);
	m->gpus = (int)gpus;
	m->cpu_milli = (int64_t)(cpu * 1000);
	m->memory_bytes = (int64_t)(ram * (double)(1 << 30));
	/* A price of 0 in a table is a hole in its source, not a gift. */
	m->price_hour = m->price_hour > 0 ? m->price_hour : NAN;
	m->spot_hour = m->spot_hour > 0 ? m->spot_hour : NAN;
	return SW_OK;
}

static struct sw_err machine_row(struct sw_catalog *c, struct csv *csv)
{
	struct sw_machine *m = &c->machines[c->n_machines];
	char when[40];
	*m = (struct sw_machine){.provider = csv->field[COL_PROVIDER],
				 .type = csv->field[COL_TYPE],
				 .model = csv->field[COL_GPU],
				 .region = csv->field[COL_REGION]};
	struct sw_err e = machine_numbers(csv, m);
	if (!sw_failed(e) && *m->model && !gpu_exact(c, m->model))
		e = sw_err(SW_E_INVALID, "%s:%d: model \"%s\" is not in the table of GPUs", csv->name, csv->line,
			   m->model);
	if (!sw_failed(e)) {
		snprintf(when, sizeof when, "%.20sT00:00:00Z", csv->field[COL_DATE]);
		e = sw_err_wrap(sw_time_parse(when, &m->priced_at_ms), "%s:%d: date", csv->name, csv->line);
	}
	if (!sw_failed(e))
		c->n_machines++;
	return e;
}

/* What each type holds, without a price: for regions that have no row. */
static void machines_add_specs(struct sw_catalog *c)
{
	size_t rows = c->n_machines;
	for (size_t i = 0; i < rows; i++) {
		struct sw_machine spec = c->machines[i];
		if (i && strcmp(spec.type, c->machines[i - 1].type) == 0)
			continue; /* rows are sorted by type: one is enough */
		spec.region = "";
		spec.price_hour = spec.spot_hour = NAN;
		c->machines[c->n_machines++] = spec;
	}
}

static struct sw_err table_read(struct sw_catalog *c, const struct sw_catalog_text *text, char *copy,
				const char *const *columns, size_t n,
				struct sw_err (*row)(struct sw_catalog *, struct csv *))
{
	struct csv csv;
	bool more;
	struct sw_err e = csv_open(&csv, text->name, copy, text->len, columns, n);
	while (!sw_failed(e)) {
		e = csv_next(&csv, &more);
		if (sw_failed(e) || !more)
			break;
		e = row(c, &csv);
	}
	return e;
}

static size_t count_lines(const struct sw_catalog_text *t)
{
	size_t n = 1;
	for (size_t i = 0; i < t->len; i++)
		n += t->bytes[i] == '\n';
	return n;
}

static char *text_copy(const struct sw_catalog_text *t)
{
	char *copy = sw_calloc(1, t->len + 1);
	memcpy(copy, t->bytes, t->len);
	return copy;
}

struct sw_err sw_catalog_parse(const struct sw_catalog_text *gpus, const struct sw_catalog_text *machines,
			       struct sw_catalog **out)
{
	*out = NULL;
	const struct sw_catalog_text *all[] = {gpus, machines};
	for (size_t i = 0; i < 2; i++)
		if (all[i]->len > TEXT_MAX || count_lines(all[i]) > ROWS_MAX)
			return sw_err(SW_E_TOOBIG, "%s: more than %d bytes or %d lines", all[i]->name, TEXT_MAX,
				      ROWS_MAX);
	struct sw_catalog *c = sw_calloc(1, sizeof *c);
	c->gpu_text = text_copy(gpus);
	c->machine_text = text_copy(machines);
	c->gpus = sw_calloc(count_lines(gpus), sizeof *c->gpus);
	c->machines = sw_calloc(2 * count_lines(machines), sizeof *c->machines);
	struct sw_err e =
		table_read(c, gpus, c->gpu_text, gpu_columns, sizeof gpu_columns / sizeof *gpu_columns, gpu_row);
	if (!sw_failed(e))
		e = table_read(c, machines, c->machine_text, machine_columns,
			       sizeof machine_columns / sizeof *machine_columns, machine_row);
	if (!sw_failed(e))
		e = sw_err_wrap(slices_make(c), "%s", gpus->name);
	if (sw_failed(e)) {
		sw_catalog_free(c);
		return e;
	}
	machines_add_specs(c);
	*out = c;
	return SW_OK;
}

struct sw_err sw_catalog_load(struct sw_catalog **out)
{
	const struct sw_blob *gpus = sw_blob_find("config/catalog/gpus.csv"),
			     *machines = sw_blob_find("config/catalog/machines.csv");
	SW_REQUIRE(gpus && machines);
	return sw_catalog_parse(&(struct sw_catalog_text){gpus->name, gpus->start, sw_blob_len(gpus)},
				&(struct sw_catalog_text){machines->name, machines->start, sw_blob_len(machines)}, out);
}

void sw_catalog_free(struct sw_catalog *c)
{
	if (!c)
		return;
	free(c->gpus);
	free(c->slices);
	free(c->machines);
	free(c->gpu_text);
	free(c->machine_text);
	free(c);
}

/* ---- machines --------------------------------------------------------------- */

const struct sw_machine *sw_catalog_machine(const struct sw_catalog *c, const char *provider, const char *type,
					    const char *region)
{
	static const struct {
		const char *word, *provider;
	} clouds[] = {{"gke", "gcp"}, {"aks", "azure"}};
	const struct sw_machine *spec = NULL;
	for (size_t i = 0; i < sizeof clouds / sizeof *clouds; i++)
		if (strcmp(provider, clouds[i].word) == 0)
			provider = clouds[i].provider;
	for (size_t i = 0; i < c->n_machines; i++) {
		const struct sw_machine *m = &c->machines[i];
		if (strcmp(m->provider, provider) != 0 || strcasecmp(m->type, type) != 0)
			continue;
		if (region && *region && strcmp(m->region, region) == 0)
			return m;
		if (!*m->region)
			spec = m;
	}
	return spec;
}
