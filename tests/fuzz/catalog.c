/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.c - the two CSV tables, and names of GPUs as nodes and people give them
 *
 * Parts: GPUs, machines, a name, a Node. Empty tables: the carried ones.
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

static void ask(struct sw_catalog *c, const char *name, json_t *node)
{
	const struct sw_gpu *all[SW_PRECISION__COUNT];
	size_t n = sw_catalog_family(c, name, all, SW_PRECISION__COUNT);
	const struct sw_gpu *g = sw_catalog_gpu(c, name);
	const struct sw_machine *m = sw_catalog_machine(c, "gcp", name, "us-central1");

	FUZZ_CHECK((g != NULL) == (n > 0));
	FUZZ_CHECK(!g || sw_catalog_gpu(c, g->model) != NULL);
	FUZZ_CHECK(!m || isnan(m->price_hour) || m->price_hour >= 0);
	sw_catalog_nearest_gpu(c, name);
	sw_catalog_node_gpu(c, node);
	for (size_t i = 0; (g = sw_catalog_gpu_at(c, i)); i++)
		FUZZ_CHECK(*g->model && g->memory_bytes > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	struct sw_catalog_text gpus = p.len[0] ? (struct sw_catalog_text){"g.csv", p.at[0], p.len[0]}
					       : carried("config/catalog/gpus.csv"),
			       machines = p.len[1] ? (struct sw_catalog_text){"m.csv", p.at[1], p.len[1]}
						   : carried("config/catalog/machines.csv");
	struct sw_catalog *c;
	struct sw_err e = sw_catalog_parse(&gpus, &machines, &c);

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
