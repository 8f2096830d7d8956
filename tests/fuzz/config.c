/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.c - spillway.yaml: every setting is inside its bounds, every refusal names the file; printing what was read
 * works
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "spillway/config.h"

static void print(const struct sw_config *c, bool json)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	json_t *o;

	SW_REQUIRE(to != NULL);
	sw_config_print(c, to, json);
	fclose(to);
	FUZZ_CHECK(len > 0);
	if (json) {
		FUZZ_CHECK(!sw_failed(sw_json_parse(text, len, &o)));
		json_object_put(o);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	struct sw_config *c;
	struct sw_err e = sw_config_parse("s.yaml", p.at[0], p.len[0], &c);

	if (sw_failed(e)) {
		FUZZ_REFUSED(e, c);
		FUZZ_CHECK(strstr(e.text, "s.yaml") != NULL);
	} else {
		FUZZ_CHECK(c->data_dir && c->listen && c->resync_ms > 0 && c->window > 0 && c->max_price_hour >= 0);
		for (size_t i = 0; i < c->n_clusters; i++)
			FUZZ_CHECK(c->clusters[i].name && c->clusters[i].provider && c->clusters[i].where);
		print(c, false);
		print(c, true);
	}
	sw_config_free(c);
	fuzz_parts_free(&p);
	return 0;
}
