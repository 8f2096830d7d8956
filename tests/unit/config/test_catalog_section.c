/* SPDX-License-Identifier: Apache-2.0 */
/* test_catalog_section.c - `catalog:` of spillway.yaml: its shape, and where each row came from */
#include <criterion/criterion.h>
#include <string.h>

#include "spillway/config.h"

Test(config_catalog, rows_and_files_keep_their_order_and_place)
{
	static const char text[] = "catalog:\n"
				   "  files: [a.csv, /b.csv]\n"
				   "  egress:\n"
				   "    - {provider: x}\n"
				   "  gpus:\n"
				   "    - model: Y\n"
				   "    - model: Z\n"
				   "  machines: []\n";
	struct sw_config *c;
	struct sw_err e = sw_config_parse("dir/s.yaml", text, sizeof text - 1, &c);

	cr_assert(!sw_failed(e), "%s", e.text);
	const struct sw_catalog_site *s = c->catalog;

	cr_assert_eq(s->n_files, 2);
	cr_expect_str_eq(s->files[0], "dir/a.csv", "beside the file that names it");
	cr_expect_str_eq(s->files[1], "/b.csv");
	cr_assert_eq(s->n_rows, 3);
	cr_expect(s->rows[0].table == SW_TABLE_EGRESS && s->rows[2].table == SW_TABLE_GPUS);
	cr_expect_str_eq(s->rows[0].where, "dir/s.yaml:4:7");
	cr_expect_str_eq(sw_json_str(s->rows[2].cells, "model"), "Z");
	sw_config_free(c);
	cr_assert(!sw_failed(sw_config_parse("s.yaml", "", 0, &c)));
	cr_expect_null(c->catalog);
	sw_config_free(c);
}

Test(config_catalog, another_shape_is_refused_with_its_place)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"catalog: yes please\n", "s.yaml:1:1: catalog: expected a map"},
		{"catalog: [a]\n", "catalog: expected a map"},
		{"catalog:\n  gpu: []\n", "s.yaml:2:3: catalog has no \"gpu\", did you mean \"gpus\"?"},
		{"catalog:\n  files: a.csv\n", "s.yaml:2:3: catalog.files: expected a list of CSV files"},
		{"catalog:\n  files: [1]\n", "catalog.files: found 1, expected a file name"},
		{"catalog:\n  files: [~]\n", "catalog.files: found nothing"},
		{"catalog:\n  gpus: {model: X}\n", "s.yaml:2:3: catalog.gpus: expected a list of rows"},
		{"catalog:\n  gpus: [X]\n", "catalog.gpus[0]: expected a map"},
		{"catalog:\n  gpus: [{model: X}, [1]]\n", "catalog.gpus[1]: expected a map"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_config *c;
		struct sw_err e = sw_config_parse("s.yaml", rows[i].text, strlen(rows[i].text), &c);

		cr_expect_eq(e.code, SW_E_INVALID, "%s: %s", rows[i].text, e.text);
		cr_expect(strstr(e.text, rows[i].says), "%s: %s", rows[i].text, e.text);
		cr_expect_null(c);
	}
}
