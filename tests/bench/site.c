/* SPDX-License-Identifier: Apache-2.0 */
/* site.c - a gateway to measure, and simulated clusters in another process */
#include "site.h"

#include <stdlib.h>
#include <string.h>

#include "spillway/gateway.h"
#include "spillway/sim.h"
#include "spillway/text.h"

void site_sims(struct sw_loop *loop, int fd, const void *arg)
{
	const char *dir = arg;
	char *path = sw_asprintf("%s/clusters.yaml", dir), *text;
	struct sw_sim **sims;
	struct sw_sim_specs *specs;
	struct sw_catalog *catalog;
	size_t len;

	bench_must(sw_file_read(path, 1 << 20, &text, &len), "clusters.yaml");
	bench_must(sw_catalog_load(&catalog), "catalog");
	bench_must(sw_sim_specs_parse(path, text, len, catalog, &specs), "clusters");
	sims = sw_calloc(specs->n, sizeof(struct sw_sim *));
	for (size_t i = 0; i < specs->n; i++) {
		struct sw_sim_options opt = {.dir = dir};
		char *config = sw_asprintf("%s/%s.kubeconfig", dir, specs->at[i].name);

		bench_must(sw_sim_new(loop, &specs->at[i], &opt, &sims[i]), "simulated cluster");
		bench_must(sw_sim_kubeconfig_write(sims[i], config), "kubeconfig");
		free(config);
	}
	bench_child_serve(loop, fd, "ready\n");
	for (size_t i = 0; i < specs->n; i++)
		sw_sim_free(sims[i]);
	free(sims);
	sw_sim_specs_free(specs);
	sw_catalog_free(catalog);
	free(text);
	free(path);
}

void site_gateway(struct sw_loop *loop, int fd, const void *dir)
{
	char *path = sw_asprintf("%s/spillway.yaml", (const char *)dir);
	struct sw_config *config;
	struct sw_gateway *g;

	bench_must(sw_config_load(path, &config), "configuration");
	bench_must(sw_gateway_new(loop, config, &g), "gateway");
	bench_child_serve(loop, fd, "ready\n");
	sw_gateway_free(g);
	sw_config_free(config);
	free(path);
}

void site_files(const char *dir, int workers, int nodes, const char *cpus)
{
	struct sw_buf clusters, config;

	sw_buf_init(&clusters, 64 << 10);
	sw_buf_init(&config, 64 << 10);
	sw_buf_puts(&clusters, "timeScale: 60\nclusters:\n");
	sw_buf_printf(&config,
		      "data_dir: %s/data\nlisten: 127.0.0.1:0\nlog.level: warn\nbootstrap: [queue.yaml]\nclusters:\n",
		      dir);
	for (int i = 0; i < workers; i++) {
		sw_buf_printf(&clusters,
			      "- name: w%d\n  cloud: onprem\n  region: here\n  nodes:\n"
			      "  - {name: cpu, count: %d, machine: server, cpu: 128, memory: 1Ti, priceHour: 0.50}\n",
			      i, nodes);
		sw_buf_printf(&config, "- {name: w%d, provider: sim, kubeconfig: w%d.kubeconfig, region: here}\n", i,
			      i);
	}
	bench_write(dir, "clusters.yaml", "%s", clusters.at);
	bench_write(dir, "spillway.yaml", "%s", config.at);
	site_queue(dir, cpus);
	sw_buf_fini(&clusters);
	sw_buf_fini(&config);
}

void site_queue(const char *dir, const char *cpus)
{
	bench_write(
		dir, "queue.yaml",
		"apiVersion: kueue.x-k8s.io/v1beta2\nkind: ResourceFlavor\nmetadata: {name: any}\n---\n"
		"apiVersion: kueue.x-k8s.io/v1beta2\nkind: ClusterQueue\nmetadata: {name: bench}\n"
		"spec:\n  namespaceSelector: {}\n  queueingStrategy: BestEffortFIFO\n  resourceGroups:\n"
		"  - coveredResources: [cpu, memory]\n    flavors:\n    - name: any\n      resources:\n"
		"      - {name: cpu, nominalQuota: \"%s\"}\n      - {name: memory, nominalQuota: 100Ti}\n---\n"
		"apiVersion: kueue.x-k8s.io/v1beta2\nkind: LocalQueue\nmetadata: {name: bench, namespace: default}\n"
		"spec: {clusterQueue: bench}\n",
		cpus);
}

double site_metric(struct client *cl, const char *name)
{
	struct sw_buf b;
	double sum = 0;
	size_t n = strlen(name);

	sw_buf_init(&b, 16 << 20);
	if (client_once(cl, "GET", "/metrics", NULL, &b) != 200)
		bench_die("the gateway gives no metrics");
	for (char *line = b.at; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, n) && (line[n] == '{' || line[n] == ' ')) {
			char *end = strchr(line, '\n');

			if (end)
				*end = 0;
			sum += strtod(strrchr(line, ' '), NULL);
			if (end)
				*end = '\n';
		}
	}
	sw_buf_fini(&b);
	return sum;
}
