/* SPDX-License-Identifier: Apache-2.0 */
/* test_static.c - the static provider: only prices that somebody said, and options with their errors */
#include <criterion/criterion.h>
#include <string.h>

#include "spillway/provider.h"

struct heard {
	int n;
	size_t pools;
	double all, v100;
};

static void on_list(void *owner, struct sw_err err, const struct sw_provider_state *s)
{
	struct heard *h = owner;
	cr_assert(!sw_failed(err));
	h->n++;
	h->pools = s->n_pools;
	for (size_t i = 0; i < s->n_pools; i++) {
		cr_assert_null(s->pools[i].label_key, "it names no nodes");
		cr_assert(!s->pools[i].growable);
		if (strcmp(s->pools[i].name, "*") == 0)
			h->all = s->pools[i].price_hour;
		if (strcmp(s->pools[i].name, "v100") == 0)
			h->v100 = s->pools[i].price_hour;
	}
}

static const struct {
	const char *options;
	size_t pools;
	double all, v100;
	const char *says;
} rows[] = {
	{NULL, 0, -1, -1, NULL},
	{"{}", 0, -1, -1, NULL},
	{"{\"price_hour\":0}", 1, 0, -1, NULL},
	{"{\"price_hour\":0.5,\"prices\":{\"v100\":2,\"t4\":1}}", 3, 0.5, 2, NULL},
	{"{\"price_hour\":\"free\"}", 0, 0, 0, "options.price_hour: found \"free\""},
	{"{\"price_hour\":-1}", 0, 0, 0, "0 or more"},
	{"{\"price_hour\":null}", 0, 0, 0, "found null"},
	{"{\"prices\":{\"v100\":\"x\"}}", 0, 0, 0, "options.prices.v100"},
	{"{\"prices\":[1]}", 0, 0, 0, "options.prices"},
	{"{\"price_hours\":1}", 0, 0, 0, "did you mean price_hour"},
};

Test(static_provider, says_what_it_was_told_and_names_what_it_cannot_read)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_loop *loop;
		struct sw_provider *p;
		struct heard h = {0, 0, -1, -1};
		struct sw_cluster_cfg cfg = {.name = "c",
					     .where = "f.yaml:9:3",
					     .options = rows[i].options ? json_tokener_parse(rows[i].options) : NULL};
		cr_assert(!sw_failed(sw_loop_new(&loop)));
		struct sw_provider_env env = {.loop = loop};
		struct sw_err e = sw_provider_static.open(&env, &cfg, &p);
		if (rows[i].says) {
			cr_expect(e.code == SW_E_INVALID && strstr(e.text, rows[i].says) &&
					  strstr(e.text, "f.yaml:9:3"),
				  "row %zu: %s", i, e.text);
			cr_expect_null(p);
		} else {
			cr_assert(!sw_failed(e), "row %zu: %s", i, e.text);
			cr_assert(!sw_failed(p->ops->list(p, on_list, &h)));
			cr_expect_eq(p->ops->list(p, on_list, &h).code, SW_E_BUSY);
			cr_expect_eq(h.n, 0, "never from inside");
			sw_loop_run(loop);
			cr_expect(h.n == 1 && h.pools == rows[i].pools && h.all == rows[i].all &&
					  h.v100 == rows[i].v100,
				  "row %zu", i);
			cr_assert(!sw_failed(p->ops->list(p, on_list, &h)));
			p->ops->close(p); /* in flight: silent */
			cr_expect_eq(h.n, 1);
		}
		json_object_put(cfg.options);
		sw_loop_free(loop);
	}
}
