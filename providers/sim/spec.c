/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec.c - reads clusters.yaml: which clusters to simulate, with which nodes and pools
 *
 * One table of fields per level; a name that is not in it is an error with the nearest one.
 */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/sim.h"
#include "spillway/text.h"
#include "spillway/yaml.h"

enum type { TEXT, INT, REAL, FLAG, CPU, BYTES, SECONDS, MAP, LIST };
struct field {
	const char *name;
	enum type type;
	size_t at;
	double min, max;
};

#define G(member) offsetof(struct sw_sim_group, member)
#define C(member) offsetof(struct sw_sim_spec, member)
static const struct field group_fields[] = {
	{"name", TEXT, G(name), 0, 0},
	{"machine", TEXT, G(machine), 0, 0},
	{"gpu", TEXT, G(model), 0, 0},
	{"zone", TEXT, G(zone), 0, 0},
	{"gpus", INT, G(gpus), 0, 64},
	{"cpu", CPU, G(cpu_milli), 0, 0},
	{"memory", BYTES, G(memory_bytes), 0, 0},
	{"count", INT, G(initial), 0, 1000},
	{"min", INT, G(min), 0, 1000},
	{"max", INT, G(max), 0, 1000},
	{"quota", INT, G(quota), 0, 100000},
	{"growSeconds", SECONDS, G(grow_ms), 0, 86400},
	{"priceHour", REAL, G(price_hour), 0, 1e6},
	{"spot", FLAG, G(spot), 0, 0},
	{"stockout", FLAG, G(stockout), 0, 0},
	{"exclusive", FLAG, G(exclusive), 0, 0},
	{"labels", MAP, G(labels), 0, 0},
};
static const struct field cluster_fields[] = {
	{"name", TEXT, C(name), 0, 0},     {"cloud", TEXT, C(cloud), 0, 0},
	{"region", TEXT, C(region), 0, 0}, {"timeScale", REAL, C(scale), 0.001, 100000},
	{"nodes", LIST, 0, 0, 0},          {"pools", LIST, 0, 0, 0},
};
static const struct field top_fields[] = {{"timeScale", REAL, 0, 0.001, 100000}, {"clusters", LIST, 0, 0, 0}};
#define N(a) (sizeof(a) / sizeof((a)[0]))

struct reader {
	const struct sw_yaml *yaml;
	const struct sw_catalog *catalog;
};

__attribute__((format(printf, 4, 5))) static struct sw_err at(const struct reader *r, json_t *parent, const char *key,
							      const char *fmt, ...)
{
	char where[256], text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return sw_err(SW_E_INVALID, "%s: %s", sw_yaml_where(r->yaml, parent, key, where, sizeof(where)), text);
}

static struct sw_err read_number(const struct reader *r, json_t *map, const struct field *f, json_t *v, double *out)
{
	if (!json_object_is_type(v, json_type_int) && !(f->type == REAL && json_object_is_type(v, json_type_double)))
		return at(r, map, f->name, "%s: found %s, expected a number", f->name, json_object_get_string(v));
	*out = json_object_get_double(v);
	if (*out < f->min || *out > f->max)
		return at(r, map, f->name, "%s: found %s, expected %g to %g", f->name, json_object_get_string(v),
			  f->min, f->max);
	return SW_OK;
}

static struct sw_err read_quantity(const struct reader *r, json_t *map, const struct field *f, json_t *v, int64_t *out)
{
	const char *text = json_object_get_string(v);
	struct sw_err e = f->type == CPU ? sw_quantity_milli(text, out) : sw_quantity_ceil(text, out);

	if (!sw_failed(e) && *out < 0)
		e = sw_err(SW_E_INVALID, "negative");
	return sw_failed(e) ? at(r, map, f->name, "%s: found \"%s\", expected a quantity like %s", f->name, text,
				 f->type == CPU ? "80" : "512Gi")
			    : e;
}

static struct sw_err read_value(const struct reader *r, json_t *map, const struct field *f, json_t *v, char *base)
{
	enum json_type type = json_object_get_type(v);
	struct sw_err e;
	double number = 0;

	switch (f->type) {
	case TEXT:
		if (type != json_type_string)
			return at(r, map, f->name, "%s: found %s, expected text", f->name, json_object_get_string(v));
		free(*(char **)(base + f->at));
		*(char **)(base + f->at) = sw_strdup(json_object_get_string(v));
		return SW_OK;
	case INT:
	case REAL:
	case SECONDS:
		e = read_number(r, map, f, v, &number);
		if (sw_failed(e))
			return e; /* it may not fit */
		if (f->type == INT)
			*(int *)(base + f->at) = (int)number;
		else if (f->type == REAL)
			*(double *)(base + f->at) = number;
		else
			*(int64_t *)(base + f->at) = (int64_t)(number * 1000);
		return SW_OK;
	case CPU:
	case BYTES:
		return read_quantity(r, map, f, v, (int64_t *)(base + f->at));
	case FLAG:
		if (type != json_type_boolean)
			return at(r, map, f->name, "%s: found %s, expected true or false", f->name,
				  json_object_get_string(v));
		*(bool *)(base + f->at) = json_object_get_boolean(v);
		return SW_OK;
	case MAP:
		if (type != json_type_object)
			return at(r, map, f->name, "%s: expected a map", f->name);
		*(json_t **)(base + f->at) = sw_json_copy(v);
		return SW_OK;
	case LIST:
		return type == json_type_array ? SW_OK : at(r, map, f->name, "%s: expected a list", f->name);
	}
	return SW_OK;
}

static struct sw_err read_map(const struct reader *r, json_t *map, const struct field *fields, size_t n, void *base)
{
	struct json_object_iterator it, end;
	const char *names[32];

	if (!json_object_is_type(map, json_type_object))
		return at(r, map, NULL, "found %s, expected a map", json_object_get_string(map));
	for (size_t i = 0; i < n; i++)
		names[i] = fields[i].name;
	it = json_object_iter_begin(map);
	end = json_object_iter_end(map);
	for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
		const char *key = json_object_iter_peek_name(&it), *near = sw_nearest(key, names, (int)n);
		size_t i = 0;
		struct sw_err e;

		while (i < n && strcmp(fields[i].name, key) != 0)
			i++;
		if (i == n)
			return at(r, map, key, "unknown setting \"%s\"%s%s%s", key, near ? ", did you mean \"" : "",
				  near ? near : "", near ? "\"?" : "");
		e = read_value(r, map, &fields[i], json_object_iter_peek_value(&it), base);
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

/* ---- groups ---------------------------------------------------------------------------- */

/* What the file does not say and the catalog knows. */
static void fill_from_catalog(const struct reader *r, json_t *map, const struct sw_sim_spec *spec,
			      struct sw_sim_group *g)
{
	const struct sw_machine *m =
		sw_catalog_machine(r->catalog, spec->cloud, g->machine ? g->machine : "", spec->region);

	if (!m)
		return;
	if (!g->model)
		g->model = sw_strdup(m->model);
	if (!sw_json_key(map, "gpus"))
		g->gpus = m->gpus;
	if (g->cpu_milli == 0)
		g->cpu_milli = m->cpu_milli;
	if (g->memory_bytes == 0)
		g->memory_bytes = m->memory_bytes;
	if (isnan(g->price_hour)) {
		g->price_hour = g->spot ? m->spot_hour : m->price_hour;
		g->priced_at_ms = m->priced_at_ms;
	}
}

static struct sw_err check_gpu(const struct reader *r, json_t *map, const struct sw_sim_group *g)
{
	const struct sw_gpu *gpu = *g->model ? sw_catalog_gpu(r->catalog, g->model) : NULL;
	const char *near;

	if (*g->model && !gpu) {
		near = sw_catalog_nearest_gpu(r->catalog, g->model);
		return at(r, map, "gpu", "gpu: \"%s\" is not in the catalog%s%s%s", g->model,
			  near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
	if ((gpu != NULL) != (g->gpus > 0))
		return at(r, map, NULL, "%s: gpu and gpus belong together", g->name);
	return SW_OK;
}

static struct sw_err check_group(const struct reader *r, json_t *map, const struct sw_sim_group *g)
{
	if (!g->name || !sw_is_dns_label(g->name))
		return at(r, map, g->name ? "name" : NULL, "name: found \"%s\", expected a DNS label",
			  g->name ? g->name : "");
	if (!g->machine)
		return at(r, map, NULL, "%s: machine is missing", g->name);
	if (g->cpu_milli <= 0 || g->memory_bytes <= 0)
		return at(r, map, "machine", "%s: machine type %s is not in the catalog: say cpu, memory, gpu and gpus",
			  g->name, g->machine);
	if (g->min > g->max || g->initial < g->min || g->initial > g->max)
		return at(r, map, NULL, "%s: expected min <= count <= max, found %d, %d, %d", g->name, g->min,
			  g->initial, g->max);
	return check_gpu(r, map, g);
}

static struct sw_err read_group(const struct reader *r, json_t *map, struct sw_sim_spec *spec, bool pool)
{
	struct sw_sim_group *g = &spec->groups[spec->n_groups++];
	struct sw_err e;

	*g = (struct sw_sim_group){
		.quota = -1, .price_hour = NAN, .growable = pool, .exclusive = pool, .grow_ms = pool ? 120000 : 0};
	e = read_map(r, map, group_fields, N(group_fields), g);
	if (sw_failed(e))
		return e;
	if (pool && !sw_json_key(map, "max"))
		return at(r, map, NULL, "%s: max is missing", g->name ? g->name : "pool");
	if (pool && !sw_json_key(map, "count"))
		g->initial = g->min;
	if (!pool)
		g->min = g->max = g->initial;
	fill_from_catalog(r, map, spec, g);
	if (!g->model)
		g->model = sw_strdup("");
	if (!g->zone)
		g->zone = sw_strdup(spec->region);
	return check_group(r, map, g);
}

/* ---- clusters ------------------------------------------------------------------------------ */

static struct sw_err check_cluster(const struct reader *r, json_t *map, struct sw_sim_spec *spec)
{
	static const char *const clouds[] = {"onprem", "gke", "aks"};

	if (!spec->name || !sw_is_dns_label(spec->name))
		return at(r, map, spec->name ? "name" : NULL, "name: found \"%s\", expected a DNS label",
			  spec->name ? spec->name : "");
	for (size_t i = 0; i < N(clouds); i++)
		if (spec->cloud && strcmp(spec->cloud, clouds[i]) == 0)
			return SW_OK;
	return at(r, map, spec->cloud ? "cloud" : NULL, "%s: cloud: found \"%s\", expected onprem, gke or aks",
		  spec->name, spec->cloud ? spec->cloud : "");
}

static struct sw_err read_groups(const struct reader *r, json_t *map, struct sw_sim_spec *spec)
{
	json_t *lists[2] = {sw_json_key(map, "nodes"), sw_json_key(map, "pools")};
	struct sw_err e = SW_OK;

	spec->groups = sw_calloc(sw_json_len(lists[0]) + sw_json_len(lists[1]) + 1, sizeof(spec->groups[0]));
	for (int pool = 0; pool < 2; pool++)
		for (size_t i = 0; !sw_failed(e) && i < sw_json_len(lists[pool]); i++)
			e = read_group(r, sw_json_idx(lists[pool], i), spec, pool);
	for (size_t i = 0; !sw_failed(e) && i < spec->n_groups; i++)
		for (size_t k = 0; !sw_failed(e) && k < i; k++)
			if (strcmp(spec->groups[i].name, spec->groups[k].name) == 0)
				e = at(r, map, NULL, "%s: two groups are called %s", spec->name, spec->groups[i].name);
	return e;
}

static struct sw_err read_cluster(const struct reader *r, json_t *map, double scale, struct sw_sim_spec *spec)
{
	struct sw_err e;

	spec->scale = scale;
	e = read_map(r, map, cluster_fields, N(cluster_fields), spec);
	if (!spec->region)
		spec->region = sw_strdup("");
	if (!sw_failed(e))
		e = check_cluster(r, map, spec);
	return sw_failed(e) ? e : read_groups(r, map, spec);
}

static struct sw_err read_specs(const struct reader *r, json_t *top, struct sw_sim_specs *s)
{
	double scale = 1;
	json_t *list;
	struct sw_err e = read_map(r, top, top_fields, N(top_fields), &scale);

	list = sw_failed(e) ? NULL : sw_json_key(top, "clusters");
	if (!sw_failed(e) && sw_json_len(list) == 0)
		e = at(r, top, NULL, "clusters: expected a list of at least one");
	s->at = sw_calloc(sw_json_len(list) + 1, sizeof(s->at[0]));
	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(list); i++)
		e = read_cluster(r, sw_json_idx(list, i), scale, &s->at[s->n++]);
	for (size_t i = 0; !sw_failed(e) && i < s->n; i++)
		for (size_t k = 0; !sw_failed(e) && k < i; k++)
			if (strcmp(s->at[i].name, s->at[k].name) == 0)
				e = at(r, list, NULL, "two clusters are called %s", s->at[i].name);
	return e;
}

struct sw_err sw_sim_specs_parse(const char *name, const char *text, size_t len, const struct sw_catalog *catalog,
				 struct sw_sim_specs **out)
{
	struct sw_sim_specs *s = sw_calloc(1, sizeof(*s));
	struct reader r = {.catalog = catalog};
	struct sw_yaml *yaml = NULL;
	struct sw_err e = sw_yaml_parse(name, text, len, &yaml);

	*out = NULL;
	r.yaml = yaml;
	if (!sw_failed(e) && sw_yaml_docs(yaml) != 1)
		e = sw_err(SW_E_INVALID, "%s: found %zu documents, expected one", name, sw_yaml_docs(yaml));
	if (!sw_failed(e))
		e = read_specs(&r, sw_yaml_doc(yaml, 0), s);
	sw_yaml_free(yaml);
	if (sw_failed(e))
		sw_sim_specs_free(s);
	else
		*out = s;
	return e;
}

static void group_free(struct sw_sim_group *g)
{
	free(g->name);
	free(g->machine);
	free(g->model);
	free(g->zone);
	json_object_put(g->labels);
}

void sw_sim_specs_free(struct sw_sim_specs *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		for (size_t k = 0; k < s->at[i].n_groups; k++)
			group_free(&s->at[i].groups[k]);
		free(s->at[i].groups);
		free(s->at[i].name);
		free(s->at[i].cloud);
		free(s->at[i].region);
	}
	free(s->at);
	free(s);
}
