/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nodes.c - NodePool and Node objects, with names, labels and taints as the imitated cloud sets them
 *
 * GKE: label cloud.google.com/gke-nodepool, gke-accelerator (names of accelerator types), gke-spot; a spot pool has no
 * taint of its own. AKS: label agentpool (and kubernetes.azure.com/agentpool), accelerator=nvidia, the GPU only by the
 * instance type; spot pools carry scalesetpriority=spot as label and taint. On-prem: labels of GPU feature discovery.
 * Sources: the clouds' documentation of node labels and taints; karpenter and cluster-autoscaler read the same.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "objects.h"
#include "spillway/kinds.h"
#include "spillway/text.h"

static const struct sim_cloud clouds[] = {
	{"onprem", "spillway.dev/pool", "NoMachine", "QuotaExceeded"},
	{"gke", "cloud.google.com/gke-nodepool", "ZONE_RESOURCE_POOL_EXHAUSTED", "QUOTA_EXCEEDED"},
	{"aks", "agentpool", "ZonalAllocationFailed", "OperationNotAllowed"},
};

const struct sim_cloud *sim_cloud_find(const char *name)
{
	for (size_t i = 0; i < sizeof(clouds) / sizeof(clouds[0]); i++)
		if (name && strcmp(clouds[i].name, name) == 0)
			return &clouds[i];
	return &clouds[0];
}

static bool is_cloud(const struct sim_cloud *c, const char *name)
{
	return strcmp(c->name, name) == 0;
}

/* ---- pools ------------------------------------------------------------------------- */

static const char *gpu_resource(const struct sw_sim_group *g)
{
	return strncmp(g->model, "MI", 2) == 0 ? "amd.com/gpu" : "nvidia.com/gpu";
}

/* Nodes offer less than the machine has: system and kubelet reservations, here 0.1 CPU + 1 % and 5 % of memory. */
static void set_amounts(json_t *spec, const struct sw_sim_group *g)
{
	char text[32];

	sw_json_set_str(spec, "cpu", sw_quantity_text(g->cpu_milli - 100 - g->cpu_milli / 100, text));
	sw_json_set_str(spec, "memory", sw_bytes_text((g->memory_bytes - g->memory_bytes / 20) >> 20 << 20, text));
	sw_json_set_int(spec, "gpus", g->gpus);
	if (g->gpus > 0)
		sw_json_set_str(spec, "gpuResource", gpu_resource(g));
}

static void set_price(json_t *spec, const struct sw_sim_group *g)
{
	char text[32];

	if (isnan(g->price_hour))
		return;
	snprintf(text, sizeof(text), "%.6g", g->price_hour);
	sw_json_set_str(spec, "priceHour", text);
	if (g->priced_at_ms > 0)
		sw_json_set_str(spec, "pricedAt", sw_time_text(g->priced_at_ms, text));
}

json_t *sim_pool_object(const struct sw_sim_spec *cluster, const struct sw_sim_group *g)
{
	json_t *pool =
		sw_json_fmt("{\"apiVersion\":\"" SIM_API "\",\"kind\":\"NodePool\",\"metadata\":{},\"spec\":{}}");
	json_t *spec = sw_json_at(pool, "spec");

	sw_json_set_str(pool, "metadata.name", g->name);
	sw_json_set_str(spec, "machineType", g->machine);
	sw_json_set_str(spec, "model", g->model);
	set_amounts(spec, g);
	sw_json_set_str(spec, "region", cluster->region);
	sw_json_set_str(spec, "zone", g->zone);
	sw_json_set_int(spec, "minNodes", g->min);
	sw_json_set_int(spec, "maxNodes", g->max);
	sw_json_set_int(spec, "desired", g->initial);
	sw_json_set_int(spec, "quota", g->quota);
	sw_json_set_bool(spec, "growable", g->growable);
	sw_json_set_bool(spec, "spot", g->spot);
	sw_json_set_bool(spec, "exclusive", g->exclusive);
	sw_json_set_bool(spec, "stockout", g->stockout);
	sw_json_set_int(spec, "growSeconds", g->grow_ms / 1000);
	set_price(spec, g);
	if (g->labels)
		sw_json_set(spec, "labels", sw_json_copy(g->labels));
	return pool;
}

json_t *sim_pool_error(const struct sim_cloud *cloud, json_t *pool, bool quota, int64_t wall_ms)
{
	const char *zone = sw_json_str(pool, "spec.zone"), *machine = sw_json_str(pool, "spec.machineType");
	json_t *error = json_object_new_object();
	char message[320], time[32];

	if (is_cloud(cloud, "gke") && !quota)
		snprintf(message, sizeof(message),
			 "The zone '%s' does not have enough resources available to fulfill the request (machine type "
			 "%s). Try a different zone, or try again later.",
			 zone, machine);
	else if (is_cloud(cloud, "gke"))
		snprintf(message, sizeof(message), "Quota exceeded for %s: limit %lld nodes in %s.", machine,
			 (long long)sw_json_int(pool, "spec.quota", -1), zone);
	else if (quota)
		snprintf(message, sizeof(message),
			 "Operation could not be completed as it results in exceeding approved %s Family Cores quota: "
			 "limit %lld nodes.",
			 machine, (long long)sw_json_int(pool, "spec.quota", -1));
	else
		snprintf(message, sizeof(message),
			 "Allocation failed. We do not have sufficient capacity for the requested VM size %s in zone "
			 "%s.",
			 machine, zone);
	sw_json_set_str(error, "code", quota ? cloud->quota_code : cloud->stockout_code);
	sw_json_set_str(error, "message", message);
	sw_json_set_str(error, "time", sw_time_micro_text(wall_ms, time));
	return error;
}

/* ---- nodes -------------------------------------------------------------------------------- */

char *sim_node_name(const struct sim_cloud *cloud, const char *cluster, const char *pool, unsigned seed, int n)
{
	if (is_cloud(cloud, "gke"))
		return sw_asprintf("gke-%s-%s-%08x-%04x", cluster, pool, seed, (unsigned)n * 2654435761u >> 16);
	if (is_cloud(cloud, "aks"))
		return sw_asprintf("aks-%s-%08u-vmss%06x", pool, seed % 100000000u, (unsigned)n);
	return sw_asprintf("%s-%s-%d", cluster, pool, n + 1);
}

/* cloud.google.com/gke-accelerator: names of Compute Engine's accelerator types */
static const char *gke_accelerator(const char *model, char buf[64])
{
	static const struct {
		const char *model, *type;
	} types[] = {
		{"H100", "nvidia-h100-80gb"},       {"H200", "nvidia-h200-141gb"},     {"B200", "nvidia-b200"},
		{"A100-40GB", "nvidia-tesla-a100"}, {"A100-80GB", "nvidia-a100-80gb"}, {"L4", "nvidia-l4"},
		{"T4", "nvidia-tesla-t4"},          {"V100", "nvidia-tesla-v100"},     {"P100", "nvidia-tesla-p100"},
		{"P4", "nvidia-tesla-p4"},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(model, types[i].model) == 0)
			return types[i].type;
	snprintf(buf, 64, "nvidia-%s", model);
	return buf;
}

/* nvidia.com/gpu.product as GPU feature discovery writes it */
static const char *gpu_product(const char *model, char buf[64])
{
	static const struct {
		const char *model, *product;
	} products[] = {
		{"V100", "Tesla-V100-SXM2-16GB"},
		{"V100-32GB", "Tesla-V100-SXM2-32GB"},
		{"T4", "Tesla-T4"},
		{"A100-40GB", "NVIDIA-A100-SXM4-40GB"},
		{"A100-80GB", "NVIDIA-A100-SXM4-80GB"},
		{"H100", "NVIDIA-H100-80GB-HBM3"},
		{"P100", "Tesla-P100-SXM2-16GB"},
		{"K80", "Tesla-K80"},
	};

	for (size_t i = 0; i < sizeof(products) / sizeof(products[0]); i++)
		if (strcmp(model, products[i].model) == 0)
			return products[i].product;
	snprintf(buf, 64, "NVIDIA-%s", model);
	return buf;
}

static void set_count_label(json_t *node, const char *key, int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	sw_json_set_label(node, key, text);
}

static void gpu_labels(const struct sim_cloud *cloud, json_t *node, json_t *pool)
{
	const char *model = sw_json_str(pool, "spec.model");
	int64_t gpus = sw_json_int(pool, "spec.gpus", 0);
	char buf[64];

	if (!model || !*model || gpus <= 0)
		return;
	if (is_cloud(cloud, "gke")) {
		sw_json_set_label(node, "cloud.google.com/gke-accelerator", gke_accelerator(model, buf));
		set_count_label(node, "cloud.google.com/gke-accelerator-count", gpus);
	} else if (is_cloud(cloud, "aks")) {
		sw_json_set_label(node, "kubernetes.azure.com/accelerator", "nvidia");
		sw_json_set_label(node, "accelerator", "nvidia");
	} else {
		sw_json_set_label(node, "nvidia.com/gpu.present", "true");
		sw_json_set_label(node, "nvidia.com/gpu.product", gpu_product(model, buf));
		set_count_label(node, "nvidia.com/gpu.count", gpus);
	}
}

static void cloud_labels(const struct sim_cloud *cloud, json_t *node, json_t *pool, const char *name)
{
	const char *pool_name = sw_json_str(pool, "metadata.name");
	bool spot = sw_json_bool(pool, "spec.spot");
	char *id = NULL;

	sw_json_set_label(node, cloud->pool_label, pool_name);
	if (is_cloud(cloud, "gke")) {
		id = sw_asprintf("gce://simulated/%s/%s", sw_json_str(pool, "spec.zone"), name);
		if (spot) {
			sw_json_set_label(node, "cloud.google.com/gke-spot", "true");
			sw_json_set_label(node, "cloud.google.com/gke-provisioning", "spot");
		}
	} else if (is_cloud(cloud, "aks")) {
		id = sw_asprintf("azure:///subscriptions/simulated/virtualMachineScaleSets/%s/virtualMachines/%s",
				 pool_name, name);
		sw_json_set_label(node, "kubernetes.azure.com/agentpool", pool_name);
		sw_json_set_label(node, "kubernetes.azure.com/mode", "user");
		if (spot)
			sw_json_set_label(node, "kubernetes.azure.com/scalesetpriority", "spot");
	}
	if (id)
		sw_json_set_str(node, "spec.providerID", id);
	free(id);
}

static void add_taint(json_t *node, const char *key, const char *value)
{
	json_t *taints = sw_json_at(node, "spec.taints"), *t = json_object_new_object();

	if (!taints) {
		taints = json_object_new_array();
		sw_json_set(node, "spec.taints", taints);
	}
	sw_json_set_str(t, "key", key);
	sw_json_set_str(t, "value", value);
	sw_json_set_str(t, "effect", "NoSchedule");
	json_object_array_add(taints, t);
}

static void own_labels(json_t *node, json_t *labels)
{
	struct json_object_iterator it, end;

	if (!json_object_is_type(labels, json_type_object))
		return;
	it = json_object_iter_begin(labels);
	end = json_object_iter_end(labels);
	for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
		sw_json_set_label(node, json_object_iter_peek_name(&it),
				  json_object_get_string(json_object_iter_peek_value(&it)));
}

json_t *sim_node_object(const struct sim_cloud *cloud, json_t *pool, const char *name)
{
	json_t *node =
		sw_json_fmt("{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"labels\":{}},\"spec\":{}}");
	const char *region = sw_json_str(pool, "spec.region");

	sw_json_set_str(node, "metadata.name", name);
	sw_json_set_label(node, "kubernetes.io/hostname", name);
	sw_json_set_label(node, "kubernetes.io/os", "linux");
	sw_json_set_label(node, "kubernetes.io/arch", "amd64");
	sw_json_set_label(node, "node.kubernetes.io/instance-type", sw_json_str(pool, "spec.machineType"));
	if (region && *region) {
		sw_json_set_label(node, "topology.kubernetes.io/region", region);
		sw_json_set_label(node, "topology.kubernetes.io/zone", sw_json_str(pool, "spec.zone"));
	}
	cloud_labels(cloud, node, pool, name);
	gpu_labels(cloud, node, pool);
	own_labels(node, sw_json_at(pool, "spec.labels"));
	if (sw_json_bool(pool, "spec.exclusive"))
		add_taint(node, SW_TAINT_BURST, sw_json_str(pool, "metadata.name"));
	if (is_cloud(cloud, "aks") && sw_json_bool(pool, "spec.spot"))
		add_taint(node, "kubernetes.azure.com/scalesetpriority", "spot");
	return node;
}

static json_t *conditions(const char *now)
{
	static const struct {
		const char *type, *status, *reason, *message;
	} rows[] = {
		{"MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"},
		{"DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"},
		{"PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"},
		{"Ready", "True", "KubeletReady", "kubelet is posting ready status"},
	};
	json_t *list = json_object_new_array();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		json_object_array_add(
			list, sw_json_fmt("{\"type\":\"%s\",\"status\":\"%s\",\"reason\":\"%s\",\"message\":\"%s\","
					  "\"lastHeartbeatTime\":\"%s\",\"lastTransitionTime\":\"%s\"}",
					  rows[i].type, rows[i].status, rows[i].reason, rows[i].message, now, now));
	return list;
}

static json_t *amounts(json_t *pool)
{
	json_t *a = json_object_new_object();
	const char *resource = sw_json_str(pool, "spec.gpuResource");
	int64_t gpus = sw_json_int(pool, "spec.gpus", 0);
	char text[24];

	sw_json_set_str(a, "cpu", sw_json_str(pool, "spec.cpu"));
	sw_json_set_str(a, "memory", sw_json_str(pool, "spec.memory"));
	snprintf(text, sizeof(text), "%d", SIM_PODS_PER_NODE);
	sw_json_set_str(a, "pods", text);
	snprintf(text, sizeof(text), "%lld", (long long)gpus);
	if (gpus > 0)
		json_object_object_add(a, resource ? resource : "nvidia.com/gpu", json_object_new_string(text));
	return a;
}

json_t *sim_node_status(json_t *pool, const char *name, int64_t wall_ms)
{
	char now[32], uuid[37];
	json_t *status, *addresses = json_object_new_array();
	uint64_t hash;

	sw_time_text(wall_ms, now);
	sw_uuid(uuid);
	status = sw_json_fmt("{\"nodeInfo\":{\"machineID\":\"%s\",\"systemUUID\":\"%s\",\"bootID\":\"%s\","
			     "\"kernelVersion\":\"6.1.0-sim\","
			     "\"osImage\":\"spillway "
			     "simulator\",\"containerRuntimeVersion\":\"sim://1\",\"kubeletVersion\":\"v1.36.1-sim\","
			     "\"kubeProxyVersion\":\"\",\"operatingSystem\":\"linux\",\"architecture\":\"amd64\"}}",
			     uuid, uuid, uuid);
	hash = sw_hash(name, strlen(name));
	json_object_array_add(addresses,
			      sw_json_fmt("{\"type\":\"InternalIP\",\"address\":\"10.%d.%d.%d\"}", (int)(hash & 63),
					  (int)(hash >> 8 & 255), (int)(hash >> 16 & 255)));
	json_object_array_add(addresses, sw_json_fmt("{\"type\":\"Hostname\",\"address\":\"%s\"}", name));
	sw_json_set(status, "addresses", addresses);
	sw_json_set(status, "conditions", conditions(now));
	sw_json_set(status, "capacity", amounts(pool));
	sw_json_set(status, "allocatable", amounts(pool));
	return status;
}
