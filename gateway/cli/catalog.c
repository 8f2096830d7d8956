/* SPDX-License-Identifier: Apache-2.0 */
/* catalog.c - `spillway catalog [gpus|machines|egress|check]`: the tables, without a gateway */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "catalog.h"
#include "spillway/text.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- cells ------------------------------------------------------------------------- */

static void set_number(json_t *o, const char *key, double v)
{
	json_object_object_add(o, key, isfinite(v) ? json_object_new_double(v) : NULL);
}

/* People read "1979" and "24 GiB"; programs read numbers. */
static void set_short(json_t *o, const char *key, double v)
{
	char text[32];
	if (!isfinite(v))
		return;
	snprintf(text, sizeof text, "%.6g", v);
	sw_json_set_str(o, key, text);
}

static void set_day(json_t *o, const char *key, int64_t ms)
{
	char text[32];
	if (ms <= 0)
		return;
	sw_time_text(ms, text);
	text[10] = '\0';
	sw_json_set_str(o, key, text);
}

static void set_size(json_t *o, const char *key, int64_t bytes)
{
	char text[32];
	if (bytes > 0)
		sw_json_set_str(o, key, sw_bytes_text(bytes, text));
}

static int show(const struct cli_column *cols, size_t n, json_t *rows_taken, bool json, const char *none)
{
	if (json)
		cli_print_json(stdout, rows_taken);
	else if (!sw_json_len(rows_taken))
		printf("%s\n", none);
	else
		cli_print_table(stdout, cols, n, rows_taken);
	json_object_put(rows_taken);
	return CLI_OK;
}

/* ---- GPUs ------------------------------------------------------------------------------ */

static const char *const precisions[] = {
#define X(id, name) name,
	SW_PRECISION_MAP(X)
#undef X
};

static json_t *gpu_json(const struct sw_gpu *g, bool json)
{
	json_t *o = json_object_new_object(), *peak = json_object_new_object();
	sw_json_set_str(o, "model", g->model);
	sw_json_set_str(o, "family", g->family);
	sw_json_set_str(o, "vendor", g->vendor);
	sw_json_set_str(o, "resource", g->resource);
	if (json) {
		sw_json_set_int(o, "memoryBytes", g->memory_bytes);
		set_number(o, "bandwidthGBs", g->bandwidth_gbs);
	} else {
		set_size(o, "memory", g->memory_bytes);
		set_short(o, "bandwidthGBs", g->bandwidth_gbs);
	}
	for (size_t i = 0; i < SW_PRECISION__COUNT; i++)
		(json ? set_number : set_short)(peak, precisions[i], g->tflops[i]);
	json_object_object_add(o, "tflops", peak);
	sw_json_set_str(o, "mig", g->mig);
	sw_json_set_str(o, "source", g->source);
	sw_json_set_str(o, "date", g->date);
	return o;
}

static int list_gpus(const struct cli_command *self, const struct catalog_args *a, const struct sw_catalog *c)
{
	static const struct cli_column cols[] = {
		{"MODEL", "model", false, CLI_PLAIN},     {"RESOURCE", "resource", false, CLI_PLAIN},
		{"MEMORY", "memory", true, CLI_PLAIN},    {"GB/S", "bandwidthGBs", true, CLI_PLAIN},
		{"FP64", "tflops.fp64", true, CLI_PLAIN}, {"FP32", "tflops.fp32", true, CLI_PLAIN},
		{"TF32", "tflops.tf32", true, CLI_PLAIN}, {"BF16", "tflops.bf16", true, CLI_PLAIN},
		{"FP16", "tflops.fp16", true, CLI_PLAIN}, {"INT8", "tflops.int8", true, CLI_PLAIN},
		{"FP8", "tflops.fp8", true, CLI_PLAIN},   {"MIG", "mig", false, CLI_FIT},
	};
	json_t *rows = json_object_new_array();
	const struct sw_gpu *g, *wanted[32];
	size_t n = a->gpu ? sw_catalog_family(c, a->gpu, wanted, COUNT(wanted)) : 0;
	(void)self;
	for (size_t i = 0; a->gpu && i < n && i < COUNT(wanted); i++)
		json_object_array_add(rows, gpu_json(wanted[i], a->json));
	for (size_t i = 0; !a->gpu && (g = sw_catalog_gpu_at(c, i)); i++)
		json_object_array_add(rows, gpu_json(g, a->json));
	return show(cols, COUNT(cols), rows, a->json, "No such GPU.");
}

/* ---- machines ------------------------------------------------------------------------------ */

static bool machine_wanted(const struct sw_catalog *c, const struct catalog_args *a, const struct sw_machine *m)
{
	const struct sw_gpu *wanted[32];
	size_t n = a->gpu ? sw_catalog_family(c, a->gpu, wanted, COUNT(wanted)) : 0;
	if (a->region && strcmp(a->region, m->region) != 0)
		return false;
	for (size_t i = 0; i < n && i < COUNT(wanted); i++)
		if (strcmp(wanted[i]->model, m->model) == 0)
			return true;
	return !a->gpu;
}

static json_t *machine_json(const struct sw_machine *m, const struct catalog_args *a)
{
	json_t *o = json_object_new_object();
	int64_t age = a->now_ms - m->priced_at_ms;
	bool priced = !isnan(m->price_hour) || !isnan(m->spot_hour);
	sw_json_set_str(o, "provider", m->provider);
	sw_json_set_str(o, "type", m->type);
	sw_json_set_str(o, "region", m->region);
	sw_json_set_str(o, "model", m->model);
	if (m->gpu_share < 1)
		set_number(o, "gpus", m->gpu_share);
	else
		sw_json_set_int(o, "gpus", m->gpus);
	set_number(o, "cpu", m->cpu_milli ? (double)m->cpu_milli / 1000 : NAN);
	if (!a->json && m->cpu_milli)
		set_short(o, "cpu", (double)m->cpu_milli / 1000);
	if (a->json)
		sw_json_set_int(o, "memoryBytes", m->memory_bytes);
	else
		set_size(o, "memory", m->memory_bytes);
	set_number(o, "priceHour", m->price_hour);
	set_number(o, "spotHour", m->spot_hour);
	if (priced) {
		set_day(o, "date", m->priced_at_ms);
		sw_json_set_bool(o, "stale", age > a->max_age_ms);
	}
	sw_json_set_str(o, "source", m->source);
	return o;
}

static int list_machines(const struct cli_command *self, const struct catalog_args *a, const struct sw_catalog *c)
{
	static const struct cli_column cols[] = {
		{"PROVIDER", "provider", false, CLI_PLAIN}, {"TYPE", "type", false, CLI_PLAIN},
		{"REGION", "region", false, CLI_PLAIN},     {"GPU", "model", false, CLI_PLAIN},
		{"GPUS", "gpus", true, CLI_PLAIN},          {"CPU", "cpu", true, CLI_PLAIN},
		{"MEMORY", "memory", true, CLI_PLAIN},      {"$/H", "priceHour", true, CLI_MONEY},
		{"SPOT $/H", "spotHour", true, CLI_MONEY},  {"DATE", "date", false, CLI_PLAIN},
		{"STALE", "stale", false, CLI_YESNO},
	};
	json_t *rows = json_object_new_array();
	const struct sw_machine *m;
	(void)self;
	for (size_t i = 0; (m = sw_catalog_machine_at(c, i)); i++)
		if (machine_wanted(c, a, m))
			json_object_array_add(rows, machine_json(m, a));
	return show(cols, COUNT(cols), rows, a->json, "No machine type of the catalog has that.");
}

/* ---- egress ------------------------------------------------------------------------------------ */

static int list_egress(const struct cli_command *self, const struct catalog_args *a, const struct sw_catalog *c)
{
	static const struct cli_column cols[] = {
		{"$/GIB", "usdPerGiB", true, CLI_PLAIN},     {"FROM", "provider", false, CLI_PLAIN},
		{"TO", "toProvider", false, CLI_PLAIN},      {"DATE", "date", false, CLI_PLAIN},
		{"TO REGION", "toRegion", false, CLI_PLAIN}, {"FROM REGION", "region", false, CLI_LONG},
	};
	json_t *rows = json_object_new_array();
	const struct sw_egress *e;
	(void)self;
	for (size_t i = 0; (e = sw_catalog_egress_at(c, i)); i++) {
		json_t *o = json_object_new_object();
		sw_json_set_str(o, "provider", e->provider);
		sw_json_set_str(o, "region", e->region);
		sw_json_set_str(o, "toProvider", e->to_provider);
		sw_json_set_str(o, "toRegion", e->to_region);
		(a->json ? set_number : set_short)(o, "usdPerGiB", e->usd_gib);
		set_day(o, "date", e->priced_at_ms);
		sw_json_set_str(o, "source", e->source);
		json_object_array_add(rows, o);
	}
	return show(cols, COUNT(cols), rows, a->json, "Nobody says what egress costs.");
}

/* ---- the command ---------------------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	int (*run)(const struct cli_command *self, const struct catalog_args *a, const struct sw_catalog *c);
	bool gpu, region; /* takes --gpu, --region */
} verbs[] = {
	{"gpus", list_gpus, true, false},
	{"machines", list_machines, true, true},
	{"egress", list_egress, false, false},
	{"check", catalog_check, false, false},
};

static int verb_run(const struct cli_command *self, const struct verb *v, struct catalog_args *a, const char *file)
{
	struct sw_config *cfg = NULL;
	struct sw_catalog *c = NULL;
	struct timespec now;
	struct sw_err e = file ? sw_config_load(file, &cfg) : sw_config_parse("defaults", "", 0, &cfg);
	if (!sw_failed(e))
		e = sw_catalog_load_site(cfg->catalog, &c);
	if (sw_failed(e)) {
		sw_config_free(cfg);
		return cli_fail(self, "%s", e.text);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	a->now_ms = (int64_t)now.tv_sec * 1000;
	a->max_age_ms = cfg->price_max_age_ms;
	a->config = file ? cfg : NULL;
	int rc = CLI_OK;
	if (a->gpu && !sw_catalog_gpu(c, a->gpu)) {
		const char *near = sw_catalog_nearest_gpu(c, a->gpu);
		rc = cli_misuse(self, "--gpu: the catalog has no \"%s\"%s%s%s", a->gpu, near ? ", did you mean " : "",
				near ? near : "", near ? "?" : "");
	} else {
		rc = v->run(self, a, c);
	}
	sw_catalog_free(c);
	sw_config_free(cfg);
	return rc;
}

/* NULL after saying what is wrong. */
static const struct verb *verb_find(const struct cli_command *self, int n, char **words)
{
	const char *names[COUNT(verbs)], *found = n > 1 ? words[1] : n ? words[0] : "";
	if (n == 0)
		return &verbs[0];
	for (size_t i = 0; i < COUNT(verbs); i++) {
		names[i] = verbs[i].name;
		if (n == 1 && strcmp(found, verbs[i].name) == 0)
			return &verbs[i];
	}
	const char *near = sw_nearest(found, names, COUNT(verbs));
	cli_misuse(self, "found \"%s\", expected gpus, machines, egress or check%s%s%s", found,
		   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return NULL;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	struct catalog_args a = {0};
	const char *file = NULL, *output = NULL;
	int words;
	const struct cli_option options[] = {
		{"gpu", 0, "MODEL", "gpus, machines: only this model or family", &a.gpu, NULL},
		{"region", 0, "REGION", "machines: only this region", &a.region, NULL},
		{"config", 'c', "FILE", "with the site's own rows (`catalog:` in its configuration)", &file, NULL},
		{"output", 'o', "FORMAT", "table (default) or json", &output, NULL},
		CLI_OPTION_END,
	};
	if (!cli_parse(self, options, argc, argv, &words) || !cli_wants_json(self, output, &a.json))
		return CLI_USAGE;
	const struct verb *v = verb_find(self, words, argv);
	if (!v)
		return CLI_USAGE;
	if (a.gpu && !v->gpu)
		return cli_misuse(self, "%s takes no --gpu", v->name);
	if (a.region && !v->region)
		return cli_misuse(self, "%s takes no --region", v->name);
	return verb_run(self, v, &a, file);
}

const struct cli_command cli_catalog = {
	.name = "catalog",
	.usage = "[gpus | machines | egress | check] [--gpu MODEL] [--region REGION] [--config FILE] [-o json]",
	.summary = "List what GPUs can do and what machines cost; check a site's own rows",
	.details = "gpus      memory, bandwidth, dense peak TFLOPS by precision, MIG profiles (default)\n"
		   "machines  what each type holds and costs by region; a price that is not shown is unknown\n"
		   "egress    USD per GiB for data that leaves a region\n"
		   "check     stale prices, regions and machines without a price, names that mean two things, models "
		   "that\n"
		   "          the configuration names and nobody knows; fails if it finds a problem\n"
		   "Needs no gateway.",
	.examples = "  spillway catalog\n  spillway catalog machines --gpu H100 --region europe-west4\n"
		    "  spillway catalog gpus --gpu A100 -o json\n  spillway catalog check --config spillway.yaml\n",
	.run = run,
};
