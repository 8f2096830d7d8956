/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo_site.c - three simulated clusters and a gateway over them, in one process
 *
 * The clusters are reached over HTTPS on loopback like any others, and the jobs are submitted through the gateway's API
 * with the admin's kubeconfig: nothing takes a short cut.
 */
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "demo.h"
#include "spillway/blob.h"
#include "spillway/text.h"

static const char clusters_yaml[] = "config/demo/clusters.yaml";
static const char queue_yaml[] = "config/samples/queue.yaml";

static struct sw_err make_dir(struct demo_site *s, const char *dir)
{
	char temporary[] = "/tmp/spillway-demo-XXXXXX";
	s->dir_is_ours = !dir;
	if (dir) {
		struct sw_err e = sw_mkdirs(dir, 0700);
		/* the configuration names files in it, and those start at the configuration's own folder */
		char *whole = sw_failed(e) ? NULL : realpath(dir, NULL);
		s->dir = whole ? whole : sw_strdup(dir);
		return e;
	}
	if (!mkdtemp(temporary))
		return sw_err(SW_E_IO, "cannot make a directory under /tmp; name one with --dir");
	s->dir = sw_strdup(temporary);
	return SW_OK;
}

static struct sw_err open_clusters(struct demo_site *s)
{
	const struct sw_blob *b = sw_blob_find(clusters_yaml);
	SW_REQUIRE(b);
	struct sw_err e = sw_catalog_load(&s->catalog);
	if (!sw_failed(e))
		e = sw_sim_specs_parse(clusters_yaml, b->start, sw_blob_len(b), s->catalog, &s->specs);
	SW_REQUIRE(sw_failed(e) || s->specs->n <= DEMO_CLUSTERS);
	for (size_t i = 0; !sw_failed(e) && i < s->specs->n; i++) {
		struct sw_sim_options opt = {.dir = s->dir};
		char *path = sw_asprintf("%s/%s.kubeconfig", s->dir, s->specs->at[i].name);
		e = sw_sim_new(s->loop, &s->specs->at[i], &opt, &s->sims[i]);
		if (!sw_failed(e))
			e = sw_sim_kubeconfig_write(s->sims[i], path);
		free(path);
	}
	return e;
}

/* The configuration a site would write, with times that fit a half-minute demo. */
static void write_config(const struct demo_site *s, struct sw_buf *b)
{
	sw_buf_printf(b, "data_dir: %s\nlisten: 127.0.0.1:0\n", s->dir);
	sw_buf_puts(b, "dispatch: {resync: 30s}\nburst: {max_price_per_hour: 500, idle_release: 1s, stockout: 30s, "
		       "price_max_age: 3650d}\nclusters:\n");
	for (size_t i = 0; i < s->specs->n; i++) {
		const struct sw_sim_spec *c = &s->specs->at[i];
		bool owned = strcmp(c->cloud, "onprem") == 0;
		sw_buf_printf(b, "- {name: %s, provider: sim, kubeconfig: %s/%s.kubeconfig, region: %s, burst: %s}\n",
			      c->name, s->dir, c->name, c->region, owned ? "false" : "true");
	}
	sw_buf_printf(b, "bootstrap: [%s/queue.yaml]\n", s->dir);
}

static struct sw_err open_config(struct demo_site *s)
{
	struct sw_buf text;
	const struct sw_blob *queue = sw_blob_find(queue_yaml);
	char *queue_path = sw_asprintf("%s/queue.yaml", s->dir), *config_path = sw_asprintf("%s/spillway.yaml", s->dir);
	SW_REQUIRE(queue);
	sw_buf_init(&text, 64 << 10);
	write_config(s, &text);
	struct sw_err e = sw_file_write(queue_path, queue->start, sw_blob_len(queue), 0600);
	if (!sw_failed(e))
		e = sw_file_write(config_path, text.at, text.len, 0600);
	if (!sw_failed(e))
		e = sw_config_load(config_path, &s->config);
	sw_buf_fini(&text);
	free(queue_path);
	free(config_path);
	return e;
}

static struct sw_err open_client(struct demo_site *s)
{
	struct sw_kubeconfig *kc;
	struct sw_kube_options opt = {.name = "demo"};
	struct sw_err e = sw_kubeconfig_load(sw_gateway_kubeconfig(s->gateway), NULL, &kc);
	return sw_failed(e) ? e : sw_kube_new(s->loop, sw_gateway_http(s->gateway), kc, &opt, &s->kube);
}

struct sw_err demo_site_open(struct demo_site *s, struct sw_loop *loop, const char *dir)
{
	*s = (struct demo_site){.loop = loop};
	struct sw_err e = make_dir(s, dir);
	if (!sw_failed(e))
		e = open_clusters(s);
	if (!sw_failed(e))
		e = open_config(s);
	if (!sw_failed(e))
		e = sw_gateway_new(loop, s->config, &s->gateway);
	if (!sw_failed(e))
		e = open_client(s);
	return e;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void demo_site_close(struct demo_site *s)
{
	sw_kube_free(s->kube);
	sw_gateway_free(s->gateway);
	for (size_t i = 0; i < DEMO_CLUSTERS; i++)
		sw_sim_free(s->sims[i]);
	sw_config_free(s->config);
	sw_sim_specs_free(s->specs);
	sw_catalog_free(s->catalog);
	if (s->dir && s->dir_is_ours)
		nftw(s->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(s->dir);
}

double demo_site_scale(const struct demo_site *s)
{
	return s->specs->n ? s->specs->at[0].scale : 1;
}
