/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.c - the two CSV tables, and names of GPUs as nodes and people give them
 *
 * Parts: GPUs, machines, a name, a Node, a file of a site. Empty tables: the carried ones.
 */
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "spillway/blob.h"
#include "spillway/catalog.h"

static struct sw_catalog_text carried(const char *path)
{
	const struct sw_blob *b = sw_blob_find(path);

	FUZZ_CHECK(b != NULL);
	return (struct sw_catalog_text){path, b->start, sw_blob_len(b)};
}

static void on_finding(void *owner, const struct sw_finding *f)
{
	(void)owner;
	FUZZ_CHECK(*f->where && *f->text);
}

static void ask_prices(struct sw_catalog *c, const char *word)
{
	struct sw_region from, to = {"gcp", "europe-west4"};
	const struct sw_site_price *p = sw_catalog_site_price(c, word, word);

	sw_catalog_region(c, word, &from);
	double usd = sw_catalog_egress(c, &from, &to, 1 << 30, 0), back = sw_catalog_egress(c, &to, &from, 1 << 30, 0);

	FUZZ_CHECK((isnan(usd) || usd >= 0) && (isnan(back) || back >= 0));
	FUZZ_CHECK(!*from.name || sw_catalog_egress(c, &from, &from, 1, 0) == 0);
	FUZZ_CHECK(!p || isnan(p->gpu_hour) != isnan(p->node_hour));
	sw_catalog_check(c, 1800000000000, 86400000, on_finding, NULL);
}

static void ask(struct sw_catalog *c, const char *name, json_t *node)
{
	const struct sw_gpu *all[SW_PRECISION__COUNT];
	size_t n = sw_catalog_family(c, name, all, SW_PRECISION__COUNT);
	const struct sw_gpu *g = sw_catalog_gpu(c, name);
	const struct sw_machine *m = sw_catalog_machine(c, "gcp", name, "us-central1");
	struct sw_node_devices d;

	FUZZ_CHECK((g != NULL) == (n > 0));
	FUZZ_CHECK(!g || sw_catalog_gpu(c, g->model) != NULL);
	FUZZ_CHECK(!g || !g->whole == !g->slice);
	FUZZ_CHECK(!m || isnan(m->price_hour) || m->price_hour >= 0);
	sw_catalog_nearest_gpu(c, name);
	sw_catalog_slice(c, sw_catalog_gpu_at(c, 0), name);
	sw_catalog_node_devices(c, node, &d);
	FUZZ_CHECK(d.n >= 0 && (d.resource || d.n == 0) && !(d.gpu && d.why));
	for (size_t i = 0; (g = sw_catalog_gpu_at(c, i)); i++)
		FUZZ_CHECK(*g->model && g->memory_bytes > 0);
	ask_prices(c, name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	struct sw_catalog_text gpus = p.len[0] ? (struct sw_catalog_text){"g.csv", p.at[0], p.len[0]}
					       : carried("config/catalog/gpus.csv"),
			       machines = p.len[1] ? (struct sw_catalog_text){"m.csv", p.at[1], p.len[1]}
						   : carried("config/catalog/machines.csv");
	struct sw_catalog *c;
	struct sw_catalog_text site = {"s.csv", p.at[4], p.len[4]};
	struct sw_err e = sw_catalog_parse_site(&gpus, &machines, p.len[4] ? &site : NULL, &c);

	if (sw_failed(e)) {
		FUZZ_REFUSED(e, c);
	} else {
		json_t *node = fuzz_object(&p, 3);

		ask(c, p.at[2], node);
		json_object_put(node);
	}
	sw_catalog_free(c);
	fuzz_parts_free(&p);
	return 0;
}
