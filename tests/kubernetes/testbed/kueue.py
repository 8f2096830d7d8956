# SPDX-License-Identifier: Apache-2.0
"""Kueue outside the cluster that it serves: its configuration, what must exist before it starts, and its webhooks."""
import yaml

from . import sources
from .proc import Server, free_port, wait_port

CONCURRENCY = {"Job.batch": 5, "Pod": 5, "Workload.kueue.x-k8s.io": 10, "LocalQueue.kueue.x-k8s.io": 5, "Cohort.kueue.x-k8s.io": 1,
               "ClusterQueue.kueue.x-k8s.io": 5, "ResourceFlavor.kueue.x-k8s.io": 1}


def merge(base, over):
    """`over` laid on `base`, mapping by mapping."""
    out = dict(base)
    for k, v in over.items():
        out[k] = merge(base[k], v) if isinstance(v, dict) and isinstance(base.get(k), dict) else v
    return out


def frameworks(kinds, extra=()):
    return ["batch/job", *(f for k in kinds for f in sources.KINDS[k][3]), *extra]


def configuration(cluster, port):
    base = {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2", "kind": "Configuration", "namespace": "kueue-system",
        "health": {"healthProbeBindAddress": f"127.0.0.1:{free_port()}"},
        "metrics": {"bindAddress": f"127.0.0.1:{free_port()}"},
        "webhook": {"port": port, "host": "127.0.0.1", "certDir": str(cluster.pki.dir)},
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {"enable": False},
        "integrations": {"frameworks": frameworks(cluster.kinds, cluster.spec.get("frameworks", ()))},
        "controller": {"groupKindConcurrency": CONCURRENCY},
        "clientConnection": {"qps": 300, "burst": 500},
    }
    return merge(base, cluster.spec.get("kueue_config", {}))


def install(cluster):
    """CRDs and the namespace: what Kueue looks for in discovery when it starts, or it exits."""
    cluster.install_crds(sources.kueue_crds(cluster.kueue_folder))
    cluster.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kueue-system"}})


def start(cluster):
    """Starts Kueue, and registers its webhooks once it answers for them. Returns the server."""
    port = free_port()
    config = cluster.dir / "kueue.yaml"
    config.write_text(yaml.safe_dump(configuration(cluster, port)))
    gates = {"VisibilityOnDemand": False, **cluster.spec.get("gates", {})}
    server = Server(f"{cluster.name}-kueue", cluster.dir / "kueue.log", [
        sources.build.binary(cluster.spec["kueue"]), "--config", config, "--kubeconfig", cluster.kubeconfig,
        "--feature-gates=" + ",".join(f"{k}={str(v).lower()}" for k, v in gates.items())], etc=cluster.pki["etc"])
    server.start()
    wait_port(port, server.alive)
    used = frameworks(cluster.kinds, cluster.spec.get("frameworks", ()))
    cluster.api.apply(sources.kueue_webhooks(cluster.kueue_folder, f"https://127.0.0.1:{port}", cluster.pki.ca_base64(), used))
    return server
