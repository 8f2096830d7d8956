# SPDX-License-Identifier: Apache-2.0
"""Nodes as NVIDIA's GPU feature discovery, GKE and AKS label them; kwok plays their kubelets (stages.yaml)."""
import copy
import pathlib

import yaml

STAGES = pathlib.Path(__file__).with_name("stages.yaml")

# model: (nvidia.com/gpu.product as GPU feature discovery writes it, its memory in MiB, GKE's accelerator)
GPUS = {
    "V100": ("Tesla-V100-SXM2-16GB", 16384, "nvidia-tesla-v100"),
    "T4": ("Tesla-T4", 15360, "nvidia-tesla-t4"),
    "L4": ("NVIDIA-L4", 23034, "nvidia-l4"),
    "A100-40GB": ("NVIDIA-A100-SXM4-40GB", 40960, "nvidia-tesla-a100"),
    "A100-80GB": ("NVIDIA-A100-SXM4-80GB", 81920, "nvidia-a100-80gb"),
    "H100": ("NVIDIA-H100-80GB-HBM3", 81559, "nvidia-h100-80gb"),
}

# What a worker has unless it is told otherwise: two nodes without GPUs, and one of a kind per worker.
CPU_NODES = {"name": "cpu", "count": 2, "cpu": "64", "memory": "256Gi"}
DEFAULT = [
    {"name": "v100", "gpu": "V100", "gpus": 4, "cpu": "32", "memory": "256Gi"},
    {"name": "h100", "gpu": "H100", "gpus": 8, "cpu": "208", "memory": "1872Gi", "cloud": "gke"},
    {"name": "a100", "gpu": "A100-80GB", "gpus": 4, "cpu": "96", "memory": "880Gi", "cloud": "aks"},
]


def default_nodes(index):
    return [CPU_NODES, DEFAULT[index % len(DEFAULT)]]


def labels(row, name):
    pool = row.get("pool", row["name"])
    out = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "topology.kubernetes.io/zone": row.get("zone", "zone-a")}
    if row.get("gpu"):
        product, memory, accelerator = GPUS[row["gpu"]]
        out |= {"nvidia.com/gpu.product": product, "nvidia.com/gpu.memory": str(memory), "nvidia.com/gpu.count": str(row["gpus"]), "nvidia.com/gpu.present": "true"}
        if row.get("cloud") == "gke":
            out |= {"cloud.google.com/gke-accelerator": accelerator}
    if row.get("cloud") == "gke":
        out |= {"cloud.google.com/gke-nodepool": pool}
    if row.get("cloud") == "aks":
        out |= {"kubernetes.azure.com/agentpool": pool}
    return out | row.get("labels", {})


def node(row, i):
    """The Node objects of a row {name, count, cpu, memory, gpu, gpus, cloud, pool, zone, labels, taints, resources}."""
    name = f"{row['name']}-{i}"
    capacity = {"cpu": str(row.get("cpu", "32")), "memory": str(row.get("memory", "128Gi")), "pods": "1000", "ephemeral-storage": "1Ti"}
    if row.get("gpus"):
        capacity["nvidia.com/gpu"] = str(row["gpus"])
    capacity |= row.get("resources", {})
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels(row, name)}, "spec": {"taints": row.get("taints", [])},
            "status": {"capacity": capacity, "allocatable": capacity}}


def add_nodes(api, rows):
    """Creates the nodes of the rows and says what they hold; returns their names."""
    names = []
    for row in rows:
        for i in range(row.get("count", 1)):
            n = node(row, i)
            status = n.pop("status")
            api.apply(n)
            api.patch(f"/api/v1/nodes/{n['metadata']['name']}/status", {"status": status})
            names.append(n["metadata"]["name"])
    return names


def ready(node):
    return node and any(c["type"] == "Ready" and c["status"] == "True" for c in node.get("status", {}).get("conditions") or [])


def stages():
    """The stages of stages.yaml, and pod-finish: pod-end at once, for pods that were told to finish."""
    out = list(yaml.safe_load_all(STAGES.read_text()))
    finish = copy.deepcopy(next(s for s in out if s["metadata"]["name"] == "pod-end"))
    finish["metadata"]["name"] = "pod-finish"
    told = {"key": '.metadata.annotations["testbed.spillway.dev/finish"]', "operator": "Exists"}
    finish["spec"]["selector"]["matchExpressions"] = [*finish["spec"]["selector"]["matchExpressions"][:2], told]
    del finish["spec"]["delay"]
    return [*out, finish]


def kwok_config(where, log_file):
    """Writes kwok's configuration: the stages, and one log that every container shows."""
    logs = {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterLogs", "metadata": {"name": "all"}, "spec": {"logs": [{"logsFile": str(log_file), "follow": False}]}}
    log_file.write_text("2026-01-01T00:00:00.000000000Z stdout F hello from a pod of the testbed\n")
    where.write_text(yaml.safe_dump_all([*stages(), logs]))
    return where
