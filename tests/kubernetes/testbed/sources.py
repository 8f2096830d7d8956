# SPDX-License-Identifier: Apache-2.0
"""CRDs and Kueue's manifests, out of the Go modules that the servers are built from: nothing of theirs is copied here."""
import functools
import importlib.util
import os
import pathlib
import re
import subprocess

import yaml

HERE = pathlib.Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("testbed_build", HERE / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# kind: (module, folder or file of CRDs, files left out, Kueue's frameworks for it)
KINDS = {
    "jobset": ("sigs.k8s.io/jobset", "config/components/crd/bases", "", ["jobset.x-k8s.io/jobset"]),
    "kubeflow": ("github.com/kubeflow/training-operator", "manifests/base/crds", "mpijobs",
                 [f"kubeflow.org/{k}" for k in ("pytorchjob", "tfjob", "paddlejob", "xgboostjob", "jaxjob")]),
    "mpi": ("github.com/kubeflow/mpi-operator", "manifests/base/kubeflow.org_mpijobs.yaml", "", ["kubeflow.org/mpijob"]),
    "mpi-v1": ("github.com/kubeflow/training-operator", "manifests/base/crds/kubeflow.org_mpijobs.yaml", "", []),
    "trainer": ("github.com/kubeflow/trainer/v2", "manifests/base/crds", "", ["trainer.kubeflow.org/trainjob"]),
    "ray": ("github.com/ray-project/kuberay/ray-operator", "config/crd/bases", "raycronjobs", ["ray.io/rayjob", "ray.io/raycluster"]),
    "appwrapper": ("github.com/project-codeflare/appwrapper", "config/crd/bases", "", ["workload.codeflare.dev/appwrapper"]),
    "provisioning": ("k8s.io/autoscaler/cluster-autoscaler/apis", "config/crd", "", []),
    "lws": ("sigs.k8s.io/lws", "config/crd/bases", "", ["leaderworkerset.x-k8s.io/leaderworkerset"]),
}


def read_all(path):
    return [d for d in yaml.load_all(path.read_text(), Loader) if d]


def files(where, left_out=""):
    if where.is_file():
        return [where]
    return [f for f in sorted(where.glob("*.yaml")) if f.name != "kustomization.yaml" and not (left_out and left_out in f.name)]


def without_descriptions(schema):
    """The same CRD in a fraction of the bytes: texts for people are most of it, and each API server parses them."""
    if isinstance(schema, list):
        return [without_descriptions(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: without_descriptions(v) for k, v in schema.items() if not (k == "description" and isinstance(v, str))}


@functools.lru_cache(maxsize=None)
def crds(kind):
    module, where, left_out, _ = KINDS[kind]
    found = [d for f in files(build.module_dir("kueue", module) / where, left_out) for d in read_all(f) if d["kind"] == "CustomResourceDefinition"]
    for d in found:  # those with conversion webhooks would need their own controller
        d["spec"].pop("conversion", None)
    assert found, f"no CRDs of {kind} in {module}/{where}"
    return found


@functools.lru_cache(maxsize=None)
def kueue_dir(folder):
    return build.module_dir(folder, "sigs.k8s.io/kueue")


@functools.lru_cache(maxsize=None)
def kueue_crds(folder):
    return [d for f in files(kueue_dir(folder) / "config/components/crd/bases") for d in read_all(f)]


def kueue_webhooks(folder, url, ca, frameworks):
    """Kueue's webhook configurations with only those of its own kinds and of the frameworks in use, called by URL."""
    kinds = {re.sub(r"^.*/", "", f) for f in frameworks}
    out = []
    for d in read_all(kueue_dir(folder) / "config/components/webhook/manifests.yaml"):
        keep = []
        for w in d["webhooks"]:
            path = w["clientConfig"]["service"]["path"]
            if "-kueue-x-k8s-io-" not in path and path.rpartition("-")[2] not in kinds:
                continue
            keep.append({**w, "clientConfig": {"url": url + path, "caBundle": ca}})
            if "-kueue-x-k8s-io-" not in path:
                spared = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", "kueue-system"]}
                keep[-1]["namespaceSelector"] = {"matchExpressions": [spared]}
        prefix = "kueue-mutating" if d["kind"].startswith("Mutating") else "kueue-validating"
        out.append({**d, "metadata": {"name": prefix + "-webhook-configuration"}, "webhooks": keep})
    return out


def manifests(path):
    """The objects of a YAML file, or of a kustomization as `kubectl apply -k` would make them. Deployments are left out: what
    they would run runs as a process beside the clusters."""
    path = pathlib.Path(path)
    if path.is_file():
        return read_all(path)
    kubectl = os.environ.get("KUBECTL") or subprocess.run([HERE.parent / "tools" / "kubectl.sh"], capture_output=True, text=True).stdout.strip()
    if not kubectl:
        raise RuntimeError(f"{path} is a kustomization, and there is no kubectl to build it: tests/tools/kubectl.sh says why")
    done = subprocess.run([kubectl, "kustomize", path], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"kubectl kustomize {path}: {done.stderr}")
    return [d for d in yaml.load_all(done.stdout, Loader) if d and d["kind"] != "Deployment"]
