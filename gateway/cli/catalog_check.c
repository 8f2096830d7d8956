/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog_check.c - `spillway catalog check`: the tables by themselves, and what the configuration makes of them
 */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "spillway/text.h"

struct report {
	json_t *rows;
	int problems;
};

static void on_finding(void *owner, const struct sw_finding *f)
{
	struct report *r = owner;
	json_t *o = json_object_new_object();
	sw_json_set_str(o, "level", f->problem ? "problem" : "note");
	sw_json_set_str(o, "where", f->where);
	sw_json_set_str(o, "text", f->text);
	json_object_array_add(r->rows, o);
	r->problems += f->problem;
}

__attribute__((format(printf, 4, 5))) static void tell(struct report *r, bool problem, const char *where,
						       const char *fmt, ...)
{
	char text[500];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	on_finding(r, &(struct sw_finding){problem, where, text});
}

/* ---- clusters ----------------------------------------------------------------------- */

static const char *cloud_of(const struct sw_cluster_cfg *cl)
{
	return strcmp(cl->provider, "gke") == 0 ? "gcp" : strcmp(cl->provider, "aks") == 0 ? "azure" : NULL;
}

static void check_region(struct report *r, const struct sw_catalog *c, const struct sw_cluster_cfg *cl)
{
	const char *cloud = cloud_of(cl);
	const struct sw_machine *m;
	size_t priced = 0;
	if (!cloud)
		return;
	if (!*cl->region) {
		tell(r, true, cl->where, "cluster %s has no region: nobody knows what its machines cost", cl->name);
		return;
	}
	for (size_t i = 0; (m = sw_catalog_machine_at(c, i)); i++)
		priced +=
			strcmp(m->provider, cloud) == 0 && strcmp(m->region, cl->region) == 0 && !isnan(m->price_hour);
	if (!priced)
		tell(r, true, cl->where,
		     "cluster %s: the catalog has no price in region %s; what has no price is never bought (add rows "
		     "under "
		     "catalog.machines)",
		     cl->name, cl->region);
}

/* "h100", "a100-80gb-spot", "cpu" -> is there a model whose pool has this name? */
static bool makes_pool(const struct sw_catalog *c, const char *pool)
{
	const struct sw_gpu *g;
	if (strcmp(pool, "cpu") == 0 || strcmp(pool, "*") == 0)
		return true;
	for (size_t i = 0; (g = sw_catalog_gpu_at(c, i)); i++) {
		size_t n = strlen(g->model), k = 0;
		while (k < n && pool[k] &&
		       (isalnum((unsigned char)g->model[k]) ? tolower((unsigned char)g->model[k]) : '-') == pool[k])
			k++;
		if (k == n && (!pool[n] || pool[n] == '-'))
			return true;
	}
	return false;
}

static void check_own_prices(struct report *r, const struct sw_catalog *c, const struct sw_cluster_cfg *cl)
{
	json_t *prices = cl->options ? sw_json_key(cl->options, "prices") : NULL;
	bool said = cl->options && sw_json_key(cl->options, "price_hour");
	const struct sw_site_price *p;
	if (strcmp(cl->provider, "static") != 0)
		return;
	if (prices && json_object_is_type(prices, json_type_object)) {
		json_object_object_foreach(prices, pool, v)
		{
			(void)v;
			said = true;
			if (!makes_pool(c, pool))
				tell(r, true, cl->where,
				     "cluster %s: options.prices.%s: no model of the catalog makes a pool of "
				     "this name",
				     cl->name, pool);
		}
	}
	for (size_t i = 0; (p = sw_catalog_price_at(c, i)); i++)
		said |= strcmp(p->cluster, cl->name) == 0 || strcmp(p->cluster, "*") == 0;
	if (!said)
		tell(r, false, cl->where,
		     "cluster %s: nobody says what its machines cost (catalog.prices); policies see no price there",
		     cl->name);
}

typedef void check_fn(struct report *r, const struct sw_catalog *c, const struct sw_cluster_cfg *cl, const char *s);

static void check_model(struct report *r, const struct sw_catalog *c, const struct sw_cluster_cfg *cl,
			const char *model)
{
	if (sw_catalog_gpu(c, model))
		return;
	const char *near = sw_catalog_nearest_gpu(c, model);
	tell(r, true, cl->where, "cluster %s: options: the catalog has no GPU \"%.60s\"%s%s%s", cl->name, model,
	     near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
}

static void check_type(struct report *r, const struct sw_catalog *c, const struct sw_cluster_cfg *cl, const char *type)
{
	const char *cloud = cloud_of(cl);
	if (cloud && !sw_catalog_machine(c, cloud, type, ""))
		tell(r, true, cl->where, "cluster %s: options: the catalog has no machine type \"%.60s\" of %s",
		     cl->name, type, cloud);
}

/* Options of any provider that name a model or a machine type. */
static void check_options(struct report *r, const struct sw_catalog *c, const struct sw_cluster_cfg *cl, json_t *o)
{
	static const struct {
		const char *key;
		check_fn *check;
	} keys[] = {{"gpu", check_model},
		    {"model", check_model},
		    {"machine", check_type},
		    {"machine_type", check_type},
		    {"vm_size", check_type}};
	for (size_t i = 0; i < sw_json_len(o); i++)
		check_options(r, c, cl, sw_json_idx(o, i));
	if (!json_object_is_type(o, json_type_object))
		return;
	json_object_object_foreach(o, key, v)
	{
		const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
		if (!s)
			check_options(r, c, cl, v);
		for (size_t i = 0; s && *s && i < sizeof keys / sizeof *keys; i++)
			if (strcmp(key, keys[i].key) == 0)
				keys[i].check(r, c, cl, s);
	}
}

static void check_price_rows(struct report *r, const struct sw_catalog *c, const struct sw_config *cfg)
{
	const struct sw_site_price *p;
	for (size_t i = 0; (p = sw_catalog_price_at(c, i)); i++) {
		bool known = strcmp(p->cluster, "*") == 0;
		for (size_t k = 0; k < cfg->n_clusters; k++)
			known |= strcmp(cfg->clusters[k].name, p->cluster) == 0;
		if (!known)
			tell(r, true, cfg->path, "catalog.prices: there is no cluster \"%.60s\"", p->cluster);
		else if (!makes_pool(c, p->pool))
			tell(r, false, cfg->path,
			     "catalog.prices: pool \"%.60s\" of %.60s is no model's; it must be a pool that the "
			     "provider names",
			     p->pool, p->cluster);
	}
}

int catalog_check(const struct cli_command *self, const struct catalog_args *a, const struct sw_catalog *c)
{
	static const struct cli_column cols[] = {{"LEVEL", "level", false, CLI_STATE},
						 {"WHERE", "where", false, CLI_PLAIN},
						 {"WHAT", "text", false, CLI_LONG}};
	struct report r = {.rows = json_object_new_array()};
	(void)self;
	sw_catalog_check(c, a->now_ms, a->max_age_ms, on_finding, &r);
	for (size_t i = 0; a->config && i < a->config->n_clusters; i++) {
		const struct sw_cluster_cfg *cl = &a->config->clusters[i];
		check_region(&r, c, cl);
		check_own_prices(&r, c, cl);
		check_options(&r, c, cl, cl->options);
	}
	if (a->config)
		check_price_rows(&r, c, a->config);
	if (a->json)
		cli_print_json(stdout, r.rows);
	else if (sw_json_len(r.rows))
		cli_print_table(stdout, cols, 3, r.rows);
	else
		printf("good: catalog %s\n", sw_catalog_hash(c));
	json_object_put(r.rows);
	return r.problems ? CLI_FAILED : CLI_OK;
}
