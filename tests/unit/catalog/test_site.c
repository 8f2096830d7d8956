/* SPDX-License-Identifier: Apache-2.0 */
/* test_site.c - what a site adds to the carried tables: rows, prices of its own, egress; and what it may not say */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/catalog.h"
#include "spillway/text.h"

#define GPU_HEAD                                                                                                       \
	"model,family,vendor,resource,memory_gib,bandwidth_gbs,fp64,fp32,tf32,bf16,fp16,int8,fp8,mig,aliases,source,"  \
	"date\n"
#define MACHINE_HEAD "provider,type,model,gpus,cpu,memory_gib,region,price_hour,spot_hour,source,date\n"
#define GPUS         GPU_HEAD "X,X,v,v.io/gpu,8,,,5,,,,,,,,s,2026-01-01\n"
#define MACHINES     MACHINE_HEAD "gcp,t-1,X,2,4,16,r1,10,3,s,2026-01-01\n"

static struct sw_err parse(const char *site, struct sw_catalog **out)
{
	return sw_catalog_parse_site(&(struct sw_catalog_text){"g.csv", GPUS, strlen(GPUS)},
				     &(struct sw_catalog_text){"m.csv", MACHINES, strlen(MACHINES)},
				     &(struct sw_catalog_text){"site.csv", site, strlen(site)}, out);
}

static json_t *cells(const char *single_quoted)
{
	char *text = sw_strdup(single_quoted);
	json_t *o;

	for (char *p = text; (p = strchr(p, '\''));)
		*p = '"';
	cr_assert(!sw_failed(sw_json_parse(text, strlen(text), &o)), "%s", text);
	free(text);
	return o;
}

static struct sw_err load(enum sw_table table, const char *const *rows, size_t n, struct sw_catalog **out)
{
	struct sw_catalog_row row[4];
	char where[4][32];

	for (size_t i = 0; i < n; i++) {
		snprintf(where[i], sizeof where[i], "s.yaml:%zu:5", i + 1);
		row[i] = (struct sw_catalog_row){table, cells(rows[i]), where[i]};
	}
	struct sw_err e = sw_catalog_load_site(&(struct sw_catalog_site){.rows = row, .n_rows = n}, out);

	for (size_t i = 0; i < n; i++)
		json_object_put(row[i].cells);
	return e;
}

static int64_t day(const char *text)
{
	int64_t ms;

	cr_assert(!sw_failed(sw_time_parse(text, &ms)));
	return ms;
}

Test(catalog_site, a_price_row_takes_what_the_machine_holds_from_the_carried_rows)
{
	struct sw_catalog *c;
	struct sw_err e = parse("source,date,type,provider,region,price_hour\ncontract,2026-10-01,T-1,gcp,r1,7\n"
				"contract,2026-10-01,t-1,gcp,r2,8\n",
				&c);

	cr_assert(!sw_failed(e), "%s", e.text);
	const struct sw_machine *m = sw_catalog_machine(c, "gke", "t-1", "r1");

	cr_expect(m->price_hour == 7 && m->gpus == 2 && m->cpu_milli == 4000 && isnan(m->spot_hour));
	cr_expect_str_eq(m->model, "X");
	cr_expect_eq(m->priced_at_ms, day("2026-10-01T00:00:00Z"));
	m = sw_catalog_machine(c, "gke", "t-1", "r2");
	cr_expect(m->price_hour == 8 && m->gpus == 2);
	m = sw_catalog_machine(c, "gke", "t-1", "r3");
	cr_expect(m && isnan(m->price_hour) && m->gpus == 2, "what it holds does not depend on the region");
	cr_expect_not_null(sw_catalog_machine_at(c, 1));
	cr_expect_null(sw_catalog_machine_at(c, 2), "r1 was replaced, r2 added");
	sw_catalog_free(c);
}

Test(catalog_site, a_gpu_row_replaces_or_adds_a_model)
{
	struct sw_catalog *c;
	struct sw_err e = parse(GPU_HEAD "X,X,v,v.io/gpu,16,,,9,,,,,,,x-16gb,s,2026-02-02\n"
					 "Y,X,v,v.io/gpu,32,100,,9,,,,,,1g.8gb,,s,2026-02-02\n",
				&c);
	const struct sw_gpu *g[4];

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_expect_eq(sw_catalog_family(c, "x", g, 4), 2);
	cr_expect_eq(g[0]->memory_bytes, (int64_t)16 << 30);
	cr_expect_eq(sw_catalog_gpu(c, "X-16GB"), g[0]);
	cr_expect_str_eq(sw_catalog_gpu(c, "Y-MIG-1g.8gb")->whole->model, "Y");
	cr_expect_str_eq(sw_catalog_machine(c, "gcp", "t-1", "r1")->model, "X", "machines keep theirs");
	sw_catalog_free(c);
}

Test(catalog_site, broken_files_are_refused_with_file_and_line)
{
	static const struct {
		const char *title, *text, *says;
	} rows[] = {
		{"empty", "", "site.csv: empty"},
		{"no table", "a,b\n1,2\n", "site.csv:1: expected the columns of a table"},
		{"a column that does not exist", "provider,type,region,prise_hour\n",
		 "site.csv:1: column 4 is \"prise_hour\", which this table does not have; did you mean "
		 "\"price_hour\"?"},
		{"a column twice", "cluster,pool,cluster\n", "column 3 is \"cluster\" a second time"},
		{"a machine that nobody knows", "provider,type,region,price_hour,date\ngcp,t-9,r1,7,2026-10-01\n",
		 "site.csv:2: gpus, cpu and memory_gib"},
		{"the same machine twice",
		 "provider,type,region,price_hour,date\ngcp,t-1,r1,7,2026-10-01\ngcp,t-1,r1,8,2026-10-01\n",
		 "site.csv:3: gcp t-1 in r1 stands there twice (the first is at site.csv:2)"},
		{"no date", "provider,type,region,price_hour\ngcp,t-1,r1,7\n", "site.csv:2: date: found \"\""},
		{"a date with a time", "provider,type,region,date\ngcp,t-1,r1,2026-10-01T00:00:00Z\n",
		 "site.csv:2: date"},
		{"a day that is none", "provider,type,region,date\ngcp,t-1,r1,2026-13-01\n", "site.csv:2: date"},
		{"a price in words", "cluster,pool,gpu_hour,date\na,b,much,2026-10-01\n",
		 "site.csv:2: gpu_hour: found \"much\""},
		{"a price in hex", "cluster,pool,gpu_hour,date\na,b,0x10,2026-10-01\n", "site.csv:2: gpu_hour"},
		{"two prices", "cluster,pool,gpu_hour,node_hour,date\na,b,1,2,2026-10-01\n",
		 "expected either gpu_hour or node_hour"},
		{"no price", "cluster,pool,date\na,b,2026-10-01\n", "expected either gpu_hour or node_hour"},
		{"no pool", "cluster,pool,gpu_hour,date\na,,1,2026-10-01\n", "cluster and pool must not be empty"},
		{"the same pool twice", "cluster,pool,gpu_hour,date\na,b,1,2026-10-01\na,b,1,2026-10-01\n",
		 "site.csv:3: pool b of cluster a stands there twice (the first is at site.csv:2)"},
		{"egress without a price", "provider,region,to_provider,to_region,usd_gib,date\na,b,c,d,,2026-10-01\n",
		 "usd_gib: found nothing"},
		{"egress from nowhere", "provider,region,to_provider,to_region,usd_gib,date\na,,c,d,1,2026-10-01\n",
		 "must not be empty"},
		{"egress twice",
		 "provider,region,to_provider,to_region,usd_gib,date\na,b,c,d,1,2026-10-01\na,b,c,d,2,2026-10-01\n",
		 "this way stands there twice"},
		{"a GPU twice",
		 GPU_HEAD "X,X,v,v.io/gpu,8,,,5,,,,,,,,s,2026-01-01\nx,X,v,v.io/gpu,8,,,5,,,,,,,,s,2026-01-01\n",
		 "site.csv:3: model x stands there twice"},
		{"a resource that is none", GPU_HEAD "Z,Z,v,v.io/gpu/x y,8,,,5,,,,,,,,s,2026-01-01\n",
		 "site.csv:2: resource"},
		{"text after a quote", "cluster,pool\n\"a\"b,c\n", "site.csv:2: a quoted field"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_catalog *c = (struct sw_catalog *)&c;
		struct sw_err e = parse(rows[i].text, &c);

		cr_expect_eq(e.code, SW_E_INVALID, "%s: %s", rows[i].title, e.text);
		cr_expect(strstr(e.text, rows[i].says), "%s: \"%s\" does not say \"%s\"", rows[i].title, e.text,
			  rows[i].says);
		cr_expect_null(c);
	}
}

Test(catalog_site, rows_of_the_configuration_are_as_strict)
{
	static const struct {
		enum sw_table table;
		const char *row, *says;
	} rows[] = {
		{SW_TABLE_GPUS, "{'model':'H20','familie':'H20'}",
		 "s.yaml:1:5: the table gpus has no column \"familie\", did you mean \"family\"?"},
		{SW_TABLE_GPUS, "{'model':'H20'}", "s.yaml:1:5: memory_gib: found \"\""},
		{SW_TABLE_MACHINES, "{'provider':'gcp','type':['x']}", "s.yaml:1:5: type: found"},
		{SW_TABLE_MACHINES, "{'type':'x'}", "provider and type must not be empty"},
		{SW_TABLE_MACHINES, "{'provider':'p','type':'x','gpus':1,'model':'H100O','date':'2026-01-01'}",
		 "model \"H100O\" is not in the table of GPUs"},
		{SW_TABLE_PRICES, "[]", "expected a map with the columns of the table prices"},
		{SW_TABLE_PRICES, "{'cluster':'a','pool':'b','gpu_hour':true,'date':'2026-01-01'}",
		 "gpu_hour: found true"},
		{SW_TABLE_PRICES, "{'cluster':'a','pool':'b','gpu_hour':-1,'date':'2026-01-01'}",
		 "gpu_hour: found \"-1\""},
		{SW_TABLE_EGRESS, "{'provider':'a','region':'b','to_provider':'c','to_region':'d','usd_gib':0.1}",
		 "date"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_catalog *c = (struct sw_catalog *)&c;
		struct sw_err e = load(rows[i].table, &rows[i].row, 1, &c);

		cr_expect_eq(e.code, SW_E_INVALID, "%s: %s", rows[i].row, e.text);
		cr_expect(strstr(e.text, rows[i].says), "\"%s\" does not say \"%s\"", e.text, rows[i].says);
		cr_expect_null(c);
	}
	cr_expect_eq(
		sw_catalog_load_site(&(struct sw_catalog_site){.files = &(const char *){"/nowhere.csv"}, .n_files = 1},
				     &(struct sw_catalog *){NULL})
			.code,
		sw_file_read("/nowhere.csv", 10, &(char *){NULL}, &(size_t){0}).code);
}

Test(catalog_site, the_most_exact_price_of_an_own_machine_counts)
{
	static const char *const rows[] = {
		"{'cluster':'*','pool':'*','gpu_hour':9,'date':'2026-01-01'}",
		"{'cluster':'cern','pool':'*','gpu_hour':1.5,'date':'2026-01-02'}",
		"{'cluster':'cern','pool':'h100','node_hour':0,'date':'2026-01-03'}",
		"{'cluster':'*','pool':'h100','gpu_hour':4,'date':'2026-01-04'}",
	};
	struct sw_catalog *c;
	struct sw_err e = load(SW_TABLE_PRICES, rows, 4, &c);

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_expect_eq(sw_catalog_site_price(c, "cern", "v100")->gpu_hour, 1.5);
	cr_expect_eq(sw_catalog_site_price(c, "cern", "h100")->node_hour, 0, "zero is what somebody said");
	cr_expect(isnan(sw_catalog_site_price(c, "cern", "h100")->gpu_hour));
	cr_expect_eq(sw_catalog_site_price(c, "desy", "h100")->gpu_hour, 4);
	cr_expect_eq(sw_catalog_site_price(c, "desy", "t4")->gpu_hour, 9);
	cr_expect_eq(sw_catalog_site_price(c, "desy", "t4")->priced_at_ms, day("2026-01-01T00:00:00Z"));
	sw_catalog_free(c);
	cr_assert(!sw_failed(sw_catalog_load(&c)));
	cr_expect_null(sw_catalog_site_price(c, "cern", "v100"));
	sw_catalog_free(c);
}

Test(catalog_site, a_word_tells_whose_region_it_is)
{
	static const struct {
		const char *word, *provider, *region;
	} rows[] = {
		{"europe-west4", "gcp", "europe-west4"},
		{"europe-west4-b", "gcp", "europe-west4"},
		{"us-east1", "gcp", "us-east1"},
		{"northamerica-northeast1-a", "gcp", "northamerica-northeast1"},
		{"us-east-1", "aws", "us-east-1"},
		{"us-east-1a", "aws", "us-east-1"},
		{"eu-central-1", "aws", "eu-central-1"},
		{"westeurope", "azure", "westeurope"},
		{"westeurope-2", "azure", "westeurope"},
		{"eastus2", "azure", "eastus2"},
		{"cern", "", "cern"},
		{"geneva-2", "", "geneva-2"},
		{"", "", ""},
		{"-", "", "-"},
		{"EUROPE-WEST4", "", "EUROPE-WEST4"},
		{"europe-west4-", "", "europe-west4-"},
	};
	struct sw_catalog *c;

	cr_assert(!sw_failed(sw_catalog_load(&c)));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_region r;

		sw_catalog_region(c, rows[i].word, &r);
		cr_expect_str_eq(r.provider, rows[i].provider, "%s: %s", rows[i].word, r.provider);
		cr_expect_str_eq(r.name, rows[i].region, "%s: %s", rows[i].word, r.name);
	}
	sw_catalog_free(c);
}

Test(catalog_site, egress_is_free_within_a_region_and_unknown_where_nobody_says)
{
	static const struct {
		const char *from, *to;
		double usd; /* for 100 GiB; -1: unknown */
	} rows[] = {
		{"europe-west4", "europe-west4", 0},
		{"europe-west4-a", "europe-west4-b", 0},
		{"cern", "cern", 0},
		{"europe-west4", "europe-west1", 2},
		{"europe-west4", "us-central1", 8},
		{"europe-west4", "westeurope", 12},
		{"us-central1", "australia-southeast1", 8},
		{"westeurope", "northeurope", 2},
		{"westeurope", "europe-west4", 8.75},
		{"us-east-1", "us-central1", 9},
		{"eu-central-1", "europe-west4", -1},
		{"cern", "europe-west4", -1},
		{"japaneast", "westeurope", -1},
	};
	struct sw_catalog *c;

	cr_assert(!sw_failed(sw_catalog_load(&c)));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_region from, to;

		sw_catalog_region(c, rows[i].from, &from);
		sw_catalog_region(c, rows[i].to, &to);
		double usd = sw_catalog_egress(c, &from, &to, (int64_t)100 << 30, 0);

		if (rows[i].usd < 0)
			cr_expect(isnan(usd), "%s -> %s: %g", rows[i].from, rows[i].to, usd);
		else
			cr_expect_float_eq(usd, rows[i].usd, 1e-9, "%s -> %s: %g", rows[i].from, rows[i].to, usd);
		usd = sw_catalog_egress(c, &from, &to, 1 << 30, day("2030-01-01T00:00:00Z"));
		cr_expect(rows[i].usd == 0 ? usd == 0 : isnan(usd), "%s -> %s: old prices are unknown", rows[i].from,
			  rows[i].to);
	}
	sw_catalog_free(c);
}

Test(catalog_site, a_site_says_what_leaving_it_costs)
{
	static const char *const rows[] = {
		"{'provider':'*','region':'cern','to_provider':'*','to_region':'*','usd_gib':0,'date':'2026-11-01'}",
		"{'provider':'gcp','region':'*','to_provider':'*','to_region':'*','usd_gib':0.05,'date':'2026-11-01'}",
	};
	struct sw_catalog *c;
	struct sw_err e = load(SW_TABLE_EGRESS, rows, 2, &c);
	struct sw_region cern = {"", "cern"}, gcp = {"gcp", "europe-west4"}, azure = {"azure", "westeurope"};

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_expect_eq(sw_catalog_egress(c, &cern, &gcp, 1 << 30, 0), 0);
	cr_expect_float_eq(sw_catalog_egress(c, &gcp, &azure, 1 << 30, 0), 0.05, 1e-9,
			   "a carried row's place is taken");
	sw_catalog_free(c);
}

Test(catalog_site, the_hash_tells_tables_apart)
{
	static const char *const rows[] = {"{'cluster':'*','pool':'*','gpu_hour':9,'date':'2026-01-01'}",
					   "{'cluster':'*','pool':'*','gpu_hour':8,'date':'2026-01-01'}"};
	struct sw_catalog *plain, *again, *a, *b;

	cr_assert(!sw_failed(sw_catalog_load(&plain)) && !sw_failed(sw_catalog_load(&again)));
	cr_assert(!sw_failed(load(SW_TABLE_PRICES, &rows[0], 1, &a)) &&
		  !sw_failed(load(SW_TABLE_PRICES, &rows[1], 1, &b)));
	cr_expect_str_eq(sw_catalog_hash(plain), sw_catalog_hash(again));
	cr_expect_str_neq(sw_catalog_hash(plain), sw_catalog_hash(a));
	cr_expect_str_neq(sw_catalog_hash(b), sw_catalog_hash(a));
	cr_expect_eq(strlen(sw_catalog_hash(a)), 16);
	sw_catalog_free(plain);
	sw_catalog_free(again);
	sw_catalog_free(a);
	sw_catalog_free(b);
}

Test(catalog_site, every_carried_row_has_a_source_and_knows_its_gpu)
{
	struct sw_catalog *c;
	const struct sw_machine *m;
	const struct sw_gpu *g;
	const struct sw_egress *e;
	size_t priced = 0;

	cr_assert(!sw_failed(sw_catalog_load(&c)));
	for (size_t i = 0; (g = sw_catalog_gpu_at(c, i)); i++) {
		cr_expect(*g->source && *g->date && *g->vendor, "%s", g->model);
		cr_expect(isnan(g->bandwidth_gbs) || g->bandwidth_gbs > 100, "%s", g->model);
	}
	for (size_t i = 0; (m = sw_catalog_machine_at(c, i)); i++) {
		cr_expect(*m->source && m->priced_at_ms > 0, "%s", m->type);
		cr_expect(!*m->model || sw_catalog_gpu(c, m->model), "%s", m->type);
		cr_expect(!(m->price_hour <= 0) && !(m->spot_hour <= 0) && !(m->spot_hour > m->price_hour), "%s in %s",
			  m->type, m->region);
		priced += !isnan(m->price_hour);
	}
	cr_expect_gt(priced, 280);
	for (size_t i = 0; (e = sw_catalog_egress_at(c, i)); i++)
		cr_expect(*e->source && e->usd_gib > 0);
	sw_catalog_free(c);
}

Test(catalog_site, replaced_tables_answer_at_once_and_what_was_looked_up_stays_valid)
{
	struct sw_catalog *c, *fresh;
	for (int i = 0; i < 3; i++) {
		char text[200];
		struct sw_err e = parse(MACHINE_HEAD "gcp,t-1,X,2,4,16,r1,10,3,s,2026-01-01\n", &c);
		cr_assert(!sw_failed(e), "%s", e.text);
		const struct sw_gpu *old = sw_catalog_gpu(c, "X");
		char before[32];
		snprintf(before, sizeof before, "%s", sw_catalog_hash(c));
		for (int k = 0; k <= i; k++) {
			snprintf(text, sizeof text, MACHINE_HEAD "gcp,t-1,X,2,4,16,r1,%d,3,s,2026-01-01\n", 20 + k);
			cr_assert(!sw_failed(parse(text, &fresh)));
			sw_catalog_replace(c, fresh);
			cr_assert_eq(sw_catalog_machine(c, "gcp", "t-1", "r1")->price_hour, 20 + k);
		}
		cr_assert_str_neq(sw_catalog_hash(c), before);
		cr_assert_neq(sw_catalog_gpu(c, "X"), old);
		cr_assert_str_eq(old->model, "X");
		sw_catalog_free(c);
	}
}
