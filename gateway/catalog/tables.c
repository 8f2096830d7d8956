/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.c - the columns of each table, and what one row of it means
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "catalog_priv.h"
#include "spillway/text.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

enum { ROWS_MAX = 5000 };

static const char *const gpu_columns[] = {"model", "family", "vendor",  "resource", "memory_gib", "bandwidth_gbs",
					  "fp64",  "fp32",   "tf32",    "bf16",     "fp16",       "int8",
					  "fp8",   "mig",    "aliases", "source",   "date"};
enum {
	G_MODEL,
	G_FAMILY,
	G_VENDOR,
	G_RESOURCE,
	G_MEMORY,
	G_BANDWIDTH,
	G_TFLOPS,
	G_MIG = G_TFLOPS + SW_PRECISION__COUNT,
	G_ALIASES,
	G_SOURCE,
	G_DATE
};
static const char *const machine_columns[] = {"provider",   "type",       "region",    "model",  "gpus", "cpu",
					      "memory_gib", "price_hour", "spot_hour", "source", "date"};
enum { M_PROVIDER, M_TYPE, M_REGION, M_MODEL, M_GPUS, M_CPU, M_MEMORY, M_PRICE, M_SPOT, M_SOURCE, M_DATE };
static const char *const price_columns[] = {"cluster", "pool", "gpu_hour", "node_hour", "source", "date"};
enum { P_CLUSTER, P_POOL, P_GPU, P_NODE, P_SOURCE, P_DATE };
static const char *const egress_columns[] = {"provider", "region", "to_provider", "to_region",
					     "usd_gib",  "source", "date"};
enum { E_PROVIDER, E_REGION, E_TO_PROVIDER, E_TO_REGION, E_USD, E_SOURCE, E_DATE };

/* Room for one more row, zeroed. */
static struct sw_err grow(void *array, size_t n, size_t size, const char *where)
{
	void **at = array;
	if (n >= ROWS_MAX)
		return sw_err(SW_E_TOOBIG, "%s: a table has more than %d rows", where, ROWS_MAX);
	if ((n & (n - 1)) == 0) { /* at powers of two */
		*at = realloc(*at, (n ? 2 * n : 1) * size);
		SW_REQUIRE(*at);
	}
	memset((char *)*at + n * size, 0, size);
	return SW_OK;
}

static const char *where_own(struct sw_catalog *c, const struct row *r)
{
	return own(c, sw_strdup(r->where));
}

/* The same key twice in one layer: one of the two would be passed over. */
static struct sw_err twice(const struct row *r, const char *what, const char *where)
{
	return sw_err(SW_E_INVALID, "%s: %s stands there twice (the first is at %s)", r->where, what, where);
}

static struct sw_err date_read(const struct row *r, size_t i, bool needed, int64_t *out)
{
	char when[40];
	*out = 0;
	if (!*r->field[i] && !needed)
		return SW_OK;
	snprintf(when, sizeof when, "%.20sT00:00:00Z", r->field[i]);
	if (strlen(r->field[i]) == 10 && !sw_failed(sw_time_parse(when, out)))
		return SW_OK;
	return sw_err(SW_E_INVALID, "%s: date: found \"%.40s\", expected a day such as 2026-11-23", r->where,
		      r->field[i]);
}

/* ---- GPUs ------------------------------------------------------------------- */

static struct gpu_entry *gpu_entry_find(struct sw_catalog *c, const char *model)
{
	for (size_t i = 0; i < c->n_gpus; i++)
		if (strcasecmp(c->gpus[i].gpu.model, model) == 0)
			return &c->gpus[i];
	return NULL;
}

static struct sw_err gpu_read(const struct row *r, struct sw_gpu *g)
{
	double memory;
	int64_t day;
	*g = (struct sw_gpu){.model = r->field[G_MODEL],
			     .family = r->field[G_FAMILY],
			     .vendor = r->field[G_VENDOR],
			     .resource = r->field[G_RESOURCE],
			     .mig = r->field[G_MIG],
			     .source = r->field[G_SOURCE],
			     .date = r->field[G_DATE]};
	struct sw_err e = row_number(r, G_MEMORY, "memory_gib", &memory);
	if (!sw_failed(e) && !(memory > 0 && memory < 1e6))
		e = sw_err(SW_E_INVALID, "%s: memory_gib: found \"%.40s\", expected GiB above 0", r->where,
			   r->field[G_MEMORY]);
	if (!sw_failed(e))
		e = row_number(r, G_BANDWIDTH, "bandwidth_gbs", &g->bandwidth_gbs);
	for (size_t i = 0; !sw_failed(e) && i < SW_PRECISION__COUNT; i++)
		e = row_number(r, G_TFLOPS + i, gpu_columns[G_TFLOPS + i], &g->tflops[i]);
	if (!sw_failed(e) && (!*g->model || !*g->family || !*g->resource))
		e = sw_err(SW_E_INVALID, "%s: model, family and resource must not be empty", r->where);
	if (!sw_failed(e) && !sw_is_label_key(g->resource))
		e = sw_err(SW_E_INVALID, "%s: resource: found \"%.60s\", expected a name such as nvidia.com/gpu",
			   r->where, g->resource);
	if (!sw_failed(e))
		e = date_read(r, G_DATE, true, &day);
	if (!sw_failed(e))
		g->memory_bytes = (int64_t)(memory * (double)(1 << 30));
	return e;
}

static struct sw_err gpu_add(struct sw_catalog *c, const struct row *r, int layer)
{
	struct sw_gpu gpu;
	struct gpu_entry *g = gpu_entry_find(c, r->field[G_MODEL]);
	char what[96];
	struct sw_err e = gpu_read(r, &gpu);
	if (sw_failed(e))
		return e;
	if (g && g->layer == layer) {
		snprintf(what, sizeof what, "model %.80s", gpu.model);
		return twice(r, what, g->where);
	}
	if (!g) {
		e = grow(&c->gpus, c->n_gpus, sizeof *c->gpus, r->where);
		if (sw_failed(e))
			return e;
		g = &c->gpus[c->n_gpus++];
	}
	*g = (struct gpu_entry){.gpu = gpu, .aliases = r->field[G_ALIASES], .where = where_own(c, r), .layer = layer};
	return SW_OK;
}

/* ---- machines ------------------------------------------------------------------- */

static const struct sw_machine *spec_find(const struct sw_catalog *c, const char *provider, const char *type)
{
	for (size_t i = 0; i < c->n_machines; i++)
		if (strcmp(c->machines[i].machine.provider, provider) == 0 &&
		    strcasecmp(c->machines[i].machine.type, type) == 0)
			return &c->machines[i].machine;
	return NULL;
}

/* A whole number of GPUs, or a part of one. */
static bool is_gpus(double n)
{
	return n >= 0 && n <= 1024 && (n < 1 || n == floor(n));
}

/* Above 0, or unknown. */
static bool is_size(double n, double most)
{
	return isnan(n) || (n > 0 && n <= most);
}

static struct sw_err machine_holds(const struct row *r, struct sw_machine *m)
{
	double gpus, cpu, ram;
	struct sw_err e = row_number(r, M_GPUS, "gpus", &gpus);
	if (!sw_failed(e))
		e = row_number(r, M_CPU, "cpu", &cpu);
	if (!sw_failed(e))
		e = row_number(r, M_MEMORY, "memory_gib", &ram);
	if (sw_failed(e))
		return e;
	bool part = gpus > 0 && gpus < 1;
	if (!is_gpus(gpus) || !is_size(cpu, 1e6) || !is_size(ram, 1e8))
		return sw_err(
			SW_E_INVALID,
			"%s: gpus, cpu and memory_gib: found \"%.20s\", \"%.20s\" and \"%.20s\", expected a whole "
			"number (or a part of one GPU) and two above 0",
			r->where, r->field[M_GPUS], r->field[M_CPU], r->field[M_MEMORY]);
	m->gpus = part ? 1 : (int)gpus;
	m->gpu_share = part ? gpus : 1;
	m->cpu_milli = isnan(cpu) ? 0 : (int64_t)(cpu * 1000);
	m->memory_bytes = isnan(ram) ? 0 : (int64_t)(ram * (double)(1 << 30));
	return SW_OK;
}

static struct sw_err machine_prices(const struct row *r, struct sw_machine *m)
{
	struct sw_err e = row_number(r, M_PRICE, "price_hour", &m->price_hour);
	if (!sw_failed(e))
		e = row_number(r, M_SPOT, "spot_hour", &m->spot_hour);
	/* A price of 0 in a table is a hole in its source, not a gift. */
	m->price_hour = m->price_hour > 0 ? m->price_hour : NAN;
	m->spot_hour = m->spot_hour > 0 ? m->spot_hour : NAN;
	return sw_failed(e) ? e : date_read(r, M_DATE, true, &m->priced_at_ms);
}

/* A site's price row need not say again what the machine holds. */
static struct sw_err machine_read(struct sw_catalog *c, const struct row *r, int layer, struct sw_machine *m)
{
	const struct sw_machine *spec =
		layer == LAYER_SITE ? spec_find(c, r->field[M_PROVIDER], r->field[M_TYPE]) : NULL;
	bool silent = !*r->field[M_MODEL] && !*r->field[M_GPUS] && !*r->field[M_CPU] && !*r->field[M_MEMORY];
	struct sw_err e = SW_OK;
	*m = spec && silent ? *spec : (struct sw_machine){.model = r->field[M_MODEL]};
	m->provider = r->field[M_PROVIDER];
	m->type = r->field[M_TYPE];
	m->region = r->field[M_REGION];
	m->source = r->field[M_SOURCE];
	if (!*m->provider || !*m->type)
		return sw_err(SW_E_INVALID, "%s: provider and type must not be empty", r->where);
	if (!spec || !silent)
		e = machine_holds(r, m);
	return sw_failed(e) ? e : machine_prices(r, m);
}

static struct machine_entry *machine_find(struct sw_catalog *c, const struct sw_machine *m)
{
	for (size_t i = 0; i < c->n_machines; i++)
		if (strcmp(c->machines[i].machine.provider, m->provider) == 0 &&
		    strcasecmp(c->machines[i].machine.type, m->type) == 0 &&
		    strcmp(c->machines[i].machine.region, m->region) == 0)
			return &c->machines[i];
	return NULL;
}

static struct sw_err machine_add(struct sw_catalog *c, const struct row *r, int layer)
{
	struct sw_machine m;
	char what[200];
	struct sw_err e = machine_read(c, r, layer, &m);
	if (!sw_failed(e) && *m.model && !gpu_exact(c, m.model))
		e = sw_err(SW_E_INVALID, "%s: model \"%.60s\" is not in the table of GPUs", r->where, m.model);
	if (sw_failed(e))
		return e;
	struct machine_entry *old = machine_find(c, &m);
	if (old && old->layer == layer) {
		snprintf(what, sizeof what, "%.40s %.80s in %.60s", m.provider, m.type,
			 *m.region ? m.region : "no region");
		return twice(r, what, old->where);
	}
	if (!old) {
		e = grow(&c->machines, c->n_machines, sizeof *c->machines, r->where);
		if (sw_failed(e))
			return e;
		old = &c->machines[c->n_machines++];
	}
	*old = (struct machine_entry){.machine = m, .where = where_own(c, r), .layer = layer};
	return SW_OK;
}

void machines_add_specs(struct sw_catalog *c)
{
	c->n_machine_rows = c->n_machines;
	c->machines = realloc(c->machines, (2 * c->n_machines + 1) * sizeof *c->machines);
	SW_REQUIRE(c->machines);
	for (size_t i = 0; i < c->n_machine_rows; i++) {
		struct machine_entry spec = c->machines[i];
		bool have = false;
		for (size_t k = c->n_machine_rows; !have && k < c->n_machines; k++)
			have = strcmp(c->machines[k].machine.provider, spec.machine.provider) == 0 &&
			       strcasecmp(c->machines[k].machine.type, spec.machine.type) == 0;
		if (have)
			continue;
		spec.machine.region = "";
		spec.machine.price_hour = spec.machine.spot_hour = NAN;
		c->machines[c->n_machines++] = spec;
	}
}

/* ---- what a site's own machines cost --------------------------------------------------- */

static struct sw_err price_add(struct sw_catalog *c, const struct row *r, int layer)
{
	struct sw_site_price p = {
		.cluster = r->field[P_CLUSTER], .pool = r->field[P_POOL], .source = r->field[P_SOURCE]};
	char what[200];
	struct sw_err e = row_number(r, P_GPU, "gpu_hour", &p.gpu_hour);
	if (!sw_failed(e))
		e = row_number(r, P_NODE, "node_hour", &p.node_hour);
	if (!sw_failed(e) && (!*p.cluster || !*p.pool))
		e = sw_err(SW_E_INVALID, "%s: cluster and pool must not be empty; \"*\" stands for any", r->where);
	if (!sw_failed(e) && isnan(p.gpu_hour) == isnan(p.node_hour))
		e = sw_err(SW_E_INVALID, "%s: expected either gpu_hour or node_hour", r->where);
	if (!sw_failed(e))
		e = date_read(r, P_DATE, true, &p.priced_at_ms);
	for (size_t i = 0; !sw_failed(e) && i < c->n_prices; i++)
		if (strcmp(c->prices[i].price.cluster, p.cluster) == 0 &&
		    strcmp(c->prices[i].price.pool, p.pool) == 0) {
			snprintf(what, sizeof what, "pool %.80s of cluster %.80s", p.pool, p.cluster);
			return twice(r, what, c->prices[i].where);
		}
	if (!sw_failed(e))
		e = grow(&c->prices, c->n_prices, sizeof *c->prices, r->where);
	if (!sw_failed(e))
		c->prices[c->n_prices++] = (struct price_entry){.price = p, .where = where_own(c, r), .layer = layer};
	return e;
}

/* ---- egress ------------------------------------------------------------------------------- */

static bool same_way(const struct sw_egress *a, const struct sw_egress *b)
{
	return strcmp(a->provider, b->provider) == 0 && strcmp(a->region, b->region) == 0 &&
	       strcmp(a->to_provider, b->to_provider) == 0 && strcmp(a->to_region, b->to_region) == 0;
}

static struct sw_err egress_read(const struct row *r, struct sw_egress *g)
{
	*g = (struct sw_egress){.provider = r->field[E_PROVIDER],
				.region = r->field[E_REGION],
				.to_provider = r->field[E_TO_PROVIDER],
				.to_region = r->field[E_TO_REGION],
				.source = r->field[E_SOURCE]};
	struct sw_err e = row_number(r, E_USD, "usd_gib", &g->usd_gib);
	if (sw_failed(e))
		return e;
	if (isnan(g->usd_gib))
		return sw_err(SW_E_INVALID,
			      "%s: usd_gib: found nothing, expected USD per GiB; leave the row out if it is unknown",
			      r->where);
	if (!*g->provider || !*g->region || !*g->to_provider || !*g->to_region)
		return sw_err(SW_E_INVALID,
			      "%s: provider, region, to_provider and to_region must not be empty; \"*\" stands for any",
			      r->where);
	return date_read(r, E_DATE, true, &g->priced_at_ms);
}

static struct sw_err egress_add(struct sw_catalog *c, const struct row *r, int layer)
{
	struct sw_egress g;
	struct egress_entry *to = NULL;
	struct sw_err e = egress_read(r, &g);
	if (sw_failed(e))
		return e;
	for (size_t i = 0; !to && i < c->n_egress; i++)
		if (same_way(&c->egress[i].egress, &g))
			to = &c->egress[i];
	if (to && to->layer == layer)
		return twice(r, "this way", to->where);
	if (!to) {
		e = grow(&c->egress, c->n_egress, sizeof *c->egress, r->where);
		if (sw_failed(e))
			return e;
		to = &c->egress[c->n_egress++];
	}
	*to = (struct egress_entry){.egress = g, .where = where_own(c, r), .layer = layer};
	return SW_OK;
}

const struct table catalog_tables[SW_TABLE__COUNT] = {
	[SW_TABLE_GPUS] = {gpu_columns, COUNT(gpu_columns), 1, gpu_add},
	[SW_TABLE_MACHINES] = {machine_columns, COUNT(machine_columns), 3, machine_add},
	[SW_TABLE_PRICES] = {price_columns, COUNT(price_columns), 2, price_add},
	[SW_TABLE_EGRESS] = {egress_columns, COUNT(egress_columns), 4, egress_add},
};
