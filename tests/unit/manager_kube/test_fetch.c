/* SPDX-License-Identifier: Apache-2.0 */
/* test_fetch.c - Secrets and ConfigMaps that a job takes along */
#include "mirror_test.h"

struct fetched {
	bool done;
	struct sw_err e;
	char value[64];
};

static void on_fetched(void *owner, struct sw_err e, json_t *object)
{
	struct fetched *f = owner;

	f->done = true;
	f->e = e;
	cr_assert_eq(object != NULL, !sw_failed(e));
	snprintf(f->value, sizeof(f->value), "%s", object ? sw_json_str(object, "data.k") : "");
}

static struct fetched fetch(struct world *w, const char *resource, const char *name)
{
	struct fetched f = {0};
	struct sw_err e = w->m->ops->fetch(w->m, resource, "default", name, on_fetched, &f);

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert(!f.done, "never from inside");
	UNTIL(w, f.done);
	return f;
}

Test(fetch, what_is_there_is_read_by_name_and_what_is_not_is_missing)
{
	struct world w;

	world_open(&w);
	create(&w, "secrets",
	       "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'pull','namespace':'default'},'data':{'k':"
	       "'czNjcmV0'}}");
	create(&w, "configmaps",
	       "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'params','namespace':'default'},'data':{'k':"
	       "'v'}}");
	cr_expect_str_eq(fetch(&w, "secrets", "pull").value, "czNjcmV0");
	cr_expect_str_eq(fetch(&w, "configmaps", "params").value, "v");
	cr_expect_eq(fetch(&w, "configmaps", "pull").e.code, SW_E_MISSING);
	world_close(&w);
}

Test(fetch, nothing_is_told_after_the_manager_is_closed)
{
	struct world w;
	struct fetched f = {0};

	world_open(&w);
	for (int i = 0; i < 3; i++) {
		struct sw_err e = w.m->ops->fetch(w.m, "secrets", "default", "pull", on_fetched, &f);
		cr_assert(!sw_failed(e));
	}
	manager_close(&w);
	settle(&w, 50);
	cr_expect(!f.done);
	world_close(&w);
}
